"""SMAP freeze/thaw files of the twin: the official schema, the hand-written text, places and surprises."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from frostline.errors import ConfigError
from frostline.grid import Grid, named
from frostline.read.smap import list_smap, load_smap, read_smap, read_smap_static, smap_grids
from frostline.twin import write_smap
from test_twin_write_cdl import FILES, literal, parse, type_of

DAP = "{http://xml.opendap.org/ns/DAP/4.0#}"
DAP_TYPES = {"Float32": "f4", "Float64": "f8", "Byte": "u1", "UInt16": "u2", "String": "S13"}
PLATEAU = named("M09").around(95.0, 35.0, (20, 30))
GROUPS = ("Freeze_Thaw_Retrieval_Data_Global", "Freeze_Thaw_Retrieval_Data_Polar")


def arrays(window: Grid, seed: int = 1) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    lon, both = window.lonlat()[0], (2, *window.shape)
    frozen = (rng.random(both) < 0.7).astype("f4")
    frozen[rng.random(both) < 0.2] = np.nan
    minutes = np.stack([((hour - lon / 15.0) * 60.0) % 1440.0 for hour in (6.0, 18.0)])
    minutes[np.isnan(frozen) & (rng.random(both) < 0.5)] = np.nan
    return {
        "frozen": frozen,
        "minutes": minutes,
        "water_fraction": rng.choice([0.0, 0.03, 0.2, 0.9], window.shape),
        "elevation": rng.uniform(-30.0, 5000.0, window.shape).round(),
        "terrain_std": rng.uniform(0.0, 600.0, window.shape).round(),
        "land_cover": rng.choice([10, 15, 16], window.shape),
        "mitigated": rng.random(both) < 0.1,
    }


def written(folder: Path, window: Grid = PLATEAU, date: str = "2016-04-05", seed: int = 1, **changes) -> Path:
    return write_smap.write(folder, date=date, window=window, **{**arrays(window, seed), **changes})


def dump(group: h5py.Group, km: int) -> dict[str, str]:
    """CDL statements of a group, sizes and names of the resolution written as in the text."""
    out = {}
    rows, cols = group["freeze_thaw"].shape[1:]
    for name, v in group.items():
        shape = ", ".join({rows: "ROWS"}.get(n, str(n)) for n in v.shape[:-1]) + ", COLS"
        assert v.shape[-1] == cols
        out[f"{type_of(v.dtype)} {name}({shape})"] = ""
        if "_FillValue" in v.attrs:
            assert v.attrs["_FillValue"] == v.fillvalue
        elif v.dtype.kind != "S":
            out[f"{name}:fill"] = literal(v.fillvalue)
        for key, value in v.attrs.items():
            text = literal(value).replace(group.name.strip("/"), "GROUP").replace(f"{km}_km", "KM_km")
            out[f"{name}:{key}"] = text
    return out


def single(text: str) -> str:
    """-999999.875f as its float32 is written."""
    return literal(np.float32(text[:-1])) if re.fullmatch(r"-?[\d.]+f", text) else text


@pytest.mark.parametrize(("grid", "km"), [("M09", 9), ("N36", 36)])
def test_cdl(tmp_path, grid, km):
    path = written(tmp_path, named(grid).around(95.0, 35.0, (8, 8)), "2015-04-03")
    wanted = {k: single(v) for k, v in parse(FILES / "smap_ft.cdl").items() if not k.startswith("dim ")}
    if km == 9:
        assert f"hdf5 {path.stem} {{" in (FILES / "smap_ft.cdl").read_text()
    with h5py.File(path) as file:
        assert sorted(file) == [*GROUPS, "Metadata"]
        for group in GROUPS:
            dumped = dump(file[group], km)
            assert sorted(dumped) == sorted(wanted)
            assert not {k: (dumped[k], v) for k, v in wanted.items() if v not in ("*", dumped[k])}
            assert not any(v.is_scale or any(len(d) for d in v.dims) for v in file[group].values())


@pytest.mark.real
@pytest.mark.parametrize(("schema", "grid"), [("SPL3FTP_E_example.dmr.xml", "M09"), ("SC_SPL3FTP_004.dmr", "M36")])
def test_the_official_schema(real_data, tmp_path, schema, grid):
    root = ET.parse(real_data(f"smap_l3_ft_nasa_harmony/{schema}")).getroot()
    path = written(tmp_path, named(grid).around(95.0, 35.0, (8, 8)), "2015-04-03")
    free = {"long_name"}  # prose is ours
    with h5py.File(path) as file:
        for part in root.findall(f"{DAP}Group"):
            name = part.get("name")
            if name not in GROUPS:
                continue
            true = {v.get("name"): v for v in part if v.tag.removeprefix(DAP) in DAP_TYPES}
            assert len(true) == 28 and sorted(true) == sorted(file[name])
            for key, v in true.items():
                ours = file[name][key]
                assert ours.dtype == DAP_TYPES[v.tag.removeprefix(DAP)], key
                assert [d.get("size") for d in v.findall(f"{DAP}Dim")] == [str(n) for n in ours.shape], key
                attrs = {a.get("name"): a for a in v.findall(f"{DAP}Attribute")}
                assert sorted(attrs) == sorted(ours.attrs), key
                for label, a in attrs.items():
                    kind, text = a.get("type"), a.find(f"{DAP}Value").text
                    value = ours.attrs[label]
                    if kind == "String":
                        assert label in free or value.decode() == text, (key, label)
                    else:
                        assert value.dtype == DAP_TYPES[kind] and value == value.dtype.type(float(text)), (key, label)
        known = {}

        def gather(group, where):
            known.update(
                {f"{where}@{a.get('name')}": a.find(f"{DAP}Value").text for a in group.findall(f"{DAP}Attribute")}
            )
            for inner in group.findall(f"{DAP}Group"):
                gather(inner, f"{where}/{inner.get('name')}")

        gather(next(g for g in root.findall(f"{DAP}Group") if g.get("name") == "Metadata"), "Metadata")
        ours = {}
        file["Metadata"].visititems(lambda n, g: ours.update({f"Metadata/{n}@{k}": v for k, v in g.attrs.items()}))
        # which day and who made it are ours
        for key in ("originatorOrganizationName", "fileName", "rangeBeginningDateTime", "rangeEndingDateTime"):
            ours = {k: v for k, v in ours.items() if not k.endswith(key)}
        assert len(ours) == 24 and set(ours) <= set(known)
        wrong = {
            k: (v, known[k])
            for k, v in ours.items()
            if (v.decode() != known[k] if isinstance(v, bytes) else float(v) != float(np.float32(known[k])))
        }
        assert not wrong


@pytest.mark.parametrize("grid", ["M09", "N09", "M36", "N36"])
@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 999))
def test_the_reader_gives_back_what_was_written(tmp_path, grid, seed):
    window = named(grid).around(95.0, 35.0, (11, 13))
    date = np.datetime64("2016-02-29") + seed % 28
    given_, path = arrays(window, seed), written(tmp_path, window, str(date), seed)
    back = load_smap(path, window=window)
    seen = np.isfinite(given_["minutes"])
    np.testing.assert_array_equal(back["frozen"], np.where(seen, given_["frozen"], np.nan))
    np.testing.assert_allclose(back["tb_time"], given_["minutes"], atol=1e-4)
    some = seen.any(axis=0)
    for name in ("terrain_std", "water_fraction"):
        np.testing.assert_allclose(back[name], np.where(some, given_[name], np.nan), rtol=1e-6)
    statics = read_smap_static(path, window=window)
    np.testing.assert_array_equal(statics.land_cover, np.where(some, given_["land_cover"], np.nan))
    np.testing.assert_array_equal(statics.elevation, np.where(some, given_["elevation"], np.nan))
    mitigated = (back["retrieval_flags"] & 16) > 0
    np.testing.assert_array_equal(mitigated, given_["mitigated"] & seen)
    (found,) = [f for f in list_smap(tmp_path) if f.path == path]
    assert found.date == date and found.grid == ("M09" if grid.endswith("09") else "M36")
    if grid != "M36":
        return
    row, col = window.offset(named(grid))
    whole = read_smap(path).frozen
    np.testing.assert_array_equal(whole.values[0, :, row : row + 11, col : col + 13], back["frozen"])
    assert int(whole.notnull().sum()) == int((np.isfinite(given_["frozen"]) & seen).sum())


@pytest.mark.real
def test_a_real_map_goes_through_the_archives_layout(real_data, tmp_path):
    rasterio = pytest.importorskip("rasterio")
    grid = named("M36")
    with rasterio.open(real_data("smap_l3_ft_nasa_harmony/SMAP_L3_FT_P_fill_uint_input.tif")) as file:
        codes = file.read(1)
    frozen = np.where(codes == 254, np.nan, codes).astype("f4")
    options = {**arrays(grid), "frozen": np.stack([frozen, frozen])}
    options["minutes"] = np.nan_to_num(options["minutes"], nan=600.0)
    path = write_smap.write(tmp_path, date="2016-04-05", window=grid, **options)
    back = load_smap(path)
    assert [int((back["frozen"][0] == k).sum()) for k in (0, 1)] == [32352, 16790]
    np.testing.assert_array_equal(back["frozen"][1], frozen)


def test_both_groups_have_their_size_and_one_has_chunks(tmp_path):
    path = written(tmp_path)
    with h5py.File(path) as file:
        full, empty = (file[g] for g in GROUPS)
        assert full["freeze_thaw"].shape == (2, 1624, 3856) and empty["freeze_thaw"].shape == (2, 2000, 2000)
        assert 2 <= full["freeze_thaw"].id.get_num_chunks() <= 8
        assert full["tbv_mean"].id.get_num_chunks() == 0
        assert all(v.id.get_num_chunks() == 0 for v in empty.values())
        assert full["freeze_thaw"][0, 0, 0] == 254 and empty["latitude"][0, 0, 0] == -9999
    assert path.stat().st_size < 250_000
    assert smap_grids(path) == {"Global": named("M09"), "Polar": named("N09")}


def test_surprises_of_real_files(tmp_path):
    row, col = PLATEAU.offset(named("M09"))
    given_ = arrays(PLATEAU)
    box = np.s_[..., row : row + 20, col : col + 30]
    with h5py.File(written(tmp_path)) as file:
        data = {name: v[box] for name, v in file[GROUPS[0]].items()}
    seen, known = np.isfinite(given_["minutes"]), np.isfinite(given_["frozen"]).all(axis=0)
    assert ((data["surface_flag"][seen] & 0xF000) == 0xF000).all()
    assert (data["surface_flag"][~seen] == 65534).all()
    assert (data["latitude"][~seen] == -9999).all() and (data["latitude"][seen] > 30).all()
    water = known & (given_["water_fraction"] == 0.9)
    assert (data["transition_direction"][water] == 250).all()
    assert set(np.unique(data["transition_direction"])) == {0, 1, 2, 3, 250, 254}
    assert (data["EASE_row_index"][0][seen[0]] == (row + np.indices((20, 30))[0])[seen[0]]).all()
    k = tuple(np.argwhere(seen[1])[0])
    hours = data["freeze_thaw_time_seconds"][1][k] - (
        np.datetime64("2016-04-05") - np.datetime64("2000-01-01T11:58:55.816")
    ) / np.timedelta64(1, "s")
    text = data["freeze_thaw_time_utc"][1][k].decode()
    assert re.fullmatch(r"\d\d:\d\d:\d\d\.\d{3}Z", text)
    assert int(text[:2]) * 3600 + int(text[3:5]) * 60 + float(text[6:12]) == pytest.approx(hours, abs=1e-3)


def test_twice_the_same_bytes(tmp_path):
    first = written(tmp_path / "a").read_bytes()
    write_smap._template.cache_clear()
    written(tmp_path / "b", date="2017-06-01")
    assert written(tmp_path / "b").read_bytes() == first


def test_names_by_hand():
    assert write_smap.file_name("2016-12-31") == "SMAP_L3_FT_P_E_20161231_R19240_001.h5"
    assert write_smap.file_name("2016-12-31", km=36, version="v3").startswith("SMAP_L3_FT_P_20161231_R")


def test_refusals(tmp_path):
    with pytest.raises(ConfigError, match="no grid of SMAP"):
        written(tmp_path, named("ML25").around(95.0, 35.0, (8, 8)))
    with pytest.raises(ConfigError, match="beside 0 and 1"):
        written(tmp_path, frozen=np.full((2, 20, 30), 0.5))
    assert list(tmp_path.iterdir()) == []
