"""Engines answer as the network does: any window, land alone, in bands, in tiles, in bfloat16; and without torch."""

import subprocess
import sys

import numpy as np
import pytest
import torch

from frostline.errors import ConfigError, InputError
from frostline.learn import build
from frostline.learn import frame as fr
from frostline.learn.checkpoint import Checkpoint
from frostline.learn.engine import ENGINES, open_engine
from frostline.learn.graph import exported
from frostline.learn.resume import arrays
from frostline.learn.scale import Scaler

PEEP = {"layers": 2, "peepholes": True, "head": "literal3", "targets": 2}
NETS = {
    "unet": ("unet", 3, {"width": 4, "depth": 2}),
    "paper": ("unet", 3, {"width": 4, "depth": 1, "head": "paper"}),
    "residual": ("residual", 3, {"width": 4, "depth": 2}),
    "attention": ("attention", 3, {"width": 4, "depth": 2}),
    "convlstm": ("convlstm", 8, {"steps": 3, "dynamic": 2, "width": 4}),
    "heads": ("convlstm", 4, {"steps": 2, "dynamic": 2, "width": 4, "targets": 2}),
    "literal3": ("convlstm", 7, {"steps": 3, "dynamic": 2, "width": 4, **PEEP}),
}


def untrained(key):
    """A checkpoint with norms that are not 1 and 0, so that a forgotten one shows."""
    net, channels, options = NETS[key]
    torch.manual_seed(3)
    model = build(net, channels, options)
    for name, value in model.state_dict().items():
        if value.dtype == torch.float32 and ("running" in name or "peephole" in name or name.endswith("bias")):
            value.uniform_(0.2, 1.5)
    names = tuple(f"tb_{k}" for k in range(channels))
    return Checkpoint(net, options, names, Scaler({}, {}), arrays(model.state_dict()))


@pytest.fixture(scope="module")
def made():
    return {key: exported(untrained(key)) for key in NETS}


def asked(checkpoint, x):
    with torch.inference_mode():
        return checkpoint.network()(torch.from_numpy(x)).numpy()


def fields(checkpoint, *shape, batch=1):
    return np.random.default_rng(5).standard_normal((batch, len(checkpoint.channels), *shape), np.float32)


@pytest.mark.parametrize("name", ENGINES[:2])  # torch is the network itself
@pytest.mark.parametrize("key", NETS)
def test_an_engine_answers_as_the_network(made, key, name):
    engine = open_engine(made[key], name=name, threads=1)
    for shape in ((23, 61), (7, 9)):
        x = fields(made[key], *shape, batch=2)
        got, wanted = engine(x), asked(made[key], x)
        assert got.shape == wanted.shape and got.dtype == np.float32
        np.testing.assert_allclose(got, wanted, atol=2e-5, rtol=1e-5)


@pytest.mark.parametrize("key", NETS)
def test_land_alone_has_the_scores_of_the_whole_window(made, key, monkeypatch):
    """In few cells, in bands of rows and in several threads: the same, and the network was applied to less."""
    x = fields(made[key], 150, 170, batch=2)
    land = np.zeros((150, 170), bool)
    land[60:64, 100:110] = land[90:149, 100] = True
    engine = open_engine(made[key], name="onnxruntime", threads=2)
    whole, some = asked(made[key], x), engine(x, land)
    np.testing.assert_allclose(some[..., land], whole[..., land], atol=2e-5, rtol=1e-5)
    assert engine._plan(land).cells < 0.7 * x[0, 0].size
    monkeypatch.setattr(fr, "MOST", 100)
    in_bands = open_engine(made[key], name="onnxruntime", threads=1)
    np.testing.assert_allclose(in_bands(x, land)[..., land], whole[..., land], atol=2e-5, rtol=1e-5)
    if "depth" in made[key].export["frame"]:
        assert len(in_bands._plan(land).windows) > 1
    assert not engine(x, np.zeros_like(land)).any()  # nothing asked, nothing done


@pytest.mark.parametrize(("depth", "edge"), [(1, 1), (3, 0)])
def test_no_cell_beyond_the_halo_is_seen(depth, edge):
    """The gradient of one score, at every place of the coarsest cell, is within what `needed` says, and reaches far."""
    torch.manual_seed(0)
    net = build("unet", 1, {"width": 2, "depth": depth, "head": "paper" if edge else "code", "dropout": 0.0}).eval()
    far = 0
    for at in range(48, 48 + 2**depth):
        x = torch.randn(1, 1, 8, 96, requires_grad=True)
        net(x)[0, 4, at].backward()
        seen = np.flatnonzero(x.grad[0, 0].abs().amax(dim=0).numpy())
        first, last = fr.needed(at - edge, at + 1 + edge, depth)
        assert first <= seen[0] and seen[-1] < last
        far = max(far, seen[0] - first, last - 1 - seen[-1])
    assert far <= 2**depth + 2  # (a maximum hides some cells)


def test_a_plan_by_hand():
    """ConvLSTM of reach 3: windows of 54 cells; the last one of 100 is moved inwards, to 46. A U-Net by pairs."""
    tiles = fr.plan({"reach": 3, "window": 48, "scores": "logit", "targets": 1}, np.ones((40, 100), bool))
    assert tiles.shape == (40, 54)
    assert [(w.column, w.columns) for w in tiles.windows] == [
        (0, slice(0, 48)), (45, slice(48, 96)), (46, slice(96, 100)),
    ]  # fmt: skip
    land = np.zeros((60, 100), bool)
    land[0, 50] = True
    box = fr.plan({"depth": 1, "edge": 0, "scores": "logit", "targets": 1}, land)
    # the last block sees -2..3, of the pairs -1..2, whose block sees -3..4, of the cells -6..8; the first -8..10
    assert (box.shape, box.windows) == ((10, 18), [fr.Window(0, 42, slice(0, 1), slice(50, 51))])


def test_bfloat16_is_near_and_not_the_same(made):
    x = fields(made["unet"], 40, 40)
    exact = asked(made["unet"], x)
    for name in ("openvino", "torch"):
        engine = open_engine(made["unet"], name=name, precision="bfloat16", threads=1)
        off = np.abs(engine(x) - exact).max()
        assert (1e-5 < off < 0.1) if engine.precision == "bfloat16" else off < 2e-5


def test_who_answers(made, monkeypatch):
    monkeypatch.setattr("frostline.learn.engine._gpu", lambda: False)
    unet, old = made["unet"], untrained("unet")
    assert open_engine(unet).name == "openvino"
    assert open_engine(old).name == "torch"  # a checkpoint of before
    assert open_engine(old)(fields(old, 8, 8)).shape == (1, 8, 8)
    monkeypatch.setattr("frostline.learn.engine.there", lambda name: name != "openvino")
    assert open_engine(unet).name == "onnxruntime"
    assert open_engine(unet, precision="bfloat16").name == "torch"
    monkeypatch.setattr("frostline.learn.engine._gpu", lambda: True)
    assert (open_engine(unet).name, open_engine(unet, device="cpu").name) == ("torch", "onnxruntime")
    with pytest.raises(ConfigError, match="not installed"):
        open_engine(unet, name="openvino")
    for wrong in ({"name": "tensorrt"}, {"precision": "int8"}, {"name": "onnxruntime", "precision": "bfloat16"}):
        with pytest.raises(ConfigError):
            open_engine(unet, **wrong)
    with pytest.raises(InputError, match="no exported model"):
        open_engine(old, name="onnxruntime")


def test_an_export_that_is_not_the_network_is_one_error(made, monkeypatch):
    from frostline.learn import graph

    whole = graph.write
    monkeypatch.setattr(graph, "write", lambda net, n: whole(build(*NETS["unet"][:2], NETS["unet"][2]).eval(), n))
    with pytest.raises(InputError, match=r"^E-EXPORT .* from that of the network"):
        exported(untrained("unet"))
    monkeypatch.setattr(graph, "write", whole)
    monkeypatch.setitem(graph.SIMPLE, torch.cat, None)
    monkeypatch.setattr("frostline.learn.attention.torch.relu", torch.nn.functional.silu)
    with pytest.raises(InputError, match=r"^E-EXPORT .* no ONNX operation is written for"):
        exported(untrained("attention"))


def test_the_card_knows_its_model(made, tmp_path):
    from frostline.learn.checkpoint import MODEL, load

    made["unet"].save(tmp_path / "a")
    made["unet"].save(tmp_path / "b")
    assert (tmp_path / "a" / MODEL).read_bytes() == (tmp_path / "b" / MODEL).read_bytes() == made["unet"].exported
    back = load(tmp_path / "a")
    assert back.export == made["unet"].export and 0 < back.export["largest_difference"]["random"] < 4e-4
    raw = bytearray(made["unet"].exported)
    raw[-9] ^= 1
    (tmp_path / "a" / MODEL).write_bytes(raw)
    with pytest.raises(InputError, match="SHA-256"):
        load(tmp_path / "a")
    (tmp_path / "a" / MODEL).unlink()
    with pytest.raises(InputError, match="is not there"):
        load(tmp_path / "a")


def test_an_engine_needs_no_torch(made, tmp_path):
    made["convlstm"].save(tmp_path / "net")
    code = (
        "import sys, numpy as np; from frostline.learn.engine import open_engine; import frostline.learn.predict\n"
        "engine = open_engine(sys.argv[1], device='cpu'); print(engine(np.zeros((1, 8, 9, 9), 'float32')).shape)\n"
        "print('torch' in sys.modules)"
    )
    got = subprocess.run([sys.executable, "-c", code, tmp_path / "net"], capture_output=True, text=True, timeout=60)
    assert got.stdout.splitlines() == ["(1, 9, 9)", "False"], got.stderr


def test_an_older_checkpoint_gets_its_model(tmp_path, capsys):
    import export_checkpoint

    from frostline.learn.checkpoint import load

    untrained("paper").save(tmp_path / "net")
    old = load(tmp_path / "net")
    assert old.exported is None and export_checkpoint.main([str(tmp_path / "net")]) == 0
    back = load(tmp_path / "net")
    assert all(np.array_equal(back.weights[k], v) for k, v in old.weights.items())
    x = fields(back, 9, 10)
    np.testing.assert_allclose(open_engine(back, device="cpu")(x), asked(old, x), atol=2e-5)
    assert export_checkpoint.main([str(tmp_path / "nothing")]) == 3
    assert "E-CHECKPOINT" in capsys.readouterr().err
