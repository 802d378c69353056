"""Patterns counted by hand, sums that add, and what persistent samples are worth."""

import numpy as np
import pytest
import xarray as xr

from frostline.clock import days, season_china
from frostline.errors import InputError
from frostline.grid import named
from frostline.schema import record
from frostline.tally import add
from frostline.validate.moments import cell_moments, effective_samples, marginal, moments

GRID = named("M09").around(100.0, 40.0, (2, 3))
TIMES = days("2019-12-20", "2020-01-18")


def of(values, *, grid=GRID, times=TIMES, overpass=(0,)):
    """A record from (time, ...) values, repeated over what is missing of (time, overpass, y, x)."""
    values = np.asarray(values, np.float32)
    values = values.reshape(values.shape + (1,) * (4 - values.ndim))
    full = np.broadcast_to(values, (len(times), len(overpass), *grid.shape)).copy()
    return record(full, grid=grid, time=times, overpass=list(overpass))


def random_records(k=3, *, seed=0, overpass=(0, 1), times=TIMES, unknown=0.1):
    rng = np.random.default_rng(seed)
    out = {}
    for i in range(k):
        values = rng.random((len(times), len(overpass), *GRID.shape)).astype(np.float32)
        values[rng.random(values.shape) < unknown] = np.nan
        values[rng.random(values.shape) < 0.05] = 0.5
        out["abcdef"[i]] = of(values, overpass=overpass, times=times)
    return out


def test_patterns_by_hand():
    times = TIMES[:6]
    grid = GRID.window(slice(0, 1), slice(0, 1))
    said = {"a": [0.9, 0.1, 1, 0.5, np.nan, np.nan], "b": [0.8, 0.1, 0, 1, 1, np.nan], "c": [0.2, 0.1, 1, 1, 1, np.nan]}
    sums = moments({n: of(v, grid=grid, times=times) for n, v in said.items()}).isel(overpass=0, stratum=0)
    # a alone and b: 3; none: 0; a and c: 5; then a tie, one unknown, and a day that nobody knows
    assert sums["count"].sum("pattern").values.tolist() == [1, 1, 1, 0, 0, 0]
    assert sums["count"].argmax("pattern").values[:3].tolist() == [3, 0, 5]
    assert sums["dropped"].values.tolist() == [0, 0, 0, 1, 1, 0]
    assert sums["ties"].values.tolist() == [0, 0, 0, 1, 0, 0]
    assert sums["says"].sel(product="b").values.tolist() == [-1, -1, 1, 1, -1, -1, 1, 1]


def test_whole_is_the_sum_of_days_of_strata_and_of_cells(monkeypatch):
    monkeypatch.setattr("frostline.validate.match._BLOCK_VALUES", 30)  # a few days at a time
    records = random_records()
    west = np.arange(3) < 1
    masks = {"west": np.broadcast_to(west, GRID.shape), "east": np.broadcast_to(~west, GRID.shape)}
    whole = moments(records)
    parts = moments(records, strata=masks)
    for name in ("count", "dropped", "ties"):
        np.testing.assert_array_equal(parts[name].sum("stratum"), whole[name].isel(stratum=0))
    first, second = (moments(records, days=TIMES[s]) for s in (slice(0, 11), slice(11, None)))
    np.testing.assert_array_equal(add(second, first)["count"], whole["count"])
    np.testing.assert_array_equal(add(first, first)["says"], whole["says"])
    cells = cell_moments(records, by=lambda dates: np.asarray(dates, "datetime64[M]").astype(str))
    assert cells["group"].values.tolist() == ["2019-12", "2020-01"]
    assert cells["count"].dims == ("group", "overpass", "y", "x", "pattern") and cells["count"].dtype == np.int32
    np.testing.assert_array_equal(cells["count"].sum(("group", "y", "x")), whole["count"].sum("time").isel(stratum=0))
    assert int(whole["dropped"].sum()) > int(whole["ties"].sum()) > 0
    # numpy on the raw values says the same
    stack = np.stack([records[n]["frozen"].values for n in "abc"])
    usable = (~np.isnan(stack) & (stack != 0.5)).all(0)
    assert int(whole["count"].sum()) == usable.sum()
    assert int(whole["count"][..., 7].sum()) == (usable & (stack > 0.5).all(0)).sum()


def test_cell_sums_do_not_depend_on_the_blocks(monkeypatch):
    records = random_records()
    at_once = cell_moments(records)
    monkeypatch.setattr("frostline.validate.match._BLOCK_VALUES", 1)
    xr.testing.assert_equal(cell_moments(records), at_once)


def test_marginal_is_the_count_of_the_others():
    records = random_records(5, unknown=0.0)
    five = moments(records)
    three = marginal(five, ["d", "a", "c"])
    known = np.logical_and.reduce([records[n]["frozen"].values != 0.5 for n in "abcde"])
    frozen = {n: records[n]["frozen"].values > 0.5 for n in "abcde"}
    assert int(three["count"][..., 1].sum()) == (known & frozen["d"] & ~frozen["a"] & ~frozen["c"]).sum()
    assert int(three["count"].sum()) == int(five["count"].sum())
    assert three["product"].values.tolist() == ["d", "a", "c"]
    assert "pairs" not in marginal(cell_moments(records), ["a", "b", "c"])


def disagreeing(series, *, grid, times):
    """Three records of which the third leaves the others where the series is 1; NaN: nobody knows."""
    series = np.asarray(series, float)
    base = np.where(np.isnan(series), np.nan, 1.0)
    return {n: of(base - (series if n == "c" else 0), grid=grid, times=times) for n in "abc"}


def test_effective_samples_by_hand():
    """0 0 1 1 0 0 1 1: mean 1/2, variance 1/4, seven products + - + - + - + of 1/4: r1 = 1/7, 8 (6/7) / (8/7) = 6."""
    series = [0, 0, 1, 1, 0, 0, 1, 1]
    times = days("2019-07-01", "2019-07-08")
    one, two = (GRID.window(slice(0, 1), slice(0, n)) for n in (1, 2))
    for grid, n in ((one, 8), (two, 16)):  # two cells that err together are worth one
        found = effective_samples(moments(disagreeing(series, grid=grid, times=times)))
        assert int(found["n"].squeeze()) == n
        assert float(found["n_effective"].squeeze()) == pytest.approx(6.0)
        assert float(found["r1"].squeeze()) == pytest.approx(1 / 7)
    cells = effective_samples(cell_moments(disagreeing(series, grid=two, times=times)).sum("group"))
    np.testing.assert_allclose(cells["n_effective"].squeeze(), [6.0, 6.0])
    # days that nobody knows are not in the series
    gaps = [0, np.nan, 0, 1, 1, np.nan, np.nan, 0, 0, 1, 1]
    times = days("2019-07-01", "2019-07-11")
    for sums in (moments, lambda r: cell_moments(r).sum("group")):
        found = effective_samples(sums(disagreeing(gaps, grid=one, times=times)))
        assert float(found["n_effective"].squeeze()) == pytest.approx(6.0)


def test_samples_worth_nothing_or_all():
    one = GRID.window(slice(0, 1), slice(0, 1))
    times = days("2019-06-01", "2019-08-31")
    never = effective_samples(moments(disagreeing(np.zeros(92), grid=one, times=times)))
    assert np.isnan(float(never["n_effective"].squeeze()))
    turns = effective_samples(moments(disagreeing(np.arange(92) % 2, grid=one, times=times)))
    assert float(turns["n_effective"].squeeze()) == 92  # errors that alternate are worth no more than independent ones
    # a season's own share of disagreement is no persistence
    year = days("2019-01-01", "2020-12-31")
    chance = np.where(season_china(year) == "thawed", 0.0, 0.4)
    series = np.random.default_rng(0).random((len(year), 1, 1, 1)) < chance[:, None, None, None]
    seasonal = effective_samples(moments(disagreeing(series, grid=one, times=year)))
    assert float(seasonal["r1"].squeeze()) < 0.15


def at_sites(values, names):
    """Sites in the first cell, the last, and outside."""
    lon, lat = GRID.lonlat()
    lon, lat = [lon[0, 0], lon[1, 2], 10.0], [lat[0, 0], lat[1, 2], 10.0]
    return xr.Dataset(
        {"frozen": (("time", "overpass", "site"), np.asarray(values, np.float32))},
        {
            "time": TIMES,
            "overpass": np.array([0], np.int8),
            "site": names,
            "lon": ("site", lon[: len(names)]),
            "lat": ("site", lat[: len(names)]),
        },
    )


def test_all_members_may_be_sites(monkeypatch):
    monkeypatch.setattr("frostline.validate.moments._BLOCK_VALUES", 14)
    rng = np.random.default_rng(2)
    values = {n: rng.integers(0, 2, (30, 1, 2)) for n in ("soil", "air", "skin")}
    members = {n: at_sites(v, ["p", "q"]) for n, v in values.items()}
    sums = moments(members, strata={"p": [True, False]})
    only = (values["soil"] == 0) & (values["air"] == 1) & (values["skin"] == 1)
    np.testing.assert_array_equal(sums["count"].isel(stratum=0, pattern=6), only[..., 0])
    np.testing.assert_array_equal(cell_moments(members)["count"].isel(pattern=6).sum("group"), only.sum(0))
    # two of sites and one record
    record_of = random_records(1, overpass=(0,), unknown=0.0)["a"]
    mixed = moments({"soil": members["soil"], "map": record_of, "skin": members["skin"]})
    there = record_of["frozen"].values[:, :, [0, 1], [0, 2]]
    count = ((values["soil"] == 0) & (there > 0.5) & (values["skin"] == 1)).sum()
    assert int(mixed["count"].isel(pattern=6).sum()) == count


def test_sites_stand_among_records_in_their_order():
    records = random_records(2, overpass=(0,))
    values = np.random.default_rng(9).integers(0, 2, (len(TIMES), 1, 3)).astype(np.float32)
    sites = at_sites(values, ["p", "q", "r"])
    members = {"a": records["a"], "stations": sites, "b": records["b"]}
    north = np.array([[True] * 3, [False] * 3])
    sums = moments(members, strata={"all": np.ones(GRID.shape, bool), "north": north})
    a, b = (records[n]["frozen"].values[:, 0] for n in "ab")
    at = [(0, 0), (1, 2)]
    ok = [~np.isnan(a[:, r, c]) & ~np.isnan(b[:, r, c]) & (a[:, r, c] != 0.5) & (b[:, r, c] != 0.5) for r, c in at]
    assert sums["count"].sum(("time", "overpass", "pattern")).values.tolist() == [sum(map(sum, ok)), sum(ok[0])]
    only = ok[0] & (a[:, 0, 0] < 0.5) & (values[:, 0, 0] == 1) & (b[:, 0, 0] < 0.5)
    assert int(sums["count"][..., 1, 2].sum()) == only.sum()  # pattern 2: the second member alone
    by_site = cell_moments(members)
    assert by_site["count"].dims == ("group", "overpass", "site", "pattern") and "lon" in by_site.coords
    assert by_site["count"].sum(("group", "overpass", "pattern")).values.tolist() == [sum(ok[0]), sum(ok[1]), 0]


def test_what_cannot_be_collocated_is_said():
    records = random_records()
    with pytest.raises(InputError, match="2 products cannot"):
        moments({n: records[n] for n in "ab"})
    with pytest.raises(InputError, match="mask of"):
        moments(records, strata={"all": np.ones((3, 2), bool)})
    sites = at_sites(np.zeros((30, 1, 2)), ["p", "q"])
    with pytest.raises(InputError, match="other sites than s"):
        cell_moments({"a": records["a"], "s": sites, "t": sites.assign_coords(site=["p", "x"])})
