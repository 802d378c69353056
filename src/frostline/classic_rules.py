"""Classic rules that are fitted, published or written down by the user: discriminant functions and decision trees."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from frostline.errors import InputError
from frostline.grid import Grid
from frostline.schema import record

Array = np.ndarray
FIELD = ("time", "overpass", "y", "x")
STATES = {"frozen": 1.0, "thawed": 0.0, "unknown": np.nan}


class Linear(NamedTuple):
    """A linear rule: frozen where weight . x + offset > 0. Where it was fitted, that is the log of frozen's odds."""

    weight: Array  # (predictor,)
    offset: float


# Zhao et al. 2011, predictors TB 36.5 V (K) and TB 18.7 H / TB 36.5 V. Coefficients from memory, UNVERIFIED: the
# boundary they give, 257 K at a ratio of .92, is plausible, which is all that was checked.
ZHAO_FROZEN, ZHAO_THAWED = Linear(np.array([1.47, 91.69]), -226.77), Linear(np.array([1.55, 86.33]), -242.41)


def fit_lda(x: Any, frozen: Any, *, weight: Any = None) -> Linear:
    """Fisher's discriminant of predictors `x` (n, predictor) by states `frozen` (n,): 1, 0, NaN.

    w = S^-1 (m_F - m_T), S the covariance within the classes, pooled (sums over the total weight); offset
    -(m_F + m_T) . w / 2 + log(n_F / n_T), n the classes' weights. `weight` (n,): of the samples, default 1 each.
    Samples with a NaN are left out. InputError: a class without a sample, or predictors that depend on each other.

    Frozen 1 and 3, thawed 5 and 7: S = 1, w = 2 - 6 = -4, and the boundary is 4.

    >>> fit_lda([[1.0], [3.0], [5.0], [7.0]], [1, 1, 0, 0])
    Linear(weight=array([-4.]), offset=16.0)
    """
    x, y = np.asarray(x, np.float64), np.asarray(frozen, np.float64)
    w = np.ones(len(y)) if weight is None else np.asarray(weight, np.float64)
    known = np.isfinite(x).all(axis=1) & np.isfinite(y) & (w > 0)
    x, y, w = x[known], y[known], w[known]
    parts = [(x[y == state], w[y == state]) for state in (1, 0)]
    if not all(len(some) for some, _ in parts):
        cause = f"{len(parts[0][1])} frozen and {len(parts[1][1])} thawed cases are known"
        raise InputError("E-INPUT-EMPTY", where="discriminant", cause=cause, remedy="give days and places with both")
    means = [(u[:, None] * some).sum(axis=0) / u.sum() for some, u in parts]
    scatter = sum(((some - m) * u[:, None]).T @ (some - m) for (some, u), m in zip(parts, means, strict=True))
    within = np.asarray(scatter) / w.sum()
    if np.linalg.matrix_rank(within) < len(within):
        cause = "the predictors do not vary, or depend on each other"
        raise InputError("E-INPUT-EMPTY", where="discriminant", cause=cause, remedy="leave one out, or give more cases")
    slope = np.linalg.solve(within, means[0] - means[1])
    odds = np.log(parts[0][1].sum() / parts[1][1].sum())
    return Linear(slope, float(-0.5 * (means[0] + means[1]) @ slope + odds))


def published() -> Linear:
    """Zhao et al. 2011 as one rule: frozen where -.08 TB36V + 5.36 TB18H/TB36V + 15.64 > 0. Unverified.

    >>> rule = published()
    >>> rule.weight.round(2).tolist(), round(rule.offset, 2)
    ([-0.08, 5.36], 15.64)
    """
    return Linear(ZHAO_FROZEN.weight - ZHAO_THAWED.weight, ZHAO_FROZEN.offset - ZHAO_THAWED.offset)


def linear_record(
    predictors: Sequence[xr.DataArray],
    rules: Mapping[int, Linear],
    *,
    grid: Grid,
    hard: bool = False,
    attrs: Mapping[str, Any] | None = None,
) -> xr.Dataset:
    """The record of a linear rule for each overpass code: probability sigma(weight . x + offset), or 0 and 1 if `hard`.

    `predictors` on (time, overpass, y, x) or (y, x), in the order of the weights; the first has a time. Unknown where
    one of them is, and at an overpass without a rule. Chunked predictors give a record that is computed as it is read.
    """
    codes = predictors[0]["overpass"]
    empty = Linear(np.full(len(predictors), np.nan), np.nan)
    chosen = [rules.get(int(code), empty) for code in codes.values]
    score: Any = xr.DataArray([rule.offset for rule in chosen], {"overpass": codes}, ("overpass",))
    for k, values in enumerate(predictors):
        score = score + values * xr.DataArray([rule.weight[k] for rule in chosen], {"overpass": codes}, ("overpass",))
    said = (score > 0).where(score.notnull()) if hard else 0.5 + 0.5 * np.tanh(0.5 * score)
    return _record(said, grid, dict(attrs or {}))


@dataclass(frozen=True)
class Node:
    """A question of a tree: whether an index is at most a limit.

    The index is (`constant` + sum of `terms` times variable + sum of `squares` times variable squared), over the sum of
    `over` times variable where that is given; with `spread_days` n > 1 its standard deviation over the n days around
    a day, all of which must be known. `yes` and `no`: `frozen`, `thawed`, `unknown`, or the name of a later node.
    """

    name: str
    terms: Mapping[str, float]
    at_most: float
    yes: str
    no: str
    squares: Mapping[str, float] = field(default_factory=dict)
    constant: float = 0.0
    over: Mapping[str, float] = field(default_factory=dict)
    spread_days: int = 0


def decision_tree(fields: Mapping[str, Any], nodes: Sequence[Node], *, grid: Grid, name: str = "tree") -> xr.Dataset:
    """The record of a tree of `nodes`, the first of them asked first, on `fields` by name (K and so on, NaN unknown).

    Fields are on (time, overpass, y, x) or (y, x). Unknown where an index that is asked is unknown; what lies on the
    branch not taken does not matter. InputError: a variable that is not there, or no variable with a time.

    >>> cold = Node("cold", {"tb_36v": 1.0}, at_most=258.0, yes="gradient", no="thawed")
    >>> gradient = Node("gradient", {"tb_36v": 1.0, "tb_18v": -1.0}, at_most=0.0, yes="frozen", no="thawed")
    >>> from frostline.grid import named
    >>> at = {"time": [np.datetime64("2016-01-01", "ns")], "overpass": [0]}
    >>> tb = [xr.DataArray([[[[k, 265.0]]]], at, ("time", "overpass", "y", "x")) for k in (250.0, 251.0)]
    >>> said = decision_tree({"tb_36v": tb[0], "tb_18v": tb[1]}, [cold, gradient],
    ...                      grid=named("N09").around(100.0, 60.0, (1, 2)))
    >>> said["frozen"].values.ravel().tolist()
    [1.0, 0.0]
    """
    used = {variable for node in nodes for part in (node.terms, node.squares, node.over) for variable in part}
    if lost := used - set(fields):
        raise InputError("E-INPUT-SCHEMA", where=name, cause=f"no variable is called {', '.join(sorted(lost))}")
    timed = [fields[v] for v in sorted(used) if "time" in fields[v].dims]
    if not timed:
        raise InputError("E-INPUT-SCHEMA", where=name, cause="none of its variables changes with time")
    like = timed[0]
    answers: dict[str, Any] = {state: value for state, value in STATES.items()}
    for node in reversed(nodes):
        index = _index(node, fields)
        asked = index <= node.at_most
        answers[node.name] = xr.where(asked, answers[node.yes], answers[node.no]).where(index.notnull())
    frozen = answers[nodes[0].name].broadcast_like(like)
    return _record(frozen, grid, {"source": f"decision tree {name} of {len(nodes)} nodes, given by the user"})


def _index(node: Node, fields: Mapping[str, Any]) -> Any:
    """What a node asks about."""
    value: Any = node.constant
    for variable, by in node.terms.items():
        value = value + by * fields[variable]
    for variable, by in node.squares.items():
        value = value + by * fields[variable] ** 2
    if node.over:
        value = value / sum(by * fields[variable] for variable, by in node.over.items())
    if node.spread_days > 1:
        n = node.spread_days
        value = value.rolling(time=n, center=True, min_periods=n).std()
    return value


def _record(frozen: Any, grid: Grid, attrs: dict[str, Any]) -> xr.Dataset:
    frozen = frozen.transpose(*FIELD).astype(np.float32)
    return record(frozen.data, grid=grid, time=frozen["time"].values, overpass=frozen["overpass"].values, attrs=attrs)
