"""A net's probabilities brought to what stations say, where stations that did not fit this agree: the record `unet`.

The stations have the role `calibrate`: they neither teach nor judge. A net cannot be calibrated on what taught it: on
the teacher's own labels it comes out surer of the teacher's mistakes (algorithms.md 9).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from frostline import store
from frostline.clock import OVERPASS_NAMES
from frostline.config_north import North
from frostline.errors import InputError
from frostline.grid import Grid
from frostline.runs import Run, write_json
from frostline.schema import QUALITY
from frostline.steps.common import days_of, load, roles
from frostline.validate.calibration import SCALINGS, Scaling, confirmed, ece, scaled, sums_of
from frostline.validate.match import matched

FILE = Path("checkpoints", "calibration.json")  # beside the net that it mends
RAW = "unet_raw"  # the record as the net said it
AS_IT_IS: Scaling = {"method": "none"}


def calibrate(experiment: North, run: Run, *, raw: Path, into: Path) -> dict[str, Any]:
    """Fit a scaling per overpass, write it to `checkpoints/calibration.json`, and `raw` through it to `into`.

    Fitted at the stations with role `calibrate` on days of validation; kept where the Brier score of stations left out
    falls for sure (`calibration.confirmed`), else the record stays as it is. Gives for each overpass `kept`, the
    scaling, its gain and its bound, and what they stand on. E-INPUT-EMPTY without such a station.
    """
    record = store.open_store(raw)
    claims, truths, sites = _pairs(experiment, run, record)
    found = {}
    for code in claims:
        fit = SCALINGS[experiment.predict.calibrate]
        sure = confirmed(fit, claims[code], truths[code])
        scaling = fit(claims[code], truths[code])
        before, after = (float(ece(sums_of(p, truths[code]))) for p in (claims[code], scaled(scaling, claims[code])))
        found[OVERPASS_NAMES[code]] = {
            "kept": sure.pop("holds"),
            "scaling": scaling,
            **sure,
            "ece_there": before,  # at the stations that fitted it: no score
            "ece_there_scaled": after,
        }
    scalings = {name: one["scaling"] if one["kept"] else AS_IT_IS for name, one in found.items()}
    days = days_of(experiment)[roles(experiment)[0] == "validation"]
    stands_on = {"stations": sites, "first_day": str(days[0])[:10], "last_day": str(days[-1])[:10], "days": len(days)}
    write_json(run.folder / FILE, {"record": "unet", "fitted_on": stands_on, "overpasses": found})
    write_scaled(record, scalings, into, low_confidence=experiment.predict.low_confidence)
    return found


def write_scaled(record: xr.Dataset, scalings: Mapping[str, Scaling], into: Path, *, low_confidence: float) -> None:
    """A record through a scaling for each overpass (by name), into a new store; its flag of low confidence follows."""
    grid = Grid.of(record)
    said = ", ".join(f"{name} {_said(one)}" for name, one in scalings.items())
    store.create(
        into,
        grid=grid,
        time=record["time"].values,
        overpass=record["overpass"].values,
        variables=[str(name) for name in record.data_vars if "time" in record[name].dims],
        attrs={**record.attrs, "calibration": said},
    )
    span = store.chunk_days(grid)
    doubt = np.uint16(QUALITY["low_confidence"])
    with store.writer(into) as write:
        for start in range(0, record.sizes["time"], span):
            for k, code in enumerate(record["overpass"].values):
                part = record.isel(time=slice(start, start + span), overpass=k)
                arrays = {str(name): part[name].values for name in part.data_vars if "time" in part[name].dims}
                arrays["frozen"] = scaled(scalings[OVERPASS_NAMES[int(code)]], arrays["frozen"])
                low = np.abs(arrays["frozen"] - 0.5) < low_confidence  # False where unknown
                arrays["quality"] = np.where(low, arrays["quality"] | doubt, arrays["quality"] & ~doubt)
                write(start, arrays, overpass=k)


def _pairs(
    experiment: North, run: Run, record: xr.Dataset
) -> tuple[dict[int, np.ndarray], dict[int, np.ndarray], list[str]]:
    """Claims and states (day, site) of each overpass at the calibrating stations on days of validation; their names."""
    path = run.path("sites.nc")
    sites = load(path) if path.exists() else None
    roles_of = sites["role"].values if sites is not None else np.array([])
    chosen = np.flatnonzero(roles_of == "calibrate")
    days = days_of(experiment)[roles(experiment)[0] == "validation"]
    if sites is None or not len(chosen) or not len(days):
        raise InputError(
            "E-INPUT-EMPTY",
            where="predict.calibrate",
            cause="no station has the role calibrate" if len(days) else "no day is of validation",
            remedy='raise split.calibration_stations, or set predict.calibrate = "none"',
        )
    sites = sites.isel(site=chosen)
    said, true = [], []
    for fields, state in matched({RAW: record}, sites, days=days):
        said.append(fields[RAW].transpose("overpass", "time", "site").values)
        true.append(state.transpose("overpass", "time", "site").values)
        codes = state["overpass"].values.tolist()
    p, y = np.concatenate(said, axis=1), np.concatenate(true, axis=1)
    names = [str(name) for name in sites["site"].values]
    return dict(zip(codes, p, strict=True)), dict(zip(codes, y, strict=True)), names


def _said(scaling: Scaling) -> str:
    """A scaling in a few words, for the record's attributes."""
    if scaling["method"] == "temperature":
        return f"temperature {scaling['temperature']:.3f}"
    if scaling["method"] == "platt":
        return f"platt {scaling['slope']:.3f} {scaling['shift']:+.3f}"
    return str(scaling["method"])
