"""Batch norm, leaky ReLU and spatial dropout of fields in bfloat16 in one, forward and backward, compiled.

Apart they are nine passes over a field forward and ten backward, each rounded to bfloat16; here three and five, in
float32 until the end, and nothing in between is kept for the gradients.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import numpy as np
import torch
from numba import njit
from torch import Tensor, nn

Array = np.ndarray
LINE = (
    1024  # values of a line of cells, or those of one cell if it has more: what a pass keeps of it stays in the cache
)
ZERO, HALF, ONE = np.float32(0), np.uint32(0x7FFF), np.uint32(1)
WORD = np.uint32(16)


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
        side = width // channels
        one = x[0, :, 0, 0].float().numpy()  # of the values, so that the sums of what is left lose no digits
        parts = np.zeros((2, n, width), np.float32)
        _each(n, lambda k: _sums(values[k], _along(one, side), parts[0, k], parts[1, k]))
        first, second = parts.reshape(2, -1, channels).sum(axis=1, dtype=np.float64) / cells
        mean, variance = (first + one).astype(np.float32), second - first**2
        spread = np.sqrt(variance + eps)
        scale = (weight.detach().numpy() / spread).astype(np.float32)
        of_mean, of_scale, of_bias = (_along(v, side) for v in (mean, scale, bias.detach().numpy()))
        keep = np.ones((n, channels), np.float32) if kept is None else kept.numpy()
        out = _lines(y)
        whole = [_along(k, side) for k in keep]
        _each(n, lambda k: _forward(values[k], of_mean, of_scale, of_bias, whole[k], np.float32(slope), out[k]))
        ctx.save_for_backward(x)
        ctx.shape, ctx.keep, ctx.slope, ctx.spread = (of_mean, of_scale, of_bias), whole, np.float32(slope), spread
        means = torch.from_numpy(mean), torch.from_numpy(variance.astype(np.float32))
        ctx.mark_non_differentiable(*means)
        return y, *means

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor, *_: Any) -> tuple[Tensor | None, ...]:
        (x,) = ctx.saved_tensors
        grad = grad.contiguous(memory_format=torch.channels_last)
        values, given, (n, channels), dx = _lines(x), _lines(grad), x.shape[:2], torch.empty_like(x)
        width, cells = values.shape[2], x.numel() // channels
        side = width // channels
        (mean, scale, bias), keep, slope = ctx.shape, ctx.keep, ctx.slope
        parts = np.zeros((2, n, width), np.float32)
        _each(
            n,
            lambda k: _gradient_sums(given[k], values[k], mean, scale, bias, keep[k], slope, parts[0, k], parts[1, k]),
        )
        of_bias, of_value = parts.reshape(2, -1, channels).sum(axis=1, dtype=np.float64)
        out = _lines(dx)
        level = (_along(of_bias / cells, side) * scale).astype(np.float32)
        tilt = (_along(of_value / cells / ctx.spread**2, side) * scale).astype(np.float32)
        _each(n, lambda k: _backward(given[k], values[k], mean, scale, bias, level, tilt, keep[k], slope, out[k]))
        of_weight = torch.from_numpy((of_value / ctx.spread).astype(np.float32))
        return dx, of_weight, torch.from_numpy(of_bias.astype(np.float32)), None, None, None


def _lines(x: Tensor) -> Array:
    """A field that lies channels last as (n, lines, width) uint16, whole cells in a line; the same memory."""
    n, channels, rows, columns = x.shape
    return x.permute(0, 2, 3, 1).view(torch.uint16).numpy().reshape(n, -1, _side(rows * columns, channels) * channels)


@cache
def _side(cells: int, channels: int) -> int:
    """Cells in a line: as many as LINE has room for, of those numbers that divide all."""
    return next(k for k in range(max(1, min(LINE // channels, cells)), 0, -1) if cells % k == 0)


def _along(of_channels: Array, side: int) -> Array:
    """What a channel has, beside each of its values of a line."""
    return np.tile(of_channels, side)


def _each(count: int, call: Callable[[int], None]) -> None:
    """`call` of 0 .. count - 1, on threads, one less than torch may use: its own are still awake and wait for more."""
    threads = min(torch.get_num_threads() - 1, count)
    for _ in map(call, range(count)) if threads < 2 else _pool(threads).map(call, range(count)):
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


# One row of LINE values at a time, each with those of its channel beside it: LLVM makes vectors of that.


@njit(cache=True, nogil=True)
def _sums(x: Array, one: Array, first: Array, second: Array) -> None:  # pragma: no cover
    """Of what x (lines, width) is more than `one`: its sum and that of its squares, added to (width,)."""
    for line in range(len(x)):  # not `for row in x`: rows of an iterator are not known to be contiguous
        _add_row(x[line], one, first, second)


@njit(cache=True, nogil=True)
def _add_row(x: Array, one: Array, first: Array, second: Array) -> None:  # pragma: no cover
    for i in range(x.size):
        value = _wide(x[i]) - one[i]
        first[i] += value
        second[i] += value * value


@njit(cache=True, nogil=True)
def _forward(
    x: Array, mean: Array, scale: Array, bias: Array, keep: Array, slope: Any, y: Array
) -> None:  # pragma: no cover
    for line in range(len(x)):
        _forward_row(x[line], mean, scale, bias, keep, slope, y[line])


@njit(cache=True, nogil=True)
def _forward_row(
    x: Array, mean: Array, scale: Array, bias: Array, keep: Array, slope: Any, y: Array
) -> None:  # pragma: no cover
    for i in range(x.size):
        z = (_wide(x[i]) - mean[i]) * scale[i] + bias[i]
        y[i] = _narrow((z if z > ZERO else z * slope) * keep[i])


@njit(inline="always")
def _before(given: Any, value: Any, scale: Any, bias: Any, keep: Any, slope: Any) -> Any:
    """The gradient of what batch norm gave."""  # pragma: no cover
    grad = _wide(given) * keep
    return grad if value * scale + bias > ZERO else grad * slope


@njit(cache=True, nogil=True)
def _gradient_sums(
    given: Array, x: Array, mean: Array, scale: Array, bias: Array, keep: Array, slope: Any,
    of_bias: Array, of_value: Array,
) -> None:  # pragma: no cover  # fmt: skip
    for line in range(len(x)):
        _gradient_row(given[line], x[line], mean, scale, bias, keep, slope, of_bias, of_value)


@njit(cache=True, nogil=True)
def _gradient_row(
    given: Array, x: Array, mean: Array, scale: Array, bias: Array, keep: Array, slope: Any,
    of_bias: Array, of_value: Array,
) -> None:  # pragma: no cover  # fmt: skip
    for i in range(x.size):
        value = _wide(x[i]) - mean[i]
        grad = _before(given[i], value, scale[i], bias[i], keep[i], slope)
        of_bias[i] += grad
        of_value[i] += grad * value


@njit(cache=True, nogil=True)
def _backward(
    given: Array, x: Array, mean: Array, scale: Array, bias: Array, level: Array, tilt: Array, keep: Array, slope: Any,
    dx: Array,
) -> None:  # pragma: no cover  # fmt: skip
    for line in range(len(x)):
        _backward_row(given[line], x[line], mean, scale, bias, level, tilt, keep, slope, dx[line])


@njit(cache=True, nogil=True)
def _backward_row(
    given: Array, x: Array, mean: Array, scale: Array, bias: Array, level: Array, tilt: Array, keep: Array, slope: Any,
    dx: Array,
) -> None:  # pragma: no cover  # fmt: skip
    for i in range(x.size):
        value = _wide(x[i]) - mean[i]
        grad = _before(given[i], value, scale[i], bias[i], keep[i], slope)
        dx[i] = _narrow(grad * scale[i] - level[i] - value * tilt[i])
