"""The order of things in each system: which step stands on which, what each obeys, and what it makes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from frostline.runs import Run
from frostline.steps import (
    archives,
    atlas,
    classics,
    climate,
    decades,
    direct,
    emulators,
    evidence,
    fusion,
    given,
    given_pairs,
    given_pictures,
    given_seasons,
    indirect,
    inputs,
    model,
    pictures,
    predictors,
    stack,
)


@dataclass(frozen=True)
class Step:
    """A verb: the function, the steps it stands on, the tables it obeys, the files that show it is done."""

    does: Callable[[Any, Run], dict[str, Any]]
    after: tuple[str, ...]
    tables: tuple[str, ...]
    makes: Callable[[Any], tuple[str, ...]]
    about: str


NORTH = {
    "twin": Step(
        inputs.twin,
        (),
        ("grid", "period", "twin"),
        lambda e: ("truth.zarr", "data") if e.twin else (),
        "simulate the twin Earth and write its agency files",
    ),
    "read": Step(
        inputs.read,
        ("twin",),
        ("grid", "period", "inputs"),
        lambda e: ("inventory.json",),
        "list and check every input",
    ),
    "assemble": Step(
        stack.assemble,
        ("read",),
        ("assemble", "labels.time", "labels.threshold", "labels.max_depth", "split"),
        lambda e: ("stack.zarr",),
        "regrid, fill gaps and label into one stack",
    ),
    "train": Step(
        model.train,
        ("assemble",),
        ("split", "train", "labels.soft", "labels.band", "labels.freezing"),
        lambda e: ("checkpoints",) if e.train else (),
        "train the net and its rivals",
    ),
    "predict": Step(
        model.predict,
        ("train",),
        ("predict",),
        lambda e: ("record.zarr",) if e.train else ("record_reanalysis.zarr",),
        "write the record",
    ),
    "validate": Step(
        evidence.validate,
        ("predict",),
        ("validate_", "classics"),
        lambda e: ("scores.json", "phenology.json", "area.json", *classics.made(e)) if e.validate_ else (),
        "score the record and its baselines, correct its frozen area for error",
    ),
    "map": Step(pictures.draw, ("validate",), ("title", "report"), lambda e: ("figures",), "draw the figures"),
    "report": Step(pictures.report, ("map",), ("title", "export"), lambda e: ("report.html",), "write the report"),
    "export": Step(
        pictures.export, ("predict",), ("title", "export"), lambda e: ("export",), "write netCDF and GeoTIFF files"
    ),
}

CHINA = {
    "twin": Step(
        decades.twin,
        (),
        ("grid", "period", "twin", "assemble.hours_before", "assemble.time"),
        lambda e: ("truth.zarr", "data") if e.twin else (),
        "simulate four decades and write their agency files",
    ),
    "read": Step(
        archives.read,
        ("twin",),
        ("grid", "period", "inputs"),
        lambda e: ("inventory.json",),
        "list and check every input",
    ),
    "assemble": Step(
        predictors.assemble,
        ("read",),
        ("assemble", "split"),
        lambda e: ("stack.zarr",),
        "sample the reanalysis before each overpass, put both records beside it",
    ),
    "train": Step(
        emulators.train,
        ("assemble",),
        ("split", "train"),
        lambda e: ("checkpoints",),
        "train a ConvLSTM per record and overpass",
    ),
    "predict": Step(
        emulators.predict,
        ("train",),
        ("predict", "fuse.low_confidence"),
        lambda e: tuple(f"record_convlstm_{target}.zarr" for target in e.train.targets),
        "write the records of the nets",
    ),
    "fuse": Step(
        fusion.fuse,
        ("predict",),
        ("fuse",),
        lambda e: ("record.zarr", "fusion.json"),
        "fuse them into one record",
    ),
    "validate": Step(
        direct.validate,
        ("fuse",),
        ("validate_",),
        lambda e: ("scores.json",),
        "score all records, their differences and the dense networks",
    ),
    "collocate": Step(
        indirect.collocate,
        ("fuse",),
        ("collocate",),
        lambda e: ("collocation.json",),
        "triple collocation, with its preconditions first",
    ),
    "season": Step(
        climate.season,
        ("fuse",),
        ("season",),
        lambda e: ("trends.json", "trend_cells.nc"),
        "frozen days, onset and length, and their trends",
    ),
    "map": Step(
        atlas.draw,
        ("validate", "collocate", "season"),
        ("title", "report"),
        lambda e: ("figures",),
        "draw the figures",
    ),
    "report": Step(atlas.report, ("map",), ("title", "export"), lambda e: ("report.html",), "write the report"),
    "export": Step(
        pictures.export, ("fuse",), ("title", "export"), lambda e: ("export",), "write netCDF and GeoTIFF files"
    ),
}

GIVEN = {
    "read": Step(given.read, (), ("period", "inputs"), lambda e: ("inventory.json",), "look into what is given"),
    "collocate": Step(
        given_pairs.collocate,
        ("read",),
        ("states", "collocate"),
        lambda e: ("collocation.json", "scores.json") if e.inputs.uscrn else (),
        "compare soil, air and skin of stations, with what speaks against it first",
    ),
    "season": Step(
        given_seasons.season,
        ("read",),
        ("states", "season"),
        lambda e: ("trends.json",),
        "count days in the state, and their trends",
    ),
    "map": Step(
        given_pictures.draw, ("collocate", "season"), ("title", "report"), lambda e: ("figures",), "draw the figures"
    ),
    "report": Step(given_pictures.report, ("map",), ("title",), lambda e: ("report.html",), "write the report"),
}

STEPS: dict[str, dict[str, Step]] = {"north": NORTH, "china": CHINA, "given": GIVEN}
