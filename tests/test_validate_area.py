"""Corrected shares: worked by hand, on drawn errors whose truth is known, and where nothing can be said."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from frostline.clock import days, season
from frostline.errors import InputError
from frostline.validate.area import adjusted_shares, corrected, frost_years, worth

YEAR = days("2016-08-01", "2017-07-31").astype("datetime64[D]")


def table(days, units, *, right, wrong, thawed, missed):
    shape = (days, units)
    names = ("true_frozen", "false_frozen", "true_thawed", "false_thawed")
    return {name: np.full(shape, float(v)) for name, v in zip(names, (right, wrong, thawed, missed), strict=True)}


def test_two_classes_by_hand():
    """Called frozen on .4 of the area: .9 of 100 are; called thawed on .6: .05 of 80. .4 x .9 + .6 x .05 = .39."""
    share, error = adjusted_shares([[90, 10], [4, 76]], [0.4, 0.6])
    assert share.tolist() == pytest.approx([0.39, 0.61])
    by_hand = np.sqrt(0.16 * 0.09 / 99 + 0.36 * 0.0475 / 79)
    assert error.tolist() == pytest.approx([by_hand, by_hand])


@given(
    st.lists(st.lists(st.integers(1, 50), min_size=3, max_size=3), min_size=3, max_size=3),
    st.lists(st.floats(0.05, 1), min_size=3, max_size=3),
)
def test_shares_are_a_whole(counts, weights):
    claimed = np.array(weights) / sum(weights)
    share, error = adjusted_shares(counts, claimed)
    assert share.sum() == pytest.approx(1) and (share >= 0).all() and (error >= 0).all()


def test_a_class_without_sample_is_unknown_unless_it_covers_nothing():
    assert np.isnan(adjusted_shares([[9, 1], [0, 0]], [0.5, 0.5])[0]).all()
    assert adjusted_shares([[9, 1], [0, 0]], [1.0, 0.0])[0].tolist() == pytest.approx([0.9, 0.1])
    assert np.isnan(adjusted_shares([[1, 0], [5, 5]], [0.5, 0.5])[1]).all()
    with pytest.raises(InputError, match=r"sum to 0\.9"):
        adjusted_shares([[9, 1], [5, 5]], [0.5, 0.4])


def test_perfect_claims_change_nothing_and_have_no_width():
    claimed = np.linspace(0, 1, len(YEAR))
    sums = table(len(YEAR), 3, right=5, wrong=0, thawed=5, missed=0)
    found = corrected(claimed, YEAR, sums, YEAR, periods={"year": np.ones(len(YEAR))}, resamples=50)
    for values in (found.share, found.lo, found.hi):
        assert values == pytest.approx(claimed)
    assert found.periods["year"] == pytest.approx((claimed.sum(),) * 3)


def test_each_season_has_its_own_worth_by_hand():
    """Winter: q_F .9, q_T .2. Other days: q_F 1, q_T 0. Half called frozen: .55 a winter day, .5 else; NaN stays."""
    winter = np.isin(YEAR.astype("datetime64[M]").astype(int) % 12, (0, 1, 11))
    sums = table(len(YEAR), 2, right=10, wrong=0, thawed=10, missed=0)
    for name, value in (("true_frozen", 9), ("false_frozen", 1), ("true_thawed", 8), ("false_thawed", 2)):
        sums[name][winter] = value
    claimed = np.full(len(YEAR), 0.5)
    claimed[0] = np.nan
    found = corrected(claimed, YEAR, sums, YEAR, periods={"year": np.ones(len(YEAR))}, groups=season, resamples=50)
    assert found.share[winter] == pytest.approx(0.55) and found.share[1:][~winter[1:]] == pytest.approx(0.5)
    assert np.isnan(found.share[0]) and winter.sum() == 90
    assert found.periods["year"][0] == pytest.approx(90 * 0.55 + 274 * 0.5)


def test_a_claim_seldom_made_in_a_season_takes_its_worth_from_all():
    """Summer: two of frozen claims, both wrong; over the year 730 of 732 are right."""
    summer = np.isin(YEAR.astype("datetime64[M]").astype(int) % 12, (5, 6, 7))
    sums = table(len(YEAR), 1, right=2, wrong=0, thawed=10, missed=0)
    sums["true_frozen"][summer] = 0
    sums["false_frozen"][np.flatnonzero(summer)[:2]] = 1
    found = corrected(np.full(len(YEAR), 0.1), YEAR, sums, YEAR, periods={}, groups=season, resamples=20)
    frozen = 2 * (~summer).sum()
    assert found.share[summer] == pytest.approx(0.1 * frozen / (frozen + 2))


def test_few_judged_days_give_no_interval():
    sums = table(9, 1, right=9, wrong=1, thawed=9, missed=1)
    found = corrected(np.full(9, 0.5), YEAR[:9], sums, YEAR[:9], periods={"all": np.ones(9)}, resamples=20)
    assert found.periods["all"][0] == pytest.approx(4.5) and np.isnan(found.periods["all"][1:]).all()
    assert np.isnan(found.lo).all()
    nothing = corrected(np.full(9, np.nan), YEAR[:9], sums, YEAR[:9], periods={"all": np.ones(9)}, resamples=20)
    assert np.isnan(nothing.periods["all"]).all()


def test_the_interval_holds_the_truth_about_as_often_as_it_says():
    """Thirty worlds: errors of stations and weeks hang together; the truth of the whole is known."""
    held = 0
    for world in range(30):
        rng = np.random.default_rng(world)
        stations, area = 25, 400
        state = 0.5 + 0.5 * np.cos(2 * np.pi * (np.arange(365) - 170) / 365)  # share frozen
        place = rng.normal(0, 0.5, stations + area)
        week = np.repeat(rng.normal(0, 0.7, 53), 7)[:365]
        chance = rng.random((1, stations + area))
        truth = chance < state[:, None]
        wrong = rng.random((365, stations + area)) < 1 / (1 + np.exp(1.5 + place + week[:, None] - truth * 0.8))
        claim = truth ^ wrong
        at = (claim[:, :stations], truth[:, :stations])
        sums = {
            "true_frozen": at[0] & at[1],
            "false_frozen": at[0] & ~at[1],
            "true_thawed": ~at[0] & ~at[1],
            "false_thawed": ~at[0] & at[1],
        }
        all_year = {"year": np.ones(365)}
        found = corrected(claim[:, stations:].mean(axis=1), YEAR, sums, YEAR, periods=all_year, resamples=150)
        _, low, high = found.periods["year"]
        held += low <= truth[:, stations:].mean(axis=1).sum() <= high
    assert held >= 25, held


def test_worth_of_nothing_is_unknown_and_years_must_be_whole():
    assert np.isnan(worth(table(1, 1, right=0, wrong=0, thawed=0, missed=0))).all()
    known = np.ones(len(YEAR), bool)
    known[184:201] = False  # 17 of February's 28 days: less than half is left
    assert frost_years(YEAR, known) == {}
    assert frost_years(YEAR[1:], np.ones(364, bool))[2016].sum() == pytest.approx(365)
