"""A cell's year: how much of it was observed, filled or unknown, how well it agrees, and whether it freezes at all."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from frostline.clock import month
from frostline.errors import InputError
from frostline.schema import QUALITY

Array = np.ndarray
AGES = {"observed": (0, 0), "filled_1_2": (1, 2), "filled_3": (3, 254)}  # days to the nearest observation
# NSIDC-0477's words for its annual quality; the value they are for is ours (formats.md 2 knows only its range)
CUTS = {"low": 0.0, "moderate": 0.70, "good": 0.85, "best": 0.95}
NO_CLASS = 255
YEAR_DAYS = 365.25
_BLOCK_VALUES = 1 << 22
_NAMES = {
    "observed": "share of days known, all inputs observed that day",
    "filled_1_2": "share of days known, an input 1 or 2 days from its observation",
    "filled_3": "share of days known, an input 3 days or more from its observation",
    "unknown": "share of days unknown",
    "input_missing": "share of days with no input at all",
    "low_confidence": "share of days known whose probability is near one half",
    "agreement": "share of the days known to both that agrees with the reanalysis",
    "brier": "Brier score against the reanalysis",
    "qa": "share of the reanalysis' days that are known and agree",
    "qa_class": "class of qa: best above 0.95, good from 0.85, moderate from 0.70, low",
    "days": "days of the record in the year",
    "compared": "days known to record and reanalysis",
}


def annual_quality(record: xr.Dataset, reference: xr.DataArray | None, *, days: Any) -> xr.Dataset:
    """Quality of some days (a year's) of a record by cell, on (overpass, y, x), float32 shares and two counts.

    `record` holds `frozen` and, where it has them, `quality` and `age`; `reference` (time, overpass, y, x) is 1 frozen,
    0 thawed, NaN; `days` are dates that both have. Variables: `observed`, `filled_1_2`, `filled_3` (of records with
    `age`), `unknown`, `input_missing`, `low_confidence` (with `quality`), `days`; with a reference `agreement` (a
    probability of exactly 0.5 is half right), `brier`, `compared`, `qa` and `qa_class`.

    `qa` counts a day on which the record is unknown as not agreeing: a gap is no quality. `qa_class` is 0 low (below
    0.70), 1 moderate, 2 good (from 0.85), 3 best (above 0.95), 255 where the reference knows no day. The cuts are
    those of NSIDC-0477's annual quality; its value is a regression on its own flags, so classes are of one kind only,
    not of one scale. Agreement with a teacher is no proof of skill. InputError without any day.
    """
    dates = np.asarray(days, "datetime64[ns]")
    if not len(dates):
        raise InputError("E-INPUT-TIME", where="annual quality", cause="no day of the year lies in the record")
    ds = record.sel(time=dates).transpose("time", "overpass", "y", "x")
    shape = (ds.sizes["overpass"], ds.sizes["y"], ds.sizes["x"])
    has = {name: name in ds for name in ("quality", "age")}
    names = ["unknown", *(AGES if has["age"] else ())]
    names += ["input_missing", "low_confidence"] if has["quality"] else []
    sums = {name: np.zeros(shape) for name in names}
    against = {name: np.zeros(shape) for name in ("right", "squares", "compared", "reference")}
    step = max(1, _BLOCK_VALUES // int(np.prod(shape)))
    for begin in range(0, len(dates), step):
        block = ds.isel(time=slice(begin, begin + step)).load()
        p = block["frozen"].values
        known = np.isfinite(p)
        sums["unknown"] += (~known).sum(axis=0)
        for name, (low, high) in AGES.items() if has["age"] else ():
            age = block["age"].values
            sums[name] += (known & (age >= low) & (age <= high)).sum(axis=0)
        if has["quality"]:
            bits = block["quality"].values
            sums["input_missing"] += ((bits & QUALITY["input_missing"]) > 0).sum(axis=0)
            sums["low_confidence"] += (known & ((bits & QUALITY["low_confidence"]) > 0)).sum(axis=0)
        if reference is not None:
            truth = reference.sel(time=block["time"]).transpose("time", "overpass", "y", "x").values
            both = known & np.isfinite(truth)
            error = np.where(both, p.astype(float) - truth, 0.0)
            against["right"] += np.where(both, (np.abs(error) < 0.5) + 0.5 * (np.abs(error) == 0.5), 0.0).sum(axis=0)
            against["squares"] += (error**2).sum(axis=0)
            against["compared"] += both.sum(axis=0)
            against["reference"] += np.isfinite(truth).sum(axis=0)
    found = {name: (total / len(dates)).astype("f4") for name, total in sums.items()}
    found["days"] = np.full(shape, len(dates), "u2")
    if reference is not None:
        found |= _against(against)
    dims = ("overpass", "y", "x")
    out = xr.Dataset({name: (dims, values) for name, values in found.items()}, coords={"overpass": ds["overpass"]})
    for key, variable in out.data_vars.items():
        variable.attrs.update(long_name=_NAMES[str(key)], units="1")
    if "qa_class" in out:
        flags = np.array([*range(len(CUTS)), NO_CLASS], "uint8")
        out["qa_class"].attrs.update(flag_values=flags, flag_meanings=" ".join([*CUTS, "none"]))
    return out


def classes(qa: Array) -> Array:
    """The class of each value, uint8.

    >>> classes(np.array([0.69, 0.7, 0.85, 0.95, 0.951, np.nan])).tolist()
    [0, 1, 2, 2, 3, 255]
    """
    found = (qa >= CUTS["moderate"]).astype(np.uint8) + (qa >= CUTS["good"]) + (qa > CUTS["best"])
    return np.where(np.isfinite(qa), found, NO_CLASS).astype(np.uint8)


def frozen_days_a_year(states: xr.DataArray, *, days: Array) -> Array:
    """Frozen days a year (y, x) by states (time, overpass, y, x), 1 frozen, 0 thawed, NaN, over chosen `days` (bool).

    The mean over calendar months of the share of known overpasses that is frozen, each month weighed by its length, so
    that a span of other than whole years favours no season; months that were never known are left out. NaN where none
    was. Memory: a block of days and twenty-four fields.
    """
    chosen = np.flatnonzero(days)
    frozen, known = (np.zeros((12, *states.shape[2:])) for _ in range(2))
    step = max(1, _BLOCK_VALUES // int(np.prod(states.shape[1:])))
    for begin in range(0, len(chosen), step):
        at = chosen[begin : begin + step]
        values = states[at].values
        months = month(states["time"].values[at]) - 1
        for m in np.unique(months):
            part = values[months == m]
            frozen[m] += np.nansum(part, axis=(0, 1))
            known[m] += np.isfinite(part).sum(axis=(0, 1))
    length = np.array([31, 28.25, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])[:, None, None] * (known > 0)
    share = (length * frozen / np.maximum(known, 1)).sum(axis=0)
    whole = length.sum(axis=0)
    return np.where(whole > 0, YEAR_DAYS * share / np.where(whole > 0, whole, 1), np.nan)


def domain(frozen_days: Array, *, low: float, high: float) -> Array:
    """Cells (bool) that freeze and thaw: `low` to `high` frozen days a year, both included; unknown ones do not.

    >>> domain(np.array([4.9, 5, 360, 361, np.nan]), low=5, high=360).tolist()
    [False, True, True, False, False]
    """
    with np.errstate(invalid="ignore"):
        return (frozen_days >= low) & (frozen_days <= high)


def rule(low: float, high: float, *, by: str, first: Any, last: Any) -> str:
    """The domain's rule in words, for attributes."""
    return f"{low:g} to {high:g} frozen days a year by {by}, {str(first)[:10]} to {str(last)[:10]}"


def _against(sums: dict[str, Array]) -> dict[str, Array]:
    """Agreement, Brier score, quality and its class of sums over days."""
    compared = np.where(sums["compared"] > 0, sums["compared"], np.nan)
    qa = sums["right"] / np.where(sums["reference"] > 0, sums["reference"], np.nan)
    return {
        "agreement": (sums["right"] / compared).astype("f4"),
        "brier": (sums["squares"] / compared).astype("f4"),
        "compared": sums["compared"].astype("u2"),
        "qa": qa.astype("f4"),
        "qa_class": classes(qa),
    }
