"""Where values come from, in the order in which they are asked."""

from collections.abc import Sequence
from typing import Protocol

from serving_gateway.batch import Batch


class Tier(Protocol):
    """One place that may have values."""

    name: str

    async def read(self, batch: Batch, positions: Sequence[int]) -> list[bytes | None]:
        """
        Read the values at some positions of a batch, all in one go.

        Returns:
            Their JSON texts, in the order of the positions; None for what this tier does not have.

        Raises:
            StoreUnavailable: The tier can't answer, or not in time.
        """
