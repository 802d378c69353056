import numpy as np
import pytest

from frostline.errors import ConfigError, InputError
from frostline.learn import channels as ch
from frostline.learn import sequences as sq
from frostline.learn.samples import fields, pack
from frostline.learn.scale import fit
from learn_stack import TB, small_stack
from learn_steps import INPUTS, STATICS, step_stack


def test_names_of_the_steps_in_order():
    names = sq.unroll(step_stack(2, 8), ["soil_temperature", "snow_depth"])
    assert names == [f"{v}@{k}" for v in ("soil_temperature", "snow_depth") for k in (3, 2, 1)]


def test_without_a_coordinate_steps_count_back_from_the_overpass():
    stack = step_stack(2, 8).drop_vars("step")
    assert sq.unroll(stack, ["snow_depth"]) == ["snow_depth@-3", "snow_depth@-2", "snow_depth@-1"]
    one, two = (sq.field(s, "snow_depth@-2") for s in (stack, sq.latest(stack, 2)))
    np.testing.assert_array_equal(one, two)


def test_a_stack_without_steps_is_as_it_was():
    stack = small_stack(2, 8)
    assert sq.unroll(stack, TB) == [*TB]
    assert sq.latest(stack, 1) is stack
    assert sq.field(stack, "tb_1v") is not None
    assert sq.complete("unet", {"width": 4}, TB) == {"width": 4}


def test_variables_without_steps_come_after_those_with():
    stack = step_stack(2, 8, steps=2)
    stack["tb_36v"] = stack["truth"]
    assert sq.unroll(stack, ["tb_36v", "soil_temperature"]) == ["soil_temperature@2", "soil_temperature@1", "tb_36v"]


@pytest.mark.parametrize("steps", [1, 2, 3, 6])
def test_latest_keeps_what_is_nearest_to_the_overpass(steps):
    part = sq.latest(step_stack(2, 8, steps=6), steps)
    assert part["step"].values.tolist() == list(range(steps, 0, -1))
    names = ch.channel_names(part, inputs=sq.unroll(part, INPUTS), statics=STATICS)
    assert sq.complete("convlstm", {}, names) == {"steps": steps, "dynamic": 4}


@pytest.mark.parametrize("steps", [0, 4])
def test_more_steps_than_there_are(steps):
    with pytest.raises(ConfigError, match="a stack that has 3"):
        sq.latest(step_stack(2, 8), steps)


def test_a_step_that_is_not_there():
    stack = step_stack(2, 8)
    with pytest.raises(InputError, match=r"E-INPUT-MISSING\s+snow_depth@6.*\['3', '2', '1'\]"):
        sq.field(stack, "snow_depth@6")
    with pytest.raises(InputError, match="E-INPUT-MISSING"):  # trained without steps
        sq.field(stack, "snow_depth")
    with pytest.raises(InputError, match="no steps here"):  # trained with steps
        sq.field(small_stack(2, 8), "tb_1v@3")
    with pytest.raises(InputError, match="not distinct"):
        sq.unroll(stack.assign_coords(step=[1, 1, 2]), ["snow_depth"])


def test_options_that_say_otherwise():
    with pytest.raises(ConfigError, match="steps=2"):
        sq.complete("convlstm", {"steps": 2}, ["a@3", "a@2", "a@1", "valid:a", "overpass"])
    assert sq.complete("convlstm", {}, ["a", "b", "valid:a", "valid:b", "overpass"]) == {"steps": 1, "dynamic": 2}


def whole(stack):
    return np.ones((stack.sizes["y"], stack.sizes["x"]), bool)


def named_channels(stack, extras=()):
    names = ch.channel_names(stack, inputs=sq.unroll(stack, INPUTS[:2]), statics=STATICS, extras=extras)
    return names, fit(stack, ch.scaled(names), days=np.ones(stack.sizes["time"], bool), area=whole(stack))


def test_channel_list():
    names, scaler = named_channels(step_stack(3, 8), extras=("longitude", "latitude"))
    assert names == (
        "soil_temperature@3", "soil_temperature@2", "soil_temperature@1",
        "soil_moisture@3", "soil_moisture@2", "soil_moisture@1",
        "valid:soil_temperature", "valid:soil_moisture",
        "terrain_std", "water_fraction", "latitude", "longitude", "overpass",
    )  # fmt: skip
    assert ch.variables(names) == ["soil_temperature", "soil_moisture", "terrain_std", "water_fraction"]
    assert [*scaler.mean] == ["soil_temperature", "soil_moisture", "terrain_std"]


def test_all_steps_share_one_scale_by_hand():
    stack = step_stack(1, 8).load()
    ramp = np.array([270.0, 272.0, 274.0])  # mean 272, spread sqrt(8 / 3)
    stack["soil_temperature"].values[:] = ramp[:, None, None]
    names, scaler = named_channels(stack)
    assert scaler.mean["soil_temperature"] == pytest.approx(272)
    assert scaler.spread["soil_temperature"] == pytest.approx((8 / 3) ** 0.5)
    out = ch.day_fields(stack, np.array([0]), names, scaler)[0, 0, :3, 4, 4]
    np.testing.assert_allclose(out, [-1.2247449, 0, 1.2247449], atol=1e-5)


def test_a_variable_is_valid_with_all_its_steps():
    stack = step_stack(2, 8).load()
    stack["soil_temperature"].values[1, 0, 1, 5, 5] = np.nan
    names, scaler = named_channels(stack)
    cell = ch.day_fields(stack, np.arange(2), names, scaler)[1, 0, :, 5, 5]
    assert cell[names.index("soil_temperature@2")] == 0
    assert cell[names.index("soil_temperature@1")] != 0
    assert cell[names.index("valid:soil_temperature")] == 0
    assert cell[names.index("valid:soil_moisture")] == 1
    age, seen = ch.oldest(stack, np.arange(2), names)
    assert seen.all()  # soil moisture is left
    assert not age.any()


def test_place_by_hand():
    stack = step_stack(1, 8)
    names, scaler = named_channels(stack, extras=("latitude", "longitude"))
    place = ch.place_fields(stack, names, scaler)
    lon, lat = (values[3, 4] for values in _lonlat(stack))
    np.testing.assert_allclose(place[-2:, 3, 4], [lat / 90, lon / 180], atol=1e-6)
    assert 73 < lon < 135  # the window lies in China


def _lonlat(stack):
    from frostline.grid import Grid

    return Grid.of(stack).lonlat()


def test_packed_samples_hold_the_steps(tmp_path):
    stack = step_stack(4, 8)
    names, scaler = named_channels(stack)
    samples = pack(
        stack, channels=names, scaler=scaler, sources=["smap", "esdr"], days=np.array([0, 1, 1, 0], bool),
        visible=whole(stack), labelled=whole(stack), file=tmp_path / "train.npy",
    )  # fmt: skip
    x, y = fields(samples, samples.table["row"].to_numpy())
    assert (x.shape, y.shape) == ((4, len(names), 8, 8), (4, 2, 8, 8))
    for k, name in enumerate(names[:6]):
        variable, _, step = name.partition("@")
        values = stack[variable].sel(step=int(step)).values[1, 0]
        expected = (values - scaler.mean[variable]) / scaler.spread[variable]
        np.testing.assert_allclose(x[0, k], expected, atol=3e-3)  # packed as float16
    np.testing.assert_array_equal(y[0, 0], stack["label_smap"].values[1, 0])
    assert np.isnan(y[:, :, :2, :2]).all()
