"""A small china system's input files, made with the twin's writers, shared by test_steps_predictors and _networks."""

import numpy as np

from frostline.config import parse
from frostline.grid import named
from frostline.read.imerg import IMERG
from frostline.runs import Run, record_step
from frostline.steps.archives import LISTINGS
from frostline.twin import write_china_sites, write_era5land, write_esdr, write_imerg, write_smap

CENTER, SHAPE = (97.0, 36.0), (6, 6)
GRID = named("M09").around(*CENTER, SHAPE)
HOUR = np.timedelta64(1, "h")
EPOCH = np.datetime64("1970-01-01T00", "h")


def experiment(start, end, *, inputs=(), **tables):
    """The china system of GRID over some days; `inputs` are products below ${RUN}/data."""
    base = {
        "system": "china",
        "title": "test",
        "grid": {"name": "M09", "center": list(CENTER), "shape": list(SHAPE)},
        "period": {"start": start, "end": end},
        "inputs": {"root": "${RUN}/data", **{name: name for name in inputs}},
        "split": {
            "train": [[start, start]],
            "validation": [["2101-01-01", "2101-01-02"]],
            "heldout": [["2102-01-01", "2102-01-02"]],
            "buffer_days": 0,
        },
    }
    return parse(base | {k: base.get(k, {}) | v for k, v in tables.items()})


def run_at(folder, workers=1):
    """A run folder whose twin step counts as done."""
    run = Run(folder, say=lambda text: None, workers=workers, quiet=True)
    record_step(run, "twin", "mark", seconds=0.0, notes={})
    return run


def axes(margin=4):
    """Latitudes (south) and longitudes (east) of 0.1 degree cells around GRID."""
    lon, lat = GRID.lonlat()
    west, north = np.floor(lon.min() * 10) / 10 - margin / 10, np.ceil(lat.max() * 10) / 10 + margin / 10
    columns, rows = round((lon.max() - west) * 10) + margin, round((north - lat.min()) * 10) + margin
    return north - 0.1 * np.arange(rows), west + 0.1 * np.arange(columns)


def write_era5(folder, start, end, temperature, *, rain=None):
    """Monthly ERA5-Land files from `start` to `end` (hours): `temperature(hours since 1970)` K everywhere."""
    hours = np.arange(np.datetime64(start, "h"), np.datetime64(end, "h") + HOUR)
    lat, lon = axes()
    carried = None
    for month in np.unique(hours.astype("datetime64[M]")):
        some = hours[hours.astype("datetime64[M]") == month]
        shape = (len(some), len(lat), len(lon))
        number = some.astype(np.int64).astype(float)
        fields = {
            "stl1": np.broadcast_to(temperature(number)[:, None, None], shape),
            "swvl1": np.full(shape, 0.2),
            "sde": np.full(shape, 0.05),
            "tp": np.broadcast_to((rain or (lambda n: 0 * n))(number)[:, None, None], shape),
        }
        write_era5land.write(folder, times=some, latitude=lat, longitude=lon, fields=fields, carried=carried)
        carried = write_era5land.accumulated(fields["tp"], some, carried)[-1]


def write_smap_day(folder, date, frozen, *, minutes=None):
    """One SMAP file of GRID, its path; `frozen` (2, y, x)."""
    lon = GRID.lonlat()[0]
    if minutes is None:
        minutes = np.stack([(hour - lon / 15.0) % 24.0 * 60.0 for hour in (6.0, 18.0)])
    return write_smap.write(
        folder,
        date=date,
        frozen=frozen,
        minutes=minutes,
        water_fraction=np.full(GRID.shape, 0.1),
        elevation=np.full(GRID.shape, 4200.0),
        terrain_std=np.full(GRID.shape, 120.0),
        land_cover=np.full(GRID.shape, 10),
        mitigated=np.zeros((2, *GRID.shape), bool),
        window=GRID,
    )


def esdr_window():
    """The 25 km cells around GRID."""
    whole = named("ML25")
    return whole.around(*CENTER, (8, 8))


def write_esdr_day(folder, date, frozen, *, half="CO"):
    """One ESDR file, its path; `frozen` (passes, 8, 8) around GRID."""
    window = esdr_window()
    reason, flags = np.full(window.shape, 252), np.zeros(window.shape, np.uint8)
    return write_esdr.write(folder, date=date, half=half, frozen=frozen, reason=reason, flags=flags, window=window)


def write_imerg_half_hour(folder, start, metres):
    """One IMERG file with the same amount everywhere around GRID."""
    window = IMERG.around(*CENTER, (30, 30))
    return write_imerg.write(folder, start=start, metres=np.full(window.shape, metres), window=window)


def write_stations(folder, dates, lon, lat, minimum, maximum):
    """CMA files of stations at the given places; `minimum`, `maximum` (date, station) K."""
    write_china_sites.write_cma(
        folder,
        stations=[52000 + k for k in range(len(lon))],
        lon=np.asarray(lon),
        lat=np.asarray(lat),
        elevation=np.full(len(lon), 4200.0),
        dates=dates,
        minimum=minimum,
        maximum=maximum,
    )


def ramp(hours):
    """K that rise by 0.01 an hour from 270 at 2016-01-01 00 UTC."""
    return 270.0 + 0.01 * (hours - float((np.datetime64("2016-01-01T00") - EPOCH) / HOUR))


def by_clock(hours):
    """m of rain in the hour that ends at a clock hour: 1e-4 times it, 24 for midnight."""
    clock = hours % 24
    return 1e-4 * np.where(clock == 0, 24, clock)


def rows_of(product, folder):
    return [(str(f.path), str(f.date), f.overpass, f.channel) for f in LISTINGS[product](folder)]
