"""The effective resolution of a record, by its own spectra, written where its attributes are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from frostline import store
from frostline.config_north import North
from frostline.grid import Grid
from frostline.resolution import LEAST_SPECTRA, fitted, of_classes, spectra, text
from frostline.runs import Run
from frostline.store_attrs import note
from frostline.validate.intervals import bounds, draw_days, resample

MOST_DAYS = 730  # of a longer record every second, third ... day is taken
RESAMPLES = 200
LEVEL = 0.95
BLOCK_DAYS = 30


def note_resolution(experiment: North, run: Run, path: Path) -> dict[str, Any]:
    """Estimate the resolution of the record at `path` and write it as `effective_resolution`; what was found, km.

    The attribute stays as it is where nothing can be said: a record of classes (its edges are sharp whatever it was
    made of), no square of known soil, or too few fields that are neither all frozen nor all thawed. The interval is
    of draws of blocks of days (of all overpasses).
    """
    record = store.open_store(path, chunks={})
    grid = Grid.of(record)
    if grid.is_geographic or of_classes(record):
        return {}
    record = record.isel(time=slice(None, None, -(-record.sizes["time"] // MOST_DAYS)))
    land = store.open_store(run.path("stack.zarr"))["land"].values == 1
    daily, counts, side = spectra(record, land=land)
    found = fitted(daily.sum(axis=0), side) if counts.sum() >= LEAST_SPECTRA else None
    if found is None:
        return {}
    seed = experiment.train.seed if experiment.train is not None else 0
    draws, blocks = draw_days(record["time"].values, block=BLOCK_DAYS, resamples=RESAMPLES, seed=seed)
    again = [fitted(one, side) for one in resample(draws, {"power": daily})["power"]]
    drawn = np.array([np.nan if one is None else one.wavelength for one in again])
    low, high = bounds(drawn, units=blocks, level=LEVEL)
    ends = (float(low), float(high))
    if not np.isfinite(ends).all():
        return {}
    posting = grid.step / 1000
    said = text(found, ends, step=posting, level=LEVEL, spectra=int(counts.sum()))
    note(path, {"effective_resolution": said})
    return {"km": posting * found.wavelength, "lo": posting * ends[0], "hi": posting * ends[1]}
