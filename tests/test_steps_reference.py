import numpy as np
import xarray as xr

from frostline.clock import days
from frostline.grid import named
from frostline.steps.reference import cell_means


def test_means_are_of_the_chosen_days_and_of_what_was_seen():
    time = days("2017-01-01", "2017-02-19")  # 50 days: more than one block
    values = np.full((50, 2, 1, 3), np.nan, "f4")
    values[:40, :, 0, 0] = 250.0
    values[40:, :, 0, 0] = 100.0  # not chosen
    values[3, 0, 0, 1], values[35, 1, 0, 1] = 240.0, 250.0
    stack = (
        named("N09")
        .around(135.0, 54.5, (1, 3))
        .write(
            xr.Dataset({"tb_1v": (("time", "overpass", "y", "x"), values)}, coords={"time": time, "overpass": [0, 1]})
        )
    )
    chosen = np.arange(50) < 40
    means = cell_means(stack, ["tb_1v"], days=chosen)["tb_1v"].values[0]
    assert means[0] == 250.0
    assert means[1] == 245.0  # (240 + 250) / 2
    assert np.isnan(means[2])
