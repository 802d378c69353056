"""The files that the twin writes have the structure that the hand-written CDL texts say."""

from __future__ import annotations

import re
from pathlib import Path

import h5py
import numpy as np
import pytest
from scipy.io import netcdf_file

from frostline.grid import named
from frostline.twin import write_amsr2, write_cetb, write_era5

FILES = Path(__file__).parent / "files"
TYPES = {"u1": "ubyte", "u2": "ushort", "i2": "short", "i4": "int", "i8": "int64", "f4": "float", "f8": "double"}
SUFFIX = {"ubyte": "UB", "ushort": "US", "short": "s", "int": "", "int64": "ll", "float": "f", "double": ""}
HIDDEN = re.compile(r"CLASS|NAME|DIMENSION_LIST|REFERENCE_LIST|_Netcdf4\w+|_NCProperties|_nc3_strict")


def type_of(dtype: np.dtype) -> str:
    if dtype.kind in "SO":
        return "char" if dtype.kind == "S" else "string"
    return TYPES[dtype.newbyteorder("=").str[1:]]


def literal(value) -> str:
    if isinstance(value, bytes | np.bytes_):
        return f'"{value.decode()}"'
    if isinstance(value, str):
        return f'string "{value}"'
    array = np.atleast_1d(value)
    if array.dtype.kind == "S":
        return ", ".join(f'"{v.decode()}"' for v in array)
    suffix = SUFFIX[type_of(array.dtype)]

    def number(v) -> str:
        if array.dtype.kind in "iu":
            return f"{v}{suffix}"
        text = repr(float(str(v))) if np.isfinite(v) else "NaN"  # str(f4) is the short decimal
        return re.sub(r"\.0$", ".", text) + suffix

    return ", ".join(number(v) for v in array)


def dump_hdf5(path: Path) -> dict[str, str]:
    """CDL statements of an HDF5 file: left-hand side -> right-hand side."""
    out: dict[str, str] = {}
    with h5py.File(path) as file:
        for name, v in file.items():
            scaled = [d[0].name.lstrip("/") if len(d) else "" for d in v.dims] if v.ndim else []
            if v.is_scale:
                unlimited = v.maxshape[0] is None
                out[f"dim {name}"] = "UNLIMITED" if unlimited else str(v.shape[0])
                scaled = [name]
            axes = scaled if all(scaled) else [str(n) for n in v.shape]
            out[f"{type_of(v.dtype)} {name}" + (f"({', '.join(axes)})" if axes else "")] = ""
            if "_FillValue" not in v.attrs and not v.is_scale and v.dtype.kind in "iuf" and v.chunks:
                out[f"{name}:_FillValue"] = literal(v.fillvalue)
            for key, value in v.attrs.items():
                if not HIDDEN.fullmatch(key):
                    out[f"{name}:{key}"] = literal(value)
        for key, value in file.attrs.items():
            if not HIDDEN.fullmatch(key):
                out[f":{key}"] = literal(value)
    return out


def dump_netcdf3(path: Path) -> dict[str, str]:
    out: dict[str, str] = {}
    with netcdf_file(path, "r", mmap=False) as file:
        assert file.version_byte == 2, "64-bit offsets"
        out.update({f"dim {n}": str(size) for n, size in file.dimensions.items()})
        for name, v in file.variables.items():
            out[f"{type_of(v.data.dtype)} {name}({', '.join(v.dimensions)})"] = ""
            out.update({f"{name}:{k}": literal(a) for k, a in v._attributes.items()})
        out.update({f":{k}": literal(a) for k, a in file._attributes.items()})
    return out


def parse(cdl: Path) -> dict[str, str]:
    out: dict[str, str] = {}
    section = ""
    for line in cdl.read_text().splitlines():
        line = line.strip()
        if line in ("dimensions:", "variables:"):
            section = line
        elif m := re.fullmatch(r"(.+?) = (.+?) ;(?: // .*)?", line):
            out[("dim " if section == "dimensions:" else "") + m[1]] = m[2]
        elif m := re.fullmatch(r"(.+) ;", line):
            out[m[1]] = ""
    return out


def assert_same(dumped: dict[str, str], cdl: Path) -> None:
    wanted = parse(cdl)
    assert sorted(dumped) == sorted(wanted)
    wrong = {k: (dumped[k], v) for k, v in wanted.items() if v not in ("*", dumped[k])}
    assert not wrong


def test_the_parser_sees_a_wrong_fill():
    wanted = parse(FILES / "cetb_v3.cdl")
    assert wanted["TB:_FillValue"] == "0US"
    assert wanted["ushort TB(time, y, x)"] == ""
    with pytest.raises(AssertionError):
        assert_same({**wanted, "TB:_FillValue": "1US"}, FILES / "cetb_v3.cdl")


@pytest.mark.parametrize("version", ["v2", "v3"])
def test_cetb(tmp_path, version):
    window = named("N09").around(125.0, 62.0, (8, 8))
    path = write_cetb.write(
        tmp_path,
        date="2016-01-01",
        overpass=0,
        polarization="V",
        tb=np.full((8, 8), 250.0),
        tb_time=np.zeros((8, 8)),
        window=window,
        version=version,
    )
    assert f"netcdf {path.stem} {{" in (FILES / f"cetb_{version}.cdl").read_text()
    assert_same(dump_hdf5(path), FILES / f"cetb_{version}.cdl")


def test_amsr2(tmp_path):
    tb = np.full((3, 3), 250.0)
    path = write_amsr2.write(
        tmp_path, date="2016-01-01", orbit="D", frequency=18, tb_v=tb, tb_h=tb, minutes=tb, row=200, col=9
    )
    assert f"hdf5 {path.stem} {{" in (FILES / "amsr2_l3.cdl").read_text()
    assert_same(dump_hdf5(path), FILES / "amsr2_l3.cdl")


@pytest.mark.parametrize("layout", ["new", "old"])
def test_era5(tmp_path, layout):
    path = write_era5.write(
        tmp_path,
        times=np.arange("2016-01-01T00", "2016-01-01T03", dtype="datetime64[h]"),
        latitude=np.array([60.25, 60.0]),
        longitude=np.array([10.0, 10.25, 10.5, 10.75]),
        fields={"stl1": np.full((3, 2, 4), 270.0)},
        layout=layout,
    )
    dumped = dump_hdf5(path) if layout == "new" else dump_netcdf3(path)
    assert_same(dumped, FILES / f"era5_{layout}.cdl")


@pytest.mark.real
def test_the_old_era5_text_agrees_with_a_real_file(real_data):
    real = dump_netcdf3(real_data("era5_small/SURF_201810.nc"))
    wanted = parse(FILES / "era5_old.cdl")
    for left in ("float longitude(longitude)", "float latitude(latitude)", "int time(time)"):
        assert left in real
    for left in ("time:units", "time:calendar", "latitude:units", "longitude:long_name", ":Conventions"):
        assert real[left] == wanted[left]
    assert real["t2m:_FillValue"] == wanted["stl1:_FillValue"]
    assert real["short t2m(time, latitude, longitude)"] == ""
