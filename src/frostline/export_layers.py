"""What the layers of an exported record mean: codes, fills and CF attributes, and the states of AM and PM in one.

Layers. `freeze_thaw` uint8: 0 thawed, 1 frozen (probability > 0.5; exactly 0.5 counts as thawed), and where
the probability is unknown the reason: 254 open water, 253 outside the domain (permanent ice too), else 252;
255 is fill. `frozen_probability` uint8, 1/200 a step, 255 unknown. `quality` uint16 flag bits. `age` uint8 days
of the oldest gap-filled input, 255 none. `freeze_thaw_daily` uint8 on (time, y, x): 0 thawed and 1 frozen at AM and at
PM, 2 transitional (frozen AM, thawed PM), 3 inverse (thawed AM, frozen PM), and the same codes for what is no state.
With polarity "thaw" the states and the probability are `thaw_freeze` (0 frozen, 1 thawed), `thaw_probability` and
`thaw_freeze_daily` (0 frozen, 1 thawed, 2, 3 as before: the codes of the CO files of NSIDC-0477): another meaning has
another name.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import numpy as np

from frostline.errors import ConfigError, InputError
from frostline.packing import PROBABILITY, pack
from frostline.schema import QUALITY

Array = np.ndarray
Polarity = Literal["frozen", "thaw"]

NO_DATA, OUTSIDE, WATER, FILL = 252, 253, 254, 255  # ESDR's codes for what is no state (NSIDC-0477)
TRANSITIONAL, INVERSE = 2, 3  # and for states that change between AM and PM
COLOURS = {"thawed": (214, 137, 72, 255), "frozen": (66, 118, 180, 255)}
GREYS = {NO_DATA: (200, 200, 200, 255), OUTSIDE: (255,) * 4, WATER: (225, 235, 242, 255), FILL: (0,) * 4}
CHANGING = ((150, 111, 160, 255), (92, 140, 98, 255))  # transitional, inverse


class Layer(NamedTuple):
    """How a layer lies in a file: its type, its fill (None: every code is a value), how overviews thin it."""

    dtype: str
    fill: int | None
    thinning: str
    attrs: dict[str, Any]


def layers(polarity: Polarity = "frozen") -> dict[str, Layer]:
    """The layers by name, with their CF attributes; flag values are arrays of the layer's own type.

    >>> layers("thaw")["thaw_freeze"].attrs["flag_meanings"]
    'frozen thawed no_data outside_domain water'
    """
    if polarity not in ("frozen", "thaw"):
        raise ConfigError("E-CONFIG", cause=f"polarity {polarity!r} is unknown", remedy='use "frozen" or "thaw"')
    frozen = polarity == "frozen"
    states, adjective = ("thawed frozen", "frozen") if frozen else ("frozen thawed", "thawed")
    state, probability = ("freeze_thaw", "frozen_probability") if frozen else ("thaw_freeze", "thaw_probability")
    return {
        state: Layer(
            "uint8", FILL, "mode",
            {"long_name": "state of the surface soil", "flag_meanings": f"{states} no_data outside_domain water",
             "flag_values": np.array([0, 1, NO_DATA, OUTSIDE, WATER], "uint8"),
             "comment": "frozen where the probability of being frozen exceeds 0.5; exactly 0.5 counts as thawed"},
        ),
        probability: Layer(
            "uint8", FILL, "average",
            {"long_name": f"probability that the surface soil is {adjective}", "units": "1",
             "scale_factor": PROBABILITY.scale},
        ),
        "quality": Layer(
            "uint16", None, "nearest",
            {"long_name": "quality flags", "flag_masks": np.array(list(QUALITY.values()), "uint16"),
             "flag_meanings": " ".join(QUALITY)},
        ),
        "age": Layer("uint8", FILL, "nearest", {"long_name": "largest gap age of the inputs", "units": "day"}),
        combined_name(polarity): Layer(
            "uint8", FILL, "mode",
            {"long_name": "state of the surface soil at both overpasses of the day",
             "flag_meanings": f"{states} transitional inverse no_data outside_domain water",
             "flag_values": np.array([0, 1, TRANSITIONAL, INVERSE, NO_DATA, OUTSIDE, WATER], "uint8"),
             "comment": "transitional: frozen at AM, thawed at PM; inverse: thawed at AM, frozen at PM; no data where "
                        "either is unknown"},
        ),
    }  # fmt: skip


def encode(frozen: Array, quality: Array | None, age: Array | None, *, polarity: Polarity) -> dict[str, Array]:
    """The layers' codes of one block: probabilities in [0, 1] (NaN unknown), flag bits and days, of one shape.

    Raises InputError for a probability outside [0, 1].
    """
    known = np.isfinite(frozen)
    if ((frozen < 0) | (frozen > 1)).any():
        raise InputError("E-INPUT-SCHEMA", where="record", cause="a probability lies outside 0..1")
    bits = np.zeros(frozen.shape, "uint16") if quality is None else quality
    outside = (bits & (QUALITY["outside_domain"] | QUALITY["permanent_ice"])) > 0
    water = (bits & QUALITY["open_water"]) > 0
    reason = np.where(water, WATER, np.where(outside, OUTSIDE, NO_DATA)).astype("uint8")
    state, probability = frozen > 0.5, pack(frozen, PROBABILITY)
    if polarity == "thaw":
        state, probability = ~state, np.where(known, np.uint8(200) - probability, np.uint8(FILL))
    out = dict(zip(layers(polarity), (np.where(known, state, reason).astype("uint8"), probability), strict=False))
    if quality is not None:
        out["quality"] = quality.astype("uint16", copy=False)
    if age is not None:
        out["age"] = age.astype("uint8", copy=False)
    return out


def combined_name(polarity: Polarity) -> str:
    """What the layer of both overpasses is called."""
    return "freeze_thaw_daily" if polarity == "frozen" else "thaw_freeze_daily"


def combined(am: Array, pm: Array, *, polarity: Polarity = "frozen") -> Array:
    """One code for the states of both overpasses, uint8 of the shape of `am` and `pm`, which are codes of `encode`.

    The states of each are 0 and 1 in the order of `polarity`; other codes are reasons, of which the larger is given
    where one or both overpasses have one (water before outside before no data).

    >>> am, pm = np.array([1, 0, 1, 0, 1, 254], "uint8"), np.array([1, 0, 0, 1, 252, 253], "uint8")
    >>> combined(am, pm).tolist(), combined(am, pm, polarity="thaw").tolist()
    ([1, 0, 2, 3, 252, 254], [1, 0, 3, 2, 252, 254])
    """
    frozen = 1 if polarity == "frozen" else 0
    reason = np.maximum(am, pm)
    changed = np.where(am == frozen, TRANSITIONAL, INVERSE)
    return np.where(reason > 1, reason, np.where(am == pm, am, changed)).astype("uint8")


def colours(layer: Layer) -> dict[int, tuple[int, int, int, int]]:
    """The colour of each code of a layer of states."""
    first, second, *_ = layer.attrs["flag_meanings"].split()
    changing = (
        {TRANSITIONAL: CHANGING[0], INVERSE: CHANGING[1]} if "transitional" in layer.attrs["flag_meanings"] else {}
    )
    return {0: COLOURS[first], 1: COLOURS[second], **changing, **GREYS}
