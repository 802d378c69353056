"""Elevation and land cover tiles: means of cells, codes, names, places."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from frostline.errors import ConfigError
from frostline.grid import named
from frostline.twin.write_statics import _tile, bounding_box, write_dem, write_land_cover

rasterio = pytest.importorskip("rasterio")
GRID = named("N09").around(129.0, 62.0, (12, 16))


def ground() -> xr.Dataset:
    rng = np.random.default_rng(3)
    dims, shape = ("y", "x"), GRID.shape
    height, cover = rng.uniform(0.0, 3000.0, shape), rng.integers(1, 18, shape)
    height[0, 0], cover[0, 0] = np.nan, 17
    return xr.Dataset(
        {
            "elevation": (dims, height),
            "terrain_std": (dims, rng.uniform(0.0, 300.0, shape)),
            "land_cover": (dims, cover),
        }
    )


def pixels(path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Values and the (row, column) of the cell that holds each pixel's centre, by the file's own transform."""
    with rasterio.open(path) as file:
        assert file.crs.to_epsg() == 4326
        values, affine = file.read(1), file.transform
    lon = affine.c + (np.arange(values.shape[1]) + 0.5) * affine.a
    lat = affine.f + (np.arange(values.shape[0]) + 0.5) * affine.e
    return values, *GRID.locate(*np.meshgrid(lon, lat))


def test_the_mean_over_a_cell_is_its_elevation(tmp_path):
    truth = ground()
    path = write_dem(tmp_path, ground=truth, grid=GRID)
    assert path.name == "50N120E_20101117_gmted_mea300.tif"
    values, row, col = pixels(path)
    assert values.dtype == np.int16
    inside = row >= 0
    cell = row[inside] * GRID.shape[1] + col[inside]
    count = np.bincount(cell, minlength=192)
    mean = np.bincount(cell, values[inside], minlength=192) / count
    assert count.min() > 50
    height, spread = (np.nan_to_num(truth[n].values).ravel() for n in ("elevation", "terrain_std"))
    inner = np.zeros(GRID.shape, bool)  # the edge cells go on outside, where their noise is balanced too
    inner[1:-1, 1:-1] = True
    assert np.abs(mean - height)[inner.ravel()].max() < 0.1  # rounding to whole metres only
    std = np.sqrt(np.bincount(cell, (values[inside] - mean[cell]) ** 2, minlength=192) / count)
    np.testing.assert_allclose(std[inner.ravel()], spread[inner.ravel()], atol=0.3)
    assert np.abs(mean - height).max() < 60.0
    with rasterio.open(path) as file:
        assert file.res == pytest.approx((1 / 120, 1 / 120)) and file.nodata == -32768
        assert (np.round(np.array(file.bounds) * 120, 6) % 1 == 0).all()


def test_land_cover_codes(tmp_path):
    path = write_land_cover(tmp_path, ground=ground(), grid=GRID, year=2019)
    assert path.name == "MCD12C1.A2019001.061.tif"
    values, row, col = pixels(path)
    truth = ground()["land_cover"].values
    inside = row >= 0
    expected = truth[row[inside], col[inside]]
    assert (values[inside] == np.where(expected == 17, 0, expected)).all()
    assert (values[~inside] == 255).all() and (~inside).any()
    with rasterio.open(path) as file:
        assert file.dtypes == ("uint8",) and file.nodata == 255


def test_twice_the_same_bytes(tmp_path):
    first = write_dem(tmp_path / "a", ground=ground(), grid=GRID).read_bytes()
    assert write_dem(tmp_path / "b", ground=ground(), grid=GRID).read_bytes() == first


def test_land_cover_must_be_igbp(tmp_path):
    with pytest.raises(ConfigError, match="IGBP"):
        write_land_cover(tmp_path, ground=ground() * 0, grid=GRID)


def test_tiles_by_hand():
    # corners: 30 degrees wide from 180 W, 20 degrees tall from 10 N
    assert _tile(120.0, 50.0) == "50N120E" and _tile(119.99, 49.99) == "30N090E"
    assert _tile(-0.1, 75.0) == "70N030W" and _tile(181.0, 5.0) == "10S180W"


@pytest.mark.parametrize(("lon", "lat"), [(0.0, 89.9), (179.99, 60.0), (-150.0, 65.0), (10.0, 0.5)])
def test_the_box_holds_every_cell(lon, lat):
    grid = named("N09").around(lon, lat, (20, 24))
    box = bounding_box(grid, 0.25)
    row, col = box.locate(*grid.lonlat())
    assert row.min() >= 0 and col.min() >= 0
    assert (box.left * 4) % 1 == 0 and (box.top * 4) % 1 == 0
    if lat > 89:
        assert box.top == 90.0 and box.shape[1] == 1440
    else:
        assert box.shape[1] < 100
