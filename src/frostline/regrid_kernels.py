"""The gather behind `regrid.apply`, compiled: same sums in the same order as `apply_plain`, so the same bits."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

Array = np.ndarray
ZERO, ONE, NAN = np.float32(0), np.float32(1), np.float32(np.nan)
STEP = np.uint64(1)
LANES = 8  # fields at a time: 32 bytes a cell
TILE = 64  # cells of a row before they are written field by field


# error_model="numpy": the check for division by zero would cost a branch per cell. No fastmath: it would
# change the order of sums from one field to a stack of them.
@njit(cache=True, nogil=True, error_model="numpy")
def gather(
    fields: Array, row: Array, col: Array, down: Array, right: Array, least: Any, out: Array
) -> None:  # pragma: no cover
    """fields (n, y, x) f4, weights (Y, X), out (n, Y, X) f4, filled."""
    count, rows, cols = fields.shape
    for i in range(row.shape[0]):
        for k in range(count):  # inside, so that a row's weights are read from memory once for all fields
            source = fields[k].ravel()
            _gather_row(source, rows, cols, row[i], col[i], down[i], right[i], least, out[k, i])


@njit(cache=True, nogil=True, error_model="numpy")
def _gather_row(
    source: Array,
    rows: int,
    cols: int,
    row: Array,
    col: Array,
    down: Array,
    right: Array,
    least: Any,
    out: Array,
) -> None:  # pragma: no cover
    for j in range(row.size):
        r0, c0 = np.int64(row[j]), np.int64(col[j])
        r1 = r0 + 1 if r0 + 1 < rows else r0
        c1 = c0 + 1 if c0 + 1 < cols else 0
        a, b = source[r0 * cols + c0], source[r0 * cols + c1]
        c, d = source[r1 * cols + c0], source[r1 * cols + c1]
        low, east = down[j], right[j]
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


@njit(cache=True, nogil=True, error_model="numpy")
def gather_lanes(
    source: Array,
    lanes: int,
    rows: int,
    cols: int,
    row: Array,
    col: Array,
    down: Array,
    right: Array,
    least: Any,
    out: Array,
) -> None:  # pragma: no cover
    """`gather` of interleaved fields (cells x lanes): a corner is read once for all, and all are worked on by SIMD.

    `lanes` is LANES, given as an argument: a loop of a constant eight is unrolled, and then not SIMD.
    """
    tile = np.empty(TILE * lanes, np.float32)
    for i in range(row.shape[0]):
        for begin in range(0, row.shape[1], TILE):
            end = min(begin + TILE, row.shape[1])
            for j in range(begin, end):
                r0, c0 = np.uint64(row[i, j]), np.uint64(col[i, j])  # unsigned: no index counts from the end
                r1 = r0 + STEP if r0 + STEP < np.uint64(rows) else r0
                c1 = c0 + STEP if c0 + STEP < np.uint64(cols) else np.uint64(0)
                width, each = np.uint64(cols), np.uint64(lanes)
                a, b = (r0 * width + c0) * each, (r0 * width + c1) * each
                c, d = (r1 * width + c0) * each, (r1 * width + c1) * each
                low, east = down[i, j], right[i, j]
                high, west = ONE - low, ONE - east
                wa, wb, wc, wd = high * west, high * east, low * west, low * east
                to = (j - begin) * lanes
                for lane in range(lanes):
                    k = np.uint64(lane)
                    va, vb, vc, vd = source[a + k], source[b + k], source[c + k], source[d + k]
                    ta, tb, tc, td = wa * va, wb * vb, wc * vc, wd * vd
                    total, weight = ta if va == va else ZERO, wa if va == va else ZERO
                    total += tb if vb == vb else ZERO
                    weight += wb if vb == vb else ZERO
                    total += tc if vc == vc else ZERO
                    weight += wc if vc == vc else ZERO
                    total += td if vd == vd else ZERO
                    weight += wd if vd == vd else ZERO
                    mean = total / weight
                    tile[to + lane] = mean if weight >= least else NAN
            for lane in range(lanes):
                line = out[lane, i]
                for j in range(begin, end):
                    line[j] = tile[(j - begin) * lanes + lane]
