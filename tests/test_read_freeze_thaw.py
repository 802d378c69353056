"""What both agency records are asked: polarity where it is known, coordinates, AM and PM as one code."""

from __future__ import annotations

import numpy as np
import pytest

from frostline.errors import InputError
from frostline.grid import named
from frostline.read.freeze_thaw import check_coordinates, check_polarity, transition

SIBERIA = named("M36").around(110.0, 60.0, (8, 10))
DAY = np.datetime64("2016-01-05")


def test_polarity_is_only_asked_where_the_answer_is_known():
    warm = np.zeros((2, *SIBERIA.shape))
    assert check_polarity("f", warm, SIBERIA, np.datetime64("2016-03-05")) == "not testable"
    assert check_polarity("f", warm * np.nan, SIBERIA, DAY) == "not testable"
    assert check_polarity("f", warm + 1, SIBERIA, DAY) == "ok"
    amazon = named("M36").around(-60.0, 0.0, (8, 8))
    assert check_polarity("f", np.zeros((8, 8)), amazon, DAY) == "not testable"
    europe = named("N36").around(20.0, 50.0, (8, 8))
    july = np.datetime64("2016-07-05")
    assert check_polarity("f", np.zeros((8, 8)), europe, july) == "ok"
    with pytest.raises(InputError, match=r"July middle latitudes is 0 % thawed \(64 cells\)"):
        check_polarity("f", np.ones((8, 8)), europe, july)
    half = np.zeros((8, 8))
    half[:4] = 1  # half frozen is no July of a continent, but may be one of a valley in high mountains
    assert check_polarity("f", half, europe, july) == "ok"
    wide = named("N36").around(20.0, 50.0, (48, 48))
    with pytest.raises(InputError, match="E-INPUT-POLARITY"):
        check_polarity("f", np.tile(half, (6, 6)), wide, july)


@pytest.mark.parametrize("grid", ["N09", "M09", "ML25"])
def test_coordinates_turned_flipped_shifted_or_absent(grid):
    window = named(grid).around(100.0, 50.0, (9, 9))
    lon, lat = (v.astype("f4") for v in window.lonlat())
    assert check_coordinates("f", lon, lat, window) == "ok"
    assert check_coordinates("f", lon * 0 - 9999, lat * 0 - 9999, window) == "not testable"
    holes = np.where(np.indices(lat.shape).sum(axis=0) % 3, lat, -9999.0)
    assert check_coordinates("f", lon, holes, window) == "ok"
    for wrong in ((lon[:, ::-1], lat), (lon, lat[::-1]), (lon.T, lat.T), (lon, lat + 0.04)):
        with pytest.raises(InputError, match=r"E-INPUT-GRID.*cells from where"):
            check_coordinates("f", *wrong, window)


def test_transition_by_hand():
    frozen = np.array([[[1.0, 1.0], [0.0, 0.0]], [[1.0, 0.0], [1.0, np.nan]]])
    got = transition(frozen)
    assert got.dtype == np.float32 and got[0].tolist() == [3, 2] and got[1, 0] == 1 and np.isnan(got[1, 1])
