"""Patterns of frozen and thawed counted by bits: up to 32 days of a cell are a word, and one instruction counts them.

Compiled; `moments.cell_moments` says what the sums mean. Rows are 1-D over cells, which makes every loop SIMD; numba
widens uint32 to 64 bits, hence the casts.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit, types
from numba.extending import intrinsic

Array = np.ndarray
WORD = 32  # days
STRIP = 4096  # cells at a time: 64 patterns of six products stay in the second-level cache
WIDE, MOST = 16384, 2046  # of three products: cells at a time, whose 8 patterns stay there; words that uint16 counts
_ROWS = tuple(np.uint64(WIDE * p) for p in range(8))
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

    `every` (word, cells): the days that count. Strip by strip, so that its counts stay in the cache.
    """
    words, products, cells = says.shape
    paired = words - words % 2 if products == 3 else 0
    for w in range(0, paired, MOST):
        end = min(w + MOST, paired)
        _count_three(says[w:end], every[w:end], out)
    mask = np.empty((1 << products, min(STRIP, cells)), np.uint32)
    for lo in range(0, cells, STRIP):
        hi = min(lo + STRIP, cells)
        part, m = slice(lo, hi), hi - lo
        for w in range(paired, words):
            mask[0, :m] = every[w, part]
            for i in range(products):
                for p in range(1 << i):
                    _split(says[w, i, part], mask[p, :m], mask[p + (1 << i), :m])
            for p in range(1 << products):
                _count(mask[p, :m], out[p, part])


@njit(cache=True, nogil=True)
def _count_three(says: Array, every: Array, out: Array) -> None:  # pragma: no cover
    """`count` of three products and an even number of words, at most MOST, two of them in a pass."""
    words, _, cells = says.shape
    n = np.empty(8 * WIDE, np.uint16)
    for lo in range(0, cells, WIDE):
        part = slice(lo, min(lo + WIDE, cells))
        n[:] = 0
        for w in range(0, words, 2):
            a, b = says[w], says[w + 1]
            _two_words(
                every[w, part], a[0, part], a[1, part], a[2, part],
                every[w + 1, part], b[0, part], b[1, part], b[2, part], n,
            )  # fmt: skip
        for p in range(8):
            _add(n[p * WIDE :], out[p, part])


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


@njit(inline="always")
def _eight(v: Any, a: Any, b: Any, c: Any) -> Any:  # pragma: no cover
    """How many days of a word show each pattern of three products."""
    v1, v0 = np.uint32(v & a), np.uint32(v & ~a)
    v11, v01, v10, v00 = np.uint32(v1 & b), np.uint32(v0 & b), np.uint32(v1 & ~b), np.uint32(v0 & ~b)
    return (
        np.int32(_ones(v00 & ~c)), np.int32(_ones(v10 & ~c)), np.int32(_ones(v01 & ~c)), np.int32(_ones(v11 & ~c)),
        np.int32(_ones(v00 & c)), np.int32(_ones(v10 & c)), np.int32(_ones(v01 & c)), np.int32(_ones(v11 & c)),
    )  # fmt: skip


# Counts stand in one flat array, WIDE apart: the compiler sees that its rows do not overlap, and makes SIMD of the
# loop. Of more than eight arrays beside it, it would not look into that.
@njit(cache=True, nogil=True)
def _two_words(
    v: Array, a: Array, b: Array, c: Array, v2: Array, a2: Array, b2: Array, c2: Array, n: Array
) -> None:  # pragma: no cover
    """Two words of three products in registers: counts are read and written half as often."""
    for i in range(v.size):
        j = np.uint64(i)  # unsigned: no index counts from the end
        p, q = _eight(v[j], a[j], b[j], c[j]), _eight(v2[j], a2[j], b2[j], c2[j])
        n[j] += np.uint16(p[0] + q[0])
        n[j + _ROWS[1]] += np.uint16(p[1] + q[1])
        n[j + _ROWS[2]] += np.uint16(p[2] + q[2])
        n[j + _ROWS[3]] += np.uint16(p[3] + q[3])
        n[j + _ROWS[4]] += np.uint16(p[4] + q[4])
        n[j + _ROWS[5]] += np.uint16(p[5] + q[5])
        n[j + _ROWS[6]] += np.uint16(p[6] + q[6])
        n[j + _ROWS[7]] += np.uint16(p[7] + q[7])


@njit(cache=True, nogil=True)
def _add(row: Array, out: Array) -> None:  # pragma: no cover
    for j in range(out.size):
        out[j] += row[j]


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
