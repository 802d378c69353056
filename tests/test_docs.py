"""The documents keep their word: links resolve, examples run, generated pages are those of the code."""

import json
import re
import tomllib
from pathlib import Path

import numpy as np
import pytest
import reference
import results
import yaml

from frostline import clock, store
from frostline.config import parse, read_experiment
from frostline.grid import named
from frostline.report import toml
from frostline.scores import SCORES
from frostline.steps.order import STEPS

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
EXAMPLES = sorted((ROOT / "examples").glob("*.toml"))
PICTURE = ROOT / "docs" / "images" / "demo_maps.png"  # copied from a run of the demo, once there is one


def text_of(page: Path) -> str:
    """A page without its code blocks."""
    return re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


def blocks(page: Path, language: str) -> list[str]:
    """Code blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def anchors(page: Path) -> set[str]:
    """Anchors of a page's headings, as GitHub makes them."""
    heads = re.findall(r"^#+ (.+)$", text_of(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", h.lower()).strip().replace(" ", "-") for h in heads}


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path):
    lost = []
    for target in re.findall(r"\]\(([^)\s]+)\)", text_of(page)):
        if target.startswith(("https://", "mailto:")):
            continue
        name, _, anchor = target.partition("#")
        to = (page.parent / name).resolve() if name else page
        there = to == PICTURE or to.exists()
        if not there or (anchor and anchor not in anchors(to)):
            lost.append(target)
    assert not lost


def test_the_first_page_shows_a_picture_of_the_demo():
    if not PICTURE.exists():
        pytest.skip(f"{PICTURE.relative_to(ROOT)} is copied from a run of the demo")
    assert PICTURE.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_nothing_of_the_workshop_is_named(page: Path):
    said = page.read_text(encoding="utf-8")
    # a home directory, a temporary one: paths of the machine where the page was written
    assert not re.search(r"(?<![\w.])/(work|tmp|home|root)/", said)
    assert not re.search(r"\b(colour|metre|neighbour|labelled|modell|behaviour|sanitis|licence)", said)  # American here


def test_reference_page_is_made_from_the_models():
    for system, path in reference.PAGES.items():
        assert reference.page(system) == path.read_text(encoding="utf-8"), "run: make docs"


def test_reference_page_holds_every_key_of_the_demo():
    page = (ROOT / "docs/reference/experiment.md").read_text(encoding="utf-8")
    for table, keys in tomllib.loads((ROOT / "examples/demo.toml").read_text(encoding="utf-8")).items():
        if isinstance(keys, dict):
            part = page.split(f"## `[{table}]`")[1].split("\n## ")[0]
            assert all(f"| `{key}` |" in part for key in keys), table
    # worked by hand from config.py: batch is a positive whole number, 4 if not given
    assert "| `batch` | whole number > 0 | `4` |" in page
    assert '| `head` | `"code"` or `"paper"` | `"code"` |' in page


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.name)
def test_examples_are_experiments(path: Path):
    assert read_experiment(path).title


def test_toml_blocks_are_experiments():
    found = [b for page in PAGES for b in blocks(page, "toml")]
    assert found
    for block in found:
        assert parse(tomllib.loads(block)).train is not None


def test_examples_named_in_the_pages_exist():
    for page in PAGES:
        for name in re.findall(r"examples/\w+\.toml", page.read_text(encoding="utf-8")):
            assert (ROOT / name).exists(), f"{page.name} names {name}"


@pytest.fixture
def demo_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run of the demo's grid and days, 8 x 8 cells, frozen from November to April: what the code blocks read."""
    monkeypatch.chdir(tmp_path)
    demo = read_experiment(ROOT / "examples/demo.toml")
    assert demo.grid.center is not None
    grid = named(demo.grid.name).around(*demo.grid.center, (8, 8))
    days = clock.days(demo.period.start, demo.period.end)
    winter = np.isin(clock.month(days), (11, 12, 1, 2, 3, 4))
    values = np.broadcast_to(winter[:, None, None, None], (len(days), 2, 8, 8)).astype("float32")
    folder = tmp_path / "runs" / "demo"
    for name, variables in (("record.zarr", ["frozen", "quality", "age"]), ("truth.zarr", ["truth"])):
        store.create(folder / name, grid=grid, time=days, overpass=[0, 1], variables=variables)
        made = {"frozen": values * 0.8 + 0.1, "truth": values, "age": np.zeros(values.shape, "uint8")}
        made["quality"] = np.where(winter, 1, 0).astype("uint16")[:, None, None, None] + np.zeros(
            (1, 2, 8, 8), "uint16"
        )
        with store.writer(folder / name) as write:
            write(0, {v: made[v] for v in variables})
    return folder


@pytest.mark.usefixtures("demo_run")
def test_ten_lines_of_the_readme(capsys: pytest.CaptureFixture[str]):
    (block,) = blocks(ROOT / "README.md", "python")
    assert len([line for line in block.splitlines() if line.strip()]) <= 10
    exec(compile(block, "README.md", "exec"), {})
    # by hand: 1 November 2020 to 30 April 2021 are 30 + 31 + 31 + 28 + 31 + 30 = 181 of 365 days
    assert capsys.readouterr().out.splitlines() == [
        "frozen mornings: 181 of 365",
        "filled from neighboring days: 181",
    ]


@pytest.mark.usefixtures("demo_run")
def test_lines_of_the_tutorial(capsys: pytest.CaptureFixture[str]):
    (block,) = blocks(ROOT / "docs/tutorials/first-record.md", "python")
    exec(compile(block, "first-record.md", "exec"), {})
    said = capsys.readouterr().out.splitlines()
    assert len(said) == 9  # every 14th of 31 + 30 + 31 + 30 = 122 days
    assert said[0] == "2021-03-01 frozen 1.00  right 1.00"
    assert said[-1].endswith("frozen 0.00  right 1.00")


def test_lines_that_compare_records(capsys: pytest.CaptureFixture[str]):
    (block,) = blocks(ROOT / "docs/how-to/compare-records.md", "python")
    exec(compile(block, "compare-records.md", "exec"), {})
    said = capsys.readouterr().out.splitlines()
    recovered = [line.replace("(", "").replace(")", "").replace(",", "").split() for line in said if "psi" in line]
    assert len(recovered) == 3
    for _, _, psi, true_psi, _, eta, true_eta in recovered:
        assert abs(float(psi) - float(true_psi)) <= 0.02
        assert abs(float(eta) - float(true_eta)) <= 0.02
    right = {line.split(":")[0]: float(line.split()[1]) for line in said if line.endswith("right")}
    assert right["fused"] > max(right["a"], right["b"], right["c"])
    # by hand: frost lasts while cos > 0.2 + 0.01 (year - 2005): 0.01 x 365.25 / (pi sqrt(1 - 0.04)) = 1.19 days a year
    assert -1.4 < float(said[-1].split()[0]) < -0.9


def test_commands_of_the_pages_are_verbs():
    from frostline.cli import VERBS

    assert set(VERBS) == set().union(*STEPS.values())
    known = {*VERBS, "all", "demo", "plan", "extract", "VERB"}
    for page in PAGES:
        for verb in re.findall(r"^ {4}(?:\w+=\S+ )?frostline (\w+)", page.read_text(encoding="utf-8"), re.MULTILINE):
            assert verb in known, f"{page.name}: frostline {verb}"
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert all(f"| `{verb}` |" in readme for verb in known - {"VERB"})


def test_architecture_names_every_module_and_its_layer():
    page = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    layers = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]["contracts"][
        0
    ]
    table = page.split("| layer | modules | what |")[1].split("\n\n")[0]
    said = [set(re.findall(r"`(\w+)`", line.split("|")[2])) for line in table.splitlines() if line.startswith("| ")]
    assert said == [set(re.findall(r"\w+", layer)) for layer in layers["layers"]]
    modules = {p.stem if p.is_file() else p.name for p in (ROOT / "src/frostline").iterdir()}
    assert modules - {"__init__", "__pycache__", "data"} == set().union(*said)


def test_conventions_name_every_score_and_flag():
    from frostline.errors import DiskError, InputError, Interrupted
    from frostline.schema import QUALITY

    page = (ROOT / "docs/reference/conventions.md").read_text(encoding="utf-8")
    assert all(f"`{name}`" in page for name in (*SCORES, "brier_skill"))
    assert all(f"| {bit} | `{name}` |" in page for name, bit in QUALITY.items())
    for error in (InputError, DiskError, Interrupted):
        assert f"| {error.exit} |" in page


def test_decisions_are_pages_of_three_parts():
    pages = sorted((ROOT / "docs/decisions").glob("*.md"))
    assert [int(p.name[:4]) for p in pages] == list(range(1, len(pages) + 1))
    index = (ROOT / "docs/index.md").read_text(encoding="utf-8")
    for page in pages:
        said = page.read_text(encoding="utf-8")
        assert said.startswith(f"# {int(page.name[:4])}. ")
        assert re.findall(r"^## (.+)$", said, re.MULTILINE) == ["Context", "Decision", "Consequences"], page.name
        assert len(said.splitlines()) <= 60, page.name
        assert f"(decisions/{page.name})" in index


def test_citation_has_what_the_format_asks_for():
    card = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert {"cff-version", "message", "title", "authors", "version", "license", "type"} <= set(card)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert (card["version"], card["license"]) == (project["version"], project["license"])
    assert card["references"][0]["doi"] == "10.3389/fdata.2023.1243559"


def test_changelog_says_which_numbers_changed():
    said = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    versions = [part for part in said.split("\n## ")[1:]]
    assert versions and all("\n### Numbers that changed\n" in part for part in versions)


def test_rows_of_results_are_those_of_the_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    key = {"record": "unet", "against": "truth", "split": "heldout", "overpass": "am", "stratum": "area:heldout"}
    score = key | {"score": "accuracy", "value": 0.93649, "lo": 0.9, "hi": 0.951, "n": 61320, "skill": 0.4321}
    undefined = key | {"score": "mcc", "value": None, "lo": None, "hi": None, "n": 61320, "skill": None}
    (tmp_path / "scores.json").write_text(json.dumps([score, undefined]))
    (tmp_path / "steps.json").write_text(json.dumps({"train": {"seconds": 12.34}, "validate": {"seconds": 1.0}}))
    echo = toml({"twin": {"seed": 7}, "train": {"seed": 3}})
    page = f"<pre>frostline all</pre><pre>{echo.replace(chr(34), '&#34;')}</pre>"
    (tmp_path / "report.html").write_text(f"{page}<p>This page was made with commit abc123, Python 3.11.</p>")
    results.main([str(tmp_path), "--command", "make x", "--row", "unet/*/heldout/am/*/*", "--seconds"])
    said = capsys.readouterr().out.splitlines()
    made = "`make x` | abc123 | twin 7, train 3 |"
    assert said[:2] == results.HEAD.splitlines()
    where = "against truth, heldout, am, area:heldout"
    assert said[2] == f"| unet accuracy {where} | 0.936 [0.900, 0.951] | 61320 | 0.43 | {made}"
    assert said[3] == f"| unet mcc {where} | - [-, -] | 61320 | - | {made}"
    assert said[4] == f"| step train, seconds | 12.3 | 1 run | - | {made}"
    with pytest.raises(SystemExit, match="no row"):
        results.main([str(tmp_path), "--command", "make x", "--row", "unet/stations/heldout/am/all/accuracy"])


def test_results_hold_no_row_without_command_and_commit():
    for line in (ROOT / "docs/results.md").read_text(encoding="utf-8").splitlines():
        if line.startswith("| ") and not line.startswith("| figure"):
            cells = [c.strip() for c in line.strip("|").split("|")]
            assert len(cells) == 7 and all(cells), line
            assert re.fullmatch(r"`.+`", cells[4]), line
