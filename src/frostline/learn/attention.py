"""A U-Net with attention gates (Oktay et al. 2018): the way up says where it wants what the way down saw."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from frostline.learn.unet import UNet


class Gate(nn.Module):
    """Additive attention of Oktay et al. 2018, equation 1: one weight in (0, 1) for each cell of a skip.

    With the skip x and the signal g, both of `width` channels: sigmoid(psi relu(Wx x + Wg g + bg) + b), all 1x1
    convolutions, half the channels in between. The signal is the upsampled one, so x need not be thinned out first,
    and a gate looks at its own cell alone: windows of any size are treated as the crops were.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        middle = max(1, width // 2)
        self.fine = nn.Conv2d(width, middle, 1, bias=False)
        self.coarse = nn.Conv2d(width, middle, 1)
        self.weigh = nn.Conv2d(middle, 1, 1)

    def forward(self, fine: Tensor, coarse: Tensor) -> Tensor:
        """Two (batch, width, y, x) -> the first, weighed cell by cell."""
        return fine * torch.sigmoid(self.weigh(torch.relu(self.fine(fine) + self.coarse(coarse))))


class AttentionUNet(UNet):
    """A `UNet` whose skips pass a gate; options and head are the same. A gate of w channels holds w*w + w + 1 weights.

    (w even: w * w/2 and w * w/2 + w/2 of both inputs, w/2 + 1 of the weight.)
    """

    def __init__(
        self, channels: int, *, width: int = 32, depth: int = 4, dropout: float = 0.2, head: str = "code"
    ) -> None:
        super().__init__(channels, width=width, depth=depth, dropout=dropout, head=head)
        self.gates = nn.ModuleList(Gate(width << level) for level in range(depth))

    def skip(self, level: int, fine: Tensor, coarse: Tensor) -> Tensor:
        """What the way down gives the way up at a level, where the way up wants it."""
        return self.gates[level](fine, coarse)
