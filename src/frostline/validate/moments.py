"""Moments that add, of three or more records: how often each pattern of frozen and thawed occurred.

A pattern says which products call a cell-day frozen; bit i of its number is product i. All means, covariances and
third moments of the classes are linear in these counts, so they are the only thing that collocation keeps. Counts of
days, tiles or months add up to those of the whole (`frostline.tally.add`), and resampled counts are one matrix product.

The class is frozen where the probability exceeds .5. A cell-day on which a member is unknown, or says exactly .5,
belongs to no pattern: it is `dropped`, and counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import xarray as xr

from frostline.clock import season, year
from frostline.errors import InputError
from frostline.validate.collocation_em import patterns
from frostline.validate.match import common_days, common_overpasses, matched, same_grid

Array = np.ndarray
_MOST = 6  # products: 64 patterns
_DROPPED, _TIED, _UNSEEN = 0, 1, 2  # codes of what is no pattern, counted from the number of patterns
_BLOCK_VALUES = 1 << 22  # values of one member in memory at once, where all are sites
_SERIES = ("pairs", "earlier", "later", "both")


def moments(
    records: Mapping[str, xr.Dataset], *, strata: Mapping[str, Any] | None = None, days: Any = None
) -> xr.Dataset:
    """Daily sums by stratum: `count` (time, overpass, stratum, pattern), `dropped`, `ties` (time, overpass, stratum).

    `records` are three to six records on one grid; where some are sites, all are taken at these (several must have
    the same ones; all may be sites). `strata` names masks (y, x), or (site) if all are sites; without them there is
    one, `all`. `days` (datetime64) limits the dates. Every cell-day counts the same, whatever its area. `dropped`:
    cell-days that some member knows and another does not, or where one says .5 exactly (also in `ties`). Coordinate
    `says` (product, pattern) is +1 frozen, -1 thawed.

    Raises InputError for fewer than three products, other grids, or no common day or overpass.
    """
    names = _named(records)
    members = _members(strata, records)
    places = [np.flatnonzero(mask) for mask in members.values()]
    known = 2 ** len(names)
    dims = ("time", "overpass", "stratum")
    blocks = []
    for fields, like in _together(records, days):
        codes = _codes(fields)
        flat = codes.reshape(codes.shape[0] * codes.shape[1], -1)
        sums = np.stack([_histograms(flat[:, place], known + 3) for place in places], axis=1)
        sums = sums.reshape(*codes.shape[:2], len(places), -1)
        blocks.append(
            xr.Dataset(
                {
                    "count": ((*dims, "pattern"), sums[..., :known]),
                    "dropped": (dims, sums[..., known + _DROPPED] + sums[..., known + _TIED]),
                    "ties": (dims, sums[..., known + _TIED]),
                },
                coords={"time": like["time"].values, "overpass": like["overpass"].values, "stratum": list(members)},
            )
        )
    return _described(xr.concat(blocks, "time") if len(blocks) > 1 else blocks[0], names)


def cell_moments(records: Mapping[str, xr.Dataset], *, by: Callable[[Any], Any] = year, days: Any = None) -> xr.Dataset:
    """The same sums of every cell by group of days: (group, overpass, *cells*), where *cells* is (y, x) or (site).

    `by` turns dates into the labels of groups: `clock.year`, or `clock.season_china` for maps of the whole year and its
    seasons (the whole is the sum over groups). Also kept, for `effective_samples`, are sums over pairs of successive
    samples of a cell (whatever lies between them; the pair belongs to its later day's group): `pairs`, `earlier` and
    `later` (how often the earlier, the later one is a disagreement), `both`. int32; memory grows with groups and
    cells, not with days.
    """
    from frostline.validate import moments_bits as bits

    names = _named(records)
    groups: dict[Any, dict[str, Array]] = {}
    cells: tuple[int, ...] = ()
    coords: dict[str, Any] = {}
    last = every = np.empty((2, 0), np.uint32)
    for label, says, some, gone, tied, like in _words(records, by, days):
        if not coords:
            cells = like.shape[1:]
            last, every = np.zeros((2, tied.size), np.uint32), np.empty_like(tied)
            wanted = ("overpass", "site", "lon", "lat")
            coords = {name: like.coords[name].variable for name in wanted if name in like.coords}
        sums = groups.setdefault(label, _empty(tied.size, len(names)))
        bits.valid(some[0], gone[0], tied[0], every[0])
        bits.count(says, every, sums["count"])
        bits.follow(says, every, some, tied, last, sums["losses"], sums["pairs"])
    order = sorted(groups)
    sites, maps = _apart(records)
    dims = ("group", "overpass", *(("site",) if sites else ("y", "x")))
    stacked = {
        name: np.stack([groups[g][name] for g in order]).reshape(len(order), -1, *cells)
        for name in ("count", "losses", "pairs")
    }
    data = {"count": ((*dims, "pattern"), np.ascontiguousarray(np.moveaxis(stacked["count"], 1, -1)))}
    for name, parts in (("losses", ("dropped", "ties")), ("pairs", _SERIES)):
        data |= {part: (dims, stacked[name][:, i]) for i, part in enumerate(parts)}
    ds = xr.Dataset(data, coords={**coords, "group": order})
    return _described(ds if sites else same_grid(maps).write(ds), names)


def marginal(sums: xr.Dataset, products: list[str]) -> xr.Dataset:
    """The counts of some of the products alone (three, say, of five), on the samples that all of them have.

    The pair sums of cells are left out: they are of the disagreement of all products.
    """
    says = sums["says"].sel(product=products)
    code = ((says.values > 0) << np.arange(len(products))[:, None]).sum(0)
    count = sums["count"].transpose(..., "pattern")
    fewer = np.stack([count.values[..., code == p].sum(-1) for p in range(2 ** len(products))], axis=-1)
    kept = sums.drop_vars(["count", "says", "pattern", "product", *_SERIES], errors="ignore")
    return _described(kept.assign(count=(count.dims, fewer)), products)


def effective_samples(sums: xr.Dataset) -> xr.Dataset:
    """What the samples are worth as independent ones: `n`, `n_effective`, `r1`, without the time of daily sums.

    The series is disagreement: not all products say the same. For a cell n_eff = n (1 - r1) / (1 + r1) with r1 the
    correlation of successive samples, not below 0 (Wilks 2011, chapter 5). For a stratum the day's sum of
    disagreement departs from its season's share by e, and n_eff = n^2 m (1 - m) (1 - r1) / (sum e^2 (1 + r1)), which
    is the same for one cell and also counts cells that err together once; never more than n. NaN where products never
    disagree, or always, and for cells without pair sums.
    """
    count = sums["count"].transpose(..., "pattern")
    n = count.sum("pattern")
    wrong = n - count.isel(pattern=0) - count.isel(pattern=-1)
    if "time" in sums.dims:
        return _of_days(n, wrong)
    share = wrong / n.where(n > 0)
    variance = share * (1 - share)
    if not set(_SERIES) <= set(sums.data_vars):
        return xr.Dataset({"n": n, "n_effective": share * np.nan, "r1": share * np.nan})
    sum_of_pairs = sums["both"] - share * (sums["earlier"] + sums["later"]) + share**2 * sums["pairs"]
    r1 = (sum_of_pairs / sums["pairs"].where(sums["pairs"] > 0) / variance.where(variance > 0)).clip(0, 1)
    return xr.Dataset({"n": n, "n_effective": n * (1 - r1) / (1 + r1), "r1": r1})


def _of_days(n: xr.DataArray, wrong: xr.DataArray) -> xr.Dataset:
    size = n.transpose("time", ...).values.astype(float)
    bad = wrong.transpose("time", ...).values.astype(float)
    departure, variance = np.zeros_like(size), np.zeros(size.shape[1:])
    seasons = season(n["time"].values)
    for name in np.unique(seasons):
        here = seasons == name
        total = size[here].sum(0)
        share = bad[here].sum(0) / np.where(total > 0, total, 1.0)
        departure[here] = bad[here] - share * size[here]
        variance += total * share * (1 - share)
    squares = (departure**2).sum(0)
    together, pairs = np.zeros(squares.shape), np.zeros(squares.shape)
    last, known = np.zeros(squares.shape), np.zeros(squares.shape, bool)
    for e, some in zip(departure, size > 0, strict=True):
        together += np.where(some & known, e * last, 0.0)
        pairs += some & known
        last, known = np.where(some, e, last), known | some
    days = (size > 0).sum(0)
    defined = (squares > 0) & (pairs > 0)
    r1 = np.clip(together / np.maximum(pairs, 1) * days / np.where(defined, squares, 1.0), 0.0, 1.0)
    whole = size.sum(0)
    worth = np.minimum(whole, whole * variance * (1 - r1) / (np.where(defined, squares, 1.0) * (1 + r1)))
    like = n.isel(time=0, drop=True)
    return xr.Dataset(
        {
            "n": like.copy(data=whole.round().astype(np.int64)),
            "n_effective": like.copy(data=np.where(defined, worth, np.nan)),
            "r1": like.copy(data=np.where(defined, r1, np.nan)),
        }
    )


def _codes(fields: list[Array]) -> Array:
    """Pattern number of every cell-day, uint8; beyond these, why it has none (_DROPPED, _TIED, _UNSEEN)."""
    patterns_end = 2 ** len(fields)
    code = np.zeros(fields[0].shape, np.uint8)
    all_know, seen, tie = np.ones(code.shape, bool), np.zeros(code.shape, bool), np.zeros(code.shape, bool)
    for i, field in enumerate(fields):
        known = ~np.isnan(field)
        all_know &= known
        seen |= known
        tie |= field == 0.5
        code |= (field > 0.5).astype(np.uint8) << np.uint8(i)
    code[~all_know] = patterns_end + _DROPPED
    code[~seen] = patterns_end + _UNSEEN
    code[tie] = patterns_end + _TIED
    return code


def _histograms(codes: Array, size: int) -> Array:
    """How often each code below `size` stands in each row, (rows, size)."""
    first = size * np.arange(len(codes))[:, None]
    return np.bincount((first + codes).ravel(), minlength=size * len(codes)).reshape(-1, size)


def _named(records: Mapping[str, xr.Dataset]) -> list[str]:
    if not 3 <= len(records) <= _MOST:
        raise InputError(
            "E-INPUT-SCHEMA",
            where=", ".join(records),
            cause=f"{len(records)} products cannot be collocated, three to {_MOST} can",
        )
    return list(records)


def _apart(records: Mapping[str, xr.Dataset]) -> tuple[dict[str, xr.Dataset], dict[str, xr.Dataset]]:
    """The members that are sites, and those on a grid; an InputError where the sites differ."""
    sites = {name: ds for name, ds in records.items() if "site" in ds["frozen"].dims}
    for name, ds in sites.items():
        first = next(iter(sites.values()))
        if not np.array_equal(first["site"], ds["site"]):
            cause = f"has other sites than {next(iter(sites))}"
            raise InputError("E-INPUT-GRID", where=name, cause=cause, remedy="select the sites that both have")
    return sites, {name: ds for name, ds in records.items() if name not in sites}


def _together(records: Mapping[str, xr.Dataset], days: Any) -> Iterator[tuple[list[Array], xr.DataArray]]:
    """Blocks of days of all members in their order, (time, overpass, *cells*), and one of them for its coordinates."""
    sites, maps = _apart(records)
    times, codes = common_days(*records.values(), days=days), common_overpasses(*records.values())
    if not maps:
        step = max(1, _BLOCK_VALUES // (len(codes) * next(iter(sites.values())).sizes["site"]))
        parts = (times[begin : begin + step] for begin in range(0, len(times), step))
        blocks: Any = (({}, next(iter(sites.values()))["frozen"].sel(time=t, overpass=codes)) for t in parts)
    else:
        *claims, last = maps if not sites else (*maps, next(iter(sites)))
        truth = records[last].sel(overpass=codes)
        blocks = matched({name: records[name] for name in claims}, truth, days=times)
    for fields, like in blocks:
        part = {"time": like["time"], "overpass": codes}
        at_sites = {name: ds["frozen"].sel(part) for name, ds in sites.items()}
        everything = {**fields, **at_sites}
        chosen = [everything.get(name, like) for name in records]
        yield [field.transpose(*like.dims).values for field in chosen], like


def _members(strata: Mapping[str, Any] | None, records: Mapping[str, xr.Dataset]) -> dict[str, Array]:
    """The strata as bool over the cells, or over the sites that lie in them."""
    sites, maps = _apart(records)
    place = next(iter(sites.values())) if sites else None
    grid = same_grid(maps) if maps else None
    shape = grid.shape if grid is not None else (place.sizes["site"],) if place is not None else ()
    fields = {n: np.asarray(m, bool) for n, m in (strata or {"all": np.ones(shape, bool)}).items()}
    for name, mask in fields.items():
        if mask.shape != shape:
            raise InputError("E-INPUT-GRID", where=name, cause=f"mask of {mask.shape} on a grid of {shape}")
    if place is None or grid is None:
        return fields
    rows, cols = grid.locate(place["lon"].values, place["lat"].values)
    return {name: mask[rows, cols] & (rows >= 0) for name, mask in fields.items()}


def _empty(cells: int, products: int) -> dict[str, Array]:
    sizes = {"count": 2**products, "losses": 2, "pairs": len(_SERIES)}
    return {name: np.zeros((size, cells), np.int32) for name, size in sizes.items()}


def _words(
    records: Mapping[str, xr.Dataset], by: Callable[[Any], Any], days: Any
) -> Iterator[tuple[Any, Array, Array, Array, Array, xr.DataArray]]:
    """Label, says (1, product, cells), what some know, some do not, and ties (1, cells) of up to WORD days of a group;
    and a field of theirs.

    The arrays are used again for the next.
    """
    from frostline.validate.moments_bits import WORD, pack  # numba is loaded by those who count, not by --help

    says = some = gone = tied = np.empty(0, np.uint32)
    filled, label, like = 0, None, None
    for fields, like in _together(records, days):
        labels = np.asarray(by(like["time"].values))
        flat = [field.reshape(len(labels), -1) for field in fields]
        if not says.size:
            says = np.zeros((1, len(flat), flat[0].shape[1]), np.uint32)
            some, gone, tied = np.zeros((3, 1, flat[0].shape[1]), np.uint32)
        begin = 0
        while begin < len(labels):
            if filled == WORD or (filled and labels[begin] != label):
                yield label, says, some, gone, tied, like
                says[:], some[:], gone[:], tied[:], filled = 0, 0, 0, 0, 0
            label, end = labels[begin], begin + 1
            while end < len(labels) and end - begin < WORD - filled and labels[end] == label:
                end += 1
            for i, field in enumerate(flat):
                pack(field[begin:end], filled, says[0, i], some[0], gone[0], tied[0])
            filled, begin = filled + end - begin, end
    if like is not None:
        yield label, says, some, gone, tied, like


def _described(ds: xr.Dataset, names: list[str]) -> xr.Dataset:
    says = patterns(len(names))
    return ds.assign_coords(pattern=np.arange(says.shape[1]), product=list(names), says=(("product", "pattern"), says))
