"""One way to measure: calls interleaved in one process, medians of CPU seconds, a table with anchor, limit and goal."""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import re
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
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

    @property
    def verdict(self) -> str:
        """`short`: below the goal, yet above 80 % of it; `SHORT`: below that."""
        if not self.equal:
            return "DIFFERS"
        return "met" if self.met else "short" if self.ratio >= 0.8 * self.goal else "SHORT"


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
        print(
            f"{r.number:2d} {r.what:38} {r.anchor:28} {r.theirs:10.3g} {r.ours:10.3g} {r.limit:10.3g} {r.ratio:9.3g} "
            f"{r.goal:8.3g}  {r.verdict} {r.note}".rstrip(),
            flush=True,
        )
    return int(any(not r.equal or r.ratio < 0.8 * r.goal for r in rows))


def markdown(rows: Sequence[Row], size: Size) -> str:
    """The table as docs/performance.md has it, with the day, the machine (processor and cores) and the size."""
    lines = [f"{datetime.date.today()}, {machine()}, size `{size}`.", ""]
    lines += ["| # | what | anchor | anchor's | ours | limit | ratio | goal | result |", "|" + "---|" * 9]
    for r in rows:
        limit = "" if np.isnan(r.limit) else f"{r.limit:.3g}"
        cells = [r.what, r.anchor, f"{r.theirs:.3g}", f"{r.ours:.3g}", limit, f"{r.ratio:.3g}", f"{r.goal:.3g}"]
        lines.append(f"| {r.number} | {' | '.join(cells)} | {' '.join([r.verdict, r.note]).strip()} |")
    return "\n".join(lines)


def machine() -> str:
    """Processor and number of cores, nothing else of the machine."""
    info = Path("/proc/cpuinfo")
    found = re.search(r"^model name\s*:\s*(.+)$", info.read_text(), re.MULTILINE) if info.exists() else None
    return f"{found[1].strip() if found else platform.machine()}, {os.cpu_count()} cores"


def main(rows: Callable[[Size], list[Row]], about: str | None) -> int:
    """The command line of one benchmark."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--size", choices=SIZES, default="middle")
    return show(rows(parser.parse_args().size))
