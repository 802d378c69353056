"""Mean and spread of each predictor, from the training days and the training area only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from frostline.errors import InputError

BLOCK_BYTES = 32 << 20  # of one variable at a time: bounds memory, amortises the reading of chunks


@dataclass(frozen=True)
class Scaler:
    """Mean and spread (standard deviation) by variable, in the variables' own units."""

    mean: Mapping[str, float]
    spread: Mapping[str, float]

    def __post_init__(self) -> None:
        for name, spread in self.spread.items():
            if name not in self.mean or not np.isfinite([spread, self.mean[name]]).all() or spread <= 0:
                raise InputError(
                    "E-INPUT-CORRUPT",
                    where=name,
                    cause=f"mean {self.mean.get(name)} and spread {spread} cannot scale anything",
                    remedy="leave out a predictor that is constant over the training days and area",
                )

    def of(self, name: str) -> tuple[float, float]:
        """Mean and spread of a variable; an unknown name is an error."""
        if name not in self.mean:
            raise InputError(
                "E-INPUT-MISSING",
                where=name,
                cause="the scaler has no statistics of this variable",
                remedy=f"it knows {sorted(self.mean)}; train again with this input",
            )
        return self.mean[name], self.spread[name]

    def __call__(self, name: str, values: np.ndarray) -> np.ndarray:
        """(values - mean) / spread as float32; NaN stays NaN; an unknown name is an error."""
        mean, spread = self.of(name)
        return ((values - np.float32(mean)) / np.float32(spread)).astype("float32", copy=False)


def fit(stack: xr.Dataset, names: Sequence[str], *, days: np.ndarray, area: np.ndarray) -> Scaler:
    """Scaler of `names` over the days (time,) and cells (y, x) that are true; NaN is left out.

    Sums are merged block by block (Chan, Golub & LeVeque 1983), so that memory does not grow with the record.
    The spread is that of the population (divided by n); steps of a variable are taken together. No value at
    all or no spread is an InputError, Inf is E-TRAIN-NAN with the variable and the date.
    """
    mean, spread = {}, {}
    for name in names:
        if name not in stack:
            raise InputError(
                "E-INPUT-MISSING", where=name, cause="the stack lacks this predictor", remedy="assemble it, or drop it"
            )
        n, m, s = 0, 0.0, 0.0  # count, mean, sum of squared deviations
        for index, block in _blocks(stack[name], days):
            values = block[..., area].astype("float64")
            if np.isinf(values).any():
                _stop(stack, name, index[np.isinf(values).reshape(len(values), -1).any(axis=1)])
            values = values[~np.isnan(values)]
            if not values.size:
                continue
            there = float(values.mean())
            gap, both = there - m, n + values.size
            s += float(((values - there) ** 2).sum()) + gap * gap * n * values.size / both
            m, n = m + gap * values.size / both, both
        if n == 0:
            raise InputError(
                "E-INPUT-MISSING",
                where=name,
                cause="no value on any training day inside the training area",
                remedy="check the years, the area and the reader of this variable",
            )
        mean[name], spread[name] = m, float(np.sqrt(s / n))
    return Scaler(mean, spread)


def _stop(stack: xr.Dataset, name: str, index: np.ndarray) -> None:
    static = "time" not in stack[name].dims
    raise InputError(
        "E-TRAIN-NAN",
        where=name if static else f"{name} on {np.datetime64(stack[name]['time'].values[index[0]], 'D')}",
        cause="a value is infinite",
        remedy="see that the reader turns fill values into NaN",
    )


def _blocks(variable: xr.DataArray, days: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The chosen days (their indices, their values) in blocks of bounded size; a static variable as one."""
    if "time" not in variable.dims:
        yield np.zeros(1, "int64"), variable.values[None]
        return
    index = np.flatnonzero(days)
    many = max(1, BLOCK_BYTES * variable.sizes["time"] // (4 * variable.size))
    for start in range(0, len(index), many):
        chosen = index[start : start + many]
        yield chosen, read_days(variable, chosen)


def read_days(variable: xr.DataArray, index: np.ndarray) -> np.ndarray:
    """Days `index` of a variable as (day, overpass, ..., y, x); consecutive days are read as one slice."""
    consecutive = (np.diff(index) == 1).all()
    part = variable.isel(time=slice(int(index[0]), int(index[-1]) + 1) if consecutive else index)
    return part.transpose("time", "overpass", ..., "y", "x").values
