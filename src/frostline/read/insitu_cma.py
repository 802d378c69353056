"""Daily ground temperature at 0 cm of China's surface stations (CMA, SURF_CLI_CHN_MUL_DAY V3.0): minimum, maximum.

Format: formats.md 8.7. The rule that makes mornings of minima and afternoons of maxima stands where labels are made.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from frostline.errors import InputError
from frostline.read.common import files_below
from frostline.read.gate import inspect_file, reading
from frostline.read.series import Problem, Problems, Series, clean, sanitise

Array = np.ndarray
Statistic = Literal["min", "max", "mean"]
# station, latitude, longitude, elevation, year, month, day, mean, maximum, minimum and a quality code of each
WIDTH = 13
VALUE = {"mean": 7, "max": 8, "min": 9}  # the quality code stands three columns later
MISSING = 32766
BEYOND = 1000  # tenths of a degree: special codes (30000 and more, +-10000) lie beyond, no ground is at 100 degC
KEEP = frozenset({0, 9})  # 0 right, 9 unchecked; 1 suspect, 2 wrong, 8 missing (unverified)
ESTIMATED = 100_000  # added to an elevation (0.1 m) that is estimated (unverified)
NETWORK = "CMA"
MOVED = 0.1  # degrees between two months' places that are worth telling


def read_cma(
    path: str | Path,
    *,
    statistics: Sequence[Statistic] = ("min", "max"),
    keep: frozenset[int] = KEEP,
) -> tuple[list[Series], Problems]:
    """Series of every station in one file or in all .TXT files of ground temperature below a folder.

    Of each station one series per statistic, told by `sensor` ("daily-min", "daily-max", "daily-mean"); depth 0,
    `daily`, at midnight of the file's date; its day runs from 20 to 20 h Beijing time (unverified). `keep`: quality
    codes of values that stay. Files of other elements are left aside; a broken line costs that line, a broken file
    that file: told in Problems. Raises InputError when there is no such file.
    """
    path = Path(path)
    if not path.exists():
        inspect_file(path, "text")
    files = [f for f in files_below(path) if _is_ground(f)] if path.is_dir() else [path]
    if not files:
        remedy = "give SURF_CLI_CHN_MUL_DAY-GST-12030-0cm-YYYYMM.TXT"
        raise InputError("E-INPUT-TEXT", where=path, cause="no file of ground temperature", remedy=remedy)
    rows: dict[int, list[Array]] = defaultdict(list)
    problems = Problems()
    for file in files:
        try:
            table, told = _table(file)
        except InputError as error:
            problems.append(Problem(str(file), f"left out: {error}", fatal=True))
            continue
        problems += told
        order = np.argsort(table[:, 0], kind="stable")
        table = table[order]
        begins = np.flatnonzero(np.r_[True, np.diff(table[:, 0]) != 0]) if len(table) else np.empty(0, int)
        for station in np.split(table, begins[1:]) if len(table) else ():
            rows[int(station[0, 0])].append(station)
    series = []
    for number, tables in sorted(rows.items()):
        got, told = _station(number, np.concatenate(tables), statistics, keep)
        series += got
        problems += told
    return series, problems


def degrees(packed: Array) -> Array:
    """Degrees of packed degrees and minutes, DDMM or DDDMM; NaN where there are 60 minutes or more.

    >>> degrees(np.array([4530, 11606, -1230, 4561])).round(4).tolist()
    [45.5, 116.1, -12.5, nan]
    """
    whole, minutes = np.divmod(np.abs(np.asarray(packed, np.int64)), 100)
    return np.where(minutes < 60, np.sign(packed) * (whole + minutes / 60.0), np.nan)


def _is_ground(file: Path) -> bool:
    """By its name; files of the newer interface (S and a time stamp) do not name their element."""
    name = file.name.upper()
    return name.endswith(".TXT") and ("-GST-" in name or (name.startswith("S") and name[1:-4].isdigit()))


def _table(path: Path) -> tuple[Array, Problems]:
    """(n, 13) int32 of the sound lines."""
    inspect_file(path, "text")
    with reading(path):
        lines = [line for line in path.read_text("latin-1").splitlines() if line.strip()]
    if lines and lines[0].split()[0].strip('"').upper() == "V01000":  # the newer interface names its columns
        if (width := len(lines[0].split())) != WIDTH:
            cause = f"its header names {width} columns, the daily ground temperature has {WIDTH}"
            raise InputError("E-INPUT-TEXT", where=path, cause=cause, remedy="give files of GST at 0 cm")
        lines = lines[1:]
    rows = [line.split() for line in lines]
    if all(len(row) == WIDTH for row in rows):
        try:  # all at once when every line is sound
            return _sound(np.array(rows, np.int32).reshape(-1, WIDTH), path, len(lines))
        except (ValueError, OverflowError):
            pass
    good, decimals = [], 0
    for row in rows:
        decimals += any("." in token for token in row)
        try:
            if len(row) == WIDTH:
                good.append(np.array(row, np.int32))
        except (ValueError, OverflowError):
            continue
    if decimals > len(lines) / 2:
        cause = "its numbers have decimals, the product's are whole tenths of degrees and minutes of arc"
        raise InputError("E-INPUT-UNITS", where=path, cause=cause, remedy="give the files as CMA publishes them")
    if not good:
        cause = f"no line has {WIDTH} whole numbers"
        raise InputError("E-INPUT-TEXT", where=path, cause=cause, remedy="give files of GST at 0 cm")
    return _sound(np.array(good), path, len(lines))


def _sound(table: Array, path: Path, lines: int) -> tuple[Array, Problems]:
    """The rows with a date that exists, and how many lines were not read."""
    year, month, day = table[:, 4], table[:, 5], table[:, 6]
    first = (year > 1900) & (year < 2200) & (month >= 1) & (month <= 12) & (day >= 1)
    last = np.zeros(len(table), np.int64)
    months = _months(year[first], month[first])
    last[first] = ((months + 1).astype("datetime64[D]") - months.astype("datetime64[D]")).astype(np.int64)
    table = table[first & (day <= last)]
    lost = lines - len(table)
    return table, [Problem(str(path), f"{lost} of {lines} lines cannot be read")] if lost else Problems()


def _months(year: Array, month: Array) -> Array:
    return ((year.astype(np.int64) - 1970) * 12 + month - 1).astype("datetime64[M]")


def _station(
    number: int, table: Array, statistics: Sequence[Statistic], keep: frozenset[int]
) -> tuple[list[Series], Problems]:
    where, problems = f"{NETWORK} station {number}", Problems()
    lat, lon = degrees(table[:, 1]), degrees(table[:, 2])
    place = np.flatnonzero((np.abs(lat) <= 90) & (np.abs(lon) <= 180))
    if not place.size:
        return [], [Problem(where, f"impossible place {table[-1, 1]} {table[-1, 2]} (DDMM)", fatal=True)]
    at = place[-1]
    wander = max(float(np.ptp(lat[place])), float(np.ptp(lon[place])))
    if wander > MOVED:
        problems.append(Problem(where, f"moved by {wander:.2f} degrees, the last place stands for all"))
    elevation = table[at, 3] - ESTIMATED * (table[at, 3] >= ESTIMATED)
    dates = _months(table[:, 4], table[:, 5]).astype("datetime64[D]") + (table[:, 6] - 1)
    series = []
    for statistic in statistics:
        tenths, code = table[:, VALUE[statistic]], table[:, VALUE[statistic] + 3]
        missing = tenths == MISSING
        special = ~missing & (np.abs(tenths) > BEYOND)
        doubted = ~missing & ~special & ~np.isin(code, sorted(keep))
        for bad, why in ((special, "values beyond 100 degC"), (doubted, "values by their quality code")):
            if bad.any():
                problems.append(Problem(where, f"{statistic}: {int(bad.sum())} {why} left out"))
        start = Series(
            site=sanitise(str(number)),
            network=NETWORK,
            lon=float(lon[at]),
            lat=float(lat[at]),
            elevation=float(elevation) / 10.0,
            depth=0.0,
            times=dates.astype("datetime64[ns]"),
            temperature=np.empty(0, np.float32),
            sensor=f"daily-{statistic}",
            daily=True,
        )
        got, told = clean(start, np.where(missing | special | doubted, np.nan, tenths / 10.0), f"{where} {statistic}")
        series += [got] if got is not None else []
        problems += told
    return series, problems
