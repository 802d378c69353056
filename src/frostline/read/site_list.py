"""A list of places that a user asks about: CSV or Parquet, a name, a longitude and a latitude each."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from frostline.errors import InputError
from frostline.read.gate import inspect_file, reading
from frostline.read.insitu_table import columns_of, numbers

Array = np.ndarray
NAMES = ("name", "site")  # what the column of names may be called
SHOWN = 5  # names told in a message


def read_site_list(path: str | Path) -> tuple[Array, Array, Array]:
    """Names (site,) str, longitudes -180..180 and latitudes (site,) float64, in the list's order.

    Columns `name` (or `site`), `lon`, `lat` in degrees, in any order and case; others are left alone. Names are text,
    so that 00123 keeps its zeros; longitudes may run to 360. Raises InputError E-INPUT-SCHEMA: a column is missing, no
    row, a place without a name, a coordinate that is no number or lies outside -180..360 or -90..90, a name given
    twice; the gate's errors for a file that cannot be read.
    """
    path = Path(path)
    inspect_file(path, "parquet" if path.suffix == ".parquet" else "text")
    table = _columns(path)
    key = next((n for n in NAMES if n in table), None)
    lacking = [n for n in ("lon", "lat") if n not in table] + ["name"] * (key is None)
    if lacking:
        cause = f"lacks the columns {', '.join(lacking)} (it has {', '.join(list(table)[:12])})"
        raise InputError("E-INPUT-SCHEMA", where=path, cause=cause, remedy="a site list has name, lon, lat")
    names = np.array([str(n).strip() for n in table[str(key)]], dtype=str)
    if not len(names):
        raise InputError("E-INPUT-SCHEMA", where=path, cause="the list holds no site")
    lon, lat = numbers(table["lon"]), numbers(table["lat"])
    nameless = np.flatnonzero(names == "")
    if len(nameless):
        rows = ", ".join(str(i + 1) for i in nameless[:SHOWN])
        raise InputError("E-INPUT-SCHEMA", where=path, cause=f"sites without a name: row {rows}")
    with np.errstate(invalid="ignore"):
        wrong = ~((lon >= -180) & (lon <= 360) & (lat >= -90) & (lat <= 90))
    if wrong.any():
        told = [f"{n} ({a}, {b})" for n, a, b in zip(names[wrong], lon[wrong], lat[wrong], strict=True)]
        cause = f"no place on Earth: {_some(told)}"
        raise InputError("E-INPUT-SCHEMA", where=path, cause=cause, remedy="lon and lat are degrees east and north")
    unique, counts = np.unique(names, return_counts=True)
    if (counts > 1).any():
        cause = f"names given more than once: {_some([str(n) for n in unique[counts > 1]])}"
        raise InputError("E-INPUT-SCHEMA", where=path, cause=cause, remedy="give each site a name of its own")
    return names, np.mod(lon + 180.0, 360.0) - 180.0, lat


def _columns(path: Path) -> dict[str, Array]:
    """Columns by lower-case name; those of a CSV as they are written."""
    if path.suffix == ".parquet":
        return columns_of(path)
    import pandas as pd

    with reading(path):
        table = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig", skipinitialspace=True)
    return {str(name).strip().lower(): table[name].to_numpy(dtype=object) for name in table.columns}


def _some(told: list[str]) -> str:
    more = f" and {len(told) - SHOWN} more" if len(told) > SHOWN else ""
    return ", ".join(told[:SHOWN]) + more
