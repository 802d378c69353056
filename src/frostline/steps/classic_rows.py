"""Scores of the classic algorithms, each on its own common sample, and the report's table of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import xarray as xr

from frostline.config_north import ValidateTable
from frostline.report import Sheet
from frostline.scores import SCORES
from frostline.steps.classics import CLASSICS
from frostline.steps.findings import number
from frostline.validate.rows import evaluate
from frostline.words import NAMES, shown

BESIDE = ("unet", "climatology", "reanalysis")  # who shares the sample of each
DIFFERENCE = "accuracy_difference"
Rows = Sequence[Mapping[str, Any]]


def rows(
    made: Mapping[str, xr.Dataset],
    records: Mapping[str, xr.Dataset],
    truth: tuple[str, xr.Dataset],
    *,
    days: Mapping[str, xr.DataArray],
    strata: Mapping[str, Any],
    table: ValidateTable,
) -> list[dict[str, Any]]:
    """Held-out rows of each classic in `made`, and of `unet-<name>`, against a named truth.

    Each is scored on the cell-days that it, the net, the climatology and the reanalysis know: an algorithm that knows a
    third of them must not take the others' sample away. The rows of those beside it on that sample are not kept, since
    they have rows of their own; the paired difference is the fair comparison. A row without a cell-day is left out.
    """
    against, reference = truth
    beside = {name: records[name] for name in BESIDE if name in records and name != against}
    out: list[dict[str, Any]] = []
    for name, record in made.items() if "heldout" in days else ():
        if "not_made" in record.attrs:
            continue
        found = evaluate(
            {name: record} | beside,
            {against: reference},
            days={"heldout": days["heldout"]},
            strata=strata,
            scores=SCORES,
            differences=[("unet", name)] if "unet" in beside else [],
            block=table.block_days,
            resamples=table.resamples,
            level=table.confidence,
            seed=table.seed,
        )
        out += [row for row in found if row["record"] in (name, f"unet-{name}") and row["n"]]
    return out


def notes(made: Mapping[str, xr.Dataset], scored: Rows) -> dict[str, Any]:
    """Classics that no row is of, with the reason where they could not be made: for the ledger and the report."""
    found = {row["record"] for row in scored}
    lost = {n: str(ds.attrs.get("not_made", "no held-out cell-day")) for n, ds in made.items() if n not in found}
    return {"classics_without_scores": lost} if lost else {}


def is_classic(record: str) -> bool:
    """Whether a name of scores.json is a classic algorithm's or a tree's.

    >>> is_classic("msta"), is_classic("tree_mine"), is_classic("unet"), is_classic("unet-msta")
    (True, True, False, False)
    """
    return record in CLASSICS or record.startswith("tree_")


def sheets(scored: Rows) -> list[Sheet]:
    """The report's table of classics: accuracy and skill on their own cell-days, coverage, how far the net is ahead."""
    kept = [r for r in scored if r["split"] == "heldout" and shown(r)]
    table = {(r["record"], r["against"], r["overpass"], r["stratum"], r["score"]): r for r in kept}
    area = "area:trained" if any(key[3] == "area:trained" for key in table) else "all"
    lines = []
    for record, against, overpass, stratum, score in table:
        if score != "accuracy" or stratum != area or not is_classic(record) or against == "truth_t0":
            continue
        where = (against, overpass, stratum)
        own, skill, cover = (table.get((record, *where, s)) for s in ("accuracy", "brier_skill", "coverage"))
        ahead = table.get((f"unet-{record}", *where, DIFFERENCE))
        who = [NAMES.get(key, key) for key in (against, record)]
        told = [number(own), number(skill), number(cover), number(ahead, scale=100, digits=1, sign=True)]
        lines.append([*who, overpass.upper(), *told, f"{table[record, *where, score]['n']:,.0f}"])
    if not lines:
        return []
    note = (
        f"Held-out days, {NAMES.get(area, area)}. Each algorithm is scored on the cell-days that it, the net, the "
        "climatology and the reanalysis all know; coverage is the share of the truth's cell-days that leaves. Samples "
        "differ, so accuracies must not be compared from line to line or with the net's own: the last but one column "
        "is the net's accuracy less the algorithm's on the cell-days that both know, in points. Parameters come from "
        "training days only, but for the yearly thresholds of MSTA and single-channel V, which each year gives itself "
        "without labels. A skill of states 0 and 1 is lower than that of probabilities that are as right."
    )
    head = ["judged by", "algorithm", "pass", "accuracy", "Brier skill", "coverage", "U-Net ahead, points", "n"]
    return [Sheet("Classic algorithms", note, head, lines)]
