"""One year of a record, a day at a time: what its seasons are counted from.

Fifteen days of two bits a cell are all that is remembered, so a year of a hemisphere costs what a few of its days do.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import xarray as xr

from frostline.clock import AM, PM, month

Array = np.ndarray
BOTH, EITHER = 3, 4  # overpass codes of seasons only: in the state at AM and PM; at one of them
FLAGS = {"partial": 1, "never": 2, "always": 4, "cut": 8}
_BLOCK_VALUES = 1 << 22
_DAY, _MONTH = np.timedelta64(1, "D"), np.timedelta64(1, "M")
_SOUGHT_UNTIL, _SOUGHT_FROM = 6, 5  # months of the year: onset 1 August to 31 January, offset 1 January to 31 July


class Rule(NamedTuple):
    """A season begins on a day in the state that opens `window` days (at most 16) of which `least` are in the state."""

    window: int
    least: int
    unverified: bool = False


def one_year(
    frozen: xr.DataArray,
    *,
    first: np.datetime64,
    codes: Sequence[int],
    thawed: bool,
    rule: Rule | None,
    months: Sequence[int],
    min_valid: float,
) -> dict[str, Array]:
    """The variables of `season.yearly` for the year that begins with the month `first`, (overpass, *cells*).

    `frozen` (time, overpass, *cells*) holds days of that year only, in rising order.
    """
    shape = (len(codes), *frozen.shape[2:])
    days, seen, valid = (np.zeros(shape, np.float32) for _ in range(3))
    transitions, began, last = np.zeros(shape, np.float32), np.zeros(shape, np.uint8), np.zeros(shape, np.uint8)
    partial = np.zeros(shape, bool)
    rings = None if rule is None else Rings.empty(shape)
    fields = _fields(frozen, codes, thawed)
    upcoming = next(fields, None)
    origin, middle = (
        first.astype("datetime64[D]"),
        int(((first + _SOUGHT_FROM * _MONTH).astype("datetime64[D]") - first) / _DAY),
    )
    half = int(((first + _SOUGHT_UNTIL * _MONTH).astype("datetime64[D]") - first) / _DAY)
    for this in first + np.arange(12) * _MONTH:
        begin, end = this.astype("datetime64[D]"), (this + _MONTH).astype("datetime64[D]")
        counted = int(month(this)) in months
        of_state, known = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
        for date in np.arange(begin, end):
            now = np.zeros(shape, np.uint8)  # 0 unknown or a tie, 1 the other class, 2 the state
            if upcoming is not None and upcoming[0] == date:
                p = upcoming[1]
                upcoming = next(fields, None)
                now += (p < 0.5) + 2 * (p > 0.5).astype(np.uint8)
                if counted:
                    of_state += (p > 0.5) + np.float32(0.5) * (p == 0.5)
                    known += ~np.isnan(p)
                transitions += (now > 0) & (last > 0) & (now != last)
                np.copyto(last, now, where=now > 0)
                np.copyto(began, now, where=began == 0)
            if rings is not None and rule is not None:
                rings.step(now, int((date - origin) / _DAY), rule, half=half, middle=middle)
        if counted:
            length = float((end - begin) / _DAY)
            partial |= known < max(min_valid * length, 1.0)
            days += length * of_state / np.maximum(known, 1)
            seen += of_state
            valid += known
    whole = ~partial
    flag = (
        FLAGS["partial"] * partial
        + FLAGS["never"] * (whole & (seen == 0))
        + FLAGS["always"] * (whole & (seen == valid))
        + FLAGS["cut"] * ((began == 2) | (last == 2))
    )
    found = {"DAYS": np.where(whole, days, np.nan), "transitions": np.where(whole, transitions, np.nan)}
    if rings is not None:
        for name, at in (("onset", rings.onset), ("offset", rings.offset)):
            found[name] = np.where(whole & (at >= 0), at, np.nan)
        found["length"] = found["offset"] - found["onset"]
    found = {name: values.astype(np.float32) for name, values in found.items()}
    return {**found, "days_seen": seen, "valid_days": valid.astype(np.uint16), "flag": flag.astype(np.uint8)}


@dataclass(eq=False)
class Rings:
    """The last days of each cell as bits, newest lowest, and what was found so far; -1 = not found."""

    inside: Array
    outside: Array
    was_outside: Array
    candidate: Array
    onset: Array
    offset: Array

    @staticmethod
    def empty(shape: tuple[int, ...]) -> Rings:
        """Rings that saw nothing."""
        inside, outside = np.zeros(shape, np.uint16), np.zeros(shape, np.uint16)
        candidate, onset, offset = (np.full(shape, -1, np.int16) for _ in range(3))
        return Rings(inside, outside, np.zeros(shape, bool), candidate, onset, offset)

    def step(self, now: Array, day: int, rule: Rule, *, half: int, middle: int) -> None:
        """Takes in day `day` of the year: 2 in the state, 1 in the other class, 0 unknown.

        An onset opens a window of the state before day `half`, after a day of the other class. A window of the other
        class is a candidate for the offset until a window of the state follows; it counts from day `middle` on.
        """
        oldest = np.uint16(1 << (rule.window - 1))
        mask = np.uint16((1 << rule.window) - 1)
        self.was_outside |= (self.outside & oldest) > 0  # the day that now leaves the window
        self.inside = ((self.inside << np.uint16(1)) | (now == 2)) & mask
        self.outside = ((self.outside << np.uint16(1)) | (now == 1)) & mask
        start = day - rule.window + 1
        if start < 0:
            return
        state = ((self.inside & oldest) > 0) & (np.bitwise_count(self.inside) >= rule.least)
        other = ((self.outside & oldest) > 0) & (np.bitwise_count(self.outside) >= rule.least)
        if start < half:
            self.onset[state & self.was_outside & (self.onset < 0)] = start
        self.candidate[state] = -1
        self.candidate[other & (self.onset >= 0) & (self.candidate < 0)] = start
        if start >= middle:
            np.copyto(self.offset, self.candidate, where=(self.offset < 0) & (self.candidate >= 0))


def blocks(frozen: xr.DataArray) -> Iterator[tuple[slice, Array]]:
    """Slices of time with their values; a lazy array is computed a block at a time."""
    step = max(1, _BLOCK_VALUES // max(1, int(np.prod(frozen.shape[1:]))))
    for begin in range(0, frozen.shape[0], step):
        days = slice(begin, begin + step)
        yield days, np.asarray(frozen[days].values, np.float32)


def _fields(frozen: xr.DataArray, codes: Sequence[int], thawed: bool) -> Iterator[tuple[np.datetime64, Array]]:
    """(date, probability of the state (code, *cells*)) of each day that the record holds."""
    dates = frozen["time"].values.astype("datetime64[D]")
    place = {int(code): k for k, code in enumerate(frozen["overpass"].values)}
    for days, block in blocks(frozen):
        chance = 1 - block if thawed else block
        for date, p in zip(dates[days], chance, strict=True):
            yield date, np.stack([_combined(p, place, code) for code in codes])


def _combined(p: Array, place: dict[int, int], code: int) -> Array:
    """One overpass; or both, unknown where either is.

    A half known to be thawed would settle `BOTH` alone, a frozen half would not: the days so won are thawed ones only.
    """
    if code == BOTH:
        return np.minimum(p[place[AM]], p[place[PM]])
    if code == EITHER:
        return np.maximum(p[place[AM]], p[place[PM]])
    return p[place[code]]
