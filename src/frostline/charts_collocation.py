"""Charts of collocation: the ranks of three products as a table, boxes of the cells' scores by class."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle

from frostline.drawing import counts, in_order, keys, look, name
from frostline.maps import FONT, INK, UNKNOWN, sheet, style, unknown_patch

Row = Mapping[str, Any]
COLLOCATED = ("sensitivity", "specificity")
OVERPASSES = ("am", "pm")
RANKS = ("#c9dcef", "#f3f1ec", "#f6e4cd", "#efc9a5")  # first to last


def ranked(values: Mapping[str, tuple[float, float, float]]) -> dict[str, tuple[int, bool]]:
    """Rank of each name by its value (1 is the largest, equals share one), and whether it is unsure.

    `values` are (value, lo, hi); NaN values have no rank and are left out. Unsure: the interval meets that of a
    neighbour in rank. This is cautious for values of the same days, whose errors are shared.

    >>> ranked({"a": (0.9, 0.88, 0.92), "b": (0.95, 0.93, 0.97), "c": (0.89, 0.85, 0.91)})
    {'b': (1, False), 'a': (2, True), 'c': (3, True)}
    """
    known = {k: v for k, v in values.items() if np.isfinite(v[0])}
    order = sorted(known, key=lambda k: -known[k][0])
    out = {}
    for place, who in enumerate(order):
        value, lo, hi = known[who]
        rank = 1 + sum(known[k][0] > value for k in order)
        neighbours = [known[k] for k in order[max(place - 1, 0) : place + 2] if k != who]
        out[who] = (rank, any(not (hi < low or lo > high) for _, low, high in neighbours))
    return out


def rank_table(
    rows: Sequence[Row],
    *,
    members: Sequence[str] = ("fused", "stations", "reanalysis"),
    scores: Sequence[str] = COLLOCATED,
    overpasses: Sequence[str] = OVERPASSES,
    strata: Sequence[str] | None = None,
    note: str = "",
) -> Figure:
    """Ranks of the members of one triplet by land cover, climate and terrain, with their values: a table as a figure.

    `rows` are those of one set of collocation.json: stratum, overpass, member, status, n, and per score its value,
    `_lo` and `_hi`. `strata` names the lines, `group:class` (default: all in the rows). A tilde says that the rank's
    interval meets a neighbor's; a cell whose status is neither ok nor refitted says which status it has.
    """
    table = {(row["stratum"], row["overpass"], row["member"]): row for row in rows}
    lines = list(strata) if strata is not None else in_order(key[0] for key in table)
    columns = [(o, s, m) for o in overpasses for s in scores for m in members]
    left, wide, tall = 2.2, 1.0, 0.62
    heads, groups = 1.95, in_order(line.partition(":")[0] for line in lines if ":" in line)
    height = heads + tall * len(lines) + 0.5 * len(groups)
    fig = sheet(0.52 * height + 0.45, note=note)
    ax = fig.subplots()
    ax.set(xlim=(0, left + wide * len(columns)), ylim=(height, 0))
    ax.axis("off")
    half = len(scores) * len(members)
    for k, (overpass, score, member) in enumerate(columns):
        x = left + wide * (k + 0.5)
        if k % half == 0:
            ax.text(
                x + wide * (half - 1) / 2, 0.3, name(overpass), ha="center", va="center", fontsize=FONT, weight="bold"
            )
        if k % len(members) == 0:
            ax.text(x + wide * (len(members) - 1) / 2, 0.85, name(score), ha="center", va="center", fontsize=FONT - 1)
        ax.text(x, 1.6, _folded(name(member)), ha="center", va="center", fontsize=FONT - 3, color=INK, linespacing=0.95)
    y, group = heads, ""
    for line in lines:
        if (now := line.partition(":")[0]) != group and ":" in line:
            ax.text(0.05, y + 0.3, name(now), va="center", fontsize=FONT - 1.5, weight="bold", color=INK)
            y += 0.5
        group = now
        n = [row["n"] for key, row in table.items() if key[0] == line]
        ax.text(0.15, y + 0.2, name(line), va="center", fontsize=FONT - 1.5, color=INK, parse_math=False)
        ax.text(0.15, y + 0.46, f"n = {counts(n)}", va="center", fontsize=FONT - 3.5, color="#555555")
        for k in range(0, len(columns), len(members)):
            of = [table.get((line, columns[k][0], m), {}) for m in members]
            _cells(ax, (left + wide * k, y, wide, tall), columns[k][1], dict(zip(members, of, strict=True)))
        y += tall
    for k in range(0, len(columns) + 1, len(members)):
        ax.plot(
            [left + wide * k] * 2, [0.6 if k % half else 0, height], color=INK, lw=0.6 if k % half else 1.1, zorder=4
        )
    handles = [Patch(fc=RANKS[k], ec="#bbbbbb", lw=0.5, label=f"rank {k + 1}") for k in range(min(len(members), 4))]
    keys(
        fig,
        [
            *handles,
            Line2D([], [], linestyle="none", label="~ interval meets a neighbor's"),
            unknown_patch("no number"),
        ],
    )
    return fig


def _cells(ax: Axes, box: tuple[float, float, float, float], score: str, rows: Mapping[str, Row]) -> None:
    """The members' ranks and values in one line of the table, for one overpass and score."""
    x, y, wide, tall = box
    values = {m: tuple(_float(row.get(f"{score}{end}")) for end in ("", "_lo", "_hi")) for m, row in rows.items()}
    places = ranked({m: v for m, v in values.items() if np.isfinite(v).all()})  # type: ignore[misc]
    for k, member in enumerate(rows):
        corner = (x + k * wide, y)
        if member not in places:
            why = str(rows[member].get("status") or "unknown")
            why = "no number" if why in ("ok", "unknown", "outside_unit_interval") else why.replace("_", "\n")
            ax.add_patch(Rectangle(corner, wide, tall, fc=UNKNOWN, ec="white", hatch="////", lw=0.8))
            ax.text(corner[0] + wide / 2, y + tall / 2, why, ha="center", va="center", fontsize=FONT - 4,
                    linespacing=0.9, bbox={"fc": UNKNOWN, "ec": "none", "pad": 0.5})  # fmt: skip
            continue
        rank, unsure = places[member]
        value, low, high = values[member]
        ax.add_patch(Rectangle(corner, wide, tall, fc=RANKS[min(rank, len(RANKS)) - 1], ec="white", lw=0.8))
        middle = corner[0] + wide / 2
        ax.text(corner[0] + 0.4 * wide, y + 0.2, f"{'~' if unsure else ''}{rank}", ha="right", va="center",
                fontsize=FONT - 1, weight="bold", color=INK)  # fmt: skip
        ax.text(
            corner[0] + 0.95 * wide,
            y + 0.2,
            _short(value),
            ha="right",
            va="center",
            fontsize=FONT - 2,
            color=INK,
        )
        ax.text(middle, y + 0.46, f"[{low:.2f}, {high:.2f}]", ha="center", va="center", fontsize=FONT - 3.5, color=INK)


def box_plots(
    boxes: Sequence[Row],
    *,
    group: str,
    records: Sequence[str] = ("fused", "stations", "reanalysis"),
    scores: Sequence[str] | None = None,
    overpasses: Sequence[str] = OVERPASSES,
    note: str = "",
) -> Figure:
    """Boxes of cell scores by class of one group, records side by side, with n; overpasses in rows, scores in columns.

    Items of boxes.json: group, class, overpass, record, score, n, min, q1, median, q3, max. Boxes hold the middle half,
    whiskers reach to the extremes; n, under each class, are cells. Without `scores` those of the items.
    """
    table = {(b["record"], b["class"], b["overpass"], b["score"]): b for b in boxes if b["group"] == group}
    classes, found = in_order(key[1] for key in table), in_order(key[3] for key in table)
    columns = [s for s in (scores or found) if s in found] or ["no score"]
    kept = [r for r in records if any(key[0] == r for key in table)]
    fig = sheet(0.8 + 2.35 * len(overpasses), note=note)
    axes = fig.subplots(len(overpasses), len(columns), squeeze=False, sharey="col")
    width = 0.84 / max(len(kept), 1)
    for i, overpass in enumerate(overpasses):
        for j, score in enumerate(columns):
            ax, lowest = axes[i, j], 1.0
            for k, record in enumerate(kept):
                colour = look(record, kept)[0]
                for place, one in enumerate(classes):
                    box = table.get((record, one, overpass, score))
                    if box is None or not box["n"] or not np.isfinite(_float(box["median"])):
                        continue
                    x, low = place + (k - (len(kept) - 1) / 2) * width, box["min"]
                    lowest = min(lowest, low)
                    ax.plot([x, x], [low, box["max"]], color=colour, linewidth=1.1, zorder=1)
                    tall = box["q3"] - box["q1"]
                    ax.add_patch(
                        Rectangle((x - 0.4 * width, box["q1"]), 0.8 * width, tall, fc=colour, ec=colour, zorder=2)
                    )
                    ax.plot([x - 0.4 * width, x + 0.4 * width], [box["median"]] * 2, color="white", lw=1.8, zorder=3)
            labels = []
            for one in classes:
                n = [b["n"] for key, b in table.items() if key[1:] == (one, overpass, score)]
                labels.append(f"{name(str(one))}\nn {counts(n)}")
            style(ax, title=f"{name(overpass)}, {name(score)}")
            ax.set_xticks(range(len(classes)), labels, parse_math=False)
            ax.tick_params(axis="x", labelsize=FONT - 3, length=0)
            ax.set(xlim=(-0.6, max(len(classes), 1) - 0.4))
            ax.set_ylim(min(ax.get_ylim()[0], lowest - 0.02) if i else lowest - 0.02, 1.02)
            ax.grid(axis="y", color="#e2e2e2", linewidth=0.7)
            ax.set_axisbelow(True)
    keys(fig, [Patch(fc=look(r, kept)[0], label=name(r)) for r in kept])
    return fig


def _float(value: Any) -> float:
    return float("nan") if value is None else float(value)


def _folded(text: str) -> str:
    """A long name in two lines."""
    return text.replace(" ", "\n", 1) if len(text) > 10 else text


def _short(value: float) -> str:
    """Three digits in the room of a cell.

    >>> _short(0.9584), _short(0.99996)
    ('.958', '1.00')
    """
    text = f"{value:.3f}"
    return text.removeprefix("0") if value < 0.9995 else text[:4]
