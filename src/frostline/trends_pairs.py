"""Slopes between each two years, compiled: the median and those of other ranks without sorting, and sums of signs.

A slope of a rank is found by halving its bracket, which counts the slopes below (one SIMD pass over a cell's slopes in
the first-level cache), and is then taken from the slopes themselves, so that it is exact.
"""

from __future__ import annotations

import numpy as np
from numba import njit

Array = np.ndarray
_STEPS = 18  # passes after which a bracket holds one slope, or equal ones, nearly always


@njit(cache=True, nogil=True)
def medians(y: Array, t: Array) -> Array:  # pragma: no cover
    """Median slope (cells) of y (years, cells), NaN unknown, at times t (years); NaN with fewer than two known."""
    series, out = y.T.copy(), np.full(y.shape[1], np.nan)
    slope, inverse = np.empty(t.size * (t.size - 1) // 2), _inverse(t)
    for c in range(out.size):
        n = _slopes(series[c], t, inverse, slope)
        if n > 0:
            some = slope[:n]
            one = _of_rank(some, (n - 1) // 2)
            out[c] = one if n % 2 else 0.5 * (one + _next(some, one, n // 2))
    return out


@njit(cache=True, nogil=True)
def slopes_at(y: Array, t: Array, rank: Array) -> Array:  # pragma: no cover
    """Slopes of ranks (ranks, cells), from 0 and rising, held to those that there are; NaN where there is none."""
    series, out = y.T.copy(), np.full(rank.shape, np.nan)
    slope, inverse = np.empty(t.size * (t.size - 1) // 2), _inverse(t)
    for c in range(y.shape[1]):
        n = _slopes(series[c], t, inverse, slope)
        for r in range(rank.shape[0] if n > 0 else 0):
            out[r, c] = _of_rank(slope[:n], min(max(rank[r, c], 0), n - 1))
    return out


@njit(cache=True, nogil=True)
def signs(y: Array) -> tuple[Array, Array]:  # pragma: no cover
    """Of (years, cells): the sum of signs of later minus earlier (cells), and how many other years equal each."""
    total, equal = np.zeros(y.shape[1]), np.zeros(y.shape)
    for i in range(len(y) - 1):
        for j in range(i + 1, len(y)):
            _sign(y[i], y[j], total, equal[i], equal[j])
    return total, equal


@njit(cache=True, nogil=True)
def _sign(before: Array, after: Array, total: Array, one: Array, other: Array) -> None:  # pragma: no cover
    for c in range(before.size):
        a, b = before[c], after[c]
        total[c] += (1.0 if b > a else 0.0) - (1.0 if b < a else 0.0)
        same = 1.0 if a == b else 0.0
        one[c] += same
        other[c] += same


@njit(cache=True, nogil=True)
def _inverse(t: Array) -> Array:  # pragma: no cover
    """1 / (t[j] - t[i]) of later years j, (years, years): a division per pair and cell would take a fourth of all."""
    out = np.zeros((t.size, t.size))
    for i in range(t.size):
        for j in range(i + 1, t.size):
            out[i, j] = 1 / (t[j] - t[i])
    return out


@njit(cache=True, nogil=True)
def _slopes(series: Array, t: Array, inverse: Array, out: Array) -> int:  # pragma: no cover
    """Slopes between the known years of one cell, and how many there are; series is compressed in place."""
    known = np.flatnonzero(np.isfinite(series))
    n = known.size
    between = inverse
    if n < t.size:
        series[:n] = series[known]
        between = _inverse(t[known])
    p = 0
    for i in range(n - 1):
        first, later, per, part = series[i], series[i + 1 : n], between[i, i + 1 : n], out[p : p + n - 1 - i]
        for j in range(part.size):
            part[j] = (later[j] - first) * per[j]
        p += part.size
    return p


@njit(cache=True, nogil=True)
def _of_rank(slope: Array, rank: int) -> float:  # pragma: no cover
    """The slope that has at most `rank` below it, and with its equals makes more."""
    low, high = _extremes(slope)
    below, above = 0, slope.size  # how many are at or below low (of the smallest: none), high
    for step in range(_STEPS):
        if above - below == 1:
            break
        # in turn where the rank would lie if slopes were spread evenly, and the middle
        share = (rank + 0.5 - below) / (above - below) if step % 2 == 0 else 0.5
        middle = low + share * (high - low)
        count = 0
        for p in range(slope.size):
            count += 1 if slope[p] <= middle else 0
        if count > rank:
            high, above = middle, count
        else:
            low, below = middle, count
    while True:  # the largest within the bracket, unless too many lie below it
        best, count = _largest(slope, high), 0
        for p in range(slope.size):
            count += 1 if slope[p] < best else 0
        if count <= rank:
            return best
        high = np.nextafter(best, -np.inf)


@njit(cache=True, nogil=True, fastmath={"nnan", "nsz"})
def _extremes(slope: Array) -> tuple[float, float]:  # pragma: no cover
    low, high = np.inf, -np.inf
    for p in range(slope.size):
        low, high = min(low, slope[p]), max(high, slope[p])
    return low, high


# without NaN and regardless of the sign of zero a largest value is found by SIMD
@njit(cache=True, nogil=True, fastmath={"nnan", "nsz"})
def _largest(slope: Array, limit: float) -> float:  # pragma: no cover
    best = -np.inf
    for p in range(slope.size):
        x = slope[p] if slope[p] <= limit else -np.inf
        best = max(best, x)
    return best


@njit(cache=True, nogil=True)
def _next(slope: Array, one: float, rank: int) -> float:  # pragma: no cover
    """The slope of the rank after that of `one`: its equal, or the smallest above it."""
    count = 0
    for p in range(slope.size):
        count += 1 if slope[p] <= one else 0
    return one if count > rank else -_largest(-slope, -np.nextafter(one, np.inf))
