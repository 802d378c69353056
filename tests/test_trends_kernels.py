"""The formulas of trends by hand, and against SciPy where it has them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import false_discovery_control, kendalltau, linregress, theilslopes

from frostline import trends_kernels as kernels
from frostline import trends_pairs as pairs

SERIES = [170.0, 165, 172, 168, 160, 166, 158, 163, 159, 161, 155, 158]  # two values are equal


def test_the_worked_series():
    y, t = np.array(SERIES)[:, None], np.arange(12.0)
    kendall = kernels.mann_kendall(y)
    assert kendall.s.item() == -41
    assert kendall.variance.item() == pytest.approx((12 * 11 * 29 - 2 * 1 * 9) / 18)
    fit = kernels.regress(y, t, np.stack([np.ones(12), t], axis=1))
    assert fit.se[1].item() == pytest.approx(0.271279, abs=5e-7)


def test_the_worked_series_of_ties():
    kendall = kernels.mann_kendall(np.array([5.0, 5, 4, 4, 3, 3, 2, 2])[:, None])
    assert kendall.s.item() == -24 and kendall.z.item() == pytest.approx(-2.936835, abs=5e-7)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.one_of(st.integers(0, 9), st.floats(0, 9, width=16), st.just(np.nan)), min_size=12, max_size=25),
    st.integers(0, 3),
)
def test_every_estimate_is_scipys(values, gaps):
    y, t = np.array(values, float), np.cumsum(1.0 + (np.arange(len(values)) % 4 < gaps))
    known = np.isfinite(y)
    if known.sum() < 5 or np.ptp(y[known]) < 1e-3:
        return
    kendall = kernels.mann_kendall(y[:, None])
    line, _ = kernels.sen(y[:, None], t)
    low, high = kernels.sen_interval(y[:, None], t, kendall.variance)
    wanted = theilslopes(y[known], t[known])
    assert [line.item(), low.item(), high.item()] == pytest.approx([wanted.slope, wanted.low_slope, wanted.high_slope])
    fit = kernels.regress(y[:, None], t, np.stack([np.ones_like(t), t], axis=1))
    wanted = linregress(t[known], y[known])
    assert fit.coefficient[1].item() == pytest.approx(wanted.slope, abs=1e-9)
    assert fit.se[1].item() == pytest.approx(wanted.stderr, abs=1e-9)
    n = known.sum()
    distinct = len(np.unique(y[known])) == n
    if distinct:
        assert kendall.tau.item() == pytest.approx(kendalltau(t[known], y[known]).statistic)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.one_of(st.integers(0, 5), st.floats(-1e3, 1e3, width=32), st.just(np.nan)), min_size=2, max_size=30),
    st.integers(0, 500),
)
def test_slopes_of_ranks_are_those_of_sorting(values, rank):
    y, t = np.array(values, float), np.cumsum(1.0 + (np.arange(len(values)) % 3))
    i, j = np.triu_indices(len(y), 1)
    slopes = np.sort((y[j] - y[i]) / (t[j] - t[i]))
    slopes = slopes[np.isfinite(slopes)]
    median, at = pairs.medians(y[:, None], t), pairs.slopes_at(y[:, None], t, np.array([[rank], [-1]]))
    if not len(slopes):
        assert np.isnan([median[0], *at[:, 0]]).all()
        return
    assert median[0] == pytest.approx(np.median(slopes), abs=1e-12)
    assert at[:, 0].tolist() == pytest.approx([slopes[min(rank, len(slopes) - 1)], slopes[0]], abs=1e-12)


def test_student_is_what_linregress_says():
    y, t = np.array(SERIES), np.arange(12.0)
    fit = kernels.regress(y[:, None], t, np.stack([np.ones(12), t], axis=1))
    lo, hi, p = kernels.student(fit.coefficient[1], fit.se[1], np.array([10.0]))
    assert p.item() == pytest.approx(linregress(t, y).pvalue)
    reach = 2.228139 * 0.271279  # Student's t of 10 degrees of freedom at .975
    assert [lo.item(), hi.item()] == pytest.approx([-1.199301 - reach, -1.199301 + reach], abs=1e-5)


def test_autocorrelation_by_hand():
    """+1 +1 -1 -1 ... twelve times: six products of +1 and five of -1, over twelve squares."""
    rest = np.tile([1.0, 1, -1, -1], 3)[:, None]
    assert kernels.lag_one(rest, np.arange(12.0)).item() == pytest.approx(1 / 12)
    wanted = 1 + 2 * sum((1 - k / 12) * 0.4**k for k in range(1, 12))
    assert kernels.yue_wang(np.array([0.4]), np.array([12])).item() == pytest.approx(wanted)
    assert kernels.yue_wang(np.array([-0.4, 0.0]), np.array([12, 12])).tolist() == [1.0, 1.0]


def test_residuals_across_a_missing_year_are_no_pair():
    rest = np.array([1.0, np.nan, 1.0, -1.0, -1.0])[:, None]
    # mean 0, pairs (1, -1) and (-1, -1): sum 0
    assert kernels.lag_one(rest, np.arange(5.0)).item() == 0.0
    assert kernels.lag_one(rest[[0, 2, 3, 4]], np.array([0.0, 2, 3, 4])).item() == 0.0
    assert kernels.lag_one(rest * np.nan, np.arange(5.0)).item() == 0.0


def test_adjusted_p_is_scipys():
    p = np.random.default_rng(5).random(50) ** 2
    np.testing.assert_allclose(kernels.false_discovery(p), false_discovery_control(p))
    assert np.isnan(kernels.false_discovery([np.nan, np.nan])).all()


def test_blocks_of_residuals_keep_the_line_and_the_seed():
    t = np.arange(20.0)
    assert kernels.bootstrap_interval(3 * t + 1, t, resamples=50) == pytest.approx((3, 3))
    y = 3 * t + np.random.default_rng(0).normal(size=20)
    first = kernels.bootstrap_interval(y, t, resamples=200, seed=4)
    assert first[0] < 3 < first[1] and first == kernels.bootstrap_interval(y, t, resamples=200, seed=4)
    assert first != kernels.bootstrap_interval(y, t, resamples=200, seed=5)
    assert np.isnan(kernels.bootstrap_interval(np.where(t < 7, y, np.nan), t)).all()


def test_blocks_of_residuals_cover_the_slope():
    """41 years, r1 = .3, no trend, nominal .95."""
    rng, covered = np.random.default_rng(2), 0
    for seed in range(100):
        e = rng.standard_normal(60)
        for k in range(1, 60):
            e[k] += 0.3 * e[k - 1]
        lo, hi = kernels.bootstrap_interval(e[19:], np.arange(41.0), resamples=200, seed=seed)
        covered += lo <= 0 <= hi
    assert covered >= 86


def test_terms_that_the_years_do_not_tell_apart_are_unknown():
    t = np.arange(6.0)
    design = np.stack([np.ones(6), t, t >= 3], axis=1)
    y = np.stack([t, np.where(t >= 3, t, np.nan)], axis=1)
    fit = kernels.regress(y, t, design)
    np.testing.assert_allclose(fit.coefficient[:, 0], [0, 1, 0], atol=1e-12)
    assert np.isnan(fit.coefficient[:, 1]).all() and np.isnan(fit.se[:, 1]).all()
