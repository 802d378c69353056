"""Records that err by order: a truth flipped with exact sensitivities, specificities and correlation of errors."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr
from scipy.special import ndtr, ndtri
from scipy.stats import multivariate_normal

from frostline.grid import Grid
from frostline.schema import record
from frostline.twin.fields import gaussian_field
from frostline.twin.weather import date_key, keyed

_COMMON, _OWN = 41, 42  # streams of random numbers


def inject(
    truth: xr.Dataset,
    psi: Mapping[str, float],
    eta: Mapping[str, float],
    *,
    common: float = 0.0,
    persistence: float = 0.0,
    length: float,
    seed: int,
) -> dict[str, xr.Dataset]:
    """Records by name whose chance of frozen is `psi` where `truth` is frozen, and of thawed `eta` where it is thawed.

    `truth` is a record of 0, 1 and NaN (which stays NaN). A product errs where its Gaussian field falls below the
    quantile of 1 - psi (or 1 - eta): a Gaussian copula, so the chances are exact whatever the correlations. Of each
    field's variance the share `common` (0 to 1) is one field that all products have; at 0 their errors are independent
    given the truth. `persistence` (0 to below 1) is kept from day to day, `length` (cells) is the fields' correlation
    length; below .2 every cell is on its own. Overpasses err apart.

    algorithms 4.3 (`error_injector`). `error_correlation` tells what two products' errors then share.
    """
    if psi.keys() != eta.keys():
        raise ValueError(f"psi is of {list(psi)}, eta of {list(eta)}")
    if not (0 <= common <= 1 and 0 <= persistence < 1):
        raise ValueError(f"common {common} must be within 0..1, persistence {persistence} within 0..1, 1 left out")
    grid = Grid.of(truth)
    state = truth["frozen"].transpose("time", "overpass", "y", "x")
    times, codes = state["time"].values, state["overpass"].values
    values = state.values
    said = {name: np.empty(values.shape, np.float32) for name in psi}
    shares = np.sqrt(common), np.sqrt(1.0 - common)
    shared = own = np.empty(0)
    for t, date in enumerate(times):
        key = date_key(date)
        fresh = gaussian_field(keyed(seed, _COMMON, key), grid.shape, length, len(codes))
        fresh_own = gaussian_field(keyed(seed, _OWN, key), grid.shape, length, len(psi) * len(codes))
        if t == 0 or persistence == 0:
            shared, own = fresh, fresh_own
        else:
            kept = persistence ** float((date - times[t - 1]) / np.timedelta64(1, "D"))
            shared = kept * shared + np.sqrt(1 - kept**2) * fresh
            own = kept * own + np.sqrt(1 - kept**2) * fresh_own
        for i, name in enumerate(psi):
            error = shares[0] * shared + shares[1] * own[i * len(codes) : (i + 1) * len(codes)]
            limit = np.where(values[t] == 1, ndtri(1 - psi[name]), ndtri(1 - eta[name]))
            said[name][t] = np.where(np.isnan(values[t]), np.nan, (values[t] == 1) ^ (error < limit))
    return {
        name: record(
            frozen,
            grid=grid,
            time=times,
            overpass=codes,
            attrs={"source": f"truth flipped: psi {psi[name]:g}, eta {eta[name]:g}, common {common:g}"},
        )
        for name, frozen in said.items()
    }


def error_correlation(first: float, second: float, *, common: float) -> float:
    """Correlation of two products' flips where the truth is in one class, right with these chances (psi or eta).

    The copula's share is `common`; P(both err) is the bivariate normal's, so half-right products share
    2 arcsin(common) / pi.

    >>> round(error_correlation(0.5, 0.5, common=0.5), 6)
    0.333333
    """
    limits = ndtri([1 - first, 1 - second])
    wrong = ndtr(limits)
    both = multivariate_normal.cdf(limits, cov=[[1.0, common], [common, 1.0]], allow_singular=True)
    return float((both - wrong.prod()) / np.sqrt((wrong * (1 - wrong)).prod()))
