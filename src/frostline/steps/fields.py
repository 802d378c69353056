"""Fields of other grids onto the record's: windows, weights, SMAP's minutes, and the reanalysis as labels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import xarray as xr

from frostline import labels, regrid
from frostline.config_north import North
from frostline.errors import InputError
from frostline.grid import Grid
from frostline.instants import Minutes
from frostline.read.cetb import cetb_grid, load_cetb
from frostline.read.era5 import era5_grid, era5_times, load_era5
from frostline.steps.refusals import Refuse

HOURS_HELD = 64_000_000  # cells of hourly reanalysis regridded at once: 256 MB
REGRID = {"bilinear": regrid.bilinear, "nearest": regrid.nearest}


def around(source: Grid, target: Grid, margin: int = 3) -> Grid:
    """The smallest window of a source grid that holds the target and `margin` cells more; whole if it wraps."""
    row, col = source.position(*target.lonlat())
    row, col = row[np.isfinite(row)], col[np.isfinite(col)]
    if source.wraps and np.ptp(col) > source.shape[1] / 2:
        cols = slice(0, source.shape[1])
    else:
        cols = slice(max(int(col.min()) - margin, 0), min(int(np.ceil(col.max())) + margin + 1, source.shape[1]))
    rows = slice(max(int(row.min()) - margin, 0), min(int(np.ceil(row.max())) + margin + 1, source.shape[0]))
    return source.window(rows, cols)


def reanalysis_labels(
    experiment: North, inventory: Mapping[str, Any], grid: Grid, days: np.ndarray, refuse: Refuse
) -> Iterator[tuple[np.datetime64, int, np.ndarray, np.ndarray]] | None:
    """Soil temperature and state at the overpasses' local hours or minutes, or None without a reanalysis."""
    table = experiment.labels
    product = next((p for p in ("era5", "gldas") if p in inventory), None)
    if product is None:
        return None
    files = [Path(row[0]) for row in inventory[product]["files"]]
    fields = (
        era5_hours(files, grid, days, experiment.assemble.regrid, refuse)
        if product == "era5"
        else gldas_hours(files, grid, experiment.assemble.regrid, refuse)
    )
    mode: Literal["local", "utc"] = "utc" if table.time == "utc" else "local"
    minutes = observed_minutes(inventory, grid, refuse) if table.time == "observed" else None
    return labels.solar_labels(fields, grid, dates=days, mode=mode, threshold=table.threshold, minutes=minutes)


def observed_minutes(inventory: Mapping[str, Any], grid: Grid, refuse: Refuse) -> Minutes:
    """(date, overpass) -> minutes since 00 UTC of the date, (y, x), NaN where SMAP saw nothing; None without files.

    `TB_time` of CETB files. The polarisations come from the same pulses: the first that knows a cell tells its time.
    On another grid the nearest cell's, since the mean of two passes is a time at which nobody looked.
    """
    files: dict[tuple[str, int], list[Path]] = {}
    for name, date, code, _ in inventory["smap"]["files"]:
        files.setdefault((str(date)[:10], int(code)), []).append(Path(name))
    through: dict[Grid, tuple[Grid, Any]] = {}

    def minutes(day: np.datetime64, overpass: int) -> np.ndarray | None:
        found = None
        for path in files.get((str(day)[:10], overpass), ()):
            try:
                own = _tb_time(path, grid, through)
            except InputError as error:
                refuse("smap", path, error)
                continue
            found = own if found is None else np.where(np.isnan(found), own, found)
        return found

    return minutes


def _tb_time(path: Path, grid: Grid, through: dict[Grid, tuple[Grid, Any]]) -> np.ndarray:
    source = cetb_grid(path)
    if source.crs == grid.crs and abs(source.step - grid.step) < 1e-6 * grid.step:
        return load_cetb(path, window=grid, time=True)["tb_time"]
    if source not in through:
        part = around(source, grid)
        through[source] = (part, REGRID["nearest"](part, grid))
    part, weights = through[source]
    return regrid.apply(weights, load_cetb(path, window=part, time=True)["tb_time"])


def era5_hours(
    files: Sequence[Path],
    grid: Grid,
    days: np.ndarray,
    method: str,
    refuse: Refuse,
    name: str = "soil_temperature",
) -> Iterator[xr.Dataset]:
    """Hourly fields of a name on the grid, files in the order of their first hour, a few hours at a time.

    Hours that an earlier file has too are left out; a file that cannot be read, or adds no hour, is refused.
    """
    low, high = days[0] - np.timedelta64(1, "D"), days[-1] + np.timedelta64(2, "D")
    dated = sorted((era5_times(p)[[0, -1]].tolist(), p) for p in files)
    through: dict[Grid, Any] = {}
    last = low - np.timedelta64(1, "D")
    for (start, end), path in dated:
        if end < int(low) or start > int(high):
            continue
        try:
            source = era5_grid(path)
            if source not in through:
                part = around(source, grid)
                through[source] = (part, REGRID[method](part, grid))
            part, weights = through[source]
            times, values = load_era5(path, window=part, names=[name])
            if times[-1] <= last:
                cause = "all of its hours are in other files"
                raise InputError("E-INPUT-TIME", where=path, cause=cause, remedy="keep one of them")
        except InputError as error:
            refuse("era5", path, error)
            continue
        new = int(np.searchsorted(times, last, "right"))
        step = max(1, HOURS_HELD // (grid.shape[0] * grid.shape[1]))
        for at in range(new, len(times), step):
            field = regrid.apply(weights, values[name][at : at + step])
            yield hours_dataset(field, times[at : at + step], grid, name)
        last = times[-1]


def gldas_hours(files: Sequence[Path], grid: Grid, method: str, refuse: Refuse) -> Iterator[xr.Dataset]:
    """Three-hourly soil temperature on the grid, one file at a time, in the order of their instants as listed.

    A file that cannot be read, or holds an instant that another has too, is refused.
    """
    from frostline.read.gldas import read_gldas

    weights, last = None, np.datetime64("NaT")
    for path in files:
        try:
            ds = read_gldas(path)
            if ds["time"].values[0] <= last:
                cause = "its instant is in another file"
                raise InputError("E-INPUT-TIME", where=path, cause=cause, remedy="keep one of them")
            field = ds["soil_temperature"].values
        except InputError as error:
            refuse("gldas", path, error)
            continue
        last = ds["time"].values[0]
        weights = weights or REGRID[method](Grid.of(ds), grid)
        yield hours_dataset(regrid.apply(weights, field), ds["time"].values, grid)


def hours_dataset(field: np.ndarray, times: np.ndarray, grid: Grid, name: str = "soil_temperature") -> xr.Dataset:
    """UTC fields of a name as `labels` and `classic_air` want them."""
    return grid.write(xr.Dataset({name: (("time", "y", "x"), field)}, coords={"time": times}))
