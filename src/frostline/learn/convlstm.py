"""The ConvLSTM of Shi et al. 2015 as Cui et al. 2024, section 3.1, use it: steps before an overpass in, states out.

Cui et al. state neither layers, width nor kernel; they are options.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

WINDOW = 48  # cells: the gates of one window stay in a core's cache, which counts for more than their arithmetic
CLASSES = {"frozen": 1, "literal3": 3}  # scores of a target: one logit; or frozen, thawed, missing (the paper)


class Cell(nn.Module):
    """One layer (Shi et al. 2015, equation 3), with hidden and cell state 0 before the first step.

        i, f, o = sigmoid(W * x + U * h + b [+ p c]),  g = tanh(W * x + U * h + b)
        c = f c + i g,  h = o tanh(c)

    with convolutions W, U and, where `peepholes`, a weight p per channel (the paper's has one per cell too, and
    so knows but one window); o looks at the new c. `fixed` inputs are the same at all steps: their part of W is
    applied once. What a first step would multiply by the zero state is left out.
    """

    def __init__(self, moving: int, fixed: int, width: int, kernel: int, *, steps: int, peepholes: bool) -> None:
        super().__init__()
        self.moving = nn.Conv2d(moving, 4 * width, kernel, padding=kernel // 2)
        self.fixed = nn.Conv2d(fixed, 4 * width, kernel, padding=kernel // 2, bias=False) if fixed else None
        self.hidden = nn.Conv2d(width, 4 * width, kernel, padding=kernel // 2, bias=False) if steps > 1 else None
        self.peephole = nn.Parameter(torch.zeros(3, width, 1, 1)) if peepholes else None

    def forward(self, sequence: Sequence[Tensor], fixed: Tensor | None = None) -> list[Tensor]:
        """Steps (batch, moving, y, x) and what all of them share (batch, fixed, y, x) -> h of each step."""
        shared = self.fixed(fixed) if self.fixed is not None else None
        h: Tensor | None = None
        c: Tensor | None = None
        out = []
        for x in sequence:
            gates = self.moving(x)  # (batch, 4 width, y, x): i, f, o, g
            if shared is not None:
                gates = gates + shared
            if h is not None and self.hidden is not None:
                gates = gates + self.hidden(h)
            i, f, o, g = gates.chunk(4, dim=1)
            if self.peephole is not None and c is not None:
                i, f = i + self.peephole[0] * c, f + self.peephole[1] * c
            new = torch.sigmoid(i) * torch.tanh(g)
            c = new if c is None else torch.sigmoid(f) * c + new
            if self.peephole is not None:
                o = o + self.peephole[2] * c
            h = torch.sigmoid(o) * torch.tanh(c)
            out.append(h)
        return out


class ConvLSTM(nn.Module):
    """Fields (batch, channels, y, x) in, scores out, by a 1x1 convolution of the last step's hidden state.

    The first `dynamic` x `steps` channels are variables, each with its steps, oldest first; the others are shared
    by all steps of the first layer. What comes out, by `head` and number of `targets` (products learnt at once,
    their weights shared but for the head):

        frozen, 1 target   (batch, y, x)             logit of frozen; missing labels are masked in the loss
        frozen, more       (batch, target, y, x)
        literal3           (batch, target, 3, y, x)  scores of frozen, thawed, missing: softmax over them (the paper)

    Any window size; beyond its edge is 0 (= missing). It sees `reach` = (steps + layers - 1) (kernel // 2) cells
    around. In evaluation on a CPU, fields go through one by one in windows of WINDOW cells with `reach` cells
    around: the same scores to rounding, in the memory of one window.
    """

    layout = torch.contiguous_format  # gates are slices of channels: a fifth faster than channels last, on a core

    def __init__(
        self,
        channels: int,
        *,
        steps: int = 1,
        dynamic: int,
        layers: int = 1,
        width: int = 32,
        kernel: int = 3,
        peepholes: bool = False,
        head: str = "frozen",
        targets: int = 1,
    ) -> None:
        super().__init__()
        least = min(steps, dynamic, layers, width, targets)
        if least < 1 or kernel % 2 == 0 or kernel < 1 or head not in CLASSES or dynamic * steps > channels:
            asked = f"{steps=}, {dynamic=}, {layers=}, {width=}, {kernel=}, {head=}, {targets=}"
            raise TypeError(f"{asked} make no ConvLSTM of {channels} channels")
        self.steps, self.dynamic = steps, dynamic
        self.targets, self.classes = targets, CLASSES[head]
        self.reach = (steps + layers - 1) * (kernel // 2)
        sizes = [(dynamic, channels - dynamic * steps), *[(width, 0)] * (layers - 1)]
        self.cells = nn.ModuleList(Cell(m, f, width, kernel, steps=steps, peepholes=peepholes) for m, f in sizes)
        self.head = nn.Conv2d(width, targets * self.classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels, y, x) -> scores, shaped as the class says."""
        if self.training or x.device.type != "cpu":
            return self._whole(x)
        rows, columns = x.shape[-2:]
        fields = []
        for one in x.split(1):
            bands = [
                torch.cat([self._window(one, top, left) for left in range(0, columns, WINDOW)], dim=-1)
                for top in range(0, rows, WINDOW)
            ]
            fields.append(torch.cat(bands, dim=-2))
        return torch.cat(fields)

    def _window(self, x: Tensor, top: int, left: int) -> Tensor:
        """The scores of one window of a field: what is nearer than `reach` to a cut is computed and cut off."""
        row, column = max(0, top - self.reach), max(0, left - self.reach)
        scores = self._whole(x[..., row : top + WINDOW + self.reach, column : left + WINDOW + self.reach])
        return scores[..., top - row : top - row + WINDOW, left - column : left - column + WINDOW]

    def _whole(self, x: Tensor) -> Tensor:
        scores = self.core(x.contiguous()).float()
        if self.classes > 1:
            return scores.unflatten(1, (self.targets, self.classes))
        return scores[:, 0] if self.targets == 1 else scores

    def core(self, x: Tensor) -> Tensor:
        """(batch, channels, y, x) -> what the head gives (batch, targets x classes, y, x), as one window."""
        count = self.dynamic * self.steps
        sequence: Sequence[Tensor] = [x[:, step : count : self.steps] for step in range(self.steps)]
        fixed: Tensor | None = x[:, count:]
        for cell in self.cells:
            sequence, fixed = cell(sequence, fixed), None
        return self.head(sequence[-1])

    def frame(self) -> dict[str, Any]:
        """What surrounds the `core` (learn.frame)."""
        scores = self.classes if self.classes > 1 else "logit"
        return {"reach": self.reach, "window": WINDOW, "scores": scores, "targets": self.targets}
