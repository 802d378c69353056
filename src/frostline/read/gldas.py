"""GLDAS-Noah 0.25 degree three-hourly fields (GRIB of 2.0/2.1 subsets, nc4) and its land mask and elevation.

The grid covers 60 S to 90 N; files begin in the south-west and are turned north up here.
"""

from __future__ import annotations

import re
from functools import partial
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import h5py
import numpy as np
import xarray as xr

from frostline.errors import InputError
from frostline.grid import Grid, regular
from frostline.read.common import Part, decode_times, files_below, lazy, need, part
from frostline.read.gate import SOIL_KELVIN, check_axes, check_kelvin, check_shape, inspect_file, reading
from frostline.schema import describe

Array = np.ndarray
GLDAS = regular(0.25, left=-180.0, top=90.0, shape=(600, 1440), name="GLDAS-0.25")
NAME = re.compile(r"GLDAS_NOAH025(?:SUBP)?_3H(?:_EP)?\.A(\d{7,8})\.(\d{4})\.\d{3}(?:\.\d+)?\.(grb|nc4)")
SOIL_TEMPERATURE = 85  # GRIB edition 1 parameter
FILL = -9999.0
TOP_LAYER_MM = 100.0  # kg m-2 of water in the 0-10 cm layer, full of water: 1 m3 m-3
# nc4 name -> (vocabulary, divide by)
NAMES = {"SoilTMP0_10cm_inst": ("soil_temperature", 1.0), "SoilMoi0_10cm_inst": ("soil_moisture", TOP_LAYER_MM)}
STATIC = {"GLDAS_mask": "land", "GLDAS_elevation": "elevation"}


def read_gldas(path: str | Path, *, window: Grid | None = None) -> xr.Dataset:
    """One GLDAS-Noah file, lazy, on (time, y, x): `soil_temperature` (K) and/or `soil_moisture` (m3 m-3) of 0-10 cm.

    `time` is the UTC instant; water is NaN. GRIB needs eccodes (no index file is written). Raises InputError.
    """
    path = Path(path)
    at = part(path, GLDAS, window)
    time, names = _grib_facts(path) if _is_grib(path) else _nc4_facts(path)
    grid = window or GLDAS
    load = partial(_load_grib if _is_grib(path) else _load_nc4, path, at)
    ds = xr.Dataset({n: (("time", "y", "x"), a[None]) for n, a in lazy(load, names, grid.shape).items()})
    ds = describe(grid.write(ds)).assign_coords(time=("time", np.atleast_1d(time)))
    ds["time"].attrs.update(standard_name="time", long_name="UTC instant")
    for name in names:
        ds[name].attrs["depth"] = "0-10 cm"
    return ds.assign_attrs(source="GLDAS-Noah", file=path.name)


def load_gldas(path: str | Path, *, window: Grid | None = None) -> tuple[np.datetime64, dict[str, Array]]:
    """The same at once: the UTC instant and arrays (rows, columns) float32."""
    path = Path(path)
    at = part(path, GLDAS, window)
    if _is_grib(path):
        return _grib_facts(path)[0], _load_grib(path, at)
    return _nc4_facts(path)[0], _load_nc4(path, at)


def read_gldas_static(path: str | Path, *, window: Grid | None = None) -> xr.Dataset:
    """GLDAS land mask (`land`, bool) or `elevation` (m, NaN over water) on (y, x), read at once (3 MB)."""
    path = Path(path)
    at = part(path, GLDAS, window)
    inspect_file(path, "hdf5")
    with reading(path), h5py.File(path, "r") as file:
        _check_axes(path, file)
        names = [n for n in STATIC if n in file]
        data = {STATIC[n]: (("y", "x"), _north_up(path, file[n], at)) for n in names}
    if not data:
        cause = "neither GLDAS_mask nor GLDAS_elevation in it"
        raise InputError("E-INPUT-SCHEMA", where=path, cause=cause, remedy="give GLDASp4_*_025d.nc4")
    if "land" in data:
        data["land"] = (data["land"][0], data["land"][1] == 1)
    return describe((window or GLDAS).write(xr.Dataset(data))).assign_attrs(file=path.name)


def list_gldas(folder: str | Path) -> list[tuple[Path, np.datetime64]]:
    """(path, UTC instant by name) of every GLDAS-Noah file below a folder, in time order."""
    found = []
    for path in files_below(Path(folder)):
        match = NAME.fullmatch(path.name)
        if match is not None:
            found.append((path, _instant(*match.groups()[:2])))
    return sorted(found, key=lambda f: (f[1], f[0].name))


def _instant(date: str, clock: str) -> np.datetime64:
    if len(date) == 7:
        day = np.datetime64(f"{date[:4]}-01-01", "m") + np.timedelta64(int(date[4:]) - 1, "D")
    else:
        day = np.datetime64(f"{date[:4]}-{date[4:6]}-{date[6:]}", "m")
    return (day + np.timedelta64(int(clock[:2]) * 60 + int(clock[2:]), "m")).astype("datetime64[ns]")


def _is_grib(path: Path) -> bool:
    return path.suffix in (".grb", ".grb1", ".grib")


def _eccodes() -> ModuleType:
    """eccodes, loaded after pyproj: its wheel brings a second libproj, and pyproj crashes when it comes later."""
    import_module("pyproj")
    return need("eccodes", extra="grib")


def _grib_facts(path: Path) -> tuple[np.datetime64, list[str]]:
    inspect_file(path, "grib")
    eccodes = _eccodes()
    with reading(path), path.open("rb") as file:
        message = eccodes.codes_grib_new_from_file(file, headers_only=True)
        try:
            date, clock = (int(eccodes.codes_get(message, k)) for k in ("validityDate", "validityTime"))
        finally:
            eccodes.codes_release(message)
    return _instant(str(date), f"{clock:04d}"), ["soil_temperature"]


def _load_grib(path: Path, at: Part) -> dict[str, Array]:
    """Soil temperature of the top layer.

    Producer's files carry four messages that differ in `bottomLevel` 4, 3, 2, 1 only, with `topLevel` 0: a count,
    not centimetres. 4 is the top layer: over the eight real files its mean diurnal range is 5.1 K, that of the
    others 0.5, 0.1 and 0.06 K.
    """
    inspect_file(path, "grib")
    eccodes = _eccodes()
    layers: dict[int, Array] = {}
    with reading(path), path.open("rb") as file:
        while (message := eccodes.codes_grib_new_from_file(file)) is not None:
            try:
                keys = ("indicatorOfParameter", "topLevel", "bottomLevel", "Nj", "Ni", "jScansPositively")
                kind, top, bottom, rows, cols, northward = (int(eccodes.codes_get(message, k)) for k in keys)
                if kind != SOIL_TEMPERATURE or top != 0:
                    continue
                check_shape(path, (rows, cols), GLDAS.shape, GLDAS.name)
                west, south = (
                    float(eccodes.codes_get(message, f"{k}OfFirstGridPointInDegrees"))
                    for k in ("longitude", "latitude")
                )
                first = GLDAS.y[-1] if northward else GLDAS.y[0]
                if abs((west + 180) % 360 - 180 - GLDAS.x[0]) > 1e-3 or abs(south - first) > 1e-3:
                    cause = f"begins at {west} E {south} N, not at {GLDAS.x[0]} E {first} N"
                    raise InputError("E-INPUT-GRID", where=path, cause=cause, remedy="use the producer's file")
                missing = float(eccodes.codes_get(message, "missingValue"))
                values = eccodes.codes_get_values(message).reshape(rows, cols)
                values = np.where(values == missing, np.nan, values)
                layers[bottom] = values[::-1] if northward else values
            finally:
                eccodes.codes_release(message)
    if not layers:
        cause = "no soil temperature (GRIB parameter 85) of the top layer"
        raise InputError("E-INPUT-SCHEMA", where=path, cause=cause, remedy="give a GLDAS-Noah file with it")
    if set(layers) != {1, 2, 3, 4} and len(layers) > 1:
        cause = f"layers {sorted(layers)} are not the four this reader knows"
        raise InputError("E-INPUT-SCHEMA", where=path, cause=cause, remedy="give the producer's file")
    values = at.of(layers[max(layers)]).astype(np.float32)
    check_kelvin(path, values, "soil temperature", SOIL_KELVIN)
    return {"soil_temperature": values}


def _nc4_facts(path: Path) -> tuple[np.datetime64, list[str]]:
    inspect_file(path, "hdf5")
    with reading(path), h5py.File(path, "r") as file:
        _check_axes(path, file)
        names = [new for own, (new, _) in NAMES.items() if own in file]
        units = file["time"].attrs["units"]
        time = decode_times(path, file["time"][:], units.decode() if isinstance(units, bytes) else str(units))
    if not names:
        cause = f"neither of {', '.join(NAMES)} in it"
        raise InputError("E-INPUT-SCHEMA", where=path, cause=cause, remedy="give a GLDAS-Noah file with it")
    return time[0], names


def _load_nc4(path: Path, at: Part) -> dict[str, Array]:
    out = {}
    inspect_file(path, "hdf5")
    with reading(path), h5py.File(path, "r") as file:
        for own, (name, divide) in NAMES.items():
            if own in file:
                out[name] = _north_up(path, file[own], at) / np.float32(divide)
    if "soil_temperature" in out:
        check_kelvin(path, out["soil_temperature"], "soil temperature", SOIL_KELVIN)
    return out


def _check_axes(path: Path, file: Any) -> None:
    check_axes(path, file["lon"][:], file["lat"][:][::-1], GLDAS, tolerance=1e-3)


def _north_up(path: Path, data: Any, at: Part) -> Array:
    """The window of (1, rows from the south, columns), rows south, fills NaN."""
    check_shape(path, data.shape, (1, *GLDAS.shape), GLDAS.name)
    rows = GLDAS.shape[0]
    turned = Part(slice(rows - at.rows.stop, rows - at.rows.start), at.cols)
    values = turned.of(data, before=(0,))[::-1].astype(np.float32)
    return np.where(values == np.float32(FILL), np.float32(np.nan), values)
