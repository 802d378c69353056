"""JAXA AMSR2 level-3 brightness temperature files: one day, orbit direction and frequency on the 0.1 degree grid."""

from __future__ import annotations

import io
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import h5py
import numpy as np

from frostline.errors import ConfigError
from frostline.twin.publish import patched, publish

Array = np.ndarray
Orbit = Literal["A", "D"]

ROWS, COLUMNS = 1800, 3600  # equirectangular 0.1 degree; row 0 = 89.95 N, column 0 = 0.05 E (formats.md 4.1)
NAMES = {"V": "Brightness Temperature (V)", "H": "Brightness Temperature (H)"}
TIME = "Time Information"
SCALE = 0.01  # K
UNSEEN, BAD = 65535, 65534  # no observation; observed and rejected (formats.md 4.1: readers drop >= 65533)
NO_TIME = -9999  # any negative number of minutes is missing
DIRECTION = {"A": "Ascending", "D": "Descending"}
CHUNK = (60, 120)  # cells, 6 by 12 degrees: a window of 64x64 cells of 9 km touches four to nine
DEFLATE = 4  # 9 halves the speed for a tenth of the bytes

# What lies on both sides of the question whether column 0 is 0 E or 180 W, so that a reader can ask the data:
# (rows, columns, 18.7 V, 18.7 H, 36.5 V, 36.5 H in K). Hot dry sand, and a cool ocean of strong polarization.
SAHARA = (slice(600, 720), slice(0, 300), 292.0, 262.0, 287.0, 262.0)  # 18-30 N, 0-30 E
PACIFIC = (slice(750, 1050), slice(1800, 2160), 200.0, 135.0, 220.0, 165.0)  # 15 N-15 S, 180-144 W


def write(
    folder: Path,
    *,
    date: Any,
    orbit: Orbit,
    frequency: int,
    tb_v: Array,
    tb_h: Array,
    minutes: Array,
    row: int,
    col: int,
) -> Path:
    """One file of 1800x3600 cells, of which only those around the box and two landmarks exist.

    `tb_v`, `tb_h` K (NaN = not observed) and `minutes` since 00 UTC of `date`, all (rows, columns), the first
    cell at global `row`, `col`; columns are taken modulo 3600, so a box may cross Greenwich. Every second
    unobserved cell of the box is packed 65534, the others 65535. The landmarks (Sahara, central Pacific) stand
    in all files, observed at 12 UTC: a regional twin has no other land and sea to tell the grid's origin by.
    Source: formats.md 4.1. Raises ConfigError for another frequency than 18, 36, or TB outside 0..655 K.
    """
    if frequency not in (18, 36):
        raise ConfigError("E-CONFIG", where=folder, cause=f"AMSR2 files of {frequency} GHz are not made")
    day = np.datetime64(date, "D")
    seen = np.isfinite(tb_v) & np.isfinite(tb_h)
    time = np.where(seen, np.rint(np.where(seen, minutes, 0.0)), NO_TIME).astype(np.int16)
    parts = {NAMES["V"]: pack(tb_v, seen), NAMES["H"]: pack(tb_h, seen), TIME: time}

    def patch(file: h5py.File) -> None:
        for name, values in parts.items():
            for box, part in _pieces(row, col, seen.shape):
                file[name][box] = values[part]
        for name, text in _dated(day, orbit, frequency).items():
            file.attrs.modify(name, np.array([text.encode()]))

    return publish(
        Path(folder) / file_name(day, orbit=orbit, frequency=frequency),
        patched(_template(orbit, frequency), patch),
    )


def file_name(date: Any, *, orbit: Orbit, frequency: int) -> str:
    """JAXA's name (formats.md 4.1).

    >>> file_name("2016-01-01", orbit="D", frequency=18)
    'GW1AM2_20160101_01D_EQMD_L3SGT18HA2220220.h5'
    """
    day = np.datetime64(date, "D").astype(object)
    return f"GW1AM2_{day:%Y%m%d}_01D_EQM{orbit}_L3SGT{frequency:02d}HA2220220.h5"


def pack(tb: Array, seen: Array) -> Array:
    """K as uint16 hundredths; unobserved cells alternate between the two fills.

    >>> pack(np.array([[251.234, np.nan, np.nan]]), np.array([[True, False, False]]))
    array([[25123, 65534, 65535]], dtype=uint16)
    """
    if ((tb[seen] < 0.0) | (tb[seen] > 655.0)).any():
        raise ConfigError("E-CONFIG", cause="brightness temperature outside 0..655 K")
    fill = np.where(np.indices(tb.shape).sum(axis=0) % 2 == 1, BAD, UNSEEN)
    return np.where(seen, np.rint(np.where(seen, tb, 0.0) / SCALE), fill).astype(np.uint16)


def _pieces(row: int, col: int, shape: tuple[int, int]) -> list[tuple[tuple[slice, slice], tuple[slice, slice]]]:
    """Where a box lies in the file and which part of it lies there; two pieces when it crosses column 0."""
    rows, cols = shape
    if row < 0 or row + rows > ROWS or cols > COLUMNS:
        raise ConfigError("E-CONFIG", cause=f"a box of {shape} at row {row} does not lie on {ROWS} x {COLUMNS}")
    first = col % COLUMNS
    cut = min(cols, COLUMNS - first)
    where = slice(row, row + rows)
    pieces = [((where, slice(first, first + cut)), (slice(None), slice(0, cut)))]
    if cut < cols:
        pieces.append(((where, slice(0, cols - cut)), (slice(None), slice(cut, cols))))
    return pieces


def _dated(day: np.datetime64, orbit: Orbit, frequency: int) -> dict[str, str]:
    """The root attributes that name the day; all of fixed length."""
    return {
        "ObservationStartDateTime": f"{day}T00:00:00.000Z",
        "ObservationEndDateTime": f"{day}T23:59:59.999Z",
        "GranuleID": file_name(day, orbit=orbit, frequency=frequency).removesuffix(".h5"),
    }


@lru_cache(maxsize=4)
def _template(orbit: Orbit, frequency: int) -> bytes:
    """A file of 1 January 1972 that holds the two landmarks alone."""
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        for k, name in enumerate((*NAMES.values(), TIME)):
            kind, fill = (np.int16, NO_TIME) if name == TIME else (np.uint16, UNSEEN)
            v = file.create_dataset(
                name,
                (ROWS, COLUMNS),
                kind,
                chunks=CHUNK,
                fillvalue=kind(fill),
                compression="gzip",
                compression_opts=DEFLATE,
                shuffle=True,
            )
            v.attrs["SCALE FACTOR"] = np.array([1.0 if name == TIME else SCALE], np.float32)
            v.attrs["UNIT"] = np.array([b"minute" if name == TIME else b"K"])
            for rows, columns, *kelvin in (SAHARA, PACIFIC):
                level = 720 if name == TIME else round(kelvin[k + (2 if frequency == 36 else 0)] / SCALE)
                v[rows, columns] = kind(level)
        fixed = {
            "ProductName": "AMSR2-L3",
            "PlatformShortName": "GCOM-W1",
            "SensorShortName": "AMSR2",
            "OrbitDirection": DIRECTION[orbit],
            "Comment": "frostline twin Earth (simulated, not observed)",
        }
        for key, text in {**fixed, **_dated(np.datetime64("1972-01-01"), orbit, frequency)}.items():
            file.attrs[key] = np.array([text.encode()])
    return buffer.getvalue()
