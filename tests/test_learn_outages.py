"""Instruments that fail whole: what dropout takes away, what the flags say, and what a net taught so can still do."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from frostline.config_north import Instrument
from frostline.errors import ConfigError
from frostline.learn.channels import channel_names, day_fields, scaled, split_names
from frostline.learn.outages import instrument, silence, withheld
from frostline.learn.predict import predict
from frostline.learn.scale import fit
from frostline.learn.train import train
from frostline.schema import INSTRUMENTS, QUALITY
from learn_stack import TB, small_stack, split

AMSR2 = [f"{kind}{name}" for kind in ("", "previous:") for name in TB[2:]] + [
    f"{kind}:tb_{f}" for kind in ("valid", "age") for f in (18, 36)
]
SMAP = [f"{kind}{name}" for kind in ("", "previous:") for name in TB[:2]] + ["valid:tb_1", "age:tb_1"]


def encoded(stack, inputs=TB):
    """Every channel of every day, with all kinds of them, and their names."""
    names = channel_names(stack, inputs=inputs, statics=["elevation"], extras=["previous_day"])
    whole = np.ones((stack.sizes["y"], stack.sizes["x"]), bool)
    scaler = fit(stack, scaled(names), days=np.ones(stack.sizes["time"], bool), area=whole)
    return day_fields(stack, np.arange(stack.sizes["time"]), names, scaler), split_names(names)[0], names, scaler


def test_the_experiment_file_names_the_instruments_of_the_schema():
    assert set(Instrument.__args__) == set(INSTRUMENTS)
    assert {f"{who}_missing" for who in INSTRUMENTS} < set(QUALITY)


def test_all_of_an_instrument_goes_and_nothing_else():
    """Dropout gives the very channels that a stack gives in which the instrument has failed."""
    stack = small_stack(4, 8).load()
    fields, daily, names, scaler = encoded(stack)
    assert {n for n in daily if instrument(n) == "amsr2"} == set(AMSR2)
    assert {n for n in daily if instrument(n) == "smap"} == set(SMAP)
    failed = {
        who: day_fields(withheld(stack, [who]), np.arange(4), names, scaler).reshape(8, len(daily), 8, 8)
        for who in INSTRUMENTS
    }
    x = fields.reshape(8, len(daily), 8, 8).copy()
    full = np.concatenate([x, np.ones((8, 3, 8, 8), "float32")], axis=1)  # place and flags follow
    silence(full, daily, share=1.0, rng=np.random.default_rng(1))
    np.testing.assert_array_equal(full[:, len(daily) :], 1)
    drawn = []
    for k, got in enumerate(full[:, : len(daily)]):
        same = [who for who in INSTRUMENTS if np.array_equal(got, failed[who][k])]
        assert len(same) == 1
        drawn += same
    assert set(drawn) == set(INSTRUMENTS)  # both occur; by chance they would not in one of 128 seeds


@given(st.floats(0, 1), st.integers(0, 99), st.integers(1, 12))
def test_no_sample_loses_all_and_the_draws_come_back(share, seed, n):
    names = ["tb_1v", "tb_18v", "valid:tb_1", "valid:tb_18"]
    x = np.ones((n, 4, 2, 2), "float32")
    x[::3, [0, 2]] = 0  # SMAP has failed already
    one, two = x.copy(), x.copy()
    silence(one, names, share=share, rng=np.random.default_rng(seed))
    silence(two, names, share=share, rng=np.random.default_rng(seed))
    np.testing.assert_array_equal(one, two)
    assert one[:, 2:].any(axis=(1, 2, 3)).all()
    np.testing.assert_array_equal(one[::3], x[::3])


def test_how_many_samples_and_which_instrument():
    x = np.ones((4000, 4, 1, 1), "float32")
    silence(x, ["tb_1v", "tb_36v", "valid:tb_1", "valid:tb_36"], share=0.3, rng=np.random.default_rng(3))
    smap, amsr2 = (x[:, k, 0, 0] == 0 for k in (0, 1))
    # binomial: 4000 x 0.15 = 600, sd 22.6
    assert 510 < smap.sum() < 690
    assert 510 < amsr2.sum() < 690
    assert not (smap & amsr2).any()


def test_a_net_of_one_instrument_loses_none():
    x = np.ones((50, 3, 2, 2), "float32")
    silence(x, ["tb_36v", "tb_36h", "valid:tb_36"], share=1.0, rng=np.random.default_rng(0))
    assert x.all()
    silence(x, ["elevation"], share=1.0, rng=np.random.default_rng(0))
    assert x.all()


def test_strange_instruments_are_refused():
    with pytest.raises(ConfigError, match="esa"):
        withheld(small_stack(2, 4), ["esa"])


@pytest.fixture(scope="module")
def stack():
    """SMAP and AMSR2 each tell the truth with some noise, but their difference tells it exactly.

    A net that never met a failure relies on the difference, which is nothing without either.
    """
    stack = small_stack(60, 8, gaps=0.0).load()
    r = np.random.default_rng(5)
    truth = stack["truth"].values
    haze = r.normal(0, 8, truth.shape)
    for name, signal, shared, noise in (
        ("tb_1v", 20, 1, 0),
        ("tb_18v", 0, 1, 0),
        ("tb_1h", 14, 0, 14),
        ("tb_36h", 14, 0, 14),
        ("tb_18h", 0, 0, 5),
        ("tb_36v", 0, 0, 5),
    ):
        stack[name].values[:] = 230 + signal * (1 - truth) + shared * haze + noise * r.normal(0, 1, truth.shape)
    return stack


def right(checkpoint, stack, without=()):
    """Share of cell-days after the taught ones that are right, and their flags."""
    good, flags = [], []
    wanted = np.arange(60) >= 48
    for part, code, p, quality, _ in predict(checkpoint, stack, days=wanted, device="cpu", without=without):
        known = np.isfinite(p)
        good.append(((p > 0.5) == (stack["truth"].values[part, code] > 0.5))[known])
        flags.append(quality[known])
    return np.concatenate(good).mean(), np.concatenate(flags)


def taught(stack, place, share):
    whole = np.ones((8, 8), bool)
    return train(
        stack,
        inputs=TB,
        statics=[],
        days=split(60, (0, 38), (39, 47)),
        area=whole,
        validation_area=whole,
        net_options={"width": 6, "depth": 1, "dropout": 0.0},
        epochs=6,
        batch=8,
        crop=8,
        learning_rate=1e-2,
        sensor_dropout=share,
        device="cpu",
        work_dir=place,
    )


@pytest.fixture(scope="module")
def hardened(stack, tmp_path_factory):
    return taught(stack, tmp_path_factory.mktemp("hardened"), 0.4)


def test_a_net_that_met_failures_serves_without_either(stack, hardened, tmp_path):
    plain = taught(stack, tmp_path, 0.0)
    assert right(hardened, stack)[0] > 0.95
    for who, other in (("smap", "amsr2"), ("amsr2", "smap")):
        share, flags = right(hardened, stack, [who])
        assert share > 0.9
        assert (flags & QUALITY[f"{who}_missing"] > 0).all()
        assert not (flags & QUALITY[f"{other}_missing"]).any()
    assert right(plain, stack)[0] > 0.9
    assert right(plain, stack, ["smap"])[0] < 0.8
    assert hardened.provenance["sensor_dropout"] == 0.4


def test_flags_where_a_sensor_is_missing_and_only_there(stack, hardened):
    stack = stack.copy(deep=True)
    for name in TB[:2]:
        stack[name].values[50, 0, 3, 4] = np.nan
    for name in TB[2:]:
        stack[name].values[51, 1, 5, 6] = np.nan
    stack["tb_18v"].values[52, 0, 7, 7] = np.nan  # 36 GHz is left of AMSR2
    for name in TB:
        stack[name].values[53, 0, 7, 6] = np.nan  # nothing is left: no answer, so neither flag
    stack["tb_1h"].values[54, 1, 2, 2] = np.nan  # one polarization alone does not count
    found = {}
    for part, code, p, quality, _ in predict(hardened, stack, days=np.arange(60) >= 48, device="cpu"):
        for flag in ("smap_missing", "amsr2_missing", "input_missing"):
            for day, y, x in np.argwhere(quality & QUALITY[flag] > 0):
                found.setdefault(flag, []).append((part.start + int(day), code, int(y), int(x)))
                assert np.isnan(p[day, y, x]) == (flag == "input_missing")
    assert found == {
        "smap_missing": [(50, 0, 3, 4), (54, 1, 2, 2)],
        "amsr2_missing": [(51, 1, 5, 6)],
        "input_missing": [(53, 0, 7, 6)],
    }
