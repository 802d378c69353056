"""netCDF of every generation, HDF5 and netCDF-3, in a file or in a ZIP's member: arrays, attributes, values."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from frostline.read.archive import read_member
from frostline.read.gate import reading

Array = np.ndarray
PACKED_FILL = -32767  # of old ERA5 files, formats.md 5.2


@contextmanager
def opened(path: Path, member: Any) -> Iterator[tuple[Callable[[str], tuple[Any, Mapping[str, Any]]], list[str]]]:
    """`get(name) -> (array-like, attributes)` and the names, for HDF5 and for netCDF-3, in a file or a ZIP."""
    where = path if member is None else f"{path}!{member.filename}"
    source: Path | BytesIO = path if member is None else read_member(path, member)
    with reading(where):
        if _begins(source).startswith(b"CDF"):
            from scipy.io import netcdf_file

            # mapped, not read: an old global month is 1.5 GB. The copies of _Copied let the map be closed again
            with netcdf_file(source, "r", mmap=isinstance(source, Path), maskandscale=False) as old:
                yield lambda n: (_Copied(old, n), vars(old.variables[n])["_attributes"]), list(old.variables)
        else:
            with h5py.File(source, "r") as file:
                yield lambda n: (file[n], file[n].attrs), list(file)


def _begins(source: Path | BytesIO) -> bytes:
    if isinstance(source, BytesIO):
        return source.getvalue()[:4]
    with source.open("rb") as file:
        return file.read(4)


class _Copied:
    """A netCDF-3 variable that gives copies and keeps no reference to the file's memory map."""

    def __init__(self, file: Any, name: str) -> None:
        self.file, self.name, self.shape = file, name, file.variables[name].shape
        self.ndim = len(self.shape)

    def __getitem__(self, key: Any) -> Array:
        return np.array(self.file.variables[self.name][key])


def decode(raw: Array, attrs: Mapping[str, Any]) -> Array:
    """float32 with NaN where the fills stand; packed integers are unpacked in float64."""
    fills = {float(np.ravel(attrs[k])[0]) for k in ("_FillValue", "missing_value") if k in attrs}
    if raw.dtype.kind == "i":
        fills.add(PACKED_FILL)
    scale = float(np.ravel(attrs.get("scale_factor", 1.0))[0])
    offset = float(np.ravel(attrs.get("add_offset", 0.0))[0])
    plain = scale == 1.0 and offset == 0.0
    values = raw.astype(np.float32) if plain else (raw * np.float64(scale) + offset).astype(np.float32)
    for fill in fills:
        if np.isfinite(fill):
            values[raw == fill] = np.nan
    return values


def text(value: Any) -> str:
    """An attribute as text, whatever it was stored as; none is empty."""
    value = np.ravel(value)[0] if isinstance(value, np.ndarray) else value
    return value.decode() if isinstance(value, bytes) else str(value or "")
