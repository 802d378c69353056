"""How a claim follows the truth from day to day: two scores beside those of the table, and the sums they need."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import xarray as xr

from frostline.scores import Sums, accuracy, brier, coverage, frozen_accuracy, mcc, thawed_accuracy

SHARES = ("shared_days", "claimed", "observed", "claimed_squared", "observed_squared", "product")
_FLAT = 1e-12  # a variance of daily shares below this is rounding: a series that never changes


def with_shares(daily: xr.Dataset) -> xr.Dataset:
    """A daily tally with the sums that `correlation` needs, to be summed over time.

    c and o are the shares of a day's compared cells that the claim, and the truth, calls frozen. Adds `shared_days`
    (1 where something was compared), `claimed` c, `observed` o, their squares and their `product`, 0 where nothing was
    compared. Shares of half a day's cells do not add: give whole days, after every tile was added.
    """
    whole = daily["true_frozen"] + daily["false_frozen"] + daily["true_thawed"] + daily["false_thawed"]
    known = whole > 0
    claimed = ((daily["true_frozen"] + daily["false_frozen"]) / whole).where(known, 0.0)
    observed = ((daily["true_frozen"] + daily["false_thawed"]) / whole).where(known, 0.0)
    sums = (known.astype(np.float64), claimed, observed, claimed**2, observed**2, claimed * observed)
    return daily.assign(dict(zip(SHARES, sums, strict=True)))


def correlation(sums: Sums) -> Any:
    """Pearson's correlation of the daily frozen shares of claim and truth. Range -1 to 1, best 1.

    R of a network's or a region's daily series; NaN where either never changes (a thawed summer). Needs the sums of
    `with_shares`.
    """
    days, c, o = sums["shared_days"], sums["claimed"], sums["observed"]
    size = np.where(np.asarray(days) == 0, np.nan, days)
    spread = sums["claimed_squared"] / size - (c / size) ** 2, sums["observed_squared"] / size - (o / size) ** 2
    some = (spread[0] > _FLAT) & (spread[1] > _FLAT)
    scale = np.sqrt(np.where(some, spread[0] * spread[1], np.nan))
    return (sums["product"] / size - c * o / size**2) / scale


def bias(sums: Sums) -> Any:
    """Mean frozen share of the claim less that of the truth: (FF - FT) / all. Range -1 to 1, best 0.

    >>> float(bias({"true_frozen": 180, "false_frozen": 50, "true_thawed": 700, "false_thawed": 70}))
    -0.02
    """
    whole = sums["true_frozen"] + sums["false_frozen"] + sums["true_thawed"] + sums["false_thawed"]
    return (sums["false_frozen"] - sums["false_thawed"]) / (whole + np.where(np.asarray(whole) == 0, np.nan, 0.0))


# CA_O, CA_F and CA_T of Cui et al. 2024, eqs. 2-4, and what tells more than they do
CHINA_SCORES: dict[str, Callable[[Sums], Any]] = {
    "accuracy": accuracy,
    "frozen_accuracy": frozen_accuracy,
    "thawed_accuracy": thawed_accuracy,
    "mcc": mcc,
    "brier": brier,
    "coverage": coverage,
    "correlation": correlation,
    "bias": bias,
}
OF_DAYS = ("accuracy_mean_of_days", "correlation")  # need whole days: a station's own sums cannot tell them
