"""Windows, times and lists that several readers share."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from frostline.errors import ConfigError, InputError
from frostline.grid import Grid, regular
from frostline.read.common import date_of, decode_times, lazy, need, part

WORLD = regular(10.0, left=0.0, top=90.0, shape=(18, 36))
FIELD = np.arange(18 * 36).reshape(18, 36)


@given(st.integers(0, 14), st.integers(-36, 71), st.integers(1, 4), st.integers(1, 36))
def test_any_window_of_a_round_grid_is_its_cells_modulo_360(row, col, height, width):
    window = Grid("w", "EPSG:4326", col * 10.0, 90.0 - row * 10, 10.0, (height, width))
    got = part("f", WORLD, window).of(FIELD)
    expected = FIELD[row : row + height][:, np.arange(col, col + width) % 36]
    np.testing.assert_array_equal(got, expected)
    assert np.allclose((window.x - (got[0] % 36 * 10 + 5)) % 360, 0)


def test_what_is_no_part_is_refused():
    for window in (
        Grid("step", "EPSG:4326", 0.0, 90.0, 10.1, (2, 2)),
        Grid("shift", "EPSG:4326", 5.0, 90.0, 10.0, (2, 2)),
        Grid("high", "EPSG:4326", 0.0, 100.0, 10.0, (2, 2)),
        Grid("low", "EPSG:4326", 0.0, -80.0, 10.0, (2, 2)),
        Grid("wide", "EPSG:4326", 0.0, 90.0, 10.0, (2, 37)),
        Grid("crs", "EPSG:6931", 0.0, 90.0, 10.0, (2, 2)),
    ):
        with pytest.raises(InputError, match=f"E-INPUT-GRID  f: the window {window.name} "):
            part("f", WORLD, window)
    region = WORLD.window(slice(0, 4), slice(0, 10))
    with pytest.raises(InputError):
        part("f", region, Grid("west", "EPSG:4326", -10.0, 90.0, 10.0, (2, 2)))


@pytest.mark.parametrize(
    ("values", "units", "expected"),
    [
        (1051896, "hours since 1900-01-01 00:00:00.0", "2020-01-01T00:00"),
        (1577836800, "seconds since 1970-01-01", "2020-01-01T00:00"),
        (8415900, " minutes since 2000-01-01 03:00:00", "2016-01-01T12:00"),
        (16071.25, "days since 1972-01-01 00:00:00", "2016-01-01T06:00"),
        (0, "days since 2000-1-1", "2000-01-01T00:00"),
    ],
)
def test_times_of_agencies(values, units, expected):
    got = decode_times("f", np.array([values]), units)
    assert got.dtype == np.dtype("M8[ns]")
    assert got[0] == np.datetime64(expected)


def test_odd_units_and_dates():
    with pytest.raises(InputError, match="E-INPUT-TIME"):
        decode_times("f", np.zeros(1), "months since 2000-01-01")
    assert date_of("2016000") is None
    assert date_of("20161301") is None
    assert str(date_of("2016060")) == "2016-02-29"


def test_lazy_arrays_share_one_call():
    import dask

    calls = []

    def load():
        calls.append(1)
        return {"a": np.ones((2, 3), "f4"), "b": np.zeros((2, 3), "f4")}

    arrays = lazy(load, ["a", "b"], (2, 3))
    assert not calls
    a, b = dask.compute(arrays["a"], arrays["b"])
    assert (a.sum(), b.sum(), len(calls)) == (6, 0, 1)


def test_an_absent_library_is_named_with_its_extra():
    with pytest.raises(ConfigError, match=r"frostline\[geo\]"):
        need("no_such_library", extra="geo")
