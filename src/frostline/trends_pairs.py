"""Slopes between each two years, compiled: the median and those of other ranks without sorting, and sums of signs.

A slope of a rank is found by halving its bracket, which counts the slopes below (one SIMD pass over a cell's slopes in
the first-level cache), and is then taken from the slopes themselves, so that it is exact.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

Array = np.ndarray
STRIP = 1024  # cells at a time whose signs are summed: 41 years of them stay in the second-level cache
_BUT_SIGN = np.int64(2**63 - 1)
_MOST = np.array([np.inf]).view(np.int64)[0]  # see `_turned`
_LEAST = np.array([-np.inf]).view(np.int64)[0] ^ _BUT_SIGN


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
    for begin in range(0, total.size, STRIP):
        part = slice(begin, min(begin + STRIP, total.size))
        for i in range(len(y) - 1):
            for j in range(i + 1, len(y)):
                _sign(y[i, part], y[j, part], total[part], equal[i, part], equal[j, part])
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
    low, high = _smallest(slope, -np.inf), _largest(slope, np.inf)
    below, above = 0, slope.size  # how many are at or below low (of the smallest: none), high
    even, moved = True, True
    while True:
        if above - below == 1 or not moved:  # one slope is left, or equal ones, unless the last step was of bad luck
            best, count = _largest(slope, high), 0
            for p in range(slope.size):
                count += 1 if slope[p] < best else 0
            if count <= rank:
                return best
            high, above, moved = np.nextafter(best, -np.inf), count, True
            continue
        # in turn where the rank would lie if slopes were spread evenly, and the middle
        share = (rank + 0.5 - below) / (above - below) if even else 0.5
        middle, count = low + share * (high - low), 0
        for p in range(slope.size):
            count += 1 if slope[p] <= middle else 0
        even, moved = not even, count not in (below, above)
        if count > rank:
            high, above = middle, count
        else:
            low, below = middle, count


@njit(cache=True, nogil=True)
def _largest(slope: Array, limit: float) -> float:  # pragma: no cover
    """The largest that is not above the limit; -inf if all are.

    Of whole numbers in the same order as the slopes, whose largest is found by SIMD: that of floats is not, for NaN.
    """
    bits, most = slope.view(np.int64), _LEAST
    for p in range(slope.size):
        key = _turned(bits[p])
        key = key if slope[p] <= limit else _LEAST
        most = key if key > most else most
    found = np.empty(1, np.int64)
    found[0] = _turned(most)
    return found.view(np.float64)[0]


@njit(cache=True, nogil=True)
def _smallest(slope: Array, limit: float) -> float:  # pragma: no cover
    """The smallest that is above the limit; inf if none is."""
    bits, least = slope.view(np.int64), _MOST
    for p in range(slope.size):
        key = _turned(bits[p])
        key = key if slope[p] > limit else _MOST
        least = key if key < least else least
    found = np.empty(1, np.int64)
    found[0] = _turned(least)
    return found.view(np.float64)[0]


@njit(inline="always")
def _turned(bits: Any) -> Any:  # pragma: no cover
    """Bits of a float as a number that rises with it, or back: of negative ones the others are turned over."""
    return bits ^ (bits >> 63 & _BUT_SIGN)


@njit(cache=True, nogil=True)
def _next(slope: Array, one: float, rank: int) -> float:  # pragma: no cover
    """The slope of the rank after that of `one`: its equal, or the smallest above it."""
    count = 0
    for p in range(slope.size):
        count += 1 if slope[p] <= one else 0
    return one if count > rank else _smallest(slope, one)
