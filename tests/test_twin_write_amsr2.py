"""AMSR2 level-3 files: where cells lie, what missing looks like, and the landmarks."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from frostline.errors import ConfigError
from frostline.grid import regular
from frostline.twin import write_amsr2

EQR = regular(0.1, left=0.0, top=90.0)
V, H, T = "Brightness Temperature (V)", "Brightness Temperature (H)", "Time Information"


def written(folder, tb, *, row, col, frequency=18, orbit="D", minutes=None):
    return write_amsr2.write(
        folder,
        date="2016-03-05",
        orbit=orbit,
        frequency=frequency,
        tb_v=tb,
        tb_h=tb - 20.0,
        minutes=np.full(tb.shape, 90.0) if minutes is None else minutes,
        row=row,
        col=col,
    )


def test_values_and_fills(tmp_path):
    tb = np.array([[250.0, np.nan, np.nan], [251.234, 252.0, 253.0]])
    path = written(tmp_path, tb, row=280, col=1250)
    assert path.name == "GW1AM2_20160305_01D_EQMD_L3SGT18HA2220220.h5"
    with h5py.File(path) as file:
        assert file[V][280:282, 1250:1253].tolist() == [[25000, 65534, 65535], [25123, 25200, 25300]]
        assert file[H][281, 1250] == 23123
        assert file[T][280:282, 1250].tolist() == [90, 90]
        assert file[T][280, 1251] < 0
        assert file[V][0, 0] == 65535 and file[T][0, 0] < 0
        assert file[V].attrs["SCALE FACTOR"].tolist() == [np.float32(0.01)]
        assert file.attrs["ObservationStartDateTime"][0] == b"2016-03-05T00:00:00.000Z"
        assert file.attrs["OrbitDirection"].shape == (1,)
        assert file[V].id.get_num_chunks() < 40


def test_a_box_across_greenwich_is_cut_in_two(tmp_path):
    tb = np.arange(200.0, 206.0)[None]
    for col in (3597, -3):  # the same box, told in two ways
        with h5py.File(written(tmp_path, tb, row=400, col=col)) as file:
            assert (file[V][400, 3597:] / 100.0).tolist() == [200.0, 201.0, 202.0]
            assert (file[V][400, :3] / 100.0).tolist() == [203.0, 204.0, 205.0]


@pytest.mark.parametrize("frequency", [18, 36])
def test_the_landmarks_tell_the_origin(tmp_path, frequency):
    with h5py.File(written(tmp_path, np.full((2, 2), 240.0), row=280, col=1250, frequency=frequency)) as file:
        raw = file[H][:]
        sahara = raw[EQR.locate(10.0, 24.0)]
        pacific = raw[EQR.locate(-165.0, 0.0)]
        assert 25000 <= sahara <= 27500 and 12500 <= pacific <= 17500
        assert file[T][EQR.locate(10.0, 24.0)] == 720
        # whoever takes column 0 for 180 W finds sea where the Sahara should be
        shifted = regular(0.1, left=-180.0, top=90.0)
        assert raw[shifted.locate(10.0, 24.0)] >= 65533 or raw[shifted.locate(10.0, 24.0)] < 20000


def test_refusals(tmp_path):
    tb = np.full((2, 2), 250.0)
    with pytest.raises(ConfigError, match="89 GHz"):
        written(tmp_path, tb, row=0, col=0, frequency=89)
    with pytest.raises(ConfigError, match="does not lie"):
        written(tmp_path, tb, row=1799, col=0)
    with pytest.raises(ConfigError, match="outside"):
        written(tmp_path, tb * 3, row=0, col=0)
    assert list(tmp_path.iterdir()) == []


def test_twice_the_same_bytes(tmp_path):
    tb = np.full((4, 4), 250.0)
    first = written(tmp_path / "a", tb, row=280, col=1250, orbit="A").read_bytes()
    write_amsr2._template.cache_clear()
    assert written(tmp_path / "b", tb, row=280, col=1250, orbit="A").read_bytes() == first


@given(st.lists(st.floats(50.0, 350.0), min_size=1, max_size=20))
def test_packing_round_trip(values):
    tb = np.array([values])
    packed = write_amsr2.pack(tb, np.isfinite(tb))
    assert np.abs(packed * 0.01 - tb).max() <= 0.005 + 1e-9


@given(st.integers(-3600, 7200), st.integers(1, 3600))
def test_pieces_cover_the_box_once(col, cols):
    seen = np.full(3600, -1)
    for (_, where), (_, part) in write_amsr2._pieces(5, col, (1, cols)):
        assert (seen[where] == -1).all()
        seen[where] = np.arange(cols)[part]
    columns = np.flatnonzero(seen >= 0)
    assert columns.size == cols
    assert ((col + seen[columns]) % 3600 == columns).all()
