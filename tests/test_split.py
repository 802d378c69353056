import numpy as np
import pytest
from scipy.ndimage import maximum_filter

from frostline.errors import ConfigError
from frostline.grid import named
from frostline.split import Split, cell_roles, day_roles, station_roles

GRID = named("N09").around(140.0, 57.0, (20, 20))


def test_days_in_the_buffer_belong_to_nobody():
    split = Split(
        train=(("2015-08-01", "2017-07-31"),),
        validation=(("2017-08-01", "2018-07-31"),),
        heldout=(("2018-08-01", "2019-07-31"),),
        buffer_days=10,
    )
    days = np.arange("2015-07-01", "2019-08-02", dtype="datetime64[D]")
    roles = day_roles(split, days)
    assert (roles == "train").sum() == 731 - 10  # two years, one of them leap, less the last ten days
    assert (roles == "validation").sum() == 365 - 10
    assert (roles == "heldout").sum() == 365
    when = {r: days[roles == r] for r in ("train", "validation", "heldout")}
    assert (when["validation"].min() - when["train"].max()).astype(int) == 11
    assert (when["heldout"].min() - when["validation"].max()).astype(int) == 11


def test_overlapping_roles_are_an_error():
    with pytest.raises(ConfigError, match="share the days"):
        Split((("2016-01-01", "2017-12-31"),), (), (("2017-12-31", "2018-12-31"),))
    with pytest.raises(ConfigError, match="ends before it begins"):
        Split((("2016-01-02", "2016-01-01"),), (), ())


def test_cells_of_a_box_and_its_buffer_are_not_trained():
    split = Split((), (), (), heldout_boxes=((0, 0.75, 1, 1),), validation_boxes=((0, 0, 0.5, 0.25),), buffer_cells=2)
    roles = cell_roles(split, GRID)
    assert (roles[:, 15:] == "heldout").all()
    assert (roles[:, 13:15] == "").all()
    assert (roles[:10, :5] == "validation").all()
    assert (roles[10:12, :7] == "").all() and (roles[:12, 5:7] == "").all()
    assert (roles == "train").sum() == 20 * 13 - 12 * 7
    with pytest.raises(ConfigError, match="no cell is left"):
        cell_roles(Split((), (), (), heldout_boxes=((0, 0, 1, 1),)), GRID)
    with pytest.raises(ConfigError, match=r"within 0\.\.1"):
        cell_roles(Split((), (), (), heldout_boxes=((0, 0, 1, 2),)), GRID)


def test_stations_of_a_block_share_a_role_and_a_buffer_parts_the_roles():
    cells = np.full((40, 40), "train")
    rows, cols = (v.ravel() for v in np.mgrid[:40, :40])
    blocks = {"heldout_stations": 0.3, "calibration_stations": 0.2, "station_block": 8}
    role = station_roles(Split((), (), (), **blocks), cells, rows, cols).reshape(5, 8, 5, 8).swapaxes(1, 2)
    assert (role == role[:, :, :1, :1]).all()
    assert {*np.unique(role)} == {"train", "calibrate", "heldout"}

    apart = station_roles(Split((), (), (), station_buffer=2, **blocks), cells, rows, cols).reshape(40, 40)
    whole = role.swapaxes(1, 2).reshape(40, 40)
    assert ((apart == "heldout") == (whole == "heldout")).all()  # who judges is not changed by a buffer
    for one, others in (("heldout", ("calibrate", "train")), ("calibrate", ("train",))):
        wide = maximum_filter(apart == one, 5)
        assert not (wide & np.isin(apart, others)).any()
        assert np.isin(apart[~maximum_filter(np.isin(whole, ["heldout", "calibrate"]), 5)], "train").all()
