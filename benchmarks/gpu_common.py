"""What the GPU scripts share: the device and its peak, times of stages, transfers ahead of use, fields made on it."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from frostline.packing import Spec
from frostline.regrid import LEAST_WEIGHT, Weights


def pick(name: str) -> torch.device:
    """`auto` is a GPU if there is one."""
    return torch.device(name if name != "auto" else "cuda" if torch.cuda.is_available() else "cpu")


def said(on: torch.device) -> str:
    """The device in a table."""
    return torch.cuda.get_device_name(on) if on.type == "cuda" else "cpu"


def wait(on: torch.device) -> None:
    """Until the device has done what it was told."""
    if on.type == "cuda":
        torch.cuda.synchronize(on)


def seconds(on: torch.device, call: object, repeats: int) -> float:
    """Median wall seconds of a call, after one that is not counted."""
    found = []
    for turn in range(repeats + 1):
        wait(on)
        began = time.perf_counter()
        call()  # type: ignore[operator]
        wait(on)
        if turn:
            found.append(time.perf_counter() - began)
    return float(np.median(found))


def matrix_speed(on: torch.device, dtype: torch.dtype, repeats: int = 5) -> float:
    """Operations a second of a product of matrices: what the device allows."""
    side = 8192 if on.type == "cuda" else 1024
    a = torch.randn(side, side, device=on).to(dtype)
    return 2 * side**3 / seconds(on, lambda: a @ a, repeats)


def operations(model: torch.nn.Module, x: Tensor, *, backward: bool = False) -> float:
    """Multiplications and additions of a pass over fields (n, channel, y, x)."""
    with FlopCounterMode(display=False) as counter, torch.set_grad_enabled(backward):
        out = model(x)
        if backward:
            out.sum().backward()
    model.zero_grad(set_to_none=True)
    return float(counter.get_total_flops())


class Stages:
    """Wall seconds by stage; each ends when the device has done it."""

    def __init__(self, on: torch.device) -> None:
        self.on, self.seconds = on, dict[str, float]()

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        wait(self.on)
        began = time.perf_counter()
        yield
        wait(self.on)
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - began


def sent(arrays: Mapping[str, np.ndarray], on: torch.device) -> dict[str, Tensor]:
    """Arrays on the device; to a GPU from pinned memory, so that the copy needs no processor and can go beside."""
    found = {name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in arrays.items()}
    if on.type != "cuda":
        return {name: tensor.to(on) for name, tensor in found.items()}
    return {name: tensor.pin_memory().to(on, non_blocking=True) for name, tensor in found.items()}


def ahead(items: Iterable[Mapping[str, np.ndarray]], on: torch.device) -> Iterator[dict[str, Tensor]]:
    """Each item on the device, the next one on its way by a stream of its own while this one is used."""
    side = torch.cuda.Stream(on) if on.type == "cuda" else None
    waiting: dict[str, Tensor] | None = None
    for item in items:
        with torch.cuda.stream(side):  # None: nothing changes
            coming = sent(item, on)
        if waiting is not None:
            yield _ready(waiting, side)
        waiting = coming
    if waiting is not None:
        yield _ready(waiting, side)


def _ready(tensors: dict[str, Tensor], side: torch.cuda.Stream | None) -> dict[str, Tensor]:
    if side is not None:
        torch.cuda.current_stream(side.device).wait_stream(side)
        for tensor in tensors.values():
            tensor.record_stream(torch.cuda.current_stream(side.device))
    return tensors


class Corners(NamedTuple):
    """`regrid.Weights` on a device: where each target cell reads, and how much of it."""

    cell: Tensor  # (4, cells) int64 into a flat source
    share: Tensor  # (4, cells) float32, NaN beyond the source
    shape: tuple[int, int]


def corners(weights: Weights, on: torch.device) -> Corners:
    """The four source cells of each target in the order of `regrid.apply_plain`."""
    rows, cols = weights.source_shape
    r0, c0 = weights.row.astype("int64").ravel(), weights.col.astype("int64").ravel()
    r1, c1 = np.minimum(r0 + 1, rows - 1), np.where(c0 + 1 == cols, 0, c0 + 1)
    down, right = weights.down.ravel(), weights.right.ravel()
    up, left = np.float32(1) - down, np.float32(1) - right
    cell = np.stack([r0 * cols + c0, r0 * cols + c1, r1 * cols + c0, r1 * cols + c1])
    share = np.stack([up * left, up * right, down * left, down * right])
    return Corners(torch.from_numpy(cell).to(on), torch.from_numpy(share).to(on), weights.shape)


def unpacked(codes: Tensor, spec: Spec) -> Tensor:
    """uint16 codes (sent as the int16 of the same bits) as float32 values, the fill as NaN."""
    whole = codes.to(torch.int32) & 0xFFFF
    values = whole.to(torch.float32) * spec.scale + spec.offset
    return torch.where(whole == int(spec.fill), torch.nan, values)


def regridded(fields: Tensor, at: Corners) -> Tensor:
    """(n, y, x) onto the target (n, Y, X): bilinear, renormalised over what is not NaN, as `regrid.apply`."""
    flat = fields.flatten(1)
    total = torch.zeros(len(flat), at.cell.shape[1], device=flat.device)
    weight = torch.zeros_like(total)
    for cell, share in zip(at.cell, at.share, strict=True):
        value = flat.index_select(1, cell)
        known = ~torch.isnan(value)
        total += torch.where(known, share * value, 0.0)
        weight += torch.where(known, share, 0.0)
    enough = weight >= float(LEAST_WEIGHT)
    return torch.where(enough, total / torch.where(enough, weight, 1.0), torch.nan).view(-1, *at.shape)


def told(found: Mapping[str, float], *, per: str, main: str, each: str, device: str) -> list[str]:
    """A table of wall seconds `per` a thing: its stages, all of them `in a row`, the least that the device allows.

    `found` holds the stages, `in a row`, `operations` (of the stage `main`), `peak` (operations a second) and `count`
    (how many of `each` one makes). What bounds it is the longest stage.
    """
    stages = {k: v for k, v in found.items() if k not in ("in a row", "operations", "peak", "count")}
    row, least = found["in a row"], found["operations"] / found["peak"]
    lines = [f"{'stage of a ' + per:24} {'ms':>10}   ({device})"]
    lines += [f"{name:24} {1e3 * value:10.2f}" for name, value in stages.items()]
    lines.append(f"{'in a row':24} {1e3 * row:10.2f}   {found['count'] / row:.3g} {each}/s")
    lines.append(f"{main + ' at peak':24} {1e3 * least:10.2f}   {found['peak'] / 1e12:.3g} TFLOP/s of bf16 matrices")
    lines.append(f"share of the peak: {main} {least / stages[main]:.0%}, in a row {least / row:.0%}")
    lines.append(f"bound by: {max(stages, key=lambda name: stages[name])}")
    return lines


def command(
    about: str | None,
    arguments: Sequence[str] | None,
    *,
    sizes: Iterable[str],
    counted: tuple[str, int],
    table: Callable[[torch.device, str, int, str], list[str]],
) -> int:
    """A script's command line: prints `table(device, size, count, words for the device)`.

    `counted`: what is counted, and how many of it on a GPU; 2 without one, where the size is `small` unless told.
    """
    parser = argparse.ArgumentParser(description=about.split("\n")[0] if about else "")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--size", choices=[*sizes], default=None, help="default: full on a GPU, small without")
    parser.add_argument(f"--{counted[0]}", dest="count", type=int, default=None)
    options = parser.parse_args(arguments)
    on = pick(options.device)
    gpu = on.type == "cuda"
    size = options.size or ("full" if gpu else "small")
    print(*table(on, size, options.count or (counted[1] if gpu else 2), f"{said(on)}, size {size}"), sep="\n")
    return 0
