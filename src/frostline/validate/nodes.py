"""A dense network's thermometers as the states of the cells they stand in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
import xarray as xr

from frostline.errors import InputError
from frostline.grid import Grid


def states_of_cells(
    networks: Mapping[str, xr.Dataset],
    grid: Grid,
    *,
    by: Literal["mean", "majority"] = "mean",
    below: float = 273.15,
) -> xr.Dataset:
    """Sites, one for each network and cell with nodes in it: `frozen` (time, overpass, site) of 1, 0 and NaN.

    `networks`: sites by name. `mean`: the known `soil_temperature` (K) of a cell's nodes are averaged and the mean is
    frozen under `below`; `majority`: the known nodes vote, a draw is unknown. How Cui et al. 2024 make one value of
    several nodes is not stated. Coordinates: `lon`, `lat` of the cell's centre, `network`, `nodes` (how many stand
    there). Nodes outside the grid are left out; a day without a node that knows is NaN.

    Raises InputError for `mean` without temperatures, and when no node stands on the grid.
    """
    lon, lat = grid.lonlat()
    parts = []
    for name, sites in networks.items():
        if by == "mean" and "soil_temperature" not in sites:
            cause = "has states but no soil temperatures to be averaged"
            raise InputError("E-INPUT-SCHEMA", where=name, cause=cause, remedy='set validate.nodes = "majority"')
        rows, cols = grid.locate(sites["lon"].values, sites["lat"].values)
        cells = np.where(rows >= 0, rows * grid.shape[1] + cols, -1)
        for cell in np.unique(cells[cells >= 0]):
            nodes = np.flatnonzero(cells == cell)
            field = sites["soil_temperature" if by == "mean" else "frozen"].isel(site=nodes)
            value = field.transpose("time", "overpass", "site").mean("site")  # of those that know
            frozen = (value < below) if by == "mean" else (value > 0.5)
            known = value.notnull() & ((value != 0.5) if by == "majority" else True)
            place = divmod(int(cell), grid.shape[1])
            parts.append(
                frozen.astype(np.float32)
                .where(known)
                .drop_vars([c for c in frozen.coords if c not in ("time", "overpass")])
                .expand_dims(site=[f"{name}:{place[0]},{place[1]}"], axis=-1)
                .assign_coords(
                    lon=("site", [float(lon[place])]),
                    lat=("site", [float(lat[place])]),
                    network=("site", [name]),
                    nodes=("site", [len(nodes)]),
                )
            )
    if not parts:
        where = ", ".join(networks) or "networks"
        raise InputError("E-INPUT-GRID", where=where, cause="no node stands on the grid", remedy="check grid and nodes")
    return xr.concat(parts, "site", join="outer").rename("frozen").to_dataset()
