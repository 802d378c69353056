import numpy as np
import pytest

from frostline.errors import ConfigError, InputError
from frostline.learn import channels as ch
from frostline.learn.scale import fit
from learn_stack import TB, small_stack


def scaler_of(stack, names):
    whole = np.ones((stack.sizes["y"], stack.sizes["x"]), bool)
    return fit(stack, ch.scaled(names), days=np.ones(stack.sizes["time"], bool), area=whole)


def test_names_in_order():
    names = ch.channel_names(
        small_stack(3, 8),
        inputs=["tb_36v", "tb_1v", "tb_36h"],
        statics=["elevation", "land"],
        extras=["day_of_year", "previous_day", "latitude"],
    )
    assert names == (
        "tb_36v", "tb_1v", "tb_36h", "valid:tb_36", "valid:tb_1", "age:tb_36", "age:tb_1",
        "previous:tb_36v", "previous:tb_1v", "previous:tb_36h",
        "elevation", "land", "latitude", "overpass", "day_sin", "day_cos",
    )  # fmt: skip
    day, place, flags = ch.split_names(names)
    assert (len(day), len(place), len(flags)) == (10, 3, 3)
    assert ch.inputs_of(names) == ["tb_36v", "tb_1v", "tb_36h"]
    assert ch.scaled(names) == ["tb_36v", "tb_1v", "tb_36h", "elevation"]
    assert ch.variables(names) == ["tb_36v", "tb_1v", "tb_36h", "age_tb_36", "age_tb_1", "elevation", "land"]


def test_extras_are_off_and_ages_need_a_variable():
    stack = small_stack(3, 8).drop_vars("age_tb_18")
    names = ch.channel_names(stack, inputs=["tb_18v", "tb_1v"], statics=[])
    assert names == ("tb_18v", "tb_1v", "valid:tb_18", "valid:tb_1", "age:tb_1", "overpass")


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"inputs": ["tb_89v"], "statics": []}, InputError),
        ({"inputs": [], "statics": ["elevation"]}, ConfigError),
        ({"inputs": ["tb_1v", "tb_1v"], "statics": []}, ConfigError),
        ({"inputs": ["tb_1v"], "statics": [], "extras": ["moon"]}, ConfigError),
    ],
)
def test_bad_lists(options, error):
    with pytest.raises(error):
        ch.channel_names(small_stack(2, 8), **options)


def test_a_cell_by_hand():
    stack = small_stack(4, 8, gaps=0.0).load()
    stack["tb_1v"].values[2, 1, 3, 4] = np.nan
    stack["age_tb_18"].values[2, 1, 3, 4] = 4
    stack["age_tb_1"].values[2, 1, 3, 4] = 255
    names = ch.channel_names(stack, inputs=TB[:4], statics=["elevation"])
    scaler = scaler_of(stack, names)
    cell = ch.day_fields(stack, np.array([1, 2]), names, scaler)[1, 1, :, 3, 4]
    value = {n: (float(stack[n][2, 1, 3, 4]) - scaler.mean[n]) / scaler.spread[n] for n in TB[:4]}
    # tb_1v is missing: 0; so its sensor is not valid, though tb_1h is kept; ages in tens of days
    expected = [0, value["tb_1h"], value["tb_18v"], value["tb_18h"], 0, 1, 0, 0.4]
    np.testing.assert_allclose(cell, expected, atol=1e-4)
    assert ch.place_fields(stack, names, scaler).shape == (1, 8, 8)


def test_previous_day_is_the_calendar_day_before():
    stack = small_stack(5, 8, gaps=0.0).isel(time=[0, 1, 3, 4])  # 3 January is lost
    names = ch.channel_names(stack, inputs=["tb_36v"], statics=[], extras=["previous_day"])
    scaler = scaler_of(stack, names)
    out = ch.day_fields(stack, np.arange(4), names, scaler)
    now, before = names.index("tb_36v"), names.index("previous:tb_36v")
    np.testing.assert_array_equal(out[[1, 3], :, before], out[[0, 2], :, now])
    assert not out[[0, 2], :, before].any()


def test_flags():
    names = ("tb_1v", "valid:tb_1", "overpass", "day_sin", "day_cos")
    time = np.array(["2016-01-01", "2016-04-01"], "datetime64[ns]")
    flags = ch.day_flags(time, np.array([0, 1, 2], "int8"), names)
    np.testing.assert_allclose(flags[:, :, 0], [[0, 1, 0.5]] * 2)
    angle = 2 * np.pi * 91 / 365.25  # 1 April of a leap year is day 91 counted from 0
    np.testing.assert_allclose(flags[1, 0, 1:], [np.sin(angle), np.cos(angle)], atol=1e-6)
    np.testing.assert_allclose(flags[0, 2, 1:], [0, 1])


def test_latitude():
    stack = small_stack(2, 8)
    names = ch.channel_names(stack, inputs=["tb_1v"], statics=[], extras=["latitude"])
    place = ch.place_fields(stack, names, scaler_of(stack, names))
    assert 0.4 < place.min() < place.max() < 1.0  # degrees / 90


def test_oldest_age_of_the_sensors_that_see():
    stack = small_stack(2, 8, gaps=0.0).load()
    for f, age in ((1, 1), (18, 3), (36, 255)):
        stack[f"age_tb_{f}"].values[:] = age
    stack["tb_36h"].values[0] = np.nan
    stack["tb_36h"].values[1], stack["tb_1h"].values[1], stack["tb_18v"].values[1] = np.nan, np.nan, np.nan
    names = ch.channel_names(stack, inputs=TB, statics=[])
    age, seen = ch.oldest(stack, np.arange(2), names)
    assert (age[0] == 3).all()  # 36 GHz is missing: its code 255 is no age
    assert seen[0].all()
    assert not seen[1].any()
    assert (age[1] == 255).all()


def test_first_infinite_names_channel_and_date():
    fields = np.zeros((3, 2, 4, 2, 2), "float32")
    time = np.array(["2016-01-01", "2016-01-02", "2016-01-03"], "datetime64[ns]")
    assert ch.first_infinite(fields, time, list("abcd")) is None
    fields[2, 1, 1, 0, 1], fields[1, 0, 3, 1, 1] = np.nan, np.inf
    assert ch.first_infinite(fields, time, list("abcd")) == ("d", np.datetime64("2016-01-02"))


def test_the_kernels_give_the_plain_channels_and_ages():
    stack = small_stack(4, 8, gaps=0.3).load()
    stack["tb_1v"].values[1, 0, 2, 2] = np.inf
    names = ch.channel_names(stack, inputs=TB, statics=["elevation"], extras=["previous_day"])
    scaler, index = scaler_of(stack.where(np.isfinite(stack["tb_1v"])), names), np.array([0, 2, 3])
    fields = ch.day_fields(stack, index, names, scaler)
    np.testing.assert_array_equal(fields, ch.day_fields_plain(stack, index, names, scaler))
    room = np.full((3, 2, fields.shape[2] + 2, 8, 8), 7, "f4")
    assert ch.day_fields(stack, index, names, scaler, out=room[:, :, 1:-1]).base is room
    assert (room[:, :, 1:-1] == fields).all() and (room[:, :, [0, -1]] == 7).all()
    for found, plain in zip(ch.oldest(stack, index, names, fields), ch.oldest(stack, index, names), strict=True):
        np.testing.assert_array_equal(found, plain)
