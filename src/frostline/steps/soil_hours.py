"""Hourly reanalysis at the overpass and some hours before it: many days at once, each file read once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from frostline import regrid
from frostline.clock import NOMINAL_HOUR
from frostline.errors import InputError
from frostline.grid import Grid
from frostline.labels import MAX_GAP_HOURS
from frostline.read.era5 import era5_grid, era5_times, load_era5, read_era5
from frostline.steps.fields import HOURS_HELD, REGRID, around
from frostline.steps.refusals import Refuse

Array = np.ndarray
Fields = dict[str, Array]
HOUR = np.timedelta64(1, "h")
OVERPASS = "overpass_temperature"
SUMMED = "precipitation"  # belongs to an interval, so it is never interpolated
PRODUCT = "era5land"


@dataclass(frozen=True, eq=False)
class Moments:
    """When the overpasses come: whole UTC hours after 00 UTC of the local date, and the rest of an hour.

    `hour` (2, y, x) int, `rest` (2, y, x) float32 in [0, 1).
    """

    hour: Array
    rest: Array

    @staticmethod
    def of(grid: Grid, mode: str) -> Moments:
        """Of 06 and 18 h local solar time of each cell, or UTC (`mode` "utc")."""
        lon = grid.lonlat()[0] if mode == "local" else np.zeros(grid.shape)
        lon = np.mod(lon + 180.0, 360.0) - 180.0
        when = np.round(np.stack([hour - lon / 15.0 for hour in NOMINAL_HOUR.values()]), 9)
        hour = np.floor(when)
        return Moments(hour.astype(int), (when - hour).astype(np.float32))

    def wanted(self, steps: Sequence[int]) -> Array:
        """Every whole hour that sampling `steps` hours before an overpass needs, hours after 00 UTC, rising."""
        hours = np.unique([*self.hour.ravel(), *(self.hour[self.rest > 0] + 1)])
        return np.unique([h - s for h in hours for s in steps])


def hourly_fields(
    files: Sequence[Path],
    grid: Grid,
    *,
    names: Sequence[str],
    low: np.datetime64,
    high: np.datetime64,
    of_day: Array,
    method: str,
    refuse: Refuse,
) -> Iterator[tuple[Array, Fields]]:
    """Fields on `grid` at the UTC hours of the day `of_day` (0..23) from `low` to `high`, some days at a time.

    Hours (n,) int64 since 1970 that rise, and (n, y, x) float32 by name. An hour between two others that are at most
    three hours apart is interpolated (not `precipitation`). Hours that an earlier file has too are left out; a file
    that cannot be read, or adds none, is refused. E-INPUT-TIME where not one file has hours that are asked for.
    """
    through: dict[Grid, Any] = {}
    last: int | None = None
    before: tuple[Path, Grid, np.datetime64] | None = None
    carried: tuple[Array, Fields, Grid] | None = None
    for times, path in _dated(files, low, high, of_day, refuse):
        try:
            source = era5_grid(path)
            if source not in through:
                part = around(source, grid)
                through[source] = (part, REGRID[method](part, grid))
            part, weights = through[source]
            if last is not None and _hours(times)[-1] <= last:
                cause = "all of its hours are in other files"
                raise InputError("E-INPUT-TIME", where=path, cause=cause, remedy="keep one of them")
            follows = before is not None and before[1] == source and times[0] - before[2] == HOUR
            for some, values in _pieces(path, part, names, before[0] if before is not None and follows else None):
                hours = _hours(some)
                fresh = hours > last if last is not None else np.ones(hours.size, bool)
                if not fresh.any():
                    continue
                hours, values = hours[fresh], {n: v[fresh] for n, v in values.items()}
                if carried is not None and carried[2] == source:
                    have = np.concatenate([carried[0], hours])
                    values = {n: np.concatenate([carried[1][n], v]) for n, v in values.items()}
                else:
                    have, last = hours, int(hours[0]) - 1
                assert last is not None
                every = np.arange(last + 1, hours[-1] + 1)
                every = every[np.isin(every % 24, of_day)]
                yield every, {n: regrid.apply(weights, _at(every, have, v, n)) for n, v in values.items()}
                last = int(hours[-1])
                carried = hours[-1:], {n: v[-1:].copy() for n, v in values.items()}, source
            before = path, source, times[-1]
        except InputError as error:
            refuse(PRODUCT, path, error)


def sampled(
    stream: Iterable[tuple[Array, Fields]],
    moments: Moments,
    *,
    days: Array,
    span: int,
    names: Sequence[str],
    steps: Sequence[int],
) -> Iterator[Fields]:
    """Blocks of `span` days: `overpass_temperature` (days, 2, y, x) and each name (days, 2, steps, y, x), float32.

    Linear between the whole hours around each cell's instant, nothing extrapolated; `precipitation` is that of the
    hour that holds the instant, m. NaN where an hour is missing. Held: the hours that a block needs.
    """
    feed = iter(stream)
    held: list[tuple[Array, Fields]] = []
    reach = moments.wanted((0, *steps))
    dates = np.asarray(days, "datetime64[D]")
    for start in range(0, len(dates), span):
        midnights = dates[start : start + span].astype("datetime64[h]").astype(np.int64)
        while not held or held[-1][0].size == 0 or held[-1][0][-1] < midnights[-1] + reach[-1]:
            piece = next(feed, None)
            if piece is None:
                break
            held.append(piece)
        held = [p for p in held if p[0].size and p[0][-1] >= midnights[0] + reach[0]]
        yield _block(held, moments, midnights, names, steps)


def _block(
    held: Sequence[tuple[Array, Fields]], moments: Moments, midnights: Array, names: Sequence[str], steps: Sequence[int]
) -> Fields:
    shape = (len(midnights), *moments.hour.shape[1:])
    cache: dict[tuple[str, int], Array] = {}

    def at(name: str, hour: int) -> Array:
        """(days, y, x) at a whole hour after midnight."""
        if (name, hour) not in cache:
            out = np.full(shape, np.nan, np.float32)
            for hours, values in held:
                where = np.searchsorted(hours, midnights + hour)
                hit = hours[np.minimum(where, hours.size - 1)] == midnights + hour
                out[hit] = values[name][where[hit]]
            cache[name, hour] = out
        return cache[name, hour]

    def sample(name: str, overpass: int, step: int) -> Array:
        out = np.empty(shape, np.float32)
        for hour in np.unique(moments.hour[overpass]):
            cells = moments.hour[overpass] == hour
            rest = moments.rest[overpass][cells]
            low, high = at(name, hour - step)[:, cells], at(name, hour - step + 1)[:, cells]
            between = high if name == SUMMED else low + (high - low) * rest
            out[:, cells] = np.where(rest == 0, low, between)
        return out

    out = {OVERPASS: np.stack([sample("soil_temperature", o, 0) for o in (0, 1)], axis=1)}
    for name in names:
        out[name] = np.stack([np.stack([sample(name, o, s) for s in steps], axis=1) for o in (0, 1)], axis=1)
    return out


def _dated(
    files: Sequence[Path], low: np.datetime64, high: np.datetime64, of_day: Array, refuse: Refuse
) -> Iterator[tuple[Array, Path]]:
    """Times and path of the files that reach into the span, in the order of their first hours."""
    found = []
    for path in files:
        try:
            found.append((era5_times(path), path))
        except InputError as error:
            refuse(PRODUCT, path, error)
    if found and len(lost := _never(of_day, np.concatenate([times for times, _ in found]))):
        cause = f"not one file has the hours {', '.join(f'{h:02d}' for h in lost)} UTC, nor two close around them"
        remedy = "fetch them (twin Earth: frostline twin --force), or change assemble.time or hours_before"
        raise InputError("E-INPUT-TIME", where=f"inputs.{PRODUCT}", cause=cause, remedy=remedy)
    for times, path in sorted(found, key=lambda f: (f[0][0], f[0][-1], f[1])):
        if times[-1] >= low and times[0] <= high:
            yield times, path


def _never(of_day: Array, times: Array) -> Array:
    """The hours of the day `of_day` that no time has, and that do not lie between two near enough to tell them.

    >>> hours = np.array(["2016-01-01T22", "2016-01-02T01", "2016-01-02T06"], "datetime64[h]")
    >>> _never(np.array([0, 3, 6, 23]), hours).tolist()
    [3]
    """
    there = np.unique(_hours(times) % 24)
    around_it = np.concatenate([there - 24, there, there + 24])
    after = np.searchsorted(around_it, of_day)
    gap = around_it[after] - around_it[np.maximum(after - 1, 0)]
    return np.asarray(of_day)[~np.isin(of_day, there) & (gap > MAX_GAP_HOURS)]


def _pieces(
    path: Path, window: Grid, names: Sequence[str], before: Path | None
) -> Iterator[tuple[Array, Mapping[str, Array]]]:
    """Times and fields of a file: all at once where they fit, else whole days of it."""
    times = era5_times(path)
    many = max(24, HOURS_HELD // (window.shape[0] * window.shape[1] * len(names)) // 24 * 24)
    if len(times) <= many:
        yield load_era5(path, window=window, names=names, before=before)
        return
    ds = read_era5(path, window=window, names=names, before=before)
    for at in range(0, len(times), many):
        yield times[at : at + many], {n: ds[n][at : at + many].values for n in names}


def _at(wanted: Array, hours: Array, values: Array, name: str) -> Array:
    """Fields (n, y, x) at `wanted` hours from those at `hours`: exact, else between neighbours that are near."""
    after = np.minimum(np.searchsorted(hours, wanted), hours.size - 1)
    exact = hours[after] == wanted
    out = values[after]
    if exact.all():
        return out
    low = np.maximum(after - 1, 0)
    gap = hours[after] - hours[low]
    near = ~exact & (hours[low] < wanted) & (hours[after] > wanted) & (gap <= MAX_GAP_HOURS) & (name != SUMMED)
    part = ((wanted - hours[low])[near] / gap[near]).astype(np.float32)[:, None, None]
    out[near] = values[low[near]] + (values[after[near]] - values[low[near]]) * part
    out[~exact & ~near] = np.nan
    return out


def _hours(times: Array) -> Array:
    return times.astype("datetime64[h]").astype(np.int64)
