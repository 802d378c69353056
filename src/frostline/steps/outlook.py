"""What an experiment would do, verified before anything runs."""

from __future__ import annotations

import shutil

from frostline import gapfill
from frostline.config import Experiment
from frostline.errors import ConfigError, DiskError, InputError
from frostline.runs import Run, finished
from frostline.steps import STEPS, foundations, mark_of
from frostline.steps.common import days_of, folders, grid_of, roles
from frostline.steps.inputs import stock
from frostline.steps.model import nets

BYTES_PER_CELL_DAY = 2 * (6 * 2 + 3 + 2 + 2 + 4)  # packed predictors, ages, labels, temperature and record


def outlook(experiment: Experiment, run: Run) -> list[str]:
    """Lines that say what there is, what is missing and what it costs; errors are raised as they would be later."""
    grid, days = grid_of(experiment), days_of(experiment)
    day_role, cell_role = roles(experiment)
    table = experiment.assemble
    for preset in (table.gapfill_smap, table.gapfill_amsr2):
        if preset not in gapfill.PRESETS:
            raise ConfigError("E-CONFIG", where="assemble", cause=f"no gap-filling preset is called {preset!r}")
    found = inputs(experiment, run)
    size = len(days) * grid.shape[0] * grid.shape[1] * BYTES_PER_CELL_DAY
    free = shutil.disk_usage(run.folder).free
    lines = [
        f"{experiment.title}",
        f"grid      {grid.name} {grid.shape[0]} x {grid.shape[1]}, {len(days)} days, morning and evening",
        f"disk      at most {size / 1e9:.2f} GB of stores; {free / 1e9:.1f} GB free in {run.folder}",
    ]
    if experiment.split is not None:
        counts = {role: int((day_role == role).sum()) for role in ("train", "validation", "heldout")}
        cells = {role: int((cell_role == role).sum()) for role in ("train", "validation", "heldout")}
        lines.append(f"split     days {counts}, cells {cells}, nobody's {int((cell_role == '').sum())}")
    if experiment.train is not None:
        lines.append(f"nets      {', '.join(nets(experiment.train))}")
    lines += found
    lines += [f"step      {name}: {_state(name, experiment, run)}" for name in STEPS]
    if size > free:
        cause = f"the stores need up to {size / 1e9:.1f} GB, {free / 1e9:.1f} GB are free"
        raise DiskError("E-DISK", where=run.folder, cause=cause, remedy="choose another --run folder")
    return lines


def inputs(experiment: Experiment, run: Run) -> list[str]:
    """A line per product; every file is looked into, and one error tells of all products that cannot be used."""
    if experiment.twin is not None and not run.path("data").exists():
        return ["input     made by the twin Earth"]
    lines, useless = [], []
    for product, place in folders(experiment, run).items():
        try:
            entry = stock(product, place, days_of(experiment), run)
        except InputError as error:
            useless.append(error)
            continue
        counts = {"days without any": len(entry["missing_days"]), "broken": len(entry["bad"])}
        more = "".join(f", {count} {what}" for what, count in counts.items() if count)
        lines.append(f"input     {product}: {len(entry['files'])} files in {place}{more}")
    if len(useless) > 1:
        cause = "; ".join(f"{error.where}: {error.cause}" for error in useless)
        raise InputError(useless[0].code, cause=cause, remedy="put the files there, or take those keys out of [inputs]")
    if useless:
        raise useless[0]
    return lines


def _state(name: str, experiment: Experiment, run: Run) -> str:
    entry = finished(run, name)
    if entry is None or any(finished(run, earlier) is None for earlier in foundations(name, experiment)):
        return "to do"
    done = entry["fingerprint"] == mark_of(name, experiment, run)
    return f"done {entry['finished']}" if done else "to do again (its inputs changed)"
