"""The experiment file: strict, told in one line, and the same again when written and read."""

import typing

import pytest
from pydantic import BaseModel

from frostline import grid
from frostline.config import parse, read_experiment
from frostline.config_north import North
from frostline.config_tables import GridName
from frostline.errors import ConfigError
from frostline.gapfill import PRESETS
from frostline.report import toml as written
from twin_run import tables, toml


def models(model=North):
    yield model
    for info in model.model_fields.values():
        for kind in (info.annotation, *typing.get_args(info.annotation)):
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                yield from models(kind)


def message(**changes):
    with pytest.raises(ConfigError) as error:
        parse(tables(**changes), where="x.toml")
    assert error.value.exit == 2
    return str(error.value)


def test_every_wrong_key_is_told_in_one_line():
    line = message(**{"train.widht": 8, "colour": "red", "grid.nmae": "N09", "train.epochs": 0})
    assert line.startswith("E-CONFIG  x.toml: ")
    assert "\n" not in line
    for part in ("train.widht: no such key", "colour: no such key", "grid.nmae: no such key", "train.epochs: "):
        assert part in line
    assert line.endswith("docs/reference/experiment.md.")


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"period.start": "2016-02-30"}, "period.start: day is out of range"),
        ({"period.start": "2016-13-01"}, "period.start: month must be in 1..12"),
        ({"period.end": "yesterday"}, "period.end: "),
        ({"grid.shape": None}, "both center and shape"),
        ({"grid.name": "N9"}, "grid.name: "),
        ({"grid.name": "N36"}, "[twin] writes SMAP files of a window of N09"),
        ({"split": None}, "[train] needs a [split] table"),
        ({"train": None}, "needs a [train] table"),
        ({"predict.method": "reanalysis"}, "leaves the [train] table without use"),
        ({"predict.more_grids": ["M36"]}, 'is for predict.method = "reanalysis"'),
        ({"assemble.channels": ["tb_36v"]}, "train.inputs ['tb_18h', 'tb_18v', 'tb_1h', 'tb_1v', 'tb_36h'] are not in"),
        ({"report.days": ["2016-05-01", "2016-05-02", "2016-05-03", "2017-01-01"]}, "within period: 2017-01-01"),
        ({"export.cog": [["2016-05-01", "2016-06-01"]]}, "within period: 2016-06-01"),
        ({"split.heldout_boxes": [[0, 0, 1, 1.5]]}, "split.heldout_boxes.0.3: "),
        ({"twin.stations": 0}, "twin.stations: "),
        ({"validate.confidence": 1.0}, "validate.confidence: "),
    ],
    ids=lambda v: next(iter(v)) if isinstance(v, dict) else "",
)
def test_what_cannot_be_is_refused_before_anything_runs(changes, part):
    assert part in message(**changes)


def test_not_toml_not_there_not_text(tmp_path):
    for name, content, part in (
        ("a.toml", b"[grid\n", "not TOML"),
        ("b.toml", b"\xff\xfe\x00", "not TOML"),
        ("c.toml", None, "no such experiment file"),
    ):
        if content is not None:
            (tmp_path / name).write_bytes(content)
        with pytest.raises(ConfigError, match=part) as error:
            read_experiment(tmp_path / name)
        assert name in str(error.value)


def test_set_takes_toml_values_and_else_text(tmp_path):
    path = toml(tmp_path / "x.toml")
    got = read_experiment(
        path, ["train.epochs=3", "inputs.smap=other", 'labels.time="utc"', "train.augment=false",
               "split.heldout_boxes=[[0, 0, 0.5, 0.5]]", "labels.threshold = 272.5"],
    )  # fmt: skip
    assert got.train is not None
    assert got.split is not None
    assert (got.train.epochs, got.inputs.smap, got.labels.time) == (3, "other", "utc")
    assert got.train.augment is False
    assert got.split.heldout_boxes == ((0.0, 0.0, 0.5, 0.5),)
    assert got.labels.threshold == 272.5
    for text, part in (
        ("train.epochs", "not of the form"),
        ("=3", "not of the form"),
        ("title.x=1", "title is no table"),
        ("train.epochs.x=1", "epochs is no table"),
        ("train.epoch=3", "train.epoch: no such key"),
    ):
        with pytest.raises(ConfigError, match=part):
            read_experiment(path, [text])


def test_an_experiment_written_and_read_again_is_the_same(tmp_path):
    one = parse(tables())
    (tmp_path / "again.toml").write_text(written(one.model_dump(by_alias=True, exclude_none=True)), encoding="utf-8")
    assert read_experiment(tmp_path / "again.toml") == one
    with pytest.raises(ValueError, match="frozen"):
        one.title = "another"


def test_every_key_says_what_it_is_and_every_table_what_it_is_for():
    for model in models():
        assert model.__doc__
        for name, info in model.model_fields.items():
            is_table = any(
                isinstance(k, type) and issubclass(k, BaseModel)
                for k in (info.annotation, *typing.get_args(info.annotation))
            )
            assert is_table or info.description, f"{model.__name__}.{name} has no description"


def test_names_that_the_models_repeat_are_those_of_their_owners():
    assert set(typing.get_args(GridName)) == set(grid.GRIDS)
    experiment = parse(tables())
    assert {experiment.assemble.gapfill_smap, experiment.assemble.gapfill_amsr2} <= set(PRESETS)


def test_defaults_are_the_papers_where_it_states_them():
    """Donahue et al. 2023: crops of the published code, dropout, labels and loss (algorithms.md 2)."""
    experiment = parse(tables(train={}))
    assert experiment.train is not None
    assert (experiment.train.depth, experiment.train.dropout) == (4, 0.2)
    assert (experiment.train.lambda_reanalysis, experiment.train.lambda_station) == (0.3, 1.0)
    assert experiment.train.lambda_variation == 0.1
    assert experiment.labels.threshold == 273.15
    assert experiment.labels.time == "local"
