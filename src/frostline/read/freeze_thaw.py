"""What the agencies' freeze/thaw records share: what they become, and the tests that frozen means frozen, and here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from frostline.clock import month
from frostline.errors import InputError
from frostline.grid import Grid
from frostline.read.common import ALIGNED
from frostline.schema import QUALITY, coordinates, describe

Array = np.ndarray
# quality.md 6.3 case 15. (west, east, south, north), frozen there: whatever a record's faults, more than half agrees
SEASONS: dict[int, tuple[str, tuple[float, float, float, float], bool]] = {
    1: ("January Siberia", (85.0, 140.0, 50.0, 70.0), True),
    7: ("July middle latitudes", (-180.0, 180.0, 30.0, 60.0), False),
}
ENOUGH, MANY = 20, 2000  # known cells
# Which known cells have their coordinates compared, as shares of the way; uneven, lest all lie on a square's diagonal
ANCHORS = (0.0, 0.09, 0.21, 0.37, 0.52, 0.66, 0.79, 0.93, 1.0)
FLOOR = -999.0  # degrees: below are fills
CYLINDRICAL = ("EPSG:6933", "EPSG:3410")  # longitude by column, latitude by row
TERRAIN = QUALITY.get("complex_terrain", QUALITY["low_confidence"])


def check_polarity(path: str | Path, frozen: Array, grid: Grid, date: np.datetime64) -> str:
    """ "ok", or "not testable" when month and place say nothing about the ground.

    `frozen` (..., rows, columns) on `grid`, 1 frozen, 0 thawed, NaN unknown. Raises E-INPUT-POLARITY when at most
    half of the known cells of Siberia is frozen in January, or of 30-60 N thawed in July (a tenth where fewer than
    `MANY` are known: a window in high mountains has a product's false frost in July): NSIDC-0477 codes frozen 0 and
    SMAP codes it 1, and a file in the other's place passes every other test.
    """
    name, box, expected = SEASONS.get(int(month(date)), ("", None, False))
    if box is None:
        return "not testable"
    known = frozen[..., _inside(grid, box)]
    known = known[np.isfinite(known)]
    if known.size < ENOUGH:
        return "not testable"
    share = float(np.mean(known == expected))
    if share <= (0.5 if known.size >= MANY else 0.1):
        state = "frozen" if expected else "thawed"
        cause = f"{name} is {100 * share:.0f} % {state} ({known.size} cells): polarity or hemisphere is reversed"
        raise InputError("E-INPUT-POLARITY", where=path, cause=cause, remedy="check which product the file is")
    return "ok"


def check_coordinates(path: str | Path, lon: Array, lat: Array, grid: Grid) -> str:
    """ "ok", or "not testable" when no cell has coordinates.

    `lon`, `lat` (rows, columns) as in the file, fills below -999. Raises E-INPUT-GRID when one of nine cells lies
    more than 1 % of a cell from where the grid has it: flips, transposition, half-cell shifts, another EASE-Grid.
    """
    known = np.flatnonzero((lat > FLOOR) & (lon > FLOOR))
    if not known.size:
        return "not testable"
    known = known[(np.array(ANCHORS) * (known.size - 1)).astype(int)]
    row, col = np.divmod(known, lat.shape[1])
    there = grid.position(lon.ravel()[known].astype(float), lat.ravel()[known].astype(float))
    off = np.maximum(np.abs(there[0] - row), np.abs(there[1] - col))
    worst = int(np.argmax(np.where(np.isfinite(off), off, np.inf)))
    if not off[worst] <= ALIGNED:
        cause = (
            f"cell ({row[worst]}, {col[worst]}) has {lon.ravel()[known[worst]]:.4f} E {lat.ravel()[known[worst]]:.4f} "
        )
        cause += f"N, {off[worst]:.3g} cells from where {grid.name} has it"
        raise InputError("E-INPUT-GRID", where=path, cause=cause, remedy="flipped, turned, or on another grid")
    return "ok"


def transition(frozen: Array) -> Array:
    """AM and PM as one code, (rows, columns) float32: 2 x AM + PM, NaN where either is unknown.

    0 thawed all day, 1 freezes by evening, 2 thaws by evening, 3 frozen all day. `frozen` (2, rows, columns), AM
    first. SMAP's `transition_direction` is not used: what it holds contradicts what it says (formats.md 1.4).

    >>> transition(np.array([[[0.0, 0.0, 1.0, 1.0, 1.0]], [[0.0, 1.0, 0.0, 1.0, np.nan]]])).tolist()
    [[0.0, 1.0, 2.0, 3.0, nan]]
    """
    return (2 * frozen[0] + frozen[1]).astype(np.float32)


def lazy_record(
    load: Callable[[], Mapping[str, Array]],
    kinds: Mapping[str, Any],
    grid: Grid,
    *,
    date: np.datetime64,
    overpass: list[int],
    attrs: Mapping[str, Any],
) -> xr.Dataset:
    """A dataset of one date from one delayed call of `load`; `kinds`: name -> dtype, static names begin with "=".

    Fields are (overpass, rows, columns), statics (rows, columns).
    """
    import dask.array as da
    from dask import delayed

    loaded = delayed(load, pure=False)()
    data: dict[str, Any] = {}
    for key, kind in kinds.items():
        name, shape = key.lstrip("="), grid.shape if key.startswith("=") else (len(overpass), *grid.shape)
        array = da.from_delayed(loaded[name], shape=shape, dtype=kind)
        data[name] = (("y", "x"), array) if len(shape) == 2 else (("time", "overpass", "y", "x"), array[None])
    ds = coordinates(xr.Dataset(data), time=[date], overpass=overpass)
    return describe(grid.write(ds)).assign_attrs(dict(attrs))


@lru_cache(maxsize=8)
def _inside(grid: Grid, box: tuple[float, float, float, float]) -> Array:
    """(rows, columns) bool: cells whose centre lies in (west, east, south, north)."""
    west, east, south, north = box
    if grid.crs in CYLINDRICAL:
        lon = grid.window(slice(0, 1), slice(None)).lonlat()[0]
        lat = grid.window(slice(None), slice(0, 1)).lonlat()[1]
    else:
        lon, lat = grid.lonlat()
    return (lon >= west) & (lon <= east) & (lat >= south) & (lat <= north)
