"""Every key of an experiment on given records is turned, the steps run again, and an output must change."""

import hashlib
import shutil
from pathlib import Path
from typing import Any

import pytest

from frostline.config_given import Given
from frostline.steps import given_seasons
from given_run import experiment, files, play
from test_read_basin import write as write_basin

pytestmark = pytest.mark.slow
ALL = ("read", "collocate", "season", "map")
# key -> (other value, records it bears on, output that must change)
KNOBS: dict[str, tuple[Any, str, str]] = {
    "title": ("another", "basin", "report.html"),
    "period.start": ("2005-08-01", "basin", "trends.json"),
    "period.end": ("2012-07-31", "basin", "trends.json"),
    "inputs.root": ("other", "basin", "trends.json"),
    "inputs.uscrn": (None, "uscrn melt", "inventory.json"),
    "inputs.basin": (None, "basin melt", "inventory.json"),
    "inputs.melt": (None, "basin melt", "inventory.json"),
    "states.threshold": (274.5, "uscrn", "scores.json"),
    "states.least_days": (100, "uscrn", "scores.json"),
    "collocate.block_days": (2, "uscrn", "scores.json"),
    "collocate.resamples": (60, "uscrn", "scores.json"),
    "collocate.confidence": (0.5, "uscrn", "collocation.json"),
    "collocate.seed": (2, "uscrn", "scores.json"),
    "season.start_month": (9, "basin", "trends.json"),
    "season.months": ([1], "melt", "seasons_melt.nc"),
    "season.rule": ("12of15", "melt", "seasons_melt.nc"),
    "season.min_valid": (0.9, "melt", "seasons_melt.nc"),
    "season.sensors": ([1995], "melt", "trends.json"),
    "season.regions": ({"pole": [-180, 180, -90, -89]}, "melt", "trends.json"),
    "season.correction": ("none", "melt", "trends.json"),
    "season.confidence": (0.5, "melt", "trends.json"),
    "report.station": ("1003", "uscrn", "figures"),
    "report.marked": (0.0, "melt", "figures"),
}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = files(tmp_path_factory.mktemp("given"))
    (folder / "other").mkdir()
    cold = [-3.0 if day % 7 < 3 else 2.0 for day in range(5000)]
    write_basin(folder / "other" / "air.nc", [t - 1 for t in cold], cold)
    return folder


def keys(model: Any = Given, above: str = "") -> list[str]:
    """Every key of the file but `system`."""
    found = []
    for name, info in model.model_fields.items():
        inner = [t for t in (info.annotation, *getattr(info.annotation, "__args__", ())) if hasattr(t, "model_fields")]
        found += keys(inner[0], f"{above}{name}.") if inner else [above + name]
    return [key for key in found if key != "system"]


@pytest.mark.parametrize("key", keys())
def test_every_key_changes_an_output(key: str, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert key in KNOBS, f"{key} has no entry in KNOBS: say what it changes, or take it out"
    monkeypatch.setattr(given_seasons, "MANY", 3)  # trends are mapped, few as the pixels are
    value, names, shows = KNOBS[key]
    table, _, name = key.partition(".")
    common: dict[str, Any] = {}
    if table == "period":  # both ends are needed
        common = {"period": {"start": "2001-08-01", "end": "2013-07-31"}}
    changed = common | ({"period": common["period"] | {name: value}} if common else {f"{table}__{name}": value})
    if not name:
        changed = {key: value}
    elif key == "inputs.root":
        changed = {key.replace(".", "__"): str(root / value)}
    steps = ALL[: {"inventory.json": 1, "scores.json": 2, "collocation.json": 2, "figures": 4}.get(shows, 3)]
    if shows == "report.html":
        steps = (*ALL, "report")
    before = _shown(experiment(root, names=names.split(), **common), tmp_path / "a", steps, shows)
    after = _shown(experiment(root, names=names.split(), **changed), tmp_path / "b", steps, shows)
    assert before != after


def _shown(of: Given, folder: Path, steps: tuple[str, ...], shows: str) -> list[str]:
    """Hashes of an output; where the run lies is no difference."""
    play(of, folder, *steps)
    at = folder / shows
    paths = sorted(at.iterdir()) if at.is_dir() else [at]
    found = [hashlib.sha256(p.read_bytes().replace(str(folder).encode(), b"")).hexdigest() for p in paths]
    shutil.rmtree(folder)
    return found
