"""Daily NSIDC-0477 files (freeze/thaw record, 25 km original EASE-Grid): AM, PM or both as CO, HDF5 or GeoTIFF."""

from __future__ import annotations

import io
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import h5py
import numpy as np

from frostline.errors import ConfigError
from frostline.grid import Grid, named
from frostline.twin.publish import char, patched, publish, replacing

Array = np.ndarray
Pass = Literal["AM", "PM", "CO"]
Version = Literal["v4", "v5", "v5.1"]
Form = Literal["h5", "tif"]

SUFFIX = {"v4": "", "v5": "_v05", "v5.1": "_v05.1"}  # versions 3 and 4 do not name themselves (formats.md 2)
METADATA = {"v4": "METADATA", "v5": "Metadata", "v5.1": "Metadata"}
# Labels of the record by day, user guide of 5.1, table 9; from F08 to F17 one label
LABELS = (("1979-01-01", "SMMR"), ("1987-07-09", "SSMI"), ("2021-01-01", "AMSR2"))
FROZEN, THAWED, THAWS, FREEZES = 0, 1, 2, 3  # the last two in CO files only: by evening
REASONS = (252, 253, 254, 255)  # no data, not cold-constrained, open water, fill
UNSET = 255
CHUNK, DEFLATE = 64, 4  # the archive's own chunks are unknown
NO_DEGREES = -9999.0


def write(
    folder: Path,
    *,
    date: Any,
    half: Pass,
    frozen: Array,
    reason: Array,
    flags: Array,
    window: Grid,
    version: Version = "v5.1",
    form: Form = "h5",
) -> Path:
    """One file of 586x1383 cells; in HDF5 only the window's chunks exist, of coordinates and states alike.

    `frozen` (overpasses, rows, columns), 1, 0 or NaN: one overpass for AM and PM, both for CO, which knows a cell only
    where both do. `reason` (rows, columns): the code 252..255 of cells without a state. `flags` (rows, columns): the
    bits of `ft_qc` (1 interpolated, 2 over 20 % water, 4 gradient over 300 m, 8 rain), which a GeoTIFF has not.
    `window` is one of ML25. On disk 0 is frozen. Source: formats.md 2. Raises ConfigError for arrays of another
    size, other codes, or a date before 1979.
    """
    row, col = window.offset(named("ML25"))
    (rows, cols), passes = window.shape, 2 if half == "CO" else 1
    if frozen.shape != (passes, rows, cols) or reason.shape != flags.shape or reason.shape != (rows, cols):
        cause = f"a {half} file needs {passes} x {rows} x {cols} states, given are {frozen.shape}"
        raise ConfigError("E-CONFIG", where=folder, cause=cause)
    codes = encode(frozen, reason)
    path = Path(folder) / file_name(date, half=half, version=version, form=form)
    box = np.s_[row : row + rows, col : col + cols]
    if form == "tif":
        whole = np.full(named("ML25").shape, UNSET, np.uint8)
        whole[box] = codes
        return _geotiff(path, whole)

    def patch(file: h5py.File) -> None:
        file["ft_status"][box] = codes
        file["ft_qc"][box] = np.asarray(flags, np.uint8)
        file[METADATA[version]].attrs.modify("date", char(str(np.datetime64(date, "D"))))

    span = (row // CHUNK, -(-(row + rows) // CHUNK), col // CHUNK, -(-(col + cols) // CHUNK))
    return publish(path, patched(_template(version, span), patch))


def file_name(date: Any, *, half: Pass, version: Version = "v5.1", form: Form = "h5") -> str:
    """The producer's name, label by date (formats.md 2).

    >>> file_name("1993-01-01", half="CO"), file_name("2012-12-31", half="PM", version="v4")
    ('SSMI_37V_CO_FT_1993_day001_v05.1.h5', 'SSMI_37V_PM_FT_2012_day366.h5')
    >>> file_name("1987-07-08", half="AM", version="v5", form="tif")
    'SMMR_37V_AM_FT_1987_day189_v05.tif'
    """
    day = np.datetime64(date, "D")
    labels = [label for begins, label in LABELS if np.datetime64(begins) <= day]
    if not labels:
        raise ConfigError("E-CONFIG", cause=f"the record begins on {LABELS[0][0]}, {day} is before")
    return f"{labels[-1]}_37V_{half}_FT_{day.astype(object):%Y_day%j}{SUFFIX[version]}.{form}"


def encode(frozen: Array, reason: Array) -> Array:
    """`ft_status` (rows, columns) uint8 of states (1 or 2 overpasses, rows, columns).

    >>> am, pm = [[1.0, 0.0, 1.0, 0.0, np.nan]], [[1.0, 0.0, 0.0, 1.0, 1.0]]
    >>> encode(np.array([am, pm]), np.full((1, 5), 254)).tolist()
    [[0, 1, 2, 3, 254]]
    >>> encode(np.array([am]), np.full((1, 5), 252)).tolist()
    [[0, 1, 0, 1, 252]]
    """
    known = np.isfinite(frozen).all(axis=0)
    if not (np.isin(frozen[:, known], (0, 1)).all() and np.isin(reason[~known], REASONS).all()):
        raise ConfigError("E-CONFIG", cause=f"states beside 0, 1 and NaN, or reasons beside {REASONS}")
    am, pm = frozen[0] == 1, frozen[-1] == 1
    codes = np.where(am, np.where(pm, FROZEN, THAWS), np.where(pm, FREEZES, THAWED))
    return np.where(known, codes, reason).astype(np.uint8)


@lru_cache(maxsize=3)
def _template(version: Version, span: tuple[int, int, int, int]) -> bytes:
    """A file of 1 January 1972 with the coordinates of chunks (from, to; down, across) and no state: UNSET everywhere.

    All coordinates would be nine tenths of the bytes of every file.
    """
    buffer, grid = io.BytesIO(), named("ML25")
    degrees = [np.where(np.isfinite(v), v, NO_DEGREES).astype(np.float32) for v in grid.lonlat()]
    with h5py.File(buffer, "w") as file:
        for name, fill in (("ft_status", UNSET), ("ft_qc", 0)):
            v = file.create_dataset(
                name,
                grid.shape,
                "u1",
                chunks=(CHUNK, CHUNK),
                fillvalue=np.uint8(fill),
                compression="gzip",
                compression_opts=DEFLATE,
                shuffle=True,
            )
            v.attrs["long_name"] = char("freeze/thaw status" if name == "ft_status" else "quality flags")
        for name, values, units in zip(
            ("cell_lon", "cell_lat"), degrees, ("degrees_east", "degrees_north"), strict=True
        ):
            v = file.create_dataset(
                name,
                grid.shape,
                "f4",
                chunks=(CHUNK, CHUNK),
                fillvalue=np.float32(NO_DEGREES),
                compression="gzip",
                compression_opts=9,
            )
            box = np.s_[span[0] * CHUNK : span[1] * CHUNK, span[2] * CHUNK : span[3] * CHUNK]
            v[box] = values[box]
            v.attrs["units"] = char(units)
        meta = file.create_group(METADATA[version])
        meta.attrs["source"] = char("frostline twin Earth (simulated, not observed)")
        meta.attrs["projection"] = char("EASE-Grid, global cylindrical equal area, 25 km (EPSG:3410)")
        meta.attrs["date"] = char("1972-01-01")
    return buffer.getvalue()


def _geotiff(path: Path, codes: Array) -> Path:
    import rasterio
    from rasterio.transform import Affine

    grid = named("ML25")
    profile = {
        "driver": "GTiff",
        "height": codes.shape[0],
        "width": codes.shape[1],
        "count": 1,
        "dtype": "uint8",
        "crs": grid.crs,
        "transform": Affine.from_gdal(*grid.geotransform),
        "compress": "deflate",
    }
    with replacing(path) as part, rasterio.open(part, "w", **profile) as file:
        file.update_tags(AREA_OR_POINT="Area", TIFFTAG_IMAGEDESCRIPTION="frostline twin Earth (simulated)")
        file.write(codes, 1)
    return path
