import numpy as np
import pandas as pd
import pytest
import xarray as xr
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.text import Text

from frostline import charts, figures, maps
from frostline.coast import land_mask
from frostline.grid import Grid, named, regular

WINDOW = named("N09").around(135.0, 54.5, (32, 32))
LAND = land_mask(WINDOW)


def picture(figure: Figure) -> np.ndarray:
    """The figure as (y, x, rgb) in 0..1."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3] / 255


def share(image: np.ndarray, colour: str) -> float:
    return float((np.abs(image - to_rgb(colour)).max(axis=-1) < 0.01).mean())


def texts(figure: Figure) -> list[str]:
    picture(figure)
    return [t.get_text() for t in figure.findobj(Text) if t.get_text()]


def test_field_lies_where_its_cells_are() -> None:
    field = np.full(WINDOW.shape, np.nan)
    field[:16] = 1.0  # the northern-in-the-plane half: the upper half of the map
    fig = maps.sheet(4.0)
    ax = fig.subplots()
    colours = maps.map_field(ax, field, WINDOW, labels=False)
    image = ax.images[0]
    left, right, bottom, top = image.get_extent()
    assert (left, top, image.origin) == (WINDOW.left, WINDOW.top, "upper")
    assert (right - left, top - bottom) == (32 * 9000, 32 * 9000)
    rgba = np.asarray(image.get_array())
    assert (rgba[:16] == colours.to_rgba(1.0, bytes=True)).all()
    assert (rgba[16:, :, 3] == 0).all()  # unknown lets the hatching through


def test_unknown_is_hatched_and_sea_is_not() -> None:
    nothing = np.full(WINDOW.shape, np.nan)
    with_sea = picture(figures.probability_maps([figures.Panel("a", nothing, WINDOW, LAND)]))
    without = picture(figures.probability_maps([figures.Panel("a", nothing, WINDOW)]))
    assert share(with_sea, maps.UNKNOWN_HATCH) > 0.01
    assert share(without, maps.UNKNOWN_HATCH) > share(with_sea, maps.UNKNOWN_HATCH)
    # 24 % of a square map of about 40 % of the page is sea; the legend has a little too
    assert share(with_sea, maps.SEA) > 0.05 > share(without, maps.SEA)


def test_frozen_is_blue_thawed_is_orange() -> None:
    low, high = maps.PROBABILITY(0.0), maps.PROBABILITY(1.0)
    assert low[0] > 2 * low[2] and high[2] > 2 * high[0]
    # in between lightness peaks, so that the border also shows in grey
    luma = [np.dot(maps.PROBABILITY(p)[:3], [0.2126, 0.7152, 0.0722]) for p in (0.0, 0.25, 0.5, 0.75, 1.0)]
    assert luma[2] == max(luma) and luma[0] < luma[1] and luma[4] < luma[3]


def test_wrong_shape_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"\(3, 3\) on a grid of \(32, 32\)"):
        maps.map_field(Figure().subplots(), np.zeros((3, 3)), WINDOW)


@pytest.mark.parametrize(
    "grid, wanted",
    [
        (regular(0.25, left=170.0, top=70.0, shape=(40, 80)), {"170°E", "180°", "175°W", "62°N", "68°N"}),
        (named("N09").around(11.0, 60.0, (64, 64)), {"10°E", "58°N", "60°N", "62°N"}),
        (named("N09").around(179.8, 67.0, (64, 64)), {"180°", "175°E", "175°W", "66°N"}),
        (named("M36"), {"0°", "90°E", "90°W", "45°N"}),
        (named("N36"), {"0°", "90°E", "90°W"}),
    ],
)
def test_graticule_labels(grid: Grid, wanted: set[str]) -> None:
    fig = maps.sheet(5.0)
    maps.graticule(fig.subplots(), grid, labels=True)
    found = texts(fig)
    assert wanted <= set(found)
    assert len(found) == len(set(found))


def test_north_arrow_points_along_the_meridian() -> None:
    # At 135 E on EASE-Grid 2.0 north the pole lies to the lower left (formats.md: 0 E points down).
    fig = maps.sheet(4.0)
    ax = fig.subplots()
    maps.graticule(ax, WINDOW, labels=True)
    arrow = next(t for t in ax.texts if t.arrow_patch is not None)
    dx, dy = np.subtract(arrow.xy, arrow.xyann)
    assert dx < 0 and dy < 0 and dx == pytest.approx(dy, rel=0.25)


@pytest.mark.parametrize(
    "grid", [WINDOW, named("N09"), named("M36"), named("N09").around(0.0, 89.9, (9, 9)), regular(0.25)]
)
def test_locator_draws_every_grid(grid: Grid) -> None:
    fig = maps.sheet(3.0)
    maps.locator(fig.subplots(), grid)
    image = picture(fig)
    red = (image[..., 0] > 0.6) & (image[..., 1] < 0.5) & (image[..., 2] < 0.5)
    assert red.any()


@pytest.mark.parametrize(
    "grid", [regular(1.0, shape=(1, 1), left=100.0, top=60.0), named("N09").around(100.0, 62.0, (1, 1))]
)
def test_one_cell(grid: Grid) -> None:
    panel = figures.Panel("one", np.ones((1, 1)), grid, np.ones((1, 1), bool))
    picture(figures.probability_maps([panel]))
    picture(figures.difference_maps([panel], [np.ones((1, 1))]))


def test_outcomes_by_hand() -> None:
    claim = np.array([0.9, 0.1, 0.8, 0.2, 0.5, np.nan, 0.9])
    truth = np.array([1, 0, 0, 1, 1, 1, np.nan])
    np.testing.assert_array_equal(figures.outcomes(claim, truth), [0, 1, 2, 3, np.nan, np.nan, np.nan])


def test_difference_says_its_share_and_n() -> None:
    claim, truth = np.full(WINDOW.shape, np.nan), np.zeros(WINDOW.shape)
    claim[0, :8] = [0.9, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1]
    fig = figures.difference_maps([figures.Panel("2018-04-20 AM", claim, WINDOW, LAND)], [truth])
    assert "2018-04-20 AM: 87.5 % of 8 right" in fig.axes[0].get_title(loc="left")
    empty = figures.Panel("x", np.full(WINDOW.shape, np.nan), WINDOW, LAND)
    assert "no cell known" in figures.difference_maps([empty], [truth]).axes[0].get_title(loc="left")


def test_study_area() -> None:
    blocks = np.zeros(WINDOW.shape, int)
    blocks[:, 24:], blocks[:, 22:24] = 1, 2
    cover = np.where(LAND, 4.0, 17.0)
    cover[0, 0] = np.nan
    at = ([131.0, 133.0], [53.5, 54.0])
    fig = figures.study_area(WINDOW, elevation=np.where(LAND, 300.0, 0.0), land_cover=cover, land=LAND, blocks=blocks,
                             stations=at, heldout_stations=([], []), note="twin Earth")  # fmt: skip
    found = texts(fig)
    assert {"twin Earth", "station, training", "held out", "buffer, unused", "forest"} <= set(found)
    assert "grassland" not in found and "station, held out" not in found
    picture(fig)


def test_study_area_of_what_there_is() -> None:
    blocks = np.zeros(WINDOW.shape, int)
    found = texts(figures.study_area(WINDOW, elevation=np.full(WINDOW.shape, 300.0), land_cover=None, land=LAND,
                                     blocks=blocks))  # fmt: skip
    assert "Elevation" in found and "m above sea level" in found
    assert not {"Land cover and split", "held out", "buffer, unused"} & set(found)
    plain = texts(figures.study_area(WINDOW, elevation=None, land_cover=None, land=LAND, blocks=blocks))
    assert {"Land", "land"} <= set(plain) and "m above sea level" not in plain


def test_states_are_two_colours_with_keys() -> None:
    field = np.where(np.arange(32) < 8, 1.0, 0.0) * np.ones((32, 1))
    fig = figures.probability_maps([figures.Panel("a", field, WINDOW)], states=True)
    found = texts(fig)
    assert {"frozen", "thawed", "unknown"} <= set(found) and "class border (0.5)" not in found
    image = picture(fig)
    assert share(image, maps.THAWED) > 2 * share(image, maps.FROZEN) > 0.05


def test_nothing_is_drawn_beyond_the_equator_of_a_polar_square() -> None:
    whole = named("N36")
    fig = maps.sheet(6.0)
    ax = fig.subplots()
    maps.map_field(ax, np.ones(whole.shape), whole, cmap=maps.PROBABILITY)
    canvas = picture(fig)
    rows, cols = np.nonzero(np.abs(canvas - maps.PROBABILITY(1.0)[:3]).max(axis=-1) < 0.01)
    # the disc fills pi/4 of its bounding box; coast and graticule take a little of it, the corners are blank
    box = (np.ptp(rows) + 1) * (np.ptp(cols) + 1)
    assert 0.70 < len(rows) / box < np.pi / 4
    assert {t.get_text() for t in ax.texts} == {"0°", "90°E", "90°W"}


def tally(days: pd.DatetimeIndex, **parts: float) -> xr.Dataset:
    names = ("true_frozen", "false_frozen", "true_thawed", "false_thawed")
    shape = (days.size, 2, 1)
    return xr.Dataset(
        {name: (("time", "overpass", "stratum"), np.full(shape, parts.get(name, 0.0))) for name in names},
        coords={"time": days, "overpass": [0, 1], "stratum": ["all"]},
    )


def test_confusion_counts_by_hand() -> None:
    # 31 January days x (6 + 2 + 1 + 1) = 310 cell-days per overpass, 60 % of them frozen and called so.
    sums = tally(
        pd.date_range("2018-01-01", "2018-01-31"), true_frozen=6, false_thawed=2, false_frozen=1, true_thawed=1
    )
    found = texts(charts.confusion_by_season(sums, note="twin Earth"))
    assert found.count("n = 310") == 2 and found.count("n = 0") == 6
    assert found.count("60 %") == 2 and found.count("20 %") == 2 and found.count("10 %") == 4
    assert "twin Earth" in found


def row(record: str, **changes: object) -> dict:
    base = {"record": record, "against": "truth", "split": "heldout", "overpass": "am", "stratum": "area:trained",
            "score": "accuracy", "value": 0.9, "lo": 0.88, "hi": 0.92, "n": 1000, "n_effective": 80.0}  # fmt: skip
    return base | changes


def test_scores_without_interval_or_n_are_not_drawn() -> None:
    rows = [
        row("unet", value=0.936, lo=0.92, hi=0.95),
        row("climatology", lo=None),
        row("persistence", n=0),
        row("reanalysis", value=float("nan")),
        row("climatology_truth", value=0.811, split="train"),
    ]
    found = texts(charts.score_points(rows))
    assert "0.936" in found and "U-Net" in found and any("n = 1,000" in t for t in found)
    for absent in ("climatology (labels)", "persistence", "reanalysis", "climatology (truth)", "0.811"):
        assert absent not in found
    picture(charts.score_points([]))


def test_reliability_draws_each_bin_once() -> None:
    fig = charts.reliability({"AM": ([0.1, 0.5, 0.9], [0.2, np.nan, 0.8], [10, 0, 30])})
    line = fig.axes[0].lines[1]
    np.testing.assert_array_equal(line.get_xydata(), [[0.1, 0.2], [0.9, 0.8]])
    assert [bar.get_height() for bar in fig.axes[1].patches] == [10, 0, 30]
    assert "AM, n = 40" in texts(fig)


def test_station_series_takes_texts_literally_and_marks_the_unknown() -> None:
    days = pd.date_range("2017-08-01", periods=10)
    chance = np.array([0.1, 0.2, np.nan, np.nan, 0.5, 0.9, 0.9, 0.8, 0.7, 0.6])
    fig = charts.station_series(days, chance, soil_temperature=np.full(10, 272.0), station_frozen=np.ones(10),
                                truth=np.zeros(10), name="A $\\bad$ <b>name</b>", note="twin Earth")  # fmt: skip
    assert "A $\\bad$ <b>name</b>" in texts(fig)
    bars = [len(c.get_paths()) for c in fig.axes[-1].collections]
    assert bars == [1, 5, 2, 1, 10, 0, 1, 0, 10]  # background, frozen, thawed days: record, station, truth
    assert share(picture(fig), maps.FROZEN) > 0.02
    assert len(charts.station_series(days, chance).axes) == 2


def test_frozen_share_in_percent() -> None:
    fig = charts.frozen_share(pd.date_range("2017-08-01", periods=3), {"U-Net": [0.0, 0.25, np.nan]}, note="twin Earth")
    np.testing.assert_array_equal(fig.axes[0].lines[0].get_ydata(), [0, 25, np.nan])


def test_figures_need_no_pyplot() -> None:
    import subprocess
    import sys

    code = "import sys, frostline.figures, frostline.report; assert 'matplotlib.pyplot' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
