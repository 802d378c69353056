"""Every score that a run or docs/results.md shows has its n, its interval and its skill over climatology."""

from pathlib import Path

import pytest
import walk

ROOT = Path(__file__).resolve().parents[1]

ROW = {"record": "unet", "against": "truth", "split": "heldout", "overpass": "am", "stratum": "all",
       "score": "accuracy", "value": 0.95, "lo": 0.9, "hi": 0.97, "n": 9, "skill": 0.5}  # fmt: skip
CALENDAR = ROW | {"record": "climatology", "value": 0.9, "skill": 0.0}


@pytest.mark.parametrize(
    ("change", "said"),
    [({}, ""), ({"n": 0}, "n is 0"), ({"hi": None}, "no interval"), ({"lo": float("nan")}, "no interval"),
     ({"skill": None}, "no skill"), ({"skill": None, "against": "truth_t0"}, "no skill")],
)  # fmt: skip
def test_the_walk_sees_what_is_missing(change, said):
    found = list(walk.in_rows([ROW | change, CALENDAR]))
    assert len(found) == bool(said) and said in "".join(found)


def test_a_perfect_climatology_leaves_no_skill_to_be_had():
    assert not list(walk.in_rows([ROW | {"skill": None}, CALENDAR | {"value": 1.0, "skill": None}]))
    assert not list(walk.in_rows([ROW | {"score": "coverage", "skill": None}]))
    coarse = [ROW | {"record": "fused@25km", "skill": None}, CALENDAR | {"value": 1.0, "skill": None}]
    assert list(walk.in_rows(coarse)), "the climatology of another grid is no excuse"


def test_the_walk_reads_tables_of_a_page():
    table = "<h3>Accuracy</h3><table><tr><th>record</th>{head}</tr><tr><th>unet</th><td>0.95 <small>[0.9, 0.97]</small></td></tr></table>"  # noqa: E501
    assert walk.in_page(table.format(head="<th>n</th><th>skill</th>")) == (1, [])
    assert walk.in_page(table.format(head="<th>n</th>"))[1] == ["Accuracy: no skill"]
    assert walk.in_page(table.format(head="<th>skill</th>"))[1] == ["Accuracy: no n"]
    assert walk.in_page("<h3>Slope</h3><table><tr><td>1 [0, 2]</td></tr></table>") == (0, [])


def test_the_walk_reads_results():
    head = "| figure | value [lo, hi] | n | skill | command |\n|---|---|---|---|---|\n"
    assert walk.in_results(head + "| unet accuracy | 0.9 [0.8, 0.95] | 12 | 0.50 | `x` |") == (1, [])
    assert len(walk.in_results(head + "| unet accuracy | 0.9 | 12 | - | `x` |")[1]) == 2
    assert walk.in_results(head + "| step train, seconds | 9.1 | 1 run | - | `x` |") == (0, [])


def test_every_score_of_the_results_page_is_whole():
    scores, wrong = walk.in_results((ROOT / "docs" / "results.md").read_text(encoding="utf-8"))
    assert scores > 100 and not wrong, wrong[:5]
