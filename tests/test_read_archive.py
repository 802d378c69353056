"""Unsafe archives are refused whole; nothing is ever written."""

import stat
import zipfile

import pytest

from frostline.errors import InputError
from frostline.read.archive import members, read_member


def make(path, *names_or_infos, data=b"x", compression=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("good.nc", b"fine")
        for item in names_or_infos:
            archive.writestr(item, data)
    return path


def link(name: str, kind: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr = (kind | 0o777) << 16
    return info


def test_members_are_chosen_by_suffix_and_streamed(tmp_path):
    path = make(tmp_path / "a.zip", "folder/b.nc", "readme.txt")
    infos = members(path, (".nc",))
    assert [i.filename for i in infos] == ["folder/b.nc", "good.nc"]
    assert read_member(path, infos[1]).getvalue() == b"fine"


@pytest.mark.parametrize(
    "bad",
    [
        "../evil.nc",
        "a/../../evil.nc",
        "/etc/evil.nc",
        "C:\\evil.nc",
        "..\\evil.nc",
        link("evil.nc", stat.S_IFLNK),
        link("evil.nc", stat.S_IFCHR),
    ],
)
def test_unsafe_members_refuse_the_whole_archive(tmp_path, bad):  # quality.md 6.3 case 6
    path = make(tmp_path / "a.zip", bad)
    with pytest.raises(InputError, match=r"E-INPUT-ZIP .*a\.zip.*refused"):
        members(path, (".nc",))
    assert [p.name for p in tmp_path.iterdir()] == ["a.zip"]


def test_bombs_are_refused_by_what_they_declare(tmp_path):  # case 7
    path = make(tmp_path / "a.zip", "big.nc", data=bytes(60_000_000))
    assert path.stat().st_size < 100_000
    with pytest.raises(InputError, match="unpacks to 60000000"):
        members(path, (".nc",), max_bytes=1 << 20)
    lying = make(tmp_path / "b.zip", "big.nc", data=bytes(60_000_000), compression=zipfile.ZIP_LZMA)
    with pytest.raises(InputError, match=r"unpacks to 60000000 bytes from \d+"):
        members(lying, (".nc",))


def test_damaged_members_and_archives(tmp_path):
    path = make(tmp_path / "a.zip", "b.nc", data=bytes(range(256)) * 40, compression=zipfile.ZIP_STORED)
    raw = bytearray(path.read_bytes())
    raw[raw.index(bytes(range(256))) + 50] ^= 1
    path.write_bytes(raw)
    with pytest.raises(InputError, match=r"E-INPUT-CORRUPT .*a\.zip!b\.nc"):
        read_member(path, members(path, (".nc",))[0])
    path.write_bytes(raw[:-40])
    with pytest.raises(InputError, match=r"E-INPUT-CORRUPT .*a\.zip"):
        members(path, (".nc",))
