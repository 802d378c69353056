"""Soil temperature of stations as their networks publish it: ISMN archives and USCRN hourly text."""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np

from frostline.errors import ConfigError
from frostline.twin.publish import publish

Array = np.ndarray
ICE = 273.15  # K at 0 degC
# (after the header, between lines): all three occur in real archives (formats.md 8.1)
ENDINGS = (("\r\n", "\r\n"), ("\r", "\r"), ("\n\r", "\n"))
SENSOR = "Twin-Thermistor_5"  # an underscore, since real sensor names have them
C01_SHARE = 1e-3  # of the hours carry a value out of range, flagged C01
FROST_FLAGS = ("G", "D01", "D01,D03")  # what a station writes below 0 degC; the value is good under each

_STATIC_HEADER = (
    "quantity_name;unit;depth_from[m];depth_to[m];value;description;quantity_source_name;"
    "quantity_source_description;quantity_source_provider;quantity_source_version;"
    "quantity_source_resolution;quantity_source_timerange;quantity_source_url;"
)

_DIGITS = str.maketrans({"-": "", "T": " ", ":": ""})
USCRN_DEPTHS = (0.05, 0.10, 0.20, 0.50, 1.00)  # m


def write_ismn(
    folder: Path,
    *,
    network: str,
    station: str,
    lon: float,
    lat: float,
    elevation: float,
    depth: float,
    times: Array,
    kelvin: Array,
) -> Path:
    """One station of an ISMN archive, `network/station/*.stm` in header_values form, and its static variables.

    `times` datetime64 UTC, `kelvin` (time,), NaN = no line. Values in degC. Which of the three line endings a
    station has, and how it flags frost (G, D01, D01,D03: all good values), follows from its name; one value in
    a thousand is replaced by one out of range and flagged C01. Depth in m; source: formats.md 8.1.
    Raises ConfigError for no times.
    """
    times, kelvin = np.asarray(times, "datetime64[s]"), np.asarray(kelvin, float)
    if not times.size:
        raise ConfigError("E-CONFIG", where=f"{network}/{station}", cause="a series without hours has no name")
    number = zlib.crc32(f"{network}/{station}".encode())
    after_header, newline = ENDINGS[number % len(ENDINGS)]
    frost = FROST_FLAGS[number // len(ENDINGS) % len(FROST_FLAGS)]
    there = np.isfinite(kelvin)
    celsius = np.round(kelvin[there] - ICE, 4)
    wrong = np.random.default_rng(number).random(celsius.size) < C01_SHARE
    celsius = np.where(wrong, 75.0, celsius)
    flags = np.where(wrong, "C01", np.where(celsius < 0.0, frost, "G"))
    stamps = [str(t).replace("-", "/").replace("T", " ") for t in times[there].astype("datetime64[m]")]
    lines = newline.join(f"{t} {v:8.4f} {f} M" for t, v, f in zip(stamps, celsius, flags, strict=True))
    header = (
        f"{network:<10} {network:<15} {station:<15} {lat:10.5f} {lon:11.5f} {elevation:7.2f} "
        f"{depth:7.2f} {depth:7.2f} {SENSOR}"
    )
    first, last = (str(t)[:10].replace("-", "") for t in (times[0], times[-1]))
    names = [name.replace("_", "-") for name in (network, network, station)]
    home = Path(folder) / network / station
    _statics(home / f"{names[0]}_{names[0]}_{names[2]}_static_variables.csv", elevation, depth)
    stem = f"{'_'.join(names)}_ts_{depth:.6f}_{depth:.6f}_{SENSOR}_{first}_{last}"
    return publish(home / f"{stem}.stm", (header + after_header + lines + newline).encode())


def _statics(path: Path, elevation: float, depth: float) -> None:
    """The table beside the series: CRLF, a `;` too many, and a quotation mark that closes nothing."""
    source = 'HWSD;30" raster;FAO/IIASA;1.1;30";;https://example.org;'
    rows = (
        _STATIC_HEADER,
        f"elevation;m;;;{elevation:.1f};;{source}",
        f"clay fraction;% weight;0.00;{max(depth, 0.3):.2f};22;;{source}",
        f"climate KG;-;;;Dfc;Cold, without dry season, cold summer;{source}",
    )
    publish(path, "".join(f"{row}\r\n" for row in rows).encode())


def write_uscrn(
    folder: Path,
    *,
    station: str,
    lon: float,
    lat: float,
    depth: float,
    times: Array,
    kelvin: Array,
) -> list[Path]:
    """One station's hourly CRNH0203 text, a file a year: 38 columns of which the soil temperature is known.

    `times` datetime64 UTC at the END of each hour, `kelvin` (time,), NaN = -9999.0; other quantities are
    missing as the network writes that. `depth` goes to the nearest of 5, 10, 20, 50, 100 cm. Local standard
    time is UTC plus the whole hours of lon/15. Source: formats.md 8.3 and the network's column list.
    """
    utc, kelvin = np.asarray(times, "datetime64[m]"), np.asarray(kelvin, float)
    local = utc + np.timedelta64(round(lon / 15.0), "h")
    wban = f"{zlib.crc32(station.encode()) % 90000 + 10000:05d}"
    at = int(np.argmin([abs(depth - d) for d in USCRN_DEPTHS]))
    missing = f"{-9999.0:7.1f}"
    before, after = f" {missing}" * at, f" {missing}" * (len(USCRN_DEPTHS) - 1 - at)
    air = " -9999.0" * 5  # t_calc, t_hr_avg, t_max, t_min, p_calc
    sun = " -99999 0" * 3  # solarad, its maximum and minimum, each with a flag
    surface = " U" + " -9999.0 0" * 3  # surface temperature, maximum, minimum, each with a flag
    humidity, moisture = " -9999 0", " -99.000" * 5
    place = f" {'3.0':>6} {lon:7.2f} {lat:7.2f}{air}{sun}{surface}{humidity}{moisture}{before} "
    stamps = [[str(t).translate(_DIGITS) for t in clock] for clock in (utc, local)]
    value = np.where(np.isfinite(kelvin), kelvin - ICE, -9999.0)
    years = utc.astype("datetime64[Y]").astype(int) + 1970
    paths = []
    for year in sorted(set(years.tolist())):
        rows = np.flatnonzero(years == year)
        text = "".join(f"{wban} {stamps[0][i]} {stamps[1][i]}{place}{value[i]:7.1f}{after}\n" for i in rows)
        paths.append(publish(Path(folder) / f"CRNH0203-{year}-{station}.txt", text.encode()))
    return paths
