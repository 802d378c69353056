"""The twin Earth as blocks of days: the truth with what satellites would see, and a reanalysis that errs."""

from __future__ import annotations

import functools
import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from frostline.clock import AM, NOMINAL_HOUR, PM
from frostline.clock import days as days_between
from frostline.grid import Grid
from frostline.twin import column, microwave, soil, weather
from frostline.twin.bias import ReanalysisBias, blurred, erring
from frostline.twin.column import HOURS, KELVIN, STEP_HOURS, Day, State
from frostline.twin.ground import cell_km
from frostline.twin.weather import Weather

OVERPASSES = (AM, PM)
MARGIN = 3  # days before 1 July on which marching begins: UTC days of 1 July need the local day before
STATION_DEPTH = 0.05  # m
STEPS_A_DAY = len(HOURS)
Looks = Mapping[str, tuple[tuple[int, ...], tuple[int, ...]]]  # band: hours of AM and PM; two are averaged
# SMAP passes at 06 and 18; AMSR2 at 01:30 and 13:30, midway between two steps (DESIGN.md, conventions)
LOOKS: Looks = {
    name: ((6,), (18,)) if band.sensor == "smap" else ((0, 3), (12, 15)) for name, band in microwave.BANDS.items()
}
ABOUT = {
    "ice_share": ("1", "ice share of the freezable water of 0-7 cm"),
    "soil_temperature": ("K", "soil temperature of 0-7 cm"),
    "air_temperature": ("K", "air temperature at the overpass"),
    "truth": ("1", "frozen: more than half of the freezable water of 0-7 cm is ice"),
    "truth_t0": ("1", "frozen: soil temperature of 0-7 cm below 0 degC"),
    "snow_depth": ("m", "snow depth"),
    "swe": ("mm", "snow water equivalent"),
    "air_min": ("K", "lowest air temperature of the local day"),
    "air_max": ("K", "highest air temperature of the local day"),
    "soil_temperature_3h": ("K", "soil temperature at 5 cm, local solar time"),
}
TRUTHS = ("ice_share", "soil_temperature", "truth", "truth_t0", "snow_depth", "swe")  # NaN over sea


def origin(start: Any) -> np.datetime64:
    """The first local day that is marched: MARGIN days before the last 1 July at or before `start`.

    >>> str(origin("2017-03-01")), str(origin("2017-07-01"))
    ('2016-06-28', '2017-06-28')
    """
    day = np.datetime64(start, "D")
    year = int(day.astype("datetime64[Y]").astype(int)) + 1970
    if day < np.datetime64(f"{year}-07-01"):
        year -= 1
    return np.datetime64(f"{year}-07-01") - MARGIN


def earth(
    ground: xr.Dataset,
    grid: Grid,
    *,
    start: Any,
    end: Any,
    seed: int,
    bands: Sequence[str] = ("L", "K", "Ka"),
    block_days: int = 32,
    trend: float = 0.0,
    cells: tuple[np.ndarray, np.ndarray] | None = None,
) -> Iterator[xr.Dataset]:
    """The truth from `start` to `end` (local dates, both included), in blocks of `block_days`.

    (time, overpass, y, x): ice_share, soil_temperature and air_temperature (K) at 06 and 18 h; truth, truth_t0
    (0/1); tb_1v ... tb_36h (K) above the atmosphere, before footprint and noise: L at 06 and 18 h, K and Ka at 01:30
    and 13:30. (time, y, x): snow_depth (m) and swe (mm) at 18 h, air_min and air_max (K). What belongs to soil or
    snow is NaN over sea; brightness and air are everywhere. `cells` = (rows, columns) adds soil_temperature_3h
    (time_3h, site), K at 5 cm, time_3h in local solar time. `trend` warms the air, K per year, zero on 1 January 2000.
    Same seed, grid and start: the same bits, whatever the block length. Memory: one block.
    """
    held = column.make_cells(ground, grid)
    days = column.march(held, _weather(grid, seed, origin(start), trend))
    looks = {name: LOOKS[name] for name in bands}
    plan = ((dates, looks) for dates in _blocks(start, end, block_days))
    yield from truths(days, plan, grid=grid, surface=held.surface, land=ground["land"].values.astype(bool), cells=cells)


def truths(
    days: Iterator[Day],
    plan: Iterable[tuple[np.ndarray, Looks]],
    *,
    grid: Grid,
    surface: microwave.Surface,
    land: np.ndarray,
    cells: tuple[np.ndarray, np.ndarray] | None = None,
) -> Iterator[xr.Dataset]:
    """`earth` of any marched `days`: a block for each (dates, looks) of `plan`, dates in order, land (y, x) bool.

    `days` begin before the first date. Each block's brightness is of its own looks.
    """
    site = None if cells is None else np.ravel_multi_index(cells, grid.shape)
    before: Day | None = None
    for dates, looks in plan:
        block = _empty_block(dates, grid, looks, site)
        done = 0
        while done < len(dates):
            day = next(days)
            if day.date == dates[done]:
                _truth(block, done, day, grid.shape)
                _emission(block, done, day, before, surface, looks, grid.shape)
                if site is not None:
                    block["soil_temperature_3h"][done * STEPS_A_DAY : (done + 1) * STEPS_A_DAY] = [
                        soil.temperature_at(s.column, STATION_DEPTH)[site] + KELVIN for s in day.states
                    ]
                done += 1
            before = day
        for name in TRUTHS:
            block[name][..., ~land] = np.nan
        yield _dataset(block, dates, grid)


def reanalysis(
    ground: xr.Dataset,
    grid: Grid,
    *,
    start: Any,
    end: Any,
    seed: int,
    weather_seed: int,
    bias: ReanalysisBias,
    block_days: int = 32,
    trend: float = 0.0,
) -> Iterator[xr.Dataset]:
    """A reanalysis of the Earth of `weather_seed`: the same physics and weather, blurred ground, errors by `bias`.

    Hourly (time: UTC, whole days from `start` to `end`, both included): soil_temperature (0-7 cm, K), air_temperature
    (K), snow_depth (m) on (time, y, x), linear between three-hourly states in each cell's own local solar time
    (UTC = local - longitude/15 h). `seed` draws the errors. Memory: one block and three days.
    """
    held = column.make_cells(blurred(ground, grid, bias), grid)
    first = origin(start)
    days = column.march(
        held,
        erring(_weather(grid, weather_seed, first, trend), grid, first=first, seed=seed, bias=bias),
        snowfall=bias.snowfall,
    )
    hours = _utc_hours(days, grid.lonlat()[0].ravel() / 15.0)
    names = ("soil_temperature", "air_temperature", "snow_depth")
    for dates in _blocks(start, end, block_days):
        values = np.empty((len(names), 24 * len(dates), math.prod(grid.shape)), np.float32)
        done = 0
        while done < len(dates):
            date, day = next(hours)
            if date == dates[done]:
                values[:, 24 * done : 24 * done + 24] = day()
                done += 1
        time = dates.astype("datetime64[ns]")[:, None] + np.arange(24) * np.timedelta64(1, "h")
        shaped = values.reshape(len(names), -1, *grid.shape)
        yield grid.write(
            xr.Dataset(
                {n: (("time", "y", "x"), v, _attrs(n)) for n, v in zip(names, shaped, strict=True)},
                coords={"time": time.ravel()},
            )
        )


def _weather(grid: Grid, seed: int, first: np.datetime64, trend: float) -> Iterator[Weather]:
    return weather.daily_weather(grid.shape, cell_km=cell_km(grid), seed=seed, first=first, trend=trend)


def _blocks(start: Any, end: Any, block_days: int) -> Iterator[np.ndarray]:
    """Local dates in runs of `block_days`; the last may be shorter."""
    dates = days_between(start, end).astype("datetime64[D]")
    if not len(dates):
        raise ValueError(f"no day from {start} to {end}")
    for i in range(0, len(dates), block_days):
        yield dates[i : i + block_days]


def _empty_block(dates: np.ndarray, grid: Grid, bands: Iterable[str], site: np.ndarray | None) -> dict[str, np.ndarray]:
    twice, daily = (len(dates), 2, *grid.shape), (len(dates), *grid.shape)
    names = ["ice_share", "soil_temperature", "air_temperature", "truth", "truth_t0"]
    names += [f"tb_{microwave.BANDS[b].label}{p}" for b in bands for p in "vh"]
    block = {n: np.empty(twice, np.float32) for n in names}
    block |= {n: np.empty(daily, np.float32) for n in ("snow_depth", "swe", "air_min", "air_max")}
    if site is not None:
        block["soil_temperature_3h"] = np.empty((STEPS_A_DAY * len(dates), len(site)), np.float32)
    return block


def _truth(block: dict[str, np.ndarray], i: int, day: Day, shape: tuple[int, int]) -> None:
    for p in OVERPASSES:
        state = day.at(int(NOMINAL_HOUR[p]))
        share, top = soil.ice_share(state.column), soil.top_temperature(state.column)
        values = {
            "ice_share": share,
            "soil_temperature": top + KELVIN,
            "air_temperature": state.air + KELVIN,
            "truth": share > 0.5,
            "truth_t0": top < 0.0,
        }
        for name, value in values.items():
            block[name][i, p] = value.reshape(shape)
    air = np.stack([s.air for s in day.states]) + KELVIN
    evening = day.at(18).pack
    daily = {"snow_depth": evening.depth, "swe": evening.swe, "air_min": air.min(0), "air_max": air.max(0)}
    for name, value in daily.items():
        block[name][i] = value.reshape(shape)


def _emission(
    block: dict[str, np.ndarray],
    i: int,
    day: Day,
    before: Day | None,
    surface: microwave.Surface,
    looks: Looks,
    shape: tuple[int, int],
) -> None:
    @functools.cache
    def scene(hour: int) -> microwave.Scene:
        """The scene at an hour; 0 h is the end of the day before."""
        if hour:
            return column.make_scene(day.at(hour))
        assert before is not None, "the margin holds a day before the first"
        return column.make_scene(before.at(24))

    for p in OVERPASSES:
        for name, look in looks.items():
            band = microwave.BANDS[name]
            seen = functools.reduce(microwave.average, map(scene, look[p]))
            for pol, value in zip("vh", microwave.brightness(band, surface, seen), strict=True):
                block[f"tb_{band.label}{pol}"][i, p] = value.reshape(shape)


def _utc_hours(days: Iterator[Day], shift: np.ndarray) -> Iterator[tuple[np.datetime64, Callable[[], np.ndarray]]]:
    """Each UTC date with a function that gives its 24 hours, (3, 24, N).

    shift: local minus UTC, hours, (N,). Three local days and the step before them hold every UTC day.
    """
    held: deque[tuple[np.datetime64, np.ndarray]] = deque(maxlen=3)
    last: np.ndarray | None = None
    for day in days:
        if len(held) == 3:
            last = held[0][1][-1:]
        held.append((day.date, np.stack([_analysed(s) for s in day.states])))
        if len(held) < 3 or last is None:
            continue
        steps = np.concatenate([last, *(h for _, h in held)])  # (25, 3, N), from 0 h of the day before
        yield held[1][0], functools.partial(_hourly, steps, shift)


def _analysed(state: State) -> np.ndarray:
    return np.stack([soil.top_temperature(state.column) + KELVIN, state.air + KELVIN, state.pack.depth])


def _hourly(steps: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """(3, 24, N) at UTC hours 0..23 of the middle day of `steps` (25, 3, N), which begin 24 h before its 0 h."""
    position = (24.0 + np.arange(24.0)[:, None] + shift) / STEP_HOURS
    low = np.minimum(position.astype(np.int64), len(steps) - 2)
    part = (position - low).astype(np.float32)
    cell = np.arange(len(shift))
    out = np.empty((steps.shape[1], *low.shape), np.float32)
    for k in range(steps.shape[1]):
        values = np.ascontiguousarray(steps[:, k])
        a, b = values[low, cell], values[low + 1, cell]
        out[k] = a + (b - a) * part
    return out


def _attrs(name: str) -> dict[str, str]:
    if name in ABOUT:
        return {"units": ABOUT[name][0], "long_name": ABOUT[name][1]}
    return {"units": "K", "long_name": "brightness temperature above the atmosphere, before the footprint"}


def _dataset(block: dict[str, np.ndarray], dates: np.ndarray, grid: Grid) -> xr.Dataset:
    dims = {3: ("time", "y", "x"), 4: ("time", "overpass", "y", "x"), 2: ("time_3h", "site")}
    coords: dict[str, Any] = {"time": dates.astype("datetime64[ns]"), "overpass": np.array(OVERPASSES, np.int8)}
    if "soil_temperature_3h" in block:
        steps = np.array(HOURS) * np.timedelta64(1, "h")
        coords["time_3h"] = (dates.astype("datetime64[ns]")[:, None] + steps).ravel()
    return grid.write(xr.Dataset({n: (dims[v.ndim], v, _attrs(n)) for n, v in block.items()}, coords=coords))
