"""Heat and water in a soil column that freezes along a curve: implicit, conservative, vectorised over cells."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

LATENT = 3.34e8  # J per m3 of water, heat of fusion x 1000 kg/m3
HEAT_WATER, HEAT_ICE, HEAT_SOLID = 4.18e6, 1.93e6, 2.0e6  # J/(m3 K)
EDGES = (0.0, 0.02, 0.07, 0.18, 0.45, 1.0, 2.5)  # m; the truth layer 0-7 cm is the first two
TOP = 2  # layers of the truth and of the water bucket
TOP_DEPTH = EDGES[TOP]
BELOW_KINK = 1e-3  # K: where a Newton step that would cross the freezing point is stopped
DRIEST, FULLEST = 0.05, 0.95  # m3/m3; share of the porosity


@dataclass(frozen=True)
class Soil:
    """What a soil is made of; arrays (N,) float32, thickness (layers,)."""

    thickness: np.ndarray  # m
    porosity: np.ndarray
    organic: np.ndarray
    freezing_point: np.ndarray  # degC
    curve_slope: np.ndarray  # 1/K
    residual_water: np.ndarray  # m3/m3


@dataclass(frozen=True)
class Medium:
    """A soil at a given water content: all that the heat equation needs; arrays (layers, N)."""

    soil: Soil
    water: np.ndarray  # total (liquid + ice), m3/m3
    residual: np.ndarray  # of it never frozen
    freezable: np.ndarray
    heat: np.ndarray  # heat capacity with all water frozen, J/(m3 K)
    conductivity_frozen: np.ndarray  # W/(m K) with no liquid at all
    conductivity_drop: np.ndarray  # lost per m3/m3 of liquid


@dataclass(frozen=True)
class Column:
    """The state: temperature (degC) and enthalpy (J/m3, zero at 0 degC all ice), both (layers, N)."""

    medium: Medium
    temperature: np.ndarray
    enthalpy: np.ndarray


def moisten(soil: Soil, water: np.ndarray) -> Medium:
    """The medium of `soil` holding `water` (layers, N).

    Conductivity: dry end .25 (mineral) .06 (organic), saturated 1.45/.50 thawed and 2.2/1.3 frozen, weighted by the
    square root of saturation and by the frozen share of the water.
    """
    mineral = 1.0 - soil.organic
    dry = 0.25 * mineral + 0.06 * soil.organic
    thawed = 1.45 * mineral + 0.50 * soil.organic
    frozen = 2.2 * mineral + 1.3 * soil.organic
    weight = np.sqrt(np.minimum(water / soil.porosity, 1.0))
    residual = np.minimum(soil.residual_water, water)
    return Medium(
        soil=soil,
        water=water,
        residual=residual,
        freezable=water - residual,
        heat=HEAT_SOLID * (1.0 - soil.porosity) + HEAT_ICE * water,
        conductivity_frozen=dry + (frozen - dry) * weight,
        conductivity_drop=(frozen - thawed) * weight / water,
    )


def liquid_water(medium: Medium, temperature: np.ndarray) -> np.ndarray:
    """Liquid water, m3/m3: residual + freezable exp(slope (T - Tf)) below the freezing point Tf, all above it.

    The freezing characteristic curve has the form of Salmabadi et al. 2026 (The Cryosphere 20, 1635).
    temperature may hold the first layers only.
    """
    n = len(temperature)
    x = medium.soil.curve_slope * np.minimum(temperature - medium.soil.freezing_point, 0.0)
    return medium.residual[:n] + medium.freezable[:n] * np.exp(x)


def enthalpy(medium: Medium, temperature: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Enthalpy H = C T + latent heat of the liquid (J/m3), the apparent heat capacity, and the liquid water.

    The capacity leaves out the small T dC/dT: it only steers Newton, H itself is exact.
    """
    below = temperature - medium.soil.freezing_point
    freezing = below < 0.0
    grade = np.minimum(below, 0.0)
    grade *= medium.soil.curve_slope
    np.exp(grade, out=grade)
    grade *= medium.freezable
    liquid = medium.residual + grade
    heat = liquid * np.float32(HEAT_WATER - HEAT_ICE)
    heat += medium.heat
    grade *= medium.soil.curve_slope
    grade *= np.float32(LATENT)
    grade *= freezing
    total = heat * temperature
    total += liquid * np.float32(LATENT)
    grade += heat
    return total, grade, liquid


def column_at(medium: Medium, temperature: np.ndarray) -> Column:
    """A column in equilibrium at `temperature` (layers, N)."""
    return Column(medium, temperature, enthalpy(medium, temperature)[0])


def guard(old: np.ndarray, new: np.ndarray, freezing_point: np.ndarray) -> np.ndarray:
    """Stop a Newton step that crosses the kink of H(T) just below the freezing point.

    The slope of H jumps there by the latent heat: a step taken with the slope of one side overshoots on the other.

    >>> guard(np.array([1.0, 1.0]), np.array([-3.0, 0.5]), np.array([-0.1, -0.1])).round(4).tolist()
    [-0.101, 0.5]
    """
    crossed = (old >= freezing_point) != (new >= freezing_point)
    return np.where(crossed, freezing_point - np.float32(BELOW_KINK), new)


def advance(
    column: Column, *, surface: np.ndarray, conductance: np.ndarray, seconds: float, iterations: int = 2
) -> tuple[Column, np.ndarray]:
    """One implicit step of heat conduction; returns the column and the heat flux into it (W/m2).

    surface (N,): temperature (degC) above a layer of `conductance` (W/(m2 K)); no flux through the bottom.
    Newton on H(T) with conductivities of the step's beginning; enthalpy is then updated from the fluxes, so that
    its sum changes by flux x seconds whatever Newton left over (two iterations suffice at 3 h: algorithms 4.1).
    """
    medium, t = column.medium, column.temperature
    dz = medium.soil.thickness[:, None]
    h, capacity, liquid = enthalpy(medium, t)
    half = (0.5 * dz) / (medium.conductivity_frozen - medium.conductivity_drop * liquid)
    inner = 1.0 / (half[:-1] + half[1:])
    outer = 1.0 / (1.0 / conductance + half[0])
    storage = (dz / np.float32(seconds)).astype(t.dtype)
    for iteration in range(iterations):
        if iteration:
            h, capacity, liquid = enthalpy(medium, t)
        diagonal = storage * capacity
        right = diagonal * t
        right -= storage * (h - column.enthalpy)
        diagonal[0] += outer
        right[0] += outer * surface
        diagonal[:-1] += inner
        diagonal[1:] += inner
        new = _solve(diagonal, inner, right)
        t = guard(t, new, medium.soil.freezing_point) if iteration < iterations - 1 else new
    flux = outer * (surface - t[0])
    between = inner * (t[:-1] - t[1:])
    after = column.enthalpy.copy()
    after[0] += flux / storage[0]
    after[:-1] -= between / storage[:-1]
    after[1:] += between / storage[1:]
    return Column(medium, t, after), flux


def _solve(diagonal: np.ndarray, off: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Symmetric tridiagonal solve, off-diagonals -off; elimination down, substitution up. Overwrites its inputs."""
    layers = len(diagonal)
    for i in range(1, layers):
        factor = off[i - 1] / diagonal[i - 1]
        diagonal[i] -= factor * off[i - 1]
        right[i] += factor * right[i - 1]
    right[-1] /= diagonal[-1]
    for i in range(layers - 2, -1, -1):
        right[i] = (right[i] + off[i] * right[i + 1]) / diagonal[i]
    return right


def exchange_water(column: Column, *, infiltration: np.ndarray, season: float) -> tuple[Column, np.ndarray, np.ndarray]:
    """A day of water for the 0-7 cm bucket; returns the column, evaporation and runoff, both mm.

    infiltration: mm offered. Frozen ground (top layer not above .5 degC or second not above .3) takes none and loses
    none: all runs off. Change of storage = infiltration - evaporation - runoff. Water comes and goes as liquid at
    the layer's temperature, so the enthalpy stays consistent.
    """
    soil, water, t = column.medium.soil, column.medium.water, column.temperature
    open_ground = (t[0] > 0.5) & (t[1] > 0.3)
    mm = 1000.0 * TOP_DEPTH
    rate = min(max(0.03 + 0.05 * max(season, 0.0), 0.0), 0.1)
    loss = np.maximum(water[0] - 0.06, 0.0) * rate
    drain = np.maximum(water[0] - 0.6 * soil.porosity, 0.0) * 0.5
    new = np.clip(water[0] + infiltration / mm - loss - drain, DRIEST, FULLEST * soil.porosity)
    change = np.where(open_ground, new - water[0], np.float32(0.0))
    evaporation = np.where(open_ground, loss * mm, np.float32(0.0))
    runoff = infiltration - evaporation - change * mm
    water = water.copy()
    heat = column.enthalpy.copy()
    water[:TOP] += change
    heat[:TOP] += change * (np.float32(LATENT) + np.float32(HEAT_WATER) * t[:TOP])
    return replace(column, medium=moisten(soil, water), enthalpy=heat), evaporation, runoff


def top_temperature(column: Column) -> np.ndarray:
    """Mean temperature of 0-7 cm, degC (N,)."""
    dz = column.medium.soil.thickness[:TOP, None]
    return (column.temperature[:TOP] * dz).sum(0) / dz.sum()


def temperature_at(column: Column, depth: float) -> np.ndarray:
    """Temperature (degC, (N,)) at `depth` m, linear between the middles of layers, constant beyond them."""
    dz = column.medium.soil.thickness
    middle = np.cumsum(dz) - 0.5 * dz
    position = float(np.interp(depth, middle, np.arange(len(middle))))
    low = min(int(position), len(middle) - 2)
    part = position - low
    return column.temperature[low] * (1.0 - part) + column.temperature[low + 1] * part


def ice_share(column: Column) -> np.ndarray:
    """Share of the freezable water of 0-7 cm that is ice, 0..1 (N,): the twin's truth is frozen where > .5."""
    medium = column.medium
    dz = medium.soil.thickness[:TOP, None]
    ice = np.maximum(medium.water[:TOP] - liquid_water(medium, column.temperature[:TOP]), 0.0)  # float32 dust
    return (ice * dz).sum(0) / np.maximum((medium.freezable[:TOP] * dz).sum(0), 1e-3)
