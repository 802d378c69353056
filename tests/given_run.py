"""Small files of the three kinds of given records, an experiment on them, and a way to play its steps."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from frostline.config_given import Given
from frostline.runs import Run
from frostline.steps.given import read
from frostline.steps.given_pairs import collocate
from frostline.steps.given_pictures import draw, report
from frostline.steps.given_seasons import season
from test_read_basin import write as write_basin
from test_read_melt import archive

STEPS = {"read": read, "collocate": collocate, "season": season, "map": draw, "report": report}
STATIONS, SHORT = 12, 2  # the last SHORT of them hold half a year of soil
HEAD = (
    "WBANNO,LST_DATE,LONGITUDE,LATITUDE,T_DAILY_MAX,T_DAILY_MIN,T_DAILY_AVG,"
    "SUR_TEMP_DAILY_MAX,SUR_TEMP_DAILY_MIN,SUR_TEMP_DAILY_AVG,SOIL_TEMP_5_DAILY"
)
AIR_YEARS = range(2000, 2014)
MELT_YEARS = range(1990, 2003)
SPARSE = 3  # melt years that hold every second day


def write_stations(path: Path) -> Path:
    """A year of soil, air and skin: the soil follows its own noise, air and skin share the weather."""
    rng = np.random.default_rng(5)
    dates = np.arange(np.datetime64("2020-01-01"), np.datetime64("2021-01-01"))
    yearly = 14 * np.cos(2 * np.pi * (np.arange(366) - 200) / 365)
    lines = [HEAD]
    for k in range(STATIONS):
        weather = 5 * _red(rng, 366, 0.7)
        soil = 2.5 + 0.4 * k + 0.6 * yearly + _red(rng, 366, 0.9)
        air, skin = (1 + 0.4 * k + yearly + weather + rng.normal(0, 1, 366) for _ in range(2))
        if k >= STATIONS - SHORT:
            soil[183:] = -9999.0
        for day, a, s, g in zip(dates, air, skin, soil, strict=True):
            stamp = str(day).replace("-", "")
            values = (a + 4, a - 4, a, s + 5, s - 5, s, g)
            lines.append(f"{1000 + k},{stamp},{-110 + k}.0,{40 + k}.0," + ",".join(f"{v:.2f}" for v in values))
    path.write_text("\n".join(lines) + "\n")
    return path


def _red(rng: np.random.Generator, n: int, memory: float) -> np.ndarray:
    out = rng.normal(0, 1, n)
    for i in range(1, n):
        out[i] = memory * out[i - 1] + np.sqrt(1 - memory**2) * out[i]
    return out


def write_air(path: Path) -> Path:
    """Daily extremes: the maximum is below 0 degC on the first 16 + k days of January of the k-th year, else above."""
    dates = np.arange(np.datetime64(f"{AIR_YEARS[0]}-01-01"), np.datetime64(f"{AIR_YEARS[-1] + 1}-01-01"))
    year = dates.astype("M8[Y]").astype(int) + 1970
    day = (dates - dates.astype("M8[Y]").astype("M8[D]")).astype(int)
    cold = day < 16 + (year - AIR_YEARS[0])
    high = np.where(cold, -2.0, 6.0)
    return write_basin(path, list(high - 5), list(high), since=str(dates[0]))


def write_melt(path: Path) -> Path:
    """October to April at three pixels: the first melts on the first 10 + k days of January, the second half as long
    and four days more in every other four years, the third never; the first SPARSE years hold every second day, and one
    day of the seventh is missing."""
    dates, codes = [], []
    for k, year in enumerate(MELT_YEARS):
        days = np.arange(np.datetime64(f"{year}-10-01"), np.datetime64(f"{year + 1}-05-01"), 2 if k < SPARSE else 1)
        january = (days - np.datetime64(f"{year + 1}-01-01")).astype(int)
        melts = np.stack([(january >= 0) & (january < reach) for reach in _reaches(k)], axis=1)
        state = np.where(melts, 2, 1).astype("int8")
        if k == 6:
            state[40] = 0
        dates.append(days)
        codes.append(state)
    return archive(path, dates=np.concatenate(dates), melt=np.concatenate(codes))


def _reaches(k: int) -> tuple[int, int, int]:
    return 10 + k, (10 + k) // 2 + 4 * (k // 4 % 2), 0


def experiment(root: Path, *, names: Sequence[str] = ("uscrn", "basin", "melt"), **keys: Any) -> Given:
    """The experiment on the files of `root`; `keys` are `table__key=value`."""
    files = {"uscrn": "crn.csv", "basin": "air.nc", "melt": "melt.npz"}
    tables: dict[str, Any] = {
        "system": "given",
        "title": "small",
        "inputs": {"root": str(root)} | {name: files[name] for name in names},
        "states": {"least_days": 250},
        "collocate": {"resamples": 40},
        "season": {"months": [10, 11, 12, 1, 2, 3, 4], "min_valid": 0.4, "rule": "3days", "sensors": [1993]},
    }
    for key, value in keys.items():
        table, _, name = key.partition("__")
        if name:
            tables.setdefault(table, {})[name] = value
        else:
            tables[table] = value
    return Given.model_validate(tables)


def files(root: Path) -> Path:
    """A folder with all three."""
    root.mkdir(parents=True, exist_ok=True)
    write_stations(root / "crn.csv")
    write_air(root / "air.nc")
    write_melt(root / "melt.npz")
    return root


def play(of: Given, folder: Path, *steps: str) -> dict[str, Any]:
    """Run steps (all of them unless named) in a folder; what the last one noted."""
    folder.mkdir(parents=True, exist_ok=True)
    notes: dict[str, Any] = {}
    for name in steps or STEPS:
        notes = STEPS[name](of, Run(folder, say=lambda text: None, quiet=True))
    return notes
