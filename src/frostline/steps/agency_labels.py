"""Two agencies' freeze/thaw records as labels of local dates on the record's grid, read in processes of their own."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from frostline import regrid
from frostline.clock import DAILY, NOMINAL_HOUR, utc_day_offset
from frostline.errors import InputError
from frostline.grid import Grid, named
from frostline.read.esdr import load_esdr
from frostline.read.smap import load_smap, smap_grids
from frostline.steps.fields import around
from frostline.steps.refusals import Refuse

Array = np.ndarray
Row = Sequence[Any]  # path, date, overpass, channel
Job = tuple[list[str], Grid]
UNKNOWN = 255
BATCH, QUEUE = 32, 4  # files to a job; jobs that wait for each other
CHANNELS = ("frozen_smmr", "frozen_ssmi", "frozen_amsr")  # one record through the years before AMSR's own


def labels_by_date(
    product: str, entry: Mapping[str, Any], grid: Grid, days: Array, *, pool: Executor | None, refuse: Refuse
) -> Iterator[Array]:
    """Of each local date the states (2, y, x) float32: 1 frozen, 0 thawed, NaN unknown or no file.

    SMAP's files are of UTC days: a local date takes each cell from the day on which its overpass came
    (`clock.utc_day_offset`). The ESDR's date is taken for the local one. Files that cannot be read are refused.
    """
    chosen = _chosen(entry["files"])
    offset = np.zeros((2, *grid.shape), int)
    if product == "smap":
        offset = np.stack([utc_day_offset(hour, grid.lonlat()[0]) for hour in NOMINAL_HOUR.values()])
    dates = np.asarray(days, "datetime64[D]")
    low, high = dates[0] + offset.min(), dates[-1] + offset.max()
    wanted = {str(d): chosen[str(d)] for d in np.arange(low, high + 1) if str(d) in chosen}
    files = dict.fromkeys(path for rows in wanted.values() for path, _ in rows)
    states = _states(READ[product], list(files), grid, pool)
    held: dict[str, Array] = {}
    last = low - 1
    for date in dates:
        for file_date in np.arange(last + 1, date + offset.max() + 1):
            if rows := wanted.get(str(file_date)):
                held[str(file_date)] = _merged(product, rows, states, grid, refuse)
            last = file_date
        held = {d: v for d, v in held.items() if np.datetime64(d) >= date + offset.min()}
        out = np.full((2, *grid.shape), UNKNOWN, np.uint8)
        for k in np.unique(offset):
            field = held.get(str(date + k))
            if field is not None:
                np.copyto(out, field, where=offset == k)
        yield np.where(out == UNKNOWN, np.float32(np.nan), out).astype(np.float32)


def smap_states(path: str, grid: Grid) -> Array:
    """One file's states on `grid`, (2, y, x) uint8 with 255 unknown; a state of an earlier day is no label of this."""
    if same_cells(path, grid):
        data = load_smap(path, window=grid)
        frozen = np.where(data["age"] == 0, data["frozen"], np.nan)
    else:
        window, weights = _near(smap_whole(path), grid)
        data = load_smap(path, window=window)
        frozen = regrid.apply(weights, np.where(data["age"] == 0, data["frozen"], np.nan))
    return _codes(frozen)


def esdr_states(path: str, grid: Grid) -> Array:
    """One file's states on `grid`, nearest 25 km cell as Cui et al. 2024; one pass of an AM or PM file, two of CO."""
    window, weights = _near(named("ML25"), grid)
    return _codes(regrid.apply(weights, load_esdr(path, window=window)["frozen"]))


READ: dict[str, Callable[[str, Grid], Array]] = {"smap": smap_states, "esdr": esdr_states}


def _batch(read: Callable[[str, Grid], Array], paths: Sequence[str], grid: Grid) -> list[Array | InputError]:
    """What a process does: some files, each an array or what is wrong with it."""
    out: list[Array | InputError] = []
    for path in paths:
        try:
            out.append(read(path, grid))
        except InputError as error:
            out.append(error)
    return out


def _states(
    read: Callable[[str, Grid], Array], paths: Sequence[str], grid: Grid, pool: Executor | None
) -> Iterator[tuple[str, Array | InputError]]:
    """Path and result of every file in order; with a pool a few batches are under way."""
    batches = [paths[at : at + BATCH] for at in range(0, len(paths), BATCH)]
    if pool is None:
        for batch in batches:
            for path in batch:
                yield path, _batch(read, [path], grid)[0]
        return
    waiting: deque[Any] = deque()
    todo = iter(batches)
    for batch in [b for _, b in zip(range(QUEUE), todo, strict=False)]:
        waiting.append((batch, pool.submit(_batch, read, batch, grid)))
    while waiting:
        batch, job = waiting.popleft()
        done = job.result()
        if (more := next(todo, None)) is not None:
            waiting.append((more, pool.submit(_batch, read, more, grid)))
        yield from zip(batch, done, strict=True)


def _merged(
    product: str,
    rows: Sequence[tuple[str, int]],
    states: Iterator[tuple[str, Array | InputError]],
    grid: Grid,
    refuse: Refuse,
) -> Array:
    """The passes of one file date from the next files of `states`, (2, y, x) codes."""
    out = np.full((2, *grid.shape), UNKNOWN, np.uint8)
    for path, overpass in rows:
        found, got = next(states)
        assert found == path
        if isinstance(got, InputError):
            refuse(product, path, got)
        elif overpass == DAILY:
            np.copyto(out, got, where=out == UNKNOWN)
        else:
            out[overpass] = got[0]
    return out


def _chosen(rows: Sequence[Row]) -> dict[str, list[tuple[str, int]]]:
    """Files of each date that are needed: of each pass its own file before a combined one, the long record first."""
    by_date: dict[str, list[Row]] = {}
    for row in rows:
        by_date.setdefault(row[1][:10], []).append(row)
    out: dict[str, list[tuple[str, int]]] = {}
    for date, some in by_date.items():
        ordered = sorted(some, key=lambda r: (CHANNELS.index(r[3]) if r[3] in CHANNELS else 0, r[2]))
        firsts = [next((r for r in ordered if r[2] in (o, DAILY)), None) for o in (0, 1)]
        out[date] = list(dict.fromkeys((str(r[0]), int(r[2])) for r in firsts if r is not None))
    return out


def same_cells(path: str, grid: Grid) -> bool:
    """Whether the file's cells are the grid's, by the name of its product: 9 km or 36 km of EASE-Grid 2.0."""
    return grid.crs in ("EPSG:6933", "EPSG:6931") and abs(grid.step - _named(path).step) < 0.01 * grid.step


def smap_whole(path: str) -> Grid:
    """The grid of a file's global group: by its name, or by what it holds where a service cut it."""
    if Path(path).suffix == ".h5" and "subsetted" not in Path(path).name:
        return _named(path)
    found = smap_grids(path)
    return found.get("Global") or found["Polar"]


def _named(path: str) -> Grid:
    return named("M09" if "_P_E_" in Path(path).name else "M36")


@lru_cache(maxsize=4)
def _near(source: Grid, grid: Grid) -> tuple[Grid, regrid.Weights]:
    """The window of a source around the grid, and what takes its nearest cells; made once in each process."""
    window = around(source, grid)
    return window, regrid.nearest(window, grid)


def _codes(frozen: Array) -> Array:
    return np.where(np.isnan(frozen), UNKNOWN, frozen).astype(np.uint8)
