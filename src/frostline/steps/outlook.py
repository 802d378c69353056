"""What an experiment would do, verified before anything runs."""

from __future__ import annotations

import shutil

from frostline import gapfill
from frostline.config import Experiment, Gridded
from frostline.config_given import Given
from frostline.config_north import North
from frostline.errors import ConfigError, DiskError, InputError
from frostline.runs import Run, finished
from frostline.steps import archives, foundations, mark_of
from frostline.steps.common import days_of, folders, grid_of, roles
from frostline.steps.inputs import stock
from frostline.steps.model import members, nets
from frostline.steps.order import STEPS

# packed bytes of a cell's day: predictors, ages, labels, temperature and records of north; of china four predictors at
# each sampled hour, labels and a temperature, and records of an octet with its quality and age
NORTH_BYTES = 2 * (6 * 2 + 3 + 2 + 2 + 4)
RECORD_BYTES = 2 * 4


def outlook(experiment: Experiment, run: Run) -> list[str]:
    """Lines that say what there is, what is missing and what it costs; errors are raised as they would be later."""
    lines = [f"{experiment.title}", f"system    {experiment.system}"]
    if not isinstance(experiment, Given):
        lines += described(experiment, run)
    lines += inputs(experiment, run)
    lines += [f"step      {name}: {_state(name, experiment, run)}" for name in STEPS[experiment.system]]
    return lines


def described(experiment: Gridded, run: Run) -> list[str]:
    """Grid, disk, split and nets; E-CONFIG for a preset that is none, E-DISK where the stores do not fit."""
    grid, days = grid_of(experiment), days_of(experiment)
    day_role, cell_role = roles(experiment)
    names: list[str] = []
    if isinstance(experiment, North):
        more = (*experiment.predict.withhold, *experiment.classics.records())
        table, size = experiment.assemble, NORTH_BYTES + RECORD_BYTES * len(more)
        for preset in (table.gapfill_smap, table.gapfill_amsr2):
            if preset not in gapfill.PRESETS:
                raise ConfigError("E-CONFIG", where="assemble", cause=f"no gap-filling preset is called {preset!r}")
        learns = experiment.train
        names = [one for net in nets(learns) for one in members(learns, net)] if learns is not None else []
    else:
        made = [*experiment.train.targets, *experiment.fuse.compare, "fused", "recalibrated"]
        steps = len(experiment.assemble.hours_before)
        size = 2 * (2 * len(experiment.assemble.variables) * steps + 5) + RECORD_BYTES * len(made)
        names = [f"convlstm_{target}" for target in experiment.train.targets]
    size *= len(days) * grid.shape[0] * grid.shape[1]
    free = shutil.disk_usage(run.folder).free
    lines = [
        f"grid      {grid.name} {grid.shape[0]} x {grid.shape[1]}, {len(days)} days, morning and evening",
        f"disk      at most {size / 1e9:.2f} GB of stores; {free / 1e9:.1f} GB free in {run.folder}",
    ]
    if experiment.split is not None:
        counts = {role: int((day_role == role).sum()) for role in ("train", "validation", "heldout")}
        cells = {role: int((cell_role == role).sum()) for role in ("train", "validation", "heldout")}
        lines.append(f"split     days {counts}, cells {cells}, nobody's {int((cell_role == '').sum())}")
    lines += [f"nets      {', '.join(names)}"] if names else []
    if size > free:
        cause = f"the stores need up to {size / 1e9:.1f} GB, {free / 1e9:.1f} GB are free"
        raise DiskError("E-DISK", where=run.folder, cause=cause, remedy="choose another --run folder")
    return lines


def inputs(experiment: Experiment, run: Run) -> list[str]:
    """A line per product; every file is looked into, and one error tells of all products that cannot be used."""
    if isinstance(experiment, Given):
        return [f"input     {product}: {place}" for product, place in folders(experiment, run).items()]
    if experiment.twin is not None and not run.path("data").exists():
        return ["input     made by the twin Earth"]
    lines, useless = [], []
    look = stock if isinstance(experiment, North) else archives.look
    for product, place in folders(experiment, run).items():
        try:
            entry = look(product, place, days_of(experiment), run)
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
