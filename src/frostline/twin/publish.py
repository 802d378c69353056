"""A file appears whole under its own name or not at all; HDF5 files are patched copies of one template."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import h5py
import numpy as np

from frostline.errors import DiskError


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary name beside `path` to write to; renamed when the block ends well, removed otherwise.

    Raises DiskError when the file system refuses.
    """
    # the suffix stays last: rasterio and others choose the format by it
    part = path.with_name(f".{path.stem}.{os.getpid()}.part{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield part
        part.replace(path)
    except OSError as error:
        raise DiskError("E-DISK", where=path, cause=f"cannot be written ({error})") from error
    finally:
        with suppress(OSError):
            part.unlink()


def publish(path: Path, data: bytes) -> Path:
    """The bytes under `path`, all of them or none."""
    with replacing(path) as part:
        part.write_bytes(data)
    return path


def patched(image: bytes, patch: Callable[[h5py.File], None]) -> bytes:
    """The HDF5 file `image` after `patch`, both in memory.

    Structure and attributes cost 17 ms to make and 0.1 ms to copy, hence one template for thousands of files.
    """
    with h5py.File.in_memory(image) as file:
        patch(file)
        file.flush()
        return bytes(file.id.get_file_image())


def char(text: str) -> np.bytes_:
    """Text as NC_CHAR: a fixed-length attribute, as the C library writes it (h5py would make it NC_STRING)."""
    return np.bytes_(text.encode())
