"""The row kernels behind `gapfill.fill_cube` and `stream`, compiled; `gapfill.fill_time` says what they mean."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

Array = np.ndarray
STRIP = 16384  # cells at a time: the float32 rows in use stay in the second-level cache
NAN, INF, ZERO, HALF = np.float32(np.nan), np.float32(np.inf), np.float32(0), np.float32(0.5)
AGE_LARGEST = np.float32(254)

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
) -> None:  # pragma: no cover
    """frames (slots, n) f4; for each output t its own slot `today[t]` (-1: no frame) and its neighbours.

    `slots`, `lags` (t, neighbours), farthest first, negative lag = before; outputs (t, n), filled.
    """
    cells = frames.shape[1]
    width = max(1, min(STRIP, cells))
    absent = np.full(width, NAN, np.float32)
    p, dp = np.empty(width, np.float32), np.empty(width, np.float32)
    n, dn = np.empty(width, np.float32), np.empty(width, np.float32)
    for lo in range(0, cells, width):
        hi = min(lo + width, cells)
        m = hi - lo
        for t in range(today.size):
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
                _first(absent[:m], ZERO, p[:m], dp[:m])
            if not some_after:
                _first(absent[:m], ZERO, n[:m], dn[:m])
            row = frames[today[t], lo:hi] if today[t] >= 0 else absent[:m]
            if mean:
                _mean(row, p[:m], dp[:m], n[:m], dn[:m], span, hold, value[t, lo:hi])
            else:
                _value(row, p[:m], dp[:m], n[:m], dn[:m], span, hold, value[t, lo:hi])
            _bytes(row, dp[:m], dn[:m], span, hold, flag[t, lo:hi], age[t, lo:hi])
