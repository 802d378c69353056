"""What datasets promise each other: the record, the stack, the sites, and their vocabulary."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from frostline.clock import OVERPASS_NAMES
from frostline.errors import InputError
from frostline.grid import Grid


class Quantity(NamedTuple):
    """What a vocabulary name means: CF units, a name for people, and the range outside which it is a mistake."""

    units: str
    long_name: str
    low: float = -np.inf
    high: float = np.inf


_TB = (50.0, 350.0)  # K; the packed valid range of NSIDC-0738 (formats.md 3.1)
VOCABULARY: dict[str, Quantity] = {
    "frozen": Quantity("1", "probability that the surface soil is frozen", 0.0, 1.0),
    "quality": Quantity("1", "quality flags"),
    "age": Quantity("days", "largest gap age of the inputs", 0, 255),
    "truth": Quantity("1", "more than half of the freezable water of 0-7 cm is ice", 0.0, 1.0),
    "truth_t0": Quantity("1", "soil temperature of 0-7 cm below 0 degC", 0.0, 1.0),
    "ice_share": Quantity("1", "ice share of the freezable water of 0-7 cm", 0.0, 1.0),
    "soil_temperature": Quantity("K", "soil temperature near the surface", 180.0, 350.0),
    "air_temperature": Quantity("K", "air temperature at 2 m", 170.0, 340.0),
    "overpass_temperature": Quantity("K", "soil temperature near the surface at the overpass", 180.0, 350.0),
    "soil_moisture": Quantity("m3 m-3", "volumetric soil water near the surface", 0.0, 1.0),
    "snow_depth": Quantity("m", "snow depth", 0.0, 65.0),  # glaciers of ERA5-Land hold 10 m of water
    "swe": Quantity("m", "snow depth as liquid water", 0.0, 10.0),
    "elevation": Quantity("m", "elevation above sea level", -500.0, 9000.0),
    "terrain_std": Quantity("m", "standard deviation of elevation in a cell", 0.0, 3000.0),
    "land_cover": Quantity("1", "IGBP land cover class, 17 = water", 1, 17),
    "land_cover_clcd": Quantity("1", "CLCD land cover class", 1, 9),
    "climate": Quantity("1", "Koeppen-Geiger climate, place in the reader's list", 1, 31),
    "region": Quantity("1", "region, place in the list of the attribute regions", 1, 254),
    "permafrost": Quantity("1", "permafrost class, place in the list of the attribute permafrost_classes", 1, 254),
    "land": Quantity("1", "soil that the record describes (not water, ice or outside)", 0, 1),
    "water_fraction": Quantity("1", "share of open water", 0.0, 1.0),
    "forest_fraction": Quantity("1", "share of forest", 0.0, 1.0),
    "label_reanalysis": Quantity("1", "frozen by the reanalysis", 0.0, 1.0),
    "label_smap": Quantity("1", "frozen by SMAP's freeze/thaw product", 0.0, 1.0),
    "label_esdr": Quantity("1", "frozen by the freeze/thaw Earth System Data Record", 0.0, 1.0),
    "label_station": Quantity("1", "frozen by the stations of the cell", 0.0, 1.0),
    "agreement": Quantity("1", "1 where all fused records say the same, 0 where they differ, 255 unknown"),
    "winner": Quantity("1", "index of the fused record that decided, 255 nobody"),
    "precipitation": Quantity("m", "precipitation in the interval that ends at time", 0.0, 2.0),
    "tb_time": Quantity("minutes", "observation time since 00 UTC of the date"),
    **{
        f"tb_{f}{p.lower()}": Quantity("K", f"brightness temperature, {g} GHz, {p}", *_TB)
        for f, g in ((1, "1.41"), (18, "18.7"), (36, "36.5"))
        for p in "VH"
    },
    **{
        f"age_tb_{f}": Quantity("days", f"days to the nearest {g} GHz observation", 0, 255)
        for f, g in ((1, "1.41"), (18, "18.7"), (36, "36.5"))
    },
}

QUALITY = {
    "gap_filled": 1,
    "open_water": 2,
    "permanent_ice": 4,
    "outside_domain": 8,
    "low_confidence": 16,
    "input_missing": 32,
    "smap_missing": 64,
    "amsr2_missing": 128,
}
# Instruments that fail as one: their bands, each the channels of one frequency; `<instrument>_missing` is their flag
INSTRUMENTS = {"smap": ("tb_1",), "amsr2": ("tb_18", "tb_36")}


@dataclass(frozen=True)
class Contract:
    """A kind of dataset: the variables it must have, their dimensions, and whether others may stand beside them."""

    name: str
    required: Mapping[str, tuple[str, ...]]
    dims: tuple[tuple[str, ...], ...]
    optional: frozenset[str] = field(default_factory=frozenset)
    grid: bool = True


_FIELD, _SITE = ("time", "overpass", "y", "x"), ("time", "overpass", "site")
_STEPS = ("time", "overpass", "step", "y", "x")
_WINDOW = re.compile(r"soil_temperature_(\d+)d")
RECORD = Contract(
    "record", {"frozen": _FIELD}, (_FIELD, ("y", "x")), frozenset({"quality", "age", "agreement", "winner"})
)
STACK = Contract("stack", {}, (_FIELD, _STEPS, ("y", "x")), frozenset(VOCABULARY))
SITES = Contract("sites", {"frozen": _SITE}, (_SITE, ("site",)), frozenset({"soil_temperature"}), grid=False)


def quantity(name: str) -> Quantity | None:
    """What a name means: of the vocabulary, or a mean of soil temperature over days; None for a strange one.

    >>> quantity("soil_temperature_30d").long_name
    'mean of the soil temperature at the overpasses of the last 30 days'
    """
    if window := _WINDOW.fullmatch(name):
        meaning = f"mean of the soil temperature at the overpasses of the last {window[1]} days"
        return VOCABULARY["soil_temperature"]._replace(long_name=meaning)
    return VOCABULARY.get(name)


class SchemaError(InputError):
    """All breaches of a contract in one message."""


def check(ds: xr.Dataset, contract: Contract, *, values: bool = True) -> xr.Dataset:
    """The dataset itself, or one SchemaError that lists every breach.

    `values=False` leaves the numbers unread (for data larger than memory); names, dimensions, coordinates
    and the grid are always checked.
    """
    wrong: list[str] = []
    for name, dims in contract.required.items():
        if name not in ds:
            wrong.append(f"variable {name!r} is missing")
        elif tuple(ds[name].dims) != dims:
            wrong.append(f"{name!r} is on {tuple(map(str, ds[name].dims))}, not {dims}")
    for name in map(str, ds.data_vars):
        if name in contract.required:
            continue
        if name not in contract.optional and not (contract is STACK and _WINDOW.fullmatch(name)):
            wrong.append(f"variable {name!r} is not in the vocabulary of a {contract.name}")
        elif tuple(ds[name].dims) not in contract.dims:
            wrong.append(f"{name!r} is on {tuple(map(str, ds[name].dims))}")
    wrong += _coordinates(ds, contract)
    if values and not wrong:
        wrong += [w for name in map(str, ds.data_vars) for w in _range(name, ds[name])]
    if wrong:
        raise SchemaError("E-INPUT-SCHEMA", where=contract.name, cause="; ".join(wrong))
    return ds


def record(
    frozen: Any,
    *,
    grid: Grid,
    time: Any,
    overpass: Any,
    quality: Any = None,
    age: Any = None,
    attrs: Mapping[str, Any] | None = None,
) -> xr.Dataset:
    """A valid record from arrays: `frozen` (time, overpass, y, x) in [0, 1] with NaN = unknown."""
    data: dict[str, Any] = {"frozen": (_FIELD, frozen)}
    if quality is not None:
        data["quality"] = (_FIELD, quality)
    if age is not None:
        data["age"] = (_FIELD, age)
    ds = grid.write(coordinates(xr.Dataset(data), time=time, overpass=overpass)).assign_attrs(dict(attrs or {}))
    return check(describe(ds), RECORD, values=isinstance(frozen, np.ndarray))


def coordinates(ds: xr.Dataset, *, time: Any, overpass: Any) -> xr.Dataset:
    """The dataset with the time and overpass coordinates that every contract asks for."""
    flags = {
        "long_name": "overpass: half of the local solar day",
        "flag_values": np.array(list(OVERPASS_NAMES), "int8"),
        "flag_meanings": " ".join(OVERPASS_NAMES.values()),
    }
    when = {"long_name": "local date of the overpass", "standard_name": "time"}
    return ds.assign_coords(
        time=("time", np.asarray(time, "datetime64[ns]"), when),
        overpass=("overpass", np.asarray(overpass, "int8"), flags),
    )


def describe(ds: xr.Dataset) -> xr.Dataset:
    """The dataset with units, long names and flag meanings of the vocabulary."""
    for name, variable in ds.data_vars.items():
        known = quantity(str(name))
        if known is not None:
            variable.attrs.update(units=known.units, long_name=known.long_name)
        if name == "precipitation" and "step" in variable.dims:
            variable.attrs.update(units="m h-1", long_name="precipitation in the hour that holds the step")
        if name == "quality":
            masks = np.array(list(QUALITY.values()), "uint16")
            variable.attrs.update(flag_masks=masks, flag_meanings=" ".join(QUALITY))
    return ds


def _coordinates(ds: xr.Dataset, contract: Contract) -> list[str]:
    wrong = []
    used = {d for v in ds.data_vars.values() for d in v.dims}
    if "time" in used:
        time = ds.indexes.get("time")
        if time is None or ds["time"].dtype.kind != "M":
            wrong.append("'time' is no datetime coordinate")
        elif not time.is_monotonic_increasing or not time.is_unique:
            wrong.append("'time' does not rise, or repeats a date")
    if "overpass" in used:
        codes = ds["overpass"].values if "overpass" in ds.coords else np.array([-1])
        if not np.isin(codes, list(OVERPASS_NAMES)).all() or len(set(codes.tolist())) != len(codes):
            wrong.append(f"'overpass' holds {codes.tolist()}, not distinct codes of {list(OVERPASS_NAMES)}")
    if "step" in used:
        steps = ds["step"].values if "step" in ds.coords else np.array([0, 0])
        if (np.diff(steps) >= 0).any():
            wrong.append(f"'step' holds {steps.tolist()}, not hours before the overpass, oldest first")
    if contract.grid and {"y", "x"} & used:
        try:
            grid = Grid.of(ds)
            if (ds.sizes["y"], ds.sizes["x"]) != grid.shape:
                wrong.append(f"data of {ds.sizes['y']} x {ds.sizes['x']} on a grid of {grid.shape}")
        except Exception as error:
            wrong.append(str(error))
    if not contract.grid:
        wrong += [f"coordinate {c!r} is missing" for c in ("lon", "lat") if c not in ds.coords]
    return wrong


def _range(name: str, variable: xr.DataArray) -> list[str]:
    known = quantity(name)
    if known is None or not np.isfinite(known.low) or variable.size == 0:
        return []
    low, high = float(variable.min()), float(variable.max())
    if low < known.low or high > known.high:
        return [f"{name!r} holds {low:g}..{high:g} {known.units}, outside {known.low:g}..{known.high:g}"]
    return []
