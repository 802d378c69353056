"""Daily surface melt of the Antarctic ice sheet (Antarctica Today, NSIDC), repacked as one NPZ of its ice pixels.

Layout: `melt` int8 (date, pixel) with 0 missing, 1 no melt, 2 melt; `dates`; `flat_index` into the 332 x 316 cells of
NSIDC's south polar stereographic grid of 25 km, row by row; `shape`. Melt is a thawed surface of ice: no soil.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from pyproj import Proj

from frostline.clock import DAILY, FROST_YEAR_MONTH
from frostline.errors import InputError
from frostline.grid import Grid
from frostline.read.archive import members
from frostline.read.gate import check_cells, check_codes, check_shape, reading
from frostline.schema import coordinates

Array = np.ndarray
# NSIDC's polar stereographic grids (NSIDC-0051 and others): outer corner -3950 km, 4350 km; 25 km; 332 x 316 cells
SOUTH = Grid("S25", "EPSG:3412", -3.95e6, 4.35e6, 25_000.0, (332, 316))
MISSING, NO_MELT, MELT = 0, 1, 2
ROWS = 64  # days unpacked at a time


def read_melt(path: str | Path, *, start_month: int = FROST_YEAR_MONTH) -> Iterator[xr.Dataset]:
    """The record one year after another, parted on the first of `start_month`; sites on (time, overpass 2, site).

    `frozen` is 1 where there was no melt, 0 where there was, NaN unknown, float32. `site` is the cell's number in the
    grid; coordinates `lon`, `lat`, `row`, `col` and `area` (m2, true: the projection is not equal-area). The file is
    unpacked once from its beginning to its end, so no more than one year is held. Raises InputError for codes other
    than 0, 1, 2, dates that do not rise, another grid, or pickled arrays.
    """
    path = Path(path)
    dates, places = melt_dates(path), melt_places(path)
    year = (dates.astype("datetime64[M]").astype(int) - (start_month - 1)) // 12
    ends = np.flatnonzero(np.diff(year, append=year[-1] + 1)) + 1
    begins = np.r_[0, ends[:-1]]
    with reading(path), zipfile.ZipFile(path) as archive, archive.open("melt.npy") as stream:
        shape = _header(path, stream, np.dtype("int8"))
        check_shape(path, shape, (len(dates), places.sizes["site"]), "dates and pixels of the file")
        for begin, end in zip(begins, ends, strict=True):
            codes = np.empty((end - begin, shape[1]), np.int8)
            for row in range(0, end - begin, ROWS):
                block = codes[row : row + ROWS]
                data = stream.read(block.size)
                if len(data) != block.size:
                    cause, remedy = "melt.npy ends before its last day", "fetch it again"
                    raise InputError("E-INPUT-TRUNC", where=path, cause=cause, remedy=remedy)
                block[:] = np.frombuffer(data, np.int8).reshape(block.shape)
            check_codes(path, codes, (MISSING, NO_MELT, MELT), "melt")
            frozen = (codes == NO_MELT).astype(np.float32)
            frozen[codes == MISSING] = np.nan
            ds = xr.Dataset({"frozen": (("time", "overpass", "site"), frozen[:, None])}, coords=places.coords)
            ds = coordinates(ds, time=dates[begin:end].astype("datetime64[ns]"), overpass=[DAILY])
            rule = "one state a day: thawed where the surface of the ice melts"
            yield ds.assign_attrs({**SOUTH.attrs(), "source": "Antarctica Today", "overpass_rule": rule})


def melt_dates(path: str | Path) -> Array:
    """The dates of the record, rising, datetime64[D]."""
    dates = _array(path, "dates.npy", "M").astype("datetime64[D]")
    if not len(dates) or not np.all(np.diff(dates) > np.timedelta64(0, "D")):
        raise InputError("E-INPUT-TIME", where=path, cause="its dates do not rise", remedy="fetch it again")
    return dates


def melt_places(path: str | Path) -> xr.Dataset:
    """Where the pixels lie: coordinates `lon`, `lat`, `row`, `col`, `area` on `site`, their numbers in the grid."""
    check_shape(path, tuple(_array(path, "shape.npy", "i").tolist()), SOUTH.shape, "NSIDC's southern grid of 25 km")
    flat = _array(path, "flat_index.npy", "i").astype(np.int64)
    if not len(flat) or flat.min() < 0 or flat.max() >= SOUTH.shape[0] * SOUTH.shape[1] or (np.diff(flat) <= 0).any():
        raise InputError("E-INPUT-GRID", where=path, cause="flat_index does not rise within the grid")
    row, col = np.divmod(flat, SOUTH.shape[1])
    lon, lat = (v[row, col] for v in SOUTH.lonlat())
    with np.errstate(invalid="ignore"):
        scale = Proj(SOUTH.crs).get_factors(lon, lat).areal_scale
    area = SOUTH.step**2 / np.asarray(scale, float)
    columns = {"lon": lon, "lat": lat, "row": row, "col": col, "area": area}
    return xr.Dataset(coords={"site": flat, **{name: ("site", values) for name, values in columns.items()}})


def _array(path: str | Path, name: str, kind: str) -> Array:
    """A small array of the archive, of this kind of numbers, never pickled."""
    if name not in {info.filename for info in members(path, (".npy",))}:
        cause, remedy = f"holds no {name}", "give the NPZ of melt, dates, flat_index and shape"
        raise InputError("E-INPUT-SCHEMA", where=path, cause=cause, remedy=remedy)
    with reading(path), zipfile.ZipFile(path) as archive, archive.open(name) as stream:
        array = np.lib.format.read_array(stream, allow_pickle=False)
    if array.dtype.kind != kind or array.ndim != 1:
        cause = f"{name} is {array.dtype} of {array.ndim} dimensions"
        raise InputError("E-INPUT-SCHEMA", where=path, cause=cause, remedy="give the file as it was published")
    return array


def _header(path: Path, stream: Any, dtype: np.dtype[Any]) -> tuple[int, int]:
    """Rows and columns of an array on a stream, which then stands at its first value."""
    version = np.lib.format.read_magic(stream)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, fortran, kind = read(stream)
    check_cells(path, shape)
    if kind != dtype or fortran or len(shape) != 2:
        cause = f"melt is {kind} of shape {shape}, not {dtype} by date and pixel"
        raise InputError("E-INPUT-SCHEMA", where=path, cause=cause, remedy="give the file as it was published")
    return int(shape[0]), int(shape[1])
