"""The steps for eyes: figures, the report, and files for others."""

from __future__ import annotations

import shutil
from typing import Any

import numpy as np
import xarray as xr

from frostline import charts, store, tally
from frostline import export as exports
from frostline.config_china import China
from frostline.config_north import North
from frostline.report import write_report
from frostline.runs import Run, finished, read_json
from frostline.steps import areas, classic_rows, outage, panels, phenology, shelf, sites_seen, watch, yearly
from frostline.steps.assumptions import assumptions
from frostline.steps.common import days_of, grid_of, load, roles
from frostline.steps.evidence import as_record, claims
from frostline.steps.gallery import Drawn, hang, made_with
from frostline.steps.model import record_path
from frostline.steps.seasonal import seasonal
from frostline.words import NAMES

BINS = np.linspace(0.0, 1.0, 11)


def draw(experiment: North, run: Run) -> dict[str, Any]:
    """Every figure as a PNG in `figures/`."""
    return hang(run, all_figures(experiment, run))


def report(experiment: North, run: Run) -> dict[str, Any]:
    """The one HTML file: figures, scores with n and intervals, the experiment, what is stated and what assumed."""
    drawn = all_figures(experiment, run)
    scores = read_json(run.path("scores.json")) if run.path("scores.json").exists() else []
    path = write_report(
        run.path("report.html"),
        title=experiment.title,
        experiment=experiment.model_dump(by_alias=True, exclude_none=True),
        figures=[(figure, caption) for _, figure, caption in drawn],
        scores=[row for row in scores if not outage.apart(row)],
        tables=[
            *classic_rows.sheets(scores),
            *outage.sheets(scores),
            *phenology.sheets(run),
            *watch.sheets(scores),
            *areas.sheets(run),
            *yearly.sheets(experiment, run),
        ],
        assumptions=assumptions(experiment),
        summary=_summary(experiment, run),
        warnings=_warnings(experiment, run),
        twin=experiment.twin is not None,
        made_with=made_with(),
    )
    return {"path": str(path), "bytes": path.stat().st_size}


def export(experiment: North | China, run: Run) -> dict[str, Any]:
    """The record as yearly CF netCDF files, and chosen days as Cloud Optimized GeoTIFFs."""
    table = experiment.export
    folder = run.path("export")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    counts = {"netcdf": 0, "cog": 0}
    options: dict[str, Any] = {"polarity": table.polarity, "combined": table.combined}
    if isinstance(experiment, North):
        made = panels.records(experiment, run)
    else:
        made = {"fused": store.open_store(shelf.record_path(run, "fused"))}
    for name, record in made.items():
        ds = record.assign_attrs(experiment=experiment.title)  # a new title asks for no new record
        if table.netcdf:
            counts["netcdf"] += len(exports.to_netcdf(ds, folder, name=name, **options))
            counts["netcdf"] += yearly.quality_files(experiment, run, name, ds, folder)
        for first, last in table.cog:
            days = ds.sel(time=slice(first, last))
            counts["cog"] += len(exports.to_cog(days, folder, name=name, **options))
    return counts


def all_figures(experiment: North, run: Run) -> Drawn:
    """The figures that the run's results allow, in the order of the report."""
    drawn = [*panels.study_area(experiment, run), *panels.maps(experiment, run)]
    if experiment.validate_ is not None:
        drawn += _scores(experiment, run)
    if experiment.train is not None:
        drawn += _series(experiment, run)
        drawn += sites_seen.points(experiment, run)
    drawn += seasonal(experiment, run)
    drawn += areas.figures(experiment, run, panels.note(experiment)) + yearly.figures(experiment, run)
    return watch.stamped(drawn + panels.beside(experiment, run), run)


def _scores(experiment: North, run: Run) -> Drawn:
    rows = read_json(run.path("scores.json"))
    note = panels.note(experiment)
    truth = "truth" if any(r["against"] == "truth" for r in rows) else "reanalysis"
    areas = [a for a in ("area:trained", "area:heldout") if any(r["stratum"] == a for r in rows)] or ["all"]
    drawn: Drawn = [
        (
            "scores",
            charts.score_points(rows, against=truth, strata=areas, note=note),
            "Accuracy in the held-out years, with 95 % intervals and n.",
        )
    ]
    if not run.path("truth.zarr").exists() or experiment.train is None:
        return drawn
    unet = store.open_store(record_path(run, "unet"), chunks={})["frozen"]
    known = as_record(store.open_store(run.path("truth.zarr"), chunks={})["truth"], grid_of(experiment))["frozen"]
    held = roles(experiment)[0] == "heldout"
    unet, known = unet.isel(time=held), known.isel(time=held)
    everywhere = {"all": np.ones(unet.shape[2:], bool)}
    seasons = charts.confusion_by_season(tally.tally(unet, known, strata=everywhere), note=note)
    drawn.append(("confusion", seasons, "Right and wrong cell-days of the held-out year by season and overpass."))
    curve = _reliability(unet, known)
    drawn.append(("reliability", charts.reliability({"unet": curve}, note=note), "Said and seen, with counts."))
    return drawn


def _reliability(claim: xr.DataArray, truth: xr.DataArray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean probability, share frozen and n of ten bins, summed a month at a time."""
    said, was, n = (np.zeros(len(BINS) - 1) for _ in range(3))
    for start in range(0, claim.sizes["time"], 32):
        part = {"time": slice(start, start + 32)}
        p, t = claim.isel(part).values.ravel(), truth.isel(part).values.ravel()
        ok = np.isfinite(p) & np.isfinite(t)
        at = np.clip(np.digitize(p[ok], BINS) - 1, 0, len(n) - 1)
        n += np.bincount(at, minlength=len(n))
        said += np.bincount(at, p[ok], len(n))
        was += np.bincount(at, t[ok], len(n))
    some = np.where(n > 0, n, np.nan)
    return said / some, was / some, n


def _series(experiment: North, run: Run) -> Drawn:
    """Share of frozen land through the held-out days, and one station that never taught."""
    note, drawn = panels.note(experiment), []
    held = roles(experiment)[0] == "heldout"
    time = days_of(experiment)[held]
    if not len(time):
        return []
    records = claims(experiment, run)
    main: tuple[str, ...] = ("unet", "reanalysis", "climatology")
    shown = {k: records[k] for k in main if k in records}
    if run.path("truth.zarr").exists():
        known = store.open_store(run.path("truth.zarr"), chunks={})["truth"]
        shown["truth"] = as_record(known, grid_of(experiment))
    shares = {k: _frozen_share(ds["frozen"].isel(overpass=0, time=held)) for k, ds in shown.items()}
    chart = charts.frozen_share(time, shares, title="Frozen land, morning overpass", note=note)
    drawn.append(("frozen_share", chart, "Frozen share of the land through the held-out period."))
    if run.path("sites.nc").exists():
        sites = load(run.path("sites.nc"))
        counts = np.isfinite(sites["frozen"].sel(time=time, overpass=0).values).sum(0)
        counts[sites["role"].values != "heldout"] = -1
        best = int(np.argmax(counts))
        if counts[best] > 0:
            drawn.append(_station(experiment, run, sites, best, time, note))
    return drawn


def _frozen_share(frozen: xr.DataArray) -> np.ndarray:
    state = (frozen > 0.5).where(frozen.notnull())
    return state.mean(["y", "x"]).values


def _station(
    experiment: North, run: Run, sites: xr.Dataset, site: int, time: np.ndarray, note: str
) -> tuple[str, Any, str]:
    one = sites.isel(site=site).sel(time=time, overpass=0)
    row, col = (int(v) for v in grid_of(experiment).locate(one["lon"].item(), one["lat"].item()))
    cell = {"y": row, "x": col, "overpass": 0}
    unet = store.open_store(record_path(run, "unet"))["frozen"].isel(cell).sel(time=time)
    truth = None
    if run.path("truth.zarr").exists():
        truth = store.open_store(run.path("truth.zarr"))["truth"].isel(cell).sel(time=time).values
    figure = charts.station_series(
        time,
        unet.values,
        soil_temperature=one["soil_temperature"].values,
        station_frozen=one["frozen"].values,
        truth=truth,
        name=str(one["site"].item()),
        note=note,
    )
    return "station", figure, "A station that never taught: its thermometer, and the record in its cell (morning)."


def _summary(experiment: North, run: Run) -> str:
    """What the record is, where and when; one paragraph a thought."""
    days, grid = days_of(experiment), grid_of(experiment)
    lat = grid.lonlat()[1][store.open_store(run.path("stack.zarr"))["land"].values == 1]
    where = f", land from {lat.min():.0f} to {lat.max():.0f} degrees north" if lat.size else ""
    text = (
        f"{grid.shape[0]} x {grid.shape[1]} cells of {experiment.grid.name}{where}; "
        f"{str(days[0])[:10]} to {str(days[-1])[:10]}, morning and evening."
    )
    if experiment.predict.method == "reanalysis":
        hours = {"utc": "6 and 18 h UTC", "observed": "the minutes at which SMAP looked, else at 6 and 18 h local time"}
        at = hours.get(experiment.labels.time, "6 and 18 h local solar time")
        text += (
            "\n\nThe record is the reanalysis' own soil: frozen where it is colder than "
            f"{experiment.labels.threshold} K at {at}. A cell is known only where its hour lies between two fields "
            "of the files; the rest is unknown, and nothing is carried over from another day."
        )
    if (told := yearly.resolution(experiment, run)) is not None:
        text += f"\n\nEffective resolution of the record: {told}. Blur that steepens all scales is not seen in it."
    if experiment.twin is not None:
        text += (
            "\n\nEverything here was made on the twin Earth: a synthetic world on a true coast, whose true state is "
            "known. The files it was made from are in the agencies' own layouts; no number says anything about "
            "real satellites."
        )
    return text


def _warnings(experiment: North, run: Run) -> list[str]:
    """What a reader must know before believing: broken inputs, days without files, what was skipped."""
    out = watch.warnings(run)
    inventory = read_json(run.path("inventory.json"))
    for product, entry in inventory.items():
        if broken := entry["bad"] | entry["unreadable"]:
            out.append(f"{product}: {len(broken)} broken files were left out")
        if entry["missing_days"]:
            out.append(f"{product}: {len(entry['missing_days'])} days without any file")
    if experiment.validate_ is None:
        why = "the experiment asks for none"
        if experiment.predict.method == "reanalysis":
            why = "the record is the reanalysis itself, and no measurement of its own days is among the inputs"
        out.append(f"No scores: {why}.")
    if experiment.report.picture is not None:
        out.append("The SMAP map is undated and of another season: it is shown beside the record, never scored.")
    entry = finished(run, "validate")
    for name, why in (entry["notes"].get("classics_without_scores", {}) if entry is not None else {}).items():
        out.append(f"{NAMES.get(name, name)} has no score: {why}")
    if finished(run, "validate") is None and experiment.validate_ is not None:
        out.append("The scores are of an earlier run.")
    return out
