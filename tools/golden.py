"""Compare a finished run of one seed with the values that it gave before: tests/golden/demo_<system>.json.

    python tools/golden.py runs/demo
    python tools/golden.py runs/demo_china
    python tools/golden.py runs/demo --write     after a change that is meant; say in its commit what it moved

What is compared can be read: means of the twin's truth, of every predictor and label, accuracy and Brier score of the
records against the truth, collocation of the agencies' labels, season days, the truth's trend. Each value stands beside
the tolerance within which another processor may differ: little where only sums are behind it, .01 where a net is.
"""

import argparse
import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from frostline import store
from frostline.clock import OVERPASS_NAMES
from frostline.runs import read_json, write_json
from frostline.scores import frozen_accuracy, thawed_accuracy
from frostline.tally import tally
from frostline.validate.collocation_em import closed_form
from frostline.validate.moments import moments

FOLDER = Path(__file__).resolve().parent.parent / "tests" / "golden"
BLOCK = 256  # days read at once
PLAIN = ("climatology", "climatology_truth", "persistence", "reanalysis", "recalibrated", "smap", "esdr")
LABELS = ("label_smap", "label_esdr", "label_reanalysis")
# tolerance by what is compared: shares, K, other units in proportion, scores without and with a net, days, days a year
SHARE, KELVIN, RELATIVE, SCORE, NET, DAYS, SLOPE = 2e-3, 0.05, 1e-3, 3e-3, 1e-2, 0.3, 0.02
Golden = dict[str, list[float]]  # name -> value, tolerance; what is unknown is left out


def measured(run: Path, *, nets: bool = True) -> Golden:
    """The values of a run folder; without `nets` those alone that no training is behind."""
    found: Golden = {}
    for name, value in means(run / "truth.zarr"):
        found[f"truth: {name}"] = [value, _close(name, value)]
    for name, value in means(run / "stack.zarr"):
        found[f"stack: {name}"] = [value, _close(name, value)]
    if (run / "scores.json").exists():
        found |= accuracies(read_json(run / "scores.json"), nets=nets)
    stack = store.open_store(run / "stack.zarr")
    found |= right(stack, store.open_store(run / "truth.zarr"))
    if set(LABELS) <= set(stack.data_vars):
        found |= collocated(stack)
    for path in sorted(run.glob("seasons_*.nc")):
        record = path.stem.removeprefix("seasons_")
        if nets or record in ("truth", "reanalysis", "smap", "esdr"):
            found |= season_days(path, record, net=record not in ("truth", "reanalysis", "smap", "esdr"))
    if (run / "trends.json").exists():
        found |= slopes(read_json(run / "trends.json")["rows"])
    return {name: pair for name, pair in found.items() if pair[0] is not None and math.isfinite(pair[0])}


def means(path: Path) -> Iterator[tuple[str, float | None]]:
    """Mean of each variable of a store, of each overpass where it has these, and the share of it that is known."""
    ds = store.open_store(path)
    for name in sorted(map(str, ds.data_vars)):
        field = ds[name]
        if "time" not in field.dims:
            yield name, _mean(field.values)
            continue
        sums, counts, size = np.zeros(2), np.zeros(2), 0
        for start in range(0, field.sizes["time"], BLOCK):
            block = field[start : start + BLOCK].transpose("overpass", ...).values.astype(float)
            if name.startswith("age_"):
                block[block == 255] = np.nan
            sums += np.nansum(block.reshape(len(block), -1), axis=1)
            counts += np.isfinite(block).reshape(len(block), -1).sum(axis=1)
            size += block[0].size
        for code in range(2):
            of = f"{name}, {OVERPASS_NAMES[code]}"
            yield of, float(sums[code] / counts[code]) if counts[code] else None
            yield f"{of}, share known", float(counts[code] / size)


def accuracies(rows: list[Mapping[str, Any]], *, nets: bool) -> Golden:
    """Accuracy and Brier score of every record against the twin's truth in the held-out year, all cells."""
    found: Golden = {}
    for row in rows:
        place = (row["against"], row["split"], row["stratum"])
        if place != ("truth", "heldout", "all") or row["score"] not in ("accuracy", "brier") or "@" in row["record"]:
            continue
        plain = row["record"] in PLAIN
        if plain or nets:
            name = f"{row['score']} of {row['record']}, {row['overpass']}"
            found[name] = [row["value"], SCORE if plain else NET]
            found["cell-days compared, " + row["overpass"]] = [row["n"], 1e-3 * (row["n"] or 0)]
    return found


def right(stack: xr.Dataset, truth: xr.Dataset) -> Golden:
    """Share of frozen cell-days, and of thawed ones, whose label is right: a turned label, day or row would move it."""
    found: Golden = {}
    for name in sorted({*LABELS, "label_station"} & set(map(str, stack.data_vars))):
        sums = None
        for start in range(0, stack.sizes["time"], BLOCK):
            days = slice(start, start + BLOCK)
            part = tally(stack[name][days].load(), truth["truth"][days].load()).sum(("time", "stratum"))
            sums = part if sums is None else sums + part
        for code in range(2):
            for score in (frozen_accuracy, thawed_accuracy):
                value = float(score(sums.isel(overpass=code)))
                found[f"{score.__name__} of {name}, {OVERPASS_NAMES[code]}"] = [value, SCORE]
    return found


def collocated(stack: xr.Dataset) -> Golden:
    """Collocation of the agencies' labels and the reanalysis, which no net had a part in; no gate hides small samples.

    Nothing is known here of how sure it is: the values are to stay what they are, not to be believed.
    """
    records = {name: stack[[name]].rename({name: "frozen"}) for name in LABELS}
    count = moments(records)["count"].isel(stratum=0).sum("time").transpose("overpass", "pattern")
    found: Golden = {}
    for code in range(2):
        half, each = OVERPASS_NAMES[code], count.values[code]
        solved = closed_form(each)
        found[f"collocation: samples, {half}"] = [float(each.sum()), RELATIVE * float(each.sum())]
        found[f"collocation: b, {half}"] = [float(solved["b"]), 2 * SCORE]
        for i, name in enumerate(LABELS):
            for score in ("psi", "eta"):
                found[f"collocation: {score} of {name}, {half}"] = [float(solved[score][i]), 2 * SCORE]
    return found


def season_days(path: Path, record: str, *, net: bool) -> Golden:
    """Mean frozen days, days seen, onset and offset of all known cells and years."""
    with xr.open_dataset(path, engine="h5netcdf") as ds:
        names = ("frozen_days", "days_seen", "onset", "offset", "length")
        return {
            f"seasons of {record}: {name}": [_mean(ds[name].values.astype(float)), DAYS * (10 if net else 1)]
            for name in names
        }


def slopes(rows: list[Mapping[str, Any]]) -> Golden:
    """The truth's and the reanalysis' trend of the whole region, days a year, with its interval."""
    found: Golden = {}
    for row in rows:
        if row["group"] == "all" and row["record"] in ("truth", "reanalysis"):
            for name in ("slope", "lo", "hi", "mean"):
                tolerance = DAYS if name == "mean" else SLOPE
                found[f"trend of {row['record']}, {row['overpass']}: {name}"] = [row[name], tolerance]
    return found


def differences(found: Golden, wanted: Golden) -> list[str]:
    """What differs, one line each: values that left their tolerance, that are new, that are gone.

    >>> differences({"a": [1.0, 0.1], "b": [5.0, 0.1]}, {"a": [1.3, 0.1], "c": [2.0, 0.1]})
    ['a: 1, was 1.3 (tolerance 0.1)', 'c: gone, was 2', 'b: new, 5']
    """
    lines = []
    for name, (was, tolerance) in wanted.items():
        if name not in found:
            lines.append(f"{name}: gone, was {was:.6g}")
        elif not abs(found[name][0] - was) <= tolerance:
            lines.append(f"{name}: {found[name][0]:.6g}, was {was:.6g} (tolerance {tolerance:g})")
    return lines + [f"{name}: new, {value:.6g}" for name, (value, _) in found.items() if name not in wanted]


def check(found: Golden, path: Path, *, write: bool = False) -> list[str]:
    """The differences from a golden file, or that there is none; with `write` the file is made anew, and says so."""
    lines = differences(found, read_json(path)) if path.exists() else [f"{path.name}: there is no golden file"]
    if write:
        path.parent.mkdir(exist_ok=True)
        write_json(path, {name: [_short(value) for value in pair] for name, pair in found.items()})
        _one_a_line(path)
    return lines


def main() -> None:
    """Compare one run with the golden values of its system."""
    ask = argparse.ArgumentParser(description="compare a finished demo with its golden values")
    ask.add_argument("run", type=Path, help="run folder of seed 1")
    ask.add_argument("--write", action="store_true", help="take this run's values as golden")
    got = ask.parse_args()
    system = "china" if "label_smap" in store.open_store(got.run / "stack.zarr") else "north"
    path = FOLDER / f"demo_{system}.json"
    found = measured(got.run)
    lines = check(found, path, write=got.write)
    print("\n".join(lines) if lines else f"{len(found)} values are those of {path.name}")
    if lines and not got.write:
        raise SystemExit(1)


def _close(name: str, value: float | None) -> float:
    """Tolerance of a mean: of shares and states, else in proportion to it."""
    if "share" in name or "label" in name or "truth" in name or value is None:
        return SHARE
    return KELVIN if "temperature" in name or name.startswith("tb_") else max(RELATIVE * abs(value), 1e-6)


def _mean(values: Any) -> float | None:
    values = np.asarray(values, float)
    known = np.isfinite(values)
    return float(values[known].mean()) if known.any() else None


def _short(value: float) -> float:
    return float(f"{value:.6g}")


def _one_a_line(path: Path) -> None:
    """A value to a line, so that a change of one is a change of one line."""
    lines = [f"  {json.dumps(name)}: {json.dumps(pair)}" for name, pair in read_json(path).items()]
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
