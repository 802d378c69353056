"""The command line: quick to answer, one line for what is wrong, exit codes as promised."""

import subprocess
import sys

import pytest

from frostline import cli
from frostline.cli import VERBS, main
from frostline.config import ConfigError
from frostline.errors import DiskError, InputError, Interrupted
from frostline.steps.order import STEPS
from twin_run import BRIEF, brief, copied, shared, toml  # noqa: F401

HEAVY = ("torch", "xarray", "zarr", "numpy", "pandas", "h5py", "matplotlib", "numba", "rasterio", "pydantic")


@pytest.fixture
def frostline(capsys):
    """`frostline("read", ...)` -> exit code, stdout, stderr."""

    def call(*words):
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            main([str(word) for word in words])
        out = capsys.readouterr()
        return end.value.code, out.out, out.err

    return call


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["train", "--help"], ["extract", "--help"]], ids=" ".join)
def test_help_needs_no_heavy_library(words):
    """`--help` in less than 0.8 s: what takes seconds to load is not loaded (time itself depends on the machine)."""
    code = (
        "import sys\n"
        "from frostline.cli import main\n"
        "try:\n    main(sys.argv[1:])\n"
        "finally:\n"
        f"    print('LOADED', *[m for m in {HEAVY!r} if m in sys.modules])\n"
    )
    got = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, timeout=60)
    assert got.returncode == 0, got.stderr
    assert got.stdout.splitlines()[-1].split() == ["LOADED"]


def test_scoring_drawing_and_planning_need_no_torch():
    code = (
        "import sys, frostline.steps, frostline.steps.outlook, frostline.report\n"
        "print('torch' in sys.modules, 'rasterio' in sys.modules and False)"
    )
    got = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert got.stdout.split()[0] == "False", got.stderr


def test_help_lists_every_verb(frostline):
    code, out, _ = frostline("--help")
    assert code == 0
    for verb in (*VERBS, "all", "demo", "plan", "extract"):
        assert f" {verb} " in out
    for steps in STEPS.values():  # every system takes the verbs in their order
        assert [v for v in VERBS if v in steps] == list(steps)
    assert set(VERBS) == set().union(*STEPS.values())


def test_usage_that_cannot_be_is_exit_2(frostline, tmp_path):
    for words in (["nonsense"], ["read"], ["read", "x.toml", "--bogus"], ["read", "x.toml", "--workers", "0"]):
        assert frostline(*words)[0] == 2, words
    code, _, err = frostline("read", tmp_path / "nothing.toml")
    assert code == 2
    assert err == f"E-CONFIG  {tmp_path / 'nothing.toml'}: no such experiment file.\n"


def test_an_unknown_key_is_one_line_that_lists_all(frostline, tmp_path):
    file = toml(tmp_path / "x.toml")
    code, out, err = frostline("all", file, "--set", "train.epoch=3", "--set", "grid.nmae=N09", "--run", tmp_path / "r")
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert "train.epoch: no such key; " in err or "; train.epoch: no such key" in err
    assert "grid.nmae: no such key" in err
    assert not (tmp_path / "r").exists()  # nothing was begun


def test_set_changes_what_the_file_says(frostline, brief, tmp_path):  # noqa: F811
    run, file = copied(brief, tmp_path / "run"), toml(tmp_path / "x.toml", **BRIEF)
    code, out, _ = frostline("read", file, "--run", run)
    assert (code, out.split()[:2]) == (0, ["read", "unchanged"])
    code, out, _ = frostline("assemble", file, "--run", run, "--set", "labels.threshold=272.0")
    assert (code, out.split()[0]) == (0, "assemble")
    assert "unchanged" not in out
    code, _, err = frostline("predict", file, "--run", run)  # what it stands on has other settings now
    assert code == 3
    assert err == f"E-STEP  {run}: step 'assemble' ran with other settings or inputs. Run: frostline assemble.\n"


def test_force_runs_again_from_nothing(frostline, brief, tmp_path):  # noqa: F811
    run, file = copied(brief, tmp_path / "run"), toml(tmp_path / "x.toml", **BRIEF)
    assert "unchanged" in frostline("assemble", file, "--run", run)[1]
    _, out, _ = frostline("assemble", file, "--run", run, "--force")
    assert "kept 0" in out


def test_quiet_says_only_what_is_wrong(frostline, brief, tmp_path):  # noqa: F811
    run, file = copied(brief, tmp_path / "run"), toml(tmp_path / "x.toml", **BRIEF)
    for path in (run / "data" / "amsr2").glob("*_20160510_*"):
        path.unlink()
    code, out, err = frostline("read", file, "--run", run, "--quiet")
    assert (code, out) == (0, "")
    assert err.strip().startswith("E-INPUT-MISSING")


def test_runs_lie_where_they_are_asked_to(frostline, monkeypatch, tmp_path):
    monkeypatch.setenv("FROSTLINE_RUNS", str(tmp_path / "elsewhere"))
    file = toml(tmp_path / "mine.toml", **BRIEF)
    assert frostline("plan", file)[0] == 0
    assert (tmp_path / "elsewhere" / "mine").is_dir()


def test_plan_says_what_is_there_and_what_would_be_done(frostline, brief, tmp_path):  # noqa: F811
    run, file = copied(brief, tmp_path / "run"), toml(tmp_path / "x.toml", **BRIEF)
    before = sorted(p.relative_to(run) for p in run.rglob("*"))
    code, out, err = frostline("plan", file, "--run", run)
    assert (code, err) == (0, "")
    assert "N09 16 x 16, 3 days" in out
    for step, state in (
        ("twin", "done"),
        ("read", "done"),
        ("assemble", "done"),
        ("predict", "to do"),
        ("export", "to do"),
    ):
        assert f"step      {step}: {state}" in out
    assert "input     smap: 10 files" in out
    assert sorted(p.relative_to(run) for p in run.rglob("*")) == before  # it only looks
    _, out, _ = frostline("plan", file, "--run", run, "--set", "labels.threshold=270.0")
    assert "step      read: done" in out
    assert "step      assemble: to do again" in out


def test_plan_refuses_what_is_missing(frostline, tmp_path, monkeypatch):
    file = toml(tmp_path / "x.toml", **(BRIEF | {"twin": None, "inputs.root": str(tmp_path / "archive")}))
    code, _, err = frostline("plan", file, "--run", tmp_path / "r")
    assert code == 3
    assert err.count("\n") == 1
    assert err.startswith("E-INPUT-MISSING")
    assert "inputs.smap" in err
    assert "inputs.uscrn" in err  # all that is missing at once
    monkeypatch.delenv("NO_SUCH_ROOT", raising=False)
    file = toml(tmp_path / "y.toml", **(BRIEF | {"twin": None, "inputs.root": "${NO_SUCH_ROOT}"}))
    code, _, err = frostline("plan", file, "--run", tmp_path / "r")
    assert code == 3
    assert "the environment variable NO_SUCH_ROOT is not set" in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigError("E-CONFIG", cause="a"), 2),
        (InputError("E-INPUT-HTML", cause="a"), 3),
        (DiskError("E-DISK", cause="a"), 6),
        (MemoryError(), 6),
        (Interrupted("E-INTERRUPTED", cause="a"), 75),
        (KeyboardInterrupt(), 75),
    ],
    ids=lambda v: type(v).__name__ if not isinstance(v, int) else "",
)
def test_exit_codes(frostline, monkeypatch, tmp_path, error, code):
    def fail(*_):
        raise error

    monkeypatch.setattr(cli, "execute", fail)
    got, _, err = frostline("read", tmp_path / "x.toml")
    assert got == code
    assert err.count("\n") == 1
    assert err.startswith("E-")


def test_a_bug_keeps_its_traceback(monkeypatch, tmp_path):
    def fail(*_):
        raise ZeroDivisionError

    monkeypatch.setattr(cli, "execute", fail)
    with pytest.raises(ZeroDivisionError):
        main(["read", str(tmp_path / "x.toml")])
