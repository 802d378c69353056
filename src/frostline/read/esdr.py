"""The Freeze/Thaw Earth System Data Record, NSIDC-0477 versions 3 to 5.1: HDF5 or GeoTIFF, one day, AM, PM or both.

On the original EASE-Grid (25 km, global, cells registered by their centres), with 0 for frozen. Format: formats.md 2.
"""

from __future__ import annotations

import re
import warnings
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import xarray as xr

from frostline.clock import AM, DAILY, PM
from frostline.errors import InputError
from frostline.grid import Grid, named
from frostline.read.common import Found, Listing, Part, date_of, listing, need, part
from frostline.read.freeze_thaw import TERRAIN, check_coordinates, check_polarity, lazy_record
from frostline.read.gate import METRE, check_codes, check_shape, inspect_file, reading
from frostline.schema import QUALITY

Array = np.ndarray
NAME = re.compile(
    r"(?P<label>SMMR|SSMI|AMSR2|AMSRE|AMSR)_(?P<band>\d\d)(?P<polarization>[VH])_(?P<pass>AM|PM|CO)_FT_"
    r"(?P<year>\d{4})_day(?P<day>\d{3})(?:_v(?P<version>\d\d(?:\.\d)?))?\.(?P<form>h5|tif|gif)"
)
YEARLY = re.compile(r"(?:SMMR|SSMI|AMSR2|AMSRE|AMSR)_\w+_(?:accuracy|QA)_?\w*(?:_v[\d.]+)?\.(?:h5|tif|gif)")
NEWEST = (5, 1)
OVERPASSES = {"AM": [AM], "PM": [PM], "CO": [AM, PM]}
# ft_status: (AM, PM) frozen. In AM and PM files 0 and 1 are that pass alone
STATES = {0: (1, 1), 1: (0, 0), 2: (1, 0), 3: (0, 1)}
NO_DATA, NOT_COLD, WATER, UNSET = 252, 253, 254, 255
WHY = {NO_DATA: "input_missing", NOT_COLD: "outside_domain", WATER: "open_water", UNSET: "input_missing"}
INTERPOLATED, MUCH_WATER, STEEP, WET = 1, 2, 4, 8  # ft_qc: TB interpolated, > 20 % water, > 300 m gradient, rain
# First days of the satellites of the 37 GHz record (user guide of 5.1, table 9): where a trend may break
SATELLITES = (
    ("SMMR", np.datetime64("1979-01-01")),
    ("SSM/I F08", np.datetime64("1987-07-09")),
    ("SSM/I F11", np.datetime64("1991-12-12")),
    ("SSM/I F13", np.datetime64("1995-05-03")),
    ("SSMIS F17", np.datetime64("2008-01-01")),
    ("AMSR2", np.datetime64("2021-01-01")),
)
AMSRE_ENDS = np.datetime64("2011-10-04")  # versions 4 and 5.0 had a record of AMSR-E and AMSR2 of its own


def read_esdr(path: str | Path, *, window: Grid | None = None) -> xr.Dataset:
    """One daily file as a lazy dataset: `frozen` 1, 0 or NaN and `quality` on (time, overpass, y, x).

    One overpass from an AM or PM file, two from a CO file. The grid is ML25 or `window`, a window of it. `satellite`
    among the attributes says whose temperatures they are. `quality` has the flags of `ft_qc` where the file has them
    (HDF5 only). Name and header are checked now, values when computed. Raises InputError.
    """
    found, match, at, grid = _open(path, window)
    load = partial(_load, Path(path), found, match, at, grid)
    attrs = {
        "source": f"NSIDC-0477 {found.version.split()[0]}",
        "file": Path(path).name,
        "satellite": satellite(found.date, label=match["label"]),
    }
    kinds = {"frozen": "f4", "quality": "u2"}
    return lazy_record(load, kinds, grid, date=found.date, overpass=OVERPASSES[match["pass"]], attrs=attrs)


def load_esdr(path: str | Path, *, window: Grid | None = None) -> dict[str, Array]:
    """The same as plain arrays at once, each (overpasses, rows, columns)."""
    found, match, at, grid = _open(path, window)
    return _load(Path(path), found, match, at, grid)


def list_esdr(folder: str | Path) -> Listing:
    """Every daily HDF5 or GeoTIFF file below a folder, one per day, pass and sensor.

    Overpass code 2 stands for a CO file; the channel is "frozen_smmr", "frozen_ssmi" or "frozen_amsr". Of equal
    keys the newest version stays, and HDF5 before GeoTIFF, which has no flags.
    """
    return listing(folder, _parse, (".h5", ".tif", ".gif"))


def satellite(date: Any, *, label: str = "SSMI") -> str:
    """Which satellite a file's label means on a date.

    >>> satellite("1987-07-08"), satellite("1987-07-09"), satellite("2020-12-31"), satellite("2003-01-01", label="AMSR")
    ('SMMR', 'SSM/I F08', 'SSMIS F17', 'AMSR-E')
    """
    day = np.datetime64(date, "D")
    if label.startswith("AMSR"):
        return "AMSR-E" if day <= AMSRE_ENDS else "AMSR2"
    names = [name for name, begins in SATELLITES if begins <= day]
    return names[-1] if names else "unknown"


def _parse(path: Path) -> Found | str:
    m = NAME.fullmatch(path.name)
    if m is None:
        return "a yearly map of accuracy" if YEARLY.fullmatch(path.name) else "the name is not of NSIDC-0477"
    if m["form"] == "gif":
        return "a picture"
    if (m["band"], m["polarization"]) != ("37", "V"):
        return f"channel {m['band']} GHz {m['polarization']} is not the record's 37 GHz V"
    date = date_of(m["year"] + m["day"])
    if date is None:
        return f"there is no day {m['day']} in {m['year']}"
    overpass = DAILY if m["pass"] == "CO" else OVERPASSES[m["pass"]][0]
    release = f"v{float(m['version']):.1f}" if m["version"] else "v3/v4"
    # the 5 of "h5" puts it behind "tif" of one version, and before any newer version
    return Found(path, date, overpass, f"frozen_{m['label'].lower()[:4]}", "ML25", f"{release} {m['form']}")


def _open(path: str | Path, window: Grid | None) -> tuple[Found, re.Match[str], Part, Grid]:
    path = Path(path)
    found, match = _parse(path), NAME.fullmatch(path.name)
    if isinstance(found, str) or match is None:
        remedy = "keep the producer's file name: it carries date, pass and sensor"
        raise InputError("E-INPUT-SCHEMA", where=path, cause=str(found), remedy=remedy)
    if match["version"] and tuple(int(n) for n in match["version"].split(".")) > NEWEST:
        warnings.warn(f"{path}: version {match['version']} is newer than those known (3 to 5.1)", stacklevel=3)
    at = part(path, named("ML25"), window)
    inspect_file(path, "hdf5" if match["form"] == "h5" else "tiff")
    if match["form"] == "h5":
        with reading(path), h5py.File(path, "r") as file:
            _status(path, file)
    else:
        _check_raster(path)
    return found, match, at, window or named("ML25")


def _status(path: Path, file: h5py.File) -> h5py.Dataset:
    if "ft_status" not in file:
        cause = f"no dataset ft_status (found {', '.join(list(file)[:6]) or 'nothing'}), not NSIDC-0477"
        raise InputError("E-INPUT-SCHEMA", where=path, cause=cause, remedy="check the product")
    data = file["ft_status"]
    check_shape(path, data.shape, named("ML25").shape, "ML25, the original global EASE-Grid,")
    return data


def _check_raster(path: Path) -> None:
    """Refuses a GeoTIFF whose tags are not ML25's; half a cell off is told and taken for the tags' own fault.

    The array is the whole grid, so its cells are certain. Taking the centre of the first cell for its corner is a
    known mistake of tools for this record (formats.md 9.3).
    """
    rasterio = need("rasterio", extra="geo")
    grid = named("ML25")
    with reading(path), rasterio.open(path) as raster:
        check_shape(path, raster.shape, grid.shape, "ML25, the original global EASE-Grid,")
        a, code = raster.transform, raster.crs.to_epsg() if raster.crs else None
        corners = np.array([a.c - grid.left, grid.top - a.f])
        stretch = max(abs(a.a - grid.step) * grid.shape[1], abs(a.e + grid.step) * grid.shape[0], abs(a.b), abs(a.d))
        if code not in (None, 3410) or stretch > METRE or np.ptp(corners) > METRE:
            cause = f"its tags say EPSG:{code}, {a.to_gdal()}, the record's are EPSG:3410, {grid.geotransform}"
            raise InputError("E-INPUT-GRID", where=path, cause=cause, remedy="use the original file")
        shift = float(np.mean(corners))
        if abs(shift - grid.step / 2) <= METRE:
            warnings.warn(f"{path}: its tags lie half a cell south-east of the grid; the grid is right", stacklevel=4)
        elif abs(shift) > METRE:
            cause = f"its corner lies {shift:.0f} m south and east of that of ML25"
            raise InputError("E-INPUT-GRID", where=path, cause=cause, remedy="use the original file")


def _load(path: Path, found: Found, match: re.Match[str], at: Part, grid: Grid) -> dict[str, Array]:
    flags = None
    if match["form"] == "h5":
        with reading(path), h5py.File(path, "r") as file:
            codes = at.of(file["ft_status"])
            if "cell_lat" in file and "cell_lon" in file:
                check_coordinates(path, at.of(file["cell_lon"]), at.of(file["cell_lat"]), grid)
            if "ft_qc" in file:
                flags = at.of(file["ft_qc"])
    else:
        with reading(path), need("rasterio", extra="geo").open(path) as raster:
            codes = at.of(raster.read(1))
    states = tuple(STATES) if match["pass"] == "CO" else (0, 1)
    check_codes(path, codes, (*states, *WHY), f"ft_status of {match['pass']}")
    frozen = np.full((len(OVERPASSES[match["pass"]]), *codes.shape), np.nan, np.float32)
    for code in states:
        frozen[:, codes == code] = np.array(STATES[code][: len(frozen)], np.float32)[:, None]
    check_polarity(path, frozen, grid, found.date)
    quality = np.broadcast_to(_quality(codes, flags), frozen.shape).copy()
    return {"frozen": frozen, "quality": quality}


def _quality(codes: Array, flags: Array | None) -> Array:
    """Bits of QUALITY, (rows, columns): why a cell has no state; and of those that have one, what speaks against it."""
    bits = np.zeros(codes.shape, np.uint16)
    for code, name in WHY.items():
        bits[codes == code] |= np.uint16(QUALITY[name])
    if flags is not None:
        known = codes < NO_DATA
        bits[known & ((flags & INTERPOLATED) > 0)] |= np.uint16(QUALITY["gap_filled"])
        bits[known & ((flags & (MUCH_WATER | WET)) > 0)] |= np.uint16(QUALITY["low_confidence"])
        bits[(flags & STEEP) > 0] |= np.uint16(TERRAIN)
    return bits
