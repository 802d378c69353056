"""The step that counts the china system's evidence: its records on common cell-days against every truth there is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from frostline import store
from frostline.clock import season_china
from frostline.config_china import China
from frostline.read.statics_codes import climate_group
from frostline.runs import Run, write_json
from frostline.steps import shelf, watch
from frostline.steps.common import days_of, grid_of, roles
from frostline.validate.agreement import CHINA_SCORES
from frostline.validate.match import at_cells
from frostline.validate.nodes import states_of_cells
from frostline.validate.rows import evaluate
from frostline.validate.strata import by_bin, by_class

Array = np.ndarray
Records = Mapping[str, xr.Dataset]
SPLITS = ("heldout", "validation", "train")
# Cui et al. 2024, section 5: covers by their codes in CLCD, main groups of climates, bins of terrain complexity in m
LAND_COVER = {1.0: "cropland", 2.0: "forest", 4.0: "grassland", 7.0: "barren", 8.0: "impervious"}
CLIMATE = {2.0: "arid", 3.0: "temperate", 4.0: "continental", 5.0: "polar"}
TCI = (50.0, 150.0, 250.0, 350.0)
TRUTHS = ("truth", "truth_t0", "reanalysis", "stations")  # further references are dense networks
BEFORE = ("truth", "stations")  # days that taught or chose are judged by these alone: enough to see what was memorised
RIVALS = ("smap", "esdr", "reanalysis", "recalibrated", "climatology")  # and the members: what `fused` must beat
_IN_MEMORY = 1 << 29  # bytes of records held at once; larger ones are read again, in blocks, for every truth
_PROBE = 30  # days looked at to see whether a record knows anything of a split


def validate(experiment: China, run: Run) -> dict[str, Any]:
    """Score every record, all on their common cell-days; `scores.json`. Strata and networks: of the held-out days."""
    leaks = watch.watch(experiment, run)
    records, truths = dict(shelf.records(experiment, run)), dict(shelf.references(experiment, run))
    networks = {name: truths.pop(name) for name in list(truths) if name not in TRUTHS}
    at_nodes = _nodes(experiment, run, networks)
    masks = strata(run)
    rows: list[dict[str, Any]] = []
    silent: dict[str, list[str]] = {}
    for split, dates in days_by_split(experiment).items():
        knowing = {name: ds for name, ds in records.items() if knows(ds, dates)}
        silent[split] = sorted(set(records) - set(knowing))
        if silent[split]:
            run.warn(f"{split}: not judged, since they know none of {_PROBE} days: {', '.join(silent[split])}")
        held = near(knowing, dates)
        for against, truth in truths.items():
            if knows(truth, dates) and (split == "heldout" or against in BEFORE):
                rows += _rows(experiment, held, against, truth, split, dates, masks if split == "heldout" else {})
        if split == "heldout" and at_nodes is not None and knows(at_nodes, dates):
            rows += _of_networks(experiment, held, at_nodes, dates)
        if split == "heldout":
            rows += _coarse(experiment, run, truths, dates)
    write_json(run.path("scores.json"), watch.marked(rows, leaks))
    return watch.notes(leaks) | {
        "rows": len(rows),
        "records": list(records),
        "against": [*truths, *(f"network:{name}" for name in networks)],
        "unknown_in": {split: names for split, names in silent.items() if names},
    }


def strata(run: Run) -> dict[str, Array]:
    """Masks (y, x) by land cover, climate and terrain complexity, as far as the stack has them; on land."""
    stack = store.open_store(run.path("stack.zarr"), chunks={})
    masks: dict[str, Array] = {}
    land = stack["land"].values == 1
    if "land_cover_clcd" in stack:
        masks |= by_class("landcover", np.where(land, stack["land_cover_clcd"].values, np.nan), LAND_COVER)
    if "climate" in stack:
        masks |= by_class("climate", np.where(land, climate_group(stack["climate"].values), np.nan), CLIMATE)
    if "terrain_std" in stack:
        masks |= by_bin("tci", np.where(land, stack["terrain_std"].values, np.nan), TCI)
    return masks


def days_by_split(experiment: China) -> dict[str, Array]:
    """Dates (datetime64[ns]) of each split that has any."""
    role, days = roles(experiment)[0], days_of(experiment)
    return {split: days[role == split] for split in SPLITS if (role == split).any()}


def knows(ds: xr.Dataset, dates: Array) -> bool:
    """Whether a record, or sites, knows any cell on some of the dates, spread evenly over those it has."""
    shared = np.intersect1d(np.asarray(ds["time"].values, "datetime64[ns]"), dates)
    if not len(shared):
        return False
    probe = shared[np.unique(np.linspace(0, len(shared) - 1, _PROBE).round().astype(int))]
    return bool(ds["frozen"].sel(time=probe).notnull().any())


def near(records: Records, dates: Array) -> dict[str, xr.Dataset]:
    """The records' `frozen` on the dates they have of these; in memory when all of it fits, else still on disk."""
    held = {name: ds[["frozen"]].sel(time=np.intersect1d(ds["time"].values, dates)) for name, ds in records.items()}
    fits = sum(4 * ds["frozen"].size for ds in held.values()) <= _IN_MEMORY
    return {name: ds.astype(np.float32).load() if fits else ds for name, ds in held.items()}


def _rows(
    experiment: China,
    records: Records,
    against: str,
    truth: xr.Dataset,
    split: str,
    dates: Array,
    masks: Mapping[str, Array],
    *,
    seasonal: tuple[str, ...] = ("all",),
    suffix: str = "",
) -> list[dict[str, Any]]:
    """Rows of one split against one truth; a record is not judged by itself."""
    table = experiment.validate_
    judged = {name: ds for name, ds in records.items() if name != against}
    fused = f"fused{suffix}"
    rivals = [f"{name}{suffix}" for name in dict.fromkeys((*experiment.fuse.members, *RIVALS))]
    return evaluate(
        judged,
        {against: truth},
        days={split: xr.DataArray(np.ones(len(dates), bool), {"time": dates}, "time")},
        strata=masks,
        seasons=season_china,
        seasonal=seasonal,
        scores=CHINA_SCORES,
        climatology=f"climatology{suffix}",
        differences=[(fused, name) for name in rivals if name in judged] if fused in judged else [],
        pooled=True,
        block=table.block_days,
        resamples=table.resamples,
        level=table.confidence,
        seed=table.seed,
    )


def _nodes(experiment: China, run: Run, networks: Mapping[str, xr.Dataset]) -> xr.Dataset | None:
    """The networks as states of cells; None where there is no node on the grid."""
    grid = grid_of(experiment)
    inside = {name: s for name, s in networks.items() if (grid.locate(s["lon"].values, s["lat"].values)[0] >= 0).any()}
    for name in sorted(set(networks) - set(inside)):
        run.warn(f"network {name}: no node stands on the grid")
    if not inside:
        return None
    return states_of_cells(inside, grid, by=experiment.validate_.nodes, below=experiment.assemble.threshold)


def _of_networks(experiment: China, records: Records, at_nodes: xr.Dataset, dates: Array) -> list[dict[str, Any]]:
    """Rows of each network, its cells pooled, whole and by season; of all networks together as `network:all`.

    A network's common sample is that of the records which know anything of its cells: a product that never sees one
    network (a coarse cell half water) is left out there, and does not empty the table for the others.
    """
    names = at_nodes["network"].values
    rows, cols = grid_of(experiment).locate(at_nodes["lon"].values, at_nodes["lat"].values)
    knowing: dict[tuple[str, ...], list[str]] = {}
    for network in dict.fromkeys(names.tolist()):
        here = names == network
        some = {n: ds.assign(frozen=at_cells(ds["frozen"], rows[here], cols[here])) for n, ds in records.items()}
        knowing.setdefault(tuple(n for n, ds in some.items() if knows(ds, dates)), []).append(network)
    found = _rows(experiment, records, "stations", at_nodes, "heldout", dates, {})
    for row in found:
        row["stratum"] = "network:all" if row["stratum"] == "all" else f"network:all/{row['stratum']}"
    for who, networks in knowing.items():
        sites = at_nodes.isel(site=np.flatnonzero(np.isin(names, networks)))
        masks = {f"network:{name}": sites["network"].values == name for name in networks}
        if who and knows(sites, dates):
            some = {name: records[name] for name in who}
            told = _rows(experiment, some, "stations", sites, "heldout", dates, masks, seasonal=tuple(masks))
            found += [row for row in told if row["stratum"].startswith("network:")]
    return found


def _coarse(experiment: China, run: Run, truths: Records, dates: Array) -> list[dict[str, Any]]:
    """The honest reverse: fine records averaged onto the coarse one's 25 km cells, as `<name>@25km`."""
    records, share = shelf.coarse(experiment, run)
    held = near({f"{name}@25km": ds for name, ds in records.items() if knows(ds, dates)}, dates)
    judges = {"stations": truths["stations"]} if "stations" in truths else {}
    if "frozen" in share:
        state = (share["frozen"] > 0.5).astype(np.float32).where(share["frozen"].notnull() & (share["frozen"] != 0.5))
        judges = {"truth": share.assign(frozen=state), **judges}
    rows: list[dict[str, Any]] = []
    for against, truth in judges.items() if held else ():
        if knows(truth, dates):
            rows += _rows(experiment, held, against, truth, "heldout", dates, {}, suffix="@25km")
    return rows
