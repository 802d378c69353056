"""How much better than the calendar: each score's skill over the climatology, on the same cell-days."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from frostline.validate.calibration import brier_uncertainty

Array = np.ndarray
AT_ZERO = ("brier", "ece", "ece_middle", "brier_reliability", "bias")  # best is 0; of all others 1
NO_SCORE = ("coverage",)  # says what a sample leaves out, and nothing of the record


def skill(value: Array, reference: Array, best: Array | float = 1.0) -> Array:
    """Share of the reference's distance to the best value that is overcome: 1 - |best - value| / |best - reference|.

    1 is perfect, 0 no better than the reference, negative worse; NaN where the reference is perfect itself. Of the
    Brier score this is `scores.brier_skill`; of accuracy, with a constant as reference, Heidke's and Gilbert's idea
    (Wilks 2011, section 8.1.4).

    >>> [round(float(s), 9) for s in (skill(np.array(0.95), np.array(0.9)), skill(np.array(0.05), np.array(0.1), 0.0))]
    [0.5, 0.5]
    """
    left = np.abs(best - np.asarray(value, float))
    whole = np.abs(best - np.asarray(reference, float))
    return 1 - left / np.where(whole > 0, whole, np.nan)


def of_scores(found: Mapping[str, Array], sums: Mapping[str, Array], *, base: int | None) -> dict[str, Array]:
    """Skill of every score, arrays (record, ...), over the record at `base`; NaN without one, or for NO_SCORE.

    `sums` are those that the scores were made of; `brier_resolution` is best where it is all of the truth's variance.
    """
    out = {}
    for name, value in found.items():
        if base is None or name in NO_SCORE:
            out[name] = np.full_like(value, np.nan)
        elif name == "brier_skill":
            out[name] = value
        else:
            best = brier_uncertainty(sums) if name == "brier_resolution" else float(name not in AT_ZERO)
            out[name] = skill(value, value[base : base + 1], best)
    return out


def of_difference(difference: Array, accuracy: Array | None) -> Array:
    """Difference of two records' skills in accuracy, from that of their accuracies and the climatology's accuracy.

    `accuracy` is counted on the cell-days that all records share, the difference on those that the two know.
    """
    if accuracy is None:
        return np.full_like(difference, np.nan)
    return difference / np.where(accuracy < 1, 1 - accuracy, np.nan)
