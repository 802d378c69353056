"""The latent model against exact vectors, by hand, and by likelihood."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from frostline.errors import ConfigError
from frostline.validate.collocation_em import STATUS, closed_draws, closed_form, closed_plain, patterns, ranks, refit

# name: b, psi, eta, v of exact populations; v = sqrt(1 - b^2) (psi + eta - 1)
VECTORS = {
    "A": (0.0, (0.9, 0.8, 0.7), (0.85, 0.9, 0.75), (0.75, 0.70, 0.45)),
    "B": (-0.4, (0.95, 0.9, 0.85), (0.92, 0.97, 0.88), (0.7973681709223162, 0.7973681709223162, 0.6690560514635526)),
    "C": (-0.9, (0.8, 0.9, 0.7), (0.99, 0.97, 0.95), (0.3443530165397132, 0.3792242080880386, 0.28332843133014374)),
    "D": (-0.2, (0.9, 0.85, 0.2), (0.9, 0.88, 0.3), (0.7838367176906171, 0.715251004892688, -0.4898979485566357)),
    "E": (0.5, (0.96, 0.9, 0.8), (0.8, 0.7, 0.9), (0.6581793068761735, 0.519615242270663, 0.6062177826491071)),
    "F": (-0.3, (0.9, 0.8, 1.0), (0.95, 0.85, 1.0), (0.810848321204404, 0.6200604809210146, 0.9539392014169455)),
}
MU = {
    "A": (0.05, -0.10, -0.05),
    "B": (-0.318, -0.418, -0.322),
    "C": (-0.901, -0.853, -0.835),
    "D": (-0.16, -0.176, 0.0),
    "E": (0.54, 0.50, 0.25),
    "F": (-0.305, -0.245, -0.3),
}
POPULATION_B = (0.5499434, 0.0520766, 0.0190266, 0.0399534, 0.0762366, 0.0307434, 0.0137934, 0.2182266)


def population(b, psi, eta, *, pair=None, extra=0.0):
    """Probability of every pattern; `extra` is a covariance of the 0/1 errors of one pair, in both classes."""
    share = np.zeros(2 ** len(psi))
    for code in range(len(share)):
        says = [(code >> i) & 1 for i in range(len(psi))]
        for state, weight in ((1, (1 + b) / 2), (0, (1 - b) / 2)):
            right = psi if state else eta
            chances = [r if s == state else 1 - r for s, r in zip(says, right, strict=True)]
            part = np.prod(chances)
            if pair:
                i, j = pair
                others = np.prod([c for k, c in enumerate(chances) if k not in pair])
                part = others * (chances[i] * chances[j] + extra * (1 if says[i] == says[j] else -1))
            share[code] += weight * part
    return share


def test_the_population_of_b_is_the_printed_one():
    np.testing.assert_allclose(population(*VECTORS["B"][:3]), POPULATION_B, atol=1e-15)


@pytest.mark.parametrize("name", VECTORS)
def test_vectors(name):
    b, psi, eta, v = VECTORS[name]
    found = closed_form(population(b, psi, eta))
    assert found["status"] == STATUS["ok"]
    for key, exact in (("mu", MU[name]), ("b", b), ("psi", psi), ("eta", eta), ("v", v)):
        np.testing.assert_allclose(found[key], exact, rtol=0, atol=1e-12, err_msg=key)
    np.testing.assert_allclose(found["residual"], 0, atol=1e-12)
    again = refit(1e4 * population(b, psi, eta), **{k: found[k] for k in ("psi", "eta", "b")})
    np.testing.assert_allclose(again["psi"], psi, atol=1e-4)
    np.testing.assert_allclose(again["eta"], eta, atol=1e-4)
    assert float(again["b"]) == pytest.approx(b, abs=1e-4)


def test_one_product_worse_than_chance_does_not_turn_the_truth_over():
    """Vector D: without the sign of v, b would come out as +.2 and eta as 1.06, 1.026."""
    found = closed_form(population(*VECTORS["D"][:3]))
    assert float(found["b"]) == pytest.approx(-0.2) and float(found["v"][2]) < 0


def of_covariances(q12, q13, q23):
    """Pattern probabilities with these covariances, no mean and no third moment."""
    x = patterns(3).astype(float)
    return (1 + q12 * x[0] * x[1] + q13 * x[0] * x[2] + q23 * x[1] * x[2]) / 8


def test_statuses():
    b, psi, eta = 0.0, (0.9, 0.8, 0.7), (0.85, 0.9, 0.75)
    p = population(b, psi, eta)
    assert closed_form(of_covariances(0.2, 0.2, -0.1))["status"] == STATUS["negative_product"]
    assert closed_form(of_covariances(0.2, 0.2, 0.0))["status"] == STATUS["negative_product"]
    assert closed_form(of_covariances(-0.2, -0.2, 0.1))["status"] == STATUS["ok"]
    # v1^2 = .3 * .3 / .05 > 1: no share of agreement can be that
    assert closed_form(of_covariances(0.3, 0.3, 0.05))["status"] == STATUS["outside_unit_interval"]
    assert closed_form(50 * p, least=60)["status"] == STATUS["too_few"]
    assert closed_form(np.zeros(8))["status"] == STATUS["too_few"]
    assert closed_form([90.0, 0, 5, 0, 5, 0, 9, 0])["status"] == STATUS["zero_variance"]  # the first never freezes
    assert closed_form([50.0, 0, 0, 10, 5, 0, 0, 40])["status"] == STATUS["identical"]  # one and two agree always
    assert closed_form([0.0, 30, 40, 0, 0, 10, 20, 0])["status"] == STATUS["identical"]  # and here never
    for bad in (of_covariances(0.2, 0.2, -0.1), [90.0, 0, 5, 0, 5, 0, 9, 0]):
        found = closed_form(bad)
        assert np.isnan(found["b"]) and all(np.isnan(found[k]).all() for k in ("psi", "eta", "v"))
    with pytest.raises(ConfigError, match="three products"):
        closed_form(np.ones(4))


CHANCE = st.floats(0.6, 0.98)


@given(st.lists(st.tuples(CHANCE, CHANCE), min_size=3, max_size=5), st.floats(-0.9, 0.9))
@settings(deadline=None, max_examples=60)
def test_any_population_is_recovered_and_mirrors(pairs, b):
    psi, eta = (np.array(x) for x in zip(*pairs, strict=True))
    assume(np.all(psi + eta > 1.25))
    found = closed_form(population(b, psi, eta))
    np.testing.assert_allclose(found["psi"], psi, atol=1e-7)
    np.testing.assert_allclose(found["eta"], eta, atol=1e-7)
    # calling frozen thawed and thawed frozen swaps the two accuracies
    mirrored = closed_form(population(b, psi, eta)[::-1])
    np.testing.assert_allclose(mirrored["psi"], found["eta"], atol=1e-9)
    assert float(mirrored["b"]) == pytest.approx(-float(found["b"]), abs=1e-9)


def test_many_at_once_are_each_alone():
    stack = np.stack([population(*VECTORS[n][:3]) for n in "ABCDEF"] + [of_covariances(0.2, 0.2, -0.1)])
    together = closed_form(stack.reshape(7, 1, 8))
    for i, p in enumerate(stack):
        for key, value in closed_form(p).items():
            np.testing.assert_array_equal(together[key][i, 0], value)


def test_four_and_more_products_show_who_errs_together():
    psi, eta = (0.92, 0.9, 0.88, 0.86, 0.9), (0.95, 0.9, 0.92, 0.9, 0.87)
    honest = closed_form(population(-0.2, psi, eta))
    joint = population(-0.2, psi, eta, pair=(0, 1), extra=0.03)
    found = closed_form(joint)
    assert int(np.argmax(found["residual"])) == 0  # the pair 0, 1
    assert found["residual"][0] > 0.03 and found["v"][0] > honest["v"][0] + 0.01
    apart = closed_form(joint, without=[(0, 1)])
    np.testing.assert_allclose(apart["v"], honest["v"], atol=1e-9)
    np.testing.assert_allclose(apart["psi"], psi, atol=1e-9)
    # of four, the pair and its complement look the same
    four = closed_form(population(-0.2, psi[:4], eta[:4], pair=(0, 1), extra=0.03))["residual"]
    assert four[0] == pytest.approx(four[5]) and four[0] > 0.01
    with pytest.raises(ConfigError, match="too few pairs"):
        closed_form(POPULATION_B, without=[(0, 1)])


def test_a_member_that_copies_another_gains_and_the_third_loses():
    """With b = 0: Q12 = .6 (.86 .8) + .4 = .8128, Q13 = .836 .8 = .6688, Q23 = .64, and psi = (1 + v) / 2.

    The truth is .918, .90, .90 (algorithms 1.7: .960, .940, .861 for another b).
    """
    own = population(0.0, (0.93, 0.9, 0.9), (0.93, 0.9, 0.9))
    says = patterns(3)
    copied = np.where(says[0] == says[1], own.reshape(4, 2).sum(1).repeat(2), 0.0)
    found = closed_form(0.6 * own + 0.4 * copied)
    np.testing.assert_allclose(found["psi"], (0.960808, 0.940965, 0.862841), atol=1e-6)


def test_refit_equals_the_closed_form_inside_and_is_better_outside():
    rng = np.random.default_rng(0)
    b, psi, eta = -0.8, (0.95, 0.9, 0.85), (0.92, 0.97, 0.88)
    count = rng.multinomial(365, population(b, psi, eta), size=1500)
    closed = closed_form(count)
    start = {k: closed[k] for k in ("psi", "eta", "b")}
    em = refit(count, **start)
    inside = closed["status"] == STATUS["ok"]
    assert 0.25 < 1 - inside.mean() < 0.45  # algorithms 1.5: 35 %
    # EM stops where a step moves less than 1e-9: far less than a hundredth of the sampling error is left
    np.testing.assert_allclose(em["psi"][inside], closed["psi"][inside], atol=2e-4)
    assert ((em["psi"] >= 0) & (em["psi"] <= 1) & (em["eta"] >= 0) & (em["eta"] <= 1)).all()

    def rmse(found):
        return np.sqrt(np.nanmean((found["psi"][:, 0] - psi[0]) ** 2))

    assert rmse(closed) == pytest.approx(0.062, abs=0.006)  # algorithms 1.5
    assert rmse(em) == pytest.approx(0.054, abs=0.005)
    # a prior keeps it off the edge, and is forgotten in a large sample
    held = refit(count, **start, prior=2.0)
    assert held["psi"].max() < 1 and held["eta"].max() < 1
    large = refit(1e6 * np.array(POPULATION_B), psi=psi, eta=eta, b=-0.4, prior=2.0)
    np.testing.assert_allclose(large["psi"], psi, atol=1e-4)


def test_refit_climbs_to_the_top():
    """No point near the refit has a higher likelihood, also where the best lies on the edge."""
    count = np.array([[60.0, 2, 3, 0, 1, 0, 2, 32]])
    closed = closed_form(count)
    best = refit(count, **{k: closed[k] for k in ("psi", "eta", "b")})

    def height(b, psi, eta):
        return (count[0] * np.log(np.maximum(population(b, psi, eta), 1e-300))).sum()

    top = height(best["b"][0], best["psi"][0], best["eta"][0])
    rng = np.random.default_rng(1)
    for _ in range(200):
        b, psi, eta = best["b"][0], best["psi"][0], best["eta"][0]
        moved = [np.clip(x + rng.normal(0, 0.02, np.shape(x)), -1 if x is b else 0, 1) for x in (b, psi, eta)]
        assert height(*moved) <= top + 1e-9


def test_ranks_are_ranks_and_not_the_sorting_order():
    """For v = .5 .9 .7 the order of sorting is 2, 3, 1; the ranks are 3, 1, 2."""
    assert ranks([0.5, 0.9, 0.7]).tolist() == [3, 1, 2]
    assert ranks([[0.7, 0.5, 0.9], [0.9, np.nan, 0.1]]).tolist() == [[2, 3, 1], [0, 0, 0]]


@pytest.mark.parametrize("layout", ["rows", "columns", "one"])
def test_three_products_compiled_are_as_in_numpy(layout):
    """Counts of good products, of none, and of few days, in blocks that do not come out even."""
    rng = np.random.default_rng(8)
    count = rng.multinomial(400, POPULATION_B, (7, 90)) + rng.integers(0, 9, (7, 90, 8))
    count[0], count[1, :9] = rng.integers(0, 30, (90, 8)) + 0.25, 0
    if layout == "columns":  # as resampled counts (draws, pattern, cells) lie
        count = np.moveaxis(np.ascontiguousarray(np.moveaxis(count, -1, 1)), 1, -1)
    elif layout == "one":
        count = count[3, 4]
    found, plain = closed_form(count, least=60), closed_plain(count, least=60)
    assert set(found) == set(plain)
    for name, value in plain.items():
        assert found[name].shape == value.shape and found[name].dtype == value.dtype
        np.testing.assert_allclose(found[name], value, rtol=1e-6, atol=1e-9, err_msg=name)
    same = closed_form(np.asarray(count, np.float32), least=60)
    np.testing.assert_array_equal(same["psi"], found["psi"])


def test_draws_of_years_one_by_one_are_their_product():
    rng = np.random.default_rng(2)
    count = np.moveaxis(rng.multinomial(300, POPULATION_B, (9, 300)), -1, 1)
    draws = rng.multinomial(9, np.ones(9) / 9, 20).astype(float)
    found = closed_draws(count, draws, least=60)
    wanted = closed_form(np.moveaxis(np.tensordot(draws, count.astype(float), 1), 1, -1), least=60)
    for name in ("psi", "eta"):
        np.testing.assert_array_equal(np.moveaxis(found[name], 1, -1), wanted[name])
    np.testing.assert_array_equal(found["b"], wanted["b"])
