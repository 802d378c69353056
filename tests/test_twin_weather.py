import itertools

import numpy as np
import pytest

from frostline.twin import weather
from frostline.twin.weather import Climate, Weather

FIRST = np.datetime64("2016-06-28")


def climate(**changed):
    values = {"mean": 2.0, "amplitude": 13.0, "daily_range": 12.0, "latitude": 50.0, "forest": 0.0} | changed
    return Climate(**{k: np.full(2, v, np.float32) for k, v in values.items()})


def day(date="2017-07-19", **changed):
    values = {"anomaly": 0.0, "anomaly_next": 0.0, "cloud": 0.0, "precipitation": 0.0} | changed
    return Weather(np.datetime64(date), **{k: np.full(2, v, np.float32) for k, v in values.items()})


def take(n, *, first=FIRST, seed=1, shape=(8, 9), trend=0.0):
    return list(itertools.islice(weather.daily_weather(shape, cell_km=9.0, seed=seed, first=first, trend=trend), n))


def test_air_temperature_by_hand():
    # 19 July: season 1, so 2 + 13; half the clear range 12 * 1.05 * (.55 + .5) = 13.23 up at 14:30, down at 02:30
    assert weather.air_temperature(climate(), day(), 14.5) == pytest.approx(15 + 13.23 / 2, abs=1e-4)
    assert weather.air_temperature(climate(), day(), 2.5) == pytest.approx(15 - 13.23 / 2, abs=1e-4)
    # the anomaly runs through the day: a quarter of the way from 2 to 6 is 3
    warmer = weather.air_temperature(climate(), day(anomaly=2.0, anomaly_next=6.0), 6.0)
    assert warmer - weather.air_temperature(climate(), day(), 6.0) == pytest.approx(3.0, abs=1e-4)
    # full cloud leaves .30 / 1.05 of the range
    assert weather.air_temperature(climate(), day(cloud=1.0), 14.5) == pytest.approx(15 + 0.3 * 12 * 1.05 / 2, abs=1e-4)


def test_radiative_offset_by_hand():
    bare = np.zeros(2, bool)
    assert weather.radiative_offset(climate(), day(), 0.7, bare) == pytest.approx(-3.0)  # night
    assert weather.radiative_offset(climate(), day(), 12.7, bare) == pytest.approx(14.0 - 3.0)  # sun 1 at 50 N
    assert weather.radiative_offset(climate(), day(), 12.7, ~bare) == pytest.approx(11.0 / 4)
    assert weather.radiative_offset(climate(forest=0.5), day(cloud=1.0), 12.7, bare) == pytest.approx(11 * 0.6 * 0.3)


def test_mountains_and_the_north_are_colder():
    low, high, north = (
        weather.make_climate(*(np.array([v]) for v in (lat, z, 0.5, 0.2))) for lat, z in ((57, 0), (57, 1000), (60, 0))
    )
    assert (low.mean - high.mean) == pytest.approx(5.5, abs=1e-4)
    assert (low.mean - north.mean) == pytest.approx(1.8, abs=1e-4)
    assert north.amplitude > low.amplitude


def test_days_follow_each_other_and_join():
    days = take(5)
    assert [d.date for d in days] == [FIRST + i for i in range(5)]
    for a, b in itertools.pairwise(days):
        np.testing.assert_array_equal(a.anomaly_next, b.anomaly)
    d = days[0]
    assert all(v.dtype == np.float32 and v.shape == (72,) for v in (d.anomaly, d.cloud, d.precipitation))


def test_a_date_has_its_weather_wherever_the_run_begins():
    early, late = take(100), take(10, first=FIRST + 90)
    np.testing.assert_allclose(early[99].anomaly, late[9].anomaly, atol=6 * 0.8**9 * 5)
    far = take(200)[199]
    near = take(120, first=FIRST + 80)[119]
    assert far.date == near.date
    np.testing.assert_allclose(far.anomaly, near.anomaly, atol=1e-4)
    np.testing.assert_allclose(far.precipitation, near.precipitation, atol=1e-4)


def test_spread_memory_and_rain():
    days = take(1500, shape=(4, 4))
    t = np.stack([d.anomaly for d in days])[:, 0]
    assert t.std() == pytest.approx((4.2**2 + 1.8**2 + 1) ** 0.5, abs=0.7)
    assert np.corrcoef(t[:-1], t[1:])[0, 1] == pytest.approx((17.64 * 0.8 + 3.24 * 0.55 + 1) / 21.9, abs=0.06)
    rain = np.stack([d.precipitation for d in days])
    assert rain.min() == 0 and 0.1 < (rain > 0).mean() < 0.4 and 0.8 < rain.mean() < 2.5
    cloud = np.stack([d.cloud for d in days])
    assert cloud.min() > 0 and cloud.max() < 1
    assert cloud[rain > 0].mean() > cloud[rain == 0].mean() + 0.2


def test_trend_is_zero_in_2000_and_grows():
    at = np.datetime64("2020-01-01")
    warm, plain = take(1, first=at, trend=0.05), take(1, first=at)
    assert warm[0].anomaly - plain[0].anomaly == pytest.approx(20 * 0.05, abs=1e-2)
    assert take(1, first=weather.EPOCH, trend=0.05)[0].anomaly == pytest.approx(take(1, first=weather.EPOCH)[0].anomaly)


def test_yearly_anomaly_has_no_jump():
    values = [weather.yearly_anomaly(3, np.datetime64("2016-01-01") + i) for i in range(800)]
    assert np.abs(np.diff(values)).max() < 0.02 and np.std(values) > 0.05
