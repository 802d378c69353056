"""SMAP's series over Maqu: rows written by hand, and the real ones."""

import numpy as np
import pytest

from frostline.clock import AM, PM
from frostline.errors import InputError
from frostline.read.maqu_tb import read_maqu_tb

HEAD = (
    "datetime_in_file,tb_h_fore,tb_v_fore,tb_h_aft,tb_v_aft,"
    "utc_start_inferred,utc_overpass_inferred,pass_inferred,suspect"
)
ROWS = [
    "x,240,260,242,262,,2016-01-01 23:17:00,AM,False",  # 06:05 of 2 January, local solar time
    "x,230,250,230,250,,2016-01-02 23:17:00,AM,True",
    "x,244,264,246,266,,2016-01-03 10:53:00,PM,False",  # 17:42 of 3 January
    "x,100,100,100,100,,2016-01-03 10:59:00,PM,False",  # the same pass again
    "x,241,261,243,20,,2016-01-04 23:17:00,AM,False",  # 5 January, one look of V impossible
    "x,,,,,,,unknown,False",
]


def write(path, rows=ROWS, head=HEAD):
    path.write_text("\n".join([head, *rows]) + "\n")
    return path


def test_passes_lie_on_local_dates_and_looks_are_averaged(tmp_path):
    ds = read_maqu_tb(write(tmp_path / "a.csv"))
    assert ds["time"].values.astype("M8[D]").astype(str).tolist() == [f"2016-01-0{d}" for d in (2, 3, 4, 5)]
    v, h = (ds[n].isel(y=0, x=0) for n in ("tb_1v", "tb_1h"))
    np.testing.assert_allclose(v.sel(overpass=AM), [261.0, np.nan, np.nan, np.nan])
    np.testing.assert_allclose(v.sel(overpass=PM), [np.nan, 265.0, np.nan, np.nan])
    np.testing.assert_allclose(h.sel(overpass=AM), [241.0, np.nan, np.nan, 242.0])
    assert (ds.attrs["suspect"], ds.attrs["unknown_pass"], ds.attrs["repeated"]) == (1, 1, 1)
    assert ds.attrs["grid_name"] == "M36" and ds["tb_1v"].attrs["units"] == "K"


@pytest.mark.parametrize(
    ("rows", "head", "told"),
    [
        (ROWS, HEAD.replace("tb_v_aft", "other"), r"E-INPUT-SCHEMA.*tb_v_aft"),
        (ROWS[1:2], HEAD, r"E-INPUT-TIME.*holds no pass"),
    ],
)
def test_what_is_no_such_file_is_one_line(tmp_path, rows, head, told):
    with pytest.raises(InputError, match=told):
        read_maqu_tb(write(tmp_path / "a.csv", rows, head))


@pytest.mark.real
def test_the_real_series(real_data):
    ds = read_maqu_tb(real_data("maqu_smap_tb/smap_l1c_maqu_2016_2020_decoded.csv"))
    seen = ds["tb_1v"].notnull().sum("time").values.ravel()
    # PROVENANCE of the file: 703 AM of which 2 are suspect and 1 comes twice, 702 PM; good rows 164-274 K
    assert seen.tolist() == [700, 702]
    assert float(ds["tb_1h"].min()) >= 164 and float(ds["tb_1v"].max()) <= 274
    assert ds.attrs["suspect"] == 4
    v, h = (ds[n].sel(overpass=[AM]) for n in ("tb_1v", "tb_1h"))
    ratio = ((v - h) / (v + h)).groupby("time.month").mean(...)
    assert float(ratio.sel(month=[1, 2]).mean()) == pytest.approx(0.031, abs=0.003)
