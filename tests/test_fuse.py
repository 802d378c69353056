"""Whole records fused: quality, age, days, chunks, missing, faults; and the posterior of collocated classes."""

import itertools

import numpy as np
import pytest
import xarray as xr

from frostline.errors import ConfigError, InputError
from frostline.fuse import NOBODY, fuse, fuse_ctc
from frostline.grid import named
from frostline.schema import QUALITY, RECORD, check
from fuse_records import GRID, NAN, a_record, first


def test_a_fused_record_is_a_record():
    one = a_record([0.9, 0.8, NAN, 0.3], quality=None)
    out = fuse({"smap net": one, "esdr": a_record([0.6, 0.1, 0.2, NAN])}, rule="maxconf")
    assert out["frozen"].chunks is not None  # nothing is read yet
    out = check(out.load(), RECORD)
    assert first(out, "frozen") == pytest.approx([0.9, 0.1, 0.2, 0.3], abs=1e-7)
    assert first(out, "winner").tolist() == [0, 1, 1, 0]
    assert first(out, "agreement").tolist() == [1, 0, NOBODY, NOBODY]
    assert out["winner"].attrs["flag_meanings"] == "smap_net esdr" and out.attrs["fusion_rule"] == "maxconf"
    assert {out[n].dtype.str for n in ("quality", "age", "agreement", "winner")} == {"<u2", "|u1"}


def test_quality_and_age_come_from_those_who_were_used():
    shape = (5, 1, *GRID.shape)

    def plane(values, kind):
        return np.broadcast_to(np.array(values, kind)[:, None, None, None], shape).copy()

    gap, water, away = (QUALITY[n] for n in ("gap_filled", "open_water", "outside_domain"))
    low, lost = QUALITY["low_confidence"], QUALITY["input_missing"]
    flags = plane([gap | low, 0, away | gap, 65535, 0], np.uint16), plane([water, gap, 0, gap, gap], np.uint16)
    ages = plane([3, 0, 255, 255, 0], np.uint8), plane([1, 2, 255, 1, 4], np.uint8)
    one = a_record([0.9, 0.9, NAN, NAN, 0.9], quality=flags[0], age=ages[0])
    two = a_record([0.45, 0.05, NAN, 0.55, 0.7], quality=flags[1], age=ages[1])
    best = fuse([one, two], rule="maxconf").load()
    assert first(best, "quality").tolist() == [gap | water, gap, away, gap | low, 0]
    assert first(best, "age").tolist() == [3, 2, 255, 1, 0]
    mean = fuse([one, two], rule="pool", low_confidence=0.0).load()
    assert first(mean, "quality").tolist() == [gap | water, gap, away, gap, gap]
    assert first(mean, "age").tolist() == [3, 2, 255, 1, 4]
    strict = fuse([one, two], rule="literal3").load()
    assert first(strict, "quality").tolist() == [gap | water, gap, away, lost, 0]


def test_days_join_and_overpasses_meet():
    early = a_record([0.2, 0.3], start="2016-01-01", passes=(0, 1))
    late = a_record([0.9, 0.8], start="2016-01-02", passes=(1,))
    out = fuse({"early": early, "late": late}, rule="maxconf").load()
    assert out["overpass"].values.tolist() == [1] and out.sizes["time"] == 3
    assert first(out, "frozen") == pytest.approx([0.2, 0.9, 0.8], abs=1e-7)
    assert first(out, "agreement").tolist() == [NOBODY, 0, NOBODY]
    with pytest.raises(InputError, match="no overpass is common"):
        fuse([a_record([0.2]), late])


@pytest.mark.parametrize("rule", ["literal3", "maxconf", "pool", "ctc"])
def test_any_chunks_give_the_same(rule):
    draw = np.random.default_rng(3)
    shape = (23, 2, *GRID.shape)
    values = [np.where(draw.random(shape) < 0.2, NAN, draw.random(shape)).astype(np.float32) for _ in range(3)]
    whole = {n: a_record(v, passes=(0, 1)) for n, v in zip("abc", values, strict=True)}
    cut = {n: ds.chunk(time=t, y=1) for (n, ds), t in zip(whole.items(), (1, 7, 23), strict=True)}

    def made(records):
        if rule == "ctc":
            psi = xr.DataArray(np.linspace(0.7, 0.9, 6).reshape(GRID.shape), dims=("y", "x"))
            return fuse_ctc(records, b=-0.2, psi=[0.9, psi, 0.8], eta=[0.8, 0.7, 0.95])
        return fuse(records, rule=rule)

    xr.testing.assert_identical(made(whole).load(), made(cut).load())
    xr.testing.assert_identical(
        made(whole).load().isel(time=[4]), made({n: r.isel(time=[4]) for n, r in cut.items()}).load()
    )


def test_missing_is_a_class_where_its_score_is_given():
    """Scores .5, .1, .4 are F; .2, .2, .6 are missing with .6, which beats .5: vector 4 as a record."""
    one = a_record([0.5 / 0.6, 0.5 / 0.6])
    two = a_record([0.5, 0.7])
    score = {"one": xr.full_like(one["frozen"], 0.4), "two": xr.full_like(two["frozen"], 0.6)}
    strict = fuse({"one": one, "two": two}, rule="literal3", missing=score).load()
    assert np.isnan(strict["frozen"]).all() and (strict["winner"] == 1).all()
    loose = fuse({"one": one, "two": two}, rule="maxconf", missing=score).load()
    assert first(loose, "frozen") == pytest.approx([0.5 / 0.6] * 2) and (loose["agreement"] == NOBODY).all()
    half = fuse({"one": one, "two": two}, rule="literal3", missing={"one": score["one"]}).load()
    assert first(half, "winner").tolist() == [0, 1]  # .5 = .5 goes to the first, .7 wins


def test_what_does_not_fit_is_one_line():
    elsewhere = a_record([0.5], grid=named("M09").around(90.0, 35.0, (2, 3)))
    bare = a_record([0.5]).drop_vars("frozen")
    with pytest.raises(InputError) as told:
        fuse({"a": a_record([0.5]), "b": elsewhere, "c": bare})
    assert told.value.code == "E-INPUT-GRID" and "b lies on" in str(told.value) and "c: variable" in str(told.value)
    with pytest.raises(InputError, match="not one record"):
        fuse({})
    codes = a_record([0.5]).map(lambda v: v + 252)
    with pytest.raises(InputError, match=r"record2: a probability.*outside \[0, 1\]"):
        fuse([a_record([0.5]), codes]).load()
    pair = {"a": a_record([0.5]), "b": a_record([0.5])}
    for options, cause in (
        ({"rule": "vote"}, "rule 'vote'"),
        ({"rule": "maxconf", "weights": {"a": 1, "b": 1}}, "weights say nothing"),
        ({"weights": {"a": 1}}, "1 values"),
        ({"weights": {"a": 0, "b": 0}}, "weights of"),
        ({"weights": {"a": -1, "b": 2}}, "weights of"),
        ({"priority": ["c"]}, "no record 'c'"),
        ({"missing": {"c": pair["a"]["frozen"]}}, "no record 'c'"),
    ):
        with pytest.raises(ConfigError, match=cause):
            fuse(pair, **options)


def test_equal_confidence_on_disk_is_a_tie():
    """Codes 141 and 59 of 200 are .705 and .295: their float32 distances from .5 differ in the last digit."""
    one, two = a_record(np.arange(101, 200) / 200), a_record(np.arange(99, 0, -1) / 200)
    for ahead, priority in ((0, ()), (1, ("record2",))):
        out = fuse([one, two], rule="maxconf", priority=priority).load()
        assert (out["winner"] == ahead).all() and ((out["frozen"] > 0.5) == (ahead == 0)).all()
        out = fuse([one, two], rule="pool", priority=priority).load()
        assert (out["frozen"] == 0.5).all() and (out["winner"] == ahead).all() and (out["agreement"] == 0).all()


def test_ctc_by_hand():
    """b = 0, psi = (.9, .8), eta = (.9, .6): F and T give odds .9/.1 x .2/.6 = 3, so .75; F and F 9 x 2 = 18."""
    out = fuse_ctc([a_record([1, 1, NAN, NAN]), a_record([0, 1, 0, NAN])], b=0, psi=[0.9, 0.8], eta=[0.9, 0.6]).load()
    assert first(out, "frozen") == pytest.approx([0.75, 18 / 19, 0.25, NAN], abs=1e-6, nan_ok=True)
    assert first(out, "winner").tolist() == [0, 0, 1, NOBODY]
    tilted = fuse_ctc([a_record([1])], b=-0.5, psi=[0.9], eta=[0.9]).load()  # odds 9 x .25/.75 = 3
    assert first(tilted, "frozen") == pytest.approx([0.75], abs=1e-6)
    sure = fuse_ctc([a_record([1])], b=0, psi=[1.2], eta=[1.0]).load()  # clipped to .999: odds 999
    assert first(sure, "frozen") == pytest.approx([0.999], abs=1e-6)
    split = fuse_ctc([a_record([1, 0.5]), a_record([0.5, 0.5])], b=0, psi=[0.9, 0.8], eta=[0.9, 0.8]).load()
    assert first(split, "frozen") == pytest.approx([0.9, NAN], abs=1e-6, nan_ok=True)  # .5 is no class
    # nothing is made up of a prior alone, nor of a number that collocation did not find
    for b, psi in ((0.0, NAN), (NAN, 0.9)):
        assert np.isnan(fuse_ctc([a_record([1])], b=b, psi=[psi], eta=[0.9])["frozen"].values).all()
    with pytest.raises(ConfigError, match="1 values"):
        fuse_ctc([a_record([1]), a_record([1])], b=0, psi=[0.9], eta=[0.9, 0.9])
    with pytest.raises(InputError, match="a map of"):
        fuse_ctc([a_record([1])], b=xr.DataArray(np.zeros(5), dims="y"), psi=[0.9], eta=[0.9])


def test_ctc_takes_maps_by_cell_and_overpass():
    """As by hand above, but psi of the second differs by overpass and b is unknown in one cell."""
    two = {"a": a_record([1], passes=(0, 1)), "b": a_record([0], passes=(0, 1))}
    psi = xr.DataArray([0.8, 0.2], {"overpass": [0, 1]}, "overpass")  # odds of F: 9 x .2/.6 and 9 x .8/.6
    b = xr.DataArray(np.zeros(GRID.shape), dims=("y", "x"))
    b[1, 2] = NAN
    out = fuse_ctc(two, b=b, psi={"b": psi, "a": 0.9}, eta=[0.9, 0.6])["frozen"].load()[0]
    assert out[:, 0, 0].values == pytest.approx([0.75, 12 / 13], abs=1e-6)
    assert np.isnan(out[:, 1, 2]).all() and int(np.isnan(out).sum()) == 2


def simulated(b, psi, eta, n, seed):
    """Truth (n,) bool and classes (records, n) of independent errors."""
    draw = np.random.default_rng(seed)
    frozen = draw.random(n) < (1 + b) / 2
    right = np.where(frozen, np.array(psi)[:, None], np.array(eta)[:, None])
    return frozen, np.where(draw.random(right.shape) < right, frozen, ~frozen)


def collocated(x):
    """b, psi, eta by the closed form, written out here once more from its derivation (Jaffe et al. 2015)."""
    x = np.where(x, 1.0, -1.0)
    mu = x.mean(axis=1)
    d = x - mu[:, None]
    q = d @ d.T / x.shape[1]
    v = np.sqrt([q[0, 1] * q[0, 2] / q[1, 2], q[0, 1] * q[1, 2] / q[0, 2], q[0, 2] * q[1, 2] / q[0, 1]])
    alpha = d.prod(axis=0).mean() / v.prod()
    b = -alpha / np.sqrt(4 + alpha**2)
    ratio = np.sqrt((1 - b) / (1 + b))
    return b, (1 + mu + v * ratio) / 2, (1 - mu + v / ratio) / 2


def accuracies(b, psi, eta, truth, x):
    """Share right of the posterior, of the majority and of each record."""
    # samples are days of a record of one row
    grid = named("M09").around(100.0, 35.0, (1, 1))
    made = [a_record(row.astype(float)[:, None, None, None], grid=grid) for row in x]
    out = first(fuse_ctc(made, b=b, psi=psi, eta=eta).load(), "frozen") > 0.5
    return (out == truth).mean(), ((x.sum(axis=0) > 1) == truth).mean(), (x == truth).mean(axis=1)


def test_ctc_beats_majority_and_the_best_without_labels():
    """Errors of very unequal products; over the eight cells exactly: posterior .96813, best .964, majority .95736."""
    b, psi, eta = -0.6, (0.9, 0.85, 0.75), (0.98, 0.85, 0.8)
    exact = np.zeros(2)
    for cell in itertools.product([False, True], repeat=3):
        frozen = 0.2 * np.prod([s if c else 1 - s for s, c in zip(psi, cell, strict=True)])
        thawed = 0.8 * np.prod([1 - e if c else e for e, c in zip(eta, cell, strict=True)])
        exact += max(frozen, thawed), frozen if sum(cell) > 1 else thawed
    assert exact == pytest.approx([0.96813, 0.95736], abs=1e-5)
    truth, x = simulated(b, psi, eta, 5000, seed=1)
    fused, majority, single = accuracies(*collocated(x), truth, x)
    assert fused > single.max() > majority
    assert fused == pytest.approx(exact[0], abs=3 * np.sqrt(0.968 * 0.032 / 5000))


def test_ctc_is_the_majority_where_accuracies_are_alike():
    b, psi, eta = -0.4, (0.95, 0.9, 0.85), (0.92, 0.97, 0.88)  # vector B of collocation
    truth, x = simulated(b, psi, eta, 5000, seed=2)
    fused, majority, _ = accuracies(*collocated(x), truth, x)
    assert fused == majority
