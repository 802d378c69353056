"""A record at points: a row for each date, overpass and site, its class in words and its quality flags one by one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import ArrayLike
from pyproj import Geod

from frostline.clock import OVERPASS_NAMES
from frostline.errors import ConfigError
from frostline.grid import Grid
from frostline.schema import QUALITY, RECORD, check

Array = np.ndarray
CLASSES = ("frozen", "thawed", "tie", "unknown")
TILE = 500  # cells: the side of the chunks of stores and exports, of which no more are read than hold sites
NO_AGE = 255
_BLOCK_VALUES = 1 << 22  # values of one variable in memory at once
_BLOCK_ROWS = 1 << 18  # rows of a table


class Cells(NamedTuple):
    """Where sites lie on a grid: row and column of the cell (-1 outside), its centre (degrees), distance to it (km)."""

    row: Array
    col: Array
    lon: Array
    lat: Array
    distance: Array


def extract(
    record: xr.Dataset,
    *,
    names: Sequence[str],
    lon: ArrayLike,
    lat: ArrayLike,
    start: str | None = None,
    end: str | None = None,
    overpasses: Sequence[int] | None = None,
) -> Iterator[pd.DataFrame]:
    """Tables of a record at sites, a block of days each, rows by date, overpass and site in the order given.

    `lon`, `lat` (site,) in degrees. `start` and `end` (YYYY-MM-DD, both included) and codes of `overpasses` choose.
    The value is that of the cell that contains the site; nothing is interpolated. Columns:

    - `site`, `date` (local, datetime64), `overpass` (am, pm, daily);
    - `frozen_probability` 0..1, NaN unknown; `class`: frozen above 0.5, thawed below, `tie` at it, `unknown`;
    - `quality`, the flag bits as they are, and a column of bool for each name in `schema.QUALITY`; `age_days`, the
      oldest input's gap age, empty where there is none. Each only where the record has the variable;
    - `lon`, `lat` of the site, `in_grid`, `cell_lon`, `cell_lat` and `distance_km` (geodesic) of the cell's
      centre, to a meter; `leak`, true throughout, only of a record that carries that mark.

    A site outside the grid keeps its rows: unknown, `outside_domain`, no cell. Held: a block of days of the tiles that
    hold sites. Raises ConfigError where dates or overpasses choose nothing, SchemaError for what is no record.
    """
    grid = Grid.of(check(record, RECORD, values=False))
    cells = locate(grid, lon, lat)
    days = _days(record, start, end)
    codes = [int(c) for c in record["overpass"].values]
    wanted = codes if overpasses is None else [c for c in codes if c in set(overpasses)]
    if not wanted:
        has = ", ".join(OVERPASS_NAMES[c] for c in codes)
        raise ConfigError("E-CONFIG", where="overpass", cause="the record has none of those", remedy=f"it has {has}")
    about = {
        "lon": np.asarray(lon, float),
        "lat": np.asarray(lat, float),
        "in_grid": cells.row >= 0,
        "cell_lon": cells.lon.round(6),
        "cell_lat": cells.lat.round(6),
        "distance_km": cells.distance.round(3),
    }
    if record.attrs.get("leak"):
        about["leak"] = np.ones(len(cells.row), bool)
    chosen = record.isel(time=days, overpass=[codes.index(c) for c in wanted])
    return _tables(chosen, np.asarray(names, dtype=object), cells, about)


def locate(grid: Grid, lon: ArrayLike, lat: ArrayLike) -> Cells:
    """The cells that contain points (site,) in degrees.

    >>> from frostline.grid import regular
    >>> found = locate(regular(1.0), [179.9, -179.9], [0.5, 0.5])
    >>> found.col.tolist(), found.lon.tolist(), found.distance.round(1).tolist()
    ([359, 0], [179.5, -179.5], [44.5, 44.5])
    """
    lon, lat = np.atleast_1d(np.asarray(lon, float)), np.atleast_1d(np.asarray(lat, float))
    row, col = grid.locate(lon, lat)
    centre = np.full((2, len(lon)), np.nan)
    for r, c in sorted({(int(r), int(c)) for r, c in zip(row, col, strict=True) if r >= 0}):
        at = (row == r) & (col == c)
        centre[:, at] = np.array(grid.window(slice(r, r + 1), slice(c, c + 1)).lonlat()).reshape(2, 1)
    inside = row >= 0
    distance = np.full(len(lon), np.nan)
    _, _, metres = Geod(ellps="WGS84").inv(lon[inside], lat[inside], *centre[:, inside])
    distance[inside] = np.asarray(metres) / 1000
    return Cells(row, col, centre[0], centre[1], distance)


def _days(record: xr.Dataset, start: str | None, end: str | None) -> slice:
    """The days from `start` to `end` as a slice of the record's time."""
    dates = record["time"].values.astype("datetime64[D]")
    ends = [_date(text, name) for text, name in ((start, "start"), (end, "end"))]
    first = 0 if ends[0] is None else int(np.searchsorted(dates, ends[0]))
    last = len(dates) if ends[1] is None else int(np.searchsorted(dates, ends[1], side="right"))
    if last <= first:
        has = f"{dates[0]} to {dates[-1]}" if len(dates) else "no day"
        cause = f"no day of the record lies from {start or 'its first'} to {end or 'its last'}"
        raise ConfigError("E-CONFIG", where="start, end", cause=cause, remedy=f"it has {has}")
    return slice(first, last)


def _date(text: str | None, name: str) -> np.datetime64 | None:
    if text is None:
        return None
    try:
        return np.datetime64(str(pd.Timestamp(text).date()), "D")
    except (ValueError, TypeError):
        cause = f"{text!r} is no date"
        raise ConfigError("E-CONFIG", where=name, cause=cause, remedy="write it as YYYY-MM-DD") from None


def _tables(record: xr.Dataset, names: Array, cells: Cells, about: dict[str, Array]) -> Iterator[pd.DataFrame]:
    tiles = _tiles(cells)
    passes, sites = record.sizes["overpass"], len(names)
    area = max(((rows.stop - rows.start) * (cols.stop - cols.start) for rows, cols, _ in tiles), default=1)
    step = max(1, min(_BLOCK_VALUES // (area * passes), _BLOCK_ROWS // (sites * passes)))
    dates = record["time"].values.astype("datetime64[D]").astype("datetime64[s]")
    halves = np.array([OVERPASS_NAMES[int(c)] for c in record["overpass"].values], dtype=object)
    for begin in range(0, len(dates), step):
        some = record.isel(time=slice(begin, begin + step))
        days = some.sizes["time"]
        shape = (days, passes, sites)
        p = _taken(some["frozen"], cells, tiles, np.float32(np.nan)).ravel()
        table: dict[str, object] = {
            "site": np.broadcast_to(names, shape).ravel(),
            "date": np.repeat(dates[begin : begin + days], passes * sites),
            "overpass": np.broadcast_to(halves[:, None], shape).ravel(),
            "frozen_probability": p,
            "class": np.array(CLASSES, dtype=object)[np.select([p > 0.5, p < 0.5, p == 0.5], [0, 1, 2], 3)],
        }
        if "quality" in some:
            bits = _taken(some["quality"], cells, tiles, np.uint16(QUALITY["outside_domain"])).ravel()
            table["quality"] = bits
            table |= {name: (bits & mask) > 0 for name, mask in QUALITY.items()}
        if "age" in some:
            age = _taken(some["age"], cells, tiles, np.uint8(NO_AGE)).ravel()
            table["age_days"] = pd.arrays.IntegerArray(age, age == NO_AGE)
        table |= {name: np.broadcast_to(values, shape).ravel() for name, values in about.items()}
        yield pd.DataFrame(table)


def _taken(variable: xr.DataArray, cells: Cells, tiles: list[tuple[slice, slice, Array]], fill: np.generic) -> Array:
    """A variable (time, overpass, y, x) at the sites, (time, overpass, site); `fill` outside the grid."""
    out = np.full((*variable.shape[:2], len(cells.row)), fill)
    for rows, cols, sites in tiles:
        block = variable[:, :, rows, cols].values
        out[..., sites] = block[:, :, cells.row[sites] - rows.start, cells.col[sites] - cols.start]
    return out


def _tiles(cells: Cells) -> list[tuple[slice, slice, Array]]:
    """Rows and columns of the boxes around the sites of each tile, and which sites these are."""
    inside = np.flatnonzero(cells.row >= 0)
    keys = np.column_stack([cells.row[inside] // TILE, cells.col[inside] // TILE])
    out = []
    for key in np.unique(keys, axis=0):
        sites = inside[(keys == key).all(axis=1)]
        rows, cols = (slice(int(v[sites].min()), int(v[sites].max()) + 1) for v in (cells.row, cells.col))
        out.append((rows, cols, sites))
    return out
