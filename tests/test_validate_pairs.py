"""Two records against each other: sums by hand."""

import numpy as np
import xarray as xr

from frostline.clock import days
from frostline.validate.pairs import ahead, ahead_cells

TIMES = days("2017-01-01", "2017-01-02")


def field(values, dim="site"):
    dims = ("time", "overpass", "site") if dim == "site" else ("time", "overpass", "y", "x")
    return xr.DataArray(np.array(values, float), {"time": TIMES, "overpass": np.array([0], np.int8)}, dims)


NAN = np.nan
TRUTH = field([[[1, 1, 0, NAN]], [[1, 0, 0, 1]]])
A = field([[[0.9, 0.5, 0.2, 1]], [[NAN, 0.4, 0.6, 1]]])  # right 1, .5, 1, -; -, 1, 0, 1
B = field([[[0.1, 0.8, 0.1, 1]], [[1, 0.7, NAN, 0]]])  # right 0, 1, 1, -; 1, 0, -, 0
C = field([[[NAN] * 4], [[NAN] * 4]])


def test_only_the_cell_days_of_both_count():
    """Day 1: 1 - .5 + 0 of three; day 2: the second and the fourth, both won."""
    west = np.array([True, True, False, False])
    found = ahead({"a": A, "b": B, "c": C}, TRUTH, [("a", "b"), ("a", "c")], strata={"all": west | True, "west": west})
    assert found["ahead"].dims == ("record", "time", "overpass", "stratum")
    np.testing.assert_array_equal(found["ahead"][0, :, 0], [[0.5, 0.5], [2, 1]])
    np.testing.assert_array_equal(found["compared"][0, :, 0], [[3, 2], [2, 1]])
    assert (found["compared"][1] == 0).all() and (found["ahead"][1] == 0).all()
    np.testing.assert_array_equal(found["n"], found["compared"])


def test_cells_weigh_by_area_and_n_does_not():
    area = np.array([2.0, 1.0, 1.0, 0.5])
    found = ahead({"a": A, "b": B}, TRUTH, [("b", "a")], weights=area, strata={"all": np.ones(4, bool)})
    np.testing.assert_array_equal(found["ahead"].squeeze(), [-1.5, -1.5])  # -(2 - .5), -(1 + .5)
    np.testing.assert_array_equal(found["compared"].squeeze(), [4, 1.5])
    np.testing.assert_array_equal(found["n"].squeeze(), [3, 2])


def test_sums_of_sites_are_those_of_days_turned_round():
    by_site = ahead_cells({"a": A, "b": B}, TRUTH, [("a", "b")])
    np.testing.assert_array_equal(by_site["ahead"].squeeze(), [1, 0.5, 0, 1])
    np.testing.assert_array_equal(by_site["n"].squeeze(), [1, 2, 1, 1])
    daily = ahead({"a": A, "b": B}, TRUTH, [("a", "b")], strata={"all": np.ones(4, bool)})
    assert float(daily["ahead"].sum()) == float(by_site["ahead"].sum())


def test_maps_are_cells_like_sites():
    grids = [field(f.values.reshape(2, 1, 2, 2), "map") for f in (A, B, TRUTH)]
    found = ahead({"a": grids[0], "b": grids[1]}, grids[2], [("a", "b")], strata={"all": np.ones((2, 2), bool)})
    np.testing.assert_array_equal(found["ahead"].squeeze(), [0.5, 2])
