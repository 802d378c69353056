"""Values that the tiny runs gave when they were last looked at: a change of any is meant, and written, or a fault.

    FROSTLINE_GOLDEN=write pytest tests/test_golden.py

writes them anew and fails, so that the run that wrote them is never the one that passes. Those of the demos of seed 1
are in `golden/demo_north.json` and `golden/demo_china.json`, compared by `tools/golden.py` (minutes: not a test).
"""

import json
import os
from types import SimpleNamespace

import numpy as np
import pytest

import golden
from china_run import scored as china_scored  # noqa: F401
from conftest import REPOSITORY
from frostline import store
from frostline.season import season
from twin_run import assembled, scored, shared  # noqa: F401

GOLDEN = REPOSITORY / "tests" / "golden"
SEASON = ("frozen_days", "days_seen", "transitions")
WRITE = os.environ.get("FROSTLINE_GOLDEN") == "write"


def compare(run, name, **more):
    found = golden.measured(run, nets=False) | {key: [value, 0.3] for key, value in more.items()}
    lines = golden.check(found, GOLDEN / f"{name}.json", write=WRITE)
    assert not lines, "\n".join(lines)
    assert not WRITE, "the golden values were written: look at them, then run without FROSTLINE_GOLDEN"


@pytest.mark.slow
def test_the_tiny_north_run_is_what_it_was(scored):  # noqa: F811
    compare(scored, "north")


@pytest.mark.slow
def test_the_tiny_china_run_is_what_it_was(china_scored):  # noqa: F811
    truth = store.open_store(china_scored / "truth.zarr")[["truth"]].rename(truth="frozen").load()
    spring = (
        season(truth, months=(1, 2, 3, 4, 5, 6, 7)).isel(year=0, overpass=0).mean()
    )  # of the year that began in 2015
    compare(china_scored, "china", **{f"January to July: {name}": float(spring[name]) for name in SEASON})


@pytest.mark.parametrize("name", ["north", "china", "demo_north", "demo_china"])
def test_golden_values_are_there_and_mean_something(name):
    values = json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8"))
    known = {key: value for key, (value, _) in values.items()}
    assert len(known) > 40 and np.isfinite(list(known.values())).all()
    for key, (value, tolerance) in values.items():
        assert tolerance > 0, key
        if key.startswith(("truth: truth", "accuracy", "brier", "stack: label")) or "share known" in key:
            assert 0 <= value <= 1 and tolerance <= 0.01, key
    assert 0.05 < known["truth: truth, am"] < 0.95  # a world that knows both states
    for half in ("am", "pm"):  # together no more than 1: no better than chance, or turned over
        assert sum(known[f"{state}_accuracy of label_reanalysis, {half}"] for state in ("frozen", "thawed")) > 1


@pytest.mark.slow
@pytest.mark.parametrize(
    "slip",
    [
        lambda ds: ds.assign(label_reanalysis=1 - ds["label_reanalysis"]),
        lambda ds: ds.assign(label_reanalysis=ds["label_reanalysis"].roll(y=1)),
        lambda ds: ds.assign(label_reanalysis=ds["label_reanalysis"].roll(time=1)),
        lambda ds: ds.assign(tb_36v=ds["tb_36v"] * 0.01),
        lambda ds: ds.assign(soil_temperature=ds["soil_temperature"].where(ds["time"] != np.datetime64("2016-04-29"))),
    ],
    ids=["polarity", "row", "day", "scale", "leap"],
)
def test_a_slip_moves_a_golden_value(scored, monkeypatch, slip):  # noqa: F811
    def open_store(path):
        ds = store.open_store(path)
        return slip(ds.load()) if path.name == "stack.zarr" else ds

    monkeypatch.setattr(golden, "store", SimpleNamespace(open_store=open_store))
    wanted = json.loads((GOLDEN / "north.json").read_text(encoding="utf-8"))
    assert golden.differences(golden.measured(scored, nets=False), wanted)


def test_a_golden_file_is_red_where_it_is_missing_and_where_a_value_moved(tmp_path):
    found = {"mean": [271.3, 0.05], "slope": [-0.2, 0.02], "status": [0.0, 0.0]}
    path = tmp_path / "golden" / "x.json"
    assert golden.check(found, path) == ["x.json: there is no golden file"]
    assert golden.check(found, path, write=True) and golden.check(found, path) == []
    assert golden.check(found | {"mean": [271.34, 0.05]}, path) == []
    for changed in ({"mean": [271.4, 9.0]}, {"mean": [np.nan, 9.0]}, {"slope": [0.1, 9.0]}, {"status": [1.0, 9.0]}):
        (line,) = golden.check(found | changed, path)  # by the tolerance that was written, not the new one
        assert line.startswith(next(iter(changed)))
    assert golden.check({"mean": found["mean"], "more": [1.0, 1.0]}, path) == [
        "slope: gone, was -0.2",
        "status: gone, was 0",
        "more: new, 1",
    ]
