"""The twin under given weather: what it is fed arrives; the page on it and reality holds no stray number."""

import itertools
import re

import numpy as np
import pytest

from conftest import REPOSITORY
from frostline.twin import driven, weather
from frostline.twin.column import HOURS, KELVIN

PAGE = REPOSITORY / "docs" / "twin-and-reality.md"
DATES = np.arange(np.datetime64("2019-07-01"), np.datetime64("2020-03-01"))


def place(low, high, rain, latitude=45.0):
    """Cells of one place and its forcing as (time, 1) arrays."""
    low, high, rain = (np.broadcast_to(np.asarray(v, float), len(DATES))[:, None] for v in (low, high, rain))
    climate = driven.climate_of(DATES, low, high, latitude=np.array([latitude]))
    cells = driven.middle_cells(np.array([latitude]), climate=climate, arid=driven.aridity(rain.mean(0)))
    return cells, {"air_min": low, "air_max": high, "rain": rain}


def shower():
    """Rain on mild days, none on cold ones: no snow falls."""
    return np.where(autumn() > 5.0, 3.0, 0.0)


def autumn():
    """A middle that falls evenly from 15 to -15 degC."""
    return np.linspace(15.0, -15.0, len(DATES))


def test_generated_rain_is_what_the_generator_gives():
    days = weather.daily_weather((20, 20), cell_km=2000.0, seed=3, first=DATES[0])
    drawn = np.stack([d.precipitation for d in itertools.islice(days, 60)])  # cells far apart are independent
    assert drawn.mean() == pytest.approx(driven.generated_rain(), rel=0.05)


def test_aridity_by_hand():
    # 1.25 - 1.05 a = rain / generated: 1.25 -> 0, .2 -> 1, .725 -> .5; wetter and drier are the ends
    rain = driven.generated_rain() * np.array([2.0, 1.25, 0.725, 0.2, 0.0])
    np.testing.assert_allclose(driven.aridity(rain), [0.0, 0.0, 0.5, 1.0, 1.0], atol=1e-12)


def test_climate_finds_the_annual_wave():
    dates = np.arange(np.datetime64("2019-01-01"), np.datetime64("2020-01-01"))
    wave = np.array([weather.season(d) for d in dates])[:, None]
    middle = 3.0 + 12.0 * wave
    spread = 10.0 * (0.55 + 0.25 * (1.0 + wave))  # a range of 10 K with the twin's own season
    climate = driven.climate_of(dates, middle - spread / 2, middle + spread / 2, latitude=np.array([50.0]))
    assert climate.mean == pytest.approx(3.0, abs=1e-4) and climate.amplitude == pytest.approx(12.0, abs=1e-4)
    assert climate.daily_range == pytest.approx(10.0 / 1.05, abs=1e-3)  # every day is cloudless


def test_middle_ground_by_hand():
    # at 64 N, arid .2: organic .25 x .8 x 1 = .2; porosity .45 + .05; residual .02 + .15 x .22; plants 1.5 x .8
    climate = driven.climate_of(DATES, autumn()[:, None] - 4, autumn()[:, None] + 4, latitude=np.array([64.0]))
    cells = driven.middle_cells(np.array([64.0]), climate=climate, arid=np.array([0.2]))
    assert cells.organic == pytest.approx(0.2) and cells.soil.porosity == pytest.approx(0.5)
    assert cells.soil.residual_water == pytest.approx(0.053) and cells.low_vegetation == pytest.approx(1.2)
    assert cells.soil.curve_slope == pytest.approx(2.16)


def test_the_air_of_a_day_is_that_which_was_given():
    rng = np.random.default_rng(1)
    middle, spread = autumn() + rng.normal(0, 4, len(DATES)), rng.uniform(4.0, 9.0, len(DATES))
    cells, given = place(middle - spread / 2, middle + spread / 2, 1.0)
    days = list(driven.given_weather(cells, DATES, given["air_min"], given["air_max"], given["rain"]))
    mean = [np.mean([weather.air_temperature(cells.climate, d, h) for h in HOURS]) for d in days]
    np.testing.assert_allclose(mean, middle, atol=1e-4)
    taken = 1.25 - 1.05 * cells.arid
    assert np.stack([d.precipitation for d in days]) * taken == pytest.approx(given["rain"], rel=1e-5)


def test_the_range_of_a_day_is_that_which_was_given():
    cells, given = place(-3.0, 5.0, 1.0)
    mild = [d for d in DATES if abs(weather.season(d)) < 0.9]
    low, high = np.full((len(mild), 1), -3.0), np.full((len(mild), 1), 5.0)
    for day in driven.given_weather(cells, np.array(mild), low, high, low * 0):
        swing = weather.air_temperature(cells.climate, day, 14.5) - weather.air_temperature(cells.climate, day, 2.5)
        if 0.0 < day.cloud < 1.0:
            assert swing == pytest.approx(8.0, abs=1e-3)
        else:  # no cloud makes it wider than a clear sky, none narrower than a covered one
            assert (swing < 8.0) == (day.cloud == 0.0)
    assert given["air_max"].max() == 5.0


def test_soil_follows_the_air_and_freezes_when_it_is_cold():
    cells, given = place(autumn() - 3, autumn() + 3, shower())
    out = driven.drive(cells, DATES, **given, depths=(0.01, 0.05, 1.0))
    soil = out["soil_temperature"].values[:, :, 0] - KELVIN
    assert soil[:60, 1].min() > 0 and soil[-30:, 1].max() < 0
    assert out["frozen"].values[:60].max() == 0 and out["frozen"].values[-30:].min() == 1
    assert soil[-1, 0] < soil[-1, 1] < soil[-1, 2]  # the deep lags in a falling autumn
    assert out["swe"].values.max() == 0
    np.testing.assert_allclose(out["air_temperature"].values[:, 0] - KELVIN, autumn(), atol=1e-3)
    first = {h: int(np.argmax(out["frozen"].sel(overpass=h).values[:, 0])) for h in (0, 1)}
    assert first[0] <= first[1]  # mornings freeze first


def test_places_do_not_know_each_other():
    one, two = (place(autumn() - 3 + k, autumn() + 3 + k, 2.0 + k)[1] for k in (0, 4))
    both = {n: np.concatenate([one[n], two[n]], 1) for n in one}
    latitude = np.array([45.0, 45.0])
    climate = driven.climate_of(DATES, both["air_min"], both["air_max"], latitude=latitude)
    cells = driven.middle_cells(latitude, climate=climate, arid=driven.aridity(both["rain"].mean(0)))
    out = driven.drive(cells, DATES, **both)["soil_temperature"].values
    alone = driven.drive(place(autumn() + 1, autumn() + 7, 6.0)[0], DATES, **two)["soil_temperature"].values
    np.testing.assert_allclose(out[:, :, 1], alone[:, :, 0], atol=1e-3)


def test_the_pack_is_lifted_to_the_measured_depth_and_keeps_the_ground_warm():
    cells, given = place(autumn() - 3, autumn() + 3, shower())
    measured = np.where(autumn() < -5, 0.3, 0.0)[:, None]
    deep = driven.drive(cells, DATES, **given, snow_depth=measured)
    bare = driven.drive(cells, DATES, **given, snow_depth=measured * 0)
    assert abs(deep["snow_depth"].values[-20:] - 0.3).max() < 0.03 and bare["snow_depth"].values.max() == 0
    warmer = (deep["soil_temperature"] - bare["soil_temperature"]).values[-20:]
    assert warmer.min() > 3.0


@pytest.mark.parametrize("fault", ["unknown", "shape", "gap"])
def test_what_cannot_be_marched_is_refused(fault):
    cells, given = place(-3.0, 5.0, 1.0)
    dates = DATES
    if fault == "unknown":
        given["rain"] = given["rain"].copy()
        given["rain"][7] = np.nan
    elif fault == "shape":
        given["air_min"] = given["air_min"][:-1]
    else:
        dates = np.concatenate([DATES[:5], DATES[5:] + 1])
    with pytest.raises(ValueError, match="dates must" if fault == "gap" else "must be known on all"):
        driven.drive(cells, dates, **given)


def parts_of_the_page():
    """The page's prose, and the tables that tools/reality.py wrote into it."""
    text = PAGE.read_text(encoding="utf-8")
    blocks = re.findall(r"<!-- begin \w+ -->\n(.*?)<!-- end \w+ -->", text, re.DOTALL)
    assert len(blocks) == 4
    return re.sub(r"<!-- begin \w+ -->.*?<!-- end \w+ -->", "", text, flags=re.DOTALL), "\n".join(blocks)


def test_the_weakest_figure_stands_in_the_first_paragraph():
    prose, tables = parts_of_the_page()
    first = " ".join(prose.split("\n\n")[1].split())
    (row,) = re.findall(
        r"^\| frozen days, twin - measured, of these snow-rich \| (.*?) \|", tables.split("light snow")[0], re.M
    )
    assert row in first
    assert "snow-rich" in first


def test_every_interval_in_the_prose_is_one_of_the_tables():
    prose, tables = parts_of_the_page()
    said = re.findall(r"-?\d+\.\d+ \[-?\d+\.\d+, -?\d+\.\d+\]", " ".join(prose.split()))
    assert len(said) >= 10
    assert not [s for s in said if s not in tables]


def test_every_row_of_the_page_has_an_interval_and_n():
    rows = [line.split(" | ") for line in parts_of_the_page()[1].splitlines() if line.startswith("| ")]
    figures = [r for r in rows if len(r) == 4 and r[0] != "| figure"]
    assert len(figures) > 50
    for figure, value, n, _ in figures:
        assert re.fullmatch(r"-?\d+\.\d+ \[-?\d+\.\d+, -?\d+\.\d+\]", value), figure
        assert re.match(
            r"\d+ (\(\d+ stations\)|stations|days|years|winters|months|frost years|seed-years|cell-days)|\d+ months", n
        ), n
