"""The layers that do not change: elevation as a GMTED2010 tile, land cover as a GeoTIFF made of MCD12C1."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import xarray as xr

from frostline.errors import ConfigError
from frostline.grid import Grid, regular
from frostline.twin.publish import replacing

Array = np.ndarray
DEM_STEP = 1.0 / 120.0  # 30 arc seconds
DEM_NODATA = -32768
COVER_STEP = 0.05  # MCD12C1's climate modelling grid
COVER_FILL = 255
IGBP_WATER, CMG_WATER = 17, 0  # MCD12C1 calls water 0, MCD12Q1 and our vocabulary 17 (formats.md 7)
STRIP = 128  # rows of 30 arc seconds worked on at once


def write_dem(folder: Path, *, ground: xr.Dataset, grid: Grid, seed: int = 0) -> Path:
    """GMTED2010-like int16 metres at 30 arc seconds over the bounding box of `grid`.

    Each pixel has the `elevation` of the cell it lies in plus noise of standard deviation `terrain_std` whose
    mean over the cell is zero, so that the mean of a cell's pixels is the cell's elevation within rounding.
    Outside the window the nearest edge cell goes on. Cells without elevation (sea) are 0, as GMTED2010 has it.
    The tile is called after the 30 by 20 degree tile of the window's centre (formats.md 7).
    """
    box = bounding_box(grid, DEM_STEP)
    height = np.nan_to_num(np.asarray(ground["elevation"], float)).ravel()
    spread = np.nan_to_num(np.asarray(ground["terrain_std"], float)).ravel()
    total, square, count = (np.zeros(height.size) for _ in range(3))
    for cell, noise, _, inside in _strips(box, grid, seed):
        for sums, values in ((total, noise), (square, noise**2), (count, np.ones_like(noise))):
            sums += np.bincount(cell[inside], values[inside], minlength=height.size)
    mean = total / np.maximum(count, 1.0)
    variance = square / np.maximum(count, 1.0) - mean**2
    scale = np.divide(spread, np.sqrt(np.maximum(variance, 0.0)), out=np.zeros_like(spread), where=variance > 1e-9)
    lon, lat = box.left + box.step * box.shape[1] / 2, box.top - box.step * box.shape[0] / 2
    path = Path(folder) / f"{_tile(lon, lat)}_20101117_gmted_mea300.tif"

    def strips() -> Iterator[tuple[int, Array]]:
        for cell, noise, row, _ in _strips(box, grid, seed):
            metres = height[cell] + (noise - mean[cell]) * scale[cell]
            yield row, np.rint(metres).astype(np.int16).reshape(-1, box.shape[1])

    return geotiff(path, box, "int16", DEM_NODATA, strips())


def write_land_cover(folder: Path, *, ground: xr.Dataset, grid: Grid, year: int = 2016) -> Path:
    """IGBP classes at 0.05 degree as a conversion of MCD12C1 has them: 0 water, 1..16, 255 where nothing is known.

    Each pixel has the `land_cover` of the cell it lies in, 255 outside the window.
    """
    box = bounding_box(grid, COVER_STEP)
    classes = np.asarray(ground["land_cover"]).ravel()
    known = np.isfinite(classes) & (classes >= 1) & (classes <= IGBP_WATER)
    if not known.any():
        raise ConfigError("E-CONFIG", where=folder, cause="the ground has no land cover of IGBP 1..17")
    codes = np.where(known, classes, COVER_FILL).astype(np.uint8)
    codes[codes == IGBP_WATER] = CMG_WATER
    lon, lat = box.lonlat()
    row, col = grid.locate(lon, lat)
    layer = np.where(row >= 0, codes[row * grid.shape[1] + col], COVER_FILL).astype(np.uint8)
    return geotiff(Path(folder) / f"MCD12C1.A{year}001.061.tif", box, "uint8", COVER_FILL, iter([(0, layer)]))


def bounding_box(grid: Grid, step: float) -> Grid:
    """The smallest window of whole `step` degrees that holds all cells of `grid`, with a margin of one step.

    Longitudes run on beyond 180 where the window crosses the date line; a window round the pole spans 360
    degrees. `step` must divide one degree.

    >>> from frostline.grid import named
    >>> box = bounding_box(named("N09").around(179.9, 65.0, (8, 8)), 0.25)
    >>> round(box.left, 2), round(box.left + box.step * box.shape[1], 2)
    (179.0, 181.0)
    """
    lon, lat = grid.lonlat()
    pole = grid.locate(0.0, 90.0)[0] >= 0 and not grid.is_geographic
    middle = float(lon[lon.shape[0] // 2, lon.shape[1] // 2])
    turned = np.mod(lon - middle + 180.0, 360.0) - 180.0 + middle
    per_degree = round(1.0 / step)
    west, south = (math.floor(float(np.min(v)) * per_degree) - 1 for v in (turned, lat))
    east, north = (math.ceil(float(np.max(v)) * per_degree) + 1 for v in (turned, lat))
    if pole or east - west >= 360 * per_degree:
        west, east = -180 * per_degree, 180 * per_degree
    north = 90 * per_degree if pole else min(north, 90 * per_degree)
    south = max(south, -90 * per_degree)
    shape = (north - south, east - west)
    return regular(step, left=west / per_degree, top=north / per_degree, shape=shape, name="box")


def _strips(box: Grid, grid: Grid, seed: int) -> Iterator[tuple[Array, Array, int, Array]]:
    """Of each strip of the box, north to south: flat index of each pixel's nearest cell, standard normal noise, the
    strip's first row, and whether the pixel lies inside that cell."""
    for number, first in enumerate(range(0, box.shape[0], STRIP)):
        part = box.window(slice(first, min(first + STRIP, box.shape[0])), slice(0, box.shape[1]))
        row, col = grid.position(*part.lonlat())
        inside = (np.abs(row - (grid.shape[0] - 1) / 2) < grid.shape[0] / 2).ravel()
        inside &= (np.abs(col - (grid.shape[1] - 1) / 2) < grid.shape[1] / 2).ravel()
        row = np.clip(np.rint(np.nan_to_num(row)), 0, grid.shape[0] - 1).astype(np.int64)
        col = np.clip(np.rint(np.nan_to_num(col)), 0, grid.shape[1] - 1).astype(np.int64)
        noise = np.random.default_rng([seed, number]).standard_normal(row.size, dtype=np.float32)
        yield (row * grid.shape[1] + col).ravel(), noise, first, inside


def _tile(lon: float, lat: float) -> str:
    """Name of the south-west corner of the GMTED2010 tile that holds a point: rows 10, 30, 50, 70 N; every 30 E.

    >>> _tile(129.0, 62.0), _tile(-100.0, 45.0)
    ('50N120E', '30N120W')
    """
    lon = (lon + 180.0) % 360.0 - 180.0
    south, west = math.floor((lat - 10.0) / 20.0) * 20 + 10, math.floor(lon / 30.0) * 30
    return f"{abs(south):02d}{'N' if south >= 0 else 'S'}{abs(west):03d}{'E' if west >= 0 else 'W'}"


def geotiff(path: Path, box: Grid, dtype: str, nodata: int, strips: Iterator[tuple[int, Array]]) -> Path:
    """A GeoTIFF of one band on `box`, written in strips of (first row, values (rows, columns))."""
    import rasterio
    from rasterio.transform import Affine
    from rasterio.windows import Window

    profile = {
        "driver": "GTiff",
        "height": box.shape[0],
        "width": box.shape[1],
        "count": 1,
        "dtype": dtype,
        "nodata": nodata,
        "crs": box.crs,
        "transform": Affine.from_gdal(*box.geotransform),
        "compress": "deflate",
        "blockysize": 16,
    }
    with replacing(path) as part, rasterio.open(part, "w", **profile) as file:
        file.update_tags(AREA_OR_POINT="Area", TIFFTAG_IMAGEDESCRIPTION="frostline twin Earth (simulated)")
        for row, values in strips:
            file.write(values, 1, window=Window(0, row, values.shape[1], values.shape[0]))
    return path
