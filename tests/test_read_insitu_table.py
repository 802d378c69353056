"""Plain tables of stations, CSV and Parquet."""

import duckdb
import numpy as np
import pytest

from frostline.errors import InputError
from frostline.read import READERS
from frostline.read.insitu_table import columns_of, read_table

CSV = """site,network,lon,lat,elevation,depth,time,temperature
A,Home,190.0,65.0,12.5,0.05,2020-01-01T00:00:00Z,-1.5
A,Home,190.0,65.0,12.5,0.05,2020-01-01T06:00:00Z,0.5
B,Home,10.0,60.0,,0.05,2020-01-01T00:00:00Z,3.25
A,Home,190.0,65.0,12.5,0.05,2020-01-01T06:00:00Z,9.0
B,Home,10.0,60.0,,0.05,not a time,1.0
C,Home,,,,0.05,2020-01-01T00:00:00Z,1.0
"""


def test_csv(tmp_path):
    path = tmp_path / "stations.csv"
    path.write_text(CSV)
    series, problems = READERS["table"](path)
    a, b = series
    assert (a.site, a.network, a.lon, a.lat, a.elevation, a.depth) == ("A", "Home", -170.0, 65.0, 12.5, 0.05)
    np.testing.assert_allclose(a.temperature, [271.65, 273.65], atol=1e-4)
    assert a.times[1] == np.datetime64("2020-01-01T06")
    assert np.isnan(b.elevation)
    assert len(b.times) == 1
    told = " | ".join(map(str, problems))
    assert "1 times cannot be read" in told
    assert "site 'C' has no place" in told
    assert "1 repeated times" in told


def test_parquet_in_kelvin_with_its_own_names(tmp_path):
    path = tmp_path / "stations.parquet"
    query = (
        "select 'x y' as Station, 20.0 as Long, 50.0 as Lat, timestamp '2020-02-29 12:00' + interval (i) hour as T0, "
        "272.0 + i as TS from range(3) t(i) union all select 'z', 1, 2, null, 280 order by 1, 4"
    )
    duckdb.connect().execute(f"copy ({query}) to '{path}' (format parquet)")
    names = {"site": "Station", "lon": "Long", "lat": "Lat", "time": "T0", "temperature": "TS"}
    (s,), problems = read_table(path, unit="K", columns=names)
    assert (s.site, s.network) == ("x-y", "table")
    np.testing.assert_allclose(s.temperature, [272, 273, 274], atol=1e-4)
    assert np.isnan(s.depth)
    assert any(p.fatal for p in problems)  # z has no instant


def test_faults(tmp_path):
    path = tmp_path / "stations.csv"
    path.write_text(CSV.replace("temperature", "TS"))
    with pytest.raises(InputError, match=r"E-INPUT-SCHEMA .*stations\.csv: lacks the columns temperature"):
        read_table(path)
    with pytest.raises(InputError, match="no such columns to map: depht"):
        read_table(path, columns={"depht": "x"})
    path.write_text(CSV)
    series, problems = read_table(path, unit="K")  # degrees Celsius given as K
    assert series == []
    assert "E-INPUT-UNITS" in str(problems[0]) or "E-INPUT-UNITS" in str(problems[1])
    path.write_text("<html>")
    with pytest.raises(InputError, match="E-INPUT-HTML"):
        read_table(path)
    broken = tmp_path / "a.parquet"
    broken.write_bytes(b"PAR1" + bytes(100) + b"PAR1")
    with pytest.raises(InputError, match=r"E-INPUT-CORRUPT .*a\.parquet"):
        read_table(broken)


def test_a_path_is_data_and_never_sql(tmp_path):
    path = tmp_path / "x'); drop table y; --.csv"
    path.write_text("a,b\n1,2\n")
    assert columns_of(path)["b"].tolist() == [2]
