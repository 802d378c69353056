"""The classic algorithms as records: each from the stack, with what it must be told taken from training days alone."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from frostline import classic, store
from frostline.classic_microwave import msta, msta_thresholds, npr_sta, spectral_gradient, sta
from frostline.classic_rules import Linear, Node, decision_tree, fit_lda, linear_record, published
from frostline.config_classics import CHANNELS_OF, Classic, variables
from frostline.config_north import North
from frostline.errors import InputError
from frostline.grid import Grid
from frostline.runs import Run, fingerprint, upstream
from frostline.schema import QUALITY
from frostline.steps import watch
from frostline.steps.air import Air, air_of
from frostline.steps.common import grid_of, roles
from frostline.steps.model import RECORD, cover_flags, new_record, record_path
from frostline.steps.reference import relative
from frostline.steps.samples import sample

Array = np.ndarray
SAMPLES = 100_000  # cell-days of the reanalysis that a regression or discriminant is fitted on
FITTED = ("dfa_refit", "logistic")
WITH_AIR = ("npr_sta_guarded", "msta", "scv")
EVERY_YEAR = "thresholds of each calendar year from that year's own days, held-out ones too, as the ESDR does"


@dataclass(frozen=True)
class Given:
    """What an algorithm may look at: the experiment and its run, the stack, lazily, and days bool (time) that teach."""

    experiment: North
    run: Run
    stack: xr.Dataset
    grid: Grid
    training: xr.DataArray

    def air(self) -> Air:
        """Least and greatest temperature of each day."""
        return air_of(self.experiment, self.run, self.stack)


def _npr_sta(given: Given, *, guarded: bool = False) -> xr.Dataset:
    air = given.air() if guarded else None
    guard = None if air is None else (air.low, air.high)
    tb = given.stack["tb_1v"], given.stack["tb_1h"]
    made = npr_sta(*tb, grid=given.grid, days=given.training, guard=guard)
    return made if air is None else made.assign_attrs(temperature=air.source)


def _guarded(given: Given) -> xr.Dataset:
    return _npr_sta(given, guarded=True)


def _sta(given: Given) -> xr.Dataset:
    return sta(given.stack["tb_36v"], grid=given.grid, days=given.training)


def _yearly(given: Given, channel: str) -> xr.Dataset:
    air, tb = given.air(), given.stack[channel]
    made = msta(tb, thresholds=msta_thresholds(tb, air.low, air.high), grid=given.grid)
    return made.assign_attrs(temperature=air.source, taught_by=EVERY_YEAR, channel=channel)


def _msta(given: Given) -> xr.Dataset:
    return _yearly(given, "tb_36v")


def _scv(given: Given) -> xr.Dataset:
    return _yearly(given, "tb_1v")


def _gradient(given: Given) -> xr.Dataset:
    return spectral_gradient(given.stack["tb_18v"], given.stack["tb_36v"], grid=given.grid)


def _dfa_zhao(given: Given) -> xr.Dataset:
    rule, codes = published(), given.stack["overpass"].values
    attrs = {"source": "discriminant of 36.5 GHz V and 18.7 H / 36.5 V", "unverified": "coefficients, from memory"}
    return linear_record(_ratio(given.stack), {int(c): rule for c in codes}, grid=given.grid, hard=True, attrs=attrs)


def _dfa_refit(given: Given) -> xr.Dataset:
    def fit(x: Array, y: Array, w: Array) -> Linear:
        return fit_lda(np.column_stack([x[:, 0], x[:, 1] / x[:, 0]]), y, weight=w)

    rules = _fitted(given, given.stack, ["tb_36v", "tb_18h"], fit)
    attrs = {"source": "discriminant of 36.5 GHz V and 18.7 H / 36.5 V, refitted"} | _told(given, rules)
    return linear_record(_ratio(given.stack), rules, grid=given.grid, attrs=attrs)


def _logistic(given: Given) -> xr.Dataset:
    table = given.experiment.train
    stack = given.stack if table is None else relative(given.experiment, given.run)
    names = [*_seen(given.experiment), *(name for name in ("elevation",) if name in stack)]

    def fit(x: Array, y: Array, w: Array) -> Linear:
        model = classic.fit_logistic(x, y, weight=w)
        slope = model.slope / model.spread
        return Linear(slope, float(model.offset - slope @ model.center))

    rules = _fitted(given, stack, names, fit)
    attrs = {"source": f"logistic regression on {', '.join(names)}"} | _told(given, rules)
    if table is not None and table.reference == "cell":
        attrs["references"] = "differences to each cell's mean brightness of the training days"
    return linear_record([stack[name] for name in names], rules, grid=given.grid, attrs=attrs)


# by the names that records have in scores.json
CLASSICS: dict[Classic, Callable[[Given], xr.Dataset]] = {
    "spectral_gradient": _gradient,
    "npr_sta": _npr_sta,
    "npr_sta_guarded": _guarded,
    "sta": _sta,
    "msta": _msta,
    "scv": _scv,
    "dfa_zhao": _dfa_zhao,
    "dfa_refit": _dfa_refit,
    "logistic": _logistic,
}


def made(experiment: North) -> tuple[str, ...]:
    """The stores of an experiment's classics, for the order of steps."""
    return tuple(f"record_{name}.zarr" for name in experiment.classics.records())


def make(experiment: North, run: Run) -> dict[str, xr.Dataset]:
    """The records of the classics, each in its store `record_<name>.zarr`; a finished one of the same inputs is kept.

    One that cannot be made, as its training days hold no winter or its labels one class only, is unknown everywhere,
    with the reason in its attribute `not_made`. Stores of classics that are no longer asked for are taken away.
    """
    wanted = experiment.classics.records()
    old = {f"record_{name}.zarr" for name in CLASSICS} | {path.name for path in run.folder.glob("record_tree_*.zarr")}
    for name in old - set(made(experiment)):
        shutil.rmtree(run.path(name), ignore_errors=True)
    if not wanted:
        return {}
    stack = store.open_store(run.path("stack.zarr"), chunks={})
    training = xr.DataArray(roles(experiment)[0] == "train", {"time": stack["time"].values}, ("time",))
    given = Given(experiment, run, stack, grid_of(experiment), training)
    leak = watch.attrs(experiment, run)
    for name in wanted:
        path, mark = record_path(run, name), _mark(experiment, run, name, leak)
        begun = store.made_for(path) == mark
        if begun and store.verified(path).all():
            continue
        ds = _recipe(given, name)
        if not begun:
            new_record(path, stack, given.grid, {**ds.attrs, "experiment": experiment.title, "made_for": mark, **leak})
        _write(given, name, ds["frozen"])
    return {name: store.open_store(record_path(run, name)) for name in wanted}


def _recipe(given: Given, name: str) -> xr.Dataset:
    """The record of an algorithm, lazily; unknown everywhere where it cannot be made, which is told."""
    try:
        if name.startswith("tree_"):
            nodes = given.experiment.classics.trees[name.removeprefix("tree_")]
            fields = {v: given.stack[v] for v in variables(nodes) if v in given.stack}
            return decision_tree(fields, [Node(**n.model_dump()) for n in nodes], grid=given.grid, name=name)
        return CLASSICS[name](given)  # type: ignore[index]
    except InputError as error:
        if error.code not in ("E-INPUT-TIME", "E-INPUT-EMPTY", "E-INPUT-MISSING"):
            raise
        given.run.warn(f"{name} is unknown everywhere: {error}")
        like = given.stack[_channels(given.experiment, name)[0]]
        unknown = xr.full_like(like, np.nan).drop_attrs().rename("frozen")
        return unknown.to_dataset().assign_attrs(source=name, not_made=str(error))


def _write(given: Given, name: str, frozen: xr.DataArray) -> None:
    """The steps of a record that its store does not hold yet, with quality and age, in blocks of days."""
    path, stack = record_path(given.run, name), given.stack
    done, days = store.verified(path).all(axis=1), stack.sizes["time"]
    first = int(np.argmin(done)) if not done.all() else days
    land, cover = stack["land"].values == 1, cover_flags(stack)
    channels = _channels(given.experiment, name)
    ages = list(dict.fromkeys(f"age_{channel[:-1]}" for channel in channels))
    span = store.chunk_days(given.grid)
    starts = range(first, days, span)
    with store.writer(path) as write:
        for start in given.run.track(starts, total=len(starts), label=f"making {name}"):
            part = slice(start, min(start + span, days))
            said = np.where(land, frozen.isel(time=part).values, np.float32(np.nan))
            age = np.maximum.reduce([stack[a].isel(time=part).values for a in ages])
            known, seen = np.isfinite(said), age < 255
            quality = np.where(land, np.where(seen, 0, QUALITY["input_missing"]), QUALITY["outside_domain"])
            quality |= np.where(known & (age > 0), QUALITY["gap_filled"], 0)
            doubt = np.abs(said - 0.5) < given.experiment.predict.low_confidence  # False where unknown
            quality = (quality | np.where(doubt, QUALITY["low_confidence"], 0)).astype(np.uint16) | cover
            age = np.where(known, age, 255).astype(np.uint8)
            write(start, dict(zip(RECORD, (said, quality, age), strict=True)))


def _fitted(
    given: Given, stack: xr.Dataset, names: Sequence[str], fit: Callable[[Array, Array, Array], Linear]
) -> dict[int, Linear]:
    """A rule for each overpass, fitted on training days of the trained area, on the labels that teach the net."""
    day, cell = roles(given.experiment)
    land = stack["land"].values == 1
    sources, seed = {"label_reanalysis": 1.0, "label_station": 1.0}, 0
    if (table := given.experiment.train) is not None:
        sources = {"label_reanalysis": table.lambda_reanalysis, "label_station": table.lambda_station}
        seed = table.seed
    x, y, w = sample(
        stack,
        names,
        days=day == "train",
        cells=(cell == "train") & land,
        sources=sources,
        samples=SAMPLES,
        rng=np.random.default_rng(seed),
    )
    codes = [int(code) for code in stack["overpass"].values]
    return {code: fit(x[x[:, -1] == code, :-1], y[x[:, -1] == code], w[x[:, -1] == code]) for code in codes}


def _told(given: Given, rules: dict[int, Linear]) -> dict[str, str]:
    """What a fitted record says of itself."""
    said = "; ".join(f"{code}: {np.append(r.weight, r.offset).round(5).tolist()}" for code, r in rules.items())
    where = "labels of the reanalysis and of stations that teach, training days and trained area"
    return {"taught_by": where, "coefficients": said}


def _ratio(stack: xr.Dataset) -> list[xr.DataArray]:
    """The discriminant's predictors: TB 36.5 V and TB 18.7 H / TB 36.5 V."""
    return [stack["tb_36v"], stack["tb_18h"] / stack["tb_36v"]]


def _seen(experiment: North) -> tuple[str, ...]:
    """What the net sees, or all channels without a net."""
    return tuple(experiment.assemble.channels if experiment.train is None else experiment.train.inputs)


def _channels(experiment: North, name: str) -> tuple[str, ...]:
    """The brightness temperatures of a record, whose age is its own."""
    if name.startswith("tree_"):
        used = variables(experiment.classics.trees[name.removeprefix("tree_")])
        return tuple(sorted(v for v in used if v.startswith("tb_"))) or _seen(experiment)
    return CHANNELS_OF[name] or _seen(experiment)  # type: ignore[index]


def _mark(experiment: North, run: Run, name: str, leak: Mapping[str, str]) -> str:
    """What a record is made for: with it a store is known to be up to date, or to be gone on with."""
    after = "train" if name in FITTED and experiment.train is not None else "assemble"
    tree = experiment.classics.trees.get(name.removeprefix("tree_"), ())
    doubt = experiment.predict.low_confidence
    return fingerprint(name, upstream(run, after), [n.model_dump() for n in tree], doubt, leak)
