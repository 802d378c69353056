"""What defines a version of the twin benchmark, in numbers that any machine can check: `freeze`, and `refuse`.

The truth is hashed as its packed classes (uint8), so that a last bit of a float changes nothing. Beside the SHA-256
stand short sums of every cell and of every day: where another Earth is made they say how many of each differ.
"""

import hashlib
import json
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from frostline import store
from frostline.config import parse
from frostline.config_north import North
from frostline.errors import InputError
from frostline.leaks import rectangles, spans
from frostline.packing import CLASS, pack
from frostline.runs import Run
from frostline.steps.common import days_of, load, roles

Array = np.ndarray
Manifest = Mapping[str, Any]
DECLARED = ("grid", "period", "twin", "inputs", "labels", "split")  # the tables that make the Earth and its roles
ROLES = {"train": "train", "validation": "validation", "heldout": "heldout", "nobody": ""}
INPUTS = ("tb_1v", "tb_1h", "tb_18v", "tb_18h", "tb_36v", "tb_36h", "label_reanalysis", "label_station")
# how far means of brightness (K) and shares of frozen labels may be off: bits of floats, not another Earth
KELVIN, SHARE = 0.02, 2e-4
BLOCK = 32  # days read at once


def read(path: Path) -> tuple[North, dict[str, Any]]:
    """The experiment, and the tables of its file that define a version, as they are declared there."""
    tables = tomllib.loads(path.read_text(encoding="utf-8"))
    experiment = parse(tables)
    if not isinstance(experiment, North) or experiment.twin is None or experiment.split is None:
        cause = "a benchmark is a north experiment with a twin and a split"
        raise InputError("E-INPUT-SCHEMA", where=path, cause=cause)
    return experiment, {name: tables[name] for name in DECLARED if name in tables}


def freeze(path: Path, run: Run, *, version: str, coverage: float) -> dict[str, Any]:
    """The manifest of an experiment whose steps up to `assemble` lie in a run folder.

    `declared`: tables as they stand in the file; `days`, `cells`: who teaches, chooses, judges, or is nobody's;
    `masks` (y, x) and `stations` with place and role; `truth`: packed classes (0, 1, 255) on (time, overpass, y, x);
    `station_truth`: the same of the stations that judge, (time, overpass, site); `inputs`: number and mean of each
    predictor and label; `coverage`: share of each part of the sample that a record must know.
    """
    experiment, declared = read(path)
    days, (day_role, cell_role) = days_of(experiment), roles(experiment)
    truth = store.open_store(run.path("truth.zarr"))["truth"]
    sites = load(run.path("sites.nc"))
    judged = sites["frozen"].sel(time=days).isel(site=np.flatnonzero(sites["role"].values == "heldout"))
    found: dict[str, Any] = {
        "version": version,
        "coverage": coverage,
        "declared": declared,
        "days": {name: spans(days[day_role == role]) for name, role in ROLES.items()},
        "cells": {name: rectangles(cell_role == role) for name, role in ROLES.items()},
        "masks": {
            name: {"cells": int(mask.sum()), "sha256": hashlib.sha256(mask.astype(np.uint8).tobytes()).hexdigest()}
            for name, mask in masks(experiment, run).items()
        },
        "stations": stations(sites),
        "truth": fingerprint_of(truth),
        "station_truth": fingerprint_of(judged.expand_dims(y=1, axis=2)),
        "inputs": _means(store.open_store(run.path("stack.zarr"))),
    }
    found = json.loads(json.dumps(found))  # tuples as they will be read
    return {"id": identity(found), **found}


def identity(manifest: Manifest) -> str:
    """Its name and twelve digits of all that defines a version: what records and lines of the table carry."""
    parts = {k: manifest[k] for k in ("coverage", "declared", "days", "cells", "masks", "stations")}
    parts |= {k: manifest[k]["sha256"] for k in ("truth", "station_truth")}
    return f"{manifest['version']} {hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:12]}"


def masks(experiment: North, run: Run) -> dict[str, Array]:
    """Masks (y, x): roles of cells, `land` of the twin, and `domain`, land whose soil a record describes."""
    cell_role = roles(experiment)[1]
    land = store.open_store(run.path("truth.zarr"))["land"].values == 1
    domain = land & (store.open_store(run.path("stack.zarr"))["land"].values == 1)
    return {name: cell_role == role for name, role in ROLES.items()} | {"land": land, "domain": domain}


def stations(sites: xr.Dataset) -> list[str]:
    """Every station as `network/site lon lat depth role`, in order."""
    columns = [sites[name].values.tolist() for name in ("network", "site", "lon", "lat", "depth", "role")]
    return sorted(
        f"{n}/{s} {lon:.3f} {lat:.3f} {depth:.2f} {role}" for n, s, lon, lat, depth, role in zip(*columns, strict=True)
    )


def fingerprint(blocks: Iterable[Array]) -> dict[str, Any]:
    """SHA-256 of codes that come by blocks of days, uint8 (days, overpass, y, x), and short sums of cells and days.

    A sum is that of codes times fixed odd numbers, modulo 2^64, and its first 32 bits are kept, in hexadecimal: a row
    of cells a text. Of one changed code the sums of its cell and of its day change, but for one chance in 2^32.
    """
    digest, of_days, frozen, known, seen = hashlib.sha256(), [], 0, 0, 0
    of_cells: Array = np.zeros((), np.uint64)
    for codes in blocks:
        digest.update(np.ascontiguousarray(codes).tobytes())
        flat = codes.reshape(codes.shape[0] * codes.shape[1], -1).astype(np.uint64)
        layers = _odd(np.arange(seen, seen + len(flat)))
        of_cells = of_cells + (flat * layers[:, None]).sum(axis=0)
        lines = (flat * _odd(np.arange(flat.shape[1]))).sum(axis=1) * layers
        of_days += _hex(lines.reshape(codes.shape[:2]).sum(axis=1))
        frozen, known, seen = frozen + int((codes == 1).sum()), known + int((codes < 2).sum()), seen + len(flat)
    rows = of_cells.reshape(codes.shape[2:])
    cells = ["".join(_hex(row)) for row in rows]
    return {"sha256": digest.hexdigest(), "known": known, "frozen": frozen, "cells": cells, "days": "".join(of_days)}


def fingerprint_of(states: xr.DataArray) -> dict[str, Any]:
    """The fingerprint of classes (time, overpass, y, x): 0, 1 and, for NaN, 255; read by blocks of days."""
    starts = range(0, states.sizes["time"], BLOCK)
    return fingerprint(pack(states[s : s + BLOCK].values.astype(np.float32), CLASS) for s in starts)


def refuse(stated: Manifest, found: Manifest, *, where: Path) -> None:
    """One InputError that says what of the benchmark differs on this machine; nothing where it is the same."""
    if wrong := differences(stated, found):
        remedy = f"nothing here can be scored as {stated['version']}; docs/benchmark.md says what to do"
        raise InputError("E-INPUT-SCHEMA", where=where, cause="; ".join(wrong), remedy=remedy)


def differences(stated: Manifest, found: Manifest) -> list[str]:
    """What differs, one text each, the declared first."""
    wrong = [
        f"the experiment's table [{name}] is not the one that was frozen"
        for name in DECLARED
        if stated["declared"].get(name) != found["declared"].get(name)
    ]
    wrong += [f"{name} have other roles" for name in ("days", "cells") if stated[name] != found[name]]
    for name, mask in stated["masks"].items():
        other = found["masks"].get(name, {"cells": 0})
        if mask != other:
            wrong.append(f"mask {name!r} has {other['cells']} cells, not those {mask['cells']} that were frozen")
    if changed := sorted(set(stated["stations"]) ^ set(found["stations"])):
        wrong.append(f"stations, their places or roles differ, the first is {changed[0]}")
    first = np.datetime64(stated["declared"]["period"]["start"])
    for name, what in (("truth", "cells"), ("station_truth", "stations that judge")):
        if stated[name]["sha256"] != found[name]["sha256"]:
            wrong.append(f"this machine makes another Earth: {_where(stated[name], found[name], what, first)}")
    for name, one in stated["inputs"].items():
        other = found["inputs"].get(name, {"known": 0, "mean": np.nan})
        allowed = SHARE if name.startswith("label_") else KELVIN
        if abs(one["known"] - other["known"]) > SHARE * one["known"] or not abs(one["mean"] - other["mean"]) <= allowed:
            told = "{known} values of mean {mean}".format
            wrong.append(f"{name} has {told(**other)}, not {told(**one)}")
    return wrong


def _where(stated: Manifest, found: Manifest, what: str, first: np.datetime64) -> str:
    """How much of two fingerprints differs, and since when."""
    one, other = ("".join(v["cells"]) for v in (stated, found))
    if (len(one), len(stated["days"])) != (len(other), len(found["days"])):
        return "its size is another"
    cells, days = _unlike(one, other), _unlike(stated["days"], found["days"])
    since = f", the first {first + days[0]}" if days else ""
    more = found["frozen"] - stated["frozen"]
    counts = f"{len(cells)} of {len(one) // 8} {what} differ, on {len(days)} of {len(stated['days']) // 8} days{since}"
    return f"{counts}, with {more:+d} frozen cell-days"


def _unlike(one: str, other: str) -> list[int]:
    """Places of the short sums that differ."""
    return [k // 8 for k in range(0, len(one), 8) if one[k : k + 8] != other[k : k + 8]]


def _means(stack: xr.Dataset) -> dict[str, dict[str, float]]:
    """Number of known values and their mean, of each predictor and label of the stack."""
    out = {}
    for name in INPUTS:
        known, total = 0, 0.0
        for start in range(0, stack.sizes["time"], BLOCK):
            values = stack[name][start : start + BLOCK].values
            known += int(np.isfinite(values).sum())
            total += float(np.nansum(values, dtype=np.float64))
        out[name] = {"known": known, "mean": round(total / max(known, 1), 6)}
    return out


def _odd(numbers: Array) -> Array:
    """A fixed odd number for each whole number, uint64 (the finaliser of SplitMix64, Steele et al. 2014)."""
    z = (numbers.astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31)) | np.uint64(1)


def _hex(sums: Array) -> list[str]:
    return [f"{int(v) >> 32:08x}" for v in sums]
