"""Every benchmark runs at its small size, and what it compares is equal."""

import math

import pytest

from conftest import REPOSITORY


@pytest.fixture
def tables(monkeypatch):
    monkeypatch.syspath_prepend(str(REPOSITORY))
    from benchmarks.__main__ import TABLES

    return TABLES


@pytest.mark.parametrize(
    "name",
    [
        "regrid",
        "gapfill",
        "moments",
        "trends",
        "store",
        "unet",
        "training",
        "convlstm",
        pytest.param("start", marks=pytest.mark.slow),
        pytest.param("passday", marks=pytest.mark.slow),
    ],
)
def test_a_benchmark_runs_and_its_results_are_equal(tables, name, capsys):
    from benchmarks.common import show

    rows = tables[name]("small")
    assert rows and all(row.equal for row in rows), rows
    assert all(math.isfinite(x) and x > 0 for row in rows for x in (row.theirs, row.ours, row.goal))
    show(rows)
    assert len(capsys.readouterr().out.splitlines()) == len(rows) + 1


def test_a_row_says_what_it_reached(monkeypatch, capsys):
    monkeypatch.syspath_prepend(str(REPOSITORY))
    from benchmarks.common import Row, interleaved, markdown, show

    row = Row(1, "a", "b", theirs=8.0, ours=2.0, goal=4.0)
    assert row.ratio == 4 and row.met and show([row]) == 0
    assert show([row._replace(ours=2.4)]) == 0 and not row._replace(ours=2.4).met  # within 80 % of the goal
    assert show([row._replace(ours=3.0)]) == 1 and show([row._replace(equal=False)]) == 1
    assert "DIFFERS" in capsys.readouterr().out
    table = markdown([row, row._replace(limit=0.5, note="twice")], "small").splitlines()
    assert table[0].endswith("cores, size `small`.") and len({line.count("|") for line in table[2:]}) == 1
    assert table[4] == "| 1 | a | b | 8 | 2 |  | 4 | 4 | met |"
    assert table[5] == "| 1 | a | b | 8 | 2 | 0.5 | 4 | 4 | met twice |"
    calls = []
    interleaved({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, repeats=2)
    assert "".join(calls) == "ababab"
