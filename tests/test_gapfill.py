"""The rule of gap filling: worked vectors, a per-pixel oracle, and the stream against the plain form."""

import itertools
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from frostline.errors import ConfigError, InputError
from frostline.gapfill import PRESETS, fill_cube, fill_time, fill_values, stream

NAN = np.nan
DAYS = np.arange("2017-01-01", "2019-01-01", dtype="datetime64[D]").astype("datetime64[ns]")


def line(observed, length):
    tb = np.full(length, np.nan, np.float32)
    for day, value in observed.items():
        tb[day] = value
    return tb


def streamed(tb, time, dates=None, **rule):
    parts = list(stream(zip(time, tb, strict=True), dates=time if dates is None else dates, **rule))
    return tuple(np.stack([p[k] for p in parts]) for k in (1, 2, 3))


FORMS = {"plain": fill_time, "cube": fill_cube, "stream": streamed}


@pytest.fixture(params=FORMS, ids=str)
def fill(request):
    """One time series through one of the three forms."""

    def run(tb, time=None, **rule):
        time = DAYS[: len(tb)] if time is None else time
        value, flag, age = FORMS[request.param](np.asarray(tb, np.float32)[:, None, None], time, **rule)
        return value.ravel(), flag.ravel().tolist(), age.ravel().tolist()

    return run


def test_published_vector(fill):  # algorithms.md 2.1
    tb = line({1: 240, 4: 250, 12: 262}, 14)
    value, flag, age = fill(tb, max_side=5, max_span=np.inf, one_sided="hold", mode="linear")
    expected = [240, 240, 243.3333, 246.6667, 250, 250, 250, 254.5, 256, 257.5, 262, 262, 262, 262]
    np.testing.assert_allclose(value, expected, atol=1e-4)
    assert flag == [2, 0, 1, 1, 0, 2, 2, 1, 1, 1, 2, 2, 0, 2]
    assert age == [1, 0, 1, 1, 0, 1, 2, 3, 4, 3, 2, 1, 0, 1]
    value, flag, _ = fill(tb, max_side=2, max_span=np.inf, one_sided="none", mode="linear")
    expected = [NAN, 240, 243.3333, 246.6667, 250, *[NAN] * 7, 262, NAN]
    np.testing.assert_allclose(value, expected, atol=1e-4)
    assert flag == [3, 0, 1, 1, 0, *[3] * 7, 0, 3]


def test_recommended_by_hand(fill):
    # six days apart: nothing is drawn across, each side holds for two days
    value, flag, age = fill(line({0: 240, 6: 252}, 7), **PRESETS["recommended"])
    np.testing.assert_array_equal(value, [240, 240, 240, NAN, 252, 252, 252])
    assert (flag, age) == ([0, 2, 2, 3, 2, 2, 0], [0, 1, 2, 255, 2, 1, 0])
    # five days apart: the days within three of both are drawn, 240 + 10 * 2/5 and 3/5
    value, flag, age = fill(line({0: 240, 5: 250}, 6), **PRESETS["recommended"])
    np.testing.assert_allclose(value, [240, 240, 244, 246, 250, 250], rtol=1e-6)
    assert (flag, age) == ([0, 2, 1, 1, 2, 0], [0, 1, 2, 2, 1, 0])


def test_published_codes_by_hand(fill):
    value, flag, _ = fill(line({1: 240, 4: 250}, 6), **PRESETS["donahue-code-amsr2"])
    np.testing.assert_array_equal(value, [NAN, 240, 245, 245, 250, NAN])  # unweighted, never one-sided
    assert flag == [3, 0, 1, 1, 0, 3]
    value, flag, _ = fill(line({1: 240, 4: 250}, 6), **PRESETS["donahue-text"])
    np.testing.assert_allclose(value, [NAN, 240, 240 + 10 / 3, 240 + 20 / 3, 250, NAN], rtol=1e-6)
    value, flag, _ = fill(line({5: 240}, 12), **PRESETS["donahue-code-smap"])
    assert flag == [2, 2, 2, 2, 2, 0, 2, 2, 2, 2, 2, 3]


def test_causal_never_sees_tomorrow(fill):
    tb = line({1: 240, 7: 250}, 9)
    value, flag, age = fill(tb, **PRESETS["causal"])
    np.testing.assert_array_equal(value, [NAN, 240, 240, 240, 240, NAN, NAN, 250, 250])
    assert (flag, age) == ([3, 0, 2, 2, 2, 3, 3, 0, 2], [255, 0, 1, 2, 3, 255, 255, 0, 1])


def test_equal_distance_holds_the_earlier(fill):
    value, flag, _ = fill(line({0: 240, 4: 250}, 5), max_side=2, max_span=3, one_sided="hold", mode="linear")
    assert value[2] == 240 and flag[2] == 2


def test_edges_one_day_and_no_observation(fill):
    rule = PRESETS["recommended"]
    value, flag, age = fill([NAN], **rule)
    assert np.isnan(value[0]) and (flag, age) == ([3], [255])
    value, flag, age = fill([271.5], **rule)
    assert value[0] == 271.5 and (flag, age) == ([0], [0])
    assert fill([NAN, 260, NAN], max_side=0, max_span=0, one_sided="hold", mode="linear")[1] == [3, 0, 3]


def test_distances_are_true_times(fill):
    time = np.array(["2017-02-27", "2017-02-28", "2017-03-04"], "datetime64[ns]")  # 1 and 4 days apart
    value, _, age = fill([240, NAN, 250], time, max_side=4, max_span=5, one_sided="none", mode="linear")
    assert value[1] == pytest.approx(242.0) and age[1] == 1
    leap = np.array(["2016-02-28", "2016-02-29", "2016-03-01"], "datetime64[ns]")
    assert fill([240, NAN, 250], leap, **PRESETS["donahue-text"])[0][1] == 245
    late = np.array(["2017-02-28T06", "2017-03-01T18", "2017-03-03T18"], "datetime64[ns]")  # 1.5 and 2 days
    value, _, age = fill([240, NAN, 247], late, **PRESETS["donahue-text"])
    assert value[1] == pytest.approx(243.0) and age[1] == 2  # rounded up


def test_nothing_crosses_the_outage_of_2019(fill):
    days = np.arange("2019-06-01", "2019-08-10", dtype="datetime64[D]")
    off = (days >= np.datetime64("2019-06-19")) & (days <= np.datetime64("2019-07-23"))
    tb = np.where(off, np.nan, 250 + np.arange(len(days)))
    for name, preset in PRESETS.items():
        value, flag, _ = fill(tb, days, **preset)
        assert 1 not in np.array(flag)[off], name
        reach = preset.get("max_hold") or (preset["max_side"] if preset["one_sided"] == "hold" else 0)
        sides = 1 if preset["mode"] == "causal" else 2
        assert np.isfinite(value[off]).sum() == sides * reach, name


def oracle(tb, days, *, max_side, max_span, one_sided, mode, max_hold=None):
    """One pixel, one loop, as the rule reads."""
    out = []
    for t, x in enumerate(tb):
        if not np.isnan(x):
            out.append((x, 0, 0))
            continue
        before = [(days[t] - days[k], tb[k]) for k in range(t) if not np.isnan(tb[k])]
        after = [(days[k] - days[t], tb[k]) for k in range(t + 1, len(tb)) if not np.isnan(tb[k])]
        p = min([b for b in before if b[0] <= max_side], default=None)
        n = min([a for a in after if a[0] <= max_side], default=None) if mode != "causal" else None
        if p and n and p[0] + n[0] <= max_span:
            part = 0.5 if mode == "mean" else p[0] / (p[0] + n[0])
            out.append((p[1] + (n[1] - p[1]) * part, 1, np.ceil(min(p[0], n[0]))))
            continue
        one = min([s for s in (p, n) if s], key=lambda s: s[0], default=None)
        limit = max_side if max_hold is None else max_hold
        if one_sided == "hold" and one and one[0] <= limit:
            out.append((one[1], 2, np.ceil(one[0])))
        else:
            out.append((np.nan, 3, 255))
    return np.array(out).T


rules = st.fixed_dictionaries(
    {
        "max_side": st.integers(0, 5),
        "max_span": st.one_of(st.integers(0, 10), st.just(np.inf)),
        "one_sided": st.sampled_from(["hold", "none"]),
        "mode": st.sampled_from(["linear", "mean", "causal"]),
        "max_hold": st.one_of(st.none(), st.integers(0, 6)),
    }
).filter(lambda r: not (r["mode"] == "causal" and r["one_sided"] == "none"))


@settings(max_examples=80, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), length=st.integers(1, 20), share=st.floats(0, 1), rule=rules)
def test_three_forms_and_the_oracle_agree(seed, length, share, rule):
    rng = np.random.default_rng(seed)
    tb = rng.normal(250, 10, (length, 2, 3)).astype(np.float32)
    tb[rng.random(tb.shape) < share] = np.nan
    keep = np.sort(rng.choice(2 * length, length, replace=False))  # days are skipped
    time = DAYS[keep]
    plain = fill_time(tb, time, **rule)
    for form in (fill_cube, streamed):
        for a, b in zip(form(tb, time, **rule), plain, strict=True):
            np.testing.assert_array_equal(a, b)
            assert a.dtype == b.dtype
    for y, x in itertools.product(range(2), range(3)):
        value, flag, age = oracle(tb[:, y, x].astype(float), keep.astype(float), **rule)
        np.testing.assert_allclose(plain[0][:, y, x], value, rtol=1e-6)
        np.testing.assert_array_equal(plain[1][:, y, x], flag)
        np.testing.assert_array_equal(plain[2][:, y, x], age)
    seen = ~np.isnan(tb)
    np.testing.assert_array_equal(plain[0][seen], tb[seen])  # observed values are not touched


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), cuts=st.sets(st.integers(1, 29)), rule=rules)
def test_any_cut_and_any_missing_day_give_the_same(seed, cuts, rule):
    rng = np.random.default_rng(seed)
    tb = rng.normal(250, 10, (30, 1, 4)).astype(np.float32)
    tb[rng.random(tb.shape) < 0.5] = np.nan
    absent = rng.random(30) < 0.3
    absent[15] = False
    tb[absent] = np.nan  # to the plain form an absent day is a day of NaN
    whole = fill_time(tb, DAYS[:30], **rule)
    edges = [0, *sorted(cuts), 30]
    parts = []
    for a, b in itertools.pairwise(edges):
        lo, hi = max(0, a - rule["max_side"]), min(30, b + rule["max_side"])
        frames = [(DAYS[t], tb[t]) for t in range(lo, hi) if not absent[t]]
        if frames:
            parts += list(stream(frames, dates=DAYS[a:b], **rule))
        else:
            blank = np.full((1, 4), np.nan)
            parts += list(stream([(DAYS[a], blank)], dates=DAYS[a:b], **rule))
    assert [p[0] for p in parts] == list(DAYS[:30])
    for k in range(3):
        np.testing.assert_array_equal(np.stack([p[k + 1] for p in parts]), whole[k])


def test_cells_beyond_one_strip():
    rng = np.random.default_rng(0)
    tb = rng.normal(250, 10, (6, 130, 300)).astype(np.float32)
    tb[rng.random(tb.shape) < 0.5] = np.nan
    plain = fill_time(tb, DAYS[:6], **PRESETS["recommended"])
    for form in (fill_cube, streamed):
        for a, b in zip(form(tb, DAYS[:6], **PRESETS["recommended"]), plain, strict=True):
            np.testing.assert_array_equal(a, b)


def test_stream_holds_few_frames_and_asks_for_no_more_than_it_needs():
    side, size, length = 2, 1 << 18, 40
    pulled = []

    def frames():
        for t in range(length):
            pulled.append(t)
            yield DAYS[t], np.full((512, 512), 250.0, np.float32)

    rule = dict(max_side=side, max_span=4, one_sided="none", mode="linear")
    next(stream(frames(), dates=DAYS[:1], **rule))  # numba's own memory
    pulled.clear()
    tracemalloc.start()
    for t, _ in enumerate(stream(frames(), dates=DAYS[:length], **rule)):
        assert pulled[-1] == min(t + side, length - 1)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # the ring and one result; then the caller's last result, the frame in hand, and two results' bytes
    assert peak < (2 * side + 2 + 2 + 1.2) * size * 4


def test_stream_may_be_handed_the_same_buffer_again_and_again():
    tb = np.array([[[240.0]], [[np.nan]], [[250.0]]], np.float32)
    buffer = np.empty((1, 1), np.float32)

    def frames():
        for day, frame in zip(DAYS, tb, strict=False):
            buffer[:] = frame
            yield day, buffer

    values = [v.item() for _, v, _, _ in stream(frames(), dates=DAYS[:3], **PRESETS["donahue-text"])]
    assert values == [240.0, 245.0, 250.0]


def test_empty_stacks():
    for form in (fill_time, fill_cube):
        assert form(np.empty((0, 2, 3)), DAYS[:0], **PRESETS["causal"])[0].shape == (0, 2, 3)
        assert form(np.empty((2, 0, 3)), DAYS[:2], **PRESETS["causal"])[1].shape == (2, 0, 3)


def test_mistakes_are_named():
    one = np.zeros((1, 1))
    rule = PRESETS["recommended"]
    with pytest.raises(InputError, match="E-INPUT-TIME"):
        fill_time(np.zeros((2, 1, 1)), DAYS[[1, 0]], **rule)
    for frames in ([(DAYS[1], one), (DAYS[0], one)], [(DAYS[0], one), (DAYS[0], one)]):
        with pytest.raises(InputError, match="E-INPUT-TIME"):
            list(stream(frames, dates=DAYS[:3], **rule))
    with pytest.raises(InputError, match="E-INPUT-GRID"):
        list(stream([(DAYS[0], one), (DAYS[1], np.zeros((2, 1)))], dates=DAYS[:3], **rule))
    with pytest.raises(InputError, match="E-INPUT-EMPTY"):
        list(stream([], dates=DAYS[:3], **rule))
    for wrong in (
        {"mode": "cubic"},
        {"one_sided": "both"},
        {"max_side": np.inf},
        {"max_span": -1},
        {"max_hold": -1},
        {"mode": "causal", "one_sided": "none"},
    ):
        with pytest.raises(ConfigError, match="gapfill"):
            fill_time(np.zeros((1, 1, 1)), DAYS[:1], **{**rule, **wrong})


@pytest.mark.parametrize("name", PRESETS)
def test_the_value_alone_is_the_same(name):
    rng = np.random.default_rng(0)
    tb = rng.normal(250, 5, (30, 4, 5)).astype(np.float32)
    tb[rng.random(tb.shape) < 0.5] = np.nan
    value, out = fill_cube(tb, DAYS[:30], **PRESETS[name])[0], np.empty_like(tb)
    assert fill_values(tb, DAYS[:30], **PRESETS[name], out=out) is out
    np.testing.assert_array_equal(out, value)
    np.testing.assert_array_equal(fill_values(tb, DAYS[:30], **PRESETS[name]), value)
