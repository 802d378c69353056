"""How soil, ice and snow answer a microwave: permittivities, snow's losses, and the mirror between two media.

Arrays of any shape broadcast; the result keeps the inputs' precision (float32 in, float32 out). Complex
numbers are carried as two real ones, which is about five times as fast.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

Array = Any  # a float, or an array of floats

LIGHT = 2.99792458e8  # m/s
VACUUM = 8.854e-12  # F/m, to the digits with which the coefficients are used
MELTING = 273.15  # K
HIGH_FREQUENCY_WATER = 4.9  # permittivity of water far above its relaxation (Mironov et al. 2009, after Ulaby)
FREE_WATER_STATIC = 100.0  # Mironov, Kosolapova and Fomin 2009, IEEE TGRS 47(7):2059: free water
FREE_WATER_RELAXATION = 8.5e-12  # s, as above
ICE_INDEX = 1.775  # refractive index of ice, sqrt(3.15); our ice term, as in CRTM's (eps_ice^a - 1) ice
ICE_ATTENUATION = 1e-4  # imaginary part beside ICE_INDEX; ours, small against the soil's own
GRAIN_LIMIT = 10e9  # Hz: the extinction law was fitted at 18-90 GHz; far below, grains do not scatter
WET = 0.1  # vol %: from here water round the grains damps their scattering (ours)
WET_SCATTERING = 0.1  # share of the dry pack's scattering left in a wet one (ours)
DECIBEL = 4.343  # dB per neper of power, 10 / ln 10


@dataclass(frozen=True, eq=False)
class SoilIndex:
    """What a soil of known clay adds to the refractive index: matrix, bound water (to `capacity`), free water.

    Each is n + ik; the water's are n and k per volume share, less the air they replace.
    """

    matrix: tuple[Array, Array]
    bound: tuple[Array, Array]
    free: tuple[Array, Array]
    capacity: Array


def water_index(frequency: float, static: Array, relaxation: Array, conductivity: Array) -> tuple[Array, Array]:
    """Refractive index (n, k) of Debye water with a conductivity term.

    `frequency` Hz, `static` permittivity, `relaxation` s, `conductivity` S/m.
    Source: Mironov et al. 2009, Debye relaxation of each kind of soil water.
    """
    omega = 2 * np.pi * frequency
    turn = omega * relaxation
    step = (static - HIGH_FREQUENCY_WATER) / (1 + turn * turn)
    return root(HIGH_FREQUENCY_WATER + step, step * turn + conductivity / (omega * VACUUM))


def root(real: Array, imaginary: Array) -> tuple[Array, Array]:
    """Real and imaginary part of the square root, in the first quadrant, of a number with imaginary part >= 0.

    The real part must be positive: then the second line loses no digits.

    >>> root(3.0, 4.0)
    (np.float64(2.0), np.float64(1.0))
    """
    n = np.sqrt((np.sqrt(real * real + imaginary * imaginary) + real) / 2)
    return n, imaginary / (2 * n)


def soil_index(frequency: float, clay: Array) -> SoilIndex:
    """The part of a soil's refractive index that clay (share, 0..1) and frequency (Hz) fix once for all.

    Source: Mironov et al. 2009, spectroscopic parameters as polynomials of clay.
    """
    bound = water_index(
        frequency,
        79.8 - 85.4 * clay + 32.7 * clay * clay,
        1.062e-11 + 3.45e-12 * clay,
        0.3112 + 0.467 * clay,
    )
    free = water_index(frequency, FREE_WATER_STATIC, FREE_WATER_RELAXATION, 0.3631 + 1.217 * clay)
    return SoilIndex(
        matrix=(1.634 - 0.539 * clay + 0.2748 * clay * clay, 0.03952 - 0.04038 * clay),
        bound=(bound[0] - 1, bound[1]),
        free=(free[0] - 1, free[1]),
        capacity=0.02863 + 0.30673 * clay,
    )


def soil_permittivity(index: SoilIndex, liquid: Array, ice: Array) -> tuple[Array, Array]:
    """Permittivity (real, imaginary) of soil holding `liquid` water and `ice`, m3/m3.

    Refractive mixing: the indices add by volume; liquid fills the bound layer first. Ice adds as a third
    inclusion (ours). Nominal to about 26 GHz; at 36.5 GHz extrapolated.
    Source: Mironov et al. 2009, generalised refractive mixing model.
    """
    bound = np.minimum(liquid, index.capacity)
    free = liquid - bound
    n = index.matrix[0] + index.bound[0] * bound + index.free[0] * free + (ICE_INDEX - 1) * ice
    k = index.matrix[1] + index.bound[1] * bound + index.free[1] * free + ICE_ATTENUATION * ice
    return n * n - k * k, 2 * n * k


def ice_loss(frequency: float, temperature: Array) -> Array:
    """Imaginary permittivity of pure ice at `temperature` K.

    Source: Maetzler 2006, "Thermal Microwave Radiation: Applications for Remote Sensing", alpha/f + beta f.
    """
    ghz = frequency / 1e9
    theta = 300 / temperature - 1
    alpha = (0.00504 + 0.0062 * theta) * np.exp(-22.1 * theta)
    growth = np.exp(335 / temperature)
    beta = 0.0207 / temperature * growth / (growth - 1) ** 2 + 1.16e-11 * ghz**2
    beta = beta + np.exp(-9.963 + 0.0372 * (temperature - 273.16))
    return alpha / ghz + beta * ghz


def snow_permittivity(frequency: float, density: Array, wetness: Array, temperature: Array) -> tuple[Array, Array]:
    """Permittivity (real, imaginary) of snow: `density` g/cm3, `wetness` vol %, `temperature` K (<= 273.15).

    Source: dry part Tiuri et al. 1984, IEEE JOE 9(5):377; water Hallikainen et al. 1986, IEEE TAP 34(11):1329,
    the modified Debye-like model with relaxation at 9.07 GHz.
    """
    x = frequency / 9.07e9
    water = 0.073 * np.maximum(wetness, 0) ** 1.31 / (1 + x * x)
    dry = 1 + 1.7 * density + 0.7 * density * density
    loss = ice_loss(frequency, temperature) * (0.52 * density + 0.62 * density * density)
    return dry + water, loss + x * water


def snow_extinction(
    frequency: float, permittivity: tuple[Array, Array], wetness: Array, grain: Array
) -> tuple[Array, Array]:
    """Absorption and scattering of snow, 1/m of power; `grain` diameter in mm, `wetness` vol %.

    Absorption 2 k0 n'' of the permittivity; scattering .0018 f^2.8 d^2 dB/m (GHz, mm), the extinction law of
    the HUT model taken as scattering since absorption is small where it holds.
    Source: Hallikainen et al. 1987, IEEE TGRS 25(6):737; Pulliainen et al. 1999, IEEE TGRS 37(3):1378.
    """
    real, imaginary = permittivity
    absorption = 2 * (2 * np.pi * frequency / LIGHT) * imaginary / (2 * np.sqrt(real))
    if frequency < GRAIN_LIMIT:
        return absorption, np.zeros_like(absorption)
    scattering = (0.0018 * (frequency / 1e9) ** 2.8 / DECIBEL) * grain * grain
    return absorption, np.where(np.asarray(wetness) > WET, WET_SCATTERING, 1.0).astype(_kind(scattering)) * scattering


def snell(cosine: Array, above: Array, below: Array) -> Array:
    """Cosine of the angle from the vertical in the medium below; both permittivities real.

    >>> float(round(snell(0.5, 1.0, 3.0), 12))  # 60 degrees from air into eps 3 (n = sqrt 3): 30 degrees
    0.866025403784
    """
    return np.sqrt(1 - above / below * (1 - cosine * cosine))


def fresnel(cosine: Array, above: Array, real: Array, imaginary: Array) -> tuple[Array, Array]:
    """Power reflectivities (vertical, horizontal) of a flat face, seen from the medium `above` (real permittivity).

    `cosine` of the angle in the medium above; `real`, `imaginary` permittivity below.
    Source: Fresnel's equations (Ulaby, Moore and Fung 1981), written in real numbers.
    """
    vertical = np.sqrt(above) * cosine  # wave numbers across the face over the vacuum's
    p, q = root(real - above * (1 - cosine * cosine), imaginary)
    horizontal = ((vertical - p) ** 2 + q * q) / ((vertical + p) ** 2 + q * q)
    a, b = real * vertical, imaginary * vertical
    c, d = above * p, above * q
    return ((a - c) ** 2 + (b - d) ** 2) / ((a + c) ** 2 + (b + d) ** 2), horizontal


def _kind(values: Array) -> np.dtype:
    return np.asarray(values).dtype
