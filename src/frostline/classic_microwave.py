"""The classic microwave rules that a net must beat, and of which the agencies' own records are made.

Each takes brightness temperatures (time, overpass, y, x; K, NaN = unseen) and gives a record. References and
thresholds are few fields, from sums over blocks of days; the rest is element by element, so that chunked
brightness gives a record that is computed as it is read.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr

from frostline.clock import AM, PM, month, year
from frostline.errors import InputError
from frostline.grid import Grid
from frostline.schema import record

Array = np.ndarray
FIELD = ("time", "overpass", "y", "x")
KELVIN = 273.15
JANUARY_FEBRUARY, JULY_AUGUST = (1, 2), (7, 8)  # months of SMAP's frozen and thawed references (algorithms 3)
COLDEST, WARMEST = -60.0, 30.0  # degC, range of MSTA's regression (NSIDC-0477 v5 user guide)
NEAR = 250.0  # K, taken off brightness before it is squared, so that sums keep their digits
_BLOCK_VALUES = 1 << 22  # values read at once


def polarization_ratio(tb_v: Any, tb_h: Any) -> Any:
    """Normalized polarization ratio in percent, 100 (V - H) / (V + H): low over frozen soil.

    >>> polarization_ratio(260.0, 240.0)
    4.0
    """
    return 100.0 * (tb_v - tb_h) / (tb_v + tb_h)


def seasonal_mean(values: xr.DataArray, *, months: Sequence[int], days: xr.DataArray | None = None) -> xr.DataArray:
    """Mean of the known values in `months` of all years, (overpass, y, x) float32, each pass for itself; NaN if none.

    `days`: bool (time), the only days that may be read. InputError if no day is left.
    """
    values = values.transpose(*FIELD)
    chosen = np.isin(month(values["time"].values), list(months))
    if days is not None:
        chosen &= np.asarray(days.reindex(time=values["time"], fill_value=False).values, bool)
    if not chosen.any():
        raise InputError("E-INPUT-TIME", where="reference", cause=f"no day of months {list(months)} may be read")
    total = np.zeros(values.shape[1:])
    count = np.zeros(values.shape[1:], np.int64)
    for at in _blocks(values, np.flatnonzero(chosen)):
        part = values[at].values
        known = np.isfinite(part)
        total += np.where(known, part, 0.0).sum(0, dtype=np.float64)
        count += known.sum(0)
    mean = np.where(count > 0, total / np.maximum(count, 1), np.nan).astype(np.float32)
    return values.isel(time=0, drop=True).copy(data=mean)


def npr_sta(
    tb_v: xr.DataArray,
    tb_h: xr.DataArray,
    *,
    grid: Grid,
    days: xr.DataArray | None = None,
    threshold: float = 0.5,
    contrast: float = 0.8,
    guard: tuple[xr.DataArray, xr.DataArray] | None = None,
    warm: float = KELVIN + 10.0,
    cold: float = KELVIN - 10.0,
) -> xr.Dataset:
    """SMAP's seasonal threshold on the 1.41 GHz polarization ratio: frozen where D <= `threshold`.

    D = (NPR - NPR_fr) / (NPR_th - NPR_fr), references the means of January-February and July-August of each cell and
    pass, over the days of `days` (bool, time) or all. Unknown where NPR_th - NPR_fr < `contrast` (percent). `guard`:
    air_min and air_max (time, y, x; K) of a reanalysis: an observed cell is thawed where the one is above `warm` and
    frozen where the other is below `cold`, whatever its contrast. Source: SPL3FTP (references, +-10 degC);
    `contrast` is ours, the product's limit is not checked.
    """
    tb_v, tb_h = _fields(tb_v), _same(tb_h, tb_v)
    index = polarization_ratio(tb_v, tb_h)
    low = seasonal_mean(index, months=JANUARY_FEBRUARY, days=days)
    high = seasonal_mean(index, months=JULY_AUGUST, days=days)
    frozen = _between(index, low, high, threshold=threshold, contrast=contrast)
    attrs = {
        "source": f"polarization ratio at 1.41 GHz, seasonal threshold {threshold:g}",
        "references": _told(index, days),
        "unverified": f"least contrast of {contrast:g} percent",
    }
    if guard is not None:
        air_min, air_max = (_daily(air, index) for air in guard)
        seen = index.notnull()
        frozen = frozen.where(~(seen & (air_min > warm)), 0.0).where(~(seen & (air_max < cold)), 1.0)
        attrs["guard"] = f"air temperature of a reanalysis: thawed above {warm:g} K, frozen below {cold:g} K"
    return _record(frozen, grid, attrs)


def sta(
    tb: xr.DataArray,
    *,
    grid: Grid,
    days: xr.DataArray | None = None,
    threshold: float = 0.5,
    contrast: float = 5.0,
) -> xr.Dataset:
    """The seasonal threshold on brightness itself (37 GHz V): frozen where (TB - fr) / (th - fr) <= `threshold`.

    fr, th: means of January-February and July-August of each cell and pass, over `days` or all; unknown where they
    are less than `contrast` K apart (ours). Source: the ESDR before its yearly regression, from memory.
    """
    tb = _fields(tb)
    low = seasonal_mean(tb, months=JANUARY_FEBRUARY, days=days)
    high = seasonal_mean(tb, months=JULY_AUGUST, days=days)
    attrs = {
        "source": f"brightness temperature, seasonal threshold {threshold:g}",
        "references": _told(tb, days),
        "unverified": "the rule and its threshold",
    }
    return _record(_between(tb, low, high, threshold=threshold, contrast=contrast), grid, attrs)


def cosine_weight(celsius: Array) -> Array:
    """Weight of a day in MSTA's regression by its air temperature: 1 at 0 degC, 0 at -60 and 30 degC and beyond.

    The guide calls it cosine-shaped and highest at 0 degC; the two quarter waves are ours.

    >>> cosine_weight(np.array([-60.0, -30.0, 0.0, 20.0, 40.0])).round(4).tolist()
    [0.0, 0.7071, 1.0, 0.5, 0.0]
    """
    edge = np.where(celsius < 0, COLDEST, WARMEST)
    return np.cos(0.5 * np.pi * np.clip(celsius / edge, 0.0, 1.0)).round(15)


def msta_thresholds(
    tb: xr.DataArray,
    air_min: xr.DataArray,
    air_max: xr.DataArray,
    *,
    least_days: int = 30,
    least_correlation: float = 0.5,
) -> xr.DataArray:
    """Brightness (K) at 0 degC of each year, pass and cell: (year, overpass, y, x), NaN where there is none.

    Weighted least squares TB = a + c T of a calendar year's observed days, T the day's air_min for AM and air_max
    for PM (time, y, x; K); the threshold is a. None where fewer than `least_days` days have weight, where c <= 0 or
    the weighted correlation is not above `least_correlation` (there the ESDR, on ice, takes a constant that our
    record does not need).
    """
    tb = _fields(tb)
    passes = tb["overpass"].values.tolist()
    if not set(passes) <= {AM, PM}:
        raise InputError("E-INPUT-SCHEMA", where="msta", cause=f"overpasses {passes} are not of AM and PM")
    if len(air_min["time"]) == 0 or len(air_max["time"]) == 0:
        raise InputError("E-INPUT-TIME", where="msta", cause="no air temperature to calibrate on")
    tables = {}
    for label, days in _years(tb["time"].values):
        sums = np.zeros((7, *tb.shape[1:]))
        for at in _blocks(tb, days):
            part = tb[at]
            daily = {AM: air_min, PM: air_max}
            air = np.stack([_daily(daily[p], part).values - KELVIN for p in passes], axis=1)
            sums += _moments(part.values.astype(np.float64), air.astype(np.float64))
        tables[label] = _at_zero(sums, least_days, least_correlation)
    coords = {"year": list(tables), **{name: tb[name] for name in FIELD[1:]}}
    return xr.DataArray(np.stack(list(tables.values())).astype(np.float32), coords, ("year", *FIELD[1:]))


def msta(tb: xr.DataArray, *, thresholds: xr.DataArray, grid: Grid) -> xr.Dataset:
    """The ESDR's yearly threshold (NSIDC-0477 v4 to v5.1): frozen where TB is not above that of `msta_thresholds`.

    Unknown in a year that `thresholds` does not hold.
    """
    tb = _fields(tb)
    table = thresholds.reindex(year=np.unique(year(tb["time"].values))).transpose("year", *FIELD[1:])
    place = np.searchsorted(table["year"].values, year(tb["time"].values))
    values = table.values if tb.chunks is None else da.from_array(table.values, chunks=(1, -1, -1, -1))
    limit = tb.copy(data=values[place])
    frozen = (tb <= limit).astype(np.float32).where(tb.notnull() & limit.notnull())
    attrs = {
        "source": "brightness temperature against a threshold of each year (MSTA)",
        "references": "yearly regression on the least (AM) and greatest (PM) air temperature of the day",
        "unverified": "shape of the weights",
    }
    return _record(frozen, grid, attrs)


def spectral_gradient(tb_low: xr.DataArray, tb_high: xr.DataArray, *, grid: Grid, below: float = 258.2) -> xr.Dataset:
    """Frozen where TB 37 V <= `below` (K) and TB 37 V - TB 19 V <= 0; nothing to calibrate.

    `tb_low` the 19 GHz V, `tb_high` the 37 GHz V brightness. Source: Zhang and Armstrong 2001. Blind under snow.
    """
    tb_high, tb_low = _fields(tb_high), _same(tb_low, tb_high)
    frozen = ((tb_high <= below) & (tb_high <= tb_low)).astype(np.float32)
    return _record(
        frozen.where(tb_high.notnull() & tb_low.notnull()),
        grid,
        {"source": f"36.5 GHz V at most {below:g} K and not above 18.7 GHz V"},
    )


def _years(times: Array) -> list[tuple[int, Array]]:
    """Each calendar year with the places of its days."""
    of = year(times)
    return [(int(y), np.flatnonzero(of == y)) for y in np.unique(of)]


def _blocks(values: xr.DataArray, at: Array) -> list[Array]:
    """Places along the time, in blocks of few values."""
    step = max(1, _BLOCK_VALUES // max(1, int(np.prod(values.shape[1:]))))
    return [at[begin : begin + step] for begin in range(0, len(at), step)]


def _between(index: xr.DataArray, low: xr.DataArray, high: xr.DataArray, *, threshold: float, contrast: float) -> Any:
    """1 where (index - low) / (high - low) <= threshold, else 0; NaN where unseen or of less contrast."""
    span = (high - low).where(high - low >= max(contrast, 1e-6))
    share = ((index - low) / span).transpose(*FIELD)
    return (share <= threshold).astype(np.float32).where(share.notnull())


def _moments(tb: Array, celsius: Array) -> Array:
    """Sums over the first axis that the weighted regression of tb on temperature needs, (7, ...): they add."""
    known = np.isfinite(tb) & np.isfinite(celsius)
    t, y = np.where(known, celsius, 0.0), np.where(known, tb - NEAR, 0.0)
    w = np.where(known, cosine_weight(t), 0.0)
    return np.stack([w.sum(0), (w * t).sum(0), (w * y).sum(0), (w * t * t).sum(0), (w * t * y).sum(0),
                     (w * y * y).sum(0), (w > 0).sum(0)])  # fmt: skip


def _at_zero(sums: Array, least_days: int, least_correlation: float) -> Array:
    """Intercept at 0 degC of the weighted regression of which these are the sums."""
    w, t, y, tt, ty, yy, count = sums
    total = np.maximum(w, 1e-12)
    tt, ty, yy = tt - t * t / total, ty - t * y / total, yy - y * y / total
    varies = (tt > 1e-6 * total) & (yy > 1e-6 * total)  # less is rounding, of days that are all alike
    good = varies & (count >= least_days) & (ty > least_correlation * np.sqrt(np.maximum(tt * yy, 0.0)))
    slope = np.divide(ty, tt, out=np.zeros_like(ty), where=good)
    return np.where(good, y / total + NEAR - slope * t / total, np.nan)


def _fields(tb: xr.DataArray) -> xr.DataArray:
    """The array on (time, overpass, y, x)."""
    if set(tb.dims) != set(FIELD):
        raise InputError("E-INPUT-SCHEMA", where=str(tb.name), cause=f"{tb.dims} are not {FIELD}")
    return tb.transpose(*FIELD)


def _same(other: xr.DataArray, tb: xr.DataArray) -> xr.DataArray:
    """`other` on the coordinates of `tb`; a mismatch is an error, never a silent intersection."""
    other = _fields(other)
    for name in FIELD:
        if not np.array_equal(other[name].values, tb[name].values):
            raise InputError("E-INPUT-GRID", where=str(other.name), cause=f"its {name} differs from {tb.name}'s")
    return other


def _daily(air: xr.DataArray, tb: xr.DataArray) -> xr.DataArray:
    """A (time, y, x) field on the days of `tb`, NaN on days that it lacks."""
    for name in ("y", "x"):
        if not np.array_equal(air[name].values, tb[name].values):
            raise InputError("E-INPUT-GRID", where=str(air.name), cause=f"its {name} is not the brightness's")
    return air.reindex(time=tb["time"]).transpose("time", "y", "x")


def _told(tb: xr.DataArray, days: xr.DataArray | None) -> str:
    """Where references come from, for people."""
    time = tb["time"].values if days is None else days["time"].values[np.asarray(days.values, bool)]
    span = f"{str(time.min())[:10]} to {str(time.max())[:10]}"
    return f"means of months {JANUARY_FEBRUARY} (frozen) and {JULY_AUGUST} (thawed), {len(time)} days from {span}"


def _record(frozen: xr.DataArray, grid: Grid, attrs: dict[str, str]) -> xr.Dataset:
    frozen = frozen.transpose(*FIELD).astype(np.float32)
    return record(frozen.data, grid=grid, time=frozen["time"].values, overpass=frozen["overpass"].values, attrs=attrs)
