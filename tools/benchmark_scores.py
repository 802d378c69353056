"""Records on the fixed sample of the twin benchmark: opened, refused where they cannot be compared, scored."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from benchmark_manifest import Manifest, fingerprint_of, masks

from frostline import classic, store
from frostline.config_north import North
from frostline.errors import ConfigError, InputError
from frostline.grid import Grid
from frostline.runs import Run
from frostline.schema import RECORD, check, coordinates
from frostline.scores import SCORES
from frostline.steps.common import days_of, grid_of, load, roles
from frostline.steps.evidence import as_record
from frostline.validate.calibration import RELIABILITY
from frostline.validate.rows import evaluate

Rows = list[dict[str, Any]]
BEST = {"accuracy": 1.0, "mcc": 1.0, "brier": 0.0, "ece": 0.0}  # the scores of the table, and the best of each
AREAS = ("area:trained", "area:heldout")
PARTS = (*(("truth", area) for area in AREAS), ("stations", "all"))  # (against, stratum), each morning and evening
PASSES = ("am", "pm")
PROBABILITIES = ("frozen", "frozen_probability")  # a record's own, and that of exported files
DIMS = ("time", "overpass", "y", "x")


class Sample(NamedTuple):
    """What every record is judged by: truths on the held-out days, masks (y, x), and the climatology of the labels."""

    experiment: North
    truths: Mapping[str, xr.Dataset]
    strata: Mapping[str, np.ndarray]
    climatology: xr.Dataset


def sample_of(experiment: North, run: Run) -> Sample:
    """The fixed sample of a run's answers: held-out days, land, both areas and the stations that judge.

    Refused where the climatology does not know all of it, since it answers for what a record leaves open.
    """
    grid, days, (day_role, cell_role) = grid_of(experiment), days_of(experiment), roles(experiment)
    judging = {"time": np.flatnonzero(day_role == "heldout")}
    truth = as_record(store.open_store(run.path("truth.zarr"), chunks={})["truth"], grid).isel(judging)
    domain = masks(experiment, run)["domain"]
    sites = load(run.path("sites.nc"))
    sites = sites.isel(site=np.flatnonzero(sites["role"].values == "heldout")).sel(time=days[day_role == "heldout"])
    inside = truth.assign(frozen=truth["frozen"].where(xr.DataArray(domain, dims=("y", "x"))))
    known = climatology(experiment, run, "label_reanalysis").isel(judging)
    lost = sum(int((k & np.isnan(c)).sum()) for k, c in _blocks(inside["frozen"].notnull(), known["frozen"]))
    if lost:
        cause = f"the climatology does not know {lost} cell-days of the sample"
        raise InputError("E-INPUT-TIME", where=run.folder, cause=cause, remedy="declare more days of training")
    strata = {area: domain & (cell_role == role) for area, role in zip(AREAS, ("train", "heldout"), strict=True)}
    return Sample(experiment, {"truth": inside, "stations": sites}, strata, known)


def climatology(experiment: North, run: Run, of: str) -> xr.Dataset:
    """The day-of-year climatology of the training days: of `label_reanalysis`, or of the `truth` nobody may know."""
    place = run.path("truth.zarr" if of == "truth" else "stack.zarr")
    labels = store.open_store(place, chunks={})[of]
    taught = xr.DataArray(roles(experiment)[0] == "train", coords={"time": labels["time"].values}, dims="time")
    half = experiment.validate_.climatology_days if experiment.validate_ is not None else 0
    table = classic.climatology(labels, days=taught, half_window=half)
    return classic.climatology_record(table, labels["time"].values, grid=grid_of(experiment))


def baselines(experiment: North, run: Run) -> dict[str, xr.Dataset]:
    """The records that need no network, by the names they have everywhere."""
    labels = store.open_store(run.path("stack.zarr"), chunks={})["label_reanalysis"]
    return {
        "climatology": climatology(experiment, run, "label_reanalysis"),
        "climatology_truth": climatology(experiment, run, "truth"),
        "persistence": classic.persistence(labels, grid=grid_of(experiment)),
        "reanalysis": as_record(labels, grid_of(experiment)),
    }


def opened(paths: Sequence[Path], grid: Grid) -> xr.Dataset:
    """A record of one or several files (Zarr folders, netCDF), in order of time, lazily, on the benchmark's grid.

    Refused: no probability of frozen, another grid, times that do not rise. Files without frostline's attributes of
    the grid are taken where their x and y are its cells.
    """
    parts = []
    for path in paths:
        if not path.exists():
            raise InputError("E-INPUT-MISSING", where=path, cause="no record lies there")
        if (path / store.JOURNAL).exists():
            whole = store.open_store(path, chunks={})
        elif path.is_dir():
            whole = xr.open_zarr(path, chunks={})
        else:
            whole = xr.open_dataset(path, engine="h5netcdf", chunks={})
        name = next((n for n in PROBABILITIES if n in whole), None)
        if name is None:
            cause = f"holds {', '.join(map(str, whole.data_vars)) or 'nothing'}, and none of {', '.join(PROBABILITIES)}"
            raise InputError("E-INPUT-SCHEMA", where=path, cause=cause)
        field = whole[name]
        if set(field.dims) != set(DIMS) or "overpass" not in whole.coords:
            cause = f"{name} is on {tuple(map(str, field.dims))}, not on {DIMS} with the overpass's codes"
            raise InputError("E-INPUT-SCHEMA", where=path, cause=cause)
        _same_cells(whole, grid, path)
        days = whole["time"].values.astype("datetime64[D]")
        frozen = field.astype(np.float32).transpose(*DIMS).variable.data  # a file unpacks to float64, a store to this
        ds = coordinates(xr.Dataset({"frozen": (DIMS, frozen)}), time=days, overpass=whole["overpass"].values)
        parts.append(grid.write(ds).assign_attrs({k: v for k, v in whole.attrs.items() if k == "benchmark"}))
    said = {part.attrs.get("benchmark") for part in parts}
    if len(said) > 1:
        raise InputError("E-INPUT-SCHEMA", where=paths[0], cause="its files say that they are of several benchmarks")
    joined = parts[0] if len(parts) == 1 else xr.concat(parts, "time", combine_attrs="override").sortby("time")
    return check(joined, RECORD, values=False)


def of_this_earth(record: xr.Dataset, paths: Sequence[Path], manifest: Manifest) -> None:
    """Refuse a record of another Earth: by its attribute `benchmark`, or by the truth that lies beside it."""
    said = record.attrs.get("benchmark")
    if said is not None:
        if said != manifest["id"]:
            cause = f"the record says that it is of {said!r}, the answers are of {manifest['id']!r}"
            raise InputError("E-INPUT-SCHEMA", where=paths[0], cause=cause, remedy="make it of this Earth's inputs")
        return
    beside = paths[0].parent / "truth.zarr"
    if not beside.exists():
        cause = "the record does not say of which Earth it is"
        remedy = f"give it the attribute benchmark = {manifest['id']!r}, which stands in inputs/benchmark.json"
        raise InputError("E-INPUT-SCHEMA", where=paths[0], cause=cause, remedy=remedy)
    if fingerprint_of(store.open_store(beside)["truth"])["sha256"] != manifest["truth"]["sha256"]:
        cause = f"the record was made on another Earth: the truth beside it is not that of {manifest['version']}"
        raise InputError("E-INPUT-SCHEMA", where=paths[0], cause=cause, remedy="make it of this Earth's inputs")


def score(name: str, record: xr.Dataset, sample: Sample, *, least: float) -> tuple[Rows, Rows]:
    """Rows of a record on the fixed sample, and its coverage; refused where it knows less than `least` of a part.

    A row is {against, stratum, overpass, score, value, lo, hi, n, n_effective, skill}; of coverage {against, stratum,
    overpass, value, n}, where n is the whole sample. What the record leaves open the climatology answers: every record
    is judged on the same cell-days, and silence earns no skill.
    """
    times = sample.climatology["time"].values
    whole = record.reindex(time=times, overpass=sample.climatology["overpass"].values)  # missing is unknown
    plain = _rows({name: whole}, sample, {"coverage": SCORES["coverage"]}, resamples=2)
    covered = [
        {k: row[k] for k in ("against", "stratum", "overpass", "value")}
        | {"n": round(row["n"] / row["value"]) if row["value"] else 0}
        for row in plain
        if row["score"] == "coverage"
    ]
    for row in covered:
        if not row["value"] >= least:
            part = "{against}, {stratum}, {overpass}".format(**row)
            cause = f"the record knows {row['value']:.3f} of the sample {part}; {least} is the least"
            raise InputError("E-INPUT-EMPTY", where=name, cause=cause, remedy="fill it, or do not submit it")
    filled = whole.assign(frozen=whole["frozen"].variable.fillna(sample.climatology["frozen"].variable))
    pair = {"climatology": sample.climatology} | ({name: filled} if name != "climatology" else {})
    rows = _rows(pair, sample, {k: (SCORES | RELIABILITY)[k] for k in BEST})
    kept = ("against", "stratum", "overpass", "score", "value", "lo", "hi", "n", "n_effective", "skill")
    return [{k: r[k] for k in kept} for r in rows if r["record"] == name and r["score"] in BEST], covered


def _rows(records: Mapping[str, xr.Dataset], sample: Sample, scores: Mapping[str, Any], **more: Any) -> Rows:
    """The rows of the parts of the sample."""
    table = sample.experiment.validate_
    assert table is not None
    times = sample.climatology["time"]
    options = {"block": table.block_days, "resamples": table.resamples, "level": table.confidence, "seed": table.seed}
    rows = evaluate(
        records,
        sample.truths,
        days={"heldout": xr.DataArray(np.ones(len(times), bool), coords={"time": times.values}, dims="time")},
        strata=sample.strata,
        scores=scores,
        **(options | more),
    )
    return [r for r in rows if (r["against"], r["stratum"]) in PARTS]


def _same_cells(ds: xr.Dataset, grid: Grid, path: Path) -> None:
    """Refuse a dataset that does not lie on the grid's cells, by its x and y or by frostline's attributes."""
    lost = []
    for name in ("y", "x"):
        axis, ours = ds[name].values if name in ds.coords else np.empty(0), getattr(grid, name)
        if axis.shape != ours.shape or not np.allclose(axis, ours, rtol=0, atol=grid.step * 1e-3):
            lost.append(f"{name} are not those of its cells")
    if "grid_name" in ds.attrs:
        its = Grid.of(ds)
        try:
            same = its.offset(grid) == (0, 0) and its.shape == grid.shape
        except ConfigError:
            same = False
        lost += [] if same else [f"it lies on {its}"]
    if lost:
        cause = f"the benchmark is on {grid}; {', '.join(lost)}"
        raise InputError("E-INPUT-GRID", where=path, cause=cause, remedy="bring it onto the benchmark's grid")


def _blocks(one: xr.DataArray, other: xr.DataArray, days: int = 32) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Blocks of days of two lazy fields of one shape."""
    for start in range(0, one.sizes["time"], days):
        yield one[start : start + days].values, other[start : start + days].values
