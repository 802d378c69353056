"""Give checkpoints of before their exported model, so that they predict without PyTorch.

python tools/export_checkpoint.py RUN/checkpoints/unet ...
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from frostline.errors import FrostlineError
from frostline.learn.checkpoint import load
from frostline.learn.graph import exported


def main(words: Sequence[str] | None = None) -> int:
    """Write each folder anew with its model; 1 with one line where that cannot be."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("checkpoints", nargs="+", type=Path, metavar="FOLDER")
    for folder in parser.parse_args(words).checkpoints:
        try:
            checkpoint = exported(load(folder))
            checkpoint.save(folder)
        except FrostlineError as error:
            print(error, file=sys.stderr)
            return error.exit
        far = (checkpoint.export or {})["largest_difference"]["random"]
        print(f"{folder}: exported; scores of random fields differ by {far:.1e} at most")
    return 0


if __name__ == "__main__":
    sys.exit(main())
