"""Scores: pure functions of a tally's sums.

Every function takes a mapping of sums (a tally Dataset, or a dict of arrays of one shape, or of plain numbers) and
gives a score of that shape. Frozen is the positive class. Where the formula is 0/0 the score is NaN, never 0 or 1.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

Sums = Mapping[Any, Any]


def accuracy(sums: Sums) -> Any:
    """Share of cell-days in the right class, pooled: (TF + TT) / all. Range 0 to 1, best 1.

    CA_O of Cui et al. 2024, eq. 4. Days with more known cells weigh more; see `accuracy_mean_of_days`.

    >>> float(accuracy({"true_frozen": 180, "false_frozen": 50, "true_thawed": 700, "false_thawed": 70}))
    0.88
    """
    return _ratio(sums["true_frozen"] + sums["true_thawed"], _compared(sums))


def accuracy_mean_of_days(sums: Sums) -> Any:
    """Mean over days of the daily share correct. Range 0 to 1, best 1.

    The "mean percent accuracy" (MPA) of Donahue et al. 2023 as its code computes it; differs from `accuracy` where
    the number of known cells changes from day to day. Needs the sums of `tally.with_days`.
    """
    return _ratio(sums["day_accuracy"], sums["days"])


def frozen_accuracy(sums: Sums) -> Any:
    """Share of the truly frozen that were called frozen (sensitivity): TF / (TF + FT). Range 0 to 1, best 1.

    CA_F of Cui et al. 2024, eq. 2.
    """
    return _ratio(sums["true_frozen"], sums["true_frozen"] + sums["false_thawed"])


def thawed_accuracy(sums: Sums) -> Any:
    """Share of the truly thawed that were called thawed (specificity): TT / (TT + FF). Range 0 to 1, best 1.

    CA_T of Cui et al. 2024, eq. 3.
    """
    return _ratio(sums["true_thawed"], sums["true_thawed"] + sums["false_frozen"])


def balanced_accuracy(sums: Sums) -> Any:
    """Mean of `frozen_accuracy` and `thawed_accuracy`. Range 0 to 1, best 1; 0.5 is a coin or a constant.

    Brodersen et al. 2010.
    """
    return (frozen_accuracy(sums) + thawed_accuracy(sums)) / 2


def mcc(sums: Sums) -> Any:
    """Matthews' correlation: (TF TT - FF FT) / sqrt((TF+FF)(TF+FT)(TT+FF)(TT+FT)). Range -1 to 1.

    1 is total agreement, 0 no correlation, -1 total disagreement; NaN where claim or truth knows one class only.
    Matthews 1975; Donahue et al. 2023, eq. 2 (whose text calls -1 "uncorrelated").
    """
    tf, ff, tt, ft = (sums[n] for n in ("true_frozen", "false_frozen", "true_thawed", "false_thawed"))
    scale = np.sqrt(1.0 * (tf + ff)) * np.sqrt(1.0 * (tf + ft)) * np.sqrt(1.0 * (tt + ff)) * np.sqrt(1.0 * (tt + ft))
    return _ratio(tf * tt - ff * ft, scale)


def f1_frozen(sums: Sums) -> Any:
    """F1 with frozen as the positive class: 2 TF / (2 TF + FF + FT). Range 0 to 1, best 1.

    Donahue et al. 2023, eq. 3 (which does not name its class).
    """
    return _ratio(2 * sums["true_frozen"], 2 * sums["true_frozen"] + sums["false_frozen"] + sums["false_thawed"])


def f1_thawed(sums: Sums) -> Any:
    """F1 with thawed as the positive class: 2 TT / (2 TT + FF + FT). Range 0 to 1, best 1.

    Donahue et al. 2023, eq. 3.
    """
    return _ratio(2 * sums["true_thawed"], 2 * sums["true_thawed"] + sums["false_frozen"] + sums["false_thawed"])


def brier(sums: Sums) -> Any:
    """Mean squared error of the probability: sum (claim - truth)^2 / all. Range 0 to 1, best 0.

    Brier 1950; Donahue et al. 2023, eq. 4. For a claim of classes it is the share wrong.
    """
    return _ratio(sums["squared_error"], _compared(sums))


def brier_skill(sums: Sums, reference: Sums) -> Any:
    """Gain in Brier score over a reference tallied on the same cells: 1 - brier / brier_reference.

    Range minus infinity to 1; 0 is no better than the reference; NaN where the reference is perfect.
    Murphy 1973.
    """
    of_reference = brier(reference)
    return _ratio(of_reference - brier(sums), of_reference)


def coverage(sums: Sums) -> Any:
    """Share of the cell-days with a known truth that entered the comparison. Range 0 to 1, best 1."""
    compared = _compared(sums)
    return _ratio(compared, compared + sums["unknown"])


SCORES: dict[str, Callable[[Sums], Any]] = {
    "accuracy": accuracy,
    "accuracy_mean_of_days": accuracy_mean_of_days,
    "frozen_accuracy": frozen_accuracy,
    "thawed_accuracy": thawed_accuracy,
    "balanced_accuracy": balanced_accuracy,
    "mcc": mcc,
    "f1_frozen": f1_frozen,
    "f1_thawed": f1_thawed,
    "brier": brier,
    "coverage": coverage,
}
"""Scores of one tally alone; `brier_skill` needs a second."""


def _compared(sums: Sums) -> Any:
    return sums["true_frozen"] + sums["false_frozen"] + sums["true_thawed"] + sums["false_thawed"]


def _ratio(part: Any, whole: Any) -> Any:
    """part / whole, NaN where the whole is 0, for numbers, arrays and DataArrays alike."""
    return part / (whole + np.where(np.asarray(whole) == 0, np.nan, 0.0))
