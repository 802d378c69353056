"""What does a net do when SMAP or AMSR2 is silent, and does it help to silence them at random while it learns?

    python tools/studies_sensors.py                       # what is missing is made; the table is printed
    python tools/studies_sensors.py --seeds 11 --shares 0 0.1
    python tools/studies_sensors.py --run runs/demo       # of the nets of a finished run; nothing is trained

Each seed is one twin Earth of the demo with one training for each share of samples in which a sensor is made missing
(`train.sensor_dropout`), and one for each sensor alone. Each net answers the held-out year three times: with all, and
with each sensor's inputs withheld. All records of a seed, the climatology and the reanalysis are scored against the
truth on the cell-days that all know, morning and evening together. Values are means over the seeds (each seed's
in brackets after the figure's name); their intervals treat the seeds as independent.

A seed's folder holds its Earth (the steps twin, read, assemble); a folder in it for each share the nets. What is there
is not made again. `--take FOLDER` copies finished Earths FOLDER/<seed> instead of simulating them.
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from frostline import classic, store
from frostline.cli import execute
from frostline.config import read_experiment
from frostline.config_north import North
from frostline.learn.checkpoint import load
from frostline.learn.predict import predict
from frostline.runs import Run, provenance, write_json
from frostline.schema import record
from frostline.steps import model
from frostline.steps.common import grid_of, roles
from frostline.steps.evidence import as_record
from frostline.steps.outage import sees, withheld
from frostline.steps.reference import relative
from frostline.validate.rows import evaluate

FOLDER = Path("runs", "studies", "sensors")
SEEDS = (11, 12, 13)  # of development: none of those that results are reported for
SHARES = (0.0, 0.1, 0.3)
EPOCHS = 8
EARTH = ("truth.zarr", "stack.zarr", "sites.nc", "inventory.json", "steps.json")
SMAP, AMSR2 = '["tb_1v","tb_1h"]', '["tb_18v","tb_18h","tb_36v","tb_36h"]'
ALONE = {"smap": "unet_18_36", "amsr2": "unet_1"}  # the net that never sees a sensor
SPLIT = "heldout"
STRATA = ("all", "area:trained", "area:heldout", "season:DJF", "season:MAM", "season:JJA", "season:SON")


def main(arguments: Sequence[str] | None = None) -> None:
    """Make what is missing, then print the tables."""
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--experiment", type=Path, default=Path("examples", "demo.toml"))
    ask.add_argument("--run", type=Path, help="a finished run of the experiment, whose own nets are judged")
    ask.add_argument("--seeds", type=int, nargs="+", default=list(SEEDS))
    ask.add_argument("--shares", type=float, nargs="+", default=list(SHARES), help="of samples without a sensor")
    ask.add_argument("--epochs", type=int, default=EPOCHS)
    ask.add_argument("--folder", type=Path, default=FOLDER)
    ask.add_argument("--take", type=Path, help="folder of finished Earths, by seed")
    ask.add_argument("--set", action="append", default=[], dest="more", help="table.key=value, as frostline --set")
    ask.add_argument("--workers", type=int, default=2)
    got = ask.parse_args(arguments)
    if got.run is not None:
        experiment = read(got.experiment, got.more)
        found = {experiment.twin.seed if experiment.twin is not None else 0: of_run(experiment, got.run)}
        print("\n".join(page(found, f"python tools/studies_sensors.py --run {got.run}")))
        return
    rows = {}
    for seed in got.seeds:
        place = got.folder / str(seed)
        settings = (*got.more, f"twin.seed={seed}", f"train.epochs={got.epochs}")
        earth(got.experiment, settings, place, got.take and got.take / str(seed), got.workers)
        for share in got.shares:
            more = (f"train.sensor_dropout={share}", f"train.compare={f'[{SMAP},{AMSR2}]' if not share else '[]'}")
            learn(read(got.experiment, (*settings, *more)), place, place / f"{share:g}", got.workers)
        rows[seed] = judged(read(got.experiment, settings), place, got.shares)
    print("\n".join(page(rows, "python tools/studies_sensors.py")))


def read(path: Path, settings: Sequence[str]) -> North:
    """The experiment with its overrides; only the north system has two sensors."""
    experiment = read_experiment(path, tuple(settings))
    if not isinstance(experiment, North):
        raise SystemExit(f"{path} is no experiment of the north system")
    return experiment


def earth(path: Path, settings: Sequence[str], place: Path, take: Path | None, workers: int) -> None:
    """A seed's Earth: its truth, its stack and its stations."""
    if take is not None and not (place / "stack.zarr").exists():
        if "assemble" not in json.loads((take / "steps.json").read_text(encoding="utf-8")):
            raise SystemExit(f"{take} has no finished stack")
        place.mkdir(parents=True, exist_ok=True)
        for name in EARTH:
            copy = shutil.copytree if (take / name).is_dir() else shutil.copy2
            copy(take / name, place / name)
    if not (place / "stack.zarr").exists() or take is None:
        execute(path, ["twin", "read", "assemble"], tuple(settings), place, workers, False, False)


def learn(experiment: North, earth: Path, folder: Path, workers: int) -> None:
    """The nets of one share of samples without a sensor, on a seed's Earth."""
    told = json.dumps([table and table.model_dump() for table in (experiment.split, experiment.train)])
    if (folder / "done").exists() and (folder / "done").read_text(encoding="utf-8") == told:
        return
    folder.mkdir(parents=True, exist_ok=True)
    for name in EARTH[:-1]:
        if not (folder / name).is_symlink():
            (folder / name).symlink_to((earth / name).resolve())
    model.train(experiment, Run(folder.resolve(), workers=workers))
    (folder / "done").write_text(told, encoding="utf-8")


def answers(experiment: North, folder: Path, name: str, without: Sequence[str]) -> xr.Dataset:
    """What a net says of the held-out days, in memory."""
    held = roles(experiment)[0] == SPLIT
    stack = relative(experiment, Run(folder))
    at = np.cumsum(held) - 1
    frozen = np.full((held.sum(), *(stack.sizes[d] for d in ("overpass", "y", "x"))), np.nan, np.float32)
    for part, code, p, *_ in predict(load(folder / "checkpoints" / name), stack, days=held, without=without):
        frozen[at[part], code] = p
    time, overpass = stack["time"].values[held], stack["overpass"].values
    return record(frozen, grid=grid_of(experiment), time=time, overpass=overpass)


def judged(experiment: North, place: Path, shares: Sequence[float]) -> dict[str, Any]:
    """Rows of all records of a seed against the truth, and the commit: `scores.json` of its folder."""
    told = {"shares": [*shares], "experiment": experiment.model_dump(by_alias=True)}
    kept = place / "scores.json"
    if kept.exists() and (old := json.loads(kept.read_text(encoding="utf-8")))["of"] == json.loads(json.dumps(told)):
        return dict(old)
    records: dict[str, xr.Dataset] = {}
    pairs: list[tuple[str, str]] = []
    cases = {"": (), **{f" without {who}": (who,) for who in withheld_of(experiment)}}
    for share in shares:
        for case, without in cases.items():
            name = f"dropout {share:g}{case}"
            records[name] = answers(experiment, place / f"{share:g}", "unet", without)
            pairs += [(name, f"dropout {shares[0]:g}{case}")] if share != shares[0] else []
            pairs += [(name, f"dropout {share:g}")] if without else []
    if 0.0 in shares:
        for who, name in ALONE.items():
            records[name] = answers(experiment, place / "0", name, ())
            pairs += [(f"dropout {share:g} without {who}", name) for share in shares]
    rows = against_truth(experiment, place, records, pairs)
    write_json(kept, {"of": told, "commit": provenance()["commit"], "rows": rows})
    return dict(json.loads(kept.read_text(encoding="utf-8")))


def of_run(experiment: North, place: Path) -> dict[str, Any]:
    """Rows of a finished run's own nets: `unet` with all, and without each sensor beside the nets that never see it."""
    assert experiment.train is not None
    inputs = model.nets(experiment.train)
    records = {name: answers(experiment, place, name, ()) for name in inputs}
    pairs = []
    for who in withheld_of(experiment):
        name = f"unet without {who}"
        records[name] = answers(experiment, place, "unet", (who,))
        pairs += [(name, n) for n, channels in inputs.items() if n == "unet" or not sees(channels, who)]
    rows = against_truth(experiment, place, records, pairs)
    return {"commit": provenance()["commit"], "rows": json.loads(json.dumps(rows))}


def against_truth(
    experiment: North, place: Path, nets: Mapping[str, xr.Dataset], pairs: Sequence[tuple[str, str]]
) -> list[dict[str, Any]]:
    """Rows of the nets' records, the climatology and the reanalysis on held-out days, against the twin's truth."""
    days, cells = roles(experiment)
    stack = store.open_store(place / "stack.zarr", chunks={})
    grid, time = grid_of(experiment), stack["time"].values
    teacher = stack["label_reanalysis"].where(stack["land"] == 1)
    taught = xr.DataArray(days == "train", coords={"time": time}, dims="time")
    half = experiment.validate_.climatology_days if experiment.validate_ is not None else 7
    table = classic.climatology(teacher, days=taught, half_window=half)
    records = {
        "climatology": classic.climatology_record(table, time, grid=grid),
        "reanalysis": as_record(teacher, grid),
    }
    records |= nets
    truth = as_record(store.open_store(place / "truth.zarr", chunks={})["truth"], grid)
    held = {SPLIT: xr.DataArray(days == SPLIT, coords={"time": time}, dims="time")}
    areas = {"area:trained": cells == "train", "area:heldout": cells == SPLIT}
    rows = evaluate(records, {"truth": truth}, days=held, strata=areas, differences=pairs, pooled=True)
    return [r for r in rows if r["score"] in ("accuracy", "accuracy_difference")]


def withheld_of(experiment: North) -> list[str]:
    """The sensors that the net sees."""
    assert experiment.train is not None
    return [who for who in withheld(ALONE).values() if sees(experiment.train.inputs, who)]


def mean(found: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """A mean over seeds with its interval, n and skill: half widths add as squares, two of 0.03 and 0.04 to 0.025."""
    k = len(found)
    value = sum(r["value"] for r in found) / k
    below = sum((r["value"] - r["lo"]) ** 2 for r in found) ** 0.5 / k
    above = sum((r["hi"] - r["value"]) ** 2 for r in found) ** 0.5 / k
    skill = sum(r["skill"] if r["skill"] is not None else np.nan for r in found) / k
    return {"value": value, "lo": value - below, "hi": value + above, "n": sum(r["n"] for r in found), "skill": skill}


def page(kept: dict[int, dict[str, Any]], command: str) -> list[str]:
    """A line for each figure, as docs/results.md has them: accuracies, then differences."""
    by = {
        seed: {
            (r["record"], r["overpass"], r["stratum"], r["score"]): r
            for r in one["rows"]
            if r["lo"] is not None and r["lo"] == r["lo"]
        }
        for seed, one in kept.items()
    }
    commit = ", ".join(dict.fromkeys(one["commit"] for one in kept.values()))
    last = f"`{command}` | {commit} | twin {', '.join(map(str, kept))}, train 1"
    names = dict.fromkeys(r["record"] for one in kept.values() for r in one["rows"])
    lines = ["| figure | value [lo, hi] | n | skill | command | commit | seed |", "|---|---|---|---|---|---|---|"]
    for score in ("accuracy", "accuracy_difference"):
        for stratum in STRATA:
            for name in names:
                found = [by[seed][key] for seed in by if (key := (name, "pooled", stratum, score)) in by[seed]]
                if not found or len(found) < len(by):
                    continue
                whole = mean(found)
                each = ", ".join(f"{r['value']:.3f}" for r in found)
                figure = f"{name}: {score} against truth, {SPLIT}, pooled, {stratum} ({each})"
                told = "{value:.3f} [{lo:.3f}, {hi:.3f}] | {n} | {skill:.2f}".format(**whole)
                lines.append(f"| {figure} | {told} | {last} |")
    return lines


if __name__ == "__main__":
    main()
