import numpy as np
import pytest
from matplotlib.patches import Rectangle

from drawn import picture, said
from frostline.charts_collocation import RANKS, box_plots, rank_table, ranked

pytestmark = pytest.mark.filterwarnings("error")
MEMBERS = ("fused", "stations", "reanalysis")


def line(stratum, member, value, *, overpass="am", half=0.01, status="ok", n=4000):
    numbers = {}
    for score, v in (("sensitivity", value), ("specificity", value - 0.1)):
        numbers |= {score: v, f"{score}_lo": v - half, f"{score}_hi": v + half}
    return {"stratum": stratum, "overpass": overpass, "member": member, "status": status, "n": n, **numbers}


def test_ranks_by_hand() -> None:
    # b is 0.05 above a whose interval ends at 0.92, below b's 0.93; a and c overlap from 0.88 to 0.91
    assert ranked({"a": (0.9, 0.88, 0.92), "b": (0.95, 0.93, 0.97), "c": (0.89, 0.85, 0.91)}) == {
        "b": (1, False), "a": (2, True), "c": (3, True),
    }  # fmt: skip
    equal = ranked({"a": (0.9, 0.8, 1.0), "b": (0.9, 0.8, 1.0), "c": (0.5, 0.4, 0.6), "d": (np.nan, np.nan, np.nan)})
    assert equal == {"a": (1, True), "b": (1, True), "c": (3, False)}
    assert ranked({"a": (0.9, 0.8, 1.0)}) == {"a": (1, False)}
    assert ranked({}) == {}


def test_table_shows_ranks_values_intervals_and_n() -> None:
    rows = [line("landcover:forest", m, v) for m, v in zip(MEMBERS, (0.95, 0.97, 0.90), strict=True)]
    figure = rank_table(rows, overpasses=("am",), note="twin Earth")
    texts = said(figure).split("\n")
    for part in (
        "twin Earth",
        "land cover",
        "forest",
        "n = 4,000",
        ".950",
        ".970",
        ".900",
        "[0.94, 0.96]",
        "AM",
        "rank 1",
    ):
        assert part in texts
    # 0.95 and 0.97 touch (0.96), 0.90 stands alone; the same for both scores
    assert [t for t in texts if t in ("~1", "~2", "3")] == ["~2", "~1", "3", "~2", "~1", "3"]
    faces = [p.get_facecolor() for p in figure.axes[0].patches if isinstance(p, Rectangle)]
    assert faces[0] == faces[3] and faces[1] != faces[0]


def test_table_says_why_there_is_no_number() -> None:
    rows = [line("tci:>=350", m, np.nan, status="too_few") for m in MEMBERS]
    rows += [line("climate:arid", m, None, status="negative_product") | {"sensitivity_lo": None} for m in MEMBERS[:0]]
    rows += [line("all", "fused", 0.9)]
    text = said(rank_table(rows))
    assert "too\nfew" in text and "≥350" in text and "whole area" in text
    assert text.count("no number") >= 3  # the key, and members of which there is no row


def test_table_of_one_member_and_of_nothing() -> None:
    picture(rank_table([line("all", "fused", 0.9)], members=("fused",)))
    picture(rank_table([]))
    assert len(RANKS) >= 3


def box(cls, record, score="sensitivity", *, overpass="am", n=50, **numbers):
    five = {"min": 0.7, "q1": 0.8, "median": 0.85, "q3": 0.9, "max": 1.0} | numbers
    return {"group": "landcover", "class": cls, "overpass": overpass, "record": record, "score": score, "n": n, **five}


def test_boxes_stand_where_the_quartiles_are() -> None:
    rows = [box("forest", "fused"), box("forest", "stations", n=7, q1=0.75), box("barren", "fused", q3=0.95)]
    figure = box_plots(rows, group="landcover", overpasses=("am",), note="twin Earth")
    text = said(figure)
    for part in ("forest\nn 7–50", "barren\nn 50", "AM, sensitivity (frozen)", "twin Earth"):
        assert part in text
    boxes = [p for p in figure.axes[0].patches if isinstance(p, Rectangle)]
    assert [(p.get_y(), p.get_y() + p.get_height()) for p in boxes] == [
        pytest.approx(v) for v in ((0.8, 0.9), (0.8, 0.95), (0.75, 0.9))
    ]
    ends = [tuple(ln.get_ydata()) for ln in figure.axes[0].get_lines()]
    assert (0.7, 1.0) in ends and (0.85, 0.85) in ends


def test_boxes_of_nothing_known_are_left_out() -> None:
    rows = [box("forest", "fused", n=0, median=np.nan), box("barren", "fused", median=None)]
    figure = box_plots(rows, group="landcover")
    picture(figure)
    assert not [p for ax in figure.axes for p in ax.patches if isinstance(p, Rectangle) and p.get_height() > 0]
    picture(box_plots([], group="tci"))
