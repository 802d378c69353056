"""China's stations as the twin writes them, through the readers."""

import numpy as np
import pytest

from frostline.errors import ConfigError
from frostline.read.insitu_cma import read_cma
from frostline.read.insitu_ctp import read_ctp
from frostline.read.insitu_folder import read_folder
from frostline.twin.write_china_sites import write_cma, write_ctp, write_folder

PLACES = {
    "lon": np.array([116.07, 93.083, 91.0]),
    "lat": np.array([43.95, 35.217, 31.999]),
    "elevation": np.array([989.5, 4612.0, 4500.0]),
}


def test_cma(tmp_path):
    rng = np.random.default_rng(3)
    dates = np.arange("2015-12-20", "2016-03-05", dtype="datetime64[D]")
    low = 273.15 + np.round(rng.normal(-15, 6, (dates.size, 3)), 1)
    high = low + np.round(rng.uniform(5, 25, low.shape), 1)
    low[4, 1] = high[4, 1] = np.nan
    options = {"stations": (54102, 52908, 55299), "dates": dates, "minimum": low, "maximum": high, **PLACES}
    paths = write_cma(tmp_path / "a", **options)
    assert [p.name[-10:] for p in paths] == ["201512.TXT", "201601.TXT", "201602.TXT", "201603.TXT"]
    first = paths[0].read_text().split("\n")[0].split()
    assert first[:7] == ["54102", "4357", "11604", "9895", "2015", "12", "20"]
    assert len(first) == 13
    series, problems = read_cma(tmp_path / "a")
    assert [(s.site, s.sensor) for s in series][:2] == [("52908", "daily-min"), ("52908", "daily-max")]
    assert len(series) == 6
    wrong = 0
    for s in series:
        k = (54102, 52908, 55299).index(int(s.site))
        truth = (low if s.sensor == "daily-min" else high)[:, k]
        at = np.searchsorted(dates, s.times.astype("datetime64[D]"))
        np.testing.assert_allclose(s.temperature, truth[at], atol=1e-3)
        assert abs(s.lon - PLACES["lon"][k]) <= 0.5 / 60 + 1e-9
        assert abs(s.lat - PLACES["lat"][k]) <= 0.5 / 60 + 1e-9
        assert s.elevation == pytest.approx(PLACES["elevation"][k])
        wrong += int(np.isfinite(truth).sum()) - len(at)
    assert wrong <= 6  # a thousandth of 450
    assert wrong == sum(int(str(p).split(": ")[-1].split()[0]) for p in problems if "quality code" in str(p))
    again = write_cma(tmp_path / "b", **options)
    assert [p.read_bytes() for p in again] == [p.read_bytes() for p in paths]


@pytest.mark.parametrize("network", ["NQ", "PL"])
def test_ctp(tmp_path, network):
    times = np.datetime64("2015-12-31T22:00", "s") + 1800 * np.arange(9)
    kelvin = 270.0 + np.arange(27).reshape(9, 3) / 4
    kelvin[2, 1] = np.nan
    path = write_ctp(tmp_path, network=network, sites=("A", "B", "C"), depth=0.05, times=times, kelvin=kelvin, **PLACES)
    hour = {"NQ": "2015 12 31 22 00 00", "PL": "2016 01 01 06 00 00"}[network]
    assert path.read_text().startswith(hour)
    assert path.name.endswith({"NQ": "05cm.txt", "PL": "05 cm.txt"}[network])
    series, problems = read_ctp(tmp_path, sites=tmp_path / "sites.csv")
    assert problems == []
    assert [len(s.times) for s in series] == [9, 8, 9]
    assert {s.network for s in series} == {{"NQ": "Naqu", "PL": "Pali"}[network]}
    assert (series[0].times == times).all()
    np.testing.assert_allclose(series[2].temperature, kelvin[:, 2], atol=0.006)
    assert series[1].lon == pytest.approx(93.083)


def test_folder(tmp_path):
    times = np.datetime64("2018-01-01", "s") + 600 * np.arange(50)
    kelvin = 270.0 + np.arange(100).reshape(50, 2) / 10
    kelvin[7, 0] = np.nan
    two = {k: v[:2] for k, v in PLACES.items()}
    home = tmp_path / "SDR"
    write_folder(home, sites=("L1", "S2"), depth=0.03, times=times, kelvin=kelvin, **two)
    series, problems = read_folder(home)
    assert problems == []
    assert [(s.site, s.network, s.depth, len(s.times)) for s in series] == [
        ("L1", "SDR", 0.03, 49),
        ("S2", "SDR", 0.03, 50),
    ]
    np.testing.assert_allclose(series[1].temperature, kelvin[:, 1], atol=0.006)
    assert (series[1].times == times).all()


def test_refusals(tmp_path):
    times, kelvin = np.datetime64("2018-01-01", "s") + np.arange(3), np.zeros((2, 3))
    for call in (
        lambda: write_folder(tmp_path, sites="abc", depth=0.1, times=times, kelvin=kelvin, **PLACES),
        lambda: write_ctp(tmp_path, network="NQ", sites="abc", depth=0.1, times=times, kelvin=kelvin, **PLACES),
        lambda: write_cma(tmp_path, stations=(1, 2, 3), dates=times[:1], minimum=kelvin, maximum=kelvin, **PLACES),
    ):
        with pytest.raises(ConfigError):
            call()
    assert not list(tmp_path.iterdir())
