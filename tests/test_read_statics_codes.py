"""Maps of classes written by hand: CLCD, both Koeppen-Geiger forms, permafrost as raster and as polygons."""

import json
import struct

import numpy as np
import pytest

from frostline.errors import InputError
from frostline.grid import Grid, named, regular
from frostline.read import READERS
from frostline.read.polygons import Polygon, rasterise, read_polygons
from frostline.read.statics_codes import CLIMATES, code_table, read_classes, read_clcd, read_koppen
from frostline.regrid import majority
from test_read_statics import write

ALBERS = "+proj=aea +lat_1=25 +lat_2=47 +lon_0=105 +datum=WGS84"
LEGEND = """Legend linking the numeric values in the maps to the classes.

    1:  Af   Tropical, rainforest                  [0 0 255]
    7:  BSk  Arid, steppe, cold                    [255 220 100]
    27: Dfc  Cold, no dry season, cold summer      [0 130 130]
    29: ET   Polar, tundra                         [178 178 178]
"""
STABILITY = '[classes]\n1 = "very stable"\n2 = "stable"\n9 = ""\n4 = "stable"\n'


def meanings(array):
    return dict(zip(array.attrs["flag_values"].tolist(), array.attrs["flag_meanings"].split(), strict=True))


@pytest.fixture
def clcd(tmp_path):
    codes = np.tile(np.array([[1, 2, 3], [4, 5, 6], [7, 8, 9]], "u1"), (4, 4))
    codes[0, 0] = 0
    return write(tmp_path / "CLCD_v01_2015_albert.tif", codes, left=-300_000, top=4_000_000, step=30.0, crs=ALBERS)


def test_clcd_keeps_its_albers_grid(clcd):
    ds = READERS["clcd"](clcd)
    grid = Grid.of(ds)
    assert (grid.left, grid.top, grid.step, grid.shape) == (-300_000.0, 4_000_000.0, 30.0, (12, 12))
    assert ds.land_cover_clcd.chunks is not None
    got = ds.land_cover_clcd.values
    assert np.isnan(got[0, 0])
    assert got[1].tolist()[:3] == [4.0, 5.0, 6.0]
    assert meanings(ds.land_cover_clcd)[7.0] == "barren"
    assert ds.attrs["year"] == "2015"
    lon, _ = grid.lonlat()
    assert lon[0, 0] == pytest.approx(101.6, abs=0.2)  # 300 km west of 105 E at 37 N
    window = grid.window(slice(4, 6), slice(3, 7))
    np.testing.assert_array_equal(read_clcd(clcd, window=window).land_cover_clcd.values, got[4:6, 3:7])


def test_clcd_thinned_takes_the_middle_pixel(clcd):
    ds = read_clcd(clcd, every=3)
    assert Grid.of(ds).step == 90.0
    assert ds.land_cover_clcd.values.tolist() == [[5.0] * 4] * 4
    target = Grid("t", Grid.of(ds).crs, -300_000, 4_000_000, 180.0, (2, 2))
    assert majority(read_clcd(clcd, every=3).land_cover_clcd.data, Grid.of(ds), target).tolist() == [[5, 5], [5, 5]]


def test_kottek_table_by_blanks_and_by_commas(tmp_path):
    rows = [("Lat", "Lon", "Cls"), ("29.75", "91.25", "BSk"), ("71.25", "-156.75", "ET"), ("0.25", "179.75", "Ocean")]
    for name, text in (
        ("Koeppen-Geiger-ASCII.txt", "\n".join("   ".join(r) for r in rows)),
        ("zones.csv", "\r\n".join(",".join(f'"{c}"' for c in r) for r in rows)),
    ):
        (tmp_path / name).write_text(text)
        ds = READERS["koppen"](tmp_path / name)
        grid = Grid.of(ds)
        assert grid.shape == (360, 720)
        row, col = grid.locate(91.2, 29.6)
        assert meanings(ds.climate)[float(ds.climate.values[row, col])] == "BSk"
        assert np.isfinite(ds.climate.values).sum() == 2
        window = grid.around(91.2, 29.6, (1, 2))
        assert read_koppen(tmp_path / name, window=window).climate.values[0, 1] == CLIMATES.index("BSk") + 1


def test_beck_raster_by_its_legend(tmp_path):
    codes = np.array([[0, 7], [27, 29]], "u1")
    path = write(tmp_path / "Beck_KG_V1_present_0p5.tif", codes, left=80, top=40, step=0.5)
    with pytest.raises(InputError, match=r"E-INPUT-MISSING .*legend\.txt"):
        read_koppen(path)
    (tmp_path / "legend.txt").write_text(LEGEND)
    ds = read_koppen(path)
    got = ds.climate.values
    assert np.isnan(got[0, 0])
    assert [CLIMATES[int(c) - 1] for c in got.ravel()[1:]] == ["BSk", "Dfc", "ET"]
    (tmp_path / "other.txt").write_text(LEGEND.replace("29:", "30:"))
    with pytest.raises(InputError, match=r"E-INPUT-SCHEMA .*Beck.*29: 1"):
        read_koppen(path, legend=tmp_path / "other.txt").compute()
    for text, word in (("nothing", "holds no line"), ("1:  Xy  \n2: Ezz what\n", "Ezz")):
        (tmp_path / "other.txt").write_text(text)
        with pytest.raises(InputError, match=rf"E-INPUT-SCHEMA .*other\.txt.*{word}"):
            read_koppen(path, legend=tmp_path / "other.txt")


def test_kottek_faults(tmp_path):
    path = tmp_path / "zones.txt"
    for text, code in (
        ("a b c\n1 2 3\n", "E-INPUT-TEXT"),
        ("Lat Lon Cls\n29.75 91.25 Xx\n", "E-INPUT-SCHEMA"),
        ("Lat Lon Cls\n29.70 91.25 BSk\n", "E-INPUT-GRID"),
        ("Lat Lon Cls\nx 91.25 BSk\n", "E-INPUT-CORRUPT"),
    ):
        path.write_text(text)
        with pytest.raises(InputError, match=rf"{code} .*zones\.txt"):
            read_koppen(path)


def test_code_tables(tmp_path):
    toml, table = tmp_path / "codes.toml", tmp_path / "codes.csv"
    toml.write_text(STABILITY)
    table.write_text("value,class\n1,very stable\n2,stable\n9,\n4,stable\n")
    expected = {"1": "very stable", "2": "stable", "9": "", "4": "stable"}
    assert code_table(toml) == code_table(table) == code_table({1: "very stable", 2.0: "stable", "9": "", 4: "stable"})
    assert code_table(table) == expected
    for path, text in ((toml, "[other]\n"), (toml, "= 3"), (table, "value,class\n"), (table, "a,b\n1,2\n")):
        path.write_text(text)
        with pytest.raises(InputError, match=path.name):
            code_table(path)


def test_a_raster_with_the_users_codes(tmp_path):
    codes = tmp_path / "codes.toml"
    codes.write_text(STABILITY)
    path = write(tmp_path / "perma_stab.tif", np.array([[1, 2], [4, 9]], "i2"), left=80, top=40, step=1.0, nodata=-1)
    ds = READERS["classes"](path, codes=codes, name="permafrost")
    assert meanings(ds.permafrost) == {1.0: "very_stable", 2.0: "stable"}
    np.testing.assert_array_equal(ds.permafrost.values, [[1, 2], [2, np.nan]])
    with pytest.raises(InputError, match=r"E-INPUT-SCHEMA .*perma_stab\.tif.*4: 1, 9: 1"):
        read_classes(path, codes={1: "a", 2: "b"}).compute()
    with pytest.raises(InputError, match="holds numbers"):
        read_classes(path, codes={"cold": "a"})


def geojson(path, features, **more):
    body = [
        {"type": "Feature", "properties": {"zone": value}, "geometry": {"type": kind, "coordinates": rings}}
        for value, kind, rings in features
    ]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": body, **more}))
    return path


def square(west, east, south, north):
    return [[west, south], [east, south], [east, north], [west, north], [west, south]]


def shapefile(path, polygons, *, prj=None):
    """A .shp and .dbf by the published description: polygons as (rings, text)."""
    body, rows = b"", b""
    for number, (rings, value) in enumerate(polygons, 1):
        xy = np.concatenate([np.array(r, "<f8") for r in rings])
        begins = np.cumsum([0] + [len(r) for r in rings[:-1]]).astype("<i4")
        content = struct.pack("<i4d2i", 5, *xy.min(0), *xy.max(0), len(rings), len(xy)) + begins.tobytes()
        content += xy.tobytes()
        body += struct.pack(">2i", number, len(content) // 2) + content
        rows += b" " + value.ljust(10).encode()
    head = struct.pack(">7i", 9994, 0, 0, 0, 0, 0, (100 + len(body)) // 2) + struct.pack("<2i8d", 1000, 5, *[0.0] * 8)
    path.write_bytes(head + body)
    column = b"zone".ljust(11, b"\0") + b"C" + bytes(4) + bytes([10]) + bytes(15)
    header = struct.pack("<BBBBIHH20x", 3, 126, 1, 1, len(polygons), 32 + 32 + 1, 11)
    path.with_suffix(".dbf").write_bytes(header + column + b"\r" + rows + b"\x1a")
    if prj:
        path.with_suffix(".prj").write_text(prj)
    return path


WINDOW = regular(1.0, left=80.0, top=40.0, shape=(4, 5))
EXPECTED = np.array([[1, 1, 1, 2, np.nan], [1, np.nan, 1, 2, np.nan], [1, 1, 1, 2, np.nan], [np.nan] * 5])


def test_polygons_with_a_hole_from_both_forms(tmp_path):
    hole = square(81, 82, 38, 39)
    json_file = geojson(
        tmp_path / "zones.geojson",
        [("cold", "Polygon", [square(80, 83, 37, 40), hole]), ("warm", "MultiPolygon", [[square(83, 84, 37, 40)]])],
    )
    shp = shapefile(
        tmp_path / "zones.shp", [([square(80, 83, 37, 40), hole], "cold"), ([square(83, 84, 37, 40)], "warm")]
    )
    for path in (json_file, shp):
        ds = read_classes(path, codes={"cold": "Cold", "warm": "Warm"}, field="zone", grid=WINDOW, name="permafrost")
        np.testing.assert_array_equal(ds.permafrost.values, EXPECTED)
        assert ds.permafrost.attrs["flag_meanings"] == "Cold Warm"
    with pytest.raises(InputError, match="'warm', which the table of codes has not"):
        read_classes(json_file, codes={"cold": "Cold"}, field="zone", grid=WINDOW)
    with pytest.raises(InputError, match="need a grid"):
        read_classes(json_file, codes={"cold": "Cold"}, field="zone")
    for path in (json_file, shp):
        with pytest.raises(InputError, match=r"no attribute 'region' \(it has zone"):
            read_polygons(path, "region")


def test_long_edges_follow_parallels_on_a_projected_grid(tmp_path):
    grid = named("N09").around(100.0, 60.0, (80, 80))
    path = geojson(tmp_path / "band.json", [("3", "Polygon", [square(60, 140, 59, 61)])])
    polygons, crs = read_polygons(path, "zone")
    got = rasterise(polygons, crs, {"3": 3}, grid)
    lon, lat = grid.lonlat()
    inside = (lat > 59) & (lat < 61) & (lon > 60) & (lon < 140)
    assert set(np.unique(got)) == {0, 3}
    assert (got == 3)[inside].mean() > 0.999
    assert (got == 3).sum() == pytest.approx(inside.sum(), rel=0.005)


def test_a_shapefile_in_a_plane(tmp_path):
    x, y = 100_000.0, 4_000_000.0
    path = shapefile(tmp_path / "zones.shp", [([square(x, x + 3e5, y, y + 3e5)], "2")])
    with pytest.raises(InputError, match=r"E-INPUT-GRID .*no \.prj"):
        read_polygons(path, "zone")
    from pyproj import CRS, Transformer

    path.with_suffix(".prj").write_text(CRS(ALBERS).to_wkt("WKT1_ESRI"))
    polygons, crs = read_polygons(path, "zone")
    grid = regular(0.25, left=100.0, top=42.0, shape=(32, 48))
    lon, lat = grid.lonlat()
    px, py = Transformer.from_crs("EPSG:4326", ALBERS, always_xy=True).transform(lon, lat)
    inside = (px > x) & (px < x + 3e5) & (py > y) & (py < y + 3e5)
    np.testing.assert_array_equal(rasterise(polygons, crs, {"2": 1}, grid) == 1, inside)


def test_polygon_faults(tmp_path):
    shp = shapefile(tmp_path / "a.shp", [([square(0, 1, 0, 1)], "x")])
    whole = shp.read_bytes()
    shp.write_bytes(whole[:-40])
    with pytest.raises(InputError, match=r"E-INPUT-TRUNC .*a\.shp"):
        read_polygons(shp, "zone")
    shp.write_bytes(b"no shapes here" * 10)
    with pytest.raises(InputError, match=r"E-INPUT-SCHEMA .*not a shapefile"):
        read_polygons(shp, "zone")
    shp.write_bytes(whole[:32] + struct.pack("<i", 1) + whole[36:])
    with pytest.raises(InputError, match="type 1, not polygons"):
        read_polygons(shp, "zone")
    shp.write_bytes(whole)
    shp.with_suffix(".dbf").unlink()
    with pytest.raises(InputError, match=r"E-INPUT-MISSING .*a\.dbf"):
        read_polygons(shp, "zone")
    path = geojson(tmp_path / "b.json", [("x", "Point", [0, 0])])
    with pytest.raises(InputError, match="holds a Point"):
        read_polygons(path, "zone")
    path.write_text('{"type": "FeatureCollection"}')
    with pytest.raises(InputError, match="E-INPUT-SCHEMA"):
        read_polygons(path, "zone")
    path.write_text('{"type"')
    with pytest.raises(InputError, match="E-INPUT-CORRUPT"):
        read_polygons(path, "zone")
    assert not rasterise([Polygon((), "x")], "EPSG:4326", {"x": 1}, WINDOW).any()


@pytest.mark.real
def test_the_real_table_of_climates(real_data):
    ds = read_koppen(real_data("koppen_geiger_kottek/climatezones.csv"))
    codes, counts = np.unique(ds.climate.values[np.isfinite(ds.climate.values)], return_counts=True)
    found = {CLIMATES[int(c) - 1]: int(n) for c, n in zip(codes, counts, strict=True)}
    assert sum(found.values()) == 92416
    assert (found["EF"], found["Dfc"], found["As"]) == (27463, 11104, 315)


@pytest.mark.real
def test_a_real_shapefile(real_data):
    path = real_data("natural_earth_110m/ne_110m_admin_0_countries.shp")
    polygons, crs = read_polygons(path, "ADMIN")
    grid = regular(0.5)
    got = rasterise(polygons, crs, {"China": 1, "Mongolia": 2}, grid)
    for place, code in (((116.4, 39.9), 1), ((91.1, 29.7), 1), ((106.9, 47.9), 2), ((77.2, 28.6), 0)):
        assert got[grid.locate(*place)] == code
    assert (grid.area() * (got == 1)).sum() == pytest.approx(9.4e12, rel=0.03)
