import numpy as np
import pytest
import xarray as xr

from frostline import schema
from frostline.clock import days
from frostline.errors import InputError
from frostline.grid import named

GRID = named("N09").around(140.0, 57.0, (3, 4))


def a_record(**changes):
    frozen = np.full((2, 2, 3, 4), 0.5, "f4")
    frozen[0, 0, 0, 0] = np.nan
    return schema.record(frozen, grid=GRID, time=days("2016-02-28", "2016-02-29"), overpass=[0, 1], **changes)


def test_a_record_passes_and_says_what_it_holds():
    ds = a_record(quality=np.zeros((2, 2, 3, 4), "u2"), age=np.zeros((2, 2, 3, 4), "u1"))
    assert schema.check(ds, schema.RECORD) is ds
    assert ds["quality"].attrs["flag_meanings"].split()[0] == "gap_filled"
    assert ds["quality"].attrs["flag_masks"].dtype == np.uint16
    assert ds["overpass"].dtype == np.int8
    assert ds["frozen"].attrs["units"] == "1"


def test_one_message_lists_all_breaches():
    ds = a_record().drop_vars("x").rename(y="row")
    ds = ds.assign(sunshine=("row", np.zeros(3))).isel(time=[1, 0]).assign_coords(overpass=[0, 7])
    with pytest.raises(InputError) as caught:
        schema.check(ds, schema.RECORD)
    text = str(caught.value)
    assert caught.value.exit == 3
    assert "\n" not in text
    for part in ("'frozen' is on", "'sunshine' is not in the vocabulary", "'time' does not rise", "[0, 7]"):
        assert part in text


@pytest.mark.parametrize("bad", [1.2, -0.1, 255.0])
def test_values_outside_the_vocabulary_are_refused(bad):
    ds = a_record()
    ds["frozen"][0, 0, 1, 1] = bad
    with pytest.raises(InputError, match=r"outside 0\.\.1"):
        schema.check(ds, schema.RECORD)
    schema.check(ds, schema.RECORD, values=False)


def test_repeated_dates_and_a_missing_grid_are_breaches():
    ds = a_record()
    twice = xr.concat([ds.isel(time=[0]), ds.isel(time=[0])], "time")
    with pytest.raises(InputError, match="repeats a date"):
        schema.check(twice, schema.RECORD)
    ds.attrs = {}
    with pytest.raises(InputError, match="carries no grid"):
        schema.check(ds, schema.RECORD)


def test_sites_need_places():
    frozen = (("time", "overpass", "site"), np.zeros((1, 2, 3)))
    ds = schema.coordinates(xr.Dataset({"frozen": frozen}), time=days("2017-01-01", "2017-01-01"), overpass=[0, 1])
    with pytest.raises(InputError, match="'lon' is missing; coordinate 'lat' is missing"):
        schema.check(ds, schema.SITES)
    good = ds.assign_coords(lon=("site", [1.0, 2, 3]), lat=("site", [50.0, 51, 52]))
    assert schema.check(good, schema.SITES) is good


def test_a_stack_speaks_the_vocabulary():
    tb = xr.Dataset({"tb_1v": (("time", "overpass", "y", "x"), np.full((1, 1, 3, 4), 250.0))})
    tb = GRID.write(schema.coordinates(tb, time=days("2017-01-01", "2017-01-01"), overpass=[0]))
    schema.check(tb, schema.STACK)
    with pytest.raises(InputError, match=r"holds -23..-23 K"):
        celsius = tb.assign(tb_1v=tb["tb_1v"] - 273.0)
        schema.check(celsius, schema.STACK)


def a_stack(step=(3, 2, 1), **changes):
    shape = (2, 2, 3, 3, 4)
    data = {
        "soil_temperature": (("time", "overpass", "step", "y", "x"), np.full(shape, 270.0)),
        "soil_temperature_30d": (("time", "overpass", "y", "x"), np.full((2, 2, 3, 4), 268.0)),
        "label_smap": (("time", "overpass", "y", "x"), np.ones((2, 2, 3, 4))),
        "region": (("y", "x"), np.ones((3, 4))),
    }
    ds = schema.coordinates(xr.Dataset(data | changes), time=days("2016-02-28", "2016-02-29"), overpass=[0, 1])
    return schema.describe(GRID.write(ds.assign_coords(step=("step", list(step)))))


def test_a_stack_may_have_steps_and_means_over_days():
    ds = schema.check(a_stack(), schema.STACK)
    assert ds["soil_temperature_30d"].attrs["units"] == "K"
    assert "last 30 days" in ds["soil_temperature_30d"].attrs["long_name"]
    assert schema.quantity("soil_temperature_d") is None and schema.quantity("sunshine") is None


@pytest.mark.parametrize("step", [(1, 2, 3), (3, 3, 1)])
def test_steps_go_from_the_oldest_to_the_latest_each_once(step):
    with pytest.raises(InputError, match="oldest first"):
        schema.check(a_stack(step), schema.STACK)


def test_a_mean_over_days_has_the_range_of_a_temperature():
    low = (("time", "overpass", "y", "x"), np.full((2, 2, 3, 4), -5.0))
    with pytest.raises(InputError, match="'soil_temperature_7d' holds -5"):
        schema.check(a_stack(soil_temperature_7d=low), schema.STACK)
