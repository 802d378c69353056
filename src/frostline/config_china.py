"""The experiment file of the china system: ConvLSTMs on reanalysis, fused; four decades, their evidence and trends."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from frostline.config_tables import (
    PRECISION,
    Day,
    ExportTable,
    GridTable,
    NotNegative,
    PeriodTable,
    Positive,
    Precision,
    Share,
    Span,
    SplitTable,
    Table,
)

Target = Literal["smap", "esdr"]
Dynamic = Literal["soil_temperature", "soil_moisture", "snow_depth", "precipitation"]
DYNAMIC: tuple[Dynamic, ...] = ("soil_temperature", "soil_moisture", "snow_depth", "precipitation")
Member = Literal["convlstm_smap", "convlstm_esdr", "reanalysis", "recalibrated"]
Judge = Literal["fused", "convlstm_smap", "convlstm_esdr", "smap", "esdr", "reanalysis", "recalibrated", "stations"]
CUI: dict[str, tuple[Span, ...]] = {  # Cui et al. 2024, section 3.1; April to October 2017 belongs to nobody
    "train": (("2015-04-01", "2016-03-31"), ("2016-11-01", "2017-03-31")),
    "validation": (("2016-04-01", "2016-10-31"), ("2017-11-01", "2018-03-31")),
    "heldout": (("2018-04-01", "2020-12-31"),),
}


class DecadesTable(Table):
    """The twin Earth over decades: a synthetic plateau with a prescribed warming that writes the input files itself."""

    seed: int = Field(1, description="one seed, one Earth, bit for bit")
    warming: float = Field(0.5, description="of the air, K per decade; the only trend there is")
    stations: Positive = Field(60, description="stations with daily extremes at 0 cm, drawn over the window")
    nodes: Positive = Field(12, description="thermometers of each dense network")
    weather_error: NotNegative = Field(
        4.0, description="standard deviation of the reanalysis' air temperature error, K"
    )
    static_bias: NotNegative = Field(3.0, description="standard deviation of its bias that stays, K")


class ArchivesTable(Table):
    """Where each product lies, relative to `root`; a product that is not named is not used."""

    root: str = Field(".", description="data root; ${NAME} is taken from the environment")
    smap: str | None = Field(None, description="folder of SMAP freeze/thaw files (SPL3FTP_E or SPL3FTP)")
    esdr: str | None = Field(None, description="folder of freeze/thaw ESDR files (NSIDC-0477)")
    era5land: str | None = Field(None, description="folder of hourly ERA5-Land netCDF files")
    imerg: str | None = Field(None, description="folder of GPM IMERG files, half-hourly or daily")
    landcover: str | None = Field(None, description="CLCD land-cover GeoTIFF")
    koppen: str | None = Field(None, description="Koeppen-Geiger climates, GeoTIFF or text grid")
    permafrost: str | None = Field(
        None, description="permafrost stability: raster, or polygons with the code as attribute `value`"
    )
    permafrost_codes: str | None = Field(None, description="CSV or TOML table of those classes (value, class)")
    regions: str | None = Field(None, description="regions for tables and trends: raster, or polygons as above")
    regions_codes: str | None = Field(None, description="CSV or TOML table of the regions (value, class)")
    cma: str | None = Field(None, description="folder of CMA daily 0 cm text files")
    ctp: str | None = Field(
        None, description="folder of Naqu and Pali tables (CTP-SMTMN), each with a sites.csv beside it"
    )
    networks: str | None = Field(None, description="folder with one folder per further dense network")


class PredictorsTable(Table):
    """Predictors of the nets and the records that teach them, onto one grid."""

    variables: tuple[Dynamic, ...] = Field(DYNAMIC, description="reanalysis fields to stack")
    hours_before: tuple[Annotated[int, Field(ge=1, le=18)], ...] = Field(
        (3, 2, 1), description="hours before the overpass at which they are sampled, oldest first"
    )
    windows: tuple[Positive, ...] = Field((), description="days of further means that end at the overpass")
    time: Literal["local", "utc"] = Field("local", description="6 and 18 h local solar time, or UTC")
    precipitation: tuple[tuple[Day, Literal["era5land", "imerg"]], ...] = Field(
        (("1950-01-01", "era5land"),), description="source of precipitation from each date on"
    )
    regrid: Literal["bilinear", "nearest"] = Field("bilinear", description="reanalysis onto the grid")
    threshold: float = Field(273.15, description="frozen below this soil temperature, K")
    station_rule: Literal["damped", "extremes"] = Field(
        "damped", description="daily extremes at 0 cm as 0-7 cm at 06 and 18 h, or as they are (Cui et al. 2024)"
    )
    max_depth: NotNegative = Field(0.05, description="deepest station sensor, m")


class ChinaSplitTable(SplitTable):
    """As of every system, with the published split as a preset."""

    preset: Literal["declared", "cui2024"] = Field("declared", description="the spans below, or those of the paper")
    train: tuple[Span, ...] = Field((), description="first and last days of training")
    validation: tuple[Span, ...] = Field((), description="days that choose the epoch, temperatures and weights")
    heldout: tuple[Span, ...] = Field((), description="days that judge")

    @model_validator(mode="after")
    def _spans(self) -> ChinaSplitTable:
        named = [n for n in CUI if getattr(self, n)]
        if self.preset == "declared" and len(named) < len(CUI):
            raise ValueError("train, validation and heldout each need a span")
        if self.preset == "cui2024" and named:
            raise ValueError(f'preset = "cui2024" has spans of its own: take out {", ".join(named)}')
        return self

    def spans(self, role: str) -> tuple[Span, ...]:
        """The spans of a role: the paper's, or those of the file."""
        return CUI[role] if self.preset == "cui2024" else getattr(self, role)


class ConvlstmTable(Table):
    """The networks: one per target and overpass, or one per overpass with a head for each target."""

    targets: tuple[Target, ...] = Field(("smap", "esdr"), description="records that teach")
    heads: Literal["each", "together"] = Field("each", description="one net per target, or one with several heads")
    steps: Positive = Field(3, description="last so many of the sampled hours")
    statics: tuple[Literal["terrain_std", "water_fraction", "elevation"], ...] = Field(
        ("terrain_std", "water_fraction"), description="static fields the nets see"
    )
    places: tuple[Literal["latitude", "longitude"], ...] = Field(
        ("latitude", "longitude"), description="places the nets see"
    )
    layers: Positive = Field(1, description="ConvLSTM layers")
    width: Positive = Field(16, description="hidden channels of a layer")
    kernel: Positive = Field(3, description="side of the convolutions, cells (odd)")
    peepholes: bool = Field(False, description="gates that see the cell state")
    head: Literal["logit", "literal3"] = Field("logit", description="one logit, or three classes with missing as one")
    epochs: Positive = Field(10, description="passes over the training days")
    batch: Positive = Field(16, description="samples a step")
    crop: Positive = Field(32, description="side of the random crops, cells")
    learning_rate: Annotated[float, Field(gt=0)] = Field(2e-3, description="Adam's step")
    weight_decay: NotNegative = Field(1e-2, description="decoupled L2")
    lambda_station: NotNegative = Field(0.0, description="weight of station labels in the loss; 0 as published")
    augment: bool = Field(False, description="flips and quarter turns of the crops")
    seed: int = Field(1, description="of weights, crops and order")

    @model_validator(mode="after")
    def _fits(self) -> ConvlstmTable:
        if not self.targets or len(set(self.targets)) < len(self.targets):
            raise ValueError("targets: at least one, and each once")
        if self.kernel % 2 == 0:
            raise ValueError("kernel is odd, so that a cell is its middle")
        return self


class EmulatedTable(Table):
    """The records of the networks."""

    precision: Precision = Field("float32", description=PRECISION)


class FuseTable(Table):
    """Several records into one."""

    members: tuple[Member, ...] = Field(("convlstm_smap", "convlstm_esdr"), description="records that are fused")
    rule: Literal["pool", "maxconf", "literal3"] = Field("pool", description="rule of the main record")
    compare: tuple[Literal["pool", "maxconf", "literal3", "ctc"], ...] = Field(
        ("literal3", "maxconf"), description="further rules, each a record of its own, scored beside"
    )
    weights: Literal["stations", "equal", "brier"] = Field("stations", description="weights of the pool")
    temperature: bool = Field(True, description="probabilities tempered on validation days first")
    low_confidence: Share = Field(0.1, description="flagged when |p - 0.5| is smaller")

    @model_validator(mode="after")
    def _fits(self) -> FuseTable:
        if not self.members or len(set(self.members)) < len(self.members):
            raise ValueError("members: at least one, and each once")
        if self.weights == "brier" and "reanalysis" in self.members:
            raise ValueError('weights = "brier" compares with the reanalysis, which then cannot be a member')
        return self


class DirectTable(Table):
    """How the evidence is counted."""

    nodes: Literal["mean", "majority"] = Field("mean", description="how thermometers of a cell become one state")
    block_days: Positive = Field(30, description="block of the bootstrap in time, days")
    resamples: Positive = Field(300, description="bootstrap resamples")
    confidence: Annotated[float, Field(gt=0, lt=1)] = Field(0.95, description="of the intervals")
    climatology_days: Annotated[int, Field(ge=0)] = Field(7, description="half window of the day-of-year climatology")
    seed: int = Field(1, description="of the bootstrap")


class CollocateTable(Table):
    """Categorical triple collocation."""

    sets: tuple[tuple[Judge, ...], ...] = Field(
        (("fused", "stations", "reanalysis"), ("convlstm_smap", "convlstm_esdr", "reanalysis")),
        description="three or more records each; the first is the paper's triplet",
    )
    refit: bool = Field(True, description="expectation maximisation after the closed form")
    block_days: Positive = Field(90, description="block of the bootstrap in time, days")
    resamples: Positive = Field(300, description="bootstrap resamples")
    confidence: Annotated[float, Field(gt=0, lt=1)] = Field(0.9, description="of the intervals")
    seed: int = Field(1, description="of the bootstrap")


class SeasonTable(Table):
    """Frozen days, onset, offset and length, and their trends."""

    start_month: Annotated[int, Field(ge=1, le=12)] = Field(
        8, description="first month of the year counted; 1: calendar"
    )
    rule: Literal["12of15", "3days"] = Field("3days", description="when a season begins and ends")
    min_valid: Share = Field(0.5, description="share of a month's days that must be known")
    records: tuple[
        Literal["fused", "convlstm_smap", "convlstm_esdr", "smap", "esdr", "reanalysis", "recalibrated"], ...
    ] = Field(("fused", "convlstm_smap", "convlstm_esdr", "esdr", "reanalysis"), description="records of the trends")
    correction: Literal["yue-wang", "none"] = Field("yue-wang", description="of Mann-Kendall for lag-1 persistence")
    confidence: Annotated[float, Field(gt=0, lt=1)] = Field(0.95, description="of the intervals")


class MonthsTable(Table):
    """What is drawn."""

    year: Annotated[int, Field(ge=1979)] | None = Field(
        None, description="year of the monthly maps; else the last whole"
    )


class China(Table):
    """The whole file."""

    system: Literal["china"] = Field("china", description="which system")
    title: str = Field(description="what the report is called")
    grid: GridTable = GridTable(name="M09", center=None, shape=None)
    period: PeriodTable
    twin: DecadesTable | None = None
    inputs: ArchivesTable = ArchivesTable()
    assemble: PredictorsTable = PredictorsTable()
    split: ChinaSplitTable
    train: ConvlstmTable = ConvlstmTable()
    predict: EmulatedTable = EmulatedTable()
    fuse: FuseTable = FuseTable()
    validate_: DirectTable = Field(DirectTable(), alias="validate")
    collocate: CollocateTable = CollocateTable()
    season: SeasonTable = SeasonTable()
    report: MonthsTable = MonthsTable()
    export: ExportTable = ExportTable()

    @model_validator(mode="after")
    def _fits(self) -> China:
        if self.train.steps > len(self.assemble.hours_before):
            raise ValueError("train.steps is more than assemble.hours_before has")
        if list(self.assemble.hours_before) != sorted(set(self.assemble.hours_before), reverse=True):
            raise ValueError("assemble.hours_before goes from the oldest to the latest, each once")
        members = {f"convlstm_{t}" for t in self.train.targets} | {"reanalysis", "recalibrated"}
        if lost := sorted(set(self.fuse.members) - members):
            raise ValueError(f"fuse.members {lost} are not among train.targets")
        year = self.report.year
        if year is not None and not (self.period.start <= f"{year}-01-01" and f"{year}-12-31" <= self.period.end):
            raise ValueError(f"report.year {year} is not wholly within period")
        if self.twin is not None and self.grid.name != "M09":
            raise ValueError('[twin] writes SMAP files of a window of M09: grid.name must be "M09"')
        return self
