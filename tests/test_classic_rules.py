"""Discriminants and decision trees: numbers by hand, the published boundary, and scikit-learn as an oracle."""

import numpy as np
import pytest
import xarray as xr

from frostline.classic_rules import Linear, Node, decision_tree, fit_lda, linear_record, published
from frostline.clock import days
from frostline.errors import InputError
from frostline.grid import named
from frostline.schema import RECORD, check

GRID = named("N09").around(100.0, 60.0, (1, 2))
TIMES = days("2016-03-01", "2016-03-05")


def field(am, pm=None):
    """A series in both cells, AM and, where given, PM."""
    values = np.array([am] if pm is None else [am, pm], np.float32).T[:, :, None, None]
    data = np.broadcast_to(values, (*values.shape[:2], *GRID.shape)).copy()
    coords = {"time": TIMES[: len(data)], "overpass": np.arange(data.shape[1], dtype=np.int8), "y": GRID.y, "x": GRID.x}
    return xr.DataArray(data, coords, ("time", "overpass", "y", "x"), name="tb")


def cell(record, p=0):
    return record["frozen"][:, p, 0, 1].values.tolist()


def test_discriminant_by_hand():
    """Two predictors. Frozen (0,0), (2,0), (0,2), (2,2), thawed the same plus (3, 1), twice as heavy: S = I.

    m_F - m_T = (-3, -1) = w; -(m_F + m_T) . w / 2 = (5 * 3 + 3 * 1) / 2 = 9; log(4 / 8) is added.
    """
    square = np.array([[0.0, 0.0], [2.0, 0.0], [0.0, 2.0], [2.0, 2.0]])
    x, y, w = np.vstack([square, square + np.array([3, 1])]), [1] * 4 + [0] * 4, [1] * 4 + [2] * 4
    rule = fit_lda([*x, [np.nan, 0.0], [5.0, 5.0]], [*y, 1, np.nan], weight=[*w, 1, 1])
    np.testing.assert_allclose(rule.weight, [-3, -1])
    assert rule.offset == pytest.approx(9 + np.log(0.5))


def test_weights_are_repeated_samples():
    r = np.random.default_rng(1)
    x, y, w = r.normal(size=(40, 3)), r.random(40) < 0.4, r.integers(0, 4, 40)
    one, other = fit_lda(x, y, weight=w), fit_lda(np.repeat(x, w, axis=0), np.repeat(y, w))
    np.testing.assert_allclose(one.weight, other.weight)
    assert one.offset == pytest.approx(other.offset)


def test_discriminant_is_scikit_learns():
    found = pytest.importorskip("sklearn.discriminant_analysis", reason="scikit-learn is the oracle")
    r = np.random.default_rng(0)
    y = r.random(500) < 0.3
    x = np.column_stack([r.normal(250 - 9 * y, 6), r.normal(0.92 + 0.02 * y, 0.03)])
    rule = fit_lda(x, y)
    theirs = found.LinearDiscriminantAnalysis(solver="lsqr").fit(x, y)
    np.testing.assert_allclose(rule.weight, theirs.coef_[0], rtol=1e-6)
    assert rule.offset == pytest.approx(theirs.intercept_[0], rel=1e-6)
    predictors = [field(x[:5, 0]), field(x[:5, 1])]
    np.testing.assert_allclose(
        cell(linear_record(predictors, {0: rule}, grid=GRID)), theirs.predict_proba(x[:5])[:, 1], atol=1e-4
    )


def test_a_discriminant_needs_both_classes_and_independent_predictors():
    with pytest.raises(InputError, match="2 frozen and 0 thawed cases are known"):
        fit_lda([[0.0], [1.0]], [1, 1])
    with pytest.raises(InputError, match="depend on each other"):
        fit_lda([[0.0, 0.0], [1.0, 2.0], [2.0, 4.0], [3.0, 6.0]], [1, 1, 0, 0])


def test_published_boundary_lies_at_257_kelvin():
    """At a ratio of .92: (5.36 * .92 + 15.64) / .08 = 257.1 K (algorithms 3)."""
    rule = published()
    assert (rule.weight[1] * 0.92 + rule.offset) / -rule.weight[0] == pytest.approx(257.14, abs=0.01)
    ratio = field([0.92, 0.92, 0.92])
    assert cell(linear_record([field([257, 257.3, np.nan]), ratio], {0: rule}, grid=GRID, hard=True))[:2] == [1, 0]


def test_a_linear_rule_of_each_overpass_gives_odds_and_knows_what_it_does_not():
    """Odds of 3 at x = 1, of 1/3 at x = -1; the other way round in the evening; no rule, no state."""
    x = field([1.0, -1.0, np.nan], [1.0, -1.0, 0.0])
    rules = {0: Linear(np.array([np.log(3)]), 0.0), 1: Linear(np.array([-np.log(3)]), 0.0)}
    made = check(linear_record([x], rules, grid=GRID, attrs={"source": "here"}), RECORD)
    np.testing.assert_allclose(cell(made), [0.75, 0.25, np.nan])
    np.testing.assert_allclose(cell(made, 1), [0.25, 0.75, 0.5])
    assert made.attrs["source"] == "here"
    assert np.isnan(cell(linear_record([x], {0: rules[0]}, grid=GRID), 1)).all()
    lazy = linear_record([x.chunk(time=1)], rules, grid=GRID)
    assert lazy["frozen"].chunks is not None
    xr.testing.assert_equal(lazy.compute(), made.drop_attrs().assign_attrs(made.attrs))


COLD = Node("cold", {"tb_36v": 1.0}, at_most=258.0, yes="gradient", no="thawed")
GRADIENT = Node("gradient", {"tb_36v": 1.0, "tb_18v": -1.0}, at_most=0.0, yes="frozen", no="unknown")


def test_tree_by_hand():
    """Cold and not above 18 GHz: frozen; cold and above: unknown; warm: thawed, whatever 18 GHz is."""
    fields = {"tb_36v": field([250, 250, 258, 259, np.nan]), "tb_18v": field([251, 249, 258, np.nan, 250])}
    made = check(decision_tree(fields, [COLD, GRADIENT], grid=GRID, name="mine"), RECORD)
    np.testing.assert_array_equal(cell(made), [1, np.nan, 1, 0, np.nan])
    assert "mine of 2 nodes" in made.attrs["source"]
    lazy = decision_tree(
        {name: v.chunk(time=2) for name, v in fields.items()}, [COLD, GRADIENT], grid=GRID, name="mine"
    )
    assert lazy["frozen"].chunks is not None
    xr.testing.assert_equal(lazy.compute(), made)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, [1, 1, 0, 0]),  # 2, 3, 5, 7 at most 4
        ({"at_most": 5.0}, [1, 1, 1, 0]),
        ({"yes": "thawed", "no": "frozen"}, [0, 0, 1, 1]),
        ({"constant": 2.0}, [1, 0, 0, 0]),
        ({"terms": {"a": 2.0}}, [1, 0, 0, 0]),
        ({"squares": {"a": 1.0}}, [0, 0, 0, 0]),  # 6, 12, ...
        ({"over": {"a": 1.0}}, [1, 1, 1, 1]),  # 1 everywhere
        ({"over": {"height": 2.0}}, [1, 1, 1, 1]),  # over 200
        ({"spread_days": 3, "at_most": 1.25}, [np.nan, 1, 0, np.nan]),  # sqrt(14/9) = 1.247, sqrt(24/9) = 1.633
    ],
)
def test_every_part_of_a_node_counts(changes, expected):
    height = xr.DataArray(np.full(GRID.shape, 100.0), {"y": GRID.y, "x": GRID.x}, ("y", "x"))
    node = {"name": "n", "terms": {"a": 1.0}, "at_most": 4.0, "yes": "frozen", "no": "thawed"} | changes
    made = decision_tree({"a": field([2, 3, 5, 7]), "height": height}, [Node(**node)], grid=GRID)
    np.testing.assert_array_equal(cell(made), expected)


def test_a_tree_names_what_it_lacks():
    with pytest.raises(InputError, match="no variable is called tb_18v"):
        decision_tree({"tb_36v": field([250.0])}, [COLD, GRADIENT], grid=GRID)
    still = {"tb_36v": xr.DataArray(np.zeros(GRID.shape), dims=("y", "x"))}
    with pytest.raises(InputError, match="changes with time"):
        decision_tree(still, [Node("cold", {"tb_36v": 1.0}, 258.0, "frozen", "thawed")], grid=GRID)
