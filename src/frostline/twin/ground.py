"""The fixed ground of the twin Earth: terrain, cover, water, soil and its freezing curve."""

from __future__ import annotations

import numpy as np
import xarray as xr
from scipy import ndimage

from frostline.grid import Grid
from frostline.twin.fields import gaussian_field, power_law_field

KM_PER_DEGREE = 111.2
SEA_SHARE = 0.18  # of the window, where the caller brings no coast
_STREAM = 11  # keeps the ground's random numbers apart from the weather's
WATER = 17  # IGBP class

# name: (units, long name); the order is the order in the dataset
ABOUT: dict[str, tuple[str, str]] = {
    "land": ("1", "land"),
    "elevation": ("m", "surface elevation"),
    "terrain_std": ("m", "standard deviation of elevation within the cell"),
    "forest": ("1", "forest fraction of the land"),
    "arid": ("1", "aridity, 0 humid to 1 desert"),
    "low_vegetation": ("kg m-2", "summer water content of grass and shrub"),
    "water_fraction": ("1", "open water fraction"),
    "clay": ("1", "clay mass fraction"),
    "organic": ("1", "organic fraction of the topsoil"),
    "porosity": ("1", "soil porosity"),
    "freezing_point": ("degC", "temperature at which soil water begins to freeze"),
    "curve_slope": ("K-1", "steepness of the soil freezing characteristic curve"),
    "residual_water": ("m3 m-3", "water that stays liquid"),
    "roughness": ("1", "microwave roughness scale"),
    "land_cover": ("1", "IGBP land cover class"),
}


def cell_km(grid: Grid) -> float:
    """Cell size in km (of a degree of latitude on a geographic grid)."""
    return grid.step * KM_PER_DEGREE if grid.is_geographic else grid.step / 1000.0


def make_ground(grid: Grid, *, seed: int, land: np.ndarray | None = None) -> xr.Dataset:
    """The static world on `grid`, dims (y, x); variables and units as in ABOUT. Same seed and grid, same ground.

    land: bool (rows, columns), e.g. a rasterised coast; None draws a smooth coast of its own.
    Raises ValueError if the land mask has another shape than the grid. Recipe: algorithms 4.1 with a
    lower ridge and drier, less forested lowlands, so that 55-60 N has forest, steppe and mountains.
    """
    rng = np.random.default_rng([seed, _STREAM])
    shape = grid.shape
    _, latitude = grid.lonlat()
    coast = _synthetic_coast(rng, shape)  # always drawn: a mask must not change what comes after
    if land is None:
        land = coast
    land = np.asarray(land, bool)
    if land.shape != shape:
        raise ValueError(f"land mask {land.shape} does not fit the grid {shape}")

    def field(length_km: float) -> np.ndarray:
        return gaussian_field(rng, shape, length_km / cell_km(grid))[0]

    elevation = _terrain(rng, shape, land, cell_km(grid))
    slope = np.hypot(*np.gradient(elevation)) if min(shape) > 1 else np.zeros(shape)
    terrain_std = 25.0 + 0.55 * slope * (9.0 / cell_km(grid))
    arid = np.clip(0.40 + 0.38 * field(126.0) - 0.02 * (latitude - 57.0), 0.0, 1.0)
    treeline = 1100.0 - 60.0 * (latitude - 57.0)
    wooded = 1.4 * field(63.0) + 1.2 * np.exp(-(((latitude - 57.0) / 7.0) ** 2)) - 3.0 * (arid - 0.35) - 0.6
    forest = np.clip(1.0 / (1.0 + np.exp(-(wooded - np.maximum(elevation - treeline, 0.0) / 150.0))), 0.0, 0.9)
    lakes = 0.06 * np.exp(1.3 * field(81.0) - 0.6) * (1.0 - arid) * np.exp(-terrain_std / 150.0)
    lakes = np.where(lakes < 0.01, 0.0, np.minimum(lakes, 0.45))
    clay = np.clip(0.22 + 0.10 * field(54.0), 0.03, 0.55)
    organic = np.clip(0.25 * (1.0 - arid) * (latitude - 50.0) / 14.0 + 0.12 * field(45.0), 0.0, 0.6)
    freezing = np.clip(-0.15 - 0.10 * np.abs(field(27.0)) - 0.3 * (clay - 0.2), -1.0, -0.02)
    values = {
        "land": land,
        "elevation": elevation,
        "terrain_std": terrain_std,
        "forest": np.where(land, forest, 0.0),
        "arid": arid,
        "low_vegetation": np.clip(1.5 * (1.0 - arid) * (1.0 - 0.4 * forest), 0.02, 2.0),
        "water_fraction": np.where(land, lakes, 1.0),
        "clay": clay,
        "organic": organic,
        "porosity": np.clip(0.45 + 0.25 * organic, 0.4, 0.75),
        "freezing_point": freezing,
        # the range of 0.92-3.47 per K that in-situ networks show (algorithms 4.1, after Salmabadi et al. 2026)
        "curve_slope": np.clip(2.2 + 0.6 * field(27.0) - 2.0 * (clay - 0.2), 0.92, 3.47),
        "residual_water": np.clip(0.02 + 0.15 * clay, 0.02, 0.1),
        "roughness": np.clip(0.25 + 0.15 * field(36.0), 0.05, 0.8),
    }
    values["land_cover"] = _land_cover(values, latitude)
    return grid.write(
        xr.Dataset(
            {
                name: (("y", "x"), _stored(name, values[name]), {"units": units, "long_name": long_name})
                for name, (units, long_name) in ABOUT.items()
            }
        )
    )


def _stored(name: str, value: np.ndarray) -> np.ndarray:
    return value.astype({"land": np.bool_, "land_cover": np.uint8}.get(name, np.float32))


def _synthetic_coast(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    """Land where a tilted smooth field is high: one sea along an edge, with bays."""
    rows, columns = shape
    y, x = np.meshgrid(np.linspace(-1, 1, rows), np.linspace(-1, 1, columns), indexing="ij")
    angle = rng.uniform(0.0, 2.0 * np.pi)
    height = np.cos(angle) * x + np.sin(angle) * y + 0.5 * gaussian_field(rng, shape, min(shape) / 5.0)[0]
    return height > np.quantile(height, SEA_SHARE)


def _terrain(rng: np.random.Generator, shape: tuple[int, int], land: np.ndarray, km: float) -> np.ndarray:
    """Rolling self-affine hills and one mountain ridge, falling to the sea at the coast (m)."""
    rows, columns = shape
    hills = power_law_field(rng, shape, 0.8)
    y, x = np.meshgrid(np.linspace(-1, 1, rows), np.linspace(-1, 1, columns), indexing="ij")
    angle, shift = rng.uniform(0.0, np.pi), rng.uniform(-0.5, 0.5)
    across = np.cos(angle) * x + np.sin(angle) * y - shift
    ridge = np.exp(-((across / 0.3) ** 2))
    elevation = np.clip(260.0 + 170.0 * hills + 1000.0 * ridge * (1.0 + 0.45 * hills), 0.0, 3000.0)
    inland = ndimage.distance_transform_edt(land) * km if not land.all() else np.full(shape, np.inf)
    return np.where(land, elevation * (1.0 - np.exp(-inland / 60.0)), 0.0)


def _land_cover(v: dict[str, np.ndarray], latitude: np.ndarray) -> np.ndarray:
    """IGBP class by the first rule that holds; consistent with the other fields by construction."""
    snowline = 1900.0 - 60.0 * (latitude - 57.0)
    forest, arid, elevation = v["forest"], v["arid"], v["elevation"]
    rules = (
        (~v["land"] | (v["water_fraction"] > 0.5), WATER),
        (elevation > snowline, 15),  # permanent snow and ice
        ((elevation > snowline - 500.0) & (forest < 0.2), 16),  # barren
        ((forest > 0.6) & (latitude > 57.0) & (arid > 0.35), 3),  # deciduous needleleaf (larch)
        (forest > 0.6, 1),  # evergreen needleleaf
        (forest > 0.45, 5),  # mixed
        (forest > 0.25, 8),  # woody savanna
        (v["water_fraction"] > 0.25, 11),  # wetland
        (arid > 0.85, 16),
        (arid > 0.6, 7),  # open shrubland
    )
    return np.select([r for r, _ in rules], [code for _, code in rules], default=10)  # grassland
