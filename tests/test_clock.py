import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from frostline import clock


@pytest.mark.parametrize(
    ("date", "hour", "lon", "utc"),
    [
        ("2017-03-10", 6.0, 90.0, "2017-03-10T00:00"),  # 90 E is 6 h ahead
        ("2017-03-10", 6.0, 120.0, "2017-03-09T22:00"),
        ("2017-03-10", 6.0, 179.0, "2017-03-09T18:04"),  # 179/15 h = 11 h 56 min
        ("2017-03-10", 6.0, -179.0, "2017-03-10T17:56"),
        ("2017-01-01", 6.0, 120.0, "2016-12-31T22:00"),  # the year's end
        ("2016-12-31", 18.0, -120.0, "2017-01-01T02:00"),
        ("2016-02-29", 18.0, 0.0, "2016-02-29T18:00"),
        ("2017-03-10", 18.0, 359.0, "2017-03-10T18:04"),  # 359 E is 1 W
    ],
)
def test_local_solar_time_by_hand(date, hour, lon, utc):
    got = clock.solar_to_utc(date, hour, lon)
    assert got == np.datetime64(utc)
    back, h = clock.utc_to_solar(got, lon)
    assert str(back) == date
    assert float(h) == pytest.approx(hour, abs=1e-9)


@given(st.floats(-180, 179.999), st.floats(0, 23.999), st.integers(-20000, 30000))
def test_utc_and_solar_invert(lon, hour, day):
    date = np.datetime64("1970-01-01") + day
    back, h = clock.utc_to_solar(clock.solar_to_utc(date, hour, lon), lon)
    apart = (back - date).astype(int) * 24 + float(h) - hour
    assert abs(apart) < 1e-6


def test_years_and_seasons():
    dates = np.array(["2015-12-31", "2016-02-29", "2016-07-31", "2016-08-01", "2016-10-15"], "datetime64[D]")
    assert clock.season(dates).tolist() == ["DJF", "DJF", "JJA", "JJA", "SON"]
    assert clock.season_china(dates).tolist() == ["frozen", "transition", "thawed", "thawed", "transition"]
    assert clock.frost_year(dates).tolist() == [2015, 2015, 2015, 2016, 2016]
    assert clock.day_of_year(dates).tolist() == [365, 60, 213, 214, 289]
    assert clock.month(dates).tolist() == [12, 2, 7, 8, 10]


def test_seasons_follow_the_papers_month_by_month():
    dates = np.arange("2018-01", "2019-01", dtype="datetime64[M]")
    expected = ["frozen"] + ["transition"] * 3 + ["thawed"] * 5 + ["transition"] * 2 + ["frozen"]
    assert clock.season_china(dates).tolist() == expected  # Cui 2024 section 3
    assert clock.season(dates).tolist() == ["DJF"] * 2 + ["MAM"] * 3 + ["JJA"] * 3 + ["SON"] * 3 + ["DJF"]


def test_a_leap_year_has_366_days_and_each_day_its_date():
    found = clock.days("2016-01-01", "2016-12-31")
    assert len(found) == 366 and len(clock.days("2015-01-01", "2015-12-31")) == 365 == len(
        clock.days("1900", "1900-12-31")
    )
    assert (np.diff(found) == np.timedelta64(1, "D")).all() and found[59] == np.datetime64("2016-02-29")
