"""Patterns of frozen and thawed counted by bits: up to 32 days of a cell are a word, and one instruction counts them.

Compiled; `moments.cell_moments` says what the sums mean. Rows are 1-D over cells, which makes every loop SIMD; numba
widens uint32 to 64 bits, hence the casts.
"""

from __future__ import annotations

import numpy as np
from numba import njit

Array = np.ndarray
WORD = 32  # days
STRIP = 4096  # cells at a time: 64 patterns of six products stay in the second-level cache
ONE = np.uint32(1)
_SHIFTS = tuple(np.uint32(s) for s in (1, 2, 4, 8, 16))
_NEWEST = np.uint32(WORD - 1)
_PAIRS, _HALVES, _NIBBLES = np.uint32(0x55555555), np.uint32(0x33333333), np.uint32(0x0F0F0F0F)
_SUM, _TOP = np.uint32(0x01010101), np.uint32(24)


@njit(cache=True, nogil=True)
def pack(field: Array, first: int, says: Array, known: Array, tied: Array) -> None:  # pragma: no cover
    """Sets the bits `first` and on from the days of a product (days, cells): frozen, known, exactly .5; uint32."""
    for day in range(field.shape[0]):
        _pack_day(field[day], np.uint32(ONE << np.uint32(first + day)), says, known, tied)


@njit(cache=True, nogil=True)
def count(says: Array, known: Array, tied: Array, out: Array) -> None:  # pragma: no cover
    """Adds to `out` (pattern, cells) int32 how often each pattern stands in words (word, product, cells) as packed.

    `tied` (word, cells): days that count for no pattern. Strip by strip, so that its counts stay in the cache.
    """
    words, products, cells = says.shape
    mask = np.empty((1 << products, min(STRIP, cells)), np.uint32)
    for lo in range(0, cells, STRIP):
        hi = min(lo + STRIP, cells)
        part, m = slice(lo, hi), hi - lo
        for w in range(words):
            k, x = known[w], says[w]
            if products == 3:
                _three(
                    k[0, part], k[1, part], k[2, part], x[0, part], x[1, part], x[2, part], tied[w, part],
                    out[0, part], out[1, part], out[2, part], out[3, part],
                    out[4, part], out[5, part], out[6, part], out[7, part],
                )  # fmt: skip
                continue
            _untied(k[0, part], tied[w, part], mask[0, :m])
            for i in range(1, products):
                _and(k[i, part], mask[0, :m])
            for i in range(products):
                for p in range(1 << i):
                    _split(x[i, part], mask[p, :m], mask[p + (1 << i), :m])
            for p in range(1 << products):
                _count(mask[p, :m], out[p, part])


@njit(cache=True, nogil=True)
def follow(
    says: Array, known: Array, tied: Array, last: Array, losses: Array, pairs: Array
) -> None:  # pragma: no cover
    """Adds what is lost and what follows what in successive words (word, product, cells) of each cell.

    `last` (2, cells) uint32: whether the cell has had a sample, and whether it was a disagreement; it is brought up to
    date. Sums, int32: `losses` (2, cells) dropped and tied; `pairs` (4, cells) of successive samples: pairs, earlier,
    later, both.
    """
    words, products, cells = says.shape
    row = np.empty((4, min(STRIP, cells)), np.uint32)
    for lo in range(0, cells, STRIP):
        hi = min(lo + STRIP, cells)
        part, m = slice(lo, hi), hi - lo
        every, some, all_frozen, any_frozen = row[0, :m], row[1, :m], row[2, :m], row[3, :m]
        for w in range(words):
            k, x = known[w], says[w]
            _untied(k[0, part], tied[w, part], every)
            _copy(k[0, part], some)
            _copy(x[0, part], all_frozen)
            _copy(x[0, part], any_frozen)
            for i in range(1, products):
                _and(k[i, part], every)
                _or(k[i, part], some)
                _and(x[i, part], all_frozen)
                _or(x[i, part], any_frozen)
            _lose(every, some, tied[w, part], losses[0, part], losses[1, part])
            _follow(
                every, all_frozen, any_frozen, last[0, part], last[1, part],
                pairs[0, part], pairs[1, part], pairs[2, part], pairs[3, part],
            )  # fmt: skip


@njit(cache=True, nogil=True)
def _three(
    k1: Array, k2: Array, k3: Array, x1: Array, x2: Array, x3: Array, tied: Array,
    n0: Array, n1: Array, n2: Array, n3: Array, n4: Array, n5: Array, n6: Array, n7: Array,
) -> None:  # pragma: no cover  # fmt: skip
    """Three products in one pass, in registers: twice as fast as by rows."""
    for j in range(k1.size):
        v = np.uint32(k1[j] & k2[j] & k3[j] & ~tied[j])
        a, b, c = x1[j], x2[j], x3[j]
        v1, v0 = np.uint32(v & a), np.uint32(v & ~a)
        v11, v01, v10, v00 = np.uint32(v1 & b), np.uint32(v0 & b), np.uint32(v1 & ~b), np.uint32(v0 & ~b)
        n0[j] += np.int32(_ones(v00 & ~c))
        n1[j] += np.int32(_ones(v10 & ~c))
        n2[j] += np.int32(_ones(v01 & ~c))
        n3[j] += np.int32(_ones(v11 & ~c))
        n4[j] += np.int32(_ones(v00 & c))
        n5[j] += np.int32(_ones(v10 & c))
        n6[j] += np.int32(_ones(v01 & c))
        n7[j] += np.int32(_ones(v11 & c))


@njit(cache=True, nogil=True)
def _pack_day(row: Array, bit: np.uint32, says: Array, known: Array, tied: Array) -> None:  # pragma: no cover
    none = np.uint32(0)
    for j in range(row.size):
        x = row[j]
        says[j] |= bit if x > 0.5 else none
        known[j] |= bit if x == x else none
        tied[j] |= bit if x == 0.5 else none


@njit(cache=True, nogil=True)
def _untied(known: Array, tied: Array, out: Array) -> None:  # pragma: no cover
    for j in range(known.size):
        out[j] = known[j] & ~tied[j]


@njit(cache=True, nogil=True)
def _copy(row: Array, out: Array) -> None:  # pragma: no cover
    for j in range(row.size):
        out[j] = row[j]


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
        t = tied[j]
        dropped[j] += np.int32(_ones(np.uint32(some[j] | t) & ~every[j]))
        ties[j] += np.int32(_ones(t))


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


@njit(cache=True, nogil=True)
def _ones(x: np.uint32) -> np.uint32:  # pragma: no cover
    """Bits set: pairs, nibbles, bytes; the compiler knows the idiom."""
    x = np.uint32(x - (x >> ONE & _PAIRS))
    x = np.uint32((x & _HALVES) + (x >> np.uint32(2) & _HALVES))
    x = np.uint32(x + (x >> np.uint32(4)) & _NIBBLES)
    return np.uint32(np.uint32(x * _SUM) >> _TOP)
