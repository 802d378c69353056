"""What runs a trained network: OpenVINO or onnxruntime on its exported model, or PyTorch on its weights."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from frostline.errors import ConfigError, InputError
from frostline.learn import on_device
from frostline.learn.checkpoint import Checkpoint, load
from frostline.learn.frame import Plan, cut, finished, heads, plan

Runner = Callable[[np.ndarray], np.ndarray]  # (1, channel, y, x) float32 -> (1, score, y, x) float32
ENGINES = ("openvino", "onnxruntime", "torch")  # on a CPU the first that is there (docs/decisions/0023-engines.md)
PRECISIONS = ("float32", "bfloat16")
SMALL = 1 << 16  # cells: windows up to this size go beside each other, one thread each; a larger one takes all threads


@dataclass
class Engine:
    """A network that answers: `engine(x)`, or `engine(x, cells)` where only some cells are asked for."""

    name: str  # of ENGINES
    precision: str  # what it computes in: float32 where the machine knows no bfloat16
    threads: int
    checkpoint: Checkpoint
    device: str = "cpu"
    _ready: dict[Any, Any] = field(default_factory=dict, repr=False)

    def __call__(self, x: np.ndarray, cells: np.ndarray | None = None) -> np.ndarray:
        """Fields float32 (batch, channel, y, x) -> scores float32, shaped as the network's own (learn.frame).

        cells: bool (y, x), those whose scores are wanted; others may be 0. Memory beside the scores is that of one
        window, or of `threads` small ones.
        """
        if self.name == "torch":
            return self._by_torch(x)
        assert self.checkpoint.export is not None
        frame = self.checkpoint.export["frame"]
        windows = self._plan(np.ones(x.shape[-2:], bool) if cells is None else np.asarray(cells, bool))
        raw = np.zeros((len(x), heads(frame), *x.shape[-2:]), np.float32)
        jobs = [(k, w) for k in range(len(x)) for w in windows.windows]

        def work(runner: Runner, mine: list) -> None:
            for k, w in mine:
                got = runner(cut(x[k], w, windows.shape))
                part = got[0, :, w.rows.start - w.row : w.rows.stop - w.row, w.columns.start - w.column :]
                raw[k, :, w.rows, w.columns] = part[..., : w.columns.stop - w.columns.start]

        if jobs:
            lanes = self._lanes(windows.shape, len(jobs))
            if len(lanes) == 1:
                work(lanes[0], jobs)
            else:
                with ThreadPoolExecutor(len(lanes)) as pool:
                    list(pool.map(work, lanes, [jobs[k :: len(lanes)] for k in range(len(lanes))]))
        return finished(frame, raw)

    def _plan(self, cells: np.ndarray) -> Plan:
        """The windows of these cells; those of the last call are kept."""
        key = (cells.shape, np.packbits(cells).tobytes())
        if self._ready.get("cells") != key:
            assert self.checkpoint.export is not None
            width, each = self.checkpoint.net_options.get("width", 32), 2 if self.precision == "bfloat16" else 4
            found = plan(self.checkpoint.export["frame"], cells, width=width, bytes_each=each)
            self._ready |= {"cells": key, "plan": found}
        return self._ready["plan"]

    def _lanes(self, shape: tuple[int, int], jobs: int) -> list[Runner]:
        """What answers windows of a shape, beside each other; compiled once for a shape."""
        lanes = min(self.threads, jobs) if shape[0] * shape[1] <= SMALL else 1
        if self._ready.get("shape") != (shape, lanes):
            self._ready |= {"shape": (shape, lanes), "lanes": None}  # the old one goes first
            assert self.checkpoint.exported is not None
            make = _openvino if self.name == "openvino" else _onnxruntime
            whole = (1, len(self.checkpoint.channels), *shape)
            self._ready["lanes"] = make(self.checkpoint.exported, whole, self.precision, self.threads, lanes)
        return self._ready["lanes"]

    def _by_torch(self, x: np.ndarray) -> np.ndarray:
        """The network itself, on all cells."""
        import torch

        if "net" not in self._ready:
            self._ready["net"] = on_device(self.checkpoint.network(), self.device)
        net, on = self._ready["net"]
        if on.type == "cpu":
            torch.set_num_threads(self.threads)
        with torch.inference_mode(), torch.autocast(on.type, torch.bfloat16, enabled=self.precision == "bfloat16"):
            return net(torch.from_numpy(x).to(on, memory_format=torch.channels_last)).float().cpu().numpy()


def open_engine(
    checkpoint: Checkpoint | str | Path,
    *,
    name: str = "auto",
    precision: str = "float32",
    threads: int | None = None,
    device: str = "auto",
) -> Engine:
    """What answers for a checkpoint, or for the folder it lies in.

    name: one of ENGINES; or `auto`: torch on a GPU or for a checkpoint without an exported model, else the first of
    ENGINES that is installed and knows the precision. precision: `float32`, or `bfloat16` where the machine has it.
    threads: of one call (default: all cores). device: `auto` (a GPU if there is one), `cpu`, `cuda`, ...

    Errors: E-CONFIG for an unknown name or precision, or one that does not fit; E-CHECKPOINT where an engine other than
    torch is asked for and the checkpoint has no exported model.
    """
    checkpoint = checkpoint if isinstance(checkpoint, Checkpoint) else load(checkpoint)
    if name not in ("auto", *ENGINES) or precision not in PRECISIONS:
        cause = f"engine {name!r} in {precision!r} is unknown"
        raise ConfigError("E-CONFIG", where="engine", cause=cause, remedy=f"use auto, {', '.join(ENGINES)}")
    if name == "auto":
        name = _choose(checkpoint, precision, device)
    elif name != "torch" and checkpoint.exported is None:
        raise InputError(
            "E-CHECKPOINT",
            where=f"engine {name}",
            cause="the checkpoint has no exported model",
            remedy="use the engine torch, or export it with tools/export_checkpoint.py",
        )
    if name == "onnxruntime" and precision != "float32":
        cause = "onnxruntime computes in float32 on a CPU"
        raise ConfigError("E-CONFIG", where="precision", cause=cause, remedy="use openvino or torch")
    if not there(name):
        raise ConfigError(
            "E-CONFIG", where="engine", cause=f"{name} is not installed", remedy="install it, or use auto"
        )
    if name == "openvino" and precision == "bfloat16":
        precision = precision if "BF16" in _core().get_property("CPU", "OPTIMIZATION_CAPABILITIES") else "float32"
    return Engine(name, precision, threads or cores(), checkpoint, device)


def there(name: str) -> bool:
    """Whether an engine is installed."""
    return find_spec(name) is not None


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _choose(checkpoint: Checkpoint, precision: str, device: str) -> str:
    if checkpoint.exported is None or device not in ("auto", "cpu") or (device == "auto" and _gpu()):
        return "torch"
    able = [n for n in ENGINES if there(n) and (n != "onnxruntime" or precision == "float32")]
    return able[0] if able else "torch"


def _gpu() -> bool:
    """Whether torch has a GPU; it is asked only where a driver is, since to load it takes a second."""
    if not any(Path(p).exists() for p in ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg")) or not there("torch"):
        return False
    import torch

    return torch.cuda.is_available()


def _core() -> Any:
    """OpenVINO's, told to tell nobody: its import sends an event where its telemetry package can be imported."""
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    from openvino import Core

    return Core()


def _openvino(raw: bytes, shape: tuple[int, ...], precision: str, threads: int, lanes: int) -> list[Runner]:
    """One request for each lane, of a graph compiled for fields of a shape; streams of a lane share no core's cache."""
    core = _core()
    model = core.read_model(raw)
    model.reshape([*shape])
    settings = {
        "INFERENCE_NUM_THREADS": threads,
        "INFERENCE_PRECISION_HINT": "bf16" if precision == "bfloat16" else "f32",
        "NUM_STREAMS": lanes,
        "ENABLE_CPU_PINNING": False,  # processes beside each other would all sit on the first cores
    }
    compiled = core.compile_model(model, "CPU", settings)

    def runner() -> Runner:
        request = compiled.create_infer_request()
        return lambda x: request.infer({0: x}, share_inputs=True, share_outputs=True)[0]

    return [runner() for _ in range(lanes)]


def _onnxruntime(raw: bytes, shape: tuple[int, ...], precision: str, threads: int, lanes: int) -> list[Runner]:
    """One session for all lanes: it may be called from several threads, which then have a thread each."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = max(1, threads // lanes)
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # waiting threads burn no core
    session = ort.InferenceSession(raw, options, providers=["CPUExecutionProvider"])
    source, result = session.get_inputs()[0].name, session.get_outputs()[0].name
    return [lambda x: session.run([result], {source: x})[0]] * lanes
