"""Run a step of an experiment, or skip it when nothing that it stands on changed."""

from __future__ import annotations

import shutil
import time
from typing import Any

from frostline.config import Experiment
from frostline.errors import ConfigError, InputError
from frostline.runs import Run, fingerprint, forget, identity, is_fresh, record_step, upstream
from frostline.steps.common import folders
from frostline.steps.order import STEPS, Step


def run_step(name: str, experiment: Experiment, run: Run, *, force: bool = False) -> dict[str, Any]:
    """Run one step, or skip it when nothing it stands on changed; what it noted, with `fresh` when skipped.

    Raises E-STEP when a step it stands on has not run with these settings and inputs.
    """
    step = step_of(name, experiment)
    before = {earlier: mark_of(earlier, experiment, run) for earlier in foundations(name, experiment)}
    for earlier, expected in before.items():
        if upstream(run, earlier) != expected:
            cause = f"step {earlier!r} ran with other settings or inputs"
            raise InputError("E-STEP", where=run.folder, cause=cause, remedy=f"run: frostline {earlier}")
    mark = _mark(name, experiment, run, list(before.values()))
    outputs = [run.path(p) for p in step.makes(experiment)]
    if not force and is_fresh(run, name, mark, outputs):
        return {"fresh": True}
    forget(run, [name])
    if force:  # what lies there would be gone on with
        for path in outputs:
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    began = time.monotonic()
    notes = step.does(experiment, run)
    record_step(run, name, mark, seconds=time.monotonic() - began, notes=notes)
    return notes


def mark_of(name: str, experiment: Experiment, run: Run) -> str:
    """What a step's fingerprint must be: its tables, the steps before it, and the files that it takes."""
    return _mark(name, experiment, run, [mark_of(e, experiment, run) for e in foundations(name, experiment)])


def _mark(name: str, experiment: Experiment, run: Run, before: list[str]) -> str:
    tables = {t: _table(experiment, t) for t in step_of(name, experiment).tables}
    files = {}
    if name in ("read", "map"):  # the picture is only drawn: another one must not make the stack again
        places = folders(experiment, run)
        files = {p: identity(place) for p, place in places.items() if (p == "picture") == (name == "map")}
    return fingerprint(name, tables, before, files)


def foundations(name: str, experiment: Experiment) -> list[str]:
    """The steps that must have run: those before it, or what those stand on where they have nothing to do."""
    out: list[str] = []
    for earlier in step_of(name, experiment).after:
        made = step_of(earlier, experiment).makes(experiment)
        out += [e for e in ([earlier] if made else foundations(earlier, experiment)) if e not in out]
    return out


def step_of(name: str, experiment: Experiment) -> Step:
    """A step of the experiment's system; E-CONFIG where it has no such step."""
    steps = STEPS[experiment.system]
    if name not in steps:
        cause = f"the {experiment.system} system has no step {name!r}"
        raise ConfigError("E-CONFIG", where=experiment.title, cause=cause, remedy=f"it has {', '.join(steps)}")
    return steps[name]


def _table(experiment: Experiment, name: str) -> Any:
    """A table, or one key of it (`assemble.hours_before`)."""
    value: Any = experiment
    for part in name.split("."):
        value = getattr(value, part)
    return value.model_dump() if hasattr(value, "model_dump") else value
