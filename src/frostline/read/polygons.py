"""Polygons with one attribute from GeoJSON or a shapefile, turned into codes on a grid."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from frostline.errors import InputError
from frostline.grid import Grid, crs_of
from frostline.read.common import need
from frostline.read.gate import inspect_file, reading

Array = np.ndarray
SHP_CODE, SHP_HEADER = 9994, 100  # ESRI Shapefile Technical Description (1998), table 1
SHP_POLYGONS = (5, 15, 25)  # plain, with heights, with measures
LONGEST = {True: 0.1, False: 10_000.0}  # degrees or metres: longer edges are bent when the plane changes
LONLAT = "OGC:CRS84"


@dataclass(frozen=True)
class Polygon:
    """Rings (n, 2) of x, y, closed; inside is what an odd number of them surrounds. `value` is the attribute's text."""

    rings: tuple[Array, ...]
    value: str


def read_polygons(path: str | Path, field: str) -> tuple[list[Polygon], str]:
    """All polygons of a .json, .geojson or .shp file with the text of attribute `field`, and their coordinate system.

    A shapefile needs its .dbf, and its .prj unless it lies in longitude and latitude. Points and lines are no
    polygons: E-INPUT-SCHEMA, as for a missing attribute.
    """
    path = Path(path)
    if path.suffix.lower() == ".shp":
        return _shapefile(path, field)
    inspect_file(path, "text")
    with reading(path):
        data = json.loads(path.read_text("utf-8"))
        features = data["features"] if data["type"] == "FeatureCollection" else [data]
        crs = str(data["crs"]["properties"]["name"]) if data.get("crs") else LONLAT
        out = []
        for feature in features:
            properties, geometry = feature["properties"] or {}, feature["geometry"]
            if field not in properties:
                raise _no_field(path, field, list(properties))
            if geometry is None:
                continue
            if geometry["type"] not in ("Polygon", "MultiPolygon"):
                cause = f"holds a {str(geometry['type'])[:40]}, not polygons"
                raise InputError("E-INPUT-SCHEMA", where=path, cause=cause, remedy="give polygons")
            parts = [geometry["coordinates"]] if geometry["type"] == "Polygon" else geometry["coordinates"]
            rings = tuple(np.array([p[:2] for p in ring], float) for part in parts for ring in part)
            out.append(Polygon(rings, plain(properties[field])))
    return out, crs


def rasterise(polygons: Sequence[Polygon], crs: str, codes: Mapping[str, int], grid: Grid) -> Array:
    """Code of the polygon that holds each cell's centre, (rows, columns) int32; 0 outside all; the last one wins.

    Edges longer than 0.1 degree (10 km) are divided before they are brought into the grid's plane. A polygon that
    crosses the antimeridian must be cut there, as GeoJSON asks.
    """
    features = need("rasterio.features", extra="geo")
    from pyproj import Transformer
    from rasterio.transform import Affine

    source = crs_of(crs)
    same = grid.is_geographic and source.is_geographic
    turn = None if same else Transformer.from_crs(source, crs_of(grid.crs), always_xy=True)
    shapes = []
    for polygon in polygons:
        if polygon.value not in codes:
            continue
        rings = [_divided(ring, LONGEST[bool(source.is_geographic)]) if turn else ring for ring in polygon.rings]
        if turn:
            rings = [np.column_stack(turn.transform(*ring.T)) for ring in rings]
        rings = [ring.tolist() for ring in rings if len(ring) > 3 and np.isfinite(ring).all()]
        if rings:
            shapes.append(({"type": "Polygon", "coordinates": rings}, int(codes[polygon.value])))
    if not shapes:
        return np.zeros(grid.shape, np.int32)
    place = Affine.from_gdal(*grid.geotransform)
    return np.asarray(features.rasterize(shapes, out_shape=grid.shape, transform=place, fill=0, dtype="int32"))


def plain(value: Any) -> str:
    """An attribute or a code as text: whole numbers without a point, blanks at the ends off.

    >>> plain(3.0), plain(" 3 "), plain("very stable"), plain(None)
    ('3', '3', 'very stable', '')
    """
    text = "" if value is None else str(value).strip()
    try:
        return f"{float(text):g}"
    except ValueError:
        return text


def _divided(ring: Array, longest: float) -> Array:
    """The ring with points added on its longer edges."""
    edges = np.diff(ring, axis=0)
    pieces = np.maximum(np.ceil(np.abs(edges).max(axis=1) / longest), 1).astype(int)
    start = np.repeat(np.arange(len(edges)), pieces)
    share = (np.arange(start.size) - np.repeat(np.cumsum(pieces) - pieces, pieces)) / np.repeat(pieces, pieces)
    return np.vstack([ring[start] + share[:, None] * edges[start], ring[-1:]])


def _shapefile(path: Path, field: str) -> tuple[list[Polygon], str]:
    inspect_file(path, "text")
    with reading(path):
        raw = path.read_bytes()
        if len(raw) < SHP_HEADER or struct.unpack_from(">i", raw)[0] != SHP_CODE:
            raise InputError("E-INPUT-SCHEMA", where=path, cause="not a shapefile", remedy="give the .shp file")
        length, kind = 2 * struct.unpack_from(">i", raw, 24)[0], struct.unpack_from("<i", raw, 32)[0]
        if len(raw) < length:
            cause = f"truncated: {len(raw)} bytes of {length}"
            raise InputError("E-INPUT-TRUNC", where=path, cause=cause, remedy="fetch it again")
        if kind not in SHP_POLYGONS:
            cause = f"holds shapes of type {kind}, not polygons"
            raise InputError("E-INPUT-SCHEMA", where=path, cause=cause, remedy="give polygons")
        shapes, at = [], SHP_HEADER
        while at + 12 <= length:
            size = 2 * struct.unpack_from(">i", raw, at + 4)[0]
            shapes.append(_rings(raw[at + 8 : at + 8 + size]))
            at += 8 + size
    values = _attribute(path.with_suffix(".dbf"), field)
    if len(values) != len(shapes):
        cause = f"{len(shapes)} shapes and {len(values)} rows of attributes"
        raise InputError("E-INPUT-CORRUPT", where=path, cause=cause, remedy="fetch .shp and .dbf again")
    crs, prj = LONLAT, path.with_suffix(".prj")
    if prj.is_file():
        crs = prj.read_text("latin-1")
    elif shapes and max((np.abs(r).max() for rings in shapes for r in rings), default=0) > 360:
        cause = "its coordinates are no degrees and there is no .prj beside it"
        raise InputError("E-INPUT-GRID", where=path, cause=cause, remedy="add the .prj file")
    return [Polygon(rings, value) for rings, value in zip(shapes, values, strict=True) if rings], crs


def _rings(record: bytes) -> tuple[Array, ...]:
    """The rings of one polygon record; none of a null shape."""
    if struct.unpack_from("<i", record)[0] not in SHP_POLYGONS:
        return ()
    parts, points = struct.unpack_from("<2i", record, 36)
    begins = np.frombuffer(record, "<i4", parts, 44)
    xy = np.frombuffer(record, "<f8", 2 * points, 44 + 4 * parts).reshape(-1, 2)
    return tuple(np.split(xy, begins[1:]))


def _attribute(path: Path, field: str) -> list[str]:
    """One column of a dBASE III table as text."""
    inspect_file(path, "text")
    with reading(path):
        raw = path.read_bytes()
        rows, header, width = struct.unpack_from("<IHH", raw, 4)
        names, at = {}, 1  # a byte that marks deleted rows comes first
        for start in range(32, header - 1, 32):
            name = raw[start : start + 11].split(b"\0")[0].decode("latin-1")
            names[name], at = slice(at, at + raw[start + 16]), at + raw[start + 16]
        if field not in names:
            raise _no_field(path, field, list(names))
        if len(raw) < header + rows * width:
            cause = f"truncated: {len(raw)} bytes of {header + rows * width}"
            raise InputError("E-INPUT-TRUNC", where=path, cause=cause, remedy="fetch it again")
        table = [raw[header + i * width : header + (i + 1) * width] for i in range(rows)]
        return [plain(row[names[field]].decode("utf-8", "replace").strip("\0 ")) for row in table]


def _no_field(path: Path, field: str, names: list[str]) -> InputError:
    cause = f"no attribute {field!r} (it has {', '.join(names[:12]) or 'none'})"
    return InputError("E-INPUT-SCHEMA", where=path, cause=cause, remedy="name the attribute with `field`")
