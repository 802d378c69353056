import numpy as np
import pytest
from matplotlib.lines import Line2D

from drawn import GRID, said
from frostline.drawing import LOOKS, OF_RECORD, aspect, counts, finite, keys, look, signed, span, whiskers, with_bounds
from frostline.grid import named, regular
from frostline.maps import WIDTH, sheet


def test_a_record_looks_the_same_everywhere() -> None:
    assert look("fused", ["smap", "fused"]) == look("fused", ["fused"]) == OF_RECORD["fused"]
    assert look("other", ["fused", "other"]) == LOOKS[1]
    own = [OF_RECORD[r][:2] for r in ("fused", "reanalysis", "convlstm_smap", "smap", "convlstm_esdr", "esdr", "truth")]
    assert len({c for c, _ in own}) == len({m for _, m in own}) == 7


def test_numbers_in_words() -> None:
    assert signed(-0.004) == "0.00" and signed(-1.5, 1) == "−1.5"
    assert with_bounds(0.1, np.nan, 0.2) == "unknown"
    assert counts([3, 1200.0]) == "3–1,200"
    assert whiskers(0.5, 0.4, 0.7) == [[pytest.approx(0.1)], [pytest.approx(0.2)]]
    assert whiskers(0.5, 0.51, 0.49) == [[0.0], [0.0]]


def test_span_is_never_empty() -> None:
    assert span([np.nan]) == (0.0, 1.0)
    assert span([3.0, 3.0]) == (2.5, 3.5)
    assert span(np.arange(101.0)) == (2.0, 98.0)
    assert finite([[1.0, np.inf], [np.nan, 2.0]]).tolist() == [1.0, 2.0]


def test_aspect_of_grids() -> None:
    assert aspect(GRID) == 1.0
    assert aspect(named("N09").window(slice(0, 10), slice(0, 2000))) == 0.35
    # ten by ten degrees about 60 N: cos 60 = 0.5, so it is twice as high as wide, and held to 1.6
    assert aspect(regular(1.0, left=0.0, top=65.0, shape=(10, 10))) == 1.6
    assert aspect(regular(1.0, left=0.0, top=65.0, shape=(10, 20))) == pytest.approx(1.0)


@pytest.mark.parametrize("n", [1, 4, 9, 14])
def test_keys_never_leave_the_page(n: int) -> None:
    figure = sheet(4.0)
    figure.subplots()
    keys(figure, [Line2D([], [], label=f"a rather long name {i}") for i in range(n)])
    assert "long name 0" in said(figure)
    box = figure.legends[0].get_window_extent().transformed(figure.dpi_scale_trans.inverted())
    assert box.x0 >= 0 and box.x1 <= WIDTH and box.y0 >= 0


def test_no_keys_no_legend() -> None:
    figure = sheet(2.0)
    keys(figure, [])
    assert not figure.legends
