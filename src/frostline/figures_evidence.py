"""Maps of evidence: how well a record does in each cell against another record, and at stations against these."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import ArrayLike, NDArray

from frostline.drawing import NO_SOIL, bar, finite, keys, map_sheet, span
from frostline.grid import Grid
from frostline.maps import FONT, INK, SEA, map_field, unknown_patch

# Dark is bad in both: the eye goes to where a record fails. One colour scale for cells and stations of a map.
BAD_TO_GOOD = LinearSegmentedColormap.from_list("good", ["#3a1f0c", "#8a3f06", "#d08c3a", "#f0d9a8", "#f5f3ef"])


@dataclass(frozen=True)
class ScoreMap:
    """One score: its title, values of cells (y, x) and n of each, and of stations (site,) with theirs; NaN unknown."""

    title: str
    label: str
    cells: NDArray
    counts: NDArray
    stations: ArrayLike
    station_counts: ArrayLike
    good_is_high: bool


def score_maps(
    grid: Grid,
    scores: Sequence[ScoreMap],
    *,
    lon: ArrayLike,
    lat: ArrayLike,
    land: NDArray[np.bool_],
    against: str,
    note: str = "",
) -> Figure:
    """A map for each score: cells against `against`, dots against stations at (lon, lat) degrees, one scale for both.

    Dark is bad. The scale holds all but the outermost 2 % of the cells and stations. Titles tell what it stands on:
    cells, stations and their cell-days. After figure 7 of Donahue et al. 2023, whose cells and stations are
    maps of their own.
    """
    fig, axes = map_sheet(grid, len(scores), columns=2, foot=1.2, note=note)
    row, col = grid.position(np.asarray(lon, float), np.asarray(lat, float))
    x, y = grid.left + (col + 0.5) * grid.step, grid.top - (row + 0.5) * grid.step
    for ax, score in zip(axes, scores, strict=True):
        dots = np.asarray(score.stations, dtype=float)
        low, high = span(np.r_[finite(score.cells), finite(dots)])
        low, high = (low, max(high, 1.0)) if score.good_is_high else (0.0, high)
        norm = Normalize(low, high)
        cmap = BAD_TO_GOOD if score.good_is_high else BAD_TO_GOOD.reversed()
        image = map_field(ax, score.cells, grid, cmap=cmap, norm=norm, land=land, title=_title(score))
        ax.title.set_fontsize(FONT - 1)
        known = np.isfinite(dots)
        ax.scatter(x[known], y[known], c=dots[known], cmap=cmap, norm=norm, s=26, edgecolors=INK, linewidths=0.8,
                   zorder=7)  # fmt: skip
        bar(fig, image, ax, score.label, extend="min" if score.good_is_high else "max")
    plain = {"linestyle": "none", "marker": "o", "markersize": 5.5, "markeredgecolor": INK, "markerfacecolor": "white"}
    handles = [
        Patch(facecolor=BAD_TO_GOOD(0.6), label=f"cells, against {against}"),
        Line2D([], [], label="stations, against what they measured", **plain),  # type: ignore[arg-type]
        unknown_patch(), Patch(facecolor=SEA, label=NO_SOIL),
    ]  # fmt: skip
    keys(fig, handles)
    return fig


def _title(score: ScoreMap) -> str:
    """The score's name and what it stands on."""
    parts = []
    for values, n, what in (
        (score.cells, score.counts, "cells"),
        (np.asarray(score.stations, float), np.asarray(score.station_counts, float), "stations"),
    ):
        known = np.isfinite(values)
        if known.any():
            parts.append(f"{known.sum():,} {what}, n = {n[known].sum():,.0f} cell-days")
    return f"{score.title}: " + ("\n".join(parts) or "nothing known")
