"""Two records against each other: which is right where both are known, as daily sums that add."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

Array = np.ndarray
Pairs = Sequence[tuple[str, str]]


def ahead(
    claims: Mapping[str, xr.DataArray],
    truth: xr.DataArray,
    pairs: Pairs,
    *,
    weights: Any = None,
    strata: Mapping[str, Array],
) -> xr.Dataset:
    """Daily sums (time, overpass, stratum, record) of each pair, on the cell-days that both and the truth know.

    `ahead`: how often the first is right less how often the second is (a claim of .5 is half right); `compared`: their
    cell-days; both weigh cells by `weights`; `n`: cell-days, never weighted. Fields are (time, overpass, *cells*).
    """
    members = np.stack([np.asarray(mask, float).reshape(-1) for mask in strata.values()], axis=-1)
    weighted = members if weights is None else members * np.asarray(weights, float).reshape(-1, 1)
    parts = []
    for gain, known in _gains(claims, truth, pairs):
        flat = (*gain.shape[:2], -1)
        parts.append([(gain.reshape(flat) @ weighted), known.reshape(flat) @ weighted, known.reshape(flat) @ members])
    dims = ("record", "time", "overpass", "stratum")
    coords = {"time": truth["time"].values, "overpass": truth["overpass"].values, "stratum": list(strata)}
    return _dataset(parts, dims, coords)


def ahead_cells(claims: Mapping[str, xr.DataArray], truth: xr.DataArray, pairs: Pairs) -> xr.Dataset:
    """The same sums of every site over all days, (overpass, site, record), to resample stations."""
    parts = [[gain.sum(0), known.sum(0), known.sum(0)] for gain, known in _gains(claims, truth, pairs)]
    return _dataset(parts, ("record", "overpass", "site"), {"overpass": truth["overpass"].values})


def _gains(claims: Mapping[str, xr.DataArray], truth: xr.DataArray, pairs: Pairs) -> Any:
    """Each pair's right minus right, and where both are known, as float64 (time, overpass, *cells*)."""
    state = truth.transpose("time", "overpass", ...)
    right = {}
    for name in dict.fromkeys(name for pair in pairs for name in pair):
        claim = claims[name].transpose(*state.dims).values
        score = np.where(claim == 0.5, 0.5, (claim > 0.5) == (state.values == 1))
        right[name] = np.where(np.isnan(claim) | np.isnan(state.values), np.nan, score)
    for first, second in pairs:
        gain = right[first] - right[second]
        known = ~np.isnan(gain)
        yield np.where(known, gain, 0.0), known.astype(float)


def _dataset(parts: list[list[Array]], dims: tuple[str, ...], coords: Mapping[str, Any]) -> xr.Dataset:
    stacked = {name: (dims, np.stack([p[i] for p in parts])) for i, name in enumerate(("ahead", "compared", "n"))}
    return xr.Dataset(stacked, coords)
