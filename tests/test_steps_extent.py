"""What the seasonal figures show, on records short enough to count."""

import numpy as np
import pytest
import xarray as xr

from frostline.clock import days
from frostline.grid import Grid, named
from frostline.schema import record
from frostline.steps.extent import annual, daily_extent

GRID = named("N09").around(100.0, 60.0, (1, 3))
LAND = np.array([[True, True, False]])


def made(lengths, *, less=0, end="07-31"):
    """Frozen from 1 November for so many days of each winter from 2015 on, `less` fewer at PM; column 1 ten more."""
    times = days("2015-08-01", f"{2015 + len(lengths)}-{end}")
    field = np.zeros((len(times), 2, *GRID.shape), np.float32)
    for year, length in enumerate(lengths, 2015):
        since = (times.astype("datetime64[D]") - np.datetime64(f"{year}-11-01")).astype(int)
        for code, column in np.ndindex(2, 3):
            field[(since >= 0) & (since < length + 10 * (column == 1) - less * code), code, 0, column] = 1
    return record(field, grid=GRID, time=times, overpass=[0, 1])


def test_mean_and_spread_of_annual_days():
    """100, 110 and 120 days: mean 110, sd 10; a year that the record breaks off does not count."""
    found = annual(made([100, 110, 120], less=20, end="09-30"), GRID, LAND)
    assert found["mean"].values[:, 0, :2].tolist() == [[110, 120], [90, 100]]
    assert found["sd"].values[:, 0, :2].tolist() == [[10, 10], [10, 10]]
    assert np.isnan(found["mean"].values[..., 2]).all() and found["years"].values[0, 0].tolist() == [3, 3, 0]
    assert found.attrs["frost_years"] == [2015, 2016, 2017]
    gap = found["am_minus_pm"]
    assert gap.values[0, :2].tolist() == [20, 20] and np.isnan(gap.values[0, 2])
    assert (gap.attrs["mean_absolute"], gap.attrs["sd_absolute"], gap.attrs["am_longer"]) == (20, 0, 1)
    assert gap.attrs["cells"] == 2 and Grid.of(found) == GRID


def test_am_minus_pm_is_over_the_years_that_know_both():
    """PM of the first winter is lost: 10 days more at AM in the second, not 110 less 110."""
    ds = made([100, 120], less=10)
    ds["frozen"][dict(time=slice(0, 366), overpass=1)] = np.nan
    found = annual(ds, GRID, LAND)
    assert found["am_minus_pm"].values[0, 0] == 10 and found["years"].values[:, 0, 0].tolist() == [2, 1]
    assert found["mean"].values[:, 0, 0].tolist() == [110, 110]
    assert np.isnan(found["sd"].values[1, 0, 0]) and found["sd"].values[0, 0, 0] == pytest.approx(np.sqrt(200))


def test_without_a_whole_year_nothing_is_told():
    ds = made([100]).isel(time=slice(0, 200))
    found = annual(ds, GRID, LAND)
    assert np.isnan(found["mean"]).all() and found.attrs["frost_years"] == []
    assert found["am_minus_pm"].attrs["cells"] == 0 and np.isnan(found["am_minus_pm"].attrs["mean_absolute"])
    assert "am_minus_pm" not in annual(ds.sel(overpass=[0]), GRID, LAND)


def test_extent_by_day_and_by_day_of_the_year():
    """Two cells of land. On 9 February (day 40) the first two winters have frozen 50 and 100 % of it."""
    found = daily_extent(made([101, 91, 101]), GRID, LAND)
    cell = GRID.step**2 / 1e6
    assert found.attrs["land_km2"] == pytest.approx(2 * cell) and found.attrs["overpasses"] == ["am", "pm"]
    day = found.sel(time="2017-02-09", overpass=0)  # 100 days after 1 November: column 1 has its 101st
    assert day["frozen"] == pytest.approx(cell) and day["frozen_share"] == 50 and day["unknown"] == 0
    assert found.sel(time="2016-02-09", overpass=0)["thawed"] == 0
    ninth = found.sel(dayofyear=40, overpass=0)
    assert ninth["years"] == 3 and ninth["frozen_share_mean"] == pytest.approx(250 / 3)
    assert ninth["frozen_share_sd"] == pytest.approx(np.std([100, 50, 100], ddof=1))
    assert ninth["frozen_mean"] + ninth["thawed_mean"] == pytest.approx(2 * cell)
    spread = found["frozen_share_sd"].attrs
    assert spread["at_maximum"] == [0, 0] and spread["in_transition"][0] == pytest.approx(np.std([100, 50, 50], ddof=1))


def test_leap_days_have_a_place_of_their_own_and_one_year_no_spread():
    found = daily_extent(made([100, 100, 100]), GRID, LAND)
    leap = found.sel(dayofyear=60, overpass=0)
    assert leap["years"] == 1 and np.isnan(leap["frozen_share_sd"]) and leap["frozen_share_mean"] == 0
    assert found.sel(dayofyear=61, overpass=0)["years"] == 3


def test_a_day_mostly_unknown_has_no_share():
    ds = made([100, 100])
    ds["frozen"][dict(time=100, x=[0, 1])] = np.nan
    ds["frozen"][dict(time=101, x=0)] = np.nan
    found = daily_extent(ds, GRID, LAND).isel(overpass=0)
    assert np.isnan(found["frozen_share"][100]) and found["unknown"][100] == pytest.approx(found.attrs["land_km2"])
    assert found["frozen_share"][101] == 100  # half is known, all of it frozen
    nothing = daily_extent(ds.assign(frozen=ds["frozen"] * np.nan), GRID, LAND)
    assert np.isnan(nothing["frozen_share_mean"]).all()
    assert np.isnan(nothing["frozen_share_sd"].attrs["at_maximum"]).all()


def test_years_are_worked_on_one_at_a_time(monkeypatch):
    import frostline.season

    asked = []
    original = frostline.season.one_year
    monkeypatch.setattr(
        "frostline.season.one_year", lambda part, **o: asked.append(part.sizes["time"]) or original(part, **o)
    )
    found = annual(made([100, 110, 120]).chunk(time=50), GRID, LAND)
    assert asked == [366, 365, 365] and isinstance(found, xr.Dataset)
