"""What does not change: elevation (GMTED2010) and IGBP land cover (MODIS) from GeoTIFFs on longitude/latitude.

Formats: formats.md 7. One file or the tiles of a mosaic; each field on its own regular grid.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from frostline.errors import InputError
from frostline.grid import Grid
from frostline.read.common import lazy, need, part
from frostline.read.gate import check_cells, check_codes, inspect_file, reading
from frostline.schema import describe

Array = np.ndarray
WATER = 17  # IGBP of MCD12Q1; MCD12C1 writes 0 for water instead, and neither uses the other's number
LAND_COVER_FILL = 255
NO_ELEVATION = -9000.0  # -9999 and -32768 mark missing where a file names no nodata; no land lies below -500 m
MAX_MOSAIC = 2_000_000_000  # cells: GMTED2010 30" of the globe is 0.9e9

Paths = str | Path | Sequence[str | Path]


def read_elevation(paths: Paths, *, window: Grid | None = None) -> xr.Dataset:
    """`elevation` in m on (y, x) of the tiles' common grid or of `window`, lazy; missing or no tile = NaN.

    Raises InputError: E-INPUT-GRID for a raster that is not north-up longitude/latitude or tiles that do not
    share cells.
    """
    return _read("elevation", paths, window)


def read_land_cover(paths: Paths, *, window: Grid | None = None) -> xr.Dataset:
    """`land_cover`, IGBP codes 1..17 as float32 on (y, x), water always 17 (MCD12C1's 0 too), missing = NaN, lazy.

    Any other code raises E-INPUT-SCHEMA with a histogram: it would be another legend.
    """
    return _read("land_cover", paths, window)


def load_elevation(paths: Paths, *, window: Grid | None = None) -> Array:
    """Elevation at once, (rows, columns) float32."""
    return _load("elevation", *_tiles(paths), window)["elevation"]


def load_land_cover(paths: Paths, *, window: Grid | None = None) -> Array:
    """Land cover at once, (rows, columns) float32."""
    return _load("land_cover", *_tiles(paths), window)["land_cover"]


class Strips:
    """`elevation` or `land_cover` on a window of its grid, sliced like an array (rows, columns): each slice is read.

    For sums over many fine cells: of 30 arc seconds, the northern hemisphere is 2 GB at once.
    """

    def __init__(self, name: str, paths: Paths, window: Grid) -> None:
        self.name, self.grid, self.shape = name, window, window.shape
        self.tiles, self.whole = _tiles(paths)

    def __getitem__(self, key: tuple[Any, ...]) -> Array:
        rows, columns = key[-2:]
        return _load(self.name, self.tiles, self.whole, self.grid.window(rows, columns))[self.name]


def static_grid(paths: Paths, *, region: tuple[float, float, float, float] | None = None) -> Grid:
    """The common grid of the tiles, or the window of it that covers `region` (W, E, S, N) as far as there is data."""
    grid = _tiles(paths)[1]
    if region is None:
        return grid
    west, east, south, north = region
    rows = (int(np.floor((grid.top - north) / grid.step)), int(np.ceil((grid.top - south) / grid.step)))
    cols = (int(np.floor((west - grid.left) / grid.step)), int(np.ceil((east - grid.left) / grid.step)))
    (r0, r1), (c0, c1) = ((max(a, 0), min(b, n)) for (a, b), n in zip((rows, cols), grid.shape, strict=True))
    if r0 >= r1 or c0 >= c1:
        cause = f"the region {region} lies outside the data ({grid.name})"
        raise InputError("E-INPUT-GRID", where=_first(paths), cause=cause, remedy="add the tiles of the region")
    return grid.window(slice(r0, r1), slice(c0, c1))


def _read(name: str, paths: Paths, window: Grid | None) -> xr.Dataset:
    tiles, whole = _tiles(paths)
    grid = window or whole
    part(_first(paths), whole, window)  # refuse now, not when values are asked for
    arrays = lazy(partial(_load, name, tiles, whole, window), [name], grid.shape)
    ds = describe(grid.write(xr.Dataset({name: (("y", "x"), arrays[name])})))
    return ds.assign_attrs(file=", ".join(p.name for p, _ in tiles))


def _tiles(paths: Paths) -> tuple[list[tuple[Path, Grid]], Grid]:
    """Each tile's grid, and the grid that spans them all."""
    listed = [paths] if isinstance(paths, str | Path) else list(paths)
    tiles = [(Path(p), _grid(Path(p))) for p in listed]
    if not tiles:
        raise InputError("E-INPUT-MISSING", cause="no GeoTIFF was given", remedy="give at least one file")
    left, top = min(g.left for _, g in tiles), max(g.top for _, g in tiles)
    right = max(g.left + g.shape[1] * g.step for _, g in tiles)
    bottom = min(g.top - g.shape[0] * g.step for _, g in tiles)
    step = tiles[0][1].step
    shape = (round((top - bottom) / step), round((right - left) / step))
    whole = Grid(f"lonlat-{step:.6g}", "EPSG:4326", left, top, step, shape)
    for path, grid in tiles:
        part(path, whole, grid)  # same step, aligned cells, or E-INPUT-GRID
    return tiles, whole


def _grid(path: Path) -> Grid:
    inspect_file(path, "tiff")
    rasterio = need("rasterio", extra="geo")
    with reading(path), rasterio.open(path) as raster:
        a = raster.transform
        check_cells(path, raster.shape)
        if raster.crs is not None and not raster.crs.is_geographic:
            cause = f"lies in {raster.crs.to_string()[:60]}, not in longitude and latitude"
            raise InputError("E-INPUT-GRID", where=path, cause=cause, remedy="warp it to EPSG:4326 (gdalwarp)")
        if a.b or a.d or a.a <= 0 or a.e >= 0 or abs(a.a + a.e) * max(raster.shape) > 0.01 * a.a:
            cause = f"is not a north-up raster of square cells (transform {tuple(a)[:6]})"
            raise InputError("E-INPUT-GRID", where=path, cause=cause, remedy="warp it to EPSG:4326 (gdalwarp)")
        return Grid(path.stem, "EPSG:4326", float(a.c), float(a.f), float(a.a), raster.shape)


def _load(name: str, tiles: list[tuple[Path, Grid]], whole: Grid, window: Grid | None) -> dict[str, Array]:
    rasterio = need("rasterio", extra="geo")
    at = part(tiles[0][0], whole, window)
    shape = (at.rows.stop - at.rows.start, sum(c.stop - c.start for c in at.cols))
    if shape[0] * shape[1] > MAX_MOSAIC:
        cause = f"{shape[0]} x {shape[1]} cells are too many at once"
        raise InputError("E-INPUT-GRID", where=tiles[0][0], cause=cause, remedy="give a window")
    out = np.full(shape, np.nan, np.float32)
    for path, grid in tiles:
        row, col = round((whole.top - grid.top) / whole.step), round((grid.left - whole.left) / whole.step)
        begin = 0
        for cols in at.cols:
            inside = _overlap(at.rows, cols, row, col, grid.shape)
            if inside is not None:
                (r0, r1), (c0, c1) = inside
                with reading(path), rasterio.open(path) as raster:
                    box = ((r0 - row, r1 - row), (c0 - col, c1 - col))
                    values = _clean(name, path, raster.read(1, window=box), raster.nodata)
                target = out[r0 - at.rows.start : r1 - at.rows.start, begin + c0 - cols.start : begin + c1 - cols.start]
                np.copyto(target, values, where=np.isfinite(values))
            begin += cols.stop - cols.start
    return {name: out}


def _overlap(
    rows: slice, cols: slice, row: int, col: int, shape: tuple[int, int]
) -> tuple[tuple[int, int], tuple[int, int]] | None:
    """Rows and columns that a tile at (row, col) shares with a box, in the whole grid's numbers."""
    r0, r1 = max(rows.start, row), min(rows.stop, row + shape[0])
    c0, c1 = max(cols.start, col), min(cols.stop, col + shape[1])
    return ((r0, r1), (c0, c1)) if r0 < r1 and c0 < c1 else None


def _clean(name: str, path: Path, raw: Array, nodata: Any) -> Array:
    values = raw.astype(np.float32)
    if nodata is not None:
        values[raw == nodata] = np.nan
    if name == "elevation":
        values[values < NO_ELEVATION] = np.nan
        return values
    values[raw == LAND_COVER_FILL] = np.nan
    known = values[np.isfinite(values)]
    check_codes(path, known, tuple(range(WATER + 1)), "land cover")
    values[values == 0] = WATER
    return values


def _first(paths: Paths) -> Path:
    return Path(paths) if isinstance(paths, str | Path) else Path(next(iter(paths), ""))
