"""The order of things: which step stands on which, what each takes and makes, and when it may be skipped."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from frostline.config import Experiment
from frostline.errors import InputError
from frostline.runs import Run, fingerprint, forget, identity, is_fresh, record_step, upstream
from frostline.steps import evidence, inputs, model, pictures, stack
from frostline.steps.common import folders


@dataclass(frozen=True)
class Step:
    """A verb: the function, the steps it stands on, the tables it obeys, the files that show it is done."""

    does: Callable[[Experiment, Run], dict[str, Any]]
    after: tuple[str, ...]
    tables: tuple[str, ...]
    makes: Callable[[Experiment], tuple[str, ...]]
    about: str


STEPS = {
    "twin": Step(
        inputs.twin,
        (),
        ("grid", "period", "twin"),
        lambda e: ("truth.zarr", "data") if e.twin else (),
        "simulate the twin Earth and write its agency files",
    ),
    "read": Step(
        inputs.read,
        ("twin",),
        ("grid", "period", "inputs"),
        lambda e: ("inventory.json",),
        "list and check every input",
    ),
    "assemble": Step(
        stack.assemble,
        ("read",),
        ("assemble", "labels", "split"),
        lambda e: ("stack.zarr",),
        "regrid, fill gaps and label into one stack",
    ),
    "train": Step(
        model.train,
        ("assemble",),
        ("split", "train"),
        lambda e: ("checkpoints",) if e.train else (),
        "train the net and its rivals",
    ),
    "predict": Step(
        model.predict,
        ("train",),
        ("predict",),
        lambda e: ("record.zarr",) if e.train else ("record_reanalysis.zarr",),
        "write the record",
    ),
    "validate": Step(
        evidence.validate,
        ("predict",),
        ("validate_",),
        lambda e: ("scores.json",) if e.validate_ else (),
        "score the record and its baselines",
    ),
    "map": Step(pictures.draw, ("validate",), ("title", "report"), lambda e: ("figures",), "draw the figures"),
    "report": Step(pictures.report, ("map",), ("title", "export"), lambda e: ("report.html",), "write the report"),
    "export": Step(
        pictures.export, ("predict",), ("title", "export"), lambda e: ("export",), "write netCDF and GeoTIFF files"
    ),
}


def run_step(name: str, experiment: Experiment, run: Run, *, force: bool = False) -> dict[str, Any]:
    """Run one step, or skip it when nothing it stands on changed; what it noted, with `fresh` when skipped.

    Raises E-STEP when a step it stands on has not run with these settings and inputs.
    """
    step = STEPS[name]
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
    tables = {t: _table(getattr(experiment, t)) for t in STEPS[name].tables}
    files = {}
    if name in ("read", "map"):  # the picture is only drawn: another one must not make the stack again
        places = folders(experiment, run)
        files = {p: identity(place) for p, place in places.items() if (p == "picture") == (name == "map")}
    return fingerprint(name, tables, before, files)


def foundations(name: str, experiment: Experiment) -> list[str]:
    """The steps that must have run: those before it, or what those stand on where they have nothing to do."""
    out: list[str] = []
    for earlier in STEPS[name].after:
        out += [earlier] if STEPS[earlier].makes(experiment) else foundations(earlier, experiment)
    return out


def _table(table: Any) -> Any:
    return table.model_dump() if hasattr(table, "model_dump") else table
