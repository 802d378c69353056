"""The gather behind `regrid.apply`, compiled: same sums in the same order as `apply_plain`, so the same bits."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

Array = np.ndarray
ZERO, ONE, NAN = np.float32(0), np.float32(1), np.float32(np.nan)
STEP, NONE = np.uint64(1), np.uint64(0)
LANES = 8  # fields at a time: 32 bytes a cell
BLOCK = 2048  # targets at a time of one field: their corners, and the weights, stay in the second-level cache
BLOCK_ALL = 1024  # of LANES fields
_AT = tuple(np.uint64(lane) for lane in range(LANES))


@njit(cache=True, nogil=True)
def interleave(fields: Array, out: Array) -> None:  # pragma: no cover
    """LANES fields (LANES, y, x) as (y + 1, x + 1, LANES): the first column and the last row once more at the end."""
    rows, columns = fields.shape[1], fields.shape[2]
    for i in range(rows):
        for j in range(columns):
            for lane in range(LANES):  # a constant: unrolled
                out[i, j, lane] = fields[lane, i, j]
        out[i, columns] = out[i, 0]
    out[rows] = out[rows - 1]


# Reading (scattered, one value after the other) and arithmetic (SIMD) are two loops: in one, neither is fast.
# error_model="numpy": the check for division by zero would cost a branch per cell. No fastmath: it would
# change the order of sums from one field to a stack of them.
@njit(cache=True, nogil=True)
def gather(
    source: Array, size: Any, row: Array, col: Array, down: Array, right: Array, least: Any, out: Array
) -> None:  # pragma: no cover
    """A field (rows, columns: `size`, flat) at the weights (Y, X) into out (Y, X) f4, filled.

    East of the last column lies the first, below the last row itself.
    """
    many = min(BLOCK, row.shape[1])
    at, east, south = np.empty(many, np.uint64), np.empty(many, np.uint64), np.empty(many, np.uint64)
    corner = np.empty((4, many), np.float32)
    for i in range(row.shape[0]):
        for begin in range(0, row.shape[1], many):
            part = slice(begin, min(begin + many, row.shape[1]))
            m = part.stop - begin
            nw, ne, sw, se = corner[0, :m], corner[1, :m], corner[2, :m], corner[3, :m]
            _places(row[i, part], col[i, part], size, at, east, south)
            _corners(source, at[:m], east, south, nw, ne, sw, se)
            _means(nw, ne, sw, se, down[i, part], right[i, part], least, out[i, part])


@njit(cache=True, nogil=True)
def gather_all(
    source: Array, width: int, row: Array, col: Array, down: Array, right: Array, least: Any, out: Array
) -> None:  # pragma: no cover
    """The same of LANES interleaved fields (rows of `width`, flat) into out (LANES, Y, X): all means are one loop."""
    many = min(BLOCK_ALL, row.shape[1])
    held = np.empty((7, many * LANES), np.float32)  # by index: rows that are unpacked count as not contiguous
    nw, ne, sw, se, low, east, mean = held[0], held[1], held[2], held[3], held[4], held[5], held[6]
    for i in range(row.shape[0]):
        for begin in range(0, row.shape[1], many):
            part = slice(begin, min(begin + many, row.shape[1]))
            m = (part.stop - begin) * LANES
            _corners_all(source, np.uint64(width), row[i, part], col[i, part], nw, ne, sw, se)
            _spread(down[i, part], low)
            _spread(right[i, part], east)
            _means(nw[:m], ne[:m], sw[:m], se[:m], low[:m], east[:m], least, mean[:m])
            for lane in range(LANES):
                _take(mean, np.uint64(lane), out[lane, i, part])


@njit(cache=True, nogil=True)
def _places(row: Array, col: Array, size: Any, at: Array, east: Array, south: Array) -> None:  # pragma: no cover
    """Where corners lie, and the cells from there to the next in the east and below; unsigned: a step back wraps."""
    rows, columns = np.uint64(size[0]), np.uint64(size[1])
    for j in range(row.size):
        r, c = np.uint64(row[j]), np.uint64(col[j])
        at[j] = r * columns + c
        east[j] = STEP if c + STEP < columns else STEP - columns
        south[j] = columns if r + STEP < rows else NONE


@njit(cache=True, nogil=True)
def _corners(
    source: Array, at: Array, east: Array, south: Array, nw: Array, ne: Array, sw: Array, se: Array
) -> None:  # pragma: no cover
    for j in range(at.size):
        k, e, s = at[j], east[j], south[j]
        nw[j], ne[j], sw[j], se[j] = source[k], source[k + e], source[k + s], source[k + s + e]


@njit(cache=True, nogil=True)
def _corners_all(
    source: Array, width: Any, row: Array, col: Array, nw: Array, ne: Array, sw: Array, se: Array
) -> None:  # pragma: no cover
    east, south = np.uint64(LANES), np.uint64(LANES) * width
    for i in range(row.size):
        j, k = np.uint64(i) * east, (np.uint64(row[i]) * width + np.uint64(col[i])) * east
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
