"""The step that judges records by each other: categorical collocation of sets, doubts first; box statistics beside."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from frostline import store
from frostline.clock import OVERPASS_NAMES, season_china
from frostline.config_china import China, CollocateTable
from frostline.errors import ConfigError
from frostline.runs import Run, write_json
from frostline.steps import shelf
from frostline.steps.boxes import boxes
from frostline.steps.common import days_of, save
from frostline.steps.direct import knows, near, strata
from frostline.validate.collocation import collocate as solve
from frostline.validate.collocation import with_intervals
from frostline.validate.collocation_doubts import cautions, preconditions
from frostline.validate.collocation_em import STATUS
from frostline.validate.moments import cell_moments, marginal, moments

Array = np.ndarray
Records = Mapping[str, xr.Dataset]
# Cui et al. 2024, section 4.3: thawed summers have no variance, so the paper maps all days and two seasons
SEASONS = ("frozen", "transition")
STATUS_NAMES = {code: name for name, code in STATUS.items()}
MOST_PRODUCTS = 6  # that `moments` counts together, the truth among them
SHOWN = {"sensitivity": "psi", "specificity": "eta"}
ENDS = ("", "_lo", "_hi")
TRUE = ("true_sensitivity", "true_specificity")


def collocate(experiment: China, run: Run) -> dict[str, Any]:
    """Each set of records judged by its members on days that taught nothing: `collocation.json`, and `boxes.json`.

    What speaks against a set is said, and written, before any of its numbers. `collocation_cells.nc` has maps of the
    sets that have no stations, over all days of the period: a cell of its own needs ten years (algorithms.md 1.7).
    """
    table = experiment.collocate
    for members in table.sets:
        if not 3 <= len(set(members)) == len(members) <= MOST_PRODUCTS:
            cause = f"{', '.join(members) or 'an empty set'}: not three to {MOST_PRODUCTS} different records"
            raise ConfigError(
                "E-CONFIG", where="collocate.sets", cause=cause, remedy="name others, or take the set out"
            )
    references = shelf.references(experiment, run)
    records = {**shelf.records(experiment, run), **{n: ds for n, ds in references.items() if n == "stations"}}
    dates = days_that_taught_nothing(experiment)
    masks, truth = strata(run), _truth(references, run)
    sets: list[dict[str, Any]] = []
    maps: dict[str, xr.Dataset] = {}
    for members in table.sets:
        lost = [name for name in members if name not in records or not knows(records[name], dates)]
        if lost:
            reason = f"not known on days that taught nothing: {', '.join(lost)}"
            run.warn(f"collocation of {', '.join(members)}: {reason}")
            sets.append({"members": list(members), "skipped": reason, "warnings": [], "cautions": [], "rows": []})
            continue
        chosen: dict[str, xr.Dataset] = {str(name): records[name] for name in members}
        warnings = preconditions(chosen)
        for line in warnings:
            run.warn(f"collocation of {', '.join(members)}: {line}")
        rows, doubts = judged(near(chosen, dates), truth, masks, table)
        sets.append({"members": list(members), "warnings": warnings, "cautions": doubts, "rows": rows})
        if "stations" not in members:
            maps["+".join(members)] = of_cells(chosen, refit=table.refit)
    write_json(run.path("collocation.json"), {"sets": sets})
    run.path("collocation_cells.nc").unlink(missing_ok=True)  # of sets that were asked for before
    if maps:
        save(
            run.path("collocation_cells.nc"),
            xr.concat(maps.values(), "set", join="outer").assign_coords(set=list(maps)),
        )
    counted = boxes(experiment, run)
    return {"sets": len(sets), "skipped": sum("skipped" in one for one in sets), "boxes": counted}


def _truth(references: Records, run: Run) -> xr.Dataset | None:
    """The twin's truth on land: elsewhere members know nothing, which is no sample dropped."""
    if "truth" not in references:
        return None
    land = store.open_store(run.path("stack.zarr"), chunks={})["land"].values == 1
    truth = references["truth"]
    return truth.assign(frozen=truth["frozen"].where(xr.DataArray(land, dims=("y", "x"))))


def days_that_taught_nothing(experiment: China) -> Array:
    """Dates (datetime64[ns]) of the period that neither taught nor chose: held-out ones, and decades before the split.

    Persistent states make a few years worth too few samples (algorithms.md 1.7); the paper takes all of its 41.
    """
    spans = [span for role in ("train", "validation") for span in experiment.split.spans(role)]
    days = days_of(experiment)
    taught = [(days >= np.datetime64(a)) & (days <= np.datetime64(b)) for a, b in spans]
    return days[~np.any(taught, axis=0)]


def judged(
    records: Records, truth: xr.Dataset | None, masks: Mapping[str, Array], table: CollocateTable
) -> tuple[list[dict[str, Any]], list[str]]:
    """Rows of one set by stratum, season, overpass and member, and what its numbers give to doubt.

    With a truth, its share of the same samples that each member gets right stands beside (`true_sensitivity`,
    `true_specificity`): how far off collocation is.
    """
    grid = next(ds for ds in records.values() if "y" in ds["frozen"].dims)
    whole = np.ones((grid.sizes["y"], grid.sizes["x"]), bool)
    beside = {"truth": truth[["frozen"]]} if truth is not None and len(records) < MOST_PRODUCTS else {}
    everything = moments({**records, **beside}, strata={"all": whole, **masks})
    sums = marginal(everything, list(records)) if beside else everything
    rows: list[dict[str, Any]] = []
    doubts: list[str] = []
    sites = next((ds.sizes["site"] for ds in records.values() if "site" in ds["frozen"].dims), 0)
    if sites:
        doubts.append(
            f"matched at the cells of {sites} stations and pooled over them: intervals come of drawing days, not "
            "stations, so they do not tell what other stations would have said"
        )
    season = season_china(sums["time"].values)
    for part in ("all", *SEASONS):
        chosen = np.ones(len(season), bool) if part == "all" else season == part
        some = sums.isel(time=chosen) if part == "all" else sums.isel(time=chosen).sel(stratum=["all"])
        if not chosen.any():
            continue
        found = solve(some)
        found = with_intervals(
            some,
            found,
            level=table.confidence,
            block=table.block_days,
            resamples=table.resamples,
            seed=table.seed,
        )
        found = found if table.refit else closed_only(found)
        right = true_shares(everything.isel(time=chosen)) if beside else None
        rows += _rows(found, part, right)
        doubts += [line if part == "all" else f"season:{part}: {line}" for line in cautions(found)]
    return rows, doubts


def closed_only(found: xr.Dataset) -> xr.Dataset:
    """Without refits: the closed form's numbers and their intervals, NaN where it left the unit cube."""
    inside = found["status"] == STATUS["ok"]
    kept = {}
    for name in ("psi", "eta", "b"):
        kept[name] = found[f"{name}_closed"].where(inside & found[name].notnull())
        ends = [f"{name}_{end}" for end in ("lo", "hi") if f"{name}_{end}" in found]
        kept |= {end: found[end].where(inside) for end in ends}
    return found.assign(kept)


def true_shares(everything: xr.Dataset) -> xr.Dataset:
    """Of daily sums whose last product is the truth: what share of its frozen, and thawed, each other gets right.

    `true_sensitivity`, `true_specificity` (overpass, stratum, product); NaN where the truth has none.
    """
    says = everything["says"].transpose("product", "pattern").values > 0
    count = everything["count"].sum("time").transpose("overpass", "stratum", "pattern").values.astype(float)
    names = [str(name) for name in everything["product"].values[:-1]]
    dims = ("overpass", "stratum", "product")
    out = {}
    for key, frozen in zip(TRUE, (True, False), strict=True):
        of_class = count[..., says[-1] == frozen].sum(-1)
        right = [count[..., (says[-1] == frozen) & (says[i] == frozen)].sum(-1) for i in range(len(names))]
        out[key] = (dims, np.stack(right, -1) / np.where(of_class > 0, of_class, np.nan)[..., None])
    coords = {"overpass": everything["overpass"], "stratum": everything["stratum"], "product": names}
    return xr.Dataset(out, coords={k: getattr(v, "values", v) for k, v in coords.items()})


def of_cells(records: Records, *, refit: bool = True) -> xr.Dataset:
    """Maps (season, overpass, member, y, x) of `sensitivity` and `specificity`, with `status`, `b`, `n` by cell.

    Seasons are `all`, `frozen` and `transition`; codes of `status` are in its attributes.
    """
    sums = cell_moments(records, by=season_china)
    parts = {"all": sums.sum("group")} | {s: sums.sel(group=s, drop=True) for s in SEASONS if s in sums["group"].values}
    names = {name: key for key, name in SHOWN.items()} | {"product": "member"}
    kept = [*SHOWN, "status", "b", "n", "n_effective"]
    found = [solve(part) for part in parts.values()]
    maps = [(one if refit else closed_only(one)).rename(names)[kept] for one in found]
    whole = xr.concat(maps, "season").assign_coords(season=list(parts))
    return whole.transpose("season", "overpass", "member", "y", "x", missing_dims="ignore")


def _rows(found: xr.Dataset, part: str, right: xr.Dataset | None) -> list[dict[str, Any]]:
    """One line for each stratum, overpass and member."""
    order = ("overpass", "stratum", "product", "rank_place")
    found = found.drop_dims("pair")
    value = {str(name): v.transpose(*(d for d in order if d in v.dims)).values for name, v in found.data_vars.items()}
    true = {} if right is None else {name: right[name].transpose(*order[:3]).values for name in TRUE}
    gated = {key: np.isnan(value[name]) for key, name in SHOWN.items()}
    closed = {key: np.where(gated[key], np.nan, value[f"{name}_closed"]) for key, name in SHOWN.items()}
    return [
        {
            "stratum": stratum if part == "all" else f"season:{part}",
            "overpass": OVERPASS_NAMES[int(code)],
            "member": member,
            **{f"{key}{end}": float(value[f"{name}{end}"][at]) for key, name in SHOWN.items() for end in ENDS},
            **{f"{key}_closed": float(closed[key][at]) for key in SHOWN},
            "n": int(value["n"][at[:2]]),
            "n_effective": float(value["n_effective"][at[:2]]),
            "r1": float(value["r1"][at[:2]]),
            "dropped": int(value["dropped"][at[:2]]),
            "status": STATUS_NAMES[int(value["status"][at[:2]])],
            "b": float(value["b"][at[:2]]),
            "prevalence": float(1 + value["b"][at[:2]]) / 2,
            "rank": int(value["rank"][at]),
            "rank_share": value["rank_share"][at].tolist(),
            "inadmissible": float(value["inadmissible"][at[:2]]),
            "unreliable": bool(value["unreliable"][at[:2]]),
            **{name: float(shares[at]) for name, shares in true.items()},
        }
        for j, stratum in enumerate(map(str, found["stratum"].values))
        for i, code in enumerate(found["overpass"].values)
        for k, member in enumerate(map(str, found["product"].values))
        for at in [(i, j, k)]
    ]
