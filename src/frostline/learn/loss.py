"""What training minimises: binary cross entropy per label source, plus local variation of the prediction.

The logit is that of FROZEN throughout, and labels are 1 = frozen. (The published code's one logit is that of
thawed; both are the same loss, as log-odds and labels change sign together.)
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional as F

ON = ("prob", "logit")


def masked_bce(logit: Tensor, label: Tensor, weight: Tensor) -> Tensor:
    """Cross entropy sum(w BCE) / sum(w); 0 where no weight is left.

    `logit`, `label` in [0, 1] (NaN where `weight` is 0), `weight` >= 0: one shape. A label between 0 and 1
    is a soft label.
    """
    known = torch.where(weight > 0, label, 0.0)
    each = F.softplus(logit) - known * logit  # -y log p - (1 - y) log(1 - p), without overflow
    return (weight * each).sum() / weight.sum().clamp_min(1e-12)


def local_variation(field: Tensor, cells: Tensor) -> Tensor:
    """Mean |difference| of vertical neighbours + mean |difference| of horizontal ones (Donahue 2023, 2.2).

    `field`, `cells` (..., y, x); a pair counts where both of its `cells` are true. On probabilities it is
    bounded by 2; on logits it grows with confidence.
    """
    total = field.new_zeros(())
    for axis in (-2, -1):
        n = field.shape[axis] - 1
        pair = cells.narrow(axis, 0, n) & cells.narrow(axis, 1, n)
        step = (field.narrow(axis, 1, n) - field.narrow(axis, 0, n)).abs()
        total = total + (step * pair).sum() / pair.sum().clamp_min(1)
    return total


def objective(
    logit: Tensor,
    labels: Mapping[str, Tensor],
    cells: Tensor,
    *,
    lambdas: Mapping[str, float],
    lambda_lv: float,
    on: str = "prob",
) -> Tensor:
    """sum over sources of lambda x BCE, + lambda_lv x local variation on the probability (or the logit).

    `logit` (batch, y, x); `labels` source -> (batch, y, x), NaN = no label; `cells` (batch, y, x) bool, the
    land that may be learnt from: labels and pairs elsewhere do not count. A cell with two labels pays both.
    """
    if on not in ON:
        raise ValueError(f"on={on!r}, not one of {ON}")
    total = logit.new_zeros(())
    for source, label in labels.items():
        weight = (cells & torch.isfinite(label)).to(logit.dtype)
        total = total + lambdas[source] * masked_bce(logit, label, weight)
    field = torch.sigmoid(logit) if on == "prob" else logit
    return total + lambda_lv * local_variation(field, cells)
