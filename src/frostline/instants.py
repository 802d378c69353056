"""The instants at which an overpass meets cells and sites: its nominal local hour, or each one's own minute."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from frostline.clock import solar_to_utc

Array = np.ndarray
# (date, overpass) -> each cell's own time of observation, (y, x) minutes since 00 UTC of the date, NaN where it was
# not observed; None where nothing was
Minutes = Callable[[np.datetime64, int], Array | None]


@dataclass(frozen=True, eq=False)
class Instants:
    """Cells in the order in which an overpass meets them: flat index and hours after 00 UTC of the date."""

    cell: Array
    hour: Array

    @staticmethod
    def of(hours: Array) -> Instants:
        """The instants of a field of hours."""
        order = np.argsort(hours, axis=None, kind="stable")
        return Instants(order, hours.ravel()[order])

    @property
    def latest(self) -> float:
        """The hour of the last cell."""
        return float(self.hour[-1])

    def between(self, start: float, stop: float, *, closed: bool = False) -> tuple[Array, Array]:
        """Cells met after `start` and before `stop`, or on either when closed, and their hours."""
        first = np.searchsorted(self.hour, start, "left" if closed else "right")
        end = max(first, np.searchsorted(self.hour, stop, "right" if closed else "left"))
        return self.cell[first:end], self.hour[first:end]


def nominal(hour: float, lon: Array) -> Instants:
    """`hour` local solar time at longitudes (y, x): UTC = local - lon / 15 h.

    >>> nominal(6.0, np.array([[90.0, 120.0, -180.0]])).hour.tolist()
    [-2.0, 0.0, 18.0]
    """
    return Instants.of(hour - (np.mod(lon + 180.0, 360.0) - 180.0) / 15.0)  # the date line itself is west


def observed(nominal: Instants, minutes: Minutes | None, day: np.datetime64, code: int) -> Instants:
    """The nominal instants with those of the cells that were observed on the day put in their place."""
    own = minutes(day, code) if minutes is not None else None
    if own is None:
        return nominal
    hours = np.empty(nominal.hour.size)
    hours[nominal.cell] = nominal.hour
    own = np.asarray(own, float).ravel() / 60.0
    return Instants.of(np.where(np.isnan(own), hours, own))


def at_sites(stamps: Array, code: int, hour: float, lon: Any, cells: Array, minutes: Minutes | None) -> Array:
    """UTC instants (time, site) at which sites at `lon` (site,), in flat `cells` (site,), are met on dates `stamps`."""
    when = solar_to_utc(stamps[:, None], hour, np.asarray(lon, float)[None])
    if minutes is None:
        return when
    for t, day in enumerate(stamps):
        own = minutes(day, code)
        if own is not None:
            mine = np.asarray(own, float).ravel()[cells]
            seen = np.isfinite(mine)
            when[t, seen] = day + np.round(mine[seen] * 60).astype("timedelta64[s]")
    return when
