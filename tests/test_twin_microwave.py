from dataclasses import replace
from time import perf_counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from frostline.twin.microwave import BANDS, SKY, Scene, Surface, average, brightness

OPEN = {"clay": 0.2, "roughness": 0.25, "forest": 0.0, "water_fraction": 0.0}
THAWED = {
    "skin": 276.0, "soil_temperature": 276.0, "liquid": 0.25, "ice": 0.0, "air": 276.0, "swe": 0.0, "density": 0.2,
    "wetness": 0.0, "grain": 0.4, "vegetation": 0.4, "lake_ice": 0.0, "water_temperature": 277.0, "vapour": 8.0,
    "cloud_water": 0.0,
}  # fmt: skip
FROZEN = THAWED | {"skin": 264.0, "soil_temperature": 266.0, "air": 263.0, "liquid": 0.05, "ice": 0.20}
SNOWY = FROZEN | {"swe": 75.0, "density": 0.25, "grain": 1.0, "soil_temperature": 270.0, "air": 258.0, "skin": 257.0}


def surface(**over):
    return Surface(**{k: np.array([v], np.float32) for k, v in (OPEN | over).items()})


def scene(values, **over):
    values = values | over
    two = ("soil_temperature", "liquid", "ice")
    return Scene(**{k: np.full((2, 1) if k in two else (1,), v, np.float32) for k, v in values.items()})


def tb(band, values, *, ground=None, **over):
    v, h = brightness(BANDS[band], surface(**(ground or {})), scene(values, **over))
    assert v.dtype == h.dtype == np.float32
    return float(v[0]), float(h[0])


def npr(band, values, **over):
    v, h = tb(band, values, **over)
    return 100 * (v - h) / (v + h)


def test_bare_flat_soil_by_hand():
    # L band, no plants, h = 0, all at 280 K; e_V .7732 of the reference vector (clay .2, liquid .25), sky 2.73 K:
    # t = exp(-.006 / cos 40) = .992198, air = .007802 * 268 = 2.0909, sky = 2.0909 + .992198 * 2.73 = 4.7996
    # TB = t (e 280 + (1 - e) sky) + air = .992198 (216.496 + 1.0886) + 2.0909 = 217.978
    v, h = tb(
        "L",
        THAWED,
        ground={"roughness": 0.0},
        vegetation=0.0,
        skin=280.0,
        soil_temperature=280.0,
        air=280.0,
        vapour=0.0,
    )
    assert v == pytest.approx(217.978, abs=0.03)
    # e_H = .5826: .992198 (163.128 + .4174 * 4.7996) + 2.0909 = 165.934
    assert h == pytest.approx(165.934, abs=0.03)


def test_open_water_by_hand():
    # L band, eps 73 + 22i at 40 degrees: r from the complex Fresnel form
    eps, cosine = 73 + 22j, np.cos(np.deg2rad(40))
    below = np.sqrt(eps - 1 + cosine**2)
    r = abs((eps * cosine - below) / (eps * cosine + below)) ** 2
    t = np.exp(-0.006 / cosine)
    air = (1 - t) * (280 - 12)
    want = t * ((1 - r) * 277 + r * (air + t * 2.73)) + air
    got, _ = tb("L", THAWED, ground={"water_fraction": 1.0}, air=280.0)
    assert got == pytest.approx(want, abs=0.01)


def test_polarisation_ratio_falls_on_freezing_and_again_under_snow():
    assert npr("L", THAWED) > npr("L", FROZEN) + 1 > npr("L", SNOWY) + 1.5


def test_forest_hides_the_contrast():
    open_land = npr("L", THAWED) - npr("L", FROZEN)
    forest = npr("L", THAWED, ground={"forest": 0.8}) - npr("L", FROZEN, ground={"forest": 0.8})
    assert abs(forest) < open_land / 4  # a frozen canopy is clearer, which takes back what the soil gives


def test_gradient_falls_under_deep_dry_snow():
    def gradient(values):
        return tb("Ka", values)[0] - tb("K", values)[0]

    assert abs(gradient(THAWED)) < 8
    assert abs(gradient(FROZEN)) < 8
    assert gradient(SNOWY) < -15
    deeper = [gradient(SNOWY | {"swe": s}) for s in (10.0, 30.0, 60.0, 120.0)]
    assert (np.diff(deeper) < 0).all()


@pytest.mark.parametrize("band", ["K", "Ka"])
def test_wet_snow_hides_the_soil(band):
    wet = SNOWY | {"wetness": 3.0, "skin": 273.0, "air": 274.0}
    dry = SNOWY | {"skin": 273.0, "air": 274.0}

    def contrast(values):
        frozen = tb(band, values)[1]
        return abs(frozen - tb(band, values, liquid=0.3, ice=0.0)[1])

    assert contrast(wet) < 0.05
    assert contrast(dry) > 10 * contrast(wet)
    assert tb(band, wet)[0] > tb(band, dry)[0]  # the pack darkens no more: it radiates


def test_snow_insulates_nothing_when_there_is_none():
    bare, thin = tb("Ka", FROZEN), tb("Ka", FROZEN, swe=0.9, density=0.25)  # 3.6 mm: below the least depth
    assert bare == thin


def test_lake_ice_is_warmer_than_water_and_mixes_linearly():
    lake = {"water_fraction": 1.0}
    values = [tb("Ka", FROZEN, ground=lake, lake_ice=s, water_temperature=273.3)[0] for s in (0.0, 0.5, 1.0)]
    assert values[2] > values[0] + 20
    assert values[1] == pytest.approx((values[0] + values[2]) / 2, abs=0.02)


def test_average_halves_every_field():
    middle = average(scene(THAWED), scene(FROZEN))
    assert middle.air[0] == pytest.approx((276.0 + 263.0) / 2)
    assert middle.liquid.shape == (2, 1)
    assert middle.ice[1, 0] == pytest.approx(0.1)
    assert middle.skin.dtype == np.float32


def random_world(seed, n=512):
    rng = np.random.default_rng(seed)

    def u(low, high, *shape):
        return rng.uniform(low, high, shape or (n,)).astype(np.float32)

    snow = (u(0, 1) < 0.5) * u(0, 400)
    ground = Surface(clay=u(0.03, 0.55), roughness=u(0, 0.8), forest=u(0, 0.9), water_fraction=u(0, 1))
    state = Scene(
        skin=u(225, 305), soil_temperature=u(240, 300, 2, n), liquid=u(0.02, 0.4, 2, n), ice=u(0, 0.3, 2, n),
        air=u(225, 305), swe=snow.astype(np.float32), density=u(0.1, 0.55), wetness=u(-0.0, 6), grain=u(0.35, 1.6),
        vegetation=u(0, 2), lake_ice=u(0, 1), water_temperature=u(273.3, 293), vapour=u(1, 60), cloud_water=u(0, 0.5),
    )  # fmt: skip
    return ground, state


@pytest.mark.parametrize("band", list(BANDS))
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_between_the_sky_and_the_warmest_body(band, seed):
    ground, state = random_world(seed)
    v, h = brightness(BANDS[band], ground, state)
    bodies = [state.skin, state.soil_temperature.max(0), state.air, state.water_temperature, np.float32(272)]
    warmest = np.maximum.reduce(np.broadcast_arrays(*bodies))
    for values in (v, h):
        assert (values >= SKY).all()
        assert (values <= warmest + 0.01).all()


@pytest.mark.parametrize("band", list(BANDS))
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_horizontal_is_never_above_vertical(band, seed):
    ground, state = random_world(seed)
    v, h = brightness(BANDS[band], ground, state)
    assert (h <= v + 0.01).all()


@pytest.mark.parametrize("band", list(BANDS))
def test_a_world_at_one_temperature_is_a_black_box(band):
    # energy limit: everything, the air too, at 270 K gives no more than 270 K
    ground, state = random_world(3)
    warm = {f: np.full_like(getattr(state, f), 270) for f in ("skin", "soil_temperature", "air", "water_temperature")}
    v, h = brightness(BANDS[band], ground, replace(state, **warm, lake_ice=state.lake_ice * 0))
    assert (np.maximum(v, h) <= 270.0 + 0.01).all()


@pytest.mark.parametrize("name", list(BANDS))
def test_a_thick_canopy_by_hand(name):
    # nothing comes through: TB = t (1 - omega) 270 + (1 - t) (270 - 12)
    band = BANDS[name]
    opacity = band.dry_air + 8 * band.vapour
    t = np.exp(-opacity / np.cos(np.deg2rad(band.incidence)))
    want = t * (1 - band.omega) * 270 + (1 - t) * 258
    assert tb(name, THAWED, air=270.0, vegetation=1e3) == pytest.approx((want, want), abs=0.01)


def test_cells_do_not_know_each_other():
    ground, state = random_world(5, n=8)
    whole = brightness(BANDS["Ka"], ground, state)

    def one(item):
        return type(item)(**{k: v[..., 3:4] for k, v in vars(item).items()})

    assert brightness(BANDS["Ka"], one(ground), one(state))[0][0] == pytest.approx(whole[0][3], abs=1e-3)


@pytest.mark.parametrize("band", list(BANDS))
def test_fast_enough_for_a_world(band):
    ground, state = random_world(1, n=4096)
    best = np.inf
    for _ in range(20):
        start = perf_counter()
        brightness(BANDS[band], ground, state)
        best = min(best, perf_counter() - start)
    assert best < 3e-3
