"""The step of the seasons: frozen days, onset and offset of every record and of the truth, and what changed in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from frostline import season as seasons
from frostline import store
from frostline.clock import AM, PM
from frostline.config_china import China, SeasonTable
from frostline.errors import InputError
from frostline.runs import Run, write_json
from frostline.season_blocks import BOTH
from frostline.steps.beside import beside
from frostline.steps.common import days_of, grid_of, save
from frostline.steps.evidence import as_record
from frostline.steps.shelf import fused_records, label_record, net_records, record_path
from frostline.steps.trend_rows import Groups, Row, cell_trends, groups_of, trend_rows

TRUTH = "truth"
LABELS = ("smap", "esdr", "reanalysis")  # records that lie in the stack
MAPPED = ("fused", "reanalysis", TRUTH)  # records whose trends are told cell by cell; all, where there are none of them
# A year that begins in another month cuts the northern winter in two, and then has no onset and offset of its own
WHOLE_WINTERS = range(6, 11)
PHENOLOGY = ("transitions", "onset", "offset", "length")
PHENOLOGY_GROUPS = ("all", "region")


def season(experiment: China, run: Run) -> dict[str, Any]:
    """`seasons_<record>.nc` of each record and the truth, `trends.json` and `trend_cells.nc`.

    Records of `[season] records` that the run does not have are named in the notes, and an InputError when it has
    none. Records are read beside each other in processes, a year at a time.
    """
    table = experiment.season
    names = [name for name in dict.fromkeys((*table.records, TRUTH)) if _claim(experiment, run, name) is not None]
    absent = [name for name in table.records if name not in names]
    if not set(names) - {TRUTH}:
        raise InputError(
            "E-INPUT-MISSING",
            where=run.folder,
            cause=f"none of the records {', '.join(table.records)} is there",
            remedy="run the steps before, or name others in season.records",
        )
    for path in run.folder.glob("seasons_*.nc"):
        path.unlink()  # of records that were asked for before
    beside(_one, experiment, run, names)
    groups = masks(experiment, run)
    with ExitStack() as opened:
        files = {name: opened.enter_context(_opened(season_path(run, name))) for name in names}
        found = _rows(experiment, files, "frozen_days", groups)
        few = {group: held for group, held in groups.items() if group in PHENOLOGY_GROUPS}
        found["phenology"] = []
        for variable in PHENOLOGY if table.start_month in WHOLE_WINTERS else PHENOLOGY[:1]:
            rows = _rows(experiment, files, variable, few, breaks_in=())["rows"]
            found["phenology"] += [{"variable": variable, **row} for row in rows]
        gaps = [row for name, ds in files.items() for row in _gaps(experiment, name, ds, groups["all"]["all"])]
        write_json(run.path("trends.json"), {**_about(experiment, files[names[0]], absent), **found, "gaps": gaps})
        days = {name: ds["frozen_days"] for name, ds in files.items()}
        mapped = {name: field for name, field in days.items() if name in MAPPED} or days
        save(run.path("trend_cells.nc"), cell_trends(mapped, correction=table.correction, level=table.confidence))
    return {"records": names, "absent": absent, "rows": len(found["rows"]), "years_null": len(gaps)}


def yearly_seasons(record: xr.Dataset, table: SeasonTable) -> xr.Dataset:
    """All years of a record (year, overpass, y, x): AM, PM and `season.BOTH`, or what it has of them.

    Held: a year of it, and the seasons themselves. Years that do not hold a whole winter have no onset and offset.
    """
    codes = record["overpass"].values.tolist()
    wanted = [AM, PM, BOTH] if {AM, PM} <= set(codes) else codes
    return seasons.season(
        record,
        start_month=table.start_month,
        rule=table.rule if table.start_month in WHOLE_WINTERS else None,
        min_valid=table.min_valid,
        overpasses=wanted,
    )


def season_path(run: Run, name: str) -> Path:
    """Where the seasons of a record lie."""
    return run.path(f"seasons_{name}.nc")


def masks(experiment: China, run: Run) -> Groups:
    """Cells of each region, each permafrost class and their crossings, on land; those without a cell are left out."""
    stack = store.open_store(run.path("stack.zarr"), chunks={})
    land = stack["land"].values == 1
    codes = {
        group: (stack[name].values, [str(n) for n in stack.attrs[listed]])
        for group, name, listed in (("region", "region", "regions"), ("permafrost", "permafrost", "permafrost_classes"))
        if name in stack
    }
    return groups_of(land, codes)


def _claim(experiment: China, run: Run, name: str) -> xr.Dataset | None:
    """A record or the truth, lazily; None where the run has no such thing."""
    grid = grid_of(experiment)
    if name == TRUTH:
        if not run.path("truth.zarr").exists():
            return None
        return as_record(store.open_store(run.path("truth.zarr"), chunks={})["truth"], grid)
    if name in LABELS:
        stack = store.open_store(run.path("stack.zarr"), chunks={})
        return label_record(stack, name, grid) if f"label_{name}" in stack else None
    if name not in (*fused_records(experiment), *net_records(experiment), "recalibrated"):
        return None  # what a former run with other settings left is no record of this one
    path = record_path(run, name)
    return store.open_store(path, chunks={}) if path.exists() else None


def _one(experiment: China, folder: Path, name: str, threads: int, quiet: bool) -> None:
    """Write the seasons of one record; one thread does it."""
    run = Run(folder, workers=threads, quiet=quiet)
    record = _claim(experiment, run, name)
    assert record is not None
    found = yearly_seasons(record, experiment.season)
    found.attrs["record"] = name
    if experiment.twin is not None:
        found.attrs["world"] = "twin Earth"
    for variable in found.data_vars.values():
        variable.encoding.update(zlib=True, complevel=1)
    save(season_path(run, name), found)


def _opened(path: Path) -> xr.Dataset:
    """A file of seasons, lazily."""
    return xr.open_dataset(path, engine="h5netcdf", chunks={"year": -1})


def _rows(
    experiment: China,
    files: Mapping[str, xr.Dataset],
    variable: str,
    groups: Groups,
    breaks_in: Sequence[str] = ("all", "region"),
) -> dict[str, list[Row]]:
    """Rows of one variable of all the records."""
    table = experiment.season
    fields = {name: ds[variable] for name, ds in files.items()}
    truth = fields.pop(TRUTH, None)
    return trend_rows(
        fields,
        groups,
        area=grid_of(experiment).area(),
        truth=truth,
        start_month=table.start_month,
        correction=table.correction,
        level=table.confidence,
        breaks_in=breaks_in,
    )


def _gaps(experiment: China, name: str, ds: xr.Dataset, land: np.ndarray) -> list[Row]:
    """The years that most of the land does not know, and why."""
    table, period = experiment.season, days_of(experiment).astype("datetime64[D]")
    rows = []
    for code in ds["overpass"].values.tolist():
        one = ds[["frozen_days", "valid_days"]].sel(overpass=code)
        null = np.isnan(one["frozen_days"].values[:, land]).mean(axis=1)
        seen = np.median(one["valid_days"].values[:, land], axis=1)
        for year, share, days in zip(ds["year"].values.tolist(), null, seen, strict=True):
            if share <= 0.5:
                continue
            begins, ends = (np.datetime64(f"{y:04d}-{table.start_month:02d}-01") for y in (year, year + 1))
            if begins < period[0] or ends > period[-1] + 1:
                why = "the period holds a part of it only"
            else:
                why = f"a month with less than {100 * table.min_valid:g} % of its days" if days else "not one day known"
            told = {"overpass": seasons.CODES[code], "year": year, "null": float(share), "median_days": float(days)}
            rows.append({"record": name, **told, "reason": why})
    return rows


def _about(experiment: China, first: xr.Dataset, absent: Sequence[str]) -> dict[str, Any]:
    """What a reader of the rows must know."""
    table = experiment.season
    return {
        "world": "twin Earth" if experiment.twin is not None else "",
        "year_begins": f"1st of month {table.start_month}; a year bears the number of the year it begins in",
        "years": [int(y) for y in first["year"].values],
        "overpasses": [seasons.CODES[int(code)] for code in first["overpass"].values],
        "both": "frozen at AM and at PM of the same date, known where both are",
        "gap_rule": "each month's days x frozen / valid; a year is unknown where a month has less than "
        f"{100 * table.min_valid:g} % of its days",
        "correction": table.correction,
        "level": table.confidence,
        "absent": absent,
    }
