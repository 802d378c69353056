"""Where the land is: packaged Natural Earth polygons, as rings, as lines on a grid, as a land mask.

The polygons are Natural Earth 4.1.0 "land" (public domain), scales 1:50m and 1:110m, quantised to about
0.004 degrees; `tools/make_coast.py` says how they were made. Lakes are land, the Caspian is sea.
"""

from functools import cache
from importlib.resources import files
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pyproj import CRS, Transformer

from frostline.grid import Grid

Scale = Literal["50m", "110m"]
Ring = NDArray[np.float64]

# The pole itself is singular in the azimuthal projection of the other hemisphere; 11 m away it is not.
POLE = 89.9999


def polygons(scale: Scale = "50m") -> list[list[Ring]]:
    """Land polygons: for each, its closed rings of (n, 2) longitude, latitude in degrees, outer ring first.

    Longitudes lie in [-180, 180]; a ring that crosses the antimeridian jumps there (it is not cut), and the
    ring of Antarctica runs once around the pole. Source: Natural Earth 4.1.0 by way of world-atlas 2.0.2.

    >>> land = polygons("110m")
    >>> len(land), land[0][0].shape[1], max(len(rings) for rings in land)
    (125, 2, 2)
    """
    rings, owner = _read(scale)
    out: list[list[Ring]] = [[] for _ in range(int(owner[-1]) + 1)]
    for ring, number in zip(rings, owner, strict=True):
        out[number].append(ring.copy())
    return out


def land_mask(grid: Grid, *, scale: Scale = "50m") -> NDArray[np.bool_]:
    """Cells whose centre lies on land, (rows, cols) bool, by the even-odd rule in the grid's own plane.

    Any window of a geographic, cylindrical or azimuthal grid, the antimeridian and the poles included.
    """
    rows, cols = grid.shape
    toggles = np.zeros((rows, cols + 1), np.int32)
    south_up, east = grid.y[::-1], grid.x
    for ring in rings_on(grid, scale=scale):
        x0, y0 = ring[:-1].T
        x1, y1 = ring[1:].T
        # Half-open in y, so that a vertex on a row's centre counts for one of its two edges only.
        first = np.searchsorted(south_up, np.minimum(y0, y1), side="left")
        count = np.searchsorted(south_up, np.maximum(y0, y1), side="left") - first
        edge = np.repeat(np.arange(count.size), count)
        if not edge.size:
            continue
        row = np.arange(edge.size) - np.repeat(np.cumsum(count) - count, count) + first[edge]
        share = (south_up[row] - y0[edge]) / (y1[edge] - y0[edge])
        crossing = x0[edge] + share * (x1[edge] - x0[edge])
        # Every centre east of the crossing changes sides.
        col = np.searchsorted(east, crossing, side="right")
        np.add.at(toggles, (rows - 1 - row, col), 1)
    return (np.cumsum(toggles[:, :cols], axis=1) % 2).astype(bool)


def coast_lines(grid: Grid, *, scale: Scale = "50m", margin: float = 0.02) -> list[Ring]:
    """Coast lines near a grid, each (n, 2) x, y in its coordinates; not clipped at its very border.

    `margin` is the width kept around the window, as a share of its larger side.
    """
    west, east, south, north = edges(grid)
    pad = margin * max(east - west, north - south)
    out: list[Ring] = []
    for ring in rings_on(grid, scale=scale, seams=False):
        x, y = ring.T
        near = (x >= west - pad) & (x <= east + pad) & (y >= south - pad) & (y <= north + pad)
        # An edge is kept where either of its ends is near: no segment is cut short inside the window.
        keep = near[:-1] | near[1:]
        starts = np.flatnonzero(keep & ~np.r_[False, keep[:-1]])
        stops = np.flatnonzero(keep & ~np.r_[keep[1:], False])
        out.extend(ring[a : b + 2] for a, b in zip(starts, stops, strict=True))
    return out


def edges(grid: Grid) -> tuple[float, float, float, float]:
    """Outer borders (west, east, south, north) of a grid in its own coordinates."""
    rows, cols = grid.shape
    return grid.left, grid.left + cols * grid.step, grid.top - rows * grid.step, grid.top


def rings_on(grid: Grid, *, scale: Scale = "50m", seams: bool = True) -> list[Ring]:
    """Land rings in the grid's own coordinates, those whose bounding box meets the grid, each (n, 2).

    With `seams` the ring of Antarctica is closed by way of the pole, as areas need; without, it is left
    open, as lines need. On grids where x follows longitude a ring is repeated every 360 degrees as needed.
    """
    rings = _unwrapped(scale)
    if not seams:
        rings = tuple(_open(ring) for ring in rings)
    west, east, south, north = edges(grid)
    lengths = np.array([len(ring) for ring in rings])
    lon, lat = np.concatenate(rings).T
    crs = CRS.from_user_input(grid.crs)
    turn = 0.0
    if crs.is_geographic:
        x, y, turn = lon, lat, 360.0
    else:
        to_plane = Transformer.from_crs(crs.geodetic_crs, crs, always_xy=True)
        operation = crs.coordinate_operation
        if operation is not None and "Cylindrical" in operation.method_name:
            # PROJ would wrap longitudes beyond 180; x is linear in longitude, so it needs no PROJ.
            zero, one = to_plane.transform(np.array([0.0, 1.0]), np.zeros(2))[0]
            x, turn = zero + (one - zero) * lon, 360.0 * (one - zero)
            y = to_plane.transform(np.zeros_like(lat), lat)[1]
        else:
            x, y = to_plane.transform(lon, lat)
    plane = np.column_stack([x, y])
    stop = np.cumsum(lengths)
    begin = stop - lengths
    x_low, x_high = np.minimum.reduceat(x, begin), np.maximum.reduceat(x, begin)
    y_low, y_high = np.minimum.reduceat(y, begin), np.maximum.reduceat(y, begin)
    out: list[Ring] = []
    for i in np.flatnonzero((y_high >= south) & (y_low <= north)):
        ring = plane[begin[i] : stop[i]]
        if not turn:
            if x_high[i] >= west and x_low[i] <= east:
                out.append(ring)
            continue
        lowest, highest = np.ceil((west - x_high[i]) / turn), np.floor((east - x_low[i]) / turn)
        out.extend(ring + np.array([k * turn, 0.0]) for k in np.arange(lowest, highest + 1))
    return out


@cache
def _read(scale: Scale) -> tuple[tuple[Ring, ...], NDArray[np.int32]]:
    """Rings in degrees and the polygon that each belongs to, as packaged."""
    with (files("frostline") / "data" / "land.npz").open("rb") as file, np.load(file) as data:
        step, origin = data[f"{scale}_transform"]
        points = np.cumsum(data[f"{scale}_steps"].T.astype(np.int64), axis=0)
        # 1e-9 degrees: the two ends of the world become -180 and 180 exactly.
        degrees = np.round(points * step + origin, 9)
        rings = np.split(degrees, np.cumsum(data[f"{scale}_lengths"])[:-1])
        return tuple(rings), data[f"{scale}_polygon"]


@cache
def _unwrapped(scale: Scale) -> tuple[Ring, ...]:
    """Rings with continuous longitudes; one that runs around a pole is closed by way of that pole."""
    out = []
    for ring in _read(scale)[0]:
        lon = np.round(np.unwrap(ring[:, 0], period=360.0), 9)
        lat = np.clip(ring[:, 1], -POLE, POLE)
        turned = lon[-1] - lon[0]
        if abs(turned) > 180:
            # One step a degree, so that the circle stays a circle in azimuthal planes.
            back = np.linspace(lon[-1], lon[0], 361)
            lon = np.r_[lon, back, lon[0]]
            lat = np.r_[lat, np.full(back.size, np.copysign(POLE, lat.mean())), lat[0]]
        out.append(np.column_stack([lon, lat]))
    return tuple(out)


def _open(ring: Ring) -> Ring:
    """The ring without its way over the pole."""
    at_pole = np.abs(ring[:, 1]) >= POLE
    return ring[: int(np.argmax(at_pole))] if at_pole.any() else ring
