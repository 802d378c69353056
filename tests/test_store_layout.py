"""How a store lies on disk: codes by kernels, chunks of many days written whole, older layouts that still open."""

import numpy as np
import pytest
import xarray as xr

from frostline import packing, store
from frostline.clock import days
from frostline.errors import InputError
from frostline.grid import named

GRID = named("M09").around(103.0, 36.0, (120, 90))
TIME = days("2016-01-01", "2016-02-20")  # 51 days: a chunk of 32 and one of 19


def new(path, variables=("frozen", "age")):
    return store.create(path, grid=GRID, time=TIME, overpass=[0, 1], variables=variables)


def record(seed=0):
    rng = np.random.default_rng(seed)
    frozen = rng.integers(0, 201, (len(TIME), 2, *GRID.shape)).astype("f4") / 200
    frozen[rng.random(frozen.shape) < 0.1] = np.nan
    return {"frozen": frozen, "age": rng.integers(0, 9, frozen.shape, "u1")}


@pytest.mark.parametrize("kind", ["f4", "f8"])
@pytest.mark.parametrize("spec", sorted({s for s in packing.SPECS.values() if np.dtype(s.dtype).kind == "u"}))
def test_kernels_give_the_codes_and_values_of_the_plain_form(spec, kind):
    top = np.iinfo(spec.dtype).max
    codes = np.arange(top + 1, dtype=spec.dtype).repeat(-(-2 * packing.SMALL // (top + 1))).reshape(2, -1)
    values = packing.unpack(codes, spec)
    np.testing.assert_array_equal(values, packing.unpack_plain(codes, spec))
    assert values.dtype == np.float32 and np.isnan(values[codes == spec.fill]).all()
    rough = values.astype(kind) + np.random.default_rng(1).uniform(-0.4, 0.4, codes.shape).astype(kind) * spec.scale
    rough[np.isclose(rough, 0.5, rtol=1e-5)] = 0.5
    rough = np.clip(rough, 0, (top - 1) * spec.scale)
    np.testing.assert_array_equal(packing.pack(rough, spec), packing.pack_plain(rough, spec))
    rough[1, 7] = (top + 1) * spec.scale
    with pytest.raises(InputError, match="do not fit"):
        packing.pack(rough, spec)


def test_a_cells_series_lies_in_few_chunks_and_a_hemispheres_days_apart(tmp_path):
    ds = store.open_store(new(tmp_path / "r.zarr"))
    assert ds["frozen"].encoding["chunks"] == (32, 1, 120, 90) and ds["frozen"].dtype == np.float32
    china = named("M09").around(103.0, 36.0, (405, 660))
    assert store._days(china, 8) == 31 and store._tile(china, 31) == (135, 165)
    assert store._days(named("N09"), 8) == 2 and store._days(named("N09"), 40) == 1
    assert store._tile(named("N09"), 2) == (500, 500)


def test_days_written_one_by_one_are_held_until_their_chunk_is_whole(tmp_path):
    whole, one = new(tmp_path / "whole.zarr"), new(tmp_path / "one.zarr")
    arrays = record()
    with store.writer(whole) as write:
        write(0, arrays)
    with store.writer(one) as write:
        for t in range(len(TIME)):
            for o in (1, 0):
                write(t, {name: values[t : t + 1, o] for name, values in arrays.items()}, overpass=o)
            assert store.verified(one).all(axis=1).sum() == (0 if t < 31 else 32 if t < 50 else 51)
    for path in whole.rglob("*"):
        if path.is_file() and path.name != store.JOURNAL:
            assert (one / path.relative_to(whole)).read_bytes() == path.read_bytes()
    np.testing.assert_array_equal(store.open_store(one)["frozen"].values, arrays["frozen"])


def test_what_is_held_is_written_when_the_writer_ends_by_an_error_too(tmp_path):
    path, arrays = new(tmp_path / "r.zarr"), record()
    with pytest.raises(KeyboardInterrupt), store.writer(path) as write:
        for t in range(5):
            write(t, {name: values[t : t + 1] for name, values in arrays.items()})
        write(2, {name: values[:1] for name, values in arrays.items()})  # again: goes over what is held
        raise KeyboardInterrupt
    assert store.verified(path)[:5].all() and store.verified(path).sum() == 10
    with store.writer(path) as write:
        write(5, {name: values[5:] for name, values in arrays.items()})
    arrays["frozen"][2] = arrays["frozen"][0]
    assert store.verified(path).all()
    np.testing.assert_array_equal(store.open_store(path)["frozen"].values, arrays["frozen"])


def test_a_store_of_a_day_a_chunk_opens_and_is_written_as_before(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "_days", lambda *a: 1)
    path, arrays = new(tmp_path / "r.zarr"), record()
    monkeypatch.undo()
    with store.writer(path) as write:
        for t in range(len(TIME)):
            write(t, {name: values[t : t + 1] for name, values in arrays.items()})
            assert store.verified(path).all(axis=1).sum() == t + 1
    ds = store.open_store(path)
    assert ds["frozen"].encoding["chunks"][0] == 1
    np.testing.assert_array_equal(ds["frozen"].values, arrays["frozen"])


def test_any_part_is_that_of_the_whole_and_as_xarray_decodes_it(tmp_path):
    path, arrays = new(tmp_path / "r.zarr"), record()
    with store.writer(path) as write:
        write(0, arrays)
    ds, lazy = store.open_store(path), store.open_store(path, chunks={})
    assert lazy["frozen"].chunks[0] == (32, 19)
    theirs = xr.open_zarr(path, chunks=None)["frozen"].astype("f4")
    for part in (np.s_[3, 1], np.s_[:, 0, 60, 45], np.s_[5:40, :, [3, 90], 7], np.s_[[0, 50], 1, ::7, 2:9]):
        np.testing.assert_array_equal(ds["frozen"][part].values, theirs[part].values)
        np.testing.assert_array_equal(lazy["frozen"][part].values, theirs[part].values)
    assert (ds["age"].values == arrays["age"]).all() and ds["age"].dtype == np.uint8
    ds.to_netcdf(tmp_path / "r.nc")  # the packing goes with it
    assert xr.open_dataset(tmp_path / "r.nc", mask_and_scale=False)["frozen"].dtype == np.uint8
