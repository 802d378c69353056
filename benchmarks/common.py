"""One way to measure: calls interleaved in one process, medians of CPU seconds, a table with anchor, limit and goal."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np

Size = Literal["small", "middle", "full"]
SIZES: tuple[Size, ...] = ("small", "middle", "full")


class Row(NamedTuple):
    """One goal: ours must be `goal` times better than the anchor (seconds, bytes: less is better), and equal."""

    number: int  # of the goal
    what: str
    anchor: str
    theirs: float
    ours: float
    goal: float
    limit: float = np.nan  # what the machine allows, measured in the same run
    equal: bool = True
    note: str = ""

    @property
    def ratio(self) -> float:
        """How many times better ours is."""
        return self.theirs / self.ours

    @property
    def met(self) -> bool:
        """Whether the goal holds."""
        return self.equal and self.ratio >= self.goal


def interleaved(calls: Mapping[str, Callable[[], Any]], *, repeats: int = 5) -> dict[str, float]:
    """Median CPU seconds (all threads) of each call, taken in turns, after one that is not counted."""
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for turn in range(repeats + 1):
        for name, call in calls.items():
            began = time.process_time()
            call()
            if turn:
                seconds[name].append(time.process_time() - began)
    return {name: float(np.median(s)) for name, s in seconds.items()}


def once(call: Callable[[], Any]) -> tuple[float, Any]:
    """CPU seconds of one call, and what it gave."""
    began = time.process_time()
    given = call()
    return time.process_time() - began, given


def copy_speed(megabytes: int = 256) -> float:
    """Bytes a second that a plain copy reads and writes."""
    source = np.ones(megabytes << 18, np.float32)
    target = np.empty_like(source)
    return 2 * source.nbytes / interleaved({"copy": lambda: np.copyto(target, source)})["copy"]


def show(rows: Sequence[Row]) -> int:
    """Print the table; 1 where results differ or a row is below 80 % of its goal."""
    print(
        f"{'#':>2} {'what':38} {'anchor':28} {'anchor':>10} {'ours':>10} {'limit':>10} {'ratio':>9} {'goal':>8}  result"
    )
    for r in rows:
        said = "met" if r.met else "DIFFERS" if not r.equal else "short" if r.ratio >= 0.8 * r.goal else "SHORT"
        print(
            f"{r.number:2d} {r.what:38} {r.anchor:28} {r.theirs:10.3g} {r.ours:10.3g} {r.limit:10.3g} {r.ratio:9.3g} "
            f"{r.goal:8.3g}  {said} {r.note}".rstrip(),
            flush=True,
        )
    return int(any(not r.equal or r.ratio < 0.8 * r.goal for r in rows))


def main(rows: Callable[[Size], list[Row]], about: str | None) -> int:
    """The command line of one benchmark."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--size", choices=SIZES, default="middle")
    return show(rows(parser.parse_args().size))
