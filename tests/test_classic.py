"""Climatology, persistence and the thresholded reanalysis, worked out on a few days."""

import numpy as np
import pytest
import xarray as xr

from frostline.classic import (
    calendar_day,
    climatology,
    climatology_record,
    fit_logistic,
    logistic,
    persistence,
    threshold,
)
from frostline.clock import days
from frostline.errors import InputError
from frostline.grid import named
from frostline.schema import RECORD, check

GRID = named("N09").around(100.0, 60.0, (2, 3))


def labels(times, values):
    """The same value in every cell of a day: (days,) or (days, overpasses)."""
    values = np.asarray(values, np.float32).reshape(len(times), -1)
    field = np.broadcast_to(values[:, :, None, None], (*values.shape, *GRID.shape)).copy()
    coords = {"time": times, "overpass": np.arange(values.shape[1], dtype=np.int8), "y": GRID.y, "x": GRID.x}
    return xr.DataArray(field, coords, ("time", "overpass", "y", "x"))


def chosen(times, where=True):
    return xr.DataArray(np.broadcast_to(where, len(times)), {"time": times}, ("time",))


def test_calendar_days_are_those_of_a_leap_year():
    whole = days("2016-01-01", "2016-12-31")
    assert calendar_day(whole).tolist() == list(range(1, 367))
    assert calendar_day(["2017-02-28", "2017-03-01", "2017-12-31"]).tolist() == [59, 61, 366]


def test_climatology_by_hand():
    """Two Januaries, window of one day: 2 Jan holds 1-3 Jan of both: (1+1+0 + 1+0+0)/6 = .5."""
    times = np.array(
        ["2017-01-01", "2017-01-02", "2017-01-03", "2018-01-01", "2018-01-02", "2018-01-03"], "datetime64[ns]"
    )
    table = climatology(labels(times, [1, 1, 0, 1, 0, 0]), days=chosen(times), half_window=1)
    assert table.dims == ("dayofyear", "overpass", "y", "x") and table.sizes["dayofyear"] == 366
    found = table.isel(overpass=0, y=1, x=2)
    assert float(found.sel(dayofyear=2)) == 0.5
    assert float(found.sel(dayofyear=1)) == 0.75  # 31 December has no label
    assert float(found.sel(dayofyear=366)) == 1.0  # the year's end sees 1 January
    assert float(found.sel(dayofyear=4)) == 0.0
    assert np.isnan(found.sel(dayofyear=[5, 100, 365])).all()


def test_climatology_reads_training_days_only_and_counts_no_unknown():
    times = days("2017-06-01", "2017-06-04")
    values = labels(times, [1, np.nan, 0, 0])
    train = chosen(times, np.array([True, True, False, False]))
    table = climatology(values, days=train, half_window=3)
    assert float(table.sel(dayofyear=154).isel(overpass=0, y=0, x=0)) == 1.0
    # days that the labels do not know are no training days, whatever the split says
    longer = chosen(days("2017-05-01", "2017-06-02"))
    xr.testing.assert_equal(climatology(values, days=longer, half_window=3), table)
    with pytest.raises(InputError, match="training day"):
        climatology(values, days=chosen(times, False))


def test_leap_day_has_a_climatology_from_common_years():
    times = days("2017-02-26", "2017-03-03")
    table = climatology(labels(times, [1, 1, 1, 0, 0, 0]), days=chosen(times), half_window=1)
    leap = climatology_record(table, ["2016-02-29"], grid=GRID)["frozen"]
    assert leap.values.ravel().tolist() == [0.5] * 6  # 28 February frozen, 1 March thawed


def test_blocks_do_not_change_the_climatology(monkeypatch):
    times = days("2015-11-01", "2016-03-31")
    values = labels(times, np.random.default_rng(0).integers(0, 2, (len(times), 2)))
    whole = climatology(values, days=chosen(times))
    monkeypatch.setattr("frostline.classic._BLOCK_VALUES", 100)
    xr.testing.assert_equal(climatology(values.chunk(time=7), days=chosen(times)), whole)


def test_climatology_record_is_lazy_and_repeats_the_table():
    times = days("2015-12-30", "2016-03-02")
    table = climatology(labels(times, np.arange(len(times) * 2).reshape(-1, 2) % 3 == 0), days=chosen(times))
    record = climatology_record(table, times, grid=GRID)
    assert record["frozen"].chunks is not None
    check(record, RECORD)
    for i in (0, 2, 61, 63):
        np.testing.assert_array_equal(record["frozen"][i], table.sel(dayofyear=calendar_day(times[i])))


def test_persistence_goes_by_date():
    times = np.array(["2017-01-01", "2017-01-02", "2017-01-04", "2017-01-05"], "datetime64[ns]")
    values = labels(times, [[1, 0], [0, 0], [1, np.nan], [1, 1]])
    found = check(persistence(values, grid=GRID), RECORD)["frozen"][:, :, 0, 0]
    nan = np.nan
    np.testing.assert_array_equal(found, [[nan, nan], [1, 0], [nan, nan], [1, nan]])
    later = persistence(values.chunk(time=1), grid=GRID, lag=2)["frozen"][:, :, 0, 0]
    np.testing.assert_array_equal(later, [[nan, nan], [nan, nan], [0, 0], [nan, nan]])


def test_threshold_by_hand():
    times = days("2017-01-01", "2017-01-04")
    record = check(threshold(labels(times, [273.14, 273.15, 280.0, np.nan]), grid=GRID), RECORD)
    np.testing.assert_array_equal(record["frozen"][:, 0, 0, 0], [1, 0, 0, np.nan])
    colder = threshold(labels(times, [272.9, 273.05, 280.0, np.nan]), grid=GRID, below=273.0)
    np.testing.assert_array_equal(colder["frozen"][:, 0, 0, 0], [1, 0, 0, np.nan])


def test_regression_by_hand():
    x, y = [[1.0]] * 4 + [[0.0]] * 4, [1, 1, 1, 0, 1, 0, 0, 0]
    model = fit_logistic([*x, [np.nan], [0.0]], [*y, 1, np.nan], ridge=0.0)
    assert model.n == 8
    assert model.slope[0] / model.spread[0] == pytest.approx(np.log(9))  # odds of 3 against 1/3
    np.testing.assert_allclose(logistic(model, [[0.0], [1.0], [np.nan]]), [0.25, 0.75, np.nan], atol=1e-6)
    stiff = fit_logistic(x, y, ridge=1e6)
    assert logistic(stiff, [[1.0]]) == pytest.approx(0.5, abs=1e-3)  # slopes cost, the offset does not


def test_regression_recovers_what_made_the_samples():
    r = np.random.default_rng(0)
    x = r.normal([5.0, 0.0, 3.0], [2.0, 0.1, 0.0], (200_000, 3))  # the third never changes
    z = 1.0 - 0.8 * x[:, 0] + 12.0 * x[:, 1]
    model = fit_logistic(x, r.random(len(z)) < 1 / (1 + np.exp(-z)))
    np.testing.assert_allclose((model.slope / model.spread)[:2], [-0.8, 12.0], rtol=0.03)
    assert model.slope[2] == 0


def test_regression_of_classes_that_do_not_overlap_stays_finite():
    model = fit_logistic([[0.0], [1.0], [2.0], [3.0]], [1, 1, 0, 0])
    p = logistic(model, [[0.0], [1.5], [3.0]])
    assert 0.5 < p[0] < 1
    assert p[1] == pytest.approx(0.5)
    assert p[2] == pytest.approx(1 - p[0])
    with pytest.raises(InputError, match="2 frozen and 0 thawed cases are known"):
        fit_logistic([[0.0], [1.0]], [1, 1])
