"""How much each record may say before records are fused: its temperature and its weight, both learned from a truth.

A truth here is stations (recommended: nobody's teacher) or the labels of validation days. What taught a weight must not
judge the fusion: give other stations or other days to validation.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import reduce
from typing import Any

import numpy as np
import xarray as xr

from frostline.errors import ConfigError, InputError
from frostline.fuse.records import Records, members
from frostline.fuse.rules import TIE, chance, log_odds
from frostline.schema import SITES, check

Array = np.ndarray
TEMPERATURES = (0.05, 1000.0)  # sought between these; the upper end leaves a record no say
_STEPS = 20_000  # a table of counts over [0, 1]: a hundred times finer than records on disk, which lie on it exactly
_BLOCK_VALUES = 1 << 22  # values of one record in memory at once
_SAMPLE = 1 << 20  # comparisons that weights are fitted on; more change nothing a record can hold


def fit_temperature(p: Any, truth: Any) -> float:
    """The temperature T that makes sigma(logit(p) / T) score best: smallest log loss against the truth.

    `p`: claimed probabilities of frozen in [0, 1]; `truth`: 1 frozen, 0 thawed; same shape, lazy arrays are read in
    blocks along their first axis, NaN in either is left out. T > 1: the head was too sure of itself. The loss is convex
    in 1/T, so bisection of its slope within TEMPERATURES finds the one minimum (or the end nearest to it).
    Guo et al. 2017 (temperature scaling). InputError: shapes differ, nothing to compare, or one class only.

    Classes that are right nine times in ten, claimed as certain (999 to 1): T = log 999 / log 9.

    >>> round(fit_temperature([1, 0] * 10, [1, 0] * 9 + [0, 1]), 4)
    3.1434
    """
    counts = np.zeros((2, _STEPS + 1))
    for said, true in _pairs(p, truth):
        place = np.rint(said * _STEPS).astype(np.int64)
        for kind in (0, 1):
            counts[kind] += np.bincount(place[true == kind], minlength=_STEPS + 1)
    _both_classes(counts.sum(axis=1), "fit_temperature")
    level = log_odds(np.arange(_STEPS + 1) / _STEPS)

    def slope(sharpness: float) -> float:
        return float(((counts.sum(axis=0) * chance(sharpness * level) - counts[1]) * level).sum())

    low, high = (float(np.log(1 / t)) for t in reversed(TEMPERATURES))
    for _ in range(60):  # halves a range of ten to machine precision
        middle = (low + high) / 2
        low, high = (middle, high) if slope(np.exp(middle)) < 0 else (low, middle)
    return float(np.exp(-(low + high) / 2))


def temper(record: xr.Dataset, temperature: float) -> xr.Dataset:
    """The record with every probability p replaced by sigma(logit(p) / temperature), lazily; NaN stays NaN.

    Classes do not change. 0 and 1 count as CLIP and 1 - CLIP. The quality bit `low_confidence` still speaks of the
    old probability (`fuse` sets it anew).
    """
    if not 0 < temperature < np.inf:
        raise ConfigError(
            "E-CONFIG", where="temper", cause=f"a temperature of {temperature}", remedy="give one above 0"
        )

    def soften(p: Array) -> Array:
        return chance(log_odds(p.astype(np.float32, copy=False)) / np.float32(temperature))

    frozen = xr.apply_ufunc(soften, record["frozen"], dask="parallelized", output_dtypes=[np.float32], keep_attrs=True)
    return record.assign(frozen=frozen).assign_attrs(temperature=float(temperature))


def weights_from_sites(records: Records, sites: xr.Dataset, *, days: Any = None) -> dict[str, float]:
    """Weights of the pool by what stations say (recommended): those of the smallest Brier score at the sites.

    Each record is taken at the cell that holds a site, on days and overpasses that all have (within `days`,
    datetime64, when given), where every record and the site know. See `best_weights`.
    """
    check(sites, SITES, values=False)
    return dict(zip(records, best_weights(*samples(records, sites, days=days)).tolist(), strict=True))


def weights_from_labels(records: Records, labels: xr.Dataset, *, days: Any = None) -> dict[str, float]:
    """Weights of the pool by their Brier score against a record of labels (classes) on the validation `days`.

    Labels that taught one of the records favour it. See `best_weights`.
    """
    return dict(zip(records, best_weights(*samples(records, labels, days=days)).tolist(), strict=True))


def best_weights(p: Array, truth: Array) -> Array:
    """Weights (records,), none negative, sum 1, of the log-opinion pool with the smallest Brier score.

    `p` (records, n) probabilities of frozen, `truth` (n,) 0 or 1. No worse on these samples than any single record,
    since each record alone is among the candidates. InputError: no sample, or one class only.
    """
    from scipy.optimize import LinearConstraint, minimize

    odds, y = log_odds(np.asarray(p, np.float64)), np.asarray(truth, np.float64)
    _both_classes(np.array([(y == 0).sum(), (y == 1).sum()]), "best_weights")
    if np.any((y != 0) & (y != 1)):
        raise InputError("E-INPUT-SCHEMA", where="best_weights", cause="a truth is neither 0 (thawed) nor 1 (frozen)")

    def loss(w: Array) -> tuple[float, Array]:
        q = 0.5 + 0.5 * np.tanh(0.5 * (w @ odds))
        error = q - y
        return float(np.mean(error**2)), 2 * (odds @ (error * q * (1 - q))) / len(y)

    count = len(odds)
    corners = list(np.eye(count))
    sum_is_one = LinearConstraint(np.ones((1, count)), 1, 1)
    found = []
    for start in [np.full(count, 1 / count), *corners]:  # the Brier score of a pool has more than one hollow
        end = minimize(loss, start, jac=True, method="SLSQP", bounds=[(0, 1)] * count, constraints=[sum_is_one])
        w = np.where(end.x > TIE, end.x, 0.0)
        found.append(w / w.sum())
    return min([*corners, *found], key=lambda w: loss(w)[0])


def samples(records: Records, truth: xr.Dataset, *, days: Any = None) -> tuple[Array, Array]:
    """What the records claim and what was true, where all know: p (records, n) float32 and truth (n,) float32.

    `truth`: sites, or a record of classes on the records' grid. Reads a block of days at a time; beyond a million
    comparisons keeps a random share (fixed seed) of each block. InputError: grids differ, or no common day, overpass.
    """
    grid = members(records)
    everything = [*records.values(), truth]
    lists = [np.asarray(ds["time"].values, "datetime64[ns]") for ds in everything]
    times = reduce(np.intersect1d, lists if days is None else [*lists, np.asarray(days, "datetime64[ns]")])
    codes = sorted(set.intersection(*(set(ds["overpass"].values.tolist()) for ds in everything)))
    if not len(times) or not codes:
        what = "overpass" if len(times) else "day"
        raise InputError("E-INPUT-TIME", where="weights", cause=f"no {what} is common to the records and the truth")
    at_sites = "site" in truth["frozen"].dims
    if at_sites:
        rows, cols = grid.locate(truth["lon"].values, truth["lat"].values)
        inside = np.flatnonzero(rows >= 0)
        where = {"y": xr.DataArray(rows[inside], dims="site"), "x": xr.DataArray(cols[inside], dims="site")}
        truth = truth.isel(site=inside)
    else:
        members({**records, "the truth": truth})
    cells = truth["frozen"].isel(time=0, overpass=0).size
    share = _SAMPLE / max(_SAMPLE, len(times) * len(codes) * cells)
    draw = np.random.default_rng(0)
    said, true = [np.empty((len(records), 0), np.float32)], [np.empty(0, np.float32)]
    step = max(1, _BLOCK_VALUES // (grid.shape[0] * grid.shape[1] * len(codes)))
    for begin in range(0, len(times), step):
        part = {"time": times[begin : begin + step], "overpass": codes}
        fields = [r["frozen"].sel(part).load() for r in records.values()]
        fields = [f.isel(where) if at_sites else f for f in fields]
        p = np.stack([f.values.astype(np.float32).reshape(-1) for f in fields])
        y = truth["frozen"].sel(part).values.astype(np.float32).reshape(-1)
        keep = ~np.isnan(y) & ~np.isnan(p).any(axis=0)
        if share < 1:
            keep &= draw.random(len(keep)) < share
        said.append(p[:, keep])
        true.append(y[keep])
    return np.concatenate(said, axis=1), np.concatenate(true)


def _pairs(p: Any, truth: Any) -> Iterator[tuple[Array, Array]]:
    """Blocks of known (probability, truth), checked."""
    if isinstance(p, xr.DataArray) and isinstance(truth, xr.DataArray):
        try:
            p, truth = xr.align(p, truth.transpose(*p.dims), join="exact")
        except ValueError as error:
            raise InputError("E-INPUT-SCHEMA", where="fit_temperature", cause=str(error)) from None
    p, truth = (a if hasattr(a, "shape") else np.asarray(a) for a in (p, truth))
    if p.shape != truth.shape or not p.shape:
        raise InputError(
            "E-INPUT-SCHEMA", where="fit_temperature", cause=f"claims of {p.shape}, a truth of {truth.shape}"
        )
    step = max(1, _BLOCK_VALUES // max(1, int(np.prod(p.shape[1:]))))
    for begin in range(0, p.shape[0], step):
        said = np.asarray(p[begin : begin + step], np.float64).reshape(-1)
        true = np.asarray(truth[begin : begin + step], np.float64).reshape(-1)
        known = ~np.isnan(said) & ~np.isnan(true)
        said, true = said[known], true[known]
        if np.any((said < 0) | (said > 1)) or np.any((true != 0) & (true != 1)):
            cause = "a claim lies outside [0, 1], or a truth is neither 0, 1 nor NaN"
            raise InputError("E-INPUT-SCHEMA", where="fit_temperature", cause=cause)
        yield said, true


def _both_classes(count: Array, where: str) -> None:
    thawed, frozen = (int(n) for n in count)
    if not thawed or not frozen:
        raise InputError(
            "E-INPUT-EMPTY",
            where=where,
            cause=f"{frozen} frozen and {thawed} thawed cases are known: nothing can be learned of two classes",
            remedy="give days or stations with both",
        )
