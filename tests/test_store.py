import json

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from frostline import packing, schema, store
from frostline.clock import days
from frostline.errors import DiskError, InputError
from frostline.grid import Grid, named

GRID = named("N09").around(140.0, 57.0, (5, 7))
TIME = days("2016-02-26", "2016-03-05")


def new(path, variables=("frozen", "quality", "age"), static=None):
    return store.create(
        path, grid=GRID, time=TIME, overpass=[0, 1], variables=variables, static=static, attrs={"source": "test"}
    )


def some(count, seed=0, passes=2):
    rng = np.random.default_rng(seed)
    frozen = rng.random((count, passes, *GRID.shape)).astype("f4")
    frozen[rng.random(frozen.shape) < 0.2] = np.nan
    shape = frozen.shape
    return {"frozen": frozen, "quality": rng.integers(0, 128, shape, "u2"), "age": rng.integers(0, 9, shape, "u1")}


def test_a_new_store_is_unknown_everywhere_and_already_has_its_dates(tmp_path):
    ds = store.open_store(new(tmp_path / "r.zarr", static={"elevation": np.full(GRID.shape, 120.0)}))
    assert (ds["time"].values == TIME).all()
    assert np.isnan(ds["frozen"].values).all()
    assert (ds["quality"].values == 65535).all()
    assert Grid.of(ds) == GRID
    assert (ds["elevation"].values == 120.0).all()
    assert not store.verified(tmp_path / "r.zarr").any()


def test_written_steps_come_back_within_the_packing(tmp_path):
    path = new(tmp_path / "r.zarr")
    block = some(4)
    with store.writer(path) as write:
        write(2, block)
    ds = store.open_store(path)
    back = ds["frozen"].values[2:6]
    known = np.isfinite(block["frozen"])
    assert (np.isfinite(back) == known).all()
    assert np.abs(back - block["frozen"])[known].max() <= 0.5 / 200 + 0.0026  # half a code, one more beside 0.5
    assert ((back > 0.5) == (block["frozen"] > 0.5))[known].all()
    assert (ds["quality"].values[2:6] == block["quality"]).all()
    assert (ds["age"].values[2:6] == block["age"]).all()
    assert np.isnan(ds["frozen"].values[[0, 1, 6, 7]]).all()
    assert store.verified(path)[2:6].all() and store.verified(path).sum() == 8
    schema.check(ds, schema.RECORD)


@given(hnp.arrays("f4", 50, elements=st.floats(0, 1, width=32) | st.just(np.nan)))
def test_packing_keeps_the_class_and_the_unknown(p):
    codes = packing.pack(p, packing.PROBABILITY)
    back = np.where(codes == 255, np.nan, codes * np.float32(0.005)).astype("f4")
    assert (np.isnan(back) == np.isnan(p)).all()
    known = ~np.isnan(p)
    for compare in (np.less, np.equal, np.greater):
        assert (compare(back[known], 0.5) == compare(p[known], np.float32(0.5))).all()


def test_every_code_is_exact_and_no_value_is_the_fill():
    codes = np.arange(201, dtype="f4") / 200
    assert (packing.pack(codes, packing.PROBABILITY) == np.arange(201)).all()
    with pytest.raises(InputError, match="do not fit"):
        packing.pack(np.array([255.0]), packing.CLASS)
    with pytest.raises(InputError, match="do not fit"):
        packing.pack(np.array([-3.0]), packing.KELVIN)


def test_rewriting_a_step_is_idempotent(tmp_path):
    path = new(tmp_path / "r.zarr")
    with store.writer(path) as write:
        write(0, some(9, seed=1))
        write(3, some(2, seed=2))
        first = store.open_store(path).load()
        write(3, some(2, seed=2))
    xr.testing.assert_identical(first, store.open_store(path).load())
    assert store.verified(path).all()


def test_a_single_overpass_can_be_written(tmp_path):
    path = new(tmp_path / "r.zarr", variables=("frozen",))
    values = np.full((3, *GRID.shape), 0.25, "f4")
    with store.writer(path) as write:
        write(1, {"frozen": values}, overpass=1)
    ds = store.open_store(path)
    assert (ds["frozen"].values[1:4, 1] == 0.25).all()
    assert np.isnan(ds["frozen"].values[:, 0]).all()
    assert store.verified(path)[:, 1].sum() == 3


def test_a_step_stopped_half_way_is_unknown_until_written_again(tmp_path):
    path = new(tmp_path / "r.zarr")
    block = some(1, seed=5)
    with store.writer(path) as write:
        write(0, some(9))
    lines = (path / store.JOURNAL).read_text().splitlines()
    pending = json.dumps({"t": 4, "o": 1, "state": "pending"})
    (path / store.JOURNAL).write_text("\n".join([*lines, pending]) + '\n{"t": 5, "o"')  # and a torn line
    ds = store.open_store(path)
    assert np.isnan(ds["frozen"].values[4, 1]).all()
    assert (ds["quality"].values[4, 1] == 65535).all()
    assert np.isfinite(ds["frozen"].values[4, 0]).any()
    assert not store.verified(path)[4, 1]
    with (path / store.JOURNAL).open("a") as f:
        f.write("\n")
    with store.writer(path) as write:
        write(4, block)
    assert store.verified(path).all()
    assert np.isfinite(store.open_store(path)["frozen"].values[4, 1]).any()


def test_an_interrupted_creation_leaves_nothing_that_opens(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "_array", lambda *a: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(DiskError, match="No space left") as caught:
        new(tmp_path / "r.zarr")
    assert caught.value.exit == 6
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(InputError, match="no finished store"):
        store.open_store(tmp_path / "r.zarr")


def test_a_second_writer_is_refused_and_a_dead_one_is_replaced(tmp_path):
    path = new(tmp_path / "r.zarr")
    with store.writer(path), pytest.raises(DiskError, match="is writing this store"), store.writer(path):
        pass
    import socket

    (tmp_path / "r.zarr.lock").write_text(f"{socket.gethostname()} 4194999")  # above Linux's largest process id here
    with store.writer(path) as write:
        write(0, some(1))
    assert not (tmp_path / "r.zarr.lock").exists()


STEPS = (5, 3, 1)


def stepped(path):
    return store.create(
        path,
        grid=GRID,
        time=TIME,
        overpass=[0, 1],
        variables=["overpass_temperature"],
        stepped=["soil_temperature", "precipitation"],
        step=STEPS,
        attrs={"made_for": "me"},
    )


def some_steps(count, seed=0):
    rng = np.random.default_rng(seed)
    shape = (count, 2, 3, *GRID.shape)
    rain = np.round(rng.random(shape), 5).astype("f4") / 10
    rain[rng.random(shape) < 0.2] = np.nan
    kelvin = (270 + np.round(rng.random(shape), 2)).astype("f4")
    return {"soil_temperature": kelvin, "precipitation": rain, "overpass_temperature": kelvin[:, :, 0]}


def test_variables_with_steps_come_back_with_their_coordinate(tmp_path):
    path, block = stepped(tmp_path / "s.zarr"), some_steps(4)
    with store.writer(path) as write:
        write(2, block)
    ds = schema.check(store.open_store(path), schema.STACK)
    assert ds["soil_temperature"].dims == ("time", "overpass", "step", "y", "x")
    assert ds["step"].values.tolist() == [5, 3, 1] and ds["step"].attrs["units"] == "hours"
    assert np.abs(ds["soil_temperature"].values[2:6] - block["soil_temperature"]).max() <= 0.005 + 1e-4
    back = ds["precipitation"].values[2:6]
    assert (np.isnan(back) == np.isnan(block["precipitation"])).all()
    assert np.nanmax(np.abs(back - block["precipitation"])) <= 0.5e-5 + 1e-8
    assert ds["precipitation"].attrs["units"] == "m h-1"
    assert store.verified(path)[2:6].all() and store.verified(path).sum() == 8
    assert store.made_for(path) == "me" and store.made_for(tmp_path / "none.zarr") is None


def test_a_torn_pass_is_unknown_in_all_steps_and_the_other_pass_is_kept(tmp_path):
    path = stepped(tmp_path / "s.zarr")
    with store.writer(path) as write:
        write(0, some_steps(9))
        one = {name: values[:1, 1] for name, values in some_steps(1, seed=3).items()}
        write(7, one, overpass=1)
    with (path / store.JOURNAL).open("a") as journal:
        journal.write(json.dumps({"t": 4, "o": 1, "state": "pending"}) + "\n")
    ds = store.open_store(path)
    assert np.isnan(ds["soil_temperature"].values[4, 1]).all()
    assert np.isfinite(ds["soil_temperature"].values[4, 0]).all()
    assert ds["soil_temperature"].dims == ("time", "overpass", "step", "y", "x")
    assert np.abs(ds["soil_temperature"].values[7, 1] - one["soil_temperature"][0]).max() < 0.006
    with store.writer(path) as write:
        write(4, {name: values[4:5] for name, values in some_steps(9).items()})
    assert np.isfinite(store.open_store(path)["soil_temperature"].values[4, 1]).all()


def test_what_the_reanalysis_gives_fits_its_codes():
    values = {"soil_moisture": 0.4321, "snow_depth": 33.333, "precipitation": 0.31, "soil_temperature_30d": 263.17}
    for name, value in values.items():
        spec = packing.spec_of(name)
        code = packing.pack(np.array([value, np.nan, 0.0 if name != "soil_temperature_30d" else 200.0]), spec)
        assert code.dtype == np.uint16 and code[1] == 65535
        assert abs(code[0] * spec.scale - value) <= spec.scale / 2 + 1e-12
    with pytest.raises(InputError, match="do not fit"):
        packing.pack(np.array([0.7]), packing.RAIN)
