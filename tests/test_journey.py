"""From agency files to a scored, mapped, exported record, on the tiny twin."""

import os
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import rasterio
import walk
import xarray as xr

from frostline import store
from frostline.grid import Grid
from frostline.learn import train as loop
from frostline.learn.checkpoint import load as load_checkpoint
from frostline.runs import read_json
from frostline.schema import RECORD, STACK, check
from frostline.steps import run_step
from frostline.steps.common import grid_of
from twin_run import assembled, copied, experiment, finished, play, run_in, scored, shared, shown, toml  # noqa: F401

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tools"))

pytestmark = pytest.mark.slow

FIELDS = {"record", "against", "split", "overpass", "stratum", "score", "value", "lo", "hi", "n", "n_effective"} | {
    "skill"
}
RECORDS = {"unet", "climatology", "climatology_truth", "persistence", "reanalysis"}
CLASSICS = {"msta", "unet-msta"}  # on cell-days of their own (test_steps_classics)
AGAINST = {"truth", "truth_t0", "reanalysis", "stations"}
DIFFERENCES = {f"unet-{name}" for name in RECORDS - {"unet"}}
STRATA = {"all", "area:trained", "area:heldout", "landcover:forest", "landcover:nonforest", "season:MAM"}
STRATA |= {"transitions:>5", "age:0", "age:1-2", "sensor:amsr2_missing", "domain"}
SCORES = {"accuracy", "frozen_accuracy", "thawed_accuracy", "mcc", "f1_frozen", "brier", "brier_skill"}
SCORES |= {"ece", "ece_middle", "brier_reliability", "brier_resolution", "accuracy_difference"}


@pytest.fixture(scope="module")
def rows(finished):  # noqa: F811
    return read_json(finished / "scores.json")


def test_scores_have_the_rows_and_names_that_are_promised(rows):
    assert all(set(row) == FIELDS for row in rows)
    assert {row["record"] for row in rows} == RECORDS | DIFFERENCES | CLASSICS
    assert {row["against"] for row in rows} == AGAINST
    assert {row["split"] for row in rows} == {"train", "validation", "heldout"}
    assert {row["overpass"] for row in rows} == {"am", "pm"}
    assert {row["stratum"] for row in rows} == STRATA
    assert {row["score"] for row in rows} >= SCORES
    keys = [tuple(row[k] for k in ("record", "against", "split", "overpass", "stratum", "score")) for row in rows]
    assert len(keys) == len(set(keys))  # each once
    assert not [k for k in keys if k[0] == k[1]]  # nothing is judged by itself


def test_scores_never_travel_without_n_and_are_possible(rows):
    known = [row for row in rows if row["value"] is not None]
    assert all(row["n"] > 0 for row in known)
    for row in known:
        if row["score"] in ("accuracy", "frozen_accuracy", "thawed_accuracy", "f1_frozen", "brier"):
            assert 0 <= row["value"] <= 1
        if row["lo"] is not None:
            assert row["lo"] <= row["hi"]
    heldout = {
        (row["record"], row["overpass"]): row["value"]
        for row in rows
        if (row["against"], row["split"], row["stratum"], row["score"]) == ("truth", "heldout", "all", "accuracy")
    }
    assert len([name for name, _ in heldout if name in RECORDS]) == 2 * len(RECORDS)
    assert {name for name, _ in heldout} == RECORDS | {"msta"}  # its regression may fail for a pass of so small a world
    assert min(value for (name, _), value in heldout.items() if name in RECORDS) > 0.3  # no record is turned round
    assert heldout["reanalysis", "am"] > 0.5


def test_all_records_are_judged_on_the_same_cell_days(rows):
    counts = {}
    for row in rows:
        if row["score"] == "accuracy" and row["record"] not in CLASSICS:
            key = (row["against"], row["split"], row["overpass"], row["stratum"])
            counts.setdefault(key, set()).add(row["n"])
    assert all(len(n) == 1 for n in counts.values())


def test_stack_and_record_keep_their_contracts(finished):  # noqa: F811
    grid = grid_of(experiment())
    stack, record = (store.open_store(finished / f"{name}.zarr") for name in ("stack", "record"))
    check(stack.load(), STACK)
    check(record.load(), RECORD)
    assert Grid.of(record) == grid == Grid.of(stack)
    assert record["time"].values[[0, -1]].astype("datetime64[D]").astype(str).tolist() == ["2016-04-10", "2016-05-19"]
    frozen, land = record["frozen"].values, stack["land"].values == 1
    assert np.isnan(frozen[..., ~land]).all()
    assert np.isfinite(frozen[..., land]).mean() > 0.8
    assert store.verified(finished / "record.zarr").all()
    assert record.attrs["source"] == "frostline unet"
    labels, teachers = stack["label_station"], load_sites(finished, "train")
    rows, cols = grid.locate(teachers["lon"].values, teachers["lat"].values)
    known = np.isfinite(labels.values).any((0, 1))
    assert set(zip(*np.nonzero(known), strict=True)) <= set(zip(rows.tolist(), cols.tolist(), strict=True))


def load_sites(run, role):
    sites = xr.load_dataset(run / "sites.nc", engine="h5netcdf")
    return sites.isel(site=np.flatnonzero(sites["role"].values == role))


def test_heldout_stations_and_cells_never_teach(finished):  # noqa: F811
    """Labels of the stack come from teaching stations only, and no held-out station shares a cell with one."""
    grid = grid_of(experiment())
    cells = {}
    for role in ("train", "heldout"):
        sites = load_sites(finished, role)
        assert sites.sizes["site"] > 0
        cells[role] = set(
            zip(*(a.tolist() for a in grid.locate(sites["lon"].values, sites["lat"].values)), strict=True)
        )
    assert not cells["train"] & cells["heldout"]
    known = np.isfinite(store.open_store(finished / "stack.zarr")["label_station"].values).any((0, 1))
    assert not {c for c in cells["heldout"] if known[c]}


class Page(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.sources = [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.sources += [value for key, value in attrs if key in ("src", "href", "srcset", "action")]


def test_the_report_is_one_file_that_needs_no_other(finished):  # noqa: F811
    text = (finished / "report.html").read_text(encoding="utf-8")
    page = Page()
    page.feed(text)
    assert "script" not in page.tags
    assert all(s.startswith(("data:image/png;base64,", "#")) for s in page.sources)
    assert page.tags.count("img") == len(list((finished / "figures").glob("*.png")))
    for words in ("tiny", "twin Earth", "[train]", "learning_rate = 0.02", "Stated by the paper"):
        assert words in text


def test_exported_files_open_elsewhere(finished):  # noqa: F811
    folder = finished / "export"
    with xr.open_dataset(folder / "unet_2016.nc", engine="h5netcdf") as year:
        assert year.sizes["time"] == 40
        assert year.attrs["Conventions"].startswith("CF-")
        record = store.open_store(finished / "record.zarr")["frozen"].values
        np.testing.assert_allclose(year["frozen_probability"].values, record, atol=1e-6)
    with rasterio.open(folder / "unet_20160508_am_freeze_thaw.tif") as image:
        assert image.crs.to_epsg() == 6931
        assert image.shape == (16, 16)
    assert not [p for p in folder.iterdir() if "part" in p.name]


def test_the_second_time_nothing_runs(finished, tmp_path):  # noqa: F811
    run = copied(finished, tmp_path / "run")
    before = {p: p.stat().st_mtime_ns for p in run.rglob("*") if p.is_file()}
    notes = play(run, "report", "export")
    assert all(note == {"fresh": True} for note in notes.values())
    assert {p: p.stat().st_mtime_ns for p in run.rglob("*") if p.is_file()} == before


@pytest.mark.parametrize(
    ("changes", "until", "again"),
    [
        ({"validate.seed": 2}, ["validate", "export"], {"validate"}),
        ({"export.polarity": "thaw"}, ["validate", "export"], {"export"}),
        ({"predict.low_confidence": 0.3}, ["predict"], {"predict"}),
        ({"train.seed": 2}, ["predict"], {"train", "predict"}),
        ({"labels.threshold": 273.0}, ["train"], {"assemble", "train"}),
        ({"split.validation": [["2016-04-20", "2016-04-23"]]}, ["assemble"], {"assemble"}),
    ],
    ids=lambda v: next(iter(v)) if isinstance(v, dict) else "",
)
def test_a_changed_key_runs_what_stands_on_it_and_no_more(finished, tmp_path, changes, until, again):  # noqa: F811
    notes = play(copied(finished, tmp_path / "run"), *until, **changes)
    assert {name for name, note in notes.items() if not note.get("fresh")} == again
    if "split.validation" in changes:
        assert notes["assemble"]["kept"] == 40  # the days of training are no matter of the stack


def test_the_same_seed_gives_the_same_bytes_with_any_number_of_workers(finished, tmp_path):  # noqa: F811
    folder = tmp_path / "again"
    folder.mkdir()
    settings = experiment()
    run = run_in(folder)
    run_step("twin", settings, type(run)(folder, say=run.say, workers=2, quiet=True))
    for name in ("read", "assemble", "train", "predict", "export"):
        run_step(name, settings, run)
    for output in ("data", "truth", "stack", "weights", "history", "record", "export"):
        assert shown(folder, output) == shown(finished, output), output


def test_rivals_are_scored_beside_the_net_and_quietly(scored, tmp_path, capsys):  # noqa: F811
    run = copied(scored, tmp_path / "run")
    notes = play(run, "validate", **{"train.compare": [["tb_36v", "tb_36h"]]})
    assert capsys.readouterr() == ("", "")
    assert set(notes["train"]) == {"unet", "unet_36"}
    rivals = {row["record"] for row in read_json(run / "scores.json")} - DIFFERENCES
    assert rivals == RECORDS | CLASSICS | {"unet_36", "unet-unet_36"}
    assert load_checkpoint(run / "checkpoints" / "unet_36").channels[:2] == ("tb_36v", "tb_36h")
    same = [load_checkpoint(folder / "checkpoints" / "unet").weights for folder in (run, scored)]
    assert all(np.array_equal(same[0][name], same[1][name]) for name in same[0])  # a rival changes nothing


def test_a_checkpoint_says_what_it_was_made_with(finished):  # noqa: F811
    card = load_checkpoint(finished / "checkpoints" / "unet").provenance
    assert (card["seed"], card["epochs"], card["batch"]) == (1, 2, 4)
    assert (card["train_first"], card["train_last"]) == ("2016-04-10", "2016-05-19")
    assert "torch" in card
    assert loop.__doc__


def test_prediction_on_a_cpu_loads_no_torch(finished, tmp_path):  # noqa: F811
    file, run = toml(tmp_path / "tiny.toml"), copied(finished, tmp_path / "run")
    code = (
        "import sys\nfrom frostline.cli import main\n"
        "try:\n    main(sys.argv[1:])\nfinally:\n    print('torch' in sys.modules)"
    )
    words = [sys.executable, "-c", code, "predict", str(file), "--run", str(run), "--workers", "1", "--force"]
    got = subprocess.run(words, capture_output=True, text=True, timeout=120)
    assert got.returncode in (0, 4), got.stderr
    assert got.stdout.splitlines()[-1] == "False"
    assert shown(run, "record") == shown(finished, "record")


def test_nothing_in_a_run_tells_of_the_environment(finished, tmp_path):  # noqa: F811
    file, run = toml(tmp_path / "tiny.toml"), copied(finished, tmp_path / "run")
    words = [
        sys.executable,
        "-c",
        "from frostline.cli import main; main()",
        "report",
        str(file),
        "--run",
        str(run),
        "--force",
    ]
    got = subprocess.run(
        words, env=os.environ | {"EARTHDATA_TOKEN": "canary-51c7"}, capture_output=True, timeout=120, check=True
    )
    assert b"canary-51c7" not in got.stdout + got.stderr
    for path in Path(run).rglob("*"):
        if path.is_file() and "data" not in path.parts:
            assert b"canary-51c7" not in path.read_bytes(), path


def test_every_score_has_its_n_its_interval_and_its_skill(finished):  # noqa: F811
    rows, tables, wrong = walk.of_run(finished)
    assert rows > 1000 and tables >= 3 and not wrong, wrong[:5]
