"""A network as an ONNX file: its own modules, traced and written operation by operation, and checked against them.

PyTorch's exporter takes 3 to 5 CPU seconds for the smallest of these nets and writes source paths into the file; their
dozen operations are written here in a tenth of a second.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import fx, nn
from torch.nn import functional as F

from frostline import __version__
from frostline.errors import InputError
from frostline.learn.checkpoint import Checkpoint
from frostline.learn.engine import open_engine

OPSET, FORMAT = 18, 9  # read by onnxruntime >= 1.14 and OpenVINO >= 2023
IN, OUT = "fields", "scores"
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


class _Writer:
    """Nodes and constants of a graph as they are found."""

    def __init__(self, core: _Core) -> None:
        self.modules = dict(core.named_modules())
        self.tensors = {**dict(core.named_parameters()), **dict(core.named_buffers())}
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, np.ndarray] = {}

    def add(self, kind: str, *inputs: str, name: str, outputs: Sequence[str] = (), **attributes: Any) -> str:
        self.nodes.append(helper.make_node(kind, [*inputs], [*(outputs or [name])], name=name, **attributes))
        return name

    def constant(self, name: str, value: Any) -> str:
        self.constants[name] = np.asarray(value.detach().cpu() if isinstance(value, torch.Tensor) else value)
        return name

    def module(self, name: str, path: str, x: str) -> str:
        """A layer of torch.nn; the constants are called as its parameters are."""
        m = self.modules[path]
        if isinstance(m, nn.Dropout2d | nn.Identity):
            return x
        if isinstance(m, nn.LeakyReLU):
            return self.add("LeakyRelu", x, name=name, alpha=float(m.negative_slope))
        given = [self.constant(f"{path}.{key}", value) for key, value in (*m.named_parameters(), *m.named_buffers())]
        if isinstance(m, nn.BatchNorm2d):  # weight, bias, running_mean, running_var, num_batches_tracked
            self.constants.pop(given[-1])
            return self.add("BatchNormalization", x, *given[:-1], name=name, epsilon=float(m.eps))
        if isinstance(m, nn.Conv2d | nn.ConvTranspose2d):
            kind = "ConvTranspose" if isinstance(m, nn.ConvTranspose2d) else "Conv"
            assert isinstance(m.padding, tuple)
            shape: dict[str, Any] = {"kernel_shape": [*m.kernel_size], "strides": [*m.stride]}
            return self.add(kind, x, *given, name=name, pads=[*m.padding, *m.padding], **shape)
        raise NotImplementedError(f"no ONNX operation is written for {type(m).__name__}")

    def slice(self, name: str, x: str, index: Any) -> str:
        """x[:, start:stop:step], of channels."""
        everything, part = index
        assert everything == slice(None) and isinstance(part, slice)
        ends = {"start": part.start or 0, "stop": part.stop or 2**31 - 1, "axis": 1, "step": part.step or 1}
        given = [self.constant(f"{name}.{key}", np.array([value], np.int64)) for key, value in ends.items()]
        return self.add("Slice", x, *given, name=name)


SIMPLE: dict[Any, str] = {
    torch.sigmoid: "Sigmoid",
    torch.tanh: "Tanh",
    torch.relu: "Relu",
    operator.add: "Add",
    operator.mul: "Mul",
}


def _function(w: _Writer, node: fx.Node, at: Callable[[Any], Any]) -> Any:
    """One call of a function in the network's own code."""
    name, given, words = node.name, [at(a) for a in node.args], node.kwargs
    if node.target in SIMPLE:
        return w.add(SIMPLE[node.target], *given, name=name)
    if node.target is torch.cat:
        return w.add("Concat", *given[0], name=name, axis=words["dim"])
    if node.target is F.max_pool2d:
        return w.add("MaxPool", given[0], name=name, kernel_shape=[given[1]] * 2, strides=[given[1]] * 2)
    if node.target is F.leaky_relu:
        return w.add(
            "LeakyRelu",
            given[0],
            name=name,
            alpha=float(words.get("negative_slope", given[-1])),
        )
    if node.target is operator.getitem:
        if isinstance(given[0], list):
            return given[0][given[1]]
        if given[0] in w.constants:
            return w.constant(name, w.constants[given[0]][given[1]])
        return w.slice(name, given[0], given[1])
    raise NotImplementedError(f"no ONNX operation is written for {node.target}")


def write(net: nn.Module, channels: int) -> bytes:
    """The ONNX file of the `core` of a network in evaluation mode, of float32 (batch, channels, y, x) of any size.

    NotImplementedError names what no operation is written for.
    """
    core = _Core(net).eval()
    w = _Writer(core)
    found: dict[str, Any] = {}

    def at(value: Any) -> Any:
        """Names in place of nodes."""
        return fx.node.map_arg(value, lambda n: found[n.name])

    result = ""
    for node in fx.Tracer().trace(core).nodes:
        if not node.users and node.op != "output":  # no fixed inputs: their slice is empty
            continue
        if node.op == "placeholder":
            found[node.name] = IN
        elif node.op == "get_attr":
            found[node.name] = w.constant(node.target, w.tensors[node.target])
        elif node.op == "call_module":
            found[node.name] = w.module(node.name, str(node.target), at(node.args[0]))
        elif node.op == "call_function":
            found[node.name] = _function(w, node, at)
        elif node.op == "call_method" and node.target == "chunk":
            many, axis = node.args[1], node.kwargs["dim"]
            parts = [f"{node.name}.{k}" for k in range(many)]
            w.add("Split", at(node.args[0]), name=node.name, outputs=parts, axis=axis, num_outputs=many)
            found[node.name] = parts
        elif node.op == "output":
            result = at(node.args[0])
        else:
            raise NotImplementedError(f"no ONNX operation is written for {node.target}")
    w.add("Identity", result, name=OUT)
    used = {name for n in w.nodes for name in n.input}
    graph = helper.make_graph(
        w.nodes,
        type(net).__name__,
        [helper.make_tensor_value_info(IN, TensorProto.FLOAT, ["batch", channels, "y", "x"])],
        [helper.make_tensor_value_info(OUT, TensorProto.FLOAT, ["batch", "score", "y", "x"])],
        [numpy_helper.from_array(np.ascontiguousarray(v), k) for k, v in w.constants.items() if k in used],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=FORMAT)
    model.producer_name, model.producer_version = "frostline", __version__
    onnx.checker.check_model(model)
    return model.SerializeToString(deterministic=True)


def exported(checkpoint: Checkpoint, fields: Sequence[np.ndarray] = ()) -> Checkpoint:
    """The checkpoint with an exported model, which answers as its network does; E-EXPORT where it does not.

    Compared by onnxruntime with torch on random numbers of two window sizes, and on `fields` (batch, channel, y, x)
    that the network was made for, of any size. A score z may differ by NEAR max(1, |z|), so a probability by 1e-4 at
    most: the slope of the sigmoid times max(1, |z|) is below a quarter everywhere. The card says how near it came.
    """
    net = checkpoint.network()
    try:
        raw = write(net, len(checkpoint.channels))
    except NotImplementedError as error:
        raise _failed(checkpoint, str(error)) from None
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
