"""The third step: every predictor and label on one grid, day by day, in one self-describing store."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from frostline import gapfill, labels, regrid, store
from frostline.clock import utc_day_offset
from frostline.config_north import North
from frostline.errors import ConfigError, InputError
from frostline.grid import Grid
from frostline.read.amsr2 import amsr2_grid, load_amsr2
from frostline.read.cetb import cetb_grid, load_cetb
from frostline.runs import Run, fingerprint, read_json, upstream
from frostline.schema import INSTRUMENTS
from frostline.steps.common import days_of, grid_of, save
from frostline.steps.fields import REGRID, around, reanalysis_labels
from frostline.steps.places import statics, station_sites
from frostline.steps.refusals import Refuse, refuser

Frame = tuple[np.datetime64, np.ndarray]
AMSR2_HOUR = {0: 1.5, 1: 13.5}  # local solar time of the descending and ascending pass
REACH = np.timedelta64(5, "D")
SENSORS = {band: instrument for instrument, bands in INSTRUMENTS.items() for band in bands}


@dataclass(frozen=True)
class Band:
    """One frequency of one overpass: its files by date, and the channels they hold."""

    sensor: str
    overpass: int
    channels: tuple[str, ...]
    files: Mapping[str, Mapping[np.datetime64, Path]]  # channel -> date -> file


def assemble(experiment: North, run: Run) -> dict[str, Any]:
    """Regrid, fill gaps, label: `stack.zarr` (resumable: verified days are kept) and `sites.nc`."""
    grid, days = grid_of(experiment), days_of(experiment)
    inventory = read_json(run.path("inventory.json"))
    refuse = refuser(inventory, run)
    sites = station_sites(experiment, inventory, grid, days, run, refuse)
    teachers = [] if sites is None else sites["role"].values.tolist()  # the split, as far as it shows in the stack
    states = experiment.labels.model_dump(include={"time", "threshold", "max_depth"})  # the rest of it only teaches
    tables = experiment.assemble.model_dump(), states
    mark = fingerprint(upstream(run, "read"), *tables, teachers)
    run.path("sites.nc").unlink(missing_ok=True)
    if sites is not None:
        save(run.path("sites.nc"), sites)
    bands = bands_of(experiment, inventory)
    path = run.path("stack.zarr")
    if not _belongs(path, mark):
        static = statics(experiment, inventory, grid)
        names = [c for b in bands if b.overpass == 0 for c in b.channels]
        ages = sorted({f"age_{_band(c)}" for c in names})
        temperature = ["soil_temperature", "label_reanalysis"] if {"era5", "gldas"} & set(inventory) else []
        station = ["label_station"] if sites is not None else []
        store.create(
            path,
            grid=grid,
            time=days,
            overpass=[0, 1],
            variables=[*names, *ages, *temperature, *station],
            static=static,
            attrs={"source": experiment.title, "made_for": mark},
        )
    done = store.verified(path).all(axis=1)
    first = int(np.argmin(done)) if not done.all() else len(days)
    _write_days(experiment, run, path, bands, inventory, sites, first, refuse)
    broken = sum(len(entry["unreadable"]) for entry in inventory.values())
    notes = {"days": len(days), "kept": first, "sites": 0 if sites is None else sites.sizes["site"]}
    return notes | ({"skipped_inputs": broken} if broken else {})


def _write_days(
    experiment: North,
    run: Run,
    path: Path,
    bands: Sequence[Band],
    inventory: Mapping[str, Any],
    sites: xr.Dataset | None,
    first: int,
    refuse: Refuse,
) -> None:
    grid, days = grid_of(experiment), days_of(experiment)[first:]
    if not len(days):
        return
    filled = [filled_band(experiment, band, grid, days, refuse) for band in bands]
    teacher = reanalysis_labels(experiment, inventory, grid, days, refuse)
    span = store.chunk_days(grid)
    starts = range(0, len(days), span)
    with store.writer(path) as write:
        for start in run.track(starts, total=len(starts), label="onto one grid"):
            part = slice(start, min(start + span, len(days)))
            arrays: dict[str, np.ndarray] = {}
            for band, stream in zip(bands, filled, strict=True):
                for t in range(part.stop - part.start):
                    for name, values in next(stream).items():
                        _room(arrays, name, part, grid)[t, band.overpass] = values
            if teacher is not None:
                for t in range(part.stop - part.start):
                    for o in range(2):
                        _, code, kelvin, state = next(teacher)
                        _room(arrays, "soil_temperature", part, grid)[t, code] = kelvin
                        _room(arrays, "label_reanalysis", part, grid)[t, code] = state
                        assert code == o
            if sites is not None:
                taught = sites.isel(site=np.flatnonzero(sites["role"].values == "train"))
                taught = taught.sel(time=days[part], overpass=[0, 1])
                cells = labels.to_cells(taught, grid, threshold=experiment.labels.threshold)
                arrays["label_station"] = cells["label_station"].values
            write(first + start, arrays)


def bands_of(experiment: North, inventory: Mapping[str, Any]) -> list[Band]:
    """The bands of the wanted channels, by overpass; a channel without any file is an error."""
    bands = []
    wanted = experiment.assemble.channels
    for band, product in SENSORS.items():
        channels = tuple(c for c in wanted if _band(c) == band)
        if not channels or not {"smap", "amsr2"} & set(inventory):
            continue
        if product not in inventory:
            cause = f"assemble.channels asks for {channels[0]}, but inputs.{product} is not named"
            raise ConfigError("E-CONFIG", where="inputs", cause=cause)
        for overpass in (0, 1):
            files: dict[str, dict[np.datetime64, Path]] = {c: {} for c in channels}
            for name, date, code, channel in inventory[product]["files"]:
                if code == overpass:
                    for c in channels:
                        if channel in (c, band):
                            files[c][np.datetime64(date, "D")] = Path(name)
            empty = [c for c in channels if not files[c]]
            if empty:
                cause = f"no file holds {empty[0]} of overpass {overpass}"
                raise InputError("E-INPUT-EMPTY", where=inventory[product]["place"], cause=cause)
            bands.append(Band(product, overpass, channels, files))
    return bands


def filled_band(
    experiment: North, band: Band, grid: Grid, days: np.ndarray, refuse: Refuse
) -> Iterator[dict[str, np.ndarray]]:
    """Each day's channels on the grid with gaps filled, and `age_*`, the larger age of the polarisations."""
    table = experiment.assemble
    preset = table.gapfill_smap if band.sensor == "smap" else table.gapfill_amsr2
    if preset not in gapfill.PRESETS:
        cause = f"no gap-filling preset is called {preset!r}"
        raise ConfigError("E-CONFIG", where="assemble", cause=cause, remedy=f"use {', '.join(gapfill.PRESETS)}")
    frames = _tee(_frames(band, grid, days, table.regrid, refuse), len(band.channels))
    streams = [gapfill.stream(frames[i], dates=days, **gapfill.PRESETS[preset]) for i in range(len(band.channels))]
    for each in zip(*streams, strict=True):
        out = {c: value for c, (_, value, _, _) in zip(band.channels, each, strict=True)}
        out[f"age_{_band(band.channels[0])}"] = np.maximum.reduce([age for _, _, _, age in each])
        yield out


def _frames(
    band: Band, grid: Grid, days: np.ndarray, method: str, refuse: Refuse
) -> Iterator[tuple[np.datetime64, list[np.ndarray]]]:
    """Dated fields of all channels of a band on the grid, days without any file left out.

    SMAP files are by local date. AMSR2 files are by UTC day (formats.md 4.1), so a local date takes each cell
    from the file of the UTC day on which its overpass came.
    """
    offset = np.zeros(grid.shape, int)
    if band.sensor == "amsr2":
        offset = utc_day_offset(AMSR2_HOUR[band.overpass], grid.lonlat()[0])
    shifts = np.unique(offset)
    have = set().union(*(set(f) for f in band.files.values()))
    low, high = (days[0] - REACH).astype("datetime64[D]"), (days[-1] + REACH).astype("datetime64[D]")
    weights: dict[Grid, Any] = {}
    held: dict[np.datetime64, list[np.ndarray]] = {}
    for date in np.arange(low, high + 1):
        needed = {int(k): date + int(k) for k in shifts}
        held = {d: fields for d, fields in held.items() if d >= date + shifts.min()}
        for d in needed.values():
            if d in have and d not in held:
                held[d] = _day(band, d, grid, weights, method, refuse)
        if not any(d in held for d in needed.values()):
            continue
        if len(needed) == 1:
            yield date.astype("datetime64[ns]"), held[next(iter(needed.values()))]
            continue
        out = [np.full(grid.shape, np.nan, np.float32) for _ in band.channels]
        for k, d in needed.items():
            for field, whole in zip(out, held.get(d, []), strict=False):
                field[offset == k] = whole[offset == k]
        yield date.astype("datetime64[ns]"), out


def _day(
    band: Band, date: np.datetime64, grid: Grid, weights: dict[Grid, Any], method: str, refuse: Refuse
) -> list[np.ndarray]:
    """All channels of one file date on the grid, NaN where there is no file or none that can be read."""
    found: dict[str, np.ndarray] = {}
    for path in dict.fromkeys(band.files[c][date] for c in band.channels if date in band.files[c]):
        try:
            found |= _on_grid(path, band.sensor, grid, weights, method)
        except InputError as error:
            refuse(band.sensor, path, error)
    return [found.get(c, np.full(grid.shape, np.nan, np.float32)) for c in band.channels]


def _on_grid(path: Path, sensor: str, grid: Grid, weights: dict[Grid, Any], method: str) -> dict[str, np.ndarray]:
    """One file's channels on the record's grid: a window where the grids agree, else through weights."""
    source = cetb_grid(path) if sensor == "smap" else amsr2_grid(path)
    read = load_cetb if sensor == "smap" else load_amsr2
    if source.crs == grid.crs and abs(source.step - grid.step) < 1e-6 * grid.step:
        return read(path, window=grid)
    if source not in weights:
        part = around(source, grid)
        weights[source] = (part, REGRID[method](part, grid))
    part, through = weights[source]
    return {name: regrid.apply(through, field) for name, field in read(path, window=part).items()}


def _tee(frames: Iterable[tuple[np.datetime64, list[np.ndarray]]], count: int) -> list[Iterator[Frame]]:
    """One pass over files that hold several channels, as one stream per channel; the streams advance together."""
    from itertools import tee

    def one(copy: Iterator[tuple[np.datetime64, list[np.ndarray]]], i: int) -> Iterator[Frame]:
        for date, fields in copy:
            yield date, fields[i]

    return [one(copy, i) for i, copy in enumerate(tee(frames, count))]


def _room(arrays: dict[str, np.ndarray], name: str, part: slice, grid: Grid) -> np.ndarray:
    if name not in arrays:
        shape = (part.stop - part.start, 2, *grid.shape)
        arrays[name] = np.full(shape, 255, np.uint8) if name.startswith("age_") else np.full(shape, np.nan, np.float32)
    return arrays[name]


def _band(channel: str) -> str:
    return channel[:-1]


def _belongs(path: Path, mark: str) -> bool:
    """Whether an unfinished store of the same inputs lies there, to be gone on with."""
    try:
        return store.open_store(path).attrs.get("made_for") == mark
    except InputError:
        return False
