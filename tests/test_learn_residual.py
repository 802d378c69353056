import torch

from frostline.learn.residual import ResidualBlock, ResidualUNet
from frostline.learn.unet import LEAK, UNet


def weights(net):
    return sum(p.numel() for p in net.parameters())


def test_size_by_hand():
    """Width 4, depth 2, 3 inputs: shortcuts 3*4 + 4*8 + 8*16 down and 8*4 + 16*8 up: 332 weights more."""
    more = weights(ResidualUNet(3, width=4, depth=2)) - weights(UNet(3, width=4, depth=2))
    assert more == 12 + 32 + 128 + 32 + 128


def test_a_block_whose_body_is_silent_gives_its_input():
    """Last batch norm at 0: leaky ReLU of x alone; -2 becomes -.2."""
    block = ResidualBlock(2, 2, 0.0).eval()
    torch.nn.init.zeros_(block.body[-1].weight)
    x = torch.full((1, 2, 3, 3), -2.0)
    assert torch.allclose(block(x), LEAK * x)


def test_a_new_number_of_channels_is_projected():
    block = ResidualBlock(2, 3, 0.0).eval()
    torch.nn.init.zeros_(block.body[-1].weight)
    with torch.no_grad():
        block.short.weight.copy_(torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])[:, :, None, None])
    out = block(torch.tensor([1.0, 2.0]).view(1, 2, 1, 1))
    assert out.flatten().tolist() == [1.0, 2.0, 3.0]
