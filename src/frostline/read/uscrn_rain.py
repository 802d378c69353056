"""Daily precipitation of the U.S. Climate Reference Network (daily01), which the reader of soil and air leaves aside.

NCEI's blank-separated text without a header, and the CSV and Parquet copies with one; columns by NCEI's headers.txt.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import xarray as xr

from frostline.errors import InputError
from frostline.read.gate import inspect_file, reading
from frostline.read.insitu_table import columns_of

Array = np.ndarray
COLUMNS = {"wban": 0, "lst_date": 1, "p_daily_calc": 9}  # positions in daily01 from 0
WIDTH = 28
LARGEST = 2000.0  # mm a day: above the greatest ever measured (1825 mm, WMO), so another unit or a fill
MISSING = -99.0  # or below: -9999, -99999


def read_uscrn_rain(path: str | Path) -> xr.DataArray:
    """`precipitation` (time, site) in mm a local standard day, float32, NaN unknown, of a daily01 file.

    `time` holds every date from the first to the last, `site` the WBAN numbers. Raises InputError for another layout,
    negative or impossible amounts, or two rows of one station and date.
    """
    path = Path(path)
    inspect_file(path, "parquet" if path.suffix == ".parquet" else "text")
    with reading(path):
        table = _table(path)
        wban = np.array([str(v) for v in table["wban"]])
        dates = table["lst_date"]
        if dates.dtype.kind != "M":
            dates = np.array([f"{str(d)[:4]}-{str(d)[4:6]}-{str(d)[6:8]}" for d in dates])
        dates = dates.astype("datetime64[D]")
        amount = np.asarray(table["p_daily_calc"], float)
    amount = np.where(amount <= MISSING, np.nan, amount)
    if (wrong := (amount < 0) | (amount > LARGEST)).any():
        cause = f"{int(wrong.sum())} amounts of precipitation outside 0..{LARGEST:g}"
        raise InputError("E-INPUT-UNITS", where=path, cause=cause, remedy="give mm a day")
    site, at = np.unique(wban, return_inverse=True)
    time = np.arange(dates.min(), dates.max() + np.timedelta64(1, "D"))
    place = (dates - time[0]).astype(int)
    if len(np.unique(place * len(site) + at)) < len(place):
        cause = "a station has two rows of one date"
        raise InputError("E-INPUT-TIME", where=path, cause=cause, remedy="give each day once")
    values = np.full((len(time), len(site)), np.nan, np.float32)
    values[place, at] = amount
    coords = {"time": time.astype("datetime64[ns]"), "site": site.astype(object)}
    return xr.DataArray(values, coords, ("time", "site"), name="precipitation", attrs={"units": "mm d-1"})


def _table(path: Path) -> Mapping[str, Array]:
    """The columns of COLUMNS; KeyError where they are not."""
    if path.suffix == ".parquet":
        table = dict(columns_of(path))
    else:
        lines = [line for line in path.read_text("latin-1").splitlines() if line.strip()]
        head = lines[0].strip().lower().split(",") if lines else []
        if "wbanno" in head:
            rows, where = [line.split(",") for line in lines[1:]], {n: i for i, n in enumerate(head)}
        else:
            rows, where = [line.split() for line in lines], dict(COLUMNS)
            if {len(row) for row in rows} != {WIDTH}:
                raise KeyError(f"the {WIDTH} fields of daily01")
        where["wban"] = where.pop("wbanno", where.get("wban", 0))
        table = {n: np.array([row[where[n]] for row in rows]) for n in COLUMNS}
    if "wban" not in table and "wbanno" in table:
        table["wban"] = table["wbanno"]
    if lacking := [n for n in COLUMNS if n not in table]:
        raise KeyError(", ".join(lacking))
    return {n: table[n] for n in COLUMNS}
