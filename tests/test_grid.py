import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from frostline.errors import ConfigError
from frostline.grid import GRIDS, WGS84_AREA, Grid, named, regular

# formats.md 9.4 (pyproj, always_xy, cell centres; M36 also against NSIDC's published binaries)
VECTORS = [
    ("M09", 0, 0, -17363026.4176, 7310036.8030, 84.656418797, -179.953319502),
    ("M09", 811, 1927, -4504.0276, 4504.0276, 0.035305415, -0.046680498),
    ("M09", 300, 2500, 5157111.6078, 4607620.2400, 38.995072919, 53.449170124),
    ("M36", 0, 0, -17349514.3347, 7296524.7202, 83.631975279, -179.813278008),
    ("N09", 999, 999, -4500, 4500, 89.943023238, -135),
    ("N09", 500, 1500, 4504500, 4495500, 30.184538614, 134.942704240),
    ("N09", 1300, 700, -2695500, -2704500, 55.244858426, -44.904507123),
    ("N36", 125, 375, 4518000, 4482000, 30.184042049, 134.770818104),
    ("M25", 0, 0, -17355017.8152, 7294863.2924, 83.517135837, -179.870317003),
    ("ML25", 0, 0, -17321659.775, 7332251.0625, 85.312271116, -179.869843941),
    ("ML25", 100, 900, 5239112.725, 4825498.5625, 40.989308740, 54.403469441),
]


@pytest.mark.parametrize(("name", "row", "col", "x", "y", "lat", "lon"), VECTORS)
def test_published_cell_centres(name, row, col, x, y, lat, lon):
    grid = named(name)
    assert grid.x[col] == pytest.approx(x, abs=6e-5)
    assert grid.y[row] == pytest.approx(y, abs=6e-5)
    cell = grid.window(slice(row, row + 1), slice(col, col + 1))
    (got_lon,), (got_lat,) = (a[0] for a in cell.lonlat())
    assert got_lat == pytest.approx(lat, abs=2e-9)
    assert got_lon == pytest.approx(lon, abs=2e-9)
    assert [int(v) for v in grid.locate(lon, lat)] == [row, col]


def test_inverse_vector_of_the_original_grid():
    row, col = named("ML25").position(-150.0, 75.0)  # formats.md 9.4, from NSIDC's mapx
    assert col == pytest.approx(114.7499865, abs=1e-6)
    assert row == pytest.approx(9.0184252, abs=1e-6)


@given(st.sampled_from(sorted(GRIDS)), st.data())
def test_locate_inverts_lonlat(name, data):
    grid = named(name)
    row = data.draw(st.integers(0, grid.shape[0] - 1))
    col = data.draw(st.integers(0, grid.shape[1] - 1))
    cell = grid.window(slice(row, row + 1), slice(col, col + 1))
    lon, lat = cell.lonlat()
    if np.isfinite(lon).all():
        assert [int(v[0, 0]) for v in grid.locate(lon, lat)] == [row, col]
        assert cell.offset(grid) == (row, col)


def test_the_polar_square_reaches_into_the_southern_hemisphere():
    north = named("N09").north
    assert int(north.sum()) == 3_148_264  # quality.md 3.2, measured
    assert not north[0, 0]


def test_nine_kilometre_cells_nest_in_thirty_six():
    fine, coarse = named("M09"), named("M36")
    assert coarse.step == pytest.approx(4 * fine.step, rel=1e-9)
    assert fine.shape == (4 * coarse.shape[0], 4 * coarse.shape[1])
    assert (fine.left, fine.top) == (coarse.left, coarse.top)


def test_longitude_wraps_on_a_global_grid_and_not_on_a_window():
    amsr2 = regular(0.1, left=0.0, top=90.0)
    era5 = regular(0.25, left=-0.125, top=90.125, shape=(721, 1440))
    assert [int(v) for v in amsr2.locate(-0.05, 89.95)] == [0, 3599]
    assert [int(v) for v in era5.locate(-0.1, 90.0)] == [0, 0]
    assert [int(v) for v in era5.locate(359.9, -90.0)] == [720, 0]
    europe = era5.window(slice(100, 200), slice(0, 40))
    assert [int(v) for v in europe.locate(-20.0, 60.0)] == [-1, -1]
    west = regular(0.25, left=-10.125, top=60.125, shape=(10, 60))
    assert [int(v) for v in west.locate(-10.0, 60.0)] == [0, 0]
    assert [int(v) for v in west.locate(-10.3, 60.0)] == [-1, -1]


def test_points_off_the_grid_and_off_the_world_are_outside():
    n09 = named("N09")
    assert [int(v) for v in n09.locate(0.0, -60.0)] == [-1, -1]
    assert [int(v) for v in n09.locate(np.nan, 60.0)] == [-1, -1]
    assert [int(v) for v in named("M09").locate(0.0, 86.0)] == [-1, -1]
    row, col = n09.locate([0.0, 90.0], [90.0, 90.0])
    assert set(row.tolist()) | set(col.tolist()) <= {999, 1000}


def test_areas_of_a_geographic_grid_add_up_to_the_earth():
    area = regular(0.5).area()
    assert float((area * 720).sum()) == pytest.approx(WGS84_AREA, rel=1e-12)
    # one degree of longitude by one of latitude at the equator, by hand: 510065621.72 km2 / 360 * sin(1 deg) / 2
    one = regular(1.0).window(slice(89, 90), slice(0, 1)).area()
    assert one[0, 0] / 1e6 == pytest.approx(510065621.724 / 720 * 0.017452406437, rel=1e-9)
    assert named("N09").area()[0, 0] == 81e6


def test_windows_are_values_and_refuse_to_leave_the_grid():
    n09 = named("N09")
    a = n09.window(slice(10, 20), slice(30, 50))
    assert a == n09.window(slice(5, 25), slice(20, 60)).window(slice(5, 15), slice(10, 30))
    assert len({a, n09.window(slice(10, 20), slice(30, 50))}) == 1
    assert a.offset(n09) == (10, 30)
    with pytest.raises(ConfigError, match="does not lie within"):
        n09.window(slice(1990, 2010), slice(0, 5))
    with pytest.raises(ConfigError, match="no window of"):
        a.offset(named("M09"))
    with pytest.raises(ConfigError, match="no grid is called"):
        named("N10")


def test_around_holds_its_point_and_stays_inside():
    n09 = named("N09")
    w = n09.around(140.0, 57.0, (64, 64))
    row, col = (int(v) for v in w.locate(140.0, 57.0))
    assert (row, col) == (32, 32)
    edge = n09.around(0.0, 0.3, (64, 64))  # y = -8.98e6: two cells from the lower edge
    assert edge.offset(n09)[0] == 1936
    assert int(edge.locate(0.0, 0.3)[0]) > 50


@pytest.mark.parametrize("grid", [named("M09").window(slice(3, 7), slice(9, 14)), regular(0.5, shape=(4, 6))])
def test_a_dataset_carries_its_grid(grid, tmp_path):
    ds = grid.write(xr.Dataset({"frozen": (("y", "x"), np.zeros(grid.shape, "f4"))}))
    assert Grid.of(ds) == grid
    ds.to_netcdf(tmp_path / "a.nc", engine="h5netcdf")
    with xr.open_dataset(tmp_path / "a.nc", engine="h5netcdf") as back:
        assert Grid.of(back) == grid
        assert back["spatial_ref"].attrs["crs_wkt"]
        assert back["frozen"].attrs["grid_mapping"] == "spatial_ref" or "spatial_ref" in back.coords
    with pytest.raises(ConfigError, match="carries no grid"):
        Grid.of(xr.Dataset())
    with pytest.raises(ConfigError, match="on a grid of"):
        grid.write(xr.Dataset({"a": (("y", "x"), np.zeros((2, 2)))}))
