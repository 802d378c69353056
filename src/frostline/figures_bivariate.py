"""Two scores of every cell in one colour: sensitivity to frozen by teal, specificity to thawed by pink."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import BoundaryNorm, ListedColormap, to_rgb, to_rgba
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import NDArray

from frostline.drawing import NO_SOIL, aspect, keys, name
from frostline.grid import Grid
from frostline.maps import FONT, INK, SEA, UNKNOWN, UNKNOWN_HATCH, WIDTH, map_field, sheet, unknown_patch

CUTS = (0.8, 0.95)  # borders of the bins: three by three colours, about as many as an eye tells apart
LOW, TEAL, PINK = "#ececec", "#3cc0c2", "#c4509e"  # their product is a dark indigo, and none is grey
# Why a cell has no number, by the code of `collocation.status`: told apart by hatches, since colour is taken
GAPS = ("////", "....", "xxxx", "----", "\\\\\\\\", "||||")
FINE = 540  # pixels of a map's longer side: hatches are painted, since clipping to 1e5 cells takes minutes

SOLVED, HALF = ("ok", "outside_unit_interval"), -1
Cells = tuple[NDArray, NDArray] | tuple[NDArray, NDArray, NDArray]


def bivariate_maps(
    grid: Grid,
    fields: Mapping[str, Mapping[str, Cells]],
    *,
    land: NDArray[np.bool_],
    status_names: Mapping[int, str] | None = None,
    cuts: Sequence[float] = CUTS,
    note: str = "",
) -> Figure:
    """Maps of (sensitivity, specificity) per cell: a row for each period, a column for each member.

    `fields[period][member]` is (sensitivity, specificity) or, with a third field, the status of each cell, whose codes
    `status_names` names; all (y, x). Where a score is NaN the cell is hatched by its status, and the keys tell how many
    cells that is: a solved cell may lack the samples of one class. Titles give the medians of both and the number of
    cells.
    """
    periods = list(fields)
    members = list(dict.fromkeys(m for row in fields.values() for m in row))
    ratios = [1] * len(members) + [0.42] + [0.6] * (len(members) == 1)  # one map need not fill the page
    wide = (WIDTH - 0.5) / sum(ratios) - 0.2
    tall = len(periods) * (wide * aspect(grid) + 0.4)
    fig = sheet(max(tall, 2.4) + 0.85, note=note)
    cells = fig.add_gridspec(len(periods), len(ratios), width_ratios=ratios)
    named = {HALF: "too few of a class", **(status_names or {})}
    solved = [code for code, text in named.items() if text in SOLVED]
    gaps: dict[int, int] = {}
    for i, period in enumerate(periods):
        for j, member in enumerate(members):
            ax = fig.add_subplot(cells[i, j])
            if member not in fields[period]:
                ax.axis("off")
                continue
            psi, eta, *rest = (np.asarray(f, dtype=float) for f in fields[period][member])
            first = f"{name(member)}\n" if i == 0 else ""
            _map(ax, grid, land, psi, eta, cuts, f"{first}{_medians(psi, eta, land)}")
            if rest:
                # a solved cell may still lack the samples of one class for one of both numbers
                codes = np.where(np.isin(rest[0], solved), HALF, rest[0])
                _add_gaps(ax, grid, land, np.isfinite(psi) & np.isfinite(eta), codes, gaps)
            if j == 0:
                ax.set_ylabel(name(period), fontsize=FONT, color=INK, parse_math=False)
    legend = fig.add_subplot(cells[0, len(members)])
    legend.set_anchor("N")
    _square(legend, cuts)
    legend.text(0.5, -0.75, "over each map: median\nsensitivity / specificity,\nn = cells", transform=legend.transAxes,
                ha="center", va="top", fontsize=FONT - 3, color=INK)  # fmt: skip
    handles: list[Artist] = [
        Patch(**_gap(code), label=f"{named.get(code, f'status {code}').replace('_', ' ')}: {n:,}")
        for code, n in sorted(gaps.items())
    ]
    if handles:
        handles.insert(0, Patch(fc="none", ec="none", label="No number (cells, all maps):"))
    else:
        handles.append(unknown_patch())
    keys(fig, [*handles, Patch(fc=SEA, label=NO_SOIL)])
    return fig


def bins(sensitivity: NDArray, specificity: NDArray, cuts: Sequence[float] = CUTS) -> NDArray[np.float64]:
    """Number of each cell's colour, sensitivity's bin + (n + 1) x specificity's; NaN where one of both is unknown.

    A value on a cut belongs to the bin above it. With cuts (0.8, 0.9): 0.8 and 0.95 are bins 1 and 2.

    >>> bins(np.array([0.8, 0.5, np.nan]), np.array([0.95, 0.5, 0.9]), (0.8, 0.9)).tolist()
    [7.0, 0.0, nan]
    """
    known = np.isfinite(sensitivity) & np.isfinite(specificity)
    a, b = (
        np.searchsorted(np.asarray(cuts), np.where(known, v, 0.0), side="right") for v in (sensitivity, specificity)
    )
    return np.where(known, a + (len(cuts) + 1) * b, np.nan)


def colours(steps: int) -> NDArray[np.float64]:
    """RGB (specificity, sensitivity, 3) of `steps` x `steps` bins: pale, teal, pink, and dark where both are high."""
    low, teal, pink = (np.array(to_rgb(c)) for c in (LOW, TEAL, PINK))
    share = np.linspace(0, 1, steps)
    a = low + share[:, None] * (teal - low)
    b = low + share[:, None] * (pink - low)
    return (a[None, :, :] * b[:, None, :]) / low


def _map(ax: Axes, grid: Grid, land: NDArray, psi: NDArray, eta: NDArray, cuts: Sequence[float], title: str) -> None:
    n = (len(cuts) + 1) ** 2
    table = ListedColormap(colours(len(cuts) + 1).reshape(-1, 3).tolist())
    map_field(ax, bins(psi, eta, cuts), grid, cmap=table, norm=BoundaryNorm(np.arange(n + 1) - 0.5, n), land=land,
              title=title, labels=False)  # fmt: skip
    ax.title.set_fontsize(FONT - 1)


def _add_gaps(ax: Axes, grid: Grid, land: NDArray, known: NDArray, status: NDArray, gaps: dict[int, int]) -> None:
    """Hatch the cells without a colour by their status, and count them."""
    scale = FINE / max(grid.shape)
    down, right = (np.arange(max(round(size * scale), 1)) for size in grid.shape)
    fine = np.ix_(*(np.minimum((v / scale).astype(int), n - 1) for v, n in zip((down, right), grid.shape, strict=True)))
    lines = _hatches(down[:, None], right[None, :])
    picture = np.zeros((down.size, right.size, 4))
    for code in np.unique(status[np.isfinite(status) & land & ~known]).astype(int):
        where = (status == code) & land & ~known
        gaps[code] = gaps.get(code, 0) + int(where.sum())
        picture[where[fine]] = to_rgba(UNKNOWN)
        picture[where[fine] & lines[code % len(lines)]] = to_rgba(UNKNOWN_HATCH)
    ax.imshow(picture, extent=ax.images[0].get_extent(), origin="upper", interpolation="nearest", zorder=2)  # type: ignore[arg-type]


def _hatches(down: NDArray, right: NDArray) -> tuple[NDArray[np.bool_], ...]:
    """The patterns of GAPS as pixels, each (down, right)."""
    step, thick = 15, 3
    up, fall = (down + right) % step < thick, (down - right) % step < thick
    flat, tall = np.broadcast_arrays(down % 12 < thick, right % 12 < thick)
    return up, flat & tall, up | fall, flat, fall, tall


def _gap(code: int) -> dict[str, Any]:
    return {"facecolor": UNKNOWN, "edgecolor": UNKNOWN_HATCH, "hatch": GAPS[code % len(GAPS)], "linewidth": 0}


def _medians(psi: NDArray, eta: NDArray, land: NDArray) -> str:
    known = np.isfinite(psi) & np.isfinite(eta) & land
    if not known.any():
        return "no cell known"
    return f"{np.median(psi[known]):.2f} / {np.median(eta[known]):.2f}, n = {known.sum():,}"


def _square(ax: Axes, cuts: Sequence[float]) -> None:
    """The key: sensitivity to the right, specificity upwards."""
    n = len(cuts) + 1
    ax.imshow(colours(n), origin="lower", extent=(0, n, 0, n), interpolation="nearest")
    ax.set_xticks(range(1, n), [f"{c:g}" for c in cuts], rotation=90)
    ax.set_yticks(range(1, n), [f"{c:g}" for c in cuts])
    ax.tick_params(labelsize=FONT - 3, length=2, colors=INK)
    ax.set_xlabel("sensitivity\n(frozen)", fontsize=FONT - 2, color=INK)
    ax.set_ylabel("specificity\n(thawed)", fontsize=FONT - 2, color=INK)
