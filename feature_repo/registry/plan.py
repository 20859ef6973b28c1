"""What applying the definitions would change, and whether it may; pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from feature_repo.registry.contract import Bump, FieldChange, asked_bump, field_changes
from feature_repo.registry.inventory import Consumer, Inventory, consumers_of
from feature_repo.registry.lifecycle import is_past_sunset
from feature_repo.registry.metadata import FeatureVersion, Status
from feature_repo.registry.plan_rules import (
    Circumstances,
    Refusal,
    World,
    compared,
    neighbors,
    refuse_addition,
    refuse_change,
    refuse_removal,
)
from feature_repo.registry.service_rules import refuse_service


class Kind(StrEnum):
    """What happens to a feature version or a feature service."""

    ADDED = "added"
    CHANGED = "changed"
    RETIRED = "retired"
    REMOVED = "removed"


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
        refusal: Why it may not be; None if it may.
        consumers: Who uses the version.
    """

    feature: FeatureVersion
    kind: Kind
    fields: Sequence[FieldChange] = ()
    asked: Bump = Bump.NONE
    refusal: Refusal | None = None
    consumers: Sequence[Consumer] = ()

    @property
    def name(self) -> str:
        """What changes."""
        return self.feature.reference


@dataclass(frozen=True)
class ServiceChange:
    """
    What happens to one feature service.

    Attributes:
        name: Of the service.
        kind: What happens to it.
        owner: Whose it is, if anybody says.
        joining: References that are in it from now on.
        leaving: References that are in it no more.
        refusal: Why it may not be; None if it may.
    """

    name: str
    kind: Kind
    owner: str | None
    joining: Sequence[str]
    leaving: Sequence[str]
    refusal: Refusal | None = None


@dataclass(frozen=True)
class Plan:
    """
    What applying the definitions would change.

    Attributes:
        changes: Of feature versions.
        services: Of feature services.
        notes: What somebody should know who reads it.
    """

    changes: Sequence[Change]
    services: Sequence[ServiceChange] = ()
    notes: Sequence[str] = field(default=())

    @property
    def violations(self) -> dict[str, Refusal]:
        """Why what may not be may not be, by what it happens to."""
        every: Sequence[Change | ServiceChange] = (*self.changes, *self.services)
        return {change.name: change.refusal for change in every if change.refusal is not None}

    @property
    def reviewers(self) -> list[str]:
        """Owners of what changes, as it was and as it will be, and of what uses it."""
        owners = {change.feature.owner for change in self.changes}
        owners |= {f.before for change in self.changes for f in change.fields if f.field == "owner"}
        owners |= {each.owner for change in self.changes for each in change.consumers if each.owner}
        owners |= {service.owner for service in self.services if service.owner}
        return sorted(owners)


def plan(defined: Inventory, deployed: Inventory, circumstances: Circumstances) -> Plan:
    """
    Return what applying the definitions would change.

    Args:
        defined: What is to be.
        deployed: What is.
        circumstances: What else decides.
    """
    return Plan(
        list(_changes(defined, deployed, circumstances)),
        list(_service_changes(defined, deployed)),
        list(_notes(defined, circumstances)),
    )


def _changes(
    defined: Inventory, deployed: Inventory, circumstances: Circumstances
) -> Iterator[Change]:
    was, will_be = deployed.by_reference(), defined.by_reference()
    for reference in {**will_be, **was}:
        consumers = consumers_of(reference, defined, circumstances.rules or {})
        world = World(defined, consumers, circumstances)
        if reference not in was:
            yield _added(will_be[reference], world)
        elif reference not in will_be:
            removed = was[reference]
            refusal = refuse_removal(removed, world)
            yield Change(removed, Kind.REMOVED, refusal=refusal, consumers=consumers)
        else:
            prints = (each.fingerprints.get(reference, "") for each in (deployed, defined))
            known = prints if circumstances.trusts_fingerprints else ()
            fields = field_changes(was[reference], will_be[reference], *known)
            if fields:
                yield _changed(was[reference], will_be[reference], fields, world)


def _added(feature: FeatureVersion, world: World) -> Change:
    fields = _from_predecessor(feature, world.defined)
    return Change(
        feature,
        Kind.ADDED,
        fields,
        asked_bump(fields),
        refuse_addition(feature, world),
        world.consumers,
    )


def _changed(
    before: FeatureVersion, after: FeatureVersion, fields: Sequence[FieldChange], world: World
) -> Change:
    is_retired = after.status is Status.RETIRED and before.status is not Status.RETIRED
    # What is staged may change in any way, as long as its number tells how it differs from others.
    is_free = before.status is Status.STAGED
    return Change(
        after,
        Kind.RETIRED if is_retired else Kind.CHANGED,
        fields,
        asked_bump(_from_predecessor(after, world.defined) if is_free else fields),
        refuse_change(before, after, fields, world),
        world.consumers,
    )


def _from_predecessor(feature: FeatureVersion, defined: Inventory) -> list[FieldChange]:
    """Return what users of the newest version before a version would notice."""
    for before, newer in neighbors(feature, defined):
        if newer is feature:
            return [change for change in compared(before, newer, defined) if change.bump]
    return []


def _service_changes(defined: Inventory, deployed: Inventory) -> Iterator[ServiceChange]:
    was_features, features = deployed.by_reference(), defined.by_reference()
    for name in sorted({*defined.services, *deployed.services}):
        was, will_be = deployed.services.get(name, ()), defined.services.get(name, ())
        joining = [reference for reference in will_be if reference not in was]
        leaving = [reference for reference in was if reference not in will_be]
        if name not in defined.services:
            owner = deployed.service_owners.get(name)
            yield ServiceChange(name, Kind.REMOVED, owner, joining, leaving)
        elif joining or leaving:
            refusal = refuse_service(
                name,
                [was_features[reference] for reference in was if reference in was_features],
                [features[reference] for reference in will_be],
                taken={*defined.services, *deployed.services},
            )
            kind = Kind.CHANGED if name in deployed.services else Kind.ADDED
            owner = defined.service_owners.get(name)
            yield ServiceChange(name, kind, owner, joining, leaving, refusal)


def _notes(defined: Inventory, circumstances: Circumstances) -> Iterator[str]:
    for feature in defined.features:
        if is_past_sunset(feature, now=circumstances.now):
            yield (
                f"{feature.reference} is past its sunset of {feature.sunset_at:%Y-%m-%d}: retire "
                "it, or `deprecate` it again with another."
            )
    for view, problem in circumstances.unreadable.items():
        yield f"{view} is deployed, but can't be compared: {problem}"
    if circumstances.rules is None:
        yield (
            "Serving rules were not looked at: FEATURE_STORE_SERVING_RULES does not say where they "
            "are."
        )
    if not circumstances.trusts_fingerprints:
        yield "Computations were not compared: FEATURE_STORE_ACCEPT_COMPUTATION_CHANGES is set."
