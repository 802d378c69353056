"""NSIDC-0477 files written by hand after formats.md 2, and the faults of quality.md 6.3."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from frostline.errors import InputError
from frostline.grid import Grid, named
from frostline.read.esdr import list_esdr, load_esdr, read_esdr, satellite
from frostline.schema import QUALITY, RECORD, check

ML25 = named("ML25")
WINDOW = ML25.around(100.0, 35.0, (6, 8))
AM, PM, CO = (f"SSMI_37V_{p}_FT_1993_day060_v05.1.h5" for p in ("AM", "PM", "CO"))  # 1 March


def write(
    path: Path,
    codes: np.ndarray,
    *,
    window: Grid = WINDOW,
    flags: np.ndarray | None = None,
    shift: float = 0.0,
    shape: tuple[int, int] = ML25.shape,
    name: str = "ft_status",
) -> Path:
    row, col = window.offset(ML25)
    box = np.s_[row : row + window.shape[0], col : col + window.shape[1]]
    lon, lat = ML25.lonlat()
    with h5py.File(path, "w") as file:
        for key, part, fill in ((name, codes, 255), ("ft_qc", flags, 0)):
            if part is not None:
                v = file.create_dataset(key, shape, "u1", chunks=(50, 50), fillvalue=fill)
                v[box] = part
        file["cell_lat"], file["cell_lon"] = lat.astype("f4"), (lon + shift).astype("f4")
        file.create_group("Metadata")
    return path


def tiff(path: Path, codes: np.ndarray, *, left=ML25.left, top=ML25.top, step=ML25.step, crs="EPSG:3410") -> Path:
    rasterio = pytest.importorskip("rasterio")
    whole = np.full(ML25.shape, 255, "u1")
    row, col = WINDOW.offset(ML25)
    whole[row : row + 6, col : col + 8] = codes
    transform = rasterio.transform.Affine(step, 0, left, 0, -step, top)
    size = {"height": 586, "width": 1383, "count": 1, "dtype": "uint8"}
    with rasterio.open(path, "w", driver="GTiff", transform=transform, crs=crs, **size) as file:
        file.write(whole, 1)
    return path


@pytest.fixture
def codes():
    """Frozen, thawed, and the four reasons for neither."""
    values = np.tile(np.array([0, 1], "u1"), 24).reshape(6, 8)
    values[0, :4] = [252, 253, 254, 255]
    return values


def test_zero_is_frozen_and_the_rest_is_unknown(tmp_path, codes):
    for name, overpass in ((AM, 0), (PM, 1)):
        ds = check(read_esdr(write(tmp_path / name, codes), window=WINDOW), RECORD)
        assert ds.frozen.chunks is not None  # lazy
        assert ds.overpass.values.tolist() == [overpass]
        assert ds.time.values[0] == np.datetime64("1993-03-01")  # day 60 of a year without 29 February
        assert Grid.of(ds) == WINDOW
        frozen = ds.frozen.values[0, 0]
        assert frozen.dtype == np.float32
        assert np.isnan(frozen[0, :4]).all() and np.isfinite(frozen).sum() == 44
        assert (frozen[1, 0], frozen[1, 1]) == (1, 0)  # code 0 is frozen here, the reverse of SMAP's
        assert ds.attrs["satellite"] == "SSM/I F11" and ds.attrs["source"] == "NSIDC-0477 v5.1"
        wanted = [QUALITY[n] for n in ("input_missing", "outside_domain", "open_water", "input_missing")]
        assert ds.quality.values[0, 0, 0, :5].tolist() == [*wanted, 0]


def test_a_co_file_holds_both_passes(tmp_path, codes):
    codes[1, :4] = [0, 1, 2, 3]
    ds = read_esdr(write(tmp_path / CO, codes), window=WINDOW)
    assert ds.overpass.values.tolist() == [0, 1]
    assert ds.frozen.values[0, :, 1, :4].tolist() == [[1, 0, 1, 0], [1, 0, 0, 1]]  # 2 thaws, 3 freezes by evening
    assert np.isnan(ds.frozen.values[0, :, 0, :4]).all()
    with pytest.raises(InputError, match=r"E-INPUT-SCHEMA.*ft_status of AM holds codes outside .*2: 1, 3: 1"):
        load_esdr(write(tmp_path / AM, codes), window=WINDOW)


def test_flags(tmp_path, codes):
    flags = np.zeros((6, 8), "u1")
    flags[1, :6] = [1, 2, 4, 8, 3, 0]
    flags[0, 0] = 1  # of a cell without a state: says nothing
    got = load_esdr(write(tmp_path / AM, codes, flags=flags), window=WINDOW)["quality"][0]
    filled, doubt = QUALITY["gap_filled"], QUALITY["low_confidence"]
    terrain = QUALITY.get("complex_terrain", doubt)
    assert got[1, :6].tolist() == [filled, doubt, terrain, doubt, filled | doubt, 0]
    assert got[0, 0] == QUALITY["input_missing"]


def test_geotiff_reads_the_same(tmp_path, codes):
    hdf = load_esdr(write(tmp_path / AM, codes), window=WINDOW)
    tif = load_esdr(tiff(tmp_path / AM.replace("h5", "tif"), codes), window=WINDOW)
    for name in ("frozen", "quality"):
        np.testing.assert_array_equal(hdf[name], tif[name])
    whole = read_esdr(tmp_path / AM.replace("h5", "tif"))
    assert Grid.of(whole) == ML25 and int(whole.frozen.notnull().sum()) == 44


def test_geotiff_tags(tmp_path, codes):
    path, half = tmp_path / AM.replace("h5", "tif"), ML25.step / 2
    with pytest.warns(UserWarning, match="half a cell"):  # the centre of the first cell taken for its corner
        got = load_esdr(tiff(path, codes, left=ML25.left + half, top=ML25.top - half), window=WINDOW)
    assert got["frozen"][0, 1, 0] == 1
    for changes, says in (
        ({"left": ML25.left + 5.0, "top": ML25.top - 5.0}, "lies 5 m south"),
        ({"left": ML25.left + half}, "its tags say"),
        ({"step": 25025.26}, "its tags say"),
        ({"crs": "EPSG:6933"}, "EPSG:6933"),
    ):
        with pytest.raises(InputError, match=f"E-INPUT-GRID.*{says}"):
            load_esdr(tiff(path, codes, **changes), window=WINDOW)
    assert load_esdr(tiff(path, codes, left=ML25.left + 0.5), window=WINDOW)["frozen"].shape == (1, 6, 8)


def test_faults(tmp_path, codes):
    write(tmp_path / AM, codes, shift=0.13)  # half a cell of 0.26 degrees
    with pytest.raises(InputError, match=r"E-INPUT-GRID.*0\.499 cells"):
        load_esdr(tmp_path / AM, window=WINDOW)
    write(tmp_path / AM, codes, shape=(584, 1388))  # EASE-Grid 2.0 of the same name
    with pytest.raises(InputError, match=r"holds 584 x 1388 cells, ML25"):
        read_esdr(tmp_path / AM)
    write(tmp_path / AM, codes, name="freeze_thaw")
    with pytest.raises(InputError, match="no dataset ft_status"):
        read_esdr(tmp_path / AM)
    codes[2, 2] = 250
    with pytest.raises(InputError, match=r"250: 1"):
        load_esdr(write(tmp_path / AM, codes), window=WINDOW)
    with pytest.raises(InputError, match="E-INPUT-GRID"):
        load_esdr(tmp_path / AM, window=named("M25").around(100.0, 35.0, (6, 8)))
    (tmp_path / AM).write_bytes((tmp_path / AM).read_bytes()[:9000])
    with pytest.raises(InputError, match="E-INPUT-TRUNC"):
        read_esdr(tmp_path / AM)


def test_smaps_codes_in_its_place(tmp_path):
    july = AM.replace("day060", "day196")
    europe = ML25.around(20.0, 50.0, (6, 8))
    thawed = np.zeros((6, 8), "u1")  # SMAP's thawed
    with pytest.raises(InputError, match=r"E-INPUT-POLARITY.*July middle latitudes is 0 % thawed"):
        load_esdr(write(tmp_path / july, thawed, window=europe), window=europe)
    assert (load_esdr(write(tmp_path / july, thawed + 1, window=europe), window=europe)["frozen"] == 0).all()


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("SSMI_37V_AM_FT_1993_day366_v05.1.h5", "there is no day 366 in 1993"),
        ("SSMI_37V_AM_FT_1993_day001_v05.1.gif", "a picture"),
        ("SSMI_19V_AM_FT_1993_day001_v05.1.h5", "19 GHz V is not"),
        ("SMMR_37V_FT_1979_AM_accuracy_v05.1.h5", "a yearly map of accuracy"),
        ("SMMR_global_QA_1979_PM_v05.h5", "a yearly map of accuracy"),
        ("SMAP_L3_FT_P_E_20160105_R19240_001.h5", "not of NSIDC-0477"),
    ],
)
def test_other_files_are_left_aside_with_a_reason(tmp_path, name, reason):
    (tmp_path / name).touch()
    got = list_esdr(tmp_path)
    assert len(got) == 0 and reason in got.ignored[0][1]
    with pytest.raises(InputError, match="Keep the producer's file name"):
        read_esdr(tmp_path / name)


def test_the_newest_version_stays_and_hdf5_before_geotiff(tmp_path):
    stem = "SSMI_37V_PM_FT_2012_day366"  # a leap year
    names = [f"{stem}{tail}" for tail in (".h5", "_v05.h5", "_v05.tif", "_v05.1.tif", "_v05.1.h5")]
    for name in (*names, "AMSR2_37V_PM_FT_2012_day366_v05.h5", stem.replace("PM", "CO") + ".h5"):
        (tmp_path / name).touch()
    got = [(f.path.name, f.overpass, f.channel) for f in list_esdr(tmp_path)]
    assert got == [
        ("AMSR2_37V_PM_FT_2012_day366_v05.h5", 1, "frozen_amsr"),
        (names[-1], 1, "frozen_ssmi"),
        (stem.replace("PM", "CO") + ".h5", 2, "frozen_ssmi"),
    ]
    (tmp_path / names[-1]).unlink()
    assert [f.path.name for f in list_esdr(tmp_path)][1] == names[-2]  # 5.1 as GeoTIFF before 5.0 as HDF5
    (tmp_path / names[-2]).unlink()
    assert [f.path.name for f in list_esdr(tmp_path)][1] == names[1]


def test_satellites_by_the_user_guides_table():
    first = ["1979-01-01", "1987-07-09", "1991-12-12", "1995-05-03", "2008-01-01", "2021-01-01"]
    names = ["SMMR", "SSM/I F08", "SSM/I F11", "SSM/I F13", "SSMIS F17", "AMSR2"]
    assert [satellite(d) for d in first] == names
    before = [satellite(np.datetime64(d) - 1) for d in first]
    assert before == ["unknown", *names[:-1]]
    assert satellite("2012-12-31", label="AMSR") == "AMSR2"


def test_a_newer_version_is_read_with_a_warning(tmp_path, codes):
    path = write(tmp_path / AM.replace("05.1", "06.0"), codes)
    with pytest.warns(UserWarning, match=r"version 06\.0 is newer"):
        assert load_esdr(path, window=WINDOW)["frozen"].shape == (1, 6, 8)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 10**6), half=st.sampled_from(["AM", "PM", "CO"]))
def test_no_reason_is_ever_a_class(tmp_path, seed, half):
    allowed = [0, 1, 252, 253, 254, 255] + ([2, 3] if half == "CO" else [])
    codes = np.random.default_rng(seed).choice(allowed, (6, 8)).astype("u1")
    frozen = load_esdr(write(tmp_path / AM.replace("AM", half), codes), window=WINDOW)["frozen"]
    assert (np.isnan(frozen) == (codes >= 252)).all()
    assert (frozen[0][codes < 252] == np.isin(codes[codes < 252], [0, 2])).all()
    last = [0, 3] if half == "CO" else [0]
    assert (frozen[-1][codes < 252] == np.isin(codes[codes < 252], last)).all()
