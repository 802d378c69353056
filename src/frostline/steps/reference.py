"""What a cell usually looks like: its mean brightness temperature, taken off before a net sees it.

Lakes, forest and rough ground shift a cell's brightness for ever; frost shifts it for a season. A net that sees the
difference to the cell's own mean need not know the place; the classic algorithms compare with references of each cell
for the same reason (algorithms.md 3).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import xarray as xr

from frostline import store
from frostline.config_north import North
from frostline.runs import Run
from frostline.steps.common import load, roles, save

FILE = Path("checkpoints", "reference.nc")  # beside the nets, which are nothing without it


def write_reference(experiment: North, run: Run, names: Sequence[str]) -> None:
    """Means (y, x) of the named channels over the training days and both overpasses; only inputs, never labels."""
    stack = store.open_store(run.path("stack.zarr"))
    save(run.folder / FILE, cell_means(stack, names, days=roles(experiment)[0] == "train"))


def cell_means(stack: xr.Dataset, names: Sequence[str], *, days: np.ndarray) -> xr.Dataset:
    """Mean of each channel over the chosen days and all overpasses, (y, x) float32, K; NaN where never seen.

    Read in blocks of 32 days, so memory does not grow with the record.
    """
    shape = (stack.sizes["y"], stack.sizes["x"])
    total = {name: np.zeros(shape) for name in names}
    count = {name: np.zeros(shape, np.int64) for name in names}
    chosen = np.flatnonzero(days)
    for start in range(0, len(chosen), 32):
        block = stack[list(names)].isel(time=chosen[start : start + 32]).load()
        for name in names:
            values = block[name].values
            total[name] += np.nansum(values, axis=(0, 1), dtype=np.float64)
            count[name] += np.isfinite(values).sum(axis=(0, 1))
    means = {n: np.where(count[n] > 0, total[n] / np.maximum(count[n], 1), np.nan) for n in names}
    return xr.Dataset({n: (("y", "x"), m.astype(np.float32)) for n, m in means.items()})


def relative(experiment: North, run: Run) -> xr.Dataset:
    """The stack as the net sees it: lazily, with `train.reference = "cell"` as differences to the cell's mean."""
    assert experiment.train is not None
    if experiment.train.reference == "none":
        return store.open_store(run.path("stack.zarr"))
    stack = store.open_store(run.path("stack.zarr"), chunks={})
    means = load(run.folder / FILE)
    for name in map(str, means.data_vars):
        stack[name] = (stack[name] - means[name].variable).assign_attrs(stack[name].attrs)
    return stack
