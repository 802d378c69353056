"""What a pass-day is made of: the box, a day's files as the agencies pack them, days in memory, a checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from benchmarks.common import Size
from frostline import coast, store
from frostline.grid import Grid, named
from frostline.schema import coordinates
from frostline.twin import write_amsr2, write_cetb

Array = np.ndarray
AMSR2, SMAP = ("tb_18v", "tb_18h", "tb_36v", "tb_36h"), ("tb_1v", "tb_1h")
TB = (*SMAP, *AMSR2)
DAY, FIRST = np.timedelta64(1, "D"), np.datetime64("2019-02-01", "ns")
EARLIER = 4  # days in memory
SOUTH = 25.0  # degrees: of the land box
WIDTH = {"small": 4, "middle": 32, "full": 32}


def grid_of(size: Size, box: bool) -> Grid:
    """N09, a small window of it, or the box around its land north of 25 N."""
    whole = named("N09") if size != "small" else named("N09").window(slice(600, 760), slice(900, 1060))
    if not box:
        return whole
    rows, columns = np.nonzero(land_of(whole, True))
    return whole.window(slice(rows.min(), rows.max() + 1), slice(columns.min(), columns.max() + 1))


def land_of(grid: Grid, box: bool) -> Array:
    """What is asked for, bool (y, x): all cells, or the land north of 25 N."""
    return coast.land_mask(grid) & (grid.lonlat()[1] > SOUTH) if box else np.ones(grid.shape, bool)


def kelvin(shape: tuple[int, int], seed: int) -> Array:
    """Smooth brightness with noise and a fifth of the cells in swaths that were not seen."""
    rng = np.random.default_rng(seed)
    y, x = (np.linspace(0, 9, n, dtype=np.float32) for n in shape)
    field = (250 + 15 * np.sin(x + seed) * np.cos(y)[:, None] + rng.normal(0, 0.3, shape)).astype(np.float32)
    field[:, (np.arange(shape[1]) + 37 * seed) % 90 < 18] = np.nan
    return field


def make(folder: Path, size: Size) -> None:
    """A day's files and a checkpoint with random weights, exported."""
    import torch

    from frostline.learn import build
    from frostline.learn.channels import channel_names
    from frostline.learn.checkpoint import Checkpoint
    from frostline.learn.graph import exported
    from frostline.learn.scale import Scaler

    date, polar = FIRST.astype("datetime64[D]"), named("N09").shape
    for k, p in enumerate("VH"):
        minutes = np.full(polar, 600.0, np.float32)
        same: dict[str, Any] = {"date": date, "overpass": 0, "polarization": p, "window": named("N09")}
        write_cetb.write(folder, **same, tb=kelvin(polar, k), tb_time=minutes)
    shape = (write_amsr2.ROWS, write_amsr2.COLUMNS)
    for k, frequency in enumerate((18, 36)):
        v, h = kelvin(shape, 2 + 2 * k), kelvin(shape, 3 + 2 * k)
        write_amsr2.write(
            folder, date=date, orbit="D", frequency=frequency, tb_v=v, tb_h=h, minutes=np.zeros(shape), row=0, col=0
        )
    tiny = stack_of(Grid("tiny", "EPSG:6931", 0.0, 0.0, 9000.0, (2, 2)), np.ones((2, 2), bool), 1)
    names = channel_names(tiny, inputs=TB, statics=["elevation"])
    torch.manual_seed(1)
    options = {"width": WIDTH[size], "depth": 4}
    weights = {n: w.numpy() for n, w in build("unet", len(names), options).state_dict().items()}
    scaler = Scaler({**dict.fromkeys(TB, 250.0), "elevation": 500.0}, {**dict.fromkeys(TB, 12.0), "elevation": 400.0})
    exported(Checkpoint("unet", options, names, scaler, weights)).save(folder / "net")


def stack_of(grid: Grid, land: Array, days: int, **fields: Array) -> xr.Dataset:
    """Predictors as the network's step wants them; each day shows the same arrays (y, x), filled anew before it."""
    none = np.zeros(grid.shape, np.float32)
    daily = {n: fields.get(n, none) for n in TB}
    daily |= {n: fields.get(n, none.astype(np.uint8)) for n in ("age_tb_1", "age_tb_18", "age_tb_36")}
    ds = xr.Dataset({n: (store.DIMS, np.broadcast_to(v, (days, 1, *grid.shape))) for n, v in daily.items()})
    ds["elevation"], ds["land"] = (store.DIMS[2:], none), (store.DIMS[2:], land.astype(np.float32))
    return grid.write(coordinates(ds, time=FIRST + np.arange(days) * DAY, overpass=[0]))


def earlier(grid: Grid, size: Size, day: int, channel: int) -> Array:
    """A channel of one of the days in memory, on a window of the grid."""
    whole = grid_of(size, False)
    row, column = grid.offset(whole)
    return kelvin(whole.shape, 10 * day + channel)[row : row + grid.shape[0], column : column + grid.shape[1]]


def files(folder: Path) -> tuple[list[Path], list[Path]]:
    """SMAP's (V, H) and AMSR2's (18, 36 GHz)."""
    smap = sorted(folder.glob("NSIDC*_1.4V_*")) + sorted(folder.glob("NSIDC*_1.4H_*"))
    return smap, sorted(folder.glob("GW1AM2*"))
