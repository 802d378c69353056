"""The figures and the report of given records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from frostline import figures_given as figures
from frostline.charts_trends import air_frozen_days, frozen_days_series
from frostline.clock import DAILY
from frostline.config_given import Given
from frostline.errors import ConfigError
from frostline.figures_seasons import melt_maps
from frostline.grid import Grid, regular
from frostline.report import write_report
from frostline.runs import Run, read_json
from frostline.season_blocks import BOTH
from frostline.steps.common import load
from frostline.steps.gallery import Drawn, hang, made_with
from frostline.steps.given import stations
from frostline.steps.given_sheets import sheets
from frostline.steps.given_words import assumptions, summary, warnings
from frostline.trends import MIN_YEARS

Rows = Sequence[Mapping[str, Any]]
OVERPASSES = ("am", "pm", "daily")
AMERICA = regular(0.5, left=-180.0, top=75.0, shape=(116, 234), name="North America and Hawaii")
FULL_SEASON = 212  # days from 1 October to 30 April


def draw(experiment: Given, run: Run) -> dict[str, Any]:
    """Every figure as a PNG in `figures/`."""
    return hang(run, all_figures(experiment, run))


def report(experiment: Given, run: Run) -> dict[str, Any]:
    """The one HTML file: what speaks against the numbers first, then scores, tables and figures."""
    scores = read_json(run.path("scores.json")) if experiment.inputs.uscrn is not None else []
    path = write_report(
        run.path("report.html"),
        title=experiment.title,
        experiment=experiment.model_dump(by_alias=True, exclude_none=True),
        figures=[(figure, caption) for _, figure, caption in all_figures(experiment, run)],
        scores=scores,
        tables=sheets(experiment, run),
        assumptions=assumptions(experiment),
        summary=summary(experiment, run),
        warnings=warnings(experiment, run),
        twin=False,
        made_with=made_with(),
        split="none",
    )
    return {"path": str(path), "bytes": path.stat().st_size}


def all_figures(experiment: Given, run: Run) -> Drawn:
    """The figures that the run's results allow."""
    drawn: Drawn = []
    if experiment.inputs.uscrn is not None:
        drawn += _stations(experiment, run)
    if experiment.inputs.basin is not None:
        drawn += _basin(experiment, run)
    if experiment.inputs.melt is not None:
        drawn += _melt(experiment, run)
    return drawn


def _stations(experiment: Given, run: Run) -> Drawn:
    records = stations(experiment, run)
    assert records is not None
    seasons, whole = load(run.path("seasons_uscrn.nc")), load(run.path("uscrn.nc"))
    frozen = seasons["days_seen"].sel(record="soil", overpass=DAILY).sum("year")
    of_all = np.full(whole.sizes["site"], np.nan)
    of_all[np.isin(whole["site"].values, frozen["site"].values)] = frozen.values
    n, freeze = frozen.size, int((frozen > 0).sum())
    drawn: Drawn = [
        (
            "stations",
            figures.station_map(
                AMERICA,
                whole["lon"].values,
                whole["lat"].values,
                of_all,
                title=f"{n} stations with at least {experiment.states.least_days} soil days, {freeze} of them freeze",
                label="days with frozen soil at 5 cm",
            ),
            "Stations and their days of frozen soil (daily mean at 5 cm below the threshold).",
        )
    ]
    entry = read_json(run.path("collocation.json"))["sets"][0]
    scores = read_json(run.path("scores.json"))
    part = _most_told(entry["rows"])
    if part is not None:
        stratum, season = part
        said = [r for r in entry["rows"] if (r["stratum"], r["season"]) == part]
        wanted = stratum if season == "all" else f"season:{season}"
        seen = [r for r in scores if r["stratum"] == wanted]
        when = "whole year" if season == "all" else season
        title = f"Said without a truth, and seen by the soil: {when}, {max(r['n'] for r in said):,} station-days"
        caption = (
            "Collocation of soil, air and skin (filled), and the same shares counted against the soil thermometer "
            "(hollow), with intervals. Did the assumptions hold, and were the soil's state the truth, air and skin "
            "would lie on their hollow marks and the soil at 1. Of all periods the one of which collocation tells most."
        )
        drawn.append(("said_and_seen", figures.said_and_seen(said, seen, overpasses=OVERPASSES, title=title), caption))
    rows = [r for r in entry["dependence"] if r["stratum"] == "all"]
    title = "Errors of air and skin go together; collocation needs 0"
    caption = (
        "Correlation of the errors of air and skin given the state of the soil, whole year: the assumption of "
        f"collocation, measured; with {entry['confidence']:.0%} intervals of stations drawn whole; n are station-days."
    )
    drawn.append(("errors_together", figures.errors_together(rows, overpasses=OVERPASSES, title=title), caption))
    return [*drawn, one_station(experiment, run, records)]


def _most_told(rows: Rows) -> tuple[str, str] | None:
    """The stratum and season with most numbers; None where there is none."""
    told: dict[tuple[str, str], int] = {}
    for row in rows:
        key = (row["stratum"], row["season"])
        told[key] = told.get(key, 0) + sum(row[s] is not None for s in ("sensitivity", "specificity"))
    best = max(told, key=lambda k: told[k])
    return best if told[best] else None


def one_station(experiment: Given, run: Run, records: Mapping[str, xr.Dataset]) -> tuple[str, Any, str]:
    """The year of one station: the one asked for, or where the air's daily mean misreads most days."""
    states = {name: ds["frozen"].sel(overpass=DAILY) for name, ds in records.items()}
    sites = states["soil"]["site"].values.astype(str)
    wrong = ((states["air"] != states["soil"]) & states["air"].notnull() & states["soil"].notnull()).sum("time").values
    wanted = experiment.report.station
    if wanted is not None and wanted not in sites:
        cause = f"station {wanted!r} is not among the {len(sites)} with {experiment.states.least_days} days of soil"
        raise ConfigError(
            "E-CONFIG", where="report.station", cause=cause, remedy=f"say one of {', '.join(sites[:8])}, …"
        )
    at = int(np.argmax(wrong)) if wanted is None else int(np.flatnonzero(sites == wanted)[0])
    kelvin = load(run.path("uscrn.nc"))["soil_mean"].sel(site=states["soil"]["site"][at])
    lon, lat = float(states["soil"]["lon"][at]), float(states["soil"]["lat"][at])
    title = (
        f"Station {sites[at]}, {lat:.1f}° N {abs(lon):.1f}° {'W' if lon < 0 else 'E'}: air misreads {wrong[at]} days"
    )
    strips = {name: ds.isel(site=at).values for name, ds in states.items()}
    figure = figures.station_year(kelvin["time"].values, kelvin.values, strips, title=title)
    text = "soil at 5 cm, and the states of soil, air and skin by their daily means"
    why = "" if wanted else " The air misreads no other station as often."
    return "station", figure, f"One station's year: {text}.{why}"


def _basin(experiment: Given, run: Run) -> Drawn:
    trends = read_json(run.path("trends.json"))["rows"]
    celsius = experiment.states.threshold - 273.15
    calendar = experiment.season.start_month == 1
    name = "seasons_basin" if calendar else "seasons_basin_calendar"
    found = load(run.path(f"{name}.nc")).sel(overpass=BOTH).isel(site=0)
    days = found["frozen_days"]
    row = _row(trends, "basin", "frozen_days", "calendar years")
    slope = None if row is None else (row["slope"], row["lo"], row["hi"])
    title = "Calendar years" if celsius == 0 else f"Calendar years, threshold {celsius:+.2f} °C"
    drawn: Drawn = [
        (
            "air_frozen_days",
            air_frozen_days(days["year"].values, days.values, slope, title=title),
            "Air temperature only: days whose maximum stays below the threshold, by calendar year, with Sen's line. "
            "Nothing is said of soil.",
        )
    ]
    if not calendar:
        found = load(run.path("seasons_basin.nc")).sel(overpass=BOTH).isel(site=0)
        known = int(found["onset"].notnull().sum())
        figure = figures.season_spans(
            found["year"].values,
            found["onset"].values,
            found["offset"].values,
            start_month=experiment.season.start_month,
            title=f"Season of air frost (Tmax below the threshold), not of soil: {known} years",
        )
        rule = found.attrs["rule"]
        drawn.append(
            ("air_seasons", figure, f"From onset to offset of the air's frost by year; rule {rule}. Air only.")
        )
    return drawn


def _melt(experiment: Given, run: Run) -> Drawn:
    found = load(run.path("seasons_melt.nc")).sel(overpass=DAILY)
    trends, grid = read_json(run.path("trends.json")), Grid.of(found)
    row, col = found["row"].values, found["col"].values
    years = found["year"].values[found["thawed_days"].notnull().any("site").values]

    def mapped(values: xr.DataArray) -> np.ndarray:
        return figures.on_grid(values.values, row, col, grid.shape)

    fields = {"days": mapped(found["thawed_days"].mean("year"))}
    for key in ("onset", "length"):
        if key in found:  # not of calendar years
            known = found[key].notnull().sum("year")
            fields[key] = mapped(found[key].mean("year").where(known >= MIN_YEARS))
    marked = None
    if run.path("trends_melt.nc").exists():
        of = load(run.path("trends_melt.nc"))
        fields["trend"] = mapped(of["slope"])
        marked = np.nan_to_num(mapped(of["p_fdr"]), nan=1.0) < experiment.report.marked
    ice = np.isfinite(figures.on_grid(np.ones(len(row)), row, col, grid.shape))
    said = [int(y) for y in years]
    drawn: Drawn = [
        (
            "melt_maps",
            melt_maps(grid, fields, ice=ice, significant=marked, years=said),
            f"Melt of the ice sheet's surface. Onset and length by the rule {experiment.season.rule} (a season ends "
            f"with its first window without melt from the sixth month on), where at least {MIN_YEARS} years have one. "
            f"Trend: where it ever melted; dots below a false discovery rate of {experiment.report.marked:g}.",
        )
    ]
    if run.path("means_melt.nc").exists():
        means = load(run.path("means_melt.nc"))
        regions = [str(r) for r in means["region"].values]
        rows = {r: _row(trends["rows"], "melt", "thawed_days", None, r) for r in regions}
        slopes = {r: {"melt": (v["slope"], v["lo"], v["hi"])} for r, v in rows.items() if v is not None}
        series = {r: {"melt": means["thawed_days"].sel(region=r).values} for r in regions}
        breaks = [int(y) for y in experiment.season.sensors]
        figure = frozen_days_series(means["year"].values, series, slopes, ylabel="melt days", breaks=breaks)
        caption = "Melt days a year of regions (means of anomalies, true areas), with Sen's line. Of ice, not of soil."
        drawn.append(("melt_series", figure, caption))
    gaps = [g for g in trends["gaps"] if g["record"] == "melt"]
    figure = figures.record_gaps(gaps, span=FULL_SEASON, title="What the record holds, October to April")
    drawn.append(("melt_gaps", figure, "Days in the files and values known on them, by melt year."))
    return drawn


def _row(rows: Rows, record: str, variable: str, counted: str | None, region: str = "all") -> Mapping[str, Any] | None:
    of = (record, variable, region)
    found = (r for r in rows if (r["record"], r["variable"], r["region"]) == of and counted in (None, r["counted"]))
    return next(found, None)
