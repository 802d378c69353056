"""Given records through their steps: states by rule, collocation with its doubts first, seasons and trends by hand."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from frostline.config_given import Given
from frostline.errors import ConfigError, InputError
from frostline.runs import Run, read_json
from frostline.steps import given_seasons
from frostline.steps.common import load
from frostline.steps.given import stations
from frostline.steps.given_pairs import dependences
from frostline.steps.given_pictures import one_station
from frostline.steps.given_scores import score_sites
from frostline.validate.moments import cell_moments
from given_run import AIR_YEARS, MELT_YEARS, SHORT, SPARSE, STATIONS, experiment, files, play

pytestmark = pytest.mark.slow

ZERO = 273.15


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return files(tmp_path_factory.mktemp("given"))


@pytest.fixture(scope="module")
def made(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of all steps on all three files; trends are mapped, few as the pixels are."""
    folder = tmp_path_factory.mktemp("run")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(given_seasons, "MANY", 3)
        play(experiment(root, season__regions={"north of 89": [-180, 180, -90, -89]}), folder)
    return folder


def test_what_lies_there_is_counted(made: Path) -> None:
    entry = read_json(made / "inventory.json")["uscrn"]
    assert entry["stations"]["with_soil"] == STATIONS and entry["stations"]["enough_days"] == STATIONS - SHORT
    assert entry["stations"]["enough_and_freeze"] <= entry["stations"]["ever_freeze"]
    assert (entry["first"], entry["last"], entry["fatal"]) == ("2020-01-01", "2020-12-31", [])


def test_each_overpass_has_its_rule(made: Path, root: Path) -> None:
    records = stations(experiment(root), Run(made))
    assert records is not None
    kelvin = load(made / "uscrn.nc").sel(site=records["air"]["site"])
    for name, columns in (("air", ("air_minimum", "air_maximum", "air_mean")), ("soil", ("soil_mean",) * 3)):
        frozen = records[name]["frozen"]
        assert frozen["overpass"].values.tolist() == [0, 1, 2]
        for code, column in enumerate(columns):
            want = (kelvin[column] < ZERO).where(kelvin[column].notnull()).values
            np.testing.assert_array_equal(frozen.sel(overpass=code).values, want)
    assert records["air"].attrs["overpass_rule"] == "AM from air_minimum, PM from air_maximum, daily from air_mean"
    # a warmer morning never: the minimum is frozen wherever the maximum is
    assert bool((records["air"]["frozen"].sel(overpass=0) >= records["air"]["frozen"].sel(overpass=1)).all())


def test_dependence_by_hand() -> None:
    # soil thawed on 10 days: air wrong on the first 4, skin on the first 5; soil frozen on 4: air wrong on 1, skin on 2
    soil, air, skin = np.zeros(14), np.zeros(14), np.zeros(14)
    air[:4] = skin[:5] = 1
    soil[10:] = air[11:] = skin[12:] = 1
    ds = [_sites(v[:, None, None], days=14) for v in (soil, air, skin)]
    cells = cell_moments(dict(zip(("soil", "air", "skin"), ds, strict=True))).sum("group")
    options = {"strata": {"all": np.ones(1, bool)}, "resamples": 20, "level": 0.9}
    frozen, thawed = dependences(cells, "soil", ("air", "skin"), **options)
    assert np.isnan(thawed["lo"])  # one station alone tells nothing of others
    assert (thawed["given"], thawed["n"], thawed["air_wrong"], thawed["skin_wrong"]) == ("thawed", 10, 0.4, 0.5)
    # (.4 - .4 x .5) / sqrt(.4 x .6 x .5 x .5) = .2 / .2449490
    assert thawed["phi"] == pytest.approx(0.8164966)
    # (.25 - .25 x .5) / sqrt(.25 x .75 x .5 x .5) = .125 / .2165064
    assert (frozen["n"], frozen["both_wrong"]) == (4, 0.25) and frozen["phi"] == pytest.approx(0.5773503)


def test_scores_of_sites_by_hand() -> None:
    truth = np.array([[1, 0], [1, 0], [0, 0], [0, np.nan]] * 5, float)
    claim = np.array([[1, 1], [0, 0], [0, 0], [0, 1]] * 5, float)
    of = {"air": _sites(claim[:, None], days=20)["frozen"]}
    rows = score_sites(
        of,
        _sites(truth[:, None], days=20)["frozen"],
        against="stations",
        strata={"all": np.ones(2, bool), "first": np.array([True, False])},
        block=5,
        resamples=50,
    )
    found = {(r["stratum"], r["score"]): r for r in rows}
    # 4 + 3 pairs a round: TF 1, FT 1, TT 2 + 2, FF 1 -> accuracy 5/7, frozen 1/2, thawed 4/5; the first alone 3/4
    assert found["all", "accuracy"]["value"] == pytest.approx(5 / 7) and found["all", "accuracy"]["n"] == 35
    assert found["all", "frozen_accuracy"]["value"] == 0.5
    assert found["all", "thawed_accuracy"]["value"] == pytest.approx(0.8)
    assert found["first", "accuracy"]["value"] == 0.75 and found["first", "accuracy"]["n"] == 20
    row = found["all", "accuracy"]
    assert (row["split"], row["overpass"], row["stations"]) == ("none", "daily", 2)
    # the stations' own are 3/4 and 2/3: their interval is held
    assert row["lo"] <= 2 / 3 + 1e-9 and row["hi"] >= 0.75 - 1e-9
    assert found["season:DJF", "accuracy"]["n"] == 35  # January only


def test_doubts_come_before_every_number(made: Path, root: Path) -> None:
    from frostline.steps.given_words import warnings

    entry = read_json(made / "collocation.json")["sets"][0]
    said = warnings(experiment(root), Run(made))
    assert [line.partition(": ")[2] for line in said[:2]] == entry["warnings"]
    assert "three truths" in said[1] and said[2].startswith("Collocation, whole year: ")
    assert entry["cautions"] and all(f"Collocation, {line}" in said for line in entry["cautions"])
    assert any(line.startswith("Measured, AM, soil thawed") for line in said)
    assert any("one year of data cannot make one" in line for line in said)
    page = (made / "report.html").read_text(encoding="utf-8")
    assert "a case where the assumptions of collocation fail" in page
    assert page.index("three truths") < page.index('id="scores"') < page.index("What collocation says")


def test_what_collocation_says_and_what_the_soil_says(made: Path) -> None:
    entry = read_json(made / "collocation.json")["sets"][0]
    thawed = {r["overpass"]: r for r in entry["dependence"] if (r["stratum"], r["given"]) == ("all", "thawed")}
    assert all(
        r["lo"] <= r["phi"] <= r["hi"] and r["lo"] > 0 for r in thawed.values()
    )  # air and skin share the weather
    for row in entry["rows"]:
        for score in ("sensitivity", "specificity"):
            if row[score] is not None:
                assert row[f"{score}_lo"] <= row[score] + 0.02 and row[score] - 0.02 <= row[f"{score}_hi"]
        assert row["status"] != "ok" or row["n_effective"] is not None
    assert {sum(of.values()) for of in entry["station_statuses"].values()} == {STATIONS - SHORT}
    rows = read_json(made / "scores.json")
    assert {r["record"] for r in rows} == {"air", "skin", "always thawed"}
    constant = next(r for r in rows if (r["record"], r["score"]) == ("always thawed", "thawed_accuracy"))
    assert constant["value"] == 1.0


def test_air_frozen_days_and_their_trend_by_hand(made: Path) -> None:
    rows = {(r["variable"], r["counted"]): r for r in read_json(made / "trends.json")["rows"] if r["record"] == "basin"}
    row = rows["frozen_days", "calendar years"]
    # 16, 17, ... 29 days: slope 1 a year without spread, mean 22.5; Tmax below 0 is "both"
    assert (row["overpass"], row["years"], row["status"]) == ("both", len(AIR_YEARS), "ok")
    assert [row[k] for k in ("slope", "lo", "hi", "mean")] == pytest.approx([1.0, 1.0, 1.0, 22.5])
    # years from August: 1999 and 2013 are cut; each other has the January that follows its first day
    assert rows["frozen_days", "years from August"]["years"] == len(AIR_YEARS) - 1
    found = load(made / "seasons_basin.nc").sel(overpass=3, year=2004).isel(site=0)
    # 1 January is day 153; 16 + 5 days frozen in 2005
    assert (float(found["onset"]), float(found["length"])) == (153.0, 21.0)


def test_melt_days_gaps_and_sensor_by_hand(made: Path) -> None:
    found = load(made / "seasons_melt.nc").sel(overpass=2)
    days = found["thawed_days"].isel(site=0)
    # every second day from 1 October 1990, 92 days before 1 January: 1, 3 ... 31 January, 16 days; of the first ten
    # days of January five are seen: 31 x 5 / 16
    assert float(days[0]) == 31 * 5 / 16
    assert (
        float(days[5]) == 15.0 and float(found["onset"].isel(site=0, year=5)) == 153
    )  # daily: 10 + 5 days from 1 January on
    assert np.isnan(found["onset"].isel(site=0).values[:SPARSE]).all()  # no window fills
    assert (found["thawed_days"].isel(site=2) == 0).all()
    told = read_json(made / "trends.json")
    gaps = {g["year"]: g for g in told["gaps"] if g["record"] == "melt"}
    assert len(gaps) == len(MELT_YEARS) and gaps[1990]["stride"] == 2 and gaps[1993]["stride"] == 1
    assert gaps[1996]["empty_days"] == 1 and gaps[1996]["known"] == pytest.approx(211 / 212)
    jump = next(b for b in told["breaks"] if (b["variable"], b["region"]) == ("thawed_days", "all"))
    assert (jump["at"], jump["status"]) == (1993, "ok") and jump["lo"] <= jump["step"] <= jump["hi"]
    assert {b["status"] for b in told["breaks"] if b["variable"] == "onset"} == {"not told apart"}
    mapped = load(made / "trends_melt.nc")
    # from the daily years on the first pixel gains a day a year; the one that never melts has no trend
    assert float(mapped["slope"][0]) == pytest.approx(1.0, abs=0.05) and np.isnan(mapped["slope"][2])
    later = [r for r in told["rows"] if r["since"] == 1993]
    assert {r["region"] for r in later} == {"all", "north of 89"} and {r["years"] for r in later} == {10}


def test_every_figure_is_drawn_and_told(made: Path) -> None:
    names = {p.stem for p in (made / "figures").glob("*.png")}
    assert {
        "stations",
        "errors_together",
        "station",
        "air_frozen_days",
        "air_seasons",
        "melt_maps",
        "melt_series",
    } < names
    page = (made / "report.html").read_text(encoding="utf-8")
    assert page.count("<figure>") == len(names) and "Nothing is said of soil" in page


@pytest.mark.parametrize("name", ["uscrn", "basin", "melt"])
def test_a_step_without_its_input_says_so(root: Path, tmp_path: Path, name: str) -> None:
    of = experiment(root, names=[name])
    play(of, tmp_path, "read")
    notes = play(of, tmp_path, "collocate")
    assert ("skipped" in notes) == (name != "uscrn")
    play(of, tmp_path, "season", "report")
    assert {p.name for p in tmp_path.glob("seasons_*.nc")} == {
        "uscrn": {"seasons_uscrn.nc"},
        "basin": {"seasons_basin.nc", "seasons_basin_calendar.nc"},
        "melt": {"seasons_melt.nc"},
    }[name]
    assert ("No scores" in (tmp_path / "report.html").read_text(encoding="utf-8")) == (name != "uscrn")


def test_bad_settings_are_one_line(root: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="name at least one"):
        Given.model_validate({"title": "x", "inputs": {}})
    play(experiment(root), tmp_path, "read")
    with pytest.raises(InputError, match="no station has 400 days"):
        play(experiment(root, states__least_days=400), tmp_path, "collocate")
    with pytest.raises(InputError, match=r"season\.regions\.nowhere.*none of the 3 places"):
        play(experiment(root, names=["melt"], season__regions={"nowhere": [0, 1, 50, 60]}), tmp_path, "read", "season")
    with pytest.raises(InputError, match="no day within the period"):
        play(experiment(root, period={"start": "1900-01-01", "end": "1900-02-01"}), tmp_path, "read")
    of = experiment(root, names=["uscrn"], report__station="77")
    play(of, tmp_path, "read")
    run = Run(tmp_path)
    with pytest.raises(ConfigError, match=r"report\.station.*'77' is not among"):
        one_station(of, run, stations(of, run) or {})


def _sites(values: np.ndarray, *, days: int) -> xr.Dataset:
    """A SITES record of daily states (time, 1, site)."""
    time = np.arange(np.datetime64("2001-01-01"), np.datetime64("2001-01-01") + days).astype("M8[ns]")
    site = np.arange(values.shape[2])
    coords = {"time": time, "overpass": np.array([2], "int8"), "site": site, "lon": ("site", site * 1.0)}
    ds = xr.Dataset({"frozen": (("time", "overpass", "site"), values.astype("f4"))}, coords=coords)
    return ds.assign_coords(lat=("site", site * 1.0))


@pytest.fixture(scope="module")
def real(real_data: Callable[[str], Path]) -> Path:
    return real_data("uscrn_daily_2020").parent


@pytest.mark.real
def test_the_real_triplet_fails_and_says_so(real: Path, tmp_path: Path) -> None:
    of = Given.model_validate({"title": "x", "inputs": {"root": str(real), "uscrn": "uscrn_daily_2020"}})
    notes = play(of, tmp_path, "read", "collocate")
    assert (notes["stations"], notes["that_freeze"]) == (103, 44)
    counts = read_json(tmp_path / "inventory.json")["uscrn"]["stations"]
    assert counts == {"with_soil": 112, "enough_days": 103, "ever_freeze": 45, "enough_and_freeze": 44}
    entry = read_json(tmp_path / "collocation.json")["sets"][0]
    phi = {(r["overpass"], r["given"]): r["phi"] for r in entry["dependence"] if r["stratum"] == "all"}
    assert all(phi[o, "thawed"] > 0.7 for o in ("am", "pm", "daily"))
    rows = {(r["season"], r["overpass"], r["member"]): r for r in entry["rows"] if r["stratum"] == "all"}
    # collocation prefers air and skin to the soil's own thermometer, which is the sign that it cannot be believed
    assert [rows["DJF", "daily", m]["rank"] for m in ("soil", "air", "skin")] == [3, 2, 1]
    assert {rows["JJA", o, "air"]["status"] for o in ("am", "pm", "daily")} == {"zero_variance"}
    scores = {
        (r["record"], r["overpass"], r["stratum"]): r
        for r in read_json(tmp_path / "scores.json")
        if r["score"] == "accuracy"
    }
    assert scores["air", "daily", "all"]["n"] == 37015 and scores["air", "daily", "freezing"]["n"] == 16011
    assert scores["always thawed", "daily", "all"]["value"] > scores["air", "daily", "all"]["value"]


@pytest.mark.real
def test_the_real_basin(real: Path, tmp_path: Path) -> None:
    of = Given.model_validate(
        {"title": "x", "inputs": {"root": str(real), "basin": "era5_small/ERA5_weather_data_Salmon.nc"}}
    )
    play(of, tmp_path, "read", "season")
    kelvin = load(tmp_path / "basin.nc")["air_maximum"]
    row = next(r for r in read_json(tmp_path / "trends.json")["rows"] if r["counted"] == "calendar years")
    counts = [(kelvin.sel(time=str(y)).values < ZERO).sum() for y in range(1981, 2021)]
    assert row["years"] == 40 and row["mean"] == pytest.approx(np.mean(counts))
    assert row["lo"] < 0 < row["hi"]  # forty years, no trend that could be told


@pytest.mark.real
@pytest.mark.slow
def test_the_real_melt_record(real: Path, tmp_path: Path) -> None:
    name = "antarctica_melt_1979_2022/antarctic_melt_icepixels_int8.npz"
    of = Given.model_validate({
        "title": "x",
        "inputs": {"root": str(real), "melt": name},
        "season": {"months": [10, 11, 12, 1, 2, 3, 4], "rule": "3days", "min_valid": 0.3, "sensors": [1988]},
    })  # fmt: skip
    play(of, tmp_path, "read", "season")
    found = load(tmp_path / "seasons_melt.nc").sel(overpass=2)
    assert found.sizes["year"] == 43 and found.sizes["site"] == 21667
    known = found["thawed_days"].notnull().any("site").values
    assert found["year"].values[~known].tolist() == [1987, 2021]  # the gap of December 1987, and the cut last year
    assert not found["onset"].sel(year=slice(1979, 1986)).notnull().any()
    seen, valid = found["days_seen"].sel(year=2005), found["valid_days"].sel(year=2005)
    whole = valid == 212
    np.testing.assert_allclose(found["thawed_days"].sel(year=2005).where(whole), seen.where(whole), atol=1e-3)
    gaps = {g["year"]: g for g in read_json(tmp_path / "trends.json")["gaps"]}
    assert gaps[1987]["longest_gap"] == 41 and {gaps[y]["stride"] for y in range(1979, 1987)} == {2.0}
