"""ERA5-Land files of the twin, decoded by xarray and read back."""

import numpy as np
import pytest
import xarray as xr

from frostline.errors import ConfigError
from frostline.read.era5 import load_era5, read_era5
from frostline.twin import write_era5land
from test_twin_write_cdl import FILES, assert_same, dump_hdf5

JANUARY = np.datetime64("2016-01-30T00", "h") + np.arange(48)
FEBRUARY = np.datetime64("2016-02-01T00", "h") + np.arange(30)
LAT, LON = 30.0 - 0.1 * np.arange(4), 91.0 + 0.1 * np.arange(5)


def fields(times, seed):
    rng = np.random.default_rng(seed)
    shape = (times.size, 4, 5)
    out = {
        "stl1": rng.uniform(255.0, 285.0, shape),
        "swvl1": rng.uniform(0.05, 0.4, shape),
        "sde": rng.uniform(0.0, 0.5, shape),
        "tp": rng.gamma(0.2, 1e-3, shape),
    }
    for values in out.values():
        values[:, 1, 2] = np.nan
    return out


def test_months_follow_each_other(tmp_path):
    january, february = fields(JANUARY, 1), fields(FEBRUARY, 2)
    first = write_era5land.write(tmp_path, times=JANUARY, latitude=LAT, longitude=LON, fields=january)
    carried = write_era5land.accumulated(january["tp"], JANUARY)[-1]
    second = write_era5land.write(
        tmp_path, times=FEBRUARY, latitude=LAT, longitude=LON, fields=february, carried=carried
    )
    assert (first.name, second.name) == ("era5land_201601.nc", "era5land_201602.nc")
    with xr.open_dataset(second, engine="h5netcdf") as ds:
        day = january["tp"][25:].sum(axis=0) + february["tp"][0]
        np.testing.assert_allclose(ds["tp"].values[0], day, rtol=1e-6)
        assert (ds["valid_time"].values == FEBRUARY).all()
    times, got = load_era5(second, before=first)
    assert (times == FEBRUARY).all()
    for name, short in (("soil_temperature", "stl1"), ("soil_moisture", "swvl1"), ("snow_depth", "sde")):
        np.testing.assert_array_equal(got[name], february[short].astype("f4"))
    np.testing.assert_allclose(got["precipitation"], february["tp"], atol=5e-9)  # float32 sums of some cm
    assert read_era5(second).attrs["source"] == "ERA5-Land"


def test_structure_is_that_of_the_data_store(tmp_path):
    times = np.arange("2016-01-01T00", "2016-01-01T03", dtype="datetime64[h]")
    path = write_era5land.write(
        tmp_path, times=times, latitude=LAT[:2], longitude=LON[:4], fields={"stl1": np.full((3, 2, 4), 270.0)}
    )
    dumped = dump_hdf5(path)
    dumped["stl1:GRIB_typeOfLevel"] = '"surface"'  # ERA5-Land's level type is not known to us
    dumped["stl1:GRIB_dataType"] = '"an"'  # ERA5-Land is a forecast
    assert_same(dumped, FILES / "era5_new.cdl")


def test_refusals(tmp_path):
    options = {"times": FEBRUARY, "latitude": LAT, "longitude": LON}
    with pytest.raises(ConfigError, match="swvl9"):
        write_era5land.write(tmp_path, fields={"swvl9": fields(FEBRUARY, 1)["stl1"]}, **options)
    with pytest.raises(ConfigError, match="every hour"):
        data = {k: v[::3] for k, v in fields(FEBRUARY, 1).items()}
        write_era5land.write(tmp_path, fields=data, **options | {"times": FEBRUARY[::3]})
    assert not list(tmp_path.iterdir())


def test_accumulation_by_hand():
    # 1, 2, 4 mm in the hours that end at 23, 00 and 01 UTC, after 10 mm since midnight
    times = np.datetime64("2020-01-01T23", "h") + np.arange(3)
    got = write_era5land.accumulated(np.array([1.0, 2.0, 4.0])[:, None, None], times, np.array([[10.0]]))
    assert got.ravel().tolist() == [11.0, 13.0, 4.0]
