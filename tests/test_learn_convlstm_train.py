"""The ConvLSTM through the same training and prediction as any net."""

import numpy as np
import pytest

from frostline.errors import ConfigError, InputError
from frostline.learn.checkpoint import load
from frostline.learn.predict import predict
from frostline.learn.train import train
from learn_stack import split
from learn_steps import INPUTS, STATICS, step_stack

pytestmark = pytest.mark.slow


def quick(stack, tmp_path, **options):
    """A training of a second."""
    whole = np.ones((stack.sizes["y"], stack.sizes["x"]), bool)
    given = {
        "inputs": INPUTS,
        "statics": STATICS,
        "extras": ["latitude", "longitude"],
        "days": split(stack.sizes["time"], (0, 16), (18, 24)),
        "area": whole,
        "validation_area": whole,
        "net": "convlstm",
        "net_options": {"width": 4},
        "products": {"smap": 1.0},
        "lambda_reanalysis": 0.0,
        "lambda_station": 0.0,
        "lambda_lv": 0.0,
        "select": "products",
        "epochs": 2,
        "crop": 8,
        "augment": False,
        "device": "cpu",
        "work_dir": tmp_path / "work",
    }
    return train(stack, **(given | options))


def same(one, other):
    return all(np.array_equal(v, other.weights[k]) for k, v in one.weights.items())


def predicted(checkpoint, stack, **options):
    """Probabilities or scores, days first, of both overpasses."""
    axis = 0 if checkpoint.net_options.get("targets", 1) == 1 and options.get("give") != "scores" else 1
    blocks = [(o, out) for _, o, out, *_ in predict(checkpoint, stack, device="cpu", **options)]
    return np.stack([np.concatenate([out for o, out in blocks if o == k], axis=axis) for k in (0, 1)], axis=1 + axis)


def test_it_learns_the_order_of_steps(tmp_path):
    stack = step_stack(60)
    options = {"days": split(60, (0, 44), (46, 52)), "epochs": 14, "batch": 4, "learning_rate": 1e-2}
    checkpoint = quick(stack, tmp_path / "a", net_options={"width": 8}, **options)
    assert checkpoint.net_options == {"width": 8, "steps": 3, "dynamic": 4}
    assert checkpoint.provenance["products"] == ["smap"]
    assert checkpoint.provenance["overpasses"] == [0, 1]
    test = stack.isel(time=slice(52, 60))
    p, truth = predicted(checkpoint, test), test["truth"].values > 0.5
    known = np.isfinite(p)
    assert known.mean() == pytest.approx(140 / 144)  # all but the cells that are no land
    assert ((p > 0.5) == truth)[known].mean() > 0.9
    back = test.isel(step=[2, 1, 0]).assign_coords(step=test["step"])  # as if time ran backwards
    assert ((predicted(checkpoint, back) > 0.5) == truth)[known].mean() < 0.1
    one = quick(stack, tmp_path / "b", steps=1, net_options={"width": 8}, **options)
    assert one.net_options["steps"] == 1
    assert abs(((predicted(one, test) > 0.5) == truth)[known].mean() - 0.5) < 0.25  # one step tells nothing


def test_two_heads_learn_two_products_at_once(tmp_path):
    """The products never agree: heads that were mixed up, or taught by both, could not learn."""
    stack = step_stack(60)
    checkpoint = quick(
        stack, tmp_path, days=split(60, (0, 44), (46, 52)), products={"smap": 1.0, "esdr": 0.5}, epochs=14, batch=4,
        learning_rate=1e-2, net_options={"width": 8, "targets": 2},
    )  # fmt: skip
    test = stack.isel(time=slice(52, 60))
    p, truth = predicted(checkpoint, test), test["truth"].values > 0.5
    assert p.shape == (2, *truth.shape)
    known = np.isfinite(p[0])
    assert ((p[0] > 0.5) == truth)[known].mean() > 0.9
    assert ((p[1] > 0.5) == truth)[known].mean() < 0.1
    assert checkpoint.provenance["products"] == ["smap", "esdr"]
    assert checkpoint.provenance["lambda_products"] == [1.0, 0.5]
    row = checkpoint.history[-1]
    assert row["mcc"] == pytest.approx((row["mcc_smap"] + row["mcc_esdr"]) / 2)


@pytest.mark.parametrize("head", ["frozen", "literal3"])
def test_scores_and_probability_agree(tmp_path, head):
    stack = step_stack()
    checkpoint = quick(stack, tmp_path, net_options={"width": 4, "head": head})
    scores, p = predicted(checkpoint, stack, give="scores"), predicted(checkpoint, stack)
    days, classes = stack.sizes["time"], {"frozen": 2, "literal3": 3}[head]
    assert scores.shape == (1, days, 2, classes, 12, 12)
    frozen, thawed = np.moveaxis(scores[0], 2, 0)[:2]
    np.testing.assert_allclose(p, 1 / (1 + np.exp(thawed - frozen)), atol=1e-6)
    assert np.isnan(scores[..., :2, :2]).all()
    if head == "literal3":  # 30 % of the labels are missing, by chance
        share = np.exp(scores - scores.max(axis=3, keepdims=True))
        share = (share / share.sum(axis=3, keepdims=True))[:, :, :, 2]
        assert 0.2 < np.nanmean(share) < 0.45


def test_labels_that_are_masked_do_not_matter(tmp_path):
    stack = step_stack().load()
    other = stack.copy(deep=True)
    other["label_smap"].values[:, :, :2, :2] = 1.0  # no land
    other["label_esdr"].values[:] = 0.0  # another product
    assert same(quick(stack, tmp_path / "a"), quick(other, tmp_path / "b"))


def test_same_seed_same_weights_and_a_killed_training_goes_on(tmp_path):
    stack = step_stack()
    options = {"net_options": {"width": 4, "layers": 2, "peepholes": True}}
    whole = quick(stack, tmp_path / "a", **options)

    def kill(row):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        quick(stack, tmp_path / "b", progress=kill, **options)
    again = quick(stack, tmp_path / "b", **options)
    assert same(whole, again)
    assert whole.history == again.history
    assert not same(whole, quick(stack, tmp_path / "c", seed=1, **options))


def test_checkpoint_round_trip(tmp_path):
    stack = step_stack()
    checkpoint = quick(stack, tmp_path, net_options={"width": 4, "targets": 1, "kernel": 1})
    checkpoint.save(tmp_path / "convlstm")
    back = load(tmp_path / "convlstm")
    assert (back.net, back.net_options, back.channels) == ("convlstm", checkpoint.net_options, checkpoint.channels)
    np.testing.assert_array_equal(predicted(back, stack), predicted(checkpoint, stack))


def test_it_finds_its_steps_in_a_longer_stack_and_misses_them_in_a_shorter(tmp_path):
    stack = step_stack(steps=6)
    checkpoint = quick(stack, tmp_path, steps=2)
    np.testing.assert_array_equal(predicted(checkpoint, stack), predicted(checkpoint, stack.isel(step=[4, 5])))
    with pytest.raises(InputError, match="soil_temperature@2"):
        predicted(checkpoint, stack.isel(step=[5]))


def test_a_net_of_the_morning_is_not_used_in_the_afternoon(tmp_path):
    stack = step_stack()
    checkpoint = quick(stack.isel(overpass=[0]), tmp_path)
    assert checkpoint.provenance["samples"] == 16
    assert next(predict(checkpoint, stack.isel(overpass=[0]), device="cpu"))[1] == 0
    with pytest.raises(InputError, match=r"E-CHECKPOINT.*overpasses"):
        next(predict(checkpoint, stack, device="cpu"))


@pytest.mark.parametrize(
    "option",
    [
        {"select": "products", "products": None},
        {"net_options": {"targets": 2}},
        {"net_options": {"targets": 2}, "products": None, "lambda_station": 1.0, "select": "stations"},
        {"net_options": {"steps": 2}},
        {"steps": 4},
        {"products": {"smap": 0.0}},
    ],
    ids=str,
)
def test_settings_that_do_not_fit(tmp_path, option):
    with pytest.raises(ConfigError):
        quick(step_stack(), tmp_path, **option)


def test_a_unet_sees_steps_as_channels(tmp_path):
    stack = step_stack()
    checkpoint = quick(stack, tmp_path, net="unet", net_options={"width": 4, "depth": 1}, epochs=1)
    assert checkpoint.net_options == {"width": 4, "depth": 1}
    assert [name for name in checkpoint.channels if "precipitation@" in name] == [
        f"precipitation@{k}" for k in (3, 2, 1)
    ]
    assert predicted(checkpoint, stack).shape == stack["truth"].shape
    assert predicted(checkpoint, stack, give="scores").shape == (1, 24, 2, 2, 12, 12)


def test_unknown_gift(tmp_path):
    checkpoint = quick(step_stack(), tmp_path, epochs=1)
    with pytest.raises(ConfigError, match="logits"):
        next(predict(checkpoint, step_stack(), give="logits"))


@pytest.mark.parametrize(
    "option",
    [{"layers": 2}, {"width": 5}, {"kernel": 5}, {"head": "literal3"}, {"peepholes": True}, {"targets": 2}],
    ids=str,
)
def test_every_option_of_the_net_changes_the_weights(tmp_path, option):
    products = {"smap": 1.0, "esdr": 1.0}
    plain, other = (
        quick(step_stack(), tmp_path / name, epochs=1, products=products, net_options={"width": 4} | o)
        for name, o in (("a", {}), ("b", option))
    )
    assert plain.weights.keys() != other.weights.keys() or any(
        not np.array_equal(v, other.weights[k]) for k, v in plain.weights.items()
    )
