"""Work beside each other: shares of the threads, the order of the answers, what a training tells."""

import os

import pytest

from frostline.runs import Run
from frostline.steps.beside import beside, teller

pytestmark = pytest.mark.slow


def work(experiment, folder, name, share, quiet):
    if name == experiment:
        raise ValueError(f"{name} in {folder.name}")
    return share, quiet, os.getpid()


@pytest.mark.parametrize(("workers", "share"), [(1, 1), (2, 1), (4, 2)])
def test_each_name_gets_its_share_of_the_threads(tmp_path, workers, share):
    done = beside(work, "none", Run(tmp_path, workers=workers, quiet=True), ["b", "a"])
    assert list(done) == ["b", "a"]
    assert {answer[:2] for answer in done.values()} == {(share, True)}
    own = {answer[2] == os.getpid() for answer in done.values()}
    assert own == {workers == 1}  # one worker is this process


def test_nothing_to_do_and_what_fails(tmp_path):
    run = Run(tmp_path, workers=2)
    assert beside(work, "none", run, []) == {}
    with pytest.raises(ValueError, match=f"b in {tmp_path.name}"):
        beside(work, "b", run, ["a", "b"])


def test_an_epoch_is_told_unless_the_run_is_quiet(tmp_path):
    said = []
    row = {"epoch": 2, "epochs": 10, "loss": 0.25, "mcc": None, "samples_per_second": 339.6}
    teller(Run(tmp_path, say=said.append), "convlstm_smap_am")(row)
    teller(Run(tmp_path, say=said.append, quiet=True), "convlstm_smap_am")(row)
    assert said == ["  convlstm_smap_am epoch 2/10: loss 0.2500, MCC -, 340 samples/s"]
