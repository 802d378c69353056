"""Parts of tools/reality.py on weather and brightness: the VIC grid in Quebec, and SMAP's L band over Maqu."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import xarray as xr
from reality_common import Part, Row, mean_of, sd_of, with_ends

from frostline.classic_microwave import npr_sta, polarization_ratio
from frostline.clock import AM, PM, month, year
from frostline.clock import days as days_between
from frostline.gapfill import PRESETS, fill_time
from frostline.grid import named
from frostline.read.maqu_tb import PLACE, read_maqu_tb
from frostline.read.vic import read_vic
from frostline.season import season
from frostline.trends import trend
from frostline.twin import column, driven, long, soil, weather
from frostline.twin.microwave import BANDS, brightness
from frostline.twin.weather import Climate, Weather
from frostline.validate.intervals import bounds, draw_clusters

Array = np.ndarray
ZERO = 273.15
SEEDS = (1, 2, 3)
FILL = "donahue-code-smap"
MAQU_ELEVATION = 3440.0  # m
NAMES = {AM: "AM", PM: "PM"}
QUANTITIES = {
    "frozen_days": "frozen days of the frost year",
    "onset": "onset, day from 1 August",
    "offset": "offset, day from 1 August",
}


def vic(data: Path) -> Part:
    """Quebec 2000-2010: the twin's soil under real temperature, and under weather of its own in the same climate."""
    ds = read_vic(data / "vic_quebec_grid" / "VIC_temperatures.nc")
    inside = ds["air_temperature"].notnull().all("time").values
    latitude = ds["lat"].values[inside]
    # steps are means of six hours that begin at their time: 06, 12, 18 and 00 UTC are a local day from 1 h on at 75 W
    air = ds["air_temperature"].values[1:-3, inside].astype(float).reshape(-1, 4, inside.sum()) - ZERO
    dates = ds["time"].values[1:-3:4].astype("datetime64[D]")
    low, high, middle = air.min(1), air.max(1), 0.5 * (air.min(1) + air.max(1))
    climate = driven.climate_of(dates, low, high, latitude=latitude)
    cells = driven.middle_cells(latitude, climate=climate, arid=driven.recipe_aridity(latitude))
    first = int(np.flatnonzero(dates == np.datetime64("2000-07-01"))[0])
    dates, low, high, middle = dates[first:], low[first:], high[first:], middle[first:]
    rows: dict[str, list[Row]] = {}
    made = [
        weather.daily_weather(inside.shape, cell_km=13.9, seed=seed, first=dates[0]) for seed in SEEDS
    ]  # side by side: three Earths in one march
    days = [_joined([next(earth) for earth in made], inside.ravel()) for _ in dates]
    n = int(inside.sum())
    rain = np.stack([d.precipitation[:n] for d in days]) * (1.25 - 1.05 * cells.arid)
    out = driven.drive(cells, dates, air_min=low, air_max=high, rain=rain)
    seasons = {"real weather": _seasons(out["frozen"])}
    tiled = Climate(*(np.tile(v, len(SEEDS)) for v in vars(climate).values()))
    many = driven.middle_cells(tiled.latitude, climate=tiled, arid=np.tile(cells.arid, len(SEEDS)))
    frozen = np.stack(
        [
            np.stack([soil.ice_share(day.at(h).column) > 0.5 for h in (6, 18)]).astype(np.float32)
            for day in column.march(many, days)
        ]
    )
    air_rows = rows.setdefault("Air of the VIC grid and of the generator", [])
    for k, seed in enumerate(SEEDS):
        own = slice(k * n, (k + 1) * n)
        states = xr.DataArray(frozen[:, :, own], out["frozen"].coords, out["frozen"].dims)
        seasons[f"generated weather, seed {seed}"] = _seasons(states)
        generated = np.stack([d.anomaly[own] for d in days]).mean(1)
        air_rows.extend(_weather_rows(f"generated, seed {seed}", generated, dates))
    cold = np.isin(month(dates), (11, 12, 1, 2, 3))
    cloud = [
        np.stack([d.cloud.mean() for d in some])[cold].mean()
        for some in (driven.given_weather(cells, dates, low, high, rain), days)
    ]
    wave = np.array([weather.season(d) for d in dates])[:, None]
    real = (middle - climate.mean - climate.amplitude * wave).mean(1)
    air_rows[:0] = _weather_rows("real", real, dates)
    table = rows.setdefault("Seasons of the twin's soil on the VIC grid, frost years 2000-2009", [])
    for name, found in seasons.items():
        for p in (AM, PM):
            at = found.sel(overpass=p).mean("site")
            table.append(mean_of(f"frozen days, {NAMES[p]}, {name}", at["frozen_days"].values, what="years"))
        am = found.sel(overpass=AM).mean("site")
        table.append(sd_of(f"frozen days, AM, sd of years, {name}", am["frozen_days"].values, what="years"))
        table.append(mean_of(f"onset, AM, day from 1 August, {name}", am["onset"].values, what="years"))
        table.append(mean_of(f"offset, AM, day from 1 August, {name}", am["offset"].values, what="years"))
        table.append(mean_of(f"transitions a year, AM, {name}", am["transitions"].values, what="years"))
        t = trend(am["frozen_days"])
        ends = float(t["slope"]), float(t["lo"]), float(t["hi"])
        table.append(Row(f"trend of frozen days, AM, a year, {name}", *ends, f"{int(t['years'])} years"))
    formula = weather.make_climate(np.array([latitude.mean()]), np.zeros(1), np.zeros(1), np.zeros(1))
    text = (
        f"Annual wave: real {climate.mean.mean():.1f} degC +- {climate.amplitude.mean():.1f} K; the demo's formula at "
        f"{latitude.mean():.1f} N at sea level: {formula.mean[0]:.1f} degC +- {formula.amplitude[0]:.1f} K. "
        f"{inside.sum()} cells, {len(dates)} days from {dates[0]}; all figures are of the cells' mean. "
        f"Cloud in November-March: {cloud[0]:.2f} from the real range, {cloud[1]:.2f} generated."
    )
    return Part(rows, text, {})


def maqu(data: Path) -> Part:
    """Real L-band brightness over Maqu: NPR-STA and its references, frozen season, outage, and the twin's ratio."""
    tb = read_maqu_tb(data / "maqu_smap_tb" / "smap_l1c_maqu_2016_2020_decoded.csv")
    tb = tb.sel(time=slice("2016-01-01", "2019-12-31"))
    grid = named("M36").around(*PLACE, (1, 1))
    time = tb["time"].values
    index = polarization_ratio(tb["tb_1v"], tb["tb_1h"])
    filled = {n: _fill(tb[n], time) for n in ("tb_1v", "tb_1h")}
    rows: dict[str, list[Row]] = {}
    table = rows.setdefault("NPR-STA over Maqu, real SMAP, 2016-2019", [])
    years = np.unique(year(time))
    pooled = npr_sta(tb["tb_1v"], tb["tb_1h"], grid=grid)["frozen"]
    for k, p in enumerate((AM, PM)):
        shares = {y: np.nanmean(pooled.values[year(time) == y, k]) for y in years}
        table.append(
            mean_of(f"share of passes called frozen, {NAMES[p]}", np.array(list(shares.values())), what="years")
        )
        for months, words in (((7, 8), "July-August"), ((1, 2), "January-February")):
            at = np.isin(month(time), months)
            each = np.array([np.nanmean(pooled.values[at & (year(time) == y), k]) for y in years])
            table.append(mean_of(f"of these in {words}, {NAMES[p]}", each, what="years"))
        gap = np.array([_contrast(index[:, k], time, y) for y in years])
        table.append(mean_of(f"July-August less January-February, percent, {NAMES[p]}", gap, what="years"))
    same = []
    for y in years:
        own = npr_sta(
            tb["tb_1v"], tb["tb_1h"], grid=grid, days=xr.DataArray(year(time) == y, {"time": time}, ("time",))
        )
        known = np.isfinite(own["frozen"].values) & np.isfinite(pooled.values)
        same.append((own["frozen"].values == pooled.values)[known].mean() if known.any() else np.nan)
    table.append(mean_of("same state with one year's references as with four years'", np.array(same), what="years"))
    record = npr_sta(filled["tb_1v"], filled["tb_1h"], grid=grid)
    found = season(record, start_month=8, min_valid=0.3).isel(y=0, x=0).sel(year=[2016, 2017, 2018])
    for p in (AM, PM):
        at = found.sel(overpass=p)
        for name, words in QUANTITIES.items():
            told = zip(at["year"].values, at[name].values, strict=True)
            each = ", ".join(f"{y}: {v:.0f}" if np.isfinite(v) else f"{y}: none" for y, v in told)
            table.append(mean_of(f"{words}, {NAMES[p]} ({each})", at[name].values.astype(float), what="frost years"))
    made = [_twin_ratio(seed) for seed in SEEDS]
    right = np.array([m[2] for m in made])
    row = mean_of("the twin there: NPR-STA against its own truth, accuracy", right, what="seeds")
    skill = f"{np.mean([m[3] for m in made]):.2f} over the commoner class"
    table.append(row._replace(skill=skill, n=f"{sum(m[4] for m in made)} cell-days, {row.n}"))
    when = made[0][1]
    compared = rows.setdefault("Polarization ratio at 1.41 GHz, percent, real and of the twin", [])
    monthly: dict[str, Array] = {}
    cells: dict[str, Array] = {}
    for k, p in enumerate((AM, PM)):
        monthly[f"real {NAMES[p]}"] = np.array(
            [[_mean(index.values[(month(time) == m) & (year(time) == y), k]) for y in years] for m in range(1, 13)]
        )
        own = [[(month(when) == m) & (year(when) == y) for y in np.unique(year(when))] for m in range(1, 13)]
        monthly[f"twin {NAMES[p]}"] = np.array([[d[0][at, k].mean() for d in made for at in ats] for ats in own])
        cells[NAMES[p]] = np.array(
            [np.concatenate([d[0][month(when) == m, k].mean(0) for d in made]) for m in range(1, 13)]
        )
        real, twin = monthly[f"real {NAMES[p]}"], monthly[f"twin {NAMES[p]}"]
        compared.append(_correlation(f"correlation of the twelve months, {NAMES[p]}", real, twin))
        error = np.nanmean(real, 1) - twin.mean(1)
        compared.append(mean_of(f"twin - real, mean of months, {NAMES[p]}", -error, what="months"))
        compared.append(mean_of(f"absolute difference of months, {NAMES[p]}", abs(error), what="months"))
    for whose, what in (("real", "years"), ("twin", "seed-years")):
        gap = monthly[f"{whose} PM"][2] - monthly[f"{whose} AM"][2]
        compared.append(mean_of(f"PM - AM in March, {whose}", gap, what=what))
        summer = monthly[f"{whose} AM"]
        compared.append(mean_of(f"July-August less May, AM, {whose}", summer[6:8].mean(0) - summer[4], what=what))
    text = _maqu_text(tb, filled, time) + "\n\n" + _months(monthly)
    return Part(rows, text, {"monthly": monthly, "cells": cells})


def _months(monthly: dict[str, Array]) -> str:
    """The months side by side, each with its interval over years (real) or over seeds' years (twin)."""
    lines = ["| month | " + " | ".join(monthly) + " |", "|---" * (len(monthly) + 1) + "|"]
    for m in range(12):
        told = [with_ends(mean_of("", v[m], what="")) for v in monthly.values()]
        lines.append(f"| {m + 1} | " + " | ".join(told) + " |")
    n = ", ".join(f"{name} {v.shape[1]}" for name, v in monthly.items())
    return "\n".join(lines) + f"\n\nn, years (real) or years of seeds (twin): {n}."


def _joined(days: list[Weather], inside: Array) -> Weather:
    """One day of several Earths side by side, of the cells inside."""
    names = ("anomaly", "anomaly_next", "cloud", "precipitation")
    return Weather(days[0].date, *(np.concatenate([getattr(d, n)[inside] for d in days]) for n in names))


def _seasons(frozen: xr.DataArray) -> xr.Dataset:
    """Seasons of whole frost years 2000 to 2009."""
    record = frozen.sel(time=slice("2000-08-01", "2010-07-31")).to_dataset(name="frozen")
    return season(record, start_month=8, min_valid=0.5)


def _weather_rows(name: str, anomaly: Array, dates: Array) -> Iterator[Row]:
    """Day-to-day statistics of the departure from the annual wave, mean of all cells, a winter each."""
    of = year(dates) + (month(dates) >= 7)
    cold = np.isin(month(dates), (11, 12, 1, 2, 3))
    spread, memory, level = [], [], []
    for y in np.unique(of):
        a = anomaly[cold & (of == y)]
        if len(a) < 140:
            continue
        spread.append(a.std())
        memory.append(np.corrcoef(a[:-1], a[1:])[0, 1])
        level.append(a.mean())
    yield mean_of(f"sd within a winter (November-March), K, {name}", np.array(spread), what="winters")
    yield mean_of(f"lag-1 memory within a winter, {name}", np.array(memory), what="winters")
    yield mean_of(f"mean of winters, K from the annual wave, {name}", np.array(level), what="winters")
    yield sd_of(f"sd of winters' means, K, {name}", np.array(level), what="winters")


def _fill(tb: xr.DataArray, time: Array) -> xr.DataArray:
    return tb.copy(data=np.stack([fill_time(tb.values[:, k], time, **PRESETS[FILL])[0] for k in range(2)], 1))


def _mean(values: Array) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) >= 4 else np.nan


def _contrast(index: xr.DataArray, time: Array, y: int) -> float:
    at = [index.values[(year(time) == y) & np.isin(month(time), m)] for m in ((7, 8), (1, 2))]
    return _mean(at[0]) - _mean(at[1])


def _correlation(name: str, real: Array, twin: Array) -> Row:
    """Of the months' means; interval over years of the real series."""
    draws = draw_clusters(real.shape[1], resamples=1000, seed=1)
    with np.errstate(invalid="ignore"):
        known = np.isfinite(real)
        means = (draws @ np.where(known, real, 0.0).T) / np.maximum(draws @ known.T, 1e-9)
    drawn = np.array([np.corrcoef(m, twin.mean(1))[0, 1] for m in means])
    lo, hi = bounds(drawn, units=real.shape[1])
    value = float(np.corrcoef(np.nanmean(real, 1), twin.mean(1))[0, 1])
    return Row(name, value, float(lo), float(hi), f"12 months, {real.shape[1]} years")


def _twin_ratio(seed: int) -> tuple[Array, Array, float, float, int]:
    """NPR (percent; day, overpass, cell) of the twin's meadow at Maqu's place and height, its days; of NPR-STA there
    the accuracy, its skill over the commoner class, and n.
    """
    grid = named("M09").around(*PLACE, (12, 12))
    ground = long.long_ground(grid, seed=seed)
    ground["elevation"] = ground["elevation"] * 0.0 + MAQU_ELEVATION
    ground["water_fraction"] = ground["water_fraction"] * 0.0
    ground["forest"] = ground["forest"] * 0.0
    held = long.long_cells(ground, grid)
    first = np.datetime64("2015-06-28")
    wanted = days_between("2016-01-01", "2017-12-31").astype("datetime64[D]")
    ratio, truth, looks = [], [], []
    for today in column.march(held, weather.daily_weather(grid.shape, cell_km=9.0, seed=seed, first=first)):
        if today.date > wanted[-1]:
            break
        if today.date < wanted[0]:
            continue
        seen = [brightness(BANDS["L"], held.surface, column.make_scene(today.at(h))) for h in (6, 18)]
        looks.append(seen)
        ratio.append([polarization_ratio(v, h) for v, h in seen])
        truth.append([soil.ice_share(today.at(h).column) > 0.5 for h in (6, 18)])
    values = np.array(looks, np.float32)  # (day, overpass, v or h, cell)
    coords = {"time": wanted.astype("datetime64[ns]"), "overpass": [AM, PM], "y": grid.y, "x": grid.x}
    dims, shape = ("time", "overpass", "y", "x"), (len(wanted), 2, *grid.shape)
    tb_v, tb_h = (xr.DataArray(values[:, :, k].reshape(shape), coords, dims) for k in (0, 1))
    frozen = npr_sta(tb_v, tb_h, grid=grid)["frozen"].values.reshape(len(wanted), 2, -1)
    known = np.isfinite(frozen)
    right, share = float((frozen == np.array(truth))[known].mean()), float(np.array(truth)[known].mean())
    return np.array(ratio), wanted, right, 1.0 - (1.0 - right) / min(share, 1.0 - share), int(known.sum())


def _maqu_text(tb: xr.Dataset, filled: dict[str, xr.DataArray], time: Array) -> str:
    seen = tb["tb_1v"].notnull().values[:, :, 0, 0]
    any_pass = np.flatnonzero(seen.any(1))
    longest = int(np.argmax(np.diff(any_pass)))
    ends = [str(time[any_pass[longest + k]])[:10] for k in (0, 1)]
    known = filled["tb_1v"].notnull().values[:, :, 0, 0]
    gap = (time > time[any_pass[longest]]) & (time < time[any_pass[longest + 1]])
    return (
        f"Passes seen: AM {int(seen[:, 0].sum())}, PM {int(seen[:, 1].sum())} on {len(time)} days. Left "
        f"out: {tb.attrs['suspect']} suspect rows, {tb.attrs['unknown_pass']} of unknown pass, "
        f"{tb.attrs['repeated']} repeated. Longest gap: after {ends[0]} to {ends[1]} ({int(gap.sum())} days without "
        f"a pass); the gap filling `{FILL}` reaches {known[gap].mean():.2f} of the passes there, "
        f"{known[~gap].mean():.2f} elsewhere."
    )
