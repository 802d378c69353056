"""ERA5 files of both generations, decoded by xarray."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from frostline.errors import ConfigError
from frostline.twin import write_era5

TIMES = np.arange("2016-02-28", "2016-03-01", dtype="datetime64[h]")
LATITUDE, LONGITUDE = np.array([60.25, 60.0, 59.75]), np.array([179.75, 180.0])


def fields() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(2)
    shape = (TIMES.size, 3, 2)
    soil = rng.uniform(255.0, 285.0, shape)
    soil[3, 1, 1] = np.nan
    return {"stl1": soil, "t2m": soil + 2.0, "sd": rng.uniform(0.0, 0.2, shape)}


def write(folder, layout="new"):
    return write_era5.write(folder, times=TIMES, latitude=LATITUDE, longitude=LONGITUDE, fields=fields(), layout=layout)


def test_new(tmp_path):
    path = write(tmp_path)
    assert path.name == "era5_201602.nc"
    with xr.open_dataset(path) as ds:
        assert (ds["valid_time"].values == TIMES).all()
        assert ds["latitude"].values.tolist() == LATITUDE.tolist()
        assert ds["longitude"].values.tolist() == LONGITUDE.tolist()
        assert set(ds["expver"].values.tolist()) == {"0001"} and ds["number"].item() == 0
        for name, values in fields().items():
            np.testing.assert_array_equal(ds[name].values, values.astype(np.float32))
    assert path.read_bytes()[:4] == b"\x89HDF"


def test_old(tmp_path):
    path = write(tmp_path, layout="old")
    assert path.read_bytes()[:4] == b"CDF\x02"
    with xr.open_dataset(path, engine="scipy") as ds:
        assert ds["stl1"].dims == ("time", "latitude", "longitude")
        assert (ds["time"].values == TIMES).all()
        for name, values in fields().items():
            seen = np.isfinite(values)
            assert (np.isfinite(ds[name].values) == seen).all()
            step = (values[seen].max() - values[seen].min()) / 65532
            # half a packed step, and float32 on the way
            assert np.abs(ds[name].values - values)[seen].max() <= step / 2 + 4e-5


def test_twice_the_same_bytes(tmp_path):
    for layout in ("new", "old"):
        assert write(tmp_path / "a", layout).read_bytes() == write(tmp_path / "b", layout).read_bytes()


def test_refusals(tmp_path):
    options = {"times": TIMES, "latitude": LATITUDE, "longitude": LONGITUDE}
    with pytest.raises(ConfigError, match="swvl9"):
        write_era5.write(tmp_path, fields={"swvl9": fields()["stl1"]}, **options)
    with pytest.raises(ConfigError, match="stl1"):
        write_era5.write(tmp_path, fields={"stl1": np.zeros((2, 2))}, **options)


def test_packing_by_hand():
    # 250..270 K over 65532 steps: 20/65532 K a step, the middle at 260 K is 0
    scale, offset, packed = write_era5.pack(np.array([250.0, 260.0, 270.0, np.nan]))
    assert scale == pytest.approx(20.0 / 65532.0) and offset == 260.0
    assert packed.tolist() == [-32766, 0, 32766, -32767]


@given(st.lists(st.floats(-1e3, 1e3) | st.just(float("nan")), min_size=1, max_size=30))
def test_packing_round_trip(values):
    array = np.array(values)
    scale, offset, packed = write_era5.pack(array)
    seen = np.isfinite(array)
    assert ((packed == -32767) == ~seen).all()
    np.testing.assert_allclose(packed[seen] * scale + offset, array[seen], atol=scale / 2 + 1e-9)
