"""Correlation and bias of the daily frozen shares: every number by hand."""

import numpy as np
import pytest
import xarray as xr

from frostline.clock import days
from frostline.tally import TABLE
from frostline.validate.agreement import CHINA_SCORES, SHARES, bias, correlation, with_shares


def daily(rows):
    """A tally (time) of rows (true frozen, false frozen, true thawed, false thawed)."""
    times = days("2017-01-01", "2017-12-31")[: len(rows)]
    return xr.Dataset(
        {n: ("time", np.array(v, float)) for n, v in zip(TABLE, np.transpose(rows), strict=True)}, {"time": times}
    )


def whole(rows):
    return {str(name): float(v) for name, v in with_shares(daily(rows)).sum("time").items()}


# two cells a day; claimed shares 0, .5, 1, .5 and observed ones 0, .5, .5, 1; the last day nothing was compared
DAYS = [(0, 0, 2, 0), (1, 0, 1, 0), (1, 1, 0, 0), (1, 0, 0, 1), (0, 0, 0, 0)]


def test_shares_of_days_add():
    sums = whole(DAYS)
    assert [sums[name] for name in SHARES] == [4, 2, 2, 1.5, 1.5, 1.25]
    half = with_shares(daily(DAYS[:2])).sum("time") + with_shares(daily(DAYS[2:])).sum("time")
    assert {n: float(half[n]) for n in SHARES} == {n: sums[n] for n in SHARES}


def test_correlation_by_hand():
    """Means .5 and .5; covariance 1.25 / 4 - .25 = .0625; both variances 1.5 / 4 - .25 = .125."""
    assert correlation(whole(DAYS)) == pytest.approx(0.5)
    sums = {name: np.array([[value, value]]) for name, value in whole(DAYS).items()}
    np.testing.assert_allclose(correlation(sums), [[0.5, 0.5]])
    assert correlation(whole([(1, 0, 1, 0), (2, 0, 0, 0)])) == pytest.approx(1)
    assert correlation(whole([(0, 1, 0, 1), (0, 0, 1, 1)])) != correlation(whole(DAYS))


@pytest.mark.parametrize("rows", [[(0, 0, 0, 0)], [(0, 0, 2, 0)] * 9, [(0, 1, 1, 0), (0, 0, 2, 0)]])
def test_a_series_that_never_changes_has_no_correlation(rows):
    assert np.isnan(correlation(whole(rows)))


def test_bias_by_hand():
    """Days of DAYS: one false frozen, one false thawed of eight."""
    assert bias(whole(DAYS)) == 0
    assert bias(whole([(1, 1, 0, 0), (0, 1, 1, 0)])) == 0.5
    assert np.isnan(bias(whole([(0, 0, 0, 0)])))


def test_the_paper_names_three_of_them():
    sums = {"true_frozen": 180, "false_frozen": 50, "true_thawed": 700, "false_thawed": 70}
    found = [float(CHINA_SCORES[n](sums)) for n in ("accuracy", "frozen_accuracy", "thawed_accuracy")]
    assert found == pytest.approx([0.88, 0.72, 700 / 750])
