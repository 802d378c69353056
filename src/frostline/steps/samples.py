"""Cell-days of the stack as rows of a table, for what learns from rows: a regression, a discriminant, trees."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr

Array = np.ndarray
BLOCK = 32  # days read at once


def table(stack: xr.Dataset, names: Sequence[str], index: Array, cells: Array) -> Array:
    """Features (day, overpass, cell, feature) of some days, float32: by name, then the overpass' code; NaN unknown."""
    size = (len(index), stack.sizes["overpass"], int(cells.sum()))
    block = stack[list(names)].isel(time=index).load()
    out = np.empty((*size, len(names) + 1), np.float32)
    for k, name in enumerate(names):
        values = block[name].values[..., cells].astype(np.float32)
        out[..., k] = np.where(values == 255, np.nan, values) if name.startswith("age_") else values
    out[..., -1] = stack["overpass"].values[:, None]
    return out


def sample(
    stack: xr.Dataset,
    names: Sequence[str],
    *,
    days: Array,
    cells: Array,
    sources: Mapping[str, float],
    samples: int,
    rng: np.random.Generator,
) -> tuple[Array, Array, Array]:
    """Features, labels and weights of `days` bool (time,) and `cells` bool (y, x): some `samples` cell-days that a
    brightness is known of.

    `sources`: labels of the stack with what each weighs altogether, as in a net's loss; those that are not there, or
    weigh nothing, are left out. Of `label_station` all cell-days are taken. The mean weight is 1.
    """
    wanted = {name: weight for name, weight in sources.items() if name in stack and weight > 0}
    bands = [k for k, name in enumerate(names) if name.startswith("tb_")]
    index = np.flatnonzero(days)
    share = samples / max(1, len(index) * stack.sizes["overpass"] * int(cells.sum()))
    kept: dict[str, list[tuple[Array, Array]]] = {name: [] for name in wanted}
    for start in range(0, len(index), BLOCK):
        part = index[start : start + BLOCK]
        x = table(stack, names, part, cells)
        seen = np.isfinite(x[..., bands]).any(axis=-1)
        for name in wanted:
            label = stack[name].isel(time=part).values[..., cells]
            use = np.isfinite(label) & seen
            use &= (rng.random(use.shape) < share) | (name == "label_station")
            kept[name].append((x[use], label[use]))
    nothing = (np.empty((0, len(names) + 1), np.float32), np.empty(0, np.float32))
    parts = [(x, y, name) for name, some in kept.items() for x, y in some or [nothing]] or [(*nothing, "")]
    counts = {name: sum(len(y) for _, y in some) for name, some in kept.items()}
    weight = np.concatenate([np.full(len(y), wanted[name] / counts[name] if len(y) else 0.0) for _, y, name in parts])
    x, y = np.concatenate([x for x, _, _ in parts]), np.concatenate([y for _, y, _ in parts])
    return x, y, weight / weight.mean() if len(weight) else weight
