"""The gate: every bad file is one line with file, cause and remedy."""

import struct
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest

from frostline.errors import InputError
from frostline.grid import named, regular
from frostline.read import gate
from frostline.read.gate import inspect_file, reading


def hdf5(path: Path, **options) -> Path:
    with h5py.File(path, "w", **options) as file:
        file["a"] = np.arange(5000.0)
    return path


def refusal(call, *args, **options) -> InputError:
    with pytest.raises(InputError) as caught:
        call(*args, **options)
    assert caught.value.exit == 3
    assert "\n" not in str(caught.value)
    return caught.value


@pytest.mark.parametrize("libver", ["earliest", "latest"])
def test_whole_files_pass_and_give_their_size(tmp_path, libver):
    path = hdf5(tmp_path / "a.h5", libver=libver)
    assert inspect_file(path, "hdf5") == path.stat().st_size
    assert inspect_file(path, "netcdf") == path.stat().st_size


def test_missing_empty_folder(tmp_path):
    assert refusal(inspect_file, tmp_path / "no.h5", "hdf5").code == "E-INPUT-MISSING"
    assert refusal(inspect_file, tmp_path, "hdf5").code == "E-INPUT-MISSING"
    (tmp_path / "zero.h5").write_bytes(b"")
    error = refusal(inspect_file, tmp_path / "zero.h5", "hdf5")
    assert error.code == "E-INPUT-EMPTY"
    assert "zero.h5" in str(error)


@pytest.mark.parametrize(
    "page", [b"<!DOCTYPE html><html>sign in</html>", b"\n  <html><body>", b"\xef\xbb\xbf<?xml version='1.0'?><Error/>"]
)
def test_a_web_page_is_named_as_such(tmp_path, page):  # quality.md 6.3 case 1
    path = tmp_path / "SMAP.h5"
    path.write_bytes(page)
    error = refusal(inspect_file, path, "hdf5")
    assert error.code == "E-INPUT-HTML"
    assert str(path) in str(error)
    assert "sign in" in error.remedy


@pytest.mark.parametrize("libver", ["earliest", "latest"])
@pytest.mark.parametrize("share", [0.0005, 0.01, 0.5, 0.999])
def test_truncated_hdf5_tells_expected_and_found_bytes(tmp_path, libver, share):  # case 2
    path = hdf5(tmp_path / "a.h5", libver=libver)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    error = refusal(inspect_file, path, "hdf5")
    assert error.code == "E-INPUT-TRUNC"
    assert str(int(len(whole) * share)) in error.cause
    if share > 0.005:
        assert str(len(whole)) in error.cause


def test_truncated_grib_of_both_editions(tmp_path):
    one = b"GRIB" + (40).to_bytes(3, "big") + b"\x01" + b"x" * 28 + b"7777"
    two = b"GRIB" + b"\0\0\0\x02" + struct.pack(">Q", 50) + b"x" * 30 + b"7777"
    path = tmp_path / "a.grb"
    path.write_bytes(one + b"\0" * 6 + two + b"\0" * 5)  # zero bytes between messages are padding
    assert inspect_file(path, "grib") == 101
    path.write_bytes(one + two[:-1])
    assert refusal(inspect_file, path, "grib").code == "E-INPUT-TRUNC"
    path.write_bytes(one[:10])
    assert refusal(inspect_file, path, "grib").code == "E-INPUT-TRUNC"


def test_truncated_parquet(tmp_path):
    path = tmp_path / "a.parquet"
    path.write_bytes(b"PAR1" + b"x" * 40)
    assert refusal(inspect_file, path, "parquet").code == "E-INPUT-TRUNC"


def test_zip_named_nc_and_wrong_kind(tmp_path):  # case 5
    path = tmp_path / "era5.nc"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("data_0.nc", b"x")
    assert refusal(inspect_file, path, "netcdf").code == "E-INPUT-ZIP"
    assert gate.is_zip(path)
    other = hdf5(tmp_path / "a.tif")
    assert refusal(inspect_file, other, "tiff").code == "E-INPUT-SCHEMA"
    assert not gate.is_zip(other)


def test_reading_names_the_file_whatever_fails(tmp_path):
    path = hdf5(tmp_path / "a.h5")
    with pytest.raises(InputError, match=r"E-INPUT-SCHEMA .*a\.h5.*nothing"), reading(path), h5py.File(path) as f:
        f["nothing"]
    with pytest.raises(InputError, match=r"E-INPUT-CORRUPT .*a\.h5.*bytes are odd"), reading(path):
        raise OSError("bytes are odd")
    with pytest.raises(AttributeError), reading(path):  # our own mistakes stay visible
        getattr(None, "nothing")  # noqa: B009
    with pytest.raises(InputError, match="E-X"), reading(path):
        raise InputError("E-X", cause="passes through")


def test_a_flipped_bit_in_a_checked_chunk_is_found_on_reading(tmp_path):  # case 3
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("a", data=np.arange(4000.0), compression="gzip", fletcher32=True)
        at = file["a"].id.get_chunk_info(0).byte_offset
    whole = bytearray(path.read_bytes())
    whole[at + 100] ^= 4
    path.write_bytes(whole)
    inspect_file(path, "hdf5")
    with pytest.raises(InputError, match=r"E-INPUT-CORRUPT .*a\.h5"), reading(path), h5py.File(path) as file:
        file["a"][:]


def test_a_declared_size_is_refused_before_it_is_allocated(tmp_path):  # case 7
    path = tmp_path / "bomb.nc"
    with h5py.File(path, "w") as file:
        file.create_dataset("TB", shape=(1, 10**6, 10**6), dtype="u2", chunks=(1, 100, 100))
    assert path.stat().st_size < 10_000
    with h5py.File(path) as file:
        assert refusal(gate.check_cells, path, file["TB"].shape).code == "E-INPUT-CORRUPT"
    gate.check_cells(path, (744, 721, 1440))


def test_axes_of_another_grid_are_refused():  # cases 18 and 19
    grid = named("M36")
    gate.check_axes("a", grid.x + 0.9, grid.y, grid)  # below the metre of tolerance
    for x, y, word in [
        (grid.x + grid.step / 2, grid.y, "off"),
        (np.linspace(grid.x[0], grid.x[-1] - 2, 964), grid.y, "off"),
        (grid.x, grid.y[::-1], "north"),
        (grid.x[:-1], grid.y, "406 x 963"),
        (grid.y, grid.x, "964 x 406"),
        (grid.x * np.nan, grid.y, "off"),
    ]:
        error = refusal(gate.check_axes, "a", x, y, grid)
        assert error.code == "E-INPUT-GRID"
        assert word in error.cause
    n09 = named("N09")
    wrong = regular(1.0, shape=n09.shape)  # cell centres with M09's step on N09's corner
    x = -9e6 + (np.arange(2000) + 0.5) * 9008.055210146
    assert refusal(gate.check_axes, "a", x, -x, n09).code == "E-INPUT-GRID"
    assert wrong.shape == n09.shape


def test_units_are_told_by_their_median():  # case 17
    kelvin = np.array([[250.0, np.nan], [260.0, 270.0]], "f4")
    gate.check_kelvin("a", kelvin, "tb_1v", gate.TB_KELVIN)
    gate.check_kelvin("a", kelvin * np.nan, "tb_1v", gate.TB_KELVIN)
    celsius = refusal(gate.check_kelvin, "a", kelvin - 273.15, "stl1", gate.SOIL_KELVIN)
    assert celsius.code == "E-INPUT-UNITS"
    assert "median -13.15 looks like degrees Celsius" in celsius.cause
    packed = refusal(gate.check_kelvin, "a", kelvin * 100, "tb_1v", gate.TB_KELVIN)
    assert "26000 looks like packed" in packed.cause
    assert refusal(gate.check_kelvin, "a", kelvin * 1e6, "tb_1v", gate.TB_KELVIN).code == "E-INPUT-UNITS"
    mostly_empty = np.full(300_000, np.nan, "f4")
    mostly_empty[7] = 12.0  # thinning would step over it
    assert refusal(gate.check_kelvin, "a", mostly_empty, "t", gate.SOIL_KELVIN).code == "E-INPUT-UNITS"


def test_strange_codes_come_with_a_histogram():  # case 16
    codes = np.array([0, 0, 1, 254, 252], "u1")
    gate.check_codes("a", codes[:4], (0, 1, 254), "freeze_thaw")
    error = refusal(gate.check_codes, "a", codes, (0, 1, 254), "freeze_thaw")
    assert "0: 2, 1: 1, 252: 1, 254: 1" in error.cause


def test_soil_moisture_is_a_share_of_volume():
    dry = np.full((4, 5), 0.02)
    dry[0], dry[1, :2] = np.nan, -1e-9  # unknown, and what packing left below 0
    gate.check_moisture("f", dry, "swvl1")
    gate.check_moisture("f", dry * 0, "swvl1")  # a window of sea
    gate.check_moisture("f", dry * np.nan, "swvl1")
    for factor, median in ((0.01, "0.0002"), (100.0, "2"), (1000.0, "20")):
        with pytest.raises(InputError, match=rf"E-INPUT-UNITS  f: swvl1 should be in m3 m-3, its median is {median}\."):
            gate.check_moisture("f", dry * factor, "swvl1")
