"""Gridded air temperature of the VIC hydrological model: 6-hourly means on latitudes and longitudes of each cell."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr

from frostline.errors import InputError
from frostline.read.common import decode_times
from frostline.read.gate import check_cells, check_kelvin, inspect_file
from frostline.read.netcdf import decode, opened, text
from frostline.read.series import ZERO_CELSIUS

AIR_KELVIN = (170.0, 340.0)  # as the vocabulary's air_temperature
MINUTE = np.timedelta64(1, "m")
FILL = np.float32(9.9692099683868690e36)  # netCDF's default for floats; the file names no other
HIDDEN = "_nc4_non_coord_"  # netCDF-4's name inside HDF5 of a variable that shares a dimension's old name


def read_vic(path: str | Path) -> xr.Dataset:
    """`air_temperature` in K on (time, y, x), float32, NaN outside the model's cells; `lon`, `lat` on (y, x).

    `time` is UTC as the file has it, to the minute (its days since year 1 are float32). Raises InputError for another
    unit, a shape that does not fit, or times that do not rise by equal steps.
    """
    path = Path(path)
    inspect_file(path, "netcdf")
    with opened(path, None) as (get, names):
        own = {n: HIDDEN + n if HIDDEN + n in names else n for n in ("time", "lat", "lon", "Avg_temp")}
        if lacking := [n for n, there in own.items() if there not in names]:
            raise KeyError(", ".join(lacking))
        raw, attrs = get("Avg_temp")
        check_cells(path, raw.shape)
        days, about = get("time")
        times = decode_times(path, np.asarray(days[:], float), text(about["units"]))
        if text(attrs.get("units")) not in ("C", "degC"):
            cause = f"Avg_temp is in {text(attrs.get('units'))!r}"
            raise InputError("E-INPUT-UNITS", where=path, cause=cause, remedy="give degrees Celsius")
        celsius = decode(np.asarray(raw[:]), attrs)
        celsius[celsius >= FILL] = np.nan
        lat, lon = (np.asarray(get(own[n])[0][:], float) for n in ("lat", "lon"))
    if celsius.shape != (len(times), *lat.shape) or lon.shape != lat.shape or lat.ndim != 2:
        cause = f"Avg_temp has shape {celsius.shape}, times {times.shape}, lat {lat.shape}, lon {lon.shape}"
        raise InputError("E-INPUT-SCHEMA", where=path, cause=cause, remedy="give (time, y, x) and its lat and lon")
    times = times.astype("datetime64[m]").astype("datetime64[ns]")
    steps = np.unique(np.diff(times))
    if len(steps) != 1 or steps[0] < MINUTE:
        raise InputError(
            "E-INPUT-TIME", where=path, cause="its times do not rise by equal steps", remedy="give a series"
        )
    kelvin = celsius + np.float32(ZERO_CELSIUS)
    check_kelvin(path, kelvin, "Avg_temp", AIR_KELVIN)
    if lat[0, 0] < lat[-1, 0]:  # rows go south
        kelvin, lat, lon = kelvin[:, ::-1], lat[::-1], lon[::-1]
    ds = xr.Dataset({"air_temperature": (("time", "y", "x"), kelvin, {"units": "K"})}, coords={"time": times})
    return ds.assign_coords(lon=(("y", "x"), lon), lat=(("y", "x"), lat)).assign_attrs(source="VIC, mean of each step")
