"""The long twin's reanalysis as monthly files of the Climate Data Store, made here or in a process of its own."""

from __future__ import annotations

import queue
from collections.abc import Callable, Iterator
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from frostline.errors import DiskError
from frostline.grid import Grid
from frostline.twin import write_era5land, write_statics
from frostline.twin.long_hours import long_hours

Array = np.ndarray
T = TypeVar("T")
# GRIB packs values as whole multiples of a power of two; so small files, and errors below those of the fields
PACKED = {"stl1": 2.0**-6, "swvl1": 2.0**-10, "sde": 2.0**-9, "tp": 2.0**-20}  # K, m3 m-3, m, m
WAITING = 2  # years that may wait for their taker


def reanalysis(folder: Path, grid: Grid, options: dict[str, Any]) -> Iterator[tuple[Array, Array]]:
    """Write monthly files of `long_hours(grid, **options)` to `folder`; give each year's air_min and air_max.

    Nodes lie every 0.1 degree over the window and a step around it, between cells bilinear. A year is given when its
    last local day is done; the last file is written when all have been taken. Memory: a month of hours and a year.
    """
    nodes = _Nodes(grid)
    held: list[tuple[Array, dict[str, Array]]] = []
    air: list[tuple[Array, Array]] = []
    for day in long_hours(grid, **options):
        months = day.times.astype("datetime64[M]")
        fields = {n: nodes.at(v) for n, v in day.fields.items()}
        for month in np.unique(months):
            if held and held[0][0][0].astype("datetime64[M]") != month:
                nodes.write(folder, held)
                held = []
            of = months == month
            held.append((day.times[of], {n: v[of] for n, v in fields.items()}))
        air.append((day.air_min, day.air_max))
        if (day.date + 1).astype("datetime64[Y]") != day.date.astype("datetime64[Y]"):
            least, most = (np.stack(v) for v in zip(*air, strict=True))
            air = []
            yield least, most
    nodes.write(folder, held)


def beside(make: Callable[..., Iterator[T]], *args: Any, workers: int = 2) -> Iterator[T]:
    """The items of `make(*args)`, made in a process of its own that goes ahead; here and now with one worker.

    `spawn`, since a fork of a threaded process may hang: `make` and its items must pickle. An error there is raised
    here; a process that is killed raises DiskError.
    """
    if workers <= 1:
        yield from make(*args)
        return
    context = get_context("spawn")
    line = context.Queue(WAITING)
    process = context.Process(target=_feed, args=(line, make, args), daemon=True)
    process.start()
    try:
        while True:
            try:
                kind, item = line.get(timeout=1.0)
            except queue.Empty:
                if process.is_alive():
                    continue
                cause = f"the process that makes them ended with code {process.exitcode}"
                raise DiskError("E-DISK", where="files of the twin", cause=cause, remedy="free memory") from None
            if kind == "error":
                raise item
            if kind == "end":
                return
            yield item
    finally:
        process.terminate()
        process.join()


def _feed(line: Any, make: Callable[..., Iterator[Any]], args: tuple[Any, ...]) -> None:
    try:
        for item in make(*args):
            line.put(("item", item))
        line.put(("end", None))
    except Exception as error:
        line.put(("error", error))


class _Nodes:
    """The 0.1 degree nodes around a window, what they read of its cells, and their file."""

    def __init__(self, grid: Grid) -> None:
        from scipy.sparse import csr_array

        step = write_era5land.STEP
        around = write_statics.bounding_box(grid, step)
        half = step / 2  # nodes are the corners of its boxes
        shape = (around.shape[0] + 1, around.shape[1] + 1)
        self.box = Grid("era5land", around.crs, around.left - half, around.top + half, step, shape)
        row, col = (np.ravel(v) for v in grid.position(*self.box.lonlat()))
        row, col = (np.clip(v, 0.0, n - 1.0) for v, n in zip((row, col), grid.shape, strict=True))
        parts = []
        for v, n in ((row, grid.shape[0]), (col, grid.shape[1])):
            low = np.minimum(np.floor(v).astype(int), max(n - 2, 0))
            parts.append(((low, 1.0 - (v - low)), (np.minimum(low + 1, n - 1), v - low)))
        node, cell, weight = [], [], []
        for r, down in parts[0]:
            for c, right in parts[1]:
                node.append(np.arange(row.size))
                cell.append(r * grid.shape[1] + c)
                weight.append(down * right)
        where = (np.concatenate(node), np.concatenate(cell))
        size = (row.size, grid.shape[0] * grid.shape[1])
        self.matrix = csr_array((np.concatenate(weight).astype(np.float32), where), shape=size)

    def at(self, fields: Array) -> Array:
        """(hour, y, x) of the window to (hour, latitude, longitude)."""
        flat = np.asarray(fields, np.float32).reshape(len(fields), -1)
        return np.ascontiguousarray((self.matrix @ flat.T).T).reshape(len(fields), *self.box.shape)

    def write(self, folder: Path, held: list[tuple[Array, dict[str, Array]]]) -> None:
        fields = {n: np.concatenate([f[n] for _, f in held]) for n in held[0][1]}
        write_era5land.write(
            folder,
            times=np.concatenate([t for t, _ in held]),
            latitude=self.box.y,
            longitude=self.box.x,
            fields={n: np.rint(v / np.float32(PACKED[n])) * np.float32(PACKED[n]) for n, v in fields.items()},
            summed=True,
        )
