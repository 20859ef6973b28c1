"""The declared defaults: what is answered when nobody has a value."""

from collections.abc import Sequence

import orjson

from serving_gateway.batch import Batch


class DefaultTier:
    """Always answers; `null` for a feature without a default."""

    name = "default"

    async def read(self, batch: Batch, positions: Sequence[int]) -> list[bytes | None]:
        """Return defaults; see `Tier.read`."""
        texts = [orjson.dumps(feature.default) for feature in batch.features]
        return [texts[position % len(texts)] for position in positions]
