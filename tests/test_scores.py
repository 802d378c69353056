"""Scores against numbers worked out by hand, and their symmetries."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from frostline.scores import (
    SCORES,
    accuracy,
    accuracy_mean_of_days,
    balanced_accuracy,
    brier,
    brier_skill,
    coverage,
    f1_frozen,
    f1_thawed,
    frozen_accuracy,
    mcc,
    thawed_accuracy,
)

# the worked table of the project's algorithms document, section 2.3
WORKED = {"true_frozen": 180.0, "true_thawed": 700.0, "false_frozen": 50.0, "false_thawed": 70.0}
counts = st.integers(0, 10_000)
tables = st.builds(
    lambda a, b, c, d: {"true_frozen": a, "true_thawed": b, "false_frozen": c, "false_thawed": d},
    *[counts.map(float)] * 4,
)


@pytest.mark.parametrize(
    ("score", "value"),
    [
        (accuracy, 0.88),
        (frozen_accuracy, 0.72),
        (thawed_accuracy, 0.933333),
        (balanced_accuracy, 0.826667),
        (mcc, 0.6722428),
        (f1_frozen, 0.75),
        (f1_thawed, 0.921053),
    ],
)
def test_worked_table(score, value):
    assert float(score(WORKED)) == pytest.approx(value, abs=5e-7)


def test_brier_worked():
    """((.1)^2 + .2^2 + .6^2 + .6^2) / 4 = .77 / 4."""
    error = np.array([0.9, 0.2, 0.6, 0.4]) - np.array([1, 0, 0, 1])
    table = {"true_frozen": 1.0, "false_frozen": 1.0, "true_thawed": 1.0, "false_thawed": 1.0}
    assert float(brier({**table, "squared_error": (error**2).sum()})) == pytest.approx(0.1925)


def test_brier_skill_by_hand():
    """Brier .05 against .0625: one fifth better; equal: 0; a perfect reference leaves no skill to define."""
    ours, reference, perfect = ({**WORKED, "squared_error": e} for e in (50.0, 62.5, 0.0))
    assert float(brier_skill(ours, reference)) == pytest.approx(0.2)
    assert float(brier_skill(ours, ours)) == 0.0
    assert np.isnan(brier_skill(ours, perfect))


def test_mean_of_days_and_coverage_by_hand():
    assert float(accuracy_mean_of_days({"day_accuracy": 1.25, "days": 2.0})) == 0.625
    assert float(coverage({**WORKED, "unknown": 250.0})) == 0.8


def test_nothing_compared_is_nan():
    nothing = dict.fromkeys([*WORKED, "squared_error", "unknown", "day_accuracy", "days"], 0.0)
    for name, score in SCORES.items():
        assert np.isnan(score(nothing)), name


def test_one_class_only():
    """All truth thawed and called so: right, but MCC and the frozen scores are undefined."""
    summer = {"true_frozen": 0.0, "true_thawed": 10.0, "false_frozen": 0.0, "false_thawed": 0.0}
    assert float(accuracy(summer)) == 1.0
    assert np.isnan(mcc(summer)) and np.isnan(frozen_accuracy(summer)) and np.isnan(f1_frozen(summer))


@given(tables)
def test_swapping_the_classes_swaps_the_scores(t):
    swapped = {
        "true_frozen": t["true_thawed"],
        "true_thawed": t["true_frozen"],
        "false_frozen": t["false_thawed"],
        "false_thawed": t["false_frozen"],
    }
    for score, twin in [
        (frozen_accuracy, thawed_accuracy),
        (f1_frozen, f1_thawed),
        (accuracy, accuracy),
        (balanced_accuracy, balanced_accuracy),
        (mcc, mcc),
    ]:
        np.testing.assert_allclose(score(t), twin(swapped), rtol=1e-12, atol=1e-12)


@given(tables)
def test_the_opposite_claim(t):
    """Claiming the other class everywhere turns the sign of MCC and mirrors the accuracies."""
    opposite = {
        "true_frozen": t["false_thawed"],
        "false_thawed": t["true_frozen"],
        "true_thawed": t["false_frozen"],
        "false_frozen": t["true_thawed"],
    }
    np.testing.assert_allclose(mcc(opposite), -mcc(t), atol=1e-12)
    np.testing.assert_allclose(accuracy(opposite), 1 - accuracy(t), atol=1e-12)


@given(st.integers(1, 10**9), st.integers(1, 10**9))
def test_perfect_and_perfectly_wrong(frozen, thawed):
    right = {"true_frozen": float(frozen), "true_thawed": float(thawed), "false_frozen": 0.0, "false_thawed": 0.0}
    wrong = {"true_frozen": 0.0, "true_thawed": 0.0, "false_frozen": float(thawed), "false_thawed": float(frozen)}
    for score in (accuracy, frozen_accuracy, thawed_accuracy, balanced_accuracy, mcc, f1_frozen, f1_thawed):
        assert float(score(right)) == pytest.approx(1.0)
    assert float(mcc(wrong)) == pytest.approx(-1.0)
    assert float(brier({**right, "squared_error": 0.0})) == 0.0


@given(tables)
def test_mcc_equals_the_correlation_of_the_two_binary_series(t):
    x = np.repeat([1, 1, 0, 0], [int(t[n]) for n in ("true_frozen", "false_frozen", "false_thawed", "true_thawed")])
    y = np.repeat([1, 0, 1, 0], [int(t[n]) for n in ("true_frozen", "false_frozen", "false_thawed", "true_thawed")])
    if len(set(x)) == len(set(y)) == 2:
        np.testing.assert_allclose(mcc(t), np.corrcoef(x, y)[0, 1], atol=1e-9)
    else:
        assert np.isnan(mcc(t))


def test_arrays_are_scored_element_by_element():
    many = {name: np.full((2, 3), v) for name, v in WORKED.items()}
    many["true_frozen"][0, 0] = many["true_thawed"][0, 0] = many["false_frozen"][0, 0] = 0.0
    found = mcc(many)
    assert found.shape == (2, 3) and np.isnan(found[0, 0])
    assert found[1, 2] == pytest.approx(0.6722428, abs=5e-8)
