"""The record as files that other people's tools open as they are: GeoTIFFs a day, CF-netCDF a year.

What layers there are and what their codes mean stands in `export_layers`.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from frostline.clock import AM, OVERPASS_NAMES, PM, year
from frostline.errors import ConfigError, DiskError
from frostline.export_layers import Layer, Polarity, colours, combined_name, encode, layers
from frostline.export_layers import combined as both
from frostline.grid import Grid
from frostline.schema import RECORD, check, coordinates
from frostline.store import disk_error

Array = np.ndarray
DIMS = ("time", "overpass", "y", "x")
REMEDY = "install frostline[geo]"
AMPM = "ampm"  # what files of both overpasses are called
TILE = 512  # COG blocks: the driver's default
CHUNK = 500  # netCDF chunks: 4 x 4 on a hemisphere of 2000 x 2000
BLOCK = 1 << 22  # cells in memory at a time
PASSED_ON = (
    "title", "summary", "keywords", "source", "history", "institution", "creator_name", "creator_email", "creator_url",
    "license", "id", "naming_authority", "product_version", "references", "comment", "experiment",
    "effective_resolution", "leak",
)  # fmt: skip


def to_cog(
    record: xr.Dataset,
    out_dir: str | Path,
    *,
    name: str = "frostline",
    polarity: Polarity = "frozen",
    combined: bool = False,
) -> list[Path]:
    """Cloud Optimized GeoTIFFs `<name>_<YYYYMMDD>_<am|pm|daily>_<layer>.tif`, one per day, overpass and layer.

    `combined` adds `<name>_<YYYYMMDD>_ampm_<layer>.tif`, the states of AM and PM in one, where the record has both.

    In the grid's CRS, AREA_OR_POINT=Area, nodata 255 (none for quality), overviews by mode for states, mean for
    probabilities, nearest for the rest. Each file is read back before it gets its name. Returns the paths.
    Raises DiskError when a file cannot be written or reads back otherwise.
    """
    grid = Grid.of(check(record, RECORD, values=False))
    paths = []
    halves = [OVERPASS_NAMES[int(code)] for code in record["overpass"].values]
    for days, codes in _blocks(record, polarity, combined):
        for i, date in enumerate(record["time"].values[days].astype("datetime64[D]")):
            fields = [(h, layer, v[i, j]) for j, h in enumerate(halves) for layer, v in codes.items() if v.ndim == 4]
            fields += [(AMPM, layer, v[i]) for layer, v in codes.items() if v.ndim == 3]
            for half, layer, values in fields:
                path = Path(out_dir) / f"{name}_{str(date).replace('-', '')}_{half}_{layer}.tif"
                tags = {**_passed_on(record), "date": str(date), "overpass": half, "polarity": polarity}
                with _replacing(path) as part:
                    _write_tiff(part, values, layers(polarity)[layer], layer, grid, tags)
                paths.append(path)
    return paths


def to_netcdf(
    record: xr.Dataset,
    out_dir: str | Path,
    *,
    name: str = "frostline",
    polarity: Polarity = "frozen",
    combined: bool = False,
) -> list[Path]:
    """CF-1.11 and ACDD-1.3 netCDF-4 files `<name>_<year>.nc`, one per calendar year; returns the paths.

    `combined` adds the states of AM and PM in one, on (time, y, x), where the record has both.
    Memory is bounded by a block of days; the same record makes the same bytes. Each file is read back before it
    gets its name. Raises DiskError when a file cannot be written or reads back otherwise.
    """
    grid = Grid.of(check(record, RECORD, values=False))
    paths = []
    for number in np.unique(year(record["time"].values)).tolist():
        part_of = record.isel(time=np.flatnonzero(year(record["time"].values) == number))
        path = Path(out_dir) / f"{name}_{number}.nc"
        with _replacing(path) as part:
            digests = _write_netcdf(part, part_of, grid, polarity, combined)
            if _digest_netcdf(part, digests) != digests:
                raise DiskError("E-DISK", where=path, cause="what was read back is not what was written")
        paths.append(path)
    return paths


def _both(record: xr.Dataset) -> bool:
    return {AM, PM} <= {int(code) for code in record["overpass"].values}


def _blocks(record: xr.Dataset, polarity: Polarity, combined: bool) -> Iterator[tuple[slice, dict[str, Array]]]:
    """Blocks of days and their codes, (days, overpasses, y, x); of both overpasses together (days, y, x)."""
    place = {int(code): k for k, code in enumerate(record["overpass"].values)}
    _, passes, rows, cols = (record.sizes[d] for d in DIMS)
    step = max(1, BLOCK // (passes * rows * cols))
    for start in range(0, record.sizes["time"], step):
        days = slice(start, min(start + step, record.sizes["time"]))
        block = record.isel(time=days)
        optional = [block[v].values if v in block else None for v in ("quality", "age")]
        codes = encode(block["frozen"].values, *optional, polarity=polarity)
        if combined and _both(record):
            state = codes[next(iter(codes))]
            codes[combined_name(polarity)] = both(state[:, place[AM]], state[:, place[PM]], polarity=polarity)
        yield days, codes


def _write_tiff(path: Path, codes: Array, layer: Layer, name: str, grid: Grid, tags: dict[str, str]) -> None:
    """One layer of one overpass as a Cloud Optimized GeoTIFF, read back."""
    try:
        import rasterio
    except ImportError as error:
        raise ConfigError("E-CONFIG", cause=f"GeoTIFFs need rasterio ({error})", remedy=REMEDY) from None
    profile = {
        "driver": "COG", "count": 1, "height": grid.shape[0], "width": grid.shape[1], "dtype": layer.dtype,
        "crs": rasterio.CRS.from_user_input(grid.crs), "transform": rasterio.Affine.from_gdal(*grid.geotransform),
        "nodata": layer.fill, "compress": "DEFLATE", "blocksize": TILE, "overview_resampling": layer.thinning,
    }  # fmt: skip
    with rasterio.open(path, "w", **profile) as file:
        file.write(codes, 1)
        file.update_tags(AREA_OR_POINT="Area", **tags)
        file.set_band_description(1, name)
        file.update_tags(1, **{k: _text(v) for k, v in layer.attrs.items() if k != "scale_factor"})
        if "scale_factor" in layer.attrs:
            file.scales = (layer.attrs["scale_factor"],)
        if layer.thinning == "mode":
            file.write_colormap(1, colours(layer))
    with rasterio.open(path) as file:
        whole = file.tags(ns="IMAGE_STRUCTURE").get("LAYOUT") == "COG" and file.transform == profile["transform"]
        if not whole or file.crs != profile["crs"] or not np.array_equal(file.read(1), codes):
            raise DiskError("E-DISK", where=path, cause="what was read back is not what was written")


def _write_netcdf(path: Path, record: xr.Dataset, grid: Grid, polarity: Polarity, combined: bool) -> dict[str, str]:
    """The file, and the SHA-256 of each layer's codes."""
    import h5netcdf

    table = layers(polarity)
    names = [n for n in table if n in (*list(table)[:2], *map(str, record.data_vars))]
    daily = [combined_name(polarity)] if combined and _both(record) else []
    with h5netcdf.File(path, "w") as file:
        file.dimensions = {d: record.sizes[d] for d in DIMS}
        file.attrs.update(_globals(record, grid, polarity))
        _write_axes(file, record, grid)
        for name in (*names, *daily):
            layer, dims = table[name], ("time", "y", "x") if name in daily else DIMS
            chunks = (*[1] * (len(dims) - 2), min(CHUNK, grid.shape[0]), min(CHUNK, grid.shape[1]))
            extra = {} if layer.fill is None else {"fillvalue": np.dtype(layer.dtype).type(layer.fill)}
            out = file.create_variable(
                name, dims, layer.dtype, chunks=chunks, compression="gzip", compression_opts=4, shuffle=True, **extra
            )
            out.attrs.update(layer.attrs)
            out.attrs["grid_mapping"] = "crs"
            if not grid.is_geographic:
                out.attrs["coordinates"] = "latitude longitude"
        file[names[0]].attrs["ancillary_variables"] = " ".join(names[1:])
        digests = {n: hashlib.sha256() for n in (*names, *daily)}
        for days, codes in _blocks(record, polarity, combined):
            for name in digests:
                file[name][days] = codes[name]
                digests[name].update(np.ascontiguousarray(codes[name]).tobytes())
    return {n: d.hexdigest() for n, d in digests.items()}


def _write_axes(file: Any, record: xr.Dataset, grid: Grid) -> None:
    """Coordinates and the grid mapping; none of them has a fill value."""
    frame = grid.write(coordinates(xr.Dataset(), time=record["time"], overpass=record["overpass"]))
    file.create_variable("time", ("time",), data=frame["time"].values.astype("datetime64[h]").astype("int64"))
    file.create_variable("crs", (), data=np.int32(0))
    for name in ("overpass", "y", "x"):
        file.create_variable(name, (name,), data=frame[name].values)
    for name in ("time", "overpass", "y", "x"):
        file[name].attrs.update(frame[name].attrs)
    file["time"].attrs.update(units="hours since 1970-01-01 00:00:00", calendar="standard", axis="T")
    mapping = frame["spatial_ref"].attrs
    file["crs"].attrs.update({**mapping, "spatial_ref": mapping["crs_wkt"]})  # GDAL looks under its own name
    if not grid.is_geographic:
        for name, values, towards in zip(("longitude", "latitude"), grid.lonlat(), ("east", "north"), strict=True):
            out = file.create_variable(name, ("y", "x"), data=values.astype("float32"), compression="gzip")
            out.attrs.update(standard_name=name, long_name=name, units=f"degrees_{towards}")


def _digest_netcdf(path: Path, names: dict[str, str]) -> dict[str, str]:
    """SHA-256 of each layer's codes as they lie in the file, day by day."""
    import h5netcdf

    with h5netcdf.File(path, "r") as file:
        out = {}
        for name in names:
            digest = hashlib.sha256()
            for day in range(file[name].shape[0]):
                digest.update(np.ascontiguousarray(file[name][day]).tobytes())
            out[name] = digest.hexdigest()
    return out


def _globals(record: xr.Dataset, grid: Grid, polarity: Polarity) -> dict[str, Any]:
    """CF and ACDD attributes of the file; what the record says of itself wins."""
    lon, lat = (v[np.isfinite(v)] for v in grid.lonlat())
    days = record["time"].values.astype("datetime64[D]")
    return {
        "title": "Frozen and thawed surface soil",
        "summary": "Daily state of the surface soil by overpass, with probability, quality flags and gap age",
        "keywords": "EARTH SCIENCE > LAND SURFACE > FROZEN GROUND > SEASONALLY FROZEN GROUND",
        "history": "exported by frostline",
        **_passed_on(record),
        "Conventions": "CF-1.11, ACDD-1.3",
        "cdm_data_type": "Grid",
        "polarity": polarity,
        "time_coverage_start": str(days[0]),
        "time_coverage_end": str(days[-1]),
        "time_coverage_resolution": "P1D",
        **{
            f"geospatial_{n}_{f.__name__}": float(f(v))
            for n, v in (("lon", lon), ("lat", lat))
            for f in (np.min, np.max)
        },
    }


def _passed_on(record: xr.Dataset) -> dict[str, str]:
    return {k: str(record.attrs[k]) for k in PASSED_ON if record.attrs.get(k)}


def _text(value: Any) -> str:
    return " ".join(map(str, value.tolist())) if isinstance(value, np.ndarray) else str(value)


@contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    """A temporary name beside `path`, renamed when the block ends well, removed otherwise."""
    part = path.with_name(f".{path.stem}.{os.getpid()}.part{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield part
        part.replace(path)
    except OSError as error:
        raise disk_error(path, error) from error
    finally:
        with suppress(OSError):
            part.unlink()
