"""The table of the twin benchmark: lines that were added, checked against the manifest, as Markdown."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmark_manifest import Manifest
from benchmark_scores import BEST, PARTS, PASSES

from frostline.errors import InputError

Line = Mapping[str, Any]
BEGIN, END = "<!-- begin table -->", "<!-- end table -->"
PLACES = [(against, stratum, one) for against, stratum in PARTS for one in PASSES]
HEADS = {("truth", "area:trained"): "truth, trained area", ("truth", "area:heldout"): "truth, held-out area"}
HEADS |= {("stations", "all"): "stations"}
TITLES = {"accuracy": "Accuracy", "mcc": "MCC", "brier": "Brier score", "ece": "Expected calibration error"}
TEXTS = ("name", "by", "what", "cost", "note", "date", "record_commit", "scored_commit")
NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
RANGES = {"accuracy": (0, 1), "mcc": (-1, 1), "brier": (0, 1), "ece": (0, 1)}
EXACT = 1e-9


def lines_of(folder: Path, manifest: Manifest) -> list[Line]:
    """All lines of a version, each checked, the most accurate first: mean over areas and passes against the truth."""
    found = [check(json.loads(p.read_text(encoding="utf-8")), manifest, p) for p in sorted(folder.glob("*.json"))]

    def order(line: Line) -> tuple[float, str]:
        right = [r["value"] for r in line["rows"] if (r["against"], r["score"]) == ("truth", "accuracy")]
        return -sum(right) / len(right), str(line["name"])

    return sorted(found, key=order)


def check(line: Line, manifest: Manifest, path: Path) -> Line:
    """The line itself, or one InputError with all that is wrong with it."""
    wrong = [f"{k!r} is no text" for k in TEXTS if not isinstance(line.get(k), str)]
    if line.get("benchmark") != manifest["id"]:
        wrong.append(f"it is of {line.get('benchmark')!r}, the manifest of {manifest['id']!r}")
    if not NAME.fullmatch(str(line.get("name"))) or path.stem != line.get("name"):
        wrong.append("its file is not called by its name: small letters, digits, - and _")
    wrong += [f"{k!r} holds '|' or a line break" for k in TEXTS if set("|\n") & set(str(line.get(k)))]
    rows = {(r["against"], r["stratum"], r["overpass"], r["score"]): r for r in line.get("rows", [])}
    if set(rows) != {(*place, score) for place in PLACES for score in BEST} or len(rows) != len(line["rows"]):
        wrong.append("its rows are not those of the sample")
    for key, row in rows.items():
        at = "/".join(key)
        numbers = [row.get(k) for k in ("value", "lo", "hi")]
        if key[3] == "mcc" and None in numbers:  # of a claim of one class there is none
            continue
        if not all(isinstance(v, int | float) for v in numbers):
            wrong.append(f"{at} lacks a number")
            continue
        value, low, high = numbers
        bottom, top = RANGES.get(key[3], (0, 0))
        if not (low <= high and all(bottom - EXACT <= v <= top + EXACT for v in (value, low, high))):
            wrong.append(f"{at}: {value} [{low}, {high}] is no such score")
        if row.get("skill") is not None and row["skill"] > 1 + EXACT:
            wrong.append(f"{at}: a skill above 1")
        if row.get("n") != manifest["sample"].get("/".join(key[:3])):
            wrong.append(f"{at}: n is {row.get('n')}, the sample's {manifest['sample'].get('/'.join(key[:3]))}")
    for row in line.get("coverage", []):
        if not manifest["coverage"] <= row["value"] <= 1:
            wrong.append(f"coverage {row['value']} is below {manifest['coverage']}")
    if len(line.get("coverage", [])) != len(PLACES):
        wrong.append("its coverage is not that of the sample")
    if wrong:
        raise InputError("E-INPUT-SCHEMA", where=path, cause="; ".join(wrong), remedy="score the record again")
    return line


def tables(lines: Sequence[Line], manifest: Manifest) -> str:
    """A table per score with a line per record, and one of who made them, as Markdown."""
    parts = []
    for score, title in TITLES.items():
        heads = [f"{HEADS[against, stratum]}, {one.upper()}" for against, stratum, one in PLACES]
        sizes = [f"{manifest['sample']['/'.join(place)]:,}" for place in PLACES]
        parts.append(f"**{title}, twin Earth {manifest['id']}: value [95 % interval] skill over climatology**")
        rows = [["record", *heads], ["---"] * (len(PLACES) + 1), ["n", *sizes]]
        rows += [markdown(line, score) for line in lines]
        parts.append("\n".join(f"| {' | '.join(row)} |" for row in rows))
    parts.append(f"**Who, what and at what cost, twin Earth {manifest['id']}**")
    heads = ["record", "by", "what", "cost", "left open", "date", "record made at", "scored at", "note"]
    rows = [heads, ["---"] * len(heads), *(_who(line) for line in lines)]
    parts.append("\n".join(f"| {' | '.join(row)} |" for row in rows))
    return "\n\n".join(parts)


def markdown(line: Line, score: str) -> list[str]:
    """The cells of a record's row in the table of one score.

    >>> row = {"score": "brier", "value": 0.05, "lo": 0.04, "hi": 0.0613, "skill": 0.3333}
    >>> rows = [row | dict(zip(("against", "stratum", "overpass"), place)) for place in PLACES]
    >>> markdown({"name": "unet", "note": "", "rows": rows}, "brier")[:2]
    ['unet', '0.050 [0.040, 0.061] +0.33']
    """
    rows = {(r["against"], r["stratum"], r["overpass"]): r for r in line["rows"] if r["score"] == score}
    found = [rows[place] for place in PLACES]
    name = f"{line['name']} *" if line["note"] else str(line["name"])
    return [name, *(f"{_n(r['value'])} [{_n(r['lo'])}, {_n(r['hi'])}] {_n(r['skill'], '+.2f')}" for r in found)]


def rebuilt(page: str, text: str) -> str:
    """A page with the text between its marks."""
    before, rest = page.split(BEGIN)
    return f"{before}{BEGIN}\n{text}\n{END}{rest.split(END)[1]}"


def _n(value: float | None, form: str = ".3f") -> str:
    """A number, or - where there is none."""
    return "-" if value is None or value != value else format(value, form)


def _who(line: Line) -> list[str]:
    """The cells of a record's row in the last table."""
    opened = max(1 - row["value"] for row in line["coverage"])
    said = [line[k] or "-" for k in ("name", "by", "what", "cost")]
    return [
        *said,
        f"{100 * opened:.1f} %",
        *(line[k] or "-" for k in ("date", "record_commit", "scored_commit", "note")),
    ]
