import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from frostline.clock import AM, PM, days, utc_to_solar
from frostline.grid import named, regular
from frostline.twin.orbits import ORBITS, OUTAGES, overpass_minutes, swath

YEAR = days("2016-01-01", "2016-12-31")
HALF = [("smap", AM), ("smap", PM), ("amsr2", AM), ("amsr2", PM)]


def window(lat, lon=20.0, n=32):
    return named("N09").around(lon, lat, (n, n))


def longest_gap(seen):
    run, longest = np.zeros(seen.shape[1:], int), 0
    for day in seen:
        run = np.where(day, 0, run + 1)
        longest = max(longest, int(run.max()))
    return longest


@pytest.mark.parametrize(("sensor", "overpass"), HALF)
def test_daily_coverage_at_50_north(sensor, overpass):
    # by hand: one orbit moves the crossing 360/14.61 = 24.64 degrees, at 50 N 1763 km; a swath of 1000 km that
    # leans 16 degrees (12.5 of the orbit, the rest the Earth's turn) is 1040 km wide along the parallel: .59
    seen = swath(window(50.0), YEAR, sensor=sensor, overpass=overpass)
    assert seen.mean() == pytest.approx({"smap": 0.59, "amsr2": 0.86}[sensor], abs=0.02)
    assert longest_gap(seen) <= {"smap": 2, "amsr2": 1}[sensor]  # 3 and 2 days from one look to the next


@pytest.mark.parametrize(("sensor", "overpass"), HALF)
def test_more_looks_further_north(sensor, overpass):
    share = [swath(window(lat), YEAR[:120], sensor=sensor, overpass=overpass).mean() for lat in (40, 50, 60, 66)]
    assert (np.diff(share) >= 0).all()
    assert share[2] > {"smap": 0.72, "amsr2": 0.98}[sensor]


@settings(max_examples=30, deadline=None)
@given(start=st.integers(0, 350), length=st.integers(1, 8), half=st.sampled_from(HALF))
def test_a_date_looks_the_same_in_every_run(start, length, half):
    sensor, overpass = half
    grid = window(55.0, n=8)
    part = YEAR[start : start + length]
    whole = swath(grid, YEAR[max(start - 3, 0) : start + length], sensor=sensor, overpass=overpass)
    assert (swath(grid, part, sensor=sensor, overpass=overpass) == whole[-len(part) :]).all()


def test_windows_agree_with_the_whole_grid():
    big = window(60.0, n=64)
    part = big.window(slice(10, 30), slice(5, 25))
    seen = [swath(g, YEAR[40:50], sensor="smap", overpass=PM) for g in (big, part)]
    assert (seen[0][:, 10:30, 5:25] == seen[1]).all()


def test_passes_go_on_across_the_date_line():
    # one pass crosses the line; the cells west of it belong to the next local date
    globe = regular(1.0, top=60.0, shape=(20, 360))
    for sensor, overpass in HALF:
        seen = swath(globe, days("2016-03-01", "2016-03-02"), sensor=sensor, overpass=overpass)
        west, east = seen[0, :, 0], seen[1, :, -1]  # 179.5 W on one date, 179.5 E on the next: the same pass
        assert (west == east).mean() >= 0.85
        share = seen.mean((0, 1))
        assert share.min() > 0.3


def test_swaths_are_as_wide_as_the_radiometer_sees():
    row = regular(0.05, left=-30.0, top=0.025, shape=(1, 1200))  # along the equator
    seen = swath(row, YEAR[:20], sensor="smap", overpass=AM)[:, 0]
    edges = np.diff(seen.astype(int), axis=1)
    widths = [
        (np.argmax(e[i:] < 0)) * 0.05 * 111.195 for e in edges for i in np.flatnonzero(e > 0) if (e[i:] < 0).any()
    ]
    # 1000 km across a track that leans 8.12 + 3.9 degrees: 1000 / cos 12 = 1022; small circles add little
    assert np.mean(widths) == pytest.approx(1012, abs=15)


def test_outages_are_empty_and_only_theirs():
    assert all(o.unverified for o in OUTAGES)
    grid, around = window(60.0), days("2019-06-17", "2019-07-24")
    smap = swath(grid, around, sensor="smap", overpass=AM).any((1, 2))
    assert smap[:2].any()
    assert not smap[2:-2].any()
    assert smap[-2:].any()
    assert swath(grid, around, sensor="amsr2", overpass=AM).any((1, 2)).all()


@pytest.mark.parametrize(("sensor", "overpass"), HALF)
@pytest.mark.parametrize("lon", [-179.0, -90.0, 20.0, 120.0, 179.0])
def test_minutes_are_the_nominal_local_hour(sensor, overpass, lon):
    grid = window(58.0, lon=lon, n=8)
    date = np.datetime64("2016-02-10", "D")
    minutes = overpass_minutes(grid, date, sensor=sensor, overpass=overpass)
    assert minutes.dtype == np.float32
    utc = date.astype("datetime64[ns]") + (minutes.astype(float) * 60e9).astype("timedelta64[ns]")
    local, hour = utc_to_solar(utc, grid.lonlat()[0])
    assert (local == date).all()
    late = (hour - ORBITS[sensor].hours[overpass]) * 60
    sign = 1 if overpass == PM else -1
    assert (np.abs(sign * late - 16.2) < 1.5).all()  # 59 of 360 degrees of a 99 min orbit


def test_minutes_by_hand_at_the_equator():
    cell = regular(0.1, left=89.95, top=0.05, shape=(1, 1))  # 90 E, 0 N: 6 h earlier in UTC
    assert overpass_minutes(cell, "2016-02-10", sensor="smap", overpass=AM)[0, 0] == pytest.approx(0, abs=0.6)
    assert overpass_minutes(cell, "2016-02-10", sensor="amsr2", overpass=AM)[0, 0] == pytest.approx(-270, abs=0.6)


def test_minutes_leave_the_day_at_both_ends():
    east, west = window(60.0, lon=175.0, n=4), window(60.0, lon=-175.0, n=4)
    assert (overpass_minutes(east, "2016-02-10", sensor="smap", overpass=AM) < 0).all()
    assert (overpass_minutes(west, "2016-02-10", sensor="smap", overpass=PM) > 1440).all()


def test_one_cell_and_no_dates():
    cell = window(60.0, n=1)
    assert swath(cell, YEAR[:0], sensor="smap", overpass=AM).shape == (0, 1, 1)
    assert swath(cell, YEAR[:30], sensor="smap", overpass=AM).any()


def test_near_the_pole_some_pass_sees_most_cells():
    cap = named("N36").around(0.0, 84.0, (10, 10))
    assert swath(cap, YEAR[:10], sensor="amsr2", overpass=AM).mean() > 0.9
