"""Rasters of 30 arc seconds by strips: what comes out is that of the whole, and no more is read than a strip."""

import numpy as np

from frostline import regrid
from frostline.grid import named
from frostline.read import statics
from frostline.read.statics import Strips, load_elevation, load_land_cover, static_grid
from frostline.twin import write_statics
from frostline.twin.ground import make_ground

WINDOW = named("N09").around(135.0, 54.5, (5, 6))


def test_strips_give_what_the_whole_gives(tmp_path, monkeypatch):
    ground = make_ground(WINDOW, seed=4, land=np.ones(WINDOW.shape, bool))
    dem = write_statics.write_dem(tmp_path, ground=ground, grid=WINDOW)
    cover = write_statics.write_land_cover(tmp_path, ground=ground, grid=WINDOW)
    read, load = [], statics._load

    def told(name, tiles, whole, window):
        read.append(window.shape[0])
        return load(name, tiles, whole, window)

    monkeypatch.setattr(regrid, "STRIP_CELLS", 3000)
    source = static_grid([dem])
    assert source.shape[0] > 20
    with monkeypatch.context() as patch:
        patch.setattr(statics, "_load", told)
        mean, count = regrid.area_mean(Strips("elevation", [dem], source), source, WINDOW)
    most = max(1, 3000 // source.shape[1])
    assert sum(read) == source.shape[0] and max(read) == most < source.shape[0]
    whole, every = regrid.area_mean(load_elevation([dem]), source, WINDOW)
    np.testing.assert_array_equal(mean, whole)
    np.testing.assert_array_equal(count, every)
    source = static_grid([cover])
    codes = regrid.majority(Strips("land_cover", [cover], source), source, WINDOW)
    np.testing.assert_array_equal(codes, regrid.majority(load_land_cover([cover]), source, WINDOW))
