"""Station texts: tokens, line endings, flags, columns; the ismn package as a second reader."""

from __future__ import annotations

import re

import numpy as np
import pytest

from frostline.errors import ConfigError
from frostline.twin.write_insitu import ENDINGS, FROST_FLAGS, write_ismn, write_uscrn

TIMES = np.arange("2016-01-01", "2016-03-01", dtype="datetime64[h]")
PLACE = {"lon": 125.5, "lat": 62.25, "elevation": 321.0, "depth": 0.05}


def kelvin() -> np.ndarray:
    values = 273.15 + np.random.default_rng(4).normal(size=TIMES.size) * 5.0
    values[7] = np.nan
    return values


def ismn(folder, station="Alas_1"):
    return write_ismn(folder, network="TWIN_YA", station=station, times=TIMES, kelvin=kelvin(), **PLACE)


def lines_of(data: bytes) -> list[str]:
    return re.split(r"\r\n|\n\r|\r|\n", data.decode().rstrip())


def test_ismn_by_hand(tmp_path):
    values = np.array([271.9, np.nan, 274.4002])
    times = TIMES[:3]
    path = write_ismn(tmp_path, network="TWIN", station="A", times=times, kelvin=values, **PLACE)
    assert path.relative_to(tmp_path).as_posix() == (
        "TWIN/A/TWIN_TWIN_A_ts_0.050000_0.050000_Twin-Thermistor_5_20160101_20160101.stm"
    )
    header, *data = lines_of(path.read_bytes())
    assert header.split() == [
        "TWIN",
        "TWIN",
        "A",
        "62.25000",
        "125.50000",
        "321.00",
        "0.05",
        "0.05",
        "Twin-Thermistor_5",
    ]
    assert len(data) == 2  # no line where there is no value
    first, second = (line.split() for line in data)
    assert first[:3] == ["2016/01/01", "00:00", "-1.2500"] and first[3] in FROST_FLAGS and first[4] == "M"
    assert second == ["2016/01/01", "02:00", "1.2502", "G", "M"]


def test_underscores_become_hyphens_in_the_name(tmp_path):
    path = ismn(tmp_path)
    assert path.parent == tmp_path / "TWIN_YA" / "Alas_1"
    assert path.name.startswith("TWIN-YA_TWIN-YA_Alas-1_ts_0.050000_0.050000_")


def test_every_line_ending_and_frost_flag_occurs_and_values_survive(tmp_path):
    endings, flags = set(), set()
    for k in range(40):
        data = ismn(tmp_path, f"s{k}").read_bytes()
        header = data.find(b"Twin-Thermistor_5") + len("Twin-Thermistor_5")
        endings.add(re.match(rb"[\r\n]+", data[header:])[0].decode())
        rows = [line.split() for line in lines_of(data)[1:]]
        assert len(rows) == TIMES.size - 1
        value = np.array([float(r[2]) for r in rows])
        flag = np.array([r[3] for r in rows])
        flags |= set(flag.tolist())
        assert (value[flag == "C01"] == 75.0).all()
        good = flag != "C01"
        true = kelvin()[np.isfinite(kelvin())] - 273.15
        assert np.abs(value - true)[good].max() <= 0.5e-4 + 1e-9
        assert 0.99 < good.mean() <= 1.0
        assert (flag[(value >= 0) & good] == "G").all()
    assert endings == {after for after, _ in ENDINGS}
    assert flags == {"G", "D01", "D01,D03", "C01"}


def test_static_variables(tmp_path):
    (path,) = ismn(tmp_path).parent.glob("*_static_variables.csv")
    text = path.read_bytes().decode()
    rows = text.split("\r\n")
    assert rows[0].startswith("quantity_name;unit;depth_from[m]") and rows[0].endswith(";") and rows[-1] == ""
    assert text.count('"') % 2 == 0 and '30"' in text
    assert {row.count(";") for row in rows[:-1]} == {13}


def test_the_ismn_package_reads_it(tmp_path):
    handlers = pytest.importorskip("ismn.filehandlers")
    for k in range(8):  # several line endings
        path = ismn(tmp_path, f"s{k}")
        if b"\n\r" in path.read_bytes()[:200]:
            continue  # it is known to occur, and that reader does not normalise it
        file = handlers.DataFile(tmp_path, path.relative_to(tmp_path))
        data = file.read_data()
        assert len(data) == TIMES.size - 1
        assert data.index[0] == np.datetime64("2016-01-01T00:00")
        assert file.metadata["variable"].val == "soil_temperature"


def uscrn(folder, **changes):
    options = {"station": "AK_Twin_1_N", "lon": -150.0, "lat": 62.0, "depth": 0.05}
    return write_uscrn(folder, times=TIMES, kelvin=kelvin(), **{**options, **changes})


def test_uscrn_columns(tmp_path):
    (path,) = uscrn(tmp_path)
    assert path.name == "CRNH0203-2016-AK_Twin_1_N.txt"
    rows = [line.split() for line in path.read_text().splitlines()]
    assert len(rows) == TIMES.size and {len(r) for r in rows} == {38}
    # 00 UTC on 1 January is 14 h of 31 December ten hours west
    assert rows[0][1:5] == ["20160101", "0000", "20151231", "1400"]
    assert rows[0][6:8] == ["-150.00", "62.00"]
    soil = np.array([float(r[33]) for r in rows])
    assert soil[7] == -9999.0
    seen = soil != -9999.0
    assert np.abs(soil - (kelvin() - 273.15))[seen].max() <= 0.05 + 1e-9
    assert {tuple(r[34:]) for r in rows} == {("-9999.0",) * 4}
    assert {tuple(r[28:33]) for r in rows} == {("-99.000",) * 5}
    assert len({len(line) for line in path.read_text().splitlines()}) == 1  # fixed width


def test_uscrn_other_depth_and_years(tmp_path):
    times = np.arange("2016-12-31T22", "2017-01-01T02", dtype="datetime64[h]")
    options = {"station": "MT_Twin_2", "lon": -110.0, "lat": 48.0, "depth": 0.2}
    paths = write_uscrn(tmp_path, times=times, kelvin=np.full(4, 270.15), **options)
    assert [p.name[9:13] for p in paths] == ["2016", "2017"]
    for path in paths:
        rows = [line.split() for line in path.read_text().splitlines()]
        assert len(rows) == 2 and all(r[35] == "-3.0" and r[33] == "-9999.0" for r in rows)


def test_no_times_no_file(tmp_path):
    empty = np.array([], "datetime64[s]")
    options = {"station": "S", "times": empty, "kelvin": np.array([])}
    assert write_uscrn(tmp_path, lon=0.0, lat=60.0, depth=0.05, **options) == []
    with pytest.raises(ConfigError, match="without hours"):
        write_ismn(tmp_path, network="N", **options, **PLACE)
    assert list(tmp_path.iterdir()) == []
