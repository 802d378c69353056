"""The closed form of three products, compiled: many cells or resamples at a time, 40 times as fast as in NumPy.

What it means is `collocation_em.closed_plain`. Of three products the covariances give v by square roots alone: with
p = Q12 Q13 Q23 > 0, |v1| = sqrt(p) / |Q23| and so on, and v1 v2 v3 = +- sqrt(p).
"""

from __future__ import annotations

import numpy as np
from numba import njit

Array = np.ndarray
BLOCK = 256  # units at a time: what they need stays in the first-level cache
NAN = np.nan
_ROWS = tuple(np.uint64(BLOCK * r) for r in range(16))
TOGETHER, DRAWS = 4, 16  # units summed in a pass; draws made of a pattern's counts while these are at hand
LINE, SPARE = 64, 16  # bytes of a line of the cache; numbers more than needed, to begin with one
_RESULTS = 14  # mu, v, psi, eta of three products, b, residual


def closed_three(count: Array, codes: dict[str, int], *, least: float, edge: float, still: float) -> dict[str, Array]:
    """`collocation_em.closed_plain` of count (..., 8), float32 or float64; `codes` are its STATUS."""
    shape = count.shape[:-1]
    inner = count.size // 8 if count.flags.c_contiguous or not shape else shape[-1]
    some = count.reshape(-1, max(inner, 1), 8)
    units = some.shape[0] * inner
    found, status = np.empty((_RESULTS, units)), np.empty(units, np.int8)
    _blocks(some, float(least), edge, still, _numbers(codes), found, status)
    parts = [np.moveaxis(found[3 * i : 3 * i + 3], 0, -1).reshape(*shape, 3) for i in range(4)]
    residual = np.broadcast_to(found[13].reshape(shape)[..., None], (*shape, 3))  # nothing is left over of three
    return dict(zip(("mu", "v", "psi", "eta"), parts, strict=True)) | {
        "b": found[12].reshape(shape),
        "residual": residual,
        "status": status.reshape(shape),
    }


def closed_of_draws(
    count: Array, draws: Array, codes: dict[str, int], *, least: float, edge: float, still: float
) -> dict[str, Array]:
    """`collocation_em.closed_draws`: sums of count (units, 8, cells) by draws (draws, units), a block of cells each."""
    found = np.empty((7, len(draws), count.shape[2]))
    _draws(count, draws.astype(np.float32), float(least), edge, still, _numbers(codes), found)
    return {"psi": np.moveaxis(found[:3], 0, 1), "eta": np.moveaxis(found[3:6], 0, 1), "b": found[6]}


def _numbers(codes: dict[str, int]) -> Array:
    names = ("ok", "outside_unit_interval", "zero_variance", "negative_product", "too_few", "identical")
    return np.array([codes[name] for name in names], float)


@njit(cache=True, nogil=True)
def _draws(
    count: Array, draws: Array, least: float, edge: float, still: float, codes: Array, found: Array
) -> None:  # pragma: no cover
    units, cells = len(count), count.shape[2]
    size = (units + 1) * BLOCK  # the last unit is none
    own = _from_line(np.zeros(8 * size + SPARE, np.float32))[: 8 * size].reshape(8, size)
    total = _from_line(np.empty(DRAWS * 8 * BLOCK + SPARE, np.float32))[: DRAWS * 8 * BLOCK].reshape(DRAWS, 8 * BLOCK)
    f = _from_line(np.empty((_RESULTS + 1) * BLOCK + SPARE))
    start, times = np.empty((DRAWS, units + TOGETHER), np.uint64), np.empty((DRAWS, units + TOGETHER), np.float32)
    drawn = np.empty(DRAWS, np.int64)
    for begin in range(0, cells, BLOCK):
        m = min(BLOCK, cells - begin)
        for u in range(units):
            for p in range(8):
                _put(count[u, p, begin : begin + m], own[p, u * BLOCK :])
        for first in range(0, len(draws), DRAWS):
            some = draws[first : first + DRAWS]
            for d in range(len(some)):
                drawn[d] = _units(some[d], start[d], times[d])
            total[:] = 0
            for p in range(8):
                for d in range(len(some)):
                    _add(own[p], start[d], times[d], drawn[d], total[d, p * BLOCK : (p + 1) * BLOCK])
            for d in range(len(some)):
                _solve(total[d], m, least, edge, still, codes, f)
                for r in range(7):  # psi, eta, b
                    _put(f[(r + 6) * BLOCK : (r + 6) * BLOCK + m], found[r, first + d, begin:])


@njit(cache=True, nogil=True)
def _from_line(room: Array) -> Array:  # pragma: no cover
    """`room` from its first whole line of the cache on: reading across lines made draws a quarter slower."""
    return room[(-room.ctypes.data % LINE) // room.itemsize :]


@njit(cache=True, nogil=True)
def _units(draw: Array, start: Array, times: Array) -> int:  # pragma: no cover
    """How many units a draw has; where each begins and how often it counts, filled up by the unit that is none."""
    drawn = 0
    for u in range(draw.size):
        if draw[u] > 0:
            start[drawn], times[drawn] = u * BLOCK, draw[u]
            drawn += 1
    start[drawn : drawn + TOGETHER], times[drawn : drawn + TOGETHER] = draw.size * BLOCK, 0
    return drawn


# A pattern's counts of all units stay in the first-level cache for DRAWS draws. Whole numbers below 2^24 are exact in
# any order.
@njit(cache=True, nogil=True)
def _add(own: Array, start: Array, times: Array, drawn: int, out: Array) -> None:  # pragma: no cover
    for k in range(0, drawn, TOGETHER):
        a, b, c, d = times[k], times[k + 1], times[k + 2], times[k + 3]
        r, s, t, u = start[k], start[k + 1], start[k + 2], start[k + 3]
        for i in range(BLOCK):
            j = np.uint64(i)
            out[j] += a * own[r + j] + b * own[s + j] + c * own[t + j] + d * own[u + j]


@njit(cache=True, nogil=True)
def _blocks(
    count: Array, least: float, edge: float, still: float, codes: Array, found: Array, status: Array
) -> None:  # pragma: no cover
    n, f = np.empty(8 * BLOCK), np.empty((_RESULTS + 1) * BLOCK)
    inner = count.shape[1]
    units = count.shape[0] * inner
    for begin in range(0, units, BLOCK):
        m = min(BLOCK, units - begin)
        done = 0
        while done < m:  # as much as is in a row
            o, i = divmod(begin + done, inner)
            k = min(m - done, inner - i)
            for p in range(8):
                _put(count[o, i : i + k, p], n[p * BLOCK + done :])
            done += k
        _solve(n, m, least, edge, still, codes, f)
        for r in range(_RESULTS):
            _put(f[r * BLOCK : r * BLOCK + m], found[r, begin:])
        for j in range(m):
            status[begin + j] = np.int8(f[_RESULTS * BLOCK + j])


@njit(cache=True, nogil=True)
def _put(row: Array, out: Array) -> None:  # pragma: no cover
    for j in range(row.size):
        out[j] = row[j]


# Patterns and results stand in two flat arrays, BLOCK apart: the compiler sees that these rows do not overlap, which
# it does not look into for 23 arrays, and makes SIMD of the loop.
@njit(cache=True, nogil=True, error_model="numpy")
def _solve(
    counts: Array, size: int, least: float, edge: float, still: float, codes: Array, out: Array
) -> None:  # pragma: no cover
    ok, outside, still_one, negative, few, same = codes[0], codes[1], codes[2], codes[3], codes[4], codes[5]
    for i in range(size):
        j = np.uint64(i)  # unsigned: no index counts from the end
        n0, n1 = np.float64(counts[j]), np.float64(counts[j + _ROWS[1]])
        n2, c3 = np.float64(counts[j + _ROWS[2]]), np.float64(counts[j + _ROWS[3]])
        n4, c5 = np.float64(counts[j + _ROWS[4]]), np.float64(counts[j + _ROWS[5]])
        c6, c7 = np.float64(counts[j + _ROWS[6]]), np.float64(counts[j + _ROWS[7]])
        up1, up2, up3 = n1 + c3 + c5 + c7, n2 + c3 + c6 + c7, n4 + c5 + c6 + c7
        both12, both13, both23 = c3 + c7, c5 + c7, c6 + c7
        n = n0 + n1 + n2 + n4 + c3 + c5 + c6 + c7
        per = 1 / (n if n > 0 else 1.0)
        s1, s2, s3 = up1 * per, up2 * per, up3 * per
        m1, m2, m3 = 2 * s1 - 1, 2 * s2 - 1, 2 * s3 - 1
        # covariances of +1 and -1, exactly 0 where whole counts say so
        q12, q13, q23 = n * both12 - up1 * up2, n * both13 - up1 * up3, n * both23 - up2 * up3
        q12, q13, q23 = 4 * per * per * q12, 4 * per * per * q13, 4 * per * per * q23
        third = 8 * (c7 * per - per * (s1 * both23 + s2 * both13 + s3 * both12) + 2 * s1 * s2 * s3)
        d12, d13, d23 = per * (up1 + up2 - 2 * both12), per * (up1 + up3 - 2 * both13), per * (up2 + up3 - 2 * both23)
        p = q12 * q13 * q23
        low_d, high_d = min(d12, min(d13, d23)), max(d12, max(d13, d23))
        kind = ok if p > 0 else negative
        kind = same if (low_d <= still) | (high_d >= 1 - still) else kind
        kind = still_one if min(1 - m1 * m1, min(1 - m2 * m2, 1 - m3 * m3)) <= still else kind
        kind = few if (n < least) | (n <= 0) else kind
        solved = kind == ok
        root_p = np.sqrt(p if solved else 1.0)
        w12, w13, w23 = abs(q12) if solved else 1.0, abs(q13) if solved else 1.0, abs(q23) if solved else 1.0
        x1, x2, x3 = root_p / w23, root_p / w13, root_p / w12
        # signs such that the majority is better than chance: none, or one that differs from both others
        x1 = -x1 if (q12 < 0) & (q13 < 0) else x1
        x2 = -x2 if (q12 < 0) & (q23 < 0) else x2
        x3 = -x3 if (q13 < 0) & (q23 < 0) else x3
        alpha = third / (root_p if (q12 > 0) & (q13 > 0) & (q23 > 0) else -root_p)
        alpha = alpha if solved else 0.0
        root = np.sqrt(4 + alpha * alpha)
        more, less = (root + alpha) / 2, (root - alpha) / 2
        y1, y2, y3 = (1 + m1 + x1 * more) / 2, (1 + m2 + x2 * more) / 2, (1 + m3 + x3 * more) / 2
        z1, z2, z3 = (1 - m1 + x1 * less) / 2, (1 - m2 + x2 * less) / 2, (1 - m3 + x3 * less) / 2
        lowest = min(min(y1, min(y2, y3)), min(z1, min(z2, z3)))
        highest = max(max(y1, max(y2, y3)), max(z1, max(z2, z3)))
        inside = (lowest >= -edge) & (highest <= 1 + edge)
        known = n > 0
        out[j], out[j + _ROWS[1]], out[j + _ROWS[2]] = m1 if known else NAN, m2 if known else NAN, m3 if known else NAN
        rest = 0.0 if solved else NAN
        out[j + _ROWS[3]], out[j + _ROWS[4]], out[j + _ROWS[5]] = x1 + rest, x2 + rest, x3 + rest
        out[j + _ROWS[6]], out[j + _ROWS[7]], out[j + _ROWS[8]] = y1 + rest, y2 + rest, y3 + rest
        out[j + _ROWS[9]], out[j + _ROWS[10]], out[j + _ROWS[11]] = z1 + rest, z2 + rest, z3 + rest
        out[j + _ROWS[12]], out[j + _ROWS[13]] = rest - alpha / root, rest
        out[j + _ROWS[14]] = kind if inside | (not solved) else outside
