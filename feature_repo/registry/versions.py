"""Which version of a feature is meant by what somebody writes."""

import re
from collections.abc import Sequence

import semver

from feature_repo.registry.metadata import FeatureVersion, Status
from foundation.errors import ContractViolation, UnknownVersion, VersionNotServed

# No leading zeros (semver.org, 2), no digits of other scripts, no more than Python converts.
_NUMBER = r"(0|[1-9][0-9]{0,8})"
EXACT = rf"^{_NUMBER}\.{_NUMBER}\.{_NUMBER}$"
# Exact, caret and tilde, like npm's; or the newest.
SELECTOR = rf"^(latest|{EXACT[1:-1]}|[\^~]{_NUMBER}(\.{_NUMBER}){{0,2}})$"

_SERVED = (Status.ACTIVE, Status.DEPRECATED)


def select_version(versions: Sequence[FeatureVersion], wanted: str | None) -> FeatureVersion:
    """
    Return the version to serve.

    Args:
        versions: All versions of one feature.
        wanted: `1.0.0` for exactly that one, staged ones too; `^1` or `^1.2` for the newest of the
            same MAJOR; `~1.2` for the newest of the same MINOR; `latest` for the newest. None for
            the newest that is compatible with the oldest active one: who does not ask is not moved
            to another MAJOR as long as the one before it is active.
            Of several that fit, active ones come before deprecated ones.

    Raises:
        ContractViolation: `wanted` is none of these.
        UnknownVersion: There is no such version.
        VersionNotServed: There is, but it is retired, or staged and not asked for exactly.
    """
    selector = wanted or "latest"
    fitting = fitting_versions(versions, selector)
    exact = selector[0].isdigit()
    served = [v for v in fitting if v.status in _SERVED or (exact and v.status is Status.STAGED)]
    if not served:
        raise _refusal(versions, fitting, selector)
    if wanted is None:
        served = _compatible_with_oldest(served)
    return max(served, key=lambda v: (v.status is not Status.DEPRECATED, v.parsed_version))


def fitting_versions(versions: Sequence[FeatureVersion], selector: str) -> list[FeatureVersion]:
    """
    Return the versions that a selector means, whether they are served or not.

    Raises:
        ContractViolation: It is no selector.
    """
    if re.fullmatch(SELECTOR, selector) is None:
        raise ContractViolation(
            f"{selector!r} selects no version", hint="Write 1.0.0, ^1, ~1.2 or latest."
        )
    return [v for v in versions if _fits(v.parsed_version, selector)]


def _compatible_with_oldest(served: Sequence[FeatureVersion]) -> list[FeatureVersion]:
    preferred = [v for v in served if v.status is Status.ACTIVE] or served
    oldest = min(preferred, key=lambda v: v.parsed_version)
    return [v for v in preferred if _fits(v.parsed_version, f"^{oldest.version}")]


def _fits(version: semver.Version, selector: str) -> bool:
    if selector == "latest":
        return True
    kind = selector[0]
    if kind not in "^~":
        return version == semver.Version.parse(selector)
    parts = [int(part) for part in selector[1:].split(".")]
    least = semver.Version(*parts)
    # Before 1.0.0 every MINOR may break (semver.org, 4).
    fixed = 2 if (kind == "~" and len(parts) > 1) or (kind == "^" and least.major == 0) else 1
    return version >= least and version.to_tuple()[:fixed] == least.to_tuple()[:fixed]


def _refusal(
    versions: Sequence[FeatureVersion], fitting: Sequence[FeatureVersion], selector: str
) -> UnknownVersion | VersionNotServed:
    name = versions[0].feature_name
    existing = ", ".join(f"{v.version} ({v.status})" for v in versions)
    hint = f"Deployed versions: {existing}."
    if not fitting:
        return UnknownVersion(f"feature {name!r} has no version {selector!r}", hint=hint)
    statuses = ", ".join(sorted({str(v.status) for v in fitting}))
    return VersionNotServed(f"feature {name!r}, version {selector!r}: is {statuses}", hint=hint)
