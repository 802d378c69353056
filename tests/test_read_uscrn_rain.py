"""Precipitation of USCRN's daily files: text, CSV, and the real Parquet."""

import numpy as np
import pytest

from frostline.errors import InputError
from frostline.read.uscrn_rain import read_uscrn_rain


def line(wban, date, rain):
    fields = [wban, date, "2.4", "-96.6", "39.1", *["1.0"] * 4, str(rain), *["-99.000"] * 18]
    assert len(fields) == 28
    return " ".join(fields)


def test_text_by_date_and_station(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text(
        "\n".join([line("03047", "20200228", 2.5), line("53974", "20200301", -9999.0), line("03047", "20200301", 0.0)])
    )
    rain = read_uscrn_rain(path)
    assert rain["site"].values.tolist() == ["03047", "53974"] and len(rain["time"]) == 3  # 29 February too
    np.testing.assert_allclose(rain.values, [[2.5, np.nan], [np.nan, np.nan], [0.0, np.nan]])


def test_csv_with_a_header(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("WBANNO,LST_DATE,P_DAILY_CALC\n53974,20171003,2.8\n53974,20171004,-9999\n")
    rain = read_uscrn_rain(path)
    np.testing.assert_allclose(rain.values[:, 0], [2.8, np.nan], rtol=1e-6)
    assert str(rain["time"].values[0])[:10] == "2017-10-03"


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([line("1", "20200101", -5.0)], "E-INPUT-UNITS.*1 amounts"),
        ([line("1", "20200101", 5000.0)], "E-INPUT-UNITS"),
        ([line("1", "20200101", 1.0)] * 2, "E-INPUT-TIME.*two rows"),
        ([line("1", "20200101", 1.0) + " 7"], "E-INPUT-SCHEMA.*28 fields"),
        ([line("1", "20201301", 1.0)], "E-INPUT-CORRUPT"),
    ],
)
def test_what_is_no_such_file_is_one_line(tmp_path, rows, told):
    path = tmp_path / "a.txt"
    path.write_text("\n".join(rows))
    with pytest.raises(InputError, match=told) as error:
        read_uscrn_rain(path)
    assert "\n" not in str(error.value)


@pytest.mark.real
def test_the_real_year(real_data):
    rain = read_uscrn_rain(real_data("uscrn_daily_2020/crn_2020.parquet"))
    # PROVENANCE of the file: 155 stations, 366 days
    assert rain.shape == (366, 155)
    assert float(rain.min()) == 0.0 and 200.0 < float(rain.sum("time").median()) < 1200.0
