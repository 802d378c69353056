"""Hourly ERA5-Land files for an area as the Climate Data Store delivers them: 0.1 degree, rain summed since 00 UTC."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import h5netcdf
import h5py
import numpy as np

from frostline.errors import ConfigError
from frostline.twin.publish import char, replacing

Array = np.ndarray
STEP = 0.1  # degrees
CENTRE = "European Centre for Medium-Range Weather Forecasts"
NOTE = "frostline twin Earth (simulated, no reanalysis)"
HOUR = np.timedelta64(1, "h")

# short name: (long name, units, GRIB short name); formats.md 5. `sd` is metres of water, `sde` metres of snow
NAMES = {
    "stl1": ("Soil temperature level 1", "K", "stl1"),
    "swvl1": ("Volumetric soil water layer 1", "m**3 m**-3", "swvl1"),
    "t2m": ("2 metre temperature", "K", "2t"),
    "sde": ("Snow depth", "m", "sde"),
    "sd": ("Snow depth water equivalent", "m of water equivalent", "sd"),
    "tp": ("Total precipitation", "m", "tp"),
}


def write(
    folder: Path,
    *,
    times: Array,
    latitude: Array,
    longitude: Array,
    fields: Mapping[str, Array],
    carried: Array | None = None,
    summed: bool = False,
) -> Path:
    """One file (layout since September 2024) of hourly fields (time, latitude, longitude), named by its first month.

    `times` datetime64 UTC, `latitude` descending, `longitude` ascending (degrees), `fields` by short name in K, m and
    m3 m-3, NaN = sea. `tp` is given in m per hour that ends at each time and written as the product has it, summed
    since 00 UTC; then `times` must be whole consecutive hours, and `carried` (latitude, longitude) is the sum since
    00 UTC at the hour before the first (default 0), see `accumulated`. With `summed` it is given as it is written,
    and hours may be left out. Source: formats.md 5, 5.1.
    Raises ConfigError for an unknown short name or shapes that do not agree.
    """
    times = np.asarray(times, "datetime64[s]")
    shape = (len(times), len(latitude), len(longitude))
    for name, values in fields.items():
        if name not in NAMES or np.shape(values) != shape:
            raise ConfigError("E-CONFIG", where=folder, cause=f"field {name} of {np.shape(values)} on {shape}")
    path = Path(folder) / f"era5land_{np.datetime64(times[0], 'M').astype(object):%Y%m}.nc"
    with replacing(path) as part, h5netcdf.File(part, "w") as file:
        dims = ("valid_time", "latitude", "longitude")
        file.dimensions = dict(zip(dims, shape, strict=True))
        v = file.create_variable("number", (), np.int64, data=np.array(0, np.int64))
        _attributes(v, long_name="ensemble member numerical id", units="1", standard_name="realization")
        v = file.create_variable("valid_time", dims[:1], np.int64, data=times.astype(np.int64))
        since = "seconds since 1970-01-01"
        _attributes(v, long_name="time", standard_name="time", units=since, calendar="proleptic_gregorian")
        for name, axis, direction in (("latitude", latitude, "north"), ("longitude", longitude, "east")):
            v = file.create_variable(name, (name,), "f8", fillvalue=np.nan)
            v[:] = axis
            _attributes(v, units=f"degrees_{direction}", standard_name=name, long_name=name)
            if name == "latitude":
                _attributes(v, stored_direction="decreasing")
        file.create_variable("expver", dims[:1], h5py.string_dtype(), data=np.full(len(times), "0001", object))
        for name, values in fields.items():
            v = file.create_variable(
                name,
                dims,
                "f4",
                chunks=(min(24, shape[0]), *shape[1:]),
                fillvalue=np.float32(np.nan),
                compression="gzip",
                compression_opts=1,
                shuffle=True,
            )
            sums = name == "tp" and not summed
            v[:] = (accumulated(values, times, carried) if sums else np.asarray(values)).astype(np.float32)
            long_name, units, grib = NAMES[name]
            _attributes(
                v,
                GRIB_dataType="fc",
                GRIB_gridType="regular_ll",
                GRIB_stepType="accum" if name == "tp" else "instant",
                GRIB_shortName=grib,
                GRIB_cfVarName=name,
                GRIB_name=long_name,
                GRIB_units=units,
                long_name=long_name,
                units=units,
                coordinates="number valid_time latitude longitude expver",
            )
        about = {"GRIB_centre": "ecmf", "GRIB_centreDescription": CENTRE, "GRIB_subCentre": "0"}
        about |= {"Conventions": "CF-1.7", "institution": CENTRE, "history": NOTE}
        for key, text in about.items():
            file.attrs[key] = char(text)
    return path


def accumulated(hourly: Array, times: Array, carried: Array | None = None) -> Array:
    """Sums since 00 UTC of amounts in the hour that ends at each time; the 00 UTC step holds the whole day before.

    `hourly` (time, y, x), `times` consecutive whole hours, `carried` (y, x) the sum at the hour before the first.
    The last of what this gives is the next file's `carried`. Raises ConfigError for hours that do not follow.

    >>> times = np.datetime64("2020-01-01T22", "h") + np.arange(4)
    >>> accumulated(np.ones((4, 1, 1)), times, np.full((1, 1), 21.0)).ravel().tolist()
    [22.0, 23.0, 24.0, 1.0]
    """
    hours = np.asarray(times, "datetime64[h]")
    if (np.diff(hours) != HOUR).any() or (hours != np.asarray(times)).any():
        raise ConfigError("E-CONFIG", cause="sums since 00 UTC need every hour")
    out = np.empty(np.shape(hourly), np.float64)
    total = np.zeros(out.shape[1:]) if carried is None else np.array(carried, float)
    first = hours - hours.astype("datetime64[D]") == HOUR
    for i, amount in enumerate(np.asarray(hourly, float)):
        total = amount if first[i] else total + amount
        out[i] = total
    return out


def _attributes(v: h5netcdf.Variable, **texts: str) -> None:
    for key, text in texts.items():
        v.attrs[key] = char(text)
