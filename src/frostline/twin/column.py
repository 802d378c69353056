"""Marches cells through local solar days: air, snow, lake and soil in steps of three hours."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import xarray as xr

from frostline.grid import Grid
from frostline.twin import snow, soil, weather
from frostline.twin.microwave import Scene, Surface
from frostline.twin.snow import Pack
from frostline.twin.soil import Column, Soil
from frostline.twin.weather import Climate, Weather

HOURS = (3, 6, 9, 12, 15, 18, 21, 24)  # ends of the steps, local solar time
STEP_HOURS = 3.0
KELVIN = 273.15
DAMPING_DEPTH = 2.4  # m, of the annual wave: sets the column's temperature on the first day


@dataclass(frozen=True)
class Cells:
    """The ground of N cells in row order, as vectors (N,) float32."""

    climate: Climate
    soil: Soil
    surface: Surface
    arid: np.ndarray
    low_vegetation: np.ndarray
    organic: np.ndarray


@dataclass(frozen=True)
class Lake:
    """Open water: temperature (degC) and the cold (K day) it has stored; arrays (N,)."""

    temperature: np.ndarray
    cold: np.ndarray

    @property
    def frozen(self) -> np.ndarray:
        """1 where ice covers it."""
        return ((self.cold > 25.0) & (self.temperature < 3.35)).astype(np.float32)


@dataclass(frozen=True)
class State:
    """All that is known at one local hour; arrays (N,), temperatures degC."""

    hour: int
    air: np.ndarray
    skin: np.ndarray
    cloud: np.ndarray
    vegetation: np.ndarray  # kg/m2
    pack: Pack
    column: Column
    lake: Lake


@dataclass(frozen=True)
class Day:
    """One local solar day: the states at the ends of its eight steps."""

    date: np.datetime64
    states: tuple[State, ...]

    def at(self, hour: int) -> State:
        """The state at one of HOURS."""
        return self.states[HOURS.index(hour)]


def make_cells(ground: xr.Dataset, grid: Grid) -> Cells:
    """Vectors of the ground in row order; latitudes are the grid's own."""
    v = {str(name): ground[name].values.ravel().astype(np.float32) for name in ground.data_vars if name != "land"}
    latitude = grid.lonlat()[1].ravel().astype(np.float32)
    return Cells(
        climate=weather.make_climate(latitude, v["elevation"], v["forest"], v["arid"]),
        soil=Soil(
            thickness=np.diff(soil.EDGES).astype(np.float32),
            porosity=v["porosity"],
            organic=v["organic"],
            freezing_point=v["freezing_point"],
            curve_slope=v["curve_slope"],
            residual_water=v["residual_water"],
        ),
        surface=Surface(
            clay=v["clay"], roughness=v["roughness"], forest=v["forest"], water_fraction=v["water_fraction"]
        ),
        arid=v["arid"],
        low_vegetation=v["low_vegetation"],
        organic=v["organic"],
    )


def first_column(cells: Cells, date: np.datetime64) -> Column:
    """A column on the annual wave, damped and delayed with depth, never below -6 degC; moist where humid."""
    ground, climate = cells.soil, cells.climate
    middle = (np.cumsum(ground.thickness) - 0.5 * ground.thickness)[:, None] / DAMPING_DEPTH
    phase = np.arccos(np.clip(weather.season(date), -1.0, 1.0))  # before the summer's peak: the wave still rises
    wave = np.exp(-middle) * np.cos(-phase - middle)
    temperature = np.maximum(climate.mean + 1.5 + climate.amplitude * wave, -6.0).astype(np.float32)
    moist = np.clip(0.75 * ground.porosity * (0.85 - 0.65 * cells.arid), 0.06, 0.6)
    water = np.repeat(moist[None], len(middle), 0)
    water[soil.TOP + 1 :] = np.clip(1.1 * moist, 0.0, ground.porosity)
    return soil.column_at(soil.moisten(ground, water.astype(np.float32)), temperature)


def march(cells: Cells, days: Iterable[Weather], *, snowfall: float = 1.0) -> Iterator[Day]:
    """March from the first day of `days` (taken in summer: no snow, warm lakes) for as long as there is weather.

    snowfall: factor on what falls as snow. Memory: one day.
    """
    n = len(cells.arid)
    pack, column, lake = snow.no_snow(n), None, None
    for today in days:
        if column is None or lake is None:
            column = first_column(cells, today.date)
            lake = Lake(cells.climate.mean + 8.0, np.zeros(n, np.float32))
        states = []
        offered = np.zeros(n, np.float32)
        for hour in HOURS:
            state, water = _step(cells, today, hour, pack, column, lake, snowfall)
            pack, column, lake = state.pack, state.column, state.lake
            offered = offered + water
            states.append(state)
        yield Day(today.date, tuple(states))
        column, _, _ = soil.exchange_water(column, infiltration=offered, season=weather.season(today.date))


def _step(
    cells: Cells, today: Weather, hour: int, pack: Pack, column: Column, lake: Lake, snowfall: float
) -> tuple[State, np.ndarray]:
    """Three hours that end at `hour`; returns the state and the water (mm) that reached the ground."""
    climate = cells.climate
    air = weather.air_temperature(climate, today, hour)
    offset = weather.radiative_offset(climate, today, hour, pack.swe > 3.0)
    pack, water = snow.step(
        pack,
        air=air,
        offset=offset,
        precipitation=today.precipitation * (1.25 - 1.05 * cells.arid) * (STEP_HOURS / 24.0),
        ground=column.temperature[0],
        rate=snow.melt_rate(climate.forest, weather.diurnal(hour)),
        hours=STEP_HOURS,
        snowfall=snowfall,
    )
    covered = pack.swe > snow.TRACE
    target = air + offset  # what the surface aims at; melting snow holds it at zero
    target = np.where(covered, np.minimum(target, 0.0), target)
    target = np.where(covered & pack.wet, np.maximum(target, -0.3), target)
    exchange = 22.0 - 10.0 * climate.forest  # W/(m2 K), air to surface
    litter = 0.06 * climate.forest + 0.12 * cells.organic + 0.02 * cells.low_vegetation  # m2 K/W
    column, flux = soil.advance(
        column,
        surface=target,
        conductance=1.0 / (1.0 / exchange + snow.resistance(pack) + litter),
        seconds=3600.0 * STEP_HOURS,
    )
    top = column.temperature[0]
    bare = top + 0.4 * (target - top) * (0.04 * exchange / (1.0 + 0.04 * exchange))
    skin = np.where(covered, np.minimum(target - flux / exchange, 0.0), bare)
    state = State(
        hour=hour,
        air=air,
        skin=skin,
        cloud=today.cloud,
        vegetation=cells.low_vegetation * _greenness(weather.season(today.date)),
        pack=pack,
        column=column,
        lake=_lake_step(lake, air),
    )
    return state, water


def _greenness(season: float) -> float:
    return 0.25 + 0.75 * min(max((season + 0.3) / 1.2, 0.0), 1.0)


def _lake_step(lake: Lake, air: np.ndarray) -> Lake:
    """Water follows the air over 12 days, not below .15 degC; ice comes after 25 K days of cold."""
    days = STEP_HOURS / 24.0
    temperature = lake.temperature + (np.maximum(air, -3.0) - lake.temperature) * (days / 12.0)
    return Lake(np.maximum(temperature, 0.15), np.clip(lake.cold - air * days, 0.0, 600.0))


def make_scene(state: State) -> Scene:
    """The state as the radiometers see it (K, kg/m2, m3/m3, mm)."""
    top = state.column.temperature[: soil.TOP]
    liquid = soil.liquid_water(state.column.medium, top)
    vapour = 11.0 * np.exp(0.065 * (np.clip(state.air, -40.0, 35.0) - 5.0)) * (0.7 + 0.6 * state.cloud)
    return Scene(
        skin=state.skin + KELVIN,
        soil_temperature=top + KELVIN,
        liquid=liquid,
        ice=np.maximum(state.column.medium.water[: soil.TOP] - liquid, 0.0),
        air=state.air + KELVIN,
        swe=state.pack.swe,
        density=state.pack.density,
        wetness=state.pack.wetness,
        grain=state.pack.grain,
        vegetation=state.vegetation,
        lake_ice=state.lake.frozen,
        water_temperature=state.lake.temperature + KELVIN,
        vapour=np.clip(vapour, 1.0, 60.0),
        cloud_water=0.25 * np.maximum(state.cloud - 0.6, 0.0),
    )
