"""Which days, cells and stations may teach, choose and judge: a declared split that cannot overlap."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from frostline.errors import ConfigError
from frostline.grid import Grid

ROLES = ("train", "validation", "heldout")
Period = tuple[str, str]
Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Split:
    """Periods (first and last day, both included) per role, and boxes of cells and stations kept out of training.

    `heldout_boxes` judge, `validation_boxes` choose the epoch; each is (top, left, bottom, right) as shares of
    the window's rows and columns. `buffer_days` around every change of role and `buffer_cells` around every box
    belong to nobody. `heldout_stations` is the share of cells whose stations never teach, `calibration_stations` that
    of those whose stations neither teach nor judge. Stations of a block of `station_block` x `station_block` cells have
    one role, and between stations of two roles at least `station_buffer` cells belong to nobody.
    """

    train: tuple[Period, ...]
    validation: tuple[Period, ...]
    heldout: tuple[Period, ...]
    heldout_boxes: tuple[Box, ...] = ()
    validation_boxes: tuple[Box, ...] = ()
    buffer_days: int = 10
    buffer_cells: int = 2
    heldout_stations: float = 0.25
    calibration_stations: float = 0.0
    station_block: int = 1
    station_buffer: int = 0

    def __post_init__(self) -> None:
        spans = [(np.datetime64(a), np.datetime64(b), role) for role in ROLES for a, b in getattr(self, role)]
        for first, last, role in spans:
            if last < first:
                raise ConfigError("E-SPLIT", cause=f"{role} period {first}..{last} ends before it begins")
        spans.sort()
        for (_, last, one), (first, _, two) in pairwise(spans):
            if first <= last:
                cause = f"{one} and {two} share the days {first}..{last}"
                raise ConfigError("E-SPLIT", cause=cause, remedy="give each role days of its own")


def day_roles(split: Split, time: Any) -> np.ndarray:
    """The role of each day, (time,) str: train, validation, heldout, or '' for nobody (buffer, undeclared).

    A day of training or validation within `buffer_days` of another role's period is given up; held-out days
    are kept whole, since it is the other side that could leak.

    >>> s = Split((("2016-01-01", "2016-01-20"),), (), (("2016-01-21", "2016-01-31"),), buffer_days=3)
    >>> roles = day_roles(s, np.arange("2016-01-15", "2016-01-24", dtype="datetime64[D]"))
    >>> roles.tolist()
    ['train', 'train', 'train', '', '', '', 'heldout', 'heldout', 'heldout']
    """
    days = np.asarray(time, "datetime64[D]")
    roles = np.full(days.shape, "", dtype="<U10")
    for role in ROLES:
        for first, last in getattr(split, role):
            roles[(days >= np.datetime64(first)) & (days <= np.datetime64(last))] = role
    for role, others in (("train", ("validation", "heldout")), ("validation", ("heldout",))):
        for other in others:
            for first, last in getattr(split, other):
                near = days >= np.datetime64(first) - split.buffer_days
                near &= days <= np.datetime64(last) + split.buffer_days
                roles[near & (roles == role)] = ""
    return roles


def cell_roles(split: Split, grid: Grid) -> np.ndarray:
    """The role of each cell, (y, x) str: train, validation, heldout, or '' in a buffer."""
    roles = np.full(grid.shape, "train", dtype="<U10")
    for role, boxes in (("validation", split.validation_boxes), ("heldout", split.heldout_boxes)):
        for box in boxes:
            wide = _inside(box, grid, split.buffer_cells)
            roles[wide & np.isin(roles, ["train", "validation"])] = ""
        for box in boxes:
            roles[_inside(box, grid, 0)] = role
    if not (roles == "train").any():
        raise ConfigError("E-SPLIT", cause="no cell is left to train on", remedy="make the held-out boxes smaller")
    return roles


def station_roles(split: Split, cells: np.ndarray, rows: Any, cols: Any) -> np.ndarray:
    """The role of stations in cells of some roles (y, x), (station,): train, heldout, calibrate, or buffer for nobody.

    It is drawn from the block's place: stations of a block share it and keep it when others come or go. Those in
    held-out and validation boxes never teach. Who is at most `station_buffer` rows and columns from one that judges
    neither teaches nor calibrates; who is that near to one that calibrates does not teach.

    >>> s = Split((), (), (), heldout_stations=0.5)
    >>> station_roles(s, np.array([["train", "train", "", "heldout"]]), [0, 0, 0, 0], [0, 1, 2, 3]).tolist()
    ['heldout', 'train', 'buffer', 'heldout']
    """
    rows, cols = np.asarray(rows, int), np.asarray(cols, int)
    cell, judging, block = cells[rows, cols], split.heldout_stations, split.station_block
    drawn = np.array([draw(int(r), int(c)) for r, c in zip(rows // block, cols // block, strict=True)])
    others = np.where(drawn < judging + split.calibration_stations, "calibrate", "train")
    inside = np.where(drawn < judging, "heldout", others)
    role = np.where(cell == "train", inside, np.where(cell == "", "buffer", "heldout"))
    for above, below in (("heldout", ("calibrate", "train")), ("calibrate", ("train",))):
        near = _near(rows, cols, role == above, split.station_buffer)
        role = np.where(near & np.isin(role, below), "buffer", role)
    return role


def _near(rows: np.ndarray, cols: np.ndarray, those: np.ndarray, cells: int) -> np.ndarray:
    """Which stations (station,) have one of `those` at most `cells` rows and columns away; none has for 0 cells."""
    near = np.zeros(len(rows), bool)
    for r, c in zip(rows[those].tolist(), cols[those].tolist(), strict=True) if cells else ():
        near |= (np.abs(rows - r) <= cells) & (np.abs(cols - c) <= cells)
    return near


def draw(row: int, col: int) -> float:
    """A number in 0..1 that belongs to a cell and to nothing else.

    >>> round(draw(0, 0), 3), round(draw(0, 1), 3)
    (0.45, 0.515)
    """
    return int(hashlib.sha256(f"{row},{col}".encode()).hexdigest()[:8], 16) / 0xFFFFFFFF


def _inside(box: Box, grid: Grid, margin: int) -> np.ndarray:
    top, left, bottom, right = box
    if not (0 <= top < bottom <= 1 and 0 <= left < right <= 1):
        raise ConfigError("E-SPLIT", cause=f"box {list(box)} is not (top, left, bottom, right) within 0..1")
    rows, cols = np.arange(grid.shape[0])[:, None] + 0.5, np.arange(grid.shape[1])[None] + 0.5
    r0, r1 = round(top * grid.shape[0]) - margin, round(bottom * grid.shape[0]) + margin
    c0, c1 = round(left * grid.shape[1]) - margin, round(right * grid.shape[1]) + margin
    return (rows > r0) & (rows < r1) & (cols > c0) & (cols < c1)


def periods(pairs: Sequence[Sequence[str]]) -> tuple[Period, ...]:
    """Lists as an experiment file holds them, as periods."""
    return tuple((str(a), str(b)) for a, b in pairs)
