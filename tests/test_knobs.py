"""Every key of the experiment file is turned, the steps that stand on it run again, and an output must change.

A key that is not listed here fails: no dead knob.
"""

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from pydantic import BaseModel

from frostline.config_north import North
from frostline.read.gldas import GLDAS
from test_read_gldas import nc4
from test_read_smap_map import write as smap_map
from twin_run import BRIEF, TABLES, assembled, brief, copied, play, scored, shared, shown  # noqa: F401

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Knob:
    """A new value, the step that shows it and the output.

    The run that is changed: the scored tiny run, or three days of it without a net (`brief`). `beside` are keys
    that both runs need, `along` those without which the new value is refused; `prepare` readies the folder.
    """

    value: Any
    step: str
    shows: str
    brief: bool = False
    beside: dict[str, Any] = field(default_factory=dict)
    along: dict[str, Any] = field(default_factory=dict)
    prepare: Callable[[Path], object] | None = None


def stack(value: Any, *, shows: str = "stack", prepare: Any = None, **keys: dict[str, Any]) -> Knob:
    return Knob(value, "assemble", shows, True, prepare=prepare, **keys)


def train(value: Any, shows: str = "weights") -> Knob:
    return Knob(value, "train", shows)


def scores(value: Any) -> Knob:
    return Knob(value, "validate", "scores")


def some_of(product: str) -> Callable[[Path], object]:
    """A second folder of a product without one file of the first."""

    def prepare(run: Path) -> None:
        files = sorted(p for p in (run / "data" / product).rglob("*") if p.is_file())
        (run / "data" / "some").mkdir()
        for path in files[:1] + files[2:]:
            shutil.copy2(path, run / "data" / "some" / path.name)

    return prepare


def other_root(run: Path) -> None:
    """Another data root: the same, but for one of the SMAP files."""
    some_of("smap")(run)
    shutil.copytree(run / "data", run / "other", ignore=shutil.ignore_patterns("smap", "some"))
    shutil.move(run / "data" / "some", run / "other" / "smap")


def gldas(run: Path) -> None:
    """GLDAS soil around one morning (22 UTC at 120 E), and its elevation and land mask."""
    folder = run / "data" / "gldas"
    folder.mkdir()
    cold = np.where(np.indices(GLDAS.shape)[1] % 2 == 0, 270.0, 275.0)
    for day, hour in ((130, 21), (131, 0)):  # 9 May and 10 May 2016
        nc4(folder / f"GLDAS_NOAH025_3H.A2016{day:03d}.{hour:02d}00.021.nc4", "SoilTMP0_10cm_inst", cold)
    for path in folder.iterdir():
        day, hour = int(path.name[22:25]), int(path.name[26:28])
        with h5py.File(path, "r+") as file:
            file["time"][:] = ((day - 1) * 24 + hour) * 60
            file["time"].attrs["units"] = b"minutes since 2016-01-01 00:00:00"
    nc4(run / "data" / "elevation.nc4", "GLDAS_elevation", np.indices(GLDAS.shape)[0].astype(float))
    nc4(run / "data" / "mask.nc4", "GLDAS_mask", (np.indices(GLDAS.shape)[0] % 2).astype(float))


def no_amsr2_on_the_second_day(run: Path) -> None:
    for path in (run / "data" / "amsr2").rglob("*20160510*"):
        path.unlink()


def thermometer(run: Path) -> None:
    rows = [f"mine,120.0,58.0,2016-05-{day}T{hour:02d}:00:00,-1.5" for day in (9, 10, 11) for hour in range(0, 24, 2)]
    (run / "data" / "mine.csv").write_text("site,lon,lat,time,temperature\n" + "\n".join(rows) + "\n")


def picture(run: Path) -> None:
    smap_map(run / "data" / "smap.tif", np.full((406, 964), 1, "u1"))


KNOBS: dict[str, Knob] = {
    "title": Knob("another", "export", "export"),
    "grid.name": stack("N36", beside={"twin": None}),
    "grid.center": stack([120.2, 58.1]),
    "grid.shape": stack([12, 16]),
    "period.start": stack("2016-05-11"),
    "period.end": stack("2016-05-11"),
    **{
        f"twin.{key}": Knob(value, "twin", shows, True)
        for key, value, shows in (
            ("seed", 2, "truth"),
            ("stations", 11, "data"),
            ("cetb_version", "v2", "data"),
            ("weather_error", 0.0, "data"),
            ("static_bias", 0.0, "data"),
            ("spring_lag", 0.0, "data"),
            ("offset", 0.0, "data"),
        )
    },
    "inputs.root": stack("${RUN}/other", prepare=other_root),
    "inputs.smap": stack("some", prepare=some_of("smap")),
    "inputs.amsr2": stack("some", prepare=some_of("amsr2")),
    "inputs.era5": stack(None),
    "inputs.gldas": stack("gldas", prepare=gldas, beside={"inputs.era5": None}),
    "inputs.dem": stack(None),
    "inputs.elevation": stack("elevation.nc4", prepare=gldas, beside={"inputs.dem": None}),
    "inputs.landcover": stack(None),
    "inputs.landmask": stack("mask.nc4", prepare=gldas, beside={"inputs.landcover": None}),
    "inputs.ismn": stack(None, shows="sites"),
    "inputs.uscrn": stack(None, shows="sites"),
    "inputs.stations": stack("mine.csv", prepare=thermometer, shows="sites"),
    "assemble.channels": stack(["tb_36v", "tb_36h"]),
    "assemble.regrid": stack("nearest"),
    "assemble.gapfill_smap": stack("causal"),
    "assemble.gapfill_amsr2": stack("causal", prepare=no_amsr2_on_the_second_day),
    "assemble.not_soil": stack([17]),
    "labels.time": stack("utc"),
    "labels.threshold": stack(275.0),
    "labels.max_depth": stack(0.02, shows="sites"),
    "labels.soft": train(1.0),
    "labels.band": train(0.5),
    "labels.freezing": train([272.85, 2.0]),
    "split.train": train([["2016-04-10", "2016-04-17"]]),
    "split.validation": train([["2016-04-20", "2016-04-23"]], "history"),
    "split.heldout": scores([["2016-05-07", "2016-05-14"]]),
    "split.heldout_boxes": train([[0.0, 0.5, 1.0, 1.0]]),
    "split.validation_boxes": train([[0.0, 0.0, 0.25, 0.25]], "history"),
    "split.heldout_stations": Knob(0.9, "assemble", "stack"),
    "split.calibration_stations": Knob(0.5, "assemble", "stack", along={"predict.calibrate": "temperature"}),
    "split.station_block": Knob(9, "assemble", "stack"),
    "split.station_buffer": Knob(6, "assemble", "stack"),
    "split.buffer_days": train(2),
    "split.buffer_cells": train(3),
    "train.inputs": train(["tb_1v", "tb_1h"]),
    "train.compare": train([["tb_18v", "tb_18h"]]),
    "train.statics": train([]),
    "train.extras": train(["previous_day"]),
    "train.net": train("residual"),
    "train.members": Knob(2, "predict", "record"),
    "train.reference": train("none"),
    "train.width": train(6),
    "train.depth": train(1),
    "train.head": train("paper"),
    "train.dropout": train(0.0),
    "train.epochs": train(1),
    "train.batch": train(8),
    "train.crop": train(8),
    "train.learning_rate": train(0.01),
    "train.weight_decay": train(0.1),
    "train.lambda_reanalysis": train(0.5),
    "train.lambda_station": train(0.5),
    "train.lambda_variation": train(0.0),
    "train.variation_on": train("logit"),
    "train.augment": train(False),
    "train.sensor_dropout": train(0.5),
    "train.select": train("reanalysis", "history"),
    "train.precision": train("bfloat16"),
    "train.seed": train(2),
    "predict.method": Knob(
        "reanalysis", "predict", "record_reanalysis", along={"train": None, "validate": None, "classics": None}
    ),
    "predict.low_confidence": Knob(0.4, "predict", "record"),
    "predict.calibrate": Knob(
        "temperature", "predict", "checkpoints/calibration.json", along={"split.calibration_stations": 0.5}
    ),
    "predict.withhold": Knob(["smap"], "predict", "record_unet_without_smap"),
    "predict.precision": Knob("bfloat16", "predict", "record"),
    "predict.more_grids": Knob(["N36"], "predict", "record_N36", True),
    "classics.names": scores(["spectral_gradient"]),
    "classics.trees": scores(
        {"mine": [{"name": "a", "terms": {"tb_1v": 1.0}, "at_most": 250, "yes": "frozen", "no": "thawed"}]}
    ),
    "validate.block_days": scores(1),
    "validate.resamples": scores(60),
    "validate.confidence": scores(0.5),
    "validate.climatology_days": scores(9),
    "validate.domain_days": scores([150, 200]),
    "validate.seed": scores(2),
    "report.days": Knob(["2016-05-10", "2016-05-11", "2016-05-11", "2016-05-12"], "map", "figures", True),
    "report.picture": Knob("smap.tif", "map", "figures", True, prepare=picture),
    "export.netcdf": Knob(False, "export", "export"),
    "export.cog": Knob([], "export", "export"),
    "export.polarity": Knob("thaw", "export", "export"),
    "export.combined": Knob(False, "export", "export"),
}


def keys(model: type[BaseModel] = North, above: str = "") -> list[str]:
    """Every key of the experiment file, by what pydantic knows of it."""
    found = []
    for name, info in model.model_fields.items():
        key = above + (info.alias or name)
        if key == "system":  # it chooses the model; all else of the file would be refused
            continue
        inner = [t for t in (info.annotation, *getattr(info.annotation, "__args__", ())) if _is_table(t)]
        found += keys(inner[0], f"{key}.") if inner else [key]
    return found


def _is_table(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


@pytest.mark.parametrize("key", keys())
def test_every_key_of_the_experiment_changes_an_output(key, request, tmp_path):
    assert key in KNOBS, f"{key} has no entry in KNOBS: say what it changes, or take it out"
    knob = KNOBS[key]
    run = copied(request.getfixturevalue("brief" if knob.brief else "scored"), tmp_path / "run")
    if knob.prepare is not None:
        knob.prepare(run)
    common = (BRIEF if knob.brief else {}) | knob.beside
    if knob.beside or knob.prepare is not None:
        play(run, knob.step, **common)
    before = shown(run, knob.shows)
    notes = play(run, knob.step, **common, **knob.along, **{key: knob.value})
    assert shown(run, knob.shows) != before
    assert not notes[knob.step].get("fresh")


def test_the_table_of_changes_has_no_key_that_the_file_has_not():
    assert set(KNOBS) == set(keys())
    assert set(TABLES) <= {key.split(".")[0] for key in KNOBS}
