"""AMSR2 L3 files written by hand after formats.md 4.1."""

from pathlib import Path

import h5py
import numpy as np
import pytest

from frostline.errors import InputError
from frostline.grid import Grid, regular
from frostline.read import READERS
from frostline.read.amsr2 import GRIDS, amsr2_grid, check_origin, list_amsr2, load_amsr2, read_amsr2

NAME = "GW1AM2_20160101_01D_EQMD_L3SGT18LA2220220.h5"


def write(path: Path, v: np.ndarray, h: np.ndarray, *, scale: float | None = 0.01, names: str = "VH") -> Path:
    with h5py.File(path, "w") as f:
        for letter, data in zip(names, (v, h), strict=True):
            d = f.create_dataset(
                f"Brightness Temperature ({letter})", data=data, chunks=(72, data.shape[1]), compression="gzip"
            )
            d.attrs["SCALE FACTOR"] = np.array([scale], "f4")
            d.attrs["UNIT"] = b"K"
        f.attrs["ProductName"] = b"AMSR2-L3"
    return path


@pytest.fixture
def globe():
    """Packed V and H on the 0.25 degree grid: warm everywhere, H cold over the central Pacific, 0..360 E."""
    v, h = (np.full((720, 1440), 27000, "u2") for _ in range(2))
    h[320:400, 4 * 180 : 4 * 225] = 11000
    return v, h


def test_values_missing_pass_and_grid(tmp_path, globe):
    v, h = globe
    v[0, :4] = 65533, 65534, 65535, 0
    v[1, 0] = 65532  # a value, if an absurd one: out of range
    path = write(tmp_path / NAME, v, h)
    ds = read_amsr2(path)
    grid = Grid.of(ds)
    assert grid.shape == (720, 1440)
    assert grid == amsr2_grid(path)
    assert (ds.x.values[0], ds.y.values[0]) == (0.125, 89.875)
    assert ds.overpass.values.tolist() == [0]
    assert ds.attrs["local_solar_hour"] == 1.5
    assert ds.tb_18v.chunks is not None
    got = ds.compute()
    assert np.isnan(got.tb_18v.values[0, 0, 0, :4]).all()
    assert np.isnan(got.tb_18v.values[0, 0, 1, 0])
    assert got.tb_18v.values[0, 0, 1, 1] == pytest.approx(270.0, abs=1e-3)
    assert got.tb_18h.values[0, 0, 360, 800] == pytest.approx(110.0, abs=1e-3)


def test_ascending_is_the_afternoon_and_h_is_the_fine_grid(tmp_path):
    assert GRIDS["H"].shape == (1800, 3600)
    assert float(GRIDS["H"].x[0]) == pytest.approx(0.05)
    assert float(GRIDS["H"].y[0]) == pytest.approx(89.95)
    name = "GW1AM2_20160101_01D_EQMA_L3SGT36HA2220220.h5"
    path = tmp_path / name
    with h5py.File(path, "w") as f:  # only the window's chunks are allocated, as the full-size twin files
        for letter in "VH":
            d = f.create_dataset(
                f"Brightness Temperature ({letter})", (1800, 3600), "u2", chunks=(72, 72), fillvalue=65535
            )
            d[350:360, 600:610] = 25000
            d.attrs["SCALE FACTOR"] = 0.01
    window = GRIDS["H"].window(slice(345, 365), slice(595, 615))
    ds = READERS["amsr2"](path, window=window)
    assert ds.overpass.values.tolist() == [1]
    assert ds.tb_36v.shape == (1, 1, 20, 20)
    assert int(np.isfinite(ds.tb_36v.values).sum()) == 100
    assert check_origin(path) == "not testable"


def test_a_window_may_cross_the_files_edge_at_0_e(tmp_path, globe):
    v, h = globe
    v[:] = 20000 + np.arange(1440)[None]
    path = write(tmp_path / NAME, v, h)
    window = regular(0.25, left=-1.0, top=60.0, shape=(3, 8))  # 1 W to 1 E
    got = load_amsr2(path, window=window)["tb_18v"]
    expected = np.r_[20000 + np.arange(1436, 1440), 20000 + np.arange(4)] * 0.01
    np.testing.assert_allclose(got, np.tile(expected, (3, 1)), atol=1e-3)
    with pytest.raises(InputError, match="E-INPUT-GRID"):
        load_amsr2(path, window=regular(0.25, left=-1.1, top=60.0, shape=(3, 8)))


def test_the_origin_shows_in_land_and_sea(tmp_path, globe):
    v, h = globe
    assert check_origin(write(tmp_path / NAME, v, h)) == "ok"
    turned = np.roll(h, 720, axis=1)  # a file that begins at 180 W
    with pytest.raises(InputError, match=r"E-INPUT-GRID .*column 0 is not 0 E"):
        check_origin(write(tmp_path / NAME, v, turned))


def test_faults(tmp_path, globe):
    v, h = globe

    def told(name: str = NAME, a=v, b=h, **changes) -> str:
        path = write(tmp_path / name, a, b, **changes)
        with pytest.raises(InputError) as caught:
            load_amsr2(path)
        assert name in str(caught.value)
        return str(caught.value)

    assert "E-INPUT-SCHEMA" in told(names="VX")
    assert "1800 x 3600" in told(NAME.replace("LA", "HA"))  # 0.25 degrees given as 0.1
    assert "E-INPUT-UNITS" in told(scale=1.0)
    assert "not unsigned" in told(a=v.astype("i2"), b=h.astype("i2"))  # the geophysical products' type
    assert "PN" in told(NAME.replace("EQ", "PN"))
    with pytest.raises(InputError, match="E-INPUT-MISSING"):
        read_amsr2(tmp_path / NAME.replace("2016", "2017"))


def test_lists(tmp_path):
    for name in (
        NAME,
        NAME.replace("2220220", "1110110"),
        NAME.replace("MD", "MA"),
        NAME.replace("18LA", "06LA"),
        NAME.replace("20160101_01D", "20160100_01M"),
        NAME.replace("20160101", "20160230"),
        "readme.txt",
    ):
        (tmp_path / name).touch()
    got = list_amsr2(tmp_path)
    assert [(str(f.date), f.overpass, f.channel, f.version) for f in got] == [
        ("2016-01-01", 0, "tb_18", "2220220"),
        ("2016-01-01", 1, "tb_18", "2220220"),
    ]
    assert len(got.superseded) == 1
    assert len(got.ignored) == 4


@pytest.mark.parametrize(
    ("begins", "fits"),
    [
        ("2016-01-01T00:00:00.000Z", True),
        ("2015-12-31T23:10:42.000Z", True),  # the orbit that was under way at midnight
        ("2016-01-02T00:00:00.000Z", False),
        ("2015-12-31T00:00:00.000Z", False),
        ("", True),
        ("unknown", True),
    ],
)
def test_the_day_inside_is_that_of_the_name(tmp_path, globe, begins, fits):
    path = write(tmp_path / NAME, *globe)
    with h5py.File(path, "a") as file:
        file.attrs["ObservationStartDateTime"] = np.array([begins.encode()])
    if fits:
        assert np.isfinite(load_amsr2(path)["tb_18v"]).all() and read_amsr2(path).sizes["time"] == 1
        return
    for call in (load_amsr2, read_amsr2):
        with pytest.raises(InputError, match=f"E-INPUT-TIME .*the name says 2016-01-01, .* says {begins[:10]}"):
            call(path)
