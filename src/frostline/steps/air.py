"""The least and greatest air temperature of each day, of the reanalysis, for the classics that are tied to it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from frostline import store
from frostline.classic_air import daily_extremes
from frostline.clock import AM, PM
from frostline.config_north import North
from frostline.errors import InputError
from frostline.read.era5 import read_era5
from frostline.runs import Run, fingerprint, read_json, upstream
from frostline.steps.common import days_of, grid_of
from frostline.steps.fields import era5_hours

STORE = "air.zarr"
NAME = "air_temperature"
RULE = "2 m air temperature of ERA5, least (AM) and greatest (PM) of the local solar day"
INSTEAD = "soil temperature of the reanalysis at the overpass, in place of the day's least and greatest air temperature"


class Air(NamedTuple):
    """A day's least and greatest temperature (time, y, x; K), lazily, and what they are of, in words."""

    low: xr.DataArray
    high: xr.DataArray
    source: str


def air_of(experiment: North, run: Run, stack: xr.Dataset) -> Air:
    """Air temperature of the ERA5 files, or where they hold none, the stack's soil temperature as a named substitute.

    E-INPUT-MISSING without any reanalysis.
    """
    inventory = read_json(run.path("inventory.json"))
    if _has_air(inventory):
        _make(experiment, run, inventory)
        both, source = store.open_store(run.path(STORE), chunks={})[NAME], RULE
    elif "soil_temperature" in stack:
        both, source = stack["soil_temperature"], INSTEAD
    else:
        cause = "no reanalysis to tie a threshold to"
        raise InputError("E-INPUT-MISSING", where="inputs", cause=cause, remedy="name inputs.era5 or inputs.gldas")
    return Air(both.sel(overpass=AM, drop=True), both.sel(overpass=PM, drop=True), source)


def _has_air(inventory: Mapping[str, Any]) -> bool:
    files = inventory.get("era5", {}).get("files", [])
    return bool(files) and NAME in read_era5(files[0][0])


def _make(experiment: North, run: Run, inventory: Mapping[str, Any]) -> None:
    """`air.zarr`, or what is missing of it: the least at overpass AM, the greatest at PM."""
    grid, days, path = grid_of(experiment), days_of(experiment), run.path(STORE)
    mark = fingerprint(upstream(run, "read"), experiment.assemble.regrid)
    if store.made_for(path) != mark:
        attrs = {"source": RULE, "made_for": mark}
        store.create(path, grid=grid, time=days, overpass=[AM, PM], variables=[NAME], attrs=attrs)
    done = store.verified(path).all(axis=1)
    if done.all():
        return
    first = int(np.argmin(done))
    files = [Path(row[0]) for row in inventory["era5"]["files"]]
    hours = era5_hours(files, grid, days[first:], experiment.assemble.regrid, _tell(run), NAME)
    extremes = daily_extremes(hours, grid, dates=days[first:])
    span = store.chunk_days(grid)
    starts = range(first, len(days), span)
    with store.writer(path) as write:
        for start in run.track(starts, total=len(starts), label="air temperature by day"):
            some = [next(extremes)[1:] for _ in days[start : start + span]]
            write(start, {NAME: np.array(some)})


def _tell(run: Run) -> Any:
    """A file that cannot be read is told; it is not struck off, since its soil temperature may be whole."""

    def refuse(product: str, path: str | Path, error: InputError) -> None:
        run.warn(error)

    return refuse
