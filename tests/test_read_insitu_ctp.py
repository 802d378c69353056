"""Naqu and Pali text tables written by hand after formats.md 8.7."""

import numpy as np
import pytest

from frostline.errors import InputError
from frostline.read import READERS
from frostline.read.insitu_ctp import read_ctp

NAQU = """2010 08 01 00 00 00  12.31 -99.00   9.85
2010 08 01 00 30 00  12.02  11.40   9.80
2010 08 01 01 00 00  11.90  11.20 -99.00
"""
PALI = """2016 01 01 07 30 00  -5.10  -6.20
2016 01 01 08 00 00  -5.00 -99.00
"""


@pytest.fixture
def sites(tmp_path):
    path = tmp_path / "sites.csv"
    path.write_text("site,lon,lat,elevation\nBC01,91.7,31.6,4490\nBC02,91.8,31.7,4500\nMS3608,92.0,31.2,\n")
    return path


def test_naqu(tmp_path, sites):
    folder = tmp_path / "naqu"
    folder.mkdir()
    (folder / "ST_NQ-30 minutes-05cm.txt").write_text(NAQU)
    (folder / "ST_NQ-30 minutes-40cm.txt").write_text(NAQU)
    (folder / "SM_NQ-30 minutes-05cm.txt").write_text(NAQU)
    series, problems = READERS["ctp"](folder, sites=sites)
    assert problems == []
    assert [(s.site, s.network, s.depth, s.elevation) for s in series[:2]] == [
        ("BC01", "Naqu", 0.05, 4490.0),
        ("BC02", "Naqu", 0.05, 4500.0),
    ]
    assert len(series) == 3
    assert np.isnan(series[2].elevation)
    np.testing.assert_allclose(series[1].temperature, [284.55, 284.35], atol=1e-4)
    assert series[1].times.tolist() == [np.datetime64(f"2010-08-01T{t}", "ns").astype(int) for t in ("00:30", "01:00")]
    deep, _ = read_ctp(folder, sites=sites, depth=(0.3, 0.5))
    assert [s.depth for s in deep] == [0.4] * 3
    shifted, _ = read_ctp(folder, sites=sites, hours_ahead=8)
    assert shifted[0].times[0] == np.datetime64("2010-07-31T16:00")


def test_pali_is_in_utc_plus_8_and_has_more_columns_than_sites(tmp_path):
    path = tmp_path / "ST_PL-30 minutes-05 cm.txt"
    path.write_text(PALI)
    sites = tmp_path / "sites.csv"
    sites.write_text("site,lon,lat\nPL01,89.1,27.7\n")
    with pytest.raises(InputError, match=r"E-INPUT-SCHEMA .*ST_PL.*holds 2 station columns, the table of sites 1"):
        read_ctp(path, sites=sites)
    sites.write_text("site,lon,lat,column\nPL01,89.1,27.7,2\n")
    (s,), _ = read_ctp(path, sites=sites)
    assert s.times.tolist() == [np.datetime64("2015-12-31T23:30", "ns").astype(int)]
    np.testing.assert_allclose(s.temperature, [266.95], atol=1e-4)
    sites.write_text("site,lon,lat,column\nPL01,89.1,27.7,3\n")
    with pytest.raises(InputError, match="none of the file's 2"):
        read_ctp(path, sites=sites)


def test_daily_files_have_three_date_columns(tmp_path, sites):
    path = tmp_path / "ST_NQ-daily-05cm.txt"
    path.write_text("2010 08 01 12.31 11.0 9.85\n2010 08 02 12.0 11.5 -99.00\n")
    series, _ = read_ctp(path, sites=sites)
    assert series[0].daily
    assert series[0].times[1] == np.datetime64("2010-08-02")
    assert len(series[2].times) == 1


def test_broken_lines_and_files_are_told(tmp_path, sites):
    path = tmp_path / "ST_NQ-30 minutes-05cm.txt"
    lines = NAQU.splitlines()
    more = ["2010 02 30 00 00 00 1 1 1", "2010 08 01 02 00 00 1 x 1", "2010 08 01 02 00", "2010 08 01 24 00 00 1 2 3"]
    path.write_text("\n".join(["yyyy mm dd hh mm ss BC01 BC02 MS3608", *lines, *more]))
    (tmp_path / "ST_NQ-30 minutes-00cm.txt").write_text("yyyy mm dd\n2010 08 01\n")
    series, problems = read_ctp(tmp_path, sites=sites)
    assert len(series[0].times) == 4
    assert series[0].times[-1] == np.datetime64("2010-08-02")
    told = " | ".join(map(str, problems))
    assert "3 lines cannot be read" in told
    assert "fewer than the 6 of the date" in told


def test_faults(tmp_path, sites):
    with pytest.raises(InputError, match="E-INPUT-MISSING"):
        read_ctp(tmp_path / "none", sites=sites)
    with pytest.raises(InputError, match=r"E-INPUT-TEXT .*no file of soil temperature"):
        read_ctp(tmp_path, sites=sites)
    path = tmp_path / "ST_XX-30 minutes-05cm.txt"
    path.write_text(NAQU)
    with pytest.raises(InputError, match=r"E-INPUT-TIME .*time zone of network XX"):
        read_ctp(path, sites=sites)
    sites.write_text("site,lon\nA,1\n")
    with pytest.raises(InputError, match=r"E-INPUT-SCHEMA .*lacks the columns lat"):
        read_ctp(path, sites=sites)
    sites.write_text("site,lon,lat\nA,1,95\n")
    with pytest.raises(InputError, match="impossible"):
        read_ctp(path, sites=sites)
