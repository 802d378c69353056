"""NSIDC-0477 files of the twin: structure, names, codes, and what the reader makes of them."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from frostline.errors import ConfigError
from frostline.grid import named
from frostline.read.esdr import list_esdr, load_esdr, read_esdr
from frostline.twin import write_esdr
from test_twin_write_cdl import FILES, literal, parse, type_of

ML25 = named("ML25")
WINDOW = ML25.around(95.0, 35.0, (14, 21))


def states(half: str, seed: int = 1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    frozen = (rng.random((2 if half == "CO" else 1, *WINDOW.shape)) < 0.6).astype("f4")
    frozen[:, rng.random(WINDOW.shape) < 0.3] = np.nan
    return frozen


def written(folder, *, half="AM", date="1993-01-01", seed=1, **changes):
    rng = np.random.default_rng(seed)
    options = {
        "frozen": states(half, seed),
        "reason": rng.integers(252, 256, WINDOW.shape),
        "flags": rng.integers(0, 16, WINDOW.shape),
        "window": WINDOW,
    }
    return write_esdr.write(folder, date=date, half=half, **{**options, **changes})


def test_cdl(tmp_path):
    path = written(tmp_path, half="CO")
    assert f"hdf5 {path.stem} {{" in (FILES / "esdr_ft.cdl").read_text()
    wanted, out = parse(FILES / "esdr_ft.cdl"), {}
    with h5py.File(path) as file:
        for name, v in file.items():
            if isinstance(v, h5py.Group):
                out[f"group {name}"] = ""
            else:
                out[f"{type_of(v.dtype)} {name}({', '.join(map(str, v.shape))})"] = ""
                if v.dtype.kind == "u":
                    out[f"{name}:fill"] = literal(v.fillvalue)
            out.update({f"{name}:{key}": literal(value) for key, value in v.attrs.items()})
    assert sorted(out) == sorted(wanted)
    assert not {k: (out[k], v) for k, v in wanted.items() if v not in ("*", out[k])}


@pytest.mark.parametrize(("version", "group"), [("v4", "METADATA"), ("v5", "Metadata"), ("v5.1", "Metadata")])
def test_versions(tmp_path, version, group):
    rows, cols = WINDOW.shape
    window = named("ML25").window(slice(100, 100 + rows), slice(900, 900 + cols))
    path = written(tmp_path, version=version, window=window)
    with h5py.File(path) as file:
        assert sorted(file) == sorted([group, "cell_lat", "cell_lon", "ft_qc", "ft_status"])
        # formats.md 9.4: cell (100, 900) of the original global grid
        assert file["cell_lat"][100, 900] == pytest.approx(40.989308740, abs=4e-6)
        assert file["cell_lon"][100, 900] == pytest.approx(54.403469441, abs=4e-6)
        assert file["cell_lat"][0, 0] == -9999.0  # only the chunks around the window are there
    assert load_esdr(path, window=window)["frozen"].shape == (1, *WINDOW.shape)


@pytest.mark.parametrize("form", ["h5", "tif"])
@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 999), half=st.sampled_from(["AM", "PM", "CO"]))
def test_the_reader_gives_back_what_was_written(tmp_path, form, seed, half):
    if form == "tif":
        pytest.importorskip("rasterio")
    date = np.datetime64("1987-02-01") + 365 * (seed % 40)
    path, frozen = written(tmp_path, half=half, date=date, seed=seed, form=form), states(half, seed)
    back = load_esdr(path, window=WINDOW)
    np.testing.assert_array_equal(back["frozen"], frozen)
    (found,) = [f for f in list_esdr(tmp_path) if f.date == date and path.name.split("_")[2] == half]
    assert found.overpass == {"AM": 0, "PM": 1, "CO": 2}[half]
    whole = read_esdr(path)
    assert int(whole.frozen.notnull().sum()) == int(np.isfinite(frozen).sum())
    assert whole.sizes["overpass"] == len(frozen)
    path.unlink()


def test_only_the_windows_chunks_exist(tmp_path):
    with h5py.File(written(tmp_path)) as file:
        for name in ("ft_status", "ft_qc"):
            assert 1 <= file[name].id.get_num_chunks() <= 4
        assert file["ft_status"][0, 0] == 255
    assert written(tmp_path).stat().st_size < 110_000


def test_twice_the_same_bytes(tmp_path):
    first = written(tmp_path / "a").read_bytes()
    write_esdr._template.cache_clear()
    written(tmp_path / "b", date="2017-06-01")
    assert written(tmp_path / "b").read_bytes() == first


def test_names_by_the_day(tmp_path):
    name = write_esdr.file_name
    assert name("1979-01-01", half="AM") == "SMMR_37V_AM_FT_1979_day001_v05.1.h5"
    assert name("1987-07-09", half="PM", version="v5") == "SSMI_37V_PM_FT_1987_day190_v05.h5"
    assert name("2020-12-31", half="CO", form="tif") == "SSMI_37V_CO_FT_2020_day366_v05.1.tif"
    assert name("2021-01-01", half="CO") == "AMSR2_37V_CO_FT_2021_day001_v05.1.h5"
    with pytest.raises(ConfigError, match="begins on 1979-01-01"):
        name("1978-12-31", half="AM")


def test_refusals(tmp_path):
    with pytest.raises(ConfigError, match="needs 2 x 14 x 21 states"):
        written(tmp_path, half="CO", frozen=states("AM"))
    with pytest.raises(ConfigError, match="states beside"):
        written(tmp_path, frozen=np.full((1, *WINDOW.shape), 0.5))
    with pytest.raises(ConfigError, match="reasons beside"):
        written(tmp_path, reason=np.zeros(WINDOW.shape, int))
    with pytest.raises(ConfigError, match="no window"):
        written(tmp_path, window=named("M25").around(95.0, 35.0, WINDOW.shape))
    assert list(tmp_path.iterdir()) == []
