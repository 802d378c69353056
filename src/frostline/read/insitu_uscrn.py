"""The U.S. Climate Reference Network: soil temperature, hourly (hourly02) and daily (daily01); air and skin, daily.

NCEI's blank-separated text without a header, and the CSV and Parquet copies with one. Format: formats.md 8.3; columns
by NCEI's headers.txt.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import xarray as xr

from frostline.errors import InputError
from frostline.read.common import files_below
from frostline.read.gate import STATION_CELSIUS, inspect_file, reading
from frostline.read.insitu_table import columns_of
from frostline.read.series import ZERO_CELSIUS, Problem, Problems, Series, clean, sanitise

Array = np.ndarray
SOIL_DEPTHS = (5, 10, 20, 50, 100)  # cm
# positions in the 38 fields of hourly02 and the 28 of daily01, from 0
HOURLY = {"wban": 0, "utc_date": 1, "utc_time": 2, "longitude": 6, "latitude": 7} | {
    f"soil_temp_{d}": 33 + i for i, d in enumerate(SOIL_DEPTHS)
}
AIR = {"t_daily_max": 5, "t_daily_min": 6, "t_daily_avg": 8}
SKIN = {"sur_temp_daily_max": 12, "sur_temp_daily_min": 13, "sur_temp_daily_avg": 14}
DAILY = {"wban": 0, "lst_date": 1, "longitude": 3, "latitude": 4, **AIR, **SKIN} | {
    f"soil_temp_{d}_daily": 23 + i for i, d in enumerate(SOIL_DEPTHS)
}
# what read_uscrn_days gives, and its column: air at 1.5 m, infrared skin, soil at the shallowest depth (5 cm)
DAY = {
    "soil_mean": "soil_temp_5_daily",
    "air_minimum": "t_daily_min",
    "air_mean": "t_daily_avg",
    "air_maximum": "t_daily_max",
    "skin_minimum": "sur_temp_daily_min",
    "skin_mean": "sur_temp_daily_avg",
    "skin_maximum": "sur_temp_daily_max",
}
WIDTH = {38: HOURLY, 28: DAILY}
MISSING = (-9999.0, -99999.0, -99.0)
NAME = re.compile(r"CRN[A-Z]\d{4}(?:-\d\d)?-\d{4}-(?P<site>.+)\.txt")


def read_uscrn(path: str | Path, *, depth: tuple[float, float] = (0.0, 0.05)) -> tuple[list[Series], Problems]:
    """Soil temperature series of a USCRN file or of every .txt, .csv and .parquet file below a folder.

    One series per station and depth (m) within `depth`; files of several years are joined. Hourly times are the
    UTC stamps of the files, the END of the averaged hour; daily series (`daily`) hold means of local standard days.
    Missing (-9999, -99999, -99) is dropped. A broken line costs that line, a broken file that file: in Problems.
    Raises InputError when there is no such file at all. USCRN files carry no elevation (NaN).
    """
    parts, problems = _parts(Path(path))
    series = []
    for (wban, daily), tables in sorted(parts.items(), key=lambda kv: kv[0]):
        got, told = _station(wban, daily, tables, depth)
        series += got
        problems += told
    return series, problems


def read_uscrn_days(path: str | Path) -> tuple[xr.Dataset, Problems]:
    """What daily01 files say of soil, air and skin: K on (time, site), float32, NaN unknown, with lon and lat.

    Variables are the keys of DAY, of local standard days; `time` holds every date from the first to the last, `site`
    the WBAN numbers. Values outside -80..70 degC are left out; of equal dates the first stays; hourly files and
    broken ones are left aside: all told in Problems. Raises InputError when there is no daily file.
    """
    parts, problems = _parts(Path(path))
    days = {wban: tables for (wban, daily), tables in sorted(parts.items(), key=lambda kv: kv[0]) if daily}
    problems += [Problem(t[0][0], "hourly: left aside") for (_, daily), t in parts.items() if not daily]
    if not days:
        raise InputError("E-INPUT-TEXT", where=path, cause="no daily USCRN file that can be read (daily01)")
    dates = {wban: np.concatenate([t["time"] for _, t in tables]) for wban, tables in days.items()}
    known = np.concatenate(list(dates.values())).astype("datetime64[D]")
    time = np.arange(known.min(), known.max() + 1)
    fields = {name: np.full((len(time), len(days)), np.nan, np.float32) for name in DAY}
    place = np.full((2, len(days)), np.nan)
    low, high = STATION_CELSIUS
    for k, (wban, tables) in enumerate(days.items()):
        at, first = np.unique((dates[wban].astype("datetime64[D]") - time[0]).astype(int), return_index=True)
        if len(first) < len(dates[wban]):
            problems.append(Problem(tables[0][0], f"station {wban}: {len(dates[wban]) - len(first)} repeated dates"))
        for name, column in DAY.items():
            celsius = np.concatenate([t.get(column, np.full(len(t["time"]), np.nan)) for _, t in tables])[first]
            celsius = np.where(np.isin(celsius, MISSING), np.nan, celsius)
            wild = (celsius < low) | (celsius > high)
            if wild.any():
                why = f"station {wban}: {int(wild.sum())} values of {name} outside {low:g}..{high:g} degC left out"
                problems.append(Problem(tables[0][0], why))
            fields[name][at, k] = np.where(wild, np.nan, celsius + ZERO_CELSIUS)
        place[:, k] = tables[-1][1]["longitude"][-1], tables[-1][1]["latitude"][-1]
    ds = xr.Dataset(
        {name: (("time", "site"), values, {"units": "K"}) for name, values in fields.items()},
        coords={"time": time.astype("datetime64[ns]"), "site": list(days)},
        attrs={"source": "USCRN daily01, local standard days"},
    )
    return ds.assign_coords(lon=("site", place[0]), lat=("site", place[1])), problems


def _parts(path: Path) -> tuple[dict[tuple[str, bool], list[tuple[str, Mapping[str, Array]]]], Problems]:
    """The tables of each station, (WBAN, daily) -> [(file, columns)], of a file or of all below a folder."""
    if not path.exists():
        inspect_file(path, "text")
    files = list(files_below(path)) if path.is_dir() else [path]
    files = [f for f in files if f.suffix in (".txt", ".csv", ".parquet")]
    if not files:
        raise InputError("E-INPUT-TEXT", where=path, cause="no USCRN file (.txt, .csv, .parquet)")
    parts: dict[tuple[str, bool], list[tuple[str, Mapping[str, Array]]]] = {}
    problems = Problems()
    for file in files:
        try:
            table, told = _table(file)
        except InputError as error:
            problems.append(Problem(str(file), f"left out: {error}", fatal=True))
            continue
        problems += told
        for wban in np.unique(table["wban"]):
            mine = table["wban"] == wban
            key = (str(wban), "utc_date" not in table)
            parts.setdefault(key, []).append((str(file), {n: c[mine] for n, c in table.items()}))
    return parts, problems


def _station(
    wban: str, daily: bool, tables: Sequence[tuple[str, Mapping[str, Array]]], depth: tuple[float, float]
) -> tuple[list[Series], Problems]:
    where = tables[0][0]
    joined = {n: np.concatenate([t[n] for _, t in tables]) for n in tables[0][1]}
    name = NAME.fullmatch(Path(where).name)
    site = sanitise(name["site"] if name else wban)
    series, problems = [], Problems()
    for cm in SOIL_DEPTHS:
        if not depth[0] - 1e-6 <= cm / 100 <= depth[1] + 1e-6:
            continue
        celsius = joined[f"soil_temp_{cm}_daily" if daily else f"soil_temp_{cm}"]
        celsius = np.where(np.isin(celsius, MISSING), np.nan, celsius)
        start = Series(
            site=site,
            network="USCRN",
            lon=float(joined["longitude"][-1]),
            lat=float(joined["latitude"][-1]),
            elevation=float("nan"),
            depth=cm / 100,
            times=joined["time"],
            temperature=np.empty(0, np.float32),
            daily=daily,
        )
        got, told = clean(start, celsius, f"{where} station {wban} {cm} cm")
        problems += told
        series += [got] if got is not None else []
    return series, problems


def _table(path: Path) -> tuple[dict[str, Array], Problems]:
    """Columns by lower-case name with `time`; from text without a header, or CSV and Parquet with one."""
    inspect_file(path, "parquet" if path.suffix == ".parquet" else "text")
    problems = Problems()
    with reading(path):
        if path.suffix == ".parquet":
            table = columns_of(path)
        else:
            text = path.read_text("latin-1")
            header = text.split("\n", 1)[0].strip().lower().split(",")
            lines = [line for line in text.splitlines() if line.strip()]
            if "wbanno" in header:
                table, problems = _split(path, lines[1:], {n: i for i, n in enumerate(header)}, len(header), ",")
                table["wban"] = table.pop("wbanno")
            else:
                width = len(lines[0].split()) if lines else 0
                if width not in WIDTH:
                    cause = f"{width} fields in line 1; hourly02 has 38, daily01 has 28"
                    raise InputError("E-INPUT-TEXT", where=path, cause=cause, remedy="use NCEI's text files")
                table, problems = _split(path, lines, WIDTH[width], width, None)
        table["time"] = _times(table)
        soil = [n for n in table if n.startswith("soil_temp_")]
        used = ["wban", "utc_date", "longitude", "latitude", "time", *AIR, *SKIN, *soil]
        return {n: table[n] if n in ("time", "wban") else _floats(table[n]) for n in used if n in table}, problems


def _split(
    path: Path, lines: list[str], at: Mapping[str, int], width: int, separator: str | None
) -> tuple[dict[str, Array], Problems]:
    """Wanted columns of the sound lines: numbers as float64, dates and clocks as text; all at once if all are sound."""
    wanted = {n: i for n, i in at.items() if n in HOURLY or n in DAILY or n == "wbanno"}
    rows = [line.split(separator) for line in lines]
    try:
        if any(len(row) != width for row in rows):
            raise ValueError
        table = _columns(rows, wanted)
        _times(table)
        return table, Problems()
    except ValueError:
        sound = [len(row) == width and _sound(row, wanted) for row in rows]
        table = _columns([row for row, ok in zip(rows, sound, strict=True) if ok], wanted)
        why = f"{sound.count(False)} lines cannot be read, the first is {sound.index(False) + 1}"
        return table, [Problem(str(path), why)]


def _columns(rows: list[list[str]], wanted: Mapping[str, int]) -> dict[str, Array]:
    number = ("soil_temp", "longitude", "latitude", *AIR, *SKIN)
    return {n: np.array([r[i] for r in rows], float if n.startswith(number) else str) for n, i in wanted.items()}


def _sound(row: list[str], wanted: Mapping[str, int]) -> bool:
    try:
        _times(_columns([row], wanted))
    except ValueError:
        return False
    return True


def _times(table: Mapping[str, Array]) -> Array:
    """datetime64[ns]: UTC stamps of hourly files; midnights of local dates of daily ones."""
    column = table["utc_date"] if "utc_date" in table else table["lst_date"]
    if column.dtype.kind == "M":
        return column.astype("datetime64[ns]")
    dates = np.array([_iso(str(d)) for d in column], "datetime64[D]").astype("datetime64[ns]")
    if "utc_time" not in table:
        return dates
    clock = np.array([(int(c[:2]), int(c[2:])) for c in table["utc_time"]]).reshape(-1, 2)
    if ((clock < 0) | (clock >= (24, 60))).any():
        raise ValueError("no such time of day")
    return dates + (clock @ (60, 1)).astype("timedelta64[m]")


def _iso(date: str) -> str:
    return f"{date[:4]}-{date[4:6]}-{date[6:8]}"


def _floats(column: Array) -> Array:
    return np.asarray(column, float)
