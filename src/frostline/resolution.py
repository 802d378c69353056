"""What a record resolves, of its own spectra: from which wavelength on its fields are smoother than they go on to be.

Fields of the ground follow a power law over a wide range of scales; what a footprint, a regridding or a network blurs
lies below that law from some wavelength on. Where it lies below by half is the effective resolution (Skamarock 2004,
section 4; he judged it by eye). Here the law and the fall are fitted together, so nothing is chosen by eye and no finer
reference is needed. Blur that only steepens the law at all scales is not seen: take the figure as a lower bound.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

Array = np.ndarray
SIDES = (64, 48, 32)  # of the squares that spectra are taken of, cells; the largest that fits
KNOWN = 0.98  # share of a square that must be known on a day; the rest is filled with its mean
LEAST_VARIANCE = 0.01  # of a square on a day: where all is frozen or thawed there is nothing to resolve
LEAST_SPECTRA = 20  # with fewer the fit follows chance
FIRST = 2  # wavenumbers below are of the window, not of the field
LEAST_RANGE = 5  # wavenumbers after the first that a fit of three numbers needs
STEEPEST = 5.0  # of a law; a Hann window leaks like k^-6
BEYOND = 1.3  # how far past the half the fit goes
MOST_SQUARES = 16  # of a hemisphere's hundreds, spread over it
LOOKED_AT = 32  # days that tell whether a record is one of classes
_BLOCK_VALUES = 1 << 22
FWHM = float(np.sqrt(8 * np.log(2)))  # of a Gaussian, in standard deviations
_CLASSES = 0.98  # share of values that are 0 or 1, from which on a record is one of classes


class Resolution(NamedTuple):
    """Wavelength at half of the law, cells, and how wide a Gaussian blurs so, full width at half maximum, cells.

    `at_limit`: no fall was found above twice the posting, which is then given.
    """

    wavelength: float
    footprint: float
    at_limit: bool


def spectra(record: xr.Dataset, *, land: ArrayLike) -> tuple[Array, Array, int]:
    """Radial power spectra of each day, summed over overpasses and squares: (days, wavenumbers), counts (days,), side.

    Up to MOST_SQUARES squares of `side` cells, half overlapping, whose cells are `land` (y, x) and known; a plane is
    taken off and a Hann window put on. Wavenumber k is k waves a side, from 0. Each spectrum is divided by its
    variance, so that a day of half-frozen land counts like one with a patch. Side 0 (and no wavenumbers) where no
    square fits. Read in blocks of days.
    """
    soil = np.asarray(land, bool)
    side, corners = _squares(soil)
    frozen = record["frozen"].transpose("time", "overpass", "y", "x")
    counts = np.zeros(frozen.sizes["time"])
    total = np.zeros((frozen.sizes["time"], side // 2 + 1 if side else 0))
    if not side:
        return total, counts, 0
    window, ring = _hann(side), _rings(side)
    size = np.bincount(ring.ravel())
    plane = _plane(side)
    step = max(1, _BLOCK_VALUES // int(np.prod(frozen.shape[1:])))
    for begin in range(0, len(counts), step):
        block = frozen[begin : begin + step].values
        for day, _, field in _fields(block, corners, side):
            flat = field - (plane @ (plane.T @ field.ravel())).reshape(field.shape)
            power = np.abs(np.fft.fft2(flat * window)) ** 2
            radial = np.bincount(ring.ravel(), power.ravel(), len(size)) / size
            total[begin + day] += radial[: total.shape[1]] / field.var()
            counts[begin + day] += 1
    return total, counts, side


def fitted(spectrum: ArrayLike, side: int) -> Resolution | None:
    """The wavelength at which a radial spectrum (wavenumbers,) falls to half of its own power law; None if unfit.

    Fitted by least squares, each wavenumber weighed by the modes in it: log P = a - b log k - c k^2, a power law times
    the fall of a Gaussian blur; half is at k = sqrt(log 2 / c). The fit takes wavenumbers up to BEYOND times that (the
    first range that is as long): further down a blur with sharp edges is no Gaussian, and what leaks through the window
    is larger than what is left. With s = side / (2 pi) sqrt(c) the blur's standard deviation, cells, the wavelength is
    2 pi s / sqrt(log 2) = 7.55 s. `at_limit` where no range ends so; None where the fall begins with
    the first waves, or the law is as steep as what leaks through the window: then the squares are too small.

    >>> k = np.arange(33.0)
    >>> k[0] = np.nan
    >>> found = fitted(k**-3 * np.exp(-((2 * np.pi * 1.5 * k / 64) ** 2)), 64)  # a Gaussian of 1.5 cells
    >>> round(found.wavelength, 2), round(found.footprint, 2), found.at_limit
    (11.32, 3.53, False)
    """
    p = np.asarray(spectrum, float)
    k = np.arange(len(p), dtype=float)
    chosen = (k >= FIRST) & (p > 0)
    for last in range(FIRST + LEAST_RANGE, side // 2 + 1):
        use = chosen & (k <= last)
        weight = np.sqrt(k[use])
        basis = np.stack([np.ones(use.sum()), -np.log(k[use]), -(k[use] ** 2)], axis=1)
        _, slope, c = np.linalg.lstsq(basis * weight[:, None], np.log(p[use]) * weight, rcond=None)[0].tolist()
        half = float(np.sqrt(np.log(2) / c)) if c > 0 else np.inf
        if last >= BEYOND * half:
            wavelength = side / half
            return Resolution(wavelength, wavelength / _wavelength_of_fwhm(), False) if half > FIRST + 1 else None
    return Resolution(2.0, 2.0 / _wavelength_of_fwhm(), True) if slope < STEEPEST else None


def of_classes(record: xr.Dataset) -> bool:
    """Whether a record's known values are nearly all 0 or 1 (of LOOKED_AT days): no blur is in it."""
    days = np.unique(np.linspace(0, record.sizes["time"] - 1, LOOKED_AT).round().astype(int))
    values = record["frozen"].isel(time=days).values
    known = values[np.isfinite(values)]
    return known.size == 0 or float(((known == 0) | (known == 1)).mean()) >= _CLASSES


def text(found: Resolution, ends: tuple[float, float], *, step: float, level: float, spectra: int) -> str:
    """The figure in words, for a record's attributes; `step` is the posting in km.

    >>> text(Resolution(10.0, 3.1, False), (9.0, 11.5), step=9.0, level=0.95, spectra=420)[:92]
    '90 km [81, 104] (95 % over days): wavelength at which the spectrum of the probability falls '
    """
    if found.at_limit:
        return f"not coarser than {2 * step:.0f} km, twice the posting, by the record's own spectrum ({spectra} fields)"
    low, high = (f"{step * v:.0f}" for v in ends)
    return (
        f"{step * found.wavelength:.0f} km [{low}, {high}] ({100 * level:g} % over days): wavelength at which the "
        f"spectrum of the probability falls to half of its power law (Skamarock 2004), as by a footprint of "
        f"{step * found.footprint:.0f} km full width at half maximum; {spectra} fields"
    )


def _wavelength_of_fwhm() -> float:
    """Wavelength at half power over the full width at half maximum of a Gaussian blur: 3.2."""
    return float(2 * np.pi / np.sqrt(np.log(2)) / FWHM)


def _squares(soil: Array) -> tuple[int, list[tuple[int, int]]]:
    """Side and corners of squares that are soil (but for 1 - KNOWN), half overlapping, of the first side that fits."""
    sums = np.pad(soil.astype(float), ((1, 0), (1, 0))).cumsum(axis=0).cumsum(axis=1)
    for side in SIDES:
        if min(soil.shape) < side:
            continue
        inside = sums[side:, side:] - sums[:-side, side:] - sums[side:, :-side] + sums[:-side, :-side]
        fits = inside >= KNOWN * side * side
        corners: list[tuple[int, int]] = []
        free = np.ones(fits.shape, bool)
        for row, col in zip(*np.nonzero(fits), strict=True):  # row by row: each stays half a side from those before
            if free[row, col]:
                corners.append((int(row), int(col)))
                near = [slice(max(at - side // 2 + 1, 0), at + side // 2) for at in (row, col)]
                free[near[0], near[1]] = False
        if corners:
            every = np.unique(np.linspace(0, len(corners) - 1, MOST_SQUARES).round().astype(int))
            return side, [corners[i] for i in every]
    return 0, []


def _fields(block: Array, corners: list[tuple[int, int]], side: int) -> Iterator[tuple[int, int, Array]]:
    """(day, overpass, square) of a block (days, overpasses, y, x) that is known and not all of one state."""
    for row, col in corners:
        part = block[:, :, row : row + side, col : col + side]
        known = np.isfinite(part)
        share = known.mean(axis=(2, 3))
        for day, code in zip(*np.nonzero(share >= KNOWN), strict=True):
            field = part[day, code].astype(float)
            field = np.where(known[day, code], field, field[known[day, code]].mean())
            if field.var() >= LEAST_VARIANCE:
                yield int(day), int(code), field


def _hann(side: int) -> Array:
    one = 0.5 - 0.5 * np.cos(2 * np.pi * (np.arange(side) + 0.5) / side)
    return np.outer(one, one)


def _rings(side: int) -> Array:
    """Wavenumber of each mode, rounded to whole waves a side, (side, side)."""
    k = np.fft.fftfreq(side, 1 / side)
    return np.hypot(k[:, None], k[None]).round().astype(int)


def _plane(side: int) -> Array:
    """An orthonormal basis (cells, 3) of planes."""
    y, x = np.mgrid[:side, :side]
    return np.linalg.qr(np.stack([np.ones(side * side), y.ravel(), x.ravel()], axis=1))[0]
