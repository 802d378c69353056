"""The frozen benchmark on the twin Earth (docs/benchmark.md): make its inputs, score a record, keep the table.

python tools/benchmark_twin.py make FOLDER                       # FOLDER/inputs to learn from, FOLDER/answers
python tools/benchmark_twin.py score FOLDER RECORD --name mine   # one Zarr folder or some netCDF files
python tools/benchmark_twin.py baselines FOLDER                  # the lines that need no network
python tools/benchmark_twin.py table                             # docs/benchmark.md from all lines
python tools/benchmark_twin.py freeze FOLDER --experiment examples/NEW.toml --version twin-2
"""

import argparse
import os
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from benchmark_manifest import Manifest, freeze, masks, read, refuse
from benchmark_scores import BEST, baselines, of_this_earth, opened, sample_of, score
from benchmark_table import check, lines_of, markdown, rebuilt, tables

from frostline import store
from frostline.errors import FrostlineError, InputError
from frostline.grid import Grid
from frostline.read.insitu_uscrn import NAME as USCRN_NAME
from frostline.runs import Run, finished, provenance, read_json, write_json
from frostline.steps.common import grid_of, load, roles, save

ROOT = Path(__file__).resolve().parent.parent
MANIFEST, PAGE = ROOT / "docs" / "benchmark" / "twin-1.json", ROOT / "docs" / "benchmark.md"
STEPS = ("twin", "read", "assemble")
COVERAGE = 0.95  # of a new version
LABELS = ("label_reanalysis", "label_station")
WHAT = {  # the lines that need no network: what they are, and what sets them apart
    "climatology": ("day-of-year climatology of the training labels", ""),
    "climatology_truth": ("the same of the truth", "knows the truth of the training years, which no record may"),
    "persistence": ("the reanalysis' state of the day before", ""),
    "reanalysis": ("the reanalysis' state of the day", ""),
}


def make(folder: Path, manifest: Manifest, *, workers: int | None = None) -> None:
    """Make the Earth in `folder/answers`, hold it against the manifest, and lay out `folder/inputs`.

    Inputs: `data` (the agencies' files; of stations only those that teach), `labels.zarr` (training and validation
    days of the cells that may teach), `masks.nc`, `benchmark.json`. Files are hard links where the disk has them.
    """
    path = ROOT / manifest["experiment"]
    _simulate(path, folder, workers)
    run = answers(folder, manifest)
    experiment, out = read(path)[0], folder / "inputs"
    shutil.rmtree(out, ignore_errors=True)
    sites = load(run.path("sites.nc"))
    teach = sites["role"].values == "train"
    names = zip(sites["network"].values[teach].tolist(), sites["site"].values[teach].tolist(), strict=True)
    _link(run.path("data"), out / "data", set(names))
    day_role, cell_role = roles(experiment)
    _labels(run, out / "labels.zarr", day_role, cell_role, manifest["id"])
    fields = {name: (("y", "x"), mask.astype(np.int8)) for name, mask in masks(experiment, run).items()}
    save(out / "masks.nc", grid_of(experiment).write(xr.Dataset(fields)))
    told = {"benchmark": manifest["id"], "days": manifest["days"], "coverage": manifest["coverage"]}
    about = "A record of these inputs carries the attribute benchmark, as it stands here. See docs/benchmark.md."
    write_json(out / "benchmark.json", told | {"about": about, "sample": manifest["sample"]})


def answers(folder: Path, manifest: Manifest) -> Run:
    """The run that holds a benchmark's answers, once it was found to be the Earth of the manifest."""
    run = Run(folder.resolve() / "answers", quiet=True)
    if not run.path("sites.nc").exists():
        cause = "no answers lie there"
        raise InputError("E-INPUT-MISSING", where=folder, cause=cause, remedy="run: tools/benchmark_twin.py make")
    found = freeze(ROOT / manifest["experiment"], run, version=manifest["version"], coverage=manifest["coverage"])
    refuse(manifest, found, where=run.folder)
    return run


def frozen(path: Path, folder: Path, version: str) -> dict[str, Any]:
    """The manifest of a new version, with the size of its sample; its Earth is made where it does not lie there."""
    run = _simulate(path, folder, None)
    found = freeze(path, run, version=version, coverage=COVERAGE)
    sample = sample_of(read(path)[0], run)
    covered = score("climatology", sample.climatology, sample, least=1.0)[1]
    sizes = {"/".join((row["against"], row["stratum"], row["overpass"])): row["n"] for row in covered}
    made = {k: v for k, v in provenance().items() if k != "machine"}
    where = path.resolve().relative_to(ROOT) if path.resolve().is_relative_to(ROOT) else path.resolve()
    return {"id": found["id"], "experiment": str(where), "sample": sizes, "frozen_with": made} | found


def line(
    name: str, record: Any, run: Run, manifest: Manifest, *, by: str, what: str, cost: str, note: str, commit: str
) -> dict[str, Any]:
    """A line of the table: who made what at what cost, and its rows."""
    sample = sample_of(read(ROOT / manifest["experiment"])[0], run)
    rows, covered = score(name, record, sample, least=manifest["coverage"])
    said = {"name": name, "by": by, "what": what, "cost": cost, "note": note}
    when = {"date": time.strftime("%Y-%m-%d", time.gmtime()), "record_commit": commit}
    when |= {"scored_commit": str(provenance()["commit"])}
    return {"benchmark": manifest["id"], **said, **when, "coverage": covered, "rows": rows}


def main(arguments: Sequence[str] | None = None) -> None:
    """One verb; every known error is one line and an exit code."""
    ask = argparse.ArgumentParser(description="the frozen benchmark on the twin Earth")
    ask.add_argument("--manifest", type=Path, default=MANIFEST, help="of the version (default: %(default)s)")
    verbs = ask.add_subparsers(dest="verb", required=True)
    one = {name: verbs.add_parser(name) for name in ("make", "score", "baselines", "table", "freeze")}
    for name in ("make", "score", "baselines", "freeze"):
        one[name].add_argument("folder", type=Path)
    one["make"].add_argument("--workers", type=int, help="processes (default: all cores)")
    one["score"].add_argument("record", type=Path, nargs="+", help="one Zarr folder, or netCDF files in any order")
    one["score"].add_argument("--name", required=True, help="of the line: small letters, digits, - and _")
    for option in ("by", "what", "cost", "note", "commit"):
        one["score"].add_argument(f"--{option}", default="", help="a text of the line")
    for name in ("score", "baselines"):
        one[name].add_argument("--out", type=Path, help="folder of the line (default: beside the manifest)")
    one["table"].add_argument("--page", type=Path, default=PAGE)
    one["freeze"].add_argument("--experiment", type=Path, required=True)
    one["freeze"].add_argument("--version", required=True)
    try:
        _do(ask.parse_args(arguments))
    except FrostlineError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit)


def _do(got: argparse.Namespace) -> None:
    if got.verb == "freeze":
        if got.manifest.exists():
            raise SystemExit(f"{got.manifest} is frozen: a change is a new version, --manifest names its file")
        write_json(got.manifest, frozen(got.experiment, got.folder, got.version))
        return
    manifest = read_json(got.manifest)
    lines = got.manifest.with_suffix("")
    if got.verb == "make":
        make(got.folder, manifest, workers=got.workers)
        print(f"inputs: {got.folder / 'inputs'}\nanswers, not to be learned from: {got.folder / 'answers'}")
    elif got.verb == "table":
        page = got.page.read_text(encoding="utf-8")
        got.page.write_text(rebuilt(page, tables(lines_of(lines, manifest), manifest)), encoding="utf-8")
    else:
        run = answers(got.folder, manifest)
        for made in _scored(got, run, manifest):
            path = (got.out or lines) / f"{made['name']}.json"
            write_json(path, made)
            check(read_json(path), manifest, path)
            for title in BEST:
                print(f"{title:>8}  | {' | '.join(markdown(made, title))} |")


def _scored(got: argparse.Namespace, run: Run, manifest: Manifest) -> Any:
    """The lines that were asked for."""
    experiment = read(ROOT / manifest["experiment"])[0]
    if got.verb == "baselines":
        commit = str((finished(run, "assemble") or {}).get("commit", "unknown"))
        for name, record in baselines(experiment, run).items():
            what, note = WHAT[name]
            words = {"by": "frostline", "what": what, "cost": "no training", "note": note, "commit": commit}
            yield line(name, record, run, manifest, **words)
        return
    record = opened(got.record, grid_of(experiment))
    of_this_earth(record, got.record, manifest)
    words = {key: getattr(got, key) for key in ("by", "what", "cost", "note", "commit")}
    beside = finished(Run(got.record[0].parent), "predict")  # of a run of frostline's own
    words["commit"] = words["commit"] or str((beside or {}).get("commit", ""))
    yield line(got.name, record, run, manifest, **words)


def _simulate(path: Path, folder: Path, workers: int | None) -> Run:
    """The steps that make an Earth, its files and its stack, in `folder/answers`; what did not change is skipped."""
    from frostline.cli import execute

    execute(path, list(STEPS), (), folder / "answers", workers, True, False)
    return Run(folder.resolve() / "answers", quiet=True)


def _link(data: Path, to: Path, teaching: set[tuple[str, str]]) -> None:
    """The agencies' files, but those of stations that do not teach, as hard links."""
    for path in sorted(p for p in data.rglob("*") if p.is_file()):
        product, *rest = path.relative_to(data).parts
        match = USCRN_NAME.fullmatch(path.name) if product == "uscrn" else None
        station = (rest[0], rest[1]) if product == "ismn" else ("USCRN", match["site"]) if match else None
        if station is not None and station not in teaching:
            continue
        new = to / path.relative_to(data)
        new.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(path, new)
        except OSError:
            shutil.copy2(path, new)


def _labels(run: Run, path: Path, day_role: np.ndarray, cell_role: np.ndarray, benchmark: str) -> None:
    """The labels that may teach and choose: training and validation days, in the cells of each; unknown elsewhere."""
    stack = store.open_store(run.path("stack.zarr"))
    chosen = cell_role == "validation" if (cell_role == "validation").any() else cell_role == "train"
    may = {"train": cell_role == "train", "validation": chosen}
    days, passes, grid = stack["time"].values, stack["overpass"].values, Grid.of(stack)
    static = {"land": stack["land"].values, "elevation": stack["elevation"].values}
    attrs = {"source": "labels of the twin benchmark", "benchmark": benchmark}
    store.create(path, grid=grid, time=days, overpass=passes, variables=LABELS, static=static, attrs=attrs)
    span = store.chunk_days(grid)
    nobody = np.zeros(grid.shape, bool)
    with store.writer(path) as write:
        for start in range(0, len(days), span):
            part = slice(start, start + span)
            taught = np.stack([may.get(str(role), nobody) for role in day_role[part]])[:, None]
            write(start, {name: np.where(taught, stack[name][part].values, np.nan) for name in LABELS})


if __name__ == "__main__":
    main()
