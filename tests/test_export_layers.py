"""AM and PM in one layer: every pair of codes by hand, and the files that hold it."""

import numpy as np
import pytest
import xarray as xr

from frostline import export
from frostline.clock import AM, DAILY, PM, days
from frostline.export_layers import combined, encode, layers
from frostline.grid import named
from frostline.schema import QUALITY, record

GRID = named("N09").around(20.0, 60.0, (1, 6))
WATER = QUALITY["open_water"]
# probability AM, PM, bits -> freeze_thaw_daily, thaw_freeze_daily
CELLS = [
    (0.9, 0.8, 0, 1, 0),
    (0.2, 0.1, 0, 0, 1),
    (0.9, 0.5, 0, 2, 2),  # a tie counts as thawed: transitional
    (0.5, 0.51, 0, 3, 3),
    (0.9, np.nan, 0, 252, 252),
    (np.nan, np.nan, WATER, 254, 254),
]


def made(**over):
    fields = np.array([[am, pm] for am, pm, *_ in CELLS], "f4").T.reshape(1, 2, 1, 6)
    bits = np.broadcast_to(np.array([q for _, _, q, *_ in CELLS], "u2"), fields.shape)
    options = {"time": days("2017-01-01", "2017-01-01"), "overpass": [AM, PM]} | over
    return record(fields, grid=GRID, quality=bits.copy(), **options)


@pytest.mark.parametrize(("polarity", "place"), [("frozen", 3), ("thaw", 4)])
def test_codes_by_hand_and_on_disk(tmp_path, polarity, place):
    want = [cell[place] for cell in CELLS]
    state = next(iter(encode(made()["frozen"].values, made()["quality"].values, None, polarity=polarity).values()))
    assert combined(state[0, 0], state[0, 1], polarity=polarity).ravel().tolist() == want
    name = f"{'freeze_thaw' if polarity == 'frozen' else 'thaw_freeze'}_daily"
    path = export.to_netcdf(made(), tmp_path, polarity=polarity, combined=True)[0]
    with xr.open_dataset(path, mask_and_scale=False) as ds:
        assert ds[name].dims == ("time", "y", "x") and ds[name].values.ravel().tolist() == want
        attrs = ds[name].attrs
        assert len(attrs["flag_values"]) == len(attrs["flag_meanings"].split()) == 7
        meaning = dict(zip(attrs["flag_values"].tolist(), attrs["flag_meanings"].split(), strict=True))
        assert (meaning[2], meaning[3], meaning[want[0]]) == ("transitional", "inverse", "frozen")
        assert "flag_values" in layers(polarity)[name].attrs and attrs["grid_mapping"] == "crs"
    rasterio = pytest.importorskip("rasterio")
    paths = export.to_cog(made(), tmp_path, polarity=polarity, combined=True)
    assert len(paths) == 2 * 3 + 1 and paths[-1].name == f"frostline_20170101_ampm_{name}.tif"
    with rasterio.open(paths[-1]) as file:
        assert file.read(1).ravel().tolist() == want and len({file.colormap(1)[i] for i in range(4)}) == 4


def test_without_both_overpasses_or_unasked_there_is_none(tmp_path):
    one = made().isel(overpass=[0]).assign_coords(overpass=("overpass", np.array([DAILY], "int8")))
    for k, (ds, asked) in enumerate(((one, True), (made(), False))):
        with xr.open_dataset(export.to_netcdf(ds, tmp_path / str(k), combined=asked)[0]) as back:
            assert "freeze_thaw_daily" not in back
