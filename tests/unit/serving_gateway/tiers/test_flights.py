"""Requests that miss the same values at the same time share one fetch of them."""

import asyncio
from collections.abc import Sequence

import pytest

from feature_repo.registry.gather import gather_features
from foundation import clock
from foundation.errors import StoreUnavailable
from serving_gateway.columns import Column, Found
from serving_gateway.tiers.flights import Flights

FEATURE, OTHER = gather_features()[:2]


class Source:
    """Has the values of some entities, and remembers what it was asked for."""

    def __init__(self, *has: str) -> None:
        self.asked: list[list[str]] = []
        self.is_open = asyncio.Event()
        self.error: Exception | None = None
        self._has = has

    async def fetch(self, columns: Sequence[Column]) -> list[Found]:
        """Answer once it is open."""
        self.asked += [list(column.entity_ids) for column in columns]
        await self.is_open.wait()
        if self.error is not None:
            raise self.error
        return [
            Found(
                [i.encode() if i in self._has else None for i in column.entity_ids],
                [clock.now() if i in self._has else None for i in column.entity_ids],
            )
            for column in columns
        ]


def _flights(source: Source, *, absent_seconds: float = 60.0) -> Flights:
    return Flights(source.fetch, absent_seconds=absent_seconds, absent_count=10, limit_seconds=10.0)


def _texts(found: Sequence[Found]) -> list[list[bytes | None]]:
    return [list(part.texts) for part in found]


async def test_overlapping_requests_fetch_each_value_once() -> None:
    """The second request waits for what the first fetches, and fetches the rest."""
    source = Source("a", "b", "c")
    flights = _flights(source)
    first = asyncio.create_task(flights.read([Column(FEATURE, ["a", "b"])]))
    second = asyncio.create_task(flights.read([Column(FEATURE, ["b", "c"])]))
    await asyncio.sleep(0)
    source.is_open.set()
    assert _texts(await first) == [[b"a", b"b"]]
    assert _texts(await second) == [[b"b", b"c"]]
    assert source.asked == [["a", "b"], ["c"]]


async def test_features_do_not_share_values() -> None:
    """The same entity of another feature is another value."""
    source = Source("a")
    source.is_open.set()
    await _flights(source).read([Column(FEATURE, ["a"]), Column(OTHER, ["a"])])
    assert source.asked == [["a"], ["a"]]


async def test_what_is_absent_is_not_asked_for_again_soon() -> None:
    """Until it is forgotten."""
    source = Source("a")
    source.is_open.set()
    flights = _flights(source)
    column = Column(FEATURE, ["a", "nobody"])
    for _ in range(3):
        assert _texts(await flights.read([column])) == [[b"a", None]]
    assert source.asked == [["a", "nobody"], ["a"], ["a"]]
    flights.forget_absent()
    await flights.read([column])
    assert source.asked[-1] == ["a", "nobody"]


async def test_a_failure_is_told_to_all_who_wait_and_not_remembered() -> None:
    """Nothing is taken for absent that could not be looked up."""
    source = Source("a")
    source.error = StoreUnavailable("it is down")
    flights = _flights(source)
    column = Column(FEATURE, ["a"])
    waiting = [asyncio.create_task(flights.read([column])) for _ in range(3)]
    await asyncio.sleep(0)
    source.is_open.set()
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(result) for result in results] == [StoreUnavailable] * 3
    assert source.asked == [["a"]]
    source.error = None
    assert not flights.are_absent([column])
    assert _texts(await flights.read([column])) == [[b"a"]]


async def test_a_fetch_that_takes_too_long_is_forgotten() -> None:
    """Even one that does not let go when it is told to: the next who asks has a new one."""
    source = Source("a")
    is_gone = asyncio.Event()

    async def stuck(columns: Sequence[Column]) -> list[Found]:
        try:
            return await source.fetch(columns)
        except asyncio.CancelledError:
            await is_gone.wait()  # as a driver of a dead connection does
            raise

    flights = Flights(stuck, absent_seconds=60.0, absent_count=10, limit_seconds=0.01)
    column = Column(FEATURE, ["a"])
    with pytest.raises(StoreUnavailable, match="too long"):
        await flights.read([column])
    source.is_open.set()
    assert _texts(await flights.read([column])) == [[b"a"]]
    assert source.asked == [["a"], ["a"]]
    is_gone.set()


async def test_it_is_known_what_is_absent() -> None:
    """All of it, or a fetch may find something."""
    source = Source("a")
    source.is_open.set()
    flights = _flights(source)
    nobody = Column(FEATURE, ["nobody"])
    assert not flights.are_absent([nobody])
    await flights.read([Column(FEATURE, ["a", "nobody"])])
    assert flights.are_absent([nobody])
    assert not flights.are_absent([nobody, Column(FEATURE, ["a"])])


async def test_a_fetch_outlives_who_asked() -> None:
    """Whoever joined it gets its values, even if the first has left."""
    source = Source("a")
    flights = _flights(source)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await flights.read([Column(FEATURE, ["a"])])
    second = asyncio.create_task(flights.read([Column(FEATURE, ["a"])]))
    await asyncio.sleep(0)
    source.is_open.set()
    assert _texts(await second) == [[b"a"]]
    assert source.asked == [["a"]]
