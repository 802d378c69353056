"""Charts of direct evidence: accuracy at dense networks, and how records follow these in three seasons."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike

from frostline.drawing import counts, in_order, keys, look, name, signed, whiskers
from frostline.maps import FONT, INK, UNKNOWN, UNKNOWN_HATCH, sheet, style, unknown_patch
from frostline.words import shown

Row = Mapping[str, Any]
CLASSIFICATION = ("frozen_accuracy", "thawed_accuracy", "accuracy")  # CA_F, CA_T, CA_O of Cui et al. 2024
OVERPASSES = ("am", "pm")
POOLED = "network:all"
SEASONS = {"frozen": "Dec–Jan", "transition": "Feb–Apr, Oct–Nov", "thawed": "May–Sep"}  # Cui et al. 2024, 4.2
# Cui et al. 2024 leave out what a season hardly has: thawed soil in the frozen one, frozen soil in the thawed one
RARE = {("frozen", "thawed_accuracy"), ("thawed", "frozen_accuracy")}


def accuracy_bars(
    rows: Sequence[Row],
    *,
    records: Sequence[str] = ("fused", "smap", "reanalysis"),
    scores: Sequence[str] = CLASSIFICATION,
    overpasses: Sequence[str] = OVERPASSES,
    against: str = "stations",
    split: str = "heldout",
    note: str = "",
) -> Figure:
    """Accuracies at each dense network, records side by side, with intervals, values and n; rows as in scores.json.

    Networks are the strata `network:<name>` in the order of the rows, and last `network:all`, which pools them. A row
    without n or interval is not drawn, and its place says so by a short grey bar. Bars stand on zero.
    """
    table: dict[tuple[str, ...], Row] = {}
    for row in rows:
        if (row["against"], row["split"]) == (against, split) and row["stratum"].startswith("network:"):
            table[row["record"], row["stratum"], row["overpass"], row["score"]] = row
    networks = _networks(key[1] for key in table if "/" not in key[1])
    kept = [r for r in records if any(key[0] == r for key in table)]
    fig = sheet(1.0 + 1.85 * len(scores), note=note)
    axes = fig.subplots(len(scores), len(overpasses), squeeze=False, sharex="col", sharey=True)
    width = 0.84 / max(len(kept), 1)
    room = 3.9 * 72 * 2 / len(overpasses) / max(len(networks), 1) * width  # points a bar is wide
    missing = False
    for i, score in enumerate(scores):
        for j, overpass in enumerate(overpasses):
            ax = axes[i, j]
            for k, record in enumerate(kept):
                colour = look(record, kept)[0]
                for place, network in enumerate(networks):
                    x = place + (k - (len(kept) - 1) / 2) * width
                    row = table.get((record, network, overpass, score), {})
                    if not shown(row):
                        ax.bar(x, 0.06, width * 0.9, fc=UNKNOWN, ec=UNKNOWN_HATCH, hatch="////", lw=0)
                        missing = True
                        continue
                    ax.bar(x, row["value"], width * 0.9, color=colour, alpha=0.85)
                    ax.errorbar(x, row["value"], yerr=whiskers(row["value"], row["lo"], row["hi"]), color=INK,
                                capsize=2, linewidth=1)  # fmt: skip
                    if room > FONT - 3:
                        ax.text(x, 0.03, f"{row['value']:.3f}", rotation=90, ha="center", va="bottom", color="white",
                                fontsize=min(FONT - 2.5, room - 0.5))  # fmt: skip
            style(ax, title=name(overpass) if i == 0 else "", ylabel=name(score).split(" (")[0] if j == 0 else "")
            ax.yaxis.label.set_fontsize(FONT - 1)
            ax.set(ylim=(0, 1.05), yticks=[0, 0.25, 0.5, 0.75, 1])
            ax.grid(axis="y", color="#e2e2e2", linewidth=0.7)
            ax.set_axisbelow(True)
            if i == len(scores) - 1:
                labels = []
                for network in networks:
                    n = [row["n"] for key, row in table.items() if key[1:3] == (network, overpass) and shown(row)]
                    labels.append(
                        f"{'all' if network == POOLED else name(network)}\nn = " + counts(n).replace("–", "–\n")
                    )
                ax.set_xticks(range(len(networks)), labels, parse_math=False)
                ax.tick_params(axis="x", labelsize=FONT - 2, length=0)
    handles = [Patch(fc=look(r, kept)[0], alpha=0.85, label=name(r)) for r in kept]
    keys(fig, [*handles, *([unknown_patch("too few for a number")] if missing else [])])
    return fig


def agreement(x: ArrayLike, y: ArrayLike) -> tuple[float, float, int]:
    """Pearson's R of two scores over networks, bias mean(y - x), and the number of pairs known in both.

    R is NaN for fewer than three pairs or where one of both does not vary; bias is NaN without a pair.
    """
    a, b = (np.asarray(v, dtype=float).ravel() for v in (x, y))
    known = np.isfinite(a) & np.isfinite(b)
    a, b = a[known], b[known]
    if not a.size:
        return float("nan"), float("nan"), 0
    varies = a.size >= 3 and np.ptp(a) > 0 and np.ptp(b) > 0
    r = float(np.corrcoef(a, b)[0, 1]) if varies else float("nan")
    return r, float((b - a).mean()), int(a.size)


def season_scatter(
    rows: Sequence[Row],
    *,
    record: str = "fused",
    other: str = "smap",
    scores: Sequence[str] = CLASSIFICATION,
    overpasses: Sequence[str] = OVERPASSES,
    against: str = "stations",
    split: str = "heldout",
    note: str = "",
) -> Figure:
    """One record's accuracies over another's, a point a network and score, by season; R and bias in each panel.

    Rows as in scores.json with strata `network:<name>/season:<season>`. Lines are the intervals of both; bias is
    `record` less `other`. As in the paper the thawed accuracy of the frozen season and the frozen one of the thawed
    season are left out, and so is `network:all`. n is the number of points; R is given from three networks on.
    """
    table: dict[tuple[str, ...], Row] = {}
    for row in rows:
        place, _, part = row["stratum"].partition("/season:")
        asked = (row["against"], row["split"]) == (against, split) and place.startswith("network:")
        if asked and place != POOLED and shown(row):
            table[place, part, row["overpass"], row["score"], row["record"]] = row
    networks = in_order(key[0] for key in table)
    fig = sheet(0.8 + 2.95 * len(overpasses), note=note)
    axes = fig.subplots(len(overpasses), len(SEASONS), squeeze=False)
    lowest = 0.9
    marks = dict(zip(scores, ("o", "s", "^", "D"), strict=False))
    for i, overpass in enumerate(overpasses):
        for j, (season, months) in enumerate(SEASONS.items()):
            ax, pairs = axes[i, j], []
            for place, network in enumerate(networks):
                for score in scores:
                    x, y = (table.get((network, season, overpass, score, who), {}) for who in (other, record))
                    if (season, score) in RARE or not x or not y:
                        continue
                    pairs.append((x["value"], y["value"]))
                    across, up = (whiskers(v["value"], v["lo"], v["hi"]) for v in (x, y))
                    ax.errorbar(x["value"], y["value"], yerr=up, xerr=across, color=_tint(place),
                                marker=marks[score], markersize=6.5, markeredgecolor="white", markeredgewidth=0.5,
                                linewidth=0.8, alpha=0.9)  # fmt: skip
            r, bias, n = agreement(*zip(*pairs, strict=True)) if pairs else agreement([], [])
            lowest = min([lowest, *(min(p) for p in pairs)])
            said = f"bias {signed(bias, 3)}, n = {n}" if n else "no point"
            said = f"R {signed(r)}, {said}" if np.isfinite(r) and len(networks) >= 3 else said
            head = f"{season} season, {months}\n" if i == 0 else ""
            style(ax, title=f"{head}{said}", xlabel=name(other) if i == len(overpasses) - 1 else "",
                  ylabel=f"{name(overpass)}: {name(record)}" if j == 0 else "")  # fmt: skip
            ax.title.set_fontsize(FONT - 1)
    for ax in axes.flat:  # one scale for all, so that the seasons compare
        ends = (lowest - 0.05, 1.02)
        ax.plot(ends, ends, color="#999999", linewidth=0.9, zorder=0)
        ax.set(xlim=ends, ylim=ends, aspect="equal")
        for axis in (ax.xaxis, ax.yaxis):
            axis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
    plain = {"linestyle": "none", "markersize": 6.5, "color": INK}
    handles = [Line2D([], [], marker=m, label=name(s), **plain) for s, m in marks.items()]  # type: ignore[arg-type]
    handles += [Line2D([], [], color=_tint(k), linewidth=4, label=name(n)) for k, n in enumerate(networks)]
    keys(fig, handles)
    return fig


def season_agreement(
    rows: Sequence[Row],
    *,
    records: Sequence[str] = ("fused", "smap", "reanalysis"),
    scores: Sequence[str] = ("correlation", "bias"),
    overpass: str = "am",
    against: str = "stations",
    split: str = "heldout",
    note: str = "",
) -> Figure:
    """How each record follows the networks, by season: R of the daily frozen shares and bias, with intervals and n.

    Rows as in scores.json with strata `network:<name>/season:<season>` and the scores `correlation` and `bias` (share
    frozen of the record less that of the stations). R is undefined, and not drawn, where a season never changes.
    """
    table: dict[tuple[str, ...], Row] = {}
    for row in rows:
        place, _, part = row["stratum"].partition("/season:")
        asked = (row["against"], row["split"], row["overpass"]) == (against, split, overpass) and row["score"] in scores
        if asked and place.startswith("network:") and part in SEASONS and shown(row):
            table[row["record"], place, part, row["score"]] = row
    networks = _networks(key[1] for key in table)
    kept = [r for r in records if any(key[0] == r for key in table)]
    fig = sheet(1.1 + 2.2 * len(scores), note=note)
    axes = fig.subplots(len(scores), len(SEASONS), squeeze=False, sharex="col", sharey="row")
    for j, (season, months) in enumerate(SEASONS.items()):
        for i, score in enumerate(scores):
            ax = axes[i, j]
            ax.axhline(0, color="#999999", linewidth=0.8, zorder=0)
            for k, record in enumerate(kept):
                colour, marker, _ = look(record, kept)
                for place, network in enumerate(networks):
                    if row := table.get((record, network, season, score), {}):
                        ax.errorbar(place + (k - (len(kept) - 1) / 2) * 0.22, row["value"], color=colour,
                                    yerr=whiskers(row["value"], row["lo"], row["hi"]), marker=marker, markersize=5.5,
                                    capsize=2.5, linewidth=1.3)  # fmt: skip
            words = {"correlation": "R, daily frozen share", "bias": "bias, frozen share"}.get(score, name(score))
            style(ax, title=f"{season} season\n{months}" if i == 0 else "", ylabel=words if j == 0 else "")
            ax.title.set_fontsize(FONT - 1)
            if not ax.containers:
                ax.text(
                    0.5, 0.5, "none defined", transform=ax.transAxes, ha="center", fontsize=FONT - 1, color="#777777"
                )
            ax.grid(axis="y", color="#e2e2e2", linewidth=0.7)
        labels = []
        for network in networks:
            n = [row["n"] for key, row in table.items() if key[1:3] == (network, season)]
            labels.append(f"{'all' if network == POOLED else name(network)}\nn = " + counts(n).replace("–", "–\n"))
        axes[-1, j].set_xticks(range(len(networks)), labels, parse_math=False)
        axes[-1, j].tick_params(axis="x", labelsize=FONT - 3, length=0)
        axes[-1, j].set_xlim(-0.6, max(len(networks), 1) - 0.4)
    handles = [Line2D([], [], color=look(r, kept)[0], marker=look(r, kept)[1], label=name(r)) for r in kept]
    keys(fig, [*handles, Line2D([], [], linestyle="none", label=f"{name(overpass)}, {name(split)}")] if kept else [])
    return fig


def _networks(strata: Iterable[str]) -> list[str]:
    """Networks as they first come, and their pool at the end where it pools several."""
    every = in_order(strata)
    own = [network for network in every if network != POOLED]
    return own + [POOLED] * (POOLED in every and len(own) > 1)


def _tint(place: int) -> str:
    """A colour for the network at a place."""
    return ("#1f5fa8", "#c8690e", "#009e73", "#8a5fb0", "#b3001b", "#7a6a00", "#56b4e9", "#7f7f7f")[place % 8]
