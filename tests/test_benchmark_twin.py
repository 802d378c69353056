"""The frozen benchmark: a flipped cell is another Earth, a perfect record scores 1, what has no comparison is refused.

The tiny run stands for the benchmark's Earth; the table in docs/ is rebuilt from the lines that lie beside it.
"""

import copy
import doctest
import json
import shutil

import benchmark_manifest as kept
import benchmark_scores as scores
import benchmark_table as table
import benchmark_twin as tool
import numpy as np
import pytest
import xarray as xr

from conftest import REPOSITORY
from frostline import store
from frostline.errors import InputError
from frostline.export import to_netcdf
from frostline.grid import Grid
from frostline.read.insitu_ismn import read_ismn
from frostline.read.insitu_uscrn import read_uscrn
from frostline.runs import read_json, write_json
from frostline.schema import record
from frostline.steps.common import load
from twin_run import assembled, copied, scored, shared, toml  # noqa: F401


@pytest.fixture(scope="module")
def place(scored, tmp_path_factory):  # noqa: F811
    """A folder with the tiny run as answers, frozen: (folder, path of the manifest)."""
    root = tmp_path_factory.mktemp("benchmark")
    copied(scored, root / "twin" / "answers")
    words = ["--manifest", str(root / "tiny-1.json"), "freeze", str(root / "twin")]
    tool.main(
        [*words, "--experiment", str(toml(root / "tiny.toml", **{"validate.resamples": 8})), "--version", "tiny-1"]
    )
    return root / "twin", root / "tiny-1.json"


def run(place, *words):
    tool.main(["--manifest", str(place[1]), *map(str, words)])


def truth_of(place):
    """The truth as a record that says of which Earth it is."""
    whole = store.open_store(place[0] / "answers" / "truth.zarr")
    time, passes, attrs = whole["time"].values, whole["overpass"].values, {"benchmark": read_json(place[1])["id"]}
    return record(whole["truth"].values, grid=Grid.of(whole), time=time, overpass=passes, attrs=attrs)


def refused(capsys, place, *words):
    with pytest.raises(SystemExit) as end:
        run(place, *words)
    said = capsys.readouterr().err
    assert end.value.code == 3 and said.count("\n") == 1, said
    return said


def test_a_perfect_record_scores_one_and_its_line_stands_in_the_table(place, tmp_path, capsys):
    truth_of(place).to_netcdf(tmp_path / "perfect.nc", engine="h5netcdf")
    run(place, "score", place[0], tmp_path / "perfect.nc", "--name", "perfect", "--by", "nobody", "--out", tmp_path)
    shown = capsys.readouterr().out
    assert "| perfect | 1.000 [1.000, 1.000] +1.00 |" in shown
    line = read_json(tmp_path / "perfect.json")
    mine = [r for r in line["rows"] if r["against"] == "truth" and r["value"] is not None]
    assert {(r["score"], round(r["value"], 9)) for r in mine} == set(scores.BEST.items())
    assert {round(r["skill"], 9) for r in mine if r["skill"] is not None} == {1.0}
    # a thermometer is not its cell: the truth itself is not always right at stations
    at_sites = [r["value"] for r in line["rows"] if (r["against"], r["score"]) == ("stations", "accuracy")]
    assert len(at_sites) == 2 and all(0 < v < 1 for v in at_sites)
    assert all(row["value"] == 1 for row in line["coverage"] if row["against"] == "truth")


def test_what_needs_no_network_and_exported_files_are_scored_on_the_same_cell_days(place, tmp_path, monkeypatch):
    some, all_ = ("climatology", "reanalysis"), tool.baselines
    monkeypatch.setattr(tool, "baselines", lambda *run: {k: v for k, v in all_(*run).items() if k in some})
    run(place, "baselines", place[0], "--out", tmp_path)
    lines = table.lines_of(tmp_path, read_json(place[1]))
    assert {line["name"] for line in lines} == set(some) and set(all_(*of(place))) == set(tool.WHAT)
    by = {line["name"]: {(*k,): r for r in line["rows"] for k in [tuple(r[n] for n in ("against", "stratum", "overpass", "score"))]} for line in lines}  # fmt: skip  # noqa: E501
    assert {r["skill"] for r in by["climatology"].values()} == {0.0, None}  # MCC of one class is nothing
    for key, row in by["reanalysis"].items():
        reference = by["climatology"][key]
        assert row["n"] == reference["n"]
        if reference["value"] is None:
            continue
        best = scores.BEST[key[3]]
        gain = 1 - abs(best - row["value"]) / abs(best - reference["value"])
        assert row["skill"] == pytest.approx(gain, abs=1e-9)
    # the run's own record, whole or as exported files of a year, whose Earth lies beside it
    answers = place[0] / "answers"
    run(place, "score", place[0], answers / "record.zarr", "--name", "unet", "--out", tmp_path)
    whole = store.open_store(answers / "record.zarr")
    for path in to_netcdf(whole, tmp_path / "export"):
        xr.load_dataset(path, engine="h5netcdf").assign_attrs(benchmark=read_json(place[1])["id"]).to_netcdf(
            tmp_path / path.name, engine="h5netcdf"
        )
    files = sorted(tmp_path.glob("frostline_*.nc"))
    run(place, "score", place[0], *files, "--name", "exported", "--out", tmp_path)
    rows = [read_json(tmp_path / f"{name}.json")["rows"] for name in ("unet", "exported")]
    assert rows[0] == rows[1]
    ledger = read_json(answers / "steps.json")
    assert read_json(tmp_path / "unet.json")["record_commit"] == ledger["predict"]["commit"]


def test_silence_earns_no_skill(place, tmp_path):
    """What is left open the climatology answers, so a perfect record with a gap is right where the climatology is."""
    whole = truth_of(place)
    held = np.isin(whole["time"].values, scores.sample_of(*of(place)).climatology["time"].values)
    frozen = whole["frozen"].values.copy()
    first = int(np.flatnonzero(held)[0])
    frozen[first, 0] = np.nan
    sample = scores.sample_of(*of(place))
    rows, covered = scores.score("gappy", whole.assign(frozen=(whole["frozen"].dims, frozen)), sample, least=0.5)
    at = {(r["overpass"], r["score"]): r for r in rows if (r["against"], r["stratum"]) == ("truth", "area:trained")}
    part = sample.strata["area:trained"]
    truth = sample.truths["truth"]["frozen"].values[0, 0][part]
    claim = sample.climatology["frozen"].values[0, 0][part]
    ties = (claim == 0.5).sum()
    wrong = ((claim > 0.5) != truth)[claim != 0.5].sum() + 0.5 * ties
    n = at["am", "accuracy"]["n"]
    assert n == held.sum() * part.sum()
    assert at["am", "accuracy"]["value"] == pytest.approx(1 - wrong / n)
    assert at["pm", "accuracy"]["value"] == 1
    known = {(r["stratum"], r["overpass"]): r for r in covered if r["against"] == "truth"}
    assert known["area:trained", "am"]["value"] == pytest.approx(1 - 1 / held.sum())
    assert known["area:trained", "am"]["n"] == n


def of(place):
    """Experiment and run of a folder."""
    manifest = read_json(place[1])
    return kept.read(REPOSITORY / manifest["experiment"])[0], tool.answers(place[0], manifest)


def test_what_cannot_be_compared_is_refused_in_one_line(place, tmp_path, capsys, monkeypatch):
    words, found = ["--name", "mine", "--out", tmp_path], of(place)[1]
    monkeypatch.setattr(tool, "answers", lambda *args: found)  # the same each time
    good = truth_of(place)
    files = (tmp_path / f"mine_{k}.nc" for k in range(20))

    def told(ds):
        file = next(files)
        ds.to_netcdf(file, engine="h5netcdf")
        return refused(capsys, place, "score", place[0], file, *words)

    assert "it is of 'tiny-1 000000000000'" in told(good.assign_attrs(benchmark="tiny-1 000000000000"))
    nameless = good.copy()
    del nameless.attrs["benchmark"]
    assert "does not say of which Earth it is" in told(nameless)
    held = good["time"].isin(scores.sample_of(*of(place)).climatology["time"])
    days = np.flatnonzero(held.values)
    few = good.isel(time=np.setdiff1d(np.arange(good.sizes["time"]), days[:2]))  # 10 of 12 held-out days
    assert "the record knows 0.833 of the sample truth, area:trained, am; 0.95 is the least" in told(few)
    assert "knows 0.000 of the sample truth, area:trained, pm" in told(good.isel(overpass=[0]))
    grid = Grid.of(good)
    moved = record(good["frozen"].values, grid=Grid(grid.name, grid.crs, grid.left + grid.step, grid.top, grid.step, grid.shape), time=good["time"].values, overpass=[0, 1], attrs=good.attrs)  # fmt: skip  # noqa: E501
    assert "x are not those of its cells" in told(moved)
    plain = xr.Dataset({"frozen": good["frozen"]}, attrs={"benchmark": good.attrs["benchmark"]})
    assert told(moved.assign_coords(x=good["x"]).assign_attrs(grid_left=grid.left + grid.step)).startswith(
        "E-INPUT-GRID"
    )
    assert "y are not those" in told(plain.drop_vars("y"))
    assert "holds thawed, and none of frozen" in told(good.rename(frozen="thawed"))
    assert "E-INPUT-MISSING" in refused(capsys, place, "score", place[0], tmp_path / "none.zarr", *words)
    assert not list(tmp_path.glob("*.json"))
    file = next(files)  # a stranger's, with the right x and y and no attributes of ours
    plain.to_netcdf(file, engine="h5netcdf")
    run(place, "score", place[0], file, *words)


def test_a_record_beside_another_truth_is_refused(place, tmp_path, capsys):
    other = tmp_path / "other"
    shutil.copytree(place[0] / "answers" / "record.zarr", other / "record.zarr")
    shutil.copytree(place[0] / "answers" / "truth.zarr", other / "truth.zarr")
    with store.writer(other / "truth.zarr") as write:
        write(3, {"truth": 1 - store.open_store(other / "truth.zarr")["truth"][3:4].values})
    said = refused(capsys, place, "score", place[0], other / "record.zarr", "--name", "mine", "--out", tmp_path)
    assert "made on another Earth" in said


def test_one_flipped_cell_is_another_earth(place, tmp_path, capsys):
    twin = tmp_path / "twin"
    copied(place[0] / "answers", twin / "answers")
    path = twin / "answers" / "truth.zarr"
    values = store.open_store(path)["truth"][7:8].values
    values[0, 1, 5, 6] = 1 - values[0, 1, 5, 6]
    with store.writer(path) as write:
        write(7, {"truth": values})
    said = refused(capsys, (twin, place[1]), "baselines", twin, "--out", tmp_path)
    more = "+1" if values[0, 1, 5, 6] == 1 else "-1"
    assert "this machine makes another Earth: 1 of 256 cells differ, on 1 of 40 days, the first 2016-04-17" in said
    assert f"with {more} frozen cell-days" in said


def test_each_part_of_the_manifest_is_held_against_this_machine(place):
    stated = read_json(place[1])
    found = kept.freeze(REPOSITORY / stated["experiment"], of(place)[1], version="tiny-1", coverage=0.95)
    assert kept.differences(stated, found) == [] and found["id"] == stated["id"] == kept.identity(stated)

    def told(*path, value):
        other = copy.deepcopy(found)
        at = other
        for name in path[:-1]:
            at = at[name]
        at[path[-1]] = value
        assert (kept.identity(other) == stated["id"]) == (path[0] == "inputs")
        (one,) = kept.differences(stated, other)
        return one

    assert told("declared", "twin", "seed", value=2) == "the experiment's table [twin] is not the one that was frozen"
    assert told("days", "heldout", value=[]) == "days have other roles"
    assert told("masks", "domain", "cells", value=1).startswith("mask 'domain' has 1 cells, not those")
    moved = [found["stations"][0] + "x", *found["stations"][1:]]
    assert told("stations", value=moved).startswith("stations, their places or roles differ, the first is TWIN/")
    assert "stations that judge differ" in told("station_truth", "sha256", value="0")
    assert told("inputs", "tb_1v", "mean", value=0.0).startswith("tb_1v has ")


def test_inputs_hold_what_may_teach_and_nothing_of_the_answers(place):
    run(place, "make", place[0], "--workers", "1")
    inputs, answers = place[0] / "inputs", place[0] / "answers"
    sites = load(answers / "sites.nc")
    teach = set(sites["site"].values[sites["role"].values == "train"].tolist())
    found = {s.site for read, where in ((read_ismn, "ismn"), (read_uscrn, "uscrn")) for s in read(inputs / "data" / where)[0]}  # fmt: skip  # noqa: E501
    assert found == teach and len(teach) < sites.sizes["site"]
    assert {p.name for p in inputs.iterdir()} == {"data", "labels.zarr", "masks.nc", "benchmark.json"}
    for product in ("smap", "amsr2", "era5", "dem", "landcover"):
        names = [{p.name for p in (side / "data" / product).rglob("*")} for side in (inputs, answers)]
        assert names[0] == names[1] and names[0]
    labels, stack = store.open_store(inputs / "labels.zarr"), store.open_store(answers / "stack.zarr")
    masks = load(inputs / "masks.nc")
    told = read_json(inputs / "benchmark.json")
    assert told["benchmark"] == labels.attrs["benchmark"] == read_json(place[1])["id"]
    may = np.zeros(labels["label_reanalysis"].shape, bool)
    for role in ("train", "validation"):
        for first, last in told["days"][role]:
            days = (labels["time"] >= np.datetime64(first)) & (labels["time"] <= np.datetime64(last))
            may |= days.values[:, None, None, None] & (masks["train"].values == 1)
    for name in ("label_reanalysis", "label_station"):
        np.testing.assert_array_equal(labels[name].values, np.where(may, stack[name].values, np.nan))
    assert np.isfinite(labels["label_station"].values).any()


def test_numbers_worked_by_hand():
    found = doctest.testmod(table)
    assert found.failed == 0 < found.attempted


def test_a_frozen_version_is_not_frozen_again(place):
    with pytest.raises(SystemExit, match="is frozen: a change is a new version"):
        run(place, "freeze", place[0], "--experiment", "x.toml", "--version", "tiny-1")


def test_the_table_in_the_documents_is_that_of_the_lines():
    manifest = read_json(tool.MANIFEST)
    lines = table.lines_of(tool.MANIFEST.with_suffix(""), manifest)
    assert {*tool.WHAT, "unet"} <= {line["name"] for line in lines}
    page = tool.PAGE.read_text(encoding="utf-8")
    assert table.rebuilt(page, table.tables(lines, manifest)) == page, "run: python tools/benchmark_twin.py table"
    assert kept.identity(manifest) == manifest["id"]
    declared = kept.read(REPOSITORY / manifest["experiment"])[1]
    assert declared == manifest["declared"]


def test_a_line_is_checked(tmp_path):
    manifest = read_json(tool.MANIFEST)
    folder = tool.MANIFEST.with_suffix("")
    good = read_json(folder / "unet.json")

    def told(**changes):
        path = tmp_path / "unet.json"
        write_json(path, good | changes)
        with pytest.raises(InputError) as error:
            table.lines_of(tmp_path, manifest)
        return str(error.value)

    assert "it is of 'twin-0 0'" in told(benchmark="twin-0 0")
    assert "its rows are not those of the sample" in told(rows=good["rows"][1:])
    assert "its file is not called by its name" in told(name="other")
    assert "'by' holds '|'" in told(by="a | b")
    for key, value, said in (("n", 5, "n is 5"), ("lo", None, "lacks a number"), ("skill", 1.5, "skill above 1"), ("value", 2.0, "no such score")):  # fmt: skip  # noqa: E501
        assert said in told(rows=[good["rows"][0] | {key: value}, *good["rows"][1:]])
    assert "coverage 0.5 is below" in told(coverage=[c | {"value": 0.5} for c in good["coverage"]])
    assert json.loads((folder / "unet.json").read_text(encoding="utf-8")) == good
