"""The U-Net of Donahue et al. 2023, section 2.2: its layers, at any width and depth; and what of it others change."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

LEAK = 0.1  # slope of the leaky ReLU (the published code; the paper gives none)
HEADS = ("code", "paper")


def _block(channels: int, width: int, dropout: float) -> nn.Sequential:
    """Two 3x3 convolutions with batch norm and leaky ReLU, then spatial dropout (the paper, section 2.2)."""
    return nn.Sequential(
        nn.Conv2d(channels, width, 3, padding=1),
        nn.BatchNorm2d(width),
        nn.LeakyReLU(LEAK),
        nn.Conv2d(width, width, 3, padding=1),
        nn.BatchNorm2d(width),
        nn.LeakyReLU(LEAK),
        nn.Dropout2d(dropout),
    )


class UNet(nn.Module):
    """Fields (batch, channels, y, x) in, logit of FROZEN (batch, y, x) out; sigmoid gives the probability.

    `depth` halvings by max-pooling and as many doublings by transposed convolution, joined by skips; `width`
    filters at full resolution, doubled at each level. Defaults are the published code's: 7.77 million
    parameters at 10 inputs. `head="code"` is a 1x1 convolution to one logit; `head="paper"` a 3x3
    convolution to two sigmoids divided by their sum, here as the logit of that quotient:
    s1 / (s1 + s0) = sigmoid(log s1 - log s0).

    Any window size: fields are padded with 0 (= missing) at the south and east edges to a multiple of
    2**depth, and the answer is cropped back.

    `block` makes a block (channels, width, dropout), and `skip` what joins on the way up: all that the nets of
    this layout differ in.
    """

    block: Callable[[int, int, float], nn.Module] = staticmethod(_block)

    def __init__(
        self, channels: int, *, width: int = 32, depth: int = 4, dropout: float = 0.2, head: str = "code"
    ) -> None:
        super().__init__()
        if width < 1 or depth < 1 or not 0 <= dropout < 1 or head not in HEADS:
            raise TypeError(f"width={width}, depth={depth}, dropout={dropout}, head={head!r} make no U-Net")
        self.depth = depth
        widths = [width << level for level in range(depth + 1)]
        self.down = nn.ModuleList(
            self.block(i, o, dropout) for i, o in zip([channels, *widths[:-1]], widths, strict=True)
        )
        self.up = nn.ModuleList(nn.ConvTranspose2d(2 * w, w, 2, stride=2) for w in widths[:-1])
        self.join = nn.ModuleList(self.block(2 * w, w, dropout) for w in widths[:-1])
        self.head = nn.Conv2d(width, 1, 1) if head == "code" else nn.Conv2d(width, 2, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels, y, x) -> logit of frozen (batch, y, x)."""
        rows, columns = x.shape[-2:]
        step = 1 << self.depth
        x = F.pad(x, (0, -columns % step, 0, -rows % step))
        x = self.core(x)[:, :, :rows, :columns].float()
        if x.shape[1] == 1:
            return x[:, 0]
        return F.logsigmoid(x[:, 1]) - F.logsigmoid(x[:, 0])

    def core(self, x: Tensor) -> Tensor:
        """(batch, channels, y, x), both multiples of 2**depth -> what the head gives (batch, 1 or 2, y, x)."""
        skips = []
        for block in self.down[:-1]:
            x = block(x)  # (batch, width << level, y >> level, x >> level)
            skips.append(x)
            x = F.max_pool2d(x, 2)
        x = self.down[-1](x)
        for level in reversed(range(self.depth)):
            x = self.up[level](x)
            x = self.join[level](torch.cat([self.skip(level, skips[level], x), x], dim=1))
        return self.head(x)

    def frame(self) -> dict[str, Any]:
        """What surrounds the `core` (learn.frame)."""
        paper = self.head.out_channels == 2
        return {"depth": self.depth, "edge": int(paper), "scores": "pair" if paper else "logit", "targets": 1}

    def skip(self, level: int, fine: Tensor, coarse: Tensor) -> Tensor:
        """What the way down gives the way up at a level: all of it. Both (batch, width << level, y, x)."""
        return fine
