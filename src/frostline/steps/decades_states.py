"""The states that the long twin's sensors would have been published with: ESDR years at 25 km, SMAP days at 9 km."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import xarray as xr

from frostline.classic_microwave import msta, msta_thresholds, npr_sta
from frostline.clock import AM, NOMINAL_HOUR, PM, month, utc_day_offset
from frostline.gapfill import OBSERVED, PRESETS, fill_cube
from frostline.grid import Grid, named
from frostline.regrid import area_mean
from frostline.twin import write_esdr, write_smap
from frostline.twin.long import SMAP_START

Array = np.ndarray
DAY = 1440.0  # minutes
SHARED_WATER, STEEP = 0.2, 300.0  # share and m beyond which `ft_qc` tells (formats.md 2)
CONTRAST = 1.5  # percent; ours: twice the scatter of the ratio from day to day in July (.8 here)


def deliver(
    out: Path, *, observed: Iterable[xr.Dataset], air: Iterable[tuple[Array, Array]], ground: xr.Dataset, grid: Grid
) -> dict[str, int]:
    """Write `out`/esdr and `out`/smap and count the files of each.

    `observed`: blocks of `long_observed`, each within one year, in order: tb_36v, and tb_1v and tb_1h from SMAP_START
    on. `air`: of each year air_min and air_max (time, y, x), K, of the reanalysis, on which both records lean. `grid`
    is a window of M09. An ESDR year is in memory at a time, and of SMAP, whose thresholds are of all its days,
    brightness at 1.41 GHz since 2015 (8 bytes a cell, pass and day). No SMAP file without a winter and a summer.
    """
    counts = Counter[str]()
    esdr = _Esdr(out / "esdr", grid, ground)
    years = iter(air)
    seen: list[xr.Dataset] = []
    smap: list[xr.Dataset] = []

    def close() -> None:
        year = xr.concat([b[["tb_36v"]] for b in seen], "time", combine_attrs="drop")
        coords = {n: year[n] for n in ("time", "y", "x")}
        told = zip(("air_min", "air_max"), next(years), strict=True)
        daily = xr.Dataset({n: (tuple(coords), v) for n, v in told}, coords=coords)
        counts["esdr"] += esdr.write(year["tb_36v"].values, daily)
        smap.extend(b[["tb_1v", "tb_1h"]].assign(daily.sel(time=b["time"])) for b in seen if "tb_1v" in b)
        seen.clear()

    for block in observed:
        if seen and _year(block) != _year(seen[0]):
            close()
        seen.append(block)
    if seen:
        close()
    for _ in years:  # whoever writes beside this is to come to an end
        pass
    if smap:
        counts["smap"] += _smap(out / "smap", xr.concat(smap, "time", combine_attrs="drop"), ground, grid)
    return dict(counts)


class _Esdr:
    """The 25 km cells around a window and how their states come about."""

    def __init__(self, folder: Path, grid: Grid, ground: xr.Dataset) -> None:
        whole = named("ML25")
        row, col = whole.locate(*grid.lonlat())
        self.folder, self.grid = folder, grid
        self.coarse = whole.window(slice(int(row.min()), int(row.max()) + 1), slice(int(col.min()), int(col.max()) + 1))
        water, rough = (self.mean(ground[n].values) for n in ("water_fraction", "terrain_std"))
        self.water = water >= write_smap.WATER_BODY
        self.flags = (water > SHARED_WATER) * 2 + (rough > STEEP) * 4

    def mean(self, fields: Array) -> Array:
        return area_mean(fields, self.grid, self.coarse)[0]

    def write(self, tb: Array, daily: xr.Dataset) -> int:
        """The files of a year from `tb` (time, overpass, y, x), whose gaps are filled first, and air (time, y, x)."""
        dates = daily["time"].values
        filled, interpolated = np.empty_like(tb), np.empty(tb.shape, np.float32)
        for p in (AM, PM):
            filled[:, p], flag, _ = fill_cube(tb[:, p], dates, **PRESETS["recommended"])
            interpolated[:, p] = flag != OBSERVED
        coords = {"time": dates, "y": self.coarse.y, "x": self.coarse.x}
        least, most = (
            xr.DataArray(self.mean(daily[n].values), coords, ("time", "y", "x")) for n in ("air_min", "air_max")
        )
        both = coords | {"overpass": [AM, PM]}
        seen = xr.DataArray(self.mean(filled), both, ("time", "overpass", "y", "x"))
        limits = msta_thresholds(seen, least, most)
        frozen = msta(seen, thresholds=limits, grid=self.coarse)["frozen"].values
        frozen[..., self.water] = np.nan
        guided = np.isfinite(limits.values[0]).all(axis=0)
        some = self.mean(interpolated).max(axis=1) > 0
        for i, date in enumerate(dates):
            write_esdr.write(
                self.folder,
                date=date,
                half="CO",
                frozen=frozen[i],
                reason=np.where(self.water, 254, np.where(guided, 252, 253)),
                flags=self.flags + some[i],
                window=self.coarse,
            )
        return len(dates)


def _smap(folder: Path, era: xr.Dataset, ground: xr.Dataset, grid: Grid) -> int:
    """The files of all days of `era`: each pass in the UTC day on which it flew over."""
    dates = era["time"].values.astype("datetime64[D]")
    months = set(month(dates).tolist())
    if not (months & {1, 2} and months & {7, 8}):
        return 0
    guard = (era["air_min"], era["air_max"])
    frozen, plain = (
        npr_sta(era["tb_1v"], era["tb_1h"], grid=grid, contrast=CONTRAST, guard=air)["frozen"].values
        for air in (guard, None)
    )
    unseen = np.isnan(era["tb_1v"].values)
    lon = grid.lonlat()[0]
    offset = np.stack([utc_day_offset(NOMINAL_HOUR[p], lon) for p in (AM, PM)])
    minutes = np.stack([NOMINAL_HOUR[p] * 60.0 - 4.0 * _east(lon) for p in (AM, PM)]) - DAY * offset
    place, rows, cols = np.arange(2)[:, None, None], *np.indices(grid.shape)
    written = 0
    for day in np.arange(dates[0] + offset.min(), dates[-1] + offset.max() + 1):
        if day < SMAP_START:
            continue
        at = (day - dates[0]).astype(int) - offset  # local date of each pass and cell
        known = (at >= 0) & (at < len(dates))
        at = np.where(known, at, 0)
        known &= ~unseen[at, place, rows, cols]
        if not known.any():
            continue
        state = np.where(known, frozen[at, place, rows, cols], np.nan)
        before = np.where(known, plain[at, place, rows, cols], np.nan)
        write_smap.write(
            folder,
            date=day,
            frozen=state,
            minutes=np.where(known, minutes, np.nan),
            mitigated=np.isfinite(state) & (state != before),
            window=grid,
            water_fraction=ground["water_fraction"].values,
            elevation=ground["elevation"].values,
            terrain_std=ground["terrain_std"].values,
            land_cover=ground["land_cover"].values,
        )
        written += 1
    return written


def _east(lon: Array) -> Array:
    """Longitudes -180..180."""
    return np.mod(lon + 180.0, 360.0) - 180.0


def _year(block: xr.Dataset) -> np.datetime64:
    return block["time"].values[0].astype("datetime64[Y]")
