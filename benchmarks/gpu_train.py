"""Training of the U-Net on a GPU: the product's own step on 256 x 256 tiles, batches sent ahead; what bounds it.

    python -m benchmarks.gpu_train [--device auto|cpu|cuda] [--size small|full] [--steps N]

bfloat16 autocast, channels last, pinned transfer. Wall seconds. `step` is of batches that lie on the device; `in a row`
draws crops from packed samples, sends the next while this one is learnt from, and takes the step. Without a GPU the
same runs on the CPU, and the table says so: its figures then tell nothing about one.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from benchmarks.gpu_common import Stages, ahead, command, matrix_speed, operations, seconds, sent, told
from benchmarks.training import CHANNELS, PENALTY, RATE
from frostline.learn import on_device
from frostline.learn.samples import Samples, batches
from frostline.learn.step import step
from frostline.learn.unet import UNet

SIZES = {"small": (4, 2, 32), "full": (32, 32, 256)}  # width, batch, tile
SOURCES = ("reanalysis", "station")


def packed(count: int, side: int) -> Samples:
    """Samples as `learn.samples.pack` keeps them, of noise."""
    rng = np.random.default_rng(1)
    table = pd.DataFrame({"row": np.arange(count), "date": np.datetime64("2016-01-01"), "overpass": 0})
    labels = (rng.random((count, len(SOURCES), side, side), dtype="float32") < 0.5).astype("float16")
    return Samples(
        table=table,
        day=rng.standard_normal((count, CHANNELS - 2, side, side), dtype="float32").astype("float16"),
        labels=labels,
        flags=np.zeros((count, 1), "float32"),
        place=np.zeros((1, side, side), "float32"),
        cells=np.ones((side, side), bool),
        sources=SOURCES,
    )


def drawn(samples: Samples, *, batch: int, tile: int) -> Iterator[dict[str, np.ndarray]]:
    """Batches without end, as the product draws them."""
    rng = np.random.default_rng(1)
    while True:
        for x, y, cells, _ in batches(samples, batch=batch, crop=tile, augment=True, rng=rng):
            yield {"x": x, "y": y, "cells": cells}


def measure(on: torch.device, size: str, steps: int) -> dict[str, float]:
    """Wall seconds by stage and in a row (a step), samples in it, its operations and the device's peak (a second)."""
    width, batch, tile = SIZES[size]
    samples = packed(2 * batch, 2 * tile)
    torch.manual_seed(1)
    model, _ = on_device(UNet(CHANNELS, width=width), str(on))
    adam = torch.optim.AdamW(model.parameters(), lr=RATE, fused=True)

    def take(given: Mapping[str, Tensor]) -> None:
        labels = {source: given["y"][:, i] for i, source in enumerate(SOURCES)}
        step(model, adam, given["x"], labels, given["cells"], penalty=PENALTY, on=on, precision="bfloat16")

    source, stages = drawn(samples, batch=batch, tile=tile), Stages(on)
    for turn in range(steps + 1):
        if turn == 1:
            stages = Stages(on)  # the first is not counted
        with stages("draw"):
            arrays = next(source)
        with stages("transfer"):
            given = sent(arrays, on)
        with stages("step"):
            take(given)

    def in_a_row() -> None:
        for given in ahead(islice(source, steps), on):
            take(given)

    row = seconds(on, in_a_row, 1) / steps
    small = torch.zeros(1, CHANNELS, 32, 32, device=on)
    work = operations(model, small, backward=True) * batch * (tile / 32) ** 2
    found = {stage: value / steps for stage, value in stages.seconds.items()}
    peak = matrix_speed(on, torch.bfloat16)
    return found | {"in a row": row, "count": float(batch), "operations": work, "peak": peak}


def table(on: torch.device, size: str, count: int, device: str) -> list[str]:
    """The table's lines."""
    return told(measure(on, size, count), per="step", main="step", each="samples", device=device)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print it."""
    return command(__doc__, arguments, sizes=SIZES, counted=("steps", 50), table=table)


if __name__ == "__main__":
    sys.exit(main())
