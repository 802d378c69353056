"""Sums that add: how often a claim was right, per day, overpass and stratum.

A tally is the only thing validation keeps of two records. It is made a block at a time, and tallies of days, tiles or
dask chunks add up to the tally of the whole, whichever way the whole was cut. Scores (`frostline.scores`) are
functions of these sums alone.

A claim is a probability of frozen in [0, 1], the truth is 0 (thawed), 1 (frozen) or NaN (unknown). The claimed class
is frozen where the probability exceeds 0.5. A claim of exactly 0.5 is a **tie**: it is counted in `ties`, and goes
into the table by halves (half frozen, half thawed). Dropping ties instead would take out of a climatology the very
cells it knows least about, and would end the common sample of two products.
"""

from collections.abc import Iterator, Mapping

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from frostline.errors import InputError

TABLE = ("true_frozen", "false_frozen", "true_thawed", "false_thawed")
SUMS = (*TABLE, "ties", "unknown", "squared_error", "n")
_BLOCK_VALUES = 1 << 20  # values worked on at once: eight MiB an indicator, whatever the record's length


def tally(
    claim: xr.DataArray,
    truth: xr.DataArray,
    *,
    weights: ArrayLike | None = None,
    strata: Mapping[str, ArrayLike] | None = None,
) -> xr.Dataset:
    """Sums of one claim against one truth, on dims (time, overpass, stratum), float64.

    `claim` and `truth` share dims (time, overpass, *cells*), where *cells* is (y, x) or (site), with equal time and
    overpass coordinates. `weights` (say the cells' areas) and each mask of `strata` have the shape of *cells*; without
    strata there is one, `all`. Variables:

    - `true_frozen`, `false_frozen`, `true_thawed`, `false_thawed`: the table, named by the claim's class;
    - `ties`: claims of exactly 0.5, which also stand in the table by halves;
    - `unknown`: the truth is known and the claim is NaN;
    - `squared_error`: sum of (claim - truth)^2; its count is the sum of the table;
    - `n`: number of cells compared, never weighted.

    Raises InputError for claims outside [0, 1], truths other than 0, 1, NaN, or coordinates that differ.
    """
    claim, truth = _aligned(claim, truth)
    cells = claim.shape[2:]
    masks = {"all": np.ones(cells, bool)} if strata is None else dict(strata)
    members = np.stack([_over_cells(m, cells, name).astype(np.float64) for name, m in masks.items()], axis=-1)
    members = members.reshape(-1, len(masks))
    area = None if weights is None else _over_cells(weights, cells, "weights").astype(np.float64).reshape(-1, 1)
    weighted = members if area is None else members * area
    sums = {name: np.zeros((*claim.shape[:2], len(masks))) for name in SUMS}
    for days, c, t in _blocks(claim, truth):
        flat = (c.shape[0] * c.shape[1], -1)
        for name, values in _indicators(c, t).items():
            by = members if name == "n" else weighted
            sums[name][days] = (values.astype(np.float64).reshape(flat) @ by).reshape(*c.shape[:2], -1)
    return xr.Dataset(
        {name: (("time", "overpass", "stratum"), values) for name, values in sums.items()},
        coords={"time": claim.time, "overpass": claim.overpass, "stratum": list(masks)},
    )


def tally_cells(claim: xr.DataArray, truth: xr.DataArray) -> xr.Dataset:
    """The same sums of every cell over all days, on dims (overpass, *cells*): for maps, and to resample stations."""
    claim, truth = _aligned(claim, truth)
    sums = {name: np.zeros(claim.shape[1:]) for name in SUMS}
    for _, c, t in _blocks(claim, truth):
        for name, values in _indicators(c, t).items():
            sums[name] += values.sum(axis=0, dtype=np.float64)
    dims = claim.dims[1:]
    kept = {name: c for name, c in claim.coords.items() if "time" not in c.dims}
    return xr.Dataset({name: (dims, values) for name, values in sums.items()}, coords=kept)


def add(first: xr.Dataset, *others: xr.Dataset) -> xr.Dataset:
    """The tally of both: sums of shared (day, overpass, stratum) add, others are taken over as they are.

    Plain `a + b` does the same where the coordinates are equal; where they are not, xarray would keep the days
    common to both only.
    """
    whole = first
    for other in others:
        left, right = xr.align(whole, other, join="outer", fill_value=0.0)
        whole = left + right
    return whole


def with_days(daily: xr.Dataset) -> xr.Dataset:
    """A daily tally with the sums that the mean-of-days accuracy needs, to be summed over time.

    Adds `day_accuracy` (that day's share correct, 0 where nothing was compared) and `days` (1 where something was
    compared, otherwise 0). Shares of half a day's cells do not add: give whole days, after every tile was added.
    """
    compared = daily[list(TABLE)].to_dataarray().sum("variable")
    right = daily["true_frozen"] + daily["true_thawed"]
    known = compared > 0
    return daily.assign(day_accuracy=(right / compared).where(known, 0.0), days=known.astype(np.float64))


def _indicators(c: NDArray[np.float32], t: NDArray[np.float32]) -> dict[str, NDArray]:
    """Each cell's part in each sum; a NaN in either makes every part 0 but `unknown`."""
    said, known = ~np.isnan(c), ~np.isnan(t)
    both = said & known
    tie = both & (c == 0.5)
    frozen = (both & (c > 0.5)) + 0.5 * tie
    thawed = (both & (c < 0.5)) + 0.5 * tie
    is_frozen = t == 1
    error = np.where(both, c.astype(np.float64) - t, 0.0)
    return {
        "true_frozen": np.where(is_frozen, frozen, 0.0),
        "false_frozen": np.where(is_frozen, 0.0, frozen),
        "true_thawed": np.where(is_frozen, 0.0, thawed),
        "false_thawed": np.where(is_frozen, thawed, 0.0),
        "ties": tie,
        "unknown": known & ~said,
        "squared_error": error * error,
        "n": both,
    }


def _blocks(claim: xr.DataArray, truth: xr.DataArray) -> Iterator[tuple[slice, NDArray, NDArray]]:
    """Slices of time with both arrays' checked values; lazy arrays are computed a block at a time."""
    per_day = max(1, int(np.prod(claim.shape[1:])))
    step = max(1, _BLOCK_VALUES // per_day)
    for begin in range(0, claim.shape[0], step):
        days = slice(begin, begin + step)
        c, t = np.asarray(claim[days].values), np.asarray(truth[days].values)
        if np.any((c < 0) | (c > 1)):
            raise InputError(
                "E-INPUT-SCHEMA",
                where=_name(claim, "claim"),
                cause="a claimed probability of frozen lies outside [0, 1]",
                remedy="turn codes and fills into probabilities and NaN when reading",
            )
        if np.any((t != 0) & (t != 1) & ~np.isnan(t)):
            raise InputError(
                "E-INPUT-SCHEMA",
                where=_name(truth, "truth"),
                cause="a truth is neither 0 (thawed), 1 (frozen) nor NaN",
                remedy="compare with classes, not with probabilities",
            )
        yield days, c, t


def _aligned(claim: xr.DataArray, truth: xr.DataArray) -> tuple[xr.DataArray, xr.DataArray]:
    """Both as (time, overpass, *cells*) in the claim's order of cells, or an InputError."""
    claim = claim.transpose("time", "overpass", ...)
    if set(claim.dims) != set(truth.dims):
        raise _differ(claim, truth, f"dims {claim.dims} and {truth.dims}")
    truth = truth.transpose(*claim.dims)
    for dim in claim.dims:
        if claim.sizes[dim] != truth.sizes[dim]:
            raise _differ(claim, truth, f"{claim.sizes[dim]} and {truth.sizes[dim]} along {dim}")
        # x and y are left out: where cells lie is the grid's knowledge, and validate.match asks it
        if dim not in ("y", "x") and not np.array_equal(claim[dim], truth[dim]):
            raise _differ(claim, truth, f"other values of {dim}")
    return claim, truth


def _over_cells(values: ArrayLike, cells: tuple[int, ...], name: str) -> NDArray:
    array = np.asarray(values)
    if array.shape != cells:
        raise InputError(
            "E-INPUT-SCHEMA",
            where=name,
            cause=f"has shape {array.shape}, the cells have {cells}",
            remedy="give one value per cell",
        )
    return array


def _differ(claim: xr.DataArray, truth: xr.DataArray, how: str) -> InputError:
    return InputError(
        "E-INPUT-SCHEMA",
        where=f"{_name(claim, 'claim')}, {_name(truth, 'truth')}",
        cause=f"cannot be compared cell by cell: {how}",
        remedy="bring both to common days, overpasses and cells (frostline.validate.match)",
    )


def _name(array: xr.DataArray, otherwise: str) -> str:
    return str(array.name or otherwise)
