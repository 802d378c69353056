"""ERA5 netCDF of both generations written by hand after formats.md 5, and real extracts."""

import warnings
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest
from scipy.io import netcdf_file

from frostline.errors import InputError
from frostline.grid import Grid, regular
from frostline.read import READERS
from frostline.read.era5 import era5_grid, era5_times, hourly, load_era5, read_era5

START = np.datetime64("2020-01-01")


def new(
    path: Path, data: dict[str, np.ndarray], *, lat: np.ndarray, lon: np.ndarray, first: str = "2020-01-01T00"
) -> Path:
    """The layout since September 2024: valid_time, float32, NaN, expver by hour."""
    hours = len(next(iter(data.values())))
    with h5py.File(path, "w") as f:
        seconds = (np.datetime64(first, "s") - np.datetime64("1970-01-01", "s")).astype("i8")
        f["valid_time"] = seconds + 3600 * np.arange(hours)
        f["valid_time"].attrs["units"] = "seconds since 1970-01-01"
        f["valid_time"].attrs["calendar"] = "proleptic_gregorian"
        f["latitude"], f["longitude"] = lat, lon
        f["number"] = np.int64(0)
        f["expver"] = np.array(["0001"] * hours, dtype=h5py.string_dtype())
        for name, values in data.items():
            d = f.create_dataset(name, data=values.astype("f4"), compression="gzip", shuffle=True)
            d.attrs["_FillValue"] = np.float32("nan")
    return path


def old(path: Path, packed: np.ndarray, *, lat, lon, scale=0.001, offset=270.0, name="stl1", expver=False) -> Path:
    """The layout before: netCDF-3, time, i2 with scale and offset, and where months are mixed a dimension expver."""
    with netcdf_file(path, "w", version=2) as f:
        for axis, size in (("longitude", len(lon)), ("latitude", len(lat)), ("time", packed.shape[0])):
            f.createDimension(axis, size)
        for axis, values, kind in (("longitude", lon, "f4"), ("latitude", lat, "f4")):
            f.createVariable(axis, kind, (axis,))[:] = values
        t = f.createVariable("time", "i4", ("time",))
        t[:] = 1051896 + np.arange(packed.shape[0])  # 2020-01-01 00 UTC
        t.units = "hours since 1900-01-01 00:00:00.0"
        dims = ("time", "latitude", "longitude")
        if expver:
            f.createDimension("expver", 2)
            f.createVariable("expver", "i4", ("expver",))[:] = [1, 5]
            dims = ("time", "expver", "latitude", "longitude")
        v = f.createVariable(name, "i2", dims)
        v[:] = packed
        v.scale_factor, v.add_offset = np.float64(scale), np.float64(offset)
        v._FillValue = v.missing_value = np.int16(-32767)
        v.units = "K"
    return path


LAT, LON = np.array([61.0, 60.75, 60.5]), np.array([10.0, 10.25, 10.5, 10.75])


@pytest.fixture
def kelvin():
    return 260.0 + np.arange(48 * 12, dtype="f4").reshape(48, 3, 4) / 100


def test_new_layout(tmp_path, kelvin):
    kelvin[3, 1, 2] = np.nan
    sd = np.full_like(kelvin, 0.02)
    path = new(tmp_path / "a.nc", {"stl1": kelvin, "sd": sd, "sde": 5 * sd, "swvl1": 10 * sd}, lat=LAT, lon=LON)
    ds = read_era5(path)
    assert set(ds.data_vars) == {"soil_temperature", "swe", "snow_depth", "soil_moisture"}
    assert ds.soil_temperature.dims == ("time", "y", "x")
    assert ds.soil_temperature.chunks[0] == (24, 24)
    assert ds.time.values[5] == np.datetime64("2020-01-01T05")
    assert Grid.of(ds) == Grid("ERA5-0.25", "EPSG:4326", 9.875, 61.125, 0.25, (3, 4))
    assert ds.soil_temperature.attrs["depth"] == "0-7 cm"
    np.testing.assert_array_equal(ds.soil_temperature.values, kelvin)
    only = READERS["era5"](path, names=["swe"])
    assert list(only.data_vars) == ["swe"]
    assert (era5_times(path)[0], era5_grid(path)) == (START, Grid.of(ds))


@pytest.mark.filterwarnings("error")  # scipy warns when a memory map cannot be closed
def test_old_layout_unpacks_fills_and_merges_the_two_streams(tmp_path):
    packed = np.arange(48 * 12, dtype="i2").reshape(48, 3, 4)
    packed[2, 0, 0] = -32767
    times, got = load_era5(old(tmp_path / "a.nc", packed, lat=LAT, lon=LON))
    assert times[-1] == np.datetime64("2020-01-02T23")
    assert np.isnan(got["soil_temperature"][2, 0, 0])
    assert got["soil_temperature"][0, 0, 1] == pytest.approx(270.001, abs=1e-4)  # 1 x 0.001 + 270
    both = np.full((48, 2, 3, 4), -32767, "i2")
    both[:20, 0], both[20:, 1] = packed[:20], packed[20:]
    merged = load_era5(old(tmp_path / "b.nc", both, lat=LAT, lon=LON, expver=True))[1]
    np.testing.assert_array_equal(merged["soil_temperature"], got["soil_temperature"])
    ds = read_era5(tmp_path / "b.nc").compute()
    np.testing.assert_array_equal(ds.soil_temperature.values, got["soil_temperature"])


def test_windows_wrap_at_0_e_and_rows_that_go_north_are_turned(tmp_path):
    lon, lat = np.arange(0, 360, 10.0), np.arange(-20, 30, 10.0)
    field = 250 + np.arange(24 * 5 * 36, dtype="f4").reshape(24, 5, 36) % 37
    path = new(tmp_path / "a.nc", {"t2m": field}, lat=lat, lon=lon)
    window = regular(10.0, left=-15.0, top=25.0, shape=(2, 4))
    _, got = load_era5(path, window=window)
    expected = field[:, ::-1][:, :2][..., [35, 0, 1, 2]]  # north row first; 350, 0, 10, 20 E
    np.testing.assert_allclose(got["air_temperature"], expected[..., :])
    assert read_era5(path, window=window).air_temperature.y.values.tolist() == [20.0, 10.0]
    np.testing.assert_array_equal(read_era5(path, window=window).air_temperature.values, got["air_temperature"])


def test_an_area_across_greenwich_may_jump_in_longitude(tmp_path, kelvin):
    path = new(tmp_path / "a.nc", {"stl1": kelvin}, lat=LAT, lon=np.array([359.5, 359.75, 0.0, 0.25]))
    np.testing.assert_allclose(era5_grid(path).lonlat()[0][0], [-0.5, -0.25, 0.0, 0.25])


def test_zip_named_nc(tmp_path, kelvin):  # quality.md 6.3 case 5
    a = new(tmp_path / "instant.nc", {"stl1": kelvin}, lat=LAT, lon=LON)
    b = new(tmp_path / "accum.nc", {"tp": kelvin * 0 + 1e-3}, lat=LAT, lon=LON)
    path = tmp_path / "era5.nc"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(a, "data_stream-oper_stepType-instant.nc")
        archive.write(b, "data_stream-oper_stepType-accum.nc")
    ds = read_era5(path)
    assert set(ds.data_vars) == {"soil_temperature", "precipitation"}
    np.testing.assert_array_equal(ds.soil_temperature.values, kelvin)
    short = new(tmp_path / "short.nc", {"tp": kelvin[:20]}, lat=LAT, lon=LON)
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(a, "instant.nc")
        archive.write(short, "accum.nc")
    with pytest.raises(InputError, match=r"E-INPUT-TIME .*accum\.nc lacks 28 of 48 hours, first 2020-01-01T20:00"):
        read_era5(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("notes.txt", "x")
    with pytest.raises(InputError, match="E-INPUT-ZIP"):
        read_era5(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(a, "../instant.nc")
    with pytest.raises(InputError, match=r"E-INPUT-ZIP .*refused"):
        read_era5(path)


def test_precipitation_since_midnight_becomes_hourly(tmp_path):
    # ERA5-Land, 1 mm an hour from 00 UTC: 01 -> 1 mm ... 23 -> 23 mm, 00 -> the previous day's 24 mm
    hour = np.arange(49) % 24
    total = np.where(hour == 0, 24, hour).astype("f4")[:, None, None] * 1e-3 * np.ones((1, 3, 4), "f4")
    lat, lon = np.array([61.0, 60.9, 60.8]), np.array([10.0, 10.1, 10.2, 10.3])
    path = new(tmp_path / "land.nc", {"tp": total}, lat=lat, lon=lon)
    ds = read_era5(path).compute()
    assert ds.attrs["source"] == "ERA5-Land"
    assert np.isnan(ds.precipitation.values[0]).all()
    np.testing.assert_allclose(ds.precipitation.values[1:], 1e-3, atol=1e-8)
    plain = new(tmp_path / "era5.nc", {"tp": total[:24]}, lat=LAT, lon=LON)
    np.testing.assert_array_equal(read_era5(plain).precipitation.values, total[:24])
    point = new(tmp_path / "point.nc", {"tp": total[:, :1, :1]}, lat=lat[:1], lon=lon[:1])
    with pytest.raises(InputError, match=r"E-INPUT-GRID .*point\.nc: one cell"):
        load_era5(point)
    gap = START + np.array([1, 2, 5]) * np.timedelta64(1, "h")
    got = hourly(np.array([1.0, 0.9999, 5.0])[:, None, None], gap.astype("datetime64[ns]")).ravel()
    assert got[:2].tolist() == [1.0, 0.0]
    assert np.isnan(got[2])


def test_the_first_hour_of_a_file_needs_the_last_of_the_file_before(tmp_path):
    # ERA5-Land, January and February: 2 mm an hour; 00 UTC of 1 February holds the sum of 31 January, 48 mm
    lat, lon = np.array([61.0, 60.9, 60.8]), np.array([10.0, 10.1, 10.2, 10.3])
    ones = np.ones((1, 3, 4), "f4")
    day = (2e-3 * np.r_[24, np.arange(1, 24)]).astype("f4")[:, None, None] * ones
    day[1:, 0, 0] = np.nan
    january = new(tmp_path / "01.nc", {"tp": day}, lat=lat, lon=lon, first="2020-01-31T00")
    february = new(tmp_path / "02.nc", {"tp": day}, lat=lat, lon=lon, first="2020-02-01T00")
    assert np.isnan(load_era5(february)[1]["precipitation"][0]).all()
    _, got = load_era5(february, before=january)
    np.testing.assert_allclose(got["precipitation"][:, 1:], 2e-3, atol=1e-8)
    assert np.isnan(got["precipitation"][:, 0, 0]).all()  # the sea
    np.testing.assert_array_equal(read_era5(february, before=january).precipitation.values, got["precipitation"])
    window = era5_grid(february).window(slice(2, 3), slice(1, 3))
    cut = load_era5(february, before=january, window=window)[1]["precipitation"]
    np.testing.assert_array_equal(cut, got["precipitation"][:, 2:3, 1:3])
    north = new(tmp_path / "north.nc", {"tp": day[:, ::-1]}, lat=lat[::-1], lon=lon, first="2020-01-31T00")
    np.testing.assert_array_equal(load_era5(february, before=north)[1]["precipitation"], got["precipitation"])
    with zipfile.ZipFile(tmp_path / "zip.nc", "w") as archive:
        archive.write(january, "data_1.nc")
    zipped = load_era5(february, before=tmp_path / "zip.nc")[1]
    np.testing.assert_array_equal(zipped["precipitation"], got["precipitation"])
    early = new(tmp_path / "early.nc", {"tp": day}, lat=lat, lon=lon, first="2020-01-30T00")
    with pytest.raises(InputError, match=r"E-INPUT-TIME .*early\.nc.*ends at 2020-01-30T23:00 UTC.*2020-02-01T00:00"):
        load_era5(february, before=early)
    other = new(tmp_path / "other.nc", {"t2m": 270 + day}, lat=lat, lon=lon, first="2020-01-31T00")
    with pytest.raises(InputError, match=r"E-INPUT-SCHEMA .*other\.nc.*lacks tp"):
        load_era5(february, before=other)
    moved = new(tmp_path / "moved.nc", {"tp": day}, lat=lat, lon=lon + 0.1, first="2020-01-31T00")
    with pytest.raises(InputError, match=r"E-INPUT-GRID .*moved\.nc"):
        load_era5(february, before=moved)


def test_faults(tmp_path, kelvin):
    path = tmp_path / "a.nc"

    def told(data, *, lat=LAT, lon=LON, **options) -> str:
        new(path, data, lat=lat, lon=lon)
        with pytest.raises(InputError) as caught:
            load_era5(path, **options)
        assert "a.nc" in str(caught.value)
        return str(caught.value)

    assert "median -10.2" in told({"stl1": kelvin - 273.15})  # case 17
    assert "E-INPUT-SCHEMA" in told({"other": kelvin}, names=["soil_temperature"])
    assert "E-INPUT-SCHEMA" in told({"t2m": kelvin}, names=["soil_temperature"])
    assert "E-INPUT-GRID" in told({"t2m": kelvin}, lon=np.array([10, 10.25, 10.5, 11.0]))
    with h5py.File(path, "w") as f:
        f["TB"] = np.zeros(3)
    with pytest.raises(InputError, match="E-INPUT-SCHEMA"):
        read_era5(path)
    with pytest.raises(InputError, match="none of the names"):
        read_era5(new(path, {"other": kelvin}, lat=LAT, lon=LON))
    new(path, {"stl1": kelvin}, lat=LAT, lon=LON)
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(InputError, match="E-INPUT-TRUNC"):
        read_era5(path)
    with pytest.raises(InputError, match="E-INPUT-MISSING"):
        read_era5(tmp_path / "no.nc")
    with h5py.File(new(path, {"stl1": kelvin}, lat=LAT, lon=LON), "r+") as f:
        f["valid_time"][3] = f["valid_time"][2]
    with pytest.raises(InputError, match="E-INPUT-TIME"):
        read_era5(path)


@pytest.mark.real
def test_real_extract(real_data):
    path = real_data("era5_small/SURF_201810.nc")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        times, got = load_era5(path, names=["air_temperature"])
    assert (len(times), str(times[-1])[:13]) == (744, "2018-10-31T23")
    # first packed value 7528 x 0.0005541355226833475 + 271.1016745313598
    assert got["air_temperature"][0, 0, 0] == pytest.approx(275.27321, abs=1e-4)
    assert era5_grid(path) == Grid("ERA5-0.25", "EPSG:4326", 6.375, 61.375, 0.25, (7, 10))
