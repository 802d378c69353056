"""Peak memory of `assemble` and `predict` for records of different length: it must not grow with the years.

    python -m benchmarks.memory [--size 256] [--years 0.5 2] [--folder DIR]

Agency files of one synthetic day are linked under every date; the reanalysis and the stations are written in full.
Each step runs in a fresh process, whose peak resident set (VmHWM; elsewhere ru_maxrss) is printed; records of different
length are made side by side.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import re
import resource
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import xarray as xr

from frostline.config import parse
from frostline.config_north import North
from frostline.grid import Grid
from frostline.read.amsr2 import BEGINS
from frostline.runs import Run
from frostline.schema import coordinates
from frostline.steps import model, run_step
from frostline.steps.common import days_of, grid_of
from frostline.twin import agencies, ground

START = np.datetime64("2015-08-01")
STATIONS = 40
GOAL = 1.03  # the longer record may take 3 % more
DAY = np.timedelta64(1, "D")
HOUR = np.timedelta64(1, "h")
STEPS = ("assemble", "predict")
PRODUCTS = ("smap", "amsr2", "era5", "dem", "landcover", "ismn", "uscrn")


def tables(size: int, days: int) -> dict[str, Any]:
    """An experiment of so many cells and days, whose net learns from the first month."""
    last = START + (days - 1) * DAY
    return {
        "title": "memory",
        "grid": {"name": "N09", "center": [105.0, 60.0], "shape": [size, size]},
        "period": {"start": str(START), "end": str(last)},
        "inputs": {"root": "${RUN}/data", **{name: name for name in PRODUCTS}},
        "split": {
            "train": [[str(START), str(START + 19 * DAY)]],
            "validation": [[str(START + 22 * DAY), str(START + 29 * DAY)]],
            "heldout": [[str(START + 32 * DAY), str(last)]],
            "buffer_days": 1,
        },
        "train": {"width": 8, "depth": 3, "epochs": 1, "batch": 4, "crop": min(size, 64)},
    }


def experiment(size: int, days: int) -> North:
    """Those tables as an experiment."""
    return parse(tables(size, days))


def archive(folder: Path, settings: North, workers: int = 1) -> None:
    """Files of every product for all days of an experiment in `folder`."""
    grid, days = grid_of(settings), days_of(settings).astype("datetime64[D]")
    earth = ground.make_ground(grid, seed=1, land=np.ones(grid.shape, bool))
    hours = np.arange(days[0] - DAY, days[-1] + 2 * DAY, HOUR)
    agencies.deliver(
        folder,
        blocks=[one_day(grid, days[1])],
        hourly=reanalysis(grid, hours),
        ground=earth,
        grid=grid,
        sites=stations(grid),
        site_series=[(hours, np.repeat(_wave(hours)[:, None], STATIONS, axis=1).astype("float32"))],
        workers=workers,
    )
    for product in ("smap", "amsr2"):
        for path in list((folder / product).iterdir()):
            (stamp,) = re.findall(r"_(\d{8})_(?=01D|\d{10}_v)", path.name)
            for date in np.arange(days[0] - DAY, days[-1] + DAY):
                name = path.name.replace(stamp, str(date).replace("-", ""), 1)
                if name == path.name:
                    continue
                if product == "smap":
                    os.link(path, path.with_name(name))
                    continue
                shutil.copyfile(path, path.with_name(name))  # its name's day is written in it too
                with h5py.File(path.with_name(name), "r+") as file:
                    file.attrs[BEGINS] = f"{date}T00:00:00.000Z"


def one_day(grid: Grid, date: np.datetime64) -> xr.Dataset:
    """Brightness temperatures of one day, with a gap."""
    rng = np.random.default_rng(1)
    shape = (1, 2, *grid.shape)
    fields = {}
    for name in ("tb_1v", "tb_1h", "tb_18v", "tb_18h", "tb_36v", "tb_36h"):
        tb = (240 + 15 * rng.random(shape)).astype("float32")
        tb[..., : grid.shape[1] // 8] = np.nan
        fields[name] = (("time", "overpass", "y", "x"), tb)
    fields["tb_time_1"] = (("time", "overpass", "y", "x"), np.full(shape, 600.0, "float32"))
    return coordinates(xr.Dataset(fields), time=[date], overpass=[0, 1])


def reanalysis(grid: Grid, hours: np.ndarray) -> Iterator[xr.Dataset]:
    """Hourly soil temperature a month at a time: the same wave everywhere, colder to the north."""
    north = np.linspace(-8, 8, grid.shape[0], dtype="float32")[:, None] * np.ones(grid.shape[1], "float32")
    for month in np.unique(hours.astype("datetime64[M]")):
        some = hours[hours.astype("datetime64[M]") == month]
        kelvin = _wave(some)[:, None, None].astype("float32") + north
        yield xr.Dataset({"soil_temperature": (("time", "y", "x"), kelvin)}, coords={"time": some.astype("M8[ns]")})


def stations(grid: Grid) -> dict[str, Any]:
    """Places all over the window."""
    rng = np.random.default_rng(2)
    rows, cols = (rng.integers(0, n, STATIONS) for n in grid.shape)
    lon, lat = (a[rows, cols] for a in grid.lonlat())
    return {
        "lon": lon, "lat": lat, "elevation": np.full(STATIONS, 300.0), "depth": np.full(STATIONS, 0.05),
        "network": np.where(np.arange(STATIONS) % 3 == 0, "USCRN", "BENCH"),
        "station": np.array([f"BENCH-{k:03d}" for k in range(STATIONS)]),
    }  # fmt: skip


def _wave(hours: np.ndarray) -> np.ndarray:
    """Kelvin: a year and a day, so that every place freezes and thaws."""
    days = (hours - START) / HOUR / 24
    return 275.0 + 12 * np.cos(2 * np.pi * days / 365) + 3 * np.sin(2 * np.pi * days)


def prepare(folder: Path, size: int, days: int) -> None:
    """A run folder with files and their inventory."""
    settings, run = experiment(size, days), Run(folder, quiet=True, workers=1)
    archive(folder / "data", settings, workers=os.cpu_count() or 1)
    run_step("read", settings, run)


def measure(step: str, folder: Path, size: int, days: int) -> float:
    """Peak resident MB of this process after the step; `predict` needs the checkpoint of another run beside it."""
    settings, run = experiment(size, days), Run(folder, quiet=True, workers=1)
    if step == "assemble":
        run_step("assemble", settings, run)
    else:
        model.predict(settings, run)
    return peak()


def peak() -> float:
    """Peak resident MB. Not ru_maxrss where there is better: it begins with the parent's."""
    status = Path("/proc/self/status")
    if status.exists():
        return float(re.findall(r"VmHWM:\s+(\d+) kB", status.read_text())[0]) / 1e3
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)


def _told(call: Any, answer: Any, *args: Any) -> None:
    answer.put(call(*args))


def apart(call: Any, *args: Any) -> Any:
    """The answer of a call in a fresh process."""
    context = multiprocessing.get_context("spawn")
    answer = context.SimpleQueue()
    process = context.Process(target=_told, args=(call, answer, *args))
    process.start()
    process.join()
    if process.exitcode:
        raise SystemExit(f"{call.__name__}{args} ended with {process.exitcode}")
    return answer.get()


def _train(folder: Path, size: int, days: int) -> None:
    run_step("train", experiment(size, days), Run(folder, quiet=True, workers=1))


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a line per step and length; 1 when one grows by more than 3 %."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("--size", type=int, default=256, help="cells on a side")
    parser.add_argument("--years", type=float, nargs="+", default=[0.5, 2])
    parser.add_argument("--folder", type=Path, help="where the files go (default: a temporary folder)")
    options = parser.parse_args(arguments)
    root = options.folder or Path(tempfile.mkdtemp(prefix="frostline-memory-"))
    root.mkdir(parents=True, exist_ok=True)
    years, size = options.years, options.size
    peaks: dict[tuple[str, float], float] = {}

    def told(step: str, length: float) -> None:
        peaks[step, length] = apart(measure, step, root / f"{length:g}y", size, round(365 * length))
        print(f"{step:9} {length:3g} years  {peaks[step, length]:7.1f} MB", flush=True)

    def assembled(length: float) -> Path:
        folder = root / f"{length:g}y"
        if not folder.exists():
            folder.mkdir()
            apart(prepare, folder, size, round(365 * length))
        told("assemble", length)
        return folder

    def trained() -> Path:
        folder = assembled(years[0])
        apart(_train, folder, size, round(365 * years[0]))
        told("predict", years[0])
        return folder / "checkpoints"

    def follows(length: float, first: Future[Path]) -> None:
        folder = assembled(length)
        shutil.copytree(first.result(), folder / "checkpoints", dirs_exist_ok=True)
        told("predict", length)

    try:
        with ThreadPoolExecutor(len(years)) as lengths:  # each step has its own process, whose peak is its own
            first = lengths.submit(trained)
            for done in [first, *(lengths.submit(follows, length, first) for length in years[1:])]:
                done.result()
    finally:
        if options.folder is None:
            shutil.rmtree(root, ignore_errors=True)
    worst = max(peaks[step, years[-1]] / peaks[step, years[0]] for step in STEPS)
    print(f"largest growth {worst:.3f}, goal {GOAL}")
    return int(worst > GOAL)


if __name__ == "__main__":
    sys.exit(main())
