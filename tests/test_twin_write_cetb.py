"""CETB files: values, places, fills and sizes, read back without our readers."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from frostline.errors import ConfigError
from frostline.grid import named
from frostline.twin import write_cetb

N09 = named("N09")
WINDOW = N09.around(125.0, 62.0, (64, 64))


def fields() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    tb = 240.0 + rng.normal(size=(64, 64)) * 15.0
    time = np.tile(np.linspace(-300.0, -90.0, 64), (64, 1))
    tb[:20, 5:] = np.nan
    return tb, time


def written(folder, version="v3", overpass=0, polarization="V", date="2016-01-01"):
    tb, time = fields()
    return write_cetb.write(
        folder,
        date=date,
        overpass=overpass,
        polarization=polarization,
        tb=tb,
        tb_time=time,
        window=WINDOW,
        version=version,
    )


def test_names_by_hand():
    name = write_cetb.file_name
    # 2016 is a leap year: day 366 is 31 December
    v2 = name("2016-12-31", overpass=1, polarization="H", version="v2")
    assert v2 == "NSIDC-0738-EASE2_N09km-SMAP_LRM-2016366-1.4H-E-SIR-JPL-v2.0.nc"
    v3 = name("2016-12-31", overpass=1, polarization="H", version="v3")
    assert v3 == "NSIDC0738_SIR_EASE2_N09km_SMAP_LRM_E_1.4H_20161231_1701021200_v3.0.nc"


@pytest.mark.parametrize("version", ["v2", "v3"])
def test_netcdf4_reads_it(tmp_path, version):
    netcdf4 = pytest.importorskip("netCDF4")
    tb, time = fields()
    row, col = WINDOW.offset(N09)
    box = np.s_[0, row : row + 64, col : col + 64]
    with netcdf4.Dataset(written(tmp_path, version)) as file:
        assert file.data_model == "NETCDF4"
        assert file.dimensions["time"].isunlimited() and len(file.dimensions["time"]) == 1
        assert file["time"][0] == 16071.0  # days from 1972 to 2016: 44 * 365 + 11 leap days
        assert file["x"][0] == -8995500.0 and file["y"][0] == 8995500.0
        values = file["TB"][:]
        assert values.count() == np.isfinite(tb).sum()
        inside = values[box]
        assert (inside.mask == np.isnan(tb)).all()
        assert np.abs(inside - tb).max() < 0.0051
        minutes = file["TB_time"]
        minutes.set_auto_maskandscale(False)
        seen = np.isfinite(tb)
        assert np.abs(minutes[box][seen] - time[seen]).max() <= 0.5
        assert (minutes[box][~seen] == -32768).all()
        assert file["Incidence_angle"][box].max() == pytest.approx(40.0)


def test_v2_has_both_kinds_of_missing_and_v3_one(tmp_path):
    for version, kinds in (("v2", {0, 60000}), ("v3", {0})):
        with h5py.File(written(tmp_path, version)) as file:
            raw = file["TB"][0, slice(*_rows()), slice(*_cols())]
            assert set(raw[:20, 5:].ravel().tolist()) == kinds
            assert raw[20:].min() > 5000
            assert file["TB_std_dev"][0, 0, 0] == 65535 and file["TB_num_samples"][0, 0, 0] == 0


def _rows() -> tuple[int, int]:
    return WINDOW.offset(N09)[0], WINDOW.offset(N09)[0] + 64


def _cols() -> tuple[int, int]:
    return WINDOW.offset(N09)[1], WINDOW.offset(N09)[1] + 64


def test_only_the_chunks_of_the_window_exist(tmp_path):
    path = written(tmp_path)
    with h5py.File(path) as file:
        for name in ("TB", "TB_std_dev", "TB_num_samples", "Incidence_angle", "TB_time"):
            assert file[name].shape == (1, 2000, 2000)
            assert 1 <= file[name].id.get_num_chunks() <= 9
            assert file[name].shuffle and file[name].compression == "gzip"
    assert path.stat().st_size < 130_000


def test_twice_the_same_bytes(tmp_path):
    first = written(tmp_path / "a").read_bytes()
    write_cetb._template.cache_clear()
    written(tmp_path / "b", date="2017-06-01")
    assert written(tmp_path / "b").read_bytes() == first


def test_the_v3_calendar_and_pass(tmp_path):
    with h5py.File(written(tmp_path, overpass=1, polarization="H")) as file:
        assert file["time"].attrs["calendar"] == b"standard"
        assert file["TB"].attrs["temporal_division"] == b"Evening"
        assert file["TB"].attrs["frequency_and_polarization"] == b"1.4H"
        assert b"twin Earth" in file.attrs["source"]


def test_refusals(tmp_path):
    tb = np.full((64, 64), 250.0)
    options = {"date": "2016-01-01", "overpass": 0, "polarization": "V", "tb_time": tb}
    with pytest.raises(ConfigError, match=r"outside 50\.\.350"):
        write_cetb.write(tmp_path, tb=tb * 2, window=WINDOW, **options)
    with pytest.raises(ConfigError, match="no window"):
        write_cetb.write(tmp_path, tb=tb, window=named("M09").around(100.0, 40.0, (64, 64)), **options)
    assert list(tmp_path.iterdir()) == []


@given(st.lists(st.floats(50.0, 350.0), min_size=1, max_size=20), st.sampled_from(["v2", "v3"]))
def test_packing_round_trip(values, version):
    tb = np.array([values])
    packed = write_cetb.pack(tb, np.zeros_like(tb), version)["TB"]
    assert np.abs(packed * 0.01 - tb).max() <= 0.005 + 1e-9
    assert packed.min() >= 5000 and packed.max() <= 35000


def test_packing_by_hand():
    parts = write_cetb.pack(np.array([[273.156, np.nan]]), np.array([[61.6, np.nan]]), "v3")
    assert parts["TB"].tolist() == [[27316, 0]]
    assert parts["TB_time"].tolist() == [[62, -32768]]
    assert parts["TB_std_dev"].tolist() == [[100, 65535]]
    assert parts["Incidence_angle"].tolist() == [[4000, -1]]
