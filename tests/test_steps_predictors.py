from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import test_read_esdr as esdr_by_hand
import test_read_smap as smap_by_hand
from china_files import (
    GRID,
    by_clock,
    experiment,
    ramp,
    rows_of,
    run_at,
    write_era5,
    write_esdr_day,
    write_smap_day,
)
from frostline import schema, store
from frostline.errors import ConfigError, InputError
from frostline.grid import named
from frostline.runs import read_json, record_step
from frostline.steps import agency_labels, archives, classes, predictors, soil_hours

NAMES = ("soil_temperature", "precipitation")


def blocks(files, days, *, steps=(3, 1), span=2, mode="local", refuse=None, names=NAMES):
    moments = soil_hours.Moments.of(GRID, mode)
    days = np.arange(days[0], days[1], dtype="datetime64[D]").astype("datetime64[ns]")
    stream = soil_hours.hourly_fields(
        files,
        GRID,
        names=names,
        low=days[0] - np.timedelta64(1, "D"),
        high=days[-1] + np.timedelta64(2, "D"),
        of_day=np.unique(moments.wanted((0, *steps)) % 24),
        method="bilinear",
        refuse=refuse or (lambda product, path, error: pytest.fail(str(error))),
    )
    parts = list(soil_hours.sampled(stream, moments, days=days, span=span, names=names, steps=steps))
    return {n: np.concatenate([p[n] for p in parts]) for n in parts[0]}


def test_moments_are_whole_utc_hours_and_a_rest():
    local, utc = soil_hours.Moments.of(GRID, "local"), soil_hours.Moments.of(GRID, "utc")
    lon = GRID.lonlat()[0]
    # 6 h local at 97 E: 6 - 97/15 = -0.4667, an hour before midnight and 0.5333 of it
    assert (local.hour[0] == -1).all() and (local.hour[1] == 11).all()
    np.testing.assert_allclose(local.rest[0], 7.0 - lon / 15.0, atol=1e-6)
    assert (utc.hour[0] == 6).all() and (utc.hour[1] == 18).all() and not utc.rest.any()
    assert local.wanted((0, 2)).tolist() == [-3, -2, -1, 0, 9, 10, 11, 12]
    assert utc.wanted((0, 2)).tolist() == [4, 6, 16, 18]  # whole hours need none beside them


def test_reanalysis_is_linear_between_hours_and_rain_is_of_the_hour_that_holds_the_instant(tmp_path):
    write_era5(tmp_path, "2015-12-30T00", "2016-01-08T23", ramp, rain=by_clock)
    got = blocks(sorted(tmp_path.iterdir()), ("2015-12-31", "2016-01-06"))
    lon = GRID.lonlat()[0]
    for t, day in enumerate(np.arange("2015-12-31", "2016-01-06", dtype="datetime64[D]")):
        midnight = (day - np.datetime64("2016-01-01")) / np.timedelta64(1, "h")
        for o, hour in enumerate((6.0, 18.0)):
            at = midnight + hour - lon / 15.0
            np.testing.assert_allclose(got["overpass_temperature"][t, o], 270 + 0.01 * at, atol=2e-4)
            for k, before in enumerate((3, 1)):
                np.testing.assert_allclose(got["soil_temperature"][t, o, k], 270 + 0.01 * (at - before), atol=2e-4)
    # 06 h local is 23:32 UTC; three hours before, 20:32 lies in the hour that ends at 21; then 22:32 in that of 23
    for t in range(1, 6):
        np.testing.assert_allclose(got["precipitation"][t, 0].mean(axis=(1, 2)), [21e-4, 23e-4], atol=1e-7)
        np.testing.assert_allclose(got["precipitation"][t, 1].mean(axis=(1, 2)), [9e-4, 11e-4], atol=1e-7)


def test_utc_needs_no_neighbour_and_the_hour_over_a_month_is_undone(tmp_path):
    write_era5(tmp_path, "2015-12-30T00", "2016-01-04T18", ramp, rain=by_clock)
    got = blocks(sorted(tmp_path.iterdir()), ("2016-01-01", "2016-01-05"), steps=(6, 1), mode="utc")
    midnights = 24.0 * np.arange(4)[:, None, None]
    wanted = np.broadcast_to(270.06 + 0.01 * midnights, (4, *GRID.shape))
    np.testing.assert_allclose(got["overpass_temperature"][:, 0], wanted, atol=1e-4)
    assert np.isfinite(got["overpass_temperature"][3, 1]).all()  # the last hour of all is 18 h itself
    # six hours before 06 UTC: the hour that ends at midnight, of the month before on 1 January
    np.testing.assert_allclose(got["precipitation"][:, 0, 0].mean(axis=(1, 2)), 24e-4, atol=1e-7)


def test_hours_that_no_file_has_are_told_in_one_line(tmp_path):
    for day in ("2016-01-01", "2016-01-02"):
        write_era5(tmp_path / day, f"{day}T08", f"{day}T12", ramp)
    files = sorted(tmp_path.rglob("*.nc"))
    with pytest.raises(InputError, match=r"E-INPUT-TIME .*not one file has the hours 00, 20, 21, 22, 23 UTC") as caught:
        blocks(files, ("2016-01-01", "2016-01-02"), names=("soil_temperature",))
    assert "\n" not in str(caught.value)


def test_a_gap_of_three_hours_is_bridged_for_states_and_not_for_sums_and_a_longer_one_is_unknown():
    have = np.array([0, 1, 4, 9])
    values = np.array([0.0, 1.0, 4.0, 9.0], np.float32)[:, None, None]
    wanted = np.arange(10)
    state = soil_hours._at(wanted, have, values, "soil_temperature").ravel()
    assert np.nan_to_num(state, nan=-1).tolist() == [0, 1, 2, 3, 4, -1, -1, -1, -1, 9]
    rained = soil_hours._at(wanted, have, values, "precipitation").ravel()
    assert np.nan_to_num(rained, nan=-1).tolist() == [0, 1, -1, -1, 4, -1, -1, -1, -1, 9]


def test_a_broken_file_is_refused_and_its_hours_alone_are_unknown(tmp_path):
    write_era5(tmp_path, "2015-12-25T00", "2016-02-05T23", ramp)
    files = sorted(tmp_path.iterdir())
    broken = files[1]
    broken.write_bytes(broken.read_bytes()[:5000])
    told = []
    got = blocks(
        files, ("2015-12-30", "2016-02-04"), refuse=lambda product, path, error: told.append((path, error.code))
    )
    assert [path for path, _ in told] == [broken]
    known = np.isfinite(got["overpass_temperature"][:, 1]).all(axis=(1, 2))
    assert known.tolist() == [True] * 2 + [False] * 31 + [True] * 3


def test_large_files_are_read_in_days_with_the_same_result(tmp_path, monkeypatch):
    write_era5(tmp_path, "2015-12-30T00", "2016-01-08T23", ramp, rain=by_clock)
    files = sorted(tmp_path.iterdir())
    whole = blocks(files, ("2015-12-31", "2016-01-06"))
    monkeypatch.setattr(soil_hours, "HOURS_HELD", 1)
    parts = blocks(files, ("2015-12-31", "2016-01-06"), span=3)
    for name, values in whole.items():
        np.testing.assert_array_equal(values, parts[name])


def states(product, entry, days, pool=None, refuse=None):
    days = np.arange(days[0], days[1], dtype="datetime64[D]").astype("datetime64[ns]")
    refuse = refuse or (lambda product, path, error: pytest.fail(str(error)))
    return np.stack(list(agency_labels.labels_by_date(product, entry, GRID, days, pool=pool, refuse=refuse)))


def test_a_smap_morning_east_of_90_lies_in_the_file_of_the_day_before(tmp_path):
    for k, day in enumerate(np.arange("2016-02-27", "2016-03-03", dtype="datetime64[D]")):
        write_smap_day(tmp_path, day, np.full((2, *GRID.shape), k % 2, float))  # 27th thawed, 28th frozen, ...
    got = states("smap", {"files": rows_of("smap", tmp_path)}, ("2016-02-28", "2016-03-05"))
    assert got[:, 0, 2, 2][:5].tolist() == [0, 1, 0, 1, 0]  # of 28 February: the file of the 27th
    assert got[:, 1, 2, 2][:4].tolist() == [1, 0, 1, 0]
    assert np.isnan(got[5]).all() and np.isnan(got[4, 1]).all()


def test_a_state_of_an_earlier_day_is_no_label(tmp_path):
    minutes = np.full((2, *GRID.shape), 700.0)
    minutes[:, :3] = -1000.0
    minutes[0] += 700.0
    path = write_smap_day(tmp_path, "2016-03-01", np.ones((2, *GRID.shape)), minutes=minutes)
    codes = agency_labels.smap_states(str(path), GRID)
    assert (codes[1, :3] == 255).all() and (codes[:, 3:] == 1).all()


def test_a_grid_of_other_cells_takes_the_nearest_of_smap(tmp_path):
    west = GRID.lonlat()[0] < 97.0
    path = write_smap_day(tmp_path, "2016-03-01", np.stack([west, ~west]).astype(float))
    coarse = named("M25").around(97.0, 36.0, (2, 2))
    lon, lat = coarse.lonlat()
    codes = agency_labels.smap_states(str(path), coarse)
    row, col = GRID.locate(lon, lat)
    inside = row >= 0
    assert inside.any() and (codes[0][inside] == west[row, col][inside]).all()
    assert (codes[1][inside] == ~west[row, col][inside]).all() and (codes[:, ~inside] == 255).all()


def test_the_36_km_product_and_geotiffs_teach_the_fine_grid_by_the_nearest_cell(tmp_path):
    values = smap_by_hand.fields(smap_by_hand.SIBERIA)
    values["freeze_thaw"][0, ::2] = 0
    path = smap_by_hand.granule(tmp_path / smap_by_hand.NAME, smap_by_hand.SIBERIA, values)
    fine = named("M09").around(110.0, 60.0, (8, 8))
    row, col = smap_by_hand.SIBERIA.locate(*fine.lonlat())
    got = agency_labels.smap_states(str(path), fine)
    np.testing.assert_array_equal(got, values["freeze_thaw"][:, row, col])
    assert {0, 1} == set(got[0].ravel().tolist()) and classes.smap_static([path], fine)["terrain_std"].max() == 120
    codes = np.tile(np.array([0, 1], "u1"), 24).reshape(6, 8)
    raster = esdr_by_hand.tiff(tmp_path / esdr_by_hand.AM.replace("h5", "tif"), codes)
    fine = named("M09").around(100.0, 35.0, (8, 8))
    row, col = esdr_by_hand.WINDOW.locate(*fine.lonlat())
    np.testing.assert_array_equal(agency_labels.esdr_states(str(raster), fine), 1 - codes[None, row, col])


def test_of_an_esdr_date_each_pass_comes_from_its_own_file_before_a_combined_one(tmp_path):
    one = np.ones((1, 8, 8))
    write_esdr_day(tmp_path, "2016-03-01", np.concatenate([one, 0 * one]))
    write_esdr_day(tmp_path, "2016-03-01", one, half="PM")
    write_esdr_day(tmp_path, "2016-03-02", one, half="AM")
    broken = write_esdr_day(tmp_path, "2016-03-03", np.concatenate([one, one]))
    broken.write_bytes(broken.read_bytes()[:3000])
    told = []
    entry = {"files": rows_of("esdr", tmp_path)}
    got = states("esdr", entry, ("2016-03-01", "2016-03-05"), refuse=lambda p, path, e: told.append((p, path, e.code)))
    assert (got[0] == 1).all()  # AM of the combined file, PM of its own
    assert (got[1, 0] == 1).all() and np.isnan(got[1, 1]).all()
    assert np.isnan(got[2:]).all() and told == [("esdr", str(broken), "E-INPUT-TRUNC")]


def a_run(folder, *, workers=1, **tables):
    data = folder / "data"
    write_era5(data / "era5land", "2015-12-28T00", "2016-02-06T23", ramp, rain=by_clock)
    thawed = np.zeros((2, *GRID.shape))
    for day in np.arange("2016-01-10", "2016-02-05", dtype="datetime64[D]"):
        write_smap_day(data / "smap", day, thawed)
        write_esdr_day(data / "esdr", day, np.ones((2, 8, 8)))
    (data / "smap" / "notes.txt").write_text("no file of the product")
    trial = experiment("2016-01-01", "2016-02-04", inputs=("era5land", "smap", "esdr"), **tables)
    run = run_at(folder, workers)
    notes = archives.read(trial, run)
    record_step(run, "read", "first", seconds=0.0, notes=notes)
    return trial, run, notes


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    trial, run, notes = a_run(tmp_path_factory.mktemp("china"), assemble={"windows": [3]})
    return trial, run, notes, predictors.assemble(trial, run)


def test_read_asks_a_record_for_its_own_span_alone(made):
    _, run, notes, _ = made
    inventory = read_json(run.path("inventory.json"))
    assert notes == {
        "smap": "26 files, 2016-01-10 to 2016-02-04",
        "esdr": "26 files, 2016-01-10 to 2016-02-04",
        "era5land": "3 files",
    }
    assert inventory["smap"]["missing_days"] == [] and inventory["smap"]["ignored"] == 1


def test_the_stack_holds_what_it_promises(made):
    _, run, _, notes = made
    assert notes == {"days": 35, "kept": 0, "sites": 0}
    ds = schema.check(store.open_store(run.path("stack.zarr")), schema.STACK)
    assert ds["soil_temperature"].dims == ("time", "overpass", "step", "y", "x")
    assert ds["step"].values.tolist() == [3, 2, 1]
    assert ds.attrs["precipitation_sources"] == [["era5land", "2016-01-01", "2016-02-04"]]
    assert (ds["label_reanalysis"] == (ds["overpass_temperature"] < 273.15)).all()
    assert np.isnan(ds["label_smap"].values[:9]).all() and (ds["label_smap"].values[10:] == 0).all()
    assert (ds["label_esdr"].values[9:] == 1).all()
    assert (ds["elevation"] == 4200).all() and (ds["terrain_std"] == 120).all() and (ds["land"] == 1).all()
    assert not {"climate", "region", "permafrost", "land_cover_clcd"} & set(ds.data_vars)
    # three days of both passes: of a ramp of 0.24 K a day the mean is 2.5 half days back
    late = (ds["overpass_temperature"] - ds["soil_temperature_3d"]).values[5:]
    np.testing.assert_allclose(late, 0.01 * 12 * 2.5, atol=0.011)


def test_assemble_goes_on_where_it_was_stopped_and_gives_the_same(made, tmp_path):
    trial, run, _, _ = made
    whole = store.open_store(run.path("stack.zarr")).load()
    journal = run.path("stack.zarr", store.JOURNAL)
    lines = journal.read_text().splitlines(keepends=True)
    journal.write_text("".join(line for line in lines if '"t": 3' not in line))  # days 3 and 30 to 34
    notes = predictors.assemble(trial, run)
    assert notes["kept"] == 3
    assert whole.identical(store.open_store(run.path("stack.zarr")).load())
    assert predictors.assemble(trial, run)["kept"] == 35


def test_broken_files_are_told_by_both_steps_and_cost_their_own_day(tmp_path, capsys):
    data, both = tmp_path / "data", np.ones((2, 8, 8))
    write_era5(data / "era5land", "2015-12-30T00", "2016-01-05T23", ramp)
    paths = [write_esdr_day(data / "esdr", f"2016-01-0{k}", both) for k in (1, 2, 3)]
    paths[0].write_bytes(b"<html>sign in</html>")
    trial, run = experiment("2016-01-01", "2016-01-03", inputs=("era5land", "esdr")), run_at(tmp_path)
    notes = archives.read(trial, run)
    assert notes["skipped_inputs"] == 1 and notes["esdr"] == "2 files, 2016-01-02 to 2016-01-03"
    assert "E-INPUT-HTML" in capsys.readouterr().err
    record_step(run, "read", "first", seconds=0.0, notes=notes)
    paths[1].write_bytes(paths[1].read_bytes()[:4000])  # after it was looked at
    assert predictors.assemble(trial, run)["skipped_inputs"] == 1
    assert list(read_json(run.path("inventory.json"))["esdr"]["unreadable"]) == [str(paths[1])]
    label = store.open_store(run.path("stack.zarr"))["label_esdr"].values
    assert np.isnan(label[:2]).all() and (label[2] == 1).all()


def test_batches_in_other_processes_give_the_same(tmp_path, monkeypatch):
    for k, day in enumerate(np.arange("2016-02-25", "2016-03-10", dtype="datetime64[D]")):
        write_smap_day(tmp_path, day, np.full((2, *GRID.shape), k % 3 == 0, float))
    entry, days = {"files": rows_of("smap", tmp_path)}, ("2016-02-26", "2016-03-09")
    alone = states("smap", entry, days)
    monkeypatch.setattr(agency_labels, "BATCH", 2)
    with ThreadPoolExecutor(2) as pool:
        np.testing.assert_array_equal(alone, states("smap", entry, days, pool))
    assert np.isfinite(alone[:-1]).all()


def test_without_a_reanalysis_there_are_no_predictors(tmp_path):
    write_smap_day(tmp_path / "data" / "smap", "2016-01-01", np.ones((2, *GRID.shape)))
    trial, run = experiment("2016-01-01", "2016-01-02", inputs=("smap",)), run_at(tmp_path)
    record_step(run, "read", "first", seconds=0.0, notes=archives.read(trial, run))
    with pytest.raises(ConfigError, match=r"inputs\.era5land is not named"):
        predictors.assemble(trial, run)
