"""`promote`, `deprecate`, `retire`, `rollback`: where a version is in its life."""

# ruff: noqa: PLC0415 - Feast takes seconds, which `--help` doesn't need
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Annotated

import typer

from feature_repo.registry import lifecycle
from feature_repo.registry.gather import gather_features, gather_services
from feature_repo.registry.inventory import Inventory
from feature_repo.registry.lifecycle import LIFECYCLE_FILE, write_state
from feature_repo.registry.metadata import FeatureVersion, Status
from feature_repo.registry.plan import plan
from feature_repo.registry.plan_rules import Circumstances
from foundation import clock
from foundation.cli import console
from foundation.errors import ContractViolation, UnknownVersion
from foundation.instants import parse_instant
from foundation.postgres import connect
from foundation.settings import load_settings

_Reference = Annotated[str, typer.Argument(metavar="VERSION", help="popularity_score==1.1.0")]
_NO_REQUESTS: Mapping[str, int] = MappingProxyType({})


def promote(reference: _Reference) -> None:
    """Let a staged version be served to everybody who asks for none."""
    features = gather_features()
    _write(lifecycle.promote(_find(reference, features), now=clock.now()), features)


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

    The gateway adds `Deprecation` and `Sunset` headers, and counts who asks. Of a version that is
    deprecated already, sunset and replacement can be changed.
    """
    features = gather_features()
    sunset_at = None if sunset is None else parse_instant(sunset, option="--sunset", now=None)
    deprecated = lifecycle.deprecate(
        _find(reference, features),
        now=clock.now(),
        sunset_at=sunset_at,
        replaced_by=None if replaced_by is None else _find(replaced_by, features).reference,
    )
    _write(deprecated, features)


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
    in the last 7 days; `apply` looks again. From then on its values are kept for 7 days, so that
    `rollback` can bring it back.
    """
    from feature_repo.stores.feature_use import requests_since

    features, now = gather_features(), clock.now()
    with connect(load_settings()) as connection:
        requests = requests_since(connection, (now - lifecycle.KEPT_AFTER_RETIREMENT).date())
    retired = lifecycle.retire(_find(reference, features), now=now, forced=force)
    _write(retired, features, requests)


def rollback(reference: _Reference) -> None:
    """
    Bring a deprecated version back, or one that was retired in the last 7 days.

    To serve an older version that is still active, no deployment is needed: pin it in the serving
    rules (docs/serving-rules.md).
    """
    from feature_repo.registry.catalog import read_catalog

    now = clock.now()
    features = lifecycle.settled(gather_features(), read_catalog().features, now=now)
    _write(lifecycle.rollback(_find(reference, features), now=now), features)


def _find(reference: str, features: Sequence[FeatureVersion]) -> FeatureVersion:
    known = {feature.reference: feature for feature in features}
    if reference not in known:
        raise UnknownVersion(
            f"{reference!r} is not defined", hint=f"Defined are {', '.join(sorted(known))}."
        )
    return known[reference]


def _write(
    moved: FeatureVersion,
    features: Sequence[FeatureVersion],
    requests: Mapping[str, int] = _NO_REQUESTS,
) -> None:
    """Write where a version is from now on, unless the plan would refuse it."""
    from feature_repo.registry.deployment import rules_by_version

    now = clock.now()
    after = [moved if each.reference == moved.reference else each for each in features]
    rules = rules_by_version(load_settings().serving_rules, after, now=now)
    found = plan(
        Inventory.of_definitions(after, gather_services(after)),
        Inventory.of_definitions(features, gather_services(features)),
        Circumstances(now=now, rules=rules, requests=requests),
    )
    for name, refusal in found.violations.items():
        raise ContractViolation(f"{name}: {refusal.problem}", hint=refusal.hint)
    write_state(moved)
    console.print(
        f"{moved.reference} is {moved.status} in {LIFECYCLE_FILE.name}. "
        "Look at it with `make plan`, have it reviewed, and deploy it with `make apply`."
    )
    for note in found.notes if moved.status is Status.RETIRED else ():
        console.print(note, highlight=False)
