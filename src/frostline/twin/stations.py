"""Soil stations of the twin Earth: where they stand, and what their thermometers say."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import xarray as xr
from pyproj import Transformer

from frostline.clock import days, year
from frostline.grid import Grid
from frostline.twin.weather import keyed

NETWORKS = ("TWIN", "USCRN")  # the second goes to USCRN text files, the first to an ISMN archive
DEPTH = 0.05  # m
OFFSET_SD = 0.8  # K, of a point against its cell on flat ground; grows with terrain (algorithms 4.3)
OFFSET_TERRAIN = 150.0  # m of terrain_std that double it
NOISE_SD, NOISE_MEMORY = 0.6, 0.8  # K; a day
OUTAGE_CHANCE, OUTAGE_DAYS = 0.6, 73  # of a site in a year; longest (a fifth of a year)
WATER_LIMIT = 0.3  # water fraction above which no station stands in a cell
PAIRED = 0.1  # share of the sites that are second in their cell
STEP = np.timedelta64(3, "h")
CARRIED = 16  # local steps kept between blocks: two days span all longitudes
_PLACES, _OUTAGES, _NOISE = 41, 42, 43  # streams of random numbers


def make_stations(ground: xr.Dataset, grid: Grid, *, n: int, seed: int, start: Any, end: Any) -> xr.Dataset:
    """`n` sites on land, and their outages in the years from `start` to `end`.

    Coordinates (site): site name, lon, lat (anywhere inside the cell), elevation (m), depth (m), network. Variables
    (site): row, col of the cell; offset, K, the fixed difference from it, N(0, .8 (1 + terrain_std/150 m)). Variables
    (site, outage): outage_begin, outage_end, dates, the latter back in service; NaT where a year has none. A tenth of
    the sites share a cell with another. Raises ValueError if fewer cells than sites can hold one.
    """
    rng = keyed(seed, _PLACES, 0)
    able = np.flatnonzero((ground["land"].values & (ground["water_fraction"].values < WATER_LIMIT)).ravel())
    single = n - int(PAIRED * n)
    if single > len(able):
        raise ValueError(f"{n} stations need {single} land cells; the window has {len(able)}")
    cell = rng.choice(able, single, replace=False)
    cell = np.concatenate([cell, rng.choice(cell, n - single, replace=False)])
    row, col = np.unravel_index(cell, grid.shape)
    inside = rng.uniform(-0.45, 0.45, (2, n))  # of a cell: coordinates rounded in a file stay inside it
    lon, lat = Transformer.from_crs(grid.crs, "EPSG:4326", always_xy=True).transform(
        grid.x[col] + inside[0] * grid.step, grid.y[row] + inside[1] * grid.step
    )
    terrain = ground["terrain_std"].values[row, col]
    elevation = np.maximum(ground["elevation"].values[row, col] + 0.3 * terrain * rng.standard_normal(n), 0.0)
    network = np.where(rng.random(n) < 0.6, *NETWORKS)
    begin, back = _outages(n, seed=seed, start=start, end=end)
    return xr.Dataset(
        {
            "row": ("site", row),
            "col": ("site", col),
            "offset": (
                "site",
                (OFFSET_SD * (1.0 + terrain / OFFSET_TERRAIN) * rng.standard_normal(n)).astype(np.float32),
                {"units": "K"},
            ),
            "outage_begin": (("site", "outage"), begin),
            "outage_end": (("site", "outage"), back),
        },
        coords={
            "site": [f"{name}-{i:03d}" for i, name in enumerate(network)],
            "lon": ("site", np.asarray(lon), {"units": "degrees_east"}),
            "lat": ("site", np.asarray(lat), {"units": "degrees_north"}),
            "elevation": ("site", elevation.astype(np.float32), {"units": "m"}),
            "depth": ("site", np.full(n, DEPTH, np.float32), {"units": "m"}),
            "network": ("site", network),
        },
    )


def _outages(n: int, *, seed: int, start: Any, end: Any) -> tuple[np.ndarray, np.ndarray]:
    """First dates without data and first dates back, (n, years) datetime64[D], NaT where none."""
    years = np.unique(year(days(start, end)))
    begin, back = [], []
    for y in years:
        rng = keyed(seed, _OUTAGES, int(y))
        struck = rng.random(n) < OUTAGE_CHANCE
        first = np.datetime64(f"{y}-01-01") + rng.integers(0, 365, n)
        begin.append(np.where(struck, first, np.datetime64("NaT")))
        back.append(np.where(struck, first + rng.integers(1, OUTAGE_DAYS + 1, n), np.datetime64("NaT")))
    return np.stack(begin, 1).astype("datetime64[D]"), np.stack(back, 1).astype("datetime64[D]")


def observe(sites: xr.Dataset, blocks: Iterable[xr.Dataset], *, seed: int) -> Iterator[xr.Dataset]:
    """What the stations record: soil_temperature (time, site), K, every three hours UTC; NaN in outages.

    sites: from `make_stations`. blocks: from `world.earth(..., cells=(row, col))`, whose soil_temperature_3h runs in
    local solar time. To the cell's temperature come the site's offset and AR(1) noise of .6 K. Times run from 00 UTC
    of the first local date to 21 UTC of the last; at both ends a site is NaN where its local time lies outside the
    blocks. Memory: one block and two days.
    """
    shift = sites["lon"].values / 15.0  # local minus UTC, h
    wait = np.timedelta64(int(np.ceil(max(float(shift.max()), 0.0))), "h")
    noise: Iterator[np.ndarray] = iter(())
    local: np.ndarray | None = None
    value = np.empty((0, len(shift)), np.float32)
    upcoming = last = np.datetime64("NaT")
    for block in blocks:
        time = block["time_3h"].values
        if local is None:
            local, upcoming = time[:0], time[0].astype("datetime64[D]").astype("datetime64[ns]")
            noise = _noise(seed, len(shift), upcoming)
        local = np.concatenate([local, time])
        value = np.concatenate([value, block["soil_temperature_3h"].values])
        last = local[-1]
        ready = np.arange(upcoming, last - wait + np.timedelta64(1, "h"), STEP)
        if len(ready):
            yield _record(sites, ready, local, value, shift, noise)
            upcoming = ready[-1] + STEP
        local, value = local[-CARRIED:], value[-CARRIED:]
    if local is not None:
        rest = np.arange(upcoming, last, STEP)
        if len(rest):
            yield _record(sites, rest, local, value, shift, noise)


def _noise(seed: int, n: int, first: np.datetime64) -> Iterator[np.ndarray]:
    """AR(1) noise of n thermometers (K), every STEP from `first`; a step's innovation depends on its time alone."""
    memory = NOISE_MEMORY ** (STEP / np.timedelta64(1, "D"))
    state: np.ndarray | None = None
    for step in itertools.count(int((first - np.datetime64("0001-01-01", "h")) / STEP)):
        fresh = NOISE_SD * keyed(seed, _NOISE, step).standard_normal(n)
        state = fresh if state is None else memory * state + np.sqrt(1.0 - memory**2) * fresh
        yield state


def _record(
    sites: xr.Dataset,
    utc: np.ndarray,
    local: np.ndarray,
    value: np.ndarray,
    shift: np.ndarray,
    noise: Iterator[np.ndarray],
) -> xr.Dataset:
    """Interpolate each site's local steps at UTC times; add offset and noise; blank the outages."""
    hours = (utc - local[0]) / np.timedelta64(1, "h")
    have = (local - local[0]) / np.timedelta64(1, "h")
    t = np.stack(
        [np.interp(hours + shift[i], have, value[:, i], left=np.nan, right=np.nan) for i in range(len(shift))],
        axis=1,
    )
    t += sites["offset"].values + np.stack([next(noise) for _ in utc])
    for begin, back in zip(sites["outage_begin"].values.T, sites["outage_end"].values.T, strict=True):
        t[(utc[:, None] >= begin) & (utc[:, None] < back)] = np.nan
    return xr.Dataset(
        {"soil_temperature": (("time", "site"), t.astype(np.float32), {"units": "K"})},
        coords={"time": utc.astype("datetime64[ns]")} | dict(sites.coords),
    )
