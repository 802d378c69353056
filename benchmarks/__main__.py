"""Every benchmark, one after the other, in a table: `make bench`.

python -m benchmarks [--size small|middle|full] [NAME ...]

`middle` (the default) takes two minutes; `full` has the sizes of the goals. Arrays are worked on by one thread: set
OMP_NUM_THREADS=1 where a library takes more.
"""

from __future__ import annotations

import argparse
import sys

from benchmarks import gapfill, memory, moments, regrid, start, store, trends
from benchmarks.common import SIZES, show

TABLES = {
    "regrid": regrid.rows,
    "gapfill": gapfill.rows,
    "moments": moments.rows,
    "trends": trends.rows,
    "store": store.rows,
    "start": start.rows,
}


def main() -> int:
    """1 where results differ, a row is below 80 % of its goal, or memory grows with the years."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("names", nargs="*", choices=[*TABLES, "memory", []], help="which (default: all)")
    parser.add_argument("--size", choices=SIZES, default="middle")
    options = parser.parse_args()
    names = options.names or [*TABLES, "memory"]
    rows = [row for name in names if name in TABLES for row in TABLES[name](options.size)]
    short = show(rows)
    return short | (memory.main([]) if "memory" in names else 0)


if __name__ == "__main__":
    sys.exit(main())
