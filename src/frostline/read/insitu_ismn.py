"""Soil temperature of the International Soil Moisture Network: an archive as downloaded (ZIP) or unpacked.

Both text layouts, all line endings met in real files. Format: formats.md 8.1.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from frostline.errors import InputError
from frostline.read.archive import members, read_member
from frostline.read.common import files_below
from frostline.read.gate import inspect_file, is_zip
from frostline.read.series import NO_VALUE, Problem, Problems, Series, clean, sanitise

Array = np.ndarray
# D01-D03 say that soil or air is frozen: they doubt soil moisture, and would take the frozen half out of our labels
# (formats.md 8.1). U is unchecked: ISMN checks soil temperature less than moisture; `clean` tests the range.
KEEP = frozenset({"G", "U", "D01", "D02", "D03"})
NAME = re.compile(r"(?P<head>.+)_(?P<from>-?\d+\.\d+)_(?P<to>-?\d+\.\d+)_(?P<sensor>.+)_\d{8}_\d{8}\.stm")
_NUMBER = r"\s+(?P<{}>-?\d+(?:\.\d*)?)"
HEADER = re.compile(
    r"\s*\S+\s+(?P<network>\S+)\s+(?P<site>.+)"  # the collecting programme comes before the network
    + "".join(_NUMBER.format(n) for n in ("lat", "lon", "elevation", "top", "bottom"))
    + r"(?:\s|$)"
)
DATED = re.compile(r"\d{4}/\d\d/\d\d$")
MAX_FILE = 200 << 20  # bytes: forty years of hours are 20 MB


def read_ismn(
    path: str | Path, *, depth: tuple[float, float] = (0.0, 0.05), keep: frozenset[str] = KEEP
) -> tuple[list[Series], Problems]:
    """Soil temperature series of an ISMN archive, sorted by network, site and depth, and what was left out.

    `path` is the ZIP, the folder, or one .stm file. Sensors whose span (m) lies within `depth` are kept; values
    whose every flag is in `keep`. One broken line costs that line, one broken file that file: both are told in
    Problems. Raises InputError when the path is missing, the ZIP is unsafe (whole archive refused), or there is
    no soil temperature file at all.
    """
    path = Path(path)
    series, problems, seen = [], Problems(), 0
    for where, name, get in _files(path):
        match = NAME.fullmatch(name)
        if match is None or match["head"].rsplit("_", 1)[-1] != "ts":
            continue
        seen += 1
        if float(match["from"]) < depth[0] - 1e-6 or float(match["to"]) > depth[1] + 1e-6:
            continue
        try:
            got, told = _parse(get(), where, sensor=match["sensor"], keep=keep)
        except (InputError, OSError, ValueError) as error:
            got, told = None, [Problem(where, f"left out: {error}", fatal=True)]
        problems += told
        if got is not None and depth[0] - 1e-6 <= got.depth <= depth[1] + 1e-6:
            series.append(got)
    if not seen:
        remedy = "give an ISMN download that includes soil temperature (files ..._ts_....stm)"
        raise InputError("E-INPUT-TEXT", where=path, cause="no ISMN soil temperature file", remedy=remedy)
    return sorted(series, key=lambda s: (s.network, s.site, s.depth, s.sensor)), problems


def _files(path: Path) -> Iterator[tuple[str, str, Callable[[], bytes]]]:
    """(name to show, file name, function that gives the bytes) of every .stm file."""
    if path.is_dir():
        for file in files_below(path):
            if file.suffix == ".stm":
                yield str(file), file.name, lambda f=file: _whole(f)  # type: ignore[misc]
    elif path.suffix == ".stm":
        yield str(path), path.name, lambda: _whole(path)
    else:
        inspect_file(path, "zip" if not path.exists() or is_zip(path) else "text")
        for info in members(path, (".stm",), max_bytes=MAX_FILE):
            name = info.filename.replace("\\", "/").rsplit("/", 1)[-1]
            yield f"{path}!{info.filename}", name, lambda i=info: read_member(path, i).getvalue()  # type: ignore[misc]


def _whole(path: Path) -> bytes:
    inspect_file(path, "text")
    return path.read_bytes()


def _parse(raw: bytes, where: str, *, sensor: str, keep: frozenset[str]) -> tuple[Series | None, Problems]:
    text = raw.decode("latin-1")
    if "\r" in text:  # real files end lines with \r\n, bare \r, and header lines with \n\r
        text = re.sub(r"\r\n|\n\r|\r", "\n", text)
    lines = [line for line in text.split("\n") if line.strip()]
    if not lines:
        return None, [Problem(where, "is empty", fatal=True)]
    head = lines[0].split()
    bare = DATED.match(head[0]) is not None  # ceop_sep: no header, the station in every line
    match = HEADER.match(" ".join(head[4:12]) if bare else lines[0])
    if match is None:
        return None, [Problem(where, f"E-INPUT-TEXT header cannot be read: {lines[0][:60]!r}", fatal=True)]
    network, site = match["network"], match["site"]
    lat, lon, elevation, top, bottom = (float(match[n]) for n in ("lat", "lon", "elevation", "top", "bottom"))
    if not (-90 <= lat <= 90 and -180 <= lon <= 360):
        return None, [Problem(where, f"E-INPUT-TEXT impossible place {lat} N {lon} E", fatal=True)]
    times, celsius, flags, broken = _columns(lines if bare else lines[1:], bare)
    problems = []
    if broken:
        number = broken[0] + (1 if bare else 2)
        problems.append(Problem(where, f"{len(broken)} lines cannot be read, the first is line {number}"))
    if not flags:
        return None, [*problems, Problem(where, NO_VALUE, fatal=True)]
    verdict = {f: _kept(f, keep) for f in set(flags)}
    good = np.array([verdict[f] for f in flags])
    series = Series(
        site=sanitise(site),
        network=sanitise(network),
        lon=lon - 360.0 if lon > 180 else lon,
        lat=lat,
        elevation=elevation if elevation > -500 else float("nan"),
        depth=(top + bottom) / 2,
        times=times[good],
        temperature=np.empty(0, np.float32),
        sensor=sanitise(sensor),
    )
    got, told = clean(series, celsius[good], where)
    return got, [*problems, *told]


def _columns(lines: list[str], bare: bool) -> tuple[Array, Array, list[str], list[int]]:
    """Times (n,) datetime64[m], values (n,), flags, and the indices of lines that cannot be read.

    All at once when every line has all its fields; line by line otherwise (the provider's flag may be absent).
    """
    wide = 15 if bare else 5
    value, flag = wide - 3, wide - 2
    tokens = "\n".join(lines).split()
    try:
        if len(tokens) != wide * len(lines):
            raise ValueError
        times = _instants(tokens[::wide], tokens[1::wide])  # a shifted field is no date: ValueError
        return times, np.array(tokens[value::wide], float), tokens[flag::wide], []
    except ValueError:
        rows = [line.split() for line in lines]
        sound = [len(row) > flag and _sound(row[0], row[1], row[value]) for row in rows]
        good = [row for row, ok in zip(rows, sound, strict=True) if ok]
        times = _instants([r[0] for r in good], [r[1] for r in good])
        celsius = np.array([r[value] for r in good], float)
        return times, celsius, [r[flag] for r in good], [i for i, ok in enumerate(sound) if not ok]


def _instants(dates: list[str], clocks: list[str]) -> Array:
    joined = [f"{d}T{c}" for d, c in zip(dates, clocks, strict=True)]
    return np.array([j.replace("/", "-") for j in joined], "datetime64[m]")


def _sound(date: str, clock: str, value: str) -> bool:
    try:
        float(value)
        _instants([date], [clock])
    except ValueError:
        return False
    return len(date) == 10 and len(clock) == 5


def _kept(flags: str, keep: frozenset[str]) -> bool:
    """Flags are sets: "D01,D03" is kept when both are."""
    return set(flags.split(",")) <= keep
