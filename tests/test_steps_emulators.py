"""The emulators of the china system: which networks there are, what they may see, and the records they write."""

import numpy as np
import pytest

import frostline.learn.predict as prediction
from emulator_run import experiment, make_run
from frostline import store
from frostline.errors import ConfigError, InputError
from frostline.learn.checkpoint import load
from frostline.schema import QUALITY, RECORD, check
from frostline.steps import emulators
from frostline.steps.common import grid_of, roles, split_of

pytestmark = pytest.mark.slow

CUI = {"period": {"start": "2015-01-01", "end": "2020-12-31"}, "split": {"preset": "cui2024", "buffer_days": 0}}


@pytest.fixture(scope="module")
def predicted(tmp_path_factory):
    one = experiment()
    run = make_run(tmp_path_factory.mktemp("china"), one)
    notes = emulators.train(one, run)
    return one, run, notes, emulators.predict(one, run)


def shown(run, name):
    return store.open_store(run.path(f"record_{name}.zarr"))["frozen"].values


def test_a_network_for_each_target_and_overpass_or_one_for_both_targets():
    each = {"convlstm_smap_am": (("smap",), 0), "convlstm_smap_pm": (("smap",), 1)}
    each |= {"convlstm_esdr_am": (("esdr",), 0), "convlstm_esdr_pm": (("esdr",), 1)}
    assert emulators.nets(experiment(), [0, 1]) == each
    together = experiment(train={"heads": "together"})
    both = ("smap", "esdr")
    assert emulators.nets(together, [0, 1]) == {"convlstm_am": (both, 0), "convlstm_pm": (both, 1)}


def test_the_published_split_and_the_days_it_leaves():
    one = experiment(**CUI)
    assert split_of(one).train == (("2015-04-01", "2016-03-31"), ("2016-11-01", "2017-03-31"))
    told = emulators.spare_days(one)
    assert told == {
        "days": 214,  # 30 + 31 + 30 + 31 + 31 + 30 + 31
        "spans": ["2017-04-01..2017-10-31"],
        "train": 366 + 151,
        "validation": 214 + 151,
        "heldout": 1006,
    }
    assert (roles(one)[0][:90] == "").all()  # January to March 2015 come before the split, and are not counted


def test_days_of_nobody_are_told(tmp_path, monkeypatch, capsys):
    one = experiment()
    run = make_run(tmp_path / "run", one)
    monkeypatch.setattr(emulators, "beside", lambda work, experiment, run, names: dict.fromkeys(names))
    notes = emulators.train(one, type(run)(run.folder, quiet=False))
    assert notes["days_of_nobody"]["spans"] == ["2015-12-22..2015-12-31", "2016-09-01..2016-09-10"]
    said = capsys.readouterr().out
    assert "20 days between the split's first and last belong to nobody: 2015-12-22..2015-12-31" in said


def test_what_the_stack_lacks_is_named_before_anything_is_trained(tmp_path):
    run = make_run(tmp_path / "run", experiment())
    with pytest.raises(InputError, match=r"train.statics: the stack has no elevation. Name its input under"):
        emulators.train(experiment(train={"statics": ["water_fraction", "elevation"]}), run)


def test_networks_see_what_the_tables_name(predicted):
    _, run, notes, _ = predicted
    checkpoint = load(run.path("checkpoints", "convlstm_esdr_pm"))
    stepped = [f"{name}@{hours}" for name in ("soil_temperature", "precipitation") for hours in (3, 2, 1)]
    assert set(stepped) <= set(checkpoint.channels)
    assert {"terrain_std", "water_fraction", "latitude", "longitude"} <= set(checkpoint.channels)
    assert checkpoint.provenance["products"] == ["esdr"]
    assert checkpoint.provenance["overpasses"] == [1]
    assert checkpoint.provenance["samples"] == 355  # ten days of the year are the buffer's
    assert (checkpoint.provenance["lambda_lv"], checkpoint.provenance["lambda_reanalysis"]) == (0.0, 0.0)
    assert checkpoint.net_options["head"] == "frozen"
    assert notes["convlstm_smap_am"]["epochs"] == 2
    assert notes["convlstm_smap_am"]["mcc"] > 0.7
    assert not any(run.path("work").iterdir())


def test_records_answer_everywhere_on_land_and_say_what_they_were_made_from(predicted):
    one, run, _, count = predicted
    assert count == {"smap": 1462, "esdr": 1462}
    stack = store.open_store(run.path("stack.zarr"))
    land, truth = stack["land"].values == 1, store.open_store(run.path("truth.zarr"))["truth"].values
    for target in ("smap", "esdr"):
        ds = check(store.open_store(run.path(f"record_convlstm_{target}.zarr")), RECORD)
        p = ds["frozen"].values
        assert np.isfinite(p[..., land]).all()
        assert np.isnan(p[..., ~land]).all()
        assert ((p > 0.5) == truth)[..., land].mean() > 0.8
        off = QUALITY["outside_domain"] | QUALITY["open_water"]
        assert (ds["quality"].values[..., ~land] == off).all()
        doubt = (ds["quality"].values & QUALITY["low_confidence"]) > 0
        assert (np.abs(p[doubt] - 0.5) < one.fuse.low_confidence + 0.006).all()
        assert {target, "reanalysis"} <= set(ds.attrs["inputs"])
        assert "training stations" not in ds.attrs["inputs"]
    both = [p.mean() for p in (np.nan_to_num(shown(run, f"convlstm_{t}")) for t in ("smap", "esdr"))]
    assert both[0] < both[1]  # SMAP's labels place freezing 1.5 K too cold, ESDR's 1 K too warm


def test_a_stopped_prediction_goes_on(predicted, tmp_path, monkeypatch):
    one, run, _, _ = predicted
    wanted, whole = shown(run, "convlstm_smap"), prediction.predict
    days = []

    def first(*args, **options):
        days.append(int(options["days"].sum()))
        for k, block in enumerate(whole(*args, **options)):
            if k == 3 and len(days) == 1:
                raise KeyboardInterrupt
            yield block

    path = run.path("record_convlstm_smap.zarr")
    monkeypatch.setattr(prediction, "predict", first)
    path.rename(tmp_path / "kept")
    with pytest.raises(KeyboardInterrupt):
        emulators._predict_one(one, run.folder, "smap", 1, True)
    assert store.verified(path).sum() == 3 * 32
    assert emulators._predict_one(one, run.folder, "smap", 1, True) == 1462
    assert days == [731, 731 - 3 * 32, 731]
    np.testing.assert_array_equal(shown(run, "convlstm_smap"), wanted)
    emulators._predict_one(one, run.folder, "smap", 1, True)
    assert len(days) == 3  # nothing was left to do
    (run.path("checkpoints", "convlstm_smap_am") / "history.json").touch()
    emulators._predict_one(one, run.folder, "smap", 1, True)
    assert days[3:] == [731, 731]  # other networks: all anew


def test_heads_together_with_missing_as_a_class(tmp_path):
    options = {"heads": "together", "head": "literal3", "width": 4, "epochs": 1, "crop": 8, "learning_rate": 0.03}
    one = experiment(train=options)
    run = make_run(tmp_path / "run", one, gaps=0.8)
    emulators.train(one, run)
    assert sorted(p.name for p in run.path("checkpoints").iterdir()) == ["convlstm_am", "convlstm_pm"]
    emulators.predict(one, run)
    known = store.open_store(run.path("stack.zarr"))["land"].values == 1
    for target in ("smap", "esdr"):
        missing = store.open_store(emulators.missing_path(run, f"convlstm_{target}"))["missing"].values
        p = shown(run, f"convlstm_{target}")
        assert np.isnan(missing[..., ~known]).all()
        assert 0.5 < missing[..., known].mean() < 1  # four labels of five were missing
        assert ((p[..., known] >= 0) & (p[..., known] <= 1)).all()
    inputs = store.open_store(run.path("record_convlstm_smap.zarr")).attrs["inputs"]
    assert "esdr" in inputs  # it shares its weights with the other head


def test_scores_of_three_classes_by_hand():
    scores = np.array([[2.0, 1.0, -3.0], [0.0, 0.0, 3.0]], np.float32)[:, :, None, None]
    frozen, missing = emulators.of_three(scores)
    np.testing.assert_allclose(frozen.ravel(), [0.7311, 0.5], atol=5e-5)
    np.testing.assert_allclose(missing.ravel(), [0.0049, 0.9094], atol=5e-5)
    assert np.isnan(emulators.of_three(np.full((1, 3, 1, 1), np.nan))).all()


def test_stations_teach_where_they_are_asked_to(tmp_path):
    one = experiment(
        train={"lambda_station": 1.0, "width": 4, "epochs": 1, "targets": ["smap"]}, fuse={"members": ["convlstm_smap"]}
    )
    run = make_run(tmp_path / "run", one)
    stack = store.open_store(run.path("stack.zarr"))
    label = emulators._station_labels(one, run, stack)
    taught = np.isfinite(label.values).any(axis=(0, 1))
    sites = emulators.sites_of(run, "train")
    rows, cols = grid_of(one).locate(sites["lon"].values, sites["lat"].values)
    assert taught.sum() == len(set(zip(rows, cols, strict=True))) == 6  # of twelve stations; others judge
    assert taught[rows, cols].all()
    emulators.train(one, run)
    assert load(run.path("checkpoints", "convlstm_smap_am")).provenance["lambda_station"] == 1.0
    emulators.predict(one, run)
    inputs = store.open_store(run.path("record_convlstm_smap.zarr")).attrs["inputs"]
    assert inputs[-1] == "training stations"
    run.path("sites.nc").unlink()
    with pytest.raises(InputError, match="no station teaches"):
        emulators._station_labels(one, run, stack)


@pytest.mark.parametrize(
    "table",
    [
        {"train": {"targets": []}},
        {"train": {"targets": ["smap", "smap"]}},
        {"train": {"kernel": 4}},
        {"fuse": {"members": []}},
        {"fuse": {"members": ["reanalysis", "convlstm_smap"], "weights": "brier"}},
    ],
)
def test_tables_that_make_no_sense_are_refused(table):
    with pytest.raises(ConfigError):
        experiment(**table)
