"""Rows of scores.json: every number of a small world by hand."""

import json
import math

import numpy as np
import pytest
import xarray as xr

from frostline.clock import days
from frostline.errors import InputError
from frostline.grid import named, regular
from frostline.schema import record
from frostline.validate.rows import evaluate

GRID = named("N09").around(100.0, 60.0, (2, 2))
KEYS = ["record", "against", "split", "overpass", "stratum", "score", "value", "lo", "hi", "n", "n_effective", "skill"]


def made(times, values, *, grid=GRID, overpass=(0,)):
    values = np.asarray(values, np.float32)
    field = np.broadcast_to(values, (len(times), len(overpass), *grid.shape)).copy()
    return record(field, grid=grid, time=times, overpass=list(overpass))


def flags(times, where=True):
    return xr.DataArray(np.broadcast_to(where, len(times)), {"time": times}, ("time",))


def pick(rows, **wanted):
    found = [r for r in rows if all(r[k] == v for k, v in wanted.items())]
    assert len(found) == 1, (wanted, len(found))
    return found[0]


def test_every_number_of_two_days():
    """Day 1: 3 of 4 cells right; day 2: 1 of 4; climatology says .5 everywhere."""
    times = days("2017-02-28", "2017-03-01")
    truth = made(times, [[[[1, 1], [0, 0]]], [[[1, 0], [0, 0]]]])
    claim = made(times, [[[[1, 0.75], [0, 1]]], [[[0, 1], [1, 0.25]]]])
    rows = evaluate(
        {"unet": claim, "climatology": made(times, 0.5)},
        {"truth": truth},
        days={"heldout": flags(times)},
        strata={"area:heldout": np.array([[True, False], [False, False]])},
    )
    assert list(rows[0]) == KEYS
    assert {(r["split"], r["overpass"], r["against"]) for r in rows} == {("heldout", "am", "truth")}
    assert {r["stratum"] for r in rows} == {"all", "area:heldout", "season:DJF", "season:MAM"}

    def value(score, record="unet", stratum="all"):
        return pick(rows, record=record, stratum=stratum, score=score)["value"]

    # frozen truth: 1, 1 hit and .75 hit; day 2 missed -> 2 of 3; thawed truth: 0 right, 1 wrong, 1, 1 wrong, .25 right
    assert value("accuracy") == 4 / 8
    assert value("frozen_accuracy") == pytest.approx(2 / 3)
    assert value("thawed_accuracy") == pytest.approx(2 / 5)
    assert value("brier") == pytest.approx((0.0625 + 1 + 1 + 1 + 1 + 0.0625) / 8)
    assert value("brier_skill") == pytest.approx(1 - (4.125 / 8) / 0.25)
    assert value("brier_skill", "climatology") == 0
    assert value("accuracy", "climatology") == 0.5  # all ties
    assert value("accuracy", stratum="season:DJF") == 0.75
    assert value("accuracy", stratum="season:MAM") == 0.25
    assert value("accuracy_mean_of_days") == 0.5
    assert value("accuracy", stratum="area:heldout") == 0.5
    assert value("coverage") == 1
    row = pick(rows, record="unet", stratum="area:heldout", score="accuracy")
    assert row["n"] == 2 and isinstance(row["n"], int)
    assert math.isnan(row["lo"]) and math.isnan(row["hi"])  # two days say nothing of other days


def test_common_sample():
    """A cell that one record does not know is scored for none; `coverage` and `n` tell."""
    times = days("2017-02-28", "2017-02-28")
    truth = made(times, [[1, 1], [0, np.nan]])
    right, gappy = made(times, [[1, 0], [0, 1]]), made(times, [[1, np.nan], [1, 1]])
    together = evaluate({"a": right, "b": gappy}, {"truth": truth}, days={"train": flags(times)})
    assert pick(together, record="a", stratum="all", score="accuracy")["value"] == 1
    assert pick(together, record="a", stratum="all", score="accuracy")["n"] == 2
    assert pick(together, record="a", stratum="all", score="coverage")["value"] == pytest.approx(2 / 3)
    apart = evaluate({"a": right}, {"truth": truth}, days={"train": flags(times)})
    assert pick(apart, record="a", stratum="all", score="accuracy")["value"] == pytest.approx(2 / 3)
    assert not [r for r in apart if r["score"] == "brier_skill"]  # no climatology to be better than


def year(rng, wrong=0.1, overpass=(0, 1)):
    times = days("2018-01-01", "2018-12-31")
    shape = (len(times), len(overpass), 4, 5)
    grid = named("N09").around(100.0, 60.0, (4, 5))
    winter = (np.cos(2 * np.pi * (np.arange(len(times)) - 15) / 365) > 0).astype(float)
    truth = np.where(rng.random(shape) < 0.05, 1 - winter[:, None, None, None], winter[:, None, None, None])
    claim = np.where(rng.random(shape) < wrong, 1 - truth, truth)
    return (
        times,
        grid,
        made(times, truth, grid=grid, overpass=overpass),
        made(times, claim, grid=grid, overpass=overpass),
    )


def test_intervals_hold_the_value_and_blocks_of_days_change_nothing(monkeypatch):
    times, _, truth, claim = year(np.random.default_rng(0))
    arguments = {
        "days": {"validation": flags(times, times < times[40]), "heldout": flags(times, times >= times[60])},
        "strata": {"area:heldout": np.arange(20).reshape(4, 5) % 5 > 2},
        "resamples": 200,
    }
    rows = evaluate({"unet": claim}, {"truth": truth, "truth_t0": truth}, **arguments)
    for row in rows:
        if row["n"] and row["score"] in ("accuracy", "balanced_accuracy", "mcc", "f1_frozen", "brier"):
            undefined = math.isnan(row["value"])
            assert undefined or row["lo"] <= row["value"] <= row["hi"], row
    row = pick(rows, against="truth", split="heldout", overpass="pm", stratum="all", score="accuracy")
    assert row["value"] == pytest.approx(0.9, abs=0.01) and 0.005 < row["hi"] - row["lo"] < 0.03
    assert row["n"] == 305 * 20 and 200 < row["n_effective"] <= 305
    assert {r["split"] for r in rows} == {"validation", "heldout"}
    monkeypatch.setattr("frostline.validate.match._BLOCK_VALUES", 40 * 50)
    again = evaluate({"unet": claim.chunk(time=30)}, {"truth": truth, "truth_t0": truth}, **arguments)
    assert json.dumps(again) == json.dumps(rows)


def test_sites_are_pooled_and_drawn_whole():
    """Eight stations, two of them always wrong: drawing stations widens what drawing days alone would call sure."""
    times, grid, truth, _ = year(np.random.default_rng(1))
    lon, lat = grid.lonlat()
    at = [(0, 0), (0, 2), (1, 1), (1, 3), (2, 0), (2, 4), (3, 1), (3, 3)]
    values = np.stack([truth["frozen"].values[:, :, r, c] for r, c in at], axis=-1)
    values[..., :2] = 1 - values[..., :2]
    sites = xr.Dataset(
        {"frozen": (("time", "overpass", "site"), values)},
        {
            "time": times,
            "overpass": truth["overpass"],
            "lon": ("site", [lon[i] for i in at]),
            "lat": ("site", [lat[i] for i in at]),
        },
    )
    south = np.arange(4)[:, None] * np.ones(5) >= 2
    rows = evaluate(
        {"unet": truth, "climatology": made(times, 0.4, grid=grid, overpass=(0, 1))},
        {"stations": sites},
        days={"heldout": flags(times)},
        strata={"area:heldout": south},
    )
    row = pick(rows, record="unet", overpass="am", stratum="all", score="accuracy")
    assert row["value"] == pytest.approx(6 / 8) and row["n"] == 365 * 8
    assert row["lo"] < 0.5 and row["hi"] > 0.95
    south_row = pick(rows, record="unet", overpass="am", stratum="area:heldout", score="accuracy")
    assert (south_row["value"], south_row["lo"], south_row["hi"], south_row["n"]) == (1, 1, 1, 365 * 4)
    day = pick(rows, record="unet", overpass="am", stratum="season:JJA", score="accuracy_mean_of_days")
    assert day["value"] == pytest.approx(0.75) and math.isfinite(day["lo"])


def test_cells_of_a_grid_in_degrees_weigh_by_area():
    grid = regular(30.0, left=0.0, top=90.0, shape=(3, 1))  # bands of sin: 1/2... .134, .366, .5 of the hemisphere
    times = days("2017-02-28", "2017-02-28")
    truth, claim = made(times, [[1], [1], [1]], grid=grid), made(times, [[1], [0], [0]], grid=grid)
    rows = evaluate({"a": claim}, {"truth": truth}, days={"train": flags(times)})
    row = pick(rows, stratum="all", score="accuracy")
    assert row["value"] == pytest.approx(1 - np.sin(np.pi / 3)) and row["n"] == 3


def test_what_cannot_be_compared_is_an_error():
    times = days("2017-02-27", "2017-02-28")
    claim = made(times, 1.0)
    with pytest.raises(InputError, match="no day of the splits heldout"):
        evaluate({"a": claim}, {"truth": claim}, days={"heldout": flags(times, False)})
    with pytest.raises(InputError, match="E-INPUT-GRID  landcover:forest"):
        evaluate({"a": claim}, {"t": claim}, days={"s": flags(times)}, strata={"landcover:forest": np.ones((3, 3))})
    with pytest.raises(InputError, match="neither 0"):
        evaluate({"a": claim}, {"truth": made(times, 0.3)}, days={"s": flags(times)})
