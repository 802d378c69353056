"""What changes over the years: trend maps, means of regions, steps at changes of sensor, and the table of them all.

Yearly values come from `frostline.season`, or from anything else on (year, overpass, *cells*). A trend is Theil-Sen's;
its test and its interval allow for the memory of one year for the last.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from frostline import trends_kernels as kernels
from frostline.clock import OVERPASS_NAMES
from frostline.errors import ConfigError, InputError

Array = np.ndarray
Correction = Literal["yue-wang", "none"]
Interval = Literal["ranks", "bootstrap"]
STATUS = {"ok": 0, "few_years": 1, "constant": 2}
_BLOCK_PAIRS = 1 << 21  # slopes held at once: 16 MiB
_ROBUST = ("mean", "variation", "slope", "lo", "hi", "p", "tau", "r1", "n_effective")
_IN_ROWS = (*_ROBUST, "slope_ols", "lo_ols", "hi_ols", "p_ols")
MIN_YEARS = 10  # the normal approximation of Mann-Kendall; fewer say nothing of a trend either


def trend(
    values: xr.DataArray,
    *,
    correction: Correction = "yue-wang",
    level: float = 0.95,
    min_years: int = MIN_YEARS,
) -> xr.Dataset:
    """The trend of every cell: `values` (year, ...) in units a year, all variables on (...).

    - `slope`, `intercept`: Theil-Sen, value = intercept + slope x year; `lo`, `hi`: its interval from ranks;
    - `z`, `p`, `tau`: Mann-Kendall with ties, two-sided. With `correction="yue-wang"` the variance of S, and with it
      the interval, allows for the lag-1 autocorrelation `r1` of the series without its Sen slope, where that is above
      0 (algorithms.md 5 compares the false alarms of such corrections);
    - `p_fdr`: p adjusted for the many cells of each overpass (Benjamini & Hochberg 1995): marking `p_fdr < 0.05`
      leaves a share of 0.05 of the marked ones false;
    - `slope_ols`, `lo_ols`, `hi_ols`, `p_ols`: least squares with the effective number of years `n_effective`;
    - `mean`, `variation`: over the years, and the standard deviation about the least squares line;
    - `years`: those known; `status`: codes of `STATUS`.

    Unknown years are left out, and years count at their number, so gaps do no harm. With fewer than `min_years` all
    is NaN; where the values never change, slopes are 0 and p is NaN. A lazy array is worked through by blocks of cells.
    """
    _demand(correction in ("yue-wang", "none"), f"correction={correction!r}", "yue-wang or none")
    _demand(0 < level < 1, f"level={level}", "between 0 and 1")
    values = values.transpose("year", ...)
    t = _years(values)
    dims, shape = values.dims[1:], values.shape[1:]
    names = ("slope", "intercept", "lo", "hi", "z", "p", "tau", "slope_ols", "lo_ols", "hi_ols", "p_ols")
    out = {
        name: np.full(shape, np.nan) for name in (*names, "p_fdr", "r1", "n_effective", "mean", "variation", "years")
    }
    out["status"] = np.zeros(shape)
    for where, block in _blocks(values, len(t)):
        found = _of_cells(block.reshape(len(t), -1), t, correction, level, min_years)
        for name, part in found.items():
            out[name][where] = part.reshape(block.shape[1:])
    if "overpass" in dims:
        for k in range(values.sizes["overpass"]):
            at = (slice(None),) * dims.index("overpass") + (k,)
            out["p_fdr"][at] = kernels.false_discovery(out["p"][at])
    else:
        out["p_fdr"] = kernels.false_discovery(out["p"])
    coords = {name: c for name, c in values.coords.items() if "year" not in c.dims}
    ds = xr.Dataset({name: (dims, field.astype(np.float32)) for name, field in out.items()}, coords=coords)
    ds["status"] = (
        ds["status"]
        .astype("uint8")
        .assign_attrs(flag_values=np.array(list(STATUS.values()), "uint8"), flag_meanings=" ".join(STATUS))
    )
    ds["years"] = ds["years"].astype("uint16")
    # float64, since the line is read 2000 years from its intercept
    ds["intercept"] = (dims, out["intercept"])
    about = {"correction": correction, "level": level, "first_year": int(t[0]), "last_year": int(t[-1])}
    return ds.assign_attrs(about, of=str(values.name or ""))


def regional_means(
    values: xr.DataArray,
    regions: Mapping[str, ArrayLike],
    *,
    weights: ArrayLike | None = None,
    mode: Literal["anomalies", "common"] = "anomalies",
) -> xr.Dataset:
    """Yearly means of regions, (year, overpass, region): `mean`, and `cells`, the number known in each year.

    `values` (year, overpass, *cells*); each mask of `regions` has the shape of *cells*; `weights` broadcast to it and
    are the areas of cells (`Grid.area()`), by default equal as on EASE-Grid 2.0.

    A plain mean over the cells known in each year changes with the cells: lose the coldest, and the region warms.
    "common" takes cells known in every year in which the region is known at all. "anomalies" takes all: least squares
    of value = cell + year, so that a year stands as far from another as in the cells that know both; the level
    is the mean of the cells. A year without a cell, or in a set of years that no cell links to the most years, is NaN.
    One pass over blocks of cells; what is held is a square of years a region.
    """
    values = values.transpose("year", "overpass", ...)
    _demand(mode in ("anomalies", "common"), f"mode={mode!r}", "anomalies or common")
    _demand(len(regions) > 0, "no region", "give a mask by name")
    cells, n = values.shape[2:], values.shape[0]
    area = np.broadcast_to(1.0 if weights is None else np.asarray(weights, float), cells)
    masks = {name: _mask(name, mask, cells) for name, mask in regions.items()}
    mean = np.full((n, values.shape[1], len(masks)), np.nan)
    count = np.zeros(mean.shape, np.int64)
    for o in range(values.shape[1]):
        one = values[:, o]
        seen = {name: np.zeros(n, bool) for name in masks}
        if mode == "common":
            for where, block in _blocks(one, n):
                for name, mask in masks.items():
                    seen[name] |= np.isfinite(block[:, mask[where]]).any(axis=1)
        sums = {name: kernels.YearSums(n) for name in masks}
        for where, block in _blocks(one, n):
            for name, mask in masks.items():
                y, w = block[:, mask[where]].astype(float), area[where][mask[where]]
                if mode == "common":
                    y = np.where(np.isfinite(y[seen[name]]).all(axis=0), y, np.nan)
                sums[name].add(y, w)
        for r, part in enumerate(sums.values()):
            mean[:, o, r], count[:, o, r] = part.solve(), part.cells
    dims = ("year", "overpass", "region")
    coords = {"year": values["year"], "overpass": values["overpass"], "region": list(masks)}
    attrs = {"mode": mode, "of": str(values.name or "")}
    return xr.Dataset({"mean": (dims, mean), "cells": (dims, count)}, coords=coords, attrs=attrs)


def crossed(first: Mapping[str, ArrayLike], second: Mapping[str, ArrayLike]) -> dict[str, Array]:
    """Masks of every region in every class, `region/class`.

    >>> {name: mask.tolist() for name, mask in crossed({"plateau": [1, 1, 0]}, {"stable": [0, 1, 1]}).items()}
    {'plateau/stable': [False, True, False]}
    """
    return {f"{a}/{b}": np.asarray(x, bool) & np.asarray(y, bool) for a, x in first.items() for b, y in second.items()}


def steps(values: xr.DataArray, *, at: Sequence[int], level: float = 0.95) -> xr.Dataset:
    """Whether `values` (year, ...) jump at given years: changes of sensor, on (at, ...).

    Least squares of a line and, for each year of `at`, a step that lasts from that year on, all together: `step`,
    `lo`, `hi` and `p` with the effective number of years of the residuals. `slope_with`, `slope_without` (...) are
    slopes with and without the steps. NaN where the years do not tell the terms apart. A step is not proof of
    a sensor's fault: a climate may jump too; `p` is right for years chosen beforehand only.
    """
    values = values.transpose("year", ...)
    t = _years(values)
    inside = [int(a) for a in at if t[0] < a <= t[-1]]
    _demand(len(inside) == len(at) > 0, f"at={list(at)}", f"years after {t[0]:g} and up to {t[-1]:g}")
    line = np.stack([np.ones_like(t), t - t.mean()], axis=1)
    stairs = np.concatenate([line, (t[:, None] >= np.array(inside)).astype(float)], axis=1)
    dims, shape = values.dims[1:], values.shape[1:]
    jumps = {name: np.full((len(inside), *shape), np.nan) for name in ("step", "lo", "hi", "p")}
    slopes = {name: np.full(shape, np.nan) for name in ("slope_with", "slope_without")}
    for where, block in _blocks(values, len(t)):
        y = block.reshape(len(t), -1)
        full = kernels.regress(y, t, stairs)
        jump, se = full.coefficient[2:], full.se_effective[2:]
        bounds = kernels.student(jump, se, full.dof_effective, level=level)
        for name, part in zip(jumps, (jump, *bounds), strict=True):
            jumps[name][(slice(None), *where)] = part.reshape(len(inside), *block.shape[1:])
        slopes["slope_with"][where] = full.coefficient[1].reshape(block.shape[1:])
        slopes["slope_without"][where] = kernels.regress(y, t, line).coefficient[1].reshape(block.shape[1:])
    data: dict[str, Any] = {name: (("at", *dims), part) for name, part in jumps.items()}
    data |= {name: (dims, part) for name, part in slopes.items()}
    coords = {name: c for name, c in values.coords.items() if "year" not in c.dims}
    return xr.Dataset(data, coords={**coords, "at": inside}, attrs={"level": level})


def table(
    means: xr.Dataset,
    *,
    interval: Interval = "ranks",
    correction: Correction = "yue-wang",
    level: float = 0.95,
    min_years: int = MIN_YEARS,
    resamples: int = 1000,
    seed: int = 0,
) -> list[dict[str, Any]]:
    """Rows of the trends of `regional_means`, one a region and overpass; unknown is None.

    `interval="bootstrap"` puts the bounds from circular blocks of residuals into `lo` and `hi`. For a
    paired comparison of two records give the difference of their means: a dataset whose `mean` is one's less the
    other's has a trend of its own, and what the weather did to both is no longer in its interval.
    """
    _demand(interval in ("ranks", "bootstrap"), f"interval={interval!r}", "ranks or bootstrap")
    found = trend(means["mean"], correction=correction, level=level, min_years=min_years)
    t = _years(means["mean"])
    about = means["overpass"].attrs  # a season has more overpasses than a record, and names them
    said = zip(about.get("flag_values", ()), str(about.get("flag_meanings", "")).split(), strict=True)
    names = OVERPASS_NAMES | {int(code): name for code, name in said}
    rows = []
    for o, code in enumerate(means["overpass"].values):
        for r, region in enumerate(means["region"].values):
            of = found.isel(overpass=o, region=r)
            series, cells = (means[name].isel(overpass=o, region=r).values for name in ("mean", "cells"))
            known = np.isfinite(series)
            row: dict[str, Any] = {
                "region": str(region),
                "overpass": names.get(int(code), str(code)),
                "years": int(of["years"]),
                "cells": int(np.median(cells[known])) if known.any() else 0,
                "interval": interval,
                "status": list(STATUS)[int(of["status"])],
            }
            row |= {name: _number(of[name]) for name in _IN_ROWS}
            if interval == "bootstrap" and row["slope"] is not None:
                bounds = kernels.bootstrap_interval(series, t, resamples=resamples, level=level, seed=seed)
                row["lo"], row["hi"] = map(_number, bounds)
            rows.append(row)
    return rows


def _of_cells(y: Array, t: Array, correction: str, level: float, min_years: int) -> dict[str, Array]:
    """All of `trend` but `p_fdr` for cells (n, cells)."""
    known = np.isfinite(y)
    n = known.sum(axis=0)
    enough = n >= max(min_years, 3)
    y = np.where(enough, y, np.nan)
    middle = t.mean()
    since = t - middle  # smaller numbers for the sums of squares
    line, intercept = kernels.sen(y, since)
    r1 = kernels.lag_one(y - line * since[:, None], since)
    test = kernels.mann_kendall(y)
    if correction == "yue-wang":
        test = kernels.scored(test.s, test.variance * kernels.yue_wang(r1, n), test.tau)
    low, high = kernels.sen_interval(y, since, test.variance, level=level)
    fit = kernels.regress(y, since, np.stack([np.ones_like(since), since], axis=1))
    slope = fit.coefficient[1]
    lo, hi, p = kernels.student(slope, fit.se_effective[1], fit.dof_effective, level=level)
    found = {
        "slope": line,
        "intercept": intercept - line * middle,
        "lo": low,
        "hi": high,
        "z": test.z,
        "p": test.p,
        "tau": test.tau,
        "slope_ols": slope,
        "lo_ols": lo,
        "hi_ols": hi,
        "p_ols": p,
        "r1": r1,
        "n_effective": fit.n_effective,
        "mean": np.where(known, y, 0.0).sum(axis=0) / np.maximum(n, 1),
        "variation": fit.spread,
    }
    found = {name: np.where(enough, part, np.nan) for name, part in found.items()}
    code = np.where(enough, np.where(np.isfinite(found["z"]), STATUS["ok"], STATUS["constant"]), STATUS["few_years"])
    return {**found, "years": n, "status": code}


def _blocks(values: xr.DataArray, n: int) -> Iterator[tuple[Any, Array]]:
    """Places among the dimensions after `year`, and their values (n, ...): rows of the longest of these at a time."""
    shape = values.shape[1:]
    if not shape:
        yield (), np.asarray(values.values, np.float64)
        return
    axis = int(np.argmax(shape))
    others = max(1, math.prod(shape) // max(1, shape[axis]))
    step = max(1, _BLOCK_PAIRS // (others * max(1, n * (n - 1) // 2)))
    for begin in range(0, shape[axis], step):
        where = (slice(None),) * axis + (slice(begin, begin + step),)
        yield where, np.asarray(values[(slice(None), *where)].values, np.float64)


def _years(values: xr.DataArray) -> Array:
    t = np.asarray(values["year"].values, float)
    if not len(t) or not np.all(np.diff(t) > 0):
        raise InputError("E-INPUT-TIME", where="trends", cause="no year, or years that do not rise")
    return t


def _mask(name: str, mask: ArrayLike, cells: tuple[int, ...]) -> Array:
    array = np.asarray(mask, bool)
    if array.shape != cells:
        cause = f"has shape {array.shape}, the cells have {cells}"
        raise InputError("E-INPUT-SCHEMA", where=name, cause=cause, remedy="give one value per cell")
    return array


def _number(value: Any) -> float | None:
    number = float(value)
    return number if math.isfinite(number) else None


def _demand(true: bool, cause: str, remedy: str) -> None:
    if not true:
        raise ConfigError("E-CONFIG", where="trends", cause=cause, remedy=remedy)
