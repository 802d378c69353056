"""Windows of packed fields by libdeflate are those of HDF5; what it does not read, HDF5 does."""

import zlib
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from frostline.errors import InputError
from frostline.read import inflate
from frostline.read.gate import reading

pytest.importorskip("deflate", reason="the extra `fast` is not installed")
SHAPE, CHUNKS = (23, 31), (5, 7)


def field(shape=SHAPE, dtype="u2"):
    return np.random.default_rng(3).integers(0, 1 << 16, shape).astype(dtype)


def dataset(values, **options):
    """An open dataset in memory with these values."""
    file = h5py.File("memory", "w", driver="core", backing_store=False)
    return file.create_dataset("x", data=values, **{"chunks": CHUNKS, "compression": "gzip", **options})


def window(shape):
    return st.tuples(
        *(st.tuples(st.integers(0, n - 1), st.integers(1, n)).filter(lambda s: s[0] < s[1]) for n in shape)
    )


@settings(deadline=None)  # it compiles
@given(window(SHAPE), st.booleans(), st.sampled_from(["u2", "i2"]), st.tuples(st.integers(1, 23), st.integers(1, 31)))
def test_any_window_of_any_chunks(edges, shuffle, dtype, chunks):
    values = field(dtype=dtype)
    rows, cols = (slice(*e) for e in edges)
    data = dataset(values, shuffle=shuffle, chunks=chunks)
    got = inflate._quick(data, (), rows, cols)
    assert got is not None and got.dtype == data.dtype
    np.testing.assert_array_equal(got, values[rows, cols])


def test_one_of_several_fields():
    values = field((3, *SHAPE))
    data = dataset(values, chunks=(1, *CHUNKS), shuffle=True)
    got = inflate._quick(data, (2,), slice(4, 20), slice(6, 8))
    np.testing.assert_array_equal(got, values[2, 4:20, 6:8])


@pytest.mark.parametrize(
    ("values", "options", "before"),
    [
        (field(dtype="f4"), {}, ()),
        (field(dtype=">u2"), {}, ()),
        (field(dtype="u1"), {}, ()),
        (field(), {"compression": None, "chunks": None}, ()),
        (field(), {"compression": "lzf"}, ()),
        (field(), {"fletcher32": True}, ()),
        (field((4, *SHAPE)), {"chunks": (2, *CHUNKS)}, (3,)),
        (field((4, *SHAPE)), {"chunks": (1, *CHUNKS)}, (slice(1, 3),)),
    ],
    ids=["float", "big endian", "bytes", "contiguous", "lzf", "checksums", "chunks of two fields", "two fields"],
)
def test_every_other_field_is_left_to_hdf5(values, options, before):
    data, part = dataset(values, **options), (slice(3, 9), slice(0, 31))
    assert inflate._quick(data, before, *part) is None
    np.testing.assert_array_equal(inflate.cells(data, before, *part), values[(*before, *part)])


@pytest.mark.parametrize("rows", [slice(20, 30), slice(-3, 23), slice(9, 9)], ids=["beyond", "from the end", "none"])
def test_a_window_that_is_not_within_is_left_to_hdf5(rows):
    data = dataset(field())
    assert inflate._quick(data, (), rows, slice(0, 31)) is None
    np.testing.assert_array_equal(inflate.cells(data, (), rows, slice(0, 31)), field()[rows])


def test_a_chunk_never_written_is_fill():
    file = h5py.File("memory", "w", driver="core", backing_store=False)
    data = file.create_dataset("x", SHAPE, "u2", chunks=CHUNKS, compression="gzip", fillvalue=9)
    data[:5, :7] = 1
    assert inflate._quick(data, (), slice(0, 23), slice(0, 31)) is None
    got = inflate.cells(data, (), slice(0, 23), slice(0, 31))
    assert (got[:5, :7] == 1).all() and got.sum() == 35 + 9 * (got.size - 35)


def test_a_chunk_that_escaped_a_filter():
    data = dataset(field(), shuffle=True)
    plain = np.arange(35, dtype="u2")
    data.id.write_direct_chunk((5, 7), plain.tobytes(), filter_mask=3)
    assert inflate._quick(data, (), slice(0, 23), slice(0, 31)) is None
    np.testing.assert_array_equal(inflate.cells(data, (), slice(5, 10), slice(7, 14)).reshape(-1), plain)


@pytest.mark.parametrize(
    "packed",
    [b"no zlib", zlib.compress(bytes(68)), zlib.compress(bytes(72)), zlib.compress(bytes(70))[:-1] + b"!"],
    ids=["other bytes", "too few", "too many", "checksum"],
)
def test_a_damaged_chunk_names_the_file(packed):
    data = dataset(field(), shuffle=True)
    data.id.write_direct_chunk((5, 7), packed)
    part = slice(0, 23), slice(0, 31)
    with pytest.raises(InputError, match=r"E-INPUT-CORRUPT.*a\.h5"), reading(Path("a.h5")):
        inflate.cells(data, (), *part)
    np.testing.assert_array_equal(inflate.cells(data, (), slice(0, 5), part[1]), field()[:5])  # the others are whole


def test_without_the_extra_hdf5_reads(monkeypatch):
    monkeypatch.setattr(inflate, "find_spec", lambda name: None)
    data, part = dataset(field(), shuffle=True), (slice(2, 11), slice(8, 30))
    assert inflate._quick(data, (), *part) is None
    np.testing.assert_array_equal(inflate.cells(data, (), *part), field()[part])


def test_anything_sliced_like_an_array():
    np.testing.assert_array_equal(inflate.cells(field(), (), slice(1, 3), slice(2, 4)), field()[1:3, 2:4])
