"""The command line: a thin verb per step, errors as one line, exit codes as promised."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import App, Parameter, validators

from frostline import __version__
from frostline.errors import FrostlineError, Interrupted

if TYPE_CHECKING:
    from frostline.runs import Run

VERBS = {
    "twin": "Simulate the twin Earth and write the files its agencies would deliver.",
    "read": "List every input file, look into it, and say what is missing or broken.",
    "assemble": "Put predictors and labels on one grid, gaps filled.",
    "train": "Train the net (and its rivals) on the declared days and cells.",
    "predict": "Write the record, or those that are fused.",
    "fuse": "Fuse records into one.",
    "validate": "Score the record and what it must beat.",
    "collocate": "Collocate three and more records of unknown truth.",
    "season": "Count frozen days, onset and length year by year, and their trends.",
    "map": "Draw the figures.",
    "report": "Write the report, one HTML file.",
    "export": "Write CF netCDF and Cloud Optimized GeoTIFF files.",
}
SKIPPED = 4
DEMOS = {"north": "demo.toml", "china": "demo_china.toml"}

app = App(
    name="frostline",
    help="Daily, twice-a-day records of frozen and thawed soil: made, proved and explained.",
    version=__version__,
    version_flags=["--version"],
    suppress_keyboard_interrupt=False,  # main() ends with the promised code
)

Overrides = Annotated[
    tuple[str, ...], Parameter(name="--set", negative=(), help="table.key=value, instead of the file's")
]
Folder = Annotated[Path | None, Parameter(name="--run", help="run folder (default: runs/<name of the file>)")]
Workers = Annotated[
    int | None,
    Parameter(name="--workers", validator=validators.Number(gte=1), help="processes and threads (default: all cores)"),
]
Quiet = Annotated[bool, Parameter(name="--quiet", negative=(), help="say only what is wrong")]
AllowLeak = Annotated[
    bool, Parameter(name="--allow-leak", negative=(), help="go on where training and evaluation touch; mark all output")
]
Force = Annotated[bool, Parameter(name="--force", negative=(), help="run even if nothing changed")]


def _verb(name: str) -> None:
    def command(
        experiment: Path,
        /,
        *,
        overrides: Overrides = (),
        run: Folder = None,
        workers: Workers = None,
        quiet: Quiet = False,
        force: Force = False,
        allow_leak: AllowLeak = False,
    ) -> int:
        return execute(experiment, [name], overrides, run, workers, quiet, force, allow_leak)

    command.__doc__ = VERBS[name]
    app.command(command, name=name)


for _name in VERBS:
    _verb(_name)


@app.command(name="all")
def all_(
    experiment: Path,
    /,
    *,
    overrides: Overrides = (),
    run: Folder = None,
    workers: Workers = None,
    quiet: Quiet = False,
    force: Force = False,
    allow_leak: AllowLeak = False,
) -> int:
    """Run every step of the experiment's system in order; steps whose inputs did not change are skipped."""
    return execute(experiment, [], overrides, run, workers, quiet, force, allow_leak)


@app.command
def demo(
    system: Literal["both", "north", "china"] = "both",
    /,
    *,
    overrides: Overrides = (),
    run: Folder = None,
    workers: Workers = None,
    quiet: Quiet = False,
) -> int:
    """Run examples/demo.toml and demo_china.toml: twin Earths, their files, records of them, and both reports.

    With --run each system's results lie in a folder of its name there.
    """
    code = 0
    for name in DEMOS if system == "both" else [system]:
        place = None if run is None else run / name
        code = max(code, execute(demo_file(DEMOS[name]), [], overrides, place, workers, quiet, False))
    return code


@app.command
def plan(experiment: Path, /, *, overrides: Overrides = (), run: Folder = None) -> int:
    """Verify every key, input and size before anything runs, and say what would be done."""
    from frostline.config import read_experiment
    from frostline.steps.outlook import outlook

    settings = read_experiment(experiment, overrides)
    for line in outlook(settings, open_run(experiment, run, None, False)):
        print(line)
    return 0


@app.command
def extract(
    record: Path,
    sites: Path,
    out: Path,
    /,
    *,
    start: Annotated[str | None, Parameter(help="first local date, YYYY-MM-DD")] = None,
    end: Annotated[str | None, Parameter(help="last local date, YYYY-MM-DD")] = None,
    overpass: Annotated[
        tuple[Literal["am", "pm", "daily"], ...], Parameter(negative=(), help="only these (may be repeated)")
    ] = (),
    quiet: Quiet = False,
) -> int:
    """Write a record at a list of sites as CSV or Parquet, with classes and quality flags in words.

    RECORD is a record store (.zarr), an exported netCDF file or a run folder; SITES a CSV or Parquet file with the
    columns name, lon, lat; OUT ends in .csv or .parquet.
    """
    from frostline.steps.points import extract_points

    found = extract_points(record, sites, out, start=start, end=end, overpasses=overpass)
    if not quiet:
        print(f"{out}: {found.rows} rows of {found.sites} sites")
    if found.outside:
        named = ", ".join(found.outside[:5]) + (" ..." if len(found.outside) > 5 else "")
        print(f"outside the grid, unknown throughout: {len(found.outside)} sites ({named})", file=sys.stderr)
    return 0


def execute(
    path: Path,
    names: list[str],
    overrides: tuple[str, ...],
    folder: Path | None,
    workers: int | None,
    quiet: bool,
    force: bool,
    allow_leak: bool = False,
) -> int:
    """Run steps of an experiment file (none: all) and tell how it went; the exit code."""
    from frostline.config import read_experiment
    from frostline.runs import finished
    from frostline.steps import run_step
    from frostline.steps.order import STEPS

    settings = read_experiment(path, overrides)
    run = open_run(path, folder, workers, quiet, allow_leak)
    skipped = 0
    names = names or list(STEPS[settings.system])
    for name in names:
        notes = run_step(name, settings, run, force=force)
        entry = finished(run, name) or {"seconds": 0.0, "notes": {}}
        skipped += int(entry["notes"].get("skipped_inputs", 0))
        state = "unchanged" if notes.get("fresh") else f"{entry['seconds']:.1f} s"
        run.say(f"{name:>9}  {state:>9}  {_short({k: v for k, v in notes.items() if k != 'fresh'})}")
    if run.path("report.html").exists() and "report" in names:
        print(f"report: {run.path('report.html')}")
    if skipped:
        print(f"finished; inputs broken or missing: {skipped} ({run.path('inventory.json')})", file=sys.stderr)
    return SKIPPED if skipped else 0


def open_run(path: Path, folder: Path | None, workers: int | None, quiet: bool, allow_leak: bool = False) -> Run:
    """The run folder of an experiment file; FROSTLINE_RUNS moves all of them elsewhere."""
    from frostline.runs import Run

    root = Path(os.environ.get("FROSTLINE_RUNS", "runs"))
    place = folder or root / path.stem
    place.mkdir(parents=True, exist_ok=True)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return Run(place.resolve(), (lambda text: None) if quiet else print, workers or cores, quiet, allow_leak)


def demo_file(name: str) -> Path:
    """A demo's experiment file: of the source tree, or of the installed package."""
    from importlib import resources

    tree = Path(__file__).parents[2] / "examples" / name
    return tree if tree.exists() else Path(str(resources.files("frostline") / "data" / name))


def _short(notes: dict[str, Any]) -> str:
    return ", ".join(f"{k} {v}" for k, v in notes.items() if not isinstance(v, list) or len(v) < 8)


def main(words: Sequence[str] | None = None) -> None:
    """Entry point: every known error is one line on stderr and its exit code. `words` instead of the shell's."""
    try:
        code = app(words, result_action="return_value")
    except FrostlineError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit)
    except KeyboardInterrupt:
        print(Interrupted("E-INTERRUPTED", cause="stopped", remedy="run the same command to go on"), file=sys.stderr)
        sys.exit(Interrupted.exit)
    except MemoryError:
        print("E-MEMORY  not enough memory. Use a smaller window.", file=sys.stderr)
        sys.exit(6)
    sys.exit(code if isinstance(code, int) else 0)
