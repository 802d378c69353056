"""Errors of dates at stations, by hand."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from frostline.validate.phenology import date_errors, weighted_median

OPTIONS = {"measures": ("onset",), "resamples": 200, "seed": 3}


def dates(*years, overpass=(0,)):
    """Onsets (year, site) of one overpass."""
    values = np.array(years, float)[:, None, :]
    coords = {"year": range(2000, 2000 + len(years)), "overpass": list(overpass), "site": range(values.shape[2])}
    return xr.Dataset({"onset": (("year", "overpass", "site"), values)}, coords=coords)


def test_scores_by_hand():
    """Errors +3, -1, +4 (one station-year has no onset at the station): mean 2, RMSE sqrt(26/3), median 3.

    Climatology is 10, 10 and 2 days late: RMSE sqrt(204/3), so the skill is 1 - sqrt(26/204).
    """
    was = dates([100, 110, np.nan], [120, np.nan, np.nan])
    said = dates([103, 109, 90], [124, np.nan, 80])
    usual = dates([110, 120, 90], [122, 130, np.nan])
    rows = date_errors({"unet": said, "climatology": usual}, was, **OPTIONS)
    found = {(r["record"], r["score"]): r for r in rows}
    assert len(rows) == 8 and {r["against"] for r in rows} == {"stations"} and {r["overpass"] for r in rows} == {"am"}
    assert found["unet", "mean_error"]["value"] == pytest.approx(2)
    assert found["unet", "rmse"]["value"] == pytest.approx(np.sqrt(26 / 3))
    assert found["unet", "median_error"]["value"] == 3
    assert found["unet", "rmse_skill"]["value"] == pytest.approx(1 - np.sqrt(26 / 204))
    assert found["climatology", "rmse_skill"]["value"] == 0
    assert all(r["skill"] == found[r["record"], "rmse_skill"]["value"] for r in rows)
    assert {(r["n"], r["stations"], r["missed"]) for r in rows} == {(3, 2, 0)}
    # two stations: every draw takes one twice or both once, so the mean lies within those of each: -1 and 3.5
    ends = found["unet", "mean_error"]
    assert ends["lo"] == pytest.approx(-1) and ends["hi"] == pytest.approx(3.5)
    assert all(r["lo"] <= r["value"] <= r["hi"] for r in rows)


def test_a_date_that_a_record_lacks_is_missed_and_common_to_none():
    was = dates([100, 110, 120, 130])
    rows = date_errors({"a": dates([101, 111, np.nan, 131]), "b": dates([100, np.nan, np.nan, 133])}, was, **OPTIONS)
    found = {(r["record"], r["score"]): r for r in rows}
    assert found["a", "mean_error"]["value"] == 1 and found["b", "mean_error"]["value"] == 1.5
    assert (found["a", "rmse"]["n"], found["a", "rmse"]["missed"], found["b", "rmse"]["missed"]) == (2, 1, 2)
    assert np.isnan(found["a", "rmse"]["skill"]) and ("a", "rmse_skill") not in found  # no climatology
    assert date_errors({"a": dates([np.nan])}, dates([100]), **OPTIONS) == []


def test_one_station_has_no_interval_and_overpasses_stand_apart():
    rows = date_errors({"climatology": dates([104])}, dates([100]), **OPTIONS)
    assert all(np.isnan(r["lo"]) and np.isnan(r["hi"]) and r["n"] == 1 for r in rows)
    both = [xr.concat([dates([a, b]), dates([c, d], overpass=(1,))], "overpass") for a, b, c, d in
            ((1, 2, 3, 4), (2, 3, 1, 2))]  # fmt: skip
    rows = date_errors({"climatology": both[1]}, both[0], **OPTIONS)
    assert {r["overpass"]: r["value"] for r in rows if r["score"] == "mean_error"} == {"am": 1, "pm": -2}


@given(st.lists(st.tuples(st.floats(-99, 99), st.integers(0, 3)), min_size=1, max_size=9).filter(
    lambda v: sum(w for _, w in v)))  # fmt: skip
def test_weighted_median_is_the_median_of_what_is_repeated(pairs):
    values, weights = (np.array(v) for v in zip(*pairs, strict=True))
    found = weighted_median(values, weights[None])[0]
    assert found == pytest.approx(np.median(np.repeat(values, weights)), abs=1e-9)
