"""The middle steps: a net learns from the stack, and a record is predicted into its store."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from frostline import store
from frostline.config_north import North, TrainTable
from frostline.errors import ConfigError
from frostline.grid import Grid, named
from frostline.learn.checkpoint import load
from frostline.runs import Run, read_json
from frostline.schema import INSTRUMENTS, QUALITY
from frostline.steps import calibrate, outage, watch
from frostline.steps.beside import answering, beside, teller, threads
from frostline.steps.common import SOURCES, days_of, grid_of, rival_name, roles
from frostline.steps.fields import reanalysis_labels
from frostline.steps.reference import FILE, relative, write_reference
from frostline.steps.refusals import refuser
from frostline.steps.sharpness import note_resolution
from frostline.steps.teachers import with_teachers

WATER, ICE = 17, 15  # IGBP (formats.md 7)
RECORD = ("frozen", "quality", "age")


def nets(table: TrainTable) -> dict[str, tuple[str, ...]]:
    """The nets of an experiment by record name: `unet`, and the rivals by their frequencies."""
    named_nets: dict[str, tuple[str, ...]] = {"unet": tuple(table.inputs)}
    for inputs in table.compare:
        name = rival_name(inputs)
        if name in named_nets:
            raise ConfigError("E-CONFIG", where="train.compare", cause=f"two input sets are both called {name}")
        named_nets[name] = tuple(inputs)
    return named_nets


def members(table: TrainTable, name: str) -> list[str]:
    """The trainings behind a net's record: `unet`, then `unet@2`, ... with the seeds that follow."""
    return [name, *(f"{name}@{k}" for k in range(2, table.members + 1))]


def train(experiment: North, run: Run) -> dict[str, Any]:
    """Train the net and its rivals on the declared days and cells; one checkpoint folder each."""
    table = experiment.train
    if table is None:
        return {"skipped": "no [train] table"}
    watch.watch_stations(experiment, run)
    (run.folder / FILE).unlink(missing_ok=True)
    (run.folder / calibrate.FILE).unlink(missing_ok=True)
    if table.reference == "cell":
        write_reference(experiment, run, sorted({c for inputs in nets(table).values() for c in inputs}))
    return beside(_train_one, experiment, run, [one for name in nets(table) for one in members(table, name)])


def _train_one(experiment: North, folder: Path, name: str, share: int, quiet: bool) -> dict[str, Any]:
    """Train one net of the experiment into `checkpoints/<name>`; epochs, the best of them and its MCC."""
    from frostline.learn.train import train as learn

    table = experiment.train
    assert table is not None
    run = Run(folder, workers=share, quiet=quiet)
    threads(run)
    base, _, number = name.partition("@")
    day_role, cell_role = roles(experiment)
    taught = cell_role == "train"
    chosen = cell_role == "validation"
    stack, teachers = with_teachers(experiment, run, relative(experiment, run))
    checkpoint = learn(
        stack,
        inputs=nets(table)[base],
        statics=table.statics,
        extras=table.extras,
        days={role: day_role == role for role in ("train", "validation")},
        area=taught,
        validation_area=chosen if chosen.any() else taught,
        work_dir=run.path("work", name),
        net=table.net,
        net_options={"width": table.width, "depth": table.depth, "dropout": table.dropout, "head": table.head},
        epochs=table.epochs,
        batch=table.batch,
        crop=min(table.crop, *taught.shape),
        augment=table.augment,
        sensor_dropout=table.sensor_dropout,
        learning_rate=table.learning_rate,
        weight_decay=table.weight_decay,
        lambda_reanalysis=table.lambda_reanalysis,
        lambda_station=table.lambda_station,
        lambda_lv=table.lambda_variation,
        lv_on=table.variation_on,
        select=table.select,
        teachers=teachers,
        precision=table.precision,
        seed=table.seed + int(number or 1) - 1,
        progress=teller(run, name),
    )
    checkpoint.save(run.path("checkpoints", name))
    shutil.rmtree(run.path("work", name), ignore_errors=True)
    best = int(checkpoint.provenance["best_epoch"])
    mcc = checkpoint.history[best - 1]["mcc"]
    return {"epochs": len(checkpoint.history), "best_epoch": best, "mcc": mcc}


def predict(experiment: North, run: Run) -> dict[str, Any]:
    """The record of each net, or of the reanalysis, straight into its store."""
    if experiment.predict.method == "reanalysis":
        return _reanalysis_records(experiment, run)
    assert experiment.train is not None
    watch.watch(experiment, run)
    partial = outage.withheld(experiment.predict.withhold)
    for stale in set(outage.withheld(INSTRUMENTS)) - set(partial):
        shutil.rmtree(record_path(run, stale), ignore_errors=True)
    notes: dict[str, Any] = beside(_predict_one, experiment, run, [*nets(experiment.train), *partial])
    if experiment.predict.calibrate == "none":
        (run.folder / calibrate.FILE).unlink(missing_ok=True)
        shutil.rmtree(record_path(run, calibrate.RAW), ignore_errors=True)
        return notes | _resolved(experiment, run)
    found = calibrate.calibrate(experiment, run, raw=record_path(run, calibrate.RAW), into=record_path(run, "unet"))
    for name in partial:
        outage.scale_too(experiment, run, raw=record_path(run, f"{name}_raw"), into=record_path(run, name))
    said = {name: {k: one[k] for k in ("kept", "gain", "sites")} for name, one in found.items()}
    return notes | {"calibration": said} | _resolved(experiment, run)


def _resolved(experiment: North, run: Run) -> dict[str, Any]:
    """The effective resolution of each net's record, estimated and written into it; what could be told, km."""
    assert experiment.train is not None
    found = {name: note_resolution(experiment, run, record_path(run, name)) for name in nets(experiment.train)}
    told = {name: one for name, one in found.items() if one}
    return {"resolution": told} if told else {}


def _predict_one(experiment: North, folder: Path, name: str, share: int, quiet: bool) -> int:
    """Write the record of one net, or of `unet` with a sensor withheld; the number of verified steps."""
    from frostline.learn.ensemble import averaged
    from frostline.learn.predict import predict as infer

    run = Run(folder, workers=share, quiet=quiet)
    stack = relative(experiment, run)
    assert experiment.train is not None
    without = outage.withheld(experiment.predict.withhold).get(name)
    parts = members(experiment.train, "unet" if without else name)
    checkpoints = [load(run.path("checkpoints", one)) for one in parts]
    engines = [answering(run, one, experiment.predict.precision) for one in checkpoints]
    channels = list(checkpoints[0].channels)
    attrs: dict[str, Any] = {"source": f"frostline {name}", "experiment": experiment.title, "net_inputs": channels}
    attrs |= {"net_members": len(checkpoints)} if len(checkpoints) > 1 else {}
    attrs |= {"precision": engines[0].precision}
    attrs |= watch.attrs(experiment, run) | ({"withheld": without} if without else {})
    raw = (name == "unet" or without) and experiment.predict.calibrate != "none"
    path = new_record(record_path(run, f"{name}_raw" if raw else name), stack, grid_of(experiment), attrs)
    cover = cover_flags(stack)
    passes = {int(code): i for i, code in enumerate(stack["overpass"].values)}
    batch = store.chunk_days(grid_of(experiment))
    total = len(passes) * -(-stack.sizes["time"] // batch)
    low = experiment.predict.low_confidence
    hidden = [without] if without else []
    options: dict[str, Any] = {"batch": batch, "low_confidence": low, "without": hidden}
    each = [infer(one, stack, engine=by, **options) for one, by in zip(checkpoints, engines, strict=True)]
    blocks = averaged(each, low_confidence=low)
    with store.writer(path) as write:
        for part, code, frozen, quality, age in run.track(blocks, total=total, label=f"predicting {name}"):
            arrays = {"frozen": frozen, "quality": quality | cover, "age": age}
            write(part.start, arrays, overpass=passes[int(code)])
    return int(store.verified(path).sum())


def cover_flags(stack: xr.Dataset) -> np.ndarray:
    """Quality bits (y, x) that follow from the land cover alone: open water and permanent ice."""
    if "land_cover" not in stack:
        return np.zeros((stack.sizes["y"], stack.sizes["x"]), np.uint16)
    cover = stack["land_cover"].values
    bits = np.where(cover == WATER, QUALITY["open_water"], np.where(cover == ICE, QUALITY["permanent_ice"], 0))
    return bits.astype(np.uint16)


def record_path(run: Run, name: str) -> Path:
    """Where a record of the run lies: `record.zarr` is the net's own."""
    return run.path("record.zarr" if name == "unet" else f"record_{name}.zarr")


def new_record(path: Path, like: xr.Dataset, grid: Grid, attrs: Mapping[str, Any]) -> Path:
    """An empty record store on the days and overpasses of another dataset."""
    return store.create(
        path,
        grid=grid,
        time=like["time"].values,
        overpass=like["overpass"].values,
        variables=RECORD,
        attrs={"effective_resolution": "coarser than the posting: set by the largest footprint used", **attrs},
    )


def _reanalysis_records(experiment: North, run: Run) -> dict[str, Any]:
    """Reanalysis states as records: on the stack's grid, and on further whole grids from the same hours."""
    stack = store.open_store(run.path("stack.zarr"))
    land = stack["land"].values == 1
    notes = {}
    inventory = read_json(run.path("inventory.json"))
    source = SOURCES["era5" if "era5" in inventory else "gldas"]
    attrs = {"source": f"{source}: soil below {experiment.labels.threshold} K", "experiment": experiment.title}
    path = new_record(record_path(run, "reanalysis"), stack, grid_of(experiment), attrs)
    with store.writer(path) as write:
        for t in range(stack.sizes["time"]):
            for o in range(stack.sizes["overpass"]):
                state = stack["label_reanalysis"][t, o].values
                write(t, _known(np.where(land, state, np.nan), land), overpass=o)
    notes["reanalysis"] = int(store.verified(path).sum())
    for name in experiment.predict.more_grids:
        from frostline.steps.places import statics

        grid, days = named(name), days_of(experiment)
        land = statics(experiment, inventory, grid)["land"] == 1
        fields = reanalysis_labels(experiment, inventory, grid, days, refuser(inventory, run))
        assert fields is not None
        path = new_record(record_path(run, name), stack, grid, attrs)
        at = {day: t for t, day in enumerate(days)}
        with store.writer(path) as write:
            for day, code, _, state in fields:
                write(at[day], _known(np.where(land, state, np.nan), land), overpass=code)
        notes[name] = int(store.verified(path).sum())
    return notes


def _known(frozen: np.ndarray, land: np.ndarray) -> dict[str, np.ndarray]:
    """One day's record of a field (y, x), with the flags of what is unknown."""
    unknown = np.isnan(frozen)
    quality = np.where(~land, QUALITY["outside_domain"], np.where(unknown, QUALITY["input_missing"], 0))
    age = np.where(unknown, 255, 0)
    return {"frozen": frozen[None], "quality": quality[None].astype("uint16"), "age": age[None].astype("uint8")}
