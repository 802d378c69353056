import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from frostline.twin import dielectric as d

L, K, KA = 1.41e9, 18.7e9, 36.5e9
CLAY = 0.2

# Full-precision reference values, printed to four digits: clay .2, 40 degrees at L band, else 55.
SOIL = [
    # frequency, liquid, ice, eps', eps'', emissivity V, H
    (L, 0.25, 0.00, 12.9646, 1.5316, 0.7732, 0.5826),
    (L, 0.10, 0.00, 5.0828, 0.4555, 0.9173, 0.7715),
    (L, 0.05, 0.20, 4.1651, 0.2693, 0.9398, 0.8116),
    (L, 0.03, 0.10, 3.3262, 0.1903, 0.9606, 0.8547),
    (K, 0.25, 0.00, 8.8037, 4.5767, 0.8967, 0.5195),
    (K, 0.10, 0.00, 4.0375, 1.1730, 0.9819, 0.7084),
    (K, 0.05, 0.20, 3.6916, 0.6072, 0.9890, 0.7402),
    (K, 0.03, 0.10, 3.0723, 0.3760, 0.9953, 0.7850),
    (KA, 0.25, 0.00, 6.2881, 4.0211, 0.9260, 0.5680),
    (KA, 0.10, 0.00, 3.4568, 1.0383, 0.9885, 0.7418),
    (KA, 0.05, 0.20, 3.4184, 0.5537, 0.9918, 0.7579),
    (KA, 0.03, 0.10, 2.9216, 0.3497, 0.9964, 0.7968),
]
# Snow of .25 g/cm3, grains of 1 mm, -10 degC.
SNOW = [
    # frequency, wetness %, eps', absorption, scattering (1/m)
    (L, 0.0, 1.4688, 0.00122, 0.0),
    (L, 2.0, 1.6455, 0.63406, 0.0),
    (K, 0.0, 1.4688, 0.07727, 1.50883),
    (K, 2.0, 1.5032, 22.79448, 0.15088),
    (KA, 0.0, 1.4688, 0.29222, 9.81528),
    (KA, 2.0, 1.4793, 26.93474, 0.98153),
]


@pytest.mark.parametrize(("frequency", "liquid", "ice", "real", "imaginary", "v", "h"), SOIL)
def test_soil_and_its_mirror(frequency, liquid, ice, real, imaginary, v, h):
    eps = d.soil_permittivity(d.soil_index(frequency, CLAY), liquid, ice)
    assert eps == pytest.approx((real, imaginary), abs=5.01e-5)
    reflectivity = d.fresnel(np.cos(np.deg2rad(40 if frequency == L else 55)), 1.0, *eps)
    assert (1 - reflectivity[0], 1 - reflectivity[1]) == pytest.approx((v, h), abs=5.01e-5)


@pytest.mark.parametrize(("frequency", "wetness", "real", "absorption", "scattering"), SNOW)
def test_snow(frequency, wetness, real, absorption, scattering):
    eps = d.snow_permittivity(frequency, 0.25, wetness, 263.15)
    assert eps[0] == pytest.approx(real, abs=5.01e-5)
    assert d.snow_extinction(frequency, eps, wetness, 1.0) == pytest.approx((absorption, scattering), abs=5.01e-6)


def test_dry_matrix_by_hand():
    # clay .2: n = 1.634 - .1078 + .010992 = 1.537192, k = .03952 - .008076 = .031444
    real, imaginary = d.soil_permittivity(d.soil_index(L, 0.2), 0.0, 0.0)
    assert real == pytest.approx(1.537192**2 - 0.031444**2, rel=1e-12)
    assert imaginary == pytest.approx(2 * 1.537192 * 0.031444, rel=1e-12)


def test_ice_term_by_hand():
    # .1 of ice raises n by .775 * .1
    dry = d.root(*d.soil_permittivity(d.soil_index(KA, 0.2), 0.0, 0.0))[0]
    icy = d.root(*d.soil_permittivity(d.soil_index(KA, 0.2), 0.0, 0.1))[0]
    assert icy - dry == pytest.approx(0.0775, rel=1e-9)


def test_ice_loss_by_hand():
    # T = 250 K, 10 GHz: theta = .2, alpha = .00628 exp(-4.42) = 7.5577e-5, exp(335/250) = 3.81904,
    # beta = 8.28e-5 * 3.81904 / 7.94700 + 1.16e-9 + exp(-9.963 - .861552) = 3.97909e-5 + .00116e-6 + 1.99028e-5
    assert d.ice_loss(10e9, 250.0) == pytest.approx(7.5577e-6 + 10 * 5.96949e-5, rel=1e-4)


def test_dry_snow_by_hand():
    # rho .4: 1 + .68 + .112 = 1.792
    assert d.snow_permittivity(KA, 0.4, 0.0, 260.0)[0] == pytest.approx(1.792, rel=1e-12)


def test_fresnel_by_hand():
    # straight down on eps 4: ((1 - 2) / (1 + 2))^2 = 1/9, both polarisations
    assert d.fresnel(1.0, 1.0, 4.0, 0.0) == pytest.approx((1 / 9, 1 / 9), rel=1e-12)
    # Brewster's angle, tan = 2: V vanishes; H = ((4 - 1) / (4 + 1))^2 = .36
    v, h = d.fresnel(1 / np.sqrt(5), 1.0, 4.0, 0.0)
    assert v == pytest.approx(0.0, abs=1e-15)
    assert h == pytest.approx(0.36, rel=1e-12)


@given(
    cosine=st.floats(0.05, 1.0),
    above=st.floats(1.0, 2.0),
    real=st.floats(2.1, 90.0),
    imaginary=st.floats(0.0, 60.0),
)
def test_fresnel_equals_the_complex_form(cosine, above, real, imaginary):
    eps = complex(real, imaginary)
    below = np.sqrt(eps - above * (1 - cosine**2))
    here = np.sqrt(above) * cosine
    h = abs((here - below) / (here + below)) ** 2
    v = abs((eps * here - above * below) / (eps * here + above * below)) ** 2
    assert d.fresnel(cosine, above, real, imaginary) == pytest.approx((v, h), rel=1e-9, abs=1e-12)
    assert v <= h * (1 + 1e-9) <= 1 + 1e-9


@given(st.floats(0.01, 80.0), st.floats(0.0, 80.0))
def test_root_squares_back(real, imaginary):
    n, k = d.root(real, imaginary)
    assert complex(n, k) ** 2 == pytest.approx(complex(real, imaginary), rel=1e-12)


@given(st.floats(0.0, 0.5), st.floats(0.0, 0.45), st.floats(0.0, 0.3), st.sampled_from([L, K, KA]))
def test_freezing_lowers_the_permittivity(clay, water, residual, frequency):
    index = d.soil_index(frequency, clay)
    residual = min(residual, water)
    thawed = d.soil_permittivity(index, water, 0.0)
    frozen = d.soil_permittivity(index, residual, water - residual)
    assert frozen[0] <= thawed[0] + 1e-12
    assert frozen[1] <= thawed[1] + 1e-12


def test_precision_and_shape_follow_the_input():
    clay = np.linspace(0.05, 0.5, 7, dtype=np.float32)
    water = np.full(7, 0.3, np.float32)
    eps = d.soil_permittivity(d.soil_index(KA, clay), water, water * 0)
    assert eps[0].dtype == eps[1].dtype == np.float32
    assert eps[0] == pytest.approx(d.soil_permittivity(d.soil_index(KA, clay.astype(float)), 0.3, 0.0)[0], rel=1e-5)
    snow = d.snow_permittivity(KA, water, water, np.full(7, 260, np.float32))
    assert {a.dtype for a in (*snow, *d.snow_extinction(KA, snow, water, water))} == {np.dtype("f4")}
