"""Instruments that fail whole: which channels are whose, and what a net sees when one of them is silent."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import xarray as xr

from frostline.errors import ConfigError
from frostline.learn.channels import sensor
from frostline.schema import INSTRUMENTS


def instrument(name: str) -> str | None:
    """Whose a channel or variable is, of any kind; None for what no instrument of the list measures.

    >>> instrument("tb_18v"), instrument("valid:tb_36"), instrument("previous:tb_1h"), instrument("age_tb_1")
    ('amsr2', 'amsr2', 'smap', 'smap')
    >>> instrument("elevation") is None
    True
    """
    band = sensor(name.rpartition(":")[2].removeprefix("age_"))
    return next((who for who, bands in INSTRUMENTS.items() if band in bands), None)


def silence(x: np.ndarray, names: Sequence[str], *, share: float, rng: np.random.Generator) -> None:
    """Make one instrument missing in about a `share` of the samples x (n, channel, y, x), in place: all its channels 0.

    `names` are those of the first channels. The samples and the instrument of each are drawn, the latter with equal
    chance. A sample stays as it is where nothing else has a value in it, so no sample loses both, and a net of one
    instrument loses none. The draws depend on the number of samples only, so that a training can go on after a kill.
    """
    whose = [instrument(name) for name in names]
    present = [who for who in INSTRUMENTS if who in whose]
    if not present:
        return
    own = {who: [k for k, w in enumerate(whose) if w == who] for who in present}
    others = {who: [k for k, n in enumerate(names) if n.startswith("valid:") and whose[k] != who] for who in present}
    struck = rng.random(len(x)) < share
    lost = rng.integers(0, len(present), len(x))
    for k in np.flatnonzero(struck):
        gone = present[lost[k]]
        if x[k, others[gone]].any():
            x[k, own[gone]] = 0


def silent(fields: np.ndarray, names: Sequence[str]) -> dict[str, np.ndarray]:
    """Where an instrument has no value at all, by its flag: bool (day, overpass, y, x); of those among the channels.

    `fields` (day, overpass, channel, y, x) are the channels `names` of learn.channels.day_fields. An instrument of
    several frequencies is silent where none of them has a value.
    """
    found: dict[str, np.ndarray] = {}
    for who in INSTRUMENTS:
        valid = [k for k, name in enumerate(names) if name.startswith("valid:") and instrument(name) == who]
        if valid:
            found[f"{who}_missing"] = np.logical_and.reduce([fields[:, :, k] == 0 for k in valid])
    return found


def withheld(block: xr.Dataset, without: Collection[str]) -> xr.Dataset:
    """A block of a stack as it would be had these instruments failed: their values and gap ages NaN."""
    if strange := sorted({*without} - {*INSTRUMENTS}):
        cause = f"unknown instrument {', '.join(strange)}"
        raise ConfigError("E-CONFIG", where="withhold", cause=cause, remedy=f"use {', '.join(INSTRUMENTS)}")
    lost = [name for name in map(str, block.data_vars) if instrument(name) in without]
    return block.assign({name: xr.full_like(block[name], np.nan, dtype="float32") for name in lost}) if lost else block
