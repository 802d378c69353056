"""Scores of the studies of labels: made, kept, averaged over seeds, and told as lines for docs/results.md."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from ablation_scores import PASSES, Scores, mean
from scipy.stats import t as student

from frostline import classic, store
from frostline.config_north import North
from frostline.runs import Run, provenance, write_json
from frostline.steps.common import grid_of, roles
from frostline.steps.evidence import as_record, references
from frostline.validate.rows import evaluate

Rows = list[dict[str, Any]]
SPLITS, AGAINST, AREAS = ("validation", "heldout"), ("truth", "truth_t0", "stations"), ("area:trained", "area:heldout")
HEAD = ["| figure | value [lo, hi] | n | skill | command | commit | seed |", "|---|---|---|---|---|---|---|"]


def judged(experiment: North, run: Run, claims: Mapping[str, xr.Dataset], present: str) -> Rows:
    """Rows of the validation and held-out days of claims beside climatology and the reanalysis, with differences."""
    stack, grid = store.open_store(run.path("stack.zarr"), chunks={}), grid_of(experiment)
    states, (day_role, cell_role) = stack["label_reanalysis"].where(stack["land"] == 1), roles(experiment)
    time = stack["time"].values
    records = dict(claims) | {"climatology": usual_days(experiment, run)}
    records["reanalysis"] = as_record(states, grid)
    return evaluate(
        records,
        {name: truth for name, truth in references(experiment, run).items() if name in AGAINST},
        days={s: xr.DataArray(day_role == s, {"time": time}, "time") for s in SPLITS},
        strata={area: cell_role == area.removeprefix("area:").replace("trained", "train") for area in AREAS},
        seasonal=(),
        differences=[(name, present) for name in claims if name != present],
        seed=1,
    )


def usual_days(experiment: North, run: Run) -> xr.Dataset:
    """The climatology of the training years' states of the reanalysis, as a record."""
    stack = store.open_store(run.path("stack.zarr"), chunks={})
    states, time = stack["label_reanalysis"].where(stack["land"] == 1), stack["time"].values
    taught = xr.DataArray(roles(experiment)[0] == "train", {"time": time}, "time")
    return classic.climatology_record(classic.climatology(states, days=taught), time, grid=grid_of(experiment))


def figures(
    made: Mapping[int, Mapping[str, Any]], names: Sequence[str], present: str, part: str, what: str
) -> list[str]:
    """Lines of the mean over seeds: each name's scores in the whole window, and its accuracy less that of `present`."""
    commit = ", ".join(dict.fromkeys(one["commit"] for one in made.values()))
    seeds = f"mean of twin {', '.join(map(str, made))}" + (", train the same" if part == "teach" else "")
    part += f" --seeds {' '.join(map(str, made))}"
    lines = []
    for split in SPLITS:
        scores: Scores = {seed: {_key(r): r for r in found["rows"] if r["split"] == split and r["value"] is not None}
                          for seed, found in made.items()}  # fmt: skip
        for against in AGAINST:
            for area in ("all", *AREAS):
                for name in (*names, "climatology", "reanalysis"):
                    who = f"{name}{what}" if name in names else name
                    where = f"against {against}, {split}, both passes, {area}"
                    for score in ("accuracy", "brier") if area == "all" else ():
                        if (m := mean(scores, name, against, "both", area, score)) is not None:
                            shown = f"{m.value:.4f} [{m.lo:.4f}, {m.hi:.4f}]"
                            skill = _skill(scores, name, against, area, score)
                            lines.append(line(f"{who} {score} {where}", shown, m.n, skill, part, commit, seeds))
                    pair = f"{name}-{present}"
                    if (m := mean(scores, pair, against, "both", area, "accuracy_difference")) is None:
                        continue
                    skill = _skill(scores, pair, against, area, "accuracy_difference")
                    half = _half_width(m.seeds)
                    each = ", ".join(f"{v:+.4f}" for v in m.seeds)
                    shown = f"{m.value:+.4f} [{m.value - half:+.4f}, {m.value + half:+.4f}] (seeds {each})"
                    lines.append(
                        line(f"{who} less {present}, accuracy {where}", shown, m.n, skill, part, commit, seeds)
                    )
    return lines


def _skill(scores: Scores, record: str, against: str, area: str, score: str) -> float:
    """Mean over seeds and passes of a score's skill over the climatology; NaN where one has none."""
    found = [of_seed[record, against, one, area, score].get("skill") for of_seed in scores.values() for one in PASSES]
    return float(np.mean([float("nan") if skill is None else skill for skill in found]))


def _half_width(values: Sequence[float]) -> float:
    """Of the 95 % interval of a mean by Student's t; NaN of one value. By hand: 1, 2, 3: 4.303 / sqrt(3) = 2.484."""
    if len(values) < 2:
        return float("nan")
    return float(student.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / np.sqrt(len(values)))


def _key(row: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(str(row[k]) for k in ("record", "against", "overpass", "stratum", "score"))


def kept(file: Path, make: Callable[[], Rows]) -> dict[str, Any]:
    """Rows and the commit that made them, out of a file, or made and written there."""
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        write_json(file, {"commit": provenance()["commit"], "rows": make()})
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return found


def line(figure: str, shown: str, n: int, skill: float, part: str, commit: str, seed: str) -> str:
    """A line of docs/results.md; `-` for what has no skill."""
    told = f"{skill:.2f}" if np.isfinite(skill) else "-"
    return (
        f"| {figure} | {shown} | {n} | {told} | `python tools/studies_labels.py --parts {part}` | {commit} | {seed} |"
    )
