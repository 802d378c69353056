from dataclasses import astuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from frostline.twin import snow
from frostline.twin.snow import Pack


def pack(swe=0.0, liquid=0.0, density=0.2, grain=0.5):
    return Pack(*(np.array([v]) for v in (swe, liquid, density, grain)))


def one(v):
    return np.array([v])


def run(p, *, air, precipitation=0.0, offset=0.0, ground=0.0, hours=3.0, rate=4.5, snowfall=1.0):
    return snow.step(
        p, air=one(air), offset=one(offset), precipitation=one(precipitation), ground=one(ground), rate=one(rate),
        hours=hours, snowfall=snowfall,
    )  # fmt: skip


def test_phase_ramp():
    assert snow.snow_share(np.array([-5.0, -0.5, 0.5, 1.5, 9.0])).tolist() == [1.0, 1.0, 0.5, 0.0, 0.0]


def test_fall_mixes_by_mass():
    p = snow.fall(pack(swe=30.0, density=0.3, grain=1.0), one(10.0))
    assert p.swe == pytest.approx(40.0)
    assert p.density == pytest.approx(0.75 * 0.3 + 0.25 * 0.12)
    assert p.grain == pytest.approx(0.75 * 1.0 + 0.25 * 0.35)
    assert p.depth == pytest.approx(40 / 255)


def test_melt_by_hand():
    # 4.5 mm/(K d) x 2 K x 1/8 d = 1.125 mm; far below what 100 mm can hold
    p, out = snow.melt(pack(swe=100.0), air=one(2.0), warmth=one(2.0), rain=one(0.0), rate=one(4.5), days=0.125)
    assert (p.swe, p.liquid, out) == (pytest.approx(98.875), pytest.approx(1.125), pytest.approx(0.0))
    # 3 mm/(K d) x 4 K x 1/8 d = 1.5 mm refreeze
    p, out = snow.melt(
        pack(swe=100.0, liquid=5.0), air=one(-4.0), warmth=one(-4.0), rain=one(0.0), rate=one(4.5), days=0.125
    )
    assert (p.swe, p.liquid) == (pytest.approx(101.5), pytest.approx(3.5))
    # 10 mm of water on 100 mm of ice: 6 % stay; of 5 mm of rain .6 are caught first
    p, out = snow.melt(
        pack(swe=100.0, liquid=10.0), air=one(0.0), warmth=one(0.0), rain=one(5.0), rate=one(4.5), days=1
    )
    assert p.liquid == pytest.approx(6.0) and out == pytest.approx(10 + 3 - 6 + 2)


def test_a_trace_runs_off_and_leaves_no_pack():
    p, out = snow.melt(pack(swe=0.9, liquid=0.02), air=one(1.0), warmth=one(0.0), rain=one(0.0), rate=one(4.5), days=1)
    assert (p.swe, p.liquid) == (0, 0) and out == pytest.approx(0.92)
    q = snow.settle(p, air=one(1.0), ground=one(0.0), days=1)
    assert q.density == pytest.approx(snow.FRESH_DENSITY) and q.grain == pytest.approx(snow.FRESH_GRAIN)


def test_settling_goes_to_the_dry_or_wet_end():
    dry, wet = pack(swe=100.0, density=0.2), pack(swe=100.0, liquid=2.0, density=0.2)
    for _ in range(800):
        dry = snow.settle(dry, air=one(-5.0), ground=one(0.0), days=0.125)
        wet = snow.settle(wet, air=one(0.0), ground=one(0.0), days=0.125)
    assert dry.density == pytest.approx(0.32 - 0.12 * (1 - 0.125 / 45) ** 800)  # 100 days of the recursion by hand
    assert wet.density == pytest.approx(0.55, abs=1e-5)
    assert wet.grain == pytest.approx(snow.TOP_GRAIN)


def test_grain_grows_with_the_gradient():
    # depth .4 m, 20 K across: 50 K/m; a day gives .004 + .00025 x 50 = .0165 mm
    p = snow.settle(pack(swe=100.0, density=0.25, grain=0.5), air=one(-20.0), ground=one(0.0), days=1.0)
    depth = 100 / (1000 * (0.25 + 0.07 / 45))
    assert depth == pytest.approx(0.4, abs=0.003)
    assert p.grain == pytest.approx(0.5165, abs=1e-4)


def test_resistance_by_hand():
    # .4 m at .25 g/cm3: conductivity .1916 W/(m K), 2.088 m2 K/W; wet snow a third of it
    assert snow.resistance(pack(swe=100.0, density=0.25)) == pytest.approx(2.088, abs=2e-3)
    assert snow.resistance(pack(swe=100.0, liquid=3.0, density=0.25)) == pytest.approx(0.35 * 2.088, abs=2e-3)
    assert snow.resistance(pack()) == 0


def test_wetness_is_percent_by_volume():
    assert pack(swe=100.0, liquid=4.0, density=0.25).wetness == pytest.approx(1.0)  # 4 mm in 400 mm
    assert pack(swe=0.5, liquid=0.4).wetness == 0


@given(
    swe=st.floats(0, 500), liquid=st.floats(0, 20), air=st.floats(-40, 30), rain=st.floats(0, 20),
    offset=st.floats(-3, 12), rate=st.floats(2.5, 6),
)  # fmt: skip
def test_water_is_conserved(swe, liquid, air, rain, offset, rate):
    before = pack(swe=swe, liquid=liquid)
    after, out = run(before, air=air, precipitation=rain, offset=offset, rate=rate)
    assert after.swe + after.liquid + out == pytest.approx(swe + liquid + rain, rel=1e-9, abs=1e-9)
    assert min(after.swe, after.liquid, out) >= 0
    assert 0.1 <= after.density <= snow.TOP_DENSITY and 0.3 <= after.grain <= snow.TOP_GRAIN


def test_snowfall_factor_and_bad_hours():
    p, _ = run(pack(), air=-10.0, precipitation=10.0, snowfall=1.35)
    assert p.swe == pytest.approx(13.5)
    with pytest.raises(ValueError, match="positive"):
        run(pack(), air=0.0, hours=0.0)


def test_float32_stays_float32():
    p = snow.no_snow(3)
    air = np.full(3, -3, np.float32)
    p, out = snow.step(p, air=air, offset=air, precipitation=-air, ground=air, rate=-air, hours=3.0)
    assert {v.dtype for v in (*astuple(p), out, snow.resistance(p), p.wetness)} == {np.dtype(np.float32)}
