"""NASA's own extracts of SMAP freeze/thaw files: coordinates, Harmony's layout, layouts that are refused."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from frostline.errors import InputError
from frostline.grid import named
from frostline.read.smap import read_smap_static, smap_grids

REAL = "smap_l3_ft_nasa_harmony/"
GROUP = "Freeze_Thaw_Retrieval_Data_"


@pytest.mark.real
@pytest.mark.parametrize(
    ("file", "group", "grid", "cells"),
    [("_Polar_prefetch", "Polar", "N36", 57601), ("_prefetch", "Global", "M36", 390372)],
)
def test_real_coordinates_lie_on_our_grid(real_data, file, group, grid, cells):
    path = real_data(f"{REAL}SC_SPL3FTP_004{file}.nc4")
    assert smap_grids(path) == {group: named(grid)}
    with h5py.File(path) as f:
        lat, lon = (f[GROUP + group][n][0] for n in ("latitude", "longitude"))
    known = lat != -9999
    assert known.sum() == cells
    true_lon, true_lat = named(grid).lonlat()
    assert np.abs(lat - true_lat)[known].max() < 4e-6  # float32 of degrees below 128: 3.8e-6
    assert np.abs(lon - true_lon)[known].max() < 8e-6
    with pytest.raises(InputError, match=r"has no altitude_dem or .* \(holds longitude, latitude\)"):
        read_smap_static(path)


@pytest.mark.real
def test_real_harmony_cut(real_data):
    path = real_data(f"{REAL}SPL3FTP_subsetted.nc4")
    grids = smap_grids(path)
    assert {k: v.shape for k, v in grids.items()} == {"Global": (27, 162), "Polar": (86, 85)}
    assert grids["Polar"].offset(named("N36")) == (255, 163)
    for window in (None, grids["Polar"]):
        ds = read_smap_static(path, window=window)
        assert list(ds.data_vars) == ["elevation"] and 1500 < float(ds.elevation.max()) < 1520
    with h5py.File(path) as f:
        raw = f[GROUP + "Polar/altitude_dem"][:]
    assert int(ds.elevation.notnull().sum()) == int((raw != -9999).any(axis=0).sum())


@pytest.mark.real
def test_real_files_of_other_layouts_are_refused_in_one_line(real_data):
    with pytest.raises(InputError, match=r"older subsetter's layout"):
        smap_grids(real_data(f"{REAL}SMAP_L3_FT_P_corners_input.h5"))
    with pytest.raises(InputError, match="no group Freeze_Thaw_Retrieval_Data_Global or Polar"):
        read_smap_static(real_data(f"{REAL}SC_SPL3SMP_subsetted_without_maskfill.nc4"))
