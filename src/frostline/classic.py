"""What a record must beat, made without a network: climatology, persistence, the reanalysis, as is or recalibrated.

Each is a record like any other, so it is scored, mapped and fused by the same lines.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import dask.array as da
import numpy as np
import xarray as xr

from frostline.clock import month
from frostline.errors import InputError
from frostline.grid import Grid
from frostline.schema import record

Array = np.ndarray
LEAP_YEAR_DAYS = 366
# days of a leap year before each month: 29 February has a place of its own in every year
_BEFORE_MONTH = np.cumsum([0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30])
_BLOCK_VALUES = 1 << 22


def calendar_day(dates: Any) -> Array:
    """Place in the calendar of a leap year, 1..366: 29 February is 60 and 1 March is 61 in every year.

    >>> calendar_day(["2015-03-01", "2016-02-29", "2016-03-01", "2015-12-31"]).tolist()
    [61, 60, 61, 366]
    """
    date = np.asarray(dates, "datetime64[D]")
    of_month = (date - date.astype("datetime64[M]").astype("datetime64[D]")).astype(int) + 1
    return _BEFORE_MONTH[month(date) - 1] + of_month


def climatology(labels: xr.DataArray, *, days: xr.DataArray, half_window: int = 7) -> xr.DataArray:
    """Share of frozen among the labels of the training days within `half_window` days of the calendar day.

    `labels` (time, overpass, y, x): 1 frozen, 0 thawed, NaN unknown. `days`: bool (time), the training days; no other
    label is read. Gives (dayofyear, overpass, y, x) float32 for `calendar_day` 1..366, NaN where a cell has no label
    in the window; the year's end joins its beginning, and a window over the end of February holds a leap day's
    place. Memory: this table and two counts of two bytes each, whatever the number of years.
    """
    labels = labels.transpose("time", "overpass", "y", "x")
    chosen = np.asarray(days.reindex(time=labels["time"], fill_value=False).values, bool)
    if not chosen.any():
        raise InputError("E-INPUT-TIME", where="climatology", cause="no labelled day is a training day")
    frozen = np.zeros((LEAP_YEAR_DAYS, *labels.shape[1:]), np.uint16)
    known = np.zeros_like(frozen)
    at = np.flatnonzero(chosen)
    place = calendar_day(labels["time"].values) - 1
    step = max(1, _BLOCK_VALUES // max(1, int(np.prod(labels.shape[1:]))))
    for begin in range(0, len(at), step):
        some = at[begin : begin + step]
        block = labels[some].values
        for day, field in zip(place[some], block, strict=True):
            frozen[day] += field == 1
            known[day] += ~np.isnan(field)
    table = np.full(frozen.shape, np.nan, np.float32)
    for day in range(LEAP_YEAR_DAYS):
        window = np.arange(day - half_window, day + half_window + 1) % LEAP_YEAR_DAYS
        count = known[window].sum(axis=0, dtype=np.int64)
        share = frozen[window].sum(axis=0, dtype=np.int64) / np.maximum(count, 1)
        table[day] = np.where(count > 0, share, np.nan)
    coords = {name: labels[name] for name in ("overpass", "y", "x")}
    dims = ("dayofyear", "overpass", "y", "x")
    return xr.DataArray(table, {"dayofyear": np.arange(1, LEAP_YEAR_DAYS + 1), **coords}, dims, name="frozen")


def climatology_record(table: xr.DataArray, times: Any, *, grid: Grid) -> xr.Dataset:
    """The record that repeats a climatology on `times` (datetime64), lazily, a day a chunk."""
    fields = table.transpose("dayofyear", "overpass", "y", "x").values
    place = calendar_day(times) - 1

    def of_day(block: Array) -> Array:
        return fields[block]

    frozen = da.map_blocks(
        of_day,
        da.from_array(place, chunks=1),
        dtype=np.float32,
        new_axis=[1, 2, 3],
        chunks=((1,) * len(place), *((n,) for n in fields.shape[1:])),
        meta=np.empty((0, 0, 0, 0), np.float32),
    )
    attrs = {"source": "day-of-year climatology of the training labels"}
    return record(frozen, grid=grid, time=times, overpass=table["overpass"].values, attrs=attrs)


def persistence(labels: xr.DataArray, *, grid: Grid, lag: int = 1) -> xr.Dataset:
    """The record that claims what the labels said `lag` days before, same overpass; NaN where they said nothing.

    `labels` (time, overpass, y, x) 1, 0, NaN. Days count by date, so a missing date stays unknown.
    """
    labels = labels.transpose("time", "overpass", "y", "x")
    times = labels["time"]
    moved = labels.assign_coords(time=times + np.timedelta64(lag, "D")).reindex(time=times)
    attrs = {"source": f"labels of {lag} day(s) before"}
    return record(moved.data, grid=grid, time=times.values, overpass=labels["overpass"].values, attrs=attrs)


def threshold(temperature: xr.DataArray, *, grid: Grid, below: float = 273.15) -> xr.Dataset:
    """The record of a soil temperature (time, overpass, y, x; K): 1 under `below`, otherwise 0, NaN unknown.

    The reanalysis as a record. 0 degC is the threshold of both papers; Donahue's published code takes 273.0 K.
    """
    temperature = temperature.transpose("time", "overpass", "y", "x")
    frozen = (temperature < below).where(temperature.notnull()).astype(np.float32)
    attrs = {"source": f"soil temperature below {below:g} K"}
    time, overpass = temperature["time"].values, temperature["overpass"].values
    return record(frozen.data, grid=grid, time=time, overpass=overpass, attrs=attrs)


class Logistic(NamedTuple):
    """A logistic regression on standardised predictors: sigma(offset + sum of slope (x - center) / spread)."""

    center: Array  # (predictor,)
    spread: Array
    slope: Array
    offset: float
    n: int  # samples it was fitted on


def fit_logistic(x: Any, frozen: Any, *, weight: Any = None, ridge: float = 1.0, most_steps: int = 50) -> Logistic:
    """The regression of a state on predictors `x` (n, predictor) that makes log loss + ridge/2 |slope|^2 least.

    `frozen` (n,): 1 or 0; samples with a NaN are left out. `weight` (n,) multiplies each sample's log loss, default 1.
    The offset is not penalised; `ridge` counts as samples do,
    so it only matters where there are few, or where the classes do not overlap. Newton's steps, halved while they do
    not improve; the loss is convex. InputError: no sample, or one class only.

    Three of four are frozen where x is 1, one of four where it is 0: without a ridge the odds are 3 and 1/3.

    >>> model = fit_logistic([[1.0]] * 4 + [[0.0]] * 4, [1, 1, 1, 0, 1, 0, 0, 0], ridge=0.0)
    >>> logistic(model, [[1.0], [0.0]]).round(6).tolist()
    [0.75, 0.25]
    """
    x, y = np.asarray(x, np.float64), np.asarray(frozen, np.float64)
    v = np.ones(len(y)) if weight is None else np.asarray(weight, np.float64)
    known = np.isfinite(x).all(axis=1) & np.isfinite(y) & (v > 0)
    x, y, v = x[known], y[known], v[known]
    if not (y == 0).any() or not (y == 1).any():
        cause = f"{int((y == 1).sum())} frozen and {int((y == 0).sum())} thawed cases are known"
        remedy = "give stations and days with both"
        raise InputError("E-INPUT-EMPTY", where="recalibration", cause=cause, remedy=remedy)
    center, spread = x.mean(axis=0), x.std(axis=0)
    spread = np.where(spread > 0, spread, 1.0)  # what never changes says nothing, and divides nothing
    design = np.column_stack([np.ones(len(y)), (x - center) / spread])
    penalty = np.append(0.0, np.full(x.shape[1], float(ridge)))

    def loss(w: Array) -> float:
        z = design @ w
        return float((v * (np.logaddexp(0.0, z) - y * z)).sum() + 0.5 * (penalty * w**2).sum())

    w = np.append(np.log(v[y == 1].sum() / v[y == 0].sum()), np.zeros(x.shape[1]))
    for _ in range(most_steps):
        p = 0.5 + 0.5 * np.tanh(0.5 * (design @ w))
        slope = design.T @ (v * (p - y)) + penalty * w
        curve = (design * (v * p * (1 - p))[:, None]).T @ design + np.diag(penalty)
        step = np.linalg.lstsq(curve, slope, rcond=None)[0]
        now, share = loss(w), 1.0
        while share > 1e-6 and not loss(w - share * step) <= now:
            share /= 2
        w = w - share * step
        if np.abs(share * step).max() < 1e-9:
            break
    return Logistic(center, spread, w[1:], float(w[0]), len(y))


def logistic(model: Logistic, x: Any) -> Array:
    """Probability of frozen of predictors (..., predictor), float32; NaN where one is unknown."""
    z = (np.asarray(x, np.float64) - model.center) / model.spread @ model.slope + model.offset
    return (0.5 + 0.5 * np.tanh(0.5 * z)).astype(np.float32)
