"""Walk what a run, or docs/results.md, says, and list each score that lacks its n, its interval or its skill.

    python tools/walk.py runs/demo runs/demo_china docs/results.md

Of a run: every row of scores.json, and every cell of report.html that shows a score. A score is what can be held
against the climatology: shares of right cell-days, Brier's score and its parts, calibration, correlation, bias, and
differences of accuracy. Skill may be missing only where the climatology itself is perfect or undefined. Ends with 1
when something is missing.
"""

import html
import json
import math
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from frostline.steps.classic_rows import is_classic

KEYS = ("against", "split", "overpass", "stratum", "score")
NO_SCORE = ("coverage",)  # the size of the sample
VALUE = re.compile(r"^[+\u2212-]?\d[\d.]* \[")  # value [lo, hi]
OF_SCORES = re.compile(r"accuracy|brier|ece|mcc|f1|skill|correlation|bias", re.IGNORECASE)
NOT_SCORED = (
    "collocation",
    "steps at changes",
    "trends:",
    "slope",
    "frozen days",
    "share of the trend",
    "seconds",
    "sensitivity",
    "specificity",
)


def tables(text: str) -> Iterator[tuple[str, list[list[str]]]]:
    """Each table of a page: the title before it, and its lines of cells as plain text, heads included."""
    title = ""
    for found in re.finditer(r"<(h2|h3|summary)>(.*?)</\1>|<table.*?>(.*?)</table>", text, re.DOTALL):
        if found[3] is None:
            title = _plain(found[2])
        else:
            lines = re.findall(r"<tr.*?>(.*?)</tr>", found[3], re.DOTALL)
            yield (
                title,
                [[_plain(c) for c in re.findall(r"<t[dh].*?>(.*?)</t[dh]>", line, re.DOTALL)] for line in lines],
            )


def _plain(markup: str) -> str:
    return " ".join(html.unescape(re.sub(r"<.*?>", " ", markup)).split())


def in_rows(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """A line for each row of scores.json that lacks something."""
    calendar = {(_at(r), *(r[k] for k in KEYS)): r["value"] for r in rows if _name(r) == "climatology"}
    known = {(_at(r), r["against"]) for r in rows if _name(r) == "climatology"}
    for row in rows:
        if row["value"] is None or row["score"] in NO_SCORE:
            continue
        what = " ".join(str(row[k]) for k in ("record", *KEYS))
        if not row["n"] > 0:
            yield f"{what}: n is {row['n']}"
        if not all(row[k] is not None and math.isfinite(row[k]) for k in ("lo", "hi")):
            yield f"{what}: no interval"
        if row["skill"] is None:
            score = "accuracy" if row["score"] == "accuracy_difference" else row["score"]
            base = calendar.get((_at(row), *(row[k] for k in KEYS[:-1]), score))
            own = is_classic(str(row["record"]).removeprefix("unet-"))  # the climatology of its cell-days has no row
            perfect = (
                own or base is None or base in (0.0, 1.0) or score == "brier_resolution"
            )  # best is the truth's variance
            if not perfect or (_at(row), row["against"]) not in known:
                yield f"{what}: no skill, though the climatology has {base}"


def _name(row: Mapping[str, Any]) -> str:
    return str(row["record"]).partition("@")[0]


def _at(row: Mapping[str, Any]) -> str:
    """The cells that a record is judged on, where they are not those of the run's grid."""
    return str(row["record"]).rpartition("@")[2] if "@" in row["record"] else ""


def in_page(text: str) -> tuple[int, list[str]]:
    """How many tables of scores a report has, and a line for each that shows a score without n or skill."""
    count, wrong = 0, []
    for title, lines in tables(text):
        heads = " ".join(cell.lower() for line in lines for cell in line if not VALUE.match(cell))
        if not OF_SCORES.search(f"{title} {heads}") or any(word in title.lower() for word in NOT_SCORED):
            continue
        shown = [cell for line in lines for cell in line if VALUE.match(cell)]
        count += bool(shown)
        for word, pattern in (("n", r"\bn\b"), ("skill", r"skill")):
            if shown and not re.search(pattern, heads) and not all(re.search(pattern, cell) for cell in shown):
                wrong.append(f"{title}: no {word}")
    return count, wrong


def in_results(text: str) -> tuple[int, list[str]]:
    """How many scores docs/results.md has, and a line for each without interval, n or skill."""
    scores, wrong, head = 0, [], [""]
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")] if line.startswith("|") else []
        if cells and cells[0] == "figure":
            head = cells
        elif cells and OF_SCORES.search(cells[0]) and not any(word in cells[0].lower() for word in NOT_SCORED):
            scores += 1
            row = dict(zip(head, cells, strict=False))
            if not re.search(r"\[.*\d.*, .*\d.*\]", cells[1]) or not re.match(r"\d", row.get("n", "")):
                wrong.append(f"{cells[0]}: no interval or n")
            if not re.match(r"[-+\u2212]?\d", row.get("skill", "")):
                wrong.append(f"{cells[0]}: no skill")
    return scores, wrong


def of_run(folder: Path) -> tuple[int, int, list[str]]:
    """How many rows of scores and tables of them a run has, and what lacks something."""
    rows = json.loads((folder / "scores.json").read_text(encoding="utf-8"))
    count, of_page = in_page((folder / "report.html").read_text(encoding="utf-8"))
    return len(rows), count, [*in_rows(rows), *of_page]


def main(arguments: Sequence[str]) -> int:
    """Walk all that is named; the number of scores, and what lacks something."""
    wrong = []
    for name in arguments:
        path = Path(name)
        if path.is_dir():
            rows, count, found = of_run(path)
            print(f"{name}: {rows} rows of scores, {count} tables of them, {len(found)} lack something")
        else:
            scores, found = in_results(path.read_text(encoding="utf-8"))
            print(f"{name}: {scores} scores, {len(found)} lack something")
        wrong += found
    print("\n".join(wrong[:40]))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
