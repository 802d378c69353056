"""Rows of trends, their pairs with the truth and their breaks, on series made by hand."""

import numpy as np
import pytest
import xarray as xr

from frostline.errors import InputError
from frostline.steps.trend_rows import break_rows, cell_trends, groups_of, trend_rows, year_of

OPTIONS = {"start_month": 8, "correction": "yue-wang", "level": 0.95}


def one_of(found, **where):
    (row,) = [row for row in found if all(row[k] == v for k, v in where.items())]
    return row


def yearly(values, first=1980):
    values = np.asarray(values, np.float32)
    coords = {"year": first + np.arange(len(values)), "overpass": [0]}
    return xr.DataArray(values[:, None, None, :], coords, ("year", "overpass", "y", "x"), name="frozen_days")


def test_a_share_that_is_not_known_is_not_told():
    """The truth does not change to speak of: what share of nothing a record keeps is nobody's business."""
    rng = np.random.default_rng(1)
    truth = yearly(150 + rng.normal(0, 0.01, (20, 4)))
    claim = truth + yearly(rng.normal(0, 5, (20, 4)))
    (row, _) = trend_rows({"fused": claim}, {"all": {"all": np.ones((1, 4), bool)}}, area=np.ones((1, 1)), truth=truth,
                          **OPTIONS)["rows"]  # fmt: skip
    assert row["difference"] is not None and row["kept"] is None and row["kept_lo"] is None


def test_the_interval_of_a_mean_by_hand():
    """Years of 1, 2, 3, 4 and 10 days: mean 4, residuals 1, 0, -1, -2, 2 on the line 0, 2, 4, 6, 8.

    Their sum of squares is 10 over 3 degrees of freedom; their lag-1 correlation is (0 + 0 + 2 - 4) / 10 < 0, so five
    years count as five and the reach is t(.975; 4) = 2.776 x sqrt(10 / 3) / sqrt(5).
    """
    found = trend_rows({"smap": yearly([[1], [2], [3], [4], [10]])}, groups_of(np.ones((1, 1), bool), {}),
                       area=np.ones((1, 1)), truth=None, **OPTIONS)["means"][0]  # fmt: skip
    assert found["mean"] == pytest.approx(4) and found["iav"] == pytest.approx(np.sqrt(10 / 3), rel=1e-5)
    assert found["hi"] - 4 == pytest.approx(2.776445 * np.sqrt(10 / 3 / 5), rel=1e-5) and found["bias"] is None


def test_pairs_are_of_the_cells_and_years_that_both_know():
    """A record that knows the mild cell only is compared with that cell's truth: no bias."""
    truth = yearly(np.stack([200 - np.arange(15.0), 100 - np.arange(15.0)], axis=1))
    claim = truth.copy(data=truth.values.copy())
    claim[:, 0, 0, 0] = np.nan
    (row, true) = trend_rows({"fused": claim}, {"all": {"all": np.ones((1, 2), bool)}}, area=np.ones((1, 1)),
                             truth=truth, **OPTIONS)["rows"]  # fmt: skip
    assert row["mean"] == 93 and true["mean"] == 143 and row["bias"] == 0 and row["kept"] == 1


def test_steps_at_sensors_are_found_in_the_record_and_in_its_difference():
    years = np.arange(1980, 2021)
    weather = np.random.default_rng(2).normal(0, 6, 41)
    jump = 8.0 * (years >= 1995)
    series = xr.DataArray(150 - 0.3 * (years - 1980) + weather + jump, {"year": years}, ("year",))
    rows = break_rows(series, xr.DataArray(jump, {"year": years}, ("year",)), start_month=8, level=0.95)
    assert [r["sensor"].split()[-1] for r in rows] == ["F08", "F11", "F13", "F17", "SMAP", "AMSR2"]
    assert [r["year"] for r in rows] == [1987, 1991, 1995, 2007, 2015, 2020]
    assert rows[-1]["status"] == "few_years" and rows[-1]["step"] is None
    at = one_of(rows, year=1995)
    assert at["difference_step"] == pytest.approx(8) and at["difference_lo"] > 7.9
    assert at["lo"] < at["step"] < at["hi"] and at["lo"] < 8 < at["hi"]
    assert abs(one_of(rows, year=2007)["difference_step"]) < 1e-6
    assert "difference_step" not in break_rows(series, None, start_month=8, level=0.95)[0]
    late = series.where(series["year"] >= 2016)
    assert {r["status"] for r in break_rows(late, None, start_month=8, level=0.95)} == {"few_years"}


@pytest.mark.parametrize(("day", "start", "year"), [("2008-01-01", 8, 2007), ("2008-03-01", 8, 2008),
                                                    ("1987-07-09", 1, 1988), ("1987-06-30", 1, 1987)])  # fmt: skip
def test_a_sensor_counts_from_the_year_most_of_which_it_saw(day, start, year):
    assert year_of(np.datetime64(day), start) == year


@pytest.mark.parametrize("n", [1, 2, 9])
def test_of_few_years_nothing_is_said_of_a_trend(n):
    days = yearly(np.full((n, 2), 100.0), first=1984)
    found = trend_rows(
        {"smap": days}, groups_of(np.ones((1, 2), bool), {}), area=np.ones((1, 1)), truth=days, **OPTIONS
    )
    row = found["rows"][0]
    assert row["status"] == "few_years" and row["years"] == n
    assert all(row[k] is None for k in ("slope", "lo", "p", "ols", "kept", "difference", "later_slope"))
    mean = found["means"][0]
    assert mean["mean"] == pytest.approx(100) and mean["bias"] == 0 and mean["years"] == n
    assert (mean["iav"] is None) == (mean["lo"] is None) == (n < 3)


def test_codes_beyond_the_names_are_refused_and_empty_classes_left_out():
    land = np.array([[True, True, False]])
    found = groups_of(land, {"region": (np.array([[1.0, np.nan, 3.0]]), ["west", "east"])})
    assert {g: list(m) for g, m in found.items()} == {"all": ["all"], "region": ["west"]}
    assert found["region"]["west"].tolist() == [[True, False, False]]
    with pytest.raises(InputError, match="code 3"):
        groups_of(np.array([[True, True, True]]), {"region": (np.array([[1.0, np.nan, 3.0]]), ["west", "east"])})
    with pytest.raises(InputError, match="land"):
        groups_of(np.zeros((1, 3), bool), {})


def test_many_cells_of_noise_are_not_marked():
    rng = np.random.default_rng(3)
    noise = yearly(rng.normal(150, 6, (30, 400)))
    drift = noise - yearly(np.repeat(1.5 * np.arange(30.0)[:, None], 400, 1))
    maps = cell_trends({"reanalysis": noise, "truth": drift}, correction="yue-wang", level=0.95)
    assert float(maps["significant"].sel(record="reanalysis").mean()) < 0.01
    assert float((maps["p"].sel(record="reanalysis") < 0.05).mean()) > 0.01
    assert float(maps["significant"].sel(record="truth").mean()) > 0.99
