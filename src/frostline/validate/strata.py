"""Strata of cells from maps: one mask for each class, or for each bin of a quantity; and masks of sites from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import xarray as xr

from frostline.errors import InputError
from frostline.grid import Grid

Array = np.ndarray


def by_class(prefix: str, codes: Any, names: Mapping[float, str]) -> dict[str, Array]:
    """Masks (y, x) `prefix:name` of the cells of each code in `names`; classes without a cell are left out.

    >>> by_class("landcover", [[1, 2], [2, np.nan]], {2: "forest", 7: "barren"})["landcover:forest"].tolist()
    [[False, True], [True, False]]
    """
    codes = np.asarray(codes, float)
    masks = {f"{prefix}:{name}": codes == code for code, name in names.items()}
    return {name: mask for name, mask in masks.items() if mask.any()}


def by_bin(prefix: str, values: Any, edges: Sequence[float]) -> dict[str, Array]:
    """Masks (y, x) of the cells below the first edge, between edges (lower included), and from the last one on.

    Unknown cells (NaN) are in none; bins without a cell are left out.

    >>> {name: mask.tolist() for name, mask in by_bin("tci", [10, 50, 400, np.nan], (50, 150, 350)).items()}
    {'tci:<50': [True, False, False, False], 'tci:50-150': [False, True, False, False], \
'tci:>=350': [False, False, True, False]}
    """
    values = np.asarray(values, float)
    place = np.where(np.isfinite(values), np.searchsorted(edges, values, side="right"), -1)
    between = [f"{a:g}-{b:g}" for a, b in pairwise(edges)]
    names = [f"<{edges[0]:g}", *between, f">={edges[-1]:g}"]
    masks = {f"{prefix}:{name}": place == i for i, name in enumerate(names)}
    return {name: mask for name, mask in masks.items() if mask.any()}


def masks_of(strata: Mapping[str, Any], grid: Grid, truth: xr.Dataset) -> dict[str, Array]:
    """`all` and the strata as bool over the cells (y, x) of a record's grid, or over the sites that lie in them.

    A mask of another shape than the grid's, or the sites', is E-INPUT-GRID.
    """
    to_sites = "site" in truth["frozen"].dims
    fields = {"all": np.ones(grid.shape, bool), **{name: np.asarray(m, bool) for name, m in strata.items()}}
    fitting = [grid.shape, (truth.sizes["site"],)] if to_sites else [grid.shape]
    for name, mask in fields.items():
        if mask.shape not in fitting:
            raise InputError("E-INPUT-GRID", where=name, cause=f"mask of {mask.shape} on a grid of {grid.shape}")
    if not to_sites:
        return fields
    rows, cols = grid.locate(truth["lon"].values, truth["lat"].values)
    return {name: (mask[rows, cols] if mask.ndim == 2 else mask) & (rows >= 0) for name, mask in fields.items()}
