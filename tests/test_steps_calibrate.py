"""Calibration at stations of its own: what fits, what is kept, what becomes of the record, and who has no part."""

import numpy as np
import pytest
import xarray as xr

from frostline import store
from frostline.errors import ConfigError, InputError
from frostline.runs import read_json
from frostline.schema import QUALITY, RECORD, check
from frostline.steps import calibrate
from frostline.steps.common import days_of, grid_of, roles, save
from frostline.steps.model import record_path
from twin_run import assembled, copied, experiment, play, run_in, shared  # noqa: F401

YEAR = {
    "period": {"start": "2016-01-01", "end": "2016-12-31"},
    "split.train": [["2016-01-01", "2016-03-31"]],
    "split.validation": [["2016-04-03", "2016-09-28"]],
    "split.heldout": [["2016-10-01", "2016-12-31"]],
    "split.heldout_stations": 0.15,
    "split.calibration_stations": 0.5,
    "predict.calibrate": "temperature",
    "predict.low_confidence": 0.25,
    "export.cog": [],
}
# on the tiny twin: many stations, of which half calibrate
TINY = {
    "twin.stations": 40,
    "split.heldout_stations": 0.15,
    "split.calibration_stations": 0.5,
    "predict.calibrate": "temperature",
}


def world(folder, settings, *, right, role="calibrate"):
    """A raw record of .9 (odd rows) and .1; stations with `role` bear it out so often, on days of validation."""
    grid, time = grid_of(settings), days_of(settings)
    frozen = np.where(np.indices((2, *grid.shape))[1] % 2, 0.9, 0.1)
    frozen[:, 3, 3] = np.nan
    run = run_in(folder)
    raw = store.create(
        record_path(run, "unet_raw"), grid=grid, time=time, overpass=[0, 1], variables=("frozen", "quality", "age")
    )
    arrays = {"frozen": np.tile(frozen, (len(time), 1, 1, 1)).astype("float32")}
    arrays["quality"] = np.where(np.isnan(arrays["frozen"]), QUALITY["input_missing"], 1).astype("uint16")
    arrays["age"] = np.zeros(arrays["frozen"].shape, "uint8")
    with store.writer(raw) as write:
        write(0, arrays)
    rng = np.random.default_rng(0)
    at = [(row, col) for row in range(1, 15) for col in (2, 5)]
    lon, lat = grid.lonlat()
    claims = np.array([frozen[0, r, c] > 0.5 for r, c in at])
    true = np.where(rng.random((len(time), 2, len(at))) < right, claims, ~claims).astype("float32")
    part = np.array([role if k % 4 else "heldout" for k in range(len(at))])
    true[:, :, part != role] = 1 - claims[part != role]  # those of another role are always wrong
    true[roles(settings)[0] != "validation"] = 0.0
    sites = xr.Dataset(
        {"frozen": (("time", "overpass", "site"), true)},
        coords={
            "time": time,
            "overpass": [0, 1],
            "site": [f"s{k}" for k in range(len(at))],
            "role": ("site", part),
            "lon": ("site", [lon[r, c] for r, c in at]),
            "lat": ("site", [lat[r, c] for r, c in at]),
        },
    )
    save(folder / "sites.nc", sites)
    return run


def test_a_record_that_is_too_sure_is_mended_where_stations_agree(tmp_path):
    """.9 comes true in .7: the temperature is log 9 / log (7/3) = 2.59, whatever other stations and days say."""
    settings = experiment(**YEAR)
    run = world(tmp_path, settings, right=0.7)
    raw, into = record_path(run, "unet_raw"), record_path(run, "unet")
    found = calibrate.calibrate(settings, run, raw=raw, into=into)
    assert set(found) == {"am", "pm"}
    for one in found.values():
        assert one["kept"] and one["lower"] > 0 and one["sites"] == 21 and one["n"] == 21 * 179
        assert one["scaling"]["temperature"] == pytest.approx(2.59, abs=0.15)
        assert one["ece_there"] == pytest.approx(0.2, abs=0.02) and one["ece_there_scaled"] < 0.02
    card = read_json(tmp_path / "checkpoints" / "calibration.json")
    assert card["overpasses"] == found and card["record"] == "unet"
    assert card["fitted_on"]["first_day"] == "2016-04-03" and card["fitted_on"]["days"] == 179
    assert "s1" in card["fitted_on"]["stations"] and "s0" not in card["fitted_on"]["stations"]
    record = store.open_store(into).load()
    check(record, RECORD)
    assert store.verified(into).all()
    assert np.nanmax(record["frozen"]) == pytest.approx(0.7, abs=0.02)
    assert np.isnan(record["frozen"].values[:, :, 3, 3]).all()
    low = record["quality"].values & QUALITY["low_confidence"] > 0
    assert low.any() and (low == np.isfinite(record["frozen"].values)).all()  # .7 is nearer to .5 than .25
    assert (record["quality"].values & 1 == np.isfinite(record["frozen"].values)).all()  # other flags stay
    assert record.attrs["calibration"].startswith("am temperature 2.")


def test_a_record_that_is_right_stays_as_it_is(tmp_path):
    settings = experiment(**(YEAR | {"predict.calibrate": "isotonic", "predict.low_confidence": 0.1}))
    run = world(tmp_path, settings, right=0.9)
    raw, into = record_path(run, "unet_raw"), record_path(run, "unet")
    found = calibrate.calibrate(settings, run, raw=raw, into=into)
    assert not any(one["kept"] for one in found.values())
    one, two = store.open_store(raw).load(), store.open_store(into).load()
    assert all(np.array_equal(one[name], two[name], equal_nan=name == "frozen") for name in one.data_vars)
    assert two.attrs["calibration"] == "am none, pm none"


def test_without_a_station_of_its_own_nothing_is_calibrated(tmp_path):
    settings = experiment(**YEAR)
    run = world(tmp_path, settings, right=0.7, role="train")
    with pytest.raises(InputError, match="no station has the role calibrate") as caught:
        calibrate.calibrate(settings, run, raw=record_path(run, "unet_raw"), into=record_path(run, "unet"))
    assert caught.value.code == "E-INPUT-EMPTY"
    (tmp_path / "sites.nc").unlink()
    with pytest.raises(InputError, match=r"split\.calibration_stations"):
        calibrate.calibrate(settings, run, raw=record_path(run, "unet_raw"), into=record_path(run, "unet"))


def test_scaling_and_stations_are_asked_for_together():
    for wrong in (
        {"predict.calibrate": "none"},
        {"split.calibration_stations": 0.0},
        {"split.heldout_stations": 0.6},
        {"predict.method": "reanalysis", "train": None},
    ):
        with pytest.raises(ConfigError):
            experiment(**(YEAR | wrong))


@pytest.mark.slow
def test_a_run_shows_both_and_its_stations_have_no_other_part(assembled, tmp_path):  # noqa: F811
    run = copied(assembled, tmp_path / "run")
    notes = play(run, "validate", **TINY)
    sites = xr.load_dataset(run / "sites.nc", engine="h5netcdf")
    role = sites["role"].values
    assert {"train", "calibrate", "heldout"} <= set(role.tolist())
    stack = store.open_store(run / "stack.zarr")
    grid = grid_of(experiment(**TINY))
    rows, cols = grid.locate(sites["lon"].values, sites["lat"].values)
    cells = {r: set(zip(rows[role == r].tolist(), cols[role == r].tolist(), strict=True)) for r in set(role.tolist())}
    assert not cells["calibrate"] & (cells["train"] | cells["heldout"])
    known = np.isfinite(stack["label_station"].values).any((0, 1))
    assert not [c for c in cells["calibrate"] if known[c]]  # they do not teach
    card = read_json(run / "checkpoints" / "calibration.json")
    assert sorted(card["fitted_on"]["stations"]) == sorted(sites["site"].values[role == "calibrate"].tolist())
    scores = read_json(run / "scores.json")
    judges = max(r["n"] for r in scores if (r["against"], r["split"]) == ("stations", "heldout"))
    assert judges <= (role == "heldout").sum() * 12  # nor judge, on twelve held-out days
    found = {r["record"] for r in scores if r["score"] == "ece"}
    assert {"unet", "unet_raw"} <= found
    assert set(notes["predict"]["calibration"]) == {"am", "pm"}
    raw, mended = (store.open_store(record_path(run_in(run), name)).load() for name in ("unet_raw", "unet"))
    for k, name in enumerate(("am", "pm")):
        same = np.array_equal(raw["frozen"][:, k], mended["frozen"][:, k], equal_nan=True)
        assert same == (not card["overpasses"][name]["kept"])
    play(run, "predict", **{**TINY, "split.calibration_stations": 0.0, "predict.calibrate": "none"})
    assert not (run / "checkpoints" / "calibration.json").exists() and not (run / "record_unet_raw.zarr").exists()
