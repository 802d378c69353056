"""Beginning and end of the frozen season at stations that never taught, of the record and its rivals: in days."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from frostline import season
from frostline.clock import FROST_YEAR_MONTH, OVERPASS_NAMES, frost_year
from frostline.config_north import North
from frostline.report import Sheet
from frostline.runs import Run, read_json, write_json
from frostline.steps import watch
from frostline.steps.common import days_of, roles
from frostline.steps.findings import number
from frostline.validate.match import matched
from frostline.validate.phenology import MEASURES, date_errors
from frostline.words import NAMES

FILE = "phenology.json"
RECORDS = ("unet", "climatology", "climatology_truth", "reanalysis")
RULE = "12of15"
LEAST_DAYS = 330  # of a frost year: with more gaps a station-year is left out, since a gap can hide the change
DIMS = ("time", "overpass", "site")
HEADS = {"onset": "onset of freeze", "offset": "end of freeze", "length": "length"}


def phenology(
    experiment: North, run: Run, records: Mapping[str, xr.Dataset], truths: Mapping[str, xr.Dataset], leaks: list[str]
) -> dict[str, Any]:
    """Write `phenology.json`: errors of dates against held-out stations in held-out frost years, and what was left out.

    All of RECORDS that there are, and on a twin the cell's own truth, which says how far a station is from its cell.
    A series is known on the days of the frost year on which the station and all records are; with fewer than
    LEAST_DAYS of them the station-year is left out and counted. Dates by `season.RULES["12of15"]`.
    """
    table = experiment.validate_
    judged = {name: records[name] for name in RECORDS if name in records}
    judged |= {"truth": truths["truth"]} if "truth" in truths else {}
    found: dict[str, Any] = {
        "rule": RULE,
        "least_days": LEAST_DAYS,
        "years": [],
        "station_years": {},
        "rows": [],
    }
    parts = []
    for year, days in held_years(experiment).items() if judged and table is not None and "stations" in truths else ():
        said, counts = _one_year(judged, truths["stations"], days)
        parts.append(said)
        found["years"].append(year)
        for key, some in counts.items():
            one = found["station_years"].setdefault(key, dict.fromkeys(some, 0))
            found["station_years"][key] = {name: one[name] + n for name, n in some.items()}
    if parts and table is not None:
        whole = {name: xr.concat([p[name] for p in parts], "year") for name in parts[0]}
        rows = date_errors(
            {name: whole[name] for name in judged},
            whole["stations"],
            resamples=table.resamples,
            level=table.confidence,
            seed=table.seed,
        )
        found["rows"] = watch.marked(rows, leaks)
    write_json(run.path(FILE), found)
    return found


def held_years(experiment: North) -> dict[int, np.ndarray]:
    """Held-out days of each frost year that has LEAST_DAYS of them, by the year in which it begins."""
    days = days_of(experiment)[roles(experiment)[0] == "heldout"]
    years = frost_year(days)
    return {int(y): days[years == y] for y in np.unique(years) if (years == y).sum() >= LEAST_DAYS}


def _one_year(
    judged: Mapping[str, xr.Dataset], stations: xr.Dataset, days: np.ndarray
) -> tuple[dict[str, xr.Dataset], dict[str, dict[str, int]]]:
    """Seasons of one frost year (year: 1, overpass, site) by record and of the `stations`; station-years by overpass.

    Held: the year's series at the stations.
    """
    blocks = list(matched(judged, stations, days=days))
    series = {name: xr.concat([b[0][name].transpose(*DIMS) for b in blocks], "time") for name in judged}
    series["stations"] = xr.concat([b[1].transpose(*DIMS) for b in blocks], "time")
    common = np.logical_and.reduce([np.isfinite(field.values) for field in series.values()])
    enough = common.sum(axis=0) >= LEAST_DAYS
    codes = [int(c) for c in series["stations"]["overpass"].values]
    seasons = {}
    for name, field in series.items():
        masked = field.where(common & enough).drop_vars("spatial_ref", errors="ignore")
        (one,) = season.yearly(
            xr.Dataset({"frozen": masked}), start_month=FROST_YEAR_MONTH, rule=RULE, overpasses=codes
        )
        seasons[name] = one[list(MEASURES)].drop_vars([c for c in one.coords if c not in ("year", "overpass", "site")])
    some = np.isfinite(series["stations"].values).any(axis=0)
    dated = np.isfinite(seasons["stations"]["onset"].values[0])
    counts = {
        OVERPASS_NAMES[code]: {
            "measured": int(some[j].sum()),
            "too_few_days": int((some[j] & ~enough[j]).sum()),
            "no_onset": int((enough[j] & ~dated[j]).sum()),
        }
        for j, code in enumerate(codes)
    }
    return seasons, counts


def read(run: Run) -> dict[str, Any]:
    """What `phenology` wrote; without rows where it never ran."""
    path = run.path(FILE)
    return read_json(path) if path.exists() else {"rows": [], "station_years": {}, "years": []}


def sheets(run: Run) -> list[Sheet]:
    """The report's table of errors in days, if there are any."""
    found = read(run)
    table = {(r["overpass"], r["measure"], r["record"], r["score"]): r for r in found["rows"]}
    lines = []
    for overpass, measure, record in dict.fromkeys(key[:3] for key in table):
        row = table[overpass, measure, record, "rmse"]
        scores = [
            number(table.get((overpass, measure, record, score)), digits=digits, sign=sign)
            for score, digits, sign in (
                ("mean_error", 1, True), ("rmse", 1, False), ("median_error", 1, True), ("rmse_skill", 2, True),
            )
        ]  # fmt: skip
        counts = [f"{row['n']:,}", f"{row['stations']:,}", f"{row['missed']:,}"]
        lines.append([HEADS[measure], NAMES.get(overpass, overpass), NAMES.get(record, record), *scores, *counts])
    if not lines:
        return []
    left = "; ".join(
        f"{NAMES.get(o, o)}: of {c['measured']} station-years {c['too_few_days']} have fewer, "
        f"{c['no_onset']} of the rest no onset"
        for o, c in found["station_years"].items()
    )
    years = ", ".join(f"{y}/{(y + 1) % 100:02d}" for y in found["years"])
    note = (
        f"Record less station, in days, at stations that never taught; frost years {years}. Positive is late, or long. "
        "Onset is the first day of freeze that opens 15 days of which 12 are frozen, after a thawed one; the end is "
        "likewise the first of lasting thaw, sought from January on. The rule's source is unverified. Station and "
        "records are compared on the days that all of them know, and station-years with fewer than "
        f"{found['least_days']} such days are left out ({left}). A row counts station-years in which all records have "
        "the date; missed are those in which the station has it and this record does not. Intervals are of a bootstrap "
        "over stations. The truth's row is the cell's own ice: how far a thermometer at a point is from its cell, "
        "whoever maps it."
    )
    if not any(r["record"] == "truth" for r in found["rows"]):
        note = note.rpartition(" The truth's row")[0]
    head = ["", "pass", "record", "mean error", "RMSE", "median error", "RMSE skill over climatology"]
    head += ["n", "stations", "missed"]
    return [Sheet("When the frozen season begins and ends, against stations (days)", note, head, lines)]
