"""ZIP archives from strangers: members are streamed into memory, never written, and the archive is judged first."""

from __future__ import annotations

import re
import stat
import zipfile
from io import BytesIO
from pathlib import Path

from frostline.errors import InputError
from frostline.read.gate import inspect_file, reading

MAX_RATIO = 1000  # deflate's own limit is 1032: only runs of one byte come near it
MAX_MEMBER = 4 << 30  # bytes: a month of hourly global ERA5 fields
MAX_MEMBERS = 200_000


def members(path: str | Path, suffixes: tuple[str, ...], *, max_bytes: int = MAX_MEMBER) -> list[zipfile.ZipInfo]:
    """The members with one of `suffixes`, sorted by name.

    Refuses the whole archive (E-INPUT-ZIP) when any member would leave its folder, is a link or a device, is
    encrypted, or unpacks to more than `max_bytes` or to 1000 times its size.
    """
    inspect_file(path, "zip")
    with reading(path), zipfile.ZipFile(path) as archive:
        infos = archive.infolist()
    if len(infos) > MAX_MEMBERS:
        raise _refused(path, f"{len(infos)} members")
    for info in infos:
        if reason := _danger(info, max_bytes):
            raise _refused(path, f"member {info.filename[:80]!r} {reason}")
    chosen = [i for i in infos if not i.is_dir() and i.filename.lower().endswith(suffixes)]
    return sorted(chosen, key=lambda i: i.filename)


def read_member(path: str | Path, info: zipfile.ZipInfo) -> BytesIO:
    """The bytes of one member, at most what its header declares. Raises E-INPUT-CORRUPT on a wrong checksum."""
    with reading(f"{path}!{info.filename}"), zipfile.ZipFile(path) as archive, archive.open(info) as stream:
        return BytesIO(stream.read(info.file_size))


def _danger(info: zipfile.ZipInfo, max_bytes: int) -> str:
    name = info.orig_filename.replace("\\", "/")
    mode = stat.S_IFMT(info.external_attr >> 16)
    if name.startswith("/") or re.match(r"[A-Za-z]:", name) or ".." in name.split("/") or "\0" in name:
        return "lies outside the archive's folder"
    if mode not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "is a link or a device"
    if info.flag_bits & 1:
        return "is encrypted"
    if info.file_size > max_bytes:
        return f"unpacks to {info.file_size} bytes"
    if info.file_size > MAX_RATIO * max(info.compress_size, 1) and info.file_size > 1 << 20:
        return f"unpacks to {info.file_size} bytes from {info.compress_size}"
    return ""


def _refused(path: str | Path, why: str) -> InputError:
    cause = f"the archive is refused: {why}"
    return InputError("E-INPUT-ZIP", where=path, cause=cause, remedy="fetch it from the producer again")
