"""Make docs/reference/experiment*.md from the models that parse an experiment file, so that they cannot differ.

    python tools/reference.py              # `make docs`

A page for each system holds every table and key with its type, default and meaning; the first also the gap-filling
presets and the grids. The same source gives the same bytes; tests/test_docs.py compares them with the committed pages.
"""

import types
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from frostline.config import SYSTEMS
from frostline.config_tables import CHANNELS, Channel, Day
from frostline.gapfill import PRESETS
from frostline.grid import GRIDS

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "reference"
PAGES = {s: FOLDER / ("experiment.md" if s == "north" else f"experiment-{s}.md") for s in SYSTEMS}
WITHOUT = {
    "twin": "the files are real",
    "period": "all days of the records",
    "split": "every day is held out and nothing can be trained",
    "train": "no net; `predict.method` must be `reanalysis`",
    "validate": "nothing is scored",
}
PLAIN = {str: "text", int: "whole number", float: "number", bool: "true or false"}
SIGNS = {Ge: ("ge", ">="), Gt: ("gt", ">"), Le: ("le", "<="), Lt: ("lt", "<")}
HEAD = """\
# The experiment file

<!-- Made by tools/reference.py from src/frostline/config_north.py. Change the models, then run: make docs -->

An experiment is one TOML file. Every verb takes it: `frostline all EXPERIMENT.toml`. A key that is not on this page
is an error, and so is a value outside its range; the message lists all of them in one line.

A single key is changed on the command line with `--set table.key=value` (the value as TOML, else as text):

    frostline all examples/demo.toml --set train.epochs=2 --set 'labels.time="utc"'

Dates are text, `"YYYY-MM-DD"`, both ends included. A *channel* is one of CHANNELS.

What does not change a result is no key: the run folder (`--run`, or `FROSTLINE_RUNS` for all of them), processes and
threads (`--workers`), how much is said (`--quiet`), what runs a trained net (`FROSTLINE_ENGINE`: `openvino`,
`onnxruntime` or `torch`; else as in [decision 23](../decisions/0023-engines.md)). The data root may hold `${NAME}`: it
is taken from the environment, and `${RUN}` is the run folder.
"""


OTHER = """\
# The experiment file of the SYSTEM system

<!-- Made by tools/reference.py from src/frostline/config_SYSTEM.py. Change the models, then run: make docs -->

How such a file is read, overrides, dates and grids: [the experiment file](experiment.md). Its first key is
`system = "SYSTEM"`.
"""


def page(system: str = "north") -> str:
    """The whole reference page of a system."""
    head = HEAD.replace("CHANNELS", ", ".join(f"`{_toml(c)}`" for c in CHANNELS)) if system == "north" else OTHER
    parts = [head.replace("SYSTEM", system)]
    top = [(key_of(name, field), field) for name, field in SYSTEMS[system].model_fields.items()]
    plain = [(key, field) for key, field in top if table_of(field) is None]
    parts.append("## Above all tables\n\n" + rows(plain))
    optional = {key for key, field in top if table_of(field) is not None and field.default is None}
    if not optional <= set(WITHOUT):
        raise SystemExit(f"WITHOUT must say what happens without each of {sorted(optional)}")
    for key, field in top:
        table = table_of(field)
        if table is not None:
            parts.append(section(key, field, table))
    return "\n".join([*parts, presets(), grids()] if system == "north" else parts)


def section(key: str, field: FieldInfo, table: type[BaseModel]) -> str:
    """One table of the file: whether it must be there, and its keys."""
    if field.is_required():
        need = "Required."
    elif field.default is None:
        need = f"Optional; without it {WITHOUT[key]}."
    else:
        need = "Optional; every key has a default."
    parts = [f"## `[{key}]`\n\n{_about(table)} {need}\n\n" + _keys(table)]
    for name, inner in table.model_fields.items():
        for model in lists_of(inner.annotation):
            said = _said(model)
            parts.append(f"### A {said} of `{key}.{key_of(name, inner)}`\n\n{_about(model)}\n\n" + _keys(model))
    return "\n".join(parts)


def lists_of(annotation: Any) -> list[type[BaseModel]]:
    """The models that a key of lists by name holds."""
    found = [kind for kind in get_args(annotation) if isinstance(kind, type) and issubclass(kind, BaseModel)]
    deeper = [a for a in get_args(annotation) if get_args(a)]
    return found + [model for a in deeper for model in lists_of(a)]


def _about(table: type[BaseModel]) -> str:
    return " ".join((table.__doc__ or "").split())


def _keys(table: type[BaseModel]) -> str:
    return rows([(key_of(name, inner), inner) for name, inner in table.model_fields.items()])


def _said(model: type[BaseModel]) -> str:
    """A model's name as words.

    >>> class TreeNode(BaseModel): ...
    >>> _said(TreeNode)
    'tree node'
    """
    return "".join(f" {c.lower()}" if c.isupper() else c for c in model.__name__).strip()


def rows(fields: Sequence[tuple[str, FieldInfo]]) -> str:
    """A markdown table: key, type, default, meaning."""
    lines = ["| key | type | default | meaning |", "|---|---|---|---|"]
    for key, field in fields:
        if not field.description:
            raise SystemExit(f"{key} has no description")
        kind = type_of(field.annotation, field.metadata)
        lines.append(f"| `{key}` | {kind} | {default_of(field)} | {_cell(field.description)} |")
    return "\n".join(lines) + "\n"


def type_of(annotation: Any, metadata: Sequence[Any] = ()) -> str:
    """A type as a person would say it.

    >>> type_of(tuple[Literal["a", "b"], ...]), type_of(tuple[float, float] | None), type_of(int, [Gt(0)])
    ('list of (`"a"` or `"b"`)', '[number, number]', 'whole number > 0')
    """
    if annotation == Channel:
        return "channel"
    if annotation == Day or any(getattr(m, "pattern", None) for m in metadata):
        return "date"
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return type_of(args[0], [c for m in args[1:] for c in getattr(m, "metadata", [m])])
    if origin in (Union, types.UnionType):
        (inner,) = (a for a in args if a is not type(None))
        return type_of(inner, metadata)
    if origin is Literal:
        return " or ".join(f"`{_toml(a)}`" for a in args)
    if origin is dict:
        return f"table of {type_of(args[1])} by name"
    if origin is tuple:
        if args[-1] is Ellipsis:
            inner = type_of(args[0])
            return f"list of ({inner})" if " or " in inner else f"list of {inner}"
        return "[" + ", ".join(type_of(a) for a in args) + "]"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return f"{_said(annotation)} (below)"
    limits = {type(m): m for m in metadata if type(m) in SIGNS}
    if isinstance(low := limits.get(Ge), Ge) and isinstance(high := limits.get(Le), Le):
        return f"{PLAIN[annotation]} {low.ge:g} to {high.le:g}"
    said = [f"{sign} {getattr(limits[kind], name):g}" for kind, (name, sign) in SIGNS.items() if kind in limits]
    return " ".join([PLAIN[annotation], *([" and ".join(said)] if said else [])])


def default_of(field: FieldInfo) -> str:
    """The default as TOML, or what an absent one means."""
    if field.default is PydanticUndefined:
        return "**required**"
    return "none" if field.default is None else f"`{_toml(field.default)}`"


def key_of(name: str, field: FieldInfo) -> str:
    """The key as it stands in the file."""
    return field.alias or name


def table_of(field: FieldInfo) -> type[BaseModel] | None:
    """The model of a table, None for a plain key."""
    for kind in (field.annotation, *get_args(field.annotation)):
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            return kind
    return None


def presets() -> str:
    """The values that `assemble.gapfill_smap` and `assemble.gapfill_amsr2` may take."""
    lines = [
        "## Gap-filling presets\n",
        "Names for `assemble.gapfill_smap` and `assemble.gapfill_amsr2`. In days: how far off a side may lie, how far",
        "apart two sides may lie, how far a single side is held.\n",
        "| preset | max_side | max_span | one_sided | mode | max_hold |",
        "|---|---|---|---|---|---|",
    ]
    for name, rule in PRESETS.items():
        hold = rule.get("max_hold")
        shown = "-" if rule["one_sided"] == "none" else rule["max_side"] if hold is None else hold
        lines.append(
            f"| `{name}` | {rule['max_side']} | {rule['max_span']} | {rule['one_sided']} | {rule['mode']} | {shown} |"
        )
    return "\n".join(lines) + "\n"


def grids() -> str:
    """The values that `grid.name` may take."""
    lines = [
        "## Grids\n",
        "Names for `grid.name` and `predict.more_grids`. Left and top are the outer corner of the first cell.\n",
        "| name | CRS | left, m | top, m | step, m | rows x columns |",
        "|---|---|---|---|---|---|",
    ]
    for name, g in GRIDS.items():
        lines.append(f"| `{name}` | {g.crs} | {g.left!r} | {g.top!r} | {g.step!r} | {g.shape[0]} x {g.shape[1]} |")
    return "\n".join(lines) + "\n"


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{k} = {_toml(v)}" for k, v in value.items()) + "}"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, tuple):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return repr(value)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


if __name__ == "__main__":
    for name, path in PAGES.items():
        path.write_text(page(name), encoding="utf-8")
        print(path)
