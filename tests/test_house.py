"""The house's rules that a tool can check: length, depth, docstrings, no pickles, no machine's own paths."""

import ast
import os
import re
import subprocess
from pathlib import Path

import pytest

from conftest import REPOSITORY
from frostline.config import read_experiment

SOURCE = REPOSITORY / "src" / "frostline"
MODULES = sorted(SOURCE.rglob("*.py"))
PYTHON = sorted([*MODULES, *(p for d in ("tests", "tools", "benchmarks") for p in (REPOSITORY / d).rglob("*.py"))])
MAX_LINES = 300
PAGE = 60  # lines of a decision record


def name(path):
    return str(path.relative_to(REPOSITORY))


def committed():
    """Text files that are, or would be, committed."""
    try:
        out = subprocess.run(
            ["git", "-C", str(REPOSITORY), "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
            capture_output=True, check=True, timeout=60,
        ).stdout.decode()  # fmt: skip
        paths = [REPOSITORY / p for p in out.split("\0") if p]
    except (OSError, subprocess.SubprocessError):  # an unpacked archive knows no git
        hidden = re.compile(r"/\.(?!ci/)|__pycache__|/runs/|/build/|/dist/|\.egg-info")
        paths = [p for p in REPOSITORY.rglob("*") if p.is_file() and not hidden.search(f"/{name(p)}")]
    binary = {".npz", ".png", ".nc", ".h5", ".tif", ".zip", ".parquet", ".pyc", ".grb"}
    return sorted(p for p in paths if p.is_file() and p.suffix not in binary)


@pytest.mark.parametrize("path", PYTHON, ids=name)
def test_no_file_is_longer_than_one_can_hold_in_mind(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MAX_LINES


def test_folders_are_two_levels_deep_and_none_is_empty():
    for path in SOURCE.rglob("*"):
        if "__pycache__" in path.parts:
            continue
        depth = len(path.relative_to(SOURCE).parts)
        assert depth <= (1 if path.is_dir() else 2), name(path)
        if path.is_dir():
            assert any(p.suffix != ".pyc" for p in path.iterdir() if p.name != "__pycache__"), name(path)


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_every_module_says_what_it_is_for(path):
    text = path.read_text(encoding="utf-8")
    doc = ast.get_docstring(ast.parse(text))
    assert doc or not text.strip(), "no module docstring"  # an empty __init__ has nothing to say
    if doc:
        first = doc.split("\n\n")[0]
        assert len(first) <= 240, "not in one breath"
        assert first.rstrip()[-1] in ".:", "not a sentence"


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_nothing_of_a_stranger_is_run(path):
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [a.name for a in node.names] + [getattr(node, "module", None) or ""]
            assert not {"pickle", "cPickle", "dill", "joblib", "marshal", "shelve"} & {n.split(".")[0] for n in names}
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            assert called not in ("torch.load", "torch.hub.load", "eval", "exec", "os.system", "yaml.load")
            for keyword in node.keywords:
                true = isinstance(keyword.value, ast.Constant) and keyword.value.value is True
                assert not (keyword.arg in ("allow_pickle", "shell") and true), f"{called}({keyword.arg}=True)"


def test_no_file_names_a_path_of_this_machine():
    here = {str(REPOSITORY), str(REPOSITORY.parent) + os.sep, str(Path.home()) + os.sep}
    here |= {os.sep + part + os.sep for part in ("work", "root", "tmp")}  # where it was first made
    here -= {os.sep, os.sep * 2}
    found = []
    for path in committed():
        text = path.read_text(encoding="utf-8", errors="replace")
        # a path begins where no other path or address goes on
        found += [f"{name(path)}: {p}" for p in here if re.search(rf"(?<![\w./~}}$-]){re.escape(p)}", text)]
    assert not found


def test_no_file_is_left_over_or_large():
    for path in committed():
        assert path.suffix not in (".orig", ".rej", ".bak", ".tmp", ".part"), name(path)
        assert path.stat().st_size < 1_000_000, name(path)


@pytest.mark.parametrize("path", sorted((REPOSITORY / "examples").glob("*.toml")), ids=name)
def test_every_example_is_an_experiment(path):
    experiment = read_experiment(path)
    assert experiment.title
    assert path.read_text(encoding="utf-8").startswith("#"), "an example begins by saying what it is"


@pytest.mark.parametrize("path", sorted((REPOSITORY / "docs" / "decisions").glob("*.md")), ids=name)
def test_a_decision_is_one_page_with_context_and_consequences(path):
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= PAGE
    assert re.match(r"\d{4}-", path.name)
    assert text.startswith("# ")
    for part in ("Context", "Decision", "Consequences"):
        assert part in text, part


def test_decisions_are_numbered_without_gaps():
    numbers = [int(p.name[:4]) for p in sorted((REPOSITORY / "docs" / "decisions").glob("*.md"))]
    assert numbers == list(range(1, len(numbers) + 1))


def test_makefile_is_the_whole_loop():
    text = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    for target in ("install", "demo", "test", "bench", "docs"):
        assert re.search(rf"^{target}:", text, re.M), target
    assert len(text.splitlines()) <= PAGE
