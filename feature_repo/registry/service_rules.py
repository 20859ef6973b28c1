"""What may not happen to a feature service, and what to do instead; pure."""

from collections.abc import Collection, Sequence
from itertools import count

from feature_repo.registry.contract import Bump, field_changes
from feature_repo.registry.metadata import FeatureVersion, Status
from feature_repo.registry.plan_rules import Refusal

_SERVED = (Status.ACTIVE, Status.DEPRECATED)


def refuse_service(
    name: str,
    was: Sequence[FeatureVersion],
    will_be: Sequence[FeatureVersion],
    *,
    taken: Collection[str],
) -> Refusal | None:
    """
    Return why a feature service may not change; None if it may.

    Its name is its version: whoever reads it finds the same features in it, of the same types.

    Args:
        name: Of the service.
        was: The versions in it, as they are.
        will_be: Those that are to be in it, as they will be.
        taken: Names of services.
    """
    for feature in will_be:
        if feature.status not in _SERVED:
            return Refusal(
                f"it names {feature.reference}, which is {feature.status}",
                "Name a version that is served.",
            )
    successors = {feature.feature_name: feature for feature in will_be}
    for feature in was:
        breach = _breach(feature, successors.get(feature.feature_name))
        if breach:
            return Refusal(
                f"{breach}, and whoever reads it relies on that",
                f"Leave it as it was, and add {_next_name(name, taken)}.",
            )
    return None


def _breach(before: FeatureVersion, after: FeatureVersion | None) -> str:
    """Return what users of one version of a feature miss in another, in words; "": nothing."""
    if after is None:
        return f"{before.reference} leaves it"
    broken = [each.field for each in field_changes(before, after) if each.bump is Bump.MAJOR]
    names = ", ".join(broken)
    return f"{names} of {after.reference} differs from {before.reference}" if broken else ""


def _next_name(name: str, taken: Collection[str]) -> str:
    stem, _, number = name.rpartition("_v")
    if not number.isdigit():
        stem, number = name, "1"
    names = (f"{stem}_v{each}" for each in count(int(number) + 1))
    return next(free for free in names if free not in taken)
