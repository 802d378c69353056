"""Where the records of the china system lie, what each was made from, and all of them lazily by their names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from frostline import classic, regrid, store
from frostline.config_china import China
from frostline.grid import Grid, named
from frostline.runs import Run
from frostline.schema import record
from frostline.steps.common import days_of, grid_of, load, roles
from frostline.steps.evidence import as_record
from frostline.steps.fields import around

# What the products that enter were made from themselves, so that collocation knows whose errors go together. SMAP's
# states: L-band brightness (SPL3FTP). ESDR: thresholds refitted every year on ERA5's daily air temperature
# (NSIDC-0477 v5 guide). ERA5-Land is driven by ERA5's lowest level.
MADE_OF = {"smap": ("SMAP brightness", "ERA5"), "esdr": ("37 GHz brightness", "ERA5"), "reanalysis": ("ERA5",)}
TAUGHT = "training stations"  # not the held-out ones, which judge
COARSE = "ML25"  # grid of the freeze/thaw ESDR
LEAST_COVER = 0.5  # share of a coarse cell's fine cells that must be known, as in regrid.LEAST_WEIGHT


def record_path(run: Run, name: str) -> Path:
    """Where a record of the run lies: `record.zarr` is the fused one's, `record_literal3.zarr` fused_literal3's."""
    return run.path("record.zarr" if name == "fused" else f"record_{name.removeprefix('fused_')}.zarr")


def new_store(
    experiment: China, path: Path, like: xr.Dataset, *, variables: Sequence[str], attrs: Mapping[str, Any]
) -> Path:
    """An empty store on the days and overpasses of another dataset, on the experiment's grid."""
    return store.create(
        path,
        grid=grid_of(experiment),
        time=like["time"].values,
        overpass=like["overpass"].values,
        variables=variables,
        attrs={"experiment": experiment.title, **attrs},
    )


def net_records(experiment: China) -> list[str]:
    """The names of the networks' records."""
    return [f"convlstm_{target}" for target in experiment.train.targets]


def fused_records(experiment: China) -> dict[str, str]:
    """The fused records with their rules: `fused`, and fused_<rule> for each further rule of fuse.compare."""
    further = [rule for rule in experiment.fuse.compare if rule != experiment.fuse.rule]
    return {"fused": experiment.fuse.rule} | {f"fused_{rule}": rule for rule in further}


def made_of(experiment: China, name: str) -> list[str]:
    """All that went into a record, whatever way: products, and what these were made from; for attrs["inputs"].

    `convlstm_esdr` has seen reanalysis fields and learnt the ESDR's states, so both are among its inputs.
    """
    if name in MADE_OF:
        return list(MADE_OF[name])
    if name == "stations":
        return ["thermometers"]
    if name in ("climatology", "climatology_truth"):
        return ["reanalysis", *MADE_OF["reanalysis"]] if name == "climatology" else ["truth"]
    if name == "recalibrated":
        return ["reanalysis", *MADE_OF["reanalysis"], TAUGHT]
    if name.startswith("convlstm_"):
        target = name.removeprefix("convlstm_")
        shared = [t for t in experiment.train.targets if experiment.train.heads == "together" and t != target]
        parts = [target, *MADE_OF[target], "reanalysis", *MADE_OF["reanalysis"]]
        parts += [x for t in shared for x in (t, *MADE_OF[t])]
        rain = {source for _, source in experiment.assemble.precipitation}
        parts += ["IMERG"] if "precipitation" in experiment.assemble.variables and "imerg" in rain else []
        return list(dict.fromkeys([*parts, *([TAUGHT] if experiment.train.lambda_station > 0 else [])]))
    members = experiment.fuse.members
    parts = [x for member in members for x in (member, *made_of(experiment, member))]
    parts += ["reanalysis", *MADE_OF["reanalysis"]] if name == "fused_ctc" else []
    rule, table = fused_records(experiment).get(name), experiment.fuse
    by_stations = {"ctc": True, "pool": table.temperature or table.weights == "stations", "maxconf": table.temperature}
    taught = by_stations.get(rule or "", False)
    return list(dict.fromkeys([*parts, *([TAUGHT] if taught else [])]))


def records(experiment: China, run: Run) -> dict[str, xr.Dataset]:
    """All records of the run by their names, lazily, each with its `inputs`.

    fused and fused_<rule>, convlstm_<target>, recalibrated (where stations taught one), the labels smap, esdr and
    reanalysis on land, the climatology of the reanalysis' training days, and, on a twin, that of the truth.
    """
    grid = grid_of(experiment)
    names = [*fused_records(experiment), *net_records(experiment), "recalibrated"]
    found = {n: store.open_store(record_path(run, n)) for n in names if record_path(run, n).exists()}
    stack = store.open_store(run.path("stack.zarr"), chunks={})
    for name in ("smap", "esdr", "reanalysis"):
        if f"label_{name}" in stack:
            found[name] = label_record(stack, name, grid)
    if "reanalysis" in found:
        found |= _calendar(experiment, "climatology", found["reanalysis"]["frozen"], grid)
    if run.path("truth.zarr").exists():
        truth = store.open_store(run.path("truth.zarr"), chunks={})["truth"]
        found |= _calendar(experiment, "climatology_truth", truth, grid)
    return {n: ds.assign_attrs(inputs=made_of(experiment, n)) for n, ds in found.items()}


def _calendar(experiment: China, name: str, states: xr.DataArray, grid: Grid) -> dict[str, xr.Dataset]:
    """The day-of-year climatology of the training days' states, by its name; nothing without training days."""
    training = xr.DataArray(roles(experiment)[0] == "train", {"time": days_of(experiment)}, "time", "training")
    if not training.any():
        return {}
    table = classic.climatology(states, days=training, half_window=experiment.validate_.climatology_days)
    return {name: classic.climatology_record(table, states["time"].values, grid=grid)}


def references(experiment: China, run: Run) -> dict[str, xr.Dataset]:
    """What records are compared with: the twin's truth in both senses, the reanalysis, stations, dense networks.

    `stations` are those that never taught; a network goes by its own name, its thermometers as sites.
    """
    grid = grid_of(experiment)
    truths: dict[str, xr.Dataset] = {}
    if run.path("truth.zarr").exists():
        known = store.open_store(run.path("truth.zarr"), chunks={})
        truths |= {name: as_record(known[name], grid) for name in ("truth", "truth_t0")}
    stack = store.open_store(run.path("stack.zarr"), chunks={})
    if "label_reanalysis" in stack:
        truths["reanalysis"] = label_record(stack, "reanalysis", grid)
    if (judges := sites_of(run, "heldout")) is not None:
        truths["stations"] = judges
    if (dense := sites_of(run, "network")) is not None:
        for name in dict.fromkeys(dense["network"].values.tolist()):
            truths[str(name)] = dense.isel(site=np.flatnonzero(dense["network"].values == name))
    inputs = {name: made_of(experiment, name) if name in MADE_OF else ["thermometers"] for name in truths}
    inputs |= {name: ["twin"] for name in ("truth", "truth_t0")}
    return {name: ds.assign_attrs(inputs=inputs[name]) for name, ds in truths.items()}


def sites_of(run: Run, role: str) -> xr.Dataset | None:
    """The sites of a role (`train`, `heldout`, `network`), or None where there are none."""
    if not run.path("sites.nc").exists():
        return None
    sites = load(run.path("sites.nc"))
    chosen = np.flatnonzero(sites["role"].values == role)
    return sites.isel(site=chosen) if len(chosen) else None


def label_record(stack: xr.Dataset, name: str, grid: Grid) -> xr.Dataset:
    """The labels of a product as a record, on land, lazily."""
    return as_record(stack[f"label_{name}"].where(stack["land"] == 1), grid)


def coarse(experiment: China, run: Run) -> tuple[dict[str, xr.Dataset], xr.Dataset]:
    """The fused, the networks' and the ESDR's records and the climatology on the ESDR's own 25 km cells, lazily; and
    the twin's truth.

    The honest way round (algorithms.md 2.11): what is coarse is not sharpened, what is fine is averaged. A coarse
    cell holds the share of its known fine cells that are frozen, unknown where less than LEAST_COVER of the fine
    cells that most coarse cells have is known. The second is an empty dataset where there is no twin.
    """
    grid = grid_of(experiment)
    wide = around(named(COARSE), grid, margin=0)
    full = int(regrid.area_mean(np.ones(grid.shape, np.float32), grid, wide)[1].max())
    names = [*fused_records(experiment), *net_records(experiment)]
    fine = {n: store.open_store(record_path(run, n), chunks={}) for n in names if record_path(run, n).exists()}
    stack = store.open_store(run.path("stack.zarr"), chunks={})
    if "label_esdr" in stack:
        fine["esdr"] = label_record(stack, "esdr", grid)
    if "label_reanalysis" in stack:
        fine |= _calendar(experiment, "climatology", label_record(stack, "reanalysis", grid)["frozen"], grid)
    made = {n: _averaged(ds, grid, wide, full).assign_attrs(inputs=made_of(experiment, n)) for n, ds in fine.items()}
    if not run.path("truth.zarr").exists():
        return made, xr.Dataset()
    truth = store.open_store(run.path("truth.zarr"), chunks={})["truth"]
    return made, _averaged(as_record(truth, grid), grid, wide, full).assign_attrs(inputs=["twin"])


def _averaged(ds: xr.Dataset, grid: Grid, wide: Grid, full: int) -> xr.Dataset:
    """The share of frozen fine cells of each coarse cell, as a record; lazily."""

    def share(p: np.ndarray) -> np.ndarray:
        state = np.where(np.isnan(p) | (p == 0.5), np.nan, p > 0.5)
        mean, count = regrid.area_mean(state, grid, wide)
        return np.where(count >= LEAST_COVER * full, mean, np.float32(np.nan))

    p = ds["frozen"].transpose("time", "overpass", "y", "x").chunk(y=-1, x=-1).data
    chunks = (*p.chunks[:2], (wide.shape[0],), (wide.shape[1],))
    out = p.map_blocks(share, dtype=np.float32, chunks=chunks, meta=np.empty((0,) * 4, np.float32))
    attrs = {"source": f"share of frozen fine cells on {COARSE}"}
    return record(out, grid=wide, time=ds["time"].values, overpass=ds["overpass"].values, attrs=attrs)
