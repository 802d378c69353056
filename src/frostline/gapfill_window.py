"""The value alone between two frames a side, compiled, eight days in a pass; `gapfill.fill_time` says what it means."""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

Array = np.ndarray
STRIP = 32768  # cells at a time: the float32 rows in use stay in the second-level cache
NAN = np.float32(np.nan)
SIDE = 2  # frames a side
DAYS = 8  # in a pass
LANES = 16  # cells at once: float32 of a line of the cache
LINE = 64  # bytes
LARGE = 1 << 25  # bytes that no cache keeps

# A window of two frames a side shares all but one frame with the next day's: of eight days in one pass a row is read
# 1.5 times, one by one five times. What is the part of the later value at these distances is looked up, not divided,
# and is NaN where the gap is too long; a frame that does not exist is a row of NaN.
#
# Memory bounds it. A plain store first reads the line of the cache that it writes, a third of all traffic; stores that
# pass the cache by do not, and with them filling takes hardly more than a plain copy (1.4 of it without, 1.6 without
# and two days in a pass). LLVM's vectorizer leaves such stores single, so the eight days are vectors here, written as
# instructions; `_between` says the same of one cell.


def parts(slots: Array, lags: Array, span: Any, mean: bool) -> tuple[Array, Array] | None:
    """Of each day (days, 4): slots of the two frames before and after, the nearer inside, and (days, 4) parts.

    The part of the later value, by frames (nearer, nearer), (nearer, farther), (farther, nearer), (farther, farther)
    before and after. `slots`, `lags` (days, neighbours) as of `gapfill_kernels`, -1 for none. None: more than two.
    """
    around = np.full((len(slots), 2 * SIDE), -1, np.int64)
    share = np.full((len(slots), SIDE * SIDE), NAN, np.float32)
    return (around, share) if _parts(slots, lags, span, mean, around, share) else None


@njit(cache=True)
def _parts(slots: Array, lags: Array, span: Any, mean: bool, around: Array, share: Array) -> bool:  # pragma: no cover
    """`parts` into the two tables; False: more than two."""
    for t in range(len(slots)):
        far = np.full(2 * SIDE, NAN, np.float32)  # distances of the four
        before, after = SIDE, SIDE
        for k in range(slots.shape[1] - 1, -1, -1):  # the nearest first
            if slots[t, k] < 0:
                continue
            if lags[t, k] < 0:
                before -= 1
                at = before
            else:
                at = after
                after += 1
            if not 0 <= at < 2 * SIDE:
                return False
            around[t, at], far[at] = slots[t, k], abs(lags[t, k])
        for i in range(SIDE):
            for j in range(SIDE):
                p, n = far[SIDE - 1 - i], far[SIDE + j]
                if p + n <= span:  # not where one is missing
                    share[t, SIDE * i + j] = np.float32(0.5) if mean else p / (p + n)
    return True


def fill_windows(frames: Array, around: Array, share: Array, value: Array) -> None:
    """frames (days, n) f4 and what `parts` found, into value (days, n) f4; both contiguous."""
    at, cells = value.ctypes.data, frames.shape[1]
    past = value.nbytes >= LARGE and cells % LANES == 0 and at % value.itemsize == 0
    lead = -at % LINE // value.itemsize if past else 0  # cells before the first line that is whole
    none = np.full(max(1, min(STRIP, cells)), NAN, np.float32)
    _fill(frames, around, share, value, none, lead, past)


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


def _between_lanes(build: Any, days: list[Any], parts: list[Any]) -> Any:
    """`_between` as instructions on vectors."""
    far, near, here, after, last = days
    nn, nf, fn, ff = parts
    seen = {k: build.fcmp_ordered("ord", days[k], days[k]) for k in (1, 2, 3)}
    before, later = build.select(seen[1], near, far), build.select(seen[3], after, last)
    of_near, of_far = build.select(seen[3], nn, nf), build.select(seen[3], fn, ff)
    part = build.select(seen[1], of_near, of_far)
    middle = build.fadd(before, build.fmul(build.fsub(later, before), part))
    return build.select(seen[2], here, middle)


def _days_by_lanes(past: bool) -> Any:
    """Compiled: `at` addresses of the DAYS + 2 SIDE rows and of the DAYS outputs, `share` (DAYS, 4), lines of cells.

    `past`: the outputs' addresses are multiples of LINE, and stores pass the cache by.
    """
    word, whole = ir.IntType(32), ir.VectorType(ir.FloatType(), LANES)
    rows = DAYS + 2 * SIDE

    def code(context: Any, build: Any, signature: Any, args: Any) -> Any:
        def item(which: int, k: int) -> Any:
            data = context.make_array(signature.args[which])(context, build, args[which]).data
            return build.load(build.gep(data, [ir.Constant(word, k)]))

        def spread(x: Any) -> Any:
            one = build.insert_element(ir.Constant(whole, ir.Undefined), x, ir.Constant(word, 0))
            return build.shuffle_vector(one, one, ir.Constant(ir.VectorType(word, LANES), [0] * LANES))

        lines = [build.inttoptr(item(0, k), whole.as_pointer()) for k in range(rows + DAYS)]
        parts = [spread(item(1, k)) for k in range(SIDE * SIDE * DAYS)]
        passing = build.module.add_metadata([ir.Constant(word, 1)])
        with cgutils.for_range(build, args[2]) as loop:
            days = [build.load(build.gep(row, [loop.index]), align=4) for row in lines[:rows]]
            for k, out in enumerate(lines[rows:]):
                value = _between_lanes(build, days[k : k + 2 * SIDE + 1], parts[SIDE * SIDE * k :][: SIDE * SIDE])
                stored = build.store(value, build.gep(out, [loop.index]), align=LINE if past else 4)
                if past:
                    stored.set_metadata("nontemporal", passing)
        if past:
            build.fence("seq_cst")  # such stores are not in order with others
        return context.get_dummy_value()

    def typed(_: Any, at: Any, share: Any, lines: Any) -> Any:
        return types.void(at, share, lines), code

    return intrinsic(typed)


_days_kept, _days_past = _days_by_lanes(False), _days_by_lanes(True)


@njit(cache=True, nogil=True)
def _fill(
    frames: Array, around: Array, share: Array, value: Array, none: Array, lead: int, past: bool
) -> None:  # pragma: no cover
    """A strip of `lead` cells, then strips of STRIP; `none` is the row of a frame that does not exist."""
    days, cells = frames.shape
    at = np.empty(2 * DAYS + 2 * SIDE, np.int64)
    lo, hi = 0, lead
    while lo < cells:
        if hi == 0:
            hi = min(STRIP, cells)
        lines, t = (hi - lo) // LANES, 0
        rest = lo + lines * LANES
        while t < days:
            many = lines > 0 and _follow(around, t)
            if many:
                for k in range(DAYS + 2 * SIDE):
                    slot = _of_window(around, t, k)
                    at[k] = frames.ctypes.data + 4 * (slot * cells + lo) if slot >= 0 else none.ctypes.data
                for k in range(DAYS):
                    at[DAYS + 2 * SIDE + k] = value.ctypes.data + 4 * ((t + k) * cells + lo)
                if past:
                    _days_past(at, share[t : t + DAYS], lines)
                else:
                    _days_kept(at, share[t : t + DAYS], lines)
            for k in range(t, t + DAYS if many else t + 1):
                _one_day(frames, k, around[k], share[k], value, rest if many else lo, hi, none)
            t += DAYS if many else 1
        lo, hi = hi, min(hi + STRIP, cells)


@njit(cache=True, nogil=True)
def _of_window(around: Array, t: int, k: int) -> int:  # pragma: no cover
    """Slot k of the DAYS + 2 SIDE that the days from t on see."""
    if k < SIDE:
        return around[t, k]
    return t + k - SIDE if k < DAYS + SIDE else around[t + DAYS - 1, k - DAYS]


@njit(cache=True, nogil=True)
def _follow(around: Array, t: int) -> bool:  # pragma: no cover
    """Whether the windows of DAYS days from t on move by one frame a day."""
    if t + DAYS > len(around):
        return False
    for day in range(DAYS):
        for k in range(SIDE):
            before, after = _of_window(around, t, day + k), _of_window(around, t, day + SIDE + 1 + k)
            if around[t + day, k] != before or around[t + day, SIDE + k] != after:
                return False
    return True


@njit(cache=True, nogil=True)
def _row(frames: Array, slot: int, lo: int, hi: int, none: Array) -> Array:  # pragma: no cover
    return frames[slot, lo:hi] if slot >= 0 else none[: hi - lo]


@njit(cache=True, nogil=True)
def _one_day(
    frames: Array, t: int, around: Array, share: Array, value: Array, lo: int, hi: int, none: Array
) -> None:  # pragma: no cover
    far, near = _row(frames, around[0], lo, hi, none), _row(frames, around[1], lo, hi, none)
    after, last = _row(frames, around[2], lo, hi, none), _row(frames, around[3], lo, hi, none)
    _between_rows(far, near, frames[t, lo:hi], after, last, share, value[t, lo:hi])


@njit(cache=True, nogil=True)
def _between_rows(
    far: Array, near: Array, here: Array, after: Array, last: Array, share: Array, out: Array
) -> None:  # pragma: no cover
    nn, nf, fn, ff = share[0], share[1], share[2], share[3]
    for i in range(out.size):
        out[i] = _between(far[i], near[i], here[i], after[i], last[i], nn, nf, fn, ff)
