"""Fusing as a step, recalibration, and the shelf of records: what is fitted on whom, and what is then written."""

import numpy as np
import pytest
import xarray as xr

from emulator_run import experiment, make_run, write_record
from frostline import regrid, store
from frostline.errors import InputError
from frostline.fuse.rules import chance, log_odds
from frostline.grid import Grid
from frostline.runs import read_json
from frostline.schema import QUALITY, RECORD, check
from frostline.steps import fusion, recalibration, shelf
from frostline.steps.common import grid_of, load, roles, save
from frostline.steps.emulators import missing_path
from frostline.validate.collocation_doubts import preconditions

pytestmark = pytest.mark.slow

ALL = {"compare": ["literal3", "maxconf", "ctc"]}
NETS = ("convlstm_smap", "convlstm_esdr")


def with_nets(folder, one, *, wrong=(0.15, 0.1), stations=40):
    """A run whose networks' records are wrong by chance, in so many of all cell-days, and too sure of themselves."""
    run = make_run(folder, one, stations=stations)
    truth = store.open_store(run.path("truth.zarr"))["truth"].values
    r = np.random.default_rng(5)
    for name, share in zip(NETS, wrong, strict=True):
        said = np.where(r.random(truth.shape) < share, 1 - truth, truth)
        write_record(run, one, name, np.where(said == 1, 0.99, 0.01), {"inputs": shelf.made_of(one, name)})
    return run


@pytest.fixture(scope="module")
def fused(tmp_path_factory):
    one = experiment(fuse=ALL)
    run = with_nets(tmp_path_factory.mktemp("china"), one)
    return one, run, fusion.fuse(one, run), read_json(run.path("fusion.json"))


def values(run, name):
    return store.open_store(shelf.record_path(run, name))["frozen"].values


def test_temperatures_are_those_of_how_often_each_is_right(fused):
    _, _, notes, fitted = fused
    assert set(notes["records"]) == {"fused", "fused_literal3", "fused_maxconf", "fused_ctc"}
    assert notes["records"]["fused"] == 1462
    assert fitted["days"] == 244
    assert fitted["n"] == {"am": 244 * 20, "pm": 244 * 20}  # the training half of forty stations, all on land
    assert fitted["taught_by"] == "training stations"
    # sure to log 99, right .85 and .90 of the time, less what the stations differ from the cells by
    for code in ("am", "pm"):
        for name, share in zip(NETS, (0.85, 0.9), strict=True):
            warmth = np.log(99) / np.log(share / (1 - share))
            assert fitted["temperatures"][code][name] == pytest.approx(warmth, rel=0.15)
        assert fitted["weights"][code]["convlstm_esdr"] > fitted["weights"][code]["convlstm_smap"]
        assert sum(fitted["weights"][code].values()) == pytest.approx(1)
    assert fitted["weights"]["am"] != fitted["weights"]["pm"]  # each pass has stations of its own


def test_the_rules_are_applied_with_what_was_fitted(fused):
    one, run, _, fitted = fused
    stack = store.open_store(run.path("stack.zarr"))
    land = stack["land"].values == 1
    first, second = (values(run, n)[..., land] for n in NETS)

    def by_pass(of, n):
        return np.array([of[code][n] for code in ("am", "pm")])[None, :, None]

    tempered = [log_odds(p) / by_pass(fitted["temperatures"], n) for n, p in zip(NETS, (first, second), strict=True)]
    pulled = sum(by_pass(fitted["weights"], n) * odds for n, odds in zip(NETS, tempered, strict=True))
    np.testing.assert_allclose(values(run, "fused")[..., land], chance(pulled), atol=0.0051)
    surer = np.where(np.abs(tempered[1]) > np.abs(tempered[0]), tempered[1], tempered[0])
    np.testing.assert_allclose(values(run, "fused_maxconf")[..., land], chance(surer), atol=0.0051)
    # to the letter both are equally sure, so the tie goes to SMAP's, the first member
    np.testing.assert_array_equal(values(run, "fused_literal3")[..., land], first)
    for name in ("fused", "fused_literal3", "fused_maxconf", "fused_ctc"):
        ds = check(store.open_store(shelf.record_path(run, name)), RECORD)
        assert np.isnan(ds["frozen"].values[..., ~land]).all()
        assert ((ds["quality"].values[..., ~land] & QUALITY["outside_domain"]) > 0).all()
        agree = (first > 0.5) == (second > 0.5)
        if name != "fused_ctc":
            np.testing.assert_array_equal(ds["agreement"].values[..., land], agree)
    facts = store.open_store(run.path("record.zarr")).attrs
    assert facts["fusion_rule"] == one.fuse.rule == "pool"
    assert facts["fusion_records"] == list(NETS)
    assert facts["fusion_weights_pm"] == [fitted["weights"]["pm"][n] for n in NETS]


def test_collocation_finds_the_accuracies_that_errors_of_chance_have(fused):
    _, run, _, fitted = fused
    found = fitted["ctc"]
    assert found["members"] == [*NETS, "reanalysis"]
    assert "skipped" not in found
    for name, share in zip(NETS, (0.85, 0.9), strict=True):
        for kind in ("psi", "eta"):
            known = [v for v in found[kind][name] if v is not None]
            assert known
            np.testing.assert_allclose(known, share, atol=0.06)
    assert any("reanalysis is an input of convlstm_smap" in line for line in found["warnings"])
    facts = store.open_store(run.path("record_ctc.zarr")).attrs
    assert facts["warnings"] == found["warnings"]
    truth = store.open_store(run.path("truth.zarr"))["truth"].values
    p = values(run, "fused_ctc")
    known = np.isfinite(p)
    assert ((p > 0.5) == truth)[known].mean() > 0.93  # better than each network


def test_what_collocation_cannot_tell_makes_no_record(tmp_path, capsys):
    one = experiment(fuse={"compare": ["ctc"]})
    run = with_nets(tmp_path / "run", one, stations=4)
    write_record(run, one, "fused_ctc", np.zeros((731, 2, 8, 9)))  # of an earlier run
    notes = fusion.fuse(one, run)
    assert "fused_ctc" not in notes["records"]
    assert "too few samples" in read_json(run.path("fusion.json"))["ctc"]["skipped"]
    assert "no record is made" in capsys.readouterr().err
    assert not run.path("record_ctc.zarr").exists()


def test_judging_stations_and_judging_days_teach_nothing(fused, tmp_path):
    one, run, _, fitted = fused
    other = with_nets(tmp_path / "run", one)
    before = values(run, "recalibrated")
    sites = load(other.path("sites.nc"))
    role = roles(one)[0][:, None, None]
    teaches = sites["role"].values == "train"

    def spoil(days):
        sound = xr.DataArray(
            teaches & np.isin(role, days) & np.ones((1, 2, 1), bool), dims=("time", "overpass", "site")
        )
        save(other.path("sites.nc"), sites.assign(frozen=sites["frozen"].where(sound, 1 - sites["frozen"])))

    spoil(["train"])  # all else says the opposite
    recalibration.recalibrate(one, other)
    np.testing.assert_array_equal(values(other, "recalibrated"), before)
    spoil(["validation"])
    fusion.fuse(one.model_copy(update={"fuse": one.fuse.model_copy(update={"compare": ()})}), other)
    again = read_json(other.path("fusion.json"))
    assert {k: again[k] for k in ("temperatures", "weights", "n")} == {
        k: fitted[k] for k in ("temperatures", "weights", "n")
    }


def test_a_recalibrated_member_learns_from_no_judge(tmp_path):
    run = with_nets(tmp_path / "run", one := experiment(fuse={"members": [*NETS, "recalibrated"], "compare": []}))
    fusion.fuse(one, run)
    before, fitted = values(run, "fused"), read_json(run.path("fusion.json"))
    assert all(fitted["weights"][code]["recalibrated"] > 0 for code in ("am", "pm"))
    sites = load(run.path("sites.nc"))
    teaching = np.isin(roles(one)[0], ["train", "validation"])[:, None, None] & (sites["role"].values == "train")
    sound = xr.DataArray(teaching & np.ones((1, 2, 1), bool), dims=("time", "overpass", "site"))
    save(run.path("sites.nc"), sites.assign(frozen=sites["frozen"].where(sound, 1 - sites["frozen"])))
    fusion.fuse(one, run)  # all that judges says the opposite now
    np.testing.assert_array_equal(values(run, "fused"), before)
    assert read_json(run.path("fusion.json")) == fitted


def test_recalibration_takes_the_bias_off(fused):
    _, run, _, fitted = fused
    truth = store.open_store(run.path("truth.zarr"))["truth"].values
    stack = store.open_store(run.path("stack.zarr"))
    land = stack["land"].values == 1
    p = values(run, "recalibrated")
    brier = ((p - truth)[..., land] ** 2).mean()
    assert brier < ((stack["label_reanalysis"].values - truth)[..., land] ** 2).mean()
    assert np.isnan(p[..., ~land]).all()
    told = fitted["recalibrated"]
    assert told["am"]["n"] == told["pm"]["n"] == 355 * 20
    assert list(told["am"]["slopes"]) == ["overpass_temperature", "snow_depth", "soil_moisture"]
    assert told["am"]["slopes"]["overpass_temperature"] < 0  # warmer is less frozen
    quality = store.open_store(shelf.record_path(run, "recalibrated"))["quality"].values
    doubt = (quality & QUALITY["low_confidence"]) > 0
    assert doubt.any()
    assert (np.abs(p[doubt] - 0.5) < 0.106).all()


def test_without_stations(tmp_path):
    run = make_run(tmp_path / "run", experiment())
    run.path("sites.nc").unlink()
    truth = store.open_store(run.path("truth.zarr"))["truth"].values
    for name in NETS:
        write_record(run, experiment(), name, np.where(truth == 1, 0.6, 0.4))
    with pytest.raises(InputError, match=r"no station teaches the weights. Set fuse.weights"):
        fusion.fuse(experiment(), run)
    for weights in ("equal", "brier"):
        one = experiment(fuse={"weights": weights, "compare": []})
        fusion.fuse(one, run)
        fitted = read_json(run.path("fusion.json"))
        assert fitted["recalibrated"] == {"skipped": "no training station"}
        assert fitted["taught_by"] == "reanalysis"
        warmth = [t for each in fitted["temperatures"].values() for t in each.values()]
        assert all(0 < t < 1 for t in warmth)  # .6 was said of what is nearly always so
        assert "recalibrated" not in shelf.records(one, run)
    with pytest.raises(InputError, match=r"fuse.members, recalibrated: there is no such record"):
        fusion.fuse(experiment(fuse={"members": ["recalibrated"], "weights": "equal"}), run)


def test_nothing_fitted_is_the_plain_pool(tmp_path):
    table = {"weights": "equal", "temperature": False, "members": ["convlstm_smap", "reanalysis"], "compare": []}
    one = experiment(fuse=table)
    run = with_nets(tmp_path / "run", one)
    fusion.fuse(one, run)
    fitted = read_json(run.path("fusion.json"))
    for code in ("am", "pm"):
        assert fitted["temperatures"][code] == {"convlstm_smap": 1.0, "reanalysis": 1.0}
        assert fitted["weights"][code] == {"convlstm_smap": 0.5, "reanalysis": 0.5}
        assert fitted["n"][code] == 0
    assert "training stations" not in shelf.made_of(one, "fused")


def test_missing_as_a_class_has_a_say_to_the_letter_only(tmp_path):
    one = experiment(
        train={"head": "literal3"}, fuse={"weights": "equal", "temperature": False, "compare": ["literal3"]}
    )
    run = make_run(tmp_path / "run", one)
    claims, shape = {"convlstm_smap": (0.99, 0.9), "convlstm_esdr": (0.0, 0.0)}, (731, 2, 8, 9)
    later = np.arange(731)[:, None, None, None] >= 400
    for name, (p, missing) in claims.items():
        said = np.full(shape, p) if name == NETS[0] else np.where(later, 0.6, 0.05) * np.ones(shape)
        write_record(run, one, name, said)
        stack = store.open_store(run.path("stack.zarr"))
        path = shelf.new_store(one, missing_path(run, name), stack, variables=("missing",), attrs={})
        with store.writer(path) as write:
            write(0, {"missing": np.full(shape, missing, "float32")})
    fusion.fuse(one, run)
    land = store.open_store(run.path("stack.zarr"))["land"].values == 1
    letter, pool = values(run, "fused_literal3")[..., land], values(run, "fused")[..., land]
    np.testing.assert_allclose(letter[:400], 0.05, atol=1e-6)  # .95 for thawed is more than .9 for missing
    assert np.isnan(letter[400:]).all()  # .6 for frozen is less
    assert np.isfinite(pool).all()
    plain = experiment(fuse={"weights": "equal", "temperature": False, "compare": ["literal3"]})
    fusion.fuse(plain, run)  # those scores are of a former run: no network of this one has a third class
    np.testing.assert_allclose(values(run, "fused_literal3")[..., land], 0.99, atol=1e-6)


def test_the_shelf(fused):
    one, run, _, _ = fused
    records, references = shelf.records(one, run), shelf.references(one, run)
    assert list(records) == [
        *("fused", "fused_literal3", "fused_maxconf", "fused_ctc", *NETS, "recalibrated", "smap", "esdr"),
        *("reanalysis", "climatology", "climatology_truth"),
    ]
    assert list(references) == ["truth", "truth_t0", "reanalysis", "stations", "naqu"]
    for name in ("smap", "esdr", "reanalysis", "climatology"):
        assert records[name].chunks  # nothing is read before it is asked for
    land = store.open_store(run.path("stack.zarr"))["land"].values == 1
    assert np.isnan(records["reanalysis"]["frozen"].values[..., ~land]).all()
    assert set(references["stations"]["role"].values) == {"heldout"}
    assert references["naqu"].sizes["site"] == 10
    training = np.flatnonzero(roles(one)[0] == "train")
    label = records["reanalysis"]["frozen"].values[training]
    day = training[100]  # no other year teaches: within 7 days of the same day of this one
    near = label[np.abs(training - day) <= 7].mean(axis=0)
    np.testing.assert_allclose(records["climatology"]["frozen"].values[day], near, atol=1e-6)


def test_collocation_is_warned_of_what_feeds_what(fused):
    one, run, _, _ = fused
    found = shelf.records(one, run) | shelf.references(one, run)
    lines = preconditions({n: found[n] for n in ("fused", "stations", "reanalysis")})
    assert lines[0].startswith("reanalysis is an input of fused")
    assert not any("stations" in line for line in lines)  # those that taught are not those that judge
    lines = preconditions({n: found[n] for n in ("smap", "esdr", "reanalysis")})
    assert any("esdr and reanalysis share an input (era5)" in line for line in lines)
    assert not any("not known" in line for line in lines)


def test_fine_to_coarse(fused):
    one, run, _, _ = fused
    made, truth = shelf.coarse(one, run)
    assert set(made) == {"fused", "fused_literal3", "fused_maxconf", "fused_ctc", *NETS, "esdr", "climatology"}
    grid, wide = grid_of(one), Grid.of(truth)
    assert wide.step == pytest.approx(25067.525)
    rows, cols = wide.locate(*grid.lonlat())
    cell = np.bincount(rows.ravel() * wide.shape[1] + cols.ravel()).argmax()
    inside = (rows * wide.shape[1] + cols) == cell
    p = values(run, "convlstm_esdr")[5, 1]
    claimed = p[inside & np.isfinite(p)]
    share = made["convlstm_esdr"]["frozen"].isel(time=5, overpass=1).values.ravel()[cell]
    assert share == pytest.approx((claimed > 0.5).mean())
    full = regrid.area_mean(np.ones(grid.shape), grid, wide)[1]
    little = full < shelf.LEAST_COVER * full.max()
    assert little.any()  # at the window's edge
    assert np.isnan(truth["frozen"].values[..., little]).all()
    run.path("truth.zarr").rename(run.path("away"))
    assert not shelf.coarse(one, run)[1].data_vars
    run.path("away").rename(run.path("truth.zarr"))
