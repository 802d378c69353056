"""A dense network of any make as a folder: one table of its sites and one table of temperatures per node."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from frostline.errors import InputError
from frostline.read.common import files_below
from frostline.read.gate import inspect_file
from frostline.read.insitu_table import columns_of
from frostline.read.series import ZERO_CELSIUS, Problem, Problems, Series, clean, sanitise

Array = np.ndarray
SITES = ("sites.csv", "sites.parquet")
NEEDED = ("site", "lon", "lat")
MISSING = (-99.0, -99.9, -999.0, -9999.0)  # what loggers and networks write for no value (formats.md 11.3)
COLUMNS = ("time", "temperature", "depth")


def read_folder(
    path: str | Path,
    *,
    unit: Literal["degC", "K"] = "degC",
    hours_ahead: float = 0.0,
    columns: Mapping[str, str] | None = None,
    depth: tuple[float, float] | None = None,
    daily: bool = False,
) -> tuple[list[Series], Problems]:
    """Series of a folder with `sites.csv` (or .parquet) and one CSV or Parquet file per node.

    `sites` has site, lon, lat and, if there, elevation (m), depth (m), network (default: the folder's name) and
    `file` (path within the folder; default: the file called after the site). A node's table has time, temperature
    and, if there, depth (m); `columns` maps these three to the tables' own names. `hours_ahead`: of UTC, of the
    nodes' clocks; with `daily`, times are local dates. `depth` keeps sensors within (from, to). -99, -99.9, -999,
    -9999 are missing. A site without a file and a file without a site are told in Problems, as is each node that
    cannot be read. Raises InputError when there is no table of sites or it lacks a column.
    """
    path = Path(path)
    own = {n: (columns or {}).get(n, n).lower() for n in COLUMNS}
    if unknown := set(columns or {}) - set(COLUMNS):
        raise InputError("E-INPUT-SCHEMA", where=path, cause=f"no such columns to map: {', '.join(sorted(unknown))}")
    table = _sites(path)
    rest = {f.relative_to(path).as_posix(): f for f in files_below(path) if f.suffix in (".csv", ".parquet")}
    rest = {name: f for name, f in rest.items() if name not in SITES}
    series, problems = [], Problems()
    files = _files(table, rest)
    for i, file in enumerate(files):
        site = str(table["site"][i])
        if file is None:
            problems.append(Problem(str(path), f"site {site!r} has no file", fatal=True))
            continue
        start = Series(
            site=sanitise(site),
            network=sanitise(str(table["network"][i])) if "network" in table else sanitise(path.resolve().name),
            lon=float(table["lon"][i]),
            lat=float(table["lat"][i]),
            elevation=float(table["elevation"][i]) if "elevation" in table else float("nan"),
            depth=float(table["depth"][i]) if "depth" in table else float("nan"),
            times=np.empty(0, "datetime64[ns]"),
            temperature=np.empty(0, np.float32),
            daily=daily,
        )
        try:
            got, told = _node(file, start, own, unit=unit, hours_ahead=0.0 if daily else hours_ahead)
        except InputError as error:
            got, told = [], [Problem(str(file), f"left out: {error}", fatal=True)]
        problems += told
        series += [s for s in got if depth is None or depth[0] - 1e-6 <= s.depth <= depth[1] + 1e-6]
    used = set(files)
    problems += [Problem(str(f), "no site of the table has this file") for f in rest.values() if f not in used]
    return sorted(series, key=lambda s: (s.network, s.site, s.depth)), problems


def _sites(path: Path) -> dict[str, Array]:
    """The table of sites, places in degrees, numbers as float64."""
    if not path.is_dir():
        raise InputError("E-INPUT-MISSING", where=path, cause="no such folder", remedy="check the path")
    file = next((path / n for n in SITES if (path / n).is_file()), path / SITES[0])
    inspect_file(file, "parquet" if file.suffix == ".parquet" else "text")
    table = columns_of(file)
    lacking = [n for n in NEEDED if n not in table]
    if lacking:
        cause = f"lacks the columns {', '.join(lacking)} (it has {', '.join(list(table)[:12])})"
        raise InputError("E-INPUT-SCHEMA", where=file, cause=cause, remedy="give site, lon, lat of every node")
    for name in ("lon", "lat", "elevation", "depth"):
        if name in table:
            table[name] = _numbers(table[name])
    bad = ~((np.abs(table["lat"]) <= 90) & (table["lon"] >= -180) & (table["lon"] <= 360))
    if bad.any():
        cause = f"site {str(table['site'][bad][0])!r} has no place, or an impossible one"
        raise InputError("E-INPUT-SCHEMA", where=file, cause=cause, remedy="give lon and lat in degrees")
    table["lon"] = np.where(table["lon"] > 180, table["lon"] - 360.0, table["lon"])
    names, counts = np.unique(table["site"].astype(str), return_counts=True)
    if (counts > 1).any() and "file" not in table:
        cause = f"site {str(names[counts > 1][0])!r} stands twice"
        raise InputError("E-INPUT-SCHEMA", where=file, cause=cause, remedy="give each node a name of its own")
    return table


def _files(table: Mapping[str, Array], rest: Mapping[str, Path]) -> list[Path | None]:
    """The file of each site: by the column `file`, or by the site's name."""
    if "file" in table:
        return [rest.get(str(name)) for name in table["file"]]
    by_stem = {Path(name).stem: f for name, f in rest.items()}
    return [by_stem.get(str(site)) for site in table["site"]]


def _node(
    file: Path, start: Series, own: Mapping[str, str], *, unit: str, hours_ahead: float
) -> tuple[list[Series], Problems]:
    """One series per depth of one node."""
    inspect_file(file, "parquet" if file.suffix == ".parquet" else "text")
    table = columns_of(file)
    lacking = [own[n] for n in ("time", "temperature") if own[n] not in table]
    if lacking:
        cause = f"lacks the columns {', '.join(lacking)} (it has {', '.join(list(table)[:12])})"
        raise InputError("E-INPUT-SCHEMA", where=file, cause=cause, remedy="map them with `columns`")
    times = pd.to_datetime(pd.Series(table[own["time"]]).astype(str), errors="coerce", utc=True, format="ISO8601")
    instants = times.dt.tz_localize(None).to_numpy().astype("datetime64[ns]")
    problems = Problems()
    if lost := int(np.isnat(instants).sum()):
        problems.append(Problem(str(file), f"{lost} times cannot be read"))
    instants = instants - np.timedelta64(round(hours_ahead * 3600), "s")
    values = _numbers(table[own["temperature"]])
    values = np.where(np.isin(values, MISSING), np.nan, values) - (ZERO_CELSIUS if unit == "K" else 0.0)
    depths = _numbers(table[own["depth"]]) if own["depth"] in table else np.full(len(values), start.depth)
    series = []
    for depth in np.unique(depths):
        mine = np.isnan(depths) if np.isnan(depth) else depths == depth
        got, told = clean(replace(start, depth=float(depth), times=instants[mine]), values[mine], file)
        problems += told
        series += [got] if got is not None else []
    return series, problems


def _numbers(column: Array) -> Array:
    return np.asarray(pd.to_numeric(pd.Series(column), errors="coerce"), float)
