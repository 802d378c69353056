"""What the records of a run were made from, by the experiment alone."""

from emulator_run import experiment
from frostline.steps import shelf


def test_what_a_record_was_made_from():
    table = {"assemble": {"precipitation": [["1950-01-01", "era5land"], ["2000-06-01", "imerg"]]}}
    assert shelf.made_of(experiment(), "convlstm_smap") == ["smap", "SMAP brightness", "ERA5", "reanalysis"]
    assert shelf.made_of(experiment(**table), "convlstm_smap")[-1] == "IMERG"
    plain = experiment(fuse={"weights": "equal", "temperature": False, "compare": ["ctc", "literal3"]})
    assert "training stations" not in shelf.made_of(plain, "fused")
    assert "training stations" in shelf.made_of(plain, "fused_ctc")  # they were collocated
    compared = experiment(fuse={"compare": ["literal3", "maxconf", "ctc"]})
    assert shelf.made_of(compared, "fused")[-1] == "training stations"
    assert "training stations" not in shelf.made_of(compared, "fused_literal3")
