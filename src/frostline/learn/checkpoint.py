"""The trained model as a folder: weights (safetensors), a card (JSON) and its exported model (ONNX). Never a pickle."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from frostline.errors import InputError
from frostline.grid import Grid
from frostline.learn import build
from frostline.learn.scale import Scaler

if TYPE_CHECKING:
    from torch.nn import Module

WEIGHTS, CARD, MODEL, VERSION = "weights.safetensors", "checkpoint.json", "model.onnx", 1
PICKLES = (".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".bin")  # loading one can run a stranger's code


@dataclass(frozen=True)
class Checkpoint:
    """All that prediction needs besides a stack."""

    net: str  # a name of learn.NETS
    net_options: Mapping[str, Any]
    channels: tuple[str, ...]  # what goes in, in order (learn.channels)
    scaler: Scaler
    weights: Mapping[str, np.ndarray]
    grid: Mapping[str, Any] | None = None  # crs, step and window of the training stack; None if it had no grid
    provenance: Mapping[str, Any] = field(default_factory=dict)  # seed, options, periods, sample counts, versions
    history: tuple[Mapping[str, float | None], ...] = ()  # a row per epoch
    exported: bytes | None = field(default=None, repr=False)  # the ONNX file (learn.graph); None: predicts by torch
    export: Mapping[str, Any] | None = None  # what is told of it: frame (learn.frame), how near it is to the network

    def network(self) -> Module:
        """The network with its weights, in evaluation mode, on the CPU."""
        import torch

        net = build(self.net, len(self.channels), dict(self.net_options))
        try:
            net.load_state_dict({name: torch.from_numpy(np.array(value)) for name, value in self.weights.items()})
        except RuntimeError as error:
            why = str(error).splitlines()[-1].strip()
            raise _bad(self.net, f"its weights do not fit the network it names ({why})") from None
        return net.eval()

    def save(self, path: str | Path) -> None:
        """Write the folder `path` whole or not at all: a temporary folder beside it, then one rename."""
        path = Path(path)
        _refuse_pickle(path)
        fresh = path.with_name(f".{path.name}.{os.getpid()}.part")
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(parents=True)
        card = {
            "format": "frostline checkpoint",
            "version": VERSION,
            "net": self.net,
            "net_options": dict(self.net_options),
            "channels": [*self.channels],
            "scaler": asdict(self.scaler),
            "grid": self.grid and dict(self.grid),
            "provenance": dict(self.provenance),
            "history": [dict(row) for row in self.history],
        }
        if self.exported is not None:
            card["export"] = {**(self.export or {}), "sha256": hashlib.sha256(self.exported).hexdigest()}
            _write(fresh / MODEL, self.exported)
        facts = json.loads(json.dumps(card, allow_nan=False))  # as they will be read back
        weights = {name: np.asarray(value, order="C") for name, value in self.weights.items()}
        raw = save(weights, metadata={"frostline": _digest(facts)})
        card["weights_sha256"] = hashlib.sha256(raw).hexdigest()
        _write(fresh / WEIGHTS, raw)
        _write(fresh / CARD, json.dumps(card, indent=1, allow_nan=False).encode())
        if path.exists():
            old = path.with_name(f".{path.name}.{os.getpid()}.old")
            path.rename(old)
            fresh.rename(path)
            shutil.rmtree(old)
        else:
            fresh.rename(path)


def load(path: str | Path) -> Checkpoint:
    """The checkpoint in folder `path`, its hashes verified.

    E-CHECKPOINT for a pickle, a missing or truncated file, changed weights, or a card that was edited (another
    channel order or scaler than the weights were trained with).
    """
    path = Path(path)
    _refuse_pickle(path)
    try:
        card = json.loads((path / CARD).read_text())
        raw = (path / WEIGHTS).read_bytes()
    except (OSError, ValueError) as error:
        raise _bad(path, f"no readable checkpoint ({type(error).__name__}: {error})") from None
    if not isinstance(card, dict) or card.get("format") != "frostline checkpoint" or card.get("version") != VERSION:
        raise _bad(path / CARD, f"not a frostline checkpoint of version {VERSION}")
    if hashlib.sha256(raw).hexdigest() != card.pop("weights_sha256", None):
        raise _bad(path / WEIGHTS, "its SHA-256 is not the one on the card: truncated or changed")
    weights, metadata = read_tensors(path / WEIGHTS)
    if metadata.get("frostline") != _digest(card):
        raise _bad(path / CARD, "the card (channels, their order, scaler, ...) is not the one the weights belong to")
    export = card.get("export")
    return Checkpoint(
        net=card["net"],
        net_options=card["net_options"],
        channels=tuple(card["channels"]),
        scaler=Scaler(**card["scaler"]),
        weights=weights,
        grid=card["grid"],
        provenance=card["provenance"],
        history=tuple(card["history"]),
        exported=_read_model(path / MODEL, export["sha256"]) if export else None,
        export={k: v for k, v in export.items() if k != "sha256"} if export else None,
    )


def _read_model(path: Path, sha256: str) -> bytes:
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise _bad(path, f"the exported model is not there ({type(error).__name__})") from None
    if hashlib.sha256(raw).hexdigest() != sha256:
        raise _bad(path, "its SHA-256 is not the one on the card: truncated or changed")
    return raw


def write_tensors(path: Path, tensors: Mapping[str, np.ndarray], meta: Mapping[str, Any]) -> None:
    """One safetensors file with JSON beside the tensors, written whole or not at all."""
    raw = save(
        {k: np.asarray(v, order="C") for k, v in tensors.items()}, metadata={"frostline": json.dumps(dict(meta))}
    )
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    _write(part, raw)
    part.replace(path)


def read_tensors(path: Path) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Tensors and metadata of a safetensors file; E-CHECKPOINT if it is none, or is truncated."""
    try:
        with safe_open(path, framework="np") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise _bad(path, f"not a whole safetensors file ({error})") from None


def grid_facts(stack: xr.Dataset) -> dict[str, Any] | None:
    """The grid and window of a stack as plain JSON values; None if it carries no grid."""
    try:
        grid = Grid.of(stack)
    except Exception:  # a stack without georeference is fine for learning
        return None
    facts = {"name": grid.name, "crs": grid.crs, "left": grid.left, "top": grid.top, "step": grid.step}
    return {**facts, "shape": [*grid.shape]}


def same_cells(one: Mapping[str, Any] | None, other: Mapping[str, Any] | None) -> bool:
    """Whether cells have the same projection and size (windows may differ: the nets are convolutions)."""
    return one is None or other is None or (one["crs"], one["step"]) == (other["crs"], other["step"])


def _digest(facts: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def _write(path: Path, raw: bytes) -> None:
    with path.open("wb") as file:
        file.write(raw)
        file.flush()
        os.fsync(file.fileno())


def _refuse_pickle(path: Path) -> None:
    if path.suffix.lower() in PICKLES:
        raise _bad(path, "a pickle can run code when it is opened, and is refused")


def _bad(where: str | Path, cause: str) -> InputError:
    return InputError(
        "E-CHECKPOINT", where=where, cause=cause, remedy="give the folder that frostline train wrote, unchanged"
    )
