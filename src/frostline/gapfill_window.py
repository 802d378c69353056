"""The value alone between two frames a side, compiled, two days in a pass; `gapfill.fill_time` says what it means."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

Array = np.ndarray
STRIP = 16384  # cells at a time: the float32 rows in use stay in the second-level cache
NAN = np.float32(np.nan)
SIDE = 2  # frames a side

# A window of two frames a side shares all but one frame with the next day's, and with both in one pass a row is read
# from the cache three times a day, not five: 1.5 times faster. What is the part of the later value at these distances
# is looked up, not divided, and is NaN where the gap is too long; a frame that does not exist is a row of NaN.


def parts(slots: Array, lags: Array, span: Any, mean: bool) -> tuple[Array, Array] | None:
    """Of each day (days, 4): slots of the two frames before and after, the nearer inside, and (days, 4) parts.

    The part of the later value, by frames (nearer, nearer), (nearer, farther), (farther, nearer), (farther, farther)
    before and after. `slots`, `lags` (days, neighbours) as of `gapfill_kernels`, -1 for none. None: more than two.
    """
    around = np.full((len(slots), 2 * SIDE), -1, np.int64)
    share = np.full((len(slots), SIDE * SIDE), NAN, np.float32)
    for t, (of_day, lag) in enumerate(zip(slots, lags, strict=True)):
        before, after = (np.flatnonzero((of_day >= 0) & side) for side in (lag < 0, lag > 0))
        if max(before.size, after.size) > SIDE:
            return None
        around[t, SIDE - before.size : SIDE] = of_day[before]  # the farthest first
        around[t, SIDE : SIDE + after.size] = of_day[after[::-1]]
        for i, b in enumerate(before[::-1]):
            for j, a in enumerate(after[::-1]):
                if abs(lag[b]) + lag[a] <= span:
                    share[t, SIDE * i + j] = np.float32(0.5) if mean else abs(lag[b]) / (abs(lag[b]) + lag[a])
    return around, share


@njit(cache=True, nogil=True)
def fill_windows(frames: Array, around: Array, share: Array, value: Array) -> None:  # pragma: no cover
    """frames (days, n) f4 and what `parts` found, into value (days, n)."""
    days, cells = frames.shape
    width = max(1, min(STRIP, cells))
    none = np.full(width, NAN, np.float32)
    for lo in range(0, cells, width):
        strip, t = slice(lo, min(lo + width, cells)), 0
        while t < days:
            b2, b1, a1, a2 = around[t]
            far, near = _row(frames, b2, strip, none), _row(frames, b1, strip, none)
            here, next_, last = frames[t, strip], _row(frames, a1, strip, none), _row(frames, a2, strip, none)
            if (
                t + 1 < days
                and around[t + 1, 0] == b1
                and around[t + 1, 1] == t
                and a1 == t + 1
                and around[t + 1, 2] == a2
            ):
                beyond = _row(frames, around[t + 1, 3], strip, none)
                _two_days(
                    far, near, here, next_, last, beyond, share[t], share[t + 1], value[t, strip], value[t + 1, strip]
                )
                t += 2
            else:
                _one_day(far, near, here, next_, last, share[t], value[t, strip])
                t += 1


@njit(cache=True, nogil=True)
def _row(frames: Array, slot: int, strip: Any, none: Array) -> Array:  # pragma: no cover
    return frames[slot, strip] if slot >= 0 else none[: strip.stop - strip.start]


@njit(inline="always")
def _between(far: Any, near: Any, here: Any, after: Any, last: Any, nn: Any, nf: Any, fn: Any, ff: Any) -> Any:
    """The value of a cell from those of five days and the four parts."""  # pragma: no cover
    before = near if near == near else far
    later = after if after == after else last
    of_near = nn if after == after else nf
    of_far = fn if after == after else ff
    part = of_near if near == near else of_far
    middle = before + (later - before) * part
    return here if here == here else middle


@njit(cache=True, nogil=True)
def _one_day(
    far: Array, near: Array, here: Array, after: Array, last: Array, share: Array, out: Array
) -> None:  # pragma: no cover
    nn, nf, fn, ff = share[0], share[1], share[2], share[3]
    for i in range(out.size):
        out[i] = _between(far[i], near[i], here[i], after[i], last[i], nn, nf, fn, ff)


@njit(cache=True, nogil=True)
def _two_days(
    far: Array, near: Array, here: Array, after: Array, last: Array, beyond: Array,
    one: Array, two: Array, out: Array, out_next: Array,
) -> None:  # pragma: no cover  # fmt: skip
    nn, nf, fn, ff = one[0], one[1], one[2], one[3]
    nn2, nf2, fn2, ff2 = two[0], two[1], two[2], two[3]
    for i in range(out.size):
        a, b, c, d, e, f = far[i], near[i], here[i], after[i], last[i], beyond[i]
        out[i] = _between(a, b, c, d, e, nn, nf, fn, ff)
        out_next[i] = _between(b, c, d, e, f, nn2, nf2, fn2, ff2)
