"""Four decades over western China: a prescribed warming, the sensors of two records, a reanalysis that errs."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import xarray as xr

from frostline.clock import AM, PM
from frostline.clock import days as days_between
from frostline.grid import Grid
from frostline.twin import bias as errors
from frostline.twin import column, microwave, soil, weather, world
from frostline.twin.bias import ReanalysisBias
from frostline.twin.column import KELVIN, Cells, Day
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
    `cells` also adds ground_min and ground_max (time, site), K: least and greatest skin temperature of the local day
    (of bare ground, or of the snow on it), as a thermometer that lies on the surface is read.
    `warming`: K per year, of the air, the only trend there is: weather is detrended over the whole span, so another
    span is another Earth. Memory: one block.
    """
    ground = long_ground(grid, seed=seed)
    held = long_cells(ground, grid)
    first, last = world.origin(f"{start_year}-01-01"), np.datetime64(f"{end_year}-12-31")
    days = column.march(held, _weather(grid, seed, first, last, warming))
    kept: dict[np.datetime64, Array] = {}
    if cells is not None:
        days = _read_surface(days, np.ravel_multi_index(cells, grid.shape), kept)
    land = ground["land"].values.astype(bool)
    plan = _plan(start_year, end_year, block_days)
    looks = ((dates, _looks(dates[0])) for dates in plan)
    for block in world.truths(days, looks, grid=grid, surface=held.surface, land=land, cells=cells):
        dates = block["time"].values.astype("datetime64[D]")
        block = block.drop_vars("tb_36h").assign_attrs(block.attrs | {"sensor": sensor_on(dates[0]).name})
        if cells is not None:
            least, most = np.stack([kept[d] for d in dates], axis=1)
            block["ground_min"], block["ground_max"] = (("time", "site"), least), (("time", "site"), most)
            kept.clear()
        yield block


def _read_surface(days: Iterator[Day], site: Array, kept: dict[np.datetime64, Array]) -> Iterator[Day]:
    """The days as they pass; of each the least and greatest skin temperature (K) at `site` is kept, (2, site)."""
    for day in days:
        skin = np.stack([s.skin[site] for s in day.states]) + np.float32(KELVIN)
        kept[day.date] = np.stack([skin.min(0), skin.max(0)])
        yield day


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


def long_march(
    grid: Grid, *, start_year: int, end_year: int, seed: int, weather_seed: int, warming: float, bias: ReanalysisBias
) -> Iterator[tuple[Day, Array]]:
    """Every local day of the reanalysis of the Earth of `weather_seed`, and its precipitation, mm/h (N,).

    `seed` draws the errors; they and the weather are detrended together, so that it warms as the Earth does. Days
    before the first year come too.
    """
    held = long_cells(errors.blurred(long_ground(grid, seed=weather_seed), grid, bias), grid)
    first, last = world.origin(f"{start_year}-01-01"), np.datetime64(f"{end_year}-12-31")
    given, driving = itertools.tee(_weather(grid, weather_seed, first, last, warming, seed=seed, bias=bias))
    wetness = 1.25 - 1.05 * held.arid  # as `march` takes it
    for today, day in zip(given, column.march(held, driving, snowfall=bias.snowfall), strict=False):
        yield day, today.precipitation * wetness / 24.0


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


def analysed(day: Day) -> Array:
    """0-7 cm temperature (K) and moisture, depth of snow (m) of a day as the analysis has them, (state, step, N)."""
    dz = np.diff(soil.EDGES)[: soil.TOP, None] / soil.TOP_DEPTH
    return np.stack(
        [
            np.stack([soil.top_temperature(s.column) + KELVIN for s in day.states]),
            np.stack([(s.column.medium.water[: soil.TOP] * dz).sum(0) for s in day.states]),
            np.stack([s.pack.depth for s in day.states]),
        ]
    )
