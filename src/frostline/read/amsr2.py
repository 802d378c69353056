"""JAXA AMSR2 level 3 brightness temperatures on the equirectangular 0.1 (H) and 0.25 degree (L) grids.

One file is one frequency, both polarizations, one pass of one day. Format: formats.md 4.1.
"""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import xarray as xr

from frostline.clock import AM, PM
from frostline.errors import InputError
from frostline.grid import Grid, regular
from frostline.read.codes import ALL, kelvin
from frostline.read.common import Found, Listing, Part, date_of, field_dataset, lazy, listing, part
from frostline.read.gate import check_shape, inspect_file, reading
from frostline.read.netcdf import text

Array = np.ndarray
NAME = re.compile(
    r"GW1AM2_(?P<date>\d{8})_(?P<span>01D|01M)_(?P<projection>EQ|PN|PS)M(?P<pass>[AD])_"
    r"L3SGT(?P<band>\d\d)(?P<size>[HL])A(?P<version>\d{7})\.h5"
)
BANDS = ("18", "36")
MISSING = 65533  # and above: three readers call 65533, 65534 or 65535 invalid (formats.md 4.1)
# Longitudes run 0..360 from column 0 and no array in the file says so: two of three readers; see check_origin
GRIDS = {
    "H": regular(0.1, left=0.0, top=90.0, name="AMSR2-0.1"),
    "L": regular(0.25, left=0.0, top=90.0, name="AMSR2-0.25"),
}
OVERPASS = {"D": AM, "A": PM}
NOMINAL_HOUR = {"D": 1.5, "A": 13.5}  # local solar time of GCOM-W's passes
# check_origin: warm dry land and open ocean as (W, E, S, N); the sea is at least this much colder in H
SAHARA, PACIFIC = (0.0, 28.0, 17.0, 30.0), (185.0, 215.0, -10.0, 10.0)
CONTRAST, ENOUGH = 30.0, 200  # K, cells
BEGINS = "ObservationStartDateTime"  # formats.md 4.1; the first orbit of a UTC day may begin on the day before
FIRST_ORBIT = 12.0  # hours


def read_amsr2(path: str | Path, *, window: Grid | None = None) -> xr.Dataset:
    """One AMSR2 L3 file as a lazy dataset: `tb_<band>v`, `tb_<band>h` in K, missing = NaN.

    On (time, overpass, y, x), sizes 1, 1, rows, columns; north up; longitudes 0..360 as in the file, or those of
    `window`, which may cross 0 E. D is AM (01:30 local), A is PM (13:30). Raises InputError.
    """
    path = Path(path)
    found, grid, attrs = _facts(path)
    at = part(path, grid, window)
    inspect_file(path, "hdf5")
    with reading(path), h5py.File(path, "r") as file:
        _dated(path, file, found)
        for letter in "VH":
            _dataset(path, file, letter, grid)
    names = [f"{found.channel}{p}" for p in "vh"]
    arrays = lazy(partial(_load, path, found, at, grid), names, (window or grid).shape)
    return field_dataset(arrays, window or grid, date=found.date, overpass=found.overpass, attrs=attrs)


def load_amsr2(path: str | Path, *, window: Grid | None = None) -> dict[str, Array]:
    """The same as plain arrays (rows, columns) float32, at once."""
    path = Path(path)
    found, grid, _ = _facts(path)
    inspect_file(path, "hdf5")
    return _load(path, found, part(path, grid, window), grid)


def amsr2_grid(path: str | Path) -> Grid:
    """The grid that the file's name says (the file itself is not opened)."""
    return _facts(Path(path))[1]


def list_amsr2(folder: str | Path) -> Listing:
    """Every daily 18 or 36 GHz file below a folder; the newest version of each, the rest told."""
    return listing(folder, _parse, (".h5",))


def check_origin(path: str | Path) -> str:
    """ "ok" when column 0 is 0 E, "not testable" when the Sahara or the central Pacific hold too few values.

    Raises E-INPUT-GRID when the ocean is not at least 30 K colder than the desert in H, as it is when the file
    begins at 180 W: land emits 0.9 of its temperature, the sea about half.
    """
    path = Path(path)
    found, grid, _ = _facts(path)
    inspect_file(path, "hdf5")
    medians = []
    for west, east, south, north in (SAHARA, PACIFIC):
        rows = slice(round((90 - north) / grid.step), round((90 - south) / grid.step))
        cols = slice(round(west / grid.step), round(east / grid.step))
        values = _load(path, found, Part(rows, (cols,)), grid)[f"{found.channel}h"]
        values = values[np.isfinite(values)]
        if values.size < ENOUGH:
            return "not testable"
        medians.append(float(np.median(values)))
    land, sea = medians
    if land - sea < CONTRAST:
        cause = f"the Sahara is {land:.0f} K, the central Pacific {sea:.0f} K: column 0 is not 0 E, or not AMSR2"
        remedy = "roll the columns by half the grid, or use the original file"
        raise InputError("E-INPUT-GRID", where=path, cause=cause, remedy=remedy)
    return "ok"


def _parse(path: Path) -> Found | str:
    m = NAME.fullmatch(path.name)
    if m is None:
        return "the name is not of AMSR2 L3 brightness temperatures"
    if m["projection"] != "EQ":
        return f"projection {m['projection']} is not read, only EQ"
    if m["span"] != "01D":
        return "a monthly mean"
    if m["band"] not in BANDS:
        return f"channel {m['band']} GHz is not used"
    date = date_of(m["date"])
    if date is None:
        return f"there is no day {m['date']}"
    return Found(path, date, OVERPASS[m["pass"]], f"tb_{m['band']}", GRIDS[m["size"]].name, m["version"])


def _facts(path: Path) -> tuple[Found, Grid, dict[str, Any]]:
    found = _parse(path)
    if isinstance(found, str):
        remedy = "keep the producer's file name: it carries date, pass, channel and grid"
        raise InputError("E-INPUT-SCHEMA", where=path, cause=found, remedy=remedy)
    m = NAME.fullmatch(path.name)
    assert m is not None
    attrs: dict[str, Any] = {
        "source": f"AMSR2 L3 {found.version}",
        "file": path.name,
        "local_solar_hour": NOMINAL_HOUR[m["pass"]],
    }
    return found, GRIDS[m["size"]], attrs


def _dated(path: Path, file: h5py.File, found: Found) -> None:
    """What the file says of its first orbit, where it does, must belong to the day of its name."""
    begins = text(file.attrs.get(BEGINS))[:19]
    try:
        hours = (np.datetime64(begins, "s") - found.date) / np.timedelta64(1, "h")
    except ValueError:
        return
    if hours <= -FIRST_ORBIT or hours >= 24.0:  # an empty text is NaT, and says nothing
        cause = f"the name says {found.date}, {BEGINS} says {begins[:10]}"
        raise InputError("E-INPUT-TIME", where=path, cause=cause, remedy="give the file its own name back")


def _dataset(path: Path, file: h5py.File, letter: str, grid: Grid) -> h5py.Dataset:
    name = f"Brightness Temperature ({letter})"
    if name not in file:
        cause = f"no dataset {name!r} (found {', '.join(list(file)[:6]) or 'nothing'})"
        raise InputError("E-INPUT-SCHEMA", where=path, cause=cause, remedy="check the product")
    data = file[name]
    check_shape(path, data.shape, grid.shape, f"{grid.name} of the file's name")
    if data.dtype.kind != "u" or data.dtype.itemsize != 2:
        cause = (
            f"{name} is {data.dtype}, not unsigned 16 bits: snow depth and soil moisture come on the same grid as i2"
        )
        raise InputError("E-INPUT-SCHEMA", where=path, cause=cause, remedy="use a brightness temperature file")
    return data


def _load(path: Path, found: Found, at: Part, grid: Grid) -> dict[str, Array]:
    out = {}
    with reading(path), h5py.File(path, "r") as file:
        _dated(path, file, found)
        for letter in "VH":
            data = _dataset(path, file, letter, grid)
            table = ALL * np.float32(np.ravel(data.attrs["SCALE FACTOR"])[0])
            table[MISSING:] = np.nan
            table[0] = np.nan  # cells that were never written
            name = f"{found.channel}{letter.lower()}"
            out[name] = kelvin(path, name, at.of(data), table)
    return out
