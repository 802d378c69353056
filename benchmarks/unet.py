"""Row 3: a U-Net's inference against PyTorch as it comes, the share of the machine's matrix products, and its memory.

python -m benchmarks.unet [--size small|middle|full]
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common import Row, Size, interleaved, main
from frostline.learn.checkpoint import Checkpoint
from frostline.learn.engine import Engine, open_engine

CHANNELS = 10
SIDE = 2048
PRODUCT = 2.0 * SIDE**3  # operations
NEAR = 1e-4  # of a probability
GIB = 1 << 30
ANSWER = f"""
import re, sys
import numpy as np
from frostline.learn.engine import open_engine
folder, side, precision = sys.argv[1], int(sys.argv[2]), sys.argv[3]
engine = open_engine(folder, precision=precision, threads=2, device="cpu")
engine(np.random.default_rng(0).standard_normal((1, {CHANNELS}, side, side), np.float32))
assert "torch" not in sys.modules
print(re.findall(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())[0])
"""


def untrained(net: str, channels: int, **options: Any) -> Checkpoint:
    """A network with its first weights, exported."""
    import torch

    from frostline.learn import build
    from frostline.learn.graph import exported
    from frostline.learn.resume import arrays
    from frostline.learn.scale import Scaler

    torch.manual_seed(1)
    weights = arrays(build(net, channels, options).state_dict())
    names = tuple(f"tb_{k}" for k in range(channels))
    return exported(Checkpoint(net, options, names, Scaler({}, {}), weights))


def numbers(*shape: int) -> np.ndarray:
    """Fields of order one."""
    return np.random.default_rng(0).standard_normal(shape, np.float32)


def probability(scores: np.ndarray) -> np.ndarray:
    """Of logits."""
    return 1 / (1 + np.exp(-scores))


def gemm(precision: str, threads: int) -> dict[str, Callable[[], Any]]:
    """One matrix product of PRODUCT operations, by PyTorch and by OpenVINO: the faster is the machine's peak."""
    return {"mm": _mm(precision, threads), "rows": _rows(precision, threads)}


def _mm(precision: str, threads: int) -> Callable[[], Any]:
    import torch

    kind = torch.bfloat16 if precision == "bfloat16" else torch.float32
    a, b = (torch.from_numpy(numbers(SIDE, SIDE)).to(kind) for _ in range(2))

    def call() -> None:
        torch.set_num_threads(threads)
        torch.mm(a, b)

    return call


def _rows(precision: str, threads: int) -> Callable[[], Any]:
    from frostline.learn.engine import _core

    core = _core()
    import openvino as ov
    from openvino import opset13 as op

    x = op.parameter([SIDE, SIDE], np.float32)
    model = ov.Model([op.matmul(x, op.constant(numbers(SIDE, SIDE)), False, True)], [x])
    hint = "bf16" if precision == "bfloat16" else "f32"
    settings = {"INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": hint, "NUM_STREAMS": 1}
    request = core.compile_model(model, "CPU", {**settings, "ENABLE_CPU_PINNING": False}).create_infer_request()
    fields = numbers(SIDE, SIDE)
    return lambda: request.infer({0: fields}, share_inputs=True, share_outputs=True)


def operations(checkpoint: Checkpoint, shape: tuple[int, int]) -> float:
    """Two for each weight of a convolution at each place where it is applied."""
    total, cells = 0.0, shape[0] * shape[1]
    for name, w in checkpoint.weights.items():
        if w.ndim == 4:
            part, level = name.split(".")[:2]
            deep = int(level) + (part == "up") if part != "head" else 0  # `up` is applied at the coarser level
            total += 2.0 * w.size * cells / 4**deep
    return total


def rows(size: Size) -> list[Row]:
    """The table's rows."""
    side = 128 if size == "small" else 512
    out = []
    for width in (8,) if size == "small" else (32, 64):
        for threads in (1,) if size == "small" else (1, 2):
            out += _width(width, threads, side, 1 if size == "small" else 3)
    whole, width = (256, 8) if size == "small" else (2000, 32)
    for precision in ("float32", "bfloat16"):
        used = whole_image(untrained("unet", CHANNELS, width=width, depth=4), whole, precision)
        said = f"whole {whole}² image, {precision}, bytes"
        out.append(Row(3, said, "2 GiB", 2.0 * GIB, used, 1.0))
    return out


def _width(width: int, threads: int, side: int, repeats: int) -> list[Row]:
    """Times of one width on so many threads."""
    checkpoint = untrained("unet", CHANNELS, width=width, depth=4)
    x = numbers(1, CHANNELS, side, side)
    engines = {p: open_engine(checkpoint, precision=p, threads=threads, device="cpu") for p in ("float32", "bfloat16")}
    plain = torch_eager(checkpoint, threads)
    exact = probability(plain(x))
    far = {p: float(abs(probability(engine(x)) - exact).max()) for p, engine in engines.items()}
    calls: dict[str, Callable[[], Any]] = {"torch": lambda: plain(x)}
    calls |= {p: (lambda engine=engine: engine(x)) for p, engine in engines.items()}
    if threads == 1:
        calls |= {"onnxruntime": _asked(open_engine(checkpoint, name="onnxruntime", threads=threads), x)}
    calls |= gemm("bfloat16", threads)
    calls |= {f"{name} fp32": call for name, call in gemm("float32", threads).items()}
    seconds = interleaved(calls, repeats=repeats)
    best = min(seconds["mm"], seconds["rows"]) / PRODUCT  # seconds an operation
    limit = operations(checkpoint, (side, side)) * best
    limit32 = operations(checkpoint, (side, side)) * min(seconds["mm fp32"], seconds["rows fp32"]) / PRODUCT
    what = f"U-Net {width}, {side}², {threads} thr."
    native = engines["bfloat16"].precision == "bfloat16"
    exactly, nearly = far["float32"] <= NEAR, far["bfloat16"] <= 5e-3
    said = {p: f"dp {far[p]:.1e}" for p in far}
    kinds = [
        Row(3, f"{what}, fp32", "torch eager fp32", seconds["torch"], seconds["float32"], 2.0, limit32, exactly,
            said["float32"] + (f"; onnxruntime {seconds['onnxruntime']:.3g} s" if threads == 1 else "")),
    ]  # fmt: skip
    if native:  # a CPU without bfloat16 counts by float32
        goal = 4.0 if width <= 32 else 3.3
        kinds += [
            Row(3, f"{what}, bf16", "torch eager fp32", seconds["torch"], seconds["bfloat16"], goal, limit, nearly,
                said["bfloat16"]),
            Row(3, f"{what}, share of GEMM peak", f"bf16 GEMM {1e-9 / best:.0f} GFLOP/s", limit, seconds["bfloat16"],
                0.85, limit, nearly),
        ]  # fmt: skip
    return kinds


def _asked(engine: Engine, x: np.ndarray) -> Callable[[], Any]:
    return lambda: engine(x)


def torch_eager(checkpoint: Checkpoint, threads: int) -> Callable[[np.ndarray], np.ndarray]:
    """What a user would write: the network in evaluation mode, as PyTorch lays it out."""
    import torch

    net = checkpoint.network()

    def call(x: np.ndarray) -> np.ndarray:
        torch.set_num_threads(threads)
        with torch.inference_mode():
            return net(torch.from_numpy(x)).numpy()

    return call


def whole_image(checkpoint: Checkpoint, side: int, precision: str) -> float:
    """Peak bytes of a process that reads a checkpoint and answers one field, all of it land."""
    with tempfile.TemporaryDirectory() as folder:
        checkpoint.save(Path(folder, "net"))
        words = [sys.executable, "-c", ANSWER, str(Path(folder, "net")), str(side), precision]
        said = subprocess.run(words, check=True, capture_output=True, text=True).stdout
    return 1024 * float(said)


if __name__ == "__main__":
    sys.exit(main(rows, __doc__))
