"""Calibration by hand: bins, ECE, the parts of Brier's score, scalings, and when a scaling is kept."""

import math

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from frostline.clock import days
from frostline.grid import named
from frostline.schema import record
from frostline.scores import SCORES
from frostline.validate.calibration import (
    LEAST_SITES,
    NAMES,
    RELIABILITY,
    brier_reliability,
    brier_resolution,
    brier_uncertainty,
    confirmed,
    ece,
    ece_middle,
    fit_isotonic,
    fit_platt,
    fit_temperature,
    reliability,
    reliability_cells,
    scaled,
    sums_of,
    table,
)
from frostline.validate.rows import evaluate

GRID = named("N09").around(100.0, 60.0, (1, 2))
# .2 four times (one frozen), .8 four times (all frozen), 0 twice (none)
CLAIM = np.array([0.2] * 4 + [0.8] * 4 + [0.0] * 2)
FROZEN = np.array([1, 0, 0, 0] + [1] * 4 + [0] * 2, float)


def field(values, *, grid=GRID, start="2017-01-01"):
    values = np.asarray(values, np.float32)
    time = days(start, np.datetime64(start) + len(values) - 1)
    return record(values[:, None], grid=grid, time=time, overpass=[0])


def test_every_score_by_hand():
    sums = sums_of(CLAIM, FROZEN)
    claimed, frozen, count = table(sums)
    assert count.tolist() == [2, 0, 4, 0, 0, 0, 0, 0, 4, 0, 0]
    assert frozen[[0, 2, 8]].tolist() == [0, 0.25, 1] and claimed[[2, 8]] == pytest.approx([0.2, 0.8])
    assert np.isnan(claimed[1]) and np.isnan(frozen[1])
    assert ece(sums) == pytest.approx((4 * 0.05 + 4 * 0.2) / 10)
    assert ece_middle(sums) == pytest.approx((4 * 0.05 + 4 * 0.2) / 8)
    assert brier_reliability(sums) == pytest.approx((4 * 0.0025 + 4 * 0.04) / 10)
    assert brier_resolution(sums) == pytest.approx((4 * 0.0625 + 4 * 0.25 + 2 * 0.25) / 10)
    assert brier_uncertainty(sums) == 0.25
    parts = brier_reliability(sums) - brier_resolution(sums) + brier_uncertainty(sums)
    assert parts == pytest.approx(np.mean((CLAIM - FROZEN) ** 2)) == pytest.approx(0.092)


def test_edges_of_doubt_and_nothing_to_score():
    """Exactly .05 and .95 are sure; unknown is in no bin; without a cell-day a score is unknown."""
    sums = sums_of([0.05, 0.0501, 0.5, 0.9499, 0.95, np.nan, 0.3], [0, 0, 1, 1, 1, 1, np.nan])
    assert sum(sums[name] for name in NAMES["count"]) == 5
    assert sum(sums[name] for name in NAMES["count"][1:-1]) == 3
    with np.errstate(all="raise"):
        assert all(np.isnan(score(sums_of([], []))) for score in RELIABILITY.values())
        sure = sums_of([0.0, 1.0], [0, 1])
        assert ece(sure) == 0 and np.isnan(ece_middle(sure))


@given(st.integers(0, 2**32 - 1), st.integers(1, 60))
def test_sums_of_parts_add_to_those_of_the_whole(seed, many):
    rng = np.random.default_rng(seed)
    claim, frozen = rng.integers(0, 201, many) / 200, rng.integers(0, 2, many).astype(float)
    half = len(claim) // 2
    one, two = sums_of(claim[:half], frozen[:half]), sums_of(claim[half:], frozen[half:])
    whole = sums_of(claim, frozen)
    assert all(whole[name] == pytest.approx(one[name] + two[name]) for name in whole)
    assert 0 <= ece(whole) <= 1
    assert ece(whole) ** 2 <= brier_reliability(whole) + 1e-12  # the mean of squares is no less than that of the mean


def test_daily_sums_and_sums_of_cells_hold_the_same_cell_days():
    rng = np.random.default_rng(0)
    p = rng.random((30, 1, 2)).astype(np.float32)
    claim, truth = field(p)["frozen"], field(rng.random(p.shape) < p)["frozen"]
    claim[3, 0, 0, 1] = np.nan
    masks = {"all": np.ones((1, 2), bool), "west": np.array([[True, False]]), "none": np.zeros((1, 2), bool)}
    daily, cells = reliability(claim, truth, strata=masks), reliability_cells(claim, truth)
    assert dict(daily.sizes) == {"time": 30, "overpass": 1, "stratum": 3}
    for stratum, at in (("all", slice(None)), ("west", slice(0, 1)), ("none", slice(0, 0))):
        known = np.isfinite(claim.values[..., at])
        wanted = sums_of(claim.values[..., at][known], truth.values[..., at][known])
        found = daily.sel(stratum=stratum).sum("time").isel(overpass=0)
        assert all(float(found[name]) == pytest.approx(value) for name, value in wanted.items())
    assert all(float(cells[n].sum()) == pytest.approx(float(daily[n].sel(stratum="all").sum())) for n in cells)
    double = reliability(claim, truth, weights=np.full((1, 2), 2.0), strata=masks)
    assert float(double["claimed_in_bin_05"].sum()) == pytest.approx(2 * float(daily["claimed_in_bin_05"].sum()))


def test_rows_of_scores_json_hold_them_with_interval_and_n():
    """40 days of two cells: one says .2 and is right in one of four, the other .8 and is always right."""
    claim = field(np.tile([[[0.2, 0.8]]], (40, 1, 1)))
    truth = field(np.stack([[[float(d % 4 == 0), 1.0]] for d in range(40)]))
    where = {"heldout": xr.DataArray(np.ones(40, bool), {"time": claim["time"].values}, ("time",))}
    sites = xr.Dataset({"frozen": truth["frozen"].isel(y=0).rename(x="site").drop_vars(["site", "y"], errors="ignore")})
    lon, lat = GRID.lonlat()
    sites = sites.assign_coords(lon=("site", lon[0]), lat=("site", lat[0])).drop_vars("spatial_ref", errors="ignore")
    rows = evaluate({"unet": claim}, {"truth": truth, "stations": sites}, days=where, scores=SCORES | RELIABILITY)
    for against in ("truth", "stations"):
        found = {r["score"]: r for r in rows if r["stratum"] == "all" and r["against"] == against}
        assert found["ece"]["value"] == pytest.approx((0.05 + 0.2) / 2)
        assert found["brier_reliability"]["value"] == pytest.approx((0.0025 + 0.04) / 2)
        assert found["brier_resolution"]["value"] == pytest.approx(0.375**2)  # .25 and 1 about .625
        assert found["ece_middle"]["n"] == 80 == found["ece"]["n"]
        for score in RELIABILITY:
            assert found[score]["lo"] <= found[score]["value"] <= found[score]["hi"]
    assert not {r["score"] for r in evaluate({"a": claim}, {"truth": truth}, days=where)} & set(RELIABILITY)


def test_a_sure_record_has_no_doubt_to_score():
    claim = field(np.tile([[[0.0, 1.0]]], (12, 1, 1)))
    where = {"heldout": xr.DataArray(np.ones(12, bool), {"time": claim["time"].values}, ("time",))}
    rows = evaluate({"a": claim}, {"truth": claim}, days=where, scores=SCORES | RELIABILITY)
    found = {r["score"]: r for r in rows if r["stratum"] == "all"}
    assert found["ece"]["value"] == 0 and found["ece_middle"]["n"] == 0
    assert math.isnan(found["ece_middle"]["value"]) and math.isnan(found["ece_middle"]["lo"])


def test_temperature():
    """Odds of 9 that come true as 3 are divided by 2 in the logarithm; order and .5 stay."""
    hot = fit_temperature([0.9] * 4 + [0.1] * 4, [1, 1, 1, 0, 0, 0, 0, 1])
    assert hot["temperature"] == pytest.approx(2, abs=1e-4)
    assert scaled(hot, [0.9, 0.1, 0.5, np.nan])[:3] == pytest.approx([0.75, 0.25, 0.5], abs=1e-4)
    assert np.isnan(scaled(hot, [np.nan])).all()
    cold = fit_temperature([0.75] * 10 + [0.25] * 10, [1] * 9 + [0] + [0] * 9 + [1])
    assert cold["temperature"] == pytest.approx(0.5, abs=1e-4)
    assert (np.diff(scaled(cold, np.linspace(0, 1, 201))) >= 0).all()
    assert fit_temperature([0.9, 0.8], [1, 1])["temperature"] == 1  # one class tells nothing
    assert fit_temperature([], [])["temperature"] == 1
    assert scaled({"method": "temperature", "temperature": 1.0}, [0.0, 1.0]).tolist() == [0, 1]


def test_isotonic():
    found = fit_isotonic([0.1, 0.2, 0.3, 0.4, 0.4, np.nan], [0, 1, 0, 1, 0, 1])
    # .4 holds one of two; 1, 0 and that .5 pool to .5
    assert found["claimed"] == [0.1, 0.2, 0.4] and found["becomes"] == [0, 0.5, 0.5]
    assert scaled(found, [0.0, 0.15, 0.3, 0.9]) == pytest.approx([0, 0.25, 0.5, 0.5])
    assert scaled(fit_isotonic([], []), [0.3]) == pytest.approx([0.3])
    assert fit_isotonic([0.3], [1])["becomes"] == [1]


@given(st.integers(0, 2**32 - 1), st.integers(1, 60))
def test_isotonic_rises_and_keeps_the_mean(seed, many):
    rng = np.random.default_rng(seed)
    claim, frozen = rng.integers(0, 21, many) / 20, rng.integers(0, 2, many).astype(float)
    made = scaled(fit_isotonic(claim, frozen), claim)
    assert made.mean() == pytest.approx(frozen.mean(), abs=1e-5)
    assert (np.diff(made[np.argsort(claim, kind="stable")]) >= -1e-6).all()


def test_platt():
    found = fit_platt([0.9] * 28 + [0.1] * 4, [1] * 27 + [0] + [1, 0, 0, 0])
    assert (found["slope"], found["shift"]) == pytest.approx((1, np.log(3)), abs=1e-4)
    assert scaled(found, [0.9, 0.1, 0.5]) == pytest.approx([27 / 28, 0.25, 0.75], abs=1e-4)
    assert np.isnan(scaled(found, [np.nan])).all()
    assert fit_platt([0.9, 0.8], [1, 1]) == fit_platt([], []) == {"method": "platt", "slope": 1.0, "shift": 0.0}
    alone = fit_platt([0.5] * 4, [1, 1, 1, 0])  # tells the shift alone
    assert (alone["slope"], alone["shift"]) == pytest.approx((1, np.log(3)), abs=1e-3)


@given(st.integers(0, 2**32 - 1), st.integers(20, 200))
def test_platt_keeps_the_mean(seed, many):
    rng = np.random.default_rng(seed)
    claim = rng.integers(1, 20, many) / 20
    frozen = (rng.random(many) < 0.2 + 0.6 * claim).astype(float)
    if 0 < frozen.sum() < many:
        assert scaled(fit_platt(claim, frozen), claim).mean() == pytest.approx(frozen.mean(), abs=1e-3)


def worlds(sites, *, truth_of):
    """400 days at some stations of claims of .1 and .9; `truth_of(site)` is how often .9 comes true."""
    rng = np.random.default_rng(1)
    claim = np.where(rng.random((400, sites)) < 0.5, 0.9, 0.1)
    right = np.array([truth_of(site) for site in range(sites)])
    return claim, np.where(rng.random(claim.shape) < right, claim > 0.5, claim < 0.5).astype(float)


def test_a_scaling_is_kept_where_stations_that_did_not_fit_it_gain():
    for fit in (fit_temperature, fit_platt, fit_isotonic):
        sure = confirmed(fit, *worlds(12, truth_of=lambda site: 0.7))
        # squares of .1 and .9 cost .3 x .81 + .7 x .01 = .25, of .7 and .3 .21
        assert sure["holds"] and sure["gain"] == pytest.approx(0.04, abs=0.01) and 0 < sure["lower"] < sure["gain"]
        assert (sure["sites"], sure["n"]) == (12, 4800)
        right = confirmed(fit, *worlds(12, truth_of=lambda site: 0.9))
        assert not right["holds"] and right["gain"] == pytest.approx(0, abs=0.002)
        # one station of twelve is badly off and turns the fit: the others lose by it
        one = confirmed(fit, *worlds(12, truth_of=lambda site: 0.1 if site == 0 else 0.92))
        assert not one["holds"]


def test_few_stations_confirm_nothing():
    claim, frozen = worlds(LEAST_SITES - 1, truth_of=lambda site: 0.7)
    few = confirmed(fit_temperature, claim, frozen)
    assert few == {"holds": False, "gain": None, "lower": None, "sites": LEAST_SITES - 1, "n": claim.size}
    silent = np.full((10, 8), np.nan)
    assert confirmed(fit_temperature, silent, silent)["sites"] == 0
