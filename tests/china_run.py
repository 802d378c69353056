"""One tiny run of the china system for the tests of the whole: 8 x 8 cells, one year, made once and copied."""

from pathlib import Path
from typing import Any

import pytest

from frostline.config import parse
from frostline.config_china import China
from frostline.steps import run_step
from frostline.steps.order import CHINA
from twin_run import changed, copied, made, run_in, shared

__all__ = ["TABLES", "china", "copied", "play", "reported", "scored", "shared", "tables"]

TABLES: dict[str, Any] = {
    "system": "china",
    "title": "tiny china",
    "grid": {"name": "M09", "center": [97.0, 36.0], "shape": [8, 8]},
    "period": {"start": "2016-01-01", "end": "2016-12-31"},
    "twin": {"stations": 10, "nodes": 4},
    "inputs": {
        "root": "${RUN}/data",
        **{name: name for name in ("smap", "esdr", "era5land", "landcover", "koppen", "permafrost", "regions")},
        **{f"{name}_codes": f"{name}/codes.csv" for name in ("permafrost", "regions")},
        **{name: name for name in ("cma", "ctp", "networks")},
    },
    "split": {
        "train": [["2016-01-01", "2016-04-30"]],
        "validation": [["2016-05-04", "2016-07-31"]],
        "heldout": [["2016-08-04", "2016-12-31"]],
        "buffer_days": 3,
        "buffer_cells": 1,
    },
    "train": {"width": 3, "epochs": 1, "batch": 32, "crop": 8},
    "validate": {"resamples": 30},
    "collocate": {"resamples": 30},
    "export": {"cog": [["2016-05-08", "2016-05-08"]]},
}


def tables(**changes: Any) -> dict[str, Any]:
    """The tiny experiment's tables after changes such as {"train.width": 8}; None takes a key or table out."""
    return changed(TABLES, **changes)


def china(**changes: Any) -> China:
    return parse(tables(**changes))


def play(folder: Path, *until: str, **changes: Any) -> dict[str, dict[str, Any]]:
    """Run the steps of the tiny experiment up to some of them; what each noted."""
    settings, wanted = china(**changes), set(until)
    for name in reversed(CHINA):
        wanted |= set(CHINA[name].after) if name in wanted else set()
    return {name: run_step(name, settings, run_in(folder)) for name in CHINA if name in wanted}


@pytest.fixture(scope="session")
def scored(shared: Path) -> Path:
    """The tiny run with its evidence and exported files. Copy it before changing anything."""
    return made(shared, "china", "validate", "collocate", "season", "export", play=play)


@pytest.fixture(scope="session")
def reported(shared: Path, scored: Path) -> Path:
    """The whole tiny run, with its figures and report. Copy it before changing anything."""
    return made(shared, "china_reported", "report", start=scored, play=play)
