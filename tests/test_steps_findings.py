"""What the report of a china run says in words, of results written by hand."""

import pytest

from china_run import china
from frostline.runs import Run, record_step, write_json
from frostline.steps import findings

CLEAN = {
    "inventory.json": {"smap": {"bad": {}, "unreadable": {}, "missing_days": []}},
    "collocation.json": {"sets": []},
    "fusion.json": {"recalibrated": {"am": {"n": 9}}},
    "trends.json": {"absent": []},
}


@pytest.fixture
def told(tmp_path):
    """The warnings of a run whose files are the clean ones, or those that are given."""

    def of(one=None, *, nobody=None, **files):
        run = Run(tmp_path, quiet=True)
        for name, content in CLEAN.items():
            write_json(run.path(name), files.get(name.partition(".")[0], content))
        record_step(run, "train", "mark", seconds=0.0, notes={"days_of_nobody": nobody or {"days": 0, "spans": []}})
        return findings.warnings(one or china(), run)

    return of


def test_the_summary_names_who_taught_and_what_enters(tmp_path):
    run = Run(tmp_path, quiet=True)
    write_json(run.path("scores.json"), [])
    one = china(**{"train.targets": ["esdr"], "fuse.members": ["convlstm_esdr", "recalibrated"]})
    verdict, what, twin = findings.summary(one, run).split("\n\n")
    assert "could not be decided" in verdict and "twin Earth" in twin
    assert "learn from reanalysis what ESDR said on days of 2016-01-01 to 2016-04-30" in what
    assert "fused are ConvLSTM (ESDR), reanalysis, recalibrated." in what
    rain = {"precipitation": [["1980-01-01", "era5land"], ["2016-01-01", "imerg"]]}
    assert "anything but reanalysis and IMERG enter" in findings.summary(china(assemble=rain), run)


def test_nothing_is_said_where_nothing_is_wrong(told):
    assert told() == []


def test_what_could_not_be_made_is_said_with_its_reason(told):
    skipped = {"members": ["smap", "esdr", "stations"], "skipped": "not known: stations", "warnings": [], "rows": []}
    fusion = {"recalibrated": {"skipped": "no training station"}, "ctc": {"skipped": "too few samples"}}
    lines = told(collocation={"sets": [skipped]}, fusion=fusion, trends={"absent": ["convlstm_smap"]})
    assert lines == [
        "Collocation of SMAP, ESDR, stations could not be done: not known: stations",
        "No record was fused by collocation: too few samples",
        "The reanalysis could not be recalibrated: no training station",
        "No seasons of ConvLSTM (SMAP): the run has no such record",
    ]


def test_the_published_split_says_what_it_leaves_out_and_when_nothing_is_held_out(told):
    one = china(**{"split": {"preset": "cui2024", "buffer_days": 0}})
    nobody = {"days": 214, "spans": ["2017-04-01..2017-10-31"]}
    empty, unused = told(one, nobody=nobody)  # two years to 2016: nothing of 2018 to 2020
    assert "Not one day" in empty and unused.endswith("uses 2017-04-01..2017-10-31 for nothing")
    assert told(china(**{"split": {"preset": "cui2024"}, "period.end": "2020-12-31"})) == []
