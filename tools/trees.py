"""Boosted trees on what the net sees and by what teaches it: what a net must beat before its convolutions mean much.

    python tools/trees.py examples/demo.toml runs/demo    # needs scikit-learn, and a run up to `validate`

Histogram gradient boosting (Friedman 2001; Ke et al. 2017) on the cell-days of the trained area: the same brightness
temperatures (as differences to the cell's mean where the net sees them so), gap ages, static fields and overpass; the
same labels in the same proportion; as many trees as lose least on days of validation. Writes scores_trees.json, the
rows of the held-out days on the cell-days that all records of the run know, and trees.json, how they were made.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from sklearn import __version__ as sklearn_version
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import log_loss

from frostline.config import read_experiment
from frostline.config_north import North
from frostline.grid import Grid
from frostline.learn.channels import sensor
from frostline.runs import Run, finished, read_json, write_json
from frostline.schema import record
from frostline.scores import SCORES
from frostline.steps.common import days_of, roles
from frostline.steps.evidence import claims, references
from frostline.steps.reference import relative
from frostline.steps.samples import BLOCK, sample, table
from frostline.validate.calibration import RELIABILITY
from frostline.validate.rows import evaluate

Array = np.ndarray
SAMPLES = 200_000  # cell-days of the reanalysis that teach; more change nothing that a table shows
TREES, LEAVES, RATE = 400, 31, 0.1
AGAINST = ("truth", "reanalysis", "stations")


def score_trees(path: Path, overrides: Sequence[str], folder: Path, *, samples: int = SAMPLES) -> list[dict[str, Any]]:
    """Train, predict the held-out days, score; nothing when the run's scores are those that were scored beside."""
    experiment, run = read_experiment(path, overrides), Run(folder.resolve())
    assert isinstance(experiment, North) and experiment.train is not None and experiment.validate_ is not None
    mark = (finished(run, "validate") or {}).get("fingerprint")
    if run.path("trees.json").exists() and read_json(run.path("trees.json"))["fingerprint"] == mark:
        return list(read_json(run.path("scores_trees.json")))
    stack, names = relative(experiment, run), features(experiment, relative(experiment, run))
    day, cell = roles(experiment)
    land = stack["land"].values == 1
    area = (cell == "train") & land
    chosen = (cell == "validation") & land if (cell == "validation").any() else area
    rng = np.random.default_rng(experiment.train.seed)
    weights = {"label_reanalysis": experiment.train.lambda_reanalysis, "label_station": experiment.train.lambda_station}
    options = {"sources": weights, "rng": rng}
    taught = sample(stack, names, days=day == "train", cells=area, samples=samples, **options)
    checked = sample(stack, names, days=day == "validation", cells=chosen, samples=samples // 4, **options)
    model, trees = grow(taught, checked, seed=experiment.train.seed)
    frozen = predict(model, stack, names, day == "heldout", land)
    rows = _rows(experiment, run, frozen, cell)
    write_json(run.path("scores_trees.json"), rows)
    notes = {"features": names, "trees": trees, "samples": len(taught[1]), "scikit-learn": sklearn_version}
    write_json(run.path("trees.json"), notes | {"fingerprint": mark})
    return rows


def features(experiment: North, stack: xr.Dataset) -> list[str]:
    """What the net sees, by names of the stack: inputs, the gap ages of their sensors, static fields."""
    assert experiment.train is not None
    ages = dict.fromkeys(f"age_{sensor(name)}" for name in experiment.train.inputs)
    return [*experiment.train.inputs, *(name for name in ages if name in stack), *experiment.train.statics]


def grow(
    taught: tuple[Array, Array, Array], checked: tuple[Array, Array, Array], *, seed: int
) -> tuple[HistGradientBoostingClassifier, int]:
    """Trees on what teaches, as many as have the least log loss on what checks; how many these are."""

    def model(trees: int) -> HistGradientBoostingClassifier:
        options = {"max_iter": trees, "max_leaf_nodes": LEAVES, "learning_rate": RATE}
        return HistGradientBoostingClassifier(**options, early_stopping=False, random_state=seed)

    x, y, weight = taught
    whole = model(TREES).fit(x, y, sample_weight=weight)
    stages = whole.staged_predict_proba(checked[0])
    losses = [log_loss(checked[1], p, sample_weight=checked[2], labels=[0, 1]) for p in stages]
    best = int(np.argmin(losses)) + 1
    return model(best).fit(x, y, sample_weight=weight), best


def predict(
    model: HistGradientBoostingClassifier, stack: xr.Dataset, names: Sequence[str], days: Array, land: Array
) -> xr.Dataset:
    """The record of the chosen days; unknown where not land, or where no brightness temperature is known."""
    index = np.flatnonzero(days)
    out = np.full((len(index), stack.sizes["overpass"], *land.shape), np.nan, np.float32)
    bands = [k for k, name in enumerate(names) if name.startswith("tb_")]
    for start in range(0, len(index), BLOCK):
        x = table(stack, names, index[start : start + BLOCK], land)
        p = np.full(x.shape[:-1], np.nan, np.float32)
        seen = np.isfinite(x[..., bands]).any(axis=-1)
        if seen.any():
            p[seen] = model.predict_proba(x[seen])[:, 1]
        out[start : start + BLOCK][..., land] = p
    time = stack["time"].values[index]
    return record(out, grid=Grid.of(stack), time=time, overpass=stack["overpass"].values)


def _rows(experiment: North, run: Run, frozen: xr.Dataset, cell: Array) -> list[dict[str, Any]]:
    options = experiment.validate_
    assert options is not None
    held = xr.DataArray(roles(experiment)[0] == "heldout", {"time": days_of(experiment)}, ("time",))
    areas = {"area:trained": cell == "train", "area:heldout": cell == "heldout"}
    records, rows = claims(experiment, run) | {"trees": frozen}, []
    for against, truth in references(experiment, run).items():
        if against in AGAINST:
            found = evaluate(
                {name: one for name, one in records.items() if name != against},
                {against: truth},
                days={"heldout": held},
                strata={name: mask for name, mask in areas.items() if mask.any()},
                scores=SCORES | RELIABILITY,
                differences=[("unet", "trees")],
                block=options.block_days,
                resamples=options.resamples,
                level=options.confidence,
                seed=options.seed,
            )
            rows += [row for row in found if row["record"] in ("trees", "unet-trees")]
    return rows


if __name__ == "__main__":
    ask = argparse.ArgumentParser(description="boosted trees on the features and labels of a run's net")
    ask.add_argument("experiment", type=Path)
    ask.add_argument("run", type=Path)
    ask.add_argument("--set", action="append", default=[], help="table.key=value, as the run had")
    got = ask.parse_args()
    for row in score_trees(got.experiment, got.set, got.run):
        if row["score"] in ("accuracy", "brier", "accuracy_difference") and row["stratum"].startswith("area"):
            print("{record:10} {score:20} {against:11} {overpass} {stratum:13} {value:.4f} {lo} {hi} {n}".format(**row))
