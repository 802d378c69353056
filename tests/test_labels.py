"""Local solar sampling against a diurnal wave and against fields that tell the time, stations and their cells."""

from dataclasses import dataclass

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from frostline import schema
from frostline.clock import solar_to_utc
from frostline.errors import ConfigError, InputError
from frostline.grid import Grid, named, regular
from frostline.labels import solar_labels, state, station_labels, to_cells

GRID = regular(1.0, left=-179.5, top=0.5, shape=(1, 360))  # centres at -179 .. 180 E, on the equator
HOUR = np.timedelta64(1, "h")
ZERO = np.datetime64("2016-12-29", "ns")


def column(lon):
    return int(np.argmin(np.abs(GRID.lonlat()[0][0] - lon)))


def clockwork(times, grid=GRID):
    """Fields whose temperature is 200 K and one for each hour since ZERO: the value tells the UTC instant."""
    for time in np.asarray(times, "datetime64[ns]"):
        kelvin = np.full((1, *grid.shape), 200 + (time - ZERO) / HOUR, np.float32)
        yield xr.Dataset({"soil_temperature": (("time", "y", "x"), kelvin)}, {"time": [time]})


def hourly(start, end, step=1):
    return np.arange(start, end, np.timedelta64(step, "h"), dtype="datetime64[h]")


def sampled(hours, dates, **options):
    """{(date, overpass): UTC hours since ZERO, by column}"""
    days = np.asarray(dates, "datetime64[D]")
    return {
        (str(d)[:10], code): kelvin[0] - 200 for d, code, kelvin, _ in solar_labels(hours, GRID, dates=days, **options)
    }


# UTC = local - lon/15: 6 - 6 = 0 h; 6 - 8 = -2 h; 6 - 11.9333 = -5.9333 h; 6 + 11.9333 = 17.9333 h
BY_HAND = {(90, 0): 0.0, (120, 0): -2.0, (179, 0): -5 - 56 / 60, (-179, 0): 17 + 56 / 60}
BY_HAND |= {(lon, 1): hour + 12.0 for (lon, _), hour in BY_HAND.items()}


@pytest.mark.parametrize("step", [1, 3])
@pytest.mark.parametrize(("date", "midnight"), [("2016-12-31", 48.0), ("2017-01-01", 72.0)])
def test_instants_by_hand_across_the_date_line_and_the_years_end(step, date, midnight):
    got = sampled(clockwork(hourly("2016-12-30", "2017-01-04", step)), ["2016-12-31", "2017-01-01"])
    for (lon, code), hour in BY_HAND.items():
        assert got[date, code][column(lon)] == pytest.approx(midnight + hour, abs=1e-4), (lon, code)
    # the date line itself is west: the last place to see this date's morning
    assert got[date, 0][column(-180)] == pytest.approx(midnight + 18)


def test_the_date_line_is_west_on_projected_grids_too():
    grid = Grid("odd", "EPSG:6931", -1.5e5, 1.5e5, 1e5, (3, 3))  # its middle column runs along 180 and 0 E
    assert abs(grid.lonlat()[0][0, 1]) == 180
    fields = clockwork(hourly("2016-12-30", "2017-01-04"), grid)
    (_, _, kelvin, _), *_ = solar_labels(fields, grid, dates=["2017-01-01"])
    assert kelvin[0, 1] - 272 == pytest.approx(18.0) and kelvin[2, 1] - 272 == pytest.approx(6.0)


def test_utc_mode_takes_one_instant_for_all():
    got = sampled(clockwork(hourly("2016-12-31", "2017-01-02")), ["2016-12-31"], mode="utc")
    np.testing.assert_allclose(got["2016-12-31", 0], 54.0)
    np.testing.assert_allclose(got["2016-12-31", 1], 66.0)


def wave(hour):
    """A day's course at local solar time: warmest at 15 h."""
    return 272.0 + 8.0 * np.cos(2 * np.pi * (hour - 15.0) / 24.0)


def waves(times, grid):
    lon = grid.lonlat()[0]
    for time in np.asarray(times, "datetime64[ns]"):
        hour = (time - time.astype("datetime64[D]")) / HOUR + lon / 15.0
        yield xr.Dataset({"soil_temperature": (("y", "x"), wave(hour).astype("f4"))}, {"time": time})


@pytest.mark.parametrize(
    "grid", [regular(5.0, left=-182.5, top=62.5, shape=(3, 72)), named("N09").around(0, 90, (9, 9))]
)
def test_local_sampling_recovers_the_wave_and_utc_is_wrong_by_the_known_amount(grid):
    times = hourly("2017-02-26", "2017-03-04")
    dates = np.arange("2017-02-28", "2017-03-03", dtype="datetime64[D]")
    lon = grid.lonlat()[0]
    bound = 8 * (2 * np.pi / 24) ** 2 / 8 + 1e-3  # linear between hours: h^2/8 max|f''|
    for mode, shift in (("local", 0.0), ("utc", lon / 15.0)):
        out = list(solar_labels(waves(times, grid), grid, dates=dates, mode=mode))
        assert [(str(d)[:10], c) for d, c, _, _ in out] == [(str(d), c) for d in dates for c in (0, 1)]
        for _, code, kelvin, label in out:
            truth = np.broadcast_to(wave((6.0, 18.0)[code] + shift), grid.shape)
            assert np.abs(kelvin - truth).max() < bound
            if mode == "local":  # 266.3 K at 6 h, 277.7 K at 18 h
                assert (label == (1, 0)[code]).all()
    # 06 UTC at 90 E is local noon: the published habit is wrong by wave(12) - wave(6)
    assert wave(12.0) - wave(6.0) == pytest.approx(8 * np.sqrt(2))


def test_nothing_is_extrapolated_or_wrapped():
    got = sampled(clockwork(hourly("2017-01-01T00", "2017-01-01T13")), ["2016-12-31", "2017-01-01", "2017-01-02"])
    lon = np.where(np.arange(360) == 359, -180, GRID.lonlat()[0][0])
    for day, midnight in (("2016-12-31", 48), ("2017-01-01", 72), ("2017-01-02", 96)):
        for code, hour in ((0, 6.0), (1, 18.0)):
            instant = midnight + hour - lon / 15.0
            known = (instant >= 72 - 1e-9) & (instant <= 84 + 1e-9)
            np.testing.assert_array_equal(np.isfinite(got[day, code]), known)
            np.testing.assert_allclose(got[day, code][known], instant[known], atol=1e-4)


def test_fields_too_far_apart_leave_a_gap():
    times = hourly("2016-12-30", "2017-01-03")
    holed = times[(times < np.datetime64("2017-01-01T05")) | (times > np.datetime64("2017-01-01T08"))]
    got = sampled(clockwork(holed), ["2017-01-01"])["2017-01-01", 0] - 72  # 04 .. 09 UTC has no fields between
    instant = 6 - GRID.lonlat()[0][0] / 15
    np.testing.assert_array_equal(np.isnan(got), (instant > 4 + 1e-9) & (instant < 9 - 1e-9))
    filled = sampled(clockwork(holed), ["2017-01-01"], max_gap_hours=5)["2017-01-01", 0] - 72
    np.testing.assert_allclose(filled, instant, atol=1e-4)


def test_missing_cells_stay_missing_and_exact_hours_need_no_neighbour():
    times = hourly("2017-01-01T00", "2017-01-01T03", 1)
    fields = list(clockwork(times))
    fields[1]["soil_temperature"][:] = np.nan
    got = sampled(fields, ["2017-01-01"])["2017-01-01", 0] - 72
    assert got[column(90)] == 0.0 and got[column(60)] == 2.0  # on the hour
    assert np.isnan(got[column(75)]) and np.isnan(got[column(80)]) and np.isnan(got[column(61)])


def test_several_hours_in_a_dataset_and_no_more_read_than_needed():
    times = hourly("2016-12-30", "2017-01-10")
    pulled = []

    def days():
        for part in times.reshape(-1, 24):
            pulled.append(part[0])
            yield xr.concat(list(clockwork(part)), "time")

    one, two = sampled(days(), ["2017-01-01"]), sampled(clockwork(times), ["2017-01-01"])
    for key, value in one.items():
        np.testing.assert_array_equal(value, two[key])
    assert pulled[-1] == np.datetime64("2017-01-02T00")  # the day of the last evening, at 180 W


def test_own_observation_times_replace_the_nominal_hour():
    own = np.full(GRID.shape, np.nan)
    own[0, column(90)], own[0, column(120)] = 90.0, -30.0
    got = sampled(
        clockwork(hourly("2016-12-30", "2017-01-04")),
        ["2017-01-01"],
        minutes=lambda date, code: own if code == 0 else None,
    )
    morning, evening = got["2017-01-01", 0] - 72, got["2017-01-01", 1] - 72
    assert morning[column(90)] == pytest.approx(1.5) and morning[column(120)] == pytest.approx(-0.5)
    assert morning[column(179)] == pytest.approx(BY_HAND[179, 0], abs=1e-4)
    assert evening[column(90)] == pytest.approx(12.0)


def test_amsr2_hours():
    got = sampled(clockwork(hourly("2016-12-30", "2017-01-04")), ["2017-01-01"], local_hours=(1.5, 13.5))
    assert got["2017-01-01", 0][column(90)] - 72 == pytest.approx(-4.5)
    assert got["2017-01-01", 1][column(90)] - 72 == pytest.approx(7.5)


def test_state_and_its_threshold():
    np.testing.assert_array_equal(state([273.1, 273.15, 273.2, np.nan]), [1, 0, 0, np.nan])
    np.testing.assert_array_equal(state([272.9, 273.05], 273.0), [1, 0])
    hours = lambda: clockwork(hourly("2017-01-01", "2017-01-02"))  # noqa: E731
    (_, _, kelvin, label), *_ = solar_labels(hours(), GRID, dates=["2017-01-01"], threshold=280.0)
    np.testing.assert_array_equal(label[np.isfinite(kelvin)], (kelvin < 280)[np.isfinite(kelvin)])
    assert kelvin.dtype == label.dtype == np.float32


def test_mistakes_are_named():
    dates = ["2017-01-01"]
    with pytest.raises(InputError, match="E-INPUT-TIME"):
        list(solar_labels(clockwork(["2017-01-01T01", "2017-01-01T00"]), GRID, dates=dates))
    with pytest.raises(InputError, match="E-INPUT-GRID"):
        list(solar_labels(clockwork(["2017-01-01T01"]), regular(1.0), dates=dates))
    with pytest.raises(ConfigError, match="solar"):
        list(solar_labels(iter(()), GRID, dates=dates, mode="solar"))
    assert list(solar_labels(iter(()), GRID, dates=[])) == []
    assert [np.isnan(k).all() for _, _, k, _ in solar_labels(iter(()), GRID, dates=dates)] == [True, True]


@dataclass(frozen=True)
class Reading:
    site: str
    lon: float
    lat: float
    times: np.ndarray
    temperature: np.ndarray
    network: str = "test"
    elevation: float = 100.0
    depth: float = 0.05
    daily: bool = False


def telling(site, lon, lat, times):
    times = np.asarray(times, "datetime64[ns]")
    return Reading(site, lon, lat, times, 200 + (times - ZERO) / HOUR)


DATES = np.array(["2016-12-31", "2017-01-01"], "datetime64[ns]")
WORLD = regular(1.0)


def test_stations_by_hand_across_the_date_line_and_the_years_end():
    times = hourly("2016-12-30", "2017-01-04")
    series = [telling(str(lon), lon, 10.0, times) for lon in (90.0, 120.0, 179.0, -179.0)]
    ds = station_labels(series, WORLD, dates=DATES, local_hours=(6.0, 18.0))
    got = ds["soil_temperature"].sel(time="2017-01-01") - 272
    for k, lon in enumerate((90, 120, 179, -179)):
        for code in (0, 1):
            assert float(got[code, k]) == pytest.approx(BY_HAND[lon, code], abs=1e-4)
    assert ds["overpass"].values.tolist() == [0, 1]
    assert ds["site"].values.tolist() == ["90.0", "120.0", "179.0", "-179.0"]
    schema.check(ds, schema.SITES)


@settings(max_examples=30, deadline=None)
@given(lon=st.floats(-180, 179.99), lat=st.floats(-89, 89), seed=st.integers(0, 2**32 - 1))
def test_stations_tell_the_instant_wherever_they_stand(lon, lat, seed):
    rng = np.random.default_rng(seed)
    times = hourly("2016-12-30", "2017-01-03") + rng.integers(0, 60, 96).astype("timedelta64[m]")
    times = times[rng.permutation(96)]  # loggers' files need not be sorted
    ds = station_labels([telling("s", lon, lat, times)], WORLD, dates=DATES, local_hours=(6.0, 18.0))
    for code, hour in enumerate((6.0, 18.0)):
        want = (solar_to_utc(DATES, hour, lon) - ZERO) / HOUR + 200
        np.testing.assert_allclose(ds["soil_temperature"][:, code, 0], want, atol=1e-3)


def test_station_gaps_repeats_and_missing_values():
    times = np.array(
        ["2017-01-01T04", "2017-01-01T05", "2017-01-01T05", "2017-01-01T08", "2017-01-01T16"], "datetime64[h]"
    )
    kelvin = np.array([270.0, 271.0, 299.0, 274.0, 282.0])

    def at(values, **more):
        series = [Reading("s", 0.0, 10.0, times, values)]
        ds = station_labels(series, WORLD, dates=DATES[1:], local_hours=(6.0, 18.0), **more)
        return ds["soil_temperature"].values.ravel()

    np.testing.assert_allclose(at(kelvin), [272.0, np.nan])  # 05 and 08 h: three hours; after 16 h nothing
    np.testing.assert_array_equal(at(kelvin, max_gap_hours=2.9), [np.nan, np.nan])
    kelvin[1:3] = np.nan
    np.testing.assert_array_equal(at(kelvin), [np.nan, np.nan])  # 04 and 08 h: four hours
    np.testing.assert_allclose(at(kelvin, max_gap_hours=4), [272.0, np.nan])
    assert np.isnan(at(np.full(5, np.nan))).all()


def test_daily_series_stand_at_the_daily_overpass():
    day = Reading("d", 100.0, 40.0, DATES, np.array([272.0, 274.0]), daily=True)
    hour = telling("h", 100.0, 40.0, hourly("2016-12-30", "2017-01-03"))
    lone = Reading("l", 90.0, 40.0, DATES[:1], np.array([272.0]))  # 06 h there on the 31st, exactly
    ds = station_labels([day, hour, lone], WORLD, dates=DATES)
    assert ds["overpass"].values.tolist() == [0, 1, 2]
    np.testing.assert_array_equal(ds["frozen"].sel(overpass=2)[:, 0], [1, 0])
    assert np.isnan(ds["frozen"].sel(overpass=[0, 1])[:, :, 0]).all()
    assert np.isfinite(ds["frozen"].sel(overpass=[0, 1])[:, :, 1]).all()
    assert np.isnan(ds["frozen"].sel(overpass=2)[:, 1:]).all()
    np.testing.assert_array_equal(ds["frozen"][..., 2], [[1, np.nan, np.nan], [np.nan] * 3])
    assert station_labels([hour], WORLD, dates=DATES)["overpass"].values.tolist() == [0, 1]


def test_stations_outside_are_counted_and_none_is_fine():
    china = regular(1.0, left=70.0, top=55.0, shape=(40, 70))
    times = hourly("2016-12-30", "2017-01-03")
    ds = station_labels([telling("in", 100, 40, times), telling("out", 0, 40, times)], china, dates=DATES)
    assert ds["site"].values.tolist() == ["in"] and ds.attrs["sites_outside_grid"] == 1
    none = station_labels([], china, dates=DATES)
    assert none.sizes["site"] == 0 and np.isnan(to_cells(none, china)["label_station"]).all()


def test_cells_average_temperature_and_then_decide():
    grid = named("N09").around(100.0, 60.0, (20, 20))
    lon, lat = grid.lonlat()
    # 270 and 280 K in one cell are 275 K: thawed, though one of two is frozen; the third has nothing to say
    places = [(3, 4, 270.0), (3, 4, 280.0), (3, 4, np.nan), (7, 9, 272.0)]
    series = [
        Reading(str(k), lon[r, c], lat[r, c], DATES, np.full(2, t), daily=True) for k, (r, c, t) in enumerate(places)
    ]
    sites = station_labels(series, grid, dates=DATES)
    cells = to_cells(sites, grid)
    assert cells["label_station"].dims == ("time", "overpass", "y", "x")
    assert cells["label_station"].chunks[0] == (1, 1)  # lazy, a day at a time
    daily = cells.sel(overpass=2).isel(time=1).load()
    assert float(daily["soil_temperature"][3, 4]) == 275.0 and float(daily["label_station"][3, 4]) == 0
    assert float(daily["label_station"][7, 9]) == 1
    assert int(daily["label_station"].notnull().sum()) == 2
    assert float(to_cells(sites, grid, threshold=276.0)["label_station"][1, 2, 3, 4]) == 1
    schema.check(cells, schema.STACK)
