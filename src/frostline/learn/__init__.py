"""Learning: a predictor stack and labels in, a checkpoint out; a checkpoint and a stack in, a record out.

Nothing here imports torch until a network is asked for, so that `frostline --help` stays quick.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from frostline.errors import ConfigError

if TYPE_CHECKING:
    from torch import device as Device
    from torch.nn import Module

# name -> (module, class); a network is one class, one entry here, one file, one test
NETS = {
    "unet": ("frostline.learn.unet", "UNet"),
    "residual": ("frostline.learn.residual", "ResidualUNet"),
    "attention": ("frostline.learn.attention", "AttentionUNet"),
    "convlstm": ("frostline.learn.convlstm", "ConvLSTM"),
}


def build(net: str, channels: int, options: dict) -> Module:
    """The network `net` of NETS for `channels` inputs; an unknown name or option is E-CONFIG."""
    from importlib import import_module

    if net not in NETS:
        raise ConfigError("E-CONFIG", where="net", cause=f"unknown net {net!r}", remedy=f"use one of {[*NETS]}")
    module, name = NETS[net]
    try:
        return getattr(import_module(module), name)(channels, **options)
    except TypeError as error:
        raise ConfigError("E-CONFIG", where=f"net {net!r}", cause=str(error), remedy="correct its options") from None


def on_device(net: Module, device: str) -> tuple[Module, Device]:
    """The network on `device` (`auto` = a GPU if there is one) in channels-last layout or its own, and that device."""
    import torch

    on = torch.device(device if device != "auto" else "cuda" if torch.cuda.is_available() else "cpu")
    layout = getattr(net, "layout", torch.channels_last)
    return net.to(on).to(memory_format=layout), on  # type: ignore[call-overload]
