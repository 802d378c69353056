"""The gather behind `regrid.apply`, compiled: same sums in the same order as `apply_plain`, so the same bits."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

Array = np.ndarray
ZERO, ONE, NAN = np.float32(0), np.float32(1), np.float32(np.nan)
STEP = np.uint64(1)
LANES = 8  # fields at a time: 32 bytes a cell
BLOCK = 2048  # targets at a time of one field: their corners, and the weights, stay in the second-level cache
BLOCK_ALL = 1024  # of LANES fields
_AT = tuple(np.uint64(lane) for lane in range(LANES))


@njit(cache=True, nogil=True)
def interleave(fields: Array, out: Array) -> None:  # pragma: no cover
    """LANES fields (LANES, y, x) as (y, x, LANES), into the first columns and rows of `out` (y + 1, x + 1, LANES)."""
    for i in range(fields.shape[1]):
        for j in range(fields.shape[2]):
            for lane in range(LANES):  # a constant: unrolled
                out[i, j, lane] = fields[lane, i, j]


# Reading (scattered, one value after the other) and arithmetic (SIMD) are two loops: in one, neither is fast.
# error_model="numpy": the check for division by zero would cost a branch per cell. No fastmath: it would
# change the order of sums from one field to a stack of them.
@njit(cache=True, nogil=True)
def gather(
    source: Array,
    width: int,
    lanes: int,
    row: Array,
    col: Array,
    down: Array,
    right: Array,
    least: Any,
    out: Array,
) -> None:  # pragma: no cover
    """Interleaved fields (rows x `width` x `lanes`, flat) at the weights (Y, X) into out (lanes, Y, X) f4, filled.

    Each source cell has a neighbour below and one on the right: `source` repeats its first column and its last row.
    """
    if lanes == LANES:
        return _gather_all(source, width, row, col, down, right, least, out)
    size = min(BLOCK, row.shape[1])
    at, corner = np.empty(size, np.uint64), np.empty((4, size), np.float32)
    east, south = np.uint64(lanes), np.uint64(lanes * width)
    for i in range(row.shape[0]):
        for begin in range(0, row.shape[1], size):
            part = slice(begin, min(begin + size, row.shape[1]))
            m = part.stop - begin
            nw, ne, sw, se = corner[0, :m], corner[1, :m], corner[2, :m], corner[3, :m]
            _places(row[i, part], col[i, part], np.uint64(width), east, at[:m])
            for lane in range(lanes):
                _corners(source[lane:], at[:m], east, south, nw, ne, sw, se)
                _means(nw, ne, sw, se, down[i, part], right[i, part], least, out[lane, i, part])


@njit(cache=True, nogil=True)
def _gather_all(
    source: Array, width: int, row: Array, col: Array, down: Array, right: Array, least: Any, out: Array
) -> None:  # pragma: no cover
    """`gather` of LANES fields: a corner of all of them is one move, and all their means are one loop."""
    size = min(BLOCK_ALL, row.shape[1])
    held = np.empty((7, size * LANES), np.float32)  # by index: rows that are unpacked count as not contiguous
    nw, ne, sw, se, low, east, mean = held[0], held[1], held[2], held[3], held[4], held[5], held[6]
    for i in range(row.shape[0]):
        for begin in range(0, row.shape[1], size):
            part = slice(begin, min(begin + size, row.shape[1]))
            m = (part.stop - begin) * LANES
            _corners_all(source, row[i, part], col[i, part], np.uint64(width), nw, ne, sw, se)
            _spread(down[i, part], low)
            _spread(right[i, part], east)
            _means(nw[:m], ne[:m], sw[:m], se[:m], low[:m], east[:m], least, mean[:m])
            for lane in range(LANES):
                _take(mean, np.uint64(lane), out[lane, i, part])


@njit(cache=True, nogil=True)
def _corners_all(
    source: Array, row: Array, col: Array, width: Any, nw: Array, ne: Array, sw: Array, se: Array
) -> None:  # pragma: no cover
    east, south = np.uint64(LANES), np.uint64(LANES) * width
    for i in range(row.size):
        j = np.uint64(i) * east
        k = (np.uint64(row[i]) * width + np.uint64(col[i])) * east
        _move(source, k, nw, j)
        _move(source, k + east, ne, j)
        _move(source, k + south, sw, j)
        _move(source, k + south + east, se, j)


@njit(inline="always")
def _move(source: Array, k: Any, out: Array, j: Any) -> None:  # pragma: no cover
    """LANES values; all are read before the first is written, so that the compiler makes one register of them."""
    a, b, c, d = source[k], source[k + _AT[1]], source[k + _AT[2]], source[k + _AT[3]]
    e, f, g, h = source[k + _AT[4]], source[k + _AT[5]], source[k + _AT[6]], source[k + _AT[7]]
    out[j], out[j + _AT[1]], out[j + _AT[2]], out[j + _AT[3]] = a, b, c, d
    out[j + _AT[4]], out[j + _AT[5]], out[j + _AT[6]], out[j + _AT[7]] = e, f, g, h


@njit(cache=True, nogil=True)
def _spread(x: Array, out: Array) -> None:  # pragma: no cover
    for i in range(x.size):
        j, value = np.uint64(i) * np.uint64(LANES), x[i]
        out[j], out[j + _AT[1]], out[j + _AT[2]], out[j + _AT[3]] = value, value, value, value
        out[j + _AT[4]], out[j + _AT[5]], out[j + _AT[6]], out[j + _AT[7]] = value, value, value, value


@njit(cache=True, nogil=True)
def _take(rows: Array, lane: Any, out: Array) -> None:  # pragma: no cover
    for i in range(out.size):
        out[i] = rows[np.uint64(i) * np.uint64(LANES) + lane]


@njit(cache=True, nogil=True)
def _places(row: Array, col: Array, width: Any, lanes: Any, at: Array) -> None:  # pragma: no cover
    for j in range(at.size):
        at[j] = (np.uint64(row[j]) * width + np.uint64(col[j])) * lanes  # unsigned: no index counts from the end


@njit(cache=True, nogil=True)
def _corners(
    source: Array, at: Array, east: Any, south: Any, nw: Array, ne: Array, sw: Array, se: Array
) -> None:  # pragma: no cover
    for j in range(at.size):
        k = at[j]
        nw[j], ne[j], sw[j], se[j] = source[k], source[k + east], source[k + south], source[k + south + east]


@njit(cache=True, nogil=True, error_model="numpy")
def _means(
    nw: Array, ne: Array, sw: Array, se: Array, down: Array, right: Array, least: Any, out: Array
) -> None:  # pragma: no cover
    for j in range(out.size):
        a, b, c, d, low, east = nw[j], ne[j], sw[j], se[j], down[j], right[j]
        high, west = ONE - low, ONE - east
        wa, wb, wc, wd = high * west, high * east, low * west, low * east
        va, vb, vc, vd = wa * a, wb * b, wc * c, wd * d
        # selects, not branches: gaps are too scattered to predict
        total, weight = va if a == a else ZERO, wa if a == a else ZERO
        total += vb if b == b else ZERO
        weight += wb if b == b else ZERO
        total += vc if c == c else ZERO
        weight += wc if c == c else ZERO
        total += vd if d == d else ZERO
        weight += wd if d == d else ZERO
        mean = total / weight
        out[j] = mean if weight >= least else NAN
