"""One step of training: fields forward in a precision, the loss, its gradients, and the weights moved by them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager

import numpy as np
import torch
from torch import Tensor

PRECISION = {"float32": None, "bfloat16": torch.bfloat16}  # of activations; weights and optimizer are float32 always
Penalty = Callable[[Tensor, Mapping[str, Tensor], Tensor], Tensor]  # scores, labels by source, cells to learn from


def autocast(on: torch.device, precision: str) -> AbstractContextManager:
    """Activations in a precision of PRECISION, where torch holds that safe."""
    return torch.autocast(on.type, dtype=torch.bfloat16, enabled=PRECISION[precision] is not None)


def step(
    model: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    x: np.ndarray | Tensor,
    labels: Mapping[str, np.ndarray] | Mapping[str, Tensor],
    cells: np.ndarray | Tensor,
    *,
    penalty: Penalty,
    on: torch.device,
    precision: str = "float32",
) -> tuple[float, Tensor]:
    """Move the weights once; the loss before that, and the scores that it is of.

    x (n, channel, y, x) float32, labels source -> (n, y, x) float32 (NaN = none), cells (n, y, x) bool: arrays, or
    tensors that may be on the device already. Only the
    forward pass (and, in turn, the gradients of its activations) is in `precision`: scores, loss, the gradients of
    weights, the weights and the optimizer's moments are float32. A loss that is not finite is for the caller to see.
    """
    fields = torch.as_tensor(x).to(on, memory_format=torch.channels_last)
    with autocast(on, precision):
        scores = model(fields)  # (n, y, x), of frozen; or with targets and classes
    truth = {source: torch.as_tensor(label).to(on) for source, label in labels.items()}
    loss = penalty(scores, truth, torch.as_tensor(cells).to(on))
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()
    return float(loss.detach()), scores.detach()
