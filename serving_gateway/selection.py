"""The versions that a request is served, and what every answer says of them; pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import orjson

from feature_repo.registry.metadata import FeatureVersion, Status
from feature_repo.registry.serving_rules import Assignment


class Exposure(NamedTuple):
    """
    An experiment that decided what is served.

    Attributes:
        assignment: The user's place in it.
        features: The versions that are served because of it.
    """

    assignment: Assignment
    features: Sequence[FeatureVersion]


@dataclass(frozen=True)
class Selection:
    """
    What is served; what follows from it is made once, however many requests it is for.

    Attributes:
        features: One version a feature, in the order of the request.
        exposures: The experiments that decided on any of them.
        not_followed: Features of which a rule says what can't be served, and why not.
    """

    features: Sequence[FeatureVersion]
    exposures: Sequence[Exposure] = ()
    not_followed: Sequence[tuple[str, str]] = ()

    @cached_property
    def deprecated(self) -> Sequence[FeatureVersion]:
        """The versions that should not be used any more."""
        return [feature for feature in self.features if feature.status is Status.DEPRECATED]

    @cached_property
    def variants(self) -> Mapping[str, str]:
        """The user's variant of each experiment that decided."""
        return {e.assignment.experiment: e.assignment.variant for e in self.exposures}

    @cached_property
    def fields(self) -> bytes:
        """The inside of a JSON object with a field a feature, and `%b` for its value."""
        return ",".join(f'"{feature.feature_name}":%b' for feature in self.features).encode()

    @cached_property
    def told(self) -> bytes:
        """What answers say of it, as the inside of a JSON object."""
        told = {
            "versions": {feature.feature_name: feature.version for feature in self.features},
            "experiments": self.variants,
        }
        return orjson.dumps(told)[1:-1]
