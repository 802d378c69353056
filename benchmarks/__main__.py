"""Run every benchmark, one after the other: `make bench`."""

from __future__ import annotations

from benchmarks import memory

if __name__ == "__main__":
    raise SystemExit(memory.main())
