import numpy as np
import pytest

from china_files import GRID, by_clock, experiment, ramp, rows_of, run_at, write_era5, write_imerg_half_hour
from frostline import store
from frostline.errors import ConfigError, InputError
from frostline.runs import record_step
from frostline.steps import archives, predictors, rain, soil_hours


def test_precipitation_needs_a_source_for_every_date():
    days = np.arange("2000-05-30", "2000-06-03", dtype="datetime64[D]")
    half = {"files": [("3B-HHR.MS.MRG.3IMERG.20000601-S000000-E002959.0000.V06B.HDF5", "2000-06-01T00:00", 2, "HHR")]}
    both = {"era5land": {"files": []}, "imerg": half}
    switch = (("2000-06-01", "imerg"), ("1980-01-01", "era5land"))
    names = rain.sources(switch, days, both)
    assert rain.spans(names, days) == [["era5land", "2000-05-30", "2000-05-31"], ["imerg", "2000-06-01", "2000-06-02"]]
    with pytest.raises(InputError, match=r"E-INPUT-TIME .*nothing covers 2000-05-30.*2000-06-01") as caught:
        rain.sources((("2000-06-01", "imerg"),), days, both)
    assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match=r"E-INPUT-TIME .*before IMERG V06 begins"):
        rain.sources((("1980-01-01", "imerg"),), days, both)
    with pytest.raises(ConfigError, match=r"inputs\.imerg is not named"):
        rain.sources(switch, days, {"era5land": {"files": []}})


def test_imerg_is_a_rate_of_the_half_hour_that_holds_the_instant(tmp_path):
    # 97 E: 06 h local is 23:32 UTC of the day before; an hour earlier 22:32 lies in the half hour from 22:30
    write_imerg_half_hour(tmp_path, "2016-01-01T22:30", 1e-3)
    write_imerg_half_hour(tmp_path, "2016-01-02T11:00", 3e-3)
    moments = soil_hours.Moments.of(GRID, "local")
    days = np.array(["2016-01-02"], "datetime64[D]")
    entry = {"files": rows_of("imerg", tmp_path)}
    options = {"days": days, "steps": (3, 1), "method": "bilinear", "refuse": lambda *told: pytest.fail(str(told))}
    got = rain.imerg_steps(entry, GRID, moments, **options)
    lon = GRID.lonlat()[0]
    np.testing.assert_allclose(got[0, 0, 1], np.where(lon < 97.5, 2e-3, np.nan), rtol=1e-5)
    assert np.isnan(got[0, :, 0]).all() and np.isnan(got[0, 1, 1]).all()  # 10:32 UTC is of the half hour from 10:30


def test_a_switch_of_precipitation_is_kept_and_told(tmp_path, capsys):
    write_era5(tmp_path / "data" / "era5land", "2015-12-30T00", "2016-01-04T23", ramp, rain=by_clock)
    for start in ("01T20", "01T21", "01T22", "02T08", "02T09", "02T10"):  # 3, 2 and 1 h before 23:32 and 11:32 UTC
        write_imerg_half_hour(tmp_path / "data" / "imerg", f"2016-01-{start}:30", 2e-3)
    switch = {"precipitation": [["1980-01-01", "era5land"], ["2016-01-02", "imerg"]], "hours_before": [3, 1]}
    trial = experiment("2016-01-01", "2016-01-03", inputs=("era5land", "imerg"), assemble=switch, train={"steps": 2})
    run = run_at(tmp_path)
    record_step(run, "read", "first", seconds=0.0, notes=archives.read(trial, run))
    predictors.assemble(trial, run)
    assert "1 days have no IMERG file, the first is 2016-01-03" in capsys.readouterr().err
    ds = store.open_store(run.path("stack.zarr"))
    assert ds.attrs["precipitation_sources"] == [
        ["era5land", "2016-01-01", "2016-01-01"],
        ["imerg", "2016-01-02", "2016-01-03"],
    ]
    rained = ds["precipitation"].mean(("y", "x")).values
    np.testing.assert_allclose(rained[0], [[21e-4, 23e-4], [9e-4, 11e-4]], atol=1e-5)
    np.testing.assert_allclose(rained[1], 4e-3, atol=1e-5)  # m per hour, twice the half hour's
    assert np.isnan(rained[2]).all()  # no file: unknown, not the other source
