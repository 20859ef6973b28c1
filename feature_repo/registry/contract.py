"""What users of a feature version rely on, and what a change of it asks of the version; pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import semver

from feature_repo.registry.metadata import FeatureVersion

COMPUTATION = "computation fingerprint"


class Bump(IntEnum):
    """Which part of a version has to rise, at least."""

    NONE = 0
    PATCH = 1
    MINOR = 2
    MAJOR = 3


# By field, what a change of it asks for. Of the fields that are not here users see nothing: texts,
# dates, the life of the version, when and how it is computed, and what the quality gate demands.
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
        return _ASKED.get(self.field, Bump.NONE)


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


def bumped(version: str, bump: Bump) -> str:
    """Return the least version that rises in a part; a version itself for none."""
    parsed = semver.Version.parse(version)
    rises = {
        Bump.MAJOR: parsed.bump_major,
        Bump.MINOR: parsed.bump_minor,
        Bump.PATCH: parsed.bump_patch,
    }
    return str(rises[bump]()) if bump in rises else version
