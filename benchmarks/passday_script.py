"""The careful script that a pass-day is compared with: what stays the same is cached, the rest is numpy and torch."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from benchmarks.common import Size
from benchmarks.memory import peak
from benchmarks.passday_files import EARLIER, TB, Array, earlier, files, grid_of
from frostline import regrid
from frostline.grid import named
from frostline.read.amsr2 import amsr2_grid


def careful(folder: Path, size: Size) -> dict[str, Any]:
    """CPU seconds of a day: h5py, cached sparse weights, numpy, torch eager float32, zarr. Codes: `careful.npy`."""
    import torch
    import zarr

    from frostline.learn.checkpoint import load

    torch.set_num_threads(1)
    grid, (smap, amsr2) = grid_of(size, False), files(folder)
    checkpoint = load(folder / "net")
    net = checkpoint.network()
    fields = amsr2_grid(amsr2[0])
    matrix = sparse(regrid.bilinear(fields, grid))
    rows = grid.offset(named("N09"))
    cut = np.s_[rows[0] : rows[0] + grid.shape[0], rows[1] : rows[1] + grid.shape[1]]
    ring = [np.stack([earlier(grid, size, d, k) for k in range(len(TB))]) for d in range(EARLIER)]
    began = time.process_time()
    today = []
    for path in smap:
        with h5py.File(path) as file:
            packed = file["TB"][0][cut]
        today.append(np.where(packed == 0, np.float32(np.nan), packed * np.float32(0.01)))
    for path in amsr2:
        with h5py.File(path) as file:
            for p in "VH":
                packed = file[f"Brightness Temperature ({p})"][...]
                values = np.where(packed >= 65533, np.float32(np.nan), packed * np.float32(0.01))
                known = ~np.isnan(values)
                weight = matrix @ known.ravel().astype(np.float32)
                total = matrix @ np.where(known, values, np.float32(0)).ravel()
                with np.errstate(invalid="ignore", divide="ignore"):
                    today.append(
                        np.where(weight >= regrid.LEAST_WEIGHT, total / weight, np.float32(np.nan)).reshape(grid.shape)
                    )
    filled, age = fill([*ring, np.stack(today)])
    x = [np.nan_to_num((filled - np.float32(250.0)) / np.float32(12.0))]
    valid = ~np.isnan(filled)
    bands = np.stack([valid[k] & valid[k + 1] for k in (0, 2, 4)])
    old = np.where(bands, np.stack([np.maximum(age[k], age[k + 1]) for k in (0, 2, 4)]), 0).astype(np.float32)
    x += [bands.astype(np.float32), old / np.float32(10.0)]
    x += [np.full((1, *grid.shape), -1.25, np.float32), np.zeros((1, *grid.shape), np.float32)]
    with torch.inference_mode():
        p = torch.sigmoid(net(torch.from_numpy(np.concatenate(x))[None]))[0].reshape(grid.shape).numpy()
    codes = np.where(bands.any(axis=0), np.round(p * 200), 255).astype(np.uint8)
    zarr.create_array(folder / "careful.zarr", data=codes, chunks=(500, 500))
    spent = time.process_time() - began
    np.save(folder / "careful.npy", codes)
    return {"seconds": spent, "peak": peak()}


def sparse(weights: regrid.Weights) -> Any:
    """The same bilinear weights as a matrix (target cells, source cells)."""
    from scipy.sparse import csr_array

    rows, columns = weights.source_shape
    r, c = weights.row.astype(np.int64).ravel(), weights.col.astype(np.int64).ravel()
    down, right = (np.nan_to_num(w.ravel()) for w in (weights.down, weights.right))
    below, east = np.minimum(r + 1, rows - 1), (c + 1) % columns
    at = np.stack([r * columns + c, r * columns + east, below * columns + c, below * columns + east], axis=1)
    share = np.stack([(1 - down) * (1 - right), (1 - down) * right, down * (1 - right), down * right], axis=1)
    share[np.isnan(weights.down).ravel()] = 0
    starts = np.arange(len(r) + 1) * 4
    return csr_array((share.astype(np.float32).ravel(), at.ravel(), starts), shape=(len(r), rows * columns))


def fill(frames: list[Array]) -> tuple[Array, Array]:
    """Donahue 2023, equation 1, of the middle of five frames: (value, days to the nearer of the two)."""
    middle = frames[2]
    before, after = frames[1].copy(), frames[3].copy()
    far_before, far_after = (np.isnan(side) for side in (before, after))
    before[far_before], after[far_after] = frames[0][far_before], frames[4][far_after]
    a, b = 1 + far_before.astype(np.float32), 1 + far_after.astype(np.float32)
    value = np.where(np.isnan(middle), before + (after - before) * (a / (a + b)), middle)
    age = np.where(np.isnan(middle), np.where(np.isnan(value), 0, np.minimum(a, b)), 0)
    return value, age
