"""Row 9: one pass-day of the northern hemisphere, from packed HDF5 to written Zarr, against a careful script.

python -m benchmarks.passday [--size small|middle|full]

A day's files are written whole by the twin's writers; the four days before it wait in memory on the grid, as they do in
a run. The network has width 32 and random weights. Each side runs in a process of its own, ours after two days that are
not counted. Left out on both sides: AMSR2's UTC days, which a run joins into local dates.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common import Row, Size, main
from benchmarks.memory import apart, peak
from benchmarks.passday_files import DAY, EARLIER, FIRST, TB, Array, earlier, files, grid_of, land_of, make, stack_of
from benchmarks.passday_script import careful
from frostline import gapfill, regrid, store
from frostline.grid import Grid
from frostline.read.amsr2 import amsr2_grid, load_amsr2
from frostline.read.cetb import load_cetb
from frostline.steps.fields import around

RULE = gapfill.PRESETS["donahue-text"]  # two days on either side: five frames are held
WARM = 2  # days done but not counted; counted are those that share a chunk, for they are written together
STAGES = ("decode", "regrid", "gap fill", "fields and flags", "write", "network")
RECORD = ("frozen", "quality", "age")
MOST = 0.02  # bf16: difference of a probability


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

    fields = {n: np.empty(grid.shape, np.float32) for n in TB}
    fields |= {f"age_{n[:-1]}": np.empty(grid.shape, np.uint8) for n in TB if n[-1] == "v"}
    timed_days = chunk_of(folder, grid)
    days = WARM + timed_days
    blocks = predict(engine.checkpoint, stack_of(grid, land, days, **fields), batch=1, engine=network)

    def frames(k: int, name: str) -> Iterator[tuple[np.datetime64, Array]]:
        for d in range(EARLIER):
            yield FIRST + d * DAY, earlier(grid, size, d, k)
        for d in range(EARLIER, EARLIER + days):
            yield FIRST + d * DAY, today[name]

    dates = FIRST + np.arange(1, 2 + days) * DAY
    streams = {n: gapfill.stream(frames(k, n), dates=dates, **RULE) for k, n in enumerate(TB)}
    for stream in streams.values():
        next(stream)  # of the days in memory alone

    def do(path: Path, count: int) -> None:
        with store.writer(path) as write:
            for day in range(count):
                read()
                filled = {n: timed("gap fill", next, stream) for n, stream in streams.items()}
                began, inside = time.process_time(), spent["network"]
                for n, (_, value, _, age) in filled.items():
                    fields[n][...] = value
                    if n[-1] == "v":
                        np.maximum(age, filled[f"{n[:-1]}h"][3], out=fields[f"age_{n[:-1]}"])
                _, _, frozen, quality, age = next(blocks)
                spent["fields and flags"] += time.process_time() - began - (spent["network"] - inside)
                timed("write", write, day, {"frozen": frozen, "quality": quality, "age": age}, overpass=0)
            began = time.process_time()
        spent["write"] += time.process_time() - began  # what the writer held

    first = laid_out(folder / f"{box}{threads}.zarr", grid, WARM)  # its first day is the script's
    do(first, WARM)
    spent.update(dict.fromkeys(STAGES, 0.0))
    began, whole = time.perf_counter(), time.process_time()
    do(laid_out(folder / "counted.zarr", grid, timed_days), timed_days)
    total = time.process_time() - whole
    return {
        "seconds": total / timed_days,
        "wall": (time.perf_counter() - began) / timed_days,
        "stages": {stage: seconds / timed_days for stage, seconds in spent.items()},
        "peak": peak(),
        "engine": f"{engine.name} {engine.precision}",
        "record": first,
    }


def laid_out(path: Path, grid: Grid, days: int) -> Path:
    """An empty record of so many days."""
    return store.create(path, grid=grid, time=FIRST + np.arange(days) * DAY, overpass=[0], variables=RECORD)


def chunk_of(folder: Path, grid: Grid) -> int:
    """Days of a record of this grid that share a chunk."""
    ds = store.open_store(laid_out(folder / "empty.zarr", grid, store.MOST_DAYS))
    return int(ds["frozen"].encoding["chunks"][0])


def rows(size: Size) -> list[Row]:
    """The table's rows."""
    found = []
    with tempfile.TemporaryDirectory(prefix="frostline-bench-") as name:
        folder = Path(name)
        apart(make, folder, size)
        theirs = apart(careful, folder, size)
        for box in (False, True):
            one = apart(ours, folder, size, box, 1)
            equal = same(np.load(folder / "careful.npy"), one["record"], size, box)
            what = "pass-day, land box" if box else "pass-day, hemisphere"
            split = " ".join(f"{stage} {seconds:.3f}" for stage, seconds in one["stages"].items())
            told = f"{one['engine']}; {split}; wall {one['wall']:.2f} s"
            if size != "small":  # which looks at results only
                told += f", of 2 threads {apart(ours, folder, size, box, 2)['wall']:.2f} s"
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
