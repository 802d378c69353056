import numpy as np
import pytest
import xarray as xr

from frostline.clock import AM, PM, days
from frostline.grid import named, regular
from frostline.twin.microwave import BANDS
from frostline.twin.observe import blur, cell_size, observe
from frostline.twin.orbits import overpass_minutes, swath

GRID = named("N09").around(20.0, 60.0, (24, 20))
DATES = days("2016-12-28", "2017-01-04")
NAMES = [f"tb_{b.label}{p}" for b in BANDS.values() for p in "vh"]


def clean(dates=DATES, grid=GRID, level=250.0):
    rng = np.random.default_rng(7)
    field = rng.normal(level, 10, (len(NAMES), 2, *grid.shape)).astype("f4")  # the same every day
    shape = (len(dates), 2, *grid.shape)
    data = {n: (("time", "overpass", "y", "x"), np.broadcast_to(f, shape)) for n, f in zip(NAMES, field, strict=True)}
    return xr.Dataset(data, coords={"time": dates, "overpass": np.array([AM, PM], "int8")})


@pytest.fixture(scope="module")
def seen():
    return observe(clean(), GRID, seed=1)


def test_names_types_and_shape(seen):
    assert set(seen.data_vars) == {*NAMES, "tb_time_1", "tb_time_18", "tb_time_36"}
    assert all(v.dtype == np.float32 and v.dims == ("time", "overpass", "y", "x") for v in seen.data_vars.values())
    assert seen.attrs["grid_name"] == "N09"


def test_nothing_outside_the_swath_and_everything_within(seen):
    for name, sensor in (("tb_1h", "smap"), ("tb_18v", "amsr2"), ("tb_time_1", "smap"), ("tb_time_36", "amsr2")):
        for j, overpass in enumerate((AM, PM)):
            mask = swath(GRID, DATES, sensor=sensor, overpass=overpass)
            assert (np.isfinite(seen[name].values[:, j]) == mask).all()
    assert 0 < np.isnan(seen["tb_1v"].values).mean() < 0.6


def test_times_are_the_pass_times(seen):
    want = overpass_minutes(GRID, DATES[3], sensor="smap", overpass=PM)
    got = seen["tb_time_1"].values[3, 1]
    assert np.isfinite(got).any()
    assert (got[np.isfinite(got)] == want[np.isfinite(got)]).all()


def test_one_seed_one_earth_and_blocks_do_not_matter(seen):
    again = observe(clean(), GRID, seed=1)
    part = observe(clean(DATES[3:5]), GRID, seed=1)
    am = observe(clean().isel(overpass=[1]), GRID, seed=1)
    for name in seen.data_vars:
        np.testing.assert_array_equal(again[name], seen[name])
        np.testing.assert_array_equal(part[name], seen[name][3:5])
        np.testing.assert_array_equal(am[name], seen[name][:, [1]])


def test_other_seeds_days_bands_passes_and_polarisations_have_other_noise():
    flat = clean() * 0 + 250
    one, two = (observe(flat.astype("f4"), GRID, seed=s) for s in (1, 2))
    noise = {n: one[n].values - 250 for n in NAMES}
    both = np.isfinite(noise["tb_18v"]) & np.isfinite(noise["tb_1v"])
    assert abs(np.corrcoef(noise["tb_18v"][both], noise["tb_18h"][both])[0, 1]) < 0.08
    assert abs(np.corrcoef(noise["tb_18v"][both], noise["tb_1v"][both])[0, 1]) < 0.08
    assert abs(np.corrcoef(noise["tb_18v"][both], noise["tb_36v"][both])[0, 1]) < 0.08
    assert abs(np.corrcoef(noise["tb_18v"][both], (two["tb_18v"].values - 250)[both])[0, 1]) < 0.08
    am, pm = noise["tb_18v"][:, 0], noise["tb_18v"][:, 1]
    both = np.isfinite(am) & np.isfinite(pm)
    assert abs(np.corrcoef(am[both], pm[both])[0, 1]) < 0.08
    both = np.isfinite(am[:-1]) & np.isfinite(am[1:])
    assert abs(np.corrcoef(am[:-1][both], am[1:][both])[0, 1]) < 0.08


@pytest.mark.parametrize("band", list(BANDS))
def test_noise_is_as_large_as_the_radiometers(band):
    one = observe((clean() * 0 + 250).astype("f4"), GRID, seed=4)[f"tb_{BANDS[band].label}v"].values - 250
    assert np.nanstd(one) == pytest.approx({"L": 1.0, "K": 0.7, "Ka": 0.7}[band], rel=0.05)
    assert np.nanmean(one) == pytest.approx(0, abs=0.06)


def test_footprint_by_hand():
    # a line of 100 K across the middle of 9 km cells under 18 km: half of its greatest value one cell aside
    # (half the full width at half maximum), and the sum is kept
    grid = named("N09").window(slice(900, 941), slice(1300, 1341))
    down, across = cell_size(grid)
    field = np.zeros(grid.shape, "f4")
    field[20] = 100
    out = blur(field, grid, 2 * down)
    assert out[19, 20] / out[20, 20] == pytest.approx(0.5, abs=0.002)
    assert out[:, 20].sum() == pytest.approx(100, rel=1e-4)
    out = blur(field.T.copy(), grid, 2 * across)
    assert out[20, 21] / out[20, 20] == pytest.approx(0.5, abs=0.002)


def test_cell_size_by_hand():
    assert cell_size(named("N09").around(20.0, 89.5, (4, 4))) == pytest.approx((9.0, 9.0), rel=0.01)
    # a degree is 6371 pi / 180 = 111.19 km, across at 60 N half of it
    assert cell_size(regular(0.1, left=10.0, top=60.1, shape=(2, 2))) == pytest.approx((11.119, 5.560), rel=0.01)
    assert cell_size(regular(0.1, left=10.0, top=60.1, shape=(1, 1))) == (0.0, 0.0)


def test_wider_bands_blur_more(seen):
    spread = [float(np.nanstd(seen[f"tb_{b.label}v"].values[5, 0])) for b in BANDS.values()]
    assert spread[0] < spread[1] < spread[2] < 10


def test_a_hole_in_the_clean_world_is_an_error_that_names_its_day():
    block = clean().copy(deep=True)
    block["tb_18h"] = block["tb_18h"].copy(data=np.array(block["tb_18h"].values))
    block["tb_18h"].values[2, 0, 3, 3] = np.nan
    with pytest.raises(ValueError, match=r"tb_18h.*2016-12-30"):
        observe(block, GRID, seed=1)


def test_one_cell():
    grid = GRID.window(slice(0, 1), slice(0, 1))
    block = clean(grid=grid)
    assert observe(block, grid, seed=1)["tb_36v"].shape == (len(DATES), 2, 1, 1)
