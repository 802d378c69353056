"""Teachers beside the states in the tiny run; labels at SMAP's own minutes; the study that chose among them."""

import labels_scores
import numpy as np
import pytest

from frostline import store
from frostline.errors import ConfigError
from frostline.grid import regular
from frostline.labels import solar_labels, station_labels
from frostline.learn.channels import channel_names, scaled
from frostline.learn.samples import pack
from frostline.learn.scale import fit
from frostline.runs import read_json
from frostline.steps import mark_of
from frostline.steps.common import load
from frostline.steps.fields import observed_minutes
from frostline.steps.reference import relative
from frostline.steps.teachers import with_teachers
from frostline.teaching import teaching
from learn_stack import TB, small_stack
from test_labels import DATES, GRID, ZERO, clockwork, column, hourly, telling
from test_learn_train import WHOLE, quick
from twin_run import BRIEF, assembled, brief, copied, experiment, play, run_in, shared, shown  # noqa: F401


def test_without_a_wish_the_states_teach(assembled):  # noqa: F811
    run, settings = run_in(assembled), experiment(**{"train.reference": "none"})
    stack = relative(settings, run)
    same, names = with_teachers(settings, run, stack)
    assert same is stack and names == "label"


def test_teachers_are_made_of_the_stacks_temperatures_and_the_training_stations(assembled):  # noqa: F811
    settings = experiment(**{"train.reference": "none", "labels.soft": 1.5, "labels.band": 0.2})
    run = run_in(assembled)
    stack, names = with_teachers(settings, run, relative(settings, run))
    assert names == "teacher"
    held = store.open_store(assembled / "stack.zarr").load()
    want = teaching(held["soil_temperature"].values, threshold=273.15, soft=1.5, band=0.2)
    np.testing.assert_array_equal(stack["teacher_reanalysis"].values, want)
    # a cell with one training station: its own temperature
    sites = load(assembled / "sites.nc")
    row, col = settings_grid(settings).locate(sites["lon"].values, sites["lat"].values)
    mine = [k for k in np.flatnonzero(sites["role"].values == "train")
            if ((row == row[k]) & (col == col[k]) & (sites["role"].values == "train")).sum() == 1]  # fmt: skip
    assert mine
    for k in mine:
        kelvin = sites["soil_temperature"].sel(overpass=[0, 1])[..., k].values
        got = stack["teacher_station"][..., row[k], col[k]].values
        np.testing.assert_array_equal(got, teaching(kelvin, threshold=273.15, soft=1.5, band=0.2))
    # stations teach where they taught before, but for the band
    taught, states = stack["teacher_station"].notnull().values, held["label_station"].notnull().values
    assert taught.any() and not (taught & ~states).any() and (states & ~taught).sum() < 0.5 * states.sum()


def settings_grid(settings):
    from frostline.steps.common import grid_of

    return grid_of(settings)


@pytest.mark.parametrize("key", ["labels.soft", "labels.band", "labels.freezing"])
def test_what_teaches_asks_for_another_training_and_not_for_another_stack(assembled, key):  # noqa: F811
    run, plain = run_in(assembled), experiment()
    other = experiment(**{key: [272.85, 2.2] if key.endswith("freezing") else 0.5})
    assert mark_of("assemble", other, run) == mark_of("assemble", plain, run)
    assert mark_of("train", other, run) != mark_of("train", plain, run)


def test_what_chooses_stays_a_state_whatever_teaches(tmp_path):
    """Taught the opposite, a net is chosen by the states, which it contradicts."""
    stack = small_stack()
    stack = stack.assign(teacher_reanalysis=1 - stack["label_reanalysis"], teacher_station=1 - stack["label_station"])
    history = quick(stack, tmp_path, teachers="teacher", learning_rate=0.02).history
    assert history[-1]["mcc"] < -0.2


def test_soft_labels_reach_the_loss_as_they_are(tmp_path):
    stack = small_stack(4)
    stack["teacher_reanalysis"] = stack["label_reanalysis"] * np.float32(0.6) + np.float32(0.2)
    names, days = channel_names(stack, inputs=TB, statics=[]), np.array([True, True, False, False])
    scaler = fit(stack, scaled(names), days=days, area=WHOLE)
    how = {"channels": names, "scaler": scaler, "sources": ["reanalysis"], "days": days, "file": tmp_path / "a.npy"}
    taught = pack(stack, visible=WHOLE, labelled=WHOLE, labels="teacher", **how).labels
    want = stack["teacher_reanalysis"].values[:2].reshape(4, 1, 16, 16)
    np.testing.assert_allclose(taught, want, atol=2e-4)  # packed in halves


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"labels.soft": 1.0, "labels.freezing": [272.85, 2.2]}, "two answers"),
        ({"labels.time": "observed", "inputs.smap": None}, "needs inputs.smap"),
        ({"labels.band": 0.5, **BRIEF}, "only teach"),
        ({"labels.freezing": [272.85, 0.0]}, "labels.freezing"),
    ],
)
def test_labels_that_make_no_sense_are_refused(changes, said):
    with pytest.raises(ConfigError, match=said):
        experiment(**changes)


# --- at SMAP's own minutes


def test_a_cell_that_was_seen_is_sampled_at_its_minute_and_others_at_the_nominal_hour():
    own = np.full(GRID.shape, np.nan)
    own[0, column(120)] = -100.5  # minutes since 00 UTC: 22 h 19 min 30 s of the day before; nominal is -2 h
    fields = clockwork(hourly("2016-12-30", "2017-01-03"))
    found = list(solar_labels(fields, GRID, dates=DATES[1:], minutes=lambda day, code: own if code == 0 else None))
    got = {code: kelvin[0] - 272 for _, code, kelvin, _ in found}
    assert got[0][column(120)] == pytest.approx(-100.5 / 60, abs=1e-4)
    assert got[0][column(90)] == pytest.approx(0.0, abs=1e-4) and got[1][column(120)] == pytest.approx(10.0, abs=1e-4)


def test_a_station_is_sampled_at_the_minute_of_its_cell():
    world, times = regular(1.0), hourly("2016-12-30", "2017-01-03")
    series = [telling("a", 120.2, 10.3, times), telling("b", 90.2, 10.3, times)]
    row, col = world.locate([120.2], [10.3])
    own = np.full(world.shape, np.nan)
    own[row[0], col[0]] = -90.0
    found = station_labels(series, world, dates=DATES, minutes=lambda day, code: own if day == DATES[1] else None)
    got = found["soil_temperature"].sel(overpass=0).values - 200 - (DATES[:, None] - ZERO) / np.timedelta64(1, "h")
    usual = 6 - np.array([120.2, 90.2]) / 15
    np.testing.assert_allclose(got, [usual, [-1.5, usual[1]]], atol=1e-4)


def test_observed_labels_are_those_at_the_times_of_the_files(brief, tmp_path):  # noqa: F811
    run, changes = copied(brief, tmp_path / "run"), BRIEF | {"labels.time": "observed"}
    settings, inventory = experiment(**changes), read_json(brief / "inventory.json")
    grid, day = settings_grid(settings), np.datetime64("2016-05-11", "ns")
    lon = grid.lonlat()[0]

    def loud(product, path, error):
        raise error

    minutes = observed_minutes(inventory, grid, loud)
    assert minutes(np.datetime64("2011-01-01", "ns"), 0) is None  # no file of that day
    own = minutes(day, 0)
    seen = np.isfinite(own)
    late = (own - (360 - 4 * lon))[seen]  # after 6 h local
    assert seen.any() and (np.abs(late) < 30).all() and (np.abs(late) > 2).any()
    states, sites = shown(run, "stack"), shown(run, "sites")
    before = store.open_store(run / "stack.zarr")["soil_temperature"].sel(time=day).load()
    play(run, "assemble", **changes)
    after = store.open_store(run / "stack.zarr")["soil_temperature"].sel(time=day).load()
    assert shown(run, "stack") != states and shown(run, "sites") != sites
    unseen = ~seen
    np.testing.assert_array_equal(after[0].values[unseen], before[0].values[unseen])  # the nominal hour serves there
    moved = np.abs(after[0].values - before[0].values)[seen]
    assert (moved > 0).any() and np.nanmax(moved) < 3  # minutes, not hours


# --- the study


def test_the_study_takes_its_interval_over_seeds():
    """Seeds of +1, +2 and +3 points: 2 +- 4.3027 x 1 / sqrt(3) = 2 +- 2.4842, whatever each seed's own interval."""
    row = {
        "against": "truth",
        "stratum": "all",
        "split": "validation",
        "score": "accuracy_difference",
        "n": 10,
        "skill": 0.1,
    }
    made = {
        seed: {
            "commit": "abc",
            "rows": [
                row | {"record": "soft-states", "overpass": o, "value": v, "lo": v - 0.5, "hi": v + 0.5}
                for o in ("am", "pm")
            ],
        }
        for seed, v in ((11, 0.01), (12, 0.02), (13, 0.03))
    }
    (found,) = labels_scores.figures(made, ["soft"], "states", "teach", ": net")
    assert "+0.0200 [-0.0048, +0.0448]" in found and "| 60 | 0.10 |" in found and "| abc |" in found
