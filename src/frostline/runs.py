"""The run folder: what each step made from what, so that a step whose inputs did not change is skipped."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from frostline import __version__
from frostline.errors import InputError

T = TypeVar("T")
LEDGER = "steps.json"


@dataclass(frozen=True)
class Run:
    """A folder of results, what is told to the person who waits, how many processes may work, and whether a leak
    between training and evaluation is let through and marked (steps.watch)."""

    folder: Path
    say: Callable[[str], None] = print
    workers: int = 1
    quiet: bool = False
    allow_leak: bool = False

    def path(self, *parts: str) -> Path:
        """A place in the folder."""
        return self.folder.joinpath(*parts)

    def warn(self, text: object) -> None:
        """Say what is wrong: on stderr, however quiet the run."""
        print(f"  {text}", file=sys.stderr)

    def track(self, items: Iterable[T], *, total: int | None, label: str) -> Iterator[T]:
        """The items, with a progress bar on stderr while they pass (none when quiet or not on a terminal)."""
        from rich.console import Console
        from rich.progress import track

        console = Console(stderr=True)
        shown = not self.quiet and sys.stderr.isatty()
        yield from track(items, description=label, total=total, console=console, transient=True, disable=not shown)


def fingerprint(*parts: Any) -> str:
    """A short hash of tables, file lists and earlier fingerprints; equal inputs give equal hashes."""
    text = json.dumps([__version__, *parts], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def identity(folder: Path) -> list[tuple[str, int, int]]:
    """What a folder of inputs holds: name, bytes and time of change of every file, in order."""
    if folder.is_file():
        at = folder.stat()
        return [(folder.name, at.st_size, at.st_mtime_ns)]
    found = []
    for root, _, names in os.walk(folder):
        for path in (Path(root, name) for name in names):
            at = path.stat()
            found.append((str(path.relative_to(folder)), at.st_size, at.st_mtime_ns))
    return sorted(found)


def finished(run: Run, step: str) -> dict[str, Any] | None:
    """The ledger's entry of a step that ended well, or None."""
    return _ledger(run).get(step)


def is_fresh(run: Run, step: str, mark: str, outputs: Iterable[Path]) -> bool:
    """Whether the step ended well with the same inputs and what it made still lies there."""
    entry = finished(run, step)
    return entry is not None and entry["fingerprint"] == mark and all(Path(p).exists() for p in outputs)


def record_step(run: Run, step: str, mark: str, *, seconds: float, notes: Mapping[str, Any]) -> None:
    """Write a step that ended well into the ledger."""
    ledger = _ledger(run)
    when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    ledger[step] = {
        "fingerprint": mark,
        "finished": when,
        "seconds": round(seconds, 1),
        "commit": _commit(),
        "notes": dict(notes),
    }
    write_json(run.path(LEDGER), ledger)


def forget(run: Run, steps: Iterable[str]) -> None:
    """Take steps out of the ledger, before they run again or because what they stood on changed."""
    ledger = {k: v for k, v in _ledger(run).items() if k not in set(steps)}
    write_json(run.path(LEDGER), ledger)


def upstream(run: Run, step: str) -> str:
    """The fingerprint of an earlier step, which must have ended well."""
    entry = finished(run, step)
    if entry is None:
        raise InputError(
            "E-STEP", where=run.folder, cause=f"step {step!r} has not run", remedy=f"run: frostline {step}"
        )
    return str(entry["fingerprint"])


def provenance() -> dict[str, Any]:
    """What a result was made with: versions, platform, commit. Nothing of the environment's variables."""
    packages = ("numpy", "scipy", "xarray", "zarr", "h5py", "pyproj", "torch", "onnxruntime", "openvino", "rasterio")
    versions = {}
    for name in packages:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return {
        "frostline": __version__,
        "commit": _commit(),
        "python": platform.python_version(),
        "machine": platform.machine(),
        "versions": versions,
    }


def write_json(path: Path, value: Any) -> None:
    """JSON under a temporary name, then renamed; NaN becomes null."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part-{os.getpid()}")
    part.write_text(json.dumps(_nulls(value), indent=1, default=str, allow_nan=False) + "\n", encoding="utf-8")
    part.replace(path)


def read_json(path: Path) -> Any:
    """JSON of a run folder."""
    return json.loads(path.read_text(encoding="utf-8"))


def _nulls(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(k): _nulls(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_nulls(v) for v in value]
    if hasattr(value, "item") and getattr(value, "ndim", 1) == 0:
        value = value.item()
    return None if isinstance(value, float) and (value != value or abs(value) == float("inf")) else value


def _ledger(run: Run) -> dict[str, Any]:
    path = run.path(LEDGER)
    return read_json(path) if path.exists() else {}


def _commit() -> str:
    """The commit of the source tree the package runs from; 'unknown' when installed from a wheel."""
    try:
        here = Path(__file__).parent
        out = subprocess.run(
            ["git", "-C", str(here), "describe", "--always", "--dirty", "--abbrev=12"],
            capture_output=True,
            text=True,
            timeout=5,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return out.stdout.strip()
