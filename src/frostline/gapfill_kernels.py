"""The row kernels behind `gapfill.fill_cube` and `stream`, compiled; `gapfill.fill_time` says what they mean."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

Array = np.ndarray
STRIP = 16384  # cells at a time: the float32 rows in use stay in the second-level cache
NAN, INF, ZERO, HALF = np.float32(np.nan), np.float32(np.inf), np.float32(0), np.float32(0.5)
AGE_LARGEST = np.float32(254)

CLOSE = 3  # neighbours a side that are chosen among in one pass: all presets but one have no more

# Each kernel takes 1-D rows and reads every element once into a name before it chooses: written over
# frames[t, i], or with loads inside the choice, the loops do not become SIMD (2.7 times slower).
# error_model="numpy" spares a branch per division. No fastmath: the bits equal the plain version's.


@njit(cache=True, nogil=True, error_model="numpy")
def _first(row: Array, distance: Any, near: Array, far: Array) -> None:  # pragma: no cover
    for i in range(row.size):
        x = row[i]
        near[i] = x
        far[i] = distance if x == x else INF


@njit(cache=True, nogil=True, error_model="numpy")
def _nearer(row: Array, distance: Any, near: Array, far: Array) -> None:  # pragma: no cover
    for i in range(row.size):
        x, v, d = row[i], near[i], far[i]
        near[i] = x if x == x else v
        far[i] = distance if x == x else d


@njit(cache=True, nogil=True, error_model="numpy")
def _value(
    row: Array, p: Array, dp: Array, n: Array, dn: Array, span: Any, hold: Any, out: Array
) -> None:  # pragma: no cover
    for i in range(row.size):
        x, before, a, after, b = row[i], p[i], dp[i], n[i], dn[i]
        near, held = a if a <= b else b, before if a <= b else after
        filled = held if near <= hold else NAN
        middle = before + (after - before) * (a / (a + b))
        filled = middle if a + b <= span else filled
        out[i] = x if x == x else filled


@njit(cache=True, nogil=True, error_model="numpy")
def _mean(
    row: Array, p: Array, dp: Array, n: Array, dn: Array, span: Any, hold: Any, out: Array
) -> None:  # pragma: no cover
    for i in range(row.size):
        x, before, a, after, b = row[i], p[i], dp[i], n[i], dn[i]
        near, held = a if a <= b else b, before if a <= b else after
        filled = held if near <= hold else NAN
        middle = before + (after - before) * HALF
        filled = middle if a + b <= span else filled
        out[i] = x if x == x else filled


@njit(cache=True, nogil=True, error_model="numpy")
def _bytes(row: Array, dp: Array, dn: Array, span: Any, hold: Any, flag: Array, age: Array) -> None:  # pragma: no cover
    for i in range(row.size):
        x, a, b = row[i], dp[i], dn[i]
        near = a if a <= b else b
        kind = np.uint8(2) if near <= hold else np.uint8(3)
        kind = np.uint8(1) if a + b <= span else kind
        kind = np.uint8(0) if x == x else kind
        near = near if near <= AGE_LARGEST else AGE_LARGEST
        days = np.uint8(np.int32(np.ceil(near)))
        days = np.uint8(255) if kind == 3 else days
        flag[i] = kind
        age[i] = np.uint8(0) if kind == 0 else days


# In one pass over the rows the chosen neighbours stay in registers: 2.4 times faster than through scratch rows.
@njit(cache=True, nogil=True, error_model="numpy")
def _close(
    row: Array, before: Any, after: Any, lags: Array, span: Any, hold: Any, mean: bool, out: Array
) -> None:  # pragma: no cover
    """`before`, `after`: three rows each, the farthest first; `lags` (2, 3) their distances."""
    (b3, b2, b1), (a3, a2, a1) = before, after
    d3, d2, d1, e3, e2, e1 = lags[0, 0], lags[0, 1], lags[0, 2], lags[1, 0], lags[1, 1], lags[1, 2]
    for i in range(row.size):
        x, p, n, p2, p1, n2, n1 = row[i], b3[i], a3[i], b2[i], b1[i], a2[i], a1[i]
        a, b = d3 if p == p else INF, e3 if n == n else INF
        a, b = d2 if p2 == p2 else a, e2 if n2 == n2 else b
        a, b = d1 if p1 == p1 else a, e1 if n1 == n1 else b
        p, n = p2 if p2 == p2 else p, n2 if n2 == n2 else n
        p, n = p1 if p1 == p1 else p, n1 if n1 == n1 else n
        near, held = a if a <= b else b, p if a <= b else n
        filled = held if near <= hold else NAN
        part = HALF if mean else a / (a + b)
        middle = p + (n - p) * part
        filled = middle if a + b <= span else filled
        out[i] = x if x == x else filled


@njit(cache=True, nogil=True, error_model="numpy")
def _close_marked(
    row: Array,
    before: Any,
    after: Any,
    lags: Array,
    span: Any,
    hold: Any,
    mean: bool,
    out: Array,
    flag: Array,
    age: Array,
) -> None:  # pragma: no cover
    """`_close` with flag and age."""
    (b3, b2, b1), (a3, a2, a1) = before, after
    d3, d2, d1, e3, e2, e1 = lags[0, 0], lags[0, 1], lags[0, 2], lags[1, 0], lags[1, 1], lags[1, 2]
    for i in range(row.size):
        x, p, n, p2, p1, n2, n1 = row[i], b3[i], a3[i], b2[i], b1[i], a2[i], a1[i]
        a, b = d3 if p == p else INF, e3 if n == n else INF
        a, b = d2 if p2 == p2 else a, e2 if n2 == n2 else b
        a, b = d1 if p1 == p1 else a, e1 if n1 == n1 else b
        p, n = p2 if p2 == p2 else p, n2 if n2 == n2 else n
        p, n = p1 if p1 == p1 else p, n1 if n1 == n1 else n
        near, held = a if a <= b else b, p if a <= b else n
        one, two = near <= hold, a + b <= span
        filled = held if one else NAN
        part = HALF if mean else a / (a + b)
        middle = p + (n - p) * part
        filled = middle if two else filled
        out[i] = x if x == x else filled
        kind = np.int32(2) if one else np.int32(3)
        kind = np.int32(1) if two else kind
        kind = np.int32(0) if x == x else kind
        days = np.int32(np.ceil(near if near <= AGE_LARGEST else AGE_LARGEST))
        days = np.int32(255) if kind == 3 else days
        days = np.int32(0) if kind == 0 else days
        flag[i] = np.uint8(kind)
        age[i] = np.uint8(days)


@njit(cache=True, nogil=True, error_model="numpy")
def _sides(slots: Array, lags: Array, close: Array, distance: Array) -> bool:  # pragma: no cover
    """Fill the slots (2, CLOSE) and distances of the neighbours before and after, farthest first; False: too many."""
    close[:], distance[:] = -1, ZERO
    for side in range(2):
        at = CLOSE
        for k in range(slots.size - 1, -1, -1):
            if slots[k] >= 0 and (lags[k] > 0) == (side == 1):
                if at == 0:
                    return False
                at -= 1
                close[side, at], distance[side, at] = slots[k], abs(lags[k])
    return True


@njit(cache=True, nogil=True, error_model="numpy")
def fill_strips(
    frames: Array,
    today: Array,
    slots: Array,
    lags: Array,
    span: Any,
    hold: Any,
    mean: bool,
    value: Array,
    flag: Array,
    age: Array,
    marked: bool,
) -> None:  # pragma: no cover
    """frames (slots, n) f4; for each output t its own slot `today[t]` (-1: no frame) and its neighbours.

    `slots`, `lags` (t, neighbours), farthest first, negative lag = before; outputs (t, n), filled: flag and age only
    where `marked`.
    """
    cells = frames.shape[1]
    width = max(1, min(STRIP, cells))
    absent = np.full(width, NAN, np.float32)
    p, dp = np.empty(width, np.float32), np.empty(width, np.float32)
    n, dn = np.empty(width, np.float32), np.empty(width, np.float32)
    c, distance = np.empty((2, CLOSE), np.int64), np.empty((2, CLOSE), np.float32)
    for lo in range(0, cells, width):
        hi = min(lo + width, cells)
        m = hi - lo
        none = absent[:m]
        for t in range(today.size):
            row = frames[today[t], lo:hi] if today[t] >= 0 else none
            if _sides(slots[t], lags[t], c, distance):
                before = (
                    frames[c[0, 0], lo:hi] if c[0, 0] >= 0 else none,
                    frames[c[0, 1], lo:hi] if c[0, 1] >= 0 else none,
                    frames[c[0, 2], lo:hi] if c[0, 2] >= 0 else none,
                )
                after = (
                    frames[c[1, 0], lo:hi] if c[1, 0] >= 0 else none,
                    frames[c[1, 1], lo:hi] if c[1, 1] >= 0 else none,
                    frames[c[1, 2], lo:hi] if c[1, 2] >= 0 else none,
                )
                if marked:
                    _close_marked(
                        row, before, after, distance, span, hold, mean, value[t, lo:hi], flag[t, lo:hi], age[t, lo:hi]
                    )
                else:
                    _close(row, before, after, distance, span, hold, mean, value[t, lo:hi])
                continue
            some_before, some_after = False, False
            for k in range(slots.shape[1]):
                slot, lag = slots[t, k], lags[t, k]
                if slot < 0:
                    continue
                frame = frames[slot, lo:hi]
                if lag < 0 and some_before:
                    _nearer(frame, -lag, p[:m], dp[:m])
                elif lag < 0:
                    _first(frame, -lag, p[:m], dp[:m])
                    some_before = True
                elif some_after:
                    _nearer(frame, lag, n[:m], dn[:m])
                else:
                    _first(frame, lag, n[:m], dn[:m])
                    some_after = True
            if not some_before:
                _first(none, ZERO, p[:m], dp[:m])
            if not some_after:
                _first(none, ZERO, n[:m], dn[:m])
            if mean:
                _mean(row, p[:m], dp[:m], n[:m], dn[:m], span, hold, value[t, lo:hi])
            else:
                _value(row, p[:m], dp[:m], n[:m], dn[:m], span, hold, value[t, lo:hi])
            if marked:
                _bytes(row, dp[:m], dn[:m], span, hold, flag[t, lo:hi], age[t, lo:hi])
