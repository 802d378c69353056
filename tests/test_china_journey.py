"""The china system whole, on a year of 8 x 8 cells: every file, figure and table; what changed runs again."""

import re
import shutil
import sys
from html import unescape
from pathlib import Path

import numpy as np
import pytest
import walk
import xarray as xr

from china_run import china, copied, play, reported, scored, shared  # noqa: F401
from frostline import store
from frostline.errors import InputError
from frostline.runs import read_json
from frostline.schema import RECORD, check
from frostline.steps import run_step
from twin_run import run_in

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tools"))

pytestmark = pytest.mark.slow
FIGURES = (
    *("study_area", "months", "scores", "networks", "season_scatter", "season_agreement", "ranks", "boxes_landcover"),
    *("boxes_climate", "boxes_tci", "boxes_all", "frozen_days", "frozen_days_series", "trends"),
    "bivariate_convlstm_smap_convlstm_esdr_reanalysis",
)


def test_every_figure_and_table_is_there(reported):  # noqa: F811
    drawn = {p.stem for p in (reported / "figures").glob("*.png")}
    assert set(FIGURES) <= drawn, set(FIGURES) - drawn
    page = (reported / "report.html").read_text(encoding="utf-8")
    assert page.count("<img ") == len(drawn)
    for title in (
        "Fused minus others",
        "Triple collocation",
        "Mean frozen days",
        "Trend of the frozen days",
        "Stated by",
    ):
        assert title in page
    assert "twin Earth" in page and "Collocation of fused, stations, reanalysis" in page


def test_the_first_sentence_says_whether_the_fusion_beats_what_drives_it(reported):  # noqa: F811
    page = (reported / "report.html").read_text(encoding="utf-8")
    first = unescape(re.sub(r"<[^>]+>", "", page.split('class="twin"')[1].split("<p>")[1].split("</p>")[0])).strip()
    assert first.startswith(("Against the twin's truth", "Whether the fused record")), first
    assert "reanalysis" in first


def test_records_are_records_and_know_what_they_were_made_of(scored):  # noqa: F811
    for name in ("record", "record_literal3", "record_maxconf", "record_convlstm_smap", "record_recalibrated"):
        ds = check(store.open_store(scored / f"{name}.zarr"), RECORD, values=False)
        assert np.isfinite(ds["frozen"].values).mean() > 0.9, name
    assert "reanalysis" in store.open_store(scored / "record.zarr").attrs["inputs"]


def test_every_score_has_its_n_and_its_interval_or_no_value(scored):  # noqa: F811
    rows = read_json(scored / "scores.json")
    assert {r["record"] for r in rows} >= {"fused", "smap", "esdr", "reanalysis", "recalibrated", "climatology"}
    assert {r["against"] for r in rows} == {"truth", "truth_t0", "reanalysis", "stations"}
    for row in rows:
        assert row["n"] >= 0
        assert row["value"] is None or row["lo"] is None or row["lo"] - 1e-9 <= row["value"] <= row["hi"] + 1e-9, row


def test_collocation_says_its_doubts_before_its_numbers(scored):  # noqa: F811
    text = (scored / "collocation.json").read_text(encoding="utf-8")
    sets = read_json(scored / "collocation.json")["sets"]
    assert "fused" in sets[0]["members"] and sets[0]["warnings"]
    assert text.index('"warnings"') < text.index('"rows"')


def test_exported_years_are_those_of_the_record(scored):  # noqa: F811
    with xr.open_dataset(next((scored / "export").glob("*2016*.nc")), engine="h5netcdf") as ds:
        assert ds.sizes["time"] == 366


def test_what_changed_runs_again_and_what_did_not_is_skipped(scored, tmp_path):  # noqa: F811
    run = copied(scored, tmp_path / "run")
    notes = play(run, "validate", **{"fuse.weights": "equal"})
    fresh = {name for name, note in notes.items() if note.get("fresh")}
    assert fresh == {"twin", "read", "assemble", "train", "predict"}


def test_a_broken_smap_file_is_told_and_left_out(scored, tmp_path, capsys):  # noqa: F811
    run = copied(scored, tmp_path / "run")
    victim = sorted((run / "data" / "smap").rglob("*.h5"))[40]
    victim.unlink()  # a link: the other runs keep theirs
    victim.write_text("<html>log in</html>")
    notes = run_step("read", china(), run_in(run))
    assert notes["skipped_inputs"] == 1
    assert "E-INPUT-HTML" in capsys.readouterr().err


def test_codes_of_the_other_agency_are_refused(scored, tmp_path):  # noqa: F811
    run = copied(scored, tmp_path / "run")
    shutil.rmtree(run / "data" / "smap")
    shutil.copytree(run / "data" / "esdr", run / "data" / "smap")
    with pytest.raises(InputError, match="E-INPUT-EMPTY"):
        run_step("read", china(), run_in(run))


def test_every_score_has_its_n_its_interval_and_its_skill(reported):  # noqa: F811
    rows, tables, wrong = walk.of_run(reported)
    assert rows > 1000 and tables >= 3 and not wrong, wrong[:5]
