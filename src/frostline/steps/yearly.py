"""What the north system tells of a cell's year: the freeze/thaw domain, annual quality, states by month."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from frostline import figures_areas, store
from frostline.clock import AM, PM, month, year
from frostline.config_china import China
from frostline.config_north import North
from frostline.export_layers import INVERSE, TRANSITIONAL, combined, encode
from frostline.grid import Grid
from frostline.report import Sheet
from frostline.runs import Run
from frostline.steps.common import days_of, grid_of, roles, save
from frostline.steps.gallery import Drawn
from frostline.steps.model import record_path
from frostline.steps.panels import note
from frostline.validate.annual import NO_CLASS, annual_quality, frozen_days_a_year, rule
from frostline.validate.annual import domain as freezing

Array = np.ndarray
LEAST_DAYS = 30  # of a year's quality that is drawn
LEAST_HELD = 10  # held-out days of the table of months
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
STATES = (1, 0, TRANSITIONAL, INVERSE)
_BLOCK_VALUES = 1 << 22


def domain(experiment: North, run: Run) -> dict[str, Array]:
    """The stratum `domain` (y, x) for the scores, by the reanalysis of the training days; also kept as `domain.nc`.

    Empty without a [validate] table, without reanalysis labels or training days, or where no cell is in it. In the file
    the mask, the frozen days a year it is made of, and the rule in the mask's attribute.
    """
    path = run.path("domain.nc")
    path.unlink(missing_ok=True)
    table = experiment.validate_
    stack = store.open_store(run.path("stack.zarr"), chunks={})
    taught = roles(experiment)[0] == "train"
    if table is None or "label_reanalysis" not in stack or not taught.any():
        return {}
    land = stack["land"].values == 1
    frozen_days = np.where(land, frozen_days_a_year(stack["label_reanalysis"], days=taught), np.nan)
    low, high = table.domain_days
    mask = freezing(frozen_days, low=low, high=high)
    when = days_of(experiment)[taught]
    said = rule(low, high, by="the reanalysis", first=when[0], last=when[-1])
    told = {
        "domain": (("y", "x"), mask.astype("u1"), {"long_name": "freeze/thaw domain", "rule": said}),
        "frozen_days": (("y", "x"), frozen_days.astype("f4"), {"long_name": "frozen days a year", "units": "day"}),
    }
    save(path, grid_of(experiment).write(xr.Dataset(told, attrs={"rule": said})))
    return {"domain": mask} if mask.any() else {}


def quality_files(experiment: North | China, run: Run, name: str, record: xr.Dataset, folder: Path) -> int:
    """`<name>_qa_<year>.nc` for each calendar year of a north record (`annual_quality`); how many files."""
    if not isinstance(experiment, North):
        return 0
    reference = _reference(experiment, run, record)
    years = year(record["time"].values)
    for one in np.unique(years).tolist():
        days = record["time"].values[years == one]
        found = Grid.of(record).write(annual_quality(record, reference, days=days))
        about = {
            k: record.attrs[k] for k in ("source", "experiment", "effective_resolution", "leak") if k in record.attrs
        }
        about |= {
            "title": f"Quality of the record {name} in {one}",
            "first_day": str(days[0])[:10],
            "last_day": str(days[-1])[:10],
            "comment": "qa is the share of the reanalysis' days on which the record is known and agrees with it. The "
            "cuts of qa_class are those of NSIDC-0477's annual quality, its value is another. The reanalysis may have "
            "taught the record: agreement is no proof of skill.",
        }
        save(folder / f"{name}_qa_{one}.nc", found.assign_attrs(about))
    return len(np.unique(years))


def figures(experiment: North, run: Run) -> Drawn:
    """Quality of mornings in the calendar year that has most held-out days: observed, agreeing, Brier score, class."""
    if experiment.train is None:
        return []
    record = store.open_store(record_path(run, "unet"), chunks={})
    reference = _reference(experiment, run, record)
    held = roles(experiment)[0] == "heldout"
    years = year(days_of(experiment))
    if reference is None or not held.any():
        return []
    names, count = np.unique(years[held], return_counts=True)
    chosen = int(names[np.argmax(count)])
    days = days_of(experiment)[years == chosen]
    if len(days) < LEAST_DAYS:
        return []
    one = annual_quality(record, reference, days=days).isel(overpass=0)
    land = store.open_store(run.path("stack.zarr"))["land"].values == 1
    codes = one["qa_class"].values
    observed, agreement, brier = (np.where(land, one[n].values, np.nan) for n in ("observed", "agreement", "brier"))
    figure = figures_areas.quality_maps(
        Grid.of(record),
        observed,
        agreement,
        brier,
        np.where(land & (codes != NO_CLASS), codes.astype(float), np.nan),
        land=land,
        year=chosen,
        note=note(experiment),
    )
    inside = {name: f"{100 * float(one[name].values[land].mean()):.0f} %" for name in ("unknown", "low_confidence")}
    caption = (
        f"Quality of mornings in {chosen}, {len(days)} days: all inputs observed that day, agreement and Brier score "
        "by the reanalysis, and the class by the share of the reanalysis' days that are known and agree. Of the land's "
        f"cell-days {inside['unknown']} are unknown and {inside['low_confidence']} of low confidence. The reanalysis "
        "taught the record: agreement is no proof of skill."
    )
    return [("annual_quality", figure, caption)]


def sheets(experiment: North, run: Run) -> list[Sheet]:
    """The report's table of states by month over the held-out days: AM and PM together."""
    name = "unet" if experiment.train is not None else "reanalysis"
    record = store.open_store(record_path(run, name), chunks={})
    chosen = roles(experiment)[0] == "heldout"
    if chosen.sum() < LEAST_HELD or not {AM, PM} <= set(record["overpass"].values.tolist()):
        return []
    land = store.open_store(run.path("stack.zarr"))["land"].values == 1
    counts = states_by_month(record, land=land, days=chosen)
    lines = []
    for m, row in enumerate(counts):
        known, n = row[:4].sum(), row.sum()
        if known:
            shares = [f"{100 * v / known:.1f}" for v in row[:4]]
            lines.append([MONTHS[m], *shares, f"{100 * row[4] / n:.1f}", f"{known:,.0f}"])
    head = ["month", "frozen, %", "thawed, %", "transitional, %", "inverse, %", "unknown, %", "n"]
    text = (
        "Cell-days of the land on held-out days. Transitional: frozen in the morning, thawed in the evening; inverse: "
        "the other way round. Shares are of the n cell-days whose morning and evening are both known. A description of "
        "the record, not a score."
    )
    return [Sheet("States of morning and evening by month", text, head, lines)] if lines else []


def states_by_month(record: xr.Dataset, *, land: Array, days: Array) -> Array:
    """Cell-days (12 months, 5) of land frozen, thawed, transitional, inverse and unknown on the chosen days (bool)."""
    frozen = record["frozen"].sel(overpass=[AM, PM]).transpose("time", "overpass", "y", "x")
    counts = np.zeros((12, len(STATES) + 1))
    at = np.flatnonzero(days)
    step = max(1, _BLOCK_VALUES // int(np.prod(frozen.shape[1:])))
    for begin in range(0, len(at), step):
        some = at[begin : begin + step]
        state = next(iter(encode(frozen[some].values, None, None, polarity="frozen").values()))
        codes = combined(state[:, 0], state[:, 1])[:, land]
        months = month(record["time"].values[some]) - 1
        for k, code in enumerate(STATES):
            np.add.at(counts[:, k], months, (codes == code).sum(axis=1))
        np.add.at(counts[:, -1], months, (~np.isin(codes, STATES)).sum(axis=1))
    return counts


def resolution(experiment: North, run: Run) -> str | None:
    """What the main record says of its effective resolution, where that was estimated."""
    name = "unet" if experiment.train is not None else "reanalysis"
    said: Any = store.open_store(record_path(run, name)).attrs.get("effective_resolution", "")
    return str(said) if "power law" in said or "own spectrum" in said else None


def _reference(experiment: North, run: Run, record: xr.Dataset) -> xr.DataArray | None:
    """The reanalysis' state on the record's grid; None where there is none, or where it is the record."""
    stack = store.open_store(run.path("stack.zarr"), chunks={})
    if experiment.predict.method != "net" or "label_reanalysis" not in stack or Grid.of(record) != Grid.of(stack):
        return None
    return stack["label_reanalysis"].where(stack["land"] == 1)
