"""Pieces of work beside each other: processes with a share of the threads, and what a training tells meanwhile."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeVar

from frostline.learn.checkpoint import Checkpoint
from frostline.learn.engine import Engine, open_engine
from frostline.runs import Run

T = TypeVar("T")
E = TypeVar("E")
Work = Callable[[E, Path, str, int, bool], T]  # experiment, run folder, name, threads, quiet


def beside(work: Work[E, T], experiment: E, run: Run, names: Sequence[str]) -> dict[str, T]:
    """The work of each name, beside each other in processes with a share of the threads where there are workers.

    Small fields gain little from a second thread and lose much when another program wants it.
    """
    many = min(run.workers, len(names))
    if many <= 1:
        return {name: work(experiment, run.folder, name, run.workers, run.quiet) for name in names}
    with ProcessPoolExecutor(many, mp_context=get_context("spawn")) as pool:
        jobs = {n: pool.submit(work, experiment, run.folder, n, run.workers // many, run.quiet) for n in names}
        return {name: job.result() for name, job in jobs.items()}


def answering(run: Run, checkpoint: Checkpoint, precision: str) -> Engine:
    """What runs a trained network, on as many threads as the run was given; FROSTLINE_ENGINE names another engine."""
    name = os.environ.get("FROSTLINE_ENGINE", "auto")
    return open_engine(checkpoint, name=name, precision=precision, threads=run.workers)


def threads(run: Run) -> None:
    """Torch takes as many threads as the run was given, to train."""
    import torch

    torch.set_num_threads(run.workers)


def teller(run: Run, name: str) -> Callable[[Mapping[str, Any]], None]:
    """What says an epoch's loss and score while a net learns; nothing when the run is quiet."""

    def tell(row: Mapping[str, Any]) -> None:
        score = "-" if row["mcc"] is None else f"{row['mcc']:.3f}"
        speed = f"{row['samples_per_second']:.0f} samples/s"
        if not run.quiet:
            run.say(f"  {name} epoch {row['epoch']}/{row['epochs']}: loss {row['loss']:.4f}, MCC {score}, {speed}")

    return tell
