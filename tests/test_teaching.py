"""Labels that teach: states by default, chances and shares by which colder is more frozen, nothing in a band."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from frostline.errors import ConfigError
from frostline.labels import state
from frostline.teaching import ice_share, teaching, turning_point
from frostline.twin import soil

KELVIN = st.lists(st.floats(230.0, 310.0, width=32), min_size=2, max_size=30)
ZERO = 273.15


def test_chances_of_frost_by_hand():
    # Phi(2) = .97725, Phi(1) = .84134, Phi(0) = .5, Phi(-1) = .15866
    got = teaching([271.15, 272.15, 273.15, 274.15], threshold=ZERO, soft=1.0)
    np.testing.assert_allclose(got, [0.97725, 0.84134, 0.5, 0.15866], atol=2e-5)
    # 2 K colder a threshold: (271.15 - 272.15) / 2 = -.5, Phi = .30854
    assert teaching(272.15, threshold=271.15, soft=2.0) == pytest.approx(0.30854, abs=1e-5)


def test_shares_of_ice_by_hand():
    # T_f -.3 degC, 2.2 per K: at -1.3 degC 1 - exp(-2.2) = .88920, at -.615 degC 1 - exp(-.693) = .5, at -.2 degC none
    got = teaching([271.85, 272.535, 272.95, 273.15], threshold=ZERO, freezing=(272.85, 2.2))
    np.testing.assert_allclose(got, [0.88920, 0.5, 0, 0], atol=3e-4)
    assert turning_point(ZERO, (272.85, 2.2)) == pytest.approx(272.85 - 0.31507, abs=1e-5)


def test_the_curve_is_that_of_soil_physics():
    """A soil that never holds unfreezable water: its ice share at T is what the label says."""
    celsius = np.array([[-3.0, -0.9, -0.5, 0.4]])
    one = np.ones(4)
    made = soil.Soil(np.array([0.05]), 0.5 * one, 0 * one, -0.4 * one, 1.7 * one, 0 * one)
    medium = soil.moisten(made, np.full((1, 4), 0.3))
    want = 1 - soil.liquid_water(medium, celsius)[0] / 0.3
    np.testing.assert_allclose(ice_share(celsius[0] + ZERO, ZERO - 0.4, 1.7), want, atol=1e-4)


def test_a_band_takes_out_what_lies_within_it_of_the_turn_and_no_more():
    kelvin = np.array([272.64, 272.65, 273.15, 273.65, 273.66])
    np.testing.assert_array_equal(teaching(kelvin, threshold=ZERO, band=0.5), [1, np.nan, np.nan, np.nan, 0])
    shares = teaching([272.0, 272.5, 273.1], threshold=ZERO, band=0.1, freezing=(272.85, 2.0))  # turns at 272.503
    assert np.isnan(shares).tolist() == [False, True, False]


@given(KELVIN, st.floats(270.0, 275.0))
def test_the_default_is_the_state(kelvin, threshold):
    np.testing.assert_array_equal(teaching(kelvin, threshold=threshold), state(kelvin, threshold))


@given(KELVIN, st.sampled_from([{"soft": 0.3}, {"soft": 3.0}, {"freezing": (272.85, 2.2)}, {"freezing": (273.1, 0.5)}]))
def test_colder_is_never_less_frozen_and_half_is_where_it_turns(kelvin, how):
    cold_first = np.sort(np.asarray(kelvin, np.float32))
    got = teaching(cold_first, threshold=ZERO, **how)
    assert ((got >= 0) & (got <= 1)).all() and (np.diff(got) <= 0).all()
    turn = turning_point(ZERO, how.get("freezing"))
    assert teaching(turn, threshold=ZERO, **how) == pytest.approx(0.5, abs=1e-3)
    clear = np.abs(cold_first - turn) > 1e-3
    np.testing.assert_array_equal(got[clear] > 0.5, cold_first[clear] < turn)


@pytest.mark.parametrize("how", [{}, {"soft": 2.0}, {"band": 1.0}, {"freezing": (272.85, 2.2)}])
def test_unknown_stays_unknown_and_shapes_are_kept(how):
    got = teaching(np.array([[np.nan, 250.0], [290.0, np.nan]]), threshold=ZERO, **how)
    assert got.shape == (2, 2) and got.dtype == np.float32
    assert np.isnan(got).tolist() == [[True, False], [False, True]]


def test_two_answers_are_one_too_many():
    with pytest.raises(ConfigError, match="two answers"):
        teaching([270.0], threshold=ZERO, soft=1.0, freezing=(272.85, 2.2))
