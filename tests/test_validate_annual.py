"""A year of one row of cells, counted by hand; the domain's rule; memory by blocks."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from frostline.clock import days
from frostline.errors import InputError
from frostline.grid import named
from frostline.schema import QUALITY, record
from frostline.validate import annual
from frostline.validate.annual import annual_quality, domain, frozen_days_a_year, rule

GRID = named("N09").around(100.0, 60.0, (1, 3))
TEN = days("2017-01-01", "2017-01-10")


def field(values, dates=TEN):
    """(time, overpass 1, y 1, x 3) from lists of days for each cell."""
    return np.array(values, float).T.reshape(len(dates), 1, 1, -1).astype("f4")


def made():
    """Cell 0: eight days right, one wrong, one a tie. Cell 1: four days unknown. Cell 2: never known."""
    p = field([[0.9] * 8 + [0.2, 0.5], [0.1] * 6 + [np.nan] * 4, [np.nan] * 10])
    age = np.where(np.isnan(p), 255, 0).astype("u1")
    age[6:8, 0, 0, 0], age[8, 0, 0, 0] = 2, 3
    bits = np.where(np.isnan(p), QUALITY["input_missing"], 0).astype("u2")
    bits[9, 0, 0, 0] = QUALITY["low_confidence"]
    truth = field([[1] * 10, [0] * 9 + [np.nan], [1] * 10])
    ds = record(p, grid=GRID, time=TEN, overpass=[0], quality=bits, age=age)
    return ds, xr.DataArray(truth, dims=ds["frozen"].dims, coords={"time": TEN, "overpass": [0]})


def test_shares_by_hand():
    ds, truth = made()
    found = annual_quality(ds, truth, days=TEN).isel(overpass=0, y=0)
    want = {
        "observed": [0.7, 0.6, 0],
        "filled_1_2": [0.2, 0, 0],
        "filled_3": [0.1, 0, 0],
        "unknown": [0, 0.4, 1],
        "input_missing": [0, 0.4, 1],
        "low_confidence": [0.1, 0, 0],
        "days": [10, 10, 10],
        "compared": [10, 6, 0],
        "agreement": [0.85, 1, np.nan],
        "brier": [(8 * 0.01 + 0.64 + 0.25) / 10, 0.01, np.nan],
        "qa": [0.85, 6 / 9, 0],  # an unknown day does not agree
        "qa_class": [2, 0, 0],
    }
    assert set(want) == set(found.data_vars)
    for name, values in want.items():
        np.testing.assert_allclose(found[name].values, values, rtol=1e-5, atol=1e-7, err_msg=name)
    whole = found["observed"] + found["filled_1_2"] + found["filled_3"] + found["unknown"]
    np.testing.assert_allclose(whole.values, 1)


def test_blocks_do_not_change_it_and_without_flags_less_is_told(monkeypatch):
    ds, truth = made()
    whole = annual_quality(ds, truth, days=TEN)
    monkeypatch.setattr(annual, "_BLOCK_VALUES", 6)
    assert annual_quality(ds.chunk(time=3), truth, days=TEN).equals(whole)
    assert set(annual_quality(ds[["frozen"]], None, days=TEN[:3]).data_vars) == {"unknown", "days"}
    with pytest.raises(InputError, match="no day"):
        annual_quality(ds, truth, days=TEN[:0])


@settings(max_examples=20, deadline=None)
@given(st.lists(st.one_of(st.just(np.nan), st.floats(0, 1)), min_size=10, max_size=10))
def test_quality_is_never_above_agreement(values):
    ds, truth = made()
    ds["frozen"][:, 0, 0, 0] = np.array(values, "f4")
    found = annual_quality(ds, truth, days=TEN).isel(overpass=0, y=0, x=0)
    assert 0 <= found["qa"] <= 1 and not found["qa"] > found["agreement"] + 1e-6


def test_frozen_days_weigh_months_by_their_length_whatever_span_is_known():
    """January frozen throughout in both years, July of one year half frozen: (31 x 1 + 31 x .5) / 62 of a year."""
    dates = days("2016-01-01", "2017-12-31")
    months = dates.astype("datetime64[M]").astype(int) % 12 + 1
    states = np.full((len(dates), 2, 1, 2), np.nan, "f4")
    states[months == 1, :, 0, 0] = 1
    july = np.flatnonzero((months == 7) & (dates < np.datetime64("2017-01-01")))
    states[july, 0, 0, 0], states[july, 1, 0, 0] = 1, 0
    array = xr.DataArray(states, dims=("time", "overpass", "y", "x"), coords={"time": dates})
    found = frozen_days_a_year(array, days=np.ones(len(dates), bool))
    assert found[0, 0] == pytest.approx(0.75 * 365.25) and np.isnan(found[0, 1])
    only = frozen_days_a_year(array, days=months == 1)
    assert only[0, 0] == pytest.approx(365.25)
    assert domain(found, low=5, high=360).tolist() == [[True, False]]
    told = rule(5, 360, by="the reanalysis", first=dates[0], last=dates[-1])
    assert told == "5 to 360 frozen days a year by the reanalysis, 2016-01-01 to 2017-12-31"
