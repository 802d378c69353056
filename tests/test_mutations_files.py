"""The same slips in the files and in what is made of them: what a reader refuses, what a step tells, what a comparison
with the twin's truth shows.

| slip | in | what is told |
|---|---|---|
| polarity | a July file of SMAP, of the ESDR | E-INPUT-POLARITY; the file is left out |
| polarity | labels and the reanalysis against the truth | `agrees`: the share right falls below a half |
| polarity | a record's July and January | `seasons_right` |
| row | a SMAP file's planes | E-INPUT-GRID |
| row | terrain of the stack | `lies_in_place`: it fits the truth's best where it was |
| day | a SMAP or AMSR2 file under the next day's name | E-INPUT-TIME |
| day | AMSR2's UTC days taken for local dates | `follows_the_day`: its steps from day to day are the truth's |
| scale | brightness temperature, soil moisture | E-INPUT-UNITS |
| leap | no file of 29 February | the step `read` names the day |
| leap | 29 February cut out of the days | `has_every_day` |
"""

import shutil

import h5py
import numpy as np
import pytest

from china_run import china, scored  # noqa: F401
from frostline import clock, store
from frostline.errors import InputError
from frostline.grid import named
from frostline.read.amsr2 import load_amsr2
from frostline.read.cetb import load_cetb
from frostline.read.era5 import load_era5
from frostline.read.esdr import load_esdr
from frostline.read.freeze_thaw import ENOUGH
from frostline.read.smap import load_smap
from frostline.runs import Run, read_json
from frostline.steps import archives, stack
from frostline.steps.common import days_of, grid_of
from frostline.steps.fields import around
from twin_run import assembled, copied, experiment, shared  # noqa: F401

DAY = np.timedelta64(1, "D")


def agrees(claim, truth, *, least=0.5):
    """The share right of what is known."""
    known = np.isfinite(claim) & np.isfinite(truth)
    assert known.any()
    share = float((claim[known] == truth[known]).mean())
    assert share > least, f"{share:.2f} of {known.sum()} are right"


def seasons_right(frozen, times):
    """(time, ...) More than half is frozen in January, less than half in July."""
    month = clock.month(times)
    assert np.nanmean(frozen[month == 1]) > 0.5 > np.nanmean(frozen[month == 7])


def follows_the_day(field, kelvin):
    """(time, y, x) Steps of the window's mean from day to day go with those of the ground on the same day."""
    steps, ground = (np.diff(np.nanmean(f, axis=(1, 2)))[2:-2] for f in (field, kelvin))
    whole = np.diff(np.nanmean(kelvin, axis=(1, 2)))
    assert len(ground) == len(steps) > 20
    by_lag = [np.corrcoef(steps, whole[2 + lag : len(whole) - 2 + lag])[0, 1] for lag in (-2, -1, 0, 1, 2)]
    assert int(np.argmax(by_lag)) == 2, f"correlation by lag in days -2..2: {np.round(by_lag, 2)}"


def lies_in_place(field, true):
    """(y, x) No move by a cell makes the field more like the true one."""
    inner = np.s_[1:-1, 1:-1]
    off = {
        (r, c): np.abs(np.roll(field, (-r, -c), (0, 1)) - true)[inner].mean() for r in (-1, 0, 1) for c in (-1, 0, 1)
    }
    assert min(off, key=off.__getitem__) == (0, 0), off


def has_every_day(times, start, end):
    assert np.array_equal(np.asarray(times, "datetime64[D]"), np.arange(start, np.datetime64(end) + 1))


def own(path, folder, change=None, name=None):
    """A copy of a file to be spoiled."""
    copy = shutil.copy2(path, folder / (name or path.name))
    if change is not None:
        with h5py.File(copy, "r+") as file:
            change(file)
    return copy


def one(run, pattern):
    return next(iter(sorted((run / "data").glob(pattern))))


@pytest.fixture(scope="module")
def north(assembled):  # noqa: F811
    """Stack and truth of the tiny run, in memory."""
    return tuple(store.open_store(assembled / f"{name}.zarr").load() for name in ("stack", "truth"))


def test_a_hundredth_of_the_scale_is_told(assembled, tmp_path):  # noqa: F811
    grid = grid_of(experiment())

    def hundredth(file):
        for name in ("TB", "Brightness Temperature (V)", "Brightness Temperature (H)", "swvl1"):
            if name in file:
                key = "scale_factor" if "scale_factor" in file[name].attrs else "SCALE FACTOR"
                if key in file[name].attrs:
                    file[name].attrs[key] = file[name].attrs[key] * 0.01
                else:
                    file[name][...] = file[name][...] * 0.01

    for pattern, load in (
        ("smap/*_M_1.4V_20160511_*.nc", lambda p: load_cetb(p, window=grid)),
        ("amsr2/GW1AM2_20160511_01D_EQMA_L3SGT36*.h5", load_amsr2),
    ):
        path = one(assembled, pattern)
        assert load(path)
        with pytest.raises(InputError, match="E-INPUT-UNITS"):
            load(own(path, tmp_path, hundredth))


def test_amsr2_under_another_days_name_is_told(assembled, tmp_path):  # noqa: F811
    path = one(assembled, "amsr2/GW1AM2_20160511_01D_EQMA_L3SGT36*.h5")
    load_amsr2(own(path, tmp_path))
    with pytest.raises(InputError, match="E-INPUT-TIME"):
        load_amsr2(own(path, tmp_path, name=path.name.replace("20160511", "20160512")))


def test_reanalysis_turned_over_is_seen_in_the_truth(north):
    made, truth = north
    for name in ("truth", "truth_t0"):
        agrees(made["label_reanalysis"].values, truth[name].values)
        with pytest.raises(AssertionError, match="are right"):
            agrees(1 - made["label_reanalysis"].values, truth[name].values)


def test_a_row_too_far_is_seen_in_the_terrain(north):
    made, truth = (ds["elevation"].values for ds in north)
    lies_in_place(made, truth)
    for axis in (0, 1):
        with pytest.raises(AssertionError):
            lies_in_place(np.roll(made, 1, axis), truth)


def test_the_reanalysis_is_of_its_day(north):
    made, truth = (ds["soil_temperature"].values for ds in north)
    for overpass in (0, 1):
        follows_the_day(made[:, overpass], truth[:, overpass])
        for lag in (-1, 1):
            with pytest.raises(AssertionError, match="lag"):
                follows_the_day(np.roll(made, lag, axis=0)[:, overpass], truth[:, overpass])


@pytest.mark.parametrize("band", ["tb_18", "tb_36"])
def test_amsr2s_utc_days_are_not_local_dates(assembled, north, monkeypatch, band):  # noqa: F811
    """At 120 E the night pass of a local date came on the UTC day before."""
    settings = experiment()
    bands = stack.bands_of(settings, read_json(assembled / "inventory.json"))
    night = next(b for b in bands if b.overpass == 0 and b.channels[0] == f"{band}v")

    def made():
        days = stack.filled_band(settings, night, grid_of(settings), days_of(settings), lambda *a: pytest.fail(str(a)))
        return np.stack([fields[f"{band}v"] for fields in days])

    truth = north[1]["soil_temperature"].values[:, 0]
    follows_the_day(made(), truth)
    np.testing.assert_allclose(made(), north[0][f"{band}v"].values[:, 0], atol=0.02)  # as it stands in the stack
    monkeypatch.setattr(stack, "utc_day_offset", lambda hour, lon: np.zeros(np.shape(lon), int))
    with pytest.raises(AssertionError, match="lag"):
        follows_the_day(made(), truth)


def test_a_leap_day_cut_out_is_missed():
    days = clock.days("2016-02-01", "2016-03-31")
    has_every_day(days, "2016-02-01", "2016-03-31")
    with pytest.raises(AssertionError):
        has_every_day(days[days != np.datetime64("2016-02-29")], "2016-02-01", "2016-03-31")


@pytest.mark.slow
class TestChina:
    def turned(self, file):
        if "ft_status" in file:
            data, near = file["ft_status"], around(named("ML25"), grid_of(china())).offset(named("ML25"))
        else:
            data = file["Freeze_Thaw_Retrieval_Data_Global/freeze_thaw"]
            near = grid_of(china()).offset(named("M09"))
        box = (..., *(slice(start, start + 8) for start in near))
        codes = data[box]
        data[box] = np.where(codes < 2, 1 - codes, codes)

    @pytest.mark.parametrize("product", ["smap", "esdr"])
    def test_polarity_of_july(self, scored, tmp_path, product):  # noqa: F811
        """A false frost of the mountains may hide it in one file of a small window, not in most."""
        grid = grid_of(china())
        load, window = (load_smap, grid) if product == "smap" else (load_esdr, around(named("ML25"), grid))
        pattern = "*_201607%s_*.h5" if product == "smap" else "*_2016_day%s_*.h5"
        judged = refused = 0
        for day in range(1, 21):
            number = f"{day:02d}" if product == "smap" else str(182 + day)
            path = one(scored, f"{product}/**/{pattern % number}")
            judged += np.isfinite(load(path, window=window)["frozen"]).sum() >= ENOUGH
            try:
                load(own(path, tmp_path, self.turned), window=window)
            except InputError as error:
                refused += error.code == "E-INPUT-POLARITY"
        assert judged >= 4 and refused >= 0.75 * judged, (judged, refused)

    def test_planes_moved_by_a_row(self, scored, tmp_path):  # noqa: F811
        path, grid = one(scored, "smap/**/*_20160710_*.h5"), grid_of(china())
        row, col = grid.offset(named("M09"))
        near = (..., slice(row - 2, row + 10), slice(col - 2, col + 10))

        def moved(file):
            for v in file["Freeze_Thaw_Retrieval_Data_Global"].values():
                if v.ndim >= 2:
                    v[near] = np.roll(v[near], 1, axis=-2)

        load_smap(path, window=grid)
        with pytest.raises(InputError, match="E-INPUT-GRID"):
            load_smap(own(path, tmp_path, moved), window=grid)

    def test_the_next_days_name(self, scored, tmp_path):  # noqa: F811
        path = one(scored, "smap/**/*_20160710_*.h5")
        with pytest.raises(InputError, match="E-INPUT-TIME"):
            load_smap(own(path, tmp_path, name=path.name.replace("20160710", "20160711")), window=grid_of(china()))

    def test_soil_moisture_of_another_unit(self, scored, tmp_path):  # noqa: F811
        path = one(scored, "era5land/*201607.nc")
        load_era5(path, names=["soil_moisture"])
        for factor in (0.01, 100.0):

            def spoil(file, factor=factor):
                file["swvl1"][...] = file["swvl1"][...] * np.float32(factor)

            with pytest.raises(InputError, match="E-INPUT-UNITS"):
                load_era5(own(path, tmp_path, spoil), names=["soil_moisture"])

    def test_no_file_of_the_leap_day(self, scored, tmp_path):  # noqa: F811
        run = copied(scored, tmp_path / "run")
        days, told = days_of(china()), []
        for product, pattern in (("smap", "*_20160229_*.h5"), ("esdr", "*_2016_day060_*.h5")):
            place = run / "data" / product
            for gone in (False, True):
                for path in list(place.rglob(pattern)) if gone else ():
                    path.unlink()
                quiet = Run(run, say=lambda text: None, workers=1, quiet=True)
                told.append("2016-02-29" in archives.look(product, place, days, quiet)["missing_days"])
        assert told == [False, True, False, True]

    def test_labels_and_records_turned_over(self, scored):  # noqa: F811
        made, truth = (store.open_store(scored / f"{name}.zarr").load() for name in ("stack", "truth"))
        times = made["time"].values
        has_every_day(times, "2016-01-01", "2016-12-31")
        for name in ("label_smap", "label_esdr", "label_reanalysis"):
            values = made[name].values
            agrees(values, truth["truth"].values, least=0.6)
            seasons_right(values, times)
            for check, ground in ((agrees, truth["truth"].values), (seasons_right, times)):
                with pytest.raises(AssertionError):
                    check(1 - values, ground)
