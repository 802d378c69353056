"""The study of a sensor out: its means by hand, and its rows from a tiny Earth, made once."""

import pytest
import studies_sensors as study

from twin_run import assembled, copied, scored, shared, toml  # noqa: F401


def test_rows_by_hand():
    """Two seeds of .90 and .92 with half widths .03 and .04: .91, and sqrt(.0009 + .0016) / 2 = .025."""
    score = {"overpass": "pooled", "stratum": "all", "score": "accuracy", "record": "dropout 0.1"}
    kept = {
        seed: {"commit": "abc", "rows": [score | row]}
        for seed, row in (
            (11, {"value": 0.90, "lo": 0.87, "hi": 0.93, "n": 2, "skill": 0.5}),
            (12, {"value": 0.92, "lo": 0.88, "hi": 0.96, "n": 3, "skill": 0.7}),
        )
    }
    assert study.page(kept, "python x.py")[2:] == [
        "| dropout 0.1: accuracy against truth, heldout, pooled, all (0.900, 0.920) | 0.910 [0.885, 0.935] | 5 "
        "| 0.60 | `python x.py` | abc | twin 11, 12, train 1 |"
    ]
    kept[12]["rows"][0]["lo"] = None  # without an interval in one seed there is no row
    assert len(study.page(kept, "python x.py")) == 2


@pytest.mark.slow
def test_one_command_makes_the_rows_and_does_nothing_twice(assembled, tmp_path, capsys):  # noqa: F811
    copied(assembled, tmp_path / "earths" / "1")
    words = ["--experiment", str(toml(tmp_path / "tiny.toml")), "--seeds", "1", "--shares", "0.5", "--epochs", "1"]
    words += ["--folder", str(tmp_path / "out"), "--take", str(tmp_path / "earths"), "--workers", "1"]
    study.main(words)
    first = capsys.readouterr().out
    for name in ("dropout 0.5", "dropout 0.5 without smap", "dropout 0.5 without amsr2", "climatology"):
        assert f"| {name}: accuracy against truth, heldout, pooled, all" in first
    assert "| dropout 0.5 without smap-dropout 0.5: accuracy_difference against truth" in first
    weights = tmp_path / "out" / "1" / "0.5" / "checkpoints" / "unet" / "weights.safetensors"
    made = weights.stat().st_mtime_ns
    study.main(words)
    assert capsys.readouterr().out.splitlines()[-3:] == first.splitlines()[-3:]
    assert weights.stat().st_mtime_ns == made


@pytest.mark.slow
def test_nets_of_a_finished_run_are_judged_without_training(scored, tmp_path, capsys):  # noqa: F811
    study.main(["--experiment", str(toml(tmp_path / "tiny.toml")), "--run", str(scored)])
    said = capsys.readouterr().out
    assert "| unet without amsr2: accuracy against truth, heldout, pooled, all" in said
    assert "| unet without smap-unet: accuracy_difference against truth, heldout, pooled, area:heldout" in said


def test_an_unfinished_earth_is_refused(tmp_path):
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "steps.json").write_text('{"twin": {}}')
    with pytest.raises(SystemExit, match="no finished stack"):
        study.earth(tmp_path / "x.toml", (), tmp_path / "out", tmp_path / "1", 1)
