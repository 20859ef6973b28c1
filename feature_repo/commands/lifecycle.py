"""`promote`, `deprecate`, `retire`, `rollback`: where a version is in its life."""

# ruff: noqa: PLC0415 - Feast takes seconds, which `--help` doesn't need
from typing import Annotated

import typer

from feature_repo.registry import lifecycle
from feature_repo.registry.gather import gather_features, gather_services
from feature_repo.registry.lifecycle import LIFECYCLE_FILE, write_state
from feature_repo.registry.metadata import FeatureVersion
from feature_repo.registry.plan import Definitions, consumers_of
from foundation import clock
from foundation.cli import console
from foundation.errors import ContractViolation, UnknownVersion
from foundation.instants import parse_instant
from foundation.settings import load_settings

_Reference = Annotated[str, typer.Argument(metavar="VERSION", help="popularity_score==1.1.0")]


def promote(reference: _Reference) -> None:
    """Let a staged version be served to everybody who asks for none."""
    _write(lifecycle.promote(_find(reference)))


def deprecate(
    reference: _Reference,
    *,
    sunset: Annotated[
        str | None, typer.Option(help="When it will be retired; callers are told.")
    ] = None,
    replaced_by: Annotated[
        str | None, typer.Option(help="What to use instead: popularity_score==2.0.0.")
    ] = None,
) -> None:
    """
    Tell callers not to use a version any more; it is computed and served as before.

    The gateway adds `Deprecation` and `Sunset` headers, and counts who asks.
    """
    if replaced_by is not None:
        _find(replaced_by)
    sunset_at = None if sunset is None else parse_instant(sunset, option="--sunset", now=None)
    _write(
        lifecycle.deprecate(
            _find(reference), now=clock.now(), sunset_at=sunset_at, replaced_by=replaced_by
        )
    )


def retire(
    reference: _Reference,
    *,
    force: Annotated[
        bool, typer.Option("--force", help="Even if it was served in the last 7 days.")
    ] = False,
) -> None:
    """
    Compute and serve a version no more.

    Refused while a feature, a feature service or a serving rule names it, or the gateway served it
    in the last 7 days. Its values are kept for 7 days, so that `rollback` can bring it back.
    """
    from feature_repo.registry.deployment import rules_by_version
    from feature_repo.stores.feature_use import requests_since

    feature, now, settings = _find(reference), clock.now(), load_settings()
    retired = lifecycle.retire(feature, now=now)
    features = [retired if each == feature else each for each in gather_features()]
    services = {service.name: service.features for service in gather_services(features)}
    consumers = consumers_of(
        feature.reference,
        Definitions(features, services, {}),
        rules_by_version(settings.serving_rules, features, now=now) or {},
    )
    if consumers:
        raise ContractViolation(
            f"{feature.reference} is used by {', '.join(consumers)}",
            hint="Move them to another version first.",
        )
    since = now - lifecycle.KEPT_AFTER_RETIREMENT
    requests = 0 if force else requests_since(settings, feature, since=since.date())
    if requests:
        raise ContractViolation(
            f"{feature.reference} was served {requests:,} times in the last 7 days",
            hint="Find out who asks for it (X-Deprecated-Features tells them), or use --force.",
        )
    _write(retired)


def rollback(reference: _Reference) -> None:
    """
    Bring a deprecated version back, or one that was retired in the last 7 days.

    To serve an older version that is still active, no deployment is needed: pin it in the serving
    rules (docs/serving-rules.md).
    """
    _write(lifecycle.rollback(_find(reference), now=clock.now()))


def _find(reference: str) -> FeatureVersion:
    known = {feature.reference: feature for feature in gather_features()}
    if reference not in known:
        raise UnknownVersion(
            f"{reference!r} is not defined", hint=f"Defined are {', '.join(sorted(known))}."
        )
    return known[reference]


def _write(feature: FeatureVersion) -> None:
    write_state(feature)
    console.print(
        f"{feature.reference} is {feature.status} in {LIFECYCLE_FILE.name}. "
        "Look at it with `make plan`, have it reviewed, and deploy it with `make apply`."
    )
