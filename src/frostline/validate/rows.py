"""Records against truths: every score with its interval and its n, as the rows of `scores.json`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from frostline.clock import OVERPASS_NAMES, SEASONS, season
from frostline.errors import InputError
from frostline.grid import Grid
from frostline.scores import SCORES, brier_skill
from frostline.tally import tally, tally_cells, with_days
from frostline.validate.intervals import (
    bounds,
    draw_clusters,
    draw_days,
    effective_days,
    resample,
)
from frostline.validate.match import common_days, matched, same_grid

Array = np.ndarray
Sums = dict[str, Array]  # arrays (..., record, overpass, stratum)
Group = tuple[str, str]  # (split, season or "all")
LEAST_DAYS = 10  # with fewer, no block is long enough to show how errors last: no interval is given


def evaluate(
    records: Mapping[str, xr.Dataset],
    truths: Mapping[str, xr.Dataset],
    *,
    days: Mapping[str, xr.DataArray],
    strata: Mapping[str, Any] | None = None,
    climatology: str = "climatology",
    block: int = 30,
    resamples: int = 500,
    level: float = 0.95,
    seed: int = 0,
) -> list[dict[str, Any]]:
    """Rows {record, against, split, overpass, stratum, score, value, lo, hi, n, n_effective}, NaN where undefined.

    `records` (on one grid) and `truths` (records on that grid, or sites) are datasets with `frozen`; `days` names
    splits by bool (time); `strata` names masks (y, x), as `area:heldout` or `landcover:forest`. Stratum `all` and its
    seasons (`season:DJF`) are always there. On a grid in degrees cells weigh by their area.

    **Common sample**: all records given together are scored on the cell-days where every one of them is known, so
    that their differences are fair; `coverage` and `n` say how much that leaves. Give records apart to score each
    on its own cells. `brier_skill` is relative to the record named by `climatology`, and absent without it.

    `lo`, `hi` hold `level` of the bootstrap over blocks of `block` days; against sites over sites too, and the wider
    of both is given; NaN for fewer than LEAST_DAYS days. `n`: cell-days compared. `n_effective`: what the days are
    worth as independent days (`effective_days`). Data are read by blocks of days; only daily sums are kept.
    """
    grid = same_grid(records)
    names = list(records)
    base = names.index(climatology) if climatology in names else None
    rows: list[dict[str, Any]] = []
    for against, truth in truths.items():
        masks = _masks(strata or {}, grid, truth)
        groups = _groups(days, common_days(*records.values(), truth), against)
        daily, by_site = _sums(records, truth, masks, groups)
        codes = [OVERPASS_NAMES[int(code)] for code in daily["overpass"].values]
        for group, dates in groups.items():
            split, part = group
            shown = {"all": masks["all"]} if part != "all" else masks
            sums = _arrays(daily.sel(time=dates, stratum=list(shown)), "time")
            draws, blocks = draw_days(dates, block=block, resamples=resamples, seed=seed)
            values = _scores({name: array.sum(axis=0) for name, array in sums.items()}, base)
            drawn = _scores(resample(draws, sums), base)
            ends = {name: bounds(d, units=blocks, level=level) for name, d in drawn.items()}
            if group in by_site:
                ends = _widened(ends, by_site[group], list(shown.values()), base, resamples, level, seed)
            if len(dates) < LEAST_DAYS:
                ends = {name: (np.full_like(v, np.nan), np.full_like(v, np.nan)) for name, v in values.items()}
            wrong = sums["false_frozen"] + sums["false_thawed"]
            worth = effective_days(wrong, wrong + sums["true_frozen"] + sums["true_thawed"], dates)
            labels = [f"season:{part}"] if part != "all" else list(shown)
            n = sums["n"].sum(axis=0)
            rows += [
                {
                    "record": record,
                    "against": against,
                    "split": split,
                    "overpass": overpass,
                    "stratum": stratum,
                    "score": score,
                    "value": float(values[score][at]),
                    "lo": float(ends[score][0][at]),
                    "hi": float(ends[score][1][at]),
                    "n": round(float(n[at])),
                    "n_effective": float(worth[at]),
                }
                for i, record in enumerate(names)
                for j, overpass in enumerate(codes)
                for k, stratum in enumerate(labels)
                for at in [(i, j, k)]
                for score in values
            ]
    return rows


def _sums(
    records: Mapping[str, xr.Dataset],
    truth: xr.Dataset,
    masks: Mapping[str, Array],
    groups: Mapping[Group, Array],
) -> tuple[xr.Dataset, dict[Group, xr.Dataset]]:
    """Daily tallies (time, overpass, stratum, record) and, against sites, each group's (overpass, site, record)."""
    wanted = np.unique(np.concatenate(list(groups.values())))
    to_sites = "site" in truth["frozen"].dims
    area = None if to_sites else _weights(same_grid(records))
    daily: list[xr.Dataset] = []
    by_site: dict[Group, xr.Dataset] = {}
    for fields, known_truth in matched(records, truth, days=wanted):
        common = sum(field.isnull() for field in fields.values()) == 0
        fair = {name: field.where(common) for name, field in fields.items()}
        daily.append(_joined([tally(f, known_truth, weights=area, strata=masks) for f in fair.values()]))
        for group, dates in groups.items() if to_sites else ():
            inside = np.isin(known_truth["time"].values, dates)
            if inside.any():
                some = _joined([tally_cells(f[inside], known_truth[inside]) for f in fair.values()])
                by_site[group] = by_site[group] + some if group in by_site else some
    return with_days(xr.concat(daily, "time") if len(daily) > 1 else daily[0]), by_site


def _joined(tallies: list[xr.Dataset]) -> xr.Dataset:
    return xr.concat([t.drop_vars([c for c in t.coords if c not in t.dims]) for t in tallies], "record")


def _arrays(sums: xr.Dataset, *first: str) -> Sums:
    """Plain arrays (*first, record, overpass, stratum or site)."""
    last = "stratum" if "stratum" in sums.dims else "site"
    return {str(name): v.transpose(*first, "record", "overpass", last).values for name, v in sums.items()}


def _scores(sums: Sums, base: int | None) -> Sums:
    """Every score that these sums allow: station sums know no days, and skill needs its reference record."""
    found = {name: f(sums) for name, f in SCORES.items() if name != "accuracy_mean_of_days" or "days" in sums}
    if base is not None:
        found["brier_skill"] = brier_skill(sums, {name: v[..., base : base + 1, :, :] for name, v in sums.items()})
    return found


def _widened(
    ends: dict[str, tuple[Array, Array]],
    by_site: xr.Dataset,
    masks: list[Array],
    base: int | None,
    resamples: int,
    level: float,
    seed: int,
) -> dict[str, tuple[Array, Array]]:
    """The intervals stretched to hold those of drawing whole stations, stratum by stratum."""
    sums = _arrays(by_site)  # (record, overpass, site)
    ends = {name: (lo.copy(), hi.copy()) for name, (lo, hi) in ends.items()}
    for k, mask in enumerate(masks):
        members = np.flatnonzero(mask & (sums["n"].sum(axis=(0, 1)) > 0))
        if len(members) < 2:
            continue
        draws = draw_clusters(len(members), resamples=resamples, seed=seed)
        by_first = {name: np.moveaxis(v[..., members], -1, 0)[..., None] for name, v in sums.items()}
        for name, drawn in _scores(resample(draws, by_first), base).items():
            lo, hi = bounds(drawn, units=len(members), level=level)
            ends[name][0][..., k] = np.fmin(ends[name][0][..., k], lo[..., 0])
            ends[name][1][..., k] = np.fmax(ends[name][1][..., k], hi[..., 0])
    return ends


def _groups(days: Mapping[str, xr.DataArray], shared: Array, against: str) -> dict[Group, Array]:
    """The dates of each split, whole and by season, among those shared; empty ones are left out."""
    groups: dict[Group, Array] = {}
    for split, chosen in days.items():
        dates = np.intersect1d(chosen["time"].values[np.asarray(chosen.values, bool)].astype("datetime64[ns]"), shared)
        seasons = season(dates)
        for part in ("all", *SEASONS):
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


def _masks(strata: Mapping[str, Any], grid: Grid, truth: xr.Dataset) -> dict[str, Array]:
    """`all` and the strata as bool over the cells, or over the sites that lie in them."""
    fields = {"all": np.ones(grid.shape, bool), **{name: np.asarray(m, bool) for name, m in strata.items()}}
    for name, mask in fields.items():
        if mask.shape != grid.shape:
            raise InputError("E-INPUT-GRID", where=name, cause=f"mask of {mask.shape} on a grid of {grid.shape}")
    if "site" not in truth["frozen"].dims:
        return fields
    rows, cols = grid.locate(truth["lon"].values, truth["lat"].values)
    return {name: mask[rows, cols] & (rows >= 0) for name, mask in fields.items()}


def _weights(grid: Grid) -> Array | None:
    """Cell areas over their mean; None on equal-area grids, where every cell counts the same."""
    if not grid.is_geographic:
        return None
    area = np.broadcast_to(grid.area(), grid.shape)
    return area / area.mean()
