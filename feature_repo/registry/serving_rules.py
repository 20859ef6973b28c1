"""Which versions are served to whom: pinned versions and experiments, as pure values."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from feature_repo.registry.metadata import FeatureVersion
from feature_repo.registry.versions import SELECTOR, fitting_versions, select_version
from foundation.errors import VersionNotServed

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]*$", max_length=64)]
FeatureName = Annotated[str, StringConstraints(min_length=1, max_length=256)]
ExactVersion = Annotated[str, StringConstraints(pattern=r"^\d+\.\d+\.\d+$")]
Selector = Annotated[str, StringConstraints(pattern=SELECTOR)]
_HASHES = 2**64


class Variant(BaseModel):
    """One of the ways that an experiment compares."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Name
    weight: float = Field(gt=0, description="Share of the users, relative to the other variants'.")
    versions: Mapping[str, Selector] = Field(
        default_factory=dict, description="Versions by feature name; others are as without it."
    )


@dataclass(frozen=True)
class Assignment:
    """
    A user's place in an experiment.

    Attributes:
        experiment: Its name.
        salt: Its salt.
        variant: The name of the user's variant.
        versions: What the variant says of versions, by feature name.
        is_forced: Whether the rules name the user: whoever tests a variant says nothing of others.
    """

    experiment: str
    salt: str
    variant: str
    versions: Mapping[str, str]
    is_forced: bool


class Experiment(BaseModel):
    """Different versions for different users, always the same for one of them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Name
    unit: Literal["user_id"] = Field(default="user_id", description="What is dealt out.")
    salt: str = Field(min_length=1, description="Change it to deal the users out anew.")
    start: AwareDatetime
    end: AwareDatetime
    variants: tuple[Variant, ...] = Field(min_length=2)
    forced: Mapping[str, str] = Field(
        default_factory=dict, description="Variant by user id, for those who test it."
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        names = [variant.name for variant in self.variants]
        if len(set(names)) < len(names):
            raise ValueError("variants: a name comes twice")
        unknown = sorted(set(self.forced.values()) - set(names))
        if unknown:
            raise ValueError(f"forced: {unknown[0]!r} is no variant")
        if self.end <= self.start:
            raise ValueError("end: is not after start")
        return self

    @cached_property
    def feature_names(self) -> frozenset[str]:
        """The features that it is about: those of which any variant says something."""
        return frozenset(name for variant in self.variants for name in variant.versions)

    def assign(self, user_id: str) -> Assignment:
        """Return a user's place in it."""
        variant = self.variant_of(user_id)
        is_forced = user_id in self.forced
        return Assignment(self.name, self.salt, variant.name, variant.versions, is_forced)

    def variant_of(self, user_id: str) -> Variant:
        """
        Return a user's variant.

        Users are spread over the variants by a hash of experiment, salt and user: evenly,
        independently of other experiments, and the same in every process.
        """
        forced = self.forced.get(user_id)
        if forced is not None:
            return next(variant for variant in self.variants if variant.name == forced)
        text = f"{self.name}\0{self.salt}\0{user_id}"
        digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
        place = int.from_bytes(digest) / _HASHES * sum(v.weight for v in self.variants)
        for variant in self.variants[:-1]:
            if place < variant.weight:
                return variant
            place -= variant.weight
        return self.variants[-1]


class Shadow(BaseModel):
    """A version that is read beside the served one, and compared with it, but served to nobody."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    feature_name: FeatureName
    version: ExactVersion = Field(description="The candidate, exactly; it may be staged.")
    share: float = Field(gt=0, le=1, description="Share of the requests that are compared.")


class ServingRules(BaseModel):
    """What the file of FEATURE_STORE_SERVING_RULES says."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    versions: Mapping[str, Selector] = Field(
        default_factory=dict,
        description="By feature name, what is served to whoever asks for no version.",
    )
    experiments: tuple[Experiment, ...] = ()
    shadows: tuple[Shadow, ...] = Field(
        default=(), description="Candidates that are compared with what is served."
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        names = [experiment.name for experiment in self.experiments]
        if len(set(names)) < len(names):
            raise ValueError("experiments: a name comes twice")
        candidates = [(shadow.feature_name, shadow.version) for shadow in self.shadows]
        if len(set(candidates)) < len(candidates):
            raise ValueError("shadows: a candidate comes twice")
        return self

    def choose(self, user_id: str | None, *, now: datetime) -> "Choice":
        """
        Return what is served to a user.

        Of two running experiments about one feature, the one that stands first decides, for its
        whole control group, too: else the second one would make a difference between its groups.

        Args:
            user_id: Whose experiments apply; None for nobody's.
            now: Current instant.
        """
        if user_id is None or not self.experiments:
            return self._pinned
        assignments: dict[str, Assignment] = {}
        for experiment in reversed(self.experiments):
            if experiment.start <= now < experiment.end:
                assignment = experiment.assign(user_id)
                assignments |= dict.fromkeys(experiment.feature_names, assignment)
        return Choice(self.versions, assignments) if assignments else self._pinned

    @cached_property
    def _pinned(self) -> "Choice":
        return Choice(self.versions)


@dataclass(frozen=True)
class Choice:
    """
    What is served to one user.

    Attributes:
        pinned: Selectors by feature name.
        assignments: By feature name, the user's place in the experiment that decides on it.
    """

    pinned: Mapping[str, str]
    assignments: Mapping[str, Assignment] = field(default_factory=dict)


def reliance(
    rules: ServingRules, features: Sequence[FeatureVersion], *, now: datetime
) -> dict[str, list[str]]:
    """
    Return, by reference, which serving rules rely on a version.

    That is the version that a rule names or selects; and where it selects none that is served,
    every version that it would have. An experiment that has ended relies on nothing.

    Args:
        rules: What they say.
        features: Among which they choose.
        now: Current instant.
    """
    by_name: dict[str, list[FeatureVersion]] = {}
    for feature in features:
        by_name.setdefault(feature.feature_name, []).append(feature)
    found: dict[str, list[str]] = {}
    for feature_name, selector, rule in statements(rules, now=now):
        for version in _relied_on(by_name.get(feature_name, []), selector):
            found.setdefault(f"{feature_name}=={version}", []).append(rule)
    return found


def statements(rules: ServingRules, *, now: datetime) -> Iterator[tuple[str, str, str]]:
    """Yield feature name, selector and rule, for all that rules say from now on."""
    for feature_name, selector in rules.versions.items():
        yield feature_name, selector, "a pinned version"
    for experiment in rules.experiments:
        if now < experiment.end:
            for variant in experiment.variants:
                for feature_name, selector in variant.versions.items():
                    yield feature_name, selector, f"experiment {experiment.name}"
    for shadow in rules.shadows:
        yield shadow.feature_name, shadow.version, "a shadow"


def _relied_on(versions: Sequence[FeatureVersion], selector: str) -> set[str]:
    fitting = fitting_versions(versions, selector)
    try:
        return {select_version(versions, selector).version} if fitting else {selector}
    except VersionNotServed:
        return {feature.version for feature in fitting}
