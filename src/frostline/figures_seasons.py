"""Seasons seen: mean frozen days, their spread, extent through the year, morning less evening, melt on an ice sheet."""

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
from matplotlib.artist import Artist
from matplotlib.colors import Colormap, LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import ArrayLike, NDArray

from frostline.drawing import DAYS, NO_SOIL, bar, finite, keys, map_sheet, signed, span
from frostline.grid import Grid
from frostline.maps import FONT, FROZEN, SEA, THAWED, map_field, sheet, style, unknown_patch

SPREAD = LinearSegmentedColormap.from_list("spread", ["#f7f5f1", "#d9c9a8", "#b98a4e", "#7a4a1e", "#3a1f0c"])
CHANGE = LinearSegmentedColormap.from_list(
    "change", ["#8a3f06", THAWED, "#f0b878", "#f5f3ef", "#92bde0", FROZEN, "#123f78"]
)
MONTH_STARTS = (0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334)
MONTHS = ("J", "F", "M", "A", "M", "J", "J", "A", "S", "O", "N", "D")


def frozen_days_maps(
    grid: Grid,
    mean: NDArray,
    sd: NDArray | None,
    *,
    land: NDArray[np.bool_],
    years: Sequence[int] = (),
    what: str = "frozen days",
    note: str = "",
) -> Figure:
    """Mean yearly days and their interannual standard deviation, each (y, x), with the area's own mean in the titles.

    `sd` None (or nothing known in it, as of a single year): one map. Means in titles count cells alike.
    """
    has = sd is not None and finite(sd).size > 0
    fig, axes = map_sheet(grid, 1 + has, columns=2, foot=0.95, note=note)
    when = f", {min(years)}–{max(years)}" if len(years) > 1 else f", {years[0]}" if len(years) else ""
    shown = [(mean, f"{what.capitalize()} a year{when}", "days a year", DAYS)]
    if has:
        shown.append((np.asarray(sd), f"SD over {len(years)} years" if len(years) else "SD over the years",
                      "days", SPREAD))  # fmt: skip
    for ax, (field, title, label, cmap) in zip(axes, shown, strict=True):
        top = span(field)[1] if cmap is SPREAD else max(span(field, low=0, high=100)[1], 1.0)
        image = map_field(
            ax, field, grid, cmap=cmap, norm=Normalize(0, top), land=land, title=f"{title}: {_mean(field, land)}"
        )
        ax.title.set_fontsize(FONT - 0.5)
        bar(fig, image, ax, label, extend="max" if cmap is SPREAD else "neither", shrink=0.8 if has else 0.4)
    keys(fig, _keys())
    return fig


def extent_series(
    day: ArrayLike,
    states: Mapping[str, tuple[ArrayLike, ArrayLike]],
    *,
    years: Sequence[int] = (),
    area: float | None = None,
    note: str = "",
) -> Figure:
    """Extent through the year, a line per state with a band of one interannual standard deviation.

    `day` is the day of year (1 is 1 January); `states` names ("frozen", "thawed") mean and standard deviation in km2,
    each (day,). `area` (km2) is the domain's: the right-hand axis shows shares of it. Under the chart stand for each
    state its largest extent, the day of it and the deviation there, in per cent of the extent.
    """
    t = np.asarray(day, dtype=float)
    fig = sheet(4.0, note=note)
    ax = fig.subplots()
    for label, (mean, sd) in states.items():
        colour = {"frozen": FROZEN, "thawed": THAWED}.get(label, "#222222")
        middle, spread = (np.asarray(v, dtype=float) / 1e6 for v in (mean, sd))
        ax.plot(t, middle, color=colour, linewidth=1.8, linestyle="-" if label == "frozen" else "--",
                label=f"{label}: {peak(t, middle, spread)}")  # fmt: skip
        ax.fill_between(t, middle - spread, middle + spread, color=colour, alpha=0.25, lw=0)
    band = f"band: ±1 SD of {len(years)} years" if len(years) > 1 else "one year: no band"
    title = f"Mean extent {min(years)}–{max(years)}, {band}" if len(years) > 1 else f"Extent, {band}"
    style(ax, title=title, ylabel="extent (million km²)")
    ax.set(xlim=(1, 366), xticks=[s + 1 for s in MONTH_STARTS], xticklabels=MONTHS)
    ax.set_ylim(bottom=0)
    ax.grid(axis="y", color="#e2e2e2", linewidth=0.7)
    if area:
        percent = 1e8 / area  # of a million km2
        other = ax.secondary_yaxis(
            "right", functions=(partial(np.multiply, percent), partial(np.multiply, 1 / percent))
        )
        other.set_ylabel("share of the area (%)", fontsize=FONT)
        other.tick_params(labelsize=FONT - 1)
    keys(fig, ax.get_lines(), columns=1)
    return fig


def peak(day: NDArray, mean: NDArray, sd: NDArray) -> str:
    """The largest extent in words.

    >>> peak(np.array([1.0, 2]), np.array([10.0, 20]), np.array([1.0, 0.5]))
    'largest 20.00 ± 0.50 million km² (± 2.5 %) on day 2'
    """
    if not np.isfinite(mean).any():
        return "unknown"
    at = int(np.nanargmax(mean))
    text = f"largest {mean[at]:.2f}"
    if not np.isfinite(sd[at]):
        return f"{text} million km² on day {day[at]:.0f}"
    share = f" (± {100 * sd[at] / mean[at]:.1f} %)" if mean[at] > 0 else ""
    return f"{text} ± {sd[at]:.2f} million km²{share} on day {day[at]:.0f}"


def am_pm_difference(
    grid: Grid, difference: NDArray, numbers: Mapping[str, float], *, land: NDArray[np.bool_], note: str = ""
) -> Figure:
    """Mean yearly frozen days of mornings less those of evenings, (y, x), with the two numbers of Donahue 2023.

    `numbers` as of `season.am_minus_pm`: mean_absolute and sd_absolute in days, am_longer as a share, cells.
    """
    fig, axes = map_sheet(grid, 1, columns=1, foot=1.0, note=note)
    reach = max(abs(v) for v in (*span(difference), 1.0))
    if numbers["cells"]:
        title = (
            f"AM − PM: {numbers['mean_absolute']:.1f} ± {numbers['sd_absolute']:.1f} days (mean of |AM − PM| ± SD),\n"
            f"AM longer on {100 * numbers['am_longer']:.0f} % of {int(numbers['cells']):,} cells"
        )
    else:
        title = "AM − PM: no cell known in both"
    image = map_field(axes[0], difference, grid, cmap=CHANGE, norm=Normalize(-reach, reach), land=land, title=title)
    bar(fig, image, axes[0], "frozen days a year, morning less evening", extend="both", shrink=0.4)
    keys(fig, _keys())
    return fig


def melt_maps(
    grid: Grid,
    fields: Mapping[str, NDArray],
    *,
    ice: NDArray[np.bool_],
    significant: NDArray[np.bool_] | None = None,
    years: Sequence[int] = (),
    note: str = "",
) -> Figure:
    """Maps of melt on an ice sheet, two in a row: days a year, onset, length and trend, whichever `fields` names.

    Keys are "days" (a year), "onset" (day of the season, 0 is its first), "length" (days) and "trend" (days a year
    per year); each (y, x) on `grid`, say the south polar stereographic one. `ice` are the record's pixels: others are
    drawn as sea. `significant` (y, x) dots the trend map's cells that stand the test, and their share is told. The
    maps are cut to the ice.
    """
    kinds: dict[str, tuple[str, str, Colormap]] = {
        "days": ("Melt days a year", "days", SPREAD),
        "onset": ("Mean onset of melt", "days after the season's first day", DAYS.reversed()),
        "length": ("Mean length of the melt season", "days", SPREAD),
        "trend": ("Trend of melt days (Sen)", "days a year per year", CHANGE.reversed()),
    }
    chosen = [key for key in kinds if key in fields]
    parts = _around(ice)
    grid, ice = grid.window(*parts), ice[parts]
    fig, axes = map_sheet(grid, len(chosen), columns=2, foot=0.5 + 1.2 * -(-len(chosen) // 2), note=note)
    when = f", {min(years)}–{max(years)}" if len(years) else ""
    for ax, key in zip(axes, chosen, strict=True):
        title, label, cmap = kinds[key]
        field = np.where(ice, np.asarray(fields[key], dtype=float)[parts], np.nan)
        low, high = span(field)
        if key == "trend":
            high = max(abs(low), abs(high))
            low = -high
        norm = Normalize(0 if key in ("days", "length") else low, high)
        image = map_field(ax, field, grid, cmap=cmap, norm=norm, land=ice, labels=False, title=f"{title}{when}")
        ax.title.set_fontsize(FONT - 0.5)
        below = f"{_mean(field, ice, digits=2 if key == 'trend' else 1)}"
        if key == "trend" and significant is not None:
            known = np.isfinite(field)
            row, col = np.nonzero(significant[parts] & known)
            ax.plot(grid.x[col], grid.y[row], linestyle="none", marker=".", markersize=0.8, color="#222222", zorder=5)
            below += f", {100 * len(row) / max(int(known.sum()), 1):.0f} % of cells significant (dots)"
        ax.set_xlabel(below, fontsize=FONT - 1.5)
        bar(fig, image, ax, label, extend="both" if key in ("onset", "trend") else "max", shrink=0.7, aspect=30)
    keys(fig, [unknown_patch("no value"), Patch(fc=SEA, label="not of the record")])
    return fig


def _around(mask: NDArray[np.bool_], margin: int = 4) -> tuple[slice, slice]:
    """Rows and columns that hold all of a mask, and a margin; everything where the mask is empty."""
    parts = []
    for axis in (1, 0):
        at = np.flatnonzero(mask.any(axis=axis))
        size = mask.shape[1 - axis]
        parts.append(slice(max(at[0] - margin, 0), min(at[-1] + 1 + margin, size)) if at.size else slice(0, size))
    return parts[0], parts[1]


def _keys() -> list[Artist]:
    return [unknown_patch(), Patch(fc=SEA, label=NO_SOIL)]


def _mean(field: NDArray, land: NDArray, digits: int = 0) -> str:
    """Mean over the known cells, and their number, in words."""
    known = np.isfinite(field) & land
    return f"mean {signed(float(field[known].mean()), digits)}, n = {known.sum():,}" if known.any() else "nothing known"
