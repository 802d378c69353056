"""Files appear whole or not at all."""

from __future__ import annotations

import io

import h5py
import numpy as np
import pytest

from frostline.errors import DiskError
from frostline.twin.publish import char, patched, publish, replacing


def test_publish_replaces_and_leaves_nothing_else(tmp_path):
    path = publish(tmp_path / "new" / "a.txt", b"one")
    publish(path, b"two")
    assert path.read_bytes() == b"two"
    assert [p.name for p in path.parent.iterdir()] == ["a.txt"]


def test_a_failure_keeps_the_old_file(tmp_path):
    path = publish(tmp_path / "a.tif", b"old")

    def fail() -> None:
        with replacing(path) as part:
            assert part.suffix == ".tif" and part.parent == path.parent
            part.write_bytes(b"half")
            raise ValueError("stop")

    with pytest.raises(ValueError, match="stop"):
        fail()
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.tif"]


def test_a_refusing_disk_is_said_in_one_line(tmp_path):
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(DiskError, match="E-DISK"):
        publish(tmp_path / "file" / "a.txt", b"x")


def test_patched_is_a_copy():
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        file["a"] = np.zeros(3)
        file.attrs["t"] = char("abc")
    image = buffer.getvalue()

    def patch(file: h5py.File) -> None:
        file["a"][1] = 7.0
        file.attrs.modify("t", char("xyz"))

    with h5py.File(io.BytesIO(patched(image, patch))) as file:
        assert file["a"][:].tolist() == [0.0, 7.0, 0.0]
        assert file.attrs["t"] == b"xyz"
        assert file.attrs.get_id("t").dtype.kind == "S"
    with h5py.File(io.BytesIO(image)) as file:
        assert file["a"][:].tolist() == [0.0, 0.0, 0.0]
