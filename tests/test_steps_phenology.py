"""Seasons at held-out stations: which days and stations count, what is left out, and the table of the report."""

import numpy as np
import pytest
import xarray as xr

from frostline.clock import days
from frostline.grid import named
from frostline.runs import read_json
from frostline.schema import record
from frostline.steps import phenology
from twin_run import experiment, run_in

GRID = named("N09").around(120.0, 58.0, (2, 2))
TIME = days("2016-06-01", "2018-07-31")
HELD = {
    "period.start": "2016-06-01", "period.end": "2018-07-31", "report.days": None, "export.cog": [],
    "split.train": [["2016-06-01", "2016-07-20"]], "split.validation": [["2016-07-23", "2016-07-25"]],
    "split.heldout": [["2016-08-01", "2017-07-31"], ["2017-08-10", "2018-03-31"]],
}  # fmt: skip


def winter(first, length):
    """Frozen for `length` days from `first` (MM-DD) of each year's autumn on, (time,)."""
    begins = [np.datetime64(f"{y}-{first}") for y in (2016, 2017)]
    since = TIME.astype("datetime64[D]")[:, None] - np.array(begins)
    return ((since.astype(int) >= 0) & (since.astype(int) < length)).any(axis=1).astype("f4")


def everywhere(series):
    field = np.broadcast_to(series[:, None, None, None], (len(TIME), 2, 2, 2)).copy()
    return record(field, grid=GRID, time=TIME, overpass=[0, 1])


@pytest.fixture
def made(tmp_path):
    """Three stations frozen for 150 days from 20 October on; one has a gap of 40 days, one never freezes."""
    frozen = np.repeat(winter("10-20", 150)[:, None, None], 2, axis=1).repeat(4, axis=2)
    frozen[100:140, :, 1] = np.nan
    frozen[:, :, 2] = 0
    lon, lat = (v.ravel() for v in GRID.lonlat())
    sites = xr.Dataset(
        {"frozen": (("time", "overpass", "site"), frozen)},
        coords={"time": TIME, "overpass": np.array([0, 1], "int8"), "site": list("abcd"),
                "lon": ("site", lon), "lat": ("site", lat)},
    )  # fmt: skip
    records = {"unet": everywhere(winter("10-23", 150)), "climatology": everywhere(winter("10-14", 160))}
    return experiment(**HELD), run_in(tmp_path), records, {"stations": sites, "truth": everywhere(winter("10-20", 150))}


def test_errors_in_days_by_hand(made):
    """The net freezes 3 days late and as long; climatology 6 days early, for 10 days more: its end is 4 days late."""
    found = phenology.phenology(*made, [])
    assert found["years"] == [2016]  # of the second winter only 234 days are held out
    counts = {"measured": 4, "too_few_days": 1, "no_onset": 1}
    assert found["station_years"] == {"am": counts, "pm": counts}
    value = {(r["record"], r["measure"], r["score"]): r["value"] for r in found["rows"] if r["overpass"] == "pm"}
    for name, onset, length in (("unet", 3, 0), ("climatology", -6, 10), ("truth", 0, 0)):
        assert value[name, "onset", "mean_error"] == onset and value[name, "offset", "median_error"] == onset + length
        assert value[name, "length", "rmse"] == abs(length)
        assert value[name, "onset", "rmse_skill"] == 1 - abs(onset) / 6
    assert {(r["n"], r["stations"]) for r in found["rows"]} == {(2, 2)}
    assert all(r["lo"] is not None and r["split"] == "heldout" for r in found["rows"])
    assert read_json(made[1].path("phenology.json")) == found
    (sheet,) = phenology.sheets(made[1])
    assert len(sheet.lines) == 2 * 3 * 3 and all(len(line) == len(sheet.head) for line in sheet.lines)
    assert ["onset of freeze", "AM", "U-Net", "+3.0 [+3.0, +3.0]", "3.0 [3.0, 3.0]", "+3.0 [+3.0, +3.0]",
            "+0.50 [+0.50, +0.50]", "2", "2", "0"] in sheet.lines  # fmt: skip
    assert "2016/17" in sheet.note and "of 4 station-years 1 have fewer, 1 of the rest no onset" in sheet.note
    assert "thermometer at a point" in sheet.note


def test_days_that_a_record_lacks_are_taken_from_all(made):
    """Without 36 mornings of the net no station-year has 330 common days; evenings are as they were."""
    made[2]["unet"]["frozen"][dict(time=slice(62, 98), overpass=0)] = np.nan
    found = phenology.phenology(*made, ["a leak"])
    assert found["station_years"]["am"] == {"measured": 4, "too_few_days": 4, "no_onset": 0}
    assert {r["overpass"] for r in found["rows"]} == {"pm"}
    assert all(r["leak"] is True for r in found["rows"])


@pytest.mark.parametrize("lacking", ["stations", "years", "records"])
def test_without_stations_a_held_out_year_or_records_there_is_no_row(made, lacking):
    settings, run, records, truths = made
    if lacking == "years":
        settings = experiment()
    found = phenology.phenology(settings, run, {} if lacking == "records" else records,
                                {} if lacking in ("stations", "records") else truths, [])  # fmt: skip
    assert found["rows"] == [] and phenology.sheets(run) == []
    assert read_json(run.path("phenology.json"))["least_days"] == 330
