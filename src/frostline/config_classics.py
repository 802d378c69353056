"""The table of classic algorithms in the north experiment file, and how a decision tree is written there."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Annotated, Literal

from pydantic import Field, model_validator

from frostline.config_tables import CHANNELS, Channel, Table

Classic = Literal[
    "spectral_gradient",
    "npr_sta",
    "npr_sta_guarded",
    "sta",
    "msta",
    "scv",
    "dfa_zhao",
    "dfa_refit",
    "logistic",
]
# brightness temperatures that each needs; `logistic` takes what the net sees
CHANNELS_OF: Mapping[Classic, tuple[Channel, ...]] = {
    "spectral_gradient": ("tb_18v", "tb_36v"),
    "npr_sta": ("tb_1v", "tb_1h"),
    "npr_sta_guarded": ("tb_1v", "tb_1h"),
    "sta": ("tb_36v",),
    "msta": ("tb_36v",),
    "scv": ("tb_1v",),
    "dfa_zhao": ("tb_36v", "tb_18h"),
    "dfa_refit": ("tb_36v", "tb_18h"),
    "logistic": (),
}
ENDS = ("frozen", "thawed", "unknown")
Variable = Literal[
    "tb_1v", "tb_1h", "tb_18v", "tb_18h", "tb_36v", "tb_36h", "soil_temperature", "elevation", "land_cover"
]
TreeName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]


class TreeNode(Table):
    """A question of a decision tree: whether an index is at most a limit."""

    name: str = Field(description="what earlier nodes call it")
    terms: dict[Variable, float] = Field(description="the index: sum of number times variable")
    squares: dict[Variable, float] = Field({}, description="and of number times variable squared")
    constant: float = Field(0.0, description="and a number")
    over: dict[Variable, float] = Field({}, description="divided by a sum of number times variable")
    spread_days: Annotated[int, Field(ge=0)] = Field(
        0, description="above 1: its standard deviation over so many days around a day"
    )
    at_most: float = Field(description="limit of the index")
    yes: str = Field(description='up to the limit: "frozen", "thawed", "unknown" or a later node')
    no: str = Field(description="above it, likewise")


class ClassicsTable(Table):
    """Classic algorithms that are made and scored beside the net, each on its own cell-days."""

    names: tuple[Classic, ...] = Field((), description="algorithms by the names of their records")
    trees: dict[TreeName, tuple[TreeNode, ...]] = Field(
        {}, description="decision trees, first node first; the record of `mine` is `tree_mine`"
    )

    @model_validator(mode="after")
    def _trees(self) -> ClassicsTable:
        for name, nodes in self.trees.items():
            if wrong := _wrong(nodes):
                raise ValueError(f"classics.trees.{name}: {wrong}")
        return self

    def records(self) -> tuple[str, ...]:
        """Names of the records that the table asks for, each once."""
        return (*dict.fromkeys(self.names), *(f"tree_{name}" for name in self.trees))

    def lacking(self, channels: Collection[str]) -> str:
        """What an algorithm needs that is not among the stacked channels, in words; empty if nothing."""
        wanted: dict[str, Collection[str]] = {name: CHANNELS_OF[name] for name in self.names}
        wanted |= {f"trees.{name}": variables(nodes) & set(CHANNELS) for name, nodes in self.trees.items()}
        lost = {name: sorted(set(need) - set(channels)) for name, need in wanted.items()}
        return "; ".join(f"{name} needs {', '.join(need)}" for name, need in lost.items() if need)


def variables(nodes: Collection[TreeNode]) -> set[str]:
    """All that a tree looks at."""
    return {str(v) for node in nodes for part in (node.terms, node.squares, node.over) for v in part}


def _wrong(nodes: tuple[TreeNode, ...]) -> str:
    """What is wrong with a tree, in words; empty if nothing."""
    names = [node.name for node in nodes]
    if not names:
        return "it has no node"
    if len(set(names)) < len(names) or set(names) & set(ENDS):
        return f"nodes need names of their own, other than {', '.join(ENDS)}"
    for k, node in enumerate(nodes):
        if not node.terms and not node.squares:
            return f"node {node.name!r} looks at nothing"
        for branch in (node.yes, node.no):
            if branch not in ENDS and branch not in names[k + 1 :]:
                return f"node {node.name!r} leads to {branch!r}, which is no later node"
    unreached = set(names[1:]) - {branch for node in nodes for branch in (node.yes, node.no)}
    return f"nothing leads to {', '.join(sorted(unreached))}" if unreached else ""
