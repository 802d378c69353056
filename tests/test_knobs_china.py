"""Every key of a china experiment is turned, the steps that stand on it run again, and an output must change."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from china_evidence import experiment as by_errors
from china_evidence import make as evidence
from china_files import write_era5
from china_run import TABLES, copied, play, scored, shared  # noqa: F401
from frostline import store
from frostline.config_china import China
from frostline.errors import ConfigError
from frostline.runs import Run
from frostline.steps import atlas
from frostline.steps.climate import season
from frostline.steps.gallery import hang
from frostline.steps.indirect import collocate
from test_knobs import keys
from test_steps_climate import experiment as by_hand
from test_steps_climate import folder as seasons_by_hand  # noqa: F401
from twin_run import made, shown

pytestmark = pytest.mark.slow
# a month of the tiny run, its files taken for real ones
MONTH = {
    "twin": None,
    "period.start": "2016-05-01",
    "period.end": "2016-05-31",
    "split.train": [["2016-05-01", "2016-05-10"]],
    "split.validation": [["2016-05-14", "2016-05-20"]],
    "split.heldout": [["2016-05-24", "2016-05-31"]],
    "export.cog": [],
}
# a year of another place, for what the twin itself obeys
YEAR = {"grid.shape": [6, 6], "twin.stations": 3, "split.train": [["2016-01-01", "2016-03-31"]]}


@dataclass(frozen=True)
class Knob:
    """A new value, the step that shows it and the output; of the tiny run, its month, or a year of the twin."""

    value: Any
    step: str
    shows: str
    run: str = "scored"
    along: dict[str, Any] = field(default_factory=dict)
    beside: dict[str, Any] = field(default_factory=dict)
    prepare: Callable[[Path], object] | None = None


def month(value: Any, shows: str = "stack", **more: Any) -> Knob:
    return Knob(value, "assemble", shows, "month", **more)


def train(value: Any, shows: str = "weights", **more: Any) -> Knob:
    return Knob(value, "train", shows, **more)


def other_root(run: Path) -> None:
    shutil.copytree(run / "data", run / "other")
    for path in (run / "other" / "smap").rglob("*201605*.h5"):
        path.unlink()


def only_some(product: str, pattern: str) -> Callable[[Path], object]:
    """A folder `some` with part of a product's files."""

    def prepare(run: Path) -> None:
        shutil.copytree(run / "data" / product, run / "data" / "some", ignore=shutil.ignore_patterns(pattern))

    return prepare


def renamed(product: str) -> Callable[[Path], object]:
    """A table of codes with other names."""

    def prepare(run: Path) -> None:
        text = (run / "data" / product / "codes.csv").read_text(encoding="utf-8").splitlines()
        lines = [text[0], *(f"{line}x" for line in text[1:])]
        (run / "data" / "renamed.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")

    return prepare


def rain(run: Path) -> None:
    """IMERG of the month's last week: the same rain everywhere."""
    import numpy as np

    from frostline.twin.write_imerg import IMERG, write

    window = IMERG.window(slice(530, 550), slice(2755, 2785))
    halves = np.arange(np.datetime64("2016-05-24T12:00"), np.datetime64("2016-06-01T12:00"), np.timedelta64(30, "m"))
    for start in halves:
        write(run / "data" / "imerg", start=start, metres=np.full(window.shape, 2e-3, "f4"), window=window)


def every_hour(run: Path) -> None:
    """A reanalysis that has all hours of the day: the twin's has those that local overpasses need."""
    shutil.rmtree(run / "data" / "era5land")
    write_era5(run / "data" / "era5land", "2016-04-28T00", "2016-06-02T23", lambda hour: 270.0 + hour % 24 / 3)


SWITCHED = [["1950-01-01", "era5land"], ["2016-05-25", "imerg"]]
KNOBS: dict[str, Knob] = {
    "title": Knob("another", "export", "export"),
    "grid.name": month("M36", along={"grid.shape": [2, 2]}),
    "grid.center": month([97.1, 36.0]),
    "grid.shape": month([6, 8]),
    "period.start": month("2016-05-02"),
    "period.end": month("2016-05-30"),
    **{
        f"twin.{key}": Knob(value, "twin", shows, "year")
        for key, value, shows in (
            ("seed", 2, "truth"),
            ("warming", 5.0, "truth"),
            ("stations", 4, "data"),
            ("nodes", 3, "data"),
            ("weather_error", 0.0, "data"),
            ("static_bias", 0.0, "data"),
        )
    },
    "inputs.root": month("${RUN}/other", prepare=other_root),
    "inputs.smap": month("some", prepare=only_some("smap", "*201605*")),
    "inputs.esdr": month("some", prepare=only_some("esdr", "*_day13*")),
    "inputs.era5land": month("some", prepare=only_some("era5land", "*201604*")),
    "inputs.imerg": month(
        None,
        prepare=rain,
        beside={"inputs.imerg": "imerg", "assemble.precipitation": SWITCHED},
        along={"assemble.precipitation": None},
    ),
    "inputs.landcover": month(None),
    "inputs.koppen": month(None),
    "inputs.permafrost": month(None),
    "inputs.permafrost_codes": month("renamed.csv", "about", prepare=renamed("permafrost")),
    "inputs.regions": month(None),
    "inputs.regions_codes": month("renamed.csv", "about", prepare=renamed("regions")),
    "inputs.cma": month(None, "sites"),
    "inputs.ctp": month(None, "sites"),
    "inputs.networks": month(None, "sites"),
    "assemble.variables": month(["soil_temperature"]),
    "assemble.hours_before": month([2, 1], along={"train.steps": 2}),
    "assemble.windows": month([5]),
    "assemble.time": month("utc", prepare=every_hour),
    "assemble.precipitation": month(SWITCHED, prepare=rain, beside={"inputs.imerg": "imerg"}),
    "assemble.regrid": month("nearest"),
    "assemble.threshold": month(275.0),
    "assemble.station_rule": month("extremes", "sites"),
    "assemble.max_depth": month(0.01, "sites"),
    "split.preset": train("cui2024", along={"split.train": None, "split.validation": None, "split.heldout": None}),
    "split.train": train([["2016-01-01", "2016-03-31"]]),
    "split.validation": train([["2016-05-04", "2016-06-30"]], "history"),
    "split.heldout": Knob([["2016-09-01", "2016-12-31"]], "validate", "scores"),
    "split.heldout_boxes": train([[0.0, 0.5, 1.0, 1.0]]),
    "split.validation_boxes": train([[0.0, 0.0, 0.5, 0.5]], "history"),
    "split.heldout_stations": month(0.9, "sites"),
    "split.station_block": month(9, "sites"),
    "split.station_buffer": month(6, "sites"),
    "split.buffer_days": train(10),
    "split.buffer_cells": train(2, beside={"split.heldout_boxes": [[0.0, 0.75, 1.0, 1.0]]}),
    "train.targets": train(["esdr"], along={"fuse.members": ["convlstm_esdr"]}),
    "train.heads": train("together"),
    "train.steps": train(2),
    "train.statics": train(["elevation"]),
    "train.places": train([]),
    "train.layers": train(2),
    "train.width": train(4),
    "train.kernel": train(1),
    "train.peepholes": train(True),
    "train.head": train("literal3"),
    "train.epochs": train(2, "history"),
    "train.batch": train(16),
    "train.crop": train(6),
    "train.learning_rate": train(0.01),
    "train.weight_decay": train(0.5),
    "train.lambda_station": train(0.5),
    "train.augment": train(True),
    "train.seed": train(2),
    "predict.precision": Knob("bfloat16", "predict", "record_convlstm_smap"),
    "fuse.members": Knob(["convlstm_smap", "recalibrated"], "fuse", "record"),
    "fuse.rule": Knob("maxconf", "fuse", "record"),
    "fuse.compare": Knob(["literal3"], "fuse", "fusion.json"),
    "fuse.weights": Knob("equal", "fuse", "record"),
    "fuse.temperature": Knob(False, "fuse", "record"),
    "fuse.low_confidence": Knob(0.0, "fuse", "record"),
    "validate.nodes": Knob("majority", "validate", "scores"),
    "validate.block_days": Knob(5, "validate", "scores"),
    "validate.resamples": Knob(40, "validate", "scores"),
    "validate.confidence": Knob(0.5, "validate", "scores"),
    "validate.climatology_days": Knob(20, "validate", "scores"),
    "validate.seed": Knob(2, "validate", "scores"),
    "collocate.sets": Knob([["esdr", "smap", "stations"]], "collocate", "collocation.json"),
    "collocate.block_days": Knob(10, "collocate", "collocation.json"),
    "collocate.resamples": Knob(40, "collocate", "collocation.json"),
    "collocate.seed": Knob(2, "collocate", "collocation.json"),
    "export.netcdf": Knob(False, "export", "export"),
    "export.cog": Knob([], "export", "export"),
    "export.polarity": Knob("thaw", "export", "export"),
    "export.combined": Knob(False, "export", "export"),
}
SEASON: dict[str, Any] = {  # on a run of twelve years made by hand
    "start_month": 1,
    "rule": "12of15",
    "min_valid": 0.9,
    "records": ["fused", "esdr"],
    "correction": "none",
    "confidence": 0.5,
}


COLLOCATE: dict[str, Any] = {"refit": False, "confidence": 0.5}  # on errors made by hand: a tiny run is too short


@pytest.fixture(scope="session")
def month_run(shared: Path, scored: Path) -> Path:  # noqa: F811
    def first(folder: Path, *until: str, **changes: Any) -> None:
        for path in folder.iterdir():
            if path.name != "data":
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        play(folder, *until, **changes)

    return made(shared, "china_month", "assemble", start=scored, play=first, **MONTH)


@pytest.fixture(scope="session")
def year_run(shared: Path) -> Path:  # noqa: F811
    return made(shared, "china_year", "twin", play=play, **YEAR)


def seen(run: Path, what: str) -> str:
    attrs = store.open_store(run / "stack.zarr").attrs if what == "about" else {}
    return repr([attrs.get("regions"), attrs.get("permafrost_classes")]) if attrs else shown(run, what)


BY_HAND = {"report.year"} | {f"season.{key}" for key in SEASON} | {f"collocate.{key}" for key in COLLOCATE}


@pytest.mark.parametrize("key", [key for key in keys(China) if key not in BY_HAND])
def test_every_key_of_a_china_experiment_changes_an_output(key, request, tmp_path):
    assert key in KNOBS, f"{key} has no entry in KNOBS: say what it changes, or take it out"
    knob = KNOBS[key]
    base = {"scored": {}, "month": MONTH, "year": YEAR}[knob.run] | knob.beside
    run = copied(request.getfixturevalue("scored" if knob.run == "scored" else f"{knob.run}_run"), tmp_path / "run")
    if knob.prepare is not None:
        knob.prepare(run)
    if knob.beside or knob.prepare is not None:
        play(run, knob.step, **base)
    before = seen(run, knob.shows)
    notes = play(run, knob.step, **(base | {key: knob.value} | knob.along))
    assert seen(run, knob.shows) != before
    assert not notes[knob.step].get("fresh")


def counted(start: Path, place: Path, **options: Any) -> str:
    run = shutil.copytree(start, place)
    season(by_hand(**({"records": ["fused"]} | options)), Run(run, quiet=True))
    return "".join(shown(run, p.name) for p in sorted(run.iterdir()) if p.suffix in (".nc", ".json"))


@pytest.fixture(scope="module")
def usual(seasons_by_hand, tmp_path_factory) -> str:  # noqa: F811
    return counted(seasons_by_hand, tmp_path_factory.mktemp("usual") / "run")


@pytest.mark.parametrize("key", SEASON)
def test_every_key_of_the_season_changes_an_output(key, usual, seasons_by_hand, tmp_path):  # noqa: F811
    assert counted(seasons_by_hand, tmp_path / "run", **{key: SEASON[key]}) != usual


@pytest.mark.parametrize("key", COLLOCATE)
def test_every_key_of_the_collocation_changes_an_output(key, tmp_path):
    told = []
    for name, keys_of in (("one", {}), ("two", {key: COLLOCATE[key]})):
        run = evidence(tmp_path / name)
        collocate(by_errors(collocate={"resamples": 30, **keys_of}), run)
        told.append("".join(shown(run.folder, name) for name in ("collocation.json", "collocation_cells.nc")))
    assert told[0] != told[1]


def test_the_year_of_the_months_changes_their_figure(tmp_path):
    """On two years of records made by hand: the tiny run has one, and a year outside the period is refused."""
    drawn = []
    for year in (2015, 2016):
        run = evidence(tmp_path / str(year))
        hang(run, atlas._months(by_errors(report={"year": year}), run))
        drawn.append((run.path("figures") / "months.png").read_bytes())
    assert drawn[0] != drawn[1]
    with pytest.raises(ConfigError, match=r"report\.year 2014 is not wholly within period"):
        by_errors(report={"year": 2014})


def test_the_table_of_changes_has_no_key_that_the_file_has_not():
    assert set(KNOBS) | BY_HAND == set(keys(China))
    assert set(TABLES) - {"system"} <= {key.split(".")[0] for key in KNOBS}
