"""The melt record: small archives of its layout, and the real one, a year at a time."""

import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from frostline import schema
from frostline.errors import InputError
from frostline.read import READERS
from frostline.read.melt import SOUTH, melt_dates, melt_places

REAL = "antarctica_melt_1979_2022/antarctic_melt_icepixels_int8.npz"


def archive(path: Path, **arrays: Any) -> Path:
    """An NPZ of the layout; the codes of six days of two melt years at three pixels unless told otherwise."""
    given: dict[str, Any] = {
        "melt": np.array([[1, 2, 0], [2, 2, 0], [1, 1, 1], [1, 1, 1], [2, 1, 0], [2, 0, 1]], "int8"),
        "dates": np.array(
            ["2001-07-30", "2001-07-31", "2001-08-01", "2001-08-03", "2002-02-28", "2002-07-31"], "M8[D]"
        ),
        "flat_index": np.array([174 * 316 + 158, 174 * 316 + 200, 200 * 316 + 10], "int32"),
        "shape": np.array([332, 316]),
    }
    np.savez_compressed(path, **{k: v for k, v in (given | arrays).items() if v is not None})
    return path


def test_codes_become_states_year_by_year(tmp_path):
    first, second = READERS["melt"](archive(tmp_path / "a.npz"))
    assert first["time"].values.astype("M8[D]").astype(str).tolist() == ["2001-07-30", "2001-07-31"]
    assert second.sizes == {"time": 4, "overpass": 1, "site": 3}
    # 1 no melt = frozen, 2 melt = thawed, 0 missing
    np.testing.assert_array_equal(first["frozen"].values[:, 0], [[1, 0, np.nan], [0, 0, np.nan]])
    np.testing.assert_array_equal(second["frozen"].values[-1, 0], [0, np.nan, 1])
    for year in (first, second):
        schema.check(year, schema.SITES)
        assert year["overpass"].values.tolist() == [2] and "melts" in year.attrs["overpass_rule"]


def test_the_year_begins_where_asked(tmp_path):
    years = [ds.sizes["time"] for ds in READERS["melt"](archive(tmp_path / "a.npz"), start_month=1)]
    assert years == [4, 2]


def test_pixels_lie_on_the_polar_stereographic_grid(tmp_path):
    places = melt_places(archive(tmp_path / "a.npz"))
    # by hand: the grid's corner is -3950, 4350 km; cell (174, 158) has its middle at 12.5, -12.5 km, beside the pole,
    # and on the projection's meridian of 0 degrees east plus 45: x = y in size, x > 0, y < 0
    assert (places["row"].values[0], places["col"].values[0]) == (174, 158)
    np.testing.assert_allclose([SOUTH.x[158], SOUTH.y[174]], [12500.0, -12500.0])
    np.testing.assert_allclose(places["lon"].values[0], 135.0, atol=1e-6)
    assert -90 < places["lat"].values[0] < -89.8
    # true at 70 S, too large a cell at the pole: the scale there is (1 + sin 70) / 2 = 0.96985, on the sphere
    np.testing.assert_allclose(places["area"].values[0], 6.25e8 / 0.96985**2, rtol=0.004)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"melt": np.full((6, 3), 3, "int8")}, r"E-INPUT-SCHEMA.*3: \d+"),
        ({"melt": np.ones((6, 3), "int16")}, r"E-INPUT-SCHEMA.*int16"),
        ({"melt": np.ones((5, 3), "int8")}, r"E-INPUT-GRID.*5 x 3"),
        ({"dates": np.array(["2001-01-02", "2001-01-01"], "M8[D]")}, r"E-INPUT-TIME.*do not rise"),
        ({"dates": np.arange(6)}, r"E-INPUT-SCHEMA.*dates.npy is int64"),
        ({"shape": np.array([316, 332])}, r"E-INPUT-GRID.*316 x 332"),
        ({"flat_index": np.array([5, 5, 6], "int32")}, r"E-INPUT-GRID.*flat_index"),
        ({"flat_index": np.array([5, 6, 400_000], "int32")}, r"E-INPUT-GRID.*flat_index"),
        ({"flat_index": None}, r"E-INPUT-SCHEMA.*flat_index.npy"),
        ({"dates": np.array([{"a": 1}], object)}, r"E-INPUT-CORRUPT.*[Oo]bject arrays"),
    ],
)
def test_what_is_no_such_archive_is_one_line(tmp_path, change, told):
    path = archive(tmp_path / "a.npz", **change)
    with pytest.raises(InputError, match=told) as error:
        list(READERS["melt"](path))
    assert str(path) in str(error.value) and "\n" not in str(error.value)


def test_an_archive_that_ends_early_is_told(tmp_path):
    whole, cut = archive(tmp_path / "a.npz"), tmp_path / "b.npz"
    with zipfile.ZipFile(whole) as source, zipfile.ZipFile(cut, "w") as target:
        for info in source.infolist():
            data = source.read(info)
            target.writestr(info.filename, data[:-4] if info.filename == "melt.npy" else data)
    with pytest.raises(InputError, match="E-INPUT-TRUNC"):
        list(READERS["melt"](cut))


@pytest.mark.real
def test_the_real_record_streams_in_the_memory_of_one_year(real_data):
    path = real_data(REAL)
    dates, places = melt_dates(path), melt_places(path)
    assert (len(dates), places.sizes["site"]) == (8089, 21667)
    np.testing.assert_allclose(float(places["area"].sum()) / 1e12, 13.94, atol=0.01)  # the ice sheet and shelves, km2
    tracemalloc.start()
    days = known = 0
    for year in READERS["melt"](path):
        days += year.sizes["time"]
        known += int(year["frozen"].notnull().sum())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert days == 8089
    # a year is 213 days of 21,667 values of 4 bytes, 18 MB; the whole would be 701 MB
    assert peak < 80e6
    assert 0.97 < known / (8089 * 21667) < 0.99
