"""Figures that are maps: the study area, probability on some days, the difference to the truth."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import BoundaryNorm, Colormap, ListedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import ArrayLike, NDArray

from frostline.drawing import NO_SOIL, PLAIN, TERRAIN
from frostline.grid import Grid
from frostline.maps import FONT, FROZEN, INK, PROBABILITY, SEA, THAWED, locator, map_field, sheet, unknown_patch

# IGBP classes (MCD12Q1 LC_Type1: 1-17) drawn as groups that can be told apart: name, codes, colour.
COVER = (
    ("forest", (1, 2, 3, 4, 5), "#2f6b3a"),
    ("shrubland", (6, 7), "#a58a5b"),
    ("savanna", (8, 9), "#9fbf6b"),
    ("grassland", (10,), "#e3d37b"),
    ("wetland", (11,), "#5aa7a0"),
    ("cropland", (12, 14), "#eaa64d"),
    ("built-up", (13,), "#c23b3b"),
    ("snow, ice", (15,), "#ffffff"),
    ("barren", (16,), "#b9aca0"),
    ("water", (17,), SEA),
)
# Right in pale tints, wrong in full ones: the eye goes to the errors.
OUTCOMES = (
    ("right, frozen", "#c9dcef"),
    ("right, thawed", "#f6e4cd"),
    ("false frozen", "#123f78"),
    ("false thawed", "#c4500a"),
)


@dataclass(frozen=True)
class Panel:
    """One map: its title, a (y, x) field, its grid, and (y, x) land (False = drawn as sea)."""

    title: str
    field: NDArray
    grid: Grid
    land: NDArray[np.bool_] | None = None


def study_area(
    grid: Grid,
    *,
    elevation: NDArray | None,
    land_cover: NDArray | None,
    land: NDArray[np.bool_],
    blocks: NDArray,
    stations: tuple[ArrayLike, ArrayLike] | None = None,
    heldout_stations: tuple[ArrayLike, ArrayLike] | None = None,
    note: str = "",
) -> Figure:
    """Elevation (m) and land cover (IGBP codes), with stations, held-out blocks and where on Earth it is.

    All fields are (y, x). Without elevation the land is plain; without land cover there is one map only.
    `blocks` holds 0 = training area, 1 = held out, 2 = buffer (never used). `stations` and `heldout_stations`
    are (lon, lat) in degrees.
    """
    fig = sheet(4.7, note=note)
    two = land_cover is not None
    axes = fig.subplot_mosaic(
        [["height", "cover", "where"], ["height", "cover", "legend"], ["bar", "none", "legend"]]
        if two else [["height", "where"], ["height", "legend"]],
        width_ratios=[1, 1, 0.5] if two else [2, 0.8], height_ratios=[1, 1.35, 0.1] if two else [1, 1.35],
    )  # fmt: skip
    placed = [p for p in (stations, heldout_stations) if p is not None and np.size(p[0])]
    handles: list[Patch | Line2D] = []
    colours: Colormap = ListedColormap([PLAIN])
    title = "Land"
    if elevation is not None:
        colours, title = TERRAIN, "Elevation and stations" if placed else "Elevation"
    heights = np.where(land, 0.0 if elevation is None else elevation, np.nan)
    norm = Normalize(0, max(float(np.nanmax(heights, initial=1.0)), 1.0))
    image = map_field(axes["height"], heights, grid, cmap=colours, norm=norm, land=land, title=title)
    if elevation is None:
        handles.append(Patch(facecolor=PLAIN, edgecolor=INK, lw=0.4, label="land"))
    else:
        if two:
            bar = fig.colorbar(image, cax=axes["bar"], orientation="horizontal")
        else:
            bar = fig.colorbar(image, ax=axes["height"], location="bottom", shrink=0.6, aspect=40)
        bar.set_label("m above sea level", fontsize=FONT - 1)
        bar.ax.tick_params(labelsize=FONT - 1.5)
    for points, face, label in (
        (stations, INK, "station, training"),
        (heldout_stations, "white", "station, held out"),
    ):
        if points is not None and np.size(points[0]):
            row, col = grid.position(np.asarray(points[0]), np.asarray(points[1]))
            x, y = grid.left + (col + 0.5) * grid.step, grid.top - (row + 0.5) * grid.step
            marks = {"marker": "^", "markersize": 6.5, "markerfacecolor": face, "markeredgecolor": INK}
            (line,) = axes["height"].plot(x, y, linestyle="none", zorder=7, label=label, **marks)  # type: ignore[arg-type]
            handles.append(line)
    if (blocks == 1).any():
        handles.append(Patch(facecolor="none", edgecolor="#b3001b", hatch="\\\\\\", lw=1.4, label="held out"))
    if (blocks == 2).any():
        handles.append(Patch(facecolor="none", edgecolor="#6d6d6d", hatch="...", lw=0.8, label="buffer, unused"))
    if land_cover is not None:
        axes["none"].axis("off")
        groups = _cover_groups(land_cover)
        map_field(axes["cover"], groups, grid, cmap=ListedColormap([colour for *_, colour in COVER]), land=land,
                  norm=BoundaryNorm(np.arange(len(COVER) + 1) - 0.5, len(COVER)),
                  title="Land cover and split")  # fmt: skip
        present = np.unique(groups[np.isfinite(groups) & land])
        handles += [Patch(facecolor=COVER[int(i)][2], edgecolor=INK, lw=0.4, label=COVER[int(i)][0]) for i in present]
    for name in ("height", "cover") if two else ("height",):
        _outline(axes[name], blocks, grid)
    handles.append(Patch(facecolor=SEA, edgecolor=INK, lw=0.4, label=NO_SOIL))
    locator(axes["where"], grid)
    axes["legend"].axis("off")
    axes["legend"].legend(handles=handles, loc="upper left", fontsize=FONT - 1.5, frameon=False, borderaxespad=0)
    return fig


def _cover_groups(land_cover: NDArray) -> NDArray[np.float64]:
    """Number of each cell's group in COVER, NaN where there is no class."""
    codes = np.full(18, np.nan)
    for number, (_, members, _) in enumerate(COVER):
        codes[list(members)] = number
    known = np.isfinite(land_cover) & (land_cover >= 1) & (land_cover <= 17)
    return np.where(known, codes[np.where(known, land_cover, 0).astype(int)], np.nan)


def probability_maps(panels: Sequence[Panel], *, states: bool = False, note: str = "") -> Figure:
    """Maps of probabilities side by side, two in a row, one colour bar, the class border (0.5) as a line.

    With `states` the fields hold 0 and 1 only: two colours with their keys, no bar and no line. Each panel has
    its own grid, so one product can stand beside another on another grid.
    """
    fig, axes = _panels(panels, note, foot=0.4 if states else 1.2)
    image = None
    for ax, panel in zip(axes, panels, strict=True):
        cmap = ListedColormap([THAWED, FROZEN]) if states else PROBABILITY
        image = map_field(ax, panel.field, panel.grid, cmap=cmap, land=panel.land, title=panel.title)
        known = np.ma.masked_invalid(panel.field)
        if not states and min(panel.grid.shape) > 1 and np.ma.min(known) < 0.5 < np.ma.max(known):
            ax.contour(panel.grid.x, panel.grid.y, known, levels=[0.5], colors=[INK], linewidths=1.0, zorder=5)
    handles: list[Patch | Line2D] = [unknown_patch(), Patch(facecolor=SEA, label=NO_SOIL)]
    if states:
        handles = [Patch(facecolor=FROZEN, label="frozen"), Patch(facecolor=THAWED, label="thawed"), *handles]
    elif image is not None:
        bar = fig.colorbar(image, ax=axes, location="bottom", shrink=0.62, aspect=42, pad=0.02)
        bar.set_ticks([0, 0.25, 0.5, 0.75, 1], labels=["0 thawed", "0.25", "0.5", "0.75", "1 frozen"])
        bar.set_label("probability that the soil surface is frozen", fontsize=FONT)
        bar.ax.tick_params(labelsize=FONT - 1)
        handles.insert(0, Line2D([], [], color=INK, linewidth=1.0, label="class border (0.5)"))
    _legend(fig, handles)
    return fig


def difference_maps(panels: Sequence[Panel], truths: Sequence[NDArray], *, note: str = "") -> Figure:
    """Right, false frozen, false thawed and unknown cells of claims (the panels' probabilities) on some days.

    `truths` are (y, x) with 0, 1, NaN. A claim of exactly 0.5 is a tie: drawn as unknown. Each panel's
    title is given its share of known cells that is right, and their number.
    """
    fig, axes = _panels(panels, note, foot=0.4)
    norm = BoundaryNorm(np.arange(5) - 0.5, 4)
    for ax, panel, truth in zip(axes, panels, truths, strict=True):
        field = outcomes(panel.field, truth)
        known = np.isfinite(field)
        n = int(known.sum())
        right = f"{100 * float((field[known] < 2).mean()):.1f} % of {n} right" if n else "no cell known"
        map_field(ax, field, panel.grid, cmap=ListedColormap([c for _, c in OUTCOMES]), norm=norm, land=panel.land,
                  title=f"{panel.title}: {right}")  # fmt: skip
    handles: list[Patch | Line2D] = [Patch(facecolor=colour, label=name) for name, colour in OUTCOMES]
    _legend(fig, [*handles, unknown_patch(), Patch(facecolor=SEA, label=NO_SOIL)])
    return fig


def outcomes(claim: NDArray, truth: NDArray) -> NDArray[np.float64]:
    """Number of each cell's outcome in OUTCOMES, NaN where claim or truth is unknown or the claim is a tie.

    >>> outcomes(np.array([0.9, 0.1, 0.8, 0.2, 0.5]), np.array([1, 0, 0, 1, 1.0]))
    array([ 0.,  1.,  2.,  3., nan])
    """
    known = np.isfinite(claim) & np.isfinite(truth) & (claim != 0.5)
    frozen, truly = claim > 0.5, truth == 1
    number = np.where(frozen, np.where(truly, 0.0, 2.0), np.where(truly, 3.0, 1.0))
    return np.where(known, number, np.nan)


def _panels(panels: Sequence[Panel], note: str, *, foot: float) -> tuple[Figure, list[Axes]]:
    """A figure with one axes per panel, two in a row, as high as their shapes ask for, and `foot` inches below."""
    if not panels:
        raise ValueError("a figure of maps needs one panel or more")
    columns = min(len(panels), 2)
    heights = []
    for first in range(0, len(panels), columns):
        shapes = [p.grid.shape for p in panels[first : first + columns]]
        heights.append(min(max(rows / cols for rows, cols in shapes), 1.3) * (3.7 if columns == 2 else 6.2) + 0.65)
    fig = sheet(foot + sum(heights), note=note)
    grid = fig.subplots(len(heights), columns, squeeze=False, height_ratios=heights)
    for ax in grid.flat:
        ax.set_anchor("N")
    for ax in grid.flat[len(panels) :]:
        ax.remove()
    return fig, list(grid.flat[: len(panels)])


def _legend(fig: Figure, handles: list[Patch | Line2D]) -> None:
    """One line of keys under all panels."""
    fig.legend(handles=handles, loc="outside lower center", ncols=len(handles), fontsize=FONT - 1, frameon=False)


def _outline(ax: Axes, blocks: NDArray, grid: Grid) -> None:
    """Held-out blocks and their buffers, hatched over a map."""
    if min(grid.shape) < 2:
        return
    for code, hatch, colour in ((2, "...", "#6d6d6d"), (1, "\\\\\\", "#b3001b")):
        inside = np.pad((blocks == code).astype(float), 1, mode="edge")
        x = np.r_[grid.x[0] - grid.step / 2, grid.x, grid.x[-1] + grid.step / 2]
        y = np.r_[grid.y[0] + grid.step / 2, grid.y, grid.y[-1] - grid.step / 2]
        if inside.max() < 1:
            continue
        if inside.min() < 1:
            ax.contour(x, y, inside, levels=[0.5], colors=[colour], linewidths=1.3 if code == 1 else 0.7, zorder=6)
        filled = ax.contourf(x, y, inside, levels=[0.5, 1.5], colors="none", hatches=[hatch], zorder=5)
        filled.set(edgecolor=colour, linewidth=0)
