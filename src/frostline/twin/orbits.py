"""When and where the satellites look: swaths of two sun-synchronous orbits, days without data, minutes of the day.

A circular orbit whose plane turns with the sun crosses the equator at one local solar hour for ever, so the
longitude of a crossing is its UTC told otherwise. Everything is counted from one epoch: a date looks the same
in every run, wherever the run begins.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from frostline.clock import AM, PM
from frostline.grid import Grid

Array = np.ndarray

EPOCH = np.datetime64("2015-01-01", "D")  # a descending crossing lies PHASE orbits after this midnight UTC
EARTH_RADIUS = 6371.0  # km


@dataclass(frozen=True)
class Orbit:
    """A sun-synchronous orbit and the strip that its radiometer sees.

    `hours` are local solar at the equator; `northward` says which half-orbit flies north.
    """

    per_day: float
    inclination: float  # degrees
    width: float  # km
    hours: dict[int, float]
    northward: dict[int, bool]
    phase: float  # of an orbit, 0..1; free


# Entekhabi et al. 2010 (SMAP, 685 km, 1000 km swath); Imaoka et al. 2010 (AMSR2 on GCOM-W1, 1450 km swath).
ORBITS = {
    "smap": Orbit(14.61, 98.12, 1000.0, {AM: 6.0, PM: 18.0}, {AM: False, PM: True}, 0.20),
    "amsr2": Orbit(14.56, 98.20, 1450.0, {AM: 1.5, PM: 13.5}, {AM: False, PM: True}, 0.50),
}


@dataclass(frozen=True)
class Outage:
    """Days, both included, on which a sensor sees nothing; `unverified` where the dates want a check."""

    sensor: str
    first: np.datetime64
    last: np.datetime64
    unverified: bool


# SMAP's safe modes. The first day of 2019 is documented, its last is told as 22 or 23 July; 2022 likewise
# begins on 6 or 8 August. Both flagged until checked against the archive's list of files.
OUTAGES = (
    Outage("smap", np.datetime64("2019-06-19"), np.datetime64("2019-07-22"), unverified=True),
    Outage("smap", np.datetime64("2022-08-06"), np.datetime64("2022-09-20"), unverified=True),
)


@dataclass(frozen=True, eq=False)
class View:
    """What the cells of a grid bring to every pass: each array (y, x)."""

    lon: Array  # degrees
    turned: Array  # degrees: longitude, plus the Earth's turn between the equator crossing and the cell's latitude
    rise: Array  # sin(latitude), and its cosine in `level`
    level: Array
    tilt: tuple[float, float]  # cosine (negative where the track leans west) and sine of the inclination


def swath(grid: Grid, dates: Any, *, sensor: str, overpass: int) -> Array:
    """Which cells a sensor sees on each local date, (time, y, x) bool.

    `dates` datetime64, the overpass's local date at the cell; `sensor` "smap" or "amsr2"; `overpass` AM or PM.
    Outages are empty. Days are independent of each other and of the array they stand in. Half-orbits end a
    quarter turn from the equator crossing, so that coverage beyond 80 degrees is too small.
    """
    orbit = ORBITS[sensor]
    days = np.asarray(dates, "datetime64[D]").reshape(-1)
    view = _view(grid, sensor, overpass)
    reach = np.sin(orbit.width / 2 / EARTH_RADIUS)
    seen = np.zeros((len(days), *grid.shape), bool)
    for i, day in enumerate(days):
        if not any(o.sensor == sensor and o.first <= day <= o.last for o in OUTAGES):
            for node in _nodes(orbit, overpass, day, view):
                seen[i] |= _across(view, node) <= reach
    return seen


def overpass_minutes(grid: Grid, date: Any, *, sensor: str, overpass: int) -> Array:
    """Observation time of every cell in minutes since 00 UTC of the local `date`, (y, x) float32.

    Below 0 in the far east, above 1440 in the far west: the local date is not the UTC one there. The twin's
    weather runs in local solar time and is looked at in the overpass's nominal hour everywhere; to that comes
    the flight from the equator to the cell along the pass that sees it best (about 16 min at 60 N). A real
    swath departs from the nominal hour by up to an hour there, because its whole width is seen at one instant.
    """
    orbit = ORBITS[sensor]
    view = _view(grid, sensor, overpass)
    nodes = _nodes(orbit, overpass, np.datetime64(date, "D"), view)
    nearest = nodes[np.stack([_across(view, node) for node in nodes]).argmin(0)]
    angle = np.deg2rad(view.turned - nearest)
    lean, climb = view.tilt
    along = np.arctan2(
        view.level * np.sin(angle) * lean + view.rise * climb,
        view.level * np.cos(angle),
    )
    flight = _sign(orbit, overpass) * np.rad2deg(along) / 360 / orbit.per_day
    return (60 * orbit.hours[overpass] - 4 * view.lon + 1440 * flight).astype(np.float32)


def _sign(orbit: Orbit, overpass: int) -> int:
    """1 where the half-orbit flies north, else -1."""
    return 1 if orbit.northward[overpass] else -1


@lru_cache(maxsize=8)
def _view(grid: Grid, sensor: str, overpass: int) -> View:
    orbit = ORBITS[sensor]
    lon, lat = grid.lonlat()
    tilt, rise, sign = np.deg2rad(orbit.inclination), np.sin(np.deg2rad(lat)), _sign(orbit, overpass)
    climb = np.sin(tilt)
    # the track's own latitude stands for the cell's: half a minute at most, 7 km on the ground
    along = np.rad2deg(np.arcsin(np.clip(rise / climb, -1, 1)))
    return View(lon, lon + sign * along / orbit.per_day, rise, np.cos(np.deg2rad(lat)), (sign * np.cos(tilt), climb))


def _nodes(orbit: Orbit, overpass: int, day: np.datetime64, view: View) -> Array:
    """Longitudes, degrees, of the equator crossings that the grid's cells could see on their local date.

    Not wrapped: a crossing west of -180 belongs to this date for cells east of the line, as it should.
    """
    phase = orbit.phase + (0.5 if orbit.northward[overpass] else 0.0)  # the northward half follows half an orbit on
    number = int((day - EPOCH).astype(int))
    west, east = float(view.turned.min()) - 90, float(view.turned.max()) + 90
    noon = number + orbit.hours[overpass] / 24  # UTC days at which the crossing lies at 0 E
    first = np.ceil((noon - east / 360) * orbit.per_day - phase)
    last = np.floor((noon - west / 360) * orbit.per_day - phase)
    return 360 * (noon - (np.arange(first, last + 1) + phase) / orbit.per_day)


def _across(view: View, node: float) -> Array:
    """Sine of each cell's distance from the ground track of one half-orbit; 2 on the far side of the Earth."""
    angle = view.turned - node
    lean, climb = view.tilt
    distance = np.abs(lean * view.rise - climb * view.level * np.sin(np.deg2rad(angle)))
    return np.where(np.abs(angle) < 90, distance, 2.0)
