"""The long twin: what it yields and when, that it warms as told and not of itself, and what its sensors see."""

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

from frostline.clock import days, month, season, year
from frostline.grid import Grid, named
from frostline.twin import column, long, weather, world
from frostline.twin.long import (
    LONG_BIAS,
    SENSORS,
    long_earth,
    long_ground,
    long_observed,
    sensor_on,
)

pytestmark = pytest.mark.slow

GRID = named("M09").around(97.0, 36.0, (4, 5))


def slope(years, values):
    return np.polyfit(years, values, 1)[0]


def air(seed, first, last, warming=0.0, bias=None):
    """Dates and mean anomaly (K) of each local day of the long weather."""
    found = [(d.date, d.anomaly) for d in long._weather(GRID, seed, first, last, warming, seed=9, bias=bias)]
    return np.array([d for d, _ in found]), np.stack([a for _, a in found])


@pytest.fixture(scope="module")
def decade():
    return np.datetime64("2000-06-28"), np.datetime64("2010-12-31")


@pytest.mark.parametrize("bias", [None, LONG_BIAS], ids=["weather", "reanalysis"])
def test_no_season_warms_of_itself_and_all_warm_as_told(decade, bias):
    """Slopes of the means of ten years, K a year: under .01 (raw weather: above .03), of a season under .08."""
    date, still = air(3, *decade, bias=bias)
    own = weather.daily_weather(GRID.shape, cell_km=9.0, seed=3, first=decade[0])
    raw = np.stack([next(own).anomaly for _ in date])

    def trend(values, of):
        return slope(range(2001, 2011), [values[of & (year(date) == y)].mean() for y in range(2001, 2011)])

    assert abs(trend(still, True)) < 0.01 and abs(trend(raw, True)) > 0.03
    for name in ("DJF", "MAM", "JJA", "SON"):
        assert abs(trend(still, season(date) == name)) < 0.08
    warm = air(3, *decade, warming=0.07, bias=bias)[1]
    years = (date - weather.EPOCH) / np.timedelta64(1, "D") / 365.25
    np.testing.assert_allclose(warm - still, np.broadcast_to(0.07 * years[:, None], still.shape), atol=1e-4)


def test_detrending_by_hand():
    """Weather that is a cycle and a line: the line goes, the cycle stays."""
    first, last = np.datetime64("2000-01-01"), np.datetime64("2007-12-31")
    climate_free = np.zeros(2, np.float32)

    def make():
        for date in np.arange(first, last + 5):
            t = float((date - first).astype(int)) / 365.25
            value = 3 * np.cos(2 * np.pi * t) + np.array([0.5, -1.0]) * (t - 4)
            later = 3 * np.cos(2 * np.pi * (t + 1 / 365.25)) + np.array([0.5, -1.0]) * (t + 1 / 365.25 - 4)
            yield weather.Weather(date, value.astype("f4"), later.astype("f4"), climate_free, climate_free)

    found = list(weather.detrended(make, first=first, last=last))
    assert found[0].date == first and found[-1].date == last
    t = np.arange(len(found)) / 365.25
    np.testing.assert_allclose(
        [d.anomaly for d in found], np.repeat(3 * np.cos(2 * np.pi * t)[:, None], 2, 1), atol=3e-3
    )
    np.testing.assert_allclose([d.anomaly_next for d in found[:-1]], [d.anomaly for d in found[1:]], atol=1e-5)


def test_sensors_fly_when_the_user_guide_says():
    for date, name in (
        ("1979-01-01", "SMMR"), ("1987-07-09", "F08"), ("1991-12-11", "F08"), ("1995-05-02", "F11"),
        ("2007-12-31", "F13"), ("2008-01-01", "F17"), ("2021-01-01", "AMSR2"),
    ):  # fmt: skip
        assert sensor_on(np.datetime64(date)).name == name


def test_plan_covers_every_day_once_and_never_straddles():
    blocks = list(long._plan(1987, 2015, 50))
    np.testing.assert_array_equal(np.concatenate(blocks), days("1987-01-01", "2015-12-31").astype("datetime64[D]"))
    for b in blocks:
        assert len(b) <= 50 and len(set(year(b))) == 1 and len({sensor_on(d).name for d in b}) == 1
        assert (b[0] >= long.SMAP_START) == (b[-1] >= long.SMAP_START)
    for bad in ((2016, 2015), (1978, 1980)):
        with pytest.raises(ValueError, match="not in order"):
            next(long._plan(*bad, 50))


@pytest.fixture(scope="module")
def earth():
    """2014-2015 in blocks: two records begin here."""
    return list(long_earth(GRID, start_year=2014, end_year=2015, seed=1, warming=0.05, block_days=60))


def test_emission_only_where_a_product_needs_it(earth):
    for block in earth:
        assert Grid.of(block) == GRID and block.attrs["sensor"] == "F17"
        tb = {n for n in block.data_vars if n.startswith("tb_")}
        smap = block["time"].values[0] >= long.SMAP_START
        assert tb == ({"tb_36v", "tb_1v", "tb_1h"} if smap else {"tb_36v"})
        assert all(np.isfinite(block[n]).all() for n in block.data_vars)
    whole = xr.concat([b[["truth", "tb_36v"]] for b in earth], "time")
    assert whole.sizes["time"] == 730
    frozen = whole["truth"].mean(("overpass", "y", "x"))
    of = month(whole["time"].values)
    assert frozen[of == 7].mean() < 0.15 and frozen[of == 1].mean() > 0.7 and 0.2 < frozen.mean() < 0.6


def test_37_ghz_is_seen_at_the_hour_of_its_sensor():
    """SMMR at midnight and noon, the F series at 06 and 18: the same days, other hours."""
    for y, hours in ((1987, (24, 12)), (2014, (6, 18))):
        block = next(long_earth(GRID, start_year=y, end_year=y, seed=1, warming=0.0, block_days=3))
        ground = long_ground(GRID, seed=1)
        held = long.long_cells(ground, GRID)
        first, last = world.origin(f"{y}-01-01"), np.datetime64(f"{y}-12-31")
        marched = column.march(held, long._weather(GRID, 1, first, last, 0.0))
        before = None
        for day in marched:
            if day.date == block["time"].values[1].astype("datetime64[D]"):
                break
            before = day
        for p, hour in enumerate(hours):
            scene = column.make_scene((before if hour == 24 else day).at(hour))
            expected = world.microwave.brightness(world.microwave.BANDS["Ka"], held.surface, scene)[0]
            np.testing.assert_array_equal(block["tb_36v"].values[1, p].ravel(), expected)


def test_observed_brightness(earth):
    block = earth[-1]
    seen = long_observed(block, GRID, seed=5)
    assert set(seen.data_vars) == {"tb_36v", "tb_1v", "tb_1h"} and Grid.of(seen) == GRID
    xr.testing.assert_equal(seen, long_observed(block, GRID, seed=5))
    part = block.isel(time=slice(7, 20))
    xr.testing.assert_equal(long_observed(part, GRID, seed=5), seen.isel(time=slice(7, 20)))
    assert not np.array_equal(long_observed(block, GRID, seed=6)["tb_1v"], seen["tb_1v"], equal_nan=True)
    known = {n: float(seen[n].notnull().mean()) for n in seen.data_vars}
    assert 0.3 < known["tb_1v"] < 0.6 < known["tb_36v"] < 0.85  # swaths at 36 N
    np.testing.assert_array_equal(seen["tb_1v"].isnull(), seen["tb_1h"].isnull())
    noise = (seen["tb_36v"] - block["tb_36v"].mean(("y", "x"))).mean(("overpass", "y", "x"))
    assert abs(float(noise.mean()) - sensor_on(np.datetime64("2015-12-01")).offset) < 0.15
    assert set(long_observed(earth[0], GRID, seed=5).data_vars) == {"tb_36v"}


def test_each_sensor_has_its_offset_and_smmr_looks_every_other_day(earth):
    block = earth[0]
    other = tuple(replace(s, offset=s.offset + 2.0, every=2) for s in SENSORS)
    seen, moved = (long_observed(block, GRID, seed=5, sensors=s)["tb_36v"] for s in (SENSORS, other))
    gain = (moved - seen).values
    np.testing.assert_allclose(gain[np.isfinite(gain)], 2.0, atol=1e-4)
    rows = np.isfinite(moved.values).any((1, 2, 3))
    assert len(set(np.flatnonzero(rows) % 2)) == 1 and rows.sum() > 10
    assert [s.every for s in SENSORS] == [2, 1, 1, 1, 1, 1] and len({s.offset for s in SENSORS}) == len(SENSORS)


@pytest.mark.slow
@pytest.mark.parametrize(("warming", "least", "most"), [(0.0, -0.9, 0.9), (0.1, -2.0, -0.3)], ids=["still", "warm"])
def test_frozen_days_follow_the_prescribed_warming(warming, least, most):
    """Twelve years of 8 x 8 cells, mornings, days a year each year: measured .5 without, -.9 with .1 K a year."""
    grid, years = named("M09").around(97.0, 36.0, (8, 8)), range(1990, 2002)
    total = dict.fromkeys(years, 0.0)
    for block in long_earth(grid, start_year=1990, end_year=2001, seed=1, warming=warming):
        total[int(year(block["time"].values[0]))] += float(block["truth"][:, 0].mean(("y", "x")).sum())
    assert least < slope(years, list(total.values())) < most
