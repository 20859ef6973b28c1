"""Redis: what is fresh."""

from collections.abc import Sequence

from feature_repo.stores.redis_values import read_texts
from foundation.redis import AsyncClient
from serving_gateway.batch import Batch


class OnlineTier:
    """Reads a batch in one round trip to each node."""

    name = "online"

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    async def read(self, batch: Batch, positions: Sequence[int]) -> list[bytes | None]:
        """Read values that are fresh; see `Tier.read`."""
        keys = batch.keys()
        wanted = keys if len(positions) == len(keys) else [keys[p] for p in positions]
        return await read_texts(self._client, wanted)
