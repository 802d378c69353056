"""Small records of a few cells, shared by test_fuse*."""

import numpy as np

from frostline.clock import days
from frostline.grid import named
from frostline.schema import record

GRID = named("M09").around(100.0, 35.0, (2, 3))
NAN = np.nan


def a_record(values, *, start="2016-01-01", passes=(0,), grid=GRID, **more):
    """A record with the given value per day in every cell, or the whole array."""
    values = np.asarray(values, np.float32)
    if values.ndim == 1:
        values = np.broadcast_to(values[:, None, None, None], (len(values), len(passes), *grid.shape)).copy()
    times = days(start, str(np.datetime64(start) + len(values) - 1))
    return record(values, grid=grid, time=times, overpass=passes, **more)


def first(ds, name):
    return ds[name].isel(overpass=0, y=0, x=0).values
