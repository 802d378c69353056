"""CETB files written by hand after formats.md 3, and the faults of quality.md 6.3."""

import time
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from frostline.errors import InputError
from frostline.grid import Grid, named
from frostline.read import READERS
from frostline.read.cetb import cetb_grid, grid_of_name, list_cetb, load_cetb, read_cetb

V2 = "NSIDC-0738-EASE2_N36km-SMAP_LRM-2016001-1.4V-M-SIR-JPL-v2.0.nc"
V3 = "NSIDC0738_SIR_EASE2_N36km_SMAP_LRM_E_1.4H_20160101_2401020304_v3.0.nc"


def write(
    path: Path,
    tb: np.ndarray,
    *,
    grid: Grid,
    minutes: np.ndarray | None = None,
    epoch: str = "2016-01-01",
    fill: int = 0,
    old: bool = True,
    chunks: tuple[int, int] = (100, 100),
    **changes,
) -> Path:
    """`tb` packed u2 (rows, cols). `changes`: x, y, scale, variable (name of the main one)."""
    with h5py.File(path, "w") as f:
        f["time"] = np.array([(np.datetime64(epoch) - np.datetime64("1972-01-01")).astype(float)])
        f["time"].attrs["units"] = b"days since 1972-01-01 00:00:00"
        f["x"], f["y"] = changes.get("x", grid.x), changes.get("y", grid.y)
        shape = (1, *tb.shape)
        data = f.create_dataset(
            changes.get("variable", "TB"),
            shape,
            tb.dtype,
            chunks=(1, *(min(c, n) for c, n in zip(chunks, tb.shape, strict=True))),
            compression="gzip",
            compression_opts=9,
            shuffle=True,
            fillvalue=fill,
        )
        data[0] = tb
        data.attrs["_FillValue"] = np.array([fill], tb.dtype)
        data.attrs["scale_factor"] = np.array([changes.get("scale", 0.01)], "f4")
        data.attrs["add_offset"] = np.array([0.0], "f4")
        data.attrs["units"] = b"K"
        data.attrs["GeoTransform"] = b"-9000000 25000 0 9000000 0 -25000"  # producers' files have it wrong
        if old:
            data.attrs["missing_value"] = np.array([60000], "u2")
        if minutes is not None:
            t = f.create_dataset("TB_time", shape, "i2", chunks=data.chunks, fillvalue=-32768)
            t[0] = minutes
            t.attrs["units"] = f"minutes since {epoch} 00:00:00".encode()
    return path


@pytest.fixture
def packed():
    tb = np.zeros((500, 500), "u2")
    tb[100:110, 200:220] = 25000 + np.arange(200).reshape(10, 20)
    tb[100, 200] = 60000  # v1/v2: 600 K when ignored
    tb[100, 201] = 0
    return tb


def test_values_fills_pass_and_time(tmp_path, packed):
    minutes = np.full((500, 500), -32768, "i2")
    minutes[100:110, 200:220] = 371
    path = write(tmp_path / V2, packed, grid=named("N36"), minutes=minutes)
    ds = read_cetb(path)
    assert ds.tb_1v.dims == ("time", "overpass", "y", "x")
    assert Grid.of(ds) == named("N36")
    assert ds.time.values[0] == np.datetime64("2016-01-01")
    assert ds.overpass.values.tolist() == [0]
    assert ds.tb_1v.chunks is not None  # lazy
    field = ds.tb_1v.values[0, 0]
    assert field.dtype == np.float32
    assert np.isfinite(field).sum() == 198
    assert np.isnan(field[100, :202]).all()
    assert field[100, 202] == pytest.approx(250.02, abs=1e-3)  # 25002 x 0.01
    assert ds.tb_time.values[0, 0, 105, 205] == 371
    assert np.isnan(ds.tb_time.values[0, 0, 0, 0])
    assert ds.tb_1v.attrs["units"] == "K"
    assert load_cetb(path).keys() == {"tb_1v"}
    np.testing.assert_array_equal(load_cetb(path, time=True)["tb_time"], ds.tb_time.values[0, 0])


def test_version_3_is_the_evening_pass_and_needs_no_missing_value(tmp_path, packed):
    path = write(tmp_path / V3, packed, grid=named("N36"), old=False)
    ds = READERS["cetb"](path)
    assert ds.overpass.values.tolist() == [1]
    assert list(ds.data_vars) == ["tb_1h"]
    assert np.isfinite(ds.tb_1h.values).sum() == 198


def test_tb_time_counts_from_the_files_date_whatever_its_epoch(tmp_path, packed):
    minutes = np.full((500, 500), 30, "i2")
    path = write(tmp_path / V2, packed, grid=named("N36"), minutes=minutes, epoch="2015-12-31")
    assert load_cetb(path, time=True)["tb_time"][0, 0] == 30 - 1440


def test_a_window_reads_only_its_cells(tmp_path, packed):
    path = write(tmp_path / V2, packed, grid=named("N36"))
    window = named("N36").window(slice(98, 112), slice(199, 221))
    got = load_cetb(path, window=window)["tb_1v"]
    np.testing.assert_array_equal(got, load_cetb(path)["tb_1v"][98:112, 199:221])
    ds = read_cetb(path, window=window)
    assert Grid.of(ds) == window
    np.testing.assert_array_equal(ds.tb_1v.values[0, 0], got)
    for other in (named("N09").window(slice(0, 9), slice(0, 9)), named("M36").window(slice(0, 9), slice(0, 9))):
        with pytest.raises(InputError, match=r"E-INPUT-GRID .*no part"):
            read_cetb(path, window=other)
    with pytest.raises(InputError, match="E-INPUT-GRID"):  # half a cell off
        load_cetb(path, window=Grid("w", "EPSG:6931", -9e6 + 18000, 9e6, 36000.0, (5, 5)))


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(5000, 35000), min_size=4, max_size=4), st.integers(0, 498), st.integers(0, 498))
def test_round_trip_of_any_valid_packed_value(tmp_path_factory, values, row, col):
    tb = np.zeros((500, 500), "u2")
    tb[row : row + 2, col : col + 2] = np.reshape(values, (2, 2))
    path = write(tmp_path_factory.mktemp("cetb") / V2, tb, grid=named("N36"))
    got = load_cetb(path)["tb_1v"]
    np.testing.assert_array_equal(np.round(np.nan_to_num(got) * 100).astype("u2"), tb)


def test_faults_name_file_cause_and_remedy(tmp_path, packed):
    n36 = named("N36")

    def told(name: str, tb: np.ndarray = packed, **changes) -> InputError:
        path = write(tmp_path / name, tb, grid=n36, **changes)
        for call in (load_cetb, lambda p: read_cetb(p).compute()):
            with pytest.raises(InputError) as caught:
                call(path)
        assert name in str(caught.value)
        path.unlink()
        return caught.value

    assert told(V2, variable="TBX").code == "E-INPUT-SCHEMA"  # case 14
    small = told(V2.replace("N36km", "N09km"))  # a 36 km file given as 9 km
    assert small.code == "E-INPUT-GRID"
    assert "1 x 500 x 500" in small.cause
    assert "1 x 2000 x 2000" in small.cause
    assert told(V2, y=n36.y[::-1]).code == "E-INPUT-GRID"  # case 18
    assert told(V2, x=n36.x + 18000).code == "E-INPUT-GRID"  # case 19
    celsius = np.where(packed > 1000, packed / 100.0 - 273.15, np.nan).astype("f4")
    assert told(V2, celsius, scale=1.0).code == "E-INPUT-UNITS"  # case 17
    scaled = told(V2, packed, scale=1.0)
    assert scaled.code == "E-INPUT-UNITS"
    assert "packed" in scaled.cause
    assert told("renamed.nc").code == "E-INPUT-SCHEMA"
    assert "366" in told(V2.replace("2016001", "2015366")).cause  # case 23
    (tmp_path / V2).write_text("<!DOCTYPE html>")
    with pytest.raises(InputError, match="E-INPUT-HTML"):
        read_cetb(tmp_path / V2)


def test_single_values_out_of_range_are_missing(tmp_path, packed):
    packed[105, 205:207] = 4000, 65535
    got = load_cetb(write(tmp_path / V2, packed, grid=named("N36")))["tb_1v"]
    assert np.isnan(got[105, 205:207]).all()
    assert np.isfinite(got).sum() == 196


def test_an_unknown_version_warns_and_reads(tmp_path, packed):
    path = write(tmp_path / V2.replace("v2.0", "v7.0"), packed, grid=named("N36"))
    with pytest.warns(UserWarning, match=r"version 7\.0"):
        assert np.isfinite(load_cetb(path)["tb_1v"]).any()


def test_lists_keep_the_newest_and_tell_the_rest(tmp_path):
    names = [
        V2,
        V2.replace("v2.0", "v1.0"),
        "NSIDC0738_SIR_EASE2_N36km_SMAP_LRM_M_1.4V_20160101_2401020304_v3.0.nc",
        "NSIDC0738_SIR_EASE2_N36km_SMAP_LRM_M_1.4V_20160101_2501020304_v3.0.nc",
        V3,
        V2.replace("2016001", "2015366"),
        V2.replace("1.4V", "1.4F"),
        "NSIDC-0763-EASE2_N3.125km-GCOMW1_AMSR2-2022015-36H-E-SIR-PPS_XCAL-v1.1.nc",
        "NSIDC-0630-EASE2_T25km-F08_SSMI-1991001-19H-A-SIR-CSU-v1.5.nc",
        "NSIDC-0630-EASE2_T25km-F13_SSMI-1996001-37V-D-SIR-CSU-v1.5.nc",
        "notes.txt",
        "odd.nc",
    ]
    (tmp_path / "sub").mkdir()
    for i, name in enumerate(names):
        (tmp_path / ("sub" if i % 2 else ".") / name).touch()
    got = list_cetb(tmp_path)
    rows = [(str(f.date), f.overpass, f.channel, f.grid) for f in got]
    assert rows == [
        ("1996-01-01", 0, "tb_36v", "EASE2_T25km"),
        ("2016-01-01", 0, "tb_1v", "N36"),
        ("2016-01-01", 1, "tb_1h", "N36"),
        ("2022-01-15", 1, "tb_36h", "EASE2_N3.125km"),
    ]
    assert next(f for f in got if f.channel == "tb_1v").version == "v3.0 2501020304"
    assert len(got.superseded) == 3
    reasons = {p.name: why for p, why in got.ignored}
    assert len(reasons) == 5
    assert "no day" in reasons[V2.replace("2016001", "2015366")]
    assert got.table()["channel"][1] == "tb_1v"
    with pytest.raises(InputError, match="E-INPUT-MISSING"):
        list_cetb(tmp_path / "none")


@pytest.mark.parametrize(
    ("name", "shape", "step"),
    [  # formats.md 3.3
        ("N25km", (720, 720), 25000.0),
        ("S12.5km", (1440, 1440), 12500.0),
        ("N09km", (2000, 2000), 9000.0),
        ("N2.25km", (8000, 8000), 2250.0),
        ("N03km", (6000, 6000), 3000.0),
        ("T25km", (540, 1388), 25025.26),
        ("T3.125km", (4320, 11104), 3128.1575),
        ("M36km", (406, 964), 36032.220840584),
        ("M09km", (1624, 3856), 9008.055210146),
        ("M03km", (4872, 11568), 3002.685070048668),
    ],
)
def test_grids_of_the_producers_names(name, shape, step):
    grid = grid_of_name(name)
    assert grid.shape == shape
    assert grid.step == pytest.approx(step, rel=1e-11)
    assert grid_of_name("N09km") == named("N09")
    assert grid_of_name("M09km") == named("M09")
    assert grid_of_name("N10km") is None
    assert cetb_grid(V2.replace("N36km", "N09km")) == named("N09")


def test_a_window_of_a_9_km_file_is_read_within_6_ms(tmp_path):
    grid = named("N09")
    window = grid.around(60.0, 57.0, (64, 64))
    row, col = window.offset(grid)
    tb = np.zeros(grid.shape, "u2")
    tb[row : row + 64, col : col + 64] = 25000
    path = write(tmp_path / V2.replace("N36km", "N09km"), tb, grid=grid)
    for call in (lambda: load_cetb(path, window=window), lambda: read_cetb(path, window=window).compute()):
        call()
        spent = []
        for _ in range(9):
            start = time.process_time()
            call()
            spent.append(time.process_time() - start)
        assert np.median(spent) < 0.012  # promised 6 ms of a quiet core; twice that on a shared one
