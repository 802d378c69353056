import datetime
import tomllib
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure

from frostline.errors import DiskError
from frostline.report import by_season, headline, toml, write_report


def row(**changes: Any) -> dict[str, Any]:
    base = {"record": "unet", "against": "truth", "split": "heldout", "overpass": "am", "stratum": "area:trained"}
    base |= {"score": "accuracy", "value": 0.9364, "lo": 0.9241, "hi": 0.9472, "n": 412345, "n_effective": 90.0}
    return base | changes


def figure() -> Figure:
    fig = Figure(figsize=(2, 1))
    fig.subplots().plot([0, 1])
    return fig


EVIL = '<script>alert("x")</script><img src=x onerror=alert(1)>'


def make(path: Path, **changes: Any) -> str:
    options = {"title": "Demo", "experiment": {"seed": 1}, "figures": [(figure(), "A caption")], "scores": [row()],
               "assumptions": [("labels", "06 h", "local solar time")], "summary": "One.\n\nTwo.", "warnings": [],
               "twin": True}  # fmt: skip
    assert write_report(path, **(options | changes)) == path
    return path.read_text(encoding="utf-8")


class Tags(HTMLParser):
    """Every start tag with its attributes, and whether all were closed in order."""

    void = ("meta", "img", "br", "link")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in self.void:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_one_file_without_scripts_or_outward_links(tmp_path: Path) -> None:
    tags = Tags(make(tmp_path / "report.html"))
    assert not tags.open
    assert not {"script", "link", "iframe", "object"} & {tag for tag, _ in tags.seen}
    for _, attrs in tags.seen:
        assert not any(name.startswith("on") for name in attrs)
        assert (attrs.get("src") or "data:image/png;base64,").startswith("data:image/png;base64,")
        assert (attrs.get("href") or "#").startswith("#")
    policy = [a["content"] for t, a in tags.seen if a.get("http-equiv") == "Content-Security-Policy"]
    assert policy == ["default-src 'none'; img-src data:; style-src 'unsafe-inline'"]
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"]


def test_everything_is_escaped(tmp_path: Path) -> None:
    text = make(
        tmp_path / "r.html", title=EVIL, experiment={"name": EVIL, EVIL: 1}, figures=[(figure(), EVIL)], summary=EVIL,
        scores=[row(record=EVIL)], assumptions=[(EVIL, EVIL, EVIL)], warnings=[EVIL],
    )  # fmt: skip
    assert "<script" not in text and "onerror=alert" in text
    assert len([tag for tag, _ in Tags(text).seen if tag == "img"]) == 1


def test_no_score_without_n_and_interval(tmp_path: Path) -> None:
    rows = [row(), row(overpass="pm", value=0.1234, lo=None), row(record="persistence", value=0.5678, n=0),
            row(record="climatology", value=float("nan"))]  # fmt: skip
    text = make(tmp_path / "r.html", scores=rows)
    assert "0.936" in text and "[0.924, 0.947]" in text and "412,345" in text
    assert "0.123" not in text and "0.568" not in text and "persistence" not in text and "nan" not in text
    assert "(3\nscores of this run)" in text


def test_headline_by_hand() -> None:
    rows = [
        row(),
        row(score="brier_skill", value=-0.02, lo=-0.1, hi=0.06),
        row(stratum="area:heldout", value=0.9, lo=0.8, hi=0.95, n=7),
        row(record="reanalysis", overpass="pm"),
        row(record="other"),
        row(stratum="season:DJF"),
        row(against="stations", value=0.5),
    ]
    table = headline(rows, "truth")
    assert table is not None and table["strata"] == ["trained area", "held-out area"]
    assert [(line["record"], line["overpass"]) for line in table["lines"]] == [
        ("U-Net", "AM"), ("reanalysis", "PM"), ("other", "AM"),
    ]  # fmt: skip
    trained, heldout = table["lines"][0]["cells"]
    assert trained["accuracy"] == {"value": "0.936", "interval": "0.924, 0.947", "n": "412,345"}
    assert trained["brier_skill"]["value"] == "−0.020"
    assert heldout["accuracy"]["n"] == "7" and heldout["brier_skill"] is None
    assert headline(rows, "reanalysis") is None
    season = by_season(rows, "truth")
    assert season is not None and season["strata"] == ["DJF", "MAM", "JJA", "SON"] and len(season["lines"]) == 1


def test_skill_with_another_n_says_so(tmp_path: Path) -> None:
    text = make(tmp_path / "r.html", scores=[row(), row(score="brier_skill", value=0.2, lo=0.1, hi=0.3, n=99)])
    assert "[0.100, 0.300], n 99" in text


def test_records_without_areas_show_all() -> None:
    table = headline([row(stratum="all")], "truth")
    assert table is not None and table["strata"] == ["whole area"]


def test_twin_is_said_on_every_figure_and_not_otherwise(tmp_path: Path) -> None:
    two = [(figure(), "a"), (figure(), "b")]
    on, off = make(tmp_path / "a.html", figures=two), make(tmp_path / "b.html", figures=two, twin=False)
    assert on.count("<b>Figure") == 2
    assert all('<span class="tag">twin Earth</span>' in part[:200] for part in on.split("<figcaption>")[1:])
    assert "twin Earth" not in off


def test_same_input_same_bytes(tmp_path: Path) -> None:
    make(tmp_path / "a.html")
    make(tmp_path / "b.html")
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()


def test_empty_run(tmp_path: Path) -> None:
    text = make(tmp_path / "e.html", experiment={}, figures=[], scores=[], assumptions=[], summary="", twin=False)
    assert "No scores" in text and "No figures" in text and not Tags(text).open
    assert "By season" not in text and "was made with" not in text


def test_versions_stand_outside_the_experiment_that_one_would_save(tmp_path: Path) -> None:
    text = make(tmp_path / "v.html", made_with="commit abc & Python 3.11")
    assert (
        "was made with commit abc &amp; Python 3.11." in text
        and "abc" not in text.split("<pre>")[-1].split("</pre>")[0]
    )


def test_a_failed_write_keeps_the_old_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path / "r.html", summary="old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(DiskError, match="No space left"):
        make(tmp_path / "r.html", summary="new")
    assert "old" in (tmp_path / "r.html").read_text() and len(list(tmp_path.iterdir())) == 1


PLAIN = st.one_of(st.booleans(), st.integers(-(2**53), 2**53), st.floats(allow_nan=False, width=32),
                  st.dates(), st.text(st.characters(exclude_categories=["Cs"])))  # fmt: skip
NAMES = st.text(min_size=1, max_size=6, alphabet=st.characters(exclude_categories=["Cs"]))
TABLES = st.recursive(
    st.one_of(PLAIN, st.lists(PLAIN, max_size=3)), lambda inner: st.dictionaries(NAMES, inner, max_size=3)
)


@given(st.dictionaries(NAMES, TABLES, max_size=4))
def test_experiment_comes_back_from_its_echo(tables: dict[str, Any]) -> None:
    assert tomllib.loads(toml(tables)) == tables


def test_toml_by_hand() -> None:
    tables = {
        "run": {"start": datetime.date(2016, 1, 1), "none": None},
        "list": [{"a": 1}],
        "learn": {"net": {"width": 16}},
    }
    assert toml(tables) == "list = [{a = 1}]\n\n[run]\nstart = 2016-01-01\n\n[learn.net]\nwidth = 16"
