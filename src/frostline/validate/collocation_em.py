"""The two-class latent model behind categorical collocation, solved in closed form and by constrained likelihood.

T is the unknown truth, +1 frozen and -1 thawed, b = E[T]; product i says X_i = +1 or -1, right with probability psi_i
where it is frozen and eta_i where it is thawed, independently of the others **given T**. With J = psi + eta - 1 and
v = sqrt(1 - b^2) J the covariances are Q_ij = v_i v_j and the third moments T_ijk = alpha v_i v_j v_k,
alpha = -2 b / sqrt(1 - b^2) (Jaffe, Nadler & Kluger 2015; McColl et al. 2016; Cui et al. 2024, eqs. 6-14, whose
"b = psi - eta" is a misprint and whose v must bear a sign). All functions are vectorized over leading axes (cells,
strata, resamples); the last axis is the pattern: bit i of its number is set where product i says frozen.
"""

from __future__ import annotations

from itertools import combinations, product
from typing import Any

import numpy as np

from frostline.errors import ConfigError

Array = np.ndarray
STATUS = {
    "ok": 0,
    "outside_unit_interval": 1,
    "zero_variance": 2,
    "negative_product": 3,
    "too_few": 4,
    "identical": 5,
}
"""What became of the closed form. `outside_unit_interval` is normal sampling near good products and is refitted;
`zero_variance`: a product never changes; `negative_product`: no model of one truth fits the signs of the covariances;
`identical`: two products never (or always) disagree, so errors cannot be told from a copy."""
_EDGE = 1e-9  # psi and eta may leave [0, 1] by this much, which is rounding
_STILL = 1e-12  # a variance or a share of disagreement below this is none
_STEPS = 2000  # most steps of the EM


def patterns(products: int) -> Array:
    """What each product says in each pattern, int8 (products, 2**products) of +1 frozen and -1 thawed.

    >>> patterns(2).tolist()
    [[-1, 1, -1, 1], [-1, -1, 1, 1]]
    """
    bits = np.arange(2**products) >> np.arange(products)[:, None] & 1
    return (2 * bits - 1).astype(np.int8)


def closed_form(count: Any, *, without: Any = (), least: float = 0.0) -> dict[str, Array]:
    """The exact solution of three products, by least squares of log |Q_ij| and of T_ijk for four and more.

    `count` (..., 2**k) holds how often each pattern occurred (or its probability). `without`: pairs of indices whose
    errors are known to depend on each other; their covariance and every triple with both are left out (four products
    or more). `least`: fewer samples are `too_few`.

    Gives mu, v, psi, eta (..., k), b (...), the residuals of log Q (..., pairs) in the order of
    `combinations(range(k), 2)` and status (...) int8. Numbers are NaN where the status allows none, and are never
    clipped. The sign of v, which the data leave open, is such that the majority is better than chance.
    """
    from frostline.validate.collocation_three import closed_three  # numba is loaded by those who collocate

    count = np.asarray(count)
    if _products(count) == 3 and not len(tuple(without)):
        count = count if count.dtype == np.float32 else count.astype(float, copy=False)
        return closed_three(count, STATUS, least=least, edge=_EDGE, still=_STILL)
    return closed_plain(count, without=without, least=least)


def closed_draws(count: Array, draws: Array, *, least: float = 0.0) -> dict[str, Array]:
    """psi, eta (draws, 3, cells) and b (draws, cells) of resampled sums of three products, by `closed_form`.

    `count` (units, 8, cells) whole numbers, of years say; `draws` (draws, units) how often each unit is taken, as of
    `intervals.draw_clusters`. The drawn sums, which must be below 2^24, are never held all at once.
    """
    from frostline.validate.collocation_three import closed_of_draws

    return closed_of_draws(count, draws, STATUS, least=least, edge=_EDGE, still=_STILL)


def closed_plain(count: Any, *, without: Any = (), least: float = 0.0) -> dict[str, Array]:
    """`closed_form` in NumPy, of any number of products; of three it is what the compiled form is checked against."""
    count = np.asarray(count, float)
    sign = patterns(_products(count))
    k = len(sign)
    n = count.sum(-1)
    share = count / np.where(n > 0, n, 1.0)[..., None]
    mu = share @ sign.T.astype(float)
    dev = sign - mu[..., None]  # (..., k, patterns)
    pairs = list(combinations(range(k), 2))
    left_out = {tuple(sorted(p)) for p in without}
    kept = np.array([p not in left_out for p in pairs])
    design = np.array([[float(i in p) for i in range(k)] for p in pairs])
    if np.linalg.matrix_rank(design[kept]) < k:
        raise ConfigError(
            "E-CONFIG", where="collocation", cause="too few pairs of independent products are left to solve for"
        )
    q = np.stack([(share * dev[..., i, :] * dev[..., j, :]).sum(-1) for i, j in pairs], axis=-1)
    differ = np.stack([share @ (sign[i] != sign[j]).astype(float) for i, j in pairs], axis=-1)
    signs, fits = _signs(np.sign(q)[..., kept], np.array(pairs)[kept], k)
    status = np.select(
        [
            (n < least) | (n <= 0),
            (1 - mu**2 <= _STILL).any(-1),
            ((differ <= _STILL) | (differ >= 1 - _STILL)).any(-1),
            ~fits,
        ],
        [STATUS[s] for s in ("too_few", "zero_variance", "identical", "negative_product")],
        STATUS["ok"],
    )
    solvable = status == STATUS["ok"]
    log_q = np.log(np.where(solvable[..., None] & (q != 0), np.abs(q), 1.0))
    log_v = log_q[..., kept] @ np.linalg.pinv(design[kept]).T
    v = signs * np.exp(log_v)
    v = np.where(((signs.sum(-1) < 0) | ((signs.sum(-1) == 0) & (v.sum(-1) < 0)))[..., None], -v, v)
    above = below = np.zeros(n.shape)
    for i, j, m in combinations(range(k), 3):
        if not left_out & {(i, j), (i, m), (j, m)}:
            cube = v[..., i] * v[..., j] * v[..., m]
            above = above + (share * dev[..., i, :] * dev[..., j, :] * dev[..., m, :]).sum(-1) * cube
            below = below + cube**2
    alpha = np.where(solvable, above / np.where(solvable, below, 1.0), 0.0)
    root = np.sqrt(4 + alpha**2)
    # sqrt((1 - b) / (1 + b)) = (root + alpha) / 2, and its inverse (root - alpha) / 2
    psi = (1 + mu + v * ((root + alpha) / 2)[..., None]) / 2
    eta = (1 - mu + v * ((root - alpha) / 2)[..., None]) / 2
    inside = ((psi >= -_EDGE) & (psi <= 1 + _EDGE) & (eta >= -_EDGE) & (eta <= 1 + _EDGE)).all(-1)
    status = np.where(solvable & ~inside, STATUS["outside_unit_interval"], status).astype(np.int8)
    known = solvable[..., None]
    return {
        "mu": np.where(n[..., None] > 0, mu, np.nan),
        "v": np.where(known, v, np.nan),
        "psi": np.where(known, psi, np.nan),
        "eta": np.where(known, eta, np.nan),
        "b": np.where(solvable, -alpha / root, np.nan),
        "residual": np.where(known, log_q - log_v @ design.T, np.nan),
        "status": status,
    }


def refit(count: Any, *, psi: Any, eta: Any, b: Any, prior: Any = 1.0, tolerance: float = 1e-9) -> dict[str, Array]:
    """Maximum likelihood within the unit cube by EM (Dawid & Skene 1979), of the modes the better, majority right.

    `count` (..., 2**k) as in `closed_form`, whose psi, eta, b give one start, clipped into the cube; the majority of
    each pattern gives the other. (Its negation would be no third: EM treats both classes alike, so that path is the
    mirror image of the first.) `prior` (...) a of a Beta(a, a) on every psi and eta; 1 is none, 2 keeps small samples
    off the edge. Gives psi, eta (..., k) and b (...), NaN where count is empty.
    """
    count = np.asarray(count, float)
    shape, k = count.shape[:-1], _products(count)
    flat = count.reshape(-1, count.shape[-1])
    a = np.broadcast_to(np.asarray(prior, float), shape).reshape(-1, 1) - 1.0
    sum_of_signs = patterns(k).sum(0)
    majority = np.broadcast_to(0.5 + 0.4 * np.sign(sum_of_signs), flat.shape)
    p0 = np.clip((1 + np.asarray(b, float).reshape(-1)) / 2, 0.01, 0.99)
    inner = [np.clip(np.asarray(x, float).reshape(-1, k), 0.02, 0.98) for x in (psi, eta)]
    clipped, _ = _expect(p0, *inner)
    clipped = np.where(np.isfinite(clipped), clipped, majority)
    best = _climb(flat, majority, a, tolerance)
    other = _climb(flat, clipped, a, tolerance)
    better = _height(flat, other, a) > _height(flat, best, a)
    p, s, e = (np.where(better.reshape(-1, *[1] * (x.ndim - 1)), y, x) for x, y in zip(best, other, strict=True))
    gain = s + e - 1
    votes = np.sign(gain).sum(-1)
    mirrored = (votes < 0) | ((votes == 0) & (gain.sum(-1) < 0))
    p, s, e = (
        np.where(mirrored, 1 - p, p),
        np.where(mirrored[:, None], 1 - e, s),
        np.where(mirrored[:, None], 1 - s, e),
    )
    known = flat.sum(-1) > 0
    return {
        "psi": np.where(known[:, None], s, np.nan).reshape(*shape, k),
        "eta": np.where(known[:, None], e, np.nan).reshape(*shape, k),
        "b": np.where(known, 2 * p - 1, np.nan).reshape(shape),
    }


def ranks(v: Any) -> Array:
    """1 for the product with the largest v (that is, the largest psi + eta), 2 for the next; 0 where v is NaN.

    >>> ranks([0.5, 0.9, 0.7]).tolist()
    [3, 1, 2]
    """
    v = np.asarray(v, float)
    order = np.argsort(np.argsort(-v, axis=-1, kind="stable"), axis=-1) + 1
    return np.where(np.isfinite(v).all(-1, keepdims=True), order, 0).astype(np.int8)


def _products(count: Array) -> int:
    k = int(count.shape[-1]).bit_length() - 1
    if k < 3 or 2**k != count.shape[-1]:
        raise ConfigError("E-CONFIG", where="collocation", cause="fewer than three products cannot be collocated")
    return k


def _signs(of_q: Array, pairs: Array, k: int) -> tuple[Array, Array]:
    """Signs of v (..., k) with s_i s_j = sgn Q_ij for every pair, and whether there are any."""
    signs = np.ones((*of_q.shape[:-1], k))
    fits = np.zeros(of_q.shape[:-1], bool)
    for rest in product((1.0, -1.0), repeat=k - 1):
        s = np.array([1.0, *rest])
        match = (of_q == s[pairs[:, 0]] * s[pairs[:, 1]]).all(-1)
        signs[match] = s
        fits |= match
    return signs, fits


def _expect(p: Array, psi: Array, eta: Array) -> tuple[Array, Array]:
    """Probability of frozen given each pattern, and of each pattern, (units, patterns)."""
    frozen, thawed = p[:, None], 1 - p[:, None]
    for i, says in enumerate(patterns(psi.shape[-1]) > 0):
        s, e = psi[:, i : i + 1], eta[:, i : i + 1]
        frozen = frozen * np.where(says, s, 1 - s)
        thawed = thawed * np.where(says, 1 - e, e)
    both = frozen + thawed
    return np.where(both > 0, frozen / np.where(both > 0, both, 1.0), 0.5), both


def _maximize(count: Array, weight: Array, a: Array) -> tuple[Array, Array, Array]:
    """Share frozen, psi, eta that fit best when each pattern is frozen with this probability."""
    up = (patterns(_products(count)) > 0).astype(float)
    frozen, thawed = count * weight, count * (1 - weight)
    n1, n0 = frozen.sum(-1, keepdims=True), thawed.sum(-1, keepdims=True)
    below1, below0 = n1 + 2 * a, n0 + 2 * a
    psi = (frozen @ up.T + a) / np.where(below1 > 0, below1, 1.0)
    eta = (thawed @ (1 - up).T + a) / np.where(below0 > 0, below0, 1.0)
    n = n1 + n0
    share = (n1 / np.where(n > 0, n, 1.0))[:, 0]
    return np.minimum(share, 1.0), np.minimum(psi, 1.0), np.minimum(eta, 1.0)  # sums of parts may round past the whole


def _climb(count: Array, weight: Array, a: Array, tolerance: float) -> tuple[Array, Array, Array]:
    """EM from these weights until no parameter moves by more than the tolerance, unit by unit."""
    p, psi, eta = _maximize(count, weight, a)
    going = np.arange(len(count))
    for _ in range(_STEPS):
        weights, _ = _expect(p[going], psi[going], eta[going])
        new = _maximize(count[going], weights, a[going])
        moved = np.abs(new[0] - p[going])
        for x, y in ((psi, new[1]), (eta, new[2])):
            moved = np.maximum(moved, np.abs(y - x[going]).max(-1))
        p[going], psi[going], eta[going] = new
        going = going[moved > tolerance]
        if not len(going):
            break
    return p, psi, eta


def _height(count: Array, found: tuple[Array, Array, Array], a: Array) -> Array:
    """Log posterior density, (units)."""
    _, both = _expect(*found)
    tiny = np.finfo(float).tiny
    edges = sum(np.log(np.maximum(x * (1 - x), tiny)).sum(-1) for x in found[1:])
    return (count * np.log(np.maximum(both, tiny))).sum(-1) + a[:, 0] * edges
