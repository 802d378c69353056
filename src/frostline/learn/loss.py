"""What training minimises: binary cross entropy per label source, plus local variation of the prediction.

The logit is that of FROZEN throughout, and labels are 1 = frozen. (The published code's one logit is that of
thawed; both are the same loss, as log-odds and labels change sign together.)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

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


def frozen_logit(scores: Tensor) -> Tensor:
    """Logit of frozen, (batch, y, x) or (batch, target, y, x), of what a net gives: that itself, or three scores.

    Of frozen, thawed, missing (batch, target, 3, y, x) it is frozen minus thawed: their softmax without missing.
    """
    return scores[:, :, 0] - scores[:, :, 1] if scores.ndim == 5 else scores


def teaches(source: str, products: Sequence[str], targets: int) -> list[int]:
    """The heads that labels of `source` teach: a product its own, in the order of `products`; others all of them.

    >>> teaches("esdr", ["smap", "esdr"], 2), teaches("station", ["smap", "esdr"], 2), teaches("esdr", ["esdr"], 1)
    ([1], [0, 1], [0])
    """
    return [products.index(source)] if targets > 1 and source in products else [*range(targets)]


def three_class_entropy(scores: Tensor, label: Tensor, cells: Tensor) -> Tensor:
    """Mean cross entropy of softmax over (frozen, thawed, missing), no label being a class (Cui et al. 2024, 3.1).

    `scores` (batch, 3, y, x), `label` (batch, y, x) in [0, 1] or NaN, `cells` (batch, y, x) bool: where it counts.
    """
    there = torch.isfinite(label)
    frozen = torch.where(there, label, 0.0)
    wanted = torch.stack([frozen, torch.where(there, 1 - label, 0.0), (~there).to(label.dtype)], dim=1)
    each = -(wanted * F.log_softmax(scores, dim=1)).sum(dim=1)
    return (each * cells).sum() / cells.sum().clamp_min(1)


def objective_of_heads(
    scores: Tensor,
    labels: Mapping[str, Tensor],
    cells: Tensor,
    *,
    products: Sequence[str],
    lambdas: Mapping[str, float],
    lambda_lv: float,
    on: str = "prob",
) -> Tensor:
    """The sum over the heads of `objective`, each with the labels that teach it; one head without classes is it.

    `scores` as a net gives them: (batch, y, x), (batch, target, y, x) or (batch, target, 3, y, x). With three
    classes the entropy is that of three classes, and what has no label is one (a day without any is no sample).
    """
    if scores.ndim == 3:
        return objective(scores, labels, cells, lambdas=lambdas, lambda_lv=lambda_lv, on=on)
    logit, total = frozen_logit(scores), scores.new_zeros(())
    for k in range(scores.shape[1]):
        own = {s: label for s, label in labels.items() if k in teaches(s, products, scores.shape[1])}
        two = own if scores.ndim == 4 else {}
        total = total + objective(logit[:, k], two, cells, lambdas=lambdas, lambda_lv=lambda_lv, on=on)
        for source, label in own.items() if scores.ndim == 5 else ():
            total = total + lambdas[source] * three_class_entropy(scores[:, k], label, cells)
    return total
