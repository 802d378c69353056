"""Frozen days, onset and offset, worked out on series short enough to count on one's fingers."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

import frostline.season_blocks
from frostline.clock import days
from frostline.errors import ConfigError, InputError
from frostline.grid import Grid, named
from frostline.schema import record
from frostline.season import BOTH, EITHER, FLAGS, RULES, am_minus_pm, extent, season, yearly
from frostline.season_blocks import Rings, Rule

GRID = named("N09").around(100.0, 60.0, (1, 2))


def made(times, *passes, grid=GRID):
    """A record whose cells all hold the series of each pass."""
    values = np.stack([np.broadcast_to(np.asarray(p, np.float32), len(times)) for p in passes], axis=1)
    field = np.broadcast_to(values[:, :, None, None], (*values.shape, *grid.shape)).copy()
    return record(field, grid=grid, time=times, overpass=range(len(passes)))


def only(ds, name, **where):
    values = ds[name].sel(**where).values
    assert np.array_equal(values, np.full_like(values, values.flat[0]), equal_nan=True)
    return values.flat[0].item()


def year_of(*frozen, length=365):
    """0 and 1 over a frost year from [first, stop) days frozen."""
    series = np.zeros(length, np.float32)
    for first, stop in frozen:
        series[first:stop] = 1
    return series


TIMES = days("2016-08-01", "2017-07-31")


def test_onset_by_the_worked_series():
    """zeros(60), ones at 5, 6 and from 20 on, zeros at 24 and 31: the window from 20 holds 13 of 15."""
    series = year_of((5, 7), (20, 240))
    series[[24, 31]] = 0
    found = season(made(TIMES, series))
    assert only(found, "onset") == 20
    assert only(found, "offset") == 240 and only(found, "length") == 220
    assert only(found, "frozen_days") == 220 - 2 + 2
    # 0 1 0 1 0 1 0 1 0: thaws at 7, 24, 31, 240; freezes at 5, 20, 25, 32
    assert only(found, "transitions") == 8
    assert only(found, "flag") == 0 and only(found, "valid_days") == 365


def test_rings_find_the_onset_on_the_sixty_days_alone():
    series = year_of((5, 7), (20, 60), length=60)
    series[[24, 31]] = 0
    rings = Rings.empty((1,))
    for day, now in enumerate(series):
        rings.step(np.array([now + 1], np.uint8), day, RULES["12of15"], half=184, middle=153)
    assert rings.onset.item() == 20 and rings.offset.item() == -1


def test_three_days_in_a_row_are_enough_for_the_other_rule():
    series = year_of((5, 8), (20, 240))
    assert only(season(made(TIMES, series), rule="3days"), "onset") == 5
    assert only(season(made(TIMES, series)), "onset") == 20
    assert RULES["12of15"].unverified and not RULES["3days"].unverified
    assert "unverified" in season(made(TIMES, series)).attrs["rule"]
    assert "onset" not in season(made(TIMES, series), rule=None)


def test_a_window_opens_on_a_frozen_day_and_counts_valid_days_only():
    """From 30 on every fifth day is unknown: 12 of 15 are frozen; every third: 10 of 15."""
    for step, onset in ((5, [31.0]), (3, [np.nan])):
        series = year_of((30, 240))
        series[30:240:step] = np.nan
        np.testing.assert_equal([only(season(made(TIMES, series)), "onset")], onset)


def test_thaw_before_midwinter_that_lasts_is_the_offset():
    """December only: the first thawed window from 1 January on would say 1 January, twelve days late."""
    assert only(season(made(TIMES, year_of((122, 141)))), "offset") == 141  # 1 to 19 December


def test_thaw_in_autumn_does_not_end_the_winter_but_one_in_january_does():
    assert only(season(made(TIMES, year_of((60, 90), (110, 240)))), "offset") == 240
    assert only(season(made(TIMES, year_of((60, 170), (190, 240)))), "offset") == 170


def test_who_is_frozen_from_the_first_day_has_no_onset():
    always = season(made(TIMES, 1.0))
    assert only(always, "frozen_days") == 365 and np.isnan(only(always, "onset"))
    assert only(always, "flag") == FLAGS["always"] | FLAGS["cut"]
    never = season(made(TIMES, 0.0))
    assert only(never, "frozen_days") == 0 and np.isnan(only(never, "length"))
    assert only(never, "flag") == FLAGS["never"]
    # thawed in September, frozen again from 1 November: that is its onset
    assert only(season(made(TIMES, year_of((0, 31), (92, 365)))), "onset") == 92


def test_passes_and_what_they_have_in_common():
    """AM frozen 90..239, PM 100..229: both is PM, either is AM; where one is unknown so are both."""
    am, pm = year_of((90, 240)), year_of((100, 230))
    found = season(made(TIMES, am, pm))
    assert found["overpass"].values.tolist() == [0, 1, BOTH, EITHER]
    assert [only(found, "frozen_days", overpass=c) for c in (0, 1, BOTH, EITHER)] == [150, 130, 130, 150]
    assert [only(found, "onset", overpass=c) for c in (0, 1, BOTH, EITHER)] == [90, 100, 100, 90]
    pm[130] = np.nan
    gap = season(made(TIMES, am, pm), overpasses=[BOTH])
    assert gap["overpass"].values.tolist() == [BOTH] and only(gap, "valid_days") == 364
    assert "both" in gap["overpass"].attrs["flag_meanings"]
    assert only(gap, "frozen_days") == 130  # December: 31 x 30 / 30
    thawed = season(made(TIMES, am, year_of((100, 230))), state="thawed", rule=None)
    assert [only(thawed, "thawed_days", overpass=c) for c in (BOTH, EITHER)] == [215, 235]


def test_a_tie_is_half_a_day_and_no_transition():
    series = year_of((100, 200))
    series[150] = 0.5
    found = season(made(TIMES, series))
    assert only(found, "frozen_days") == 99.5 and only(found, "transitions") == 2


def test_months_are_filled_by_their_own_share():
    """October: 10 of 20 valid days frozen, 31 x 10/20 = 15.5; 15 of 31 valid is less than half: no number."""
    series = year_of((61, 71))
    series[81:92] = np.nan
    assert only(season(made(TIMES, series)), "frozen_days") == 15.5
    series[76:92] = np.nan
    null = season(made(TIMES, series))
    assert np.isnan([only(null, name) for name in ("frozen_days", "onset", "transitions")]).all()
    assert only(null, "flag") & FLAGS["partial"] and only(null, "days_seen") == 10
    assert only(season(made(TIMES, series), min_valid=0.4), "frozen_days") == pytest.approx(31 * 10 / 15)


def test_monthly_ratio_beats_the_plain_count_and_the_yearly_ratio():
    """149 days frozen, half of the winter's days and a tenth of the others missing: 96, 121 and 149."""
    grid = Grid("test", "EPSG:6931", 0.0, 0.0, 9000.0, (20, 20))
    rng = np.random.default_rng(1)
    truth = year_of((92, 241))  # 1 November to 29 March
    missing = np.full(365, 0.1)
    missing[122:217] = 0.5  # 1 December to 5 March
    ds = made(TIMES, truth, grid=grid)
    lost = rng.random((365, 1, *grid.shape)) < missing[:, None, None, None]
    found = season(ds.assign(frozen=ds["frozen"].where(~lost)), min_valid=0.1)
    seen, valid = found["days_seen"].mean().item(), found["valid_days"]
    assert seen == pytest.approx(96, abs=1)
    assert (found["days_seen"] / valid * 365).mean().item() == pytest.approx(121, abs=1)
    assert found["frozen_days"].mean().item() == pytest.approx(149, abs=0.6)
    assert found["frozen_days"].std().item() < 2.5


def test_a_leap_day_is_a_day_like_others():
    """January to March of 2016 are 91 days; without 29 February all 28 known days of 29 are frozen: 29 x 28 / 28."""
    times = days("2015-08-01", "2016-07-31")
    series = (np.isin(times.astype("datetime64[M]").astype(int) % 12, (0, 1, 2))).astype(np.float32)
    assert only(season(made(times, series)), "frozen_days") == 91
    series[times == np.datetime64("2016-02-29")] = np.nan
    found = season(made(times, series))
    assert only(found, "frozen_days") == 91 and only(found, "days_seen") == 90 and only(found, "transitions") == 2


def test_years_begin_where_they_are_told_to():
    times = days("2015-04-01", "2018-03-31")
    ds = made(times, (times.astype("datetime64[M]").astype(int) % 12 < 3).astype(float))  # January to March
    frost = season(ds)
    assert frost["year"].values.tolist() == [2014, 2015, 2016, 2017]
    assert only(frost, "frozen_days", year=2015) == 91 and only(frost, "onset", year=2016) == 153
    assert (frost["flag"].sel(year=[2014, 2017]) & FLAGS["partial"]).all()
    calendar = season(ds, start_month=1, rule=None)
    assert only(calendar, "frozen_days", year=2016) == 91 and only(calendar, "frozen_days", year=2017) == 90
    assert only(calendar, "flag", year=2016) == FLAGS["cut"]
    assert np.isnan(only(calendar, "frozen_days", year=2015))


def test_the_south_has_its_winter_half_a_year_later():
    times = days("2015-01-01", "2018-12-31")
    month = times.astype("datetime64[M]").astype(int) % 12
    grid = Grid("globe", "EPSG:6933", 0.0, 9000.0, 9000.0, (2, 1))
    field = np.zeros((len(times), 1, 2, 1), np.float32)
    field[:, 0, 0, 0] = np.isin(month, (11, 0, 1))
    field[:, 0, 1, 0] = np.isin(month, (5, 6, 7))
    ds = record(field, grid=grid, time=times, overpass=[0])
    found = season(ds, south=[[False], [True]])
    whole = found.sel(year=2016).isel(overpass=0, x=0)
    assert whole["frozen_days"].values.tolist() == [90, 92] and whole["onset"].values.tolist() == [122, 121]
    assert found["year"].values.tolist() == [2014, 2015, 2016, 2017, 2018]
    assert found["flag"].dtype == np.uint8 and (found["flag"].sel(year=2014) & FLAGS["partial"]).all()
    assert "south" in found.attrs["year_begins"]
    xr.testing.assert_equal(season(ds, south=np.ones((2, 1), bool)), season(ds, start_month=2))


def test_a_record_of_some_months_is_asked_for_those():
    """A melt record of October to April, every second day: the state is thaw, the months are given."""
    month = TIMES.astype("datetime64[M]").astype(int) % 12 + 1
    series = np.where(np.isin(month, (12, 1)), 0.0, 1.0)
    kept = np.isin(month, (10, 11, 12, 1, 2, 3, 4)) & (np.arange(365) % 2 == 0)
    ds = made(TIMES[kept], series[kept])
    options = {"state": "thawed", "months": (10, 11, 12, 1, 2, 3, 4), "rule": "3days"}
    found = season(ds, **options, min_valid=0.45)
    assert only(found, "thawed_days") == 62 and only(found, "days_seen") == 31
    assert only(found, "flag") == 0 and found.attrs["months"] == "10 11 12 1 2 3 4"
    assert np.isnan(only(found, "onset"))  # no three days in a row: no made-up day
    assert np.isnan(only(season(ds, **options), "thawed_days"))


def test_sites_and_other_cells_go_through_the_same_lines():
    series = np.stack([year_of((100, 200)), year_of((90, 210))], axis=1)[:, None]
    ds = xr.Dataset({"frozen": (("time", "overpass", "site"), series)}, {"time": TIMES, "overpass": [2]})
    ds = ds.assign_coords(lon=("site", [1.0, 2.0]))
    found = season(ds)
    assert found["length"].dims == ("year", "overpass", "site")
    assert found["length"].values.tolist() == [[[100.0, 120.0]]] and found["lon"].values.tolist() == [1.0, 2.0]


def test_blocks_and_missing_dates_change_nothing(monkeypatch):
    series = year_of((90, 240))
    series[[10, 130, 131]] = np.nan
    whole = season(made(TIMES, series, series))
    monkeypatch.setattr(frostline.season_blocks, "_BLOCK_VALUES", 7)
    xr.testing.assert_identical(season(made(TIMES, series, series)), whole)
    known = ~np.isnan(series)
    xr.testing.assert_identical(season(made(TIMES[known], series[known], series[known])), whole)
    assert Grid.of(whole) == GRID


def test_only_one_year_is_held(monkeypatch):
    times = days("2010-08-01", "2014-07-31")
    asked = []
    original = frostline.season_blocks.one_year
    monkeypatch.setattr(
        "frostline.season.one_year", lambda part, **o: asked.append(part.sizes["time"]) or original(part, **o)
    )
    years = yearly(made(times, 0.0))
    assert next(years).sizes["year"] == 1 and asked == [365]
    assert len(list(years)) == 3 and asked == [365, 366, 365, 365]


def test_area_frozen_and_thawed():
    ds = record(
        np.array([[[[1.0, 0.5]], [[0.0, np.nan]]]], np.float32), grid=GRID, time=["2016-08-01"], overpass=[0, 1]
    )
    found = extent(ds, area=[[2.0, 3.0]], within=True)
    assert found["frozen"].values.tolist() == [[3.5, 0.0]]
    assert found["thawed"].values.tolist() == [[1.5, 2.0]] and found["unknown"].values.tolist() == [[0.0, 3.0]]
    assert extent(ds, area=1.0, within=[[True, False]])["frozen"].values.tolist() == [[1.0, 0.0]]


def test_am_is_longer_than_pm():
    """Cells: AM-PM +10 and +20 -> 15 where both years are known; -5; unknown. Mean absolute 10, half of them longer."""
    values = np.array([[[110.0, 95, 1], [100, 100, np.nan]], [[120, 95, 1], [100, 100, np.nan]]])
    days_ = xr.DataArray(values, {"year": [1, 2], "overpass": [0, 1]}, ("year", "overpass", "x"))
    field, numbers = am_minus_pm(days_)
    assert field.values[:2].tolist() == [15.0, -5.0] and np.isnan(field.values[2])
    assert numbers == {"mean_absolute": 10.0, "sd_absolute": 5.0, "am_longer": 0.5, "cells": 2}
    assert am_minus_pm(days_, weights=[1, 3, 1])[1]["am_longer"] == 0.25
    assert np.isnan(am_minus_pm(days_ * np.nan)[1]["mean_absolute"])


@settings(max_examples=25, deadline=None)
@given(st.lists(st.sampled_from([0.0, 0.0, 1.0, 1.0, 0.5, np.nan]), min_size=73, max_size=73), st.integers(1, 16))
def test_onset_comes_before_offset_and_days_lie_within_the_year(knots, least):
    series = np.repeat(np.array(knots, np.float32), 5)
    rings = Rings.empty((1,))
    for day, p in enumerate(series):
        now = np.array([(p < 0.5) + 2 * (p > 0.5)], np.uint8)
        rings.step(now, day, Rule(16, least), half=184, middle=153)
    onset, offset = rings.onset.item(), rings.offset.item()
    assert -1 <= onset < 184 and (offset == -1 or 0 <= onset < offset <= 365 - 16)
    if onset >= 0:
        assert series[onset] == 1
    found = season(made(TIMES, series), min_valid=0.01)
    counted, seen = only(found, "frozen_days"), only(found, "days_seen")
    assert np.isnan(counted) or seen - 1e-3 <= counted <= 365


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"state": "wet"}, "state"),
        ({"rule": "7days"}, "rule"),
        ({"start_month": 13}, "start_month"),
        ({"months": ()}, "months"),
        ({"min_valid": 0.0}, "min_valid"),
        ({"overpasses": [1]}, "overpasses"),
    ],
)
def test_options_out_of_range_are_refused(options, what):
    with pytest.raises(ConfigError, match=what):
        season(made(TIMES, 0.0), **options)


def test_dates_that_do_not_rise_are_refused():
    ds = made(TIMES[:3], 0.0)
    with pytest.raises(InputError, match="rise"):
        season(ds.isel(time=[0, 2, 1]))
