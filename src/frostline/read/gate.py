"""The one gate every input passes: is it there, whole, of the right kind, on the right grid, in the right unit.

Each refusal is an `InputError` of one line that names the file, the cause and what to do.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from frostline.errors import FrostlineError, InputError
from frostline.grid import Grid

Array = np.ndarray
HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"
ZIP_MAGIC = (b"PK\x03\x04", b"PK\x05\x06")
MAGIC: dict[str, tuple[bytes, ...]] = {
    "hdf5": (HDF5_MAGIC,),
    "netcdf": (HDF5_MAGIC, b"CDF\x01", b"CDF\x02", b"CDF\x05"),
    "grib": (b"GRIB",),
    "tiff": (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+"),
    "zip": ZIP_MAGIC,
    "parquet": (b"PAR1",),
    "text": (),
}
MAX_CELLS = 4_000_000_000  # 16 GB of float32: a year of hourly ERA5 fits, a header that declares 10^12 does not
THIN = 100_000  # values that a unit is tested on
TB_KELVIN = (50.0, 350.0)  # the packed valid_range of the CETB family, formats.md 3.1
SOIL_KELVIN = (150.0, 330.0)  # quality.md 6.2
MOISTURE = (0.01, 1.0)  # m3 of water in m3 of soil: the driest desert's residual, a peat bog
STATION_CELSIUS = (-80.0, 70.0)  # quality.md 6.2
METRE = 1.0  # largest misplacement of a projected grid, quality.md 6.3 case 19


def inspect_file(path: str | Path, kind: str) -> int:
    """Size in bytes of a file that is whole and of `kind` (a key of MAGIC), as far as its ends can tell.

    Reads a few hundred bytes, so it costs no more than opening. Raises InputError: E-INPUT-MISSING, -EMPTY,
    -HTML, -ZIP, -TRUNC, -SCHEMA. HDF5 is measured against the end-of-file address of its superblock, GRIB
    against the length in each message's header.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            head = file.read(512)
            if not size:
                raise InputError("E-INPUT-EMPTY", where=path, cause="the file is empty", remedy="fetch it again")
            _kind(path, head, kind)
            if head.startswith(HDF5_MAGIC):
                _whole(path, size, _hdf5_end(head))
            elif kind == "grib":
                _whole(path, size, _grib_end(file, size))
            elif kind == "parquet":
                file.seek(-4, os.SEEK_END)
                if file.read(4) != b"PAR1":
                    _whole(path, size, None)
    except FileNotFoundError:
        raise InputError("E-INPUT-MISSING", where=path, cause="no such file", remedy="check the path") from None
    except IsADirectoryError:
        raise InputError("E-INPUT-MISSING", where=path, cause="a folder, not a file") from None
    except OSError as error:
        raise InputError("E-INPUT-CORRUPT", where=path, cause=f"cannot be read ({error})") from error
    return size


def is_zip(path: str | Path) -> bool:
    """Whether the file begins like a ZIP archive, whatever its name says."""
    with reading(path), Path(path).open("rb") as file:
        return file.read(4) in ZIP_MAGIC


@contextmanager
def reading(path: str | Path) -> Iterator[None]:
    """Whatever goes wrong inside names the file: libraries' own messages do not.

    KeyError -> E-INPUT-SCHEMA (a dataset or attribute is missing); others of the reading libraries ->
    E-INPUT-CORRUPT. frostline's own errors pass through.
    """
    try:
        yield
    except FrostlineError:
        raise
    except FileNotFoundError:
        raise InputError("E-INPUT-MISSING", where=path, cause="no such file", remedy="check the path") from None
    except KeyError as error:
        cause = f"lacks what the product has ({str(error.args[0]) if error.args else error})"
        remedy = "check that the file is the product its name says"
        raise InputError("E-INPUT-SCHEMA", where=path, cause=cause, remedy=remedy) from error
    except (MemoryError, ImportError, NameError, AttributeError, AssertionError, Warning):
        raise  # the machine's or our own fault, not the file's
    except Exception as error:  # h5py, rasterio, eccodes, zlib and duckdb share no base class
        cause = f"cannot be read ({type(error).__name__}: {str(error)[:200]})"
        remedy = "the bytes are damaged: fetch it again"
        raise InputError("E-INPUT-CORRUPT", where=path, cause=cause, remedy=remedy) from error


def check_cells(path: str | Path, shape: tuple[int, ...]) -> None:
    """Refuses a declared size before anything is allocated (a 4 KB file can declare 10^12 cells)."""
    cells = 1
    for n in shape:
        cells *= int(n)
    if cells > MAX_CELLS:
        cause = f"declares {cells:.1e} cells {tuple(shape)}, more than {MAX_CELLS:.0e}"
        raise InputError("E-INPUT-CORRUPT", where=path, cause=cause, remedy="do not trust this file")


def check_shape(path: str | Path, found: tuple[int, ...], expected: tuple[int, ...], product: str) -> None:
    """Raises E-INPUT-GRID when the field is not of the product's size (a 36 km file given as 9 km)."""
    if tuple(found) != tuple(expected):
        cause = f"holds {_by(found)} cells, {product} has {_by(expected)}"
        remedy = "check that the file is the product and resolution that its name says"
        raise InputError("E-INPUT-GRID", where=path, cause=cause, remedy=remedy)


def check_axes(path: str | Path, x: Any, y: Any, grid: Grid, *, tolerance: float = METRE) -> None:
    """Raises E-INPUT-GRID when cell centres in the file are off `grid` by more than `tolerance` (its units).

    Looks at the length and at the first and last centre of each axis (`x`, `y` may be HDF5 datasets): catches
    9000 m taken for 9008.055 m, half-cell shifts, rows that go north, x and y exchanged.
    """
    check_shape(path, (len(y), len(x)), grid.shape, grid.name)
    (west, east), (first, last) = ((float(a[0]), float(a[len(a) - 1])) for a in (x, y))
    if first < last:
        cause = f"rows go north (y from {first:g} to {last:g}), {grid.name} goes south"
        remedy = "the file was altered after the producer wrote it: use the original"
        raise InputError("E-INPUT-GRID", where=path, cause=cause, remedy=remedy)
    for name, found, true in (("x", (west, east), grid.x), ("y", (first, last), grid.y)):
        off = max(abs(found[0] - true[0]), abs(found[1] - true[-1]))
        if not off <= tolerance:
            cause = f"{name} runs {found[0]:.3f}..{found[1]:.3f}, that of {grid.name} {true[0]:.3f}..{true[-1]:.3f}"
            remedy = "use a file on the named grid"
            raise InputError("E-INPUT-GRID", where=path, cause=f"{cause} ({off:.3g} off)", remedy=remedy)


def thinned(values: Array) -> Array:
    """Some THIN values of a large field, evenly spread in the order of its cells; all of a small one."""
    return values.ravel()[:: max(1, values.size // THIN)]


def check_kelvin(path: str | Path, values: Array, name: str, limits: tuple[float, float]) -> None:
    """Raises E-INPUT-UNITS with the median when a field in K is not in K; all-NaN fields pass.

    Large fields are thinned: a wrong unit shows in any of them.
    """
    thin = thinned(values)
    thin = thin[np.isfinite(thin)]
    if not thin.size and values.size > THIN:
        thin = values[np.isfinite(values)]
    if not thin.size:
        return
    median = float(np.median(thin))
    if limits[0] <= median <= limits[1]:
        return
    if STATION_CELSIUS[0] <= median <= STATION_CELSIUS[1]:
        guess = "looks like degrees Celsius"
    elif limits[0] <= median / 100.0 <= limits[1]:
        guess = "looks like packed 0.01 K that was not unpacked"
    else:
        guess = "is no temperature"
    raise InputError(
        "E-INPUT-UNITS",
        where=path,
        cause=f"{name} should be in K, its median {median:g} {guess}",
        remedy=f"give the file in K (median within {limits[0]:g}..{limits[1]:g})",
    )


def check_moisture(path: str | Path, values: Array, name: str) -> None:
    """Raises E-INPUT-UNITS with the median when a field of soil moisture is no volume of water in a volume of soil.

    Zeros (sea in ERA5), what rounding left below them, and NaN say nothing. Percent, kg m-2 and a scale factor that
    was used twice lie far outside MOISTURE.
    """
    thin = values.ravel()[:: max(1, values.size // 100_000)]
    thin = thin[thin > 1e-6]
    median = float(np.median(thin)) if thin.size else MOISTURE[1]
    if not MOISTURE[0] <= median <= MOISTURE[1]:
        cause = f"{name} should be in m3 m-3, its median is {median:.3g}"
        remedy = f"give the file in m3 m-3 (median within {MOISTURE[0]:g}..{MOISTURE[1]:g})"
        raise InputError("E-INPUT-UNITS", where=path, cause=cause, remedy=remedy)


def check_codes(path: str | Path, values: Array, allowed: tuple[int, ...], name: str) -> None:
    """Raises E-INPUT-SCHEMA with a histogram when a field of codes holds others; never cast to a class."""
    codes, counts = np.unique(values, return_counts=True)
    strange = ~np.isin(codes, allowed)
    if strange.any():
        table = ", ".join(f"{c:g}: {n}" for c, n in list(zip(codes, counts, strict=True))[:12])
        cause = f"{name} holds codes outside {_span(allowed)}; counts by code: {table}"
        raise InputError("E-INPUT-SCHEMA", where=path, cause=cause, remedy="check product and fill values")


def _kind(path: Path, head: bytes, kind: str) -> None:
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")[:64].lower()
    if start.startswith((b"<!doctype", b"<html", b"<?xml", b"<error")):
        shown = head.strip()[:14].decode("latin-1")
        cause = f"a web page, not {kind} (first bytes {shown!r}): the sign-in failed or the terms were not accepted"
        raise InputError("E-INPUT-HTML", where=path, cause=cause, remedy="sign in, then fetch it again")
    if kind != "zip" and head[:4] in ZIP_MAGIC:
        cause = f"a ZIP archive, not {kind}"
        raise InputError("E-INPUT-ZIP", where=path, cause=cause, remedy="unpack it and give the members")
    magic = MAGIC[kind]
    if not magic or head.startswith(magic):
        return
    if any(m.startswith(head) for m in magic):  # cut within the first bytes
        _whole(path, len(head), None)
    cause = f"not {kind} (first bytes {head[:8]!r})"
    raise InputError("E-INPUT-SCHEMA", where=path, cause=cause, remedy="check the product, or fetch it again")


def _whole(path: Path, size: int, expected: int | None) -> None:
    if expected is None or size < expected:
        wanted = "more" if expected is None else str(expected)
        cause = f"truncated: {size} bytes of {wanted}"
        raise InputError("E-INPUT-TRUNC", where=path, cause=cause, remedy="fetch it again")


def _hdf5_end(head: bytes) -> int | None:
    """End-of-file address of the superblock (HDF5 File Format Specification 3.0, II.A); None when cut."""
    try:
        version = head[8]
        if version < 2:
            width, first = head[13], 24 + 4 * (version == 1)  # base, free space, END, driver
            at = first + 2 * width
        else:
            width = head[9]
            at = 12 + 2 * width  # base, extension, END, root
        return int(struct.unpack_from({4: "<I", 8: "<Q"}[width], head, at)[0])
    except (IndexError, KeyError, struct.error):
        return None


def _grib_end(file: BinaryIO, size: int) -> int | None:
    """Where the last GRIB message ends by its header, edition 1 (24-bit length) or 2 (64-bit).

    Zero bytes between messages are padding (GLDAS pads to eight).
    """
    at = 0
    while at < size:
        file.seek(at)
        head = file.read(64)
        body = head.lstrip(b"\0")
        at, head = at + len(head) - len(body), body
        if not body:
            continue
        if len(head) < 16 or not head.startswith(b"GRIB"):
            return None
        length = int.from_bytes(head[4:7], "big") if head[7] == 1 else int.from_bytes(head[8:16], "big")
        if head[7] == 1 and length & 0x800000:
            return size  # ECMWF's coding of very long edition-1 messages: left to the library
        at += max(length, 1)
    return at


def _by(shape: tuple[int, ...]) -> str:
    return " x ".join(str(int(n)) for n in shape)


def _span(codes: tuple[int, ...]) -> str:
    run = codes == tuple(range(codes[0], codes[-1] + 1)) and len(codes) > 3
    return f"{codes[0]}..{codes[-1]}" if run else str(tuple(codes))
