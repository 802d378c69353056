"""The china system's stations: CMA's daily extremes as mornings and afternoons, and the dense networks, with roles."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import xarray as xr

from frostline import labels, schema
from frostline.clock import AM, PM
from frostline.config_china import China
from frostline.errors import InputError
from frostline.grid import Grid
from frostline.read.insitu_cma import NETWORK, read_cma
from frostline.read.insitu_ctp import read_ctp
from frostline.read.insitu_folder import read_folder
from frostline.read.series import NO_VALUE, Problem, Series
from frostline.runs import Run
from frostline.split import station_roles
from frostline.steps.common import roles, split_of
from frostline.steps.places import shallowest
from frostline.steps.refusals import Refuse

Array = np.ndarray
Rule = Literal["damped", "extremes"]
SENSORS = {"daily-min": AM, "daily-max": PM}
RULES = {
    "damped": f"{NETWORK}: 0-7 cm at 06 and 18 h, from daily minimum and maximum at 0 cm as a damped wave; "
    "networks: at 06 and 18 h local solar time",
    "extremes": f"{NETWORK}: AM is the daily minimum, PM the daily maximum at 0 cm; "
    "networks: at 06 and 18 h local solar time",
}
# The daily wave in soil: middle of 0-7 cm (m), diffusivity of moist mineral soil (m2/s; Campbell and Norman 1998,
# chapter 8: .2-.8e-6), and the warmest hour of the surface, which lags noon by two hours
MIDDLE, DIFFUSIVITY, WARMEST = 0.035, 0.5e-6, 14.0
TABLES = ("sites.csv", "sites.parquet")


def sites_of(
    experiment: China, inventory: Mapping[str, Any], grid: Grid, days: Array, run: Run, refuse: Refuse
) -> xr.Dataset | None:
    """All stations on the grid as SITES (time, overpass, site), each with a `role`; None where there are none.

    CMA stations are "train" or "heldout", drawn from the cell's place so that stations of a cell share a role and
    keep it; those in held-out boxes never teach, those in buffers are "buffer", and so are those that would teach in
    a cell with a node of a dense network. Dense networks are "network".
    """
    deepest, threshold = experiment.assemble.max_depth, experiment.assemble.threshold
    extremes: list[Series] = []
    probes: list[Series] = []
    for product, folder in _places(inventory):
        try:
            if product == "cma":
                found, problems = read_cma(folder)
                extremes += found
            elif product == "ctp":
                table = next(folder / name for name in TABLES if (folder / name).exists())
                found, problems = read_ctp(folder, sites=table, depth=(0.0, deepest))
                probes += found
            else:
                found, problems = read_folder(folder)
                probes += [s for s in found if not s.depth > deepest + 1e-6]
        except InputError as error:  # a folder that cannot be used at all: told, the others stay
            run.warn(error)
            continue
        _tell(product, problems, run, refuse)
    rule = experiment.assemble.station_rule
    parts = [daily_extremes(extremes, grid, dates=days, threshold=threshold, rule=rule)] if extremes else []
    if probes:
        parts.append(labels.station_labels(shallowest(probes), grid, dates=days, threshold=threshold))
    parts = [p for p in parts if p.sizes["site"]]
    if not parts:
        return None
    every = sorted({int(code) for p in parts for code in p["overpass"].values})
    sites = xr.concat([p.reindex(overpass=np.array(every, "int8")) for p in parts], "site", combine_attrs="drop")
    sites = schema.coordinates(sites, time=days, overpass=every)
    sites.attrs.update(
        overpass_rule=RULES[rule],
        threshold_kelvin=float(threshold),
        sites_outside_grid=sum(int(p.attrs["sites_outside_grid"]) for p in parts),
    )
    sites = sites.assign_coords(role=("site", _role(experiment, sites, grid)))
    return schema.check(schema.describe(sites), schema.SITES)


def damped_share() -> float:
    """How far from the daily mean 0-7 cm is at 06 and 18 h, as a share of the surface's half range.

    A sine of one day at the surface reaches depth z with exp(-z/d) of its amplitude, z/d radians later, where
    d = sqrt(2 k / w). By hand: d = sqrt(1e-6 / 7.272e-5) = .1173 m, z/d = .2985, exp -> .742, later by 1.140 h; at 18 h
    2.860 h after the warmest: cos(.7487) = .733; .742 x .733 = .544. At 06 h the same below the mean.

    >>> round(damped_share(), 3)
    0.544
    """
    day = 2 * np.pi / 86400.0
    ratio = MIDDLE / np.sqrt(2 * DIFFUSIVITY / day)
    late = 18.0 - WARMEST - ratio * 24.0 / (2 * np.pi)
    return float(np.exp(-ratio) * np.cos(2 * np.pi * late / 24.0))


def daily_extremes(
    series: Sequence[Series], grid: Grid, *, dates: Any, threshold: float, rule: Rule = "damped"
) -> xr.Dataset:
    """A SITES dataset of stations of which each date's minimum and maximum at 0 cm are known.

    `extremes`: AM is the minimum of a date, PM its maximum, as in Cui et al. 2024; the coldest hour is near sunrise and
    the warmest soon after noon, and the surface swings more than the soil below, so it sees frost in the morning and
    thaw in the evening where 0-7 cm has none. `damped`: AM and PM lie `damped_share` of the half range below and above
    the middle of both. Series with other `sensor` names are left out.
    """
    stamps = np.unique(np.asarray(dates, "datetime64[ns]"))
    used = [s for s in series if s.sensor in SENSORS]
    row, _ = grid.locate(np.array([s.lon for s in used]), np.array([s.lat for s in used]))
    kept: dict[str, list[Series]] = {}
    for s, r in zip(used, row, strict=True):
        if r >= 0:
            kept.setdefault(s.site, []).append(s)
    kelvin = np.full((len(stamps), 2, len(kept)), np.nan, np.float32)
    for k, some in enumerate(kept.values()):
        for s in some:
            at = np.searchsorted(stamps, s.times)
            hit = stamps[np.minimum(at, len(stamps) - 1)] == s.times
            kelvin[at[hit], SENSORS[s.sensor], k] = s.temperature[hit]
    if rule == "damped":
        middle, half = (kelvin[:, PM] + kelvin[:, AM]) / 2, (kelvin[:, PM] - kelvin[:, AM]) / 2
        kelvin = np.stack([middle - damped_share() * half, middle + damped_share() * half], axis=1)
    dims, firsts = ("time", "overpass", "site"), [some[0] for some in kept.values()]
    data = {"frozen": (dims, labels.state(kelvin, threshold)), "soil_temperature": (dims, kelvin)}
    ds = schema.coordinates(xr.Dataset(data), time=stamps, overpass=[AM, PM])
    texts = {n: ("site", np.array([getattr(s, n) for s in firsts], str)) for n in ("site", "network")}
    numbers = {n: ("site", np.array([getattr(s, n) for s in firsts], float)) for n in _NUMBERS}
    ds.attrs["sites_outside_grid"] = len({s.site for s in used}) - len(kept)
    return schema.describe(ds.assign_coords(texts | numbers))


_NUMBERS = ("lon", "lat", "elevation", "depth")


def _role(experiment: China, sites: xr.Dataset, grid: Grid) -> Array:
    split, dense = split_of(experiment), sites["network"].values != NETWORK
    assert split is not None
    rows, cols = grid.locate(sites["lon"].values, sites["lat"].values)
    role = station_roles(split, roles(experiment)[1], rows, cols)
    cell = rows * grid.shape[1] + cols
    role = np.where((role == "train") & np.isin(cell, cell[dense]), "buffer", role)  # a node judges there
    return np.where(dense, "network", role)


def _places(inventory: Mapping[str, Any]) -> list[tuple[str, Path]]:
    """CMA's folder; of dense networks every folder that has a table of sites."""
    found = [("cma", Path(inventory["cma"]["place"]))] if "cma" in inventory else []
    for product in ("ctp", "networks"):
        paths = [Path(row[0]) for row in inventory.get(product, {"files": []})["files"]]
        found += [(product, p.parent) for p in sorted(paths) if p.name in TABLES]
    return list(dict.fromkeys(found))


def _tell(product: str, problems: Sequence[Problem], run: Run, refuse: Refuse) -> None:
    """Files that could not be used are refused; what was left out of the others is told in one line."""
    kept: list[InputError] = []
    for problem in problems:
        code, cause = re.fullmatch(r"(?:(E-\S+) )?(.*)", problem.reason, re.S).groups()  # type: ignore[union-attr]
        error = InputError(code or "E-INPUT-TEXT", where=problem.path, cause=cause, remedy="the rest is kept")
        if problem.fatal and problem.reason != NO_VALUE:
            refuse(product, problem.path, error)
        else:
            kept.append(error)
    if kept:
        more = f" ({len(kept) - 1} more such lines of {product} stations)" if len(kept) > 1 else ""
        run.warn(f"{kept[0]}{more}")
