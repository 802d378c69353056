"""The least and the greatest temperature of each cell's local day, from hourly fields in UTC."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import xarray as xr

from frostline.errors import InputError
from frostline.grid import Grid

Array = np.ndarray
HOUR = np.timedelta64(3_600_000_000_000, "ns")
DAY = 24 * HOUR
LATEST = 12 * HOUR  # after 00 UTC of the next date, at 180 W, a local day is over everywhere


def daily_extremes(
    hours: Iterable[xr.Dataset], grid: Grid, *, dates: Any, name: str = "air_temperature", least_hours: int = 8
) -> Iterator[tuple[np.datetime64, Array, Array]]:
    """(date, least, greatest), fields (y, x) float32, for each of `dates` in order.

    `hours` hold `name` (time, y, x) on `grid`, UTC times rising through all of them. A cell's day is that of its local
    solar time, UTC + lon/15 h, from 0 h to before 24 h; a day of fewer than `least_hours` known values is NaN. Two or
    three days of three fields each are all that is held. InputError: fields that are not on `grid`, times that do not
    rise.
    """
    ahead = (np.mod(grid.lonlat()[0].ravel() + 180.0, 360.0) - 180.0) / 15.0
    wanted = list(np.unique(np.asarray(dates, "datetime64[D]")).astype("datetime64[ns]"))
    asked = set(wanted)
    held: dict[np.datetime64, tuple[Array, Array, Array]] = {}
    days_off: dict[float, Array] = {}  # by hour of the UTC day: to which local date each cell belongs
    last = None
    for time, values in _fields(hours, grid, name):
        if last is not None and not time > last:
            raise InputError("E-INPUT-TIME", cause=f"the hour {time} comes after {last}", remedy="sort and merge")
        last = time
        while wanted and time >= wanted[0] + DAY + LATEST:
            day = wanted.pop(0)
            yield day, *_closed(held.pop(day, None), grid, least_hours)
        if not wanted:
            return
        midnight = time.astype("datetime64[D]").astype("datetime64[ns]")
        hour = float((time - midnight) / HOUR)
        if hour not in days_off:
            days_off[hour] = np.floor((hour + ahead) / 24.0).astype(np.int8)
        for off in (-1, 0, 1):
            day = midnight + off * DAY
            here = (days_off[hour] == off) & np.isfinite(values)
            if day < wanted[0] or day not in asked or not here.any():
                continue
            if day not in held:
                held[day] = (np.full(grid.shape, np.inf, np.float32).ravel(),
                             np.full(grid.shape, -np.inf, np.float32).ravel(),
                             np.zeros(values.size, np.uint8))  # fmt: skip
            low, high, count = held[day]
            np.minimum(low, values, out=low, where=here)
            np.maximum(high, values, out=high, where=here)
            count += here
    for day in wanted:
        yield day, *_closed(held.pop(day, None), grid, least_hours)


def _fields(hours: Iterable[xr.Dataset], grid: Grid, name: str) -> Iterator[tuple[np.datetime64, Array]]:
    """Each UTC field by itself, flat float32."""
    for ds in hours:
        part = ds[name].transpose("time", "y", "x")
        if part.shape[1:] != grid.shape:
            raise InputError("E-INPUT-GRID", cause=f"hours of {part.shape[1:]} on a grid of {grid.shape}")
        for k, time in enumerate(part["time"].values.astype("datetime64[ns]")):
            yield time, np.asarray(part[k].values, np.float32).ravel()


def _closed(sums: tuple[Array, Array, Array] | None, grid: Grid, least_hours: int) -> tuple[Array, Array]:
    """A day's fields, NaN where too little was known."""
    if sums is None:
        unknown = np.full(grid.shape, np.nan, np.float32)
        return unknown, unknown.copy()
    low, high, count = sums
    enough = count >= least_hours
    return tuple(np.where(enough, v, np.float32(np.nan)).reshape(grid.shape) for v in (low, high))  # type: ignore
