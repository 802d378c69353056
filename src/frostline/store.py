"""A Zarr v3 folder with its time axis laid out beforehand, where a step counts only once it was read back.

Layout: one array per variable on (time, overpass, y, x) or (time, overpass, step, y, x), static ones on (y, x), and
`journal.jsonl`, one line per event of a (date, overpass) pair: `pending` before its chunks are touched, `verified`
with the SHA-256 of what was read back. What was not verified last is unknown (NaN), whatever its chunks hold.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from frostline.errors import DiskError, InputError
from frostline.grid import Grid
from frostline.packing import FLAGS, INTEGERS, pack, spec_of
from frostline.schema import coordinates, describe
from frostline.store_held import Block, Held
from frostline.store_lock import locked
from frostline.store_read import Store

LAYOUT = 1  # raised when a store of an older layout can no longer be read
JOURNAL = "journal.jsonl"
CHUNK_BYTES = 1 << 17  # cells of a block of days that a step works on at once
HELD_BYTES = 1 << 26  # of the days that share a chunk, which a writer keeps until it is whole
MOST_DAYS, TILE_SIDE, TILE_CELLS = 32, 500, 1 << 20  # of a chunk: days, cells a side, cells in all
DIMS = ("time", "overpass", "y", "x")
STEPPED = ("time", "overpass", "step", "y", "x")
STEP_META = {"units": "hours", "long_name": "hours before the overpass, local solar time"}


def create(
    path: str | Path,
    *,
    grid: Grid,
    time: Any,
    overpass: Any,
    variables: Sequence[str],
    stepped: Sequence[str] = (),
    step: Sequence[int] = (),
    static: Mapping[str, np.ndarray] | None = None,
    attrs: Mapping[str, Any] | None = None,
) -> Path:
    """Lay out an empty store for all of `time` and `overpass`; everything is unknown until written.

    `variables` are vocabulary names on (time, overpass, y, x), `stepped` ones on (time, overpass, step, y, x) with
    `step` in hours before the overpass, oldest first; `static` arrays (y, x) are written at once.
    Made under a temporary name and renamed; an existing store is replaced.
    """
    import zarr

    path = Path(path)
    when, passes = np.asarray(time, "datetime64[ns]"), np.asarray(overpass, "int8")
    part = path.with_name(f"{path.name}.part-{os.getpid()}")
    shutil.rmtree(part, ignore_errors=True)
    part.parent.mkdir(parents=True, exist_ok=True)
    try:
        group: Any = zarr.open_group(part, mode="w", zarr_format=3)
        frame = grid.write(coordinates(xr.Dataset(), time=when, overpass=passes))
        hours = when.astype("datetime64[h]").astype("int64")
        for name, data, extra in (
            ("time", hours, {"units": "hours since 1970-01-01", "calendar": "proleptic_gregorian"}),
            ("overpass", passes, {}),
            *([("step", np.asarray(step, "int16"), STEP_META)] if len(step) else []),
            ("y", grid.y, {}),
            ("x", grid.x, {}),
            ("spatial_ref", np.int32(0), {}),
        ):
            values, told = np.asarray(data), frame[name].attrs if name in frame.variables else {}
            meta = {k: _plain(v) for k, v in told.items()} | extra
            group.create_array(name, data=values, dimension_names=[name][: values.ndim], attributes=meta)
        wide = [*variables, *(name for name in stepped for _ in step)]
        days = _days(grid, len(passes) * sum(np.dtype(spec_of(name).dtype).itemsize for name in wide))
        for name in (*variables, *stepped):
            steps = (len(step),) if name in stepped else ()  # in one chunk: a network reads all of them together
            shape, chunks = (
                (len(when), len(passes), *steps, *grid.shape),
                (min(days, len(when)), 1, *steps, *_tile(grid, days)),
            )
            _array(group, name, shape, chunks, STEPPED if steps else DIMS)
        for name, values in (static or {}).items():
            array = _array(group, name, grid.shape, _tile(grid, 1), DIMS[2:])
            array[...] = pack(np.asarray(values, "float32"), spec_of(name))
        group.attrs.update({**{k: _plain(v) for k, v in dict(attrs or {}).items()}, **grid.attrs(), "layout": LAYOUT})
        with warnings.catch_warnings():  # zarr 3 warns that its own consolidation is no part of the specification yet
            warnings.simplefilter("ignore")
            zarr.consolidate_metadata(part)
        (part / JOURNAL).touch()
        shutil.rmtree(path, ignore_errors=True)
        part.replace(path)
    except OSError as error:
        shutil.rmtree(part, ignore_errors=True)
        raise disk_error(path, error) from error
    return path


def chunk_days(grid: Grid) -> int:
    """Days that a step reads, works on and writes at once: one on a hemisphere, up to 32 on a small window."""
    return int(np.clip(CHUNK_BYTES // (grid.shape[0] * grid.shape[1]), 1, MOST_DAYS))


@contextmanager
def writer(path: str | Path) -> Iterator[Callable[..., None]]:
    """The one writer of a store: yields `write(start, arrays, overpass=None)`.

    `arrays` maps names to (days, overpasses, y, x) values (NaN = unknown; with steps after the overpasses where the
    variable has them), beginning at time index `start`; `overpass` is the index of a single pass, then arrays are
    (days, y, x). Writing a step again replaces it.

    Days that follow each other from the first of a chunk are held, packed, until the chunk is whole or the writer
    ends, by an error too: only then are they on disk and verified. A process that is killed loses them.
    """
    import zarr

    path = Path(path)
    if not (path / JOURNAL).exists():
        raise InputError("E-STORE", where=path, cause="this is no frostline store", remedy="run the step that makes it")
    with locked(path), (path / JOURNAL).open("a", encoding="utf-8") as journal:
        group: Any = zarr.open_group(path, mode="r+", use_consolidated=False)
        if any(event["state"] != "verified" for event in _journal(path).values()):
            for left in path.rglob("*.partial"):  # of a writer that was killed within a chunk; nobody reads them
                left.unlink(missing_ok=True)
        total, passes = group["time"].shape[0], group["overpass"].shape[0]
        laid_out: Any = zarr.open_group(path, mode="r", use_consolidated=True)
        held = Held(max((v.chunks[0] for _, v in laid_out.arrays() if v.ndim >= len(DIMS)), default=1), total)

        def write(start: int, arrays: Mapping[str, np.ndarray], overpass: int | None = None) -> None:
            codes = {name: pack(np.asarray(values), spec_of(name)) for name, values in arrays.items()}
            at = slice(0, passes) if overpass is None else slice(overpass, overpass + 1)
            if overpass is not None:
                codes = {name: values[:, None] for name, values in codes.items()}
            for block in held.take(Block(start, at, codes)):
                _put(path, group, journal, block)

        try:
            yield write
        finally:
            for block in held.rest():
                _put(path, group, journal, block)


def _put(path: Path, group: Any, journal: Any, block: Block) -> None:
    """Write codes, read them back, and note the steps as verified."""
    steps = [(t, o) for t in range(block.start, block.start + block.days) for o in range(*block.passes.indices(1 << 8))]
    part = (slice(block.start, block.start + block.days), block.passes)
    digests = {step: hashlib.sha256() for step in steps}
    try:
        _note(journal, [{"t": t, "o": o, "state": "pending"} for t, o in steps])
        for name, codes in block.codes.items():
            group[name][part] = codes
            back = group[name][part]
            if not np.array_equal(back, codes, equal_nan=codes.dtype.kind == "f"):
                raise DiskError("E-STORE", where=path, cause=f"{name!r} read back differs from what was written")
            for (t, o), digest in digests.items():
                digest.update(name.encode())
                digest.update(back[t - block.start, o - block.passes.start])
        done = [{"t": t, "o": o, "state": "verified", "sha256": d.hexdigest()} for (t, o), d in digests.items()]
        _note(journal, done, sync=True)
    except OSError as error:
        raise disk_error(path, error) from error


def open_store(path: str | Path, *, chunks: Any = None) -> xr.Dataset:
    """The store as a lazy dataset, probabilities and kelvins decoded to float32; unverified steps are NaN.

    `chunks` as in xarray (None: lazy without dask). Integer variables (quality, age) keep their codes.
    """
    path = Path(path)
    if not (path / "zarr.json").exists() or not (path / JOURNAL).exists():
        raise InputError("E-STORE", where=path, cause="no finished store lies here", remedy="run its step")
    ds = xr.open_dataset(path, engine=Store, chunks=chunks)
    if int(ds.attrs.get("layout", 0)) != LAYOUT:
        raise InputError("E-STORE", where=path, cause="the store has another layout", remedy="make it again")
    ds = describe(ds)
    torn = _torn(path, ds.sizes.get("time", 0), ds.sizes.get("overpass", 0))
    if torn.any():  # rare: a writer was stopped within a step
        known = xr.DataArray(~torn, dims=DIMS[:2], coords={"time": ds["time"], "overpass": ds["overpass"]})
        for name in map(str, ds.data_vars):
            if ds[name].dims in (DIMS, STEPPED):
                fill = spec_of(name).fill if np.issubdtype(ds[name].dtype, np.integer) else np.nan
                ds[name] = ds[name].where(known, fill).astype(ds[name].dtype).assign_attrs(ds[name].attrs)
    return ds


def verified(path: str | Path) -> np.ndarray:
    """(time, overpass) bool: the steps that were written and read back."""
    import zarr

    group: Any = zarr.open_group(Path(path), mode="r", use_consolidated=False)
    out = np.zeros((group["time"].shape[0], group["overpass"].shape[0]), bool)
    for (t, o), event in _journal(Path(path)).items():
        out[t, o] = event["state"] == "verified"
    return out


def made_for(path: str | Path) -> str | None:
    """The attribute `made_for` of a store, by which a writer knows its own again; None where no store lies."""
    try:
        return open_store(path).attrs.get("made_for")
    except InputError:
        return None


def disk_error(path: Path, error: OSError) -> Exception:
    """An OSError while writing as one clear line: how much is free, what to do."""
    free = shutil.disk_usage(path.parent if path.parent.exists() else Path.cwd()).free
    cause = f"{error.strerror or error}; {free / 1e9:.1f} GB are free"
    return DiskError("E-DISK", where=path, cause=cause, remedy="make room and run again: what was verified is kept")


def _array(group: Any, name: str, shape: tuple[int, ...], chunks: tuple[int, ...], dims: tuple[str, ...]) -> Any:
    from zarr.codecs import BloscCodec

    spec = spec_of(name)
    meta: dict[str, Any] = {"grid_mapping": "spatial_ref"}
    if name not in INTEGERS and not name.startswith("age_"):
        if np.dtype(spec.dtype).kind != "f":
            meta |= {"_FillValue": spec.fill}
        if spec.scale != 1.0:
            meta |= (
                {"scale_factor": spec.scale, "add_offset": spec.offset} if spec.offset else {"scale_factor": spec.scale}
            )
        elif np.dtype(spec.dtype).kind != "f":
            meta |= {"scale_factor": 1.0}
    # a flag is a bit, and most are hardly ever set: half the bytes in a third of the time of bytes shuffled
    shuffle: Any = "bitshuffle" if spec == FLAGS else "shuffle" if np.dtype(spec.dtype).itemsize > 1 else "noshuffle"
    codec = BloscCodec(cname="zstd", clevel=3, shuffle=shuffle)
    return group.create_array(
        name,
        shape=shape,
        chunks=chunks,
        dtype=spec.dtype,
        fill_value=spec.fill,
        dimension_names=dims,
        attributes=meta,
        compressors=[codec],
    )


def _days(grid: Grid, bytes_of_a_cell: int) -> int:
    """Days that share a chunk: as many as a writer may hold, so that a cell's series lies in few chunks."""
    cells = grid.shape[0] * grid.shape[1]
    return int(np.clip(HELD_BYTES // (cells * max(bytes_of_a_cell, 1)), chunk_days(grid), MOST_DAYS))


def _tile(grid: Grid, days: int) -> tuple[int, int]:
    """Rows and columns of a chunk: equal parts of the grid, the smaller the more days it holds."""
    side = min(TILE_SIDE, int((TILE_CELLS / days) ** 0.5))
    rows, cols = (-(-n // -(-n // side)) for n in grid.shape)
    return rows, cols


def _plain(value: Any) -> Any:
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value


def _note(journal: Any, events: list[dict], *, sync: bool = False) -> None:
    journal.write("".join(json.dumps(e) + "\n" for e in events))
    journal.flush()
    if sync:
        os.fsync(journal.fileno())


def _journal(path: Path) -> dict[tuple[int, int], dict]:
    """The last event of each step; a torn last line (a kill while writing it) does not count."""
    last: dict[tuple[int, int], dict] = {}
    with (path / JOURNAL).open(encoding="utf-8") as lines:
        for line in lines:
            try:
                event = json.loads(line)
            except json.JSONDecodeError:
                continue
            last[event["t"], event["o"]] = event
    return last


def _torn(path: Path, days: int, passes: int) -> np.ndarray:
    out = np.zeros((days, passes), bool)
    for (t, o), event in _journal(path).items():
        out[t, o] = event["state"] != "verified"
    return out
