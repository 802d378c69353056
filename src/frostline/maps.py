"""Fields on their own grid: colours, coast lines, graticule and a locator, drawn on matplotlib axes."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.colors import Colormap, LinearSegmentedColormap, Normalize, to_rgba
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Patch, PathPatch, Rectangle
from matplotlib.path import Path
from numpy.typing import NDArray
from pyproj import Transformer

from frostline.coast import Ring, coast_lines, edges, rings_on
from frostline.grid import Grid, regular

# Blue and orange stay apart under all common colour-vision deficiencies (Wong 2011, Nature Methods 8, 441).
FROZEN, THAWED = "#1f5fa8", "#c8690e"
SEA, UNKNOWN, UNKNOWN_HATCH, INK, GRID_LINE = "#e4edf3", "#ececec", "#a9a9a9", "#222222", "#8a8a8a"
PROBABILITY = LinearSegmentedColormap.from_list(
    "thawed_frozen", ["#a4500a", THAWED, "#f0b878", "#f5f3ef", "#92bde0", FROZEN, "#123f78"]
)
WIDTH = 9.0  # inches: 900 px at 100 dpi, the width at which the report shows a figure
FONT = 10.5  # points: 14.6 px there
GRATICULE_STEPS = (0.5, 1, 2, 5, 10, 15, 30, 45)


def sheet(height: float, *, note: str = "", width: float = WIDTH) -> Figure:
    """An empty figure (inches) outside pyplot's state; `note` is stamped on it, top right ("twin Earth")."""
    figure = Figure(figsize=(width, height), dpi=100, layout="constrained")
    engine = figure.get_layout_engine()
    if note:
        figure.text(
            1 - 0.008, 1 - 0.06 / height, note, ha="right", va="top", fontsize=FONT - 1, color="white",
            fontweight="bold", parse_math=False, bbox={"boxstyle": "round,pad=0.3", "fc": "#5b3a8c", "ec": "none"},
        )  # fmt: skip
        engine.set(rect=(0, 0, 1, 1 - 0.32 / height))  # type: ignore[union-attr, call-arg]
    return figure


def style(ax: Axes, *, title: str = "", xlabel: str = "", ylabel: str = "") -> None:
    """Fonts, quiet frame and labels of one chart; texts are taken literally (a "$" is a dollar)."""
    ax.set_title(title, fontsize=FONT + 0.5, loc="left", color=INK, parse_math=False)
    ax.set_xlabel(xlabel, fontsize=FONT, color=INK, parse_math=False)
    ax.set_ylabel(ylabel, fontsize=FONT, color=INK, parse_math=False)
    ax.tick_params(labelsize=FONT - 1, colors=INK)
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)


def unknown_patch(label: str = "unknown") -> Patch:
    """The legend's entry for cells without a value."""
    return Patch(facecolor=UNKNOWN, edgecolor=UNKNOWN_HATCH, hatch="////", linewidth=0, label=label)


def map_field(
    ax: Axes,
    field: NDArray,
    grid: Grid,
    *,
    cmap: Colormap | str = PROBABILITY,
    norm: Normalize | None = None,
    land: NDArray[np.bool_] | None = None,
    title: str = "",
    labels: bool = True,
) -> ScalarMappable:
    """Draw a (y, x) field in its grid's own projection, with coast lines and graticule.

    NaN is hatched grey, except where `land` (y, x) is False: plain sea. Without `norm`, 0 to 1.
    `labels` writes degrees along the frame. Of a polar square nothing is drawn beyond the equator.
    Returns what a colour bar needs.
    """
    if field.shape != grid.shape:
        raise ValueError(f"a field of {field.shape} on a grid of {grid.shape}")
    west, east, south, north = edges(grid)
    frame = Rectangle((west, south), east - west, north - south, facecolor=UNKNOWN, edgecolor=UNKNOWN_HATCH)
    frame.set(hatch="////", linewidth=0, zorder=0)
    ax.add_patch(frame)
    colours = ScalarMappable(norm or Normalize(0, 1), cmap)
    values = np.ma.masked_invalid(np.asarray(field, dtype=float))
    # One picture of bytes, so that land, sea and unknown are thinned out alike where cells outnumber pixels.
    picture = colours.to_rgba(values, bytes=True)
    if land is not None:
        picture[np.ma.getmaskarray(values) & ~land] = [round(255 * part) for part in to_rgba(SEA)]
    image = ax.imshow(picture, extent=(west, east, south, north), origin="upper", interpolation="nearest", zorder=1)
    degrees = east - west if grid.is_geographic else (east - west) / 111e3
    width = 0.35 if degrees > 60 else 0.7
    coast = ax.add_collection(LineCollection(coast_lines(grid), colors=INK, linewidths=width, zorder=4))
    middle = (north + south) / 2
    ax.set_aspect(1 / np.cos(np.deg2rad(np.clip(middle, -70, 70))) if grid.is_geographic else 1)
    graticule(ax, grid, labels=labels)
    ax.set(xlim=(west, east), ylim=(south, north))
    if (disc := _hemisphere(grid)) is not None:
        disc.set(facecolor="none", edgecolor=INK, linewidth=0.8, zorder=6)
        ax.add_patch(disc)
        for artist in (frame, image, coast):
            artist.set_clip_path(disc)
        ax.spines[:].set_visible(False)
    ax.set_title(title, fontsize=FONT + 0.5, loc="left", color=INK, parse_math=False)
    return colours


def _hemisphere(grid: Grid) -> Circle | None:
    """The equator around a polar square whose corners lie beyond it; None for any other grid."""
    if grid.crs != "EPSG:6931":
        return None
    west, east, south, north = edges(grid)
    corners = _lonlat(grid, np.array([west, east, east, west]), np.array([south, south, north, north]))[1]
    radius = -_plane(grid, np.zeros(1), np.zeros(1))[0, 1]
    # as far as the square reaches: its sides end 10 km short of the equator
    return Circle((0, 0), min(radius, east, north)) if corners.max() < 0 else None


def graticule(ax: Axes, grid: Grid, *, labels: bool) -> None:
    """Meridians and parallels over a map, degrees along the frame, an arrow to the north where it is not up."""
    west, east, south, north = edges(grid)
    lon, lat = _lonlat(grid, *np.meshgrid(np.linspace(west, east, 25), np.linspace(south, north, 25)))
    disc = _hemisphere(grid)
    lowest = 0.0 if disc is not None else -90.0
    good = np.isfinite(lon) & (lat >= lowest)
    if not good.any():
        return
    lon0 = _middle(lon[good])
    away = _turn(lon[good] - lon0)
    step_lon, step_lat = _nice(np.ptp(away)), _nice(np.ptp(lat[good]))
    meridians = np.arange(np.floor((lon0 + away.min()) / step_lon), (lon0 + away.max()) / step_lon + 1) * step_lon
    parallels = np.arange(np.floor(lat[good].min() / step_lat), lat[good].max() / step_lat + 1) * step_lat
    if np.ptp(away) > 350:
        meridians = np.arange(-180, 180, step_lon)
    parallels = parallels[np.abs(parallels) < 90]
    along_lat = np.linspace(max(lat[good].min() - 1, lowest, -89.9), min(lat[good].max() + 1, 89.9), 181)
    along_lon = lon0 + np.linspace(away.min() - 1, away.max() + 1, 361)
    lines = [_plane(grid, np.full(181, m), along_lat) for m in meridians]
    lines += [_plane(grid, along_lon, np.full(361, p)) for p in parallels]
    ax.add_collection(LineCollection(lines, colors=GRID_LINE, linewidths=0.5, linestyles=(0, (4, 4)), zorder=3))
    ax.set(xticks=[], yticks=[])
    if not labels:
        return
    done: set[str] = set()
    for side in ("bottom", "left", "right"):  # the title stands on top
        lying = side == "bottom"
        along = np.linspace(west, east, 201) if lying else np.linspace(south, north, 201)
        fixed = np.full(201, {"bottom": south, "left": west, "right": east}[side])
        edge_lon, edge_lat = _lonlat(grid, along, fixed) if lying else _lonlat(grid, fixed, along)
        along, edge_lon, edge_lat = (v[edge_lat >= lowest] for v in (along, edge_lon, edge_lat))
        if not along.size:
            continue
        marks = [(v, degrees_text(u, "EW")) for v, u in _crossings(along, edge_lon, step_lon, wraps=True)]
        other = [(v, degrees_text(u, "NS")) for v, u in _crossings(along, edge_lat, step_lat, wraps=False)]
        room = (east - west) * 0.12 if lying else (north - south) * 0.07
        taken: list[float] = []
        for place, text in marks + other if lying else other + marks:
            # A line is labelled once, and never over another label.
            if text in done or any(abs(place - at) < room for at in taken):
                continue
            done.add(text)
            taken.append(place)
            _label(ax, side, (place, fixed[0]) if lying else (fixed[0], place), text)
    if not grid.is_geographic and np.ptp(lat[good]) < 25:
        _north(ax, grid)


def _north(ax: Axes, grid: Grid) -> None:
    """An arrow in the lower right corner that points along the meridian there."""
    west, east, south, north = edges(grid)
    size = min(east - west, north - south)
    tail = np.array([east - 0.09 * size, south + 0.09 * size])
    lon, lat = _lonlat(grid, tail[:1], tail[1:])
    ahead = _plane(grid, lon, lat + 0.1)[0] - tail
    ahead *= 0.05 * size / np.hypot(*ahead)
    ax.annotate("", tail + ahead, tail - ahead, zorder=8,
                arrowprops={"arrowstyle": "-|>", "color": INK, "lw": 1.6, "mutation_scale": 13})  # fmt: skip
    ax.annotate("N", tail + 1.45 * ahead, fontsize=FONT - 2, fontweight="bold", color=INK, ha="center",
                va="center", zorder=8, bbox={"boxstyle": "circle,pad=0.15", "fc": "white", "ec": "none"})  # fmt: skip


def _label(ax: Axes, side: str, at: tuple[float, float], text: str) -> None:
    """One degree text outside the frame."""
    horizontal = {"left": "right", "right": "left"}.get(side, "center")
    vertical = "top" if side == "bottom" else "center"
    shift = {"bottom": (0, -4), "left": (-4, 0), "right": (4, 0)}[side]
    ax.annotate(text, at, shift, textcoords="offset points", fontsize=FONT - 2, color=INK,
                ha=horizontal, va=vertical)  # fmt: skip


def degrees_text(value: float, letters: str) -> str:
    """A latitude ("NS") or longitude ("EW") for the frame.

    >>> degrees_text(-132.5, "EW"), degrees_text(60, "NS"), degrees_text(180, "EW"), degrees_text(190, "EW")
    ('132.5°W', '60°N', '180°', '170°W')
    """
    if letters == "EW":
        value = float(_turn(np.array(value)))
    if value == 0 or abs(value) == 180:
        return f"{abs(value):g}°"
    return f"{abs(value):g}°{letters[0] if value > 0 else letters[1]}"


def locator(ax: Axes, grid: Grid) -> None:
    """Draw on small axes where a grid lies.

    A polar map where the whole grid lies north of 25 N, otherwise a map of the world.
    """
    west, east, south, north = edges(grid)
    along = np.linspace(0, 1, 41)
    x = west + (east - west) * np.r_[along, np.ones(41), along[::-1], np.zeros(41)]
    y = south + (north - south) * np.r_[np.zeros(41), along, np.ones(41), along[::-1]]
    lon, lat = _lonlat(grid, x, y)
    lon = np.unwrap(lon, period=360) if np.isfinite(lon).all() else lon
    if np.nanmin(lat) > 25:
        view = Grid("polar", "EPSG:6931", -6.9e6, 6.9e6, 3.45e4, (400, 400))  # 25 N is 6.9e6 m from the pole
    else:
        view = regular(1.0)
    west, east, south, north = edges(view)
    verts = [Path(ring, closed=True) for ring in rings_on(view, scale="110m")]
    land = PathPatch(Path.make_compound_path(*verts), facecolor="#b9b4a6", edgecolor="none", zorder=1)
    ax.add_patch(land)
    if not view.is_geographic:
        disc = Path.circle((0, 0), east)
        ax.patch.set_visible(False)
        back = ax.add_patch(PathPatch(disc, facecolor=SEA, edgecolor=GRID_LINE, linewidth=0.8, zorder=0))
        land.set_clip_path(back)
    else:
        ax.set_facecolor(SEA)
    if not (np.ptp(lat) < 90 and np.ptp(lon) < 300):
        # Its border is no longer a simple line in the view: shade the view's cells that lie inside.
        lon, lat = view.lonlat()
        inside = (grid.locate(lon, lat)[0] >= 0) & ((lat >= 0) | (_hemisphere(grid) is None))
        shade = np.ma.masked_where(~inside, inside.astype(float))
        red = LinearSegmentedColormap.from_list("red", ["#d62728", "#d62728"])
        ax.imshow(shade, cmap=red, alpha=0.45, extent=(west, east, south, north), zorder=3)
    else:
        x, y = _plane(view, lon, lat).T
        ax.fill(x, y, facecolor="#d62728", alpha=0.45, zorder=3)
        ax.plot(x, y, color="#b3001b", linewidth=1.3, zorder=4)
    rows, cols = grid.shape
    if grid.step * max(rows, cols) < 0.03 * (east - west) and grid.is_geographic == view.is_geographic:
        # Too small to be seen as an area: its centre is ringed.
        centre = grid.window(slice(rows // 2, rows // 2 + 1), slice(cols // 2, cols // 2 + 1))
        at = _plane(view, *(v.ravel() for v in centre.lonlat()))[0]
        ax.plot(*at, marker="o", markersize=9, markerfacecolor="none", markeredgecolor="#b3001b", markeredgewidth=1.5)
    ax.set(xlim=(west, east), ylim=(south, north), xticks=[], yticks=[], aspect="equal")
    for spine in ax.spines.values():
        spine.set_visible(view.is_geographic)


def _lonlat(grid: Grid, x: NDArray, y: NDArray) -> tuple[NDArray, NDArray]:
    """Degrees of points given in a grid's own coordinates; NaN where there are none."""
    if grid.is_geographic:
        return x, np.clip(y, -90, 90)
    lon, lat = Transformer.from_crs(grid.crs, "EPSG:4326", always_xy=True).transform(x, y)
    return np.where(np.isfinite(lon), lon, np.nan), np.where(np.isfinite(lat), lat, np.nan)


def _plane(grid: Grid, lon: NDArray, lat: NDArray) -> Ring:
    """Points (n, 2) in a grid's own coordinates; those that the grid cannot hold are NaN."""
    row, col = grid.position(lon, lat)
    x, y = grid.left + (col + 0.5) * grid.step, grid.top - (row + 0.5) * grid.step
    if grid.is_geographic:  # position wraps longitudes one by one; a line must stay in one piece
        x = np.unwrap(x, period=360)
    return np.column_stack([x, y])


def _crossings(along: NDArray, degrees: NDArray, step: float, *, wraps: bool) -> list[tuple[float, float]]:
    """(place, value) where a coordinate along an edge passes a multiple of `step`."""
    good = np.isfinite(degrees)
    along, degrees = along[good], degrees[good]
    if degrees.size < 2:
        return []
    values = np.unwrap(degrees, period=360) if wraps else degrees
    out = []
    for a, b, u, v in zip(along[:-1], along[1:], values[:-1], values[1:], strict=True):
        low, high = sorted((u, v))
        for k in range(int(np.ceil(low / step)), int(np.floor(high / step)) + 1):
            if high > low and k * step != v:
                out.append((float(a + (k * step - u) / (v - u) * (b - a)), k * step))
    return out


def _turn(degrees: NDArray) -> NDArray:
    """Angles brought into [-180, 180)."""
    return (degrees + 180.0) % 360.0 - 180.0


def _middle(lon: NDArray) -> float:
    """The mean direction of longitudes, degrees."""
    return float(np.rad2deg(np.angle(np.exp(1j * np.deg2rad(lon)).mean())))


def _nice(width: float) -> float:
    """A graticule step that puts about four lines across a width in degrees."""
    return float(next((s for s in GRATICULE_STEPS if width / s <= 5), GRATICULE_STEPS[-1]))
