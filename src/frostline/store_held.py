"""Days of a store that share a chunk, kept as codes until it is whole: a chunk is compressed once, not once a day."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

Codes = Mapping[str, np.ndarray]


class Block(NamedTuple):
    """Codes (days, passes, ..., y, x) by name, of the days from `start` and the passes `passes`."""

    start: int
    passes: slice
    codes: Codes

    @property
    def days(self) -> int:
        """How many."""
        return len(next(iter(self.codes.values())))


@dataclass(eq=False)
class Held:
    """What waits for its chunk's other days. `span` is the days of a chunk, `total` those of the store."""

    span: int
    total: int
    kept: dict[tuple[int, int], tuple[Block, int]] = field(default_factory=dict)  # by passes; and the days there so far

    def take(self, block: Block) -> Iterator[Block]:
        """Blocks that are to be written now, in the order they came, cut at chunk borders.

        Kept are days that begin with their chunk's first, or go on from those that are kept, until the chunk is
        whole. Anything else is written at once, after what it may overlap.
        """
        for first in range(block.start - block.start % self.span, block.start + block.days, self.span):
            low, high = max(first, block.start), min(first + self.span, block.start + block.days)
            part = {n: v[low - block.start : high - block.start] for n, v in block.codes.items()}
            yield from self._part(Block(low, block.passes, part), min(first + self.span, self.total))

    def rest(self) -> Iterator[Block]:
        """What is still kept."""
        while self.kept:
            yield self._let_go(next(iter(self.kept)))

    def _part(self, part: Block, end: int) -> Iterator[Block]:
        mine = (part.passes.start, part.passes.stop)
        for key in [*self.kept]:
            if key[0] < mine[1] and mine[0] < key[1] and not (key == mine and self._follows(part)):
                yield self._let_go(key)
        if mine not in self.kept:
            if part.start % self.span or part.start + part.days == end:
                yield part
                return
            room = {n: np.empty((end - part.start, *v.shape[1:]), v.dtype) for n, v in part.codes.items()}
            self.kept[mine] = Block(part.start, part.passes, room), 0
        whole, done = self.kept[mine]
        for name, values in part.codes.items():
            whole.codes[name][done : done + part.days] = values
        self.kept[mine] = whole, done + part.days
        if done + part.days == whole.days:
            yield self._let_go(mine)

    def _follows(self, part: Block) -> bool:
        whole, done = self.kept[part.passes.start, part.passes.stop]
        return part.start == whole.start + done and part.codes.keys() == whole.codes.keys()

    def _let_go(self, key: tuple[int, int]) -> Block:
        whole, done = self.kept.pop(key)
        return whole._replace(codes={n: v[:done] for n, v in whole.codes.items()})
