"""Where training and evaluation touch: cell-days too near in both space and time, stations that teach and judge."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

Array = np.ndarray
Rectangle = tuple[int, int, int, int]  # first row, first column, last row + 1, last column + 1
Spans = Sequence[Sequence[str]]  # first and last day, both included

EARTH_KM = 6371.0  # mean radius (IUGG R1 = 6371.0088 km)
# Rounding to 0.01 degree moves a station by at most 0.79 km: 0.005 degree north and east are 0.556 km each.
SAME_PLACE_KM = 1.0
NAMESAKE_KM = 111.2  # one degree of latitude: farther apart, two networks' stations of one name are two stations
NAMELESS = ("", "unnamed")
JUDGES, NOBODY = ("heldout", "network"), ("buffer", "")  # roles of stations; all others teach in some way
MOST_RECTANGLES = 1000  # that a checkpoint keeps; a more ragged area is kept as the rectangle around it


@dataclass(frozen=True, eq=False)
class CellDays:
    """All cells of some rectangles on all of some days, under a name for people.

    Rows and columns are those of the evaluation's grid, and may lie outside it (another window was trained on).
    """

    name: str
    days: Array  # (n,) datetime64[D], rising
    cells: tuple[Rectangle, ...]


@dataclass(frozen=True)
class Touch:
    """How much of an evaluation touches a training, and where first.

    `shared`: evaluation cell-days that taught; `near`: those within both buffers of one that taught, the shared
    included. `day` and `cell` (row, column): the first of them.
    """

    shared: int
    near: int
    day: str
    cell: tuple[int, int]


def touch(taught: CellDays, judged: CellDays, *, buffer_days: int, buffer_cells: int) -> Touch | None:
    """Where an evaluation leaks: a training and an evaluation cell-day nearer than BOTH buffers. None if nowhere.

    A cell-day is one cell on one day. Near in time is at most `buffer_days` apart, near in space at most
    `buffer_cells` rows and columns (Chebyshev), as a Split gives cell-days up. Both must hold, so held-out years
    over cells that taught are legitimate (their days are far), and so is a held-out block in a year that taught
    (its cells are far). The seam of a global grid is not looked across, as a Split does not.

    By hand: in one row of ten cells, 0 to 4 teach on 1 to 10 January, and the block 6 to 9 is judged on all of
    January. With buffers of 2 cells and 3 days, cell 6 is 2 cells from cell 4 and leaks, cell 7 is 3 from it and
    does not; on 1 to 13 January it leaks, on the 14th it is 4 days from the 10th and does not: 13 cell-days, none of
    them shared. A block that begins at cell 7 does not leak at all, though all its days taught; nor do cells
    0 to 9 from 14 January on, though five of them taught.

    >>> january = np.arange("2019-01-01", "2019-02-01", dtype="datetime64[D]")
    >>> taught = CellDays("training", january[:10], ((0, 0, 1, 5),))
    >>> touch(taught, CellDays("a block", january, ((0, 6, 1, 10),)), buffer_days=3, buffer_cells=2)
    Touch(shared=0, near=13, day='2019-01-01', cell=(0, 6))
    >>> touch(taught, CellDays("a farther block", january, ((0, 7, 1, 10),)), buffer_days=3, buffer_cells=2)
    >>> touch(taught, CellDays("later days", january[13:], ((0, 0, 1, 10),)), buffer_days=3, buffer_cells=2)
    """
    apart = _days_apart(judged.days, taught.days)
    close = apart <= buffer_days
    if not close.any() or not taught.cells or not judged.cells:
        return None
    top, left = (min(r[i] for r in judged.cells) for i in (0, 1))
    bottom, right = (max(r[i] for r in judged.cells) for i in (2, 3))
    frame = (top, left, bottom, right)
    seen = _painted(judged.cells, frame)
    near = seen & _painted(taught.cells, frame, margin=buffer_cells)
    if not near.any():
        return None
    same = seen & _painted(taught.cells, frame)
    shared = int((apart == 0).sum()) * int(same.sum())
    when, where = (apart == 0, same) if shared else (close, near)
    row, col = np.unravel_index(int(where.argmax()), where.shape)
    return Touch(
        shared=shared,
        near=int(close.sum()) * int(near.sum()),
        day=str(judged.days[int(when.argmax())]),
        cell=(int(row) + top, int(col) + left),
    )


def shared_stations(
    *, site: Any, network: Any, lon: Any, lat: Any, role: Any, row: Any, col: Any, buffer_cells: int = 0
) -> list[tuple[int, int, str]]:
    """Stations that judge and also teach, under another name or in another archive: (teacher, judge, why).

    All are (station,): names, degrees (NaN where unknown), roles (`JUDGES` judge, `NOBODY` neither, all others
    teach), row and column of the cell (below 0: none). One station is what lies less than SAME_PLACE_KM away or has
    the same name, but for case and punctuation, in the same network or within NAMESAKE_KM. Stations of one cell
    share its labels and count as one; so do those at most `buffer_cells` rows and columns apart, where a split
    promises that. Days do not matter: what a net learns of a station's site stays for years.
    """
    names, nets = ([plain(str(v)) for v in np.asarray(values)] for values in (site, network))
    lon, lat, role = np.asarray(lon, float), np.asarray(lat, float), np.asarray(role, str)
    row, col = np.asarray(row, int), np.asarray(col, int)
    judges = np.flatnonzero(np.isin(role, JUDGES))
    teachers = np.flatnonzero(~np.isin(role, (*JUDGES, *NOBODY)))
    known = np.array([n not in NAMELESS for n in names], bool)
    name, nets_ = np.array(names, str), np.array(nets, str)
    found = []
    for judge in judges.tolist():
        km = kilometers(lon[teachers], lat[teachers], lon[judge], lat[judge])
        near = km < SAME_PLACE_KM
        namesake = known[teachers] & (name[teachers] == name[judge])
        namesake &= ~(km > NAMESAKE_KM) | (nets_[teachers] == nets_[judge])
        cells = np.maximum(np.abs(row[teachers] - row[judge]), np.abs(col[teachers] - col[judge]))
        together = (cells <= buffer_cells) & (row[teachers] >= 0) & (row[judge] >= 0)
        for k in np.flatnonzero(near | namesake | together).tolist():
            beside = "share a cell" if cells[k] == 0 else f"are {cells[k]} cells apart, with a buffer of {buffer_cells}"
            why = "have one name" if namesake[k] else f"are {km[k]:.1f} km apart" if near[k] else beside
            found.append((int(teachers[k]), judge, why))
    return found


def plain(name: str) -> str:
    """A name without case, accents and punctuation.

    >>> plain("Fairbanks_11-NE") == plain("FAIRBANKS 11 NE"), plain("Pâli")
    (True, 'pali')
    """
    return "".join(c for c in unicodedata.normalize("NFKD", name).casefold() if c.isalnum())


def kilometers(lon: Any, lat: Any, lon0: float, lat0: float) -> Array:
    """Great-circle distance of points in degrees from one point, km (haversine, sphere of EARTH_KM).

    One degree of latitude: 6371 * pi / 180 = 111.19 km; a degree of longitude at 60 N is half of it, 55.6 km.

    >>> kilometers([0.0, 1.0, -179.5], [1.0, 60.0, 60.0], 0.0, 0.0)[:1].round(2).tolist()
    [111.19]
    >>> kilometers([1.0, -179.5], [60.0, 60.0], [0.0, 179.5], 60.0).round(1).tolist()
    [55.6, 55.6]
    """
    east, north, lon0, lat0 = (np.deg2rad(np.asarray(v, float)) for v in (lon, lat, lon0, lat0))
    half = np.sin((north - lat0) / 2) ** 2 + np.cos(north) * np.cos(lat0) * np.sin((east - lon0) / 2) ** 2
    return 2 * EARTH_KM * np.arcsin(np.sqrt(np.clip(half, 0, 1)))


def rectangles(cells: Any) -> tuple[Rectangle, ...]:
    """A mask (y, x) as rectangles that do not overlap: rows that are alike go together.

    >>> rectangles(np.array([[1, 1, 0], [1, 1, 0], [0, 0, 1]]))
    ((0, 0, 2, 2), (2, 2, 3, 3))
    """
    cells = np.asarray(cells, bool)
    changes = np.flatnonzero((cells[1:] != cells[:-1]).any(axis=1)) + 1
    out = []
    for top, bottom in pairwise([0, *changes.tolist(), len(cells)]):
        step = np.diff(cells[top].astype(np.int8), prepend=0, append=0)
        sides = zip(np.flatnonzero(step > 0).tolist(), np.flatnonzero(step < 0).tolist(), strict=True)
        out += [(top, left, bottom, right) for left, right in sides]
    return tuple(out)


def area_facts(cells: Any) -> dict[str, Any]:
    """A mask (y, x) in a few numbers, for a checkpoint: `cells`, how many, and `rectangles` that hold them all.

    The rectangles are exact where they hold no more cells than that; of more than MOST_RECTANGLES the one around
    them stays, which can only make a check stricter.
    """
    cells = np.asarray(cells, bool)
    found = rectangles(cells)
    if len(found) > MOST_RECTANGLES:
        low, high = np.array(found)[:, :2].min(axis=0), np.array(found)[:, 2:].max(axis=0)
        found = (tuple([*low.tolist(), *high.tolist()]),)  # type: ignore[assignment]
    return {"cells": int(cells.sum()), "rectangles": [list(r) for r in found]}


def placed(cells: Iterable[Sequence[int]], *, rows: float, cols: float) -> tuple[Rectangle, ...]:
    """Rectangles of one window in the rows and columns of another, whose first cell lies `rows`, `cols` before theirs.

    Where cells of the two do not coincide every cell that is touched counts.

    >>> placed([(0, 0, 2, 3)], rows=10, cols=-1), placed([(0, 0, 2, 3)], rows=0.25, cols=0)
    (((10, -1, 12, 2),), ((0, 0, 3, 3),))
    """

    def moved(r: Sequence[int]) -> Rectangle:
        top, left = (int(np.floor(v + 1e-6)) for v in (r[0] + rows, r[1] + cols))
        bottom, right = (int(np.ceil(v - 1e-6)) for v in (r[2] + rows, r[3] + cols))
        return top, left, bottom, right

    return tuple(moved(r) for r in cells)


def spans(days: Any) -> list[list[str]]:
    """Days (datetime64, rising) as unbroken spans, first and last included.

    >>> spans(np.array(["2019-12-31", "2020-01-01", "2020-01-03"], "datetime64[D]"))
    [['2019-12-31', '2020-01-01'], ['2020-01-03', '2020-01-03']]
    """
    days = np.asarray(days, "datetime64[D]")
    if not len(days):
        return []
    breaks = np.flatnonzero(np.diff(days).astype(int) != 1) + 1
    return [[str(part[0]), str(part[-1])] for part in np.split(days, breaks)]


def days_in(found: Spans) -> Array:
    """The days of spans, (n,) datetime64[D], rising.

    >>> days_in([["2019-12-31", "2020-01-01"]]).astype(str).tolist()
    ['2019-12-31', '2020-01-01']
    """
    parts = [np.arange(np.datetime64(a, "D"), np.datetime64(b, "D") + 1) for a, b in found]
    return np.unique(np.concatenate(parts)) if parts else np.empty(0, "datetime64[D]")


def _days_apart(days: Array, others: Array) -> Array:
    """Days from each day to the nearest of others, int64; huge where there is no other. Both rise."""
    mine, theirs = (np.asarray(v, "datetime64[D]").astype(np.int64) for v in (days, others))
    if not len(theirs):
        return np.full(len(mine), np.iinfo(np.int64).max)
    after = np.searchsorted(theirs, mine).clip(0, len(theirs) - 1)
    before = (np.searchsorted(theirs, mine, side="right") - 1).clip(0)
    return np.minimum(np.abs(theirs[after] - mine), np.abs(theirs[before] - mine))


def _painted(cells: Iterable[Rectangle], frame: Rectangle, *, margin: int = 0) -> Array:
    """Rectangles, grown by a margin, as a mask of the frame's cells. To grow each is to dilate their union."""
    first_row, first_col, last_row, last_col = frame
    out = np.zeros((last_row - first_row, last_col - first_col), bool)
    for top, left, bottom, right in cells:
        rows = slice(max(top - margin - first_row, 0), max(bottom + margin - first_row, 0))
        cols = slice(max(left - margin - first_col, 0), max(right + margin - first_col, 0))
        out[rows, cols] = True
    return out
