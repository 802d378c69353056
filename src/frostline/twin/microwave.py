"""What a radiometer above the atmosphere sees of soil, snow, plants and water: brightness temperatures.

One layer each of soil (rough Fresnel face), snow (absorbing and scattering, with its own upper face), plants
(tau-omega, a low and a forest tile), beside open or frozen water, under a thin atmosphere.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from frostline.twin.dielectric import (
    MELTING,
    fresnel,
    snell,
    snow_extinction,
    snow_permittivity,
    soil_index,
    soil_permittivity,
)

Array = np.ndarray

SKY = 2.73  # K, cosmic background
THIN = 0.005  # m: snow thinner than this leaves no mark (ours; below half a wavelength of 36.5 GHz)
FORWARD = 0.96  # share of scattered power that goes on forward: HUT, Pulliainen et al. 1999
FOREST_WATER = 9.0  # kg/m2 in a closed boreal canopy (ours, within the 5-15 used for SMAP's forests)
BURYING = 0.25  # m of snow over which low plants lie under the pack ...
BURIED = 0.3  # ... and keep this share of their opacity (ours)
FROZEN_CANOPY = 0.45  # opacity of a frozen canopy over a thawed one (ours)
CANOPY_MIDDLE, CANOPY_WIDTH = 272.15, 1.0  # K: air at which half the canopy's water is ice (ours)
ATMOSPHERE_COOLER = 12.0  # K: mean radiating air below the air at 2 m (ours)


@dataclass(frozen=True)
class Band:
    """One radiometer band and the constants of the emission model at it.

    Forms: roughness h-Q-N, Wang and Choudhury 1981 and Wigneron et al. 2007; plants tau = b VWC, Jackson and
    Schmugge 1991; opacity of the air linear in vapour and cloud, after Ulaby et al. 1981. Frequency, incidence,
    footprint and noise are SMAP's and AMSR2's, rounded. All other numbers are the twin's own, of the published
    order, chosen so that absolute thresholds of the literature do on the twin what they do on the Earth.
    """

    name: str
    label: str  # in vocabulary names: tb_<label>v
    sensor: str
    frequency: float  # Hz
    incidence: float  # degrees
    cross: float  # Q: power that roughness turns into the other polarisation
    power: float  # N: exp(-h cos^N)
    roughness: float  # factor on the surface's roughness
    low: float  # b of low plants: opacity per kg/m2 of their water
    forest: float  # b of forest
    omega: float  # single scattering albedo of plants
    weights: tuple[float, float]  # of soil 0-2 and 2-7 cm
    dry_air: float  # zenith opacity
    vapour: float  # ... per mm
    cloud: float  # ... per mm
    water: tuple[float, float]  # permittivity
    lake_ice: tuple[float, float]  # emissivity V, H
    footprint: float  # km, full width at half maximum
    noise: float  # K, one look

    @property
    def cosine(self) -> float:
        """Cosine of the incidence angle."""
        return float(np.cos(np.deg2rad(self.incidence)))


BANDS = {
    "L": Band(
        name="L", label="1", sensor="smap", frequency=1.41e9, incidence=40.0, cross=0.0, power=2.0, roughness=0.5,
        low=0.11, forest=0.06, omega=0.05, weights=(0.45, 0.55), dry_air=0.006, vapour=0.0, cloud=0.0,
        water=(73.0, 22.0), lake_ice=(0.72, 0.60), footprint=36.0, noise=1.0,
    ),
    "K": Band(
        name="K", label="18", sensor="amsr2", frequency=18.7e9, incidence=55.0, cross=0.12, power=1.0, roughness=1.3,
        low=0.35, forest=0.13, omega=0.06, weights=(0.9, 0.1), dry_air=0.010, vapour=0.0020, cloud=0.045,
        water=(32.0, 38.0), lake_ice=(0.90, 0.84), footprint=18.0, noise=0.7,
    ),
    "Ka": Band(
        name="Ka", label="36", sensor="amsr2", frequency=36.5e9, incidence=55.0, cross=0.18, power=1.0, roughness=1.8,
        low=0.50, forest=0.17, omega=0.07, weights=(1.0, 0.0), dry_air=0.028, vapour=0.0011, cloud=0.16,
        water=(15.0, 25.0), lake_ice=(0.92, 0.86), footprint=10.0, noise=0.7,
    ),
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Surface:
    """What does not change: arrays (N,). Sea cells have `water_fraction` 1."""

    clay: Array  # share of mass, 0..1
    roughness: Array  # h, dimensionless
    forest: Array  # share, 0..1
    water_fraction: Array  # share, 0..1


@dataclass(frozen=True, eq=False)
class Scene:
    """What the radiometer meets at one instant: arrays (N,), soil (2, N) for 0-2 and 2-7 cm."""

    skin: Array  # K, surface of snow or soil
    soil_temperature: Array  # K
    liquid: Array  # m3/m3
    ice: Array  # m3/m3
    air: Array  # K at 2 m
    swe: Array  # kg/m2
    density: Array  # of snow, g/cm3
    wetness: Array  # of snow, vol %
    grain: Array  # of snow, mm
    vegetation: Array  # water of low plants, kg/m2
    lake_ice: Array  # share of the water that is under ice, 0..1
    water_temperature: Array  # K
    vapour: Array  # mm
    cloud_water: Array  # mm


def average(a: Scene, b: Scene) -> Scene:
    """The scene halfway between two: each field's mean (AMSR2 passes midway between two steps of the world)."""
    return Scene(**{f.name: (getattr(a, f.name) + getattr(b, f.name)) * np.float32(0.5) for f in fields(Scene)})


def brightness(band: Band, surface: Surface, scene: Scene) -> tuple[Array, Array]:
    """Brightness temperatures (vertical, horizontal) above the atmosphere, K, each (N,) float32.

    No footprint, no noise: `observe` adds them. Source of the parts: `_ground`, `_canopy`, `_water`.
    """
    transmission, air = _atmosphere(band, scene)
    sky = air + transmission * SKY
    ground = _ground(band, surface, scene)
    water = _water(band, scene, sky)
    thawed = 1 / (1 + np.exp((CANOPY_MIDDLE - scene.air) / CANOPY_WIDTH))
    opacity = (FROZEN_CANOPY + (1 - FROZEN_CANOPY) * thawed) / band.cosine
    depth = _snow_depth(scene)
    low = np.exp(-band.low * scene.vegetation * opacity * np.where(depth > BURYING, np.float32(BURIED), np.float32(1)))
    forest = np.exp(-band.forest * FOREST_WATER * opacity)
    out = []
    for (emissivity, emitted), wet in zip(ground, water, strict=True):
        land = (1 - surface.forest) * _canopy(band, low, emissivity, emitted, scene.air, sky)
        land += surface.forest * _canopy(band, forest, emissivity, emitted, scene.air, sky)
        land += surface.water_fraction * (wet - land)
        out.append((transmission * land + air).astype(np.float32, copy=False))
    return out[0], out[1]


def _atmosphere(band: Band, scene: Scene) -> tuple[Array, Array]:
    """Transmission along the slant path and the air's own brightness, K (up and down alike)."""
    opacity = band.dry_air + band.vapour * scene.vapour + band.cloud * scene.cloud_water
    transmission = np.exp(-opacity / band.cosine)
    return transmission, (1 - transmission) * (scene.air - ATMOSPHERE_COOLER)


def _snow_depth(scene: Scene) -> Array:
    """Depth in m; densities below 50 kg/m3 are taken as 50, so that no snow is no depth."""
    return scene.swe / np.maximum(scene.density * 1000, 50)


def _ground(band: Band, surface: Surface, scene: Scene) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
    """(emissivity, emitted K) of soil under snow, for V and H, just above the snow.

    Upward from below the snow's face: G = (1 - r) T_soil t + A T_snow (1 + r t), t = exp(-K d / cos),
    K = ka + (1 - q) ks, A = ka / K (1 - t), and the light that goes to and fro between the faces:
    (1 - s) G / (1 - s r t^2), with r the soil's and s the snow face's reflectivity.
    Source: HUT snow emission model (Pulliainen et al. 1999), the sum over bounces derived here; the soil's
    roughness r_p = [(1 - Q) r_p + Q r_q] exp(-h cos^N).
    """
    w = band.weights
    mixed = [w[0] * v[0] + w[1] * v[1] for v in (scene.liquid, scene.ice, scene.soil_temperature)]
    soil = soil_permittivity(soil_index(band.frequency, surface.clay), mixed[0], mixed[1])
    depth = _snow_depth(scene)
    covered = depth > THIN
    cold = np.minimum(scene.skin, MELTING)
    snow = snow_permittivity(band.frequency, scene.density, scene.wetness, cold)
    absorption, scattering = snow_extinction(band.frequency, snow, scene.wetness, scene.grain)
    above = np.where(covered, snow[0], np.float32(1))
    cosine = snell(band.cosine, 1.0, above)
    extinction = absorption + (1 - FORWARD) * scattering
    through = np.exp(-extinction * np.where(covered, depth, np.float32(0)) / cosine)
    absorbed = absorption / extinction * (1 - through)
    snow_temperature = np.float32(0.5) * (scene.skin + scene.soil_temperature[0])
    flat = fresnel(cosine, above, *soil)
    damping = np.exp(
        -(surface.roughness * band.roughness) * (cosine * cosine if band.power == 2 else cosine**band.power)
    )
    faces = fresnel(np.float32(band.cosine), np.float32(1), above, np.float32(0))
    out = []
    for same, other, face in ((flat[0], flat[1], faces[0]), (flat[1], flat[0], faces[1])):
        r = ((1 - band.cross) * same + band.cross * other) * damping
        escape = (1 - face) / (1 - face * r * through * through)
        from_soil = (1 - r) * through
        from_snow = absorbed * (1 + r * through)
        emitted = (from_soil * mixed[2] + from_snow * snow_temperature) * escape
        out.append(((from_soil + from_snow) * escape, emitted))
    return out[0], out[1]


def _canopy(band: Band, through: Array, emissivity: Array, emitted: Array, air: Array, sky: Array) -> Array:
    """Brightness over a canopy that lets `through` pass, at the air's temperature, K.

    Source: tau-omega, Mo et al. 1982, with the sky's light that the ground sends back through the canopy.
    """
    reflected = (1 - emissivity) * through
    leaves = (1 - band.omega) * (1 - through) * air * (1 + reflected)
    return emitted * through + leaves + reflected * through * sky


def _water(band: Band, scene: Scene, sky: Array) -> tuple[Array, Array]:
    """Brightness of lakes and sea, V and H, K: flat open water, and ice by the share that is covered.

    Ice radiates at a temperature between air and melting, at most 272 K (ours).
    """
    faces = fresnel(band.cosine, 1.0, *band.water)
    ice_temperature = np.minimum(0.4 * scene.air + 0.6 * MELTING, 272.0)
    out = []
    for reflectivity, emissivity in zip(faces, band.lake_ice, strict=True):
        liquid = float(1 - reflectivity) * scene.water_temperature + float(reflectivity) * sky
        frozen = emissivity * ice_temperature + (1 - emissivity) * sky
        out.append(liquid + scene.lake_ice * (frozen - liquid))
    return out[0], out[1]
