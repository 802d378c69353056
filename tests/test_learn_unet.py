import pytest
import torch

from frostline.errors import ConfigError
from frostline.learn import build
from frostline.learn.unet import Doubling, Dropout, UNet


def test_published_size():
    count = sum(p.numel() for p in UNet(10).parameters())
    # by hand: a block i -> o holds 9io + 9oo + 6o; an upsampling 2w -> w holds 8ww + w; the head 33
    widths = [32, 64, 128, 256, 512]
    blocks = zip([10, *widths[:-1], *(2 * w for w in widths[:-1])], [*widths, *widths[:-1]], strict=True)
    assert count == sum(9 * i * o + 9 * o * o + 6 * o for i, o in blocks) + sum(8 * w * w + w for w in widths[:-1]) + 33
    assert round(count / 1e6, 2) == 7.77


@pytest.mark.parametrize("shape", [(32, 32), (17, 30), (1, 1), (5, 40)])
@pytest.mark.parametrize("head", ["code", "paper"])
@pytest.mark.parametrize("net", ["unet", "residual", "attention"])
def test_any_window(shape, head, net):
    net = build(net, 3, {"width": 4, "depth": 2, "head": head}).eval()
    out = net(torch.randn(2, 3, *shape))
    assert out.shape == (2, *shape)
    assert torch.isfinite(out).all()


def test_paper_head_is_two_sigmoids_over_their_sum():
    net = UNet(2, width=4, depth=1, head="paper").eval()
    raw = []
    net.head.register_forward_hook(lambda module, inputs, output: raw.append(output))
    p = torch.sigmoid(net(torch.randn(1, 2, 8, 8)))
    thawed, frozen = torch.sigmoid(raw[0]).unbind(1)
    assert torch.allclose(p, frozen / (frozen + thawed), atol=1e-6)


def test_padding_is_missing_data():
    net = UNet(2, width=4, depth=2).eval()
    x = torch.randn(1, 2, 10, 11)
    wide = torch.zeros(1, 2, 12, 12)
    wide[..., :10, :11] = x
    assert torch.allclose(net(x), net(wide)[..., :10, :11], atol=1e-5)


@pytest.mark.parametrize("net", ["unet", "residual", "attention"])
def test_every_weight_learns(net):
    net = build(net, 3, {"width": 4, "depth": 3})
    net(torch.randn(2, 3, 16, 16)).square().sum().backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in net.parameters())


def test_doubling_under_autocast_is_the_transposed_convolution(monkeypatch):
    up, given = Doubling(6, 3), torch.randn(2, 6, 4, 5)
    found = []
    for autocast in (False, True):  # the other path, in float32, so that both can be compared closely
        monkeypatch.setattr(torch, "is_autocast_enabled", lambda device, on=autocast: on)
        x = given.clone().requires_grad_()
        up.zero_grad(set_to_none=True)
        y = up(x)
        (y * torch.arange(y.numel()).view_as(y) / y.numel()).sum().backward()
        found.append((y, x.grad, up.weight.grad, up.bias.grad))
    assert found[0][0].shape == (2, 3, 8, 10)
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other)
    monkeypatch.undo()
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(up(given).float(), found[0][0], rtol=0.02, atol=0.02)


def test_dropout_acts_in_training_only():
    net = UNet(3, width=8, depth=2, dropout=0.5)
    x = torch.randn(1, 3, 16, 16)
    assert not torch.equal(net(x), net(x))
    net.eval()
    assert torch.equal(net(x), net(x))


@pytest.mark.parametrize("options", [{"head": "both"}, {"depth": 0}, {"widht": 8}, {"dropout": 1.0}])
def test_bad_options(options):
    with pytest.raises(ConfigError) as error:
        build("unet", 3, options)
    assert error.value.code == "E-CONFIG"


def test_unknown_net():
    with pytest.raises(ConfigError, match="unet"):
        build("resnet", 3, {})


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_dropout_drops_what_the_librarys_drops(dtype):
    given = torch.randn(2, 6, 8, 12).to(dtype).to(memory_format=torch.channels_last)
    told = []
    for layer in (torch.nn.Dropout2d(0.3), Dropout(0.3)):
        torch.manual_seed(4)
        x = given.clone(memory_format=torch.channels_last).requires_grad_()
        y = layer(x)
        (y * y).sum().backward()
        told.append((y, x.grad))
        assert y.is_contiguous(memory_format=torch.channels_last)
        assert torch.equal(layer.eval()(given), given)
    assert torch.equal(told[0][0], told[1][0]) and torch.equal(told[0][1], told[1][1])
    assert (told[0][0] == 0).all(dim=(2, 3)).any()  # whole channels
