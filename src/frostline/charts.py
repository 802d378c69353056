"""Figures that are charts: confusion, scores with intervals, reliability, a station's year, frozen area."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.dates import ConciseDateFormatter, MonthLocator
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import ArrayLike, NDArray

from frostline.clock import OVERPASS_NAMES, season
from frostline.drawing import LOOKS
from frostline.maps import FONT, FROZEN, INK, THAWED, UNKNOWN, UNKNOWN_HATCH, sheet, style, unknown_patch
from frostline.words import NAMES, shown

SEASONS = ("DJF", "MAM", "JJA", "SON")


def confusion_by_season(sums: xr.Dataset, *, stratum: str = "all", note: str = "") -> Figure:
    """Stacked shares of right and wrong cell-days by season and overpass, each bar with its n.

    `sums` is a tally: true_frozen, false_frozen, true_thawed, false_thawed on (time, overpass, stratum).
    """
    parts = (
        ("true_frozen", "frozen, called frozen", FROZEN, ""),
        ("false_thawed", "frozen, called thawed", "#92bde0", "xxx"),
        ("false_frozen", "thawed, called frozen", "#f0b878", "xxx"),
        ("true_thawed", "thawed, called thawed", THAWED, ""),
    )
    chosen = sums.sel(stratum=stratum)
    seasons = season(chosen.time.values)
    fig = sheet(3.9, note=note)
    ax = fig.subplots()
    places, labels = [], []
    codes = [int(code) for code in chosen.overpass.values]
    for i, name in enumerate(SEASONS):
        for j, code in enumerate(codes):
            days = chosen.isel(time=np.flatnonzero(seasons == name)).sel(overpass=code).sum("time")
            counts = [float(days[key]) for key, *_ in parts]
            n, place = sum(counts), i * (len(codes) + 0.7) + j
            places.append(place)
            labels.append(f"{name}\n{OVERPASS_NAMES[code].upper()}")
            ax.text(place, 101, f"n = {n:,.0f}", ha="center", va="bottom", fontsize=FONT - 2.5, color=INK)
            low = 0.0
            for count, (_, _, colour, hatch) in zip(counts, parts, strict=True):
                share = 100 * count / n if n else 0.0
                ax.bar(place, share, 0.86, bottom=low, color=colour, hatch=hatch, edgecolor="white", linewidth=0.6)
                if share >= 5:
                    dark = colour in (FROZEN, THAWED)
                    ax.text(place, low + share / 2, f"{share:.0f} %", ha="center", va="center",
                            fontsize=FONT - 2, color="white" if dark else INK,
                            bbox=None if dark else {"fc": colour, "ec": "none", "pad": 1})  # fmt: skip
                low += share
    style(ax, ylabel="share of cell-days (%)")
    ax.set(xticks=places, xticklabels=labels, ylim=(0, 108), yticks=[0, 25, 50, 75, 100])
    handles = [Patch(facecolor=c, hatch=h, edgecolor="white", label=text) for _, text, c, h in parts]
    fig.legend(handles=handles, loc="outside lower center", ncols=4, fontsize=FONT - 1, frameon=False)
    return fig


def score_points(
    rows: Sequence[Mapping[str, Any]],
    *,
    score: str = "accuracy",
    against: str = "truth",
    split: str = "heldout",
    strata: Sequence[str] = ("area:trained", "area:heldout"),
    overpasses: Sequence[str] = ("am", "pm"),
    records: Sequence[str] = ("unet", "climatology_truth", "climatology", "reanalysis", "persistence"),
    note: str = "",
) -> Figure:
    """One score of several records side by side, with intervals and n; rows as in scores.json.

    Points and not bars, since a bar from zero hides differences of a few points. A record without a
    row is left out; a row without n or interval is not drawn.
    """
    table = {}
    for row in rows:
        if (row["score"], row["against"], row["split"]) == (score, against, split) and shown(row):
            table[row["record"], row["stratum"], row["overpass"]] = row
    kept = [record for record in records if any(key[0] == record for key in table)]
    fig = sheet(1.5 + 0.62 * max(len(kept), 1), note=note)
    axes = fig.subplots(1, len(strata), sharey=True, sharex=True, squeeze=False)[0]
    for ax, stratum in zip(axes, strata, strict=True):
        for i, record in enumerate(kept):
            for j, overpass in enumerate(overpasses):
                if (record, stratum, overpass) not in table:
                    continue
                row = table[record, stratum, overpass]
                y = i + (j - (len(overpasses) - 1) / 2) * 0.36
                colour, marker, _ = LOOKS[(0, 3)[j % 2]]
                error = [[max(row["value"] - row["lo"], 0)], [max(row["hi"] - row["value"], 0)]]
                ax.errorbar(row["value"], y, xerr=error, color=colour, marker=marker, markersize=7, capsize=3.5,
                            linewidth=1.6, label=_name(overpass) if i == 0 else None)  # fmt: skip
                ax.annotate(f"{row['value']:.3f}", (row["hi"], y), (5, 0), textcoords="offset points", va="center",
                            fontsize=FONT - 2, color=colour)  # fmt: skip
        drawn = [(record, stratum, overpass) for record in kept for overpass in overpasses]
        counts = [table[key]["n"] for key in drawn if key in table]
        n = f", n = {min(counts):,}" + (f"–{max(counts):,}" if min(counts) < max(counts) else "") if counts else ""
        style(ax, title=f"{_name(stratum)}{n}", xlabel=f"{score.replace('_', ' ')} against {_name(against)}")
        ax.grid(axis="x", color="#dddddd", linewidth=0.7)
        ax.set_axisbelow(True)
        ax.margins(x=0.16)
    axes[0].set(yticks=range(len(kept)), yticklabels=[_name(r) for r in kept], ylim=(len(kept) - 0.45, -0.55))
    handles, texts = axes[0].get_legend_handles_labels()
    if handles:
        fig.legend(handles, texts, loc="outside lower center", ncols=4, fontsize=FONT - 1, frameon=False)
    return fig


def reliability(curves: Mapping[str, tuple[ArrayLike, ArrayLike, ArrayLike]], *, note: str = "") -> Figure:
    """Reliability diagram with counts: per name (mean probability, share truly frozen, n) of each bin."""
    fig = sheet(4.4, note=note)
    left, right = fig.subplots(1, 2, width_ratios=[1.15, 1])
    left.plot([0, 1], [0, 1], color="#999999", linewidth=1, label="perfect")
    width = 0.8 / max(len(curves), 1)
    for i, (name, curve) in enumerate(curves.items()):
        colour, marker, dash = LOOKS[(0, 3, 1, 2)[i % 4]]
        said, was, n = (np.asarray(part, dtype=float) for part in curve)
        kept = n > 0
        left.plot(
            said[kept], was[kept], color=colour, marker=marker, linestyle=dash, label=f"{name}, n = {n.sum():,.0f}"
        )
        right.bar(np.arange(n.size) + (i - (len(curves) - 1) / 2) * width, n, width, color=colour, label=name)
        ticks = np.linspace(0, n.size, 6) - 0.5
        right.set_xticks(ticks, [f"{v:.1f}" for v in np.linspace(0, 1, 6)])
    right.set_yscale("log")
    style(left, title="Said and seen", xlabel="probability of frozen", ylabel="share truly frozen")
    left.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")
    left.legend(fontsize=FONT - 1.5, frameon=False, loc="upper left")
    style(right, title="How often it was said", xlabel="probability of frozen", ylabel="cell-days")
    right.legend(fontsize=FONT - 1.5, frameon=False, loc="upper center")
    return fig


def station_series(
    time: ArrayLike,
    probability: ArrayLike,
    *,
    soil_temperature: ArrayLike | None = None,
    station_frozen: ArrayLike | None = None,
    truth: ArrayLike | None = None,
    name: str = "",
    note: str = "",
) -> Figure:
    """One station through the year: its temperature (K), the record's probability in its cell, and who said what.

    All arrays are (time,), NaN unknown; `station_frozen` and `truth` are 0 or 1.
    """
    dates = pd.DatetimeIndex(np.asarray(time))
    strips: dict[str, NDArray] = {"record": np.asarray(probability, dtype=float)}
    for label, states in (("station", station_frozen), ("truth", truth)):
        if states is not None:
            strips[label] = np.asarray(states, dtype=float)
    warm = soil_temperature is not None
    ratios = ([1.2] if warm else []) + [1.2, 0.22 * len(strips)]
    fig = sheet(1.2 + 1.25 * sum(ratios), note=note)
    axes = list(fig.subplots(len(ratios), 1, sharex=True, height_ratios=ratios, squeeze=False)[:, 0])
    if soil_temperature is not None:
        celsius = np.asarray(soil_temperature, dtype=float) - 273.15
        axes[0].axhline(0, color="#999999", linewidth=0.8)
        axes[0].plot(dates, celsius, color=INK, linewidth=1.1)
        for below, colour in ((True, FROZEN), (False, THAWED)):
            where = (celsius < 0) == below
            axes[0].fill_between(dates, celsius, 0, where=where, color=colour, alpha=0.35, lw=0, interpolate=True)
        style(axes[0], title=name, ylabel="soil (°C)")
    chance = strips["record"]
    axes[-2].axhline(0.5, color="#999999", linewidth=0.8)
    axes[-2].plot(dates, chance, color=INK, linewidth=1.1, marker=".", markersize=3)
    axes[-2].set(ylim=(-0.03, 1.03), yticks=[0, 0.5, 1])
    style(axes[-2], title="" if warm else name, ylabel="P(frozen)")
    _strips(axes[-1], dates, strips)
    fig.legend(handles=_state_patches(), loc="outside lower center", ncols=3, fontsize=FONT - 1, frameon=False)
    return fig


def frozen_share(time: ArrayLike, shares: Mapping[str, ArrayLike], *, title: str = "", note: str = "") -> Figure:
    """Share of the land area that is frozen (0 to 1) through the year, one line per record; NaN breaks a line."""
    fig = sheet(3.7, note=note)
    ax = fig.subplots()
    dates = pd.DatetimeIndex(np.asarray(time))
    for i, (name, share) in enumerate(shares.items()):
        colour, _, dash = LOOKS[i % len(LOOKS)]
        ax.plot(dates, 100 * np.asarray(share, dtype=float), color=colour, linestyle=dash, linewidth=1.7, label=name)
    style(ax, title=title, ylabel="frozen land area (%)")
    ax.set(ylim=(-2, 102), xlim=(dates[0], dates[-1] + pd.Timedelta(days=1)))
    _months(ax)
    ax.grid(axis="y", color="#e2e2e2", linewidth=0.7)
    fig.legend(loc="outside lower center", ncols=min(len(shares), 4), fontsize=FONT - 1, frameon=False)
    return fig


def _strips(ax: Axes, dates: pd.DatetimeIndex, strips: Mapping[str, NDArray]) -> None:
    """One coloured row per source, a cell a day; a tie or NaN is unknown."""
    day = pd.Timedelta(days=1)
    for i, states in enumerate(strips.values()):
        rest = (dates[0], dates[-1] + day - dates[0])
        ax.broken_barh([rest], (i - 0.42, 0.84), fc=UNKNOWN, ec=UNKNOWN_HATCH, hatch="////", lw=0)
        for where, colour in ((states > 0.5, FROZEN), (states < 0.5, THAWED)):
            ax.broken_barh([(date, day) for date in dates[where]], (i - 0.42, 0.84), color=colour, lw=0)
    style(ax)
    ax.set(yticks=range(len(strips)), yticklabels=list(strips), ylim=(len(strips) - 0.5, -0.5))
    ax.set(xlim=(dates[0], dates[-1] + pd.Timedelta(days=1)))
    _months(ax)


def _months(ax: Axes) -> None:
    ax.xaxis.set_major_locator(MonthLocator() if np.ptp(ax.get_xlim()) < 500 else MonthLocator((1, 4, 7, 10)))
    ax.xaxis.set_major_formatter(ConciseDateFormatter(ax.xaxis.get_major_locator()))


def _state_patches() -> list[Patch]:
    return [Patch(facecolor=FROZEN, label="frozen"), Patch(facecolor=THAWED, label="thawed"), unknown_patch()]


def _name(key: str) -> str:
    return NAMES.get(key, key)
