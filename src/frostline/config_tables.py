"""What every experiment file shares: strict tables, days, the grid, the period, the split, the exports."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator


def _real_day(text: str) -> str:
    date.fromisoformat(text)  # a ValueError says what is wrong: month out of range, day out of range
    return text


Day = Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$"), AfterValidator(_real_day)]
Span = tuple[Day, Day]
Share = Annotated[float, Field(ge=0, le=1)]
Box = tuple[Share, Share, Share, Share]
Positive = Annotated[int, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
GridName = Literal["N09", "N36", "M09", "M36", "M25", "ML25"]
Precision = Literal["float32", "bfloat16"]
PRECISION = (
    "of the nets' arithmetic; bfloat16, where the machine has it, is faster and moves probabilities by some 0.001"
)
Channel = Literal["tb_1v", "tb_1h", "tb_18v", "tb_18h", "tb_36v", "tb_36h"]
CHANNELS: tuple[Channel, ...] = ("tb_1v", "tb_1h", "tb_18v", "tb_18h", "tb_36v", "tb_36h")


class Table(BaseModel):
    """A table of the experiment file: strict types, no unknown key, not changed after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=False, validate_default=True)


class GridTable(Table):
    """The record's grid, or a window of it."""

    name: GridName = Field("N09", description="whole grid")
    center: tuple[float, float] | None = Field(None, description="longitude, latitude of the window's middle cell")
    shape: tuple[Positive, Positive] | None = Field(None, description="rows, columns of the window")

    @model_validator(mode="after")
    def _both(self) -> GridTable:
        if (self.center is None) != (self.shape is None):
            raise ValueError("a window needs both center and shape")
        return self


class PeriodTable(Table):
    """First and last local date of the record, both included."""

    start: Day = Field(description="first local date")
    end: Day = Field(description="last local date")


class SplitTable(Table):
    """Days and cells that teach, choose and judge; overlap is an error."""

    train: tuple[Span, ...] = Field(description="first and last days of training")
    validation: tuple[Span, ...] = Field(description="days that choose the epoch")
    heldout: tuple[Span, ...] = Field(description="days that judge")
    heldout_boxes: tuple[Box, ...] = Field((), description="top, left, bottom, right shares kept from training")
    validation_boxes: tuple[Box, ...] = Field((), description="boxes whose cells choose the epoch")
    heldout_stations: Share = Field(0.25, description="share of stations that never teach")
    station_block: Annotated[int, Field(ge=1)] = Field(
        1, description="stations of a block of so many by so many cells have one role"
    )
    station_buffer: Annotated[int, Field(ge=0)] = Field(
        0, description="cells around stations that judge whose other stations teach nobody"
    )
    buffer_days: Annotated[int, Field(ge=0)] = Field(10, description="days given up between roles")
    buffer_cells: Annotated[int, Field(ge=0)] = Field(4, description="cells given up around boxes")


class ExportTable(Table):
    """Files for others."""

    netcdf: bool = Field(True, description="one CF netCDF file a year")
    cog: tuple[Span, ...] = Field((), description="days also written as Cloud Optimized GeoTIFFs")
    polarity: Literal["frozen", "thaw"] = Field("frozen", description="which probability is written")
    combined: bool = Field(True, description="also AM and PM in one layer: frozen, thawed, transitional, inverse")
