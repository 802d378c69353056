import numpy as np
import pytest

from frostline.grid import Grid, named
from frostline.twin.ground import ABOUT, SEA_SHARE, WATER, cell_km, make_ground

GRID = named("N09").around(140.0, 57.0, (32, 40))


@pytest.fixture(scope="module")
def ground():
    return make_ground(GRID, seed=1)


def test_it_sits_on_its_grid(ground):
    assert Grid.of(ground) == GRID
    assert list(ground.data_vars) == list(ABOUT)
    assert all(ground[n].dims == ("y", "x") and ground[n].attrs["units"] for n in ABOUT)
    assert cell_km(GRID) == 9.0


LIMITS = {
    "elevation": (0, 3000), "terrain_std": (25, 1000), "forest": (0, 0.9), "arid": (0, 1), "clay": (0.03, 0.55),
    "low_vegetation": (0.02, 2), "water_fraction": (0, 1), "organic": (0, 0.6), "porosity": (0.4, 0.75),
    "freezing_point": (-1, -0.02), "curve_slope": (0.92, 3.47), "residual_water": (0.02, 0.1), "roughness": (0.05, 0.8),
    "land_cover": (1, 17),
}  # fmt: skip


@pytest.mark.parametrize("name", LIMITS)
def test_ranges(ground, name):
    low, high = LIMITS[name]
    v = ground[name].values
    assert np.isfinite(v).all() and v.min() >= low - 1e-6 and v.max() <= high + 1e-6
    assert v.std() > 0


def test_sea_and_land_agree_with_each_other(ground):
    land = ground["land"].values
    assert 1 - land.mean() == pytest.approx(SEA_SHARE, abs=0.02)
    assert (ground["water_fraction"].values[~land] == 1).all() and (ground["elevation"].values[~land] == 0).all()
    assert (ground["water_fraction"].values[land] <= 0.45).all()
    assert (ground["land_cover"].values[~land] == WATER).all() and (ground["land_cover"].values[land] != WATER).all()


def test_land_cover_agrees_with_forest(ground):
    cover, forest = ground["land_cover"].values, ground["forest"].values
    assert forest[np.isin(cover, (1, 3))].min() > 0.6
    assert forest[np.isin(cover, (7, 10, 11))].max() <= 0.25
    assert len(np.unique(cover)) >= 6


def test_the_callers_coast_changes_nothing_else():
    land = np.ones(GRID.shape, bool)
    land[:, :5] = False
    mine, own = make_ground(GRID, seed=1, land=land), make_ground(GRID, seed=1)
    np.testing.assert_array_equal(mine["land"], land)
    np.testing.assert_array_equal(mine["clay"], own["clay"])
    inland = mine["elevation"].values[:, -5:].mean()
    assert mine["elevation"].values[:, 5].mean() < 0.3 * inland  # it falls to the sea
    with pytest.raises(ValueError, match="land mask"):
        make_ground(GRID, seed=1, land=land[1:])


def test_all_land_and_a_single_cell():
    assert np.isfinite(make_ground(GRID, seed=2, land=np.ones(GRID.shape, bool))["elevation"]).all()
    one = named("N09").around(140.0, 57.0, (1, 1))
    assert make_ground(one, seed=2, land=np.ones((1, 1), bool)).sizes == {"y": 1, "x": 1}


def test_a_seed_is_a_ground(ground):
    assert make_ground(GRID, seed=1).identical(ground)
    assert not np.array_equal(make_ground(GRID, seed=2)["clay"], ground["clay"])
