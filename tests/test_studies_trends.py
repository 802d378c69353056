"""The study of the trends: its pairs of Earths are the twin's own, and what it counts is what was put in."""

import numpy as np
import pytest
import studies_trends as study

from frostline.grid import named
from frostline.trends import regional_means, table
from frostline.twin.long import long_earth


@pytest.mark.slow
def test_the_pairs_are_the_twins_own_earths():
    """Each Earth of the joint march, still and warmed, is what the twin makes of the same seed alone."""
    grid = named("M09").around(*study.PLACE, (4, 4))
    both = study.earths([3, 5], 4, 2001, 2001)["frozen"].values
    for k, (seed, warming) in enumerate([(3, 0.0), (3, study.WARMING), (5, 0.0), (5, study.WARMING)]):
        blocks = long_earth(grid, start_year=2001, end_year=2001, seed=seed, warming=warming)
        alone = np.concatenate([block["truth"].values.reshape(-1, 2, 16) for block in blocks])
        joint = both[:, :, 16 * k : 16 * k + 16]
        # sums in another order may turn a cell that lies on the very threshold
        assert (alone == joint).mean() > 0.9999


def test_made_series_have_the_slope_that_is_prescribed():
    """Weather with hardly a year of it left out: the mean of many seeds is the slope, the intervals hold it."""
    parts = []
    for seed in range(6):
        values, masks = study.made_series(np.random.default_rng([seed, 2]), -0.5, 0.0)
        assert len(masks) == study.REGIONS * study.CLASSES
        assert values.sizes["year"] == study.YEARS and bool(values.isnull().any())
        rows = table(regional_means(values, masks))
        parts.append(study.held(rows, [-0.5] * len(rows)))
    assert abs(np.mean([p["sen_off"] for p in parts])) < 0.03
    assert np.mean([p["sen"] for p in parts]) > 0.88


def test_what_counts_as_held():
    rows = [{"slope": 1.0, "lo": 0.5, "hi": 1.5, "slope_ols": 1.2, "lo_ols": 1.1, "hi_ols": 1.3}] * 2
    found = study.held(rows, [1.5, 1.6])
    assert found["sen"].tolist() == [True, False] and found["ols"].tolist() == [False, False]
    assert found["sen_off"].tolist() == pytest.approx([-0.5, -0.6]) and found["width"].tolist() == [1.0, 1.0]


def test_memory_has_variance_one_and_the_lag_that_is_asked_for():
    e = study.memory(np.random.default_rng(0), 0.6, (2000, 50))
    assert e.std() == pytest.approx(1, abs=0.02)
    assert np.mean(e[1:] * e[:-1]) == pytest.approx(0.6, abs=0.02)
