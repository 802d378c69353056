"""A checkpoint and a stack in; probability, quality and age out, a block of days at a time."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

import numpy as np
import xarray as xr

from frostline.errors import ConfigError, InputError
from frostline.learn.channels import (
    day_fields,
    day_flags,
    first_infinite,
    land_of,
    oldest,
    place_fields,
    split_names,
    variables,
)
from frostline.learn.checkpoint import Checkpoint, grid_facts, same_cells
from frostline.learn.engine import Engine, open_engine
from frostline.learn.outages import silent, withheld
from frostline.schema import QUALITY

Block = tuple[slice, int, np.ndarray, np.ndarray, np.ndarray]
GIVE = ("probability", "scores")


def predict(
    checkpoint: Checkpoint,
    stack: xr.Dataset,
    *,
    batch: int = 16,
    engine: Engine | None = None,
    device: str = "auto",
    days: np.ndarray | None = None,
    low_confidence: float = 0.1,
    give: str = "probability",
    without: Collection[str] = (),
) -> Iterator[Block]:
    """Yield (time slice, overpass code, probability, quality, age) for `batch` days of the whole window at a time.

    probability float32 (day, y, x) of frozen: NaN where not land, or where no sensor has an input. quality uint16:
    input_missing where no sensor has an input, outside_domain where not land, gap_filled where the age is above
    0, low_confidence where |p - 0.5| < `low_confidence`, smap_missing or amsr2_missing where the net takes channels of
    this instrument and has none of them there, but answers from others. age uint8: the largest gap age (days) of the
    sensors that have a value, 255 where the probability is NaN. Overpasses come in the stack's order, inside each block
    of days. A network of several targets gives probability and quality on (target, day, y, x).

    give: `probability`, or in its place `scores` float32 (target, day, class, y, x), whose softmax over the classes
    is the network's: (frozen, thawed), or (frozen, thawed, missing) of a network that was taught them; for fusion.

    without: instruments (schema.INSTRUMENTS) whose inputs are withheld, as if they had failed.

    days: bool (time,), those wanted (default all); slices then cover runs of wanted days. Memory is that of one
    block whatever the record's length. engine: what runs the network (learn.engine.open_engine; default
    `auto` on `device`); it is asked for land alone. E-CHECKPOINT where the stack's cells or overpasses are not those
    trained on; E-INPUT-MISSING, E-INPUT-CORRUPT for predictors that lack or hold Inf.
    """
    facts = grid_facts(stack)
    if not same_cells(checkpoint.grid, facts):
        raise InputError(
            "E-CHECKPOINT",
            where="stack",
            cause=f"its cells {facts} are not those the network was trained on, {checkpoint.grid}",
            remedy="assemble the stack on the training grid (any window of it)",
        )
    taught = checkpoint.provenance.get("overpasses")
    if taught is not None and not set(stack["overpass"].values.tolist()) <= set(taught):
        raise InputError(
            "E-CHECKPOINT",
            where="stack",
            cause=f"its overpasses {stack['overpass'].values.tolist()} are not among those trained on, {taught}",
            remedy="choose those overpasses of the stack, and train a network for the others",
        )
    if give not in GIVE:
        raise ConfigError("E-CONFIG", where="give", cause=f"unknown {give!r}", remedy=f"use one of {GIVE}")
    channels, scaler = checkpoint.channels, checkpoint.scaler
    needed = variables(channels)
    for name in needed:
        if name not in stack:
            raise InputError("E-INPUT-MISSING", where=name, cause="the stack lacks a predictor of this checkpoint")
    engine = engine or open_engine(checkpoint, device=device)
    land = land_of(stack)
    place = place_fields(stack, channels, scaler)
    back = 1 if any(name.startswith("previous:") for name in channels) else 0
    fields = np.empty((0, 0, len(channels), *land.shape), "float32")  # kept: fresh memory costs as much as filling it
    for days_slice in _runs(days, stack.sizes["time"], batch):
        first = max(0, days_slice.start - back)
        block = stack[needed].isel(time=slice(first, days_slice.stop)).load()
        block = withheld(block, without)
        index = np.arange(days_slice.start - first, days_slice.stop - first)
        time, overpass = block["time"].values[index], block["overpass"].values
        if fields.shape[:2] != (len(index), len(overpass)):
            fields = np.empty((len(index), len(overpass), *fields.shape[2:]), "float32")
        names = split_names(channels)[0]
        daily, rest = fields[:, :, : len(names)], fields[:, :, len(names) :]
        day_fields(block, index, channels, scaler, out=daily)
        bad = first_infinite(daily, time, names)
        if bad is not None:
            raise InputError("E-INPUT-CORRUPT", where=f"{bad[0]} on {bad[1]}", cause="a value is infinite")
        rest[:, :, : len(place)] = place
        rest[:, :, len(place) :] = day_flags(time, overpass, channels)[..., None, None]
        age, seen = oldest(block, index, channels, daily)
        failed = silent(daily, names)
        for o, code in enumerate(overpass):
            scores = engine(fields[:, o], land)
            p = _probability(scores)
            if p.ndim == 4:  # (day, y, x), or (target, day, y, x) of several
                p = p[:, 0] if p.shape[1] == 1 else p.swapaxes(0, 1)
            absent = {flag: cells[:, o] for flag, cells in failed.items()}
            out, quality, days_old = flagged(p, land, seen[:, o], age[:, o], absent, low_confidence)
            if give == "scores":
                out = np.where((seen[:, o] & land)[:, None], _classes(scores), np.float32(np.nan))
            yield days_slice, int(code), out, quality, days_old
        del block  # not kept beside the next one


def flagged(
    p: np.ndarray,
    land: np.ndarray,
    seen: np.ndarray,
    age: np.ndarray,
    absent: Mapping[str, np.ndarray],
    low_confidence: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(probability, quality, age) as `predict` gives them, of p ([target,] day, y, x).

    land (y, x), seen and age (day, y, x); `absent` the flags of instruments and where they are silent. In numpy:
    tests/test_learn_predict.py.
    """
    from frostline.learn.kernels import judged

    heads = p.reshape(-1, *p.shape[-3:])
    out, quality, days = np.empty(p.shape, "float32"), np.empty(heads.shape, "uint16"), np.empty(seen.shape, "uint8")
    kinds = [np.uint16(QUALITY[n]) for n in ("outside_domain", "input_missing", "gap_filled", "low_confidence")]
    there = np.ascontiguousarray(land).reshape(-1)
    for t in range(len(seen)):
        silences = np.zeros(land.shape, "uint16")
        for flag, cells in absent.items():
            silences |= cells[t] * np.uint16(QUALITY[flag])
        same = (
            there,
            seen[t].reshape(-1),
            age[t].reshape(-1),
            silences.reshape(-1),
            np.float32(low_confidence),
            *kinds,
        )
        for h, head in enumerate(heads):
            rows = (a.reshape(-1) for a in (out.reshape(heads.shape)[h, t], quality[h, t], days[t]))
            judged(np.ascontiguousarray(head[t], np.float32).reshape(-1), *same, *rows)
    return out, quality.reshape(p.shape), days


def _probability(scores: np.ndarray) -> np.ndarray:
    """Of frozen: the sigmoid of its logit, or of three scores the softmax without missing; (batch, [target,] y, x)."""
    logit = scores[:, :, 0] - scores[:, :, 1] if scores.ndim == 5 else scores
    small = np.exp(-np.abs(logit))  # of the rarer state; without overflow
    return np.where(logit < 0, small, np.float32(1)) / (1 + small)


def _classes(scores: np.ndarray) -> np.ndarray:
    """Scores (target, day, class, y, x) of what a net gives; a logit of frozen is that against 0 for thawed."""
    if scores.ndim < 5:
        heads = scores if scores.ndim == 4 else scores[:, None]
        scores = np.stack([heads, np.zeros_like(heads)], axis=2)
    return scores.swapaxes(0, 1)


def _runs(days: np.ndarray | None, total: int, batch: int) -> Iterator[slice]:
    """Slices of at most `batch` consecutive wanted days, in order."""
    wanted = np.ones(total, bool) if days is None else np.asarray(days, bool)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], wanted.astype("int8"), [0]])))
    for start, stop in edges.reshape(-1, 2):
        for first in range(start, stop, batch):
            yield slice(int(first), int(min(first + batch, stop)))
