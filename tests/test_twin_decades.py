"""What the long twin delivers, in parts: hours of the reanalysis, processes beside each other, maps, thermometers."""

import os
from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

from frostline.clock import solar_to_utc
from frostline.errors import ConfigError, DiskError
from frostline.grid import named
from frostline.read.era5 import hourly, load_era5
from frostline.read.statics_codes import CLCD, CLIMATES, read_classes, read_clcd, read_koppen
from frostline.twin import column, decades, decades_ground, decades_sites, long, soil, world
from frostline.twin.long import LONG_BIAS, long_earth, long_ground, long_march
from frostline.twin.long_hours import _fallen, long_hours, utc_hours

pytestmark = pytest.mark.slow

GRID = named("M09").around(97.0, 36.0, (4, 5))
NO_BIAS = replace(LONG_BIAS, terrain_fwhm=0, parameter_fwhm=0, snowfall=1, weather_sd=0, static_sd=0, spring=0,
                  offset=0, freezing_point=-0.2)  # fmt: skip
OPTIONS = {"start_year": 2014, "end_year": 2014, "seed": 2, "weather_seed": 1, "warming": 0.05, "bias": NO_BIAS}


@pytest.fixture(scope="module")
def january():
    """The first days of an unbiased reanalysis, and the states from which they come by local date."""
    items = long_hours(GRID, **OPTIONS)
    marched = {}
    for day, rate in long_march(GRID, **OPTIONS):
        marched[day.date] = (day, rate)
        if day.date == np.datetime64("2014-01-12"):
            break
    return [next(items) for _ in range(12)], marched


def test_hours_hold_every_overpass_and_the_hours_before_it():
    for lon in (-179.0, -120.0, -1.0, 0.0, 44.0, 97.0, 179.0):
        hours = utc_hours(np.array([lon, lon + 0.9]), before=3)
        for local in (6.0, 18.0):
            for h in range(4):
                utc = (solar_to_utc("2015-03-03", local - h, lon + 0.5) - np.datetime64("2015-03-03")) / np.timedelta64(
                    1, "h"
                )
                assert {np.floor(utc), np.ceil(utc), np.floor(utc) - 1} <= set(hours.tolist())
        assert all(h - 1 in hours for h in hours if h % 24 == 0)  # no month's file begins with a sum that needs another


def test_every_hour_comes_once_and_in_order(january):
    days, _ = january
    times = np.concatenate([d.times for d in days])
    assert (np.diff(times) > np.timedelta64(0)).all()
    assert str(times[0]) == "2013-12-31T19"  # 06 h of 1 January at 97 E is 23:30 UTC, less three hours, less two
    long_reach = long_hours(GRID, **OPTIONS, before=18)
    times = np.concatenate([next(long_reach).times for _ in range(4)])
    assert (np.diff(times) > np.timedelta64(0)).all()


def test_hours_of_the_utc_preset_come_once_and_hold_both_overpasses():
    made = long_hours(GRID, **OPTIONS, mode="utc")
    days = [next(made) for _ in range(4)]
    times = np.concatenate([d.times for d in days])
    assert (np.diff(times) > np.timedelta64(0)).all()
    held = {np.datetime64("2014-01-02") + np.timedelta64(h, "h") for h in (2, 3, 4, 5, 6, 14, 15, 16, 17, 18)}
    assert held <= set(times.tolist()) | set(times)  # 18 UTC is a quarter past midnight of the next local date
    assert all(np.isfinite(f).all() for d in days for f in d.fields.values())


def test_without_errors_it_is_the_earth_at_each_cells_own_hour(january):
    days, marched = january
    held = long.long_cells(long_ground(GRID, seed=1), GRID)
    assert held.arid.shape == (20,)
    item = days[4]
    lon = GRID.lonlat()[0].ravel()
    both = [marched[item.date - 1][0], marched[item.date][0]]
    top = np.stack([soil.top_temperature(s.column) for d in both for s in d.states]) + column.KELVIN
    depth = np.stack([s.pack.depth for d in both for s in d.states])
    steps = np.array([h - 24 for h in column.HOURS] + list(column.HOURS), float)
    for k, hour in enumerate((item.times - item.date) / np.timedelta64(1, "h")):
        for cell in (0, 7, 19):
            local = hour + lon[cell] / 15.0
            for name, states in (("stl1", top), ("sde", depth)):
                expected = np.interp(local, steps, states[:, cell])
                assert item.fields[name][k].ravel()[cell] == pytest.approx(expected, abs=2e-4)
    airs = np.stack([s.air for s in both[1].states]) + column.KELVIN
    np.testing.assert_allclose(item.air_min.ravel(), airs.min(0), atol=1e-4)
    np.testing.assert_allclose(item.air_max.ravel(), airs.max(0), atol=1e-4)
    assert item.fields["swvl1"].min() > 0.03 and item.fields["swvl1"].max() < 0.5


def test_rain_by_hand_and_as_it_is_read(january):
    """1, 2 and 3 mm/h on three days: until 6 h of the last 24 + 48 + 18 mm."""
    rates = [np.array([1.0]), np.array([2.0]), np.array([3.0])]
    assert _fallen(rates, np.array([[6.0]])) == pytest.approx(90.0)
    days, marched = january
    times = np.concatenate([d.times for d in days]).astype("datetime64[ns]")
    sums = np.concatenate([d.fields["tp"] for d in days])
    hour = (times - times.astype("datetime64[D]")) / np.timedelta64(1, "h")
    amount = hourly(sums, times)
    assert np.isnan(amount[hour == 7]).all() and np.isfinite(amount[(hour > 7) & (hour <= 12)]).all()
    assert np.isfinite(amount[hour == 0][1:]).all()
    item = days[4]
    at = np.flatnonzero(times == (item.date + np.timedelta64(10, "h")))[0]  # 16:28 local: within one local day
    np.testing.assert_allclose(amount[at].ravel() * 1000, marched[item.date][1], rtol=1e-4, atol=1e-6)


def test_it_errs_and_warms_as_told():
    """.5 K a year: ten years after 2000 the same air is 5 K warmer, on 1 January to the day."""
    still, warm = (
        next(long_hours(GRID, **OPTIONS | {"start_year": 2010, "end_year": 2010, "warming": w})) for w in (0.0, 0.5)
    )
    np.testing.assert_allclose(warm.air_min - still.air_min, 5.0, atol=5e-3)
    assert warm.fields["stl1"].mean() > still.fields["stl1"].mean()
    true = next(long_earth(GRID, start_year=2014, end_year=2014, seed=1, warming=0.05))
    wrong = [d.air_min for d, _ in zip(long_hours(GRID, **OPTIONS | {"bias": LONG_BIAS}), range(31), strict=False)]
    assert 1.0 < np.std(np.stack(wrong) - true["air_min"].values[:31]) < 9.0


def test_monthly_files_read_back(tmp_path):
    """January's file has the hours of its month, and at a node in the window what the cells around it have."""
    made = decades.reanalysis(tmp_path, GRID, OPTIONS)
    least, most = next(made)
    assert least.shape == most.shape == (365, *GRID.shape) and (least <= most).all()
    assert next(made, None) is None
    names = sorted(p.name for p in tmp_path.iterdir())
    assert names[0] == "era5land_201312.nc" and names[-1] == "era5land_201412.nc" and len(names) == 13
    times, fields = load_era5(tmp_path / names[1], before=tmp_path / names[0])
    assert set((times - times.astype("datetime64[D]")) / np.timedelta64(1, "h")) == {
        0,
        7,
        8,
        9,
        10,
        11,
        12,
        *range(19, 24),
    }
    assert np.isfinite(fields["precipitation"][0]).all() and np.nanmin(fields["precipitation"]) >= 0
    first = next(long_hours(GRID, **OPTIONS))
    nodes = decades._Nodes(GRID)
    expected = nodes.at(first.fields["stl1"])[-1]
    got = fields["soil_temperature"][np.flatnonzero(times == first.times[-1].astype("datetime64[ns]"))[0]]
    np.testing.assert_allclose(got, expected, atol=2**-7 + 1e-6)
    flat = nodes.at(np.full((1, *GRID.shape), 7.0))
    np.testing.assert_allclose(flat, 7.0, rtol=1e-6)


def counting(n, how):
    yield from range(n)
    if how == "fails":
        raise ConfigError("E-CONFIG", cause="it was meant to")
    if how == "dies":
        os._exit(9)


def test_beside_gives_the_same_and_hands_on_what_goes_wrong(monkeypatch):
    assert list(decades.beside(counting, 3, "ends", workers=1)) == [0, 1, 2]
    assert list(decades.beside(counting, 3, "ends")) == [0, 1, 2]
    with pytest.raises(ConfigError, match="meant to"):
        list(decades.beside(counting, 1, "fails"))
    with pytest.raises(DiskError, match="code 9"):
        list(decades.beside(counting, 0, "dies"))


@pytest.fixture(scope="module")
def ground():
    grid = named("M09").around(97.0, 36.0, (12, 12))
    return grid, long_ground(grid, seed=1)


def test_maps_read_back(tmp_path, ground):
    grid, of = ground
    decades_ground.write_maps(tmp_path, ground=of, grid=grid)
    cover = read_clcd(tmp_path / "landcover" / "CLCD_v01_2015.tif")
    assert set(np.unique(cover["land_cover_clcd"])) <= set(map(float, CLCD)) and cover.attrs["year"] == "2015"
    climate = np.unique(read_koppen(tmp_path / "koppen" / "koppen_geiger.tif")["climate"])
    assert {CLIMATES[int(c) - 1] for c in climate} <= {"BWk", "BSk", "Dwc", "ET"} and len(climate) > 1
    frost = read_classes(tmp_path / "permafrost" / "permafrost.tif", codes=tmp_path / "permafrost" / "codes.csv")
    assert frost["classes"].attrs["flag_meanings"].startswith("very_stable stable semi-stable")
    assert set(np.unique(frost["classes"])) <= set(range(1, 7)) and np.isfinite(frost["classes"]).all()
    codes, where = tmp_path / "regions" / "codes.csv", tmp_path / "regions" / "regions.geojson"
    region = read_classes(where, codes=codes, field="value", grid=grid)["classes"].values
    assert (np.diff(region, axis=1) >= 0).all() and np.unique(region, return_counts=True)[1].tolist() == [48, 48, 48]


def test_classes_by_hand():
    pixel = {"water_fraction": [0.4, 0, 0, 0, 0, 0], "elevation": [2400, 4400, 3000, 3000, 2400, 3000]}
    pixel |= {"arid": [0, 0, 0.6, 0.2, 0.05, 0.2], "forest": [0, 0, 0, 0.5, 0.1, 0.1]}
    pixel = {n: np.array(v, float) for n, v in pixel.items()}
    assert decades_ground.land_cover(pixel).tolist() == [5, 6, 7, 2, 1, 4]
    pixel = {"mean": [0, 0, 0, -3], "amplitude": [12, 12, 12, 12], "arid": [0.6, 0.4, 0.1, 0.1]}
    found = decades_ground.climate({n: np.array(v, float) for n, v in pixel.items()})
    assert [CLIMATES[c - 1] for c in found] == ["BWk", "BSk", "Dwc", "ET"]


def test_places_of_thermometers(ground):
    grid, of = ground
    when = {"start": np.datetime64("2014-01-01"), "end": np.datetime64("2015-12-31")}
    cma = decades_sites.make_cma(of, grid, n=20, seed=1, **when)
    rounded = (np.round(cma[n].values * 60) / 60 for n in ("lon", "lat"))
    row, col = grid.locate(*rounded)
    np.testing.assert_array_equal(row, cma["row"].values)
    np.testing.assert_array_equal(col, cma["col"].values)
    dense = decades_sites.make_networks(of, grid, nodes=7, seed=1)
    assert dense.sizes["site"] == 42
    for name in decades_sites.NETWORKS:
        mine = dense.isel(site=np.flatnonzero(dense["network"].values == name))
        assert np.ptp(mine["row"].values) <= 1 and np.ptp(mine["col"].values) <= 1
        assert all(s.startswith("TWIN-") for s in mine["site"].values)
    row, col = grid.locate(dense["lon"].values, dense["lat"].values)
    np.testing.assert_array_equal(row, dense["row"].values)
    np.testing.assert_array_equal(col, dense["col"].values)
    with pytest.raises(ConfigError, match="the window has"):
        decades_sites.make_cma(of, grid, n=500, seed=1, **when)
    with pytest.raises(ConfigError, match="too few"):
        decades_sites.make_networks(of, GRID, nodes=1, seed=1)


def test_extremes_are_those_of_the_skin():
    block = next(
        long_earth(
            GRID, start_year=2014, end_year=2014, seed=1, warming=0.0, cells=(np.array([1, 3]), np.array([2, 4]))
        )
    )
    held = long.long_cells(long_ground(GRID, seed=1), GRID)
    first, last = world.origin("2014-01-01"), np.datetime64("2014-12-31")
    marched = column.march(held, long._weather(GRID, 1, first, last, 0.0))
    day = next(d for d in marched if d.date == block["time"].values[3].astype("datetime64[D]"))
    skin = np.stack([s.skin for s in day.states])[:, [7, 19]] + column.KELVIN
    np.testing.assert_allclose(block["ground_min"].values[3], skin.min(0), atol=1e-3)
    np.testing.assert_allclose(block["ground_max"].values[3], skin.max(0), atol=1e-3)
    assert xr.DataArray(block["ground_max"] > block["ground_min"]).all()
