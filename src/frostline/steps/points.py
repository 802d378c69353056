"""The verb that asks a record at points: finds the record, reads the list of sites, writes the table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import xarray as xr

from frostline import store
from frostline.clock import OVERPASS_NAMES
from frostline.errors import InputError
from frostline.export_table import check_suffix, write_table
from frostline.extract import extract, locate
from frostline.grid import Grid
from frostline.read.exported import read_exported
from frostline.read.site_list import read_site_list

MAIN = ("record.zarr", "record_reanalysis.zarr")  # of a run folder: the net's or the fused record, or the only one


class Extracted(NamedTuple):
    """What came of it: rows written, sites asked, names of those outside the grid."""

    rows: int
    sites: int
    outside: list[str]


def extract_points(
    record: Path,
    sites: Path,
    out: Path,
    *,
    start: str | None = None,
    end: str | None = None,
    overpasses: Sequence[str] = (),
) -> Extracted:
    """Write a record at the sites of a list to `out`, CSV or Parquet (see `extract.extract` for the columns)."""
    check_suffix(out)
    names, lon, lat = read_site_list(sites)
    ds = open_record(record)
    codes = [code for code, name in OVERPASS_NAMES.items() if name in overpasses]
    tables = extract(
        ds, names=names.tolist(), lon=lon, lat=lat, start=start, end=end, overpasses=codes if overpasses else None
    )
    outside = names[locate(Grid.of(ds), lon, lat).row < 0].tolist()
    return Extracted(write_table(tables, out), len(names), outside)


def open_record(path: Path) -> xr.Dataset:
    """The record of a store, of an exported netCDF file, or the main one of a run folder; lazily.

    Raises InputError E-STORE where there is none, and those of the readers.
    """
    if path.is_file() or path.suffix == ".nc":
        return read_exported(path)
    if not (path / "zarr.json").exists():
        found = [path / name for name in MAIN if (path / name).is_dir()]
        if not found:
            cause = f"neither a record store, nor an exported file, nor a run folder with {' or '.join(MAIN)}"
            raise InputError("E-STORE", where=path, cause=cause, remedy="run: frostline predict")
        path = found[0]
    ds = store.open_store(path)
    kept = [name for name in ("frozen", "quality", "age") if name in ds]
    if "frozen" not in kept:
        raise InputError("E-STORE", where=path, cause="this store is no record", remedy="give record.zarr")
    return ds[kept]
