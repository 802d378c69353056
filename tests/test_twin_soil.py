import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import brentq
from scipy.special import erf, erfc

from frostline.twin import soil
from frostline.twin.soil import Soil


def ground(thickness, *, porosity=0.4, organic=0.0, freezing_point=0.0, slope=2.0, residual=0.0, n=1, dtype=float):
    values = (porosity, organic, freezing_point, slope, residual)
    return Soil(np.asarray(thickness, dtype), *(np.full(n, v, dtype) for v in values))


def column(s, *, water=0.3, temperature=5.0, dtype=float):
    shape = (len(s.thickness), len(s.porosity))
    return soil.column_at(soil.moisten(s, np.full(shape, water, dtype)), np.full(shape, temperature, dtype))


def heat(c):
    return (c.enthalpy.astype(float) * c.medium.soil.thickness[:, None]).sum(0)


def test_freezing_curve_by_hand():
    s = ground([0.02, 0.05], freezing_point=-0.2, slope=2.0, residual=0.05)
    m = soil.moisten(s, np.full((2, 1), 0.30))
    # residual .05 + freezable .25 exp(2 (-1.2 + .2)) = .05 + .25 x .1353353
    assert soil.liquid_water(m, np.array([[-1.2], [0.5]])).ravel() == pytest.approx([0.0838338, 0.30], abs=1e-6)


def test_enthalpy_by_hand():
    m = soil.moisten(ground([0.02], freezing_point=-0.2, residual=0.05), np.full((1, 1), 0.30))
    h, capacity, liquid = soil.enthalpy(m, np.array([[2.0]]))
    assert liquid == pytest.approx(0.30)
    c = 2.0e6 * 0.6 + 4.18e6 * 0.30  # solids and water
    assert h == pytest.approx(c * 2.0 + 3.34e8 * 0.30) and capacity == pytest.approx(c)
    h, capacity, _ = soil.enthalpy(m, np.array([[-1.2]]))
    c = 1.2e6 + 1.93e6 * (0.30 - 0.0838338) + 4.18e6 * 0.0838338
    assert h == pytest.approx(c * -1.2 + 3.34e8 * 0.0838338, rel=1e-6)
    assert capacity == pytest.approx(c + 3.34e8 * 2.0 * 0.0338338, rel=1e-6)


def test_conductivity_ends():
    m = soil.moisten(ground([0.1], porosity=0.4), np.full((1, 1), 0.4))  # saturated mineral soil
    assert m.conductivity_frozen == pytest.approx(2.2)
    assert m.conductivity_frozen - m.conductivity_drop * 0.4 == pytest.approx(1.45)
    m = soil.moisten(ground([0.1], porosity=0.4), np.full((1, 1), 0.1))  # a quarter full: half way from dry .25
    assert m.conductivity_frozen == pytest.approx((0.25 + 2.2) / 2)


def neumann_depth(*, warm, cold, days, porosity):
    """Two-phase Neumann solution: frost depth 2 x sqrt(a_f t), x from the heat balance at the front.

    exp(-x^2)/erf(x) - (k_u/k_f) r (T_i/|T_s|) exp(-(r x)^2)/erfc(r x) = x sqrt(pi) L / (C_f |T_s|), r = sqrt(a_f/a_u)
    """
    k_f, k_u = 2.2, 1.45
    c_f, c_u = (2.0e6 * (1 - porosity) + c * porosity for c in (1.93e6, 4.18e6))
    a_f, a_u = k_f / c_f, k_u / c_u
    r, latent = np.sqrt(a_f / a_u), 3.34e8 * porosity

    def balance(x):
        below = k_u / k_f * r * warm / cold * np.exp(-((r * x) ** 2)) / erfc(r * x)
        return np.exp(-x * x) / erf(x) - below - x * np.sqrt(np.pi) * latent / (c_f * cold)

    return 2 * brentq(balance, 1e-3, 3.0) * np.sqrt(a_f * days * 86400.0)


@pytest.mark.parametrize(("warm", "cold", "days"), [(4.0, 10.0, 60), (1.0, 5.0, 45)])
def test_frost_depth_is_neumanns(warm, cold, days):
    s = ground(
        np.concatenate([np.full(60, 0.03), np.geomspace(0.04, 1.0, 25)]), slope=20.0
    )  # a sharp front, 9.5 m deep
    c = column(s, water=0.4, temperature=warm)
    for _ in range(days * 8):
        c, _ = soil.advance(c, surface=np.array([-cold]), conductance=np.array([1e9]), seconds=10800.0)
    ice = 0.4 - soil.liquid_water(c.medium, c.temperature)
    depth = float((ice[:, 0] * s.thickness).sum() / 0.4)
    assert depth == pytest.approx(neumann_depth(warm=warm, cold=cold, days=days, porosity=0.4), rel=0.02)


def test_energy_closes_through_a_winter_in_float32():
    rng = np.random.default_rng(0)
    s = ground(np.diff(soil.EDGES), freezing_point=-0.2, residual=0.04, n=50, dtype=np.float32)
    c = column(s, water=0.3, temperature=8.0, dtype=np.float32)
    start, entered, size = heat(c), np.zeros(50), np.zeros(50)
    for step in range(8 * 120):
        surface = (8 - step / 50 + rng.normal(0, 4, 50)).astype(np.float32)
        c, flux = soil.advance(c, surface=surface, conductance=np.full(50, 5, np.float32), seconds=10800.0)
        entered += flux.astype(float) * 10800.0
        size += np.abs(flux) * 10800.0
    assert c.temperature.dtype == np.float32 and c.temperature[0].max() < 0
    np.testing.assert_array_less(np.abs(heat(c) - start - entered), 1e-4 * size)
    # and the temperature belongs to the enthalpy: what Newton left over is small
    gap = soil.enthalpy(c.medium, c.temperature)[0] - c.enthalpy
    assert np.abs(gap).max() < 0.01 * 3.34e8 * 0.3


def test_two_iterations_are_enough_at_three_hours():
    rng = np.random.default_rng(1)
    s = ground(np.diff(soil.EDGES), freezing_point=-0.2, residual=0.04, n=20)
    two = many = column(s, temperature=3.0)
    errors = []
    for step in range(8 * 60):
        surface = 4 * np.cos(2 * np.pi * step / 8) - step / 100 + rng.normal(0, 2, 20)
        two, _ = soil.advance(two, surface=surface, conductance=np.full(20, 12.0), seconds=10800.0)
        many, _ = soil.advance(many, surface=surface, conductance=np.full(20, 12.0), seconds=10800.0, iterations=8)
        errors.append(soil.top_temperature(two) - soil.top_temperature(many))
    assert abs(np.mean(errors)) < 0.05 and np.std(errors) < 0.25


def test_a_crossing_step_stops_at_the_kink():
    """Without the guard a step from the thawed side would free-fall past the latent heat."""
    s = ground([0.02, 0.05, 0.11], freezing_point=-0.2, residual=0.04)
    c, flux = soil.advance(
        column(s, temperature=0.0), surface=np.array([-10.0]), conductance=np.array([10.0]), seconds=3600.0
    )
    # 360 kJ/m2 leave at most; the top 2 cm hold 1737 kJ/m2 of latent heat: it stays near the freezing point
    assert -0.5 < c.temperature[0, 0] < 0.0
    assert heat(c) == pytest.approx(heat(column(s, temperature=0.0)) + flux * 3600.0)
    old, new, point = np.array([[0.5], [-0.5]]), np.array([[-4.0], [3.0]]), np.array([-0.2])
    assert soil.guard(old, new, point).ravel() == pytest.approx([-0.201, -0.201])


def test_no_gradient_no_change():
    s = ground(np.diff(soil.EDGES), freezing_point=-0.3)
    c = column(s, temperature=-2.0)
    after, flux = soil.advance(c, surface=np.array([-2.0]), conductance=np.array([10.0]), seconds=10800.0)
    assert flux == pytest.approx(0.0, abs=1e-9)
    np.testing.assert_allclose(after.temperature, -2.0)


@given(
    water=st.floats(0.05, 0.38), rain=st.floats(0, 60), temperature=st.floats(-10, 20), season=st.floats(-1, 1)
)  # fmt: skip
def test_water_is_conserved(water, rain, temperature, season):
    s = ground(np.diff(soil.EDGES), freezing_point=-0.2, residual=0.04)
    c = column(s, water=water, temperature=temperature)
    after, evaporation, runoff = soil.exchange_water(c, infiltration=np.array([rain]), season=season)
    stored = 1000.0 * ((after.medium.water - c.medium.water) * s.thickness[:, None]).sum(0)
    assert stored == pytest.approx(rain - evaporation - runoff, abs=1e-9)
    assert (after.medium.water <= 0.95 * 0.4 + 1e-12).all() and (after.medium.water >= 0.05 - 1e-12).all()
    if temperature <= 0.3:  # frozen ground takes nothing
        assert runoff == pytest.approx(rain) and stored == 0
    # water brings its own enthalpy, so the temperature still belongs to it
    np.testing.assert_allclose(soil.enthalpy(after.medium, after.temperature)[0], after.enthalpy, rtol=1e-9, atol=1.0)


def test_freezing_moves_no_water():
    s = ground(np.diff(soil.EDGES), freezing_point=-0.2, residual=0.04)
    c = column(s, temperature=1.0)
    for _ in range(40):
        c, _ = soil.advance(c, surface=np.array([-10.0]), conductance=np.array([10.0]), seconds=10800.0)
    assert (c.medium.water == 0.3).all() and soil.ice_share(c) > 0.5


def test_top_temperature_ice_share_and_depth_by_hand():
    s = ground(np.diff(soil.EDGES), freezing_point=-0.2, residual=0.05)
    c = column(s, temperature=1.0)
    c.temperature[0], c.temperature[1], c.temperature[2] = -1.2, 1.0, 3.0
    assert soil.top_temperature(c) == pytest.approx((2 * -1.2 + 5 * 1.0) / 7)
    # only the top 2 of 7 cm hold ice: 1 - exp(-2) of the freezable water
    assert soil.ice_share(c) == pytest.approx(2 / 7 * (1 - np.exp(-2)))
    # 5 cm lies .5 cm below the middle (4.5 cm) of the second layer, of 8 cm to the next (12.5 cm)
    assert soil.temperature_at(c, 0.05) == pytest.approx(1.0 + 2.0 * 0.005 / 0.08)
    assert soil.temperature_at(c, 0.0) == pytest.approx(-1.2)
    assert soil.temperature_at(c, 9.0) == pytest.approx(1.0)
