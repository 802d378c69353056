"""Row 4: a step of training the U-Net, the product's own against plain torch in float32; and their loss curves.

python -m benchmarks.training [--size small|middle|full]

The plain step is what a user would write: float32, the default layout, AdamW as it comes. Curves start from the same
weights and see the same batches, without dropout (whose draws differ between layouts). Noise is what other weights and
another order of the batches do to the plain curve. Ours is in the faster precision of the machine; `middle` compares
curves on smaller tiles, `full` on those timed.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import combinations
from typing import NamedTuple

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.common import Row, Size, interleaved, main
from frostline.learn import on_device
from frostline.learn.loss import objective
from frostline.learn.step import step
from frostline.learn.unet import UNet

Array = np.ndarray
Step = Callable[["Batch"], float]
CHANNELS = 10  # six brightness temperatures, three masks, elevation
RATE = 1e-3
PENALTY = partial(objective, lambdas={"reanalysis": 0.3, "station": 1.0}, lambda_lv=0.1)
GOALS = {"bfloat16": 3.0, "float32": 1.3}  # the second of processors on which bfloat16 gains nothing
LEARNT = 0.9  # of the first loss: curves that do not fall tell nothing


class Batch(NamedTuple):
    """What learn.samples.batches yields of some samples."""

    x: Array  # (n, channel, y, x) float32
    labels: dict[str, Array]  # (n, y, x) float32, NaN = none
    cells: Array  # (n, y, x) bool


def samples(count: int, tile: int, *, seed: int = 0) -> Batch:
    """Frozen where a smooth field is below 0; brightness temperatures are noisy lines of it."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:tile, 0:tile] / 40
    phase, turn = rng.uniform(0, 6.3, (2, count, 3, 1, 1))
    field = np.sin(x * np.cos(turn) + y * np.sin(turn) + phase).sum(axis=1)  # (count, y, x)
    frozen = field < 0
    lines = [(1 + k / 3) * field + (2 - k / 2) * frozen + rng.normal(0, 1, field.shape) for k in range(6)]
    masks = [rng.random(field.shape) < 0.95 for _ in range(3)]
    fields = [value * masks[k // 2] for k, value in enumerate(lines)] + masks
    fields.append(np.broadcast_to(np.sin(3 * x), field.shape))
    station = np.where(rng.random(field.shape) < 0.02, frozen, np.nan)
    labels = {"reanalysis": (frozen ^ (rng.random(field.shape) < 0.1)), "station": station}
    cells = np.ones(field.shape, bool)
    cells[:, : tile // 8, : tile // 8] = False
    return Batch(np.stack(fields, axis=1).astype("float32"), {k: v.astype("float32") for k, v in labels.items()}, cells)


def chosen(batch: Batch, which: Array) -> Batch:
    """Some of the samples."""
    return Batch(batch.x[which], {k: v[which] for k, v in batch.labels.items()}, batch.cells[which])


def plain(width: int, *, dropout: float = 0.2, seed: int = 0, rate: float = RATE) -> Step:
    """A training step as a user would write it."""
    torch.manual_seed(seed)
    model = UNet(CHANNELS, width=width, dropout=dropout)
    adam = torch.optim.AdamW(model.parameters(), lr=rate)

    def take(batch: Batch) -> float:
        labels = {name: torch.from_numpy(label) for name, label in batch.labels.items()}
        loss = PENALTY(model(torch.from_numpy(batch.x)), labels, torch.from_numpy(batch.cells))
        adam.zero_grad()
        loss.backward()
        adam.step()
        return loss.item()

    return take


def ours(width: int, precision: str, *, dropout: float = 0.2, seed: int = 0, rate: float = RATE) -> Step:
    """The product's own step, with its layout and optimizer (learn.train)."""
    torch.manual_seed(seed)
    model, on = on_device(UNet(CHANNELS, width=width, dropout=dropout), "cpu")
    adam = torch.optim.AdamW(model.parameters(), lr=rate, fused=True)
    return lambda batch: step(model, adam, *batch, penalty=PENALTY, on=on, precision=precision)[0]


def orders(count: int, batch: int, steps: int, *, seed: int) -> Iterator[Array]:
    """Rows of each step: pass after pass over the samples, each in an order of its own."""
    rng = np.random.default_rng(seed)
    rows = np.concatenate([rng.permutation(count) for _ in range(-(-steps * batch // count))])
    return iter(rows[: steps * batch].reshape(steps, batch))


def curve(take: Step, data: Batch, *, batch: int, steps: int, order: int = 0) -> Array:
    """Losses of a training, each the mean of those of one pass over the samples: what a batch holds is no noise."""
    losses = [take(chosen(data, rows)) for rows in orders(len(data.x), batch, steps, seed=order)]
    window = max(1, len(data.x) // batch)
    return np.convolve(losses, np.ones(window) / window, mode="valid")


def apart(one: Array, other: Array) -> float:
    """Root mean square difference of two curves."""
    return float(np.sqrt(np.mean((one - other) ** 2)))


def noise(curves: Sequence[Array]) -> float:
    """How far trainings are apart that differ by first weights and the order of batches: the least of all pairs."""
    return min(apart(a, b) for a, b in combinations(curves, 2))


def within(one: Array, plain_ones: Sequence[Array]) -> bool:
    """Whether a curve learns, and is nearer to the first of the plain ones than any two of these are to each other."""
    learns = all(bool(c[-1] < LEARNT * c[0]) for c in (one, plain_ones[0]))
    return learns and apart(one, plain_ones[0]) <= noise(plain_ones)


def matrix_speed(dtype: torch.dtype, side: int = 1536) -> float:
    """Operations a CPU second of a product of matrices: what the machine allows."""
    a = torch.randn(side, side).to(dtype)
    return 2 * side**3 / interleaved({"product": lambda: a @ a})["product"]


def operations(width: int, batch: int, tile: int) -> float:
    """Multiplications and additions of a step, forward and backward: those of one small tile, times the cells."""
    model, side = UNet(CHANNELS, width=width), 32
    with FlopCounterMode(display=False) as counter:
        model(torch.zeros(1, CHANNELS, side, side)).sum().backward()
    return counter.get_total_flops() * batch * (tile / side) ** 2


def rows(size: Size) -> list[Row]:
    """The table's rows."""
    width, batch, tile, repeats = (4, 2, 32, 1) if size == "small" else (32, 4, 256, 5)
    seen = {"small": 32, "middle": 64, "full": 256}[size]
    steps = 16 if size == "small" else 40
    before = torch.get_num_threads()
    data = samples(4 * batch, seen)
    trained = partial(curve, data=data, batch=batch, steps=steps)
    rate = 10 * RATE if size == "small" else RATE
    timed = samples(batch, tile)
    out = []
    try:
        torch.set_num_threads(1)
        speeds = {p: matrix_speed(getattr(torch, p), 256 if size == "small" else 1536) for p in GOALS}
        precision = max(speeds, key=lambda p: speeds[p])
        each = {"plain": plain(width), "ours": ours(width, precision)}
        refs = [trained(plain(width, dropout=0.0, seed=k, rate=rate), order=k) for k in range(3)]
        own = trained(ours(width, precision, dropout=0.0, rate=rate))
        limit, same = operations(width, batch, tile) / speeds[precision], within(own, refs)
        told = f"curves {apart(own, refs[0]):.2g} apart, noise {noise(refs):.2g}"
        for threads in (1,) if size == "small" else (1, 2):
            torch.set_num_threads(threads)
            seconds = interleaved({k: partial(take, timed) for k, take in each.items()}, repeats=repeats)
            what = f"step {tile}x{tile}x{batch}, {precision}, {threads} thread{'s' * (threads > 1)}"
            row = Row(4, what, "torch fp32 NCHW", *seconds.values(), GOALS[precision], limit, same, told)
            out.append(row)
    finally:
        torch.set_num_threads(before)
    return out


if __name__ == "__main__":
    sys.exit(main(rows, __doc__))
