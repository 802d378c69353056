"""The record as files that other people's tools open as they are: GeoTIFFs a day, CF-netCDF a year.

Layers. `freeze_thaw` uint8: 0 thawed, 1 frozen (probability > 0.5; exactly 0.5 counts as thawed), and where
the probability is unknown the reason: 254 open water, 253 outside the domain (permanent ice too), else 252;
255 is fill. `frozen_probability` uint8, 1/200 a step, 255 unknown. `quality` uint16 flag bits. `age` uint8 days
of the oldest gap-filled input, 255 none. With polarity "thaw" the first two are `thaw_freeze` (0 frozen,
1 thawed) and `thaw_probability`: another meaning has another name.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import xarray as xr

from frostline.clock import OVERPASS_NAMES, year
from frostline.errors import ConfigError, DiskError, InputError
from frostline.grid import Grid
from frostline.packing import PROBABILITY, pack
from frostline.schema import QUALITY, RECORD, check, coordinates
from frostline.store import disk_error

Array = np.ndarray
Polarity = Literal["frozen", "thaw"]

NO_DATA, OUTSIDE, WATER, FILL = 252, 253, 254, 255  # ESDR's codes for what is no state (NSIDC-0477)
DIMS = ("time", "overpass", "y", "x")
REMEDY = "install frostline[geo]"
TILE = 512  # COG blocks: the driver's default
CHUNK = 500  # netCDF chunks: 4 x 4 on a hemisphere of 2000 x 2000
BLOCK = 1 << 22  # cells in memory at a time
COLOURS = {"thawed": (214, 137, 72, 255), "frozen": (66, 118, 180, 255)}
GREYS = {NO_DATA: (200, 200, 200, 255), OUTSIDE: (255,) * 4, WATER: (225, 235, 242, 255), FILL: (0,) * 4}
PASSED_ON = (
    "title", "summary", "keywords", "source", "history", "institution", "creator_name", "creator_email", "creator_url",
    "license", "id", "naming_authority", "product_version", "references", "comment", "experiment",
    "effective_resolution", "leak",
)  # fmt: skip


class Layer(NamedTuple):
    """How a layer lies in a file: its type, its fill (None: every code is a value), how overviews thin it."""

    dtype: str
    fill: int | None
    thinning: str
    attrs: dict[str, Any]


def layers(polarity: Polarity = "frozen") -> dict[str, Layer]:
    """The layers by name, with their CF attributes; flag values are arrays of the layer's own type.

    >>> layers("thaw")["thaw_freeze"].attrs["flag_meanings"]
    'frozen thawed no_data outside_domain water'
    """
    if polarity not in ("frozen", "thaw"):
        raise ConfigError("E-CONFIG", cause=f"polarity {polarity!r} is unknown", remedy='use "frozen" or "thaw"')
    frozen = polarity == "frozen"
    states, adjective = ("thawed frozen", "frozen") if frozen else ("frozen thawed", "thawed")
    state, probability = ("freeze_thaw", "frozen_probability") if frozen else ("thaw_freeze", "thaw_probability")
    return {
        state: Layer(
            "uint8", FILL, "mode",
            {"long_name": "state of the surface soil", "flag_meanings": f"{states} no_data outside_domain water",
             "flag_values": np.array([0, 1, NO_DATA, OUTSIDE, WATER], "uint8"),
             "comment": "frozen where the probability of being frozen exceeds 0.5; exactly 0.5 counts as thawed"},
        ),
        probability: Layer(
            "uint8", FILL, "average",
            {"long_name": f"probability that the surface soil is {adjective}", "units": "1",
             "scale_factor": PROBABILITY.scale},
        ),
        "quality": Layer(
            "uint16", None, "nearest",
            {"long_name": "quality flags", "flag_masks": np.array(list(QUALITY.values()), "uint16"),
             "flag_meanings": " ".join(QUALITY)},
        ),
        "age": Layer("uint8", FILL, "nearest", {"long_name": "largest gap age of the inputs", "units": "day"}),
    }  # fmt: skip


def encode(frozen: Array, quality: Array | None, age: Array | None, *, polarity: Polarity) -> dict[str, Array]:
    """The layers' codes of one block: probabilities in [0, 1] (NaN unknown), flag bits and days, of one shape.

    Raises InputError for a probability outside [0, 1].
    """
    known = np.isfinite(frozen)
    if ((frozen < 0) | (frozen > 1)).any():
        raise InputError("E-INPUT-SCHEMA", where="record", cause="a probability lies outside 0..1")
    bits = np.zeros(frozen.shape, "uint16") if quality is None else quality
    outside = (bits & (QUALITY["outside_domain"] | QUALITY["permanent_ice"])) > 0
    water = (bits & QUALITY["open_water"]) > 0
    reason = np.where(water, WATER, np.where(outside, OUTSIDE, NO_DATA)).astype("uint8")
    state, probability = frozen > 0.5, pack(frozen, PROBABILITY)
    if polarity == "thaw":
        state, probability = ~state, np.where(known, np.uint8(200) - probability, np.uint8(FILL))
    out = dict(zip(layers(polarity), (np.where(known, state, reason).astype("uint8"), probability), strict=False))
    if quality is not None:
        out["quality"] = quality.astype("uint16", copy=False)
    if age is not None:
        out["age"] = age.astype("uint8", copy=False)
    return out


def to_cog(
    record: xr.Dataset, out_dir: str | Path, *, name: str = "frostline", polarity: Polarity = "frozen"
) -> list[Path]:
    """Cloud Optimized GeoTIFFs `<name>_<YYYYMMDD>_<am|pm|daily>_<layer>.tif`, one per day, overpass and layer.

    In the grid's CRS, AREA_OR_POINT=Area, nodata 255 (none for quality), overviews by mode for states, mean for
    probabilities, nearest for the rest. Each file is read back before it gets its name. Returns the paths.
    Raises DiskError when a file cannot be written or reads back otherwise.
    """
    grid = Grid.of(check(record, RECORD, values=False))
    paths = []
    for days, codes in _blocks(record, polarity):
        for i, date in enumerate(record["time"].values[days].astype("datetime64[D]")):
            for j, overpass in enumerate(record["overpass"].values):
                for layer, values in codes.items():
                    half = OVERPASS_NAMES[int(overpass)]
                    path = Path(out_dir) / f"{name}_{str(date).replace('-', '')}_{half}_{layer}.tif"
                    tags = {**_passed_on(record), "date": str(date), "overpass": half, "polarity": polarity}
                    with _replacing(path) as part:
                        _write_tiff(part, values[i, j], layers(polarity)[layer], layer, grid, tags)
                    paths.append(path)
    return paths


def to_netcdf(
    record: xr.Dataset, out_dir: str | Path, *, name: str = "frostline", polarity: Polarity = "frozen"
) -> list[Path]:
    """CF-1.11 and ACDD-1.3 netCDF-4 files `<name>_<year>.nc`, one per calendar year; returns the paths.

    Memory is bounded by a block of days; the same record makes the same bytes. Each file is read back before it
    gets its name. Raises DiskError when a file cannot be written or reads back otherwise.
    """
    grid = Grid.of(check(record, RECORD, values=False))
    paths = []
    for number in np.unique(year(record["time"].values)).tolist():
        part_of = record.isel(time=np.flatnonzero(year(record["time"].values) == number))
        path = Path(out_dir) / f"{name}_{number}.nc"
        with _replacing(path) as part:
            digests = _write_netcdf(part, part_of, grid, polarity)
            if _digest_netcdf(part, digests) != digests:
                raise DiskError("E-DISK", where=path, cause="what was read back is not what was written")
        paths.append(path)
    return paths


def _blocks(record: xr.Dataset, polarity: Polarity) -> Iterator[tuple[slice, dict[str, Array]]]:
    """Blocks of days and their codes, (days, overpasses, y, x)."""
    _, passes, rows, cols = (record.sizes[d] for d in DIMS)
    step = max(1, BLOCK // (passes * rows * cols))
    for start in range(0, record.sizes["time"], step):
        days = slice(start, min(start + step, record.sizes["time"]))
        block = record.isel(time=days)
        optional = [block[v].values if v in block else None for v in ("quality", "age")]
        yield days, encode(block["frozen"].values, *optional, polarity=polarity)


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
            first, second, *_ = layer.attrs["flag_meanings"].split()
            file.write_colormap(1, {0: COLOURS[first], 1: COLOURS[second], **GREYS})
    with rasterio.open(path) as file:
        whole = file.tags(ns="IMAGE_STRUCTURE").get("LAYOUT") == "COG" and file.transform == profile["transform"]
        if not whole or file.crs != profile["crs"] or not np.array_equal(file.read(1), codes):
            raise DiskError("E-DISK", where=path, cause="what was read back is not what was written")


def _write_netcdf(path: Path, record: xr.Dataset, grid: Grid, polarity: Polarity) -> dict[str, str]:
    """The file, and the SHA-256 of each layer's codes."""
    import h5netcdf

    table = layers(polarity)
    names = [n for n in table if n in (*list(table)[:2], *map(str, record.data_vars))]
    with h5netcdf.File(path, "w") as file:
        file.dimensions = {d: record.sizes[d] for d in DIMS}
        file.attrs.update(_globals(record, grid, polarity))
        _write_axes(file, record, grid)
        for name in names:
            layer = table[name]
            chunks = (1, 1, min(CHUNK, grid.shape[0]), min(CHUNK, grid.shape[1]))
            extra = {} if layer.fill is None else {"fillvalue": np.dtype(layer.dtype).type(layer.fill)}
            out = file.create_variable(
                name, DIMS, layer.dtype, chunks=chunks, compression="gzip", compression_opts=4, shuffle=True, **extra
            )
            out.attrs.update(layer.attrs)
            out.attrs["grid_mapping"] = "crs"
            if not grid.is_geographic:
                out.attrs["coordinates"] = "latitude longitude"
        file[names[0]].attrs["ancillary_variables"] = " ".join(names[1:])
        digests = {n: hashlib.sha256() for n in names}
        for days, codes in _blocks(record, polarity):
            for name in names:
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
