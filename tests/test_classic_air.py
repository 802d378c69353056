"""Least and greatest temperature of local days: by hand at two longitudes, and its errors."""

import numpy as np
import pytest
import xarray as xr

from frostline.classic_air import daily_extremes
from frostline.clock import days
from frostline.errors import InputError
from frostline.grid import Grid

GRID = Grid("two", "EPSG:4326", -180.0, 60.0, 180.0, (1, 2))  # cells at 90 W and 90 E: six hours behind and ahead
START = np.datetime64("2016-01-01T00", "ns")
HOUR = np.timedelta64(1, "h")


def hours(values, first=START, step=1):
    """A dataset an hour: the same value in both cells, or one each."""
    for k, value in enumerate(values):
        field = np.broadcast_to(np.asarray(value, np.float32), (1, 1, 2))
        yield xr.Dataset({"air_temperature": (("time", "y", "x"), field)}, {"time": [first + k * step * HOUR]})


def test_a_day_is_that_of_the_sun():
    """The value is the hour since 1 January, 00 UTC. At 90 E the 2nd is hours 18 to 41, at 90 W 30 to 53."""
    made = {str(d)[:10]: (low, high) for d, low, high in daily_extremes(hours(range(72)), GRID, dates=["2016-01-02"])}
    (day,) = made
    assert day == "2016-01-02"
    assert made[day][0].tolist() == [[30, 18]] and made[day][1].tolist() == [[53, 41]]


def test_days_come_in_order_and_what_is_too_little_known_is_unknown():
    """From 18 UTC of the 1st to 17 UTC of the 3rd: at 90 E two whole days, at 90 W twelve hours, a day and twelve."""
    values = [[np.nan, 270.0] if k < 12 else [271.0 + k, 270.0] for k in range(48)]
    found = list(daily_extremes(hours(values, START + 18 * HOUR), GRID, dates=days("2016-01-01", "2016-01-04")))
    assert [str(d)[:10] for d, _, _ in found] == ["2016-01-01", "2016-01-02", "2016-01-03", "2016-01-04"]
    west, east = (np.array([low[0, i] for _, low, _ in found]) for i in (0, 1))
    np.testing.assert_array_equal(west, [np.nan, 283, 307, np.nan])  # the first twelve hours were unknown
    np.testing.assert_array_equal(east, [np.nan, 270, 270, np.nan])
    more = list(daily_extremes(hours(values, START + 18 * HOUR), GRID, dates=days("2016-01-02", "2016-01-03"),
                               least_hours=13))  # fmt: skip
    np.testing.assert_array_equal([low[0, 0] for _, low, _ in more], [283, np.nan])  # twelve hours of the 3rd


def test_three_hourly_fields_will_do_and_six_hourly_will_not():
    for step, known in ((3, True), (6, False)):
        ((_, low, high),) = daily_extremes(hours(range(0, 72, step), step=step), GRID, dates=["2016-01-02"])
        assert np.isfinite(low).all() == known == np.isfinite(high).all()


def test_bad_hours_are_named():
    with pytest.raises(InputError, match="comes after"):
        list(daily_extremes([*hours([1]), *hours([1])], GRID, dates=["2016-01-01"]))
    other = Grid("one", "EPSG:4326", 0.0, 60.0, 10.0, (1, 1))
    with pytest.raises(InputError, match="on a grid of"):
        list(daily_extremes(hours([1]), other, dates=["2016-01-01"]))
