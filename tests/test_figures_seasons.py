import numpy as np
import pytest

from drawn import GRID, LAND, ONE, picture, said
from frostline.figures_seasons import am_pm_difference, extent_series, frozen_days_maps, melt_maps, peak
from frostline.grid import Grid

pytestmark = pytest.mark.filterwarnings("error")
DAYS = np.where(LAND, 200.0, np.nan)
# NSIDC's south polar stereographic grid at 100 km
SOUTH = Grid("S100", "EPSG:3412", -3.95e6, 4.35e6, 1e5, (83, 79))


def test_maps_say_means_and_n() -> None:
    days = DAYS.copy()
    days[8:] = np.where(LAND, 100.0, np.nan)[8:]
    figure = frozen_days_maps(
        GRID, days, np.full(GRID.shape, 8.0), land=LAND, years=range(2016, 2021), note="twin Earth"
    )
    text = said(figure)
    # 122 cells of 200 and 128 of 100: 148.8
    assert "Frozen days a year, 2016–2020: mean 149, n = 250" in text
    assert "SD over 5 years: mean 8, n = 250" in text
    assert "twin Earth" in text


def test_one_year_has_no_deviation() -> None:
    for sd in (None, np.full(GRID.shape, np.nan)):
        figure = frozen_days_maps(GRID, DAYS, sd, land=LAND, years=[2017])
        assert "SD" not in said(figure)
        assert "2017: mean 200" in said(figure)


def test_maps_of_nothing_and_of_one_cell() -> None:
    nothing = np.full(GRID.shape, np.nan)
    assert "nothing known" in said(frozen_days_maps(GRID, nothing, nothing, land=LAND))
    one = np.ones((1, 1))
    assert "mean 1, n = 1" in said(frozen_days_maps(ONE, one, one, land=one == 1))


def test_peak_by_hand() -> None:
    assert peak(np.array([10.0, 20.0]), np.array([30.0, 25.0]), np.array([0.6, 1.0])) == (
        "largest 30.00 ± 0.60 million km² (± 2.0 %) on day 10"
    )
    assert peak(np.array([10.0]), np.array([30.0]), np.array([np.nan])) == "largest 30.00 million km² on day 10"
    assert peak(np.array([10.0]), np.array([np.nan]), np.array([np.nan])) == "unknown"


def test_extent_with_band_and_share() -> None:
    day = np.arange(1, 366)
    frozen = 1.4e7 * (1 + np.cos(2 * np.pi * (day - 20) / 365))
    states = {"frozen": (frozen, 0.02 * frozen), "thawed": (3e7 - frozen, 0.02 * frozen)}
    figure = extent_series(day, states, years=range(2016, 2021), area=3e7, note="twin Earth")
    text = said(figure)
    assert "frozen: largest 28.00 ± 0.56 million km² (± 2.0 %) on day 20" in text
    assert "Mean extent 2016–2020, band: ±1 SD of 5 years" in text
    line = figure.axes[0].get_lines()[0]
    assert line.get_ydata()[19] == pytest.approx(28.0)
    # the right-hand axis: 30 of 30 million km2 are 100 %
    assert figure.axes[0].child_axes[0]._functions[0](30.0) == pytest.approx(100.0)


def test_extent_of_one_year_and_of_nothing() -> None:
    day = np.arange(1, 366)
    nothing = np.full(365, np.nan)
    text = said(extent_series(day, {"frozen": (np.ones(365) * 1e6, nothing)}, years=[2017]))
    assert "one year: no band" in text and "largest 1.00 million" in text
    assert "frozen: unknown" in said(extent_series(day, {"frozen": (nothing, nothing)}))


def test_am_pm_says_the_two_numbers() -> None:
    numbers = {"mean_absolute": 24.04, "sd_absolute": 20.26, "am_longer": 0.77, "cells": 1250}
    text = said(am_pm_difference(GRID, DAYS - 190, numbers, land=LAND, note="twin Earth"))
    assert "24.0 ± 20.3 days" in text and "AM longer on 77 % of 1,250 cells" in text
    unknown = {"mean_absolute": np.nan, "sd_absolute": np.nan, "am_longer": np.nan, "cells": 0}
    text = said(am_pm_difference(GRID, np.full(GRID.shape, np.nan), unknown, land=LAND))
    assert "no cell known" in text and "nan" not in text


def test_melt_is_cut_to_the_ice_and_says_its_means() -> None:
    ice = np.zeros(SOUTH.shape, bool)
    ice[30:50, 20:60] = True
    days = np.where(ice, 12.5, np.nan)
    trend = np.where(ice, -0.25, np.nan)
    sure = ice.copy()
    sure[:, :40] = False  # half of the ice
    fields = {"days": days, "onset": days + 50, "length": days, "trend": trend}
    figure = melt_maps(SOUTH, fields, ice=ice, significant=sure, years=(1979, 2021))
    text = said(figure)
    for part in ("Melt days a year, 1979–2021", "mean 12.5, n = 800", "mean −0.25, n = 800, 50 % of cells significant",
                 "mean 62.5", "not of the record"):  # fmt: skip
        assert part in text
    low, high = figure.axes[0].get_xlim()
    assert (high - low) / SOUTH.step == pytest.approx(48)  # 40 columns and 4 on each side


def test_melt_of_nothing() -> None:
    nothing = np.full(SOUTH.shape, np.nan)
    picture(melt_maps(SOUTH, {"days": nothing}, ice=np.zeros(SOUTH.shape, bool)))
    one = np.ones((1, 1))
    picture(melt_maps(ONE, {"trend": one * 0}, ice=one == 1, significant=one == 1))
