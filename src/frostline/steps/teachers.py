"""What teaches the net: labels of soil temperatures for training alone, beside the states that choose and judge."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import xarray as xr

from frostline import labels, store
from frostline.config_north import LabelsTable, North
from frostline.runs import Run
from frostline.steps.common import grid_of, load
from frostline.teaching import teaching

STATES, TEACHERS = "label", "teacher"  # <this>_reanalysis, <this>_station


def with_teachers(experiment: North, run: Run, stack: xr.Dataset) -> tuple[xr.Dataset, str]:
    """The stack, and by what name its variables teach: `label`, its states, or `teacher`, labels added to it lazily.

    `teacher_reanalysis` and `teacher_station` (time, overpass, y, x) in [0, 1], NaN where nothing is taught, of the
    stack's soil temperature and of that of the training stations. They are nowhere on disk: the stack keeps states,
    so that `[labels]` soft, band and freezing ask for another training, not for another stack.
    """
    make = maker(experiment.labels)
    if make is None:
        return stack, STATES
    lazy, added = store.open_store(run.path("stack.zarr"), chunks={}), {}
    if "soil_temperature" in lazy:
        added["reanalysis"] = lazy["soil_temperature"]
    if "label_station" in lazy:
        sites = load(run.path("sites.nc"))
        taught = sites.isel(site=np.flatnonzero(sites["role"].values == "train"))
        taught = taught.sel(time=stack["time"].values, overpass=stack["overpass"].values)
        cells = labels.to_cells(taught, grid_of(experiment), threshold=experiment.labels.threshold)
        added["station"] = cells["soil_temperature"]
    made = {
        f"{TEACHERS}_{source}": xr.apply_ufunc(
            make, kelvin.variable, dask="parallelized", output_dtypes=[np.float32], keep_attrs=False
        )
        for source, kelvin in added.items()
    }
    return stack.assign(made), TEACHERS


def maker(table: LabelsTable) -> Callable[[np.ndarray], np.ndarray] | None:
    """What turns temperatures (K) into the labels that an experiment teaches; None where these are its states."""
    if table.soft == 0 and table.band == 0 and table.freezing is None:
        return None
    return partial(teaching, threshold=table.threshold, soft=table.soft, band=table.band, freezing=table.freezing)
