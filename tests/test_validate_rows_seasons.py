"""Rows by other seasons, of paired differences and of both overpasses: by hand."""

import numpy as np
import pytest
import xarray as xr

from frostline.clock import days, season_china
from frostline.errors import InputError
from frostline.grid import named
from frostline.schema import record
from frostline.validate.agreement import CHINA_SCORES
from frostline.validate.rows import evaluate

GRID = named("M09").around(97.0, 36.0, (2, 5))


def made(times, values, overpass=(0,)):
    field = np.broadcast_to(np.asarray(values, np.float32), (len(times), len(overpass), *GRID.shape)).copy()
    return record(field, grid=GRID, time=times, overpass=list(overpass))


def flags(times):
    return xr.DataArray(np.ones(len(times), bool), {"time": times}, ("time",))


def pick(rows, **wanted):
    found = [r for r in rows if all(r[k] == v for k, v in wanted.items())]
    assert len(found) == 1, (wanted, len(found))
    return found[0]


def test_seasons_are_those_that_are_given_and_strata_may_have_them():
    times = days("2017-01-01", "2017-12-31")
    winter = np.isin(season_china(times), ["frozen"])[:, None, None, None]
    truth = made(times, winter)
    claim = made(times, np.where(winter, np.arange(5) > 0, 0.0))  # in winter the first column is wrong
    west = np.arange(5)[None] * np.ones((2, 1)) < 2
    rows = evaluate(
        {"a": claim},
        {"truth": truth},
        days={"heldout": flags(times)},
        strata={"west": west},
        seasons=season_china,
        seasonal=("all", "west"),
        scores=CHINA_SCORES,
        resamples=20,
    )
    assert {r["score"] for r in rows} == set(CHINA_SCORES)
    value = {(r["stratum"], r["score"]): (r["value"], r["n"]) for r in rows}
    assert {s for s, _ in value} == {"all", "west"} | {
        f"{before}season:{s}" for before in ("", "west/") for s in ("frozen", "transition", "thawed")
    }
    assert value["season:frozen", "accuracy"] == (0.8, 62 * 10)
    assert value["west/season:frozen", "accuracy"] == (0.5, 62 * 4)
    assert value["west/season:frozen", "bias"][0] == -0.5
    assert value["season:transition", "thawed_accuracy"] == (1, 150 * 10)
    # a summer that is thawed throughout: no frozen accuracy, no correlation, and the count stands beside
    for score in ("frozen_accuracy", "correlation"):
        nothing, n = value["season:thawed", score]
        assert np.isnan(nothing) and n == 153 * 10
    assert value["all", "correlation"][0] == pytest.approx(1)  # the share is .8 of the truth's every day


def test_what_both_get_wrong_widens_no_difference():
    """Both err together in stormy months; `b` errs in one more cell of ten every day: the difference is .1."""
    times = days("2015-01-01", "2016-12-31")
    rng = np.random.default_rng(0)
    storm = np.repeat(rng.random(74) < 0.3, 10)[: len(times), None, None, None]
    cell = np.arange(10).reshape(2, 5)
    truth = made(times, (times.astype(int) // 86_400_000_000_000 % 2)[:, None, None, None])
    state = truth["frozen"].values
    a = made(times, np.where(storm & (cell < 6), 1 - state, state))
    b = made(times, np.where((storm & (cell < 6)) | (cell == 9), 1 - state, state))
    rows = evaluate(
        {"a": a, "b": b},
        {"truth": truth},
        days={"heldout": flags(times)},
        differences=[("a", "b"), ("b", "a")],
        resamples=100,
    )
    row = pick(rows, record="a-b", stratum="all", score="accuracy_difference")
    assert [row["value"], row["lo"], row["hi"]] == pytest.approx([0.1, 0.1, 0.1]) and row["n"] == len(times) * 10
    assert np.isnan(row["n_effective"])  # a difference that never changes tells no persistence
    assert pick(rows, record="b-a", stratum="all", score="accuracy_difference")["value"] == pytest.approx(-0.1)
    alone = pick(rows, record="a", stratum="all", score="accuracy")
    assert alone["hi"] - alone["lo"] > 0.04
    assert pick(rows, record="a-b", stratum="season:DJF", score="accuracy_difference")


def test_both_overpasses_are_pooled():
    times = days("2017-01-01", "2017-01-31")
    truth = made(times, 1.0, overpass=(0, 1))
    claim = made(times, np.array([[[0, 1, 1, 1, 1]], [[0, 0, 0, 1, 1]]]), overpass=(0, 1))
    claim["frozen"][:, 1, :, 0] = np.nan  # PM knows eight cells
    rows = evaluate({"a": claim}, {"truth": truth}, days={"heldout": flags(times)}, pooled=True, resamples=20)
    found = {r["overpass"]: (r["value"], r["n"]) for r in rows if r["score"] == "accuracy" and r["stratum"] == "all"}
    assert found == {"am": (0.8, 310), "pm": (0.5, 248), "pooled": (pytest.approx(12 / 18), 558)}
    one = evaluate({"a": claim.isel(overpass=[0])}, {"truth": truth}, days={"heldout": flags(times)}, pooled=True)
    assert {r["overpass"] for r in one} == {"am"}


def test_strata_of_sites_may_be_given_by_site():
    times = days("2017-01-01", "2017-01-31")
    lon, lat = GRID.lonlat()
    sites = xr.Dataset(
        {"frozen": (("time", "overpass", "site"), np.broadcast_to([1.0, 1.0, 0.0], (31, 1, 3)).copy())},
        {
            "time": times,
            "overpass": np.array([0], np.int8),
            "lon": ("site", lon[[0, 0, 1], [0, 0, 1]]),
            "lat": ("site", lat[[0, 0, 1], [0, 0, 1]]),
        },
    )
    masks = {"network:x": np.array([False, True, True])}  # the first and the second stand in one cell
    arguments = {"days": {"heldout": flags(times)}, "strata": masks, "resamples": 20}
    rows = evaluate({"a": made(times, 1.0)}, {"stations": sites}, **arguments)
    row = pick(rows, stratum="network:x", score="accuracy")
    assert (row["value"], row["n"]) == (0.5, 62)
    with pytest.raises(InputError, match="network:x"):
        evaluate({"a": made(times, 1.0)}, {"truth": made(times, 1.0)}, **arguments)
