"""Row 9: one pass-day of the northern hemisphere, from packed HDF5 to written Zarr, against a careful script.

python -m benchmarks.passday [--size small|middle|full]

A day's files are written whole by the twin's writers; the four days before it wait in memory on the grid, as they do in a
run. The network has width 32 and random weights. Each side runs in a process of its own, after two days that are
not counted. Left out on both sides: AMSR2's UTC days, which a run joins into local dates.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import xarray as xr

from benchmarks.common import Row, Size, main
from benchmarks.memory import apart, peak
from frostline import coast, gapfill, regrid, store
from frostline.grid import Grid, named
from frostline.read.amsr2 import amsr2_grid, load_amsr2
from frostline.read.cetb import load_cetb
from frostline.schema import coordinates
from frostline.steps.fields import around
from frostline.twin import write_amsr2, write_cetb

Array = np.ndarray
AMSR2, SMAP = ("tb_18v", "tb_18h", "tb_36v", "tb_36h"), ("tb_1v", "tb_1h")
TB = (*SMAP, *AMSR2)
DAY, FIRST = np.timedelta64(1, "D"), np.datetime64("2019-02-01", "ns")
RULE = gapfill.PRESETS["donahue-text"]  # two days on either side: five frames are held
EARLIER, WARM, TIMED = 4, 2, 2  # days in memory; days done but not counted; days counted
SOUTH = 25.0  # degrees: of the land box
WIDTH = {"small": 4, "middle": 32, "full": 32}
STAGES = ("decode", "regrid", "gap fill", "fields and flags", "write", "network")
RECORD = ("frozen", "quality", "age")
MOST = 0.02  # bf16: difference of a probability


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
    tiny = stack_of(Grid("tiny", "EPSG:6931", 0.0, 0.0, 9000.0, (2, 2)), np.ones((2, 2), bool))
    names = channel_names(tiny, inputs=TB, statics=["elevation"])
    torch.manual_seed(1)
    options = {"width": WIDTH[size], "depth": 4}
    weights = {n: w.numpy() for n, w in build("unet", len(names), options).state_dict().items()}
    scaler = Scaler({**dict.fromkeys(TB, 250.0), "elevation": 500.0}, {**dict.fromkeys(TB, 12.0), "elevation": 400.0})
    exported(Checkpoint("unet", options, names, scaler, weights)).save(folder / "net")


def stack_of(grid: Grid, land: Array, **fields: Array) -> xr.Dataset:
    """One pass-day of predictors (y, x) as the network's station wants them."""
    none = np.zeros(grid.shape, np.float32)
    daily = {n: fields.get(n, none)[None, None] for n in TB} | {
        f"age_{n}": fields.get(f"age_{n}", none.astype(np.uint8))[None, None] for n in ("tb_1", "tb_18", "tb_36")
    }
    ds = xr.Dataset({n: (store.DIMS, v) for n, v in daily.items()})
    ds["elevation"], ds["land"] = (store.DIMS[2:], none), (store.DIMS[2:], land.astype(np.float32))
    return grid.write(coordinates(ds, time=[FIRST], overpass=[0]))


def earlier(grid: Grid, size: Size, day: int, channel: int) -> Array:
    """A channel of one of the days in memory, on a window of the grid."""
    whole = grid_of(size, False)
    row, column = grid.offset(whole)
    return kelvin(whole.shape, 10 * day + channel)[row : row + grid.shape[0], column : column + grid.shape[1]]


def files(folder: Path) -> tuple[list[Path], list[Path]]:
    """SMAP's (V, H) and AMSR2's (18, 36 GHz)."""
    smap = sorted(folder.glob("NSIDC*_1.4V_*")) + sorted(folder.glob("NSIDC*_1.4H_*"))
    return smap, sorted(folder.glob("GW1AM2*"))


def ours(folder: Path, size: Size, box: bool, threads: int) -> dict[str, Any]:
    """CPU seconds a day by stage, wall seconds, peak MB, and the last day's codes, through the product's functions."""
    import numba

    from frostline.learn.engine import Engine, open_engine
    from frostline.learn.predict import predict

    numba.set_num_threads(1)
    grid = grid_of(size, box)
    land, (smap, amsr2) = land_of(grid, box), files(folder)
    source = around(amsr2_grid(amsr2[0]), grid)
    weights = regrid.bilinear(source, grid)
    engine = open_engine(folder / "net", precision="bfloat16", threads=threads)
    spent = dict.fromkeys(STAGES, 0.0)

    def timed(stage: str, call: Callable[..., Any], *args: Any, **options: Any) -> Any:
        began = time.process_time()
        given = call(*args, **options)
        spent[stage] += time.process_time() - began
        return given

    class Network(Engine):
        def __call__(self, x: Array, cells: Array | None = None) -> Array:
            return timed("network", super().__call__, x, cells)

    network = Network(engine.name, engine.precision, engine.threads, engine.checkpoint, engine.device)
    today: dict[str, Array] = {}

    def read() -> None:
        today.clear()
        for path in smap:
            today.update(timed("decode", load_cetb, path, window=grid))
        raw: dict[str, Array] = {}
        for path in amsr2:
            raw |= timed("decode", load_amsr2, path, window=source)
        today.update({n: timed("regrid", regrid.apply, weights, field) for n, field in raw.items()})

    def frames(k: int, name: str) -> Iterator[tuple[np.datetime64, Array]]:
        for d in range(EARLIER):
            yield FIRST + d * DAY, earlier(grid, size, d, k)
        for d in range(EARLIER, EARLIER + WARM + TIMED):
            yield FIRST + d * DAY, today[name]

    dates = FIRST + np.arange(1, 2 + WARM + TIMED) * DAY
    streams = {n: gapfill.stream(frames(k, n), dates=dates, **RULE) for k, n in enumerate(TB)}
    for stream in streams.values():
        next(stream)  # of the days in memory alone
    path = store.create(folder / f"{box}{threads}.zarr", grid=grid, time=dates[1:], overpass=[0], variables=RECORD)
    with store.writer(path) as write:
        for day in range(WARM + TIMED):
            if day == WARM:
                spent.update(dict.fromkeys(STAGES, 0.0))
                began, whole = time.perf_counter(), time.process_time()
            read()
            filled = {n: timed("gap fill", next, stream) for n, stream in streams.items()}
            fields = {n: value for n, (_, value, _, _) in filled.items()}
            fields |= {f"age_{n[:-1]}": np.maximum(filled[n][3], filled[n[:-1] + "h"][3]) for n in TB if n[-1] == "v"}
            stack = stack_of(grid, land, **fields)
            inside = spent["network"]
            blocks = predict(engine.checkpoint, stack, batch=1, engine=network)
            _, _, frozen, quality, age = timed("fields and flags", next, blocks)
            spent["fields and flags"] -= spent["network"] - inside
            timed("write", write, day, {"frozen": frozen, "quality": quality, "age": age}, overpass=0)
            blocks.close()
    total = time.process_time() - whole
    each = {stage: seconds / TIMED for stage, seconds in spent.items()}
    return {
        "seconds": total / TIMED,
        "wall": (time.perf_counter() - began) / TIMED,
        "stages": each,
        "peak": peak(),
        "engine": f"{engine.name} {engine.precision}",
        "record": path,
    }


def careful(folder: Path, size: Size) -> dict[str, Any]:
    """CPU seconds of a day by a script: h5py, cached sparse weights, numpy, torch eager float32, zarr; and its codes."""
    import torch
    import zarr

    from frostline.learn.checkpoint import load

    torch.set_num_threads(1)
    grid, (smap, amsr2) = grid_of(size, False), files(folder)
    checkpoint = load(folder / "net")
    net = checkpoint.network()
    fields = amsr2_grid(amsr2[0])
    matrix = sparse(regrid.bilinear(fields, grid))
    rows = grid.offset(named("N09"))
    cut = np.s_[rows[0] : rows[0] + grid.shape[0], rows[1] : rows[1] + grid.shape[1]]
    ring = [np.stack([earlier(grid, size, d, k) for k in range(len(TB))]) for d in range(EARLIER)]
    began = time.process_time()
    today = []
    for path in smap:
        with h5py.File(path) as file:
            packed = file["TB"][0][cut]
        today.append(np.where(packed == 0, np.float32(np.nan), packed * np.float32(0.01)))
    for path in amsr2:
        with h5py.File(path) as file:
            for p in "VH":
                packed = file[f"Brightness Temperature ({p})"][...]
                values = np.where(packed >= 65533, np.float32(np.nan), packed * np.float32(0.01))
                known = ~np.isnan(values)
                weight = matrix @ known.ravel().astype(np.float32)
                total = matrix @ np.where(known, values, np.float32(0)).ravel()
                with np.errstate(invalid="ignore", divide="ignore"):
                    today.append(
                        np.where(weight >= regrid.LEAST_WEIGHT, total / weight, np.float32(np.nan)).reshape(grid.shape)
                    )
    filled, age = fill([*ring, np.stack(today)])
    x = [np.nan_to_num((filled - np.float32(250.0)) / np.float32(12.0))]
    valid = ~np.isnan(filled)
    bands = np.stack([valid[k] & valid[k + 1] for k in (0, 2, 4)])
    old = np.where(bands, np.stack([np.maximum(age[k], age[k + 1]) for k in (0, 2, 4)]), 0).astype(np.float32)
    x += [bands.astype(np.float32), old / np.float32(10.0)]
    x += [np.full((1, *grid.shape), -1.25, np.float32), np.zeros((1, *grid.shape), np.float32)]
    with torch.inference_mode():
        p = torch.sigmoid(net(torch.from_numpy(np.concatenate(x))[None]))[0].reshape(grid.shape).numpy()
    codes = np.where(bands.any(axis=0), np.round(p * 200), 255).astype(np.uint8)
    zarr.create_array(folder / "careful.zarr", data=codes, chunks=(500, 500))
    spent = time.process_time() - began
    np.save(folder / "careful.npy", codes)
    return {"seconds": spent, "peak": peak()}


def sparse(weights: regrid.Weights) -> Any:
    """The same bilinear weights as a matrix (target cells, source cells)."""
    from scipy.sparse import csr_array

    rows, columns = weights.source_shape
    r, c = weights.row.astype(np.int64).ravel(), weights.col.astype(np.int64).ravel()
    down, right = (np.nan_to_num(w.ravel()) for w in (weights.down, weights.right))
    below, east = np.minimum(r + 1, rows - 1), (c + 1) % columns
    at = np.stack([r * columns + c, r * columns + east, below * columns + c, below * columns + east], axis=1)
    share = np.stack([(1 - down) * (1 - right), (1 - down) * right, down * (1 - right), down * right], axis=1)
    share[np.isnan(weights.down).ravel()] = 0
    starts = np.arange(len(r) + 1) * 4
    return csr_array((share.astype(np.float32).ravel(), at.ravel(), starts), shape=(len(r), rows * columns))


def fill(frames: list[Array]) -> tuple[Array, Array]:
    """Donahue 2023, equation 1, of the middle of five frames: (value, days to the nearer of the two)."""
    middle = frames[2]
    before, after = frames[1].copy(), frames[3].copy()
    far_before, far_after = (np.isnan(side) for side in (before, after))
    before[far_before], after[far_after] = frames[0][far_before], frames[4][far_after]
    a, b = 1 + far_before.astype(np.float32), 1 + far_after.astype(np.float32)
    value = np.where(np.isnan(middle), before + (after - before) * (a / (a + b)), middle)
    age = np.where(np.isnan(middle), np.where(np.isnan(value), 0, np.minimum(a, b)), 0)
    return value, age


def rows(size: Size) -> list[Row]:
    """The table's rows."""
    found = []
    with tempfile.TemporaryDirectory(prefix="frostline-bench-") as name:
        folder = Path(name)
        apart(make, folder, size)
        theirs = apart(careful, folder, size)
        for box in (False, True):
            one = apart(ours, folder, size, box, 1)
            two = apart(ours, folder, size, box, 2)
            equal = same(np.load(folder / "careful.npy"), one["record"], size, box)
            what = "pass-day, land box" if box else "pass-day, hemisphere"
            split = " ".join(f"{stage} {seconds:.3f}" for stage, seconds in one["stages"].items())
            told = f"{one['engine']}; {split}; wall {one['wall']:.2f} s, of 2 threads {two['wall']:.2f} s"
            rest = one["seconds"] - one["stages"]["network"]
            found += [
                Row(
                    9,
                    what,
                    "careful script",
                    theirs["seconds"],
                    one["seconds"],
                    8 if box else 4,
                    equal=equal,
                    note=told,
                ),
                Row(9, f"{what}: all but the net", "0.5 CPU s", 0.5, rest, 1, equal=equal),
                Row(9, f"{what}: peak MiB", "3 GiB", 3072, one["peak"] / 1.024, 1, equal=equal),
            ]
            if not box:
                share = one["stages"]["network"] / one["seconds"]
                found.append(Row(9, f"{what}: outside the net", "20 % of CPU", 0.2, 1 - share, 1, equal=equal))
    return found


def same(codes: Array, path: Path, size: Size, box: bool) -> bool:
    """Whether a record has the script's probabilities, as far as bfloat16 goes, and the same cells."""
    ds = store.open_store(path)
    grid = Grid.of(ds)
    row, column = grid.offset(grid_of(size, False))
    mine = codes[row : row + grid.shape[0], column : column + grid.shape[1]].astype(np.float32)
    theirs = np.where(mine == 255, np.nan, mine / 200)
    ours = ds["frozen"].values[0, 0]
    theirs = np.where(land_of(grid, box), theirs, np.nan)
    return bool(np.array_equal(np.isnan(ours), np.isnan(theirs)) and np.nanmax(abs(ours - theirs)) <= MOST)


if __name__ == "__main__":
    sys.exit(main(rows, __doc__))
