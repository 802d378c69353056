"""Every benchmark, one after the other, in a table: `make bench`.

python -m benchmarks [--size small|middle|full] [--markdown] [NAME ...]

`middle` (the default) takes ten minutes and `memory` three; `full` has the sizes of the goals (8 GiB, longer). CPU
seconds of all threads are counted, medians of calls in turns; each table is made in a fresh process.
"""

from __future__ import annotations

import argparse
import sys

from benchmarks import (
    convlstm,
    gapfill,
    growth,
    memory,
    moments,
    passday,
    regrid,
    start,
    store,
    training,
    trends,
    unet,
)
from benchmarks.common import SIZES, markdown, show

TABLES = {
    "regrid": regrid.rows,
    "gapfill": gapfill.rows,
    "unet": unet.rows,
    "training": training.rows,
    "convlstm": convlstm.rows,
    "moments": moments.rows,
    "trends": trends.rows,
    "store": store.rows,
    "passday": passday.rows,
    "start": start.rows,
}
APART = ("memory", "growth")  # tables of their own


def main() -> int:
    """1 where results differ, a row is below 80 % of its goal, or memory grows with the years."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"of {', '.join([*TABLES, *APART])} (default: all but growth)"
    )
    parser.add_argument("--size", choices=SIZES, default="middle")
    parser.add_argument("--markdown", action="store_true", help="print the table as docs/performance.md has it, too")
    options = parser.parse_args()
    names = options.names or [*TABLES, "memory"]
    if unknown := set(names) - {*TABLES, *APART}:
        parser.error(f"no benchmark is called {', '.join(sorted(unknown))}")
    # each in a fresh process, as a user runs it: what ran before would leave memory behind that costs nothing to take
    rows = [row for name in names if name in TABLES for row in memory.apart(TABLES[name], options.size)]
    short = show(rows)
    if options.markdown:
        print(markdown(rows, options.size))
    if "growth" in names:
        growth.main(["--size", options.size])
    return short | (memory.main([]) if "memory" in names else 0)


if __name__ == "__main__":
    sys.exit(main())
