"""What tests of figures share: a small grid, rows as in scores.json, and what a figure says when it is drawn."""

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.text import Text

from frostline.grid import named

GRID = named("M09").around(97.0, 36.0, (16, 16))
ONE = named("M09").around(97.0, 36.0, (1, 1))
LAND = np.ones(GRID.shape, bool)
LAND[:2, :3] = False


def picture(figure: Figure) -> np.ndarray:
    """The figure as (y, x, rgb) in 0..1."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3] / 255


def said(figure: Figure) -> str:
    """All texts of a drawn figure, by lines."""
    picture(figure)
    return "\n".join(t.get_text() for t in figure.findobj(Text) if t.get_text() and t.get_visible())


def share(image: np.ndarray, colour: str) -> float:
    """Share of the pixels that have a colour."""
    return float((np.abs(image - to_rgb(colour)).max(axis=-1) < 0.01).mean())


def field(seed: int, shape: tuple[int, int] = GRID.shape) -> np.ndarray:
    """A smooth field within 0..1 and some cells unknown."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: shape[0], : shape[1]] / max(shape)
    values = 0.5 + 0.5 * np.sin(6 * (x + rng.uniform()) + 3 * y)
    values[rng.uniform(size=shape) < 0.05] = np.nan
    return values


def row(record: str, stratum: str, score: str, value: float, *, overpass: str = "am", n: int = 500, half: float = 0.03):
    """One row of scores.json against stations in the held-out years."""
    return {
        "record": record, "against": "stations", "split": "heldout", "overpass": overpass, "stratum": stratum,
        "score": score, "value": value, "lo": value - half, "hi": min(value + half, 1.0), "n": n, "n_effective": 40.0,
    }  # fmt: skip
