"""Injected errors are as frequent, as shared and as lasting as ordered."""

import numpy as np
import pytest

from frostline.clock import days
from frostline.grid import named
from frostline.schema import record
from frostline.twin.injector import error_correlation, inject

PSI = {"a": 0.95, "b": 0.8, "c": 0.7}
ETA = {"a": 0.9, "b": 0.97, "c": 0.75}


def truth(shape=(20, 20), count=400, share=0.4, overpass=(0, 1), seed=0):
    times = days("2015-01-01", "2024-12-31")[:count]
    frozen = (np.random.default_rng(seed).random((count, len(overpass), *shape)) < share).astype(np.float32)
    grid = named("M09").around(100.0, 40.0, shape)
    return record(frozen, grid=grid, time=times, overpass=list(overpass))


def errors(records, state):
    """1 where a record errs, (product, time, overpass, y, x)."""
    return np.stack([(r["frozen"].values != state["frozen"].values) for r in records.values()]).astype(float)


def test_chances_are_exact_whatever_the_correlations():
    state = truth()
    frozen = state["frozen"].values == 1
    for common, persistence in ((0.0, 0.0), (0.6, 0.0), (0.3, 0.5)):
        found = inject(state, PSI, ETA, common=common, persistence=persistence, length=0, seed=5)
        assert list(found) == ["a", "b", "c"]
        for name, wrong in zip(found, errors(found, state), strict=True):
            assert 1 - wrong[frozen].mean() == pytest.approx(PSI[name], abs=0.005)
            assert 1 - wrong[~frozen].mean() == pytest.approx(ETA[name], abs=0.005)


def test_errors_share_what_was_ordered_and_no_more():
    state = truth()
    frozen = state["frozen"].values == 1
    alone = errors(inject(state, PSI, ETA, length=0, seed=1), state)
    together = errors(inject(state, PSI, ETA, common=0.6, length=0, seed=1), state)
    for where, chance in ((frozen, PSI), (~frozen, ETA)):
        for i, j in ((0, 1), (0, 2), (1, 2)):
            names = "abc"[i], "abc"[j]
            wanted = error_correlation(chance[names[0]], chance[names[1]], common=0.6)
            assert wanted > 0.15
            assert np.corrcoef(together[i][where], together[j][where])[0, 1] == pytest.approx(wanted, abs=0.02)
            assert np.corrcoef(alone[i][where], alone[j][where])[0, 1] == pytest.approx(0, abs=0.02)


def test_correlation_by_hand():
    """Two fields of correlation .5 are both negative with 1/4 + arcsin(.5) / (2 pi) = 1/3; (1/3 - 1/4) / (1/4)."""
    assert error_correlation(0.5, 0.5, common=0.5) == pytest.approx(1 / 3, abs=1e-6)
    assert error_correlation(0.9, 0.8, common=0.0) == pytest.approx(0, abs=1e-6)
    assert error_correlation(0.9, 0.9, common=1.0) == pytest.approx(1, abs=1e-4)


def test_errors_last_and_spread():
    state = truth(share=0.0, overpass=(0,))
    half = {"a": 0.5}

    def first(**options):
        return errors(inject(state, half, half, seed=2, **options), state)[0, :, 0]

    lasting = first(length=0, persistence=0.8)
    lag = np.corrcoef(lasting[1:].ravel(), lasting[:-1].ravel())[0, 1]
    assert lag == pytest.approx(2 / np.pi * np.arcsin(0.8), abs=0.01)
    assert abs(np.corrcoef(lasting[..., 1:].ravel(), lasting[..., :-1].ravel())[0, 1]) < 0.01
    wide = first(length=5.0)
    near = np.corrcoef(wide[..., 1:].ravel(), wide[..., :-1].ravel())[0, 1]
    assert near == pytest.approx(2 / np.pi * np.arcsin(np.exp(-((1 / 5) ** 2))), abs=0.02)
    assert abs(np.corrcoef(wide[1:].ravel(), wide[:-1].ravel())[0, 1]) < 0.02


def test_a_gap_in_the_dates_is_forgotten_over():
    """Across ten days without a date .8 is kept ten times: .107."""
    state = truth(share=0.0, count=1200, shape=(10, 10), overpass=(0,)).isel(time=np.arange(0, 1200, 10))
    wrong = errors(inject(state, {"a": 0.5}, {"a": 0.5}, persistence=0.8, length=0, seed=2), state)[0]
    lag = np.corrcoef(wrong[1:].ravel(), wrong[:-1].ravel())[0, 1]
    assert lag == pytest.approx(2 / np.pi * np.arcsin(0.8**10), abs=0.03)


def test_seeds_repeat_unknown_stays_and_perfect_is_perfect():
    state = truth(count=10)
    state["frozen"][2:4] = np.nan
    one, two, other = (inject(state, PSI, ETA, length=2.0, seed=s)["a"]["frozen"] for s in (3, 3, 4))
    np.testing.assert_array_equal(one, two)
    assert (one != other).any()
    assert np.isnan(one[2:4]).all() and not np.isnan(one[4:]).any()
    sure = inject(state, {"a": 1.0}, {"a": 1.0}, length=0, seed=0)["a"]
    np.testing.assert_array_equal(sure["frozen"], state["frozen"])
    assert (inject(state, {"a": 0.0}, {"a": 1.0}, length=0, seed=0)["a"]["frozen"][4:] == 0).all()


def test_wrong_orders_are_refused():
    state = truth(count=2)
    with pytest.raises(ValueError, match="psi is of"):
        inject(state, {"a": 0.9}, {"b": 0.9}, length=0, seed=0)
    with pytest.raises(ValueError, match="persistence"):
        inject(state, {"a": 0.9}, {"a": 0.9}, persistence=1.0, length=0, seed=0)
