import numpy as np
import pytest

from drawn import GRID, LAND, ONE, picture, said
from frostline.figures_study import nodes_and_cells, study_area_networks

pytestmark = pytest.mark.filterwarnings("error")


def around(row, col, n, grid=GRID):
    """n nodes at the centre of one cell."""
    lon, lat = grid.lonlat()
    return np.full(n, lon[row, col]), np.full(n, lat[row, col])


def test_study_area_names_everything() -> None:
    regions = np.where(np.arange(16) < 8, 1.0, 2.0) * np.ones(GRID.shape)
    regions[:4] = np.nan
    both = zip(around(12, 12, 3), around(12, 13, 2), strict=True)
    nets = {"Naqu": around(3, 4, 12), "Pali": tuple(np.r_[a, b] for a, b in both)}
    figure = study_area_networks(
        GRID,
        land=LAND,
        elevation=np.linspace(3000, 5000, 256).reshape(GRID.shape),
        regions=regions,
        region_names=["plateau", "north", "nowhere"],
        permafrost=np.full(GRID.shape, 2.0),
        permafrost_names=["very stable", "stable"],
        stations=around(5, 5, 7),
        heldout_stations=around(6, 6, 3),
        networks=nets,
        note="twin Earth",
    )
    text = said(figure)
    # 250 cells of land: columns 0-7 and 8-15 of rows 4-15 are 96 each; 58 have no region
    for part in ("station, teaches, n = 7", "station, judges, n = 3", "dense network, n = 2", "plateau, 38 %",
                 "north, 38 %", "none, 23 %", "stable, 100 %", "Naqu\n12 nodes, 1 cell", "Pali\n5 nodes, 2 cells",
                 "twin Earth", "m above sea level"):  # fmt: skip
        assert part in text
    assert "nowhere" not in text and "very stable" not in text


def test_only_land_is_enough() -> None:
    text = said(study_area_networks(GRID, land=LAND))
    assert "Land" in text and "Regions" not in text and "network" not in text


def test_nodes_outside_the_grid_are_said_to_be() -> None:
    assert nodes_and_cells(GRID, ([0.0], [0.0])) == (0, 0)
    assert nodes_and_cells(GRID, tuple(np.r_[v, 0.0] for v in around(0, 0, 2))) == (2, 1)
    assert "Far\noutside the grid" in said(study_area_networks(GRID, land=LAND, networks={"Far": ([0.0], [0.0])}))


def test_one_cell_and_unknown_heights() -> None:
    one = np.ones((1, 1), bool)
    where = around(0, 0, 2, ONE)
    picture(study_area_networks(ONE, land=one, elevation=np.full((1, 1), np.nan), networks={"a": where}))
    picture(study_area_networks(ONE, land=one, regions=np.full((1, 1), np.nan), region_names=["x"]))


def test_names_stand_apart() -> None:
    lon, lat = GRID.lonlat()
    nets = {f"Net{i}": (lon[8, 4 + 2 * i], lat[8, 4 + 2 * i]) for i in range(5)}
    figure = study_area_networks(GRID, land=LAND, networks=nets)
    picture(figure)
    renderer = figure.canvas.get_renderer()
    boxes = [t.get_window_extent(renderer) for ax in figure.axes for t in ax.texts if t.get_text().startswith("Net")]
    assert len(boxes) == 5
    overlaps = sum(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])
    assert overlaps == 0
