"""A run with a planted leak is refused, or marks all it makes; a table says what an overlap would have flattered."""

import dataclasses

import numpy as np
import pytest
from matplotlib.figure import Figure

from frostline import store
from frostline.cli import main
from frostline.errors import InputError
from frostline.learn.checkpoint import load as load_checkpoint
from frostline.runs import Run, finished, read_json
from frostline.steps import evidence, model, pictures, watch
from frostline.steps.common import load, save
from twin_run import assembled, copied, experiment, run_in, scored, shared, toml  # noqa: F401


@pytest.fixture
def run(scored, tmp_path):  # noqa: F811
    return run_in(copied(scored, tmp_path / "run"))


def card(run, **changes):
    """The checkpoint as it would be with another training; None takes a fact out."""
    checkpoint = load_checkpoint(run.path("checkpoints", "unet"))
    facts = {k: v for k, v in {**checkpoint.provenance, **changes.pop("provenance", {})}.items() if v is not None}
    dataclasses.replace(checkpoint, provenance=facts, **changes).save(run.path("checkpoints", "unet"))


def move(run, judge, **changes):
    """The first teaching station again, as a judging one: coordinates and names of one site by another's."""
    sites = load(run.path("sites.nc")).load()
    teacher = int(np.flatnonzero(sites["role"].values == "train")[0])
    other = int(np.flatnonzero(sites["role"].values == judge)[0])
    for name, value in changes.items():
        values = sites[name].values.copy().astype(object if name in ("site", "network") else float)
        values[other] = value(values[teacher])
        sites = sites.assign_coords({name: ("site", values)})
    save(run.path("sites.nc"), sites)


def refused(step, run):
    with pytest.raises(InputError) as error:
        step(experiment(), run)
    assert (error.value.code, error.value.exit) == ("E-LEAK", 3)
    assert "\n" not in str(error.value) and "--allow-leak" in str(error.value)
    return str(error.value)


def test_an_honest_run_has_no_leak(run):
    assert watch.watch(experiment(), run) == watch.found(experiment(), run) == []
    assert watch.attrs(experiment(), run) == watch.notes([]) == {}
    assert watch.told(run) == watch.warnings(run) == []
    facts = load_checkpoint(run.path("checkpoints", "unet")).provenance
    # buffers of a day at each change of role, and the block's last quarter of the columns with its buffer of one
    assert facts["train_spans"] == [["2016-04-10", "2016-04-17"], ["2016-04-30", "2016-05-05"], ["2016-05-16", "2016-05-19"]]  # fmt: skip  # noqa: E501
    assert facts["validation_spans"] == [["2016-04-19", "2016-04-23"]]
    assert facts["train_area"] == facts["validation_area"] == {"cells": 16 * 11, "rectangles": [[0, 0, 16, 11]]}
    taught = (load(run.path("sites.nc"))["role"] == "train").sum()
    assert 0 < facts["station_area"]["cells"] <= taught


def test_a_shared_cell_day_is_refused(run):
    card(run, provenance={"train_spans": [["2016-05-07", "2016-05-07"]]})
    text = refused(watch.watch, run)
    # one held-out day over the 16 x 11 cells that taught
    assert "checkpoint unet: of the cell-days of held-out days 176 taught it, first 2016-05-07 in cell (0, 0)" in text


def test_a_neighbor_within_the_buffer_is_refused(run):
    card(run, provenance={"train_area": {"cells": 192, "rectangles": [[0, 0, 16, 12]]}})
    text = refused(watch.watch, run)
    # 16 cells of column 12, one from column 11, on the 8 + 6 + 4 training days; the days beside those are nobody's
    assert "held-out blocks 288 are within 1 days and 1 cells of its training, first 2016-04-10 in cell (0, 12)" in text
    card(run, provenance={"train_area": {"cells": 176, "rectangles": [[0, 0, 16, 11]]}})
    assert watch.found(experiment(), run) == []


def test_a_day_within_the_buffer_is_refused(run):
    card(run, provenance={"validation_spans": [["2016-04-19", "2016-04-24"]]})
    # 25 April is a day from the 24th; the 16 x 11 cells that chose, and those one column from them
    assert "held-out days 192 are within 1 days and 1 cells" in refused(watch.watch, run)


def test_a_checkpoint_of_another_window_is_seen_where_it_lies(run):
    facts = dict(load_checkpoint(run.path("checkpoints", "unet")).grid)
    spans = {"train_spans": [["2016-04-25", "2016-04-28"]], "validation_spans": None}
    whole = {"train_area": {"cells": 1, "rectangles": [[0, 0, 16, 16]]}, "station_area": None}
    for cells, lines in ((20, 0), (17, 0), (16, 1), (-16, 1), (-17, 0)):  # columns east of this window's first
        card(run, grid={**facts, "left": facts["left"] + cells * facts["step"]}, provenance={**spans, **whole})
        assert len(watch.found(experiment(), run)) == lines, cells
    card(run, grid={**facts, "crs": "EPSG:6933"}, provenance={**spans, **whole})
    assert len(watch.found(experiment(), run)) == 1  # it cannot be said where: everywhere


def test_a_checkpoint_that_knows_less_is_doubted_more(run):
    lost = dict.fromkeys(("train_spans", "validation_spans", "train_area", "validation_area", "station_area"))
    card(run, provenance=lost)  # an older one: its first and last day hold the held-out ones
    assert "taught it" in refused(watch.watch, run)
    card(run, provenance={**lost, "train_first": None, "train_last": None})
    assert "does not say on which days it was trained" in refused(watch.watch, run)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"site": lambda name: f"{name.lower()} ", "network": str}, "have one name"),
        ({"lon": lambda lon: lon + 0.001, "lat": float}, "km apart"),
    ],
    ids=["one name in two cells", "a stone's throw away"],
)
def test_a_station_that_teaches_and_judges_is_refused_before_training(run, changes, why):
    move(run, "heldout", **changes)
    for step in (watch.watch_stations, watch.watch, model.train, model.predict, evidence.validate):
        text = refused(step, run)
        assert text.startswith("E-LEAK  stations ") and why in text
    assert load_checkpoint(run.path("checkpoints", "unet"))  # nothing was begun


def test_a_checkpoint_taught_by_the_cell_of_a_judging_station_is_refused(run):
    sites = load(run.path("sites.nc"))
    from frostline.steps.common import grid_of

    at = int(np.flatnonzero(sites["role"].values == "heldout")[0])
    row, col = (int(v) for v in grid_of(experiment()).locate(sites["lon"].values[at], sites["lat"].values[at]))
    card(run, provenance={"station_area": {"cells": 1, "rectangles": [[row, col, row + 1, col + 1]]}})
    assert f"cells whose stations taught it, {sites['site'].values[at]} among them" in refused(watch.watch, run)


def test_the_command_line_refuses_or_marks_every_output(run, tmp_path, capsys):
    file = toml(tmp_path / "tiny.toml")
    card(run, provenance={"train_spans": [["2016-05-07", "2016-05-07"]]})
    words = [str(file), "--run", str(run.folder), "--force"]
    with pytest.raises(SystemExit) as end:
        main(["predict", *words, "--quiet"])
    err = capsys.readouterr().err
    assert end.value.code == 3 and err.startswith("E-LEAK  checkpoint unet") and err.count("\n") == 1
    for verb in ("predict", "validate", "export"):
        with pytest.raises(SystemExit) as end:
            main([verb, *words, "--allow-leak", "--quiet"])
        assert end.value.code == 0
    assert "Leak let through by --allow-leak: checkpoint unet" in capsys.readouterr().err  # however quiet
    assert "176 taught it" in store.open_store(run.path("record.zarr")).attrs["leak"]
    rows = read_json(run.path("scores.json"))
    assert rows and all(row["leak"] is True for row in rows)
    assert watch.told(run) == finished(run, "validate")["notes"]["leaks"] != []
    assert any("no score is to be believed" in line for line in pictures._warnings(experiment(), run))
    ((_, figure, caption),) = watch.stamped([("one", Figure(), "A caption.")], run)
    assert [text.get_text() for text in figure.texts] == [watch.STAMP] and caption.startswith("Leak let through")
    assert _attribute(next(run.path("export").glob("*.nc"))).startswith("checkpoint unet")


def _attribute(path):
    import h5py

    with h5py.File(path) as file:
        return str(file.attrs["leak"])


def rows(**values):
    """Rows of one truth and pass: accuracy with an interval of one point either way."""
    return [
        {"record": name, "against": "truth", "split": split, "overpass": "am", "stratum": "area:trained", "n": n}
        | {"score": "accuracy", "value": value, "lo": value - 0.01, "hi": value + 0.01, "n_effective": 9}
        for name, pair in values.items()
        for split, value, n in zip(("train", "heldout"), pair, (200, 100), strict=True)
    ]


def test_flattery_is_what_the_years_do_not_explain():
    found = watch.flattery(
        rows(unet=(0.95, 0.92), reanalysis=(0.85, 0.86), persistence=(0.8, 0.9), smap=(0.9, 0.8), fused_pool=(0.9, 0.8))
    )
    (row,) = found  # those that never learnt have no line, nor what was given or fused another way
    assert (row["record"], row["by"]) == ("unet", "reanalysis")
    # 3 points better on training days, which are 1 point harder: 4; limits sqrt(2) and sqrt(4) points away
    assert row["gain"] == pytest.approx({"value": 3, "lo": 3 - 2**0.5, "hi": 3 + 2**0.5, "n": 100})
    assert row["days"] == pytest.approx({"value": -1, "lo": -1 - 2**0.5, "hi": -1 + 2**0.5, "n": 100})
    assert row["beyond"] == pytest.approx({"value": 4, "lo": 2, "hi": 6, "n": 100})


def test_the_sheet_shows_only_what_has_n_and_interval():
    given = rows(unet=(0.95, 0.92), climatology=(0.9, 0.8))
    (sheet,) = watch.sheets(given)
    assert [line[:3] for line in sheet.lines] == [["truth (ice share)", name, "AM"] for name in ("U-Net", "climatology (labels)")]  # fmt: skip  # noqa: E501
    assert sheet.lines[0][3:] == [
        "0.950 [0.940, 0.960]", "0.920 [0.910, 0.930]", "–", "+3.0 [+1.6, +4.4]", "–", "–", "200", "100",
    ]  # fmt: skip
    assert all(len(line) == len(sheet.head) for line in sheet.lines)
    given[0]["lo"] = None
    assert [line[1] for line in watch.sheets(given)[0].lines] == ["climatology (labels)"]
    assert watch.sheets([]) == [] == watch.sheets([r | {"split": "heldout"} for r in given[:1]])


def test_a_real_run_has_a_line_for_what_learnt(scored):  # noqa: F811
    records = {row["record"] for row in watch.flattery(read_json(scored / "scores.json"))}
    assert "unet" in records and not records & set(watch.UNTAUGHT)


def test_a_run_lets_no_leak_through_unless_told(tmp_path):
    assert Run(tmp_path).allow_leak is False
