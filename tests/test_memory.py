"""Memory does not grow with the record: a small sister of benchmarks/memory.py, which measures whole processes."""

import gc
import tracemalloc

import numpy as np
import pytest

from conftest import REPOSITORY
from frostline import store
from frostline.runs import Run
from frostline.steps import model, run_step

SIZE = 32
SHORT, LONG = 40, 80  # days
BLOCK = 8  # days that share a chunk, so that both lengths are many blocks
A_DAY = 16_000  # bytes: the names of a day's files; a day of the stack is ten times as much


@pytest.mark.slow
def test_assemble_and_predict_hold_no_more_for_twice_the_days(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(REPOSITORY))
    from benchmarks import memory

    monkeypatch.setattr(memory, "STATIONS", 6)
    monkeypatch.setattr(store, "CHUNK_BYTES", BLOCK * SIZE**2)
    peaks = {}
    for days in (SHORT, LONG):
        folder = tmp_path / str(days)
        settings = memory.experiment(SIZE, days)
        memory.archive(folder / "data", settings)
        run = Run(folder, say=lambda text: None, quiet=True)
        run_step("read", settings, run)
        if days == SHORT:
            run_step("assemble", settings, run)  # what is loaded and compiled once is not counted
        peaks["assemble", days] = traced(lambda s=settings, r=run: run_step("assemble", s, r, force=True))
        if days == SHORT:
            run_step("train", settings, run)
            model.predict(settings, run)
            checkpoints = run.path("checkpoints")
        else:
            checkpoints.rename(run.path("checkpoints"))
        peaks["predict", days] = traced(lambda s=settings, r=run: model.predict(s, r))
        assert store.verified(folder / "record.zarr").all()
        assert np.isfinite(store.open_store(folder / "record.zarr")["frozen"].values).mean() > 0.5
    for step in ("assemble", "predict"):
        growth = peaks[step, LONG] - peaks[step, SHORT]
        assert growth < A_DAY * (LONG - SHORT), {k: round(v / 1e6, 2) for k, v in peaks.items()}


def traced(call):
    """Largest sum of Python's and numpy's allocations during a call, bytes."""
    gc.collect()
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
