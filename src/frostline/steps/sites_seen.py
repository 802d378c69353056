"""Figures at points: a year at three stations, errors of seasons in days, and maps of scores with stations on them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from typing import Any

import numpy as np
import xarray as xr

from frostline import charts_sites, clock, store
from frostline.config_north import North
from frostline.figures_evidence import ScoreMap, score_maps
from frostline.runs import Run
from frostline.scores import accuracy, brier
from frostline.steps import phenology
from frostline.steps.common import days_of, grid_of, roles
from frostline.steps.evidence import references
from frostline.steps.gallery import Drawn
from frostline.steps.model import record_path
from frostline.steps.panels import note
from frostline.tally import tally_cells
from frostline.validate.match import at_cells, matched

LEAST_DAYS = 300  # known mornings of a station whose year is drawn
LEAST_SCORED = 100  # compared cell-days of a cell or station whose score is mapped, or half of the possible ones
YEAR = 366
KINDS = ("most", "median", "fewest")


def points(experiment: North, run: Run) -> Drawn:
    """What the run knows at points; nothing without a net, and each figure only where there are stations for it."""
    if experiment.train is None or experiment.validate_ is None:
        return []
    truths = references(experiment, run)
    unet = store.open_store(record_path(run, "unet"), chunks={})
    drawn: Drawn = [*stations(experiment, run, unet, truths)]
    rows = phenology.read(run)["rows"]
    if rows:
        figure = charts_sites.date_errors(rows, note=note(experiment))
        caption = (
            "Beginning, end and length of the frozen season against stations that never taught, in days: mean error "
            "with its interval over stations, and RMSE."
        )
        drawn.append(("season_errors", figure, caption))
    return drawn + maps_of_scores(experiment, run, unet, truths)


def stations(experiment: North, run: Run, unet: xr.Dataset, truths: Mapping[str, xr.Dataset]) -> Drawn:
    """The held-out year at the stations whose own state changes most, middling and least."""
    if "stations" not in truths:
        return []
    days = drawn_days(experiment)
    sites = truths["stations"].reindex(time=days, overpass=[clock.AM, clock.PM])  # daily stations know neither
    chosen = choose(sites["frozen"].sel(overpass=clock.AM).values, sites["site"].values.astype(str).tolist())
    if not chosen:
        return []
    grid = grid_of(experiment)
    some = sites.isel(site=list(chosen))
    cells = grid.locate(some["lon"].values, some["lat"].values)
    others = {"reanalysis": truths["reanalysis"]} if "reanalysis" in truths else {}
    others |= {"truth": truths["truth"]} if "truth" in truths else {}
    fields = {name: _series(ds, cells, days) for name, ds in {"record": unet, **others}.items()}
    passes = [(code, clock.OVERPASS_NAMES[code]) for code in (clock.AM, clock.PM)]
    panels = []
    for k, (place, (kind, changes)) in enumerate(chosen.items()):
        one = some.isel(site=k)
        said = {name: field.isel(site=k) for name, field in fields.items()}
        morning = {name: f.sel(overpass=clock.AM).values for name, f in said.items()}
        strips = {"record": morning.pop("record"), "station": one["frozen"].sel(overpass=clock.AM).values, **morning}
        panels.append(
            charts_sites.Site(
                title=f"{sites['site'].values[place]}, {_place(one)}, {kind} changes ({changes})",
                soil_temperature=one["soil_temperature"].sel(overpass=clock.AM).values,
                probability={name: said["record"].sel(overpass=code).values for code, name in passes},
                frozen={name: one["frozen"].sel(overpass=code).values for code, name in passes},
                strips=strips,
            )
        )
    figure = charts_sites.site_panels(days, panels, note=note(experiment))
    caption = (
        f"Stations that never taught, {str(days[0])[:10]} to {str(days[-1])[:10]}: of those with at least "
        f"{LEAST_DAYS} known mornings the one whose state changes most often between mornings, the median one and the "
        "one with fewest changes. Lines: the record's probability in the station's cell, and the soil temperature of "
        "the station in the morning. Ticks above: days on which the record's class is not the station's. Strips: "
        "mornings."
    )
    return [("stations", figure, caption)]


def drawn_days(experiment: North) -> np.ndarray:
    """Days of the last held-out frost year, if there is a whole one, else the held-out span, at most 366 days of it."""
    years = phenology.held_years(experiment)
    held = years[max(years)] if years else days_of(experiment)[roles(experiment)[0] == "heldout"]
    return clock.days(held[0], held[-1])[:YEAR] if len(held) else held


def choose(states: np.ndarray, names: list[str], *, least: int = LEAST_DAYS) -> dict[int, tuple[str, int]]:
    """Which of the stations are drawn: place -> (most, median or fewest, changes of its state).

    `states` (time, site) are 0, 1, NaN. Stations with `least` known days (or with half of the days, where there are
    not so many) are ordered by changes between one known day and the next, then by name. Two are drawn as most and
    fewest, one as most.

    >>> states = np.array([[0.0, 0, 0, np.nan], [1, 0, 0, np.nan], [0, 0, 1, 1]])
    >>> choose(states, ["a", "b", "c", "d"], least=3)
    {0: ('most', 2), 2: ('median', 1), 1: ('fewest', 0)}
    """
    known = np.isfinite(states)
    able = np.flatnonzero(known.sum(axis=0) >= min(least, max(states.shape[0] / 2, 1)))
    changes = {int(s): int(np.abs(np.diff(states[known[:, s], s] > 0.5)).sum()) for s in able}
    order = sorted(changes, key=lambda s: (-changes[s], names[s]))
    if not order:
        return {}
    places = {0: KINDS[0], len(order) - 1: KINDS[2]} | ({len(order) // 2: KINDS[1]} if len(order) > 2 else {})
    places[0] = KINDS[0]
    return {order[at]: (places[at], changes[order[at]]) for at in sorted(places)}


def maps_of_scores(experiment: North, run: Run, unet: xr.Dataset, truths: Mapping[str, xr.Dataset]) -> Drawn:
    """Accuracy and Brier score of each cell against the reanalysis, and of stations, on the held-out days."""
    held = days_of(experiment)[roles(experiment)[0] == "heldout"]
    if "reanalysis" not in truths or not len(held):
        return []
    grid = grid_of(experiment)
    cells, n = _of_cells(unet, truths["reanalysis"], held)
    dots = {name: np.empty(0) for name in cells}
    counts, lon, lat = np.empty(0), np.empty(0), np.empty(0)
    if "stations" in truths:
        dots, counts = _of_cells(unet, truths["stations"], held)
        lon, lat = (truths["stations"][c].values for c in ("lon", "lat"))
    maps = [
        ScoreMap(title, label, cells[key], n, dots[key], counts, good_is_high=high)
        for key, title, label, high in (
            ("accuracy", "Accuracy", "share of cell-days right, AM and PM", True),
            ("brier", "Brier score", "mean squared error of the probability, AM and PM", False),
        )
    ]
    land = store.open_store(run.path("stack.zarr"))["land"].values == 1
    figure = score_maps(grid, maps, lon=lon, lat=lat, land=land, against="the reanalysis", note=note(experiment))
    caption = (
        "Where the record is good on held-out days: cells against the reanalysis, dots against stations that never "
        f"taught; AM and PM together; unknown below {LEAST_SCORED} compared cell-days. What departs from the "
        "reanalysis is not wrong for that: it is one judge among others."
    )
    return [("score_maps", figure, caption)]


def _of_cells(claim: xr.Dataset, truth: xr.Dataset, days: np.ndarray) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Accuracy and Brier score of each cell or site, AM and PM together, and n; NaN below the least n."""
    parts = (tally_cells(fields["claim"], state) for fields, state in matched({"claim": claim}, truth, days=days))
    sums = reduce(lambda a, b: a + b, parts).sum("overpass")
    n = sums["n"].values
    arrays = {str(name): v.values for name, v in sums.items()}
    found: dict[str, Any] = {"accuracy": accuracy(arrays), "brier": brier(arrays)}
    least = min(LEAST_SCORED, len(days))
    return {name: np.where(n >= least, values, np.nan) for name, values in found.items()}, n


def _series(ds: xr.Dataset, cells: tuple[np.ndarray, np.ndarray], days: np.ndarray) -> xr.DataArray:
    """A record at some cells on some days, (time, overpass, site), in memory."""
    return (
        at_cells(ds["frozen"].sel(time=ds["time"].isin(days)), *cells)
        .load()
        .reindex(time=days, overpass=[clock.AM, clock.PM])
    )


def _place(site: xr.Dataset) -> str:
    lon, lat = float(site["lon"]), float(site["lat"])
    return f"{abs(lat):.1f}°{'N' if lat >= 0 else 'S'} {abs(lon):.1f}°{'E' if lon >= 0 else 'W'}"
