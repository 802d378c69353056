import gc
import tracemalloc

import numpy as np
import pytest
import torch
import xarray as xr

from frostline.errors import InputError
from frostline.learn import build
from frostline.learn.channels import channel_names, scaled
from frostline.learn.checkpoint import Checkpoint, grid_facts
from frostline.learn.predict import flagged, predict
from frostline.learn.resume import arrays
from frostline.learn.scale import fit
from frostline.schema import QUALITY, RECORD, check, record
from learn_stack import TB, small_stack


def untrained(stack, inputs=TB, extras=()):
    names = channel_names(stack, inputs=inputs, statics=["elevation"], extras=extras)
    torch.manual_seed(1)
    options = {"width": 4, "depth": 2}
    whole = np.ones((stack.sizes["y"], stack.sizes["x"]), bool)
    return Checkpoint(
        net="unet",
        net_options=options,
        channels=names,
        scaler=fit(stack, scaled(names), days=np.ones(stack.sizes["time"], bool), area=whole),
        weights=arrays(build("unet", len(names), options).state_dict()),
        grid=grid_facts(stack),
    )


def together(stack, blocks):
    shape = (stack.sizes["time"], 2, stack.sizes["y"], stack.sizes["x"])
    p, q, a = np.full(shape, -1, "float32"), np.zeros(shape, "uint16"), np.zeros(shape, "uint8")
    for part, code, frozen, quality, age in blocks:
        assert (frozen.dtype, quality.dtype, age.dtype) == (np.float32, np.uint16, np.uint8)
        p[part, code], q[part, code], a[part, code] = frozen, quality, age
    return p, q, a


def test_flags_by_hand():
    stack = small_stack(3, 12, gaps=0.0).load()
    for f in (1, 18, 36):
        stack[f"age_tb_{f}"].values[:] = 0
    for name in TB:
        stack[name].values[1, 0, 5, 5] = np.nan  # nothing is seen here
    stack["tb_1v"].values[1, 0, 6, 6] = np.nan  # two sensors are left, one of them 3 days old
    stack["age_tb_1"].values[1, 0, 6, 6] = 9
    stack["age_tb_36"].values[1, 0, 6, 6] = 3
    p, q, a = together(stack, predict(untrained(stack), stack, device="cpu", low_confidence=0.0))
    assert np.isnan(p[:, :, :2, :2]).all()  # not land
    assert (q[:, :, :2, :2] == QUALITY["outside_domain"]).all()
    assert (a[:, :, :2, :2] == 255).all()
    assert np.isnan(p[1, 0, 5, 5])
    assert (q[1, 0, 5, 5], a[1, 0, 5, 5]) == (QUALITY["input_missing"], 255)
    assert np.isfinite(p[1, 0, 6, 6])
    assert (q[1, 0, 6, 6], a[1, 0, 6, 6]) == (QUALITY["gap_filled"] | QUALITY["smap_missing"], 3)
    rest = np.ones(p.shape, bool)
    rest[:, :, :2, :2] = rest[1, 0, 5, 5] = rest[1, 0, 6, 6] = False
    assert not q[rest].any()
    assert not a[rest].any()
    assert ((p[rest] >= 0) & (p[rest] <= 1)).all()
    check(record(p, grid=_grid(stack), time=stack["time"].values, overpass=[0, 1], quality=q, age=a), RECORD)


def _grid(stack):
    from frostline.grid import Grid

    return Grid.of(stack)


def test_low_confidence():
    stack = small_stack(3, 12, gaps=0.0)
    checkpoint = untrained(stack)
    p, *_ = together(stack, predict(checkpoint, stack, device="cpu"))
    width = float(np.nanmedian(np.abs(p - 0.5)))
    p, q, _ = together(stack, predict(checkpoint, stack, device="cpu", low_confidence=width))
    known = np.isfinite(p)
    near = np.abs(p[known] - 0.5) < width
    assert 0 < near.sum() < near.size
    np.testing.assert_array_equal(q[known] & QUALITY["low_confidence"] > 0, near)


@pytest.mark.parametrize("extras", [(), ("previous_day", "latitude", "day_of_year")])
def test_blocks_do_not_matter(extras):
    stack = small_stack(7, 12)
    checkpoint = untrained(stack, extras=extras)
    one = together(stack, predict(checkpoint, stack, device="cpu", batch=1))
    many = together(stack, predict(checkpoint, stack, device="cpu", batch=5))
    np.testing.assert_allclose(one[0], many[0], atol=1e-6)
    np.testing.assert_array_equal(one[2], many[2])
    assert not np.array_equal(one[0][:, 0], one[0][:, 1])


def test_wanted_days_come_as_runs():
    stack = small_stack(10, 8)
    days = np.array([0, 1, 1, 1, 0, 0, 1, 0, 1, 1], bool)
    got = [(part.start, part.stop, code) for part, code, *_ in predict(untrained(stack), stack, days=days, batch=2)]
    assert got == [(a, b, o) for a, b in ((1, 3), (3, 4), (6, 7), (8, 10)) for o in (0, 1)]
    assert not list(predict(untrained(stack), stack, days=~np.ones(10, bool)))


def test_another_window_of_the_grid_but_no_other_grid():
    stack = small_stack(2, 16)
    checkpoint = untrained(stack)
    assert next(predict(checkpoint, stack.isel(y=slice(2, 9), x=slice(0, 5)), device="cpu"))[2].shape == (2, 7, 5)
    other = Checkpoint(**{**vars(checkpoint), "grid": {**checkpoint.grid, "step": 36000.0}})
    with pytest.raises(InputError, match="E-CHECKPOINT"):
        next(predict(other, stack))


def test_bad_input():
    stack = small_stack(3, 8).load()
    checkpoint = untrained(stack)
    with pytest.raises(InputError, match="tb_18h"):
        next(predict(checkpoint, stack.drop_vars("tb_18h")))
    with pytest.raises(InputError, match="age_tb_18"):
        next(predict(checkpoint, stack.drop_vars("age_tb_18")))
    stack["tb_18h"].values[1, 1, 3, 3] = np.inf
    with pytest.raises(InputError, match="tb_18h on 2016-01-02"):
        next(predict(checkpoint, stack))


def test_order_of_the_stack_does_not_matter():
    stack = small_stack(2, 8)
    checkpoint = untrained(stack)
    turned = stack[[*reversed(list(stack.data_vars))]].transpose("overpass", "x", "y", "time", ...)
    one, two = (together(stack, predict(checkpoint, s, device="cpu")) for s in (stack, turned))
    np.testing.assert_array_equal(one[0], two[0])


@pytest.mark.slow
def test_memory_does_not_grow_with_the_record(tmp_path):
    peaks = []
    for days in (6, 18):
        stack = small_stack(days, 64)
        checkpoint = untrained(stack)
        path = tmp_path / f"{days}.zarr"
        stack.drop_encoding().to_zarr(path, zarr_format=3, consolidated=False, encoding=_daily(stack))
        del stack
        with xr.open_zarr(path, chunks=None, consolidated=False, decode_coords="all") as lazy:
            next(predict(checkpoint, lazy, batch=2, device="cpu"))  # first use of everything
            gc.collect()
            tracemalloc.start()
            for _ in predict(checkpoint, lazy, batch=2, device="cpu"):
                gc.collect()  # what waits for the collector is not held by the prediction
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
    assert peaks[1] < 1.03 * peaks[0]


def _daily(stack):
    chunks = (1, 2, stack.sizes["y"], stack.sizes["x"])
    return {n: {"chunks": chunks} for n in stack.data_vars if "time" in stack[n].dims}


def test_flags_of_a_field_by_numpy():
    rng = np.random.default_rng(3)
    p, land = rng.random((2, 3, 6, 5)).astype("f4"), rng.random((6, 5)) < 0.7
    seen, age = rng.random((3, 6, 5)) < 0.8, rng.integers(0, 3, (3, 6, 5), "u1")
    absent = {name: rng.random((3, 6, 5)) < 0.3 for name in ("smap_missing", "amsr2_missing")}
    out, quality, days = flagged(p, land, seen, age, absent, 0.1)
    known = seen & land
    np.testing.assert_array_equal(out, np.where(known, p, np.float32(np.nan)))
    np.testing.assert_array_equal(days, np.where(known, age, 255))
    bits = np.where(land, 0, QUALITY["outside_domain"]) + np.where(land & ~seen, QUALITY["input_missing"], 0)
    bits = bits + np.where(known & (age > 0), QUALITY["gap_filled"], 0)
    bits = bits + sum(np.where(known & where, QUALITY[name], 0) for name, where in absent.items())
    doubt = known & (np.abs(p - np.float32(0.5)) < np.float32(0.1))
    np.testing.assert_array_equal(quality, bits + np.where(doubt, QUALITY["low_confidence"], 0))
    assert quality.dtype == np.uint16 and days.dtype == np.uint8
    np.testing.assert_array_equal(flagged(p[0], land, seen, age, {}, 0.1)[0], out[0])
