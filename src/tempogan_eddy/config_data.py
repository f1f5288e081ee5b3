"""The sections of a configuration that describe data: their split, own pairs, and how files become kelvin."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from tempogan_eddy.errors import InputError
from tempogan_eddy.io.times.cadence import NATIVE, parse_duration
from tempogan_eddy.kelvin import GREY_KELVIN, SCALED_KELVIN, VALID_KELVIN

__all__ = ["DataConfig", "PairsConfig", "Section", "SplitConfig"]

KelvinRange = tuple[float, float]


class Section(BaseModel):
    """A part of a configuration; unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", validate_assignment=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _no_switch_for_a_number(cls, value: Any, info: ValidationInfo) -> Any:
        field = cls.model_fields[str(info.field_name)]
        if isinstance(value, bool) and field.annotation is not bool:
            raise ValueError("a number or text is needed here, not true or false")
        return value


def _time_span(value: str, other: str = "") -> str:
    try:
        parse_duration(value)
    except InputError:
        raise ValueError(f"'{value}' is not a time span; write it like 1h, 30min or 30s{other}") from None
    return value


class SplitConfig(Section):
    """Which frames train, validate and test; never by shuffled frames."""

    by: Literal["auto", "folder", "storm", "season", "time"] = Field(
        "auto",
        description="auto: the folders train, val, test where they exist, else by storm from five on, else by time",
    )
    validation_fraction: float = Field(0.15, gt=0, lt=1, description="share of storms, seasons or time")
    test_fraction: float = Field(0.15, ge=0, lt=1, description="share of storms, seasons or time")
    guard_hours: float = Field(12.0, ge=0, description="hours left unused between splits of one storm")
    seed: int = Field(0, description="decides which storms go where")
    rules: dict[Literal["train", "val", "test"], list[str]] = Field(
        default_factory=dict,
        description="storms placed by hand: 'NAME' or 'NAME start/end' (.. is open, * and ? match); the first "
        "match wins and frames of a named storm that no rule takes stay unused",
    )

    @model_validator(mode="after")
    def _something_left(self) -> SplitConfig:
        if self.validation_fraction + self.test_fraction >= 1:
            raise ValueError("validation_fraction + test_fraction must stay below 1 so that something is left to train")
        return self


class PairsConfig(Section):
    """Lowres frames that another instrument saw, in place of simulated ones."""

    lowres: str | list[str] = Field(description="the lowres archive: a folder, file or glob, or a list of such")
    highres: str | list[str] | None = Field(None, description="the highres archive; training.data_root if null")
    tolerance: str | None = Field(
        None, description="how far apart in time the frames of a pair may be, e.g. 10min; data.time_tolerance if null"
    )
    offset: Literal["estimate"] | tuple[float, float] = Field(
        "estimate",
        description="estimate, or [y, x]: how far the footprints of the lowres frames lie below and to the right of "
        "where their grid says, in lowres pixels",
    )
    calibrate: bool = Field(
        True, description="fit lowres = a + b highres and put the highres frames on the calibration of the lowres ones"
    )
    sensor_known: bool = Field(
        False, description="section sensor describes the lowres instrument, so the output keeps its values"
    )

    @field_validator("tolerance")
    @classmethod
    def _is_time_span(cls, value: str | None) -> str | None:
        return value if value is None else _time_span(value)


READER_KEYS = ("variable", "select", "grey_kelvin", "cadence", "unreadable", "time_from", "valid_kelvin")
"""Keys of `DataConfig` that `tempogan_eddy.io.open_sequence` takes."""


class DataConfig(Section):
    """How files become kelvin and windows."""

    kelvin_range: KelvinRange = Field(SCALED_KELVIN, description="the kelvins that scale to 0 and 1; never per frame")
    cadence: str = Field(
        "1h", description="time between the frames of a window, e.g. 1h, 30min; native: each sequence's own"
    )
    time_tolerance: str | None = Field(
        None, description="how far two times may differ and still be the same, e.g. 30s; a tenth of the cadence if null"
    )
    grey_kelvin: KelvinRange = Field(
        GREY_KELVIN, description="PNG only: kelvin at black and at white (swap them where cold is white)"
    )
    variable: str | None = Field(None, description="NetCDF and Zarr: the variable, where CF attributes do not tell")
    select: dict[str, int | float | str] = Field(
        default_factory=dict,
        description="NetCDF and Zarr: one of several along a dimension beside time and the grid, e.g. {'band': 13}",
    )
    time_from: Literal["auto", "attributes", "name"] = Field(
        "auto", description="NetCDF and Zarr: where a frame without a time coordinate has its time from"
    )
    valid_kelvin: KelvinRange = Field(
        VALID_KELVIN, description="values from the first on and below the second are valid, all others missing"
    )
    unreadable: Literal["error", "gap"] = Field(
        "error", description="what cannot be read: an error; or a gap: a file is left out, a frame within one missing"
    )
    max_missing: float = Field(0.1, ge=0, lt=1, description="patches with a larger missing share are refused")
    cache_dir: str = Field("./cache", description="where raw folders are packed, once")
    draws: dict[str, Annotated[int, Field(ge=0)]] = Field(
        default_factory=dict,
        description="how often a pass over the training data draws each window of a storm, e.g. {'200717': 2}; 1 where "
        "no name matches (* and ? match, the first match wins)",
    )
    split: SplitConfig = SplitConfig()
    pairs: PairsConfig | None = Field(
        None, description="lowres frames of your own: data.pairs.lowres and further keys; null: simulated"
    )

    def reader_options(self) -> dict[str, Any]:
        """Return the options of `tempogan_eddy.io.open_sequence`, except storm and format."""
        return {key: getattr(self, key) for key in READER_KEYS}

    @field_validator("kelvin_range", "valid_kelvin")
    @classmethod
    def _rises(cls, value: KelvinRange) -> KelvinRange:
        if not 0 < value[0] < value[1]:
            raise ValueError(f"the range must rise from a positive kelvin, not {list(value)}")
        return value

    @field_validator("cadence", "time_tolerance")
    @classmethod
    def _is_time_span(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is None or (info.field_name == "cadence" and value == NATIVE):
            return value
        return _time_span(value, ", or native" if info.field_name == "cadence" else "")

    @field_validator("grey_kelvin")
    @classmethod
    def _differ(cls, value: KelvinRange) -> KelvinRange:
        if value[0] == value[1] or not 0 <= min(value) < max(value) <= 65535:
            raise ValueError("two different kelvins from 0 to 65535 are needed, one at black and one at white")
        return value
