"""A sensor out: records of the net without one sensor, and what that costs, feigned and where one truly was silent.

These records have rows of their own: they are scored beside `unet`, the climatology and the reanalysis, apart from the
common sample of all others, which must not shrink by what is only feigned.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from frostline import store
from frostline.config_north import North
from frostline.learn.outages import instrument
from frostline.report import Sheet
from frostline.runs import Run, read_json
from frostline.schema import INSTRUMENTS, QUALITY
from frostline.scores import SCORES
from frostline.steps import calibrate
from frostline.steps.findings import number
from frostline.validate.calibration import RELIABILITY
from frostline.validate.rows import LEAST_DAYS, evaluate
from frostline.words import NAMES, shown

Rows = Sequence[Mapping[str, Any]]
BASELINES = ("climatology", "reanalysis")
ABSENT = "sensor:"  # stratum of cell-days on which the net answered though it saw nothing of this sensor
SPELLED = {"smap": "SMAP", "amsr2": "AMSR2"}
UNWRITTEN = 65535  # quality of a step that was never written
HEAD = ["judged by", "case", "pass", "accuracy", "Brier skill", "less U-Net with all, points"]
HEAD += ["less nets that never see the sensor, points", "n"]
NOTE = (
    "The same net with one sensor's inputs withheld, and (where the period has such days) on the cell-days on which "
    "the sensor truly had nothing within reach of gap filling. Each is compared on the cell-days that it shares with "
    "the net with all sensors, the climatology and the reanalysis. A sensor that was silent in one season tells little "
    "of the others."
)


def withheld(instruments: Iterable[str]) -> dict[str, str]:
    """Names of the records of `unet` without one sensor each, and that sensor.

    >>> withheld(["smap"])
    {'unet_without_smap': 'smap'}
    """
    return {f"unet_without_{who}": who for who in instruments}


def scale_too(experiment: North, run: Run, *, raw: Path, into: Path) -> None:
    """A record without a sensor through the scalings that `calibrate` kept for `unet`; the raw store is removed."""
    found = read_json(run.folder / calibrate.FILE)["overpasses"]
    scalings = {name: one["scaling"] if one["kept"] else calibrate.AS_IT_IS for name, one in found.items()}
    low = experiment.predict.low_confidence
    calibrate.write_scaled(store.open_store(raw), scalings, into, low_confidence=low)
    shutil.rmtree(raw)


def scored(
    experiment: North,
    records: Mapping[str, xr.Dataset],
    truths: Mapping[str, xr.Dataset],
    *,
    inputs: Mapping[str, Sequence[str]],
    stores: Mapping[str, Path],
    days: Mapping[str, xr.DataArray],
    strata: Mapping[str, np.ndarray],
) -> list[dict[str, Any]]:
    """Rows of what a sensor's absence costs: withheld, on held-out days; and where `unet` truly answered without it.

    `inputs`: the channels of each net, the first `unet`. `stores`: where each net's record lies, and those without a
    sensor. Rows of the latter have their own record name, in `strata`, with `accuracy_difference` to `unet` and to each
    net that never sees the sensor. Where it was truly silent, rows have the stratum `sensor:<instrument>_missing`, in
    every split with LEAST_DAYS such days; against the truth (without one the reanalysis) and stations.
    """
    table = experiment.validate_
    if table is None or "unet" not in records:
        return []
    judge = partial(
        evaluate,
        scores=SCORES | RELIABILITY,
        block=table.block_days,
        resamples=table.resamples,
        level=table.confidence,
        seed=table.seed,
    )
    best = "truth" if "truth" in truths else "reanalysis"
    unet = store.open_store(stores["unet"], chunks={})
    rows: list[dict[str, Any]] = []
    for who in [who for who in INSTRUMENTS if sees(inputs["unet"], who)]:
        without = next(iter(withheld([who])))
        others = [name for name, channels in inputs.items() if not sees(channels, who)]
        silent = flagged(unet, who)
        struck = silent.any(("overpass", "y", "x")).compute()
        some = {split: chosen & struck for split, chosen in days.items()}
        some = {split: chosen for split, chosen in some.items() if int(chosen.sum()) >= LEAST_DAYS}
        for against, truth in truths.items():
            beside = {n: records[n] for n in (*BASELINES, *others) if n in records and n != against}
            if without in stores and "heldout" in days:
                judged = {without: store.open_store(stores[without]), "unet": records["unet"], **beside}
                pairs = [(without, other) for other in ("unet", *others)]
                held = {"heldout": days["heldout"]}
                found = judge(judged, {against: truth}, days=held, strata=strata, differences=pairs)
                rows += [row for row in found if row["record"].split("-")[0] == without]
            if some and against in (best, "stations"):
                there = {"unet": unet.assign(frozen=unet["frozen"].where(silent)), **beside}
                pairs = [("unet", other) for other in others]
                found = judge(there, {against: truth}, days=some, differences=pairs)
                found = [row for row in found if row["stratum"] == "all" and row["n"]]
                rows += [row | {"stratum": f"{ABSENT}{who}_missing"} for row in found]
    return rows


def sees(channels: Sequence[str], who: str) -> bool:
    """Whether any of the channels is measured by this instrument."""
    return any(instrument(name) == who for name in channels)


def flagged(record: xr.Dataset, who: str) -> xr.DataArray:
    """Cell-days (time, overpass, y, x) that the record answers without this instrument; lazily."""
    quality = record["quality"]
    return ((quality & QUALITY[f"{who}_missing"]) > 0) & (quality != UNWRITTEN)


def apart(row: Mapping[str, Any]) -> bool:
    """Whether a row of scores.json is of a record without a sensor, which the report shows in its own table."""
    return row["record"].split("-")[0] in withheld(INSTRUMENTS)


def sheets(rows: Rows) -> list[Sheet]:
    """The report's table of a sensor out, if the run has any of it."""
    lines = []
    whole: dict[str, dict[tuple[str, ...], Mapping[str, Any]]]
    whole = {"accuracy": {}, "brier_skill": {}, "accuracy_difference": {}}
    for row in rows:
        if row["score"] in whole and (row["stratum"].startswith(ABSENT) or (apart(row) and row["stratum"] == "all")):
            key = (row["against"], row["record"], row["split"], row["stratum"], row["overpass"])
            whole[row["score"]][key] = row
    for (against, record, split, stratum, overpass), row in whole["accuracy"].items():
        if not shown(row) or (not apart(row) and record != "unet"):
            continue
        who = SPELLED[stratum.removeprefix(ABSENT).removesuffix("_missing")] if record == "unet" else ""
        case = f"{NAMES['unet']} where {who} was silent" if who else NAMES[record]
        at = (against, split, stratum, overpass)
        gains = {
            pair.partition("-")[2]: number(found, scale=100, digits=1, sign=True)
            for (a, pair, *rest), found in whole["accuracy_difference"].items()
            if (a, *rest) == at and pair.startswith(f"{record}-")
        }
        skill = number(whole["brier_skill"].get((against, record, split, stratum, overpass)))
        less = gains.pop("unet", "–")
        rivals = "; ".join(f"{NAMES.get(name, name)}: {gain}" for name, gain in gains.items()) or "–"
        told = [NAMES.get(against, against), f"{case}, {NAMES[split]}", overpass.upper()]
        lines.append([*told, number(row), skill, less, rivals, f"{row['n']:,.0f}"])
    if not lines:
        return []
    return [Sheet("A sensor out", NOTE, HEAD, lines)]
