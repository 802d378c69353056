"""Do the trends' estimators find what was put in? Prints tables of recovery, false alarms, and the twin's own truth.

    python tools/studies_trends.py                        (all, one core, a few minutes)
    python tools/studies_trends.py --parts recovery alarms
    python tools/studies_trends.py --parts twin --seeds 1 2 3 4 --size 10

recovery  Series made in days: each region x class has a prescribed slope, a weather of its own with a memory (AR(1)),
          cells with levels of their own, gaps, and a quarter of cells that end half-way. Estimators get what the step
          `season` gives them: `regional_means`, then `table`.
alarms    The default test on series without a trend: how often it calls one.
twin      The twin prescribes its warming in K a decade, not in days a year. What that is in days is worked out from
          two Earths of the same seed, one warmed and one not: the weather is the same to the digit, so the least
          squares slope of the difference of their frozen days is what the warming does. The warmed Earth's own series
          must hold it in its interval. One thing flatters this test: the twin's weather is detrended, which also
          takes out the part of its noise that would pass for a trend, so the coverage is an upper bound. With
          `--weather own` the same Earths have the weather as it was drawn.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from dataclasses import fields, is_dataclass, replace
from functools import partial
from itertools import takewhile
from typing import Any

import numpy as np
import xarray as xr

from frostline import season
from frostline.clock import AM, PM
from frostline.grid import Grid, named
from frostline.trends import MIN_YEARS, crossed, regional_means, table, trend
from frostline.twin import column, long, soil, weather, world
from frostline.twin.weather import Weather

Array = np.ndarray
YEARS = 41
IAV, RHO = 6.0, 0.2  # day and lag-1 memory of a region's weather, algorithms.md 5 (its assumption)
SLOPE = -0.21  # day a year, the paper's for all of China; another one would only shift all numbers by the difference
REGIONS, CLASSES, CELLS = 3, 6, 20  # the paper's tables: regions, permafrost classes; cells of each crossing
WARMING = 0.05  # K a year, the issue's least
PLACE = (97.0, 36.0)


def memory(rng: np.random.Generator, rho: float, shape: tuple[int, ...]) -> Array:
    """First-order autoregressive series (n, ...) of variance 1, from their stationary law."""
    e = rng.standard_normal(shape) * np.sqrt(1 - rho**2)
    e[0] /= np.sqrt(1 - rho**2)
    for k in range(1, shape[0]):
        e[k] += rho * e[k - 1]
    return e


def made_series(rng: np.random.Generator, slope: float, rho: float) -> tuple[xr.DataArray, dict[str, Array]]:
    """Frozen days (year, overpass, cell) of all regions x classes, and the masks of these."""
    groups = REGIONS * CLASSES
    of = np.repeat(np.arange(groups), CELLS)
    t = np.arange(YEARS)
    common = IAV * memory(rng, rho, (YEARS, groups))
    values = 150 + slope * t[:, None] + common[:, of] + rng.normal(0, 30, len(of)) + rng.normal(0, 4, (YEARS, len(of)))
    values[rng.random(values.shape) < 0.05] = np.nan
    values[YEARS // 2 :, :: CELLS // 5] = np.nan
    regions = {f"region{r}": of // CLASSES == r for r in range(REGIONS)}
    classes = {f"class{c}": of % CLASSES == c for c in range(CLASSES)}
    coords = {"year": 1980 + t, "overpass": [AM]}
    return xr.DataArray(values[:, None], coords, ("year", "overpass", "cell")), crossed(regions, classes)


def held(rows: Sequence[dict[str, Any]], prescribed: Sequence[float]) -> dict[str, Array]:
    """Of each row: whether each interval holds the slope that was prescribed, and by how much the estimate is off."""
    true = np.array(prescribed, float)
    column_of = {k: np.array([row[k] for row in rows], float) for k in ("lo", "hi", "lo_ols", "hi_ols", "slope")}
    column_of["slope_ols"] = np.array([row["slope_ols"] for row in rows], float)
    return {
        "sen": (column_of["lo"] <= true) & (true <= column_of["hi"]),
        "ols": (column_of["lo_ols"] <= true) & (true <= column_of["hi_ols"]),
        "sen_off": column_of["slope"] - true,
        "ols_off": column_of["slope_ols"] - true,
        "width": column_of["hi"] - column_of["lo"],
    }


def recovery(seeds: int) -> None:
    """Table of the share of regions x classes whose interval holds the prescribed slope."""
    what = f"{REGIONS} regions x {CLASSES} classes, {YEARS} years, IAV {IAV:g} d, {SLOPE:g} d/a, {seeds} seeds"
    print(f"\nRecovery: {what}, 95 % intervals")
    print("| lag-1 | Sen holds it | OLS holds it | mean bias Sen, d/a | OLS | width, d/a |\n|-|-|-|-|-|-|")
    for rho in (0.0, RHO, 0.6):
        parts = []
        for seed in range(seeds):
            values, masks = made_series(np.random.default_rng([seed, 1]), SLOPE, rho)
            rows = table(regional_means(values, masks))
            parts.append(held(rows, [SLOPE] * len(rows)))
        print(f"| {rho} {_summary(parts)}")


def _summary(parts: Sequence[dict[str, Array]]) -> str:
    """Shares, biases with their standard error over the seeds, and widths of all rows of all seeds."""
    joined = {k: np.concatenate([p[k] for p in parts]) for k in parts[0]}
    cells = [f"{joined[k].mean():.3f}" for k in ("sen", "ols")]
    for k in ("sen_off", "ols_off"):
        error = np.std([p[k].mean() for p in parts], ddof=1) / np.sqrt(len(parts)) if len(parts) > 1 else np.nan
        cells.append(f"{joined[k].mean():+.3f} +- {error:.3f}")
    return "| " + " | ".join([*cells, f"{joined['width'].mean():.2f} |"])


def alarms(series: int) -> None:
    """Table of the share of trendless series that the tests call a trend, nominal .05."""
    print(f"\nFalse alarms at a nominal .05: n = {YEARS}, {series} series")
    print(
        "| lag-1 | default (Mann-Kendall, Yue-Wang) | interval leaves 0 out | plain Mann-Kendall | OLS, n_effective |"
    )
    print("|-|-|-|-|-|")
    for rho in (0.0, RHO, 0.6):
        e = memory(np.random.default_rng([11, round(100 * rho)]), rho, (YEARS, series))
        values = xr.DataArray(e, {"year": 1980 + np.arange(YEARS)}, ("year", "series"))
        found, plain = trend(values), trend(values, correction="none")
        outside = (found["lo"] > 0) | (found["hi"] < 0)
        shares = [found["p"] < 0.05, outside, plain["p"] < 0.05, found["p_ols"] < 0.05]
        print(f"| {rho} | " + " | ".join(f"{float(s.mean()):.3f}" for s in shares) + " |")


def twin(seeds: Sequence[int], size: int, first_year: int, last_year: int, *, detrend: bool) -> None:
    """Table of each seed's Earth: what the warming does in days, and what its own series say."""
    began = time.monotonic()
    if last_year - first_year < MIN_YEARS:
        raise SystemExit(f"--years: a trend needs {MIN_YEARS} whole frost years")
    record = earths(seeds, size, first_year, last_year, detrend=detrend)
    days = season.season(record, rule=None, overpasses=[AM, PM])["frozen_days"]
    count = size * size
    what = f"{size} x {size} cells, {first_year}-{last_year}, +{10 * WARMING:g} K a decade"
    what += ", weather detrended as the twin's is" if detrend else ", weather as drawn"
    print(f"\nTwin: {what}, quadrants x thirds of elevation, AM and PM, 95 % intervals")
    print("| seed | prescribed, d/a | IAV, d | Sen holds it | OLS holds it | mean bias Sen, d/a | OLS | width |")
    print("|-|-|-|-|-|-|-|-|")
    every = []
    for k, seed in enumerate(seeds):
        still = days.isel(cell=slice(2 * k * count, (2 * k + 1) * count))
        warm = days.isel(cell=slice((2 * k + 1) * count, (2 * k + 2) * count))
        masks = quarters(seed, size)
        forced = [row["slope_ols"] for row in table(regional_means(warm.astype(float) - still.values, masks))]
        own = table(regional_means(warm, masks))
        found, spread = held(own, forced), np.mean([row["variation"] for row in own])
        every.append(found)
        print(
            f"| {seed} | {np.mean(forced):.3f} ({np.min(forced):.2f} to {np.max(forced):.2f}) "
            f"| {spread:.1f} | {found['sen'].mean():.2f} | {found['ols'].mean():.2f} "
            f"| {found['sen_off'].mean():+.3f} | {found['ols_off'].mean():+.3f} | {found['width'].mean():.2f} |",
            flush=True,
        )
    print(f"| all | | {_summary(every)}\n({time.monotonic() - began:.0f} s)")


def earths(seeds: Sequence[int], size: int, first_year: int, last_year: int, *, detrend: bool = True) -> xr.Dataset:
    """The truth of each seed's Earth, still and then warmed, on (time, overpass, cell): one march of all cells."""
    grid = named("M09").around(*PLACE, (size, size))
    first, last = world.origin(f"{first_year}-01-01"), np.datetime64(f"{last_year}-12-31")
    cells, still = [], []
    for seed in seeds:
        cells += 2 * [long.long_cells(long.long_ground(grid, seed=seed), grid)]
        make = partial(long_weather, grid, seed, first, last)
        still.append(weather.detrended(make, first=first, last=last) if detrend else make())
    states, dates = [], []
    for day in column.march(joined_cells(cells), beside(still)):
        if day.date >= np.datetime64(f"{first_year}-01-01"):
            dates.append(day.date)
            states.append(np.stack([soil.ice_share(day.at(hour).column) > 0.5 for hour in (6, 18)]))
    values = np.stack(states).astype(np.float32)
    coords = {"time": np.array(dates).astype("datetime64[ns]"), "overpass": [AM, PM]}
    return xr.Dataset({"frozen": (("time", "overpass", "cell"), values)}, coords=coords)


def long_weather(grid: Grid, seed: int, first: np.datetime64, last: np.datetime64) -> Iterator[Weather]:
    """The weather of `twin.long` before it is detrended."""
    days = weather.daily_weather(grid.shape, cell_km=long.cell_km(grid), seed=seed, first=first)
    return takewhile(lambda day: day.date <= last, days)


def beside(still: Sequence[Iterator[Weather]]) -> Iterator[Weather]:
    """One weather over all cells: that of each Earth as it is and again warmed, as `weather.detrended` warms it."""
    for days in zip(*still, strict=True):
        ages = [float((days[0].date + k - weather.EPOCH) / np.timedelta64(1, "D")) / 365.25 for k in (0, 1)]
        both = [w for day in days for w in (day, _warmer(day, *(WARMING * age for age in ages)))]
        names = [f.name for f in fields(Weather) if f.name != "date"]
        yield Weather(days[0].date, *(np.concatenate([getattr(w, n) for w in both]) for n in names))


def _warmer(day: Weather, now: float, later: float) -> Weather:
    anomaly, after = day.anomaly + np.float32(now), day.anomaly_next + np.float32(later)
    return replace(day, anomaly=anomaly, anomaly_next=after)


def joined_cells(parts: Sequence[Any]) -> Any:
    """Cells of several Earths as one: every vector over the cells end to end; what layers share stays as it is."""
    values = {}
    for field in fields(parts[0]):
        own = [getattr(part, field.name) for part in parts]
        if is_dataclass(own[0]):
            values[field.name] = joined_cells(own)
        else:
            values[field.name] = own[0] if field.name == "thickness" else np.concatenate(own)
    return type(parts[0])(**values)


def quarters(seed: int, size: int) -> dict[str, Array]:
    """Masks (cell): the quadrants of the window crossed with thirds of its elevation."""
    grid = named("M09").around(*PLACE, (size, size))
    height = long.long_ground(grid, seed=seed)["elevation"].values.ravel()
    rows, columns = (a.ravel() // ((size + 1) // 2) for a in np.indices(grid.shape))
    third = np.searchsorted(np.quantile(height, [1 / 3, 2 / 3]), height)
    regions = {f"{'NS'[r]}{'WE'[c]}": (rows == r) & (columns == c) for r in (0, 1) for c in (0, 1)}
    classes = {name: third == k for k, name in enumerate(("low", "middle", "high"))}
    return {name: mask for name, mask in crossed(regions, classes).items() if mask.sum() >= 3}


def main() -> None:
    """Run the parts that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--parts", nargs="+", choices=("recovery", "alarms", "twin"), default=("recovery", "alarms", "twin")
    )
    parser.add_argument("--made", type=int, default=100, help="seeds of the made series")
    parser.add_argument("--series", type=int, default=4000, help="series without a trend")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4], help="Earths")
    parser.add_argument("--size", type=int, default=10, help="cells of a side of each Earth")
    parser.add_argument("--years", type=int, nargs=2, default=(1980, 2020), help="first and last year of the Earths")
    parser.add_argument("--weather", choices=("detrended", "own"), default="detrended", help="of the Earths")
    options = parser.parse_args()
    if "recovery" in options.parts:
        recovery(options.made)
    if "alarms" in options.parts:
        alarms(options.series)
    if "twin" in options.parts:
        twin(options.seeds, options.size, *options.years, detrend=options.weather == "detrended")


if __name__ == "__main__":
    main()
