"""A record month by month beside another: maps, the share that is frozen, and how fragmented the pattern is."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.artist import Artist
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import ArrayLike, NDArray

from frostline.drawing import NO_SOIL, aspect, bar, counts, keys, look, name
from frostline.grid import Grid
from frostline.maps import FONT, FROZEN, INK, PROBABILITY, SEA, THAWED, WIDTH, map_field, sheet, style, unknown_patch

COLUMNS = 6  # months in a row


def share_frozen(state: ArrayLike) -> float:
    """Share of the known cells that are frozen, 0 to 1: a probability above 0.5, half a cell where it is 0.5.

    Cells count alike, which is their area on an equal-area grid. NaN where nothing is known.

    >>> share_frozen([[1, 0], [np.nan, 0.5]])
    0.5
    """
    known = np.asarray(state, dtype=float)
    known = known[np.isfinite(known)]
    return float(((known > 0.5) + 0.5 * (known == 0.5)).mean()) if known.size else float("nan")


def edge_density(state: ArrayLike) -> float:
    """Share of neighbouring pairs of cells of which one is frozen and the other thawed, 0 to 1 (no unit).

    `state` (y, x) holds probabilities of frozen; pairs share a side (four neighbours a cell), and count where both are
    known and neither is exactly 0.5. A smooth front gives little, a chessboard 1; gaps do not lengthen the edge, since
    their pairs leave the denominator too. Divided by the step of the grid it is about half the length of edge per
    area. NaN without a pair. The edge-density metric of landscape ecology, counted in pairs.

    >>> edge_density([[1, 0], [1, 1]])  # two of four pairs
    0.5
    """
    values = np.asarray(state, dtype=float)
    known = np.isfinite(values) & (values != 0.5)
    frozen = values > 0.5
    pairs = edge = 0
    for a, b in ((np.s_[:, 1:], np.s_[:, :-1]), (np.s_[1:, :], np.s_[:-1, :])):
        both = known[a] & known[b]
        pairs += int(both.sum())
        edge += int((both & (frozen[a] != frozen[b])).sum())
    return edge / pairs if pairs else float("nan")


def month_numbers(fields: Mapping[str, Sequence[NDArray]]) -> dict[str, list[tuple[float, float, int]]]:
    """(frozen share, edge density, cells) of each record and month, on the cells that all records know then."""
    many = {record: [np.asarray(f, dtype=float) for f in months] for record, months in fields.items()}
    common = [
        np.logical_and.reduce([np.isfinite(f) for f in together]) for together in zip(*many.values(), strict=True)
    ]
    return {
        record: [
            (share_frozen(f[known]), edge_density(np.where(known, f, np.nan)), int(known.sum()))
            for f, known in zip(months, common, strict=True)
        ]
        for record, months in many.items()
    }


def twelve_months(
    grid: Grid,
    fields: Mapping[str, Sequence[NDArray]],
    titles: Sequence[str],
    *,
    land: NDArray[np.bool_],
    states: bool = True,
    note: str = "",
) -> Figure:
    """Maps of two records (or more) on the same days, one below the other; under each two numbers, then these as lines.

    `fields` names for each record one (y, x) field a month, as many as `titles` ("1 Jan"): classes or probabilities
    of frozen, of which with `states` the class is drawn. Under each map: frozen share in per cent and
    edge density (`edge_density`), both on the cells that all records know on that day, so that they compare. Below:
    both numbers through the year.
    """
    if not fields or any(len(months) != len(titles) for months in fields.values()):
        raise ValueError("each record needs one field for each title")
    numbers = month_numbers(fields)
    blocks = -(-len(titles) // COLUMNS)
    columns = min(COLUMNS, len(titles))
    wide = (WIDTH - 0.6) / COLUMNS - 0.1
    tall = blocks * len(fields) * (wide * aspect(grid) + 0.36) + blocks * 0.25
    fig = sheet(tall + 2.9 + 0.4 * (not states), note=note)
    outer = fig.add_gridspec(2, 1, height_ratios=[tall, 2.2])
    inner = outer[0].subgridspec(blocks * len(fields), columns)
    axes, image = [], None
    for i, title in enumerate(titles):
        for j, (record, months) in enumerate(fields.items()):
            ax = fig.add_subplot(inner[i // COLUMNS * len(fields) + j, i % COLUMNS])
            axes.append(ax)
            field = np.asarray(months[i], dtype=float)
            if states:
                field = np.where(np.isfinite(field) & (field != 0.5), (field > 0.5).astype(float), np.nan)
            cmap = ListedColormap([THAWED, FROZEN]) if states else PROBABILITY
            image = map_field(ax, field, grid, cmap=cmap, land=land, labels=False, title=title if j == 0 else "")
            ax.title.set_fontsize(FONT - 0.5)
            share, edge, n = numbers[record][i]
            below = f"{100 * share:.0f} %, " + (f"edge {edge:.3f}" if np.isfinite(edge) else "no pair")
            below = below if n else "no common cell"
            ax.set_xlabel(below, fontsize=FONT - 2.5, color=INK, labelpad=2)
            if i % COLUMNS == 0:
                ax.set_ylabel(name(record), fontsize=FONT, color=INK, parse_math=False)
    if not states and image is not None:
        made = bar(fig, image, axes, "probability that the soil surface is frozen", shrink=0.5)
        made.set_ticks([0, 0.5, 1], labels=["0 thawed", "0.5", "1 frozen"])
    _lines(fig, outer[1].subgridspec(1, 2), numbers, titles)
    patches = [Patch(fc=FROZEN, label="frozen"), Patch(fc=THAWED, label="thawed")] if states else []
    handles: list[Artist] = [*patches, unknown_patch(), Patch(fc=SEA, label=NO_SOIL)]
    keys(fig, [*handles, *fig.axes[-1].get_lines()[: len(fields)]])
    return fig


def _lines(
    fig: Figure, cells: object, numbers: Mapping[str, list[tuple[float, float, int]]], titles: Sequence[str]
) -> None:
    """Both numbers of every record through the months, and on how many cells."""
    common = [n for *_, n in next(iter(numbers.values()))]
    axes = [fig.add_subplot(cells[0, k]) for k in range(2)]  # type: ignore[index]
    for record, rows in numbers.items():
        colour, marker, dash = look(record, list(numbers))
        for k, scale in ((0, 100.0), (1, 1.0)):
            axes[k].plot(range(len(titles)), [scale * row[k] for row in rows], color=colour, marker=marker,
                         linestyle=dash, markersize=5, linewidth=1.5, label=name(record))  # fmt: skip
    style(axes[0], title=f"Each day on its common cells, n = {counts(common)}", ylabel="frozen cells (%)")
    means = ", ".join(f"{name(r)} {_mean([row[1] for row in rows])}" for r, rows in numbers.items())
    style(axes[1], title=f"Mean edge density: {means}", ylabel="edge density")
    for ax in axes:
        ax.set_xticks(range(len(titles)), titles, rotation=45, ha="right", rotation_mode="anchor")
        ax.tick_params(axis="x", labelsize=FONT - 2)
        ax.grid(axis="y", color="#e2e2e2", linewidth=0.7)
        ax.set_ylim(bottom=0)
    axes[0].set_ylim(-2, 102)


def _mean(values: Sequence[float]) -> str:
    known = [v for v in values if np.isfinite(v)]
    return f"{sum(known) / len(known):.3f}" if known else "unknown"
