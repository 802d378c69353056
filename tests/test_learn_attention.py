import pytest
import torch

from frostline.learn.attention import AttentionUNet, Gate
from frostline.learn.unet import UNet


def test_size_by_hand():
    """Gates of 4 and 8 channels: 16 + 4 + 1 and 64 + 8 + 1 weights."""
    count = [sum(p.numel() for p in net(3, width=4, depth=2).parameters()) for net in (AttentionUNet, UNet)]
    assert count[0] - count[1] == 21 + 73


def test_a_gate_by_hand():
    """Fine (1, 3), signal (2, 0): relu(1 + .5 * 2 - 1) = 1, weighed 2 * 1 - 2 = 0, sigmoid .5: half of the skip."""
    gate = Gate(2)
    with torch.no_grad():
        gate.fine.weight.copy_(torch.tensor([1.0, 0.0]).view(1, 2, 1, 1))
        gate.coarse.weight.copy_(torch.tensor([0.5, 0.0]).view(1, 2, 1, 1))
        gate.coarse.bias.fill_(-1.0)
        gate.weigh.weight.fill_(2.0)
        gate.weigh.bias.fill_(-2.0)
    fine, coarse = torch.tensor([1.0, 3.0]).view(1, 2, 1, 1), torch.tensor([2.0, 0.0]).view(1, 2, 1, 1)
    assert gate(fine, coarse).flatten().tolist() == pytest.approx([0.5, 1.5])


def test_shut_gates_leave_what_comes_from_below():
    net = AttentionUNet(2, width=4, depth=1).eval()
    with torch.no_grad():
        net.gates[0].weigh.weight.zero_()
        net.gates[0].weigh.bias.fill_(-100.0)
    seen = []
    net.join[0].register_forward_hook(lambda module, inputs, output: seen.extend(inputs))
    net(torch.randn(1, 2, 8, 8))
    skipped, below = seen
    assert not skipped.any() and below.any()
