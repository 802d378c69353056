from dataclasses import fields, replace

import numpy as np
import pytest
import xarray as xr

from frostline.clock import NOMINAL_HOUR, month
from frostline.grid import Grid, named
from frostline.twin import column, stations, weather, world
from frostline.twin.bias import blurred, erring, spring
from frostline.twin.ground import make_ground
from frostline.twin.world import ReanalysisBias, earth, origin, reanalysis

SMALL = named("N09").around(140.0, 57.0, (8, 9))
NO_BIAS = ReanalysisBias(
    terrain_fwhm=0, parameter_fwhm=0, snowfall=1, weather_sd=0, static_sd=0, spring=0, offset=0
)  # fmt: skip
TRUTHS = ("truth", "truth_t0")
TBS = {f"tb_{f}{p}" for f in (1, 18, 36) for p in "vh"}


@pytest.fixture(scope="module")
def ground():
    return make_ground(SMALL, seed=1)


@pytest.fixture(scope="module")
def winter(ground):
    """1 July to 20 April: two overpasses, all bands."""
    return xr.concat(earth(ground, SMALL, start="2016-07-01", end="2017-04-20", seed=1), "time", data_vars="minimal")


def sample(hourly, name, lon, hour):
    """Linear in UTC at a local solar hour of each local date but the first and last: (date, y, x)."""
    v = hourly[name].values
    days = len(v) // 24
    t = np.arange(1, days - 1)[:, None, None] * 24 + hour - lon / 15
    low = np.floor(t).astype(int)
    y, x = np.indices(lon.shape)
    return v[low, y, x] + (t - low) * (v[low + 1, y, x] - v[low, y, x])


def test_marching_begins_before_the_last_first_of_july():
    assert origin("2017-06-30") == np.datetime64("2016-06-28")
    assert origin("2016-07-01") == np.datetime64("2016-06-28")


def test_contents(ground, winter):
    assert set(winter.data_vars) > TBS and Grid.of(winter) == SMALL
    assert winter["time"].values[[0, -1]].astype("datetime64[D]").astype(str).tolist() == ["2016-07-01", "2017-04-20"]
    assert winter["overpass"].values.tolist() == [0, 1] and winter["overpass"].dtype == np.int8
    land = ground["land"].values
    for name in TBS | {"air_temperature"}:
        assert winter[name].dtype == np.float32 and np.isfinite(winter[name]).all(), name
        assert winter[name].dims == ("time", "overpass", "y", "x")
    for name in world.TRUTHS:
        assert np.isfinite(winter[name].values[..., land]).all() and np.isnan(winter[name].values[..., ~land]).all()
    for name in TBS:
        assert winter[name].min() > 60 and winter[name].max() < 320
    assert (winter["tb_1v"] >= winter["tb_1h"] - 0.5).all()


def test_truth_is_what_it_says(winter):
    known = winter["truth"].notnull()
    assert ((winter["truth"] == 1) == (winter["ice_share"] > 0.5)).where(known, True).all()
    assert ((winter["truth_t0"] == 1) == (winter["soil_temperature"] < 273.15)).where(known, True).all()
    assert winter["ice_share"].min() >= 0 and winter["ice_share"].max() <= 1
    # freezing begins below zero and lasts, so T < 0 is met first; the rest is a warm skin on frozen ground in spring
    only_ice, only_cold = (((winter[p] == 1) & (winter[q] == 0)).sum() for p, q in (TRUTHS, TRUTHS[::-1]))
    assert only_cold > 3 * only_ice
    assert (winter["air_min"] <= winter["air_temperature"].min("overpass") + 1e-3).all()
    assert (winter["air_max"] >= winter["air_temperature"].max("overpass") - 1e-3).all()


def test_summer_thaws_winter_freezes_and_snow_lies_in_winter(winter):
    frozen = winter["truth"].mean(("overpass", "y", "x"))
    m = month(winter["time"].values)
    assert frozen[np.isin(m, (7, 8))].max() < 0.1 and frozen[np.isin(m, (1, 2))].mean() > 0.3
    assert winter["snow_depth"].values[0][np.isfinite(winter["snow_depth"].values[0])].max() == 0
    assert 0.05 < np.nanmax(winter["snow_depth"]) < 3
    ratio = winter["swe"] / winter["snow_depth"].where(winter["snow_depth"] > 0.01)
    assert ratio.min() > 110 and ratio.max() < 560  # kg/m3
    assert winter["air_temperature"].isel(overpass=1).mean() > winter["air_temperature"].isel(overpass=0).mean() + 1


@pytest.mark.parametrize("band", ["L", "K", "Ka"])
def test_bands_are_an_option_that_changes_nothing_else(ground, winter, band):
    block = next(earth(ground, SMALL, start="2016-07-01", end="2016-07-03", seed=1, bands=(band,)))
    label = {"L": "1", "K": "18", "Ka": "36"}[band]
    assert {n for n in block.data_vars if n.startswith("tb_")} == {f"tb_{label}v", f"tb_{label}h"}
    for name in (f"tb_{label}v", "soil_temperature"):
        np.testing.assert_array_equal(block[name], winter[name][:3])


def test_blocks_do_not_show_and_a_seed_is_an_earth(ground, winter):
    small = list(earth(ground, SMALL, start="2016-07-01", end="2016-08-09", seed=1, block_days=7))
    assert [b.sizes["time"] for b in small] == [7] * 5 + [5]
    again = xr.concat(small, "time", data_vars="minimal")
    for name in again.data_vars:
        np.testing.assert_array_equal(again[name], winter[name][:40], err_msg=name)
    other = next(earth(ground, SMALL, start="2016-07-01", end="2016-07-02", seed=2))
    assert not np.array_equal(other["air_temperature"], winter["air_temperature"][:2])


def test_a_later_start_is_the_same_earth(ground, winter):
    late = next(earth(ground, SMALL, start="2016-10-01", end="2016-10-02", seed=1, bands=()))
    np.testing.assert_array_equal(late["ice_share"], winter["ice_share"].sel(time=late["time"]))


def test_trend_warms(ground, winter):
    warm = next(earth(ground, SMALL, start="2016-07-01", end="2016-07-02", seed=1, bands=(), trend=0.1))
    gain = warm["air_temperature"] - winter["air_temperature"][:2]
    assert gain.values == pytest.approx(1.65, abs=0.01)  # 16.5 years after 2000


def test_station_cells_are_given_in_local_solar_time(ground, winter):
    rows, cols = (i[[0, -1]] for i in np.nonzero(ground["land"].values))
    block = next(earth(ground, SMALL, start="2016-07-01", end="2016-07-04", seed=1, bands=(), cells=(rows, cols)))
    t = block["soil_temperature_3h"]
    assert t.dims == ("time_3h", "site") and t.shape == (32, 2)
    assert t["time_3h"].values[[0, 7]].tolist() == np.array(["2016-07-01T03", "2016-07-02T00"], "M8[ns]").tolist()
    at_18 = t.sel(time_3h="2016-07-02T18").values
    assert abs(at_18 - block["soil_temperature"].values[1, 1, rows, cols]).max() < 4  # 5 cm against 0-7 cm


def test_an_empty_period_is_refused(ground):
    with pytest.raises(ValueError, match="no day"):
        next(earth(ground, SMALL, start="2016-07-02", end="2016-07-01", seed=1))


@pytest.mark.parametrize(
    ("lon", "lat", "start", "end"),
    [
        (140.0, 57.0, "2016-07-01", "2016-07-06"),
        (180.0, 60.0, "2016-12-29", "2017-01-03"),
        (-100.0, 55.0, "2016-07-01", "2016-07-06"),
        (2.0, 60.0, "2016-07-01", "2016-07-06"),
    ],
)
def test_the_reanalysis_is_in_utc(lon, lat, start, end):
    """With no bias its air at a cell's local 06 and 18 h is the Earth's, across the date line and the year's end."""
    grid = named("N09").around(lon, lat, (4, 5))
    g = make_ground(grid, seed=3, land=np.ones(grid.shape, bool))
    span = {"start": start, "end": end}
    truth = xr.concat(earth(g, grid, seed=1, bands=(), **span), "time", data_vars="minimal")
    blocks = list(reanalysis(g, grid, seed=2, weather_seed=1, bias=NO_BIAS, block_days=4, **span))
    hourly = xr.concat(blocks, "time", data_vars="minimal")
    assert [b.sizes["time"] for b in blocks] == [96, 48]
    assert (
        hourly["time"].values[0] == np.datetime64(f"{start}T00")
        and (np.diff(hourly["time"].values) == np.timedelta64(1, "h")).all()
    )
    assert all(np.isfinite(hourly[n]).all() and hourly[n].dtype == np.float32 for n in hourly.data_vars)
    for p, hour in NOMINAL_HOUR.items():
        seen = sample(hourly, "air_temperature", grid.lonlat()[0], hour)
        expected = truth["air_temperature"].values[1:-1, p]
        assert abs(seen - expected).max() < 0.5  # a shift of an hour would be 1 K and more


def test_hourly_values_lie_on_the_line_between_local_steps():
    steps = np.arange(25.0)[:, None, None] * np.ones((25, 1, 3))  # value = local hours since the day before / 3
    out = world._hourly(steps.astype(np.float32), np.array([-12.0, 0.0, 11.5]))
    assert out.shape == (1, 24, 3)
    np.testing.assert_allclose(out[0, 0], [12 / 3, 24 / 3, 35.5 / 3], rtol=1e-6)
    np.testing.assert_allclose(np.diff(out[0], axis=0), 1 / 3, rtol=1e-4)


def test_reanalysis_blocks_and_seeds(ground):
    def run(**changed):
        options = {"seed": 2, "weather_seed": 1, "bias": ReanalysisBias(), "block_days": 32} | changed
        span = {"start": "2016-07-01", "end": "2016-07-10"}
        return xr.concat(reanalysis(ground, SMALL, **span, **options), "time", data_vars="minimal")

    plain = run()
    assert run(block_days=3).identical(plain)
    for changed in ({"seed": 3}, {"weather_seed": 5}):
        assert not np.array_equal(run(**changed)["air_temperature"], plain["air_temperature"])


SUMMER = {"static_length", "terrain_fwhm", "weather_sd", "weather_length", "weather_memory", "static_sd", "offset"}


@pytest.mark.parametrize("name", [f.name for f in fields(ReanalysisBias)])
def test_every_number_of_the_bias_is_felt(ground, name):
    start, end = ("2016-07-01", "2016-07-03") if name in SUMMER else ("2016-11-25", "2016-11-26")
    if name == "spring":
        start, end = "2017-04-20", "2017-04-20"
    values = ReanalysisBias()
    other = replace(values, **{name: getattr(values, name) * 0.5 - 0.1 if name != "weather_memory" else 0.2})
    span = {"start": start, "end": end, "seed": 2, "weather_seed": 1}
    a, b = (next(reanalysis(ground, SMALL, bias=v, **span)) for v in (values, other))
    assert any(not np.array_equal(a[n], b[n]) for n in a.data_vars)


def test_offset_and_spring_are_kelvins_of_air():
    first = np.datetime64("2017-04-25")

    def one(bias):
        days = weather.daily_weather(SMALL.shape, cell_km=9.0, seed=1, first=first)
        return next(erring(days, SMALL, first=first, seed=2, bias=bias)).anomaly

    plain = one(NO_BIAS)
    assert one(replace(NO_BIAS, offset=-0.5)) - plain == pytest.approx(-0.5, abs=1e-5)
    assert one(replace(NO_BIAS, spring=-1.5)) - plain == pytest.approx(-1.5, abs=1e-5)
    static = one(replace(NO_BIAS, static_sd=3.0)) - plain
    assert static.mean() == pytest.approx(0, abs=1e-5) and 1 < static.std() < 5
    assert spring(np.datetime64("2017-01-15")) == 0 and 0.4 < spring(np.datetime64("2017-03-28")) < 0.6


def test_blurred_ground(ground):
    soft = blurred(ground, SMALL, ReanalysisBias())
    assert float(soft["elevation"].std()) < float(ground["elevation"].std())
    assert (soft["freezing_point"] == 0).all() and ground["freezing_point"].max() < 0
    np.testing.assert_array_equal(soft["land"], ground["land"])


def test_the_march_keeps_float32_and_its_water(ground):
    cells = column.make_cells(ground, SMALL)
    days = weather.daily_weather(SMALL.shape, cell_km=9.0, seed=1, first=np.datetime64("2016-06-28"))
    for _, day in zip(range(3), column.march(cells, days), strict=False):
        assert [s.hour for s in day.states] == list(column.HOURS)
    state = day.at(24)
    scene = column.make_scene(state)
    for holder in (state, state.pack, state.column, state.column.medium, state.lake, scene):
        for f in fields(holder):
            v = getattr(holder, f.name)
            assert not isinstance(v, np.ndarray) or v.dtype == np.float32, f.name
    assert scene.soil_temperature.shape == scene.liquid.shape == scene.ice.shape == (2, 72)
    np.testing.assert_allclose(scene.liquid + scene.ice, state.column.medium.water[:2], rtol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_calibration_on_the_default_size(seed):
    """Two years of 64 x 64 cells: frozen share, T < 0 against ice, and a reanalysis as good as ERA5 at stations."""
    grid = named("N09").around(140.0, 57.0, (64, 64))
    g = make_ground(grid, seed=seed)
    span = {"start": "2016-07-01", "end": "2018-06-30"}
    sites = stations.make_stations(g, grid, n=120, seed=seed, **span)
    cells = (sites["row"].values, sites["col"].values)
    blocks = list(earth(g, grid, seed=seed, bands=(), cells=cells, **span))
    names = ["truth", "truth_t0"]
    truth = xr.concat([b[names] for b in blocks], "time").sel(time=slice("2016-07-02", "2018-06-29"))
    seen = xr.concat(stations.observe(sites, blocks, seed=seed), "time")["soil_temperature"].values
    first, second = (truth[n].values[..., g["land"].values] for n in names)
    assert 0.38 < (first == 1).mean() < 0.55
    assert 0.02 < (first != second).mean() < 0.10
    # the stations' cells only, at each site's local 06 and 18 h
    lon = sites["lon"].values
    hourly = np.concatenate(
        [
            b["soil_temperature"].values[:, cells[0], cells[1]]
            for b in reanalysis(g, grid, seed=seed + 100, weather_seed=seed, bias=ReanalysisBias(), **span)
        ]
    )

    def at(values, step, hour):
        t = (np.arange(1, 729)[:, None] * 24 + hour - lon / 15) / step
        low = np.floor(t).astype(int)
        k = np.arange(len(lon))
        return values[low, k] + (t - low) * (values[low + 1, k] - values[low, k])

    model, site = (np.stack([at(v, s, h) for h in NOMINAL_HOUR.values()]) for v, s in ((hourly, 1), (seen, 3)))
    ok = np.isfinite(site)
    assert 0.85 < ok.mean() < 1
    assert 0.83 <= ((model < 273.15) == (site < 273.15))[ok].mean() <= 0.89
