"""What the parts of tools/reality.py share: scores with intervals over stations, days or years, and rows of tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np

from frostline import scores
from frostline.twin import snow
from frostline.validate.intervals import bounds, draw_clusters, draw_days

Array = np.ndarray
RESAMPLES = 2000
KEPT = 0.05  # mm: `snow.TRACE` of the variant in which light snow is not lost between the steps


class Row(NamedTuple):
    """A figure with its interval and n; `skill` over a named reference where it is a score of states."""

    figure: str
    value: float
    lo: float
    hi: float
    n: str
    skill: str = "-"

    def cells(self, digits: int = 3) -> str:
        """`figure | value [lo, hi] | n`."""
        ends = f"[{_number(self.lo, digits)}, {_number(self.hi, digits)}]"
        return f"{self.figure} | {_number(self.value, digits)} {ends} | {self.n}"


class Part(NamedTuple):
    """What a part found: rows by table, further markdown, and what its picture needs."""

    rows: dict[str, list[Row]]
    text: str
    drawn: dict


@contextmanager
def trace(mm: float) -> Iterator[None]:
    """The twin with another least pack: below it, snow is let go as water at the end of a step of three hours."""
    before, snow.TRACE = snow.TRACE, mm
    try:
        yield
    finally:
        snow.TRACE = before


def table_of(claim: Array, truth: Array) -> dict[str, Array]:
    """Sums of the 2 x 2 table along time, (N,), of claims and truths (time, N) of 0, 1 and NaN (unknown)."""
    both = np.isfinite(claim) & np.isfinite(truth)
    kinds = {"true_frozen": (1, 1), "false_frozen": (1, 0), "true_thawed": (0, 0), "false_thawed": (0, 1)}
    return {k: (both & (claim == c) & (truth == t)).sum(0).astype(float) for k, (c, t) in kinds.items()}


def scored(
    name: str, claim: Array, truth: Array, *, score: str = "accuracy", against: Array | None = None, of: str = ""
) -> Row:
    """A score of states (time, station) pooled, with an interval over stations; skill is that of the share wrong."""
    sums = table_of(claim, truth)
    draws = draw_clusters(truth.shape[1], resamples=RESAMPLES, seed=1)
    function = scores.SCORES[score]
    value = float(function({k: v.sum() for k, v in sums.items()}))
    lo, hi = bounds(np.asarray(function({k: draws @ v for k, v in sums.items()})), units=truth.shape[1])
    n = int(sum(v.sum() for v in sums.values()))
    skill = "-"
    if against is not None:
        both = {k: np.stack([table_of(c, truth)[k] for c in (claim, against)]) for k in sums}

        def gain(weights: Array) -> Array:
            wrong = (both["false_frozen"] + both["false_thawed"]) @ weights.T
            return 1.0 - wrong[0] / np.maximum(wrong[1], 1e-9)

        ends = bounds(gain(draws), units=truth.shape[1])
        skill = (
            f"{float(gain(np.ones((1, truth.shape[1])))[0]):.2f} [{float(ends[0]):.2f}, {float(ends[1]):.2f}] over {of}"
        )
    return Row(name, value, float(lo), float(hi), f"{n} ({truth.shape[1]} stations)", skill)


def mean_of(
    name: str, values: Array, *, what: str = "stations", statistic: Callable[[Array, Array], Array] | None = None
) -> Row:
    """Mean of values (N,), one a station or a year, NaN left out, with an interval over these."""
    known = np.asarray(values, float)[np.isfinite(values)]
    if not len(known):
        return Row(name, np.nan, np.nan, np.nan, f"0 {what}")
    draws = draw_clusters(len(known), resamples=RESAMPLES, seed=1)
    count = len(known)
    found = draws @ known / count if statistic is None else statistic(draws, known)
    value = known.mean() if statistic is None else float(statistic(np.ones((1, count)), known)[0])
    lo, hi = bounds(np.asarray(found), units=count)
    return Row(name, float(value), float(lo), float(hi), f"{count} {what}")


def sd_of(name: str, values: Array, *, what: str) -> Row:
    """Standard deviation of values (N,) with an interval over them."""

    def spread(draws: Array, known: Array) -> Array:
        n = draws.sum(1)
        mean = draws @ known / n
        return np.sqrt(np.maximum(draws @ known**2 / n - mean**2, 0.0) * n / (n - 1.0))

    return mean_of(name, values, what=what, statistic=spread)


def over_days(name: str, values: Array, dates: Array, *, root: bool = False, block: int = 30) -> Row:
    """Mean (or root mean square) of one place's daily values (time,), interval over blocks of days."""
    values = np.asarray(values, float) ** (2 if root else 1)
    draws, units = draw_days(dates, block=block, resamples=RESAMPLES, seed=1)
    found, value = draws @ values / draws.sum(1), values.mean()
    lo, hi = bounds(np.sqrt(found) if root else found, units=units)
    return Row(name, float(np.sqrt(value) if root else value), float(lo), float(hi), f"{len(values)} days, 1 site")


def with_ends(row: Row) -> str:
    """Value [lo, hi]."""
    return row.cells(1).split(" | ")[1]


def _number(value: float, digits: int) -> str:
    return f"{value:.{digits}f}" if np.isfinite(value) else "-"
