"""The U-Net of Donahue et al. 2023, section 2.2: its layers, at any width and depth; and what of it others change."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from frostline.learn.normed import normed, worth

LEAK = 0.1  # slope of the leaky ReLU (the published code; the paper gives none)
HEADS = ("code", "paper")


class Block(nn.Sequential):
    """Two 3x3 convolutions with batch norm and leaky ReLU, then spatial dropout (the paper, section 2.2).

    In training under autocast, on the CPU, all but the convolutions of large fields is `normed`.
    """

    def __init__(self, channels: int, width: int, dropout: float) -> None:
        super().__init__(
            nn.Conv2d(channels, width, 3, padding=1),
            nn.BatchNorm2d(width),
            nn.LeakyReLU(LEAK),
            nn.Conv2d(width, width, 3, padding=1),
            nn.BatchNorm2d(width),
            nn.LeakyReLU(LEAK),
            Dropout(dropout),
        )

    def forward(self, *fields: Tensor) -> Tensor:
        """One or more (batch, channels, y, x), taken as one of all their channels -> (batch, width, y, x)."""
        first, norm, _, second, norm_too, _, dropout = list[Any](self)
        n, _, rows, columns = fields[0].shape
        if not self.training or not worth(n, norm.num_features, rows, columns, fields[0].device):
            return super().forward(beside(fields))
        x = normed(_convolved(first, fields), norm, LEAK, None)
        x = second(x)
        return normed(x, norm_too, LEAK, dropout.kept(x))


def beside(fields: tuple[Tensor, ...]) -> Tensor:
    """Fields (batch, channels, y, x) as one of all their channels."""
    return fields[0] if len(fields) == 1 else torch.cat(fields, dim=1)


def _convolved(layer: nn.Conv2d, fields: tuple[Tensor, ...]) -> Tensor:
    """A layer of all the fields' channels, as one convolution for each: nothing is copied to lie beside another."""
    weights = layer.weight.split([field.shape[1] for field in fields], dim=1)
    x = F.conv2d(fields[0], weights[0], layer.bias, padding=layer.padding)
    for field, weight in zip(fields[1:], weights[1:], strict=True):
        x += F.conv2d(field, weight, padding=layer.padding)
    return x


class Dropout(nn.Dropout2d):
    """Spatial dropout, the same draws and bits; of fields that lie channels last in a third of the library's time.

    The library multiplies the few channels of one cell at a time; here a row of cells is one vector.
    """

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels, y, x), some channels 0 and the others larger for it."""
        kept = self.kept(x) if x.is_contiguous(memory_format=torch.channels_last) else None
        if kept is None:
            return super().forward(x)
        n, channels, rows, columns = x.shape
        lines = x.permute(0, 2, 3, 1).reshape(n, rows, columns * channels)
        out = lines * kept.view(n, 1, channels).repeat(1, 1, columns)
        return out.view(n, rows, columns, channels).permute(0, 3, 1, 2)

    def kept(self, x: Tensor) -> Tensor | None:
        """Factors of the fields x, drawn: (batch, channels, 1, 1). None: all stay as they are."""
        if not self.training or self.p == 0:
            return None
        return x.new_empty((*x.shape[:2], 1, 1)).bernoulli_(1 - self.p).div_(1 - self.p)


class Doubling(nn.ConvTranspose2d):
    """A transposed convolution of 2 x 2 cells, two apart: each cell becomes four, and none of them has another source.

    So it is one matrix product. Under autocast (training in bfloat16) it is computed so, with its gradients in half
    the time of the library's; else by the library, whose float32 sums older checkpoints were trained with.
    """

    def __init__(self, channels: int, width: int) -> None:
        super().__init__(channels, width, 2, stride=2)

    def forward(self, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        """(batch, channels, y, x) -> (batch, width, 2 y, 2 x)."""
        if not torch.is_autocast_enabled(x.device.type):
            return super().forward(x, output_size)
        n, channels, rows, columns = x.shape
        assert self.bias is not None
        weight = self.weight.permute(2, 3, 1, 0).reshape(-1, channels)  # (down, right, width) of each cell
        four = F.linear(x.permute(0, 2, 3, 1), weight, self.bias.repeat(4))  # (batch, y, x, down right width)
        four = four.view(n, rows, columns, 2, 2, self.out_channels).permute(0, 1, 3, 2, 4, 5)
        return four.reshape(n, 2 * rows, 2 * columns, self.out_channels).permute(0, 3, 1, 2)


class UNet(nn.Module):
    """Fields (batch, channels, y, x) in, logit of FROZEN (batch, y, x) out; sigmoid gives the probability.

    `depth` halvings by max-pooling and as many doublings by transposed convolution, joined by skips; `width`
    filters at full resolution, doubled at each level. Defaults are the published code's: 7.77 million
    parameters at 10 inputs. `head="code"` is a 1x1 convolution to one logit; `head="paper"` a 3x3
    convolution to two sigmoids divided by their sum, here as the logit of that quotient:
    s1 / (s1 + s0) = sigmoid(log s1 - log s0).

    Any window size: fields are padded with 0 (= missing) at the south and east edges to a multiple of
    2**depth, and the answer is cropped back.

    `block` makes a block (channels, width, dropout), which takes one or more fields, and `skip` what joins on the way
    up: all that the nets of this layout differ in.
    """

    block: Callable[[int, int, float], nn.Module] = Block

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
        self.up = nn.ModuleList(Doubling(2 * w, w) for w in widths[:-1])
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
            x = self.join[level](self.skip(level, skips[level], x), x)
        return self.head(x)

    def frame(self) -> dict[str, Any]:
        """What surrounds the `core` (learn.frame)."""
        paper = self.head.out_channels == 2
        return {"depth": self.depth, "edge": int(paper), "scores": "pair" if paper else "logit", "targets": 1}

    def skip(self, level: int, fine: Tensor, coarse: Tensor) -> Tensor:
        """What the way down gives the way up at a level: all of it. Both (batch, width << level, y, x)."""
        return fine
