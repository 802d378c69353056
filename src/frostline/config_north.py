"""The experiment file of the north system: a U-Net on brightness temperatures, one table per station."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from frostline.config_classics import ClassicsTable
from frostline.config_tables import (
    CHANNELS,
    PRECISION,
    Channel,
    Day,
    ExportTable,
    GridName,
    GridTable,
    NotNegative,
    PeriodTable,
    Positive,
    Precision,
    Share,
    SplitTable,
    Table,
)
from frostline.schema import INSTRUMENTS

Instrument = Literal["smap", "amsr2"]


class TwinTable(Table):
    """The twin Earth: a synthetic world with a known truth that writes the input files itself."""

    seed: int = Field(1, description="one seed, one Earth, bit for bit")
    stations: Positive = Field(120, description="stations drawn over land")
    cetb_version: Literal["v2", "v3"] = Field("v3", description="layout of the SMAP brightness-temperature files")
    weather_error: NotNegative = Field(description="standard deviation of the reanalysis' air temperature error, K")
    static_bias: NotNegative = Field(description="standard deviation of its bias that stays, K")
    spring_lag: float = Field(description="its bias in spring (March to May), K; negative thaws late")
    offset: float = Field(description="its bias everywhere, K")


class InputsTable(Table):
    """Where each product lies, relative to `root`; a product that is not named is not used."""

    root: str = Field(".", description="data root; ${NAME} is taken from the environment")
    smap: str | None = Field(None, description="folder of SMAP CETB files (NSIDC-0738)")
    amsr2: str | None = Field(None, description="folder of AMSR2 L3 0.1 degree files (JAXA)")
    era5: str | None = Field(None, description="folder of hourly ERA5 netCDF files")
    gldas: str | None = Field(None, description="folder of 3-hourly GLDAS-Noah GRIB files")
    dem: str | None = Field(None, description="folder of DEM GeoTIFFs (GMTED2010)")
    elevation: str | None = Field(None, description="GLDAS elevation file, where no DEM is given")
    landcover: str | None = Field(None, description="IGBP land-cover GeoTIFF or its folder (MCD12)")
    landmask: str | None = Field(None, description="GLDAS land-mask file, where no land cover is given")
    ismn: str | None = Field(None, description="folder or ZIP of an ISMN archive")
    uscrn: str | None = Field(None, description="folder of USCRN hourly or daily text files")
    stations: str | None = Field(None, description="CSV or Parquet table of soil temperatures")


class AssembleTable(Table):
    """Predictors onto the record's grid."""

    channels: tuple[Channel, ...] = Field(CHANNELS, description="brightness temperatures to stack")
    regrid: Literal["bilinear", "nearest"] = Field("bilinear", description="AMSR2 and reanalysis onto the grid")
    gapfill_smap: str = Field("recommended", description="gap-filling preset of SMAP")
    gapfill_amsr2: str = Field("recommended", description="gap-filling preset of AMSR2")
    not_soil: tuple[int, ...] = Field((15, 17), description="IGBP classes that are no soil (15 ice, 17 water)")


class LabelsTable(Table):
    """Frozen or thawed by temperature: what teaches and what judges."""

    time: Literal["local", "utc", "observed"] = Field(
        "local", description="6 and 18 h local solar time, UTC as once published, or SMAP's minute of each cell and day"
    )
    threshold: float = Field(273.15, description="frozen below this temperature, K")
    max_depth: NotNegative = Field(0.05, description="deepest station sensor, m")
    soft: NotNegative = Field(
        0.0, description="what teaches is the chance of frost for an error of this standard deviation, K; 0: the state"
    )
    band: NotNegative = Field(0.0, description="nothing teaches within this of where a label turns, K")
    freezing: tuple[float, Annotated[float, Field(gt=0)]] | None = Field(
        None, description="what teaches is the share of ice: freezing point, K, and slope, 1/K, of its curve"
    )


class TrainTable(Table):
    """The network and how it learns."""

    inputs: tuple[Channel, ...] = Field(CHANNELS, description="brightness temperatures the net sees")
    compare: tuple[tuple[Channel, ...], ...] = Field((), description="input sets of rival nets, scored beside")
    reference: Literal["cell", "none"] = Field(
        "cell", description="inputs as differences to the cell's mean, or as they are"
    )
    statics: tuple[Literal["elevation"], ...] = Field(("elevation",), description="static fields the net sees")
    extras: tuple[Literal["latitude", "longitude", "previous_day", "day_of_year"], ...] = Field(
        (), description="what the net sees besides; previous_day is every input again, of the day before"
    )
    net: Literal["unet", "residual", "attention"] = Field(
        "unet", description="Donahue's U-Net, with residual blocks, or with attention gates on its skips"
    )
    members: Positive = Field(
        1, description="trainings of each net, from seeds that follow each other; their probabilities are averaged"
    )
    width: Positive = Field(32, description="filters of the first block")
    depth: Positive = Field(4, description="down- and up-sampling steps")
    head: Literal["code", "paper"] = Field("code", description="1x1 and one logit, or 3x3 and two sigmoids")
    dropout: Share = Field(0.2, description="spatial dropout after each block")
    epochs: Positive = Field(20, description="passes over the training days")
    batch: Positive = Field(4, description="samples a step")
    crop: Positive = Field(256, description="side of the random crops, cells")
    learning_rate: Annotated[float, Field(gt=0)] = Field(1e-3, description="Adam's step")
    weight_decay: NotNegative = Field(1e-2, description="decoupled L2")
    lambda_reanalysis: NotNegative = Field(0.3, description="weight of the reanalysis labels")
    lambda_station: NotNegative = Field(1.0, description="weight of the station labels")
    lambda_variation: NotNegative = Field(0.1, description="weight of the local variation")
    variation_on: Literal["prob", "logit"] = Field("prob", description="local variation of probabilities or logits")
    augment: bool = Field(True, description="flips and quarter turns of the crops")
    sensor_dropout: Share = Field(
        0.0, description="share of samples in which SMAP or AMSR2 is made missing, so that the net can do without"
    )
    select: Literal["reanalysis", "stations", "both"] = Field("both", description="labels whose MCC picks the epoch")
    precision: Literal["float32", "bfloat16"] = Field(
        "float32", description="of the net's activations; weights and loss are float32 always"
    )
    seed: int = Field(1, description="of weights, crops and order")


class NorthSplitTable(SplitTable):
    """As of every system, with stations that calibrate."""

    calibration_stations: Share = Field(
        0.0, description="share of stations that only calibrate, drawn beside heldout_stations"
    )


class PredictTable(Table):
    """The record."""

    method: Literal["net", "reanalysis"] = Field("net", description="the trained net, or the reanalysis' own state")
    low_confidence: Share = Field(0.1, description="flagged when |p - 0.5| is smaller")
    calibrate: Literal["none", "temperature", "platt", "isotonic"] = Field(
        "none", description="scaling of probabilities at stations of their own; kept where it is sure to help"
    )
    more_grids: tuple[GridName, ...] = Field((), description="further whole grids for a reanalysis record")
    withhold: tuple[Instrument, ...] = Field(
        (), description="sensors without which the net makes a further record each, to be scored beside"
    )
    precision: Precision = Field("float32", description=PRECISION)


class ValidateTable(Table):
    """How the evidence is counted."""

    block_days: Positive = Field(30, description="block of the bootstrap in time, days")
    resamples: Positive = Field(500, description="bootstrap resamples")
    confidence: Annotated[float, Field(gt=0, lt=1)] = Field(0.95, description="of the intervals")
    climatology_days: Annotated[int, Field(ge=0)] = Field(7, description="half window of the day-of-year climatology")
    domain_days: tuple[NotNegative, NotNegative] = Field(
        (5, 360), description="fewest and most frozen days a year of the cells of stratum `domain`, by the reanalysis"
    )
    seed: int = Field(1, description="of the bootstrap")


class ReportTable(Table):
    """What is drawn and written for people."""

    days: tuple[Day, Day, Day, Day] | None = Field(None, description="four days of the maps; else one a season")
    picture: str | None = Field(None, description="an undated SMAP freeze/thaw GeoTIFF shown beside the record")


class North(Table):
    """The whole file."""

    system: Literal["north"] = Field("north", description="which system")
    title: str = Field(description="what the report is called")
    grid: GridTable = GridTable()
    period: PeriodTable
    twin: TwinTable | None = None
    inputs: InputsTable = InputsTable()
    assemble: AssembleTable = AssembleTable()
    labels: LabelsTable = LabelsTable()
    split: NorthSplitTable | None = None
    train: TrainTable | None = None
    predict: PredictTable = PredictTable()
    classics: ClassicsTable = ClassicsTable()
    validate_: ValidateTable | None = Field(None, alias="validate")
    report: ReportTable = ReportTable()
    export: ExportTable = ExportTable()

    @model_validator(mode="after")
    def _fits(self) -> North:
        if self.twin is not None and self.grid.name != "N09":
            raise ValueError('[twin] writes SMAP files of a window of N09: grid.name must be "N09"')
        if self.predict.method == "net" and self.train is None:
            raise ValueError('predict.method = "net" needs a [train] table')
        if self.predict.method == "reanalysis" and self.train is not None:
            raise ValueError('predict.method = "reanalysis" leaves the [train] table without use: take one of them out')
        if self.predict.method == "reanalysis" and self.predict.calibrate != "none":
            raise ValueError('predict.calibrate is for predict.method = "net"')
        if self.predict.method == "net" and self.predict.more_grids:
            raise ValueError('predict.more_grids is for predict.method = "reanalysis"')
        if len({*self.predict.withhold}) < len(self.predict.withhold):
            raise ValueError("predict.withhold names a sensor twice")
        if self.predict.withhold and self.train is not None:
            seen = {who for who, bands in INSTRUMENTS.items() if any(c[:-1] in bands for c in self.train.inputs)}
            if not {*self.predict.withhold} <= seen or len(seen) < 2:
                raise ValueError(f"predict.withhold takes one of several sensors away; the net sees {sorted(seen)}")
        if self.predict.method == "reanalysis" and self.predict.withhold:
            raise ValueError('predict.withhold is for predict.method = "net"')
        if self.train is not None and self.split is None:
            raise ValueError("[train] needs a [split] table")
        if self.labels.time == "observed" and self.inputs.smap is None:
            raise ValueError('labels.time = "observed" takes the minutes of SMAP files: it needs inputs.smap')
        if self.labels.soft and self.labels.freezing is not None:
            raise ValueError("labels.soft and labels.freezing are two answers to one question: take one of them out")
        if self.train is None and (self.labels.soft or self.labels.band or self.labels.freezing is not None):
            raise ValueError("labels.soft, band and freezing only teach: they need a [train] table")
        calibrating = self.split is not None and self.split.calibration_stations > 0
        if calibrating != (self.predict.calibrate != "none"):
            raise ValueError("predict.calibrate needs split.calibration_stations above 0, and these need it")
        if self.split is not None and self.split.heldout_stations + self.split.calibration_stations > 1:
            raise ValueError("split.heldout_stations and split.calibration_stations are shares of one whole")
        asked = [*(self.report.days or ()), *(day for span in self.export.cog for day in span)]
        outside = [day for day in asked if not self.period.start <= day <= self.period.end]
        if outside:
            raise ValueError(f"report.days and export.cog must lie within period: {', '.join(outside)}")
        if self.classics.records() and self.validate_ is None:
            raise ValueError("[classics] needs a [validate] table: it is that step which makes and scores them")
        if self.train is not None:
            unknown = {c for s in (self.train.inputs, *self.train.compare) for c in s} - set(self.assemble.channels)
            if unknown:
                raise ValueError(f"train.inputs {sorted(unknown)} are not in assemble.channels")
        if lost := self.classics.lacking(self.assemble.channels):
            raise ValueError(f"assemble.channels lacks what [classics] asks for: {lost}")
        return self
