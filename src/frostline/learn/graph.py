"""A network as an ONNX file, written by PyTorch's exporter and checked against the network."""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

import numpy as np
import torch
from torch import nn

from frostline.errors import InputError
from frostline.learn.checkpoint import Checkpoint
from frostline.learn.engine import open_engine

OPSET = 18  # read by onnxruntime >= 1.14 and OpenVINO >= 2023
IN, OUT = "fields", "scores"
TRACED = 64  # cells a side of the fields that are traced: a multiple of every net's step; the sizes stay free
NEAR = 4e-4  # of a score
SIZES = ((33, 70), (64, 50))  # cells: one is padded on both sides, both are more than one window of a ConvLSTM


class _Core(nn.Module):
    """The part of a network between padding and cropping: convolutions and what joins them."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(batch, channels, y, x) -> (batch, scores, y, x)."""
        return self.net.core(x)  # type: ignore[operator]


def write(net: nn.Module, channels: int) -> bytes:
    """The ONNX file of the `core` of a network in evaluation mode: float32 (batch, channels, y, x), channels fixed.

    By tracing: PyTorch's newer exporter takes 6 CPU seconds for the smallest net and onnxscript, this one a few tenths.
    It is deprecated, but stays in every version that pyproject.toml allows.
    """
    file, core = io.BytesIO(), _Core(net).eval()
    free = {name: {0: "batch", 2: "y", 3: "x"} for name in (IN, OUT)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of its deprecation, and of sizes that are constants of the net
        torch.onnx.export(
            core,
            (torch.zeros(1, channels, TRACED, TRACED),),
            cast(Any, file),  # it is typed as a path
            dynamo=False,
            opset_version=OPSET,
            input_names=[IN],
            output_names=[OUT],
            dynamic_axes=free,
        )
    return file.getvalue()


def exported(checkpoint: Checkpoint, fields: Sequence[np.ndarray] = ()) -> Checkpoint:
    """The checkpoint with an exported model, which answers as its network does; E-EXPORT where it does not.

    Compared by onnxruntime with torch on random numbers of two window sizes, and on `fields` (batch, channel, y, x)
    that the network was made for, of any size. A score z may differ by NEAR max(1, |z|), so a probability by 1e-4 at
    most: the slope of the sigmoid times max(1, |z|) is below a quarter everywhere. The card says how near it came.
    """
    net = checkpoint.network()
    try:
        raw = write(net, len(checkpoint.channels))
    except torch.onnx.errors.OnnxExporterError as error:
        raise _failed(checkpoint, str(error).splitlines()[0]) from None
    made = replace(checkpoint, exported=raw, export={"opset": OPSET, "frame": net.frame()})  # type: ignore[operator]
    engine = open_engine(made, name="onnxruntime", threads=torch.get_num_threads())
    rng = np.random.default_rng(0)
    drawn = [rng.standard_normal((1, len(checkpoint.channels), *size), np.float32) for size in SIZES]
    far = {"random": 0.0, "inputs": 0.0}
    for kind, x in (*(("random", x) for x in drawn), *(("inputs", x) for x in fields)):
        with torch.inference_mode():
            wanted = net(torch.from_numpy(np.ascontiguousarray(x))).float().numpy()
        off = np.abs(engine(x) - wanted)
        if not (off <= NEAR * np.maximum(1, np.abs(wanted))).all():
            cause = f"a score of the exported model is {off.max():.2g} from that of the network"
            raise _failed(checkpoint, cause)
        far[kind] = max(far[kind], float(off.max()))
    facts = {
        **(made.export or {}),
        "largest_difference": {k: v for k, v in far.items() if k == "random" or len(fields)},
    }
    return replace(made, export=facts)


def _failed(checkpoint: Checkpoint, cause: str) -> InputError:
    where = f"net {checkpoint.net!r} {dict(checkpoint.net_options)}"
    return InputError("E-EXPORT", where=where, cause=cause, remedy="report this net and its options")
