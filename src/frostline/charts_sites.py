"""Charts of stations: a year at several of them under one axis, and how many days seasons begin and end off."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.dates import ConciseDateFormatter, MonthLocator, date2num
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import ArrayLike, NDArray

from frostline.drawing import counts, in_order, keys, name, whiskers
from frostline.maps import FONT, FROZEN, THAWED, UNKNOWN, UNKNOWN_HATCH, sheet, style, unknown_patch
from frostline.words import shown

PASSES: tuple[tuple[str, str, str, Any], ...] = (("am", "AM", "#1f5fa8", "-"), ("pm", "PM", "#c8690e", (0, (4, 2))))
WARMTH = "#6d6d6d"
MEASURES = {"onset": "onset of freeze", "offset": "end of freeze", "length": "length"}
DAY = pd.Timedelta(days=1)
CHART, STRIP, SPARE = 1.6, 0.21, 0.7  # inches of a station: its chart, each strip, and what titles and gaps take
FLOOR, TOP = -0.03, 1.22  # of the axis of probability: above 1 stand the days called wrong


@dataclass(frozen=True)
class Site:
    """A station and what is said of it, all (time,) on the figure's days, which follow each other.

    Passes are `am` and `pm`, states 0, 1, NaN. `soil_temperature` in K; `probability` of the record by pass; `frozen`
    of the station by pass, which is what the record is judged by; `strips` are further states by name, drawn as
    coloured rows.
    """

    title: str
    soil_temperature: ArrayLike
    probability: Mapping[str, ArrayLike]
    frozen: Mapping[str, ArrayLike]
    strips: Mapping[str, ArrayLike] = field(default_factory=dict)


def site_panels(time: ArrayLike, sites: Sequence[Site], *, note: str = "") -> Figure:
    """A panel a station: probability of frozen, its soil temperature, the days called wrong, and states as strips.

    Wrong is a class other than the station's; a tie is neither right nor wrong, and a day that either does not know
    is not judged. Each title is given the days called wrong by pass, and those judged. After figure 6 of
    Donahue et al. 2023.
    """
    if not sites:
        raise ValueError("a figure of stations needs one or more")
    dates = pd.DatetimeIndex(np.asarray(time))
    rows = max(1, *(len(site.strips) for site in sites))
    ratios = [CHART, STRIP * rows] * len(sites)
    fig = sheet(1.3 + sum(ratios) + SPARE * len(sites), note=note)
    axes = fig.subplots(2 * len(sites), 1, sharex=True, height_ratios=ratios, squeeze=False)[:, 0]
    celsius = [np.asarray(site.soil_temperature, dtype=float) - 273.15 for site in sites]
    reach = max([5.0, *(float(np.nanmax(abs(c))) for c in celsius if np.isfinite(c).any())]) * 1.05
    for site, warmth, ax, below in zip(sites, celsius, axes[::2], axes[1::2], strict=True):
        other = ax.twinx()
        other.plot(dates, warmth, color=WARMTH, linewidth=0.9)
        other.set(ylim=(-reach, reach * (TOP - 0.5) / (0.5 - FLOOR)))  # 0 degC stands at 0.5
        other.set_ylabel("soil (°C)", fontsize=FONT - 0.5, color=WARMTH)
        other.tick_params(labelsize=FONT - 1.5, colors=WARMTH)
        other.spines["top"].set_visible(False)
        ax.axhline(0.5, color="#999999", linewidth=0.8, linestyle=(0, (5, 3)))
        ax.set_zorder(other.get_zorder() + 1)
        ax.patch.set_visible(False)
        told = []
        for k, (code, label, colour, dash) in enumerate(PASSES):
            if code not in site.probability:
                continue
            chance = np.asarray(site.probability[code], dtype=float)
            ax.plot(dates, chance, color=colour, linestyle=dash, linewidth=1.2)
            wrong, judged = misses(chance, np.asarray(site.frozen[code], dtype=float))
            ax.plot(dates[wrong], np.full(wrong.sum(), 1.07 + 0.09 * k), linestyle="none", marker="|", markersize=6,
                    markeredgewidth=1.1, color=colour)  # fmt: skip
            told.append(f"{label} {wrong.sum()} of {judged.sum()} days")
        ax.set(ylim=(FLOOR, TOP), yticks=[0, 0.5, 1])
        style(ax, title=f"{site.title}; wrong {', '.join(told)}", ylabel="P(frozen)")
        ax.title.set_fontsize(FONT - 0.5)
        _strips(below, dates, {label: np.asarray(v, dtype=float) for label, v in site.strips.items()})
    axes[-1].set(xlim=(dates[0], dates[-1] + DAY))
    axes[-1].xaxis.set_major_locator(MonthLocator())
    axes[-1].xaxis.set_major_formatter(ConciseDateFormatter(axes[-1].xaxis.get_major_locator()))
    handles: list[Any] = [Line2D([], [], color=c, linestyle=d, label=f"P(frozen) {t}") for _, t, c, d in PASSES]
    handles.append(Line2D([], [], color=WARMTH, linewidth=0.9, label="soil temperature"))
    handles += [
        Line2D([], [], linestyle="none", marker="|", markersize=7, color=c, label=f"{t} called wrong")
        for _, t, c, _ in PASSES
    ]
    handles += [Patch(facecolor=FROZEN, label="frozen"), Patch(facecolor=THAWED, label="thawed"), unknown_patch()]
    keys(fig, handles)
    return fig


def misses(chance: NDArray, state: NDArray) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Days called wrong, and days judged: both known and no tie.

    >>> wrong, judged = misses(np.array([0.9, 0.9, 0.5, np.nan, 0.2]), np.array([1, 0, 1, 1, np.nan]))
    >>> wrong.tolist(), judged.tolist()
    ([False, True, False, False, False], [True, True, False, False, False])
    """
    judged = np.isfinite(chance) & np.isfinite(state) & (chance != 0.5)
    return judged & ((chance > 0.5) != (state > 0.5)), judged


def date_errors(
    rows: Sequence[Mapping[str, Any]],
    *,
    records: Sequence[str] = ("unet", "climatology", "climatology_truth", "reanalysis", "truth"),
    note: str = "",
) -> Figure:
    """Mean error in days of onset, end and length by record, AM and PM, with intervals and n; RMSE beside each.

    Rows as in phenology.json. One without n or interval is not shown.
    """
    table, spread = (
        {(r["measure"], r["record"], r["overpass"]): r for r in rows if r["score"] == score and shown(r)}
        for score in ("mean_error", "rmse")
    )
    kept = [r for r in records if any(key[1] == r for key in table)]
    measures = [m for m in MEASURES if any(key[0] == m for key in table)] or list(MEASURES)
    fig = sheet(1.5 + 0.6 * max(len(kept), 1), note=note)
    axes = fig.subplots(1, len(measures), sharey=True, squeeze=False)[0]
    for ax, measure in zip(axes, measures, strict=True):
        ax.axvline(0, color="#999999", linewidth=0.9)
        for i, record in enumerate(kept):
            for j, (code, _, colour, _) in enumerate(PASSES):
                if (row := table.get((measure, record, code))) is None:
                    continue
                y = i + (j - 0.5) * 0.38
                ax.errorbar(row["value"], y, xerr=whiskers(row["value"], row["lo"], row["hi"]), color=colour,
                            marker="os"[j], markersize=6, capsize=3, linewidth=1.5)  # fmt: skip
                if (far := spread.get((measure, record, code))) is None:
                    continue
                text = f"RMSE {far['value']:.0f} [{far['lo']:.0f}, {far['hi']:.0f}]"
                ax.annotate(text, (1, y), (-2, 0), xycoords=("axes fraction", "data"), textcoords="offset points",
                            ha="right", va="center", fontsize=FONT - 2.5, color=colour)  # fmt: skip
        n = counts([row["n"] for key, row in table.items() if key[0] == measure])
        style(ax, title=f"{MEASURES[measure]}, n = {n}", xlabel="record − station (days)")
        ax.title.set_fontsize(FONT - 0.5)
        ax.grid(axis="x", color="#dddddd", linewidth=0.7)
        ax.set_axisbelow(True)
        low, high = ax.get_xlim()
        ax.set_xlim(low, high + 0.75 * (high - low))  # room for the texts
    axes[0].set(yticks=range(len(kept)), yticklabels=[name(r) for r in kept], ylim=(len(kept) - 0.45, -0.55))
    passes = in_order(key[2] for key in table)
    keys(fig, [Line2D([], [], color=c, marker="os"[j], linestyle="none", label=f"{t}: mean error")
               for j, (code, t, c, _) in enumerate(PASSES) if code in passes])  # fmt: skip
    return fig


def _strips(ax: Axes, dates: pd.DatetimeIndex, strips: Mapping[str, NDArray]) -> None:
    """A coloured row per source, a cell a day; a tie or NaN shows the hatched ground."""
    edges = np.append(date2num(dates), date2num(dates[-1] + DAY))
    for i, states in enumerate(strips.values()):
        ground = (float(edges[0]), float(edges[-1] - edges[0]))
        ax.broken_barh([ground], (i - 0.42, 0.84), fc=UNKNOWN, ec=UNKNOWN_HATCH, hatch="////", lw=0)
        known = np.ma.masked_where(~np.isfinite(states) | (states == 0.5), states > 0.5)
        ax.pcolormesh(edges, [i - 0.42, i + 0.42], known[None], cmap=ListedColormap([THAWED, FROZEN]), vmin=0, vmax=1)
    style(ax)
    ax.set(yticks=range(len(strips)), yticklabels=list(strips), ylim=(max(len(strips), 1) - 0.5, -0.5))
    ax.tick_params(axis="y", labelsize=FONT - 2.5, length=0)
