"""Soil temperature of the dense networks of the central Tibetan Plateau (CTP-SMTMN): Naqu and Pali text tables.

One file is one depth: date columns, then a column per station without a name. Format: formats.md 8.7.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from frostline.errors import InputError
from frostline.read.common import files_below
from frostline.read.gate import inspect_file, reading
from frostline.read.insitu_table import columns_of
from frostline.read.series import Problem, Problems, Series, clean, sanitise

Array = np.ndarray
NAME = re.compile(r"ST_(?P<network>[A-Z]+)-(?P<step>[\w ]+?)-(?P<depth>\d+) ?cm\.txt", re.IGNORECASE)
NETWORKS = {"NQ": "Naqu", "PL": "Pali"}
# hours ahead of UTC: Pali's page says UTC+8; of Naqu's time zone the page says nothing, UTC (as in its ISMN copy) is
# unverified
HOURS_AHEAD = {"NQ": 0.0, "PL": 8.0}
MISSING = -99.0
CLOCK, DATE = 6, 3  # date columns: yyyy mm dd hh mm ss, and yyyy mm dd in daily files


def read_ctp(
    path: str | Path,
    *,
    sites: str | Path,
    depth: tuple[float, float] = (0.0, 0.05),
    hours_ahead: float | None = None,
) -> tuple[list[Series], Problems]:
    """Series of one ST file, or of all below a folder, whose depth (m, from the name) lies within `depth`.

    `sites`: CSV or Parquet with site, lon, lat and, if there, elevation (m), and `column` (1 for the first station
    column). Without `column` the table must have one row per station column, in order: files hold more columns than
    the networks' pages say. `hours_ahead` of UTC: default Naqu 0 (unverified), Pali 8; other networks need it.
    Daily files (`daily`) are dated as they stand. -99.00 is missing; a broken line costs that line, a broken file
    that file: told in Problems. Raises InputError when there is no such file or the table does not fit.
    """
    path = Path(path)
    if not path.exists():
        inspect_file(path, "text")
    places = _places(Path(sites))
    files = list(files_below(path)) if path.is_dir() else [path]
    named = [(f, m) for f in files if (m := NAME.fullmatch(f.name)) is not None]
    if not named:
        cause = "no file of soil temperature (ST_NQ-30 minutes-05cm.txt)"
        raise InputError("E-INPUT-TEXT", where=path, cause=cause, remedy="keep the producer's file names")
    series, problems = [], Problems()
    for file, match in named:
        if not depth[0] - 1e-6 <= int(match["depth"]) / 100 <= depth[1] + 1e-6:
            continue
        ahead = hours_ahead if hours_ahead is not None else HOURS_AHEAD.get(match["network"].upper())
        if ahead is None:
            cause = f"the time zone of network {match['network']} is not known"
            raise InputError("E-INPUT-TIME", where=file, cause=cause, remedy="give hours_ahead of UTC")
        daily = "dai" in match["step"].lower() or match["step"].lower() == "day"
        try:
            times, table, told = _table(file, DATE if daily else CLOCK)
            columns = _columns(file, places, table.shape[1])
        except InputError as error:
            if error.code == "E-INPUT-SCHEMA":  # the table of sites does not fit: the caller's to mend
                raise
            problems.append(Problem(str(file), f"left out: {error}", fatal=True))
            continue
        problems += told
        shift = np.timedelta64(0 if daily else round(ahead * 3600), "s")
        for i, column in enumerate(columns):
            start = Series(
                site=sanitise(str(places["site"][i])),
                network=NETWORKS.get(match["network"].upper(), sanitise(match["network"])),
                lon=float(places["lon"][i]),
                lat=float(places["lat"][i]),
                elevation=float(places["elevation"][i]),
                depth=int(match["depth"]) / 100,
                times=(times - shift).astype("datetime64[ns]"),
                temperature=np.empty(0, np.float32),
                daily=daily,
            )
            celsius = np.where(table[:, column] == MISSING, np.nan, table[:, column])
            got, told = clean(start, celsius, f"{file} station column {column + 1}")
            problems += told
            series += [got] if got is not None else []
    return sorted(series, key=lambda s: (s.network, s.site, s.depth)), problems


def _places(path: Path) -> dict[str, Array]:
    inspect_file(path, "parquet" if path.suffix == ".parquet" else "text")
    table = columns_of(path)
    lacking = [n for n in ("site", "lon", "lat") if n not in table]
    if lacking:
        cause = f"lacks the columns {', '.join(lacking)} (it has {', '.join(list(table)[:12])})"
        raise InputError("E-INPUT-SCHEMA", where=path, cause=cause, remedy="give site, lon, lat of every station")
    out = {"site": table["site"]}
    for name in ("lon", "lat", "elevation", "column"):
        with reading(path):
            if name in table:
                out[name] = np.asarray(table[name], float)
    out.setdefault("elevation", np.full(len(out["site"]), np.nan))
    if not ((np.abs(out["lat"]) <= 90) & (np.abs(out["lon"]) <= 180)).all():
        cause = "a site has no place, or an impossible one"
        raise InputError("E-INPUT-SCHEMA", where=path, cause=cause, remedy="give lon and lat in degrees")
    return out


def _columns(file: Path, places: dict[str, Array], stations: int) -> Array:
    """The station column, from 0, of every site."""
    sites = len(places["site"])
    if "column" in places:
        columns = places["column"]
        if not ((columns >= 1) & (columns <= stations) & (columns % 1 == 0)).all():
            cause = f"the table of sites names columns that are none of the file's {stations}"
            raise InputError("E-INPUT-SCHEMA", where=file, cause=cause, remedy="count station columns from 1")
        return columns.astype(int) - 1
    if sites != stations:
        cause = f"holds {stations} station columns, the table of sites {sites}"
        remedy = "name each site's column in a column called column, counted from 1"
        raise InputError("E-INPUT-SCHEMA", where=file, cause=cause, remedy=remedy)
    return np.arange(sites)


def _table(path: Path, dates: int) -> tuple[Array, Array, Problems]:
    """Times (n,) datetime64[s] as the file has them, values (n, stations) float64, and what was left out."""
    inspect_file(path, "text")
    with reading(path):
        rows = [line.split() for line in path.read_text("latin-1").splitlines() if line.strip()]
    if rows and not _number(rows[0][0]):  # a line of names
        rows = rows[1:]
    widths, counts = np.unique([len(row) for row in rows], return_counts=True)
    width = int(widths[np.argmax(counts)]) if rows else 0
    if width <= dates:
        cause = f"{width} columns, fewer than the {dates} of the date and one station"
        raise InputError("E-INPUT-TEXT", where=path, cause=cause, remedy="give the producer's text file")
    try:
        table = np.array(rows, float)  # all at once when every line is sound
    except ValueError:
        rows = [row for row in rows if len(row) == width and all(map(_number, row))]
        table = np.array(rows, float).reshape(-1, width)
    times = _times(table[:, :dates])
    lost = int(counts.sum()) - int((~np.isnat(times)).sum())
    problems = [Problem(str(path), f"{lost} lines cannot be read")] if lost else Problems()
    good = ~np.isnat(times)
    return times[good], table[good, dates:], problems


def _times(clock: Array) -> Array:
    """datetime64[s] of rows yyyy mm dd [hh mm ss]; NaT where there is no such day or hour. 24:00 is the next day."""
    out = np.full(len(clock), np.datetime64("NaT"), "datetime64[s]")
    full = np.zeros((len(clock), CLOCK))
    full[:, : clock.shape[1]] = clock
    with np.errstate(invalid="ignore"):
        year, month, day, hour, minute, second = full.T
        fits = (year > 1900) & (year < 2200) & (month >= 1) & (month <= 12) & (day >= 1) & (day <= 31)
        fits &= (hour >= 0) & (hour <= 24) & (minute >= 0) & (minute < 60) & (second >= 0) & (second < 60)
    year, month, day, hour, minute, second = full[fits].astype(np.int64).T
    months = ((year - 1970) * 12 + month - 1).astype("datetime64[M]")
    days = months.astype("datetime64[D]") + (day - 1)
    seconds = days.astype("datetime64[s]") + (hour * 3600 + minute * 60 + second)
    out[fits] = np.where(days.astype("datetime64[M]") == months, seconds, np.datetime64("NaT"))
    return out


def _number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
