"""Charts of decades: frozen days of regions with their trends, slopes of regions and classes, one basin's air frost."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike, NDArray

from frostline.drawing import OF_RECORD, in_order, keys, look, name, whiskers, with_bounds
from frostline.maps import FONT, INK, sheet, style

Row = Mapping[str, Any]
Slope = tuple[float | None, float | None, float | None]  # Sen's slope and its interval, d/a
TITLES = {
    "all": "whole area",
    "region": "regions",
    "permafrost": "permafrost",
    "region/permafrost": "permafrost of regions",
}
TRUTH = OF_RECORD["truth"][0]


def frozen_days_series(
    years: ArrayLike,
    series: Mapping[str, Mapping[str, ArrayLike]],
    slopes: Mapping[str, Mapping[str, Slope]] | None = None,
    *,
    ylabel: str = "frozen days",
    unit: str = "d/a",
    breaks: Sequence[int] = (),
    note: str = "",
) -> Figure:
    """Yearly values of regions, one panel each, a line per record, with Sen's line and the slope in words.

    `series[region][record]` is (years,), NaN breaks the line; `slopes[region][record]` is (slope, lo, hi) a year, from
    trends.json: a slope without its interval is neither drawn nor told. The line goes through the median of
    value - slope x year, which is Sen's intercept. `breaks` are years of a change of sensor. Beside each panel
    the slopes, the mean of each record and its number of years.
    """
    t = np.asarray(years, dtype=float)
    records = in_order(record for of in series.values() for record in of)
    rows = max(len(series), 1)
    most = max([len(of) for of in series.values()] or [1])
    fig = sheet(0.75 + rows * max(1.5, 0.35 + 0.36 * most), note=note)
    axes = fig.subplots(rows, 2, squeeze=False, width_ratios=[1, 0.44], sharex="col")
    for (left, right), (region, of) in zip(axes, series.items(), strict=False):
        right.axis("off")
        for year in breaks:
            left.axvline(year - 0.5, color="#999999", linewidth=0.8, linestyle=(0, (2, 2)), zorder=0)
        for k, (record, values) in enumerate(of.items()):
            y = np.asarray(values, dtype=float)
            colour, marker, dash = look(record, records)
            slope = (slopes or {}).get(region, {}).get(record, (None, None, None))
            told = with_bounds(*slope, unit)
            words = told if told != "unknown" else "no trend known"
            left.plot(t, y, color=colour, marker=marker, markersize=2.8, linewidth=0.9, alpha=0.75)
            if slope[0] is not None and told != "unknown":
                left.plot(t, sen_line(t, y, slope[0]), color=colour, linestyle=dash, linewidth=1.9)
            known = y[np.isfinite(y)]
            mean = f"mean {known.mean():.0f}, n = {known.size}" if known.size else "no year known"
            pitch = min(0.33, 1 / len(of))
            top = 1.02 - k * pitch
            right.text(0.0, top, f"{name(record)}: {mean}", transform=right.transAxes, va="top", fontsize=FONT - 2,
                       color=colour, parse_math=False)  # fmt: skip
            right.text(0.04, top - 0.48 * pitch, words, transform=right.transAxes, va="top", fontsize=FONT - 1.5,
                       weight="bold", color=colour)  # fmt: skip
        style(left, title=name(region), ylabel=ylabel)
        left.xaxis.set_major_locator(MaxNLocator(integer=True))
        left.grid(axis="y", color="#e2e2e2", linewidth=0.7)
    handles = [_line(record, records) for record in records]
    if breaks:
        handles.append(Line2D([], [], color="#999999", linewidth=0.8, linestyle=(0, (2, 2)), label="change of sensor"))
    keys(fig, handles)
    return fig


def sen_line(years: NDArray, values: NDArray, slope: float) -> NDArray[np.float64]:
    """The line of a slope at `years`, through the median of value - slope x year; NaN where nothing is known.

    >>> sen_line(np.array([0.0, 1, 2]), np.array([5.0, np.nan, 9]), 1.0).tolist()
    [6.0, 7.0, 8.0]
    """
    rest = values - slope * years
    known = rest[np.isfinite(rest)]
    return (float(np.median(known)) if known.size else np.nan) + slope * years


def trend_bars(
    rows: Sequence[Row],
    *,
    records: Sequence[str],
    truth: str = "truth",
    overpass: str = "am",
    groups: Sequence[str] = ("all", "region", "permafrost"),
    unit: str = "d/a",
    note: str = "",
) -> Figure:
    """Slopes of regions and permafrost classes, records one below the other, with intervals; the truth as a band.

    Rows of trends.json: record, group, name, overpass, slope, lo, hi, years, n_cells. Of `overpass` only. The truth's
    slope and interval stand as a line and a band behind the records'. Where rows have `difference`, `difference_lo`,
    `difference_hi`, the slope of record less truth over the same cells and years, a second chart shows it: what the
    weather did to both is not in that interval. A number without its interval is not drawn; the values
    stand beside, cells and years under the names. `groups` may also name "region/permafrost".
    """
    table = {(row["group"], row["name"], row["record"]): row for row in rows if row["overpass"] == overpass}
    places = [(g, n) for g in groups for n in in_order(key[1] for key in table if key[0] == g)]
    kept = [r for r in records if r != truth and any(key[2] == r for key in table)]
    known = any(key[2] == truth and _told(row) for key, row in table.items())
    paired = any(_told(row, "difference") is not None for key, row in table.items() if key[2] in kept)
    lines = max(len(kept), 1) + known
    high = 0.17 * lines + 0.1  # inches of a place
    fig = sheet(1.0 + high * max(len(places), 1) + 0.3 * len(in_order(g for g, _ in places)), note=note)
    axes = fig.subplots(1, 1 + paired, sharey=True, squeeze=False, width_ratios=[1, 0.75][: 1 + paired])[0]
    gap = 0.3 / high  # of a heading, in places
    labels, ticks, group, y = [], [], "", -1.0
    for of, place in places:
        y += 1.0
        if group != of:
            y += gap
            axes[0].annotate(TITLES.get(of, of), (0.006, y - 0.5 - 0.5 * gap), xycoords=("axes fraction", "data"),
                             va="center", fontsize=FONT - 1, weight="bold", color=INK)  # fmt: skip
            for ax in axes:
                ax.axhline(y - 0.5 - gap, color=INK, linewidth=0.7)
        group = of
        found = {r: row for r in (*kept, truth) if (row := table.get((of, place, r)))}
        if truth in found and (numbers := _told(found[truth])):
            axes[0].fill_betweenx([y - 0.44, y + 0.44], numbers[1], numbers[2], color="#f0d890", lw=0, zorder=0)
            axes[0].plot([numbers[0]] * 2, [y - 0.44, y + 0.44], color=TRUTH, linewidth=1.8, zorder=1)
        for k, record in enumerate((*kept, truth)):
            at = y + (k - (lines - 1) / 2) * 0.88 / lines
            for ax, what in zip(axes, ("slope", "difference"), strict=False):
                if (numbers := _told(found.get(record, {}), what)) and not (what == "difference" and record == truth):
                    _interval(ax, at, numbers, record, kept, bare=record == truth)
        some = next((row for row in found.values() if _told(row)), None)
        about = f"{some['n_cells']:,} cells, {some['years']} years" if some else "no trend known"
        labels.append(f"{name(place)}\n{about}")
        ticks.append(y)
    style(axes[0], xlabel=f"Sen's slope ({unit}), {name(overpass)}, with its interval")
    if paired:
        style(axes[1], xlabel=f"less the truth's, same years ({unit})")
        axes[1].tick_params(axis="y", length=0)
    axes[0].set_yticks(ticks, labels, parse_math=False)
    axes[0].tick_params(axis="y", labelsize=FONT - 2.5, length=0)
    axes[0].set_ylim(max(y, 0) + 0.5, -0.5)
    for ax in axes:
        ax.axvline(0, color="#999999", linewidth=0.9)
        ax.grid(axis="x", color="#e2e2e2", linewidth=0.7)
        ax.set_axisbelow(True)
    handles = [_line(record, kept, dash="-") for record in kept]
    if known:
        handles.append(Line2D([], [], color=TRUTH, linewidth=1.8, label=f"{name(truth)}, band: its interval"))
    keys(fig, handles)
    return fig


def air_frozen_days(
    years: ArrayLike,
    values: ArrayLike,
    trend: Slope | None = None,
    *,
    title: str = "",
    unit: str = "d/a",
    note: str = "",
) -> Figure:
    """Yearly days on which the air stays below freezing at one place or basin, with Sen's line.

    The axis and the legend say that this is air, not soil. `trend` is (slope, lo, hi) a year.
    """
    t, y = np.asarray(years, dtype=float), np.asarray(values, dtype=float)
    fig = sheet(3.4, note=note)
    ax = fig.subplots()
    ax.plot(t, y, color=INK, marker="o", markersize=4, linewidth=1.0, label="air-frozen days (Tmax < 0 °C), not soil")
    slope = trend or (None, None, None)
    told = with_bounds(*slope, unit)
    if slope[0] is not None and told != "unknown":
        ax.plot(t, sen_line(t, y, slope[0]), color="#b3001b", linewidth=2, label=f"Sen's slope {told}")
    known = y[np.isfinite(y)]
    mean = f"mean {known.mean():.1f} days, n = {known.size} years" if known.size else "no year known"
    style(ax, title=f"{title}: {mean}" if title else mean, ylabel="air-frozen days a year\n(Tmax < 0 °C), not soil")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.grid(axis="y", color="#e2e2e2", linewidth=0.7)
    keys(fig, ax.get_lines())
    return fig


def _interval(
    ax: Axes, y: float, numbers: tuple[float, float, float], record: str, records: Sequence[str], *, bare: bool
) -> None:
    """A slope with its interval at height y, and in words at the right; only the words where `bare`."""
    colour, marker, _ = look(record, records)
    if bare:
        colour = TRUTH
    else:
        ax.errorbar(numbers[0], y, xerr=whiskers(*numbers), color=colour, marker=marker, markersize=4.5, capsize=2.2,
                    linewidth=1.3)  # fmt: skip
    ax.annotate(with_bounds(*numbers), (1.01, y), xycoords=("axes fraction", "data"), va="center", fontsize=FONT - 3,
                color=colour, annotation_clip=False)  # fmt: skip


def _told(row: Row, what: str = "slope") -> tuple[float, float, float] | None:
    """A slope, or a difference of slopes, with its interval; None where any of the three is unknown."""
    before = "" if what == "slope" else f"{what}_"
    numbers = [row.get(key) for key in (what, f"{before}lo", f"{before}hi")]
    if any(v is None or not np.isfinite(v) for v in numbers):
        return None
    value, lo, hi = (float(v) for v in numbers)  # type: ignore[arg-type]
    return value, lo, hi


def _line(record: str, records: Sequence[str], dash: Any = None) -> Line2D:
    colour, marker, own = look(record, records)
    return Line2D(
        [], [], color=colour, marker=marker, linestyle=dash or own, linewidth=1.7, markersize=5, label=name(record)
    )
