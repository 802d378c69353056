"""IMERG files of the twin: structure by the producer's schema, values through the reader."""

import h5py
import numpy as np
import pytest

from frostline.errors import ConfigError
from frostline.grid import named
from frostline.read.imerg import list_imerg, load_imerg
from frostline.twin import write_imerg
from frostline.twin.write_imerg import IMERG
from test_twin_write_cdl import FILES, HIDDEN, assert_same, literal, type_of

WINDOW = IMERG.around(91.15, 29.65, (7, 9))


def fallen():
    metres = np.random.default_rng(5).gamma(0.3, 1e-3, WINDOW.shape)
    metres[2, 3], metres[0, 0] = np.nan, 0.0
    return metres


def dump(group: h5py.Group) -> dict[str, str]:
    """CDL statements of one group; `latv`, `lonv` and `nv` are dimensions without a variable of their own."""
    out = {f":{k}": literal(v) for k, v in group.attrs.items()}
    for name, v in group.items():
        if isinstance(v, h5py.Group):
            continue
        if v.is_scale:
            out[f"dim {name}"] = "UNLIMITED" if v.maxshape[0] is None else str(v.shape[0])
            if name in ("latv", "lonv", "nv"):
                continue
        axes = [name] if v.is_scale else [d[0].name.rsplit("/", 1)[-1] for d in v.dims]
        out[f"{type_of(v.dtype)} {name}({', '.join(axes)})"] = ""
        out.update({f"{name}:{k}": literal(a) for k, a in v.attrs.items() if not HIDDEN.fullmatch(k)})
    return out


def test_structure_of_v06(tmp_path):
    path = write_imerg.write(tmp_path, start="2020-01-01T12:00", metres=fallen(), window=WINDOW, version="V06B")
    assert f"hdf5 {path.stem} {{" in (FILES / "imerg_v06.cdl").read_text()
    with h5py.File(path) as file:
        assert_same(dump(file["Grid"]), FILES / "imerg_v06.cdl")
        assert "Origin=SOUTHWEST" in file["Grid"].attrs["GridHeader"].decode()
        assert file["Grid/precipitationCal"].chunks == (1, 145, 1800)
        assert file["Grid/HQprecipSource"].chunks == (1, 291, 1800)
        assert file["Grid/lat"][0] == np.float32(-89.95)
        assert file["Grid/lon"][0] == np.float32(-179.95)
    assert path.stat().st_size < 400_000


def test_v07_has_other_names_and_another_epoch(tmp_path):
    path = write_imerg.write(tmp_path, start="1998-01-01", metres=fallen(), window=WINDOW)
    with h5py.File(path) as file:
        assert set(file["Grid/Intermediate"]) == {
            "IRinfluence",
            "IRprecipitation",
            "MWobservationTime",
            "MWprecipSource",
            "MWprecipitation",
            "precipitationUncal",
        }
        assert "precipitationCal" not in file["Grid"]
        assert file["Grid/time"].attrs["units"] == b"seconds since 1980-01-06 00:00:00 UTC"
        # 18 years, five of them leap, less the first 5 days of 1980
        assert file["Grid/time"][0] == (18 * 365 + 5 - 5) * 86400


@pytest.mark.parametrize("version", ["V06B", "V07B"])
def test_what_was_written_is_read(tmp_path, version):
    metres = fallen()
    path = write_imerg.write(tmp_path, start="2016-02-29T23:30", metres=metres, window=WINDOW, version=version)
    time, got = load_imerg(path, window=WINDOW)
    assert time == np.datetime64("2016-03-01")
    np.testing.assert_allclose(got, metres, rtol=1e-6)
    assert [f.path for f in list_imerg(tmp_path)] == [path]
    again = write_imerg.write(tmp_path / "b", start="2016-02-29T23:30", metres=metres, window=WINDOW, version=version)
    assert again.read_bytes() == path.read_bytes()


def test_refusals(tmp_path):
    for options in (
        {"start": "2016-01-01T00:10"},
        {"metres": -fallen()},
        {"metres": fallen()[1:]},
        {"window": named("M09").around(91.0, 29.0, WINDOW.shape)},
    ):
        with pytest.raises(ConfigError):
            write_imerg.write(tmp_path, **({"start": "2016-01-01", "metres": fallen(), "window": WINDOW} | options))
