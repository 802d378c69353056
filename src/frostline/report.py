"""One self-contained HTML file about a run: scores with intervals, figures, assumptions, how to repeat it."""

import base64
import datetime
import io
import json
import math
import os
import re
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from matplotlib.figure import Figure

from frostline import __version__
from frostline.errors import DiskError
from frostline.words import NAMES, shown

RECORDS = (
    *("unet", "unet_raw", "fused", "fused_pool", "fused_literal3", "fused_maxconf", "fused_ctc"),
    *("convlstm_smap", "convlstm_esdr", "smap", "esdr"),
    *("climatology", "climatology_truth", "persistence", "recalibrated", "reanalysis"),
    *("spectral_gradient", "npr_sta", "npr_sta_guarded", "sta", "msta", "scv", "dfa_zhao", "dfa_refit", "logistic"),
)
OURS = ("unet", "fused")
AGAINST = ("truth", "truth_t0", "reanalysis", "stations")
AREAS = ("area:trained", "area:heldout")
SEASONS = ("season:DJF", "season:MAM", "season:JJA", "season:SON")
CUI_SEASONS = ("season:frozen", "season:transition", "season:thawed")  # Cui et al. 2024, section 2.3
SCORES = ("accuracy", "brier_skill")
COARSE = "@25km"  # of records averaged onto 25 km cells (steps/shelf.py)
MEANINGS = {
    "fused_literal3": "the class of the highest score of any member, missing being a class",
    "fused_maxconf": "the class of the member that is surest, missing having no say",
    "recalibrated": "the reanalysis, refitted on the stations that teach",
    "climatology": "how often a day of the year was frozen in the labels of the training days",
    "climatology_truth": "the same of the twin's truth, which no real run has",
    "persistence": "the label of the day before",
    "spectral_gradient": "36.5 GHz V at most 258.2 K and not above 18.7 GHz V",
    "npr_sta": "polarization ratio between its winter and summer means, where these differ; own cell-days",
    "npr_sta_guarded": "the same, and what the reanalysis' air temperature leaves no doubt of; own cell-days",
    "sta": "36.5 GHz V between its winter and summer means; own cell-days",
    "msta": "36.5 GHz V against each year's brightness at 0 °C; own cell-days",
    "scv": "1.41 GHz V against each year's brightness at 0 °C; own cell-days",
    "dfa_zhao": "published coefficients, unverified",
}
OVERPASSES = ("am", "pm", "daily")
DPI = 150  # figures are 9 in wide and shown at 900 px: sharp on dense screens too

Rows = Sequence[Mapping[str, Any]]
Cell = dict[str, str] | None


@dataclass(frozen=True)
class Sheet:
    """A further table: title, what a reader must know, the names of its columns, and its lines of text."""

    title: str
    note: str
    head: Sequence[str]
    lines: Sequence[Sequence[str]]


def write_report(
    path: str | Path,
    *,
    title: str,
    experiment: Mapping[str, Any],
    figures: Sequence[tuple[Figure, str]],
    scores: Rows,
    assumptions: Sequence[tuple[str, str, str]],
    summary: str,
    warnings: Sequence[str],
    twin: bool,
    tables: Sequence[Sheet] = (),
    made_with: str = "",
    split: str = "heldout",
) -> Path:
    """Write the report and return its path.

    `experiment` is the experiment file's tables, echoed as TOML; `figures` are (figure, caption); `scores` are
    rows as in scores.json, of which those of `split` are shown; `tables` follow them; `assumptions` are (topic,
    stated by the paper, assumed by us); paragraphs of `summary` are parted by blank lines. With `twin` the page and
    every caption say that the numbers come from the twin Earth; `made_with` is a line on versions. A score without n
    or interval is never shown. No scripts, no links outwards, everything escaped; written beside its place and moved
    there when whole. Raises DiskError when it cannot be written.
    """
    path = Path(path)
    kept = [row for row in scores if row["split"] == split and shown(row)]
    text = _page().render(
        title=title,
        version=__version__,
        paragraphs=[p.strip() for p in summary.split("\n\n") if p.strip()],
        warnings=list(warnings),
        twin=twin,
        split=NAMES.get(split, split),
        level=f"{100 * experiment.get('validate', {}).get('confidence', 0.95):g}",
        meanings=_meanings({row["record"] for row in kept}),
        headline=[table for against in AGAINST for at in ("", COARSE) if (table := headline(kept, against, at=at))],
        seasons=[table for against in AGAINST for at in ("", COARSE) if (table := by_season(kept, against, at=at))],
        hidden=sum(row["split"] == split and row["score"] in SCORES and not shown(row) for row in scores),
        tables=list(tables),
        figures=[(png(figure), caption) for figure, caption in figures],
        assumptions=list(assumptions),
        experiment=toml(experiment),
        made_with=made_with,
    )
    part = path.with_name(f"{path.name}.part-{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        remedy = "free some room or choose another folder"
        raise DiskError("E-DISK", where=path, cause=f"cannot write the report ({error})", remedy=remedy) from error
    return path


def headline(rows: Rows, against: str, *, at: str = "") -> dict[str, Any] | None:
    """Accuracy and skill of every record against one truth, by overpass and area; None without rows.

    `at` COARSE takes the records on 25 km cells, which have cell-days of their own, and nothing else those of the grid.
    """
    areas = [a for a in AREAS if any(r["stratum"] == a and r["against"] == against for r in rows)] or ["all"]
    return _table(rows, against, areas, at=at)


def by_season(rows: Rows, against: str, *, at: str = "") -> dict[str, Any] | None:
    """The same by season; None without rows."""
    theirs = any(r["stratum"] in CUI_SEASONS for r in rows)
    return _table(rows, against, list(CUI_SEASONS if theirs else SEASONS), at=at)


def spelled(name: str) -> str:
    """A record's name for people.

    >>> spelled("esdr"), spelled("esdr@25km"), spelled("mine")
    ('ESDR', 'ESDR, 25 km', 'mine')
    """
    own = name.removesuffix(COARSE)
    return NAMES.get(own, own) + (", 25 km" if own != name else "")


def _meanings(found: Set[str]) -> list[tuple[str, str]]:
    """What the names of some records mean that do not say it themselves.

    >>> _meanings({"unet", "unet_36"})
    [('unet_36', 'a U-Net that sees only the frequencies in its name, GHz')]
    """
    fewer = ", ".join(sorted(name for name in found if re.fullmatch(r"unet(_\d+)+", name)))
    own = [(spelled(name), MEANINGS[name]) for name in RECORDS if name in found and name in MEANINGS]
    return [(fewer, "a U-Net that sees only the frequencies in its name, GHz")] * bool(fewer) + own


def _records(rows: Rows, against: str, at: str) -> list[str]:
    """The records that were compared with this truth: the expected ones in their order, then any others."""
    found = dict.fromkeys(row["record"] for row in rows if row["against"] == against)
    mine = [name for name in found if name.endswith(COARSE) == bool(at)]
    return [r + at for r in RECORDS if r + at in mine] + [r for r in mine if r.removesuffix(COARSE) not in RECORDS]


def _table(rows: Rows, against: str, strata: list[str], *, at: str) -> dict[str, Any] | None:
    """Lines of one table: a record and overpass, then accuracy and Brier skill in each stratum."""
    chosen = {
        (r["record"], r["overpass"], r["stratum"], r["score"]): r
        for r in rows
        if r["against"] == against and r["stratum"] in strata
    }
    lines: list[dict[str, Any]] = []
    for record in _records(rows, against, at):
        for overpass in OVERPASSES:
            cells = [
                {name: _cell(chosen.get((record, overpass, stratum, name))) for name in SCORES} for stratum in strata
            ]
            if any(cell["accuracy"] for cell in cells):
                lines.append({"record": NAMES.get(own := record.removesuffix(at), own), "ours": own in OURS,
                              "overpass": NAMES.get(overpass, overpass), "cells": cells})  # fmt: skip
    if not lines:
        return None
    strata_names = [NAMES.get(s, s.removeprefix("season:")) for s in strata]
    skills = any(cell["brier_skill"] for line in lines for cell in line["cells"])
    skills = skills or "climatology" + at in _records(rows, against, at)
    told = NAMES.get(against, against) + (", on 25 km cells" if at else "")
    return {"against": told, "coarse": bool(at), "strata": strata_names, "skills": skills, "lines": lines}


def _cell(row: Mapping[str, Any] | None) -> Cell:
    """A score as text: value, interval, n."""
    if row is None:
        return None
    interval = f"{_number(row['lo'])}, {_number(row['hi'])}"
    return {"value": _number(row["value"]), "interval": interval, "n": f"{row['n']:,.0f}"}


def _number(value: float) -> str:
    """Three digits, of what is 10 and more one, and a true minus.

    >>> _number(0.93649), _number(-0.02), _number(-816.849)
    ('0.936', '−0.020', '−816.8')
    """
    return f"{value:.{3 if abs(value) < 10 else 1}f}".replace("-", "\u2212")


def png(figure: Figure) -> str:
    """A figure as a data URI; the same figure gives the same bytes."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI, metadata={"Software": None})
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def toml(tables: Mapping[str, Any]) -> str:
    """An experiment as TOML that `frostline` reads again; None values are left out.

    >>> print(toml({"seed": 1, "grid": {"name": "N09", "shape": [64, 64]}}))
    seed = 1
    <BLANKLINE>
    [grid]
    name = "N09"
    shape = [64, 64]
    """
    return "\n".join(_lines(tables, ())).strip()


def _lines(table: Mapping[str, Any], above: tuple[str, ...]) -> list[str]:
    plain = {k: v for k, v in table.items() if not isinstance(v, Mapping) and v is not None}
    lines = [f"{_key(k)} = {_value(v)}" for k, v in plain.items()]
    if above and (lines or not table):
        lines.insert(0, f"[{'.'.join(map(_key, above))}]")
    for key, value in table.items():
        if isinstance(value, Mapping):
            inner = _lines(value, (*above, key))
            lines += inner if inner[0] == "" else ["", *inner]
    return lines


def _key(key: str) -> str:
    bare = key.isascii() and key.replace("_", "a").replace("-", "a").isalnum()
    return key if bare else _value(key)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_key(k)} = {_value(v)}" for k, v in value.items() if v is not None) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_value, value)) + "]"
    # JSON's string escapes are TOML's too, but for DEL, which JSON leaves bare.
    return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007F")


def _page() -> Any:
    loader = PackageLoader("frostline", "data")
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    return environment.get_template("report.html.j2")
