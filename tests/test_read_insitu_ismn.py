"""A tiny ISMN archive written by hand after formats.md 8.1; the `ismn` package is the oracle where it is installed."""

import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest

from frostline.errors import InputError
from frostline.read import READERS
from frostline.read.insitu_ismn import read_ismn

HEADER = "FR-Aqui FR-Aqui {site}  44.49333  -0.95610  79.00 {top:.2f} {bottom:.2f} {sensor}"


def name(
    site: str, variable: str = "ts", top: float = 0.05, bottom: float = 0.05, sensor: str = "ThetaProbe-ML2X"
) -> str:
    return f"FR-Aqui_FR-Aqui_{site}_{variable}_{top:.6f}_{bottom:.6f}_{sensor}_20170101_20170102.stm"


def rows(values: list[str], flags: list[str], first: str = "2017/01/01") -> list[str]:
    return [f"{first} {h:02d}:00 {v:>8} {f} M" for h, (v, f) in enumerate(zip(values, flags, strict=True))]


def header_values(
    site, values, flags, *, top=0.05, bottom=0.05, sensor="ThetaProbe-ML2X", end="\r\n", head_end=None
) -> bytes:
    head = HEADER.format(site=site, top=top, bottom=bottom, sensor=sensor)
    return (head + (head_end or end) + end.join(rows(values, flags)) + end).encode()


def ceop_sep(site, values, flags, *, end="\r") -> bytes:
    lines = [
        f"2017/01/01 {h:02d}:00 2017/01/01 {h:02d}:00 FR-Aqui FR-Aqui {site} 44.49333 -0.95610 79.00 0.05 0.05 "
        f"{v} {f} M"
        for h, (v, f) in enumerate(zip(values, flags, strict=True))
    ]
    return (end.join(lines) + end).encode()


def tree(root: Path, files: dict[str, bytes]) -> Path:
    for file, raw in files.items():
        path = root / "FR_Aqui" / file.split("_")[2] / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(raw)
    return root


def zipped(root: Path, target: Path) -> Path:
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(root.rglob("*.stm")):
            archive.write(path, path.relative_to(root))
    return target


VALUES, FLAGS = ["-1.5", "0.0", "2.25", "3.0"], ["D01,D03", "G", "C02", "U"]


@pytest.mark.parametrize("end", ["\r\n", "\n", "\r", "\n\r"])
def test_line_endings_flags_and_kelvin(tmp_path, end):
    root = tree(tmp_path / "a", {name("fraye"): header_values("fraye", VALUES, FLAGS, end=end, head_end="\n\r")})
    series, problems = read_ismn(root)
    assert problems == []
    (s,) = series
    assert (s.site, s.network, s.lon, s.lat, s.elevation) == ("fraye", "FR-Aqui", -0.9561, 44.49333, 79.0)
    assert (s.depth, s.sensor, s.daily) == (0.05, "ThetaProbe-ML2X", False)
    np.testing.assert_allclose(s.temperature, [271.65, 273.15, 276.15], atol=1e-4)  # C02 is out, frozen soil stays
    assert s.times.astype("M8[h]").astype(str).tolist() == ["2017-01-01T00", "2017-01-01T01", "2017-01-01T03"]


def test_flags_are_sets_and_the_choice_is_the_callers(tmp_path):
    root = tree(tmp_path / "a", {name("fraye"): header_values("fraye", VALUES, ["D01,D10", "G", "G", "M"])})
    assert len(read_ismn(root)[0][0].times) == 2
    assert len(read_ismn(root, keep=frozenset({"G", "D01", "D10"}))[0][0].times) == 3


def test_both_layouts_zip_and_folder_agree(tmp_path):
    a = tree(tmp_path / "a", {name("fraye"): header_values("fraye", VALUES, FLAGS)})
    b = tree(tmp_path / "b", {name("fraye"): ceop_sep("fraye", VALUES, FLAGS)})
    (one,), (two,) = read_ismn(a)[0], read_ismn(b)[0]
    (three,), told = READERS["ismn"](zipped(a, tmp_path / "a.zip"))
    assert told == []
    for other in (two, three):
        np.testing.assert_array_equal(one.temperature, other.temperature)
        np.testing.assert_array_equal(one.times, other.times)
        assert (one.site, one.depth, one.lat) == (other.site, other.depth, other.lat)


def test_one_broken_file_repeated_times_and_odd_depths(tmp_path):  # quality.md 6.3 case 24
    repeated = header_values("b", VALUES, ["G"] * 4) + b"2017/01/01 01:00 9.0 G M\r\n"
    files = {
        name("a"): b"not a station\r\nat all\r\n",
        name("b"): repeated,
        name("c", top=0.0, bottom=0.1): header_values("c", VALUES, FLAGS, bottom=0.1, top=0.0),
        name("d", sensor="Hydra Probe_II"): header_values("d", VALUES, FLAGS, sensor="Hydra Probe_II"),
        name("e", variable="sm"): header_values("e", VALUES, FLAGS),
        name("f"): header_values("f", ["250.0", "260.0", "270.0", "265.0"], ["G"] * 4),
        name("g"): header_values("g", ["-9999.0", "1.0", "nan", "99.0"], ["G"] * 4),
        name("h"): b"",
    }
    series, problems = read_ismn(tree(tmp_path / "a", files))
    assert [s.site for s in series] == ["b", "d", "g"]
    assert series[0].temperature[1] == pytest.approx(273.15)  # the first of two values at 01:00
    assert series[1].sensor == "Hydra-Probe_II"
    np.testing.assert_allclose(series[2].temperature, [274.15], atol=1e-4)
    fatal = {Path(p.path).name.split("_")[2] for p in problems if p.fatal}
    assert fatal == {"a", "f", "h"}
    told = " | ".join(map(str, problems))
    assert "E-INPUT-UNITS median 262.5" in told
    assert "1 repeated times" in told
    assert "2 values outside -80..70 degC" in told
    assert [s.site for s in read_ismn(tmp_path / "a", depth=(0.0, 0.1))[0]] == ["b", "c", "d", "g"]


def test_one_broken_line_costs_that_line(tmp_path):
    raw = header_values("a", VALUES, ["G"] * 4).replace(b"2017/01/01 02:00     2.25 G M", b"2017/01/99 02:00 2.25 G M")
    series, problems = read_ismn(tree(tmp_path / "a", {name("a"): raw}))
    assert len(series[0].times) == 3
    (problem,) = problems
    assert "1 lines cannot be read, the first is line 4" in problem.reason
    assert not problem.fatal
    short = header_values("a", VALUES, ["G"] * 4).replace(b"01:00      0.0 G M", b"01:00 G")
    series, problems = read_ismn(tree(tmp_path / "b", {name("a"): short}))
    assert (len(series[0].times), len(problems)) == (3, 1)
    bare = header_values("a", VALUES, ["G"] * 4).replace(b"3.0 G M", b"3.0 G")  # no provider flag: a sound line
    series, problems = read_ismn(tree(tmp_path / "c", {name("a"): bare}))
    assert (len(series[0].times), problems) == (4, [])


def test_names_are_made_safe(tmp_path):
    blank = header_values("two words 2", VALUES, ["G"] * 4)
    (s,), _ = read_ismn(tree(tmp_path / "b", {name("x"): blank}))
    assert (s.site, s.lat) == ("two-words-2", 44.49333)
    raw = header_values("x", VALUES, ["G"] * 4).replace(b"FR-Aqui x", b"../<b>etc x", 1)
    (s,), _ = read_ismn(tree(tmp_path / "a", {name("x"): raw}))
    assert set(s.network) <= set("abcdefghijklmnopqrstuvwxyz-")


def test_archives_without_soil_temperature_or_unsafe(tmp_path):
    root = tree(tmp_path / "a", {name("e", variable="sm"): header_values("e", VALUES, FLAGS)})
    with pytest.raises(InputError, match="E-INPUT-TEXT"):
        read_ismn(root)
    with pytest.raises(InputError, match="E-INPUT-MISSING"):
        read_ismn(tmp_path / "none.zip")
    evil = tmp_path / "evil.zip"
    with zipfile.ZipFile(evil, "w") as archive:
        archive.writestr(name("good"), header_values("good", VALUES, FLAGS))
        archive.writestr("../" + name("evil"), header_values("evil", VALUES, FLAGS))
    with pytest.raises(InputError, match=r"E-INPUT-ZIP .*refused"):
        read_ismn(evil)
    page = tmp_path / "page.zip"
    page.write_text("<!DOCTYPE html>")
    with pytest.raises(InputError, match="E-INPUT-"):
        read_ismn(page)


def test_the_ismn_package_reads_the_same(tmp_path):
    filehandlers = pytest.importorskip("ismn.filehandlers")
    files = {
        name("fraye"): header_values("fraye", VALUES, FLAGS),
        name("other", sensor="Hydra_II"): ceop_sep("other", VALUES, FLAGS, end="\r\n"),
    }
    root = tree(tmp_path / "a", files)
    series = {s.site: s for s in read_ismn(root, keep=frozenset({"G", "U", "D01", "D03", "C02"}))[0]}
    for path in sorted(root.rglob("*.stm")):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            sensor = filehandlers.DataFile(root, path.relative_to(root))
            table = sensor.read_data()
        ours = series[path.parent.name]
        np.testing.assert_allclose(ours.temperature - 273.15, table["soil_temperature"], atol=1e-4)
        np.testing.assert_array_equal(ours.times, table.index.to_numpy().astype("M8[ns]"))
        where = sensor.metadata
        assert ours.lat == pytest.approx(float(where["latitude"].val))
        assert ours.lon == pytest.approx(float(where["longitude"].val))
        assert ours.depth == pytest.approx(where["instrument"].depth.start)
        assert ours.sensor == where["instrument"].val
