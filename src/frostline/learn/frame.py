"""What surrounds a network's convolutions: which windows of a field they are applied to, and what their scores mean.

A network says it of itself as plain facts (`frame()`), which go on the card of its exported model:

    depth, edge      a U-Net of so many halvings, whose head sees `edge` cells around
    reach, window    a network that sees `reach` cells around, applied in windows of so many cells
    scores           `logit`, `pair` (thawed and frozen, each a sigmoid), or the number of classes
    targets          how many products are answered at once

Windows are the same for all engines and all of one shape, so that one compiled graph answers them.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

Facts = Mapping[str, Any]
MOST = 9 << 18  # cells of a window: a U-Net of width 32 takes 1.6 GiB for them in float32
BANDS = 12  # more windows than this are more halo than land


class Window(NamedTuple):
    """A part of a padded field (its first row and column), and the cells whose scores are kept."""

    row: int
    column: int
    rows: slice
    columns: slice


class Plan(NamedTuple):
    """Windows of one shape (y, x)."""

    shape: tuple[int, int]
    windows: list[Window]

    @property
    def cells(self) -> int:
        """Cells that the network is applied to."""
        return len(self.windows) * self.shape[0] * self.shape[1]


def plan(frame: Facts, cells: np.ndarray, *, width: int = 32, bytes_each: int = 4) -> Plan:
    """The windows that give the scores of the true `cells` (y, x), to rounding those of the whole field at once.

    `width` filters at full resolution, of so many bytes a number, tell how large a window may be. No cell, no window.
    """
    if not cells.any():
        return Plan((0, 0), [])
    return _bands(frame, cells, MOST * 32 * 4 // (width * bytes_each)) if "depth" in frame else _tiles(frame, cells)


def needed(start: int, stop: int, depth: int) -> tuple[int, int]:
    """The inputs start..stop of a row that the outputs start..stop of a U-Net depend on (two 3x3 convolutions a block).

    By hand, at depth 1, of the outputs 10..12: the last block sees 8..14, of the coarse cells 4..7, whose block sees
    2..9, of the cells 4..18; the first block sees 2..20.

    >>> needed(10, 12, 1), needed(0, 16, 4)
    ((2, 20), (-94, 110))
    """
    start, stop = start - 2, stop + 2
    if depth:
        first, last = needed(start // 2, -(-stop // 2), depth - 1)
        start, stop = min(start, 2 * first) - 2, max(stop, 2 * last) + 2
    return start, stop


def _aligned(start: int, stop: int, frame: Facts, size: int) -> tuple[int, int]:
    """`needed`, in whole cells of the deepest level, within a padded field of `size`."""
    depth, edge = frame["depth"], frame["edge"]
    step = 1 << depth
    first, last = needed(start - edge, stop + edge, depth)
    return max(0, first // step * step), min(size, -(-last // step) * step)


def _bands(frame: Facts, cells: np.ndarray, most: int) -> Plan:
    """Bands of rows, each as wide as its cells need; the fewest cells in all with windows of at most `most`."""
    step = 1 << frame["depth"]
    sizes = [-(-n // step) * step for n in cells.shape]
    rows = np.flatnonzero(cells.any(axis=1))
    top, bottom = int(rows[0]), int(rows[-1]) + 1
    best: Plan | None = None
    for count in range(1, min(BANDS, bottom - top) + 1):
        edges = np.linspace(top, bottom, count + 1).round().astype(int).tolist()
        boxes = []
        for a, b in pairwise(edges):
            columns = np.flatnonzero(cells[a:b].any(axis=0))
            if len(columns):
                c, d = int(columns[0]), int(columns[-1]) + 1
                boxes.append(
                    (slice(a, b), slice(c, d), _aligned(a, b, frame, sizes[0]), _aligned(c, d, frame, sizes[1]))
                )
        shape = (max(y[1] - y[0] for *_, y, _ in boxes), max(x[1] - x[0] for *_, x in boxes))
        at = [(min(y[0], sizes[0] - shape[0]), min(x[0], sizes[1] - shape[1])) for *_, y, x in boxes]
        found = Plan(shape, [Window(*p, a, c) for p, (a, c, _, _) in zip(at, boxes, strict=True)])
        fits = shape[0] * shape[1] <= most
        if best is None or (_size(best) > most and _size(found) < _size(best)) or (fits and found.cells < best.cells):
            best = found
    assert best is not None
    return best


def _size(found: Plan) -> int:
    return found.shape[0] * found.shape[1]


def _tiles(frame: Facts, cells: np.ndarray) -> Plan:
    """Windows with `reach` cells around them, moved inwards at the edges of the field, where 0 lies beyond."""
    window, reach = frame["window"], frame["reach"]
    rows, columns = cells.shape
    shape = (min(rows, window + 2 * reach), min(columns, window + 2 * reach))
    found = []
    for top in range(0, rows, window):
        for left in range(0, columns, window):
            kept = slice(top, min(top + window, rows)), slice(left, min(left + window, columns))
            if cells[kept].any():
                row = min(max(0, top - reach), rows - shape[0])
                column = min(max(0, left - reach), columns - shape[1])
                found.append(Window(row, column, *kept))
    return Plan(shape, found)


def cut(x: np.ndarray, window: Window, shape: tuple[int, int]) -> np.ndarray:
    """A window of a field (channel, y, x) as (1, channel, *shape), with 0 (= missing) beyond the field."""
    part = x[:, window.row : window.row + shape[0], window.column : window.column + shape[1]]
    missing = shape[0] - part.shape[1], shape[1] - part.shape[2]
    if any(missing):
        part = np.pad(part, ((0, 0), (0, missing[0]), (0, missing[1])))
    return np.ascontiguousarray(part, np.float32)[None]


def finished(frame: Facts, raw: np.ndarray) -> np.ndarray:
    """What the head gave (batch, score, y, x) as scores, shaped as the network's own.

    A pair of sigmoids is divided by its sum: s1 / (s1 + s0) = sigmoid(log s1 - log s0).
    """
    if frame["scores"] == "pair":
        return np.logaddexp(0, -raw[:, 0]) - np.logaddexp(0, -raw[:, 1])
    if frame["scores"] != "logit":
        return raw.reshape(len(raw), frame["targets"], frame["scores"], *raw.shape[2:])
    return raw[:, 0] if frame["targets"] == 1 else raw


def heads(frame: Facts) -> int:
    """How many numbers a cell has in what the head gives."""
    return frame["targets"] * {"logit": 1, "pair": 2}.get(frame["scores"], frame["scores"])
