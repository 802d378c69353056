import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.path import Path as Outline

from frostline.coast import coast_lines, edges, land_mask, polygons, rings_on
from frostline.grid import Grid, named, regular

# Places anybody can look up in an atlas: lon, lat, land?
PLACES = [
    (37.6, 55.8, True),  # Moscow
    (-100.0, 60.0, True),  # Nunavut
    (-40.0, 72.0, True),  # Greenland
    (175.0, 66.5, True),  # Chukotka, west of the antimeridian
    (-177.0, 67.0, True),  # Chukotka, east of it
    (-85.0, 60.0, False),  # Hudson Bay
    (35.0, 43.0, False),  # Black Sea
    (50.5, 42.0, False),  # Caspian: a hole in Asia
    (178.0, 60.0, False),  # Bering Sea
    (-170.0, 60.0, False),
    (0.0, 89.0, False),  # Arctic Ocean
]


def test_polygons_are_closed_rings_in_degrees() -> None:
    land = polygons()
    assert len(land) == 1419 and sum(len(rings) for rings in land) == 1421
    for rings in land:
        for ring in rings:
            assert ring.shape[1] == 2 and len(ring) >= 4
            np.testing.assert_array_equal(ring[0], ring[-1])
            assert np.abs(ring[:, 0]).max() <= 180 and np.abs(ring[:, 1]).max() <= 90
    land[0][0][:] = 0  # a caller's change must not reach the next caller
    assert polygons()[0][0].any()


@pytest.mark.parametrize("grid", [named("N09"), named("N36"), named("M09"), named("M36"), regular(0.25)])
@pytest.mark.parametrize("lon, lat, land", PLACES)
def test_known_places(grid: Grid, lon: float, lat: float, land: bool) -> None:
    row, col = grid.locate(lon, lat)
    if row < 0:
        pytest.skip(f"{lon} E {lat} N lies outside {grid.name}")
    window = grid.around(lon, lat, (3, 3))
    row, col = window.locate(lon, lat)
    assert land_mask(window)[row, col] == land


def test_hand_worked_cell() -> None:
    # Null Island's cell is sea, and of 2 x 1 degree cells astride Kenya's coast at 2.5 S (40.9 E) the west is land.
    assert not land_mask(regular(1.0, left=-0.5, top=0.5, shape=(1, 1)))[0, 0]
    np.testing.assert_array_equal(
        land_mask(regular(1.0, left=39.0, top=-2.0, shape=(1, 4))), [[True, True, False, False]]
    )


@pytest.mark.parametrize(
    "grid", [named("M36"), regular(0.25), regular(0.25, left=-0.125, top=90.125, shape=(721, 1440)), named("ML25")]
)
def test_land_is_29_percent_of_the_globe(grid: Grid) -> None:
    # 29.2 % with ice shelves (CIA World Factbook: 148.94 of 510.07 million km2); Natural Earth's land has none.
    area = np.broadcast_to(grid.area(), grid.shape)
    assert (land_mask(grid) * area).sum() / area.sum() == pytest.approx(0.2885, abs=0.004)


def test_antarctica_around_the_pole_and_in_the_corners_of_n09() -> None:
    south = regular(1.0, top=-80.0, shape=(10, 360))
    assert land_mask(south)[-4:].all()
    corners = land_mask(named("N09"))[[0, 0, -1, -1], [0, -1, 0, -1]]
    assert corners.all()  # they lie at 84.6 S
    around_pole = Grid("S", "EPSG:6932", -1e6, 1e6, 1e5, (20, 20))
    assert land_mask(around_pole)[8:12, 8:12].all()


def test_columns_may_begin_anywhere() -> None:
    west, zero = land_mask(regular(0.5)), land_mask(regular(0.5, left=0.0, top=90.0, shape=(360, 720)))
    np.testing.assert_array_equal(np.roll(west, 360, axis=1), zero)


@settings(max_examples=25, deadline=None)
@given(row=st.integers(300, 1600), col=st.integers(300, 1600), rows=st.integers(1, 70), cols=st.integers(1, 70))
def test_a_window_is_cut_from_the_whole(row: int, col: int, rows: int, cols: int) -> None:
    whole = named("N09")
    window = whole.window(slice(row, row + rows), slice(col, col + cols))
    np.testing.assert_array_equal(land_mask(window), _WHOLE[row : row + rows, col : col + cols])


_WHOLE = land_mask(named("N09"))


def test_agrees_with_point_in_polygon_of_matplotlib() -> None:
    grid = named("N09").around(-132.0, 58.5, (40, 40))  # 339 coast cells, 13 islands
    x, y = np.meshgrid(grid.x, grid.y)
    inside = np.zeros(x.size, int)
    for ring in rings_on(grid):
        inside += Outline(ring).contains_points(np.column_stack([x.ravel(), y.ravel()]))
    np.testing.assert_array_equal(land_mask(grid), (inside % 2 == 1).reshape(x.shape))


def test_coast_lines_lie_in_the_window_and_part_land_from_sea() -> None:
    grid = named("N09").around(135.0, 54.5, (64, 64))
    lines, (west, east, _, north) = coast_lines(grid), edges(grid)
    points = np.concatenate(lines)
    assert 100 < len(points) < 2000
    # nothing far away: a segment may leave the window, by its own length
    assert (points[:, 0] > west - 1e5).all() and (points[:, 0] < east + 1e5).all()
    land = land_mask(grid).astype(int)
    row, col = ((north - points[:, 1]) / 9e3).astype(int), ((points[:, 0] - west) / 9e3).astype(int)
    within = (row >= 1) & (row < 63) & (col >= 1) & (col < 63)
    mixed = [np.ptp(land[r - 1 : r + 2, c - 1 : c + 2]) for r, c in zip(row[within], col[within], strict=True)]
    assert np.mean(mixed) > 0.9
    assert coast_lines(named("N09").around(100.0, 62.0, (8, 8))) == []  # inland


def test_demo_window() -> None:
    grid = named("N09").around(135.0, 54.5, (64, 64))
    land, lat = land_mask(grid), grid.lonlat()[1]
    assert land.mean() == pytest.approx(0.839, abs=0.005)
    assert lat.min() > 50 and lat.max() < 65


def test_fast_enough() -> None:
    start = time.perf_counter()
    land_mask(named("N09").around(20.0, 60.0, (64, 64)))
    assert time.perf_counter() - start < 0.3
    start = time.perf_counter()
    land_mask(named("N09"))
    assert time.perf_counter() - start < 20
