"""What is known of a record only once it is written: attributes of a store, changed in place."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

from frostline.errors import InputError
from frostline.store import disk_error

META = "zarr.json"


def note(path: str | Path, attrs: Mapping[str, str | float]) -> None:
    """Set attributes of a finished store; its arrays and its journal stay as they are.

    The file of metadata is replaced as a whole, so a reader sees the old attributes or the new ones. InputError where
    no store lies.
    """
    at = Path(path) / META
    if not at.exists():
        raise InputError("E-STORE", where=path, cause="no finished store lies here", remedy="run its step")
    facts = json.loads(at.read_text(encoding="utf-8"))
    facts.setdefault("attributes", {}).update(attrs)
    part = at.with_name(f"{META}.part-{os.getpid()}")
    try:
        part.write_text(json.dumps(facts, indent=2), encoding="utf-8")
        part.replace(at)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise disk_error(at, error) from error
