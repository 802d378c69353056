"""Figures of areas and their quality: extent corrected for error, and how good each cell's year was."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.colors import ListedColormap, Normalize
from matplotlib.dates import ConciseDateFormatter, MonthLocator
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import ArrayLike, NDArray

from frostline.drawing import DAYS, NO_SOIL, bar, keys, map_sheet
from frostline.grid import Grid
from frostline.maps import FONT, FROZEN, INK, SEA, map_field, sheet, style, unknown_patch

# From light to dark, so that grey print tells them apart: low, moderate, good, best.
CLASSES = {"low": "#f7e3c4", "moderate": "#e2a95f", "good": "#7fa6cf", "best": "#1b3f73"}


def corrected_extent(
    time: ArrayLike, extent: Mapping[str, ArrayLike], *, truth: ArrayLike | None = None, note: str = ""
) -> Figure:
    """Frozen area through the days: as counted, corrected with its interval, and the truth where one is known.

    `extent` holds `counted`, `corrected`, `lo`, `hi`, each (time,), million km2; NaN breaks a line.
    """
    fig = sheet(3.9, note=note)
    ax = fig.subplots()
    dates = pd.DatetimeIndex(np.asarray(time))
    part = {name: np.asarray(values, float) for name, values in extent.items()}
    band = ax.fill_between(
        dates, part["lo"], part["hi"], color=FROZEN, alpha=0.25, lw=0, label="its interval (rates of a month)"
    )
    lines = [
        ax.plot(dates, part["corrected"], color=FROZEN, linewidth=1.9, label="corrected for error")[0],
        band,
        ax.plot(dates, part["counted"], color=INK, linewidth=1.2, linestyle="--", label="counted")[0],
    ]
    if truth is not None:
        known = np.asarray(truth, float)
        lines.append(ax.plot(dates, known, color="#8a6d00", linewidth=1.2, linestyle=":", label="twin's truth")[0])
    style(ax, ylabel="frozen land (million km²)")
    ax.set(xlim=(dates[0], dates[-1] + pd.Timedelta(days=1)))
    ax.set_ylim(bottom=0)
    ax.xaxis.set_major_locator(MonthLocator())
    ax.xaxis.set_major_formatter(ConciseDateFormatter(ax.xaxis.get_major_locator()))
    ax.grid(axis="y", color="#e2e2e2", linewidth=0.7)
    keys(fig, lines)
    return fig


def quality_maps(
    grid: Grid,
    observed: NDArray,
    agreement: NDArray,
    brier: NDArray,
    classes: NDArray,
    *,
    land: NDArray[np.bool_],
    year: int,
    note: str = "",
) -> Figure:
    """A year's quality, four maps (y, x): share observed that day, share that agrees, Brier score, and class 0 to 3.

    `observed`, `agreement` and `brier` are 0..1, NaN unknown; `classes` count into CLASSES, NaN where there is none.
    Shares of the land in each class stand in the keys, means over the land in the titles.
    """
    fig, axes = map_sheet(grid, 4, columns=2, foot=2.2, note=note)
    shown = (
        (observed, "observed that day", "share of overpasses", DAYS),
        (agreement, "agrees with the reanalysis", "share of overpasses", DAYS),
        (brier, "Brier score by the reanalysis", "0 is best", DAYS.reversed()),
    )
    for ax, (field, what, unit, cmap) in zip(axes[:3], shown, strict=True):
        has = np.isfinite(field) & land
        low, high = (float(field[has].min()), float(field[has].max())) if has.any() else (0.0, 1.0)
        low, high = float(np.floor(20 * low) / 20), float(np.ceil(20 * high) / 20)
        mean = f"mean {field[has].mean():.2f}" if has.any() else "nothing known"
        norm = Normalize(min(low, high - 0.05), high)
        image = map_field(ax, field, grid, cmap=cmap, norm=norm, land=land, title=f"{what}: {mean}")
        ax.title.set_fontsize(FONT - 0.5)
        bar(fig, image, ax, unit)
    steps = ListedColormap(list(CLASSES.values()))
    image = map_field(
        axes[3], classes, grid, cmap=steps, norm=Normalize(-0.5, 3.5), land=land, title=f"class of {year}"
    )
    axes[3].title.set_fontsize(FONT - 0.5)
    ticks = bar(fig, image, axes[3], "known and agreeing: from .70, from .85, above .95", ticks=range(len(CLASSES)))
    ticks.set_ticklabels(list(CLASSES))
    has = np.isfinite(classes) & land
    share = {n: 100 * float((classes[has] == i).mean()) if has.any() else 0.0 for i, n in enumerate(CLASSES)}
    handles = [Patch(fc=c, ec="#888888", lw=0.5, label=f"{n}: {share[n]:.0f} %") for n, c in CLASSES.items()]
    keys(fig, [*handles, unknown_patch(), Patch(fc=SEA, label=NO_SOIL)])
    return fig
