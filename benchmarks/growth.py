"""How time and memory of `assemble` and `predict` grow with years, cells and channels; the exponents, and a figure.

    python -m benchmarks.growth [--size small|middle|full] [--figure FILE]

Each point is a fresh process: CPU seconds of the step's second run (its first loads and compiles; over years, where
that is little, the first), and the peak of resident memory above what the loaded libraries hold. An exponent is the
slope of logarithms with its 95 % interval. Files are those of benchmarks/memory.py; where a point is of `predict`
alone, its stack is written without files. The net has its first weights: what they are changes no time.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy.stats import t as student

from benchmarks.common import SIZES, Size
from benchmarks.memory import DAY, START, apart, archive, peak, tables
from frostline import store
from frostline.config import parse
from frostline.config_north import North
from frostline.runs import Run
from frostline.steps import model, run_step
from frostline.steps.common import days_of, grid_of

CHANNELS = ("tb_1v", "tb_1h", "tb_18v", "tb_18h", "tb_36v", "tb_36h")
NET = {"width": 8, "depth": 3}
DAYS = 2  # of a point of cells or channels, at most; small windows get more
CELL_DAYS = 1 << 18
AXES = {
    "small": {"years": (), "cells": (16, 32, 48), "channels": (2, 6), "side": 16, "span": 12},
    "middle": {"years": (1, 2, 4), "cells": (64, 128, 256, 512), "channels": (2, 4, 6), "side": 64, "span": 365},
    "full": {
        "years": (1, 2, 4), "cells": (64, 128, 256, 512, 1000, 2000), "channels": (2, 4, 6), "side": 128, "span": 365,
    },
}  # fmt: skip
LARGEST = 1000  # cells on a side of the points that begin with files


class Point(NamedTuple):
    """One measurement: a step, what was varied, how much of it, and what that took."""

    step: str
    axis: str  # years, cells, channels
    amount: float
    seconds: float  # CPU: of the whole record over years, else of a pass-day
    megabytes: float  # peak above the loaded libraries
    total: float  # peak


class Slope(NamedTuple):
    """An exponent with its interval."""

    value: float
    lo: float
    hi: float

    def __str__(self) -> str:
        return f"{self.value:.2f} [{self.lo:.2f}, {self.hi:.2f}]" if np.isfinite(self.lo) else f"{self.value:.2f}"


def settings(size: int, days: int, channels: Sequence[str] = CHANNELS) -> North:
    """The experiment of benchmarks/memory.py on a period of any length: what teaches lies in the year before."""
    told = tables(size, max(days, 40))
    last = START + (days - 1) * DAY
    told["title"], told["period"]["end"] = "growth", str(last)
    spans = {"train": (-300, -200), "validation": (-150, -100), "heldout": (0, days - 1)}
    told["split"] |= {role: [[str(START + a * DAY), str(START + b * DAY)]] for role, (a, b) in spans.items()}
    told["train"] |= NET | {"inputs": [*channels], "reference": "none"}
    return parse(told)


def prepare(folder: Path, size: int, days: int) -> None:
    """Agency files and their inventory."""
    own = settings(size, days)
    archive(folder / "data", own)
    run_step("read", own, Run(folder, quiet=True, workers=1))


def stack(folder: Path, size: int, days: int, channels: Sequence[str]) -> None:
    """What `assemble` would have made, of fields that are cheap to draw."""
    own, rng = settings(size, days, channels), np.random.default_rng(1)
    grid, ages = grid_of(own), sorted({f"age_{name[:-1]}" for name in channels})
    static = {
        "land": np.ones(grid.shape, np.uint8),
        "land_cover": np.full(grid.shape, 1, np.uint8),
        "elevation": (1000 * rng.random(grid.shape)).astype("float32"),
    }
    path = store.create(
        folder / "stack.zarr",
        grid=grid, time=days_of(own), overpass=[0, 1], variables=[*channels, *ages], static=static,
    )  # fmt: skip
    field = (240 + 30 * rng.random((1, *grid.shape))).astype("float32")
    many = store.chunk_days(grid)
    with store.writer(path) as write:
        for start in range(0, days, many):
            shape = (min(many, days - start), *grid.shape)
            arrays = {name: np.broadcast_to(field, shape) for name in channels}
            arrays |= {name: np.zeros(shape, np.uint8) for name in ages}
            for overpass in (0, 1):
                write(start, arrays, overpass=overpass)


def checkpoint(folder: Path, channels: Sequence[str]) -> None:
    """A net with its first weights, as a checkpoint of the run."""
    import torch

    from frostline.learn import build
    from frostline.learn.channels import channel_names, scaled
    from frostline.learn.checkpoint import Checkpoint, grid_facts
    from frostline.learn.resume import arrays
    from frostline.learn.scale import Scaler

    there = store.open_store(folder / "stack.zarr")
    names = channel_names(there, inputs=channels, statics=["elevation"])
    torch.manual_seed(1)
    told = scaled(names)
    scaler = Scaler({n: 500.0 if n == "elevation" else 250.0 for n in told}, dict.fromkeys(told, 50.0))
    net = build("unet", len(names), dict(NET))
    days = {"train_spans": [["2014-10-05", "2015-01-13"]], "validation_spans": [["2015-03-04", "2015-04-23"]]}
    made = Checkpoint("unet", dict(NET), names, scaler, arrays(net.state_dict()), grid_facts(there), days)
    made.save(folder / "checkpoints" / "unet")


def measure(step: str, folder: Path, size: int, days: int, channels: Sequence[str], twice: bool) -> tuple[float, ...]:
    """CPU seconds of a step in this process, and the peaks of memory (MB): above what the libraries hold, and all."""
    import frostline.learn.predict  # noqa: F401  # what either step loads, so that it is in no point's memory

    own, run = settings(size, days, channels), Run(folder, quiet=True, workers=1, allow_leak=True)
    held = peak()
    seconds = 0.0
    for _ in range(1 + twice):
        began = time.process_time()
        if step == "assemble":
            shutil.rmtree(folder / "stack.zarr", ignore_errors=True)
            run_step("assemble", own, run, force=True)
        else:
            model.predict(own, run)
        seconds = time.process_time() - began
    return seconds, peak() - held, peak()


def over_years(root: Path, years: Sequence[int], side: int, span: int) -> list[Point]:
    """`assemble` and `predict` of a small window, for records of different length."""
    found = []
    for many in years:
        folder, days = root / f"years-{many}", span * many
        prepare(folder, side, days)
        for step in ("assemble", "predict"):
            seconds, *megabytes = apart(measure, step, folder, side, days, CHANNELS, False)
            found.append(Point(step, "years", many, seconds, *megabytes))
            say(found[-1])
            if step == "assemble":
                checkpoint(folder, CHANNELS)
        shutil.rmtree(folder)
    return found


def over_cells(root: Path, sides: Sequence[int]) -> list[Point]:
    """A few days of windows of different size: `assemble` from files, `predict` from a stack."""
    found = []
    for side in sides:
        folder, days = root / f"cells-{side}", int(np.clip(CELL_DAYS // side**2, DAYS, 32))
        if side <= LARGEST:
            prepare(folder, side, days)
            seconds, *megabytes = apart(measure, "assemble", folder, side, days, CHANNELS, True)
            found.append(Point("assemble", "cells", side**2, seconds / days / 2, *megabytes))
            say(found[-1])
            shutil.rmtree(folder)
        found.append(predicted(root, "cells", side**2, side, days, CHANNELS))
    return found


def over_channels(root: Path, counts: Sequence[int], side: int) -> list[Point]:
    """`predict` of nets that see more or fewer brightness temperatures."""
    days = int(np.clip(CELL_DAYS // side**2, DAYS, 32))
    return [predicted(root, "channels", count, side, days, CHANNELS[:count]) for count in counts]


def predicted(root: Path, axis: str, amount: float, side: int, days: int, channels: Sequence[str]) -> Point:
    """A point of `predict` alone."""
    folder = root / "predict"
    stack(folder, side, days, channels)
    checkpoint(folder, channels)
    seconds, *megabytes = apart(measure, "predict", folder, side, days, channels, True)
    shutil.rmtree(folder)
    say(point := Point("predict", axis, amount, seconds / days / 2, *megabytes))
    return point


def fitted(amounts: Sequence[float], values: Sequence[float], level: float = 0.95) -> Slope:
    """Least-squares slope of log values against log amounts, and its interval by Student's t; NaN of two points.

    >>> [round(x, 6) for x in fitted([1, 2, 4], [3, 12, 48])]
    [2.0, 2.0, 2.0]
    """
    x, y = np.log(np.asarray(amounts, float)), np.log(np.asarray(values, float))
    x = x - x.mean()
    slope = float((x * (y - y.mean())).sum() / (x**2).sum())
    free = len(x) - 2
    if free < 1:
        return Slope(slope, np.nan, np.nan)
    off = y - y.mean() - slope * x
    half = float(student.ppf((1 + level) / 2, free) * np.sqrt((off**2).sum() / free / (x**2).sum()))
    return Slope(slope, slope - half, slope + half)


def exponents(points: Sequence[Point]) -> dict[tuple[str, str, str], Slope]:
    """The exponent of each step, axis and quantity (`seconds`, `megabytes`) with two points and more.

    Of cells it is that of windows whose days have a chunk each, where there are three: smaller ones share chunks, and
    what is worked on at a time is the same for all of them.
    """
    found = {}
    for step, axis in dict.fromkeys((p.step, p.axis) for p in points):
        those = [p for p in points if (p.step, p.axis) == (step, axis)]
        large = [p for p in those if axis == "cells" and p.amount > store.CHUNK_BYTES]
        those = large if len(large) > 2 else those
        for name in ("seconds", "megabytes") if len(those) > 1 else ():
            found[step, axis, name] = fitted([p.amount for p in those], [getattr(p, name) for p in those])
    return found


def say(point: Point) -> None:
    """A line of the table."""
    print(
        f"{point.step:9} {point.axis:9} {point.amount:9.0f} {point.seconds:12.4g} {point.megabytes:10.0f} "
        f"{point.total:8.0f}",
        flush=True,
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a line per point and per exponent, and draw the figure."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("--size", choices=SIZES, default="middle")
    parser.add_argument("--figure", type=Path, help="PNG to write")
    options = parser.parse_args(arguments)
    points = measured(options.size)
    print(f"{'step':9} {'axis':9} {'of':9} {'exponent':>9} [95 % interval]")
    for (step, axis, name), slope in exponents(points).items():
        print(f"{step:9} {axis:9} {name:9} {slope}")
    if options.figure is not None:
        from benchmarks.growth_figure import draw

        draw(points, exponents(points), options.figure)
    return 0


def measured(size: Size) -> list[Point]:
    """All points of a size, printed as they come."""
    axes: dict[str, Any] = AXES[size]
    print(f"{'step':9} {'axis':9} {'amount':>9} {'CPU seconds':>12} {'MB above':>10} {'MB peak':>8}")
    with tempfile.TemporaryDirectory(prefix="frostline-growth-") as folder:
        root = Path(folder)
        found = over_cells(root, axes["cells"]) + over_channels(root, axes["channels"], 2 * axes["side"])
        return found + over_years(root, axes["years"], axes["side"], axes["span"])


if __name__ == "__main__":
    sys.exit(main())
