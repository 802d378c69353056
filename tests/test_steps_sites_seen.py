"""Which stations are drawn, which days, and what the tiny run shows at points."""

import numpy as np
import pytest
import xarray as xr

from drawn import said
from frostline import store
from frostline.runs import read_json
from frostline.steps import sites_seen
from frostline.steps.common import load, roles
from twin_run import assembled, experiment, run_in, scored, shared  # noqa: F401


def test_stations_by_their_changes():
    """Changes 0, 1, 3, 1 and unknown: most is the third, fewest the first, the median of four the third in order."""
    states = np.array([[0, 0, 0, 1, np.nan], [0, 1, 1, np.nan, np.nan], [0, 1, 0, 0, 1], [0, 1, 1, 0, 1]], float)
    names = ["e", "d", "c", "b", "a"]
    assert sites_seen.choose(states, names, least=3) == {2: ("most", 3), 1: ("median", 1), 0: ("fewest", 0)}
    assert sites_seen.choose(states[:, [0, 2]], names, least=3) == {1: ("most", 3), 0: ("fewest", 0)}
    assert sites_seen.choose(states[:, [3]], ["b"], least=3) == {0: ("most", 1)}
    assert sites_seen.choose(states[:, [4]], ["a"], least=3) == {0: ("most", 0)}  # half of four days
    assert sites_seen.choose(states[:1, [4]], ["a"], least=3) == {}


def test_a_whole_frost_year_is_drawn_or_what_was_held_out():
    held = {"period.start": "2016-06-01", "period.end": "2018-07-31", "export.cog": []}
    held |= {"split.train": [["2016-06-01", "2016-07-20"]], "split.validation": [["2016-07-23", "2016-07-25"]]}
    for spans, first, last in (
        ([["2016-08-01", "2018-07-31"]], "2017-08-01", "2018-07-31"),
        ([["2016-09-01", "2016-09-04"], ["2017-01-01", "2017-05-31"]], "2016-09-01", "2017-05-31"),
    ):
        found = sites_seen.drawn_days(experiment(**held, **{"split.heldout": spans})).astype("datetime64[D]")
        assert (str(found[0]), str(found[-1])) == (first, last)
        assert (np.diff(found).astype(int) == 1).all()


def test_stations_of_daily_values_draw_no_mornings(tmp_path):
    days = sites_seen.drawn_days(experiment())
    frozen = xr.DataArray(np.ones((len(days), 1, 2)), dims=("time", "overpass", "site"))
    sites = xr.Dataset({"frozen": frozen}, coords={"time": days, "overpass": [2], "site": ["a", "b"]})
    assert sites_seen.stations(experiment(), run_in(tmp_path), xr.Dataset(), {"stations": sites}) == []
    assert sites_seen.stations(experiment(), run_in(tmp_path), xr.Dataset(), {}) == []


@pytest.mark.slow
def test_the_tiny_run_at_points(scored):  # noqa: F811
    """No frost year, so no errors of dates; a series of stations, and maps whose cells are counted by hand."""
    run, settings = run_in(scored), experiment()
    assert read_json(scored / "phenology.json")["rows"] == []
    drawn = {name: (figure, caption) for name, figure, caption in sites_seen.points(settings, run)}
    assert list(drawn) == ["stations", "score_maps"]
    text = said(drawn["stations"][0])
    sites = load(scored / "sites.nc")
    names = sites["site"].values[sites["role"].values == "heldout"].tolist()
    assert "twin Earth" in text and "most changes" in text and any(name in text for name in names)
    held = roles(settings)[0] == "heldout"
    unet = store.open_store(scored / "record.zarr")["frozen"].values[held]
    stack = store.open_store(scored / "stack.zarr")
    label = np.where(stack["land"].values == 1, stack["label_reanalysis"].values[held], np.nan)
    n = (np.isfinite(unet) & np.isfinite(label)).sum(axis=(0, 1))
    some = n >= held.sum()
    assert f"Accuracy: {some.sum():,} cells, n = {n[some].sum():,} cell-days" in said(drawn["score_maps"][0])
    nothing = experiment(train=None, validate=None, classics=None, **{"predict.method": "reanalysis"})
    assert sites_seen.points(nothing, run) == []
