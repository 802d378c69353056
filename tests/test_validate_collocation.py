"""Accuracies, gates, intervals and doubts of a collocation, on errors of known make."""

import numpy as np
import pytest
import xarray as xr

from frostline.clock import days, season
from frostline.grid import named
from frostline.schema import record
from frostline.twin.injector import inject
from frostline.validate.collocation import collocate, with_intervals
from frostline.validate.collocation_doubts import cautions, preconditions
from frostline.validate.collocation_em import STATUS
from frostline.validate.moments import cell_moments, moments

PSI = {"a": 0.95, "b": 0.9, "c": 0.85}
ETA = {"a": 0.92, "b": 0.97, "c": 0.88}


def truth(*, cells=100, years=10, share=None, seed=1):
    """Frozen by chance around the season: b near -.31, or a constant share."""
    times = days("2001-01-01", f"{2000 + years}-12-31")
    phase = (times - times.astype("datetime64[Y]")) / np.timedelta64(1, "D") - 15
    chance = 1 / (1 + np.exp(-8 * (np.cos(2 * np.pi * phase / 365.25) - 0.45))) if share is None else 0 * phase + share
    frozen = np.random.default_rng(seed).random((len(times), 1, 1, cells)) < chance[:, None, None, None]
    grid = named("M09").around(100.0, 40.0, (1, cells))
    return record(frozen.astype(np.float32), grid=grid, time=times, overpass=[0])


def each_cell(cells):
    return {str(i): np.arange(cells)[None] == i for i in range(cells)}


def wanted(chances):
    return xr.DataArray(list(chances.values()), dims="product")


def test_known_accuracies_are_recovered():
    """A million independent samples: within .005 (all as one stratum); ten years of a cell: within .02 on average."""
    records = inject(truth(cells=280), PSI, ETA, length=0, seed=3)
    found = collocate(moments(records)).squeeze()
    assert int(found["n"]) > 1_000_000 and int(found["status"]) == STATUS["ok"]
    np.testing.assert_allclose(found["psi"], wanted(PSI), atol=0.005)
    np.testing.assert_allclose(found["eta"], wanted(ETA), atol=0.005)
    np.testing.assert_allclose(found["pi"], (wanted(PSI) + wanted(ETA)) / 2, atol=0.005)
    assert sorted(found["rank"].values.tolist()) == [1, 2, 3] and int(found["rank"][2]) == 3
    cells = collocate(cell_moments(records).sum("group"))
    assert cells["psi"].dims == ("overpass", "y", "x", "product")
    assert (cells["status"] == STATUS["ok"]).mean() > 0.95
    for name, chances in (("psi", PSI), ("eta", ETA)):
        assert (np.abs(cells[name] - wanted(chances)).median(("overpass", "y", "x")) < 0.02).all()
    # a refit starts where the closed form left the cube, and only there
    inside = cells["status"] == STATUS["ok"]
    np.testing.assert_allclose(cells["psi"].where(inside), cells["psi_closed"].where(inside))


def test_four_products_expose_the_pair_and_the_rest_recovers():
    state = truth(cells=100)
    psi, eta = {**PSI, "d": 0.9, "e": 0.93}, {**ETA, "d": 0.9, "e": 0.9}
    records = inject(state, psi, eta, length=0, seed=3)
    mixed = inject(state, psi, eta, common=0.7, length=0, seed=4)
    records = {**records, "a": mixed["a"], "b": mixed["b"]}  # these two err together
    sums = moments(records)
    found = collocate(sums).squeeze()
    assert str(found["pair"].values[int(found["residual"].values.argmax())]) == "a, b"
    assert float(found["psi"].sel(product="a")) > psi["a"] + 0.005
    apart = collocate(sums, without=[("a", "b")]).squeeze()
    np.testing.assert_allclose(apart["psi"], wanted(psi), atol=0.005)
    np.testing.assert_allclose(apart["eta"], wanted(eta), atol=0.005)


def test_gates_blank_what_samples_cannot_tell():
    def of(share, years, cells=1):
        state = truth(cells=cells, years=years, share=share)
        return collocate(moments(inject(state, PSI, ETA, length=0, seed=5))).squeeze()

    few = of(0.5, 10).isel(product=0)
    assert np.isfinite([few["psi"], few["eta"]]).all()
    # 1461 days, 8 % frozen: about 120 of them, so thawed can be told, frozen not, and products be ranked
    rare = of(0.08, 4)
    assert np.isnan(rare["psi"]).all() and np.isfinite(rare["eta"]).all() and rare["rank"].min() == 1
    # 2 %: thirty; nothing but counts
    scarce = of(0.02, 4)
    assert int(scarce["status"]) in (STATUS["too_few"], STATUS["negative_product"]) and int(scarce["n"]) == 1461
    assert all(np.isnan(scarce[name]).all() for name in ("psi", "eta", "pi", "b", "v"))
    assert (scarce["rank"] == 0).all()
    # many samples, but |b| > .9: the rarer class is not identified
    extreme = of(0.03, 10, cells=40)
    assert float(extreme["b"]) < -0.9
    assert np.isnan(extreme["psi"]).all() and np.isfinite(extreme["eta"]).all()
    assert any("|b| > 0.9" in line for line in cautions(extreme))


def made(values):
    grid = named("M09").around(100.0, 40.0, (1, 1))
    values = np.asarray(values, np.float32)[:, None, None, None]
    return record(values, grid=grid, time=days("2001-01-01", "2004-12-31")[: len(values)], overpass=[0])


def test_bad_input_is_a_status_and_never_a_number():
    rng = np.random.default_rng(0)
    state = rng.random(1461) < 0.4

    def product(wrong):
        return made(state ^ (rng.random(1461) < wrong))

    one, two = product(0.1), product(0.1)
    opposed = made(rng.random(1461) < 0.4)
    opposed["frozen"][:] = np.where(one["frozen"] == two["frozen"], opposed["frozen"], 1 - one["frozen"])
    cases = {
        "zero_variance": {"a": one, "b": two, "c": made(np.zeros(1461))},
        "identical": {"a": one, "b": two, "c": one},
        "negative_product": {"a": one, "b": two, "c": opposed},
        "too_few": {n: r.isel(time=slice(0, 50)) for n, r in {"a": one, "b": two, "c": product(0.1)}.items()},
    }
    for status, records in cases.items():
        for sums in (moments(records), cell_moments(records).sum("group")):
            found = collocate(sums).squeeze()
            assert int(found["status"]) == STATUS[status], status
            assert all(np.isnan(found[name]).all() for name in ("psi", "eta", "pi", "v", "b")), status
            assert any(status in line for line in cautions(found))
        drawn = with_intervals(moments(records), collocate(moments(records)), resamples=50).squeeze()
        assert np.isnan(drawn["psi_lo"]).all() and np.isnan(drawn["rank_share"]).all()


def test_unknown_samples_are_dropped_and_said():
    records = inject(truth(cells=2, years=4), PSI, ETA, length=0, seed=5)
    records["a"]["frozen"][:, :, :, 0] = np.nan
    found = collocate(moments(records))
    assert int(found["n"].sum()) == int(found["dropped"].sum()) == 1461
    assert any("50% of the samples were dropped" in line for line in cautions(found))


def test_intervals_and_ranks():
    records = inject(truth(cells=3), PSI, ETA, length=0, seed=6)
    sums = moments(records, strata=each_cell(3))
    found = with_intervals(sums, collocate(sums), resamples=300)
    for name in ("psi", "eta", "pi", "b"):
        assert (found[f"{name}_lo"] < found[name]).all() and (found[name] < found[f"{name}_hi"]).all()
    assert found.attrs["block_days"] == 90 and found.attrs["blocks"] == pytest.approx(10, abs=0.5)
    np.testing.assert_allclose(found["rank_share"].sum("rank_place"), 1)
    # a (.935) and b (.935) are equal, c (.865) is the last
    assert (found["rank_share"].sel(product="c", rank_place=3) > 0.95).all()
    assert (found["rank_share"].sel(product="a", rank_place=1) < 0.99).all()
    assert not found["unreliable"].any() and (found["inadmissible"] == 0).all()
    again = with_intervals(sums, collocate(sums), resamples=300)
    xr.testing.assert_identical(again, found)
    winter = sums.sel(time=season(sums["time"]) == "DJF")
    assert (collocate(winter)["n"] < 1000).all()


def test_long_records_draw_whole_years_and_lasting_errors_longer_blocks():
    records = inject(truth(cells=1, years=15), PSI, ETA, length=0, seed=6)
    sums = moments(records)
    found = with_intervals(sums, collocate(sums), resamples=100)
    assert found.attrs["block_days"] == 0 and found.attrs["blocks"] == 15
    shorter = sums.isel(time=slice(0, 3000))
    lasting = collocate(shorter).assign(r1=collocate(shorter)["r1"] * 0 + 0.96)
    assert with_intervals(shorter, lasting, block=30, resamples=20).attrs["block_days"] == 50
    assert any("persists" in line for line in cautions(lasting))


def test_a_member_that_feeds_another_is_said_before_any_number():
    state = truth(cells=1, years=1)
    fused, reanalysis, stations = (inject(state, {"x": 0.9}, {"x": 0.9}, length=0, seed=s)["x"] for s in range(3))
    fused.attrs["inputs"] = "SMAP, Reanalysis"
    lines = preconditions({"fused": fused, "reanalysis": reanalysis, "stations": stations})
    assert lines[0].startswith("reanalysis is an input of fused") and "optimistic" in lines[-1]
    # by way of a net that is no member
    fused.attrs["inputs"] = ["net"]
    lines = preconditions(
        {"fused": fused, "reanalysis": reanalysis, "stations": stations}, lineage={"net": ["REANALYSIS"]}
    )
    assert lines[0].startswith("reanalysis is an input of fused")
    # a common source that is no member
    fused.attrs["inputs"], stations.attrs["inputs"], reanalysis.attrs["inputs"] = "imerg", "imerg", ""
    lines = preconditions({"fused": fused, "reanalysis": reanalysis, "stations": stations})
    assert lines[0].startswith("fused and stations share an input (imerg)") and len(lines) == 2
    del reanalysis.attrs["inputs"]
    assert any("not known what went into reanalysis" in line for line in preconditions({"reanalysis": reanalysis}))
