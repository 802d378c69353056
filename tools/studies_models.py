"""Which net is better? Variants of the demo's U-Net with the same splits, days and passes over them, on several Earths.

    python tools/studies_models.py                                   (from nothing: some 10 minutes a seed on two cores)
    python tools/studies_models.py --seeds 11 --variants residual
    python tools/studies_models.py --tables                          (of finished runs only)

Each Earth is simulated and assembled once, in runs/studies/models/<seed>/earth; a variant has a folder beside it, with
links to that stack, and its own checkpoints. `members` are three trainings from seeds that follow each other: the
first of them is `base`, the mean of their probabilities is `members`, and the other two say what chance alone does
(`again_2`, `again_3`). Variants are chosen by the validation year; the held-out year stands beside, for the eye. Seeds
are none of those that the ablation is shown with. Whatever is finished is not made again.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from ablation_scores import Mean, mean

from frostline import schema
from frostline.config import read_experiment
from frostline.config_north import North
from frostline.errors import FrostlineError
from frostline.learn import checkpoint
from frostline.runs import Run, finished, read_json, write_json
from frostline.scores import SCORES
from frostline.steps import evidence, run_step
from frostline.steps.beside import beside, threads
from frostline.steps.common import days_of, grid_of, load, roles, save
from frostline.steps.model import members
from frostline.steps.reference import relative
from frostline.validate.calibration import RELIABILITY
from frostline.validate.rows import evaluate

FOLDER = Path("runs", "studies", "models")
SEEDS = (11, 12, 13)
EPOCHS = 8
COMMON = ("train.compare=[]", f"train.epochs={EPOCHS}")
VARIANTS = {
    "members": ("train.members=3",),
    "residual": ("train.net=residual",),
    "attention": ("train.net=attention",),
    "previous_day": ('train.extras=["previous_day"]',),
    "latitude": ('train.extras=["latitude"]',),
}
RIVALS = ("reanalysis", "climatology", "climatology_truth")
SHARED = ("stack.zarr", "truth.zarr", "sites.nc", "inventory.json", "data")
SPLITS, AREAS = ("validation", "heldout"), ("area:trained", "area:heldout")
KEY = ("record", "against", "overpass", "stratum", "score")
AGAINST = ("truth", "stations")


def main(arguments: Sequence[str] | None = None) -> None:
    """Train and score what is missing, then write and print the tables."""
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--experiment", type=Path, default=Path("examples", "demo.toml"))
    ask.add_argument("--seeds", type=int, nargs="+", default=list(SEEDS))
    ask.add_argument("--variants", nargs="+", choices=list(VARIANTS), default=list(VARIANTS))
    ask.add_argument("--folder", type=Path, default=FOLDER, help="of the runs and the tables")
    ask.add_argument("--set", action="append", default=[], dest="more", help="table.key=value, as frostline --set")
    ask.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes")
    ask.add_argument("--tables", action="store_true", help="run nothing")
    got = ask.parse_args(arguments)
    wanted = ["members", *(name for name in got.variants if name != "members")]  # `base` is one of them
    for seed in [] if got.tables else got.seeds:
        try:
            study(got.experiment, seed, (got.folder / str(seed)).resolve(), got.more, wanted, workers=got.workers)
        except FrostlineError as error:
            raise SystemExit(str(error)) from None
    found = {seed: read_json(got.folder / str(seed) / "models.json") for seed in got.seeds}
    text = page(found)
    (got.folder / "models.md").write_text(text, encoding="utf-8")
    (got.folder / "models_rows.md").write_text("\n".join(rows(found)) + "\n", encoding="utf-8")
    print(text)


def study(
    experiment: Path, seed: int, folder: Path, more: Sequence[str], variants: Sequence[str], *, workers: int
) -> None:
    """One Earth: its stack, the variants beside each other, the scores of their records in `models.json`."""
    settings = [*COMMON, *more, f"twin.seed={seed}"]
    plain = north(experiment, settings)
    earth = Run(folder / "earth", workers=workers, quiet=True)
    earth.folder.mkdir(parents=True, exist_ok=True)
    for step in ("twin", "read", "assemble"):
        run_step(step, plain, earth)
    for name in variants:
        linked(earth.folder, folder / name)
    print(f"seed {seed}: {', '.join(variants)}", flush=True)
    costs = beside(made, (experiment, settings), Run(folder, workers=workers, quiet=True), variants)
    path, made_of = folder / "models.json", {"settings": settings, "costs": costs}
    if path.exists() and made_of.items() <= read_json(path).items():
        return
    known = {name: folder / variant / f"{name}.nc" for variant in costs for name in costs[variant]["records"]}
    found = scored(plain, earth, {name: load(file) for name, file in known.items()})
    write_json(path, {**made_of, "rows": found})


def north(path: Path, settings: Sequence[str]) -> North:
    """An experiment of the north system."""
    found = read_experiment(path, settings)
    if not isinstance(found, North) or found.train is None or found.validate_ is None:
        raise SystemExit(f"{path} is not of the north system, or has no [train] or [validate]")
    return found


def linked(earth: Path, folder: Path) -> None:
    """A run folder that has the Earth's stack by links and its ledger; what was trained there before stays."""
    folder.mkdir(exist_ok=True)
    for name in SHARED:
        if not (folder / name).is_symlink() and (earth / name).exists():
            (folder / name).symlink_to(Path("..", "earth", name))
    ledger, done = folder / "steps.json", read_json(earth / "steps.json")
    old = read_json(ledger) if ledger.exists() else {}
    write_json(ledger, old | {name: done[name] for name in ("twin", "read", "assemble")})


def made(of: tuple[Path, Sequence[str]], folder: Path, name: str, share: int, quiet: bool) -> dict[str, Any]:
    """Train a variant and write its records of the judged days; what it cost. Skipped where that was done."""
    experiment = north(of[0], (*of[1], *VARIANTS[name]))
    run = Run(folder / name, workers=share, quiet=quiet)
    threads(run)
    fresh = run_step("train", experiment, run).get("fresh", False)
    assert experiment.train is not None
    nets = [checkpoint.load(run.path("checkpoints", one)) for one in members(experiment.train, "unet")]
    several = {"base": nets[:1], "again_2": nets[1:2], "again_3": nets[2:], "members": nets}
    for told, some in (several if len(nets) > 1 else {name: nets}).items():
        if not (fresh and run.path(f"{told}.nc").exists()):
            save(run.path(f"{told}.nc"), claimed(experiment, run, some))
    entry = finished(run, "train") or {}
    weights = sum(p.numel() for p in nets[0].network().parameters())
    return {
        "records": list(several) if len(nets) > 1 else [name],
        "parameters": weights * len(nets),
        "nets": len(nets),
        "seconds": entry.get("seconds"),
        "commit": entry.get("commit"),
    }


def claimed(experiment: North, run: Run, nets: Sequence[checkpoint.Checkpoint]) -> xr.Dataset:
    """The record of some nets' mean on the days of validation and of the held-out year, in memory."""
    from frostline.learn.ensemble import averaged  # these load torch
    from frostline.learn.predict import predict

    stack = relative(experiment, run)
    days = np.isin(roles(experiment)[0], SPLITS)
    passes = stack["overpass"].values.tolist()
    frozen = np.full((len(days), len(passes), *grid_of(experiment).shape), np.nan, np.float32)
    for part, code, p, _, _ in averaged([predict(net, stack, days=days, batch=32) for net in nets]):
        frozen[part, passes.index(code)] = p
    coordinates = {"time": stack["time"].values[days], "overpass": stack["overpass"].values}
    return schema.record(frozen[days], grid=grid_of(experiment), **coordinates)


def scored(experiment: North, earth: Run, records: Mapping[str, xr.Dataset]) -> list[dict[str, Any]]:
    """Rows of validation and held-out year, both areas, against the truth and the stations that never taught."""
    table = experiment.validate_
    assert table is not None
    alone = experiment.model_copy(update={"train": None})
    rivals = {name: ds for name, ds in evidence.claims(alone, earth).items() if name in RIVALS}
    day_role, cell_role = roles(experiment)
    time = days_of(experiment)
    truths = {k: v for k, v in evidence.references(experiment, earth).items() if k in AGAINST}
    masks = evidence.strata(experiment, earth, cell_role)
    return evaluate(
        {**records, **rivals},
        truths,
        days={s: xr.DataArray(day_role == s, coords={"time": time}, dims="time") for s in SPLITS},
        strata={name: masks[name] for name in AREAS if name in masks},
        scores={name: (SCORES | RELIABILITY)[name] for name in ("accuracy", "brier", "ece")},
        differences=[(name, "base") for name in records if name != "base"],
        pooled=True,
        block=table.block_days,
        resamples=table.resamples,
        level=table.confidence,
        seed=table.seed,
    )


def page(found: Mapping[int, Mapping[str, Any]]) -> str:
    """A table of each area and split, and one of the costs, as Markdown."""
    seeds = ", ".join(str(seed) for seed in found)
    parts = [
        "# Nets compared, on the twin Earth",
        "",
        f"Means of the twin Earths {seeds}, mornings and evenings pooled, [95 % interval]; differences to `base` are "
        "paired, in points. The validation year chooses, the held-out year stands beside.",
    ]
    for split in SPLITS:
        scores = {seed: indexed(one["rows"], split) for seed, one in found.items()}
        for area in AREAS:
            parts += ["", f"## {split}, {area}", "", *table(scores, area)]
    return "\n".join([*parts, "", "## Costs", "", *costs(found), ""])


def indexed(rows: Sequence[Mapping[str, Any]], split: str) -> dict[tuple[str, ...], Mapping[str, Any]]:
    """The known rows of a split by (record, against, overpass, stratum, score)."""
    return {tuple(str(r[k]) for k in KEY): r for r in rows if r["split"] == split and r["value"] is not None}


def table(scores: Mapping[int, Mapping[tuple[str, ...], Mapping[str, Any]]], area: str) -> list[str]:
    """A line for each record: its scores, and how far it is ahead of `base`, of each seed too."""
    head = ["record", *(f"{s}, {a}" for a in AGAINST for s in ("accuracy", "brier", "ece"))]
    head += [f"less base, {a}" for a in AGAINST] + ["each seed, truth", "n, truth"]
    lines = [_line(head), "|" + "---|" * len(head)]
    for name in dict.fromkeys(key[0] for of in scores.values() for key in of if "-" not in key[0]):
        told = {(a, s): mean(scores, name, a, "pooled", area, s) for a in AGAINST for s in ("accuracy", "brier", "ece")}
        ahead = [mean(scores, f"{name}-base", a, "pooled", area, "accuracy_difference") for a in AGAINST]
        cells = [_shown(m, 1 if s == "brier" or s == "ece" else 100) for (_, s), m in told.items()]
        each = "-" if ahead[0] is None else ", ".join(f"{100 * v:+.1f}" for v in ahead[0].seeds)
        n = told["truth", "accuracy"]
        lines.append(_line([name, *cells, *(_shown(m, 100, sign="+") for m in ahead), each, f"{n.n if n else 0}"]))
    return lines


def costs(found: Mapping[int, Mapping[str, Any]]) -> list[str]:
    """Weights and seconds of training of each variant, as it was trained beside others."""
    lines = [_line(["variant", "weights", "nets", "seconds of training, each seed"]), "|---|---|---|---|"]
    for name in dict.fromkeys(name for one in found.values() for name in one["costs"]):
        of = [one["costs"][name] for one in found.values() if name in one["costs"]]
        seconds = ", ".join(f"{one['seconds']:.0f}" for one in of)
        lines.append(_line([name, f"{of[0]['parameters']}", f"{of[0]['nets']}", seconds]))
    return lines


def rows(found: Mapping[int, Mapping[str, Any]]) -> list[str]:
    """A line for each figure, as docs/results.md has them; interval and skill are of the mean of the seeds."""
    seeds = f"mean of twin {', '.join(str(seed) for seed in found)}, train 1"
    commit = ", ".join(dict.fromkeys(str(c["commit"]) for one in found.values() for c in one["costs"].values()))
    end = f"| `python tools/studies_models.py` | {commit} | {seeds} |"
    lines = ["| figure | value [lo, hi] | n | skill | command | commit | seed |", "|---|---|---|---|---|---|---|"]
    for split in SPLITS:
        scores = {seed: indexed(one["rows"], split) for seed, one in found.items()}
        names = dict.fromkeys(key[0] for of in scores.values() for key in of)
        for area in AREAS:
            for name in names:
                for score in ("accuracy", "brier", "ece", "accuracy_difference"):
                    if (m := mean(scores, name, "truth", "pooled", area, score)) is None:
                        continue
                    skills = [of[name, "truth", "pooled", area, score]["skill"] for of in scores.values()]
                    skill = "-" if None in skills else f"{np.mean(skills):.2f}"
                    figure = f"{name} {score} against truth, {split}, pooled, {area}"
                    lines.append(f"| {figure} | {m.value:.3f} [{m.lo:.3f}, {m.hi:.3f}] | {m.n} | {skill} {end}")
    return lines


def _shown(m: Mean | None, scale: int, *, sign: str = "") -> str:
    if m is None:
        return "-"
    digits = 1 if scale == 100 else 3
    return f"{scale * m.value:{sign}.{digits}f} [{scale * m.lo:{sign}.{digits}f}, {scale * m.hi:{sign}.{digits}f}]"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


if __name__ == "__main__":
    main()
