"""Row 10: how long the command line takes to say what it can do, and what it loads.

python -m benchmarks.start [--size small|middle|full]
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.common import Row, Size, main
from benchmarks.unet import untrained

HELP = "from frostline.cli import main; main(['--help'])"
LOADED = "import sys\ntry:\n    {}\nexcept SystemExit:\n    pass\nprint('torch' in sys.modules, file=sys.stderr)"

ANSWER = """
import sys
import numpy as np
import frostline.learn.ensemble, frostline.steps.emulators, frostline.steps.model
from frostline.learn.engine import open_engine
engine = open_engine(sys.argv[1], name=sys.argv[2], device="cpu", threads=1)
assert engine(np.zeros((1, 3, 64, 64), np.float32)).shape == (1, 64, 64)
print("torch" in sys.modules)
"""


def wall(code: str, *words: str) -> float:
    """Seconds of a fresh interpreter."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", code, *words], check=False, capture_output=True)
    return time.perf_counter() - began


def rows(size: Size) -> list[Row]:
    """The table's rows."""
    repeats = 1 if size == "small" else 3
    wall("pass")
    seconds = [(wall(HELP), wall("pass"), wall("import torch")) for _ in range(repeats)]
    ours, least, torch = (float(np.median(s)) for s in zip(*seconds, strict=True))
    said = subprocess.run([sys.executable, "-c", LOADED.format(HELP)], check=False, capture_output=True, text=True)
    free = said.stderr.strip().endswith("False")
    with tempfile.TemporaryDirectory() as folder:
        net = str(Path(folder, "net"))
        untrained("unet", 3, width=4, depth=2).save(Path(net))
        answer, by_torch = (
            float(np.median([wall(ANSWER, net, name) for _ in range(repeats)])) for name in ("auto", "torch")
        )
        said = subprocess.run([sys.executable, "-c", ANSWER, net, "auto"], check=True, capture_output=True, text=True)
    without = said.stdout.strip() == "False"
    return [
        Row(10, "predict's first answer, no torch", "the same by torch", by_torch, answer, 1.0, equal=without),
        Row(10, "--help", "0.8 s", 0.8, ours, 1.0, least, free),
        Row(10, "--help", "import torch", torch, ours, 1.0, least, free),
    ]


if __name__ == "__main__":
    sys.exit(main(rows, __doc__))
