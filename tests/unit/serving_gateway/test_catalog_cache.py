"""The last good catalog is served on, whatever the registry does."""

import asyncio
import threading
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta

import pytest

from feature_repo.registry.catalog import Catalog
from feature_repo.registry.gather import gather_features
from foundation.errors import StoreUnavailable
from serving_gateway.catalog_cache import CatalogCache

INTERVAL = timedelta(0)
LIMIT = timedelta(minutes=10)
FAILURES = [StoreUnavailable("the registry is down"), RuntimeError("Feast is confused")]


def _catalog() -> Catalog:
    return Catalog(features=gather_features(), services={})


def _reader(outcomes: Iterable[Catalog | Exception]) -> Callable[[], Catalog]:
    """Return a reader whose readings have these outcomes."""
    left = iter(outcomes)

    def read() -> Catalog:
        outcome = next(left)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    return read


async def test_before_the_first_reading_there_is_none() -> None:
    """Who asks too early is told that the gateway keeps trying."""
    cache = CatalogCache(_catalog, interval=INTERVAL, limit=LIMIT)
    assert not cache.is_loaded
    with pytest.raises(StoreUnavailable, match="not been read yet"):
        _ = cache.current


@pytest.mark.parametrize("failure", FAILURES, ids=str)
async def test_a_failed_reading_keeps_the_catalog(failure: Exception) -> None:
    """What was read before stays."""
    catalog = _catalog()
    cache = CatalogCache(_reader([catalog, failure]), interval=INTERVAL, limit=LIMIT)
    await cache.refresh()
    await cache.refresh()
    assert cache.current is catalog


async def test_what_can_no_longer_be_read_stays_as_it_was() -> None:
    """And in its feature services, too; what is gone is gone."""
    first, *others = gather_features()
    whole = Catalog([first, *others], {"s": [first.reference, others[0].reference]})
    partial = Catalog(
        others, {"s": [others[0].reference], "t": []}, unreadable={first.view_name: "odd"}
    )
    gone = Catalog(others, {"s": [others[0].reference]})
    cache = CatalogCache(_reader([whole, partial, partial, gone]), interval=INTERVAL, limit=LIMIT)
    for _ in range(3):
        await cache.refresh()
    assert cache.current.select(first.feature_name, first.version) == first
    assert cache.current.services == {"s": [others[0].reference, first.reference], "t": []}
    await cache.refresh()
    assert cache.current is gone


@pytest.mark.parametrize("failure", FAILURES, ids=str)
async def test_readings_go_on_after_a_failure(failure: Exception) -> None:
    """The background task survives, and finds the next catalog."""
    newest = _catalog()
    arrived = asyncio.Event()
    loop = asyncio.get_running_loop()

    def outcomes() -> Iterator[Catalog | Exception]:
        yield _catalog()
        yield failure
        yield newest
        loop.call_soon_threadsafe(arrived.set)  # the one before is in place by now
        while True:
            yield newest

    cache = CatalogCache(_reader(outcomes()), interval=INTERVAL, limit=LIMIT)
    await cache.refresh()
    refreshing = asyncio.create_task(cache.refresh_forever())
    async with asyncio.timeout(10):
        await arrived.wait()
    assert cache.current is newest
    refreshing.cancel()


async def test_a_reading_that_hangs_is_waited_for_no_longer_than_that() -> None:
    """The catalog stays; there is no second reading beside the one that hangs, and one after it."""
    catalogs = iter(_catalog, None)
    hangs, is_over = threading.Event(), threading.Event()
    hanging = 0

    def read() -> Catalog:
        nonlocal hanging
        if hangs.is_set() and not is_over.is_set():
            hanging += 1
            is_over.wait()
            raise StoreUnavailable("the connection was dead")
        return next(catalogs)

    cache = CatalogCache(read, interval=INTERVAL, limit=timedelta(seconds=0.2))
    async with asyncio.timeout(20):
        while not cache.is_loaded:
            await cache.refresh()
        first = cache.current
        hangs.set()
        for _ in range(3):
            await cache.refresh()
        assert cache.current is first
        assert hanging <= 1
        is_over.set()
        while cache.current is first:
            await cache.refresh()
