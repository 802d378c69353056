"""The china system's first step: every product reads back, in its own UTC days, and nothing of the truth is in it."""

import h5py
import numpy as np
import pytest
import xarray as xr

from frostline import store
from frostline.config_china import China
from frostline.errors import ConfigError
from frostline.grid import named
from frostline.read.era5 import load_era5
from frostline.read.esdr import list_esdr, load_esdr
from frostline.read.insitu_cma import read_cma
from frostline.read.insitu_ctp import read_ctp
from frostline.read.insitu_folder import read_folder
from frostline.read.smap import list_smap, load_smap, read_smap_static
from frostline.runs import Run
from frostline.steps.decades import twin
from frostline.steps.decades_states import _smap
from frostline.twin.long import long_ground
from frostline.twin.orbits import swath

pytestmark = pytest.mark.slow

GRID = named("M09").around(97.0, 36.0, (8, 8))
LON = GRID.lonlat()[0]
TABLES = {
    "title": "tiny",
    "grid": {"name": "M09", "center": (97.0, 36.0), "shape": (8, 8)},
    "period": {"start": "2015-01-01", "end": "2016-12-31"},
    "twin": {"seed": 6, "warming": 0.5, "stations": 6, "nodes": 2},
    "split": {"preset": "cui2024"},
}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    run = Run(tmp_path_factory.mktemp("china"), workers=1, quiet=True)
    notes = twin(China.model_validate(TABLES), run)
    return run.folder, notes


@pytest.fixture(scope="module")
def truth(made):
    return store.open_store(made[0] / "truth.zarr").load()


def agreement(states, truth):
    known = np.isfinite(states)
    return float(np.mean(states[known] == truth[known]))


def test_the_truth_is_whole(made, truth):
    assert truth["truth"].shape == (731, 2, 8, 8) and store.verified(made[0] / "truth.zarr").all()
    assert set(truth.data_vars) == {
        "truth", "truth_t0", "soil_temperature", "elevation", "land", "terrain_std", "water_fraction", "land_cover",
    }  # fmt: skip
    assert all(np.isfinite(truth[n]).all() for n in truth.data_vars)
    clear = abs(truth["soil_temperature"].values - 273.15) > 0.02  # stored in hundredths
    cold = truth["soil_temperature"].values < 273.15
    np.testing.assert_array_equal(truth["truth_t0"].values[clear], cold[clear])


def test_notes_count_the_files(made):
    folder, notes = made
    counts = {p.name: sum(1 for f in p.rglob("*") if f.is_file()) for p in (folder / "data").iterdir()}
    assert notes["files"]["esdr"] == counts["esdr"] == 731
    assert notes["files"]["smap"] == counts["smap"] and notes["files"]["era5land"] == counts["era5land"] == 25
    assert notes["files"]["cma"] == counts["cma"] == 24
    assert set(counts) == set(notes["files"])


def test_smap_holds_each_pass_in_its_utc_day(made, truth):
    """06 h at 97 E is 23:30 UTC of the day before: a file has the mornings of the next local date, and its evenings."""
    states = np.full(truth["truth"].shape, np.nan)
    dates = truth["time"].values.astype("datetime64[D]")
    found = list_smap(made[0] / "data" / "smap").found
    assert min(f.date for f in found) >= np.datetime64("2015-03-31") and max(f.date for f in found) <= dates[-1]
    for f in found[::2]:
        fields = load_smap(f.path, window=GRID)
        for p, date in ((0, f.date + 1), (1, f.date)):
            seen = np.isfinite(fields["tb_time"][p])
            expected = swath(GRID, [date], sensor="smap", overpass=p)[0]
            np.testing.assert_array_equal(seen, expected & (date <= dates[-1]))
            local = (fields["tb_time"][p] / 60.0 + LON / 15.0) % 24.0
            np.testing.assert_allclose(local[seen], (6.0, 18.0)[p], atol=1e-3)
            if date <= dates[-1]:
                states[(date - dates[0]).astype(int), p] = fields["frozen"][p]
    assert 0.1 < np.isfinite(states[120:]).mean() < 0.3  # of every other file
    assert 0.7 < agreement(states, truth["truth"].values) < 0.99
    statics = read_smap_static(found[0].path, window=GRID)
    known = statics["elevation"].notnull()
    assert known.any()
    np.testing.assert_allclose(statics["elevation"].values[known], truth["elevation"].values[known], rtol=1e-3)


def test_esdr_has_every_day_and_tells_what_was_filled(made, truth):
    grid = named("ML25")
    row, col = grid.locate(*GRID.lonlat())
    window = grid.window(slice(row.min(), row.max() + 1), slice(col.min(), col.max() + 1))
    found = list_esdr(made[0] / "data" / "esdr").found
    fields = [load_esdr(f.path, window=window) for f in found]
    np.testing.assert_array_equal([f.date for f in found], truth["time"].values.astype("datetime64[D]"))
    states = np.stack([f["frozen"] for f in fields])[..., row - row.min(), col - col.min()]
    assert np.isfinite(states).mean() > 0.9 and 0.6 < agreement(states, truth["truth"].values) < 0.99
    filled = np.stack([f["quality"] for f in fields]) > 0
    assert 0.05 < filled.mean() < 0.95


def test_era5land_is_a_reanalysis_and_not_the_truth(made, truth):
    """Sampled at the overpass it errs by some kelvin, more than its packing, less than a season."""
    errors, last = [], None
    days = truth["time"].values
    for path in sorted((made[0] / "data" / "era5land").iterdir()):
        times, fields = load_era5(path, before=last)
        last = path
        assert set(fields) == {"soil_temperature", "soil_moisture", "snow_depth", "precipitation"}
        assert all(np.isfinite(fields[n]).all() for n in fields if n != "precipitation")
        hour = (times - times.astype("datetime64[D]")) / np.timedelta64(1, "h")
        evening = np.flatnonzero(hour == 12)  # 18:28 local
        place = ((times[evening] - days[0]) / np.timedelta64(1, "D")).astype(int)
        mine = truth["soil_temperature"].values[place, 1].mean((1, 2))
        errors.append(fields["soil_temperature"][evening].mean((1, 2)) - mine)
    spread = np.concatenate(errors)
    assert len(spread) == 731 and 0.5 < spread.std() < 6.0


def test_stations_stand_in_the_truth(made, truth):
    dates = truth["time"].values
    series, _ = read_cma(made[0] / "data" / "cma")
    assert len(series) == 12 and all(int(s.site) >= 90001 for s in series)
    for p, sensor in enumerate(("daily-min", "daily-max")):
        hits = []
        for s in (s for s in series if s.sensor == sensor):
            row, col = (int(v) for v in GRID.locate(s.lon, s.lat))
            at = np.searchsorted(dates, s.times)
            known = np.isfinite(s.temperature)
            frozen = s.temperature[known] < 273.15
            hits.append(frozen == truth["truth"].values[at[known], p, row, col])
        assert np.concatenate(hits).mean() > 0.7
    ctp = made[0] / "data" / "ctp"
    for name in ("Naqu", "Pali"):
        nodes, problems = read_ctp(ctp / name, sites=ctp / name / "sites.csv")
        assert len(nodes) == 2 and not problems and {s.network for s in nodes} == {name}
        assert all(s.site.startswith("TWIN-") and s.depth == 0.05 for s in nodes)
        assert nodes[0].times[0] >= np.datetime64("2015-04-01")
    for name in ("Genhe", "Maqu", "Saihanba", "SDR"):
        nodes, problems = read_folder(made[0] / "data" / "networks" / name)
        assert len(nodes) == 2 and not problems and all(s.site.startswith("TWIN-") for s in nodes)


def test_nothing_of_the_truth_is_in_the_files(made):
    """Names of the twin's inner fields are nowhere; SMAP's temperatures, which tell more than its states, are empty."""
    data = made[0] / "data"
    for path in (next((data / p).iterdir()) for p in ("smap", "esdr", "era5land")):
        with h5py.File(path) as file:
            names: list[str] = []
            file.visit(names.append)
            assert not [n for n in names if "truth" in n.lower() or "ice_share" in n]
            for n in names:
                if n.endswith(("tbv_mean", "tbh_mean", "normalized_polarization_ratio")):
                    assert file[n].id.get_num_chunks() == 0
    assert not list(data.rglob("*.zarr"))


def test_refusals(tmp_path):
    run = Run(tmp_path, quiet=True)
    with pytest.raises(ConfigError, match="no whole calendar years"):
        twin(China.model_validate(TABLES | {"period": {"start": "2015-04-01", "end": "2016-12-31"}}), run)
    real = {k: v for k, v in TABLES.items() if k != "twin"}
    assert "skipped" in twin(China.model_validate(real), run)


def test_an_evening_in_the_west_lies_in_the_next_utc_day(tmp_path):
    """18 h at 120 W is 02 UTC of the day after; two evenings are seen, with ratios of 1.96 % and 5.05 %."""
    grid = named("M09").around(-120.0, 40.0, (2, 2))
    dates = np.arange("2016-01-01", "2016-08-01", dtype="datetime64[D]")
    tb = {"tb_1v": np.full((len(dates), 2, 2, 2), np.nan, np.float32)}
    tb["tb_1h"] = tb["tb_1v"].copy()
    for date, horizontal in (("2016-01-05", 250.0), ("2016-07-05", 235.0)):
        at = int((np.datetime64(date) - dates[0]).astype(int))
        tb["tb_1v"][at, 1], tb["tb_1h"][at, 1] = 260.0, horizontal
    fields = {n: (("time", "overpass", "y", "x"), v) for n, v in tb.items()}
    fields |= {n: (("time", "y", "x"), np.full((len(dates), 2, 2), 273.0, np.float32)) for n in ("air_min", "air_max")}
    coords = {"time": dates.astype("datetime64[ns]"), "overpass": [0, 1], "y": grid.y, "x": grid.x}
    era, ground = xr.Dataset(fields, coords=coords), long_ground(grid, seed=1)
    assert _smap(tmp_path, era, ground, grid) == 2
    found = list_smap(tmp_path).found
    assert [str(f.date) for f in found] == ["2016-01-06", "2016-07-06"]
    for f, state in zip(found, (1.0, 0.0), strict=True):
        back = load_smap(f.path, window=grid)
        assert (back["frozen"][1] == state).all() and np.isnan(back["frozen"][0]).all()
        np.testing.assert_allclose(back["tb_time"][1] / 60.0, 2.0, atol=0.02)
    assert _smap(tmp_path, era.isel(time=slice(0, 60)), ground, grid) == 0  # no summer: nothing to calibrate on
