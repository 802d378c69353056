"""The step that judges: the records and their baselines against every truth there is; `scores.json`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from frostline import classic, store
from frostline.config_north import North
from frostline.grid import Grid
from frostline.runs import Run, write_json
from frostline.steps import watch
from frostline.steps.common import days_of, grid_of, load, roles
from frostline.steps.model import nets, record_path
from frostline.steps.places import FOREST
from frostline.validate.rows import evaluate

SPLITS = ("train", "validation", "heldout")


def validate(experiment: North, run: Run) -> dict[str, Any]:
    """Score `unet`, its rivals, climatologies, persistence and the reanalysis; all on their common cell-days."""
    table = experiment.validate_
    if table is None:
        return {"skipped": "no [validate] table"}
    leaks = watch.watch(experiment, run)
    records, truths = claims(experiment, run), references(experiment, run)
    day_role, cell_role = roles(experiment)
    time = xr.DataArray(days_of(experiment), dims="time")
    days = {
        s: xr.DataArray(day_role == s, coords={"time": time.values}, dims="time")
        for s in SPLITS
        if (day_role == s).any()
    }
    rows: list[dict[str, Any]] = []
    for against, truth in truths.items():
        judged = {name: r for name, r in records.items() if name != against}
        rows += evaluate(
            judged,
            {against: truth},
            days=days,
            strata=strata(experiment, run, cell_role),
            block=table.block_days,
            resamples=table.resamples,
            level=table.confidence,
            seed=table.seed,
        )
    write_json(run.path("scores.json"), watch.marked(rows, leaks))
    return {"rows": len(rows), "records": list(records), "against": list(truths)} | watch.notes(leaks)


def claims(experiment: North, run: Run) -> dict[str, xr.Dataset]:
    """Records to be judged, lazily: the nets' and what they must beat."""
    stack = store.open_store(run.path("stack.zarr"), chunks={})
    grid, day_role = grid_of(experiment), roles(experiment)[0]
    names = nets(experiment.train) if experiment.train is not None else {}
    records = {name: store.open_store(record_path(run, name)) for name in names}
    if "label_reanalysis" not in stack:
        return records
    land = stack["land"] == 1
    teacher = stack["label_reanalysis"].where(land)
    training = xr.DataArray(day_role == "train", coords={"time": stack["time"].values}, dims="time")
    if training.any():
        half = experiment.validate_.climatology_days if experiment.validate_ is not None else 0
        table = classic.climatology(teacher, days=training, half_window=half)
        records["climatology"] = classic.climatology_record(table, stack["time"].values, grid=grid)
        if run.path("truth.zarr").exists():
            truth = store.open_store(run.path("truth.zarr"), chunks={})["truth"]
            best = classic.climatology(truth, days=training, half_window=half)
            records["climatology_truth"] = classic.climatology_record(best, stack["time"].values, grid=grid)
    records["persistence"] = classic.persistence(teacher, grid=grid)
    records["reanalysis"] = as_record(teacher, grid)
    return records


def references(experiment: North, run: Run) -> dict[str, xr.Dataset]:
    """What records are compared with: the twin's truth in both senses, the reanalysis, stations that never taught."""
    grid = grid_of(experiment)
    truths: dict[str, xr.Dataset] = {}
    if run.path("truth.zarr").exists():
        known = store.open_store(run.path("truth.zarr"), chunks={})
        truths |= {name: as_record(known[name], grid) for name in ("truth", "truth_t0")}
    stack = store.open_store(run.path("stack.zarr"), chunks={})
    if "label_reanalysis" in stack:
        truths["reanalysis"] = as_record(stack["label_reanalysis"].where(stack["land"] == 1), grid)
    if run.path("sites.nc").exists():
        sites = load(run.path("sites.nc"))
        judges = np.flatnonzero(sites["role"].values == "heldout")
        if len(judges):
            truths["stations"] = sites.isel(site=judges)
    return truths


def strata(experiment: North, run: Run, cell_role: np.ndarray) -> Mapping[str, np.ndarray]:
    """Masks (y, x): the trained and the held-out area, forest and not, and both areas' forest."""
    stack = store.open_store(run.path("stack.zarr"), chunks={})
    masks = {"area:trained": cell_role == "train"}
    if (cell_role == "heldout").any():
        masks["area:heldout"] = cell_role == "heldout"
    if "land_cover" in stack:
        forest = np.isin(stack["land_cover"].values, FOREST)
        masks |= {"landcover:forest": forest, "landcover:nonforest": ~forest}
    return masks


def as_record(frozen: xr.DataArray, grid: Grid) -> xr.Dataset:
    """A state (time, overpass, y, x) as a record; lazily."""
    return grid.write(frozen.rename("frozen").drop_vars("spatial_ref", errors="ignore").to_dataset())
