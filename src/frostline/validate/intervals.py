"""How sure a score is: bootstrap over blocks of days, or over stations, of sums that were kept.

Errors of a freeze/thaw record last for weeks, so days are drawn in blocks; a station's errors last for years, so
stations are drawn whole. A draw is a row of counts (how often each unit was taken) and resampled sums are one matrix
product, whatever the score.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.special import ndtr, stdtrit

from frostline.clock import season

Array = np.ndarray


def draw_days(dates: Any, *, block: int = 30, resamples: int = 500, seed: int = 0) -> tuple[Array, float]:
    """Counts (resamples, days) of circular moving blocks (Politis & Romano 1992), and the blocks drawn a season.

    `dates` (datetime64, rising) are drawn season by season: every year has a winter, so a draw without one says
    nothing of another year (drawn over the whole year, intervals of a record that errs in winter come out one
    and a half to five times too wide). Within a season's dates, blocks of `block` days begin anywhere and run
    on past the end into the beginning; the last one is cut, so every row sums to the number of dates. A block
    is at most a fourth of its season's dates: with fewer than four every draw is nearly the whole sample, and
    the spread nearly nothing.
    """
    dates = np.asarray(dates, "datetime64[D]")
    seasons = season(dates)
    rng = np.random.default_rng(seed)
    draws = np.zeros((resamples, len(dates)))
    blocks = []
    for name in np.unique(seasons):
        members = np.flatnonzero(seasons == name)
        days = len(members)
        length = max(1, min(block, days // 4))
        starts = rng.integers(0, days, (resamples, -(-days // length)))
        taken = (starts[:, :, None] + np.arange(length)).reshape(resamples, -1)[:, :days] % days
        draws[:, members] = _counts(taken, days)
        blocks.append(days / length)
    return draws, float(np.mean(blocks))


def draw_clusters(clusters: int, *, resamples: int = 500, seed: int = 0) -> Array:
    """Counts (resamples, clusters) of whole clusters (stations) drawn with replacement."""
    rng = np.random.default_rng(seed)
    return _counts(rng.integers(0, clusters, (resamples, clusters)), clusters)


def resample(draws: Array, sums: Mapping[Any, Any]) -> dict[str, Array]:
    """Sums of each draw: every (units, ...) array becomes (resamples, ...)."""
    return {str(name): np.tensordot(draws, np.asarray(part, float), axes=1) for name, part in sums.items()}


def bounds(drawn: Array, *, units: Any, level: float = 0.95) -> tuple[Array, Array]:
    """The expanded percentile interval of scores (resamples, ...): lower and upper, (...).

    `units` is how many things were drawn (blocks a season, or stations), one number or (...). Plain percentiles
    are too narrow when they are few; the percentile taken is ndtr(sqrt(K / (K - 1)) t(K - 1)) (Hesterberg
    2015), which never leaves the score's range; below eight blocks it lies near the outermost draws. Draws
    without a score (NaN: say no frozen cell was drawn) are left out; where these are more than half, or there
    is one unit, the interval is NaN.
    """
    shape = drawn.shape[1:]
    flat = np.sort(drawn.reshape(drawn.shape[0], -1), axis=0)  # NaN goes last
    known = np.isfinite(flat).sum(axis=0)
    k = np.broadcast_to(np.asarray(units, float), shape).reshape(-1)
    k = np.where(k > 1, k, np.nan)
    tail = ndtr(np.sqrt(k / (k - 1)) * stdtrit(k - 1, (1 - level) / 2))
    defined = np.isfinite(tail) & (known >= max(1, drawn.shape[0] / 2))
    last = np.maximum(known - 1, 0)
    at = np.stack([tail, 1 - tail]) * last
    at = np.where(defined, at, 0.0)
    low = np.floor(at).astype(int)
    high = np.minimum(low + 1, last)
    columns = np.arange(flat.shape[1])
    found = flat[low, columns] + (at - low) * (flat[high, columns] - flat[low, columns])
    lower, upper = np.where(defined, found, np.nan).reshape(2, *shape)
    return lower, upper


def effective_days(wrong: Array, compared: Array, days: Array) -> Array:
    """How many independent days the days are worth: n (1 - r1) / (1 + r1), of (days, ...) sums, (...).

    n is the number of days on which something was compared; r1 is the lag-one autocorrelation of the daily share
    wrong about the mean of its season, over pairs of consecutive dates in `days` (datetime64), not below 0. NaN where
    the share never changes or no two days follow each other. Wilks 2011, chapter 5.
    """
    wrong, compared = np.asarray(wrong, float), np.asarray(compared, float)
    known = compared > 0
    n = known.sum(axis=0)
    share = np.where(known, wrong / np.where(known, compared, 1.0), 0.0)
    departure = np.zeros_like(share)
    for name in np.unique(season(days)):
        here = season(days) == name
        mean = share[here].sum(axis=0) / np.maximum(known[here].sum(axis=0), 1)
        departure[here] = np.where(known[here], share[here] - mean, 0.0)
    follows = np.diff(np.asarray(days, "datetime64[D]")).astype(int) == 1
    pair = known[1:] & known[:-1] & follows.reshape(-1, *[1] * (wrong.ndim - 1))
    pairs = pair.sum(axis=0)
    together = np.where(pair, departure[1:] * departure[:-1], 0.0).sum(axis=0) / np.maximum(pairs, 1)
    variance = (departure**2).sum(axis=0) / np.maximum(n, 1)
    defined = (pairs > 0) & (variance > 1e-24)
    r1 = np.clip(together / np.where(defined, variance, 1.0), 0.0, 1.0)
    return np.where(defined, n * (1 - r1) / (1 + r1), np.nan)


def _counts(taken: Array, units: int) -> Array:
    rows = np.arange(taken.shape[0])[:, None] * units
    return np.bincount((rows + taken).ravel(), minlength=taken.shape[0] * units).reshape(-1, units).astype(float)
