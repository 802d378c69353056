"""SMAP freeze/thaw files written by hand after formats.md 1, and the faults of quality.md 6.3."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from frostline.errors import InputError
from frostline.grid import Grid, named
from frostline.read.freeze_thaw import transition
from frostline.read.smap import list_smap, load_smap, read_smap, smap_grids
from frostline.schema import QUALITY, RECORD, STACK, check

NAME = "SMAP_L3_FT_P_20160105_R19240_001.h5"
NAME_E = "SMAP_L3_FT_P_E_20160105_R19240_001.h5"
GROUP = "Freeze_Thaw_Retrieval_Data_"
SIBERIA = named("M36").around(110.0, 60.0, (8, 10))
DAY = np.datetime64("2016-01-05")
EPOCH = np.datetime64("2000-01-01T11:58:55.816")
FILLS = {"u1": 254, "u2": 65534, "f4": -9999.0, "f8": -9999.0}
KINDS = {
    "latitude": "f4",
    "longitude": "f4",
    "freeze_thaw": "u1",
    "retrieval_qual_flag": "u2",
    "surface_flag": "u2",
    "freeze_thaw_time_seconds": "f8",
    "open_water_body_fraction": "f4",
    "altitude_std_dev": "f4",
    "transition_direction": "u1",
}


def fields(window: Grid, *, date: np.datetime64 = DAY) -> dict[str, np.ndarray]:
    """A cold morning: frozen everywhere, seen at 06 and 18 h local time."""
    lon, lat = window.lonlat()
    both = (2, *window.shape)
    minutes = np.stack([((hour - lon / 15.0) * 60.0) % 1440.0 for hour in (6.0, 18.0)])
    seconds = (date - EPOCH) / np.timedelta64(1, "s") + minutes * 60.0
    return {
        "latitude": np.broadcast_to(lat, both).astype("f4"),
        "longitude": np.broadcast_to(lon, both).astype("f4"),
        "freeze_thaw": np.ones(both, "u1"),
        "retrieval_qual_flag": np.full(both, 1, "u2"),
        "surface_flag": np.full(both, 0xF000, "u2"),
        "freeze_thaw_time_seconds": seconds,
        "open_water_body_fraction": np.full(both, 0.03, "f4"),
        "altitude_std_dev": np.full(both, 120.0, "f4"),
        "transition_direction": np.full(window.shape, 250, "u1"),
    }


def granule(
    path: Path,
    window: Grid,
    values: dict[str, np.ndarray],
    *,
    whole: Grid | None = None,
    version: str = "004",
    day: str = "2016-01-05",
) -> Path:
    """The archive's layout with `values` in the window of the group of its grid; the rest is fill."""
    group = "Polar" if window.crs == "EPSG:6931" else "Global"
    whole = whole or named({"Polar": "N36", "Global": "M36"}[group])
    row, col = window.offset(whole)
    with h5py.File(path, "w") as file:
        for name, part in values.items():
            kind = KINDS[name]
            shape = (*part.shape[:-2], *whole.shape)
            v = file.create_dataset(
                f"{GROUP}{group}/{name}",
                shape,
                kind,
                chunks=(*(1,) * (part.ndim - 2), 8, 10),
                compression="gzip",
                fillvalue=np.dtype(kind).type(FILLS[kind]),
            )
            v[..., row : row + window.shape[0], col : col + window.shape[1]] = part
        extent = file.create_group("Metadata/Extent")
        extent.attrs["rangeBeginningDateTime"] = np.bytes_(f"{day}T00:00:00.000Z".encode())
        file.create_group("Metadata/DatasetIdentification").attrs["ECSVersionID"] = np.bytes_(version.encode())
    return path


@pytest.fixture
def cold():
    return fields(SIBERIA)


def test_values_fills_times_and_statics(tmp_path, cold):
    cold["freeze_thaw"][0, 0, :3] = [0, 254, 1]
    cold["freeze_thaw"][1, 0, :3] = [1, 1, 0]
    cold["freeze_thaw_time_seconds"][0, 0, 4] = -9999.0
    cold["altitude_std_dev"][0, 2, 2] = -9999.0  # only the evening pass has it
    cold["open_water_body_fraction"][:, 2, 2] = -9999.0
    ds = read_smap(granule(tmp_path / NAME, SIBERIA, cold), window=SIBERIA)
    check(ds, STACK)
    check(ds[["frozen", "quality", "age"]], RECORD)
    assert ds.frozen.chunks is not None  # lazy
    assert Grid.of(ds) == SIBERIA and ds.time.values[0] == DAY and ds.overpass.values.tolist() == [0, 1]
    am, pm = ds.frozen.values[0]
    assert am[0, 0] == 0 and np.isnan(am[0, 1]) and am[0, 2] == 1
    assert pm[0, :3].tolist() == [1, 1, 0]
    assert transition(ds.frozen.values[0])[0, :4].tolist()[::2] == [1, 2]  # never the dataset, which says 250
    # 06 h local at 110 E is 22:40 UTC, 1360 minutes; 15 degrees of longitude are 60 minutes
    lon = SIBERIA.lonlat()[0]
    assert ds.tb_time.values[0, 0, 1, 1] == pytest.approx((6 - lon[1, 1] / 15) * 60 + 1440, abs=0.01)
    assert np.isnan(ds.tb_time.values[0, 0, 0, 4])
    assert ds.terrain_std.values[2, 2] == 120 and np.isnan(ds.water_fraction.values[2, 2])
    assert ds.water_fraction.values[0, 0] == pytest.approx(0.03)
    assert ds.terrain_std.dims == ("y", "x")


def test_an_hour_by_hand(tmp_path, cold):
    # 2016-01-05 12:00:00 UTC is 5848 days and 64.184 s after the epoch of 2000-01-01 11:58:55.816
    cold["freeze_thaw_time_seconds"][:, 3, 3] = 5848 * 86400 + 64.184
    got = load_smap(granule(tmp_path / NAME, SIBERIA, cold), window=SIBERIA)
    assert got["tb_time"][0, 3, 3] == pytest.approx(720.0, abs=1e-3)


def test_quality_says_why_a_cell_has_no_state(tmp_path, cold):
    codes, own, ground = (cold[k] for k in ("freeze_thaw", "retrieval_qual_flag", "surface_flag"))
    cases = [  # state, own flags, surface flags -> bits
        (254, 0, 0xF000 | 1, "open_water"),
        (254, 2, 0xF000, "open_water"),
        (254, 4, 0xF000, "permanent_ice"),
        (254, 0, 0xF000 | 64, "permanent_ice"),
        (254, 0, 0xF000, "outside_domain"),
        (254, 1, 0xF000, "input_missing"),
        (254, 65534, 65534, "input_missing"),
        (1, 1 | 8, 0xF000, "low_confidence"),
        (1, 1, 0xF000, None),
    ]
    for k, (state, mine, below, _) in enumerate(cases):
        codes[0, 1, k], own[0, 1, k], ground[0, 1, k] = state, mine, below
    got = load_smap(granule(tmp_path / NAME, SIBERIA, cold), window=SIBERIA)
    assert got["quality"][0, 1, : len(cases)].tolist() == [QUALITY.get(name, 0) for *_, name in cases]
    assert got["surface_flags"].max() == 64  # the four top bits mean nothing
    assert got["retrieval_flags"][0, 1, 6] == 0 and got["surface_flags"][0, 1, 6] == 0
    assert np.isnan(got["frozen"][0, 1, :7]).all()


def test_an_older_state_says_its_age(tmp_path, cold):
    cold["freeze_thaw_time_seconds"][:, 0, 0] -= 86400  # seen the day before
    cold["freeze_thaw_time_seconds"][:, 0, 1] -= 3 * 86400
    cold["freeze_thaw"][:, 0, 2] = 254
    got = load_smap(granule(tmp_path / NAME, SIBERIA, cold), window=SIBERIA)
    # 22:40 of the day before is 80 minutes before the file's day, within the half orbit that straddles 00 UTC
    assert got["age"][1, 0, :4].tolist() == [1, 3, 255, 0]
    assert got["quality"][1, 0, :4].tolist() == [1, 1, 32, 0]


def test_the_polar_group_and_a_whole_grid(tmp_path):
    window = named("N36").around(110.0, 60.0, (6, 7))
    path = granule(tmp_path / NAME, window, fields(window))
    got = load_smap(path, window=window)
    assert (got["frozen"] == 1).all()
    whole = read_smap(path)  # the only group there is
    assert Grid.of(whole) == named("N36") and int(whole.frozen.sum()) == 2 * 42
    with pytest.raises(InputError, match="not that of a window in EPSG:6933"):
        load_smap(path, window=SIBERIA)
    assert smap_grids(path) == {"Polar": named("N36")}


def test_harmony_layout(tmp_path, cold):
    name = "296000481_SMAP_L3_FT_P_20160105_R19240_001_subsetted.nc4"
    with h5py.File(tmp_path / name, "w") as file:
        group = file.create_group(GROUP + "Global")
        for key, part in cold.items():
            group[key] = part
        group["x"], group["y"], group["am_pm"] = SIBERIA.x, SIBERIA.y, np.arange(2)
    part = SIBERIA.window(slice(2, 6), slice(1, 9))
    got = load_smap(tmp_path / name, window=part)
    assert got["frozen"].shape == (2, 4, 8) and got["frozen"].all()
    whole = read_smap(tmp_path / name)
    assert Grid.of(whole).geotransform == pytest.approx(SIBERIA.geotransform)
    with pytest.raises(InputError, match="is no part of"):
        load_smap(tmp_path / name, window=named("M36").around(20.0, 60.0, (3, 3)))
    with h5py.File(tmp_path / name, "a") as file:
        file[GROUP + "Global/y"][...] = SIBERIA.y + 18016.0  # half a cell
    with pytest.raises(InputError, match="E-INPUT-GRID"):
        read_smap(tmp_path / name)


def spoiled(folder, cold, change):
    change(cold)
    return granule(folder / NAME, SIBERIA, cold)


@pytest.mark.parametrize(
    ("change", "code", "says"),
    [
        (lambda f: f["freeze_thaw"].__setitem__((0, 0, 0), 252), "E-INPUT-SCHEMA", "252: 1"),
        (lambda f: f["freeze_thaw"].__setitem__((0, 0, 0), 255), "E-INPUT-SCHEMA", "codes outside"),
        (lambda f: f.update(freeze_thaw=1 - f["freeze_thaw"]), "E-INPUT-POLARITY", "January Siberia is 0 % frozen"),
        (lambda f: f.update(latitude=f["latitude"][:, ::-1]), "E-INPUT-GRID", "cells from where"),
        (lambda f: f.update(longitude=f["longitude"] + np.float32(0.187)), "E-INPUT-GRID", "0.501 cells"),
        (
            lambda f: f.update(freeze_thaw_time_seconds=f["freeze_thaw_time_seconds"][::-1]),
            "E-INPUT-TIME",
            "plane 0 was seen at 18 h",
        ),
        (
            lambda f: f.update(freeze_thaw_time_seconds=f["freeze_thaw_time_seconds"] + 86400.0 * 365),
            "E-INPUT-TIME",
            "days from the file's date",
        ),
        (lambda f: f.pop("surface_flag"), "E-INPUT-SCHEMA", "surface_flag"),
        (lambda f: f.pop("freeze_thaw"), "E-INPUT-SCHEMA", "has no freeze_thaw"),
    ],
)
def test_faults(tmp_path, cold, change, code, says):
    with pytest.raises(InputError, match=says) as error:
        load_smap(spoiled(tmp_path, cold, change), window=SIBERIA)
    assert error.value.code == code and NAME in str(error.value)


def test_another_products_name(tmp_path, cold):
    path = granule(tmp_path / NAME_E, SIBERIA, cold)
    with pytest.raises(InputError, match="36 km, those of SPL3FTP_E of 9 km"):
        load_smap(path, window=SIBERIA)
    with pytest.raises(InputError, match="Keep the producer's file name"):
        load_smap(path.rename(tmp_path / "ft.h5"))


def test_date_inside_and_unknown_version(tmp_path, cold):
    path = granule(tmp_path / NAME, SIBERIA, cold, day="2016-01-06")
    with pytest.raises(InputError, match="the name says 2016-01-05, /Metadata/Extent says 2016-01-06"):
        load_smap(path, window=SIBERIA)
    granule(path, SIBERIA, cold, version="007")
    with pytest.warns(UserWarning, match="version 007"):
        load_smap(path, window=SIBERIA)


def test_wrong_size_and_group(tmp_path, cold):
    small = granule(tmp_path / NAME, SIBERIA, cold, whole=SIBERIA)
    with pytest.raises(InputError, match=r"E-INPUT-GRID.*holds 2 x 8 x 10 cells"):
        read_smap(small)
    with h5py.File(small, "w") as file:
        file["Freeze_Thaw_Retrieval_Data/freeze_thaw"] = np.zeros((3, 3))
    with pytest.raises(InputError, match="no group Freeze_Thaw_Retrieval_Data_Global"):
        read_smap(small)
    small.write_text("<!DOCTYPE html>")
    with pytest.raises(InputError, match="E-INPUT-HTML"):
        read_smap(small)


def test_list(tmp_path):
    old, other = "SMAP_L3_FT_P_E_20160105_R18290_001.h5", "SMAP_L3_FT_A_20150501_R13080_001.h5"
    for name in (NAME, NAME_E, old, other, "SMAP_L3_FT_P_E_20150229_R19240_001.h5", "a.qa"):
        (tmp_path / name).touch()
    got = list_smap(tmp_path)
    assert [(f.path.name, f.overpass, f.grid) for f in got] == [(NAME_E, 2, "M09"), (NAME, 2, "M36")]
    assert [f.path.name for f in got.superseded] == [old]
    reasons = {p.name: r for p, r in got.ignored}
    assert reasons["SMAP_L3_FT_P_E_20150229_R19240_001.h5"] == "there is no day 20150229"
    assert "not of SPL3FTP" in reasons[other]


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_code_but_0_and_1_is_ever_a_class(tmp_path, data):
    values = fields(SIBERIA, date=np.datetime64("2016-04-05"))
    seed = data.draw(st.integers(0, 10**6))
    codes = np.random.default_rng(seed).choice([0, 1, 254], values["freeze_thaw"].shape).astype("u1")
    values["freeze_thaw"] = codes
    path = granule(tmp_path / NAME.replace("0105", "0405"), SIBERIA, values, day="2016-04-05")
    frozen = load_smap(path, window=SIBERIA)["frozen"]
    assert (np.isnan(frozen) == (codes == 254)).all()
    assert (frozen[codes < 254] == codes[codes < 254]).all()
