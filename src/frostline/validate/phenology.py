"""How many days a record's seasons begin and end too early or too late at stations: errors of dates, with intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from frostline.clock import OVERPASS_NAMES
from frostline.validate.intervals import bounds, draw_clusters

Array = np.ndarray
MEASURES = ("onset", "offset", "length")
SCORES = ("mean_error", "rmse", "median_error", "rmse_skill")
DIMS = ("year", "overpass", "site")


def date_errors(
    records: Mapping[str, xr.Dataset],
    stations: xr.Dataset,
    *,
    measures: Sequence[str] = MEASURES,
    climatology: str = "climatology",
    split: str = "heldout",
    resamples: int = 500,
    level: float = 0.95,
    seed: int = 0,
) -> list[dict[str, Any]]:
    """Rows {record, against, split, overpass, measure, score, value, lo, hi, n, stations, missed, skill}.

    `records` and `stations` hold each measure (day of the year, or days) on (year, overpass, site), NaN where a season
    has none. Errors are record less station, in days; positive is late, or long. Scores: `mean_error`, `rmse`,
    `median_error` and `rmse_skill` = 1 - RMSE / RMSE of the record named by `climatology` (absent without it); every
    row of a record has that skill as `skill`, null where it is undefined.

    **Common sample**: station-years count where the station and all records know the measure; `n` of them, at so many
    `stations`. `missed` are station-years in which the station has the date and this record has none. `lo`, `hi` hold
    `level` of a bootstrap over stations, which are drawn with all their years (and with all records at once, so that
    a skill is of one draw); NaN for a single one. Without a common station-year there is no row.
    """
    names = list(records)
    rows: list[dict[str, Any]] = []
    for j, code in enumerate(stations["overpass"].values):
        for measure in measures:
            was = stations[measure].transpose(*DIMS).values[:, j]
            said = np.stack([records[name][measure].transpose(*DIMS).values[:, j] for name in names])
            known = np.isfinite(was) & np.isfinite(said).all(axis=0)
            if not known.any():
                continue
            missed = (np.isfinite(was) & ~np.isfinite(said)).sum(axis=(1, 2))
            errors, site = (said - was)[:, known], np.nonzero(known)[1]
            members, of_site = np.unique(site, return_inverse=True)
            draws = draw_clusters(len(members), resamples=resamples, seed=seed)
            base = names.index(climatology) if climatology in names else None
            values = _scores(errors, np.ones((1, len(site))), base)
            drawn = _scores(errors, draws[:, of_site], base)
            for score, value in values.items():
                low, high = bounds(drawn[score], units=len(members), level=level)
                rows += [
                    {
                        "record": name,
                        "against": "stations",
                        "split": split,
                        "overpass": OVERPASS_NAMES[int(code)],
                        "measure": measure,
                        "score": score,
                        "value": float(value[0, i]),
                        "lo": float(low[i]),
                        "hi": float(high[i]),
                        "n": int(known.sum()),
                        "stations": len(members),
                        "missed": int(missed[i]),
                        "skill": float(values["rmse_skill"][0, i]) if base is not None else np.nan,
                    }
                    for i, name in enumerate(names)
                ]
    return rows


def _scores(errors: Array, weights: Array, base: int | None) -> dict[str, Array]:
    """Scores (draw, record) of errors (record, station-year) that each draw counts `weights` (draw, station-year)."""
    count = weights.sum(axis=1, keepdims=True)
    rmse = np.sqrt(weights @ (errors**2).T / count)
    medians = np.stack([weighted_median(e, weights) for e in errors], axis=1)
    found = {"mean_error": weights @ errors.T / count, "rmse": rmse, "median_error": medians}
    if base is not None:
        than = rmse[:, base : base + 1]
        found["rmse_skill"] = 1 - rmse / np.where(than > 0, than, np.nan)
    return found


def weighted_median(values: Array, weights: Array) -> Array:
    """Median (draw,) of values (n,) that each draw takes `weights` (draw, n) times, whole numbers.

    >>> weighted_median(np.array([5.0, 1, 9]), np.array([[1, 1, 1], [2, 2, 0], [0, 1, 3]])).tolist()
    [5.0, 3.0, 9.0]
    """
    order = np.argsort(values, kind="stable")
    upto = np.cumsum(np.asarray(weights)[:, order], axis=1)
    half = upto[:, -1:] / 2
    return (values[order][(upto >= half).argmax(axis=1)] + values[order][(upto > half).argmax(axis=1)]) / 2
