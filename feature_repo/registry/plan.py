"""What applying the definitions would change, and whether it may; pure."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from feature_repo.registry.contract import (
    COMPUTATION,
    Bump,
    FieldChange,
    actual_bump,
    asked_bump,
    bumped,
)
from feature_repo.registry.lifecycle import can_come_back
from feature_repo.registry.metadata import FeatureVersion, Status

_PUBLISHED = (Status.ACTIVE, Status.DEPRECATED, Status.RETIRED)


class Kind(StrEnum):
    """What happens to a feature version."""

    ADDED = "added"
    CHANGED = "changed"
    RETIRED = "retired"
    REMOVED = "removed"


@dataclass(frozen=True)
class Definitions:
    """
    All that is defined, or deployed.

    Attributes:
        features: Feature versions.
        services: References by feature service name.
        fingerprints: Of the computations, by reference.
    """

    features: Sequence[FeatureVersion]
    services: Mapping[str, Sequence[str]]
    fingerprints: Mapping[str, str]


@dataclass(frozen=True)
class Change:
    """
    What happens to one feature version.

    Attributes:
        feature: As it will be; as it was, if it is removed.
        kind: What happens to it.
        fields: What is different: from what is deployed, or, for an added version, from the newest
            one before it.
        asked: Which part of the version has to rise for it.
        problem: Why it may not be; None if it may.
        hint: What to do instead.
        consumers: Feature versions, feature services and serving rules that name the version.
    """

    feature: FeatureVersion
    kind: Kind
    fields: Sequence[FieldChange] = ()
    asked: Bump = Bump.NONE
    problem: str | None = None
    hint: str = ""
    consumers: Sequence[str] = ()


@dataclass(frozen=True)
class ServiceChange:
    """References that join and leave a feature service."""

    name: str
    joining: Sequence[str]
    leaving: Sequence[str]


@dataclass(frozen=True)
class Plan:
    """What applying the definitions would change."""

    changes: Sequence[Change]
    services: Sequence[ServiceChange] = field(default=())

    @property
    def violations(self) -> list[Change]:
        """Changes that may not be."""
        return [change for change in self.changes if change.problem]


def plan(
    defined: Definitions,
    deployed: Definitions,
    *,
    rules: Mapping[str, Sequence[str]],
    now: datetime,
    trusts_fingerprints: bool = True,
) -> Plan:
    """
    Return what applying the definitions would change.

    Args:
        defined: What is to be.
        deployed: What is.
        rules: By reference, the serving rules that rely on it.
        now: Decides whether a retired version could come back.
        trusts_fingerprints: Whether another fingerprint means another computation; a new release of
            the library that compiles them changes all at once.
    """
    was = {feature.reference: feature for feature in deployed.features}
    will_be = {feature.reference: feature for feature in defined.features}
    fingerprints = (
        (deployed.fingerprints, defined.fingerprints) if trusts_fingerprints else ({}, {})
    )

    def consumers(reference: str) -> list[str]:
        return consumers_of(reference, defined, rules)

    changes = [
        _added(feature, list(will_be.values()), defined.fingerprints, consumers(reference))
        for reference, feature in will_be.items()
        if reference not in was
    ]
    for reference in [reference for reference in will_be if reference in was]:
        before, after = was[reference], will_be[reference]
        fields = _field_changes(before, after, *(each.get(reference, "") for each in fingerprints))
        if fields:
            changes.append(_changed(before, after, fields, consumers(reference)))
    changes += [
        _removed(feature, consumers(reference), now)
        for reference, feature in was.items()
        if reference not in will_be
    ]
    return Plan(changes, _service_changes(defined.services, deployed.services))


def consumers_of(
    reference: str, definitions: Definitions, rules: Mapping[str, Sequence[str]]
) -> list[str]:
    """
    Return who uses a feature version, in words.

    Args:
        reference: The version.
        definitions: Retired versions use nothing any more.
        rules: By reference, the serving rules that rely on it.
    """
    features = [
        f"feature {feature.reference}"
        for feature in definitions.features
        if reference in feature.dependencies and feature.status is not Status.RETIRED
    ]
    services = [
        f"feature service {name}"
        for name, members in definitions.services.items()
        if reference in members
    ]
    return [*features, *services, *rules.get(reference, ())]


def _added(
    feature: FeatureVersion,
    features: Sequence[FeatureVersion],
    fingerprints: Mapping[str, str],
    consumers: Sequence[str],
) -> Change:
    older = [
        other
        for other in features
        if other.feature_name == feature.feature_name
        and other.parsed_version < feature.parsed_version
    ]
    if not older:
        return Change(feature, Kind.ADDED, consumers=consumers)
    before = max(older, key=lambda other: other.parsed_version)
    fields = [
        change
        for change in _field_changes(
            before, feature, *(fingerprints.get(f.reference, "") for f in (before, feature))
        )
        if change.bump
    ]
    asked = asked_bump(fields)
    problem = None
    if actual_bump(before, feature) < asked:
        names = ", ".join(change.field for change in fields if change.bump is asked)
        problem = f"{names} differs from {before.reference}, which asks for a new {asked.name}"
    hint = f"Make it {bumped(before.version, asked)}."
    return Change(feature, Kind.ADDED, fields, asked, problem, hint, consumers)


def _changed(
    before: FeatureVersion,
    after: FeatureVersion,
    fields: Sequence[FieldChange],
    consumers: Sequence[str],
) -> Change:
    is_retired = after.status is Status.RETIRED and before.status is not Status.RETIRED
    kind = Kind.RETIRED if is_retired else Kind.CHANGED
    asked = asked_bump(fields)
    problem, hint = None, ""
    if before.status in _PUBLISHED and after.status is Status.STAGED:
        problem = "a published version can't be staged again"
        hint = "Deprecate it, and publish another."
    elif before.status in _PUBLISHED and asked:
        names = ", ".join(change.field for change in fields if change.bump)
        problem = f"{names} changed, but the version is published"
        hint = f"Leave it as it was, and add {bumped(after.version, asked)}."
    elif is_retired and consumers:
        problem = f"it is retired, but used by {', '.join(consumers)}"
        hint = "Move them to another version first."
    return Change(after, kind, fields, asked, problem, hint, consumers)


def _removed(feature: FeatureVersion, consumers: Sequence[str], now: datetime) -> Change:
    problem = None
    hint = "Define it again, deprecate it, and retire it: `python -m feature_repo retire --help`."
    if consumers:
        problem = f"it is not defined any more, but used by {', '.join(consumers)}"
    elif feature.status not in (Status.STAGED, Status.RETIRED):
        problem = f"it is {feature.status} and not defined any more"
    elif feature.status is Status.RETIRED and can_come_back(feature, now=now):
        problem = "it is not defined any more, but was retired lately, and has its values still"
        hint = "Define it until `python -m feature_repo remove-retired` has removed them."
    return Change(feature, Kind.REMOVED, problem=problem, hint=hint, consumers=consumers)


def _field_changes(
    before: FeatureVersion, after: FeatureVersion, fingerprint_before: str, fingerprint_after: str
) -> list[FieldChange]:
    first, second = (feature.model_dump(mode="json") for feature in (before, after))
    changes = [
        FieldChange(name, _text(first[name]), _text(second[name]))
        for name in second
        if name != "version" and first[name] != second[name]
    ]
    # What was applied before there were fingerprints has none.
    if fingerprint_before and fingerprint_after and fingerprint_before != fingerprint_after:
        changes.append(FieldChange(COMPUTATION, fingerprint_before[:12], fingerprint_after[:12]))
    return changes


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)


def _service_changes(
    defined: Mapping[str, Sequence[str]], deployed: Mapping[str, Sequence[str]]
) -> list[ServiceChange]:
    changes = []
    for name in sorted({*defined, *deployed}):
        was, will_be = deployed.get(name, ()), defined.get(name, ())
        joining = [reference for reference in will_be if reference not in was]
        leaving = [reference for reference in was if reference not in will_be]
        if joining or leaving:
            changes.append(ServiceChange(name, joining, leaving))
    return changes
