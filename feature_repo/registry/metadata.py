"""What every feature version says about itself, validated when its definition is imported."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any, Literal, Self

import semver
from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    PositiveInt,
    StringConstraints,
    model_validator,
)

from feature_repo.registry.alert_limits import AlertLimits
from feature_repo.registry.drift_limits import DriftLimits
from feature_repo.registry.expectations import Expectations

Default = float | str | tuple[float, ...] | Mapping[str, float] | None

# Single underscores only: `__` joins view and feature in Feast's full names.
Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9]*(_[a-z0-9]+)*$")]
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
PositiveDuration = Annotated[timedelta, Field(gt=timedelta(0))]


class FeatureType(StrEnum):
    """The types a feature's value can have."""

    FLOAT = "float"
    STRING = "string"
    VECTOR = "vector"
    MAP = "map"


class Status(StrEnum):
    """Where a version is in its life."""

    STAGED = "staged"
    ACTIVE = "active"
    DEPRECATED = "deprecated"
    RETIRED = "retired"


class FeatureVersion(BaseModel):
    """
    One version of one feature: the unit that is computed, stored, served and retired.

    Durations are `timedelta`s; `version` is a semantic version without a `v`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    feature_name: Name
    version: str
    feature_type: FeatureType
    description: Text
    entity: Name
    join_keys: tuple[Name, ...] = Field(min_length=1)
    computation: Name = Field(description="Module in `transformations.computations`.")
    parameters: Mapping[str, float] = Field(
        default_factory=dict, description="Keyword arguments of the computation."
    )
    source: tuple[Text, ...] = Field(
        min_length=1, description="Tables, or other outputs, that the computation reads."
    )
    owner: Text
    status: Status
    created_at: AwareDatetime
    updated_at: AwareDatetime
    default: Default
    default_values_of: str | None = Field(
        default=None,
        description="Of a map: the version whose latest values, by entity id, are the default "
        "once they are known; `default` until then.",
    )
    staleness_tolerance: PositiveDuration
    computation_frequency: PositiveDuration | None = Field(
        description="How often the job runs; None: computed on demand only, for each request."
    )
    history_interval: PositiveDuration = Field(
        description="How often a run is appended to the history that training reads."
    )
    job: Name | None = Field(
        default=None,
        description="Versions that name one job are computed and published together.",
    )
    tags: tuple[Name, ...] = Field(default=(), description="Words to find the feature by.")
    serving_location: tuple[Literal["redis", "postgres"], ...] = ("redis", "postgres")
    dependencies: tuple[str, ...] = Field(
        default=(), description="Feature versions this one is computed from: 'name==1.0.0'."
    )
    valid_range: tuple[float, float] | None = Field(
        default=None, description="Least and greatest value; of each item of a map or vector."
    )
    vector_length: PositiveInt | None = None
    deprecated_at: AwareDatetime | None = Field(
        default=None, description="Since when the version should not be used any more."
    )
    sunset_at: AwareDatetime | None = Field(
        default=None, description="When a deprecated version will be retired."
    )
    retired_at: AwareDatetime | None = Field(
        default=None,
        description="Since when a retired version is computed and served no more: when that was "
        "deployed, whatever a definition says.",
    )
    forced: bool = Field(
        default=False, description="Whether it was to be retired although it was served lately."
    )
    decided_at: AwareDatetime | None = Field(
        default=None, description="When it was decided last where it is in its life."
    )
    replaced_by: str | None = Field(
        default=None, description="What to use instead of a deprecated version: 'name==2.0.0'."
    )
    expectations: Expectations = Expectations()
    drift: DriftLimits = DriftLimits()
    alerts: AlertLimits = AlertLimits()

    @model_validator(mode="after")
    def _check(self) -> Self:
        for problem in (
            _name_problem(self.feature_name),
            _version_problem(self.version),
            _default_problem(self.default, self.feature_type, self.vector_length),
            _range_problem(self.valid_range, self.feature_type),
            _vector_problem(self.vector_length, self.feature_type),
            _dates_problem(self.created_at, self.updated_at),
            _deprecation_problem(self.status, self.deprecated_at, self.sunset_at),
            _replacement_problem(self.reference, self.replaced_by),
            _retirement_problem(self.status, self.retired_at, forced=self.forced),
            _default_source_problem(self.default_values_of, self.feature_type, self.dependencies),
        ):
            if problem is not None:
                field, message = problem
                raise ValueError(f"{field}: {message}")
        return self

    def with_changes(self, **fields: object) -> Self:
        """
        Return a version that differs in some fields: `model_copy`, but checked.

        Raises:
            pydantic.ValidationError: There is no such version.
        """
        return self.model_validate({**self.model_dump(), **fields})

    @property
    def view_name(self) -> str:
        """Name of the Feast feature view: `popularity_score_v1_0_0`."""
        return view_name_of(self.reference)

    @property
    def reference(self) -> str:
        """What dependencies and feature services write: `popularity_score==1.0.0`."""
        return f"{self.feature_name}=={self.version}"

    @property
    def job_name(self) -> str:
        """Name of the job that computes this version: `popularity_score==1.0.0`."""
        return f"{self.job or self.feature_name}=={self.version}"

    @property
    def look_back(self) -> timedelta:
        """
        How old a value of the history may be to count at an instant: Feast's `ttl`.

        Values are appended once in `history_interval` and good for `staleness_tolerance`, so the
        newest one is never older than their sum unless a run is missing.
        """
        return self.history_interval + self.staleness_tolerance

    @property
    def parsed_version(self) -> semver.Version:
        """The version, comparable."""
        return semver.Version.parse(self.version)


def view_name_of(reference: str) -> str:
    """Return the name of the Feast feature view of a feature version."""
    return reference.replace("==", "_v").replace(".", "_")


@dataclass(frozen=True)
class ComputationFacts:
    """
    What was found out about the computation of a feature version when it was applied.

    Attributes:
        fingerprint: Digest of what it compiles to, with its parameters; "": nobody looked.
        columns: What it reads, by source table; a table that is missing may be read whole.
        tables: What its source tables have, by table; one that is missing: nobody looked.
    """

    fingerprint: str = ""
    columns: Mapping[str, Sequence[str]] = field(default_factory=dict)
    tables: Mapping[str, Sequence[str]] = field(default_factory=dict)


UNKNOWN_COMPUTATION = ComputationFacts()

Problem = tuple[str, str] | None


def _name_problem(feature_name: str) -> Problem:
    if feature_name in {"event_timestamp", "created_at", "entity_id"}:
        return "feature_name", f"{feature_name!r} is a column of Feast's historical queries"
    return None


def _version_problem(version: str) -> Problem:
    if not semver.Version.is_valid(version) or not version.replace(".", "").isdigit():
        return "version", f"{version!r} is not MAJOR.MINOR.PATCH, like '1.0.0'"
    return None


def _default_problem(
    default: Default, feature_type: FeatureType, vector_length: int | None
) -> Problem:
    if default is None:
        return None
    expected: dict[FeatureType, type[Any]] = {
        FeatureType.FLOAT: float,
        FeatureType.STRING: str,
        FeatureType.VECTOR: tuple,
        FeatureType.MAP: Mapping,
    }
    if not isinstance(default, expected[feature_type]):
        return "default", f"{default!r} is not a {feature_type}, the feature's type"
    if isinstance(default, tuple) and len(default) != vector_length:
        return "default", f"has {len(default)} items, the vector {vector_length}"
    return None


def _range_problem(valid_range: tuple[float, float] | None, feature_type: FeatureType) -> Problem:
    if valid_range is None:
        return None
    if feature_type is FeatureType.STRING:
        return "valid_range", "a string has none"
    if not valid_range[0] < valid_range[1]:
        return "valid_range", f"{valid_range} does not rise"
    return None


def _vector_problem(vector_length: int | None, feature_type: FeatureType) -> Problem:
    if (vector_length is not None) != (feature_type is FeatureType.VECTOR):
        return "vector_length", "must be given for a vector, and for nothing else"
    return None


def _dates_problem(created_at: datetime, updated_at: datetime) -> Problem:
    return ("updated_at", "is before created_at") if updated_at < created_at else None


def _deprecation_problem(
    status: Status, deprecated_at: datetime | None, sunset_at: datetime | None
) -> Problem:
    if status is Status.DEPRECATED and deprecated_at is None:
        return "deprecated_at", "must be given for a deprecated version"
    if status in {Status.STAGED, Status.ACTIVE} and (deprecated_at or sunset_at):
        return "deprecated_at", f"must not be given for a version that is {status}"
    if deprecated_at and sunset_at and sunset_at <= deprecated_at:
        return "sunset_at", "is not after deprecated_at"
    return None


def _replacement_problem(reference: str, replaced_by: str | None) -> Problem:
    return ("replaced_by", "is the version itself") if replaced_by == reference else None


def _retirement_problem(status: Status, retired_at: datetime | None, *, forced: bool) -> Problem:
    if status is not Status.RETIRED and (retired_at or forced):
        field = "retired_at" if retired_at else "forced"
        return field, f"must not be given for a version that is {status}"
    return None


def _default_source_problem(
    default_values_of: str | None, feature_type: FeatureType, dependencies: Sequence[str]
) -> Problem:
    if default_values_of is None:
        return None
    if feature_type is not FeatureType.MAP:
        return "default_values_of", "is for maps only"
    if default_values_of not in dependencies:
        return "default_values_of", f"{default_values_of!r} is not one of the dependencies"
    return None
