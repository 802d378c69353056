"""Weights against functions whose values are known, and sums of fine cells worked by hand."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from frostline import regrid
from frostline.errors import InputError
from frostline.grid import Grid, named, regular
from frostline.regrid import apply, apply_plain, area_mean, bilinear, class_share, majority, nearest

NAN = np.float32(np.nan)
ERA5 = regular(0.25, left=-0.125, top=90.125, shape=(721, 1440), name="ERA5")
AMSR2 = regular(0.1, left=0.0, top=90.0, name="AMSR2")
N09, N36 = named("N09"), named("N36")
SQUARE = Grid("square", "EPSG:4326", 0.0, 2.0, 1.0, (2, 2))  # centres at 0.5, 1.5 E and 1.5, 0.5 N


def point(row: float, col: float, source: Grid = SQUARE, step: float = 1e-3) -> Grid:
    """A target of one cell whose centre lies at a fractional position of the source."""
    x, y = source.left + (col + 0.5) * source.step, source.top - (row + 0.5) * source.step
    return Grid("point", "EPSG:4326", x - step / 2, y + step / 2, step, (1, 1))


@pytest.mark.parametrize(
    ("row", "col", "field", "expected"),
    [
        (0.25, 0.25, [[1, 2], [3, 4]], 1.75),  # 9/16 + 2*3/16 + 3*3/16 + 4/16
        (0.25, 0.25, [[1, 2], [3, NAN]], 1.6),  # (9*1 + 3*2 + 3*3) / 15
        (0.75, 0.75, [[1, 2], [3, NAN]], NAN),  # 7/16 of the weight is measured
        (0.5, 0.5, [[1, NAN], [3, NAN]], 2.0),  # exactly half is enough
        (0.0, 0.0, [[1, NAN], [NAN, NAN]], 1.0),  # on a centre the others weigh nothing
        (-0.4, 0.0, [[1, 2], [3, 4]], 1.0),  # between the outermost centres and the edge
        (-0.6, 0.0, [[1, 2], [3, 4]], NAN),  # outside
        (1.0, 1.0, [[1, 2], [3, 4]], 4.0),
        (1.4, 1.4, [[1, 2], [3, 4]], 4.0),
    ],
)
def test_missing_weight_rule_by_hand(row, col, field, expected):
    weights = bilinear(SQUARE, point(row, col))
    for how in (apply, apply_plain):
        assert how(weights, np.array(field, np.float32)).item() == pytest.approx(expected, rel=1e-6, nan_ok=True)


@pytest.mark.parametrize("source", [ERA5, AMSR2], ids=lambda g: g.name)
@pytest.mark.parametrize(
    ("lon", "lat"),
    [(0.0, 60.0), (-180.0, 60.0), (97.3, 35.0), (0.0, 89.9)],
    ids=["0/360", "date line", "Tibet", "pole"],
)
def test_linear_functions_are_exact_on_the_north_grid(source, lon, lat):
    target = N09.around(lon, lat, (60, 60))
    x, y = source.lonlat()
    X, Y = target.lonlat()
    weights = bilinear(source, target)
    assert np.isfinite(weights.down).all()
    # the half cell between AMSR2's first centres and the pole holds the first row
    expected = np.minimum(Y, y[0, 0])
    np.testing.assert_allclose(apply(weights, y), expected, rtol=3e-7)
    if lat < 80:  # longitude is linear in itself only away from its own jump, which is put opposite
        turn = lambda v: np.mod(v - lon + 180.0, 360.0) - 180.0  # noqa: E731
        np.testing.assert_allclose(apply(weights, turn(x) - 2 * y), turn(X) - 2 * Y, atol=5e-5)


def test_seam_takes_both_sides():
    field = np.zeros(AMSR2.shape, np.float32)
    field[:, 0], field[:, -1] = 10.0, 20.0
    target = regular(0.02, left=-0.05, top=50.0, shape=(1, 5))  # centres -0.04 .. 0.04 E
    np.testing.assert_allclose(apply(bilinear(AMSR2, target), field)[0], [19, 17, 15, 13, 11], rtol=1e-4)


def test_pole_edge_holds_the_outermost_row():
    field = np.broadcast_to(AMSR2.y[:, None], AMSR2.shape)
    target = regular(0.02, left=10.0, top=90.0, shape=(4, 3))  # 89.99, 89.97, 89.95, 89.93 N
    np.testing.assert_allclose(apply(bilinear(AMSR2, target), field)[:, 0], [89.95, 89.95, 89.95, 89.93], rtol=1e-7)


def test_projected_source_is_linear_in_its_own_axes():
    parent = N36.around(20.0, 65.0, (40, 40))
    child = N09.around(20.0, 65.0, (100, 100))
    field = parent.x[None, :] / 1e5 - 3 * parent.y[:, None] / 1e5
    np.testing.assert_allclose(
        apply(bilinear(parent, child), field), child.x / 1e5 - 3 * child.y[:, None] / 1e5, rtol=1e-5, atol=1e-4
    )


def test_regional_source_leaves_the_rest_unknown():
    china = regular(0.25, left=70.0, top=55.0, shape=(160, 280))
    target = regular(5.0)
    out = apply(bilinear(china, target), np.ones(china.shape))
    lon, lat = target.lonlat()
    inside = (lon > 70) & (lon < 140) & (lat > 15) & (lat < 55)
    np.testing.assert_array_equal(np.isfinite(out), inside)


def test_southern_corners_of_the_north_square_are_served():
    corner = N09.window(slice(0, 3), slice(0, 3))
    lat = ERA5.lonlat()[1]
    out = apply(bilinear(ERA5, corner), lat)
    assert (out < 0).all() and np.isfinite(out).all()


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    rows=st.integers(1, 6),
    cols=st.integers(1, 7),
    wraps=st.booleans(),
    gaps=st.floats(0, 0.9),
)
def test_within_range_constant_kept_and_bits_equal(seed, rows, cols, wraps, gaps):
    rng = np.random.default_rng(seed)
    step = 360.0 / cols if wraps else 1.3
    source = Grid("s", "EPSG:4326", float(rng.uniform(-180, 180)), 40.0, min(step, 60.0), (rows, cols))
    target = Grid("t", "EPSG:4326", source.left - source.step, 40.0 + source.step, source.step * 0.31, (13, 17))
    field = rng.normal(250, 20, (3, rows, cols)).astype(np.float32)
    field[rng.random(field.shape) < gaps] = np.nan
    weights = bilinear(source, target)
    out = apply(weights, field)
    np.testing.assert_array_equal(out, apply_plain(weights, field))
    for k in range(3):  # a stack gives the bits of its parts
        np.testing.assert_array_equal(out[k], apply(weights, field[k]))
        known = out[k][np.isfinite(out[k])]
        if known.size:
            assert known.min() >= np.nanmin(field[k]) - 1e-4 and known.max() <= np.nanmax(field[k]) + 1e-4
    whole = apply(weights, np.full((rows, cols), 273.15))
    np.testing.assert_allclose(whole[np.isfinite(whole)], 273.15, rtol=3e-7)


def test_interpolated_values_lie_within_their_four_neighbours():
    rng = np.random.default_rng(1)
    field = rng.normal(250, 20, (8, 9)).astype(np.float32)
    source = Grid("s", "EPSG:4326", 5.0, 40.0, 1.0, (8, 9))
    w = bilinear(source, Grid("t", "EPSG:4326", 5.6, 39.4, 0.17, (40, 45)))
    r, c = w.row.astype(int), w.col.astype(int)
    around = np.stack([field[r + i, c + j] for i in (0, 1) for j in (0, 1)])
    out = apply(w, field)
    assert (out >= around.min(0) - 1e-4).all() and (out <= around.max(0) + 1e-4).all()


def test_a_stack_gives_the_bits_of_its_parts():
    """Eight fields at a time go another way than the three that are left."""
    rng = np.random.default_rng(3)
    source, target = regular(5.0), named("N36").window(slice(100, 180), slice(200, 330))
    fields = rng.normal(250, 10, (11, *source.shape)).astype(np.float32)
    fields[rng.random(fields.shape) < 0.2] = np.nan
    weights = bilinear(source, target)
    together = apply(weights, fields)
    assert np.isnan(together).any() and np.isfinite(together).any()
    np.testing.assert_array_equal(together, np.stack([apply(weights, field) for field in fields]))
    np.testing.assert_array_equal(together, apply_plain(weights, fields))


def test_shapes_in_front_are_kept():
    weights = bilinear(SQUARE, point(0.5, 0.5))
    assert apply(weights, np.ones((2, 0, 2, 2))).shape == (2, 0, 1, 1)
    assert apply(weights, np.ones((2, 3, 2, 2), np.uint8)).shape == (2, 3, 1, 1)


def test_nearest_repeats_codes_and_leaves_nothing_between():
    parent, child = N36.window(slice(100, 104), slice(200, 203)), N09.window(slice(400, 416), slice(800, 812))
    codes = np.arange(12.0).reshape(4, 3)
    out = apply(nearest(parent, child), codes)
    np.testing.assert_array_equal(out, np.kron(codes, np.ones((4, 4))))
    codes[1, 1] = np.nan
    assert np.isnan(apply(nearest(parent, child), codes)).sum() == 16
    assert np.isnan(apply(nearest(parent, N09.window(slice(0, 5), slice(0, 5))), codes)).all()


def test_area_mean_of_four_by_four_blocks():
    fine, coarse = N09.window(slice(400, 408), slice(800, 808)), N36.window(slice(100, 102), slice(200, 203))
    field = np.arange(64.0).reshape(8, 8)
    field[0, 0] = np.nan
    mean, count = area_mean(field, fine, coarse)
    # block (0, 0) holds rows 0-3 x columns 0-3: sum 0..3 + 8..11 + 16..19 + 24..27 = 216, without its first
    np.testing.assert_allclose(mean[0, 0], 216 / 15, rtol=1e-6)
    np.testing.assert_allclose(mean[1, 1], field[4:, 4:].mean())
    np.testing.assert_array_equal(count, [[15, 16, 0], [16, 16, 0]])
    assert np.isnan(mean[:, 2]).all()


def test_area_mean_by_strips_and_by_stacks(monkeypatch):
    rng = np.random.default_rng(0)
    fine, coarse = regular(0.5, left=60.0, top=60.0, shape=(40, 50)), regular(4.0)
    field = rng.normal(size=(2, 3, 40, 50))
    whole = area_mean(field, fine, coarse)
    monkeypatch.setattr(regrid, "STRIP_CELLS", 120)
    parts = area_mean(field, fine, coarse)
    np.testing.assert_allclose(parts[0], whole[0], rtol=1e-6)
    np.testing.assert_array_equal(parts[1], whole[1])
    assert whole[1].shape == (2, 3, *coarse.shape) and whole[1][0, 0].sum() == 40 * 50
    np.testing.assert_allclose(area_mean(field[1, 2], fine, coarse)[0], whole[0][1, 2])
    np.testing.assert_allclose(np.nansum(whole[0] * whole[1]), field.sum(), rtol=1e-3, atol=1e-3)


def test_class_share_and_majority_by_hand():
    fine = Grid("fine", "EPSG:4326", 0.0, 2.0, 1.0, (2, 4))
    coarse = Grid("coarse", "EPSG:4326", 0.0, 2.0, 2.0, (1, 3))
    codes = np.array([[17, 5, 255, 255], [5, 17, 255, 1]], np.uint8)
    share = class_share(codes, (17, 5, 9), fine, coarse, fill=255)
    np.testing.assert_array_equal(share[:, 0], [[0.5, 0.0, NAN], [0.5, 0.0, NAN], [0.0, 0.0, NAN]])
    np.testing.assert_array_equal(majority(codes, fine, coarse, fill=255), [[5, 1, NAN]])  # a tie: the lowest
    np.testing.assert_array_equal(majority(codes, fine, coarse), [[5, 255, NAN]])
    holed = np.where(codes == 255, np.nan, codes)
    np.testing.assert_array_equal(majority(holed, fine, coarse), [[5, 1, NAN]])
    assert class_share(codes, (), fine, coarse).shape == (0, 1, 3)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_shares_add_up_and_the_majority_has_the_largest(seed):
    rng = np.random.default_rng(seed)
    fine, coarse = N09.window(slice(400, 420), slice(800, 820)), N36.window(slice(100, 105), slice(200, 205))
    codes = rng.integers(1, 5, fine.shape)
    share = class_share(codes, (1, 2, 3, 4), fine, coarse)
    np.testing.assert_allclose(share.sum(0), 1.0, rtol=1e-6)
    np.testing.assert_array_equal(majority(codes, fine, coarse), share.argmax(0) + 1)


def test_wrong_shapes_are_named():
    weights = bilinear(SQUARE, point(0.5, 0.5))
    for call in (
        lambda: apply(weights, np.ones((3, 2))),
        lambda: area_mean(np.ones((3, 2)), SQUARE, N36),
        lambda: majority(np.ones((3, 2)), SQUARE, N36),
        lambda: bilinear(Grid("wide", "EPSG:4326", 0.0, 1.0, 1e-3, (1, 70_000)), point(0.5, 0.5)),
    ):
        with pytest.raises(InputError, match="E-INPUT-GRID"):
            call()


def test_numba_is_loaded_only_by_those_who_use_it():
    code = "import sys, frostline.regrid, frostline.gapfill; sys.exit('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.slow
@pytest.mark.parametrize("source", [ERA5, AMSR2], ids=lambda g: g.name)
def test_the_whole_north_grid_holds_a_smooth_field(source):
    lon, lat = (np.radians(v) for v in source.lonlat())
    LON, LAT = (np.radians(v) for v in N09.lonlat())
    wave = lambda x, y: 250 + 10 * np.cos(y) * np.cos(3 * x) + 20 * np.sin(y)  # noqa: E731
    out = apply(bilinear(source, N09), wave(lon, lat))
    # the error of bilinear is at most h^2/8 (|f_xx| + |f_yy|), here h^2/8 (90 + 30) K; and float32
    bound = np.radians(source.step) ** 2 / 8 * 120 + 1e-4
    beyond = np.degrees(LAT) > source.y[0]  # the half cell at the pole, where the first row holds
    assert np.isfinite(out).all() and beyond.sum() <= 4
    assert np.abs(out - wave(LON, LAT))[~beyond].max() < bound
