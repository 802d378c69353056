"""Maps of classes of the long twin: land cover, climates, permafrost stability and regions, each with its legend."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import xarray as xr

from frostline.grid import Grid
from frostline.twin.long import long_cells
from frostline.twin.publish import publish
from frostline.twin.write_statics import bounding_box, geotiff

Array = np.ndarray
PIXEL = 0.02  # degrees: some twenty to a cell, so that a cell's class is a majority
NOTHING = 0  # code of no data in all three rasters
# Codes of CLCD v01, and of Beck's legend (formats.md 7)
CLCD = {"cropland": 1, "forest": 2, "shrub": 3, "grassland": 4, "water": 5, "snow_ice": 6, "barren": 7, "wetland": 9}
CLIMATES = {"BWk": 5, "BSk": 7, "Dwc": 23, "ET": 29}
# All limits here are ours: they spread the twin's own ground over the classes
COVER_YEAR = 2015
STABILITY = ("very stable", "stable", "semi-stable", "transitional", "unstable", "seasonally frozen ground")
MEANS = (-4.0, -2.5, -1.0, 0.5, 2.0)  # degC of the air's yearly mean, between the six
REGIONS = ("west", "middle", "east")


def write_maps(out: Path, *, ground: xr.Dataset, grid: Grid) -> dict[str, int]:
    """Write `out`/{landcover,koppen,permafrost,regions} and count the maps.

    landcover/CLCD_v01_2015.tif (codes 1..9 of CLCD), koppen/koppen_geiger.tif with legend.txt (codes as Beck's order),
    permafrost/permafrost.tif and regions/regions.geojson (attribute `value`) with codes.csv (value, class). Fields run
    on between cells, so that classes mix within them. `ground`: from `long_ground`.
    """
    box = bounding_box(grid, PIXEL)
    pixel = _between(ground, grid, box)
    _raster(out / "landcover" / f"CLCD_v01_{COVER_YEAR}.tif", box, land_cover(pixel))
    _raster(out / "koppen" / "koppen_geiger.tif", box, climate(pixel))
    legend = "".join(f"{code:5d}:  {name}  of the twin Earth\n" for name, code in CLIMATES.items())
    publish(out / "koppen" / "legend.txt", f"Codes of koppen_geiger.tif (simulated)\n\n{legend}".encode())
    _raster(out / "permafrost" / "permafrost.tif", box, np.digitize(pixel["mean"], MEANS) + 1)
    publish(out / "permafrost" / "codes.csv", _codes(STABILITY))
    publish(out / "regions" / "regions.geojson", json.dumps(_thirds(grid), indent=1).encode())
    publish(out / "regions" / "codes.csv", _codes(REGIONS))
    return {"landcover": 1, "koppen": 1, "permafrost": 1, "regions": 1}


def land_cover(pixel: dict[str, Array]) -> Array:
    """Codes of CLCD by the first rule that holds."""
    rules = (
        (pixel["water_fraction"] > 0.3, "water"),
        (pixel["elevation"] > 4300.0, "snow_ice"),
        ((pixel["elevation"] > 3700.0) | (pixel["arid"] > 0.5), "barren"),
        (pixel["water_fraction"] > 0.025, "wetland"),
        (pixel["forest"] > 0.45, "forest"),
        (pixel["forest"] > 0.3, "shrub"),
        ((pixel["arid"] < 0.1) & (pixel["elevation"] < 2500.0), "cropland"),
    )
    return np.select([where for where, _ in rules], [CLCD[name] for _, name in rules], CLCD["grassland"])


def climate(pixel: dict[str, Array]) -> Array:
    """Four of Koeppen's climates: desert and steppe where arid, tundra where no month has 10 degC, else cold."""
    rules = (
        (pixel["mean"] + pixel["amplitude"] < 10.0, "ET"),
        (pixel["arid"] > 0.5, "BWk"),
        (pixel["arid"] > 0.35, "BSk"),
    )
    return np.select([where for where, _ in rules], [CLIMATES[name] for _, name in rules], CLIMATES["Dwc"])


def _between(ground: xr.Dataset, grid: Grid, box: Grid) -> dict[str, Array]:
    """Fields of the ground and its climate at the pixels of `box`, bilinear; beyond the window its edge goes on."""
    from scipy.ndimage import map_coordinates

    place = np.stack(grid.position(*box.lonlat()))
    held = long_cells(ground, grid).climate
    fields = {n: ground[n].values for n in ("elevation", "forest", "arid", "water_fraction")}
    fields |= {"mean": held.mean.reshape(grid.shape), "amplitude": held.amplitude.reshape(grid.shape)}
    return {n: map_coordinates(v.astype(np.float32), place, order=1, mode="nearest") for n, v in fields.items()}


def _raster(path: Path, box: Grid, codes: Array) -> None:
    geotiff(path, box, "uint8", NOTHING, iter([(0, codes.astype(np.uint8))]))


def _codes(names: tuple[str, ...]) -> bytes:
    return ("value,class\n" + "".join(f"{i},{name}\n" for i, name in enumerate(names, 1))).encode()


def _thirds(grid: Grid) -> dict:
    """Three polygons side by side, a degree wider than the window."""
    lon, lat = grid.lonlat()
    edges = np.linspace(float(lon.min()), float(lon.max()), len(REGIONS) + 1)
    edges[[0, -1]] += (-1.0, 1.0)
    south, north = float(lat.min()) - 1.0, float(lat.max()) + 1.0
    features = []
    for i, (name, west, east) in enumerate(zip(REGIONS, edges[:-1].tolist(), edges[1:].tolist(), strict=True), 1):
        ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
        features.append(
            {
                "type": "Feature",
                "properties": {"value": i, "name": f"{name} of the twin Earth"},
                "geometry": {"type": "Polygon", "coordinates": [ring]},
            }
        )
    return {"type": "FeatureCollection", "features": features}
