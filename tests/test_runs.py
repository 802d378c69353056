"""The run folder's ledger: what is skipped, what runs again, and what may not be stood on."""

import json
import math
import os
from pathlib import Path

import numpy as np
import pytest

from frostline.config import SYSTEMS
from frostline.errors import InputError
from frostline.runs import (
    Run,
    fingerprint,
    finished,
    forget,
    identity,
    is_fresh,
    provenance,
    read_json,
    record_step,
    upstream,
    write_json,
)
from frostline.steps import foundations, mark_of, run_step
from frostline.steps.order import NORTH, STEPS
from twin_run import BRIEF, brief, copied, experiment, needed, play, run_in, shared  # noqa: F401


def test_fingerprints_are_equal_for_equal_parts_whatever_their_order():
    assert fingerprint({"a": 1, "b": [1, 2]}) == fingerprint({"b": [1, 2], "a": 1})
    assert fingerprint({"a": 1}) != fingerprint({"a": 2})
    assert fingerprint("x", {}) != fingerprint("y", {})


def test_identity_sees_a_file_come_go_and_change(tmp_path):
    (tmp_path / "deep").mkdir()
    one = tmp_path / "deep" / "a.nc"
    one.write_bytes(b"abc")
    first = identity(tmp_path)
    assert [(name, size) for name, size, _ in first] == [(str(Path("deep", "a.nc")), 3)]
    one.write_bytes(b"abd")
    os.utime(one, ns=(1, 10**18))
    assert identity(tmp_path) != first
    (tmp_path / "b.nc").touch()
    assert len(identity(tmp_path)) == 2
    assert identity(one) == [("a.nc", 3, 10**18)]
    assert identity(tmp_path / "deep") == [("a.nc", 3, 10**18)]


def test_a_step_is_fresh_with_the_same_mark_and_its_outputs(tmp_path):
    run = Run(tmp_path)
    made = tmp_path / "made"
    assert not is_fresh(run, "twin", "m", [])
    record_step(run, "twin", "m", seconds=1.234, notes={"n": np.int64(3), "x": math.nan})
    assert is_fresh(run, "twin", "m", [])
    assert not is_fresh(run, "twin", "other", [])
    assert not is_fresh(run, "twin", "m", [made])
    made.touch()
    assert is_fresh(run, "twin", "m", [made])
    entry = finished(run, "twin")
    assert entry is not None
    assert (entry["seconds"], entry["notes"]) == (1.2, {"n": 3, "x": None})
    assert upstream(run, "twin") == "m"
    forget(run, ["twin"])
    assert finished(run, "twin") is None
    with pytest.raises(InputError, match=r"step 'twin' has not run. Run: frostline twin") as error:
        upstream(run, "twin")
    assert error.value.exit == 3


def test_json_is_whole_or_not_there_and_knows_no_nan(tmp_path):
    write_json(tmp_path / "a.json", [{"v": math.inf, "w": np.float32(0.5), "k": (1, 2)}])
    assert read_json(tmp_path / "a.json") == [{"v": None, "w": 0.5, "k": [1, 2]}]
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]
    with pytest.raises(TypeError):  # a key that json cannot sort out must not leave half a file under the name
        write_json(tmp_path / "a.json", [_Unprintable()])
    assert read_json(tmp_path / "a.json")[0]["w"] == 0.5


class _Unprintable:
    def __str__(self):
        raise TypeError


def test_provenance_tells_versions_and_nothing_of_the_environment(monkeypatch):
    monkeypatch.setenv("EARTHDATA_TOKEN", "canary-7f3a")
    made = provenance()
    assert made["versions"]["numpy"] == np.__version__
    assert "canary-7f3a" not in json.dumps(made)
    assert set(made) == {"frostline", "commit", "python", "machine", "versions"}


def test_a_quiet_run_shows_no_bar_and_passes_everything(tmp_path, capsys):
    assert list(Run(tmp_path, quiet=True).track(range(3), total=3, label="x")) == [0, 1, 2]
    assert capsys.readouterr() == ("", "")


def test_steps_come_in_an_order_in_which_each_has_what_it_stands_on():
    for steps in STEPS.values():
        seen = set()
        for name in steps:
            assert set(steps[name].after) <= seen
            seen.add(name)
    assert needed("export") == ["twin", "read", "assemble", "train", "predict", "export"]


def test_steps_without_anything_to_do_are_no_foundation():
    real = experiment(**(BRIEF | {"twin": None}))
    assert foundations("read", real) == []
    assert foundations("predict", real) == ["assemble"]
    assert foundations("map", real) == ["predict"]
    assert foundations("map", experiment()) == ["validate"]


def test_every_table_belongs_to_a_step():
    """A table that no step lists would change nothing when it changes."""
    for system, steps in STEPS.items():
        listed = {table for step in steps.values() for table in step.tables}
        for table, field in SYSTEMS[system].model_fields.items():
            if table != "system" and table not in listed:  # each of its keys belongs to a step then
                assert {f"{table}.{key}" for key in field.annotation.model_fields} <= listed, table
        assert {table.partition(".")[0] for table in listed} == set(SYSTEMS[system].model_fields) - {"system"}


def test_what_changed_runs_again_and_what_did_not_is_skipped(brief, tmp_path):  # noqa: F811
    run = copied(brief, tmp_path / "run")
    assert all(notes == {"fresh": True} for notes in play(run, "assemble", **BRIEF).values())
    notes = play(run, "assemble", **(BRIEF | {"labels.threshold": 272.0}))
    assert {name for name, note in notes.items() if note.get("fresh")} == {"twin", "read"}
    next((run / "data" / "smap").iterdir()).unlink()
    notes = play(run, "assemble", **(BRIEF | {"labels.threshold": 272.0}))
    assert {name for name, note in notes.items() if note.get("fresh")} == {"twin"}


def test_no_step_stands_on_one_of_other_settings(brief, tmp_path):  # noqa: F811
    run = run_in(copied(brief, tmp_path / "run"))
    other = experiment(**(BRIEF | {"period.end": "2016-05-11"}))
    with pytest.raises(InputError, match=r"step 'twin' ran with other settings or inputs. Run: frostline twin"):
        run_step("read", other, run)
    next((run.folder / "data" / "smap").iterdir()).unlink()
    with pytest.raises(InputError, match="step 'read' ran with other settings or inputs"):
        run_step("assemble", experiment(**BRIEF), run)


def test_a_step_that_fails_is_no_longer_in_the_ledger(brief, tmp_path, monkeypatch):  # noqa: F811
    run, settings = run_in(copied(brief, tmp_path / "run")), experiment(**(BRIEF | {"labels.threshold": 272.0}))
    mark = mark_of("assemble", settings, run)
    monkeypatch.setattr("frostline.steps.stack._write_days", _fail)
    with pytest.raises(InputError, match="E-STEP"):
        upstream(run, "predict")
    monkeypatch.setitem(NORTH, "assemble", NORTH["assemble"])
    with pytest.raises(ZeroDivisionError):
        run_step("assemble", settings, run)
    assert finished(run, "assemble") is None
    monkeypatch.undo()
    run_step("assemble", settings, run)
    assert upstream(run, "assemble") == mark


def _fail(*_):
    raise ZeroDivisionError
