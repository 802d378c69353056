"""What the drawing steps of all systems share: a list of figures, the folder they go to, what made them."""

from __future__ import annotations

import shutil
from typing import Any

from frostline.runs import Run, provenance

Drawn = list[tuple[str, Any, str]]  # name, figure, caption


def hang(run: Run, drawn: Drawn) -> dict[str, Any]:
    """Every figure as a PNG in `figures/`, which appears whole or not at all."""
    folder, part = run.path("figures"), run.path("figures.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    for name, figure, _ in drawn:
        figure.savefig(part / f"{name}.png", dpi=130)
    shutil.rmtree(folder, ignore_errors=True)
    part.replace(folder)
    return {"figures": len(drawn)}


def made_with() -> str:
    """Versions, platform and commit in one line."""
    made = provenance()
    versions = ", ".join(f"{name} {version}" for name, version in made["versions"].items())
    return f"commit {made['commit']}, Python {made['python']} on {made['machine']}; {versions}"
