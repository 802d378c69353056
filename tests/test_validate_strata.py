"""Strata from maps, and thermometers as states of cells: by hand."""

import numpy as np
import pytest
import xarray as xr

from frostline.clock import days
from frostline.errors import InputError
from frostline.grid import named
from frostline.validate.nodes import states_of_cells
from frostline.validate.strata import by_bin, by_class

GRID = named("M09").around(97.0, 36.0, (2, 3))
TIMES = days("2017-01-01", "2017-01-03")


def test_classes_and_bins_are_masks_of_cells():
    codes = np.array([[1, 2, np.nan], [2, 9, 7]])
    found = by_class("landcover", codes, {1: "cropland", 2: "forest", 7: "barren", 8: "impervious"})
    assert list(found) == ["landcover:cropland", "landcover:forest", "landcover:barren"]  # none is impervious
    assert found["landcover:forest"].tolist() == [[False, True, False], [True, False, False]]
    bins = by_bin("tci", [[0, 49.9, 50], [349.9, 350, np.nan]], (50, 150, 250, 350))
    assert {name: int(mask.sum()) for name, mask in bins.items()} == {
        "tci:<50": 2,
        "tci:50-150": 1,
        "tci:250-350": 1,
        "tci:>=350": 1,
    }
    assert sum(mask.astype(int) for mask in bins.values()).max() == 1  # no cell twice, the unknown one never


def network(celsius, cells, name="naqu"):
    """Nodes with temperatures (time, site) at these cells, AM only."""
    lon, lat = GRID.lonlat()
    kelvin = np.asarray(celsius, float)[:, None] + 273.15
    frozen = np.where(np.isnan(kelvin), np.nan, kelvin < 273.15)
    outside = [30.0 if c is None else 0.0 for c in cells]
    at = [c or (0, 0) for c in cells]
    return xr.Dataset(
        {
            "frozen": (("time", "overpass", "site"), frozen),
            "soil_temperature": (("time", "overpass", "site"), kelvin),
        },
        {
            "time": TIMES[: len(kelvin)],
            "overpass": np.array([0], np.int8),
            "site": [f"{name}{i}" for i in range(len(cells))],
            "lon": ("site", [lon[c] + o for c, o in zip(at, outside, strict=True)]),
            "lat": ("site", [lat[c] for c in at]),
        },
    )


def test_nodes_of_a_cell_are_averaged_then_thresholded():
    """Day 1: (-1 + 2 - .2) / 3 = .27 thawed, though two of three are frozen; day 2: the one that knows; day 3: none."""
    nodes = network([[-1, 2, -0.2, -5], [np.nan, np.nan, -3, 4], [np.nan] * 4], [(0, 1), (0, 1), (0, 1), None])
    mean = states_of_cells({"naqu": nodes}, GRID)
    assert mean["frozen"].dims == ("time", "overpass", "site") and mean.sizes["site"] == 1  # the last stands outside
    np.testing.assert_array_equal(mean["frozen"].squeeze(), [0, 1, np.nan])
    assert (mean["network"].item(), mean["nodes"].item()) == ("naqu", 3)
    assert GRID.locate(mean["lon"].values, mean["lat"].values) == (0, 1)
    votes = states_of_cells({"naqu": nodes}, GRID, by="majority")
    np.testing.assert_array_equal(votes["frozen"].squeeze(), [1, 1, np.nan])


def test_a_draw_is_unknown_and_another_threshold_counts():
    nodes = network([[-1, 3], [-2, -3]], [(1, 2), (1, 2)])
    np.testing.assert_array_equal(states_of_cells({"a": nodes}, GRID, by="majority")["frozen"].squeeze(), [np.nan, 1])
    np.testing.assert_array_equal(states_of_cells({"a": nodes}, GRID)["frozen"].squeeze(), [0, 1])
    colder = states_of_cells({"a": nodes}, GRID, below=270.0)
    np.testing.assert_array_equal(colder["frozen"].squeeze(), [0, 0])


def test_networks_stay_apart_in_one_cell_and_days_unite():
    one, two = network([[-1], [-1]], [(0, 0)]), network([[1], [1], [1]], [(0, 0)], "pali")
    found = states_of_cells({"naqu": one, "pali": two}, GRID)
    assert found["network"].values.tolist() == ["naqu", "pali"] and found.sizes["time"] == 3
    np.testing.assert_array_equal(found["frozen"].squeeze(), [[1, 0], [1, 0], [np.nan, 0]])


def test_what_cannot_be_averaged_is_an_error():
    nodes = network([[-1]], [(0, 0)])
    with pytest.raises(InputError, match="naqu: has states but no soil temperatures"):
        states_of_cells({"naqu": nodes.drop_vars("soil_temperature")}, GRID)
    with pytest.raises(InputError, match="no node stands on the grid"):
        states_of_cells({"naqu": network([[-1]], [None])}, GRID)
