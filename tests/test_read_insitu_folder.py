"""A dense network as a folder of tables."""

import duckdb
import numpy as np
import pytest

from frostline.errors import InputError
from frostline.read import READERS
from frostline.read.insitu_folder import read_folder

NODE = """time,temperature
2018-01-01 00:00:00,-5.5
2018-01-01 00:30:00,-99.9
2018-01-01 01:00:00,-5.7
"""


@pytest.fixture
def folder(tmp_path):
    home = tmp_path / "Shandian River"
    (home / "nodes").mkdir(parents=True)
    (home / "sites.csv").write_text(
        "site,lon,lat,elevation,depth\nL1,115.9,42.0,1300,0.03\nS#2,244.0,42.1,,0.03\nM3,116.1,42.2,1310,0.03\n"
    )
    (home / "nodes" / "L1.csv").write_text(NODE)
    (home / "S#2.csv").write_text(NODE + "not a time,1\n2018-01-01 02:00:00,broken\n")
    (home / "other.csv").write_text(NODE)
    return home


def test_nodes_of_a_folder(folder):
    series, problems = READERS["folder"](folder)
    first, second = series
    assert (first.site, first.network, first.lon, first.elevation) == ("L1", "Shandian-River", 115.9, 1300.0)
    assert (second.site, second.lon) == ("S-2", -116.0)
    assert np.isnan(second.elevation)
    np.testing.assert_allclose(first.temperature, [267.65, 267.45], atol=1e-4)
    assert first.times[1] == np.datetime64("2018-01-01T01:00")
    assert len(second.times) == 2
    told = " | ".join(map(str, problems))
    assert "site 'M3' has no file" in told
    assert "other.csv: no site of the table has this file" in told
    assert "1 times cannot be read" in told


def test_local_clocks_kelvin_depths_and_own_names(folder):
    (folder / "sites.csv").write_text("site,lon,lat,network,file\nL1,115.9,42.0,SDR,nodes/a.parquet\n")
    query = (
        "select timestamp '2018-01-01 08:00' + interval (i) hour as Clock, 270.0 + i as TS, 3 + 2 * (i % 2) as cm, "
        "(3 + 2 * (i % 2)) / 100 as z from range(4) t(i)"
    )
    duckdb.connect().execute(f"copy ({query}) to '{folder / 'nodes' / 'a.parquet'}' (format parquet)")
    names = {"time": "Clock", "temperature": "TS", "depth": "Z"}
    series, _ = read_folder(folder, unit="K", hours_ahead=8.0, columns=names)
    assert [(s.network, s.depth) for s in series] == [("SDR", 0.03), ("SDR", 0.05)]
    np.testing.assert_allclose(series[1].temperature, [271.0, 273.0], atol=1e-4)
    assert series[1].times[0] == np.datetime64("2018-01-01T01:00")  # 09 h of a clock 8 hours ahead
    (only,), _ = read_folder(folder, unit="K", columns=names, depth=(0.0, 0.04), daily=True, hours_ahead=8.0)
    assert only.depth == 0.03
    assert only.daily
    assert only.times[0] == np.datetime64("2018-01-01T08:00")  # local dates stay


def test_a_node_that_cannot_be_read_costs_that_node(folder):
    (folder / "nodes" / "L1.csv").write_text("when,what\n1,2\n")
    (folder / "S#2.csv").write_text("<html>")
    series, problems = read_folder(folder)
    assert series == []
    told = " | ".join(map(str, problems))
    assert "E-INPUT-SCHEMA" in told
    assert "E-INPUT-HTML" in told


def test_faults(folder, tmp_path):
    with pytest.raises(InputError, match="E-INPUT-MISSING"):
        read_folder(tmp_path / "none")
    with pytest.raises(InputError, match="no such columns to map: temp"):
        read_folder(folder, columns={"temp": "x"})
    for text, word in (
        ("site,lon\nA,1\n", "lacks the columns lat"),
        ("site,lon,lat\nA,1,100\n", "site 'A' has no place"),
        ("site,lon,lat\nA,1,1\nA,1,1\n", "site 'A' stands twice"),
    ):
        (folder / "sites.csv").write_text(text)
        with pytest.raises(InputError, match=rf"E-INPUT-SCHEMA .*sites\.csv.*{word}"):
            read_folder(folder)
    (folder / "sites.csv").unlink()
    with pytest.raises(InputError, match=r"E-INPUT-MISSING .*sites\.csv"):
        read_folder(folder)
