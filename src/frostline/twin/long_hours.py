"""The reanalysis of the long twin at the UTC hours that the overpasses need, rain summed since 00 UTC."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from frostline.clock import AM, NOMINAL_HOUR, PM
from frostline.grid import Grid
from frostline.twin.bias import ReanalysisBias
from frostline.twin.column import KELVIN, STEP_HOURS
from frostline.twin.long import analysed, long_march

Array = np.ndarray
SHORT = ("stl1", "swvl1", "sde", "tp")  # ERA5-Land's names, as the writer has them


@dataclass(frozen=True, eq=False)
class Hours:
    """What the reanalysis says around one local day: `fields` (hour, y, x) by short name at UTC `times` (hour,)."""

    date: np.datetime64
    times: Array
    fields: dict[str, Array]  # K, m3 m-3, m of snow, m of water since 00 UTC (at 00 UTC: of the whole day before)
    air_min: Array  # (y, x), K, of the local day
    air_max: Array


def utc_hours(lon: Array, *, before: int, mode: str = "local") -> Array:
    """Whole UTC hours, counted from 00 UTC of a local date, between which 06 and 18 h local less 0..`before` h fall.

    Of `mode` "utc" it is 06 and 18 UTC; hours at which the local date has ended are those of the UTC day before. One
    more comes before each run of hours, since sums since 00 UTC are told apart by differences; and 23 UTC comes
    before 00 UTC, so that no month's first hour lacks the one before it. `lon` degrees; hours may be negative.

    >>> utc_hours(np.array([96.0, 97.5]), before=3).tolist()
    [-5, -4, -3, -2, -1, 0, 7, 8, 9, 10, 11, 12]
    >>> utc_hours(np.array([96.0, 97.5]), before=3, mode="utc").tolist()
    [-6, 2, 3, 4, 5, 6, 14, 15, 16, 17]
    """
    shift = _shift(lon)
    local = shift if mode == "local" else np.zeros(1)
    found: set[int] = set()
    for overpass in (AM, PM):
        first = np.floor(NOMINAL_HOUR[overpass] - before - local.max())
        last = np.ceil(NOMINAL_HOUR[overpass] - local.min())
        found |= set(range(int(first) - 1, int(last) + 1))
    if mode == "utc":
        found = {h - 24 if h + shift.max() > 24 else h for h in found}
    found |= {h - 1 for h in found if h % 24 == 0}
    return np.array(sorted(found))


def long_hours(
    grid: Grid,
    *,
    start_year: int,
    end_year: int,
    seed: int,
    weather_seed: int,
    warming: float,
    bias: ReanalysisBias,
    before: int = 3,
    mode: str = "local",
) -> Iterator[Hours]:
    """The reanalysis of `long_march` at UTC hours, an item for each local day of whole years; each hour comes once.

    Hourly fields would be 24 in a day, of which the nets read half. States are linear between three-hourly ones of
    each cell's local solar time (UTC + longitude/15 h); rain falls evenly over the local day. `before`: hours before
    the overpass that shall be read, at most 18; `mode` as of `utc_hours`. Memory: three days.
    """
    lon = grid.lonlat()[0].ravel()
    wanted, shift = utc_hours(lon, before=before, mode=mode), _shift(lon)
    again = np.isin(wanted + 24, wanted)  # an hour of the day before that its own day has given
    first = np.datetime64(f"{start_year}-01-01")
    rates: list[Array] = []  # of the last three days, mm/h
    earlier: Array | None = None
    for day, rate in long_march(
        grid, start_year=start_year, end_year=end_year, seed=seed, weather_seed=weather_seed, warming=warming, bias=bias
    ):
        states = analysed(day)
        rates = [*rates, rate][-3:]
        if day.date >= first:
            assert earlier is not None, "marching begins days before the first"
            hours = wanted[~again] if day.date > first else wanted
            values = _at(np.concatenate([earlier, states], axis=1), hours[:, None] + shift)
            begun = 24.0 * (np.ceil(hours / 24.0) - 1.0)  # 00 UTC of the day that a sum belongs to
            fallen = _fallen(rates, hours[:, None] + shift) - _fallen(rates, begun[:, None] + shift)
            shaped = [v.reshape(-1, *grid.shape) for v in (*values, fallen / 1000.0)]
            air = np.stack([s.air for s in day.states]) + np.float32(KELVIN)
            yield Hours(
                date=day.date,
                times=day.date.astype("datetime64[h]") + hours,
                fields=dict(zip(SHORT, shaped, strict=True)),
                air_min=air.min(0).reshape(grid.shape),
                air_max=air.max(0).reshape(grid.shape),
            )
        earlier = states


def _shift(lon: Array) -> Array:
    """Local solar time minus UTC, h, -12..12."""
    return (np.mod(np.asarray(lon, float) + 180.0, 360.0) - 180.0) / 15.0


def _at(states: Array, hours: Array) -> Array:
    """(state, hour, N) at local `hours` (hour, N) of the second of two days of three-hourly `states` (state, 16, N)."""
    position = (24.0 + hours) / STEP_HOURS - 1.0  # the first step ends at 3 h of the day before
    low = np.clip(np.floor(position).astype(int), 0, states.shape[1] - 2)
    part = (position - low).astype(np.float32)
    cell = np.arange(states.shape[2])
    return np.stack([v[low, cell] + (v[low + 1, cell] - v[low, cell]) * part for v in states])


def _fallen(rates: list[Array], hours: Array) -> Array:
    """mm that fell until local `hours` (hour, N) of the last of three days of `rates` (N,), from two days before."""
    spent = [np.clip(hours - begin, 0.0, 24.0) for begin in (-48.0, -24.0, 0.0)]
    return sum((r * s for r, s in zip(rates, spent, strict=True)), start=np.zeros(hours.shape))
