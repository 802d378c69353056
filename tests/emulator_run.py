"""A run folder of the china system with an invented stack, stations and truth, shared by test_steps_*."""

import numpy as np
import xarray as xr

from frostline import store
from frostline.config import parse
from frostline.runs import Run
from frostline.schema import coordinates
from frostline.steps import shelf
from frostline.steps.common import days_of, grid_of, save

STEPPED = ("soil_temperature", "soil_moisture", "snow_depth", "precipitation")
LABELS = ("label_smap", "label_esdr", "label_reanalysis")


def experiment(**tables):
    """Two years of a few cells: the first teaches, half of the second chooses, its rest judges."""
    plain = {
        "system": "china",
        "title": "invented",
        "grid": {"name": "M09", "center": [92.0, 33.0], "shape": [8, 9]},
        "period": {"start": "2015-01-01", "end": "2016-12-31"},
        "split": {
            "train": [["2015-01-01", "2015-12-31"]],
            "validation": [["2016-01-01", "2016-08-31"]],
            "heldout": [["2016-09-11", "2016-12-31"]],
        },
        "train": {"width": 4, "epochs": 2, "crop": 8},
    }
    return parse(plain | tables)


def make_run(folder, one, *, seed=0, stations=12, bias=(1.5, -1.0, 0.5), gaps=0.4):
    """stack.zarr, sites.nc and truth.zarr: soil of a yearly wave, products that place its freezing `bias` K off.

    Biases are those of SMAP, the ESDR and the reanalysis. Two cells are no land.
    """
    run, grid, days = Run(folder, quiet=True), grid_of(one), days_of(one)
    folder.mkdir(parents=True, exist_ok=True)
    r = np.random.default_rng(seed)
    shape = (len(days), 2, *grid.shape)
    turn = 2 * np.pi * np.arange(len(days)) / 365.25
    kelvin = 273.15 - 12 * np.cos(turn)[:, None, None, None] + np.array([-2.0, 2.0])[:, None, None]
    kelvin = kelvin + r.normal(0, 3, (len(days), 2, 1, 1)) + r.normal(0, 1, (1, 1, *grid.shape))
    truth = (kelvin < 273.15).astype("float32")
    land = np.ones(grid.shape)
    land[:1, :2] = 0
    seen = kelvin + bias[2] + r.normal(0, 1, shape)
    steps = seen[:, :, None] + np.array([1.5, 1.0, 0.5])[:, None, None]
    fields = {
        "soil_temperature": steps,
        "soil_moisture": np.full_like(steps, 0.2) + 0.05 * (steps > 273.15),
        "snow_depth": np.where(steps < 268, 0.1, 0.0),
        "precipitation": np.abs(r.normal(0, 1e-3, steps.shape)),
        "overpass_temperature": seen,
    }
    for name, off in zip(LABELS, bias, strict=True):
        there = np.ones(shape, bool) if name == "label_reanalysis" else r.random(shape) > gaps
        colder = seen if name == "label_reanalysis" else kelvin + off + r.normal(0, 1.5, shape)
        fields[name] = np.where(there, colder < 273.15, np.nan)
    static = {"land": land, "terrain_std": r.uniform(20, 200, grid.shape), "water_fraction": np.zeros(grid.shape)}
    path = store.create(
        run.path("stack.zarr"),
        grid=grid,
        time=days,
        overpass=(0, 1),
        variables=("overpass_temperature", *LABELS),
        stepped=STEPPED,
        step=(3, 2, 1),
        static=static | {"land_cover_clcd": np.where(land == 1, 4, 5)},
    )
    with store.writer(path) as write:
        write(0, {name: values.astype("float32") for name, values in fields.items()})
    known = store.create(run.path("truth.zarr"), grid=grid, time=days, overpass=(0, 1), variables=("truth", "truth_t0"))
    with store.writer(known) as write:
        write(0, {"truth": truth, "truth_t0": truth})
    save(run.path("sites.nc"), _sites(grid, days, kelvin, land, r, stations))
    return run


def _sites(grid, days, kelvin, land, r, count):
    lon, lat = grid.lonlat()
    place = r.choice(np.flatnonzero(land.ravel() == 1), count, replace=False)
    soil = kelvin.reshape(*kelvin.shape[:2], -1)[..., place] + r.normal(0, 0.5, (len(days), 2, count))
    data = {
        "frozen": (("time", "overpass", "site"), (soil < 273.15).astype("float32")),
        "soil_temperature": (("time", "overpass", "site"), soil.astype("float32")),
    }
    role = np.array(["train", "train", "heldout", "network"])[np.arange(count) % 4]
    ds = coordinates(xr.Dataset(data), time=days, overpass=(0, 1))
    return ds.assign_coords(
        site=("site", [f"s{i}" for i in range(count)]),
        lon=("site", lon.ravel()[place]),
        lat=("site", lat.ravel()[place]),
        role=("site", role),
        network=("site", np.where(role == "network", "naqu", "cma")),
    )


def write_record(run, one, name, frozen, attrs=None):
    """A record of that name with the given probabilities, NaN off land; as if a network had given it."""
    stack = store.open_store(run.path("stack.zarr"))
    frozen = np.where(stack["land"].values == 1, frozen, np.nan).astype("float32")
    path = shelf.record_path(run, name)
    shelf.new_store(one, path, stack, variables=("frozen", "quality", "age"), attrs=attrs or {})
    unknown = np.isnan(frozen)
    arrays = {"frozen": frozen, "quality": np.where(unknown, 8, 0).astype("uint16")}
    with store.writer(path) as write:
        write(0, arrays | {"age": np.where(unknown, 255, 0).astype("uint8")})
    return frozen
