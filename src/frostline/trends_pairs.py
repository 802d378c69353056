"""Slopes between each two years, compiled: the median and those of other ranks without sorting, and sums of signs.

A slope of a rank is found by halving its bracket, which counts the slopes below (one SIMD pass over a cell's slopes in
the first-level cache), and is then taken from the slopes themselves, so that it is exact.
"""

from __future__ import annotations

import numpy as np
from numba import njit

Array = np.ndarray
_HALVINGS = 18  # a bracket of 1 / 262144 of the range holds one slope, or equal ones, nearly always


@njit(cache=True, nogil=True)
def medians(y: Array, t: Array) -> Array:  # pragma: no cover
    """Median slope (cells) of y (years, cells), NaN unknown, at times t (years); NaN with fewer than two known."""
    series, out = y.T.copy(), np.full(y.shape[1], np.nan)
    slope = np.empty(t.size * (t.size - 1) // 2)
    for c in range(out.size):
        n = _slopes(series[c], t, slope)
        if n > 0:
            some = slope[:n]
            one = _of_rank(some, (n - 1) // 2)
            out[c] = one if n % 2 else 0.5 * (one + _next(some, one, n // 2))
    return out


@njit(cache=True, nogil=True)
def slopes_at(y: Array, t: Array, rank: Array) -> Array:  # pragma: no cover
    """Slopes of ranks (ranks, cells), from 0 and rising, held to those that there are; NaN where there is none."""
    series, out = y.T.copy(), np.full(rank.shape, np.nan)
    slope = np.empty(t.size * (t.size - 1) // 2)
    for c in range(y.shape[1]):
        n = _slopes(series[c], t, slope)
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
def _slopes(series: Array, t: Array, out: Array) -> int:  # pragma: no cover
    """Slopes between the known years of one cell, and how many there are; series is compressed in place."""
    at = np.empty(t.size)
    n = 0
    for i in range(t.size):
        if series[i] == series[i]:
            series[n], at[n] = series[i], t[i]
            n += 1
    p = 0
    for i in range(n - 1):
        first, begin = series[i], at[i]
        later, when, part = series[i + 1 : n], at[i + 1 : n], out[p : p + n - 1 - i]
        for j in range(part.size):
            part[j] = (later[j] - first) / (when[j] - begin)
        p += part.size
    return p


@njit(cache=True, nogil=True)
def _of_rank(slope: Array, rank: int) -> float:  # pragma: no cover
    """The slope that has at most `rank` below it, and with its equals makes more."""
    low, high = slope.min(), slope.max()
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        count = 0
        for p in range(slope.size):
            count += 1 if slope[p] <= middle else 0
        if count > rank:
            high = middle
        else:
            low = middle
    while True:  # the largest within the bracket, unless too many lie below it
        best, count = -np.inf, 0
        for p in range(slope.size):
            x = slope[p]
            best = x if (x <= high) & (x > best) else best
        for p in range(slope.size):
            count += 1 if slope[p] < best else 0
        if count <= rank:
            return best
        high = np.nextafter(best, -np.inf)


@njit(cache=True, nogil=True)
def _next(slope: Array, one: float, rank: int) -> float:  # pragma: no cover
    """The slope of the rank after that of `one`: its equal, or the smallest above it."""
    count, above = 0, np.inf
    for p in range(slope.size):
        x = slope[p]
        count += 1 if x <= one else 0
        above = x if (x > one) & (x < above) else above
    return one if count > rank else above
