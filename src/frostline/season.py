"""Seasons of a record, year by year: days frozen, onset, offset, length and transitions of every cell.

A year is worked on by itself, a day at a time, and no more of it is held than fifteen days of two bits a cell; years
follow each other, so forty cost the memory of one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from frostline.clock import AM, FROST_YEAR_MONTH, OVERPASS_NAMES, PM
from frostline.errors import ConfigError, InputError
from frostline.season_blocks import BOTH, EITHER, FLAGS, Rule, blocks, one_year

Array = np.ndarray
State = Literal["frozen", "thawed"]
CODES = {**OVERPASS_NAMES, BOTH: "both", EITHER: "either"}
ALL_MONTHS = tuple(range(1, 13))
RULES = {
    # algorithms.md 5. Ascribed there to Kim et al. from memory: the rule is as stated, its source is unverified
    "12of15": Rule(15, 12, unverified=True),
    "3days": Rule(3, 3),
}


def yearly(
    record: xr.Dataset,
    *,
    state: State = "frozen",
    start_month: int = FROST_YEAR_MONTH,
    rule: str | None = "12of15",
    months: Sequence[int] = ALL_MONTHS,
    min_valid: float = 0.5,
    overpasses: Sequence[int] | None = None,
) -> Iterator[xr.Dataset]:
    """The seasons of one year after another, each on dims (year: 1, overpass, *cells*), float32.

    `record["frozen"]` lies on (time, overpass, *cells*). A year runs from the first of `start_month` and bears the
    number of the calendar year it begins in: 8 is the frost year, 1 the calendar year (with `rule=None`, since it cuts
    the winter in two), 2 the southern frost year. `state="thawed"` gives the season of thaw, or of melt, by the same
    lines. Overpasses are those of the record and, where it has AM and PM, `BOTH` and `EITHER`, known where both are;
    `overpasses` picks among these codes. Variables:

    - `frozen_days` (or `thawed_days`): the sum over `months` of days x frozen / valid; NaN where a month has a smaller
      share of valid days than `min_valid`. Gaps are more frequent in winter, so neither a plain count nor a ratio
      over the year will do. A probability of exactly 0.5 is half a day;
    - `days_seen`, `valid_days`: the plain counts;
    - `transitions`: changes of class between one valid day and the next valid one;
    - `onset`: day of the year (0 is its first) on which the first season by `RULES[rule]` begins, within six months,
      and after a day of the other class: who is frozen from the first day has no onset that this year saw;
    - `offset`: likewise the first of the other class after it. It is sought from the sixth month on (1 January), so
      that a thaw in autumn does not end the winter; where the season ended before and did not return, its end counts;
    - `length`: offset - onset;
    - `flag`: bits of `FLAGS`: some month is NaN (`partial`: then the variables but the plain counts are NaN, since the
      gap may hold the change); no valid day, or each one, in the state (`never`, `always`); the first or last
      valid day in the state (`cut`).

    Windows lie within the year. Days that the record does not hold are unknown, so a record of every second day fills
    no window and has no onset. Memory: a block of days and about seventy bytes a cell and overpass. ConfigError for
    options out of range.
    """
    frozen = record["frozen"].transpose("time", "overpass", ...)
    _demand(state in ("frozen", "thawed"), f"state={state!r}", "frozen or thawed")
    _demand(rule is None or rule in RULES, f"rule={rule!r}", f"one of {', '.join(RULES)}, or none")
    _demand(start_month in ALL_MONTHS, f"start_month={start_month}", "1 to 12")
    _demand(set(months) <= set(ALL_MONTHS) and len(months) > 0, f"months={list(months)}", "months 1 to 12")
    _demand(0 < min_valid <= 1, f"min_valid={min_valid}", "above 0 and at most 1")
    codes = _codes(frozen["overpass"].values, overpasses)
    dates = frozen["time"].values.astype("datetime64[D]")
    if dates.size and not np.all(np.diff(dates) > np.timedelta64(0, "D")):
        raise InputError("E-INPUT-TIME", where="season", cause="the record's dates do not rise by whole days")
    begins = (dates.astype("datetime64[M]").astype(int) - (start_month - 1)) // 12 + 1970
    kept = {name: c for name, c in frozen.coords.items() if not {"time", "overpass"} & set(c.dims)}
    for year in np.unique(begins):
        at = np.flatnonzero(begins == year)
        first = np.datetime64(f"{year:04d}-{start_month:02d}", "M")
        found = one_year(
            frozen[at[0] : at[-1] + 1],
            first=first,
            codes=codes,
            thawed=state == "thawed",
            rule=None if rule is None else RULES[rule],
            months=months,
            min_valid=min_valid,
        )
        dims = ("year", *frozen.dims[1:])
        data = {name.replace("DAYS", f"{state}_days"): (dims, values[None]) for name, values in found.items()}
        ds = xr.Dataset(data, coords={**kept, "year": [int(year)], "overpass": ("overpass", np.array(codes, "int8"))})
        yield _described(ds, record, state, start_month, rule, months, min_valid)


def season(
    record: xr.Dataset,
    *,
    south: ArrayLike | None = None,
    state: State = "frozen",
    start_month: int = FROST_YEAR_MONTH,
    rule: str | None = "12of15",
    months: Sequence[int] = ALL_MONTHS,
    min_valid: float = 0.5,
    overpasses: Sequence[int] | None = None,
) -> xr.Dataset:
    """All years of `yearly` in one dataset (year, overpass, *cells*).

    `south` (*cells*, bool) are cells whose year begins six months later: 2016 is August 2016 to July 2017 in the
    north and February 2016 to January 2017 in the south. This reads a record of both hemispheres twice.
    """

    def years(start: int) -> xr.Dataset:
        parts = yearly(
            record,
            state=state,
            start_month=start,
            rule=rule,
            months=months,
            min_valid=min_valid,
            overpasses=overpasses,
        )
        return xr.concat(
            list(parts),
            dim="year",
            data_vars="all",
            coords="minimal",
            compat="override",
            join="exact",
            combine_attrs="override",
        )

    other = (start_month + 5) % 12 + 1
    below = np.zeros((), bool) if south is None else np.asarray(south, bool)
    if not below.any():
        return years(start_month)
    if below.all():
        return years(other)
    unknown = {"flag": FLAGS["partial"], "valid_days": 0, "days_seen": 0.0}
    there, here = years(other), years(start_month)
    both = sorted(set(here["year"].values.tolist()) | set(there["year"].values.tolist()))
    fill = {str(name): unknown.get(str(name), np.nan) for name in here.data_vars}
    here, there = (ds.reindex(year=both, fill_value=fill) for ds in (here, there))
    cells = [d for d in here["flag"].dims if d not in ("year", "overpass")]
    mixed = xr.where(xr.DataArray(below, dims=cells), there, here, keep_attrs=False)
    mixed = mixed.transpose(*here["flag"].dims, ...).astype({str(n): v.dtype for n, v in here.data_vars.items()})
    for name, variable in mixed.data_vars.items():
        variable.attrs.update(here[name].attrs)
    note = f"1st of month {start_month} in the north, of month {other} in the south"
    return mixed.assign_attrs({**here.attrs, "year_begins": note})


def extent(record: xr.Dataset, *, area: ArrayLike, within: ArrayLike) -> xr.Dataset:
    """Area `frozen`, `thawed` and `unknown` of the cells `within`, per day and overpass, in the unit of `area`.

    `area` (`Grid.area()`) and `within` (bool) broadcast to the cells. A probability of exactly 0.5 is half of each.
    """
    frozen = record["frozen"].transpose("time", "overpass", ...)
    weight = np.broadcast_to(np.where(np.asarray(within, bool), np.asarray(area, float), 0.0), frozen.shape[2:]).ravel()
    sums = np.zeros((3, *frozen.shape[:2]))
    for days, block in blocks(frozen):
        flat = block.reshape(*block.shape[:2], -1)
        tie = 0.5 * (flat == 0.5)
        for k, part in enumerate(((flat > 0.5) + tie, (flat < 0.5) + tie, np.isnan(flat))):
            sums[k, days] = part @ weight
    data = {name: (("time", "overpass"), sums[k]) for k, name in enumerate(("frozen", "thawed", "unknown"))}
    return xr.Dataset(data, coords={"time": frozen["time"], "overpass": frozen["overpass"]})


def am_minus_pm(days: xr.DataArray, *, weights: ArrayLike | None = None) -> tuple[xr.DataArray, dict[str, float]]:
    """Mean annual AM - PM days of each cell, and what Donahue 2023 says of them.

    `days` (year, overpass, *cells*). A year counts where AM and PM are both known. The numbers: `mean_absolute` and
    `sd_absolute` (day) of the cells' differences, `am_longer` the share of cells above 0, and `cells`, their number.
    """
    difference = (days.sel(overpass=AM, drop=True) - days.sel(overpass=PM, drop=True)).mean("year")
    known = np.isfinite(difference.values)
    values = difference.values[known].astype(float)
    weight = np.broadcast_to(1.0 if weights is None else np.asarray(weights, float), known.shape)[known]
    if not values.size or not weight.sum() > 0:
        return difference, {"mean_absolute": np.nan, "sd_absolute": np.nan, "am_longer": np.nan, "cells": 0}
    mean = float(np.average(abs(values), weights=weight))
    spread = float(np.sqrt(np.average((abs(values) - mean) ** 2, weights=weight)))
    longer = float(np.average(values > 0, weights=weight))
    return difference, {"mean_absolute": mean, "sd_absolute": spread, "am_longer": longer, "cells": values.size}


def _codes(present: Array, wanted: Sequence[int] | None) -> list[int]:
    """Codes to work out: all that the record's overpasses allow, or those wanted among them."""
    codes = [int(c) for c in present]
    if {AM, PM} <= set(codes):
        codes += [BOTH, EITHER]
    if wanted is None:
        return codes
    _demand(len(wanted) > 0 and set(wanted) <= set(codes), f"overpasses={list(wanted)}", f"among {codes}")
    return [int(c) for c in wanted]


def _described(
    ds: xr.Dataset,
    record: xr.Dataset,
    state: str,
    start_month: int,
    rule: str | None,
    months: Sequence[int],
    min_valid: float,
) -> xr.Dataset:
    """The dataset with units, names and how it was made."""
    names = {
        f"{state}_days": f"days {state}, gaps filled by each month's share",
        "days_seen": f"days seen {state}",
        "valid_days": "days seen",
        "transitions": "changes between frozen and thawed",
        "onset": f"first day of the {state} season, 0 is the first of the year",
        "offset": f"first day after the {state} season, 0 is the first of the year",
        "length": f"length of the {state} season",
    }
    for name, variable in ds.data_vars.items():
        if str(name) in names:
            # "day", not "days": xarray would read a variable in "days" back as timedeltas
            units = "1" if name == "transitions" else "day"
            variable.attrs.update(long_name=names[str(name)], units=units)
    ds["flag"].attrs.update(flag_masks=np.array(list(FLAGS.values()), "uint8"), flag_meanings=" ".join(FLAGS))
    ds["overpass"].attrs.update(flag_values=np.array(list(CODES), "int8"), flag_meanings=" ".join(CODES.values()))
    ds["year"].attrs.update(long_name="calendar year in which the year begins")
    ds.attrs.update({name: value for name, value in record.attrs.items() if str(name).startswith("grid_")})
    ds.attrs.update(state=state, year_begins=f"1st of month {start_month}", least_share_valid=float(min_valid))
    ds.attrs["months"] = " ".join(str(int(m)) for m in months)
    if rule is not None:
        of = RULES[rule]
        ds.attrs["rule"] = f"{rule}: {of.least} of {of.window} days" + (", unverified source" if of.unverified else "")
    return ds


def _demand(true: bool, cause: str, remedy: str) -> None:
    if not true:
        raise ConfigError("E-CONFIG", where="season", cause=cause, remedy=remedy)
