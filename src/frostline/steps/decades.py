"""First step of the china system: four decades of the twin Earth, its truth and its files."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import xarray as xr

from frostline import store
from frostline.config_china import China
from frostline.errors import ConfigError
from frostline.runs import Run
from frostline.steps.common import days_of, grid_of

TRUTH = ("truth", "truth_t0", "soil_temperature")
GROUND = ("elevation", "land", "terrain_std", "water_fraction", "land_cover")


def twin(experiment: China, run: Run) -> dict[str, Any]:
    """Simulate the twin Earth over whole years; write its truth, and its input files as their owners publish them.

    With two workers or more Earth and reanalysis march beside each other.
    """
    from frostline.steps.decades_states import deliver
    from frostline.twin import decades, decades_ground, decades_sites
    from frostline.twin.long import LONG_BIAS, long_earth, long_ground, long_observed

    table = experiment.twin
    if table is None:
        shutil.rmtree(run.path("truth.zarr"), ignore_errors=True)  # of an experiment that had one
        return {"skipped": "no [twin] table: the files are real"}
    grid, days = grid_of(experiment), days_of(experiment)
    first, last = _years(days)
    ground = long_ground(grid, seed=table.seed)
    begin, end = days[0].astype("datetime64[D]"), days[-1].astype("datetime64[D]")
    cma = decades_sites.make_cma(ground, grid, n=table.stations, seed=table.seed, start=begin, end=end)
    dense = decades_sites.make_networks(ground, grid, nodes=table.nodes, seed=table.seed)
    path = store.create(
        run.path("truth.zarr"),
        grid=grid,
        time=days,
        overpass=[0, 1],
        variables=TRUTH,
        static={name: ground[name].values for name in GROUND},
        attrs={"source": f"twin Earth, seed {table.seed}", "warming_K_per_decade": table.warming},
    )
    same: dict[str, Any] = {"start_year": first, "end_year": last, "warming": table.warming / 10.0}
    blocks = long_earth(
        grid,
        **same,
        seed=table.seed,
        block_days=store.chunk_days(grid),
        cells=tuple(np.concatenate([cma[n].values, dense[n].values]) for n in ("row", "col")),  # type: ignore[arg-type]
    )
    extremes: list[xr.Dataset] = []  # of the stations: 8 bytes a day and station
    probes: list[xr.Dataset] = []  # of the networks, since they stand: 32 bytes a day and node

    def seen() -> Iterator[xr.Dataset]:
        with store.writer(path) as write:
            total = -(-len(days) // store.chunk_days(grid))
            for block in run.track(blocks, total=total, label="twin Earth and its files"):
                at = int((block["time"].values[0] - days[0]) / np.timedelta64(1, "D"))
                write(at, {name: block[name].values for name in TRUTH})
                extremes.append(block[["ground_min", "ground_max"]].isel(site=slice(0, table.stations)).drop_attrs())
                if block["time"].values[-1] >= decades_sites.BEGIN:
                    probes.append(block[["soil_temperature_3h"]].isel(site=slice(table.stations, None)).drop_attrs())
                yield long_observed(block, grid, seed=table.seed)

    options = same | {
        "seed": table.seed + 1,
        "weather_seed": table.seed,
        "bias": replace(LONG_BIAS, weather_sd=table.weather_error, static_sd=table.static_bias),
        "before": max(experiment.assemble.hours_before),
        "mode": experiment.assemble.time,
    }
    out = run.path("data")
    shutil.rmtree(out, ignore_errors=True)
    air = decades.beside(decades.reanalysis, out / "era5land", grid, options, workers=run.workers)
    counts = deliver(out, observed=seen(), air=air, ground=ground, grid=grid)
    counts |= decades_ground.write_maps(out, ground=ground, grid=grid)
    daily = xr.concat(extremes, "time")
    least, most = daily["ground_min"].values, daily["ground_max"].values
    dates = daily["time"].values.astype("datetime64[D]")
    counts["cma"] = decades_sites.write_cma(out / "cma", cma, dates, least, most, seed=table.seed)
    counts |= decades_sites.write_networks(out, dense, probes, seed=table.seed)
    counts["era5land"] = sum(1 for _ in (out / "era5land").glob("*.nc"))
    return {"files": counts, "years": f"{first}-{last}", "warming_K_per_decade": table.warming}


def _years(days: np.ndarray) -> tuple[int, int]:
    """First and last year of days that are whole calendar years."""
    begin, end = str(days[0])[:10], str(days[-1])[:10]
    if begin[5:] != "01-01" or end[5:] != "12-31":
        cause = f"{begin} to {end} are no whole calendar years, which this twin is made of"
        raise ConfigError("E-CONFIG", where="period", cause=cause, remedy="begin on 1 January, end on 31 December")
    return int(begin[:4]), int(end[:4])
