"""The reanalysis recalibrated on training stations, no net: the record that a fusion of nets must beat."""

from __future__ import annotations

import shutil
from typing import Any

import numpy as np
import xarray as xr

from frostline import classic, store
from frostline.clock import OVERPASS_NAMES
from frostline.config_china import China
from frostline.errors import InputError
from frostline.grid import Grid
from frostline.labels import FREEZING
from frostline.runs import Run
from frostline.schema import QUALITY
from frostline.steps import watch
from frostline.steps.common import grid_of, roles
from frostline.steps.shelf import made_of, new_store, record_path, sites_of

LATEST = ("snow_depth", "soil_moisture")  # of these the last step before the overpass
BLOCK_VALUES = 1 << 21  # cell-days of one predictor worked on at once


def recalibrate(experiment: China, run: Run) -> dict[str, Any]:
    """`record_recalibrated.zarr`: for each overpass a logistic regression of training stations' states on reanalysis.

    Predictors: soil temperature at the overpass, and snow depth and soil moisture of the last step, where the stack
    has them; only stations with role `train`, on days of training. No day of the year: it is to tell
    the weather, not the calendar. What it learns is what stations measure: of CMA that is 0 cm, in the morning the
    day's minimum and in the evening its maximum, which is not the soil at 5 cm at 6 and 18 h. Gives what was fitted;
    `skipped` with the reason, and no record, where nothing can teach it.
    """
    stack, sites = store.open_store(run.path("stack.zarr")), sites_of(run, "train")
    path, names = record_path(run, "recalibrated"), predictors(stack)
    if sites is None or not names:
        shutil.rmtree(path, ignore_errors=True)
        return {"skipped": "no training station" if sites is None else "no reanalysis in the stack"}
    days = roles(experiment)[0] == "train"
    try:
        models = _fit(stack, sites, names, days, experiment)
    except InputError as error:  # stations that never freeze, say, or not before a pass
        run.warn(f"no recalibrated reanalysis: {error}")
        shutil.rmtree(path, ignore_errors=True)
        return {"skipped": str(error)}
    attrs = {
        "source": "reanalysis recalibrated on training stations: " + ", ".join(names),
        "inputs": made_of(experiment, "recalibrated"),
        **watch.attrs(experiment, run),
    }
    new_store(experiment, path, stack, variables=("frozen", "quality", "age"), attrs=attrs)
    land = stack["land"].values == 1
    with store.writer(path) as write:
        for part in blocks(stack):
            for k, code in enumerate(stack["overpass"].values):
                x = _predictors(stack.isel(time=part, overpass=k), names)
                frozen = np.where(land, classic.logistic(models[int(code)], x), np.float32(np.nan))
                unknown = np.isnan(frozen)
                flags = np.where(unknown, QUALITY["input_missing"], 0)
                doubt = np.abs(frozen - 0.5) < experiment.fuse.low_confidence
                flags = np.where(land, np.where(doubt, QUALITY["low_confidence"], flags), QUALITY["outside_domain"])
                age = np.where(unknown, 255, 0)
                arrays = {"frozen": frozen, "quality": flags.astype("uint16"), "age": age.astype("uint8")}
                write(part.start, arrays, overpass=k)
    return {
        OVERPASS_NAMES[code]: {
            "n": model.n,
            "offset": model.offset,
            "slopes": dict(zip(names, (model.slope / model.spread).tolist(), strict=True)),
            "centers": dict(zip(names, model.center.tolist(), strict=True)),
        }
        for code, model in models.items()
    }


def predictors(stack: xr.Dataset) -> list[str]:
    """The names of the predictors that the stack has; none without the temperature at the overpass."""
    if "overpass_temperature" not in stack:
        return []
    return ["overpass_temperature", *(name for name in LATEST if name in stack)]


def blocks(stack: xr.Dataset) -> list[slice]:
    """Runs of whole chunks of days, few enough cells for memory."""
    grid = Grid.of(stack)
    chunk = store.chunk_days(grid)
    step = chunk * max(1, BLOCK_VALUES // (chunk * grid.shape[0] * grid.shape[1]))
    return [slice(i, min(i + step, stack.sizes["time"])) for i in range(0, stack.sizes["time"], step)]


def _fit(
    stack: xr.Dataset, sites: xr.Dataset, names: list[str], days: np.ndarray, experiment: China
) -> dict[int, classic.Logistic]:
    """A regression for each overpass, on the cells that hold the stations; read in blocks of days."""
    rows, cols = grid_of(experiment).locate(sites["lon"].values, sites["lat"].values)
    inside = np.flatnonzero(rows >= 0)
    at = {"y": xr.DataArray(rows[inside], dims="site"), "x": xr.DataArray(cols[inside], dims="site")}
    truth = sites["frozen"].isel(site=inside).reindex(time=stack["time"].values)
    models = {}
    for k, code in enumerate(stack["overpass"].values.tolist()):
        said, true = [], []
        for part in blocks(stack):
            if not days[part].any():
                continue
            x = _predictors(stack[names].isel(time=part, overpass=k).load().isel(at), names)[days[part]]
            said.append(x.reshape(-1, len(names)))
            true.append(truth.sel(overpass=code).isel(time=part).transpose("time", "site").values[days[part]].ravel())
        models[code] = classic.fit_logistic(np.concatenate(said), np.concatenate(true))
    return models


def _predictors(part: xr.Dataset, names: list[str]) -> np.ndarray:
    """Predictors of some days and one overpass: (time, y, x or site, predictor); temperature in degC."""
    fields = [(part[n].isel(step=-1) if "step" in part[n].dims else part[n]).values for n in names]
    return np.stack(
        [f - FREEZING if n == "overpass_temperature" else f for n, f in zip(names, fields, strict=True)], -1
    )
