"""Training samples: listed up front, packed once, cut into random crops that see nothing of held-out places."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from frostline.errors import ConfigError, InputError
from frostline.learn.channels import (
    day_fields,
    day_flags,
    first_infinite,
    land_of,
    missing_statics,
    place_fields,
    split_names,
)
from frostline.learn.outages import silence
from frostline.learn.scale import Scaler, read_days

RAM_BYTES = 1 << 30  # what is larger goes through a file in the work folder
BLOCK_BYTES = 64 << 20  # of fields encoded at a time


@dataclass(frozen=True)
class Samples:
    """Packed fields of one split. `table` has a row per valid sample (a date and an overpass)."""

    table: pd.DataFrame  # row, date, overpass, input_cells, and a count of labelled cells per source
    day: np.ndarray  # (row, day channel, y, x) float16, 0 = missing
    labels: np.ndarray  # (row, source, y, x) float16, NaN = none
    flags: np.ndarray  # (row, flag) float32
    place: np.ndarray  # (place channel, y, x) float32
    cells: np.ndarray  # (y, x) bool: land whose labels may be used
    sources: tuple[str, ...]
    names: tuple[str, ...] = ()  # of the day channels


def check_disjoint(
    train_days: np.ndarray,
    validation_days: np.ndarray,
    heldout_days: np.ndarray,
    buffer_days: int,
    times: np.ndarray,
) -> None:
    """Raise E-SPLIT where two of the splits share a day, or leave fewer than `buffer_days` days between them.

    The first three are bool (time,), `times` datetime64 (time,). Soil and weather remember: a day next to a
    training day is no independent witness (algorithms.md 6).
    """
    date = np.asarray(times, "datetime64[D]").astype("int64")
    splits = {"train": train_days, "validation": validation_days, "heldout": heldout_days}
    for (one, a), (other, b) in combinations(splits.items(), 2):
        first, second = np.sort(date[np.asarray(a, bool)]), np.sort(date[np.asarray(b, bool)])
        if not len(first) or not len(second):
            continue
        right = np.searchsorted(second, first).clip(0, len(second) - 1)
        nearest = np.where(
            np.abs(second[right] - first) <= np.abs(second[(right - 1).clip(0)] - first),
            second[right],
            second[(right - 1).clip(0)],
        )
        apart = np.abs(nearest - first)
        worst = int(apart.argmin())
        if apart[worst] <= buffer_days:
            days = np.array([first[worst], nearest[worst]]).astype("datetime64[D]")
            shared = int((apart == 0).sum())
            what = f"share {shared} days, {days[0]} among them" if shared else f"come as near as {days[0]}, {days[1]}"
            raise ConfigError(
                "E-SPLIT",
                where=f"{one} and {other} days",
                cause=f"they {what}; {buffer_days} days must lie between",
                remedy="move the periods apart, or lower buffer_days knowingly",
            )


def pack(
    stack: xr.Dataset,
    *,
    channels: Sequence[str],
    scaler: Scaler,
    sources: Sequence[str],
    days: np.ndarray,
    visible: np.ndarray,
    labelled: np.ndarray,
    file: Path,
    labels: str = "label",
) -> Samples:
    """Encode the days (time,) that are true, once, into RAM or (where larger) the memmap `file`.

    Inputs outside `visible` (y, x) are made missing and labels outside `labelled` (y, x) and land removed, so
    nothing of another area is even in the file. Labels are the variables `<labels>_<source>`, in [0, 1]. A
    sample is valid with at least one cell of `labelled` land that has an input, and one that has a label. Inf,
    or a static predictor that is NaN on labelled land, is E-TRAIN-NAN with the variable and the date.
    """
    for source in sources:
        if f"{labels}_{source}" not in stack:
            raise InputError(
                "E-INPUT-MISSING",
                where=f"{labels}_{source}",
                cause="the stack has no labels of this source",
                remedy="make them, or set the source's lambda to 0",
            )
    index = np.flatnonzero(days)
    time, overpass = stack["time"].values, stack["overpass"].values
    cells = np.asarray(labelled, bool) & land_of(stack)
    names = split_names(channels)[0]
    shape = (len(index) * len(overpass), len(names), *cells.shape)
    day = _room(shape, file)
    taught = _room((shape[0], len(sources), *cells.shape), file.with_stem(f"{file.stem}_labels"))
    seen = [k for k, name in enumerate(names) if name.startswith("valid:")]
    counts = np.zeros((shape[0], 1 + len(sources)), "int64")
    per_day = 4 * max(1, int(np.prod(shape[1:]))) * len(overpass)
    many = max(1, BLOCK_BYTES // per_day)
    for start in range(0, len(index), many):
        chosen = index[start : start + many]
        fields = np.where(visible, day_fields(stack, chosen, channels, scaler), np.float32(0))
        each = [read_days(stack[f"{labels}_{s}"], chosen) for s in sources]
        truth = np.where(cells, np.stack(each, axis=2), np.float32(np.nan))
        rows = slice(start * len(overpass), (start + len(chosen)) * len(overpass))
        day[rows] = fields.astype("float16").reshape(-1, *shape[1:])
        taught[rows] = truth.reshape(-1, *taught.shape[1:])
        _stop_at(first_infinite(day[rows].reshape(fields.shape), time[chosen], names))
        counts[rows, 0] = (fields[:, :, seen].any(axis=2) & cells).sum(axis=(2, 3)).ravel()
        counts[rows, 1:] = np.isfinite(truth).sum(axis=(3, 4)).reshape(-1, len(sources))
    for name in missing_statics(stack, channels, cells):
        _stop_at((name, None))
    row = np.arange(shape[0])
    table = pd.DataFrame(
        {"row": row, "date": np.repeat(time[index], len(overpass)), "overpass": np.tile(overpass, len(index))}
    ).assign(input_cells=counts[:, 0], **{f"label_{s}": counts[:, k + 1] for k, s in enumerate(sources)})
    valid = (counts[:, 0] > 0) & (counts[:, 1:].sum(axis=1) > 0)
    return Samples(
        table=table[valid].reset_index(drop=True),
        day=day,
        labels=taught,
        flags=day_flags(time[index], overpass, channels).reshape(shape[0], -1),
        place=place_fields(stack, channels, scaler) * np.asarray(visible, bool),
        cells=cells,
        sources=tuple(sources),
        names=tuple(names),
    )


def fields(samples: Samples, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Whole windows: (channels (n, channel, y, x), labels (n, source, y, x)), float32."""
    y, x = samples.cells.shape
    return _fill(samples, rows, np.zeros((len(rows), 2), int), (y, x), None), samples.labels[rows].astype("float32")


def batches(
    samples: Samples,
    *,
    batch: int,
    crop: int,
    augment: bool,
    rng: np.random.Generator,
    sensor_dropout: float = 0.0,
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]]:
    """One epoch: every valid sample once, in random order, as a random crop, in batches of nearly equal size.

    Yields channels (n, channel, h, w) and labels (n, source, h, w) float32, the cells to learn from
    (n, h, w) bool, and the rows (n,) of the table. Crops are at most the window; one is drawn with a
    probability proportional to the number of cells to learn from in it (whole fixed fields let a net memorise
    location: algorithms.md 9). `augment` flips and turns by 90 degrees at random. `sensor_dropout` is the share of
    samples in which one instrument is made missing (learn.outages).
    """
    size = (min(crop, samples.cells.shape[0]), min(crop, samples.cells.shape[1]))
    corners = _corners(samples.cells, size)
    order = rng.permutation(len(samples.table))
    for chosen in np.array_split(order, -(-len(order) // batch)):
        corner = corners[rng.integers(0, len(corners), len(chosen))] if corners.ndim == 2 else corners
        turns = rng.integers(0, 8, len(chosen)) if augment else None
        rows = samples.table["row"].to_numpy()[chosen]
        x = _fill(samples, rows, corner, size, turns)
        if sensor_dropout > 0:
            silence(x, samples.names, share=sensor_dropout, rng=rng)
        labels = np.empty((len(rows), len(samples.sources), *size), "float32")
        cells = np.empty((len(rows), *size), bool)
        for k, (row, (top, left)) in enumerate(zip(rows, corner, strict=True)):
            cut = (..., slice(top, top + size[0]), slice(left, left + size[1]))
            labels[k] = _turn(samples.labels[row][cut], turns, k)
            cells[k] = _turn(samples.cells[cut], turns, k)
        yield x, labels, cells, chosen


def _corners(cells: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Top left corners (n, 2) of all crops, repeated in proportion to the cells to learn from inside (1..16)."""
    sums = np.pad(cells.astype("int64").cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    h, w = size
    inside = sums[h:, w:] - sums[:-h, w:] - sums[h:, :-w] + sums[:-h, :-w]
    if not inside.any():
        raise InputError(
            "E-INPUT-MISSING", where="training area", cause="it holds no land cell", remedy="widen the area or window"
        )
    share = np.ceil(16 * inside / inside.max()).astype("int64")
    return np.repeat(np.argwhere(share >= 0), share.ravel(), axis=0)


def _fill(
    samples: Samples, rows: np.ndarray, corner: np.ndarray, size: tuple[int, int], turns: np.ndarray | None
) -> np.ndarray:
    """Day, place and flag channels of crops, in the order of the channel list: float32 (n, channel, h, w)."""
    d, p = samples.day.shape[1], len(samples.place)
    x = np.empty((len(rows), d + p + samples.flags.shape[1], *size), "float32")
    for k, (row, (top, left)) in enumerate(zip(rows, corner, strict=True)):
        cut = (slice(None), slice(top, top + size[0]), slice(left, left + size[1]))
        x[k, :d] = _turn(samples.day[row][cut], turns, k)
        x[k, d : d + p] = _turn(samples.place[cut], turns, k)
    x[:, d + p :] = samples.flags[rows][:, :, None, None]
    return x


def _turn(field: np.ndarray, turns: np.ndarray | None, k: int) -> np.ndarray:
    """One of the eight symmetries of a square on the last two axes (four where the crop is not square)."""
    if turns is None:
        return field
    mirrored = field[..., ::-1] if turns[k] & 4 else field
    quarter = int(turns[k] & 3) if field.shape[-1] == field.shape[-2] else int(turns[k] & 2)
    return np.rot90(mirrored, quarter, axes=(-2, -1))


def _room(shape: tuple[int, ...], file: Path) -> np.ndarray:
    if 2 * np.prod(shape, dtype="int64") <= RAM_BYTES:
        return np.empty(shape, "float16")
    file.parent.mkdir(parents=True, exist_ok=True)
    return np.lib.format.open_memmap(file, "w+", "float16", shape)


def _stop_at(found: tuple[str, np.datetime64 | None] | None) -> None:
    if found is not None:
        name, date = found
        raise InputError(
            "E-TRAIN-NAN",
            where=name if date is None else f"{name} on {date}",
            cause="a value that is not finite would reach the network",
            remedy="see that the reader turns fill values into NaN and that static fields have no holes on land",
        )


def held(stack: xr.Dataset, names: Sequence[str], days: np.ndarray) -> tuple[xr.Dataset, np.ndarray]:
    """The span of the chosen days (and the day before it), in RAM where it is small; and `days` on that span."""
    index = np.flatnonzero(days)
    span = slice(max(0, int(index[0]) - 1), int(index[-1]) + 1)
    part = stack[[*names]].isel(time=span)
    return (part.load() if part.nbytes <= RAM_BYTES else part), np.asarray(days, bool)[span]
