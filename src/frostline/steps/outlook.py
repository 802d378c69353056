"""What an experiment would do, verified before anything runs."""

from __future__ import annotations

import shutil

from frostline import gapfill
from frostline.config import Experiment
from frostline.errors import ConfigError, DiskError
from frostline.runs import Run, finished
from frostline.steps import STEPS, foundations, mark_of
from frostline.steps.common import days_of, folders, grid_of, roles
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
    size = len(days) * grid.shape[0] * grid.shape[1] * BYTES_PER_CELL_DAY
    free = shutil.disk_usage(run.folder).free
    lines = [
        f"{experiment.title}",
        f"grid      {grid.name} {grid.shape[0]} x {grid.shape[1]}, {len(days)} days, morning and evening",
        f"disk      at most {size / 1e9:.2f} GB of stores; {free / 1e9:.1f} GB free in {run.folder}",
    ]
    if size > free:
        cause = f"the stores need up to {size / 1e9:.1f} GB, {free / 1e9:.1f} GB are free"
        raise DiskError("E-DISK", where=run.folder, cause=cause, remedy="choose another --run folder")
    if experiment.split is not None:
        counts = {role: int((day_role == role).sum()) for role in ("train", "validation", "heldout")}
        cells = {role: int((cell_role == role).sum()) for role in ("train", "validation", "heldout")}
        lines.append(f"split     days {counts}, cells {cells}, nobody's {int((cell_role == '').sum())}")
    if experiment.train is not None:
        lines.append(f"nets      {', '.join(nets(experiment.train))}")
    if experiment.twin is None or run.path("data").exists():
        for product, place in folders(experiment, run).items():
            count = sum(p.is_file() for p in place.rglob("*")) if place.is_dir() else 1
            lines.append(f"input     {product}: {count} files in {place}")
    else:
        lines.append("input     made by the twin Earth")
    lines += [f"step      {name}: {_state(name, experiment, run)}" for name in STEPS]
    return lines


def _state(name: str, experiment: Experiment, run: Run) -> str:
    entry = finished(run, name)
    if entry is None or any(finished(run, earlier) is None for earlier in foundations(name, experiment)):
        return "to do"
    done = entry["fingerprint"] == mark_of(name, experiment, run)
    return f"done {entry['finished']}" if done else "to do again (its inputs changed)"
