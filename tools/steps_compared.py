"""How many hours before the overpass a ConvLSTM needs: the china demo's nets with 1, 2, 3 and 6 steps, one twin.

    python tools/steps_compared.py --runs runs/steps --seed 4

Each run has the same Earth, stack and split (2015 to 2020; the decades before add nothing to this question); only
`train.steps` differs. Prints accuracy of both nets and of the fused record against the twin's truth in the held-out
years, with intervals and n. Runs that are finished are not made again.
"""

import argparse
import shutil
from pathlib import Path

from frostline.config import read_experiment
from frostline.runs import Run, read_json
from frostline.steps import run_step

EXAMPLE = Path(__file__).resolve().parent.parent / "examples" / "demo_china.toml"
STEPS = (1, 2, 3, 6)
RECORDS = ("convlstm_smap", "convlstm_esdr", "fused")


def main() -> None:
    """Make the runs and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=Path, default=Path("runs/steps"))
    parser.add_argument("--seed", type=int, default=4)
    parser.add_argument("--size", type=int, default=16, help="cells of a side")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    print("| steps | " + " | ".join(f"{name}, {o}" for name in RECORDS for o in ("am", "pm")) + " | n |")
    print("|" + "---|" * (2 * len(RECORDS) + 2))
    first: Path | None = None
    for count in STEPS:
        folder = (options.runs / str(count)).resolve()
        if first is not None and not folder.exists():
            shutil.copytree(
                first, folder, ignore=shutil.ignore_patterns("checkpoints", "record*", "*.lock", "steps.json")
            )
            shutil.copy2(first / "assembled.json", folder / "steps.json")
        folder.mkdir(parents=True, exist_ok=True)
        overrides = (
            f"twin.seed={options.seed}",
            'period.start="2015-01-01"',
            f"grid.shape=[{options.size}, {options.size}]",
            f"train.crop={min(options.size, 32)}",
            "assemble.hours_before=[6, 5, 4, 3, 2, 1]",
            f"train.steps={count}",
        )
        experiment = read_experiment(EXAMPLE, overrides)
        run = Run(folder, say=lambda text: None, workers=options.workers, quiet=True)
        for name in ("twin", "read", "assemble"):
            run_step(name, experiment, run)
        shutil.copy2(folder / "steps.json", folder / "assembled.json")
        first = first or folder
        for name in ("train", "predict", "fuse", "validate"):
            run_step(name, experiment, run)
        print(line(count, read_json(folder / "scores.json")), flush=True)


def line(count: int, rows: list[dict]) -> str:
    """One row of the table."""
    cells, n = [], 0
    for name in RECORDS:
        for overpass in ("am", "pm"):
            wanted = (name, "truth", "heldout", overpass, "all", "accuracy")
            keys = ("record", "against", "split", "overpass", "stratum", "score")
            row = next(r for r in rows if tuple(r[k] for k in keys) == wanted)
            cells.append(f"{row['value']:.3f} [{row['lo']:.3f}, {row['hi']:.3f}]")
            n = row["n"]
    return f"| {count} | " + " | ".join(cells) + f" | {n} |"


if __name__ == "__main__":
    main()
