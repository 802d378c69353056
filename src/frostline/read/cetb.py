"""Brightness temperatures of the CETB family: NSIDC-0738 (SMAP), NSIDC-0630 (SSM/I ... AMSR-E), NSIDC-0763 (AMSR2).

One file is one channel of one pass of one day on an EASE-Grid 2.0. Format: formats.md 3, from the producer's code.
"""

from __future__ import annotations

import re
import warnings
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import xarray as xr

from frostline.clock import AM, PM
from frostline.errors import InputError
from frostline.grid import GRIDS, Grid
from frostline.read.codes import ALL, kelvin
from frostline.read.common import Found, Listing, Part, date_of, decode_times, field_dataset, lazy, listing, part
from frostline.read.gate import TB_KELVIN, check_axes, check_kelvin, check_shape, inspect_file, reading

Array = np.ndarray
# formats.md 3.2; the production time is optional, and one version number per product is known
DASHED = re.compile(
    r"NSIDC-(?P<product>0738|0630|0763)-EASE2_(?P<grid>[NSTM][\d.]+km)-(?P<sensor>[A-Z0-9]+_[A-Z0-9]+)-(?P<date>\d{7})-"
    r"(?P<channel>[\d.]+[HVF])-(?P<pass>[MEAD])-(?P<alg>SIR|GRD|BGI)-(?P<source>[A-Z0-9_]+)-v(?P<version>\d+\.\d+)\.nc"
)
UNDERLINED = re.compile(
    r"NSIDC(?P<product>0738|0630|0763)_(?P<alg>SIR|GRD|BGI)_EASE2_(?P<grid>[NSTM][\d.]+km)_"
    r"(?P<sensor>[A-Z0-9]+_[A-Z0-9]+)_(?P<pass>[MEAD])_(?P<channel>[\d.]+[HVF])_(?P<date>\d{8})_"
    r"(?:(?P<made>\d{10,14})_)?v(?P<version>\d+\.\d+)\.nc"
)
KNOWN_VERSIONS = {"0738": ("1", "2", "3"), "0630": ("1", "2"), "0763": ("1",)}
# channel -> name; 19.35 and 37.0 GHz of the older radiometers stand in the bands of AMSR's 18.7 and 36.5
BANDS = {"1.4": "1", "18": "18", "19": "18", "36": "36", "37": "36"}
FILLS = (0, 60000)  # packed: the fill, and v1/v2's missing_value (600.00 K when ignored)
TIME_FILL = -32768
OVERPASS = {"M": AM, "E": PM, "D": AM, "A": PM}  # descending is the morning pass of SMAP (06 h) and AMSR2 (01:30)
T_LEFT, T_TOP, T_STEP = -17367530.44, 6756820.2, 25025.26  # cetb.h, mid-latitude grids, for 25 km


def read_cetb(path: str | Path, *, window: Grid | None = None) -> xr.Dataset:
    """One CETB file as a lazy dataset: `tb_<band><v|h>` (K) and `tb_time` (minutes since 00 UTC of the date).

    On (time, overpass, y, x), sizes 1, 1, rows, columns of the file's grid or of `window`, a window of it; north
    up; fill and missing are NaN. The header is checked now, values when they are computed. Raises InputError.
    """
    found, grid = _facts(path)
    inspect_file(path, "netcdf")
    at = part(path, grid, window)
    with reading(path), h5py.File(path, "r") as file:
        _check(path, file, grid)
        names = [found.channel, *(["tb_time"] if "TB_time" in file else [])]
    grid = window or grid
    arrays = lazy(partial(_load, Path(path), found, at, "tb_time" in names), names, grid.shape)
    attrs = {"source": f"NSIDC-{_product(path)} {found.version}", "file": Path(path).name}
    return field_dataset(arrays, grid, date=found.date, overpass=found.overpass, attrs=attrs)


def load_cetb(path: str | Path, *, window: Grid | None = None, time: bool = False) -> dict[str, Array]:
    """The same as plain arrays (rows, columns) float32, at once: {"tb_1v": ...} and with `time` also "tb_time"."""
    found, grid = _facts(path)
    inspect_file(path, "netcdf")
    return _load(Path(path), found, part(path, grid, window), time, grid)


def cetb_grid(path: str | Path) -> Grid:
    """The grid that the file's name says (the file itself is not opened)."""
    return _facts(path)[1]


def list_cetb(folder: str | Path) -> Listing:
    """Every CETB file below a folder that frostline has a name for; the newest version of each, the rest told."""
    return listing(folder, _parse, (".nc",))


@lru_cache(maxsize=64)
def grid_of_name(name: str) -> Grid | None:
    """The EASE-Grid 2.0 of a CETB grid name (formats.md 3.3), or None where there is none.

    >>> grid_of_name("N09km").name, grid_of_name("N3.125km").shape, grid_of_name("T25km").shape
    ('N09', (5760, 5760), (540, 1388))
    """
    kind, km = name[0], float(name[1:-2])
    family = next((b for b in (25.0, 36.0, 24.0) if (b / km).is_integer() and _power_of_two(int(b / km))), None)
    if family is None:
        return None
    if kind in "NS":
        size = round(18000 / km)
        grid = Grid(f"EASE2_{name}", "EPSG:6931" if kind == "N" else "EPSG:6932", -9e6, 9e6, km * 1000, (size, size))
    elif kind == "T" and family == 25.0:
        fold = round(25 / km)
        grid = Grid(f"EASE2_{name}", "EPSG:6933", T_LEFT, T_TOP, T_STEP / fold, (540 * fold, 1388 * fold))
    elif kind == "M" and family != 25.0:
        base, times = GRIDS["M36"], 36 / km
        shape = (round(406 * times), round(964 * times))
        step = GRIDS["M09"].step if km == 9 else base.step / times
        grid = replace(base, name=f"EASE2_{name}", step=step, shape=shape)
    else:
        return None
    return next((g for g in GRIDS.values() if replace(g, name=grid.name) == grid), grid)


def _parse(path: Path) -> Found | str:
    match = DASHED.fullmatch(path.name) or UNDERLINED.fullmatch(path.name)
    if match is None:
        return "the name is not of the CETB family"
    m = match.groupdict()
    band, polarization = BANDS.get(m["channel"][:-1]), m["channel"][-1].lower()
    date, grid = date_of(m["date"]), grid_of_name(m["grid"])
    if date is None:
        return f"there is no day {m['date']}"
    if grid is None:
        return f"unknown grid {m['grid']}"
    if band is None or polarization == "f":
        return f"channel {m['channel']} is not used"
    if m["pass"] in "AD" and m["sensor"].startswith("F08"):
        return "which pass of F08 is the morning one is unverified: its A and D are not read"
    version = f"v{m['version']}" + (f" {m['made']}" if m.get("made") else "")
    return Found(path, date, OVERPASS[m["pass"]], f"tb_{band}{polarization}", grid.name, version)


def _facts(path: str | Path) -> tuple[Found, Grid]:
    path = Path(path)
    found = _parse(path)
    if isinstance(found, str):
        remedy = "keep the producer's file name: it carries date, pass, channel and grid"
        raise InputError("E-INPUT-SCHEMA", where=path, cause=found, remedy=remedy)
    match = DASHED.fullmatch(path.name) or UNDERLINED.fullmatch(path.name)
    assert match is not None
    if match["version"].split(".")[0] not in KNOWN_VERSIONS[match["product"]]:
        known = ", ".join(KNOWN_VERSIONS[match["product"]])
        warnings.warn(f"{path}: version {match['version']} is newer than those known ({known})", stacklevel=3)
    grid = grid_of_name(match["grid"])
    assert grid is not None
    return found, grid


def _product(path: str | Path) -> str:
    return Path(path).name.removeprefix("NSIDC").lstrip("-")[:4]


def _check(path: str | Path, file: h5py.File, grid: Grid) -> h5py.Dataset:
    """The TB dataset, when its shape and the x and y arrays are those of the grid named."""
    if "TB" not in file:
        cause = f"no dataset TB (found {', '.join(list(file)[:6]) or 'nothing'}), not a CETB file"
        raise InputError("E-INPUT-SCHEMA", where=path, cause=cause, remedy="check the product")
    tb = file["TB"]
    check_shape(path, tb.shape, (1, *grid.shape), f"{grid.name} of the file's name")
    if "x" in file and "y" in file:  # never the GeoTransform string: producers' files have it wrong
        check_axes(path, file["x"], file["y"], grid)
    return tb


def _load(path: Path, found: Found, at: Part, time: bool, grid: Grid | None = None) -> dict[str, Array]:
    with reading(path), h5py.File(path, "r") as file:
        tb = file["TB"] if grid is None else _check(path, file, grid)
        out = {found.channel: _kelvin(path, found.channel, at.of(tb, before=(0,)), tb.attrs)}
        if time:
            out["tb_time"] = _minutes(path, found, at.of(file["TB_time"], before=(0,)), file["TB_time"].attrs)
    return out


def _kelvin(path: Path, name: str, packed: Array, attrs: Any) -> Array:
    """K from packed integers; fills are NaN, then the unit is tested, then single values out of range are NaN."""
    if packed.dtype == np.uint16:
        return kelvin(path, name, packed, _unpacked(ALL, attrs))
    values = _unpacked(packed, attrs)
    check_kelvin(path, values, name, TB_KELVIN)
    with np.errstate(invalid="ignore"):
        values[(values < TB_KELVIN[0]) | (values > TB_KELVIN[1])] = np.nan
    return values


def _unpacked(packed: Array, attrs: Any) -> Array:
    values = packed.astype(np.float32)
    if packed.dtype.kind in "ui":
        values *= np.float32(np.ravel(attrs.get("scale_factor", 1.0))[0])
        values += np.float32(np.ravel(attrs.get("add_offset", 0.0))[0])
    values[(packed == FILLS[0]) | (packed == FILLS[1])] = np.nan
    return values


def _minutes(path: Path, found: Found, raw: Array, attrs: Any) -> Array:
    units = attrs.get("units", b"")
    text = units.decode() if isinstance(units, bytes) else str(units)
    epoch = decode_times(path, np.zeros(1), text)[0] if text else found.date.astype("datetime64[ns]")
    shift = (epoch - found.date.astype("datetime64[ns]")) / np.timedelta64(1, "m")
    return np.where(raw == TIME_FILL, np.nan, raw.astype(np.float32) + np.float32(shift)).astype(np.float32)


def _power_of_two(n: int) -> bool:
    return n > 0 and n & (n - 1) == 0
