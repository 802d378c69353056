"""Records in, one record out: what several say of a cell becomes one probability, and who decided it is kept.

Cui et al. 2024 (section 3.1) fuse two heads by "same judgement, else the higher score" and leave open what happens to
missing values, ties and the probability. Here that is three rules that say it: `literal3` (the text to the letter,
missing is a class), `maxconf` (missing has no say, the surer head wins; to reproduce the paper) and `pool` (a weighted
mean of log-odds; recommended). `fuse_ctc` weighs classes by sensitivities and specificities that nobody's truth gave.
"""

from frostline.fuse.records import Rule, fuse, fuse_ctc, members
from frostline.fuse.rules import NOBODY, Verdict, literal3, maxconf, pool, softmax
from frostline.fuse.weights import (
    best_weights,
    fit_temperature,
    samples,
    temper,
    weights_from_labels,
    weights_from_sites,
)

__all__ = [
    "NOBODY",
    "Rule",
    "Verdict",
    "best_weights",
    "fit_temperature",
    "fuse",
    "fuse_ctc",
    "literal3",
    "maxconf",
    "members",
    "pool",
    "samples",
    "softmax",
    "temper",
    "weights_from_labels",
    "weights_from_sites",
]
