"""What several readers share: the part of a field to read, lazy arrays, decoded times, lists of files."""

from __future__ import annotations

import importlib
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import xarray as xr

from frostline.errors import ConfigError, InputError
from frostline.grid import Grid
from frostline.read.inflate import cells
from frostline.schema import coordinates, describe

Array = np.ndarray
ALIGNED = 1e-2  # of a cell: how far a window may lie off the file's cells
MILLISECONDS = {"seconds": 1e3, "minutes": 6e4, "hours": 3.6e6, "days": 8.64e7}


@dataclass(frozen=True)
class Found:
    """One file of a product, by what its name says. `date` is the file's date (datetime64[D])."""

    path: Path
    date: np.datetime64
    overpass: int
    channel: str
    grid: str
    version: str

    @property
    def key(self) -> tuple[np.datetime64, int, str, str]:
        """What makes two files duplicates."""
        return (self.date, self.overpass, self.channel, self.grid)


@dataclass(frozen=True)
class Listing:
    """Files of a folder: one per key, those an equal key with a newer version replaced, those left aside.

    `ignored` pairs each other file with the reason; nothing is dropped in silence.
    """

    found: tuple[Found, ...]
    superseded: tuple[Found, ...]
    ignored: tuple[tuple[Path, str], ...]

    def __iter__(self) -> Iterator[Found]:
        return iter(self.found)

    def __len__(self) -> int:
        return len(self.found)

    def table(self) -> dict[str, list[Any]]:
        """Columns path, date, overpass, channel, grid, version: ready for a DataFrame."""
        names = ("path", "date", "overpass", "channel", "grid", "version")
        return {n: [getattr(f, n) for f in self.found] for n in names}


def listing(folder: str | Path, parse: Callable[[Path], Found | str], suffixes: tuple[str, ...]) -> Listing:
    """All files below `folder` through `parse`, which gives a Found or the reason why the file is left aside.

    Of equal keys the newest version stays (numbers compared as numbers). Files with other suffixes are counted
    as ignored too. An absent folder is an error; an empty one is an empty listing.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError("E-INPUT-MISSING", where=folder, cause="no such folder", remedy="check the path")
    best: dict[Any, Found] = {}
    superseded: list[Found] = []
    ignored: list[tuple[Path, str]] = []
    for path in files_below(folder):
        got = parse(path) if path.name.endswith(suffixes) else "not a file of this product"
        if isinstance(got, str):
            ignored.append((path, got))
            continue
        held = best.get(got.key)
        if held is None:
            best[got.key] = got
        else:
            old, new = sorted((held, got), key=lambda f: (_version(f.version), f.path.name))
            best[got.key] = new
            superseded.append(old)
    found = sorted(best.values(), key=lambda f: (f.date, f.overpass, f.channel, f.grid))
    return Listing(tuple(found), tuple(superseded), tuple(ignored))


def files_below(folder: Path) -> Iterator[Path]:
    """Every file under a folder, in a fixed order; hidden ones are left out."""
    for root, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            if not name.startswith("."):
                yield Path(root, name)


def date_of(text: str) -> np.datetime64 | None:
    """Date of YYYYMMDD or YYYYDDD; None when there is no such day (day 366 of 2015, 30 February).

    >>> str(date_of("2016366")), date_of("2015366"), str(date_of("20160229")), date_of("20150229")
    ('2016-12-31', None, '2016-02-29', None)
    """
    try:
        if len(text) == 8:
            return np.datetime64(f"{text[:4]}-{text[4:6]}-{text[6:]}", "D")
        date = np.datetime64(f"{text[:4]}-01-01", "D") + np.timedelta64(int(text[4:]) - 1, "D")
        same_year = str(date)[:4] == text[:4] and int(text[4:]) > 0
        return date if same_year else None
    except ValueError:
        return None


def decode_times(path: str | Path, values: Array, units: str) -> Array:
    """Instants, datetime64[ns], of numbers `values` in CF `units` ("hours since 1900-01-01 00:00:00.0").

    Gregorian calendar, to the millisecond. Raises E-INPUT-TIME for units of another form.
    """
    match = re.match(r"\s*(seconds|minutes|hours|days)\s+since\s+(\d{4}-\d\d?-\d\d?)(?:[T ]+(\d\d?:\d\d:\d\d))?", units)
    if match is None:
        raise InputError("E-INPUT-TIME", where=path, cause=f"cannot read the time units {units!r}")
    unit, date, clock = match.groups()
    date = "-".join(f"{int(part):02d}" for part in date.split("-"))
    hour = "T" + ("0" + clock)[-8:] if clock else ""
    shift = np.round(np.asarray(values, "float64") * MILLISECONDS[unit]).astype("timedelta64[ms]")
    return (np.datetime64(date + hour, "ms") + shift).astype("datetime64[ns]")


@dataclass(frozen=True)
class Part:
    """Rows and column pieces of a field that make one window; two pieces where it crosses the file's edge."""

    rows: slice
    cols: tuple[slice, ...]

    def of(self, field: Any, *, before: tuple[Any, ...] = ()) -> Array:
        """The window of an array-like of (…, rows, columns), reading only its cells."""
        pieces = [cells(field, before, self.rows, c) for c in self.cols]
        return pieces[0] if len(pieces) == 1 else np.concatenate(pieces, axis=-1)


def part(path: str | Path, grid: Grid, window: Grid | None) -> Part:
    """Which part of a file on `grid` makes `window` (None: all of it).

    Longitudes count modulo 360, so a window around 0 E may be asked of a file that begins there. Raises
    E-INPUT-GRID when the window's cells are not the file's cells.
    """
    if window is None or window == grid:
        return Part(slice(0, grid.shape[0]), (slice(0, grid.shape[1]),))
    row, col = (grid.top - window.top) / grid.step, (window.left - grid.left) / grid.step
    r, c, (height, width), columns = round(row), round(col), window.shape, grid.shape[1]
    if grid.wraps:
        c %= columns
    fits = r >= 0 and r + height <= grid.shape[0] and c >= 0 and (c + width <= columns or grid.wraps)
    aligned = max(abs(row - r), abs(col - round(col))) < ALIGNED and abs(window.step - grid.step) < 1e-5 * grid.step
    if window.crs != grid.crs or not fits or not aligned or width > columns:
        cause = f"the window {window.name} {window.geotransform} {window.shape} is no part of the file's {grid.name} "
        cause += f"{grid.geotransform} {grid.shape}"
        raise InputError("E-INPUT-GRID", where=path, cause=cause, remedy="take the window from the file's own grid")
    end = c + width
    cols = (slice(c, end),) if end <= columns else (slice(c, columns), slice(0, end - columns))
    return Part(slice(r, r + height), cols)


def lazy(load: Callable[[], Mapping[str, Array]], names: Iterable[str], shape: tuple[int, ...]) -> dict[str, Any]:
    """Dask arrays of one chunk each, float32, all from one delayed call of `load`."""
    import dask.array as da
    from dask import delayed

    loaded = delayed(load, pure=False)()
    return {n: da.from_delayed(loaded[n], shape=shape, dtype=np.float32) for n in names}


def field_dataset(
    arrays: Mapping[str, Any], grid: Grid, *, date: np.datetime64, overpass: int, attrs: Mapping[str, Any]
) -> xr.Dataset:
    """One overpass of one date as a dataset on (time, overpass, y, x) with the grid and the vocabulary's units."""
    dims = ("time", "overpass", "y", "x")
    ds = xr.Dataset({n: (dims, a[None, None]) for n, a in arrays.items()})
    return describe(grid.write(coordinates(ds, time=[date], overpass=[overpass]))).assign_attrs(dict(attrs))


def need(module: str, *, extra: str) -> ModuleType:
    """An optional library, or one line that says how to install it."""
    try:
        return importlib.import_module(module)
    except ImportError:
        cause = f"reading this kind of file needs {module}"
        remedy = f"pip install 'frostline[{extra}]'"
        raise ConfigError("E-CONFIG", cause=cause, remedy=remedy) from None


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(n) for n in re.findall(r"\d+", text))
