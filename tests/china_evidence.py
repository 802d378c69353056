"""A run folder of the china system whose records err by order: for the steps that judge, no net in sight."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from frostline import store
from frostline.clock import days
from frostline.config import parse
from frostline.config_china import China
from frostline.runs import Run
from frostline.steps.common import grid_of, save

SHAPE = (6, 10)
PERIOD = ("2015-01-01", "2016-12-31")
WRONG = {"record": 0.05, "record_literal3": 0.06, "record_convlstm_smap": 0.08, "record_convlstm_esdr": 0.1}
TABLES: dict[str, Any] = {
    "system": "china",
    "title": "evidence",
    "grid": {"name": "M09", "center": [97.0, 36.0], "shape": list(SHAPE)},
    "period": {"start": PERIOD[0], "end": PERIOD[1]},
    "split": {
        "train": [["2015-01-01", "2015-09-30"]],
        "validation": [["2015-10-01", "2015-12-31"]],
        "heldout": [["2016-01-01", "2016-12-31"]],
        "buffer_days": 0,
    },
    "fuse": {"compare": ["literal3"]},
    "validate": {"resamples": 60},
    "collocate": {"resamples": 60},
}


def experiment(**tables: Any) -> China:
    """The experiment of this folder, with other tables in place of these."""
    found = parse({**TABLES, **tables})
    assert isinstance(found, China)
    return found


def make(folder: Path, *, twin: bool = True, seed: int = 0) -> Run:
    """A truth with winters, six records, labels with gaps, twelve stations and two networks."""
    run, grid, times = Run(folder), grid_of(experiment()), days(*PERIOD)
    rng = np.random.default_rng(seed)
    phase = (times - times.astype("datetime64[Y]")) / np.timedelta64(1, "D") - 15
    size = (len(times), 2, *SHAPE)
    celsius = (4 - 12 * np.cos(2 * np.pi * phase / 365.25))[:, None, None, None] + np.array([-3.0, 3.0])[:, None, None]
    celsius = celsius + rng.normal(0, 2.5, (len(times), 1, 1, 1)) + rng.normal(0, 3, size)
    truth = (celsius < 0).astype(np.float32)

    def erring(share: float) -> np.ndarray:
        return np.where(rng.random(size) < share, 1 - truth, truth)

    def write(name: str, variables: dict[str, np.ndarray], static: dict[str, np.ndarray] | None = None) -> None:
        path = store.create(
            run.path(name), grid=grid, time=times, overpass=[0, 1], variables=list(variables), static=static
        )
        with store.writer(path) as put:
            put(0, variables)

    if twin:
        write("truth.zarr", {"truth": truth, "truth_t0": truth})
    smap = np.where(rng.random(size) < 0.3, np.nan, erring(0.15))
    smap[times < np.datetime64("2015-04-01")] = np.nan
    esdr = erring(0.12)
    esdr[:, :, 4, 7] = np.nan  # the cell of network pali
    col = np.broadcast_to(np.arange(SHAPE[1]), SHAPE)
    write(
        "stack.zarr",
        {"label_smap": smap, "label_esdr": esdr, "label_reanalysis": erring(0.09)},
        {
            "land": (col > 0).astype(float),
            "land_cover_clcd": np.choose(col // 2, [1, 2, 4, 7, 8]).astype(float),
            "climate": np.where(col < 5, 5.0, 29.0),  # BWk, ET
            "terrain_std": 60.0 * col,
        },
    )
    for name, share in WRONG.items():
        write(f"{name}.zarr", {"frozen": np.where(col > 0, 0.1 + 0.8 * erring(share), np.nan)})
    lon, lat = grid.lonlat()
    rows = np.array([*rng.integers(0, SHAPE[0], 12), 1, 1, 1, 4, 4, 0])
    cols = np.array([*rng.integers(1, SHAPE[1], 12), 2, 2, 2, 7, 7, 0])
    at = celsius[:, :, rows, cols] + rng.normal(0, 0.5, (len(times), 2, len(rows)))
    away = np.where(np.arange(len(rows)) == len(rows) - 1, 30.0, 0.0)  # the last one stands outside
    sites = xr.Dataset(
        {
            "frozen": (("time", "overpass", "site"), (at < 0).astype(np.float32)),
            "soil_temperature": (("time", "overpass", "site"), (at + 273.15).astype(np.float32)),
        },
        {
            "time": times,
            "overpass": np.array([0, 1], np.int8),
            "site": [f"s{i}" for i in range(len(rows))],
            "lon": ("site", lon[rows, cols] + away),
            "lat": ("site", lat[rows, cols]),
            "network": ("site", ["cma"] * 12 + ["naqu"] * 3 + ["pali"] * 2 + ["genhe"]),
            "role": ("site", ["heldout"] * 8 + ["train"] * 4 + ["network"] * 6),
        },
    )
    save(run.path("sites.nc"), sites)
    return run
