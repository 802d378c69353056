"""Stations in a plain table, CSV or Parquet: one row per observation, whatever its columns are called."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import duckdb
import numpy as np

from frostline.errors import InputError
from frostline.read.gate import inspect_file, reading
from frostline.read.series import ZERO_CELSIUS, Problem, Problems, Series, clean, sanitise

Array = np.ndarray
NEEDED = ("site", "lon", "lat", "time", "temperature")
OPTIONAL = ("network", "elevation", "depth", "sensor")


def read_table(
    path: str | Path,
    *,
    unit: Literal["degC", "K"] = "degC",
    columns: Mapping[str, str] | None = None,
    daily: bool = False,
) -> tuple[list[Series], Problems]:
    """Series of a table with the columns site, lon, lat, time, temperature and, if there, network, elevation (m),
    depth (m), sensor; `columns` maps these names to the table's own.

    `time` is UTC (with `daily`: the local date, and values are daily means); `unit` is the temperature's. One series
    per network, site, depth and sensor. Rows that cannot be read are counted in Problems. Raises InputError for a
    missing column (E-INPUT-SCHEMA) or an unreadable file.
    """
    path = Path(path)
    inspect_file(path, "parquet" if path.suffix == ".parquet" else "text")
    names = {n: (columns or {}).get(n, n) for n in (*NEEDED, *OPTIONAL)}
    if unknown := set(columns or {}) - set(names):
        raise InputError("E-INPUT-SCHEMA", where=path, cause=f"no such columns to map: {', '.join(sorted(unknown))}")
    table = columns_of(path)
    lacking = [names[n] for n in NEEDED if names[n].lower() not in table]
    if lacking:
        cause = f"lacks the columns {', '.join(lacking)} (it has {', '.join(list(table)[:12])})"
        raise InputError("E-INPUT-SCHEMA", where=path, cause=cause, remedy="map them with `columns`")
    data = {n: table[own.lower()] for n, own in names.items() if own.lower() in table}
    problems = Problems()
    times, lost = _times(data["time"])
    if lost:
        problems.append(Problem(str(path), f"{lost} times cannot be read"))
    shift = ZERO_CELSIUS if unit == "K" else 0.0
    celsius, lon, lat = (numbers(data[n]) for n in ("temperature", "lon", "lat"))
    keys = [np.asarray(data[n]).astype(str) if n in data else None for n in ("network", "site", "depth", "sensor")]
    joined = np.array(["\x1f".join(k) for k in zip(*(k for k in keys if k is not None), strict=True)])
    series = []
    for key in np.unique(joined):
        mine = np.flatnonzero(joined == key)
        one = mine[0]
        network, site, _, sensor = ("" if k is None else str(k[one]) for k in keys)
        if not (np.isfinite(lon[one]) and -90 <= lat[one] <= 90):
            problems.append(Problem(str(path), f"site {site!r} has no place", fatal=True))
            continue
        start = Series(
            site=sanitise(site),
            network=sanitise(network) if network else "table",
            lon=float((lon[one] + 180) % 360 - 180),
            lat=float(lat[one]),
            elevation=float(numbers(data["elevation"])[one]) if "elevation" in data else float("nan"),
            depth=float(numbers(data["depth"])[one]) if "depth" in data else float("nan"),
            times=times[mine],
            temperature=np.empty(0, np.float32),
            sensor=sanitise(sensor) if sensor else "",
            daily=daily,
        )
        got, told = clean(start, celsius[mine] - shift, f"{path} site {site}")
        problems += told
        series += [got] if got is not None else []
    return series, problems


def columns_of(path: str | Path) -> dict[str, Array]:
    """All columns of a CSV or Parquet file by lower-case name; NULL is NaN, NaT or ''.

    Runs in a private in-memory duckdb that can fetch no extension; CSV columns that are no numbers are text.
    """
    path = Path(path)
    function = "read_parquet(?)" if path.suffix == ".parquet" else "read_csv(?, ignore_errors=true, sample_size=-1)"
    settings: dict[str, str | bool | int | float | list[str]] = {
        "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false",
    }
    with reading(path), duckdb.connect(":memory:", config=settings) as connection:
        raw = connection.execute(f"select * from {function}", [str(path)]).fetchnumpy()
    return {name.lower(): _filled(column) for name, column in raw.items()}


def _filled(column: Any) -> Array:
    if not isinstance(column, np.ma.MaskedArray):
        return np.asarray(column)
    kind, data, mask = column.dtype.kind, np.asarray(column.data), np.ma.getmaskarray(column)
    if not mask.any():
        return data
    if kind in "iub":
        data, kind = data.astype(float), "f"
    fill: dict[str, Any] = {"f": np.nan, "M": np.datetime64("NaT"), "O": ""}
    return np.where(mask, fill[kind], data) if kind in fill else data


def numbers(column: Array) -> Array:
    """A column as float64, NaN where there is no number."""
    if column.dtype.kind in "fiu":
        return column.astype(float)
    out = np.full(column.size, np.nan)
    for i, text in enumerate(column):
        try:
            out[i] = float(text)
        except (TypeError, ValueError):
            continue
    return out


def _times(column: Array) -> tuple[Array, int]:
    """Instants, and how many cannot be read (NaT)."""
    if column.dtype.kind == "M":
        times = column.astype("datetime64[ns]")
    else:
        import pandas as pd

        parsed = pd.to_datetime(pd.Series(column.astype(str)), errors="coerce", utc=True, format="ISO8601")
        times = parsed.dt.tz_localize(None).to_numpy().astype("datetime64[ns]")
    return times, int(np.isnat(times).sum())
