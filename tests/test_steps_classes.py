import json

import numpy as np
import pytest

from china_files import GRID, write_era5, write_smap_day
from frostline.errors import InputError
from frostline.grid import regular
from frostline.steps import classes
from frostline.twin.write_statics import geotiff


def entry(*paths):
    return {"files": [(str(p), None, None, None) for p in paths]}


def raster(path, codes_of, step):
    """A GeoTIFF around GRID, `codes_of(lon, lat)` at its pixels."""
    box = regular(step, left=96.0, top=37.0, shape=(round(2 / step), round(2 / step)))
    return geotiff(path, box, "uint8", 0, iter([(0, codes_of(*box.lonlat()).astype(np.uint8))]))


def west(lon, lat):
    return np.where(lon < 97.0, 4, 7)


def test_classes_of_fine_pixels_are_the_majority_of_a_cell(tmp_path):
    path = raster(tmp_path / "CLCD_v01_2015.tif", west, 0.005)
    fields, attrs = classes.static_maps({"landcover": entry(path)}, GRID, method="bilinear")
    lon = GRID.lonlat()[0]
    assert (fields["land_cover_clcd"] == np.where(lon < 97.0, 4, 7)).all() and not attrs
    assert (fields["land"] == 1).all() and set(fields) == {"land_cover_clcd", "land"}


def test_classes_of_coarse_pixels_are_the_nearest(tmp_path):
    path = raster(tmp_path / "koppen_geiger.tif", west, 0.5)
    legend = tmp_path / "legend.txt"
    legend.write_text("    4:  BWh  Arid\n    7:  BSk  Arid\n")
    fields, _ = classes.static_maps({"koppen": entry(path, legend)}, GRID, method="bilinear")
    # places in the reader's list, which is Beck's order: BWh is the 4th, BSk the 7th
    assert (fields["climate"] == np.where(GRID.lonlat()[0] < 97.0, 4, 7)).all()


def test_rasters_and_polygons_of_ones_own_tell_the_names_of_their_classes(tmp_path):
    stability = raster(tmp_path / "permafrost.tif", west, 0.02)
    codes = tmp_path / "codes.csv"
    codes.write_text("value,class\n7,unstable\n4,very stable\n")
    ring = [[96.0, 35.0], [97.0, 35.0], [97.0, 37.0], [96.0, 37.0], [96.0, 35.0]]
    feature = {"type": "Feature", "properties": {"value": 2}, "geometry": {"type": "Polygon", "coordinates": [ring]}}
    regions = tmp_path / "regions.geojson"
    regions.write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
    legend = tmp_path / "regions.csv"
    legend.write_text("value,class\n1,Tibet\n2,North\n")
    inventory = {
        "permafrost": entry(stability),
        "permafrost_codes": entry(codes),
        "regions": entry(regions),
        "regions_codes": entry(legend),
    }
    fields, attrs = classes.static_maps(inventory, GRID, method="bilinear")
    left = GRID.lonlat()[0] < 97.0
    assert attrs == {"permafrost_classes": ["unstable", "very stable"], "regions": ["Tibet", "North"]}
    assert (fields["permafrost"] == np.where(left, 2, 1)).all()
    assert (fields["region"][left] == 2).all() and np.isnan(fields["region"][~left]).all()
    with pytest.raises(InputError, match=r"inputs\.regions_codes"):
        classes.static_maps({"regions": entry(regions)}, GRID, method="bilinear")


def test_water_ice_and_sea_are_no_land(tmp_path):
    write_era5(tmp_path / "era5land", "2016-01-01T00", "2016-01-01T23", lambda hours: 270.0 + 0 * hours)
    inventory = {"era5land": entry(*(tmp_path / "era5land").iterdir())}
    fields, _ = classes.static_maps(inventory, GRID, method="bilinear")
    assert (fields["land"] == 1).all()
    inventory["landcover"] = entry(raster(tmp_path / "c.tif", lambda x, y: np.where(x < 97, 5, 6), 0.02))
    assert (classes.static_maps(inventory, GRID, method="bilinear")[0]["land"] == 0).all()
    cover = raster(tmp_path / "d.tif", lambda x, y: np.where(x < 97, 9, 6), 0.02)
    fields, _ = classes.static_maps(inventory | {"landcover": entry(cover)}, GRID, method="bilinear")
    assert (fields["land"] == (GRID.lonlat()[0] < 97.0)).all()


def test_terrain_and_water_come_from_as_many_smap_files_as_it_takes(tmp_path):
    minutes = np.full((2, *GRID.shape), np.nan)
    minutes[:, :3] = 690.0
    minutes[0] -= 660.0
    first = write_smap_day(tmp_path, "2016-03-01", np.ones((2, *GRID.shape)), minutes=minutes)
    assert np.isnan(classes.smap_static([first], GRID)["terrain_std"][3:]).all()
    second = write_smap_day(tmp_path, "2016-03-02", np.ones((2, *GRID.shape)))
    broken = tmp_path / "SMAP_L3_FT_P_E_20160303_R19240_001.h5"
    broken.write_bytes(b"nothing")
    fields = classes.smap_static([broken, first, second], GRID)
    assert set(fields) == {"elevation", "terrain_std", "water_fraction"}
    assert (fields["terrain_std"] == 120).all() and (fields["elevation"] == 4200).all()
