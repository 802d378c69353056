"""Classics in a run: records and scores of their own, what they may learn from, what if one cannot be made."""

import shutil

import numpy as np
import pytest
import xarray as xr

from frostline import store
from frostline.config_classics import CHANNELS_OF, ClassicsTable
from frostline.errors import ConfigError
from frostline.runs import read_json
from frostline.schema import RECORD, check
from frostline.steps import classic_rows, classics
from frostline.steps.air import INSTEAD, RULE, air_of
from frostline.steps.common import roles
from frostline.steps.evidence import claims
from frostline.steps.samples import sample
from twin_run import assembled, copied, experiment, run_in, scored, shared, shown  # noqa: F401

pytestmark = pytest.mark.slow
MINE = [
    {"name": "cold", "terms": {"tb_36v": 1.0}, "at_most": 258.2, "yes": "gradient", "no": "thawed"},
    {"name": "gradient", "terms": {"tb_36v": 1.0, "tb_18v": -1.0}, "at_most": 0.0, "yes": "frozen", "no": "thawed"},
]
ALL = {"classics.names": list(CHANNELS_OF), "classics.trees": {"mine": MINE}}
NAMES = (*CHANNELS_OF, "tree_mine")
WINTER = ("npr_sta", "npr_sta_guarded", "sta")  # which forty days of spring do not hold


@pytest.fixture(scope="module")
def rows(scored):  # noqa: F811
    return read_json(scored / "scores.json")


@pytest.fixture(scope="module")
def every(scored, tmp_path_factory):  # noqa: F811
    """The tiny run with the record of every algorithm and of a tree."""
    run = copied(scored, tmp_path_factory.mktemp("classics") / "run")
    classics.make(experiment(**ALL), run_in(run))
    return run


def test_every_name_of_the_file_is_an_algorithm():
    assert set(classics.CLASSICS) == set(CHANNELS_OF)


def test_each_gives_a_record(every):
    known = {}
    for name in NAMES:
        record = store.open_store(every / f"record_{name}.zarr")
        assert store.verified(every / f"record_{name}.zarr").all()
        check(record.load(), RECORD)
        known[name] = np.isfinite(record["frozen"].values).mean()
        assert (record["age"].values == 255)[np.isnan(record["frozen"].values)].all()
    assert {name for name, share in known.items() if share == 0} == set(WINTER)
    assert min(known[name] for name in NAMES if name not in (*WINTER, "msta", "scv")) > 0.8 and known["msta"] > 0.2
    by_hand, rule = (store.open_store(every / f"record_{n}.zarr")["frozen"] for n in ("tree_mine", "spectral_gradient"))
    xr.testing.assert_equal(by_hand, rule)  # its two nodes are the published rule


def test_a_record_says_what_it_was_told(every):
    attrs = {name: store.open_store(every / f"record_{name}.zarr").attrs for name in NAMES}
    assert attrs["msta"]["temperature"] == RULE and "held-out ones too" in attrs["msta"]["taught_by"]
    assert "training days" in attrs["logistic"]["taught_by"] and attrs["logistic"]["coefficients"].count(":") == 2
    assert "from memory" in attrs["dfa_zhao"]["unverified"] and "tree_mine of 2 nodes" in attrs["tree_mine"]["source"]
    assert all("may be read" in attrs[name]["not_made"] for name in WINTER)
    assert all(a["experiment"] == "tiny" for a in attrs.values())


def test_each_is_scored_on_cell_days_of_its_own(rows, scored):  # noqa: F811
    found = {row["record"] for row in rows}
    assert {"msta", "unet-msta"} <= found
    notes = read_json(scored / "steps.json")["validate"]["notes"]
    assert "classics_without_scores" not in notes and "msta" in notes["records"]
    own = [r for r in rows if r["record"] in ("msta", "unet-msta")]
    assert {r["split"] for r in own} == {"heldout"} and all(r["n"] > 0 for r in own)
    keys = [tuple(r[k] for k in ("record", "against", "overpass", "stratum", "score")) for r in own]
    assert len(keys) == len(set(keys))
    at = dict(zip(keys, own, strict=True))
    truth = {k: at["msta", "truth", "pm", "all", k] for k in ("accuracy", "coverage", "brier_skill")}
    ahead = at["unet-msta", "truth", "pm", "all", "accuracy_difference"]
    assert 0 < truth["coverage"]["value"] < 1 and truth["accuracy"]["n"] <= ahead["n"]
    net = next(r for r in rows if r["record"] == "unet" and r["split"] == "heldout" and r["score"] == "accuracy"
               and (r["against"], r["overpass"], r["stratum"]) == ("truth", "pm", "all"))  # fmt: skip
    assert truth["accuracy"]["n"] < net["n"]  # it does not take the net's sample away
    (sheet,) = classic_rows.sheets(rows)
    assert {line[1] for line in sheet.lines} == {"MSTA (36 GHz)"} and len(sheet.lines[0]) == len(sheet.head)


def test_one_that_cannot_be_made_has_no_row_and_a_note(every):
    made = {name: store.open_store(every / f"record_{name}.zarr") for name in ("sta", "npr_sta")}
    run, setting = run_in(every), experiment(**ALL)
    truth = store.open_store(every / "truth.zarr")[["truth"]].rename(truth="frozen")
    days = xr.DataArray(roles(setting)[0] == "heldout", {"time": truth["time"].values}, ("time",))
    options = {"days": {"heldout": days}, "strata": {}, "table": setting.validate_}
    assert classic_rows.rows(made, claims(setting, run), ("truth", truth), **options) == []
    (lost,) = classic_rows.notes(made, []).values()
    assert set(lost) == {"sta", "npr_sta"} and "may be read" in lost["sta"]
    assert classic_rows.notes(made, [{"record": "sta"}, {"record": "npr_sta"}]) == {}


def test_the_difference_is_what_both_records_say_on_the_cell_days_that_both_know(rows, scored):  # noqa: F811
    truth = store.open_store(scored / "truth.zarr")["truth"]
    held = roles(experiment())[0] == "heldout"
    states = [store.open_store(scored / f"{n}.zarr")["frozen"] for n in ("record", "record_msta")]
    net, old, true = (v.isel(overpass=1, time=held).values for v in (*states, truth))
    both = np.isfinite(net) & np.isfinite(old) & np.isfinite(true)
    right = [((v > 0.5) == (true == 1))[both] + 0.0 for v in (net, old)]
    right[0][net[both] == 0.5] = 0.5
    (row,) = [r for r in rows if (r["record"], r["against"], r["overpass"], r["stratum"])
              == ("unet-msta", "truth", "pm", "all")]  # fmt: skip
    assert row["n"] == both.sum()
    assert row["value"] == pytest.approx(right[0].mean() - right[1].mean(), abs=1e-9)


def test_heldout_days_and_cells_change_no_parameter(every, tmp_path):
    """Another label on every held-out day and outside the trained area: the coefficients stay, bit for bit."""
    run, fitted = copied(every, tmp_path / "run"), experiment(**{"classics.names": ["dfa_refit", "logistic"]})
    before = {n: store.open_store(run / f"record_{n}.zarr").attrs["coefficients"] for n in fitted.classics.names}
    day, cell = roles(experiment())
    label = store.open_store(run / "stack.zarr")["label_reanalysis"].values
    taught = (day == "train")[:, None, None, None] & (cell == "train")
    for changed, same in ((~taught, True), (taught, False)):
        with store.writer(run / "stack.zarr") as write:
            write(0, {"label_reanalysis": np.where(changed, 1 - label, label)})
        for name in before:
            shutil.rmtree(run / f"record_{name}.zarr")
        classics.make(fitted, run_in(run))
        after = {n: store.open_store(run / f"record_{n}.zarr").attrs["coefficients"] for n in before}
        assert (after == before) is same


def test_what_lies_finished_is_kept_and_what_is_not_asked_for_goes(every, tmp_path):
    run, one = copied(every, tmp_path / "run"), experiment(**{"classics.names": ["msta"]})
    journal = run / "record_msta.zarr" / store.JOURNAL
    before, digest = journal.stat().st_mtime_ns, shown(run, "record_msta")
    assert set(classics.make(one, run_in(run))) == {"msta"}
    assert journal.stat().st_mtime_ns == before
    assert sorted(p.name for p in run.glob("record_*.zarr")) == ["record_msta.zarr"]
    lines = journal.read_text().splitlines()
    journal.write_text("\n".join(lines[: len(lines) // 2]) + "\n")  # as if it had been stopped half-way
    assert shown(run, "record_msta") != digest
    classics.make(one, run_in(run))
    assert shown(run, "record_msta") == digest


def test_without_air_temperature_the_soil_stands_in_and_says_so(scored, tmp_path, monkeypatch):  # noqa: F811
    run = run_in(copied(scored, tmp_path / "run"))
    stack = store.open_store(run.path("stack.zarr"), chunks={})
    air = air_of(experiment(), run, stack)
    assert air.source == RULE
    low, high = air.low.values, air.high.values
    assert (low <= high).all() and (high - low).mean() > 2
    soil = stack["soil_temperature"]
    assert low.mean() < float(soil.min("overpass").mean()) and high.mean() > float(soil.max("overpass").mean())
    monkeypatch.setattr("frostline.steps.air._has_air", lambda inventory: False)
    other = air_of(experiment(), run, stack)
    assert other.source == INSTEAD
    xr.testing.assert_equal(other.low, soil.sel(overpass=0, drop=True))


def test_samples_weigh_as_the_loss_does():
    """Three cell-days of the reanalysis, one of a station at twice the weight, one unseen: 1/3 and 2 over 3/4."""
    grid = {"time": np.arange(2).astype("datetime64[D]").astype("datetime64[ns]"), "overpass": [0]}
    dims = ("time", "overpass", "y", "x")
    tb = np.array([250.0, 251.0, 252.0, np.nan]).reshape(2, 1, 1, 2)
    station = np.full(tb.shape, np.nan)
    station[0, 0, 0, 1] = 0.0
    stack = xr.Dataset({"tb_36v": (dims, tb), "label_reanalysis": (dims, np.ones(tb.shape)),
                        "label_station": (dims, station)}, grid)  # fmt: skip
    x, y, w = sample(stack, ["tb_36v"], days=np.ones(2, bool), cells=np.ones((1, 2), bool), samples=4,
                     sources={"label_reanalysis": 1.0, "label_station": 2.0}, rng=np.random.default_rng(0))  # fmt: skip
    assert x.tolist() == [[250, 0], [251, 0], [252, 0], [251, 0]] and y.tolist() == [1, 1, 1, 0]
    np.testing.assert_allclose(w, [4 / 9, 4 / 9, 4 / 9, 24 / 9])
    nothing = sample(stack, ["tb_36v"], days=np.zeros(2, bool), cells=np.ones((1, 2), bool), samples=4,
                     sources={"label_reanalysis": 1.0}, rng=np.random.default_rng(0))  # fmt: skip
    assert [len(part) for part in nothing] == [0, 0, 0]


@pytest.mark.parametrize(
    ("nodes", "part"),
    [
        ([], "has no node"),
        ([("a", "frozen", "b")], "leads to 'b', which is no later node"),
        ([("a", "b", "thawed"), ("b", "a", "frozen")], "leads to 'a', which is no later node"),
        ([("a", "frozen", "thawed"), ("b", "frozen", "thawed")], "nothing leads to b"),
        ([("frozen", "frozen", "thawed")], "names of their own"),
        ([("a", "b", "b"), ("a", "frozen", "thawed")], "names of their own"),
    ],
)
def test_a_tree_that_cannot_be_is_refused(nodes, part):
    tables = [{"name": n, "terms": {"tb_36v": 1}, "at_most": 1, "yes": y, "no": no} for n, y, no in nodes]
    with pytest.raises(ValueError, match=part):
        ClassicsTable(trees={"mine": tables})


def test_what_an_algorithm_needs_must_be_stacked():
    with pytest.raises(ValueError, match="looks at nothing"):
        ClassicsTable(trees={"t": [{"name": "a", "terms": {}, "at_most": 1, "yes": "frozen", "no": "thawed"}]})
    less = {"train.inputs": ["tb_36v"], "assemble.channels": ["tb_36v", "tb_36h"], "classics.trees": {}}
    with pytest.raises(ConfigError, match=r"lacks what .* npr_sta needs tb_1h, tb_1v"):
        experiment(**less, **{"classics.names": ["msta", "npr_sta"]})
    with pytest.raises(ConfigError, match=r"needs a \[validate\] table"):
        experiment(validate=None)
