"""Truth to learn from: soil temperature of reanalysis and stations at an overpass's local hour, and its state."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal, Protocol

import numpy as np
import xarray as xr

from frostline import schema
from frostline.clock import DAILY, NOMINAL_HOUR
from frostline.errors import ConfigError, InputError
from frostline.grid import Grid
from frostline.instants import Instants, Minutes, at_sites, nominal, observed

Array = np.ndarray
FREEZING = 273.15  # K. Donahue 2023's code thresholds ERA5 at 273.0 and stations at 0 degC
LOCAL_HOURS = tuple(NOMINAL_HOUR.values())
MAX_GAP_HOURS = 3.0  # ERA5 is hourly; three-hourly files are the coarsest that still hold a diurnal wave
HOUR = np.timedelta64(3_600_000_000_000, "ns")
EARLIEST = 24 * HOUR  # no overpass of a date is earlier than this before 00 UTC: 0 h local at 180 E is 12 h


class Series(Protocol):
    """One site's readings at one depth, as a station reader gives them."""

    @property
    def site(self) -> str:
        """Name of the site."""

    @property
    def network(self) -> str:
        """Name of its network."""

    @property
    def lon(self) -> float:
        """Degrees east."""

    @property
    def lat(self) -> float:
        """Degrees north."""

    @property
    def elevation(self) -> float:
        """Metres above sea level, NaN unknown."""

    @property
    def depth(self) -> float:
        """Metres below the surface."""

    @property
    def times(self) -> Array:
        """(n,) datetime64, UTC; where `daily`, the local dates."""

    @property
    def temperature(self) -> Array:
        """(n,) soil temperature, K, NaN missing."""

    @property
    def daily(self) -> bool:
        """Whether a value stands for a whole local day."""


def state(temperature: Any, threshold: float = FREEZING) -> Array:
    """1 frozen (below the threshold), 0 thawed, NaN unknown, float32. At the threshold itself: thawed.

    >>> state([272.0, 273.15, np.nan]).tolist()
    [1.0, 0.0, nan]
    """
    kelvin = np.asarray(temperature, np.float32)
    return np.where(np.isnan(kelvin), np.float32(np.nan), (kelvin < np.float32(threshold)).astype(np.float32))


def solar_labels(
    hours: Iterable[xr.Dataset],
    grid: Grid,
    *,
    dates: Any,
    local_hours: Sequence[float] = LOCAL_HOURS,
    mode: Literal["local", "utc"] = "local",
    threshold: float = FREEZING,
    max_gap_hours: float = MAX_GAP_HOURS,
    minutes: Minutes | None = None,
) -> Iterator[tuple[np.datetime64, int, Array, Array]]:
    """(date, overpass, temperature K, label 0/1/NaN), fields (y, x) float32, by date and then overpass.

    `hours` hold `soil_temperature` (time, y, x) in K on `grid`, UTC times rising through all of them. Each cell is
    sampled at `local_hours[overpass]` local solar time of the local `date` (UTC = local - lon/15 h), linearly
    between the two fields around that instant. Nothing is wrapped or extrapolated: cells without fields on both
    sides, at most `max_gap_hours` apart, are NaN. `mode="utc"` takes the hours as UTC for every cell, as Donahue
    2023's published code does. `minutes(date, overpass)` may give each cell's own observation time, (y, x)
    minutes since 00 UTC of the date; where that is NaN, or None is returned, the nominal hour serves.

    Two fields and the few overpasses that they touch are all that is held. InputError: fields that are not on
    `grid`, times that do not rise.
    """
    if mode not in ("local", "utc"):
        raise ConfigError("E-CONFIG", where="labels", cause=f"mode={mode!r}", remedy='"local" or "utc"')
    lon = grid.lonlat()[0] if mode == "local" else np.zeros(grid.shape)
    usual = [nominal(hour, lon) for hour in local_hours]
    days = np.unique(np.asarray(dates, "datetime64[ns]"))
    waiting = deque((day, code) for day in days for code in range(len(usual)))
    started: deque[tuple[np.datetime64, int, Instants, Array]] = deque()
    last_time: Any = np.datetime64("NaT", "ns")
    last = np.empty(0, np.float32)
    for time, field in _fields(hours, grid):
        while waiting and waiting[0][0] - EARLIEST <= time:
            day, code = waiting.popleft()
            moments = observed(usual[code], minutes, day, code)
            started.append((day, code, moments, np.full(field.size, np.nan, np.float32)))
        bracket = bool(time - last_time <= max_gap_hours * HOUR)  # NaT before the first field: False
        for day, _, moments, out in started:
            now = (time - day) / HOUR
            at = moments.between(now, now, closed=True)
            out[at[0]] = field[at[0]]
            if bracket:
                cells, when = moments.between((last_time - day) / HOUR, now)
                part = ((when - (last_time - day) / HOUR) / ((time - last_time) / HOUR)).astype(np.float32)
                before = last[cells]
                out[cells] = before + (field[cells] - before) * part
        last_time, last = time, field
        while started and (time - started[0][0]) / HOUR >= started[0][2].latest:
            day, code, _, out = started.popleft()
            yield _labelled(day, code, out, grid, threshold)
        if not waiting and not started:
            return
    for day, code, _, out in started:
        yield _labelled(day, code, out, grid, threshold)
    for day, code in waiting:
        yield _labelled(day, code, np.full(lon.size, np.nan, np.float32), grid, threshold)


def station_labels(
    series: Iterable[Series],
    grid: Grid,
    *,
    dates: Any,
    local_hours: Sequence[float] = LOCAL_HOURS,
    max_gap_hours: float = MAX_GAP_HOURS,
    threshold: float = FREEZING,
    minutes: Minutes | None = None,
) -> xr.Dataset:
    """A SITES dataset: `soil_temperature` (K) and `frozen` (0/1/NaN) of every series that lies on `grid`.

    Readings are interpolated linearly to `local_hours[overpass]` local solar time of each date; where the two
    around it are more than `max_gap_hours` apart the value is NaN. `minutes(date, overpass)` may give the observation
    time of a station's cell, as in `solar_labels`. Daily series know no half-day: their values stand
    at overpass 2 (daily), and the dataset has that overpass only when there are such series. The attribute
    `sites_outside_grid` counts who was left out.
    """
    stamps = np.unique(np.asarray(dates, "datetime64[ns]"))
    everyone = list(series)
    row, col = grid.locate([s.lon for s in everyone], [s.lat for s in everyone])
    kept = [s for s, r in zip(everyone, row, strict=True) if r >= 0]
    lon, cells = [s.lon for s in kept], (row * grid.shape[1] + col)[row >= 0]
    met = [at_sites(stamps, code, hour, lon, cells, minutes) for code, hour in enumerate(local_hours)]
    clean = [_clean(s) for s in kept]
    codes = [*range(len(local_hours)), *([DAILY] if any(s.daily for s in kept) else [])]
    kelvin = np.full((len(stamps), len(codes), len(kept)), np.nan, np.float32)
    for k, (s, (times, values)) in enumerate(zip(kept, clean, strict=True)):
        if s.daily:
            kelvin[:, -1, k] = _at(stamps, times.astype("datetime64[D]").astype("datetime64[ns]"), values, 0.0)
            continue
        for code, when in enumerate(met):
            kelvin[:, code, k] = _at(when[:, k], times, values, max_gap_hours)
    dims = ("time", "overpass", "site")
    data = {"frozen": (dims, state(kelvin, threshold)), "soil_temperature": (dims, kelvin)}
    ds = schema.coordinates(xr.Dataset(data), time=stamps, overpass=codes)
    ds = ds.assign_coords(
        {name: ("site", np.array([str(getattr(s, name)) for s in kept], str)) for name in ("site", "network")}
    ).assign_coords(
        {
            name: ("site", np.array([getattr(s, name) for s in kept], float))
            for name in ("lon", "lat", "elevation", "depth")
        }
    )
    ds.attrs.update(sites_outside_grid=len(everyone) - len(kept), threshold_kelvin=float(threshold))
    return schema.check(schema.describe(ds), schema.SITES)


def to_cells(sites: xr.Dataset, grid: Grid, *, threshold: float = FREEZING) -> xr.Dataset:
    """Stations on the cells that contain them: `label_station`, `soil_temperature` (time, overpass, y, x).

    Several stations in a cell are averaged in temperature, those without a value left out, and then thresholded.
    Lazy, one day a chunk: a year of the northern grid would be 23 GB of which a few hundred cells hold anything.
    """
    row, col = grid.locate(sites["lon"].values, sites["lat"].values)
    kelvin = sites["soil_temperature"].transpose("time", "overpass", "site").values[..., row >= 0]
    cells, member = np.unique(row[row >= 0] * grid.shape[1] + col[row >= 0], return_inverse=True)
    total, count = np.zeros((*kelvin.shape[:2], cells.size)), np.zeros((*kelvin.shape[:2], cells.size))
    for k, cell in enumerate(member):
        total[..., cell] += np.nan_to_num(kelvin[..., k])
        count[..., cell] += ~np.isnan(kelvin[..., k])
    mean = np.where(count > 0, total / np.maximum(count, 1), np.nan).astype(np.float32)
    dims = ("time", "overpass", "y", "x")
    data = {
        "label_station": (dims, _scatter(state(mean, threshold), cells, grid)),
        "soil_temperature": (dims, _scatter(mean, cells, grid)),
    }
    ds = schema.coordinates(xr.Dataset(data), time=sites["time"].values, overpass=sites["overpass"].values)
    return schema.describe(grid.write(ds))


def _fields(hours: Iterable[xr.Dataset], grid: Grid) -> Iterator[tuple[np.datetime64, Array]]:
    """Each UTC field by itself, flat float32, loaded when its turn comes."""
    last = None
    for ds in hours:
        part = ds["soil_temperature"]
        part = (part if "time" in part.dims else part.expand_dims("time")).transpose("time", "y", "x")
        if part.shape[1:] != grid.shape:
            raise InputError("E-INPUT-GRID", cause=f"hours of {part.shape[1:]} on a grid of {grid.shape}")
        for k, time in enumerate(part["time"].values.astype("datetime64[ns]")):
            if last is not None and not time > last:
                raise InputError("E-INPUT-TIME", cause=f"the hour {time} comes after {last}", remedy="sort and merge")
            last = time
            yield time, np.asarray(part[k].values, np.float32).ravel()


def _labelled(
    day: np.datetime64, code: int, kelvin: Array, grid: Grid, threshold: float
) -> tuple[np.datetime64, int, Array, Array]:
    kelvin = kelvin.reshape(grid.shape)
    return day, code, kelvin, state(kelvin, threshold)


def _clean(series: Series) -> tuple[Array, Array]:
    """Valid readings in rising time; of two at one time the first."""
    times, values = np.asarray(series.times, "datetime64[ns]"), np.asarray(series.temperature, float)
    valid = np.isfinite(values) & ~np.isnat(times)
    times, first = np.unique(times[valid], return_index=True)
    return times, values[valid][first]


def _at(when: Array, times: Array, values: Array, max_gap_hours: float) -> Array:
    """Values at the wanted instants: exact hits, else linear between neighbours that are close enough."""
    out = np.full(when.size, np.nan)
    if not times.size:
        return out
    after = np.searchsorted(times, when, "left")
    hit = times[np.minimum(after, times.size - 1)] == when
    out[hit] = values[after[hit]]
    inner = ~hit & (after > 0) & (after < times.size)
    a, b = after[inner] - 1, after[inner]
    gap = (times[b] - times[a]) / HOUR
    part = (when[inner] - times[a]) / HOUR / gap
    out[inner] = np.where(gap <= max_gap_hours, values[a] + (values[b] - values[a]) * part, np.nan)
    return out


def _scatter(values: Array, cells: Array, grid: Grid) -> Any:
    """(time, overpass, cells) as a lazy (time, overpass, y, x), NaN between."""
    import dask.array as da

    def place(block: Array) -> Array:
        out = np.full((*block.shape[:2], grid.shape[0] * grid.shape[1]), np.nan, np.float32)
        out[..., cells] = block
        return out.reshape(*block.shape[:2], *grid.shape)

    source = da.from_array(values, chunks=(1, -1, -1))
    chunks = (*source.chunks[:2], (grid.shape[0],), (grid.shape[1],))
    return source.map_blocks(place, drop_axis=2, new_axis=[2, 3], chunks=chunks, dtype=np.float32)
