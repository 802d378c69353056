import numpy as np
import pytest

from china_files import GRID, experiment, run_at, write_stations
from frostline.errors import InputError
from frostline.read.series import Series
from frostline.runs import read_json
from frostline.steps import archives, networks
from frostline.steps.refusals import refuser
from frostline.twin import write_china_sites

DATES = np.arange("2016-01-01", "2016-01-05", dtype="datetime64[D]")


def series(site, statistic, celsius, *, lon=97.0, lat=36.0, dates=DATES):
    kelvin = np.asarray(celsius, np.float32) + np.float32(273.15)
    times = dates.astype("datetime64[ns]")
    return Series(site, "CMA", lon, lat, 4000.0, 0.0, times, kelvin, f"daily-{statistic}", True)


def built(folder, **tables):
    """Sites of what lies below `folder`/data, with what was refused and warned of."""
    inputs = tuple(sorted(p.name for p in (folder / "data").iterdir()))
    trial, run = experiment("2016-01-01", "2016-01-04", inputs=inputs, **tables), run_at(folder)
    archives.read(trial, run)
    inventory = read_json(run.path("inventory.json"))
    return networks.sites_of(trial, inventory, GRID, DATES.astype("datetime64[ns]"), run, refuser(inventory, run))


def test_the_morning_is_the_minimum_of_a_date_and_the_afternoon_its_maximum():
    some = [
        series("a", "min", [-5, -1, 1, -2]),
        series("a", "max", [-1, 3, 8, 0], dates=DATES),
        series("a", "mean", [0, 0, 0, 0]),
        series("b", "min", [-3.0], dates=DATES[2:3]),
        series("far", "min", [-3, -3, -3, -3], lon=10.0),
    ]
    ds = networks.daily_extremes(some, GRID, dates=DATES, threshold=273.15, rule="extremes")
    assert ds["site"].values.tolist() == ["a", "b"] and ds.attrs["sites_outside_grid"] == 1
    assert ds["frozen"].values[:, 0, 0].tolist() == [1, 1, 0, 1]
    assert ds["frozen"].values[:, 1, 0].tolist() == [1, 0, 0, 0]  # 0 degC itself is thawed
    assert np.isnan(ds["frozen"].values[[0, 1, 3], 0, 1]).all() and np.isnan(ds["frozen"].values[:, 1, 1]).all()
    np.testing.assert_allclose(ds["soil_temperature"].values[0, :, 0], [268.15, 272.15], atol=1e-4)


def test_the_soil_swings_less_than_the_surface_and_later():
    some = [series("a", "min", [-5, -5, -1, -2]), series("a", "max", [-1, 3, 8, 2]), series("b", "min", [-3.0] * 4)]
    ds = networks.daily_extremes(some, GRID, dates=DATES, threshold=273.15)
    # by hand, .544 of the half range: -3 -+ 1.09, -1 -+ 2.18, 3.5 -+ 2.45, 0 -+ 1.09
    kelvin = [[-4.09, -1.91], [-3.18, 1.18], [1.05, 5.95], [-1.09, 1.09]]
    np.testing.assert_allclose(ds["soil_temperature"].values[..., 0] - 273.15, kelvin, atol=0.01)
    assert ds["frozen"].values[..., 0].tolist() == [[1, 1], [1, 0], [0, 0], [1, 0]]
    assert np.isnan(ds["frozen"].values[..., 1]).all()  # half of what it takes


def write_network(folder, name, *, depth=0.05, celsius=-2.0):
    hours = np.arange("2015-12-31T00", "2016-01-06T00", 3, dtype="datetime64[h]")
    kelvin = np.full((len(hours), 2), 273.15 + celsius)
    lon, lat = (v[3, 2:4] for v in GRID.lonlat())
    common = {"lon": lon, "lat": lat, "elevation": [4000.0, 4100.0], "times": hours, "kelvin": kelvin, "depth": depth}
    if folder.name == "ctp":
        return write_china_sites.write_ctp(folder / "naqu", network="NQ", sites=["n1", "n2"], **common)
    return write_china_sites.write_folder(folder / name, sites=["m1", "m2"], **common)


def test_networks_stand_beside_the_stations_with_roles_of_their_own(tmp_path):
    lon, lat = (v.ravel() for v in GRID.lonlat())
    shape = (len(DATES), lon.size)
    write_stations(tmp_path / "data" / "cma", DATES, lon, lat, np.full(shape, 268.0), np.full(shape, 275.0))
    write_network(tmp_path / "data" / "ctp", "")
    write_network(tmp_path / "data" / "networks", "Maqu", celsius=1.0)
    ds = built(tmp_path)
    assert ds["overpass"].values.tolist() == [0, 1] and "minimum" in ds.attrs["overpass_rule"]
    assert sorted(set(ds["network"].values)) == ["CMA", "Maqu", "Naqu"]
    role, network = ds["role"].values, ds["network"].values
    assert (role[network != "CMA"] == "network").all() and set(role[network == "CMA"]) == {"train", "heldout", "buffer"}
    cell = np.stack(GRID.locate(ds["lon"].values, ds["lat"].values))
    nodes, beside = cell[:, network != "CMA"].T.tolist(), cell[:, role == "buffer"].T.tolist()
    assert all(c in nodes for c in beside) and not any(c in nodes for c in cell[:, role == "train"].T.tolist())
    assert 3 <= (role == "heldout").sum() <= 16  # a quarter of 36, drawn
    frozen = ds["frozen"].mean("time").values
    assert (frozen[:, network == "CMA"] == [[1], [0]]).all()
    assert (frozen[:, network == "Naqu"] == 1).all() and (frozen[:, network == "Maqu"] == 0).all()


def test_a_station_keeps_its_role_when_others_come_and_all_or_none_are_held_out_as_asked(tmp_path):
    lon, lat = (v.ravel() for v in GRID.lonlat())
    shape = (len(DATES), lon.size)
    cold, warm = np.full(shape, 268.0), np.full(shape, 275.0)
    for name, keep in (("all", slice(None)), ("some", slice(None, None, 3))):
        place = tmp_path / name / "data" / "cma"
        write_stations(place, DATES, lon[keep], lat[keep], cold[:, keep], warm[:, keep])
    every, some = built(tmp_path / "all"), built(tmp_path / "some")
    assert every["role"].values[::3].tolist() == some["role"].values.tolist()
    for share, role in ((0.0, "train"), (1.0, "heldout")):
        one = built(tmp_path / "some", split={"heldout_stations": share})
        assert (one["role"] == role).all()


def test_sensors_below_the_deepest_are_left_out(tmp_path):
    write_network(tmp_path / "data" / "networks", "Maqu", depth=0.05)
    write_network(tmp_path / "data" / "networks", "Deep", depth=0.10)
    assert set(built(tmp_path)["network"].values) == {"Maqu"}
    assert set(built(tmp_path, assemble={"max_depth": 0.2})["network"].values) == {"Maqu", "Deep"}


def test_without_stations_there_are_no_sites(tmp_path):
    trial, run = experiment("2016-01-01", "2016-01-04"), run_at(tmp_path)
    assert networks.sites_of(trial, {}, GRID, DATES.astype("datetime64[ns]"), run, refuser({}, run)) is None


def test_a_folder_that_cannot_be_used_is_told_and_the_others_stay(tmp_path, capsys):
    write_network(tmp_path / "data" / "networks", "Maqu")
    table = tmp_path / "data" / "networks" / "Bad" / "sites.csv"
    table.parent.mkdir()
    table.write_text("name,where\na,b\n")
    assert set(built(tmp_path)["network"].values) == {"Maqu"}
    assert "lacks the columns site, lon, lat" in capsys.readouterr().err


def test_many_remarks_are_one_line(tmp_path, capsys):
    lon, lat = (v.ravel() for v in GRID.lonlat())
    shape = (len(DATES), lon.size)
    folder = tmp_path / "data" / "cma"
    write_stations(folder, DATES, lon, lat, np.full(shape, 268.0), np.full(shape, 275.0))
    (path,) = folder.iterdir()
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(one.replace(" 0 0 0\n", " 0 2 0\n") if "2016  1  1 " in one else one for one in lines))
    built(tmp_path)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1 and "35 more such lines of cma stations" in lines[0]


def test_errors_are_input_errors_of_one_line(tmp_path):
    (tmp_path / "data" / "cma").mkdir(parents=True)
    with pytest.raises(InputError, match="E-INPUT-EMPTY") as caught:
        built(tmp_path)
    assert "\n" not in str(caught.value)
