"""What every station reader gives: soil temperature series of one sensor each, and what went wrong on the way."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from frostline.read.gate import STATION_CELSIUS

Array = np.ndarray
ZERO_CELSIUS = 273.15
NO_VALUE = "holds no value"  # a sensor out of order: no fault of the file


@dataclass(frozen=True, eq=False)
class Series:
    """Soil temperature of one sensor.

    `times` (n,) datetime64[ns] rising, UTC instants; where `daily`, midnights of LOCAL dates and values are daily
    means. `temperature` (n,) float32 K, finite. `depth` in m, the middle of what the sensor spans. `elevation` m,
    NaN unknown. `site` and `network` are safe as file names; `site` is unique within its network.
    """

    site: str
    network: str
    lon: float
    lat: float
    elevation: float
    depth: float
    times: Array
    temperature: Array
    sensor: str = ""
    daily: bool = False


@dataclass(frozen=True)
class Problem:
    """What was left out of a file and why; `fatal` when nothing of the file could be used."""

    path: str
    reason: str
    fatal: bool = False

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


Problems = list[Problem]


def sanitise(name: str) -> str:
    """A name that is safe as a file name and in HTML: letters, digits, dot, underscore, hyphen.

    >>> sanitise("../Fort Ross #2"), sanitise("")
    ('Fort-Ross-2', 'unnamed')
    """
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip(".-")[:80] or "unnamed"


def clean(series: Series, celsius: Array, path: str | Path) -> tuple[Series | None, Problems]:
    """The series with `celsius` (n,) as K: finite, within -80..70 degC, times rising, one value an instant.

    Of equal instants the first stays. A median outside -80..70 means another unit: the series is refused. What is
    dropped is told in Problems.
    """
    where, problems = str(path), Problems()
    celsius = np.asarray(celsius, float)
    known = np.isfinite(celsius) & ~np.isnat(series.times)
    if not known.any():
        return None, [Problem(where, NO_VALUE, fatal=True)]
    median, (low, high) = float(np.median(celsius[known])), STATION_CELSIUS
    if not low <= median <= high:
        why = f"E-INPUT-UNITS median {median:g} is no soil temperature in degrees Celsius"
        return None, [Problem(where, why, fatal=True)]
    with np.errstate(invalid="ignore"):
        extreme = known & ((celsius < low) | (celsius > high))
    if extreme.any():
        problems.append(Problem(where, f"{int(extreme.sum())} values outside {low:g}..{high:g} degC left out"))
    keep = np.flatnonzero(known & ~extreme)
    times = series.times[keep].astype("datetime64[ns]")
    order = np.argsort(times, kind="stable")
    first = np.ones(order.size, bool)
    first[1:] = np.diff(times[order]) > np.timedelta64(0)
    if not first.all():
        problems.append(Problem(where, f"{int((~first).sum())} repeated times, the first value of each stays"))
    keep = keep[order[first]]
    kelvin = (celsius[keep] + ZERO_CELSIUS).astype(np.float32)
    return replace(series, times=series.times[keep].astype("datetime64[ns]"), temperature=kelvin), problems
