"""Draws, percentiles and effective days by hand, and what the intervals cover."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from frostline.clock import days, season
from frostline.scores import SCORES
from frostline.validate.intervals import bounds, draw_clusters, draw_days, effective_days, resample

YEAR = days("2019-01-01", "2019-12-31")


def ar1(r, shape, rng):
    """Normal series of unit variance whose neighbours correlate by r, (repeats, days)."""
    e = rng.normal(size=(shape[0], shape[1] + 150))
    x = np.zeros_like(e)
    for i in range(1, x.shape[1]):
        x[:, i] = r * x[:, i - 1] + np.sqrt(1 - r * r) * e[:, i]
    return x[:, 150:]


@given(st.integers(1, 800), st.integers(1, 60), st.integers(0, 99))
@settings(deadline=None, max_examples=40)
def test_every_draw_takes_as_many_days_of_each_season(count, block, seed):
    dates = YEAR[0] + np.arange(count) * np.timedelta64(1, "D")
    draws, blocks = draw_days(dates, block=block, resamples=7, seed=seed)
    assert draws.shape == (7, count) and blocks >= 1
    for name in set(season(dates)):
        here = season(dates) == name
        assert (draws[:, here].sum(axis=1) == here.sum()).all()


def test_draws_are_blocks_and_the_seed_repeats_them():
    dates = days("2019-03-01", "2019-05-31")  # one season, 92 days: blocks of 23, four of them
    draws, blocks = draw_days(dates, block=30, resamples=200, seed=1)
    assert blocks == 4
    edges = (np.diff(np.concatenate([draws, draws[:, :1]], axis=1), axis=1) != 0).sum(axis=1)
    assert edges.max() <= 8  # four blocks have at most eight ends
    np.testing.assert_array_equal(draw_days(dates, block=30, resamples=200, seed=1)[0], draws)
    assert (draw_days(dates, block=30, resamples=200, seed=2)[0] != draws).any()


def test_resampled_sums_by_hand():
    draws = np.array([[2.0, 0.0, 1.0], [0.0, 3.0, 0.0]])
    found = resample(draws, {"n": np.array([[1.0, 10.0], [2.0, 20.0], [3.0, 30.0]])})
    assert found["n"].tolist() == [[5.0, 50.0], [6.0, 60.0]]


def test_bounds_by_hand():
    """K = 2, level .5: t of one degree of freedom at .25 is -1, so ndtr(-sqrt(2)) = .0786496 of 0..1000."""
    drawn = np.arange(1001.0)[np.random.default_rng(0).permutation(1001)]
    low, high = bounds(drawn, units=2, level=0.5)
    assert float(low) == pytest.approx(78.6496, abs=1e-3)
    assert float(high) == pytest.approx(1000 - 78.6496, abs=1e-3)
    # very many units: plain percentiles
    low, high = bounds(drawn, units=1e9, level=0.9)
    assert (float(low), float(high)) == pytest.approx((50.0, 950.0), abs=1e-3)


def test_bounds_without_enough_draws_or_units():
    drawn = np.array([[1.0, np.nan, 1.0], [2.0, np.nan, 2.0], [3.0, np.nan, np.nan], [4.0, 9.0, np.nan]])
    low, high = bounds(drawn, units=100)
    assert np.isfinite(low[0]) and np.isnan(low[1]) and np.isfinite(low[2]) and high[2] <= 2
    assert np.isnan(bounds(drawn, units=1)[0]).all()


def test_effective_days_by_hand():
    """Share wrong 0 0 1 1 0 0 1 1: mean 1/2, variance 1/4, seven products + - + - + - + of 1/4: r1 = 1/7.

    So 8 (6/7) / (8/7) = 6.
    """
    wrong = np.array([0.0, 0, 1, 1, 0, 0, 1, 1])
    dates = days("2019-07-01", "2019-07-08")
    assert float(effective_days(wrong, np.ones(8), dates)) == pytest.approx(6.0)
    # a day without data counts neither as a day nor in a pair
    gap = np.array([1.0, 1, 1, 1, 0, 1, 1, 1])
    assert float(effective_days(wrong, gap, dates)) <= 7
    # a change of sign every day is worth no more than its days; a constant has no correlation
    assert float(effective_days(np.array([0.0, 1, 0, 1, 0, 1, 0, 1]), np.ones(8), dates)) == 8
    assert np.isnan(effective_days(np.zeros(8), np.ones(8), dates))
    assert np.isnan(effective_days(wrong[::2], np.ones(4), dates[::2]))


def test_effective_days_of_a_persistent_series():
    """AR(1), r = .5: a third of the days, whatever the cycle of the seasons."""
    x = ar1(0.5, (1, 365 * 8), np.random.default_rng(5))[0]
    dates = YEAR[0] + np.arange(365 * 8) * np.timedelta64(1, "D")
    cycle = (season(dates) == "DJF") * 0.2
    found = float(effective_days(0.3 + cycle + 0.02 * x, np.ones(len(x)), dates))
    assert found == pytest.approx(365 * 8 / 3, rel=0.1)


def daily_sums(rng, shape):
    share = np.clip(0.1 + 0.05 * rng.normal(size=shape), 0, 1)
    frozen = np.full(shape, 400.0)
    wrong = np.round(frozen * share)
    names = {"true_frozen": frozen - wrong, "false_thawed": wrong, "false_frozen": wrong, "true_thawed": 600 - wrong}
    right = names["true_frozen"] + names["true_thawed"]
    return {
        **names,
        "squared_error": 2 * wrong,
        "unknown": 0 * wrong,
        "day_accuracy": right / 1000,
        "days": np.ones(shape),
    }


def test_the_interval_holds_the_value():
    sums = daily_sums(np.random.default_rng(2), (365, 3))
    draws, blocks = draw_days(YEAR)
    drawn = resample(draws, sums)
    for name, score in SCORES.items():
        value = score({k: v.sum(axis=0) for k, v in sums.items()})
        low, high = bounds(score(drawn), units=blocks)
        assert ((low <= value) & (value <= high)).all(), name
        if name != "coverage":
            assert (high - low < 0.05).all() and (high > low).all(), name


def test_a_year_of_twenty_strata_takes_less_than_a_second():
    sums = daily_sums(np.random.default_rng(0), (365, 2, 20))
    began = time.perf_counter()
    draws, blocks = draw_days(YEAR)
    drawn = resample(draws, sums)
    for score in SCORES.values():
        bounds(score(drawn), units=blocks)
    assert time.perf_counter() - began < 1.0


def test_clusters_are_wider_when_stations_differ():
    """20 stations, each always right or always wrong: the share right is known to about +-.2, not to +-.01."""
    right = np.repeat([1.0, 0.0], 10)[:, None] * 1000
    draws = draw_clusters(20, resamples=1000, seed=0)
    assert (draws.sum(axis=1) == 20).all()
    drawn = resample(draws, {"right": right, "all": np.full((20, 1), 1000.0)})
    low, high = bounds(drawn["right"] / drawn["all"], units=20)
    assert low[0] == pytest.approx(0.27, abs=0.05) and high[0] == pytest.approx(0.73, abs=0.05)


@pytest.mark.slow
@pytest.mark.parametrize(("r", "amplitude"), [(0.5, 0.0), (0.8, 0.0), (0.8, 1.0), (0.9, 1.0)])
def test_coverage_of_persistent_errors(r, amplitude):
    """300 years of errors that last (correlation r a day) and have a season: 95 % intervals hold the long-term share.

    Plain percentiles of blocks drawn over the whole year hold it in 89 % (r = .8, no season) or are two times too
    wide (r = .8, season): drawing by season with expanded percentiles stays between.
    """
    rng = np.random.default_rng(11)
    cycle = amplitude * np.cos(2 * np.pi * (np.arange(365) - 15) / 365)

    def share(x):
        return 1 / (1 + np.exp(-(-2.5 + cycle + 0.7 * x)))

    truth = share(ar1(r, (4000, 365), rng)).mean()
    years = share(ar1(r, (300, 365), rng))
    draws, blocks = draw_days(YEAR)
    low, high = bounds(draws @ years.T / 365, units=blocks)
    held = float(((low <= truth) & (truth <= high)).mean())
    width = float((high - low).mean() / (3.92 * years.mean(axis=1).std()))
    assert held >= 0.88
    assert 0.8 < width < 2.0
