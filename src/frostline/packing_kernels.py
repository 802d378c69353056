"""Codes to values and back, compiled: the same arithmetic, cell by cell, as `packing` and the readers mean."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

Array = np.ndarray
NAN = np.float32(np.nan)
_BYTE, _TWO = np.uint16(8), np.uint64(2)


@njit(cache=True, nogil=True, error_model="numpy")
def decode(codes: Array, scale: Any, offset: Any, fill: Any, out: Array) -> None:  # pragma: no cover
    """codes (n,) unsigned, out (n,) f4: code * scale + offset (f8, rounded once), NaN where the code is the fill."""
    for i in range(codes.size):
        code = codes[i]
        value = np.float32(np.float64(code) * scale + offset)
        out[i] = NAN if code == fill else value


@njit(cache=True, nogil=True)
def look_up(codes: Array, table: Array, out: Array) -> None:  # pragma: no cover
    """codes (n,) u2, table (65536,) f4: out (n,) f4 is what the table has for each code."""
    for i in range(codes.size):
        out[i] = table[codes[i]]


@njit(cache=True, nogil=True, error_model="numpy")
def encode(
    values: Array, scale: Any, offset: Any, middle: Any, half: Any, fill: Any, top: Any, out: Array
) -> bool:  # pragma: no cover
    """values (n,) f4 or f8, out (n,) unsigned; whether all codes lie in 0..top. NaN and Inf become the fill.

    Only `middle` itself gets the code `half` (NaN: any value does).
    """
    one, outside = np.float32(1), 0
    for i in range(values.size):
        value = values[i]
        known = np.isfinite(value)
        code = np.rint((value - offset) / scale)
        beside = code + one if value > middle else code - one
        code = beside if (code == half) & (value != middle) else code
        fits = (code >= 0) & (code <= top)
        outside += known & (not fits)
        out[i] = np.int32(code) if known & fits else fill
    return outside == 0


@njit(cache=True, nogil=True)
def place(raw: Array, shuffled: bool, size: Any, top: int, left: int, out: Array) -> None:  # pragma: no cover
    """A row of chunks of `size` (rows, columns), two bytes a cell, low byte first, into out (y, x) u2.

    raw (bytes of all chunks, one after the other): `shuffled` has all low bytes of a chunk before all high ones. The
    first chunk's corner lies at (top, left) of `out`; what sticks out is left aside. Places count unsigned from the
    start of flat arrays: eight times faster than slices of the short rows.
    """
    (height, width), (rows, columns), flat = size, out.shape, out.reshape(-1)
    step, high = (1, height * width) if shuffled else (2, 1)
    for k in range(raw.size // (2 * height * width)):
        x = left + k * width
        first, end = max(0, -x), min(width, columns - x)
        for i in range(max(0, -top), min(height, rows - top)):
            low = np.uint64((2 * k * height + step * i) * width + step * first)
            up, to = low + np.uint64(high), np.uint64((top + i) * columns + x + first)
            if shuffled:
                for j in range(np.uint64(end - first)):
                    flat[to + j] = np.uint16(raw[low + j]) | np.uint16(raw[up + j]) << _BYTE
            else:
                for j in range(np.uint64(end - first)):
                    flat[to + j] = np.uint16(raw[low + _TWO * j]) | np.uint16(raw[up + _TWO * j]) << _BYTE
