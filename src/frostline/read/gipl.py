"""A GIPL site: daily air temperature, snow depth and ground temperature at several depths, as its model's input files.

Layout: `bound.txt` and `snow.txt` (how many days, then day and value), `mesres.txt` (a column a depth), all blank-
separated; as in the repository of the GIPL permafrost model (Elchin Jafarov).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr

from frostline.errors import InputError
from frostline.read.gate import STATION_CELSIUS, inspect_file, reading
from frostline.read.series import ZERO_CELSIUS

Array = np.ndarray
# m; the order of the columns is that of the model's own script that compares with them (compare.m)
DEPTHS = (0.001, 0.072, 0.125, 0.2, 0.277, 0.354, 0.424, 0.506, 0.583, 0.741, 0.885, 1.1)
SNOW_METERS = (0.0, 15.0)


def read_gipl(folder: str | Path) -> xr.Dataset:
    """`air_temperature`, `ground_temperature` (K) and `snow_depth` (m) on (day) and (day, depth), float32.

    `day` counts from 1: the files carry no dates. Raises InputError for a missing or damaged file, days that do not
    follow each other or differ between files, and values that are no degrees Celsius or meters.
    """
    folder = Path(folder)
    air, snow = _series(folder / "bound.txt"), _series(folder / "snow.txt")
    ground = _numbers(folder / "mesres.txt")
    if len(snow) != len(air) or ground.shape != (len(air), len(DEPTHS)):
        cause = f"{len(air)} days of air, {len(snow)} of snow, ground of shape {ground.shape}"
        raise InputError(
            "E-INPUT-SCHEMA", where=folder, cause=cause, remedy=f"give {len(DEPTHS)} depths and equal days"
        )
    for name, values, (low, high) in (
        ("bound.txt", air, STATION_CELSIUS),
        ("mesres.txt", ground, STATION_CELSIUS),
        ("snow.txt", snow, SNOW_METERS),
    ):
        if not (np.isfinite(values) & (values >= low) & (values <= high)).all():
            cause = f"holds values outside {low:g}..{high:g}"
            raise InputError("E-INPUT-UNITS", where=folder / name, cause=cause, remedy="give degC, and meters of snow")
    kelvin = {"units": "K"}
    return xr.Dataset(
        {
            "air_temperature": ("day", (air + ZERO_CELSIUS).astype(np.float32), kelvin),
            "snow_depth": ("day", snow.astype(np.float32), {"units": "m"}),
            "ground_temperature": (("day", "depth"), (ground + ZERO_CELSIUS).astype(np.float32), kelvin),
        },
        coords={"day": np.arange(1, len(air) + 1), "depth": ("depth", np.array(DEPTHS), {"units": "m"})},
        attrs={"source": "input and measurements of the GIPL model's test site; no dates, no place"},
    )


def _series(path: Path) -> Array:
    """Values of a file that begins with their number and goes on with day and value."""
    inspect_file(path, "text")
    with reading(path):
        words = np.array(path.read_text("latin-1").split(), float)
    days = words[1::2]
    if len(words) != 2 * int(words[0]) + 1 or not np.array_equal(days, np.arange(1, len(days) + 1)):
        cause = f"is no list of {int(words[0])} days that follow each other"
        raise InputError(
            "E-INPUT-SCHEMA", where=path, cause=cause, remedy="give the number of days, then day and value"
        )
    return words[2::2]


def _numbers(path: Path) -> Array:
    inspect_file(path, "text")
    with reading(path):
        return np.loadtxt(path, ndmin=2)
