"""The step that lets records judge each other: doubts first, known accuracies recovered, and what gives no number."""

import contextlib
import io

import numpy as np
import pytest
import xarray as xr

from china_evidence import WRONG, experiment, make
from frostline.clock import days
from frostline.errors import ConfigError
from frostline.grid import named
from frostline.runs import Run, read_json
from frostline.schema import record
from frostline.steps import boxes, indirect, shelf
from frostline.steps.common import load
from frostline.tally import TABLE
from frostline.validate.moments import moments

pytestmark = pytest.mark.slow

SETS = [
    ["fused", "stations", "reanalysis"],
    ["convlstm_smap", "convlstm_esdr", "reanalysis"],
    ["smap", "esdr", "reanalysis", "convlstm_smap"],
]


def test_maps_of_sets_that_are_no_longer_asked_for_go(tmp_path):
    run = make(tmp_path, twin=False)
    run.path("collocation_cells.nc").write_bytes(b"of an earlier run")
    notes = indirect.collocate(experiment(collocate={"sets": [], "resamples": 20}), run)
    assert notes["sets"] == 0 and not run.path("collocation_cells.nc").exists()


@pytest.mark.parametrize("members", [["smap", "esdr"], ["stations"] * 3, ["smap", "esdr", "smap"], []])
def test_sets_that_cannot_be_are_refused_before_any_is_counted(tmp_path, members):
    with pytest.raises(ConfigError, match=r"E-CONFIG  collocate\.sets: .*not three to 6 different records"):
        indirect.collocate(experiment(collocate={"sets": [SETS[0], members]}), Run(tmp_path))


@pytest.fixture(scope="module")
def collocated(tmp_path_factory):
    run = make(tmp_path_factory.mktemp("indirect"))
    told = io.StringIO()
    with contextlib.redirect_stderr(told):
        notes = indirect.collocate(experiment(collocate={"resamples": 60, "sets": SETS}), run)
    return run, notes, told.getvalue(), read_json(run.path("collocation.json"))["sets"]


def pick(rows, **wanted):
    found = [r for r in rows if all(r[k] == v for k, v in wanted.items())]
    assert len(found) == 1, (wanted, len(found))
    return found[0]


def test_a_member_that_feeds_another_is_said_before_any_number(collocated):
    _, _, told, (first, second, third) = collocated
    assert list(first) == ["members", "warnings", "cautions", "rows"]  # in the file, too
    assert first["warnings"][0].startswith("reanalysis is an input of fused: their errors are not independent")
    assert f"collocation of fused, stations, reanalysis: {first['warnings'][0]}" in told
    assert any("convlstm_smap and convlstm_esdr share an input" in line for line in second["warnings"])
    assert any(line.startswith("smap is an input of convlstm_smap") for line in third["warnings"])
    assert all("optimistic" in one["warnings"][-1] for one in (first, second, third))
    assert "8 stations" in first["cautions"][0] and not any("stations" in line for line in second["cautions"])


def test_known_accuracies_are_recovered_and_the_truth_stands_beside(collocated):
    _, _, _, (_, second, _) = collocated
    for member, wrong in (("convlstm_smap", 0.08), ("convlstm_esdr", 0.1), ("reanalysis", 0.09)):
        row = pick(second["rows"], stratum="all", overpass="am", member=member)
        assert row["status"] == "ok" and row["n"] == 366 * 6 * 9  # the land
        for name in ("sensitivity", "specificity"):
            assert row[f"true_{name}"] == pytest.approx(1 - wrong, abs=0.012)  # what `make` was told
            assert row[name] == pytest.approx(row[f"true_{name}"], abs=0.01)
            assert row[f"{name}_lo"] < row[name] < row[f"{name}_hi"]
            assert row[f"{name}_hi"] - row[f"{name}_lo"] < 0.06
        assert row["prevalence"] == pytest.approx((1 + row["b"]) / 2) and sum(row["rank_share"]) == pytest.approx(1)
    assert pick(second["rows"], stratum="all", overpass="am", member="convlstm_smap")["rank"] == 1


def test_strata_and_seasons_of_the_paper(collocated):
    _, notes, _, (first, _, third) = collocated
    assert notes["sets"] == 3 and notes["skipped"] == 0
    strata = {r["stratum"] for r in first["rows"]}
    assert {"all", "season:frozen", "season:transition", "landcover:forest", "climate:polar", "tci:>=350"} <= strata
    assert "season:thawed" not in strata  # the paper's: no variance there
    assert {r["member"] for r in third["rows"]} == set(SETS[2]) and {r["overpass"] for r in third["rows"]} == {
        "am",
        "pm",
    }
    winter = pick(first["rows"], stratum="season:frozen", overpass="am", member="fused")
    assert (
        winter["n"] == 62 * 8 and winter["n"] < pick(first["rows"], stratum="all", overpass="am", member="fused")["n"]
    )
    assert winter["sensitivity"] is None or winter["status"] == "ok"  # gated, never made up
    rows = third["rows"]
    gap = pick(rows, stratum="all", overpass="pm", member="smap")
    assert gap["dropped"] == pytest.approx(0.3 * 366 * 54, rel=0.1) and gap["n"] + gap["dropped"] == 366 * 54


def test_maps_of_cells_take_the_whole_period(collocated):
    run, _, _, _ = collocated
    maps = load(run.path("collocation_cells.nc"))
    assert maps["set"].values.tolist() == ["+".join(SETS[1]), "+".join(SETS[2])]
    assert maps["season"].values.tolist() == ["all", "frozen", "transition"]
    one = maps.sel(set="+".join(SETS[1]), season="all", overpass=0)
    assert one["sensitivity"].sel(member="convlstm_smap").dims == ("y", "x")
    assert int(one["n"].max()) == 731 and int(one["n"][:, 0].max()) == 0  # two years; the first column is no land
    found = one["sensitivity"].sel(member="convlstm_smap").values
    assert np.nanmedian(found) == pytest.approx(1 - WRONG["record_convlstm_smap"], abs=0.03)
    assert np.isnan(one["sensitivity"].sel(member="smap")).all()  # no member of that set


def test_what_gives_no_number_says_why(tmp_path, monkeypatch):
    """Constant, copied, too short, absent: a status or a reason, and None for every accuracy."""
    run = make(tmp_path, twin=False)
    real = shelf.records(experiment(), run)
    zero = real["esdr"].assign(frozen=real["esdr"]["frozen"] * 0.0)
    spoiled = {**real, "esdr": zero, "recalibrated": real["reanalysis"], "smap": real["smap"] * np.nan}
    monkeypatch.setattr(shelf, "records", lambda *_: spoiled)
    sets = [["fused", "esdr", "reanalysis"], ["fused", "recalibrated", "reanalysis"], ["smap", "esdr", "fused"]]
    table = experiment(collocate={"sets": sets, "resamples": 20})
    with contextlib.redirect_stderr(io.StringIO()) as told:
        notes = indirect.collocate(table, run)
    constant, copied, absent = read_json(run.path("collocation.json"))["sets"]
    assert {r["status"] for r in constant["rows"]} == {"zero_variance"}
    assert any("never changes" in line for line in constant["cautions"])
    assert {r["status"] for r in copied["rows"] if r["stratum"] == "all"} == {"identical"}
    for row in [*constant["rows"], *[r for r in copied["rows"] if r["stratum"] == "all"]]:
        assert row["sensitivity"] is row["specificity"] is row["b"] is None and row["rank"] == 0
        assert row["n"] > 0 and "true_sensitivity" not in row
    assert absent["skipped"] == "not known on days that taught nothing: smap" and absent["rows"] == []
    assert "not known on days that taught nothing: smap" in told.getvalue() and notes["skipped"] == 1
    short = {"train": [["2015-01-01", "2016-02-29"]], "validation": [["2016-03-06", "2016-12-31"]]}
    brief = experiment(split={**short, "heldout": [["2016-03-01", "2016-03-05"]], "buffer_days": 0})
    monkeypatch.setattr(shelf, "records", lambda *_: real)
    with contextlib.redirect_stderr(io.StringIO()):
        indirect.collocate(brief, Run(tmp_path))
    first = read_json(run.path("collocation.json"))["sets"][0]
    assert {r["status"] for r in first["rows"]} <= {"too_few", "zero_variance", "identical", "negative_product"}
    assert all(r["sensitivity"] is None for r in first["rows"])


def made(values):
    grid = named("M09").around(97.0, 36.0, (1, 1))
    field = np.asarray(values, np.float32)[:, None, None, None]
    return record(field, grid=grid, time=days("2001-01-01", "2004-12-31")[: len(values)], overpass=[0])


def test_true_shares_by_hand():
    """Frozen on five of eight days: a gets 4 of 5 and 3 of 3, b 5 of 5 and 1 of 3; on the ninth c knows nothing."""
    truth = made([1, 1, 1, 1, 1, 0, 0, 0, 1])
    a, b = made([1, 1, 1, 1, 0, 0, 0, 0, 0]), made([1, 1, 1, 1, 1, 0, 1, 1, 0])
    c = made([1, 0, 1, 0, 1, 0, 1, 0, np.nan])
    found = indirect.true_shares(moments({"a": a, "b": b, "c": c, "truth": truth})).squeeze()
    np.testing.assert_allclose(found["true_sensitivity"], [4 / 5, 1, 3 / 5])
    np.testing.assert_allclose(found["true_specificity"], [1, 1 / 3, 2 / 3])


def test_without_refit_the_closed_form_stands_alone():
    """Good products and few days: the closed form leaves the unit cube, which a refit would mend."""
    rng = np.random.default_rng(0)
    state = rng.random(700) < 0.5
    sums = moments({n: made(state ^ (rng.random(700) < w)) for n, w in (("a", 0.002), ("b", 0.1), ("c", 0.1))})
    found = indirect.with_intervals(sums, indirect.solve(sums), resamples=20).squeeze()
    assert int(found["status"]) == indirect.STATUS["outside_unit_interval"] and np.isfinite(found["psi"]).all()
    alone = indirect.closed_only(found)
    assert np.isnan(alone["psi"]).all() and np.isnan(alone["psi_lo"]).all()
    np.testing.assert_array_equal(alone["rank"], found["rank"])  # ranking needs no third moment


def test_maps_without_refit_have_holes(collocated):
    run, _, _, _ = collocated
    some = {n: ds for n, ds in shelf.records(experiment(), run).items() if n in SETS[1]}
    mended, alone = indirect.of_cells(some), indirect.of_cells(some, refit=False)
    outside = mended["status"] == indirect.STATUS["outside_unit_interval"]
    xr.testing.assert_equal(mended["status"], alone["status"])
    assert outside.any() and alone["sensitivity"].where(outside).isnull().all()
    assert mended["sensitivity"].where(outside).notnull().any()
    inside = mended["status"] == indirect.STATUS["ok"]
    close = np.abs(mended["sensitivity"] - alone["sensitivity"]).where(inside & (np.abs(mended["b"]) <= 0.9))
    assert float(close.max()) == pytest.approx(0, abs=1e-9)


def test_boxes_of_cells(collocated):
    run, notes, _, _ = collocated
    rows = read_json(run.path("boxes.json"))
    assert len(rows) == notes["boxes"]
    names = {"fused", "convlstm_smap", "convlstm_esdr", "smap", "esdr", "reanalysis", boxes.STATIONS}
    assert {r["record"] for r in rows} == names and {r["against"] for r in rows} == {"truth"}
    assert {r["group"] for r in rows} == {"all", "landcover", "climate", "tci"}
    one = pick(rows, **{"group": "landcover", "class": "forest"}, overpass="am", record="esdr", score="specificity")
    assert one["n"] == 12 and one["min"] <= one["q1"] <= one["median"] <= one["q3"] <= one["max"]
    assert one["median"] == pytest.approx(0.88, abs=0.03)
    station = pick(rows, **{"group": "all", "class": "all"}, overpass="am", record=boxes.STATIONS, score="accuracy")
    assert station["n"] == 8 and station["median"] > 0.9


def test_products_with_gaps_take_no_days_from_the_others():
    """Of four days SMAP saw two, the net knows three: the net is judged on three, SMAP on the one both know."""
    truth, fused = made([1, 1, 0, 0]), made([1, 1, 0, 1])
    net, smap = made([1, np.nan, 0, 0]), made([1, 0, np.nan, np.nan])
    sums = boxes.cell_sums({"fused": fused, "convlstm_smap": net, "smap": smap}, truth, truth["time"].values)
    assert {name: int(s["n"].sum()) for name, s in sums.items()} == {"fused": 3, "convlstm_smap": 3, "smap": 1}
    assert int(sums["fused"]["false_frozen"].sum()) == 1 and int(sums["smap"]["true_frozen"].sum()) == 1
    alone = boxes.cell_sums({"smap": smap}, truth, truth["time"].values)
    assert int(alone["smap"]["n"].sum()) == 2


def test_few_days_of_a_class_are_no_box():
    """Two cells with twelve and nine frozen days: a share of nine is chance."""
    grid = named("M09").around(97.0, 36.0, (1, 2))
    counts = {"true_frozen": [9, 9], "false_thawed": [3, 0], "true_thawed": [20, 30], "false_frozen": [0, 10]}
    sums = xr.Dataset(
        {name: (("overpass", "y", "x"), np.array([[counts[name]]], float)) for name in TABLE},
        {"overpass": np.array([0], np.int8)},
    )
    rows = boxes.spread_rows({"a": sums}, {"climate:polar": np.array([[False, True]])}, grid, "truth")
    values = {(r["group"], r["score"]): (r["n"], r["median"]) for r in rows}
    assert values["all", "sensitivity"] == (1, 0.75)
    assert values["all", "specificity"] == (2, 0.875)
    assert values["climate", "specificity"] == (1, 0.75)
    n, nothing = values["climate", "sensitivity"]
    assert n == 0 and np.isnan(nothing)


def test_without_a_twin_boxes_are_of_stations(tmp_path):
    run = make(tmp_path, twin=False)
    assert boxes.boxes(experiment(), run) > 0
    rows = read_json(run.path("boxes.json"))
    assert {r["against"] for r in rows} == {"stations"} and boxes.STATIONS not in {r["record"] for r in rows}
    assert pick(rows, group="all", overpass="pm", record="smap", score="accuracy")["n"] == 8
