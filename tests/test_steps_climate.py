"""The step of the seasons on a run folder made by hand: files, rows, pairs with the truth, breaks, gaps."""

import shutil

import numpy as np
import pytest
import xarray as xr

from frostline import store
from frostline.clock import days as dates_between
from frostline.config_china import China, SeasonTable
from frostline.errors import InputError
from frostline.grid import named
from frostline.runs import Run, read_json
from frostline.schema import record
from frostline.season import BOTH, FLAGS
from frostline.steps import climate
from frostline.steps.climate import season, yearly_seasons

pytestmark = pytest.mark.slow

SHAPE = (2, 3)
FIRST, LAST = 1984, 1997  # twelve whole frost years: 1985 to 1996, and 1984 too
GRID = named("M09").around(97.0, 36.0, SHAPE)


def experiment(**season_keys):
    return China(
        title="by hand",
        grid={"name": "M09", "center": (97.0, 36.0), "shape": SHAPE},
        period={"start": f"{FIRST}-08-01", "end": f"{LAST}-07-31"},
        twin={},
        split={
            "train": [("1985-01-01", "1985-12-31")],
            "validation": [("1986-02-01", "1986-06-30")],
            "heldout": [("1987-01-01", "1987-12-31")],
        },
        season=season_keys,
    )


def winters(length_of):
    """(time, overpass, y, x): frozen from 1 November for so many days of the winter that begins in each year; PM less.

    The last column never freezes.
    """
    times = dates_between(f"{FIRST}-08-01", f"{LAST}-07-31")
    since = times.astype("datetime64[D]")
    field = np.zeros((len(times), 2, *SHAPE), np.float32)
    for year in range(FIRST, LAST):
        day = (since - np.datetime64(f"{year}-11-01")).astype(int)
        for code, less in ((0, 0), (1, 10)):
            field[(day >= 0) & (day < length_of(year) - less), code] = 1
    field[..., -1] = 0
    return times, field


def truth_of(year):
    return 140 - 2 * (year - FIRST) + (5 if year % 3 == 0 else 0)


def fused_of(year):
    return truth_of(year) + (year - FIRST)  # loses half of the trend


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("run")
    times, truth = winters(truth_of)
    _, fused = winters(fused_of)
    gappy = truth.copy()
    gappy[: 365 * 3 : 2] = np.nan  # a first sensor of every second day, as SMMR
    static = {
        "land": np.array([[1, 1, 1], [1, 0, 1]]),
        "region": np.array([[1, 1, 1], [2, 2, 2]]),
        "permafrost": np.array([[1, 2, 2], [1, 1, 2]]),
    }
    for name, arrays, more in (
        ("truth.zarr", {"truth": truth}, {}),
        ("record.zarr", {"frozen": fused}, {}),
        (
            "stack.zarr",
            {"label_reanalysis": truth, "label_esdr": gappy},
            {"static": static, "attrs": {"regions": ["west", "east"], "permafrost_classes": ["cold", "warm", "none"]}},
        ),
    ):
        store.create(place / name, grid=GRID, time=times, overpass=[0, 1], variables=list(arrays), **more)
        with store.writer(place / name) as write:
            write(0, arrays)
    return place


@pytest.fixture(scope="module")
def played(folder):
    notes = season(experiment(), Run(folder, quiet=True))
    return folder, notes, read_json(folder / "trends.json")


def rows_of(found, **where):
    return [row for row in found if all(row[k] == v for k, v in where.items())]


def one_of(found, **where):
    (row,) = rows_of(found, **where)
    return row


def test_what_is_there_is_told_and_what_is_not(played):
    folder, notes, told = played
    assert notes["records"] == ["fused", "esdr", "reanalysis", "truth"]
    assert notes["absent"] == told["absent"] == ["convlstm_smap", "convlstm_esdr"]
    assert sorted(p.name for p in folder.glob("seasons_*.nc")) == [f"seasons_{n}.nc" for n in sorted(notes["records"])]
    assert told["world"] == "twin Earth" and told["overpasses"] == ["am", "pm", "both"]
    assert told["years"] == list(range(FIRST, LAST)) and "50 %" in told["gap_rule"]


def test_files_of_seasons_hold_what_was_made(played):
    folder = played[0]
    with xr.open_dataset(folder / "seasons_fused.nc", engine="h5netcdf") as ds:
        assert ds["frozen_days"].dims == ("year", "overpass", "y", "x")
        assert ds["overpass"].values.tolist() == [0, 1, BOTH]
        one = ds.sel(year=1990).isel(y=0)
        wanted = fused_of(1990)
        assert one["frozen_days"].values[:, 0].tolist() == [wanted, wanted - 10, wanted - 10]
        assert one["onset"].values[0].tolist()[:2] == [92.0, 92.0]  # 1 November
        assert one["length"].values[0, 0] == wanted
        # who never freezes has days, and no onset
        assert one["frozen_days"].values[0, 2] == 0 and np.isnan(one["onset"].values[0, 2])
        assert one["flag"].values[0, 2] == FLAGS["never"]
        assert ds.attrs["record"] == "fused" and ds.attrs["world"] == "twin Earth"


def test_half_of_the_trend_is_kept(played):
    """Two of the three cells of the west freeze and gain a day a year on the truth: 2/3 in their mean."""
    rows = played[2]["rows"]
    row = one_of(rows, record="fused", group="region", name="west", overpass="am")
    assert row["n_cells"] == 3 and row["years"] == 13 and row["status"] == "ok"
    assert row["difference"] == pytest.approx(2 / 3, rel=1e-5)
    assert row["difference_lo"] <= 2 / 3 + 1e-5 and row["difference_hi"] >= 2 / 3 - 1e-5
    assert row["kept"] == pytest.approx(1 + row["difference"] / row["truth_slope"])
    assert row["truth_slope"] == one_of(rows, record="truth", group="region", name="west", overpass="am")["slope"]
    assert row["bias"] == pytest.approx(2 / 3 * np.mean(range(13)))
    assert row["pair_cells"] == 3 and row["pair_years"] == 13
    exact = one_of(rows, record="reanalysis", group="all", name="all", overpass="both")
    assert exact["difference"] == 0 and exact["kept"] == 1 and exact["bias"] == 0
    assert "difference" not in one_of(rows, record="truth", group="all", name="all", overpass="am")


def test_groups_and_their_crossings(played):
    rows = rows_of(played[2]["rows"], record="truth", overpass="am")
    assert [(r["group"], r["name"], r["n_cells"]) for r in rows] == [
        ("all", "all", 5),
        ("region", "west", 3),
        ("region", "east", 2),
        ("permafrost", "cold", 2),
        ("permafrost", "warm", 3),
        ("region/permafrost", "west/cold", 1),
        ("region/permafrost", "west/warm", 2),
        ("region/permafrost", "east/cold", 1),
        ("region/permafrost", "east/warm", 1),
    ]
    never = rows[-1]
    assert never["mean"] == 0 and never["slope"] == 0 and never["p"] is None and never["status"] == "constant"


def test_means_have_their_variation(played):
    row = one_of(played[2]["means"], record="truth", group="region/permafrost", name="west/cold", overpass="am")
    made = np.array([truth_of(y) for y in range(FIRST, LAST)], float)
    assert row["mean"] == pytest.approx(made.mean()) and row["lo"] < row["mean"] < row["hi"]
    t = np.arange(13.0)
    rest = made - np.polyval(np.polyfit(t, made, 1), t)
    assert row["iav"] == pytest.approx(np.sqrt((rest**2).sum() / 11), rel=1e-5)


def test_a_sensor_of_every_second_day_leaves_years_null_and_says_why(played):
    folder, _, told = played
    gaps = rows_of(told["gaps"], record="esdr", overpass="am")
    assert [g["year"] for g in gaps] == [1984, 1985, 1986]
    assert all(g["null"] == 1 and g["reason"] == "a month with less than 50 % of its days" for g in gaps)
    assert not rows_of(told["gaps"], record="fused")
    row = one_of(told["rows"], record="esdr", group="all", name="all", overpass="am")
    assert row["years"] == 10 and row["yearly"][:3] == [None] * 3 and row["yearly"][3] is not None
    assert row["later_from"] == 1987 and row["later_slope"] == row["slope"]
    # the break lies where the known years begin: it cannot be told
    step = one_of(told["breaks"], record="esdr", group="all", overpass="am", year=1987)
    assert step["status"] == "few_years" and step["step"] is None
    with xr.open_dataset(folder / "seasons_esdr.nc", engine="h5netcdf") as ds:
        assert (ds["flag"].sel(year=1985).values & FLAGS["partial"]).all()


def test_onset_and_length_have_rows_of_their_own(played):
    rows = played[2]["phenology"]
    assert {r["variable"] for r in rows} == {"onset", "offset", "length", "transitions"}
    assert {r["group"] for r in rows} == {"all", "region"}
    row = one_of(rows, variable="onset", record="fused", group="all", overpass="am")
    assert row["mean"] == 92 and row["slope"] == 0 and row["bias"] == 0 and row["n_cells"] == 3
    length = one_of(rows, variable="length", record="fused", group="all", overpass="am")
    assert length["difference"] == pytest.approx(1.0)


def test_trend_maps(played):
    with xr.open_dataset(played[0] / "trend_cells.nc", engine="h5netcdf") as ds:
        assert ds["record"].values.tolist() == ["fused", "reanalysis", "truth"]
        truth = ds.sel(record="truth").isel(overpass=0, y=0)
        assert truth["significant"].values[:2].tolist() == [1, 1] and np.isnan(truth["significant"].values[2])
        assert (truth["slope"].values[:2] < -1.5).all() and truth["years"].values.tolist() == [13] * 3


@pytest.mark.slow
def test_processes_beside_each_other_make_the_same(played, tmp_path):
    folder, _, told = played
    for name in ("truth.zarr", "record.zarr", "stack.zarr"):
        (tmp_path / name).symlink_to(folder / name)
    season(experiment(records=("fused",)), Run(tmp_path, workers=2, quiet=True))
    again = read_json(tmp_path / "trends.json")
    assert again["rows"] == [r for r in told["rows"] if r["record"] in ("fused", "truth")]


def test_without_a_twin_there_is_no_pair_and_no_stale_file(folder, tmp_path):
    (tmp_path / "stack.zarr").symlink_to(folder / "stack.zarr")
    (tmp_path / "seasons_fused.nc").touch()
    season(experiment(records=("esdr",)), Run(tmp_path, quiet=True))
    told = read_json(tmp_path / "trends.json")
    assert {r["record"] for r in told["rows"]} == {"esdr"} and not any("difference" in r for r in told["rows"])
    assert not (tmp_path / "seasons_fused.nc").exists()
    with xr.open_dataset(tmp_path / "trend_cells.nc", engine="h5netcdf") as ds:
        assert ds["record"].values.tolist() == ["esdr"]


def test_what_a_former_run_left_is_no_record(folder, tmp_path):
    place = shutil.copytree(folder, tmp_path / "run")
    shutil.copytree(place / "record.zarr", place / "record_convlstm_smap.zarr")
    changed = experiment(records=["fused", "convlstm_smap"])
    only = {"train": changed.train.model_copy(update={"targets": ("esdr",)})}
    notes = season(changed.model_copy(update=only), Run(place, quiet=True))
    assert notes["absent"] == ["convlstm_smap"] and not (place / "seasons_convlstm_smap.nc").exists()


def test_none_of_the_records_is_one_line(folder, tmp_path):
    (tmp_path / "stack.zarr").symlink_to(folder / "stack.zarr")
    with pytest.raises(InputError, match="convlstm_smap") as caught:
        season(experiment(records=("convlstm_smap",)), Run(tmp_path, quiet=True))
    assert "\n" not in str(caught.value)


def test_a_calendar_year_has_no_onset():
    times, field = winters(truth_of)
    made = record(field[:1000], grid=GRID, time=times[:1000], overpass=[0, 1])
    found = yearly_seasons(made, SeasonTable(start_month=1))
    assert "onset" not in found and found["year"].values.tolist() == [1984, 1985, 1986, 1987]
    whole = found["frozen_days"].sel(year=1985, overpass=0).isel(y=0, x=0)
    assert whole == truth_of(1984) - 61 + 61  # January to March of one winter, November and December of the next
    assert yearly_seasons(made.sel(overpass=[0]), SeasonTable())["overpass"].values.tolist() == [0]
    assert set(climate.WHOLE_WINTERS) == {6, 7, 8, 9, 10}
