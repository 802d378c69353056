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
from frostline.scores import SCORES
from frostline.steps import areas, classic_rows, classics, outage, phenology, watch
from frostline.steps.calibrate import RAW
from frostline.steps.common import days_of, grid_of, load, roles
from frostline.steps.model import nets, record_path
from frostline.steps.places import FOREST
from frostline.steps.yearly import domain
from frostline.validate.calibration import RELIABILITY
from frostline.validate.rows import evaluate

SPLITS = ("train", "validation", "heldout")
TRANSITIONS = 5  # days a year; Donahue et al. 2023, section 3.3
AGES = {"age:0": (0, 0), "age:1-2": (1, 2), "age:3+": (3, 254)}  # days to the nearest observation of the oldest input
BLOCK_DAYS = 32


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
    made, masks = classics.make(experiment, run), strata(experiment, run, cell_role)
    for against, truth in truths.items():
        judged = {name: r for name, r in records.items() if name != against}
        rows += evaluate(
            judged,
            {against: truth},
            days=days,
            strata=masks,
            scores=SCORES | RELIABILITY,
            differences=[("unet", name) for name in judged if name not in ("unet", RAW)] if "unet" in judged else [],
            block=table.block_days,
            resamples=table.resamples,
            level=table.confidence,
            seed=table.seed,
        )
        rows += classic_rows.rows(made, judged, (against, truth), days=days, strata=masks, table=table)
    rows += by_age(experiment, run, records, truths, days)
    if experiment.train is not None:
        inputs = nets(experiment.train)
        names = [*inputs, *outage.withheld(experiment.predict.withhold)]
        within = {name: mask for name, mask in masks.items() if name.startswith("area:")}
        stores = {name: record_path(run, name) for name in names}
        rows += outage.scored(experiment, records, truths, inputs=inputs, stores=stores, days=days, strata=within)
    phenology.phenology(experiment, run, records, truths, leaks)
    write_json(run.path("scores.json"), watch.marked(rows, leaks))
    counted = areas.areas(experiment, run, records, truths, leaks)
    notes = {"rows": len(rows), "records": [*records, *made], "against": list(truths)}
    return notes | classic_rows.notes(made, rows) | counted | watch.notes(leaks)


def claims(experiment: North, run: Run) -> dict[str, xr.Dataset]:
    """Records to be judged, lazily: the nets' and what they must beat."""
    stack = store.open_store(run.path("stack.zarr"), chunks={})
    grid, day_role = grid_of(experiment), roles(experiment)[0]
    names = [*nets(experiment.train)] if experiment.train is not None else []
    names += [RAW] if experiment.predict.calibrate != "none" else []
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
    taught = roles(experiment)[0] == "train"
    if "label_reanalysis" in stack and taught.any():
        restless = transition_days(stack["label_reanalysis"], days=taught) > TRANSITIONS
        masks |= {"transitions:>5": restless & (stack["land"].values == 1)} if restless.any() else {}
    return masks | domain(experiment, run)


def transition_days(states: xr.DataArray, *, days: np.ndarray) -> np.ndarray:
    """Days a year (y, x) on which morning and evening differ, among the chosen `days`; NaN where never both are known.

    `states` (time, overpass, y, x): 1 frozen, 0 thawed, NaN. Days with one state unknown are not counted as days.
    """
    changed, known = (np.zeros(states.shape[2:]) for _ in range(2))
    chosen = np.flatnonzero(days)
    for start in range(0, len(chosen), BLOCK_DAYS):
        morning, evening = np.moveaxis(states[chosen[start : start + BLOCK_DAYS], :2].values, 1, 0)
        both = np.isfinite(morning) & np.isfinite(evening)
        changed += (both & (morning != evening)).sum(axis=0)
        known += both.sum(axis=0)
    return changed / np.where(known > 0, known, np.nan) * 365.25


def by_age(
    experiment: North,
    run: Run,
    records: Mapping[str, xr.Dataset],
    truths: Mapping[str, xr.Dataset],
    days: Mapping[str, xr.DataArray],
) -> list[dict[str, Any]]:
    """Rows of the held-out days against the truth (or the reanalysis) alone, told apart by the gap age of `unet`.

    Age belongs to a cell-day, not to a cell, so each class is a truth that is unknown elsewhere.
    """
    table = experiment.validate_
    against = next((name for name in ("truth", "reanalysis") if name in truths), None)
    if table is None or against is None or "unet" not in records or "heldout" not in days:
        return []
    age = store.open_store(record_path(run, "unet"), chunks={})["age"]
    judged = {name: r for name, r in records.items() if name != against}
    rows: list[dict[str, Any]] = []
    for name, (youngest, oldest) in AGES.items():
        known = (age >= youngest) & (age <= oldest)
        some = truths[against].assign(frozen=truths[against]["frozen"].where(known.variable))
        found = evaluate(
            judged,
            {against: some},
            days={"heldout": days["heldout"]},
            scores=SCORES | RELIABILITY,
            block=table.block_days,
            resamples=table.resamples,
            level=table.confidence,
            seed=table.seed,
        )
        rows += [row | {"stratum": name} for row in found if row["stratum"] == "all" and row["n"]]
    return rows


def as_record(frozen: xr.DataArray, grid: Grid) -> xr.Dataset:
    """A state (time, overpass, y, x) as a record; lazily."""
    return grid.write(frozen.rename("frozen").drop_vars("spatial_ref", errors="ignore").to_dataset())
