"""Two days of gaps in one pass against the plain rule."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from frostline.gapfill import fill_time, fill_values

DAYS = np.arange("2017-01-01", "2017-02-01", dtype="datetime64[D]").astype("datetime64[ns]")


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    length=st.integers(1, 14),
    side=st.integers(0, 2),
    span=st.integers(0, 4),
    mode=st.sampled_from(["linear", "mean"]),
)
def test_windows_of_two_days_at_once_are_the_plain_rule(seed, length, side, span, mode):
    """Days that are skipped break the chain of windows; odd numbers of days leave one over."""
    rng = np.random.default_rng(seed)
    tb = rng.normal(250, 10, (length, 2, 9)).astype(np.float32)
    tb[rng.random(tb.shape) < 0.5] = np.nan
    time = DAYS[np.sort(rng.choice(length + 3, length, replace=False))]
    rule = {"max_side": side, "max_span": span, "one_sided": "none", "mode": mode}
    np.testing.assert_array_equal(fill_values(tb, time, **rule), fill_time(tb, time, **rule)[0])
