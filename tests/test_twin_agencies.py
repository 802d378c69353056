"""The twin's deliveries: which files there are, on which day, and what a cell becomes on the agencies' grids."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import h5py
import numpy as np
import pytest
import xarray as xr

from frostline.clock import utc_to_solar
from frostline.errors import DiskError
from frostline.grid import named, regular
from frostline.twin.agencies import _Boxes, _Eqr, deliver

N09 = named("N09")
GRID = N09.around(125.0, 62.0, (24, 24))
FIRST = np.datetime64("2016-01-30")
DAYS = 4
EQR = regular(0.1, left=0.0, top=90.0)
CHANNELS = ("tb_1v", "tb_1h", "tb_18v", "tb_18h", "tb_36v", "tb_36h")


def ramp(grid=GRID) -> np.ndarray:
    """A field linear in the projected coordinates, so that bilinear interpolation is exact."""
    row, col = np.indices(grid.shape)
    return (200.0 + 1.5 * row + 0.5 * col).astype(np.float32)


def blocks(grid=GRID, size=2):
    """Days of one value a day on top of the ramp; PM of day 1 unseen by SMAP, 36 GHz unseen on day 2."""
    for k in range(0, DAYS, size):
        days = np.arange(k, min(k + size, DAYS))
        base = ramp(grid)[None, None] + days[:, None, None, None] + np.array([0.0, 0.25])[None, :, None, None]
        data = {name: base.astype(np.float32) for name in CHANNELS}
        data = {name: values.copy() for name, values in data.items()}
        for i, day in enumerate(days):
            if day == 1:
                data["tb_1v"][i, 1] = data["tb_1h"][i, 1] = np.nan
            if day == 2:
                data["tb_36v"][i] = data["tb_36h"][i] = np.nan
        data["tb_1v"][:, 0, :5] = data["tb_1h"][:, 0, :5] = np.nan
        data["tb_time_1"] = np.full(base.shape, -140.0, np.float32)
        dims = ("time", "overpass", "y", "x")
        coords = {"time": (FIRST + days).astype("datetime64[ns]"), "overpass": np.array([0, 1], np.int8)}
        yield xr.Dataset({n: (dims, v) for n, v in data.items()}, coords=coords)


def hourly(grid=GRID):
    for k in range(DAYS):
        hours = np.arange(24) * np.timedelta64(1, "h") + (FIRST + k).astype("datetime64[ns]")
        shape = (24, *grid.shape)
        soil = np.broadcast_to(ramp(grid), shape) + np.arange(24)[:, None, None]
        dims = ("time", "y", "x")
        yield xr.Dataset(
            {
                "soil_temperature": (dims, soil),
                "air_temperature": (dims, soil - 3.0),
                "snow_depth": (dims, np.full(shape, 0.4)),
            },
            coords={"time": hours},
        )


def ground(grid=GRID) -> xr.Dataset:
    layers = {"elevation": ramp(grid), "terrain_std": ramp(grid) / 4, "land_cover": np.full(grid.shape, 5)}
    return xr.Dataset({n: (("y", "x"), v) for n, v in layers.items()})


SITES = {
    "lon": [124.5, 125.0, 125.2],
    "lat": [62.0, 62.1, 61.9],
    "elevation": [100.0, 200.0, 300.0],
    "depth": [0.05, 0.05, 0.05],
    "network": ["TWIN", "TWIN", "USCRN"],
    "station": ["a", "b_c", "AK_d"],
}


def series():
    for ds in hourly():
        yield ds["time"].values, 270.0 + np.arange(3) + np.zeros((24, 1))


def delivered(out, grid=GRID, **options):
    given = {
        "blocks": blocks(grid),
        "hourly": hourly(grid),
        "ground": ground(grid),
        "grid": grid,
        "sites": SITES,
        "site_series": series(),
    }
    return deliver(out, **{**given, **options})


def names(folder: Path) -> set[str]:
    return {p.name for p in folder.iterdir()}


def digests(out: Path) -> dict[str, str]:
    files = (p for p in out.rglob("*") if p.is_file())
    return {p.relative_to(out).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


@pytest.fixture(scope="module")
def out(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("agencies")
    folder.joinpath("counts.json").write_text(json.dumps(delivered(folder / "data")))
    return folder


def test_counts_and_folders(out):
    counts = json.loads(out.joinpath("counts.json").read_text())
    # SMAP: 4 days x 2 passes x 2 polarizations, less the unseen evening; AMSR2: 8 passes x 2, less 2 at 36 GHz;
    # ERA5: 30 January to 2 February are two months
    assert counts == {
        "smap": 14,
        "amsr2": 14,
        "era5": 2,
        "dem": 1,
        "landcover": 1,
        "ismn": 2,
        "uscrn": 1,
    }
    data = out / "data"
    assert names(data) == {"smap", "amsr2", "era5", "dem", "landcover", "ismn", "uscrn"}
    assert names(data / "era5") == {"era5_201601.nc", "era5_201602.nc"}
    assert len(list((data / "ismn").rglob("*.stm"))) == 2
    assert not [p for p in data.rglob(".*")]


def test_an_unseen_pass_has_no_file(out):
    smap = names(out / "data" / "smap")
    assert not any("_E_1.4V_20160131" in n for n in smap)
    assert any("_M_1.4V_20160131" in n for n in smap)


def test_smap_cells_are_the_window(out):
    (path,) = (out / "data" / "smap").glob("*_M_1.4V_20160201_*")
    row, col = GRID.offset(N09)
    with h5py.File(path) as file:
        raw = file["TB"][0, row : row + 24, col : col + 24]
    assert (raw[:5] == 0).all()
    np.testing.assert_allclose(raw[5:] / 100.0, ramp()[5:] + 2.0, atol=0.006)


def test_amsr2_lies_on_utc_days(out):
    """At 125 E the 01:30 pass of 30 January is 17:10 UTC of the 29th; the 13:30 pass 05:10 UTC of the 30th."""
    amsr2 = out / "data" / "amsr2"
    assert {n[7:15] for n in names(amsr2) if "EQMD" in n} == {"20160129", "20160130", "20160131", "20160201"}
    assert {n[7:15] for n in names(amsr2) if "EQMA" in n} == {"20160130", "20160131", "20160201", "20160202"}
    cell = EQR.locate(125.0, 62.0)
    for name, hour, local in (
        ("GW1AM2_20160129_01D_EQMD_L3SGT18HA2220220.h5", 1.5, "2016-01-30"),
        ("GW1AM2_20160130_01D_EQMA_L3SGT18HA2220220.h5", 13.5, "2016-01-30"),
    ):
        with h5py.File(amsr2 / name) as file:
            minutes = int(file["Time Information"][cell])
            utc = np.datetime64(f"{name[7:11]}-{name[11:13]}-{name[13:15]}") + np.timedelta64(minutes, "m")
            date, solar = utc_to_solar(utc, EQR.x[cell[1]])
            assert str(date) == local and float(solar) == pytest.approx(hour, abs=0.02)


def test_amsr2_interpolates_in_the_projection(out):
    """The ramp is linear in x and y, hence exact wherever four cells surround a node."""
    with h5py.File(out / "data" / "amsr2" / "GW1AM2_20160130_01D_EQMA_L3SGT18HA2220220.h5") as file:
        raw = file["Brightness Temperature (V)"][:900]
    row, col = np.nonzero(raw < 65533)
    near = (EQR.x[col] > 100) & (EQR.x[col] < 150)  # not the landmarks
    r, c = GRID.position(EQR.x[col[near]], EQR.y[row[near]])
    assert near.sum() > 500 and r.min() >= 0 and r.max() <= 23 and c.min() >= 0 and c.max() <= 23
    np.testing.assert_allclose(raw[row[near], col[near]] / 100.0, 200.25 + 1.5 * r + 0.5 * c, atol=0.006)


def test_amsr2_keeps_gaps():
    eqr = _Eqr(GRID)
    (block,) = blocks(size=DAYS)
    block["tb_18v"][:, :, 10, 10] = np.nan
    pending: dict = {}
    eqr.add(block, pending)
    tb = pending[np.datetime64("2016-01-30"), 1]["tb_18v"]
    r, c = eqr.position
    touched = (np.abs(r - 10) < 1) & (np.abs(c - 10) < 1)
    outside = (r < 0) | (r > 23) | (c < 0) | (c > 23)
    assert touched.any() and np.isnan(tb[touched]).all()
    assert np.isfinite(tb[~touched & ~outside]).all() and np.isnan(tb[outside]).all()


def test_a_window_over_22_5_east_is_split_between_two_utc_days(tmp_path):
    """West of 22.5 E the 01:30 pass lies in its own day, east of it in the day before: one file holds both."""
    grid = N09.around(22.5, 62.0, (24, 24))
    delivered(tmp_path, grid=grid, site_series=[], hourly=[])
    with h5py.File(tmp_path / "amsr2" / "GW1AM2_20160131_01D_EQMD_L3SGT18HA2220220.h5") as file:
        tb, minutes = file["Brightness Temperature (V)"][:], file["Time Information"][:]
    west, east = EQR.locate(22.0, 62.0), EQR.locate(23.0, 62.0)
    assert 0 <= minutes[west] < 5 and 1435 <= minutes[east] < 1440
    for cell, day in ((west, 1), (east, 2)):  # the blocks add one kelvin a local day
        r, c = grid.position(EQR.x[cell[1]], EQR.y[cell[0]])
        assert tb[cell] / 100.0 == pytest.approx(200.0 + day + 1.5 * float(r) + 0.5 * float(c), abs=0.006)
    assert "GW1AM2_20160129_01D_EQMD_L3SGT18HA2220220.h5" in names(tmp_path / "amsr2")
    assert "GW1AM2_20160202_01D_EQMD_L3SGT18HA2220220.h5" in names(tmp_path / "amsr2")


def test_era5_nodes(out):
    with xr.open_dataset(out / "data" / "era5" / "era5_201601.nc") as ds:
        assert ds.sizes["valid_time"] == 48
        assert (ds["latitude"].values * 4 % 1 == 0).all() and (ds["longitude"].values * 4 % 1 == 0).all()
        lon, lat = GRID.lonlat()
        assert ds["latitude"].max() >= lat.max() and ds["longitude"].min() <= lon.min()
        inside = (np.abs(lon - 125.0) <= 0.125) & (np.abs(lat - 62.0) <= 0.125)
        assert inside.sum() >= 2  # the mean below is of these cells, worked out here
        node = ds.sel(latitude=62.0, longitude=125.0)
        expected = ramp()[inside].mean() + np.tile(np.arange(24), 2)
        np.testing.assert_allclose(node["stl1"].values, expected, atol=1e-3)
        np.testing.assert_allclose(node["t2m"].values, expected - 3.0, atol=1e-3)
        np.testing.assert_allclose(ds["sd"].values, 0.1, atol=1e-6)  # 0.4 m of snow at a quarter of water
        assert np.isfinite(ds["stl1"].values).all()


def test_an_empty_node_takes_the_nearest_cell_and_the_date_line_is_no_edge():
    grid = N09.around(180.0, 66.0, (10, 10))
    boxes = _Boxes(grid)
    mean = boxes.mean(ramp(grid)[None])[0]
    lon, lat = boxes.box.lonlat()
    glon, glat = grid.lonlat()
    assert np.allclose(np.asarray(boxes.matrix.sum(axis=1)).ravel(), 1.0)
    lam, phi = np.deg2rad(glon - lon[0, 0]), np.deg2rad(glat)
    node = np.deg2rad(lat[0, 0])
    cosine = np.sin(phi) * np.sin(node) + np.cos(phi) * np.cos(node) * np.cos(lam)  # of the angle between them
    row, col = boxes.box.locate(glon, glat)
    assert not ((row == 0) & (col == 0)).any()
    assert mean[0, 0] == pytest.approx(ramp(grid).ravel()[np.argmax(cosine)], abs=1e-3)
    assert boxes.box.shape[1] < 20


def test_again_the_same_bytes(out, tmp_path):
    first = digests(out / "data")
    delivered(tmp_path, blocks=blocks(size=3))  # other blocks, the same days
    assert digests(tmp_path) == first
    delivered(tmp_path)
    assert digests(tmp_path) == first


def test_version_2_has_its_names(tmp_path):
    delivered(tmp_path, cetb_version="v2", hourly=[], site_series=[])
    assert "NSIDC-0738-EASE2_N09km-SMAP_LRM-2016030-1.4V-M-SIR-JPL-v2.0.nc" in names(tmp_path / "smap")


def test_sites_as_a_dataset(tmp_path):
    coords = {k: ("site", v) for k, v in SITES.items() if k != "station"}
    sites = xr.Dataset(coords={"site": SITES["station"], **coords})
    counts = delivered(tmp_path, sites=sites, blocks=[], hourly=[])
    assert counts["ismn"] == 2 and counts["uscrn"] == 1


def test_a_refusing_disk_is_said(tmp_path):
    (tmp_path / "out").write_text("a file where a folder should be")
    with pytest.raises(DiskError, match="E-DISK"):
        delivered(tmp_path / "out")


@pytest.mark.slow
def test_two_processes_write_the_same(out, tmp_path):
    counts = delivered(tmp_path, workers=2)
    assert counts["smap"] == 14 and digests(tmp_path) == digests(out / "data")
