"""The china system's figures and its report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from frostline import (
    charts,
    charts_collocation,
    charts_evidence,
    charts_trends,
    figures_bivariate,
    figures_months,
    figures_seasons,
    figures_study,
    store,
)
from frostline.config_china import China
from frostline.report import write_report
from frostline.runs import Run, read_json
from frostline.steps import findings, shelf, watch
from frostline.steps.assumptions_china import assumptions
from frostline.steps.climate import season_path
from frostline.steps.common import days_of, grid_of, load
from frostline.steps.gallery import Drawn, hang, made_with
from frostline.steps.panels import note
from frostline.validate.collocation_em import STATUS

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
FIRST_DAYS = 8  # of a month: SMAP returns within them
RIVALS = (
    "convlstm_smap",
    "convlstm_esdr",
    "smap",
    "esdr",
    "climatology",
    "climatology_truth",
    "recalibrated",
    "reanalysis",
)
GROUPS = {"landcover": "land cover", "climate": "climate", "tci": "terrain complexity", "all": "overpass"}


def draw(experiment: China, run: Run) -> dict[str, Any]:
    """Every figure as a PNG in `figures/`."""
    return hang(run, all_figures(experiment, run))


def report(experiment: China, run: Run) -> dict[str, Any]:
    """The one HTML file: the verdict, warnings, scores, tables, figures, what is stated and what assumed."""
    drawn, scores = all_figures(experiment, run), read_json(run.path("scores.json"))
    path = write_report(
        run.path("report.html"),
        title=experiment.title,
        experiment=experiment.model_dump(by_alias=True, exclude_none=True),
        figures=[(figure, caption) for _, figure, caption in drawn],
        scores=scores,
        tables=[*findings.sheets(run), *watch.sheets(scores)],
        assumptions=assumptions(experiment),
        summary=findings.summary(experiment, run),
        warnings=[*watch.warnings(run), *findings.warnings(experiment, run)],
        twin=experiment.twin is not None,
        made_with=made_with(),
    )
    return {"path": str(path), "bytes": path.stat().st_size}


def all_figures(experiment: China, run: Run) -> Drawn:
    """The figures that the run's results allow, in the order of the report."""
    drawn = [*_study_area(experiment, run), *_months(experiment, run), *_evidence(experiment, run)]
    drawn += [*_collocation(experiment, run), *_seasons(experiment, run), *_trends(experiment, run)]
    return watch.stamped(drawn, run)


def _study_area(experiment: China, run: Run) -> Drawn:
    stack = store.open_store(run.path("stack.zarr"))
    places = {role: shelf.sites_of(run, role) for role in ("train", "heldout", "network")}
    where = {r: (s["lon"].values, s["lat"].values) for r, s in places.items() if s is not None}
    networks = {}
    if (dense := places["network"]) is not None:
        for name in dict.fromkeys(dense["network"].values.tolist()):
            mine = dense["network"].values == name
            networks[str(name)] = (dense["lon"].values[mine], dense["lat"].values[mine])
    fields = {n: stack[n].values if n in stack else None for n in ("elevation", "region", "permafrost")}
    figure = figures_study.study_area_networks(
        grid_of(experiment),
        land=stack["land"].values == 1,
        elevation=fields["elevation"],
        regions=fields["region"],
        region_names=stack.attrs.get("regions", ()),
        permafrost=fields["permafrost"],
        permafrost_names=stack.attrs.get("permafrost_classes", ()),
        stations=where.get("train"),
        heldout_stations=where.get("heldout"),
        networks=networks,
        note=note(experiment),
    )
    return [
        ("study_area", figure, "The area: stations that teach and that judge, dense networks, regions, permafrost.")
    ]


def _months(experiment: China, run: Run) -> Drawn:
    """A morning at the beginning of each month of a year, of the fused record and of SMAP."""
    year = experiment.report.year or last_whole_year(days_of(experiment))
    found = shelf.records(experiment, run)
    names: tuple[str, ...] = ("fused", "smap")
    mornings = {n: found[n]["frozen"].isel(overpass=0) for n in names if n in found}
    days = [_best_of(mornings, np.datetime64(f"{year}-{month:02d}", "M")) for month in range(1, 13)]
    if any(day is None for day in days):
        return []
    fields = {name: list(frozen.sel(time=days).values) for name, frozen in mornings.items()}
    land = store.open_store(run.path("stack.zarr"))["land"].values == 1
    titles = [f"{int(str(day)[8:10])} {month}" for day, month in zip(days, MONTHS, strict=True)]
    figure = figures_months.twelve_months(grid_of(experiment), fields, titles, land=land, note=note(experiment))
    caption = (
        f"Twelve mornings of {year}, of each month's first {FIRST_DAYS} days the one that most cells of both records "
        "know: frozen share and edge density (share of neighboring cells of which one is frozen and one thawed), on "
        "the cells that both know that day."
    )
    return [("months", figure, caption)]


def last_whole_year(days: np.ndarray) -> int:
    """The last year of which the dates have the last day.

    >>> [last_whole_year(np.array([d], "datetime64[D]")) for d in ("2020-12-31", "2020-12-30", "2020-02-29")]
    [2020, 2019, 2019]
    """
    return int(str(days[-1].astype("datetime64[D]") + 1)[:4]) - 1


def _best_of(mornings: Mapping[str, xr.DataArray], month: np.datetime64) -> np.datetime64 | None:
    """The earliest of a month's first days on which the records know most cells together; None without any day."""
    first = month.astype("datetime64[D]")
    days = (first + np.arange(FIRST_DAYS)).astype("datetime64[ns]")
    days = days[np.isin(days, next(iter(mornings.values()))["time"].values)]
    if not len(days):
        return None
    known = np.ones(1, bool)
    for frozen in mornings.values():
        known = known & np.isfinite(frozen.sel(time=days).values)
    return days[int(known.sum(axis=(1, 2)).argmax())]


def _evidence(experiment: China, run: Run) -> Drawn:
    rows, mark = read_json(run.path("scores.json")), note(experiment)
    judge = "truth" if experiment.twin is not None else "stations"
    strata = ["all", "season:frozen"]
    drawn: Drawn = []
    if any(r["against"] == judge and r["split"] == "heldout" for r in rows):
        points = charts.score_points(rows, against=judge, strata=strata, records=("fused", *RIVALS), note=mark)
        caption = "Accuracy in the held-out years on common cell-days, with intervals and n: all, and Dec-Jan."
        drawn.append(("scores", points, caption))
    if any(r["stratum"].startswith("network:") for r in rows):
        bars = charts_evidence.accuracy_bars(rows, note=mark)
        caption = (
            "Accuracy of frozen (CA_F), thawed (CA_T) and all days (CA_O) at the dense networks, each record on "
            "all the days that it knows there."
        )
        drawn.append(("networks", bars, caption))
        scatter = charts_evidence.season_scatter(rows, note=mark)
        drawn.append(("season_scatter", scatter, "The fused record's accuracies against SMAP's by season; R and bias."))
        followed = charts_evidence.season_agreement(rows, note=mark)
        drawn.append(("season_agreement", followed, "R and bias against the nodes by network and season, mornings."))
    return drawn


def _collocation(experiment: China, run: Run) -> Drawn:
    mark, drawn = note(experiment), []
    for first in read_json(run.path("collocation.json"))["sets"][:1]:
        if not first["rows"]:
            continue
        table = charts_collocation.rank_table(first["rows"], members=first["members"], note=mark)
        drawn.append(
            ("ranks", table, "Ranks of the paper's triplet by collocation. Read the warnings: they share inputs.")
        )
    if run.path("collocation_cells.nc").exists():
        cells = load(run.path("collocation_cells.nc"))
        for which in cells["set"].values:
            drawn.append(_bivariate(experiment, run, cells.sel(set=which), str(which)))
    boxes = read_json(run.path("boxes.json"))
    for group, words in GROUPS.items():
        if any(item["group"] == group for item in boxes):
            figure = charts_collocation.box_plots(boxes, group=group, records=_boxed(boxes), note=mark)
            drawn.append((f"boxes_{group}", figure, f"Scores of cells in the held-out years by {words}; n are cells."))
    return drawn


def _boxed(boxes: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """The three of the paper: the fused record, the meteorological stations, the reanalysis."""
    there = {item["record"] for item in boxes}
    return tuple(name for name in ("fused", "Meteorology_FT", "stations", "reanalysis") if name in there)


def _bivariate(experiment: China, run: Run, cells: xr.Dataset, which: str) -> tuple[str, Any, str]:
    """Sensitivity and specificity of every member and cell, mornings, all days and two seasons."""
    morning = cells.isel(overpass=0)
    members = [m for m in which.split("+") if m in morning["member"].values]
    names = {"all": "all days", "frozen": "Dec-Jan", "transition": "Feb-Apr, Oct-Nov"}
    fields = {}
    for season in morning["season"].values:
        part = morning.sel(season=season)
        status = part["status"].values
        fields[names[str(season)]] = {
            m: (part["sensitivity"].sel(member=m).values, part["specificity"].sel(member=m).values, status)
            for m in members
        }
    land = store.open_store(run.path("stack.zarr"))["land"].values == 1
    figure = figures_bivariate.bivariate_maps(
        grid_of(experiment),
        fields,
        land=land,
        status_names={code: name for name, code in STATUS.items()},
        note=note(experiment),
    )
    who = ", ".join(findings.NAMES.get(m, m) for m in members)
    return f"bivariate_{which.replace('+', '_')}", figure, f"Collocation of {who} in every cell, mornings."


def _seasons(experiment: China, run: Run) -> Drawn:
    """Mean frozen days a year of the fused record, and their spread, mornings."""
    if not season_path(run, "fused").exists():
        return []
    found = load(season_path(run, "fused"))
    days = found["frozen_days"].isel(overpass=0)
    days = days.isel(year=days.notnull().any(["y", "x"]).values)  # the first and the last are no whole years
    figure = figures_seasons.frozen_days_maps(
        grid_of(experiment),
        days.mean("year").values,
        days.std("year", ddof=1).values,
        land=store.open_store(run.path("stack.zarr"))["land"].values == 1,
        years=days["year"].values.tolist(),
        note=note(experiment),
    )
    return [
        ("frozen_days", figure, "Frozen mornings a year of the fused record: mean, and standard deviation of years.")
    ]


def _trends(experiment: China, run: Run) -> Drawn:
    told, mark = read_json(run.path("trends.json")), note(experiment)
    names = list(dict.fromkeys(row["record"] for row in told["rows"]))
    which = "region" if any(row["group"] == "region" for row in told["rows"]) else "all"
    series: dict[str, dict[str, Any]] = {}
    slopes: dict[str, dict[str, Any]] = {}
    for row in told["rows"]:
        if row["group"] == which and row["overpass"] == "am":
            series.setdefault(row["name"], {})[row["record"]] = np.array(row["yearly"], float)
            slopes.setdefault(row["name"], {})[row["record"]] = (row["slope"], row["lo"], row["hi"])
    breaks = sorted({int(row["year"]) for row in told["breaks"]})
    lines = charts_trends.frozen_days_series(told["years"], series, slopes, breaks=breaks, note=mark)
    records = [name for name in names if name != "truth"]
    bars = charts_trends.trend_bars(told["rows"], records=records, note=mark)
    drawn = [
        ("frozen_days_series", lines, "Frozen mornings a year by region, with Sen's slope; dotted: changes of sensor."),
        ("trends", bars, "Slopes by region and permafrost class; the band is the truth's; right, differences to it."),
    ]
    crossed = ("region/permafrost",)
    if any(row["group"] in crossed for row in told["rows"]):
        figure = charts_trends.trend_bars(told["rows"], records=records, groups=crossed, note=mark)
        drawn.append(("trends_crossed", figure, "Slopes by permafrost class within each region."))
    return drawn
