import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from frostline.twin.fields import _root, gaussian_field, power_law_field, smooth


def test_gaussian_field_has_unit_variance_and_the_stated_correlation():
    f = gaussian_field(np.random.default_rng(1), (20, 30), 5.0, n=4000)
    assert f.dtype == np.float32 and f.shape == (4000, 20, 30)
    assert f.var(axis=0) == pytest.approx(1.0, abs=0.12)
    # exp(-(d/L)^2): e^-1 at d = L along a row, e^-2 on the diagonal
    assert np.mean(f[:, 10, 10] * f[:, 10, 15]) == pytest.approx(np.exp(-1), abs=0.06)
    assert np.mean(f[:, 5, 10] * f[:, 10, 15]) == pytest.approx(np.exp(-2), abs=0.06)


@pytest.mark.parametrize(("n", "length"), [(64, 10.0), (40, 2.0), (17, 100.0)])
def test_a_field_does_not_hang_on_the_signs_and_last_bits_of_a_library(monkeypatch, n, length):
    whole = gaussian_field(np.random.default_rng(4), (n, n), length)
    solve, rng = np.linalg.eigh, np.random.default_rng(5)

    def another(matrix):
        value, vector = solve(matrix)
        turned = vector * rng.choice([-1.0, 1.0], len(value))
        return value, turned + rng.normal(0, 1e-14, turned.shape)

    monkeypatch.setattr(np.linalg, "eigh", another)
    _root.cache_clear()
    again = gaussian_field(np.random.default_rng(4), (n, n), length)
    _root.cache_clear()
    np.testing.assert_allclose(again, whole, atol=1e-5)


def test_opposite_edges_are_not_neighbours():
    f = gaussian_field(np.random.default_rng(2), (24, 24), 4.0, n=3000)
    assert abs(np.mean(f[:, :, 0] * f[:, :, -1])) < 0.03
    assert abs(np.mean(f[:, 0] * f[:, -1])) < 0.03


def test_short_length_is_white_and_long_length_is_nearly_flat():
    white = gaussian_field(np.random.default_rng(3), (40, 40), 0.1)[0]
    assert abs(np.corrcoef(white[:, :-1].ravel(), white[:, 1:].ravel())[0, 1]) < 0.08
    assert gaussian_field(np.random.default_rng(3), (10, 10), 500.0)[0].std() < 0.1


@given(rows=st.integers(1, 9), cols=st.integers(1, 9), length=st.floats(0.05, 50.0))
def test_any_rectangle(rows, cols, length):
    a, b = (gaussian_field(np.random.default_rng(0), (rows, cols), length, n=2) for _ in range(2))
    assert a.shape == (2, rows, cols) and np.isfinite(a).all()
    np.testing.assert_array_equal(a, b)


def test_power_law_field_is_standardised_and_smoother_with_hurst():
    rough, even = (power_law_field(np.random.default_rng(4), (48, 64), h) for h in (0.2, 1.0))
    for f in (rough, even):
        assert f.shape == (48, 64) and abs(f.mean()) < 1e-5 and f.std() == pytest.approx(1.0, abs=1e-4)
    assert np.diff(even, axis=1).std() < np.diff(rough, axis=1).std()
    assert abs(even[:, 0] - even[:, -1]).mean() > 3 * abs(np.diff(even, axis=1)).mean()  # no torus


def test_smooth_halves_an_impulse_at_half_the_width():
    a = np.zeros((41, 41), np.float32)
    a[20, 20] = 1
    b = smooth(a, 8.0)
    assert b[20, 24] / b[20, 20] == pytest.approx(0.5, abs=1e-3)
    assert b.sum() == pytest.approx(1.0, abs=1e-4)


def test_smooth_keeps_constants_at_the_edge_and_leading_axes_apart():
    a = np.stack([np.full((6, 7), 3.0, np.float32), np.zeros((6, 7), np.float32)])
    np.testing.assert_allclose(smooth(a, 5.0), a, atol=1e-6)
    assert smooth(a, 0.1) is a
