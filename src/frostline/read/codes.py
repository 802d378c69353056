"""Brightness temperatures from packed codes: all rules are put into one table of 65,536 values, then looked up."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from frostline.read.gate import TB_KELVIN, check_kelvin, thinned

Array = np.ndarray
ALL = np.arange(1 << 16, dtype=np.uint16)  # every code there is


def kelvin(path: str | Path, name: str, packed: Array, table: Array) -> Array:
    """K (float32) of codes uint16, of which `table` (65536,) float32 says what each is worth, NaN for fills.

    First the unit is tested (E-INPUT-UNITS), then values outside TB_KELVIN become NaN. The same bits as by arithmetic
    on the field, in one pass over it.
    """
    from frostline.packing_kernels import look_up  # numba: not loaded by --help

    codes = np.ascontiguousarray(packed, np.uint16).reshape(-1)
    thin = table[thinned(codes)]
    check_kelvin(path, thin if np.isfinite(thin).any() else table[codes], name, TB_KELVIN)
    with np.errstate(invalid="ignore"):
        table = np.where((table < TB_KELVIN[0]) | (table > TB_KELVIN[1]), np.float32(np.nan), table)
    out = np.empty(packed.shape, np.float32)
    look_up(codes, table, out.reshape(-1))
    return out
