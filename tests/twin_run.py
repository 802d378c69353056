"""One tiny run for the tests of the whole: 16 x 16 cells, 40 days of a thawing spring, made once and copied.

Whoever needs it first makes it; with several test processes the others wait and use the same one.
"""

import copy
import fcntl
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import xarray as xr

from frostline import store
from frostline.config import parse
from frostline.config_north import North
from frostline.learn.checkpoint import load as load_checkpoint
from frostline.runs import Run, read_json
from frostline.steps import run_step
from frostline.steps.common import load
from frostline.steps.order import NORTH

TABLES: dict[str, Any] = {
    "title": "tiny",
    # south of Lake Baikal's latitude, inland: 16 x 16 cells of land, thawing in April and May with frost by night
    "grid": {"name": "N09", "center": [120.0, 58.0], "shape": [16, 16]},
    "period": {"start": "2016-04-10", "end": "2016-05-19"},
    "twin": {
        "seed": 1,
        "stations": 12,
        "weather_error": 3.5,
        "static_bias": 2.5,
        "spring_lag": -1.5,
        "offset": -0.5,
    },
    "inputs": {
        "root": "${RUN}/data",
        **{name: name for name in ("smap", "amsr2", "era5", "dem", "landcover", "ismn", "uscrn")},
    },
    # every held-out day lies within a week of a training day, so that the climatology knows it
    "split": {
        "train": [["2016-04-10", "2016-04-17"], ["2016-04-30", "2016-05-05"], ["2016-05-16", "2016-05-19"]],
        "validation": [["2016-04-19", "2016-04-23"]],
        "heldout": [["2016-04-25", "2016-04-28"], ["2016-05-07", "2016-05-14"]],
        "heldout_boxes": [[0.0, 0.75, 1.0, 1.0]],
        "buffer_days": 1,
        "buffer_cells": 1,
    },
    "train": {
        "width": 4,
        "depth": 2,
        "epochs": 2,
        "batch": 4,
        "crop": 16,
        "learning_rate": 0.02,
    },
    "classics": {"names": ["msta"]},  # the others need a winter, or are not worth their time in every test
    "validate": {"resamples": 50},
    "export": {"cog": [["2016-05-08", "2016-05-08"]]},
}
# three days of the same place without a net, for what the first steps show
BRIEF = {
    "period": {"start": "2016-05-10", "end": "2016-05-12"},
    "split": None,
    "train": None,
    "classics": None,
    "validate": None,
    "export.cog": [],
    "predict.method": "reanalysis",
}


def tables(**changes: Any) -> dict[str, Any]:
    """The tiny experiment's tables after changes such as {"train.width": 8}; None takes a key or table out."""
    return changed(TABLES, **changes)


def changed(plain: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Tables after changes, as in `tables`."""
    out = copy.deepcopy(plain)
    for key, value in changes.items():
        *parents, last = key.split(".")
        at = out
        for name in parents:
            at = at.setdefault(name, {})
        if value is None:
            at.pop(last, None)
        else:
            at[last] = copy.deepcopy(value)
    return out


def experiment(**changes: Any) -> North:
    return parse(tables(**changes))


def toml(path: Path, **changes: Any) -> Path:
    """The tiny experiment as a file."""
    from frostline.report import toml as written

    path.write_text(written(tables(**changes)) + "\n", encoding="utf-8")
    return path


def run_in(folder: Path) -> Run:
    return Run(folder, say=lambda text: None, workers=1, quiet=True)


def play(folder: Path, *until: str, **changes: Any) -> dict[str, dict[str, Any]]:
    """Run the steps of the tiny experiment up to some of them; what each noted."""
    settings, notes = experiment(**changes), {}
    for name in needed(*until):
        notes[name] = run_step(name, settings, run_in(folder))
    return notes


def needed(*until: str) -> list[str]:
    """Steps and all that they stand on, in order."""
    wanted, names = set(until), list(NORTH)
    for name in reversed(names):
        if name in wanted:
            wanted |= set(NORTH[name].after)
    return [name for name in names if name in wanted]


def copied(run: Path, to: Path) -> Path:
    """A run folder of its own: input files as links (break them before changing them), the rest as copies."""
    skip = shutil.ignore_patterns("data", "*.lock")
    shutil.copytree(run, to, ignore=skip, dirs_exist_ok=True)
    if (run / "data").exists():
        shutil.copytree(run / "data", to / "data", copy_function=os.link)
    return to


def spoil(path: Path, change: Callable[[Path], None]) -> Path:
    """Change one input file, and only the copy of this test."""
    own = path.with_name(path.name + ".own")
    shutil.copy2(path, own)
    path.unlink()
    own.rename(path)
    change(path)
    return path


def shown(run: Path, what: str) -> str:
    """A digest of one of a run's outputs: values and bytes, nothing of time, versions or settings."""
    digest = hashlib.sha256()
    if what in ("stack", "truth") or what.startswith("record"):
        ds = store.open_store(run / f"{what}.zarr") if (run / f"{what}.zarr").exists() else xr.Dataset()
        for name in sorted(map(str, ds.variables)):
            digest.update(name.encode() + ds[name].values.tobytes())
    elif what == "sites":
        ds = load(run / "sites.nc") if (run / "sites.nc").exists() else xr.Dataset()
        for name in sorted(map(str, ds.variables)):
            values = ds[name].values
            digest.update(
                name.encode() + (values.tobytes() if values.dtype.kind != "O" else str(values.tolist()).encode())
            )
    elif what in ("weights", "history"):
        for folder in sorted(p for p in (run / "checkpoints").iterdir() if p.is_dir()):
            checkpoint = load_checkpoint(folder)
            if what == "weights":
                for name in sorted(checkpoint.weights):
                    digest.update(checkpoint.weights[name].tobytes())
            else:
                digest.update(repr(checkpoint.history).encode())
    elif what == "scores":
        digest.update(repr(read_json(run / "scores.json")).encode())
    else:  # a file or a folder of files: data, figures, export, report.html
        place = run / what
        for path in [place] if place.is_file() else sorted(p for p in place.rglob("*") if p.is_file()):
            digest.update(str(path.relative_to(place)).encode() + path.read_bytes())
    return digest.hexdigest()


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One test process at a time."""
    with folder.with_suffix(".turn").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        yield


def made(
    root: Path, name: str, *until: str, start: Path | None = None, play: Callable[..., Any] = play, **changes: Any
) -> Path:
    """The run folder `root/name`, made up to a step unless that was done before; `start` is a run to go on from."""
    folder = root / name
    with _alone(folder):
        if not folder.with_suffix(".done").exists():
            shutil.rmtree(folder, ignore_errors=True)
            copied(start, folder) if start is not None else folder.mkdir()
            play(folder, *until, **changes)
            folder.with_suffix(".done").touch()
    return folder


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all test processes of a session share."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


@pytest.fixture(scope="session")
def assembled(shared: Path) -> Path:
    """The tiny run up to its stack. Copy it before changing anything."""
    return made(shared, "assembled", "assemble")


@pytest.fixture(scope="session")
def scored(shared: Path, assembled: Path) -> Path:
    """The tiny run with its scores and exported files. Copy it before changing anything."""
    return made(shared, "scored", "validate", "export", start=assembled)


@pytest.fixture(scope="session")
def finished(shared: Path, scored: Path) -> Path:
    """The whole tiny run, with its figures and report. Copy it before changing anything."""
    return made(shared, "finished", "report", "export", start=scored)


@pytest.fixture(scope="session")
def brief(shared: Path) -> Path:
    """Three days of it, without a net, up to the stack."""
    return made(shared, "brief", "assemble", **BRIEF)
