"""GPM IMERG precipitation, half-hourly and daily, versions V06 and V07: metres of water in the interval of each file.

Files lie on (time, lon, lat) from the south-west; here rows go south. Format: formats.md 6.
"""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import xarray as xr

from frostline.clock import DAILY
from frostline.errors import InputError
from frostline.grid import Grid, regular
from frostline.read.common import Found, Listing, Part, date_of, decode_times, lazy, listing, part
from frostline.read.gate import check_axes, check_shape, inspect_file, reading
from frostline.schema import describe

Array = np.ndarray
IMERG = regular(0.1, left=-180.0, top=90.0, shape=(1800, 3600), name="IMERG-0.1")
# final run .HDF5 and .nc4, early (-E) and late (-L) ones .RT-H5; daily V06 has no letter; OPeNDAP adds a second .nc4
NAME = re.compile(
    r"3B-(?P<kind>HHR|DAY)(?P<run>-[EL])?\.MS\.MRG\.3IMERG\.(?P<date>\d{8})-S(?P<start>\d{6})-E(?P<end>\d{6})"
    r"(?:\.(?P<minute>\d{4}))?\.(?P<version>V\d\d[A-Z]?)\.(?:HDF5|RT-H5|nc4)(?:\.nc4)?"
)
VARIABLES = {"V06": "precipitationCal", "V07": "precipitation"}
BEGINS = {"V06": np.datetime64("2000-06-01"), "V07": np.datetime64("1998-01-01")}  # formats.md 6, coverage
FILL_BELOW = -9000.0  # the fill is -9999.9, which float32 does not hold exactly
HALF_HOUR, DAY = np.timedelta64(30, "m"), np.timedelta64(1, "D")
# units as files spell them -> metres in the interval of a file
METRES = {"mm/hr": 0.5e-3, "mm/day": 1e-3, "mm": 1e-3}
UNITS = {"HHR": ("mm/hr",), "DAY": ("mm/day", "mm")}  # daily: V07 and V06; from memory, hence `unverified` in attrs


def read_imerg(path: str | Path, *, window: Grid | None = None) -> xr.Dataset:
    """One IMERG file as a lazy dataset: `precipitation` (time, y, x), m of water in the interval that ENDS at `time`.

    `time` is UTC, as with ERA5's hours; attribute `interval_minutes` is 30 or 1440. Rows go south; fills are NaN.
    The final, late and early run are told by attribute `run`. Raises InputError: E-INPUT-TIME for a file dated
    before its version begins or whose clock is not its name's, E-INPUT-UNITS, E-INPUT-GRID.
    """
    path = Path(path)
    match, start = _facts(path)
    at = part(path, IMERG, window)
    inspect_file(path, "hdf5")
    with reading(path), h5py.File(path, "r") as file:
        _checked(path, file, match, start)
    grid = window or IMERG
    arrays = lazy(partial(_load, path, at), ["precipitation"], grid.shape)
    ds = xr.Dataset({"precipitation": (("time", "y", "x"), arrays["precipitation"][None])})
    length = _length(match)
    ds = describe(grid.write(ds)).assign_coords(time=("time", [(start + length).astype("datetime64[ns]")]))
    ds["time"].attrs.update(standard_name="time", long_name="UTC instant at the end of the interval")
    ds["precipitation"].attrs.update(units="m", long_name="precipitation in the interval that ends at time")
    attrs: dict[str, Any] = {
        "source": f"IMERG {match['version']}",
        "run": _run(match),
        "file": path.name,
        "interval_minutes": int(length / np.timedelta64(1, "m")),
    }
    if match["kind"] == "DAY":
        attrs["unverified"] = "names and units inside daily files"
    return ds.assign_attrs(attrs)


def load_imerg(path: str | Path, *, window: Grid | None = None) -> tuple[np.datetime64, Array]:
    """The same at once: UTC end of the interval (datetime64[ns]) and (rows, columns) float32 in m."""
    path = Path(path)
    match, start = _facts(path)
    at = part(path, IMERG, window)
    inspect_file(path, "hdf5")
    return (start + _length(match)).astype("datetime64[ns]"), _load(path, at)["precipitation"]


def list_imerg(folder: str | Path) -> Listing:
    """Every IMERG file below a folder, sorted; of one interval and run the newest version, the rest told.

    `Found.date` is the UTC start of the interval, to the minute; `Found.channel` the product, "HHR" or "DAY",
    with "-E" or "-L" for the early and the late run.
    """
    return listing(folder, _parse, (".HDF5", ".RT-H5", ".nc4"))


def check_coverage(date: np.datetime64, version: str, *, where: str | Path = "IMERG") -> None:
    """Raises E-INPUT-TIME for a date before IMERG's record begins: 1 June 2000 (V06), 1 January 1998 (V07).

    `version` as in file names ("V07B") or shorter. An unknown version raises E-INPUT-SCHEMA.
    """
    begin = BEGINS.get(version[:3])
    if begin is None:
        cause = f"version {version} is none of {', '.join(BEGINS)}"
        raise InputError("E-INPUT-SCHEMA", where=where, cause=cause, remedy="fetch a version that frostline knows")
    if date < begin:
        cause = f"{np.datetime_as_string(date, unit='D')} is before IMERG {version[:3]} begins, {begin}"
        remedy = "take precipitation from ERA5-Land or another source for these dates"
        raise InputError("E-INPUT-TIME", where=where, cause=cause, remedy=remedy)


def _parse(path: Path) -> Found | str:
    match = NAME.fullmatch(path.name)
    if match is None:
        return "the name is not of IMERG half-hourly or daily files"
    start = _start(match)
    if start is None:
        return "there is no such day, or its interval is not half an hour or a day"
    if match["version"][:3] not in VARIABLES:
        return f"version {match['version']} is not read, only {', '.join(VARIABLES)}"
    # V07B replaces V07A: of equal numbers the later name is the newer
    return Found(path, start, DAILY, match["kind"] + (match["run"] or ""), IMERG.name, match["version"])


def _facts(path: Path) -> tuple[re.Match[str], np.datetime64]:
    """The name's parts and the UTC start of the interval, datetime64[m]."""
    match, found = NAME.fullmatch(path.name), _parse(path)
    if match is None or isinstance(found, str):
        remedy = "keep the producer's file name: it carries date, interval and version"
        raise InputError("E-INPUT-SCHEMA", where=path, cause=str(found), remedy=remedy)
    check_coverage(found.date, match["version"], where=path)
    return match, found.date


def _start(match: re.Match[str]) -> np.datetime64 | None:
    """Where the interval begins, datetime64[m]; None when the name's fields contradict each other."""
    date = date_of(match["date"])
    first, last = (int(t[:2]) * 3600 + int(t[2:4]) * 60 + int(t[4:]) for t in (match["start"], match["end"]))
    length = int(_length(match) / np.timedelta64(1, "s"))
    minute = match["minute"]
    if date is None or last - first + 1 != length or first % length or (minute and int(minute) * 60 != first):
        return None
    return date.astype("datetime64[m]") + np.timedelta64(first // 60, "m")


def _length(match: re.Match[str]) -> np.timedelta64:
    return HALF_HOUR if match["kind"] == "HHR" else DAY


def _run(match: re.Match[str]) -> str:
    return {None: "final", "-E": "early", "-L": "late"}[match["run"]]


def _checked(path: Path, file: h5py.File, match: re.Match[str], start: np.datetime64) -> tuple[h5py.Dataset, float]:
    """The dataset and the metres of one of its units, when grid, clock and unit are the product's."""
    inside = file.get("Grid", file)  # daily files have no group
    name = VARIABLES[match["version"][:3]]
    if name not in inside:
        others = [n for n in VARIABLES.values() if n in inside]
        held = ", ".join(list(inside)[:6]) or "nothing"
        hint = f"it has {others[0]}, of another version" if others else f"found {held}"
        cause = f"no dataset {name!r} of {match['version']} ({hint})"
        raise InputError("E-INPUT-SCHEMA", where=path, cause=cause, remedy="check product and name")
    data = inside[name]
    check_shape(path, data.shape, (1, IMERG.shape[1], IMERG.shape[0]), "IMERG (time, longitude, latitude)")
    check_axes(path, inside["lon"][:], inside["lat"][:][::-1], IMERG, tolerance=1e-3)
    # The calendar attribute says "julian": labels equal ours from 1901 to 2099, so units are read as they stand
    clock = decode_times(path, inside["time"][:], _text(inside["time"].attrs.get("units", "")))
    if not start <= clock[0] <= start + _length(match):
        cause = f"its clock says {str(clock[0])[:16]} UTC, its name {start} UTC"
        raise InputError("E-INPUT-TIME", where=path, cause=cause, remedy="use the producer's file under its own name")
    unit = _text(data.attrs.get("units", data.attrs.get("Units", UNITS[match["kind"]][0])))
    if unit not in UNITS[match["kind"]]:
        cause = f"{name} is in {unit!r}, expected {' or '.join(UNITS[match['kind']])}"
        raise InputError("E-INPUT-UNITS", where=path, cause=cause, remedy="check the product")
    return data, METRES[unit]


def _load(path: Path, at: Part) -> dict[str, Array]:
    match, start = _facts(path)
    rows = IMERG.shape[0]
    south_up = slice(rows - at.rows.stop, rows - at.rows.start)
    with reading(path), h5py.File(path, "r") as file:
        data, metres = _checked(path, file, match, start)
        columns = np.concatenate([data[0, c, south_up] for c in at.cols])
    values = columns.T[::-1].astype(np.float32)
    with np.errstate(invalid="ignore"):
        values[values < FILL_BELOW] = np.nan
        if (values < 0).any():
            cause = f"negative precipitation ({float(np.nanmin(values)):g})"
            raise InputError("E-INPUT-CORRUPT", where=path, cause=cause, remedy="fetch it again")
    return {"precipitation": np.ascontiguousarray(values * np.float32(metres))}


def _text(value: Any) -> str:
    value = np.ravel(value)[0] if isinstance(value, np.ndarray) else value
    return value.decode() if isinstance(value, bytes) else str(value)
