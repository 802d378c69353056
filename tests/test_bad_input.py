"""One spoiled input: one line that names it, its cause and what to do; the rest is kept; nothing half-made is read."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from frostline import store
from frostline.cli import main
from frostline.errors import InputError
from frostline.runs import read_json
from frostline.steps.common import load
from spoiled import (
    another_product,
    beheaded,
    celsius,
    empty,
    era5_in_celsius,
    flipped,
    hundredfold,
    nearly_whole,
    page,
    smaller_amsr2,
    smaller_grid,
    text,
    truncated,
    zipped,
)
from twin_run import BRIEF, TABLES, assembled, brief, copied, shared, shown, spoil, toml  # noqa: F401

LINE = re.compile(r"^E-[A-Z]+(-[A-Z]+)?  \S.*: .+\. [A-Z].+[.]$")  # code  place: cause. Remedy.
SMAP = "smap/*_E_1.4V_20160511_*.nc"
AMSR2 = "amsr2/GW1AM2_20160511_01D_EQMA_L3SGT36*.h5"


@pytest.fixture
def run(brief, tmp_path):  # noqa: F811
    return copied(brief, tmp_path / "run")


@pytest.fixture
def frostline(tmp_path, capsys):
    """`frostline("assemble", run)` -> exit code and the lines on stderr, as the command line gives them."""

    def call(verb, folder, *options, **changes):
        file = toml(tmp_path / "tiny.toml", **(changes if "period" in changes else BRIEF | changes))
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            main([verb, str(file), "--run", str(folder), "--workers", "1", *options])
        return end.value.code, [line.strip() for line in capsys.readouterr().err.splitlines() if line.strip()]

    return call


def one(run, pattern):
    (path,) = (run / "data").glob(pattern)
    return path


AT_THE_GATE = [
    (SMAP, truncated, "E-INPUT-TRUNC"),
    (SMAP, beheaded, "E-INPUT-TRUNC"),
    (SMAP, nearly_whole, "E-INPUT-TRUNC"),
    (SMAP, empty, "E-INPUT-EMPTY"),
    (SMAP, page, "E-INPUT-HTML"),
    (SMAP, zipped, "E-INPUT-ZIP"),
    (SMAP, text, "E-INPUT-SCHEMA"),
    (AMSR2, truncated, "E-INPUT-TRUNC"),
    (AMSR2, page, "E-INPUT-HTML"),
]
WHEN_OPENED = [
    (SMAP, smaller_grid, "E-INPUT-GRID"),
    (SMAP, another_product, "E-INPUT-SCHEMA"),
    (SMAP, hundredfold, "E-INPUT-UNITS"),
    (SMAP, flipped, "E-INPUT-CORRUPT"),
    (AMSR2, smaller_amsr2, "E-INPUT-GRID"),
    (AMSR2, another_product, "E-INPUT-SCHEMA"),
    (AMSR2, hundredfold, "E-INPUT-UNITS"),
    (AMSR2, celsius, "E-INPUT-UNITS"),
    (AMSR2, flipped, "E-INPUT-CORRUPT"),
]


def name(case):
    return getattr(case, "__name__", str(case).split("/")[0])


@pytest.fixture(scope="session")
def without(shared, brief):  # noqa: F811
    """`without(pattern)`: a digest of the stack of a run in which the file never was."""
    from twin_run import made, play

    def digest(pattern):
        folder = shared / f"without-{pattern.split('/')[0]}"
        if not folder.exists():
            copied(brief, folder)
            one(folder, pattern).unlink()
        with_lock = made(shared, folder.name + "-made", "read", start=folder, **BRIEF)
        play(with_lock, "assemble", **BRIEF)
        return shown(with_lock, "stack")

    return digest


def told(lines, file):
    """The one line about a file."""
    (line,) = (line for line in lines if file.name in line)
    assert LINE.match(line), line
    return line


@pytest.mark.parametrize(("pattern", "fault", "code"), AT_THE_GATE, ids=name)
def test_a_file_that_is_not_whole_or_not_its_kind_is_told_and_left_out(run, frostline, pattern, fault, code):
    path = spoil(one(run, pattern), fault)
    exit_code, lines = frostline("read", run)
    assert exit_code == 4
    assert told(lines, path).startswith(code)
    assert f"inputs broken or missing: 1 ({run / 'inventory.json'})" in lines[-1]
    inventory = read_json(run / "inventory.json")
    product = pattern.split("/")[0]
    assert list(inventory[product]["bad"]) == [str(path)]
    assert str(path) not in [row[0] for row in inventory[product]["files"]]


@pytest.mark.parametrize(("pattern", "fault", "code"), WHEN_OPENED, ids=name)
def test_a_file_that_breaks_when_opened_is_told_and_left_out(run, frostline, without, pattern, fault, code):
    path = spoil(one(run, pattern), fault)
    assert frostline("read", run)[0] == 0
    exit_code, lines = frostline("assemble", run)
    assert exit_code == 4
    line = told(lines, path)
    assert line.startswith(code)
    inventory = read_json(run / "inventory.json")
    assert list(inventory[pattern.split("/")[0]]["unreadable"]) == [str(path)]
    assert shown(run, "stack") == without(pattern)  # as if the file had never been there, all else kept
    assert store.verified(run / "stack.zarr").all()
    assert frostline("assemble", run)[0] == 4  # not again, and not forgotten


def test_what_was_left_out_at_the_gate_is_as_if_it_never_was(run, frostline, without):
    spoil(one(run, SMAP), truncated)
    assert frostline("all", run, "--set", "title=x")[0] == 4
    assert shown(run, "stack") == without(SMAP)
    assert "smap: 1 broken files were left out" in (run / "report.html").read_text(encoding="utf-8")


def test_a_file_that_came_back_whole_is_used_again(run, frostline, brief):  # noqa: F811
    path = one(run, SMAP)
    spoil(path, smaller_grid)
    frostline("read", run)
    assert frostline("assemble", run)[0] == 4
    shutil.copy2(one(brief, SMAP), path)
    assert frostline("read", run)[0] == 0
    assert frostline("assemble", run)[0] == 0
    assert shown(run, "stack") == shown(brief, "stack")


def test_every_file_of_a_product_broken_is_an_error_and_leaves_no_stack(run, frostline):
    (run / "stack.zarr").rename(run / "old.zarr")
    for path in (run / "data" / "era5").iterdir():
        spoil(path, era5_in_celsius)
    exit_code, lines = frostline("read", run)
    assert exit_code == 0
    exit_code, lines = frostline("assemble", run)
    assert exit_code == 3
    assert told(lines, path).startswith("E-INPUT-UNITS")
    assert lines[-1].startswith("E-INPUT-EMPTY")
    assert "no usable era5 file is left" in lines[-1]
    assert not store.verified(run / "stack.zarr").any()  # laid out, and nothing in it counts
    exit_code, lines = frostline("predict", run)
    assert exit_code == 3
    assert "step 'assemble' has not run" in lines[-1]


@pytest.mark.parametrize("fault", [empty, page, truncated], ids=name)
def test_a_static_file_has_no_stand_in(run, frostline, fault):
    path = spoil(next((run / "data" / "dem").iterdir()), fault)
    exit_code, lines = frostline("read", run)
    if exit_code == 0:  # a cut GeoTIFF shows only when it is read
        exit_code, lines = frostline("assemble", run)
    assert exit_code == 3
    assert str(path) in lines[-1]
    assert LINE.match(lines[-1]), lines[-1]


def test_one_broken_line_costs_a_station_that_line(run, frostline, brief):  # noqa: F811
    path = next((run / "data" / "ismn").rglob("*.stm"))

    def garble(path):
        near_six = rb"2016/05/10 21:00[^\r\n]*"  # UTC: an hour before 6 h of the 11th at 120 E
        path.write_bytes(re.sub(near_six, b"2016/05/10 21:0\x00 &&&&", path.read_bytes()))

    spoil(path, garble)
    assert frostline("read", run)[0] == 0
    exit_code, lines = frostline("assemble", run)
    assert exit_code == 0, lines  # nothing but that line was lost
    assert re.search(r"1 lines cannot be read, the first is line \d+", told(lines, path))
    got, whole = load(run / "sites.nc"), load(brief / "sites.nc")
    station = path.parent.name
    others = [s for s in whole["site"].values if s != station]
    index = {s: i for i, s in enumerate(whole["site"].values)}
    kept = [index[s] for s in others]
    np.testing.assert_array_equal(
        got["soil_temperature"].values[..., kept], whole["soil_temperature"].values[..., kept]
    )
    mine, was = (ds["soil_temperature"].values[..., index[station]] for ds in (got, whole))
    assert np.isfinite(was).all()
    assert np.isfinite(mine).sum() >= was.size - 1  # at most the overpass beside the lost hour


def test_a_station_file_that_says_nothing_is_left_out_and_counted(run, frostline):
    path = spoil(next((run / "data" / "ismn").rglob("*.stm")), lambda p: p.write_text("not a station\n" * 9))
    assert frostline("read", run)[0] == 0
    exit_code, lines = frostline("assemble", run)
    assert exit_code == 4
    told(lines, path)
    assert load(run / "sites.nc").sizes["site"] == 10


def test_the_same_day_twice_is_told_and_the_newer_version_used(run, frostline, brief):  # noqa: F811
    path = one(run, SMAP)
    older = path.with_name(path.name.replace("_v3.0", "_v2.0"))
    shutil.copy2(path, older)
    spoil(older, hundredfold)  # if it were used it would show
    exit_code, lines = frostline("read", run)
    assert exit_code == 0
    assert "newer version" in told(lines, older)
    assert frostline("assemble", run)[0] == 0
    assert shown(run, "stack") == shown(brief, "stack")


def test_hours_that_come_twice_are_used_once(assembled, frostline, tmp_path):  # noqa: F811
    run = copied(assembled, tmp_path / "run")
    path = run / "data" / "era5" / "era5_201604.nc"
    again = path.with_name("era5_201604_again.nc")
    shutil.copy2(path, again)
    whole = {"period": TABLES["period"]}  # all 40 days
    assert frostline("read", run, **whole)[0] == 0
    exit_code, lines = frostline("assemble", run, **whole)
    assert exit_code == 4
    assert told(lines, again).startswith("E-INPUT-TIME")
    assert shown(run, "stack") == shown(assembled, "stack")


def test_missing_days_are_told_and_stay_gaps(run, frostline, brief):  # noqa: F811
    for path in list((run / "data" / "amsr2").iterdir()):
        if "_20160509_" in path.name or "_20160510_" in path.name:
            path.unlink()
    exit_code, lines = frostline("read", run)
    assert exit_code == 0  # agencies have outages: a gap is no fault of a file
    (line,) = (line for line in lines if "amsr2" in line)
    assert LINE.match(line), line
    assert "1 days have no amsr2 file, the first is 2016-05-10" in line
    assert frostline("assemble", run)[0] == 0
    age = store.open_store(run / "stack.zarr")["age_tb_36"].values
    seen = store.open_store(brief / "stack.zarr")["age_tb_36"].values == 0
    assert set(np.unique(age[0][seen[0]])) == {1, 2}  # filled from the next days, and said so
    assert (age[2][seen[2]] == 0).all()


def test_a_year_without_data_is_told(run, frostline):
    changes = {"twin": None, "period.end": "2017-01-02"}
    exit_code, lines = frostline("read", run, **changes)
    assert exit_code == 4
    for product in ("smap", "amsr2", "era5"):
        (line,) = (line for line in lines if f" {product} file" in line)
        assert LINE.match(line), line
        assert "none at all of 2017" in line
    exit_code, lines = frostline(
        "read", run, **{"twin": None, "period.start": "2014-01-01", "period.end": "2014-02-01"}
    )
    assert exit_code == 3
    assert "no usable smap file for 2014-01-01..2014-02-01" in lines[-1]


def test_a_folder_that_is_not_there_is_one_line(run, frostline):
    shutil.rmtree(run / "data" / "amsr2")
    exit_code, lines = frostline("read", run)
    assert exit_code == 3
    assert LINE.match(lines[-1]), lines[-1]
    assert "inputs.amsr2" in lines[-1]


def test_a_store_without_its_journal_is_no_store(run):
    (run / "stack.zarr" / "journal.jsonl").unlink()
    with pytest.raises(InputError, match="no finished store"):
        store.open_store(run / "stack.zarr")


def test_no_part_of_a_failed_write_is_left_where_it_can_be_read(run, frostline):
    spoil(one(run, SMAP), hundredfold)
    frostline("read", run)
    frostline("assemble", run)
    assert not [p for p in Path(run).rglob("*") if ".part" in p.name]
