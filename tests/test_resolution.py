"""Effective resolution: fields of a known law, blurred by a known kernel, and what cannot be told."""

import numpy as np
import pytest
import xarray as xr
from scipy.ndimage import gaussian_filter, uniform_filter

from frostline import store
from frostline.clock import days
from frostline.errors import InputError
from frostline.grid import named
from frostline.resolution import Resolution, fitted, of_classes, spectra
from frostline.runs import Run
from frostline.schema import record
from frostline.steps.sharpness import note_resolution
from frostline.store_attrs import note
from twin_run import experiment

BLURS = {
    "gauss": lambda field, width: gaussian_filter(field, width, mode="wrap"),
    "box": lambda field, width: uniform_filter(field, width, mode="wrap"),
}


def powerlaw(cells, count, slope, blur=None, seed=0):
    """Fields of spectrum k^-slope, cut from twice as wide ones (no field of the ground is periodic), as 0.5 +- 0.2."""
    rng = np.random.default_rng(seed)
    k = np.hypot(np.fft.fftfreq(2 * cells)[:, None], np.fft.fftfreq(2 * cells)[None])
    k[0, 0] = 1
    raw = np.fft.ifft2(np.fft.fft2(rng.normal(size=(count, 2 * cells, 2 * cells))) * k ** (-slope / 2)).real
    if blur is not None:
        raw = np.stack([BLURS[blur[0]](field, blur[1]) for field in raw])
    raw -= raw.mean()
    cut = 0.5 + 0.2 * raw / raw.std()
    return xr.Dataset({"frozen": (("time", "overpass", "y", "x"), cut[:, None, :cells, :cells])})


def estimate(cells, slope, blur, count=40):
    daily, counts, side = spectra(powerlaw(cells, count, slope, blur), land=np.ones((cells, cells), bool))
    assert side == cells and counts.sum() > 0.9 * count
    return fitted(daily.sum(axis=0), side)


@pytest.mark.parametrize("slope", [2, 3])
@pytest.mark.parametrize(
    ("blur", "wavelength"),  # half power: 2 pi s / sqrt(log 2) of a Gaussian; sinc^2(L/w) = 1/2 at w = 2.257 L of a box
    [(("gauss", 1.0), 7.547), (("gauss", 2.0), 15.09), (("box", 3), 6.77), (("box", 5), 11.29)],
)
def test_a_known_blur_is_found_within_a_seventh(slope, blur, wavelength):
    found = estimate(64, slope, blur)
    assert found.wavelength == pytest.approx(wavelength, rel=1 / 7) and not found.at_limit
    if blur[0] == "gauss":
        assert found.footprint == pytest.approx(2.355 * blur[1], rel=1 / 7)


def test_no_blur_is_at_the_limit_and_too_much_is_not_told():
    assert estimate(64, 3, None) == Resolution(2.0, pytest.approx(0.624, abs=1e-3), True)
    assert estimate(32, 3, ("gauss", 4)) is None  # all that is left is what leaks through the window


def test_squares_hold_soil_only_and_days_of_one_state_do_not_count():
    ds = powerlaw(64, 4, 3)
    land = np.ones((64, 64), bool)
    land[:, 40:] = False
    ds["frozen"][1] = 1.0
    ds["frozen"][2, :, :, :40] = np.nan
    daily, counts, side = spectra(ds, land=land)
    assert side == 32 and daily.shape == (4, 17) and counts.tolist() == [3, 0, 0, 3]  # three rows of squares
    assert spectra(ds, land=np.zeros((64, 64), bool))[2] == 0


def test_records_of_classes_are_known_as_such():
    ds = powerlaw(64, 3, 3)
    assert not of_classes(ds) and of_classes(ds > 0.5) and of_classes(ds * np.nan)


def test_the_attribute_is_written_and_the_record_untouched(tmp_path):
    """A Gaussian of 1.5 cells of 9 km: 102 km. A record of classes keeps what it says of itself."""
    grid = named("N09").around(100.0, 60.0, (64, 64))
    dates = days("2016-03-01", "2016-04-29")
    field = np.clip(powerlaw(64, len(dates), 3, ("gauss", 1.5))["frozen"].values, 0, 1).astype("f4")
    static = {"land": np.ones((64, 64))}
    store.create(tmp_path / "stack.zarr", grid=grid, time=dates, overpass=[0], variables=[], static=static)
    for name, values in (("a", field), ("b", (field > 0.5).astype("f4"))):
        attrs = {"effective_resolution": "coarse", "source": "here"}
        ds = record(values, grid=grid, time=dates, overpass=[0])
        store.create(tmp_path / name, grid=grid, time=dates, overpass=[0], variables=["frozen"], attrs=attrs)
        with store.writer(tmp_path / name) as write:
            write(0, {"frozen": ds["frozen"].values})
    run, settings = Run(tmp_path, quiet=True), experiment()
    found = note_resolution(settings, run, tmp_path / "a")
    assert found["km"] == pytest.approx(102, rel=1 / 7) and found["lo"] <= found["km"] <= found["hi"]
    again = store.open_store(tmp_path / "a")
    assert again.attrs["effective_resolution"].startswith(f"{found['km']:.0f} km [{found['lo']:.0f}, ")
    assert again.attrs["source"] == "here" and store.verified(tmp_path / "a").all()
    assert np.abs(again["frozen"].values - field).max() <= 0.005
    assert note_resolution(settings, run, tmp_path / "b") == {}
    assert store.open_store(tmp_path / "b").attrs["effective_resolution"] == "coarse"
    with pytest.raises(InputError, match="E-STORE"):
        note(tmp_path / "nowhere", {"a": "b"})
