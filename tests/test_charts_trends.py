import numpy as np
import pytest

from drawn import picture, said
from frostline.charts_trends import air_frozen_days, frozen_days_series, sen_line, trend_bars

pytestmark = pytest.mark.filterwarnings("error")
YEARS = np.arange(1980, 2021)


def test_sen_line_by_hand() -> None:
    # value - year: 5, 3, 7 with the unknown left out; their median is 5
    line = sen_line(np.array([0.0, 1.0, 2.0, 3.0]), np.array([5.0, 4.0, np.nan, 10.0]), 1.0)
    assert line.tolist() == [5.0, 6.0, 7.0, 8.0]
    assert np.isnan(sen_line(np.arange(2.0), np.full(2, np.nan), 1.0)).all()


def test_series_say_slope_mean_and_years() -> None:
    values = 200 - 0.21 * (YEARS - 2000)
    gap = np.where(YEARS < 1983, np.nan, values)
    figure = frozen_days_series(
        YEARS,
        {"Qinghai-Tibet": {"fused": values, "truth": gap}, "North": {"fused": values - 100}},
        {"Qinghai-Tibet": {"fused": (-0.21, -0.33, -0.1), "truth": (-0.2, None, None)}},
        breaks=(1987,),
        note="twin Earth",
    )
    text = said(figure)
    for part in ("−0.21 [−0.33, −0.10] d/a", "fused: mean 200, n = 41", "truth (ice share): mean 200, n = 38",
                 "no trend known", "Qinghai-Tibet", "change of sensor", "twin Earth"):  # fmt: skip
        assert part in text
    # a sensor's break, two series and one line of a known slope
    panel = figure.axes[0]
    assert len(panel.get_lines()) == 4
    np.testing.assert_allclose(panel.get_lines()[2].get_ydata(), values)
    assert panel.get_lines()[0].get_xdata()[0] == 1986.5


def test_series_of_nothing_known() -> None:
    text = said(frozen_days_series(YEARS[:1], {"a": {"fused": [np.nan]}}))
    assert "no year known" in text and "no trend known" in text
    picture(frozen_days_series(YEARS, {}))
    picture(frozen_days_series(YEARS, {"a": {}}))


def slope(record, value, *, name="north", group="region", half=0.1, overpass="am", **more):
    about = {"years": 41, "n_cells": 1200}
    return {"record": record, "group": group, "name": name, "overpass": overpass, "slope": value, "lo": value - half,
            "hi": value + half, **about, **more}  # fmt: skip


def test_trends_show_records_truth_and_numbers() -> None:
    rows = [slope("fused", -0.32), slope("truth", -0.5), slope("fused", -0.9, overpass="pm"), slope("esdr", -0.1)]
    rows += [slope("fused", -0.2, group="permafrost", name="very stable")]
    figure = trend_bars(rows, records=("fused", "esdr", "truth"), note="twin Earth")
    text = said(figure)
    for part in ("−0.32 [−0.42, −0.22]", "−0.50 [−0.60, −0.40]", "north\n1,200 cells, 41 years", "regions",
                 "permafrost", "band: its interval", "very stable", "twin Earth"):  # fmt: skip
        assert part in text
    assert "−0.90" not in text  # another overpass
    assert len(figure.axes) == 1
    band = figure.axes[0].collections[0].get_paths()[0].get_extents()
    assert (band.x0, band.x1) == pytest.approx((-0.6, -0.4))


def test_trends_with_differences_have_a_second_chart() -> None:
    paired = {"difference": 0.18, "difference_lo": 0.15, "difference_hi": 0.21}
    figure = trend_bars([slope("fused", -0.32, **paired), slope("truth", -0.5)], records=("fused",))
    assert "0.18 [0.15, 0.21]" in said(figure)
    assert len(figure.axes) == 2
    without = trend_bars([slope("fused", -0.32, **paired | {"difference_lo": None})], records=("fused",))
    assert len(without.axes) == 1


def test_a_slope_without_interval_is_not_drawn() -> None:
    figure = trend_bars([slope("fused", -0.32) | {"hi": None}, slope("truth", np.nan)], records=("fused",))
    text = said(figure)
    assert "no trend known" in text and "0.32" not in text and "band" not in text
    picture(trend_bars([], records=("fused",)))


def test_air_is_not_soil() -> None:
    figure = air_frozen_days(YEARS, np.full(41, 80.0), (-0.31, -0.62, 0.01), title="Salmon basin")
    text = said(figure)
    assert text.count("not soil") == 2 and "Tmax < 0" in text
    assert "Salmon basin: mean 80.0 days, n = 41 years" in text
    assert "Sen's slope −0.31 [−0.62, 0.01] d/a" in text
    bare = said(air_frozen_days([2000], [np.nan]))
    assert "no year known" in bare and "slope" not in bare
