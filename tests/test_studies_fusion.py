"""The study of fusion: each set of members is fused by itself, from links, and judged beside the reanalysis."""

import pytest
import studies_fusion as study

from china_run import scored, shared, tables  # noqa: F401
from frostline.report import toml
from frostline.runs import read_json


@pytest.mark.slow
def test_members_are_fused_from_links_and_judged(scored, tmp_path, capsys, monkeypatch):  # noqa: F811
    monkeypatch.setattr(study, "MEMBERS", {"nets, recalibrated": study.MEMBERS["nets, recalibrated"]})
    file = tmp_path / "tiny.toml"
    file.write_text(toml(tables()) + "\n", encoding="utf-8")
    before = {p: p.stat().st_mtime_ns for p in scored.rglob("*") if p.is_file()}
    words = [str(scored), "--experiment", str(file), "--folder", str(tmp_path / "out"), "--workers", "1"]
    study.main(words)
    text = capsys.readouterr().out
    run = tmp_path / "out" / "nets_recalibrated"
    assert (run / "stack.zarr").is_symlink() and not (run / "record.zarr").is_symlink()
    assert set(read_json(run / "fusion.json")["weights"]["am"]) == {"convlstm_smap", "convlstm_esdr", "recalibrated"}
    rows = read_json(run / "judged.json")
    assert {row["record"] for row in rows} >= {"fused", "fused-reanalysis", "fused-recalibrated", "climatology"}
    lines = [line for line in text.splitlines() if line.startswith("| nets, recalibrated |")]
    assert len(lines) == 1 + 3 and lines[0].split("|")[3].strip() != "-"
    assert text.count("alone | |") == 3
    study.main(words)
    assert capsys.readouterr().out == text
    assert before == {p: p.stat().st_mtime_ns for p in before}
