"""Batch norm, leaky ReLU and spatial dropout of fields in bfloat16 in one, forward and backward, compiled.

Apart they are nine passes over a field forward and ten backward, each rounded to bfloat16; here three and five, in
float32 until the end, and nothing in between is kept for the gradients.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import numpy as np
import torch
from numba import njit
from torch import Tensor, nn

Array = np.ndarray
LINE = 1024  # values of a line of cells, or one cell's if it has more: what a pass keeps of them stays in the cache
LARGE = 1 << 19  # values: of a smaller field the library is quicker, for what begins and ends a pass counts more here
ZERO, HALF, ONE = np.float32(0), np.uint32(0x7FFF), np.uint32(1)
WORD = np.uint32(16)


def worth(n: int, channels: int, rows: int, columns: int, on: torch.device) -> bool:
    """Whether `normed` can take the place of a block's layers and is quicker: in autocast to bfloat16, on the CPU."""
    low = on.type == "cpu" and torch.is_autocast_enabled("cpu") and torch.get_autocast_dtype("cpu") == torch.bfloat16
    return low and n * channels * rows * columns >= LARGE


def normed(x: Tensor, norm: nn.BatchNorm2d, slope: float, kept: Tensor | None) -> Tensor:
    """x (n, channels, y, x) bfloat16 on the CPU, through `norm` in training, leaky ReLU and what dropout left.

    `kept` (n, channels, 1, 1): 0 or more than 1, None = no dropout. The running mean and variance of `norm` move as by
    the library: Ioffe and Szegedy 2015, algorithm 1, the running variance with n / (n - 1).
    """
    assert norm.running_mean is not None and norm.running_var is not None and norm.momentum is not None
    factors = None if kept is None else kept.reshape(x.shape[:2]).float()
    y, mean, variance = _Normed.apply(x, norm.weight, norm.bias, factors, norm.eps, slope)
    cells = x.numel() // x.shape[1]
    with torch.no_grad():
        norm.running_mean.lerp_(mean, norm.momentum)
        norm.running_var.lerp_(variance * (cells / (cells - 1)), norm.momentum)
        if norm.num_batches_tracked is not None:
            norm.num_batches_tracked.add_(1)
    return y


class _Normed(torch.autograd.Function):
    """Gives y and, of each channel, mean and variance (divided by n)."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, kept: Tensor | None, eps: float, slope: float
    ) -> tuple[Tensor, Tensor, Tensor]:
        x = x.contiguous(memory_format=torch.channels_last)
        values, (n, channels), y = _lines(x), x.shape[:2], torch.empty_like(x)
        width, cells = values.shape[2], x.numel() // channels
        one = x[0, :, 0, 0].float().numpy()  # of the values, so that the sums of what is left lose no digits
        base, parts = _along(one, width), np.zeros((2, n, width), np.float32)
        _each(n, lambda some: _sums(values[some], base, parts[0, some], parts[1, some]))
        first, second = parts.reshape(2, -1, channels).sum(axis=1, dtype=np.float64) / cells
        with np.errstate(invalid="ignore"):  # a field that is not finite becomes NaN, and the loss says so
            middle, variance = (first + one).astype(np.float32), second - first**2
        spread = np.sqrt(variance + eps)
        factor = (weight.detach().numpy() / spread).astype(np.float32)
        mean, scale, shift = (_along(v, width) for v in (middle, factor, bias.detach().numpy()))
        keep = _along(np.ones((n, channels), np.float32) if kept is None else kept.numpy(), width)
        out, leak = _lines(y), np.float32(slope)
        _each(n, lambda some: _forward(values[some], mean, scale, shift, keep[some], leak, out[some]))
        ctx.save_for_backward(x)
        ctx.rest = mean, scale, shift, keep, leak, spread
        means = torch.from_numpy(middle), torch.from_numpy(variance.astype(np.float32))
        ctx.mark_non_differentiable(*means)
        return y, *means

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor, *_: Any) -> tuple[Tensor | None, ...]:
        (x,), (mean, scale, shift, keep, slope, spread) = ctx.saved_tensors, ctx.rest
        grad = grad.contiguous(memory_format=torch.channels_last)
        values, given, (n, channels), dx = _lines(x), _lines(grad), x.shape[:2], torch.empty_like(x)
        width, cells, out = values.shape[2], x.numel() // channels, _lines(dx)
        parts = np.zeros((2, n, width), np.float32)
        _each(
            n,
            lambda some: _gradient_sums(
                given[some], values[some], mean, scale, shift, keep[some], slope, parts[0, some], parts[1, some]
            ),
        )
        of_bias, of_value = parts.reshape(2, -1, channels).sum(axis=1, dtype=np.float64)
        level = _along((of_bias / cells).astype(np.float32), width) * scale
        tilt = _along((of_value / cells / spread**2).astype(np.float32), width) * scale
        _each(
            n,
            lambda some: _backward(
                given[some], values[some], mean, scale, shift, level, tilt, keep[some], slope, out[some]
            ),
        )
        of_weight = torch.from_numpy((of_value / spread).astype(np.float32))
        return dx, of_weight, torch.from_numpy(of_bias.astype(np.float32)), None, None, None


def _lines(x: Tensor) -> Array:
    """A field that lies channels last as (n, lines, width) uint16, whole cells in a line; the same memory."""
    n, channels, rows, columns = x.shape
    return x.permute(0, 2, 3, 1).view(torch.uint16).numpy().reshape(n, -1, _side(rows * columns, channels) * channels)


@cache
def _side(cells: int, channels: int) -> int:
    """Cells in a line: as many as LINE has room for, of those numbers that divide all."""
    return next(k for k in range(max(1, min(LINE // channels, cells)), 0, -1) if cells % k == 0)


def _along(of_channels: Array, width: int) -> Array:
    """What each channel (the last axis) has, beside every one of its values of a line."""
    return np.tile(of_channels, width // of_channels.shape[-1])


def _each(count: int, call: Callable[[slice], None]) -> None:
    """`call` of all of 0 .. count - 1, in parts on threads: one less than torch may use, whose own wait for more."""
    threads = max(1, min(torch.get_num_threads() - 1, count))
    ends = [count * k // threads for k in range(threads + 1)]
    some = [slice(lo, hi) for lo, hi in itertools.pairwise(ends)]
    for _ in map(call, some) if threads == 1 else _pool(threads).map(call, some):
        pass


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads)


@njit(inline="always")
def _wide(bits: Any) -> Any:
    """bfloat16 as float32."""  # pragma: no cover
    return np.uint32(np.uint32(bits) << WORD).view(np.float32)


@njit(inline="always")
def _narrow(value: Any) -> Any:
    """float32 as bfloat16, to the nearest, ties to even."""  # pragma: no cover
    bits = np.float32(value).view(np.uint32)
    return np.uint16((bits + HALF + ((bits >> WORD) & ONE)) >> WORD)


# One row of LINE values at a time, each with those of its channel beside it: LLVM makes vectors of that. Fields are
# (n, lines, width) bfloat16; sums and `keep` (n, width), what else there is of each channel (width,), float32.


@njit(cache=True, nogil=True)
def _sums(x: Array, one: Array, first: Array, second: Array) -> None:  # pragma: no cover
    """Of what x is more than `one`: its sum and that of its squares, added."""
    for k in range(len(x)):
        for line in range(x.shape[1]):  # not `for row in x`: rows of an iterator are not known to be contiguous
            _add_row(x[k, line], one, first[k], second[k])


@njit(cache=True, nogil=True)
def _add_row(x: Array, one: Array, first: Array, second: Array) -> None:  # pragma: no cover
    for i in range(x.size):
        value = _wide(x[i]) - one[i]
        first[i] += value
        second[i] += value * value


@njit(cache=True, nogil=True)
def _forward(
    x: Array, mean: Array, scale: Array, shift: Array, keep: Array, slope: Any, y: Array
) -> None:  # pragma: no cover
    for k in range(len(x)):
        for line in range(x.shape[1]):
            _forward_row(x[k, line], mean, scale, shift, keep[k], slope, y[k, line])


@njit(cache=True, nogil=True)
def _forward_row(
    x: Array, mean: Array, scale: Array, shift: Array, keep: Array, slope: Any, y: Array
) -> None:  # pragma: no cover
    for i in range(x.size):
        z = (_wide(x[i]) - mean[i]) * scale[i] + shift[i]
        y[i] = _narrow((z if z > ZERO else z * slope) * keep[i])


@njit(inline="always")
def _before(given: Any, value: Any, scale: Any, shift: Any, keep: Any, slope: Any) -> Any:
    """The gradient of what batch norm gave."""  # pragma: no cover
    grad = _wide(given) * keep
    return grad if value * scale + shift > ZERO else grad * slope


@njit(cache=True, nogil=True)
def _gradient_sums(
    given: Array, x: Array, mean: Array, scale: Array, shift: Array, keep: Array, slope: Any,
    of_bias: Array, of_value: Array,
) -> None:  # pragma: no cover  # fmt: skip
    for k in range(len(x)):
        for line in range(x.shape[1]):
            _gradient_row(given[k, line], x[k, line], mean, scale, shift, keep[k], slope, of_bias[k], of_value[k])


@njit(cache=True, nogil=True)
def _gradient_row(
    given: Array, x: Array, mean: Array, scale: Array, shift: Array, keep: Array, slope: Any,
    of_bias: Array, of_value: Array,
) -> None:  # pragma: no cover  # fmt: skip
    for i in range(x.size):
        value = _wide(x[i]) - mean[i]
        grad = _before(given[i], value, scale[i], shift[i], keep[i], slope)
        of_bias[i] += grad
        of_value[i] += grad * value


@njit(cache=True, nogil=True)
def _backward(
    given: Array, x: Array, mean: Array, scale: Array, shift: Array, level: Array, tilt: Array, keep: Array, slope: Any,
    dx: Array,
) -> None:  # pragma: no cover  # fmt: skip
    for k in range(len(x)):
        for line in range(x.shape[1]):
            _backward_row(given[k, line], x[k, line], mean, scale, shift, level, tilt, keep[k], slope, dx[k, line])


@njit(cache=True, nogil=True)
def _backward_row(
    given: Array, x: Array, mean: Array, scale: Array, shift: Array, level: Array, tilt: Array, keep: Array, slope: Any,
    dx: Array,
) -> None:  # pragma: no cover  # fmt: skip
    for i in range(x.size):
        value = _wide(x[i]) - mean[i]
        grad = _before(given[i], value, scale[i], shift[i], keep[i], slope)
        dx[i] = _narrow(grad * scale[i] - level[i] - value * tilt[i])
