"""What the china system does not draw: figures of results that a run does not have."""

import numpy as np
import pytest

from china_run import china
from frostline.runs import Run, write_json
from frostline.steps import atlas


@pytest.fixture
def run(tmp_path):
    one = Run(tmp_path, quiet=True)
    for name, content in (("scores.json", []), ("boxes.json", []), ("collocation.json", {"sets": []})):
        write_json(one.path(name), content)
    return one


def test_without_results_there_is_no_empty_figure(run):
    assert atlas._evidence(china(), run) == []
    assert atlas._collocation(china(), run) == []
    skipped = {"members": ["smap", "esdr", "stations"], "skipped": "not known", "warnings": [], "rows": []}
    write_json(run.path("collocation.json"), {"sets": [skipped]})
    assert atlas._collocation(china(), run) == []


@pytest.mark.parametrize(("end", "year"), [("2020-12-31", 2020), ("2020-12-30", 2019), ("2020-05-31", 2019)])
def test_the_months_are_those_of_the_last_whole_year(end, year):
    assert atlas.last_whole_year(np.arange("2018-01-01", np.datetime64(end) + 1, dtype="datetime64[D]")) == year
