"""The figure of benchmarks/growth.py: seconds and memory against years, cells and channels, with their exponents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from benchmarks.growth import Point, Slope
from frostline.drawing import LOOKS

AXES = {"years": "years of record", "cells": "cells", "channels": "brightness temperatures"}
ROWS = {"seconds": "CPU seconds", "megabytes": "peak memory above\nthe libraries', MB"}
STEPS = {"assemble": LOOKS[0], "predict": LOOKS[3]}
OF = {"years": "of the record", "cells": "of a pass-day", "channels": "of a pass-day"}


def draw(points: Sequence[Point], slopes: Mapping[tuple[str, str, str], Slope], path: Path) -> None:
    """Write the PNG: logarithmic axes, a line per step, the exponent in its key."""
    with matplotlib.rc_context({"font.size": 8.5}):
        axes = [axis for axis in AXES if any(p.axis == axis for p in points)]
        figure = Figure(figsize=(3.1 * len(axes), 5.2), layout="constrained", dpi=150)
        grid = figure.subplots(len(ROWS), len(axes), squeeze=False, sharex="col")
        for row, (name, label) in enumerate(ROWS.items()):
            for column, axis in enumerate(axes):
                ax = grid[row][column]
                for step, (color, marker, dash) in STEPS.items():
                    those = [p for p in points if (p.step, p.axis) == (step, axis)]
                    if those:
                        slope = slopes.get((step, axis, name))
                        told = f"{step}: {slope}" if slope else step
                        x, y = [p.amount for p in those], [getattr(p, name) for p in those]
                        ax.plot(x, y, color=color, marker=marker, linestyle=dash, label=told, markersize=4)
                ax.set(xscale="log", yscale="log")
                ticks = sorted({p.amount for p in points if p.axis == axis})
                texts = [f"{round(t**0.5)}²" if axis == "cells" else f"{t:g}" for t in ticks]
                ax.set_xticks(ticks, texts)
                ax.minorticks_off()
                low, high = ax.get_ylim()
                ax.set_ylim(low / 1.5, high * max(3, (high / low) ** 0.4))  # room for the key
                ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
                ax.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
                ax.legend(loc="upper left", frameon=False, title="exponent [95 %]", alignment="left", fontsize=7.5)
                ax.grid(alpha=0.25)
                what = f"{label} {OF[axis]}" if name == "seconds" else label
                ax.set_ylabel(what if column == 0 or name == "seconds" else "")
                if row == len(ROWS) - 1:
                    ax.set_xlabel(AXES[axis])
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path)
