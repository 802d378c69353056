"""What several kinds of figures share: names for people, a look for each record, keys, number texts, sheets of maps."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from frostline.grid import Grid
from frostline.maps import FONT, FROZEN, INK, WIDTH, sheet
from frostline.words import NAMES

# Colour-blind safe (Wong 2011); a marker or dash goes with each, so that colour is never alone.
LOOKS = (
    ("#1f5fa8", "o", "-"), ("#222222", "s", "--"), ("#009e73", "D", "-."), ("#c8690e", "^", ":"),
    ("#8a5fb0", "v", (0, (5, 1, 1, 1, 1, 1))), ("#b3001b", "P", (0, (1, 2))),
)  # fmt: skip
# One look per record over all figures of a report; others take what is free of LOOKS.
OF_RECORD = {
    "fused": LOOKS[0], "reanalysis": LOOKS[1], "convlstm_smap": LOOKS[2], "smap": LOOKS[3], "convlstm_esdr": LOOKS[4],
    "esdr": LOOKS[5], "recalibrated": ("#5b9bd5", "X", (0, (3, 1, 1, 1))), "truth": ("#8a6d00", "*", "-"),
    "Meteorology_FT": ("#cc79a7", "h", (0, (4, 2))),
    "stations": ("#cc79a7", "h", (0, (4, 2))), "fused_literal3": ("#7f7f7f", "<", (0, (6, 2))),
    "fused_maxconf": ("#55559a", ">", (0, (2, 1))), "fused_ctc": ("#2f8f83", "d", (0, (1, 1))),
}  # fmt: skip
# What figures name beyond `words.NAMES`: scores, and the groups of strata.
WORDS = {
    **NAMES,
    "Meteorology_FT": "stations",
    "frozen_accuracy": "frozen accuracy CA_F",
    "thawed_accuracy": "thawed accuracy CA_T",
    "accuracy": "overall accuracy CA_O",
    "sensitivity": "sensitivity (frozen)",
    "specificity": "specificity (thawed)",
    "landcover": "land cover",
    "tci": "terrain (TCI, m)",
}
TERRAIN = LinearSegmentedColormap.from_list(
    "terrain", ["#d9e4c8", "#efe6c0", "#d3b583", "#a97f55", "#7d5a44", "#f6f3f0"]
)
DAYS = LinearSegmentedColormap.from_list("days", ["#fbf3e4", "#f0b878", "#c9a08f", "#7fa6cf", FROZEN, "#123f78"])
NO_SOIL = "sea, no soil"  # lakes and ice too
PLAIN = "#d9e4c8"  # land of no known height


def name(key: str) -> str:
    """A key written out: its entry in WORDS, otherwise what stands after its group.

    >>> name("smap"), name("landcover:snow_ice"), name("network:Naqu"), name("tci:>=350")
    ('SMAP', 'snow ice', 'Naqu', '≥350')
    """
    own = key.partition(":")[2].replace("_", " ").replace(">=", "≥") if ":" in key else key
    return WORDS.get(key, own)


def look(record: str, records: Sequence[str] = ()) -> tuple[str, str, Any]:
    """Colour, marker and dash of a record: its own, or by its place among `records`."""
    if record in OF_RECORD:
        return OF_RECORD[record]
    return LOOKS[list(records).index(record) % len(LOOKS)] if record in records else LOOKS[0]


def signed(value: float, digits: int = 2) -> str:
    """A number with a true minus; what rounds to zero has no sign.

    >>> signed(-0.214), signed(-0.001), signed(3, 0)
    ('−0.21', '0.00', '3')
    """
    text = f"{value:.{digits}f}"
    return text.replace("-", "") if float(text) == 0 else text.replace("-", "−")


def with_bounds(value: float | None, lo: float | None, hi: float | None, unit: str = "", digits: int = 2) -> str:
    """A number with its interval: one without an interval is not shown.

    >>> with_bounds(-0.21, -0.33, -0.1, "d/a"), with_bounds(-0.21, None, None)
    ('−0.21 [−0.33, −0.10] d/a', 'unknown')
    """
    numbers = [np.nan if v is None else float(v) for v in (value, lo, hi)]
    if not np.isfinite(numbers).all():
        return "unknown"
    middle, low, high = (signed(v, digits) for v in numbers)
    return f"{middle} [{low}, {high}]" + (f" {unit}" if unit else "")


def counts(numbers: Sequence[float]) -> str:
    """How many, or from how many to how many.

    >>> counts([1200, 980]), counts([7]), counts([])
    ('980–1,200', '7', '0')
    """
    low, high = (round(f(numbers)) for f in (min, max)) if len(numbers) else (0, 0)
    return f"{low:,}" if low == high else f"{low:,}–{high:,}"


def whiskers(value: float, lo: float, hi: float) -> list[list[float]]:
    """An interval as matplotlib's error bars want it; a bound on the wrong side (by rounding) is the value."""
    return [[max(value - lo, 0.0)], [max(hi - value, 0.0)]]


def keys(fig: Figure, handles: Sequence[Artist], *, columns: int | None = None) -> None:
    """One block of keys under everything; as many in a line as the page has room for, unless `columns` says."""
    if not handles:
        return
    inches = [
        0.075 * len(str(handle.get_label())) + 0.62 for handle in handles
    ]  # what a key takes at this size of font
    fits = len(handles)
    while (
        fits > 1 and sum(float(max(part)) for part in np.array_split(inches, fits)) > WIDTH
    ):  # as the legend deals them
        fits -= 1
    fig.legend(
        handles=list(handles), loc="outside lower center", ncols=columns or fits,
        fontsize=FONT - 1, frameon=False,
    )  # fmt: skip


def bar(fig: Figure, image: ScalarMappable, axes: Axes | Sequence[Axes], label: str, **options: Any) -> Any:
    """A horizontal colour bar under axes, with the house's fonts."""
    chosen: dict[str, Any] = {"location": "bottom", "shrink": 0.8, "aspect": 36, "pad": 0.02} | options
    made = fig.colorbar(image, ax=axes, **chosen)
    made.set_label(label, fontsize=FONT - 0.5, color=INK, parse_math=False)
    made.ax.tick_params(labelsize=FONT - 1.5)
    return made


def aspect(grid: Grid) -> float:
    """Height over width of a map of the grid, held within what a page bears."""
    ratio = grid.shape[0] / grid.shape[1]
    if grid.is_geographic:
        middle = np.clip(grid.top - grid.shape[0] * grid.step / 2, -70, 70)
        ratio /= float(np.cos(np.deg2rad(middle)))
    return float(np.clip(ratio, 0.35, 1.6))


def map_sheet(grid: Grid, count: int, *, columns: int, foot: float, note: str = "") -> tuple[Figure, list[Axes]]:
    """A figure with `count` axes for maps of one grid, `columns` in a row, and `foot` inches for bars and keys."""
    columns = min(columns, count)
    rows = -(-count // columns)
    wide = (WIDTH - 0.2) / max(columns, 2) - 0.55  # a single map need not fill the page
    fig = sheet(foot + rows * (wide * aspect(grid) + 0.6), note=note)
    axes = fig.subplots(rows, columns, squeeze=False)
    for ax in axes.flat[count:]:
        ax.remove()
    return fig, list(axes.flat[:count])


def points(ax: Axes, grid: Grid, lon: ArrayLike, lat: ArrayLike, **marks: Any) -> Any:
    """Marks at (lon, lat) degrees on a map of the grid."""
    row, col = grid.position(np.asarray(lon, float), np.asarray(lat, float))
    options: dict[str, Any] = {"linestyle": "none", "zorder": 7} | marks
    return ax.plot(grid.left + (col + 0.5) * grid.step, grid.top - (row + 0.5) * grid.step, **options)[0]


def span(values: ArrayLike, *, low: float = 2.0, high: float = 98.0) -> tuple[float, float]:
    """Percentiles of what is finite, never of zero width; (0, 1) of nothing."""
    known = finite(values)
    if not known.size:
        return 0.0, 1.0
    a, b = (float(v) for v in np.percentile(known, [low, high]))
    return (a, b) if b > a else (a - 0.5, a + 0.5)


def finite(values: ArrayLike) -> NDArray[np.float64]:
    """The finite ones of an array, flat."""
    flat = np.asarray(values, dtype=float).ravel()
    return flat[np.isfinite(flat)]


def in_order(values: Iterable[str]) -> list[str]:
    """Each once, as they first come.

    >>> in_order(["b", "a", "b"])
    ['b', 'a']
    """
    return list(dict.fromkeys(values))
