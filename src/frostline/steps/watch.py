"""What watches a run for leaks: refuses it, or marks all it makes, and shows what an overlap would have flattered."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from frostline import store
from frostline.config_china import China
from frostline.config_north import North
from frostline.errors import InputError
from frostline.grid import Grid
from frostline.leaks import JUDGES, CellDays, Rectangle, days_in, placed, rectangles, shared_stations, touch
from frostline.learn.checkpoint import load as load_checkpoint
from frostline.learn.checkpoint import same_cells
from frostline.report import Sheet
from frostline.runs import Run, finished
from frostline.steps.common import days_of, grid_of, load, roles, split_of
from frostline.steps.findings import number
from frostline.words import NAMES, shown

Rows = Sequence[Mapping[str, Any]]
REMEDY = "leave one side out, or go on with --allow-leak, which marks every output"
LET = "Leak let through by --allow-leak"
STAMP = "LEAK: training and evaluation touch (--allow-leak)"
AGAINST = ("truth", "reanalysis", "stations")
UNTAUGHT = ("reanalysis", "persistence")  # learnt on no day, so what changes between days is the days' own
BESIDE = ("smap", "esdr", "climatology_truth")  # not of the run's learning


def watch(experiment: North | China, run: Run) -> list[str]:
    """The leaks of a run, one line each; E-LEAK where there is one, unless `run.allow_leak`, which tells them."""
    return _judge(found(experiment, run), run)


def watch_stations(experiment: North | China, run: Run) -> list[str]:
    """The same of the stations alone, which can be known before hours of training."""
    return _judge(_station_leaks(experiment, run), run)


def found(experiment: North | China, run: Run) -> list[str]:
    """Every leak of a run, one line each: what the split and the checkpoints teach on, against what is judged.

    Judged are all cells on held-out days, and held-out blocks on the days of the other roles. Taught are the split's
    training and validation, and what each checkpoint says of itself, wherever it was trained (leaks.touch); stations
    by their roles (leaks.shared_stations), and by the cells that taught a checkpoint.
    """
    split, grid = split_of(experiment), grid_of(experiment)
    if split is None or experiment.train is None:
        return []  # nothing is taught
    lines = _station_leaks(experiment, run)
    days, (day_role, cell_role) = days_of(experiment).astype("datetime64[D]"), roles(experiment)
    everywhere: tuple[Rectangle, ...] = ((0, 0, *grid.shape),)
    judged = [CellDays("held-out days", days[day_role == "heldout"], everywhere)]
    if (blocks := rectangles(cell_role == "heldout")) != ():
        judged.append(CellDays("held-out blocks", days[np.isin(day_role, ("train", "validation"))], blocks))
    chosen = "validation" if (cell_role == "validation").any() else "train"
    taught = [
        CellDays("split", days[day_role == "train"], rectangles(cell_role == "train")),
        CellDays("split", days[day_role == "validation"], rectangles(cell_role == chosen)),
    ]
    for name in _nets(experiment, run):
        folder = run.path("checkpoints", name)
        if folder.exists():
            checkpoint = load_checkpoint(folder)
            card, facts = checkpoint.provenance, checkpoint.grid
            taught += _of_card(name, card, facts, grid)
            lines += _station_cells(name, card, facts, grid, run)
            if not any(part.name == f"checkpoint {name}" for part in taught):
                lines.append(f"checkpoint {name} does not say on which days it was trained")
    for one in taught:
        for other in judged:
            if (leak := touch(one, other, buffer_days=split.buffer_days, buffer_cells=split.buffer_cells)) is not None:
                near = f"are within {split.buffer_days} days and {split.buffer_cells} cells of its training"
                what = f"{leak.shared} taught it" if leak.shared else f"{leak.near} {near}"
                lines.append(
                    f"{one.name}: of the cell-days of {other.name} {what}, first {leak.day} in cell {leak.cell}"
                )
    return lines


def attrs(experiment: North | China, run: Run) -> dict[str, str]:
    """What a record of a run with leaks carries: `leak`, all of them in one text."""
    lines = found(experiment, run)
    return {"leak": "; ".join(lines)} if lines else {}


def marked(rows: Iterable[dict[str, Any]], leaks: Sequence[str]) -> list[dict[str, Any]]:
    """Rows as scores.json has them: each with `leak` where there is any, and no value that has no interval.

    A score that does not know how far it can be trusted (too few days for a bootstrap) is not told: null.
    """
    untold = {key: None for key in ("value", "lo", "hi", "skill")}
    whole = [row if np.isfinite([row["lo"], row["hi"]]).all() else row | untold for row in rows]
    return [row | {"leak": True} if leaks else row for row in whole]


def notes(leaks: Sequence[str]) -> dict[str, Any]:
    """What the step that scores leaves in the ledger, for those who draw and report."""
    return {"leaks": list(leaks)} if leaks else {}


def told(run: Run) -> list[str]:
    """The leaks that the scores of a run were made with."""
    entry = finished(run, "validate")
    return list(entry["notes"].get("leaks", [])) if entry is not None else []


def warnings(run: Run) -> list[str]:
    """The leaks as the report's first warnings."""
    return [f"{LET}, no score is to be believed: {line}" for line in told(run)]


def stamped(drawn: list[tuple[str, Any, str]], run: Run) -> list[tuple[str, Any, str]]:
    """Figures and captions, each marked where the scores were made with a leak."""
    if not told(run):
        return drawn
    for _, figure, _ in drawn:
        figure.text(0.005, 0.995, STAMP, ha="left", va="top", color="crimson", fontsize=9, weight="bold", zorder=100)
    return [(name, figure, f"{LET}. {caption}") for name, figure, caption in drawn]


def flattery(rows: Rows) -> list[dict[str, Any]]:
    """How much better records do on training days than on held-out ones, in the area that taught; of `scores.json`.

    A row for each record that learnt, truth, and AM and PM (further fused records left out): `taught` and `heldout`,
    the rows of accuracy; `gain`, their difference in points with lo, hi; `days`, the same of a record that never learnt
    (`by`), which is what the days themselves did; `beyond`, gain minus days: what an evaluation on training days would
    have flattered. Intervals are those of `difference`, which takes the scores as independent; here they hang together
    (same days, same stations), so the intervals are too wide rather than too narrow. None where a part is not known.
    """
    table = {
        (r["record"], r["against"], r["overpass"], r["stratum"], r["split"]): r
        for r in rows
        if r["score"] == "accuracy" and shown(r)
    }
    area = "area:trained" if any(key[3] == "area:trained" for key in table) else "all"
    out = []
    for record, against, overpass, stratum, split in table:
        if split != "heldout" or stratum != area or against not in AGAINST or overpass not in ("am", "pm"):
            continue
        if record in (*UNTAUGHT, *BESIDE) or record.startswith("fused_"):
            continue
        pair = [table.get((record, against, overpass, area, s)) for s in ("train", "heldout")]
        if pair[0] is None or pair[1] is None:
            continue
        by, still = None, None
        for other in UNTAUGHT:
            two = [table.get((other, against, overpass, area, s)) for s in ("train", "heldout")]
            if still is None and two[0] is not None and two[1] is not None:
                by, still = other, two
        own = beyond = None
        if still is not None:
            own = difference([(1, still[0]), (-1, still[1])])
            beyond = difference([(1, pair[0]), (-1, pair[1]), (-1, still[0]), (1, still[1])])
        out.append(
            {"record": record, "against": against, "overpass": overpass, "taught": pair[0], "heldout": pair[1]}
            | {"gain": difference([(1, pair[0]), (-1, pair[1])]), "by": by, "days": own, "beyond": beyond}
        )
    return out


def difference(parts: Sequence[tuple[int, Mapping[str, Any] | None]]) -> dict[str, float]:
    """A sum of signed scores in points, with an interval from theirs and the smallest n.

    MOVER (Newcombe 1998 for two scores, Zou & Donner 2008 for more): on each side the squared distances from values
    to limits add up, as if the scores were independent. By hand: .95 in .92...97 minus .90 in .86...94 is 5 points,
    from 5 - 100 sqrt(.03^2 + .04^2) = 0 to 5 + 100 sqrt(.02^2 + .04^2) = 9.47.

    >>> train = {"value": 0.95, "lo": 0.92, "hi": 0.97, "n": 9}
    >>> heldout = {"value": 0.90, "lo": 0.86, "hi": 0.94, "n": 4}
    >>> {k: round(v, 2) for k, v in difference([(1, train), (-1, heldout)]).items()}
    {'value': 5.0, 'lo': 0.0, 'hi': 9.47, 'n': 4}
    """
    known = [(sign, row) for sign, row in parts if row is not None]
    value = sum(sign * row["value"] for sign, row in known)
    below = sum((row["value"] - row["lo" if sign > 0 else "hi"]) ** 2 for sign, row in known) ** 0.5
    above = sum((row["value"] - row["hi" if sign > 0 else "lo"]) ** 2 for sign, row in known) ** 0.5
    least = min(row["n"] for _, row in known)
    return {"value": 100 * value, "lo": 100 * (value - below), "hi": 100 * (value + above), "n": least}


def sheets(rows: Rows) -> list[Sheet]:
    """The report's table of `flattery`, if anything is known of it."""
    skill = {
        (r["record"], r["against"], r["overpass"], r["stratum"]): r
        for r in rows
        if r["score"] == "brier_skill" and r["split"] == "heldout"
    }
    lines = []
    for row in flattery(rows):
        where = (row["record"], row["against"], row["overpass"], row["heldout"]["stratum"])
        points = [number(row[k], digits=1, sign=True) for k in ("gain", "days", "beyond")]
        scores = [number(row["taught"]), number(row["heldout"]), number(skill.get(where))]
        counts = [f"{row[k]['n']:,.0f}" for k in ("taught", "heldout")]
        who = [NAMES.get(row[k], row[k]) for k in ("against", "record")]
        lines.append([*who, row["overpass"].upper(), *scores, *points, *counts])
    if not lines:
        return []
    note = (
        "Accuracy in the area that taught, on the days that taught and on held-out days. Their difference in points is "
        "partly the days' own: some years, and some seasons that one side has more of, are easier. What it is for "
        f"{' or '.join(NAMES.get(n, n) for n in UNTAUGHT)}, which learnt on no day, is taken off; the rest is what an "
        "evaluation that overlaps its training would have flattered the record. Climatologies learnt too. Intervals "
        "treat the scores as independent, so they are rather too wide; one that holds 0 shows no flattery."
    )
    head = ["judged by", "record", "pass", "training days", "held-out days", "Brier skill, held-out days"]
    head += ["difference", "the days' own", "flattery, points", "n training", "n held-out"]
    return [Sheet("What an overlapping evaluation would have flattered", note, head, lines)]


def _judge(lines: list[str], run: Run) -> list[str]:
    if lines and not run.allow_leak:
        more = f" (and {len(lines) - 1} more)" if len(lines) > 1 else ""
        raise InputError("E-LEAK", cause=f"{lines[0]}{more}", remedy=REMEDY)
    for line in lines:
        run.warn(f"{LET}: {line}")
    return lines


def _station_leaks(experiment: North | China, run: Run) -> list[str]:
    """Stations that teach and judge, a line a pair."""
    if not run.path("sites.nc").exists():
        return []
    sites = load(run.path("sites.nc"))
    names = {n: sites[n].values.astype(str) for n in ("site", "network", "role")}
    places = {n: sites[n].values for n in ("lon", "lat")}
    row, col = grid_of(experiment).locate(places["lon"], places["lat"])
    split = split_of(experiment)
    buffer = split.station_buffer if split is not None else 0
    pairs = shared_stations(**names, **places, row=row, col=col, buffer_cells=buffer)
    told_as = [f"{n}/{s}" for n, s in zip(names["network"], names["site"], strict=True)]
    return [f"stations {told_as[a]}, which teaches, and {told_as[b]}, which judges, {why}" for a, b, why in pairs]


def _nets(experiment: North | China, run: Run) -> list[str]:
    """The networks whose records the run judges."""
    from frostline.steps import emulators, model  # both ask this module

    if isinstance(experiment, North):
        table = experiment.train
        return [m for n in model.nets(table) for m in model.members(table, n)] if table is not None else []
    return list(emulators.nets(experiment, store.open_store(run.path("stack.zarr"))["overpass"].values))


def _of_card(name: str, card: Mapping[str, Any], facts: Mapping[str, Any] | None, grid: Grid) -> list[CellDays]:
    """What a checkpoint was trained on and chosen by, on this grid.

    An older card knows only its first and last day: all between them and all its window count. Cells of another
    projection or size count everywhere.
    """
    spans = {role: card.get(f"{role}_spans") for role in ("train", "validation")}
    if spans["train"] is None and "train_first" in card:
        spans["train"] = [[card["train_first"], card["train_last"]]]
    out = []
    for role, some in spans.items():
        if some:
            area = card.get(f"{role}_area", {}).get("rectangles")
            cells = _on(grid, facts, area) or ((0, 0, *grid.shape),)
            out.append(CellDays(f"checkpoint {name}", days_in(some), cells))
    return out


def _on(grid: Grid, facts: Mapping[str, Any] | None, area: Sequence[Sequence[int]] | None) -> tuple[Rectangle, ...]:
    """Rectangles of a checkpoint's window (none: all of it) in rows and columns of a grid; empty if not comparable."""
    if facts is None or not same_cells(facts, {"crs": grid.crs, "step": grid.step}):
        return ()
    rows, cols = (grid.top - facts["top"]) / grid.step, (facts["left"] - grid.left) / grid.step
    return placed(area or [(0, 0, *facts["shape"])], rows=rows, cols=cols)


def _station_cells(
    name: str, card: Mapping[str, Any], facts: Mapping[str, Any] | None, grid: Grid, run: Run
) -> list[str]:
    """A line where stations judge in cells whose stations taught a checkpoint."""
    area = card.get("station_area", {}).get("rectangles")
    if not area or not run.path("sites.nc").exists():
        return []
    sites = load(run.path("sites.nc"))
    rows, cols = grid.locate(sites["lon"].values, sites["lat"].values)
    judges = np.isin(sites["role"].values, JUDGES) & (rows >= 0)
    inside = np.zeros(len(rows), bool)
    for top, left, bottom, right in _on(grid, facts, area):
        inside |= (rows >= top) & (rows < bottom) & (cols >= left) & (cols < right)
    some = sites["site"].values[judges & inside].astype(str)
    if not len(some):
        return []
    return [f"checkpoint {name}: {len(some)} stations judge in cells whose stations taught it, {some[0]} among them"]
