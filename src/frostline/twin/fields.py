"""Random and smoothed fields: the raw cloth from which ground, weather and errors are cut."""

from __future__ import annotations

import functools

import numpy as np
from scipy import ndimage

FWHM_PER_SIGMA = 2.0 * np.sqrt(2.0 * np.log(2.0))
_KEPT_VARIANCE = 1e-7  # eigenvalues below this share of the largest are white-noise dust


@functools.lru_cache(maxsize=64)
def _root(n: int, length: float) -> np.ndarray:
    """(n, rank) square root A of the 1-D covariance exp(-(d/length)^2), so that A A' has a unit diagonal."""
    if length < 0.2:
        return np.eye(n)
    i = np.arange(n)
    value, vector = np.linalg.eigh(np.exp(-(((i[:, None] - i[None, :]) / length) ** 2)))
    keep = value > _KEPT_VARIANCE * value[-1]
    root = vector[:, keep] * np.sqrt(value[keep])
    # the sign of an eigenvector is the library's whim, not ours: positive along a direction without symmetry, as the
    # sum of one that is odd about the middle is rounding alone
    root *= np.sign(np.cos((1.0 + np.arange(n)) ** 2) @ root)
    root /= np.sqrt((root**2).sum(1, keepdims=True))
    root.setflags(write=False)
    return root


def gaussian_field(rng: np.random.Generator, shape: tuple[int, int], length: float, n: int = 1) -> np.ndarray:
    """`n` independent Gaussian fields of unit variance with correlation exp(-(distance/length)^2).

    shape (rows, columns) may be any rectangle; length is in cells. Returns float32 (n, rows, columns).
    A Gaussian correlation is the product of one along the rows and one along the columns, so the field is
    A_rows Z A_columns' with white Z: exact, no torus, hence no correlation between opposite edges, and
    cheap for smooth fields, whose roots A have few columns.

    >>> gaussian_field(np.random.default_rng(0), (4, 6), 2.0, n=3).shape
    (3, 4, 6)
    """
    rows, columns = (_root(m, round(float(length), 4)) for m in shape)
    white = rng.standard_normal((n, rows.shape[1], columns.shape[1]))
    return (rows @ white @ columns.T).astype(np.float32)


def power_law_field(rng: np.random.Generator, shape: tuple[int, int], hurst: float) -> np.ndarray:
    """One self-affine field, spectrum k^-(2 hurst + 2), float32 (rows, columns), zero mean and unit variance.

    Made on a torus of twice the size, of which one corner is kept: opposite edges do not match.
    """
    rows, columns = (2 * m for m in shape)
    k = np.hypot(np.fft.fftfreq(rows)[:, None], np.fft.rfftfreq(columns)[None, :])
    k[0, 0] = 1.0
    amplitude = k ** -(hurst + 1.0)
    amplitude[0, 0] = 0.0
    torus = np.fft.irfft2(np.fft.rfft2(rng.standard_normal((rows, columns))) * amplitude, s=(rows, columns))
    corner = torus[: shape[0], : shape[1]]
    corner = corner - corner.mean()
    return (corner / max(float(corner.std()), 1e-12)).astype(np.float32)


def smooth(a: np.ndarray, fwhm: float) -> np.ndarray:
    """Gaussian smoothing of the last two axes, full width at half maximum in cells, edges reflected."""
    if fwhm < 0.3:  # narrower than the sampling can carry
        return a
    sigma = fwhm / FWHM_PER_SIGMA
    return ndimage.gaussian_filter(a, (0.0,) * (a.ndim - 2) + (sigma, sigma), mode="reflect", truncate=3.0)
