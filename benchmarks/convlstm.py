"""Row 5: one pass over China by a ConvLSTM against the cell that is usually written, whole and on land alone.

python -m benchmarks.convlstm [--size small|middle|full]
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from matplotlib.path import Path as Outline

from benchmarks.common import Row, Size, interleaved, main
from benchmarks.unet import PRODUCT, gemm, numbers, untrained
from frostline.coast import land_mask
from frostline.grid import Grid, named
from frostline.learn.engine import open_engine

STEPS, DYNAMIC, STATIC = 3, 4, 4
BOX = (73.0, 18.0, 135.0, 54.0)  # W, S, E, N
NEAR = 1e-5  # of a score
ROUGHLY = [  # China, longitude and latitude
    (73.5, 39.5), (80, 45), (87.5, 49), (91, 45), (97, 42.5), (105, 41.6), (111.5, 44), (116, 46.5), (119.9, 46.7),
    (117, 49.6), (121, 53.3), (126, 52.5), (131, 47.7), (134.8, 48.4), (131, 44.8), (130.6, 42.4), (124.3, 40),
    (121.5, 39), (123, 37), (120, 34.5), (122.5, 30), (120.5, 26.5), (117, 23), (111, 18), (108.5, 18.5), (108, 21.6),
    (105.5, 23), (101.5, 21.2), (98, 24), (98.5, 27.8), (92, 27), (86, 28), (81, 30.2), (78.5, 32.5), (76, 36),
]  # fmt: skip


def china() -> Grid:
    """405 x 660 cells of 9 km."""
    world = named("M09")
    row, column = world.position(np.array([BOX[0]]), np.array([BOX[3]]))
    top, left = int(row[0]), int(column[0])
    return world.window(slice(top, top + 405), slice(left, left + 660))


def country(grid: Grid) -> np.ndarray:
    """Land within a rough outline of China, bool (y, x)."""
    lon, lat = grid.lonlat()
    inside = Outline(ROUGHLY).contains_points(np.stack([lon.ravel(), lat.ravel()], axis=-1)).reshape(lon.shape)
    return inside & land_mask(grid, scale="110m")


def naive(weights: Mapping[str, np.ndarray], width: int, threads: int) -> Callable[[np.ndarray], np.ndarray]:
    """The cell that is usually written: one convolution of [input, statics, hidden state] at each step, all cells."""
    import torch
    from torch.nn import functional as F

    cell = {name.removeprefix("cells.0."): torch.from_numpy(w) for name, w in weights.items()}
    weight = torch.cat([cell["moving.weight"], cell["fixed.weight"], cell["hidden.weight"]], dim=1)
    bias, head = cell["moving.bias"], (cell["head.weight"], cell["head.bias"])

    def call(x: np.ndarray) -> np.ndarray:
        torch.set_num_threads(threads)
        with torch.inference_mode():
            fields = torch.from_numpy(x)
            moving = fields[:, : DYNAMIC * STEPS].unflatten(1, (DYNAMIC, STEPS))
            h = c = fields.new_zeros(len(fields), width, *fields.shape[-2:])
            for step in range(STEPS):
                seen = torch.cat([moving[:, :, step], fields[:, DYNAMIC * STEPS :], h], dim=1)
                gates = F.conv2d(seen, weight, bias, padding=1)
                i, f, o, g = gates.chunk(4, dim=1)
                c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
                h = torch.sigmoid(o) * torch.tanh(c)
            return F.conv2d(h, *head)[:, 0].numpy()

    return call


def operations(width: int) -> float:
    """Of a cell: statics once, neither hidden state nor forget gate at the first step."""
    gates = DYNAMIC * width * (3 + 4 * (STEPS - 1)) + STATIC * 4 * width + width * 4 * width * (STEPS - 1)
    return 2 * (9 * gates + width)


def rows(size: Size) -> list[Row]:
    """The table's rows."""
    if size == "small":
        land = np.zeros((60, 110), bool)
        land[:40, :45] = True
    else:
        land = country(china())
    out = []
    for width in (8,) if size == "small" else (32, 64):
        for threads in (1,) if size == "small" else (1, 2):
            out += _width(width, threads, land, 1 if size == "small" else 3)
    return out


def _width(width: int, threads: int, land: np.ndarray, repeats: int) -> list[Row]:
    """Times of one width on so many threads."""
    checkpoint = untrained("convlstm", DYNAMIC * STEPS + STATIC, steps=STEPS, dynamic=DYNAMIC, width=width)
    x = numbers(1, DYNAMIC * STEPS + STATIC, *land.shape)
    exact, fast = (open_engine(checkpoint, precision=p, threads=threads, device="cpu") for p in ("float32", "bfloat16"))
    plain = naive(checkpoint.weights, width, threads)
    wanted = plain(x)
    tiles = bool(abs(exact(x) - wanted).max() <= NEAR) and bool(abs(exact(x, land) - wanted)[:, land].max() <= NEAR)
    off = float(abs(fast(x) - wanted).max())
    near = off <= (2e-2 if fast.precision == "bfloat16" else NEAR)
    calls: dict[str, Callable[[], Any]] = {
        "naive": lambda: plain(x),
        "fp32": lambda: exact(x),
        "whole": lambda: fast(x),
        "land fp32": lambda: exact(x, land),
        "land": lambda: fast(x, land),
        **gemm(fast.precision, threads),
    }
    seconds = interleaved(calls, repeats=repeats)
    share = exact._plan(land).cells / exact._plan(np.ones_like(land)).cells
    native = fast.precision == "bfloat16"
    what = f"ConvLSTM {width}, {threads} thr."
    theirs = seconds["naive"]
    limit = operations(width) * land.size * min(seconds["mm"], seconds["rows"]) / PRODUCT
    noted, part = f"dz {off:.1e}", f"{share:.0%} of tiles"
    return [
        Row(5, f"{what}, all, fp32", "naive cell fp32", theirs, seconds["fp32"], 2.0, equal=tiles),
        Row(5, f"{what}, land, fp32", "naive cell fp32", theirs, seconds["land fp32"], 2.0, equal=tiles, note=part),
        Row(5, f"{what}, all", "naive cell fp32", theirs, seconds["whole"], 4.5, limit, near, noted),
        Row(5, f"{what}, land", "naive cell fp32", theirs, seconds["land"], 7.0, limit * share, near, part),
    ][: 4 if native else 2]


if __name__ == "__main__":
    sys.exit(main(rows, __doc__))
