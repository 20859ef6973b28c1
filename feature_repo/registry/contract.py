"""What users of a feature version rely on, and what a change of it asks of the version; pure."""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

import semver

from feature_repo.registry.metadata import FeatureVersion

COMPUTATION = "computation fingerprint"
_FREQUENCY = "computation_frequency"
_NONE = "null"
_SHOWN_DIGITS = 12


class Bump(IntEnum):
    """Which part of a version has to rise, at least."""

    NONE = 0
    PATCH = 1
    MINOR = 2
    MAJOR = 3


# By field, what a change of it asks for. Of the fields that are not here users see nothing: texts,
# tags, dates, the life of the version, and what the quality gate and the alerts demand.
_ASKED = {
    "feature_type": Bump.MAJOR,
    "entity": Bump.MAJOR,
    "join_keys": Bump.MAJOR,
    "vector_length": Bump.MAJOR,
    "computation": Bump.MINOR,
    "parameters": Bump.MINOR,
    "source": Bump.MINOR,
    "dependencies": Bump.MINOR,
    "default_values_of": Bump.MINOR,
    COMPUTATION: Bump.MINOR,
    "default": Bump.PATCH,
    "valid_range": Bump.PATCH,
    "staleness_tolerance": Bump.PATCH,
    # Which values training finds at an instant follows from it; and how fast values come from this.
    "history_interval": Bump.PATCH,
    "serving_location": Bump.PATCH,
}


_RISES: Mapping[Bump, Callable[[semver.Version], semver.Version]] = {
    Bump.MAJOR: semver.Version.bump_major,
    Bump.MINOR: semver.Version.bump_minor,
    Bump.PATCH: semver.Version.bump_patch,
}


@dataclass(frozen=True)
class FieldChange:
    """A field, and its values as JSON texts before and after."""

    field: str
    before: str
    after: str

    @property
    def bump(self) -> Bump:
        """What the change asks of the version."""
        # Another frequency is the job's own affair; with a job or without are different values.
        if self.field == _FREQUENCY and _NONE in (self.before, self.after):
            return Bump.MINOR
        return _ASKED.get(self.field, Bump.NONE)


def field_changes(
    before: FeatureVersion,
    after: FeatureVersion,
    fingerprint_before: str = "",
    fingerprint_after: str = "",
) -> list[FieldChange]:
    """
    Return in which fields, and in which computation, two versions of one feature differ.

    Args:
        before: The one.
        after: The other.
        fingerprint_before: Of the computation; "": nobody knows.
        fingerprint_after: The same.
    """
    first, second = (feature.model_dump(mode="json") for feature in (before, after))
    changes = [
        FieldChange(name, _text(first[name]), _text(second[name]))
        for name in second
        if name != "version" and first[name] != second[name]
    ]
    if fingerprint_before and fingerprint_after and fingerprint_before != fingerprint_after:
        shown = (each[:_SHOWN_DIGITS] for each in (fingerprint_before, fingerprint_after))
        changes.append(FieldChange(COMPUTATION, *shown))
    return changes


def asked_bump(changes: Sequence[FieldChange]) -> Bump:
    """Return what all changes together ask of the version."""
    return max((change.bump for change in changes), default=Bump.NONE)


def actual_bump(before: FeatureVersion, after: FeatureVersion) -> Bump:
    """Return which part of the version rose between two versions of one feature."""
    first, second = before.parsed_version, after.parsed_version
    if second.major != first.major:
        return Bump.MAJOR
    # Before 1.0.0 every MINOR may break (semver.org, 4).
    if second.minor != first.minor:
        return Bump.MAJOR if second.major == 0 else Bump.MINOR
    return Bump.PATCH if second != first else Bump.NONE


def free_version(version: str, bump: Bump, taken: Collection[str]) -> str:
    """
    Return the least version that rises in a part, and that is not there yet.

    Args:
        version: What it rises from.
        bump: The part that rises; at least PATCH.
        taken: Versions that are there.
    """
    rise = _RISES[bump]
    free = rise(semver.Version.parse(version))
    while str(free) in taken:
        free = rise(free)
    return str(free)


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)
