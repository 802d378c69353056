"""Several nets as one: blocks of records that were predicted alike, averaged as they come."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from frostline.learn.predict import Block
from frostline.schema import QUALITY


def averaged(members: Sequence[Iterator[Block]], *, low_confidence: float = 0.1) -> Iterator[Block]:
    """The blocks of `learn.predict.predict` of several nets of the same channels on the same days, as one net's.

    The probability is the mean of the members' (Lakshminarayanan et al. 2017, section 2.4), unknown where one of them
    is; age and quality are the first's, but low_confidence is set where |mean - 0.5| < `low_confidence`. By hand: .9
    and .3 are sure both, their mean .6 is not, at .2. Memory is that of a block of each member.
    """
    doubt = np.uint16(QUALITY["low_confidence"])
    for blocks in zip(*members, strict=True):
        days, code, _, quality, age = blocks[0]
        p = sum(block[2] for block in blocks) / np.float32(len(blocks))
        low = np.abs(p - 0.5) < low_confidence  # False where unknown
        yield days, code, p, np.where(low, quality | doubt, quality & ~doubt), age
