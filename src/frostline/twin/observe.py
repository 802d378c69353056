"""What the sensors saw of the clean world: blurred by the footprint, noisy, and only where a swath passed."""

from __future__ import annotations

import numpy as np
import xarray as xr
from scipy.ndimage import gaussian_filter1d

from frostline.grid import Grid
from frostline.twin.microwave import BANDS, Band
from frostline.twin.orbits import EARTH_RADIUS, overpass_minutes, swath

Array = np.ndarray

SIGMA = 1 / np.sqrt(8 * np.log(2))  # standard deviation of a Gaussian over its full width at half maximum
DAY_ZERO = np.datetime64("0001-01-01", "D")  # keys of the noise must not be negative


def observe(block: xr.Dataset, grid: Grid, *, seed: int) -> xr.Dataset:
    """Observed brightness temperatures and their times from the clean ones of `block`.

    `block`: tb_1v ... tb_36h on (time, overpass, y, x), K, no NaN, overpasses AM and PM. Returns the same names,
    float32, NaN where no swath passed, and tb_time_1, tb_time_18, tb_time_36 (minutes since 00 UTC of the local
    date, NaN where unseen). A day's result depends on the seed, the date and the block's cells only, bit for bit:
    not on the days beside it. A NaN in the clean block is an error.
    """
    names = {f"tb_{band.label}{p}": (band, k) for band in BANDS.values() for k, p in enumerate("vh")}
    days = block["time"].values.astype("datetime64[D]")
    overpasses = [int(p) for p in block["overpass"].values]
    seen = {
        (sensor, p): swath(grid, days, sensor=sensor, overpass=p)
        for sensor in {band.sensor for band in BANDS.values()}
        for p in overpasses
    }
    dims = ("time", "overpass", "y", "x")
    out: dict[str, tuple] = {}
    for name, (band, polarisation) in names.items():
        clean = np.asarray(block[name].transpose(*dims).values, np.float32)
        if not np.isfinite(clean).all():
            day = days[np.argwhere(~np.isfinite(clean))[0][0]]
            raise ValueError(f"{name} of the clean world is not finite on {day}")
        tb = blur(clean, grid, band.footprint)
        for i, day in enumerate(days):
            for j, overpass in enumerate(overpasses):
                tb[i, j] += np.float32(band.noise) * _noise(seed, day, band, overpass, polarisation, grid.shape)
                tb[i, j][~seen[band.sensor, overpass][i]] = np.nan
        out[name] = (dims, tb, {"units": "K"})
    times = {sensor: _times(grid, days, overpasses, sensor, seen) for sensor in {b.sensor for b in BANDS.values()}}
    for band in BANDS.values():
        out[f"tb_time_{band.label}"] = (dims, times[band.sensor], {"units": "minutes"})
    return grid.write(xr.Dataset(out, coords={"time": block["time"], "overpass": block["overpass"]}))


def blur(values: Array, grid: Grid, width: float) -> Array:
    """Values (..., y, x) under a Gaussian footprint of full width at half maximum `width` km; edges mirrored."""
    out = np.array(values, np.float32)
    for axis, step in zip((-2, -1), cell_size(grid), strict=True):
        if step > 0:
            gaussian_filter1d(out, SIGMA * width / step, axis=axis, output=out, mode="reflect", truncate=3.0)
    return out


def cell_size(grid: Grid) -> tuple[float, float]:
    """Distance (km) between neighbouring cells down and across the middle of the grid; 0 where there is only one."""
    rows, cols = grid.shape
    r, c = max(rows // 2 - 1, 0), max(cols // 2 - 1, 0)
    lon, lat = (np.deg2rad(v) for v in grid.window(slice(r, r + min(rows, 2)), slice(c, c + min(cols, 2))).lonlat())

    def distance(i: tuple[int, int], j: tuple[int, int]) -> float:
        half = np.sin((lat[i] - lat[j]) / 2) ** 2
        half += np.cos(lat[i]) * np.cos(lat[j]) * np.sin((lon[i] - lon[j]) / 2) ** 2
        return float(2 * EARTH_RADIUS * np.arcsin(np.sqrt(half)))

    return (distance((0, 0), (1, 0)) if rows > 1 else 0.0, distance((0, 0), (0, 1)) if cols > 1 else 0.0)


def _noise(seed: int, day: np.datetime64, band: Band, overpass: int, polarisation: int, shape: tuple) -> Array:
    """Unit noise of one image, a stream of its own."""
    key = (seed, int((day - DAY_ZERO).astype(int)), int(band.label), overpass, polarisation)
    return np.random.default_rng(np.random.SeedSequence(key)).standard_normal(shape, dtype=np.float32)


def _times(grid: Grid, days: Array, overpasses: list[int], sensor: str, seen: dict[tuple[str, int], Array]) -> Array:
    out = np.full((len(days), len(overpasses), *grid.shape), np.nan, np.float32)
    for j, overpass in enumerate(overpasses):
        for i, day in enumerate(days):
            mask = seen[sensor, overpass][i]
            if mask.any():
                out[i, j][mask] = overpass_minutes(grid, day, sensor=sensor, overpass=overpass)[mask]
    return out
