import json
import subprocess
import sys

import numpy as np
import pytest

from frostline.errors import ConfigError, InputError
from frostline.learn import train as tr
from frostline.learn.predict import predict
from frostline.learn.train import train
from learn_stack import TB, small_stack, split

pytestmark = pytest.mark.slow

WHOLE = np.ones((16, 16), bool)
SMALL = {"width": 4, "depth": 2, "dropout": 0.0}


def quick(stack, tmp_path, **options):
    """A training of a second: 24 days, two epochs."""
    given = {
        "inputs": TB,
        "statics": ["elevation"],
        "days": split(stack.sizes["time"], (0, 24), (28, 36)),
        "area": WHOLE,
        "validation_area": WHOLE,
        "net_options": SMALL,
        "epochs": 2,
        "crop": 8,
        "device": "cpu",
        "work_dir": tmp_path / "work",
    }
    return train(stack, **(given | options))


def same(one, other):
    return all(np.array_equal(v, other.weights[k]) for k, v in one.weights.items())


def test_it_learns(tmp_path):
    stack = small_stack(100)
    rows = []
    checkpoint = quick(
        stack,
        tmp_path,
        days=split(100, (0, 70), (75, 85)),
        net_options={"width": 8, "depth": 2},
        epochs=6,
        batch=8,
        learning_rate=3e-3,
        select="both",
        progress=rows.append,
    )
    right = total = 0
    for part, code, p, _, _ in predict(checkpoint, stack, days=np.arange(100) >= 85, device="cpu"):
        known = np.isfinite(p)
        right += ((p > 0.5) == (stack["truth"].values[part, code] > 0.5))[known].sum()
        total += known.sum()
    assert right / total > 0.9
    assert [row["epoch"] for row in rows] == [1, 2, 3, 4, 5, 6]
    assert rows[-1]["loss"] < 0.6 * rows[0]["loss"]
    assert rows[-1]["samples_per_second"] > 0
    last = checkpoint.history[-1]
    assert last["mcc"] == pytest.approx((3 * last["mcc_station"] + last["mcc_reanalysis"]) / 4)
    assert checkpoint.provenance["best_epoch"] == 1 + int(np.argmax([r["mcc"] for r in checkpoint.history]))
    assert checkpoint.provenance["samples"] == 140
    assert checkpoint.grid["crs"] == "EPSG:6931"
    json.dumps([checkpoint.provenance, checkpoint.history], allow_nan=False)


def test_same_seed_same_weights(tmp_path):
    stack = small_stack()
    one, two = (quick(stack, tmp_path / name, net_options={"width": 4, "depth": 2}) for name in "ab")
    assert same(one, two)
    assert one.history == two.history
    assert not same(one, quick(stack, tmp_path / "c", net_options={"width": 4, "depth": 2}, seed=1))


def test_held_out_cells_and_days_leave_no_trace(tmp_path):
    stack = small_stack().load()
    area = WHOLE.copy()
    area[:, 10:] = False
    other = stack.copy(deep=True)
    for name in (*TB, "label_reanalysis", "label_station"):
        field = other[name].values
        field[:, :, :, 10:] = 1 - field[:, :, :, 10:] if name.startswith("label") else field[:, :, :, 10:] + 30
        field[36:] = np.nan
    other["elevation"].values[:, 10:] += 1000
    options = {"area": area, "validation_area": area}
    assert same(quick(stack, tmp_path / "a", **options), quick(other, tmp_path / "b", **options))


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_killed_training_goes_on_as_if_nothing_had_happened(tmp_path, precision):
    stack = small_stack()
    net = {"width": 4, "depth": 2}  # with dropout: its random numbers must come back too
    options = {"epochs": 3, "net_options": net, "sensor_dropout": 0.5, "precision": precision}
    whole = quick(stack, tmp_path / "a", **options)
    seen = []

    def kill(row):
        seen.append(row["epoch"])
        if len(seen) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        quick(stack, tmp_path / "b", **options, progress=kill)
    again = quick(stack, tmp_path / "b", **options, progress=kill)
    assert seen == [1, 2, 3]
    assert same(whole, again)
    assert whole.history == again.history


def test_another_setting_or_a_torn_state_starts_afresh(tmp_path):
    stack = small_stack()
    quick(stack, tmp_path)
    seen = []
    quick(stack, tmp_path, learning_rate=2e-3, progress=lambda row: seen.append(row["epoch"]))
    assert seen == [1, 2]
    state = tmp_path / "work" / "last.safetensors"
    state.write_bytes(state.read_bytes()[:-100])
    quick(stack, tmp_path, learning_rate=2e-3, progress=lambda row: seen.append(row["epoch"]))
    assert seen == [1, 2, 1, 2]
    quick(stack, tmp_path, learning_rate=2e-3, progress=lambda row: seen.append(row["epoch"]))
    assert seen == [1, 2, 1, 2]  # done already


def test_diverging_loss_stops_at_once(tmp_path):
    with pytest.raises(InputError) as error:
        quick(small_stack(), tmp_path, learning_rate=1e30, schedule="constant")
    assert (error.value.code, error.value.exit) == ("E-TRAIN-NAN", 3)
    assert "loss on 2016-01-" in str(error.value)
    assert "learning rate" in str(error.value)


@pytest.mark.parametrize(("day", "date"), [(30, "2016-01-31"), (3, "2016-01-04")])  # of validation, of training
def test_infinite_input_stops_before_training(tmp_path, day, date):
    stack = small_stack().load()
    stack["tb_36v"].values[day, 1, 5, 5] = np.inf
    with pytest.raises(InputError, match=rf"E-TRAIN-NAN\s+tb_36v on {date}"):
        quick(stack, tmp_path)


@pytest.mark.parametrize(
    "days",
    [split(40, (0, 24), (20, 36)), split(40, (0, 24), (30, 30)), {"train": split(40, (0, 24), (0, 0))["train"]}],
)
def test_bad_split(tmp_path, days):
    with pytest.raises(ConfigError) as error:
        quick(small_stack(), tmp_path, days=days)
    assert error.value.code == "E-SPLIT"


@pytest.mark.parametrize("option", [{"select": "era5"}, {"schedule": "step"}, {"precision": "float8"}, {"net": "vgg"}])
def test_unknown_options(tmp_path, option):
    with pytest.raises(ConfigError):
        quick(small_stack(), tmp_path, **option)


def test_no_labels_on_any_training_day(tmp_path):
    stack = small_stack().load()
    stack["label_reanalysis"].values[:24] = np.nan
    stack["label_station"].values[:24] = np.nan
    with pytest.raises(InputError, match="train days"):
        quick(stack, tmp_path)


@pytest.mark.parametrize(
    "option",
    [
        {"lambda_reanalysis": 0.0},
        {"lambda_station": 0.0},
        {"lambda_lv": 1.0},
        {"lv_on": "logit"},
        {"weight_decay": 0.5},
        {"schedule": "constant"},
        {"augment": False},
        {"batch": 8},
        {"crop": 12},
        {"precision": "bfloat16"},
        {"extras": ["latitude", "previous_day", "day_of_year"]},
        {"statics": []},
        {"net_options": SMALL | {"head": "paper"}},
    ],
    ids=str,
)
def test_every_option_changes_the_weights(tmp_path, option):
    stack = small_stack()
    plain = quick(stack, tmp_path / "a", epochs=1)
    other = quick(stack, tmp_path / "b", epochs=1, **option)
    key = "up.0.weight"
    assert not np.array_equal(plain.weights[key], other.weights[key])


def test_selection_options_change_the_history(tmp_path):
    stack = small_stack()
    fast = {"batch": 4, "learning_rate": 1e-2}
    plain = quick(stack, tmp_path / "a", **fast)
    stations = quick(stack, tmp_path / "b", select="stations", **fast)
    fewer = quick(stack, tmp_path / "c", validation_days=2, epochs=1)
    last = stations.history[-1]
    assert last["mcc"] == last["mcc_station"] > 0
    assert plain.history[-1]["mcc"] not in (None, last["mcc"])
    assert fewer.provenance["validation_samples"] == 4


def test_source_with_no_weight_is_not_needed(tmp_path):
    quick(small_stack().drop_vars("label_station"), tmp_path, lambda_station=0.0, epochs=1)
    with pytest.raises(InputError, match="label_station"):
        quick(small_stack().drop_vars("label_station"), tmp_path, epochs=1)


def test_lazy_stack_through_files(tmp_path, monkeypatch):
    stack = small_stack()
    stack.drop_encoding().to_zarr(tmp_path / "stack.zarr", consolidated=False, zarr_format=3)
    import xarray as xr

    lazy = xr.open_zarr(tmp_path / "stack.zarr", consolidated=False, chunks=None, decode_coords="all")
    plain = quick(stack, tmp_path / "a", epochs=1)
    monkeypatch.setattr("frostline.learn.samples.RAM_BYTES", 1000)
    through = quick(lazy, tmp_path / "b", epochs=1)
    assert (tmp_path / "b" / "work" / "train.npy").exists()
    assert same(plain, through)


def test_evenly_chosen_days():
    days = np.zeros(20, bool)
    days[5:15] = True
    assert np.flatnonzero(tr._evenly(days, 4)).tolist() == [5, 8, 11, 14]
    assert (tr._evenly(days, 10) == days).all()


def test_confusion_by_hand():
    p, y = np.array([0.9, 0.6, 0.2, 0.4, 0.5, np.nan, 0.7]), np.array([1, 0, 0, 1, 1, 1, np.nan])
    counts = {"true_frozen": 1, "false_frozen": 1, "false_thawed": 1, "true_thawed": 1}
    assert tr.confusion(p, y) == counts


def test_best_epoch_rule():
    assert tr._better(None, None)
    assert tr._better(0.1, None)
    assert not tr._better(None, 0.1)
    assert not tr._better(0.1, 0.1)
    assert tr._better(0.2, 0.1)


def test_torch_is_imported_for_a_network_only():
    code = "import sys, frostline.learn.checkpoint, frostline.learn.samples; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
