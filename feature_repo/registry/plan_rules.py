"""What may not happen to a feature version, and what to do instead; pure."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from feature_repo.registry.contract import (
    FieldChange,
    actual_bump,
    asked_bump,
    field_changes,
    free_version,
)
from feature_repo.registry.inventory import Consumer, Inventory
from feature_repo.registry.lifecycle import can_come_back
from feature_repo.registry.metadata import FeatureVersion, Status

_COMMAND = "python -m feature_repo"
_ORDER = tuple(Status)
_LIVE = (Status.ACTIVE, Status.DEPRECATED)
# By status, what a version may be made from.
_USABLE = {
    Status.STAGED: (Status.STAGED, *_LIVE),
    Status.ACTIVE: _LIVE,
    Status.DEPRECATED: _LIVE,
    Status.RETIRED: _ORDER,
}
# What a decision about the life of a version decides.
_LIFE = ("status", "deprecated_at", "sunset_at", "replaced_by", "forced")


class Refusal(NamedTuple):
    """Why something may not be, and what to do instead."""

    problem: str
    hint: str


@dataclass(frozen=True)
class Circumstances:
    """
    What decides beside the definitions.

    Attributes:
        now: Current instant.
        rules: By reference, the serving rules that rely on it; None: nobody knows.
        requests: By reference, how many requests were served it in the last 7 days.
        stored: References of which PostgreSQL has values.
        unreadable: By view name, why what is deployed can't be read.
        trusts_fingerprints: Whether another fingerprint means another computation; a new release of
            the library that compiles them changes all at once.
    """

    now: datetime
    rules: Mapping[str, Sequence[str]] | None
    requests: Mapping[str, int] = field(default_factory=dict)
    stored: Collection[str] = ()
    unreadable: Mapping[str, str] = field(default_factory=dict)
    trusts_fingerprints: bool = True


@dataclass(frozen=True)
class World:
    """
    What a version is judged in.

    Attributes:
        defined: All that is to be.
        consumers: Who uses the version then.
        circumstances: What else decides.
    """

    defined: Inventory
    consumers: Sequence[Consumer]
    circumstances: Circumstances


def refuse_addition(after: FeatureVersion, world: World) -> Refusal | None:
    """Return why a version may not be added; None if it may."""
    return _first(_step(after, world), _support(after, world), _replacement(after, world))


def refuse_change(
    before: FeatureVersion, after: FeatureVersion, fields: Sequence[FieldChange], world: World
) -> Refusal | None:
    """
    Return why a version may not change; None if it may.

    Args:
        before: As it is.
        after: As it will be.
        fields: In which fields they differ.
        world: What it is judged in.
    """
    is_free = before.status is Status.STAGED
    return _first(
        _age(before, after),
        _overruling(before, after),
        _way_back(before, after, world.circumstances.now),
        None if is_free else _rewriting(before, after, fields, world),
        _step(after, world) if is_free else None,
        None if before.status is Status.RETIRED else _retirement(after, world),
        _support(after, world),
        _replacement(after, world),
    )


def refuse_removal(before: FeatureVersion, world: World) -> Refusal | None:
    """Return why a version may not be forgotten; None if it may."""
    users = _direct(world)
    if users:
        return Refusal(
            f"it is not defined any more, but used by {users}",
            "Define it again, or move them to another version first.",
        )
    if before.status in _LIVE:
        return Refusal(
            f"it is {before.status} and not defined any more",
            f"Define it again, deprecate it, and retire it: `{_COMMAND} retire --help`.",
        )
    if before.status is Status.RETIRED and can_come_back(before, now=world.circumstances.now):
        return Refusal(
            "it is not defined any more, but was retired lately, and has its values still",
            f"Define it until `{_COMMAND} remove-retired` has removed them.",
        )
    if before.reference not in world.circumstances.stored:
        return None
    retire = "" if before.status is Status.RETIRED else "Define it again, and retire it. "
    return Refusal(
        "it is not defined any more, but has values that nothing else would find",
        f"{retire}Define it until `{_COMMAND} remove-retired` has removed them.",
    )


def _first(*found: Refusal | None) -> Refusal | None:
    return next((each for each in found if each is not None), None)


def _age(before: FeatureVersion, after: FeatureVersion) -> Refusal | None:
    if after.updated_at >= before.updated_at:
        return None
    return Refusal(
        f"what is deployed was updated later, on {before.updated_at:%Y-%m-%d}",
        "Somebody has deployed a newer definition: take it over before you change it.",
    )


def _overruling(before: FeatureVersion, after: FeatureVersion) -> Refusal | None:
    """Refuse what undoes a step of a life that was decided later."""
    if all(getattr(before, name) == getattr(after, name) for name in _LIFE):
        return None
    if before.decided_at is None or (after.decided_at and after.decided_at > before.decided_at):
        return None
    return Refusal(
        f"that it is {before.status} was decided later, on {before.decided_at:%Y-%m-%d %H:%M}",
        "Your lifecycle.yaml is out of date, or was changed by hand: "
        f"`{_COMMAND} promote|deprecate|retire|rollback` writes down who decides when.",
    )


def _way_back(before: FeatureVersion, after: FeatureVersion, now: datetime) -> Refusal | None:
    """Refuse to take a step of a life back unnoticed, or too late."""
    if before.status is Status.STAGED or _ORDER.index(after.status) >= _ORDER.index(before.status):
        return None
    if after.status is Status.STAGED:
        return Refusal(
            "a published version can't be staged again",
            f"`{_COMMAND} promote {after.reference}` writes down that it is active; or deprecate "
            "it, and publish another.",
        )
    if before.status is Status.RETIRED and not can_come_back(before, now=now):
        return Refusal(
            f"it was retired on {before.retired_at:%Y-%m-%d}; its values are gone",
            "Publish it as a new version, and backfill that.",
        )
    if after.decided_at is not None:
        return None
    return Refusal(
        f"it is {before.status}, and nobody has brought it back",
        f"`{_COMMAND} rollback {after.reference}` does.",
    )


def _rewriting(
    before: FeatureVersion, after: FeatureVersion, fields: Sequence[FieldChange], world: World
) -> Refusal | None:
    asked = asked_bump(fields)
    if not asked:
        return None
    names = ", ".join(change.field for change in fields if change.bump)
    free = free_version(before.version, asked, _taken(after, world))
    return Refusal(
        f"{names} changed, but the version is published", f"Leave it as it was, and add {free}."
    )


def _step(after: FeatureVersion, world: World) -> Refusal | None:
    """Refuse a version that differs more than its number says from those beside it."""
    if after.status is Status.RETIRED:
        return None
    for before, newer in neighbors(after, world.defined):
        fields = [each for each in compared(before, newer, world.defined) if each.bump]
        asked = asked_bump(fields)
        if actual_bump(before, newer) >= asked:
            continue
        names = ", ".join(change.field for change in fields if change.bump is asked)
        asks = f"which asks for a new {asked.name}"
        free = free_version(before.version, asked, _taken(after, world))
        if newer is after:
            return Refusal(f"{names} differs from {before.reference}, {asks}", f"Make it {free}.")
        return Refusal(
            f"{names} of {newer.reference} differs from it, {asks}",
            f"Give it a version that {newer.reference} may follow.",
        )
    return None


def _retirement(after: FeatureVersion, world: World) -> Refusal | None:
    if after.status is not Status.RETIRED:
        return None
    users, requests = _direct(world), world.circumstances.requests.get(after.reference, 0)
    if users:
        return Refusal(f"it is retired, but used by {users}", "Move them to another version first.")
    if requests and not after.forced:
        return Refusal(
            f"it is retired, but was served {requests:,} times in the last 7 days",
            "Find out who asks for it (X-Deprecated-Features tells them), or retire it with "
            "--force.",
        )
    return None


def _support(after: FeatureVersion, world: World) -> Refusal | None:
    known = world.defined.by_reference()
    for dependency in after.dependencies:
        status = known[dependency].status if dependency in known else None
        if status not in _USABLE[after.status]:
            return Refusal(
                f"it is {after.status}, but made from {dependency}, which is "
                f"{status or 'not defined'}",
                "Promote that first, or bring it back.",
            )
    return None


def _replacement(after: FeatureVersion, world: World) -> Refusal | None:
    if after.status is not Status.DEPRECATED or after.replaced_by is None:
        return None
    replacement = world.defined.by_reference().get(after.replaced_by)
    if replacement is not None and replacement.status is not Status.RETIRED:
        return None
    is_what = "not defined" if replacement is None else "retired"
    return Refusal(
        f"{after.replaced_by}, which is to be used instead, is {is_what}",
        f"`{_COMMAND} deprecate {after.reference} --replaced-by …` names another.",
    )


def neighbors(
    feature: FeatureVersion, defined: Inventory
) -> Iterator[tuple[FeatureVersion, FeatureVersion]]:
    """Yield a version with the newest one before it, and then the oldest one after it with it."""
    others = [each for each in defined.versions(feature.feature_name) if each != feature]
    older = [each for each in others if each.parsed_version < feature.parsed_version]
    if older:
        yield older[-1], feature
    newer = [each for each in others if each.parsed_version > feature.parsed_version]
    if newer:
        yield feature, newer[0]


def compared(
    before: FeatureVersion, after: FeatureVersion, defined: Inventory
) -> list[FieldChange]:
    """Return in which fields two defined versions differ."""
    prints = (defined.fingerprints.get(each.reference, "") for each in (before, after))
    return field_changes(before, after, *prints)


def _taken(feature: FeatureVersion, world: World) -> set[str]:
    return {each.version for each in world.defined.versions(feature.feature_name)}


def _direct(world: World) -> str:
    return ", ".join(str(consumer) for consumer in world.consumers if consumer.is_direct)
