"""Our sums and fits against those of libraries that thousands use: scikit-learn, pymannkendall."""

import warnings

import numpy as np
import pymannkendall
import pytest
import xarray as xr
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn import metrics
from sklearn.calibration import calibration_curve
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from frostline import scores
from frostline.classic import fit_logistic, logistic
from frostline.clock import days
from frostline.tally import TABLE, tally
from frostline.trends import trend
from frostline.validate import calibration

MANY = settings(max_examples=25, deadline=None)
SEEDS = st.integers(0, 2**32 - 1)


def pair(seed, *, cells=60, tenths=False):
    """Claims and truths of 3 days x 2 overpasses x cells that go together somewhat; a fifth of either is unknown."""
    rng = np.random.default_rng(seed)
    shape = (3, 2, 1, cells)
    claim = rng.integers(0, 11, shape) / 10 if tenths else rng.random(shape).round(3)
    truth = (rng.random(shape) < rng.uniform(0.2, 0.8) * (0.4 + claim)).astype(float)
    claim[rng.random(shape) < 0.2], truth[rng.random(shape) < 0.2] = np.nan, np.nan
    coords = {"time": days("2017-01-01", "2017-01-03"), "overpass": [0, 1]}
    return tuple(xr.DataArray(v, coords, ("time", "overpass", "y", "x")) for v in (claim, truth))


def known(claim, truth):
    """Both as flat arrays where both are known."""
    some = np.isfinite(claim.values) & np.isfinite(truth.values)
    return claim.values[some], truth.values[some]


@MANY
@given(SEEDS)
def test_scores_of_a_tally_are_sklearns(seed):
    claim, truth = pair(seed)
    claim = claim.where(claim != 0.5)  # a tie is half of both classes here, and none of either there
    p, y = known(claim, truth)
    said = p > 0.5
    assume(0 < y.sum() < len(y) and 0 < said.sum() < len(y))
    sums = tally(claim, truth).sum()
    wanted = {
        "accuracy": metrics.accuracy_score(y, said),
        "balanced_accuracy": metrics.balanced_accuracy_score(y, said),
        "frozen_accuracy": metrics.recall_score(y, said),
        "thawed_accuracy": metrics.recall_score(y, said, pos_label=0),
        "mcc": metrics.matthews_corrcoef(y, said),
        "f1_frozen": metrics.f1_score(y, said),
        "f1_thawed": metrics.f1_score(y, said, pos_label=0),
        "brier": metrics.brier_score_loss(y, p),
    }
    for name, value in wanted.items():
        assert float(scores.SCORES[name](sums)) == pytest.approx(value, abs=1e-12), name
    thawed, frozen = metrics.confusion_matrix(y, said)
    assert [float(sums[name]) for name in TABLE] == [frozen[1], thawed[1], thawed[0], frozen[0]]
    no_better = {**{name: sums[name] for name in TABLE}, "squared_error": y.var() * len(y)}  # who always says the share
    skill = 1 - metrics.brier_score_loss(y, p) / metrics.brier_score_loss(y, np.full(len(y), y.mean()))
    assert float(scores.brier_skill(sums, no_better)) == pytest.approx(skill)


@MANY
@given(SEEDS)
def test_areas_weigh_as_sample_weights_do(seed):
    claim, truth = pair(seed)
    claim = claim.where(claim != 0.5)
    area = np.random.default_rng(seed).uniform(0.5, 2.0, claim.shape[2:])
    some = np.isfinite(claim.values) & np.isfinite(truth.values)
    weight = np.broadcast_to(area, claim.shape)[some]
    p, y = known(claim, truth)
    assume(0 < y.sum() < len(y) and 0 < (p > 0.5).sum() < len(y))
    sums = tally(claim, truth, weights=area).sum()
    assert float(scores.accuracy(sums)) == pytest.approx(metrics.accuracy_score(y, p > 0.5, sample_weight=weight))
    assert float(scores.mcc(sums)) == pytest.approx(metrics.matthews_corrcoef(y, p > 0.5, sample_weight=weight))
    assert float(scores.brier(sums)) == pytest.approx(metrics.brier_score_loss(y, p, sample_weight=weight))


@MANY
@given(SEEDS)
def test_the_reliability_diagram_is_sklearns(seed):
    """Its bins are the elevenths of [0, 1], ours the tenths that a claim rounds to: the same after a step between."""
    p, y = known(*pair(seed))
    claimed, frozen, count = calibration.table(calibration.sums_of(p, y))
    stepped = (np.rint(10 * p) + 0.5) / calibration.BINS
    share, place = calibration_curve(y, stepped, n_bins=calibration.BINS)
    np.testing.assert_allclose(frozen[count > 0], share)
    np.testing.assert_allclose(place, (np.flatnonzero(count > 0) + 0.5) / calibration.BINS)
    rounded = np.rint(10 * p)
    np.testing.assert_allclose(claimed[count > 0], [p[rounded == k].mean() for k in np.unique(rounded)])
    off = sum(abs(p[rounded == k].mean() - y[rounded == k].mean()) * (rounded == k).mean() for k in np.unique(rounded))
    assert calibration.ece(calibration.sums_of(p, y)) == pytest.approx(off)


@MANY
@given(SEEDS)
def test_the_parts_of_briers_score_add_up_to_sklearns(seed):
    """Exactly where all claims of a bin are equal (Murphy 1973): claims of whole tenths."""
    p, y = known(*pair(seed, tenths=True))
    sums = calibration.sums_of(p, y)
    parts = (
        calibration.brier_reliability(sums) - calibration.brier_resolution(sums) + calibration.brier_uncertainty(sums)
    )
    assert parts == pytest.approx(metrics.brier_score_loss(y, p))


@MANY
@given(SEEDS)
def test_isotonic_scaling_is_sklearns(seed):
    p, y = known(*pair(seed, tenths=seed % 2 == 0))
    theirs = IsotonicRegression(out_of_bounds="clip").fit(p, y)
    asked = np.linspace(0, 1, 201)
    np.testing.assert_allclose(
        calibration.scaled(calibration.fit_isotonic(p, y), asked), theirs.predict(asked), atol=1e-6
    )


@settings(max_examples=12, deadline=None)
@given(SEEDS)
def test_temperature_is_a_regression_on_log_odds_without_offset(seed):
    rng = np.random.default_rng(seed)
    p = np.clip(rng.random(300).round(3), calibration.LEAST, 1 - calibration.LEAST)
    odds = np.log(p / (1 - p))
    y = (rng.random(300) < 1 / (1 + np.exp(-odds / rng.uniform(0.5, 4)))).astype(float)
    theirs = LogisticRegression(C=1e9, fit_intercept=False, tol=1e-9).fit(odds[:, None], y)
    found = calibration.fit_temperature(p, y)["temperature"]
    assert 1 / found == pytest.approx(theirs.coef_.item(), rel=1e-3)


@settings(max_examples=12, deadline=None)
@given(SEEDS, st.floats(0.01, 30))
def test_the_regression_of_the_recalibrated_reanalysis_is_sklearns(seed, ridge):
    """On standardised predictors its penalty is ours: C = 1 / ridge, the offset free."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(200, 3)) * [5, 0.1, 100] + [270, 0, 30]
    y = (rng.random(200) < 1 / (1 + np.exp(x[:, 0] - 270))).astype(float)
    assume(0 < y.sum() < len(y))
    ours = fit_logistic(x, y, ridge=ridge)
    standard = (x - x.mean(axis=0)) / x.std(axis=0)
    theirs = LogisticRegression(C=1 / ridge, tol=1e-9, max_iter=1000).fit(standard, y)
    np.testing.assert_allclose(ours.slope, theirs.coef_[0], atol=2e-4)
    assert ours.offset == pytest.approx(theirs.intercept_.item(), abs=2e-4)
    np.testing.assert_allclose(logistic(ours, x), theirs.predict_proba(standard)[:, 1], atol=1e-4)


def series(values):
    """(year,) or (year, cell) as the array that `season` would give."""
    values = np.asarray(values, float)
    return xr.DataArray(values, {"year": 1980 + np.arange(len(values))}, ("year", "cell")[: values.ndim])


@MANY
@given(st.lists(st.one_of(st.integers(0, 12), st.floats(0, 9, width=16)), min_size=12, max_size=41))
def test_mann_kendall_with_ties_is_pymannkendalls(values):
    assume(np.ptp(values) > 0.01)
    found = trend(series(values), correction="none")
    wanted = pymannkendall.original_test(values)
    for name, value in (("z", wanted.z), ("p", wanted.p), ("tau", wanted.Tau), ("slope", wanted.slope)):
        assert float(found[name]) == pytest.approx(value, rel=1e-5, abs=1e-6), name
    # its intercept is the median of the values less the slope times the median year, counted from 0; ours the median
    # of what the slope leaves: both lines have the slope, and Sen's is asked of both functions
    assert pymannkendall.sens_slope(values).slope == pytest.approx(float(found["slope"]), rel=1e-5, abs=1e-6)


def noise(rho, cells, *, seed=5, years=41):
    rng = np.random.default_rng(seed)
    e = rng.standard_normal((years, cells))
    for k in range(1, years):
        e[k] += rho * e[k - 1]
    return e


def test_memory_is_measured_as_pymannkendall_does():
    """Its Yue-Wang test of one lag makes var S (1 + 2 (1 - 1/n) r1) times as large, which gives r1 away."""
    values = noise(0.5, 12)
    found = trend(series(values))
    for cell in range(values.shape[1]):
        plain = pymannkendall.original_test(values[:, cell])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            theirs = pymannkendall.yue_wang_modification_test(values[:, cell], lag=1)
        r1 = (theirs.var_s / plain.var_s - 1) / (2 * (1 - 1 / len(values)))
        assert float(found["r1"][cell]) == pytest.approx(r1, abs=1e-5)


def test_fewer_false_alarms_than_hamed_and_raos_test():
    """41 years of noise with r1 = .6, nominal 5 %: theirs, with all its lags, mends little; ours must do better."""
    values = noise(0.6, 200)
    ours = trend(series(values))["p"].values
    plain = np.array([pymannkendall.original_test(v).p for v in values.T])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its variance of S is below 0 at times
        theirs = np.array([pymannkendall.hamed_rao_modification_test(v).p for v in values.T])
    alarms = [float((p < 0.05).mean()) for p in (plain, theirs, ours)]
    assert alarms[0] >= alarms[1] > 1.5 * alarms[2] > 0.05, alarms
    assert np.corrcoef(plain, ours)[0, 1] > 0.8  # the same order of evidence, less of it
    assert (ours >= plain - 1e-7).all()


def test_noise_without_memory_is_left_alone():
    values = noise(0.0, 60)
    found = trend(series(values))
    still = found["r1"].values <= 0
    assert still.sum() > 15
    wanted = [pymannkendall.original_test(v).p for v in values.T[still]]
    np.testing.assert_allclose(found["p"].values[still], wanted, rtol=1e-5)
