"""The order of things: which step stands on which, what each takes and makes, and when it may be skipped."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from frostline.config import Experiment
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
    "report": Step(pictures.report, ("map",), ("title",), lambda e: ("report.html",), "write the report"),
    "export": Step(
        pictures.export, ("predict",), ("title", "export"), lambda e: ("export",), "write netCDF and GeoTIFF files"
    ),
}


def run_step(name: str, experiment: Experiment, run: Run, *, force: bool = False) -> dict[str, Any]:
    """Run one step, or skip it when nothing it stands on changed; what it noted, with `fresh` when skipped."""
    step = STEPS[name]
    mark = mark_of(name, experiment, run)
    outputs = [run.path(p) for p in step.makes(experiment)]
    if not force and is_fresh(run, name, mark, outputs):
        return {"fresh": True}
    forget(run, [name])
    began = time.monotonic()
    notes = step.does(experiment, run)
    record_step(run, name, mark, seconds=time.monotonic() - began, notes=notes)
    return notes


def mark_of(name: str, experiment: Experiment, run: Run) -> str:
    """The fingerprint of a step: its tables, the fingerprints before it, and for `read` the files themselves."""
    step = STEPS[name]
    tables = {t: _table(getattr(experiment, t)) for t in step.tables}
    before = [upstream(run, earlier) for earlier in foundations(name, experiment)]
    files = {p: identity(place) for p, place in folders(experiment, run).items()} if name == "read" else {}
    return fingerprint(name, tables, before, files)


def foundations(name: str, experiment: Experiment) -> list[str]:
    """The steps that must have run: those before it, or what those stand on where they have nothing to do."""
    out: list[str] = []
    for earlier in STEPS[name].after:
        out += [earlier] if STEPS[earlier].makes(experiment) else foundations(earlier, experiment)
    return out


def _table(table: Any) -> Any:
    return table.model_dump() if hasattr(table, "model_dump") else table
