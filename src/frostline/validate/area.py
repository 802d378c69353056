"""How much was frozen, corrected for what a record gets wrong: shares, extent and frozen days with their intervals.

Counting the cells that a record calls frozen counts its errors too. Stations, or another reference, tell what share of
the cells called frozen, and of those called thawed, are frozen; weighted by how much the record calls each, these
shares give the area without that bias (the stratified estimator of Olofsson et al. 2013 and 2014; the strata are what
the record says). Its textbook error takes sampled cell-days as independent, which they are not, so intervals come
from draws of blocks of days and of whole stations.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from frostline.clock import FROST_YEAR_MONTH, frost_year, month
from frostline.errors import InputError
from frostline.tally import TABLE
from frostline.validate.intervals import bounds, draw_clusters, draw_days

Array = np.ndarray
LEAST_COUNT = 30  # cell-days of a claim in a month; with fewer its worth is taken from all of them
LEAST_DAYS = 10  # as for scores: with fewer days nothing is known of how errors last
MONTHS = 12


class Corrected(NamedTuple):
    """A corrected share with its interval: of each day (days,), and sums of days by period (value, lo, hi)."""

    share: Array
    lo: Array
    hi: Array
    periods: dict[str, tuple[float, float, float]]


def adjusted_shares(counts: ArrayLike, claimed: ArrayLike) -> tuple[Array, Array]:
    """Shares (reference classes,) of an area by a sample's reference, and their standard errors (same shape).

    `counts` (map classes, reference classes): the sample, drawn at random within each map class. `claimed` (map
    classes,): share of the area that the map gives each class, summing to 1. With n_i the sampled of map class i, the
    share of reference class j is p_j = sum_i W_i n_ij / n_i, its error sqrt(sum_i W_i^2 q (1 - q) / (n_i - 1)) with
    q = n_ij / n_i (Olofsson et al. 2014, equations 9 and 10; 1.96 errors are an interval of 95 % if the sampled are
    independent). NaN where a class that covers anything has no sample (the error: fewer than two). InputError for
    claims that do not sum to 1.

    Their example (deforestation, gain, stable forest, stable non-forest; section 5) gives deforestation 235 086 of ten
    million pixels, where the map counts 200 000:

    >>> n = [[66, 0, 5, 4], [0, 55, 8, 12], [1, 0, 153, 11], [2, 1, 9, 313]]
    >>> share, error = adjusted_shares(n, [0.02, 0.015, 0.32, 0.645])
    >>> round(1e7 * float(share[0])), round(float(error[0]), 6)
    (235086, 0.003491)
    """
    n, weight = np.asarray(counts, float), np.asarray(claimed, float)
    if abs(weight.sum() - 1) > 1e-6 or (weight < 0).any():
        cause = f"claimed shares sum to {weight.sum():g}"
        raise InputError("E-INPUT-SCHEMA", where="area", cause=cause, remedy="give shares of the known area")
    total = n.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        q = n / total[:, None]
        spread = weight[:, None] ** 2 * q * (1 - q) / np.where(total > 1, total - 1, np.nan)[:, None]
    covers = weight > 0
    return (weight[covers, None] * q[covers]).sum(axis=0), np.sqrt(spread[covers].sum(axis=0))


def worth(sums: Mapping[str, Array]) -> Array:
    """Share frozen among what was claimed frozen, and among what was claimed thawed: (..., 2) of sums (...).

    `sums` as of a tally. NaN where nothing was claimed so.

    >>> worth({"true_frozen": 90, "false_frozen": 10, "true_thawed": 76, "false_thawed": 4}).tolist()
    [0.9, 0.05]
    """
    right, wrong, thawed, missed = (np.asarray(sums[name], float) for name in TABLE)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.stack([right / (right + wrong), missed / (missed + thawed)], axis=-1)


def corrected(
    claimed: ArrayLike,
    dates: ArrayLike,
    sums: Mapping[str, Array],
    judged: ArrayLike,
    *,
    periods: Mapping[str, Array],
    groups: Callable[[Any], Array] = month,
    block: int = 30,
    resamples: int = 500,
    level: float = 0.95,
    seed: int = 0,
) -> Corrected:
    """Daily shares frozen, and sums of them over periods, corrected by what claims were worth on the judged days.

    `claimed` (days,) is the share of the known area called frozen on `dates`, NaN unknown; `sums` hold a tally's table
    on (judged days, units), where units are stations or a single one for a whole grid, on the dates `judged` (rising).
    `periods` name weights (days,): the sum of weight x share over known days is given, so weights of 1 count frozen
    days of an average cell. With q_F, q_T the shares frozen among claims (`worth`) of a day's group,

        share = claimed q_F + (1 - claimed) q_T.

    `groups` (dates to labels) are calendar months: within a season a claim's worth changes too much (in March nearly
    all is frozen, also what is called thawed; in May nothing is). A group in which a claim has fewer than LEAST_COUNT
    cell-days, or that has fewer than LEAST_DAYS days, takes the claim's worth from all groups. `lo`, `hi` hold `level`
    of draws of blocks of `block` days within groups and, at two stations and more, of whole stations at the same time
    (both ways at once draws a little too widely: Owen 2007). They say how well the worth of claims is known on average
    over a month, not how a single day strays from it. NaN for fewer than LEAST_DAYS judged days or where a claim was
    never judged.
    """
    share, when = np.asarray(claimed, float), np.asarray(dates, "datetime64[D]")
    tables = np.stack([np.asarray(sums[name], float) for name in TABLE], axis=-1)  # (judged, units, 4)
    days = np.asarray(judged, "datetime64[D]")
    of_day, of_judged = groups(when), groups(days)
    draws, blocks = draw_days(days, block=block, resamples=resamples, seed=seed)
    units = float(blocks)
    if tables.shape[1] > 1:
        stations = draw_clusters(tables.shape[1], resamples=resamples, seed=seed + 1)
        units = min(units, tables.shape[1])
    else:
        stations = np.ones((resamples, 1))

    def rates(chosen: Array) -> tuple[Array, Array, Array]:
        """Worth (2,) of the claims on some judged days, of each draw (resamples, 2), and how many were judged (2,)."""
        table = tables[chosen].sum(axis=(0, 1))
        by_unit = np.tensordot(draws[:, chosen], tables[chosen], axes=1)  # (resamples, units, 4)
        drawn = np.einsum("ru,ruk->rk", stations, by_unit)
        named = [dict(zip(TABLE, np.moveaxis(t, -1, 0), strict=True)) for t in (table, drawn)]
        return worth(named[0]), worth(named[1]), np.array([table[0] + table[1], table[2] + table[3]])

    everywhere = np.ones(len(days), bool)
    q_all, drawn_all, _ = rates(everywhere)
    value = np.full(len(when), np.nan)
    drawn = np.full((resamples, len(when)), np.nan)
    for name in np.unique(of_day):
        here, chosen = of_day == name, of_judged == name
        q, q_drawn = q_all.copy(), drawn_all.copy()
        if chosen.sum() >= LEAST_DAYS:
            own, own_drawn, count = rates(chosen)
            enough = count >= LEAST_COUNT
            q = np.where(enough, own, q)
            q_drawn = np.where(enough & np.isfinite(own_drawn), own_drawn, q_drawn)
        value[here] = _mixed(share[here], q)
        drawn[:, here] = _mixed(share[None, here], q_drawn[:, None, :])
    known = np.isfinite(value)
    if len(days) < LEAST_DAYS:
        drawn[:] = np.nan
    low, high = bounds(drawn, units=units, level=level)
    found = {}
    for name, weight in periods.items():
        counted = known & (np.asarray(weight) > 0)
        if not counted.any():
            found[name] = (np.nan, np.nan, np.nan)
            continue
        sum_of = np.asarray(weight)[counted]
        ends = bounds(drawn[:, counted] @ sum_of, units=units, level=level)
        found[name] = (float(value[counted] @ sum_of), float(ends[0]), float(ends[1]))
    return Corrected(value, low, high, found)


def frost_years(dates: ArrayLike, known: ArrayLike, *, least: float = 0.5) -> dict[int, Array]:
    """Weights (days,) that make a sum of daily shares the frozen days of a frost year, for each that is known.

    A month's known days stand for all of its days: weight = days of the month / known days, as `season.yearly` fills
    gaps. A year counts where each of its twelve months has at least `least` of its days known.

    >>> dates = np.arange("2016-08-01", "2017-08-01", dtype="datetime64[D]")
    >>> weights = frost_years(dates, np.arange(365) % 31 != 0)
    >>> list(weights), round(float(weights[2016].sum()), 6), weights[2016][:2].round(4).tolist()
    ([2016], 365.0, [0.0, 1.0333])
    """
    days, has = np.asarray(dates, "datetime64[D]"), np.asarray(known, bool)
    year, of_year = frost_year(days), month(days)
    found = {}
    for one in np.unique(year):
        weights = np.zeros(len(days))
        for m in range(1, MONTHS + 1):
            first = np.datetime64(f"{int(one) + (m < FROST_YEAR_MONTH):04d}-{m:02d}", "M")
            length = int(((first + 1).astype("datetime64[D]") - first.astype("datetime64[D]")).astype(int))
            inside = (year == one) & (of_year == m) & has
            if inside.sum() < least * length:
                break
            weights[inside] = length / inside.sum()
        else:
            found[int(one)] = weights
    return found


def _mixed(share: Array, q: Array) -> Array:
    """share x q_F + (1 - share) x q_T; a claim that covers nothing needs no worth."""
    frozen = np.where(share > 0, share * q[..., 0], 0.0)
    thawed = np.where(share < 1, (1 - share) * q[..., 1], 0.0)
    return np.where(np.isfinite(share), frozen + thawed, np.nan)
