"""Seasons of given records and their trends: stations, the air of a basin, the melt of an ice sheet."""

from __future__ import annotations

from calendar import month_name
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import xarray as xr

from frostline import season as seasons
from frostline import trends
from frostline.clock import DAILY
from frostline.config_given import Given, GivenSeasonTable
from frostline.errors import InputError
from frostline.runs import Run, write_json
from frostline.season import State
from frostline.season_blocks import BOTH
from frostline.steps.common import save
from frostline.steps.given import basin, melt, stations

Array = np.ndarray
EVENTS = ("onset", "offset", "length", "transitions")
CALENDAR = "calendar years"
MANY = 1000  # sites from which on trends are also mapped, each site for itself


def season(experiment: Given, run: Run) -> dict[str, Any]:
    """Seasons of every record that is there, `seasons_<name>.nc`; trends of those of many years, `trends.json`."""
    for path in (*run.folder.glob("seasons_*.nc"), *run.folder.glob("trends_*.nc"), *run.folder.glob("means_*.nc")):
        path.unlink()  # of an experiment that had another record
    table, start = experiment.season, experiment.season.start_month
    counted = CALENDAR if start == 1 else f"years from {month_name[start]}"
    result: dict[str, list[dict[str, Any]]] = {"rows": [], "breaks": [], "gaps": []}
    notes: dict[str, Any] = {}
    if (given := stations(experiment, run)) is not None:
        record = xr.concat([ds["frozen"] for ds in given.values()], xr.IndexVariable("record", list(given)))
        found = _every(_years(xr.Dataset({"frozen": record}), table, start))
        save(run.path("seasons_uscrn.nc"), found)
        notes["uscrn"] = f"{found.sizes['year']} years of {found.sizes['site']} stations"
    if (air := basin(experiment, run)) is not None:
        found = _every(_years(air, table, start))
        save(run.path("seasons_basin.nc"), found)
        result["gaps"] += [_gap("basin", year, part) for year, part in _by_year(air, start)]
        _trends(experiment, run, "basin", found, "frozen", BOTH, counted, result)
        if start != 1:
            found = _every(_years(air, table, 1))
            save(run.path("seasons_basin_calendar.nc"), found)
            _trends(experiment, run, "basin_calendar", found, "frozen", BOTH, CALENDAR, result)
        notes["basin"] = f"{found.sizes['year']} years"
    if experiment.inputs.melt is not None:
        parts = []
        for days in melt(experiment, run):
            (year,) = _years(days, table, start, state="thawed")
            result["gaps"].append(_gap("melt", int(year["year"].item()), days))
            parts.append(year)
        found = _every(parts)
        save(run.path("seasons_melt.nc"), found)
        _trends(experiment, run, "melt", found, "thawed", DAILY, counted, result)
        notes["melt"] = f"{found.sizes['year']} years of {found.sizes['site']} pixels"
    write_json(run.path("trends.json"), result)
    return notes | {name: len(rows) for name, rows in result.items()}


def boxes(lon: Array, lat: Array, named: Mapping[str, tuple[float, float, float, float]]) -> dict[str, Array]:
    """Masks (site): the whole, and each box (west, east, south, north) in degrees; west > east crosses 180.

    >>> boxes(np.array([170.0, -170.0, 0.0]), np.zeros(3), {"date line": (160, -160, -5, 5)})["date line"].tolist()
    [True, True, False]
    """
    masks = {"all": np.ones(len(lon), bool)}
    for name, (west, east, south, north) in named.items():
        along = (lon >= west) & (lon <= east) if west <= east else (lon >= west) | (lon <= east)
        masks[name] = along & (lat >= south) & (lat <= north)
        if not masks[name].any():
            cause = f"holds none of the {len(lon)} places"
            raise InputError("E-INPUT-GRID", where=f"season.regions.{name}", cause=cause, remedy="check the box")
    return masks


def _years(record: xr.Dataset, table: GivenSeasonTable, start: int, state: State = "frozen") -> Iterator[xr.Dataset]:
    """The seasons year by year; of calendar years, which cut the winter in two, only days and transitions."""
    return seasons.yearly(
        record,
        state=state,
        start_month=start,
        rule=None if start == 1 else table.rule,
        months=table.months,
        min_valid=table.min_valid,
    )


def _every(parts: Iterable[xr.Dataset]) -> xr.Dataset:
    """The years in one dataset; places stand once."""
    found = list(parts)
    options: dict[str, Any] = {"coords": "minimal", "compat": "override", "join": "exact", "combine_attrs": "override"}
    return found[0] if len(found) == 1 else xr.concat(found, "year", data_vars="all", **options)


def _trends(
    experiment: Given,
    run: Run,
    name: str,
    found: xr.Dataset,
    state: str,
    code: int,
    counted: str,
    result: dict[str, list[dict[str, Any]]],
) -> None:
    """Trends of the regions and steps at changes of sensor into `result`; of many sites also a map, `trends_<name>.nc`.

    `means_<name>.nc` holds the regions' yearly means. Without two years there is no trend and nothing is written.
    """
    if found.sizes["year"] < 2:
        return
    table = experiment.season
    placed = bool(found["lon"].notnull().any())  # a basin's file does not say where it lies
    masks = boxes(found["lon"].values, found["lat"].values, table.regions if placed else {})
    weights = found["area"].values if "area" in found.coords else None
    chosen = found.sel(overpass=[code])
    variables = [f"{state}_days", *(v for v in EVENTS if v in found)]
    means: dict[str, xr.DataArray] = {}
    for variable in variables:
        of = trends.regional_means(chosen[variable], masks, weights=weights)
        means[variable], means[f"cells_{variable}"] = of["mean"], of["cells"]
        rows = trends.table(of, correction=table.correction, level=table.confidence)
        about = {"record": name.removesuffix("_calendar"), "variable": variable, "counted": counted, "since": None}
        result["rows"] += [about | row for row in rows]
        first, last = int(found["year"][0]), int(found["year"][-1])
        if at := [year for year in table.sensors if first < year <= last]:
            if variable == variables[0]:  # the trend that no change of sensor can have made
                later = of.sel(year=slice(max(at), None))
                rows = trends.table(later, correction=table.correction, level=table.confidence)
                result["rows"] += [about | {"since": max(at)} | row for row in rows]
            jumps = trends.steps(of["mean"], at=at, level=table.confidence).isel(overpass=0)
            result["breaks"] += [
                about
                | {"region": str(region), "at": year}
                | {key: float(jumps[key].sel(at=year, region=region)) for key in ("step", "lo", "hi", "p")}
                | {key: float(jumps[key].sel(region=region)) for key in ("slope_with", "slope_without")}
                | {"status": "ok" if np.isfinite(jumps["step"].sel(at=year, region=region)) else "not told apart"}
                for year in at
                for region in jumps["region"].values
            ]
    save(run.path(f"means_{name}.nc"), xr.Dataset(means).isel(overpass=0, drop=True))
    if found.sizes["site"] >= MANY:
        field = chosen[f"{state}_days"].isel(overpass=0, drop=True)
        field = field.where((field > 0).any("year"))  # of what never was in the state there is no trend to test
        mapped = trends.trend(field, correction=table.correction, level=table.confidence)
        save(run.path(f"trends_{name}.nc"), mapped)


def _by_year(record: xr.Dataset, start_month: int) -> list[tuple[int, xr.Dataset]]:
    months = record["time"].values.astype("datetime64[M]").astype(int)
    years = (months - (start_month - 1)) // 12 + 1970
    return [(int(year), record.isel(time=years == year)) for year in np.unique(years)]


def _gap(name: str, year: int, record: xr.Dataset) -> dict[str, Any]:
    """What a year of a record holds: its days, how far apart they lie, the longest gap and the share that is known."""
    dates = record["time"].values.astype("datetime64[D]")
    apart = np.diff(dates).astype(int)
    known = record["frozen"].notnull()
    return {
        **{"record": name, "year": year, "first": str(dates[0]), "last": str(dates[-1]), "days": len(dates)},
        "stride": float(np.median(apart)) if len(apart) else None,
        "longest_gap": int(apart.max() - 1) if len(apart) else 0,
        "known": float(known.mean()),
        "empty_days": int((~known.any(["overpass", "site"])).sum()),
    }
