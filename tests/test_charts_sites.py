"""Figures of stations and maps of scores say what they are given."""

import numpy as np
import pytest

from drawn import GRID, LAND, field, picture, said, share
from frostline.charts_sites import Site, date_errors, site_panels
from frostline.clock import days
from frostline.figures_evidence import ScoreMap, score_maps
from frostline.maps import FROZEN, THAWED, UNKNOWN

# matplotlib only warns when axes have collapsed to nothing
pytestmark = pytest.mark.filterwarnings("error::UserWarning")
TIME = days("2019-08-01", "2020-07-31")
WINTER = ((np.arange(366) > 80) & (np.arange(366) < 250)).astype(float)


def site(title="S", **kept):
    gone = WINTER.copy()
    gone[300:330] = np.nan
    chance = {"am": np.where(WINTER > 0, 0.9, 0.1), "pm": np.where(np.arange(366) < 5, 0.7, np.where(WINTER, 0.8, 0.5))}
    states = {"am": gone, "pm": WINTER}
    return Site(title, 273.15 + 10 - 20 * WINTER, chance, states, {"record": chance["am"], "station": gone} | kept)


def test_three_stations_tell_what_they_got_wrong():
    """AM: nothing wrong on 366 - 30 days. PM: five wrong, and ties (0.5) are not judged: 169 + 5 days."""
    fig = site_panels(TIME, [site("one"), site("two", reanalysis=WINTER), site("three")], note="twin Earth")
    text = said(fig)
    for name in ("one", "two", "three"):
        assert f"{name}; wrong AM 0 of 336 days, PM 5 of 174 days" in text
    for words in ("P(frozen) AM", "soil (°C)", "reanalysis", "PM called wrong", "unknown", "twin Earth"):
        assert words in text
    image = picture(fig)
    assert share(image, FROZEN) > 0.02 and share(image, THAWED) > 0.02 and share(image, UNKNOWN) > 0.0005
    with pytest.raises(ValueError, match="one or more"):
        site_panels(TIME, [])


def test_a_station_that_knows_nothing_is_drawn():
    nothing = np.full(366, np.nan)
    one = Site("none", nothing, {"am": nothing}, {"am": nothing}, {"record": nothing})
    assert "none; wrong AM 0 of 0 days" in said(site_panels(TIME, [one]))


def rows():
    out = []
    for record, late in (("unet", 2.0), ("climatology", -7.0), ("another", 1.0)):
        for overpass in ("am", "pm"):
            for score, value in (("mean_error", late), ("rmse", 9.4)):
                out.append({"record": record, "overpass": overpass, "measure": "onset", "score": score, "value": value,
                            "lo": value - 1, "hi": value + 1, "n": 40})  # fmt: skip
    return out


def test_errors_in_days_stand_with_interval_and_n():
    text = said(date_errors(rows()))
    assert "onset of freeze, n = 40" in text and "RMSE 9 [8, 10]" in text and "end of freeze" not in text
    assert "U-Net" in text and "climatology (labels)" in text and "another" not in text
    hidden = [r | ({"lo": None} if r["record"] == "unet" else {}) for r in rows()]
    assert "U-Net" not in said(date_errors(hidden))
    assert said(date_errors([]))


def test_maps_of_scores_tell_what_they_stand_on():
    values = np.where(LAND, field(1), np.nan)
    known = np.isfinite(values)
    one = ScoreMap("Accuracy", "share", values, np.full(GRID.shape, 10.0), [0.5, np.nan, 1.0], [7.0, 0.0, 8.0], True)
    two = ScoreMap("Brier score", "error", values * np.nan, np.zeros(GRID.shape), [], [], False)
    lon, lat = (v.ravel()[[20, 40, 60]] for v in GRID.lonlat())
    fig = score_maps(GRID, [one], lon=lon, lat=lat, land=LAND, against="the reanalysis", note="twin Earth")
    text = said(fig)
    assert f"Accuracy: {known.sum():,} cells, n = {10 * known.sum():,} cell-days\n2 stations, n = 15 cell-days" in text
    assert "cells, against the reanalysis" in text and "twin Earth" in text
    empty = score_maps(GRID, [two], lon=[], lat=[], land=LAND, against="the reanalysis")
    assert "Brier score: nothing known" in said(empty)
