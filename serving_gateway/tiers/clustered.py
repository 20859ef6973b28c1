"""Redis as a cluster: each node is a tier of its own, and fails for itself."""

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

from feature_repo.registry.metadata import FeatureVersion
from feature_repo.stores.redis_errors import translated_errors
from foundation.errors import StoreUnavailable
from foundation.redis_cluster import Address, ClusterMap, NodeReads
from serving_gateway.columns import Column, Found, nothing_of
from serving_gateway.deadline import NO_DEADLINE, Deadline
from serving_gateway.tiers.guard import Guard
from serving_gateway.tiers.online import PING_SECONDS, OnlineTier, is_materialized
from serving_gateway.tiers.unattended import UnattendedTasks

_LEAST_SECONDS_BETWEEN_MAPS = 1.0

# What a node has of a request: rows, by the number of their column.
Share = dict[int, list[int]]


class ClusteredOnlineTier:
    """
    Reads all columns in one round trip to each node; values of a node that fails are unavailable.

    Args:
        cluster: Says which node has which key.
        make_node: Returns the tier of one node.
        guard: Keeps requests from waiting for a cluster of which nothing is known.
    """

    name = OnlineTier.name

    def __init__(
        self,
        cluster: ClusterMap,
        *,
        make_node: Callable[[Address, NodeReads], OnlineTier],
        guard: Guard,
    ) -> None:
        self._cluster = cluster
        self._make_node = make_node
        self._guard = guard
        self._nodes: dict[Address, OnlineTier] = {}
        self._mapped_at = 0.0
        self._mappings: UnattendedTasks[None] = UnattendedTasks()

    def serves(self, feature: FeatureVersion) -> bool:
        """Tell whether a feature version is materialized."""
        return is_materialized(feature)

    async def read(
        self, columns: Sequence[Column], *, is_timed: bool, deadline: Deadline = NO_DEADLINE
    ) -> list[Found]:
        """Read values that are fresh; see `Tier.read`."""
        if self._cluster.is_known:
            return await self._read(columns, is_timed=is_timed, deadline=deadline)
        return await self._guard.read(
            columns, lambda: self._first_read(columns, is_timed=is_timed), deadline
        )

    async def close(self) -> None:
        """Hang up."""
        await self._cluster.close()

    async def answers(self) -> bool:
        """Tell whether a node answers; connects to the cluster if need be."""
        try:
            async with asyncio.timeout(PING_SECONDS):
                await self._map()
        except (StoreUnavailable, TimeoutError):
            return False
        return True

    async def _first_read(self, columns: Sequence[Column], *, is_timed: bool) -> list[Found]:
        await self._map()
        return await self._read(columns, is_timed=is_timed, deadline=NO_DEADLINE)

    async def _read(
        self, columns: Sequence[Column], *, is_timed: bool, deadline: Deadline
    ) -> list[Found]:
        shares = self._shares(columns)
        answers = await asyncio.gather(
            *(
                self._read_share(address, columns, share, is_timed=is_timed, deadline=deadline)
                for address, share in shares.items()
            )
        )
        found = _together(columns, shares.values(), answers, is_timed=is_timed)
        if self._cluster.is_outdated or any(part.is_unavailable for part in found):
            self._map_soon()
        return found

    async def _read_share(
        self,
        address: Address | None,
        columns: Sequence[Column],
        share: Share,
        *,
        is_timed: bool,
        deadline: Deadline,
    ) -> list[Found]:
        wanted = [columns[number].only(rows) for number, rows in share.items()]
        if address is None:  # nobody has these slots
            return [nothing_of(column, is_unavailable=True) for column in wanted]
        if address not in self._nodes:
            self._nodes[address] = self._make_node(address, self._cluster.reads(address))
        return await self._nodes[address].read(wanted, is_timed=is_timed, deadline=deadline)

    def _shares(self, columns: Sequence[Column]) -> dict[Address | None, Share]:
        """Return each node's share of the rows."""
        shares: dict[Address | None, Share] = {}
        for number, column in enumerate(columns):
            for row, key in enumerate(column.keys().spelt_out()):
                share = shares.setdefault(self._cluster.owner(key), {})
                share.setdefault(number, []).append(row)
        return shares

    async def _map(self) -> None:
        with translated_errors():
            await self._cluster.refresh()
        for address in self._nodes.keys() - self._cluster.addresses:
            self._nodes.pop(address).retire()
            await self._cluster.drop(address)

    def _map_soon(self) -> None:
        """Ask the nodes again which has what, off the path of requests."""
        now = time.monotonic()
        if now - self._mapped_at >= _LEAST_SECONDS_BETWEEN_MAPS:
            self._mapped_at = now
            self._mappings.start(self._map())


def _together(
    columns: Sequence[Column],
    shares: Iterable[Share],
    answers: Iterable[Sequence[Found]],
    *,
    is_timed: bool,
) -> list[Found]:
    """Put the shares of nodes into their places."""
    texts: list[list[bytes | None]] = [[None] * len(c.entity_ids) for c in columns]
    timestamps: list[list[datetime | None]] = [[None] * len(c.entity_ids) for c in columns]
    unavailable = [False] * len(columns)
    for share, answer in zip(shares, answers, strict=True):
        for (number, rows), part in zip(share.items(), answer, strict=True):
            unavailable[number] |= part.is_unavailable
            for place, row in enumerate(rows):
                texts[number][row] = part.texts[place]
                if part.timestamps is not None:
                    timestamps[number][row] = part.timestamps[place]
    return [
        Found(found, times if is_timed else None, is_lost)
        for found, times, is_lost in zip(texts, timestamps, unavailable, strict=True)
    ]
