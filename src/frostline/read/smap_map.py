"""The undated SMAP freeze/thaw map on the global 36 km grid that serves as a picture beside the real example."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr

from frostline.errors import InputError
from frostline.grid import named
from frostline.read.common import need
from frostline.read.gate import METRE, check_codes, check_shape, inspect_file, reading
from frostline.schema import describe

THAWED, FROZEN, FILL = 0, 1, 254  # formats.md 1.2, freeze_thaw


def read_smap_map(path: str | Path) -> xr.Dataset:
    """`frozen` (y, x) on M36: 1 frozen, 0 thawed, NaN no retrieval. No date and no overpass: never score with it.

    Raises InputError: E-INPUT-GRID when the raster is not M36 within 1 m, E-INPUT-SCHEMA for other codes.
    """
    path, grid = Path(path), named("M36")
    inspect_file(path, "tiff")
    rasterio = need("rasterio", extra="geo")
    with reading(path), rasterio.open(path) as raster:
        check_shape(path, raster.shape, grid.shape, grid.name)
        a, (rows, cols) = raster.transform, grid.shape
        off = max(
            abs(a.c - grid.left),
            abs(a.f - grid.top),
            abs(a.c + cols * a.a - grid.left - cols * grid.step),
            abs(a.f + rows * a.e - grid.top + rows * grid.step),
        )
        if not off <= METRE:
            cause = f"its corners are {off:.4g} m off those of M36"
            raise InputError("E-INPUT-GRID", where=path, cause=cause, remedy="use a map on EASE-Grid 2.0 M36")
        codes = raster.read(1)
    check_codes(path, codes, (THAWED, FROZEN, FILL), "freeze_thaw")
    frozen = np.where(codes == FILL, np.nan, codes == FROZEN).astype(np.float32)
    ds = describe(grid.write(xr.Dataset({"frozen": (("y", "x"), frozen)})))
    return ds.assign_attrs(source="SMAP SPL3FTP extract", file=path.name, date="unknown")
