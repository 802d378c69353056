"""Where precipitation comes from on each date, and IMERG in the interval that holds a sampled instant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from frostline import regrid
from frostline.errors import ConfigError, InputError
from frostline.grid import Grid
from frostline.read.imerg import BEGINS, IMERG, NAME, check_coverage, load_imerg
from frostline.steps.fields import REGRID, around
from frostline.steps.refusals import Refuse
from frostline.steps.soil_hours import Moments

Array = np.ndarray
RUNS = ("HHR", "HHR-L", "HHR-E", "DAY", "DAY-L", "DAY-E")  # half-hours before days, the final run first
HOURS = {"HHR": 0.5, "DAY": 24.0}


def sources(table: Sequence[tuple[str, str]], days: Array, inventory: Mapping[str, Any]) -> Array:
    """Name of the source of each day (days,), as `table` of (from this date on, source) says.

    Raises E-INPUT-TIME where no source covers a date (before the first entry, or before IMERG began), E-CONFIG
    where a source is not among the inputs.

    >>> two = (("2000-06-01", "imerg"), ("1950-01-01", "era5land"))
    >>> sources(two, np.array(["2000-05-31"], "datetime64[D]"), {"era5land": {}}).tolist()
    ['era5land']
    """
    dates = np.asarray(days, "datetime64[D]")
    ordered = sorted(table)
    place = np.searchsorted(np.array([d for d, _ in ordered], "datetime64[D]"), dates, "right") - 1
    where = "assemble.precipitation"
    if not ordered or place[0] < 0:
        first = f"the first of its sources begins {ordered[0][0]}" if ordered else "it names no source"
        remedy = "name a source from an earlier date on"
        raise InputError("E-INPUT-TIME", where=where, cause=f"nothing covers {dates[0]}: {first}", remedy=remedy)
    names = np.array([s for _, s in ordered])[place]
    for name in sorted(set(names.tolist())):
        if name not in inventory:
            raise ConfigError("E-CONFIG", where=where, cause=f"inputs.{name} is not named")
    if "imerg" in names:
        versions = {m["version"] for row in inventory["imerg"]["files"] if (m := NAME.fullmatch(Path(row[0]).name))}
        newest = min(versions, key=lambda v: BEGINS[v[:3]])
        check_coverage(dates[names == "imerg"][0], newest, where=where)
    return names


def without_files(names: Array, days: Array, inventory: Mapping[str, Any]) -> Array:
    """The days (n,) whose turn it is of IMERG and of whose date no file is there: their precipitation is unknown.

    >>> row = ["3B-DAY.nc4", "2016-01-02", 2, "DAY"]
    >>> days = np.arange("2016-01-01", "2016-01-04", dtype="datetime64[D]")
    >>> without_files(np.array(["era5land", "imerg", "imerg"]), days, {"imerg": {"files": [row]}}).astype(str).tolist()
    ['2016-01-03']
    """
    dates = np.asarray(days, "datetime64[D]")
    there = np.array([row[1][:10] for row in inventory.get("imerg", {"files": []})["files"]], "datetime64[D]")
    return dates[(names == "imerg") & ~np.isin(dates, there)]


def spans(names: Array, days: Array) -> list[list[str]]:
    """[source, first date, last date] of each stretch of days with one source.

    >>> spans(np.array(["a", "a", "b"]), np.arange("2000-01-01", "2000-01-04", dtype="datetime64[D]"))
    [['a', '2000-01-01', '2000-01-02'], ['b', '2000-01-03', '2000-01-03']]
    """
    dates = np.asarray(days, "datetime64[D]").astype(str)
    begins = np.r_[0, np.flatnonzero(names[1:] != names[:-1]) + 1, len(names)]
    return [[str(names[a]), str(dates[a]), str(dates[b - 1])] for a, b in pairwise(begins)]


def imerg_steps(
    entry: Mapping[str, Any],
    grid: Grid,
    moments: Moments,
    *,
    days: Array,
    steps: Sequence[int],
    method: str,
    refuse: Refuse,
) -> Array:
    """Precipitation as a rate, m per hour: (days, 2, steps, y, x) float32, NaN where no file can be read.

    Of the half-hour that holds each cell's instant, or of the UTC day where there are daily files alone.
    """
    window = around(IMERG, grid)
    weights = REGRID[method](window, grid)
    files = _by_start(entry)
    out = np.full((len(days), 2, len(steps), *grid.shape), np.nan, np.float32)
    read: dict[Path, Array] = {}

    def rate(path: Path, kind: str) -> Array:
        if path not in read:
            try:
                amount = regrid.apply(weights, load_imerg(path, window=window)[1])
            except InputError as error:
                refuse("imerg", path, error)
                amount = np.full(grid.shape, np.nan, np.float32)
            read[path] = amount / np.float32(HOURS[kind[:3]])
        return read[path]

    for t, day in enumerate(np.asarray(days, "datetime64[D]")):
        read.clear()
        for o in (0, 1):
            for k, step in enumerate(steps):
                half = np.ceil(2 * (moments.hour[o] - step + moments.rest[o].astype(float))).astype(int) - 1
                for number in np.unique(half):
                    start = str(day.astype("datetime64[m]") + 30 * int(number))
                    found = files.get(start) or files.get(start[:10])
                    if found is not None:
                        cells = half == number
                        out[t, o, k][cells] = rate(*found)[cells]
    return out


def _by_start(entry: Mapping[str, Any]) -> dict[str, tuple[Path, str]]:
    """File and kind by the start of its interval: date and clock of half-hours, date of days; the best run of each."""
    best: dict[str, tuple[Path, str]] = {}
    for name, start, _, kind in entry["files"]:
        when = start[:16] if kind.startswith("HHR") else start[:10]
        held = best.get(when)
        if held is None or RUNS.index(kind) < RUNS.index(held[1]):
            best[when] = (Path(name), kind)
    return best
