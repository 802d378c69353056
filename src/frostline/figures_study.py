"""The study area of the china system: heights with stations and networks, regions, permafrost, each network's cells."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib import patheffects
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import BoundaryNorm, Colormap, ListedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import ArrayLike, NDArray

from frostline.coast import edges
from frostline.drawing import NO_SOIL, PLAIN, TERRAIN, aspect, points
from frostline.grid import Grid
from frostline.maps import FONT, INK, SEA, WIDTH, locator, map_field, sheet, unknown_patch

Places = tuple[ArrayLike, ArrayLike]
# Paul Tol's muted scheme (personal.sr.nl/~pault), lightened: kinds without an order, apart for all eyes.
KINDS = ("#88b4d8", "#e8c36a", "#8fbf9f", "#d4949c", "#b3a2cf", "#c9b79c", "#7fb8b3", "#d9a0c5")
COLD = ("#123f78", "#3273b8", "#77a9d6", "#b5d0e6", "#e0d9c4", "#e3b887", "#c8690e", "#8a5a2b")  # coldest first
MARK = "#b3001b"
ZOOMS = 6  # in a row
ROOM = 2  # cells kept around the nodes of a network


def study_area_networks(
    grid: Grid,
    *,
    land: NDArray[np.bool_],
    elevation: NDArray | None = None,
    regions: NDArray | None = None,
    region_names: Sequence[str] = (),
    permafrost: NDArray | None = None,
    permafrost_names: Sequence[str] = (),
    stations: Places | None = None,
    heldout_stations: Places | None = None,
    networks: Mapping[str, Places] | None = None,
    note: str = "",
) -> Figure:
    """Maps of elevation (m) with stations and networks, of regions and of permafrost, and the nodes of each network.

    Fields are (y, x); `regions` and `permafrost` hold codes 1..n of their names, permafrost coldest first. Without a
    field its map is left out. Places are (longitudes, latitudes) in degrees; of each network all nodes, which
    are drawn once more on the grid's cells below, so that one sees how many cells judge.
    """
    networks = {k: v for k, v in (networks or {}).items() if np.size(v[0])}
    classes = [
        (title, field, list(names), colours)
        for title, field, names, colours in (
            ("Regions", regions, region_names, KINDS),
            ("Permafrost", permafrost, permafrost_names, COLD),
        )
        if field is not None
    ]
    columns = 1 + len(classes)
    beside = 0.5 if classes else 0.35  # the locator, of a map
    wide = min((WIDTH - 0.9) / (columns + beside), 4.4)
    longest = max([4, *(len(names) + 1 for _, _, names, _ in classes)])
    zoom_rows = -(-len(networks) // ZOOMS)
    heights = [wide * aspect(grid) + 0.5, 0.19 * longest + 0.65]
    fig = sheet(sum(heights) + 1.85 * zoom_rows, note=note)
    shares = [sum(heights), 1.85 * zoom_rows][: 1 + bool(zoom_rows)]
    outer = fig.add_gridspec(len(shares), 1, height_ratios=shares)
    cells = outer[0].subgridspec(2, columns + 1, width_ratios=[1] * columns + [beside], height_ratios=heights)
    below = cells[1, 0].subgridspec(2, 1, height_ratios=[0.1, 1])
    scale, rest = fig.add_subplot(below[0]), fig.add_subplot(below[1])
    ax = fig.add_subplot(cells[0, 0])
    handles = _heights(fig, ax, scale, grid, land, elevation)
    handles += _places(ax, grid, stations, heldout_stations, networks)
    _keys(rest, [*handles, Patch(fc=SEA, ec=INK, lw=0.4, label=NO_SOIL)])
    for column, (title, field, names, colours) in enumerate(classes, 1):
        handles = _classes(fig.add_subplot(cells[0, column]), grid, land, title, field, names, colours)
        _keys(fig.add_subplot(cells[1, column]), handles)
    where = fig.add_subplot(cells[0, columns])
    where.set_anchor("N")
    locator(where, grid)
    if zoom_rows:
        zooms = outer[1].subgridspec(zoom_rows, ZOOMS)
        for i, (name, place) in enumerate(networks.items()):
            _zoom(fig.add_subplot(zooms[i // ZOOMS, i % ZOOMS]), grid, land, elevation, name, place)
    return fig


def nodes_and_cells(grid: Grid, place: Places) -> tuple[int, int]:
    """How many nodes of a network lie on the grid, and in how many of its cells."""
    row, col = grid.locate(np.atleast_1d(place[0]), np.atleast_1d(place[1]))
    inside = row >= 0
    return int(inside.sum()), len(set(zip(row[inside].tolist(), col[inside].tolist(), strict=True)))


def _heights(fig: Figure, ax: Axes, scale: Axes, grid: Grid, land: NDArray, elevation: NDArray | None) -> list[Artist]:
    heights, cmap, norm = _relief(land, elevation)
    title = "Land" if elevation is None else "Elevation, stations, networks"
    image = map_field(ax, heights, grid, cmap=cmap, norm=norm, land=land, title=title)
    ax.title.set_fontsize(FONT - 0.5)
    if elevation is None:
        scale.axis("off")
        return [Patch(fc=PLAIN, ec=INK, lw=0.4, label="land")]
    bar = fig.colorbar(image, cax=scale, orientation="horizontal")
    bar.set_label("m above sea level", fontsize=FONT - 1.5)
    bar.ax.tick_params(labelsize=FONT - 2)
    return []


def _relief(land: NDArray, elevation: NDArray | None) -> tuple[NDArray, Colormap, Normalize]:
    """Heights of the land with their colours."""
    if elevation is None:
        return np.where(land, 0.0, np.nan), ListedColormap([PLAIN]), Normalize(0, 1)
    heights = np.where(land, elevation, np.nan)
    known = heights[np.isfinite(heights)]
    low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 1.0)
    return heights, TERRAIN, Normalize(low, max(high, low + 1))


def _places(
    ax: Axes, grid: Grid, stations: Places | None, heldout: Places | None, networks: Mapping[str, Places]
) -> list[Artist]:
    handles: list[Artist] = []
    for places, face, label in ((stations, INK, "station, teaches"), (heldout, "white", "station, judges")):
        if places is not None and (n := np.size(places[0])):
            marks: dict[str, Any] = {"marker": "^", "markersize": 4.5 if n < 150 else 2.2, "markerfacecolor": face}
            handles.append(points(ax, grid, *places, **marks, markeredgecolor=INK, markeredgewidth=0.7,
                                  label=f"{label}, n = {n}"))  # fmt: skip
    stars: list[tuple[float, float]] = []
    for place in networks.values():
        lon, lat = (np.mean(np.asarray(v, float)) for v in place)
        line = points(ax, grid, lon, lat, marker="*", markersize=11, markerfacecolor=MARK, markeredgecolor="white",
                      markeredgewidth=0.6, label=f"dense network, n = {len(networks)}")  # fmt: skip
        stars.append((float(line.get_xdata()[0]), float(line.get_ydata()[0])))
        if len(stars) == 1:
            handles.append(line)
    for name, star, (dx, dy) in zip(networks, stars, _sides(stars, edges(grid)), strict=True):
        text = ax.annotate(name, star, (7 * dx, 8 * dy), va="center", textcoords="offset points", color=MARK,
                           fontsize=FONT - 2.5, ha=("center", "left", "right")[dx],
                           zorder=8, parse_math=False)  # fmt: skip
        text.set_path_effects([patheffects.withStroke(linewidth=2.2, foreground="white")])
    return handles


def _sides(stars: Sequence[tuple[float, float]], frame: tuple[float, float, float, float]) -> list[tuple[int, int]]:
    """On which side of each star its name stands: where other stars, names and the frame are farthest away."""
    west, east, south, north = frame
    size = np.array([east - west, north - south])
    reach = size * (0.16, 0.06)  # from a star to the middle of its name
    chosen, taken = [], [np.array(star) for star in stars]
    for i, star in enumerate(stars):
        others = [t for k, t in enumerate(taken) if k != i]
        best = ((1, 0), -np.inf)
        for side in ((1, 0), (-1, 0), (0, 1), (0, -1)):
            middle = np.array(star) + np.array(side) * reach
            gap = min([1.0, *(float(np.hypot(*((middle - t) / size * (1, 2)))) for t in others)])
            edge = float(min(*((middle - (west, south)) / size), *(((east, north) - middle) / size)))
            if (room := min(gap, 2 * edge)) > best[1] + 0.02:
                best = (side, room)
        chosen.append(best[0])
        taken.append(np.array(star) + np.array(best[0]) * reach)
    return chosen


def _classes(
    ax: Axes, grid: Grid, land: NDArray, title: str, field: NDArray, names: list[str], colours: Sequence[str]
) -> list[Artist]:
    """A map of codes 1..n and the keys of those that are there, with their share of the land."""
    n = max(len(names), 1)
    picked = [colours[round(i * (len(colours) - 1) / max(n - 1, 1)) if n > 1 else 0] for i in range(n)]
    if colours is KINDS and n <= len(KINDS):
        picked = list(KINDS[:n])
    known = np.where(np.isfinite(field) & (field >= 1) & (field <= n), field, np.nan)
    map_field(ax, known, grid, cmap=ListedColormap(picked), norm=BoundaryNorm(np.arange(n + 1) + 0.5, n), land=land,
              title=title, labels=False)  # fmt: skip
    ax.title.set_fontsize(FONT - 0.5)
    whole = max(int(land.sum()), 1)
    handles: list[Artist] = []
    for code, (name, colour) in enumerate(zip(names, picked, strict=False), 1):
        if share := int(((known == code) & land).sum()):
            handles.append(Patch(fc=colour, ec=INK, lw=0.4, label=f"{name}, {100 * share / whole:.0f} %"))
    if (np.isnan(known) & land).any():
        handles.append(unknown_patch(f"none, {100 * int((np.isnan(known) & land).sum()) / whole:.0f} %"))
    return handles


def _keys(ax: Axes, handles: Sequence[Artist]) -> None:
    ax.axis("off")
    ax.legend(handles=list(handles), loc="upper left", fontsize=FONT - 2, frameon=False, borderaxespad=0)


def _zoom(ax: Axes, grid: Grid, land: NDArray, elevation: NDArray | None, name: str, place: Places) -> None:
    """The nodes of one network on the cells around them."""
    nodes, cells = nodes_and_cells(grid, place)
    if not nodes:
        ax.axis("off")
        ax.set_title(f"{name}\noutside the grid", fontsize=FONT - 2, loc="left", color=INK, parse_math=False)
        return
    row, col = grid.locate(np.atleast_1d(place[0]), np.atleast_1d(place[1]))
    row, col = row[row >= 0], col[row >= 0]
    side = max(int(np.ptp(row)), int(np.ptp(col))) + 1 + 2 * ROOM
    parts = []
    for at, size in ((row, grid.shape[0]), (col, grid.shape[1])):
        begin = int(np.clip((at.min() + at.max() + 1 - side) // 2, 0, max(size - side, 0)))
        parts.append(slice(begin, min(begin + side, size)))
    window = grid.window(*parts)
    heights, cmap, norm = _relief(land, elevation)
    map_field(ax, heights[tuple(parts)], window, cmap=cmap, norm=norm, land=land[tuple(parts)], labels=False)
    west, east, south, north = edges(window)
    lines = [[(x, south), (x, north)] for x in np.arange(window.shape[1] + 1) * grid.step + west]
    lines += [[(west, y), (east, y)] for y in north - np.arange(window.shape[0] + 1) * grid.step]
    ax.add_collection(LineCollection(lines, colors="white", linewidths=0.7, zorder=2))
    points(ax, window, *place, marker="o", markersize=3.6, markerfacecolor=MARK, markeredgecolor="white",
           markeredgewidth=0.5)  # fmt: skip
    ax.set_title(
        f"{name}\n{_many(nodes, 'node')}, {_many(cells, 'cell')}",
        fontsize=FONT - 2,
        loc="left",
        color=INK,
        parse_math=False,
    )


def _many(n: int, what: str) -> str:
    return f"{n} {what}" if n == 1 else f"{n} {what}s"
