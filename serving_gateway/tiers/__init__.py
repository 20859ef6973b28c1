"""Where values come from, in the order in which they are asked."""

from collections.abc import Sequence
from typing import Protocol

from feature_repo.registry.metadata import FeatureVersion
from serving_gateway.columns import Column, Found
from serving_gateway.deadline import Deadline


class Tier(Protocol):
    """One place that may have values."""

    name: str

    def serves(self, feature: FeatureVersion) -> bool:
        """Tell whether this tier can have values of a feature version."""

    async def read(
        self, columns: Sequence[Column], *, is_timed: bool, deadline: Deadline
    ) -> list[Found]:
        """
        Read the values of columns, all in one go.

        Args:
            columns: What is wanted, at least one.
            is_timed: Whether event timestamps are wanted too.
            deadline: When the caller is gone.

        Returns:
            What there is of each column, in their order; a tier that can't answer says so there.
        """
