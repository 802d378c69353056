"""Short gaps in time: the nearest measured days before and after a missing one, each cell by itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Literal, TypedDict, get_args

import numpy as np

from frostline.errors import ConfigError, InputError

Array = np.ndarray
OneSided = Literal["hold", "none"]
Mode = Literal["linear", "mean", "causal"]
OBSERVED, TWO_SIDED, ONE_SIDED, MISSING = 0, 1, 2, 3  # `flag`
AGE_NONE = 255  # `age` where there is no value
AGE_LARGEST = 254


class Rule(TypedDict, total=False):
    """The options of `fill_time`, as a preset holds them."""

    max_side: float
    max_span: float
    one_sided: OneSided
    mode: Mode
    max_hold: float | None


PRESETS: dict[str, Rule] = {
    # Donahue 2023's published code, SMAP: five days on either side, linear weights, one side held
    "donahue-code-smap": Rule(max_side=5, max_span=10, one_sided="hold", mode="linear"),
    # the same code, AMSR2: three days on either side, the two sides averaged without weights
    "donahue-code-amsr2": Rule(max_side=3, max_span=6, one_sided="none", mode="mean"),
    # Donahue 2023, equation 1, read as a centred window of five days
    "donahue-text": Rule(max_side=2, max_span=4, one_sided="none", mode="linear"),
    "recommended": Rule(max_side=3, max_span=5, one_sided="hold", mode="linear", max_hold=2),
    # for a service that cannot see tomorrow
    "causal": Rule(max_side=3, max_span=3, one_sided="hold", mode="causal"),
}


def fill_time(
    tb: Any,
    time: Any,
    *,
    max_side: float,
    max_span: float,
    one_sided: OneSided,
    mode: Mode,
    max_hold: float | None = None,
) -> tuple[Array, Array, Array]:
    """Gaps of a (time, y, x) stack filled along time: (value float32, flag uint8, age uint8), same shape.

    Observed values are never altered. Else p and n are the nearest valid values within `max_side` days before
    and after. With both, and at most `max_span` days between them: p + (n - p) Dp/(Dp + Dn) (`linear`: Donahue
    2023, equation 1) or their `mean`. Otherwise, with `one_sided="hold"`, the nearer one if it is at most
    `max_hold` days away (default `max_side`; equal distance: the earlier). `causal` holds p and never looks
    at n, so `max_span` says nothing there. Distances are true differences of `time` (datetime64), in days.

    `flag`: 0 observed, 1 two-sided, 2 one-sided, 3 missing. `age`: days to the nearer value used, rounded up;
    0 observed, 255 missing. This is the plain form; `fill_cube` and `stream` give the same bits.
    """
    side, span, hold = _limits(max_side, max_span, one_sided, mode, max_hold)
    tb, days = np.asarray(tb, np.float32), _days(time)
    value, flag, age = (np.empty(tb.shape, kind) for kind in (np.float32, np.uint8, np.uint8))
    for t in range(len(days)):
        p, dp = np.full(tb.shape[1:], np.nan, np.float32), np.full(tb.shape[1:], np.inf, np.float32)
        n, dn = p.copy(), dp.copy()
        for k, lag in zip(*_neighbours(days, days[t], side, mode), strict=True):
            valid = ~np.isnan(tb[k])
            near, distance = (p, dp) if lag < 0 else (n, dn)
            near[valid], distance[valid] = tb[k][valid], abs(lag)
        with np.errstate(invalid="ignore"):  # an empty side is nan at infinity: inf/inf, and not used
            part = dp / (dp + dn) if mode != "mean" else np.float32(0.5)
            middle = p + (n - p) * part
        observed, two, one = ~np.isnan(tb[t]), dp + dn <= span, np.minimum(dp, dn) <= hold
        held = np.where(dp <= dn, p, n)
        value[t] = np.select([observed, two, one], [tb[t], middle, held], np.float32(np.nan))
        flag[t] = np.select([observed, two, one], [OBSERVED, TWO_SIDED, ONE_SIDED], MISSING)
        far = np.ceil(np.minimum(np.minimum(dp, dn), np.float32(AGE_LARGEST)))
        age[t] = np.select([observed, two | one], [0, far], AGE_NONE)
    return value, flag, age


def fill_cube(
    tb: Any,
    time: Any,
    *,
    max_side: float,
    max_span: float,
    one_sided: OneSided,
    mode: Mode,
    max_hold: float | None = None,
) -> tuple[Array, Array, Array]:
    """`fill_time` by the compiled row kernels, for a whole stack in memory: same arguments, same bits."""
    limits = _limits(max_side, max_span, one_sided, mode, max_hold)
    value, flag, age = (np.empty(np.shape(tb), kind) for kind in (np.float32, np.uint8, np.uint8))
    _cube(tb, time, limits, mode, value, flag, age)
    return value, flag, age


def fill_values(
    tb: Any,
    time: Any,
    *,
    max_side: float,
    max_span: float,
    one_sided: OneSided,
    mode: Mode,
    max_hold: float | None = None,
    out: Array | None = None,
) -> Array:
    """The value of `fill_cube` alone, into `out` (float32, of the shape of `tb`, not `tb` itself) where it is given."""
    limits = _limits(max_side, max_span, one_sided, mode, max_hold)
    value = np.empty(np.shape(tb), np.float32) if out is None else out
    if value.shape != np.shape(tb) or value.dtype != np.float32 or not value.flags.c_contiguous:
        cause = f"{value.dtype} {value.shape} for a stack of {np.shape(tb)}"
        raise InputError("E-INPUT-GRID", where="out", cause=cause, remedy="contiguous float32 of the same shape")
    none = np.empty((0, 0), np.uint8)
    _cube(tb, time, limits, mode, value, none, none)
    return value


def _cube(tb: Any, time: Any, limits: tuple[Any, Any, Any], mode: Mode, value: Array, flag: Array, age: Array) -> None:
    from frostline.gapfill_kernels import fill_strips  # numba is loaded by those who fill, not by --help
    from frostline.gapfill_window import fill_windows, parts

    side, span, hold = limits
    tb, days = np.ascontiguousarray(tb, np.float32), _days(time)
    flat, marked = (len(tb), int(np.prod(tb.shape[1:]))), flag.size > 0
    slots, lags = _plan_rising(days, side, mode)
    v, f, a = (part.reshape(flat) if part.size else part.reshape(0, 0) for part in (value, flag, age))
    windows = parts(slots, lags, span, mode == "mean") if hold < 0 and not marked else None
    if windows is not None:
        fill_windows(tb.reshape(flat), *windows, v)
        return
    fill_strips(tb.reshape(flat), np.arange(len(days)), slots, lags, span, hold, mode == "mean", v, f, a, marked)


def stream(
    frames: Iterable[tuple[Any, Any]],
    *,
    dates: Any,
    max_side: float,
    max_span: float,
    one_sided: OneSided,
    mode: Mode,
    max_hold: float | None = None,
) -> Iterator[tuple[np.datetime64, Array, Array, Array]]:
    """`fill_time` day by day: (date, value float32, flag uint8, age uint8), each (y, x), for each of `dates`.

    `frames` are (date, (y, x) array) in rising order, at most one a day; a day they skip is a missing day and
    is filled like any other. Frames of dates that are not asked for still serve as neighbours, so a year may
    be cut anywhere if each part gets `max_side` more days on both sides. Holds 2 max_side + 1 frames and the
    one it yields. InputError: no frame at all, dates that do not rise, shapes that differ.
    """
    from frostline.gapfill_kernels import fill_strips

    side, span, hold = _limits(max_side, max_span, one_sided, mode, max_hold)
    wanted = np.atleast_1d(np.asarray(dates, "datetime64[ns]"))
    held = np.full(2 * int(np.ceil(side)) + 1, np.nan)  # the day in each slot of the ring; NaN: free
    ring, shape, newest = np.empty((0, 0), np.float32), (0, 0), -np.inf
    source = iter(frames)
    for date, day in zip(wanted, _days(wanted), strict=True):
        held[held < day - side] = np.nan
        while newest < day + side and (item := next(source, None)) is not None:
            frame, late = np.asarray(item[1]), float(_days([item[0]])[0])
            if not ring.size:
                shape = frame.shape
                ring = np.empty((held.size, frame.size), np.float32)
            _check_next(item[0], late - newest, frame.shape, shape)
            newest = late
            if late >= day - side:
                slot = int(np.flatnonzero(np.isnan(held))[0])
                ring[slot], held[slot] = frame.reshape(-1), late
            del item, frame  # not kept beside its copy while the next is made
        if not ring.size:
            raise InputError("E-INPUT-EMPTY", cause="not one frame to fill gaps from")
        today = np.flatnonzero(held == day)[:1] if (held == day).any() else np.array([-1])
        slots, lags = _plan([_neighbours(held, day, side, mode)])
        value, flag, age = (np.empty((1, ring.shape[1]), kind) for kind in (np.float32, np.uint8, np.uint8))
        fill_strips(ring, today, slots, lags, span, hold, mode == "mean", value, flag, age, True)
        yield date, value.reshape(shape), flag.reshape(shape), age.reshape(shape)
        del value, flag, age  # not kept beside the next day's


def _neighbours(days: Array, day: float, side: float, mode: Mode) -> tuple[Array, Array]:
    """Indices and signed distances (float32 days) of the frames in reach, the farthest first.

    Whoever reads them in this order and overwrites ends with the nearest on each side.
    """
    lags = days - day
    reach = (np.abs(lags) <= side) & (lags != 0) & ((lags < 0) | (mode != "causal"))
    index = np.flatnonzero(reach)
    index = index[np.argsort(-np.abs(lags[index]), kind="stable")]
    return index, lags[index].astype(np.float32)


def _plan(neighbours: list[tuple[Array, Array]]) -> tuple[Array, Array]:
    """The neighbours of several days as two tables, short lists filled with slot -1."""
    width = max((len(index) for index, _ in neighbours), default=0)
    slots = np.full((len(neighbours), width), -1, np.int64)
    lags = np.zeros((len(neighbours), width), np.float32)
    for t, (index, lag) in enumerate(neighbours):
        slots[t, : len(index)], lags[t, : len(index)] = index, lag
    return slots, lags


def _plan_rising(days: Array, side: float, mode: Mode) -> tuple[Array, Array]:
    """`_plan` of the neighbours of every one of `days`, which rise."""
    first, last = np.searchsorted(days, days - side), np.searchsorted(days, days + side, "right")
    index = np.minimum(first[:, None] + np.arange(np.max(last - first, initial=0)), len(days) - 1)
    lags = days[index] - days[:, None]
    reach = (first[:, None] + np.arange(index.shape[1]) < last[:, None]) & (lags != 0)
    reach &= (lags < 0) | (mode != "causal")
    order = np.argsort(np.where(reach, -np.abs(lags), np.inf), axis=1, kind="stable")
    slots, lags = np.where(reach, index, -1), np.where(reach, lags, 0).astype(np.float32)
    return np.take_along_axis(slots, order, 1), np.take_along_axis(lags, order, 1)


def _limits(
    max_side: float, max_span: float, one_sided: OneSided, mode: Mode, max_hold: float | None
) -> tuple[np.float64, np.float32, np.float32]:
    """Side, span and hold as numbers that the comparisons need: a hold of -1 never happens."""
    if one_sided not in get_args(OneSided) or mode not in get_args(Mode):
        raise ConfigError("E-CONFIG", where="gapfill", cause=f"one_sided={one_sided!r}, mode={mode!r}")
    if not (0 <= max_side < np.inf) or not max_span >= 0 or (max_hold is not None and not max_hold >= 0):
        raise ConfigError(
            "E-CONFIG",
            where="gapfill",
            cause=f"max_side={max_side}, max_span={max_span}, max_hold={max_hold}",
            remedy="days, none negative, max_side finite",
        )
    if mode == "causal" and one_sided == "none":
        raise ConfigError("E-CONFIG", where="gapfill", cause='mode="causal" with one_sided="none" fills nothing')
    hold = -1.0 if one_sided == "none" else min(max_side, max_side if max_hold is None else max_hold)
    # an empty side lies at infinity, which an endless span must not reach
    return np.float64(max_side), np.float32(min(max_span, 2 * max_side)), np.float32(hold)


def _days(time: Any) -> Array:
    """Times as float64 days, strictly rising."""
    stamps = np.asarray(time, "datetime64[ns]")
    days = stamps.astype(np.int64) / 86_400e9
    if np.isnat(stamps).any() or (np.diff(days) <= 0).any():
        raise InputError("E-INPUT-TIME", where="gapfill", cause="dates do not rise, or repeat")
    return days


def _check_next(date: Any, step: float, shape: tuple[int, ...], first: tuple[int, ...]) -> None:
    if step < 1:
        raise InputError(
            "E-INPUT-TIME", where=str(date), cause="frames do not rise by at least a day", remedy="sort and merge"
        )
    if shape != first:
        raise InputError("E-INPUT-GRID", where=str(date), cause=f"a frame of {shape} after frames of {first}")
