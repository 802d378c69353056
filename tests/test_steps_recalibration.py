"""Stations that know one class only: what cannot be fitted is left out with its reason, or refused in one line."""

import pytest

from emulator_run import experiment, make_run, write_record
from frostline import store
from frostline.errors import InputError
from frostline.runs import read_json
from frostline.steps import fusion, shelf
from frostline.steps.common import load, save

pytestmark = pytest.mark.slow

NETS = ("convlstm_smap", "convlstm_esdr")


def test_stations_without_a_frozen_evening_fit_nothing_and_are_told(tmp_path, capsys):
    one = experiment(fuse={"weights": "equal", "temperature": False, "compare": ["ctc"]})
    run = make_run(tmp_path / "run", one)
    truth = store.open_store(run.path("truth.zarr"))["truth"].values
    for name in (*NETS, "recalibrated"):
        write_record(run, one, name, truth)
    sites = load(run.path("sites.nc"))
    sites["frozen"].loc[{"overpass": 1}] = 0.0
    save(run.path("sites.nc"), sites)
    fusion.fuse(one, run)
    fitted = read_json(run.path("fusion.json"))
    assert "0 frozen and" in fitted["recalibrated"]["skipped"]
    assert "no recalibrated reanalysis: E-INPUT-EMPTY" in capsys.readouterr().err
    assert "recalibrated" not in shelf.records(one, run)  # nor what an earlier run left
    said = r"E-INPUT-EMPTY  fuse, pm: 0 frozen and \d+ thawed .*weights = \"equal\""
    with pytest.raises(InputError, match=said) as no:
        fusion.fuse(experiment(fuse={"compare": []}), run)
    assert "\n" not in str(no.value)


def test_collocation_of_too_few_records_says_why_there_is_none(tmp_path, capsys):
    one = experiment(fuse={"members": ["convlstm_smap"], "weights": "equal", "temperature": False, "compare": ["ctc"]})
    run = make_run(tmp_path / "run", one)
    write_record(run, one, "convlstm_smap", store.open_store(run.path("truth.zarr"))["truth"].values)
    run.path("sites.nc").unlink()
    fusion.fuse(one, run)
    assert "2 products cannot be collocated" in read_json(run.path("fusion.json"))["ctc"]["skipped"]
    told = capsys.readouterr().err
    assert "fused by collocation: E-INPUT-SCHEMA" in told and "No record is made" in told
