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
SHORT, LONG = 64, 128  # days: two and four blocks of a small window's store
GOAL = 1.03


@pytest.mark.slow
def test_assemble_and_predict_hold_no_more_for_twice_the_days(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(REPOSITORY))
    from benchmarks import memory

    peaks = {}
    for days in (SHORT, LONG):
        folder = tmp_path / str(days)
        settings = memory.experiment(SIZE, days)
        memory.archive(folder / "data", settings)
        run = Run(folder, say=lambda text: None, quiet=True)
        run_step("read", settings, run)
        peaks["assemble", days] = traced(lambda s=settings, r=run: run_step("assemble", s, r))
        if days == SHORT:
            run_step("train", settings, run)
            checkpoints = run.path("checkpoints")
        else:
            checkpoints.rename(run.path("checkpoints"))
        peaks["predict", days] = traced(lambda s=settings, r=run: model.predict(s, r))
        assert store.verified(folder / "record.zarr").all()
        assert np.isfinite(store.open_store(folder / "record.zarr")["frozen"].values).mean() > 0.5
    print(peaks)
    for step in ("assemble", "predict"):
        assert peaks[step, LONG] < GOAL * peaks[step, SHORT], {k: round(v / 1e6, 2) for k, v in peaks.items()}


def traced(call):
    """Largest sum of Python's and numpy's allocations during a call, bytes."""
    gc.collect()
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
