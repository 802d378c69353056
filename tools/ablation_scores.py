"""Scores of an ablation's runs: read, averaged over seeds, and held against what was to be reached."""

import json
from collections.abc import Iterable, Mapping
from math import sqrt
from pathlib import Path
from typing import Any, NamedTuple

SETS = {"SMAP": "unet_1", "AMSR18": "unet_18", "AMSR36": "unet_36", "AMSR18+36": "unet_18_36", "AMSR+SMAP": "unet"}
SINGLE = ("unet_1", "unet_18", "unet_36")
PASSES = ("am", "pm")
TRAINED, HELDOUT = "area:trained", "area:heldout"
Scores = Mapping[int, Mapping[tuple[str, ...], Mapping[str, Any]]]  # seed -> (record, against, overpass, ...) -> row


class Mean(NamedTuple):
    """A score's mean over seeds with its interval, the cell-days of all seeds, and each seed's value."""

    value: float
    lo: float
    hi: float
    n: int
    seeds: tuple[float, ...]


def read(folder: Path) -> dict[tuple[str, ...], Mapping[str, Any]]:
    """The held-out rows of a finished run by (record, against, overpass, stratum, score)."""
    found = {}
    for name in ("scores.json", "scores_trees.json"):
        path = folder / name
        for row in json.loads(path.read_text(encoding="utf-8")) if path.exists() else ():
            if row["split"] == "heldout" and row["value"] is not None:
                found[tuple(str(row[k]) for k in ("record", "against", "overpass", "stratum", "score"))] = row
    if not found:
        raise SystemExit(f"{folder} has no scores of held-out days: run this without --tables")
    return found


def mean(
    scores: Scores, record: str, against: str, overpass: str, stratum: str, score: str = "accuracy"
) -> Mean | None:
    """Mean over seeds (and over both passes for `both`); None where a seed has no such score.

    The interval takes seeds as independent: their half widths add in squares, over the number of seeds. Passes of a
    seed err on the same days, so their half widths are averaged. NaN where a seed has no interval.
    """
    wanted = PASSES if overpass == "both" else (overpass,)
    values, below, above, n = [], [], [], 0
    for of_seed in scores.values():
        found = [of_seed[key] for one in wanted if (key := (record, against, one, stratum, score)) in of_seed]
        if len(found) < len(wanted):
            return None
        values.append(_average(row["value"] for row in found))
        below.append(_average(row["value"] - _known(row["lo"]) for row in found))
        above.append(_average(_known(row["hi"]) - row["value"] for row in found))
        n += sum(row["n"] for row in found)
    value = _average(values)
    low, high = (sqrt(sum(w * w for w in side)) / len(side) for side in (below, above))
    return Mean(value, value - low, value + high, n, tuple(values))


def others(scores: Scores) -> list[str]:
    """Records that are neither nets nor the reanalysis, in the order of the seeds: what a net must beat."""
    named = dict.fromkeys(key[0] for of_seed in scores.values() for key in of_seed if key[4] == "accuracy")
    return [name for name in named if not name.startswith("unet") and name != "reanalysis"]


def verdicts(scores: Scores) -> list[str]:
    """Each threshold, met or not, with its figures: against the truth, in the held-out year, passes averaged."""
    best = max(SINGLE, key=lambda name: _value(scores, name))
    lines = [
        _ahead(scores, "reanalysis", points=3.0, each=2.0),
        _ahead(scores, "climatology_truth", points=1.5),
        _ahead(scores, best, points=1.0, why="the best single frequency"),
        _ahead(scores, "unet_18_36", points=0.5),
        _below(scores, "Brier score", "truth", TRAINED, "brier", limit=0.055),
    ]
    lines += [_ahead(scores, name, points=0.0) for name in others(scores) if name != "climatology_truth"]
    if "trees" not in others(scores):
        lines.append("- not known: boosted trees on the same features and labels (not run)")
    lines += [_ahead(scores, "reanalysis", points=0.0, area=HELDOUT), _near(scores), *_calibration(scores)]
    return lines


def _ahead(
    scores: Scores, other: str, *, points: float, each: float | None = None, area: str = TRAINED, why: str = ""
) -> str:
    """Whether all bands are so many points of accuracy ahead of another record, on the cell-days that both know.

    Of the paired difference, since a classic algorithm has a sample of its own.
    """
    paired = mean(scores, f"unet-{other}", "truth", "both", area, "accuracy_difference")
    name = f"{other}, {why}," if why else other
    what = f"all inputs at least {points:g} points above {name} in the {_place(area)}"
    what += f", each seed {each:g}" if each is not None else ""
    if paired is None:
        return f"- not known: {what}"
    gains = [100 * gain for gain in paired.seeds]
    met = _average(gains) >= points and (each is None or min(gains) >= each)
    ends = f"[{100 * paired.lo:+.1f}, {100 * paired.hi:+.1f}]".replace("+nan", "-")
    return f"- {_said(met)}: {what}: {_average(gains):+.1f} {ends}, seeds {_list(gains, '+.1f')} (n {paired.n})"


def _below(scores: Scores, name: str, against: str, stratum: str, score: str, *, limit: float) -> str:
    """Whether a score of all bands is at most so large."""
    found = mean(scores, "unet", against, "both", stratum, score)
    what = f"{name} of all inputs against {against}, {_place(stratum)}, at most {limit:g}"
    if found is None:
        return f"- not known: {what}"
    ends = f"[{found.lo:.3f}, {found.hi:.3f}]".replace("nan", "-")
    shown = f"{found.value:.3f} {ends}, seeds {_list(found.seeds, '.3f')} (n {found.n})"
    return f"- {_said(found.value <= limit)}: {what}: {shown}"


def _near(scores: Scores) -> str:
    """Whether each seed loses at most four points where no cell was taught."""
    inside, outside = (mean(scores, "unet", "truth", "both", area) for area in (TRAINED, HELDOUT))
    what = "each seed's held-out area at most 4 points below the trained area"
    if inside is None or outside is None:
        return f"- not known: {what}"
    gains = [100 * (b - a) for a, b in zip(inside.seeds, outside.seeds, strict=True)]
    return f"- {_said(min(gains) >= -4)}: {what}: seeds {_list(gains, '+.1f')} (n {inside.n}, {outside.n})"


def _calibration(scores: Scores) -> list[str]:
    """ECE at stations that neither taught nor calibrated: small, and no worse than without calibration."""
    lines = [_below(scores, "ECE", "stations", "all", "ece", limit=0.03)]
    now, raw = (mean(scores, name, "stations", "both", "all", "ece") for name in ("unet", "unet_raw"))
    what = "ECE of all inputs against stations no worse than uncalibrated"
    if now is None or raw is None:
        lines.append(f"- not known: {what}")
    else:
        lines.append(f"- {_said(now.value <= raw.value)}: {what}: {now.value:.4f}, uncalibrated {raw.value:.4f}")
    for against in ("stations", "truth"):
        for score, name in (("ece", "ECE"), ("ece_middle", "ECE for 0.05 < p < 0.95")):
            for record in ("unet", "unet_raw"):
                m = mean(scores, record, against, "both", "all", score)
                if m is not None:
                    ends = f"[{m.lo:.3f}, {m.hi:.3f}]".replace("nan", "-")
                    lines.append(f"- shown: {name} of {record} against {against}: {m.value:.3f} {ends} (n {m.n})")
    return lines


def _value(scores: Scores, record: str) -> float:
    found = mean(scores, record, "truth", "both", TRAINED)
    return -1.0 if found is None else found.value


def _average(values: Iterable[float]) -> float:
    kept = list(values)
    return sum(kept) / len(kept)


def _known(value: float | None) -> float:
    return float("nan") if value is None else value


def _place(stratum: str) -> str:
    return {TRAINED: "trained area", HELDOUT: "held-out area", "all": "whole window"}[stratum]


def _said(met: bool) -> str:
    return "met" if met else "**not met**"


def _list(values: Iterable[float], how: str) -> str:
    return ", ".join(f"{value:{how}}" for value in values)
