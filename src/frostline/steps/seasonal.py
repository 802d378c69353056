"""The north system's seasons seen: frozen days a year, daily extent, mornings less evenings (Donahue et al. 2023)."""

from __future__ import annotations

import numpy as np

from frostline import figures_seasons, store
from frostline.config_north import North
from frostline.grid import Grid
from frostline.runs import Run
from frostline.steps.extent import annual, daily_extent
from frostline.steps.gallery import Drawn
from frostline.steps.model import record_path
from frostline.steps.panels import note

LEAST_DAYS = 360  # a year of them: below, a mean of years would be none


def seasonal(experiment: North, run: Run) -> Drawn:
    """Mean and spread of annual frozen days, extent through the year, AM - PM; nothing of less than a frost year."""
    name = "unet" if experiment.train is not None else "reanalysis"
    record = store.open_store(record_path(run, name), chunks={})
    if record.sizes["time"] < LEAST_DAYS:
        return []
    grid, mark, drawn = Grid.of(record), note(experiment), []
    land = store.open_store(run.path("stack.zarr"))["land"].values == 1
    found, extent = annual(record, grid, land), daily_extent(record, grid, land)
    morning = found.isel(overpass=0)
    years = morning["years"].values
    if years.max() > 0:
        figure = figures_seasons.frozen_days_maps(
            grid, morning["mean"].values, morning["sd"].values, land=land, note=mark
        )
        caption = f"Frozen mornings a frost year: mean, and standard deviation of {int(years.max())} years."
        drawn.append(("frozen_days", figure, caption))
    through = extent.isel(overpass=0)
    states = {state: (through[f"{state}_mean"].values, through["frozen_sd"].values) for state in ("frozen", "thawed")}
    figure = figures_seasons.extent_series(
        through["dayofyear"].values, states, area=float(extent.attrs["land_km2"]), note=mark
    )
    drawn.append(("extent", figure, "Frozen and thawed land through the year, mornings, with the spread of years."))
    if "am_minus_pm" in found and np.isfinite(found["am_minus_pm"].values).any():
        difference = found["am_minus_pm"]
        names = ("mean_absolute", "sd_absolute", "am_longer", "cells")
        numbers = {name: float(difference.attrs[name]) for name in names}
        figure = figures_seasons.am_pm_difference(grid, difference.values, numbers, land=land, note=mark)
        drawn.append(("am_minus_pm", figure, "Frozen mornings less frozen evenings a year."))
    return drawn
