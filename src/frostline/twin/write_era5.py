"""Hourly ERA5 files as the Climate Data Store delivers them for an area: today's netCDF-4 and the older netCDF-3."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import h5netcdf
import h5py
import numpy as np

from frostline.errors import ConfigError
from frostline.twin.publish import char, replacing

Array = np.ndarray
Layout = Literal["new", "old"]
STEP = 0.25  # degrees
OLD_FILL = -32767  # formats.md 5.2
CENTRE = "European Centre for Medium-Range Weather Forecasts"
NOTE = "frostline twin Earth (simulated, no reanalysis)"

# short name: (long name, units); formats.md 5. `sd` is metres of water equivalent.
NAMES = {
    "stl1": ("Soil temperature level 1", "K"),
    "t2m": ("2 metre temperature", "K"),
    "sd": ("Snow depth", "m of water equivalent"),
}


def write(
    folder: Path,
    *,
    times: Array,
    latitude: Array,
    longitude: Array,
    fields: Mapping[str, Array],
    layout: Layout = "new",
) -> Path:
    """One file of hourly fields (time, latitude, longitude), named by the month of the first hour.

    `times` datetime64 UTC, `latitude` descending, `longitude` ascending (degrees as the request asked for them),
    `fields` by short name in K and m, NaN = missing. `layout="old"` packs to 16-bit integers in a netCDF-3 file
    with 64-bit offsets, as files from before September 2024 are. Source: formats.md 5.1, 5.2.
    Raises ConfigError for an unknown short name or shapes that do not agree.
    """
    shape = (len(times), len(latitude), len(longitude))
    for name, values in fields.items():
        if name not in NAMES or np.shape(values) != shape:
            raise ConfigError("E-CONFIG", where=folder, cause=f"field {name} of {np.shape(values)} on {shape}")
    path = Path(folder) / f"era5_{np.datetime64(times[0], 'M').astype(object):%Y%m}.nc"
    times = np.asarray(times, "datetime64[s]")
    with replacing(path) as part:
        (_new if layout == "new" else _old)(part, times, np.asarray(latitude), np.asarray(longitude), fields)
    return path


def _new(path: Path, times: Array, latitude: Array, longitude: Array, fields: Mapping[str, Array]) -> None:
    """The layout since September 2024: valid_time, number, expver, float data."""
    dims = ("valid_time", "latitude", "longitude")
    with h5netcdf.File(path, "w") as file:
        file.dimensions = dict(zip(dims, (len(times), len(latitude), len(longitude)), strict=True))
        _variable(file, "number", (), np.array(0, np.int64), {
            "long_name": "ensemble member numerical id",
            "units": "1",
            "standard_name": "realization",
        })  # fmt: skip
        _variable(file, "valid_time", dims[:1], times.astype(np.int64), {
            "long_name": "time",
            "standard_name": "time",
            "units": "seconds since 1970-01-01",
            "calendar": "proleptic_gregorian",
        })  # fmt: skip
        for name, values, direction in (("latitude", latitude, "north"), ("longitude", longitude, "east")):
            v = file.create_variable(name, (name,), "f8", fillvalue=np.nan)
            v[:] = values
            v.attrs["units"] = char(f"degrees_{direction}")
            v.attrs["standard_name"] = char(name)
            v.attrs["long_name"] = char(name)
            if name == "latitude":
                v.attrs["stored_direction"] = char("decreasing")
        final = np.full(len(times), "0001", object)  # 0005 would be the preliminary ERA5T
        file.create_variable("expver", dims[:1], h5py.string_dtype(), data=final)
        for name, values in fields.items():
            long_name, units = NAMES[name]
            v = file.create_variable(
                name,
                dims,
                "f4",
                chunks=(min(24, len(times)), len(latitude), len(longitude)),
                fillvalue=np.float32(np.nan),
                compression="gzip",
                compression_opts=1,
                shuffle=True,
            )
            v[:] = np.asarray(values, np.float32)
            for key, text in (
                ("GRIB_dataType", "an"),
                ("GRIB_gridType", "regular_ll"),
                ("GRIB_stepType", "instant"),
                ("GRIB_typeOfLevel", "surface"),
                ("GRIB_shortName", {"t2m": "2t"}.get(name, name)),
                ("GRIB_cfVarName", name),
                ("GRIB_name", long_name),
                ("GRIB_units", units),
                ("long_name", long_name),
                ("units", units),
                ("coordinates", "number valid_time latitude longitude expver"),
            ):
                v.attrs[key] = char(text)
        for key, text in (
            ("GRIB_centre", "ecmf"),
            ("GRIB_centreDescription", CENTRE),
            ("GRIB_subCentre", "0"),
            ("Conventions", "CF-1.7"),
            ("institution", CENTRE),
            ("history", NOTE),
        ):
            file.attrs[key] = char(text)


def _variable(file: h5netcdf.File, name: str, dims: tuple[str, ...], values: Any, attrs: Mapping[str, str]) -> None:
    v = file.create_variable(name, dims, values.dtype, data=values)
    for key, text in attrs.items():
        v.attrs[key] = char(text)


def _old(path: Path, times: Array, latitude: Array, longitude: Array, fields: Mapping[str, Array]) -> None:
    """The layout before September 2024: time in hours since 1900, packed shorts with a float64 scale."""
    from scipy.io import netcdf_file

    hours = (times - np.datetime64("1900-01-01T00:00:00")) // np.timedelta64(1, "h")
    with netcdf_file(path, "w", version=2) as file:
        for name, values in (("longitude", longitude), ("latitude", latitude)):
            file.createDimension(name, len(values))
            v = file.createVariable(name, "f4", (name,))
            v[:] = values
            v.units = "degrees_east" if name == "longitude" else "degrees_north"
            v.long_name = name
        file.createDimension("time", len(times))
        v = file.createVariable("time", "i4", ("time",))
        v[:] = hours.astype(np.int32)
        v.units, v.long_name, v.calendar = "hours since 1900-01-01 00:00:00.0", "time", "gregorian"
        for name, values in fields.items():
            scale, offset, packed = pack(np.asarray(values, float))
            v = file.createVariable(name, "i2", ("time", "latitude", "longitude"))
            v[:] = packed
            v.scale_factor, v.add_offset = scale, offset
            v._FillValue = v.missing_value = np.int16(OLD_FILL)
            v.units, v.long_name = NAMES[name][1], NAMES[name][0]
        file.Conventions, file.history = "CF-1.6", NOTE


def pack(values: Array) -> tuple[float, float, Array]:
    """(scale, offset, int16): the range of the values spread over -32766..32766; NaN becomes -32767.

    >>> scale, offset, packed = pack(np.array([250.0, 270.0, np.nan]))
    >>> packed.tolist(), round(float(packed[1] * scale + offset), 6)
    ([-32766, 32766, -32767], 270.0)
    """
    seen = np.isfinite(values)
    low, high = (float(values[seen].min()), float(values[seen].max())) if seen.any() else (0.0, 0.0)
    scale = (high - low) / 65532.0 or 1.0
    offset = (high + low) / 2.0
    packed = np.rint((np.where(seen, values, offset) - offset) / scale)
    return scale, offset, np.where(seen, packed, OLD_FILL).astype(np.int16)
