"""Daily extremes of one place: files written by hand, and the real one."""

from pathlib import Path

import h5py
import numpy as np
import pytest

from frostline.errors import InputError
from frostline.read import READERS

SALMON = "era5_small/ERA5_weather_data_Salmon.nc"


def write(
    path: Path, tmin: list[float], tmax: list[float], *, unit: str = "degC", days=None, since="2000-02-28"
) -> Path:
    """A file of the layout: time, tmin, tmax."""
    with h5py.File(path, "w") as file:
        file["time"] = np.arange(len(tmin)) if days is None else np.asarray(days)
        file["time"].attrs["units"] = f"days since {since} 00:00:00"
        for name, values in (("tmin", tmin), ("tmax", tmax)):
            file[name] = np.asarray(values, "f4")
            file[name].attrs["units"] = unit
    return path


def test_celsius_becomes_kelvin_and_a_missing_date_is_unknown(tmp_path):
    path = write(tmp_path / "a.nc", [-5.0, -2.0, 1.0], [-1.0, 3.0, 8.0], days=[0, 1, 3])
    ds = READERS["basin"](path)
    # 2000 is a leap year: 28 and 29 February, then 2 March
    assert ds["time"].values.astype("M8[D]").astype(str).tolist() == [
        "2000-02-28",
        "2000-02-29",
        "2000-03-01",
        "2000-03-02",
    ]
    np.testing.assert_allclose(ds["air_minimum"], [268.15, 271.15, np.nan, 274.15], atol=1e-3)
    np.testing.assert_allclose(ds["air_maximum"], [272.15, 276.15, np.nan, 281.15], atol=1e-3)
    assert ds.attrs["contradictions"] == 0 and ds["air_minimum"].dtype == np.float32


def test_kelvin_stays_kelvin(tmp_path):
    ds = READERS["basin"](write(tmp_path / "a.nc", [268.0], [272.0], unit="K"))
    assert ds["air_maximum"].item() == 272.0


def test_a_day_that_contradicts_itself_is_unknown_and_counted(tmp_path):
    tmin, tmax = [-5.0] * 200, [1.0] * 200
    tmin[7] = 2.0
    ds = READERS["basin"](write(tmp_path / "a.nc", tmin, tmax))
    assert ds.attrs["contradictions"] == 1 and np.isnan(ds["air_maximum"].values[7])
    assert int(ds["air_minimum"].notnull().sum()) == 199


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"tmin": [1.0, 2.0], "tmax": [0.0, 1.0]}, r"E-INPUT-SCHEMA.*tmin is above tmax on 2 of 2"),
        ({"unit": "F"}, r"E-INPUT-UNITS.*'F'"),
        ({"unit": "K"}, r"E-INPUT-UNITS.*Celsius"),
        ({"days": [1, 0]}, r"E-INPUT-TIME.*no rising dates"),
        ({"days": [0.0, 1.25]}, r"E-INPUT-TIME.*no rising dates"),
        ({"days": []}, r"E-INPUT-SCHEMA.*tmin has shape \(2,\), there are 0"),
    ],
)
def test_what_is_no_such_file_is_one_line(tmp_path, change, told):
    given = {"tmin": [-5.0, -2.0], "tmax": [1.0, 3.0]} | change
    path = write(tmp_path / "a.nc", **given)
    with pytest.raises(InputError, match=told) as error:
        READERS["basin"](path)
    assert str(path) in str(error.value) and "\n" not in str(error.value)


def test_a_file_without_extremes_says_what_it_lacks(tmp_path):
    path = write(tmp_path / "a.nc", [-5.0], [1.0])
    with h5py.File(path, "r+") as file:
        del file["tmax"]
    with pytest.raises(InputError, match=r"E-INPUT-SCHEMA.*tmax"):
        READERS["basin"](path)


@pytest.mark.real
def test_the_salmon_basin(real_data):
    ds = READERS["basin"](real_data(SALMON))
    assert ds.sizes["time"] == 14611 and str(ds["time"].values[-1])[:10] == "2020-12-31"
    # PROVENANCE of the file: tmin -41.5..18.1, tmax -31.1..33.9 degC
    ends = [float(f(ds[name]) - 273.15) for name in ("air_minimum", "air_maximum") for f in (np.min, np.max)]
    np.testing.assert_allclose(ends, [-41.5, 18.1, -31.1, 33.9], atol=0.05)
    assert int(ds["air_maximum"].isnull().sum()) == 0
