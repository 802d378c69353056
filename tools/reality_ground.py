"""Parts of tools/reality.py that march the twin's soil under real weather: USCRN stations and the GIPL site."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from reality_common import KEPT, Part, Row, mean_of, over_days, scored, trace

from frostline.clock import month
from frostline.read.gipl import DEPTHS, read_gipl
from frostline.read.insitu_uscrn import read_uscrn_days
from frostline.read.uscrn_rain import read_uscrn_rain
from frostline.season import yearly
from frostline.twin import driven, weather

Array = np.ndarray
ZERO = 273.15
FREEZING = 10  # measured frozen days from which a station counts as one that freezes
SNOW_RICH = 75.0  # mm of precipitation on days below 0 degC, in the year
AUTUMN = (8, 9, 10, 11, 12)
BUILDS = {"as built": None, "light snow kept": KEPT}


def uscrn(data: Path) -> Part:
    """Stations of 2020: the twin's 5 cm soil under their air and precipitation against the measured one."""
    place = data / "uscrn_daily_2020" / "crn_2020.parquet"
    days, _ = read_uscrn_days(place)
    rain = read_uscrn_rain(place).sel(site=days["site"].values)
    good = (days["soil_mean"].notnull().sum("time") >= 300) & (days["air_minimum"].notnull().sum("time") >= 348)
    keep = np.flatnonzero(good)
    days, rain = days.isel(site=keep), rain.isel(site=keep).fillna(0.0).values
    low, high = (_filled(days[n].values - ZERO) for n in ("air_minimum", "air_maximum"))
    high = np.maximum(high, low)
    dates = days["time"].values.astype("datetime64[D]")
    latitude = days["lat"].values
    climate = driven.climate_of(dates, low, high, latitude=latitude)
    cells = driven.middle_cells(latitude, climate=climate, arid=driven.aridity(rain.mean(0)))
    borrowed = np.flatnonzero(dates >= np.datetime64("2020-07-01"))  # this year's autumn stands for the last one's
    order = np.concatenate([borrowed, np.arange(len(dates))])
    marched = np.arange(dates[0] - len(borrowed), dates[-1] + 1)
    made = {}
    for name, mm in BUILDS.items():
        with trace(1.0 if mm is None else mm):
            out = driven.drive(cells, marched, air_min=low[order], air_max=high[order], rain=rain[order])
        made[name] = out.isel(time=slice(len(borrowed), None))
    measured = days["soil_mean"].values - ZERO
    truth = np.where(np.isfinite(measured), measured < 0, np.nan)
    air = (0.5 * (low + high) < 0).astype(float)
    frosts = np.nansum(truth, 0)
    snowy = np.where(0.5 * (low + high) < 0, rain, 0.0).sum(0) >= SNOW_RICH
    freezes = frosts >= FREEZING
    strata = {
        "all stations": frosts >= 0,
        "stations that freeze": freezes,
        "of these snow-rich": freezes & snowy,
        "of these snow-poor": freezes & ~snowy,
    }
    rows: dict[str, list[Row]] = {}
    kept: dict[str, Any] = {"month": month(dates), "freezes": freezes, "snowy": snowy, "frosts": frosts, "air": air}
    for name, out in made.items():
        soil = out["soil_temperature"].values[:, 0] - ZERO
        claim, ice = (soil < 0).astype(float), (out["frozen"].values.mean(1) > 0.5).astype(float)
        table = rows.setdefault(f"USCRN 2020, twin {name}", [])
        for stratum, s in strata.items():
            part = {"against": air[:, s], "of": "air < 0 °C"}
            table.append(scored(f"accuracy, {stratum}", claim[:, s], truth[:, s], **part))
            table.append(scored(f"frozen accuracy, {stratum}", claim[:, s], truth[:, s], score="frozen_accuracy"))
            table.append(scored(f"thawed accuracy, {stratum}", claim[:, s], truth[:, s], score="thawed_accuracy"))
        s = freezes
        late = dates >= np.datetime64("2020-07-01")
        part = {"against": air[late][:, s], "of": "air < 0 °C"}
        autumn = "accuracy, July-December, stations that freeze"
        table.append(scored(autumn, claim[late][:, s], truth[late][:, s], **part))
        part = {"against": air[:, s], "of": "air < 0 °C"}
        table.append(scored("accuracy of the ice share, stations that freeze", ice[:, s], truth[:, s], **part))
        table.append(scored("MCC, stations that freeze", claim[:, s], truth[:, s], score="mcc"))
        excess = np.where(np.isfinite(truth), claim - truth, 0.0).sum(0)
        winter = np.isin(month(dates), (12, 1, 2))
        summer = np.isin(month(dates), (6, 7, 8))
        bias, warm = (np.nanmean((soil - measured)[at], 0) for at in (winter, summer))
        coldest = np.nanmin(soil, 0) - np.nanmin(measured, 0)
        begun, ended = ([f(c, dates) - f(truth, dates) for c in (claim, air)] for f in (_onset, _end))
        for stratum in list(strata)[1:]:
            s = strata[stratum]
            table += [
                mean_of(f"frozen days, twin - measured, {stratum}", excess[s]),
                mean_of(f"onset in autumn, twin - measured, days, {stratum}", begun[0][s]),
                mean_of(f"onset, mean absolute error, days, {stratum}", abs(begun[0][s])),
                mean_of(f"onset of air < 0 °C, mean absolute error, days, {stratum}", abs(begun[1][s])),
                mean_of(f"end in spring, twin - measured, days, {stratum}", ended[0][s]),
                mean_of(f"5 cm in winter, twin - measured, K, {stratum}", bias[s]),
                mean_of(f"5 cm in summer, twin - measured, K, {stratum}", warm[s]),
                mean_of(f"coldest day at 5 cm, twin - measured, K, {stratum}", coldest[s]),
            ]
        kept[name] = {"claim": claim, "days": claim.sum(0), "onset": begun[0]}
    kept["truth"] = truth
    return Part(rows, _stations(days, kept, freezes, snowy, truth), kept)


def gipl(data: Path) -> Part:
    """The Alaskan site: the twin under its air and measured snow depth, against the ground at 12 depths."""
    site = read_gipl(data / "gipl_alaska_site")
    air = site["air_temperature"].values.astype(float) - ZERO
    number = site["day"].values
    # no dates: the air's annual wave is laid on the twin's, whose peak is day 200
    angle = 2.0 * np.pi * number / 365.25
    fit = np.linalg.lstsq(np.stack([np.ones_like(angle), np.cos(angle), np.sin(angle)], 1), air, rcond=None)[0]
    peak = float(np.arctan2(fit[2], fit[1]) * 365.25 / (2.0 * np.pi))
    first = np.datetime64("2001-07-19") - round(peak) + 1
    dates = first + np.arange(len(air))
    latitude = np.array([70.0])  # Alaska's northern coast, as its cold says; the place is not given
    arid = driven.recipe_aridity(latitude)
    climate = driven.climate_of(dates, air[:, None], air[:, None], latitude=latitude)
    climate = weather.Climate(climate.mean, climate.amplitude, (13.0 + 5.0 * arid).astype(np.float32), *_rest(climate))
    half = _half_range(climate, dates)
    cells = driven.middle_cells(latitude, climate=climate, arid=arid)
    days = weather.daily_weather((1, 1), cell_km=9.0, seed=1, first=first)
    rain = np.stack([next(days).precipitation for _ in dates]) * (1.25 - 1.05 * arid)
    ground = site["ground_temperature"].values.astype(float) - ZERO
    snow = site["snow_depth"].values[:, None].astype(float)
    used = np.arange(len(air)) >= 30  # the first month forgets how the column was begun
    rows: dict[str, list[Row]] = {}
    drawn: dict[str, Any] = {"dates": dates, "ground": ground, "depths": DEPTHS, "snow": snow[:, 0]}
    for name, mm in {**BUILDS, "no snow": None}.items():
        with trace(1.0 if mm is None else mm):
            out = driven.drive(
                cells, dates, air_min=air[:, None] - half, air_max=air[:, None] + half, rain=rain,
                snow_depth=snow * (name != "no snow"), depths=DEPTHS,
            )  # fmt: skip
        soil = out["soil_temperature"].values[:, :, 0] - ZERO
        drawn[name] = {"soil": soil, "snow": out["snow_depth"].values[:, 0]}
        table = rows.setdefault(f"GIPL site, twin {name}", [])
        for k in (0, 1, 3, 7, 11):
            d, winter = f"{DEPTHS[k]:.3f} m", used & np.isin(month(dates), (12, 1, 2))
            right = ((soil[:, k] < 0) == (ground[:, k] < 0)).astype(float)
            if k < 11:  # the deepest never thaws
                row = over_days(f"accuracy, {d}", right[used], dates[used])
                table.append(row._replace(skill=_over_air(right, air, ground[:, k], used)))
            table += [
                over_days(f"error, K, root mean square, {d}", (soil - ground)[used, k], dates[used], root=True),
                over_days(f"bias in winter, K, {d}", (soil - ground)[winter, k], dates[winter]),
            ]
        depth = (drawn[name]["snow"] - snow[:, 0])[winter]
        table.append(over_days("snow depth, twin - measured, m, winter", depth, dates[winter]))
    deepest = [np.array(DEPTHS)[(g > 0).any(0)].max(initial=0.0) for g in (ground, drawn["as built"]["soil"])]
    text = (
        f"Deepest sensor that thaws: measured {deepest[0]:.3f} m, twin {deepest[1]:.3f} m. Day 1 is taken as {first}."
    )
    return Part(rows, text, drawn)


def _over_air(right: Array, air: Array, ground: Array, used: Array) -> str:
    wrong = ((air < 0) != (ground < 0))[used].mean()
    return f"{1.0 - (1.0 - right[used].mean()) / wrong:.2f} over air < 0 °C" if wrong else "-"


def _rest(climate: weather.Climate) -> tuple[Array, Array]:
    return climate.latitude, climate.forest


def _half_range(climate: weather.Climate, dates: Array) -> Array:
    """Half the daily range that the twin has under half a cloudy sky, (time, N)."""
    season = np.array([weather.season(d) for d in dates])[:, None]
    return 0.5 * climate.daily_range * (1.05 - 0.75 * 0.5) * (0.55 + 0.25 * (1.0 + season))


def _filled(values: Array) -> Array:
    """Unknown days between known ones on a straight line, (time, N)."""
    out, t = values.astype(float), np.arange(len(values))
    for k in range(out.shape[1]):
        known = np.isfinite(out[:, k])
        out[:, k] = np.interp(t, t[known], out[known, k])
    return out


def _onset(states: Array, dates: Array) -> Array:
    """Day of the frost year on which the first season of three frozen days begins, NaN none, (N,)."""
    late = dates >= np.datetime64("2020-08-01")
    record = xr.Dataset(
        {"frozen": (("time", "overpass", "site"), states[late][:, None].astype(np.float32))},
        coords={"time": dates[late].astype("datetime64[ns]"), "overpass": np.array([2], np.int8)},
    )
    (year,) = yearly(record, rule="3days", months=AUTUMN)
    return year["onset"].values[0, 0].astype(float)


def _end(states: Array, dates: Array) -> Array:
    """Day of the year after the last three frozen days from January to July, NaN none, (N,)."""
    early = states[dates < np.datetime64("2020-08-01")] == 1
    three = early[:-2] & early[1:-1] & early[2:]
    last = len(three) - 1 - np.argmax(three[::-1], 0)
    return np.where(three.any(0), last + 3.0, np.nan)


def _stations(days: xr.Dataset, kept: dict[str, Any], freezes: Array, snowy: Array, truth: Array) -> str:
    """A line for each station that freezes."""
    lines = ["| WBAN | lat | snow | frozen days measured | twin | accuracy twin | air < 0 °C | onset error, days |"]
    lines.append("|---|---|---|---|---|---|---|---|")
    for k in sorted(np.flatnonzero(freezes), key=lambda k: -kept["frosts"][k]):
        known = np.isfinite(truth[:, k])
        right = [(c[known, k] == truth[known, k]).mean() for c in (kept["as built"]["claim"], kept["air"])]
        onset = kept["as built"]["onset"][k]
        late = f"{onset:+.0f}" if np.isfinite(onset) else "-"
        lines.append(
            f"| {days['site'].values[k]} | {days['lat'].values[k]:.1f} | {'rich' if snowy[k] else 'poor'} | "
            f"{kept['frosts'][k]:.0f} | {kept['as built']['days'][k]:.0f} | {right[0]:.3f} | {right[1]:.3f} | {late} |"
        )
    return "\n".join(lines)
