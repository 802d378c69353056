"""How a predictor stack becomes the channels of a network: the same lines for training and prediction.

A channel list is names in order, and says all: `tb_18v` a scaled predictor, `snow_depth@3` one of its steps
(learn.sequences), `valid:tb_18` whether its sensor saw the cell (all steps of it), `age:tb_18` its gap age,
`previous:tb_18v` the day before, then statics, then flags of the whole field.
0 means missing in every channel, and `valid:` tells a missing value from a mean one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import numpy as np
import xarray as xr

from frostline.clock import AM, DAILY, PM
from frostline.errors import ConfigError, InputError
from frostline.grid import Grid
from frostline.learn.scale import Scaler, read_days
from frostline.learn.sequences import base as variable_of
from frostline.learn.sequences import field

NO_AGE = 255  # uint8 code of "no observation near enough" in age_* variables
AGE_DAYS = 10.0  # days that make 1 in an age channel: a value of order one for the gaps that are filled
EXTRAS = ("latitude", "longitude", "previous_day", "day_of_year")
_PLACE = {"latitude": 90.0, "longitude": 180.0}  # degrees that make 1
_FLAGS = ("overpass", "day_sin", "day_cos")
_SHARES = ("land", "water_fraction", "forest_fraction", *_PLACE)  # already of order one: not scaled
_PASS = {AM: 0.0, PM: 1.0, DAILY: 0.5}


def sensor(name: str) -> str:
    """The instrument channel that fails as one: both polarisations of a frequency, else the variable, all steps of it.

    >>> sensor("tb_18v"), sensor("soil_temperature@3")
    ('tb_18', 'soil_temperature')
    """
    name = variable_of(name)
    return name[:-1] if re.fullmatch(r"tb_\d+[vh]", name) else name


def channel_names(
    stack: xr.Dataset, *, inputs: Sequence[str], statics: Sequence[str], extras: Sequence[str] = ()
) -> tuple[str, ...]:
    """The channels made from `inputs` (time, overpass, y, x) or their steps, `statics` (y, x) and EXTRAS, in order.

    A sensor whose gap age the stack holds gets an age channel.
    """
    for name in (*inputs, *statics):
        if variable_of(name) not in stack:
            raise InputError(
                "E-INPUT-MISSING", where=name, cause="the stack lacks this predictor", remedy="assemble it, or drop it"
            )
    if not inputs or unknown(extras, EXTRAS) or len({*inputs, *statics}) < len(inputs) + len(statics):
        raise ConfigError(
            "E-CONFIG",
            where="inputs",
            cause=f"inputs {[*inputs]}, statics {[*statics]}, extras {[*extras]} make no channel list",
            remedy=f"name each predictor once, at least one input, and extras out of {EXTRAS}",
        )
    sensors = list(dict.fromkeys(map(sensor, inputs)))
    names = [*inputs, *(f"valid:{s}" for s in sensors)]
    names += [f"age:{s}" for s in sensors if f"age_{s}" in stack]
    names += [f"previous:{name}" for name in inputs if "previous_day" in extras]
    names += [*statics, *(name for name in _PLACE if name in extras), "overpass"]
    return (*names, *(_FLAGS[1:] if "day_of_year" in extras else ()))


def unknown(names: Sequence[str], known: Sequence[str]) -> list[str]:
    """Those of `names` that are not among `known`."""
    return [name for name in names if name not in known]


def split_names(channels: Sequence[str]) -> tuple[list[str], list[str], list[str]]:
    """The channels as (fields of a day, fields of the place, flags of a day), which follow each other so."""
    first = [k for k, name in enumerate(channels) if ":" in name]
    end = (max(first) if first else -1) + 1
    return [*channels[:end]], [n for n in channels[end:] if n not in _FLAGS], [n for n in channels if n in _FLAGS]


def inputs_of(channels: Sequence[str]) -> list[str]:
    """The predictors behind the day's channels."""
    return [name for name in split_names(channels)[0] if ":" not in name]


def variables(channels: Sequence[str]) -> list[str]:
    """The variables of a stack that these channels read, gap ages and statics included."""
    daily, static, _ = split_names(channels)
    ages = [f"age_{name.removeprefix('age:')}" for name in daily if name.startswith("age:")]
    inputs = dict.fromkeys(map(variable_of, inputs_of(channels)))
    return [*inputs, *ages, *(name for name in static if name not in _PLACE)]


def scaled(channels: Sequence[str]) -> list[str]:
    """The variables that a scaler must know."""
    inputs = dict.fromkeys(map(variable_of, inputs_of(channels)))
    return [*inputs, *(name for name in split_names(channels)[1] if name not in _SHARES)]


def day_fields(
    stack: xr.Dataset, index: np.ndarray, channels: Sequence[str], scaler: Scaler, *, out: np.ndarray | None = None
) -> np.ndarray:
    """Channels of the days `index` of the stack: float32 (day, overpass, channel, y, x), 0 = missing; into `out`.

    Inf stays Inf: the caller names it. `day_fields_plain` says in numpy what is meant, and gives the same bits.
    """
    from frostline.learn.kernels import aged, scaled  # numba: not loaded by --help

    names, inputs = split_names(channels)[0], inputs_of(channels)
    if out is None:
        passes, rows, columns = (stack.sizes[d] for d in ("overpass", "y", "x"))
        out = np.empty((len(index), passes, len(names), rows, columns), "float32")
    spare = np.empty(out.shape[-2:], "float32")
    met: set[str] = set()
    for name in inputs:
        base, valid = variable_of(name), f"valid:{sensor(name)}"
        mean, spread = (np.float32(n) for n in scaler.of(base))
        for here, values in _each(read_days(field(stack, name), index), out):
            seen = here[names.index(valid)] if valid in names else spare
            scaled(values, mean, spread, here[names.index(name)].reshape(-1), seen.reshape(-1), valid not in met)
        met.add(valid)
        if (before := f"previous:{name}") in names:
            for here, values in _each(_before(field(stack, name), index), out):
                scaled(values, mean, spread, here[names.index(before)].reshape(-1), spare.reshape(-1), True)
    for k, name in enumerate(names):
        if name.startswith("age:"):
            for here, values in _each(read_days(stack[f"age_{name[4:]}"], index), out):
                aged(values, np.float32(AGE_DAYS), here[k].reshape(-1))
    return out


def _each(values: np.ndarray, out: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The fields (day, overpass, y, x) one by one as rows (n,), each with its channels (channel, y, x) in `out`."""
    for t, o in np.ndindex(*values.shape[:2]):
        yield out[t, o], np.ascontiguousarray(values[t, o]).reshape(-1)


def day_fields_plain(stack: xr.Dataset, index: np.ndarray, channels: Sequence[str], scaler: Scaler) -> np.ndarray:
    """What `day_fields` means, in numpy. Slow; used by the tests."""
    names = split_names(channels)[0]
    inputs = inputs_of(channels)
    value = {name: scaler(variable_of(name), read_days(field(stack, name), index)) for name in inputs}
    out = np.empty((*value[inputs[0]].shape[:2], len(names), *value[inputs[0]].shape[2:]), "float32")
    for k, name in enumerate(names):
        kind, _, base = name.rpartition(":")
        if kind == "":
            out[:, :, k] = _zero(value[base])
        elif kind == "valid":
            out[:, :, k] = np.all([~np.isnan(value[i]) for i in inputs if sensor(i) == base], axis=0)
        elif kind == "age":
            out[:, :, k] = _age(read_days(stack[f"age_{base}"], index)) / np.float32(AGE_DAYS)
        else:
            out[:, :, k] = _zero(scaler(variable_of(base), _before(field(stack, base), index)))
    return out


def place_fields(stack: xr.Dataset, channels: Sequence[str], scaler: Scaler) -> np.ndarray:
    """Static channels: float32 (channel, y, x), 0 = missing."""
    fields = []
    for name in split_names(channels)[1]:
        if name in _PLACE:
            values = (Grid.of(stack).lonlat()[name == "latitude"] / _PLACE[name]).astype("float32")
        else:
            values = stack[name].transpose("y", "x").values.astype("float32")
        fields.append(_zero(values if name in _SHARES else scaler(name, values)))
    return np.stack(fields) if fields else np.zeros((0, stack.sizes["y"], stack.sizes["x"]), "float32")


def day_flags(time: np.ndarray, overpass: np.ndarray, channels: Sequence[str]) -> np.ndarray:
    """Flag channels of each field: float32 (day, overpass, flag): the pass, and the day of the year as an angle."""
    date = np.asarray(time, "datetime64[D]")
    angle = 2 * np.pi * (date - date.astype("datetime64[Y]")).astype(float) / 365.25
    shape = (len(date), len(overpass))
    each = {
        "overpass": np.broadcast_to([_PASS[int(code)] for code in overpass], shape),
        "day_sin": np.broadcast_to(np.sin(angle)[:, None], shape),
        "day_cos": np.broadcast_to(np.cos(angle)[:, None], shape),
    }
    return np.stack([each[name] for name in split_names(channels)[2]], axis=-1).astype("float32")


def oldest(
    stack: xr.Dataset, index: np.ndarray, channels: Sequence[str], fields: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """(age, seen): largest gap age of the sensors that have a value (uint8 days, NO_AGE where none has), and
    whether any has; both (day, overpass, y, x). A sensor without an age variable counts as observed (0).

    `fields` are those days' `day_fields`, whose valid: channels then need not be made again.
    """
    from frostline.learn.kernels import older

    if fields is None:
        return oldest_plain(stack, index, channels)
    names = split_names(channels)[0]
    shape = (*fields.shape[:2], *fields.shape[3:])
    age, seen = np.zeros(shape, "uint8"), np.zeros(shape, bool)
    for base in dict.fromkeys(map(sensor, inputs_of(channels))):
        days = read_days(stack[f"age_{base}"], index) if f"age:{base}" in channels else np.zeros(shape, "uint8")
        for (t, o), (here, values) in zip(np.ndindex(*shape[:2]), _each(days, fields), strict=True):
            older(here[names.index(f"valid:{base}")].reshape(-1), values, age[t, o].reshape(-1), seen[t, o].reshape(-1))
    age[~seen] = NO_AGE
    return age, seen


def oldest_plain(stack: xr.Dataset, index: np.ndarray, channels: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """What `oldest` means, in numpy."""
    inputs = inputs_of(channels)
    age = seen = None
    for base in dict.fromkeys(map(sensor, inputs)):
        there = np.all([~np.isnan(read_days(field(stack, i), index)) for i in inputs if sensor(i) == base], axis=0)
        name = f"age_{base}"
        days = _age(read_days(stack[name], index)) if f"age:{base}" in channels else np.zeros(there.shape, "uint8")
        days = np.where(there, days, 0).astype("uint8")
        age = days if age is None else np.maximum(age, days)
        seen = there if seen is None else seen | there
    assert age is not None and seen is not None  # a channel list has at least one input
    return np.where(seen, age, NO_AGE).astype("uint8"), seen


def first_infinite(fields: np.ndarray, time: np.ndarray, names: Sequence[str]) -> tuple[str, np.datetime64] | None:
    """The (name, date) of the first value that is not finite in fields (day, overpass, name, y, x), or None."""
    if np.isfinite(fields.sum(dtype="float32")):  # one pass without a mask as large as the data
        return None
    bad = np.argwhere(~np.isfinite(fields).all(axis=(1, 3, 4)))
    return (names[bad[0, 1]], np.datetime64(time[bad[0, 0]], "D")) if len(bad) else None


def land_of(stack: xr.Dataset) -> np.ndarray:
    """The cells that the record describes, bool (y, x): `land`, or all cells where the stack has none."""
    if "land" not in stack:
        return np.ones((stack.sizes["y"], stack.sizes["x"]), bool)
    return stack["land"].transpose("y", "x").values == 1


def missing_statics(stack: xr.Dataset, channels: Sequence[str], cells: np.ndarray) -> list[str]:
    """The static predictors that are not finite somewhere on `cells` (y, x)."""
    names = [name for name in split_names(channels)[1] if name not in _PLACE]
    return [name for name in names if not np.isfinite(stack[name].transpose("y", "x").values[cells]).all()]


def _before(variable: xr.DataArray, index: np.ndarray) -> np.ndarray:
    """The calendar day before each of the days `index`; NaN where the stack has no such day."""
    time = variable["time"].values
    there = np.clip(index - 1, 0, None)
    follows = (index > 0) & (time[index] - time[there] == np.timedelta64(1, "D"))
    return np.where(follows[:, None, None, None], read_days(variable, there), np.nan)


def _age(age: np.ndarray) -> np.ndarray:
    return np.where((age == NO_AGE) | np.isnan(age), 0, age)


def _zero(values: np.ndarray) -> np.ndarray:
    return np.where(np.isnan(values), np.float32(0), values)
