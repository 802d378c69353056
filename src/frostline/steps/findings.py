"""What a china run found, in words and tables: the report's first sentence, its warnings and its sheets."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from frostline.config_china import China
from frostline.report import COARSE, Sheet, spelled
from frostline.runs import Run, finished, read_json
from frostline.steps.common import days_of, grid_of, roles
from frostline.steps.doubts import merged
from frostline.words import NAMES, shown

Rows = Sequence[Mapping[str, Any]]
RIVALS = ("reanalysis", "recalibrated", "climatology")
MINUS = "\u2212"
PASSES = {"am": "AM", "pm": "PM", "both": "AM and PM"}


def number(row: Mapping[str, Any] | None, *, scale: float = 1.0, digits: int = 3, sign: bool = False) -> str:
    """A score as text: value and interval; a dash where it may not be shown.

    >>> number({"value": -0.0211, "lo": -0.03, "hi": 0.001, "n": 9}, scale=100, digits=1, sign=True)
    '−2.1 [−3.0, +0.1]'
    """
    if row is None or not shown(row):
        return "–"
    spell = f"{{:{'+' if sign else ''}.{digits}f}}"
    value, low, high = (spell.format(scale * row[k]).replace("-", MINUS) for k in ("value", "lo", "hi"))
    return f"{value} [{low}, {high}]"


def verdict(rows: Rows, *, twin: bool) -> str:
    """The report's first sentence: whether the fusion beats what drives it, what stations make of it, the calendar."""
    against = "truth" if twin else "stations"
    parts = []
    for rival in RIVALS:
        found = {
            o: _find(rows, record=f"fused-{rival}", against=against, overpass=o, stratum="all", score=DIFFERENCE)
            for o in ("pooled", "am", "pm")
        }
        whole = found["pooled"]
        if whole is None or not shown(whole):
            continue
        points = {o: number(r, scale=100, digits=1, sign=True) for o, r in found.items()}
        name = {"recalibrated": "the reanalysis recalibrated on stations"}.get(rival, f"the {rival}")
        each = f"mornings {points['am']}, evenings {points['pm']}"
        parts.append(f"{_outcome(whole)} {name} (accuracy {points['pooled']} points; {each})")
    if not parts:
        return "Whether the fused record beats its reanalysis could not be decided: nothing here can judge it."
    judge = "the twin's truth" if twin else "stations that taught nothing"
    return f"Against {judge}, in the held-out years, the fused record {'; it '.join(parts)}."


DIFFERENCE = "accuracy_difference"


def _outcome(row: Mapping[str, Any]) -> str:
    if row["lo"] > 0:
        return "beats"
    return "falls short of" if row["hi"] < 0 else "cannot be told apart from"


def summary(experiment: China, run: Run) -> str:
    """What the record is, where and when, and what came of it; one paragraph a thought, the verdict first."""
    days, grid = days_of(experiment), grid_of(experiment)
    lon, lat = grid.lonlat()
    rows = read_json(run.path("scores.json"))
    taught, spans = " and ".join(NAMES[t] for t in experiment.train.targets), sorted(experiment.split.spans("train"))
    wet = "precipitation" in experiment.assemble.variables
    rain = wet and any(source == "imerg" for _, source in experiment.assemble.precipitation)
    drivers = "reanalysis and IMERG" if rain else "reanalysis"
    text = [
        verdict(rows, twin=experiment.twin is not None),
        f"{grid.shape[0]} x {grid.shape[1]} cells of the grid {experiment.grid.name}, {lon.min():.0f} to "
        f"{lon.max():.0f} degrees east and {lat.min():.0f} to {lat.max():.0f} degrees north; {str(days[0])[:10]} to "
        f"{str(days[-1])[:10]}, morning and evening. ConvLSTMs learn from {drivers} what {taught} said on days of "
        f"{spans[0][0]} to {spans[-1][1]}; fused are {', '.join(NAMES[m] for m in experiment.fuse.members)}. "
        f"Satellites only teach: on no day does anything but {drivers} enter. The record is an emulation, and its "
        "trend is what the nets let through of the reanalysis' own.",
    ]
    if experiment.twin is not None:
        text.append(
            "Everything here was made on the twin Earth: a synthetic plateau at a true place, with a prescribed "
            f"warming of {experiment.twin.warming:g} K per decade and a known truth. Names of networks and "
            "classes are labels of synthetic places; no number says anything about China or about real satellites."
        )
    return "\n\n".join(text)


def warnings(experiment: China, run: Run) -> list[str]:
    """What a reader must know before believing: broken inputs, missing days, what speaks against the collocation."""
    out = []
    for product, entry in read_json(run.path("inventory.json")).items():
        if broken := entry["bad"] | entry["unreadable"]:
            out.append(f"{NAMES.get(product, product)}: {len(broken)} broken files were left out")
        if entry["missing_days"]:
            out.append(f"{NAMES.get(product, product)}: {len(entry['missing_days'])} days without any file")
    sets = read_json(run.path("collocation.json"))["sets"]
    out += [
        line[0].upper() + line[1:] if line.startswith("collocation") else f"Collocation: {line}"
        for line in merged(line for entry in sets for line in entry["warnings"])
    ]
    for entry in sets:
        who = ", ".join(NAMES.get(m, m) for m in entry["members"])
        out += [f"Collocation of {who} could not be done: {entry['skipped']}"] if "skipped" in entry else []
    if not (roles(experiment)[0] == "heldout").any():
        out.append("Not one day of the period is held out: the tables of held-out years are empty")
    if experiment.split.preset == "cui2024" and (taught := finished(run, "train")) is not None:
        nobody = taught["notes"]["days_of_nobody"]
        out += [f"The published split uses {', '.join(nobody['spans'])} for nothing"] if nobody["days"] else []
    fitted = read_json(run.path("fusion.json"))
    if "skipped" in fitted.get("ctc", {}):
        out.append(f"No record was fused by collocation: {fitted['ctc']['skipped']}")
    if "skipped" in fitted["recalibrated"]:
        out.append(f"The reanalysis could not be recalibrated: {fitted['recalibrated']['skipped']}")
    if absent := read_json(run.path("trends.json"))["absent"]:
        out.append(f"No seasons of {', '.join(NAMES.get(name, name) for name in absent)}: the run has no such record")
    return out


def sheets(run: Run) -> list[Sheet]:
    """The tables of the report: the fusion against its parts and rivals, collocation, trends."""
    rows = read_json(run.path("scores.json"))
    found = [differences(rows, against) for against in ("truth", "stations")]
    found += [collocated(entry) for entry in read_json(run.path("collocation.json"))["sets"]]
    trends = read_json(run.path("trends.json"))
    for whole in (True, False):
        found += [averaged(trends, whole=whole), trended(trends, whole=whole)]
    found.append(broken(trends))
    return [sheet for sheet in found if sheet.lines]


def differences(rows: Rows, against: str) -> Sheet:
    """Accuracy of the fused record minus that of others, on the cell-days that both know."""
    strata = ("all", "season:frozen", "season:transition", "season:thawed")
    pairs = dict.fromkeys(r["record"] for r in rows if r["score"] == DIFFERENCE and r["against"] == against)
    coarse = any(pair.endswith(COARSE) for pair in pairs)
    lines = []
    for pair in pairs:
        for overpass in ("am", "pm"):
            cells = [
                _find(rows, record=pair, against=against, overpass=overpass, stratum=s, score=DIFFERENCE)
                for s in strata
            ]
            if any(c is not None and shown(c) for c in cells):
                whole = cells[0]
                count = f"{whole['n']:,.0f}" if whole is not None else "–"
                gained = whole.get("skill") if whole is not None else None
                skill = "–" if gained is None else f"{gained:+.2f}".replace("-", MINUS)
                other = pair.partition("-")[2]
                points = [number(c, scale=100, digits=1, sign=True) for c in cells]
                lines.append([spelled(other), PASSES[overpass], *points, skill, count])
    return Sheet(
        f"Fused minus others, against {NAMES.get(against, against)}",
        "Accuracy of the fused record minus that of another, in points, on the cell-days that both know, with the "
        "interval of a paired block bootstrap; held-out years. Of all days are n and the skill, by how much the skill "
        "over climatology differs." + (" 25 km: both averaged onto 25 km cells first." if coarse else ""),
        ["other record", "pass", "all days", *(NAMES.get(s, s) for s in strata[1:]), "skill", "n"],
        lines,
    )


STATUSES = {"outside_unit_interval": "refitted, a share was outside 0 to 1", "too_few": "too few of a class"}


def collocated(entry: Mapping[str, Any]) -> Sheet:
    """Sensitivity and specificity of the members of one set, whole period, and the truth's where it is known."""
    lines = []
    for row in entry["rows"]:
        if row["stratum"] not in ("all", "season:frozen", "season:transition"):
            continue
        cells = []
        for name in ("sensitivity", "specificity"):
            part = {"value": row[name], "lo": row.get(f"{name}_lo"), "hi": row.get(f"{name}_hi"), "n": row["n"]}
            cells.append(number(part))
            known = row.get(f"true_{name}")
            cells.append("–" if known is None else f"{known:.3f}")
        name = NAMES.get(row["member"], row["member"])
        lines.append(
            [
                "all days" if row["stratum"] == "all" else NAMES.get(row["stratum"], row["stratum"]),
                PASSES.get(row["overpass"], row["overpass"]),
                name,
                *cells,
                STATUSES.get(row["status"], str(row["status"]).replace("_", " ")),
                f"{row['n']:,.0f}",
            ]
        )
    who = ", ".join(NAMES.get(m, m) for m in entry["members"])
    whole = [line for line in entry.get("cautions", ()) if not line.startswith("season:")]
    cautious = f" Of its numbers: {re.sub(r' [(][a-z_]+[)]', '', '; '.join(whole))}." if whole else ""
    return Sheet(
        f"Triple collocation: {who}",
        f"Collocation of {who}: frozen soil called frozen (sensitivity) and thawed soil called thawed (specificity), "
        "found without a truth, with intervals of a block bootstrap (collocate.confidence); beside each what the "
        f"truth says of the same, where it is known. A dash: no number. Read the warnings first.{cautious}",
        ["period", "pass", "record", "sensitivity", "by the truth", "specificity", "by the truth", "status", "n"],
        lines,
    )


def _places(rows: Rows, *, whole: bool) -> list[Mapping[str, Any]]:
    """Rows of the whole area, or of its parts, those of a place and pass together."""
    places = {key: i for i, key in enumerate(dict.fromkeys((row["group"], row["name"]) for row in rows))}
    chosen = [row for row in rows if (row["group"] == "all") == whole]
    return sorted(chosen, key=lambda row: (places[row["group"], row["name"]], list(PASSES).index(row["overpass"])))


def _place(row: Mapping[str, Any]) -> str:
    """Where a trend is: `west, very stable` of a region and a class within it."""
    return "whole area" if row["group"] == "all" else str(row["name"]).replace("/", ", ")


PARTS = ", by region and permafrost class"
BOTH = " AM and PM: frozen at both."


def trended(found: Mapping[str, Any], *, whole: bool) -> Sheet:
    """Slopes by region and class, the paired difference to the truth, and how much of its trend is kept."""
    lines = []
    for row in _places(found["rows"], whole=whole):
        years = {"n": row["years"]}
        slope = {"value": row["slope"], "lo": row["lo"], "hi": row["hi"], **years}
        gap, kept = (
            {"value": row.get(name), "lo": row.get(f"{name}_lo"), "hi": row.get(f"{name}_hi"), **years}
            for name in ("difference", "kept")
        )
        lines.append(
            [
                _place(row),
                PASSES[row["overpass"]],
                NAMES.get(row["record"], row["record"]),
                number(slope, digits=2, sign=True),
                "–" if row.get("p") is None else "< 0.001" if row["p"] < 0.001 else f"{row['p']:.3f}",
                number(gap, digits=2, sign=True),
                number(kept, digits=2),
                str(row["years"]),
            ]
        )
    return Sheet(
        "Trend of the frozen days a year" + ("" if whole else PARTS),
        "Sen's slope of regional means of anomalies, days per year, with its interval; p of Mann-Kendall with lag-1 "
        "correction; the slope of the difference to the truth, on the same cells and years; the share of the truth's "
        "trend that is kept. A dash: too few years, or not told apart from nothing." + BOTH,
        ["where", "pass", "record", "slope, days/year", "p", "minus truth, days/year", "share kept", "years"],
        lines,
    )


def averaged(found: Mapping[str, Any], *, whole: bool) -> Sheet:
    """Mean frozen days of regions and classes, and how much years differ."""
    lines = []
    for row in _places(found["means"], whole=whole):
        part = {"value": row["mean"], "lo": row["lo"], "hi": row["hi"], "n": row["years"]}
        spread = "–" if row.get("iav") is None else f"{row['iav']:.1f}"
        name = NAMES.get(row["record"], row["record"])
        lines.append([_place(row), PASSES[row["overpass"]], name, number(part, digits=0), spread, str(row["years"])])
    return Sheet(
        "Mean frozen days a year" + ("" if whole else PARTS),
        "Area mean with its interval, and the standard deviation of detrended years." + BOTH,
        ["where", "pass", "record", "days", "between years", "years"],
        lines,
    )


def broken(found: Mapping[str, Any]) -> Sheet:
    """Steps of the whole area's series at changes of sensor, a column each."""
    steps: dict[tuple[str, str], dict[str, str]] = {}
    for row in found["breaks"]:
        step = {"value": row.get("step"), "lo": row.get("lo"), "hi": row.get("hi"), "n": 1}
        if row["group"] == "all" and shown(step):
            mine = steps.setdefault((row["record"], row["overpass"]), {})
            mine[f"{row['sensor']}, {row['year']}"] = number(step, digits=1, sign=True)
    sensors = list(dict.fromkeys(sensor for mine in steps.values() for sensor in mine))
    return Sheet(
        "Steps at changes of sensor",
        "Jump of the whole area's frozen days in the first year of each radiometer, days, fitted together, with "
        "intervals; one that holds 0 shows no jump." + BOTH,
        ["record", "pass", *sensors],
        [[spelled(r), PASSES[o], *(mine.get(s, "–") for s in sensors)] for (r, o), mine in steps.items()],
    )


def _find(rows: Rows, **what: str) -> Mapping[str, Any] | None:
    wanted = {"split": "heldout", **what}
    return next((r for r in rows if all(r[k] == v for k, v in wanted.items())), None)
