"""What must join the nets of a china run for a record at least as good as its reanalysis that keeps the truth's trend?

    python tools/studies_fusion.py runs/demo_china                    (of a finished run; two minutes on two cores)

Nothing is trained. Each set of `fuse.members` is fused anew in a folder of its own, runs/studies/fusion/<set>, from
links to the run's stack and records; temperatures and weights come from training stations on validation days, as
always. Judged on held-out days by the truth and by stations that never taught; then the trend of frozen days.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from frostline.config import read_experiment
from frostline.config_china import China
from frostline.errors import FrostlineError
from frostline.runs import Run, read_json, write_json
from frostline.scores import SCORES
from frostline.steps import direct, run_step, shelf
from frostline.validate.rows import evaluate

FOLDER = Path("runs", "studies", "fusion")
NETS = ["convlstm_smap", "convlstm_esdr"]
MEMBERS = {
    "nets": NETS,
    "nets, reanalysis": [*NETS, "reanalysis"],
    "nets, recalibrated": [*NETS, "recalibrated"],
    "recalibrated": ["recalibrated"],
}
RIVALS = ("reanalysis", "recalibrated")
AGAINST = ("truth", "stations")
LEDGER = ("twin", "read", "assemble", "train", "predict")
SHARED = ("stack.zarr", "truth.zarr", "sites.nc", "inventory.json", "data", "checkpoints")


def main(arguments: Sequence[str] | None = None) -> None:
    """Fuse and judge what is missing, then write and print the table."""
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("run", type=Path, help="folder of a china run that is predicted")
    ask.add_argument("--experiment", type=Path, default=Path("examples", "demo_china.toml"))
    ask.add_argument(
        "--set", action="append", default=[], dest="more", help="table.key=value, as the run was made with"
    )
    ask.add_argument("--folder", type=Path, default=FOLDER)
    ask.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes")
    got = ask.parse_args(arguments)
    found = {}
    for name in MEMBERS:
        try:
            found[name] = judged(got.experiment, got.more, got.run.resolve(), got.folder.resolve(), name, got.workers)
        except FrostlineError as error:
            raise SystemExit(str(error)) from None
    text = page(found, read_json(got.run / "steps.json")["predict"]["commit"])
    (got.folder / "fusion.md").write_text(text, encoding="utf-8")
    print(text)


def judged(
    experiment: Path, more: Sequence[str], source: Path, folder: Path, name: str, workers: int
) -> dict[str, Any]:
    """Weights, scores and trends of one set of members; those that lie there are not made again."""
    listed = ", ".join(f'"{member}"' for member in MEMBERS[name])
    settings = [*more, f"fuse.members=[{listed}]", "fuse.compare=[]", 'season.records=["fused","reanalysis"]']
    china = read_experiment(experiment, settings)
    if not isinstance(china, China):
        raise SystemExit(f"{experiment} is not of the china system")
    run = Run(folder / name.replace(", ", "_"), workers=workers, quiet=True)
    run.folder.mkdir(parents=True, exist_ok=True)
    for shared in (*SHARED, *(path.name for path in source.glob("record_convlstm_*.zarr"))):
        if not run.path(shared).is_symlink() and (source / shared).exists():
            run.path(shared).symlink_to(source / shared)
    ledger, done = run.path("steps.json"), read_json(source / "steps.json")
    write_json(ledger, (read_json(ledger) if ledger.exists() else {}) | {k: done[k] for k in LEDGER})
    fresh = [run_step(step, china, run).get("fresh", False) for step in ("fuse", "season")]
    if not (all(fresh) and run.path("judged.json").exists()):
        rows = scored(china, run)
        write_json(run.path("judged.json"), rows)
    trends = read_json(run.path("trends.json"))["rows"]
    return {
        "weights": read_json(run.path("fusion.json"))["weights"],
        "rows": read_json(run.path("judged.json")),
        "trends": [row for row in trends if row["group"] == "all"],
    }


def scored(experiment: China, run: Run) -> list[dict[str, Any]]:
    """Rows of the fused record and its rivals on held-out days."""
    dates = direct.days_by_split(experiment)["heldout"]
    known = shelf.records(experiment, run)
    held = direct.near({name: known[name] for name in ("fused", *RIVALS, "climatology") if name in known}, dates)
    table = experiment.validate_
    truths = {name: ds for name, ds in shelf.references(experiment, run).items() if name in AGAINST}
    return evaluate(
        held,
        truths,
        days={"heldout": truths["truth"]["time"].isin(dates)},
        scores={name: SCORES[name] for name in ("accuracy", "brier")},
        differences=[("fused", name) for name in RIVALS if name in held],
        pooled=True,
        block=table.block_days,
        resamples=table.resamples,
        level=table.confidence,
        seed=table.seed,
    )


def page(found: Mapping[str, Mapping[str, Any]], commit: str) -> str:
    """Scores of each set of members and its trend beside the truth's, as Markdown."""
    lines = [
        "# Members of the fused record, on the twin Earth",
        "",
        f"Held-out days, mornings and evenings pooled, [95 % interval] (n); nets of commit {commit}. Differences in "
        "points.",
        "",
        "| members | weights am; pm | accuracy, truth | brier, truth | less reanalysis | less recalibrated "
        "| less reanalysis, stations |",
        "|" + "---|" * 7,
    ]
    for name, one in found.items():
        weights = "; ".join(", ".join(f"{w:.2f}" for w in of.values()) for of in one["weights"].values())
        cells = [name, weights, _cell(one["rows"], "fused", "truth", "accuracy", 100)]
        cells += [_cell(one["rows"], "fused", "truth", "brier", 1)]
        for pair, against in (("reanalysis", "truth"), ("recalibrated", "truth"), ("reanalysis", "stations")):
            cells.append(_cell(one["rows"], f"fused-{pair}", against, "accuracy_difference", 100, sign="+"))
        lines.append("| " + " | ".join(cells) + " |")
    rows = next(iter(found.values()))["rows"]
    for rival in (*RIVALS, "climatology"):
        shown = [_cell(rows, rival, "truth", s, k) for s, k in (("accuracy", 100), ("brier", 1))]
        lines.append(f"| {rival} alone | | {shown[0]} | {shown[1]} | | | |")
    lines += ["", "| members | pass | slope, days a year | less the truth's | kept |", "|---|---|---|---|---|"]
    for name, one in found.items():
        lines += [_trend(name, row) for row in one["trends"] if row["record"] == "fused"]
    lines += [_trend(row["record"], row) for row in next(iter(found.values()))["trends"] if row["record"] != "fused"]
    return "\n".join([*lines, ""])


def _cell(
    rows: Sequence[Mapping[str, Any]], record: str, against: str, score: str, scale: int, *, sign: str = ""
) -> str:
    """A pooled score with its interval and n."""
    key = (record, against, "pooled", "all", score)
    row = next(
        (r for r in rows if tuple(r[k] for k in ("record", "against", "overpass", "stratum", "score")) == key), None
    )
    if row is None or row["value"] is None:
        return "-"
    digits = 1 if scale == 100 else 3
    value, low, high = (f"{scale * row[k]:{sign}.{digits}f}" for k in ("value", "lo", "hi"))
    return f"{value} [{low}, {high}] ({row['n']})"


def _trend(name: str, row: Mapping[str, Any]) -> str:
    def told(*keys: str) -> str:
        if row.get(keys[0]) is None:
            return "-"
        value, low, high = (f"{row[k]:+.2f}" for k in keys)
        return f"{value} [{low}, {high}]"

    parts = [told("slope", "lo", "hi"), told("difference", "difference_lo", "difference_hi")]
    parts.append(told("kept", "kept_lo", "kept_hi"))
    return "| " + " | ".join([name, row["overpass"], *parts]) + " |"


if __name__ == "__main__":
    main()
