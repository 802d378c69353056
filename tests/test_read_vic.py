"""VIC's gridded air temperature: files written by hand, and the real one."""

import h5py
import numpy as np
import pytest

from frostline.errors import InputError
from frostline.read.vic import FILL, read_vic

HOURS = np.array([0.0, 0.25, 0.5])


def write(path, *, unit="C", days=HOURS, lat=(46.0, 47.0), hidden=False, shape=None):
    values = np.arange(12, dtype="f4").reshape(3, 2, 2) if shape is None else np.zeros(shape, "f4")
    if shape is None:
        values[:, 0, 1] = FILL
    with h5py.File(path, "w") as file:
        file["time"] = days.astype("f4") + np.float32(730119)  # 1 January 2000
        file["time"].attrs["units"] = "days since 0001-01-01 00:00:00"
        file["lat"] = np.repeat(np.array(lat)[:, None], 2, 1)
        file["_nc4_non_coord_lon" if hidden else "lon"] = np.repeat(np.array([[-75.0, -74.0]]), 2, 0)
        file["Avg_temp"] = values
        file["Avg_temp"].attrs["units"] = unit
    return path


@pytest.mark.parametrize("hidden", [False, True])
def test_rows_go_south_and_fills_are_unknown(tmp_path, hidden):
    ds = read_vic(write(tmp_path / "a.nc", hidden=hidden))
    assert ds["lat"].values[:, 0].tolist() == [47.0, 46.0] and ds["lon"].values[0].tolist() == [-75.0, -74.0]
    np.testing.assert_allclose(ds["air_temperature"].values[0] - 273.15, [[2.0, 3.0], [0.0, np.nan]], atol=1e-4)
    assert str(ds["time"].values[1])[:16] == "2000-01-01T06:00"


def test_a_file_that_goes_south_stays(tmp_path):
    ds = read_vic(write(tmp_path / "a.nc", lat=(47.0, 46.0)))
    assert ds["lat"].values[:, 0].tolist() == [47.0, 46.0]
    assert np.isnan(ds["air_temperature"].values[0, 0, 1])


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"unit": "K"}, "E-INPUT-UNITS.*'K'"),
        ({"days": np.array([0.0, 0.25, 1.0])}, "E-INPUT-TIME.*equal steps"),
        ({"shape": (3, 2, 3)}, r"E-INPUT-SCHEMA.*\(3, 2, 3\)"),
    ],
)
def test_what_is_no_such_file_is_one_line(tmp_path, change, told):
    with pytest.raises(InputError, match=told):
        read_vic(write(tmp_path / "a.nc", **change))


def test_a_file_without_temperature_says_so(tmp_path):
    path = write(tmp_path / "a.nc")
    with h5py.File(path, "r+") as file:
        del file["Avg_temp"]
    with pytest.raises(InputError, match=r"E-INPUT-SCHEMA.*Avg_temp"):
        read_vic(path)


@pytest.mark.real
def test_the_real_grid(real_data):
    air = read_vic(real_data("vic_quebec_grid/VIC_temperatures.nc"))["air_temperature"]
    # PROVENANCE of the file: 16072 steps, 58 valid cells, -34.5..32.3 degC
    assert air.shape == (16072, 10, 10) and int(air[0].notnull().sum()) == 58
    np.testing.assert_allclose([float(air.min()) - 273.15, float(air.max()) - 273.15], [-34.5, 32.3], atol=0.06)
    assert str(air["time"].values[-1])[:13] == "2010-12-31T18"
