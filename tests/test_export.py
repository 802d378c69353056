import json

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from frostline import export, export_layers
from frostline.clock import AM, DAILY, PM, days
from frostline.errors import ConfigError, DiskError, InputError
from frostline.grid import named, regular
from frostline.schema import QUALITY, record

rasterio = pytest.importorskip("rasterio")

GRID = named("N09").around(20.0, 60.0, (7, 9))
DATES = days("2016-12-30", "2017-01-02")
# probability, quality bits -> freeze_thaw, frozen_probability, thaw_freeze, thaw_probability; worked by hand
CODES = [
    (0.0, 0, 0, 0, 1, 200),
    (1.0, 0, 1, 200, 0, 0),
    (0.5, 0, 0, 100, 1, 100),  # a tie counts as thawed
    (0.5001, 0, 1, 101, 0, 99),  # packing never carries a value onto 0.5 ...
    (0.4999, 0, 0, 99, 1, 101),  # ... from either side
    (0.253, 0, 0, 51, 1, 149),
    (np.nan, 0, 252, 255, 252, 255),
    (np.nan, QUALITY["outside_domain"], 253, 255, 253, 255),
    (np.nan, QUALITY["permanent_ice"], 253, 255, 253, 255),
    (np.nan, QUALITY["open_water"], 254, 255, 254, 255),
    (np.nan, QUALITY["open_water"] | QUALITY["outside_domain"], 254, 255, 254, 255),
    (0.9, QUALITY["open_water"], 1, 180, 0, 20),  # what is known is a state
]


def made(grid=GRID, dates=DATES, overpass=(AM, PM), **over):
    rng = np.random.default_rng(3)
    shape = (len(dates), len(overpass), *grid.shape)
    frozen = rng.integers(0, 201, shape).astype("f4") / 200
    frozen[rng.random(shape) < 0.2] = np.nan
    parts = {"quality": rng.integers(0, 128, shape).astype("u2"), "age": rng.integers(0, 6, shape).astype("u1")} | over
    return record(frozen, grid=grid, time=dates, overpass=list(overpass), attrs={"source": "twin Earth"}, **parts)


@pytest.mark.parametrize(("frozen", "quality", "state", "p", "thaw_state", "thaw_p"), CODES)
def test_codes_by_hand(frozen, quality, state, p, thaw_state, thaw_p):
    one = np.array([frozen], "f4"), np.array([quality], "u2"), None
    assert {k: v[0] for k, v in export.encode(*one, polarity="frozen").items() if k != "quality"} == {
        "freeze_thaw": state,
        "frozen_probability": p,
    }
    assert {k: v[0] for k, v in export.encode(*one, polarity="thaw").items() if k != "quality"} == {
        "thaw_freeze": thaw_state,
        "thaw_probability": thaw_p,
    }


@given(st.lists(st.one_of(st.just(np.nan), st.floats(0, 1, width=32)), min_size=1, max_size=50))
def test_codes_keep_the_probability_and_the_state_agrees(values):
    frozen = np.array(values, "f4")
    codes = export.encode(frozen, None, None, polarity="frozen")
    known = np.isfinite(frozen)
    packed = codes["frozen_probability"]
    assert ((packed == 255) == ~known).all()
    assert (np.abs(packed[known] / 200 - frozen[known]) <= 0.005).all()  # half a step, a whole one beside 0.5
    assert ((packed[known] > 100) == (codes["freeze_thaw"][known] == 1)).all()


def test_a_probability_outside_its_range_is_an_error():
    with pytest.raises(InputError, match="E-INPUT-SCHEMA"):
        export.encode(np.array([1.2], "f4"), None, None, polarity="frozen")


def test_an_unknown_polarity_is_an_error(tmp_path):
    with pytest.raises(ConfigError, match="polarity"):
        export.to_netcdf(made(), tmp_path, polarity="melted")


def test_cog_names_values_and_place(tmp_path):
    source = made()
    paths = export.to_cog(source, tmp_path, name="x")
    assert len(paths) == 4 * 2 * 4
    assert sorted(tmp_path.iterdir()) == sorted(paths)  # no temporary name is left
    assert paths[0].name == "x_20161230_am_freeze_thaw.tif"
    want = export.encode(*(source[v].values for v in ("frozen", "quality", "age")), polarity="frozen")
    for path in paths:
        _, date, half, layer = path.stem.split("_", 3)
        i, j = (
            DATES.astype("M8[D]").astype(str).tolist().index(f"{date[:4]}-{date[4:6]}-{date[6:]}"),
            "ap".index(half[0]),
        )
        with rasterio.open(path) as file:
            assert file.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
            assert file.tags()["AREA_OR_POINT"] == "Area"
            assert file.tags()["overpass"] == half
            assert file.tags()["source"] == "twin Earth"
            assert file.crs.to_epsg() == 6931
            assert file.transform.to_gdal() == GRID.geotransform
            assert file.dtypes == (("uint16",) if layer == "quality" else ("uint8",))
            assert file.nodata == (None if layer == "quality" else 255)
            assert file.descriptions == (layer,)
            assert file.scales == ((0.005,) if layer == "frozen_probability" else (1.0,))
            assert (file.read(1) == want[layer][i, j]).all()
            x, y = file.xy(2, 3)  # GDAL's centre of cell (2, 3) is ours
            assert (x, y) == (GRID.x[3], GRID.y[2])


def test_cog_overviews_invent_no_class(tmp_path):
    grid = named("N09").around(20.0, 60.0, (700, 900))
    frozen = np.full((1, 1, 700, 900), 1.0, "f4")
    frozen[..., ::2, :] = np.nan  # every second row: an average of 1 and 252 would be no class
    frozen[..., :350, :] = 0.0
    source = record(frozen, grid=grid, time=DATES[:1], overpass=[DAILY])
    paths = export.to_cog(source, tmp_path)
    assert [p.name for p in paths] == [
        "frostline_20161230_daily_freeze_thaw.tif",
        "frostline_20161230_daily_frozen_probability.tif",
    ]
    with rasterio.open(paths[0]) as file:
        assert file.overviews(1) == [2]
        assert file.block_shapes == [(512, 512)]
        assert file.colormap(1)[1] == export_layers.COLOURS["frozen"]
        assert set(np.unique(file.read(1))) == {0, 1, 252}
        small = file.read(1, out_shape=(350, 450))
        assert set(np.unique(small)) <= {0, 1, 252}
        assert (small[:170] == 0).all()


@pytest.mark.parametrize("polarity", ["frozen", "thaw"])
def test_netcdf_values_and_coordinates(tmp_path, polarity):
    source = made()
    paths = export.to_netcdf(source, tmp_path, polarity=polarity)
    assert [p.name for p in paths] == ["frostline_2016.nc", "frostline_2017.nc"]
    assert sorted(tmp_path.iterdir()) == sorted(paths)
    with xr.open_mfdataset(paths, data_vars="minimal", coords="minimal", compat="override") as ds:
        np.testing.assert_array_equal(ds["time"], DATES)
        np.testing.assert_array_equal(ds["overpass"], [AM, PM])
        np.testing.assert_array_equal(ds["y"], GRID.y)
        np.testing.assert_array_equal(ds["x"], GRID.x)
        lon, lat = GRID.lonlat()
        np.testing.assert_allclose(ds["longitude"], lon, atol=1e-5)
        np.testing.assert_allclose(ds["latitude"], lat, atol=1e-5)
        p = ds[f"{polarity if polarity == 'thaw' else 'frozen'}_probability"].values
        frozen = source["frozen"].values
        np.testing.assert_allclose(p, frozen if polarity == "frozen" else 1 - frozen, atol=1e-6)
        state = ds["freeze_thaw" if polarity == "frozen" else "thaw_freeze"].values
        known = np.isfinite(frozen)
        assert (state[known] == ((frozen > 0.5) == (polarity == "frozen"))[known]).all()
        assert (state[~known] >= 252).all()
        np.testing.assert_array_equal(ds["quality"], source["quality"])
        assert ds["quality"].dtype == np.uint16
        np.testing.assert_array_equal(ds["age"], source["age"])


def test_netcdf_half_is_exactly_half(tmp_path):
    source = record(
        np.array([0.0, 0.5, 1.0], "f4").reshape(1, 1, 1, 3),
        grid=GRID.window(slice(0, 1), slice(0, 3)),
        time=DATES[:1],
        overpass=[AM],
    )
    with xr.open_dataset(export.to_netcdf(source, tmp_path)[0]) as ds:
        assert ds["frozen_probability"].values.ravel().tolist() == [0.0, 0.5, 1.0]
        assert ds["freeze_thaw"].values.ravel().tolist() == [0.0, 0.0, 1.0]


def test_netcdf_follows_cf(tmp_path):
    path = export.to_netcdf(made(), tmp_path)[0]
    with xr.open_dataset(path, mask_and_scale=False, decode_times=False, decode_coords=False) as ds:
        assert ds.attrs["Conventions"] == "CF-1.11, ACDD-1.3"
        assert {"title", "summary", "keywords", "source", "time_coverage_start"} <= set(ds.attrs)
        for name in ("time", "overpass", "y", "x", "longitude", "latitude", "crs"):
            assert "_FillValue" not in ds[name].attrs, name
        assert ds["time"].dtype == np.int64
        assert ds["time"].attrs["units"] == "hours since 1970-01-01 00:00:00"
        assert ds["time"].values.tolist() == [411960, 411984]  # 2016-12-30 is day 17165
        for name in ("freeze_thaw", "overpass"):
            assert ds[name].attrs["flag_values"].dtype == ds[name].dtype
            assert len(ds[name].attrs["flag_values"]) == len(ds[name].attrs["flag_meanings"].split())
        assert ds["quality"].attrs["flag_masks"].dtype == np.uint16
        assert "_FillValue" not in ds["quality"].attrs
        assert ds["freeze_thaw"].attrs["_FillValue"] == 255
        assert 255 not in ds["freeze_thaw"].attrs["flag_values"]
        assert ds["freeze_thaw"].attrs["ancillary_variables"].split() == ["frozen_probability", "quality", "age"]
        for name in ("freeze_thaw", "frozen_probability", "quality", "age"):
            assert ds[name].attrs["grid_mapping"] == "crs"
            assert ds[name].attrs["coordinates"] == "latitude longitude"
            assert ds[name].attrs["long_name"]
        assert ds["crs"].attrs["grid_mapping_name"] == "lambert_azimuthal_equal_area"
        assert "6931" in ds["crs"].attrs["crs_wkt"]
        assert [float(v) for v in ds["crs"].attrs["GeoTransform"].split()] == list(GRID.geotransform)
        assert ds["x"].attrs["standard_name"] == "projection_x_coordinate"


def test_gdal_places_the_netcdf_where_we_do(tmp_path):
    path = export.to_netcdf(made(), tmp_path)[0]
    try:
        file = rasterio.open(f"netcdf:{path}:freeze_thaw")
    except rasterio.errors.RasterioIOError as error:
        pytest.skip(f"this GDAL reads no netCDF: {error}")
    with file:
        assert file.crs.to_epsg() == 6931
        assert file.transform.to_gdal() == pytest.approx(GRID.geotransform)
        assert file.count == 4


def test_a_geographic_grid(tmp_path):
    grid = regular(0.1, left=10.0, top=60.0, shape=(5, 6))
    source = made(grid=grid, dates=DATES[:1])
    with xr.open_dataset(export.to_netcdf(source, tmp_path)[0]) as ds:
        assert ds["x"].attrs["standard_name"] == "longitude"
        assert "longitude" not in ds.variables
        np.testing.assert_array_equal(ds["y"], grid.y)
    with rasterio.open(export.to_cog(source, tmp_path)[0]) as file:
        assert file.crs.to_epsg() == 4326
        assert file.transform.to_gdal() == pytest.approx(grid.geotransform)


def test_a_record_of_probabilities_alone_and_a_lazy_one(tmp_path):
    source = made(quality=None, age=None)
    eager, lazy = (export.to_netcdf(r, tmp_path / n) for n, r in (("a", source), ("b", source.chunk(time=1))))
    assert eager[0].read_bytes() == lazy[0].read_bytes()  # the same record, the same bytes
    with xr.open_dataset(eager[0]) as ds:
        assert {"quality", "age"}.isdisjoint(ds.variables)
        assert ds["freeze_thaw"].attrs["ancillary_variables"] == "frozen_probability"


def test_blocks_do_not_change_the_values(tmp_path, monkeypatch):
    whole = export.to_netcdf(made(), tmp_path / "a")[0]
    monkeypatch.setattr(export, "BLOCK", 1)
    with xr.open_dataset(whole) as a, xr.open_dataset(export.to_netcdf(made(), tmp_path / "b")[0]) as b:
        assert a.identical(b)


def test_a_file_that_reads_back_otherwise_never_gets_its_name(tmp_path, monkeypatch):
    (tmp_path / "frostline_2016.nc").write_text("the old one")
    monkeypatch.setattr(export, "_digest_netcdf", lambda path, names: dict.fromkeys(names, "other"))
    with pytest.raises(DiskError, match=r"frostline_2016\.nc"):
        export.to_netcdf(made(), tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["frostline_2016.nc"]
    assert (tmp_path / "frostline_2016.nc").read_text() == "the old one"


def test_no_place_to_write_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    for write in (export.to_cog, export.to_netcdf):
        with pytest.raises(DiskError, match="E-DISK"):
            write(made(), tmp_path / "file" / "under")


def test_attributes_pass_by_list_only(tmp_path):
    source = made().assign_attrs(token="secret", license="CC-BY-4.0", experiment=json.dumps({"a": 1}))
    with xr.open_dataset(export.to_netcdf(source, tmp_path)[0]) as ds:
        assert ds.attrs["license"] == "CC-BY-4.0"
        assert "token" not in ds.attrs
