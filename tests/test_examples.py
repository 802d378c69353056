import tomllib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from frostline import store
from frostline.cli import execute, open_run
from frostline.config import parse, read_experiment
from frostline.errors import InputError
from frostline.grid import Grid
from frostline.read.gldas import GLDAS, list_gldas, load_gldas
from frostline.report import toml
from frostline.runs import read_json
from frostline.schema import QUALITY
from frostline.steps.outlook import outlook

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
REAL, NORTH = EXAMPLES / "real_gldas_2015.toml", EXAMPLES / "north_2016_2020.toml"
FOLDER = "gldas_noah_tuwgeo"
Overpass = tuple[str, int]
# By hand: files at 00, 03 ... 21 UTC of 1 January hold 0 <= UTC <= 21; UTC = local - lon/15 (+24 h on 2 January, -24 h
# on 31 December). 06 h on the 1st: 6 - lon/15 <= 21 for all lon, >= 0 for lon <= 90. 18 h on the 1st: <= 21 for
# lon >= -45. 18 h on 31 December: -6 - lon/15 >= 0 for lon <= -90. 06 h on the 2nd: 30 - lon/15 <= 21 for lon >= 135.
COVERED: dict[Overpass, tuple[float, float] | None] = {
    ("2014-12-31", 0): None,
    ("2014-12-31", 1): (-180, -90),
    ("2015-01-01", 0): (-180, 90),
    ("2015-01-01", 1): (-45, 180),
    ("2015-01-02", 0): (135, 180),
    ("2015-01-02", 1): None,
}


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.toml")), ids=lambda p: p.stem)
def test_every_example_parses_and_is_repeated_by_its_report(path: Path) -> None:
    experiment = read_experiment(path)
    assert parse(tomllib.loads(toml(experiment.model_dump(by_alias=True, exclude_none=True)))) == experiment


def test_without_a_data_root_one_line_names_the_sources(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("FROSTLINE_DATA", raising=False)
    with pytest.raises(InputError, match=r"FROSTLINE_DATA is not set.*gldas_noah_tuwgeo \(NASA GES DISC") as told:
        execute(REAL, [], (), tmp_path, 1, True, False)
    assert told.value.exit == 3 and "\n" not in str(told.value)


def test_an_empty_archive_is_told_in_one_line_that_names_all_that_is_missing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("FROSTLINE_DATA", str(tmp_path))
    overrides = ("grid.center=[-150.0, 65.0]", "grid.shape=[64, 64]", "split.heldout_boxes=[[0.0, 0.75, 1.0, 1.0]]")
    experiment = read_experiment(NORTH, overrides)
    run = open_run(NORTH, tmp_path / "run", 1, True)
    with pytest.raises(InputError) as absent:
        outlook(experiment, run)
    for product in ("smap", "amsr2", "era5", "dem", "landcover", "ismn"):
        assert f"inputs.{product}" in str(absent.value)
        (tmp_path / str(getattr(experiment.inputs, product))).mkdir()
    with pytest.raises(InputError, match=r"no usable smap file for 2016-01-01\.\.2020-12-31.*no usable ismn") as empty:
        outlook(experiment, run)
    for told in (absent.value, empty.value):
        assert told.exit == 3 and "\n" not in str(told)


def test_the_paper_settings() -> None:
    experiment = read_experiment(NORTH)
    assert experiment.train is not None and experiment.split is not None
    assert (experiment.grid.name, experiment.grid.shape) == ("N09", None)
    assert (experiment.train.width, experiment.train.depth, experiment.train.dropout) == (32, 4, 0.2)
    assert (experiment.train.batch, experiment.train.learning_rate, experiment.train.weight_decay) == (4, 1e-3, 1e-2)
    assert experiment.train.lambda_variation == 0.1 and len(experiment.train.inputs) == 6


@pytest.fixture(scope="module")
def made(real_data: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The real example on the 36 km northern grid instead of the 9 km one: the run's folder."""
    root = real_data(FOLDER).parent
    real_data("smap_l3_ft_nasa_harmony")
    folder = tmp_path_factory.mktemp("real")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FROSTLINE_DATA", str(root))
        assert execute(REAL, [], ("grid.name=N36",), folder, 1, True, False) == 0
    return folder


@pytest.fixture(scope="module")
def hours(real_data: Callable[[str], Path]) -> tuple[np.ndarray, np.ndarray]:
    """Hours after 00 UTC of 1 January 2015, and GLDAS soil temperature (hour, y, x), straight from the files."""
    files = [p for p, when in list_gldas(real_data(FOLDER)) if when < np.datetime64("2015-01-02")]
    read = [load_gldas(p) for p in files]
    since = [(when - np.datetime64("2015-01-01")) / np.timedelta64(1, "h") for when, _ in read]
    return np.array(since), np.stack([fields["soil_temperature"] for _, fields in read])


def land_of(record: xr.Dataset) -> np.ndarray:
    return (record["quality"].values[0, 0] & QUALITY["outside_domain"]) == 0


def sector(lon: np.ndarray, at: Overpass) -> np.ndarray:
    bounds = COVERED[at]
    return np.zeros(lon.shape, bool) if bounds is None else (lon >= bounds[0]) & (lon <= bounds[1])


@pytest.mark.real
@pytest.mark.slow
@pytest.mark.parametrize("name", ["record_reanalysis.zarr", "record_M36.zarr"])
def test_cells_are_known_where_their_local_hour_lies_in_the_files(made: Path, name: str) -> None:
    record = store.open_store(made / name)
    assert record["time"].values.astype("datetime64[D]").astype(str).tolist() == [
        "2014-12-31",
        "2015-01-01",
        "2015-01-02",
    ]
    lon, land = Grid.of(record).lonlat()[0], land_of(record)
    for at in COVERED:
        known = np.isfinite(record["frozen"].sel(time=at[0]).values[at[1]])
        inside = sector(lon, at) & land
        assert not (known & ~inside).any()  # nothing wrapped, nothing from another day
        assert known.sum() >= 0.985 * inside.sum()  # the rest: shores where too little of the cell has a value
    # 2 January 06 h and 31 December 18 h meet at the date line, each on its own side
    near = (np.abs(lon) > 179.0) & land
    morning = np.isfinite(record["frozen"].sel(time="2015-01-02").values[0])
    evening = np.isfinite(record["frozen"].sel(time="2014-12-31").values[1])
    assert (morning & near & (lon > 0)).any() and (evening & near & (lon < 0)).any()


@pytest.mark.real
@pytest.mark.slow
@pytest.mark.parametrize("name", ["record_reanalysis.zarr", "record_M36.zarr"])
def test_states_agree_with_the_nearest_cells_of_the_files(
    made: Path, hours: tuple[np.ndarray, np.ndarray], name: str
) -> None:
    record = store.open_store(made / name)
    lon, lat = Grid.of(record).lonlat()
    row, col = GLDAS.locate(lon, lat)
    since, kelvin = hours
    for (day, code), bounds in COVERED.items():
        if bounds is None:
            continue
        date = (np.datetime64(day) - np.datetime64("2015-01-01")).astype(int)
        when = (6.0, 18.0)[code] - lon / 15.0 + 24.0 * date
        before = np.clip(np.searchsorted(since, when, "right") - 1, 0, len(since) - 2)
        part = (when - since[before]) / 3.0
        nearest = kelvin[before, row, col] * (1 - part) + kelvin[before + 1, row, col] * part
        frozen = record["frozen"].sel(time=day).values[code]
        both = np.isfinite(frozen) & np.isfinite(nearest) & (row >= 0)
        assert both.sum() > 0.98 * np.isfinite(frozen).sum()
        assert ((nearest < 273.15) == (frozen > 0.5))[both].mean() > 0.97


@pytest.mark.real
@pytest.mark.slow
def test_places_that_are_known(made: Path) -> None:
    record, stack = store.open_store(made / "record_reanalysis.zarr"), store.open_store(made / "stack.zarr")
    grid = Grid.of(record)

    def at(lon: float, lat: float) -> dict[str, int]:
        row, col = grid.locate(lon, lat)
        return {"y": int(row), "x": int(col)}

    # PROVENANCE of the files: Vienna 268.0 K at 06 and 271.2 K at 18 UTC; both halves of the 1st are known there
    vienna = record["frozen"].isel(at(16.37, 48.21)).values
    np.testing.assert_array_equal(vienna, [[np.nan, np.nan], [1, 1], [np.nan, np.nan]])
    kelvin = stack["soil_temperature"].isel(at(16.37, 48.21)).sel(time="2015-01-01").values
    assert kelvin == pytest.approx([268.0, 270.9], abs=0.6)  # 36 km around the city, at 4.9 and 16.9 UTC
    assert record["frozen"].isel(at(31.2, 29.0)).sel(time="2015-01-01").values.tolist() == [0, 0]  # the Nile
    assert stack["elevation"].isel(at(91.1, 30.5)) > 4000 and 100 < stack["elevation"].isel(at(16.37, 48.21)) < 400
    land = stack["land"].values == 1
    assert not land[~grid.north].any() and 0.35 < land.sum() / grid.north.sum() < 0.42  # 39 % of the hemisphere
    assert stack["elevation"].values[~land].min() > -500 and stack["elevation"].values.max() < 6500


@pytest.mark.real
@pytest.mark.slow
def test_what_comes_out(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (made / "report.html").read_text(encoding="utf-8")
    assert "No scores: the record is the reanalysis itself" in page and "undated" in page
    assert not (made / "scores.json").exists() and "twin Earth" not in page
    wanted = {"study_area", "probability_reanalysis", "probability_M36", "smap_beside"}
    assert {p.stem for p in (made / "figures").iterdir()} == wanted
    assert page.count("<figure>") == len(wanted)
    years = {f"{name}_{year}.nc" for name in ("reanalysis", "M36") for year in (2014, 2015)}
    assert years <= {p.name for p in (made / "export").iterdir()}
    assert len(list((made / "export").glob("*_20150101_*_freeze_thaw.tif"))) == 4
    with xr.open_dataset(made / "export" / "reanalysis_2014.nc", engine="h5netcdf") as one:
        known = (one["freeze_thaw"].values < 2).any(axis=(2, 3))
    assert known.tolist() == [[False, True]]  # 31 December: the evening only
    monkeypatch.setenv("FROSTLINE_DATA", str(Path(read_json(made / "inventory.json")["gldas"]["place"]).parent))
    before = (made / "report.html").stat().st_mtime_ns
    assert execute(REAL, [], ("grid.name=N36",), made, 1, True, False) == 0
    assert (made / "report.html").stat().st_mtime_ns == before  # nothing changed, nothing ran


@pytest.mark.real
@pytest.mark.slow
def test_the_whole_northern_grid(
    real_data: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("FROSTLINE_DATA", str(real_data(FOLDER).parent))
    real_data("smap_l3_ft_nasa_harmony")
    assert execute(REAL, ["twin", "read", "assemble"], (), tmp_path, 1, True, False) == 0
    stack = store.open_store(tmp_path / "stack.zarr")
    assert stack["label_reanalysis"].shape == (3, 2, 2000, 2000)
    lon, land = Grid.of(stack).lonlat()[0], stack["land"].values == 1
    shares = {}
    for day, code in COVERED:
        known = np.isfinite(stack["label_reanalysis"].sel(time=day).values[code])
        assert not (known & ~sector(lon, (day, code))).any()
        shares[day, code] = (known & land).sum() / land.sum()
    # of the land north of the equator, by the mask and the sectors alone: 15.2, 77.5, 74.2 and 3.5 %
    expected = {("2014-12-31", 1): 0.152, ("2015-01-01", 0): 0.775, ("2015-01-01", 1): 0.742, ("2015-01-02", 0): 0.035}
    assert shares == pytest.approx({at: expected.get(at, 0.0) for at in COVERED}, abs=0.007)
