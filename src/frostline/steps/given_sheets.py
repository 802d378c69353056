"""The tables of a report on given records: collocation beside the soil, the errors' dependence, trends, steps, gaps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from frostline.config_given import Given
from frostline.report import Sheet
from frostline.runs import Run, read_json
from frostline.steps.findings import number
from frostline.steps.given_words import none, share_text, slope_text
from frostline.words import NAMES

Row = Mapping[str, Any]
Rows = Sequence[Row]
DIRECT = {"sensitivity": "frozen_accuracy", "specificity": "thawed_accuracy"}
WHAT = {("melt", "thawed_days"): "melt days", ("basin", "frozen_days"): "air-frozen days"}
PARTS = ("all", "DJF", "MAM", "JJA", "SON")


def sheets(experiment: Given, run: Run) -> list[Sheet]:
    """Every table that has a line."""
    trends = read_json(run.path("trends.json"))
    found = []
    if experiment.inputs.uscrn is not None:
        entry = read_json(run.path("collocation.json"))["sets"][0]
        found += [collocated(entry, read_json(run.path("scores.json"))), dependence(entry["dependence"]), alone(entry)]
    found += [trended(trends["rows"]), stepped(trends["breaks"]), holes(trends["gaps"])]
    return [sheet for sheet in found if sheet.lines]


def collocated(entry: Row, scores: Rows) -> Sheet:
    """Collocation's numbers beside the direct ones; of a season without a number one line tells the status."""
    seen = {(r["record"], r["overpass"], r["stratum"], r["score"]): r for r in scores}
    lines = []
    for part in PARTS:
        rows = [r for r in entry["rows"] if r["season"] == part and (r["stratum"] == "all" or part == "all")]
        told = {(r["stratum"], r["overpass"]) for r in rows if any(r[score] is not None for score in DIRECT)}
        for row in rows:
            member, cells = row["member"], []
            stratum = row["stratum"] if part == "all" else f"season:{part}"
            for score, direct in DIRECT.items():
                cells += [share_text(row, score), number(seen.get((member, row["overpass"], stratum, direct)))]
            if part != "all" and (row["stratum"], row["overpass"]) not in told:
                if member != entry["members"][0]:
                    continue
                member, cells = "all three", ["–"] * 4
            when = "year" if part == "all" else part
            about = [when if row["stratum"] == "all" else f"{when}, stations that freeze", _pass(row), member]
            worth = "–" if row["n_effective"] is None else f"{row['n_effective']:,.0f}"
            lines.append([*about, *cells, row["status"].replace("_", " "), f"{row['n']:,}", worth])
    note = (
        "Frozen called frozen (sensitivity) and thawed called thawed (specificity) by collocation, with "
        f"{entry['confidence']:.0%} intervals (the wider of blocks of days and of stations drawn); beside each the "
        "same against the soil thermometer, with 95 % intervals. A dash: the samples allow no number. Worth: "
        "effective samples. Read the warnings first: these numbers are no evidence."
    )
    head = ["period", "pass", "member", "sensitivity", "by the soil", "specificity", "by the soil", "status", "n"]
    return Sheet("What collocation says, and what the soil says", note, [*head, "worth"], lines)


def dependence(rows: Rows) -> Sheet:
    """How the errors of air and skin go together."""
    numbers = ("air_wrong", "skin_wrong", "both_wrong")
    lines = [
        [
            "all" if row["stratum"] == "all" else "that freeze",
            _pass(row),
            row["given"],
            *("–" if row[key] is None else f"{row[key]:.3f}" for key in numbers),
            number({"value": none(row["phi"]), "lo": none(row["lo"]), "hi": none(row["hi"]), "n": row["n"]}),
            f"{row['n']:,}",
        ]
        for row in rows
    ]
    note = (
        "Given the state of the soil: how often air and skin are wrong, and how far their errors go together (phi, "
        "with the interval of stations drawn whole)."
    )
    head = ["stations", "pass", "soil", "air wrong", "skin wrong", "both wrong", "phi", "n"]
    return Sheet("The assumption, measured", note, head, lines)


def alone(entry: Row) -> Sheet:
    """What became of collocation station by station."""
    of = entry["station_statuses"]
    names = list(next(iter(of.values())))
    lines = [[NAMES.get(o, o), *(str(counts[name]) for name in names)] for o, counts in of.items()]
    note = "How many stations alone allow a solution (ok), and why the others do not: one year is too short."
    return Sheet("Each station alone", note, ["pass", *(name.replace("_", " ") for name in names)], lines)


def trended(rows: Rows) -> Sheet:
    """Slopes with their intervals, by record, variable and region."""
    lines = [
        [
            _what(row),
            row["counted"] if row["since"] is None else f"{row['counted']}, {row['since']} on",
            *(_where(row), _pass(row)),
            "–" if row["mean"] is None else f"{row['mean']:.1f}",
            slope_text(row),
            "–" if row["p"] is None else f"{row['p']:.3f}",
            *(str(row["years"]), f"{row['cells']:,}", row["status"].replace("_", " ")),
        ]
        for row in rows
    ]
    note = (
        "Sen's slope a year with its interval, p of Mann-Kendall; regions are means of anomalies by true area. Onset "
        "and offset are days after the first of the year that is counted."
    )
    head = ["what", "counted", "where", "pass", "mean", "slope", "p", "years", "places", "status"]
    return Sheet("Trends", note, head, lines)


def stepped(rows: Rows) -> Sheet:
    """Steps at changes of sensor."""
    lines = [
        [
            *(_what(row), _where(row), str(row["at"])),
            number({"value": row["step"], "lo": row["lo"], "hi": row["hi"], "n": 1}, digits=2, sign=True)
            if row["step"] is not None
            else "–",
            "–" if row["p"] is None else f"{row['p']:.3f}",
            row["status"],
        ]
        for row in rows
    ]
    note = "A line and a step together: the step, in days, from the named year on, with its interval."
    head = ["what", "where", "from", "step", "p", "status"]
    return Sheet("Steps at changes of sensor", note, head, lines)


def holes(rows: Rows) -> Sheet:
    """The first and last year of each record, and every year with a missing day."""
    ends = {(r["record"], of(o["year"] for o in rows if o["record"] == r["record"])) for r in rows for of in (min, max)}
    kept = [
        row
        for row in rows
        if row["longest_gap"] or row["empty_days"] or row["stride"] != 1 or (row["record"], row["year"]) in ends
    ]
    keys = ("record", "year", "first", "last", "days", "stride", "longest_gap", "empty_days")
    lines = [[*("–" if row[k] is None else str(row[k]) for k in keys), f"{row['known']:.3f}"] for row in kept]
    note = (
        f"Of {len(rows)} years the first, the last and those with a missing day: days between neighbors (median), "
        "longest run of missing days, days without any value, share of values known."
    )
    head = ["record", "year", "first", "last", "days", "stride", "longest gap", "empty days", "known"]
    return Sheet("What the files hold", note, head, lines)


def _pass(row: Row) -> str:
    return str(NAMES.get(row["overpass"], row["overpass"]))


def _where(row: Row) -> str:
    return "whole" if row["region"] == "all" else row["region"]


def _what(row: Row) -> str:
    return WHAT.get((row["record"], row["variable"]), f"{row['record']}, {row['variable']}")
