import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from frostline.errors import ConfigError, InputError
from frostline.learn import samples as sm
from frostline.learn.channels import channel_names, scaled
from frostline.learn.scale import fit
from learn_stack import TB, small_stack

DAYS = np.arange("2016-01-01", "2016-03-01", dtype="datetime64[D]").astype("datetime64[ns]")


def ranges(*spans):
    out = np.zeros(len(DAYS), bool)
    for a, b in spans:
        out[a:b] = True
    return out


def packed(stack, tmp_path, *, area=None, sources=("reanalysis", "station"), days=None):
    whole = np.ones((stack.sizes["y"], stack.sizes["x"]), bool)
    area = whole if area is None else area
    days = np.ones(stack.sizes["time"], bool) if days is None else days
    names = channel_names(stack, inputs=TB, statics=["elevation"])
    scaler = fit(stack, scaled(names), days=days, area=area)
    return names, sm.pack(
        stack,
        channels=names,
        scaler=scaler,
        sources=sources,
        days=days,
        visible=area,
        labelled=area,
        file=tmp_path / "train.npy",
    )


def test_buffer_by_hand():
    train, other = ranges((0, 10)), ranges((15, 20))  # days 9 and 15: five days lie between
    sm.check_disjoint(train, ranges(), other, 5, DAYS)
    with pytest.raises(ConfigError) as error:
        sm.check_disjoint(train, ranges(), other, 6, DAYS)
    assert (error.value.code, error.value.exit) == ("E-SPLIT", 2)
    assert "2016-01-10" in str(error.value)
    assert "2016-01-16" in str(error.value)
    assert "train and heldout" in str(error.value)


def test_overlap_counts_the_shared_days():
    with pytest.raises(ConfigError, match="share 3 days"):
        sm.check_disjoint(ranges((0, 10)), ranges((7, 12)), ranges(), 0, DAYS)


@given(*(st.lists(st.booleans(), min_size=60, max_size=60) for _ in range(3)), st.integers(0, 4))
def test_disjoint_agrees_with_all_pairs(a, b, c, buffer):
    splits = [np.flatnonzero(s) for s in (a, b, c)]
    near = [abs(int(i) - int(j)) <= buffer for k in range(3) for m in range(k) for i in splits[k] for j in splits[m]]
    arrays = [np.array(s) for s in (a, b, c)]
    if any(near):
        with pytest.raises(ConfigError):
            sm.check_disjoint(*arrays, buffer, DAYS)
    else:
        sm.check_disjoint(*arrays, buffer, DAYS)


def test_table_lists_valid_samples_only(tmp_path):
    stack = small_stack(5, 8, gaps=0.0).load()
    stack["label_reanalysis"].values[1, 0] = np.nan
    stack["label_station"].values[1, 0] = np.nan  # no label
    for name in TB:
        stack[name].values[2, 1] = np.nan  # no input
    stack["label_reanalysis"].values[3, 0] = np.nan  # stations are left
    _, s = packed(stack, tmp_path)
    listed = set(zip(s.table["date"].dt.day, s.table["overpass"], strict=True))
    assert listed == {(d, o) for d in range(1, 6) for o in (0, 1)} - {(2, 0), (3, 1)}
    assert (s.table.loc[s.table["label_reanalysis"] > 0, "label_reanalysis"] == 8 * 8 - 4).all()  # 4 sea cells
    assert (s.table["label_station"] == 3).all()  # every fifth of 8 rows and columns, less the one at sea


def test_nothing_of_another_area_is_packed(tmp_path):
    stack = small_stack(4, 8, gaps=0.0)
    area = np.zeros((8, 8), bool)
    area[:, :5] = True
    names, s = packed(stack, tmp_path, area=area)
    assert not s.day[:, :, :, 5:].any()
    assert not s.place[:, :, 5:].any()
    assert np.isnan(s.labels[:, :, :, 5:]).all()
    assert s.day[:, names.index("valid:tb_1"), :, :5].all()
    assert s.cells.sum() == 8 * 5 - 4


@pytest.mark.parametrize("augment", [False, True])
def test_an_epoch_takes_each_sample_once_and_keeps_layers_together(tmp_path, augment):
    stack = small_stack(7, 12, gaps=0.0)
    names, s = packed(stack, tmp_path)
    s.day[:, names.index("tb_1v")] = np.nan_to_num(s.labels[:, 0], nan=7.0)  # a channel that equals the label
    seen = []
    for x, y, cells, which in sm.batches(s, batch=4, crop=8, augment=augment, rng=np.random.default_rng(3)):
        assert x.shape == (len(which), len(names), 8, 8)
        assert x.dtype == np.float32
        np.testing.assert_array_equal(x[:, names.index("tb_1v")], np.nan_to_num(y[:, 0], nan=7.0))
        np.testing.assert_array_equal(cells, np.isfinite(y[:, 0]))
        assert (x[:, names.index("overpass")] == s.table["overpass"].to_numpy()[which][:, None, None]).all()
        seen += which.tolist()
    assert sorted(seen) == list(range(14))


def test_augment_makes_all_eight_symmetries():
    field = np.arange(9.0).reshape(3, 3)
    turned = {sm._turn(field, np.arange(8), k).tobytes() for k in range(8)}
    assert len(turned) == 8
    assert sm._turn(field[:2], np.array([1]), 0).shape == (2, 3)  # a quarter turn would not fit


def test_crops_follow_the_training_area():
    cells = np.zeros((10, 20), bool)
    cells[:, :4] = True
    corners = sm._corners(cells, (10, 4))
    left = np.bincount(corners[:, 1], minlength=17)
    # cells inside: 40, 30, 20, 10, 0, ...; in sixteenths of the fullest, rounded up
    assert left[:5].tolist() == [16, 12, 8, 4, 0]
    assert (corners[:, 0] == 0).all()
    with pytest.raises(InputError):
        sm._corners(np.zeros((4, 4), bool), (2, 2))


def test_crop_larger_than_the_window(tmp_path):
    _, s = packed(small_stack(2, 8), tmp_path)
    x, *_ = next(sm.batches(s, batch=4, crop=32, augment=False, rng=np.random.default_rng(0)))
    assert x.shape[-2:] == (8, 8)


def test_large_sets_go_through_a_file(tmp_path, monkeypatch):
    stack = small_stack(6, 8)
    _, small = packed(stack, tmp_path)
    monkeypatch.setattr(sm, "RAM_BYTES", 1000)
    monkeypatch.setattr(sm, "BLOCK_BYTES", 1)
    _, large = packed(stack, tmp_path / "new")
    assert isinstance(large.day, np.memmap)
    np.testing.assert_array_equal(large.day, small.day)
    np.testing.assert_array_equal(large.labels, small.labels)
    assert large.table.equals(small.table)


def test_infinite_input_names_variable_and_date(tmp_path):
    stack = small_stack(4, 8).load()
    names = channel_names(stack, inputs=TB, statics=["elevation"])
    whole = np.ones((8, 8), bool)
    scaler = fit(stack, scaled(names), days=np.ones(4, bool), area=whole)
    stack["tb_18h"].values[2, 0, 3, 3] = np.inf
    with pytest.raises(InputError) as error:
        sm.pack(
            stack,
            channels=names,
            scaler=scaler,
            sources=["reanalysis"],
            days=np.ones(4, bool),
            visible=whole,
            labelled=whole,
            file=tmp_path / "t.npy",
        )
    assert (error.value.code, error.value.exit) == ("E-TRAIN-NAN", 3)
    assert "tb_18h on 2016-01-03" in str(error.value)


def test_hole_in_a_static_field(tmp_path):
    stack = small_stack(2, 8).load()
    stack["elevation"].values[4, 4] = np.nan
    with pytest.raises(InputError, match=r"E-TRAIN-NAN\s+elevation"):
        packed(stack, tmp_path)
    stack = small_stack(2, 8).load()
    stack["elevation"].values[0, 0] = np.nan  # at sea
    packed(stack, tmp_path)


def test_missing_labels(tmp_path):
    with pytest.raises(InputError, match="label_station"):
        packed(small_stack(2, 8).drop_vars("label_station"), tmp_path)
