"""reader(writer(x)) = x: the twin's writers and the readers share no constant, only the agencies' formats."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from frostline import regrid
from frostline.grid import named, regular
from frostline.read.amsr2 import list_amsr2, load_amsr2, read_amsr2
from frostline.read.cetb import list_cetb, load_cetb, read_cetb
from frostline.read.era5 import load_era5
from frostline.read.insitu_ismn import read_ismn
from frostline.read.insitu_uscrn import read_uscrn
from frostline.read.statics import load_elevation, load_land_cover, static_grid
from frostline.twin import write_amsr2, write_cetb, write_era5, write_insitu, write_statics
from frostline.twin.ground import make_ground

WINDOW = named("N09").around(135.0, 54.5, (9, 11))
CENT = 0.005 + 2e-4  # half of the packed 0.01 K, and its float32 scale factor's error at 350 K
MANY = settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def kelvin(seed, shape, missing=0.3):
    rng = np.random.default_rng(seed)
    tb = rng.uniform(60.0, 340.0, shape).astype("f4")
    tb[rng.random(shape) < missing] = np.nan
    return tb


@pytest.mark.parametrize("version", ["v2", "v3"])
@MANY
@given(seed=st.integers(0, 99), overpass=st.sampled_from([0, 1]), polarization=st.sampled_from(["V", "H"]))
def test_cetb(tmp_path, version, seed, overpass, polarization):
    tb = kelvin(seed, WINDOW.shape)
    minutes = np.where(np.isfinite(tb), np.round(np.linspace(-300, 300, tb.size)).reshape(tb.shape), np.nan)
    date = np.datetime64("2016-02-29") + seed
    path = write_cetb.write(
        tmp_path,
        date=date,
        overpass=overpass,
        polarization=polarization,
        tb=tb,
        tb_time=minutes,
        window=WINDOW,
        version=version,
    )
    name = f"tb_1{polarization.lower()}"
    back = load_cetb(path, window=WINDOW, time=True)
    assert (np.isnan(back[name]) == np.isnan(tb)).all()
    assert np.nanmax(np.abs(back[name] - tb)) <= CENT
    np.testing.assert_array_equal(back["tb_time"], minutes.astype("f4"))
    (found,) = [f for f in list_cetb(tmp_path) if f.path == path]
    assert (found.date, found.overpass, found.channel) == (date, overpass, name)
    whole = read_cetb(path)
    row, col = WINDOW.offset(named("N09"))
    inside = whole[name][0, 0, row : row + 9, col : col + 11].values
    np.testing.assert_array_equal(inside, back[name])
    assert int(whole[name].notnull().sum()) == int(np.isfinite(tb).sum())


@MANY
@given(seed=st.integers(0, 99), orbit=st.sampled_from(["A", "D"]), frequency=st.sampled_from([18, 36]))
def test_amsr2_also_across_greenwich(tmp_path, seed, orbit, frequency):
    v, h = kelvin(seed, (7, 12)), kelvin(seed, (7, 12)) * 0.9 + 20
    path = write_amsr2.write(
        tmp_path,
        date="2017-01-01",
        orbit=orbit,
        frequency=frequency,
        tb_v=v,
        tb_h=h,
        minutes=np.full(v.shape, 700.0),
        row=340,
        col=3595,
    )
    around = regular(0.1, left=-0.5, top=56.0, shape=(7, 12))
    back = load_amsr2(path, window=around)
    for name, tb in ((f"tb_{frequency}v", v), (f"tb_{frequency}h", h)):
        assert (np.isnan(back[name]) == np.isnan(tb)).all()
        assert np.nanmax(np.abs(back[name] - tb)) <= CENT
    assert [f.overpass for f in list_amsr2(tmp_path) if f.path == path] == [{"D": 0, "A": 1}[orbit]]
    assert read_amsr2(path, window=around).sizes["x"] == 12


@pytest.mark.parametrize(("layout", "error"), [("new", 0.0), ("old", 2e-3)])
def test_era5(tmp_path, layout, error):
    rng = np.random.default_rng(3)
    times = np.datetime64("2016-12-01", "h") + np.arange(50)
    lat, lon = 56.0 - 0.25 * np.arange(6), 170.0 + 0.25 * np.arange(60)
    stl1 = (270 + 15 * rng.standard_normal((50, 6, 60))).astype("f4")
    stl1[3, 2, 5] = np.nan
    path = write_era5.write(
        tmp_path, times=times, latitude=lat, longitude=lon, fields={"stl1": stl1, "sd": stl1 * 0 + 0.1}, layout=layout
    )
    got, fields = load_era5(path, names=["soil_temperature", "swe"])
    assert (got == times.astype("datetime64[ns]")).all()
    assert (np.isnan(fields["soil_temperature"]) == np.isnan(stl1)).all()
    assert np.nanmax(np.abs(fields["soil_temperature"] - stl1)) <= error
    assert np.nanmax(np.abs(fields["swe"] - 0.1)) <= 1e-5


def test_terrain_and_land_cover_come_back_on_the_cells(tmp_path):
    ground = make_ground(WINDOW, seed=4, land=np.ones(WINDOW.shape, bool))
    dem = write_statics.write_dem(tmp_path, ground=ground, grid=WINDOW)
    cover = write_statics.write_land_cover(tmp_path, ground=ground, grid=WINDOW)
    mean, count = regrid.area_mean(load_elevation([dem]), static_grid([dem]), WINDOW)
    assert count.min() > 10
    assert np.abs(mean - ground["elevation"].values).max() < 0.6  # metres are whole numbers in the file
    back = regrid.majority(load_land_cover([cover]), static_grid([cover]), WINDOW)
    np.testing.assert_array_equal(back, ground["land_cover"].values)


def test_stations(tmp_path):
    times = np.datetime64("2017-03-01", "m") + 180 * np.arange(400)
    kelvin_series = (273.15 + 4 * np.sin(np.arange(400) / 30)).astype("f4")
    kelvin_series[50:60] = np.nan
    known = np.isfinite(kelvin_series)
    place = {"lon": 135.12, "lat": 54.34, "depth": 0.05, "times": times, "kelvin": kelvin_series}
    write_insitu.write_ismn(tmp_path / "ismn", network="TWIN", station="TWIN-007", elevation=120.0, **place)
    write_insitu.write_uscrn(tmp_path / "uscrn", station="Chumikan 3 W", **place)
    for read, folder, error in ((read_ismn, "ismn", 0.006), (read_uscrn, "uscrn", 0.051)):
        (series,), problems = read(tmp_path / folder)
        assert not problems
        assert (series.lon, series.lat) == pytest.approx((135.12, 54.34), abs=1e-4)
        assert series.depth == pytest.approx(0.05)
        shared = np.isin(times[known], series.times.astype("datetime64[m]"))
        assert shared.mean() > 0.99  # ISMN: one value in a thousand is made bad and flagged C01
        at = np.searchsorted(series.times, times[known][shared])
        assert np.abs(series.temperature[at] - kelvin_series[known][shared]).max() < error


def test_a_whole_year_of_names_is_understood(tmp_path):
    days = np.arange("2016-01-01", "2017-01-01", dtype="datetime64[D]")
    for version in ("v2", "v3"):
        for date in days[::30]:
            name = write_cetb.file_name(date, overpass=0, polarization="V", version=version)
            (tmp_path / name).touch()
    assert len(list_cetb(tmp_path)) == len(days[::30])
    assert len(list_cetb(tmp_path).superseded) == len(days[::30])  # v2 gives way to v3
