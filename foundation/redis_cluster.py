"""Reads by key from a Redis Cluster: node by node, so that one that fails costs its own keys."""

import asyncio
from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any, NamedTuple, TypeVar

import redis
import redis.asyncio
from redis.crc import key_slot

from foundation.redis_commands import Keys, command, mget_command
from foundation.redis_pipeline import PipelinedReads, expiries_command

T = TypeVar("T")

_SLOTS = 16_384
# How a node says that a key is another's, or will be soon. It is missing then, for a moment.
_ELSEWHERE = ("MOVED ", "ASK ", "TRYAGAIN ")
_NO_EXPIRY = -2
# How long nodes may take to say which of them has what.
_LONGEST_ANSWER_SECONDS = 1.0


class Address(NamedTuple):
    """Where a node listens."""

    host: str
    port: int


class NodeReads(PipelinedReads):
    """
    Reads by key from one node of a cluster, where no command takes keys of several slots.

    A key that has moved to another node is missing here.

    Args:
        client: Of the node.
        on_moved: Told that a key has moved.
    """

    def __init__(self, client: redis.asyncio.Redis, *, on_moved: Callable[[], None]) -> None:
        super().__init__(client)
        self._on_moved = on_moved

    async def mget(self, keys: Sequence[Keys]) -> list[bytes | None]:
        """Return the values of keys; see `PipelinedReads.mget`."""
        spelt_out = list(chain.from_iterable(each.spelt_out() for each in keys))
        return await self._ask_by_slot(
            spelt_out, lambda part: mget_command([Keys.unlike(part)]), None
        )

    async def expiries(self, keys: Sequence[str]) -> list[int]:
        """Return when keys expire; see `PipelinedReads.expiries`."""
        return await self._ask_by_slot(keys, expiries_command, _NO_EXPIRY)

    async def slots(self) -> list[Any]:
        """Return what the node knows of the cluster: the answer to CLUSTER SLOTS."""
        return await self._ask(command("CLUSTER", "SLOTS"))

    async def _ask_by_slot(
        self, keys: Sequence[str], packed: Callable[[Sequence[str]], bytes], missing: T
    ) -> list[T]:
        places: dict[int, list[int]] = {}
        for place, key in enumerate(keys):
            places.setdefault(slot_of(key), []).append(place)
        commands = [packed([keys[place] for place in part]) for part in places.values()]
        found = [missing] * len(keys)
        for part, answer in zip(places.values(), await self._ask_all(commands), strict=True):
            if isinstance(answer, redis.ResponseError) and str(answer).startswith(_ELSEWHERE):
                self._on_moved()
            elif isinstance(answer, BaseException):
                raise answer
            else:
                for place, value in zip(part, answer, strict=True):
                    found[place] = value
        return found


class ClusterMap:
    """
    Knows which node has which key, as far as the nodes have told.

    Args:
        client_of: Returns a client of the node at an address.
        seed: A node to ask first.

    Attributes:
        is_outdated: Whether a node has said that a key is elsewhere.
    """

    def __init__(self, client_of: Callable[[Address], redis.asyncio.Redis], seed: Address) -> None:
        self._client_of = client_of
        self._seed = seed
        self._nodes: dict[Address, NodeReads] = {}
        self._owners: list[Address | None] = []
        self.is_outdated = False

    @property
    def is_known(self) -> bool:
        """Whether any node has told."""
        return bool(self._owners)

    def owner(self, key: str) -> Address | None:
        """Return the node that has a key; None if nobody has it."""
        return self._owners[slot_of(key)]

    @property
    def addresses(self) -> set[Address]:
        """The nodes that have keys."""
        return set(filter(None, self._owners))

    def reads(self, address: Address) -> NodeReads:
        """Return reads of a node."""
        if address not in self._nodes:
            self._nodes[address] = NodeReads(self._client_of(address), on_moved=self._outdate)
        return self._nodes[address]

    async def refresh(self) -> None:
        """
        Ask the nodes, and believe the one that answers first.

        Raises:
            redis.RedisError: None does.
        """
        known = dict.fromkeys([*filter(None, self._owners), *self._nodes, self._seed])
        asking = [asyncio.create_task(self._ask_for_owners(address)) for address in known]
        problem: Exception = redis.ConnectionError("no node has been asked")
        try:
            for answer in asyncio.as_completed(asking, timeout=_LONGEST_ANSWER_SECONDS):
                try:
                    self._owners, self.is_outdated = await answer, False
                except (redis.RedisError, OSError, TimeoutError) as error:
                    problem = error
                else:
                    return
        finally:
            for task in asking:
                task.cancel()
            await asyncio.gather(*asking, return_exceptions=True)
        raise redis.ConnectionError(f"no node tells which has what: {problem}") from problem

    async def _ask_for_owners(self, address: Address) -> list[Address | None]:
        owners = _owners(await self.reads(address).slots(), asked=address)
        if not any(owners):
            raise redis.ResponseError(f"{address.host}:{address.port} knows of no cluster")
        return owners

    async def drop(self, address: Address) -> None:
        """Hang up on a node."""
        if (reads := self._nodes.pop(address, None)) is not None:
            await reads.close()

    async def close(self) -> None:
        """Hang up."""
        await asyncio.gather(*(reads.close() for reads in self._nodes.values()))

    def _outdate(self) -> None:
        self.is_outdated = True


def slot_of(key: str) -> int:
    """Return the slot that a key belongs to."""
    slot: int = key_slot(key.encode())
    return slot


def _owners(slots: Sequence[Any], *, asked: Address) -> list[Address | None]:
    """Return the address of each slot's primary, from an answer to CLUSTER SLOTS."""
    owners: list[Address | None] = [None] * _SLOTS
    for first, last, (host, port, *_), *_ in slots:
        # A node that knows no address of itself is where it was asked.
        address = Address(host.decode() if host else asked.host, port)
        owners[first : last + 1] = [address] * (last + 1 - first)
    return owners
