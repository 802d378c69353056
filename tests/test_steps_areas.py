"""Frozen days corrected for error, on a window whose stations and truth are known; and what the tiny run shows."""

import numpy as np
import pytest
import xarray as xr

from frostline import store
from frostline.clock import days
from frostline.grid import Grid, named
from frostline.runs import read_json
from frostline.schema import QUALITY, record
from frostline.steps.areas import daily, judged, periods_of
from frostline.steps.common import load
from frostline.steps.yearly import states_by_month
from frostline.validate.area import corrected
from twin_run import assembled, finished, scored, shared  # noqa: F401

GRID = named("N09").around(100.0, 60.0, (4, 5))
YEAR = days("2016-08-01", "2017-07-31")


def world():
    """180 frozen days from 1 November; the record calls the last 20 of them thawed in every cell."""
    since = (YEAR - np.datetime64("2016-11-01")).astype("timedelta64[D]").astype(int)
    truth = np.broadcast_to(((since >= 0) & (since < 180))[:, None, None, None], (len(YEAR), 1, *GRID.shape))
    claim = np.broadcast_to(((since >= 0) & (since < 160))[:, None, None, None], truth.shape)
    options = {"grid": GRID, "time": YEAR, "overpass": [0]}
    return record(claim.astype("f4"), **options), record(truth.astype("f4"), **options)


def test_the_days_that_a_record_misses_everywhere_are_given_back():
    """160 counted; stations, and the whole land, say 180: the 20 missed days stand among the thawed claims of April."""
    claim, truth = world()
    land = np.ones(GRID.shape, bool)
    land[0] = False
    lon, lat = (v[1:, 2] for v in GRID.lonlat())
    sites = truth["frozen"].values[:, :, 1:, 2]
    stations = xr.Dataset(
        {"frozen": (("time", "overpass", "site"), sites)},
        coords={"time": YEAR, "overpass": [0], "site": ["a", "b", "c"], "lon": ("site", lon), "lat": ("site", lat)},
    )
    share = daily(claim, GRID, land).sel(overpass=0).values
    weights = periods_of(YEAR, np.ones(len(YEAR), bool), np.isfinite(share))
    assert set(weights) == {"heldout", "season:DJF", "season:MAM", "season:JJA", "season:SON", "2016"}
    for reference, units in ((stations, 3), (truth, 1)):
        sums = judged("unet", claim, reference, land, YEAR)
        assert sums.sizes["stratum"] == units
        parts = {str(n): sums[n].sel(overpass=0).values for n in sums.data_vars}
        found = corrected(share, YEAR, parts, YEAR, periods=weights, resamples=100)
        assert float((share * weights["2016"]).sum()) == pytest.approx(160)
        value, low, high = found.periods["2016"]
        assert value == pytest.approx(180) and low <= 180 <= high
        assert found.periods["season:DJF"] == pytest.approx((90, 90, 90))


def test_states_by_month_by_hand():
    """One day: a frozen, a thawed, two transitional, one inverse, one unknown cell of land; the rest is no land."""
    am = [0.9, 0.1, 0.9, 0.8, 0.2, np.nan]
    pm = [0.9, 0.1, 0.1, 0.5, 0.7, 0.9]
    field = np.full((2, 2, 20), np.nan, "f4")
    field[0, 0, :6], field[0, 1, :6] = am, pm
    field[1] = 1.0
    dates = days("2017-03-31", "2017-04-01")
    bits = np.zeros((2, 2, *GRID.shape), "u2") | QUALITY["open_water"]
    ds = record(field.reshape(2, 2, *GRID.shape), grid=GRID, time=dates, overpass=[0, 1], quality=bits)
    land = (np.arange(20) < 6).reshape(GRID.shape)
    counts = states_by_month(ds, land=land, days=np.array([True, True]))
    assert counts[2].tolist() == [1, 1, 2, 1, 1] and counts[3].tolist() == [6, 0, 0, 0, 0]
    assert states_by_month(ds, land=land, days=np.array([True, False])).sum() == 6


@pytest.mark.slow
def test_the_tiny_run_keeps_and_shows_them(finished):  # noqa: F811
    rows = read_json(finished / "area.json")
    assert {r["record"] for r in rows} == {"unet", "reanalysis", "climatology"}
    assert {r["against"] for r in rows} == {"stations"} and {r["overpass"] for r in rows} == {"am", "pm"}
    told = [row for row in rows if row["lo"] is not None]
    assert any(row["record"] == "unet" for row in told)
    assert all(row["value"] is None for row in rows if row["lo"] is None)  # no interval, no value
    for row in told:
        assert row["n"] > 0 and row["stations"] >= 1 and row["lo"] <= row["value"] <= row["hi"] <= row["days"] + 1e-9
        assert 0 <= row["counted"] <= row["days"] and 0 <= row["truth"] <= row["days"]
    area = load(finished / "area.nc")
    assert area.attrs["land_km2"] > 0 and (area["counted"] <= area.attrs["land_km2"] + 1e-6).all()
    assert area["corrected"].dims == ("record", "time", "overpass")
    domain = load(finished / "domain.nc")
    assert domain.attrs["rule"].startswith("5 to 360 frozen days a year by the reanalysis, 2016-04-10")
    days_a_year, inside = domain["frozen_days"].values, domain["domain"].values == 1
    assert (inside == ((days_a_year >= 5) & (days_a_year <= 360))).all() and Grid.of(domain).shape == (16, 16)
    told = {r["stratum"] for r in read_json(finished / "scores.json") if r["against"] == "stations"}
    assert "domain" in told
    text = (finished / "report.html").read_text()
    for words in ("counted and corrected for error", "States of morning and evening", "Olofsson", "twin"):
        assert words in text
    drawn = {p.stem for p in (finished / "figures").iterdir()}
    assert {"extent_corrected", "annual_quality"} <= drawn


@pytest.mark.slow
def test_the_tiny_run_exports_quality_and_both_overpasses(finished):  # noqa: F811
    land = store.open_store(finished / "stack.zarr")["land"].values == 1
    quality = load(finished / "export" / "unet_qa_2016.nc")
    assert quality["days"].values.max() == 40 and "NSIDC-0477" in quality.attrs["comment"]
    assert np.isfinite(quality["qa"].values[:, land]).all() and set(np.unique(quality["qa_class"])) <= {0, 1, 2, 3, 255}
    shares = sum(quality[name] for name in ("observed", "filled_1_2", "filled_3", "unknown"))
    np.testing.assert_allclose(shares.values, 1, atol=1e-6)
    with xr.open_dataset(finished / "export" / "unet_2016.nc", mask_and_scale=False) as ds:
        am, pm, both = ds["freeze_thaw"][:, 0].values, ds["freeze_thaw"][:, 1].values, ds["freeze_thaw_daily"].values
    assert (both[(am == 1) & (pm == 0)] == 2).all() and (both[(am == 0) & (pm == 1)] == 3).all()
    assert (both == 2).any()
    assert (finished / "export" / "unet_20160508_ampm_freeze_thaw_daily.tif").exists()
