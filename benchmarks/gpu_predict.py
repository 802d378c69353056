"""A pass-day of the northern hemisphere on a GPU: packed fields in, unpacked, regridded, through the U-Net, codes out.

    python -m benchmarks.gpu_predict [--device auto|cpu|cuda] [--size small|full] [--passes N]

bfloat16 autocast, channels last, pinned uint16 transfer, the next pass sent while this one is worked on. Wall seconds.
Stages are timed one by one, each until the device is done; the passes in a row, as they would be used. Without a GPU
the same runs on the CPU, and the table says so: its figures then tell nothing about one.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from benchmarks.gpu_common import (
    Corners,
    Stages,
    ahead,
    command,
    corners,
    matrix_speed,
    operations,
    regridded,
    seconds,
    sent,
    told,
    unpacked,
    wait,
)
from benchmarks.regrid import northern
from frostline.grid import named
from frostline.learn import on_device
from frostline.learn.unet import UNet
from frostline.packing import KELVIN
from frostline.regrid import bilinear

PASSES_A_YEAR = 730
MEAN, SPREAD = 250.0, 25.0
SIZES = {"small": ("N36", 1.0, 4), "full": ("N09", 0.1, 32)}  # target grid, degrees of the source, width


def passes(count: int, source: tuple[int, int], target: tuple[int, int]) -> Iterator[dict[str, np.ndarray]]:
    """Packed fields as they are on disk: four of a radiometer on longitudes and latitudes, two on the target grid."""
    rng = np.random.default_rng(1)
    whole = {"far": (4, *source), "near": (2, *target)}
    codes = {name: rng.integers(20000, 30000, shape, dtype="uint16") for name, shape in whole.items()}
    for array in codes.values():
        array[..., : array.shape[-1] // 10] = KELVIN.fill
    for _ in range(count):
        yield {name: array.view("int16") for name, array in codes.items()}


def channels(given: Mapping[str, Tensor], at: Corners, place: Tensor) -> Tensor:
    """What the net sees, (1, 10, y, x): six scaled temperatures with 0 for NaN, what of each pair was seen, a place."""
    values = torch.cat([regridded(unpacked(given["far"], KELVIN), at), unpacked(given["near"], KELVIN)])
    unknown = torch.isnan(values)
    scaled = torch.where(unknown, 0.0, (values - MEAN) / SPREAD)
    seen = (~(unknown[0::2] | unknown[1::2])).float()
    return torch.cat([scaled, seen, place])[None].contiguous(memory_format=torch.channels_last)


def codes(logit: Tensor) -> Tensor:
    """Probabilities as they are stored, uint8 in steps of 1/200."""
    return (torch.sigmoid(logit[0]) * 200).round().to(torch.uint8)


def measure(on: torch.device, size: str, count: int) -> dict[str, float]:
    """Wall seconds by stage and in a row (a pass), the net's operations and the device's peak (a second)."""
    name, degrees, width = SIZES[size]
    target, source = named(name), northern(degrees)
    at = corners(bilinear(source, target), on)
    torch.manual_seed(1)
    net, _ = on_device(UNet(10, width=width).eval(), str(on))
    place = torch.zeros(1, *target.shape, device=on)
    stages = Stages(on)

    def forward(x: Tensor) -> Tensor:
        with torch.autocast(on.type, dtype=torch.bfloat16):
            return net(x)

    with torch.inference_mode():
        for turn, packed in enumerate(passes(count + 1, source.shape, target.shape)):
            if turn == 1:
                stages = Stages(on)  # the first is not counted
            with stages("transfer"):
                given = sent(packed, on)
            with stages("unpack, regrid, scale"):
                x = channels(given, at, place)
            with stages("net"):
                logit = forward(x)
            with stages("codes back"):
                codes(logit).cpu()

        def in_a_row() -> None:
            for given in ahead(passes(count, source.shape, target.shape), on):
                codes(forward(channels(given, at, place))).to("cpu", non_blocking=True)
            wait(on)

        row = seconds(on, in_a_row, 1) / count
        work = operations(net, x[:, :, :128, :128]) * np.prod(target.shape) / np.prod(x[0, 0, :128, :128].shape)
    found = {stage: value / count for stage, value in stages.seconds.items()}
    return found | {"in a row": row, "count": 1.0, "operations": float(work), "peak": matrix_speed(on, torch.bfloat16)}


def table(on: torch.device, size: str, count: int, device: str) -> list[str]:
    """The table's lines."""
    found = measure(on, size, count)
    lines = told(found, per="pass-day", main="net", each="passes", device=device)
    year = PASSES_A_YEAR * found["in a row"]
    return [*lines, f"a year of {PASSES_A_YEAR} passes: {year:.3g} s on {device}, without reading files"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Print it."""
    return command(__doc__, arguments, sizes=SIZES, counted=("passes", 64), table=table)


if __name__ == "__main__":
    sys.exit(main())
