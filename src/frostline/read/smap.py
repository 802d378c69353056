"""SMAP freeze/thaw, SPL3FTP_E (9 km) and SPL3FTP (36 km): one file holds both passes of a day on two grids.

Format: formats.md 1, from the official schemas of version 4. Read where the archive's layout is, and where NASA's
Harmony cut it (x, y and am_pm beside the fields); older subsetters' `.Bands_01` pairs are refused.
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

from frostline.clock import AM, DAILY, NOMINAL_HOUR, PM
from frostline.errors import InputError
from frostline.grid import Grid, named
from frostline.read.common import Found, Listing, Part, date_of, listing, part
from frostline.read.freeze_thaw import ENOUGH, TERRAIN, check_coordinates, check_polarity, lazy_record
from frostline.read.gate import check_axes, check_codes, check_shape, inspect_file, reading
from frostline.schema import QUALITY, describe

Array = np.ndarray
NAME = re.compile(
    r"(?:\d+_)?SMAP_L3_FT_P(?P<enhanced>_E)?_(?P<date>\d{8})_(?P<release>R\d{5})_(?P<number>\d{3})"
    r"(?:_\w*subsetted)?\.(?:h5|nc4)"
)
GROUP = "Freeze_Thaw_Retrieval_Data_"
GRIDS = {"Global": {9: "M09", 36: "M36"}, "Polar": {9: "N09", 36: "N36"}}
KNOWN_VERSIONS = ("003", "004")
THAWED, FROZEN, NO_CLASS = 0, 1, 254
NO_FLAG, NO_FLOAT = 65534, -9999.0
SURFACE_BITS = 0x0FFF  # version 4 sets the four others in every cell (formats.md 1.4)
ATTEMPTED, MUCH_WATER, ICE_FLAG, WEAK_SCV = 1, 2, 4, 8  # retrieval_qual_flag
WATER_BODY, ICE_COVER, MOUNTAINS = 1, 64, 512  # surface_flag
EPOCH = np.datetime64("2000-01-01T11:58:55.816", "ms")  # J2000 as UTC; five leap seconds since are below a minute
ORBIT = 100.0  # minutes: a file begins with the half orbit that straddles 00 UTC
OLDEST = 10.0 * 1440.0  # minutes: a median of observations older than this is no daily file
TROPICAL = 60.0  # degrees: poleward of it the local hour of a pass is not 06 or 18
HOURS = 3.0  # how far the median local hour of a pass may lie from 06 or 18
STATICS = {
    "altitude_dem": "elevation",
    "landcover_class": "land_cover",
    "open_water_body_fraction": "water_fraction",
    "altitude_std_dev": "terrain_std",
}
KINDS = {"frozen": "f4", "quality": "u2", "age": "u1", "tb_time": "f4", "=water_fraction": "f4", "=terrain_std": "f4"}


def read_smap(path: str | Path, *, window: Grid | None = None) -> xr.Dataset:
    """One file as a lazy dataset: `frozen` 1, 0 or NaN, `quality`, `age` (days), `tb_time` (minutes since 00 UTC).

    On (time, overpass, y, x), sizes 1, 2, rows, columns; `water_fraction` (open water) and `terrain_std` (m, the
    terrain complexity index of Cui 2024) on (y, x). `window` is a window of one of the file's two grids: EPSG:6933
    reads the global group, EPSG:6931 the polar one; None is the global grid. The date is the file's UTC day: east of
    90 E its 06 h pass is that of the next local date (`clock.utc_day_offset`). A cell that was not seen that day
    may carry an earlier day's state: `age` says so. Header and grid are checked now, values when computed.
    Raises InputError.
    """
    found, group, at, grid = _open(path, window)
    load = partial(_load, Path(path), found, group, at, grid)
    attrs = {"source": f"{_product(path)} {found.version}", "file": Path(path).name}
    return lazy_record(load, KINDS, grid, date=found.date, overpass=[AM, PM], attrs=attrs)


def load_smap(path: str | Path, *, window: Grid | None = None) -> dict[str, Array]:
    """The same as plain arrays at once, (2, rows, columns) and (rows, columns).

    Beside them `retrieval_flags` and `surface_flags` (2, rows, columns) uint16: the product's own bits, 0 where it
    has none, the four meaningless bits of `surface_flag` removed.
    """
    found, group, at, grid = _open(path, window)
    return _load(Path(path), found, group, at, grid)


def read_smap_static(path: str | Path, *, window: Grid | None = None) -> xr.Dataset:
    """What the file holds of `elevation` (m), `land_cover`, `water_fraction`, `terrain_std` (m), on (y, x).

    A cell that only one pass saw has the value of that pass. Needs no date, so any file name will do. Raises
    E-INPUT-SCHEMA when it holds none of them.
    """
    path = Path(path)
    inspect_file(path, "hdf5")
    with reading(path), h5py.File(path, "r") as file:
        group, whole = _chosen(path, file, window)
        data = file[GROUP + group]
        at, grid = part(path, whole, window), window or whole
        if "latitude" in data and "longitude" in data:
            _places(path, data, at, grid)
        fields = {name: _static(data[v], at) for v, name in STATICS.items() if v in data}
        if not fields:
            raise _lacks(path, data, " or ".join(STATICS))
    ds = xr.Dataset({n: (("y", "x"), v) for n, v in fields.items()})
    return describe(grid.write(ds)).assign_attrs(source="SMAP L3 freeze/thaw", file=path.name)


def smap_grids(path: str | Path) -> dict[str, Grid]:
    """ "Global" and "Polar", those the file has: the grid of each, confirmed by the coordinates it holds."""
    inspect_file(path, "hdf5")
    with reading(path), h5py.File(path, "r") as file:
        grids = {name: _grid(path, file, name) for name in GRIDS if GROUP + name in file}
        for name, grid in grids.items():
            _places(path, file[GROUP + name], part(path, grid, None), grid)
    return grids


def list_smap(folder: str | Path) -> Listing:
    """Every file below a folder, the newest release of each day; overpass code 2 stands for both passes."""
    return listing(folder, _parse, (".h5", ".nc4"))


def _parse(path: Path) -> Found | str:
    m = NAME.fullmatch(path.name)
    if m is None:
        return "the name is not of SPL3FTP or SPL3FTP_E"
    date = date_of(m["date"])
    if date is None:
        return f"there is no day {m['date']}"
    return Found(path, date, DAILY, "frozen", "M09" if m["enhanced"] else "M36", f"{m['release']} {m['number']}")


def _open(path: str | Path, window: Grid | None) -> tuple[Found, str, Part, Grid]:
    """Name, group, part and grid of a file whose header and layout are what they should be."""
    found = _parse(Path(path))
    if isinstance(found, str):
        remedy = "keep the producer's file name: it carries date, release and resolution"
        raise InputError("E-INPUT-SCHEMA", where=path, cause=found, remedy=remedy)
    inspect_file(path, "hdf5")
    with reading(path), h5py.File(path, "r") as file:
        group, whole = _chosen(path, file, window)
        resolution = "9 km" if found.grid == "M09" else "36 km"
        if (round(whole.step / 1000) == 9) != (found.grid == "M09"):
            cause = f"its cells are of {whole.step / 1000:.0f} km, those of {_product(path)} of {resolution}"
            raise InputError("E-INPUT-GRID", where=path, cause=cause, remedy="the file has another product's name")
        if "freeze_thaw" not in file[GROUP + group]:
            raise _lacks(path, file[GROUP + group], "freeze_thaw")
        _dated(path, file, found)
    return found, group, part(path, whole, window), window or whole


def _chosen(path: str | Path, file: h5py.File, window: Grid | None) -> tuple[str, Grid]:
    """The group that `window` asks for and the grid on which the file has it."""
    groups = [name for name in GRIDS if GROUP + name in file]
    wanted = {"EPSG:6931": "Polar", "EPSG:6933": "Global"}.get(window.crs, "") if window else (groups or [""])[0]
    if not groups:
        cause = f"no group {GROUP}Global or Polar (found {', '.join(list(file)[:6]) or 'nothing'})"
        raise InputError("E-INPUT-SCHEMA", where=path, cause=cause, remedy="check the product")
    if wanted not in groups:
        cause = f"holds the group {' and '.join(groups)}, not that of a window in {window.crs if window else '?'}"
        raise InputError("E-INPUT-GRID", where=path, cause=cause, remedy="ask for a window of EPSG:6933 or EPSG:6931")
    return wanted, _grid(path, file, wanted)


def _grid(path: str | Path, file: h5py.File, name: str) -> Grid:
    """The grid of a group: a whole one by its size, or Harmony's cut of one by its x and y."""
    group = file[GROUP + name]
    if any(".Bands_" in key for key in group):
        cause = "an older subsetter's layout (AM and PM as .Bands_01 and .Bands_02), which carries no grid"
        raise InputError("E-INPUT-SCHEMA", where=path, cause=cause, remedy="use the archive's file, or Harmony")
    grids = {km: named(g) for km, g in GRIDS[name].items()}
    if "x" in group and "y" in group:
        x, y = group["x"][:], group["y"][:]
        step = (x[-1] - x[0]) / (len(x) - 1) if len(x) > 1 else 0.0
        whole = min(grids.values(), key=lambda g: abs(g.step - step))
        row, col = round((whole.top - y[0]) / whole.step - 0.5), round((x[0] - whole.left) / whole.step - 0.5)
        fits = row >= 0 and col >= 0 and row + len(y) <= whole.shape[0] and col + len(x) <= whole.shape[1]
        if not fits:
            cause = f"x and y begin at {x[0]:.0f}, {y[0]:.0f} m, outside {whole.name}"
            raise InputError("E-INPUT-GRID", where=path, cause=cause, remedy="use a file on the named grid")
        grid = whole.window(slice(row, row + len(y)), slice(col, col + len(x)))
        check_axes(path, x, y, grid)
        return grid
    planes = [v for v in group.values() if isinstance(v, h5py.Dataset) and v.ndim == 3]
    if not planes:
        raise _lacks(path, group, "any field of two passes")
    size = planes[0].shape[1:]
    grid = next((g for g in grids.values() if g.shape == size), grids[9])
    for v in planes:
        check_shape(path, v.shape, (2, *grid.shape), f"{v.name} on {grid.name}")
    return grid


def _dated(path: str | Path, file: h5py.File, found: Found) -> None:
    """The metadata, where there are any, must name the same day and a version that is known."""
    meta = file.get("Metadata")
    if not isinstance(meta, h5py.Group):
        return
    if "Extent" in meta and "rangeBeginningDateTime" in meta["Extent"].attrs:
        inside = _text(meta["Extent"].attrs["rangeBeginningDateTime"])[:10]
        if inside != str(found.date):
            cause = f"the name says {found.date}, /Metadata/Extent says {inside}"
            raise InputError("E-INPUT-TIME", where=path, cause=cause, remedy="give the file its own name back")
    if "DatasetIdentification" in meta and "ECSVersionID" in meta["DatasetIdentification"].attrs:
        version = _text(meta["DatasetIdentification"].attrs["ECSVersionID"])
        if version not in KNOWN_VERSIONS:
            known = ", ".join(KNOWN_VERSIONS)
            warnings.warn(f"{path}: version {version} is not one of those known ({known})", stacklevel=4)


def _load(path: Path, found: Found, group: str, at: Part, grid: Grid) -> dict[str, Array]:
    both = (slice(None),)
    with reading(path), h5py.File(path, "r") as file:
        data = file[GROUP + group]
        lon = _places(path, data, at, grid)
        codes = at.of(data["freeze_thaw"], before=both)
        check_codes(path, codes, (THAWED, FROZEN, NO_CLASS), "freeze_thaw")
        flags = at.of(data["retrieval_qual_flag"], before=both)
        surface = at.of(data["surface_flag"], before=both)
        seconds = at.of(data["freeze_thaw_time_seconds"], before=both)
        out = {name: _static(data[v], at) for v, name in STATICS.items() if "=" + name in KINDS}
    frozen = (codes == FROZEN).astype(np.float32)
    frozen[codes == NO_CLASS] = np.nan
    unknown = seconds == NO_FLOAT
    seconds += (EPOCH - found.date) / np.timedelta64(1, "s")  # in place: a whole grid of 9 km is 100 MB
    seconds /= 60.0
    minutes = seconds.astype(np.float32)
    minutes[unknown] = np.nan
    del seconds
    _times(path, minutes, lon)
    check_polarity(path, frozen, grid, found.date)
    with np.errstate(invalid="ignore"):
        days = np.clip(np.ceil((-minutes - ORBIT) / 1440.0), 0.0, 254.0)
    age = np.where(np.isfinite(days) & (codes != NO_CLASS), np.nan_to_num(days), 255).astype(np.uint8)
    own, ground = np.where(flags == NO_FLAG, 0, flags), np.where(surface == NO_FLAG, 0, surface & SURFACE_BITS)
    out["frozen"], out["tb_time"], out["age"] = frozen, minutes, age
    out["quality"] = _quality(codes != NO_CLASS, flags != NO_FLAG, own, ground, age)
    out["retrieval_flags"], out["surface_flags"] = own.astype(np.uint16), ground.astype(np.uint16)
    return out


def _quality(known: Array, seen: Array, own: Array, ground: Array, age: Array) -> Array:
    """Bits of QUALITY: why a cell has no state; and of those that have one, what speaks against it."""
    water = ((own & MUCH_WATER) | (ground & WATER_BODY)) > 0
    ice = ((own & ICE_FLAG) | (ground & ICE_COVER)) > 0
    tried = (own & ATTEMPTED) > 0
    bits = np.zeros(known.shape, np.uint16)
    for name, where in (
        ("open_water", ~known & water),
        ("permanent_ice", ~known & ice),
        ("outside_domain", ~known & seen & ~tried & ~water & ~ice),
        ("input_missing", ~known & (~seen | (tried & ~water & ~ice))),
        ("low_confidence", known & ((own & (MUCH_WATER | WEAK_SCV)) > 0)),
        ("gap_filled", known & (age > 0) & (age < 255)),
    ):
        bits[where] |= np.uint16(QUALITY[name])
    bits[(ground & MOUNTAINS) > 0] |= np.uint16(TERRAIN)
    return bits


def _places(path: str | Path, data: h5py.Group, at: Part, grid: Grid) -> Array:
    """Longitudes (2, rows, columns), -9999 where unseen, after a look at whether cells lie where the grid says."""
    lon, lat = (at.of(data[name], before=(slice(None),)) for name in ("longitude", "latitude"))
    for overpass in (AM, PM):
        check_coordinates(path, lon[overpass], lat[overpass], grid)
    return np.where(np.abs(lat) <= TROPICAL, lon, NO_FLOAT)


def _times(path: Path, minutes: Array, lon: Array) -> None:
    """Raises E-INPUT-TIME when the times are not of the file's days, or the planes' local hours not 06 and 18."""
    known = minutes[np.isfinite(minutes)]
    if known.size and not -OLDEST <= np.median(known) <= 1440.0 + ORBIT:
        cause = f"half of the times lie {np.median(known) / 1440.0:.1f} days from the file's date"
        raise InputError("E-INPUT-TIME", where=path, cause=cause, remedy="check the date in the name")
    for overpass, nominal in NOMINAL_HOUR.items():
        seen = np.isfinite(minutes[overpass]) & (lon[overpass] != NO_FLOAT)
        if seen.sum() < ENOUGH:
            continue
        hours = minutes[overpass][seen] / 60.0 + lon[overpass][seen] / 15.0 - nominal
        off = float(np.median((hours + 12.0) % 24.0 - 12.0))
        if abs(off) > HOURS:
            cause = f"plane {overpass} was seen at {(nominal + off) % 24:.0f} h local time, not {nominal:.0f} h"
            raise InputError("E-INPUT-TIME", where=path, cause=cause, remedy="AM and PM may be exchanged")


def _static(values: h5py.Dataset, at: Part) -> Array:
    """(rows, columns) float32 of a field that both passes carry: AM's value, else PM's, else NaN."""
    fill = NO_CLASS if values.dtype.kind == "u" else NO_FLOAT
    morning, evening = at.of(values, before=(slice(None),)).astype(np.float32)
    merged = np.where(morning == fill, evening, morning)
    return np.where(merged == fill, np.float32(np.nan), merged)


def _lacks(path: str | Path, group: h5py.Group, wanted: str) -> InputError:
    cause = f"{group.name} has no {wanted} (holds {', '.join(list(group)[:8]) or 'nothing'})"
    return InputError("E-INPUT-SCHEMA", where=path, cause=cause, remedy="subset with the fields that are needed")


def _product(path: str | Path) -> str:
    return "SPL3FTP_E" if "_P_E_" in Path(path).name else "SPL3FTP"


def _text(value: Any) -> str:
    value = np.ravel(value)[0]
    return value.decode() if isinstance(value, bytes) else str(value)
