"""Trends against numbers worked out by hand, against SciPy, and against noise with memory."""

import json

import numpy as np
import pytest
import xarray as xr
from scipy.stats import false_discovery_control

import frostline.trends
from frostline import trends_kernels as kernels
from frostline.errors import ConfigError, InputError
from frostline.season import FLAGS, season
from frostline.trends import STATUS, crossed, regional_means, steps, table, trend

SERIES = [170.0, 165, 172, 168, 160, 166, 158, 163, 159, 161, 155, 158]  # two values are equal


def yearly(values, first=2001, years=None):
    """(year, ...) -> the array that `season` would give."""
    values = np.asarray(values, float)
    dims = ("year", "overpass", "y", "x")[: values.ndim] if values.ndim != 2 else ("year", "cell")
    return xr.DataArray(values, {"year": years if years is not None else first + np.arange(len(values))}, dims)


def noise(rng, rho, shape):
    """First-order autoregressive series of unit innovations (n, cells), from their stationary law."""
    e = rng.standard_normal(shape)
    e[0] /= np.sqrt(1 - rho**2)
    for k in range(1, shape[0]):
        e[k] += rho * e[k - 1]
    return e


def test_the_worked_series():
    found = trend(yearly(SERIES))
    assert float(found["slope"]) == -1.25
    assert float(found["slope_ols"]) == pytest.approx(-1.199301, abs=5e-7)
    assert float(found["z"]) == pytest.approx(-2.749374, abs=5e-7)
    assert float(found["p"]) == pytest.approx(0.005971, abs=5e-7)
    assert float(found["tau"]) == pytest.approx(-0.621212, abs=5e-7)
    assert float(found["r1"]) < 0  # so neither test nor interval is corrected
    xr.testing.assert_allclose(found.drop_attrs(), trend(yearly(SERIES), correction="none").drop_attrs())
    # y + 1.25 (year - 2001) in rising order: 165, 165.5, 166.25, 167.5, 169, 170 | 171.75 three times, ...
    assert float(found["intercept"]) + float(found["slope"]) * 2001 == pytest.approx(170.875)


def test_memory_widens_test_and_interval():
    y = yearly(noise(np.random.default_rng(3), 0.8, (41, 1)) - 0.1 * np.arange(41)[:, None])
    plain, corrected = trend(y, correction="none"), trend(y)
    r1 = float(corrected["r1"][0])
    assert r1 > 0.3
    factor = kernels.yue_wang(np.array(r1), np.array(41))
    assert float(corrected["z"][0]) == pytest.approx(float(plain["z"][0]) / np.sqrt(factor), rel=1e-5)
    assert float(corrected["lo"][0]) < float(plain["lo"][0]) < float(plain["hi"][0]) < float(corrected["hi"][0])
    assert float(corrected["n_effective"][0]) < 30
    assert float(corrected["slope"][0]) == float(plain["slope"][0])


def test_unknown_years_constant_cells_and_short_series():
    t = np.arange(12)
    values = np.stack(
        [2.0 * t, np.where(t % 7 == 1, np.nan, 2.0 * t), np.full(12, 365.0), np.where(t < 9, t, np.nan)], 1
    )
    found = trend(yearly(values))
    assert found["slope"].values[:3].tolist() == [2.0, 2.0, 0.0]
    assert found["years"].values.tolist() == [12, 10, 12, 9]
    assert np.isnan(found["slope"].values[3])
    assert found["status"].values.tolist()[2:] == [STATUS["constant"], STATUS["few_years"]]
    assert np.isnan(found["p"].values[2]) and found["lo"].values[2] == 0 == found["hi"].values[2]
    short = trend(yearly(values), min_years=5)
    assert short["slope"].values.tolist() == [2.0, 2.0, 0.0, 1.0] and short["status"].values[3] == STATUS["ok"]
    nothing = trend(yearly(np.full((12, 2), np.nan)))
    assert np.isnan(nothing["slope"]).all() and (nothing["years"] == 0).all()


def test_years_count_at_their_number():
    years = [1990, 1991, 1992, 1993, 1994, 2000, 2001, 2002, 2003, 2004]
    found = trend(yearly(np.array(years) * 0.5 + 7, years=years))
    assert float(found["slope"]) == pytest.approx(0.5) and float(found["slope_ols"]) == pytest.approx(0.5)
    assert float(found["intercept"]) == pytest.approx(7)


def test_blocks_of_cells_change_nothing(monkeypatch):
    values = np.random.default_rng(0).normal(size=(15, 2, 5, 7))
    values[3, 0, :2] = np.nan
    array = yearly(values)
    whole = trend(array)
    monkeypatch.setattr(frostline.trends, "_BLOCK_PAIRS", 400)
    xr.testing.assert_identical(trend(array), whole)
    xr.testing.assert_identical(trend(array.chunk({"y": 2})), whole)
    assert whole["slope"].dims == ("overpass", "y", "x")


def test_false_discovery_is_scipys_overpass_by_overpass():
    rng = np.random.default_rng(5)
    values = rng.normal(size=(20, 2, 4, 4)) + np.arange(20)[:, None, None, None] * np.array([0.0, 0.3])[:, None, None]
    found = trend(yearly(values))
    for k in range(2):
        wanted = false_discovery_control(found["p"].values[k].ravel().astype(float)).reshape(4, 4)
        np.testing.assert_allclose(found["p_fdr"].values[k], wanted, rtol=1e-5)


def test_losing_the_coldest_cells_does_not_warm_a_region():
    """Two cells, 200 and 100 days, each -1 a year; the first is lost after five of ten years.

    The plain mean falls by 51 in the sixth year; the mean of departures from each cell's own mean has slope
    under 1; cell and year told apart, it is -1 throughout. The level is the mean of the cells.
    """
    t = np.arange(10.0)
    values = np.stack([200 - t, 100 - t], axis=1)
    values[5:, 0] = np.nan
    found = regional_means(yearly(values[:, None, None, :]).assign_coords(overpass=[0]), {"all": [[1, 1]]})
    np.testing.assert_allclose(found["mean"].values[:, 0, 0], 150 - t, atol=1e-9)
    assert found["cells"].values[:, 0, 0].tolist() == [2] * 5 + [1] * 5
    common = regional_means(
        yearly(values[:, None, None, :]).assign_coords(overpass=[0]), {"all": [[1, 1]]}, mode="common"
    )
    np.testing.assert_allclose(common["mean"].values[:, 0, 0], 100 - t, atol=1e-9)


def test_regional_means_without_gaps_are_weighted_means(monkeypatch):
    rng = np.random.default_rng(2)
    array = yearly(rng.normal(100, 30, (12, 2, 3, 4))).assign_coords(overpass=[0, 1])
    mask = rng.random((3, 4)) < 0.6
    area = np.array([[1.0], [2.0], [4.0]])
    wanted = np.average(array.values[:, :, mask], axis=2, weights=np.broadcast_to(area, (3, 4))[mask])
    found = regional_means(array, {"some": mask, "none": np.zeros((3, 4))}, weights=area)
    np.testing.assert_allclose(found["mean"].values[..., 0], wanted)
    assert np.isnan(found["mean"].values[..., 1]).all() and (found["cells"][..., 1] == 0).all()
    common = regional_means(array, {"some": mask}, weights=area, mode="common")
    np.testing.assert_allclose(common["mean"].values[..., 0], wanted)
    monkeypatch.setattr(frostline.trends, "_BLOCK_PAIRS", 100)
    again = regional_means(array.chunk({"x": 1}), {"some": mask, "none": np.zeros((3, 4))}, weights=area)
    xr.testing.assert_allclose(again, found)


def test_years_that_no_cell_links_are_unknown():
    """One cell knows years 0-5, another 7-9, none year 6: how far the first years stand from the last is unknown."""
    values = np.full((10, 1, 1, 2), np.nan)
    values[:6, 0, 0, 0], values[7:, 0, 0, 1] = 200, 100
    array = yearly(values).assign_coords(overpass=[0])
    found = regional_means(array, {"all": [[1, 1]]})["mean"].values[:, 0, 0]
    assert np.isfinite(found[:6]).all() and np.isnan(found[6:]).all()
    assert np.ptp(found[:6]) < 1e-9
    common = regional_means(array, {"all": [[1, 1]]}, mode="common")
    assert np.isnan(common["mean"]).all() and (common["cells"] == 0).all()


def test_a_step_at_a_change_of_sensor_is_found_and_taken_out():
    """-0.5 a year and +10 from 1988 on: the steps' line says -.5 and 10 exactly."""
    years = np.arange(1979, 2021)
    values = -0.5 * (years - 1979) + 10.0 * (years >= 1988)
    found = steps(yearly(values, years=years), at=[1988])
    assert float(found["step"][0]) == pytest.approx(10) and float(found["slope_with"]) == pytest.approx(-0.5)
    # by hand: slope of the step itself is 10 x 9 x 33 x 21 / 42 / (42 (42^2 - 1) / 12) = .2407
    assert float(found["slope_without"]) == pytest.approx(-0.5 + 10 * 9 * 33 / 2 / (42 * (42**2 - 1) / 12))
    rng = np.random.default_rng(4)
    noisy = values[:, None, None, None] + noise(rng, 0.3, (42, 30)).reshape(42, 1, 5, 6) * 2
    noisy[2, 0, 0, 0] = np.nan
    noisy[:9, 0, 4, 5] = np.nan  # this cell never saw the first sensor
    found = steps(yearly(noisy, years=years), at=[1988, 2009])
    assert found["step"].dims == ("at", "overpass", "y", "x") and found["at"].values.tolist() == [1988, 2009]
    assert np.isnan(found["step"].values[:, 0, 4, 5]).all()
    assert float(found["step"].sel(at=1988).mean()) == pytest.approx(10, abs=0.8)
    assert float((found["p"].sel(at=1988) < 0.05).mean()) > 0.9 and float((found["p"].sel(at=2009) < 0.05).mean()) < 0.2
    inside = (found["lo"] <= found["step"]) & (found["step"] <= found["hi"])
    assert inside.sum() == 58


def region_means(rng, rho=0.3, slope=-0.2):
    t = np.arange(41)
    field = 150 + slope * t[:, None, None, None] + noise(rng, rho, (41, 12)).reshape(41, 1, 3, 4) * 4
    named = {"flag_values": np.array([0, 3], "int8"), "flag_meanings": "am both"}
    array = yearly(field, first=1980).assign_coords(overpass=("overpass", np.array([3], "int8"), named))
    regions = {"east": np.arange(12).reshape(3, 4) % 4 > 1, "all": np.ones((3, 4), bool)}
    return regional_means(array, {**regions, **crossed(regions, {"high": [[1] * 4, [0] * 4, [0] * 4]})})


def test_table_of_regions_and_classes():
    means = region_means(np.random.default_rng(7))
    rows = table(means)
    assert [r["region"] for r in rows] == ["east", "all", "east/high", "all/high"]
    assert [r["cells"] for r in rows] == [6, 12, 2, 4] and {r["overpass"] for r in rows} == {"both"}
    json.dumps(rows, allow_nan=False)
    for row in rows:
        assert row["lo"] < row["slope"] < row["hi"] and row["years"] == 41 and row["status"] == "ok"
        assert row["mean"] == pytest.approx(146, abs=3) and row["lo_ols"] < row["slope_ols"] < row["hi_ols"]
    drawn = table(means, interval="bootstrap", resamples=200)
    assert drawn == table(means, interval="bootstrap", resamples=200)
    for row, other in zip(rows, drawn, strict=True):
        assert other["slope"] == row["slope"] and other["lo"] < row["slope"] < other["hi"]
        assert 0.3 < (other["hi"] - other["lo"]) / (row["hi"] - row["lo"]) < 2
    unknown = table(means.where(means["year"] < 1985))[0]
    assert unknown["slope"] is None and unknown["lo"] is None and unknown["status"] == "few_years"


def test_what_two_records_share_is_out_of_their_difference():
    """The same weather in both, a slope of .05 between them: the pair shows it, each alone does not."""
    rng = np.random.default_rng(8)
    first = region_means(rng)
    second = first.assign(mean=first["mean"] + 0.05 * (first["year"] - 2000) + rng.normal(0, 0.1, first["mean"].shape))
    pair = table(second.assign(mean=second["mean"] - first["mean"]))[1]
    assert pair["slope"] == pytest.approx(0.05, abs=0.005) and pair["hi"] - pair["lo"] < 0.02
    assert table(second)[1]["hi"] - table(second)[1]["lo"] > 0.05


@pytest.mark.parametrize(
    ("call", "what"),
    [
        (lambda a: trend(a, correction="hamed-rao"), "correction"),
        (lambda a: trend(a, level=1.0), "level"),
        (lambda a: steps(a, at=[2001]), "at="),
        (lambda a: steps(a, at=[]), "at="),
        (lambda a: regional_means(a, {}), "region"),
        (lambda a: regional_means(a, {"all": [[1]]}, mode="raw"), "mode"),
        (lambda a: table(regional_means(a, {"all": [[1]]}), interval="normal"), "interval"),
    ],
)
def test_options_out_of_range_are_refused(call, what):
    with pytest.raises(ConfigError, match=what):
        call(yearly(np.zeros((12, 1, 1, 1))).assign_coords(overpass=[0]))


def test_shapes_and_years_that_do_not_fit_are_refused():
    array = yearly(np.zeros((12, 1, 1, 1))).assign_coords(overpass=[0])
    with pytest.raises(InputError, match="shape"):
        regional_means(array, {"all": [1, 1]})
    with pytest.raises(InputError, match="rise"):
        trend(array[::-1])


@pytest.mark.slow
@pytest.mark.real
def test_melt_of_antarctica(real_data):
    """43 years of a real satellite record, every second day until 1987, in the same lines as the soil."""
    with np.load(real_data("antarctica_melt_1979_2022/antarctic_melt_icepixels_int8.npz")) as file:
        melt, dates = file["melt"][:, None, ::20], file["dates"].astype("datetime64[ns]")
    frozen = np.where(melt == 0, np.nan, melt == 1).astype(np.float32)
    record = xr.Dataset({"frozen": (("time", "overpass", "pixel"), frozen)}, {"time": dates, "overpass": [2]})
    options = {"state": "thawed", "months": (10, 11, 12, 1, 2, 3, 4), "min_valid": 0.4, "rule": "3days"}
    found = season(record, **options).isel(overpass=0)
    assert found["year"].values.tolist() == list(range(1979, 2022))
    whole = (found["flag"] & FLAGS["partial"]) == 0
    assert not whole.sel(year=[1987, 2021]).any()  # December 1987 is missing; 2022 ends on 9 January
    assert whole.sel(year=slice(1988, 2020)).mean() > 0.95
    days = found["thawed_days"]
    season_2009 = (dates >= np.datetime64("2009-10-01")) & (dates < np.datetime64("2010-05-01"))
    counted = (melt[season_2009, 0] == 2).sum(axis=0)
    complete = found["valid_days"].sel(year=2009).values == 212
    assert complete.mean() > 0.9 and counted.max() > 30
    assert (days.sel(year=2009).values[complete] == counted[complete]).all()
    length = found["length"].sel(year=slice(1988, 2020))
    assert length.notnull().any() and float(length.min()) >= 3  # three days in a row at least
    trends = trend(days)
    assert set(np.unique(trends["status"])) <= {STATUS["ok"], STATUS["constant"]}
    never = (days.fillna(0) == 0).all("year")
    assert (trends["status"].where(never, STATUS["constant"]) == STATUS["constant"]).all()
    jump = steps(days.mean("pixel"), at=[1987])
    assert np.isfinite(jump["step"]).all() and float(jump["lo"][0]) < float(jump["hi"][0])


@pytest.mark.parametrize(("rho", "most"), [(0.0, 0.08), (0.2, 0.08), (0.6, 0.10)])
def test_false_alarms(rho, most):
    """41 years without a trend, 4000 series, nominal 5 %."""
    values = yearly(noise(np.random.default_rng(11), rho, (41, 4000)))
    found = trend(values)
    alarms = float((found["p"] < 0.05).mean())
    assert 0.03 < alarms <= most
    if rho == 0.6:
        plain = float((trend(values, correction="none")["p"] < 0.05).mean())
        assert plain > 0.2
    # the interval is the test turned over
    outside = float(((found["lo"] > 0) | (found["hi"] < 0)).mean())
    assert outside == pytest.approx(alarms, abs=0.01)
    assert float((found["p_ols"] < 0.05).mean()) < most + 0.02
    assert float((found["p_fdr"] < 0.05).mean()) < 0.01
