"""A window of a packed HDF5 field by libdeflate: half the time of HDF5's own filters, which is most of reading.

Fields of two bytes a cell in gzip chunks, as brightness temperatures come; every other is left to HDF5. Needs the
extra `fast`, without which all are.
"""

from __future__ import annotations

from importlib.util import find_spec
from math import prod
from typing import Any

import h5py
import numpy as np

Array = np.ndarray
GZIP, SHUFFLED = (h5py.h5z.FILTER_DEFLATE,), (h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_DEFLATE)
MOST = 1 << 26  # bytes of a chunk: what a header declares is asked for before anything of it was read


def cells(field: Any, before: tuple[Any, ...], rows: slice, cols: slice) -> Array:
    """field[(*before, rows, cols)] of an array-like or an open HDF5 dataset; `rows`, `cols` with both ends.

    A chunk that cannot be inflated, or holds more or less than it should, raises a library's error, as HDF5 does.
    """
    read = _quick(field, before, rows, cols) if isinstance(field, h5py.Dataset) else None
    return np.asarray(field[(*before, rows, cols)]) if read is None else read


def _quick(data: h5py.Dataset, before: tuple[Any, ...], rows: slice, cols: slice) -> Array | None:
    """The window, or None where HDF5 has to read it."""
    filters = _filters(data)
    if filters not in (GZIP, SHUFFLED) or not all(isinstance(b, int) for b in before) or find_spec("deflate") is None:
        return None
    (*lead, height, width), native = data.chunks, data.dtype.isnative and data.dtype.kind in "iu"
    if data.dtype.itemsize != 2 or not native or len(before) != len(lead) or any(n != 1 for n in lead):
        return None
    written = prod(-(-n // m) for n, m in zip(data.shape, data.chunks, strict=True)) == data.id.get_num_chunks()
    within = all(0 <= part.start < part.stop <= n for part, n in zip((rows, cols), data.shape[-2:], strict=True))
    if 2 * height * width > MOST or not written or not within:
        return None
    return _inflated(data, before, rows, cols, filters == SHUFFLED)


def _filters(data: h5py.Dataset) -> tuple[int, ...]:
    how = data.id.get_create_plist()
    return tuple(how.get_filter(k)[0] for k in range(how.get_nfilters())) if data.chunks else ()


def _inflated(data: h5py.Dataset, before: tuple[int, ...], rows: slice, cols: slice, shuffled: bool) -> Array | None:
    """A row of chunks at a time; None where a chunk escaped a filter."""
    from deflate import zlib_decompress

    from frostline.packing_kernels import place  # numba: not loaded by --help

    height, width = data.chunks[-2:]
    size, out = 2 * height * width, np.empty((rows.stop - rows.start, cols.stop - cols.start), data.dtype)
    left = cols.start - cols.start % width
    for top in range(rows.start - rows.start % height, rows.stop, height):
        chunks = []
        for begin in range(left, cols.stop, width):
            at = (*before, top, begin)
            skipped, packed = data.id.read_direct_chunk(at)
            if skipped:
                return None
            chunks.append(zlib_decompress(packed, size))
            if len(chunks[-1]) != size:
                raise OSError(f"the chunk at {at} holds {len(chunks[-1])} bytes of {size}")
        raw = np.frombuffer(b"".join(chunks), np.uint8)
        place(raw, shuffled, (height, width), top - rows.start, left - cols.start, out.view(np.uint16))
    return out
