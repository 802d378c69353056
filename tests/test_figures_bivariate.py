import numpy as np
import pytest

from drawn import GRID, LAND, ONE, field, picture, said, share
from frostline.figures_bivariate import bins, bivariate_maps, colours
from frostline.maps import UNKNOWN_HATCH

pytestmark = pytest.mark.filterwarnings("error")
NAMES = {0: "ok", 2: "zero_variance", 4: "too_few"}


def test_bins_by_hand() -> None:
    psi = np.array([0.5, 0.8, 0.94, 0.95, np.nan, 0.9])
    eta = np.array([0.5, 0.5, 0.95, 1.0, 0.9, np.nan])
    # borders at 0.8 and 0.95: sensitivity counts 1, specificity 3
    assert bins(psi, eta, (0.8, 0.95))[:4].tolist() == [0, 1, 7, 8]
    assert np.isnan(bins(psi, eta, (0.8, 0.95))[4:]).all()


def test_colours_run_from_pale_to_dark_by_two_ways() -> None:
    square = colours(3)
    assert square.shape == (3, 3, 3) and (square >= 0).all() and (square <= 1).all()
    luma = square @ [0.2126, 0.7152, 0.0722]
    assert (np.diff(luma, axis=0) < 0).all() and (np.diff(luma, axis=1) < 0).all()
    assert square[0, 2, 1] > square[0, 2, 0] and square[2, 0, 0] > square[2, 0, 1]  # teal, pink
    # no two of the nine are near each other
    flat = square.reshape(-1, 3)
    apart = np.linalg.norm(flat[:, None] - flat[None], axis=-1)[np.triu_indices(9, 1)]
    assert apart.min() > 0.15


def test_maps_say_medians_n_and_why_cells_have_no_number() -> None:
    psi, eta = np.full(GRID.shape, 0.97), np.full(GRID.shape, 0.85)
    status = np.zeros(GRID.shape)
    status[4:6] = 4
    psi[4:6] = eta[4:6] = np.nan
    eta[8] = np.nan  # solved, but one of both numbers lacks samples
    fields = {"all days": {"fused": (psi, eta, status), "reanalysis": (psi, eta, status)},
              "frozen season": {"fused": (psi, eta, status)}}  # fmt: skip
    figure = bivariate_maps(GRID, fields, land=LAND, status_names=NAMES, note="twin Earth")
    text = said(figure)
    # 250 cells of land less 3 rows of 16
    assert text.count("0.97 / 0.85, n = 202") == 3
    assert "too few: 96" in text and "too few of a class: 48" in text and "zero variance" not in text
    for part in ("all days", "frozen season", "fused", "twin Earth", "sensitivity"):
        assert part in text


def test_without_status_unknown_cells_are_hatched() -> None:
    known, unknown = np.full(GRID.shape, 0.9), np.full(GRID.shape, np.nan)
    nothing = bivariate_maps(GRID, {"all days": {"fused": (unknown, unknown)}}, land=LAND)
    assert "no cell known" in said(nothing) and "unknown" in said(nothing)
    full = bivariate_maps(GRID, {"all days": {"fused": (known, known)}}, land=LAND)
    assert share(picture(nothing), UNKNOWN_HATCH) > 5 * share(picture(full), UNKNOWN_HATCH)


def test_four_by_four_one_cell_and_large_grids() -> None:
    fields = {"all days": {"fused": (field(1), field(2))}}
    text = said(bivariate_maps(GRID, fields, land=LAND, cuts=(0.7, 0.85, 0.95)))
    assert "0.85" in text
    one = np.ones((1, 1))
    picture(bivariate_maps(ONE, {"all days": {"fused": (one, one * np.nan, one * 4)}}, land=one == 1))
