"""Stations of China as their owners publish them: CMA daily text, Naqu and Pali tables, a dense network's folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from frostline.errors import ConfigError
from frostline.twin.publish import publish

Array = np.ndarray
ICE = 273.15  # K at 0 degC
CMA_MISSING, CMA_WRONG = 32766, 2  # formats.md 8.7; the code is unverified
CTP_MISSING = -99.0
AHEAD = {"NQ": 0, "PL": 8}  # hours ahead of UTC; that of Naqu is unverified
FILES = {"NQ": "ST_NQ-30 minutes-{:02d}cm.txt", "PL": "ST_PL-30 minutes-{:02d} cm.txt"}  # Pali's have a blank more
WRONG_SHARE = 1e-3  # of CMA's values are replaced by one that is 20 K off, quality code 2


def write_cma(
    folder: Path,
    *,
    stations: Sequence[int],
    lon: Array,
    lat: Array,
    elevation: Array,
    dates: Array,
    minimum: Array,
    maximum: Array,
    seed: int = 0,
) -> list[Path]:
    """Daily ground temperature at 0 cm, SURF_CLI_CHN_MUL_DAY-GST-12030-0cm, one file a month with all stations.

    `minimum`, `maximum` (date, station) in K, NaN = 32766; the mean is their middle. Places are rounded to minutes of
    arc, values to 0.1 degC. A thousandth of the values is spoiled and coded 2. Source: formats.md 8.7.
    Raises ConfigError when shapes do not agree.
    """
    dates = np.asarray(dates, "datetime64[D]")
    shape = (dates.size, len(stations))
    if np.shape(minimum) != shape or np.shape(maximum) != shape or len(lon) != shape[1]:
        cause = f"{np.shape(minimum)} and {np.shape(maximum)} values for {shape} days and stations"
        raise ConfigError("E-CONFIG", where=folder, cause=cause)
    kelvin = np.stack([(np.asarray(minimum, float) + maximum) / 2, maximum, minimum])
    known = np.isfinite(kelvin)
    wrong = known & (np.random.default_rng(seed).random(kelvin.shape) < WRONG_SHARE)
    tenths = np.where(known, np.rint((np.where(known, kelvin, ICE) + 20 * wrong - ICE) * 10), CMA_MISSING).astype(int)
    codes = np.where(known, CMA_WRONG * wrong, 8)
    places = [
        f"{station} {_minutes(y):5d} {_minutes(x):6d} {round(float(z) * 10):6d}"
        for station, x, y, z in zip(stations, lon, lat, elevation, strict=True)
    ]
    months = dates.astype("datetime64[M]")
    paths = []
    for month in np.unique(months):
        lines = []
        for k, place in enumerate(places):
            for i in np.flatnonzero(months == month):
                day = dates[i].astype(object)
                values = " ".join(f"{v:6d}" for v in tenths[:, i, k])
                code = " ".join(str(c) for c in codes[:, i, k])
                lines.append(f"{place} {day.year} {day.month:2d} {day.day:2d} {values} {code}\n")
        name = f"SURF_CLI_CHN_MUL_DAY-GST-12030-0cm-{month.astype(object):%Y%m}.TXT"
        paths.append(publish(Path(folder) / name, "".join(lines).encode()))
    return paths


def write_ctp(
    folder: Path,
    *,
    network: Literal["NQ", "PL"],
    sites: Sequence[str],
    lon: Array,
    lat: Array,
    elevation: Array,
    depth: float,
    times: Array,
    kelvin: Array,
) -> Path:
    """Soil temperature of Naqu (NQ) or Pali (PL) at one depth (m) as its text table, and `sites.csv` beside it.

    `times` datetime64 UTC; the file's clock is UTC for Naqu and UTC+8 for Pali. `kelvin` (time, site), NaN = -99.00.
    Source: formats.md 8.7. Raises ConfigError when shapes do not agree.
    """
    times = np.asarray(times, "datetime64[s]")
    celsius = _celsius(folder, kelvin, times, len(sites))
    clock = times + np.timedelta64(AHEAD[network], "h")
    stamps = [f"{t:%Y %m %d %H %M %S}" for t in clock.astype(object)]
    rows = (" ".join(f"{v:6.2f}" for v in row) for row in np.where(np.isfinite(celsius), celsius, CTP_MISSING))
    text = "".join(f"{stamp} {row}\n" for stamp, row in zip(stamps, rows, strict=True))
    _sites(Path(folder), sites, lon, lat, elevation)
    return publish(Path(folder) / FILES[network].format(round(depth * 100)), text.encode())


def write_folder(
    folder: Path,
    *,
    sites: Sequence[str],
    lon: Array,
    lat: Array,
    elevation: Array,
    depth: float,
    times: Array,
    kelvin: Array,
) -> list[Path]:
    """A dense network of any make: `sites.csv` and a CSV of time (UTC) and temperature (degC) for each site.

    `times` datetime64 UTC, `kelvin` (time, site), NaN = no line; `depth` m. Raises ConfigError when shapes do not
    agree.
    """
    times = np.asarray(times, "datetime64[s]")
    celsius = _celsius(folder, kelvin, times, len(sites))
    stamps = [str(t).replace("T", " ") for t in times]
    paths = [_sites(Path(folder), sites, lon, lat, elevation, depth)]
    for k, site in enumerate(sites):
        there = np.isfinite(celsius[:, k])
        lines = (f"{stamps[i]},{celsius[i, k]:.2f}\n" for i in np.flatnonzero(there))
        paths.append(publish(Path(folder) / f"{site}.csv", ("time,temperature\n" + "".join(lines)).encode()))
    return paths


def _minutes(degrees: float) -> int:
    """Degrees and minutes as one whole number, DDMM.

    >>> _minutes(43.95), _minutes(116.9999), _minutes(-12.5)
    (4357, 11700, -1230)
    """
    whole, minutes = divmod(round(abs(float(degrees)) * 60), 60)
    return int(np.copysign(whole * 100 + minutes, degrees))


def _celsius(folder: Path, kelvin: Array, times: Array, sites: int) -> Array:
    if np.shape(kelvin) != (times.size, sites):
        cause = f"{np.shape(kelvin)} values for {times.size} times and {sites} sites"
        raise ConfigError("E-CONFIG", where=folder, cause=cause)
    return np.asarray(kelvin, float) - ICE


def _sites(
    folder: Path, sites: Sequence[str], lon: Array, lat: Array, elevation: Array, depth: float | None = None
) -> Path:
    head = "site,lon,lat,elevation" + (",depth" if depth is not None else "")
    end = f",{depth:g}" if depth is not None else ""
    rows = zip(sites, lon, lat, elevation, strict=True)
    lines = "".join(f"{site},{x:.5f},{y:.5f},{z:.1f}{end}\n" for site, x, y, z in rows)
    return publish(folder / "sites.csv", f"{head}\n{lines}".encode())
