"""A small stack of predictors and labels that a network can learn in seconds, shared by test_learn_*."""

import numpy as np
import xarray as xr

from frostline.grid import named
from frostline.schema import coordinates

TB = ("tb_1v", "tb_1h", "tb_18v", "tb_18h", "tb_36v", "tb_36h")


def small_stack(days=40, n=16, *, seed=0, start="2016-01-01", gaps=0.1):
    """Frozen where a smooth field is below 0; every brightness temperature is a noisy line of that field."""
    r = np.random.default_rng(seed)
    time = np.datetime64(start, "ns") + np.arange(days) * np.timedelta64(1, "D")
    y, x = np.mgrid[0:n, 0:n] / n
    t = 6 * np.cos(2 * np.pi * np.arange(days) / 20)[:, None, None, None] + np.array([-1.0, 1.0])[:, None, None]
    t = t + 6 * (y - 0.5) + 2 * np.sin(6 * x) + r.normal(0, 2, (days, 2, 1, 1))
    truth = (t < 0).astype("float32")
    field, data = ("time", "overpass", "y", "x"), {}
    for k, f in enumerate((1, 18, 36)):
        gap = r.random((days, 2, n, n)) < gaps
        for p, offset in (("v", 0.0), ("h", -15.0)):
            tb = 250 + offset + (2 + k) * t + (10 - 8 * k) * truth + r.normal(0, 2, t.shape)
            data[f"tb_{f}{p}"] = (field, np.where(gap, np.nan, tb).astype("float32"))
        age = np.where(r.random(t.shape) < 0.2, 2, 0)
        data[f"age_tb_{f}"] = (field, np.where(gap, 255, age).astype("uint8"))
    land = np.ones((n, n), bool)
    land[:2, :2] = False
    station = np.full(t.shape, np.nan, "float32")
    station[..., ::5, ::5] = truth[..., ::5, ::5]
    data["label_reanalysis"] = (field, np.where(land, truth, np.nan).astype("float32"))
    data["label_station"] = (field, np.where(land, station, np.nan).astype("float32"))
    data["truth"] = (field, truth)
    data["elevation"] = (("y", "x"), (500 * y + 20 * x).astype("float32"))
    data["land"] = (("y", "x"), land)
    ds = coordinates(xr.Dataset(data), time=time, overpass=np.array([0, 1], "int8"))
    return named("N09").window(slice(700, 700 + n), slice(1300, 1300 + n)).write(ds)


def split(days, train, validation):
    """Boolean days from two half-open ranges of time indices."""
    index = np.arange(days)
    return {
        "train": (index >= train[0]) & (index < train[1]),
        "validation": (index >= validation[0]) & (index < validation[1]),
    }
