"""What stays in place: static fields on the record's grid, and the stations with their roles."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from frostline import labels, regrid
from frostline.config_north import North
from frostline.errors import InputError
from frostline.grid import Grid
from frostline.read.gldas import read_gldas_static
from frostline.read.insitu_ismn import read_ismn
from frostline.read.insitu_table import read_table
from frostline.read.insitu_uscrn import read_uscrn
from frostline.read.series import NO_VALUE, Series
from frostline.read.statics import Strips, static_grid
from frostline.runs import Run
from frostline.split import Split, station_roles
from frostline.steps.common import roles, split_of
from frostline.steps.fields import observed_minutes
from frostline.steps.refusals import Refuse

FOREST = (1, 2, 3, 4, 5)  # IGBP: evergreen, deciduous and mixed forests (formats.md 7)
STATIONS: dict[str, Callable[..., Any]] = {
    "ismn": lambda place, deepest: read_ismn(place, depth=(0.0, deepest)),
    "uscrn": lambda place, deepest: read_uscrn(place, depth=(0.0, deepest)),
    "stations": lambda place, deepest: read_table(place),  # a table may know no depths
}  # each gives series and problems
MARGIN_DEGREES = 1.0


def statics(experiment: North, inventory: Mapping[str, Any], grid: Grid) -> dict[str, np.ndarray]:
    """Static fields (y, x): `elevation`, `land_cover`, and `land`, the soil that the record describes.

    Land is what the land cover (majority of a cell) does not call water or ice, or the reanalysis' own mask;
    on a polar square only the northern hemisphere. Without either, every cell is land.
    """
    out: dict[str, np.ndarray] = {}
    land = np.ones(grid.shape, bool)
    if grid.crs == "EPSG:6931":
        land &= grid.north
    if "dem" in inventory:
        source, field = _raster(inventory, "dem", grid)
        out["elevation"] = regrid.area_mean(field, source, grid)[0]
    elif "elevation" in inventory:
        out["elevation"] = _gldas(inventory, "elevation", grid, regrid.bilinear)
    if "landcover" in inventory:
        source, codes = _raster(inventory, "landcover", grid)
        cover = regrid.majority(codes, source, grid)
        out["land_cover"] = cover
        land &= np.isfinite(cover) & ~np.isin(cover, experiment.assemble.not_soil)
    elif "landmask" in inventory:
        land &= _gldas(inventory, "landmask", grid, regrid.nearest) == 1
    if "elevation" in out:  # a DEM knows no height at sea: the net reads sea level there
        out["elevation"] = np.where(np.isfinite(out["elevation"]), out["elevation"], 0.0)
    return out | {"land": land.astype(np.float32)}


def station_sites(
    experiment: North, inventory: Mapping[str, Any], grid: Grid, days: np.ndarray, run: Run, refuse: Refuse
) -> xr.Dataset | None:
    """All stations on the grid sampled at the overpasses, each with a `role`; None where no archive is named.

    Stations of a cell share their role, drawn from the cell's place, so it does not change when stations come or
    go; those in the held-out area never teach. Stations that calibrate neither teach nor judge.
    """
    series: list[Series] = []
    for product, read in STATIONS.items():
        if product not in inventory:
            continue
        deepest = experiment.labels.max_depth
        found, problems = read(Path(inventory[product]["place"]), deepest)
        series += shallowest([s for s in found if not s.depth > deepest])
        for problem in problems:
            code, cause = re.fullmatch(r"(?:(E-\S+) )?(.*)", problem.reason, re.S).groups()  # type: ignore[union-attr]
            error = InputError(code or "E-INPUT-TEXT", where=problem.path, cause=cause, remedy="the rest is kept")
            if problem.fatal and problem.reason != NO_VALUE:
                refuse(product, problem.path, error)
            else:
                run.warn(error)
    if not series:
        return None
    table = experiment.labels
    minutes = observed_minutes(inventory, grid, refuse) if table.time == "observed" else None
    sites = labels.station_labels(series, grid, dates=days, threshold=table.threshold, minutes=minutes)
    split = split_of(experiment) or Split((), (), (), heldout_stations=1.0)  # without one nothing teaches
    role = station_roles(split, roles(experiment)[1], *grid.locate(sites["lon"].values, sites["lat"].values))
    return sites.assign_coords(role=("site", role))


def shallowest(series: Sequence[Series]) -> list[Series]:
    """One sensor per station: the shallowest (Donahue 2023, section 2.1), the first of equal ones."""
    best: dict[tuple[str, str], Series] = {}
    for one in series:
        held = best.setdefault((one.network, one.site), one)
        if one.depth < held.depth:
            best[one.network, one.site] = one
    return list(best.values())


def _raster(inventory: Mapping[str, Any], product: str, grid: Grid) -> tuple[Grid, Strips]:
    """A static GeoTIFF product around the grid: its window and its values."""
    paths = [Path(row[0]) for row in inventory[product]["files"]]
    lon, lat = grid.lonlat()
    lat, lon = lat[np.isfinite(lat)], lon[np.isfinite(lon)]
    south, north = max(lat.min() - MARGIN_DEGREES, -90.0), min(lat.max() + MARGIN_DEGREES, 90.0)
    whole = static_grid(paths)
    turned = np.mod(lon - whole.left, 360.0) + whole.left
    region = (turned.min() - MARGIN_DEGREES, turned.max() + MARGIN_DEGREES, south, north)
    window = static_grid(paths, region=region)
    return window, Strips("elevation" if product == "dem" else "land_cover", paths, window)


def _gldas(inventory: Mapping[str, Any], product: str, grid: Grid, method: Any) -> np.ndarray:
    """A GLDAS static file on the grid."""
    ds = read_gldas_static(Path(inventory[product]["files"][0][0]))
    name = "elevation" if product == "elevation" else "land"
    return regrid.apply(method(Grid.of(ds), grid), ds[name].values)
