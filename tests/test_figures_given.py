"""Figures of given records: what is drawn where, and what is not drawn at all."""

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from frostline import figures_given as figures
from frostline.grid import regular

VIEW = regular(1.0, left=-130.0, top=55.0, shape=(30, 60))


def texts(fig: Figure) -> str:
    fig.canvas.draw()
    return " | ".join(t.get_text() for t in fig.findobj(lambda a: hasattr(a, "get_text")) if t.get_text())  # type: ignore[attr-defined]


def test_stations_that_freeze_never_freeze_and_know_too_little() -> None:
    fig = figures.station_map(VIEW, [-100.0, -90.0, -80.0], [40.0, 41.0, 42.0], [12.0, 0.0, np.nan], label="days")
    (shown,) = [c for c in fig.axes[0].collections if c.get_array() is not None]
    np.testing.assert_array_equal(shown.get_offsets(), [[-100.0, 40.0]])
    assert "never (1)" in texts(fig) and "too few days (1)" in texts(fig)
    # a station lies where its degrees say: the view is a grid of degrees
    hollow = [line for line in fig.axes[0].lines if line.get_marker() == "o"]
    assert hollow[0].get_xydata().tolist() == [[-90.0, 41.0]]


def test_of_stations_none_of_which_freezes_a_map_is_drawn() -> None:
    assert "never (1)" in texts(figures.station_map(VIEW, [-100.0], [40.0], [0.0]))


def said(member: str, **values: Any) -> dict[str, Any]:
    row: dict[str, Any] = {"member": member, "overpass": "am", "n": 1234, "stratum": "all"}
    for score in ("sensitivity", "specificity"):
        row |= {score: None, f"{score}_lo": None, f"{score}_hi": None}
    return row | values


def test_a_number_without_an_interval_is_not_drawn() -> None:
    rows = [
        said("air", sensitivity=0.9, sensitivity_lo=0.8, sensitivity_hi=0.95, specificity=0.7),
        said("soil", sensitivity=float("nan"), sensitivity_lo=0.1, sensitivity_hi=0.2),
    ]
    seen = [{"record": "air", "score": "frozen_accuracy", "overpass": "am", "value": 0.5, "lo": 0.4, "hi": 0.6, "n": 9}]
    fig = figures.said_and_seen(rows, seen, overpasses=("am",), title="DJF")
    left, right = ([float(c.lines[0].get_xdata()[0]) for c in ax.containers] for ax in fig.axes[:2])
    assert left == [0.9, 0.5] and right == []
    assert "n = 1,234" in texts(fig) and "collocation says" in texts(fig)


def test_errors_together_are_bars_with_n() -> None:
    rows = [
        {"overpass": "am", "given": "frozen", "phi": 0.25, "n": 10, "lo": 0.2, "hi": 0.3},
        {"overpass": "am", "given": "thawed", "phi": None, "n": 4000, "lo": None, "hi": None},
        {"overpass": "pm", "given": "thawed", "phi": -0.5, "n": 20, "lo": None, "hi": None},
    ]
    fig = figures.errors_together(rows, overpasses=("am", "pm"))
    assert sorted(p.get_height() for p in fig.axes[0].patches) == [-0.5, 0.25]
    assert "0.25\nn = 10" in texts(fig) and "−0.50\nn = 20" in texts(fig)


def test_a_year_of_a_station_has_a_strip_for_each() -> None:
    time = np.arange(np.datetime64("2020-01-01"), np.datetime64("2020-01-05"))
    states = {"soil": [1, 0, np.nan, 0], "air": [1, 1, 1, 0]}
    fig = figures.station_year(time, [272.0, 274.0, np.nan, 274.0], states, title="here")
    assert [t.get_text() for t in fig.axes[1].get_yticklabels()] == ["soil", "air"]
    np.testing.assert_allclose(fig.axes[0].lines[1].get_ydata()[[0, 1]], [-1.15, 0.85])


def test_spans_stand_from_onset_to_offset_on_the_calendar() -> None:
    fig = figures.season_spans([2001, 2002, 2003], [100.0, np.nan, 120.0], [160.0, 150.0, np.nan], start_month=8)
    (bar,) = fig.axes[0].patches
    assert (bar.get_y(), bar.get_height()) == (100.0, 60.0)  # years without both are left out
    ticks = dict(zip(fig.axes[0].get_yticks(), (t.get_text() for t in fig.axes[0].get_yticklabels()), strict=True))
    assert ticks[153] == "1 Jan" and ticks[0] == "1 Aug"  # 31 + 30 + 31 + 30 + 31 days


def test_gaps_are_named_where_they_are_long() -> None:
    gaps = [
        {"year": 1987, "days": 170, "known": 0.98, "longest_gap": 41},
        {"year": 1988, "days": 209, "known": 0.97, "longest_gap": 3},
    ]
    fig = figures.record_gaps(gaps, span=212)
    assert "gap of 41 days" in texts(fig) and "gap of 3 days" not in texts(fig)
    assert [round(p.get_height(), 4) for p in fig.axes[0].patches] == [0.8019, 0.9858]
