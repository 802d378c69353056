"""Samples of steps: predictors that are sampled several times before an overpass, as channels of a network.

Such a variable lies on (time, overpass, step, y, x), oldest step first. Its channels are called
`soil_temperature@3`, with the value of the `step` coordinate (hours before the overpass, say), so that a
checkpoint finds its own steps in a stack that has more of them. All steps of a variable share one mean and spread:
what differs between the steps is what a sequence can tell.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from frostline.errors import ConfigError, InputError

STEP = "step"
STEPWISE = ("convlstm",)  # networks that read channels as steps; to any other they are channels like all


def base(name: str) -> str:
    """The variable behind a channel name.

    >>> base("soil_temperature@3"), base("tb_18v")
    ('soil_temperature', 'tb_18v')
    """
    return name.partition("@")[0]


def latest(stack: xr.Dataset, steps: int | None) -> xr.Dataset:
    """The stack with the last `steps` steps alone, those nearest to the overpass (None: all of them)."""
    if steps is None:
        return stack
    there = stack.sizes.get(STEP, 1)
    if not 1 <= steps <= there:
        raise ConfigError("E-CONFIG", where="steps", cause=f"{steps} steps of a stack that has {there}")
    return stack.isel({STEP: slice(-steps, None)}) if STEP in stack.dims else stack


def unroll(stack: xr.Dataset, inputs: Sequence[str]) -> list[str]:
    """The inputs with a name for each step, variable by variable and oldest first; those without steps follow.

    A stack without steps gives the inputs as they are.
    """
    stepped = [name for name in inputs if name in stack and STEP in stack[name].dims]
    labels = _labels(stack) if stepped else []
    return [*(f"{n}@{label}" for n in stepped for label in labels), *(n for n in inputs if n not in stepped)]


def field(stack: xr.Dataset, name: str) -> xr.DataArray:
    """The variable of a channel, at its step: (time, overpass, y, x). E-INPUT-MISSING if it has no such step."""
    variable, _, label = name.partition("@")
    found = stack[variable]
    labels = _labels(found) if STEP in found.dims else [""]
    if label not in labels:
        raise InputError(
            "E-INPUT-MISSING",
            where=name,
            cause=f"the stack has the steps {labels} of {variable}" if STEP in found.dims else "it has no steps here",
            remedy="assemble the stack with the steps that the network was trained on",
        )
    return found.isel({STEP: labels.index(label)}, drop=True) if label else found


def complete(net: str, options: Mapping[str, Any], channels: Sequence[str]) -> dict[str, Any]:
    """The options of a network, with how the channels fall into `steps` of `dynamic` variables if it is STEPWISE.

    Without steps in the channels, one step of all inputs. E-CONFIG where the options say otherwise.
    """
    if net not in STEPWISE:
        return dict(options)
    stepped = [name for name in channels if "@" in name and ":" not in name]
    dynamic = len({base(name) for name in stepped})
    first = next((k for k, name in enumerate(channels) if ":" in name), len(channels))  # after the inputs: valid:...
    found = {"steps": len(stepped) // dynamic, "dynamic": dynamic} if dynamic else {"steps": 1, "dynamic": first}
    for key, value in found.items():
        if options.get(key, value) != value:
            cause = f"{key}={options[key]}, but the stack gives {found}"
            raise ConfigError("E-CONFIG", where=f"net {net!r}", cause=cause, remedy="leave it out")
    return {**options, **found}


def _labels(stack: xr.Dataset | xr.DataArray) -> list[str]:
    """A name for each step: its coordinate, or -n .. -1 where the dimension has none."""
    many = stack.sizes[STEP]
    values = stack[STEP].values if STEP in stack.coords else np.arange(-many, 0)
    labels = [f"{value:g}" for value in values.astype("float64")]
    if len(set(labels)) < many:
        raise InputError("E-INPUT-SCHEMA", where=STEP, cause=f"steps {labels} are not distinct")
    return labels
