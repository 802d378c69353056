"""Temperatures found again, weights that leave noise out, and the cells of stations."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from frostline.errors import ConfigError, InputError
from frostline.fuse import (
    best_weights,
    fit_temperature,
    fuse,
    pool,
    samples,
    temper,
    weights_from_labels,
    weights_from_sites,
)
from frostline.grid import named
from frostline.schema import coordinates
from fuse_records import GRID, NAN, a_record, first

unit = st.one_of(st.sampled_from([0.0, 0.5, 1.0, NAN]), st.floats(0, 1, width=32))
fields = st.lists(unit, min_size=4, max_size=4)


def test_temperature_of_certain_claims():
    """Right 9 times in 10: sigma(log 999 / T) = .9, T = log 999 / log 9; right as often as not: no say."""
    claims = np.array([1.0, 0.0] * 10)
    truth = np.array([1.0, 0.0] * 9 + [0.0, 1.0])
    assert fit_temperature(claims, truth) == pytest.approx(np.log(999) / np.log(9), rel=1e-6)
    soft = temper(a_record([0.0, 1.0, 0.5, NAN]), np.log(999) / np.log(9)).load()
    assert first(soft, "frozen") == pytest.approx([0.1, 0.9, 0.5, NAN], abs=1e-6, nan_ok=True)
    assert fit_temperature(claims, 1 - truth) == pytest.approx(1000)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_temperature_is_found_again(temperature):
    """Truth drawn with sigma(z); a head that claims sigma(T z) has the temperature T."""
    draw = np.random.default_rng(5)
    z = draw.normal(0, 1.2, 200_000)
    truth = (draw.random(z.size) < 1 / (1 + np.exp(-z))).astype(float)
    claims = 1 / (1 + np.exp(-temperature * z))
    claims[::17], truth[::19] = NAN, NAN
    found = fit_temperature(claims, truth)
    assert found == pytest.approx(temperature, rel=0.03)
    lazy = xr.DataArray(claims.reshape(400, 500), dims=("time", "x")).chunk(time=7)
    assert fit_temperature(lazy, xr.DataArray(truth.reshape(400, 500), dims=("time", "x"))) == found


@settings(max_examples=30, deadline=None)
@given(a=fields, temperature=st.floats(0.1, 20))
def test_temper_keeps_order_and_class(a, temperature):
    before = first(a_record(a), "frozen")
    after = first(temper(a_record(a), temperature).load(), "frozen")
    np.testing.assert_array_equal(np.isnan(before), np.isnan(after))
    sure = np.abs(before - 0.5) > 1e-4
    np.testing.assert_array_equal(np.sign(after - 0.5)[sure], np.sign(before - 0.5)[sure])
    assert (np.diff(after[np.argsort(before)][: (~np.isnan(before)).sum()]) >= 0).all()


def test_temperature_refuses_what_teaches_nothing():
    with pytest.raises(InputError, match="0 frozen and 2 thawed"):
        fit_temperature([0.2, 0.3], [0, 0])
    with pytest.raises(InputError, match=r"claims of \(2,\)"):
        fit_temperature([0.2, 0.3], [0])
    with pytest.raises(InputError, match="outside"):
        fit_temperature([0.2, 3], [0, 1])
    with pytest.raises(ConfigError, match="temperature of 0"):
        temper(a_record([0.5]), 0)


def heads(seed=7, shape=(400, 1, 2, 3)):
    """A truth, a good head and a noise head."""
    draw = np.random.default_rng(seed)
    z = draw.normal(0, 2, shape)
    truth = (draw.random(shape) < 1 / (1 + np.exp(-z))).astype(np.float32)
    good = 1 / (1 + np.exp(-z))
    noise = 1 / (1 + np.exp(-draw.normal(0, 2, shape)))
    return truth, good.astype(np.float32), noise.astype(np.float32)


def test_weights_leave_noise_out_and_share_among_equals():
    truth, good, noise = (a.reshape(-1) for a in heads())
    assert best_weights(np.stack([good, noise]), truth)[0] > 0.95
    draw = np.random.default_rng(8)
    z = np.log(good / (1 - good))
    alike = np.stack([1 / (1 + np.exp(-(z + draw.normal(0, 1.5, z.size)))) for _ in range(2)])
    w = best_weights(alike, truth)
    assert w.sum() == pytest.approx(1) and w == pytest.approx([0.5, 0.5], abs=0.12)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), count=st.integers(1, 4))
def test_a_weighted_pool_is_no_worse_than_its_best_member(seed, count):
    draw = np.random.default_rng(seed)
    truth = np.concatenate([[0, 1], draw.integers(0, 2, 60)]).astype(float)
    p = draw.random((count, truth.size))
    w = best_weights(p, truth)
    fused = pool(np.stack([p, 1 - p], axis=1), weights=w).frozen
    assert np.mean((fused - truth) ** 2) <= ((p - truth) ** 2).mean(axis=1).min() + 1e-5
    assert (w >= 0).all() and w.sum() == pytest.approx(1)


def sites_of(truth, places, times):
    lon, lat = GRID.lonlat()
    rows, cols = zip(*places, strict=True)
    values = np.stack([truth[:, :, r, c] for r, c in places], axis=-1)
    where = {"lon": ("site", [*lon[rows, cols], 0.0]), "lat": ("site", [*lat[rows, cols], 0.0])}
    values = np.concatenate([values, np.ones_like(values[..., :1])], axis=-1)  # a site far outside
    ds = xr.Dataset({"frozen": (("time", "overpass", "site"), values)}, where)
    return coordinates(ds, time=times, overpass=[0])


def test_weights_from_sites_read_the_cells_of_the_sites():
    truth, good, noise = heads(shape=(400, 1, *GRID.shape))
    good[:, :, 1, 2] = 1 - good[:, :, 1, 2]  # there the other one is right
    noise[:, :, 1, 2] = truth[:, :, 1, 2]
    records = {"good": a_record(good), "noise": a_record(noise)}
    times = records["good"]["time"].values
    sites = sites_of(truth, [(0, 0), (1, 1), (0, 2)], times)
    sites["frozen"][5:9] = NAN
    p, y = samples(records, sites)
    assert p.shape == (2, 396 * 3) and y.shape == (396 * 3,)
    np.testing.assert_array_equal(p[0].reshape(396, 3)[0], good[0, 0, [0, 1, 0], [0, 1, 2]])
    w = weights_from_sites(records, sites)
    assert list(w) == ["good", "noise"] and w["good"] > 0.9
    assert weights_from_sites(records, sites_of(truth, [(1, 2)], times))["noise"] == pytest.approx(1, abs=0.01)
    assert samples(records, sites, days=times[:4])[1].size == 12
    holed = {**records, "noise": records["noise"].where(records["noise"]["time"] > times[0])}
    assert samples(holed, sites, days=times[:4])[1].size == 9  # only where all know
    with pytest.raises(InputError, match="no day is common"):
        weights_from_sites(records, sites, days=[np.datetime64("1990-01-01")])
    with pytest.raises(InputError, match="0 frozen and 0 thawed"):
        weights_from_sites(records, sites, days=times[5:7])
    out = fuse(records, weights=w).load()
    assert out.attrs["fusion_weights"] == pytest.approx(list(w.values()))


def test_weights_from_labels_need_the_same_grid():
    truth, good, noise = heads()
    records = {"good": a_record(good), "noise": a_record(noise)}
    assert weights_from_labels(records, a_record(truth))["good"] > 0.95
    elsewhere = a_record(truth, grid=named("M09").around(90.0, 35.0, (2, 3)))
    with pytest.raises(InputError, match="the truth lies on"):
        weights_from_labels(records, elsewhere)


def test_weights_want_classes():
    with pytest.raises(InputError, match="neither 0"):
        best_weights(np.full((2, 3), 0.4), np.array([0, 1, 0.5]))
