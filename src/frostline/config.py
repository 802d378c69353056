"""The experiment file: one TOML table per station, each key with its meaning, nothing unknown let through."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from frostline.config_china import China
from frostline.config_given import Given
from frostline.config_north import North
from frostline.errors import ConfigError

Gridded = North | China
Experiment = Gridded | Given
SYSTEMS: dict[str, type[North] | type[China] | type[Given]] = {"north": North, "china": China, "given": Given}


def read_experiment(path: str | Path, overrides: Sequence[str] = ()) -> Experiment:
    """The experiment of a TOML file, after `table.key=value` overrides (values as TOML, else text)."""
    path = Path(path)
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError("E-CONFIG", where=path, cause="no such experiment file") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError("E-CONFIG", where=path, cause=f"not TOML: {error}") from None
    for text in overrides:
        _override(tables, text)
    return parse(tables, where=path)


def parse(tables: dict[str, Any], *, where: str | Path = "experiment") -> Experiment:
    """The experiment of nested tables; one line lists every key that is wrong."""
    system = tables.get("system", "north")
    if system not in SYSTEMS:
        cause = f"system: {system!r} is none of {', '.join(SYSTEMS)}"
        raise ConfigError(
            "E-CONFIG", where=where, cause=cause, remedy="keys and their meaning: docs/reference/experiment.md"
        )
    try:
        return SYSTEMS[system].model_validate(tables)
    except ValidationError as error:
        raise ConfigError(
            "E-CONFIG",
            where=where,
            cause="; ".join(_plain(e) for e in error.errors()),
            remedy="keys and their meaning: docs/reference/experiment.md",
        ) from None


def _override(tables: dict[str, Any], text: str) -> None:
    key, equals, value = text.partition("=")
    *parents, last = key.strip().split(".")
    if not equals or not last:
        raise ConfigError("E-CONFIG", where=f"--set {text}", cause="not of the form table.key=value")
    try:
        parsed = tomllib.loads(f"v = {value}")["v"]
    except tomllib.TOMLDecodeError:
        parsed = value.strip()
    at = tables
    for name in parents:
        at = at.setdefault(name, {})
        if not isinstance(at, dict):
            raise ConfigError("E-CONFIG", where=f"--set {text}", cause=f"{name} is no table")
    at[last] = parsed


def _plain(error: Any) -> str:
    key = ".".join(str(p) for p in error["loc"]) or "file"
    if error["type"] == "extra_forbidden":
        return f"{key}: no such key"
    return f"{key}: {error['msg'].removeprefix('Value error, ')}"
