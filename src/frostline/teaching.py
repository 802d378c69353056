"""What a soil temperature teaches: frozen or thawed, the chance of frost, the share of ice, or nothing near 0 degC.

States (`labels.state`) judge and choose; these only teach, so how a net learns never moves what it is measured by.
"""

from __future__ import annotations

from math import log
from typing import Any

import numpy as np
from scipy.special import ndtr

from frostline.errors import ConfigError

Array = np.ndarray
Curve = tuple[float, float]  # freezing point, K, and slope, 1/K


def teaching(
    temperature: Any, *, threshold: float, soft: float = 0.0, band: float = 0.0, freezing: Curve | None = None
) -> Array:
    """Labels in [0, 1], 1 = frozen, NaN = does not teach; float32 of the shape of `temperature` (K, NaN unknown).

    Hard by default: 1 below `threshold`, 0 from there on. With `soft` (K), the temperature's error as a standard
    deviation, the chance that the soil is below the threshold; with a `freezing` curve the share of ice. Within `band`
    (K) of the temperature at which the label turns (`turning_point`), the ends included, it is NaN.

    By hand, threshold 273.15: soft 2 at 271.15 is Phi(1) = .8413, at 274.15 Phi(-.5) = .3085.

    >>> [round(float(p), 4) for p in teaching([271.15, 273.15, 274.15, np.nan], threshold=273.15, soft=2.0)]
    [0.8413, 0.5, 0.3085, nan]
    >>> teaching([272.0, 273.0, 273.15, 273.7], threshold=273.15, band=0.5).tolist()
    [1.0, nan, nan, 0.0]
    """
    if soft and freezing is not None:
        cause = "soft and freezing are two answers to one question"
        raise ConfigError("E-CONFIG", where="labels", cause=cause, remedy="take one of them out")
    kelvin = np.asarray(temperature, np.float32)
    if freezing is not None:
        label = ice_share(kelvin, *freezing)
    elif soft:
        label = ndtr((np.float32(threshold) - kelvin) / np.float32(soft))
    else:
        label = (kelvin < np.float32(threshold)).astype(np.float32)
    middle = np.float32(turning_point(threshold, freezing))
    silent = np.isnan(kelvin) | ((np.abs(kelvin - middle) <= np.float32(band)) & (band > 0))
    return np.where(silent, np.float32(np.nan), label).astype(np.float32)


def ice_share(temperature: Any, freezing_point: float, slope: float) -> Array:
    """Share of the freezable water that is ice, float32: 1 - exp(slope (T - T_f)) below the freezing point T_f, else 0.

    The exponential freezing characteristic (Salmabadi et al. 2026, The Cryosphere 20, 1635), which states what may
    freeze apart from what never does, so that the share runs from 0 to 1 whatever the soil holds. By hand, T_f
    272.85 K and slope 2 per K: at 271.85 K 1 - exp(-2) = .8647; half is ice at 272.85 - ln 2 / 2 = 272.5034 K.

    >>> [round(float(share), 3) for share in ice_share([271.85, 272.5034, 272.85, 280.0], 272.85, 2.0)]
    [0.865, 0.5, 0.0, 0.0]
    """
    below = np.minimum(np.asarray(temperature, np.float32) - np.float32(freezing_point), np.float32(0.0))
    return np.abs(np.expm1(np.float32(slope) * below))  # no -0


def turning_point(threshold: float, freezing: Curve | None = None) -> float:
    """The temperature at which a label is one half: the threshold, or that of half the ice, T_f - ln 2 / slope; K.

    >>> turning_point(273.15), round(turning_point(273.15, (272.85, 2.0)), 4)
    (273.15, 272.5034)
    """
    return threshold if freezing is None else freezing[0] - log(2.0) / freezing[1]
