"""What the owners would have delivered: the twin's fields and stations as files in the agencies' own layouts."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from itertools import zip_longest
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from frostline.clock import AM, PM
from frostline.grid import Grid
from frostline.twin import write_amsr2, write_cetb, write_era5, write_insitu, write_statics

Array = np.ndarray
Submit = Callable[..., None]
ORBIT: dict[int, write_amsr2.Orbit] = {AM: "D", PM: "A"}
AMSR2_HOUR = {AM: 1.5, PM: 13.5}  # local solar time of the descending and ascending pass (formats.md 4.1)
AMSR2_CHANNELS = {18: ("tb_18v", "tb_18h"), 36: ("tb_36v", "tb_36h")}
DAY = 1440  # minutes
SNOW_DENSITY = 0.25  # of water; ERA5's `sd` is water equivalent, and a climatological pack turns depth into it
ERA5_NAMES = {"stl1": "soil_temperature", "t2m": "air_temperature", "sd": "swe"}
USCRN = "USCRN"  # the network whose stations go to CRNH0203 text; all others make an ISMN archive
QUEUE = 4  # jobs a worker may have waiting: the producer waits rather than fill the memory


def deliver(
    out: Path,
    *,
    blocks: Iterable[xr.Dataset],
    hourly: Iterable[xr.Dataset],
    ground: xr.Dataset,
    grid: Grid,
    sites: Mapping[str, Any] | xr.Dataset,
    site_series: Iterable[tuple[Array, Array]],
    cetb_version: write_cetb.Version = "v3",
    workers: int = 1,
) -> dict[str, int]:
    """Write `out`/{smap,amsr2,era5,dem,landcover,ismn,uscrn} and count the files of each.

    `blocks`: datasets (time = local dates, overpass 0/1, y, x) of tb_1v ... tb_36h (K, NaN = unseen) and
    `tb_time_1` (minutes since 00 UTC of the date); `hourly`: datasets (time UTC, y, x) of soil_temperature,
    air_temperature and, optionally, swe or snow_depth; both in order of time, any number of steps each.
    `ground` (y, x): elevation, terrain_std, land_cover. `sites`: lon, lat, elevation, depth (m), network and
    `station` (or `site`) names; `site_series`: (times UTC, (time, site) K). `grid` is a window of N09.

    The three iterables are consumed in turn, one item each, so a producer need hold no more than an item.
    A SMAP channel or AMSR2 frequency that a day's pass did not see has no file. An AMSR2 file holds a UTC day,
    as JAXA's do: east of 22.5 E the 01:30 pass of a local date lies in the file of the day before, and
    `Time Information` tells when. Station series are kept (4 bytes an hour and site) until the end.
    A second run writes the same bytes. Raises ConfigError for a grid outside N09, DiskError from the disk.
    """
    out, counts = Path(out), Counter[str]()
    eqr, era5 = _Eqr(grid), _Boxes(grid)
    months: dict[str, list] = {}
    pending: dict[tuple[np.datetime64, int], dict[str, Array]] = {}
    series: list[tuple[Array, Array]] = []
    with _pool(workers, counts) as submit:
        submit(_statics, out, ground, grid)
        for block, hours, some in zip_longest(blocks, hourly, site_series):
            if block is not None:
                block = block.load()
                submit(_smap, out / "smap", block[["tb_1v", "tb_1h", "tb_time_1"]], grid, cetb_version)
                last = eqr.add(block, pending)
                ready = [key for key in pending if key[0] < last]  # the next local date reaches back one day
                submit(_amsr2, out / "amsr2", {k: pending.pop(k) for k in ready}, eqr.row, eqr.col)
            if hours is not None:
                done = era5.add(hours, months)
                for parts in done:
                    submit(_era5, out / "era5", parts, era5.box)
            if some is not None:
                series.append((np.asarray(some[0]), np.asarray(some[1], np.float32)))
        submit(_amsr2, out / "amsr2", pending, eqr.row, eqr.col)
        for parts in months.values():
            submit(_era5, out / "era5", parts, era5.box)
        times = np.concatenate([t for t, _ in series]) if series else np.array([], "datetime64[s]")
        for k, station in enumerate(_stations(sites)):
            if times.size:
                submit(_station, out, station, times, np.concatenate([v[:, k] for _, v in series]))
    return dict(counts)


class _Eqr:
    """From the window to the part of the 0.1 degree grid around it: where it begins and how to fill it."""

    def __init__(self, grid: Grid) -> None:
        box = write_statics.bounding_box(grid, 0.1)
        self.row = round((90.0 - box.top) * 10.0)
        self.col = round(box.left * 10.0)
        lon, lat = box.lonlat()
        self.position = np.stack(grid.position(lon, lat))
        self.minutes = {p: AMSR2_HOUR[p] * 60.0 - lon * 4.0 for p in ORBIT}  # UTC = local time - lon/15 h

    def add(self, block: xr.Dataset, pending: dict[tuple[np.datetime64, int], dict[str, Array]]) -> np.datetime64:
        """Put a block's passes into the UTC days they fall in; the last local date."""
        from scipy.ndimage import map_coordinates

        dates = block["time"].values.astype("datetime64[D]")
        for overpass in ORBIT:
            minutes = self.minutes[overpass]
            day_of = np.floor(minutes / DAY).astype(int)
            part = block.sel(overpass=overpass)
            for i, date in enumerate(dates):
                for channel in (name for pair in AMSR2_CHANNELS.values() for name in pair):
                    field = part[channel].values[i]
                    if not np.isfinite(field).any():
                        continue
                    tb = map_coordinates(field, self.position, order=1, mode="constant", cval=np.nan)
                    for shift in np.unique(day_of):
                        day = pending.setdefault((date + shift, overpass), {})
                        target = day.setdefault(channel, np.full(tb.shape, np.nan, np.float32))
                        there = day_of == shift
                        target[there] = tb[there]
                        day["minutes"] = minutes - DAY * day_of
        return dates[-1]


class _Boxes:
    """From the window to the 0.25 degree nodes of its bounding box: means of the cells around each node."""

    def __init__(self, grid: Grid) -> None:
        from scipy.sparse import csr_array
        from scipy.spatial import cKDTree

        around = write_statics.bounding_box(grid, write_era5.STEP)
        half = write_era5.STEP / 2  # nodes are the corners of those boxes: shift by half a step
        shape = (around.shape[0] + 1, around.shape[1] + (not around.wraps))
        self.box = Grid("era5", around.crs, around.left - half, around.top + half, around.step, shape)
        lon, lat = grid.lonlat()
        row, col = self.box.locate(lon, lat)
        size, cell = shape[0] * shape[1], np.arange(lon.size)
        node = (row * shape[1] + col).ravel()
        count = np.bincount(node, minlength=size)
        empty = np.flatnonzero(count == 0)
        nearest = cKDTree(_sphere(lon, lat)).query(_sphere(*(v.ravel()[empty] for v in self.box.lonlat())))[1]
        weights = np.concatenate([1.0 / count[node], np.ones(empty.size)])
        to, of = np.concatenate([node, empty]), np.concatenate([cell, nearest])
        self.matrix = csr_array((weights.astype(np.float32), (to, of)), shape=(size, cell.size))

    def mean(self, fields: Array) -> Array:
        """(time, y, x) of the window to (time, latitude, longitude)."""
        flat = np.asarray(fields, np.float32).reshape(len(fields), -1)
        return np.ascontiguousarray((self.matrix @ flat.T).T).reshape(len(fields), *self.box.shape)

    def add(self, hours: xr.Dataset, months: dict[str, list]) -> list[list]:
        """Put a block of hours into its months; the months that a later one has closed."""
        if "swe" not in hours and "snow_depth" in hours:
            hours = hours.assign(swe=hours["snow_depth"] * SNOW_DENSITY)
        times = hours["time"].values
        fields = {n: self.mean(hours[v].values) for n, v in ERA5_NAMES.items() if v in hours}
        stamp = times.astype("datetime64[M]")
        for month in np.unique(stamp):
            rows = stamp == month
            months.setdefault(str(month), []).append((times[rows], {n: v[rows] for n, v in fields.items()}))
        return [months.pop(m) for m in sorted(months)[:-1]]


def _sphere(lon: Array, lat: Array) -> Array:
    """(points, 3) on the unit sphere, so that the nearest is the nearest across the date line too."""
    lam, phi = np.deg2rad(np.ravel(lon)), np.deg2rad(np.ravel(lat))
    return np.stack([np.cos(phi) * np.cos(lam), np.cos(phi) * np.sin(lam), np.sin(phi)], axis=-1)


def _smap(folder: Path, block: xr.Dataset, grid: Grid, version: write_cetb.Version) -> dict[str, int]:
    written = 0
    for overpass in (AM, PM):
        part = block.sel(overpass=overpass)
        for i, date in enumerate(block["time"].values):
            for polarization, name in (("V", "tb_1v"), ("H", "tb_1h")):
                tb = part[name].values[i]
                if np.isfinite(tb).any():
                    write_cetb.write(
                        folder,
                        date=date,
                        overpass=overpass,
                        polarization="V" if polarization == "V" else "H",
                        tb=tb,
                        tb_time=part["tb_time_1"].values[i],
                        window=grid,
                        version=version,
                    )
                    written += 1
    return {"smap": written}


def _amsr2(
    folder: Path, days: Mapping[tuple[np.datetime64, int], dict[str, Array]], row: int, col: int
) -> dict[str, int]:
    written = 0
    for (date, overpass), fields in days.items():
        for frequency, (v, h) in AMSR2_CHANNELS.items():
            if v in fields and h in fields and np.isfinite(fields[v]).any():
                write_amsr2.write(
                    folder,
                    date=date,
                    orbit=ORBIT[overpass],
                    frequency=frequency,
                    tb_v=fields[v],
                    tb_h=fields[h],
                    minutes=fields["minutes"],
                    row=row,
                    col=col,
                )
                written += 1
    return {"amsr2": written}


def _era5(folder: Path, parts: list[tuple[Array, dict[str, Array]]], box: Grid) -> dict[str, int]:
    fields = {n: np.concatenate([f[n] for _, f in parts]) for n in parts[0][1]}
    times = np.concatenate([t for t, _ in parts])
    write_era5.write(folder, times=times, latitude=box.y, longitude=box.x, fields=fields)
    return {"era5": 1}


def _statics(out: Path, ground: xr.Dataset, grid: Grid) -> dict[str, int]:
    write_statics.write_dem(out / "dem", ground=ground, grid=grid)
    write_statics.write_land_cover(out / "landcover", ground=ground, grid=grid)
    return {"dem": 1, "landcover": 1}


def _station(out: Path, station: dict[str, Any], times: Array, kelvin: Array) -> dict[str, int]:
    if station["network"] == USCRN:
        where = {k: v for k, v in station.items() if k not in ("network", "elevation")}
        paths = write_insitu.write_uscrn(out / "uscrn", times=times, kelvin=kelvin, **where)
        return {"uscrn": len(paths)}
    write_insitu.write_ismn(out / "ismn", times=times, kelvin=kelvin, **station)
    return {"ismn": 1}


def _stations(sites: Mapping[str, Any] | xr.Dataset) -> Iterator[dict[str, Any]]:
    """One dict of plain values a site."""
    names = np.asarray(sites["station"] if "station" in sites else sites["site"])
    numbers = {k: np.asarray(sites[k], float) for k in ("lon", "lat", "elevation", "depth")}
    networks = np.asarray(sites["network"])
    for k, name in enumerate(names):
        yield {
            "network": str(networks[k]),
            "station": str(name),
            **{key: float(v[k]) for key, v in numbers.items()},
        }


@contextmanager
def _pool(workers: int, counts: Counter[str]) -> Iterator[Submit]:
    """A function that runs a job here or in a process; counts are complete when the block ends.

    Processes, since HDF5 holds the interpreter's lock; `forkserver` or `spawn`, since a fork of a threaded
    process may hang.
    """
    if workers <= 1:
        yield lambda job, *args: counts.update(job(*args))
        return
    waiting: deque[Future] = deque()

    def submit(job: Callable[..., dict[str, int]], *args: Any) -> None:
        while len(waiting) >= QUEUE * workers:
            counts.update(waiting.popleft().result())
        waiting.append(pool.submit(job, *args))

    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        yield submit
        while waiting:
            counts.update(waiting.popleft().result())
