"""A daily weather generator of bounded memory, and what it makes of the air at an hour of the local day."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from frostline.twin.fields import gaussian_field

_STREAM, _YEARS = 21, 22  # streams of random numbers: days, years
_ORDINAL_0 = 719_163  # days from year 1 to 1970: keeps the key of a date positive
EPOCH = np.datetime64("2000-01-01")  # where a warming trend is zero


@dataclass(frozen=True)
class Climate:
    """What of the climate does not change from day to day; arrays (N,) float32."""

    mean: np.ndarray  # annual mean air temperature, degC
    amplitude: np.ndarray  # of the seasonal wave, K
    daily_range: np.ndarray  # clear-sky difference of afternoon and dawn, K
    latitude: np.ndarray
    forest: np.ndarray


@dataclass(frozen=True)
class Weather:
    """One local day; arrays (N,) float32. The anomaly runs linearly from `anomaly` (0 h) to `anomaly_next` (24 h)."""

    date: np.datetime64
    anomaly: np.ndarray  # K
    anomaly_next: np.ndarray
    cloud: np.ndarray  # 0..1
    precipitation: np.ndarray  # mm/day before aridity


def make_climate(latitude: np.ndarray, elevation: np.ndarray, forest: np.ndarray, arid: np.ndarray) -> Climate:
    """Annual mean, seasonal amplitude and daily range of each cell, (N,) each.

    The lapse rate (5.5 K/km) and the daily range are those of algorithms 4.1. There latitudes were squeezed; here
    they are true, so the wave is set anew: at 57 N 2.5 degC at sea level, falling by .6 K per degree, and an amplitude
    of 13 K growing by .3 K per degree. That freezes 39-53 % of the cell-days on land at 53-61 N (64 x 64 cells, two
    years, seeds 1-7), with transitions in April and from October to November.
    """
    north = latitude - 57.0
    return Climate(
        mean=(2.5 - 0.60 * north - 0.0055 * elevation).astype(np.float32),
        amplitude=np.clip(13.0 + 0.30 * north, 5.0, 25.0).astype(np.float32),
        daily_range=(13.0 + 5.0 * arid - 4.0 * forest).astype(np.float32),
        latitude=latitude.astype(np.float32),
        forest=forest.astype(np.float32),
    )


def keyed(seed: int, stream: int, number: int) -> np.random.Generator:
    """A generator that depends on the seed, a stream and a date or year, and on nothing drawn before."""
    return np.random.default_rng([seed, stream, number])


def date_key(date: np.datetime64) -> int:
    """A positive whole number for a date."""
    return int(date.astype("datetime64[D]").astype(np.int64)) + _ORDINAL_0


def season(date: np.datetime64) -> float:
    """The seasonal wave, 1 on 19 July (day of year 200), -1 half a year from it.

    >>> round(season(np.datetime64("2017-07-19")), 3), round(season(np.datetime64("2017-01-18")), 3)
    (1.0, -1.0)
    """
    day = int((date - date.astype("datetime64[Y]").astype("datetime64[D]")).astype(int)) + 1
    return math.cos(2.0 * math.pi * (day - 200) / 365.25)


def red_noise(
    shape: tuple[int, int], *, length: float, memory: float, seed: int, stream: int, first: np.datetime64
) -> Iterator[np.ndarray]:
    """Unit-variance fields (rows, columns), one a day from `first`: AR(1) in time, Gaussian (length, cells) in space.

    A day's innovation depends on its date alone, so two series of other beginnings agree once memory has faded.
    """
    innovation = math.sqrt(1.0 - memory**2)
    state: np.ndarray | None = None
    for day in itertools.count():
        fresh = gaussian_field(keyed(seed, stream, date_key(first + day)), shape, length)[0]
        state = fresh if state is None else memory * state + innovation * fresh
        yield state


def yearly_anomaly(seed: int, date: np.datetime64, *, sd: float = 1.0) -> float:
    """A warm or cold year (K): normal numbers at each 1 July, a straight line between them."""
    year = int(date.astype("datetime64[Y]").astype(int)) + 1970
    if date < np.datetime64(f"{year}-07-01"):
        year -= 1
    before = np.datetime64(f"{year}-07-01")
    share = float((date - before) / np.timedelta64(1, "D")) / 365.25
    a, b = (sd * float(keyed(seed, _YEARS, y).standard_normal()) for y in (year, year + 1))
    return a + (b - a) * min(share, 1.0)


def daily_weather(
    shape: tuple[int, int], *, cell_km: float, seed: int, first: np.datetime64, trend: float = 0.0
) -> Iterator[Weather]:
    """Endless weather from the local day `first` on, for the shape[0]*shape[1] cells in row order.

    Temperature: 4.2 K x a 900 km field with a memory of .80 a day, 1.8 K x a 250 km field (.55), a yearly anomaly
    and `trend` (K per year, zero on 1 January 2000). Cloud and precipitation share a 350 km field (.60), the latter
    with 90 km showers (algorithms 4.1). Memory: one day.
    """
    first = first.astype("datetime64[D]")

    def noise(km: float, memory: float, stream: int) -> Iterator[np.ndarray]:
        return red_noise(shape, length=km / cell_km, memory=memory, seed=seed, stream=stream, first=first)

    broad, local = noise(900.0, 0.80, _STREAM + 10), noise(250.0, 0.55, _STREAM + 11)
    wet, showers = noise(350.0, 0.60, _STREAM + 12), noise(90.0, 0.0, _STREAM + 13)

    def anomaly(date: np.datetime64) -> np.ndarray:
        warming = trend * float((date - EPOCH) / np.timedelta64(1, "D")) / 365.25
        shift = yearly_anomaly(seed, date) + warming
        return (4.2 * next(broad) + 1.8 * next(local) + shift).ravel().astype(np.float32)

    today = anomaly(first)
    for day in itertools.count():
        tomorrow = anomaly(first + day + 1)
        c = next(wet)
        rain = c + 0.35 * next(showers)
        yield Weather(
            date=first + day,
            anomaly=today,
            anomaly_next=tomorrow,
            cloud=(1.0 / (1.0 + np.exp(-1.3 * c))).ravel(),
            precipitation=(6.5 * np.maximum(rain - 0.75, 0.0) ** 1.2).ravel(),
        )
        today = tomorrow


def detrended(
    make: Callable[[], Iterator[Weather]], *, first: np.datetime64, last: np.datetime64, warming: float = 0.0
) -> Iterator[Weather]:
    """The weather of `make` from `first`, its first day, to `last`, without a trend of its own, then warmed evenly.

    From each cell's anomaly goes the change of its seasonal cycle: a least-squares fit, over the last whole years, of
    year and half-year waves and of the same waves growing linearly, of which the growing part is taken away. So no
    season warms much of itself. Less than two years are left as they are. `warming`: K per year, zero on 1 January
    2000. `make` is called twice, for the fit and for the weather. Memory: one day and ten fields.
    """
    whole = (int((last - first).astype(int)) + 1) // 365.25  # an odd part of a year would pass for a trend
    begin = last - round(365.25 * whole) + 1

    def waves(date: np.datetime64) -> tuple[np.ndarray, np.ndarray]:
        """The cycle's five waves, and the same times the place in the span: -1 to 1, -1 before it."""
        phase = 2.0 * math.pi * float((date - EPOCH) / np.timedelta64(1, "D")) / 365.25
        cycle = np.array([1.0, *(f(k * phase) for k in (1, 2) for f in (math.cos, math.sin))])
        years = float((date - begin) / np.timedelta64(1, "D")) / 365.25
        return cycle, cycle * (2.0 * max(years, 0.0) / whole - 1.0)

    change: np.ndarray | None = None
    if whole >= 2.0:
        normal, right = np.zeros((10, 10)), np.zeros((10, 1))
        for day in itertools.takewhile(lambda d: d.date <= last, make()):
            if day.date >= begin:
                row = np.concatenate(waves(day.date))
                normal += np.outer(row, row)
                right = right + np.outer(row, day.anomaly)
        change = np.linalg.solve(normal, right)[5:]

    def shift(date: np.datetime64) -> np.ndarray:
        years = float((date - EPOCH) / np.timedelta64(1, "D")) / 365.25
        growing = 0.0 if change is None else waves(date)[1] @ change
        return np.asarray(warming * years - growing, np.float32)

    today = shift(first)
    for day in itertools.takewhile(lambda d: d.date <= last, make()):
        tomorrow = shift(day.date + 1)
        yield replace(day, anomaly=day.anomaly + today, anomaly_next=day.anomaly_next + tomorrow)
        today = tomorrow


def diurnal(hour: float) -> float:
    """The daily wave: 1 at 14:30 local solar time, -1 at 02:30."""
    return math.cos(2.0 * math.pi * (hour - 14.5) / 24.0)


def air_temperature(climate: Climate, weather: Weather, hour: float) -> np.ndarray:
    """Air temperature (degC, (N,)) at `hour` 0..24 of the local solar day: mean + season + anomaly + daily wave.

    Clouds narrow the daily range, winter too.
    """
    wave = season(weather.date)
    spread = climate.daily_range * (1.05 - 0.75 * weather.cloud) * (0.55 + 0.25 * (1.0 + wave))
    part = hour / 24.0
    anomaly = weather.anomaly * (1.0 - part) + weather.anomaly_next * part
    return climate.mean + climate.amplitude * wave + anomaly + 0.5 * spread * diurnal(hour)


def radiative_offset(climate: Climate, weather: Weather, hour: float, snow: np.ndarray) -> np.ndarray:
    """By how much (K, (N,)) the surface aims above the air: sun by day, -3 K by night, less under cloud and trees.

    snow: bool (N,), where bright snow leaves a quarter of it.
    """
    sun = np.clip(0.5 + 0.5 * season(weather.date) + 0.01 * (50.0 - climate.latitude), 0.05, 1.1)
    height = max(math.cos(2.0 * math.pi * (hour - 12.7) / 24.0), 0.0)
    open_sky = (1.0 - 0.8 * climate.forest) * (1.0 - 0.7 * weather.cloud)
    return np.where(snow, np.float32(0.25), np.float32(1.0)) * open_sky * (14.0 * height * sun - 3.0)
