"""Claims against a truth where both are stations: the rows of `scores.json`, drawn by days and by stations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from frostline import tally
from frostline.clock import OVERPASS_NAMES, SEASONS, season
from frostline.scores import SCORES
from frostline.validate.intervals import bounds, draw_clusters, draw_days, effective_days, resample
from frostline.validate.rows import LEAST_DAYS

Array = np.ndarray
Sums = dict[str, Array]


def score_sites(
    claims: Mapping[str, xr.DataArray],
    truth: xr.DataArray,
    *,
    against: str,
    strata: Mapping[str, Array],
    block: int,
    resamples: int,
    level: float = 0.95,
    seed: int = 0,
) -> list[dict[str, Any]]:
    """Rows {record, against, split, overpass, stratum, score, value, lo, hi, n, n_effective, stations}.

    `claims` and `truth` (time, overpass, site) have equal coordinates and are compared where all of them are known.
    `strata` are masks (site); the first one's seasons are told too. `lo`, `hi`: the wider ends of drawing blocks of
    days and of drawing whole stations, NaN for fewer than LEAST_DAYS days. `split` is "none": nothing was taught.
    """
    names = list(claims)
    known = truth.notnull()
    for claim in claims.values():
        known = known & claim.notnull()
    fair, dates = truth.where(known), truth["time"].values
    parts = {"all": np.ones(len(dates), bool), **{name: season(dates) == name for name in SEASONS}}
    rows: list[dict[str, Any]] = []
    for part, here in parts.items():
        if not here.any():
            continue
        some, said = fair[here], [claims[name].where(known)[here] for name in names]
        masks = dict(strata) if part == "all" else {f"season:{part}": next(iter(strata.values()))}
        daily = tally.with_days(xr.concat([tally.tally(c, some, strata=masks) for c in said], "record"))
        by_site = xr.concat([tally.tally_cells(c, some) for c in said], "record")
        sums = _arrays(daily, "time", "stratum")
        values = _scores({name: array.sum(axis=0) for name, array in sums.items()})
        draws, blocks = draw_days(dates[here], block=block, resamples=resamples, seed=seed)
        drawn = _scores(resample(draws, sums))
        ends = {name: bounds(d, units=blocks, level=level) for name, d in drawn.items()}
        for k, mask in enumerate(masks.values()):
            _widen(ends, _arrays(by_site, "site"), mask, k, resamples, level, seed)
        wrong = sums["false_frozen"] + sums["false_thawed"]
        worth = effective_days(wrong, wrong + sums["true_frozen"] + sums["true_thawed"], dates[here])
        n, stations = sums["n"].sum(axis=0), (by_site["n"].sum(["record", "overpass"]) > 0).values
        enough = here.sum() >= LEAST_DAYS
        rows += [
            {
                **{"record": record, "against": against, "split": "none", "overpass": OVERPASS_NAMES[int(code)]},
                **{"stratum": stratum, "score": score, "value": float(values[score][at])},
                "lo": float(ends[score][0][at]) if enough else float("nan"),
                "hi": float(ends[score][1][at]) if enough else float("nan"),
                **{"n": round(float(n[at])), "n_effective": float(worth[at])},
                "stations": int((stations & mask).sum()),
            }
            for i, record in enumerate(names)
            for j, code in enumerate(truth["overpass"].values)
            for k, (stratum, mask) in enumerate(masks.items())
            for at in [(i, j, k)]
            for score in values
        ]
    return rows


def _arrays(sums: xr.Dataset, first: str, *last: str) -> Sums:
    """Plain arrays (first, record, overpass, *last)."""
    return {str(name): v.transpose(first, "record", "overpass", *last).values for name, v in sums.items()}


def _scores(sums: Sums) -> Sums:
    """Every score these sums allow: those of stations know no days."""
    return {name: f(sums) for name, f in SCORES.items() if name != "accuracy_mean_of_days" or "days" in sums}


def _widen(
    ends: dict[str, tuple[Array, Array]],
    by_site: Sums,
    mask: Array,
    k: int,
    resamples: int,
    level: float,
    seed: int,
) -> None:
    """Stretch the intervals of stratum `k` to hold those of drawing whole stations."""
    members = np.flatnonzero(mask & (by_site["n"].sum(axis=(1, 2)) > 0))
    if len(members) < 2:
        return
    draws = draw_clusters(len(members), resamples=resamples, seed=seed)
    for name, drawn in _scores(resample(draws, {n: v[members] for n, v in by_site.items()})).items():
        lo, hi = bounds(drawn, units=len(members), level=level)
        ends[name][0][..., k] = np.fmin(ends[name][0][..., k], lo)
        ends[name][1][..., k] = np.fmax(ends[name][1][..., k], hi)
