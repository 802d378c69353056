"""One layer of snow per cell: how it falls, melts, refreezes, settles, coarsens and keeps the ground warm."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

FRESH_DENSITY, DRY_DENSITY, WET_DENSITY, TOP_DENSITY = 0.12, 0.32, 0.55, 0.55  # g/cm3
DRY_DAYS, WET_DAYS = 45.0, 8.0  # e-folding times of settling, days
FRESH_GRAIN, TOP_GRAIN = 0.35, 1.6  # mm
RETENTION = 0.06  # liquid water held, share of the ice
ICE_DENSITY = 0.917  # g/cm3
TRACE = 1.0  # mm: a pack below this is no pack
COVER = 2.0  # mm: enough to catch rain


@dataclass(frozen=True)
class Pack:
    """Snow on N cells; arrays (N,) float32."""

    swe: np.ndarray  # ice, mm = kg/m2
    liquid: np.ndarray  # held melt water, mm
    density: np.ndarray  # g/cm3
    grain: np.ndarray  # diameter, mm

    @property
    def depth(self) -> np.ndarray:
        """Snow depth, m."""
        return self.swe / (1000.0 * self.density)

    @property
    def wet(self) -> np.ndarray:
        """True where melt water shows (more than half a percent of the ice)."""
        return self.liquid > 0.005 * self.swe

    @property
    def wetness(self) -> np.ndarray:
        """Liquid water by volume, percent; 0 without a pack."""
        share = self.liquid / (10.0 * np.maximum(self.depth, 0.01))
        return np.where(self.swe > TRACE, share, np.float32(0.0))


def no_snow(n: int) -> Pack:
    """Bare ground on n cells."""
    zero = np.zeros(n, np.float32)
    return Pack(zero, zero, np.full(n, FRESH_DENSITY, np.float32), np.full(n, FRESH_GRAIN, np.float32))


def snow_share(air: np.ndarray) -> np.ndarray:
    """Share of the precipitation that falls as snow: 1 at -0.5 degC, 0 at 1.5 degC, a ramp between."""
    return np.clip((1.5 - air) / 2.0, 0.0, 1.0)


def fall(pack: Pack, snowfall: np.ndarray) -> Pack:
    """Fresh snow (mm) mixed into the layer, density and grain by mass."""
    total = np.maximum(pack.swe + snowfall, 1e-3)
    fresh = snowfall / total
    return replace(
        pack,
        swe=pack.swe + snowfall,
        density=pack.density + (FRESH_DENSITY - pack.density) * fresh,
        grain=pack.grain + (FRESH_GRAIN - pack.grain) * fresh,
    )


def melt(
    pack: Pack, *, air: np.ndarray, warmth: np.ndarray, rain: np.ndarray, rate: np.ndarray, days: float
) -> tuple[Pack, np.ndarray]:
    """Degree-day melt, refreezing, rain caught and water let go.

    warmth: temperature (degC) that drives melt; rate: mm per K and day; rain: mm. Returns the pack and the water
    (mm) that reaches the ground. swe + liquid + outflow = swe + liquid + rain of before, exactly.
    """
    melted = np.minimum(pack.swe, rate * days * np.maximum(warmth, 0.0))
    frozen = np.minimum(pack.liquid, 3.0 * days * np.maximum(-air, 0.0))
    caught = np.where(pack.swe > COVER, 0.6 * rain, np.float32(0.0))
    swe = pack.swe - melted + frozen
    liquid = pack.liquid + melted + caught - frozen
    drained = np.maximum(liquid - RETENTION * swe, 0.0)
    liquid = liquid - drained
    gone = swe < TRACE
    outflow = drained + (rain - caught) + np.where(gone, swe + liquid, np.float32(0.0))
    bare = np.float32(0.0)
    return replace(pack, swe=np.where(gone, bare, swe), liquid=np.where(gone, bare, liquid)), outflow


def settle(pack: Pack, *, air: np.ndarray, ground: np.ndarray, days: float) -> Pack:
    """Densification towards the dry or wet end and grain growth with the temperature gradient (K/m, at most 60)."""
    wet = pack.wet
    pull = np.where(wet, np.float32(days / WET_DAYS), np.float32(days / DRY_DAYS))
    density = pack.density + (np.where(wet, np.float32(WET_DENSITY), np.float32(DRY_DENSITY)) - pack.density) * pull
    gradient = np.clip((ground - air) / np.maximum(pack.depth, 0.05), 0.0, 60.0)
    grain = pack.grain + days * (0.004 + 0.00025 * gradient + np.where(wet, np.float32(0.02), np.float32(0.0)))
    bare = pack.swe < TRACE
    return replace(
        pack,
        density=np.where(bare, np.float32(FRESH_DENSITY), np.minimum(density, TOP_DENSITY)),
        grain=np.where(bare, np.float32(FRESH_GRAIN), np.minimum(grain, TOP_GRAIN)),
    )


def conductivity(density: np.ndarray) -> np.ndarray:
    """Thermal conductivity of snow, W/(m K), density in g/cm3: 2.22 (density/0.917)^1.885 (Yen 1981).

    >>> round(float(conductivity(np.array(0.25))), 4)
    0.1916
    """
    return 2.22 * (density / ICE_DENSITY) ** 1.885


def resistance(pack: Pack) -> np.ndarray:
    """Thermal resistance of the pack, m2 K/W; a wet one lets heat through three times as easily."""
    return (
        pack.depth
        / np.maximum(conductivity(pack.density), 0.03)
        * np.where(pack.wet, np.float32(0.35), np.float32(1.0))
    )


def melt_rate(forest: np.ndarray, diurnal: float) -> np.ndarray:
    """Degree-day factor, mm/(K day): 4.5 in the open, 2.5 under trees, a third more in the afternoon."""
    return (4.5 - 2.0 * forest) * (1.0 + 0.35 * max(diurnal, 0.0))


def step(
    pack: Pack,
    *,
    air: np.ndarray,
    offset: np.ndarray,
    precipitation: np.ndarray,
    ground: np.ndarray,
    rate: np.ndarray,
    hours: float,
    snowfall: float = 1.0,
) -> tuple[Pack, np.ndarray]:
    """Advance the pack by `hours`; returns it and the water (mm) that reaches the ground.

    air, ground (degC): air and topsoil; offset (K): radiative offset of the surface; precipitation: mm in the step;
    rate: degree-day factor; snowfall: factor on what falls as snow (1 = right; a reanalysis errs).
    """
    if not math.isfinite(hours) or hours <= 0:
        raise ValueError("a step needs a positive number of hours")
    days = hours / 24.0
    snow = precipitation * snow_share(air)
    rain = precipitation - snow
    pack = fall(pack, snow * snowfall)
    pack, outflow = melt(pack, air=air, warmth=air + 0.15 * offset - 0.2, rain=rain, rate=rate, days=days)
    return settle(pack, air=air, ground=ground, days=days), outflow
