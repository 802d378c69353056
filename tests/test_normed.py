"""Batch norm, leaky ReLU and dropout in one, against the library's layers in float64."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from torch import nn
from torch.nn import functional as F

from frostline.learn import normed as module
from frostline.learn.normed import normed
from frostline.learn.unet import LEAK, Block, UNet

ROUNDING = 2**-8  # of bfloat16, half a unit in the last place


def field(*shape, offset=20.0):
    """Channels last, in bfloat16, of one sign: means far larger than what is around them."""
    return (torch.randn(shape) * 3 + offset).to(torch.bfloat16).contiguous(memory_format=torch.channels_last)


def norm_of(channels):
    """A batch norm that does something."""
    norm = nn.BatchNorm2d(channels)
    with torch.no_grad():
        norm.weight.copy_(torch.linspace(0.5, 2, channels))
        norm.bias.copy_(torch.linspace(-1, 1, channels))
    return norm


def both(x, grad, kept):
    """Outputs, gradients of fields, weight and bias, and running moments: ours, and the library's in float64."""
    given = []
    for own, like in ((True, x), (False, x.double())):
        norm, like = norm_of(x.shape[1]).to(torch.float32 if own else torch.float64), like.clone().requires_grad_()
        if own:
            y = normed(like, norm, LEAK, kept)
        else:
            y = F.leaky_relu(norm(like), LEAK) * (1 if kept is None else kept)
        y.backward(grad.to(y.dtype))
        given.append([y, like.grad, norm.weight.grad, norm.bias.grad, norm.running_mean, norm.running_var])
        assert norm.num_batches_tracked == 1
    return given


def test_two_cells_by_hand():
    """1 and 3: mean 2, variance 1; times 2 and 1 more are -1 and 3; -1 leaks as -0.1; dropout keeps all, times 2."""
    norm = nn.BatchNorm2d(1, eps=0)
    nn.init.constant_(norm.weight, 2.0)
    nn.init.constant_(norm.bias, 1.0)
    x = torch.tensor([1.0, 3.0]).to(torch.bfloat16).reshape(1, 1, 1, 2)
    y = normed(x, norm, 0.1, torch.full((1, 1, 1, 1), 2.0))
    np.testing.assert_allclose(y.float().detach().ravel(), [-0.2, 6.0], rtol=ROUNDING)
    assert norm.running_mean.item() == pytest.approx(0.1 * 2) and norm.running_var.item() == pytest.approx(
        0.9 + 0.1 * 2
    )


@pytest.mark.parametrize("shape", [(4, 32, 16, 16), (2, 5, 6, 7), (1, 1500, 2, 3), (3, 1, 1, 1)])
@pytest.mark.parametrize("dropped", [False, True])
def test_the_same_as_the_layers_one_by_one(shape, dropped):
    """All but rounding to bfloat16, once."""
    torch.manual_seed(1)
    kept = (torch.rand(*shape[:2], 1, 1) > 0.3).float() / 0.7 if dropped else None
    ours, theirs = both(field(*shape), field(*shape, offset=0), kept)
    for a, b in zip(ours[:2], theirs[:2], strict=True):
        assert a.dtype == torch.bfloat16 and a.is_contiguous(memory_format=torch.channels_last)
        torch.testing.assert_close(a.double(), b, rtol=ROUNDING, atol=1e-3 * b.detach().abs().max().item() + 1e-9)
    for a, b in zip(ours[2:], theirs[2:], strict=True):
        torch.testing.assert_close(a.double(), b, rtol=1e-5, atol=1e-5)


def test_other_layouts_and_threads_change_no_bit():
    """Fields and gradients that do not lie channels last are copied; parts of the samples go to threads."""
    torch.manual_seed(2)
    x, grad, before = field(5, 8, 6, 10), field(5, 8, 6, 10, offset=0), torch.get_num_threads()
    one = both(x, grad, None)[0]
    try:
        torch.set_num_threads(4)
        other = both(x.contiguous(), grad.contiguous(), None)[0]
    finally:
        torch.set_num_threads(before)
    for a, b in zip(one, other, strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_field_that_is_not_finite_does_not_look_finite(bad):
    """A training that diverges is seen by its loss."""
    x = field(2, 3, 4, 4)
    x[1, 2, 3, 3] = bad
    y = normed(x, norm_of(3), LEAK, None)
    assert not torch.isfinite(y[:, 2]).any() and torch.isfinite(y[:, :2]).all()


@settings(max_examples=200)
@given(hnp.arrays(np.float32, 40, elements=st.floats(width=32, allow_nan=False)))
def test_rounding_is_to_the_nearest_even(values):
    """As the library rounds."""
    bits = np.array([module._narrow(v) for v in values], np.uint16)
    assert torch.equal(torch.from_numpy(bits).view(torch.bfloat16), torch.from_numpy(values).to(torch.bfloat16))


@pytest.mark.parametrize("two", [False, True])
def test_a_block_draws_the_same_and_is_as_near_to_the_truth(monkeypatch, two):
    """Of the library's layers in bfloat16 and ours, none is farther from those in float32; of two fields as of one."""
    monkeypatch.setattr(module, "LARGE", 0)
    torch.manual_seed(0)
    block, layers = Block(6, 8, 0.3), nn.Sequential.forward
    fields, weights = (field(2, 4, 8, 8, offset=0), field(2, 2, 8, 8, offset=0)), torch.randn(2, 8, 8, 8)
    found = []
    for own, low in ((True, True), (False, True), (False, False)):
        block.zero_grad()
        nn.init.zeros_(block[1].running_mean)
        torch.manual_seed(4)
        given = fields if low else tuple(f.float() for f in fields)
        given = given if own and two else (torch.cat(given, dim=1),)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=low):
            y = block(*given) if own else layers(block, *given)
        (y.float() * weights).sum().backward()
        found.append([y.float().detach(), block[1].running_mean.clone(), block[0].weight.grad, block[4].bias.grad])
    assert torch.equal(found[0][0] == 0, found[1][0] == 0) and torch.equal(found[0][0] == 0, found[2][0] == 0)
    room = 1.3 if two else 1.05  # what two convolutions give is rounded once more, and small gradients turn over
    for ours, theirs, exact in list(zip(*found, strict=True))[: 1 if two else 4]:
        far = torch.linalg.vector_norm(theirs - exact)
        assert 0 < torch.linalg.vector_norm(ours - exact) < room * far


def test_only_large_fields_in_training_in_bfloat16(monkeypatch):
    """Elsewhere the layers are the library's, bit for bit."""
    monkeypatch.setattr("frostline.learn.unet.normed", lambda *_: pytest.fail("not here"))
    model, x = UNet(3, width=4, depth=1), torch.randn(1, 3, 8, 8)
    model(x)  # float32
    with torch.autocast("cpu", dtype=torch.bfloat16):
        model(x)  # small
        monkeypatch.setattr(module, "LARGE", 0)
        model.eval()(x)
        model.train()
        with pytest.raises(pytest.fail.Exception, match="not here"):
            model(x)
