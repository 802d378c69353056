"""A small stack whose predictors have steps before the overpass, shared by test_learn_sequences and _convlstm."""

import numpy as np
import xarray as xr

from frostline.grid import named
from frostline.schema import coordinates

INPUTS = ("soil_temperature", "soil_moisture", "snow_depth", "precipitation")
STATICS = ("terrain_std", "water_fraction")


def step_stack(days=24, n=12, *, steps=3, seed=0, gaps=0.3, labelled=True):
    """Frozen where the temperature falls from step to step; its level, and any one step alone, says nothing."""
    r = np.random.default_rng(seed)
    time = np.datetime64("2015-12-01", "ns") + np.arange(days) * np.timedelta64(1, "D")
    shape, field, stepped = (days, 2, n, n), ("time", "overpass", "y", "x"), ("time", "overpass", "step", "y", "x")
    wave = np.sin(np.arange(n) / 2 + r.uniform(0, 6, (days, 2, 1, 1)))
    slope = np.where(wave + wave.transpose(0, 1, 3, 2) > 0, 1.5, -1.5)
    level = 273 + r.normal(0, 5, (days, 2, 1, 1)) + r.normal(0, 1, shape)
    k = np.arange(steps)[:, None, None] - (steps - 1) / 2
    noise = {name: r.normal(0.2, 0.05, (days, 2, steps, n, n)).astype("float32") for name in INPUTS[1:]}
    data = {"soil_temperature": (stepped, (level[:, :, None] + k * slope[:, :, None]).astype("float32"))}
    data |= {name: (stepped, values) for name, values in noise.items()}
    truth = (slope < 0).astype("float32")
    land = np.ones((n, n), bool)
    land[:2, :2] = False
    for product in ("smap", "esdr") if labelled else ():
        claim = truth if product == "smap" else 1 - truth  # two products that never agree
        seen = (r.random(shape) > gaps) & land
        data[f"label_{product}"] = (field, np.where(seen, claim, np.nan).astype("float32"))
    y, x = np.mgrid[0:n, 0:n]
    data |= {
        "truth": (field, truth),
        "terrain_std": (("y", "x"), (20.0 * y + 5 * x).astype("float32")),
        "water_fraction": (("y", "x"), (x / (4.0 * n)).astype("float32")),
        "land": (("y", "x"), land),
    }
    ds = coordinates(xr.Dataset(data), time=time, overpass=np.array([0, 1], "int8"))
    ds = ds.assign_coords(step=("step", np.arange(steps, 0, -1)))  # hours before the overpass, oldest first
    return named("M09").window(slice(300, 300 + n), slice(2900, 2900 + n)).write(ds)
