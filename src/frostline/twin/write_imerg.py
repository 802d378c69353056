"""GPM IMERG precipitation files, half-hourly V06 and V07: global, of which only the window's chunks exist."""

from __future__ import annotations

import io
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import h5py
import numpy as np

from frostline.errors import ConfigError
from frostline.grid import Grid, regular
from frostline.twin.publish import char, patched, publish

Array = np.ndarray
Version = Literal["V06B", "V07B"]

IMERG = regular(0.1, left=-180.0, top=90.0, name="IMERG-0.1")
MAIN = {"V06B": "precipitationCal", "V07B": "precipitation"}
EPOCH = {"V06B": "1970-01-01", "V07B": "1980-01-06"}
CHUNKS = {"f4": (1, 145, 1800), "i2": (1, 291, 1800)}
FILL: dict[str, Any] = {"f4": np.float32(-9999.9), "i2": np.int16(-9999)}
# name, dtype, units; a path below /Grid. Units and types by the producer's schema of V06 (formats.md 6)
RATE, MINUTES, PERCENT = "mm/hr", "minutes", "percent"
COMMON = (
    ("randomError", "f4", RATE),
    ("probabilityLiquidPrecipitation", "i2", PERCENT),
    ("precipitationQualityIndex", "f4", ""),
)
DATA: dict[str, tuple[tuple[str, str, str], ...]] = {
    "V06B": (
        ("precipitationCal", "f4", RATE),
        ("precipitationUncal", "f4", RATE),
        ("HQprecipitation", "f4", RATE),
        ("HQprecipSource", "i2", ""),
        ("HQobservationTime", "i2", MINUTES),
        ("IRprecipitation", "f4", RATE),
        ("IRkalmanFilterWeight", "i2", ""),
        *COMMON,
    ),
    "V07B": (
        ("precipitation", "f4", RATE),
        *COMMON,
        ("Intermediate/IRinfluence", "i2", ""),
        ("Intermediate/IRprecipitation", "f4", RATE),
        ("Intermediate/MWobservationTime", "i2", MINUTES),
        ("Intermediate/MWprecipSource", "i2", ""),
        ("Intermediate/MWprecipitation", "f4", RATE),
        ("Intermediate/precipitationUncal", "f4", RATE),
    ),
}
GRID_HEADER = (
    "BinMethod=ARITHMETIC_MEAN;\nRegistration=CENTER;\nLatitudeResolution=0.1;\nLongitudeResolution=0.1;\n"
    "NorthBoundingCoordinate=90;\nSouthBoundingCoordinate=-90;\nEastBoundingCoordinate=180;\n"
    "WestBoundingCoordinate=-180;\nOrigin=SOUTHWEST;\n"
)


def write(folder: Path, *, start: Any, metres: Array, window: Grid, version: Version = "V07B") -> Path:
    """The half hour that begins at UTC `start`: rates of which all but the main dataset are fills.

    `metres` (rows, columns) of water fallen in the half hour on `window`, a part of the 0.1 degree grid that begins
    at 180 W, NaN = unseen; in the file (1, longitude, latitude) from the south-west in mm/hr. Source: formats.md 6.
    Raises ConfigError for another grid, negative water, or a start that is no half hour.
    """
    row, col = window.offset(IMERG)
    (rows, cols), height = window.shape, IMERG.shape[0]
    if np.shape(metres) != window.shape or np.nanmin(metres, initial=0.0) < 0:
        cause = f"water of {np.shape(metres)} on {window.shape}, at least {np.nanmin(metres, initial=0.0):g} m"
        raise ConfigError("E-CONFIG", where=folder, cause=cause)
    begin = np.datetime64(start, "s")
    name = file_name(begin, version=version)
    rate = np.where(np.isfinite(metres), np.asarray(metres, float) * 2000.0, FILL["f4"]).astype(np.float32)
    seconds = int((begin - np.datetime64(EPOCH[version], "s")) / np.timedelta64(1, "s"))

    def patch(file: h5py.File) -> None:
        grid = file["Grid"]
        grid[MAIN[version]][0, col : col + cols, height - row - rows : height - row] = rate[::-1].T
        grid["time"][0] = seconds
        grid["time_bnds"][0] = seconds, seconds + 1799
        file.attrs.modify("FileHeader", char(_header(name, begin, version)))

    return publish(Path(folder) / name, patched(_template(version), patch))


def file_name(start: Any, *, version: Version = "V07B") -> str:
    """The producer's name of the half hour that begins at `start`.

    >>> file_name("2024-05-01T00:30")
    '3B-HHR.MS.MRG.3IMERG.20240501-S003000-E005959.0030.V07B.HDF5'
    """
    begin = np.datetime64(start, "s")
    minute = int((begin - begin.astype("datetime64[D]")) / np.timedelta64(60, "s"))
    if minute % 30 or begin != np.datetime64(start, "m"):
        raise ConfigError("E-CONFIG", where=str(start), cause="IMERG's half hours begin at full and half hours")
    first, last = begin.astype(object), (begin + 1799).astype(object)
    return f"3B-HHR.MS.MRG.3IMERG.{first:%Y%m%d}-S{first:%H%M%S}-E{last:%H%M%S}.{minute:04d}.{version}.HDF5"


def _header(name: str, begin: np.datetime64, version: Version) -> str:
    first, last = begin.astype(object), (begin + 1799).astype(object)
    return (
        f"DOI=10.5067/GPM/IMERG/3B-HH/{version[1:3]};\nDOIauthority=http://dx.doi.org/;\nDOIshortName=3IMERGHH;\n"
        f"FileName={name};\nSatelliteName=MULTI;\nInstrumentName=MERGED;\n"
        f"StartGranuleDateTime={first:%Y-%m-%dT%H:%M:%S}.000Z;\nStopGranuleDateTime={last:%Y-%m-%dT%H:%M:%S}.999Z;\n"
        f"TimeInterval=HALF_HOUR;\nProcessingSystem=frostline twin Earth (simulated);\nProductVersion={version};\n"
    )


@lru_cache(maxsize=2)
def _template(version: Version) -> bytes:
    """A file without one value."""
    buffer = io.BytesIO()
    since = f"seconds since {EPOCH[version]} 00:00:00 UTC"
    with h5py.File(buffer, "w") as file:
        file.attrs["FileHeader"] = char("")
        file.attrs["FileInfo"] = char(
            f"DataFormatVersion={version[2]};\nMetadataStyle=PVL;\nEndianType=LITTLE_ENDIAN;\n"
        )
        grid = file.create_group("Grid")
        grid.attrs["GridHeader"] = char(GRID_HEADER)
        axes = {"time": np.zeros(1, "i4"), "lon": IMERG.x.astype("f4"), "lat": IMERG.y[::-1].astype("f4")}
        edges = {"latv": 2, "lonv": 2, "nv": 2}
        for name, values in axes.items():
            unlimited = {"maxshape": (None,), "chunks": (32,)} if name == "time" else {}
            grid.create_dataset(name, data=values, **unlimited).make_scale(name)
        for name, size in edges.items():
            grid.create_dataset(name, data=np.arange(size, dtype="i4")).make_scale(name)
        half = 0.05
        bounds = {n: np.stack([axes[n] - half, axes[n] + half], axis=1).astype("f4") for n in ("lon", "lat")}
        bounds["time"] = np.zeros((1, 2), "i4")
        for (name, values), edge in zip(bounds.items(), ("lonv", "latv", "nv"), strict=True):
            shape = {"maxshape": (None, 2), "chunks": (32, 2)} if name == "time" else {}
            v = grid.create_dataset(f"{name}_bnds", data=values, **shape)
            unit = {"lon": "degrees_east", "lat": "degrees_north", "time": since}[name]
            _attributes(v, (name, edge), unit, f"{name} {edge}")
            for key, text in (
                ("DimensionNames", name),
                ("Units", unit),
                ("units", unit),
                ("standard_name", {"lon": "longitude", "lat": "latitude", "time": "time"}[name]),
                ("bounds", f"{name}_bnds"),
                ("axis", {"lon": "X", "lat": "Y", "time": "T"}[name]),
            ):
                grid[name].attrs[key] = char(text)
        grid["time"].attrs["calendar"] = char("julian")
        for name, kind, unit in DATA[version]:
            v = grid.create_dataset(
                name,
                (1, IMERG.shape[1], IMERG.shape[0]),
                kind,
                maxshape=(None, IMERG.shape[1], IMERG.shape[0]),
                chunks=CHUNKS[kind],
                fillvalue=FILL[kind],
                compression="gzip",
                compression_opts=4,
                shuffle=True,
            )
            _attributes(v, ("time", "lon", "lat"), unit, "time lon lat")
            v.attrs["_FillValue"] = FILL[kind]
            v.attrs["CodeMissingValue"] = char("-9999.9" if kind == "f4" else "-9999")
    return buffer.getvalue()


def _attributes(v: h5py.Dataset, dims: tuple[str, ...], unit: str, coordinates: str) -> None:
    """Dimensions, units in both spellings, coordinates."""
    for i, name in enumerate(dims):
        v.dims[i].attach_scale(v.file["Grid"][name])
    v.attrs["DimensionNames"] = char(",".join(dims))
    for key in ("Units", "units") if unit else ():
        v.attrs[key] = char(unit)
    v.attrs["coordinates"] = char(coordinates)
