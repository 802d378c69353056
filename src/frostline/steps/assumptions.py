"""What Donahue et al. 2023 state and what they leave open, beside what is done here; for the report."""

from __future__ import annotations

from frostline.config_north import North

Line = tuple[str, str, str]  # topic, stated by the paper, assumed by us

INPUTS: list[Line] = [
    (
        "Gap filling",
        "Equation 1 within a five-day window; the window's ends and one-sided gaps are not defined.",
        "At most 3 days to either side and 5 between; one side is held for at most 2 days; age and flag are outputs.",
    ),
    (
        "AMSR2 grid",
        "A 10 km global EASE-Grid, interpolated linearly.",
        "JAXA's level 3 files are equirectangular, 0.1 degree; bilinear with precomputed weights.",
    ),
]
LABELS: list[Line] = [
    (
        "Label hours",
        "ERA5 soil temperature at 6 a.m. and 6 p.m. local time.",
        "Local solar time of each cell, linear between the two UTC fields around it (hourly ERA5, three-hourly GLDAS); "
        "UTC hours as an option.",
    ),
    ("Threshold", "0 degC for ERA5 and stations.", "273.15 K for both, configurable."),
]
NET: list[Line] = [
    (
        "What the net sees",
        "Brightness temperatures and elevation.",
        "Differences to each cell's mean over the training days, and elevation; the temperatures themselves, the day "
        "before, latitude, longitude and the day of the year as options.",
    ),
    (
        "Network",
        "U-Net, four steps down and up, 3x3 convolutions, batch normalisation, leaky ReLU, spatial dropout 0.2; "
        "filters not stated; final 3x3 convolution to two sigmoid channels.",
        "Filters and depth are settings; one logit from a 1x1 convolution by default; the paper's head, residual "
        "blocks, attention gates and the mean of several trainings as options.",
    ),
    (
        "Loss",
        "Binary cross entropy + 0.1 x local variation.",
        "Per source, normalised by the sum of weights; local variation on probabilities over pairs of land cells.",
    ),
    (
        "What teaches",
        "Frozen or thawed.",
        "The same by default; chances of frost, the share of ice, or nothing close to 0 degC as options.",
    ),
    (
        "Selection",
        "Best MCC after each epoch on data that share years with training.",
        "Best MCC on days that neither taught nor judge; on cells of their own where the split sets some apart.",
    ),
    (
        "Evaluation",
        "Years 2016-2020, of which 2017-2019 also trained; stations in both.",
        "Held-out days, held-out cells with a buffer, held-out stations; every score with n and interval.",
    ),
    (
        "Crops",
        "Not stated.",
        "Random crops of the training area only, so that the net cannot learn places by heart.",
    ),
]


def assumptions(experiment: North) -> list[Line]:
    """The lines that bear on a run: of its inputs, its labels, its net."""
    named = experiment.inputs
    out = INPUTS if named.smap or named.amsr2 else []
    return [*out, *LABELS, *(NET if experiment.train is not None else [])]
