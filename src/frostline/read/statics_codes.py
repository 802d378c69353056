"""Maps of classes: China's land cover CLCD, Koeppen-Geiger climates in both published forms, and the user's own maps.

The user's own (permafrost stability, regions) come as a raster or as polygons with a table of codes. formats.md 7.
"""

from __future__ import annotations

import csv
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from frostline.errors import InputError
from frostline.grid import Grid, regular
from frostline.read.common import need, part
from frostline.read.gate import check_cells, inspect_file, reading
from frostline.read.polygons import plain, rasterise, read_polygons

Array = np.ndarray
# Yang & Huang 2021, by formats.md 7; 0 for no data is unverified
CLCD = {1: "cropland", 2: "forest", 3: "shrub", 4: "grassland", 5: "water", 6: "snow_ice", 7: "barren",
        8: "impervious", 9: "wetland"}  # fmt: skip
# Our code of a climate is its place here, from 1: Beck's order, and As, which only Kottek has, at the end
CLIMATES = (
    "Af", "Am", "Aw", "BWh", "BWk", "BSh", "BSk", "Csa", "Csb", "Csc", "Cwa", "Cwb", "Cwc", "Cfa", "Cfb", "Cfc",
    "Dsa", "Dsb", "Dsc", "Dsd", "Dwa", "Dwb", "Dwc", "Dwd", "Dfa", "Dfb", "Dfc", "Dfd", "ET", "EF", "As",
)  # fmt: skip
NO_CLIMATE = ("Ocean", "")
LEGEND = re.compile(r"^\s*(\d+)\s*:\s+([A-E][A-Za-z]{1,2})\s", re.MULTILINE)
KOTTEK = regular(0.5, name="climate-0.5")
CHUNK = 2048  # rows and columns to a chunk
TIFF = (".tif", ".tiff")


def read_clcd(path: str | Path, *, window: Grid | None = None, every: int = 1) -> xr.Dataset:
    """`land_cover_clcd` (y, x), codes 1..9 as float32, NaN = none, lazy, on the file's own grid (Albers, 30 m).

    `every` n takes the middle one of n x n pixels, on a grid n times as coarse: all of China at 30 m is 2e10 cells.
    `window` is a part of that grid. Attributes flag_values and flag_meanings hold the legend. Raises InputError.
    """
    path = Path(path)
    year = re.search(r"(?<!\d)(?:19|20)\d\d(?!\d)", path.stem)
    attrs = {"source": "CLCD", "year": year[0]} if year else {"source": "CLCD"}
    lookup = {float(k): float(k) for k in CLCD} | {0.0: np.nan}
    return _raster("land_cover_clcd", path, lookup, tuple(CLCD.values()), window, every).assign_attrs(attrs)


def read_koppen(path: str | Path, *, legend: str | Path | None = None, window: Grid | None = None) -> xr.Dataset:
    """`climate` (y, x): the place in `CLIMATES`, from 1, as float32; NaN = ocean or unknown.

    Kottek's table (Lat Lon Cls by blanks or commas, 0.5 degree centres), or Beck's GeoTIFF with its `legend`
    (default: legend.txt beside it). Raises InputError: E-INPUT-SCHEMA for a class or code that is none.
    """
    path = Path(path)
    numbers = {name: float(i) for i, name in enumerate(CLIMATES, 1)}
    if path.suffix.lower() not in TIFF:
        values = _kottek(path, numbers)
        at = part(path, KOTTEK, window)
        ds = _described("climate", at.of(values), window or KOTTEK, CLIMATES, path)
        return ds.assign_attrs(source="Koeppen-Geiger, Kottek et al. 2006")
    legend = Path(legend) if legend is not None else path.with_name("legend.txt")
    inspect_file(legend, "text")
    with reading(legend):
        named = {int(code): name for code, name in LEGEND.findall(legend.read_text("latin-1") + "\n")}
    unknown = [n for n in named.values() if n not in numbers]
    if not named or unknown:
        cause = f"names no climate it should ({', '.join(unknown)})" if unknown else "holds no line like '1:  Af  ...'"
        raise InputError("E-INPUT-SCHEMA", where=legend, cause=cause, remedy="give the legend of the archive")
    lookup = {float(code): numbers[name] for code, name in named.items()} | {0.0: np.nan}
    ds = _raster("climate", path, lookup, CLIMATES, window)
    return ds.assign_attrs(source="Koeppen-Geiger, Beck et al.")


def climate_group(codes: Any) -> Array:
    """Main group of `climate` codes, 1..5 for A tropical, B arid, C temperate, D cold, E polar; NaN stays.

    >>> climate_group(np.array([1.0, 7.0, 27.0, 31.0, np.nan])).tolist()
    [1.0, 2.0, 4.0, 1.0, nan]
    """
    table = np.array([np.nan] + ["ABCDE".index(name[0]) + 1.0 for name in CLIMATES])
    codes = np.asarray(codes, float)
    return table[np.where(np.isfinite(codes), codes, 0).astype(int)]


def read_classes(
    path: str | Path,
    *,
    codes: str | Path | Mapping[Any, str],
    name: str = "classes",
    field: str | None = None,
    grid: Grid | None = None,
    window: Grid | None = None,
) -> xr.Dataset:
    """`name` (y, x): the user's classes, 1..n in the order of the table as float32, NaN = none.

    `codes` says what a raster's numbers or a polygon attribute's values mean: a mapping, a TOML file with a table
    [classes] of `value = "class"`, or a CSV with columns value and class (or name); several values may mean one
    class, and "" means none. A GeoTIFF stays on its own grid (or `window` of it), lazy. Polygons (.geojson, .json,
    .shp) need `field` and the `grid` whose cells' centres are looked up. A value that is not in the table raises
    E-INPUT-SCHEMA.
    """
    path = Path(path)
    table = code_table(codes)
    names = tuple(dict.fromkeys(v for v in table.values() if v))
    places = {value: float(names.index(v) + 1) if v else np.nan for value, v in table.items()}
    if path.suffix.lower() in TIFF:
        try:
            lookup = {float(value): code for value, code in places.items()}
        except ValueError as error:
            cause = f"a raster holds numbers, the table of codes does not ({error})"
            raise InputError("E-INPUT-SCHEMA", where=path, cause=cause, remedy="give the raster's codes") from error
        return _raster(name, path, lookup, names, window)
    if grid is None or field is None:
        cause = "polygons need a grid and the attribute (`field`) that tells their class"
        raise InputError("E-INPUT-SCHEMA", where=path, cause=cause, remedy="give grid and field")
    polygons, crs = read_polygons(path, field)
    strange = sorted({p.value for p in polygons} - set(places))
    if strange:
        cause = f"{field} holds {', '.join(map(repr, strange[:8]))}, which the table of codes has not"
        raise InputError("E-INPUT-SCHEMA", where=path, cause=cause, remedy="complete the table of codes")
    values = rasterise(polygons, crs, {v: int(c) for v, c in places.items() if np.isfinite(c)}, grid)
    return _described(name, np.where(values > 0, values, np.nan).astype(np.float32), grid, names, path)


def code_table(codes: str | Path | Mapping[Any, str]) -> dict[str, str]:
    """Class by value, both as text, in the table's order; see `read_classes`."""
    if isinstance(codes, Mapping):
        return {plain(k): str(v).strip() for k, v in codes.items()}
    path = Path(codes)
    inspect_file(path, "text")
    with reading(path):
        text = path.read_text("utf-8-sig")
        if path.suffix.lower() == ".toml":
            return code_table(tomllib.loads(text)["classes"])
        rows = list(csv.DictReader(text.splitlines(), skipinitialspace=True))
        column = "class" if rows and "class" in rows[0] else "name"
        if rows:
            return code_table({row["value"]: row[column] or "" for row in rows})
    raise InputError("E-INPUT-SCHEMA", where=path, cause="the table of codes is empty", remedy="give value and class")


def _kottek(path: Path, numbers: Mapping[str, float]) -> Array:
    """(360, 720) float32 of a table with one row per land cell."""
    inspect_file(path, "text")
    with reading(path):
        rows = [re.split(r"[,;\s]+", line.replace('"', "").strip()) for line in path.read_text("latin-1").splitlines()]
    rows = [row for row in rows if row != [""]]
    if not rows or [n.lower() for n in rows[0][-3:]] != ["lat", "lon", "cls"]:
        cause = f"its first line is {' '.join(rows[0])[:40]!r}, not Lat Lon Cls" if rows else "holds no line"
        raise InputError("E-INPUT-TEXT", where=path, cause=cause, remedy="give Koeppen-Geiger-ASCII.txt")
    out = np.full(KOTTEK.shape, np.nan, np.float32)
    with reading(path):
        lat, lon = np.array([row[-3:-1] for row in rows[1:]], float).T
        names = [row[-1] for row in rows[1:]]
    strange = sorted({n for n in names if n not in numbers and n not in NO_CLIMATE})
    if strange:
        cause = f"holds {', '.join(map(repr, strange[:8]))}, which are no climates"
        raise InputError("E-INPUT-SCHEMA", where=path, cause=cause, remedy="check the table")
    row, col = KOTTEK.position(lon, lat)
    off = max(float(np.abs(row - np.rint(row)).max()), float(np.abs(col - np.rint(col)).max()))
    if off > 0.01 or float(np.abs(lat).max()) > 90:
        cause = "its places are not the centres of 0.5 degree cells"
        raise InputError("E-INPUT-GRID", where=path, cause=cause, remedy="give the 0.5 degree table")
    out[np.rint(row).astype(int), np.rint(col).astype(int)] = [numbers.get(n, np.nan) for n in names]
    return out


@dataclass(frozen=True, eq=False)
class _Raster:
    """A GeoTIFF's first band, sliced like an array: codes through `lookup` as float32, `every` pixel of it."""

    path: Path
    shape: tuple[int, int]
    every: int
    lookup: Mapping[float, float]
    dtype = np.dtype(np.float32)
    ndim = 2

    def __getitem__(self, key: tuple[slice, slice]) -> Array:
        rasterio = need("rasterio", extra="geo")
        (r0, r1, _), (c0, c1, _) = (s.indices(n) for s, n in zip(key, self.shape, strict=True))
        n, size = self.every, (max(r1 - r0, 0), max(c1 - c0, 0))
        check_cells(self.path, size)
        with reading(self.path), rasterio.open(self.path) as raster:
            box = ((r0 * n, r1 * n), (c0 * n, c1 * n))
            raw = raster.read(1, window=box, out_shape=size) if n > 1 else raster.read(1, window=box)
            nodata = raster.nodata
        codes, place, counts = np.unique(raw, return_inverse=True, return_counts=True)
        table = {**({} if nodata is None else {float(nodata): np.nan}), **self.lookup}
        strange = [i for i, c in enumerate(codes) if float(c) not in table and np.isfinite(c)]
        if strange:
            shown = ", ".join(f"{codes[i]:g}: {counts[i]}" for i in strange[:12])
            cause = f"holds codes that its legend has not; counts by code: {shown}"
            raise InputError("E-INPUT-SCHEMA", where=self.path, cause=cause, remedy="check product and legend")
        new = np.array([table.get(float(c), np.nan) for c in codes], np.float32)
        return new[place.reshape(raw.shape)]


def _raster(
    name: str,
    path: Path,
    lookup: Mapping[float, float],
    names: tuple[str, ...],
    window: Grid | None,
    every: int = 1,
) -> xr.Dataset:
    import dask.array as da

    inspect_file(path, "tiff")
    rasterio = need("rasterio", extra="geo")
    with reading(path), rasterio.open(path) as raster:
        a, crs, pixels = raster.transform, raster.crs, raster.shape
        if crs is None or a.b or a.d or a.a <= 0 or abs(a.a + a.e) * max(pixels) > 0.01 * a.a:
            cause = f"is not a north-up raster of square cells with a coordinate system (transform {tuple(a)[:6]})"
            raise InputError("E-INPUT-GRID", where=path, cause=cause, remedy="warp it (gdalwarp)")
        code = "EPSG:4326" if crs.is_geographic else f"EPSG:{crs.to_epsg()}" if crs.to_epsg() else crs.to_wkt()
    shape = (pixels[0] // every, pixels[1] // every)
    grid = Grid(path.stem, code, float(a.c), float(a.f), float(a.a) * every, shape)
    at = part(path, grid, window)
    whole = da.from_array(_Raster(path, shape, every, lookup), chunks=CHUNK, name=False, asarray=False)
    values = da.concatenate([whole[at.rows, c] for c in at.cols], axis=1)
    return _described(name, values, window or grid, names, path)


def _described(name: str, values: Any, grid: Grid, names: tuple[str, ...], path: Path) -> xr.Dataset:
    ds = grid.write(xr.Dataset({name: (("y", "x"), values)}))
    meanings = " ".join(re.sub(r"\s+", "_", n) for n in names)
    ds[name].attrs.update(flag_values=np.arange(1.0, len(names) + 1, dtype="f4"), flag_meanings=meanings, units="1")
    return ds.assign_attrs(file=path.name)
