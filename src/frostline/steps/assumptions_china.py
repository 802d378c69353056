"""What Cui et al. 2024 state and what they leave open or contradict, beside what is done here; for the report."""

from __future__ import annotations

from frostline.config_china import China
from frostline.steps.assumptions import Line

RECORDS: list[Line] = [
    (
        "ESDR grid",
        "Resampled from 25 to 9 km; the original EASE-Grid (EPSG:3410) and its opposite polarity are not mentioned.",
        "Read on its own grid, polarity asserted, nearest cell onto 9 km. The reverse, the fused record averaged to 25 "
        "km, is scored beside it.",
    ),
    (
        "Precipitation",
        "GPM for 1980 to 2020, which begins in June 2000 (V06) or January 1998 (V07).",
        "ERA5-Land, or a switch by date that is recorded in the stack; a date without a source is an error.",
    ),
    (
        "Hours",
        "3, 4, 5 h and 15, 16, 17 h; whether UTC or local is not stated.",
        "Local solar time of each cell, linear between the UTC hours of the files; UTC as an option.",
    ),
]
NETS: list[Line] = [
    (
        "Network",
        "ConvLSTM, three steps, three classes; layers, width, kernel, loss and optimizer are not stated.",
        "All of them are settings; the state starts at zero, no peepholes by default; one net per record and overpass.",
    ),
    (
        "Missing",
        "A third class that the net may answer.",
        "Left out of the loss; the third class only where train.head is literal3.",
    ),
    (
        "Split",
        "Training and validation touch and interleave; April to October 2017 is used for nothing.",
        "Declared periods with a buffer, checked for overlap; the published one as a preset, which tells what it "
        "leaves out.",
    ),
]
FUSION: list[Line] = [
    (
        "Fusion",
        "The same class stays; otherwise softmax scores, the higher wins. How missing takes part is not stated.",
        "Three exact rules. The main record is a log-opinion pool of tempered probabilities, weighted by what stations "
        "that teach say; the literal rules are scored beside it.",
    ),
    (
        "Dense networks",
        "How the nodes of a cell become one state is not stated.",
        "Nodes of a cell averaged, then thresholded (majority as an option); the cells of a network pooled.",
    ),
    (
        "Triple collocation",
        "The fused record, stations and ERA5, as if independent; b is misprinted; no intervals.",
        "Shared inputs are told before any number; signed sensitivities, status codes, a refit, block bootstrap.",
    ),
    (
        "Meteorological stations",
        "Daily minimum and maximum at 0 cm.",
        "Taken as a wave that soil damps and delays, to 0-7 cm at 6 and 18 h (textbook diffusivity, nothing fitted): "
        "the surface itself sees frost in the morning and thaw in the evening that the soil has not. As they are is an "
        "option.",
    ),
    (
        "Trends",
        "Linear slopes without intervals.",
        "Sen's slope with its interval, lag-1 corrected Mann-Kendall, regional means of anomalies; on the twin the "
        "paired difference to the truth says how much of the trend each record keeps.",
    ),
]


def assumptions(experiment: China) -> list[Line]:
    """The lines that bear on a run: of the records it names, its nets, its fusion."""
    named = experiment.inputs
    used = [named.esdr, named.era5land, named.era5land]
    out = [line for line, place in zip(RECORDS, used, strict=True) if place is not None]
    return [*out, *NETS, *FUSION]
