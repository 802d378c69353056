"""The step that makes one record of several: temperatures, weights and collocation fitted, then the rules applied."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dask
import numpy as np
import xarray as xr

from frostline import fuse as fusing
from frostline import store
from frostline.clock import OVERPASS_NAMES
from frostline.config_china import China
from frostline.errors import InputError
from frostline.runs import Run, read_json, write_json
from frostline.steps import watch
from frostline.steps.beside import beside
from frostline.steps.common import days_of, grid_of, roles
from frostline.steps.emulators import missing_path
from frostline.steps.recalibration import blocks, recalibrate
from frostline.steps.shelf import fused_records, label_record, made_of, new_store, record_path, sites_of
from frostline.validate.collocation import collocate
from frostline.validate.collocation_doubts import preconditions
from frostline.validate.moments import moments

Records = Mapping[str, xr.Dataset]
VARIABLES = ("frozen", "quality", "age", "agreement", "winner")
ANCHOR = "reanalysis"  # joins the members where three are needed


def fuse(experiment: China, run: Run) -> dict[str, Any]:
    """The recalibrated reanalysis, what fusing needs fitted on validation days, and a record for each rule.

    In this order, mornings and evenings each for themselves, as the networks are: a temperature for each member against
    the training stations (without any: against the reanalysis' states), then weights of the tempered members, then the
    rules. `literal3` takes the probabilities as the networks
    gave them, to the letter of Cui et al. 2024; `ctc` their classes. What was fitted lies in `fusion.json`.
    """
    table = experiment.fuse
    recalibrated = recalibrate(experiment, run)
    named = _members(experiment, run, table.members)
    stations = sites_of(run, "train")
    days = days_of(experiment)[roles(experiment)[0] == "validation"]
    if stations is None and table.weights == "stations":
        cause = "no station teaches the weights"
        remedy = 'set fuse.weights = "equal", or "brier" (against the reanalysis)'
        raise InputError("E-INPUT-MISSING", where="fuse.weights", cause=cause, remedy=remedy)
    fitted: dict[str, Any] = {
        "members": list(named),
        "priority": list(named),
        "rules": fused_records(experiment),
        "taught_by": "training stations" if stations is not None else "reanalysis",
        "days": len(days),
        "recalibrated": recalibrated,
    }
    fitted |= _fitted(experiment, run, named, stations, days)
    if "ctc" in fitted["rules"].values():
        fitted["ctc"] = _collocated(experiment, run, named, stations, days)
    write_json(run.path("fusion.json"), fitted)
    wanted = [n for n, rule in fitted["rules"].items() if rule != "ctc" or "skipped" not in fitted["ctc"]]
    for name in set(fitted["rules"]) - set(wanted):
        shutil.rmtree(record_path(run, name), ignore_errors=True)
    steps = beside(_fuse_one, experiment, run, wanted)
    return {k: fitted[k] for k in ("weights", "days")} | {"records": steps}


def _fitted(
    experiment: China, run: Run, named: dict[str, xr.Dataset], stations: xr.Dataset | None, days: np.ndarray
) -> dict[str, Any]:
    """By pass and member: temperatures and weights, how many comparisons they stand on, Brier scores before."""
    table = experiment.fuse
    labels = _members(experiment, run, [ANCHOR])[ANCHOR] if table.weights == "brier" or stations is None else None
    teacher = stations if stations is not None else labels
    passes = [int(code) for code in next(iter(named.values()))["overpass"].values]
    out: dict[str, Any] = {key: {} for key in ("n", "temperatures", "weights", "brier")}
    for code in passes:
        name = OVERPASS_NAMES[code]
        some = {n: ds.sel(overpass=[code]) for n, ds in named.items()}
        out["n"][name], out["temperatures"][name] = 0, dict.fromkeys(named, 1.0)
        out["weights"][name] = dict.fromkeys(named, 1 / len(named))
        if teacher is None or not (table.temperature or table.weights != "equal"):
            continue
        judge = teacher.sel(overpass=[code])
        claims, truth = fusing.samples(some, judge, days=days)
        frozen, thawed = (int((truth == state).sum()) for state in (1, 0))
        if not (frozen and thawed):
            cause = f"{frozen} frozen and {thawed} thawed cases are known on validation days: nothing can be fitted"
            remedy = 'name stations with both, or set fuse.temperature = false and fuse.weights = "equal"'
            raise InputError("E-INPUT-EMPTY", where=f"fuse, {name}", cause=cause, remedy=remedy)
        out["n"][name] = int(truth.size)
        if table.temperature:
            found = {n: fusing.fit_temperature(p, truth) for n, p in zip(some, claims, strict=True)}
            out["temperatures"][name] = found
        tempered = {n: fusing.temper(ds, out["temperatures"][name][n]) for n, ds in some.items()}
        if table.weights == "stations" and stations is not None:
            out["weights"][name] = fusing.weights_from_sites(tempered, judge, days=days)
        elif table.weights == "brier" and labels is not None:
            out["weights"][name] = fusing.weights_from_labels(tempered, labels.sel(overpass=[code]), days=days)
        out["brier"][name] = {n: float(np.mean((p - truth) ** 2)) for n, p in zip(some, claims, strict=True)}
    return out


def _collocated(
    experiment: China, run: Run, named: dict[str, xr.Dataset], stations: xr.Dataset | None, days: np.ndarray
) -> dict[str, Any]:
    """Prior b, psi and eta of the members and the reanalysis on validation days, for each overpass; with what doubts.

    `skipped` with the reason where the samples cannot tell them.
    """
    judged = named if ANCHOR in named else named | _members(experiment, run, [ANCHOR])
    claims = list(judged)
    if stations is not None:
        judged = judged | {"stations": stations.assign_attrs(inputs=made_of(experiment, "stations"))}
    doubts = preconditions(judged)
    try:
        found = collocate(moments(judged, days=days)).isel(stratum=0)
    except InputError as error:
        run.warn(f"fused by collocation: {error} No record is made")
        return {"skipped": str(error), "warnings": doubts}
    told = {
        "overpass": found["overpass"].values.tolist(),
        "b": found["b"].values.tolist(),
        "psi": {n: found["psi"].sel(product=n).values.tolist() for n in claims},
        "eta": {n: found["eta"].sel(product=n).values.tolist() for n in claims},
        "n": found["n"].values.tolist(),
        "n_effective": found["n_effective"].values.tolist(),
        "members": claims,
        "warnings": doubts,
    }
    known = np.isfinite(found["psi"].values) & np.isfinite(found["eta"].values)  # (overpass, product)
    if not (np.isfinite(found["b"].values) & known.any(axis=-1)).all():
        told["skipped"] = "too few samples of a class on validation days: no accuracy could be given"
        run.warn(f"fused by collocation: {told['skipped']}; no record is made")
    return told


def _fuse_one(experiment: China, folder: Path, name: str, share: int, quiet: bool) -> int:
    """Write one fused record, a few chunks of days at a time; the number of verified steps."""
    run = Run(folder, workers=share, quiet=quiet)
    fitted = read_json(run.path("fusion.json"))
    rule = fitted["rules"][name]
    members = fitted["ctc"]["members"] if rule == "ctc" else fitted["members"]
    stack, path = store.open_store(run.path("stack.zarr")), record_path(run, name)
    opened = {n: _open(run, n) for n in members}
    three = rule == "literal3" and experiment.train.head == "literal3"  # or what a former run left lies there
    classes = [n for n in members if three and n.startswith("convlstm_")]
    scores = {n: store.open_store(missing_path(run, n))["missing"] for n in classes}
    attrs: dict[str, Any] = {"inputs": made_of(experiment, name)}
    attrs |= {"effective_resolution": "that of the coarsest member"} | watch.attrs(experiment, run)
    if rule == "ctc":
        attrs["warnings"] = fitted["ctc"]["warnings"]
    attrs |= _rule_facts(fitted, rule)
    new_store(experiment, path, stack, variables=VARIABLES, attrs=attrs)
    parts = blocks(stack)
    with dask.config.set(scheduler="threads", num_workers=share), store.writer(path) as write:
        for part in run.track(parts, total=len(parts), label=f"fusing {name}"):
            some = {n: _record(ds.isel(time=part).load(), experiment) for n, ds in opened.items()}
            missing = {n: score.isel(time=part).load() for n, score in scores.items()}
            made = _by_rule(some, missing, fitted, rule, experiment.fuse.low_confidence)
            made = made[list(VARIABLES)].load()
            write(part.start, {v: made[v].values for v in VARIABLES})
    return int(store.verified(path).sum())


def _by_rule(
    some: dict[str, xr.Dataset], missing: dict[str, xr.DataArray], fitted: dict[str, Any], rule: Any, low: float
) -> xr.Dataset:
    """The members' records as one, by a rule and what was fitted for it."""
    if rule == "ctc":
        found = fitted["ctc"]
        by_pass = {"overpass": found["overpass"]}
        b, psi, eta = (
            {n: xr.DataArray(np.array(v, float), by_pass, "overpass") for n, v in values.items()}
            for values in ({"b": found["b"]}, found["psi"], found["eta"])
        )
        return fusing.fuse_ctc(some, b=b["b"], psi=psi, eta=eta, low_confidence=low)
    if rule == "literal3":
        return fusing.fuse(some, rule=rule, priority=fitted["priority"], missing=missing, low_confidence=low)
    made = []
    for name, warmth in fitted["temperatures"].items():
        code = [k for k, v in OVERPASS_NAMES.items() if v == name]
        tempered = {n: fusing.temper(ds.sel(overpass=code), warmth[n]) for n, ds in some.items()}
        weights = fitted["weights"][name] if rule == "pool" else None
        priority = fitted["priority"]
        made.append(fusing.fuse(tempered, rule=rule, weights=weights, priority=priority, low_confidence=low))
    return xr.concat(made, "overpass", data_vars="minimal", coords="minimal", compat="override", join="override")


def _rule_facts(fitted: dict[str, Any], rule: str) -> dict[str, Any]:
    """What a fused record says of how it came about."""
    members = fitted["ctc"]["members"] if rule == "ctc" else fitted["members"]
    facts: dict[str, Any] = {
        "source": f"fusion of {', '.join(members)}",
        "fusion_rule": rule,
        "fusion_records": members,
    }
    if rule in ("pool", "maxconf"):
        facts |= {f"fusion_temperatures_{k}": [v[n] for n in members] for k, v in fitted["temperatures"].items()}
    if rule == "pool":
        facts |= {f"fusion_weights_{k}": [v[n] for n in members] for k, v in fitted["weights"].items()}
    return facts


def _members(experiment: China, run: Run, names: Any) -> dict[str, xr.Dataset]:
    """Records by their names, lazily with dask, each with its `inputs`; E-INPUT-MISSING for one that is not there."""
    out = {}
    for name in names:
        found = _open(run, name, chunks={})
        out[name] = _record(found, experiment).assign_attrs(inputs=made_of(experiment, name))
    return out


def _open(run: Run, name: str, chunks: Any = None) -> xr.Dataset:
    """A member's store; the reanalysis is the stack's label and its land."""
    if name != ANCHOR:
        if not record_path(run, name).exists():
            cause = "there is no such record"
            remedy = "name training stations" if name == "recalibrated" else "run: frostline predict"
            raise InputError("E-INPUT-MISSING", where=f"fuse.members, {name}", cause=cause, remedy=remedy)
        return store.open_store(record_path(run, name), chunks=chunks)
    stack = store.open_store(run.path("stack.zarr"), chunks=chunks)
    if "label_reanalysis" not in stack:
        cause = "the stack has no states of the reanalysis"
        raise InputError("E-INPUT-MISSING", where="label_reanalysis", cause=cause, remedy="name inputs.era5land")
    return stack[["label_reanalysis", "land"]]


def _record(ds: xr.Dataset, experiment: China) -> xr.Dataset:
    return label_record(ds, ANCHOR, grid_of(experiment)) if "label_reanalysis" in ds else ds
