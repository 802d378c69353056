"""Patterns of frozen and thawed counted by bits: up to 32 days of a cell are a word, and one instruction counts them.

Compiled; `moments.cell_moments` says what the sums mean. Rows are 1-D over cells, which makes every loop SIMD; numba
widens uint32 to 64 bits, hence the casts.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

Array = np.ndarray
WORD = 32  # days
STRIP = 4096  # cells at a time: 64 patterns of six products stay in the second-level cache
LANES, WORDS, AHEAD = 16, 4, 8  # of three products: cells and words at once; lines of cells that are asked for early
ONE = np.uint32(1)
_SHIFTS = tuple(np.uint32(s) for s in (1, 2, 4, 8, 16))
_NEWEST = np.uint32(WORD - 1)


@njit(cache=True, nogil=True)
def pack(field: Array, first: int, says: Array, some: Array, gone: Array, tied: Array) -> None:  # pragma: no cover
    """Sets bits `first` and on from the days of a product (days, cells): frozen, known, unknown, exactly .5; uint32."""
    for day in range(field.shape[0]):
        _pack_day(field[day], np.uint32(ONE << np.uint32(first + day)), says, some, gone, tied)


@njit(cache=True, nogil=True)
def valid(some: Array, gone: Array, tied: Array, out: Array) -> None:  # pragma: no cover
    """The days (cells) that all products know and none calls a tie: the days that have a pattern."""
    for j in range(out.size):
        out[j] = some[j] & ~gone[j] & ~tied[j]


@njit(cache=True, nogil=True)
def count(says: Array, every: Array, out: Array) -> None:  # pragma: no cover
    """Adds to `out` (pattern, cells) int32 how often each pattern stands in words (word, product, cells) as packed.

    `every` (word, cells): the days that count. Of three products fast where all arrays are contiguous.
    """
    words, products, cells = says.shape
    whole = says.flags.c_contiguous and every.flags.c_contiguous and out.flags.c_contiguous  # as addresses suppose
    lines = cells // LANES if products == 3 and whole else 0
    fours = words - words % WORDS if lines else 0
    at = np.empty(4 * WORDS + 8, np.int64)
    for p in range(8 if lines else 0):
        at[4 * WORDS + p] = out.ctypes.data + 4 * p * cells
    for w in range(0, fours, WORDS):
        for k in range(WORDS):
            at[4 * k] = every.ctypes.data + 4 * (w + k) * cells
            for i in range(3):
                at[4 * k + i + 1] = says.ctypes.data + 4 * (3 * (w + k) + i) * cells
        _lanes(at, lines)
    _count_plain(says[:fours], every[:fours], lines * LANES, out)
    _count_plain(says[fours:], every[fours:], 0, out)


@njit(cache=True, nogil=True)
def _count_plain(says: Array, every: Array, begin: int, out: Array) -> None:  # pragma: no cover
    """`count` of any number of products, of the cells from `begin` on, strip by strip: patterns stay in the cache."""
    words, products, cells = says.shape
    mask = np.empty((1 << products, min(STRIP, cells)), np.uint32)
    for lo in range(begin, cells, STRIP):
        hi = min(lo + STRIP, cells)
        part, m = slice(lo, hi), hi - lo
        for w in range(words):
            mask[0, :m] = every[w, part]
            for i in range(products):
                for p in range(1 << i):
                    _split(says[w, i, part], mask[p, :m], mask[p + (1 << i), :m])
            for p in range(1 << products):
                _count(mask[p, :m], out[p, part])


def _words_by_lanes(typing: Any, at: Any, lines: Any) -> Any:  # pragma: no cover
    """`count` of WORDS words of three products, LANES cells at a time, as instructions on vectors.

    at: addresses of the rows of each word, `every` and three products, then of the 8 of `out`. All counts of a line
    of cells stay in registers; of more rows than these the processor foresees too little of what is read, so each is
    asked for AHEAD lines early. LLVM's vectorizer does not look into that many arrays.
    """
    number = ir.IntType(32)
    whole, byte = ir.VectorType(number, LANES), ir.IntType(8).as_pointer()

    def code(context: Any, build: Any, signature: Any, args: Any) -> Any:
        data = context.make_array(signature.args[0])(context, build, args[0]).data
        rows = [
            build.inttoptr(build.load(build.gep(data, [ir.Constant(number, k)])), whole.as_pointer())
            for k in range(4 * WORDS + 8)
        ]
        ones, ask = (
            cgutils.get_or_insert_function(build.module, ir.FunctionType(gives, takes), f"llvm.{name}")
            for name, gives, takes in (
                (f"ctpop.v{LANES}i32", whole, [whole]),
                ("prefetch.p0i8", ir.VoidType(), [byte, number, number, number]),
            )
        )
        how = [ir.Constant(number, n) for n in (0, 3, 1)]  # to read, into all caches, data
        with cgutils.for_range(build, args[1]) as loop:
            later = build.add(loop.index, ir.Constant(loop.index.type, AHEAD))
            sums: list[Any] = []
            for k in range(WORDS):
                word = rows[4 * k : 4 * k + 4]
                for row in word:
                    build.call(ask, [build.bitcast(build.gep(row, [later]), byte), *how])
                days, *says = (build.load(build.gep(row, [loop.index]), align=4) for row in word)
                shown = [days]
                for up in says:  # frozen after thawed: as the bits of a pattern count
                    frozen = [build.and_(part, up) for part in shown]
                    shown = [build.xor(part, f) for part, f in zip(shown, frozen, strict=True)] + frozen
                counts = [build.call(ones, [part]) for part in shown]
                sums = counts if not sums else [build.add(s, c) for s, c in zip(sums, counts, strict=True)]
            for row, added in zip(rows[4 * WORDS :], sums, strict=True):
                place = build.gep(row, [loop.index])
                build.store(build.add(build.load(place, align=4), added), place, align=4)
        return context.get_dummy_value()

    return types.void(at, lines), code


_lanes: Any = intrinsic(_words_by_lanes)


@njit(cache=True, nogil=True)
def follow(
    says: Array, every: Array, some: Array, tied: Array, last: Array, losses: Array, pairs: Array
) -> None:  # pragma: no cover
    """Adds what is lost and what follows what in successive words (word, product, cells) of each cell.

    `every`, `some`, `tied` (word, cells): days that all products know, that any knows, that count for no pattern.
    `last` (2, cells) uint32: whether the cell has had a sample, and whether it was a disagreement; it is brought up to
    date. Sums, int32: `losses` (2, cells) dropped and tied; `pairs` (4, cells) of successive samples: pairs, earlier,
    later, both.
    """
    words, products, cells = says.shape
    row = np.empty((2, min(STRIP, cells)), np.uint32)
    for lo in range(0, cells, STRIP):
        hi = min(lo + STRIP, cells)
        part, m = slice(lo, hi), hi - lo
        all_frozen, any_frozen = row[0, :m], row[1, :m]
        for w in range(words):
            x = says[w]
            all_frozen[:], any_frozen[:] = x[0, part], x[0, part]
            for i in range(1, products):
                _and(x[i, part], all_frozen)
                _or(x[i, part], any_frozen)
            _lose(every[w, part], some[w, part], tied[w, part], losses[0, part], losses[1, part])
            _follow(
                every[w, part], all_frozen, any_frozen, last[0, part], last[1, part],
                pairs[0, part], pairs[1, part], pairs[2, part], pairs[3, part],
            )  # fmt: skip


@intrinsic
def _popcount(typing: Any, x: Any) -> Any:  # pragma: no cover
    """Bits set in uint32, by the processor's instruction; 2.5 times faster than by shifts, which are no more known."""

    def emit(context: Any, builder: Any, signature: Any, words: Any) -> Any:
        return builder.ctpop(words[0])

    return types.uint32(types.uint32), emit


_ones: Any = _popcount


@njit(cache=True, nogil=True)
def _pack_day(
    row: Array, bit: np.uint32, says: Array, some: Array, gone: Array, tied: Array
) -> None:  # pragma: no cover
    none = np.uint32(0)
    for j in range(row.size):
        x = row[j]
        says[j] |= bit if x > 0.5 else none
        some[j] |= bit if x == x else none
        gone[j] |= none if x == x else bit
        tied[j] |= bit if x == 0.5 else none


@njit(cache=True, nogil=True)
def _and(row: Array, out: Array) -> None:  # pragma: no cover
    for j in range(row.size):
        out[j] &= row[j]


@njit(cache=True, nogil=True)
def _or(row: Array, out: Array) -> None:  # pragma: no cover
    for j in range(row.size):
        out[j] |= row[j]


@njit(cache=True, nogil=True)
def _lose(every: Array, some: Array, tied: Array, dropped: Array, ties: Array) -> None:  # pragma: no cover
    for j in range(every.size):
        dropped[j] += np.int32(_ones(some[j] & ~every[j]))
        ties[j] += np.int32(_ones(tied[j]))


@njit(cache=True, nogil=True)
def _split(says: Array, thawed: Array, frozen: Array) -> None:  # pragma: no cover
    for j in range(says.size):
        x, up = thawed[j], says[j]
        frozen[j] = x & up
        thawed[j] = x & ~up


@njit(cache=True, nogil=True)
def _count(mask: Array, count: Array) -> None:  # pragma: no cover
    for j in range(mask.size):
        count[j] += np.int32(_ones(mask[j]))


@njit(cache=True, nogil=True)
def _follow(
    known: Array, all_frozen: Array, any_frozen: Array, had: Array, was: Array,
    number: Array, earlier: Array, later: Array, both: Array,
) -> None:  # pragma: no cover  # fmt: skip
    for j in range(known.size):
        v = known[j]
        bad = np.uint32(v & any_frozen[j] & ~all_frozen[j])  # not all say the same
        # at every day: whether a sample came before it, and whether the last of these was a disagreement; carried
        # over days without a sample in steps of 1, 2, 4, 8 and 16
        any_before, bad_before = np.uint32(v << ONE | had[j]), np.uint32(bad << ONE | was[j])
        for s in _SHIFTS:
            bad_before = np.uint32(bad_before | bad_before << s & ~any_before)
            any_before = np.uint32(any_before | any_before << s)
        number[j] += np.int32(_ones(v & any_before))
        earlier[j] += np.int32(_ones(v & bad_before))
        later[j] += np.int32(_ones(bad & any_before))
        both[j] += np.int32(_ones(bad & bad_before))
        had[j] = (any_before | v) >> _NEWEST
        was[j] = (bad | bad_before & ~v) >> _NEWEST
