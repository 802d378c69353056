"""Sums that add, whichever way the whole was cut."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from frostline.errors import InputError
from frostline.tally import SUMS, TABLE, add, tally, tally_cells, with_days

TIMES = np.array(["2019-12-30", "2019-12-31", "2020-01-01"], "datetime64[ns]")


def field(values, *, start=0):
    values = np.asarray(values, np.float32)
    coords = {"time": TIMES[0] + np.arange(start, start + len(values)) * np.timedelta64(1, "D")}
    return xr.DataArray(
        values, {**coords, "overpass": np.arange(values.shape[1], dtype=np.int8)}, ("time", "overpass", "y", "x")
    )


@st.composite
def pairs(draw):
    """A claim and a truth with ties and unknowns, (days, overpasses, rows, columns)."""
    shape = tuple(draw(st.integers(1, n)) for n in (4, 2, 3, 4))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    claim = rng.choice(np.array([0, 0.2, 0.5, 0.505, 1, np.nan], np.float32), shape)
    truth = rng.choice(np.array([0, 1, 1, np.nan], np.float32), shape)
    return claim, truth


def test_one_day_by_hand():
    """Seven cells: hit, false alarm, hit, miss, tie on frozen, unknown claim, unknown truth."""
    claim = field([[[[0.9, 0.8, 0.1, 0.3, 0.5, np.nan, 0.7]]]])
    truth = field([[[[1, 0, 0, 1, 1, 1, np.nan]]]])
    found = {name: float(v.item()) for name, v in tally(claim, truth).items()}
    assert found == pytest.approx(
        {
            "true_frozen": 1.5,
            "false_frozen": 1.0,
            "true_thawed": 1.0,
            "false_thawed": 1.5,
            "ties": 1.0,
            "unknown": 1.0,
            "squared_error": 0.01 + 0.64 + 0.01 + 0.49 + 0.25,
            "n": 5.0,
        },
        abs=1e-6,
    )


def test_strata_and_weights_by_hand():
    claim, truth = field([[[[1, 1], [0, np.nan]]]]), field([[[[1, 0], [0, 1]]]])
    west = np.array([[True, False], [True, False]])
    sums = tally(claim, truth, weights=[[2, 2], [0.5, 0.5]], strata={"west": west, "east": ~west, "none": west & ~west})
    assert sums["stratum"].values.tolist() == ["west", "east", "none"]
    assert sums["true_frozen"].values.ravel().tolist() == [2, 0, 0]
    assert sums["false_frozen"].values.ravel().tolist() == [0, 2, 0]
    assert sums["true_thawed"].values.ravel().tolist() == [0.5, 0, 0]
    assert sums["unknown"].values.ravel().tolist() == [0, 0.5, 0]
    assert sums["n"].values.ravel().tolist() == [2, 1, 0]  # never weighted


@given(pairs())
@settings(deadline=None, max_examples=60)
def test_nothing_is_lost(pair):
    claim, truth = field(pair[0]), field(pair[1])
    sums = tally(claim, truth).sum()
    assert sum(float(sums[n]) for n in TABLE) == float(sums["n"])
    assert float(sums["n"] + sums["unknown"]) == int(truth.notnull().sum())


@given(pairs(), st.data())
@settings(deadline=None, max_examples=60)
def test_any_chunking_gives_the_same_sums(pair, data):
    claim, truth = field(pair[0]), field(pair[1])
    rng = np.random.default_rng(data.draw(st.integers(0, 1000)))
    strata = {"all": np.ones(claim.shape[2:], bool), "some": rng.random(claim.shape[2:]) < 0.5}
    whole = tally(claim, truth, strata=strata)
    for axis, dim in enumerate(claim.dims):
        cut = data.draw(st.integers(0, claim.shape[axis]))
        parts = []
        for piece in (slice(0, cut), slice(cut, None)):
            if claim[{dim: piece}].size == 0:
                continue
            cells = tuple(piece if d == dim else slice(None) for d in ("y", "x"))
            kept = {name: m[cells] for name, m in strata.items()}
            parts.append(tally(claim[{dim: piece}], truth[{dim: piece}], strata=kept))
        xr.testing.assert_allclose(add(*parts), whole, rtol=1e-12)


@given(pairs())
@settings(deadline=None, max_examples=40)
def test_the_order_of_cells_does_not_matter(pair):
    order = np.random.default_rng(0).permutation(pair[0].shape[3])
    xr.testing.assert_allclose(
        tally(field(pair[0]), field(pair[1])), tally(field(pair[0][..., order]), field(pair[1][..., order]))
    )


@given(pairs())
@settings(deadline=None, max_examples=40)
def test_cells_and_days_sum_to_the_same(pair):
    claim, truth = field(pair[0]), field(pair[1])
    by_cell, by_day = tally_cells(claim, truth), tally(claim, truth)
    for name in SUMS:
        np.testing.assert_allclose(by_cell[name].sum(("y", "x")), by_day[name].sum(("time", "stratum")), rtol=1e-12)


def test_lazy_and_long_arrays_are_worked_on_in_blocks(monkeypatch):
    rng = np.random.default_rng(3)
    claim, truth = field(rng.random((9, 2, 4, 5))), field(rng.integers(0, 2, (9, 2, 4, 5)))
    whole = tally(claim, truth)
    monkeypatch.setattr("frostline.tally._BLOCK_VALUES", 80)  # two days at a time, the last one alone
    xr.testing.assert_allclose(tally(claim.chunk(time=4), truth.chunk(x=2)), whole, rtol=1e-12)


def test_add_keeps_days_that_only_one_has():
    first = tally(field(np.ones((2, 1, 1, 1))), field(np.ones((2, 1, 1, 1))))
    second = tally(field(np.ones((2, 1, 1, 1)), start=1), field(np.ones((2, 1, 1, 1)), start=1))
    both = add(first, second)
    assert both["n"].values.ravel().tolist() == [1, 2, 1]
    assert both["time"].values.astype("datetime64[D]").astype(str).tolist() == [
        "2019-12-30",
        "2019-12-31",
        "2020-01-01",
    ]


def test_day_shares_by_hand():
    """Three days: 3 of 4 right, nothing known, 1 of 2 right: mean of days (.75 + .5) / 2, pooled 4/6."""
    nan = np.nan
    claim = field([[[[1, 1, 0, 1]]], [[[nan, nan, nan, nan]]], [[[1, 1, nan, nan]]]])
    truth = field([[[[1, 1, 0, 0]]], [[[1, 1, 0, 0]]], [[[1, 0, nan, nan]]]])
    daily = with_days(tally(claim, truth))
    assert daily["day_accuracy"].values.ravel().tolist() == [0.75, 0.0, 0.5]
    assert daily["days"].values.ravel().tolist() == [1, 0, 1]


def test_sites_are_cells_too():
    claim = field(np.ones((2, 2, 3, 1))).isel(x=0, drop=True).rename(y="site").assign_coords(site=["a", "b", "c"])
    sums = tally(claim, claim.transpose("site", "time", "overpass"), strata={"ab": np.array([True, True, False])})
    assert sums["true_frozen"].sel(stratum="ab").values.tolist() == [[2, 2], [2, 2]]
    assert tally_cells(claim, claim)["n"].sel(site="c").values.tolist() == [2, 2]


@pytest.mark.parametrize(
    ("claim", "truth", "cause"),
    [
        ([[[[1.2]]]], [[[[1]]]], "outside"),
        ([[[[-0.1]]]], [[[[1]]]], "outside"),
        ([[[[0.5]]]], [[[[0.5]]]], "neither"),
        ([[[[0.5, 1]]]], [[[[1]]]], "along x"),
    ],
)
def test_wrong_values_are_errors(claim, truth, cause):
    with pytest.raises(InputError, match=cause):
        tally(field(claim), field(truth))


def test_other_days_or_shapes_are_errors():
    ones = np.ones((1, 1, 1, 2))
    with pytest.raises(InputError, match="other values of time"):
        tally(field(ones), field(ones, start=1))
    with pytest.raises(InputError, match="dims"):
        tally(field(ones), field(ones).isel(x=0))
    with pytest.raises(InputError, match="one value per cell"):
        tally(field(ones), field(ones), strata={"bad": np.ones((2, 2), bool)})
