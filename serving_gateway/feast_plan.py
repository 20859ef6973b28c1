"""What a request in the form of `feast serve` asks for; pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from feature_repo.registry.catalog import Catalog
from feature_repo.registry.metadata import FeatureVersion
from foundation.errors import ContractViolation
from serving_gateway.columns import Column, escaped

EntityValue = str | int | float | bool | None

_HINT = "A reference is view:feature, like popularity_score_v1_0_0:popularity_score."


@dataclass(frozen=True)
class FeastColumn:
    """
    One feature of the answer.

    Attributes:
        name: As the answer calls it.
        column: The feature version and its distinct entities.
        rows: For each row of the answer, where among these its entity is; None: in its own place.
    """

    name: str
    column: Column
    rows: Sequence[int] | None


@dataclass(frozen=True)
class FeastPlan:
    """
    What is to be read, and how it is to be shown.

    Attributes:
        join_keys: By join key, its values, a row each: what the answer begins with.
        columns: The features, in the order of the request.
        row_count: Rows of the answer.
    """

    join_keys: Mapping[str, Sequence[EntityValue]]
    columns: Sequence[FeastColumn]
    row_count: int


def plan_read(
    catalog: Catalog,
    entities: Mapping[str, Sequence[EntityValue]],
    references: Sequence[str],
    service_name: str | None,
    *,
    has_full_names: bool,
) -> FeastPlan:
    """
    Return the plan of a request.

    Args:
        catalog: Says what there is.
        entities: Values by join key, a row each. What is no join key is passed over, as Feast does;
            numbers and booleans count as what Python writes for them.
        references: `view:feature`, of which the view tells the exact version.
        service_name: Whose features to read instead; None: nobody's.
        has_full_names: Whether the answer calls a feature `view__feature`.

    Raises:
        UnknownFeature: There is no such feature view.
        UnknownService: There is no such feature service.
        VersionNotServed: A version is retired.
        ContractViolation: Feast would fail: rows of different lengths, a join key or value missing,
            two features of one name, a reference that is none.
    """
    row_count = _row_count(entities)
    features = (
        [_referred(catalog, reference) for reference in references]
        if service_name is None
        else [catalog.select(*each) for each in catalog.service(service_name).items()]
    )
    if not features:
        raise ContractViolation("the request names no features", hint=_HINT)
    names = _names(features, has_full_names=has_full_names)
    given = {catalog.join_keys[n]: v for n, v in entities.items() if n in catalog.join_keys}
    needed = {join_key: feature for feature in features for join_key in feature.join_keys}
    texts = {key: _texts(key, given.get(key), feature) for key, feature in needed.items()}
    found = {f.join_keys: _distinct([texts[key] for key in f.join_keys]) for f in features}
    columns = [
        FeastColumn(name, Column(feature, found[feature.join_keys][0]), found[feature.join_keys][1])
        for name, feature in zip(names, features, strict=True)
    ]
    return FeastPlan(given | texts, columns, row_count)


def _row_count(entities: Mapping[str, Sequence[EntityValue]]) -> int:
    lengths = set(map(len, entities.values()))
    if len(lengths) != 1 or 0 in lengths:
        raise ContractViolation(
            "entities: the join keys do not have one number of values, at least one",
            hint="A row's values stand at one place of every list.",
        )
    return lengths.pop()


def _referred(catalog: Catalog, reference: str) -> FeatureVersion:
    view, colon, feature_name = reference.partition(":")
    view, at, feast_version = view.partition("@")
    if at and feast_version.lower() not in {"", "latest"}:
        raise ContractViolation(
            f"features: {reference!r} asks for one of Feast's own version numbers",
            hint="A view holds one version of its feature, and has it in its name. " + _HINT,
        )
    if not colon:
        raise ContractViolation(f"features: {reference!r} is no reference", hint=_HINT)
    feature = catalog.select_view(view)
    if feature.feature_name != feature_name:
        raise ContractViolation(
            f"features: view {view!r} has no feature {feature_name!r}",
            hint=f"It has {feature.feature_name!r}.",
        )
    return feature


def _names(features: Sequence[FeatureVersion], *, has_full_names: bool) -> list[str]:
    names = [
        f"{f.view_name}__{f.feature_name}" if has_full_names else f.feature_name for f in features
    ]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise ContractViolation(
            f"features: two would be called {twice!r}",
            hint="Name each once; two versions of one feature with full_feature_names.",
        )
    return names


def _texts(
    join_key: str, values: Sequence[EntityValue] | None, feature: FeatureVersion
) -> Sequence[str]:
    if values is None or None in values:
        raise ContractViolation(
            f"entities: {feature.reference} needs a {join_key} in every row",
            hint=f"It is of {' and '.join(feature.join_keys)}.",
        )
    if set(map(type, values)) == {str}:
        return cast("Sequence[str]", values)
    return list(map(str, values))


def _distinct(parts: Sequence[Sequence[str]]) -> tuple[Sequence[str], Sequence[int] | None]:
    """Return the distinct entity ids of join key values, and where each row's is among them."""
    columns = [escaped(part) for part in parts]
    ids = columns[0] if len(columns) == 1 else list(map(":".join, zip(*columns, strict=True)))
    distinct = dict.fromkeys(ids)
    if len(distinct) == len(ids):
        return ids, None
    places = {entity_id: place for place, entity_id in enumerate(distinct)}
    return list(distinct), [places[entity_id] for entity_id in ids]
