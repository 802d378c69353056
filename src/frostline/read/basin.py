"""Daily air temperature extremes of one place, a basin's mean say: netCDF with `tmin` and `tmax` on time, in degC or K.

The layout is that of ERA5 basin means made for hydrological models (`tmin`, `tmax`, `pr`; no coordinates of place).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr

from frostline.errors import InputError
from frostline.read.common import decode_times
from frostline.read.gate import check_cells, check_kelvin, inspect_file
from frostline.read.netcdf import decode, opened, text
from frostline.read.series import ZERO_CELSIUS

NAMES = {"air_minimum": "tmin", "air_maximum": "tmax"}
AIR_KELVIN = (170.0, 340.0)  # as the vocabulary's air_temperature
EXCHANGED = 0.01  # share of days with minimum above maximum from which the two are no extremes of a day
DAY = np.timedelta64(1, "D")


def read_basin(path: str | Path) -> xr.Dataset:
    """`air_minimum` and `air_maximum` in K on (time), float32, NaN unknown; one value a date, every date there.

    A day whose minimum is above its maximum is unknown; their number is the attribute `contradictions`. Raises
    InputError for other units, dates that do not rise or have an hour other than 00, or extremes exchanged.
    """
    path = Path(path)
    inspect_file(path, "netcdf")
    with opened(path, None) as (get, names):
        if lacking := [n for n in ("time", *NAMES.values()) if n not in names]:
            raise KeyError(", ".join(lacking))
        hours, about = get("time")
        check_cells(path, hours.shape)
        times = decode_times(path, np.asarray(hours[:]), text(about["units"]))
        found = {}
        for name, own in NAMES.items():
            raw, attrs = get(own)
            if raw.shape != (len(times),):
                cause = f"{own} has shape {raw.shape}, there are {len(times)} times"
                raise InputError("E-INPUT-SCHEMA", where=path, cause=cause, remedy="give one value a day of one place")
            unit = text(attrs.get("units"))
            if unit not in ("degC", "K"):
                raise InputError("E-INPUT-UNITS", where=path, cause=f"{own} is in {unit!r}", remedy="give degC or K")
            found[name] = decode(np.asarray(raw[:]), attrs) + np.float32(ZERO_CELSIUS if unit == "degC" else 0.0)
    dates = times.astype("datetime64[D]")
    rising = bool(np.all(np.diff(dates) > np.timedelta64(0, "D")))
    if not len(dates) or not rising or (times != dates.astype(times.dtype)).any():
        raise InputError("E-INPUT-TIME", where=path, cause="its times are no rising dates at 00 h", remedy="give days")
    for name, values in found.items():
        check_kelvin(path, values, name, AIR_KELVIN)
    wrong = found["air_minimum"] > found["air_maximum"]
    if wrong.mean() > EXCHANGED:
        cause = f"tmin is above tmax on {int(wrong.sum())} of {len(wrong)} days"
        raise InputError("E-INPUT-SCHEMA", where=path, cause=cause, remedy="check that the two are not exchanged")
    whole = np.arange(dates[0], dates[-1] + DAY)
    place = (dates - dates[0]).astype(int)
    data = {}
    for name, values in found.items():
        full = np.full(len(whole), np.nan, np.float32)
        full[place] = np.where(wrong, np.nan, values)
        data[name] = ("time", full, {"units": "K"})
    attrs = {"source": "daily extremes of air temperature", "contradictions": int(wrong.sum())}
    return xr.Dataset(data, coords={"time": whole.astype("datetime64[ns]")}, attrs=attrs)
