"""The rules themselves, on arrays: what several say of a cell becomes one probability, one winner, one agreement."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from frostline.errors import ConfigError, InputError

Array = np.ndarray
CLIP = 1e-3  # no record is surer than 999 to 1: a single 0 or 1 would silence all others (algorithms.md 1.9)
TIE = 1e-6  # float32 probabilities that differ by less are equal
NOBODY = 255  # `winner` where nothing is known; `agreement` where fewer than two records claim a class


class Verdict(NamedTuple):
    """What a rule says of each cell, all of one shape.

    `frozen`: probability of frozen among the two classes, NaN = missing; `confidence`: score of the class given out;
    `winner`: index of the record that decided, NOBODY where none; `agreement`: 1 all that claim a class claim the same,
    0 they do not, NOBODY where fewer than two do; `used` (records, ...): whose values went into `frozen`.
    """

    frozen: Array
    confidence: Array
    winner: Array
    agreement: Array
    used: Array


def softmax(scores: Any) -> Array:
    """Scores (records, classes, ...) as probabilities that sum to 1 over the classes: Cui et al. 2024, equation 1."""
    z = np.asarray(scores, np.float64)
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def literal3(scores: Any, *, order: Sequence[int] = ()) -> Verdict:
    """The paper's sentence to the letter: the same class, else the class with the highest score; missing is a class.

    `scores` (records, classes, ...): probabilities of frozen, thawed and, as a third, missing. Of equal scores the
    record that comes first in `order` (those it does not name follow as given) wins. Where missing wins, `frozen` is
    NaN and `confidence` the score of missing.

    >>> v = literal3(softmax([[0, 0, 3], [1.2, 0.3, -2]]))
    >>> float(v.frozen), round(float(v.confidence), 4), int(v.winner)
    (nan, 0.9094, 0)
    """
    p, m = _split(scores)
    return by_score(p, m, ranking(order, len(p)))


def maxconf(scores: Any, *, order: Sequence[int] = ()) -> Verdict:
    """Frozen or thawed by the surer record, each renormalised over the two classes; arguments as `literal3`.

    A record whose first class is missing has no say; where none has, there is no data.

    >>> v = maxconf(softmax([[0, 0, 3], [1.2, 0.3, -2]]))
    >>> round(float(v.frozen), 4), int(v.winner)
    (0.7109, 1)
    """
    p, m = _split(scores)
    return by_confidence(p, m, ranking(order, len(p)))


def pool(scores: Any, *, weights: Any = None, order: Sequence[int] = ()) -> Verdict:
    """Log-opinion pool: q ~ product of q_k^w_k over the records that have a say; arguments as `literal3`.

    `weights` (records,), default equal, need not sum to 1: they are shared among those that have a say. A record of
    weight 0 has none. Log-odds are clipped (CLIP); the result stays within what the records used said.
    The winner is the record that pulled hardest towards the outcome. Genest and Zidek 1986.

    >>> round(float(pool(softmax([[2, 1, -3], [1, 0.5, -2]])).frozen), 4)
    0.6792
    """
    p, m = _split(scores)
    return by_pull(p, m, ranking(order, len(p)), np.ones(len(p)) if weights is None else np.asarray(weights, float))


def ranking(order: Sequence[int], count: int) -> Array:
    """Indices of all records, those of `order` first."""
    first = [int(k) for k in order]
    if len(set(first)) != len(first) or not set(first) <= set(range(count)):
        raise ConfigError("E-CONFIG", where="fuse", cause=f"an order of {first} for {count} records")
    return np.array(first + [k for k in range(count) if k not in first], np.int64)


def by_score(p: Array, m: Array, order: Array) -> Verdict:
    """`literal3` of p (records, ...), frozen among two classes, and m, score of missing; NaN is missing for sure."""
    unknown = np.isnan(p) | np.isnan(m)
    score = np.where(unknown, p.dtype.type(1), np.maximum((1 - m) * np.maximum(p, 1 - p), m))
    said = _say(p, m)
    first = _first(score, order)
    return Verdict(_take(said, first), _take(score, first), first.astype(np.uint8), _agreement(said), _only(first, p))


def by_confidence(p: Array, m: Array, order: Array) -> Verdict:
    """`maxconf` of p and m as in `by_score`; NaN has no say."""
    said = _say(p, m)
    first = _first(np.where(np.isnan(said), -1, np.maximum(said, 1 - said)), order)
    frozen = _take(said, first)
    known = ~np.isnan(frozen)
    winner = np.where(known, first, NOBODY).astype(np.uint8)
    return Verdict(frozen, np.maximum(frozen, 1 - frozen), winner, _agreement(said), _only(first, p) & known)


def by_pull(p: Array, m: Array, order: Array, weights: Array) -> Verdict:
    """`pool` of p and m as in `by_score`; NaN has no say."""
    said = _say(p, m)
    w = weights.astype(p.dtype).reshape(-1, *(1,) * (p.ndim - 1))
    used = ~np.isnan(said) & (w > 0)
    total = np.where(used, w, 0).sum(axis=0)
    pull = np.where(used, w * log_odds(said), 0) / np.where(total > 0, total, np.nan)
    frozen = chance(pull.sum(axis=0))
    low, high = np.where(used, said, 2).min(axis=0), np.where(used, said, -1).max(axis=0)
    frozen = np.clip(frozen, low, np.maximum(low, high))  # a mean lies among its parts, whatever clip and rounding do
    return _pulled(frozen, pull, used, said, order)


def by_bayes(p: Array, order: Array, b: Array, psi: Array, eta: Array) -> Verdict:
    """Posterior of frozen given the classes of p (records, ...); psi, eta (records, ...) and b broadcast to it.

    A claim of exactly 0.5 is no class and has no say.
    """
    used = ~np.isnan(p) & (p != 0.5) & ~np.isnan(psi) & ~np.isnan(eta) & ~np.isnan(b)
    psi, eta = np.clip(psi, CLIP, 1 - CLIP), np.clip(eta, CLIP, 1 - CLIP)
    says_frozen, says_thawed = np.log(psi / (1 - eta)).astype(p.dtype), np.log((1 - psi) / eta).astype(p.dtype)
    pull = np.where(used, np.where(p > 0.5, says_frozen, says_thawed), p.dtype.type(0))
    posterior = chance((log_odds((1 + b) / 2) + pull.sum(axis=0)).astype(p.dtype))
    frozen = np.where(used.any(axis=0), posterior, p.dtype.type(np.nan))
    return _pulled(frozen, pull, used, p, order)


def log_odds(p: Array) -> Array:
    """log(p / (1 - p)) of probabilities clipped to [CLIP, 1 - CLIP]; NaN stays NaN."""
    p = np.clip(p, CLIP, 1 - CLIP)
    return np.log(p / (1 - p))


def chance(odds: Array) -> Array:
    """Probability of log-odds; what rounding carried off 0.5 by less than TIE is 0.5 again."""
    p = 0.5 + 0.5 * np.tanh(0.5 * odds)
    return np.where(np.abs(p - 0.5) < TIE, p.dtype.type(0.5), p)


def _pulled(frozen: Array, pull: Array, used: Array, said: Array, order: Array) -> Verdict:
    """The verdict of a sum of pulls: the winner pulled hardest towards the outcome; in a tie, hardest of all."""
    way = np.sign(frozen - 0.5)
    towards = np.where(way == 0, np.abs(pull), pull * way)
    first = _first(np.where(used, towards, -np.inf), order)
    known = ~np.isnan(frozen)
    winner = np.where(known, first, NOBODY).astype(np.uint8)
    return Verdict(frozen, np.maximum(frozen, 1 - frozen), winner, _agreement(said), used & known)


def _say(p: Array, m: Array) -> Array:
    """The probability of frozen where a record claims a class, NaN where it is unknown or missing scores higher."""
    return np.where((1 - m) * np.maximum(p, 1 - p) >= m, p, p.dtype.type(np.nan))


def _agreement(said: Array) -> Array:
    """Whether all that claim a class claim the same; a claim of 0.5 is a class of its own."""
    way = np.sign(said - 0.5)
    alike = np.fmax.reduce(way, axis=0) == np.fmin.reduce(way, axis=0)
    return np.where((~np.isnan(said)).sum(axis=0) < 2, NOBODY, alike).astype(np.uint8)


def _first(score: Array, order: Array) -> Array:
    """Index of the highest score; of those equal within TIE, the one that comes first in `order`."""
    return order[np.argmax((score >= score.max(axis=0) - TIE)[order], axis=0)]


def _take(values: Array, index: Array) -> Array:
    return np.take_along_axis(values, index[None], axis=0)[0]


def _only(index: Array, p: Array) -> Array:
    return np.arange(len(p)).reshape(-1, *(1,) * index.ndim) == index


def _split(scores: Any) -> tuple[Array, Array]:
    """Probability of frozen among the two classes, and score of missing, from (records, classes, ...)."""
    s = np.asarray(scores, np.float64)
    if s.ndim < 2 or s.shape[1] not in (2, 3):
        raise InputError("E-INPUT-SCHEMA", where="fuse", cause=f"scores of {s.shape}, not (records, 2 or 3, ...)")
    both = s[:, 0] + s[:, 1]
    return s[:, 0] / np.where(both > 0, both, np.nan), s[:, 2] if s.shape[1] == 3 else np.zeros_like(both)
