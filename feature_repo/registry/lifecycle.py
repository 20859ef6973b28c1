"""
Where each version is in its life, as far as that differs from its definition.

`lifecycle.yaml` says so: definitions stay as they were published, a command can change the file,
and a review sees one line.
"""

import os
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from feature_repo.registry.metadata import FeatureVersion, Status
from feature_repo.registry.validation import problems
from foundation.errors import ContractViolation, DefinitionError

LIFECYCLE_FILE = Path(__file__).resolve().parent.parent / "lifecycle.yaml"
# So long a retired version keeps its values, so that it can come back.
KEPT_AFTER_RETIREMENT = timedelta(days=7)
_FIELDS = ("status", "deprecated_at", "sunset_at", "replaced_by", "retired_at")
_HEADER = """\
# Where versions are in their life, if not where their definitions say.
# `python -m feature_repo promote|deprecate|retire|rollback` writes it; `make apply` deploys it.
"""

States = Mapping[str, Mapping[str, Any]]


def read_states(path: Path = LIFECYCLE_FILE) -> States:
    """
    Read the file; one that is not there says nothing.

    Raises:
        DefinitionError: It is no mapping of references to the fields of a life.
    """
    if not path.exists():
        return {}
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except yaml.YAMLError as error:
        raise DefinitionError(f"{path.name}: {error}") from error
    if not isinstance(content, dict):
        raise DefinitionError(f"{path.name}: holds no mapping of references to fields")
    for reference, fields in content.items():
        if not isinstance(fields, dict) or not fields.keys() <= set(_FIELDS):
            raise DefinitionError(
                f"{path.name}: {reference}: only {', '.join(_FIELDS)} can be said here"
            )
    return content


def with_states(features: Iterable[FeatureVersion], states: States) -> list[FeatureVersion]:
    """
    Return feature versions where the file says they are.

    Raises:
        DefinitionError: It names a version that is not defined, or says what can't be.
    """
    known = {feature.reference: feature for feature in features}
    for reference, fields in states.items():
        if reference not in known:
            raise DefinitionError(
                f"lifecycle.yaml: {reference!r} is not defined",
                hint=f"Defined are {', '.join(sorted(known))}.",
            )
        try:
            known[reference] = known[reference].with_changes(**fields)
        except ValidationError as error:
            raise DefinitionError(
                "\n".join(f"lifecycle.yaml: {reference}, {problem}" for problem in problems(error))
            ) from None
    return list(known.values())


def write_state(feature: FeatureVersion, path: Path = LIFECYCLE_FILE) -> None:
    """Write down, in one step, where a version is in its life; the others stay as they are."""
    said = {field: getattr(feature, field) for field in _FIELDS}
    fields = {name: _plain(value) for name, value in said.items() if value is not None}
    states = {**read_states(path), feature.reference: fields}
    text = _HEADER + yaml.safe_dump(dict(sorted(states.items())), sort_keys=False)
    # Beside the file, so that it takes its place in one step; with the rights of any other file.
    written = path.with_name(f".{path.name}.{os.getpid()}")
    written.write_text(text, encoding="utf-8")
    written.replace(path)


def promote(feature: FeatureVersion) -> FeatureVersion:
    """
    Return a staged version as an active one.

    Raises:
        ContractViolation: It is not staged.
    """
    _check(feature, "promoted", Status.STAGED)
    return _moved(feature, Status.ACTIVE)


def deprecate(
    feature: FeatureVersion, *, now: datetime, sunset_at: datetime | None, replaced_by: str | None
) -> FeatureVersion:
    """
    Return an active version as a deprecated one.

    Raises:
        ContractViolation: It is not active, or the sunset is not in the future.
    """
    _check(feature, "deprecated", Status.ACTIVE)
    if sunset_at is not None and sunset_at <= now:
        raise ContractViolation(f"the sunset {sunset_at.isoformat()} is not in the future")
    return _moved(
        feature,
        Status.DEPRECATED,
        deprecated_at=now,
        sunset_at=sunset_at,
        replaced_by=replaced_by,
    )


def retire(feature: FeatureVersion, *, now: datetime) -> FeatureVersion:
    """
    Return a version that is computed and served no more.

    Raises:
        ContractViolation: It is retired already.
    """
    _check(feature, "retired", Status.STAGED, Status.ACTIVE, Status.DEPRECATED)
    kept = {name: getattr(feature, name) for name in _FIELDS[1:4]}
    return _moved(feature, Status.RETIRED, **kept, retired_at=now)


def rollback(feature: FeatureVersion, *, now: datetime) -> FeatureVersion:
    """
    Return a deprecated or lately retired version as an active one.

    Raises:
        ContractViolation: It is neither, or its values may be gone.
    """
    _check(feature, "brought back", Status.DEPRECATED, Status.RETIRED)
    if not can_come_back(feature, now=now):
        raise ContractViolation(
            f"{feature.reference} was retired on {retired_on(feature):%Y-%m-%d}; its values are "
            "gone",
            hint="Publish it as a new version, and backfill that.",
        )
    return _moved(feature, Status.ACTIVE)


def can_come_back(feature: FeatureVersion, *, now: datetime) -> bool:
    """Tell whether a version has its values still: always, unless it was retired long ago."""
    kept = now - retired_on(feature) <= KEPT_AFTER_RETIREMENT
    return kept or feature.status is not Status.RETIRED


def retired_on(feature: FeatureVersion) -> datetime:
    """Return when a retired version was retired, as far as it says so."""
    return feature.retired_at or feature.updated_at


def _check(feature: FeatureVersion, done: str, *allowed: Status) -> None:
    if feature.status not in allowed:
        raise ContractViolation(
            f"{feature.reference} is {feature.status}; what can be {done} is {' or '.join(allowed)}"
        )


def _moved(feature: FeatureVersion, status: Status, **dates: object) -> FeatureVersion:
    cleared = dict.fromkeys(_FIELDS[1:])
    return feature.with_changes(**{**cleared, "status": status, **dates})


def _plain(value: object) -> object:
    return value.value if isinstance(value, Status) else value
