"""Maps that do not change, on the grid: terrain and water of SMAP, land cover, climates, the user's own classes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from frostline import regrid
from frostline.errors import InputError
from frostline.grid import Grid
from frostline.read.era5 import era5_grid, read_era5
from frostline.read.smap import read_smap_static
from frostline.read.statics_codes import code_table, read_classes, read_clcd, read_koppen
from frostline.steps.agency_labels import same_cells, smap_whole
from frostline.steps.fields import REGRID, around

Array = np.ndarray
FROM_SMAP = ("elevation", "terrain_std", "water_fraction")
LOOKS = 24  # files looked through for cells that one day's passes leave out
NOT_SOIL = (5, 6)  # CLCD: water, snow and ice
MUCH_WATER = 0.5  # share of open water from which a cell is no soil
FINE = 30  # pixels to a cell's side that a majority is taken of: CLCD's 30 m would be 300
POLYGONS = (".geojson", ".json", ".shp")
FIELD = "value"  # attribute of polygons that holds what the first column of the table of codes holds


def static_maps(inventory: Mapping[str, Any], grid: Grid, *, method: str) -> tuple[dict[str, Array], dict[str, Any]]:
    """Fields (y, x) float32 by vocabulary name, as far as there are inputs, and the names of classes as attributes.

    `land` is soil as far as the reanalysis (no sea), SMAP (less than half water) and CLCD (no water, no ice) know.
    Classes are the majority of a cell, or the nearest where their pixels are coarser than the cells.
    """
    out: dict[str, Array] = {}
    attrs: dict[str, Any] = {}
    if "smap" in inventory:
        out |= smap_static([Path(row[0]) for row in inventory["smap"]["files"]], grid)
    if "landcover" in inventory:
        out["land_cover_clcd"] = _onto(read_clcd, _one(inventory, "landcover"), grid)
    if "koppen" in inventory:
        out["climate"] = _onto(read_koppen, _one(inventory, "koppen"), grid)
    for product, name, listed in (("permafrost", "permafrost", "permafrost_classes"), ("regions", "region", "regions")):
        if product in inventory:
            table = code_table(_one(inventory, f"{product}_codes"))
            out[name] = _own(_one(inventory, product), table, grid)
            attrs[listed] = list(dict.fromkeys(v for v in table.values() if v))
    land = _known(inventory, grid, method)
    with np.errstate(invalid="ignore"):
        land &= ~(out.get("water_fraction", np.zeros(grid.shape)) > MUCH_WATER)
    land &= ~np.isin(out.get("land_cover_clcd", np.zeros(grid.shape)), NOT_SOIL)
    return out | {"land": land.astype(np.float32)}, attrs


def smap_static(paths: list[Path], grid: Grid) -> dict[str, Array]:
    """Elevation, terrain and water of SMAP files, of as many as it takes to know every cell (24 at most)."""
    out: dict[str, Array] = {}
    for path in paths[:LOOKS]:
        try:
            if same_cells(str(path), grid):
                ds = read_smap_static(path, window=grid)
                fields = {n: ds[n].values for n in FROM_SMAP if n in ds}
            else:
                window = around(smap_whole(str(path)), grid)
                ds, weights = read_smap_static(path, window=window), regrid.nearest(window, grid)
                fields = {n: regrid.apply(weights, ds[n].values) for n in FROM_SMAP if n in ds}
        except InputError:
            continue  # its states will be refused, and told, when they are read
        for name, values in fields.items():
            held = out.setdefault(name, np.full(grid.shape, np.nan, np.float32))
            np.copyto(held, values, where=np.isnan(held))
        if out and not any(np.isnan(v).any() for v in out.values()):
            break
    return out


def _known(inventory: Mapping[str, Any], grid: Grid, method: str) -> Array:
    """Cells for which the reanalysis has soil; all without one."""
    for row in inventory.get("era5land", {"files": []})["files"]:
        try:
            window = around(era5_grid(row[0]), grid)
            soil = read_era5(row[0], window=window, names=["soil_temperature"])["soil_temperature"][0].values
        except InputError:
            continue  # told when its hours are read
        return np.isfinite(regrid.apply(REGRID[method](window, grid), soil))
    return np.ones(grid.shape, bool)


def _one(inventory: Mapping[str, Any], product: str) -> Path:
    """The file of a product that is one map: the last by name (the newest year), legends left aside."""
    if product not in inventory:
        remedy = f"name inputs.{product}"
        raise InputError("E-INPUT-MISSING", where=f"inputs.{product}", cause="the map needs its codes", remedy=remedy)
    paths = [Path(row[0]) for row in inventory[product]["files"]]
    return [p for p in paths if "legend" not in p.name.lower()][-1]


def _own(path: Path, table: Mapping[str, str], grid: Grid) -> Array:
    if path.suffix.lower() in POLYGONS:
        return np.asarray(read_classes(path, codes=table, field=FIELD, grid=grid)["classes"].values, np.float32)
    return _onto(lambda p, window=None: read_classes(p, codes=table, window=window), path, grid)


def _onto(read: Callable[..., xr.Dataset], path: Path, grid: Grid) -> Array:
    """Codes of a raster on the grid: the majority of each cell, or the nearest of pixels that are coarser."""
    whole = Grid.of(read(path))
    pixels = _pixels(whole, grid)
    if pixels < 1.5:
        window = around(whole, grid)
        return regrid.apply(regrid.nearest(window, grid), _only(read(path, window=window)))
    options = {}
    if read is read_clcd and pixels > FINE:
        options["every"] = int(pixels // FINE)
        whole = Grid.of(read(path, **options))
        pixels = _pixels(whole, grid)
    window = around(whole, grid, margin=int(np.ceil(pixels)) + 3)
    return regrid.majority(_only(read(path, window=window, **options)), window, grid)


def _only(ds: xr.Dataset) -> Any:
    (name,) = ds.data_vars
    return ds[name].data


def _pixels(source: Grid, target: Grid) -> float:
    """Pixels of the source to the side of a target cell, in the middle of the target."""
    row, col = (n // 2 for n in target.shape)
    rows, cols = slice(max(row - 1, 0), row + 1), slice(max(col - 1, 0), col + 1)
    r, c = source.position(*target.window(rows, cols).lonlat())
    return float(max(np.ptp(r), np.ptp(c), 1e-9) / max(r.shape[0] - 1, r.shape[1] - 1, 1))
