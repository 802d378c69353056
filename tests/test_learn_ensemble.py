import numpy as np
import pytest

from frostline.learn.ensemble import averaged
from frostline.learn.predict import predict
from frostline.schema import QUALITY
from learn_stack import small_stack
from test_learn_predict import together, untrained


def block(p, quality):
    shape = (1, 1, len(p))
    return slice(0, 1), 0, np.float32(p).reshape(shape), np.uint16(quality).reshape(shape), np.zeros(shape, "uint8")


def test_two_sure_nets_that_differ_are_in_doubt():
    """.9 and .3: .6; .45 and .05 (the first in doubt): .25, sure; unknown stays unknown, with its flag."""
    doubt, missing, filled = (QUALITY[name] for name in ("low_confidence", "input_missing", "gap_filled"))
    one = block([0.9, 0.45, np.nan], [filled, doubt, missing])
    other = block([0.3, 0.05, np.nan], [filled, 0, missing])
    ((days, code, p, quality, _),) = averaged([iter([one]), iter([other])], low_confidence=0.2)
    assert (days, code) == (slice(0, 1), 0)
    assert p.ravel() == pytest.approx([0.6, 0.25, np.nan], nan_ok=True)
    assert p.dtype == np.float32 and quality.dtype == np.uint16
    assert quality.ravel().tolist() == [filled | doubt, 0, missing]


def test_one_member_is_itself_and_a_mean_keeps_its_bounds():
    stack = small_stack(5, 12).load()
    nets = [untrained(stack), untrained(stack, inputs=("tb_18v", "tb_18h"))]
    alone = [together(stack, predict(net, stack, device="cpu", batch=2)) for net in nets]
    same = together(stack, averaged([predict(nets[0], stack, device="cpu", batch=2)]))
    assert all(np.array_equal(a, b, equal_nan=True) for a, b in zip(same, alone[0], strict=True))
    p, _, _ = together(stack, averaged([predict(net, stack, device="cpu", batch=2) for net in nets]))
    both = np.stack([alone[0][0], alone[1][0]])
    known = np.isfinite(both).all(axis=0)
    assert (np.isfinite(p) == known).all()
    assert (p[known] >= both.min(axis=0)[known]).all() and (p[known] <= both.max(axis=0)[known]).all()


def test_members_of_other_days_are_refused():
    stack = small_stack(5, 12).load()
    net = untrained(stack)
    short = predict(net, stack.isel(time=slice(0, 3)), device="cpu", batch=1)
    with pytest.raises(ValueError, match="shorter"):
        list(averaged([predict(net, stack, device="cpu", batch=1), short]))
