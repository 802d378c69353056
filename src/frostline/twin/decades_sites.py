"""Thermometers of the long twin: stations with daily extremes of the surface, and six dense networks at 5 cm."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import xarray as xr
from pyproj import Transformer

from frostline.errors import ConfigError
from frostline.grid import Grid
from frostline.twin import stations, write_china_sites
from frostline.twin.stations import DEPTH, NOISE_SD, OFFSET_SD, OFFSET_TERRAIN, WATER_LIMIT
from frostline.twin.weather import keyed

Array = np.ndarray
CTP: dict[Literal["NQ", "PL"], str] = {
    "NQ": "Naqu",
    "PL": "Pali",
}  # networks with a layout of their own: prefix of files, name
FOLDERS = ("Genhe", "Maqu", "Saihanba", "SDR")
NETWORKS = (*CTP, *FOLDERS)
ROWS, COLUMNS = 2, 3  # parts of the window, a network in each
BEGIN = np.datetime64("2015-04-01")  # networks measure from here on
FIRST_NUMBER = 90001  # of no station of the CMA's, whose numbers begin with 5
_NETWORKS, _EXTREMES = 51, 52  # streams of random numbers


def make_cma(
    ground: xr.Dataset, grid: Grid, *, n: int, seed: int, start: np.datetime64, end: np.datetime64
) -> xr.Dataset:
    """`n` sites of `stations.make_stations`, drawn in towards the middle of their cells: files round their places."""
    able = int((ground["water_fraction"].values < WATER_LIMIT).sum())
    if n > able:
        cause = f"{n} stations, and the window has {able} cells to stand in"
        raise ConfigError("E-CONFIG", where="twin.stations", cause=cause, remedy="fewer stations or a larger window")
    sites = stations.make_stations(ground, grid, n=n, seed=seed, start=start, end=end)
    row, col = sites["row"].values, sites["col"].values
    middle = [v[row, col] for v in grid.lonlat()]  # a minute of arc is a fifth of a cell
    for name, centre in zip(("lon", "lat"), middle, strict=True):
        sites[name] = sites[name].copy(data=centre + 0.7 * (sites[name].values - centre))
    return sites.assign_coords(site=FIRST_NUMBER + np.arange(n))


def make_networks(ground: xr.Dataset, grid: Grid, *, nodes: int, seed: int) -> xr.Dataset:
    """Six networks of `nodes` thermometers each, in one to four neighbouring cells; as `stations.make_stations`.

    They have no outages. Raises ConfigError where the window is too small for six.
    """
    rng = keyed(seed, _NETWORKS, 0)
    rows, cols = grid.shape
    if rows < 2 * ROWS or cols < 2 * COLUMNS:
        cause = f"{grid.shape} cells are too few for six networks"
        raise ConfigError("E-CONFIG", where="grid.shape", cause=cause, remedy=f"{2 * ROWS} x {2 * COLUMNS} or more")
    r, c = [], []
    for k in range(len(NETWORKS)):
        i, j = divmod(k, COLUMNS)
        north, south = i * rows // ROWS, (i + 1) * rows // ROWS
        west, east = j * cols // COLUMNS, (j + 1) * cols // COLUMNS
        top, left = rng.integers(north, south - 1), rng.integers(west, east - 1)
        r.append(top + rng.integers(0, 2, nodes))
        c.append(left + rng.integers(0, 2, nodes))
    row, col = np.concatenate(r), np.concatenate(c)
    n = len(row)
    inside = rng.uniform(-0.45, 0.45, (2, n))
    lon, lat = Transformer.from_crs(grid.crs, "EPSG:4326", always_xy=True).transform(
        grid.x[col] + inside[0] * grid.step, grid.y[row] + inside[1] * grid.step
    )
    terrain = ground["terrain_std"].values[row, col]
    network = np.repeat(NETWORKS, nodes)
    offset = OFFSET_SD * (1.0 + terrain / OFFSET_TERRAIN) * rng.standard_normal(n)
    return xr.Dataset(
        {
            "row": ("site", row),
            "col": ("site", col),
            "offset": ("site", offset.astype(np.float32), {"units": "K"}),
            "outage_begin": (("site", "outage"), np.empty((n, 0), "datetime64[D]")),
            "outage_end": (("site", "outage"), np.empty((n, 0), "datetime64[D]")),
        },
        coords={
            "site": [f"TWIN-{name}-{i:02d}" for name in NETWORKS for i in range(1, nodes + 1)],
            "lon": ("site", np.asarray(lon)),
            "lat": ("site", np.asarray(lat)),
            "elevation": ("site", ground["elevation"].values[row, col].astype(np.float32)),
            "depth": ("site", np.full(n, DEPTH, np.float32)),
            "network": ("site", network),
        },
    )


def write_cma(folder: Path, sites: xr.Dataset, dates: Array, least: Array, most: Array, *, seed: int) -> int:
    """Monthly files of the extremes (date, site), K, of the cells' surface: a site's offset and noise come to them.

    The noise, of `stations.NOISE_SD`, is drawn anew each day for either extreme. Values are NaN in outages. Real
    files' day ends at 20 h Beijing time, the twin's at midnight local solar time.
    """
    rng = keyed(seed, _EXTREMES, 0)
    both = np.stack([least, most]) + sites["offset"].values
    both += (NOISE_SD * rng.standard_normal(both.shape)).astype(np.float32)
    both.sort(axis=0)
    for begin, back in zip(sites["outage_begin"].values.T, sites["outage_end"].values.T, strict=True):
        both[:, (dates[:, None] >= begin) & (dates[:, None] < back)] = np.nan
    paths = write_china_sites.write_cma(
        folder,
        stations=sites["site"].values.tolist(),
        lon=sites["lon"].values,
        lat=sites["lat"].values,
        elevation=sites["elevation"].values,
        dates=dates,
        minimum=both[0],
        maximum=both[1],
        seed=seed,
    )
    return len(paths)


def write_networks(out: Path, sites: xr.Dataset, blocks: Iterable[xr.Dataset], *, seed: int) -> dict[str, int]:
    """Write `out`/ctp and `out`/networks from soil_temperature_3h of `long_earth`, whose sites are those of `sites`.

    Three-hourly, from `BEGIN` on; nothing where no block reaches it. The sites' names say that they are the twin's.
    """
    told = list(stations.observe(sites, blocks, seed=seed + 1))
    if not told:
        return {"ctp": 0, "networks": 0}
    series = xr.concat(told, "time")
    series = series.sel(time=series["time"] >= BEGIN)
    for code, name in CTP.items():
        write_china_sites.write_ctp(out / "ctp" / name, network=code, **_of(series, code))
    for name in FOLDERS:
        write_china_sites.write_folder(out / "networks" / name, **_of(series, name))
    return {"ctp": len(CTP), "networks": len(FOLDERS)}


def _of(series: xr.Dataset, network: str) -> dict[str, Any]:
    """What the writers of a network ask for."""
    mine = series.isel(site=np.flatnonzero(series["network"].values == network))
    return {
        "sites": mine["site"].values.tolist(),
        "lon": mine["lon"].values,
        "lat": mine["lat"].values,
        "elevation": mine["elevation"].values,
        "depth": DEPTH,
        "times": mine["time"].values,
        "kelvin": mine["soil_temperature"].values,
    }
