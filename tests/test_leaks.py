"""Where training and evaluation touch: counted by hand and by brute force, planted leaks found, honest splits not."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from frostline import leaks
from frostline.grid import named
from frostline.leaks import CellDays, Touch, rectangles, shared_stations, touch
from frostline.split import Split, cell_roles, day_roles

JUNE = np.arange("2019-06-01", "2019-07-01", dtype="datetime64[D]")
CELLS = ((0, 0, 10, 10),)
BUFFERS = {"buffer_days": 5, "buffer_cells": 2}


def part(days, cells):
    return CellDays("", days, cells)


def test_one_shared_cell_day_is_found():
    taught = part(JUNE[:10], ((0, 0, 10, 5),))
    found = touch(taught, part(JUNE[9:20], ((9, 4, 10, 5),)), buffer_days=0, buffer_cells=0)
    assert found == Touch(shared=1, near=1, day="2019-06-10", cell=(9, 4))
    assert touch(taught, part(JUNE[10:20], CELLS), buffer_days=0, buffer_cells=0) is None


def test_both_buffers_must_be_broken():
    taught = part(JUNE[:10], ((0, 0, 10, 5),))
    # columns 5 and 6 lie within 2 of column 4; 11 to 15 June within 5 days of the 10th; 10 rows
    near = touch(taught, part(JUNE[10:], ((0, 5, 10, 10),)), **BUFFERS)
    assert near == Touch(shared=0, near=5 * 20, day="2019-06-11", cell=(0, 5))
    assert touch(taught, part(JUNE[15:], CELLS), **BUFFERS) is None  # held-out days over cells that taught
    assert touch(taught, part(JUNE, ((0, 7, 10, 10),)), **BUFFERS) is None  # a held-out block on days that taught
    assert touch(taught, part(JUNE[15:], ((0, 7, 10, 10),)), **BUFFERS) is None


def test_a_neighbor_is_one_at_a_corner_too_and_from_outside_the_window():
    judged = part(JUNE[:1], CELLS)
    corner = touch(part(JUNE, ((-3, -3, -1, -1),)), judged, **BUFFERS)
    assert corner == Touch(shared=0, near=1, day="2019-06-01", cell=(0, 0))  # 2 rows and 2 columns from (-2, -2)
    assert touch(part(JUNE, ((-3, -3, -2, -2),)), judged, **BUFFERS) is None
    assert touch(part(JUNE, ((500, 500, 900, 900),)), judged, **BUFFERS) is None


def test_nothing_touches_nothing():
    assert touch(part(JUNE[:0], CELLS), part(JUNE, CELLS), **BUFFERS) is None
    assert touch(part(JUNE, CELLS), part(JUNE[:0], CELLS), **BUFFERS) is None
    assert touch(part(JUNE, ()), part(JUNE, CELLS), **BUFFERS) is None
    assert touch(part(JUNE, CELLS), part(JUNE, ()), **BUFFERS) is None


masks = st.lists(st.lists(st.booleans(), min_size=5, max_size=5), min_size=4, max_size=4).map(np.array)
some_days = st.sets(st.integers(0, 29), max_size=6).map(lambda s: JUNE[sorted(s)])


@settings(max_examples=60, deadline=None)
@given(masks, masks, some_days, some_days, st.integers(0, 3), st.integers(0, 2))
def test_counts_are_those_of_all_pairs(taught, judged, days, others, buffer_days, buffer_cells):
    found = touch(
        part(days, rectangles(taught)),
        part(others, rectangles(judged)),
        buffer_days=buffer_days,
        buffer_cells=buffer_cells,
    )
    shared, near = set(), set()
    for day in others:
        for row, col in np.argwhere(judged):
            for far in days:
                for r, c in np.argwhere(taught):
                    apart = (abs(int((day - far).astype(int))), max(abs(row - r), abs(col - c)))
                    if apart[0] <= buffer_days and apart[1] <= buffer_cells:
                        near.add((str(day), int(row), int(col)))
                    if apart == (0, 0):
                        shared.add((str(day), int(row), int(col)))
    if not near:
        assert found is None
    else:
        assert (found.shared, found.near) == (len(shared), len(near))
        assert (found.day, *found.cell) in (shared or near)


@pytest.mark.parametrize(("buffer_days", "buffer_cells"), [(10, 4), (0, 0), (3, 1)])
def test_a_declared_split_never_leaks_and_one_step_less_does(buffer_days, buffer_cells):
    split = Split(
        train=(("2016-08-01", "2018-07-31"),),
        validation=(("2018-08-01", "2019-07-31"),),
        heldout=(("2019-08-01", "2020-07-31"),),
        heldout_boxes=((0.7, 0.0, 1.0, 0.6),),
        validation_boxes=((0.0, 0.8, 0.3, 1.0),),
        buffer_days=buffer_days,
        buffer_cells=buffer_cells,
    )
    grid = named("N09").around(140.0, 57.0, (40, 50))
    days = np.arange("2016-08-01", "2020-08-01", dtype="datetime64[D]")
    role, cell = day_roles(split, days), cell_roles(split, grid)
    taught = [part(days[role == r], rectangles(cell == r)) for r in ("train", "validation")]
    later = part(days[role == "heldout"], ((0, 0, *grid.shape),))
    block = part(days[np.isin(role, ("train", "validation"))], rectangles(cell == "heldout"))
    buffers = {"buffer_days": buffer_days, "buffer_cells": buffer_cells}
    for one in taught:
        for other in (later, block):
            assert touch(one, other, **buffers) is None
    assert touch(taught[1], later, buffer_days=buffer_days + 1, buffer_cells=buffer_cells) is not None
    assert touch(taught[0], block, buffer_days=buffer_days, buffer_cells=buffer_cells + 1) is not None


def test_the_whole_hemisphere_and_decades_take_little():
    cells = np.ones((2000, 2000), bool)
    cells[300:600, 300:900] = cells[1500:, :200] = False
    days = np.arange("1980-01-01", "2021-01-01", dtype="datetime64[D]")
    began = time.perf_counter()
    found = touch(part(days, rectangles(cells)), part(days, rectangles(~cells)), **BUFFERS)
    assert time.perf_counter() - began < 5  # 0.1 s here
    inner = 300 * 600 - 296 * 596  # within 2 cells of the box's edge
    corner = 500 * 200 - 498 * 198  # two of its edges are the window's
    assert (found.shared, found.near) == (0, len(days) * (inner + corner))


def stations(**changes):
    """Four stations far apart: two teach, two judge."""
    given = {
        "site": ["Fairbanks 11 NE", "Ivotuk", "Sand_Point", "Naqu-03"],
        "network": ["SCAN", "SNOTEL", "USCRN", "CTP"],
        "lon": [-147.5, -155.7, -160.5, 91.9],
        "lat": [65.0, 68.5, 55.3, 31.4],
        "role": ["train", "train", "heldout", "network"],
        "row": [10, 20, 30, 40],
        "col": [5, 5, 5, 5],
    }
    return {k: np.array(changes.get(k, v)) for k, v in given.items()}


def test_stations_of_their_own_are_let_be():
    assert shared_stations(**stations()) == []
    namesake = stations(site=["Fairbanks 11 NE", "Sand Point", "Sand_Point", "Naqu-03"])
    assert shared_stations(**namesake) == []  # 1500 km away, in another network
    nameless = stations(site=["unnamed", "", "unnamed", ""], network=["A"] * 4)
    assert shared_stations(**nameless) == []
    one_role = stations(role=["train", "train", "train", "buffer"], lon=[10.0] * 4, lat=[60.0] * 4, row=[1] * 4)
    assert shared_stations(**one_role) == []


@pytest.mark.parametrize(
    ("changes", "pair"),
    [
        # the same name in two archives, 33 km off by rounding; in other letters
        ({"site": ["FAIRBANKS-11 ne", "Ivotuk", "Fairbanks_11_NE", "N"], "lon": [-147.5, -155.7, -147.0, 91.9],
          "lat": [65.0, 68.5, 65.2, 31.4]}, (0, 2, "have one name")),
        # the same name in one network's two files, however far a wrong sign has put it
        ({"site": ["Fairbanks 11 NE", "Ivotuk", "ivotuk", "N"], "network": ["A", "B", "b", "C"]},
         (1, 2, "have one name")),
        ({"site": ["X", "Ivotuk", "x", "N"], "lon": [np.nan, 0, 1, 2]}, (0, 2, "have one name")),  # place unknown
        # another name 0.556 km away: 0.005 degree of latitude
        ({"lon": [-147.5, -155.7, -160.5, -155.7], "lat": [65.0, 68.5, 55.3, 68.505]}, (1, 3, "are 0.6 km apart")),
        ({"row": [10, 20, 10, 40]}, (0, 2, "share a cell")),
        ({"role": ["validation", "train", "heldout", "network"], "row": [10, 20, 10, 40]}, (0, 2, "share a cell")),
    ],
)  # fmt: skip
def test_a_station_that_teaches_and_judges_is_found(changes, pair):
    assert shared_stations(**stations(**changes)) == [pair]


def test_a_neighbor_within_the_buffer_of_stations_is_found():
    near = stations(row=[10, 20, 13, 40], col=[5, 5, 7, 5])  # 3 rows and 2 columns from the first
    assert shared_stations(**near, buffer_cells=2) == []
    assert shared_stations(**near, buffer_cells=3) == [(0, 2, "are 3 cells apart, with a buffer of 3")]
    nowhere = stations(row=[-1, 20, 0, 40], col=[-1, 5, 0, 5])  # outside the grid is no neighbor of its corner
    assert shared_stations(**nowhere, buffer_cells=3) == []


def test_across_the_date_line_and_at_the_pole_near_is_near():
    across = stations(lon=[179.999, 0, -179.999, 90], lat=[65.0, 10, 65.0, 20])
    assert [p[:2] for p in shared_stations(**across)] == [(0, 2)]  # 0.09 km
    pole = stations(lon=[0.0, 0, 180.0, 90], lat=[89.999, 10, 89.999, 20])
    assert [p[:2] for p in shared_stations(**pole)] == [(0, 2)]  # 0.22 km
    outside = stations(row=[-1, -1, -1, -1])
    assert shared_stations(**outside) == []


@given(masks)
def test_rectangles_hold_the_mask_and_nothing_else(mask):
    back = np.zeros_like(mask)
    for top, left, bottom, right in rectangles(mask):
        assert not back[top:bottom, left:right].any()
        back[top:bottom, left:right] = True
    assert np.array_equal(back, mask)


def test_an_area_is_kept_exactly_while_it_is_compact():
    mask = np.zeros((80, 80), bool)
    mask[10:20, 5:9] = True
    assert leaks.area_facts(mask) == {"cells": 40, "rectangles": [[10, 5, 20, 9]]}
    mask[::2, ::2] ^= True  # a thousand single cells and more
    rough = leaks.area_facts(mask)
    assert rough == {"cells": int(mask.sum()), "rectangles": [[0, 0, 79, 79]]}  # the rectangle around them
    assert leaks.area_facts(np.zeros((3, 3))) == {"cells": 0, "rectangles": []}


@given(some_days)
def test_spans_and_days_are_each_other(days):
    assert np.array_equal(leaks.days_in(leaks.spans(days)), days)
    assert leaks.days_in([]).size == 0
