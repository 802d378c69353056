"""Rows of `trends.json` from yearly frozen days: trends, their pairs with the truth, breaks and means of regions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np
import xarray as xr
from scipy.special import stdtrit

from frostline.errors import InputError
from frostline.read.esdr import SATELLITES
from frostline.season import CODES
from frostline.trends import Correction, crossed, regional_means, steps, table, trend

Array = np.ndarray
Groups = dict[str, dict[str, Array]]  # masks (y, x) by name, by group
Row = dict[str, Any]
# First days of the satellites whose records are used, and of SMAP's (formats.md 1.3): where a trend may break
SENSORS = tuple(sorted((*SATELLITES[1:], ("SMAP", np.datetime64("2015-03-31"))), key=lambda sensor: sensor[1]))
SEGMENT = 3  # years that must lie on either side of a break: of fewer nothing is told from the weather
_SEPARATOR = "|"


def groups_of(land: Array, codes: Mapping[str, tuple[Array, Sequence[str]]]) -> Groups:
    """Masks of all land and of each class of each map of codes (1 is the first name), and of the first two crossed.

    Without a cell a class is left out. InputError where a map has a code beyond its names, or nothing is land.
    """
    if not np.any(land):
        raise InputError("E-INPUT-EMPTY", where="stack.zarr", cause="not one cell is land", remedy="check grid.center")
    groups: Groups = {"all": {"all": np.asarray(land, bool)}}
    for group, (field, names) in codes.items():
        highest = np.where(land, np.nan_to_num(field), 0).max()
        if highest > len(names):
            raise InputError(
                "E-INPUT-SCHEMA", where=group, cause=f"has code {highest:g}, but {len(names)} names: {', '.join(names)}"
            )
        groups[group] = {name: land & (field == code) for code, name in enumerate(names, 1)}
    if len(codes) > 1:
        first, second = list(codes)[:2]
        groups[f"{first}/{second}"] = crossed(groups[first], groups[second])
    return {group: kept for group, held in groups.items() if (kept := {n: m for n, m in held.items() if m.any()})}


def trend_rows(
    days: Mapping[str, xr.DataArray],
    groups: Groups,
    *,
    area: Array,
    truth: xr.DataArray | None,
    start_month: int,
    correction: Correction,
    level: float,
    breaks_in: Sequence[str] = ("all", "region"),
) -> dict[str, list[Row]]:
    """`rows` and `means` of records' frozen days (year, overpass, y, x) in each group, `breaks` in those asked for.

    `area` (y or 1, x or 1) weighs the cells. With `truth` on the same dimensions it has rows of its own, and each
    record is paired with it on their common cells and years: `difference` is the trend of record - truth, `kept` the
    share 1 + difference / slope of the truth; its interval takes the truth's slope, which is that of these very years,
    as known. It is told where the interval reaches no further than the whole slope up or down. `later_*` is the trend
    without the first radiometer's years (from `later_from` on). Values in days, slopes in days a year; unknown is None.
    """
    masks = {f"{group}{_SEPARATOR}{name}": mask for group, held in groups.items() for name, mask in held.items()}
    rows: list[Row] = []
    breaks: list[Row] = []
    means: list[Row] = []
    options: dict[str, Any] = {"correction": correction, "level": level}
    after_first = year_of(SENSORS[0][1], start_month)
    everything = dict(days) if truth is None else {**days, "truth": truth}
    for record, field in everything.items():
        field = field.compute()
        series = regional_means(field, masks, weights=area)
        own = table(series, **options)
        later = table(series.where(series["year"] >= after_first), **options)
        pairs: list[Row | None] = [None] * len(own)
        apart: xr.Dataset | None = None
        if truth is not None and record != "truth":
            known, true = xr.align(field, truth.compute(), join="inner")
            apart = regional_means(known - true, masks, weights=area)
            reference = regional_means(true.where(known.notnull()), masks, weights=area)
            both = zip(table(apart, **options), table(reference, **options), strict=True)
            pairs = [_pair(difference, of_truth) for difference, of_truth in both]
        places = product(series["overpass"].values.tolist(), masks)  # the order of `trends.table`
        for (code, key), found, rest, pair in zip(places, own, later, pairs, strict=True):
            group, name = key.split(_SEPARATOR, 1)
            here = {"record": record, "group": group, "name": name, "overpass": CODES[code]}
            at = {"overpass": code, "region": key}
            line = series["mean"].sel(at)
            since = {"later_from": after_first, **{f"later_{k}": rest[k] for k in ("slope", "lo", "hi", "p")}}
            rows.append({**here, **_told(found), **since, **(pair or {}), "yearly": _numbers(line.values)})
            gap = None if apart is None else apart["mean"].sel(at)
            off = None if gap is None else _number(gap.mean())
            means.append({**here, **_mean(line, level), "n_cells": found["cells"], "bias": off})
            if group in breaks_in:
                breaks += [{**here, **row} for row in break_rows(line, gap, start_month=start_month, level=level)]
    return {"rows": rows, "breaks": breaks, "means": means}


def break_rows(series: xr.DataArray, difference: xr.DataArray | None, *, start_month: int, level: float) -> list[Row]:
    """Whether a series (year) of a record steps at the sensors' first days, and its `difference` to the truth does.

    A sensor counts from the year most of whose days it saw. All steps are fitted together; those with fewer than
    `SEGMENT` known years on a side have no number, and say so in `status`.
    """
    years = series["year"].values[np.isfinite(series.values)]
    first, last = series["year"].values[[0, -1]]
    dated = [(name, day, year_of(day, start_month)) for name, day in SENSORS]
    dated = [sensor for sensor in dated if first < sensor[2] <= last]
    fits = _separable([year for _, _, year in dated], years)
    out: list[Row] = []
    own = _steps(series, fits, level)
    pair = None if difference is None else _steps(difference, fits, level)
    for name, day, year in dated:
        row: Row = {"sensor": name, "date": str(day), "year": year, "status": "ok" if year in fits else "few_years"}
        row |= {key: own.get((key, year)) for key in ("step", "lo", "hi", "p", "slope_with", "slope_without")}
        if pair is not None:
            row |= {f"difference_{key}": pair.get((key, year)) for key in ("step", "lo", "hi", "p")}
        out.append(row)
    return out


def year_of(day: np.datetime64, start_month: int) -> int:
    """The first year, begun on the first of `start_month`, that lies for its greater part after a day.

    >>> [year_of(np.datetime64(d), 8) for d in ("1987-07-09", "1991-12-12", "2015-03-31")]
    [1987, 1991, 2015]
    """
    year = int(day.astype("datetime64[Y]").astype(int)) + 1970
    begins = [np.datetime64(f"{y:04d}-{start_month:02d}-01") for y in (year - 1, year, year + 1)]
    half = np.timedelta64(183, "D")
    return next(y for y, begin in zip((year - 1, year, year + 1), begins, strict=True) if begin + half > day)


def cell_trends(days: Mapping[str, xr.DataArray], *, correction: Correction, level: float) -> xr.Dataset:
    """Maps (record, overpass, y, x): `slope`, `lo`, `hi` (day a year), `p`, `p_fdr`, `years` and `significant`.

    `significant` is 1 where p holds against the many cells of a record and overpass (Benjamini and Hochberg 1995, a
    share of 1 - `level` of the marked ones false), 0 where not, NaN where there is no test.
    """
    found = []
    for field in days.values():
        one = trend(field, correction=correction, level=level)[["slope", "lo", "hi", "p", "p_fdr", "years"]]
        marked = xr.where(one["p_fdr"].isnull(), np.nan, one["p_fdr"] < 1 - level)
        found.append(one.assign(significant=marked.astype(np.float32)))
    ds = xr.concat(found, xr.DataArray(list(days), dims="record", name="record"), coords="minimal", compat="override")
    for name in ("slope", "lo", "hi"):
        ds[name].attrs["units"] = "day year-1"
    return ds.assign_attrs(correction=correction, level=level, of="frozen_days")


def _pair(difference: Row, truth: Row) -> Row:
    """What a record differs from the truth by, on the cells and years of both."""
    told = {"difference": difference["slope"], "difference_lo": difference["lo"], "difference_hi": difference["hi"],
            "difference_p": difference["p"], "truth_slope": truth["slope"], "bias": difference["mean"],
            "pair_cells": difference["cells"], "pair_years": difference["years"]}  # fmt: skip
    kept: list[float | None] = [None, None, None]
    slope, shift = truth["slope"], difference["slope"]
    if slope and shift is not None and difference["hi"] - difference["lo"] <= 2 * abs(slope):
        ends = sorted(1 + difference[end] / slope for end in ("lo", "hi"))
        kept = [1 + shift / slope, *ends]
    return told | dict(zip(("kept", "kept_lo", "kept_hi"), kept, strict=True))


def _told(found: Row) -> Row:
    """A row of `trends.table` by the names of `trends.json`."""
    names = {"cells": "n_cells", "slope_ols": "ols", "lo_ols": "ols_lo", "hi_ols": "ols_hi", "p_ols": "ols_p"}
    return {names.get(key, key): value for key, value in found.items() if key not in ("region", "overpass")}


def _mean(line: xr.DataArray, level: float) -> Row:
    """The mean over the years, however few, with its interval for years as good as `n_effective`; and how they vary.

    `iav` is the standard deviation about the least squares line, from three years on.
    """
    mean, years = _number(line.mean()), int(line.notnull().sum())
    found = trend(line, level=level, min_years=3)
    spread, n = _number(found["variation"]), _number(found["n_effective"])
    lo = hi = None
    if mean is not None and spread is not None and n is not None and n > 1:
        reach = float(stdtrit(n - 1, (1 + level) / 2)) * spread / np.sqrt(n)
        lo, hi = mean - reach, mean + reach
    return {"mean": mean, "lo": lo, "hi": hi, "iav": spread, "years": years}


def _separable(at: Sequence[int], years: Array) -> list[int]:
    """The breaks that leave at least `SEGMENT` known years between each other and the ends."""
    kept: list[int] = []
    for year in at:
        before = years[(years < year) & (years >= (kept[-1] if kept else -9999))]
        if len(before) >= SEGMENT and (years >= year).sum() >= SEGMENT:
            kept.append(year)
    return kept


def _steps(series: xr.DataArray, at: Sequence[int], level: float) -> dict[tuple[str, int], float | None]:
    """Each number of `trends.steps` by (name, year)."""
    if not at:
        return {}
    found = steps(series, at=at, level=level)
    out = {(key, year): _number(found[key].sel(at=year)) for key in ("step", "lo", "hi", "p") for year in at}
    return out | {(key, year): _number(found[key]) for key in ("slope_with", "slope_without") for year in at}


def _number(value: Any) -> float | None:
    number = float(value)
    return number if np.isfinite(number) else None


def _numbers(values: Array) -> list[float | None]:
    return [_number(value) for value in values]
