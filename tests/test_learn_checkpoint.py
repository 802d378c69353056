import json
import shutil

import numpy as np
import pytest
import torch

from frostline.errors import InputError
from frostline.learn import build
from frostline.learn.checkpoint import CARD, WEIGHTS, Checkpoint, load, same_cells
from frostline.learn.resume import arrays
from frostline.learn.scale import Scaler

CHANNELS = ("tb_1v", "tb_1h", "valid:tb_1", "elevation", "overpass")


@pytest.fixture
def checkpoint():
    return untrained("unet")


def untrained(name):
    torch.manual_seed(0)
    net = build(name, len(CHANNELS), {"width": 4, "depth": 1})
    names = ("tb_1v", "tb_1h", "elevation")
    return Checkpoint(
        net=name,
        net_options={"width": 4, "depth": 1},
        channels=CHANNELS,
        scaler=Scaler(dict.fromkeys(names, 250.25), dict.fromkeys(names, 1 / 3)),
        weights=arrays(net.state_dict()),
        grid={"crs": "EPSG:6931", "step": 9000.0},
        provenance={"seed": 0},
        history=({"epoch": 1, "loss": 0.5, "mcc": None},),
    )


def refused(path):
    with pytest.raises(InputError) as error:
        load(path)
    assert (error.value.code, error.value.exit) == ("E-CHECKPOINT", 3)
    return str(error.value)


@pytest.mark.parametrize("net", ["unet", "residual", "attention"])
def test_round_trip(tmp_path, net):
    checkpoint = untrained(net)
    checkpoint.save(tmp_path / "unet")
    back = load(tmp_path / "unet")
    for name in ("net", "net_options", "channels", "scaler", "grid", "provenance", "history"):
        assert getattr(back, name) == getattr(checkpoint, name)
    assert back.weights.keys() == checkpoint.weights.keys()
    assert all(np.array_equal(back.weights[k], v) for k, v in checkpoint.weights.items())
    x = torch.randn(1, 5, 8, 8)
    assert torch.equal(back.network()(x), checkpoint.network()(x))
    assert not back.network().training


def test_same_checkpoint_same_bytes(tmp_path, checkpoint):
    checkpoint.save(tmp_path / "a")
    checkpoint.save(tmp_path / "b")
    for name in (WEIGHTS, CARD):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_saving_again_replaces_and_leaves_nothing_behind(tmp_path, checkpoint):
    checkpoint.save(tmp_path / "unet")
    checkpoint.save(tmp_path / "unet")
    assert [p.name for p in tmp_path.iterdir()] == ["unet"]


def test_failed_save_leaves_the_old_one(tmp_path, checkpoint, monkeypatch):
    checkpoint.save(tmp_path / "unet")
    before = (tmp_path / "unet" / WEIGHTS).read_bytes()

    def full(path, raw):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("frostline.learn.checkpoint._write", full)
    with pytest.raises(OSError, match="No space"):
        checkpoint.save(tmp_path / "unet")
    assert (tmp_path / "unet" / WEIGHTS).read_bytes() == before
    load(tmp_path / "unet")


def test_one_changed_bit_is_found(tmp_path, checkpoint):
    checkpoint.save(tmp_path / "unet")
    file = tmp_path / "unet" / WEIGHTS
    raw = bytearray(file.read_bytes())
    raw[-3] ^= 1
    file.write_bytes(raw)
    assert "SHA-256" in refused(tmp_path / "unet")


@pytest.mark.parametrize("keep", [0, 7, 200, -1])
def test_truncated_weights(tmp_path, checkpoint, keep):
    checkpoint.save(tmp_path / "unet")
    file = tmp_path / "unet" / WEIGHTS
    file.write_bytes(file.read_bytes()[:keep])
    refused(tmp_path / "unet")


@pytest.mark.parametrize(
    "edit",
    [
        lambda card: card["channels"].reverse(),
        lambda card: card["scaler"]["mean"].update(tb_1v=251.0),
        lambda card: card["net_options"].update(width=8),
        lambda card: card.update(version=99),
        lambda card: card.pop("weights_sha256"),
    ],
)
def test_edited_card(tmp_path, checkpoint, edit):
    checkpoint.save(tmp_path / "unet")
    file = tmp_path / "unet" / CARD
    card = json.loads(file.read_text())
    edit(card)
    file.write_text(json.dumps(card))
    refused(tmp_path / "unet")


def test_weights_of_another_model(tmp_path, checkpoint):
    checkpoint.save(tmp_path / "unet")
    other = Checkpoint(**{**vars(checkpoint), "channels": CHANNELS[::-1]})
    other.save(tmp_path / "other")
    shutil.copy(tmp_path / "other" / WEIGHTS, tmp_path / "unet" / WEIGHTS)
    refused(tmp_path / "unet")


def test_pickles_are_refused_unopened(tmp_path, checkpoint):
    for suffix in (".pt", ".pth", ".ckpt", ".PKL"):
        file = tmp_path / f"model{suffix}"
        torch.save(dict(checkpoint.weights), file)
        assert "pickle" in refused(file)
    with pytest.raises(InputError):
        checkpoint.save(tmp_path / "model.pt")


def test_pickle_under_another_name(tmp_path, checkpoint):
    checkpoint.save(tmp_path / "unet")
    torch.save({"a": torch.ones(2)}, tmp_path / "unet" / WEIGHTS)
    refused(tmp_path / "unet")


def test_nothing_there(tmp_path):
    refused(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    refused(tmp_path / "empty")


def test_weights_that_do_not_fit(checkpoint):
    with pytest.raises(InputError, match="do not fit"):
        Checkpoint(**{**vars(checkpoint), "net_options": {"width": 8, "depth": 1}}).network()


def test_same_cells():
    one = {"crs": "EPSG:6931", "step": 9000.0, "shape": [8, 8]}
    assert same_cells(one, {**one, "shape": [4, 4]})
    assert same_cells(one, None)
    assert not same_cells(one, {**one, "step": 36000.0})
