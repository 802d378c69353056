"""Intervals of collocation by hand, near 1, and how often they hold the truth; ranks whatever the order of products."""

import itertools

import numpy as np
import pytest
import studies_collocation as studies
from scipy.special import expit, logit

from frostline.config_china import CollocateTable
from frostline.grid import named
from frostline.schema import record
from frostline.twin.injector import inject
from frostline.validate.collocation import _reach, collocate, with_intervals
from frostline.validate.collocation_doubts import preconditions
from frostline.validate.moments import moments


def test_bounds_by_hand():
    """Odds drawn 4 -+ 1: sd sqrt(2), two blocks: sqrt(2/1), t(1) at .75 is 1: 4 -+ 2."""
    drawn = expit(np.array([[3.0], [5.0]]))
    lower, upper = _reach(expit(np.array([4.0])), drawn, worth=np.array([1e9]), blocks=2.0, level=0.5)
    np.testing.assert_allclose(logit([lower[0], upper[0]]), [2.0, 6.0], atol=1e-6)


def test_flawless_products_are_not_sure():
    """All draws at 1, of 200 samples: no surer than 200 without an error, .05^(1/200) = .98513; and 0 mirrors it."""
    for value, far in ((1.0, 0.98513), (0.0, 1 - 0.98513)):
        lower, upper = _reach(
            np.array([value]), np.full((50, 1), value), worth=np.array([200.0]), blocks=10.0, level=0.9
        )
        assert sorted([float(lower[0]), float(upper[0])]) == pytest.approx(sorted([value, far]), abs=1e-5)


def test_what_has_no_interval():
    drawn = np.array([[0.8, np.nan, 0.8], [0.9, np.nan, 0.9], [0.7, 0.9, 0.7]])
    value = np.array([0.8, 0.8, np.nan])
    lower, upper = _reach(value, drawn, worth=np.full(3, 500.0), blocks=10.0, level=0.9)
    assert np.isfinite(lower).tolist() == np.isfinite(upper).tolist() == [True, False, False]
    assert np.isnan(_reach(value, drawn, worth=np.full(3, 500.0), blocks=1.0, level=0.9)[0]).all()


def test_ranks_belong_to_products_and_not_to_places():
    """Orders that cycle three are where sorting indices (which published code returns) differ from ranks."""
    psi, eta = {"x": 0.95, "y": 0.88, "z": 0.8}, {"x": 0.96, "y": 0.9, "z": 0.82}
    records = inject(studies.truth(20, 4, seed=2), psi, eta, length=0, seed=2)
    for names in itertools.permutations(records):
        sums = moments({name: records[name] for name in names})
        found = with_intervals(sums, collocate(sums), resamples=50).squeeze()
        assert [int(found["rank"].sel(product=name)) for name in "xyz"] == [1, 2, 3], names
        share = found["rank_share"]
        assert all(float(share.sel(product=n, rank_place=r)) > 0.95 for n, r in zip("xyz", (1, 2, 3), strict=True))


def test_the_papers_triplet_is_warned_of_before_any_number():
    """Fused, stations, reanalysis: the reanalysis feeds the nets that are fused (Cui 2024)."""
    grid = named("M09").around(100.0, 40.0, (1, 2))
    one = record(np.ones((1, 1, 1, 2), np.float32), grid=grid, time=["2020-01-01"], overpass=[0])
    lineage = {"fused": ["convlstm_smap", "convlstm_esdr"], "convlstm_smap": ["reanalysis", "smap"]}
    trio = {"fused": one, "stations": one, "reanalysis": one}
    warned = preconditions(trio, lineage={**lineage, "stations": [], "reanalysis": []})
    assert warned[0].startswith("reanalysis is an input of fused") and "no evidence" in warned[0]


def test_the_default_of_the_package_is_that_of_the_experiment_file():
    assert with_intervals.__kwdefaults__["block"] == CollocateTable().block_days
    assert with_intervals.__kwdefaults__["level"] == CollocateTable().confidence


def test_a_decade_tells_within_two_points():
    line = studies.recovery("x", years=11, pooled=1, runs=12, persistence=0.0, share=0.3, seed=5)
    assert line.held, line.text


@pytest.mark.slow
@pytest.mark.parametrize("persistence", [0.0, 0.8])
def test_ninety_percent_intervals_hold_the_truth(persistence):
    """500 decades each; three seeds gave .90-.97 and .90-.95."""
    lines = studies.coverage("x", studies.PSI, studies.ETA, persistence, repeats=500, seed=3)
    assert all(line.held for line in lines), [line.text for line in lines]


def test_errors_that_last_are_warned_of():
    lines = studies.coverage("x", studies.PSI, studies.ETA, 0.95, repeats=50, seed=3)
    assert "disagreement persists" in lines[-1].text
