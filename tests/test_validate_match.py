"""Common days, overpasses and cells of unequal datasets."""

import numpy as np
import pytest
import xarray as xr

from frostline.clock import days
from frostline.errors import InputError
from frostline.grid import named
from frostline.schema import record
from frostline.validate.match import at_cells, common_days, common_overpasses, matched, same_grid

GRID = named("N09").around(100.0, 60.0, (3, 4))
CELL = np.arange(12).reshape(3, 4) / 16  # every cell its own value


def made(times, *, overpass=(0, 1), grid=GRID, shift=0.0):
    values = np.broadcast_to(CELL + shift, (len(times), len(overpass), 3, 4)).astype(np.float32)
    values = values + 0.01 * np.arange(len(overpass))[:, None, None]
    return record(values, grid=grid, time=times, overpass=list(overpass))


def stations(times, lon, lat, overpass=(0,)):
    frozen = np.ones((len(times), len(overpass), len(lon)), np.float32)
    return xr.Dataset(
        {"frozen": (("time", "overpass", "site"), frozen)},
        {
            "time": times,
            "overpass": np.array(overpass, np.int8),
            "site": [f"s{i}" for i in range(len(lon))],
            "lon": ("site", lon),
            "lat": ("site", lat),
        },
    )


def test_days_and_overpasses_in_common():
    claims = {"a": made(days("2017-01-01", "2017-01-05")), "b": made(days("2017-01-03", "2017-01-09"), overpass=(1, 0))}
    truth = made(days("2016-12-01", "2017-01-04"), overpass=(2, 1))
    ((fields, known),) = list(matched(claims, truth))
    assert known["time"].values.astype("datetime64[D]").astype(str).tolist() == ["2017-01-03", "2017-01-04"]
    assert known["overpass"].values.tolist() == [1]
    np.testing.assert_allclose(fields["a"].isel(time=0, overpass=0), CELL + 0.01, atol=1e-6)
    np.testing.assert_allclose(fields["b"].isel(time=0, overpass=0), CELL, atol=1e-6)  # its PM stands first


def test_blocks_cover_the_wanted_days_once(monkeypatch):
    monkeypatch.setattr("frostline.validate.match._BLOCK_VALUES", 60)  # two days of two overpasses
    times = days("2017-01-01", "2017-01-09")
    claim = made(times).chunk(time=1)
    wanted = times[[0, 2, 3, 7, 8]]
    blocks = [truth["time"].values for _, truth in matched({"a": claim}, claim, days=wanted)]
    assert [len(b) for b in blocks] == [2, 2, 1]
    np.testing.assert_array_equal(np.concatenate(blocks), wanted)


def test_a_site_sees_the_cell_that_contains_it():
    times = days("2017-01-01", "2017-01-02")
    lon, lat = GRID.lonlat()
    sites = stations(times, [lon[2, 3], lon[0, 1], 10.0], [lat[2, 3], lat[0, 1], 10.0])
    ((fields, known),) = list(matched({"a": made(times)}, sites))
    assert fields["a"].dims == ("time", "overpass", "site") == known.dims
    np.testing.assert_allclose(fields["a"][1, 0], [CELL[2, 3], CELL[0, 1], np.nan], atol=1e-6)
    assert fields["a"]["site"].values.tolist() == ["s0", "s1", "s2"]


def test_cells_of_minus_one_are_unknown():
    found = at_cells(made(days("2017-01-01", "2017-01-01"))["frozen"], np.array([-1, 1]), np.array([-1, 0]))
    np.testing.assert_allclose(found.isel(time=0, overpass=0), [np.nan, 0.25], atol=1e-6)


def test_other_grids_are_errors():
    times = days("2017-01-01", "2017-01-01")
    moved = made(times, grid=named("N09").around(110.0, 60.0, (3, 4)))
    with pytest.raises(InputError, match="E-INPUT-GRID  b: ") as wrong:
        same_grid({"a": made(times), "b": moved})
    assert wrong.value.exit == 3
    with pytest.raises(InputError, match="E-INPUT-GRID  truth: "):
        next(matched({"a": made(times)}, moved))
    # the same cells are the same grid, whatever the window is called
    assert same_grid({"a": made(times), "b": made(times).assign_attrs(grid_name="window")}) == GRID


def test_nothing_in_common_is_an_error():
    a, b = made(days("2017-01-01", "2017-01-02")), made(days("2018-01-01", "2018-01-02"), overpass=(2,))
    with pytest.raises(InputError, match=r"no day is common.*2017-01-01\.\.2017-01-02, 2018-01-01\.\.2018-01-02"):
        common_days(a, b)
    with pytest.raises(InputError, match="no day is common"):
        common_days(a, days=np.array([], "datetime64[ns]"))
    with pytest.raises(InputError, match=r"no overpass is common.*am/pm and daily"):
        common_overpasses(a, b)
