"""When: UTC and local solar time, overpasses, seasons and frost years."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray
AM, PM, DAILY = 0, 1, 2
OVERPASS_NAMES = {AM: "am", PM: "pm", DAILY: "daily"}
NOMINAL_HOUR = {AM: 6.0, PM: 18.0}  # SMAP's local overpass, the hour both papers map
SEASONS = ("DJF", "MAM", "JJA", "SON")
SEASON_OF_MONTH = np.array(["DJF", "DJF", *["MAM"] * 3, *["JJA"] * 3, *["SON"] * 3, "DJF"])
# Cui 2024, section 3: frozen Dec-Jan, transition Feb-Apr and Oct-Nov, thawed May-Sep
SEASON_CHINA = np.array(["frozen", *["transition"] * 3, *["thawed"] * 5, *["transition"] * 2, "frozen"])
FROST_YEAR_MONTH = 8  # algorithms.md 5: 1 August to 31 July in the north
_HOUR = 3_600_000_000_000  # ns


def days(start: Any, end: Any) -> Array:
    """Midnights from `start` to `end`, both included, datetime64[ns].

    >>> days("2016-02-28", "2016-03-01").astype("datetime64[D]").astype(str).tolist()
    ['2016-02-28', '2016-02-29', '2016-03-01']
    """
    first, last = np.datetime64(start, "D"), np.datetime64(end, "D")
    return np.arange(first, last + 1).astype("datetime64[ns]")


def solar_to_utc(date: Any, hour: Any, lon: Any) -> Array:
    """UTC instant at which it is `hour` local solar time on the local `date` at longitude `lon`.

    UTC = local solar time - lon/15 h, lon in -180..180, so the day turns at the date line.

    >>> str(solar_to_utc("2017-01-01", 6.0, 120.0))[:16]
    '2016-12-31T22:00'
    """
    lon = np.mod(np.asarray(lon, float) + 180.0, 360.0) - 180.0
    shift = np.round((np.asarray(hour, float) - lon / 15.0) * _HOUR).astype("int64")
    return np.asarray(date, "datetime64[D]").astype("datetime64[ns]") + shift.astype("timedelta64[ns]")


def utc_to_solar(utc: Any, lon: Any) -> tuple[Array, Array]:
    """Local date (datetime64[D]) and local solar hour (0..24) of a UTC instant at longitude `lon`.

    >>> d, h = utc_to_solar("2016-12-31T22:00", 120.0)
    >>> str(d), float(h)
    ('2017-01-01', 6.0)
    """
    lon = np.mod(np.asarray(lon, float) + 180.0, 360.0) - 180.0
    local = np.asarray(utc, "datetime64[ns]") + np.round(lon / 15.0 * _HOUR).astype("int64").astype("timedelta64[ns]")
    date = local.astype("datetime64[D]")
    return date, (local - date.astype("datetime64[ns]")) / np.timedelta64(1, "h")


def utc_day_offset(hour: float, lon: Any) -> Array:
    """Days from a local date to the UTC date on which it is `hour` local solar time: -1, 0 or 1.

    Files of UTC days hold half of the world's overpasses of another local date.

    >>> utc_day_offset(1.5, [140.0, 0.0]).tolist(), utc_day_offset(13.5, [-170.0, 10.0]).tolist()
    ([-1, 0], [1, 0])
    """
    lon = np.mod(np.asarray(lon, float) + 180.0, 360.0) - 180.0
    return np.floor((hour - lon / 15.0) / 24.0).astype(int)


def month(dates: Any) -> Array:
    """Calendar month 1..12."""
    return np.asarray(dates, "datetime64[M]").astype(int) % 12 + 1


def year(dates: Any) -> Array:
    """Calendar year."""
    return np.asarray(dates, "datetime64[Y]").astype(int) + 1970


def day_of_year(dates: Any) -> Array:
    """Day of the year, 1..366.

    >>> day_of_year(["2016-12-31", "2017-03-01"]).tolist()
    [366, 60]
    """
    d = np.asarray(dates, "datetime64[D]")
    return (d - d.astype("datetime64[Y]").astype("datetime64[D]")).astype(int) + 1


def season(dates: Any) -> Array:
    """DJF, MAM, JJA or SON (Donahue 2023, table 3)."""
    return SEASON_OF_MONTH[month(dates) - 1]


def season_china(dates: Any) -> Array:
    """frozen (Dec-Jan), transition (Feb-Apr, Oct-Nov) or thawed (May-Sep) (Cui 2024, section 3)."""
    return SEASON_CHINA[month(dates) - 1]


def frost_year(dates: Any) -> Array:
    """The year in which the 1 August to 31 July that holds each date begins.

    >>> frost_year(["2016-07-31", "2016-08-01"]).tolist()
    [2015, 2016]
    """
    return year(dates) - (month(dates) < FROST_YEAR_MONTH)
