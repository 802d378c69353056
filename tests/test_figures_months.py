import numpy as np
import pytest

from drawn import GRID, LAND, ONE, field, picture, said, share
from frostline.figures_months import edge_density, month_numbers, share_frozen, twelve_months
from frostline.maps import FROZEN, THAWED

pytestmark = pytest.mark.filterwarnings("error")
TITLES = [f"1 {m}" for m in ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")]


def test_edge_density_by_hand() -> None:
    # three rows by four: a straight front between columns 2 and 3 cuts 3 of 9 + 8 pairs
    front = np.array([[1.0, 1, 0, 0]] * 3)
    assert edge_density(front) == pytest.approx(3 / 17)
    board = np.indices((4, 5)).sum(axis=0) % 2
    assert edge_density(board) == 1.0
    assert edge_density(np.ones((3, 3))) == 0.0


def test_gaps_and_ties_make_no_edge() -> None:
    # the middle column is unknown: 4 vertical pairs are left on each side, none of them an edge
    gap = np.array([[1.0, np.nan, 0]] * 3)
    assert edge_density(gap) == 0.0
    tie = np.array([[1.0, 0.5, 0]])
    assert np.isnan(edge_density(tie))
    assert np.isnan(edge_density(np.full((3, 3), np.nan)))
    assert np.isnan(edge_density([[1.0]]))
    # probabilities count by their class
    assert edge_density([[0.9, 0.51, 0.49]]) == 0.5


def test_share_frozen_by_hand() -> None:
    assert share_frozen([[0.9, 0.1], [np.nan, 0.5]]) == pytest.approx(0.5)
    assert np.isnan(share_frozen([[np.nan]]))


def test_numbers_are_of_common_cells() -> None:
    one = np.array([[1.0, 1.0], [0.0, np.nan]])
    two = np.array([[1.0, np.nan], [1.0, 0.0]])
    # both know the left column: one has an edge there and half of it frozen, two is all frozen
    assert month_numbers({"fused": [one], "smap": [two]}) == {"fused": [(0.5, 1.0, 2)], "smap": [(1.0, 0.0, 2)]}


def test_twelve_months_say_share_and_edge_of_both() -> None:
    half = np.where(np.arange(16)[:, None] < 8, 1.0, 0.0) * np.ones(GRID.shape)
    board = np.indices(GRID.shape).sum(axis=0) % 2.0
    figure = twelve_months(GRID, {"fused": [half] * 12, "smap": [board] * 12}, TITLES, land=LAND, note="twin Earth")
    text = said(figure)
    # a front of 16 in 2 x 16 x 15 pairs
    assert text.count("50 %, edge 0.033") == 12
    assert text.count("50 %, edge 1.000") == 12
    for part in ("twin Earth", "1 Jan", "1 Dec", "SMAP", "fused 0.033, SMAP 1.000", "n = 256"):
        assert part in text
    image = picture(figure)
    assert share(image, FROZEN) > 0.1 and share(image, THAWED) > 0.1


def test_probabilities_and_unknown_fields_are_drawn() -> None:
    fields = [field(i) for i in range(12)]
    text = said(twelve_months(GRID, {"fused": fields}, TITLES, land=LAND, states=False))
    assert "1 frozen" in text
    nothing = [np.full(GRID.shape, np.nan)] * 12
    text = said(twelve_months(GRID, {"fused": fields, "smap": nothing}, TITLES, land=LAND))
    assert text.count("no common cell") == 24 and "unknown" in text


def test_one_cell_and_one_month() -> None:
    one = np.ones((1, 1))
    assert "100 %, no pair" in said(twelve_months(ONE, {"fused": [one]}, ["1 Jan"], land=one == 1))


def test_a_month_short_is_an_error() -> None:
    with pytest.raises(ValueError, match="one field for each title"):
        twelve_months(GRID, {"fused": [field(0)]}, TITLES, land=LAND)
    with pytest.raises(ValueError, match="one field for each title"):
        twelve_months(GRID, {}, [], land=LAND)
