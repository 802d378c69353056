"""CMA daily ground temperature written by hand after formats.md 8.7."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from frostline.errors import InputError
from frostline.read import READERS
from frostline.read.insitu_cma import degrees, read_cma

NAME = "SURF_CLI_CHN_MUL_DAY-GST-12030-0cm-{}.TXT"
# station lat lon elevation y m d mean max min and a quality code of each; line 3 and 4 as they occur
JANUARY = """54102  4357  11604   9895 2010  1 30   -215    -31   -352 0 0 0
54102  4357  11604   9895 2010  1 31   -190     12   -340 0 0 0
52908  3513   9305  146120 2010  1 30   -181     55   -301 0 0 0
52908  3513   9305  146120 2010  1 31  32766  32766 -10352 8 8 0
"""
FEBRUARY = """54102  4357  11604   9895 2010  2  1   -150     99   -333 0 2 1
54102  4357  11604   9895 2010  2  2   -140     31   -320 0 9 0
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / NAME.format("201001")).write_text(JANUARY)
    (tmp_path / NAME.format("201002")).write_text(FEBRUARY.replace("\n", "\r\n"))
    (tmp_path / "SURF_CLI_CHN_MUL_DAY-TEM-12001-201001.TXT").write_text(JANUARY)  # air temperature
    return tmp_path


def test_minimum_and_maximum_of_every_station(folder):
    series, problems = READERS["cma"](folder)
    assert [(s.site, s.sensor) for s in series] == [
        ("52908", "daily-min"),
        ("52908", "daily-max"),
        ("54102", "daily-min"),
        ("54102", "daily-max"),
    ]
    low, high = series[2:]
    assert (low.lat, low.lon) == (pytest.approx(43.95), pytest.approx(116.0 + 4 / 60))
    assert (low.elevation, low.depth, low.daily, low.network) == (989.5, 0.0, True, "CMA")
    assert [str(t)[:10] for t in low.times] == ["2010-01-30", "2010-01-31", "2010-02-02"]  # 1 Feb is suspect
    np.testing.assert_allclose(low.temperature, 273.15 + np.array([-35.2, -34.0, -32.0]), atol=1e-4)
    np.testing.assert_allclose(high.temperature, 273.15 + np.array([-3.1, 1.2, 3.1]), atol=1e-4)  # 9 is kept
    assert series[0].elevation == 4612.0  # 100000 says estimated
    assert len(series[0].times) == len(series[1].times) == 1  # -10352 and 32766
    told = " | ".join(map(str, problems))
    assert "station 52908: min: 1 values beyond 100 degC" in told
    assert "station 54102: min: 1 values by their quality code" in told
    assert "TEM" not in told


def test_what_is_kept_is_the_callers(folder):
    (mean,), _ = read_cma(folder / NAME.format("201002"), statistics=("mean",))
    assert mean.sensor == "daily-mean"
    np.testing.assert_allclose(mean.temperature, 273.15 + np.array([-15.0, -14.0]), atol=1e-4)
    low = read_cma(folder / NAME.format("201002"), keep=frozenset({0, 1, 9}))[0][0]
    assert len(low.times) == 2


def test_the_newer_interface_has_a_header(tmp_path):
    header = "V01000 V05001 V06001 V07001 V04001 V04002 V04003 V12240 V12213 V12214 Q12240 Q12213 Q12214\n"
    (tmp_path / "S202001010000.txt").write_text(header + JANUARY)
    series, _ = read_cma(tmp_path)
    assert len(series) == 4
    (tmp_path / "S202001010000.txt").write_text("V01000 V05001\n" + JANUARY)
    series, problems = read_cma(tmp_path)
    assert series == []
    assert "header names 2 columns" in str(problems[0])


def test_broken_lines_and_files_are_told_and_the_rest_is_kept(tmp_path):
    lines = JANUARY.splitlines()
    lines[1] = lines[1][:40]
    lines.append("54102  4357  11604   9895 2010  2 30   -150     99   -333 0 0 0")  # no such day
    lines.append("99999  4375  11604   9895 2010  1 30   -150     99   -333 0 0 0")  # 75 minutes of arc
    path = tmp_path / NAME.format("201001")
    path.write_text("\n".join(lines))
    (tmp_path / NAME.format("201002")).write_text("<html><body>sign in</body></html>")
    decimals = " ".join(f"{v}.0" for v in JANUARY.split("\n")[0].split())
    (tmp_path / NAME.format("201003")).write_text(decimals)
    (tmp_path / NAME.format("201004")).write_text("")
    (tmp_path / NAME.format("201005")).write_text("no numbers here\n")
    series, problems = read_cma(tmp_path)
    assert {s.site for s in series} == {"52908", "54102"}
    told = " | ".join(map(str, problems))
    assert "2 of 6 lines cannot be read" in told
    assert "station 99999: impossible place" in told
    for word in ("E-INPUT-HTML", "E-INPUT-UNITS", "E-INPUT-EMPTY", "no line has 13 whole numbers"):
        assert word in told


def test_a_station_that_moved_is_told(tmp_path):
    path = tmp_path / NAME.format("201001")
    path.write_text(JANUARY + "54102  4412  11604   9895 2010  3  1   -150     99   -333 0 0 0\n")
    series, problems = read_cma(path)
    assert series[2].lat == pytest.approx(44.2)
    assert "moved by 0.25 degrees" in str(problems)


def test_faults(tmp_path):
    with pytest.raises(InputError, match="E-INPUT-MISSING"):
        read_cma(tmp_path / "none")
    with pytest.raises(InputError, match=r"E-INPUT-TEXT .*no file of ground temperature"):
        read_cma(tmp_path)


@given(st.integers(-89, 89), st.integers(0, 59))
def test_degrees_and_minutes_come_back(whole, minutes):
    packed = abs(whole) * 100 + minutes
    sign = -1 if whole < 0 else 1
    assert degrees(np.array([sign * packed]))[0] == pytest.approx(sign * (abs(whole) + minutes / 60))
