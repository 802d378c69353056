"""Row 10: how long the command line takes to say what it can do, and what it loads.

python -m benchmarks.start [--size small|middle|full]
"""

from __future__ import annotations

import subprocess
import sys
import time

import numpy as np

from benchmarks.common import Row, Size, main

HELP = "from frostline.cli import main; main(['--help'])"
LOADED = "import sys\ntry:\n    {}\nexcept SystemExit:\n    pass\nprint('torch' in sys.modules, file=sys.stderr)"


def wall(code: str) -> float:
    """Seconds of a fresh interpreter."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=False, capture_output=True)
    return time.perf_counter() - began


def rows(size: Size) -> list[Row]:
    """The table's rows."""
    repeats = 1 if size == "small" else 5
    wall("pass")
    seconds = [(wall(HELP), wall("pass"), wall("import torch")) for _ in range(repeats)]
    ours, least, torch = (float(np.median(s)) for s in zip(*seconds, strict=True))
    said = subprocess.run([sys.executable, "-c", LOADED.format(HELP)], check=False, capture_output=True, text=True)
    free = said.stderr.strip().endswith("False")
    return [
        Row(10, "--help", "0.8 s", 0.8, ours, 1.0, least, free),
        Row(10, "--help", "import torch", torch, ours, 1.0, least, free),
    ]


if __name__ == "__main__":
    sys.exit(main(rows, __doc__))
