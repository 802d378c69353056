"""The china system's third step: reanalysis before each overpass, two agencies' labels and maps in one store."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from frostline import labels, store
from frostline.config_china import China
from frostline.errors import ConfigError, InputError
from frostline.grid import Grid
from frostline.runs import Run, fingerprint, read_json, upstream
from frostline.steps import rain
from frostline.steps.agency_labels import labels_by_date
from frostline.steps.classes import static_maps
from frostline.steps.common import days_of, grid_of, save
from frostline.steps.networks import sites_of
from frostline.steps.refusals import Refuse, refuser
from frostline.steps.soil_hours import OVERPASS, SUMMED, Moments, hourly_fields, sampled

Array = np.ndarray
AGENCIES = ("smap", "esdr")
DAY = np.timedelta64(1, "D")
BLOCK_CELLS = 1 << 17  # cells times days: 30 MB with three steps of four variables
LEAST = 0.5  # of a window's overpasses must be known for their mean


def assemble(experiment: China, run: Run) -> dict[str, Any]:
    """Sample, regrid, label: `stack.zarr` (resumable: verified days are kept) and `sites.nc`."""
    grid, days, table = grid_of(experiment), days_of(experiment), experiment.assemble
    inventory = read_json(run.path("inventory.json"))
    if "era5land" not in inventory:
        cause = "the predictors are the reanalysis', but inputs.era5land is not named"
        raise ConfigError("E-CONFIG", where="inputs", cause=cause)
    refuse = refuser(inventory, run)
    sites = sites_of(experiment, inventory, grid, days, run, refuse)
    run.path("sites.nc").unlink(missing_ok=True)
    if sites is not None:
        save(run.path("sites.nc"), sites)
    rainy = SUMMED in table.variables
    wet = rain.sources(table.precipitation, days, inventory) if rainy else np.full(len(days), "")
    dry = rain.without_files(wet, days, inventory)
    if len(dry):
        cause = f"{len(dry)} days have no IMERG file, the first is {dry[0]}: their precipitation is unknown"
        remedy = "fetch them, or take era5land for these dates"
        run.warn(InputError("E-INPUT-MISSING", where="assemble.precipitation", cause=cause, remedy=remedy))
    path, mark = run.path("stack.zarr"), fingerprint(upstream(run, "read"), table.model_dump())
    if store.made_for(path) != mark:
        static, names = static_maps(inventory, grid, method=table.regrid)
        attrs = {"source": experiment.title, "made_for": mark, "time_of_overpass": table.time} | names
        store.create(
            path,
            grid=grid,
            time=days,
            overpass=[0, 1],
            variables=[OVERPASS, "label_reanalysis", *_labelled(inventory), *(_window(n) for n in table.windows)],
            stepped=table.variables,
            step=table.hours_before,
            static=static,
            attrs=attrs | ({"precipitation_sources": rain.spans(wet, days)} if rainy else {}),
        )
    done = store.verified(path).all(axis=1)
    first = int(np.argmin(done)) if not done.all() else len(days)
    if first < len(days):
        with _processes(run.workers) as pool:
            _write_days(experiment, run, path, inventory, wet, first, pool, refuse)
    broken = sum(len(entry["unreadable"]) for entry in inventory.values())
    notes = {"days": len(days), "kept": first, "sites": 0 if sites is None else sites.sizes["site"]}
    return notes | ({"skipped_inputs": broken} if broken else {})


def _write_days(
    experiment: China,
    run: Run,
    path: Path,
    inventory: Mapping[str, Any],
    wet: Array,
    first: int,
    pool: Executor | None,
    refuse: Refuse,
) -> None:
    grid, days, table = grid_of(experiment), days_of(experiment)[first:], experiment.assemble
    moments, wet = Moments.of(grid, table.time), wet[first:]
    land = store.open_store(path)["land"].values == 1
    span = block_days(grid)
    states = {
        p: labels_by_date(p, inventory[p], grid, days, pool=pool, refuse=refuse) for p in AGENCIES if p in inventory
    }
    soil = _soil(experiment, inventory, grid, days, moments, wet, span, refuse)
    starts = range(0, len(days), span)
    with store.writer(path) as write:
        for start in run.track(starts, total=len(starts), label="onto one grid"):
            part = slice(start, min(start + span, len(days)))
            arrays = next(soil)
            by_imerg = np.flatnonzero(wet[part] == "imerg")
            if by_imerg.size:
                arrays[SUMMED][by_imerg] = rain.imerg_steps(
                    inventory["imerg"],
                    grid,
                    moments,
                    days=days[part][by_imerg],
                    steps=table.hours_before,
                    method=table.regrid,
                    refuse=refuse,
                )
            arrays["label_reanalysis"] = labels.state(arrays[OVERPASS], table.threshold)
            for product, stream in states.items():
                arrays[f"label_{product}"] = np.stack([next(stream) for _ in range(part.stop - part.start)])
            for name, values in arrays.items():
                if name.startswith("label_"):
                    values[..., ~land] = np.nan
            write(first + start, arrays)


def _soil(
    experiment: China,
    inventory: Mapping[str, Any],
    grid: Grid,
    days: Array,
    moments: Moments,
    wet: Array,
    span: int,
    refuse: Refuse,
) -> Iterator[dict[str, Array]]:
    """Blocks of the reanalysis' fields and of the means over days before; precipitation NaN where IMERG's turn is."""
    table = experiment.assemble
    asked = [n for n in table.variables if n != SUMMED or (wet == "era5land").any()]
    lead = max(table.windows, default=0)
    reach = moments.wanted((0, *table.hours_before))
    streams = hourly_fields(
        [Path(row[0]) for row in inventory["era5land"]["files"]],
        grid,
        names=list(dict.fromkeys(["soil_temperature", *asked])),
        low=days[0] - lead * DAY - DAY,
        high=days[-1] + 2 * DAY,
        of_day=np.unique(reach % 24),
        method=table.regrid,
        refuse=refuse,
    )
    early = np.arange(days[0] - lead * DAY, days[0], DAY)
    every = np.concatenate([early, days])
    blocks = sampled(streams, moments, days=every, span=span, names=asked, steps=table.hours_before)
    skip, tail, ready = len(early), np.empty((0, *grid.shape), np.float32), None
    for block in blocks:
        flat = block[OVERPASS].reshape(-1, *grid.shape)
        for n in table.windows:
            block[_window(n)] = running_mean(tail, flat, 2 * n).reshape(block[OVERPASS].shape)
        tail = np.concatenate([tail, flat])[-2 * lead :] if lead else tail
        if SUMMED in table.variables and SUMMED not in block:
            shape = (len(flat) // 2, 2, len(table.hours_before), *grid.shape)
            block[SUMMED] = np.full(shape, np.nan, np.float32)
        drop = min(skip, len(flat) // 2)
        skip -= drop
        block = {name: values[drop:] for name, values in block.items()}
        ready = block if ready is None else {n: np.concatenate([ready[n], v]) for n, v in block.items()}
        while len(ready[OVERPASS]) >= span:
            yield {n: v[:span] for n, v in ready.items()}
            ready = {n: v[span:] for n, v in ready.items()}
    if ready is not None and len(ready[OVERPASS]):
        yield ready


def block_days(grid: Grid) -> int:
    """Days that are sampled and written at once: whole chunks, several where cells are few."""
    chunk = store.chunk_days(grid)
    return chunk * max(1, BLOCK_CELLS // (chunk * grid.shape[0] * grid.shape[1]))


def running_mean(before: Array, fields: Array, count: int) -> Array:
    """Mean of each of `fields` (n, y, x) and the `count` - 1 ahead of it, which begin in `before`; float32.

    Of those that are known, NaN where that is less than half of `count`.

    >>> running_mean(np.array([[[1.0]]]), np.array([[[2.0]], [[np.nan]], [[6.0]]]), 2).ravel().tolist()
    [1.5, 2.0, 6.0]
    """
    both = np.concatenate([before[len(before) - min(len(before), count - 1) :], fields]).astype(float)
    known = np.isfinite(both)
    zero = np.zeros((1, *fields.shape[1:]))
    total = np.concatenate([zero, np.cumsum(np.where(known, both, 0.0), axis=0)])
    number = np.concatenate([zero, np.cumsum(known, axis=0)])
    end = np.arange(len(both) - len(fields), len(both)) + 1
    begin = np.maximum(end - count, 0)
    many = number[end] - number[begin]
    mean = (total[end] - total[begin]) / np.maximum(many, 1)
    return np.where(many >= LEAST * count, mean, np.nan).astype(np.float32)


def _window(days: int) -> str:
    return f"soil_temperature_{days}d"


def _labelled(inventory: Mapping[str, Any]) -> list[str]:
    return [f"label_{p}" for p in AGENCIES if p in inventory]


@contextmanager
def _processes(workers: int) -> Iterator[Executor | None]:
    """Processes that read labels while the reanalysis is sampled here: HDF5 holds the interpreter's lock."""
    if workers <= 1:
        yield None
        return
    with ProcessPoolExecutor(workers - 1, mp_context=get_context("spawn")) as pool:
        yield pool
