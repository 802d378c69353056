"""A record at points: every column by hand, at the date line, outside, with gaps; files read back; the verb."""

import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import REPOSITORY
from frostline import export, extract, store
from frostline.cli import main
from frostline.clock import days
from frostline.errors import ConfigError, DiskError, InputError
from frostline.export_table import write_table
from frostline.grid import Grid, named, regular
from frostline.read.exported import read_exported
from frostline.read.site_list import read_site_list
from frostline.schema import QUALITY, SchemaError, record
from frostline.steps.points import open_record

WORLD = regular(90.0)  # two rows, four columns, once round the Earth
DATES = days("2020-02-28", "2020-03-01")


def world(**kept):
    """Cell (row, column) of day d and pass o holds (d + 3 o + row + column) / 10, but for a tie and a gap."""
    d, o, row, col = np.indices((3, 2, 2, 4))
    frozen = ((d + 3 * o + row + col) / 10).astype("f4")
    frozen[0, 0, 0, 3], frozen[1, 1, 0, 0] = 0.5, np.nan
    quality, age = np.zeros(frozen.shape, "u2"), np.zeros(frozen.shape, "u1")
    quality[2, 0, 0, 3] = QUALITY["gap_filled"] | QUALITY["low_confidence"]
    quality[1, 1, 0, 0], age[1, 1, 0, 0], age[2, 0, 0, 3] = QUALITY["input_missing"], 255, 4
    return record(frozen, grid=WORLD, time=DATES, overpass=[0, 1], **({"quality": quality, "age": age} | kept))


def table(ds, names, lon, lat, **options):
    return pd.concat(list(extract.extract(ds, names=names, lon=lon, lat=lat, **options)), ignore_index=True)


def test_every_column_by_hand():
    """Both sides of the date line: 179.9 E lies in the last column, 179.9 W in the first."""
    found = table(world(), ["east", "west"], [179.9, -179.9], [10.0, 10.0])
    assert found["site"].tolist() == ["east", "west"] * 6
    assert found["date"].dt.strftime("%m-%d").tolist() == ["02-28"] * 4 + ["02-29"] * 4 + ["03-01"] * 4
    assert found["overpass"].tolist() == ["am", "am", "pm", "pm"] * 3
    np.testing.assert_allclose(
        found["frozen_probability"], [0.5, 0, 0.6, 0.3, 0.4, 0.1, 0.7, np.nan, 0.5, 0.2, 0.8, 0.5], atol=1e-6
    )
    assert found["class"].tolist() == [
        *("tie", "thawed", "frozen", "thawed"),
        *("thawed", "thawed", "frozen", "unknown"),
        *("tie", "thawed", "frozen", "tie"),
    ]
    assert found["quality"].tolist() == [0] * 7 + [32, 17, 0, 0, 0]
    flags = found[list(QUALITY)]
    assert all(dtype.kind == "b" for dtype in flags.dtypes)
    assert flags.loc[7][flags.loc[7]].index.tolist() == ["input_missing"]
    assert flags.loc[8][flags.loc[8]].index.tolist() == ["gap_filled", "low_confidence"]
    assert flags.values.sum() == 3
    assert found["age_days"].isna().tolist() == [False] * 7 + [True] + [False] * 4 and found["age_days"][8] == 4
    assert found["cell_lon"].tolist()[:2] == [135, -135] and (found["cell_lat"] == 45).all()
    assert found["in_grid"].all() and (found["distance_km"] > 4000).all()


def test_distance_is_of_the_cell_centre():
    """A degree of latitude at the equator is 110.574 km of the ellipsoid, one of longitude 111.320 km."""
    grid = regular(2.0)
    cells = extract.locate(grid, [1.0, 2.0, 1.0], [0.0, 1.0, 1.0])
    np.testing.assert_allclose(cells.distance, [110.574, 111.303, 0.0], atol=2e-3)


def test_outside_keeps_its_rows_and_a_range_chooses():
    grid = named("N09").around(20.0, 60.0, (4, 5))
    frozen = np.full((3, 2, 4, 5), 0.9, "f4")
    ds = record(frozen, grid=grid, time=DATES, overpass=[0, 1], quality=np.zeros(frozen.shape, "u2"))
    found = table(ds, ["in", "away", "south"], [20.0, 60.0, 20.0], [60.0, 60.0, -90.0], start="2020-02-29")
    assert len(found) == 12 and found["date"].dt.day.unique().tolist() == [29, 1]
    away = found[found["site"] != "in"]
    assert (away["class"] == "unknown").all() and away["frozen_probability"].isna().all()
    assert (away["quality"] == QUALITY["outside_domain"]).all() and away["outside_domain"].all()
    assert not away["in_grid"].any() and away[["cell_lon", "distance_km"]].isna().all(axis=None)
    assert (found.loc[found["site"] == "in", "class"] == "frozen").all() and "age_days" not in found
    assert "leak" not in found and table(ds.assign_attrs(leak="one"), ["in"], [20.0], [60.0])["leak"].all()
    some = table(ds, ["in"], [20.0], [60.0], end="2020-02-28", overpasses=[1])
    assert some["overpass"].tolist() == ["pm"] and some["date"].dt.day.tolist() == [28]
    for options, told in (
        ({"start": "2020-03-02"}, "2020-02-28 to 2020-03-01"),
        ({"start": "2020-03-01", "end": "2020-02-28"}, "no day of the record"),
        ({"end": "yesterdy"}, "is no date"),
        ({"overpasses": [2]}, "it has am, pm"),
    ):
        with pytest.raises(ConfigError, match=f"(?i){told}"):
            extract.extract(ds, names=["in"], lon=[20.0], lat=[60.0], **options)
    with pytest.raises(SchemaError):
        extract.extract(ds.rename(frozen="state"), names=["in"], lon=[20.0], lat=[60.0])


@settings(max_examples=25)
@given(st.lists(st.tuples(st.floats(-180, 180), st.floats(-90, 90)), min_size=1, max_size=6), st.integers(1, 40))
def test_any_sites_in_any_blocks_are_the_cells_that_hold_them(places, block):
    lon, lat = np.array(places).T
    ds, names = world(), [str(i) for i in range(len(lon))]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(extract, "_BLOCK_VALUES", block)
        patch.setattr(extract, "TILE", 1 + block % 3)
        parts = list(extract.extract(ds, names=names, lon=lon, lat=lat))
    row, col = WORLD.locate(lon, lat)
    values = np.where(row >= 0, ds["frozen"].values[..., row, col], np.nan)
    np.testing.assert_array_equal(pd.concat(parts)["frozen_probability"].to_numpy(), values.ravel())
    assert max(len(p) for p in parts) <= 2 * len(lon) * max(1, block // 2)


def test_files_read_back_as_they_were(tmp_path):
    found = table(world(), ["007", 'a "b", c'], [10.0, -170.0], [-10.0, 80.0])
    parts = [found.iloc[:5], found.iloc[5:]]
    assert write_table(parts, tmp_path / "a.csv") == 12
    back = pd.read_csv(tmp_path / "a.csv", dtype={"site": str}, parse_dates=["date"])
    assert back.columns.tolist() == found.columns.tolist() and back["site"].tolist() == found["site"].tolist()
    assert (back["date"] == found["date"]).all() and (back[list(QUALITY)] == found[list(QUALITY)]).all(axis=None)
    np.testing.assert_array_equal(back["frozen_probability"].astype("f4"), found["frozen_probability"])
    assert write_table(iter(parts), tmp_path / "it's.parquet") == 12
    import duckdb

    kept = duckdb.sql("select * from read_parquet($1)", params=[str(tmp_path / "it's.parquet")]).df()
    assert kept.columns.tolist() == found.columns.tolist()
    for name in found:
        equal = (kept[name] == found[name]) | (kept[name].isna() & found[name].isna())
        assert equal.all(), name
    assert kept["frozen_probability"].dtype == np.float32 and kept["gap_filled"].dtype == bool
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.csv", "it's.parquet"]
    with pytest.raises(ConfigError, match=r"\.csv or \.parquet"):
        write_table(parts, tmp_path / "a.xlsx")


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_what_cannot_be_made_leaves_the_earlier_file(tmp_path, suffix):
    out = tmp_path / f"out{suffix}"
    out.write_text("earlier")

    def broken():
        yield pd.DataFrame({"a": [1]})
        raise OSError(28, "No space left on device")

    with pytest.raises(DiskError, match="No space left"):
        write_table(broken(), out)
    assert out.read_text() == "earlier" and [p.name for p in tmp_path.iterdir()] == [out.name]


@pytest.mark.parametrize("polarity", ["frozen", "thaw"])
@pytest.mark.parametrize("grid", [named("N09").around(20.0, 60.0, (4, 5)), regular(90.0)], ids=lambda g: g.name)
def test_an_exported_record_is_that_record(tmp_path, polarity, grid):
    codes = np.arange(3 * 2 * grid.shape[0] * grid.shape[1]).reshape(3, 2, *grid.shape) % 202
    frozen = np.where(codes == 201, np.nan, codes / 200).astype("f4")
    extra = {"quality": (codes % 64).astype("u2"), "age": np.where(codes == 201, 255, codes % 6).astype("u1")}
    ds = record(frozen, grid=grid, time=DATES, overpass=[0, 1], **extra)
    (path,) = export.to_netcdf(ds, tmp_path, polarity=polarity)
    back = read_exported(path)
    np.testing.assert_allclose(back["frozen"].values, frozen, atol=1e-6)
    assert ((back["frozen"] == 0.5).values == (frozen == 0.5)).all()
    for name in extra:
        assert (back[name].values == extra[name]).all() and back[name].dtype == extra[name].dtype
    its = Grid.of(back)
    assert its.offset(grid) == (0, 0) and its.shape == grid.shape
    assert (back["time"].values == ds["time"].values).all() and back["overpass"].values.tolist() == [0, 1]
    with pytest.raises(InputError, match="no record"):
        made = tmp_path / "other.nc"
        ds[["quality"]].drop_vars("spatial_ref").to_netcdf(made, engine="h5netcdf")
        read_exported(made)


def test_site_lists(tmp_path):
    path = tmp_path / "sites.csv"
    path.write_bytes(b"\xef\xbb\xbfSite, LON ,lat,more\n00123, 226.0,58,x\nNA,-180,90,\n")
    names, lon, lat = read_site_list(path)
    assert (names.tolist(), lon.tolist(), lat.tolist()) == (["00123", "NA"], [-134.0, -180.0], [58.0, 90.0])
    write_table([pd.DataFrame({"name": ["x"], "lon": [1.5], "lat": [2.5]})], tmp_path / "s.parquet")
    assert read_site_list(tmp_path / "s.parquet")[0].tolist() == ["x"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("name,lon\na,1\n", "lacks the columns lat (it has name, lon)"),
        ("lon,lat\n1,1\n", "lacks the columns name"),
        ("name,lon,lat\n", "holds no site"),
        ("name,lon,lat\na,1,1\n,2,2\n", "without a name: row 2"),
        ("name,lon,lat\na,1,91\nb,north,0\nc,5,5\n", "no place on Earth: a (1.0, 91.0), b (nan, 0.0)."),
        ("name,lon,lat\na,1,1\nb,2,2\na,3,3\n", "given more than once: a."),
        ("name,lon,lat\na,1,1\nb,2,2,3,4\n", "cannot be read"),
        ("", "the file is empty"),
        ("<!DOCTYPE html>", "a web page"),
    ],
)
def test_site_lists_that_are_wrong_are_one_line(tmp_path, text, told):
    path = tmp_path / "sites.csv"
    path.write_text(text)
    with pytest.raises(InputError) as error:
        read_site_list(path)
    assert told in str(error.value) and str(path) in str(error.value) and "\n" not in str(error.value)


@pytest.fixture
def place(tmp_path):
    """A run folder with a record, and a list of sites of which one lies elsewhere."""
    ds, run = world(), tmp_path / "run"
    path = store.create(
        run / "record.zarr", grid=WORLD, time=DATES, overpass=[0, 1], variables=("frozen", "quality", "age")
    )
    with store.writer(path) as write:
        write(0, {n: ds[n].values for n in ("frozen", "quality", "age")})
    (tmp_path / "sites.csv").write_text("name,lon,lat\neast,179.9,10\nwest,-179.9,10\n")
    return tmp_path


def call(capsys, *words):
    with pytest.raises(SystemExit) as end:
        main(["extract", *map(str, words)])
    out = capsys.readouterr()
    return end.value.code, out.out, out.err


def test_the_verb(place, capsys):
    run, out = place / "run", place / "new" / "out.csv"
    code, said, err = call(capsys, run, place / "sites.csv", out)
    assert (code, said, err) == (0, f"{out}: 12 rows of 2 sites\n", "")
    assert out.read_text().splitlines()[1].startswith("east,2020-02-28,am,0.5,tie,0,False,")
    files = [out]
    export.to_netcdf(open_record(run), place, name="mine")
    for record_path in (run / "record.zarr", place / "mine_2020.nc"):
        files.append(place / f"{record_path.stem}.csv")
        assert call(capsys, record_path, place / "sites.csv", files[-1], "--quiet") == (0, "", "")
    assert len({f.read_text() for f in files}) == 1
    code, said, _ = call(capsys, run, place / "sites.csv", out, "--overpass", "pm", "--end", "2020-02-28")
    assert (code, said) == (0, f"{out}: 2 rows of 2 sites\n")


def test_lines_of_the_page(place, capsys, monkeypatch):
    """The page's Python, on what the verb wrote: of 12 rows one is unknown and one filled and in doubt."""
    call(capsys, place / "run", place / "sites.csv", place / "at_sites.csv")
    monkeypatch.chdir(place)
    (lines,) = re.findall(r"```python\n(.*?)```", (REPOSITORY / "docs/how-to/extract.md").read_text(), re.DOTALL)
    names = {}
    exec(compile(lines, "extract.md", "exec"), names)
    assert len(names["sure"]) == 10 and names["sure"]["site"].value_counts().to_dict() == {"east": 5, "west": 5}
    assert "east  am" in capsys.readouterr().out


def test_the_verb_counts_sites_outside(place, capsys):
    grid = named("N09").around(20.0, 60.0, (4, 5))
    path = store.create(place / "small.zarr", grid=grid, time=DATES, overpass=[0], variables=("frozen",))
    code, said, err = call(capsys, path, place / "sites.csv", place / "out.parquet")
    assert (code, said) == (0, f"{place / 'out.parquet'}: 6 rows of 2 sites\n")
    assert err == "outside the grid, unknown throughout: 2 sites (east, west)\n"


@pytest.mark.parametrize(
    ("change", "code", "told"),
    [
        ({"record": "nowhere"}, 3, "E-STORE"),
        ({"record": "sites.csv"}, 3, "E-INPUT-SCHEMA"),
        ({"sites": "nowhere.csv"}, 3, "E-INPUT-MISSING"),
        ({"out": "out.xls"}, 2, "E-CONFIG"),
        ({"more": ["--start", "2021-01-01"]}, 2, "E-CONFIG"),
        ({"more": ["--overpass", "daily"]}, 2, "E-CONFIG"),
    ],
    ids=str,
)
def test_bad_input_of_the_verb_is_one_line(place, capsys, change, code, told):
    words = {"record": "run", "sites": "sites.csv", "out": "out.csv"} | change
    got, said, err = call(capsys, *(place / words[k] for k in ("record", "sites", "out")), *words.get("more", []))
    assert (got, said, err.count("\n")) == (code, "", 1)
    assert err.startswith(f"{told}  ")
    assert not list(place.glob("out*"))
