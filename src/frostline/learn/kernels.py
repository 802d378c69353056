"""Channels of a network and the flags of its answer, compiled: one pass over a field where numpy takes a dozen."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

Array = np.ndarray
ZERO, ONE, NAN = np.float32(0), np.float32(1), np.float32(np.nan)
NO_AGE = np.uint8(255)

# All arrays are rows (n,). error_model="numpy" spares a branch per division; no fastmath: NaN is a value here.


@njit(cache=True, nogil=True, error_model="numpy")
def scaled(values: Array, mean: Any, spread: Any, out: Array, valid: Array, first: bool) -> None:  # pragma: no cover
    """out f4: (value - mean) / spread, 0 for NaN; valid f4: 1 where this value, and those before unless first, are."""
    for i in range(values.size):
        value, before = values[i], valid[i]
        there = value == value
        before = ONE if first else before
        out[i] = np.float32((value - mean) / spread) if there else ZERO
        valid[i] = before if there else ZERO


@njit(cache=True, nogil=True, error_model="numpy")
def aged(age: Array, ten: Any, out: Array) -> None:  # pragma: no cover
    """out f4: age / ten, 0 where there is none (255, NaN)."""
    for i in range(age.size):
        days = np.float32(age[i])
        out[i] = days / ten if (days == days) & (days != np.float32(255)) else ZERO


@njit(cache=True, nogil=True, error_model="numpy")
def older(valid: Array, age: Array, oldest: Array, seen: Array) -> None:  # pragma: no cover
    """Where valid f4 is not 0: `oldest` u1 becomes the larger of itself and age (255, NaN: 0), `seen` true."""
    for i in range(valid.size):
        days, most, there = np.float32(age[i]), oldest[i], valid[i] != ZERO
        known = (days == days) & (days != np.float32(255)) & there
        own = np.uint8(np.int32(days)) if known else np.uint8(0)
        oldest[i] = own if own > most else most
        seen[i] |= there


@njit(cache=True, nogil=True, error_model="numpy")
def judged(
    p: Array,
    land: Array,
    seen: Array,
    age: Array,
    silent: Array,
    low: Any,
    outside: Any,
    missing: Any,
    filled: Any,
    doubtful: Any,
    out: Array,
    quality: Array,
    days: Array,
) -> None:  # pragma: no cover
    """p f4, land and seen bool, age u1, silent u2 (flags) -> p where known, flags u2, and age u1 where known."""
    none = np.uint16(0)
    for i in range(p.size):
        value, here, there, old, quiet = p[i], land[i], seen[i], age[i], silent[i]
        known = here & there
        flags = none if here else outside
        flags |= missing if here & (not there) else none
        flags |= filled if known & (old > 0) else none
        flags |= quiet if known else none
        flags |= doubtful if known & (abs(value - np.float32(0.5)) < low) else none
        out[i] = value if known else NAN
        quality[i] = flags
        days[i] = old if known else NO_AGE
