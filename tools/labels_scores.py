"""Scores of the studies of labels: made, kept, averaged over seeds, and told as lines for docs/results.md."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from ablation_scores import Scores, mean
from scipy.stats import t as student

from frostline import classic, store
from frostline.config_north import North
from frostline.runs import Run, provenance, write_json
from frostline.steps.common import grid_of, roles
from frostline.steps.evidence import as_record, references
from frostline.validate.rows import evaluate

Rows = list[dict[str, Any]]
SPLITS, AGAINST, AREAS = ("validation", "heldout"), ("truth", "truth_t0", "stations"), ("area:trained", "area:heldout")
HEAD = ["| figure | value [lo, hi] | n | command | commit | seed |", "|---|---|---|---|---|---|"]


def judged(experiment: North, run: Run, claims: Mapping[str, xr.Dataset], present: str) -> Rows:
    """Rows of the validation and held-out days of claims beside climatology and the reanalysis, with differences."""
    stack, grid = store.open_store(run.path("stack.zarr"), chunks={}), grid_of(experiment)
    states, (day_role, cell_role) = stack["label_reanalysis"].where(stack["land"] == 1), roles(experiment)
    time = stack["time"].values
    usual = classic.climatology(states, days=xr.DataArray(day_role == "train", {"time": time}, "time"))
    records = dict(claims) | {"climatology": classic.climatology_record(usual, time, grid=grid)}
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


def figures(
    made: Mapping[int, Mapping[str, Any]], names: Sequence[str], present: str, part: str, what: str
) -> list[str]:
    """Lines of the mean over seeds: each name's scores in the whole window, and its accuracy less that of `present`."""
    commit = ", ".join(dict.fromkeys(one["commit"] for one in made.values()))
    seeds = f"mean of twin {', '.join(map(str, made))}" + (", train the same" if part == "teach" else "")
    lines = []
    for split in SPLITS:
        scores: Scores = {seed: {_key(r): r for r in found["rows"] if r["split"] == split and r["value"] is not None}
                          for seed, found in made.items()}  # fmt: skip
        for against in AGAINST:
            for area in ("all", *AREAS):
                for name in (*names, "climatology", "reanalysis"):
                    who = f"{name}{what}" if name in names else name
                    where = f"against {against}, {split}, both passes, {area}"
                    for score in ("accuracy", "brier", "brier_skill") if area == "all" else ():
                        if (m := mean(scores, name, against, "both", area, score)) is not None:
                            shown = f"{m.value:.4f} [{m.lo:.4f}, {m.hi:.4f}]"
                            lines.append(line(f"{who} {score} {where}", shown, m.n, part, commit, seeds))
                    if (m := mean(scores, f"{name}-{present}", against, "both", area, "accuracy_difference")) is None:
                        continue
                    half = _half_width(m.seeds)
                    each = ", ".join(f"{v:+.4f}" for v in m.seeds)
                    shown = f"{m.value:+.4f} [{m.value - half:+.4f}, {m.value + half:+.4f}] (seeds {each})"
                    lines.append(line(f"{who} less {present}, accuracy {where}", shown, m.n, part, commit, seeds))
    return lines


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


def line(figure: str, shown: str, n: int, part: str, commit: str, seed: str) -> str:
    """A line of docs/results.md."""
    return f"| {figure} | {shown} | {n} | `python tools/studies_labels.py --parts {part}` | {commit} | {seed} |"
