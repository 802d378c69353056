"""Soil, air and skin of stations judged by each other and by the soil: where collocation fails, and how."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from frostline import clock
from frostline.clock import OVERPASS_NAMES, SEASONS
from frostline.config_given import Given, GivenCollocateTable
from frostline.runs import Run, write_json
from frostline.steps.common import load
from frostline.steps.given import stations
from frostline.steps.given_scores import score_sites
from frostline.validate.collocation import collocate as solve
from frostline.validate.collocation import with_intervals
from frostline.validate.collocation_doubts import cautions, preconditions
from frostline.validate.collocation_em import STATUS
from frostline.validate.intervals import bounds, draw_clusters, resample
from frostline.validate.moments import cell_moments, moments

Array = np.ndarray
ENDS = ("psi", "eta", "b")
NAMES = {"psi": "sensitivity", "eta": "specificity"}
CONSTANT = "always thawed"
NEAR = 0.5  # K from the threshold
LAYERS = (
    "soil at 5 cm, air at 1.5 m and the skin are three truths and not three views of one: snow, litter and the heat of "
    "freezing part the soil from the weather, so what collocation calls truth is not the state of the soil"
)


def collocate(experiment: Given, run: Run) -> dict[str, Any]:
    """Collocate soil, air and skin, score air and skin against the soil; `collocation.json`, `scores.json`."""
    records = stations(experiment, run)
    if records is None:
        return {"skipped": "no stations (inputs.uscrn)"}
    table = experiment.collocate
    soil = records["soil"]["frozen"]
    freezes = (soil.sel(overpass=clock.DAILY) > 0.5).any("time").values
    strata = {"all": np.ones(len(freezes), bool)} | ({"freezing": freezes} if freezes.any() else {})
    warnings = [*preconditions(records), LAYERS]
    sums = moments(records, strata=strata)
    cells = cell_moments(records, by=clock.season)
    rows: list[dict[str, Any]] = []
    doubts: list[str] = []
    for part in ("all", *SEASONS):
        here = np.ones(sums.sizes["time"], bool) if part == "all" else clock.season(sums["time"].values) == part
        if not here.any():
            continue
        some = sums.isel(time=here)
        found = with_intervals(
            some,
            solve(some),
            level=table.confidence,
            block=table.block_days,
            resamples=table.resamples,
            seed=table.seed,
        )
        doubts.append(f"{'whole year' if part == 'all' else part}: {'; '.join(cautions(found)) or 'nothing to doubt'}")
        groups = cells.sum("group") if part == "all" else cells.sel(group=part, drop=True)
        for stratum, mask in strata.items():
            rows += _rows(found.sel(stratum=stratum), _by_station(groups, mask, table), part, stratum)
    whole = cells.sum("group")
    alone = solve(whole)["status"]
    dependence = dependences(
        whole,
        "soil",
        ("air", "skin"),
        strata=strata,
        resamples=table.resamples,
        level=table.confidence,
        seed=table.seed,
    )
    result = {
        "sets": [
            {
                "members": list(records),
                "rules": {name: ds.attrs["overpass_rule"] for name, ds in records.items()},
                "confidence": table.confidence,
                "warnings": warnings,
                "cautions": doubts,
                "rows": rows,
                "dependence": dependence,
                "near_threshold": near(experiment, run, records),
                "station_statuses": {
                    OVERPASS_NAMES[int(code)]: {
                        name: int((alone.sel(overpass=code) == value).sum()) for name, value in STATUS.items()
                    }
                    for code in alone["overpass"].values
                },
            }
        ]
    }
    write_json(run.path("collocation.json"), result)
    claims = {name: records[name]["frozen"] for name in ("air", "skin")}
    claims[CONSTANT] = xr.zeros_like(soil)
    scores = score_sites(
        claims,
        soil,
        against="stations",
        strata=strata,
        block=table.block_days,
        resamples=table.resamples,
        seed=table.seed,
    )
    write_json(run.path("scores.json"), scores)
    counts = {"stations": len(freezes), "that_freeze": int(freezes.sum())}
    return {**counts, "rows": len(rows), "scores": len(scores), "doubts": len(warnings) + len(doubts)}


def near(experiment: Given, run: Run, records: Mapping[str, xr.Dataset]) -> dict[str, float]:
    """Share of the soil's values within NEAR of the threshold, where a thermometer is no sharp judge; and their n."""
    kelvin = load(run.path("uscrn.nc"))["soil_mean"].sel(site=records["soil"]["site"])
    n = int(kelvin.notnull().sum())
    share = float((abs(kelvin - experiment.states.threshold) < NEAR).sum()) / n
    return {"within": NEAR, "share": share, "n": n}


def dependences(
    cells: xr.Dataset,
    truth: str,
    members: tuple[str, str],
    *,
    strata: Mapping[str, Array],
    resamples: int,
    level: float,
    seed: int = 0,
) -> list[dict[str, Any]]:
    """How the errors of two members go together given a third that is taken as the truth, by stratum and overpass.

    `cells` are counts of patterns (overpass, site, pattern), `strata` masks (site). Of each state of the truth: n, how
    often each member and both are wrong, and phi, the correlation of the two errors:
    (p_ab - p_a p_b) / sqrt(p_a (1 - p_a) p_b (1 - p_b)); collocation needs 0. `lo`, `hi` hold `level` of the draws of
    whole stations; NaN of a single one.
    """
    says = cells["says"]
    count = cells["count"].transpose("site", "overpass", "pattern").values.astype(float)
    rows = []
    for state, sign in (("frozen", 1), ("thawed", -1)):
        given = (says.sel(product=truth) == sign).values
        wrong = [given & (says.sel(product=m) == -sign).values for m in members]
        for stratum, mask in strata.items():
            inside = np.flatnonzero(mask & (count.sum(axis=(1, 2)) > 0))
            draws = draw_clusters(max(len(inside), 1), resamples=resamples, seed=seed)
            drawn = _errors(np.tensordot(draws, count[inside], axes=1), given, *wrong)[-1] if len(inside) > 1 else None
            whole = _errors(count[inside].sum(axis=0), given, *wrong)
            for j, code in enumerate(cells["overpass"].values):
                n, a, b, both, phi = (float(v[j]) for v in whole)
                row = {"stratum": stratum, "overpass": OVERPASS_NAMES[int(code)], "given": state, "n": round(n)}
                row |= {f"{members[0]}_wrong": a, f"{members[1]}_wrong": b, "both_wrong": both, "phi": phi}
                ends = (np.nan, np.nan) if drawn is None else bounds(drawn[:, j], units=len(inside), level=level)
                rows.append(row | {"lo": float(ends[0]), "hi": float(ends[1])})
    return rows


def _errors(count: Array, given: Array, first: Array, second: Array) -> tuple[Array, ...]:
    """n, the shares wrong of the first, the second and both, and phi, of counts (..., pattern)."""
    n = count[..., given].sum(-1)
    of = np.where(n > 0, n, np.nan)
    a, b, both = (count[..., which].sum(-1) / of for which in (first, second, first & second))
    spread = np.sqrt(a * (1 - a) * b * (1 - b))
    return n, a, b, both, (both - a * b) / np.where(spread > 0, spread, np.nan)


def _by_station(cells: xr.Dataset, mask: Array, table: GivenCollocateTable) -> dict[str, tuple[Array, Array]]:
    """Intervals from drawing whole stations: psi, eta (overpass, product) and b (overpass)."""
    members = np.flatnonzero(mask & (cells["count"].sum(["overpass", "pattern"]).values > 0))
    if len(members) < 2:
        return {}
    draws = draw_clusters(len(members), resamples=table.resamples, seed=table.seed)
    some = cells.isel(site=members).transpose("site", ...)
    drawn = resample(draws, {str(name): v.values for name, v in some.items()})
    dims = {str(name): ("draw", *v.dims[1:]) for name, v in some.items()}
    kept = {str(name): c for name, c in some.coords.items() if "site" not in c.dims}
    ds = xr.Dataset({name: (dims[name], array) for name, array in drawn.items()}, coords=kept)
    found = solve(ds)
    of = {name: found[name].transpose("draw", "overpass", ...).values for name in ENDS}
    return {name: bounds(values, units=len(members), level=table.confidence) for name, values in of.items()}


def _rows(
    found: xr.Dataset, stations_say: Mapping[str, tuple[Array, Array]], part: str, stratum: str
) -> list[dict[str, Any]]:
    """A row a member and overpass; intervals are the wider of days drawn and stations drawn."""
    rows = []
    status = {code: name for name, code in STATUS.items()}
    for j, code in enumerate(found["overpass"].values):
        for i, member in enumerate(found["product"].values):
            one = found.isel(overpass=j, product=i)
            row: dict[str, Any] = {
                "stratum": stratum,
                "season": part,
                "overpass": OVERPASS_NAMES[int(code)],
                "member": str(member),
            }
            for name, said in NAMES.items():
                lo, hi = float(one[f"{name}_lo"]), float(one[f"{name}_hi"])
                if name in stations_say:
                    lo = float(np.fmin(lo, stations_say[name][0][j, i]))
                    hi = float(np.fmax(hi, stations_say[name][1][j, i]))
                known = bool(np.isfinite(one[name]))
                ends = {f"{said}_lo": lo if known else np.nan, f"{said}_hi": hi if known else np.nan}
                row |= {said: float(one[name])} | ends
            row |= {"n": int(one["n"]), "n_effective": float(one["n_effective"]), "dropped": int(one["dropped"])}
            row |= {"status": status[int(one["status"])], "prevalence": (1 + float(one["b"])) / 2, "b": float(one["b"])}
            row |= {"rank": int(one["rank"]), "r1": float(one["r1"]), "unreliable": bool(one["unreliable"])}
            rows.append(row)
    return rows
