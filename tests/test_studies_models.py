"""The study of nets: one Earth is shared, members are one run, and each figure has its interval."""

import json
import re

import numpy as np
import pytest
import studies_models as study

from frostline import store
from frostline.runs import Run
from frostline.steps import run_step
from frostline.steps.common import load
from twin_run import assembled, copied, shared, toml  # noqa: F401

MORE = ("twin.stations=12", "validate.resamples=20", "train.width=2", "train.depth=1")


@pytest.mark.slow
def test_the_study_compares_on_one_earth_and_makes_nothing_twice(assembled, tmp_path, capsys, monkeypatch):  # noqa: F811
    monkeypatch.setattr(study, "COMMON", ("train.compare=[]", "train.epochs=1"))
    out = tmp_path / "out"
    copied(assembled, out / "1" / "earth")
    words = ["--experiment", str(toml(tmp_path / "tiny.toml")), "--seeds", "1", "--folder", str(out), "--workers", "1"]
    words += ["--variants", "attention", *(word for setting in MORE for word in ("--set", setting))]
    study.main(words)
    text = capsys.readouterr().out
    assert "twin Earth" in text and text.count("| attention |") == 4 + 1
    run = out / "1"
    assert str((run / "attention" / "stack.zarr").readlink()) == "../earth/stack.zarr"
    said = {name: load(run / "members" / f"{name}.nc")["frozen"].values for name in ("base", "again_2", "again_3")}
    assert not np.array_equal(said["base"], said["again_2"], equal_nan=True)
    members = load(run / "members" / "members.nc")["frozen"]
    mean = members.values
    assert np.allclose(mean, sum(said.values()) / 3, atol=1e-6, equal_nan=True)
    settings = study.north(toml(tmp_path / "tiny.toml"), [*study.COMMON, *MORE, "train.members=3"])
    run_step("predict", settings, Run(run / "members", quiet=True))
    stored = store.open_store(run / "members" / "record.zarr")["frozen"].sel(time=members["time"])
    assert np.allclose(stored.values, mean, atol=0.006, equal_nan=True)  # packed to 1/200, none onto .5
    found = json.loads((run / "models.json").read_text(encoding="utf-8"))
    assert found["costs"]["members"]["parameters"] == 3 * (found["costs"]["attention"]["parameters"] - (4 + 2 + 1))
    ahead = [r for r in found["rows"] if r["score"] == "accuracy_difference"]
    assert {r["record"] for r in ahead} == {"attention-base", "members-base", "again_2-base", "again_3-base"}
    for line in (out / "models_rows.md").read_text(encoding="utf-8").splitlines()[2:]:
        cells = [c.strip() for c in line.strip("|").split("|")]
        assert len(cells) == 7 and int(cells[2]) > 0 and re.search(r"\[.+, .+\]", cells[1])
    before = {p: p.stat().st_mtime_ns for p in run.rglob("*.safetensors")} | {
        p: p.stat().st_mtime_ns for p in (run / "members").glob("*.nc")
    }
    study.main(words)
    assert before == {p: p.stat().st_mtime_ns for p in before}
    study.main([*words, "--tables"])
    assert capsys.readouterr().out.count(text.partition("\n")[2]) == 2
