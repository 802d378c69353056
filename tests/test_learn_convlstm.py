import numpy as np
import pytest
import torch
from torch.nn import functional as F

from frostline.errors import ConfigError
from frostline.learn import build
from frostline.learn.convlstm import Cell, ConvLSTM
from frostline.learn.loss import frozen_logit

LOG2, LOG3, LOG4 = np.log([2.0, 3.0, 4.0])


def numbered(cell, *, moving, bias, hidden):
    """A 1x1 cell of width 1 with the weights of i, f, o, g in their order."""
    with torch.no_grad():
        cell.moving.weight[:, 0, 0, 0] = torch.tensor(moving)
        cell.moving.bias[:] = torch.tensor(bias)
        cell.hidden.weight[:, 0, 0, 0] = torch.tensor(hidden)
    return cell.double()


def pixel(value):
    return torch.full((1, 1, 1, 1), float(value), dtype=torch.float64)


def test_two_steps_by_hand():
    # i = sigmoid(log 3) = 3/4, o = sigmoid(log 4) = 4/5, g = tanh(x): tanh(log 2) = 0.6, tanh(log 3) = 0.8
    # step 1: c = 0.75 * 0.6 = 0.45, h = 0.8 tanh 0.45 = 0.337519
    # step 2: f = sigmoid(-log 3 + u h) with u h = log 9: 3/4; c = 0.75 * 0.45 + 0.75 * 0.8 = 0.9375
    h1 = 0.8 * np.tanh(0.45)
    cell = numbered(
        Cell(1, 0, 1, 1, steps=2, peepholes=False),
        moving=[0, 0, 0, 1.0], bias=[LOG3, -LOG3, LOG4, 0.0], hidden=[0, 2 * LOG3 / h1, 0, 0],
    )  # fmt: skip
    first, second = (float(h.detach()) for h in cell([pixel(LOG2), pixel(LOG3)]))
    assert first == pytest.approx(0.3375193, abs=1e-6)
    assert second == pytest.approx(0.8 * np.tanh(0.9375), abs=1e-6)


def test_peepholes_by_hand():
    # step 1: no cell state yet for i and f; c = 0.75 * 0.6 = 0.45; o = sigmoid(log 4 + p_o c), p_o = -log 4 / 0.45: 1/2
    # step 2: i = sigmoid(log 3 + p_i c), p_i = log 3 / 0.45: 9/10; f = sigmoid(-log 3 + p_f c), the same p: 1/2
    # c = 0.5 * 0.45 + 0.9 * 0.8 = 0.945, which is what o looks at
    cell = numbered(
        Cell(1, 0, 1, 1, steps=2, peepholes=True),
        moving=[0, 0, 0, 1.0], bias=[LOG3, -LOG3, LOG4, 0.0], hidden=[0.0, 0, 0, 0],
    )  # fmt: skip
    with torch.no_grad():
        cell.peephole[:, 0, 0, 0] = torch.tensor([LOG3, LOG3, -LOG4]) / 0.45
    first, second = (float(h.detach()) for h in cell([pixel(LOG2), pixel(LOG3)]))
    assert first == pytest.approx(0.5 * np.tanh(0.45), abs=1e-6)
    o = 1 / (1 + np.exp(-(LOG4 - LOG4 / 0.45 * 0.945)))
    assert second == pytest.approx(o * np.tanh(0.945), abs=1e-6)


def test_gates_and_size():
    net = ConvLSTM(3 * 4 + 5, steps=3, dynamic=4, layers=2, width=8, kernel=5)
    first, second = net.cells
    assert first.moving.weight.shape == (32, 4, 5, 5)  # i, f, o, g of width 8
    assert first.fixed.weight.shape == (32, 5, 5, 5)
    assert first.hidden.weight.shape == second.moving.weight.shape == second.hidden.weight.shape == (32, 8, 5, 5)
    assert second.fixed is first.peephole is None
    count = 25 * 32 * (4 + 5 + 8 + 8 + 8) + 2 * 32 + 8 + 1
    assert sum(p.numel() for p in net.parameters()) == count


@pytest.mark.parametrize("shape", [(9, 14), (1, 1)])
@pytest.mark.parametrize(
    ("options", "middle"),
    [({}, ()), ({"targets": 2}, (2,)), ({"head": "literal3"}, (1, 3)), ({"head": "literal3", "targets": 2}, (2, 3))],
)
def test_shapes(shape, options, middle):
    net = ConvLSTM(8, steps=3, dynamic=2, width=4, **options)
    out = net(torch.randn(5, 8, *shape))
    assert out.shape == (5, *middle, *shape)
    assert frozen_logit(out).shape == (5, *middle[:1], *shape)


def test_one_step_is_a_plain_convolution():
    net = ConvLSTM(5, steps=1, dynamic=3, width=6)
    assert net.cells[0].hidden is None  # nothing to remember: no weight that never learns
    x = torch.randn(2, 5, 7, 8)
    cell = net.cells[0]
    weight = torch.cat([cell.moving.weight, cell.fixed.weight], dim=1)
    i, _, o, g = F.conv2d(x, weight, cell.moving.bias, padding=1).chunk(4, dim=1)
    h = o.sigmoid() * torch.tanh(i.sigmoid() * g.tanh())
    assert torch.allclose(net(x), F.conv2d(h, net.head.weight, net.head.bias)[:, 0], atol=1e-6)


def test_zero_state_is_what_is_left_out():
    """The textbook cell, with convolutions of zeros at the first step, gives the same."""
    torch.manual_seed(0)
    cell = Cell(2, 1, 3, 3, steps=3, peepholes=True)
    torch.nn.init.normal_(cell.peephole)
    steps, fixed = [torch.randn(1, 2, 5, 5) for _ in range(3)], torch.randn(1, 1, 5, 5)
    weight = torch.cat([cell.moving.weight, cell.fixed.weight, cell.hidden.weight], dim=1)
    h = c = torch.zeros(1, 3, 5, 5)
    for x, ours in zip(steps, cell(steps, fixed), strict=True):
        gates = F.conv2d(torch.cat([x, fixed, h], dim=1), weight, cell.moving.bias, padding=1)
        i, f, o, g = gates.chunk(4, dim=1)
        i, f = (i + cell.peephole[0] * c).sigmoid(), (f + cell.peephole[1] * c).sigmoid()
        c = f * c + i * g.tanh()
        h = (o + cell.peephole[2] * c).sigmoid() * c.tanh()
        assert torch.allclose(h, ours, atol=1e-6)


@pytest.mark.parametrize(
    ("steps", "layers", "kernel", "reach"), [(1, 1, 3, 1), (3, 1, 3, 3), (2, 2, 3, 3), (2, 1, 5, 4), (3, 2, 1, 0)]
)
def test_receptive_field(steps, layers, kernel, reach):
    net = ConvLSTM(steps, steps=steps, dynamic=1, layers=layers, width=3, kernel=kernel).double()
    x = torch.randn(1, steps, 15, 15, dtype=torch.float64, requires_grad=True)
    net(x)[0, 7, 7].backward()
    assert net.reach == reach
    seen = np.argwhere(x.grad.abs().sum(dim=(0, 1)).numpy() > 0)
    assert np.abs(seen - 7).max() == reach
    assert len(seen) == (2 * reach + 1) ** 2


@pytest.mark.parametrize("options", [{}, {"layers": 2, "kernel": 5, "targets": 2, "head": "literal3"}])
@pytest.mark.parametrize("shape", [(48, 48), (49, 100), (5, 131)])
def test_windows_of_evaluation_do_not_show(options, shape):
    net = ConvLSTM(7, steps=2, dynamic=3, width=4, **options)
    x = torch.randn(3, 7, *shape)
    with torch.inference_mode():
        whole, windows = net(x), net.eval()(x)
    assert whole.shape == windows.shape
    assert torch.allclose(whole, windows, atol=1e-6)
    assert torch.equal(windows[1:2], net(x[1:2]))  # a batch is its fields, bit for bit


def test_every_step_and_every_weight_learns():
    net = ConvLSTM(14, steps=3, dynamic=4, layers=2, width=4, peepholes=True)
    x = torch.randn(2, 14, 6, 6, requires_grad=True)
    net(x).square().sum().backward()
    assert (x.grad.abs().amax(dim=(0, 2, 3)) > 0).all()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in net.parameters())


def test_steps_of_a_variable_lie_together_and_are_not_alike():
    """Channels are a@3 a@2 a@1 b@3 b@2 b@1 c: the two variables of a step go in together."""
    net = ConvLSTM(7, steps=3, dynamic=2, width=4)
    x = torch.randn(1, 7, 6, 6)
    cell = net.cells[0]
    by_hand = cell([x[:, [k, 3 + k]] for k in range(3)], x[:, 6:])[-1]
    assert torch.allclose(net(x), net.head(by_hand)[:, 0], atol=1e-6)
    assert not torch.allclose(net(x), net(x[:, [2, 1, 0, 5, 4, 3, 6]]))


@pytest.mark.parametrize(
    "options", [{"kernel": 2}, {"width": 0}, {"layers": 0}, {"dynamic": 3}, {"head": "code"}, {"targets": 0}, {"x": 1}]
)
def test_bad_options(options):
    with pytest.raises(ConfigError) as error:
        build("convlstm", 8, {"steps": 3, "dynamic": 2} | options)
    assert error.value.code == "E-CONFIG"
