"""Records in, one record out, lazily: the rules applied to whole records, with their quality, age and days."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from typing import Any, Literal, get_args

import numpy as np
import xarray as xr

from frostline.errors import ConfigError, FrostlineError, InputError
from frostline.fuse.rules import Verdict, by_bayes, by_confidence, by_pull, by_score, ranking
from frostline.grid import Grid
from frostline.schema import QUALITY, RECORD, check, record

Array = np.ndarray
Rule = Literal["literal3", "maxconf", "pool"]
Records = Mapping[str, xr.Dataset]
Decide = Callable[[Array, Array, list[Array]], Verdict]  # (frozen, score of missing, maps) -> verdict
FILLS: dict[str, float] = {"frozen": np.nan, "missing": np.nan, "quality": 65535, "age": 255}  # codes as in packing.py
_DIMS = ("time", "overpass", "y", "x")
_BLOCK_VALUES = 1 << 21  # values of one record worked on at once
_ANEW = ("gap_filled", "outside_domain", "low_confidence", "input_missing")  # flags of the fusion, not of its parts
_KEPT = sum(bit for name, bit in QUALITY.items() if name not in _ANEW)


def fuse(
    records: Records | Sequence[xr.Dataset],
    *,
    rule: Rule = "pool",
    weights: Mapping[str, float] | None = None,
    priority: Sequence[str] = (),
    missing: Mapping[str, xr.DataArray] | None = None,
    low_confidence: float = 0.1,
) -> xr.Dataset:
    """One record of several, lazily: `frozen`, `quality`, `age`, `agreement` and `winner` (time, overpass, y, x).

    `records`: any number on one grid, by name (a sequence is named record1, record2, ...). Days are those that any
    has, a day that a record lacks is missing to it; overpasses those that all have. `weights` (pool only) by name,
    default equal (`weights_from_sites` finds better). `priority`: names that win ties, the first before the second;
    the others follow as given. `missing`: by name, a head's score (0..1) of a third class "missing", as its `frozen`.
    Without it a record knows two classes, and where it is NaN it is missing for certain: so `literal3` is missing
    wherever one record is, unless a record of higher priority is as certain.

    `winner` counts the names of its attribute `flag_meanings`; `agreement` is 1, 0, or 255 where fewer than two claim
    a class. `age` is the largest of the records used; `quality` unites all, but for gap_filled (of those used),
    low_confidence (|p - 0.5| below that, known), input_missing and outside_domain (unknown). Any chunks give the
    same; a record without chunks is cut into blocks of days. InputError: records that do not fit together, and,
    while computing, a claim outside [0, 1]. ConfigError: unknown names, weights without `pool`.
    """
    named = _named(records)
    order = ranking([_place(n, named, "priority") for n in priority], len(named))
    if rule not in get_args(Rule):
        raise ConfigError("E-CONFIG", where="fuse", cause=f"rule {rule!r}", remedy=f"use {', '.join(get_args(Rule))}")
    if weights is not None and rule != "pool":
        raise ConfigError("E-CONFIG", where="fuse", cause=f"weights say nothing in {rule}", remedy="use rule 'pool'")
    w = _weights(weights, named)

    def decide(p: Array, m: Array, _: list[Array]) -> Verdict:
        if rule == "pool":
            return by_pull(p, m, order, w)
        return (by_score if rule == "literal3" else by_confidence)(p, m, order)

    facts = {"fusion_rule": rule} | ({"fusion_weights": w.tolist()} if rule == "pool" else {})
    return _fused(named, decide, order, missing or {}, [], facts, low_confidence)


def fuse_ctc(
    records: Records | Sequence[xr.Dataset],
    *,
    b: Any,
    psi: Mapping[str, Any] | Sequence[Any],
    eta: Mapping[str, Any] | Sequence[Any],
    priority: Sequence[str] = (),
    low_confidence: float = 0.1,
) -> xr.Dataset:
    """One record by Bayes' rule from what categorical triple collocation found; the result as that of `fuse`.

    Log-odds of frozen = log((1 + b)/(1 - b)) + sum over the records: log(psi/(1 - eta)) where one says frozen,
    log((1 - psi)/eta) where it says thawed (Dawid and Skene 1979). `b` = Pr(frozen) - Pr(thawed) of the truth; `psi`,
    `eta`: share of the frozen and of the thawed that a record gets right, by name or in the records' order. Numbers,
    or maps on some of (overpass, y, x); clipped by CLIP. Where psi or eta is NaN its record has no say; where b is
    NaN or nobody has a say, nothing is known. It holds no more than collocation does: errors independent given the
    truth, and no record an input of another.
    """
    named = _named(records)
    order = ranking([_place(n, named, "priority") for n in priority], len(named))
    maps = [b, *_in_order(psi, named, "psi"), *_in_order(eta, named, "eta")]
    count = len(named)

    def decide(p: Array, _: Array, maps: list[Array]) -> Verdict:
        lifted = [np.reshape(v, (1,) * (p.ndim - 1 - np.ndim(v)) + np.shape(v)) for v in maps]
        hits, rejects = (np.stack(np.broadcast_arrays(*v)) for v in (lifted[1 : 1 + count], lifted[1 + count :]))
        return by_bayes(p, order, lifted[0], hits, rejects)

    facts = {
        "fusion_rule": "ctc",
        "fusion_assumes": "errors independent given the truth, no record an input of another",
    }
    return _fused(named, decide, order, {}, maps, facts, low_confidence)


def members(records: Records) -> Grid:
    """The grid that all the records lie on, or one InputError that lists everything that keeps them apart."""
    if not records:
        raise InputError("E-INPUT-EMPTY", where="fuse", cause="not one record to fuse")
    wrong: list[str] = []
    grids: dict[str, Grid] = {}
    for name, ds in records.items():
        try:
            grids[name] = Grid.of(check(ds, RECORD, values=False))
        except FrostlineError as error:
            wrong.append(f"{name}: {error.cause}")
    first, grid = next(iter(grids.items()), ("", None))
    for name, other in grids.items():
        try:
            same = grid is not None and other.shape == grid.shape and other.offset(grid) == (0, 0)
        except FrostlineError:
            same = False
        if not same:
            wrong.append(f"{name} lies on {other}, {first} on {grid}")
    if wrong or grid is None:
        raise InputError(
            "E-INPUT-GRID", where="fuse", cause="; ".join(wrong), remedy="bring all onto one grid before fusing"
        )
    return grid


def _fused(
    named: dict[str, xr.Dataset],
    decide: Decide,
    order: Array,
    missing: Mapping[str, xr.DataArray],
    maps: list[Any],
    facts: dict[str, Any],
    low: float,
) -> xr.Dataset:
    grid = members(named)
    days = reduce(np.union1d, (np.asarray(ds["time"].values, "datetime64[ns]") for ds in named.values()))
    codes = sorted(set.intersection(*(set(ds["overpass"].values.tolist()) for ds in named.values())))
    if not codes:
        raise InputError("E-INPUT-TIME", where="fuse", cause="no overpass is common to all the records")
    for name in missing:
        _place(name, named, "missing")
    sizes = dict(zip(_DIMS, (len(days), len(codes), *grid.shape), strict=True))
    plan: list[tuple[str, int]] = []
    inputs: list[Any] = []
    for k, (name, ds) in enumerate(named.items()):
        fields = {n: ds[n] for n in ("frozen", "quality", "age") if n in ds}
        if name in missing:
            fields["missing"] = missing[name]
        plan += [(kind, k) for kind in fields]
        inputs += [_field(f, days, codes, FILLS[kind], sizes, f"{name}, {kind}") for kind, f in fields.items()]
    plan += [("map", i) for i in range(len(maps))]
    inputs += [_map(v, codes, sizes) for v in maps]
    names = list(named)

    def block(*arrays: Array) -> tuple[Array, ...]:
        return _block(arrays, plan, names, decide, low)

    kinds = (np.float32, np.uint16, np.uint8, np.uint8, np.uint8)
    results = xr.apply_ufunc(
        block, *inputs, dask="parallelized", output_core_dims=[[]] * len(kinds), output_dtypes=list(kinds)
    )
    frozen, quality, age, agreement, winner = (v.transpose(*_DIMS).data for v in results)
    attrs = {
        "source": f"fusion of {', '.join(names)}",
        **facts,
        "fusion_records": names,
        "fusion_priority": [names[k] for k in order],
    }
    out = record(frozen, grid=grid, time=days, overpass=codes, quality=quality, age=age, attrs=attrs)
    who = " ".join(n.replace(" ", "_") for n in names)
    unity = {"grid_mapping": "spatial_ref", "units": "1"}
    alike = {"long_name": "whether the records agree (255: fewer than two claim a class)", "flag_meanings": "no yes"}
    lead = {"long_name": "record that decided (255: none)", "flag_meanings": who}
    return out.assign(
        agreement=(_DIMS, agreement, unity | alike | {"flag_values": np.array([0, 1], np.uint8)}),
        winner=(_DIMS, winner, unity | lead | {"flag_values": np.arange(len(names), dtype=np.uint8)}),
    )


def _block(
    arrays: Sequence[Array], plan: list[tuple[str, int]], names: list[str], decide: Decide, low: float
) -> tuple[Array, ...]:
    """One block of days: frozen, quality, age, agreement, winner."""
    by = {key: array for key, array in zip(plan, arrays, strict=True)}
    count = range(len(names))
    p = np.stack([by["frozen", k] for k in count]).astype(np.float32, copy=False)
    nothing = np.zeros((1,) * (p.ndim - 1), np.float32)
    m = np.stack(np.broadcast_arrays(*(by.get(("missing", k), nothing) for k in count))).astype(np.float32, copy=False)
    for k in count:
        if np.any((p[k] < 0) | (p[k] > 1)) or np.any((m[k] < 0) | (m[k] > 1)):
            cause = "a probability of frozen (or a score of missing) lies outside [0, 1]"
            raise InputError(
                "E-INPUT-SCHEMA", where=names[k], cause=cause, remedy="turn codes into probabilities first"
            )
    verdict = decide(p, m, [array for (kind, _), array in by.items() if kind == "map"])
    frozen, used = verdict.frozen.astype(np.float32, copy=False), verdict.used
    known = ~np.isnan(frozen)
    union, age = np.zeros(p.shape[1:], np.uint16), np.zeros(p.shape[1:], np.uint8)
    filled = np.zeros(p.shape[1:], bool)
    for k in count:
        if ("quality", k) in by:
            flags = by["quality", k]
            flags = np.where(flags == FILLS["quality"], 0, flags).astype(np.uint16)
            union |= flags
            filled |= known & used[k] & ((flags & QUALITY["gap_filled"]) > 0)
        if ("age", k) in by:
            age = np.maximum(age, np.where(used[k], by["age", k], 0).astype(np.uint8))
    outside = ~known & ((union & QUALITY["outside_domain"]) > 0)
    doubt = known & (np.abs(frozen - 0.5) < low)
    fresh = {
        "gap_filled": filled,
        "outside_domain": outside,
        "low_confidence": doubt,
        "input_missing": ~known & ~outside,
    }
    quality = union & np.uint16(_KEPT)
    for name, where in fresh.items():
        quality |= np.where(where, QUALITY[name], 0).astype(np.uint16)
    return frozen, quality, np.where(known, age, FILLS["age"]).astype(np.uint8), verdict.agreement, verdict.winner


def _field(field: xr.DataArray, days: Array, codes: list[int], fill: float, sizes: Mapping[str, int], what: str) -> Any:
    """A field on all the days and the common overpasses, in chunks of days, without coordinates."""
    field = field.transpose(*_DIMS)
    if not np.array_equal(field["time"].values, days):
        field = field.reindex(time=days, fill_value=field.dtype.type(fill))
    if field["overpass"].values.tolist() != codes:
        field = field.sel(overpass=codes)
    if dict(field.sizes) != dict(sizes):
        raise InputError("E-INPUT-GRID", where=what, cause=f"sizes {dict(field.sizes)}, not {dict(sizes)}")
    step = max(1, _BLOCK_VALUES // max(1, int(np.prod(field.shape[1:]))))
    small = field.chunks is not None and max(field.chunks[0], default=0) <= step
    return (field if small else field.chunk(time=step)).variable


def _map(values: Any, codes: list[int], sizes: Mapping[str, int]) -> Any:
    if not isinstance(values, xr.DataArray):
        if np.ndim(values):
            raise InputError("E-INPUT-SCHEMA", where="fuse_ctc", cause="a map without named dims", remedy="a DataArray")
        return float(values)
    if "overpass" in values.coords and "overpass" in values.dims:
        values = values.sel(overpass=codes)
    if not set(values.dims) <= set(_DIMS[1:]) or any(values.sizes[d] != sizes[str(d)] for d in values.dims):
        raise InputError(
            "E-INPUT-GRID", where="fuse_ctc", cause=f"a map of {dict(values.sizes)} for records of {dict(sizes)}"
        )
    return values.variable.load() if values.chunks is None else values.variable


def _named(records: Records | Sequence[xr.Dataset]) -> dict[str, xr.Dataset]:
    if isinstance(records, Mapping):
        return dict(records)
    return {f"record{i}": ds for i, ds in enumerate(records, 1)}


def _place(name: str, named: Mapping[str, Any], what: str) -> int:
    if name not in named:
        raise ConfigError("E-CONFIG", where=f"fuse, {what}", cause=f"no record {name!r} among {', '.join(named)}")
    return list(named).index(name)


def _in_order(values: Mapping[str, Any] | Sequence[Any], named: Mapping[str, Any], what: str) -> list[Any]:
    """One value for each record, or a ConfigError."""
    found = dict(values) if isinstance(values, Mapping) else dict(zip(named, values, strict=False))
    if set(found) != set(named) or len(values) != len(named):
        cause = f"{len(values)} values ({', '.join(found)}) for the records {', '.join(named)}"
        raise ConfigError("E-CONFIG", where=f"fuse, {what}", cause=cause, remedy="give one for each record")
    return [found[name] for name in named]


def _weights(weights: Mapping[str, float] | None, named: Mapping[str, Any]) -> Array:
    """Weights in the records' order with sum 1."""
    if weights is None:
        return np.full(len(named), 1 / max(1, len(named)))
    w = np.array(_in_order(weights, named, "weights"), np.float64)
    if not np.isfinite(w).all() or (w < 0).any() or not w.sum() > 0:
        cause = f"weights of {w.tolist()}"
        raise ConfigError("E-CONFIG", where="fuse, weights", cause=cause, remedy="give none below 0 and one above")
    return w / w.sum()
