"""Where cells lie: a grid as six facts and their consequences."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from frostline.errors import ConfigError

if TYPE_CHECKING:
    import xarray as xr
    from pyproj import CRS, Transformer

Array = np.ndarray
WGS84_AREA = 510065621724088.44  # m2, surface of the WGS 84 ellipsoid
EARTH_HALF = WGS84_AREA / 2
EXACT = 1e-6  # of a cell: how far two windows of one grid may disagree


@dataclass(frozen=True)
class Grid:
    """A raster of equal steps in a coordinate system; rows go south, columns go east.

    `left`, `top` are the OUTER corner of cell (0, 0); `step` is in metres, or degrees when `crs` is
    EPSG:4326. Equal by value, hashable, written to and read from datasets.

    >>> g = named("N09")
    >>> g.shape, g.x[0], g.y[0]
    ((2000, 2000), np.float64(-8995500.0), np.float64(8995500.0))
    >>> [int(i[0]) for i in g.locate([-44.904507123], [55.244858426])]
    [1300, 700]
    """

    name: str
    crs: str
    left: float
    top: float
    step: float
    shape: tuple[int, int]

    def __post_init__(self) -> None:
        rows, cols = self.shape
        if self.step <= 0 or rows < 1 or cols < 1:
            raise ConfigError("E-GRID", where=self.name, cause=f"grid of step {self.step}, shape {self.shape}")
        object.__setattr__(self, "shape", (int(rows), int(cols)))

    @property
    def is_geographic(self) -> bool:
        """Whether x and y are longitude and latitude in degrees."""
        return self.crs == "EPSG:4326"

    @property
    def wraps(self) -> bool:
        """Whether the columns go once round the Earth."""
        return self.is_geographic and abs(self.shape[1] * self.step - 360.0) < EXACT

    @property
    def x(self) -> Array:
        """Cell centres, west to east, (columns,) float64."""
        return self.left + (np.arange(self.shape[1]) + 0.5) * self.step

    @property
    def y(self) -> Array:
        """Cell centres, north to south, (rows,) float64."""
        return self.top - (np.arange(self.shape[0]) + 0.5) * self.step

    @property
    def geotransform(self) -> tuple[float, float, float, float, float, float]:
        """GDAL order: left, step, 0, top, 0, -step."""
        return (self.left, self.step, 0.0, self.top, 0.0, -self.step)

    def lonlat(self) -> tuple[Array, Array]:
        """Longitude (-180..180) and latitude of the cell centres, degrees, each (rows, columns) float64."""
        if self.is_geographic:
            lon, lat = np.meshgrid(_degrees(self.x), self.y)
            return lon, lat
        lon, lat = _to_lonlat(self.crs).transform(*np.meshgrid(self.x, self.y))
        return np.asarray(lon), np.asarray(lat)

    def position(self, lon: Any, lat: Any) -> tuple[Array, Array]:
        """Fractional (row, column) of points in degrees; cell centres lie at whole numbers; not clipped.

        Points that the projection cannot hold are NaN. On a grid that wraps, columns are in -0.5..columns-0.5.
        """
        lon, lat = np.broadcast_arrays(np.asarray(lon, float), np.asarray(lat, float))
        if self.is_geographic:
            span = np.mod(lon - self.left, 360.0)
            # a regional grid may begin east of the point: the shorter way round decides
            middle = self.shape[1] * self.step / 2
            span = span if self.wraps else np.where(span > middle + 180.0, span - 360.0, span)
            return (self.top - lat) / self.step - 0.5, span / self.step - 0.5
        x, y = _from_lonlat(self.crs).transform(lon, lat)
        x, y = np.asarray(x, float), np.asarray(y, float)
        x, y = np.where(np.isfinite(x), x, np.nan), np.where(np.isfinite(y), y, np.nan)
        return (self.top - y) / self.step - 0.5, (x - self.left) / self.step - 0.5

    def locate(self, lon: Any, lat: Any) -> tuple[Array, Array]:
        """(row, column) int64 of the cell that contains each point; -1, -1 outside the grid."""
        row, col = self.position(lon, lat)
        with np.errstate(invalid="ignore"):
            r, c = np.floor(row + 0.5), np.floor(col + 0.5)
            inside = (r >= 0) & (r < self.shape[0]) & (c >= 0) & (c < self.shape[1])
        return np.where(inside, r, -1).astype(np.int64), np.where(inside, c, -1).astype(np.int64)

    def window(self, rows: slice, cols: slice) -> Grid:
        """The same cells, fewer of them. `rows` and `cols` are plain slices within the grid."""
        (r0, r1), (c0, c1) = (_bounds(s, n, self.name) for s, n in zip((rows, cols), self.shape, strict=True))
        left, top = self.left + c0 * self.step, self.top - r0 * self.step
        return replace(self, left=left, top=top, shape=(r1 - r0, c1 - c0))

    def around(self, lon: float, lat: float, shape: tuple[int, int]) -> Grid:
        """The window of `shape` whose middle cell contains the point; moved inwards at the grid's edge."""
        row, col = (int(v) for v in self.locate(lon, lat))
        if row < 0:
            raise ConfigError("E-GRID", where=self.name, cause=f"{lon} E {lat} N lies outside the grid")
        if shape[0] > self.shape[0] or shape[1] > self.shape[1]:
            raise ConfigError("E-GRID", where=self.name, cause=f"a window of {shape} is larger than {self.shape}")
        r0 = min(max(row - shape[0] // 2, 0), self.shape[0] - shape[0])
        c0 = min(max(col - shape[1] // 2, 0), self.shape[1] - shape[1])
        return self.window(slice(r0, r0 + shape[0]), slice(c0, c0 + shape[1]))

    def offset(self, parent: Grid) -> tuple[int, int]:
        """(row, column) of the parent's cell where this window begins; an error when it is not its window."""
        row, col = (parent.top - self.top) / self.step, (self.left - parent.left) / self.step
        r, c = round(row), round(col)
        aligned = (
            self.crs == parent.crs
            and abs(self.step - parent.step) <= EXACT * self.step
            and max(abs(row - r), abs(col - c)) < 1e-3
            and r >= 0
            and c >= 0
            and r + self.shape[0] <= parent.shape[0]
            and c + self.shape[1] <= parent.shape[1]
        )
        if not aligned:
            raise ConfigError(
                "E-GRID",
                where=self.name,
                cause=f"{self.crs} {self.geotransform} {self.shape} is no window of "
                f"{parent.name} {parent.geotransform} {parent.shape}",
            )
        return r, c

    def area(self) -> Array:
        """Cell areas in m2, (rows, 1) float64: constant on equal-area grids, by latitude on degrees.

        The band between two latitudes is taken on the authalic sphere of WGS 84: within 0.4 % of the
        ellipsoid's own bands, exact in the sum over the globe.
        """
        if not self.is_geographic:
            return np.full((self.shape[0], 1), self.step**2)
        edges = np.deg2rad(np.clip(self.top - np.arange(self.shape[0] + 1) * self.step, -90.0, 90.0))
        band = EARTH_HALF * (np.sin(edges[:-1]) - np.sin(edges[1:]))
        return (band * self.step / 360.0)[:, None]

    @cached_property
    def north(self) -> Array:
        """(rows, columns) bool: cells of the northern hemisphere (the corners of a polar square are not)."""
        return np.asarray(self.lonlat()[1] >= 0)

    def write(self, ds: xr.Dataset) -> xr.Dataset:
        """The dataset with this grid's coordinates, a CF grid mapping and the attributes `of` reads."""
        if (ds.sizes.get("y", self.shape[0]), ds.sizes.get("x", self.shape[1])) != self.shape:
            raise ConfigError("E-GRID", where=self.name, cause=f"data of {dict(ds.sizes)} on a grid of {self.shape}")
        geographic = ("longitude", "latitude")
        names = geographic if self.is_geographic else ("projection_x_coordinate", "projection_y_coordinate")
        units = ("degrees_east", "degrees_north") if self.is_geographic else ("m", "m")
        ds = ds.assign_coords(
            x=("x", self.x, {"standard_name": names[0], "units": units[0], "axis": "X"}),
            y=("y", self.y, {"standard_name": names[1], "units": units[1], "axis": "Y"}),
            spatial_ref=(
                (),
                np.int32(0),
                dict(_cf(self.crs), GeoTransform=" ".join(map(repr, self.geotransform))),
            ),
        )
        for variable in ds.data_vars.values():
            if {"y", "x"} <= set(variable.dims):
                variable.attrs["grid_mapping"] = "spatial_ref"
        return ds.assign_attrs(self.attrs())

    def attrs(self) -> dict[str, Any]:
        """The six facts as plain attributes."""
        return {
            "grid_name": self.name,
            "grid_crs": self.crs,
            "grid_left": float(self.left),
            "grid_top": float(self.top),
            "grid_step": float(self.step),
            "grid_shape": [int(n) for n in self.shape],
        }

    @staticmethod
    def of(ds: xr.Dataset) -> Grid:
        """The grid that `write` put into a dataset."""
        a = ds.attrs
        try:
            shape = (int(a["grid_shape"][0]), int(a["grid_shape"][1]))
            numbers = (float(a["grid_left"]), float(a["grid_top"]), float(a["grid_step"]))
        except KeyError as error:
            raise ConfigError("E-GRID", cause=f"the dataset carries no grid (attribute {error} is missing)") from None
        return Grid(str(a["grid_name"]), str(a["grid_crs"]), *numbers, shape)


# formats.md 9.1-9.3: UL corners, cells and shapes as the producers publish them.
_EASE2_LEFT, _EASE2_TOP = -17367530.4451615, 7314540.8306386
GRIDS = {
    "N09": Grid("N09", "EPSG:6931", -9e6, 9e6, 9000.0, (2000, 2000)),
    "N36": Grid("N36", "EPSG:6931", -9e6, 9e6, 36000.0, (500, 500)),
    "M09": Grid("M09", "EPSG:6933", _EASE2_LEFT, _EASE2_TOP, 9008.055210146, (1624, 3856)),
    "M36": Grid("M36", "EPSG:6933", _EASE2_LEFT, _EASE2_TOP, 36032.220840584, (406, 964)),
    # the table's corner is rounded to a millimetre; the projection's edge and the symmetry about y = 0 give the rest
    "M25": Grid("M25", "EPSG:6933", _EASE2_LEFT, 292 * 25025.2600081, 25025.2600081, (584, 1388)),
    "ML25": Grid("ML25", "EPSG:3410", -17334193.5375, 7344784.825, 25067.525, (586, 1383)),
}


def named(name: str) -> Grid:
    """A whole grid by its field name: N09, N36 (EASE-Grid 2.0 north), M09, M36, M25 (global), ML25 (original)."""
    try:
        return GRIDS[name]
    except KeyError:
        raise ConfigError("E-GRID", cause=f"no grid is called {name!r}", remedy=f"use {', '.join(GRIDS)}") from None


def regular(
    step: float,
    *,
    left: float = -180.0,
    top: float = 90.0,
    shape: tuple[int, int] | None = None,
    name: str | None = None,
) -> Grid:
    """A longitude/latitude grid; `left`, `top` are outer corners, so ERA5 begins at -0.125 E, 90.125 N.

    >>> float(regular(0.25, left=-0.125, top=90.125, shape=(721, 1440)).y[0])
    90.0
    """
    if shape is None:
        shape = (round(180.0 / step), round(360.0 / step))
    return Grid(name or f"lonlat-{step:g}", "EPSG:4326", left, top, step, shape)


def _degrees(lon: Array) -> Array:
    """Longitudes brought into -180..180."""
    return np.mod(lon + 180.0, 360.0) - 180.0


def _bounds(part: slice, size: int, name: str) -> tuple[int, int]:
    start, stop, step = part.indices(size)
    within = (part.start or 0) >= 0 and (part.stop is None or part.stop <= size)
    if step != 1 or stop <= start or not within:
        raise ConfigError("E-GRID", where=name, cause=f"the window {part} does not lie within {size} cells")
    return start, stop


@lru_cache(maxsize=16)
def _from_lonlat(crs: str) -> Transformer:
    from pyproj import Transformer

    return Transformer.from_crs("EPSG:4326", crs, always_xy=True)


@lru_cache(maxsize=16)
def _to_lonlat(crs: str) -> Transformer:
    from pyproj import Transformer

    return Transformer.from_crs(crs, "EPSG:4326", always_xy=True)


@lru_cache(maxsize=16)
def crs_of(crs: str) -> CRS:
    """The pyproj CRS of a code, made once."""
    from pyproj import CRS

    return CRS.from_user_input(crs)


@lru_cache(maxsize=16)
def _cf(crs: str) -> dict[str, Any]:
    return {k: v for k, v in crs_of(crs).to_cf().items() if isinstance(v, str | float | int | list)}
