"""Eight days of gaps in one pass against the plain rule."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from frostline import gapfill_window
from frostline.errors import InputError
from frostline.gapfill import PRESETS, fill_time, fill_values

DAYS = np.arange("2017-01-01", "2017-03-01", dtype="datetime64[D]").astype("datetime64[ns]")


def gaps(rng, *shape):
    """Half of the values are missing."""
    tb = rng.normal(250, 10, shape).astype(np.float32)
    tb[rng.random(shape) < 0.5] = np.nan
    return tb


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    length=st.integers(1, 30),
    skipped=st.integers(0, 3),
    cells=st.sampled_from([9, 24, 35]),
    side=st.integers(0, 2),
    span=st.integers(0, 4),
    mode=st.sampled_from(["linear", "mean"]),
)
def test_windows_of_many_days_at_once_are_the_plain_rule(seed, length, skipped, cells, side, span, mode):
    """Days that are skipped break the chain of windows; some days and cells are left over."""
    rng = np.random.default_rng(seed)
    tb, time = gaps(rng, length, 2, cells), DAYS[np.sort(rng.choice(length + skipped, length, replace=False))]
    rule = {"max_side": side, "max_span": span, "one_sided": "none", "mode": mode}
    np.testing.assert_array_equal(fill_values(tb, time, **rule), fill_time(tb, time, **rule)[0])


@pytest.mark.parametrize("cells", [16, 48, 50, 32768 + 16, 65536 + 32])
@pytest.mark.parametrize("lead", range(0, 16, 3))
def test_stores_that_pass_the_cache_by_write_the_same(monkeypatch, cells, lead):
    """Wherever the first whole line of the outputs begins; nothing beside them is touched."""
    monkeypatch.setattr(gapfill_window, "LARGE", 0)
    rng = np.random.default_rng(cells + lead)
    tb, time = gaps(rng, 19, 1, cells), DAYS[:19]
    room = np.full(tb.size + 32, -1, np.float32)
    out = room[lead + 1 : lead + 1 + tb.size].reshape(tb.shape)
    fill_values(tb, time, **PRESETS["donahue-text"], out=out)
    np.testing.assert_array_equal(out, fill_time(tb, time, **PRESETS["donahue-text"])[0])
    assert (room[: lead + 1] == -1).all() and (room[lead + 1 + tb.size :] == -1).all()


@pytest.mark.parametrize("out", [np.empty((3, 1, 4), np.float64), np.empty((3, 1, 8), np.float32)[:, :, ::2]])
def test_an_output_that_cannot_hold_the_values_is_refused(out):
    """It would be filled beside itself."""
    with pytest.raises(InputError, match="same shape"):
        fill_values(np.zeros((3, 1, 4), np.float32), DAYS[:3], **PRESETS["donahue-text"], out=out)
