"""Categorical collocation: how good three or more records are, judged by each other, and when that may be believed.

It stands on errors that are independent given the truth. Where they are not it flatters: a relative, optimistic
diagnostic. So `collocation_doubts` comes before any number, every number bears a status, and gates on the effective
sample size blank what the samples cannot tell (algorithms 1.5). The solution itself is in `collocation_em`, the sums in
`moments`.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import combinations
from typing import Any

import numpy as np
import xarray as xr
from scipy.special import expit, logit, stdtrit

from frostline.clock import year
from frostline.validate.collocation_em import STATUS, closed_form, ranks, refit
from frostline.validate.intervals import draw_clusters, draw_days, resample
from frostline.validate.moments import effective_samples

Array = np.ndarray
# algorithms 1.5, proposed gates: effective samples of a class, frozen (thawed) calls of each product, imbalance
LEAST_EFFECTIVE = 60.0  # of the rarer class; below, nothing but the counts is given
WANTED_EFFECTIVE = 200.0  # of a class; below, its accuracy is not given and products are ranked only
WANTED_CALLS = 20  # by each product of a class
IMBALANCE = 0.9  # |b| beyond which the rarer class is not identified
WEAK = 200.0  # effective samples below which the refit has its prior
LONG_RECORD = 15  # years; from here on whole years are drawn (algorithms 1.6)
INADMISSIBLE = 0.1  # share of resamples without a solution above which an interval is unreliable


def collocate(sums: xr.Dataset, *, prior: float = 2.0, without: Iterable[tuple[str, str]] = ()) -> xr.Dataset:
    """Accuracy of each product on every stratum or cell of `moments` (summed over its time) or `cell_moments`.

    On the units' dims: `status` (codes of STATUS), `b` (share frozen minus share thawed of the truth), `n`,
    `n_effective`, `r1`, `dropped`; with `product`: `psi` (chance of frozen where frozen), `eta` (of thawed where
    thawed), `pi` their mean, `v`, `rank` (1 best, 0 unknown), `mu`, `frozen` (how often it says so); and what the
    closed form gave: `b_closed`, `psi_closed`, `eta_closed`; with `pair`: `residual` of log Q, which for four and more
    products exposes a pair whose errors go together (of four, it or its complement).

    `psi`, `eta`, `b` are the closed form where it lies in the unit cube; where it does not, the constrained refit; and
    the refit with a Beta(`prior`, `prior`) on psi and eta where there are less than WEAK effective samples or |b| >
    IMBALANCE (1 is no prior). NaN where a gate forbids: psi needs WANTED_EFFECTIVE effective frozen samples,
    WANTED_CALLS frozen calls of every product and b > -IMBALANCE, eta the same of thawed; `pi`, `v` and `rank`
    need LEAST_EFFECTIVE samples of the rarer class, below which the status is `too_few` and nothing is given.

    `without`: pairs of products known to err together; they are left out of the closed form (four products or more),
    and there is no refit, whose model has no such pair.
    """
    count = sums["count"].transpose(..., "pattern")
    worth = effective_samples(sums)
    if "time" in count.dims:
        count = count.sum("time")
    names = [str(p) for p in sums["product"].values]
    indices = tuple((names.index(a), names.index(b)) for a, b in without)
    units = count.dims[:-1]
    n_effective = worth["n_effective"].transpose(*units).values
    n = count.values.sum(-1)
    factor = np.where(np.isfinite(n_effective), n_effective, 0.0) / np.maximum(n, 1)
    weak = ~(n_effective >= WEAK)
    found = _solve(count.values, factor=factor, weak=weak, prior=prior, without=indices)
    closed = {name: found[f"{name}_closed"] for name in ("psi", "eta", "b")}
    frozen = np.stack([count.values[..., sums["says"].values[i] > 0].sum(-1) for i in range(len(names))], axis=-1)
    share = (1 + found["b"]) / 2
    of_frozen, of_thawed = share * n_effective, (1 - share) * n_effective
    enough = np.minimum(of_frozen, of_thawed) >= LEAST_EFFECTIVE  # NaN is not enough
    solved = np.isin(found["status"], [STATUS["ok"], STATUS["outside_unit_interval"]])
    status = np.where(solved & ~enough & np.isfinite(found["b"]), STATUS["too_few"], found["status"])
    shown = (solved & enough)[..., None]
    psi_known = (of_frozen >= WANTED_EFFECTIVE) & (frozen.min(-1) >= WANTED_CALLS) & (found["b"] >= -IMBALANCE)
    thawed = n - frozen.max(-1)
    eta_known = (of_thawed >= WANTED_EFFECTIVE) & (thawed >= WANTED_CALLS) & (found["b"] <= IMBALANCE)
    v = np.where(shown, found["v"], np.nan)
    by_product = {
        "psi": np.where(shown & psi_known[..., None], found["psi"], np.nan),
        "eta": np.where(shown & eta_known[..., None], found["eta"], np.nan),
        "pi": np.where(shown, (found["psi"] + found["eta"]) / 2, np.nan),
        "v": v,
        "rank": ranks(v),
        "mu": found["mu"],
        "frozen": frozen,
        "psi_closed": np.where(shown, closed["psi"], np.nan),
        "eta_closed": np.where(shown, closed["eta"], np.nan),
    }
    by_unit = {
        "status": status.astype(np.int8),
        "b": np.where(shown[..., 0], found["b"], np.nan),
        "b_closed": np.where(shown[..., 0], closed["b"], np.nan),
        "n": n,
        "n_effective": n_effective,
        "r1": worth["r1"].transpose(*units).values,
        "dropped": sums["dropped"].sum([d for d in ("time",) if d in sums.dims]).transpose(*units).values,
    }
    ds = xr.Dataset(
        {name: (units, values) for name, values in by_unit.items()}
        | {name: ((*units, "product"), values) for name, values in by_product.items()}
        | {"residual": ((*units, "pair"), np.where(shown, found["residual"], np.nan))},
        coords={name: c for name, c in count.coords.items() if "pattern" not in c.dims}
        | {"product": names, "pair": [f"{a}, {b}" for a, b in combinations(names, 2)]},
    )
    ds["status"].attrs = {"flag_values": np.array(list(STATUS.values()), "int8"), "flag_meanings": " ".join(STATUS)}
    return ds


def with_intervals(
    sums: xr.Dataset,
    found: xr.Dataset,
    *,
    level: float = 0.9,
    block: int = 90,
    resamples: int = 500,
    prior: float = 2.0,
    without: Iterable[tuple[str, str]] = (),
    seed: int = 0,
) -> xr.Dataset:
    """What `collocate` found of the daily sums, with how sure it is, by the circular moving-block bootstrap of days.

    Blocks are L = max(`block`, 2 / (1 - r1)) days within seasons (`intervals.draw_days`), r1 of all strata together;
    from LONG_RECORD years on whole years are drawn. A drawn day brings all its cells, so what errs together in space
    is drawn together. The interval is the number -+ Student's t times the spread of the draws, in log odds (`_reach`):
    of 500 simulated decades 90 % intervals held the truth of every product in .90-.97 where errors do not last or last
    by .8 a day, and in .86-.98 at .95 (`tools/studies_collocation.py`; percentiles of 30-day blocks: .87-.93, .87-.90
    and .72-.79). Adds `psi_lo`, `psi_hi` and so for eta, pi and b (NaN where the number itself is), `rank_share`
    (..., product, rank): how often the product had that rank, which needs no third moment and holds where b does not;
    `inadmissible`, `outside`: share of resamples without a solution, and with a closed form outside [0, 1] (these are
    refitted); `unreliable`: bool, more than INADMISSIBLE had none. Attributes `block_days` (0: whole years), `blocks`.
    """
    count = sums["count"].transpose("time", ..., "pattern")
    dates = count["time"].values
    names = [str(p) for p in sums["product"].values]
    indices = tuple((names.index(a), names.index(b)) for a, b in without)
    draws, length, blocks = _draws(dates, block=block, r1=_pooled(found), resamples=resamples, seed=seed)
    drawn_count = resample(draws, {"count": count.values})["count"]
    worth = found["n_effective"].values
    factor = np.where(np.isfinite(worth), worth, 0.0) / np.maximum(found["n"].values, 1)
    weak = ~(worth >= WEAK)
    drawn = _solve(drawn_count, factor=factor, weak=weak, prior=prior, without=indices, tolerance=1e-6)
    drawn["pi"] = (drawn["psi"] + drawn["eta"]) / 2
    units = found["status"].dims
    added: dict[str, Any] = {}
    share = (1 + found["b"].values) / 2
    of_class = {"psi": share * worth, "eta": (1 - share) * worth, "pi": np.minimum(share, 1 - share) * worth}
    for name, samples in of_class.items():
        dims, value = found[name].dims, found[name].values
        lower, upper = _reach(value, drawn[name], worth=samples[..., None], blocks=blocks, level=level)
        added |= {f"{name}_lo": (dims, lower), f"{name}_hi": (dims, upper)}
    lower, upper = _reach(share, (1 + drawn["b"]) / 2, worth=worth, blocks=blocks, level=level)
    added |= {"b_lo": (units, 2 * lower - 1), "b_hi": (units, 2 * upper - 1)}
    solved = np.isin(drawn["status"], [STATUS["ok"], STATUS["outside_unit_interval"]])
    place = ranks(drawn["v"])
    ranked = (
        np.stack([(place == r + 1).sum(0) for r in range(len(names))], axis=-1)
        / np.maximum(solved.sum(0), 1)[..., None, None]
    )
    shown = np.isfinite(found["v"].values)[..., None]
    added["rank_share"] = ((*units, "product", "rank_place"), np.where(shown, ranked, np.nan))
    added["inadmissible"] = (units, 1 - solved.mean(0))
    added["outside"] = (units, (drawn["status"] == STATUS["outside_unit_interval"]).mean(0))
    added["unreliable"] = (units, added["inadmissible"][1] > INADMISSIBLE)
    ds = found.assign(added).assign_coords(rank_place=np.arange(1, len(names) + 1))
    return ds.assign_attrs(level=level, resamples=resamples, block_days=length, blocks=blocks)


def _reach(value: Array, drawn: Array, *, worth: Array, blocks: float, level: float) -> tuple[Array, Array]:
    """Bounds of shares (...) of which (resamples, ...) were drawn, by Student's t of blocks - 1 on log odds.

    Percentiles of the draws are lopsided near 1, where good products are: a share that came out high was also drawn
    with little spread, and its interval lay above the truth two to five times as often as below. Log odds have nearly
    the same spread everywhere. Where draws stand at 0 or 1 they have none, so there shares count as half of one of the
    `worth` samples away, and no bound is surer than that of as many samples without an error (Clopper & Pearson
    1934). NaN where the share is, or more than half of the draws, or where there is one block.
    """
    edge = np.minimum(0.5 / np.maximum(np.nan_to_num(worth), 1.0), 0.25)
    known = np.isfinite(drawn)
    count = known.sum(0)
    odds = np.where(known, logit(np.clip(drawn, edge, 1 - edge)), 0.0)
    off = np.where(known, odds - odds.sum(0) / np.maximum(count, 1), 0.0)
    spread = np.sqrt((off**2).sum(0) / np.maximum(count - 1, 1))
    enough = np.isfinite(value) & (count >= max(2, drawn.shape[0] / 2)) & (blocks > 1)
    more = max(blocks - 1, 1e-9)
    reach = np.sqrt(blocks / more) * stdtrit(more, (1 + level) / 2) * spread
    middle = logit(np.clip(value, edge, 1 - edge))
    flawless = ((1 - level) / 2) ** (1 / np.maximum(np.nan_to_num(worth), 1.0))
    lower, upper = np.minimum(expit(middle - reach), flawless), np.maximum(expit(middle + reach), 1 - flawless)
    lower, upper = np.minimum(lower, value), np.maximum(upper, value)
    return np.where(enough, lower, np.nan), np.where(enough, upper, np.nan)


def _solve(
    count: Array,
    *,
    factor: Array,
    weak: Array,
    prior: float,
    without: tuple[tuple[int, int], ...],
    tolerance: float = 1e-9,
) -> dict[str, Array]:
    """Closed form, and psi, eta, b refitted where it leaves the cube or the sample is weak."""
    closed = closed_form(count, without=without, least=LEAST_EFFECTIVE)
    found = {**closed, **{f"{name}_closed": closed[name] for name in ("psi", "eta", "b")}}
    outside = closed["status"] == STATUS["outside_unit_interval"]
    solved = outside | (closed["status"] == STATUS["ok"])
    thin = (np.broadcast_to(weak, outside.shape) | (np.abs(closed["b"]) > IMBALANCE)) & (prior != 1)
    redo = solved & (outside | thin)
    keep = {name: closed[name].copy() for name in ("psi", "eta", "b")}
    if without:
        for name in keep:
            keep[name][outside] = np.nan
    elif redo.any():
        scale = np.where(thin, np.broadcast_to(factor, outside.shape), 1.0)[redo]
        scale = np.where(scale > 0, scale, 1.0)
        again = refit(
            count[redo] * scale[:, None],
            **{name: closed[name][redo] for name in keep},
            prior=np.where(thin[redo], prior, 1.0),
            tolerance=tolerance,
        )
        for name in keep:
            keep[name][redo] = again[name]
    return found | keep


def _draws(dates: Array, *, block: int, r1: float, resamples: int, seed: int) -> tuple[Array, int, float]:
    """Counts (resamples, days), the length of a block (0: whole years) and how many were drawn."""
    years = year(dates)
    names = np.unique(years)
    if len(names) >= LONG_RECORD:
        taken = draw_clusters(len(names), resamples=resamples, seed=seed)
        return taken[:, np.searchsorted(names, years)], 0, float(len(names))
    length = max(block, int(np.ceil(2 / (1 - min(r1, 0.99)))))
    draws, blocks = draw_days(dates, block=length, resamples=resamples, seed=seed)
    return draws, length, blocks


def _pooled(found: xr.Dataset) -> float:
    """r1 of all units together, by their samples."""
    r1, n = found["r1"].values, found["n"].values
    known = np.isfinite(r1)
    return float((r1[known] * n[known]).sum() / n[known].sum()) if known.any() else 0.0
