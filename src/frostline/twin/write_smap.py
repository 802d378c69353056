"""SMAP freeze/thaw files, SPL3FTP_E (9 km) and SPL3FTP (36 km): both passes of one UTC day, two groups, 28 datasets."""

from __future__ import annotations

import io
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import h5py
import numpy as np

from frostline.errors import ConfigError
from frostline.grid import Grid, named
from frostline.twin.publish import char, patched, publish

Array = np.ndarray
Version = Literal["v3", "v4"]

FOLDER = "Freeze_Thaw_Retrieval_Data_{}"
SIZES = {9: {"Polar": "N09", "Global": "M09"}, 36: {"Polar": "N36", "Global": "M36"}}  # km: group -> grid
# v4's release and DOIs are those of the official schemas; which release number is version 3 is unverified
RELEASE = {"v3": "R17000", "v4": "R19240"}
ECS = {"v3": "003", "v4": "004"}
DOI = {9: "doi:10.5067/NQLCDOZJYAKX", 36: "doi:10.5067/LQQ5I3QVGFTU"}
EPOCH = "2000-01-01T11:58:55.816"  # /Metadata/ProcessStep, J2000 in UTC
CHUNK, DEFLATE = 64, 4  # cells a side and gzip level; the archive's own chunks are unknown (formats.md 1.1)
# Where the product's flags begin; plain values, since the schema names the flags and not their limits
WATER_BODY, MUCH_WATER, MOUNTAIN = 0.5, 0.05, 300.0  # shares of the cell; m of standard deviation
PERMANENT_ICE = 15  # IGBP
SCV_SOUTH_OF = 45.0  # degrees; south of it the polarization ratio is not used (SPL3FTP_E, global group)
TOP_BITS = 0xF000  # set in every cell of version 4's surface_flag (formats.md 1.4)
WATER_DIRECTION = 250  # what transition_direction holds over water (formats.md 1.4)
PASSES = "; plane 0 is AM, plane 1 is PM"
BIG = (-999999.875, 999999.875)
TB_FLAGS = (
    "quality range RFI_detection RFI_correction NEDT direct_sun_correction reflected_sun_correction "
    "reflected_moon_correction direct_galaxy_correction reflected_galaxy_correction atmosphere_correction "
    "Faraday_rotation_correction null_value_bit water_correction RFI_check RFI_clean"
)
GROUND_FLAGS = (
    "static_water_body high_static_water_body_fraction coastal_proximity urban_area precipitation snow_or_ice "
    "permanent_snow_or_ice radiometer_frozen_ground model_frozen_ground mountainous_terrain dense_vegetation "
    "nadir_region"
)
OWN_FLAGS = "FT_Retrieval_attempted High_water_fraction Permanent_ice Low_SCV_correlation FT_mitigation"

# name: dtype, planes, valid range or None, units, long name. All but coordinates and text carry a _FillValue
Row = tuple[str, int, tuple[float, float] | None, str, str]
FIELDS: dict[str, Row] = {
    "latitude": ("f4", 2, None, "degrees_north", "latitude of the cell centre"),
    "longitude": ("f4", 2, None, "degrees_east", "longitude of the cell centre"),
    "EASE_row_index": ("u2", 2, (0, 65535), "", "row of the {km} km cell"),
    "EASE_column_index": ("u2", 2, (0, 65535), "", "column of the {km} km cell"),
    "freeze_thaw": ("u1", 2, (0, 1), "", "0 thawed, 1 frozen"),
    "transition_state_flag": ("u1", 1, (0, 1), "", "1 where AM and PM differ"),
    "transition_direction": ("u1", 1, (0, 1), "", "0 AM frozen and PM thawed, 1 AM thawed and PM frozen"),
    "retrieval_algorithm_flag": ("u1", 2, (0, 1), "", "0 polarization ratio, 1 single channel V"),
    "retrieval_qual_flag": ("u2", 2, None, "", "conditions and quality of the retrieval"),
    "surface_flag": ("u2", 2, None, "", "surface conditions of the cell"),
    "tbv_qual_flag": ("u2", 2, None, "", "quality of the V temperatures"),
    "tbh_qual_flag": ("u2", 2, None, "", "quality of the H temperatures"),
    "tbv_mean": ("f4", 2, BIG, "Kelvin", "mean V temperature of the {km} km cell"),
    "tbh_mean": ("f4", 2, BIG, "Kelvin", "mean H temperature of the {km} km cell"),
    "tbv_error": ("f4", 2, BIG, "Kelvin", "error of the V temperature"),
    "tbh_error": ("f4", 2, BIG, "Kelvin", "error of the H temperature"),
    "normalized_polarization_ratio": ("f4", 2, (-5.0, 5.0), "", "(TBH-TBV)/(TBH+TBV)"),
    "freeze_reference": ("f4", 2, BIG, "", "polarization ratio of frozen ground"),
    "thaw_reference": ("f4", 2, BIG, "", "polarization ratio of thawed ground"),
    "reference_image_threshold": ("f4", 2, BIG, "", "polarization ratio between the two"),
    "FT_SCV_threshold": ("f4", 2, BIG, "", "V temperature between frozen and thawed ground"),
    "freeze_thaw_time_seconds": ("f8", 2, (-999999.9, 999999.9), "seconds", "time since the standard epoch"),
    "freeze_thaw_time_utc": ("S13", 2, None, "", "time in UTC"),
    "landcover_class": ("u1", 2, None, "", "predominant land cover"),
    "open_water_body_fraction": ("f4", 2, (0.0, 1.0), "", "share of open water"),
    "altitude_dem": ("f4", 2, (0.0, 999999.875), "meters", "elevation"),
    "altitude_std_dev": ("f4", 2, (0.0, 1000.0), "meters", "standard deviation of elevation"),
    "data_sampling_density": ("f4", 2, (0.0, 2.0), "km", "radiometer samples in the cell"),
}
FILLS = {"u1": 254, "u2": 65534, "f4": -9999.0, "f8": -9999.0}


def write(
    folder: Path,
    *,
    date: Any,
    frozen: Array,
    minutes: Array,
    water_fraction: Array,
    elevation: Array,
    terrain_std: Array,
    land_cover: Array,
    mitigated: Array,
    window: Grid,
    version: Version = "v4",
) -> Path:
    """One UTC day; both groups have their full size, and only the window's chunks of one of them exist.

    `frozen` (2, rows, columns), AM first: 1, 0, or NaN where there is no state. `minutes` (2, rows, columns) since 00
    UTC of `date`, NaN where the pass did not see the cell; a cell that an earlier day saw has negative ones.
    `mitigated` (2, rows, columns) bool: the state came from a mask, not from the radiometer. `water_fraction`,
    `elevation` and `terrain_std` (m), `land_cover` (IGBP): (rows, columns). `window` is one of M09, N09 (SPL3FTP_E),
    M36 or N36 (SPL3FTP); the other group stays empty, as do the datasets of temperatures and thresholds. Flags,
    transition codes and holes in the coordinates are as in real files (formats.md 1.4). Raises ConfigError for a
    window of another grid or a state beside 0 and 1.
    """
    km, group, row, col = _place(window)
    if not np.isin(frozen[np.isfinite(frozen)], (0.0, 1.0)).all():
        raise ConfigError("E-CONFIG", where=folder, cause="freeze/thaw states beside 0 and 1")
    day, seen = np.datetime64(date, "D"), np.isfinite(minutes)
    lon, lat = window.lonlat()
    rows, cols = window.shape
    values = {
        "latitude": lat,
        "longitude": lon,
        "EASE_row_index": row + np.arange(rows)[:, None],
        "EASE_column_index": col + np.arange(cols)[None, :],
        "retrieval_algorithm_flag": lat < SCV_SOUTH_OF,
        "landcover_class": land_cover,
        "open_water_body_fraction": water_fraction,
        "altitude_dem": elevation,
        "altitude_std_dev": terrain_std,
        "freeze_thaw_time_seconds": (day - np.datetime64(EPOCH, "ms")) / np.timedelta64(1, "s") + minutes * 60.0,
        "freeze_thaw_time_utc": clock_text(minutes),
        "retrieval_qual_flag": _own_flags(frozen, mitigated, water_fraction, land_cover),
        "surface_flag": _ground_flags(frozen, water_fraction, terrain_std, land_cover),
    }
    parts = {name: _filled(name, v, seen) for name, v in values.items()}
    known = np.isfinite(frozen)
    parts["freeze_thaw"] = np.where(known & seen, frozen == 1, FILLS["u1"]).astype(np.uint8)
    parts["transition_state_flag"], parts["transition_direction"] = transitions(parts["freeze_thaw"], water_fraction)
    box = np.s_[..., row : row + rows, col : col + cols]

    def patch(file: h5py.File) -> None:
        for name, part in parts.items():
            file[FOLDER.format(group)][name][box] = part
        for where, attrs in _dated(day, km, version).items():
            for name, text in attrs.items():
                file[where].attrs.modify(name, char(text))

    return publish(Path(folder) / file_name(day, km=km, version=version), patched(_template(km, version), patch))


def file_name(date: Any, *, km: int = 9, version: Version = "v4") -> str:
    """The producer's name (formats.md 1.3).

    >>> file_name("2015-04-03"), file_name("2015-04-10", km=36)
    ('SMAP_L3_FT_P_E_20150403_R19240_001.h5', 'SMAP_L3_FT_P_20150410_R19240_001.h5')
    """
    day = np.datetime64(date, "D").astype(object)
    return f"SMAP_L3_FT_P{'_E' if km == 9 else ''}_{day:%Y%m%d}_{RELEASE[version]}_001.h5"


def transitions(codes: Array, water_fraction: Array) -> tuple[Array, Array]:
    """`transition_state_flag` and `transition_direction` of freeze_thaw codes (2, rows, columns), as real files do.

    The second is 2 x AM + PM, not what its attributes say, and 250 over water.

    >>> codes = np.array([[[1, 0, 0, 254]], [[0, 1, 0, 0]]], np.uint8)
    >>> [a.tolist() for a in transitions(codes, np.array([[0.0, 0.0, 0.9, 0.0]]))]
    [[[1, 1, 0, 254]], [[2, 1, 250, 254]]]
    """
    known = (codes != FILLS["u1"]).all(axis=0)
    both = codes.astype(int)
    direction = np.where(water_fraction >= WATER_BODY, WATER_DIRECTION, 2 * both[0] + both[1])
    pair = np.where(known, [both[0] != both[1], direction], FILLS["u1"]).astype(np.uint8)
    return pair[0], pair[1]


def clock_text(minutes: Array) -> Array:
    """Times of day as HH:MM:SS.mmmZ, S13; empty where unknown.

    >>> clock_text(np.array([61.5, -1.0, np.nan])).tolist()
    [b'01:01:30.000Z', b'23:59:00.000Z', b'']
    """
    known = np.isfinite(minutes)
    ms = np.rint(np.where(known, minutes, 0.0) * 60000.0).astype("int64") % 86_400_000
    some, which = np.unique(ms, return_inverse=True)  # a pass has few instants, and text is slow
    texts = [str(time)[11:] + "Z" for time in some.astype("datetime64[ms]")]
    return np.where(known, np.array(texts, "S13")[which.reshape(ms.shape)], b"")


def _own_flags(frozen: Array, mitigated: Array, water_fraction: Array, land_cover: Array) -> Array:
    """`retrieval_qual_flag`, bits in the order of OWN_FLAGS."""
    return (
        np.isfinite(frozen) * 1
        + (water_fraction >= MUCH_WATER) * 2
        + (land_cover == PERMANENT_ICE) * 4
        + np.asarray(mitigated, bool) * 16
    )


def _ground_flags(frozen: Array, water_fraction: Array, terrain_std: Array, land_cover: Array) -> Array:
    """`surface_flag`, bits in the order of GROUND_FLAGS, and the four that mean nothing."""
    ice = (land_cover == PERMANENT_ICE) * (32 + 64)
    return (
        TOP_BITS
        + (water_fraction >= WATER_BODY) * 1
        + (water_fraction >= MUCH_WATER) * 2
        + ice
        + (frozen == 1) * 128
        + (terrain_std >= MOUNTAIN) * 512
    )


def _filled(name: str, values: Array, seen: Array) -> Array:
    """Values in the dataset's type on both planes, the fill where the pass did not see the cell."""
    kind = FIELDS[name][0]
    values = np.broadcast_to(values, seen.shape)
    if kind == "S13":
        return np.where(seen, values, b"").astype(kind)
    known = seen & np.isfinite(values)
    return np.where(known, np.where(known, values, 0), FILLS[kind]).astype(kind)


def _place(window: Grid) -> tuple[int, str, int, int]:
    """Resolution in km, group, first row and column of a window."""
    for km, groups in SIZES.items():
        for group, name in groups.items():
            whole = named(name)
            if (whole.crs, whole.step) == (window.crs, window.step):
                return (km, group, *window.offset(whole))
    raise ConfigError("E-GRID", where=window.name, cause=f"{window.crs} of {window.step} is no grid of SMAP L3 FT")


def _dated(day: np.datetime64, km: int, version: Version) -> dict[str, dict[str, str]]:
    """The attributes that name the day, by group; all of fixed length."""
    return {
        "Metadata/Extent": {
            "rangeBeginningDateTime": f"{day}T00:00:00.000Z",
            "rangeEndingDateTime": f"{day}T23:59:59.999Z",
        },
        "Metadata/DatasetIdentification": {"fileName": file_name(day, km=km, version=version)},
    }


@lru_cache(maxsize=4)
def _template(km: int, version: Version) -> bytes:
    """A file of 1 January 1972 in which nothing was seen: no chunk of data exists."""
    buffer = io.BytesIO()
    short = "SPL3FTP_E" if km == 9 else "SPL3FTP"
    with h5py.File(buffer, "w") as file:
        for group, name in SIZES[km].items():
            shape, folder = named(name).shape, FOLDER.format(group)
            for field, row in FIELDS.items():
                _dataset(file, f"{folder}/{field}", row, shape, km)
            size = {"Row": shape[0], "Column": shape[1]}
            for axis, n in size.items():
                where = file.create_group(f"Metadata/GridSpatialRepresentation/{group}/{axis}")
                where.attrs["dimensionSize"] = np.uint32(n)
                where.attrs["resolution"] = np.float32(km)
            bounds = file.create_group(f"Metadata/Extent/{group}")
            bounds.attrs["northBoundLatitude"] = np.float32(85.04450226)
            bounds.attrs["southBoundLatitude"] = np.float32(45.0 if group == "Polar" else -85.04450226)
            bounds.attrs["westBoundLongitude"], bounds.attrs["eastBoundLongitude"] = np.float32(-180), np.float32(180)
        texts = {
            "SeriesIdentification": {"shortName": short, "identifier_product_DOI": DOI[km], "format": "HDF5"},
            "DatasetIdentification": {
                "shortName": short,
                "ECSVersionID": ECS[version],
                "CompositeReleaseID": RELEASE[version],
                "originatorOrganizationName": "frostline twin Earth (simulated, not observed)",
            },
            "ProcessStep": {"epochUTCDateTime": f"{EPOCH}Z", "timeVariableEpoch": "J2000"},
        }
        for where, attrs in texts.items():
            for name, text in attrs.items():
                file.require_group(f"Metadata/{where}").attrs[name] = char(text)
        for where, attrs in _dated(np.datetime64("1972-01-01"), km, version).items():
            for name, text in attrs.items():
                file[where].attrs[name] = char(text)
    return buffer.getvalue()


def _dataset(file: h5py.File, path: str, row: Row, shape: tuple[int, int], km: int) -> None:
    kind, planes, valid, units, long_name = row
    folder, name = path.split("/")
    size, chunk = (shape, (CHUNK, CHUNK)) if planes == 1 else ((2, *shape), (1, CHUNK, CHUNK))
    fill = {} if kind == "S13" else {"fillvalue": np.dtype(kind).type(FILLS[kind])}
    v = file.create_dataset(path, size, kind, chunks=chunk, compression="gzip", compression_opts=DEFLATE, **fill)
    v.attrs["long_name"] = char(long_name.format(km=km) + (PASSES if planes == 2 else ""))
    if units:
        v.attrs["units"] = char(units)
    if name in ("latitude", "longitude"):
        return  # no _FillValue: who decodes by attributes finds -9999 among the degrees (formats.md 1.4)
    v.attrs["coordinates"] = char(f"/{folder}/latitude /{folder}/longitude")
    if kind != "S13":
        v.attrs["_FillValue"] = np.dtype(kind).type(FILLS[kind])
    if valid:
        v.attrs["valid_min"], v.attrs["valid_max"] = (np.dtype(kind).type(limit) for limit in valid)
    form, flags = {
        "tbv_qual_flag": ("Vertical_polarization_{}", TB_FLAGS),
        "tbh_qual_flag": ("Horizontal_polarization_{}", TB_FLAGS),
        "surface_flag": (f"{km}_km_{{}}_flag", GROUND_FLAGS),
        "retrieval_qual_flag": ("{}_flag", OWN_FLAGS),
    }.get(name, ("", ""))
    if meanings := [form.format(flag) for flag in flags.split()]:
        v.attrs["flag_masks"] = char(", ".join(f"{1 << bit}s" for bit in range(len(meanings))))  # one text, not numbers
        v.attrs["flag_meanings"] = char(" ".join(meanings))
