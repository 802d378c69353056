"""A sensor out in a run: records with one withheld, their scores apart, where one truly was silent, and the table."""

import shutil

import numpy as np
import pytest
import xarray as xr

from frostline import store
from frostline.errors import ConfigError
from frostline.runs import read_json, write_json
from frostline.schema import QUALITY
from frostline.steps import outage
from frostline.steps.common import grid_of
from frostline.steps.evidence import claims, references
from frostline.steps.model import new_record, record_path
from twin_run import assembled, copied, experiment, play, run_in, scored, shared  # noqa: F401

WITHOUT = "unet_without_smap"


@pytest.fixture(scope="module")
def withheld(scored, tmp_path_factory):  # noqa: F811
    """The scored tiny run with one sensor withheld; the training is that of the shared run."""
    folder = copied(scored, tmp_path_factory.mktemp("withheld") / "run")
    play(folder, "validate", **{"predict.withhold": ["smap"]})
    return folder


def test_the_record_without_a_sensor_says_so(withheld):
    run = run_in(withheld)
    whole, less = (store.open_store(record_path(run, name)) for name in ("unet", WITHOUT))
    assert less.attrs["withheld"] == "smap"
    flagged = (less["quality"].values & QUALITY["smap_missing"]) > 0
    np.testing.assert_array_equal(flagged, np.isfinite(less["frozen"].values))
    stack = store.open_store(run.path("stack.zarr"))
    amsr2 = np.isfinite(stack["tb_18v"].values) & np.isfinite(stack["tb_18h"].values)
    amsr2 |= np.isfinite(stack["tb_36v"].values) & np.isfinite(stack["tb_36h"].values)
    np.testing.assert_array_equal(flagged, amsr2 & (stack["land"].values == 1))
    both = flagged & np.isfinite(whole["frozen"].values)
    assert (less["frozen"].values[both] != whole["frozen"].values[both]).mean() > 0.5


def test_its_scores_stand_apart_and_those_of_others_stay(withheld, scored):  # noqa: F811
    before, after = (read_json(folder / "scores.json") for folder in (scored, withheld))
    mine = [row for row in after if outage.apart(row)]
    others = [row for row in after if not outage.apart(row)]
    for one, other in zip(others, before, strict=True):  # sums may run in another order: the last bits differ
        assert one == {k: pytest.approx(v, rel=1e-9) if isinstance(v, float) else v for k, v in other.items()}
    assert {row["record"] for row in mine} == {WITHOUT, f"{WITHOUT}-unet"}
    assert {row["split"] for row in mine} == {"heldout"}
    assert {"all", "area:trained", "area:heldout", "season:MAM"} <= {row["stratum"] for row in mine}
    one = next(
        r for r in mine if (r["against"], r["overpass"], r["stratum"], r["score"]) == ("truth", "am", "all", "accuracy")
    )
    run = run_in(withheld)
    less, truth = store.open_store(record_path(run, WITHOUT)), store.open_store(run.path("truth.zarr"))
    records = claims(experiment(), run)
    known = np.isfinite(less["frozen"]) & np.isfinite(truth["truth"])
    for name in ("unet", "climatology", "reanalysis"):
        known = known & np.isfinite(records[name]["frozen"])
    held = np.isin(known["time"].values, np.array([np.datetime64(d) for d in HELD]))
    some = known.values[held, 0]
    right = ((less["frozen"].values > 0.5) == (truth["truth"].values > 0.5))[held, 0]
    assert one["n"] == some.sum()
    assert one["value"] == pytest.approx(right[some].mean())


HELD = [f"2016-04-{d}" for d in range(25, 29)] + [f"2016-05-{d:02d}" for d in range(7, 15)]


def test_the_table_of_the_report(withheld):
    (sheet,) = outage.sheets(read_json(withheld / "scores.json"))
    assert sheet.title == "A sensor out"
    assert {len(line) for line in sheet.lines} == {len(sheet.head)}
    mine = [line for line in sheet.lines if line[1] == "U-Net without SMAP, held-out years"]
    assert [(line[0], line[2]) for line in mine][:2] == [("truth (ice share)", "AM"), ("truth (ice share)", "PM")]
    assert all("[" in line[3] and "[" in line[5] and int(line[7].replace(",", "")) > 0 for line in mine)
    assert outage.sheets([]) == []


def test_where_a_sensor_truly_was_silent(scored, tmp_path):  # noqa: F811
    """Eleven held-out days are flagged by hand in one column of the record; only these cell-days are scored."""
    settings, run = experiment(), run_in(copied(scored, tmp_path / "run"))
    record = store.open_store(record_path(run, "unet")).load()
    chosen = np.isin(record["time"].values, np.array([np.datetime64(d) for d in HELD[1:]]))
    quality = record["quality"].values.copy()
    quality[chosen, :, :, 5] |= QUALITY["smap_missing"]
    quality[~chosen, :, :, 5] &= ~np.uint16(QUALITY["smap_missing"])
    shutil.rmtree(record_path(run, "unet"))
    new_record(record_path(run, "unet"), record, grid_of(settings), {})
    with store.writer(record_path(run, "unet")) as write:
        for o in range(2):
            arrays = {
                "frozen": record["frozen"].values[:, o],
                "quality": quality[:, o],
                "age": record["age"].values[:, o],
            }
            write(0, arrays, overpass=o)
    held = xr.DataArray(chosen | (record["time"].values == np.datetime64(HELD[0])), dims="time")
    rows = outage.scored(
        settings,
        claims(settings, run),
        {"truth": references(settings, run)["truth"]},
        inputs={"unet": ("tb_1v", "tb_1h", "tb_36v", "tb_36h")},
        stores={"unet": record_path(run, "unet")},
        days={"heldout": held.assign_coords(time=record["time"].values)},
        strata={},
    )
    rows = [row for row in rows if row["stratum"] == "sensor:smap_missing"]
    assert {row["record"] for row in rows} == {"unet", "climatology", "reanalysis"}
    truth = store.open_store(run.path("truth.zarr"))["truth"].values
    land = np.isfinite(record["frozen"].values) & np.isfinite(truth)
    for code, name in enumerate(("am", "pm")):
        some = land[chosen, code, :, 5]
        right = (record["frozen"].values > 0.5) == (truth > 0.5)
        (row,) = [r for r in rows if (r["record"], r["overpass"], r["score"]) == ("unet", name, "accuracy")]
        assert row["n"] == some.sum() > 0
        assert row["value"] == pytest.approx(right[chosen, code, :, 5][some].mean())
    assert [line[1] for line in outage.sheets(rows)[0].lines] == ["U-Net where SMAP was silent, held-out years"] * 2


def test_a_record_without_a_sensor_is_scaled_as_the_whole_one(scored, tmp_path):  # noqa: F811
    """Temperature 2 at AM makes .9 (odds 9) of odds 3: .75; PM was not kept and stays. The raw record goes."""
    settings, run = experiment(), run_in(tmp_path)
    raw, into = (record_path(run, f"{WITHOUT}{end}") for end in ("_raw", ""))
    like = store.open_store(record_path(run_in(scored), "unet")).isel(time=slice(0, 3))
    new_record(raw, like, grid_of(settings), {"withheld": "smap"})
    shape = (3, *grid_of(settings).shape)
    with store.writer(raw) as write:
        for o in range(2):
            arrays = {"frozen": np.full(shape, 0.9, "float32"), "quality": np.full(shape, 64, "uint16")}
            write(0, arrays | {"age": np.zeros(shape, "uint8")}, overpass=o)
    scaling = {"method": "temperature", "temperature": 2.0}
    card = {"overpasses": {"am": {"scaling": scaling, "kept": True}, "pm": {"scaling": scaling, "kept": False}}}
    write_json(run.path("checkpoints", "calibration.json"), card)
    outage.scale_too(settings, run, raw=raw, into=into)
    record = store.open_store(into)
    assert record["frozen"].values[:, 0] == pytest.approx(0.75) and record["frozen"].values[:, 1] == pytest.approx(0.9)
    assert (record["quality"].values == 64).all() and record.attrs["withheld"] == "smap"
    assert not raw.exists()


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"predict.withhold": ["smap", "smap"]}, "twice"),
        ({"predict.withhold": ["smap"], "train.inputs": ["tb_36v", "tb_36h"]}, "amsr2"),
        ({"predict.withhold": ["amsr2"], "train.inputs": ["tb_36v", "tb_36h"]}, "amsr2"),
        ({"predict.withhold": ["esmr"]}, "withhold"),
        ({"predict.withhold": ["smap"], "predict.method": "reanalysis", "train": None}, "method"),
    ],
)
def test_what_cannot_be_withheld_is_refused(changes, why):
    with pytest.raises(ConfigError, match=why):
        experiment(**changes)
