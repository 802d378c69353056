"""Figures of given records: stations and what collocation makes of them, a basin's frost, the gaps of a long record."""

from calendar import month_abbr
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.collections import LineCollection
from matplotlib.dates import ConciseDateFormatter, MonthLocator
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike, NDArray

from frostline.clock import month
from frostline.coast import coast_lines
from frostline.drawing import DAYS, bar, keys, name, points, signed, whiskers
from frostline.grid import Grid
from frostline.maps import FONT, FROZEN, INK, THAWED, UNKNOWN, graticule, sheet, style, unknown_patch

Row = Mapping[str, Any]
MEMBERS = {"air": ("#c8690e", "^"), "skin": ("#8a5fb0", "v"), "soil": ("#1f5fa8", "o")}
LAND = "#f5f3ef"
ZERO = 273.15  # K


def station_map(
    grid: Grid, lon: ArrayLike, lat: ArrayLike, days: ArrayLike, *, title: str = "", label: str = "", note: str = ""
) -> Figure:
    """Stations on a map, coloured by `days` (site); those with 0 days are hollow, unknown ones crosses."""
    x, y, n = (np.asarray(v, float) for v in (lon, lat, days))
    fig = sheet(5.6, note=note)
    ax = fig.subplots()
    ax.set_facecolor(LAND)
    ax.add_collection(LineCollection(coast_lines(grid), colors=INK, linewidths=0.5, zorder=2))
    graticule(ax, grid, labels=True)
    ax.set(
        xlim=(grid.left, grid.left + grid.shape[1] * grid.step), ylim=(grid.top - grid.shape[0] * grid.step, grid.top)
    )
    ax.set_aspect(1 / np.cos(np.deg2rad(45.0)))
    some, none, lost = n > 0, n == 0, np.isnan(n)
    points(ax, grid, x[lost], y[lost], marker="x", color="#888888", markersize=4)
    points(ax, grid, x[none], y[none], marker="o", color="none", markeredgecolor=INK, markersize=5)
    image = ax.scatter(x[some], y[some], c=n[some], cmap=DAYS, s=36, edgecolors=INK, linewidths=0.5, zorder=8,
                       vmin=0, vmax=max(float(n[some].max(initial=1)), 1.0))  # fmt: skip
    ax.set_title(title, fontsize=FONT + 0.5, loc="left", color=INK, parse_math=False)
    bar(fig, image, ax, label, shrink=0.6)
    marks = (("o", f"never ({int(none.sum())})"), ("x", f"too few days ({int(lost.sum())})"))
    keys(fig, [
        Line2D([], [], linestyle="none", marker=m, markerfacecolor="none", markeredgecolor=INK, label=text)
        for m, text in marks if m == "o" or lost.any()
    ])  # fmt: skip
    return fig


def said_and_seen(
    said: Sequence[Row], seen: Sequence[Row], *, overpasses: Sequence[str], title: str = "", note: str = ""
) -> Figure:
    """What collocation says of soil, air and skin (filled) beside what the soil's own thermometer says (hollow).

    `said` are rows of collocation.json of one stratum and season, `seen` rows of scores.json of the same. Left the
    share of frozen called frozen, right of thawed called thawed. A number without an interval is not drawn.
    """
    fig = sheet(0.9 + 1.15 * len(overpasses), note=note)
    axes = fig.subplots(1, 2, sharey=True)
    sides = (("sensitivity", "frozen_accuracy", "frozen, called frozen"),
             ("specificity", "thawed_accuracy", "thawed, called thawed"))  # fmt: skip
    members = list(MEMBERS)
    for ax, (score, direct, text) in zip(axes, sides, strict=True):
        for j, overpass in enumerate(overpasses):
            for i, member in enumerate(members):
                colour, marker = MEMBERS[member]
                at = j + (i - 1) * 0.27
                for row, value, lo, hi, hollow in (
                    *((r, score, f"{score}_lo", f"{score}_hi", False) for r in said if r["member"] == member),
                    *((r, "value", "lo", "hi", True) for r in seen if (r["record"], r["score"]) == (member, direct)),
                ):
                    numbers = [row[k] for k in (value, lo, hi)]
                    if row["overpass"] != overpass or not all(v is not None and np.isfinite(v) for v in numbers):
                        continue
                    place = at + (0.055 if hollow else -0.055)
                    ax.errorbar(numbers[0], place, xerr=whiskers(*numbers), color=colour, marker=marker, markersize=6.5,
                                markerfacecolor="white" if hollow else colour, capsize=2.5, linewidth=1.3)  # fmt: skip
        style(ax, title=text, xlabel="share of the station-days of that state")
        ax.grid(axis="x", color="#e2e2e2", linewidth=0.7)
        ax.set_axisbelow(True)
        ax.set_xlim(-0.02, 1.03)
    counts = [f"{name(o)}\nn = {max([r['n'] for r in said if r['overpass'] == o] or [0]):,}" for o in overpasses]
    axes[0].set(yticks=range(len(overpasses)), yticklabels=counts, ylim=(len(overpasses) - 0.5, -0.5))
    fig.suptitle(title, fontsize=FONT + 0.5, x=0.01, ha="left", color=INK, parse_math=False)
    handles = [Line2D([], [], color=c, marker=m, label=member) for member, (c, m) in MEMBERS.items()]
    for face, text in ((INK, "collocation says"), ("white", "the soil thermometer says")):
        handles.append(Line2D([], [], linestyle="none", marker="o", color=INK, markerfacecolor=face, label=text))
    keys(fig, handles)
    return fig


def errors_together(rows: Sequence[Row], *, overpasses: Sequence[str], title: str = "", note: str = "") -> Figure:
    """Correlation of two members' errors given the soil's state, with its interval; collocation needs 0."""
    fig = sheet(3.1, note=note)
    ax = fig.subplots()
    for k, (state, colour) in enumerate((("frozen", FROZEN), ("thawed", THAWED))):
        for j, overpass in enumerate(overpasses):
            for row in rows:
                if (row["overpass"], row["given"]) != (overpass, state) or row["phi"] is None:
                    continue
                at = j + (k - 0.5) * 0.4
                ax.bar(at, row["phi"], 0.36, color=colour, edgecolor=INK, linewidth=0.6, hatch="" if k else "///")
                high = row["phi"]
                if None not in (row["lo"], row["hi"]) and np.isfinite([row["lo"], row["hi"]]).all():
                    ends = whiskers(row["phi"], row["lo"], row["hi"])
                    ax.errorbar(at, row["phi"], yerr=ends, color=INK, capsize=4, linewidth=1.2)
                    high = row["hi"]
                ax.annotate(f"{signed(row['phi'])}\nn = {row['n']:,}", (at, max(high, 0)), (0, 3), ha="center",
                            textcoords="offset points", fontsize=FONT - 2.5, color=INK)  # fmt: skip
    ax.axhline(0, color=INK, linewidth=0.9)
    ax.axhline(1, color="#999999", linewidth=0.7, linestyle="--")
    style(ax, title=title, ylabel="correlation of errors")
    ax.set(
        xticks=range(len(overpasses)),
        xticklabels=[name(o) for o in overpasses],
        ylim=(min(-0.05, ax.get_ylim()[0]), 1.25),
    )
    keys(fig, [Patch(fc=FROZEN, ec=INK, hatch="///", label="where the soil is frozen"),
               Patch(fc=THAWED, ec=INK, label="where the soil is thawed")])  # fmt: skip
    return fig


def station_year(
    time: ArrayLike, soil: ArrayLike, states: Mapping[str, ArrayLike], *, title: str = "", note: str = ""
) -> Figure:
    """A station's soil temperature (K), and below it who says frozen on which day: a strip a member, NaN unknown."""
    dates, kelvin = pd.DatetimeIndex(np.asarray(time)), np.asarray(soil, float)
    fig = sheet(4.0, note=note)
    top, low = fig.subplots(2, 1, sharex=True, height_ratios=[1.2, 0.3 * len(states)])
    top.axhline(0, color="#999999", linewidth=0.8)
    top.plot(dates, kelvin - ZERO, color=INK, linewidth=1.1)
    style(top, title=title, ylabel="soil at 5 cm (°C)")
    day = pd.Timedelta(days=1)
    for i, values in enumerate(states.values()):
        says = np.asarray(values, float)
        low.broken_barh([(dates[0], dates[-1] + day - dates[0])], (i - 0.42, 0.84), fc=UNKNOWN, lw=0)
        for where, colour in ((says > 0.5, FROZEN), (says < 0.5, THAWED)):
            low.broken_barh([(date, day) for date in dates[where]], (i - 0.42, 0.84), color=colour, lw=0)
    style(low)
    low.set(yticks=range(len(states)), yticklabels=list(states), ylim=(len(states) - 0.5, -0.5))
    low.set_xlim(dates[0], dates[-1] + day)
    low.xaxis.set_major_locator(MonthLocator())
    low.xaxis.set_major_formatter(ConciseDateFormatter(low.xaxis.get_major_locator()))
    keys(fig, [Patch(fc=FROZEN, label="frozen"), Patch(fc=THAWED, label="thawed"), unknown_patch()])
    return fig


def season_spans(
    years: ArrayLike, onset: ArrayLike, offset: ArrayLike, *, start_month: int, title: str = "", note: str = ""
) -> Figure:
    """From onset to offset of each year, days since the year's first; a year without both is not drawn."""
    t, first, last = (np.asarray(v, float) for v in (years, onset, offset))
    known = np.isfinite(first) & np.isfinite(last)
    fig = sheet(3.6, note=note)
    ax = fig.subplots()
    ax.bar(t[known], (last - first)[known], 0.8, bottom=first[known], color=FROZEN, edgecolor="white", linewidth=0.5)
    months = np.datetime64("2001-01", "M") + (start_month - 1) + np.arange(13)  # of a year that is no leap year
    begins = (months.astype("datetime64[D]") - months[0].astype("datetime64[D]")).astype(int)
    ax.set_yticks(begins, [f"1 {month_abbr[int(m)]}" for m in month(months)])
    style(ax, title=title, ylabel="from onset to offset")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.grid(axis="y", color="#e2e2e2", linewidth=0.7)
    ax.set_axisbelow(True)
    if known.any():
        ax.set_ylim(first[known].min() - 8, last[known].max() + 8)
    return fig


def record_gaps(gaps: Sequence[Row], *, span: int, title: str = "", note: str = "") -> Figure:
    """What a record holds year by year: share of `span` days that are there, share of values known on these."""
    t = np.array([row["year"] for row in gaps])
    fig = sheet(3.2, note=note)
    ax = fig.subplots()
    ax.bar(t, [row["days"] / span for row in gaps], 0.82, color="#7fa6cf", label=f"days there, of {span}")
    ax.plot(t, [row["known"] for row in gaps], color=INK, marker="o", markersize=3.5, linewidth=1,
            label="values known on these days")  # fmt: skip
    for row in gaps:
        if row["longest_gap"] > 10:
            ax.annotate(f"gap of {row['longest_gap']} days", (row["year"], row["days"] / span), (-8, -3), ha="right",
                        textcoords="offset points", fontsize=FONT - 2, color=INK)  # fmt: skip
    style(ax, title=title, ylabel="share")
    ax.set_ylim(0, 1.09)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    keys(fig, ax.get_legend_handles_labels()[0])
    return fig


def on_grid(values: ArrayLike, row: ArrayLike, col: ArrayLike, shape: tuple[int, int]) -> NDArray[np.float64]:
    """Values of sites (site) at their cells, (y, x); NaN elsewhere.

    >>> on_grid([5.0, 7.0], [0, 1], [1, 0], (2, 2)).tolist()
    [[nan, 5.0], [7.0, nan]]
    """
    field = np.full(shape, np.nan)
    field[np.asarray(row), np.asarray(col)] = np.asarray(values, float)
    return field
