"""The undated SMAP map, and the SMAP extracts' own coordinates against ours."""

import h5py
import numpy as np
import pytest

from frostline.errors import InputError
from frostline.grid import Grid, named
from frostline.read.smap_map import read_smap_map

rasterio = pytest.importorskip("rasterio")


def write(path, codes, *, shift=0.0):
    grid = named("M36")
    transform = rasterio.transform.Affine(grid.step, 0, grid.left + shift, 0, -grid.step, grid.top)
    with rasterio.open(
        path, "w", driver="GTiff", height=codes.shape[0], width=codes.shape[1], count=1, dtype="uint8",
        crs="EPSG:6933", transform=transform,
    ) as raster:  # fmt: skip
        raster.write(codes, 1)
    return path


def test_codes_become_probabilities_and_the_grid_is_checked(tmp_path):
    codes = np.full((406, 964), 254, "u1")
    codes[3, 4:6] = 0, 1
    ds = read_smap_map(write(tmp_path / "a.tif", codes))
    assert Grid.of(ds) == named("M36")
    assert ds.frozen.values[3, 4:6].tolist() == [0.0, 1.0]
    assert int(np.isfinite(ds.frozen.values).sum()) == 2
    assert "time" not in ds.coords
    with pytest.raises(InputError, match="E-INPUT-GRID"):  # half a cell
        read_smap_map(write(tmp_path / "b.tif", codes, shift=18016.1))
    with pytest.raises(InputError, match="E-INPUT-GRID"):
        read_smap_map(write(tmp_path / "c.tif", codes[:100]))
    codes[0, 0] = 252  # ESDR's no data
    with pytest.raises(InputError, match=r"E-INPUT-SCHEMA .*252: 1"):
        read_smap_map(write(tmp_path / "d.tif", codes))


@pytest.mark.real
def test_the_real_map(real_data):
    frozen = read_smap_map(real_data("smap_l3_ft_nasa_harmony/SMAP_L3_FT_P_fill_uint_input.tif")).frozen.values
    assert (int((frozen == 0).sum()), int((frozen == 1).sum())) == (32352, 16790)
    lat = named("M36").lonlat()[1]
    for south, north, thawed, ice in ((30, 50, 16233, 3666), (60, 70, 3046, 6629)):
        band = (lat >= south) & (lat < north)
        assert (int((frozen[band] == 0).sum()), int((frozen[band] == 1).sum())) == (thawed, ice)


@pytest.mark.real
@pytest.mark.parametrize(
    ("name", "group", "grid"),
    [
        ("SC_SPL3FTP_004_prefetch.nc4", "Freeze_Thaw_Retrieval_Data_Global", "M36"),
        ("SC_SPL3FTP_004_Polar_prefetch.nc4", "Freeze_Thaw_Retrieval_Data_Polar", "N36"),
    ],
)
def test_real_coordinates_are_those_of_our_grids(real_data, name, group, grid):
    with h5py.File(real_data(f"smap_l3_ft_nasa_harmony/{name}")) as file:
        lat, lon = file[group]["latitude"][:], file[group]["longitude"][:]
    ours_lon, ours_lat = named(grid).lonlat()
    for overpass in range(2):
        known = lat[overpass] != -9999  # holes where the overpass saw nothing
        assert known.sum() > 10_000
        assert (known == (lon[overpass] != -9999)).all()
        np.testing.assert_allclose(lat[overpass][known], ours_lat[known], atol=2e-5)  # float32
        off = (lon[overpass][known] - ours_lon[known] + 180) % 360 - 180
        assert np.abs(off).max() < 2e-5
