"""Records against truths: every score with its interval and its n, as the rows of `scores.json`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import xarray as xr

from frostline.clock import OVERPASS_NAMES, season
from frostline.errors import InputError
from frostline.grid import Grid
from frostline.scores import SCORES, brier_skill
from frostline.tally import tally, tally_cells, with_days
from frostline.validate.agreement import OF_DAYS, with_shares
from frostline.validate.calibration import MIDDLE, RELIABILITY, reliability, reliability_cells
from frostline.validate.intervals import (
    bounds,
    draw_clusters,
    draw_days,
    effective_days,
    resample,
)
from frostline.validate.match import common_days, matched, same_grid
from frostline.validate.pairs import ahead, ahead_cells
from frostline.validate.skill import of_difference, of_scores
from frostline.validate.strata import masks_of

Array = np.ndarray
Sums = dict[str, Array]  # arrays (..., record, overpass, stratum)
Ends = tuple[Array, Array, Array]  # value, lower and upper end
Group = tuple[str, str]  # (split, season or "all")
DIFFERENCE = "accuracy_difference"
_POOLED = -1  # code of both overpasses together; they err on the same days, which are drawn together
_PASSES = {**OVERPASS_NAMES, _POOLED: "pooled"}  # not `both` of seasons: frozen at AM and at PM
_YEAR = np.arange("2001-01", "2002-01", dtype="datetime64[M]")
Of = Callable[[Sums], Sums]
Kept = tuple[xr.Dataset | None, dict[Group, xr.Dataset]]  # daily sums, and of each group by site
Job = tuple[list[str], xr.Dataset | None, dict[Group, xr.Dataset], Of]  # whose, the sums, their scores
LEAST_DAYS = 10  # with fewer, no block is long enough to show how errors last: no interval is given


def evaluate(
    records: Mapping[str, xr.Dataset],
    truths: Mapping[str, xr.Dataset],
    *,
    days: Mapping[str, xr.DataArray],
    strata: Mapping[str, Any] | None = None,
    climatology: str = "climatology",
    seasons: Callable[[Any], Array] = season,
    seasonal: Collection[str] = ("all",),
    scores: Mapping[str, Callable[[Any], Any]] = SCORES,
    differences: Sequence[tuple[str, str]] = (),
    pooled: bool = False,
    block: int = 30,
    resamples: int = 500,
    level: float = 0.95,
    seed: int = 0,
) -> list[dict[str, Any]]:
    """Rows {record, against, split, overpass, stratum, score, value, lo, hi, n, n_effective, skill}, NaN if undefined.

    `records` (on one grid) and `truths` (records on that grid, or sites) are datasets with `frozen`; `days` names
    splits by bool (time); `strata` names masks (y, x), or (site) against sites, as `area:heldout`. Stratum `all` is
    always there; the strata of `seasonal` are also told apart by `seasons` (dates to labels): `season:DJF` for `all`,
    `forest/season:DJF` for others. On a grid in degrees cells weigh by their area. `pooled` adds overpass `pooled`.

    **Common sample**: all records given together are scored on the cell-days where every one of them is known, so
    that their differences are fair; `coverage` and `n` say how much that leaves. Give records apart to score each
    on its own cells. `scores`: by name, of sums (`frostline.scores`, `validate.agreement`, `validate.calibration`).
    `skill` (`validate.skill`) and `brier_skill` are over the record named by `climatology`; without it the first is
    NaN, the second absent. `differences`: pairs (a, b) of records; the accuracy of a less that of b, on all cell-days
    that these two know, is `accuracy_difference` of record `a-b`. It is subtracted day by day, so that what both get
    wrong widens nothing.

    `lo`, `hi` hold `level` of the bootstrap over blocks of `block` days; against sites over sites too, and the wider
    of both is given; NaN for fewer than LEAST_DAYS days. `n`: cell-days compared, of `ece_middle` those in doubt.
    `n_effective`: what the days are worth as independent days (`effective_days`). Data are read by blocks of days;
    only daily sums are kept.
    """
    grid = same_grid(records)
    names = list(records)
    base = names.index(climatology) if climatology in names else None
    of = partial(_scores, base=base, scores=scores)
    rows: list[dict[str, Any]] = []
    for against, truth in truths.items():
        masks = masks_of(strata or {}, grid, truth)
        groups = _groups(days, common_days(*records.values(), truth), against, seasons)
        further = [name in scores for name in ("correlation", "ece")]
        alone, paired = _sums(records, truth, masks, groups, differences, pooled, *further)
        jobs: list[Job] = [(names, *alone, of), ([f"{a}-{b}" for a, b in differences], *paired, _difference)]
        for (split, part), dates in groups.items():
            shown = masks if part == "all" else {name: mask for name, mask in masks.items() if name in seasonal}
            draws = draw_days(dates, block=block, resamples=resamples, seed=seed)
            calendar = None  # the climatology's accuracy
            for claimants, daily, by_site, told in jobs if shown else ():
                if daily is None:
                    continue
                sums = _arrays(daily.sel(time=dates, stratum=list(shown)), "time")
                found = _with_ends(sums, dates, draws, told, level)
                if (split, part) in by_site and len(dates) >= LEAST_DAYS:
                    found = _widened(found, by_site[split, part], list(shown.values()), told, resamples, level, seed)
                worth, n = _worth(sums, dates), sums["n"].sum(axis=0)
                values = {name: ends[0] for name, ends in found.items()}
                if told is _difference:
                    gained = {DIFFERENCE: of_difference(values[DIFFERENCE], calendar)}
                else:
                    gained = of_scores(values, {name: v.sum(axis=0) for name, v in sums.items()}, base=base)
                    calendar = None if base is None or "accuracy" not in values else values["accuracy"][base]
                inner = sum(sums[name].sum(axis=0) for name in MIDDLE if name in sums)
                rows += [
                    {
                        "record": record,
                        "against": against,
                        "split": split,
                        "overpass": _PASSES[int(code)],
                        "stratum": _label(stratum, part),
                        "score": score,
                        "value": float(value[at]),
                        "lo": float(low[at]),
                        "hi": float(high[at]),
                        "n": round(float((inner if score == "ece_middle" else n)[at])),
                        "n_effective": float(worth[at]),
                        "skill": float(gained[score][at]),
                    }
                    for i, record in enumerate(claimants)
                    for j, code in enumerate(daily["overpass"].values)
                    for k, stratum in enumerate(shown)
                    for at in [(i, j, k)]
                    for score, (value, low, high) in found.items()
                ]
    return rows


def _sums(
    records: Mapping[str, xr.Dataset],
    truth: xr.Dataset,
    masks: Mapping[str, Array],
    groups: Mapping[Group, Array],
    differences: Sequence[tuple[str, str]],
    pooled: bool,
    shares: bool,
    bins: bool,
) -> tuple[Kept, Kept]:
    """Daily sums (time, overpass, stratum, record) and, against sites, each group's (overpass, site, record).

    The tallies of the records on their common sample, with those of `bins` of probability and of daily `shares` where
    wanted; and the sums of pairs, None without any.
    """
    wanted = np.unique(np.concatenate(list(groups.values())))
    to_sites = "site" in truth["frozen"].dims
    area = None if to_sites else _weights(same_grid(records))
    daily: tuple[list[xr.Dataset], list[xr.Dataset]] = ([], [])
    by_site: tuple[dict[Group, xr.Dataset], dict[Group, xr.Dataset]] = ({}, {})
    for fields, state in matched(records, truth, days=wanted):
        common = sum(field.isnull() for field in fields.values()) == 0
        fair = {name: field.where(common) for name, field in fields.items()}
        parts = [tally(f, state, weights=area, strata=masks) for f in fair.values()]
        if bins:
            more = (reliability(f, state, weights=area, strata=masks) for f in fair.values())
            parts = [whole.assign(part) for whole, part in zip(parts, more, strict=True)]
        daily[0].append(_joined(parts))
        if differences:
            daily[1].append(ahead(fields, state, differences, weights=area, strata=masks))
        for group, dates in groups.items() if to_sites else ():
            inside = np.isin(state["time"].values, dates)
            if not inside.any():
                continue
            pairs = [(f[inside], state[inside]) for f in fair.values()]
            some = [_joined([tally_cells(*p).assign(reliability_cells(*p) if bins else {}) for p in pairs])]
            if differences:
                some.append(ahead_cells({n: f[inside] for n, f in fields.items()}, state[inside], differences))
            for kept, part in zip(by_site, some, strict=False):
                kept[group] = kept[group] + part if group in kept else part
    whole = [xr.concat(parts, "time") if parts else None for parts in daily]
    if pooled:
        whole = [None if sums is None else _with_pooled(sums) for sums in whole]
        by_site = tuple({group: _with_pooled(sums) for group, sums in kept.items()} for kept in by_site)  # type: ignore
    assert whole[0] is not None  # `groups` is never empty
    tallies = with_days(whole[0])
    return (with_shares(tallies) if shares else tallies, by_site[0]), (whole[1], by_site[1])


def _with_pooled(sums: xr.Dataset) -> xr.Dataset:
    """With the sum of the overpasses as one more, where there are several."""
    if sums.sizes["overpass"] < 2:
        return sums
    whole = sums.sum("overpass").expand_dims(overpass=np.array([_POOLED], np.int8))
    return xr.concat([sums, whole], "overpass")


def _joined(tallies: list[xr.Dataset]) -> xr.Dataset:
    return xr.concat([t.drop_vars([c for c in t.coords if c not in t.dims]) for t in tallies], "record")


def _arrays(sums: xr.Dataset, *first: str) -> Sums:
    """Plain arrays (*first, record, overpass, stratum or site)."""
    last = "stratum" if "stratum" in sums.dims else "site"
    return {str(name): v.transpose(*first, "record", "overpass", last).values for name, v in sums.items()}


def _scores(sums: Sums, *, base: int | None, scores: Mapping[str, Callable[[Any], Any]]) -> Sums:
    """Every score that these sums allow: station sums know no days, and skill needs its reference record."""
    found = {name: f(sums) for name, f in scores.items() if name not in OF_DAYS or "days" in sums}
    if base is not None:
        found["brier_skill"] = brier_skill(sums, {name: v[..., base : base + 1, :, :] for name, v in sums.items()})
    return found


def _difference(sums: Sums) -> Sums:
    """How far the first of each pair is ahead; NaN where the two share nothing."""
    return {DIFFERENCE: sums["ahead"] / np.where(sums["compared"] > 0, sums["compared"], np.nan)}


def _with_ends(sums: Sums, dates: Array, draws: tuple[Array, float], of: Of, level: float) -> dict[str, Ends]:
    """Each score of the whole with the bounds of its draws of days; these are NaN for fewer than LEAST_DAYS."""
    values = of({name: array.sum(axis=0) for name, array in sums.items()})
    drawn = of(resample(draws[0], sums))
    ends = {name: bounds(d, units=draws[1], level=level) for name, d in drawn.items()}
    for name in RELIABILITY.keys() & ends.keys():  # draws are noisier than the sample, and noise counts as error
        ends[name] = np.minimum(ends[name][0], values[name]), np.maximum(ends[name][1], values[name])
    if len(dates) < LEAST_DAYS:
        ends = {name: (np.full_like(v, np.nan), np.full_like(v, np.nan)) for name, v in values.items()}
    return {name: (value, *ends[name]) for name, value in values.items()}


def _worth(sums: Sums, dates: Array) -> Array:
    """Independent days behind the scores of records, or of pairs of them."""
    if "ahead" in sums:
        return effective_days(-sums["ahead"], sums["compared"], dates)
    wrong = sums["false_frozen"] + sums["false_thawed"]
    return effective_days(wrong, wrong + sums["true_frozen"] + sums["true_thawed"], dates)


def _label(stratum: str, part: str) -> str:
    """What a stratum in a season is called."""
    if part == "all":
        return stratum
    return f"season:{part}" if stratum == "all" else f"{stratum}/season:{part}"


def _widened(
    found: dict[str, Ends],
    by_site: xr.Dataset,
    masks: list[Array],
    of: Of,
    resamples: int,
    level: float,
    seed: int,
) -> dict[str, Ends]:
    """The intervals stretched to hold those of drawing whole stations, stratum by stratum."""
    sums = _arrays(by_site)  # (record, overpass, site)
    found = {name: (value, low.copy(), high.copy()) for name, (value, low, high) in found.items()}
    for k, mask in enumerate(masks):
        members = np.flatnonzero(mask & (sums["n"].sum(axis=(0, 1)) > 0))
        if len(members) < 2:
            continue
        draws = draw_clusters(len(members), resamples=resamples, seed=seed)
        by_first = {name: np.moveaxis(v[..., members], -1, 0)[..., None] for name, v in sums.items()}
        for name, drawn in of(resample(draws, by_first)).items():
            low, high = bounds(drawn, units=len(members), level=level)
            found[name][1][..., k] = np.fmin(found[name][1][..., k], low[..., 0])
            found[name][2][..., k] = np.fmax(found[name][2][..., k], high[..., 0])
    return found


def _groups(
    days: Mapping[str, xr.DataArray], shared: Array, against: str, of: Callable[[Any], Array]
) -> dict[Group, Array]:
    """The dates of each split, whole and by season, among those shared; empty ones are left out."""
    groups: dict[Group, Array] = {}
    for split, chosen in days.items():
        dates = np.intersect1d(chosen["time"].values[np.asarray(chosen.values, bool)].astype("datetime64[ns]"), shared)
        seasons = of(dates)
        for part in ("all", *dict.fromkeys(of(_YEAR).tolist())):
            some = dates if part == "all" else dates[seasons == part]
            if len(some):
                groups[split, part] = some
    if not groups:
        raise InputError(
            "E-INPUT-TIME",
            where=against,
            cause=f"no day of the splits {', '.join(days)} lies within {str(shared[0])[:10]}..{str(shared[-1])[:10]}",
        )
    return groups


def _weights(grid: Grid) -> Array | None:
    """Cell areas over their mean; None on equal-area grids, where every cell counts the same."""
    if not grid.is_geographic:
        return None
    area = np.broadcast_to(grid.area(), grid.shape)
    return area / area.mean()
