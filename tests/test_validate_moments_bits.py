"""Sums by bits against a loop over the days of a cell."""

import numpy as np
import pytest

from frostline.clock import days, season_china, year
from frostline.grid import named
from frostline.schema import record
from frostline.validate import moments_bits as bits
from frostline.validate.moments import cell_moments

GRID = named("M09").around(100.0, 40.0, (2, 3))


def looped(series, labels):
    """Sums of one cell's (product, days) by label, day after day."""
    out, before = {}, None
    for label, values in zip(labels, series.T, strict=True):
        sums = out.setdefault(label, {"count": [0] * 2 ** len(values), **dict.fromkeys(NAMES, 0)})
        if np.isnan(values).all():
            continue
        tie = (values == 0.5).any()
        sums["ties"] += tie
        if tie or np.isnan(values).any():
            sums["dropped"] += 1
            continue
        sums["count"][sum(1 << i for i, v in enumerate(values) if v > 0.5)] += 1
        disagree = len(set(values > 0.5)) > 1
        if before is not None:
            sums["pairs"] += 1
            sums["earlier"] += before
            sums["later"] += disagree
            sums["both"] += before and disagree
        before = disagree
    return out


NAMES = ("dropped", "ties", "pairs", "earlier", "later", "both")


@pytest.mark.parametrize(("products", "by"), [(3, year), (3, season_china), (4, year), (6, season_china)])
def test_sums_are_those_of_a_loop(monkeypatch, products, by):
    """With months that nobody knows, ties, groups that change within a word, and blocks of seven days."""
    monkeypatch.setattr("frostline.validate.match._BLOCK_VALUES", 7 * 2 * 6)
    rng = np.random.default_rng(products)
    times = days("2003-09-20", "2005-01-20")
    values = rng.choice(
        [0, 0.3, 0.5, 0.6, 1], p=[0.4, 0.15, 0.02, 0.13, 0.3], size=(products, len(times), 2, *GRID.shape)
    )
    values[rng.random(values.shape) < 0.15] = np.nan
    values[:, 100:170, 0] = np.nan
    values = values.astype(np.float32)
    records = {"abcdef"[i]: record(values[i], grid=GRID, time=times, overpass=[0, 1]) for i in range(products)}
    found = cell_moments(records, by=by).transpose("group", "overpass", "y", "x", ...)
    labels = by(times)
    assert sorted(found["group"].values) == sorted(set(labels))
    for o, r, c in np.ndindex(2, *GRID.shape):
        for label, sums in looped(values[:, :, o, r, c], labels).items():
            cell = found.sel(group=label).isel(overpass=o, y=r, x=c)
            assert cell["count"].values.tolist() == sums["count"]
            assert [int(cell[name]) for name in NAMES] == [sums[name] for name in NAMES]


@pytest.mark.parametrize("products", [3, 4])
@pytest.mark.parametrize("words", [1, 4, 5, 13])
def test_words_together_count_as_their_bits(products, words):
    """Four words of 16 cells are counted in one pass, what is left over and other numbers of products one by one."""
    rng = np.random.default_rng(words)
    says = rng.integers(0, 2**32, (words, products, 40), dtype=np.uint32)
    every = rng.integers(0, 2**32, (words, 40), dtype=np.uint32)
    found = np.ones((2**products, 40), np.int32)  # counts are added
    bits.count(says, every, found)
    day = np.arange(bits.WORD, dtype=np.uint32)
    pattern = sum((says[:, i, :, None] >> day & 1) << i for i in range(products))
    counts = (every[..., None] >> day & 1).astype(bool)
    for p in range(2**products):
        assert (found[p] == 1 + (counts & (pattern == p)).sum((0, 2))).all()


@pytest.mark.parametrize("words", [1, 4, 5, 2049])
@pytest.mark.parametrize("cells", [3, 16])
def test_words_of_three_products_are_all_counted(words, cells):
    """Four at a time, some left over, and more days of one pattern than 16 bits count."""
    says = np.zeros((words, 3, cells), np.uint32)
    every = np.full((words, cells), 0xFFFFFFFF, np.uint32)
    says[:, 1], says[:, 2, 1] = 0xFFFFFFFF, 0xFFFFFFFF
    says[-1, 0, 2], every[0, 0] = 1, 0b1011
    count = np.ones((8, cells), np.int32)
    bits.count(says, every, count)
    wanted = np.ones((8, cells), int)
    wanted[0b010, 0] += 32 * (words - 1) + 3
    wanted[0b110, 1] += 32 * words
    wanted[0b010, 2] += 32 * words - 1
    wanted[0b011, 2] += 1
    wanted[0b010, 3:] += 32 * words
    np.testing.assert_array_equal(count, wanted)


@pytest.mark.parametrize("strided", ["says", "every", "count"])
def test_words_that_are_not_contiguous_are_counted_alike(strided):
    rng = np.random.default_rng(5)
    arrays = {
        "says": rng.integers(0, 2**32, (8, 3, 64), dtype=np.uint32),
        "every": rng.integers(0, 2**32, (8, 64), dtype=np.uint32),
        "count": np.zeros((8, 64), np.int32),
    }
    bits.count(*arrays.values())
    wanted = arrays["count"].copy()
    room = np.zeros((*arrays[strided].shape[:-1], 128), arrays[strided].dtype)
    room[..., ::2] = 0 if strided == "count" else arrays[strided]
    arrays["count"][:] = 0
    bits.count(*(arrays | {strided: room[..., ::2]}).values())
    np.testing.assert_array_equal(room[..., ::2] if strided == "count" else arrays["count"], wanted)
    assert not room[..., 1::2].any() and wanted.sum() == np.bitwise_count(arrays["every"]).sum()
