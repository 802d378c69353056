"""Which labels match the truth, and which teach best? On twin Earths; tables, and lines for docs/results.md.

    python tools/studies_labels.py                              # all; about 25 minutes on two cores
    python tools/studies_labels.py --parts threshold --seeds 11 12 13
    python tools/studies_labels.py --prepared runs/dev          # folders by seed that are assembled already

time       What labels at 6 and 18 h UTC would be at each longitude: the reanalysis of the first seed's Earth, as
           if its days ran alike everywhere in local time, sampled at the local hour that 6 and 18 h UTC are there. The
           share of labels that differ from those at 6 and 18 h local time, and what that costs against the truth.
           Also labels at SMAP's own minutes.
threshold  The states of the reanalysis for thresholds of -1 to +0.5 degC against the truth: nothing is trained.
teach      Nets taught by states, by chances of frost, without a band around 0 degC, and by the share of ice; all else
           is equal, and all are chosen by the same states. The validation year decides; the held-out year is beside.

A variant's difference to states is paired on each seed's cell-days. Over seeds the interval is that of Student's t, so
it holds what seeds do by chance, weights and Earths alike. Each seed is an Earth and a training. What is there is kept.
"""

import argparse
import os
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from labels_scores import HEAD, SPLITS, figures, judged, kept, line, usual_days

from frostline import labels, store
from frostline.config import read_experiment
from frostline.config_north import North
from frostline.errors import InputError
from frostline.runs import Run, fingerprint, finished, provenance, read_json
from frostline.steps.common import days_of, grid_of, load, roles, save
from frostline.steps.evidence import as_record, references
from frostline.steps.fields import era5_hours, observed_minutes
from frostline.validate.intervals import bounds, draw_days, resample

Array = np.ndarray
FOLDER, SEEDS = Path("runs", "studies", "labels"), (11, 12, 13)  # settings may be chosen on these (not on 101 to 103)
MADE = ("stack.zarr", "truth.zarr", "sites.nc", "inventory.json")
LONGITUDES = tuple(range(-180, 181, 30))
DEGREES = (-1.0, -0.75, -0.5, -0.25, 0.0, 0.25, 0.5)
PRESENT = "states"
# Freezing point and slope: the middles of the ranges of networks in Salmabadi et al. 2026, T_f below 0 degC
VARIANTS: dict[str, tuple[str, ...]] = {
    PRESENT: (),
    "soft 1 K": ("labels.soft=1.0",),
    "soft 2 K": ("labels.soft=2.0",),
    "band 0.5 K": ("labels.band=0.5",),
    "ice share": ("labels.freezing=[272.85, 2.2]",),
    "states at -0.5 degC": ("labels.threshold=272.65", "labels.soft=0.01"),  # a teacher's states; what chooses stays
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what is missing of the parts asked for, and print their tables."""
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument(
        "--parts", nargs="+", choices=("time", "threshold", "teach"), default=("time", "threshold", "teach")
    )
    ask.add_argument("--experiment", type=Path, default=Path("examples", "demo.toml"))
    ask.add_argument("--seeds", type=int, nargs="+", default=list(SEEDS))
    ask.add_argument("--variants", nargs="+", choices=list(VARIANTS), default=list(VARIANTS), help="of part teach")
    ask.add_argument("--epochs", type=int, default=6)
    ask.add_argument("--folder", type=Path, default=FOLDER)
    ask.add_argument("--prepared", type=Path, help="runs by seed that hold a stack and a truth (default: made here)")
    ask.add_argument("--set", action="append", default=[], dest="more", help="table.key=value, as frostline --set")
    ask.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    got = ask.parse_args(arguments)
    made = {seed: assembled(got, seed) for seed in got.seeds}
    parts = {"time": time_table, "threshold": threshold_table, "teach": teach_table}
    for part in got.parts:
        print("\n".join(parts[part](got, made)), flush=True)


def settings(got: argparse.Namespace, seed: int, *more: str) -> North:
    """The experiment of a seed: the demo's, without rivals."""
    fixed = (f"twin.seed={seed}", f"train.seed={seed}", f"train.epochs={got.epochs}", "train.compare=[]")
    found = read_experiment(got.experiment, (*fixed, *got.more, *more))
    assert isinstance(found, North)
    return found


def assembled(got: argparse.Namespace, seed: int) -> Path:
    """A run of the seed's Earth with its stack; made here unless it is prepared."""
    if got.prepared is not None:
        folder = got.prepared / str(seed)
        if finished(Run(folder), "assemble") is None:
            raise SystemExit(f"{folder}: not assembled")
        return folder.resolve()
    from frostline.cli import execute

    folder = got.folder / str(seed)
    own = (f"twin.seed={seed}", *got.more)
    execute(got.experiment, ["twin", "read", "assemble"], own, folder, got.workers, True, False)
    return folder.resolve()


# --- the hour


def time_table(got: argparse.Namespace, made: Mapping[int, Path]) -> list[str]:
    """Longitudes: the percent of labels that are others by UTC, and the accuracy gained or lost by pass, in points."""
    seed, folder = next(iter(made.items()))
    experiment = settings(got, seed)
    days = days_of(experiment)[roles(experiment)[0] == "validation"]
    file = got.folder / f"time_{seed}.nc"
    if not file.exists():
        save(file, by_hour(experiment, folder, days).assign_attrs(commit=provenance()["commit"]))
    sums = load(file)
    draws, blocks = draw_days(days, block=30, seed=1)
    first = f"twin Earth {seed}, the year from {days[0].astype('datetime64[D]')}"
    lines = ["", f"Labels at other hours than 6 and 18 h local time, {first}", "", *HEAD]
    for name in sums["hours"].values.tolist():
        for what, passes, said in (
            ("differ", [0, 1], "that differ, percent, both passes"),
            ("gain", [0], "less local ones, accuracy against truth, points, am"),
            ("gain", [1], "less local ones, accuracy against truth, points, pm"),
        ):
            part = sums.sel(hours=name, overpass=passes).sum("overpass")
            counts = {k: part[k].values[:, None] for k in ("known", what)}
            drawn = resample(draws, counts)
            low, high = (float(end[0]) for end in bounds(100 * drawn[what] / drawn["known"], units=blocks))
            value, n = 100 * float(part[what].sum() / part["known"].sum()), int(part["known"].sum())
            shown = f"{value:.2f} [{low:.2f}, {high:.2f}]"
            skill = float(part[what].sum() / part["calendar"].sum()) if what == "gain" else float("nan")
            figure = f"labels at {name} {said}"
            lines.append(line(figure, shown, n, skill, f"time --seeds {seed}", sums.attrs["commit"], f"twin {seed}"))
    return lines


def by_hour(experiment: North, folder: Path, days: Array) -> xr.Dataset:
    """Daily sums (time, hours, overpass) of land cells: labels known, differing from local time, right more often.

    `calendar` are those that the climatology of the training years gets wrong: gain over it is the gain in skill.
    """
    run, grid = Run(folder, quiet=True), grid_of(experiment)
    inventory = read_json(run.path("inventory.json"))
    files = [Path(row[0]) for row in inventory["era5"]["files"]]
    truth = references(experiment, run)["truth"]["frozen"].sel(time=days).values
    own = observed_minutes(inventory, grid, _loud)
    steps = [hour + lon / 15.0 for lon in (0, *LONGITUDES) for hour in labels.LOCAL_HOURS]
    names = [*(f"6 and 18 h UTC at {lon} E" for lon in LONGITUDES), "SMAP's own minutes"]
    out = {name: np.zeros((len(days), len(names), 2)) for name in ("known", "differ", "gain", "calendar")}

    def states(hours: Sequence[float], **how: Any) -> Iterator[tuple[int, int, Array]]:
        hourly = era5_hours(files, grid, days, experiment.assemble.regrid, _loud)
        for day, code, _, state in labels.solar_labels(hourly, grid, dates=days, local_hours=hours, **how):
            yield int(np.searchsorted(days, day)), code, state

    missed = (usual_days(experiment, run)["frozen"].sel(time=days).values > 0.5) != (truth > 0.5)
    local = np.full_like(truth, np.nan)

    def add(t: int, code: int, k: int, state: Array) -> None:
        usual, known = local[t, code], np.isfinite(truth[t, code]) & np.isfinite(state) & np.isfinite(local[t, code])
        out["known"][t, k, code] = known.sum()
        out["differ"][t, k, code] = (known & (state != usual)).sum()
        right = (state == truth[t, code]).astype(int) - (usual == truth[t, code])
        out["gain"][t, k, code] = right[known].sum()
        out["calendar"][t, k, code] = (known & missed[t, code]).sum()

    for t, step, state in states(steps):
        if step < 2:
            local[t, step] = state
        else:
            add(t, step % 2, step // 2 - 1, state)
    for t, code, state in states(labels.LOCAL_HOURS, minutes=own):
        add(t, code, len(names) - 1, state)
    coords = {"time": days, "hours": names, "overpass": [0, 1]}
    return xr.Dataset({n: (("time", "hours", "overpass"), v) for n, v in out.items()}, coords)


def _loud(product: str, path: str | Path, error: InputError) -> None:
    raise error


# --- the threshold


def threshold_table(got: argparse.Namespace, made: Mapping[int, Path]) -> list[str]:
    """Thresholds by what judges: accuracy of the reanalysis' states, and its difference to 0 degC."""
    rows = {seed: kept(got.folder / f"threshold_{seed}.json", partial(thresholds, settings(got, seed), folder))
            for seed, folder in made.items()}  # fmt: skip
    lines = ["", "States of the reanalysis by threshold, twin Earths", "", *HEAD]
    return lines + figures(rows, [f"{d:+.2f}" for d in DEGREES], "+0.00", "threshold", " degC: reanalysis")


def thresholds(experiment: North, folder: Path) -> list[dict[str, Any]]:
    """Scores of the reanalysis' states for each threshold against the truth in both senses, and stations."""
    run, grid = Run(folder, quiet=True), grid_of(experiment)
    stack = store.open_store(run.path("stack.zarr"), chunks={})
    days = days_of(experiment)[np.isin(roles(experiment)[0], SPLITS)]
    kelvin = stack["soil_temperature"].sel(time=days).where(stack["land"] == 1).load()
    claims = {}
    for degrees in DEGREES:
        frozen = xr.DataArray(labels.state(kelvin.values, labels.FREEZING + degrees), kelvin.coords, kelvin.dims)
        claims[f"{degrees:+.2f}"] = as_record(frozen, grid)
    return judged(experiment, run, claims, "+0.00")


# --- what teaches


def teach_table(got: argparse.Namespace, made: Mapping[int, Path]) -> list[str]:
    """Variants by what judges: accuracy, Brier score, skill over climatology, and the difference to states."""
    rows = {}
    for seed, folder in made.items():
        names = [PRESENT, *(name for name in got.variants if name != PRESENT)]
        claims = {name: taught(got, seed, name, folder) for name in names}
        mark = fingerprint(sorted(names), *(claims[name].attrs["made_with"] for name in names))
        judge = partial(judged, settings(got, seed), Run(folder, quiet=True), claims, PRESENT)
        rows[seed] = kept(got.folder / f"teach_{seed}_{mark}.json", judge)
    lines = ["", f"Nets by what taught them, {got.epochs} epochs, twin Earths", "", *HEAD]
    return lines + figures(rows, list(VARIANTS), PRESENT, "teach", ": net")


def taught(got: argparse.Namespace, seed: int, name: str, source: Path) -> xr.Dataset:
    """The record of a variant on the days that judge; trained unless it is there."""
    from frostline.learn.checkpoint import load as load_checkpoint
    from frostline.learn.predict import predict
    from frostline.steps import model
    from frostline.steps.reference import relative

    experiment = settings(got, seed, *VARIANTS[name])
    folder = got.folder / f"{seed}_{name.replace(' ', '_')}"
    assert experiment.train is not None and experiment.split is not None
    tables = [t.model_dump() for t in (experiment.labels, experiment.train, experiment.split)]
    mark, file = fingerprint(tables, str(source)), folder / "record.nc"
    if file.exists() and (before := load(file)).attrs["made_with"] == mark:
        return before
    folder.mkdir(parents=True, exist_ok=True)
    for part in MADE:  # only read
        if not (folder / part).exists():
            (folder / part).symlink_to(source / part)
    run = Run(folder.resolve(), workers=got.workers, quiet=True)
    print(f"seed {seed}, {name}: {model.train(experiment, run)['unet']}", flush=True)
    days = np.isin(roles(experiment)[0], SPLITS)
    stack = relative(experiment, run)
    frozen = np.full((len(days), 2, *grid_of(experiment).shape), np.nan, np.float32)
    for part, code, probability, _, _ in predict(load_checkpoint(run.path("checkpoints", "unet")), stack, days=days):
        frozen[part, code] = probability
    coords = {"time": days_of(experiment)[days], "overpass": stack["overpass"].values}
    made = xr.DataArray(frozen[days], coords, ("time", "overpass", "y", "x"))
    save(file, as_record(made, grid_of(experiment)).assign_attrs(made_with=mark))
    return load(file)


if __name__ == "__main__":
    main()
