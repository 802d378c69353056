"""What the steps share: the experiment's grid, days, folders and splits, and datasets saved for the next step."""

from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np
import xarray as xr

from frostline import clock
from frostline.config import Experiment, Gridded
from frostline.config_china import ChinaSplitTable
from frostline.config_north import NorthSplitTable
from frostline.errors import ConfigError, InputError
from frostline.grid import Grid, named
from frostline.runs import Run
from frostline.split import ROLES, Split, cell_roles, day_roles

# Each product and whom to ask for it
SOURCES = {
    "smap": "NSIDC-0738, SMAP rSIR brightness temperatures",
    "amsr2": "JAXA G-Portal, AMSR2 level 3, 0.1 degree",
    "era5": "Copernicus Climate Data Store, ERA5 hourly",
    "gldas": "NASA GES DISC, GLDAS-Noah 2.1 three-hourly",
    "dem": "USGS, GMTED2010",
    "elevation": "NASA LDAS, GLDASp4_elevation_025d",
    "landcover": "NASA LP DAAC, MCD12 with IGBP classes",
    "landmask": "NASA LDAS, GLDASp4_landmask_025d",
    "ismn": "International Soil Moisture Network",
    "uscrn": "NOAA NCEI, US Climate Reference Network",
    "stations": "a table of your own",
    "picture": "NSIDC, SMAP freeze/thaw GeoTIFF",
}
CHINA_SOURCES = {
    "smap": "NSIDC, SPL3FTP_E or SPL3FTP, SMAP freeze/thaw",
    "esdr": "NSIDC-0477, freeze/thaw Earth System Data Record",
    "era5land": "Copernicus Climate Data Store, ERA5-Land hourly",
    "imerg": "NASA GES DISC, GPM IMERG",
    "landcover": "Zenodo, CLCD land cover of China",
    "koppen": "Koeppen-Geiger climates, Kottek or Beck",
    "permafrost": "a map of your own, or TPDC's of thermal stability",
    "permafrost_codes": "a table of your own",
    "regions": "a map of your own",
    "regions_codes": "a table of your own",
    "cma": "China Meteorological Data Service Centre, daily 0 cm temperature",
    "ctp": "TPDC, CTP-SMTMN networks Naqu and Pali",
    "networks": "tables of your own",
}
GIVEN_SOURCES = {
    "uscrn": "NOAA NCEI, US Climate Reference Network, daily01",
    "basin": "a record of your own",
    "melt": "a record of your own",
}
BY_SYSTEM = {"north": SOURCES, "china": CHINA_SOURCES, "given": GIVEN_SOURCES}


def grid_of(experiment: Gridded) -> Grid:
    """The record's grid: a whole one, or the window around a point."""
    whole = named(experiment.grid.name)
    if experiment.grid.center is None or experiment.grid.shape is None:
        return whole
    return whole.around(*experiment.grid.center, experiment.grid.shape)


def days_of(experiment: Gridded) -> np.ndarray:
    """Local dates of the record, (time,) datetime64[ns]."""
    days = clock.days(experiment.period.start, experiment.period.end)
    if not len(days):
        raise ConfigError("E-CONFIG", where="period", cause="it ends before it begins")
    return days


def root_of(experiment: Experiment, run: Run) -> Path:
    """The data root, with ${RUN} as the run folder and other ${NAME} from the environment."""
    text = experiment.inputs.root

    def value(match: re.Match[str]) -> str:
        name = match[1]
        if name == "RUN":
            return str(run.folder)
        if name not in os.environ:
            raise InputError(
                "E-INPUT-MISSING",
                where=f"inputs.root = {text!r}",
                cause=f"the environment variable {name} is not set",
                remedy=f"set it to the folder that holds {_wanted(experiment)}",
            )
        return os.environ[name]

    return Path(re.sub(r"\$\{(\w+)\}", value, text)).expanduser()


def folders(experiment: Experiment, run: Run) -> dict[str, Path]:
    """Where each product that the experiment names lies; one clear line tells all that are not there."""
    root = root_of(experiment, run)
    found = {product: root / name for product, name in _named(experiment).items()}
    lost = [product for product, place in found.items() if not place.exists()]
    if lost:
        raise InputError(
            "E-INPUT-MISSING",
            where=root,
            cause="not there: "
            + "; ".join(f"{_key(p)} = {_named(experiment)[p]!r} ({sources(experiment)[p]})" for p in lost),
            remedy="run: frostline twin"
            if getattr(experiment, "twin", None)
            else "put them there or check inputs.root",
        )
    return found


def sources(experiment: Experiment) -> dict[str, str]:
    """Each product that the system knows, and whom to ask for it."""
    return BY_SYSTEM[experiment.system]


def split_of(experiment: Gridded) -> Split | None:
    """The declared split, or None when the experiment has none."""
    table = experiment.split
    if table is None:
        return None
    train, validation, heldout = (
        table.spans(role) if isinstance(table, ChinaSplitTable) else getattr(table, role) for role in ROLES
    )
    return Split(
        train=train,
        validation=validation,
        heldout=heldout,
        heldout_boxes=table.heldout_boxes,
        validation_boxes=table.validation_boxes,
        buffer_days=table.buffer_days,
        buffer_cells=table.buffer_cells,
        heldout_stations=table.heldout_stations,
        station_block=table.station_block,
        station_buffer=table.station_buffer,
        calibration_stations=table.calibration_stations if isinstance(table, NorthSplitTable) else 0.0,
    )


def roles(experiment: Gridded) -> tuple[np.ndarray, np.ndarray]:
    """Roles of days (time,) and of cells (y, x); without a split every day is held out and every cell trained."""
    split = split_of(experiment)
    grid, days = grid_of(experiment), days_of(experiment)
    if split is None:
        return np.full(len(days), "heldout"), np.full(grid.shape, "train")
    return day_roles(split, days), cell_roles(split, grid)


def save(path: Path, ds: xr.Dataset) -> None:
    """A small dataset (sites) as netCDF under a temporary name, read back, then renamed."""
    part = path.with_name(f"{path.name}.part-{os.getpid()}")
    part.parent.mkdir(parents=True, exist_ok=True)
    ds.to_netcdf(part, engine="h5netcdf")
    with xr.open_dataset(part, engine="h5netcdf") as back:
        if dict(back.sizes) != dict(ds.sizes):
            raise InputError("E-STORE", where=path, cause="what was written does not read back")
    part.replace(path)


def load(path: Path) -> xr.Dataset:
    """A dataset that `save` wrote."""
    return xr.load_dataset(path, engine="h5netcdf")


def rival_name(inputs: tuple[str, ...]) -> str:
    """What a rival net is called in scores: by its frequencies.

    >>> rival_name(("tb_36v", "tb_36h")), rival_name(("tb_1v", "tb_18v", "tb_18h"))
    ('unet_36', 'unet_1_18')
    """
    found = [re.fullmatch(r"tb_(\d+)[vh]", name) for name in inputs]
    return "unet_" + "_".join(sorted({m[1] for m in found if m}, key=int))


def _named(experiment: Experiment) -> dict[str, str]:
    """The products an experiment names, as it names them."""
    table = experiment.inputs.model_dump()
    if experiment.system == "north":
        table |= {"picture": experiment.report.picture}
    return {product: table[product] for product in sources(experiment) if table[product] is not None}


def _key(product: str) -> str:
    return "report.picture" if product == "picture" else f"inputs.{product}"


def _wanted(experiment: Experiment) -> str:
    return "; ".join(f"{name} ({sources(experiment)[product]})" for product, name in _named(experiment).items())
