"""Skill over the climatology: by hand, and as the rows of `scores.json` carry it."""

import numpy as np
import pytest

from frostline.scores import SCORES
from frostline.validate.calibration import KINDS, RELIABILITY
from frostline.validate.rows import evaluate
from frostline.validate.skill import of_difference, of_scores, skill
from test_validate_rows import flags, made

TIMES = np.arange("2019-01-01", "2019-03-01", dtype="datetime64[D]")


def test_skill_by_hand():
    # 95 % right where the calendar has 90 %: half of its errors are gone
    assert skill(np.array(0.95), np.array(0.9)) == pytest.approx(0.5)
    assert skill(np.array(0.85), np.array(0.9)) == pytest.approx(-0.5)
    assert skill(np.array(0.03), np.array(0.12), 0.0) == pytest.approx(0.75)  # of a Brier score
    assert skill(np.array(-0.02), np.array(0.08), 0.0) == pytest.approx(0.75)  # a bias is as bad on either side
    assert np.isnan(skill(np.array(1.0), np.array(1.0)))  # nothing was left to gain
    assert of_difference(np.array([0.03]), np.array([0.9])) == pytest.approx(0.3)
    assert np.isnan(of_difference(np.array([0.0]), np.array([1.0]))).all()


def test_resolution_is_best_where_it_is_all_of_the_variance():
    # half of 100 days frozen: variance .25; the claim sorts them so that its bins hold 10 % and 90 %: resolution .16
    sums = {f"{kind}_in_bin_{b:02d}": np.zeros((2, 1)) for kind in KINDS for b in range(11)}
    sums["count_in_bin_01"][0], sums["frozen_in_bin_01"][0] = 50, 5
    sums["count_in_bin_09"][0], sums["frozen_in_bin_09"][0] = 50, 45
    sums["count_in_bin_05"][1], sums["frozen_in_bin_05"][1] = 100, 50  # the climatology: resolution 0
    found = of_scores({"brier_resolution": np.array([[0.16], [0.0]])}, sums, base=1)["brier_resolution"]
    assert found.ravel().tolist() == pytest.approx([0.64, 0.0])


def test_every_row_of_a_score_has_its_skill_over_the_climatology():
    one, other = np.random.default_rng(1), np.random.default_rng(2)
    shape = (len(TIMES), 2, 2, 2)
    truth = made(TIMES, one.integers(0, 2, shape), overpass=(0, 1))
    worse = made(TIMES, other.integers(0, 21, shape) / 20, overpass=(0, 1))
    right = truth.assign(frozen=truth["frozen"] * 0.9 + 0.05)
    rows = evaluate(
        {"unet": right, "climatology": worse},
        {"truth": truth},
        days={"heldout": flags(TIMES)},
        scores=SCORES | RELIABILITY,
        differences=[("unet", "climatology")],
        pooled=True,
        resamples=20,
    )
    table = {(r["record"], r["overpass"], r["stratum"], r["score"]): r for r in rows}
    for (record, overpass, stratum, score), row in table.items():
        if score == "coverage":
            assert np.isnan(row["skill"])
        elif record == "climatology":
            assert row["skill"] == 0
        elif score == "accuracy":
            base = table["climatology", overpass, stratum, "accuracy"]["value"]
            assert row["skill"] == pytest.approx((row["value"] - base) / (1 - base)) == 1
        elif score == "brier":
            mine = table[record, overpass, stratum, "brier_skill"]
            assert row["skill"] == pytest.approx(mine["value"]) == mine["skill"] and 0.9 < row["skill"] < 1
        elif score == "accuracy_difference":
            assert row["skill"] == pytest.approx(table["unet", overpass, stratum, "accuracy"]["skill"])
        else:
            assert np.isfinite(row["skill"]) and row["skill"] <= 1, (score, row)
    alone = evaluate({"unet": right}, {"truth": truth}, days={"heldout": flags(TIMES)}, resamples=20)
    assert np.isnan([row["skill"] for row in alone]).all()
