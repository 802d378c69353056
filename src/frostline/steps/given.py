"""Records that are given, not made: what lies in the files, and their temperatures as states, each rule by its name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from frostline.clock import AM, DAILY, PM, days
from frostline.config_given import Given
from frostline.errors import InputError
from frostline.read.basin import read_basin
from frostline.read.insitu_uscrn import read_uscrn_days
from frostline.read.melt import melt_dates, melt_places, read_melt
from frostline.runs import Run, read_json, write_json
from frostline.schema import SITES, check, coordinates
from frostline.steps.common import folders, load, save

Array = np.ndarray
# The rule that makes a state of each overpass, and what measured it; of AM, PM and daily
RULES = {
    "soil": ("soil_mean", "soil_mean", "soil_mean"),
    "air": ("air_minimum", "air_maximum", "air_mean"),
    "skin": ("skin_minimum", "skin_maximum", "skin_mean"),
}
INSTRUMENTS = {
    "soil": "soil thermometer at 5 cm",
    "air": "air thermometer at 1.5 m",
    "skin": "infrared thermometer of the surface",
}
BASIN_RULE = "AM the daily minimum, PM the daily maximum of the air below the threshold; both: an air-frozen day"


def read(experiment: Given, run: Run) -> dict[str, Any]:
    """Look into every file that is given, keep the temperatures of places, and say what is there; `inventory.json`."""
    look: dict[str, Callable[[Path], dict[str, Any]]] = {
        "uscrn": lambda place: _stations(experiment, run, place),
        "basin": lambda place: _basin(experiment, run, place),
        "melt": lambda place: _melt(experiment, place),
    }
    for name in ("uscrn", "basin"):
        run.path(f"{name}.nc").unlink(missing_ok=True)  # of an experiment that had it
    inventory = {product: look[product](place) for product, place in folders(experiment, run).items()}
    write_json(run.path("inventory.json"), inventory)
    lost = sum(len(entry["fatal"]) for entry in inventory.values())
    notes: dict[str, Any] = {name: f"{entry['days']} days of {entry['sites']}" for name, entry in inventory.items()}
    return notes | ({"skipped_inputs": lost} if lost else {})


def stations(experiment: Given, run: Run) -> dict[str, xr.Dataset] | None:
    """Soil, air and skin as SITES records of the stations with enough days of soil temperature.

    None without stations. Overpasses are AM, PM and daily; the rule of each stands in `overpass_rule`, the
    instrument in `inputs`.
    """
    if not run.path("uscrn.nc").exists():
        return None
    kelvin = load(run.path("uscrn.nc"))
    known = kelvin["soil_mean"].notnull().sum("time").values
    enough = known >= experiment.states.least_days
    if not enough.any():
        cause = f"no station has {experiment.states.least_days} days of soil temperature (most: {known.max(initial=0)})"
        raise InputError("E-INPUT-TIME", where=run.path("uscrn.nc"), cause=cause, remedy="lower states.least_days")
    kelvin = kelvin.isel(site=enough)
    below = {str(name): cold(kelvin[name], experiment.states.threshold) for name in kelvin.data_vars}
    records = {}
    for name, columns in RULES.items():
        ds = xr.Dataset({"frozen": xr.concat([below[c] for c in columns], "overpass")})
        ds = coordinates(ds.transpose("time", "overpass", "site"), time=kelvin["time"], overpass=[AM, PM, DAILY])
        said = ", ".join(f"{when} from {column}" for when, column in zip(("AM", "PM", "daily"), columns, strict=True))
        ds = ds.assign_attrs(overpass_rule=said, inputs=INSTRUMENTS[name])
        records[name] = check(ds, SITES)
    return records


def basin(experiment: Given, run: Run) -> xr.Dataset | None:
    """The air of one place as a SITES record: AM its daily minimum, PM its maximum, below the threshold."""
    if not run.path("basin.nc").exists():
        return None
    kelvin = load(run.path("basin.nc"))
    both = [cold(kelvin[name], experiment.states.threshold) for name in ("air_minimum", "air_maximum")]
    ds = xr.Dataset({"frozen": xr.concat(both, "overpass").expand_dims(site=["basin"])})
    ds = coordinates(ds.transpose("time", "overpass", "site"), time=kelvin["time"], overpass=[AM, PM])
    ds = ds.assign_coords(lon=("site", [np.nan]), lat=("site", [np.nan]))  # the file does not say where
    return check(ds.assign_attrs(overpass_rule=BASIN_RULE), SITES)


def melt(experiment: Given, run: Run) -> Iterator[xr.Dataset]:
    """The melt record, a year at a time from the first of the season's month; within the period."""
    place = Path(read_json(run.path("inventory.json"))["melt"]["place"])
    for year in read_melt(place, start_month=experiment.season.start_month):
        if (some := within(experiment, year)).sizes["time"]:
            yield some


def cold(kelvin: xr.DataArray, threshold: float) -> xr.DataArray:
    """1 below the threshold, 0 otherwise, NaN unknown, float32."""
    return (kelvin < threshold).where(kelvin.notnull()).astype(np.float32)


def within(experiment: Given, ds: xr.Dataset) -> xr.Dataset:
    """The days of the period."""
    if experiment.period is None:
        return ds
    return ds.sel(time=slice(experiment.period.start, experiment.period.end))


def _stations(experiment: Given, run: Run, place: Path) -> dict[str, Any]:
    ds, problems = read_uscrn_days(place)
    ds = _some_days(within(experiment, ds), place)
    save(run.path("uscrn.nc"), ds)
    soil = ds["soil_mean"]
    known = soil.notnull().sum("time").values
    freezes = (soil < experiment.states.threshold).any("time").values
    enough = known >= experiment.states.least_days
    counts = {
        "with_soil": int((known > 0).sum()),
        "enough_days": int(enough.sum()),
        "ever_freeze": int(freezes.sum()),
        "enough_and_freeze": int((enough & freezes).sum()),
    }
    told = {"problems": [str(p) for p in problems if not p.fatal], "fatal": [str(p) for p in problems if p.fatal]}
    return _entry(place, ds["time"].values, f"{ds.sizes['site']} stations") | told | {"stations": counts}


def _basin(experiment: Given, run: Run, place: Path) -> dict[str, Any]:
    ds = _some_days(within(experiment, read_basin(place)), place)
    save(run.path("basin.nc"), ds)
    wrong = int(ds.attrs["contradictions"])
    problems = [f"{place}: {wrong} days with a minimum above the maximum are unknown"] if wrong else []
    return _entry(place, ds["time"].values, "one place") | {"problems": problems}


def _melt(experiment: Given, place: Path) -> dict[str, Any]:
    dates = melt_dates(place)
    if experiment.period is not None:
        span = days(experiment.period.start, experiment.period.end).astype("datetime64[D]")
        dates = dates[np.isin(dates, span)]
    if not len(dates):
        raise _no_day(place)
    return _entry(place, dates, f"{melt_places(place).sizes['site']} pixels")


def _entry(place: Path, dates: Array, sites: str) -> dict[str, Any]:
    first, last = (str(d)[:10] for d in (dates[0], dates[-1]))
    return {
        **{"place": str(place), "first": first, "last": last, "days": len(dates), "sites": sites},
        **{"problems": [], "fatal": []},
    }


def _some_days(ds: xr.Dataset, place: Path) -> xr.Dataset:
    if not ds.sizes["time"]:
        raise _no_day(place)
    return ds


def _no_day(place: Path) -> InputError:
    return InputError("E-INPUT-TIME", where=place, cause="no day within the period", remedy="change [period]")
