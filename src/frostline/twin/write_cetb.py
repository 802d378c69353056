"""NSIDC-0738 files (SMAP rSIR brightness temperature, EASE-Grid 2.0 north, 9 km) of one channel and pass."""

from __future__ import annotations

import io
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import h5netcdf
import h5py
import numpy as np

from frostline.clock import AM, PM
from frostline.errors import ConfigError
from frostline.grid import Grid, crs_of, named
from frostline.twin.publish import char, patched, publish

Array = np.ndarray
Version = Literal["v2", "v3"]
Polarization = Literal["V", "H"]

DOI = {"v2": "10.5067/YAMX52BXFL10", "v3": "10.5067/8OULQIU7ZPSX"}  # formats.md 3.2
CONVENTIONS = {"v2": "CF-1.6, ACDD-1.3", "v3": "CF-1.9, ACDD-1.3"}
CALENDAR = {"v2": "gregorian", "v3": "standard"}
PASS = {AM: "M", PM: "E"}  # the north grid divides the day into local morning and evening
SCALE = 0.01  # K, packed step of TB and of its spread
NO_TB, MISSING_TB = 0, 60000  # formats.md 3.1: never measured; and, in v2 only, measured and rejected
NO_TIME = -32768
INCIDENCE = 40.0  # degrees, SMAP's constant Earth incidence angle
SPREAD, SAMPLES = 1.0, 12  # K and a count: plain values, no reader's decision hangs on them
CHUNK, DEFLATE = 50, 4  # cells a side; the producer deflates at 9, which reads the same and costs twice the time

# (name, dtype, fill, valid range, units, standard name, long name, v2's missing value); formats.md 3.1
DATA: tuple[tuple[str, str, int, tuple[int, int], str, str, str, int | None], ...] = (
    ("TB", "u2", NO_TB, (5000, 35000), "K", "brightness_temperature", "SIR TB", MISSING_TB),
    ("TB_std_dev", "u2", 65535, (0, 65533), "K", "", "SIR TB standard deviation", 65534),
    ("TB_num_samples", "u1", 0, (1, 255), "count", "number_of_observations", "SIR TB number of samples", None),
    ("Incidence_angle", "i2", -1, (0, 9000), "degree", "angle_of_incidence", "SIR incidence angle", None),
    ("TB_time", "i2", NO_TIME, (-32767, 32767), "", "time", "SIR TB time of day", None),
)
PACKED = ("TB", "TB_std_dev", "Incidence_angle")


def write(
    folder: Path,
    *,
    date: Any,
    overpass: int,
    polarization: Polarization,
    tb: Array,
    tb_time: Array,
    window: Grid,
    version: Version = "v3",
) -> Path:
    """One day, pass and polarization; the file is 2000x2000 cells of which only the window's chunks exist.

    `tb` K and `tb_time` minutes since 00 UTC of `date`, both (rows, columns) of `window`, NaN = not observed.
    In v2 every second unobserved cell is packed 60000 (which is 600 K to whoever overlooks `missing_value`)
    and the others 0; v3 knows only 0. Source: NSIDC-0738 as told by its producer's code (formats.md 3).
    Raises ConfigError when the window is no part of N09 or TB leaves the packed valid range 50..350 K.
    """
    row, col = window.offset(named("N09"))
    rows, cols = window.shape
    seen = np.isfinite(tb)
    if ((tb[seen] < 50.0) | (tb[seen] > 350.0)).any():
        raise ConfigError("E-CONFIG", where=folder, cause="brightness temperature outside 50..350 K")
    day = np.datetime64(date, "D")
    parts = pack(tb, tb_time, version)
    region = np.s_[0, row : row + rows, col : col + cols]

    def patch(file: h5py.File) -> None:
        for name, values in parts.items():
            file[name][region] = values
        file["time"][0] = float((day - np.datetime64("1972-01-01")) / np.timedelta64(1, "D"))
        file["TB_time"].attrs.modify("units", char(f"minutes since {day} 00:00:00"))
        for name, text in _dated(day).items():
            file.attrs.modify(name, char(text))

    image = _template(version, overpass, polarization)
    return publish(
        Path(folder) / file_name(day, overpass=overpass, polarization=polarization, version=version),
        patched(image, patch),
    )


def file_name(date: Any, *, overpass: int, polarization: Polarization, version: Version = "v3") -> str:
    """The producer's name (formats.md 3.2); v3's production time is set to two days after the date, 12 UTC.

    >>> file_name("2016-01-01", overpass=0, polarization="V")
    'NSIDC0738_SIR_EASE2_N09km_SMAP_LRM_M_1.4V_20160101_1601031200_v3.0.nc'
    >>> file_name("2016-01-01", overpass=1, polarization="H", version="v2")
    'NSIDC-0738-EASE2_N09km-SMAP_LRM-2016001-1.4H-E-SIR-JPL-v2.0.nc'
    """
    day = np.datetime64(date, "D").astype(object)
    if version == "v2":
        return f"NSIDC-0738-EASE2_N09km-SMAP_LRM-{day:%Y%j}-1.4{polarization}-{PASS[overpass]}-SIR-JPL-v2.0.nc"
    made = (np.datetime64(date, "D") + 2).astype(object)
    half = PASS[overpass]
    return f"NSIDC0738_SIR_EASE2_N09km_SMAP_LRM_{half}_1.4{polarization}_{day:%Y%m%d}_{made:%y%m%d}1200_v3.0.nc"


def pack(tb: Array, tb_time: Array, version: Version) -> dict[str, Array]:
    """The five variables as packed integers, each (rows, columns) like `tb`.

    >>> pack(np.array([[251.234, np.nan, np.nan]]), np.array([[-90.0, np.nan, np.nan]]), "v2")["TB"]
    array([[25123, 60000,     0]], dtype=uint16)
    """
    seen = np.isfinite(tb)
    rejected = ~seen & (np.indices(tb.shape).sum(axis=0) % 2 == 1) & (version == "v2")
    packed = np.where(seen, np.rint(np.where(seen, tb, 0.0) / SCALE), NO_TB)
    spread = np.where(seen, round(SPREAD / SCALE), 65535)
    time = np.isfinite(tb_time) & seen
    return {
        "TB": np.where(rejected, MISSING_TB, packed).astype(np.uint16),
        "TB_std_dev": np.where(rejected, 65534, spread).astype(np.uint16),
        "TB_num_samples": np.where(seen, SAMPLES, 0).astype(np.uint8),
        "Incidence_angle": np.where(seen, round(INCIDENCE / SCALE), -1).astype(np.int16),
        "TB_time": np.where(time, np.rint(np.where(time, tb_time, 0.0)), NO_TIME).astype(np.int16),
    }


def _dated(day: np.datetime64) -> dict[str, str]:
    """The global attributes that name the day; all of fixed length, so that the template is patched in place."""
    made = f"{day + 2}T12:00:00.00Z"
    return {
        "time_coverage_start": f"{day}T00:00:00.00Z",
        "time_coverage_end": f"{day + 1}T00:00:00.00Z",
        "comment": f"Epoch date for data in this file: {day}T00:00:00Z",
        "history": f"{made} made by the frostline twin Earth",
        **{f"date_{what}": made for what in ("created", "modified", "issued", "metadata_modified")},
    }


@lru_cache(maxsize=8)
def _template(version: Version, overpass: int, polarization: Polarization) -> bytes:
    """A file of 1 January 1972 in which nothing was observed: no chunk of data exists."""
    buffer, grid = io.BytesIO(), named("N09")
    with h5netcdf.File(buffer, "w") as file:
        file.dimensions = {"time": None, "y": grid.shape[0], "x": grid.shape[1]}
        file.resize_dimension("time", 1)
        _coordinates(file, grid, version)
        for name, dtype, fill, valid, units, standard, long_name, missing in DATA:
            kind = np.dtype(dtype)
            v = file.create_variable(
                name,
                ("time", "y", "x"),
                kind,
                chunks=(1, CHUNK, CHUNK),
                fillvalue=kind.type(fill),
                compression="gzip",
                compression_opts=DEFLATE,
                shuffle=True,
            )
            v.attrs["long_name"] = char(long_name)
            if standard:
                v.attrs["standard_name"] = char(standard)
            v.attrs["units"] = char(units or "minutes since 1972-01-01 00:00:00")
            v.attrs["valid_range"] = np.array(valid, kind)
            if missing is not None and version == "v2":
                v.attrs["missing_value"] = kind.type(missing)
            if name in PACKED or name == "TB_time":
                v.attrs["scale_factor"] = np.float32(SCALE if name in PACKED else 1.0)
                v.attrs["add_offset"] = np.float32(0.0)
                v.attrs["packing_convention"] = char("netCDF")
                v.attrs["packing_convention_description"] = char("unpacked = scale_factor*packed + add_offset")
            v.attrs["grid_mapping"] = char("crs")
            v.attrs["coverage_content_type"] = char("image" if name == "TB" else "auxiliaryInformation")
        file["TB_time"].attrs["calendar"] = char("standard")
        file["TB_num_samples"].attrs["flag_values"] = np.uint8(255)
        file["TB_num_samples"].attrs["flag_meanings"] = char("num_samples_GE_255")
        for name, value in _method(overpass, polarization).items():
            file["TB"].attrs[name] = value
        for name, text in {**_undated(version), **_dated(np.datetime64("1972-01-01"))}.items():
            file.attrs[name] = char(text)
        file.attrs["number_of_input_files"] = np.int32(1)
        for name, degrees in (("lat_min", 0.0), ("lat_max", 90.0), ("lon_min", -180.0), ("lon_max", 180.0)):
            file.attrs[f"geospatial_{name}"] = degrees
    return buffer.getvalue()


def _coordinates(file: h5netcdf.File, grid: Grid, version: Version) -> None:
    time = file.create_variable("time", ("time",), "f8", chunks=(512,))
    time[:] = np.zeros(1)
    for name, text in (
        ("standard_name", "time"),
        ("long_name", "ANSI date"),
        ("units", "days since 1972-01-01 00:00:00"),
        ("calendar", CALENDAR[version]),
        ("axis", "T"),
        ("coverage_content_type", "coordinate"),
    ):
        time.attrs[name] = char(text)
    time.attrs["valid_range"] = np.array([0.0, np.finfo(float).max])
    for name, values in (("y", grid.y), ("x", grid.x)):
        v = file.create_variable(name, (name,), "f8", data=values)
        v.attrs["standard_name"] = char(f"projection_{name}_coordinate")
        v.attrs["long_name"] = char(name)
        v.attrs["units"] = char("meters")
        v.attrs["axis"] = char(name.upper())
        v.attrs["valid_range"] = np.array([-9e6, 9e6])
        v.attrs["coverage_content_type"] = char("coordinate")
    crs = file.create_variable("crs", (), "S1")
    crs.attrs["grid_mapping_name"] = char("lambert_azimuthal_equal_area")
    for name, number in (
        ("longitude_of_projection_origin", 0.0),
        ("latitude_of_projection_origin", 90.0),
        ("false_easting", 0.0),
        ("false_northing", 0.0),
        ("semi_major_axis", 6378137.0),
        ("inverse_flattening", 298.257223563),
    ):
        crs.attrs[name] = number
    crs.attrs["proj4text"] = char("+proj=laea +lat_0=90 +lon_0=0 +x_0=0 +y_0=0 +ellps=WGS84 +datum=WGS84 +units=m")
    crs.attrs["srid"] = char("urn:ogc:def:crs:EPSG::6931")
    crs.attrs["crs_wkt"] = char(crs_of(grid.crs).to_wkt())
    crs.attrs["long_name"] = char("EASE2_N09km")
    crs.attrs["coverage_content_type"] = char("auxiliaryInformation")
    if version == "v3":
        crs.attrs["GeoTransform"] = char("-9000000 9000 0 9000000 0 -9000")


def _method(overpass: int, polarization: Polarization) -> dict[str, Any]:
    """What TB says of its own making; numbers of the rSIR run are plausible, and nothing reads them."""
    return {
        "ancillary_variables": char("TB_num_samples TB_time Incidence_angle TB_std_dev"),
        "frequency_and_polarization": char(f"1.4{polarization}"),
        "temporal_division": char("Morning" if overpass == AM else "Evening"),
        "temporal_division_local_start_time": np.float32(0.0 if overpass == AM else 12.0),
        "temporal_division_local_end_time": np.float32(12.0 if overpass == AM else 24.0),
        "sir_number_of_iterations": np.int32(20),
        "median_filter": np.int32(0),
        "measurement_response_threshold_dB": np.float32(-8.0),
        "measurement_search_bounding_box_km": np.float32(60.0),
    }


def _undated(version: Version) -> dict[str, str]:
    """Global attributes equal in all files of a version; the source says that no satellite saw this."""
    return {
        "Conventions": CONVENTIONS[version],
        "title": "SMAP Radiometer Twice-Daily rSIR-Enhanced EASE-Grid 2.0 Brightness Temperatures",
        "id": DOI[version],
        "summary": "Synthetic brightness temperatures in the layout of NSIDC-0738",
        "project": "frostline twin Earth",
        "contributor_name": "frostline",
        "contributor_role": "simulation",
        "citation": "Synthetic data: do not cite as NSIDC-0738",
        "license": "Apache-2.0",
        "product_version": f"{version}.0",
        "software_version_id": "frostline",
        "software_repository": "frostline",
        "source": "frostline twin Earth (simulated, not observed)",
        "metadata_link": f"https://doi.org/{DOI[version]}",
        "publisher_name": "frostline",
        "publisher_type": "institution",
        "program": "frostline",
        "standard_name_vocabulary": "CF Standard Name Table (v79, 19 March 2022)",
        "cdm_data_type": "Grid",
        "keywords": "EARTH SCIENCE > SPECTRAL/ENGINEERING > MICROWAVE > BRIGHTNESS TEMPERATURE",
        "keywords_vocabulary": "NASA Global Change Master Directory (GCMD) Earth Science Keywords, Version 15.1",
        "platform": "SMAP > Soil Moisture Active and Passive Observatory",
        "instrument": "SMAP L-BAND RADIOMETER > SMAP L-Band Radiometer",
        "time_coverage_duration": "P1D",
        "time_coverage_resolution": "P1D",
        "geospatial_bounds": "POLYGON((90 -180, 90 180, 0 180, 0 -180, 90 -180))",
        "geospatial_bounds_crs": "EPSG:3475" if version == "v2" else "EPSG:6931",
        "geospatial_lat_units": "degrees_north",
        "geospatial_lon_units": "degrees_east",
        "naming_authority": "org.doi.dx",
        "processing_level": "Level 3",
        "creator_name": "frostline",
        "creator_type": "institution",
        "input_file1": "frostline twin Earth",
    }
