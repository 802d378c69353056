"""The maps of a run: where it is, its record on some days, what was right, another product beside it."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import xarray as xr

from frostline import clock, figures, store
from frostline.config_china import China
from frostline.config_north import North
from frostline.grid import Grid
from frostline.runs import Run
from frostline.schema import QUALITY
from frostline.steps.common import days_of, folders, grid_of, load, roles
from frostline.steps.gallery import Drawn
from frostline.steps.model import record_path

Moment = tuple[str, int]  # local date, index of the overpass
SEASON_DAYS = ("01-15", "04-20", "07-15", "10-20")  # one day in each season, where none are asked for
PANELS = 4
KINDS = {"unet": "U-Net", "reanalysis": "Reanalysis"}


def study_area(experiment: North, run: Run) -> Drawn:
    """Elevation, land cover, stations and the split."""
    stack, grid = store.open_store(run.path("stack.zarr")), grid_of(experiment)
    cells = roles(experiment)[1]
    places: dict[str, Any] = {}
    fields: dict[str, Any] = {}
    for name in ("elevation", "land_cover"):
        fields[name] = stack[name].values if name in stack else None
    if run.path("sites.nc").exists():
        sites = load(run.path("sites.nc"))
        for key, role in (("stations", "train"), ("heldout_stations", "heldout")):
            at = sites["role"].values == role
            places[key] = (sites["lon"].values[at], sites["lat"].values[at])
    figure = figures.study_area(
        grid,
        **fields,
        land=stack["land"].values == 1,
        blocks=np.where(cells == "train", 0, np.where(cells == "heldout", 1, 2)),
        note=note(experiment),
        **places,
    )
    what = [name.replace("_", " ") for name, field in fields.items() if field is not None] or ["land"]
    what += ["stations"] * bool(places) + ["the cells that never taught"] * (experiment.split is not None)
    return [("study_area", figure, f"The area of the record: {', '.join(what)}.")]


def maps(experiment: North, run: Run) -> Drawn:
    """Each record on four overpasses; the main one also against the twin's truth."""
    drawn: Drawn = []
    mark = note(experiment)
    states = experiment.predict.method == "reanalysis"
    for name, record in records(experiment, run).items():
        chosen = moments(experiment, record)
        panels = [panel(record, at) for at in chosen]
        titled = [replace(p, title=f"{p.title}: {_shares(p)}") for p in panels]
        grid = Grid.of(record).name
        who = KINDS.get(name, "Reanalysis")
        what = "frozen and thawed soil" if states else "probability that the soil is frozen"
        caption = f"{who} on {grid}: {what}, AM 6 h and PM 18 h local solar time; shares of the land."
        silent = _silent(record) if len(record["time"]) < PANELS else []
        if silent:
            caption += f" No cell is known at {' and '.join(silent)}: those hours lie outside the files."
        drawn.append((f"probability_{name}", figures.probability_maps(titled, states=states, note=mark), caption))
        if name == "unet" and run.path("truth.zarr").exists():
            truth = store.open_store(run.path("truth.zarr"))["truth"]
            known = [truth.sel(time=day).values[code] for day, code in chosen]
            caption = f"{KINDS[name]} against the twin's truth on the same days."
            drawn.append((f"difference_{name}", figures.difference_maps(panels, known, note=mark), caption))
    return drawn


def beside(experiment: North, run: Run) -> Drawn:
    """A record on M36 beside an undated SMAP freeze/thaw map: to look at, never to score."""
    from frostline.read.smap_map import read_smap_map

    if experiment.report.picture is None:
        return []
    smap = read_smap_map(folders(experiment, run)["picture"])
    grid = Grid.of(smap)
    panels, land = [], None
    record = next((r for r in records(experiment, run).values() if Grid.of(r) == grid), None)
    if record is not None:
        fullest = max(moments(experiment, record), key=partial(_known, record))
        own = panel(record, fullest)
        panels, land = [replace(own, title=f"This record, {own.title}")], own.land
    panels.append(figures.Panel("SMAP, one undated overpass", smap["frozen"].values, grid, land))
    caption = (
        "SMAP's own freeze/thaw map has no date in its file; its pattern is that of a boreal spring. "
        "Another time, another sensor: for the eye only, no score is made of it."
    )
    return [("smap_beside", figures.probability_maps(panels, states=True), caption)]


def records(experiment: North, run: Run) -> dict[str, xr.Dataset]:
    """Records that are this run's own product, the main one first."""
    net = experiment.predict.method == "net"
    names = ["unet"] if net else ["reanalysis", *experiment.predict.more_grids]
    return {name: store.open_store(record_path(run, name)) for name in names}


def moments(experiment: North, record: xr.Dataset) -> list[Moment]:
    """Which overpasses are drawn: two mornings and two evenings, on the days asked for or one a season.

    Of fewer days than four, the four overpasses that know most cells, in order of time.
    """
    if experiment.report.days is not None:
        return list(zip(experiment.report.days, (0, 0, 1, 1), strict=True))
    held = days_of(experiment)[roles(experiment)[0] == "heldout"]
    days = held if len(held) else days_of(experiment)
    if len(days) < PANELS:
        every = [(str(d)[:10], code) for d in days for code in range(record.sizes["overpass"])]
        return sorted(sorted(every, key=lambda m: -_known(record, m))[:PANELS])
    season = np.array([np.datetime64(f"{y}-{d}") for y in np.unique(clock.year(days)) for d in SEASON_DAYS])
    inside = [str(d) for d in season if days[0] <= d <= days[-1]]
    if len(inside) < PANELS:
        inside = [str(days[i])[:10] for i in np.linspace(0, len(days) - 1, PANELS).round().astype(int)]
    return list(zip(inside[:PANELS], (0, 0, 1, 1), strict=True))


def panel(record: xr.Dataset, at: Moment) -> figures.Panel:
    """One overpass of a record as a map; cells outside its domain are drawn as sea."""
    day, code = at
    one = record.sel(time=day).isel(overpass=code)
    land = (one["quality"].values & QUALITY["outside_domain"]) == 0
    name = clock.OVERPASS_NAMES[int(one["overpass"])].upper()
    return figures.Panel(f"{day} {name}", one["frozen"].values, Grid.of(record), land)


def note(experiment: North | China) -> str:
    """What is stamped on every figure of a synthetic world."""
    return "twin Earth" if experiment.twin is not None else ""


def _known(record: xr.Dataset, at: Moment) -> int:
    day, code = at
    return int(record["frozen"].sel(time=day).isel(overpass=code).notnull().sum())


def _silent(record: xr.Dataset) -> list[str]:
    """Overpasses of a short record at which nothing is known."""
    days = [str(d)[:10] for d in record["time"].values]
    every = [(day, code) for day in days for code in range(record.sizes["overpass"])]
    names = [clock.OVERPASS_NAMES[int(code)].upper() for code in record["overpass"].values]
    return [f"{day} {names[code]}" for day, code in every if not _known(record, (day, code))]


def _shares(shown: figures.Panel) -> str:
    """How much of the land is known, and how much of that is frozen; cells of equal area."""
    assert shown.land is not None
    known = np.isfinite(shown.field) & shown.land
    if not known.any():
        return "nothing known"
    frozen = 100 * float((shown.field[known] > 0.5).mean())
    return f"{100 * known.sum() / shown.land.sum():.0f} % known, {frozen:.0f} % of it frozen"
