"""The step that counts: its rows against numbers made again from the arrays, and what is left out and why."""

import contextlib
import io

import numpy as np
import pytest

from china_evidence import SHAPE, experiment, make
from frostline import store
from frostline.clock import season_china
from frostline.grid import Grid
from frostline.runs import read_json
from frostline.steps import direct, shelf

pytestmark = pytest.mark.slow

PARTS = ("frozen", "transition", "thawed")


@pytest.fixture(scope="module")
def judged(tmp_path_factory):
    run = make(tmp_path_factory.mktemp("direct"))
    notes = direct.validate(experiment(), run)
    return run, notes, read_json(run.path("scores.json"))


def pick(rows, **wanted):
    found = [r for r in rows if all(r[k] == v for k, v in wanted.items())]
    assert len(found) == 1, (wanted, len(found))
    return found[0]


def heldout(run, stratum=True):
    """Classes of every record and the truth on the held-out cell-days that all the records know."""
    held = direct.near(shelf.records(experiment(), run), direct.days_by_split(experiment())["heldout"])
    fields = {name: ds["frozen"].values for name, ds in held.items()}
    common = ~np.any([np.isnan(v) for v in fields.values()], axis=0)
    truth = store.open_store(run.path("truth.zarr"))["truth"].sel(time=held["fused"]["time"]).values
    common &= np.broadcast_to(stratum, common.shape)
    return fields, truth, common, held["fused"]["time"].values


def test_rows_are_the_shares_of_the_common_cell_days(judged):
    run, notes, rows = judged
    fields, truth, common, times = heldout(run)
    assert set(fields) == set(notes["records"]) and {"climatology", "climatology_truth"} <= set(fields)
    for name in ("fused", "fused_literal3", "smap", "esdr", "reanalysis"):
        right = (fields[name] > 0.5) == (truth == 1)
        row = pick(rows, record=name, against="truth", split="heldout", overpass="am", stratum="all", score="accuracy")
        assert row["value"] == pytest.approx(right[:, 0][common[:, 0]].mean()) and row["n"] == common[:, 0].sum()
        assert row["lo"] < row["value"] < row["hi"] and 30 < row["n_effective"] <= 366
        both = pick(
            rows, record=name, against="truth", split="heldout", overpass="pooled", stratum="all", score="accuracy"
        )
        assert both["value"] == pytest.approx(right[common].mean()) and both["n"] == common.sum()
    winter = season_china(times) == "frozen"
    frozen = common[winter][:, 1] & (truth[winter][:, 1] == 1)
    hits = (fields["fused"][winter][:, 1] > 0.5)[frozen]
    wanted = {"record": "fused", "against": "truth", "split": "heldout", "overpass": "pm", "stratum": "season:frozen"}
    assert pick(rows, **wanted, score="frozen_accuracy")["value"] == pytest.approx(hits.mean())


def test_strata_are_those_of_the_paper(judged):
    run, _, rows = judged
    found = {r["stratum"] for r in rows if r["split"] == "heldout" and r["against"] == "truth"}
    assert found == {
        "all",
        *(f"season:{s}" for s in ("frozen", "transition", "thawed")),
        *(f"landcover:{c}" for c in ("cropland", "forest", "grassland", "barren", "impervious")),
        "climate:arid",
        "climate:polar",
        *(f"tci:{b}" for b in ("50-150", "150-250", "250-350", ">=350")),  # the cells below 50 m are no land
    }
    assert {r["stratum"] for r in rows if r["split"] == "train"} == {f"season:{s}" for s in PARTS} | {"all"}
    forest = np.isin(np.arange(SHAPE[1]) // 2, 1)
    fields, truth, common, _ = heldout(run, forest)
    right = ((fields["esdr"] > 0.5) == (truth == 1))[:, 0][common[:, 0]]
    wanted = {"record": "esdr", "against": "truth", "overpass": "am", "stratum": "landcover:forest"}
    row = pick(rows, **wanted, score="accuracy")
    assert row["value"] == pytest.approx(right.mean()) and row["n"] == right.size


def test_fused_is_told_apart_from_its_rivals_draw_by_draw(judged):
    run, _, rows = judged
    wanted = {"against": "truth", "split": "heldout", "overpass": "pooled", "stratum": "all"}

    pairs = {r["record"] for r in rows if r["score"] == "accuracy_difference" and r["against"] == "truth"}
    rivals = {"convlstm_smap", "convlstm_esdr", "smap", "esdr", "reanalysis", "climatology"}
    assert pairs == {f"fused-{r}" for r in rivals} | {f"fused@25km-{r}@25km" for r in ("esdr", "climatology")} | {
        f"fused@25km-convlstm_{t}@25km" for t in ("smap", "esdr")
    }
    row = pick(rows, **wanted, record="fused-smap", score="accuracy_difference")
    fields, truth, common, _ = heldout(run)
    shared = ~np.isnan(fields["fused"]) & ~np.isnan(fields["smap"])  # wider than the sample common to all
    right = [((fields[name] > 0.5) == (truth == 1))[shared].mean() for name in ("fused", "smap")]
    assert row["value"] == pytest.approx(right[0] - right[1]) and row["n"] == shared.sum() > common.sum()
    assert 0 < row["lo"] < row["value"] < row["hi"]  # 5 % wrong against 15 %
    # a record is not judged by itself, and so is no rival there either
    assert not [r for r in rows if r["against"] == "reanalysis" and "reanalysis" in r["record"]]
    assert pick(rows, **{**wanted, "stratum": "season:frozen"}, record="fused-smap", score="accuracy_difference")


def test_networks_are_cells_pooled_by_season(judged):
    _, notes, rows = judged
    dense = [r for r in rows if r["stratum"].startswith("network:")]
    assert {r["stratum"].split("/")[0] for r in dense} == {"network:naqu", "network:pali", "network:all"}
    assert {r["against"] for r in dense} == {"stations"} and "network:genhe" in notes["against"]
    wanted = {"record": "fused", "overpass": "am", "score": "accuracy", "split": "heldout"}
    naqu, pali, both = (pick(rows, **wanted, stratum=f"network:{n}") for n in ("naqu", "pali", "all"))
    # one cell each; the ESDR knows nothing of the second, which is judged without it and not common to all records
    assert naqu["n"] == both["n"] <= 366 and 0 < pali["n"] <= 366
    assert not [r for r in dense if r["record"] == "esdr" and r["stratum"].startswith("network:pali")]
    assert pick(rows, **{**wanted, "record": "esdr"}, stratum="network:naqu")["n"] == naqu["n"]
    parts = [pick(rows, **wanted, stratum=f"network:naqu/season:{s}") for s in PARTS]
    assert sum(r["n"] for r in parts) == naqu["n"]
    share = sum(r["n"] * r["value"] for r in parts) / naqu["n"]
    assert share == pytest.approx(naqu["value"])
    scores = {r["score"] for r in dense}
    assert {"correlation", "bias", "accuracy_difference"} <= scores
    thawed = pick(
        rows, **{**wanted, "score": "frozen_accuracy", "overpass": "pm"}, stratum="network:pali/season:thawed"
    )
    assert (
        thawed["value"] is None and thawed["n"] > 0
    )  # no frozen day: no number, and the count says how many there were


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    """No twin, and held-out days before SMAP's launch."""
    run = make(tmp_path_factory.mktemp("bare"), twin=False)
    early = {"train": [["2016-01-01", "2016-12-31"]], "validation": [["2015-06-01", "2015-12-31"]]}
    split = {**early, "heldout": [["2015-01-01", "2015-03-31"]], "buffer_days": 0}
    told = io.StringIO()
    with contextlib.redirect_stderr(told):
        notes = direct.validate(experiment(split=split), run)
    return told.getvalue(), notes, read_json(run.path("scores.json"))


def test_a_record_that_knows_nothing_of_a_split_is_left_out_and_named(bare):
    """SMAP before its launch: without this rule the common sample of those years would be empty for all."""
    told, notes, rows = bare
    assert notes["unknown_in"] == {"heldout": ["smap"]}
    assert "heldout: not judged, since they know none of 30 days: smap" in told
    assert not [r for r in rows if r["split"] == "heldout" and r["record"] == "smap"]
    wanted = {"against": "reanalysis", "split": "heldout", "overpass": "am", "stratum": "all", "score": "accuracy"}
    assert pick(rows, **wanted, record="fused")["n"] == 90 * (6 * 9 - 1)  # all of the land but one cell
    assert pick(rows, **{**wanted, "against": "stations", "split": "train"}, record="smap")["n"] > 0


def test_without_a_twin_stations_judge(bare):
    _, notes, rows = bare
    assert notes["against"][:2] == ["reanalysis", "stations"] and "climatology_truth" not in notes["records"]
    assert {r["against"] for r in rows} == {"reanalysis", "stations"}
    wanted = {"against": "stations", "split": "heldout", "overpass": "am", "stratum": "all", "score": "accuracy"}
    assert pick(rows, record="fused@25km", **wanted)["n"] > 0


def test_records_too_large_for_memory_stay_on_disk_and_say_the_same(judged, monkeypatch):
    run, _, _ = judged
    dates = direct.days_by_split(experiment())["heldout"]
    some = {n: ds for n, ds in shelf.records(experiment(), run).items() if n in ("fused", "smap", "climatology")}
    held = direct.near(some, dates)
    monkeypatch.setattr(direct, "_IN_MEMORY", 0)
    away = direct.near(some, dates)
    for name in some:
        assert isinstance(held[name]["frozen"].variable._data, np.ndarray)
        assert not isinstance(away[name]["frozen"].variable._data, np.ndarray)
        np.testing.assert_allclose(held[name]["frozen"].values, away[name]["frozen"].values)
        assert Grid.of(held[name]) == Grid.of(away[name])
