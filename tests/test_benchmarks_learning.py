"""The benchmarks of training, growth and the GPU run at their small sizes, and can tell what is wrong."""

from functools import partial

import numpy as np
import pytest
import torch

from conftest import REPOSITORY
from frostline import regrid
from frostline.grid import regular
from frostline.packing import KELVIN, pack


@pytest.fixture(autouse=True)
def one_thread(monkeypatch):
    """Small fields wait for each other more than they gain."""
    monkeypatch.syspath_prepend(str(REPOSITORY))
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def test_a_loss_curve_out_of_the_noise_is_seen():
    from benchmarks.training import curve, noise, ours, plain, samples, within

    trained = partial(curve, data=samples(8, 32), batch=2, steps=16)
    refs = [trained(plain(4, dropout=0.0, seed=k, rate=1e-2), order=k) for k in range(3)]
    assert within(trained(ours(4, "bfloat16", dropout=0.0, rate=1e-2)), refs)
    assert not within(trained(ours(4, "bfloat16", dropout=0.0, rate=1e-4)), refs)  # it hardly learns
    assert not within(refs[0] + 1.1 * noise(refs), refs)
    assert not within(refs[0][:1].repeat(len(refs[0])), refs)  # a flat curve, near or not


def test_a_curve_by_hand():
    from benchmarks.training import apart, noise, orders

    assert apart(np.array([1.0, 2.0]), np.array([1.0, 4.0])) == pytest.approx(np.sqrt(2))  # of 0 and 4
    assert noise([np.array([0.0]), np.array([3.0]), np.array([1.0])]) == 1
    rows = np.concatenate(list(orders(6, 2, 6, seed=0)))
    assert sorted(rows[:6]) == sorted(rows[6:]) == [0, 1, 2, 3, 4, 5]  # each pass sees each sample once


def test_exponents_by_hand():
    from benchmarks.growth import Point, exponents, fitted

    points = [Point("predict", "cells", n, 3.0 * n, 7.0, 300.0) for n in (10, 100, 1000)]
    found = exponents([*points, Point("assemble", "cells", 10, 1.0, 1.0, 1.0)])
    assert {*found} == {("predict", "cells", "seconds"), ("predict", "cells", "megabytes")}
    assert found["predict", "cells", "seconds"] == pytest.approx((1, 1, 1))
    assert found["predict", "cells", "megabytes"] == pytest.approx((0, 0, 0))
    # by hand, in powers of e: x = -1, 0, 1 and y = 0, 0, 3: slope 3 / 2, residuals .5, -1, .5, of one degree of
    # freedom 1.5, so the standard error is sqrt(1.5 / 2), times t(0.975, 1) = 12.7062
    slope = fitted(np.exp([-1, 0, 1]), np.exp([0, 0, 3]))
    assert slope == pytest.approx((1.5, 1.5 - 12.7062 * 0.75**0.5, 1.5 + 12.7062 * 0.75**0.5), rel=1e-5)


def test_the_figure_of_growth(tmp_path):
    from benchmarks.growth import Point, exponents
    from benchmarks.growth_figure import draw

    points = [Point(s, "years", n, 40.0 * n, 90.0, 500.0) for s in ("assemble", "predict") for n in (1, 2, 4)]
    draw(points, exponents(points), tmp_path / "growth.png")
    assert (tmp_path / "growth.png").read_bytes().startswith(b"\x89PNG")


def test_growth_measures_a_step(tmp_path):
    from benchmarks import growth

    growth.stack(tmp_path, 16, 3, growth.CHANNELS[:2])
    growth.checkpoint(tmp_path, growth.CHANNELS[:2])
    seconds, above, whole = growth.measure("predict", tmp_path, 16, 3, growth.CHANNELS[:2], True)
    assert seconds > 0 and 0 <= above < whole
    assert (tmp_path / "record.zarr").exists()


@pytest.mark.parametrize("gaps", [False, True])
def test_fields_made_on_a_device_are_those_of_the_product(gaps):
    from benchmarks import gpu_common as gpu

    rng = np.random.default_rng(3)
    source, target = regular(10.0, shape=(9, 36)), regular(7.0, shape=(12, 51))
    kelvin = rng.uniform(200, 300, (2, *source.shape)).astype("float32")
    kelvin[rng.random(kelvin.shape) < 0.3 * gaps] = np.nan
    codes, weights = pack(kelvin, KELVIN), regrid.bilinear(source, target)
    on = torch.device("cpu")
    values = gpu.unpacked(gpu.sent({"a": codes.view("int16")}, on)["a"], KELVIN)
    plain = np.where(codes == KELVIN.fill, np.nan, codes * np.float32(KELVIN.scale)).astype("float32")
    np.testing.assert_allclose(values.numpy(), plain, rtol=1e-6)
    found = gpu.regridded(values, gpu.corners(weights, on)).numpy()
    np.testing.assert_allclose(found, regrid.apply(weights, plain), rtol=1e-6)  # NaN in the same cells
    assert np.isnan(found).any() == bool(np.isnan(regrid.apply(weights, plain)).any())


def test_batches_come_ahead_in_order():
    from benchmarks.gpu_common import ahead

    items = [{"a": np.full(3, k)} for k in range(4)]
    assert [int(one["a"][0]) for one in ahead(items, torch.device("cpu"))] == [0, 1, 2, 3]
    assert not list(ahead([], torch.device("cpu")))


@pytest.mark.parametrize("name", ["gpu_predict", "gpu_train"])
def test_the_gpu_scripts_run_without_one_and_say_so(name, capsys):
    from importlib import import_module

    few = "--passes" if name == "gpu_predict" else "--steps"
    assert import_module(f"benchmarks.{name}").main(["--device", "cpu", "--size", "small", few, "1"]) == 0
    said = capsys.readouterr().out
    assert "(cpu, size small)" in said and "bound by: " in said and "in a row" in said
