"""Row 6: what collocation keeps of 41 years of every cell, against a loop over cells and int8 products.

python -m benchmarks.moments [--size small|middle|full]
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from numba import njit
from threadpoolctl import threadpool_limits

from benchmarks.common import Row, Size, copy_speed, interleaved, main
from frostline.validate.collocation_em import closed_draws, closed_form
from frostline.validate.intervals import draw_clusters, resample
from frostline.validate.moments_bits import WORD
from frostline.validate.moments_bits import count as patterns

Array = np.ndarray
YEARS, MONTHS = 41, 12
CELLS = {"small": 200, "middle": 20_000, "full": 100_000}
LOOPED = {"small": 20, "middle": 60, "full": 100}  # cells of the slow ones
COUNTED = {"small": 200, "middle": 2000, "full": 4000}  # cells of the int8 one
DRAWN = {"small": 20, "middle": 512, "full": 1024}  # cells bootstrapped
RESAMPLES = 1000


def words(cells: int) -> tuple[Array, Array]:
    """What three products say and know, (year, month, product, cells): a truth with a season, told with errors."""
    rng = np.random.default_rng(1)
    says, known = np.empty((2, YEARS, MONTHS, 3, cells), np.uint32)
    for y in range(YEARS):
        for m in range(MONTHS):
            chance = 0.5 + 0.45 * np.cos(2 * np.pi * m / MONTHS)
            truth = rng.random((WORD, cells), np.float32) < chance
            for i, wrong in enumerate((0.05, 0.1, 0.15)):
                says[y, m, i] = as_words(truth ^ (rng.random((WORD, cells), np.float32) < wrong))
                known[y, m, i] = as_words(rng.random((WORD, cells), np.float32) < 0.9)
    return says, known


def as_words(bits: Array) -> Array:
    """(32, cells) bool as uint32, day by bit."""
    return (bits.astype(np.uint32) << np.arange(WORD, dtype=np.uint32)[:, None]).sum(0, dtype=np.uint32)


def as_record(says: Array, known: Array) -> Array:
    """Words (year, month, product, cells) as -1, 1 and 0 unknown, int8 (product, days, cells): maps, as records are."""
    day = np.arange(WORD, dtype=np.uint32)[:, None, None]
    signs = ((says[:, :, None] >> day & 1).astype(np.int8) * 2 - 1) * (known[:, :, None] >> day & 1).astype(np.int8)
    return np.ascontiguousarray(np.moveaxis(signs, 3, 0).reshape(3, -1, says.shape[-1]))


def sums(says: Array, every: Array) -> Array:
    """Ours: counts of patterns by year, (year, pattern, cells), of the days that every product knows."""
    count = np.zeros((YEARS, 8, says.shape[-1]), np.int32)
    for y in range(YEARS):
        patterns(says[y], every[y], count[y])
    return count


def loop(record: Array, at: range) -> tuple[Array, Array, Array]:
    """A cell at a time in NumPy, of float32 with NaN (product, days, cells): means, covariances, third moment."""
    mean, cov, third = np.empty((3, len(at))), np.empty((3, 3, len(at))), np.empty(len(at))
    for c, cell in enumerate(at):
        x = record[:, :, cell].astype(float)
        x = x[:, np.isfinite(x).all(axis=0)]
        mean[:, c] = x.mean(axis=1)
        cov[..., c] = np.cov(x, bias=True)
        third[c] = (x - x.mean(axis=1, keepdims=True)).prod(axis=0).mean()
    return mean, cov, third


@njit(cache=True, nogil=True)
def int8(signs: Array, out: Array) -> None:  # pragma: no cover
    """Sums of int8 (product, days, cells), compiled, a day's map at a time: n, three, three products, all three."""
    out[:] = 0
    for t in range(signs.shape[1]):
        for c in range(signs.shape[2]):
            a, b, d = np.int32(signs[0, t, c]), np.int32(signs[1, t, c]), np.int32(signs[2, t, c])
            v = a * a * b * b * d * d
            out[0, c] += v
            out[1, c] += a * v
            out[2, c] += b * v
            out[3, c] += d * v
            out[4, c] += a * b * v
            out[5, c] += a * d * v
            out[6, c] += b * d * v
            out[7, c] += a * b * d


def as_moments(count: Array) -> Array:
    """Counts of patterns (8, cells) as the sums of `loop`."""
    up = (np.arange(8) >> np.arange(3)[:, None] & 1) * 2 - 1
    a, b, d = up
    return np.stack([np.ones(8, int), a, b, d, a * b, a * d, b * d, a * b * d]) @ count


def bootstrap(count: Array, draws: Array) -> Any:
    """Years drawn with replacement, and psi of the closed form of each draw, (draws, 3, cells)."""
    return closed_draws(count, draws)["psi"]


def by_parts(count: Array, draws: Array) -> Any:
    """The same by the package's general functions: a product of matrices, then the closed form."""
    drawn = resample(draws, {"count": np.moveaxis(count, 1, -1)})["count"]
    return np.moveaxis(closed_form(drawn)["psi"], -1, 1)


def rows(size: Size) -> list[Row]:
    """The table's rows; seconds are of one cell."""
    cells, looped, counted, drawn = CELLS[size], LOOPED[size], COUNTED[size], DRAWN[size]
    says, known = words(cells)
    signs = as_record(says[..., :counted], known[..., :counted])
    record = np.where(signs == 0, np.float32(np.nan), signs.astype(np.float32))
    looping = range(0, counted, counted // looped)
    compiled = np.empty((8, counted), np.int32)
    every = np.bitwise_and.reduce(known, axis=2)  # as `moments` packs them: what all know, in one word
    count = sums(says, every)
    draws = draw_clusters(YEARS, resamples=RESAMPLES)
    with threadpool_limits(1):  # one thread, as all of these
        seconds = interleaved(
            {
                "ours": lambda: sums(says, every),
                "loop": lambda: loop(record, looping),
                "int8": lambda: int8(signs, compiled),
                "draws": lambda: bootstrap(count[..., :drawn], draws),
            },
            repeats=5,
        )
    ours, slow, plain = seconds["ours"] / cells, seconds["loop"] / len(looping), seconds["int8"] / counted
    exact = as_moments(count.sum(0))
    same = np.array_equal(exact[:, :counted], compiled)
    n, *s = exact[:, looping]
    same &= bool(np.allclose(loop(record, looping)[0], np.stack(s[:3]) / n, atol=1e-12))
    redrawn = np.allclose(bootstrap(count[..., :20], draws), by_parts(count[..., :20], draws), 1e-9, equal_nan=True)
    limit = (says[..., 0].nbytes + every[..., 0].nbytes) / copy_speed(16 if size == "small" else 256)
    return [
        Row(6, "41 years of a cell", "NumPy, cell by cell", slow, ours, 1200, limit, same),
        Row(6, "41 years of a cell", "numba, int8", plain, ours, 12, limit, same),
        Row(6, "41 years of a cell", "bandwidth of a copy", limit, ours, 0.4, limit, same),
        Row(
            6,
            f"{RESAMPLES} draws of years of a cell",
            "50 passes",
            50 * ours,
            seconds["draws"] / drawn,
            1.0,
            equal=redrawn,
        ),
    ]


if __name__ == "__main__":
    sys.exit(main(rows, __doc__))
