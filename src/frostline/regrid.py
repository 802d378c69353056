"""Onto one grid: bilinear and nearest weights made once and used for every day, and sums of fine cells."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from frostline.errors import InputError
from frostline.grid import Grid

Array = np.ndarray
# A value stands for its place only if at least half of its weight is measured: NaN points that are dropped
# before a triangulation let it interpolate across swath gaps. The slack keeps exact halves, whose float32
# weights may sum to 0.49999997.
LEAST_WEIGHT = np.float32(0.5 - 1e-6)
STRIP_CELLS = 1 << 21  # source cells located at a time by the area sums: about 100 MB of temporaries
LARGEST_SIDE = 1 << 16  # rows and columns are kept as uint16; 30 arc seconds round the Earth are 43200


@dataclass(frozen=True, eq=False)
class Weights:
    """Where each target cell reads: 12 bytes a cell, so that the whole northern grid takes 48 MB.

    `row`, `col` (Y, X) uint16: north-west one of the four source cells; its neighbours are one row down and
    one column right (the column after the last is column 0). `down`, `right` (Y, X) float32 in [0, 1]: the
    weights of the lower row and the right column; NaN where the target lies outside the source.
    """

    row: Array
    col: Array
    down: Array
    right: Array
    source_shape: tuple[int, int]

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the target."""
        return (int(self.row.shape[0]), int(self.row.shape[1]))


def bilinear(source: Grid, target: Grid) -> Weights:
    """Weights of the four source cells whose centres surround each target centre, in the source's own axes.

    A source that goes round the Earth has no seam. In the half cell between the outermost centres and the
    outer edge the outermost row or column holds (what the missing-weight rule gives for a neighbour that
    does not exist). Targets beyond the outer edge get NaN.
    """
    rows, cols = source.shape
    row, col = source.position(*target.lonlat())
    inside = _within(row, rows) & _within(col, cols)
    r, down = _split(np.where(inside, row, 0.0), rows, wraps=False)
    c, right = _split(np.where(inside, col, 0.0), cols, wraps=source.wraps)
    return _weights(source, r, c, np.where(inside, down, np.nan), right)


def nearest(source: Grid, target: Grid) -> Weights:
    """Weights that take the source cell which contains each target centre; NaN outside. For codes and masks."""
    r, c = source.locate(*target.lonlat())
    down = np.where(r >= 0, 0.0, np.nan)
    return _weights(source, np.maximum(r, 0), np.maximum(c, 0), down, np.zeros(r.shape))


def apply(weights: Weights, field: Any) -> Array:
    """`field` (..., y, x) of the source on the target: (..., Y, X) float32.

    Weights are renormalised over the source cells that are not NaN; where less than half of the weight is
    left the result is NaN. Each field is taken by itself: a stack gives the same bits as its parts.
    """
    from frostline.regrid_kernels import LANES, gather, gather_all, interleave  # numba: not loaded by --help

    field = _fields(weights, field)
    fields, (rows, columns) = field.reshape(-1, *weights.source_shape), weights.source_shape
    out = np.empty((len(fields), *weights.shape), np.float32)
    where = (weights.row, weights.col, weights.down, weights.right, LEAST_WEIGHT)
    together = len(fields) - len(fields) % LANES
    woven = np.empty((rows + 1, columns + 1, LANES) if together else 0, np.float32)
    for begin in range(0, together, LANES):
        interleave(fields[begin : begin + LANES], woven)
        gather_all(woven.reshape(-1), columns + 1, *where, out[begin : begin + LANES])
    for k in range(together, len(fields)):
        gather(fields[k].reshape(-1), weights.source_shape, *where, out[k])
    return out.reshape(*field.shape[:-2], *weights.shape)


def apply_plain(weights: Weights, field: Any) -> Array:
    """What `apply` means, in numpy: the same sums in the same order, so the same bits. Slow; used by the tests."""
    field = _fields(weights, field)
    one = np.float32(1)
    rows, cols = weights.source_shape
    r0, c0 = weights.row.astype(np.intp), weights.col.astype(np.intp)
    r1, c1 = np.minimum(r0 + 1, rows - 1), np.where(c0 + 1 == cols, 0, c0 + 1)
    up, left = one - weights.down, one - weights.right
    total = np.zeros((*field.shape[:-2], *weights.shape), np.float32)
    weight = np.zeros_like(total)
    for r, c, w in (
        (r0, c0, up * left),
        (r0, c1, up * weights.right),
        (r1, c0, weights.down * left),
        (r1, c1, weights.down * weights.right),
    ):
        value = field[..., r, c]
        valid = value == value
        total += np.where(valid, w * value, np.float32(0))
        weight += np.where(valid, w, np.float32(0))
    enough = weight >= LEAST_WEIGHT
    return np.where(enough, total / np.where(enough, weight, one), np.float32(np.nan))


def area_mean(field: Any, source: Grid, target: Grid) -> tuple[Array, Array]:
    """Mean of the fine source cells whose centres fall in each coarse target cell, NaN skipped.

    `field` (..., y, x): an array, or anything sliced like one (an open file is read strip by strip).
    Returns mean (..., Y, X) float32, NaN where nothing fell, and count (..., Y, X) int64 of valid cells.
    Every cell counts alike, whatever its area.
    """
    _same_shape(field, source)
    lead, size = tuple(field.shape[:-2]), target.shape[0] * target.shape[1]
    total, count = np.zeros((int(np.prod(lead)), size)), np.zeros((int(np.prod(lead)), size), np.int64)
    for rows, cell, inside in _strips(source, target):
        strip = np.asarray(field[..., rows, :], np.float64).reshape(total.shape[0], -1)
        for k, values in enumerate(strip):
            keep = inside & np.isfinite(values)
            _add(count[k], cell[keep])
            _add(total[k], cell[keep], values[keep])
    mean = np.where(count > 0, total / np.maximum(count, 1), np.nan).astype(np.float32)
    return mean.reshape(*lead, *target.shape), count.reshape(*lead, *target.shape)


def class_share(codes: Any, classes: Sequence[int], source: Grid, target: Grid, *, fill: int | None = None) -> Array:
    """Share of each class among the valid fine cells of each target cell: (classes, Y, X) float32.

    `codes` (y, x) integers, or floats with NaN; `fill` is the code that means "no data". NaN where no valid
    cell falls. Classes left out of `classes` count in the denominator.
    """
    counts, valid = _count_codes(codes, source, target, fill)
    none = np.zeros(valid.shape, np.int32)
    shares = [counts.get(int(k), none) / np.maximum(valid, 1) for k in classes]
    out = np.where(valid > 0, np.stack(shares), np.nan) if shares else np.empty((0, *valid.shape))
    return out.astype(np.float32).reshape(len(classes), *target.shape)


def majority(codes: Any, source: Grid, target: Grid, *, fill: int | None = None) -> Array:
    """The commonest code among the fine cells of each target cell: (Y, X) float32; ties go to the lowest code.

    `codes` as for `class_share`; NaN where no valid cell falls.
    """
    counts, valid = _count_codes(codes, source, target, fill)
    best, most = np.full(valid.shape, np.nan, np.float32), np.zeros(valid.shape, np.int32)
    for code in sorted(counts):
        wins = counts[code] > most  # strictly: an equal count leaves the lower code
        best[wins], most[wins] = code, counts[code][wins]
    return best.reshape(target.shape)


def _count_codes(codes: Any, source: Grid, target: Grid, fill: int | None) -> tuple[dict[int, Array], Array]:
    _same_shape(codes, source)
    size = target.shape[0] * target.shape[1]
    counts: dict[int, Array] = {}
    valid = np.zeros(size, np.int32)
    for rows, cell, inside in _strips(source, target):
        strip = np.asarray(codes[rows, :]).ravel()
        keep = inside & (np.isfinite(strip) if strip.dtype.kind == "f" else True)
        if fill is not None:
            keep &= strip != fill
        strip, cell = strip[keep], cell[keep]
        _add(valid, cell)
        for code in np.unique(strip):
            _add(counts.setdefault(int(code), np.zeros(size, np.int32)), cell[strip == code])
    return counts, valid


def _strips(source: Grid, target: Grid) -> Iterator[tuple[slice, Array, Array]]:
    """Strips of source rows: the flat target cell of each source centre (n,) and whether it is inside."""
    step = max(1, STRIP_CELLS // source.shape[1])
    for first in range(0, source.shape[0], step):
        rows = slice(first, min(first + step, source.shape[0]))
        r, c = target.locate(*source.window(rows, slice(None)).lonlat())
        yield rows, (r * target.shape[1] + c).ravel(), (r >= 0).ravel()


def _add(total: Array, cell: Array, values: Array | None = None) -> None:
    """Add ones, or values, to the cells they fall in; only the touched stretch is swept."""
    if cell.size:
        low = cell.min()
        sums = np.bincount(cell - low, weights=values)
        total[low : low + sums.size] += sums.astype(total.dtype, copy=False)


def _within(position: Array, size: int) -> Array:
    with np.errstate(invalid="ignore"):
        return (position >= -0.5) & (position <= size - 0.5)


def _split(position: Array, size: int, *, wraps: bool) -> tuple[Array, Array]:
    """First of the two cells around a position, and the weight of the second."""
    position = position if wraps else np.clip(position, 0.0, size - 1.0)
    first = np.floor(position)
    return np.mod(first, size), position - first


def _weights(source: Grid, row: Array, col: Array, down: Array, right: Array) -> Weights:
    if max(source.shape) > LARGEST_SIDE:
        raise InputError(
            "E-INPUT-GRID",
            where=source.name,
            cause=f"{source.shape} cells are more than {LARGEST_SIDE} on a side",
            remedy="cut a window, or average it with area_mean",
        )
    return Weights(
        row.astype(np.uint16),
        col.astype(np.uint16),
        down.astype(np.float32),
        right.astype(np.float32),
        source.shape,
    )


def _fields(weights: Weights, field: Any) -> Array:
    field = np.ascontiguousarray(field, dtype=np.float32)
    if field.shape[-2:] != weights.source_shape:
        raise InputError("E-INPUT-GRID", cause=f"a field of {field.shape} for weights of {weights.source_shape}")
    return field


def _same_shape(field: Any, source: Grid) -> None:
    if tuple(field.shape[-2:]) != source.shape:
        raise InputError(
            "E-INPUT-GRID", where=source.name, cause=f"a field of {field.shape} on a grid of {source.shape}"
        )
