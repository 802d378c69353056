"""USCRN files written by hand after formats.md 8.3, and real ones."""

import numpy as np
import pytest

from frostline.errors import InputError
from frostline.read import READERS
from frostline.read.insitu_uscrn import read_uscrn


def hourly(date: str, clock: str, soil: str, *, wban="94075") -> str:
    """One line of hourly02: 38 fields, soil temperature of 5 cm in field 34."""
    fields = [wban, date, clock, date, clock, "2.622", "-105.54", "40.04", *["-9999.0"] * 25, soil, *["-9999.0"] * 4]
    assert len(fields) == 38
    return " ".join(fields)


def daily(date: str, soil: str) -> str:
    """One line of daily01: 28 fields, soil temperature of 5 cm in field 24."""
    fields = [
        "94075",
        date,
        "2.622",
        "-105.54",
        "40.04",
        *["-9999.0"] * 6,
        "C",
        *["-9999.0"] * 6,
        *["-99.000"] * 5,
        soil,
    ]
    fields += ["-9999.0"] * 4
    assert len(fields) == 28
    return " ".join(fields)


def test_hourly_lines(tmp_path):
    path = tmp_path / "CRNH0203-2019-CO_Boulder_14_W.txt"
    lines = [
        hourly("20190101", "0100", "-1.5"),
        hourly("20190101", "0200", "-9999.0"),
        hourly("20190101", "0300", "-99.0"),
        hourly("20190101", "2500", "1.0"),
        hourly("20190102", "0000", "0.3"),
        "94075 20190102 0100",
    ]
    path.write_text("\n".join(lines) + "\n")
    (s,), problems = READERS["uscrn"](path)
    assert (s.site, s.network, s.lon, s.lat, s.depth, s.daily) == (
        "CO_Boulder_14_W",
        "USCRN",
        -105.54,
        40.04,
        0.05,
        False,
    )
    assert np.isnan(s.elevation)
    np.testing.assert_allclose(s.temperature, [271.65, 273.45], atol=1e-4)
    assert s.times.astype("M8[h]").astype(str).tolist() == ["2019-01-01T01", "2019-01-02T00"]
    assert "2 lines cannot be read, the first is 4" in problems[0].reason


def test_years_are_joined_and_days_marked(tmp_path):
    for year, soil in ((2019, "1.0"), (2018, "-2.0")):
        text = daily(f"{year}0229" if year == 2020 else f"{year}0228", soil)
        (tmp_path / f"CRND0103-{year}-CO_Boulder_14_W.txt").write_text(text + "\r\n")
    (tmp_path / "broken.txt").write_text("a b c\n")
    (s,), problems = read_uscrn(tmp_path)
    assert s.daily
    assert s.times.astype("M8[D]").astype(str).tolist() == ["2018-02-28", "2019-02-28"]
    np.testing.assert_allclose(s.temperature, [271.15, 274.15], atol=1e-4)
    assert [p.fatal for p in problems] == [True]
    assert "3 fields" in problems[0].reason
    series, problems = read_uscrn(tmp_path, depth=(0.0, 0.2))  # 10 and 20 cm hold no value
    assert len(series) == 1
    assert sum("holds no value" in p.reason for p in problems) == 2


def test_nothing_there(tmp_path):
    with pytest.raises(InputError, match="E-INPUT-TEXT"):
        read_uscrn(tmp_path)
    with pytest.raises(InputError, match="E-INPUT-MISSING"):
        read_uscrn(tmp_path / "none.txt")


@pytest.mark.real
def test_real_parquet_of_2020(real_data):
    series, problems = read_uscrn(real_data("uscrn_daily_2020/crn_2020.parquet"))
    long = [s for s in series if len(s.times) >= 300]
    assert len(long) == 103  # PROVENANCE.md
    by_site = {s.site: s for s in series}
    for site, days, coldest in (("26563", 178, -3.1), ("94084", 153, -8.0), ("04126", 144, -7.9), ("94645", 82, -0.9)):
        celsius = by_site[site].temperature - 273.15
        assert int((np.round(celsius, 1) < 0).sum()) == days
        assert celsius.min() == pytest.approx(coldest, abs=0.01)
    assert sum(p.fatal for p in problems) + len(series) == 155
    assert all(s.daily for s in series)


@pytest.mark.real
def test_real_text_of_many_years(real_data):
    series, problems = read_uscrn(real_data("uscrn_multiyear"))
    assert problems == []
    got = {s.site: (len(s.times), round(float(s.temperature.min()) - 273.15, 1), s.lon, s.lat) for s in series}
    assert got == {"53974": (2967, -0.9, -96.61, 39.1), "63898": (2940, -1.6, -86.57, 38.89)}


def full(
    date: str, *, wban: str, air=(5.0, -1.0, 2.0), skin=(9.0, -3.0, 1.0), soil="0.5", where=("-105.54", "40.04")
) -> str:
    """One line of daily01 with air and skin as (maximum, minimum, mean)."""
    fields = [wban, date, "2.622", *where, str(air[0]), str(air[1]), "-9999.0", str(air[2]), "0.0", "1.0", "C"]
    fields += [str(v) for v in skin] + ["-9999.0"] * 3 + ["-99.000"] * 5 + [soil] + ["-9999.0"] * 4
    assert len(fields) == 28
    return " ".join(fields)


def test_days_of_soil_air_and_skin(tmp_path):
    path = tmp_path / "CRND0103-2020-CO_Boulder_14_W.txt"
    lines = [
        full("20200101", wban="94075"),
        full("20200103", wban="94075", air=(-9999.0, -2.0, -9999.0), soil="-9999.0"),
        full("20200103", wban="94075", soil="9.0"),
        full("20200102", wban="11111", skin=(95.0, -4.0, 3.0), soil="-0.2", where=("-100.0", "35.0")),
    ]
    path.write_text("\n".join(lines) + "\n")
    ds, problems = READERS["uscrn_days"](path)
    assert ds["site"].values.tolist() == ["11111", "94075"] and ds["lon"].values.tolist() == [-100.0, -105.54]
    assert ds.sizes["time"] == 3  # every date from the first to the last
    np.testing.assert_allclose(ds["soil_mean"].values[:, 1] - 273.15, [0.5, np.nan, np.nan], atol=1e-3)
    np.testing.assert_allclose(ds["air_minimum"].values[:, 1] - 273.15, [-1.0, np.nan, -2.0], atol=1e-3)
    np.testing.assert_allclose(ds["air_maximum"].values[:, 1] - 273.15, [5.0, np.nan, np.nan], atol=1e-3)
    np.testing.assert_allclose(ds["skin_mean"].values[:, 0] - 273.15, [np.nan, 3.0, np.nan], atol=1e-3)
    assert np.isnan(ds["skin_maximum"].values[1, 0])  # 95 degC
    told = " ".join(str(p) for p in problems)
    assert "station 11111: 1 values of skin_maximum outside" in told and "station 94075: 1 repeated dates" in told


def test_hourly_files_know_no_extremes(tmp_path):
    path = tmp_path / "CRNH0203-2019-CO_Boulder_14_W.txt"
    path.write_text(hourly("20190101", "0100", "-1.5") + "\n")
    with pytest.raises(InputError, match=r"no daily USCRN file"):
        READERS["uscrn_days"](path)


@pytest.mark.real
def test_the_days_of_2020(real_data):
    ds, problems = READERS["uscrn_days"](real_data("uscrn_daily_2020"))
    soil = ds["soil_mean"]
    assert (ds.sizes["time"], ds.sizes["site"]) == (366, 155)
    # PROVENANCE of the file: 103 stations with 300 days of soil or more, 45 that ever freeze; Kenai 178 frozen days
    assert int((soil.notnull().sum("time") >= 300).sum()) == 103
    frozen = (soil < 273.15).sum("time")
    assert int((frozen > 0).sum()) == 45 and int(frozen.sel(site="26563")) == 178
    assert all("left out" in p.reason for p in problems) and not any(p.fatal for p in problems)
