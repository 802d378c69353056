"""Row 1: a field of 0.1 degrees onto the north grid, against what a user would write.

python -m benchmarks.regrid [--size small|middle|full]

Where NaN must not spread, RegularGridInterpolator and the matrix take values and weights, as ours does. SciPy's
LinearNDInterpolator runs once at 0.2 degrees and once at 0.1 (two minutes, 6 GiB), ours before and after it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.interpolate import LinearNDInterpolator, RegularGridInterpolator
from scipy.sparse import csr_array

from benchmarks.common import Row, Size, copy_speed, interleaved, main, once
from frostline.grid import Grid, named, regular
from frostline.regrid import LEAST_WEIGHT, Weights, apply, bilinear

Array = np.ndarray
BATCH = 8
NEAR = 2e-4  # K from float64
APART = 1e-3  # share of cells that one knows and the other does not: weights of just a half


def northern(step: float) -> Grid:
    """Longitudes by latitudes of the northern hemisphere."""
    return regular(step, shape=(round(90 / step), round(360 / step)))


def brightness(grid: Grid, *, count: int = 1, gaps: bool = True) -> Array:
    """Smooth fields (count, y, x) of some 10 K, with swaths left out."""
    lon, lat = np.deg2rad(grid.x), np.deg2rad(grid.y)[:, None]
    k = np.arange(count)[:, None, None]
    field = 250 + 20 * np.sin(lat) + 8 * np.sin(3 * lon + k) * np.cos(lat) ** 2 + 3 * np.cos(7 * lon + 5 * lat + k)
    if gaps:
        field = np.where(np.sin(9 * lon + 2 * lat + k) > 0.9, np.nan, field)
    return field.astype(np.float32)


def exactly(source: Grid, target: Grid, field: Array) -> Array:
    """The same bilinear mean in float64 from the grids' own positions."""
    row, col = source.position(*target.lonlat())
    rows, cols = source.shape
    inside = (row >= -0.5) & (row <= rows - 0.5)
    row = np.clip(np.where(inside, row, 0.0), 0, rows - 1)
    r, c = np.floor(row).astype(int), np.floor(col).astype(int)
    low, east = row - r, col - c
    total, weight = np.zeros(target.shape), np.zeros(target.shape)
    for down, right in ((0, 0), (0, 1), (1, 0), (1, 1)):
        w = (low if down else 1 - low) * (east if right else 1 - east)
        value = field[np.minimum(r + down, rows - 1), (c + right) % cols].astype(float)
        known = np.isfinite(value)
        total += np.where(known, w * value, 0.0)
        weight += np.where(known, w, 0.0)
    enough = inside & (weight >= LEAST_WEIGHT)
    return np.where(enough, total / np.where(enough, weight, 1.0), np.nan)


def sparse(weights: Weights) -> csr_array:
    """The same weights as a matrix (targets, sources)."""
    rows, cols = weights.source_shape
    r0, c0 = weights.row.astype(int), weights.col.astype(int)
    r1, c1 = np.minimum(r0 + 1, rows - 1), (c0 + 1) % cols
    low, east = np.nan_to_num(weights.down), np.nan_to_num(weights.right)
    at = np.stack([r0 * cols + c0, r0 * cols + c1, r1 * cols + c0, r1 * cols + c1], axis=-1)
    w = np.stack([(1 - low) * (1 - east), (1 - low) * east, low * (1 - east), low * east], axis=-1)
    ends = np.arange(0, at.size + 1, 4)
    return csr_array((w.ravel().astype(np.float32), at.ravel(), ends), shape=(weights.row.size, rows * cols))


def by_matrix(matrix: csr_array, columns: Array) -> Array:
    """(sources, n) with NaN through a matrix, renormalised."""
    known = np.isfinite(columns)
    weight = matrix @ known.astype(np.float32)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(weight >= LEAST_WEIGHT, (matrix @ np.where(known, columns, np.float32(0))) / weight, np.nan)


def linear(source: Grid, target: Grid, field: Array) -> Callable[[], Any]:
    """A Delaunay triangulation per field, as Donahue 2023 describes it."""
    lon, lat = (a.ravel() for a in source.lonlat())
    at = np.stack([a.ravel() for a in target.lonlat()], axis=-1)
    known = np.isfinite(field.ravel())
    points, values = np.stack([lon, lat], axis=-1)[known], field.ravel()[known]
    return lambda: LinearNDInterpolator(points, values)(at)


def rows(size: Size) -> list[Row]:
    """The table's rows."""
    step = 1.0 if size == "small" else 0.1
    target = named("N36") if size == "small" else named("N09")
    source = northern(step)
    bilinear(northern(2.0), target.window(slice(0, 4), slice(0, 4)))  # projections are loaded
    setup, weights = once(lambda: bilinear(source, target))
    fields = brightness(source, count=BATCH)
    one, matrix = fields[0], sparse(weights)
    columns = np.ascontiguousarray(fields.reshape(BATCH, -1).T)
    at = np.stack([a.ravel() for a in target.lonlat()[::-1]], axis=-1)
    axes = (source.y[::-1], source.x)

    def regular_grid() -> Array:
        known = np.isfinite(one)
        weight, total = (
            RegularGridInterpolator(axes, field[::-1], bounds_error=False)(at)
            for field in (known.astype(np.float32), np.where(known, one, np.float32(0)))
        )
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(weight >= LEAST_WEIGHT, total / weight, np.nan).reshape(target.shape)

    seconds = interleaved(
        {
            "ours": lambda: apply(weights, one),
            "batch": lambda: apply(weights, fields),
            "regular": regular_grid,
            "matrix": lambda: by_matrix(matrix, columns),
        },
        repeats=5,
    )
    found, wanted = apply(weights, one), exactly(source, target, one)
    same = np.array_equal(np.isnan(found), np.isnan(wanted)) and bool(np.nanmax(abs(found - wanted)) <= NEAR)
    theirs = regular_grid()
    same &= bool(np.nanmax(abs(theirs - found)) <= NEAR)
    inner = (abs(at) < [axes[0][-1], axes[1][-1]]).all(axis=1) & (at[:, 0] > axes[0][0])  # centres are where SciPy ends
    same &= bool((np.isnan(theirs) != np.isnan(found)).ravel()[inner].mean() < APART)
    batched = np.array_equal(apply(weights, fields)[0], found, equal_nan=True)
    matched = by_matrix(matrix, columns).T.reshape(BATCH, *target.shape)
    batched &= bool(np.nanmax(abs(matched - apply(weights, fields))) < 1e-3)
    moved = one.nbytes + found.nbytes + sum(a.nbytes for a in (weights.row, weights.col, weights.down, weights.right))
    several = moved + (BATCH - 1) * (one.nbytes + found.nbytes)
    speed = copy_speed(16 if size == "small" else 256)
    out = [
        Row(1, "weights", "3 s", 3.0, setup, 1.0),
        Row(
            1, "one field", "RegularGridInterpolator, NaN", seconds["regular"], seconds["ours"], 25, moved / speed, same
        ),
        Row(1, f"{BATCH} fields", "CSR matrix", seconds["matrix"], seconds["batch"], 4, several / speed, batched),
    ]
    steps = (2.0,) if size == "small" else (0.2, 0.1)
    return out + [_by_triangles(northern(step), target) for step in steps]


def _by_triangles(source: Grid, target: Grid) -> Row:
    """LinearNDInterpolator once, between two series of ours; on a smooth field both are near each other."""
    weights, field = bilinear(source, target), brightness(source, gaps=False)[0]
    before = interleaved({"ours": lambda: apply(weights, field)})["ours"]
    theirs, far = once(linear(source, target, field))
    ours = max(before, interleaved({"ours": lambda: apply(weights, field)})["ours"])
    off = abs(far.reshape(target.shape) - apply(weights, field))
    seen = abs(target.lonlat()[0]) < 179  # lon/lat triangles leave a seam
    near = float(np.nanmax(off[seen])) < 0.02 * source.step**2 * 100
    goal = 1000 if source.step < 1 else 1  # triangles cost by the point, ours by the target
    return Row(1, f"one field of {source.step:g} degrees", "LinearNDInterpolator", theirs, ours, goal, equal=near)


if __name__ == "__main__":
    sys.exit(main(rows, __doc__))
