import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from frostline.errors import InputError
from frostline.learn import scale
from frostline.learn.scale import Scaler, fit

FIELD = ("time", "overpass", "y", "x")


def dataset(values):
    time = np.datetime64("2016-02-28", "ns") + np.arange(len(values)) * np.timedelta64(1, "D")
    return xr.Dataset({"tb_1v": (FIELD, values)}, coords={"time": time})


def test_by_hand_on_training_days_and_area_only():
    values = np.array([[1.0, 50.0], [2.0, 50.0], [6.0, np.nan], [900.0, 900.0]]).reshape(4, 1, 1, 2)
    days, area = np.array([True, True, True, False]), np.array([[True, False]])
    scaler = fit(dataset(values), ["tb_1v"], days=days, area=area)
    # 1, 2, 6: mean 3, variance (4 + 1 + 9) / 3
    assert scaler.mean["tb_1v"] == pytest.approx(3.0)
    assert scaler.spread["tb_1v"] == pytest.approx(np.sqrt(14 / 3))
    scaled = scaler("tb_1v", np.array([3.0, np.nan, 3 + np.sqrt(14 / 3)], "float32"))
    assert scaled.dtype == np.float32
    np.testing.assert_allclose(scaled, [0, np.nan, 1], atol=1e-6)


@settings(max_examples=25, deadline=None)
@given(arrays("float32", (7, 2, 2, 3), elements=st.floats(200, 300, width=32)), st.integers(1, 4))
def test_blocks_add_up_to_the_whole(values, many):
    values[0, 0, 0, 0], values[1, 0, 0, 0] = 150.0, 310.0  # some spread in any case
    block = scale.BLOCK_BYTES
    scale.BLOCK_BYTES = many * 4 * 12
    try:
        got = fit(dataset(values), ["tb_1v"], days=np.ones(7, bool), area=np.ones((2, 3), bool))
    finally:
        scale.BLOCK_BYTES = block
    assert got.mean["tb_1v"] == pytest.approx(values.astype("float64").mean(), rel=1e-12)
    assert got.spread["tb_1v"] == pytest.approx(values.astype("float64").std(), rel=1e-9)


def test_static_variable():
    ds = xr.Dataset(
        {"elevation": (("y", "x"), np.array([[0.0, 100.0, 7000.0]])), "tb_1v": (FIELD, np.ones((2, 1, 1, 3)))}
    )
    got = fit(ds, ["elevation"], days=np.ones(2, bool), area=np.array([[True, True, False]]))
    assert (got.mean["elevation"], got.spread["elevation"]) == (50.0, 50.0)


@pytest.mark.parametrize(
    ("values", "name", "code"),
    [
        (np.full((2, 1, 1, 1), 250.0), "tb_1v", "E-INPUT-CORRUPT"),
        (np.full((2, 1, 1, 1), np.nan), "tb_1v", "E-INPUT-MISSING"),
        (np.array([250.0, np.inf]).reshape(2, 1, 1, 1), "tb_1v", "E-TRAIN-NAN"),
        (np.ones((2, 1, 1, 1)), "tb_1h", "E-INPUT-MISSING"),
    ],
)
def test_no_statistics(values, name, code):
    with pytest.raises(InputError) as error, np.errstate(invalid="ignore"):
        fit(dataset(values), [name], days=np.ones(2, bool), area=np.ones((1, 1), bool))
    assert error.value.code == code
    assert name in str(error.value)


def test_missing_name_is_an_error():
    with pytest.raises(InputError, match="tb_36v"):
        Scaler({"tb_1v": 0.0}, {"tb_1v": 1.0})("tb_36v", np.ones(3))


@pytest.mark.parametrize("spread", [0.0, -1.0, np.nan])
def test_no_spread(spread):
    with pytest.raises(InputError):
        Scaler({"tb_1v": 250.0}, {"tb_1v": spread})


def test_infinity_is_named_with_its_date():
    values = np.array([250.0, 251.0, -np.inf]).reshape(3, 1, 1, 1)
    with pytest.raises(InputError, match="tb_1v on 2016-03-01"):
        fit(dataset(values), ["tb_1v"], days=np.array([True, False, True]), area=np.ones((1, 1), bool))
