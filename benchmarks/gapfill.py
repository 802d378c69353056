"""Row 2: short gaps in time filled, against a plain copy of the same days and NumPy shifts.

python -m benchmarks.gapfill [--size small|middle|full]
"""

from __future__ import annotations

import sys
import tracemalloc

import numpy as np

from benchmarks.common import Row, Size, interleaved, main
from frostline.gapfill import PRESETS, fill_cube, fill_time, fill_values, stream

Array = np.ndarray
SHAPES = {"small": (16, 100, 100), "middle": (96, 1000, 1000), "full": (96, 1000, 1000)}


def swaths(days: int, rows: int, cols: int) -> Array:
    """Brightness temperatures (days, y, x) of which a wandering third is not seen."""
    rng = np.random.default_rng(1)
    x = np.arange(cols)
    tb = np.empty((days, rows, cols), np.float32)
    for t in range(days):
        tb[t] = 250 + rng.random((rows, cols), np.float32)
        tb[t, :, (x + 37 * t) % 90 < 30] = np.nan
        tb[t, rng.random((rows, cols), np.float32) < 0.02] = np.nan
    return tb


def shifts(tb: Array, *, max_side: int, max_span: int, max_hold: int = -1) -> tuple[Array, Array, Array]:
    """The rule by shifted copies of the whole stack, as one would write it in NumPy: value, flag, age."""
    near, far = [], []
    for sign in (1, -1):
        value, distance = np.full(tb.shape, np.nan, np.float32), np.full(tb.shape, np.inf, np.float32)
        for k in range(max_side, 0, -1):
            moved = np.full(tb.shape, np.nan, np.float32)
            if sign > 0:
                moved[k:] = tb[:-k]
            else:
                moved[:-k] = tb[k:]
            known = ~np.isnan(moved)
            value[known], distance[known] = moved[known], k
        near.append(value)
        far.append(distance)
    (p, n), (dp, dn) = near, far
    with np.errstate(invalid="ignore"):
        middle = p + (n - p) * (dp / (dp + dn))
    observed, two, nearer = ~np.isnan(tb), dp + dn <= max_span, np.minimum(dp, dn)
    one = nearer <= max_hold
    value = np.select([observed, two, one], [tb, middle, np.where(dp <= dn, p, n)], np.float32(np.nan))
    if max_hold < 0:
        return value, np.empty(0, np.uint8), np.empty(0, np.uint8)
    flag = np.select([observed, two, one], [0, 1, 2], 3).astype(np.uint8)
    age = np.select([observed, two | one], [0, np.minimum(nearer, 254)], 255).astype(np.uint8)
    return value, flag, age


def by_masks(tb: Array) -> Array:
    """The rule of two days a side day by day, pair by pair: the fastest NumPy that we found, in few frames."""
    out = tb.copy()
    for t in range(len(tb)):
        for a in range(1, 3):
            for b in range(1, 3):
                if t >= a and t + b < len(tb):
                    can = np.isnan(out[t]) & ~np.isnan(tb[t - a]) & ~np.isnan(tb[t + b])
                    out[t][can] = tb[t - a][can] + (tb[t + b][can] - tb[t - a][can]) * np.float32(a / (a + b))
    return out


def frames_held(tb: Array, time: Array) -> float:
    """Frames of float32 that a stream holds at most."""
    rule = PRESETS["donahue-text"]
    days = zip(time, tb, strict=True)
    for _ in stream(zip(time[:3], tb[:3], strict=True), dates=time[:3], **rule):  # compiled
        pass
    tracemalloc.start()
    filled = stream(days, dates=time, **rule)
    while next(filled, None) is not None:  # the caller keeps none
        pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / tb[0].nbytes


def rows(size: Size) -> list[Row]:
    """The table's rows."""
    tb = swaths(*SHAPES[size])
    time = np.datetime64("2017-01-01", "ns") + np.arange(len(tb)) * np.timedelta64(1, "D")
    some = tb[:, :20]
    out = np.empty_like(tb)
    text, best = PRESETS["donahue-text"], PRESETS["recommended"]
    calls = {
        "copy": lambda: np.copyto(out, tb),
        "text": lambda: fill_values(tb, time, **text, out=out),
        "best": lambda: fill_cube(tb, time, **best),
    }
    seconds = interleaved(calls, repeats=9)
    slow = {
        **calls,
        "shifts": lambda: shifts(tb, max_side=2, max_span=4),
        "shifts3": lambda: shifts(tb, max_side=3, max_span=5, max_hold=2),
        "masks": lambda: by_masks(tb),
    }
    slower = interleaved(slow, repeats=5)  # the anchors' pages come anew each time, at a price that swings
    value, flag, age = fill_cube(some, time, **best)
    plain = fill_time(some, time, **best)
    parts = list(stream(zip(time, some, strict=True), dates=time, **best))
    same = all(np.array_equal(a, b, equal_nan=True) for a, b in zip((value, flag, age), plain, strict=True))
    for k, whole in enumerate((value, flag, age), start=1):
        same &= np.array_equal(whole, np.stack([part[k] for part in parts]), equal_nan=True)
    alone = fill_values(some, time, **text)
    near = np.array_equal(alone, shifts(some, max_side=2, max_span=4)[0], equal_nan=True)
    theirs = shifts(some, max_side=3, max_span=5, max_hold=2)
    same &= all(np.array_equal(a, b, equal_nan=True) for a, b in zip((value, flag, age), theirs, strict=True))
    near &= bool(np.allclose(alone, by_masks(some), rtol=1e-6, equal_nan=True))
    also = f"({slower['masks'] / slower['text']:.0f} times NumPy day by day, by masks)"
    return [
        Row(2, "+-2 days, value", "np.copyto", seconds["copy"], seconds["text"], 1 / 3, seconds["copy"], near),
        Row(2, "+-2 days, value", "NumPy shifts", slower["shifts"], slower["text"], 100, seconds["copy"], near, also),
        Row(2, "recommended, with flag and age", "np.copyto", seconds["copy"], seconds["best"], 1 / 8, equal=same),
        Row(2, "recommended, with flag and age", "NumPy shifts", slower["shifts3"], slower["best"], 30, equal=same),
        Row(2, "frames held, flag and age half one", "6.5 frames", 6.5, frames_held(tb[:12], time[:12]), 0.95),
    ]


if __name__ == "__main__":
    sys.exit(main(rows, __doc__))
