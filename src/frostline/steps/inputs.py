"""The first two steps: the twin Earth writes what agencies deliver; every input is looked at and listed."""

from __future__ import annotations

import shutil
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from frostline import coast, store
from frostline.config import Experiment
from frostline.errors import InputError
from frostline.read.amsr2 import check_origin, list_amsr2
from frostline.read.cetb import list_cetb
from frostline.read.common import files_below
from frostline.read.gate import inspect_file
from frostline.runs import Run, write_json
from frostline.steps.common import days_of, folders, grid_of

TRUTH = ("truth", "truth_t0", "ice_share", "soil_temperature")
MARGIN = np.timedelta64(5, "D")  # the longest reach of a gap-filling preset (donahue-code-smap)
LISTINGS = {"smap": list_cetb, "amsr2": list_amsr2}
KINDS = {
    ".nc": "netcdf",
    ".nc4": "netcdf",
    ".h5": "hdf5",
    ".grb": "grib",
    ".grib": "grib",
    ".tif": "tiff",
    ".zip": "zip",
    ".parquet": "parquet",
}
SUFFIXES = {
    "era5": (".nc", ".zip"),
    "gldas": (".grb", ".grib"),
    "dem": (".tif",),
    "elevation": (".nc4", ".nc"),
    "landcover": (".tif",),
    "landmask": (".nc4", ".nc"),
    "ismn": (".stm", ".zip"),
    "uscrn": (".txt",),
    "stations": (".csv", ".parquet"),
}
Row = tuple[str, str | None, int | None, str | None]  # path, date, overpass, channel
GROUND = ("elevation", "land", "land_cover")


def twin(experiment: Experiment, run: Run) -> dict[str, Any]:
    """Simulate the twin Earth; write its truth, and its input files in the agencies' own layouts."""
    from frostline.twin import agencies, stations, world
    from frostline.twin.ground import make_ground
    from frostline.twin.observe import observe

    table = experiment.twin
    if table is None:
        return {"skipped": "no [twin] table: the files are real"}
    grid, days = grid_of(experiment), days_of(experiment)
    ground = make_ground(grid, seed=table.seed, land=coast.land_mask(grid))
    first, last = days[0] - np.timedelta64(1, "D"), days[-1] + np.timedelta64(1, "D")
    sites = stations.make_stations(ground, grid, n=table.stations, seed=table.seed, start=first, end=last)
    path = store.create(
        run.path("truth.zarr"),
        grid=grid,
        time=days,
        overpass=[0, 1],
        variables=TRUTH,
        static={name: ground[name].values for name in GROUND},
        attrs={"source": f"twin Earth, seed {table.seed}"},
    )
    probes: deque[xr.Dataset] = deque()
    blocks = world.earth(
        ground,
        grid,
        start=first,
        end=last,
        seed=table.seed,
        block_days=store.chunk_days(grid),
        cells=(sites["row"].values, sites["col"].values),
    )
    bias = world.ReanalysisBias(
        weather_sd=table.weather_error, static_sd=table.static_bias, spring=table.spring_lag, offset=table.offset
    )
    hourly = world.reanalysis(
        ground, grid, start=first, end=last, seed=table.seed + 1, weather_seed=table.seed, bias=bias
    )

    def seen() -> Iterator[xr.Dataset]:
        with store.writer(path) as write:
            total = -(-(len(days) + 2) // store.chunk_days(grid))
            for block in run.track(blocks, total=total, label="twin Earth and its files"):
                probes.append(block[["soil_temperature_3h"]].drop_attrs())
                inside = block.sel(time=slice(days[0], days[-1]))
                if inside.sizes["time"]:
                    at = int((inside["time"].values[0] - days[0]) / np.timedelta64(1, "D"))
                    write(at, {name: inside[name].values for name in TRUTH})
                yield observe(inside, grid, seed=table.seed)

    def thermometers() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for some in stations.observe(sites, _drained(probes), seed=table.seed):
            yield some["time"].values, some["soil_temperature"].values

    shutil.rmtree(run.path("data"), ignore_errors=True)
    counts = agencies.deliver(
        run.path("data"),
        blocks=seen(),
        hourly=hourly,
        ground=ground,
        grid=grid,
        sites=sites,
        site_series=thermometers(),
        cetb_version=table.cetb_version,
        workers=run.workers,
    )
    return {"files": counts, "land_share": float(ground["land"].mean())}


def _drained(queue: deque[xr.Dataset]) -> Iterator[xr.Dataset]:
    """What lies in a queue that somebody else fills before each item is asked for."""
    while queue:
        yield queue.popleft()


def read(experiment: Experiment, run: Run) -> dict[str, Any]:
    """List every input file, look into each, and say what is missing, doubled or broken; `inventory.json`."""
    days = days_of(experiment)
    inventory: dict[str, Any] = {}
    notes: dict[str, Any] = {}
    broken = 0
    for product, place in folders(experiment, run).items():
        entry = _stock(product, place, days, run)
        inventory[product] = entry
        broken += len(entry["bad"])
        missing = len(entry["missing_days"])
        if product == "amsr2":  # the files do not say where their columns begin; land and sea do
            entry["origin"] = check_origin(entry["files"][0][0])
        notes[product] = f"{len(entry['files'])} files" + (f", {missing} days without any" if missing else "")
        for line in [*entry["bad"].values(), *[f"{product}: no file at all in {y}" for y in entry["empty_years"]]]:
            run.say(f"  {line}")
    write_json(run.path("inventory.json"), inventory)
    return notes | ({"skipped_inputs": broken} if broken else {})


def _stock(product: str, place: Path, days: np.ndarray, run: Run) -> dict[str, Any]:
    """Files of one product that can be used, each (path, date, overpass, channel), and all that cannot."""
    listing = LISTINGS[product](place) if product in LISTINGS else None
    if listing is None:
        paths = [place] if place.is_file() else list(files_below(place))
        rows: list[Row] = [(str(p), None, None, None) for p in paths if p.suffix in SUFFIXES[product]]
        ignored = len(paths) - len(rows)
    else:
        # neighbours outside the period still fill its gaps
        near = (days[0] - MARGIN).astype("datetime64[D]"), (days[-1] + MARGIN).astype("datetime64[D]")
        inside = [f for f in listing.found if near[0] <= f.date <= near[1]]
        rows = [(str(f.path), str(f.date), f.overpass, f.channel) for f in inside]
        ignored = len(listing.ignored)
    good, bad = [], {}
    for row in run.track(rows, total=len(rows), label=f"looking at {product}"):
        try:
            inspect_file(row[0], KINDS.get(Path(row[0]).suffix.lower(), "text"))
            good.append(row)
        except InputError as error:
            bad[row[0]] = str(error)
    if not good:
        span = f"{str(days[0])[:10]}..{str(days[-1])[:10]}"
        cause = f"no usable {product} file for {span}" + (f" ({next(iter(bad.values()))})" if bad else "")
        remedy = f"put the files there, or take inputs.{product} out"
        raise InputError("E-INPUT-EMPTY", where=place, cause=cause, remedy=remedy)
    have = {row[1] for row in good}
    wanted = days.astype("datetime64[D]").astype(str)
    missing = [d for d in wanted.tolist() if d not in have] if listing is not None else []
    empty = sorted({d[:4] for d in missing} - {d[:4] for d in have if d})
    return {
        "place": str(place),
        "files": good,
        "bad": bad,
        "superseded": [str(f.path) for f in listing.superseded] if listing is not None else [],
        "ignored": ignored,
        "missing_days": missing,
        "empty_years": empty,
    }
