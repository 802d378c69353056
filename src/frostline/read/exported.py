"""A record that was exported as CF netCDF, read back as a record."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr
from pyproj import CRS

from frostline.errors import InputError
from frostline.grid import Grid
from frostline.read.gate import check_axes, inspect_file, reading
from frostline.schema import coordinates, describe

Array = np.ndarray
REMEDY = "give a record store (.zarr) or a file that frostline export wrote"
DAYS_A_CHUNK = 32
TOLERANCE = 1e-3  # of a cell: how far the axes may be off what the file says of its grid


def read_exported(path: str | Path) -> xr.Dataset:
    """The record of a `<name>_<year>.nc` that `frostline export` wrote, lazily; of either polarity.

    `frozen` (time, overpass, y, x) from `frozen_probability`, or 1 - `thaw_probability`; `quality` and `age` where the
    file has them, as codes. Raises InputError E-INPUT-SCHEMA for a file without these, and the gate's errors.
    """
    path = Path(path)
    inspect_file(path, "netcdf")
    with reading(path):
        codes = {"quality": False, "age": False}
        ds = xr.open_dataset(path, engine="h5netcdf", mask_and_scale=codes, decode_coords=False)  # type: ignore[arg-type]
    name = next((n for n in ("frozen_probability", "thaw_probability") if n in ds), None)
    if name is None or "crs" not in ds.variables or not {"time", "overpass", "y", "x"} <= set(ds[name].dims):
        cause = "no record: it lacks frozen_probability or its grid mapping"
        raise InputError("E-INPUT-SCHEMA", where=path, cause=cause, remedy=REMEDY)
    with reading(path):
        grid = _grid(ds, path)
    frozen = ds[name].variable
    if name == "thaw_probability":
        frozen = 1 - frozen.chunk({"time": DAYS_A_CHUNK})
    kept = {"frozen": frozen, **{n: ds[n].variable for n in ("quality", "age") if n in ds}}
    for variable in kept.values():
        variable.attrs = {}
    out = coordinates(xr.Dataset(kept), time=ds["time"].values, overpass=ds["overpass"].values)
    return describe(grid.write(out)).assign_attrs(
        {k: v for k, v in ds.attrs.items() if not k.startswith("geospatial_")}
    )


def _grid(ds: xr.Dataset, path: Path) -> Grid:
    """The grid that the mapping's GeoTransform and WKT tell, checked against the axes."""
    facts = ds["crs"].attrs
    left, step, _, top, _, _ = (float(v) for v in str(facts["GeoTransform"]).split())
    authority = CRS.from_wkt(str(facts["crs_wkt"])).to_authority()
    if authority is None:
        raise InputError("E-INPUT-GRID", where=path, cause="the file's projection has no EPSG code", remedy=REMEDY)
    grid = Grid(path.stem, ":".join(authority), left, top, step, (ds.sizes["y"], ds.sizes["x"]))
    check_axes(path, ds["x"].values, ds["y"].values, grid, tolerance=TOLERANCE * step)
    return grid
