"""Import every definition, check each alone and all together."""

import dataclasses
import importlib
import pkgutil
import traceback
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import ModuleType

from pydantic import ValidationError

from feature_repo.registry.lifecycle import LIFECYCLE_FILE, read_states, with_states
from feature_repo.registry.lineage import in_dependency_order
from feature_repo.registry.metadata import FeatureVersion, Status
from feature_repo.registry.validation import problems
from feature_repo.services import SERVICES, ServiceDefinition
from foundation.errors import DefinitionError

_HINT = "docs/adding-a-feature.md explains every field."


def gather_features(package: str = "feature_repo.features") -> list[FeatureVersion]:
    """
    Return every feature version defined in a package's modules, dependencies first.

    Args:
        package: Its modules each have a `VERSIONS` tuple and are named like their feature. The
            `lifecycle.yaml` beside it says where versions are in their life.

    Raises:
        DefinitionError: A definition is wrong; the message names file, feature and field.
    """
    features: list[FeatureVersion] = []
    for name in _module_names(package):
        module = _import_definition(package, name)
        versions: Sequence[object] = getattr(module, "VERSIONS", ())
        file = _short(module.__file__ or name)
        if not versions:
            raise DefinitionError(f"{file}: no VERSIONS, a tuple of FeatureVersion", hint=_HINT)
        for each in versions:
            feature = _validated(each, file)
            _check_place(feature, file, name)
            features.append(feature)
    _check_unique(features)
    _check_jobs(features)
    folder = Path(importlib.import_module(package).__path__[0])
    states = read_states(folder.parent / LIFECYCLE_FILE.name)
    return in_dependency_order(with_states(features, states))


def gather_services(features: Iterable[FeatureVersion]) -> Sequence[ServiceDefinition]:
    """
    Return the feature services as they are deployed: without the staged versions that they name.

    Raises:
        DefinitionError: A service names a feature version that does not exist.
    """
    known = {feature.reference: feature for feature in features}
    for service in SERVICES:
        for reference in service.features:
            if reference not in known:
                raise DefinitionError(
                    f"services.py: {service.name}, features: {reference!r} is not defined",
                    hint=f"Defined are {', '.join(sorted(known))}.",
                )
    return [
        dataclasses.replace(
            service,
            features=tuple(r for r in service.features if known[r].status is not Status.STAGED),
        )
        for service in SERVICES
    ]


def _module_names(package: str) -> list[str]:
    folder = importlib.import_module(package).__path__
    return sorted(module.name for module in pkgutil.iter_modules(folder))


def _import_definition(package: str, name: str) -> ModuleType:
    try:
        return importlib.import_module(f"{package}.{name}")
    except ValidationError as error:
        # A definition may take something from another, which is then the one that is wrong.
        folders = [Path(folder) for folder in importlib.import_module(package).__path__]
        frame = next(
            frame
            for frame in reversed(traceback.extract_tb(error.__traceback__))
            if Path(frame.filename).parent in folders
        )
        place = f"{_short(frame.filename)}:{frame.lineno}: {Path(frame.filename).stem}"
        raise DefinitionError(
            "\n".join(f"{place}, {problem}" for problem in problems(error)), hint=_HINT
        ) from None


def _validated(version: object, file: str) -> FeatureVersion:
    """Return a version that was checked: `model_copy`, for one, checks nothing."""
    if not isinstance(version, FeatureVersion):
        raise DefinitionError(f"{file}: VERSIONS: holds {version!r}, no FeatureVersion", hint=_HINT)
    try:
        # Both: a dump leaves out what is no field, and what is in a field may be a model itself.
        return FeatureVersion.model_validate(
            {**vars(version), **version.model_dump(warnings=False)}
        )
    except ValidationError as error:
        raise DefinitionError(
            "\n".join(f"{file}: {version.reference}, {problem}" for problem in problems(error)),
            hint=_HINT,
        ) from None


def _check_place(feature: FeatureVersion, file: str, module_name: str) -> None:
    # Feast takes seconds, which commands that gather nothing don't need.
    from feature_repo.entities import FEATURE_ENTITIES  # noqa: PLC0415

    if feature.feature_name != module_name:
        raise DefinitionError(
            f"{file}: {feature.feature_name}, feature_name: the file is called {module_name}.py",
            hint="One file a feature, named like it.",
        )
    entities = FEATURE_ENTITIES.get(feature.entity)
    if entities is None:
        raise DefinitionError(
            f"{file}: {feature.feature_name}, entity: {feature.entity!r} is not an entity",
            hint=f"Entities are {', '.join(FEATURE_ENTITIES)}.",
        )
    join_keys = tuple(entity.join_key for entity in entities)
    if feature.join_keys != join_keys:
        raise DefinitionError(
            f"{file}: {feature.feature_name}, join_keys: {feature.join_keys} are not those of "
            f"{feature.entity}",
            hint=f"They are {join_keys}, in this order.",
        )


def _check_unique(features: Sequence[FeatureVersion]) -> None:
    seen: set[str] = set()
    for feature in features:
        if feature.reference in seen:
            raise DefinitionError(
                f"{feature.feature_name}.py: {feature.feature_name}, version: "
                f"{feature.version} is defined twice"
            )
        seen.add(feature.reference)


def _check_jobs(features: Sequence[FeatureVersion]) -> None:
    """Versions that are computed together can differ only in what comes out."""
    leaders: dict[str, FeatureVersion] = {}
    for feature in features:
        leader = leaders.setdefault(feature.job_name, feature)
        for field in ("computation", "parameters", "source", "computation_frequency"):
            if getattr(feature, field) != getattr(leader, field):
                raise DefinitionError(
                    f"{feature.feature_name}.py: {feature.feature_name}, {field}: differs from "
                    f"that of {leader.feature_name}, which the job {feature.job_name} computes too"
                )


def _short(file: str) -> str:
    path = Path(file)
    return f"{path.parent.name}/{path.name}"
