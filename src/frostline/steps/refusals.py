"""What happens to a file that passed the gate and broke when it was opened: it is told, listed and left out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from frostline.errors import InputError
from frostline.runs import Run, write_json

Refuse = Callable[[str, str | Path, InputError], None]  # product, file, why


def refuser(inventory: dict[str, Any], run: Run) -> Refuse:
    """A function that moves a file from `files` to `unreadable` of its product in `inventory.json`, and says so.

    Whoever reads the inventory again leaves it out too, until the file changes and `read` runs anew. Raises
    InputError when no file of the product is left.
    """

    def refuse(product: str, path: str | Path, error: InputError) -> None:
        entry = inventory[product]
        if str(path) in entry["bad"] or str(path) in entry["unreadable"]:
            return
        run.warn(error)
        entry["files"] = [row for row in entry["files"] if row[0] != str(path)]
        entry["unreadable"][str(path)] = str(error)
        write_json(run.path("inventory.json"), inventory)
        if not entry["files"]:
            cause = f"no usable {product} file is left"
            remedy = f"put whole files there, or take inputs.{product} out"
            raise InputError("E-INPUT-EMPTY", where=entry["place"], cause=cause, remedy=remedy)

    return refuse
