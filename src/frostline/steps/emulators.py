"""The emulators: ConvLSTMs learn what satellites said of reanalysis fields, and say it for every day there is."""

from __future__ import annotations

import shutil
from contextlib import ExitStack
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from frostline import labels, store
from frostline.clock import OVERPASS_NAMES
from frostline.config_china import China
from frostline.errors import InputError
from frostline.learn.checkpoint import load
from frostline.runs import Run, fingerprint, finished, identity
from frostline.schema import QUALITY
from frostline.steps import watch
from frostline.steps.beside import answering, beside, teller, threads
from frostline.steps.common import days_of, grid_of, roles
from frostline.steps.shelf import made_of, new_store, record_path, sites_of

WATER, ICE = 5, 6  # CLCD (read.statics_codes)
HEADS = {"logit": "frozen", "literal3": "literal3"}  # the key's names, and the network's


def nets(experiment: China, overpasses: Any) -> dict[str, tuple[tuple[str, ...], int]]:
    """The networks by name, each with its targets (a head each) and its overpass.

    `convlstm_smap_am`, ... one for each target; or, with `heads` together, `convlstm_am`, `convlstm_pm`.
    """
    targets: tuple[str, ...] = experiment.train.targets
    groups = {"convlstm": targets} if experiment.train.heads == "together" else {f"convlstm_{t}": (t,) for t in targets}
    return {f"{n}_{OVERPASS_NAMES[int(c)]}": (group, int(c)) for n, group in groups.items() for c in overpasses}


def train(experiment: China, run: Run) -> dict[str, Any]:
    """Train the networks on the declared days and cells; one checkpoint folder each. Days of nobody are told."""
    watch.watch_stations(experiment, run)
    told = spare_days(experiment)
    if told["spans"] and not run.quiet:
        spans = ", ".join(told["spans"])
        run.say(f"  {told['days']} days between the split's first and last belong to nobody: {spans}")
    stack = _stack(run)
    wanted = {"targets": [f"label_{t}" for t in experiment.train.targets], "statics": experiment.train.statics}
    for key, names in wanted.items():
        if lost := [name for name in names if name not in stack]:
            cause = f"the stack has no {', '.join(lost)}"
            remedy = f"name its input under [inputs], or take it out of train.{key}"
            raise InputError("E-INPUT-MISSING", where=f"train.{key}", cause=cause, remedy=remedy)
    names = list(nets(experiment, stack["overpass"].values))
    for folder in run.path("checkpoints").glob("*/"):  # of targets that are no longer asked for
        if folder.name not in names:
            shutil.rmtree(folder)
    notes: dict[str, Any] = beside(_train_one, experiment, run, names)
    return notes | {"days_of_nobody": told}


def spare_days(experiment: China) -> dict[str, Any]:
    """How many days between the first and the last of the split nobody has, and their spans; and those of each role.

    Such as April to October 2017 of Cui et al. 2024, and the buffers.
    """
    day, role = days_of(experiment).astype("datetime64[D]"), roles(experiment)[0]
    used = np.flatnonzero(role != "")
    spans, count = [], 0
    if len(used):
        inside = np.arange(used[0], used[-1] + 1)
        for idle, group in groupby(inside, key=lambda i: role[i] == ""):
            those = list(group)
            if idle:
                spans.append(f"{day[those[0]]}..{day[those[-1]]}")
                count += len(those)
    by_role = {name: int((role == name).sum()) for name in ("train", "validation", "heldout")}
    return {"days": count, "spans": spans} | by_role


def _train_one(experiment: China, folder: Path, name: str, share: int, quiet: bool) -> dict[str, Any]:
    """Train one network into `checkpoints/<name>`; epochs, the best of them and its MCC."""
    from frostline.learn.train import train as learn

    table = experiment.train
    run = Run(folder, workers=share, quiet=quiet)
    threads(run)
    stack = _stack(run)
    targets, code = nets(experiment, stack["overpass"].values)[name]
    if table.lambda_station > 0:
        stack = stack.assign(label_station=_station_labels(experiment, run, stack))
    day_role, cell_role = roles(experiment)
    taught, chosen = cell_role == "train", cell_role == "validation"
    checkpoint = learn(
        stack.isel(overpass=[stack["overpass"].values.tolist().index(code)]),
        inputs=inputs_of(experiment),
        statics=table.statics,
        extras=table.places,
        days={role: day_role == role for role in ("train", "validation")},
        area=taught,
        validation_area=chosen if chosen.any() else taught,
        work_dir=run.path("work", name),
        net="convlstm",
        net_options={
            "layers": table.layers,
            "width": table.width,
            "kernel": table.kernel,
            "peepholes": table.peepholes,
            "head": HEADS[table.head],
            "targets": len(targets),
        },
        products=dict.fromkeys(targets, 1.0),
        steps=table.steps,
        epochs=table.epochs,
        batch=table.batch,
        crop=min(table.crop, *taught.shape),
        augment=table.augment,
        learning_rate=table.learning_rate,
        weight_decay=table.weight_decay,
        lambda_reanalysis=0.0,
        lambda_station=table.lambda_station,
        lambda_lv=0.0,  # the paper has none
        select="products",
        seed=table.seed,
        progress=teller(run, name),
    )
    checkpoint.save(run.path("checkpoints", name))
    shutil.rmtree(run.path("work", name), ignore_errors=True)
    best = int(checkpoint.provenance["best_epoch"])
    return {"epochs": len(checkpoint.history), "best_epoch": best, "mcc": checkpoint.history[best - 1]["mcc"]}


def inputs_of(experiment: China) -> list[str]:
    """The predictors the networks see: the variables sampled before the overpass, and the means over windows."""
    table = experiment.assemble
    return [*table.variables, *(f"soil_temperature_{days}d" for days in table.windows)]


def _station_labels(experiment: China, run: Run, stack: xr.Dataset) -> xr.DataArray:
    """Training stations on their cells, on the stack's days and overpasses."""
    sites = sites_of(run, "train")
    if sites is None:
        cause = "train.lambda_station is above 0, and no station teaches"
        raise InputError("E-INPUT-MISSING", where="sites.nc", cause=cause, remedy="set train.lambda_station = 0")
    made = labels.to_cells(sites, grid_of(experiment), threshold=experiment.assemble.threshold)["label_station"]
    return made.reindex(time=stack["time"].values, overpass=stack["overpass"].values)


def predict(experiment: China, run: Run) -> dict[str, Any]:
    """The record of each target over the whole period, both overpasses, straight into its store."""
    watch.watch(experiment, run)
    return beside(_predict_one, experiment, run, list(experiment.train.targets))


def _predict_one(experiment: China, folder: Path, target: str, share: int, quiet: bool) -> int:
    """Write the record of one target, or what a stopped run left of it to write; the number of verified steps."""
    from frostline.learn.predict import predict as infer

    run = Run(folder, workers=share, quiet=quiet)
    stack, grid = _stack(run), grid_of(experiment)
    name, classes = f"convlstm_{target}", experiment.train.head == "literal3"
    overpasses = stack["overpass"].values.tolist()
    mine = {n: v for n, v in nets(experiment, overpasses).items() if target in v[0]}
    stores = {"frozen": record_path(run, name)} | ({"missing": missing_path(run, name)} if classes else {})
    precision = experiment.predict.precision
    mark = _mark(run, list(mine), experiment.fuse.low_confidence, precision)
    attrs = {
        "source": f"frostline {name}",
        "inputs": made_of(experiment, name),
        "effective_resolution": "that of the reanalysis, coarser than the posting",
        "made_with": mark,
        "precision": precision,
        **watch.attrs(experiment, run),
    }
    for kind, path in stores.items():
        if not path.exists() or store.open_store(path).attrs.get("made_with") != mark:
            names = ("frozen", "quality", "age") if kind == "frozen" else ("missing",)
            new_store(experiment, path, stack, variables=names, attrs=attrs)
    done = np.all([store.verified(path) for path in stores.values()], axis=0)
    cover, batch = cover_flags(stack), store.chunk_days(grid)
    with ExitStack() as open_:
        write = {kind: open_.enter_context(store.writer(path)) for kind, path in stores.items()}
        for net, (targets, code) in mine.items():
            k = overpasses.index(code)
            if done[:, k].all():
                continue
            checkpoint = load(run.path("checkpoints", net))
            blocks = infer(
                checkpoint,
                stack.isel(overpass=[k]),
                engine=answering(run, checkpoint, precision),
                batch=batch,
                days=~done[:, k],
                low_confidence=experiment.fuse.low_confidence,
                give="scores" if classes else "probability",
            )
            head = targets.index(target)
            total = -(-int((~done[:, k]).sum()) // batch)
            for part, _, out, quality, age in run.track(blocks, total=total, label=f"predicting {net}"):
                if classes:
                    frozen, missing = of_three(out[head])
                    write["missing"](part.start, {"missing": missing}, overpass=k)
                else:
                    frozen = out[head] if out.ndim == 4 else out
                flags = (quality[head] if quality.ndim == 4 else quality) | cover
                write["frozen"](part.start, {"frozen": frozen, "quality": flags, "age": age}, overpass=k)
    return int(store.verified(stores["frozen"]).sum())


def of_three(scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Scores (day, 3, y, x) of frozen, thawed, missing as (frozen among the first two, missing): softmax, (day, y, x).

    Scores 2, 1, -3 (algorithms.md 2.4): frozen 1 / (1 + exp(-1)) = .7311, missing exp(-3) / (e^2 + e + e^-3) = .0049.
    """
    raised = np.exp(scores - scores.max(axis=1, keepdims=True))
    frozen, thawed, missing = (raised[:, i] for i in range(3))
    both = frozen + thawed
    share = np.where(both > 0, frozen / np.where(both > 0, both, 1), 0.5)
    return np.where(np.isnan(missing), missing, share), missing / (both + missing)


def missing_path(run: Run, name: str) -> Path:
    """Where the scores of the class `missing` lie that a literal3 network gave beside its record."""
    return run.path(f"missing_{name}.zarr")


def cover_flags(stack: xr.Dataset) -> np.ndarray:
    """Quality bits (y, x) that follow from the land cover alone: open water and permanent ice."""
    cover = stack["land_cover_clcd"].values if "land_cover_clcd" in stack else np.zeros(())
    bits = np.where(cover == WATER, QUALITY["open_water"], np.where(cover == ICE, QUALITY["permanent_ice"], 0))
    return np.broadcast_to(bits.astype(np.uint16), (stack.sizes["y"], stack.sizes["x"]))


def _mark(run: Run, names: list[str], *options: float | str) -> str:
    """What a record of these networks stands on: their files and the stack; a record with another one is remade."""
    files = [identity(run.path("checkpoints", name)) for name in names]
    stack = finished(run, "assemble")
    return fingerprint(files, stack["fingerprint"] if stack is not None else None, *options)


def _stack(run: Run) -> xr.Dataset:
    return store.open_store(run.path("stack.zarr"))
