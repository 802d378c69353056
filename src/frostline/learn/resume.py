"""Where an interrupted training stands: one safetensors file, written whole after each epoch."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from frostline.errors import InputError
from frostline.learn.checkpoint import read_tensors, write_tensors
from frostline.learn.samples import Samples


def fingerprint(settings: Mapping[str, Any], learnt: Samples, judged: Samples, days: Mapping[str, np.ndarray]) -> str:
    """Tells whether a saved state belongs to this very training: its settings, days, areas and data."""
    h = hashlib.sha256(json.dumps(settings, sort_keys=True, default=list).encode())
    for array in (days["train"], days["validation"], learnt.cells, judged.cells, learnt.place):
        h.update(np.ascontiguousarray(array).tobytes())
    for samples in (learnt, judged):
        h.update(samples.table.to_csv().encode())
        h.update(samples.day[:: max(1, len(samples.day) // 16)].tobytes())  # a sample of the packed data
    return h.hexdigest()


def arrays(tensors: Mapping[str, Tensor]) -> dict[str, np.ndarray]:
    """Copies on the CPU, in plain layout."""
    return {name: t.detach().to("cpu", copy=True).contiguous().numpy() for name, t in tensors.items()}


def save(
    path: Path,
    mark: str,
    model: torch.nn.Module,
    adam: torch.optim.Optimizer,
    epoch: int,
    history: list,
    best: Mapping[str, Any],
) -> None:
    """Write the weights, AdamW's moments, the best weights so far and the history; a kill leaves the old file."""
    moments = {f"adam.{i}.{k}": t for i, s in adam.state_dict()["state"].items() for k, t in s.items()}
    tensors = {f"net.{k}": v for k, v in arrays(model.state_dict()).items()} | arrays(moments)
    tensors |= {f"best.{k}": v for k, v in best["weights"].items()}
    meta = {"mark": mark, "epoch": epoch, "history": history, "mcc": best["mcc"], "best": best["epoch"]}
    write_tensors(path, tensors, meta)


def resume(path: Path, mark: str, model: torch.nn.Module, adam: torch.optim.Optimizer) -> tuple[int, list, dict]:
    """(epochs done, history, best) of an interrupted run of the same settings, put into model and adam; else zero."""
    if not path.exists():
        return 0, [], {"mcc": None}
    try:
        tensors, metadata = read_tensors(path)
    except InputError:
        return 0, [], {"mcc": None}
    meta = json.loads(metadata.get("frostline", "{}"))
    if meta.get("mark") != mark:
        return 0, [], {"mcc": None}
    under = lambda head: {k.removeprefix(head): v for k, v in tensors.items() if k.startswith(head)}  # noqa: E731
    model.load_state_dict({k: torch.from_numpy(np.array(v)) for k, v in under("net.").items()})
    parameters = list(model.parameters())
    moments: dict[int, dict[str, Tensor]] = {}
    for name, value in under("adam.").items():
        i, _, key = name.partition(".")
        moment = torch.from_numpy(np.array(value))
        if moment.ndim:  # the fused AdamW walks raw memory: moments must lie as their parameter does (channels last)
            moment = torch.empty_like(parameters[int(i)], requires_grad=False).copy_(moment)
        moments.setdefault(int(i), {})[key] = moment
    adam.load_state_dict({"state": moments, "param_groups": adam.state_dict()["param_groups"]})
    return meta["epoch"], meta["history"], {"mcc": meta["mcc"], "epoch": meta["best"], "weights": under("best.")}
