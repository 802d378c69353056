import numpy as np
import pytest
import xarray as xr

from frostline.grid import named
from frostline.twin import stations
from frostline.twin.ground import make_ground
from frostline.twin.stations import make_stations, observe

GRID = named("N09").around(140.0, 57.0, (32, 32))
SPAN = {"start": "2016-07-01", "end": "2018-06-30"}


@pytest.fixture(scope="module")
def ground():
    return make_ground(GRID, seed=1)


@pytest.fixture(scope="module")
def sites(ground):
    return make_stations(ground, GRID, n=60, seed=1, **SPAN)


def test_places(ground, sites):
    row, col = GRID.locate(sites["lon"].values, sites["lat"].values)
    np.testing.assert_array_equal(row, sites["row"])
    np.testing.assert_array_equal(col, sites["col"])
    assert ground["land"].values[row, col].all()
    assert (ground["water_fraction"].values[row, col] < stations.WATER_LIMIT).all()
    assert len(set(zip(row.tolist(), col.tolist(), strict=True))) == 54  # a tenth are second in their cell
    assert len(np.unique(sites["lon"])) == 60 and len(np.unique(sites["site"])) == 60
    assert set(np.unique(sites["network"])) == set(stations.NETWORKS)
    assert (sites["depth"] == np.float32(0.05)).all() and (sites["elevation"] >= 0).all()


def test_spread_grows_with_terrain(ground):
    many = make_stations(ground, GRID, n=500, seed=3, **SPAN)
    terrain = ground["terrain_std"].values[many["row"].values, many["col"].values]
    standard = many["offset"].values / (0.8 * (1 + terrain / 150))
    assert standard.std() == pytest.approx(1.0, abs=0.1) and abs(standard.mean()) < 0.15


def test_a_seed_is_a_network_and_too_many_is_an_error(ground, sites):
    assert make_stations(ground, GRID, n=60, seed=1, **SPAN).identical(sites)
    assert not make_stations(ground, GRID, n=60, seed=2, **SPAN).identical(sites)
    with pytest.raises(ValueError, match="land cells"):
        make_stations(ground, GRID, n=5000, seed=1, **SPAN)


def test_outages_are_by_year_and_bounded(sites):
    begin, back = sites["outage_begin"].values, sites["outage_end"].values
    assert begin.shape == (60, 3)  # 2016, 2017, 2018
    assert 0.4 < (~np.isnat(begin)).mean() < 0.8
    days = (back - begin)[~np.isnat(begin)] / np.timedelta64(1, "D")
    assert days.min() >= 1 and days.max() <= stations.OUTAGE_DAYS


def place(lons, **changed):
    """Sites at given longitudes, without offsets or outages."""
    n = len(lons)
    values = {
        "offset": ("site", np.zeros(n, np.float32)),
        "outage_begin": (("site", "outage"), np.full((n, 1), np.datetime64("NaT"), "datetime64[D]")),
        "outage_end": (("site", "outage"), np.full((n, 1), np.datetime64("NaT"), "datetime64[D]")),
    } | changed
    return xr.Dataset(values, coords={"site": np.arange(n).astype(str), "lon": ("site", np.asarray(lons, float))})


def local_hours(n_sites, days, block_days):
    """Blocks whose temperature is the local solar hour since the first midnight, from 3 h on."""
    first = np.datetime64("2016-12-30", "ns")
    hours = 3.0 * np.arange(1, 8 * days + 1)
    for i in range(0, len(hours), 8 * block_days):
        part = hours[i : i + 8 * block_days]
        yield xr.Dataset(
            {"soil_temperature_3h": (("time_3h", "site"), np.repeat(part[:, None], n_sites, 1))},
            coords={"time_3h": first + (part * 3600e9).astype("timedelta64[ns]")},
        )


LONS = [-179.0, -90.0, 0.0, 141.0, 180.0]


@pytest.mark.parametrize("block_days", [1, 3, 10])
def test_times_are_utc(monkeypatch, block_days):
    monkeypatch.setattr(stations, "NOISE_SD", 0.0)
    out = xr.concat(observe(place(LONS), local_hours(5, 10, block_days), seed=1), "time")
    utc = out["time"].values
    assert utc[0] == np.datetime64("2016-12-30T00") and utc[-1] == np.datetime64("2017-01-08T21")
    assert (np.diff(utc) == np.timedelta64(3, "h")).all()
    hour = (utc - utc[0]) / np.timedelta64(1, "h")
    local = hour[:, None] + np.array(LONS) / 15
    inside = (local >= 3) & (local <= 240)
    t = out["soil_temperature"].values
    np.testing.assert_array_equal(np.isfinite(t), inside)
    np.testing.assert_allclose(t[inside], local[inside], rtol=1e-5)
    # local 06 h at 141 E on 1 January is 20:36 UTC of 31 December: between its neighbours' 18 and 21 h
    at = out.sel(time=["2016-12-31T18", "2016-12-31T21"])["soil_temperature"].values[:, 3]
    assert at[0] < 48 + 6 < at[1]


def test_blocks_do_not_show_in_the_noise():
    a, b = (xr.concat(observe(place(LONS), local_hours(5, 12, n), seed=1), "time") for n in (2, 12))
    assert a.identical(b)


def test_noise_has_its_spread_and_memory():
    out = xr.concat(observe(place([0.0] * 200), local_hours(200, 40, 8), seed=1), "time")["soil_temperature"].values
    noise = out[1:] - 3.0 * np.arange(1, len(out))[:, None]
    assert noise.std() == pytest.approx(0.6, abs=0.04)
    daily = np.corrcoef(noise[:-8].ravel(), noise[8:].ravel())[0, 1]
    assert daily == pytest.approx(0.8, abs=0.04)


def test_offset_and_outage(monkeypatch):
    monkeypatch.setattr(stations, "NOISE_SD", 0.0)
    changed = place(
        [0.0, 0.0],
        offset=("site", np.array([0.0, 1.5], np.float32)),
        outage_begin=(("site", "outage"), np.array([["2017-01-01"], ["NaT"]], "datetime64[D]")),
        outage_end=(("site", "outage"), np.array([["2017-01-03"], ["NaT"]], "datetime64[D]")),
    )
    t = xr.concat(observe(changed, local_hours(2, 8, 3), seed=1), "time")["soil_temperature"]
    gone = np.isnan(t.isel(site=0).values)
    gone[0] = False  # 00 UTC of the first day lies before the first local step
    assert t["time"].values[gone][[0, -1]].tolist() == np.array(["2017-01-01T00", "2017-01-02T21"], "M8[ns]").tolist()
    assert gone.sum() == 16
    both = np.isfinite(t).all("site").values
    np.testing.assert_allclose(t.values[both, 1] - t.values[both, 0], 1.5, atol=1e-4)
