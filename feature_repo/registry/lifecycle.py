"""
Where each version is in its life, as far as that differs from its definition.

`lifecycle.yaml` says so: definitions stay as they were published, a command can change the file,
and a review sees one line.
"""

import contextlib
import fcntl
import os
from collections.abc import Iterable, Iterator, Mapping
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
_FIELDS = ("status", "decided_at", "deprecated_at", "sunset_at", "replaced_by", "forced")
_HEADER = """\
# Where versions are in their life, if not where their definitions say. `make apply` deploys it.
# `python -m feature_repo promote|deprecate|retire|rollback` writes it, without other comments.
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
    fields = {name: _plain(value) for name, value in said.items() if value}
    with _locked(path.parent):
        states = {**read_states(path), feature.reference: fields}
        text = _HEADER + yaml.safe_dump(dict(sorted(states.items())), sort_keys=False)
        # Beside the file, so that it takes its place in one step; with the rights of any other.
        written = path.with_name(f".{path.name}.{os.getpid()}")
        written.write_text(text, encoding="utf-8")
        written.replace(path)


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Keep out whoever else writes there; the folder itself is the lock, and no file is left."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def promote(feature: FeatureVersion, *, now: datetime) -> FeatureVersion:
    """
    Return a staged version as an active one.

    Raises:
        ContractViolation: It is not staged.
    """
    _check(feature, "promoted", Status.STAGED)
    return _moved(feature, Status.ACTIVE, decided_at=now)


def deprecate(
    feature: FeatureVersion, *, now: datetime, sunset_at: datetime | None, replaced_by: str | None
) -> FeatureVersion:
    """
    Return an active version as a deprecated one, or a deprecated one with another sunset.

    Args:
        feature: The version.
        now: Since when it is deprecated; of one that is already, that stays as it is.
        sunset_at: When it will be retired; None: as it was said before, if it was.
        replaced_by: What to use instead; None: the same.

    Raises:
        ContractViolation: It is neither, the sunset is not in the future, or it would replace
            itself.
    """
    _check(feature, "deprecated", Status.ACTIVE, Status.DEPRECATED)
    if sunset_at is not None and sunset_at <= now:
        raise ContractViolation(f"the sunset {sunset_at.isoformat()} is not in the future")
    if replaced_by == feature.reference:
        raise ContractViolation(f"{replaced_by} can't replace itself")
    return _moved(
        feature,
        Status.DEPRECATED,
        decided_at=now,
        deprecated_at=feature.deprecated_at or now,
        sunset_at=sunset_at or feature.sunset_at,
        replaced_by=replaced_by or feature.replaced_by,
    )


def retire(feature: FeatureVersion, *, now: datetime, forced: bool = False) -> FeatureVersion:
    """
    Return a version that is computed and served no more.

    Args:
        feature: The version.
        now: When that is decided.
        forced: Whether it is to go although it was served lately.

    Raises:
        ContractViolation: It is retired already.
    """
    _check(feature, "retired", Status.STAGED, Status.ACTIVE, Status.DEPRECATED)
    kept = {name: getattr(feature, name) for name in ("deprecated_at", "sunset_at", "replaced_by")}
    return _moved(feature, Status.RETIRED, decided_at=now, forced=forced, **kept)


def rollback(feature: FeatureVersion, *, now: datetime) -> FeatureVersion:
    """
    Return a deprecated or retired version as an active one.

    Raises:
        ContractViolation: It is neither.
    """
    _check(feature, "brought back", Status.DEPRECATED, Status.RETIRED)
    return _moved(feature, Status.ACTIVE, decided_at=now)


def settled(
    features: Iterable[FeatureVersion], deployed: Iterable[FeatureVersion], *, now: datetime
) -> list[FeatureVersion]:
    """
    Return feature versions with the instant since when retired ones are retired where they run.

    Args:
        features: As they are defined.
        deployed: As they are there; what is retired there was so since then.
        now: Since when the others will be.
    """
    since = {f.reference: f.retired_at for f in deployed if f.status is Status.RETIRED}
    return [
        f.with_changes(retired_at=since.get(f.reference) or now)
        if f.status is Status.RETIRED
        else f
        for f in features
    ]


def can_come_back(feature: FeatureVersion, *, now: datetime) -> bool:
    """Tell whether a version has its values still: always, unless it was retired long ago."""
    return feature.retired_at is None or now - feature.retired_at <= KEPT_AFTER_RETIREMENT


def is_past_sunset(feature: FeatureVersion, *, now: datetime) -> bool:
    """Tell whether a deprecated version should have been retired by now."""
    is_deprecated = feature.status is Status.DEPRECATED
    return is_deprecated and feature.sunset_at is not None and feature.sunset_at <= now


def _check(feature: FeatureVersion, done: str, *allowed: Status) -> None:
    if feature.status not in allowed:
        raise ContractViolation(
            f"{feature.reference} is {feature.status}; what can be {done} is {' or '.join(allowed)}"
        )


def _moved(feature: FeatureVersion, status: Status, **dates: object) -> FeatureVersion:
    unsaid = {**dict.fromkeys(_FIELDS), "forced": False, "retired_at": None}
    return feature.with_changes(**{**unsaid, "status": status, **dates})


def _plain(value: object) -> object:
    return value.value if isinstance(value, Status) else value
