"""Frozen area and days of the north system, counted and corrected for error: `area.json`, `area.nc`, figure, table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from frostline import season, store
from frostline.clock import OVERPASS_NAMES
from frostline.clock import season as season_of
from frostline.config_north import North, ValidateTable
from frostline.errors import InputError
from frostline.grid import Grid
from frostline.report import Sheet
from frostline.runs import Run, read_json, write_json
from frostline.steps import watch
from frostline.steps.common import days_of, grid_of, load, roles, save
from frostline.steps.extent import KNOWN
from frostline.steps.findings import number
from frostline.steps.gallery import Drawn
from frostline.tally import TABLE, tally
from frostline.validate.area import LEAST_DAYS, corrected, frost_years
from frostline.validate.intervals import effective_days
from frostline.validate.match import matched
from frostline.words import NAMES

Array = np.ndarray
WHO = ("unet", "reanalysis", "climatology")  # whose area is told: ours, its teacher, and what needs no satellite
JUDGES = ("stations", "reanalysis")  # the first of them that there is says what a claim is worth
TRUTHS = ("truth", "truth_t0")
MONTHS_A_YEAR = 12
LAYERS = ("counted", "corrected", "lo", "hi")
_MEANING = {
    "counted": "frozen area as the record says",
    "corrected": "frozen area corrected for the record's errors",
    "lo": "lower end of the interval of the corrected area",
    "hi": "upper end of the interval of the corrected area",
    "truth": "frozen area of the twin's truth, ice share",
    "truth_t0": "frozen area of the twin's truth, T < 0 degC",
}


def areas(
    experiment: North,
    run: Run,
    records: Mapping[str, xr.Dataset],
    truths: Mapping[str, xr.Dataset],
    leaks: Sequence[str] = (),
) -> dict[str, Any]:
    """Write `area.json` (frozen days by period) and `area.nc` (daily extent, km2); how many rows.

    Rows {record, against, overpass, period, days, counted, value, lo, hi, truth, truth_t0, n, n_effective, stations}:
    mean frozen days of the land's cells in a period. Worth of claims is that on held-out days, at stations that never
    taught, or against the reanalysis where there are none. Periods: `heldout`, its seasons, and frost years.
    """
    table = experiment.validate_
    against = next((name for name in JUDGES if name in truths), None)
    held = roles(experiment)[0] == "heldout"
    run.path("area.nc").unlink(missing_ok=True)
    if table is None or against is None or not held.any():
        write_json(run.path("area.json"), [])
        return {}
    land = store.open_store(run.path("stack.zarr"))["land"].values == 1
    grid, when = grid_of(experiment), days_of(experiment)
    known = {name: daily(truths[name], grid, land) for name in TRUTHS if name in truths}
    rows: list[dict[str, Any]] = []
    extents: dict[str, xr.Dataset] = {}
    for name in WHO:
        if name not in records or name == against:
            continue
        found = _record(name, records[name], truths[against], against, known, land, when, held, table)
        if found is not None:
            rows += found[0]
            extents[name] = found[1]
    write_json(run.path("area.json"), watch.marked(rows, leaks))
    if extents:
        about = {"judged_by": against} | ({"leak": "; ".join(leaks)} if leaks else {})
        _write(run, extents, known, grid, land, about)
    return {"area_rows": len(rows)}


def daily(record: xr.Dataset, grid: Grid, land: Array) -> xr.DataArray:
    """Share of the known land that is frozen, (time, overpass); NaN where less than half of the land is known."""
    km2 = season.extent(record, area=grid.area() / 1e6, within=land)
    whole = float(np.broadcast_to(grid.area() / 1e6, grid.shape)[land].sum())
    seen = km2["frozen"] + km2["thawed"]
    return (km2["frozen"] / seen.where(seen > 0)).where(seen >= KNOWN * whole)


def _record(
    name: str,
    record: xr.Dataset,
    truth: xr.Dataset,
    against: str,
    known: Mapping[str, xr.DataArray],
    land: Array,
    when: Array,
    held: Array,
    table: ValidateTable,
) -> tuple[list[dict[str, Any]], xr.Dataset] | None:
    """Rows and daily shares (layer, time, overpass) of one record; None where it shares no held-out day."""
    try:
        sums = judged(name, record, truth, land, when[held])
    except InputError:
        return None
    said = daily(record, Grid.of(record), land)
    layers = np.full((len(LAYERS), len(when), said.sizes["overpass"]), np.nan)
    rows = []
    for o, code in enumerate(said["overpass"].values):
        share = said.sel(overpass=code).reindex(time=when).values
        layers[0, :, o] = share
        if code not in sums["overpass"].values:
            continue
        parts = {n: sums[n].sel(overpass=code).transpose("time", "stratum").values for n in TABLE}
        compared = np.sum(list(parts.values()), axis=0)
        units = compared.sum(axis=0) > 0
        if not units.any():
            continue
        periods = periods_of(when, held, np.isfinite(share))
        found = corrected(
            share,
            when,
            {n: v[:, units] for n, v in parts.items()},
            sums["time"].values,
            periods=periods,
            block=table.block_days,
            resamples=table.resamples,
            level=table.confidence,
            seed=table.seed,
        )
        layers[1:, :, o] = found.share, found.lo, found.hi
        wrong = (parts["false_frozen"] + parts["false_thawed"]).sum(axis=1, keepdims=True)
        worth = effective_days(wrong, compared.sum(axis=1, keepdims=True), sums["time"].values)
        for period, (value, low, high) in found.periods.items():
            weight = periods[period]
            row = {
                "record": name,
                "against": against,
                "overpass": OVERPASS_NAMES[int(code)],
                "period": period,
                "days": float(weight.sum()),
                "counted": _sum(share, weight),
                "value": value,
                "lo": low,
                "hi": high,
            }
            for truth_name, states in known.items():
                true = states.sel(overpass=code).reindex(time=when).values
                row[truth_name] = _sum(true, weight)
            row |= {"n": round(float(compared.sum())), "n_effective": float(worth[0])}
            rows.append(row | {"stations": int(units.sum()) if against == "stations" else None})
    data = {layer: (("time", "overpass"), layers[i]) for i, layer in enumerate(LAYERS)}
    return rows, xr.Dataset(data, coords={"time": when, "overpass": said["overpass"].values})


def judged(name: str, record: xr.Dataset, truth: xr.Dataset, land: Array, days: Array) -> xr.Dataset:
    """Sums of a tally (time, overpass, stratum) on the judged days: a stratum a station, or one for the whole land."""
    to_sites = "site" in truth["frozen"].dims
    parts = []
    for fields, state in matched({name: record}, truth, days=days):
        if to_sites:
            strata = {str(i): row for i, row in enumerate(np.eye(state.sizes["site"], dtype=bool))}
        else:
            strata = {"land": land}
        parts.append(tally(fields[name], state, strata=strata))
    return xr.concat(parts, "time")


def periods_of(when: Array, held: Array, known: Array) -> dict[str, Array]:
    """Weights (days,) of each period: held-out days and those of a season as they are, frost years with gaps filled."""
    counted = held & known
    found = {"heldout": counted.astype(float)}
    seasons = season_of(when)
    for part in ("DJF", "MAM", "JJA", "SON"):
        if (counted & (seasons == part)).sum() >= LEAST_DAYS:
            found[f"season:{part}"] = (counted & (seasons == part)).astype(float)
    return found | {str(year): weights for year, weights in frost_years(when, known).items()}


def sheets(run: Run) -> list[Sheet]:
    """The report's table of frozen days, counted and corrected; on the twin beside the truth."""
    if not run.path("area.json").exists():
        return []
    rows = [r for r in read_json(run.path("area.json")) if r["lo"] is not None]
    rows = [r for r in rows if r["record"] == rows[0]["record"] or r["period"] == "heldout"]
    if not rows:
        return []
    truths = [name for name in TRUTHS if name in rows[0]]
    lines = []
    for row in rows:
        period = {"heldout": f"held-out days ({row['days']:.0f})"}.get(row["period"], row["period"])
        period = period.replace("season:", "held-out ")
        line = [NAMES.get(row["record"], row["record"]), row["overpass"].upper(), period]
        line += [f"{row['counted']:.1f}", number(row, digits=1)]
        for name in truths:
            inside = row["lo"] <= row[name] <= row["hi"]
            line.append(f"{row[name]:.1f} ({'inside' if inside else 'outside'})")
        lines.append([*line, f"{row['n']:,}", "" if row["stations"] is None else str(row["stations"])])
    who = NAMES.get(rows[0]["against"], rows[0]["against"])
    held = ""
    for name in truths:
        found = [r["lo"] <= r[name] <= r["hi"] for r in rows]
        held += f" The interval holds {NAMES.get(name, name)} in {sum(found)} of {len(found)} lines."
    note = (
        "Mean frozen days of the land's cells. Counted: what the record says. Corrected: each day's share called "
        "frozen, and called thawed, weighted by the share of such claims that proved frozen in that month "
        f"(Olofsson et al. 2014), judged by {who} on held-out days. Assumed: the judged cell-days stand for all of "
        "their class, month and pass, in all of the land and in every year; a station's thermometer stands for its "
        "cell. Intervals are of draws of blocks of days and of stations and do not know whether this holds. Years "
        "whose days taught the record err less than the held-out days that judge it." + held
    )
    head = ["record", "pass", "period", "counted", "corrected"]
    head += [NAMES.get(name, name) for name in truths] + ["n judged", "stations"]
    return [Sheet("Frozen days, counted and corrected for error", note, head, lines)]


def figures(experiment: North, run: Run, note: str) -> Drawn:
    """Frozen land through the held-out days: counted, corrected with its interval, and the twin's truth."""
    from frostline import figures_areas

    if not run.path("area.nc").exists():
        return []
    held = roles(experiment)[0] == "heldout"
    known = load(run.path("area.nc")).isel(time=held, overpass=0)
    if "unet" not in known["record"].values or not np.isfinite(known["corrected"].sel(record="unet")).any():
        return []
    one = known.sel(record="unet")
    figure = figures_areas.corrected_extent(
        one["time"].values,
        {layer: one[layer].values / 1e6 for layer in LAYERS},
        truth=one["truth"].values / 1e6 if "truth" in one else None,
        note=note,
    )
    caption = "Frozen land, mornings: as counted, and corrected for error by month, with the interval of the rates."
    if "truth" in one:
        has = np.isfinite(one["lo"].values) & np.isfinite(one["truth"].values)
        inside = (one["lo"] <= one["truth"]) & (one["truth"] <= one["hi"])
        caption += (
            f" The interval is of a month's mean rates, so single days stray more: it holds the truth on "
            f"{100 * float(inside.values[has].mean()):.0f} % of the days, and a typical day (root mean square) is "
            f"{_typical(one, 'corrected'):.0f} % of the land from it, as counted {_typical(one, 'counted'):.0f} %."
        )
    return [("extent_corrected", figure, caption)]


def _write(
    run: Run,
    extents: Mapping[str, xr.Dataset],
    known: Mapping[str, xr.DataArray],
    grid: Grid,
    land: Array,
    about: Mapping[str, str],
) -> None:
    """`area.nc`: daily extents (record, time, overpass) and the truth's (time, overpass), km2."""
    whole = float(np.broadcast_to(grid.area() / 1e6, grid.shape)[land].sum())
    every = xr.concat(list(extents.values()), "record").assign_coords(record=list(extents)) * whole
    for name, share in known.items():
        every[name] = (share * whole).reindex(time=every["time"], overpass=every["overpass"])
    for layer, variable in every.data_vars.items():
        variable.attrs.update(units="km2", long_name=_MEANING[str(layer)])
    save(run.path("area.nc"), every.assign_attrs(land_km2=whole, **about))


def _typical(one: xr.Dataset, layer: str) -> float:
    """Root mean square of a layer's daily distance from the truth, in per cent of the land."""
    return 100 * float(np.sqrt(((one[layer] - one["truth"]) ** 2).mean())) / float(one.attrs["land_km2"])


def _sum(share: Array, weight: Array) -> float:
    """Weighted days over the known ones that count; NaN where one that counts is unknown."""
    return float((share[weight > 0] * weight[weight > 0]).sum()) if (weight > 0).any() else float("nan")
