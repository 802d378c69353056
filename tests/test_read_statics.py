"""GeoTIFFs of elevation and land cover written by hand."""

import numpy as np
import pytest

from frostline.errors import InputError
from frostline.grid import Grid, regular
from frostline.read import READERS
from frostline.read.statics import load_elevation, load_land_cover, read_elevation, read_land_cover, static_grid

rasterio = pytest.importorskip("rasterio")


def write(path, values, *, left, top, step, nodata=None, crs="EPSG:4326", down=True):
    rows, cols = values.shape
    transform = rasterio.transform.Affine(step, 0, left, 0, -step if down else step, top)
    with rasterio.open(
        path, "w", driver="GTiff", height=rows, width=cols, count=1, dtype=values.dtype, crs=crs, transform=transform,
        nodata=nodata, compress="deflate",
    ) as raster:  # fmt: skip
        raster.write(values, 1)
    return path


@pytest.fixture
def tiles(tmp_path):
    """Two tiles side by side and one to the south of the first, as GMTED2010 is cut, 1 degree cells."""
    west = write(tmp_path / "50N000E_mea300.tif", np.full((10, 15), 100, "i2"), left=0, top=60, step=1.0)
    east = write(tmp_path / "50N015E_mea300.tif", np.full((10, 15), 200, "i2"), left=15, top=60, step=1.0)
    values = np.full((10, 15), 300, "i2")
    values[0, :3] = -32768, -9999, -28
    south = write(tmp_path / "40N000E_mea300.tif", values, left=0, top=50, step=1.0)
    return [east, south, west]


def test_a_mosaic_on_the_tiles_common_grid(tiles):
    ds = read_elevation(tiles)
    grid = Grid.of(ds)
    assert (grid.left, grid.top, grid.shape) == (0.0, 60.0, (20, 30))
    assert ds.elevation.chunks is not None
    got = ds.elevation.values
    assert got[0].tolist() == [100.0] * 15 + [200.0] * 15
    assert np.isnan(got[10, :2]).all()
    assert got[10, 2] == -28
    assert np.isnan(got[10:, 15:]).all()  # no tile there
    assert ds.elevation.attrs["units"] == "m"


def test_windows_and_regions(tiles):
    grid = static_grid(tiles, region=(13.5, 17.0, 48.2, 51.0))
    assert (grid.left, grid.top, grid.shape) == (13.0, 51.0, (3, 4))
    got = load_elevation(tiles, window=grid)
    np.testing.assert_array_equal(got, [[100, 100, 200, 200], [300, 300, np.nan, np.nan], [300, 300, np.nan, np.nan]])
    np.testing.assert_array_equal(READERS["elevation"](tiles, window=grid).elevation.values, got)
    with pytest.raises(InputError, match=r"E-INPUT-GRID .*region"):
        static_grid(tiles, region=(100, 110, 0, 10))
    assert static_grid(tiles[0]).shape == (10, 15)


@pytest.mark.parametrize("left", [-180.0, 0.0])
def test_a_window_may_cross_the_rasters_edge(tmp_path, left):
    values = np.tile(np.arange(36, dtype="i2"), (18, 1))
    path = write(tmp_path / "world.tif", values, left=left, top=90, step=10.0)
    window = regular(10.0, left=left - 20.0, top=60.0, shape=(2, 4))
    np.testing.assert_array_equal(load_elevation(path, window=window), [[34, 35, 0, 1]] * 2)


def test_both_numberings_of_water_and_missing(tmp_path):
    c1 = np.array([[0, 1, 16], [255, 15, 11]], "u1")  # MCD12C1: 0 = water
    q1 = np.array([[17, 1, 16], [255, 15, 11]], "u1")  # MCD12Q1: 17 = water
    expected = np.array([[17, 1, 16], [np.nan, 15, 11]])
    for name, codes, nodata in (("c1", c1, None), ("q1", q1, 255)):
        path = write(tmp_path / f"{name}.tif", codes, left=-180, top=90, step=0.05, nodata=nodata)
        np.testing.assert_array_equal(load_land_cover(path), expected)
        np.testing.assert_array_equal(read_land_cover(path).land_cover.values, expected)
    tagged = write(tmp_path / "zero.tif", c1, left=-180, top=90, step=0.05, nodata=0)
    assert np.isnan(load_land_cover(tagged)[0, 0])


def test_faults(tmp_path, tiles):
    other = write(tmp_path / "clcd.tif", np.array([[20, 30], [1, 1]], "u1"), left=0, top=10, step=1.0)
    with pytest.raises(InputError, match=r"E-INPUT-SCHEMA .*clcd\.tif.*1: 2, 20: 1, 30: 1"):
        load_land_cover(other)
    for name, options, word in (
        ("albers.tif", {"crs": "EPSG:6933"}, "longitude and latitude"),
        ("south.tif", {"down": False}, "north-up"),
    ):
        path = write(tmp_path / name, np.ones((4, 4), "i2"), left=0, top=10, step=1.0, **options)
        with pytest.raises(InputError, match=f"E-INPUT-GRID .*{name}.*{word}"):
            read_elevation(path)
    shifted = write(tmp_path / "half.tif", np.ones((10, 15), "i2"), left=15.5, top=60, step=1.0)
    with pytest.raises(InputError, match="E-INPUT-GRID"):
        read_elevation([tiles[2], shifted])
    with pytest.raises(InputError, match="E-INPUT-MISSING"):
        read_elevation([])
    whole = tiles[0].read_bytes()
    tiles[0].write_bytes(whole[: len(whole) // 3])
    with pytest.raises(InputError, match=tiles[0].name):
        load_elevation(tiles[0])
