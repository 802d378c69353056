"""Claims and a truth brought to the same days, overpasses and cells, a block of days at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import reduce
from typing import Any

import numpy as np
import xarray as xr

from frostline.clock import OVERPASS_NAMES
from frostline.errors import ConfigError, InputError
from frostline.grid import Grid

Array = np.ndarray
_BLOCK_VALUES = 1 << 22  # values of one record in memory at once


def matched(
    claims: Mapping[str, xr.Dataset], truth: xr.Dataset, *, days: Any = None
) -> Iterator[tuple[dict[str, xr.DataArray], xr.DataArray]]:
    """Blocks of days with every claim's and the truth's `frozen`, in memory, on equal (time, overpass, *cells*).

    Claims are records on one grid. The truth is a record on that grid, or sites: then each claim is taken at the cell
    that contains the site (NaN for a site outside). Days are those that all have, within `days` (datetime64) when
    given; overpasses those that all have. Raises InputError when the grids differ or no day or overpass is common.
    """
    grid = same_grid(claims)
    cells: tuple[Array, Array] | None = None
    if "site" in truth["frozen"].dims:
        cells = grid.locate(truth["lon"].values, truth["lat"].values)
    else:
        same_grid({**claims, "truth": truth})
    everything = [*claims.values(), truth]
    times = common_days(*everything, days=days)
    codes = common_overpasses(*everything)
    step = max(1, _BLOCK_VALUES // (grid.shape[0] * grid.shape[1] * len(codes)))
    for begin in range(0, len(times), step):
        part = {"time": times[begin : begin + step], "overpass": codes}
        fields = {name: claim["frozen"].sel(part).load() for name, claim in claims.items()}
        if cells is not None:
            fields = {name: at_cells(field, *cells) for name, field in fields.items()}
            fields = {name: field.assign_coords(site=truth["site"]) for name, field in fields.items()}
        yield fields, truth["frozen"].sel(part).load()


def at_cells(field: xr.DataArray, rows: Array, cols: Array) -> xr.DataArray:
    """A field (..., y, x) at some cells, (..., site); a row or column of -1 (outside) gives NaN."""
    inside = xr.DataArray(np.asarray(rows) >= 0, dims="site")
    taken = field.isel(y=xr.DataArray(rows, dims="site"), x=xr.DataArray(cols, dims="site"))
    return taken.drop_vars(["y", "x", "spatial_ref"], errors="ignore").where(inside)


def same_grid(datasets: Mapping[str, xr.Dataset]) -> Grid:
    """The grid that all the datasets lie on; an InputError that names the first one that does not."""
    (first, ds), *others = datasets.items()
    grid = Grid.of(ds)
    for name, other in others:
        its = Grid.of(other)
        try:
            same = its.offset(grid) == (0, 0) and its.shape == grid.shape
        except ConfigError:
            same = False
        if not same:
            raise InputError(
                "E-INPUT-GRID",
                where=name,
                cause=f"lies on {its}, {first} on {grid}",
                remedy="bring both onto one grid with the step `assemble` before comparing",
            )
    return grid


def common_days(*datasets: xr.Dataset, days: Any = None) -> Array:
    """Dates that all the datasets (and `days`) have, rising, datetime64[ns]; none is an InputError."""
    lists = [np.asarray(ds["time"].values, "datetime64[ns]") for ds in datasets]
    if days is not None:
        lists.append(np.asarray(days, "datetime64[ns]"))
    shared = reduce(np.intersect1d, lists)
    if not len(shared):
        spans = ", ".join(f"{str(t.min())[:10]}..{str(t.max())[:10]}" if len(t) else "no day" for t in lists)
        raise InputError("E-INPUT-TIME", cause=f"no day is common to what is compared ({spans})")
    return shared


def common_overpasses(*datasets: xr.Dataset) -> list[int]:
    """Overpass codes that all the datasets have, rising; none is an InputError."""
    lists = [set(ds["overpass"].values.tolist()) for ds in datasets]
    shared = sorted(set.intersection(*lists))
    if not shared:
        names = " and ".join("/".join(OVERPASS_NAMES[c] for c in sorted(codes)) for codes in lists)
        raise InputError("E-INPUT-TIME", cause=f"no overpass is common to what is compared ({names})")
    return shared
