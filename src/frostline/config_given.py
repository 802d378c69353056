"""The experiment file of given records: nothing is made, what real files say is compared, counted and drawn."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from frostline.config_tables import NotNegative, PeriodTable, Positive, Share, Table

Month = Annotated[int, Field(ge=1, le=12)]
Box = tuple[float, float, float, float]


class GivenInputs(Table):
    """Where each record lies, relative to `root`; at least one."""

    root: str = Field(".", description="data root; ${NAME} is taken from the environment")
    uscrn: str | None = Field(None, description="USCRN daily01 file or folder: soil, air and skin of stations")
    basin: str | None = Field(None, description="netCDF of daily air temperature extremes of one place")
    melt: str | None = Field(None, description="NPZ of Antarctic surface melt")

    @model_validator(mode="after")
    def _some(self) -> GivenInputs:
        if self.uscrn is None and self.basin is None and self.melt is None:
            raise ValueError("name at least one of uscrn, basin and melt")
        return self


class StatesTable(Table):
    """How temperatures become states, and which stations count."""

    threshold: float = Field(273.15, description="frozen below this temperature, K")
    least_days: Positive = Field(300, description="days of soil temperature that a station must have")


class GivenCollocateTable(Table):
    """Collocation of soil, air and skin, and their direct scores."""

    block_days: Positive = Field(30, description="block of the bootstrap in time, days")
    resamples: Positive = Field(500, description="bootstrap resamples")
    confidence: Annotated[float, Field(gt=0, lt=1)] = Field(0.9, description="of the collocation's intervals")
    seed: int = Field(1, description="of the bootstrap")


class GivenSeasonTable(Table):
    """Days in the state, onset, offset and length year by year, and their trends."""

    start_month: Month = Field(8, description="first month of the year counted; 1: calendar")
    months: tuple[Month, ...] = Field(tuple(range(1, 13)), description="months that are counted")
    rule: Literal["12of15", "3days"] = Field("12of15", description="when a season begins and ends")
    min_valid: Annotated[Share, Field(gt=0)] = Field(0.5, description="share of a month's days that must be known")
    sensors: tuple[int, ...] = Field((), description="years from which on another sensor measured: tested for a step")
    regions: dict[str, Box] = Field({}, description="boxes (west, east, south, north), degrees, beside the whole")
    correction: Literal["yue-wang", "none"] = Field("yue-wang", description="of Mann-Kendall for lag-1 persistence")
    confidence: Annotated[float, Field(gt=0, lt=1)] = Field(0.95, description="of the intervals")


class GivenReportTable(Table):
    """What is drawn."""

    station: str | None = Field(None, description="WBAN number of the station whose year is drawn; else the worst read")
    marked: Annotated[NotNegative, Field(lt=1)] = Field(
        0.05, description="cells of a trend map are marked below this false discovery rate"
    )


class Given(Table):
    """The whole file."""

    system: Literal["given"] = Field("given", description="records that are given, not made")
    title: str = Field(description="what the report is called")
    period: PeriodTable | None = Field(None, description="days that are used; else all of the files")
    inputs: GivenInputs
    states: StatesTable = StatesTable()
    collocate: GivenCollocateTable = GivenCollocateTable()
    season: GivenSeasonTable = GivenSeasonTable()
    report: GivenReportTable = GivenReportTable()
