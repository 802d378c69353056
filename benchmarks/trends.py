"""Row 7: Theil-Sen slope and Mann-Kendall test of 41 years of every cell, against a library's loop and NumPy.

python -m benchmarks.trends [--size small|middle|full]

The anchor is pymannkendall where it is installed, else the two functions of SciPy (a third of its time).
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from typing import Any

import numpy as np
from scipy.stats import kendalltau, theilslopes

from benchmarks.common import Row, Size, interleaved, main
from frostline.trends_kernels import mann_kendall
from frostline.trends_pairs import medians

Array = np.ndarray
YEARS = 41
CELLS = {"small": 500, "middle": 20_000, "full": 200_000}
LOOPED = {"small": 10, "middle": 40, "full": 100}
STACKED = 2000  # cells of NumPy at a time


def frozen_days(cells: int) -> Array:
    """Whole days a year with ties, (years, cells)."""
    rng = np.random.default_rng(1)
    trend = rng.uniform(-0.8, 0.4, cells) * np.arange(YEARS)[:, None]
    return np.round(150 + trend + 8 * rng.standard_normal((YEARS, cells)))


def library(y: Array) -> tuple[str, Array]:
    """Slope and z of every cell, a cell at a time, (2, cells): what a user would write."""
    if importlib.util.find_spec("pymannkendall"):
        test: Any = importlib.import_module("pymannkendall").original_test
        found = [test(series) for series in y.T]
        return "pymannkendall", np.array([(f.slope, f.z) for f in found]).T
    t = np.arange(YEARS)
    out = [(theilslopes(series, t)[0], kendalltau(t, series)[0]) for series in y.T]
    return "SciPy, cell by cell", np.array(out).T


def stacked(y: Array) -> Array:
    """The same in NumPy, all pairs of many cells at once: slope and z, (2, cells)."""
    i, j = np.triu_indices(YEARS, 1)
    found = []
    for begin in range(0, y.shape[1], STACKED):
        part = y[:, begin : begin + STACKED]
        step = part[j] - part[i]
        slope = np.median(step / (j - i)[:, None], axis=0)
        s = np.sign(step).sum(axis=0)
        ordered = np.sort(part, axis=0)
        same = np.ones(part.shape[1])
        ties = np.zeros(part.shape[1])
        for k in range(1, YEARS):
            again = ordered[k] == ordered[k - 1]
            ties += np.where(again, 0, same * (same - 1) * (2 * same + 5))
            same = np.where(again, same + 1, 1)
        ties += same * (same - 1) * (2 * same + 5)
        variance = (YEARS * (YEARS - 1) * (2 * YEARS + 5) - ties) / 18
        found.append([slope, np.sign(s) * np.maximum(abs(s) - 1, 0) / np.sqrt(variance)])
    return np.concatenate(found, axis=1)


def ours(y: Array) -> Array:
    """Slope and z by the package, (2, cells)."""
    return np.stack([medians(y, np.arange(float(YEARS))), mann_kendall(y).z])


def rows(size: Size) -> list[Row]:
    """The table's rows; seconds are of one cell."""
    cells, looped = CELLS[size], LOOPED[size]
    y = frozen_days(cells)
    some = y[:, : min(cells, 4 * STACKED)]
    name, theirs = library(y[:, :looped])
    seconds = interleaved(
        {"ours": lambda: ours(y), "loop": lambda: library(y[:, :looped]), "numpy": lambda: stacked(some)}, repeats=3
    )
    here, slow, plain = seconds["ours"] / cells, seconds["loop"] / looped, seconds["numpy"] / some.shape[1]
    found = ours(y)
    same = bool(np.allclose(found[:, : some.shape[1]], stacked(some), rtol=0, atol=1e-6))
    same &= bool(np.allclose(found[0, :looped], theirs[0], rtol=0, atol=1e-6))
    if name == "pymannkendall":
        same &= bool(np.allclose(found[1, :looped], theirs[1], rtol=0, atol=1e-6))
    goal = 250 if name == "pymannkendall" else 250 / 2.7  # SciPy took 350 of its 950 microseconds
    return [
        Row(7, "Sen and Mann-Kendall of a cell", name, slow, here, goal, equal=same),
        Row(7, "Sen and Mann-Kendall of a cell", "NumPy, all pairs", plain, here, 3, equal=same),
    ]


if __name__ == "__main__":
    sys.exit(main(rows, __doc__))
