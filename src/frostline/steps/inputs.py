"""The first two steps: the twin Earth writes what agencies deliver; every input is looked at and listed."""

from __future__ import annotations

import shutil
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from frostline import coast, store
from frostline.config_north import North
from frostline.errors import InputError
from frostline.read.amsr2 import check_origin, list_amsr2
from frostline.read.cetb import list_cetb
from frostline.read.common import Listing, files_below
from frostline.read.era5 import era5_times
from frostline.read.gate import inspect_file
from frostline.read.gldas import list_gldas
from frostline.runs import Run, write_json
from frostline.steps.common import days_of, folders, grid_of

TRUTH = ("truth", "truth_t0", "ice_share", "soil_temperature")
MARGIN = np.timedelta64(5, "D")  # the longest reach of a gap-filling preset (donahue-code-smap)
LISTINGS: Mapping[str, Callable[[Path], Listing]] = {"smap": list_cetb, "amsr2": list_amsr2}
HOURLY = ("era5", "era5land")  # dated by the hours inside
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
    "dem": (".tif",),
    "elevation": (".nc4", ".nc"),
    "landcover": (".tif",),
    "landmask": (".nc4", ".nc"),
    "ismn": (".stm", ".zip"),
    "uscrn": (".txt", ".csv", ".parquet"),
    "stations": (".csv", ".parquet"),
    "picture": (".tif",),
}
Row = tuple[str, str | None, int | None, str | None]  # path, date, overpass, channel
GROUND = ("elevation", "land", "land_cover")


def twin(experiment: North, run: Run) -> dict[str, Any]:
    """Simulate the twin Earth; write its truth, and its input files in the agencies' own layouts."""
    from frostline.twin import agencies, stations, world
    from frostline.twin.ground import make_ground
    from frostline.twin.observe import observe

    table = experiment.twin
    if table is None:
        shutil.rmtree(run.path("truth.zarr"), ignore_errors=True)  # of an experiment that had one
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


def read(experiment: North, run: Run) -> dict[str, Any]:
    """List every input file, look into each, and say what is missing, doubled or broken; `inventory.json`."""
    days = days_of(experiment)
    inventory: dict[str, Any] = {}
    notes: dict[str, Any] = {}
    broken = 0
    for product, place in folders(experiment, run).items():
        entry = stock(product, place, days, run)
        inventory[product] = entry
        broken += len(entry["bad"]) + len(entry["empty_years"])
        missing = len(entry["missing_days"])
        if product == "amsr2":
            entry["origin"] = _origin(entry["files"])
        notes[product] = f"{len(entry['files'])} files" + (f", {missing} days without any" if missing else "")
        for line in [
            *entry["bad"].values(),
            *lacks(product, entry, "fetch them, or shorten the period; what gap filling does not reach stays unknown"),
        ]:
            run.warn(line)
    write_json(run.path("inventory.json"), inventory)
    return notes | ({"skipped_inputs": broken} if broken else {})


def _origin(files: list[Row]) -> str:
    """Whether AMSR2's columns begin at 0 E, which the files do not say but land and sea do.

    A wrong origin is in every file, a broken file is one: the third that fails is believed.
    """
    for row in files[:2]:
        try:
            return check_origin(row[0])
        except InputError:
            continue
    return check_origin(files[-1][0])


def lacks(product: str, entry: Mapping[str, Any], remedy: str) -> list[InputError]:
    """What is there twice, and what is not there (with its `remedy`), each as a line for people."""
    lines = []
    if twice := entry["superseded"]:
        cause = f"{len(twice)} {product} files are there in a newer version too, which is used"
        lines.append(InputError("E-INPUT-TIME", where=twice[0], cause=cause, remedy="remove the older ones"))
    if days := entry["missing_days"]:
        years = f", none at all of {', '.join(entry['empty_years'])}" if entry["empty_years"] else ""
        cause = f"{len(days)} days have no {product} file, the first is {days[0]}{years}"
        lines.append(InputError("E-INPUT-MISSING", where=entry["place"], cause=cause, remedy=remedy))
    return lines


def stock(
    product: str,
    place: Path,
    days: np.ndarray,
    run: Run,
    *,
    listings: Mapping[str, Callable[[Path], Listing]] = LISTINGS,
    suffixes: Mapping[str, tuple[str, ...]] = SUFFIXES,
) -> dict[str, Any]:
    """Files of one product that can be used, each (path, date, overpass, channel), and all that cannot.

    Products of `listings` tell the date by the name, of others every file with one of the `suffixes` counts.
    """
    listing = listings[product](place) if product in listings else None
    rows: list[Row]
    if product == "gldas":  # local dates begin on the UTC day before and end on the one after
        instants = list_gldas(place)
        low, high = days[0] - np.timedelta64(1, "D"), days[-1] + np.timedelta64(2, "D")
        rows = [(str(path), None, None, None) for path, when in instants if low <= when < high]
        ignored = len(instants) - len(rows)
    elif listing is None:
        paths = [place] if place.is_file() else list(files_below(place))
        rows = [(str(p), None, None, None) for p in paths if p.suffix in suffixes[product]]
        ignored = len(paths) - len(rows)
    else:
        # neighbours outside the period still fill its gaps
        near = (days[0] - MARGIN).astype("datetime64[D]"), (days[-1] + MARGIN).astype("datetime64[D]")
        inside = [f for f in listing.found if near[0] <= f.date <= near[1]]
        rows = [(str(f.path), str(f.date), f.overpass, f.channel) for f in inside]
        ignored = len(listing.ignored)
    good, bad, have = [], {}, set()
    for row in run.track(rows, total=len(rows), label=f"looking at {product}"):
        try:
            inspect_file(row[0], KINDS.get(Path(row[0]).suffix.lower(), "text"))
            dates = era5_times(row[0]).astype("datetime64[D]").astype(str) if product in HOURLY else [row[1]]
            good.append(row)
            have |= {str(d)[:10] for d in dates if d}
        except InputError as error:
            bad[row[0]] = str(error)
    if not good:
        span = f"{str(days[0])[:10]}..{str(days[-1])[:10]}"
        cause = f"no usable {product} file for {span}" + (f" ({next(iter(bad.values()))})" if bad else "")
        remedy = f"put the files there, or take inputs.{product} out"
        raise InputError("E-INPUT-EMPTY", where=place, cause=cause, remedy=remedy)
    wanted = days.astype("datetime64[D]").astype(str)
    missing = [d for d in wanted.tolist() if d not in have] if have else []
    empty = sorted({d[:4] for d in missing} - {d[:4] for d in wanted.tolist() if d in have})
    return {
        "place": str(place),
        "files": good,
        "bad": bad,
        "unreadable": {},
        "superseded": [str(f.path) for f in listing.superseded] if listing is not None else [],
        "ignored": ignored,
        "missing_days": missing,
        "empty_years": empty,
    }
