"""Four decades over western China: a prescribed warming, the sensors of two records, a reanalysis that errs."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import xarray as xr

from frostline.clock import AM, NOMINAL_HOUR, PM
from frostline.clock import days as days_between
from frostline.grid import Grid
from frostline.twin import bias as errors
from frostline.twin import column, microwave, soil, weather, world
from frostline.twin.bias import ReanalysisBias
from frostline.twin.column import HOURS, KELVIN, STEP_HOURS, Cells, Day
from frostline.twin.ground import cell_km, make_ground
from frostline.twin.observe import blur
from frostline.twin.orbits import swath
from frostline.twin.weather import Climate, Weather

Array = np.ndarray

PLATEAU = (
    2300.0  # m under the hills of `make_ground`; ours: .33-.43 of the cell-days at 36 N are then frozen (seeds 1-3)
)
SMAP_START = np.datetime64("2015-03-31")  # first day of the L3 record (formats.md 1.3, unverified)
SMAP_LOOK = ((6,), (18,))
FOOTPRINT_37 = 30.0  # km; ours, of the order of SSM/I's at 37 GHz
_NOISE = 41  # stream of random numbers
# of a length well below the window's, else it is one bias for all (algorithms 8); `erring` takes its mean away
LONG_BIAS = ReanalysisBias(static_length=0.25)


@dataclass(frozen=True)
class Sensor:
    """A radiometer of the ESDR era: from which day, at which hours (AM, PM), every how many days, how far off."""

    name: str
    first: np.datetime64
    hours: tuple[tuple[int, ...], tuple[int, ...]]
    every: int
    offset: float  # K at 37 GHz


# Days: NSIDC-0477 v5.1 user guide, table 9. SMMR at midnight and noon every other day, later ones near 06 and 18 h
# (algorithms 5); AMSR2 at 01:30 and 13:30, which lie between two steps. Offsets: ours, of the order of what is left
# between radiometers after intercalibration.
SENSORS = (
    Sensor("SMMR", np.datetime64("1979-01-01"), ((0,), (12,)), 2, 0.8),
    Sensor("F08", np.datetime64("1987-07-09"), ((6,), (18,)), 1, 0.0),
    Sensor("F11", np.datetime64("1991-12-12"), ((6,), (18,)), 1, -0.3),
    Sensor("F13", np.datetime64("1995-05-03"), ((6,), (18,)), 1, 0.2),
    Sensor("F17", np.datetime64("2008-01-01"), ((6,), (18,)), 1, -0.4),
    Sensor("AMSR2", np.datetime64("2021-01-01"), ((0, 3), (12, 15)), 1, 0.5),
)


def sensor_on(date: np.datetime64, sensors: Sequence[Sensor] = SENSORS) -> Sensor:
    """The radiometer that flies on a date.

    >>> sensor_on(np.datetime64("1987-07-08")).name, sensor_on(np.datetime64("2020-12-31")).name
    ('SMMR', 'F17')
    """
    return [s for s in sensors if s.first <= date][-1]


def long_ground(grid: Grid, *, seed: int) -> xr.Dataset:
    """The ground of `make_ground` without sea, lifted to a plateau and as humid as that makes 57 N.

    Meadow and steppe as in the east of the Qinghai-Tibet plateau; cover classes are those of before.
    """
    ground = make_ground(grid, seed=seed, land=np.ones(grid.shape, bool))
    drier = (0.02 * (57.0 - grid.lonlat()[1])).astype(np.float32)  # what `make_ground` adds towards the south
    arid = (ground["arid"] - drier).clip(0.0, 1.0).assign_attrs(ground["arid"].attrs)
    low = (1.5 * (1.0 - arid) * (1.0 - 0.4 * ground["forest"])).clip(0.02, 2.0)
    return ground.assign(
        elevation=(ground["elevation"] + np.float32(PLATEAU)).assign_attrs(ground["elevation"].attrs),
        arid=arid,
        low_vegetation=low.astype(np.float32).assign_attrs(ground["low_vegetation"].attrs),
    )


def long_cells(ground: xr.Dataset, grid: Grid) -> Cells:
    """Cells in the climate of algorithms 4.1 at the grid's true latitudes, for which it was made (36-64 N)."""
    cells = column.make_cells(ground, grid)
    latitude, elevation = cells.climate.latitude, ground["elevation"].values.ravel()
    climate: Climate = replace(
        cells.climate,
        mean=(14.5 - 0.62 * (latitude - 40.0) - 0.0055 * elevation).astype(np.float32),
        amplitude=(11.0 + 0.30 * (latitude - 36.0)).astype(np.float32),
    )
    return replace(cells, climate=climate)


def long_earth(
    grid: Grid,
    *,
    start_year: int,
    end_year: int,
    seed: int,
    warming: float,
    block_days: int = 32,
    cells: tuple[Array, Array] | None = None,
) -> Iterator[xr.Dataset]:
    """The truth of `long_ground` over whole calendar years, and the clean brightness that two records need.

    As `world.earth`: blocks of at most `block_days` that lie within one year and one sensor's days (attribute
    `sensor`). tb_36v always, at that sensor's hours; tb_1v and tb_1h at 06 and 18 h in blocks from `SMAP_START` on.
    `warming`: K per year, of the air, the only trend there is: weather is detrended over the whole span, so another
    span is another Earth. Memory: one block.
    """
    ground = long_ground(grid, seed=seed)
    held = long_cells(ground, grid)
    first, last = world.origin(f"{start_year}-01-01"), np.datetime64(f"{end_year}-12-31")
    days = column.march(held, _weather(grid, seed, first, last, warming))
    land = ground["land"].values.astype(bool)
    plan = _plan(start_year, end_year, block_days)
    looks = ((dates, _looks(dates[0])) for dates in plan)
    for block in world.truths(days, looks, grid=grid, surface=held.surface, land=land, cells=cells):
        sensor = sensor_on(block["time"].values[0].astype("datetime64[D]")).name
        yield block.drop_vars("tb_36h").assign_attrs(block.attrs | {"sensor": sensor})


def long_observed(block: xr.Dataset, grid: Grid, *, seed: int, sensors: Sequence[Sensor] = SENSORS) -> xr.Dataset:
    """What the sensors saw of a block of `long_earth`: footprint, noise, swath, and the offset of its radiometer.

    tb_36v and, where the block has them, tb_1v and tb_1h, K, NaN where no swath passed. All radiometers at 37 GHz
    have AMSR2's orbit and width here (SSM/I's 1400 km is near it; SMMR's is half of that, every other day).
    """
    dates = block["time"].values.astype("datetime64[D]")
    dims = ("time", "overpass", "y", "x")
    out = {}
    for code, (name, kind) in enumerate((("tb_36v", "amsr2"), ("tb_1v", "smap"), ("tb_1h", "smap"))):
        if name not in block:
            continue
        band = microwave.BANDS["L" if kind == "smap" else "Ka"]
        tb = blur(block[name].values, grid, band.footprint if kind == "smap" else FOOTPRINT_37)
        for p in (AM, PM):
            seen = swath(grid, dates, sensor=kind, overpass=p)
            for i, date in enumerate(dates):
                rng = np.random.default_rng([seed, _NOISE, weather.date_key(date), 2 * code + p])
                tb[i, p] += np.float32(band.noise) * rng.standard_normal(grid.shape, dtype=np.float32)
                if kind == "amsr2":
                    sensor = sensor_on(date, sensors)
                    tb[i, p] += np.float32(sensor.offset)
                    seen[i] &= weather.date_key(date) % sensor.every == 0
                tb[i, p][~seen[i]] = np.nan
        out[name] = (dims, tb, {"units": "K"})
    attrs = {"sensor": block.attrs["sensor"]}
    return grid.write(xr.Dataset(out, coords={c: block[c] for c in ("time", "overpass")})).assign_attrs(attrs)


def long_reanalysis(
    grid: Grid,
    *,
    start_year: int,
    end_year: int,
    seed: int,
    weather_seed: int,
    warming: float,
    bias: ReanalysisBias = LONG_BIAS,
    steps: Sequence[int] = (3, 2, 1),
    block_days: int = 32,
) -> Iterator[xr.Dataset]:
    """The reanalysis of the Earth of `weather_seed`, only at the hours that are asked of it.

    (time, overpass, step, y, x): soil_temperature (0-7 cm, K), soil_moisture (0-7 cm, water and ice, m3/m3),
    snow_depth (m), precipitation (mm/h, the day's mean) at `steps` hours (0 to 24) before 06 and 18 h local solar
    time, linear between three-hourly states; overpass_temperature (time, overpass, y, x): soil_temperature at 06 and
    18 h, K; air_min and air_max (time, y, x): of the local day, K. `seed` draws the errors; they and the weather are
    detrended together, so that it warms as the Earth does. The hourly UTC fields of `world.reanalysis` would be 24
    times in the day, of which the net reads six. Memory: one block.
    """
    before_pass = np.array([*steps, 0])
    if not len(steps) or before_pass.min() < 0 or before_pass.max() > 24:
        raise ValueError("steps are hours from 0 to 24 before the overpass")
    ground = long_ground(grid, seed=weather_seed)
    held = long_cells(errors.blurred(ground, grid, bias), grid)
    first, last = world.origin(f"{start_year}-01-01"), np.datetime64(f"{end_year}-12-31")
    hours = np.array([[NOMINAL_HOUR[p]] for p in (AM, PM)]) - before_pass  # (overpass, step)

    given, driving = itertools.tee(_weather(grid, weather_seed, first, last, warming, seed=seed, bias=bias))
    marched = zip(given, column.march(held, driving, snowfall=bias.snowfall), strict=False)
    wetness = 1.25 - 1.05 * held.arid  # as `march` takes it
    before: Array | None = None
    for dates in _plan(start_year, end_year, block_days):
        values = np.empty((len(_STATES) + 1, len(dates), *hours.shape, *grid.shape), np.float32)
        air = np.empty((2, len(dates), *grid.shape), np.float32)
        done = 0
        while done < len(dates):
            today, day = next(marched)
            states = _analysed(day)  # (state, step, N)
            if day.date == dates[done]:
                assert before is not None, "marching begins days before the first block"
                both = np.concatenate([before, states], axis=1)
                values[:-1, done] = _at(both, hours).reshape(len(_STATES), *hours.shape, *grid.shape)
                values[-1, done] = (today.precipitation * wetness / 24.0).reshape(grid.shape)
                warm = np.stack([s.air for s in day.states]) + KELVIN
                air[:, done] = np.stack([warm.min(0), warm.max(0)]).reshape(2, *grid.shape)
                done += 1
            before = states
        yield _reanalysed(values, air, dates, np.asarray(steps), grid)


_STATES = {"soil_temperature": "K", "soil_moisture": "m3 m-3", "snow_depth": "m"}


def _weather(
    grid: Grid,
    weather_seed: int,
    first: np.datetime64,
    last: np.datetime64,
    warming: float,
    *,
    seed: int = 0,
    bias: ReanalysisBias | None = None,
) -> Iterator[Weather]:
    """Detrended and warmed weather; with `bias`, that of a reanalysis."""

    def make() -> Iterator[Weather]:
        days = weather.daily_weather(grid.shape, cell_km=cell_km(grid), seed=weather_seed, first=first)
        return days if bias is None else errors.erring(days, grid, first=first, seed=seed, bias=bias)

    return weather.detrended(make, first=first, last=last, warming=warming)


def _plan(start_year: int, end_year: int, block_days: int) -> Iterator[Array]:
    """Local dates in runs of at most `block_days`, cut where a year, a sensor or SMAP begins."""
    dates = days_between(f"{start_year}-01-01", f"{end_year}-12-31").astype("datetime64[D]")
    if not len(dates) or dates[0] < SENSORS[0].first:
        raise ValueError(f"years {start_year} to {end_year} are not in order or begin before {SENSORS[0].first}")
    begins = {SMAP_START, *(s.first for s in SENSORS)}
    begins |= {np.datetime64(f"{y}-01-01") for y in range(start_year, end_year + 1)}
    for run in np.split(dates, np.flatnonzero(np.isin(dates[1:], list(begins))) + 1):
        yield from (run[i : i + block_days] for i in range(0, len(run), block_days))


def _looks(date: np.datetime64) -> world.Looks:
    """Which bands are seen on a date, and at which hours."""
    looks = {"Ka": sensor_on(date).hours}
    return looks | {"L": SMAP_LOOK} if date >= SMAP_START else looks


def _analysed(day: Day) -> Array:
    """The states of a day, (state, step, N)."""
    dz = np.diff(soil.EDGES)[: soil.TOP, None] / soil.TOP_DEPTH
    return np.stack(
        [
            np.stack([soil.top_temperature(s.column) + KELVIN for s in day.states]),
            np.stack([(s.column.medium.water[: soil.TOP] * dz).sum(0) for s in day.states]),
            np.stack([s.pack.depth for s in day.states]),
        ]
    )


def _at(states: Array, hours: Array) -> Array:
    """(state, overpass, step, N) at `hours` of the second of two days of three-hourly `states` (state, 16, N)."""
    position = (24.0 + hours) / STEP_HOURS - 1.0  # the first step ends at 3 h of the day before
    low = np.clip(np.floor(position).astype(int), 0, 2 * len(HOURS) - 2)
    part = (position - low)[None, ..., None]
    return states[:, low] * (1.0 - part) + states[:, low + 1] * part


def _reanalysed(values: Array, air: Array, dates: Array, steps: Array, grid: Grid) -> xr.Dataset:
    """`values` (variable, time, overpass, step, y, x), the overpass itself last; `air` (least and most, time, y, x)."""
    units = _STATES | {"precipitation": "mm h-1"}
    dims = ("time", "overpass", "step", "y", "x")
    fields: dict[str, tuple] = {
        n: (dims, v[:, :, :-1], {"units": u}) for (n, u), v in zip(units.items(), values, strict=True)
    }
    fields["overpass_temperature"] = (("time", "overpass", "y", "x"), values[0, :, :, -1], {"units": "K"})
    fields |= {n: (("time", "y", "x"), v, {"units": "K"}) for n, v in zip(("air_min", "air_max"), air, strict=True)}
    coords = {
        "time": dates.astype("datetime64[ns]"),
        "overpass": np.array([AM, PM], np.int8),
        "step": ("step", steps, {"units": "h", "long_name": "hours before the overpass, local solar time"}),
    }
    return grid.write(xr.Dataset(fields, coords=coords))
