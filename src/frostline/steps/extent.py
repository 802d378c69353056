"""Seasonal figures' data of a record store: mean and spread of annual frozen days, daily extent, AM - PM difference."""

from __future__ import annotations

import numpy as np
import xarray as xr

from frostline import season
from frostline.classic import LEAP_YEAR_DAYS, calendar_day
from frostline.clock import AM, OVERPASS_NAMES, PM
from frostline.grid import Grid

Array = np.ndarray
KNOWN = 0.5  # share of the land's area that must be known for a day's extent, as of a month's days for frozen days
_SPREAD_YEARS = 2  # of one year there is no spread


def annual(record: xr.Dataset, grid: Grid, land: Array) -> xr.Dataset:
    """Frozen days of the frost years of a record: `mean`, `sd` (day) and `years`, on (overpass, y, x).

    `land` (y, x) bool. A cell counts the frost years (from 1 August) in which each month has half of its days
    (`season.yearly`); without such a year it is NaN, without a second one its `sd`. Where the record has AM and PM,
    `am_minus_pm` (y, x, day) is over the years that know both, and its attributes are Donahue 2023's numbers by
    `season.am_minus_pm`, weighted by area: mean_absolute, sd_absolute (day), am_longer (0..1), cells; NaN and 0 where
    no year is known. Held: one year, and five fields an overpass.
    """
    codes = [int(c) for c in record["overpass"].values]
    shape = (len(codes), *grid.shape)
    count, mean, squares = (np.zeros(shape) for _ in range(3))
    pairs, sums = np.zeros(grid.shape), np.zeros((2, *grid.shape))
    paired = {AM, PM} <= set(codes)
    years: list[int] = []
    for one in season.yearly(record, rule=None, overpasses=codes):
        days = np.where(land, one["frozen_days"].values[0], np.nan).astype(float)
        known = np.isfinite(days)
        if known.any():
            years += one["year"].values.tolist()
        step = np.where(known, days - mean, 0.0)  # Welford: sums of squares far from 0 lose digits
        count += known
        mean += step / np.maximum(count, 1)
        squares += step * np.where(known, days - mean, 0.0)
        if paired:
            two = days[[codes.index(AM), codes.index(PM)]]
            both = np.isfinite(two).all(axis=0)
            pairs += both
            sums += np.where(both, two, 0.0)
    dims = ("overpass", "y", "x")
    spread = np.sqrt(squares / np.maximum(count - 1, 1))
    found = xr.Dataset(
        {
            "mean": (dims, np.where(count > 0, mean, np.nan).astype("f4"), _day("mean annual frozen days")),
            "sd": (
                dims,
                np.where(count >= _SPREAD_YEARS, spread, np.nan).astype("f4"),
                _day("their spread over years"),
            ),
            "years": (dims, count.astype("u2"), {"long_name": "frost years known"}),
        },
        coords={"overpass": record["overpass"]},
        attrs={"frost_years": years, "year_begins": "1st of August", "gap_rule": "each month's days x frozen / valid"},
    )
    if paired:
        halves = np.where(pairs > 0, sums / np.maximum(pairs, 1), np.nan)[None]
        field = xr.DataArray(halves, {"overpass": [AM, PM]}, ("year", *dims))
        difference, numbers = season.am_minus_pm(field, weights=grid.area())
        about = {**_day("AM - PM frozen days"), **numbers}
        found["am_minus_pm"] = (dims[1:], difference.values.astype("f4"), about)
    return grid.write(found)


def daily_extent(record: xr.Dataset, grid: Grid, land: Array) -> xr.Dataset:
    """Frozen and thawed area of the land, day by day, and its mean and spread over years by day of the year.

    `land` (y, x) bool. On (time, overpass): `frozen`, `thawed`, `unknown` (km2), and `frozen_share`, the part of the
    known land that is frozen (%), NaN where less than half of the land is known. On (dayofyear, overpass), for
    `classic.calendar_day` 1..366 (29 February, 60, has a place of its own): `frozen_share_mean`, `frozen_share_sd`
    (%), `frozen_mean`, `thawed_mean` and `frozen_sd` (km2; share of the known, times all land), `years`; `sd` needs
    two years. Attributes of `frozen_share_sd`, a value an overpass: `at_maximum` on the day of the largest mean,
    `in_transition` on average of the days where the mean lies within a quarter and three quarters of its range
    (%; NaN where one year is all there is). Held: a block of days.
    """
    areas = season.extent(record, area=grid.area() / 1e6, within=land)
    whole = float(np.broadcast_to(grid.area() / 1e6, grid.shape)[land].sum())
    known = areas["frozen"] + areas["thawed"]
    share = (100 * areas["frozen"] / known.where(known > 0)).where(known >= KNOWN * whole)
    places = calendar_day(record["time"].values) - 1
    shape = (LEAP_YEAR_DAYS, share.sizes["overpass"])
    count, total, squares = np.zeros(shape, int), np.zeros(shape), np.zeros(shape)
    values = share.transpose("time", "overpass").values
    valid = np.isfinite(values)
    np.add.at(count, places, valid)
    np.add.at(total, places, np.where(valid, values, 0.0))
    mean = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    np.add.at(squares, places, np.where(valid, values - mean[places], 0.0) ** 2)
    sd = np.where(count >= _SPREAD_YEARS, np.sqrt(squares / np.maximum(count - 1, 1)), np.nan)
    dims = ("dayofyear", "overpass")
    percent, km2 = {"units": "percent"}, {"units": "km2"}
    spread = {**percent, "at_maximum": _at_maximum(mean, sd), "in_transition": _in_transition(mean, sd)}
    out = areas.assign(frozen_share=share).assign_coords(dayofyear=np.arange(1, LEAP_YEAR_DAYS + 1))
    out = out.assign(
        frozen_share_mean=(dims, mean, percent),
        frozen_share_sd=(dims, sd, spread),
        frozen_mean=(dims, mean * whole / 100, km2),
        thawed_mean=(dims, (100 - mean) * whole / 100, km2),
        frozen_sd=(dims, sd * whole / 100, km2),
        years=(dims, count),
    )
    for name in ("frozen", "thawed", "unknown"):
        out[name].attrs.update(km2)
    out["frozen_share"].attrs.update(percent)
    names = [OVERPASS_NAMES[int(code)] for code in record["overpass"].values]
    return out.assign_attrs(land_km2=whole, overpasses=names)


def _at_maximum(mean: Array, sd: Array) -> list[float]:
    """Spread on the day of the largest mean, of each overpass."""
    return [float(s[np.nanargmax(m)]) if np.isfinite(m).any() else np.nan for m, s in zip(mean.T, sd.T, strict=True)]


def _in_transition(mean: Array, sd: Array) -> list[float]:
    """Mean spread of the days half-way between the least and the most frozen of each overpass' year."""
    out = []
    for m, s in zip(mean.T, sd.T, strict=True):
        if not np.isfinite(m).any():
            out.append(np.nan)
            continue
        low, high = np.nanmin(m), np.nanmax(m)
        between = (m > low + 0.25 * (high - low)) & (m < low + 0.75 * (high - low)) & np.isfinite(s)
        out.append(float(s[between].mean()) if between.any() else np.nan)
    return out


def _day(name: str) -> dict[str, str]:
    return {"units": "day", "long_name": name}
