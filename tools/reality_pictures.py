"""The figures of docs/twin-and-reality.md, from what the parts of tools/reality.py found."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from frostline.drawing import LOOKS
from frostline.maps import FONT, INK, sheet, style

Array = np.ndarray
MONTHS = "JFMAMJJASOND"
REAL, TWIN, OTHER, THIRD = LOOKS[1], LOOKS[0], LOOKS[3], LOOKS[2]


def uscrn(drawn: dict[str, Any], path: Path) -> None:
    """Frozen days of each station, and accuracy month by month."""
    fig = sheet(4.3)
    left, right = fig.subplots(1, 2)
    for name, look, which in (("snow-rich", TWIN, drawn["snowy"]), ("snow-poor", OTHER, ~drawn["snowy"])):
        s = drawn["freezes"] & which
        left.plot(
            drawn["frosts"][s], drawn["as built"]["days"][s], color=look[0], marker=look[1], ls="none",
            label=f"{name}, {s.sum()} stations",
        )  # fmt: skip
    left.plot([0, 200], [0, 200], color=INK, lw=0.8)
    left.legend(fontsize=FONT - 1.5, frameon=False, loc="lower right")
    style(left, title="Frozen days at 5 cm in 2020", xlabel="measured", ylabel="twin, as built")
    s, truth = drawn["freezes"], drawn["truth"]
    lines = {
        "twin, as built": (drawn["as built"]["claim"], TWIN),
        "twin, light snow kept": (drawn["light snow kept"]["claim"], THIRD),
        "air below 0 °C": (drawn["air"], REAL),
    }
    for name, (claim, look) in lines.items():
        share = []
        for m in range(1, 13):
            at = drawn["month"] == m
            known = np.isfinite(truth[at][:, s])
            share.append((claim[at][:, s] == truth[at][:, s])[known].mean())
        right.plot(np.arange(12), share, color=look[0], marker=look[1], ls=look[2], label=name, ms=4)
    right.set_xticks(range(12), list(MONTHS))
    right.set_ylim(0.5, 1.01)
    right.legend(fontsize=FONT - 1.5, frameon=False, loc="lower right", bbox_to_anchor=(0.86, 0.02))
    style(right, title=f"Share of right days, {s.sum()} stations that freeze", xlabel="month of 2020")
    fig.savefig(path, dpi=100)


def gipl(drawn: dict[str, Any], path: Path) -> None:
    """Ground at two depths, measured and of the twin."""
    fig = sheet(5.4)
    axes = fig.subplots(2, 1, sharex=True)
    days = np.arange(1, len(drawn["dates"]) + 1)
    for ax, k in zip(axes, (1, 7), strict=True):
        ax.axhline(0.0, color=INK, lw=0.6)
        ax.plot(days, drawn["no snow"]["soil"][:, k], color=OTHER[0], lw=0.8, label="twin without snow")
        ax.plot(days, drawn["as built"]["soil"][:, k], color=TWIN[0], lw=1.2, label="twin, measured snow depth")
        ax.plot(days, drawn["ground"][:, k], color=REAL[0], lw=1.2, label="measured")
        style(ax, title=f"{drawn['depths'][k]:.3f} m", ylabel="°C")
    axes[0].set_ylim(-52.0, 14.0)
    axes[0].legend(fontsize=FONT - 1.5, frameon=False, ncols=3, loc="lower left")
    axes[1].set_xlabel("day of the record", fontsize=FONT, color=INK)
    fig.savefig(path, dpi=100)


def maqu(drawn: dict[str, Any], path: Path) -> None:
    """The polarization ratio month by month, real and of the twin, AM and PM."""
    fig = sheet(4.0)
    axes = fig.subplots(1, 2, sharey=True)
    for ax, name in zip(axes, ("AM", "PM"), strict=True):
        cells, real, twin = drawn["cells"][name], drawn["monthly"][f"real {name}"], drawn["monthly"][f"twin {name}"]
        x = np.arange(12)
        low, high = np.quantile(cells, (0.1, 0.9), axis=1)
        ax.fill_between(x, low, high, color=TWIN[0], alpha=0.2, lw=0, label="twin, 10-90 % of cells")
        ax.plot(x, twin.mean(1), color=TWIN[0], marker=TWIN[1], ms=4, label="twin")
        for k in range(real.shape[1]):
            ax.plot(x, real[:, k], color=REAL[0], lw=0.7, alpha=0.5, label="real, each year" if k == 0 else None)
        ax.plot(x, np.nanmean(real, 1), color=REAL[0], marker=REAL[1], ls=REAL[2], ms=4, label="real, mean")
        ax.set_xticks(x, list(MONTHS))
        style(ax, title=f"{name} passes", xlabel="month", ylabel="polarization ratio, percent" if name == "AM" else "")
    axes[0].legend(fontsize=FONT - 1.5, frameon=False, loc="lower right")
    axes[0].set_ylim(1.0, 11.0)
    fig.savefig(path, dpi=100)


PICTURES = {"uscrn": uscrn, "gipl": gipl, "maqu": maqu}
