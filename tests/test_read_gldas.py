"""GLDAS-Noah: real GRIB and nc4 values, and small true-format files."""

import h5py
import numpy as np
import pytest

from frostline.errors import InputError
from frostline.grid import Grid, named
from frostline.read import READERS
from frostline.read.gldas import GLDAS, list_gldas, load_gldas, read_gldas, read_gldas_static

FOLDER = "gldas_noah_tuwgeo"
VIENNA = (16.37, 48.2)


def nc4(path, name, field, *, lat=None):
    """(600, 1440) rows from the south, as the producer's files."""
    with h5py.File(path, "w") as f:
        f["lat"] = (GLDAS.y[::-1] if lat is None else lat).astype("f4")
        f["lon"] = GLDAS.x.astype("f4")
        f["time"] = np.array([8415900.0])
        f["time"].attrs["units"] = b" minutes since 2000-01-01 03:00:00"
        d = f.create_dataset(name, data=field[None].astype("f4"), compression="gzip", compression_opts=1)
        d.attrs["_FillValue"] = np.array([-9999.0], "f4")
    return path


def test_nc4_is_turned_north_up_and_water_per_layer_becomes_a_share(tmp_path):
    field = np.full((600, 1440), -9999.0)
    field[599, 3] = 25.0  # the northernmost row comes last
    path = nc4(tmp_path / "GLDAS_NOAH025_3H.A20160101.1200.021.nc4", "SoilMoi0_10cm_inst", field)
    ds = read_gldas(path)
    assert Grid.of(ds) == GLDAS
    assert ds.time.values[0] == np.datetime64("2016-01-01T12")
    got = ds.soil_moisture.values[0]
    assert got[0, 3] == 0.25  # 25 kg m-2 in 100 mm
    assert np.isfinite(got).sum() == 1
    window = GLDAS.window(slice(0, 2), slice(2, 5))
    assert load_gldas(path, window=window)[1]["soil_moisture"][0].tolist()[1] == 0.25
    turned = nc4(tmp_path / "GLDAS_NOAH025_3H.A20160102.1200.021.nc4", "SoilMoi0_10cm_inst", field, lat=GLDAS.y)
    with pytest.raises(InputError, match="E-INPUT-GRID"):
        read_gldas(turned)
    celsius = nc4(tmp_path / "GLDAS_NOAH025_3H.A20160103.1200.021.nc4", "SoilTMP0_10cm_inst", field)
    with pytest.raises(InputError, match=r"E-INPUT-UNITS .*median 25 "):
        load_gldas(celsius)
    with pytest.raises(InputError, match="E-INPUT-SCHEMA"):
        read_gldas(nc4(tmp_path / "GLDAS_NOAH025_3H.A20160104.1200.021.nc4", "Rainf_tavg", field))


def test_static_fields(tmp_path):
    mask = np.zeros((600, 1440))
    mask[0] = 1
    ds = read_gldas_static(nc4(tmp_path / "m.nc4", "GLDAS_mask", mask))
    assert ds.land.dtype == bool
    assert ds.land.values[-1].all()
    assert not ds.land.values[:-1].any()
    with pytest.raises(InputError, match="E-INPUT-SCHEMA"):
        read_gldas_static(nc4(tmp_path / "x.nc4", "else", mask))


def test_lists_and_faults(tmp_path):
    for name in (
        "GLDAS_NOAH025SUBP_3H.A2015001.0300.001.2015037193230.grb",
        "GLDAS_NOAH025_3H.A20150101.0000.021.nc4",
        "other.grb",
    ):
        (tmp_path / name).write_bytes(b"<html>")
    got = list_gldas(tmp_path)
    assert [str(t)[:16] for _, t in got] == ["2015-01-01T00:00", "2015-01-01T03:00"]
    with pytest.raises(InputError, match="E-INPUT-HTML"):
        read_gldas(got[1][0])
    with pytest.raises(InputError, match="E-INPUT-MISSING"):
        load_gldas(tmp_path / "none.grb")


@pytest.fixture
def day(real_data):
    pytest.importorskip("eccodes")
    return [p for p, _ in list_gldas(real_data(FOLDER)) if p.suffix == ".grb"]


@pytest.mark.real
def test_a_real_day_of_soil_temperature(day):
    assert len(day) == 8
    fields = [load_gldas(p)[1]["soil_temperature"] for p in day]
    stack = np.stack(fields)
    assert (np.isfinite(stack).sum(axis=(1, 2)) == 243003).all()
    assert (float(np.nanmin(stack)), float(np.nanmax(stack))) == pytest.approx((225.0, 322.3), abs=0.05)
    row, col = GLDAS.locate(*VIENNA)
    expected = [268.7, 268.2, 268.0, 268.6, 270.1, 270.9, 271.2, 271.2]  # PROVENANCE.md
    np.testing.assert_allclose(stack[:, row, col], expected, atol=0.05)
    row, col = GLDAS.locate(91.125, 35.125)  # 35 N 91 E itself is a corner of four cells
    tibet = stack[:, row, col]
    assert (tibet[0], tibet.max(), tibet[-1]) == pytest.approx((249.2, 260.3, 252.9), abs=0.05)
    ever = np.isfinite(fields[0])
    cold, warm = (stack < 273.15).any(axis=0), (stack >= np.float32(273.15)).any(axis=0)
    assert int((cold & warm & ever).sum()) == 4938


@pytest.mark.real
def test_real_grib_is_lazy_windowed_and_leaves_pyproj_alone(day):
    window = GLDAS.around(*VIENNA, (4, 6))
    ds = READERS["gldas"](day[0], window=window)
    assert ds.soil_temperature.chunks is not None
    assert ds.soil_temperature.shape == (1, 4, 6)
    row, col = window.locate(*VIENNA)
    assert float(ds.soil_temperature.values[0, row, col]) == pytest.approx(268.7, abs=0.05)
    assert not list(day[0].parent.glob("*.idx"))
    # eccodes' wheel brings its own libproj: pyproj, loaded first, still works
    assert int(named("N09").locate(-44.904507123, 55.244858426)[0]) == 1300


@pytest.mark.real
def test_a_truncated_grib_is_told(day, tmp_path):
    short = tmp_path / day[0].name
    short.write_bytes(day[0].read_bytes()[:700_000])
    with pytest.raises(InputError, match=r"E-INPUT-TRUNC .*700000 bytes of 1066698"):
        read_gldas(short)


@pytest.mark.real
def test_real_nc4_mask_and_elevation(real_data):
    time, got = load_gldas(real_data(f"{FOLDER}/GLDAS_NOAH025_3H.A20160101.1200.021.nc4"))
    assert str(time)[:13] == "2016-01-01T12"
    moisture = got["soil_moisture"]
    assert int(np.isfinite(moisture).sum()) == 243883
    assert (float(np.nanmin(moisture)), float(np.nanmax(moisture))) == pytest.approx((0.02, 0.47594), abs=1e-5)
    land = read_gldas_static(real_data(f"{FOLDER}/GLDASp4_landmask_025d.nc4")).land.values
    height = read_gldas_static(real_data(f"{FOLDER}/GLDASp4_elevation_025d.nc4")).elevation.values
    assert int(land.sum()) == 243883
    assert (land == np.isfinite(height)).all()
    row, col = GLDAS.locate(86.92, 27.99)
    assert height[row, col] > 5000  # Everest's cell
