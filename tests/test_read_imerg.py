"""IMERG files written by hand after formats.md 6: V06 and V07, half-hourly and daily."""

import h5py
import numpy as np
import pytest

from frostline.errors import InputError
from frostline.grid import Grid
from frostline.read import READERS
from frostline.read.imerg import IMERG, check_coverage, list_imerg, load_imerg, read_imerg

HALF_HOUR = "3B-HHR.MS.MRG.3IMERG.20240501-S003000-E005959.0030.{}.HDF5"
EPOCH = {"V06B": "1970-01-01", "V06": "1970-01-01", "V07B": "1980-01-06"}
VARIABLE = {"V06B": "precipitationCal", "V06": "precipitationCal", "V07B": "precipitation"}
LON, LAT = -179.95 + 0.1 * np.arange(3600), -89.95 + 0.1 * np.arange(1800)


def imerg(folder, *, version="V07B", name=HALF_HOUR, at="2024-05-01T00:30", daily=False, units=None, epoch=None):
    """One file of fills with three values: 3 mm/hr at Lhasa, 0 to the east of it, 20 in the north-east corner."""
    path = folder / name.format(version)
    path.parent.mkdir(exist_ok=True)
    epoch = epoch or EPOCH[version]
    with h5py.File(path, "w") as f:
        g = f if daily else f.create_group("Grid")
        d = g.create_dataset(
            VARIABLE[version], (1, 3600, 1800), "f4", chunks=(1, 145, 1800), fillvalue=np.float32(-9999.9)
        )
        d[0, 2711, 1196] = 3.0  # 91.15 E, 29.65 N
        d[0, 2712, 1196] = 0.0
        d[0, 3599, 1799] = 20.0
        d.attrs["units"] = d.attrs["Units"] = np.bytes_(units or ("mm/day" if daily else "mm/hr"))
        d.attrs["DimensionNames"] = np.bytes_("time,lon,lat")
        g["lon"], g["lat"] = LON.astype("f4"), LAT.astype("f4")
        seconds = (np.datetime64(at, "s") - np.datetime64(epoch, "s")).astype("i4")
        g["time"] = np.array([seconds], "i4")
        g["time"].attrs["units"] = np.bytes_(f"seconds since {epoch} 00:00:00 UTC")
        g["time"].attrs["calendar"] = np.bytes_("julian")
    return path


@pytest.mark.parametrize("version", ["V06B", "V07B"])
def test_half_hour_is_turned_named_dated_and_in_metres(tmp_path, version):
    path = imerg(tmp_path, version=version)
    ds = READERS["imerg"](path)
    assert ds.precipitation.dims == ("time", "y", "x")
    assert ds.precipitation.chunks is not None
    assert ds.time.values[0] == np.datetime64("2024-05-01T01:00")  # the end of the half hour
    assert ds.attrs["source"] == f"IMERG {version}"
    assert (ds.attrs["run"], ds.attrs["interval_minutes"]) == ("final", 30)
    assert Grid.of(ds) == IMERG
    got = ds.precipitation.values[0]
    row, col = (int(v) for v in IMERG.locate(91.15, 29.65))
    assert (row, col) == (603, 2711)
    assert got[row, col] == pytest.approx(1.5e-3, rel=1e-6)  # 3 mm/hr for half an hour
    assert got[row, col + 1] == 0.0
    assert got[0, -1] == pytest.approx(0.01)  # the north-east corner, 20 mm/hr
    assert np.isfinite(got).sum() == 3


def test_a_window_reads_its_cells_and_may_cross_the_date_line(tmp_path):
    path = imerg(tmp_path)
    window = IMERG.around(91.15, 29.65, (3, 5))
    time, got = load_imerg(path, window=window)
    assert time == np.datetime64("2024-05-01T01:00")
    assert got.shape == (3, 5)
    assert got[1, 2] == pytest.approx(1.5e-3)
    np.testing.assert_array_equal(read_imerg(path, window=window).precipitation.values[0], got)
    line = Grid("w", "EPSG:4326", 179.8, 90.0, 0.1, (2, 4))
    assert load_imerg(path, window=line)[1][0, 1] == pytest.approx(0.01)


def test_daily_files(tmp_path):
    name = "3B-DAY.MS.MRG.3IMERG.20240501-S000000-E235959.{}.nc4"
    for version, units in (("V07B", "mm/day"), ("V06", "mm")):
        path = imerg(tmp_path, version=version, name=name, at="2024-05-01", daily=True, units=units)
        ds = read_imerg(path, window=IMERG.around(91.15, 29.65, (1, 1)))
        assert ds.precipitation.values.item() == pytest.approx(3e-3)
        assert ds.time.values[0] == np.datetime64("2024-05-02")
        assert ds.attrs["interval_minutes"] == 1440
        assert "daily" in ds.attrs["unverified"]


def test_listing_keeps_the_newest_of_a_run_and_tells_the_rest(tmp_path):
    late = "3B-HHR-L.MS.MRG.3IMERG.20240501-S000000-E002959.0000.V07B.RT-H5"
    names = [HALF_HOUR.format(v) for v in ("V06B", "V07A", "V07B")] + [late, "3B-MO.MS.MRG.3IMERG.2024.V07B.HDF5"]
    for name in [*names, HALF_HOUR.format("V07B").replace("0501", "0531").replace("0030.", "0060.")]:
        (tmp_path / name).touch()
    found = list_imerg(tmp_path)
    assert [(f.path.name, f.channel) for f in found] == [(late, "HHR-L"), (HALF_HOUR.format("V07B"), "HHR")]
    assert [str(f.date) for f in found] == ["2024-05-01T00:00", "2024-05-01T00:30"]
    assert len(found.superseded) == 2
    assert {why.split(",")[0] for _, why in found.ignored} == {
        "the name is not of IMERG half-hourly or daily files",
        "there is no such day",
    }


def test_the_record_begins_in_1998_or_2000(tmp_path):
    check_coverage(np.datetime64("1998-01-01"), "V07B")
    check_coverage(np.datetime64("2000-06-01"), "V06")
    for date, version, begin in (("1997-12-31", "V07", "1998-01-01"), ("2000-05-31", "V06B", "2000-06-01")):
        with pytest.raises(InputError, match=rf"E-INPUT-TIME .*{date} is before .*{version[:3]} begins, {begin}.*ERA5"):
            check_coverage(np.datetime64(date), version)
    with pytest.raises(InputError, match="version V09"):
        check_coverage(np.datetime64("2024-01-01"), "V09A")
    path = tmp_path / HALF_HOUR.replace("20240501", "19800501").format("V07B")
    path.touch()
    with pytest.raises(InputError, match=r"E-INPUT-TIME .*19800501.*begins, 1998-01-01"):
        read_imerg(path)


def test_faults(tmp_path):
    def told(path):
        with pytest.raises(InputError) as caught:
            read_imerg(path)
        assert path.name in str(caught.value)
        return str(caught.value)

    assert "E-INPUT-UNITS" in told(imerg(tmp_path, units="kg m-2 s-1"))
    text = told(imerg(tmp_path, at="2024-05-01T06:30"))
    assert "E-INPUT-TIME" in text and "06:30 UTC" in text
    path = imerg(tmp_path)
    with h5py.File(path, "r+") as f:
        f.move("Grid/precipitation", "Grid/precipitationCal")
    assert "has precipitationCal, of another version" in told(path)
    path = imerg(tmp_path)
    with h5py.File(path, "r+") as f:  # somebody transposed it already
        del f["Grid/precipitation"]
        f.create_dataset("Grid/precipitation", (1, 1800, 3600), "f4")
    assert "E-INPUT-GRID" in told(path)
    path = imerg(tmp_path)
    with h5py.File(path, "r+") as f:  # rows that go south already
        f["Grid/lat"][:] = LAT[::-1].astype("f4")
    assert "E-INPUT-GRID" in told(path)
    path = imerg(tmp_path)
    with h5py.File(path, "r+") as f:
        del f["Grid/lat"]
    assert "E-INPUT-SCHEMA" in told(path)
    path = imerg(tmp_path)
    with h5py.File(path, "r+") as f:
        f["Grid/precipitation"][0, 0, 0] = -5.0
    with pytest.raises(InputError, match="negative precipitation"):
        load_imerg(path)
    path.write_bytes(path.read_bytes()[:-100])
    assert "E-INPUT-TRUNC" in told(path)
    renamed = tmp_path / "rain.HDF5"
    path.rename(renamed)
    assert "E-INPUT-SCHEMA" in told(renamed)
