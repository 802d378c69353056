"""Box statistics: how accuracy is spread over the cells of a land cover, a climate, a ruggedness; `boxes.json`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from frostline.clock import OVERPASS_NAMES
from frostline.config_china import China
from frostline.grid import Grid
from frostline.runs import Run, write_json
from frostline.scores import accuracy, frozen_accuracy, thawed_accuracy
from frostline.steps import shelf
from frostline.steps.common import grid_of
from frostline.steps.direct import days_by_split, knows, near, strata
from frostline.tally import TABLE, tally_cells
from frostline.validate.match import matched

Array = np.ndarray
STATIONS = "Meteorology_FT"  # what Cui et al. 2024 call the stations' states, as a record
SCORES = {"accuracy": accuracy, "sensitivity": frozen_accuracy, "specificity": thawed_accuracy}
GAPS = ("smap", "esdr")  # seen on some days and cells only: swaths, water, guards
LEAST_SAMPLES = 10  # a cell's share of fewer days of a class is chance
SUMMARY = ("min", "q1", "median", "q3", "max")


def boxes(experiment: China, run: Run) -> int:
    """Write `boxes.json` of the held-out days; how many rows.

    Against the twin's truth over cells, with the stations as a record of their own (`Meteorology_FT`, over stations);
    without a twin against the held-out stations, over these. Records are judged on their common cell-days; the
    products with GAPS, which would leave few of these, on those of their own among them.
    """
    dates = days_by_split(experiment).get("heldout", np.empty(0, "datetime64[ns]"))
    references = shelf.references(experiment, run)
    names = ("fused", *shelf.net_records(experiment), "smap", "esdr", "reanalysis")
    known = {n: ds for n, ds in shelf.records(experiment, run).items() if n in names and knows(ds, dates)}
    records = {n: known[n] for n in names if n in known}
    against = next((n for n in ("truth", "stations") if n in references and knows(references[n], dates)), None)
    masks, grid = strata(run), grid_of(experiment)
    rows: list[dict[str, Any]] = []
    if against is not None and records:
        rows = spread_rows(cell_sums(near(records, dates), references[against], dates), masks, grid, against)
        stations = references.get("stations")
        if against == "truth" and stations is not None and knows(stations, dates):
            rows += spread_rows(station_sums(references["truth"], stations, dates), masks, grid, against)
    write_json(run.path("boxes.json"), rows)
    return len(rows)


def cell_sums(records: Mapping[str, xr.Dataset], truth: xr.Dataset, dates: Any) -> dict[str, xr.Dataset]:
    """Each record's tally of every cell, or site, (overpass, *cells*), on the cell-days that all but GAPS know."""
    sums: dict[str, xr.Dataset] = {}
    for fields, state in matched(records, truth, days=dates):
        judges = [name for name in fields if name not in GAPS] or list(fields)
        common = sum(fields[name].isnull() for name in judges) == 0
        for name, field in fields.items():
            part = tally_cells(field.where(common), state)
            sums[name] = sums[name] + part if name in sums else part
    return sums


def station_sums(truth: xr.Dataset, stations: xr.Dataset, dates: Any) -> dict[str, xr.Dataset]:
    """The tally of the stations' own states against the truth of the cells they stand in, (overpass, site)."""
    whole: xr.Dataset | None = None
    for fields, said in matched({"truth": truth[["frozen"]]}, stations, days=dates):
        part = tally_cells(said.transpose(*fields["truth"].dims), fields["truth"])
        whole = part if whole is None else whole + part
    return {} if whole is None else {STATIONS: whole}


def spread_rows(
    sums: Mapping[str, xr.Dataset], masks: Mapping[str, Array], grid: Grid, against: str
) -> list[dict[str, Any]]:
    """Rows {group, class, overpass, record, against, score, n, min, q1, median, q3, max} of the cells of each mask.

    n: cells (or stations) with at least LEAST_SAMPLES samples of what the score is a share of.
    """
    rows = []
    groups = {"all": np.ones(grid.shape, bool), **masks}
    for record, tallied in sums.items():
        at_sites = "site" in tallied.dims
        members = {name: _at(mask, grid, tallied) if at_sites else mask.ravel() for name, mask in groups.items()}
        table = {name: tallied[name].transpose("overpass", ...).values for name in TABLE}
        table = {name: values.reshape(len(values), -1) for name, values in table.items()}
        frozen, thawed = table["true_frozen"] + table["false_thawed"], table["true_thawed"] + table["false_frozen"]
        sizes = {"accuracy": frozen + thawed, "sensitivity": frozen, "specificity": thawed}
        for score, of in SCORES.items():
            values = np.where(sizes[score] >= LEAST_SAMPLES, of(table), np.nan)
            rows += [
                {
                    "group": name.partition(":")[0],
                    "class": name.partition(":")[2] or name,
                    "overpass": OVERPASS_NAMES[int(code)],
                    "record": record,
                    "against": against,
                    "score": score,
                    **spread(values[i, mask]),
                }
                for i, code in enumerate(tallied["overpass"].values)
                for name, mask in members.items()
            ]
    return rows


def spread(values: Any) -> dict[str, Any]:
    """Least, quartiles, median and largest of the known values, and how many these are; NaN of none.

    >>> spread([1.0, 2.0, 4.0, 5.0, float("nan")])
    {'n': 4, 'min': 1.0, 'q1': 1.75, 'median': 3.0, 'q3': 4.25, 'max': 5.0}
    """
    values = np.asarray(values, float)
    known = values[np.isfinite(values)]
    found = np.quantile(known, [0, 0.25, 0.5, 0.75, 1]) if known.size else np.full(5, np.nan)
    return {"n": int(known.size), **dict(zip(SUMMARY, found.tolist(), strict=True))}


def _at(mask: Array, grid: Grid, tallied: xr.Dataset) -> Array:
    """A mask (y, x) over the sites of a tally."""
    rows, cols = grid.locate(tallied["lon"].values, tallied["lat"].values)
    return mask[rows, cols] & (rows >= 0)
