"""What speaks against a collocation: members that feed each other, before any number; weak numbers, after."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import combinations

import numpy as np
import xarray as xr

from frostline.validate.collocation import IMBALANCE, LEAST_EFFECTIVE
from frostline.validate.collocation_em import STATUS

# r1 of disagreement above which a decade tells little: with errors that last by .95 a day it is about .7, and 90 %
# intervals held the truth of a product in .86-.98 of 500 decades (tools/studies_collocation.py)
PERSISTENT = 0.6


def preconditions(
    records: Mapping[str, xr.Dataset], *, lineage: Mapping[str, Iterable[str]] | None = None
) -> list[str]:
    """What speaks against collocating these records, to be said before any number; the last line always holds.

    A record's attribute `inputs` names what it was made from (text with commas, or a list); `lineage` says the same of
    products that are no members (the net between a reanalysis and a fused record). A member that feeds another, by
    whatever way, comes first: such a pair's accuracies come out too high and the third's too low.
    """
    made_of = {_plain(k): [_plain(x) for x in v] for k, v in (lineage or {}).items()}
    for name, ds in records.items():
        made_of[_plain(name)] = made_of.get(_plain(name), []) + _inputs(ds)
    shown = {_plain(name): name for name in records}
    roots = {name: _ancestors(name, made_of) for name in shown}
    fed, shared = [], []
    for a, b in combinations(shown, 2):
        for source, user in ((a, b), (b, a)):
            if source in roots[user]:
                fed.append(
                    f"{shown[source]} is an input of {shown[user]}: their errors are not independent, so both come "
                    "out better than they are and the other members worse; take the numbers as no evidence"
                )
        common = sorted((roots[a] & roots[b]) - set(shown))
        if common:
            shared.append(f"{shown[a]} and {shown[b]} share an input ({', '.join(common)}): their errors may agree")
    silent = [name for name, ds in records.items() if "inputs" not in ds.attrs and _plain(name) not in (lineage or {})]
    if silent:
        shared.append(f"not known what went into {', '.join(silent)} (no attribute 'inputs'): independence is assumed")
    always = (
        "collocation is a relative and optimistic diagnostic: where members see different layers, or are pooled over "
        "seasons of different skill, accuracies come out several points too high"
    )
    return [*fed, *shared, always]


def cautions(found: xr.Dataset) -> list[str]:
    """What the numbers themselves give to doubt, a line each; none where there is nothing."""
    status = found["status"].values
    lines = []
    means = {
        "outside_unit_interval": "had a closed form outside [0, 1] and was refitted",
        "zero_variance": "has a product that never changes",
        "negative_product": "has covariances that no model of one truth fits",
        "too_few": f"has fewer than {LEAST_EFFECTIVE:g} effective samples of the rarer class",
        "identical": "has two products that never, or always, disagree: copies, or no errors to tell",
    }
    for name, text in means.items():
        hit = int((status == STATUS[name]).sum())
        if hit:
            lines.append(f"{hit} of {status.size} {text} ({name})")
    seen = int((found["n"] + found["dropped"]).sum())
    dropped = int(found["dropped"].sum())
    if dropped > 0:
        lines.append(f"{dropped / seen:.0%} of the samples were dropped, a member being unknown or undecided")
    extreme = int((np.abs(found["b"].values) > IMBALANCE).sum())
    if extreme:
        lines.append(f"{extreme} of {status.size} has |b| > {IMBALANCE:g}: the rarer class is not identified")
    worst = found["r1"].values[np.isfinite(found["r1"].values)].max(initial=0.0)
    if worst > PERSISTENT:
        lines.append(
            f"disagreement persists (r1 up to {worst:.2f}): few samples are independent, and intervals of 90 % may "
            "hold the truth in 86 %"
        )
    if "unreliable" in found and bool(found["unreliable"].any()):
        lines.append(f"{int(found['unreliable'].sum())} of {status.size} has an interval that is unreliable")
    return lines


def _plain(name: str) -> str:
    return str(name).strip().lower()


def _inputs(ds: xr.Dataset) -> list[str]:
    given = ds.attrs.get("inputs", [])
    parts = given.split(",") if isinstance(given, str) else np.atleast_1d(given).tolist()
    return [_plain(p) for p in parts if _plain(p)]


def _ancestors(name: str, made_of: Mapping[str, list[str]]) -> set[str]:
    found: set[str] = set()
    ahead = list(made_of.get(name, []))
    while ahead:
        one = ahead.pop()
        if one not in found:
            found.add(one)
            ahead += made_of.get(one, [])
    return found
