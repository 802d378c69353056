"""Stopped anywhere, a run goes on and ends with the same bytes; what was half written cannot be read."""

import contextlib
import json
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from frostline import store
from frostline.errors import InputError
from frostline.runs import finished as ledger_entry
from frostline.steps import model, run_step
from frostline.steps import stack as assembling
from twin_run import assembled, copied, experiment, finished, play, run_in, scored, shared, shown, toml  # noqa: F401


def files_of(path):
    """Every file of a store but its journal (which tells of each attempt)."""
    return {p.relative_to(path): p.read_bytes() for p in path.rglob("*") if p.is_file() and p.name != "journal.jsonl"}


def stop_writing(monkeypatch, module, after):
    """The writer of stores fails after some writes: in the middle of the next one, when its chunks are half done."""
    real = store.writer

    @contextlib.contextmanager
    def writer(path):
        with real(path) as write:
            done = 0

            def some(start, arrays, overpass=None):
                nonlocal done
                if done == after:
                    half = {k: np.where(np.arange(v.shape[-1]) < 8, v, 0).astype(v.dtype) for k, v in arrays.items()}
                    write(start, {k: half[k] for k in list(half)[:2]}, overpass)
                    with (path / "journal.jsonl").open() as journal:  # the kill came before `verified` was noted
                        lines = journal.readlines()
                    kept = [line for line in lines if not _torn(line, start)]
                    (path / "journal.jsonl").write_text("".join(kept) + '{"t": 39, "o": 1, "sta')
                    raise KeyboardInterrupt
                done += 1
                write(start, arrays, overpass)

            yield some

    monkeypatch.setattr(module.store, "writer", writer)


def _torn(line, start):
    event = json.loads(line)
    return event["t"] >= start and event["state"] == "verified"


def test_a_killed_assemble_goes_on_and_ends_with_the_same_bytes(assembled, tmp_path, monkeypatch):  # noqa: F811
    run = run_in(copied(assembled, tmp_path / "run"))
    stop_writing(monkeypatch, assembling, after=1)
    with pytest.raises(KeyboardInterrupt):
        run_step("assemble", experiment(), run, force=True)
    monkeypatch.undo()
    stack = store.open_store(run.path("stack.zarr"))
    done = store.verified(run.path("stack.zarr"))
    assert done[:32].all()
    assert not done[32:].any()
    assert np.isnan(stack["tb_36v"].values[32:]).all()  # half-written days cannot be read
    assert (stack["age_tb_36"].values[32:] == 255).all()
    with pytest.raises(InputError, match=r"step 'assemble' has not run. Run: frostline assemble"):
        run_step("train", experiment(), run)
    assert run_step("assemble", experiment(), run)["kept"] == 32
    assert files_of(run.path("stack.zarr")) == files_of(assembled / "stack.zarr")
    assert shown(run.folder, "stack") == shown(assembled, "stack")
    assert not list(run.folder.glob("*.lock"))


@pytest.mark.slow
def test_a_killed_training_goes_on_and_ends_with_the_same_weights(finished, tmp_path, monkeypatch):  # noqa: F811
    run = run_in(copied(finished, tmp_path / "run"))
    epochs = []

    def teller(run, name):
        def tell(row):
            epochs.append(row["epoch"])
            if len(epochs) == 1:
                raise KeyboardInterrupt

        return tell

    monkeypatch.setattr(model, "teller", teller)
    with pytest.raises(KeyboardInterrupt):
        run_step("train", experiment(), run, force=True)
    assert not [p for p in run.path("checkpoints").iterdir() if p.is_dir()]  # the cells' means lie there, no net does
    run_step("train", experiment(), run)
    assert epochs == [1, 2]  # the first was not run again
    assert shown(run.folder, "weights") == shown(finished, "weights")
    assert shown(run.folder, "history") == shown(finished, "history")
    assert not any(run.path("work").iterdir())


@pytest.mark.slow
def test_a_killed_predict_ends_with_the_same_record(finished, tmp_path, monkeypatch):  # noqa: F811
    run = run_in(copied(finished, tmp_path / "run"))
    stop_writing(monkeypatch, model, after=1)
    with pytest.raises(KeyboardInterrupt):
        run_step("predict", experiment(), run, force=True)
    monkeypatch.undo()
    assert ledger_entry(run, "predict") is None
    run_step("predict", experiment(), run)
    assert files_of(run.path("record.zarr")) == files_of(finished / "record.zarr")


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL here")
@pytest.mark.slow
@pytest.mark.parametrize("moment", [0, 1, 70, 140])
def test_sigkill_while_the_stack_is_written(assembled, tmp_path, moment):  # noqa: F811
    """A true kill, when so many lines stand in the journal; what is there then can be gone on with."""
    run, file = copied(assembled, tmp_path / "run"), toml(tmp_path / "tiny.toml")
    words = [sys.executable, "-c", "from frostline.cli import main; main()", "assemble", str(file)]
    words += ["--run", str(run), "--force", "--workers", "1"]
    (run / "stack.zarr" / "journal.jsonl").unlink()
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    journal, end = run / "stack.zarr" / "journal.jsonl", time.monotonic() + 60
    while process.poll() is None and time.monotonic() < end:
        if journal.exists() and journal.read_bytes().count(b"\n") >= moment:
            break
        time.sleep(0.002)
    process.kill()
    assert process.wait() in (0, -signal.SIGKILL)
    notes = play(run, "assemble")
    assert notes["assemble"].get("kept", 40) in (0, 32, 40)
    assert files_of(run / "stack.zarr") == files_of(assembled / "stack.zarr")
