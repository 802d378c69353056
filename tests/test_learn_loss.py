import numpy as np
import pytest
import torch

from frostline.learn.loss import (
    frozen_logit,
    local_variation,
    masked_bce,
    objective,
    objective_of_heads,
    three_class_entropy,
)

# the 3 x 3 vectors of the losses, worked out in the design notes (logit, label, mask; land all but (1, 2))
Z = torch.tensor([[2, -1, 0.5], [0, 3, -2], [1, 1, -1]], dtype=torch.float64)
Y = torch.tensor([[1, 0, 1], [0, 1, 0], [1, 1, 0]], dtype=torch.float64)
M = torch.tensor([[1, 1, 0], [1, 0, 0], [0, 1, 1]], dtype=torch.float64)
LAND = torch.tensor([[1, 1, 1], [1, 1, 0], [1, 1, 1]], dtype=torch.bool)
ALL = torch.ones(3, 3, dtype=torch.bool)


def test_masked_bce_vector():
    assert masked_bce(Z, Y, M).item() == pytest.approx(0.3519720508, abs=1e-9)


def test_masked_bce_by_hand():
    # p = sigmoid(0) = 1/2 and label 1: log 2, with weight 3; logit log 3 (p = 3/4) and label 0: log 4, weight 1
    z, y = torch.tensor([0.0, np.log(3.0), 9.0]), torch.tensor([1.0, 0.0, float("nan")])
    got = masked_bce(z, y, torch.tensor([3.0, 1.0, 0.0])).item()
    assert got == pytest.approx((3 * np.log(2) + np.log(4)) / 4, abs=1e-6)


@pytest.mark.parametrize(
    ("field", "cells", "expected"),
    [(Z, ALL, 4.5), (torch.sigmoid(Z), ALL, 0.8139058), (torch.sigmoid(Z), LAND, 0.3792510 + 0.3760130)],
)
def test_local_variation_vectors(field, cells, expected):
    assert local_variation(field, cells).item() == pytest.approx(expected, abs=1e-6)


def test_local_variation_of_logits_by_direction():
    rows = local_variation(Z, torch.tensor([[1, 0, 1]] * 3, dtype=torch.bool))  # no horizontal pair is left
    assert rows.item() == pytest.approx((2 + 1 + 2.5 + 1) / 4)
    assert local_variation(Z[:1], ALL[:1]).item() == pytest.approx((3 + 1.5) / 2)  # one row has no vertical pair


def test_objective_vector():
    label = torch.where(M > 0, Y, torch.nan)
    # the vector's mask and land are separate: the label lies on land here, so that cells = land alone
    got = objective(Z[None], {"station": label[None]}, LAND[None], lambdas={"station": 1.0}, lambda_lv=0.1, on="prob")
    assert got.item() == pytest.approx(0.4274984598, abs=1e-6)


def test_objective_adds_sources_and_turns_with_polarity():
    label = torch.where(M > 0, Y, torch.nan)[None]
    both = {"reanalysis": label, "station": label}
    lambdas = {"reanalysis": 0.3, "station": 1.0}
    got = objective(Z[None], both, LAND[None], lambdas=lambdas, lambda_lv=0.0)
    assert got.item() == pytest.approx(1.3 * 0.3519720508, abs=1e-8)
    thawed = {k: 1 - v for k, v in both.items()}  # logit and labels of thawed: the same loss
    assert objective(-Z[None], thawed, LAND[None], lambdas=lambdas, lambda_lv=0.2).item() == pytest.approx(
        objective(Z[None], both, LAND[None], lambdas=lambdas, lambda_lv=0.2).item(), abs=1e-12
    )


def test_nothing_to_learn_is_zero_and_differentiable():
    z = Z.clone().requires_grad_()
    empty = torch.full((1, 3, 3), torch.nan, dtype=torch.float64)
    loss = objective(z[None], {"station": empty}, ~ALL[None], lambdas={"station": 1.0}, lambda_lv=0.1)
    loss.backward()
    assert loss.item() == 0
    assert torch.equal(z.grad, torch.zeros_like(z))


def test_labels_off_the_cells_do_not_count():
    cells = ALL.clone()
    cells[0, 0] = False
    wrong = torch.full((1, 3, 3), torch.nan, dtype=torch.float64)
    wrong[0, 0, 0] = 0.0
    assert objective(Z[None], {"station": wrong}, cells[None], lambdas={"station": 1.0}, lambda_lv=0.0).item() == 0


def test_unknown_place_of_variation():
    with pytest.raises(ValueError, match="on="):
        objective(Z[None], {}, ALL[None], lambdas={}, lambda_lv=0.1, on="class")


def test_one_head_is_the_plain_objective():
    z, y = torch.randn(2, 4, 4), {"smap": torch.randint(0, 2, (2, 4, 4)).float()}
    cells = torch.rand(2, 4, 4) > 0.3
    given = {"lambdas": {"smap": 0.7}, "lambda_lv": 0.1}
    assert torch.equal(objective_of_heads(z, y, cells, products=["smap"], **given), objective(z, y, cells, **given))


def test_each_head_pays_for_its_own_labels():
    z, cells = torch.randn(2, 2, 4, 4), torch.ones(2, 4, 4, dtype=torch.bool)
    labels = {name: torch.randint(0, 2, (2, 4, 4)).float() for name in ("station", "smap", "esdr")}
    lambdas = {"station": 1.0, "smap": 0.5, "esdr": 2.0}
    got = objective_of_heads(z, labels, cells, products=["smap", "esdr"], lambdas=lambdas, lambda_lv=0.0)
    one = torch.ones(2, 4, 4)
    parts = [(0, "smap"), (1, "esdr"), (0, "station"), (1, "station")]
    by_hand = sum(lambdas[s] * masked_bce(z[:, k], labels[s], one) for k, s in parts)
    assert got.item() == pytest.approx(by_hand.item(), abs=1e-6)


def test_three_classes_by_hand():
    # softmax of (log 2, 0, 0) = (1/2, 1/4, 1/4): frozen costs log 2, thawed and missing log 4; the fourth is no land
    scores = torch.zeros(1, 3, 2, 2, dtype=torch.float64)
    scores[:, 0] = np.log(2)
    label = torch.tensor([[[1.0, 0.0], [torch.nan, 1.0]]], dtype=torch.float64)
    cells = torch.tensor([[[True, True], [True, False]]])
    assert three_class_entropy(scores, label, cells).item() == pytest.approx((np.log(2) + 2 * np.log(4)) / 3)
    assert torch.sigmoid(frozen_logit(scores[:, None]))[0, 0, 0, 0].item() == pytest.approx(2 / 3)  # of frozen, thawed


def test_missing_labels_teach_nothing_unless_a_class():
    z = torch.randn(1, 1, 3, 4, 4, requires_grad=True)
    label = torch.full((1, 4, 4), torch.nan)
    label[0, 0] = 1.0
    cells = torch.ones(1, 4, 4, dtype=torch.bool)
    given = {"products": ["smap"], "lambdas": {"smap": 1.0}, "lambda_lv": 0.0}
    objective_of_heads(frozen_logit(z), {"smap": label}, cells, **given).backward()
    assert (z.grad[0, 0, :2, 0] != 0).all()
    assert not z.grad[0, 0, :, 1:].any()
    z.grad = None
    objective_of_heads(z, {"smap": label}, cells, **given).backward()
    assert (z.grad != 0).all()
