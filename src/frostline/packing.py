"""How values lie on disk: codes, scales and fills, so that no fill is ever a value."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from frostline.errors import InputError


class Spec(NamedTuple):
    """How a variable lies on disk: value = code * scale + offset; `fill` is no value."""

    dtype: str
    fill: int | float
    scale: float = 1.0
    offset: float = 0.0


PROBABILITY = Spec("uint8", 255, 1 / 200)  # 0, 0.5 and 1 are exact
CLASS = Spec("uint8", 255)
DAYS = Spec("uint8", 255)
FLAGS = Spec("uint16", 65535)
KELVIN = Spec("uint16", 65535, 0.01)  # as NSIDC-0738 packs it
SHARE = Spec("uint16", 65535, 1e-4)  # finer than any soil moisture is known
MILLIMETRE = Spec("uint16", 65535, 1e-3)  # of snow
RAIN = Spec("uint16", 65535, 1e-5)  # 0.01 mm; room for 0.65 m, twice the wettest hour on record
FLOAT = Spec("float32", float("nan"))
SPECS = {
    "frozen": PROBABILITY,
    "quality": FLAGS,
    "age": DAYS,
    "truth": CLASS,
    "truth_t0": CLASS,
    "ice_share": PROBABILITY,
    "label_reanalysis": CLASS,
    "label_station": CLASS,
    "label_smap": CLASS,
    "label_esdr": CLASS,
    "agreement": CLASS,
    "winner": CLASS,
    "land": CLASS,
    "land_cover": CLASS,
    "land_cover_clcd": CLASS,
    "climate": CLASS,
    "region": CLASS,
    "permafrost": CLASS,
    "soil_temperature": KELVIN,
    "air_temperature": KELVIN,
    "overpass_temperature": KELVIN,
    "soil_moisture": SHARE,
    "snow_depth": MILLIMETRE,
    "precipitation": RAIN,
}
SMALL = 1 << 16  # values: fewer are not worth loading a compiler for
INTEGERS = ("quality", "age", "agreement", "winner")  # read back as they lie: flags have no NaN, 255 days is "none"


def spec_of(name: str) -> Spec:
    """The packing of a vocabulary name; float32 where none is declared."""
    if name.startswith("age_"):
        return DAYS
    kelvin = (name.startswith("tb_") and name != "tb_time") or name.startswith("soil_temperature_")
    return SPECS.get(name, KELVIN if kelvin else FLOAT)


def pack(values: np.ndarray, spec: Spec) -> np.ndarray:
    """Codes of `values`; NaN becomes the fill. A probability is never carried onto or across 0.5.

    >>> pack(np.array([0.0, 0.4999, 0.5, 0.5001, 1.0, np.nan]), PROBABILITY).tolist()
    [0, 99, 100, 101, 200, 255]
    """
    dtype = np.dtype(spec.dtype)
    if dtype.kind == "f" or values.dtype == dtype:
        return values.astype(dtype, copy=False)
    if values.size > SMALL and values.dtype in (np.float32, np.float64):
        from frostline.packing_kernels import encode

        out, kind = np.empty(values.shape, dtype), values.dtype.type
        half = 0.5 / spec.scale if spec == PROBABILITY else np.nan
        scale, offset, middle, rare = kind(spec.scale), kind(spec.offset), kind(0.5), kind(half)
        flat, top = np.ascontiguousarray(values).reshape(-1), kind(np.iinfo(dtype).max - 1)
        if encode(flat, scale, offset, middle, rare, np.int32(spec.fill), top, out.reshape(-1)):
            return out
    return pack_plain(values, spec)


def pack_plain(values: np.ndarray, spec: Spec) -> np.ndarray:
    """What `pack` means, in numpy, of codes that are integers; InputError where a value does not fit."""
    code = np.round((values - spec.offset) / spec.scale)
    if spec == PROBABILITY:
        half = 0.5 / spec.scale
        code = np.where((code == half) & (values > 0.5), half + 1, code)
        code = np.where((code == half) & (values < 0.5), half - 1, code)
    known, dtype = np.isfinite(values), np.dtype(spec.dtype)
    top = np.iinfo(dtype).max
    if known.any() and (np.min(code[known]) < 0 or np.max(code[known]) >= top):
        low, high = float(np.min(values[known])), float(np.max(values[known]))
        raise InputError("E-STORE", cause=f"values {low:g}..{high:g} do not fit {spec.dtype} with scale {spec.scale:g}")
    return np.where(known, code, spec.fill).astype(dtype)


def unpack(codes: np.ndarray, spec: Spec) -> np.ndarray:
    """Values of codes, the float32 nearest to each; NaN where the fill stands.

    >>> unpack(np.array([0, 100, 200, 255], "u1"), PROBABILITY).tolist()
    [0.0, 0.5, 1.0, nan]
    """
    if codes.size <= SMALL:
        return unpack_plain(codes, spec)
    from frostline.packing_kernels import decode

    out = np.empty(codes.shape, np.float32)
    flat = np.ascontiguousarray(codes).reshape(-1)
    decode(flat, float(spec.scale), float(spec.offset), codes.dtype.type(spec.fill), out.reshape(-1))
    return out


def unpack_plain(codes: np.ndarray, spec: Spec) -> np.ndarray:
    """What `unpack` means, in numpy."""
    values = (codes.astype(float) * spec.scale + spec.offset).astype(np.float32)
    values[codes == spec.fill] = np.nan
    return values
