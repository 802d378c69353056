"""Row 8: days of brightness temperature in the store against daily gzip HDF5, and a class record as map and series.

python -m benchmarks.store [--size small|middle|full]

Both sides give float32 with NaN. The cost of days is proportional to their number, so a year's ratio is theirs. Files
lie in the page cache: what is counted is the CPU's part.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import h5py
import numpy as np
import zarr

from benchmarks.common import Row, Size, interleaved, main
from frostline import store
from frostline.grid import Grid, named

Array = np.ndarray
SIDES = {"small": 200, "middle": 2000, "full": 2000}  # cells of the predictors
DAYS = {"small": 4, "middle": 16, "full": 60}
WINDOWS = {"small": (60, 90), "middle": (405, 660), "full": (405, 660)}  # of the record; the latter is China's
RECORD = {"small": 120, "middle": 1461, "full": 1461}  # its days
NEAR = 0.0051  # K, half a step of the packing


def brightness(days: int, side: int) -> Array:
    """Smooth fields with the noise of a radiometer and swaths left out, (days, y, x)."""
    rng = np.random.default_rng(1)
    y, x = np.mgrid[:side, :side].astype(np.float32) / side
    out = np.empty((days, side, side), np.float32)
    for t in range(days):
        out[t] = 250 + 15 * np.sin(9 * x + t) * np.cos(7 * y) + rng.normal(0, 0.3, (side, side))
        out[t, :, (np.arange(side) + 37 * t) % 90 < 20] = np.nan
    return out


def frozen(days: int, shape: tuple[int, int]) -> Array:
    """A record of 0, 1 and NaN whose snow line wanders with the season, (days, y, x)."""
    y = (np.mgrid[: shape[0], : shape[1]][0] / shape[0]).astype(np.float32)
    rough = y + np.random.default_rng(2).normal(0, 0.05, shape).astype(np.float32)
    out = np.empty((days, *shape), np.float32)
    for t in range(days):
        np.less(rough, 0.5 + 0.4 * np.cos(2 * np.pi * t / 365), out=out[t])
    out[:, :3] = np.nan
    return out


def values(codes: Array) -> Array:
    """Classes of a plain array as float32, NaN for 255."""
    return np.where(codes == 255, np.float32(np.nan), codes.astype(np.float32))


def make(folder: Path, name: str, field: Array, grid: Grid) -> Path:
    """A store of one variable."""
    time = np.datetime64("2019-01-01", "ns") + np.arange(len(field)) * np.timedelta64(1, "D")
    path = store.create(folder / f"{name}.zarr", grid=grid, time=time, overpass=[0], variables=[name])
    with store.writer(path) as write:
        step = max(1, store.chunk_days(grid))
        for begin in range(0, len(field), step):
            write(begin, {name: field[begin : begin + step]}, overpass=0)
    return path


def size_of(path: Path) -> float:
    """Bytes of the files below."""
    return float(sum(p.stat().st_size for p in path.rglob("*") if p.is_file()))


def daily(folder: Path, field: Array) -> list[Path]:
    """A gzip HDF5 file of float32 a day, as agencies publish them."""
    paths = []
    for t, day in enumerate(field):
        paths.append(folder / f"{t:04d}.h5")
        with h5py.File(paths[-1], "w") as file:
            file.create_dataset("tb", data=day, compression="gzip", compression_opts=4, chunks=True)
    return paths


def from_daily(paths: list[Path]) -> Array:
    """All days."""
    out = []
    for path in paths:
        with h5py.File(path) as file:
            out.append(file["tb"][...])
    return np.stack(out)


def rows(size: Size) -> list[Row]:
    """The table's rows."""
    side, shape = SIDES[size], WINDOWS[size]
    with tempfile.TemporaryDirectory(prefix="frostline-bench-") as name:
        folder = Path(name)
        field = brightness(DAYS[size], side)
        grid = named("N09").window(slice(0, side), slice(0, side))
        ours, theirs = make(folder, "tb_36v", field, grid), daily(folder, field)
        read = interleaved(
            {
                "ours": lambda: store.open_store(ours)["tb_36v"].values,
                "theirs": lambda: from_daily(theirs),
            },
            repeats=3,
        )
        back = store.open_store(ours)["tb_36v"].values[:, 0]
        same = np.array_equal(np.isnan(back), np.isnan(field)) and bool(np.nanmax(abs(back - field)) <= NEAR)
        bytes_of = [float(sum(p.stat().st_size for p in theirs)), size_of(ours)]

        record = frozen(RECORD[size], shape)
        window = named("M09").around(103.0, 36.0, shape)
        kept = make(folder, "frozen", record, window)
        maps = folder / "maps.zarr"
        by_map = zarr.create_array(maps, shape=record.shape, chunks=(1, *shape), dtype="uint8")
        by_map[...] = np.where(np.isnan(record), 255, record).astype(np.uint8)
        i, j, t = shape[0] // 2, shape[1] // 2, len(record) // 2
        opened, plain = store.open_store(kept)["frozen"], zarr.open_array(maps, mode="r")
        taken = interleaved(
            {
                "series": lambda: opened[:, 0, i, j].values,
                "series by map": lambda: values(plain[:, i, j]),
                "map": lambda: opened[t, 0].values,
                "map by map": lambda: values(plain[t]),
            }
        )
        exact = np.array_equal(opened[:, 0, i, j].values, record[:, i, j], equal_nan=True)
        exact &= np.array_equal(opened[t, 0].values, record[t], equal_nan=True)
    days = DAYS[size]
    return [
        Row(8, f"{days} days read", "daily gzip HDF5", read["theirs"], read["ours"], 4, equal=same),
        Row(8, f"bytes of {days} days", "daily gzip HDF5", bytes_of[0], bytes_of[1], 1 / 0.6, equal=same),
        Row(8, "class series of a cell", "chunks of a map", taken["series by map"], taken["series"], 15, equal=exact),
        Row(8, "class map of a day", "chunks of a map", taken["map by map"], taken["map"], 1 / 10, equal=exact),
    ]


if __name__ == "__main__":
    sys.exit(main(rows, __doc__))
