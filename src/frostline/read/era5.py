"""ERA5 and ERA5-Land hourly fields in netCDF: the layouts before and since September 2024, and ZIPs named .nc.

Formats: formats.md 5. Times stay UTC instants; sampling to local overpasses is done where labels are made.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from frostline.errors import InputError
from frostline.grid import Grid
from frostline.read.archive import members
from frostline.read.common import Part, decode_times, lazy, part
from frostline.read.gate import SOIL_KELVIN, check_cells, check_kelvin, check_moisture, inspect_file, is_zip
from frostline.read.netcdf import decode, opened, text
from frostline.schema import describe

Array = np.ndarray
# short name -> vocabulary. `sd` is metres of water in both; ERA5-Land's `sde` is metres of snow (formats.md 5)
NAMES = {
    "stl1": "soil_temperature",
    "t2m": "air_temperature",
    "swvl1": "soil_moisture",
    "sd": "swe",
    "sde": "snow_depth",
    "tp": "precipitation",
}
KELVIN = ("soil_temperature", "air_temperature")
DEPTH = {"soil_temperature": "0-7 cm", "soil_moisture": "0-7 cm"}
BLOCK = 24  # hours to a chunk: a day
GRID_TOLERANCE = 0.02  # of a cell: files of areas cut at odd degrees repeat their step to four digits
LAND_STEP = 0.1  # degrees: tells ERA5-Land, whose precipitation accumulates since 00 UTC


@dataclass(frozen=True)
class _Header:
    """What a file (or one member of a ZIP) holds: times, grid, whether rows go north, variables by file name."""

    member: Any
    times: Array
    grid: Grid
    flip: bool
    variables: tuple[str, ...]


def read_era5(
    path: str | Path,
    *,
    window: Grid | None = None,
    names: Sequence[str] | None = None,
    before: str | Path | None = None,
) -> xr.Dataset:
    """Hourly fields as a lazy dataset on (time, y, x), vocabulary names, SI; `time` is UTC, one day to a chunk.

    `names`: which vocabulary names (default: all that the file holds). `window`: a part of the file's grid;
    longitudes count modulo 360. Rows go south whatever the file does. `precipitation` (m in the hour that ends
    at `time`) has ERA5-Land's accumulation since 00 UTC undone; `before` is the file of the hours before, whose
    last one a file needs that begins at 00 UTC: without it the first hour is NaN. Raises InputError: E-INPUT-UNITS
    for a temperature that is not in K, E-INPUT-TIME for members of a ZIP with different hours or a `before` that
    does not end an hour earlier.
    """
    path = Path(path)
    headers = _headers(path)
    times, grid = headers[0].times, window or headers[0].grid
    data: dict[str, Any] = {}
    for header in headers:
        at = part(path, header.grid, window)
        for short, name in _wanted(path, headers, header, names):
            data[name] = (("time", "y", "x"), _blocks(path, header, short, name, at, grid.shape, before))
    if not data:
        held = ", ".join(sorted({v for h in headers for v in h.variables})) or "nothing known"
        raise InputError("E-INPUT-SCHEMA", where=path, cause=f"none of the names asked for; it holds {held}")
    ds = describe(grid.write(xr.Dataset(data))).assign_coords(time=("time", times))
    ds["time"].attrs.update(standard_name="time", long_name="UTC instant")
    for name, depth in DEPTH.items():
        if name in ds:
            ds[name].attrs["depth"] = depth
    return ds.assign_attrs(source="ERA5-Land" if _is_land(grid) else "ERA5", file=path.name)


def load_era5(
    path: str | Path,
    *,
    window: Grid | None = None,
    names: Sequence[str] | None = None,
    before: str | Path | None = None,
) -> tuple[Array, dict[str, Array]]:
    """The same at once: UTC times (t,) datetime64[ns] and arrays (t, rows, columns) float32 by vocabulary name."""
    path = Path(path)
    headers = _headers(path)
    out = {}
    for header in headers:
        at = part(path, header.grid, window)
        for short, name in _wanted(path, headers, header, names):
            out[name] = _load(path, header, short, name, at, slice(0, len(header.times)), before)
    return headers[0].times, out


def era5_grid(path: str | Path) -> Grid:
    """The file's grid, rows south, longitudes as in the file."""
    return _headers(Path(path))[0].grid


def era5_times(path: str | Path) -> Array:
    """The file's UTC times, datetime64[ns]; only the header is read."""
    return _headers(Path(path))[0].times


def hourly(accumulated: Array, times: Array) -> Array:
    """Sums of the hour ending at each time, from sums since 00 UTC whose 00 UTC step ends the day before.

    (t, rows, columns) and (t,) hourly. The first step, unless it is 01 UTC, has no step before it: NaN.
    Differences below zero (rounding) become 0. formats.md 5.

    >>> t = np.datetime64("2020-01-01T23") + np.arange(3) * np.timedelta64(1, "h")
    >>> hourly(np.array([9.0, 10.0, 2.0])[:, None, None], t).ravel().tolist()
    [nan, 1.0, 2.0]
    """
    hour = (times - times.astype("datetime64[D]")) / np.timedelta64(1, "h")
    out = np.full_like(accumulated, np.nan)
    out[1:] = np.maximum(accumulated[1:] - accumulated[:-1], 0)
    step = np.diff(times) / np.timedelta64(1, "h")
    out[1:][step != 1] = np.nan
    out[hour == 1] = accumulated[hour == 1]
    return out


def _headers(path: Path) -> list[_Header]:
    """One header per file, or per member of a ZIP; members share grid and hours."""
    if not path.is_file():
        inspect_file(path, "netcdf")
    if not is_zip(path):
        inspect_file(path, "netcdf")
        return [_header(path, None)]
    inside = members(path, (".nc",))
    if not inside:
        raise InputError("E-INPUT-ZIP", where=path, cause="the archive holds no .nc file", remedy="fetch it again")
    headers = [_header(path, info) for info in inside]
    hours = np.unique(np.concatenate([h.times for h in headers]))
    for header in headers:
        missing = np.setdiff1d(hours, header.times)
        if missing.size:
            first = np.datetime_as_string(missing[0], unit="m")
            cause = f"member {header.member.filename} lacks {missing.size} of {hours.size} hours, first {first} UTC"
            raise InputError("E-INPUT-TIME", where=path, cause=cause, remedy="fetch it again")
        if header.grid != headers[0].grid:
            raise InputError("E-INPUT-GRID", where=path, cause="its members lie on different grids")
    return headers


def _header(path: Path, member: Any) -> _Header:
    with opened(path, member) as (get, names):
        if not {"latitude", "longitude"} <= set(names) or not {"time", "valid_time"} & set(names):
            cause = f"no latitude, longitude and time (found {', '.join(sorted(names)[:8])})"
            raise InputError("E-INPUT-SCHEMA", where=path, cause=cause, remedy="give ERA5 netCDF from the CDS")
        clock, units = get("valid_time" if "valid_time" in names else "time")
        times = decode_times(path, np.ravel(clock[:]), text(units.get("units")))
        if times.size == 0 or (np.diff(times) <= np.timedelta64(0)).any():
            cause = "it holds no time" if times.size == 0 else "its times do not rise"
            raise InputError("E-INPUT-TIME", where=path, cause=cause, remedy="fetch it again")
        grid, flip = _grid(path, np.asarray(get("latitude")[0][:], float), np.asarray(get("longitude")[0][:], float))
        return _Header(member, times, grid, flip, tuple(n for n in NAMES if n in names))


def _grid(path: Path, lat: Array, lon: Array) -> tuple[Grid, bool]:
    """The regular grid of the axes, and whether the file's rows go north. One step holds for both axes."""
    flip = lat.size > 1 and lat[0] < lat[-1]
    lat = lat[::-1] if flip else lat
    lon = np.where(lon < lon[0] - 1e-6, lon + 360.0, lon)
    spans = [abs(a[-1] - a[0]) / (a.size - 1) for a in (lon, lat) if a.size > 1]
    step = round(float(spans[0]), 4) if spans else 0.25
    off = max(
        float(np.abs(lat - (lat[0] - step * np.arange(lat.size))).max()),
        float(np.abs(lon - (lon[0] + step * np.arange(lon.size))).max()),
    )
    if off > GRID_TOLERANCE * step:
        cause = f"latitude and longitude are not regular at {step} degrees ({off:.3g} off)"
        raise InputError("E-INPUT-GRID", where=path, cause=cause, remedy="ask the CDS for the regular grid")
    left, top = round(float(lon[0]) - step / 2, 6), round(float(lat[0]) + step / 2, 6)
    return Grid(f"ERA5-{step:g}", "EPSG:4326", left, top, step, (lat.size, lon.size)), bool(flip)


def _wanted(
    path: Path, headers: list[_Header], header: _Header, names: Sequence[str] | None
) -> Iterator[tuple[str, str]]:
    held = {NAMES[v] for h in headers for v in h.variables}
    lacking = [n for n in names or () if n not in held]
    if lacking:
        cause = f"lacks {', '.join(lacking)} (it holds {', '.join(sorted(held)) or 'nothing known'})"
        raise InputError("E-INPUT-SCHEMA", where=path, cause=cause, remedy="ask the CDS for these variables too")
    for short in header.variables:
        if names is None or NAMES[short] in names:
            yield short, NAMES[short]


def _blocks(
    path: Path,
    header: _Header,
    short: str,
    name: str,
    at: Part,
    shape: tuple[int, int],
    before: str | Path | None,
) -> Any:
    import dask.array as da

    hours = len(header.times)
    blocks = []
    for start in range(0, hours, BLOCK):
        when = slice(start, min(start + BLOCK, hours))
        size = (when.stop - when.start, *shape)

        def load(when: slice = when) -> Mapping[str, Array]:
            return {name: _load(path, header, short, name, at, when, before)}

        blocks.append(lazy(load, [name], size)[name])
    return da.concatenate(blocks) if len(blocks) > 1 else blocks[0]


def _load(
    path: Path, header: _Header, short: str, name: str, at: Part, when: slice, before: str | Path | None
) -> Array:
    if name == "precipitation" and header.grid.shape == (1, 1):
        cause = "one cell does not tell ERA5-Land, whose precipitation is summed since 00 UTC, from ERA5"
        raise InputError("E-INPUT-GRID", where=path, cause=cause, remedy="ask the CDS for two cells or more")
    if name == "precipitation" and _is_land(header.grid):
        first = max(when.start - 1, 0)  # differences need the hour before
        values, times = _raw(path, header, short, at, slice(first, when.stop)), header.times[first : when.stop]
        if when.start == 0 and before is not None:
            last, hour = _last(Path(before), header, short, at)
            values, times = np.concatenate([last, values]), np.concatenate([hour, times])
        values = hourly(values, times)[when.start - when.stop :]
    else:
        values = _raw(path, header, short, at, when)
    if name in KELVIN:
        check_kelvin(path, values, f"{short} ({name})", SOIL_KELVIN)
    if name == "soil_moisture":
        check_moisture(path, values, f"{short} ({name})")
    return np.ascontiguousarray(values, np.float32)


def _raw(path: Path, header: _Header, short: str, at: Part, hours: slice) -> Array:
    """(hours, rows, columns) float32 as the file has them, rows south, fills NaN."""
    rows, height = at.rows, header.grid.shape[0]
    if header.flip:
        at = Part(slice(height - rows.stop, height - rows.start), at.cols)
    with opened(path, header.member) as (get, _):
        data, attrs = get(short)
        check_cells(path, data.shape)
        if data.ndim == 4:  # (time, expver, y, x): final and preliminary months complete each other
            versions = [decode(at.of(data, before=(hours, i)), attrs) for i in range(data.shape[1])]
            values = versions[0]
            for other in versions[1:]:
                values = np.where(np.isnan(values), other, values)
        else:
            values = decode(at.of(data, before=(hours,)), attrs)
    return values[:, ::-1] if header.flip else values


def _last(before: Path, header: _Header, short: str, at: Part) -> tuple[Array, Array]:
    """Values (1, rows, columns) and time (1,) of the hour before the first of `header`, from the file before."""
    held = [h for h in _headers(before) if short in h.variables]
    if not held:
        cause = f"lacks {short}, which the file after it needs"
        raise InputError("E-INPUT-SCHEMA", where=before, cause=cause, remedy="give the hours before, of one request")
    (end,), (begin,) = held[0].times[-1:], header.times[:1]
    if begin - end != np.timedelta64(1, "h"):
        cause = f"ends at {str(end)[:16]} UTC, the file after it begins at {str(begin)[:16]}"
        raise InputError("E-INPUT-TIME", where=before, cause=cause, remedy="give the file that ends an hour before")
    if held[0].grid != header.grid:
        cause = "lies on another grid than the file after it"
        raise InputError("E-INPUT-GRID", where=before, cause=cause, remedy="give the hours before, of one request")
    hours = len(held[0].times)
    return _raw(before, held[0], short, at, slice(hours - 1, hours)), held[0].times[-1:]


def _is_land(grid: Grid) -> bool:
    return abs(grid.step - LAND_STEP) < 1e-6
