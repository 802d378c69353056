"""How names of scores are written out for people, and whether a score may be shown."""

from collections.abc import Mapping
from typing import Any

import numpy as np

# How scores.json's names are written out for people.
NAMES = {
    "unet": "U-Net",
    "unet_36": "U-Net (36 GHz)",
    "unet_raw": "U-Net, not calibrated",
    "unet_without_smap": "U-Net without SMAP",
    "unet_without_amsr2": "U-Net without AMSR2",
    "fused": "fused",
    "convlstm_smap": "ConvLSTM (SMAP)",
    "convlstm_esdr": "ConvLSTM (ESDR)",
    "fused_literal3": "fused, literal rule",
    "fused_maxconf": "fused, surer wins",
    "fused_pool": "fused, pool",
    "fused_ctc": "fused, collocation",
    "smap": "SMAP",
    "esdr": "ESDR",
    "recalibrated": "reanalysis, recalibrated",
    "climatology": "climatology (labels)",
    "climatology_truth": "climatology (truth)",
    "persistence": "persistence",
    "spectral_gradient": "spectral gradient",
    "npr_sta": "NPR-STA (L-band)",
    "npr_sta_guarded": "NPR-STA, air guard",
    "sta": "STA (36 GHz)",
    "msta": "MSTA (36 GHz)",
    "scv": "single-channel V (L-band)",
    "dfa_zhao": "discriminant, as published",
    "dfa_refit": "discriminant, refitted",
    "logistic": "logistic regression",
    "reanalysis": "reanalysis",
    "truth": "truth (ice share)",
    "truth_t0": "truth (T < 0 °C)",
    "stations": "stations",
    "all": "whole area",
    "area:trained": "trained area",
    "area:heldout": "held-out area",
    "train": "training years",
    "validation": "validation years",
    "heldout": "held-out years",
    "season:frozen": "Dec-Jan",
    "season:transition": "Feb-Apr, Oct-Nov",
    "season:thawed": "May-Sep",
    "am": "AM",
    "pm": "PM",
}


def shown(row: Mapping[str, Any]) -> bool:
    """Whether a score may be shown at all: a finite value with its n and its interval."""
    numbers = [row.get(key) for key in ("value", "lo", "hi", "n")]
    return all(v is not None and np.isfinite(v) for v in numbers) and row["n"] > 0
