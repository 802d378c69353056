"""The fusion rules: their vectors, by hand, and what no rule may break."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from frostline.errors import ConfigError, InputError
from frostline.fuse import NOBODY, fuse, literal3, maxconf, pool, softmax
from fuse_records import NAN, a_record, first

# scores (frozen, thawed, missing) of two heads -> class and score of literal3, maxconf and pool, four digits
VECTORS = [
    ([2, 1, -3], [1, 0.5, -2], "F", 0.7275, "F", 0.7311, "F", 0.6792),
    ([1, 0.8, -2], [-1, 2.5, -2], "T", 0.9603, "T", 0.9707, "T", 0.8389),
    ([1, 0, -2], [0, 1, -2], "F", 0.7054, "F", 0.7311, "tie", 0.5),
    ([0, 0, 3], [1.2, 0.3, -2], "M", 0.9094, "F", 0.7109, "F", 0.7109),
    ([0, 0, 3], [0, 0, 2], "M", 0.9094, "none", NAN, "none", NAN),
]


def class_of(verdict, missing):
    p = float(verdict.frozen)
    return missing if np.isnan(p) else "F" if p > 0.5 else "T" if p < 0.5 else "tie"


@pytest.mark.parametrize("vector", VECTORS, ids=range(len(VECTORS)))
def test_vectors_of_the_three_rules(vector):
    one, two, c3, s3, cm, sm, cp, sp = vector
    scores = softmax([one, two])
    for verdict, kind, score, unknown in (
        (literal3(scores), c3, s3, "M"),
        (maxconf(scores), cm, sm, "none"),
        (pool(scores), cp, sp, "none"),
    ):
        assert class_of(verdict, unknown) == kind
        assert float(verdict.confidence) == pytest.approx(score, abs=5e-5, nan_ok=True)


def test_vectors_by_hand_winner_and_agreement():
    """Vector 2: S says F by sigma(.2), E says T by sigma(3.5); the mean of log-odds is (.2 - 3.5)/2."""
    scores = softmax([VECTORS[1][0], VECTORS[1][1]])
    v = pool(scores)
    assert float(v.frozen) == pytest.approx(1 / (1 + np.exp(1.65)), abs=1e-12)
    assert int(v.winner) == 1 and int(v.agreement) == 0
    third = softmax([VECTORS[2][0], VECTORS[2][1]])
    for rule in (literal3, maxconf, pool):
        assert int(rule(third).winner) == 0 and int(rule(third, order=[1]).winner) == 1
        assert int(rule(third).agreement) == 0
    # the declared winner decides the class where the paper leaves a tie
    assert float(maxconf(third, order=[1]).frozen) == pytest.approx(1 - 0.7310586, abs=1e-7)
    fourth, fifth = (softmax([v[0], v[1]]) for v in VECTORS[3:])
    assert [int(rule(fourth).winner) for rule in (literal3, maxconf, pool)] == [0, 1, 1]
    assert [int(rule(fifth).winner) for rule in (literal3, maxconf, pool)] == [0, NOBODY, NOBODY]
    assert int(literal3(fourth).agreement) == NOBODY  # one alone has nobody to agree with
    assert int(literal3(softmax([VECTORS[0][0], VECTORS[0][1]])).agreement) == 1


def test_vectors_work_as_arrays_and_with_two_classes():
    scores = np.stack([softmax([v[0], v[1]]) for v in VECTORS], axis=-1)  # (records, classes, cases)
    assert pool(scores).frozen == pytest.approx([0.6792, 0.1611, 0.5, 0.7109, NAN], abs=5e-5, nan_ok=True)
    two = [[0.8, 0.2], [0.4, 0.6]]
    assert float(literal3(two).frozen) == float(maxconf(two).frozen) == 0.8
    # sqrt(4 * 2/3): odds 1.63299
    assert float(pool(two).frozen) == pytest.approx(1.6329932 / 2.6329932, abs=1e-7)
    # weights 3 to 1: odds 4^.75 (2/3)^.25 = 2.5558
    assert float(pool(two, weights=[3, 1]).frozen) == pytest.approx(2.5558 / 3.5558, abs=1e-5)


def test_a_class_as_likely_as_missing_is_a_class():
    even = [[0.5, 0.0, 0.5], [0.25, 0.5, 0.25]]
    for rule, frozen in ((literal3, 1.0), (maxconf, 1.0)):
        assert float(rule(even).frozen) == frozen and int(rule(even).winner) == 0
    assert int(pool(even).agreement) == 0


def test_scores_of_a_wrong_shape_and_orders_are_refused():
    with pytest.raises(InputError, match="scores of"):
        maxconf([0.2, 0.8])
    for order in ([2], [0, 0]):
        with pytest.raises(ConfigError, match="order"):
            maxconf([[0.8, 0.2], [0.4, 0.6]], order=order)


def test_three_records_majority_does_not_beat_the_surest():
    p = np.array([[0.45, 0.55], [0.4, 0.6], [0.9, 0.1]])
    assert int(maxconf(p).winner) == 2 and float(literal3(p).frozen) == 0.9
    assert int(pool(p).winner) == 2 and float(pool(p).frozen) > 0.5


unit = st.one_of(
    st.sampled_from([0.0, 0.5, 1.0, NAN]), st.floats(0, 1, width=32), st.integers(0, 200).map(lambda c: c / 200)
)
fields = st.lists(unit, min_size=4, max_size=4)
rules = st.sampled_from(["literal3", "maxconf", "pool"])


@settings(max_examples=40, deadline=None)
@given(a=fields, other=fields)
def test_pool_of_weight_one_is_the_first_record(a, other):
    one, two = a_record(a), a_record(other)
    out = fuse({"a": one, "b": two}, weights={"a": 1, "b": 0}).load()
    np.testing.assert_array_equal(out["frozen"].values, one["frozen"].values)


@settings(max_examples=40, deadline=None)
@given(a=fields, rule=rules, count=st.integers(1, 4))
def test_a_record_fused_with_itself_is_itself(a, rule, count):
    one = a_record(a)
    out = fuse([one] * count, rule=rule).load()
    np.testing.assert_array_equal(out["frozen"].values, one["frozen"].values)
    known = ~np.isnan(first(one, "frozen"))
    np.testing.assert_array_equal(first(out, "agreement")[known], 1 if count > 1 else NOBODY)


@settings(max_examples=40, deadline=None)
@given(parts=st.lists(fields, min_size=2, max_size=4), rule=rules, data=st.data())
def test_the_order_of_records_matters_in_ties_only(parts, rule, data):
    all_of = {f"r{i}": a_record(v) for i, v in enumerate(parts)}
    names = data.draw(st.permutations(list(all_of)))
    ahead = fuse(all_of, rule=rule, priority=["r1", "r0"]).load()
    behind = fuse({n: all_of[n] for n in names}, rule=rule, priority=["r1", "r0", *sorted(names)[2:]]).load()
    np.testing.assert_allclose(ahead["frozen"].values, behind["frozen"].values, atol=1e-6)
    np.testing.assert_array_equal(ahead["agreement"].values, behind["agreement"].values)
    known = ~np.isnan(ahead["frozen"].values)
    if rule != "pool":  # sums of pulls round by order
        who = [np.array([*ds.attrs["fusion_records"]]) for ds in (ahead, behind)]
        one, two = (w[ds["winner"].values[known]] for w, ds in zip(who, (ahead, behind), strict=True))
        np.testing.assert_array_equal(one, two)


@settings(max_examples=40, deadline=None)
@given(parts=st.lists(fields, min_size=2, max_size=4), rule=rules)
@example(parts=[[0.0, 0.0, 3.4500000512666107e-12, 0.0], [0.0, 0.0, float("nan"), 0.0]], rule="literal3")
def test_the_fusion_lies_among_its_parts_and_is_one_of_them_or_a_mean(parts, rule):
    stack = np.array(parts, np.float32)
    out = first(fuse([a_record(v) for v in parts], rule=rule).load(), "frozen")
    for t, p in enumerate(out):
        said = stack[:, t][~np.isnan(stack[:, t])]
        if rule == "literal3" and len(said) < len(stack):
            certain = max(p, 1 - p) == 1  # in float32, as the rule compares
            assert np.isnan(p) or (certain and p in said)  # missing for sure; only a certainty ties with it
        elif not len(said):
            assert np.isnan(p)
        else:
            assert said.min() <= p <= said.max()
            assert rule == "pool" or p in said
            if rule == "pool" and (said > 0.5).all():
                assert p > 0.5
