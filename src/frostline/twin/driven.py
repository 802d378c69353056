"""The twin's snow and soil under the weather of real places: daily extremes of the air and precipitation, in order.

Nothing of the ground is fitted: where a place tells nothing of its soil, it has the middle of the twin's own recipe
(`ground.make_ground` with all random fields at their means). What the air itself tells - its annual wave, the clear
day's range, how dry the climate is - is taken from it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
import xarray as xr

from frostline.clock import AM, PM
from frostline.twin import column, snow, soil, weather
from frostline.twin.column import HOURS, KELVIN, Cells
from frostline.twin.microwave import Surface
from frostline.twin.soil import Soil
from frostline.twin.weather import Climate, Weather

Array = np.ndarray
CLAY = 0.22  # the middle of the twin's recipe
ROUGHNESS = 0.25
NOISE = math.sqrt(2.0 / math.pi)  # mean of |z|, z normal
CLEAR = 0.95  # share of days with a smaller range than that of a clear sky (ours)
OVERPASS_HOURS = {AM: 6, PM: 18}
CLEAREST, CLOUDIEST = 1.05, 0.30  # `weather.air_temperature`: the daily range's factor under cloud 0 and 1
LAPSE = sum((h / 24.0) for h in HOURS) / len(HOURS)  # where in the day the mean of the steps' ends lies


def generated_rain() -> float:
    """Mean precipitation (mm/day) of `weather.daily_weather`, before aridity: 6.5 max(x - .75, 0)^1.2.

    x is normal with variance 1 + .35^2, the sum of its two fields; the integral is taken numerically.

    >>> round(generated_rain(), 3)
    0.952
    """
    spread = math.sqrt(1.0 + 0.35**2)
    x = np.linspace(0.75, 10.0, 20_001)
    density = np.exp(-0.5 * (x / spread) ** 2) / (spread * math.sqrt(2.0 * math.pi))
    return float(np.trapezoid(6.5 * (x - 0.75) ** 1.2 * density, x))


def aridity(rain: Array) -> Array:
    """The aridity (0 humid, 1 desert) at which the twin's generator gives the mean precipitation `rain` (mm/day).

    `column.march` takes 1.25 - 1.05 aridity of what is generated; places wetter than that are 0, drier ones 1.
    """
    return np.clip((1.25 - np.asarray(rain, float) / generated_rain()) / 1.05, 0.0, 1.0)


def recipe_aridity(latitude: Array) -> Array:
    """The middle aridity of the twin's recipe at a latitude, for places whose precipitation is not known."""
    return np.clip(0.40 - 0.02 * (np.asarray(latitude, float) - 57.0), 0.0, 1.0)


def middle_cells(latitude: Array, *, climate: Climate, arid: Array, forest: float = 0.0) -> Cells:
    """Ground of the middle of the twin's recipe at N places: latitude (degrees) and aridity (N,)."""
    latitude, arid = np.asarray(latitude, float), np.asarray(arid, float)
    organic = np.clip(0.25 * (1.0 - arid) * (latitude - 50.0) / 14.0, 0.0, 0.6)
    n = len(latitude)

    def each(value: Array | float) -> Array:
        return np.broadcast_to(np.asarray(value, np.float32), n).astype(np.float32)

    return Cells(
        climate=climate,
        soil=Soil(
            thickness=np.diff(soil.EDGES).astype(np.float32),
            porosity=each(np.clip(0.45 + 0.25 * organic, 0.4, 0.75)),
            organic=each(organic),
            freezing_point=each(-0.15 - 0.10 * NOISE - 0.3 * (CLAY - 0.2)),
            curve_slope=each(2.2 - 2.0 * (CLAY - 0.2)),
            residual_water=each(0.02 + 0.15 * CLAY),
        ),
        surface=Surface(clay=each(CLAY), roughness=each(ROUGHNESS), forest=each(forest), water_fraction=each(0.0)),
        arid=each(arid),
        low_vegetation=each(np.clip(1.5 * (1.0 - arid) * (1.0 - 0.4 * forest), 0.02, 2.0)),
        organic=each(organic),
    )


def climate_of(dates: Array, air_min: Array, air_max: Array, *, latitude: Array, forest: float = 0.0) -> Climate:
    """The air's annual wave and clear-sky range, from its own daily extremes (time, N), degC.

    Mean and amplitude: least squares of the daily middle on the twin's wave. Range: what makes the `CLEAR` quantile of
    the daily ranges, each over the season's factor, that of a cloudless day.
    """
    wave = np.array([weather.season(d) for d in dates])
    fitted = np.linalg.lstsq(np.stack([np.ones_like(wave), wave], 1), 0.5 * (air_min + air_max), rcond=None)[0]
    ranges = (air_max - air_min) / _seasonal(wave)[:, None]
    clear = np.maximum(np.quantile(ranges, CLEAR, axis=0) / CLEAREST, 1.0)
    latitude = np.asarray(latitude, float)
    return Climate(
        mean=fitted[0].astype(np.float32),
        amplitude=fitted[1].astype(np.float32),
        daily_range=clear.astype(np.float32),
        latitude=latitude.astype(np.float32),
        forest=np.full(len(latitude), forest, np.float32),
    )


def given_weather(cells: Cells, dates: Array, air_min: Array, air_max: Array, rain: Array) -> Iterator[Weather]:
    """The days as the twin's weather: air (time, N) in degC, rain (time, N) in mm/day at the ground.

    The mean of a day's eight steps is the middle of its extremes, and runs on towards its neighbors'; the range is
    met by the cloud that makes it, which holds it between 2/7 and 1 of the clear-sky range.
    """
    climate = cells.climate
    middle = 0.5 * (air_min + air_max)
    slope = 0.5 * np.gradient(middle, axis=0) if len(dates) > 1 else np.zeros_like(middle)
    taken = 1.25 - 1.05 * cells.arid  # by `column.march`
    for i, date in enumerate(dates):
        wave = weather.season(date)
        anomaly = middle[i] - climate.mean - climate.amplitude * wave
        share = (air_max[i] - air_min[i]) / (climate.daily_range * _seasonal(wave))
        cloud = np.clip((CLEAREST - share) / (CLEAREST - CLOUDIEST), 0.0, 1.0)
        yield Weather(
            date=date,
            anomaly=(anomaly - 2.0 * LAPSE * slope[i]).astype(np.float32),
            anomaly_next=(anomaly + 2.0 * (1.0 - LAPSE) * slope[i]).astype(np.float32),
            cloud=cloud.astype(np.float32),
            precipitation=(rain[i] / taken).astype(np.float32),
        )


def drive(
    cells: Cells,
    dates: Array,
    *,
    air_min: Array,
    air_max: Array,
    rain: Array,
    snow_depth: Array | None = None,
    depths: Sequence[float] = (0.05,),
) -> xr.Dataset:
    """March N places from dates[0], a summer's day without snow: what their soil and snow do, a day at a time.

    dates (time) follow each other, datetime64[D]; air_min, air_max (degC), rain (mm/day): (time, N), none NaN. With
    `snow_depth` (m, measured) no snow falls of itself: on days colder than 0 degC as much is given as lifts the pack
    to that depth, and what melts or settles is still the twin's. Result: `soil_temperature` (time, depth, site), K,
    mean of the day's eight steps; `frozen` (time, overpass, site), the twin's truth at 06 and 18 h; `snow_depth` (m),
    `swe` (mm) and `air_temperature` (K, mean of the steps) on (time, site), snow at 18 h.
    """
    dates = np.asarray(dates, "datetime64[D]")
    shape = (len(dates), len(cells.arid))
    given = {"air_min": air_min, "air_max": air_max, "rain": rain}
    for name, values in given.items() if snow_depth is None else (*given.items(), ("snow_depth", snow_depth)):
        if np.shape(values) != shape or not np.isfinite(values).all():
            raise ValueError(f"{name} must be known on all {shape[0]} days at all {shape[1]} places")
    if len(dates) > 1 and (np.diff(dates) != np.timedelta64(1, "D")).any():
        raise ValueError("dates must follow each other")
    out = {
        "soil_temperature": np.empty((shape[0], len(depths), shape[1]), np.float32),
        "frozen": np.empty((shape[0], 2, shape[1]), np.float32),
        "snow_depth": np.empty(shape, np.float32),
        "swe": np.empty(shape, np.float32),
        "air_temperature": np.empty(shape, np.float32),
    }
    lying = np.zeros(shape[1], np.float32)

    def days() -> Iterator[Weather]:
        for i, today in enumerate(given_weather(cells, dates, air_min, air_max, rain)):
            if snow_depth is not None:
                cold = air_min[i] + air_max[i] < 0.0
                lack = np.maximum(snow_depth[i] - lying, 0.0) * 1000.0 * snow.FRESH_DENSITY
                falls = np.where(cold, lack / (1.25 - 1.05 * cells.arid), today.precipitation)
                today = Weather(today.date, today.anomaly, today.anomaly_next, today.cloud, falls.astype(np.float32))
            yield today

    for i, day in enumerate(column.march(cells, days())):
        for k, depth in enumerate(depths):
            mean = sum(soil.temperature_at(s.column, depth) for s in day.states) / len(HOURS)
            out["soil_temperature"][i, k] = mean + KELVIN
        for k, hour in enumerate(OVERPASS_HOURS.values()):
            out["frozen"][i, k] = soil.ice_share(day.at(hour).column) > 0.5
        evening = day.at(OVERPASS_HOURS[PM]).pack
        out["snow_depth"][i], out["swe"][i] = evening.depth, evening.swe
        out["air_temperature"][i] = sum(s.air for s in day.states) / len(HOURS) + KELVIN
        lying[:] = day.states[-1].pack.depth
    dims = {"soil_temperature": ("time", "depth", "site"), "frozen": ("time", "overpass", "site")}
    units = {"frozen": "1", "snow_depth": "m", "swe": "mm"}
    return xr.Dataset(
        {n: (dims.get(n, ("time", "site")), v, {"units": units.get(n, "K")}) for n, v in out.items()},
        coords={
            "time": dates.astype("datetime64[ns]"),
            "depth": ("depth", np.asarray(depths, float), {"units": "m"}),
            "overpass": np.array(list(OVERPASS_HOURS), np.int8),
        },
    )


def _seasonal(wave: Array | float) -> Array:
    """The season's factor of the daily range in `weather.air_temperature`."""
    return 0.55 + 0.25 * (1.0 + np.asarray(wave, float))
