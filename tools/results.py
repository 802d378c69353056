"""Print rows of docs/results.md from a run folder: figure | value [lo, hi] | n | skill | command | commit | seed.

    python tools/results.py runs/demo --command "make demo"
    python tools/results.py runs/demo --command "make demo" --row 'unet/truth/heldout/*/season:*/accuracy'

A row is chosen by record/against/split/overpass/stratum/score, each a shell pattern; a pattern that meets nothing is
an error, so that a row cannot vanish unseen. Values, intervals, n and skill over climatology are those of scores.json,
seconds those of steps.json, seeds and commit those that the report of the run states. Nothing is computed here.
"""

import argparse
import html
import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

KEY = ("record", "against", "split", "overpass", "stratum", "score")
ROWS = (
    "unet/truth/heldout/*/area:*/accuracy",
    "unet_*/truth/heldout/*/area:*/accuracy",
    "climatology/truth/heldout/*/area:*/accuracy",
    "climatology_truth/truth/heldout/*/area:*/accuracy",
    "persistence/truth/heldout/*/area:*/accuracy",
    "reanalysis/truth/heldout/*/area:*/accuracy",
    "unet/truth/heldout/*/area:*/brier_skill",
    "unet/truth_t0/heldout/*/area:*/accuracy",
    "unet/stations/heldout/*/all/accuracy",
    "reanalysis/stations/heldout/*/all/accuracy",
)
HEAD = "| figure | value [lo, hi] | n | skill | command | commit | seed |\n|---|---|---|---|---|---|---|"


def chosen(rows: Sequence[Mapping[str, Any]], patterns: Sequence[str]) -> list[Mapping[str, Any]]:
    """The rows that the patterns meet, in the patterns' order, each row once."""
    found: dict[str, Mapping[str, Any]] = {}
    for pattern in patterns:
        parts = pattern.split("/")
        if len(parts) != len(KEY):
            raise SystemExit(f"{pattern!r} is not {'/'.join(KEY)}")
        met = [r for r in rows if all(fnmatchcase(str(r[k]), p) for k, p in zip(KEY, parts, strict=True))]
        if not met:
            raise SystemExit(f"no row of scores.json is {pattern}")
        found |= {"/".join(str(r[k]) for k in KEY): r for r in met}
    return list(found.values())


def line(row: Mapping[str, Any], *, command: str, commit: str, seed: str) -> str:
    """One score as a row of the table.

    >>> line(dict(zip(KEY, ("unet", "truth", "heldout", "am", "all", "accuracy"))) | {"value": 0.93649, "lo": 0.9,
    ...      "hi": None, "n": 613, "skill": 0.5}, command="make demo", commit="1a2b3c", seed="twin 1")
    '| unet accuracy against truth, heldout, am, all | 0.936 [0.900, -] | 613 | 0.50 | `make demo` | 1a2b3c | twin 1 |'
    """
    figure = "{record} {score} against {against}, {split}, {overpass}, {stratum}".format(**row)
    ends = f"[{_number(row['lo'])}, {_number(row['hi'])}]"
    skill = "-" if row["skill"] is None else f"{row['skill']:.2f}"
    return f"| {figure} | {_number(row['value'])} {ends} | {row['n']} | {skill} | `{command}` | {commit} | {seed} |"


def stated(folder: Path) -> tuple[str, str]:
    """(commit, seeds) as the report of the run says them; 'not recorded' where it does not."""
    page = folder / "report.html"
    text = html.unescape(page.read_text(encoding="utf-8")) if page.exists() else ""
    seen = re.search(r"made with commit ([^\s,]+)", text)
    seeds = []
    for block in re.findall(r"<pre>(.*?)</pre>", text, re.DOTALL):
        try:
            tables = tomllib.loads(block)
        except tomllib.TOMLDecodeError:
            continue
        seeds += [f"{k} {v['seed']}" for k, v in tables.items() if isinstance(v, dict) and "seed" in v]
    return seen[1] if seen else "not recorded", ", ".join(seeds) or "not recorded"


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table of one run."""
    ask = argparse.ArgumentParser(description="rows of docs/results.md from a run folder")
    ask.add_argument("run", type=Path, help="run folder")
    ask.add_argument("--command", required=True, help="the command that made it, as it was typed")
    ask.add_argument("--row", action="append", default=[], help="record/against/split/overpass/stratum/score")
    ask.add_argument("--seconds", action="store_true", help="also how long each step took")
    got = ask.parse_args(arguments)
    rows = json.loads((got.run / "scores.json").read_text(encoding="utf-8"))
    ledger = json.loads((got.run / "steps.json").read_text(encoding="utf-8"))
    commit, seed = stated(got.run)
    print(HEAD)
    for row in chosen(rows, got.row or ROWS):
        print(line(row, command=got.command, commit=commit, seed=seed))
    for step, entry in ledger.items() if got.seconds else ():
        print(f"| step {step}, seconds | {entry['seconds']:.1f} | 1 run | - | `{got.command}` | {commit} | {seed} |")


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


if __name__ == "__main__":
    main()
