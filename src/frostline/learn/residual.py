"""A residual U-Net: blocks of He et al. 2016 in the layout of Donahue's."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from frostline.learn.unet import LEAK, Dropout, UNet, beside


class ResidualBlock(nn.Module):
    """A block that adds to what it was given: two 3x3 convolutions with batch norm, the sum, leaky ReLU, dropout.

    The activation follows the sum, as in He et al. 2016, Deep Residual Learning, figure 2 and equation 2; where the
    number of channels changes, a 1x1 convolution without bias is the shortcut (their projection, option B).
    """

    def __init__(self, channels: int, width: int, dropout: float) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels, width, 3, padding=1),
            nn.BatchNorm2d(width),
            nn.LeakyReLU(LEAK),
            nn.Conv2d(width, width, 3, padding=1),
            nn.BatchNorm2d(width),
        )
        self.short = nn.Identity() if channels == width else nn.Conv2d(channels, width, 1, bias=False)
        self.dropout = Dropout(dropout)

    def forward(self, *fields: Tensor) -> Tensor:
        """One or more (batch, channels, y, x), taken as one of all their channels -> (batch, width, y, x)."""
        x = beside(fields)
        return self.dropout(F.leaky_relu(self.body(x) + self.short(x), LEAK))


class ResidualUNet(UNet):
    """A `UNet` of residual blocks; options and head are the same. A block i -> o holds i*o weights more (i != o)."""

    block = ResidualBlock
