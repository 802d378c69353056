"""What given records say and do not say, in words: summary, warnings in their order, the rules that were taken."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from frostline.config_given import Given
from frostline.runs import Run, read_json
from frostline.steps.findings import number
from frostline.words import NAMES

Row = Mapping[str, Any]
Rows = Sequence[Row]
Line = tuple[str, str, str]
LONG_GAP = 10  # days from which on a gap is told in words


def summary(experiment: Given, run: Run) -> str:
    """What was given and what came of it, a paragraph a record."""
    inventory, text = read_json(run.path("inventory.json")), []
    if (entry := inventory.get("uscrn")) is not None:
        text.append(_stations(experiment, run, entry))
    trends = read_json(run.path("trends.json"))
    if (entry := inventory.get("basin")) is not None:
        text.append(
            f"Daily extremes of the air's temperature at one place, {entry['first']} to {entry['last']}; the file does "
            "not say where. A day is air-frozen when its maximum stays below the threshold: air, not soil. "
            + _told(trends["rows"], "basin", "frozen_days", "air-frozen days")
        )
    if (entry := inventory.get("melt")) is not None:
        sparse = _sparse(trends["gaps"])
        text.append(
            f"Surface melt of the Antarctic ice sheet, {entry['days']:,} days from {entry['first']} to "
            f"{entry['last']}, {entry['sites']}: ice, not soil, a long record of two states through the functions that "
            "count frozen soil. "
            + (f"Until {max(sparse)} it was looked at every second day only. " if sparse else "")
            + _told(trends["rows"], "melt", "thawed_days", "melt days")
        )
    return "\n\n".join(text)


def warnings(experiment: Given, run: Run) -> list[str]:
    """What speaks against the numbers, before all else what speaks against the collocation; then files and gaps."""
    out: list[str] = []
    inventory, trends = read_json(run.path("inventory.json")), read_json(run.path("trends.json"))
    if "uscrn" in inventory:
        entry = read_json(run.path("collocation.json"))["sets"][0]
        out += [f"Collocation of {', '.join(entry['members'])}: {line}" for line in entry["warnings"]]
        out += [f"Collocation, {line}" for line in entry["cautions"]]
        out += [_together(row) for row in entry["dependence"] if row["stratum"] == "all" and row["phi"] is not None]
        near = entry["near_threshold"]
        close = f"{near['share']:.0%} of the soil's days (n = {near['n']:,}) lie within {near['within']:g} K of the "
        out += [
            f"{close}threshold, where the soil thermometer is no sharp judge itself",
            "No climatology stands beside the scores: one year of data cannot make one. A record that always says "
            "thawed does, and is no skill",
            "DJF is January, February and December of one calendar year: parts of two winters",
        ]
    if "basin" in inventory:
        out.append("Air temperature only: days are air-frozen; soil under snow may be thawed on any of them")
    if "melt" in inventory:
        out += _of_melt(experiment, [g for g in trends["gaps"] if g["record"] == "melt"])
    for name, found in inventory.items():
        out += [f"{name}: {text}" for text in (*found["fatal"], *found["problems"])]
    return out


def assumptions(experiment: Given) -> list[Line]:
    """The rules by which the given became states."""
    given, below = experiment.inputs, f"below {experiment.states.threshold:g} K"
    lines = []
    if given.uscrn is not None:
        lines += [
            ("Soil", "Daily mean at 5 cm of local standard days.", f"Frozen {below}; the same for AM, PM and daily."),
            ("Air, skin", "Daily minimum, maximum, mean.", f"Frozen {below}: AM minimum, PM maximum, daily mean."),
        ]
    if given.basin is not None:
        lines.append(("Air", "Tmax < 0 °C frozen, Tmin > 0 °C thawed.", f"Air-frozen where Tmax is {below}."))
    if given.melt is not None:
        lines.append(("Melt", "One state a day.", "Thawed where it melts; unknown where the file says missing."))
    return lines


def slope_text(row: Row) -> str:
    """Sen's slope with its interval.

    >>> slope_text({"slope": -0.1942, "lo": -0.289, "hi": -0.078, "years": 41})
    '−0.194 [−0.289, −0.078]'
    """
    return number({"value": row["slope"], "lo": row["lo"], "hi": row["hi"], "n": row["years"]}, sign=True)


def none(value: float | None) -> float:
    """NaN for what JSON holds as null."""
    return float("nan") if value is None else value


def share_text(row: Row, score: str) -> str:
    """A collocated share with its interval; a dash where a gate left none."""
    part = {key: none(row[f"{score}{end}"]) for key, end in (("value", ""), ("lo", "_lo"), ("hi", "_hi"))}
    return number(part | {"n": row["n"]})


def _stations(experiment: Given, run: Run, entry: Row) -> str:
    counts, scores = entry["stations"], read_json(run.path("scores.json"))
    told = [
        f"{row['record']} {number(row)}"
        for row in scores
        if (row["overpass"], row["stratum"], row["score"]) == ("daily", "all", "accuracy")
    ]
    return (
        "This is a case where the assumptions of collocation fail, and it is shown for that. "
        f"{entry['sites']}, {entry['first']} to {entry['last']}; {counts['enough_days']} have at least "
        f"{experiment.states.least_days} days of soil temperature, {counts['ever_freeze']} of all ever freeze at 5 cm "
        f"({counts['enough_and_freeze']} of those with enough days). Soil, air and skin are taken as a triplet; air "
        f"and skin err together, as the warnings measure. {_believed(run)}"
        f"Accuracy against the soil by daily means, with intervals: {'; '.join(told)}."
    )


def _believed(run: Run) -> str:
    """What collocation makes of the three in winter, by daily means, where it says anything."""
    winter = [
        f"{row['member']} {share_text(row, 'sensitivity')}"
        for row in read_json(run.path("collocation.json"))["sets"][0]["rows"]
        if (row["stratum"], row["season"], row["overpass"]) == ("all", "DJF", "daily")
    ]
    return (
        "Of what collocation takes for the frozen station-days of DJF (daily means) it lets each find this share: "
        f"{', '.join(winter)}. "
        if winter
        else ""
    )


def _told(rows: Rows, record: str, variable: str, what: str) -> str:
    """The trends of a record's days, a clause a region."""
    said = []
    for row in rows:
        if (row["record"], row["variable"], row["since"]) == (record, variable, None) and row["slope"] is not None:
            place = "" if row["region"] == "all" else f" ({row['region']})"
            years = f"{row['years']} {row['counted']}"
            said.append(f"{what}{place} in {years}: mean {row['mean']:.1f}, slope {slope_text(row)} days a year")
    text = "; ".join(said)
    return f"{text[0].upper()}{text[1:]}." if said else "There are too few years for a trend."


def _together(row: Row) -> str:
    phi = number({"value": row["phi"], "lo": none(row["lo"]), "hi": none(row["hi"]), "n": row["n"]}, digits=2)
    where = f"{NAMES.get(row['overpass'], row['overpass'])}, soil {row['given']} (n = {row['n']:,})"
    return (
        f"Measured, {where}: air is wrong on {row['air_wrong']:.1%}, skin on {row['skin_wrong']:.1%}, both on "
        f"{row['both_wrong']:.1%} of the days; their errors correlate by {phi}, and collocation needs 0"
    )


def _of_melt(experiment: Given, gaps: Rows) -> list[str]:
    out = ["Surface melt of an ice sheet: nothing here is about soil"]
    if sparse := _sparse(gaps):
        out.append(
            f"Melt years {min(sparse)} to {max(sparse)} hold every second day: days are counted by their share, but "
            f"no window of the rule {experiment.season.rule} fills, so onset, offset and length are unknown; "
            "transitions between days two apart are no measure beside those of successive days"
        )
    out += [
        f"Melt year {g['year']} has a gap of {g['longest_gap']} days and holds {g['days']}"
        for g in gaps
        if g["longest_gap"] > LONG_GAP
    ]
    out.append(
        "A step at a change of sensor is not proof of a sensor's fault; sensors that followed each other within the "
        "daily years are not tested, since the file does not date them"
    )
    return out


def _sparse(gaps: Rows) -> list[int]:
    """Years whose days lie more than one apart."""
    return [g["year"] for g in gaps if g["stride"] and g["stride"] > 1]
