"""The china system's second step: every file of every product is looked at, counted and listed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from frostline.config_china import China
from frostline.read.common import Listing
from frostline.read.esdr import list_esdr
from frostline.read.imerg import list_imerg
from frostline.read.smap import list_smap
from frostline.runs import Run, write_json
from frostline.steps.common import days_of, folders
from frostline.steps.inputs import lacks, stock

LISTINGS: Mapping[str, Callable[[Path], Listing]] = {"smap": list_smap, "esdr": list_esdr, "imerg": list_imerg}
MAP = (".tif", ".tiff", ".geojson", ".json", ".shp")
TABLE = (".csv", ".toml")
SUFFIXES = {
    "era5land": (".nc", ".zip"),
    "landcover": (".tif", ".tiff"),
    "koppen": (".tif", ".tiff", ".txt", ".csv", ".asc"),
    "permafrost": MAP,
    "permafrost_codes": TABLE,
    "regions": MAP,
    "regions_codes": TABLE,
    "cma": (".TXT", ".txt"),
    "ctp": (".txt", ".csv", ".parquet"),
    "networks": (".csv", ".parquet"),
}


def read(experiment: China, run: Run) -> dict[str, Any]:
    """List every input file, look into each, and say what is missing, doubled or broken; `inventory.json`.

    A satellite's product is asked for the days from its first to its last file alone: none has all decades.
    """
    days = days_of(experiment)
    inventory: dict[str, Any] = {}
    notes: dict[str, Any] = {}
    broken = 0
    for product, place in folders(experiment, run).items():
        entry = inventory[product] = look(product, place, days, run)
        broken += len(entry["bad"]) + len(inventory[product]["empty_years"])
        notes[product] = _note(inventory[product])
        for line in [*entry["bad"].values(), *lacks(product, entry, "fetch them; those days stay unknown")]:
            run.warn(line)
    write_json(run.path("inventory.json"), inventory)
    return notes | ({"skipped_inputs": broken} if broken else {})


def look(product: str, place: Path, days: np.ndarray, run: Run) -> dict[str, Any]:
    """One product's entry of the inventory: files that can be used, and all that cannot or are not there."""
    entry = stock(product, place, days, run, listings=LISTINGS, suffixes=SUFFIXES)
    return entry | own_span(entry, days)


def own_span(entry: Mapping[str, Any], days: np.ndarray) -> dict[str, Any]:
    """Days without a file, and years without any, from the product's first file to its last; `span` says which.

    >>> rows = [("a", "2015-12-30", 2, None), ("b", "2016-01-01", 2, None)]
    >>> found = {"files": rows, "missing_days": ["2015-12-29", "2015-12-31", "2016-01-02"]}
    >>> own_span(found, np.arange("2015-12-29", "2016-01-03", dtype="datetime64[D]"))
    {'missing_days': ['2015-12-31'], 'empty_years': [], 'span': ['2015-12-30', '2016-01-01']}
    """
    dates = sorted(row[1][:10] for row in entry["files"] if row[1])
    if not dates:
        return {"span": None}
    wanted = days.astype("datetime64[D]").astype(str)
    inside = [d for d in wanted.tolist() if dates[0] <= d <= dates[-1]]
    missing = [d for d in entry["missing_days"] if dates[0] <= d <= dates[-1]]
    empty = sorted({d[:4] for d in missing} - {d[:4] for d in set(inside) - set(missing)})
    return {"missing_days": missing, "empty_years": empty, "span": [dates[0], dates[-1]]}


def _note(entry: Mapping[str, Any]) -> str:
    span = f", {entry['span'][0]} to {entry['span'][1]}" if entry["span"] else ""
    missing = len(entry["missing_days"])
    return f"{len(entry['files'])} files{span}" + (f", {missing} days without any" if missing else "")
